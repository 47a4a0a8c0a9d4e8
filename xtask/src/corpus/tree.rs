//! The files of a folder, as a client sees them.

use std::fs::{File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use sha2::{Digest, Sha256};

/// A file to upload.
pub(crate) struct SourceFile {
    /// Where it lies.
    pub(crate) path: PathBuf,
    /// Its path below the folder, `/` between names.
    pub(crate) relative: String,
    /// Bytes.
    pub(crate) size: u64,
    /// Modification time, Unix milliseconds.
    pub(crate) modified_ms: i64,
}

impl SourceFile {
    /// Lower-case hex.
    pub(crate) fn sha256(&self) -> anyhow::Result<String> {
        let mut file = File::open(&self.path)?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                return Ok(hex(&hasher.finalize()));
            }
            hasher.update(&buffer[..read]);
        }
    }

    /// Names of the folders it lies in, with a `/` after each: what `path_prefix` takes.
    pub(crate) fn prefix(&self) -> &str {
        self.relative
            .rfind('/')
            .map_or("", |at| &self.relative[..=at])
    }

    /// Its own name.
    pub(crate) fn name(&self) -> &str {
        self.relative.rsplit('/').next().unwrap_or_default()
    }
}

/// Lower-case hex of some bytes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// All regular files below `dir`, in order of path. Links and names that are not UTF-8 are left out.
pub(crate) fn files(dir: &Path) -> anyhow::Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("{}", folder.display()))? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                folders.push(entry.path());
            } else if metadata.is_file() {
                let path = entry.path();
                let relative = path.strip_prefix(dir)?;
                let Some(relative) = relative.to_str().map(str::to_owned) else {
                    continue;
                };
                files.push(source(path, relative, &metadata)?);
            }
        }
    }
    files.sort_by(|a, b| a.relative.cmp(&b.relative));
    Ok(files)
}

/// A single file, as if it lay alone in a folder.
pub(crate) fn one(path: &Path) -> anyhow::Result<SourceFile> {
    let name = path.file_name().and_then(std::ffi::OsStr::to_str);
    let name = name.with_context(|| format!("the name of {} is not UTF-8", path.display()))?;
    source(
        path.to_path_buf(),
        name.to_owned(),
        &std::fs::metadata(path)?,
    )
}

fn source(path: PathBuf, relative: String, metadata: &Metadata) -> anyhow::Result<SourceFile> {
    let modified = metadata.modified()?.duration_since(std::time::UNIX_EPOCH)?;
    Ok(SourceFile {
        relative,
        size: metadata.len(),
        modified_ms: i64::try_from(modified.as_millis())?,
        path,
    })
}
