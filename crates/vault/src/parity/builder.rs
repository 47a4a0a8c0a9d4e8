//! Gathering the bytes of a stripe, and writing it.

use super::capsule;
use super::descriptor::{CHUNK_RECORD, Descriptor, Object};
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
            && (running.has_begun()
                || self.aligned.len() >= Running::worthwhile(running.block()) * SHARD)
        {
            running.take_blocks(&mut self.aligned);
        }
    }

    /// Begins with the parity of what has gathered, once there is so much that the stripe's number of parity shards is known
    /// to a power of two. From then on the bytes are not held any more. With `at_once` it begins much earlier, as for a
    /// stripe as long as a bulk import makes them; see [`Builder::is_cut_short`] for one that ends before.
    pub(crate) fn compute_ahead(&mut self, parity: Parity, at_once: bool) {
        if self.ahead {
            return;
        }
        let block = plan::parity_block(parity);
        let surely = plan::parity_shards(parity, self.extent(), false, 0);
        let begins_with = if at_once {
            Running::worthwhile(block)
        } else {
            block * 32 / parity.per_32() / 2 + block
        };
        let is_known = surely.next_power_of_two() == block;
        if is_known || (at_once && self.aligned.len() >= begins_with * SHARD) {
            let running = self.running.get_or_insert_with(|| Running::new(block));
            running.take_blocks(&mut self.aligned);
            self.ahead = true;
        } else if surely > block / 16 {
            // It is becoming a long one: all it takes at once, rather than twice as much again and again.
            let bytes = begins_with * SHARD * 9 / 8;
            self.aligned
                .reserve_exact(bytes.saturating_sub(self.aligned.len()));
        }
    }

    /// Whether parity was begun as for a longer stripe than this one is at its end, and would take more space than it
    /// should. Then the stripe's objects are to be gathered again, by one [`Builder::of_known_size`].
    pub(crate) fn is_cut_short(&self, parity: Parity, settled: bool) -> bool {
        let wanted = plan::parity_shards(parity, self.extent(), settled, 0);
        self.running.as_ref().is_some_and(|running| {
            running.has_begun() && wanted.next_power_of_two() < running.block()
        })
    }

    /// What has gathered, in its order.
    pub(crate) fn objects(&self) -> &[Object] {
        &self.objects
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
        let held = if is_long {
            Running::worthwhile(block) * SHARD
        } else {
            0
        };
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
        let found = self.checksums_since(mark);
        // The first run of entries may continue one of an earlier stripe, so objects are not compared.
        descriptor.checksums.get(..found.len()) == Some(&found[..])
            && found.len() == descriptor.data_shards()
    }

    /// Checksums of the data shards of what was added since `mark`, as if that were a stripe.
    pub(crate) fn checksums_since(&mut self, mark: &Mark) -> Vec<u32> {
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
        found
    }

    /// Appends everything else to the aligned shards, strung together.
    fn string_small_bytes(&mut self) {
        let small = self.small_bytes();
        let mut running = self.running.as_mut().filter(|running| running.has_begun());
        let at_once = running
            .as_ref()
            .map_or(usize::MAX, |r| r.block() * SHARD / 4);
        if running.is_none() {
            self.aligned.reserve_exact(small + SHARD);
        }
        for bytes in [&mut self.entries, &mut self.chunks, &mut self.leaves] {
            for bytes in bytes.chunks(at_once) {
                self.aligned.extend_from_slice(bytes);
                if let Some(running) = &mut running {
                    running.take_blocks(&mut self.aligned);
                }
            }
            bytes.clear();
        }
        let shards = self.aligned.len().div_ceil(SHARD);
        self.aligned.resize(shards * SHARD, 0);
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
        self.string_small_bytes();
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

/// See [`Builder::mark`]; the default is the beginning.
#[derive(Default)]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parity::capsule::{Capsule, Gathered};
    use crate::parity::mending::{Mending, parse_head};

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
