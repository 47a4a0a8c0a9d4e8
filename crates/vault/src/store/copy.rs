//! The pages of a vault into another file: one snapshot, each page where it was.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::{PAGE_BYTES, log, open};
use crate::error::ReadError;
use crate::ids::Digest;

/// Pages copied between two looks at whether to go on: 4 MiB.
const STEP_PAGES: i32 = 4 * 1024 * 1024 / PAGE_BYTES.cast_signed();
/// Where the header says how the file is written and read (sqlite.org/fileformat2.html, 1.3.3).
const JOURNAL_OFFSET: u64 = 18;
const JOURNAL_ROLLBACK: [u8; 2] = [1, 1];
const JOURNAL_WAL: [u8; 2] = [2, 2];

/// What was copied: the snapshot's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// Entries.
    pub(crate) log_size: u64,
    /// The tree's root over them.
    pub(crate) root: Digest,
    /// The whole file.
    pub(crate) bytes: u64,
}

/// Why pages could not be copied.
#[derive(Debug)]
pub(crate) enum PagesError {
    Source(ReadError),
    DiskFull,
    /// Neither is known to be at fault.
    Store(String),
    Io(io::Error),
    Stopped,
}

impl From<ReadError> for PagesError {
    fn from(error: ReadError) -> Self {
        Self::Source(error)
    }
}

/// Copies what `source` sees at one moment into the empty file `target` and syncs it. As long as that takes the
/// source's WAL cannot begin anew, so a writer's grows. `go_on` is asked every 4 MiB, with the bytes done and of how
/// many; nothing is read from the source any more when this returns.
pub(crate) fn pages(
    source: &Connection,
    target: &Path,
    frozen: bool,
    fits: impl FnOnce(u64) -> bool,
    go_on: &dyn Fn(u64, u64) -> bool,
) -> Result<Snapshot, PagesError> {
    // Within a transaction a commit of somebody else does not make the backup begin anew, as it would otherwise.
    let transaction = source.unchecked_transaction().map_err(ReadError::from)?;
    let (log_size, root) = log::last_root(source)?;
    let number = |pragma| {
        source
            .pragma_query_value(None, pragma, |row| row.get::<_, u32>(0))
            .map_err(ReadError::from)
    };
    let page_bytes = u64::from(number("page_size")?);
    let bytes = u64::from(number("page_count")?) * page_bytes;
    if !fits(bytes) {
        return Err(PagesError::DiskFull);
    }
    let mut copy = open::blank(target).map_err(|error| failed(&error))?;
    let backup = Backup::new(source, &mut copy).map_err(|error| failed(&error))?;
    // The snapshot has a number of pages, so this ends.
    loop {
        let step = backup.step(STEP_PAGES).map_err(|error| failed(&error))?;
        let remaining = u64::try_from(backup.progress().remaining).unwrap_or_default();
        if !go_on(bytes.saturating_sub(remaining * page_bytes), bytes) {
            return Err(PagesError::Stopped);
        }
        match step {
            StepResult::Done => break,
            StepResult::More => {}
            // Nobody else knows of the target, and the source is in a transaction already.
            _ => return Err(PagesError::Source(ReadError::Busy)),
        }
    }
    drop(backup);
    copy.close().map_err(|(_, error)| failed(&error))?;
    transaction.finish().map_err(ReadError::from)?;
    set_journal(target, frozen).map_err(PagesError::Io)?;
    Ok(Snapshot {
        log_size,
        root,
        bytes,
    })
}

/// Makes a closed file one with a WAL, or with a rollback journal, which can be read where nothing can be written.
/// That is all that `PRAGMA journal_mode` does to a file, and this needs no files beside it.
fn set_journal(path: &Path, frozen: bool) -> io::Result<()> {
    let journal = if frozen {
        JOURNAL_ROLLBACK
    } else {
        JOURNAL_WAL
    };
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut found = [0; 2];
    file.seek(SeekFrom::Start(JOURNAL_OFFSET))?;
    file.read_exact(&mut found)?;
    if found != journal {
        file.seek(SeekFrom::Start(JOURNAL_OFFSET))?;
        file.write_all(&journal)?;
    }
    file.sync_all()?;
    crate::platform::forget_cached(&file);
    Ok(())
}

/// Whether a file's first 100 bytes say that it has a rollback journal instead of a WAL.
pub(crate) fn has_rollback_journal(header: &[u8]) -> bool {
    header.get(18..20) == Some(&JOURNAL_ROLLBACK[..])
}

/// Makes a new, empty file that nobody else may read until it is whole.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn failed(error: &rusqlite::Error) -> PagesError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => PagesError::DiskFull,
        _ if crate::error::is_busy(error) => PagesError::Source(ReadError::Busy),
        _ => PagesError::Store(error.to_string()),
    }
}
