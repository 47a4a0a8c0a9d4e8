//! What can go wrong, one enum per family of operations, each variant with the facts the person who must act needs.
//!
//! Every error has a stable `code()` for scripts and a [`Retry`] class. What verification finds is not here: a
//! finding is data, see [`crate::verify`].

use std::io;
use std::path::{Path, PathBuf};

use crate::ids::Seq;

/// Whether the same request can succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Not without another request.
    Never,
    /// By itself, after a while.
    Later,
    /// After somebody acted: freed space, repaired the file, changed permissions.
    AfterActing,
}

/// Why a vault could not be created, opened or closed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The person named a file that is not there.
    #[error("there is no vault at {}; create one with `compactvault init {}`", .path.display(), .path.display())]
    Missing {
        /// What was asked for.
        path: PathBuf,
    },
    /// `init` never overwrites.
    #[error("{} exists already; choose another name for the new vault", .path.display())]
    Exists {
        /// What was asked for.
        path: PathBuf,
    },
    /// Not touched: the file holds something else.
    #[error("{} is not a CompactVault vault ({reason}); it was not touched", .path.display())]
    NotAVault {
        /// What was asked for.
        path: PathBuf,
        /// What was found instead.
        reason: String,
    },
    /// Not touched: a later program wrote it.
    #[error("{} has container version {found}, this program knows up to {known}; it was not touched, use a newer compactvault", .path.display())]
    Newer {
        /// What was asked for.
        path: PathBuf,
        /// The version in its header.
        found: u32,
        /// The newest version this program knows.
        known: u32,
    },
    /// Not touched: the Python original wrote it.
    #[error("{} was written by the original CompactVault (Python); this program does not read such vaults and did not touch it", .path.display())]
    Original {
        /// What was asked for.
        path: PathBuf,
    },
    /// The vault's own structure contradicts itself.
    #[error("{} is damaged: {detail}; copy the file before anything else, then run `compactvault verify`", .path.display())]
    Damaged {
        /// The vault.
        path: PathBuf,
        /// What contradicts what.
        detail: String,
    },
    /// Not opened: `SQLite` would silently drop commits that lie behind damage in the WAL.
    #[error("{}", wal_damaged(path, wal, detail, *commits))]
    WalDamaged {
        /// The vault.
        path: PathBuf,
        /// The WAL beside it.
        wal: PathBuf,
        /// What is wrong with it, a clause.
        detail: String,
        /// Committed transactions behind the damage that can still be counted.
        commits: u64,
    },
    /// Not opened: `SQLite` would undo an interrupted transaction only in part.
    #[error("the rollback journal {} is damaged ({detail}), so that the transaction which was interrupted in {} cannot be undone; copy both files before anything else, then run `compactvault rescue {}`", .journal.display(), .path.display(), .path.display())]
    JournalDamaged {
        /// The vault.
        path: PathBuf,
        /// The journal beside it.
        journal: PathBuf,
        /// What is wrong with it, a clause.
        detail: String,
    },
    /// What an interrupted import left cannot be undone from here.
    #[error("an import into {} was interrupted; open the vault once where it and its folder can be written, for instance with `compactvault status`", .path.display())]
    Interrupted {
        /// The vault.
        path: PathBuf,
    },
    /// Another process kept the lock for longer than the lock timeout.
    #[error("{} is in use by another process; try again when it is done (see --lock-timeout)", .path.display())]
    Busy {
        /// The vault.
        path: PathBuf,
    },
    /// The network file system holds commits in a WAL that cannot be read safely from here.
    #[error("{} lies on a network file system and another machine may have it open: {detail}", .path.display())]
    NetworkFileSystem {
        /// The vault.
        path: PathBuf,
        /// What stands in the way and what to do.
        detail: String,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// `SQLite` refused for a reason of its own.
    #[error("{}: {detail}", .path.display())]
    Store {
        /// The vault.
        path: PathBuf,
        /// `SQLite`'s message.
        detail: String,
    },
}

impl OpenError {
    /// A stable word for scripts and the wire.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "vault_missing",
            Self::Exists { .. } => "vault_exists",
            Self::NotAVault { .. } => "not_a_vault",
            Self::Newer { .. } => "newer_vault",
            Self::Original { .. } => "original_vault",
            Self::Damaged { .. } => "damaged",
            Self::WalDamaged { .. } => "wal_damaged",
            Self::JournalDamaged { .. } => "journal_damaged",
            Self::Interrupted { .. } => "interrupted",
            Self::Busy { .. } => "busy",
            Self::NetworkFileSystem { .. } => "network_file_system",
            Self::Io { .. } => "io",
            Self::Store { .. } => "store",
        }
    }

    /// Whether trying again can help.
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Busy { .. } => Retry::Later,
            Self::Damaged { .. }
            | Self::WalDamaged { .. }
            | Self::JournalDamaged { .. }
            | Self::Interrupted { .. }
            | Self::Io { .. }
            | Self::NetworkFileSystem { .. } => Retry::AfterActing,
            _ => Retry::Never,
        }
    }
}

