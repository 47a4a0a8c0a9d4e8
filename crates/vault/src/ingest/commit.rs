//! The committer: hashes and deduplicates a batch's chunks, packs and encodes them on all cores, and seals
//! everything in one transaction.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rayon::prelude::*;

use super::batch::{Batch, Chunk, Entry, EntryKind, Manifest};
use super::{Sealed, Ticket};
use crate::codec::{self, Codec};
use crate::error::IngestError;
use crate::ids::{Digest, Seq};
use crate::limits::{CHUNK_BYTES_MIN, DEPTH_MAX, PACK_BYTES_TARGET};
use crate::parity::plan::BULK_SHARDS;
use crate::store::write::{EncodedPack, NewAssetRow, Placement, Transaction, Writer};

/// Free space that must remain after a commit and its WAL.
const FREE_BYTES_RESERVE: u64 = 1024 * 1024;
/// Stored bytes of one transaction: what a full stripe takes, also where there is no parity.
const TRANSACTION_BYTES_MAX: u64 = 64 * 1024 * 1024;

pub(super) struct Committer {
    writer: Writer,
    /// A commit failed in a way that puts the connection in doubt; nothing is written before it is replaced.
    in_doubt: bool,
    directory: PathBuf,
}

/// Chunks that will be encoded together.
struct Pack<'b> {
    chunks: Vec<(Digest, &'b [u8])>,
    bytes: usize,
    compress: bool,
}

impl Committer {
    pub(super) fn new(writer: Writer, directory: PathBuf) -> Self {
        Self {
            writer,
            in_doubt: false,
            directory,
        }
    }

    pub(super) fn into_writer(self) -> Writer {
        self.writer
    }

    /// Seals the batch, and those that `more` gives until a transaction is full, or nothing of them; answers their tickets.
    pub(super) fn commit(&mut self, first: Batch, more: &dyn Fn() -> Option<Batch>) {
        let mut group = Group::default();
        let outcome = self
            .trusted()
            .and_then(|()| self.try_commit(first, more, &mut group));
        match outcome {
            Ok(log_size) => {
                for (ticket, placement) in group.tickets.iter().zip(group.placements) {
                    ticket.answer(placement.map(|placement| Sealed {
                        seq: placement.seq,
                        already_archived: placement.existed,
                        log_size,
                    }));
                }
                self.keep_parity(group.settle);
            }
            Err(error) => {
                self.in_doubt |= matches!(error, IngestError::Store { .. });
                tracing::warn!(code = error.code(), %error, entries = group.tickets.len(), "commit failed");
                for manifest in &group.manifests {
                    manifest.fail(&error);
                }
                for ticket in &group.tickets {
                    ticket.answer(Err(error.clone()));
                }
            }
        }
    }

    fn trusted(&mut self) -> Result<(), IngestError> {
        if self.in_doubt {
            self.writer.reopen()?;
            self.in_doubt = false;
        }
        Ok(())
    }

    /// Merges small stripes of parity while there is nothing else to do.
    pub(super) fn settle(&mut self) {
        if self.trusted().is_ok() {
            self.keep_parity(true);
        }
    }

    /// Merges stripes when there are many, or when there is nothing better to do. A failure costs space and not safety.
    fn keep_parity(&mut self, settle: bool) {
        let merged = if settle {
            self.writer
                .settle()
                .and_then(|()| Ok(self.writer.wal_checkpoint(true).map(|_| ())?))
        } else {
            self.writer.merge_crowded()
        };
        if let Err(error) = merged {
            self.in_doubt |= matches!(error, IngestError::Store { .. });
            tracing::warn!(code = error.code(), %error, "parity was left unmerged");
        }
    }

    fn try_commit(
        &mut self,
        first: Batch,
        more: &dyn Fn() -> Option<Batch>,
        group: &mut Group,
    ) -> Result<u64, IngestError> {
        // The first batch is encoded before the write lock is taken.
        let mut batch = group.take_in(first);
        let mut prepared = prepare(&batch, |digest| self.writer.has_chunk(digest))?;
        if batch
            .entries
            .iter()
            .any(|e| matches!(e.kind, EntryKind::Rebuild))
        {
            self.writer.rebuild_next();
        }
        let mut stored = 0;
        let sealed_at = now_unix_ms();
        let mut transaction = self.writer.begin()?;
        loop {
            stored += prepared.bytes();
            check_space(&self.directory, stored)?;
            prepared.add_to(&mut transaction)?;
            for entry in std::mem::take(&mut batch.entries) {
                group.settle |= matches!(entry.kind, EntryKind::Upkeep);
                match place_entry(&mut transaction, entry, sealed_at) {
                    Err(error) if fails_everything(&error) => return Err(error),
                    placement => group.placements.push(placement),
                }
            }
            // Stripes of a bulk import are made large at once, so that they need not be merged.
            let full = transaction.shards() >= BULK_SHARDS || stored >= TRANSACTION_BYTES_MAX;
            let Some(next) = (!full && !group.settle).then(more).flatten() else {
                break;
            };
            batch = group.take_in(next);
            prepared = prepare(&batch, |digest| transaction.has_chunk(digest))?;
        }
        transaction.commit()
    }
}

