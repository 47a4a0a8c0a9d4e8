//! Taking in files that come whole, without parts.

use super::Vault;
use crate::entry::Kind;
use crate::error::{IngestError, ReadError};
use crate::ids::{CollectionId, Digest};
use crate::ingest::{NewAsset, Sealed, Ticket};
use crate::limits::DEPTH_MAX;
use crate::model::PlaceId;
use crate::name::Name;
use crate::store::{Section, listing, read};

impl Vault {
    /// Closes the readers that nobody uses, so that a large import can have the vault for itself.
    pub(crate) fn rest_readers(&self) {
        self.inner.reading.pool.rest();
    }

    /// The folder for what may be lost, which need not be there yet.
    pub fn cache_dir(&self) -> &std::path::Path {
        &self.inner.cache_dir
    }

    /// Size and SHA-256 of the newest asset of each name in the collection that `folders` lead to below `place`; `None`
    /// where there is none.
    pub(crate) fn newest_contents<'a>(
        &self,
        place: PlaceId,
        folders: &[Name],
        names: impl Iterator<Item = &'a Name>,
    ) -> Result<Vec<Option<(u64, Digest)>>, ReadError> {
        let connection = self.connection()?;
        // One snapshot for the lists and the counts they are compared with.
        let snapshot = connection
            .unchecked_transaction()
            .map_err(ReadError::from)?;
        let whole = &self.inner.reading.whole;
        let mut at = place.seq();
        for folder in folders {
            match listing::child(&snapshot, whole, at, Section::Places, folder)? {
                Some(found) => at = found.seq,
                None => return Ok(names.map(|_| None).collect()),
            }
        }
        let newest = |name: &Name| {
            let Some(found) = listing::child(&snapshot, whole, at, Section::Assets, name)? else {
                return Ok(None);
            };
            let entry = read::entry_of_kind(&snapshot, found.seq, Kind::Asset, "asset")?;
            let is_it =
                entry.parent == Some(at.get()) && entry.name.as_deref() == Some(name.as_bytes());
            Ok(entry.size.zip(entry.sha256).filter(|_| is_it))
        };
        names.map(newest).collect()
    }

    /// Archives bytes that are in memory, and blocks until they are durable. Threads that do so at the same time share
    /// a commit. What can be known to be wrong is refused before anything of it reaches the vault.
    pub fn archive_bytes(&self, asset: NewAsset, bytes: &[u8]) -> Result<Sealed, IngestError> {
        self.hand_in_bytes(asset, bytes)?.wait()
    }

    /// As [`Vault::archive_bytes`], for several that share commits: one that is refused keeps the others from nothing.
    /// In their order.
    pub fn archive_each<'a>(
        &self,
        files: impl IntoIterator<Item = (NewAsset, &'a [u8])>,
    ) -> Vec<Result<Sealed, IngestError>> {
        let tickets: Vec<_> = files
            .into_iter()
            .map(|(asset, bytes)| self.hand_in_bytes(asset, bytes))
            .collect();
        tickets
            .into_iter()
            .map(|ticket| ticket.and_then(|ticket| ticket.wait()))
            .collect()
    }

    fn hand_in_bytes(&self, asset: NewAsset, bytes: &[u8]) -> Result<Ticket, IngestError> {
        if let PlaceId::Collection(collection) = asset.place {
            self.check_destination(collection, asset.folders.len())?;
        }
        self.ingest()?.archive_bytes(asset, bytes)
    }

    /// Whether `folders` collections, one in another, can be found or created below a collection. Asked before bytes
    /// are taken in: a refusal by the commit comes after the chunks are in the vault.
    pub fn check_destination(
        &self,
        collection: CollectionId,
        folders: usize,
    ) -> Result<(), IngestError> {
        let connection = self.connection()?;
        // One snapshot for all that is read.
        let connection = connection
            .unchecked_transaction()
            .map_err(ReadError::from)?;
        let seq = collection.seq();
        read::entry_of_kind(&connection, seq, Kind::Collection, "collection")?;
        // The chain holds the project, too, which is no collection.
        let depth = read::ancestors(&connection, seq)?.len() - 1;
        if depth + folders > DEPTH_MAX {
            return Err(IngestError::TooDeep { max: DEPTH_MAX });
        }
        Ok(())
    }
}
