//! The packer: deduplicates a batch's chunks, sorts them into packs and encodes these on all cores, while
//! the committer writes what was packed before.

use std::cmp::Reverse;
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rayon::prelude::*;

use super::batch::{Batch, Chunk, Entry, EntryKind, Manifest};
use crate::codec::{self, Codec};
use crate::error::IngestError;
use crate::ids::Digest;
use crate::limits::{ALONE_BYTES_MIN, PACK_BYTES_MAX, PACK_BYTES_TARGET};
use crate::parity::cut::{LEAF_BYTES, Split};
use crate::store::write::{EncodedPack, KnownChunks, Transaction, Writer};

/// Chunks that are packed and not committed yet, those that the vault has, and what happened meanwhile.
pub(super) struct Flight(Mutex<InFlight>);

struct InFlight {
    chunks: HashSet<Digest>,
    /// `chunks` holds all that the vault has, too: nobody else writes to it.
    complete: bool,
    known: KnownChunks,
    since: Since,
}

/// Chunks of a vault up to which all of them are held in memory for an import that writes alone: about 50 MB.
const HELD_MAX: usize = 1 << 20;

/// Bytes of a batch below which one core encodes all of it: waking others would take longer.
const SHARED_BYTES_MIN: usize = 64 * 1024;

/// Counts of what makes a plan doubtful.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Since {
    /// Commits that failed: what was packed meanwhile may rely on chunks that were to come with them.
    failures: u64,
    /// Commits before which somebody else had written: their chunks may be among those packed.
    others: u64,
}

impl Flight {
    pub(super) fn new(known: KnownChunks) -> Self {
        Self(Mutex::new(InFlight {
            chunks: HashSet::new(),
            complete: false,
            known,
            since: Since::default(),
        }))
    }

    /// Has `writer` write alone, if it can be; the packer then needs no connection of its own to know what is there.
    pub(super) fn be_alone(&self, writer: &mut Writer) -> Result<(), IngestError> {
        let mut flight = self.lock();
        // It would be somebody else. The packer opens it again if it is still needed.
        flight.known.close();
        if let Some(digests) = writer.be_alone(HELD_MAX / 2)? {
            flight.chunks.extend(digests);
            flight.complete = true;
        }
        Ok(())
    }

    /// Whether an import that writes alone should go on with others let in: it has met too many chunks to hold them, or
    /// somebody else wrote all the same.
    pub(super) fn wants_company(&self) -> bool {
        let flight = self.lock();
        !flight.complete || flight.chunks.len() > HELD_MAX
    }

    fn lock(&self) -> MutexGuard<'_, InFlight> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A commit failed: nothing is on its way any more, and what is packed already is doubtful.
    pub(super) fn fail(&self) {
        let mut flight = self.lock();
        flight.chunks.clear();
        flight.complete = false;
        flight.since.failures += 1;
    }

    /// Somebody else wrote to the vault.
    pub(super) fn others_wrote(&self) {
        let mut flight = self.lock();
        flight.since.others += 1;
        flight.complete = false;
    }
}

/// A batch that only needs to be written.
pub(super) struct Packed {
    pub(super) entries: Vec<Entry>,
    /// Of assets with chunks here that are sealed by a later batch, to be told of a failure.
    pub(super) manifests: Vec<Arc<Manifest>>,
    packs: Vec<EncodedPack>,
    /// Chunks that an asset of this batch refers to.
    referenced: HashSet<Digest>,
    /// Chunks that are sealed already were left out.
    deduplicated: bool,
    since: Since,
}

pub(super) struct Packer {
    flight: Arc<Flight>,
    /// What is left of the last leaf page, if nobody else writes.
    leaf_room: usize,
    /// At the batch before; none before the first.
    since: Option<Since>,
}

impl Packer {
    pub(super) fn new(flight: Arc<Flight>) -> Self {
        Self {
            flight,
            leaf_room: 0,
            since: None,
        }
    }