/// Why something could not be read.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The caller named something that is not there, or is of another kind.
    #[error("there is no {what} {id}")]
    NotFound {
        /// The kind asked for.
        what: &'static str,
        /// What was asked for, escaped.
        id: String,
    },
    /// Bytes differ from what was sealed; nothing of the piece was handed out.
    #[error("entry {entry} is damaged: {detail}; run `compactvault verify` for the whole picture")]
    Damaged {
        /// The asset, or whatever else the entry is.
        entry: Seq,
        /// Which chunk of how many, counted from 1, if it is one.
        chunk: Option<(u64, u64)>,
        /// What differs, naming the chunk.
        detail: String,
    },
    /// Derived data contradicts the sealed rows; nothing sealed is lost.
    #[error(
        "the derived lists are damaged ({detail}); nothing sealed is lost, run `compactvault verify`"
    )]
    Derived {
        /// What contradicts what.
        detail: String,
    },
    /// Another process kept a lock for too long.
    #[error("the vault is in use by another process; try again when it is done")]
    Busy,
    /// `SQLite` or the system refused.
    #[error("the vault cannot be read: {detail}")]
    Store {
        /// The message.
        detail: String,
    },
}

impl ReadError {
    /// A stable word for scripts and the wire.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::Damaged { .. } | Self::Derived { .. } => "damaged",
            Self::Busy => "busy",
            Self::Store { .. } => "store",
        }
    }

    /// Whether trying again can help.
    pub const fn retry(&self) -> Retry {
        match self {
            Self::NotFound { .. } => Retry::Never,
            Self::Busy => Retry::Later,
            Self::Damaged { .. } | Self::Derived { .. } | Self::Store { .. } => Retry::AfterActing,
        }
    }
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        if is_busy(&error) {
            Self::Busy
        } else {
            Self::Store {
                detail: error.to_string(),
            }
        }
    }
}

/// Why something could not be sealed. Whatever the variant: nothing of it is in the vault.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// The vault is open for reading only.
    #[error("nothing can be added: {reason}")]
    ReadOnly {
        /// Why, a clause.
        reason: String,
    },
    /// The place to put it does not exist or is of the wrong kind.
    #[error("there is no {what} {id}")]
    NotFound {
        /// The kind asked for.
        what: &'static str,
        /// What was asked for.
        id: u64,
    },
    /// Assets and links hang in collections.
    #[error("files cannot lie directly in a project; name a collection in it")]
    NeedsCollection,
    /// Deeper than [`crate::limits::DEPTH_MAX`].
    #[error("collections can be nested {max} deep; this would be deeper")]
    TooDeep {
        /// The bound.
        max: usize,
    },
    /// A text is longer than its bound in [`crate::limits`].
    #[error("the {what} is {bytes} bytes long; at most {max} are possible")]
    TooLong {
        /// Which text.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// The source gave another number of bytes than announced.
    #[error("{expected} bytes were announced but {found} arrived; nothing was sealed")]
    SizeDiffers {
        /// Announced.
        expected: u64,
        /// Found.
        found: u64,
    },
    /// The source's SHA-256 is not the announced one.
    #[error("the SHA-256 announced is {expected} but the bytes have {found}; nothing was sealed")]
    DigestDiffers {
        /// Announced.
        expected: crate::ids::Digest,
        /// Found.
        found: crate::ids::Digest,
    },
    /// The disk is full; the vault is as it was and goes on when there is space.
    #[error("the disk is full; nothing that was sealed is lost, free some space and try again")]
    DiskFull,
    /// Another process kept the lock for longer than the lock timeout.
    #[error(
        "the vault is in use by another process; try again when it is done (see --lock-timeout)"
    )]
    Busy,
    /// The vault is being closed.
    #[error("the vault is closing; nothing more is taken in")]
    Closing,
    /// What was just encoded does not decode to the same bytes: broken memory or a broken library.
    #[error(
        "a pack did not decode to what was encoded; nothing was sealed, check this machine's memory"
    )]
    EncodeMismatch,
    /// Sealed data that this needs is damaged.
    #[error("{0}")]
    Read(#[from] ReadError),
    /// `SQLite` or the system refused.
    #[error("the vault cannot be written: {detail}")]
    Store {
        /// The message.
        detail: String,
    },
}

impl IngestError {
    /// A stable word for scripts and the wire.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ReadOnly { .. } => "read_only",
            Self::NotFound { .. } => "not_found",
            Self::NeedsCollection => "needs_collection",
            Self::TooDeep { .. } => "too_deep",
            Self::TooLong { .. } => "too_long",
            Self::SizeDiffers { .. } => "size_differs",
            Self::DigestDiffers { .. } => "digest_differs",
            Self::DiskFull => "disk_full",
            Self::Busy => "busy",
            Self::Closing => "closing",
            Self::EncodeMismatch => "encode_mismatch",
            Self::Read(error) => error.code(),
            Self::Store { .. } => "store",
        }
    }

    /// Whether trying again can help.
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Busy | Self::Closing => Retry::Later,
            Self::DiskFull | Self::EncodeMismatch | Self::Store { .. } => Retry::AfterActing,
            Self::Read(error) => error.retry(),
            _ => Retry::Never,
        }
    }
}

impl From<rusqlite::Error> for IngestError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::DiskFull,
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                Self::Busy
            }
            _ => Self::Store {
                detail: error.to_string(),
            },
        }
    }
}

/// What was found, that nothing happened, and what to do next.
fn wal_damaged(path: &Path, wal: &Path, detail: &str, commits: u64) -> String {
    let lost = match commits {
        0 => "commits".to_owned(),
        1 => "at least 1 committed transaction".to_owned(),
        n => format!("at least {n} committed transactions"),
    };
    let (path, wal) = (path.display(), wal.display());
    format!(
        "{wal} is damaged: {detail}. Opening the vault would silently drop {lost}, so nothing was opened or changed. \
         First copy both files; then `compactvault rescue {path} --out NEW` takes out what can be had. To do without \
         all that was in the WAL instead, move {wal} away and run `compactvault verify`"
    )
}

pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)
    )
}
