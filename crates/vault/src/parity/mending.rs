//! Putting a stripe's data shards together from what is found of them, and mending what is missing.

use std::ops::Range;

use super::builder::ChunkRecord;
use super::capsule::Gathered;
use super::descriptor::{CHUNK_RECORD, Descriptor, Place};
use super::{SHARD, code};
use crate::ids::Digest;

/// A pack's head taken apart again.
pub(crate) fn parse_head(head: &[u8]) -> Option<(Digest, Vec<ChunkRecord>)> {
    let (records, sha256) = head.split_last_chunk::<32>()?;
    let sha256 = Digest::try_from(&sha256[..]).ok()?;
    let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().expect("four bytes"));
    let chunks = records
        .chunks_exact(CHUNK_RECORD)
        .map(|record| ChunkRecord {
            sha256: Digest::try_from(&record[..32]).expect("32 bytes"),
            offset: number(&record[32..36]),
            size: number(&record[36..40]),
        })
        .collect();
    Some((sha256, chunks))
}

/// The data shards of a stripe as they are found, to be mended.
pub(crate) struct Mending {
    descriptor: Descriptor,
    places: Vec<Place>,
    data: Vec<u8>,
    /// Where the small bytes begin in `data`.
    small_at: usize,
    /// Bytes that were found, to tell shards that are whole from those of which a part is missing: as sorted,
    /// disjoint ranges of small bytes.
    good: Vec<bool>,
}

impl Mending {
    pub(crate) fn new(descriptor: Descriptor) -> Self {
        let extent = descriptor.extent();
        let places = descriptor.places();
        let shards = extent.aligned + extent.shared;
        Self {
            places,
            data: vec![0; shards * SHARD],
            small_at: extent.aligned * SHARD,
            good: vec![false; shards],
            descriptor,
        }
    }

    pub(crate) fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Puts in what was found of an object's small bytes, from `offset` within them: its rows, then what is in its
    /// blob's leaf page.
    pub(crate) fn put_small(&mut self, object: usize, offset: usize, bytes: &[u8]) {
        let mut offset = offset;
        let mut bytes = bytes;
        for place in self.small_places(object) {
            let room = place.len().saturating_sub(offset);
            let (here, rest) = bytes.split_at(room.min(bytes.len()));
            if !here.is_empty() {
                self.data[place.start + offset..][..here.len()].copy_from_slice(here);
            }
            offset = offset.saturating_sub(place.len());
            bytes = rest;
        }
    }

    /// Where an object's small bytes lie in the data: those of rows, and those in a leaf page.
    fn small_places(&self, object: usize) -> [Range<usize>; 2] {
        let place = &self.places[object];
        [&place.records, &place.leaf]
            .map(|range| self.small_at + range.start..self.small_at + range.end)
    }

    /// Puts in what was found of a blob: the part in the leaf page is small, the rest aligned.
    pub(crate) fn put_blob(&mut self, object: usize, bytes: &[u8]) {
        let described = &self.descriptor.objects[object];
        let split = described.split();
        let head = described.small_bytes() - split.local;
        let local = split.local.min(bytes.len());
        let mut rest = &bytes[local..];
        let shards = self.places[object].aligned.clone();
        self.put_small(object, head, &bytes[..local]);
        for (shard, length) in shards.zip(split.blocks()) {
            if rest.len() < length {
                break;
            }
            let (block, after) = rest.split_at(length);
            rest = after;
            self.data[shard * SHARD..][..length].copy_from_slice(block);
        }
    }

    /// Puts a block in place of an aligned shard if it is the one that belongs there.
    pub(crate) fn put_block(&mut self, shard: usize, block: &[u8]) -> bool {
        let mut padded = [0; SHARD];
        padded[..block.len()].copy_from_slice(block);
        let fits = code::checksum(&padded) == self.descriptor.checksums[shard];
        if fits {
            self.data[shard * SHARD..][..SHARD].copy_from_slice(&padded);
        }
        fits
    }

    /// Whether a shard is whole as it stands.
    pub(crate) fn fits(&self, shard: usize) -> bool {
        code::checksum(&self.data[shard * SHARD..][..SHARD]) == self.descriptor.checksums[shard]
    }

    /// Whether [`Mending::check`] found all bytes of an object to be whole.
    pub(crate) fn object_is_good(&self, object: usize) -> bool {
        let mut shards = self.places[object].aligned.clone();
        let [records, leaf] = self.small_places(object);
        self.are_good(records) && self.are_good(leaf) && shards.all(|shard| self.good[shard])
    }

    /// Whether [`Mending::check`] found an entry to be whole: some bytes of a run.
    pub(crate) fn entry_is_good(&self, run: usize, offset: usize, length: usize) -> bool {
        let [records, _] = self.small_places(run);
        self.are_good(records.start + offset..records.start + offset + length)
    }

    fn are_good(&self, bytes: Range<usize>) -> bool {
        let mut shards = bytes.start / SHARD..bytes.end.div_ceil(SHARD);
        bytes.is_empty() || shards.all(|shard| self.good[shard])
    }

    /// Compares every shard with its checksum; gives how many differ.
    pub(crate) fn check(&mut self) -> usize {
        let found = code::checksums(&self.data);
        for ((good, found), expected) in self
            .good
            .iter_mut()
            .zip(found)
            .zip(&self.descriptor.checksums)
        {
            *good = found == *expected;
        }
        self.good.iter().filter(|good| !**good).count()
    }

    /// Where an object's blocks are among the shards.
    pub(crate) fn aligned(&self, object: usize) -> Range<usize> {
        self.places[object].aligned.clone()
    }

    /// Restores what differs from the parity at hand; `false` if that is too little. Call [`Mending::check`] before.
    pub(crate) fn restore(&mut self, gathered: &Gathered) -> bool {
        let Some(header) = gathered.header() else {
            return false;
        };
        let parity = gathered.good_parity(&self.descriptor);
        let parity: Vec<_> = parity.iter().map(|(n, bytes)| (*n, &**bytes)).collect();
        let missing = self.good.iter().filter(|good| !**good).count();
        if parity.len() < missing {
            return false;
        }
        let recovery = header.parity_shards as usize;
        let restored = code::restore(&mut self.data, &self.good, &parity, recovery, SHARD).is_ok();
        restored && self.check() == 0
    }

    /// The bytes of a run of entries; those of bad shards are not what was sealed, here as in what follows.
    pub(crate) fn entries(&self, run: usize) -> &[u8] {
        let [records, _] = self.small_places(run);
        &self.data[records]
    }

    /// A blob put together again.
    pub(crate) fn blob(&self, object: usize) -> Vec<u8> {
        let split = self.descriptor.objects[object].split();
        let [_, leaf] = self.small_places(object);
        let mut blob = self.data[leaf.end - split.local..leaf.end].to_vec();
        blob.reserve_exact(split.overflow);
        let shards = self.places[object].aligned.clone();
        for (shard, length) in shards.zip(split.blocks()) {
            blob.extend_from_slice(&self.data[shard * SHARD..][..length]);
        }
        blob
    }

    /// A pack's head: its chunk records and its digest.
    pub(crate) fn head(&self, object: usize) -> Vec<u8> {
        let split = self.descriptor.objects[object].split();
        let [records, leaf] = self.small_places(object);
        [
            &self.data[records],
            &self.data[leaf.start..leaf.end - split.local],
        ]
        .concat()
    }
}
