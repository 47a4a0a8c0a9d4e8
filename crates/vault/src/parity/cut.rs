//! Where `SQLite` puts the bytes of a long value: sqlite.org/fileformat2.html, 1.6 "B-tree Pages" and 2.1 "Record
//! Format". The cuts follow from lengths alone, so they need not be stored; a vault with another page size would
//! lose the alignment, never the bytes.

use super::SHARD;
use crate::store::PAGE_BYTES;

const PAGE: usize = PAGE_BYTES as usize;
/// Content bytes of an overflow page: all but the number of the next one.
pub(crate) const OVERFLOW_BYTES: usize = PAGE - 4;

/// What a leaf page has for its rows.
pub(crate) const LEAF_BYTES: usize = PAGE - 8;

/// How many of a record's `payload` bytes lie in the leaf page.
pub(crate) const fn local_bytes(payload: usize) -> usize {
    if payload <= LOCAL_MAX {
        return payload;
    }
    let fitting = LOCAL_MIN + (payload - LOCAL_MIN) % OVERFLOW_BYTES;
    if fitting <= LOCAL_MAX {
        fitting
    } else {
        LOCAL_MIN
    }
}

/// The shortest part in the leaf page that a record with overflow pages can have, and the longest.
pub(crate) const LOCAL_MIN: usize = (PAGE - 12) * 32 / 255 - 23;
pub(crate) const LOCAL_MAX: usize = PAGE - 35;
/// How long it is made where no more than two records are to lie in a leaf page, and how many then do. Behind the page's
/// 8 bytes each takes 2 for its pointer, and up to 16 for its two lengths, as long as they are, and the number of its
/// first overflow page: no length is given at which two would fit or not by those.
pub(crate) const fn local_of_two(local: usize) -> (usize, usize) {
    const NEVER_THREE: usize = (PAGE - 8) / 3;
    const ALWAYS_TWO: usize = (PAGE - 8) / 2 - 18;
    const NEVER_TWO: usize = PAGE / 2;
    if local < NEVER_THREE {
        (NEVER_THREE, 2)
    } else if local <= ALWAYS_TWO {
        (local, 2)
    } else if local < NEVER_TWO {
        (NEVER_TWO, 1)
    } else {
        (local, 1)
    }
}

/// Bytes of a variable-length integer.
pub(crate) const fn varint_bytes(value: u64) -> usize {
    let bits = 64 - value.leading_zeros() as usize;
    match bits {
        0 => 1,
        57.. => 9,
        _ => bits.div_ceil(7),
    }
}

/// Bytes of an integer in a record's body.
const fn integer_bytes(value: u64) -> usize {
    match value {
        0 | 1 => 0,
        2..=0x7f => 1,
        0x80..=0x7fff => 2,
        0x8000..=0x7f_ffff => 3,
        0x80_0000..=0x7fff_ffff => 4,
        _ => 6,
    }
}

/// Bytes of a record before a blob of `length` bytes: serial types and body.
const fn prefix_bytes(header_columns: usize, body: usize, length: usize) -> usize {
    1 + header_columns + varint_bytes(length as u64 * 2 + 12) + body
}

/// Bytes of a row of `pack` before its blob.
const fn pack_body_bytes(codec: u32, raw_size: u64) -> usize {
    integer_bytes(codec as u64) + integer_bytes(raw_size) + 32
}

/// How a blob at the end of a record lies: bytes in the leaf page, bytes in overflow pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Split {
    pub(crate) local: usize,
    pub(crate) overflow: usize,
}

impl Split {
    /// For a record of `header_columns` bytes of serial types and `body` bytes before a blob of `length` bytes.
    const fn of(header_columns: usize, body: usize, length: usize) -> Self {
        let prefix = prefix_bytes(header_columns, body, length);
        let local = local_bytes(prefix + length);
        let local = local.saturating_sub(prefix);
        let local = if local < length { local } else { length };
        Self {
            local,
            overflow: length - local,
        }
    }

    /// `pack.data`.
    pub(crate) const fn pack(codec: u32, raw_size: u64, length: usize) -> Self {
        Self::of(4, pack_body_bytes(codec, raw_size), length)
    }

    /// What a row of `pack` takes of its leaf page: some bytes more than it is, since its number is not known yet.
    pub(crate) const fn pack_cell(codec: u32, raw_size: u64, length: usize) -> usize {
        const POINTER_AND_NUMBERS: usize = 2 + 3 + 5 + 4;
        let prefix = prefix_bytes(4, pack_body_bytes(codec, raw_size), length);
        POINTER_AND_NUMBERS + prefix + Self::pack(codec, raw_size, length).local
    }

    /// `manifest.records`.
    pub(crate) const fn manifest(length: usize) -> Self {
        Self::of(2, 32, length)
    }

    /// `derived_parity.data`.
    #[cfg(test)]
    pub(crate) const fn capsule(length: usize) -> Self {
        Self::of(1, 0, length)
    }

    /// Lengths of the pieces of the overflow part, one a block of the file.
    pub(crate) fn blocks(self) -> impl Iterator<Item = usize> {
        let mut left = self.overflow;
        let mut block = 0;
        std::iter::from_fn(move || {
            // The first block of an overflow page begins with the next one's number.
            let room = if block == 0 { SHARD - 4 } else { SHARD };
            block = (block + 1) % (PAGE / SHARD);
            let taken = left.min(room);
            left -= taken;
            (taken > 0).then_some(taken)
        })
    }

    /// How many of them there are.
    pub(crate) const fn block_count(self) -> usize {
        let pages = self.overflow / OVERFLOW_BYTES;
        let rest = self.overflow % OVERFLOW_BYTES;
        let last = if rest == 0 {
            0
        } else {
            (rest + 4).div_ceil(SHARD)
        };
        pages * (PAGE / SHARD) + last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_add_up_and_are_as_many_as_counted() {
        for overflow in [0, 1, 4091, 4092, 4093, 16_379, 16_380, 16_381, 1 << 20] {
            let split = Split { local: 0, overflow };
            assert_eq!(split.blocks().sum::<usize>(), overflow);
            assert_eq!(split.blocks().count(), split.block_count(), "{overflow}");
        }
    }

    #[test]
    fn varints_are_as_long_as_sqlite_makes_them() {
        for (value, bytes) in [
            (0, 1),
            (127, 1),
            (128, 2),
            (16_383, 2),
            (16_384, 3),
            (u64::MAX, 9),
        ] {
            assert_eq!(varint_bytes(value), bytes, "{value}");
        }
    }
}
