//! Sending what a transaction has written so far to the disk, on a thread of its own, while the rest of it is written.
//!
//! Nothing depends on it: the commit syncs again, and finds less to wait for. Only on Linux, where a sync that fails is
//! reported to every descriptor of the file that was open then, `SQLite`'s among them; elsewhere the first to ask might
//! be the only one who is told.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::mpsc::{self, SyncSender};
use std::thread::JoinHandle;

/// Ends with its thread when it is dropped.
pub(super) struct Ahead {
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ahead {
    /// Starts the thread for a file beside the vault.
    pub(super) fn of_wal(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        Self::start(move || file.sync_data())
    }

    /// Starts the thread for the vault's own file, which stays open until the program ends: whoever closes any
    /// descriptor of a file gives up all locks that the process has on it (POSIX, `fcntl`), and so `SQLite`'s.
    pub(super) fn of_vault(path: &Path) -> io::Result<Self> {
        let file: &'static File = Box::leak(Box::new(File::open(path)?));
        Self::start(move || file.sync_data())
    }

    fn start(sync: impl Fn() -> io::Result<()> + Send + 'static) -> io::Result<Self> {
        // One request waits at most: a sync takes all there is.
        let (wake, asked) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("write-ahead".into())
            .spawn(move || {
                while asked.recv().is_ok() {
                    // The commit is told of what fails here.
                    let _ = sync();
                }
            })?;
        Ok(Self {
            wake: Some(wake),
            thread: Some(thread),
        })
    }

    /// Has everything written so far go to the disk; does not wait for it.
    pub(super) fn push(&self) {
        if let Some(wake) = &self.wake {
            // Full: it has been asked already.
            let _ = wake.try_send(());
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