    /// Packs a batch; if that fails, all of it is answered, and `None`.
    pub(super) fn pack(&mut self, batch: Batch) -> Option<Packed> {
        let (chunks, entries) = batch.into_parts();
        let complete = complete_here(&entries);
        let manifests = going_on(&chunks, &complete);
        let referenced = referenced_here(&chunks, &complete);
        let since = self.flight.lock().since;
        match self.try_pack(chunks, since) {
            Ok((packs, deduplicated)) => Some(Packed {
                entries,
                manifests,
                packs,
                referenced,
                deduplicated,
                since,
            }),
            Err(error) => {
                refuse(&entries, &manifests, &error);
                None
            }
        }
    }

    fn try_pack(
        &mut self,
        chunks: Vec<Chunk>,
        since: Since,
    ) -> Result<(Vec<EncodedPack>, bool), IngestError> {
        let failed = self
            .since
            .is_none_or(|before| before.failures != since.failures);
        self.since = Some(since);
        let deduplicated = {
            let mut flight = self.flight.lock();
            // After a failure nothing held in memory is trusted: see `Writer::reopen`.
            if !flight.complete && (failed || !flight.known.is_open()) {
                flight.known.reopen()?;
            }
            flight.complete || flight.known.is_open()
        };
        let mut claimed = Vec::new();
        let packs = self.plan(chunks, &mut claimed).and_then(encode_all);
        if packs.is_err() {
            let mut flight = self.flight.lock();
            for digest in &claimed {
                flight.chunks.remove(digest);
            }
        }
        let packs = fill_leaves(packs?, &mut self.leaf_room);
        Ok((packs, deduplicated))
    }

    /// Sorts the chunks that the vault does not have into packs: what looks incompressible apart from the rest,
    /// and alone where it is large, so that its pack's digest is its own.
    fn plan(
        &self,
        chunks: Vec<Chunk>,
        claimed: &mut Vec<Digest>,
    ) -> Result<Vec<Pack>, IngestError> {
        let mut packs: Vec<Pack> = Vec::new();
        // Open packs: [stored, compressed]; and which of those that are full was last.
        let mut open: [Option<Pack>; 2] = [None, None];
        let mut full: [Option<usize>; 2] = [None, None];
        for chunk in chunks {
            let digest = chunk.digest;
            // First what is on its way, then what is there: a chunk goes from the one to the other.
            {
                let mut flight = self.flight.lock();
                if !flight.chunks.insert(digest) {
                    continue;
                }
                claimed.push(digest);
                if flight.known.has(&digest)?.unwrap_or(false) {
                    flight.chunks.remove(&digest);
                    continue;
                }
            }
            let compress = !codec::looks_incompressible(&chunk.bytes);
            let bytes = chunk.bytes.len();
            if !compress && bytes >= ALONE_BYTES_MIN {
                packs.push(Pack {
                    chunks: vec![(digest, chunk.bytes)],
                    bytes,
                    compress,
                });
                continue;
            }
            let slot = &mut open[usize::from(compress)];
            let pack = slot.get_or_insert_with(|| Pack {
                chunks: Vec::new(),
                bytes: 0,
                compress,
            });
            pack.chunks.push((digest, chunk.bytes));
            pack.bytes += bytes;
            if pack.bytes >= PACK_BYTES_TARGET {
                full[usize::from(compress)] = Some(packs.len());
                packs.extend(slot.take());
            }
        }
        for (pack, full) in open.into_iter().zip(full) {
            let Some(pack) = pack else { continue };
            // What is left over compresses badly on its own.
            match full.map(|at| &mut packs[at]) {
                Some(full) if full.bytes + pack.bytes <= PACK_BYTES_MAX => {
                    full.bytes += pack.bytes;
                    full.chunks.extend(pack.chunks);
                }
                _ => packs.push(pack),
            }
        }
        Ok(packs)
    }
}

