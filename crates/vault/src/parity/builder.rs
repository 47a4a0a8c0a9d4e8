//! Gathering the bytes of a stripe, and writing or mending it.

use std::ops::Range;

use super::capsule::{self, Gathered};
use super::descriptor::{CHUNK_RECORD, Descriptor, Object, Place};
use super::plan::{self, Extent};
use super::running::{Finished, Running};
use super::{SHARD, code};
use crate::ids::{Digest, VaultId};
use crate::model::Parity;

/// Memory that is kept from one stripe to the next.
const KEPT_BYTES: usize = 40 * 1024 * 1024;

/// Parity shards that a stripe of known size may turn out to have more.
const SHARED_EXTRA: usize = 8;

/// A chunk row, as a pack's head holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkRecord {
    pub(crate) sha256: Digest,
    pub(crate) offset: u32,
    pub(crate) size: u32,
}

/// A pack as a stripe sees it.
pub(crate) struct PackObject<'a> {
    pub(crate) id: u64,
    pub(crate) codec: u32,
    pub(crate) raw_size: u64,
    pub(crate) sha256: Digest,
    pub(crate) data: &'a [u8],
    pub(crate) first_chunk: u64,
    pub(crate) chunks: &'a [ChunkRecord],
}

impl ChunkRecord {
    /// As it is among the small bytes.
    pub(crate) fn encode(&self) -> [u8; CHUNK_RECORD] {
        let mut record = [0; CHUNK_RECORD];
        record[..32].copy_from_slice(self.sha256.as_bytes());
        record[32..36].copy_from_slice(&self.offset.to_be_bytes());
        record[36..].copy_from_slice(&self.size.to_be_bytes());
        record
    }
}

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

/// The bytes of a stripe while they gather, in the order in which they are sealed.
#[derive(Default)]
pub(crate) struct Builder {
    objects: Vec<Object>,
    /// Aligned shards, each padded with zeros, but for those that `running` has taken.
    aligned: Vec<u8>,
    /// Has taken the first of them if `ahead`: see [`Builder::compute_ahead`].
    running: Option<Running>,
    ahead: bool,
    /// Everything else, unpadded: entries, chunk records, and what lies in the leaf page of a blob.
    entries: Vec<u8>,
    chunks: Vec<u8>,
    leaves: Vec<u8>,
}

impl Builder {
    /// Adds an entry by the encoding of its columns.
    pub(crate) fn entry(&mut self, seq: u64, columns: &[u8]) {
        let length = u32::try_from(columns.len()).expect("entries are below 64 KiB");
        self.entries.extend_from_slice(columns);
        if let Some(Object::Entries { first, lengths }) = self.objects.last_mut()
            && *first + lengths.len() as u64 == seq
        {
            lengths.push(length);
            return;
        }
        self.objects.push(Object::Entries {
            first: seq,
            lengths: vec![length],
        });
    }

    /// Adds a manifest.
    pub(crate) fn manifest(&mut self, id: u64, records: &[u8]) {
        let object = Object::Manifest {
            id,
            length: records.len(),
        };
        self.blob(object, records);
    }

    /// Adds a pack and its chunk rows.
    pub(crate) fn pack(&mut self, pack: &PackObject<'_>) {
        for chunk in pack.chunks {
            self.chunks.extend_from_slice(&chunk.encode());
        }
        self.leaves.extend_from_slice(pack.sha256.as_bytes());
        let object = Object::Pack {
            id: pack.id,
            codec: pack.codec,
            raw_size: pack.raw_size,
            length: pack.data.len(),
            first_chunk: pack.first_chunk,
            chunks: pack.chunks.len(),
        };
        self.blob(object, pack.data);
    }

    fn blob(&mut self, object: Object, bytes: &[u8]) {
        let split = object.split();
        let (local, mut overflow) = bytes.split_at(split.local);
        self.leaves.extend_from_slice(local);
        for length in split.blocks() {
            let (block, rest) = overflow.split_at(length);
            overflow = rest;
            self.aligned.extend_from_slice(block);
            self.aligned
                .resize(self.aligned.len().next_multiple_of(SHARD), 0);
        }
        self.objects.push(object);
        if let Some(running) = self.running.as_mut().filter(|_| self.ahead)
            && (running.has_begun() || self.aligned.len() >= running.worthwhile() * SHARD)
        {
            running.take_blocks(&mut self.aligned);
        }
    }