/// What one transaction seals, as far as its outcome is concerned.
#[derive(Default)]
struct Group {
    tickets: Vec<Ticket>,
    placements: Vec<Result<Placement, IngestError>>,
    /// Of all assets with chunks here, to be told of a failure.
    manifests: Vec<Arc<Manifest>>,
    settle: bool,
}

impl Group {
    fn take_in(&mut self, batch: Batch) -> Batch {
        let tickets = batch.entries.iter().map(|entry| entry.ticket.clone());
        self.tickets.extend(tickets);
        for chunk in &batch.chunks {
            if self
                .manifests
                .last()
                .is_none_or(|last| !Arc::ptr_eq(last, &chunk.manifest))
            {
                self.manifests.push(Arc::clone(&chunk.manifest));
            }
        }
        batch
    }
}

/// A batch's chunks, hashed, deduplicated and encoded.
struct Prepared {
    packs: Vec<EncodedPack>,
    referenced: HashSet<Digest>,
}

fn prepare<E>(
    batch: &Batch,
    has_chunk: impl Fn(&Digest) -> Result<bool, E>,
) -> Result<Prepared, IngestError>
where
    IngestError: From<E>,
{
    let digests = hash(&batch.chunks);
    for (chunk, digest) in batch.chunks.iter().zip(&digests) {
        let size = u32::try_from(chunk.bytes.len()).expect("chunks are at most 1 MiB");
        chunk.manifest.push(digest, size);
    }
    let packs = plan_packs(&batch.chunks, &digests, has_chunk)?
        .par_iter()
        .map(encode)
        .collect::<Result<_, IngestError>>()?;
    Ok(Prepared {
        packs,
        referenced: referenced_here(&batch.chunks, &digests, &batch.entries),
    })
}

impl Prepared {
    fn bytes(&self) -> u64 {
        self.packs.iter().map(|pack| pack.data.len() as u64).sum()
    }

    fn add_to(&self, transaction: &mut Transaction<'_>) -> Result<(), IngestError> {
        let known = known_by_now(transaction, &self.packs)?;
        for pack in &self.packs {
            if !pack.chunks.iter().all(|(digest, _)| known.contains(digest)) {
                transaction.add_pack(
                    pack,
                    |digest| known.contains(digest),
                    |digest| !self.referenced.contains(digest),
                )?;
            }
        }
        Ok(())
    }
}

