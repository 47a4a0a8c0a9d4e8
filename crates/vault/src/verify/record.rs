//! When a vault was last verified as a whole, by whichever program did it: a small file in the state folder.
//!
//! It says nothing that could be trusted against somebody who can write there; it reminds the owner.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{VerifyLevel, VerifyReport};
use crate::platform::replace_private_file;

const FILE: &str = "last-verifications.json";
/// Longest file that is read.
const BYTES_MAX: u64 = 256 * 1024;
/// Files remembered of one vault: itself and its copies, the one verified last in front.
const FILES_MAX: usize = 16;

/// The last verification that read every byte and came to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastVerification {
    /// When it ended, Unix milliseconds.
    pub unix_ms: i64,
    /// Whether it was [`VerifyLevel::Deep`]; else it was [`VerifyLevel::Full`].
    pub deep: bool,
    /// What it found, in number.
    pub findings: u64,
    /// Entries that it covered.
    pub log_size: u64,
    /// The program that did it, a word: `server`, `verify`.
    pub by: String,
    /// The file that was verified: a copy of a vault has its identity and is another file.
    path: PathBuf,
}

/// Keeps what a verification of the file at `path` found, unless it read less than every byte or was stopped.
pub(crate) fn keep(
    report: &VerifyReport,
    by: &str,
    path: &Path,
    state_dir: &Path,
) -> io::Result<()> {
    if report.level < VerifyLevel::Full || report.stopped {
        return Ok(());
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let last = LastVerification {
        unix_ms: i64::try_from(now.as_millis()).unwrap_or(i64::MAX),
        deep: report.level == VerifyLevel::Deep,
        findings: report.findings.len() as u64 + report.findings_left_out,
        log_size: report.entries,
        by: by.to_owned(),
        path: path.to_path_buf(),
    };
    let mut all = read(state_dir);
    all.retain(|other| other.path != path);
    all.insert(0, last);
    all.truncate(FILES_MAX);
    let json = serde_json::to_vec(&all).map_err(io::Error::other)?;
    replace_private_file(&state_dir.join(FILE), &json)
}

/// What was kept for the file at `path`; nothing if that cannot be read.
pub(crate) fn last(path: &Path, state_dir: &Path) -> Option<LastVerification> {
    read(state_dir).into_iter().find(|last| last.path == path)
}

fn read(state_dir: &Path) -> Vec<LastVerification> {
    let file = state_dir.join(FILE);
    let is_short = fs::metadata(&file).is_ok_and(|metadata| metadata.len() <= BYTES_MAX);
    let bytes = is_short.then(|| fs::read(file).ok()).flatten();
    bytes
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default()
}
