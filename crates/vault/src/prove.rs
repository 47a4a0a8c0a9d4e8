//! Proving: that a vault still holds what a kept checkpoint covers, and that a file is in it, to people who trust
//! neither the vault nor this program.
//!
//! Formats are those of C2SP: checkpoints and notes, tlog-proof, tlog-tiles. What each of them proves, and what none
//! does, is in docs/trust.md.

use std::io;
use std::path::{Path, PathBuf};

use tlog_tiles::{Hash, check_tree, prove_record, prove_tree};

use crate::checkpoint::Checkpoint;
use crate::entry::Kind;
use crate::error::ReadError;
use crate::ids::{AssetId, Digest, VaultId};
use crate::store::pool::Connection;
use crate::store::prove::{self as store, LogHashes};
use crate::store::read;

mod against;
mod keep;
mod kept;
mod proof;
mod tiles;
pub mod words;

pub use against::{Comparison, Verdict};
pub use keep::{Kept, keep};
pub use kept::{CHECKPOINT_BYTES_MAX, CheckpointError, KeptCheckpoint, Signed, in_words};
pub use proof::{PROOF_BYTES_MAX, Proof, ProvedAsset};
pub use tiles::TilesReport;

/// Why something could not be proved, or compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProveError {
    /// The checkpoint given cannot be used.
    #[error("this checkpoint cannot be used: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The proof given cannot be used.
    #[error("this proof cannot be used: {what}")]
    Malformed {
        /// What is wrong with it.
        what: &'static str,
    },
    /// Proof, checkpoint and vault do not belong together.
    #[error("it is of another vault than the checkpoint")]
    OtherVault,
    /// Two checkpoints of one vault that cannot both be true, or a log that one of them does not fit.
    #[error("history was rewritten: there are two logs of {size} entries that differ")]
    Rewritten {
        /// Where they part.
        size: u64,
    },
    /// The log is shorter than the checkpoint.
    #[error(
        "the vault was rolled back: its log has {log_size} entries, the checkpoint covers {size}"
    )]
    RolledBack {
        /// The checkpoint's entries.
        size: u64,
        /// The log's.
        log_size: u64,
    },
    /// The log never had so many entries, or none were asked for.
    #[error("there is no log of {size} entries: this one has {log_size}")]
    NoSuchSize {
        /// What was asked for.
        size: u64,
        /// The log's entries.
        log_size: u64,
    },
    /// The asset was sealed after the checkpoint.
    #[error(
        "the checkpoint covers {size} entries and is older than the asset, which is entry {index}"
    )]
    TooOld {
        /// The checkpoint's entries.
        size: u64,
        /// The asset's position.
        index: u64,
    },
    /// A proof fits one size only.
    #[error(
        "the proof was made for a log of {proof} entries, the checkpoint covers {trusted}: ask for a proof for \
         that size, `compactvault proof ASSET --at CHECKPOINT`"
    )]
    OtherSize {
        /// What the proof was made for.
        proof: u64,
        /// What the checkpoint covers.
        trusted: u64,
    },
    /// The hashes do not lead from the leaf to the root.
    #[error("the proof does not show that the entry is in the log")]
    NotIncluded,
    /// The file is not the one that was sealed.
    #[error("the file is not what was sealed: its {what} is {found}, sealed was {sealed}")]
    FileDiffers {
        /// Size, SHA-256 or CRC-32.
        what: &'static str,
        /// In the leaf.
        sealed: String,
        /// Of the file.
        found: String,
    },
    /// The file could not be read.
    #[error("the file cannot be read: {0}")]
    File(#[source] io::Error),
    /// The folder holds something else.
    #[error("{} holds something else than tiles; choose a new or empty folder", .path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// The folder holds tiles of another log.
    #[error("{} is the checkpoint of a log that this one does not continue ({}); choose another folder", .path.display(), .verdict.code())]
    OtherTiles {
        /// The checkpoint that is there.
        path: PathBuf,
        /// What it says about this vault.
        verdict: Verdict,
    },
    /// Another checkpoint of the same size was kept there.
    #[error("{} was kept for as many entries and has another root; it was left as it is: compare the vault with it, `compactvault verify --against`", .path.display())]
    KeptDiffers {
        /// The older checkpoint.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot write in {}: {source}", .path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The vault could not be read, or is damaged.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl ProveError {
    /// A stable word for scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Checkpoint(_) => "bad_checkpoint",
            Self::Malformed { .. } => "bad_proof",
            Self::OtherVault => "other_vault",
            Self::Rewritten { .. } => "history_rewritten",
            Self::RolledBack { .. } => "rolled_back",
            Self::NoSuchSize { .. } | Self::TooOld { .. } | Self::OtherSize { .. } => "other_size",
            Self::NotIncluded => "not_included",
            Self::FileDiffers { .. } => "file_differs",
            Self::File(_) | Self::Io { .. } => "io",
            Self::NotEmpty { .. } => "not_empty",
            Self::OtherTiles { .. } => "other_tiles",
            Self::KeptDiffers { .. } => "kept_differs",
            Self::Read(error) => error.code(),
        }
    }
}

