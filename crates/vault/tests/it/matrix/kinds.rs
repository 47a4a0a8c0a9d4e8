//! Kinds of damage, applied to the bytes of a vault.

use std::fmt;

use super::super::support::Numbers;

pub(super) const PAGE: usize = 16 * 1024;
const BLOCK: usize = 4096;

/// How a file is damaged. Rates are percent of the file.
#[derive(Clone, Copy, Debug)]
pub(super) enum Damage {
    /// So many bits flipped.
    Bits(u64),
    /// Single bytes.
    Bytes(f64),
    /// Blocks of 4 KiB overwritten with noise.
    Blocks(f64),
    /// Blocks of 4 KiB overwritten with zeros.
    Zeroed(f64),
    /// So many runs of 64 KiB overwritten with noise.
    Runs(u64),
    /// The first 100 bytes.
    Header,
    PageOne,
    /// All interior pages of tables and indexes.
    Interior,
    /// All leaf pages of indexes.
    Index,
    /// Page 1, all interior pages and all leaf pages of indexes.
    Structure,
    /// The same, and some blocks.
    StructureAndBlocks(f64),
    /// All pages of the free list.
    Free,
    /// The end is cut off.
    Tail(f64),
    /// So many pairs of blocks change places.
    Swapped(u64),
    /// 2 % of the file in one place.
    Gap,
    /// The same, over a leaf page of parity.
    GapInParity,
}

/// A damage, how often it is tried, and whether everything must come back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) damage: Damage,
    pub(super) times: u64,
    pub(super) promised: bool,
}

impl Case {
    pub(super) const fn promised(damage: Damage, times: u64) -> Self {
        Self {
            damage,
            times,
            promised: true,
        }
    }

    pub(super) const fn beyond(damage: Damage, times: u64) -> Self {
        Self {
            damage,
            times,
            promised: false,
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:?}{}", self.damage, if self.promised { " *" } else { "" });
        f.pad(&text)
    }
}

impl Damage {
    pub(super) fn apply(self, intact: &[u8], numbers: &mut Numbers) -> Vec<u8> {
        let mut bytes = intact.to_vec();
        match self {
            Self::Bits(count) => {
                for _ in 0..count {
                    let bit = numbers.below(bytes.len() as u64 * 8) as usize;
                    bytes[bit / 8] ^= 1 << (bit % 8);
                }
            }
            Self::Bytes(rate) => {
                for _ in 0..share(bytes.len(), rate).max(1) {
                    let at = numbers.below(bytes.len() as u64) as usize;
                    bytes[at] ^= 1 + numbers.below(255) as u8;
                }
            }
            Self::Blocks(rate) => blocks(&mut bytes, rate, numbers, true),
            Self::Zeroed(rate) => blocks(&mut bytes, rate, numbers, false),
            Self::Runs(count) => {
                for _ in 0..count {
                    let length = (16 * BLOCK).min(bytes.len());
                    let at = numbers.below((bytes.len() - length + 1) as u64) as usize;
                    scribble(&mut bytes[at..at + length], numbers);
                }
            }
            Self::Header => scribble(&mut bytes[..100], numbers),
            Self::PageOne => scribble(&mut bytes[..PAGE], numbers),
            Self::Interior => pages(&mut bytes, &of_kind(intact, &[2, 5]), numbers),
            Self::Index => pages(&mut bytes, &of_kind(intact, &[10]), numbers),
            Self::Structure => structure(&mut bytes, numbers),
            Self::StructureAndBlocks(rate) => {
                structure(&mut bytes, numbers);
                blocks(&mut bytes, rate, numbers, true);
            }
            Self::Free => pages(&mut bytes, &free(intact), numbers),
            Self::Tail(rate) => bytes.truncate(intact.len() - share(intact.len(), rate).max(1)),
            Self::Swapped(pairs) => {
                for _ in 0..pairs {
                    let count = bytes.len() / BLOCK;
                    let (a, b) = (
                        numbers.below(count as u64) as usize,
                        numbers.below(count as u64) as usize,
                    );
                    for byte in 0..BLOCK {
                        bytes.swap(a * BLOCK + byte, b * BLOCK + byte);
                    }
                }
            }
            Self::Gap => {
                let at = numbers.below((bytes.len() - gap(&bytes) + 1) as u64) as usize;
                scribble_gap(&mut bytes, at, numbers);
            }
            Self::GapInParity => {
                let leaves = capsule_pages(&bytes);
                let page = leaves[numbers.below(leaves.len() as u64) as usize] * PAGE;
                let length = gap(&bytes);
                let end = page + 1 + numbers.below((PAGE + length) as u64 - 1) as usize;
                let at = end.saturating_sub(length);
                scribble_gap(&mut bytes, at, numbers);
            }
        }
        bytes
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "vaults of tests are far below 2^52 bytes"
)]
fn share(of: usize, percent: f64) -> usize {
    (of as f64 * percent / 100.0) as usize
}

