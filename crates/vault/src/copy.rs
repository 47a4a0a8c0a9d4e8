//! Copies of a vault: backups, which can be added to, and frozen ones, which cannot.
//!
//! A copy is made of one snapshot, synced, read again from its medium and verified, and its log compared with the
//! snapshot's; only then does it get its name. What is damaged is not copied: it would pass for a backup. To keep a
//! damaged vault as it is, its files are copied with any other program.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::error::{OpenError, ReadError, Retry};
use crate::ids::Digest;
use crate::platform;
use crate::read::Reading;
use crate::store::copy::{PagesError, Snapshot, create, pages};
use crate::store::files::{self, OpenFile};
use crate::store::log;
use crate::store::open::FileMode;
use crate::store::pool::Pool;
use crate::verify::{VerifyLevel, VerifyProgress, VerifyReport, verify};

/// How often a verification is asked how far it is, and whoever waits whether it should end.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Findings that an error names; `compactvault verify` lists all.
const NAMED_MAX: usize = 3;

/// What kind of copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CopyOptions {
    /// A copy for read-only media: nobody may write the file, and it is read with nothing beside it.
    pub frozen: bool,
    /// How the copy is verified before it gets its name.
    pub level: VerifyLevel,
}

/// How far a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyProgress {
    /// Bytes copied and verified so far.
    pub bytes_done: u64,
    /// Bytes to copy and verify in all, an estimate.
    pub bytes_total: u64,
    /// All is copied, and now compared.
    pub verifying: bool,
}

/// Who waits for a copy.
pub struct CopyWatch<'a> {
    /// Called from the thread that copies, every few megabytes or many times a second.
    pub progress: &'a dyn Fn(CopyProgress),
    /// Set from anywhere: the copy ends soon, and nothing is left of it.
    pub stop: &'a AtomicBool,
}

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyReport {
    /// Bytes of the copy.
    pub bytes: u64,
    /// Entries in its log, those of the vault when the copy began.
    pub log_size: u64,
    /// Root of the log, the same in both.
    pub root: Digest,
    /// What its verification read. It found nothing.
    pub verified: VerifyReport,
}

/// Why there is no copy. Whatever the variant: nothing is at its path that was not there before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// There is a file of that name, or the copy could not be given it.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The vault itself cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Where the copy should be there is not enough space.
    #[error("there is not enough space for {}; nothing was left there", .path.display())]
    DiskFull {
        /// The copy that was not made.
        path: PathBuf,
    },
    /// The copy holds what is not as it was sealed. Most likely so does the vault.
    #[error("{}", damaged(vault, report))]
    Damaged {
        /// The vault.
        vault: PathBuf,
        /// What verification found in the copy.
        report: VerifyReport,
    },
    /// The copy's log is not the vault's: the medium or this machine is broken.
    #[error("the copy {} is not what was written ({detail}); it was not kept, check its medium and this machine's memory", .path.display())]
    Differs {
        /// The copy that was not made.
        path: PathBuf,
        /// What differs.
        detail: String,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {source}; nothing was left there", .path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// `SQLite` could not read the vault or write the copy.
    #[error("{} could not be copied to {}: {detail}; nothing was left there", .vault.display(), .path.display())]
    Store {
        /// The vault.
        vault: PathBuf,
        /// The copy that was not made.
        path: PathBuf,
        /// `SQLite`'s message.
        detail: String,
    },
    /// Somebody asked to stop.
    #[error("stopped before the end; there is no copy")]
    Stopped,
}

impl CopyError {
    /// A stable word for scripts and the wire.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Open(OpenError::Exists { .. }) => "exists",
            Self::Open(error) => error.code(),
            Self::Read(error) => error.code(),
            Self::DiskFull { .. } => "disk_full",
            Self::Damaged { .. } => "damaged",
            Self::Differs { .. } => "copy_differs",
            Self::Io { .. } => "io",
            Self::Store { .. } => "store",
            Self::Stopped => "stopped",
        }
    }

    /// Whether trying again can help.
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Open(error) => error.retry(),
            Self::Read(error) => error.retry(),
            Self::Stopped => Retry::Never,
            _ => Retry::AfterActing,
        }
    }
}

/// Removes the unfinished copy, unless it got its name.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After it got its name there is none of this one, and otherwise it has a name that says what it is.
        let _ = fs::remove_file(&self.0);
    }
}

pub(crate) fn copy(
    reading: &Arc<Reading>,
    vault: &Path,
    path: &Path,
    options: CopyOptions,
    watch: &CopyWatch<'_>,
) -> Result<CopyReport, CopyError> {
    if path.symlink_metadata().is_ok() {
        return Err(OpenError::Exists { path: path.into() }.into());
    }
    let io = |action| {
        move |source| CopyError::Io {
            action,
            path: path.into(),
            source,
        }
    };
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(|error| io("find random numbers for")(error.into()))?;
    let suffix = format!("-copying-{:08x}", u32::from_ne_bytes(random));
    let temporary = files::beside(path, &suffix);
    create(&temporary).map_err(io("create"))?;
    let unfinished = Unfinished(temporary);
    // A relative path would name another file after a change of directory.
    let temporary = fs::canonicalize(&unfinished.0).map_err(io("find"))?;

    let snapshot = copy_pages(reading, vault, path, &temporary, options, watch)?;
    let verified = verify_copy(path, temporary.clone(), snapshot, options, watch)?;
    if !verified.findings.is_empty() {
        return Err(CopyError::Damaged {
            vault: vault.into(),
            report: verified,
        });
    }
    let file = File::open(&temporary).map_err(io("open"))?;
    platform::copy_permissions(vault, &file, options.frozen).map_err(io("set permissions of"))?;
    files::publish(&temporary, path)?;
    Ok(CopyReport {
        bytes: snapshot.bytes,
        log_size: snapshot.log_size,
        root: snapshot.root,
        verified,
    })
}