impl Packed {
    /// Bytes of its chunks before they were encoded.
    pub(super) fn raw_bytes(&self) -> u64 {
        self.packs.iter().map(|pack| pack.raw_size).sum()
    }

    /// Bytes that will be stored.
    pub(super) fn bytes(&self) -> u64 {
        self.packs.iter().map(|pack| pack.data.len() as u64).sum()
    }

    /// Whether a commit failed since this was planned.
    pub(super) fn is_doubtful(&self, flight: &Flight) -> bool {
        flight.lock().since.failures != self.since.failures
    }

    /// Whether derived data is to be made again before this is written.
    pub(super) fn asks_for_rebuild(&self) -> bool {
        let mut entries = self.entries.iter();
        entries.any(|entry| matches!(entry.kind, EntryKind::Rebuild))
    }

    /// Writes the packs; gives the digests of their chunks, which are on their way until the commit.
    pub(super) fn add_to(
        &mut self,
        transaction: &mut Transaction<'_>,
        flight: &Flight,
        landing: &mut Vec<Digest>,
    ) -> Result<(), IngestError> {
        let doubtful = !self.deduplicated || flight.lock().since.others != self.since.others;
        for pack in std::mem::take(&mut self.packs) {
            landing.extend(pack.chunks.iter().map(|(digest, _)| *digest));
            // Chunks that another process sealed since this batch was planned.
            let mut known = HashSet::new();
            if doubtful {
                for (digest, _) in &pack.chunks {
                    if transaction.has_chunk(digest)? {
                        known.insert(*digest);
                    }
                }
            }
            if known.len() < pack.chunks.len() {
                transaction.add_pack(
                    &pack,
                    |digest| known.contains(digest),
                    |digest| !self.referenced.contains(digest),
                )?;
            }
        }
        Ok(())
    }
}

impl Flight {
    /// These chunks are sealed; `alone` as it was with that commit.
    pub(super) fn landed(&self, chunks: &[Digest], alone: bool) {
        let mut flight = self.lock();
        flight.complete &= alone;
        if flight.complete {
            return;
        }
        for digest in chunks {
            flight.chunks.remove(digest);
        }
    }
}

/// Answers a batch of which nothing is sealed.
pub(super) fn refuse(entries: &[Entry], manifests: &[Arc<Manifest>], error: &IngestError) {
    for manifest in manifests {
        manifest.fail(error);
    }
    for entry in entries {
        entry.owed.answer(Err(error.clone()));
    }
}

/// The assets that `entries` seal, by their manifests.
fn complete_here(entries: &[Entry]) -> HashSet<*const Manifest> {
    entries
        .iter()
        .filter_map(|entry| match &entry.kind {
            EntryKind::Asset { content, .. } => Some(Arc::as_ptr(&content.manifest)),
            _ => None,
        })
        .collect()
}

/// Manifests of the assets that have chunks here and go on in a later batch.
fn going_on(chunks: &[Chunk], complete: &HashSet<*const Manifest>) -> Vec<Arc<Manifest>> {
    let mut manifests: Vec<Arc<Manifest>> = Vec::new();
    for chunk in chunks {
        let is_last = |last: &Arc<Manifest>| Arc::ptr_eq(last, &chunk.manifest);
        if !complete.contains(&Arc::as_ptr(&chunk.manifest))
            && !manifests.last().is_some_and(is_last)
        {
            manifests.push(Arc::clone(&chunk.manifest));
        }
    }
    manifests
}

/// Chunks of this batch that an asset sealed by this batch refers to.
fn referenced_here(chunks: &[Chunk], complete: &HashSet<*const Manifest>) -> HashSet<Digest> {
    chunks
        .iter()
        .filter(|chunk| complete.contains(&Arc::as_ptr(&chunk.manifest)))
        .map(|chunk| chunk.digest)
        .collect()
}

/// Packs among which the next is chosen by its length. So few that what was read together stays together: a disk that
/// turns reads them with one movement.
const CHOICE: usize = 8;

