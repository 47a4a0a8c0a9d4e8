//! A place, or the whole vault, to a folder.
//!
//! First the folders are made, then the files written in parallel, in the order in which they were sealed, since
//! neighbours share packs; the links come last, so that nothing is ever written through one.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::file::{CopyError, UnnamedFile};
use super::names;
use super::{
    DamagedAsset, ExportError, ExportOptions, ExportProgress, ExportReport, ExportWatch,
    REPORTED_MAX, RefusedItem, Renamed,
};
use crate::error::ReadError;
use crate::ids::{AssetId, Seq};
use crate::model::{Asset, Link, PlaceId, WalkItem, WalkNode};
use crate::name::Name;
use crate::paths::system;
use crate::vault::Vault;

/// Writes everything below `from`, or the whole vault, into `dir`, which must be new or empty.
///
/// Modification times and execute bits of files and times of links are restored; folders have the time at which
/// they were made. Damaged assets leave nothing behind, are reported, and the rest goes on. Files are not synced one
/// by one: what is to survive a power cut right afterwards needs a `sync`.
pub fn export(
    vault: &Vault,
    from: Option<PlaceId>,
    dir: &Path,
    options: ExportOptions,
    watch: ExportWatch<'_>,
) -> Result<ExportReport, ExportError> {
    // Asked before the folder is made: a typing error should leave nothing behind.
    let walk = vault.walk(from, options.all_versions)?;
    let root = empty_folder(dir)?;
    let mut export = Export {
        vault,
        folders: vec![Folder {
            names: Vec::new(),
            path: Some(root.clone()),
        }],
        files: Vec::new(),
        links: Vec::new(),
        root,
        watch,
        report: Mutex::default(),
    };
    let start = from.map_or(Seq::VAULT, PlaceId::seq);
    export.gather(walk, start)?;
    export.files.sort_unstable_by_key(|file| file.id);
    export.write_files(options.threads)?;
    export.make_links();
    let mut report = export
        .report
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    report.renamed.sort_by(|a, b| a.path.cmp(&b.path));
    report.damaged.sort_by(|a, b| a.path.cmp(&b.path));
    report.refused.sort_by(|a, b| a.path.cmp(&b.path));
    report.stopped = watch.stop.load(Ordering::Relaxed);
    Ok(report)
}

/// Makes `dir`, or finds that it is empty; its real path.
fn empty_folder(dir: &Path) -> Result<PathBuf, ExportError> {
    let write = |source| ExportError::Write {
        path: dir.to_path_buf(),
        source,
    };
    match fs::read_dir(dir) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                return Err(ExportError::NotEmpty {
                    path: dir.to_path_buf(),
                });
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(dir).map_err(write)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(ExportError::NotEmpty {
                path: dir.to_path_buf(),
            });
        }
        Err(error) => return Err(write(error)),
    }
    fs::canonicalize(dir).map_err(write)
}

struct Export<'a> {
    vault: &'a Vault,
    root: PathBuf,
    folders: Vec<Folder>,
    files: Vec<PendingFile>,
    links: Vec<(usize, Box<Link>)>,
    watch: ExportWatch<'a>,
    report: Mutex<ExportReport>,
}

/// A folder made for a project or collection.
struct Folder {
    /// Its path in the vault, below where the export began.
    names: Vec<Name>,
    /// Where it is; `None` if it could not be made.
    path: Option<PathBuf>,
}

struct PendingFile {
    id: AssetId,
    folder: usize,
    name: Name,
    bytes: u64,
    /// Another asset of that name is newer.
    superseded: bool,
}

