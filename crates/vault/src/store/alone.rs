//! Writing alone: a large import that nobody else looks on at writes with a rollback journal, since the WAL would have
//! every byte written twice.
//!
//! The file `-alone` lies beside the vault meanwhile. Whoever wants to open the vault locks it, which is a knock; the
//! import hears it after its next commit and goes on with the WAL. A vault that was left like that is brought back to
//! the WAL by whoever opens it next.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::files::{beside, directory_of};
use super::journal;
use super::open::{self, JournalMode};
use super::wal::{Elsewhere, open_elsewhere};
use crate::doing::Doing;
use crate::error::{OpenError, is_busy};
use crate::platform;

/// What the marker's name ends in.
pub(crate) const SUFFIX: &str = "-alone";
/// Between two tries to open a vault that is being written to.
const BETWEEN_TRIES: Duration = Duration::from_millis(5);

/// A connection writes alone for as long as this lives.
pub(crate) struct Alone {
    marker: File,
    path: PathBuf,
}

impl Alone {
    /// Has `connection` write with a rollback journal, if nobody else has the vault open or wants to.
    pub(crate) fn enter(connection: &Connection, vault: &Path) -> rusqlite::Result<Option<Self>> {
        let path = beside(vault, SUFFIX);
        let Ok(marker) = mark(vault, &path) else {
            return Ok(None);
        };
        let alone = Self { marker, path };
        let _doing = Doing::begin("switch the journal");
        match open::set_journal_mode(connection, JournalMode::Persist) {
            Ok(true) => {
                // Dropping a lock cannot fail in a way that matters: who knocks would only wait longer.
                let _ = alone.marker.unlock();
                Ok(Some(alone))
            }
            Ok(false) => {
                alone.forget();
                Ok(None)
            }
            Err(error) if is_busy(&error) => {
                alone.forget();
                Ok(None)
            }
            // The marker stays: it is not known how the file was left.
            Err(error) => Err(error),
        }
    }

    /// Whether somebody wants to open the vault, or has done so.
    pub(crate) fn is_disturbed(&self, connection: &Connection) -> bool {
        let silent = self.marker.try_lock().is_ok() && self.marker.unlock().is_ok();
        !silent || !open::has_journal_mode(connection, JournalMode::Persist)
    }

    /// Goes back to the WAL, waiting for those who look at the file at this moment.
    pub(crate) fn leave(
        self,
        connection: &Connection,
        lock_timeout: Duration,
    ) -> Result<(), (Self, rusqlite::Error)> {
        let deadline = Instant::now() + lock_timeout;
        let _doing = Doing::begin("switch the journal");
        loop {
            match open::set_journal_mode(connection, JournalMode::Wal) {
                Ok(true) => {
                    self.forget();
                    return Ok(());
                }
                Ok(false) => return Err((self, rusqlite::Error::InvalidQuery)),
                Err(error) if is_busy(&error) && Instant::now() < deadline => {
                    std::thread::sleep(BETWEEN_TRIES);
                }
                Err(error) => return Err((self, error)),
            }
        }
    }

    /// Removes the marker: the vault has its WAL again.
    pub(crate) fn forget(self) {
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            // It costs the next one who opens the vault a look.
            tracing::debug!(marker = %self.path.display(), %error, "the marker stays");
        }
    }
}

/// Makes the marker, locked: whoever comes now waits until it is settled how the vault is written to.
fn mark(vault: &Path, path: &Path) -> io::Result<File> {
    let marker = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    marker.try_lock()?;
    // Somebody who brought the vault back may have removed it meanwhile.
    if !platform::is_named(&marker, path) {
        return Err(io::ErrorKind::NotFound.into());
    }
    // Without the marker a vault with a rollback journal is taken for a frozen copy.
    platform::sync_directory(&directory_of(vault))?;
    Ok(marker)
}

/// Asks an import that writes alone to let others in, and undoes what one left that was interrupted. `open_here` says
/// that this process has the vault open: then its file may not be opened for a look.
pub(crate) fn knock(
    vault: &Path,
    lock_timeout: Duration,
    open_here: bool,
) -> Result<(), OpenError> {
    let path = beside(vault, SUFFIX);
    let opened = File::open(&path).and_then(|marker| marker.lock_shared().map(|()| marker));
    let marker = match opened {
        Ok(marker) => marker,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            let action = "lock";
            return Err(OpenError::Io {
                action,
                path,
                source,
            });
        }
    };
    let deadline = Instant::now() + lock_timeout;
    loop {
        let elsewhere = if open_here {
            Elsewhere::Unknown
        } else {
            open_elsewhere(vault)
        };
        if elsewhere == Elsewhere::Closed {
            journal::refuse_damaged(vault)?;
        }
        let error = match open::bring_back(vault) {
            Ok(()) => break,
            Err(error) => error,
        };
        let may_write = platform::is_writable(vault) && platform::is_writable(&directory_of(vault));
        if may_write && !is_busy(&error) {
            return Err(open::translate(vault, &error));
        }
        if !may_write && elsewhere == Elsewhere::Closed {
            return Err(OpenError::Interrupted {
                path: vault.to_path_buf(),
            });
        }
        if Instant::now() >= deadline {
            return Err(OpenError::Busy {
                path: vault.to_path_buf(),
            });
        }
        std::thread::sleep(BETWEEN_TRIES);
    }
    if platform::is_named(&marker, &path) {
        remove_finished_journal(vault);
        Alone { marker, path }.forget();
    }
    Ok(())
}

/// Removes a rollback journal that has nothing to undo: what a kill leaves between the vault's return to the WAL and
/// the end of its journal, and nobody would look at again. The marker is locked meanwhile, so nobody begins a new one.
fn remove_finished_journal(vault: &Path) {
    let journal = beside(vault, "-journal");
    let finished = File::open(&journal).and_then(|file| journal::read(&file));
    if matches!(finished, Ok(None))
        && let Err(error) = fs::remove_file(&journal)
    {
        tracing::debug!(journal = %journal.display(), %error, "the finished journal stays");
    }
}
