//! The spool folder `NAME.vault-uploads/`: where parts lie until their upload is sealed.
//!
//! ```text
//! NAME.vault-uploads/                 0700, there while something waits in it, locked by its process
//!   SHA-256-OF-UPLOAD-ID/             one per upload; the id itself never becomes part of a path
//!     upload.json                     the id
//!     00000000-500000-1a2b3c4d.part   number, size and CRC-32, all in hexadecimal
//!     complete.json                   what `complete` said, once that was promised
//!     new-7                           a part on its way in; worthless after a restart
//!   new-3/ gone-4/                    folders on their way in and out; worthless after a restart
//! ```
//!
//! What has its final name is whole: everything is written under another name and renamed. Size and CRC-32 in the
//! name tell a part that the disk lost or changed from the one that was received.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::completion::{Completion, Promised};
use super::error::UploadError;
use crate::doing::Doing;
use crate::ids::Digest;
use crate::platform::{free_bytes, private_file, sync_directory};

/// The SHA-256 of an upload id.
pub(super) type Key = Digest;

/// Space left free: the vault's own commits need some, and a disk filled to the last byte helps nobody.
const FREE_BYTES_RESERVE: u64 = 2 * 1024 * 1024;

/// A part that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) size: u64,
    pub(super) crc32: u32,
}

impl Part {
    /// Where the part with this number lies in its upload's folder.
    pub(super) fn path(self, folder: &Path, index: u64) -> PathBuf {
        folder.join(format!(
            "{index:08x}-{:x}-{:08x}.part",
            self.size, self.crc32
        ))
    }

    fn from_file_name(name: &str) -> Option<(u64, Self)> {
        let mut fields = name.strip_suffix(".part")?.split('-');
        let mut hex = || u64::from_str_radix(fields.next()?, 16).ok();
        let (index, size, crc32) = (hex()?, hex()?, u32::try_from(hex()?).ok()?);
        Some((index, Self { size, crc32 }))
    }
}

/// An upload that an earlier run left.
pub(super) struct Found {
    pub(super) key: Key,
    pub(super) upload_id: String,
    pub(super) parts: BTreeMap<u64, Part>,
    /// What `complete` said, if the upload was promised to be sealed.
    pub(super) completion: Option<(Completion, Promised)>,
    /// When its newest part arrived.
    pub(super) touched: SystemTime,
}

/// The folder, which may not be there yet, or be another process's.
pub(super) struct Spool {
    path: PathBuf,
    /// The locked folder while it is ours. Whoever needs it to stay holds the lock for reading.
    held: RwLock<Option<Held>>,
    counter: AtomicU64,
}

