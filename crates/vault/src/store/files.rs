//! The vault as a file: what is at a path, how it may be opened, and getting a new one there whole.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::open::FileMode;
use super::{APPLICATION_ID, CONTAINER_VERSION};
use crate::error::OpenError;

/// What lies at a path, told without changing anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileState {
    /// A vault that this program can open.
    Vault,
    /// A vault of a later container version.
    Newer(u32),
    /// A vault of the Python original.
    Original,
    /// Something else, with the reason.
    NotAVault(String),
    /// Nothing.
    Missing,
}

/// Vault files that this process has open, canonical. Closing any other handle on one of them would drop
/// `SQLite`'s POSIX locks (sqlite.org/howtocorrupt.html, 2.2), so they are never opened for a look.
static OPEN_FILES: Mutex<Option<HashSet<PathBuf>>> = Mutex::new(None);

/// Keeps a path in the list of open files for as long as it lives.
#[derive(Debug)]
pub(crate) struct OpenFile(PathBuf);

impl OpenFile {
    pub(crate) fn register(path: &Path) -> Self {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let mut open = OPEN_FILES
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        open.get_or_insert_default().insert(path.clone());
        Self(path)
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        let mut open = OPEN_FILES
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        open.get_or_insert_default().remove(&self.0);
    }
}

/// What lies at `path`. Reads at most the header and, for what may be the original's, the names of its tables.
pub fn probe(path: &Path) -> io::Result<FileState> {
    let canonical = match fs::canonicalize(path) {
        Ok(canonical) => canonical,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(FileState::Missing),
        Err(error) => return Err(error),
    };
    {
        let mut open = OPEN_FILES
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if open.get_or_insert_default().contains(&canonical) {
            return Ok(FileState::Vault);
        }
    }
    if !fs::metadata(&canonical)?.is_file() {
        return Ok(FileState::NotAVault("it is no regular file".into()));
    }
    let mut header = Vec::with_capacity(100);
    File::open(&canonical)?.take(100).read_to_end(&mut header)?;
    if header.is_empty() {
        return Ok(FileState::NotAVault("it is empty".into()));
    }
    if header.len() < 100 || !header.starts_with(b"SQLite format 3\0") {
        return Ok(FileState::NotAVault("it is no SQLite database".into()));
    }
    let field = |at: usize| {
        u32::from_be_bytes(
            header[at..at + 4]
                .try_into()
                .expect("four bytes of a hundred"),
        )
    };
    let (version, application) = (field(60), field(68));
    Ok(if application == APPLICATION_ID {
        match version {
            0 => FileState::NotAVault("it has no container version".into()),
            v if v > CONTAINER_VERSION => FileState::Newer(v),
            _ => FileState::Vault,
        }
    } else if super::open::is_original(&canonical) {
        FileState::Original
    } else {
        FileState::NotAVault("it is a SQLite database of another program".into())
    })
}

/// Turns anything but a vault of a known version into its error.
pub(crate) fn require_vault(path: &Path) -> Result<(), OpenError> {
    let state = probe(path).map_err(|source| OpenError::Io {
        action: "read",
        path: path.to_path_buf(),
        source,
    })?;
    let path = path.to_path_buf();
    match state {
        FileState::Vault => Ok(()),
        FileState::Missing => Err(OpenError::Missing { path }),
        FileState::Original => Err(OpenError::Original { path }),
        FileState::Newer(found) => Err(OpenError::Newer {
            path,
            found,
            known: CONTAINER_VERSION,
        }),
        FileState::NotAVault(reason) => Err(OpenError::NotAVault { path, reason }),
    }
}

/// How the file at `path` may be opened, and why nothing can be added to it, if so.
pub(crate) fn mode_of(
    path: &Path,
    network_fs_allowed: bool,
) -> Result<(FileMode, Option<String>), OpenError> {
    let wal_lies_there = beside(path, "-wal").exists();
    let directory = directory_of(path);
    if crate::platform::is_network_file_system(path) {
        if network_fs_allowed {
            return Ok((FileMode::NetworkExclusive, None));
        }
        if wal_lies_there {
            return Err(OpenError::NetworkFileSystem {
                path: path.to_path_buf(),
                detail: "a -wal file lies beside it; open it on the machine that wrote it".into(),
            });
        }
        let reason = "it lies on a network file system, where SQLite's WAL is not safe \
                      (--network-fs writes with a rollback journal and an exclusive lock)";
        return Ok((FileMode::Immutable, Some(reason.into())));
    }
    let writable = crate::platform::is_writable(path) && crate::platform::is_writable(&directory);
    Ok(match (writable, wal_lies_there) {
        (true, _) => (FileMode::Shared, None),
        (false, true) => (
            FileMode::ReadOnly,
            Some("the file or its folder cannot be written".into()),
        ),
        (false, false) => (
            FileMode::Immutable,
            Some("the file or its folder cannot be written".into()),
        ),
    })
}

/// The path with `suffix` appended to its last component, as `SQLite` names its side files.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The folder a file lies in; `.` for a bare name.
pub(crate) fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// Gives the complete file `temporary` its name without ever replacing one, and makes that durable.
pub(crate) fn publish(temporary: &Path, path: &Path) -> Result<(), OpenError> {
    let io = |action: &'static str, source: io::Error| OpenError::Io {
        action,
        path: path.to_path_buf(),
        source,
    };
    File::open(temporary)
        .and_then(|file| file.sync_all())
        .map_err(|e| io("sync", e))?;
    match crate::platform::rename_new(temporary, path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(OpenError::Exists {
                path: path.to_path_buf(),
            });
        }
        Err(error) => return Err(io("create", error)),
    }
    crate::platform::sync_directory(&directory_of(path)).map_err(|e| io("sync the folder of", e))
}
