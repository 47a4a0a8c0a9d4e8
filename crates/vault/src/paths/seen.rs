//! The stat cache: what files were when they were last read, so that an unchanged one need not be read again.
//!
//! A record says that a file of this path, inode, size, modification and change time had this SHA-256. It saves
//! reading and never decides alone: a file is left unread only if the newest asset of its name in its place has that
//! SHA-256, too. The file lies in the cache folder, is not synced, and may be lost, shared or damaged at any time: a record
//! whose bytes changed fits no file or no asset. Known limit, which every such cache has: a write through a memory
//! mapping that the system has not stamped yet is not seen.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::system::{self, Stamp};
use crate::ids::Digest;
use crate::sha256::Sha256;

/// Records kept, of those used last: 36 MiB on disk, and in memory while files are archived.
const RECORDS_MAX: usize = 1 << 20;
/// How coarse file systems stamp changes: FAT by two seconds. What changed later than that before it was looked at
/// could change again and keep its times.
const SETTLED: Duration = Duration::from_secs(2);
/// What the file begins with; another beginning is another version, or no cache.
const MAGIC: &[u8; 20] = b"compactvault seen 1\n";
const RECORD_BYTES: usize = 36;

/// Names one state of one file: the first half of a SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StateKey([u8; 16]);

impl StateKey {
    /// The state that `stamp` tells; `path` is absolute. `None` where the system does not tell enough, or the file changed just
    /// before.
    pub(super) fn of(path: &Path, stamp: &Stamp) -> Option<Self> {
        let changed = stamp.last_change()?.to_system()?;
        if SystemTime::now().duration_since(changed).ok()? < SETTLED {
            return None;
        }
        let mut hash = Sha256::default();
        hash.update(&stamp.identifying()?);
        hash.update(system::name_bytes(path.as_os_str())?);
        Some(Self(first_half(hash.finish().as_bytes())))
    }
}

/// A state of a file and what its bytes were; the half of a SHA-256 tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Record {
    key: StateKey,
    content: [u8; 16],
    /// Days since 1970 when it was last of use.
    day: u32,
}

impl Record {
    pub(super) fn new(key: StateKey, sha256: &Digest) -> Self {
        Self {
            key,
            content: first_half(sha256.as_bytes()),
            day: today(),
        }
    }

    fn to_bytes(self) -> [u8; RECORD_BYTES] {
        let mut bytes = [0; RECORD_BYTES];
        bytes[..16].copy_from_slice(&self.key.0);
        bytes[16..32].copy_from_slice(&self.content);
        bytes[32..].copy_from_slice(&self.day.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; RECORD_BYTES]) -> Self {
        let (key, rest) = bytes.split_first_chunk().expect("36 bytes hold 16");
        let (content, day) = rest.split_first_chunk().expect("20 bytes hold 16");
        Self {
            key: StateKey(*key),
            content: *content,
            day: u32::from_be_bytes(day.try_into().expect("four bytes are left")),
        }
    }
}

/// All records of one vault, sorted.
pub(super) struct Seen {
    file: PathBuf,
    records: Vec<Record>,
}