    /// Begins with the parity of what has gathered, once there is so much that the stripe's number of parity shards is known
    /// to a power of two. From then on the bytes are not held any more. For stripes of up to what a bulk import makes.
    pub(crate) fn compute_ahead(&mut self, parity: Parity) {
        if self.ahead {
            return;
        }
        let block = plan::parity_block(parity);
        let surely = plan::parity_shards(parity, self.extent(), false, 0);
        if surely.next_power_of_two() == block {
            let running = self.running.get_or_insert_with(|| Running::new(block));
            running.take_blocks(&mut self.aligned);
            self.ahead = true;
        } else if surely > block / 8 {
            // It is becoming a long one: all it takes at once, rather than twice as much again and again.
            let begun_with = block * 32 / parity.per_32() / 2 + block;
            let bytes = begun_with * SHARD;
            self.aligned
                .reserve_exact(bytes.saturating_sub(self.aligned.len()));
        }
    }

    /// One that will have about `shards` data shards, of which none is held longer than its parity takes.
    pub(crate) fn of_known_size(
        parity: Parity,
        shards: usize,
        settled: bool,
        vault_shards: usize,
    ) -> Self {
        let extent = Extent {
            aligned: shards,
            shared: 0,
        };
        let about = plan::parity_shards(parity, extent, settled, vault_shards);
        // Small bytes weigh more than others; rather too much room than too little.
        let block = (about + about / 16 + SHARED_EXTRA).next_power_of_two();
        // There is little to hold otherwise. Small bytes that fill a shard of each stripe fill fewer together, so that it
        // may still turn out to be short, and then nothing was begun.
        let is_long = shards >= 4 * block;
        let running = is_long.then(|| Running::new(block));
        let held = running.as_ref().map_or(0, Running::worthwhile) * SHARD;
        Self {
            running,
            ahead: is_long,
            // And the end of a pack; rather than twice as much again and again.
            aligned: Vec::with_capacity(held * 5 / 4),
            ..Self::default()
        }
    }

    /// Forgets what has gathered, and keeps the memory for what comes if that is no more than a bulk import needs.
    pub(crate) fn clear(&mut self) {
        self.objects.clear();
        for bytes in [
            &mut self.aligned,
            &mut self.entries,
            &mut self.chunks,
            &mut self.leaves,
        ] {
            bytes.clear();
            bytes.shrink_to(KEPT_BYTES);
        }
        self.ahead = false;
        if let Some(running) = &mut self.running {
            running.reset();
            running.lend_larger(&mut self.aligned);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Data shards so far.
    pub(crate) fn extent(&self) -> Extent {
        Extent {
            aligned: self.aligned_shards(),
            shared: self.small_bytes().div_ceil(SHARD),
        }
    }

    fn aligned_shards(&self) -> usize {
        let taken = self.running.as_ref().map_or(0, Running::taken);
        taken + self.aligned.len() / SHARD
    }

    fn small_bytes(&self) -> usize {
        self.entries.len() + self.chunks.len() + self.leaves.len()
    }

    /// What has gathered so far, to compare what comes next: see [`Builder::agrees`].
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            aligned: self.aligned_shards(),
            entries: self.entries.len(),
            chunks: self.chunks.len(),
            leaves: self.leaves.len(),
        }
    }

    /// Whether what was added since `mark` is, byte for byte, what `descriptor` describes.
    pub(crate) fn agrees(&mut self, mark: &Mark, descriptor: &Descriptor) -> bool {
        let taken = self.running.as_ref().map_or(0, Running::taken);
        let mut found = match &mut self.running {
            Some(running) => running.checksums_from(mark.aligned).to_vec(),
            None => Vec::new(),
        };
        let held_from = mark.aligned.saturating_sub(taken) * SHARD;
        found.extend(code::checksums(&self.aligned[held_from..]));
        let mut small = [
            &self.entries[mark.entries..],
            &self.chunks[mark.chunks..],
            &self.leaves[mark.leaves..],
        ]
        .concat();
        small.resize(small.len().next_multiple_of(SHARD), 0);
        found.extend(code::checksums(&small));
        // The first run of entries may continue one of an earlier stripe, so objects are not compared.
        descriptor.checksums.get(..found.len()) == Some(&found[..])
            && found.len() == descriptor.data_shards()
    }