/// Bytes of the promised gap.
fn gap(bytes: &[u8]) -> usize {
    share(bytes.len(), 2.0)
}

fn scribble_gap(bytes: &mut [u8], at: usize, numbers: &mut Numbers) {
    let length = gap(bytes);
    let at = at.min(bytes.len() - length);
    scribble(&mut bytes[at..at + length], numbers);
}

/// Leaf pages, from 0, in which a capsule begins; not those of stripes that were merged.
fn capsule_pages(bytes: &[u8]) -> Vec<usize> {
    let magic = b"CVPARITY";
    let free = free(bytes);
    (1..bytes.len() / PAGE)
        .filter(|page| !free.contains(page))
        .filter(|page| {
            let page = &bytes[page * PAGE..][..PAGE];
            page[0] == 13 && page.windows(magic.len()).any(|bytes| bytes == magic)
        })
        .collect()
}

fn scribble(bytes: &mut [u8], numbers: &mut Numbers) {
    for piece in bytes.chunks_mut(8) {
        piece.copy_from_slice(&numbers.next().to_le_bytes()[..piece.len()]);
    }
}

/// Exactly the share of the blocks, each once; at least one.
fn blocks(bytes: &mut [u8], rate: f64, numbers: &mut Numbers, with_noise: bool) {
    let count = bytes.len() / BLOCK;
    let mut order: Vec<usize> = (0..count).collect();
    for n in 0..share(count, rate).max(1) {
        let other = n + numbers.below((count - n) as u64) as usize;
        order.swap(n, other);
        let block = &mut bytes[order[n] * BLOCK..][..BLOCK];
        if with_noise {
            scribble(block, numbers);
        } else {
            block.fill(0);
        }
    }
}

fn structure(bytes: &mut [u8], numbers: &mut Numbers) {
    let mut all = of_kind(bytes, &[2, 5, 10]);
    all.push(0);
    pages(bytes, &all, numbers);
}

fn pages(bytes: &mut [u8], which: &[usize], numbers: &mut Numbers) {
    for page in which {
        scribble(&mut bytes[page * PAGE..][..PAGE], numbers);
    }
}

/// Pages, from 0, whose first byte says that they are of a B-tree of one of these kinds. An overflow page begins with
/// a page number, whose first byte is 0 in files of this size.
fn of_kind(bytes: &[u8], kinds: &[u8]) -> Vec<usize> {
    (1..bytes.len() / PAGE)
        .filter(|page| kinds.contains(&bytes[page * PAGE]))
        .collect()
}

/// The pages of the free list, from 0: trunk pages and those they name.
pub(super) fn free(bytes: &[u8]) -> Vec<usize> {
    let number = |at: usize| {
        let four = bytes[at..at + 4].try_into().expect("four bytes");
        u32::from_be_bytes(four) as usize
    };
    let mut pages = Vec::new();
    let mut trunk = number(32);
    while trunk > 0 {
        let at = (trunk - 1) * PAGE;
        pages.push(trunk - 1);
        for leaf in 0..number(at + 4) {
            pages.push(number(at + 8 + 4 * leaf) - 1);
        }
        trunk = number(at);
    }
    pages
}