/// Puts packs in an order in which they waste little. `SQLite` keeps the end of a row in a leaf page, however long that is
/// up to a page, and fills these one after the other with rows in their order.
fn fill_leaves(packs: Vec<EncodedPack>, room: &mut usize) -> Vec<EncodedPack> {
    let mut waiting = VecDeque::from(packs);
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let choice = waiting.iter().take(CHOICE).map(leaf_bytes).enumerate();
        let longest = |most: usize| {
            let fitting = choice.clone().filter(|(_, bytes)| *bytes <= most);
            fitting.min_by_key(|(_, bytes)| Reverse(*bytes))
        };
        let (next, bytes) = longest(*room).unwrap_or_else(|| {
            *room = LEAF_BYTES;
            longest(usize::MAX).expect("something waits")
        });
        *room = room.saturating_sub(bytes);
        ordered.extend(waiting.remove(next));
    }
    ordered
}

fn leaf_bytes(pack: &EncodedPack) -> usize {
    Split::pack_cell(pack.codec.number(), pack.raw_size, pack.data.len())
}

/// Chunks that will be encoded together.
struct Pack {
    chunks: Vec<(Digest, Bytes)>,
    bytes: usize,
    compress: bool,
}

/// On all cores, if there is enough for them.
fn encode_all(packs: Vec<Pack>) -> Result<Vec<EncodedPack>, IngestError> {
    let bytes: usize = packs.iter().map(|pack| pack.bytes).sum();
    if packs.len() == 1 || bytes < SHARED_BYTES_MIN {
        packs.into_iter().map(encode).collect()
    } else {
        packs.into_par_iter().map(encode).collect()
    }
}

