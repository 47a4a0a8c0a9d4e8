//! A WAL as bytes: whether `SQLite` would read all of it that was committed.
//!
//! `SQLite` stops reading a WAL at the first frame whose checksum is wrong and, by design, says nothing: the commits
//! from there on are gone, and the next writer writes over them. So the frames are walked here before `SQLite` sees
//! them. Format: sqlite.org/fileformat2.html, section 4, and for the index sqlite.org/walformat.html, section 2.
//!
//! What an interrupted process may leave is no damage, and is told apart by how `SQLite` writes:
//! - Frames are written in order, and those of one transaction end with the only one that has a commit size. Where
//!   pages of an uncommitted transaction are written over, everything after them has zeros for salts until the
//!   checksums are made again, in order, the commit frame last. So a frame with this WAL's salts and a commit size
//!   *behind* a frame that is not right cannot come from a process that was merely killed.
//! - The last frame alone may be half written: it is judged only by what the index says.
//! - After a reset of the WAL older frames lie behind the newer ones; their salts are others.
//! - A loss of power is another matter: what was not synced yet may be there in part and in any order, so a last
//!   transaction that nobody was told of can look like one that was damaged. It is refused: of the two mistakes that
//!   is the one that can be made good.
//! - The index tells of a commit only after its frames were synced. What it counts must be there; while it agrees with
//!   the frames, whatever lies behind them was never committed.

use std::io::{self, Read};

use super::PAGE_BYTES;
use crate::buffers::fill;

mod guard;

pub(crate) use guard::{Elsewhere, open_elsewhere, refuse_damaged};

/// Bytes of the WAL's header.
const HEADER_BYTES: usize = 32;
/// Bytes before each frame's page.
const FRAME_HEADER_BYTES: usize = 24;
/// The magic number; its lowest bit says that checksums take numbers big-endian.
const MAGIC: u32 = 0x377f_0682;
/// What the WAL's index says of its version (`WALINDEX_MAX_VERSION`).
const INDEX_VERSION: u32 = 3_007_000;
/// Bytes of one copy of the index's header, of which there are two.
const INDEX_HEADER_BYTES: usize = 48;
/// Bytes of the index that are of interest: both headers, and how much was copied into the file.
pub(crate) const INDEX_BYTES: usize = 2 * INDEX_HEADER_BYTES + 4;

/// What `SQLite` would drop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WalDamage {
    /// What is wrong, a clause.
    pub(crate) detail: String,
    /// Committed transactions behind the damage that can still be counted; those cut off cannot.
    pub(crate) commits: u64,
}

/// The index's header as far as it can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Index {
    /// Frames committed.
    frames: u64,
    salts: [u8; 8],
    /// Frames that were copied into the file. Not covered by the checksum.
    copied: u64,
}

/// Looks through a WAL. `index` is the beginning of the file `-shm`, if it is there: [`INDEX_BYTES`] of it. Reads to
/// the end, holding one frame.
pub(crate) fn inspect(wal: &mut impl Read, index: Option<&[u8]>) -> io::Result<Option<WalDamage>> {
    let mut header = [0; HEADER_BYTES];
    let shape = if fill(wal, &mut header)? == HEADER_BYTES {
        Shape::of(&header)
    } else {
        None
    };
    let Some(shape) = shape else {
        return without_a_header(wal, &header, index);
    };
    let walked = Walked::over(wal, &shape)?;
    let salts = &header[16..24];
    // Of two copies that differ the older one: a process can be killed between writing them.
    let committed = indexes(index)
        .filter(|index| index.salts == salts)
        .map(|index| index.frames)
        .min();
    Ok(match committed {
        Some(committed) if committed > walked.committed => Some(walked.damage(Some(committed))),
        Some(committed) if committed == walked.committed => None,
        // No index, or one from before a loss of power: the frames alone tell.
        _ if walked.commits_behind > 0 => Some(walked.damage(None)),
        _ => None,
    })
}

/// What the WAL's header says about its frames.
struct Shape {
    big_endian: bool,
    page_bytes: usize,
    salts: [u8; 8],
    sum: [u32; 2],
}

impl Shape {
    /// `None` if the header is damaged.
    fn of(header: &[u8; HEADER_BYTES]) -> Option<Self> {
        let big_endian = word(header, 0) & 1 == 1;
        let sum = checksum(big_endian, &header[..24], [0, 0]);
        let whole = word(header, 0) & !1 == MAGIC && sum == [word(header, 24), word(header, 28)];
        Some(Self {
            big_endian,
            page_bytes: page_bytes(header).filter(|_| whole)?,
            salts: header[16..24].try_into().expect("eight bytes"),
            sum,
        })
    }
}

/// The page size in a WAL's header, if it is one.
fn page_bytes(header: &[u8; HEADER_BYTES]) -> Option<usize> {
    let bytes = word(header, 8);
    (bytes.is_power_of_two() && (512..=65_536).contains(&bytes)).then_some(bytes as usize)
}

/// What a walk over all frames has met.
#[derive(Default)]
struct Walked {
    /// Frames up to the last commit that `SQLite` would read.
    committed: u64,
    /// The first frame that is not right, counted from 1.
    broken: Option<u64>,
    /// Frames behind it that end a transaction of this WAL.
    commits_behind: u64,
    /// Whole frames in the file.
    frames: u64,
}