fn copy_pages(
    reading: &Reading,
    vault: &Path,
    path: &Path,
    temporary: &Path,
    options: CopyOptions,
    watch: &CopyWatch<'_>,
) -> Result<Snapshot, CopyError> {
    let source = reading.pool.dedicated()?;
    let folder = files::directory_of(temporary);
    let fits = |bytes| platform::free_bytes(&folder).is_none_or(|free| free >= bytes);
    let go_on = |bytes_done, bytes| {
        (watch.progress)(CopyProgress {
            bytes_done,
            bytes_total: 2 * bytes,
            verifying: false,
        });
        !watch.stop.load(Ordering::Relaxed)
    };
    pages(&source, temporary, options.frozen, fits, &go_on).map_err(|error| match error {
        PagesError::Source(error) => CopyError::Read(error),
        PagesError::DiskFull => CopyError::DiskFull { path: path.into() },
        PagesError::Store(detail) => CopyError::Store {
            vault: vault.into(),
            path: path.into(),
            detail,
        },
        PagesError::Io(source) => CopyError::Io {
            action: "sync",
            path: path.into(),
            source,
        },
        PagesError::Stopped => CopyError::Stopped,
    })
}

/// Verifies the copy, on threads of their own: when somebody asks to stop, they are left to themselves with a file
/// that has no name any more.
fn verify_copy(
    path: &Path,
    temporary: PathBuf,
    snapshot: Snapshot,
    options: CopyOptions,
    watch: &CopyWatch<'_>,
) -> Result<VerifyReport, CopyError> {
    let file = OpenFile::register(&temporary, options.frozen);
    // Nobody else knows of it, so nothing need lie beside it.
    let pool = Pool::new(temporary, FileMode::Immutable, Duration::ZERO);
    let reading = Arc::new(Reading::new(pool, file));
    let differs = |detail: String| CopyError::Differs {
        path: path.into(),
        detail,
    };
    {
        let connection = reading
            .pool
            .get()
            .map_err(|error| differs(error.to_string()))?;
        let log = log::last_root(&connection).map_err(|error| differs(error.to_string()))?;
        if log != (snapshot.log_size, snapshot.root) {
            let (was, is) = (snapshot.log_size, log.0);
            let detail = format!("its log of {is} entries is not the vault's of {was}");
            return Err(differs(detail));
        }
    }
    let far = Arc::new((AtomicU64::new(0), AtomicU64::new(snapshot.bytes)));
    let thread = {
        let (reading, far, level) = (Arc::clone(&reading), Arc::clone(&far), options.level);
        let verifying = move || {
            let tell = |progress: VerifyProgress| {
                far.0.store(progress.bytes_done, Ordering::Relaxed);
                far.1.store(progress.bytes_total, Ordering::Relaxed);
            };
            verify(&reading, level, &tell, Arc::new(|| false))
        };
        std::thread::Builder::new()
            .name("verify copy".into())
            .spawn(verifying)
            .map_err(|source| CopyError::Io {
                action: "start a thread for",
                path: path.into(),
                source,
            })?
    };
    watch_over(&thread, snapshot, &far, watch)?;
    match thread.join() {
        Ok(report) => Ok(report?),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn watch_over<T>(
    thread: &JoinHandle<T>,
    snapshot: Snapshot,
    (done, total): &(AtomicU64, AtomicU64),
    watch: &CopyWatch<'_>,
) -> Result<(), CopyError> {
    // Ends when the thread does, whose work is bounded by the file.
    while !thread.is_finished() {
        if watch.stop.load(Ordering::Relaxed) {
            return Err(CopyError::Stopped);
        }
        (watch.progress)(CopyProgress {
            bytes_done: snapshot.bytes + done.load(Ordering::Relaxed),
            bytes_total: snapshot.bytes + total.load(Ordering::Relaxed),
            verifying: true,
        });
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

fn damaged(vault: &Path, report: &VerifyReport) -> String {
    let named: Vec<_> = report
        .findings
        .iter()
        .take(NAMED_MAX)
        .map(|finding| match (&finding.path, finding.entry) {
            (Some(path), _) => format!("“{path}”: {}", finding.detail),
            (None, Some(entry)) => format!("{} #{entry}: {}", finding.area, finding.detail),
            (None, None) => format!("{}: {}", finding.area, finding.detail),
        })
        .collect();
    let count = report.findings.len() as u64 + report.findings_left_out;
    let more = match count - named.len() as u64 {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!(
        "{vault} is damaged, so it was not copied: {}{more}. `compactvault verify` lists everything; to keep the vault \
         as it is, copy its file with another program",
        named.join("; "),
        vault = vault.display(),
    )
}