/// Closing the file gives up the lock.
struct Held(#[expect(dead_code, reason = "held for its lock")] Option<File>);

impl Spool {
    /// The spool of the vault at `vault_path`. Touches nothing.
    pub(super) fn beside(vault_path: &Path) -> Self {
        let mut name = vault_path.as_os_str().to_owned();
        name.push("-uploads");
        Self {
            path: PathBuf::from(name),
            held: RwLock::default(),
            counter: AtomicU64::new(0),
        }
    }

    /// Takes hold of the folder if it is there, or makes it if `create`. What lies in it goes to `adopt`, before
    /// any other thread can use the folder.
    pub(super) fn hold(
        &self,
        create: bool,
        adopt: impl FnOnce(Vec<Found>),
    ) -> Result<(), UploadError> {
        if self
            .held
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
        {
            return Ok(());
        }
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if held.is_some() {
            return Ok(());
        }
        if create {
            create_private_dir(&self.path)
                .map_err(UploadError::io("create the folder", &self.path))?;
        } else if !self.path.is_dir() {
            return Ok(());
        }
        let lock = lock_directory(&self.path)?;
        adopt(self.scan()?);
        *held = Some(Held(lock));
        Ok(())
    }

    /// Removes the folder if nothing lies in it, and gives up the lock on it.
    pub(super) fn release_if_empty(&self) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if held.is_some() && fs::remove_dir(&self.path).is_ok() {
            *held = None;
        }
    }

    /// Gives up the lock, and removes the folder if nothing lies in it.
    pub(super) fn let_go(&self) {
        self.release_if_empty();
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The folder.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the upload with this key lies.
    pub(super) fn folder(&self, key: &Key) -> PathBuf {
        self.path.join(key.to_string())
    }

    /// Makes an upload's folder, with its record, or nothing. `false` if the spool is not held (any more).
    pub(super) fn create_upload(&self, key: &Key, upload_id: &str) -> Result<bool, UploadError> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        if held.is_none() {
            return Ok(false);
        }
        let temporary = self.path.join(self.temporary_name("new"));
        let record = serde_json::to_vec(&Record {
            upload_id: upload_id.to_owned(),
        })
        .expect("plain text is valid JSON");
        let made = (|| {
            create_private_dir(&temporary)?;
            private_file()
                .write(true)
                .create_new(true)
                .open(temporary.join(RECORD))?
                .write_all(&record)?;
            fs::rename(&temporary, self.folder(key))
        })();
        drop(held);
        if made.is_err() {
            let _ = fs::remove_dir_all(&temporary);
        }
        made.map(|()| true)
            .map_err(UploadError::io("create the folder", &self.folder(key)))
    }

    /// Removes an upload's folder. Renamed first, so that a crash in between leaves no upload that lacks parts. What
    /// cannot be removed is logged, and tried again at the next start.
    pub(super) fn remove_upload(&self, key: &Key) {
        let gone = self.path.join(self.temporary_name("gone"));
        let removed = fs::rename(self.folder(key), &gone).and_then(|()| fs::remove_dir_all(&gone));
        if let Err(error) = removed {
            tracing::warn!(folder = %self.folder(key).display(), %error, "an ended upload could not be removed from the spool");
        }
    }

    /// A name nobody else uses.
    pub(super) fn temporary_name(&self, purpose: &str) -> String {
        format!("{purpose}-{}", self.counter.fetch_add(1, Ordering::Relaxed))
    }

    /// Fails if a part should not be begun because the disk is nearly full.
    pub(super) fn check_space(&self) -> Result<(), UploadError> {
        match free_bytes(&self.path) {
            Some(free) if free < FREE_BYTES_RESERVE => Err(UploadError::DiskFull),
            _ => Ok(()),
        }
    }

    /// Makes the upload's parts and its completion durable: from then on the upload can be sealed whatever happens.
    pub(super) fn promise(
        &self,
        key: &Key,
        parts: &BTreeMap<u64, Part>,
        completion: &Completion,
    ) -> Result<(), UploadError> {
        let _doing = Doing::begin("promise");
        let folder = self.folder(key);
        let bytes = parts.values().map(|part| part.size).sum();
        let promised = Promised {
            parts: parts.len() as u64,
            bytes,
        };
        let made = (|| {
            for (index, part) in parts {
                File::open(part.path(&folder, *index))?.sync_all()?;
            }
            File::open(folder.join(RECORD))?.sync_all()?;
            let temporary = folder.join(self.temporary_name("new"));
            let mut file = private_file()
                .write(true)
                .create_new(true)
                .open(&temporary)?;
            file.write_all(&completion.to_record(Some(promised)))?;
            file.sync_all()?;
            fs::rename(&temporary, folder.join(COMPLETION))?;
            sync_directory(&folder)?;
            sync_directory(&self.path)?;
            self.path.parent().map_or(Ok(()), sync_directory)
        })();
        made.map_err(UploadError::io("make durable", &folder))
    }

    /// Takes a promise back that nobody was told of.
    pub(super) fn unpromise(&self, key: &Key) {
        let _ = fs::remove_file(self.folder(key).join(COMPLETION));
    }

    /// Reads the folder, and clears away what is worthless.
    fn scan(&self) -> Result<Vec<Found>, UploadError> {
        let cannot_read = || UploadError::io("read the folder", &self.path);
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(cannot_read())? {
            let entry = entry.map_err(cannot_read())?;
            let path = entry.path();
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            if name.starts_with("new-") || name.starts_with("gone-") {
                let _ = fs::remove_dir_all(&path);
            } else if let Ok(key) = name.parse::<Key>() {
                match scan_upload(&path, key) {
                    Ok(upload) => found.push(upload),
                    Err(error) => {
                        tracing::warn!(folder = %path.display(), %error, "an upload in the spool cannot be read and was left alone");
                    }
                }
            } else {
                tracing::warn!(path = %path.display(), "this does not belong into the spool and was left alone");
            }
        }
        Ok(found)
    }
}

const RECORD: &str = "upload.json";
const COMPLETION: &str = "complete.json";

#[derive(Serialize, Deserialize)]
struct Record {
    upload_id: String,
}

