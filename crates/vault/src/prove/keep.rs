//! Keeping checkpoints in a folder, one file for each size, none ever replaced.

use std::io;
use std::path::{Path, PathBuf};

use super::{CHECKPOINT_BYTES_MAX, KeptCheckpoint, ProveError, tiles::write_whole};
use crate::checkpoint::Checkpoint;
use crate::ids::VaultId;

/// Where a checkpoint is kept now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The file.
    pub path: PathBuf,
    /// Whether this call wrote it; otherwise it was there with the same size and root.
    pub is_new: bool,
}

/// Writes a checkpoint's note to `dir` as `VAULT-ID-SIZE.checkpoint`, with the file name of the vault and the first
/// eight digits of its id. It is there whole or not at all, durably, and never in place of another. The folder is
/// made if it is missing.
pub fn keep(
    checkpoint: &Checkpoint,
    id: VaultId,
    vault: &Path,
    dir: &Path,
) -> Result<Kept, ProveError> {
    let at = |path: &Path, source: io::Error| ProveError::Io {
        path: path.to_path_buf(),
        source,
    };
    let mut name = vault.file_stem().unwrap_or_default().to_owned();
    name.push(format!(
        "-{:.8}-{}.checkpoint",
        id.to_string(),
        checkpoint.size
    ));
    let path = dir.join(name);
    std::fs::create_dir_all(dir).map_err(|error| at(dir, error))?;
    match write_whole(&path, checkpoint.note.as_bytes(), false) {
        Ok(()) => return Ok(Kept { path, is_new: true }),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(at(dir, error)),
    }
    let older = read_bounded(&path).map_err(|error| at(&path, error))?;
    let same = KeptCheckpoint::parse(&older).is_ok_and(|older| {
        (older.vault, older.size, older.root) == (Some(id), checkpoint.size, checkpoint.root)
    });
    if same {
        Ok(Kept {
            path,
            is_new: false,
        })
    } else {
        Err(ProveError::KeptDiffers { path })
    }
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    use io::Read as _;
    let mut text = Vec::new();
    std::fs::File::open(path)?
        .take(CHECKPOINT_BYTES_MAX as u64 + 1)
        .read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Digest;

    #[test]
    fn an_older_checkpoint_is_never_replaced() {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let id = VaultId::new([7; 16]);
        let (_, key) = crate::checkpoint::generate_key(id);
        let make =
            |root: &[u8]| crate::checkpoint::checkpoint(id, &key, dir.path(), 12, Digest::of(root));
        let vault = Path::new("/somewhere/studio.vault");
        let folder = dir.path().join("kept/here");
        let first = keep(&make(b"a"), id, vault, &folder).expect("it is written");
        assert!(first.is_new);
        assert_eq!(first.path, folder.join("studio-07070707-12.checkpoint"));
        let again = keep(&make(b"a"), id, vault, &folder).expect("it is there");
        assert!(!again.is_new);
        let before = std::fs::read(&first.path).expect("it can be read");
        let error = keep(&make(b"b"), id, vault, &folder).expect_err("two logs of one size");
        assert_eq!(error.code(), "kept_differs");
        assert_eq!(std::fs::read(&first.path).expect("it can be read"), before);
        assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), 1);
    }
}