impl Walked {
    fn over(wal: &mut impl Read, shape: &Shape) -> io::Result<Self> {
        let mut frame = vec![0; FRAME_HEADER_BYTES + shape.page_bytes];
        let mut walked = Self::default();
        let mut sum = shape.sum;
        while fill(wal, &mut frame)? == frame.len() {
            walked.frames += 1;
            let (page, commit) = (word(&frame, 0), word(&frame, 4));
            let ours = page != 0 && frame[8..16] == shape.salts;
            if walked.broken.is_some() {
                walked.commits_behind += u64::from(ours && commit != 0);
                continue;
            }
            sum = checksum(shape.big_endian, &frame[..8], sum);
            sum = checksum(shape.big_endian, &frame[FRAME_HEADER_BYTES..], sum);
            if !ours || sum != [word(&frame, 16), word(&frame, 20)] {
                walked.broken = Some(walked.frames);
            } else if commit != 0 {
                walked.committed = walked.frames;
            }
        }
        Ok(walked)
    }

    /// `committed` frames are known to have been there.
    fn damage(&self, committed: Option<u64>) -> WalDamage {
        let detail = match (self.broken, committed) {
            (Some(broken), Some(committed)) => {
                format!("frame {broken} of {committed} committed ones is not what was written")
            }
            (Some(broken), None) => format!(
                "frame {broken} of {} is not what was written, but commits follow it",
                self.frames
            ),
            (None, committed) => format!(
                "it was cut off: it had {} committed frames and has {}",
                committed.unwrap_or_default(),
                self.committed
            ),
        };
        WalDamage {
            detail,
            commits: self.commits_behind,
        }
    }
}

/// Behind a header that is damaged or not there `SQLite` reads nothing. Anything but zeros behind it may have been
/// committed; if there is nothing, only the index knows of what was.
fn without_a_header(
    wal: &mut impl Read,
    header: &[u8; HEADER_BYTES],
    index: Option<&[u8]>,
) -> io::Result<Option<WalDamage>> {
    let page_bytes = page_bytes(header).unwrap_or(PAGE_BYTES as usize);
    let mut frame = vec![0; FRAME_HEADER_BYTES + page_bytes];
    let mut salts = None;
    let (mut written, mut commits) = (false, 0);
    loop {
        let length = fill(wal, &mut frame)?;
        written |= frame[..length].iter().any(|byte| *byte != 0);
        if length < frame.len() {
            break;
        }
        // The first frame is of the newest transactions; older ones behind them have other salts.
        let salts = salts.get_or_insert_with(|| frame[8..16].to_vec());
        let ours = word(&frame, 0) != 0 && frame[8..16] == *salts;
        commits += u64::from(ours && word(&frame, 4) != 0);
    }
    if written {
        return Ok(Some(WalDamage {
            detail: "its header is damaged".into(),
            commits,
        }));
    }
    let lost = indexes(index).find(|index| index.frames > index.copied);
    Ok(lost.map(|index| WalDamage {
        detail: format!(
            "it is empty, but {} committed frames were in it",
            index.frames
        ),
        commits: 0,
    }))
}

/// The copies of the index's header that are whole.
fn indexes(bytes: Option<&[u8]>) -> impl Iterator<Item = Index> {
    let bytes = bytes.filter(|bytes| bytes.len() >= INDEX_BYTES);
    [0, INDEX_HEADER_BYTES].into_iter().filter_map(move |at| {
        let bytes = bytes?;
        let header = &bytes[at..at + INDEX_HEADER_BYTES];
        // The index is never moved between machines: its numbers are as this processor has them.
        let number =
            |at: usize| u32::from_ne_bytes(header[at..at + 4].try_into().expect("four bytes"));
        let sum = checksum(cfg!(target_endian = "big"), &header[..40], [0, 0]);
        let copied = bytes[2 * INDEX_HEADER_BYTES..INDEX_BYTES]
            .try_into()
            .expect("four bytes");
        let whole =
            number(0) == INDEX_VERSION && header[12] != 0 && sum == [number(40), number(44)];
        whole.then(|| Index {
            frames: number(16).into(),
            salts: header[32..40].try_into().expect("eight bytes"),
            copied: u32::from_ne_bytes(copied).into(),
        })
    })
}

/// `SQLite`'s running checksum; `bytes` is a multiple of eight long.
fn checksum(big_endian: bool, bytes: &[u8], [mut one, mut two]: [u32; 2]) -> [u32; 2] {
    for pair in bytes.chunks_exact(8) {
        let (left, right) = pair.split_at(4);
        let number = |bytes: &[u8]| {
            let bytes = bytes.try_into().expect("four bytes");
            if big_endian {
                u32::from_be_bytes(bytes)
            } else {
                u32::from_le_bytes(bytes)
            }
        };
        one = one.wrapping_add(number(left)).wrapping_add(two);
        two = two.wrapping_add(number(right)).wrapping_add(one);
    }
    [one, two]
}

/// The big-endian word at a place.
pub(super) fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

#[cfg(test)]
mod tests;
