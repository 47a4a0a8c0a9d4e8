//! Every row that a file still holds, in the order of its pages.

use std::collections::HashSet;
use std::io;

use rayon::prelude::*;

use super::image::{Image, LoosePage, PAGE};
use super::page::{Kind, Place, examine};
use crate::entry::Entry;
use crate::ids::Digest;
use crate::store::VALUE_BYTES_MAX;

/// Pages that are read and searched together: 8 MiB, of which two are in memory.
const WINDOW_PAGES: usize = 512;

/// The large last column of a row, of which a part may lie in overflow pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    /// What lies in the page of the row.
    pub(crate) local: Vec<u8>,
    /// Bytes of the whole column, at most 512 MiB.
    pub(crate) length: usize,
    /// First overflow page as the cell says, unchecked.
    pub(crate) overflow: Option<u32>,
    /// The page of the row.
    pub(crate) page: u32,
    /// Whether that page is a loose one; then overflow pages are looked for among loose pages first.
    pub(crate) loose: bool,
}

/// A row of a sealed table or of parity. Digests of entries were compared; nothing else was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Row {
    Entry {
        entry: Entry,
        /// Equal to [`Entry::leaf_hash`].
        leaf: Digest,
    },
    Root {
        size: u64,
        sha256: Digest,
    },
    Subtree {
        /// Level, from 1, above 48 bits of position.
        id: u64,
        sha256: Digest,
    },
    Manifest {
        id: u64,
        sha256: Digest,
        records: Blob,
    },
    Chunk {
        id: u64,
        sha256: Digest,
        pack: u64,
        offset: u64,
        size: u64,
    },
    Pack {
        id: u64,
        codec: u32,
        raw_size: u64,
        sha256: Digest,
        data: Blob,
    },
    Document {
        id: u64,
        name: String,
        text: Blob,
    },
    Parity {
        id: u64,
        data: Blob,
    },
}

/// A row and how it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) row: Row,
    /// The page it lies in; for a loose page the one it is said to be, which may be damaged.
    pub(crate) page: u32,
    /// Its page is a leaf page in which everything is in order. Such a row is never one of a vault that was archived
    /// in this one; see the module `salvage`.
    pub(crate) whole_page: bool,
    /// Its page is not part of the last commit: see [`Image::loose_pages`].
    pub(crate) loose: bool,
}

/// What the pages seemed to be. Loose pages count apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CarveReport {
    /// Leaf pages of tables in which everything is in order.
    pub(crate) leaves: u64,
    /// Leaf pages that are damaged.
    pub(crate) damaged_leaves: u64,
    /// Interior pages, and pages of indexes.
    pub(crate) inner: u64,
    /// Pages of zeros.
    pub(crate) empty: u64,
    /// All others: overflow pages, and what cannot be told from them.
    pub(crate) other: u64,
    /// Loose pages, whatever they are.
    pub(crate) loose: u64,
    /// Blocks of 4 KiB that the disk could not read, counted once a try.
    pub(crate) unreadable_blocks: u64,
}

/// Calls `visit` with every row that can be recognised, in the order of pages, those of loose pages last. A row can
/// come more than once: pages that are no longer in use keep theirs. Works on all cores; `visit` is called on this
/// thread. Memory: two windows of 8 MiB and the rows found in one.
pub(crate) fn carve(image: &Image, visit: &mut dyn FnMut(Found)) -> io::Result<CarveReport> {
    let mut report = CarveReport::default();
    let pages: Vec<u32> = window(image, 1);
    carve_windows(
        pages,
        |last| window(image, last.checked_add(1).unwrap_or(0)),
        |pages, into| image.read_pages(pages[0], into),
        &|&number, page| {
            let place = Place {
                number,
                loose: false,
            };
            (number, examine(image, place, page))
        },
        &mut |number, kind, row| match row {
            None => report.count(kind),
            Some(row) => visit(Found {
                row,
                page: number,
                whole_page: kind == Kind::Leaf,
                loose: false,
            }),
        },
    )?;
    let loose = image.loose_pages();
    let mut rest = loose.chunks(WINDOW_PAGES).map(<[LoosePage]>::to_vec);
    carve_windows(
        rest.next().unwrap_or_default(),
        |_| rest.next().unwrap_or_default(),
        |pages, into| {
            let mut pages = pages.iter().zip(into.chunks_exact_mut(PAGE));
            pages.try_for_each(|(&page, into)| image.read_loose(page, into))
        },
        &|loose, page| {
            let place = Place {
                number: loose.number,
                loose: true,
            };
            (loose.number, examine(image, place, page))
        },
        &mut |number, kind, row| match row {
            None => report.loose += 1,
            Some(row) => visit(Found {
                row,
                page: number,
                whole_page: kind == Kind::Leaf,
                loose: true,
            }),
        },
    )?;
    report.unreadable_blocks = image.unreadable_blocks();
    Ok(report)
}

