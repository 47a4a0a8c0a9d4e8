//! The frames of a WAL: which of them `SQLite` would believe, and which it would pass over.
//!
//! Format: sqlite.org/fileformat2.html, section 4. `SQLite` stops at the first frame whose checksum is wrong and
//! forgets everything after it, also what was committed; here those frames are kept as loose pages.

use std::collections::HashMap;
use std::fs::File;
use std::io;

use crate::store::journal::Hot;

use super::image::{BadBlocks, PAGE, read_or_zeros};

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
const FRAME: usize = FRAME_HEADER + PAGE;
/// The lowest bit says whether checksums take words as big-endian.
const MAGIC: u32 = 0x377f_0682;

/// What a WAL holds. Memory: some 32 bytes a frame.
#[derive(Default)]
pub(super) struct Frames {
    /// Pages of the last valid commit and where in the WAL their bytes lie.
    pub(super) pages: HashMap<u32, u64>,
    /// All other frames, in the order of the file.
    pub(super) loose: Vec<(u32, u64)>,
    /// Pages in frames behind the last valid commit, each in its last version.
    pub(super) lost: HashMap<u32, u64>,
    /// Pages of the vault after the last valid commit; 0 if there is none.
    pub(super) committed_pages: u32,
}

impl Frames {
    /// The pages of a rollback journal, as they were before the transaction that it would undo.
    pub(super) fn of_journal(hot: Hot) -> Self {
        let pages: HashMap<u32, u64> = hot.pages.into_iter().collect();
        Self {
            committed_pages: hot.pages_before,
            pages,
            ..Self::default()
        }
    }

    /// Nothing was found.
    pub(super) fn is_empty(&self) -> bool {
        self.pages.is_empty() && self.loose.is_empty()
    }

    /// Reads the WAL once from its beginning to its end.
    pub(super) fn read(file: &File, bad: &BadBlocks) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let mut header = [0; HEADER];
        read_or_zeros(file, 0, &mut header, bad)?;
        let mut chain = Chain::start(&header);
        let mut frames = Self::default();
        // Frames since the last commit: they count when a commit frame follows.
        let mut pending = Vec::new();
        let mut frame = vec![0; FRAME];
        let mut at = HEADER as u64;
        // The last frame may be cut off: what is there of its page may hold rows.
        while at + (FRAME_HEADER as u64) < length {
            read_or_zeros(file, at, &mut frame, bad)?;
            let number = word(&frame, 0);
            let committed_pages = word(&frame, 4);
            let content = at + FRAME_HEADER as u64;
            at += FRAME as u64;
            if number != 0 && chain.as_mut().is_some_and(|chain| chain.accepts(&frame)) {
                pending.push((number, content));
                if committed_pages != 0 {
                    frames.committed_pages = committed_pages;
                    for (number, content) in pending.drain(..) {
                        if let Some(older) = frames.pages.insert(number, content) {
                            frames.loose.push((number, older));
                        }
                    }
                }
            } else {
                chain = None;
                pending.push((number, content));
            }
        }
        frames.lost.extend(pending.iter().copied());
        frames.loose.append(&mut pending);
        frames.loose.sort_unstable_by_key(|&(_, content)| content);
        Ok(frames)
    }
}

/// The running checksum: each frame's covers all frames before it.
struct Chain {
    big_endian: bool,
    salts: [u8; 8],
    sum: (u32, u32),
}

impl Chain {
    fn start(header: &[u8; HEADER]) -> Option<Self> {
        let magic = word(header, 0);
        let mut chain = Self {
            big_endian: magic & 1 == 1,
            salts: header[16..24].try_into().expect("eight bytes"),
            sum: (0, 0),
        };
        chain.add(&header[..24]);
        let valid = magic & !1 == MAGIC
            && word(header, 8) as usize == PAGE
            && chain.sum == (word(header, 24), word(header, 28));
        valid.then_some(chain)
    }

    fn accepts(&mut self, frame: &[u8]) -> bool {
        if frame[8..16] != self.salts {
            return false;
        }
        self.add(&frame[..8]);
        self.add(&frame[FRAME_HEADER..]);
        self.sum == (word(frame, 16), word(frame, 20))
    }

    fn add(&mut self, bytes: &[u8]) {
        let (mut a, mut b) = self.sum;
        for pair in bytes.chunks_exact(8) {
            let word = |at: usize| {
                let bytes = pair[at..at + 4].try_into().expect("four bytes");
                if self.big_endian {
                    u32::from_be_bytes(bytes)
                } else {
                    u32::from_le_bytes(bytes)
                }
            };
            a = a.wrapping_add(word(0)).wrapping_add(b);
            b = b.wrapping_add(word(4)).wrapping_add(a);
        }
        self.sum = (a, b);
    }
}

/// A big-endian word; all of a WAL's headers are.
fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}