/// The hashes that lead from one checkpoint to a later one (RFC 6962, 2.1.2), already checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consistency {
    /// The earlier checkpoint's entries.
    pub old_size: u64,
    /// The later one's.
    pub new_size: u64,
    /// The proof.
    pub hashes: Vec<Digest>,
}

/// The log that questions are asked about: one connection, and whose vault it is.
pub(crate) struct Log<'c> {
    pub(crate) connection: &'c Connection,
    pub(crate) vault: VaultId,
    pub(crate) public_key: &'c str,
}

impl Log<'_> {
    pub(crate) fn compare(&self, kept: &KeptCheckpoint) -> Result<Comparison, ProveError> {
        against::compare(self.connection, self.vault, self.public_key, kept)
    }

    /// Fails unless the log begins with what the checkpoint covers.
    pub(crate) fn require(&self, kept: &KeptCheckpoint) -> Result<(), ProveError> {
        let found = self.compare(kept)?;
        match found.verdict {
            Verdict::Same => Ok(()),
            Verdict::OtherVault => Err(ProveError::OtherVault),
            Verdict::Rewritten => Err(ProveError::Rewritten { size: kept.size }),
            Verdict::RolledBack => Err(ProveError::RolledBack {
                size: kept.size,
                log_size: found.log_size,
            }),
            Verdict::Damaged => Err(crate::store::rows::damaged(
                kept.size - 1,
                "entries up to it are damaged",
            )
            .into()),
        }
    }

    /// A proof that the asset is among the entries of a checkpoint, whose note it will carry.
    pub(crate) fn proof(&self, id: AssetId, at: KeptCheckpoint) -> Result<Proof, ProveError> {
        self.require(&at)?;
        let _snapshot = self
            .connection
            .unchecked_transaction()
            .map_err(ReadError::from)?;
        let entry = read::entry_of_kind(self.connection, id.seq(), Kind::Asset, "asset")?;
        if entry.seq >= at.size {
            return Err(ProveError::TooOld {
                size: at.size,
                index: entry.seq,
            });
        }
        let hashes = LogHashes::new(self.connection);
        let proved = hashes.outcome(prove_record(at.size, entry.seq, &hashes))?;
        let proof = Proof {
            index: entry.seq,
            leaf: entry.leaf(),
            hashes: proved.iter().map(|hash| Digest::new(hash.0)).collect(),
            checkpoint: at,
        };
        // Nothing is handed out that the receiver would refuse.
        proof
            .included(proof.checkpoint.size, proof.checkpoint.root)
            .map_err(|_| damaged_tree(entry.seq))?;
        Ok(proof)
    }

    /// The root of the first `size` entries.
    pub(crate) fn root_at(&self, size: u64) -> Result<Digest, ProveError> {
        let _snapshot = self
            .connection
            .unchecked_transaction()
            .map_err(ReadError::from)?;
        let log_size = store::size_ever(self.connection)?;
        if size == 0 || size > log_size {
            return Err(ProveError::NoSuchSize { size, log_size });
        }
        let hashes = LogHashes::new(self.connection);
        let root = hashes.outcome(tlog_tiles::tree_hash(size, &hashes))?;
        Ok(Digest::new(root.0))
    }

    /// Checks two checkpoints against the log and each other.
    pub(crate) fn consistency(
        &self,
        a: &KeptCheckpoint,
        b: &KeptCheckpoint,
    ) -> Result<Consistency, ProveError> {
        let (old, new) = if a.size <= b.size { (a, b) } else { (b, a) };
        self.require(old)?;
        self.require(new)?;
        let _snapshot = self
            .connection
            .unchecked_transaction()
            .map_err(ReadError::from)?;
        let reader = LogHashes::new(self.connection);
        let proof = reader.outcome(prove_tree(new.size, old.size, &reader))?;
        let hash = |kept: &KeptCheckpoint| Hash(*kept.root.as_bytes());
        check_tree(&proof, new.size, hash(new), old.size, hash(old))
            .map_err(|_| damaged_tree(old.size - 1))?;
        Ok(Consistency {
            old_size: old.size,
            new_size: new.size,
            hashes: proof.iter().map(|hash| Digest::new(hash.0)).collect(),
        })
    }

    pub(crate) fn export_tiles(
        &self,
        checkpoint: &Checkpoint,
        dir: &Path,
    ) -> Result<TilesReport, ProveError> {
        tiles::export(self.connection, checkpoint, dir, |kept| {
            Ok(self.compare(kept)?.verdict)
        })
    }
}

/// Every leaf agrees with its row, so what does not fit is a kept subtree or leaf of the tree.
fn damaged_tree(seq: u64) -> ReadError {
    crate::store::rows::damaged(
        seq,
        "the hashes kept for the log's tree differ from its entries",
    )
}
