//! Checkpoints that somebody kept, read from files.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use compactvault_vault::prove::{CHECKPOINT_BYTES_MAX, KeptCheckpoint, Signed};

use crate::names::shown_path;

/// Reads a file of at most so many bytes; one that is longer is read one byte too far, for its reader to refuse.
pub(crate) fn bounded(path: &Path, bytes_max: usize) -> anyhow::Result<Vec<u8>> {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?
            .take(bytes_max as u64 + 1)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().with_context(|| format!("cannot read {}", shown_path(path)))
}

/// Reads a checkpoint: a note, or words.
pub(crate) fn checkpoint(path: &Path) -> anyhow::Result<KeptCheckpoint> {
    let text = bounded(path, CHECKPOINT_BYTES_MAX)?;
    KeptCheckpoint::parse(&text)
        .with_context(|| format!("{} is no checkpoint to go by", shown_path(path)))
}

/// Who signed it, for people.
pub(crate) fn signed(kept: &KeptCheckpoint, signed: Signed) -> &'static str {
    match (signed, &kept.note) {
        (Signed::ByTheVault, _) => "signed by the vault's key",
        (Signed::ByOthers, _) => "without a signature by the vault's key",
        (Signed::Not, Some(_)) => "unsigned",
        (Signed::Not, None) => "in words, unsigned",
    }
}
