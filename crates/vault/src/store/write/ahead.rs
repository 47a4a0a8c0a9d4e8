//! Sending what a transaction has written so far to the disk, on a thread of its own, while the rest of it is written.
//!
//! Nothing depends on it: the commit syncs again, and finds less to wait for. Only on Linux, where a sync that fails is
//! reported to every descriptor of the file that was open then, `SQLite`'s among them; elsewhere the first to ask might
//! be the only one who is told.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use super::aside::Aside;

/// The thread for a file beside the vault; each time it is asked, all that was written so far goes to the disk.
pub(super) fn of_wal(path: &Path) -> io::Result<Aside> {
    let file = File::open(path)?;
    start(move || file.sync_data())
}

/// The same for the vault's own file.
pub(super) fn of_vault(path: &Path) -> io::Result<Aside> {
    let file = kept_open(path)?;
    start(move || file.sync_data())
}

fn start(sync: impl Fn() -> io::Result<()> + Send + 'static) -> io::Result<Aside> {
    Aside::start("write-ahead", move || {
        // The commit is told of what fails here.
        let _ = sync();
    })
}

/// A descriptor that stays open until the program ends, one for each vault that it imports into: whoever closes any
/// descriptor of a file gives up all locks that the process has on it (POSIX, `fcntl`), and so `SQLite`'s. Should another
/// file have taken the path since, it is merely the wrong one that is synced.
fn kept_open(path: &Path) -> io::Result<&'static File> {
    static KEPT: LazyLock<Mutex<HashMap<PathBuf, &'static File>>> = LazyLock::new(Mutex::default);
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(match kept.entry(path.to_path_buf()) {
        Entry::Occupied(there) => there.get(),
        Entry::Vacant(new) => new.insert(Box::leak(Box::new(File::open(path)?))),
    })
}
