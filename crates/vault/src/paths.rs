//! The path door of ingest: files, folders and symbolic links of a file system, planned first and then archived.
//!
//! [`Plan::make`] walks and changes nothing; [`Plan::archive`] reads in parallel and hands everything to
//! [`crate::Ingest`]. What cannot be archived is collected and named; the rest goes on. Symbolic links are never
//! followed, and sockets, devices and FIFOs never opened.

mod act;
mod exclude;
mod plan;
mod seen;
mod source;
pub(crate) mod system;
mod unchanged;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

pub use plan::{Plan, Planned, PlannedKind};

use crate::name::NameError;

/// Skipped inputs kept in a report; further ones are counted.
pub const SKIPPED_MAX: usize = 10_000;

/// What to leave out of a [`Plan`].
#[derive(Clone, Debug, Default)]
pub struct PlanOptions {
    /// Globs (`*`, `?`, `[..]`, `{a,b}`, `**`). One without `/` is compared with every name on the way, one with
    /// `/` with the whole path as it would be archived; one that ends in `/` leaves out folders only.
    pub exclude: Vec<String>,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A glob that is none.
    #[error("the pattern “{pattern}” is not valid: {reason}")]
    Pattern {
        /// As it was given.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Not one of the paths given can be read; the first of them.
    #[error("cannot read {}: {reason}", escaped(path))]
    Nothing {
        /// As it was given.
        path: PathBuf,
        /// Why not.
        reason: SkipReason,
    },
}

/// An input that was not archived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Where it lies.
    pub path: PathBuf,
    /// Why not.
    pub reason: SkipReason,
}

/// Why an input was not archived.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SkipReason {
    /// The system refused to show it.
    #[error("{0}")]
    Unreadable(String),
    /// A socket, a device, a FIFO: nothing that has bytes of its own.
    #[error("it is {0}")]
    Special(&'static str),
    /// It changed while it was read, and again while it was read once more.
    #[error("it changes while it is read; archive it when nothing writes to it")]
    Changed,
    /// Its name cannot be kept.
    #[error("{0}")]
    Name(NameError),
    /// Its name is not Unicode, on a system where names are.
    #[error("its name is not valid Unicode")]
    NotUnicode,
    /// Folders are nested deeper than collections can be.
    #[error("folders are nested deeper than {} here", crate::limits::DEPTH_MAX)]
    TooDeep,
    /// The vault refused it.
    #[error("{0}")]
    Refused(String),
}

impl SkipReason {
    /// A stable word for scripts.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::Special(_) => "special",
            Self::Changed => "changed",
            Self::Name(_) | Self::NotUnicode => "name_invalid",
            Self::TooDeep => "too_deep",
            Self::Refused(_) => "refused",
        }
    }
}

/// How far archiving is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// Bytes read so far; goes back when a file is read once more.
    pub bytes: u64,
    /// Files and links handed in so far.
    pub files: u64,
    /// What was read last.
    pub current: &'a Path,
}

/// How to archive a [`Plan`].
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Called from several threads, about once a mebibyte and once a file.
    pub progress: &'a (dyn Fn(Progress<'_>) + Sync),
    /// Set it and nothing more is read; what was read whole is sealed.
    pub stop: &'a AtomicBool,
    /// Files read at once; 0 for one per core.
    pub threads: usize,
    /// Reads every file, also those that are by size and times what they were when they were last read.
    pub reread: bool,
}

/// What became of a [`Plan`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Files sealed as new assets.
    pub sealed: u64,
    /// Files and links whose newest version was the same already.
    pub already_archived: u64,
    /// Of them, files that were not read, since size and times are those of the last reading.
    pub unread: u64,
    /// Links sealed.
    pub links: u64,
    /// Empty folders found or created.
    pub empty_folders: u64,
    /// Bytes of all files sealed or archived already.
    pub bytes: u64,
    /// Of them, bytes of files sealed as new assets.
    pub sealed_bytes: u64,
    /// What was left out because it cannot be archived, up to [`SKIPPED_MAX`], sorted by path.
    pub skipped: Vec<Skipped>,
    /// Skipped inputs beyond that.
    pub skipped_left_out: u64,
    /// It was asked to stop before the end.
    pub stopped: bool,
}

impl Report {
    /// Whether something was left out.
    pub fn is_partial(&self) -> bool {
        !self.skipped.is_empty() || self.skipped_left_out > 0
    }
}

/// A path for messages, as [`crate::Name::escaped`] shows a name.
pub fn escaped(path: &Path) -> String {
    let Some(bytes) = system::name_bytes(path.as_os_str()) else {
        return path.to_string_lossy().escape_debug().to_string();
    };
    let parts = bytes
        .split(|byte| *byte == b'/')
        .map(crate::name::escape_bytes);
    parts.collect::<Vec<_>>().join("/")
}
