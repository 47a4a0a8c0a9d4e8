//! Archiving a plan: reading files in parallel, handing them in, and waiting for what became of them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use super::plan::{Item, Plan, unreadable};
use super::seen::{Record, Seen, StateKey};
use super::source::{Broken, SteadyFile};
use super::system;
use super::unchanged::Unchanged;
use super::{Progress, Report, SKIPPED_MAX, SkipReason, Skipped, Watch};
use crate::error::{IngestError, Retry};
use crate::ingest::{
    ArchiveError, HANDFUL_BYTES, HANDFUL_SOURCES_MAX, Handful, Ingest, NewAsset, NewLink,
    SourceDigest, Ticket,
};
use crate::limits::{BATCH_ENTRIES_MAX, TRANSACTION_ENTRIES_MAX};
use crate::model::PlaceId;
use crate::name::Name;
use crate::vault::Vault;

/// Things handed in and not yet sealed: enough for a transaction that takes in one batch more than it asks for, and
/// for those that gather and are packed meanwhile. With fewer it would wait for files that wait for it.
const TICKETS_MAX: usize = TRANSACTION_ENTRIES_MAX + 5 * BATCH_ENTRIES_MAX;
/// How often a file is read before it is said to change all the time.
const READINGS_MAX: usize = 2;

impl Plan {
    /// Archives everything planned into the collections `below` the place, which are found or created. Returns when
    /// all of it is sealed or known to be impossible.
    ///
    /// An error means that the vault cannot go on (full, in use, broken); what was sealed until then stays, and the
    /// same call later takes it up again.
    pub fn archive(
        &self,
        vault: &Vault,
        place: PlaceId,
        below: &[Name],
        watch: Watch<'_>,
    ) -> Result<Report, IngestError> {
        let (skipped, skipped_left_out) = self.skipped();
        let seen = Seen::load(vault.cache_dir());
        let mut unchanged = Unchanged::default();
        if !watch.reread {
            // What a damaged list hides is read, and meets the damage where it can be told.
            unchanged =
                Unchanged::find(self, &seen, vault, place, below, &watch).unwrap_or_default();
        }
        let records = std::mem::take(&mut unchanged.records);
        let act = Act {
            plan: self,
            ingest: vault.ingest()?,
            place,
            below,
            watch,
            report: Mutex::new(Report {
                skipped: skipped.to_vec(),
                skipped_left_out,
                already_archived: unchanged.files(),
                unread: unchanged.files(),
                bytes: unchanged.bytes,
                ..Report::default()
            }),
            bytes: AtomicU64::new(unchanged.bytes),
            files: AtomicU64::new(unchanged.files()),
            unchanged,
            records: Mutex::new(records),
            failed: Mutex::new(None),
            has_failed: AtomicBool::new(false),
        };
        vault.rest_readers();
        for step in &self.steps {
            act.step(step.clone());
        }
        seen.save(
            act.records
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner),
        );
        if let Some(error) = act
            .failed
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
        {
            return Err(error);
        }
        let mut report = act
            .report
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        report.skipped.sort_by(|a, b| a.path.cmp(&b.path));
        report.stopped = watch.stop.load(Ordering::Relaxed);
        Ok(report)
    }
}

/// What the reading threads share.
struct Act<'a> {
    plan: &'a Plan,
    ingest: &'a Arc<Ingest>,
    place: PlaceId,
    below: &'a [Name],
    watch: Watch<'a>,
    report: Mutex<Report>,
    bytes: AtomicU64,
    files: AtomicU64,
    /// Not to be read.
    unchanged: Unchanged,
    /// What is known of files that are sealed.
    records: Mutex<Vec<Record>>,
    failed: Mutex<Option<IngestError>>,
    has_failed: AtomicBool,
}

/// Something handed in.
struct Pending {
    ticket: Ticket,
    folder: usize,
    what: Handed,
}

#[derive(Clone, Copy)]
enum Handed {
    File {
        item: usize,
        bytes: u64,
        record: Option<Record>,
    },
    Link {
        item: usize,
    },
    Folder,
}