impl Export<'_> {
    /// Walks, makes the folders, and notes files and links.
    fn gather(
        &mut self,
        walk: impl Iterator<Item = Result<WalkItem, ReadError>>,
        start: Seq,
    ) -> Result<(), ExportError> {
        let mut folder_of = HashMap::from([(start, 0)]);
        // A walk goes down branch by branch: the folders from the root to the one it is in.
        let mut branch = vec![0];
        for item in walk {
            if self.watch.stop.load(Ordering::Relaxed) {
                break;
            }
            let item = match item {
                Ok(item) => item,
                Err(error @ (ReadError::Damaged { .. } | ReadError::Derived { .. })) => {
                    self.report().listing = Some(error);
                    break;
                }
                Err(error) => return Err(error.into()),
            };
            let parent_of = |seq: Seq| {
                folder_of.get(&seq).copied().ok_or(ReadError::Derived {
                    detail: format!("place {seq} is listed after what is in it"),
                })
            };
            match item.node {
                WalkNode::Project(id) => {
                    let index = self.enter(&mut branch, id.seq(), item.path)?;
                    folder_of.insert(id.seq(), index);
                }
                WalkNode::Collection(id) => {
                    let index = self.enter(&mut branch, id.seq(), item.path)?;
                    folder_of.insert(id.seq(), index);
                }
                WalkNode::Asset(asset) => {
                    let folder = parent_of(asset.collection.seq())?;
                    self.note_file(folder, &asset);
                }
                WalkNode::Link(link) => {
                    let folder = parent_of(link.collection.seq())?;
                    self.links.push((folder, link));
                }
            }
        }
        Ok(())
    }

    /// Makes the folder of `names` where `branch` leads to, and takes it into the branch.
    fn enter(
        &mut self,
        branch: &mut Vec<usize>,
        seq: Seq,
        names: Vec<Name>,
    ) -> Result<usize, ExportError> {
        branch.truncate(names.len());
        let parent = branch.last().copied().unwrap_or(0);
        let index = self.make_folder(parent, seq, names)?;
        branch.push(index);
        Ok(index)
    }

    fn note_file(&mut self, folder: usize, asset: &Asset) {
        let mut file = PendingFile {
            id: asset.id,
            folder,
            name: asset.name.clone(),
            bytes: asset.size,
            superseded: false,
        };
        // Versions of one name come one after the other.
        if let Some(last) = self.files.last_mut()
            && last.folder == folder
            && last.name == file.name
        {
            let older = if last.id < file.id { last } else { &mut file };
            older.superseded = true;
        }
        self.files.push(file);
    }

    fn make_folder(
        &mut self,
        parent: usize,
        seq: Seq,
        names: Vec<Name>,
    ) -> Result<usize, ExportError> {
        let mut path = None;
        if let (Some(above), Some(name)) = (self.folders[parent].path.clone(), names.last()) {
            match names::place(name, |candidate| {
                let path = above.join(candidate);
                fs::create_dir(&path).map(|()| path)
            }) {
                Ok((made, renamed)) => {
                    self.report().folders += 1;
                    if renamed.is_some() {
                        self.renamed(names.clone(), &made);
                    }
                    path = Some(made);
                }
                Err(error) => self.refused(seq, names.clone(), above.join("…"), error)?,
            }
        }
        self.folders.push(Folder { names, path });
        Ok(self.folders.len() - 1)
    }

    fn write_files(&self, threads: usize) -> Result<(), ExportError> {
        let threads = match threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            threads => threads,
        };
        let tally = Tally {
            watch: self.watch,
            bytes_done: AtomicU64::new(0),
            bytes_total: self.files.iter().map(|file| file.bytes).sum(),
            files_done: AtomicU64::new(0),
            files_total: self.files.len() as u64,
        };
        let next = AtomicUsize::new(0);
        let failed = AtomicBool::new(false);
        let failure = Mutex::new(None);
        std::thread::scope(|scope| {
            for _ in 0..threads.min(self.files.len()) {
                scope.spawn(|| {
                    while let Some(file) = self.files.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if failed.load(Ordering::Relaxed) || self.watch.stop.load(Ordering::Relaxed)
                        {
                            break;
                        }
                        if let Err(error) = self.write_file(file, &tally) {
                            failed.store(true, Ordering::Relaxed);
                            let mut first = failure.lock().unwrap_or_else(PoisonError::into_inner);
                            first.get_or_insert(error);
                        }
                        tally.advance(1, 0);
                    }
                });
            }
        });
        let failure = failure.into_inner().unwrap_or_else(PoisonError::into_inner);
        failure.map_or(Ok(()), Err)
    }

    fn write_file(&self, file: &PendingFile, tally: &Tally<'_>) -> Result<(), ExportError> {
        let folder = &self.folders[file.folder];
        let path = || folder.names.iter().chain([&file.name]).cloned().collect();
        let Some(above) = &folder.path else {
            let reason = io::Error::other("its folder could not be made");
            return self.refused(file.id.seq(), path(), PathBuf::new(), reason);
        };
        let reader = match self.vault.open_asset(file.id) {
            Ok(reader) => reader,
            Err(error) => return self.damaged(file.id, path(), error),
        };
        let wanted = if file.superseded {
            names::of_version(&file.name, file.id.seq())
        } else {
            file.name.clone()
        };
        let written = UnnamedFile::create(above)
            .map_err(CopyError::Write)
            .and_then(|mut unnamed| {
                unnamed.fill(&reader, self.watch.stop, &|bytes| tally.advance(0, bytes))?;
                names::place(&wanted, |candidate| {
                    let path = above.join(candidate);
                    unnamed.rename(&path).map(|()| path)
                })
                .map_err(CopyError::Write)
            });
        match written {
            Ok((made, renamed)) => {
                let mut report = self.report();
                report.files += 1;
                report.bytes += file.bytes;
                drop(report);
                if renamed.is_some() {
                    self.renamed(path(), &made);
                }
                Ok(())
            }
            Err(CopyError::Stopped) => Ok(()),
            Err(CopyError::Read(error)) => self.damaged(file.id, path(), error),
            Err(CopyError::Write(error)) => {
                self.refused(file.id.seq(), path(), above.join("…"), error)
            }
        }
    }

    fn make_links(&self) {
        for (folder, link) in &self.links {
            if self.watch.stop.load(Ordering::Relaxed) {
                return;
            }
            let folder = &self.folders[*folder];
            let path: Vec<Name> = folder.names.iter().chain([&link.name]).cloned().collect();
            let Some(above) = &folder.path else {
                let reason = "its folder could not be made".into();
                self.note_refused(link.seq, path, reason);
                continue;
            };
            let made = names::place(&link.name, |candidate| {
                let path = above.join(candidate);
                system::make_link(&link.target, &path).map(|()| path)
            });
            match made {
                Ok((made, renamed)) => {
                    self.report().links += 1;
                    if renamed.is_some() {
                        self.renamed(path, &made);
                    }
                    if let Some(modified) = link.modified {
                        // Not every file system keeps times of links.
                        let _ = system::set_link_modified(&made, modified);
                    }
                }
                Err(error) => self.note_refused(link.seq, path, error.to_string()),
            }
        }
    }

    fn report(&self) -> std::sync::MutexGuard<'_, ExportReport> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn renamed(&self, path: Vec<Name>, made: &Path) {
        let to = made.strip_prefix(&self.root).unwrap_or(made).to_path_buf();
        let mut report = self.report();
        if report.renamed.len() < REPORTED_MAX {
            report.renamed.push(Renamed { path, to });
        } else {
            report.left_out += 1;
        }
    }

    /// Damage is noted; anything else ends the export.
    fn damaged(&self, id: AssetId, path: Vec<Name>, error: ReadError) -> Result<(), ExportError> {
        if !matches!(error, ReadError::Damaged { .. } | ReadError::Derived { .. }) {
            return Err(error.into());
        }
        let mut report = self.report();
        if report.damaged.len() < REPORTED_MAX {
            report.damaged.push(DamagedAsset { id, path, error });
        } else {
            report.left_out += 1;
        }
        Ok(())
    }

    /// What is wrong with one file is noted; what is wrong with the file system ends the export.
    fn refused(
        &self,
        entry: Seq,
        path: Vec<Name>,
        at: PathBuf,
        error: io::Error,
    ) -> Result<(), ExportError> {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        if matches!(
            error.kind(),
            StorageFull | QuotaExceeded | ReadOnlyFilesystem
        ) {
            return Err(ExportError::Write {
                path: at,
                source: error,
            });
        }
        let reason = match error.kind() {
            FileTooLarge => "the file system takes no file that large".into(),
            _ => error.to_string(),
        };
        self.note_refused(entry, path, reason);
        Ok(())
    }

    fn note_refused(&self, entry: Seq, path: Vec<Name>, reason: String) {
        let mut report = self.report();
        if report.refused.len() < REPORTED_MAX {
            report.refused.push(RefusedItem {
                entry,
                path,
                reason,
            });
        } else {
            report.left_out += 1;
        }
    }
}

/// How far the writing threads are together.
struct Tally<'a> {
    watch: ExportWatch<'a>,
    bytes_done: AtomicU64,
    bytes_total: u64,
    files_done: AtomicU64,
    files_total: u64,
}

impl Tally<'_> {
    fn advance(&self, files: u64, bytes: u64) {
        let progress = ExportProgress {
            bytes_done: self.bytes_done.fetch_add(bytes, Ordering::Relaxed) + bytes,
            bytes_total: self.bytes_total,
            files_done: self.files_done.fetch_add(files, Ordering::Relaxed) + files,
            files_total: self.files_total,
        };
        (self.watch.progress)(progress);
    }
}
