//! Writing a rescued vault: rows of another vault as they were sealed there, under the same positions in the log.
//!
//! Callers have compared them with their hashes; derived data is made again afterwards.

use super::append::Transaction;
use crate::codec::Codec;
use crate::entry::Entry;
use crate::error::IngestError;
use crate::ids::Digest;
use crate::parity::builder::ChunkRecord;

impl Transaction<'_> {
    /// Seals a pack and its chunks; ids are given anew, they mean nothing.
    pub(crate) fn restore_pack(
        &mut self,
        codec: Codec,
        raw_size: u64,
        sha256: Digest,
        data: &[u8],
        chunks: &[ChunkRecord],
    ) -> Result<(), IngestError> {
        Ok(self.insert_pack((codec, raw_size, sha256), data, chunks)?)
    }

    /// Seals a manifest.
    pub(crate) fn restore_manifest(&mut self, records: &[u8]) -> Result<(), IngestError> {
        Ok(self.add_manifest(&Digest::of(records), records)?)
    }

    /// Seals the next entry of the log as it was.
    pub(crate) fn restore_entry(&mut self, entry: Entry) -> Result<(), IngestError> {
        assert_eq!(entry.seq, self.log_size(), "entries are restored in order");
        self.append(entry)?;
        Ok(())
    }
}
