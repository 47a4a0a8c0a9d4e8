//! The growing edge of an RFC 6962 Merkle tree: what is needed to append leaves and to know the root.
//!
//! Hashing and proofs are `tlog_tiles`'s; this module only keeps the peaks, the roots of the complete subtrees
//! that the tree consists of, largest first. Memory: at most 64 hashes.

use tlog_tiles::{Hash, node_hash};

use crate::ids::Digest;

/// Leaves in a complete subtree of stored level 1; level `n` holds this to the power of `n`.
pub(crate) const SUBTREE_WIDTH: u64 = 256;

/// The peaks of a tree of `size` leaves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edge {
    size: u64,
    /// One per bit set in `size`, most significant first.
    peaks: Vec<Hash>,
}

/// A complete subtree that a leaf just finished: stored so that proofs need not read every leaf below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subtree {
    /// 1 for [`SUBTREE_WIDTH`] leaves, 2 for its square, and so on.
    pub level: u32,
    /// Which of its level, from the left.
    pub position: u64,
    /// Its root.
    pub hash: Digest,
}

impl Edge {
    /// Leaves so far.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// Appends one leaf hash; returns the stored subtrees that it completes, lowest level first.
    pub(crate) fn push(&mut self, leaf: Digest) -> Vec<Subtree> {
        self.push_complete(0, leaf)
    }

    /// Appends a complete subtree of `SUBTREE_WIDTH.pow(level)` leaves; the size must be a multiple of that.
    pub(crate) fn push_complete(&mut self, level: u32, root: Digest) -> Vec<Subtree> {
        let bits = level * SUBTREE_WIDTH.trailing_zeros();
        assert!(
            self.size.trailing_zeros() >= bits,
            "subtrees are appended left to right"
        );
        let mut hash = Hash(*root.as_bytes());
        let mut completed = Vec::new();
        let mut height = bits;
        while self.size >> height & 1 == 1 {
            let left = self.peaks.pop().expect("one peak per bit set in the size");
            hash = node_hash(left, hash);
            height += 1;
            if height.is_multiple_of(SUBTREE_WIDTH.trailing_zeros()) {
                completed.push(Subtree {
                    level: height / SUBTREE_WIDTH.trailing_zeros(),
                    position: self.size >> height,
                    hash: Digest::new(hash.0),
                });
            }
        }
        self.peaks.push(hash);
        self.size += 1 << bits;
        completed
    }

    /// The root: SHA-256 of nothing for the empty tree.
    pub(crate) fn root(&self) -> Digest {
        let mut peaks = self.peaks.iter().rev().copied();
        match peaks.next() {
            None => Digest::EMPTY,
            Some(last) => Digest::new(peaks.fold(last, |right, left| node_hash(left, right)).0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tlog_tiles::{HashReader, record_hash, stored_hashes, tree_hash};

    struct Stored(Vec<Hash>);

    impl HashReader for Stored {
        fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
            Ok(indexes
                .iter()
                .map(|&i| self.0[usize::try_from(i).expect("small")])
                .collect())
        }
    }

    #[test]
    fn the_root_is_what_tlog_tiles_computes_at_every_size() {
        let mut edge = Edge::default();
        let mut stored = Stored(Vec::new());
        assert_eq!(edge.root(), Digest::EMPTY);
        for n in 0_u64..600 {
            let leaf = n.to_be_bytes();
            let new = stored_hashes(n, &leaf, &stored).expect("appends");
            stored.0.extend(new);
            edge.push(Digest::new(record_hash(&leaf).0));
            assert_eq!(
                edge.root().as_bytes(),
                &tree_hash(n + 1, &stored).expect("reads").0
            );
        }
    }

    #[test]
    fn an_edge_rebuilt_from_subtrees_is_the_same_edge() {
        let leaves: Vec<Digest> = (0_u64..700).map(|n| Digest::of(&n.to_be_bytes())).collect();
        let mut whole = Edge::default();
        let subtrees: Vec<Subtree> = leaves.iter().flat_map(|leaf| whole.push(*leaf)).collect();
        assert_eq!(subtrees.len(), 2);
        let mut rebuilt = Edge::default();
        for subtree in &subtrees {
            rebuilt.push_complete(subtree.level, subtree.hash);
        }
        for leaf in &leaves[512..] {
            rebuilt.push(*leaf);
        }
        assert_eq!(rebuilt.root(), whole.root());
        assert_eq!(rebuilt.size(), 700);
    }
}
