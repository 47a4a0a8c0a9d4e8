//! WALs made by hand, with small pages: every kind that an interrupted process may leave, and every kind of damage.

#![expect(
    clippy::cast_possible_truncation,
    reason = "the numbers of these tests are small"
)]

use super::*;

const PAGE: usize = 512;
const FRAME: usize = FRAME_HEADER_BYTES + PAGE;
const SALTS: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

/// A WAL that grows as `SQLite` would write it.
struct Wal {
    bytes: Vec<u8>,
    big_endian: bool,
    sum: [u32; 2],
    salts: [u8; 8],
}

impl Wal {
    fn new(big_endian: bool, salts: [u8; 8]) -> Self {
        let mut bytes = Vec::new();
        let numbers = [MAGIC | u32::from(big_endian), INDEX_VERSION, PAGE as u32, 7];
        bytes.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
        bytes.extend(salts);
        let sum = checksum(big_endian, &bytes, [0, 0]);
        bytes.extend(sum.iter().flat_map(|number| number.to_be_bytes()));
        Self {
            bytes,
            big_endian,
            sum,
            salts,
        }
    }

    fn frame(&mut self, page: u32, commit: u32) {
        let mut frame = [page.to_be_bytes(), commit.to_be_bytes()].concat();
        let content: Vec<u8> = (0..PAGE)
            .map(|at| (at as u32 * 7 + page + commit) as u8)
            .collect();
        self.sum = checksum(self.big_endian, &frame, self.sum);
        self.sum = checksum(self.big_endian, &content, self.sum);
        frame.extend(self.salts);
        frame.extend(self.sum.iter().flat_map(|number| number.to_be_bytes()));
        frame.extend(content);
        self.bytes.extend(frame);
    }

    /// So many transactions of three frames each.
    fn with(transactions: u32) -> Self {
        let mut wal = Self::new(false, SALTS);
        for n in 0..transactions {
            wal.frame(1, 0);
            wal.frame(n + 2, 0);
            wal.frame(n + 3, n + 3);
        }
        wal
    }
}

/// The head of an index that knows of so many frames.
fn index(frames: u32, copied: u32, salts: [u8; 8]) -> Vec<u8> {
    let mut header = vec![0; INDEX_HEADER_BYTES];
    header[..4].copy_from_slice(&INDEX_VERSION.to_ne_bytes());
    header[12] = 1;
    header[16..20].copy_from_slice(&frames.to_ne_bytes());
    header[32..40].copy_from_slice(&salts);
    let [one, two] = checksum(cfg!(target_endian = "big"), &header[..40], [0, 0]);
    header[40..44].copy_from_slice(&one.to_ne_bytes());
    header[44..].copy_from_slice(&two.to_ne_bytes());
    [header.clone(), header, copied.to_ne_bytes().to_vec()].concat()
}

fn look(bytes: &[u8], index: Option<&[u8]>) -> Option<WalDamage> {
    inspect(&mut &*bytes, index).expect("memory can be read")
}

#[test]
fn what_was_written_whole_is_whole() {
    for big_endian in [false, true] {
        let mut wal = Wal::new(big_endian, SALTS);
        assert_eq!(look(&wal.bytes, None), None, "a header alone");
        for n in 1..5 {
            wal.frame(n, n);
            assert_eq!(look(&wal.bytes, None), None, "{n} commits");
            assert_eq!(look(&wal.bytes, Some(&index(n, 0, SALTS))), None);
        }
    }
    for length in [0, 1, 31] {
        assert_eq!(
            look(&Wal::with(1).bytes[..length], None),
            None,
            "{length} bytes"
        );
    }
}

#[test]
fn an_unfinished_last_transaction_is_no_damage() {
    let mut wal = Wal::with(3);
    let committed = wal.bytes.len();
    wal.frame(1, 0);
    wal.frame(9, 0);
    wal.frame(10, 10);
    let index = index(9, 0, SALTS);
    for end in committed..=wal.bytes.len() {
        assert_eq!(look(&wal.bytes[..end], None), None, "{end} bytes");
        assert_eq!(look(&wal.bytes[..end], Some(&index)), None, "{end} bytes");
    }
    // Half written over something older, too: also the commit's own frame.
    for torn in committed..wal.bytes.len() {
        let mut bytes = wal.bytes[..torn].to_vec();
        bytes.resize(wal.bytes.len(), 0xa5);
        assert_eq!(look(&bytes, None), None, "{torn} bytes written");
        assert_eq!(look(&bytes, Some(&index)), None, "{torn} bytes written");
    }
}

