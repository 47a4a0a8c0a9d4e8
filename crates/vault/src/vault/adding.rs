//! Taking in files that come whole, without parts.

use super::Vault;
use crate::error::IngestError;
use crate::ids::{CollectionId, Digest};
use crate::ingest::{ArchiveError, NewAsset, Sealed};
use crate::limits::DEPTH_MAX;
use crate::model::PlaceId;
use crate::store::read;

impl Vault {
    /// Closes the readers that nobody uses, so that a large import can have the vault for itself.
    pub(crate) fn rest_readers(&self) {
        self.inner.reading.pool.rest();
    }

    /// Archives bytes that are in memory, and blocks until they are durable. Threads that do so at the same time share
    /// a commit. What can be known to be wrong is refused before anything of it reaches the vault.
    pub fn archive_bytes(&self, asset: NewAsset, bytes: &[u8]) -> Result<Sealed, IngestError> {
        let ingest = self.ingest()?;
        if let PlaceId::Collection(collection) = asset.place {
            self.check_destination(collection, asset.folders.len())?;
        }
        // The first chunks of a batch may be committed before the last one is hashed, so this cannot wait for ingest.
        if let Some(expected) = asset.expected_sha256 {
            let found = Digest::of(bytes);
            if found != expected {
                return Err(IngestError::DigestDiffers { expected, found });
            }
        }
        match ingest.archive(asset, &mut &*bytes) {
            Ok((ticket, _)) => ticket.wait(),
            Err(ArchiveError::Ingest(error)) => Err(error),
            Err(ArchiveError::Source(error)) => {
                unreachable!("memory can be read to its end: {error}")
            }
        }
    }

    /// Whether `folders` collections, one in another, can be found or created below a collection. Asked before bytes
    /// are taken in: a refusal by the commit comes after the chunks are in the vault.
    pub fn check_destination(
        &self,
        collection: CollectionId,
        folders: usize,
    ) -> Result<(), IngestError> {
        let connection = self.connection()?;
        let seq = collection.seq();
        read::entry_of_kind(
            &connection,
            seq,
            crate::entry::Kind::Collection,
            "collection",
        )?;
        // The chain holds the project, too, which is no collection.
        let depth = read::ancestors(&connection, seq)?.len() - 1;
        if depth + folders > DEPTH_MAX {
            return Err(IngestError::TooDeep { max: DEPTH_MAX });
        }
        Ok(())
    }
}