impl Handed {
    fn file(item: usize, key: Option<StateKey>, digest: &SourceDigest) -> Self {
        Self::File {
            item,
            bytes: digest.size,
            record: key.map(|key| Record::new(key, &digest.sha256)),
        }
    }
}

/// A small file that was read and not handed in yet.
struct Small {
    folder: usize,
    item: usize,
    key: Option<StateKey>,
}

/// What is left to hand in of a step.
struct Cursor {
    folders: std::ops::Range<usize>,
    item: usize,
}

/// Why something was not handed in.
enum Refused {
    Skip(SkipReason),
    /// Nothing can be handed in any more.
    Fail(IngestError),
    /// Somebody asked to stop.
    Stopped,
}

impl From<IngestError> for Refused {
    fn from(error: IngestError) -> Self {
        match error.retry() {
            // It is about this one name, target or depth.
            Retry::Never if !matches!(error, IngestError::ReadOnly { .. }) => {
                Self::Skip(SkipReason::Refused(error.to_string()))
            }
            _ => Self::Fail(error),
        }
    }
}

impl Act<'_> {
    fn step(&self, folders: std::ops::Range<usize>) {
        let threads = match self.watch.threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            threads => threads,
        };
        let cursor = Mutex::new(Cursor { folders, item: 0 });
        let (send, receive) = sync_channel(TICKETS_MAX);
        let reading = AtomicUsize::new(threads);
        self.ingest.set_bulk(true);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                let send = send.clone();
                scope.spawn(|| {
                    self.read_all(&cursor, &send);
                    drop(send);
                    if reading.fetch_sub(1, Ordering::AcqRel) == 1 {
                        // Nothing more comes that a batch could wait for.
                        self.ingest.set_bulk(false);
                    }
                });
            }
            drop(send);
            self.collect(&receive);
        });
    }

    fn read_all(&self, cursor: &Mutex<Cursor>, send: &SyncSender<Pending>) {
        let mut at: Option<(usize, Vec<Name>)> = None;
        let mut small = self.ingest.handful();
        let mut run = Vec::new();
        loop {
            self.claim(cursor, &mut run);
            if run.is_empty() {
                return;
            }
            for (folder, item) in run.drain(..) {
                if self.is_over() {
                    break;
                }
                // Neighbours mostly lie in one folder.
                let folders = match at.take() {
                    Some((known, folders)) if known == folder => folders,
                    _ => {
                        let mut folders = self.below.to_vec();
                        folders.extend(self.plan.destination(folder));
                        folders
                    }
                };
                self.hand_in(folder, item, &folders, &mut small, send);
                at = Some((folder, folders));
            }
            self.hand_in_small(&mut small, send);
        }
    }

    /// Whether nothing more is to be read.
    fn is_over(&self) -> bool {
        self.watch.stop.load(Ordering::Relaxed) || self.has_failed.load(Ordering::Relaxed)
    }

    /// Takes the next run of files and links, each with its folder, or of folders that are empty: what one thread reads and
    /// hands in together, so that neighbours stay neighbours in the vault. None at the end.
    fn claim(&self, cursor: &Mutex<Cursor>, run: &mut Vec<(usize, Option<usize>)>) {
        let mut bytes = 0;
        let mut cursor = cursor.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.is_over() && run.len() < HANDFUL_SOURCES_MAX {
            let index = cursor.folders.start;
            let Some(folder) = self.plan.folders[cursor.folders.clone()].first() else {
                return;
            };
            if let Some(item) = folder.items.get(cursor.item) {
                if !self.unchanged.has(index, cursor.item) {
                    bytes += item.bytes;
                    // The first is taken however long it is.
                    if bytes > HANDFUL_BYTES as u64 && !run.is_empty() {
                        return;
                    }
                    run.push((index, Some(cursor.item)));
                }
                cursor.item += 1;
            } else {
                if folder.is_empty {
                    run.push((index, None));
                }
                cursor.folders.start += 1;
                cursor.item = 0;
            }
        }
    }

    fn hand_in(
        &self,
        folder: usize,
        item: Option<usize>,
        folders: &[Name],
        small: &mut Handful<'_, Small>,
        send: &SyncSender<Pending>,
    ) {
        let source = &self.plan.folders[folder].source;
        let (path, handed) = match item {
            None if folders.is_empty() => return,
            None => {
                let ticket = self.ingest.folder(self.place, folders.to_vec());
                let handed = ticket
                    .map(|ticket| Some((ticket, Handed::Folder)))
                    .map_err(Refused::from);
                (source.clone(), handed)
            }
            Some(number) => {
                let item = &self.plan.folders[folder].items[number];
                let path = source.join(system::os_bytes(item.name.as_bytes()).unwrap_or_default());
                let handed = if item.is_link {
                    let what = Handed::Link { item: number };
                    self.link(item, &path, folders)
                        .map(|ticket| Some((ticket, what)))
                } else {
                    self.file((folder, number), &path, folders, small, send)
                };
                (path, handed)
            }
        };
        match handed {
            Ok(handed) => {
                self.advance(1, 0, &path);
                if let Some((ticket, what)) = handed {
                    // The collecting end stays until all senders are gone.
                    let _ = send.send(Pending {
                        ticket,
                        folder,
                        what,
                    });
                }
            }
            Err(Refused::Skip(reason)) => {
                self.advance(1, 0, &path);
                self.skip(path, reason);
            }
            Err(Refused::Fail(error)) => self.fail(error),
            Err(Refused::Stopped) => {}
        }
    }

    fn link(&self, item: &Item, path: &Path, folders: &[Name]) -> Result<Ticket, Refused> {
        let broken = |error| Refused::Skip(unreadable(&error));
        let target = fs::read_link(path).map_err(broken)?;
        let metadata = fs::symlink_metadata(path).map_err(broken)?;
        let target =
            system::name_bytes(target.as_os_str()).ok_or(Refused::Skip(SkipReason::NotUnicode))?;
        Ok(self.ingest.link(NewLink {
            place: self.place,
            folders: folders.to_vec(),
            name: item.name.clone(),
            target: target.to_vec(),
            modified: system::modified(&metadata),
        })?)
    }

    /// Hands in the small files that were read.
    fn hand_in_small(&self, small: &mut Handful<'_, Small>, send: &SyncSender<Pending>) {
        for (of, handed) in small.hand_in() {
            match handed {
                Ok((ticket, digest)) => {
                    let _ = send.send(Pending {
                        ticket,
                        folder: of.folder,
                        what: Handed::file(of.item, of.key, &digest),
                    });
                }
                Err(error) => self.fail(error),
            }
        }
    }

    /// Reads a file; hands it in, or leaves it among the small ones.
    fn file(
        &self,
        (folder, number): (usize, usize),
        path: &Path,
        folders: &[Name],
        small: &mut Handful<'_, Small>,
        send: &SyncSender<Pending>,
    ) -> Result<Option<(Ticket, Handed)>, Refused> {
        let item = &self.plan.folders[folder].items[number];
        let broken = |error| Refused::Skip(unreadable(&error));
        for _ in 0..READINGS_MAX {
            let on_read = |bytes| self.advance(0, bytes, path);
            let mut source = SteadyFile::open(path, self.watch.stop, &on_read)
                .map_err(|error| Refused::Skip(why_unopened(path, &error)))?;
            #[cfg(unix)]
            if Some(crate::platform::Identity::from(source.metadata())) == self.plan.vault_file {
                // Closing a second handle on it would drop SQLite's locks.
                source.leave_open();
                return Err(Refused::Skip(SkipReason::Special("the vault itself")));
            }
            let metadata = source.metadata();
            if !metadata.is_file() {
                return Err(Refused::Skip(SkipReason::Special(system::special_kind(
                    metadata,
                ))));
            }
            let stamp = source.stamp();
            let key = std::path::absolute(path)
                .ok()
                .and_then(|path| StateKey::of(&path, &stamp));
            let asset = NewAsset {
                place: self.place,
                folders: folders.to_vec(),
                name: item.name.clone(),
                modified: system::modified(metadata),
                executable: system::is_executable(metadata),
                expected_size: None,
                expected_sha256: None,
            };
            let size = stamp.size();
            let is_small = Handful::<Small>::takes(size);
            if !is_small || !small.has_room(size) {
                self.hand_in_small(small, send);
            }
            let read = if is_small {
                let of = Small {
                    folder,
                    item: number,
                    key,
                };
                small.read(asset, of, size, &mut source).map(|()| None)
            } else {
                let handed = self.ingest.archive(asset, &mut source);
                handed.map(|(ticket, digest)| Some((ticket, Handed::file(number, key, &digest))))
            };
            let error = match read {
                Ok(handed) => return Ok(handed),
                Err(error) => error,
            };
            self.bytes.fetch_sub(source.bytes_read(), Ordering::Relaxed);
            match (source.broken(), error) {
                (Some(Broken::Changed), _) => {}
                (Some(Broken::Stopped), _) => return Err(Refused::Stopped),
                (None, ArchiveError::Source(error)) => return Err(broken(error)),
                (None, ArchiveError::Ingest(error)) => return Err(error.into()),
            }
        }
        Err(Refused::Skip(SkipReason::Changed))
    }

    /// Waits for what was handed in, in order, until nothing more can come.
    fn collect(&self, receive: &Receiver<Pending>) {
        for pending in receive {
            match pending.ticket.wait() {
                Ok(sealed) => {
                    if let Handed::File {
                        record: Some(record),
                        ..
                    } = pending.what
                    {
                        self.records
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(record);
                    }
                    let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
                    match pending.what {
                        Handed::Folder => report.empty_folders += 1,
                        Handed::File { bytes, .. } if sealed.already_archived => {
                            report.already_archived += 1;
                            report.bytes += bytes;
                        }
                        Handed::File { bytes, .. } => {
                            report.sealed += 1;
                            report.bytes += bytes;
                            report.sealed_bytes += bytes;
                        }
                        Handed::Link { .. } if sealed.already_archived => {
                            report.already_archived += 1;
                        }
                        Handed::Link { .. } => report.links += 1,
                    }
                }
                Err(error) => match Refused::from(error) {
                    Refused::Skip(reason) => self.skip(self.path_of(&pending), reason),
                    Refused::Fail(error) => self.fail(error),
                    Refused::Stopped => {}
                },
            }
        }
    }

    fn path_of(&self, pending: &Pending) -> PathBuf {
        let folder = &self.plan.folders[pending.folder];
        match pending.what {
            Handed::Folder => folder.source.clone(),
            Handed::File { item, .. } | Handed::Link { item } => {
                let name = folder.items[item].name.as_bytes();
                folder
                    .source
                    .join(system::os_bytes(name).unwrap_or_default())
            }
        }
    }

    fn advance(&self, files: u64, bytes: u64, current: &Path) {
        let files = self.files.fetch_add(files, Ordering::Relaxed) + files;
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        (self.watch.progress)(Progress {
            bytes,
            files,
            current,
        });
    }

    fn skip(&self, path: PathBuf, reason: SkipReason) {
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        if report.skipped.len() < SKIPPED_MAX {
            report.skipped.push(Skipped { path, reason });
        } else {
            report.skipped_left_out += 1;
        }
    }

    /// The first failure is the one to tell; those after it are its consequences.
    fn fail(&self, error: IngestError) {
        self.failed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(error);
        self.has_failed.store(true, Ordering::Relaxed);
    }
}

/// Why what lies at `path` could not be opened: it may be no file any more.
fn why_unopened(path: &Path, error: &io::Error) -> SkipReason {
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.is_file() => SkipReason::Special(system::special_kind(&metadata)),
        _ => unreadable(error),
    }
}