/// Sorts the chunks that the vault does not have into packs: what looks incompressible apart from the rest,
/// and alone where it is large, so that its pack's digest is its own.
fn plan_packs<'b, E>(
    chunks: &'b [Chunk],
    digests: &[Digest],
    has_chunk: impl Fn(&Digest) -> Result<bool, E>,
) -> Result<Vec<Pack<'b>>, E> {
    let mut packs = Vec::new();
    let mut seen = HashSet::with_capacity(chunks.len());
    // Open packs: [stored, compressed].
    let mut open: [Option<Pack<'b>>; 2] = [None, None];
    for (chunk, digest) in chunks.iter().zip(digests) {
        if !seen.insert(*digest) || has_chunk(digest)? {
            continue;
        }
        let compress = !codec::looks_incompressible(&chunk.bytes);
        let bytes = chunk.bytes.as_slice();
        if !compress && bytes.len() >= CHUNK_BYTES_MIN {
            packs.push(Pack {
                chunks: vec![(*digest, bytes)],
                bytes: bytes.len(),
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
        pack.chunks.push((*digest, bytes));
        pack.bytes += bytes.len();
        if pack.bytes >= PACK_BYTES_TARGET {
            packs.extend(slot.take());
        }
    }
    packs.extend(open.into_iter().flatten());
    Ok(packs)
}

/// Refuses before SQLite has to: a commit writes its bytes to the WAL and again to the file.
fn check_space(directory: &Path, bytes: u64) -> Result<(), IngestError> {
    match crate::platform::free_bytes(directory) {
        Some(free) if bytes > 0 && free < 2 * bytes + FREE_BYTES_RESERVE => {
            Err(IngestError::DiskFull)
        }
        _ => Ok(()),
    }
}

fn hash(chunks: &[Chunk]) -> Vec<Digest> {
    chunks
        .par_iter()
        .with_max_len(8)
        .map(|chunk| chunk.digest.unwrap_or_else(|| Digest::of(&chunk.bytes)))
        .collect()
}

fn encode(pack: &Pack<'_>) -> Result<EncodedPack, IngestError> {
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
    let mut raw = Vec::with_capacity(pack.bytes);
    for (_, bytes) in &pack.chunks {
        raw.extend_from_slice(bytes);
    }
    let frame = if pack.compress {
        codec::compress(&raw).map_err(|_| IngestError::EncodeMismatch)?
    } else {
        None
    };
    let raw_size = raw.len() as u64;
    let Some(frame) = frame else {
        // A pack of one stored chunk has that chunk's digest; hashing it twice would be for nothing.
        let sha256 = if let [(digest, _)] = chunks[..] {
            digest
        } else {
            Digest::of(&raw)
        };
        return Ok(EncodedPack {
            codec: Codec::Stored,
            raw_size,
            sha256,
            data: raw,
            chunks,
        });
    };
    let decoded = codec::decompress(&frame, raw.len()).map_err(|_| IngestError::EncodeMismatch)?;
    if decoded != raw {
        return Err(IngestError::EncodeMismatch);
    }
    let sha256 = Digest::of(&frame);
    Ok(EncodedPack {
        codec: Codec::Zstd,
        raw_size,
        sha256,
        data: frame,
        chunks,
    })
}

/// Chunks of this batch that an asset sealed by this batch refers to.
fn referenced_here(chunks: &[Chunk], digests: &[Digest], entries: &[Entry]) -> HashSet<Digest> {
    let complete: HashSet<*const Manifest> = entries
        .iter()
        .filter_map(|entry| match &entry.kind {
            EntryKind::Asset { content, .. } => Some(Arc::as_ptr(&content.manifest)),
            _ => None,
        })
        .collect();
    chunks
        .iter()
        .zip(digests)
        .filter(|(chunk, _)| complete.contains(&Arc::as_ptr(&chunk.manifest)))
        .map(|(_, digest)| *digest)
        .collect()
}

/// Chunks that another process sealed since this batch was planned.
fn known_by_now(
    transaction: &Transaction<'_>,
    packs: &[EncodedPack],
) -> Result<HashSet<Digest>, IngestError> {
    let mut known = HashSet::new();
    if transaction.others_wrote() {
        for (digest, _) in packs.iter().flat_map(|pack| &pack.chunks) {
            if transaction.has_chunk(digest)? {
                known.insert(*digest);
            }
        }
    }
    Ok(known)
}

/// Whether an error says something about the vault rather than about one entry.
fn fails_everything(error: &IngestError) -> bool {
    matches!(
        error,
        IngestError::Store { .. } | IngestError::DiskFull | IngestError::Busy
    )
}

fn place_entry(
    transaction: &mut Transaction<'_>,
    entry: Entry,
    sealed_at: i64,
) -> Result<Placement, IngestError> {
    let name = entry.name.as_ref().map_or(&[][..], |name| name.as_bytes());
    match entry.kind {
        EntryKind::Upkeep | EntryKind::Rebuild => {
            return Ok(Placement {
                seq: Seq::VAULT,
                existed: true,
            });
        }
        EntryKind::Project(body) => return transaction.project(name, &body, sealed_at),
        EntryKind::Repair(body) => return Ok(transaction.repair(body, sealed_at)?),
        _ => {}
    }
    let parent = folders(transaction, &entry, sealed_at)?;
    match entry.kind {
        EntryKind::Collection(body) => {
            transaction.collection(parent.seq, name, body.as_ref(), sealed_at)
        }
        EntryKind::Asset {
            content,
            modified,
            executable,
        } => {
            transaction.require_collection(parent.seq)?;
            content.manifest.check()?;
            transaction.asset(&NewAssetRow {
                parent: parent.seq,
                name,
                sealed_at,
                modified,
                executable,
                size: content.digest.size,
                sha256: content.digest.sha256,
                crc32: content.digest.crc32,
                records: &content.manifest.take_records(),
                media: content.media,
            })
        }
        EntryKind::Link { target, modified } => {
            transaction.require_collection(parent.seq)?;
            transaction.link(parent.seq, name, &target, modified, sealed_at)
        }
        _ => Ok(parent),
    }
}

/// Finds or creates the collections on the way to an entry.
fn folders(
    transaction: &mut Transaction<'_>,
    entry: &Entry,
    sealed_at: i64,
) -> Result<Placement, IngestError> {
    if entry.folders.len() > DEPTH_MAX {
        return Err(IngestError::TooDeep { max: DEPTH_MAX });
    }
    let place = entry.place.seq();
    transaction.require_place(place)?;
    let mut at = Placement {
        seq: place,
        existed: true,
    };
    for folder in &entry.folders {
        at = transaction.collection(at.seq, folder.as_bytes(), None, sealed_at)?;
    }
    Ok(at)
}

fn now_unix_ms() -> i64 {
    crate::model::Timestamp::from_system(SystemTime::now())
        .map_or(0, crate::model::Timestamp::unix_ms)
}
