//! Where bytes come from: an asset's checked pieces, cut so that no character unit is cut in two.

use std::ops::Range;

use compactvault_vault::{AssetReader, ReadError};

/// Something that can be read from anywhere.
pub(crate) trait Bytes {
    /// How many there are.
    fn size(&self) -> u64;
    /// Those of a range, in pieces of at most a MiB.
    fn pieces(
        &self,
        range: Range<u64>,
    ) -> Box<dyn Iterator<Item = Result<Vec<u8>, ReadError>> + '_>;
}

impl Bytes for AssetReader {
    fn size(&self) -> u64 {
        Self::size(self)
    }

    fn pieces(
        &self,
        range: Range<u64>,
    ) -> Box<dyn Iterator<Item = Result<Vec<u8>, ReadError>> + '_> {
        Box::new(self.range(range).map(|piece| piece.map(Vec::from)))
    }
}

/// Pieces that begin and end at units of so many bytes; only the last may be cut.
pub(super) struct Aligned<'a> {
    pieces: Box<dyn Iterator<Item = Result<Vec<u8>, ReadError>> + 'a>,
    unit: usize,
    carry: Vec<u8>,
}

impl<'a> Aligned<'a> {
    /// From `at` to the end.
    pub(super) fn from(bytes: &'a dyn Bytes, at: u64, unit: usize) -> Self {
        Self {
            pieces: bytes.pieces(at..bytes.size()),
            unit,
            carry: Vec::new(),
        }
    }
}

impl Iterator for Aligned<'_> {
    type Item = Result<Vec<u8>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(piece) = self.pieces.next() else {
                return (!self.carry.is_empty()).then(|| Ok(std::mem::take(&mut self.carry)));
            };
            let mut piece = match piece {
                Ok(piece) => piece,
                Err(error) => return Some(Err(error)),
            };
            if !self.carry.is_empty() {
                let mut joined = std::mem::take(&mut self.carry);
                joined.append(&mut piece);
                piece = joined;
            }
            let whole = piece.len() - piece.len() % self.unit;
            self.carry = piece.split_off(whole);
            if !piece.is_empty() {
                return Some(Ok(piece));
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Bytes in memory, in pieces of one size.
    pub(in crate::content) struct Memory {
        pub(in crate::content) bytes: Vec<u8>,
        pub(in crate::content) piece_bytes: usize,
        /// Bytes handed out so far.
        pub(in crate::content) read: std::cell::Cell<u64>,
    }

    impl Memory {
        pub(in crate::content) fn new(bytes: impl Into<Vec<u8>>, piece_bytes: usize) -> Self {
            Self {
                bytes: bytes.into(),
                piece_bytes,
                read: std::cell::Cell::new(0),
            }
        }
    }

    impl Bytes for Memory {
        fn size(&self) -> u64 {
            self.bytes.len() as u64
        }

        fn pieces(
            &self,
            range: Range<u64>,
        ) -> Box<dyn Iterator<Item = Result<Vec<u8>, ReadError>> + '_> {
            let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
            Box::new(self.bytes[range].chunks(self.piece_bytes).map(|piece| {
                self.read.set(self.read.get() + piece.len() as u64);
                Ok(piece.to_vec())
            }))
        }
    }

    #[test]
    fn units_are_never_cut() {
        let memory = Memory::new([1, 2, 3, 4, 5, 6, 7], 3);
        let pieces: Vec<_> = Aligned::from(&memory, 0, 2).map(Result::unwrap).collect();
        assert_eq!(pieces, [vec![1, 2], vec![3, 4, 5, 6], vec![7]]);
    }
}
