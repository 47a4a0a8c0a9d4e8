//! What gathers for one commit: chunks, and the entries that are complete.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::ticket::Owed;
use super::{NewAsset, SourceDigest};
use crate::error::IngestError;
use crate::ids::Digest;
use crate::media::Media;
use crate::model::{PlaceId, Timestamp};
use crate::name::Name;
use crate::store::RECORD_BYTES;
use crate::store::rows::PlaceBody;

/// Chunks and entries in the order in which they were handed in; an entry comes after all its chunks.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) chunks: Vec<Chunk>,
    pub(super) entries: Vec<Entry>,
    bytes: usize,
}

/// A chunk on its way in.
pub(super) struct Chunk {
    pub(super) bytes: Bytes,
    pub(super) digest: Digest,
    pub(super) manifest: Arc<Manifest>,
}

impl Chunk {
    /// The next chunk of an asset, whose manifest it becomes part of.
    pub(super) fn new(bytes: Bytes, digest: Digest, manifest: &Arc<Manifest>) -> Self {
        let size = u32::try_from(bytes.len()).expect("chunks are at most 1 MiB");
        manifest.push(&digest, size);
        Self {
            bytes,
            digest,
            manifest: Arc::clone(manifest),
        }
    }
}

/// Something to be found or sealed.
pub(super) struct Entry {
    pub(super) place: PlaceId,
    pub(super) folders: Vec<Name>,
    pub(super) name: Option<Name>,
    pub(super) kind: EntryKind,
    pub(super) owed: Owed,
}

impl Entry {
    pub(super) fn asset(asset: NewAsset, content: Content) -> Self {
        Self {
            place: asset.place,
            folders: asset.folders,
            kind: EntryKind::Asset {
                content,
                modified: asset.modified,
                executable: asset.executable,
            },
            name: Some(asset.name),
            owed: Owed::default(),
        }
    }
}

pub(super) enum EntryKind {
    Project(PlaceBody),
    Collection(Option<PlaceBody>),
    Folder,
    Asset {
        content: Content,
        modified: Option<Timestamp>,
        executable: bool,
    },
    Link {
        target: Vec<u8>,
        modified: Option<Timestamp>,
    },
    /// Merge parity and copy the WAL into the file.
    Upkeep,
    /// Make all derived data again before anything else.
    Rebuild,
    /// Say in the log what was restored: the body of an entry.
    Repair(Vec<u8>),
}

/// What an asset consists of.
pub(super) struct Content {
    pub(super) manifest: Arc<Manifest>,
    pub(super) digest: SourceDigest,
    pub(super) media: Media,
}

/// An asset's manifest while it grows, chunk by chunk as they are handed in.
#[derive(Default)]
pub(super) struct Manifest(Mutex<Growing>);

#[derive(Default)]
struct Growing {
    records: Vec<u8>,
    failed: Option<IngestError>,
}

impl Manifest {
    /// Appends the record of the next chunk.
    fn push(&self, digest: &Digest, size: u32) {
        let mut growing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        growing.records.reserve(RECORD_BYTES);
        growing.records.extend_from_slice(digest.as_bytes());
        growing.records.extend_from_slice(&size.to_be_bytes());
    }

    /// Remembers that a commit with chunks of this asset failed.
    pub(super) fn fail(&self, error: &IngestError) {
        let mut growing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        growing.failed.get_or_insert_with(|| error.clone());
    }

    /// Fails if a commit with chunks of this asset failed.
    pub(super) fn check(&self) -> Result<(), IngestError> {
        let growing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        growing.failed.clone().map_or(Ok(()), Err)
    }

    /// The records; all of them once the entry itself is being committed.
    pub(super) fn take_records(&self) -> Vec<u8> {
        let mut growing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut growing.records)
    }
}

impl Batch {
    pub(super) fn push_chunk(&mut self, chunk: Chunk) {
        self.bytes += chunk.bytes.len();
        self.chunks.push(chunk);
    }

    pub(super) fn push_entry(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    pub(super) fn into_parts(self) -> (Vec<Chunk>, Vec<Entry>) {
        (self.chunks, self.entries)
    }

    /// Bytes of all chunks.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Number of entries.
    pub(super) fn entries(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.entries.is_empty()
    }
}
