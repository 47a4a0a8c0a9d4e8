//! Finding blocks of a file by what is in them, for packs whose row no longer says where they lie.

use std::cell::OnceCell;
use std::io;

use rayon::prelude::*;

use crate::parity::{SHARD, code};
use crate::salvage::image::{Image, PAGE};

/// Pages read at a time.
const WINDOW: u32 = 512;
/// Blocks of a page.
const BLOCKS: u64 = (PAGE / SHARD) as u64;

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
            block: u8::try_from(block % 4).expect("below 4"),
        }
    }

    /// The block behind it, in the next page after the last one.
    pub(super) fn next(self) -> Self {
        if u64::from(self.block) + 1 < BLOCKS {
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

impl Blocks {
    /// Where a shard with this checksum lies, if anywhere.
    pub(super) fn find(&self, image: &Image, checksum: u32) -> io::Result<Option<At>> {
        let index = if let Some(index) = self.0.get() {
            index
        } else {
            let made = index(image)?;
            self.0.get_or_init(|| made)
        };
        let at = index.partition_point(|(sum, _)| *sum < checksum);
        let found = index.get(at).filter(|(sum, _)| *sum == checksum);
        Ok(found.map(|&(_, number)| At {
            page: number / 4 + 1,
            block: (number % 4) as u8,
        }))
    }
}

/// The bytes of a block that are content: at most `length` of them.
pub(super) fn read(image: &Image, at: At, length: usize) -> io::Result<Vec<u8>> {
    let mut page = Box::new([0; PAGE]);
    image.page(at.page, &mut page)?;
    Ok(content(&page[..], at.block.into())[..length].to_vec())
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
            .map(|page| {
                [0, 1, 2, 3].map(|block| {
                    let mut padded = [0; SHARD];
                    let content = content(page, block);
                    padded[..content.len()].copy_from_slice(content);
                    code::checksum(&padded)
                })
            })
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
