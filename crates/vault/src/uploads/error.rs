//! Why an upload's request was refused.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{IngestError, Retry};
use crate::limits::{PART_BYTES_MAX, PARTS_MAX, UPLOAD_ID_BYTES_MAX};

/// Why a part or a completion was not taken. Whatever the variant: what was acknowledged before is still there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UploadError {
    /// The client chose an id that is empty or too long.
    #[error("an upload_id is 1 to {UPLOAD_ID_BYTES_MAX} bytes long; this one has {bytes}")]
    BadId {
        /// Its length.
        bytes: usize,
    },
    /// The client numbers parts past the bound.
    #[error("parts are numbered from 0 to {}; send larger parts", PARTS_MAX - 1)]
    TooManyParts,
    /// The part is larger than the bound; nothing of it is kept.
    #[error("a part can have at most {PART_BYTES_MAX} bytes; cut the file into smaller ones")]
    PartTooLarge,
    /// A part with that number and other bytes is there already; it stays.
    #[error(
        "part {index} was received before with other bytes; start again under another upload_id"
    )]
    PartDiffers {
        /// Its number.
        index: u64,
    },
    /// `complete` was accepted before, with other fields, or a part came after it.
    #[error("the upload was completed before; start again under another upload_id")]
    Complete,
    /// Parts are missing; the client should send them and complete again.
    #[error("{count} parts are missing, the first is number {}", .missing.first().copied().unwrap_or_default())]
    PartsMissing {
        /// The numbers of the first hundred.
        missing: Vec<u64>,
        /// How many in all.
        count: u64,
    },
    /// More parts are there than were announced.
    #[error("{expected} parts were announced but {found} are there")]
    PartsDiffer {
        /// Announced.
        expected: u64,
        /// Found.
        found: u64,
    },
    /// The parts have another size in all than was announced.
    #[error("{expected} bytes were announced but the parts have {found}")]
    SizeDiffers {
        /// Announced.
        expected: u64,
        /// Found.
        found: u64,
    },
    /// A spooled part no longer has the bytes that were received: the disk or a person changed it. It was dropped;
    /// the client should send it again.
    #[error("part {index} was damaged while it waited and was dropped; send it again")]
    PartDamaged {
        /// Its number.
        index: u64,
    },
    /// The vault refused.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// The upload was accepted, and failed for good afterwards.
    #[error("the upload failed after it was accepted: {message}")]
    Failed {
        /// The code of what stopped it.
        code: &'static str,
        /// What stopped it.
        message: String,
    },
    /// The disk is full; nothing of the part is kept.
    #[error("the disk is full; nothing that was received is lost, free some space and try again")]
    DiskFull,
    /// The queue is full, or too many uploads are open.
    #[error("too much is waiting to be sealed; try again in a while")]
    Busy,
    /// Another process takes uploads for this vault.
    #[error("another process takes uploads for this vault; use that one, or stop it")]
    SpoolInUse,
    /// The program is stopping.
    #[error(
        "the server is stopping; what was received is kept and can be completed when it runs again"
    )]
    Closing,
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which path of the spool.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl UploadError {
    /// A stable word for scripts and the wire.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BadId { .. } => "bad_id",
            Self::TooManyParts => "too_many_parts",
            Self::PartTooLarge => "part_too_large",
            Self::PartDiffers { .. } => "part_differs",
            Self::Complete => "upload_complete",
            Self::PartsMissing { .. } => "parts_missing",
            Self::PartsDiffer { .. } => "parts_differ",
            Self::SizeDiffers { .. } => "size_differs",
            Self::PartDamaged { .. } => "part_damaged",
            Self::Ingest(error) => error.code(),
            Self::Failed { code, .. } => code,
            Self::DiskFull => "disk_full",
            Self::Busy | Self::SpoolInUse => "busy",
            Self::Closing => "closing",
            Self::Io { .. } => "io",
        }
    }

    /// Whether trying again can help.
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Busy | Self::Closing => Retry::Later,
            Self::DiskFull | Self::SpoolInUse | Self::Io { .. } => Retry::AfterActing,
            Self::Ingest(error) => error.retry(),
            _ => Retry::Never,
        }
    }

    /// Whether a queued upload that met this can never be sealed.
    pub(super) const fn is_final(&self) -> bool {
        match self {
            // Somebody may open the vault for writing next time.
            Self::Ingest(IngestError::ReadOnly { .. }) => false,
            _ => matches!(self.retry(), Retry::Never),
        }
    }

    /// Names what was tried; a full disk is told apart whatever it was.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Io {
                action,
                path: path.to_path_buf(),
                source,
            },
        }
    }
}

/// The static word for a code read back from a file; codes of other programs become one of ours.
pub(super) fn known_code(code: &str) -> &'static str {
    const CODES: [&str; 7] = [
        "part_damaged",
        "digest_differs",
        "size_differs",
        "not_found",
        "needs_collection",
        "too_deep",
        "too_long",
    ];
    CODES
        .into_iter()
        .find(|known| *known == code)
        .unwrap_or("upload_failed")
}