impl Seen {
    /// Reads what `cache_dir` has; what is no cache counts as none.
    pub(super) fn load(cache_dir: &Path) -> Self {
        let file = cache_dir.join("seen");
        let size = fs::metadata(&file).map_or(0, |metadata| metadata.len());
        let bound = (MAGIC.len() + RECORDS_MAX * RECORD_BYTES) as u64;
        let bytes = (size <= bound)
            .then(|| fs::read(&file).ok())
            .flatten()
            .unwrap_or_default();
        let (records, _) = bytes
            .strip_prefix(MAGIC)
            .unwrap_or_default()
            .as_chunks::<RECORD_BYTES>();
        let mut records: Vec<_> = records.iter().map(Record::from_bytes).collect();
        records.sort_unstable();
        Self { file, records }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether the file in that state had this content.
    pub(super) fn had(&self, key: StateKey, sha256: &Digest) -> bool {
        self.find(key)
            .is_some_and(|record| record.content == first_half(sha256.as_bytes()))
    }

    /// Whether that state is known at all.
    pub(super) fn knows(&self, key: StateKey) -> bool {
        self.find(key).is_some()
    }

    fn find(&self, key: StateKey) -> Option<&Record> {
        let found = self
            .records
            .binary_search_by_key(&key, |record| record.key)
            .ok()?;
        Some(&self.records[found])
    }

    /// Writes the cache with `fresh`, which replace records of the same states. A failure is logged: all that is
    /// lost is time.
    pub(super) fn save(self, mut fresh: Vec<Record>) {
        fresh.sort_unstable();
        if fresh
            .iter()
            .all(|record| self.find(record.key) == Some(record))
        {
            return;
        }
        let file = self.file.clone();
        if let Err(error) = write(&file, &self.merged(fresh)) {
            tracing::warn!(file = %file.display(), %error, "which files were read could not be noted; they will be read again");
        }
    }

    /// Both, sorted, and of too many those that were of use last.
    fn merged(mut self, fresh: Vec<Record>) -> Vec<Record> {
        let replaced = |old: &Record| {
            fresh
                .binary_search_by_key(&old.key, |record| record.key)
                .is_ok()
        };
        self.records.retain(|old| !replaced(old));
        self.records.extend(fresh);
        if self.records.len() > RECORDS_MAX {
            self.records
                .sort_unstable_by_key(|record| std::cmp::Reverse(record.day));
            self.records.truncate(RECORDS_MAX);
        }
        self.records.sort_unstable();
        self.records
    }
}

/// There whole or not at all, as far as other processes see; not synced.
fn write(file: &Path, records: &[Record]) -> io::Result<()> {
    let dir = crate::store::files::directory_of(file);
    crate::checkpoint::create_private_dir(&dir)?;
    let new = dir.join("seen.new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out = io::BufWriter::new(options.open(&new)?);
    out.write_all(MAGIC)?;
    for record in records {
        out.write_all(&record.to_bytes())?;
    }
    out.flush()?;
    fs::rename(&new, file)
}

fn first_half(hash: &[u8; 32]) -> [u8; 16] {
    *hash.first_chunk().expect("32 bytes hold 16")
}

fn today() -> u32 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        u32::try_from(since.as_secs() / 86_400).unwrap_or(u32::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: usize, day: u32) -> Record {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&number.to_be_bytes());
        Record {
            key: StateKey(key),
            content: [7; 16],
            day,
        }
    }

    #[test]
    fn what_was_saved_is_known_and_what_is_damaged_is_not_believed() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let sha256 = Digest::of(b"content");
        let key = record(1, 0).key;
        Seen::load(dir.path()).save(vec![Record::new(key, &sha256), record(9, 1)]);
        let seen = Seen::load(dir.path());
        assert!(seen.had(key, &sha256));
        assert!(!seen.had(key, &Digest::of(b"other")));
        let file = dir.path().join("seen");
        let whole = fs::read(&file).expect("it was written");
        for position in 0..MAGIC.len() + 32 {
            let mut bytes = whole.clone();
            bytes[position] ^= 1;
            fs::write(&file, bytes).expect("it can be damaged");
            assert!(!Seen::load(dir.path()).had(key, &sha256), "{position}");
        }
        fs::write(&file, &whole[..MAGIC.len() + 20]).expect("it can be cut");
        assert!(Seen::load(dir.path()).is_empty());
    }

    #[test]
    fn of_too_many_records_those_used_last_are_kept() {
        let seen = Seen {
            file: PathBuf::new(),
            records: (0..RECORDS_MAX).map(|n| record(n, 5)).collect(),
        };
        let fresh = vec![record(3, 6), record(RECORDS_MAX + 1, 6)];
        let merged = seen.merged(fresh.clone());
        assert_eq!(merged.len(), RECORDS_MAX);
        assert!(fresh.iter().all(|kept| merged.binary_search(kept).is_ok()));
        assert!(merged.is_sorted());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_changed_just_now_is_not_remembered() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("file");
        fs::write(&path, b"new").expect("a file");
        let stamp = Stamp::of(&fs::metadata(&path).expect("it is there"));
        assert_eq!(StateKey::of(&path, &stamp), None);
        std::thread::sleep(SETTLED);
        assert!(StateKey::of(&path, &stamp).is_some());
    }
}
