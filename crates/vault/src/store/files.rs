//! The vault as a file: what is at a path, how it may be opened, and getting a new one there whole.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::open::FileMode;
use super::wal::{self, Elsewhere};
use super::{APPLICATION_ID, CONTAINER_VERSION, alone, copy};
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
static OPEN_FILES: Mutex<Option<HashMap<PathBuf, Opened>>> = Mutex::new(None);

/// Held while a file is looked at and until it is on the list: otherwise another thread could open it meanwhile.
static LOOKING: Mutex<()> = Mutex::new(());

/// What is known of a file that this process has open.
#[derive(Clone, Copy, Debug)]
struct Opened {
    handles: usize,
    rollback_journal: bool,
}

fn open_files() -> MutexGuard<'static, Option<HashMap<PathBuf, Opened>>> {
    OPEN_FILES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a path in the list of open files for as long as it lives.
#[derive(Debug)]
pub(crate) struct OpenFile(PathBuf);

impl OpenFile {
    /// `path` is canonical.
    pub(crate) fn register(path: &Path, rollback_journal: bool) -> Self {
        let mut open = open_files();
        let opened = open
            .get_or_insert_default()
            .entry(path.to_path_buf())
            .or_insert(Opened {
                handles: 0,
                rollback_journal,
            });
        opened.handles += 1;
        Self(path.to_path_buf())
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        let mut open = open_files();
        let files = open.get_or_insert_default();
        if let Some(opened) = files.get_mut(&self.0) {
            opened.handles -= 1;
            if opened.handles == 0 {
                files.remove(&self.0);
            }
        }
    }
}

/// A vault that may be opened now.
#[derive(Debug)]
pub(crate) struct Entered {
    /// To be kept until the last connection is closed.
    pub(crate) file: OpenFile,
    /// How to open it.
    pub(crate) mode: FileMode,
    /// Why nothing can be added, a clause.
    pub(crate) read_only: Option<String>,
    /// Whether another process has it open.
    pub(crate) elsewhere: Elsewhere,
}

/// Looks at a vault before any connection is opened on it: that it is one, that its WAL is whole, how it may be
/// opened. `path` is canonical.
pub(crate) fn enter(
    path: &Path,
    network_fs_allowed: bool,
    lock_timeout: Duration,
) -> Result<Entered, OpenError> {
    let _looking = LOOKING.lock().unwrap_or_else(PoisonError::into_inner);
    let open_here = open_files().get_or_insert_default().get(path).copied();
    alone::knock(path, lock_timeout, open_here.is_some())?;
    let (rollback_journal, elsewhere) = if let Some(opened) = open_here {
        (opened.rollback_journal, Elsewhere::Unknown)
    } else {
        let header = read_header(path).map_err(|source| OpenError::Io {
            action: "read",
            path: path.to_path_buf(),
            source,
        })?;
        let elsewhere = wal::refuse_damaged(path)?;
        (copy::has_rollback_journal(&header), elsewhere)
    };
    let (mode, read_only) = mode_of(path, network_fs_allowed, rollback_journal)?;
    Ok(Entered {
        file: OpenFile::register(path, rollback_journal),
        mode,
        read_only,
        elsewhere,
    })
}

fn read_header(path: &Path) -> io::Result<Vec<u8>> {
    let mut header = Vec::with_capacity(100);
    File::open(path)?.take(100).read_to_end(&mut header)?;
    Ok(header)
}

/// What lies at `path`. Reads at most the header and, for what may be the original's, the names of its tables.
pub fn probe(path: &Path) -> io::Result<FileState> {
    let canonical = match fs::canonicalize(path) {
        Ok(canonical) => canonical,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(FileState::Missing),
        Err(error) => return Err(error),
    };
    let _looking = LOOKING.lock().unwrap_or_else(PoisonError::into_inner);
    if open_files()
        .get_or_insert_default()
        .contains_key(&canonical)
    {
        return Ok(FileState::Vault);
    }
    if !fs::metadata(&canonical)?.is_file() {
        return Ok(FileState::NotAVault("it is no regular file".into()));
    }
    let header = read_header(&canonical)?;
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
fn mode_of(
    path: &Path,
    network_fs_allowed: bool,
    rollback_journal: bool,
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
    // A journal that lies there is of a writer on a network file system, which was killed: it must be played back.
    if rollback_journal && !beside(path, "-journal").exists() {
        let mode = if writable {
            FileMode::ReadOnly
        } else {
            FileMode::Immutable
        };
        if crate::platform::has_no_write_permission(path) {
            let reason =
                "it is a frozen copy; `compactvault backup` makes one that can be added to";
            return Ok((mode, Some(reason.into())));
        }
        if !network_fs_allowed {
            let reason = "it has a rollback journal, as frozen copies have and vaults that were written with \
                          --network-fs; `compactvault backup` makes a copy that can be added to";
            return Ok((mode, Some(reason.into())));
        }
    }
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

/// Why a file that ends in the middle of a page must not be written; nothing while a WAL lies beside it, whose commits
/// may be on their way into the file.
pub(crate) fn why_cut_off(path: &Path) -> Option<String> {
    let bytes = fs::metadata(path).ok()?.len();
    let whole = bytes.is_multiple_of(u64::from(super::PAGE_BYTES));
    let wal = fs::metadata(beside(path, "-wal")).is_ok_and(|wal| wal.len() > 0);
    (!whole && !wal).then(|| "the file ends in the middle of a page: its end was cut off".into())
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
