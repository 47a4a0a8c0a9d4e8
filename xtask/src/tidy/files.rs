//! The files that tidy looks at: everything git tracks, and what it would offer to add.
//!
//! New files are included so that a person hears of a broken rule before committing it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// A file that is there. `text` is empty for what is not UTF-8 (pictures, damaged vaults): no rule
/// has anything to say about those, but links may point to them.
#[derive(Debug)]
pub(super) struct SourceFile {
    /// Relative to the root, with `/` between folders.
    pub(super) path: String,
    pub(super) text: String,
}

impl SourceFile {
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Whether it lies in the folder, or is the file of that path.
    pub(super) fn is_under(&self, place: &str) -> bool {
        match self.path.strip_prefix(place) {
            Some(rest) => rest.is_empty() || rest.starts_with('/') || place.ends_with('/'),
            None => false,
        }
    }

    pub(super) fn has_extension(&self, extensions: &[&str]) -> bool {
        let extension = self.name().rsplit_once('.').map(|(_, extension)| extension);
        extension.is_some_and(|extension| extensions.contains(&extension))
    }
}

pub(super) fn load(root: &Path) -> Result<Vec<SourceFile>> {
    let words = [
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ];
    let listing = Command::new("git")
        .args(words)
        .current_dir(root)
        .output()
        .context("cannot start git")?;
    ensure!(
        listing.status.success(),
        "{}",
        String::from_utf8_lossy(&listing.stderr).trim()
    );
    let mut files = Vec::new();
    for path in String::from_utf8_lossy(&listing.stdout).split_terminator('\0') {
        // A tracked file that was removed, or a link to nowhere, is git's business.
        let Ok(bytes) = std::fs::read(root.join(path)) else {
            continue;
        };
        let text = String::from_utf8(bytes).unwrap_or_default();
        files.push(SourceFile {
            path: path.to_owned(),
            text,
        });
    }
    ensure!(
        !files.is_empty(),
        "git lists no file, so there is nothing to check"
    );
    Ok(files)
}

#[cfg(test)]
pub(super) fn made_up(files: &[(&str, &str)]) -> Vec<SourceFile> {
    files
        .iter()
        .map(|&(path, text)| SourceFile {
            path: path.to_owned(),
            text: text.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_do_not_match_half_a_name() {
        let file = SourceFile {
            path: "crates/vault/src/store.rs".to_owned(),
            text: String::new(),
        };
        assert!(file.is_under("crates/vault"));
        assert!(file.is_under("crates/vault/src/store.rs"));
        assert!(!file.is_under("crates/va"));
        assert!(!file.is_under("crates/vault/src/store"));
        assert!(file.has_extension(&["js", "rs"]));
        assert_eq!(file.name(), "store.rs");
    }

    #[test]
    fn this_repository_can_be_listed() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let files = load(root).expect("the tests run inside a git checkout");
        assert!(files.iter().any(|file| file.path == "src/tidy/files.rs"));
    }
}
