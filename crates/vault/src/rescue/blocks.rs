//! Finding blocks of a file by what is in them, for values whose row no longer says where they lie.

use std::cell::OnceCell;
use std::io;

use rayon::prelude::*;

use crate::parity::{BLOCKS, SHARD, TAIL, code};
use crate::salvage::image::{Image, PAGE};

/// Pages read at a time.
const WINDOW: u32 = 512;
/// Blocks with the same checksum that are looked at.
const SAME_MAX: usize = 8;

/// Where a block lies: a page, and which of its blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At {
    page: u32,
    block: u8,
}

impl At {
    /// Where a block of an overflow page's content lies: the first one lacks the number of the next page.
    pub(super) fn of(page: u32, block: usize) -> Self {
        Self {
            page,
            block: u8::try_from(block % BLOCKS).expect("below 4"),
        }
    }

    /// The block behind it, in the next page after the last one.
    pub(super) fn next(self) -> Self {
        if usize::from(self.block) + 1 < BLOCKS {
            Self {
                block: self.block + 1,
                ..self
            }
        } else {
            Self {
                page: self.page.saturating_add(1),
                block: 0,
            }
        }
    }
}

/// All blocks of a file by their checksum, made when it is first needed. Memory: 32 bytes a page.
#[derive(Default)]
pub(super) struct Blocks(OnceCell<Vec<(u32, u32)>>);

/// A block that is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Of its content, filled up with zeros.
    pub(super) checksum: u32,
    /// Bytes of its content.
    pub(super) length: usize,
}

impl Blocks {
    /// Looks for those of a run of blocks whose place is not known, and passes on the content of each that is found.
    /// The run is one value's: its blocks lie one behind the other unless the file is in pieces.
    ///
    /// A checksum alone tells too little in a large file. It counts next to a block whose place is known; elsewhere
    /// the block behind must be the next of the run as well.
    pub(super) fn find_run(
        &self,
        image: &Image,
        run: &[Wanted],
        places: &mut [Option<At>],
        found: &mut dyn FnMut(usize, Vec<u8>),
    ) -> io::Result<()> {
        let fits = |wanted: &Wanted, at: At| -> io::Result<Option<Vec<u8>>> {
            if at.page > image.pages() {
                return Ok(None);
            }
            let bytes = read(image, at, wanted.length)?;
            Ok((checksum(&bytes) == wanted.checksum).then_some(bytes))
        };
        // A lost block lies where it lay: the next one is behind it.
        let mut beside: Option<At> = None;
        for (n, wanted) in run.iter().enumerate() {
            if places[n].is_none() {
                let mut bytes = None;
                if let Some(at) = beside {
                    bytes = fits(wanted, at)?.map(|bytes| (at, bytes));
                }
                if bytes.is_none()
                    && wanted.length >= SHARD - TAIL
                    && let Some(next) = run.get(n + 1)
                {
                    for at in self.with(image, wanted.checksum)? {
                        let confirmed = fits(next, at.next())?.is_some();
                        if confirmed && let Some(content) = fits(wanted, at)? {
                            bytes = Some((at, content));
                            break;
                        }
                    }
                }
                if let Some((at, bytes)) = bytes {
                    places[n] = Some(at);
                    found(n, bytes);
                }
            }
            beside = places[n].or(beside).map(At::next);
        }
        Ok(())
    }

    /// Where blocks with this checksum lie.
    fn with(&self, image: &Image, checksum: u32) -> io::Result<Vec<At>> {
        let index = if let Some(index) = self.0.get() {
            index
        } else {
            let made = index(image)?;
            self.0.get_or_init(|| made)
        };
        let at = index.partition_point(|(sum, _)| *sum < checksum);
        let same = index[at..].iter().take_while(|(sum, _)| *sum == checksum);
        Ok(same
            .take(SAME_MAX)
            .map(|&(_, number)| At {
                page: number / 4 + 1,
                block: (number % 4) as u8,
            })
            .collect())
    }
}

fn checksum(content: &[u8]) -> u32 {
    let mut padded = [0; SHARD];
    padded[..content.len()].copy_from_slice(content);
    code::checksum(&padded)
}

/// The bytes of a block that are content: at most `length` of them.
fn read(image: &Image, at: At, length: usize) -> io::Result<Vec<u8>> {
    let mut page = Box::new([0; PAGE]);
    image.page(at.page, &mut page)?;
    let content = content(&page[..], at.block.into());
    Ok(content[..length.min(content.len())].to_vec())
}

fn content(page: &[u8], block: usize) -> &[u8] {
    let from = if block == 0 { 4 } else { block * SHARD };
    &page[from..(block + 1) * SHARD]
}

fn index(image: &Image) -> io::Result<Vec<(u32, u32)>> {
    let mut index = Vec::with_capacity(image.pages() as usize * 4);
    let mut bytes = Vec::new();
    let mut first = 1_u32;
    while first <= image.pages() {
        let count = WINDOW.min(image.pages() - first + 1);
        bytes.resize(count as usize * PAGE, 0);
        image.read_pages(first, &mut bytes)?;
        let sums: Vec<[u32; 4]> = bytes
            .par_chunks_exact(PAGE)
            .map(|page| [0, 1, 2, 3].map(|block| checksum(content(page, block))))
            .collect();
        for (page, sums) in (first - 1..).zip(sums) {
            for (block, sum) in (0..).zip(sums) {
                index.push((sum, page.saturating_mul(4).saturating_add(block)));
            }
        }
        first += count;
    }
    index.par_sort_unstable();
    Ok(index)
}
