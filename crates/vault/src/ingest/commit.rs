//! The committer: hashes and deduplicates a batch's chunks, packs and encodes them on all cores, and seals
//! everything in one transaction.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use rayon::prelude::*;

use super::batch::{Batch, Chunk, Entry, EntryKind, Manifest};
use super::{Sealed, Ticket};
use crate::codec::{self, Codec};
use crate::error::IngestError;
use crate::ids::{Digest, Seq};
use crate::limits::{CHUNK_BYTES_MIN, DEPTH_MAX, PACK_BYTES_TARGET};
use crate::store::write::{EncodedPack, NewAssetRow, Placement, Transaction, Writer};

/// Free space that must remain after a commit and its WAL.
const FREE_BYTES_RESERVE: u64 = 1024 * 1024;

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

    /// Seals the batch or nothing of it, and answers its tickets.
    pub(super) fn commit(&mut self, mut batch: Batch) {
        let entries = std::mem::take(&mut batch.entries);
        let tickets: Vec<Ticket> = entries.iter().map(|entry| entry.ticket.clone()).collect();
        let outcome = self
            .trusted()
            .and_then(|()| self.try_commit(&batch, entries));
        match outcome {
            Ok(answers) => {
                for (ticket, answer) in tickets.iter().zip(answers) {
                    ticket.answer(answer);
                }
            }
            Err(error) => {
                self.in_doubt |= matches!(error, IngestError::Store { .. });
                tracing::warn!(code = error.code(), %error, entries = tickets.len(), "commit failed");
                for chunk in &batch.chunks {
                    chunk.manifest.fail(&error);
                }
                for ticket in &tickets {
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

    fn try_commit(
        &mut self,
        batch: &Batch,
        entries: Vec<Entry>,
    ) -> Result<Vec<Result<Sealed, IngestError>>, IngestError> {
        let digests = hash(&batch.chunks);
        for (chunk, digest) in batch.chunks.iter().zip(&digests) {
            let size = u32::try_from(chunk.bytes.len()).expect("chunks are at most 1 MiB");
            chunk.manifest.push(digest, size);
        }
        let packs = self.plan_packs(&batch.chunks, &digests)?;
        let encoded: Vec<EncodedPack> = packs
            .par_iter()
            .map(encode)
            .collect::<Result<_, IngestError>>()?;
        self.check_space(&encoded)?;
        let referenced = referenced_here(&batch.chunks, &digests, &entries);

        if entries
            .iter()
            .any(|entry| matches!(entry.kind, EntryKind::Rebuild))
        {
            self.writer.rebuild_next();
        }
        let mut transaction = self.writer.begin()?;
        let known = known_by_now(&transaction, &encoded)?;
        for pack in &encoded {
            if !pack.chunks.iter().all(|(digest, _)| known.contains(digest)) {
                transaction.add_pack(
                    pack,
                    |digest| known.contains(digest),
                    |digest| !referenced.contains(digest),
                )?;
            }
        }
        let sealed_at = now_unix_ms();
        let mut wal_checkpoint = false;
        let mut placements = Vec::with_capacity(entries.len());
        for entry in entries {
            wal_checkpoint |= matches!(entry.kind, EntryKind::WalCheckpoint);
            match place_entry(&mut transaction, entry, sealed_at) {
                Err(error) if fails_everything(&error) => return Err(error),
                placement => placements.push(placement),
            }
        }
        let log_size = transaction.commit()?;
        if wal_checkpoint {
            self.writer.wal_checkpoint(true)?;
        }
        let sealed = |placement: Placement| Sealed {
            seq: placement.seq,
            already_archived: placement.existed,
            log_size,
        };
        Ok(placements
            .into_iter()
            .map(|placement| placement.map(sealed))
            .collect())
    }

    /// Sorts the chunks that the vault does not have into packs: what looks incompressible apart from the rest,
    /// and alone where it is large, so that its pack's digest is its own.
    fn plan_packs<'b>(
        &self,
        chunks: &'b [Chunk],
        digests: &[Digest],
    ) -> Result<Vec<Pack<'b>>, IngestError> {
        let mut packs = Vec::new();
        let mut seen = HashSet::with_capacity(chunks.len());
        // Open packs: [stored, compressed].
        let mut open: [Option<Pack<'b>>; 2] = [None, None];
        for (chunk, digest) in chunks.iter().zip(digests) {
            if !seen.insert(*digest) || self.writer.has_chunk(digest)? {
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
    fn check_space(&self, packs: &[EncodedPack]) -> Result<(), IngestError> {
        let bytes: u64 = packs.iter().map(|pack| pack.data.len() as u64).sum();
        match crate::platform::free_bytes(&self.directory) {
            Some(free) if bytes > 0 && free < 2 * bytes + FREE_BYTES_RESERVE => {
                Err(IngestError::DiskFull)
            }
            _ => Ok(()),
        }
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
        EntryKind::WalCheckpoint | EntryKind::Rebuild => {
            return Ok(Placement {
                seq: Seq::VAULT,
                existed: true,
            });
        }
        EntryKind::Project(body) => return transaction.project(name, &body, sealed_at),
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
