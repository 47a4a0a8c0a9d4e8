//! Copies of an open vault, and whether a plain copy of its file would do.

use std::path::Path;

use super::Vault;
use crate::copy::{CopyError, CopyOptions, CopyReport, CopyWatch, copy};

impl Vault {
    /// Makes a verified copy of the vault as it is at one moment, also while others add to it. Without an error
    /// `path` is a whole vault, durably; with one nothing is there. Never replaces a file.
    pub fn copy_to(
        &self,
        path: &Path,
        options: CopyOptions,
        watch: &CopyWatch<'_>,
    ) -> Result<CopyReport, CopyError> {
        copy(&self.inner.reading, self.path(), path, options, watch)
    }
}

/// Why a plain copy of the file alone would not do.
pub(super) fn hindrance(path: &Path, wal_bytes: u64, open_elsewhere: bool) -> Option<String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if wal_bytes > 0 {
        Some(format!(
            "commits may be in {name}-wal only: use `compactvault backup`, or copy both files while nothing writes"
        ))
    } else if open_elsewhere {
        let what = "another process has it open and may write at any moment: use `compactvault backup`, or close it";
        Some(what.into())
    } else {
        None
    }
}
