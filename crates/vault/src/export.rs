//! Taking things out: one asset to a file or a stream, a place or the whole vault to a folder.
//!
//! Every byte was checked against its chunk before it was written, and every file against its SHA-256 and CRC-32
//! before it got its name. A vault made by somebody else cannot write outside the folder it is exported to.

mod file;
mod names;
mod tree;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

pub use file::{get_to_file, get_to_writer};
pub use tree::export;

use crate::error::ReadError;
use crate::ids::{AssetId, Seq};
use crate::name::Name;
use crate::paths::escaped;

/// Entries kept in each list of an [`ExportReport`]; further ones are counted.
pub const REPORTED_MAX: usize = 100_000;

/// Why something was not taken out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The vault could not give it, or its bytes are not what was sealed. Nothing is left under the final name.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Nothing is ever written over.
    #[error("{} exists already; choose another name", escaped(path))]
    Exists {
        /// What is there.
        path: PathBuf,
    },
    /// An export needs a folder of its own.
    #[error("{} is not an empty folder; choose a new or empty one", escaped(path))]
    NotEmpty {
        /// What is there.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot write {}: {source}", escaped(path))]
    Write {
        /// What was to be written.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The stream took no more bytes.
    #[error("cannot write the output: {0}")]
    Stream(#[source] io::Error),
    /// Somebody asked to stop. Nothing is left under the final name.
    #[error("stopped before the end")]
    Stopped,
}

/// How far taking out is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportProgress {
    /// Bytes written so far.
    pub bytes_done: u64,
    /// Bytes to write in all.
    pub bytes_total: u64,
    /// Files done so far.
    pub files_done: u64,
    /// Files in all.
    pub files_total: u64,
}

/// How to take something out.
#[derive(Clone, Copy)]
pub struct ExportWatch<'a> {
    /// Called from several threads, at least once a mebibyte and once a file.
    pub progress: &'a (dyn Fn(ExportProgress) + Sync),
    /// Set it and nothing more is written; files that are not whole are removed.
    pub stop: &'a AtomicBool,
}

/// What to export, beside the place.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExportOptions {
    /// Superseded versions too, as `NAME (#ID).EXTENSION`.
    pub all_versions: bool,
    /// Files written at once; 0 for one per core.
    pub threads: usize,
}

/// What an export wrote, and what it could not.
#[derive(Clone, Debug, Default)]
pub struct ExportReport {
    /// Files written and compared.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Symbolic links made.
    pub links: u64,
    /// Folders made.
    pub folders: u64,
    /// What could not keep its name.
    pub renamed: Vec<Renamed>,
    /// Assets whose bytes are not what was sealed; nothing is left of them.
    pub damaged: Vec<DamagedAsset>,
    /// What the file system did not take.
    pub refused: Vec<RefusedItem>,
    /// Entries that the lists above have no room for.
    pub left_out: u64,
    /// Damage that kept part of the place from being listed; what was listed before it was exported.
    pub listing: Option<ReadError>,
    /// It was asked to stop before the end.
    pub stopped: bool,
}

/// Something that got another name than it has in the vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// Its path below the place that was exported.
    pub path: Vec<Name>,
    /// Its path below the folder that was exported to.
    pub to: PathBuf,
}

/// An asset that was not exported because it is damaged.
#[derive(Clone, Debug)]
pub struct DamagedAsset {
    /// Which.
    pub id: AssetId,
    /// Its path below the place that was exported.
    pub path: Vec<Name>,
    /// What is wrong, naming the chunk if it is one.
    pub error: ReadError,
}

/// An entry that was not exported because the file system refused it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedItem {
    /// Its entry.
    pub entry: Seq,
    /// Its path below the place that was exported.
    pub path: Vec<Name>,
    /// The system's answer.
    pub reason: String,
}
