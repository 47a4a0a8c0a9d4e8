//! What a vault can prove about itself to those who kept a checkpoint.

use std::path::Path;

use super::Vault;
use crate::ids::AssetId;
use crate::prove::{
    self, Comparison, Consistency, Kept, KeptCheckpoint, Log, Proof, ProveError, TilesReport,
};

impl Vault {
    fn with_log<T>(
        &self,
        ask: impl FnOnce(&Log<'_>) -> Result<T, ProveError>,
    ) -> Result<T, ProveError> {
        let connection = self.connection()?;
        ask(&Log {
            connection: &connection,
            vault: self.id(),
            public_key: self.public_key(),
        })
    }

    /// Compares the log with a checkpoint that was kept. Reads every entry that the checkpoint covers, and no content:
    /// [`Vault::verify`] is what finds damage there.
    pub fn compare(&self, kept: &KeptCheckpoint) -> Result<Comparison, ProveError> {
        self.with_log(|log| log.compare(kept))
    }

    /// A proof that an asset is in the log, for today's checkpoint.
    pub fn proof(&self, asset: AssetId) -> Result<Proof, ProveError> {
        let note = self.checkpoint()?.note;
        self.proof_at(asset, KeptCheckpoint::parse(note.as_bytes())?)
    }

    /// A proof that an asset is in the log, for a checkpoint that somebody kept. Fails if the log does not begin with
    /// what that covers.
    pub fn proof_at(&self, asset: AssetId, at: KeptCheckpoint) -> Result<Proof, ProveError> {
        let at = if at.note.is_some() {
            at
        } else {
            // Words become a note that says the same.
            self.with_log(|log| log.require(&at))?;
            self.checkpoint_at(at.size)?
        };
        self.with_log(|log| log.proof(asset, at))
    }

    /// The checkpoint of the first `size` entries, signed if the vault's key is in its state folder.
    pub fn checkpoint_at(&self, size: u64) -> Result<KeptCheckpoint, ProveError> {
        let root = self.with_log(|log| log.root_at(size))?;
        let note = self.note(size, root).note;
        Ok(KeptCheckpoint::parse(note.as_bytes())?)
    }

    /// Checks that the log holds everything that two checkpoints cover, and makes the RFC 6962 proof that the later one
    /// continues the earlier.
    pub fn consistency(
        &self,
        a: &KeptCheckpoint,
        b: &KeptCheckpoint,
    ) -> Result<Consistency, ProveError> {
        self.with_log(|log| log.consistency(a, b))
    }

    /// Writes the log as C2SP tlog-tiles into a new or empty folder, or one that holds an earlier state of this log.
    pub fn export_tiles(&self, dir: &Path) -> Result<TilesReport, ProveError> {
        let checkpoint = self.checkpoint()?;
        self.with_log(|log| log.export_tiles(&checkpoint, dir))
    }

    /// Writes today's checkpoint into a folder; see [`prove::keep`].
    pub fn keep_checkpoint(&self, dir: &Path) -> Result<Kept, ProveError> {
        let checkpoint = self.checkpoint()?;
        prove::keep(&checkpoint, self.id(), self.path(), dir)
    }
}