fn scan_upload(folder: &Path, key: Key) -> io::Result<Found> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let record: Record = serde_json::from_slice(&fs::read(folder.join(RECORD))?)
        .map_err(|_| invalid("upload.json is no record of an upload"))?;
    if Key::of(record.upload_id.as_bytes()) != key {
        return Err(invalid("upload.json is of another upload"));
    }
    let mut touched = fs::metadata(folder.join(RECORD))?.modified()?;
    let mut parts = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_str().unwrap_or_default();
        if name.starts_with("new-") {
            let _ = fs::remove_file(entry.path());
        } else if let Some((index, part)) = Part::from_file_name(name) {
            let metadata = entry.metadata()?;
            if metadata.len() == part.size {
                touched = touched.max(metadata.modified()?);
                parts.insert(index, part);
            } else {
                // The machine stopped before the bytes were on disk; the client will be told that it is missing.
                tracing::warn!(file = %entry.path().display(), "a part lost bytes and was dropped");
                fs::remove_file(entry.path())?;
            }
        }
    }
    let completion = match fs::read(folder.join(COMPLETION)) {
        Ok(bytes) => Some(
            Completion::from_record(&record.upload_id, &bytes)
                .ok_or_else(|| invalid("complete.json is no record of a completion"))?,
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    Ok(Found {
        key,
        upload_id: record.upload_id,
        parts,
        completion,
        touched,
    })
}

/// Locks a folder for this process. `None` where folders cannot be locked: then two servers on one vault are not
/// kept apart, as before there was this lock.
fn lock_directory(path: &Path) -> Result<Option<File>, UploadError> {
    if !cfg!(unix) {
        return Ok(None);
    }
    // Another process may remove the folder between its opening and its locking; then this is no folder's lock.
    for _ in 0..16 {
        let cannot = |action| UploadError::io(action, path);
        let folder = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create_private_dir(path).map_err(cannot("create the folder"))?;
                continue;
            }
            folder => folder.map_err(cannot("open the folder"))?,
        };
        match folder.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(UploadError::SpoolInUse),
            Err(fs::TryLockError::Error(error)) => {
                tracing::debug!(folder = %path.display(), %error, "the folder cannot be locked here");
                return Ok(None);
            }
        }
        if is_same_file(&folder, path) {
            return Ok(Some(folder));
        }
    }
    Err(UploadError::SpoolInUse)
}

fn is_same_file(open: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        match (open.metadata(), fs::metadata(path)) {
            (Ok(open), Ok(there)) => identity(open) == identity(there),
            _ => false,
        }
    }
    #[cfg(not(unix))]
    {
        let _ = (open, path);
        true
    }
}

/// Creates a folder, and those above it, for its owner alone; one that is there stays as it is.
pub(super) fn create_private_dir(path: &Path) -> io::Result<()> {
    crate::checkpoint::create_private_dir(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_s_file_name_reads_back() {
        let part = Part {
            size: 5 * 1024 * 1024,
            crc32: 0xdead_beef,
        };
        let path = part.path(Path::new("/x"), 258);
        assert_eq!(path, Path::new("/x/00000102-500000-deadbeef.part"));
        let name = path.file_name().and_then(|name| name.to_str()).unwrap();
        assert_eq!(Part::from_file_name(name), Some((258, part)));
        for name in [
            "new-1",
            "0-0.part",
            "x-0-0.part",
            "0-0-123456789.part",
            "upload.json",
        ] {
            assert_eq!(Part::from_file_name(name), None, "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_folder_is_locked_while_it_is_held() {
        let dir = tempfile::tempdir().unwrap();
        let vault = dir.path().join("a.vault");
        let first = Spool::beside(&vault);
        let second = Spool::beside(&vault);
        second.hold(false, |_| ()).unwrap();
        first.hold(true, |found| assert!(found.is_empty())).unwrap();
        assert!(matches!(
            second.hold(true, |_| ()),
            Err(UploadError::SpoolInUse)
        ));
        assert!(!second.create_upload(&Key::of(b"x"), "x").unwrap());
        first.release_if_empty();
        assert!(!dir.path().join("a.vault-uploads").exists());
        second.hold(true, |_| ()).unwrap();
    }

    #[test]
    fn what_a_crash_left_half_done_is_cleared_away() {
        let dir = tempfile::tempdir().unwrap();
        let vault = dir.path().join("a.vault");
        let spool = Spool::beside(&vault);
        spool.hold(true, |_| ()).unwrap();
        let key = Key::of(b"../../x");
        assert!(spool.create_upload(&key, "../../x").unwrap());
        let folder = spool.folder(&key);
        let part = Part {
            size: 3,
            crc32: crc32fast::hash(b"abc"),
        };
        fs::write(part.path(&folder, 0), b"abc").unwrap();
        fs::write(part.path(&folder, 1), b"").unwrap();
        fs::write(folder.join("new-9"), b"half").unwrap();
        let base = dir.path().join("a.vault-uploads");
        fs::create_dir(base.join("new-1")).unwrap();
        fs::create_dir(base.join("gone-2")).unwrap();
        fs::write(base.join("gone-2/00000000-1-00000000.part"), b"x").unwrap();
        fs::create_dir(base.join(Key::of(b"no record").to_string())).unwrap();
        drop(spool);
        let mut found = Vec::new();
        Spool::beside(&vault)
            .hold(false, |uploads| found = uploads)
            .unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].upload_id, "../../x");
        assert_eq!(found[0].parts, BTreeMap::from([(0, part)]));
        assert!(found[0].completion.is_none());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
        assert_eq!(fs::read_dir(&base).unwrap().count(), 2);
    }
}