#[test]
fn pages_written_over_within_an_unfinished_transaction_are_no_damage() {
    let mut wal = Wal::with(2);
    let start = wal.bytes.len();
    for _ in 0..4 {
        wal.frame(1, 0);
    }
    wal.frame(3, 3);
    // The first page of it was written over, so what came later has no salts yet.
    wal.bytes[start + FRAME_HEADER_BYTES] ^= 0xff;
    for frame in 2..5 {
        wal.bytes[start + frame * FRAME + 8..start + frame * FRAME + 24].fill(0);
    }
    assert_eq!(look(&wal.bytes, None), None);
    assert_eq!(look(&wal.bytes, Some(&index(6, 0, SALTS))), None);
}

#[test]
fn older_frames_behind_newer_ones_are_no_damage() {
    let older = Wal::with(6);
    let mut newer = Wal::new(false, [9; 8]);
    assert_eq!(
        look(
            &[&newer.bytes[..], &older.bytes[HEADER_BYTES..]].concat(),
            None
        ),
        None,
        "a new header and nothing behind it yet"
    );
    for n in 1..4 {
        newer.frame(n, n);
        let mut bytes = older.bytes.clone();
        bytes[..newer.bytes.len()].copy_from_slice(&newer.bytes);
        assert_eq!(look(&bytes, None), None);
        assert_eq!(look(&bytes, Some(&index(n, 0, [9; 8]))), None);
        // An index of before the reset says nothing.
        assert_eq!(look(&bytes, Some(&index(18, 18, SALTS))), None);
    }
}

#[test]
fn any_flipped_bit_before_the_last_commit_is_damage() {
    let wal = Wal::with(3);
    let whole = index(9, 0, SALTS);
    for at in 0..wal.bytes.len() {
        let mut bytes = wal.bytes.clone();
        bytes[at] ^= 1 << (at % 8);
        let damage = look(&bytes, Some(&whole));
        let header = at < HEADER_BYTES;
        let frame = at.saturating_sub(HEADER_BYTES) / FRAME;
        assert!(damage.is_some(), "byte {at} with an index");
        let damage = look(&bytes, None);
        if header || frame < 8 {
            let damage = damage.unwrap_or_else(|| panic!("byte {at} without an index"));
            // A commit frame that is itself broken cannot be told from another; of a damaged header all are counted,
            // where its page size is still known.
            if !header {
                let behind = 3 - (frame as u64 + 1) / 3;
                assert_eq!(damage.commits, behind, "byte {at}: {}", damage.detail);
            } else if !(8..12).contains(&at) {
                assert_eq!(damage.commits, 3, "byte {at}: {}", damage.detail);
            }
        }
    }
}

#[test]
fn a_wal_that_was_cut_off_is_told_by_its_index() {
    let wal = Wal::with(4);
    let whole = index(12, 0, SALTS);
    for end in 0..wal.bytes.len() {
        assert!(
            look(&wal.bytes[..end], Some(&whole)).is_some(),
            "{end} bytes"
        );
    }
    // What is empty and was copied whole loses nothing.
    assert_eq!(look(&[], Some(&index(12, 12, SALTS))), None);
}

#[test]
fn an_index_that_is_damaged_or_of_another_wal_says_nothing() {
    let wal = Wal::with(2);
    assert_eq!(look(&wal.bytes, Some(&index(9, 0, [7; 8]))), None);
    for at in 0..INDEX_HEADER_BYTES {
        let mut index = index(9, 0, SALTS);
        for copy in [0, INDEX_HEADER_BYTES] {
            index[copy + at] ^= 0x20;
        }
        // That it was begun is a number of which any but zero will do, and part of the checksum all the same.
        assert_eq!(look(&wal.bytes, Some(&index)), None, "byte {at}");
    }
    assert_eq!(look(&wal.bytes, Some(&index(9, 0, SALTS)[..50])), None);
    // Of two copies that differ the older one counts: its process was killed between them.
    let mut two = index(9, 0, SALTS);
    two[..INDEX_HEADER_BYTES].copy_from_slice(&index(6, 0, SALTS)[..INDEX_HEADER_BYTES]);
    assert_eq!(look(&wal.bytes, Some(&two)), None);
}

#[test]
fn a_header_that_makes_no_sense_is_damage_if_anything_lies_behind_it() {
    let mut wal = Wal::with(2);
    wal.bytes[8..12].copy_from_slice(&1000_u32.to_be_bytes());
    let sum = checksum(false, &wal.bytes[..24], [0, 0]);
    for (at, number) in [24, 28].into_iter().zip(sum) {
        wal.bytes[at..at + 4].copy_from_slice(&number.to_be_bytes());
    }
    wal.bytes.resize(
        HEADER_BYTES + 2 * (FRAME_HEADER_BYTES + PAGE_BYTES as usize),
        1,
    );
    assert!(look(&wal.bytes, None).is_some(), "an odd page size");
    let zeros = vec![0; HEADER_BYTES + 3 * (FRAME_HEADER_BYTES + PAGE_BYTES as usize)];
    assert_eq!(look(&zeros, None), None, "a file that was only made longer");
}