fn encode(mut pack: Pack) -> Result<EncodedPack, IngestError> {
    let chunks: Vec<(Digest, u32)> = pack
        .chunks
        .iter()
        .map(|(digest, bytes)| {
            (
                *digest,
                u32::try_from(bytes.len()).expect("chunks are at most 1 MiB"),
            )
        })
        .collect();
    let raw_size = pack.bytes as u64;
    if pack.compress {
        let pieces = pack.chunks.iter().map(|(_, bytes)| &bytes[..]);
        let frame = codec::compress(pieces).map_err(|_| IngestError::EncodeMismatch)?;
        if let Some(data) = frame {
            return Ok(EncodedPack {
                codec: Codec::Zstd,
                raw_size,
                sha256: Digest::of(&data),
                data: data.into(),
                chunks,
            });
        }
    }
    // A pack of one stored chunk has that chunk's digest; hashing it twice would be for nothing.
    let (sha256, data) = if let [(digest, bytes)] = &mut pack.chunks[..] {
        (*digest, std::mem::take(bytes))
    } else {
        let pieces: Vec<&[u8]> = pack.chunks.iter().map(|(_, bytes)| &bytes[..]).collect();
        let data = pieces.concat();
        (Digest::of(&data), data.into())
    };
    Ok(EncodedPack {
        codec: Codec::Stored,
        raw_size,
        sha256,
        data,
        chunks,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::write::Writer;

    /// A batch with one chunk of an asset that goes on.
    fn batch(bytes: &[u8]) -> Batch {
        let mut batch = Batch::default();
        batch.push_chunk(Chunk {
            bytes: Bytes::copy_from_slice(bytes),
            digest: Digest::of(bytes),
            manifest: Arc::default(),
        });
        batch
    }

    /// Leaf pages that packs take in this order.
    fn leaves(packs: &[EncodedPack]) -> usize {
        let (mut pages, mut room) = (0, 0);
        for bytes in packs.iter().map(leaf_bytes) {
            if bytes > room {
                (pages, room) = (pages + 1, LEAF_BYTES);
            }
            room = room.saturating_sub(bytes);
        }
        pages
    }

    #[test]
    fn packs_are_ordered_to_fill_leaf_pages_and_stay_near_their_place() {
        let packs = || -> Vec<EncodedPack> {
            (0_u32..200)
                .map(|n| EncodedPack {
                    codec: Codec::Stored,
                    raw_size: u64::from(n),
                    sha256: Digest::of(&n.to_be_bytes()),
                    data: vec![0; 200_000 + (n as usize * 7_919) % 60_000].into(),
                    chunks: Vec::new(),
                })
                .collect()
        };
        let mut room = 0;
        let ordered = fill_leaves(packs(), &mut room);
        let (before, after) = (leaves(&packs()), leaves(&ordered));
        let needed = ordered.iter().map(leaf_bytes).sum::<usize>() / LEAF_BYTES;
        assert!(after * 10 < before * 9, "{before} pages became {after}");
        assert!(after * 10 < needed * 12, "{after} where {needed} would do");
        let mut numbers: Vec<u64> = ordered.iter().map(|pack| pack.raw_size).collect();
        for (place, number) in (0..).zip(&numbers) {
            assert!(*number < place + CHOICE as u64, "{number} came at {place}");
        }
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..200), "each is there once");
    }

    #[test]
    fn what_is_left_over_goes_with_the_pack_before_it_if_there_is_room() {
        const MIB: usize = 1024 * 1024;
        let (_home, writer) = Writer::of_new_vault();
        let packer = Packer::new(Arc::new(Flight::new(writer.known_chunks())));
        let planned = |sizes: &[usize]| -> Vec<(usize, usize)> {
            let chunk = |(size, n): (&usize, u8)| {
                let bytes = Bytes::from([vec![n; 1], vec![b'a'; size - 1]].concat());
                Chunk {
                    digest: Digest::of(&bytes),
                    bytes,
                    manifest: Arc::default(),
                }
            };
            let chunks = sizes.iter().zip(0..).map(chunk).collect();
            let packs = packer.plan(chunks, &mut Vec::new()).expect("it plans");
            packer.flight.fail();
            let told = packs.iter().map(|pack| (pack.chunks.len(), pack.bytes));
            told.collect()
        };
        assert_eq!(planned(&[MIB, MIB, 1000]), [(3, 2 * MIB + 1000)]);
        assert_eq!(planned(&[MIB, MIB, MIB]), [(3, PACK_BYTES_MAX)]);
        assert_eq!(
            planned(&[MIB, MIB, MIB, 1]),
            [(2, 2 * MIB), (2, MIB + 1)],
            "it would be too long"
        );
        assert_eq!(planned(&[1000]), [(1, 1000)]);
    }

    #[test]
    fn what_relies_on_chunks_of_a_failed_commit_is_doubtful_and_packed_again_after_it() {
        let (_home, mut writer) = Writer::of_new_vault();
        let flight = Arc::new(Flight::new(writer.known_chunks()));
        let mut packer = Packer::new(Arc::clone(&flight));
        let mut pack = |bytes: &[u8]| packer.pack(batch(bytes)).expect("it can be packed");

        let first = pack(b"once");
        let relying = pack(b"once");
        assert_eq!((first.packs.len(), relying.packs.len()), (1, 0));
        flight.fail();
        assert!(first.is_doubtful(&flight) && relying.is_doubtful(&flight));
        let mut again = pack(b"once");
        assert!(!again.is_doubtful(&flight));
        assert_eq!(
            again.packs.len(),
            1,
            "nothing of the failed commit is there"
        );

        let mut landing = Vec::new();
        let mut transaction = writer.begin().expect("nobody else writes");
        again
            .add_to(&mut transaction, &flight, &mut landing)
            .expect("it can be added");
        transaction.commit().expect("it can be committed");
        assert_eq!(landing, [Digest::of(b"once")]);
        assert_eq!(pack(b"once").packs.len(), 0, "it is on its way");
        flight.landed(&landing, false);
        assert_eq!(pack(b"once").packs.len(), 0, "it is sealed");
    }
}