    /// Writes the stripe: its capsules, and the descriptor they carry. One that `replaces` others is tried out: it is
    /// known to heal before they go.
    pub(crate) fn finish(
        &mut self,
        vault: VaultId,
        stripe: u64,
        parity: Parity,
        settled: bool,
        vault_shards: usize,
        replaces: bool,
    ) -> Result<Stripe, reed_solomon_simd::Error> {
        let extent = self.extent();
        let recovery = plan::parity_shards(parity, extent, settled, vault_shards);
        // What was begun with decides, where a stripe has become longer or shorter than it was thought to.
        let begun = self.running.as_ref().filter(|running| running.has_begun());
        let recovery = begun.map_or(recovery, |running| running.nearest(recovery));
        let gap = plan::gap(parity, extent.aligned + extent.shared, vault_shards);
        self.aligned.reserve_exact(self.small_bytes() + SHARD);
        self.aligned.append(&mut self.entries);
        self.aligned.append(&mut self.chunks);
        self.aligned.append(&mut self.leaves);
        self.aligned
            .resize(self.aligned.len().next_multiple_of(SHARD), 0);
        let data = &self.aligned;
        let Finished {
            parity: mut coded,
            mut checksums,
            samples,
        } = match &mut self.running {
            Some(running) if running.has_begun() => running.finish(data, recovery),
            _ => Finished {
                parity: code::encode(data, recovery, SHARD)?,
                checksums: code::checksums(data),
                samples: code::samples(data, SHARD),
            },
        };
        if replaces {
            code::try_out(&samples, &coded, SHARD)?;
        }
        let tails = capsule::cut_tails(&mut coded);
        checksums.extend(code::checksums(&coded));
        let descriptor = Descriptor {
            objects: std::mem::take(&mut self.objects),
            checksums,
            tails,
        };
        let capsules = capsule::write(vault, stripe, settled.then_some(gap), &descriptor, &coded)?;
        Ok(Stripe {
            descriptor,
            capsules,
        })
    }
}

/// See [`Builder::mark`].
pub(crate) struct Mark {
    /// Shards; the others are bytes.
    aligned: usize,
    entries: usize,
    chunks: usize,
    leaves: usize,
}

/// A stripe as it is written.
pub(crate) struct Stripe {
    pub(crate) descriptor: Descriptor,
    /// With the ids of their rows.
    pub(crate) capsules: Vec<(i64, Vec<u8>)>,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parity::capsule::Capsule;

    fn noise(seed: u64, length: usize) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[4]
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn a_stripe_is_restored_from_its_capsules_and_what_is_left_of_its_objects() {
        let packs: Vec<Vec<u8>> = (0..12)
            .zip(0..)
            .map(|(n, times)| noise(n, 1_000 + 61_234 * times))
            .collect();
        let records = noise(99, 36 * 2_000);
        let mut builder = Builder::default();
        let chunk = |bytes: &[u8]| ChunkRecord {
            sha256: Digest::of(bytes),
            offset: 0,
            size: 7,
        };
        for (id, data) in packs.iter().enumerate() {
            builder.pack(&PackObject {
                id: id as u64 + 1,
                codec: 0,
                raw_size: data.len() as u64,
                sha256: Digest::of(data),
                data,
                first_chunk: id as u64 + 1,
                chunks: &[chunk(data)],
            });
            builder.entry(id as u64, &noise(id as u64, 190));
        }
        builder.manifest(5, &records);
        let vault = VaultId::new([7; 16]);
        let stripe = builder
            .finish(vault, 3, Parity::Percent6, true, 0, true)
            .expect("it encodes");
        let mut gathered = Gathered::default();
        for (row, (_, bytes)) in stripe.capsules.iter().enumerate() {
            // Three of four descriptor pieces may be missing here, and one of six parity shards.
            if row % 6 != 1 {
                gathered.add(&Capsule::parse(bytes).expect("it is whole"));
            }
            let mut damaged = bytes.clone();
            damaged[HEADER_BYTE] ^= 1;
            assert!(Capsule::parse(&damaged).is_none());
        }
        let descriptor = gathered.descriptor().expect("enough pieces are there");
        assert_eq!(descriptor, stripe.descriptor);
        let mut mending = Mending::new(descriptor);
        for object in 0..mending.descriptor().objects.len() {
            match mending.descriptor().objects[object].clone() {
                Object::Pack { id, .. } if id != 2 => {
                    let data = packs[usize::try_from(id).expect("small") - 1].clone();
                    let mut head = chunk(&data).encode().to_vec();
                    head.extend_from_slice(Digest::of(&data).as_bytes());
                    mending.put_small(object, 0, &head);
                    mending.put_blob(object, &data);
                }
                Object::Manifest { .. } => mending.put_blob(object, &records),
                Object::Entries { first, .. } => {
                    mending.put_small(object, 0, &noise(first, 190));
                }
                Object::Pack { .. } => {}
            }
        }
        let lost = mending.check();
        assert!(lost > 5, "{lost}");
        assert!(mending.restore(&gathered));
        let object = 2;
        assert!(matches!(
            mending.descriptor().objects[object],
            Object::Pack { id: 2, .. }
        ));
        assert!(mending.blob(object) == packs[1]);
        let (sha256, chunks) = parse_head(&mending.head(object)).expect("it has a head");
        assert_eq!(
            (sha256, chunks),
            (Digest::of(&packs[1]), vec![chunk(&packs[1])])
        );
    }

    const HEADER_BYTE: usize = 33;
}