impl CarveReport {
    fn count(&mut self, kind: Kind) {
        *match kind {
            Kind::Leaf => &mut self.leaves,
            Kind::DamagedLeaf => &mut self.damaged_leaves,
            Kind::Inner => &mut self.inner,
            Kind::Empty => &mut self.empty,
            Kind::Other => &mut self.other,
        } += 1;
    }
}

/// Numbers of the pages from `first`, as many as fit into a window; none for 0.
fn window(image: &Image, first: u32) -> Vec<u32> {
    if first == 0 {
        return Vec::new();
    }
    (first..=image.pages()).take(WINDOW_PAGES).collect()
}

/// Reads one window while the one before it is searched. `found` is called once a page without a row, then with each
/// of its rows.
fn carve_windows<P: Copy + Sync + Send>(
    mut pages: Vec<P>,
    mut next: impl FnMut(P) -> Vec<P>,
    read: impl Fn(&[P], &mut [u8]) -> io::Result<()> + Sync,
    search: &(impl Fn(&P, &[u8]) -> (u32, (Kind, Vec<Row>)) + Sync),
    found: &mut impl FnMut(u32, Kind, Option<Row>),
) -> io::Result<()> {
    let mut bytes = vec![0; pages.len() * PAGE];
    let mut spare = Vec::new();
    if !pages.is_empty() {
        read(&pages, &mut bytes)?;
    }
    while let Some(&last) = pages.last() {
        let following = next(last);
        spare.resize(following.len() * PAGE, 0);
        let (rows, ahead) = rayon::join(
            || -> Vec<_> {
                let pages = pages.par_iter().zip(bytes.par_chunks_exact(PAGE));
                pages.map(|(page, bytes)| search(page, bytes)).collect()
            },
            || {
                if following.is_empty() {
                    Ok(())
                } else {
                    read(&following, &mut spare)
                }
            },
        );
        for (number, (kind, rows)) in rows {
            found(number, kind, None);
            for row in rows {
                found(number, kind, Some(row));
            }
        }
        ahead?;
        pages = following;
        std::mem::swap(&mut bytes, &mut spare);
    }
    Ok(())
}

/// Puts a blob together from its overflow pages, and says which these are, in order.
///
/// Each page names the next. Where that cannot be, because there is no such page or it was there already, the page
/// after this one is taken: in a table that only grows, chains lie in one piece. Damage is returned as it is, and the
/// blob is shorter than [`Blob::length`] if the file ends first; the caller compares hashes. Memory: the blob, never
/// more than the file holds.
pub(crate) fn read_blob(image: &Image, blob: &Blob) -> io::Result<(Vec<u8>, Vec<u32>)> {
    follow(image, blob, true)
}

/// As [`read_blob`], but from the first overflow page on it takes page after page whatever they say: for a chain in
/// which a damaged number leads to a page that exists.
pub(crate) fn read_blob_in_one_piece(
    image: &Image,
    blob: &Blob,
) -> io::Result<(Vec<u8>, Vec<u32>)> {
    follow(image, blob, false)
}

fn follow(image: &Image, blob: &Blob, by_number: bool) -> io::Result<(Vec<u8>, Vec<u32>)> {
    // Values have their bound and so has the record around an entry, which is read with this, too.
    let length = blob.length.min(VALUE_BYTES_MAX.cast_unsigned() as usize);
    let mut bytes = blob.local.clone();
    bytes.truncate(length);
    let mut chain = Vec::new();
    let mut seen = HashSet::new();
    let exists =
        |number: u32| (2..=image.pages()).contains(&number) || blob.loose && image.has_lost(number);
    let mut next = blob.overflow.filter(|&number| exists(number));
    let mut page = Box::new([0; PAGE]);
    while let Some(number) = next {
        if bytes.len() == length {
            break;
        }
        if blob.loose {
            image.lost_page(number, &mut page)?;
        } else {
            image.page(number, &mut page)?;
        }
        chain.push(number);
        seen.insert(number);
        let take = (length - bytes.len()).min(PAGE - 4);
        bytes.extend_from_slice(&page[4..4 + take]);
        let named = u32::from_be_bytes(page[..4].try_into().expect("four bytes"));
        let follows = |&number: &u32| exists(number) && !seen.contains(&number);
        next = Some(named)
            .filter(|named| by_number && follows(named))
            .or_else(|| number.checked_add(1).filter(follows));
    }
    Ok((bytes, chain))
}
