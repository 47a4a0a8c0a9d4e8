//! How uploads ended, remembered for seven days across restarts in `uploads.jsonl` in the state folder.
//!
//! The file is appended to, one line per upload, and rewritten at the start when much of it has expired. A line that
//! cannot be read (the last one may be torn) is skipped: then that upload is unknown, and nothing worse.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use super::completion::Fingerprint;
use super::error::known_code;
use super::spool::Key;
use crate::ids::{AssetId, Seq};
use crate::limits::{UPLOAD_KEPT, UPLOADS_ENDED_MAX};
use crate::name::Name;
use crate::platform::private_file;

/// How one upload ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) at_unix_ms: u64,
    pub(super) fingerprint: Fingerprint,
    pub(super) name: Name,
    pub(super) size: u64,
    pub(super) outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Sealed {
        asset: AssetId,
        already_archived: bool,
    },
    Failed {
        code: &'static str,
        message: String,
    },
}

/// The memory of ended uploads.
pub(super) struct EndedUploads {
    path: PathBuf,
    entries: Mutex<Entries>,
    /// An append failed in the middle of a line, perhaps; the next one starts on a new one.
    torn: AtomicBool,
}

#[derive(Default)]
struct Entries {
    by_key: HashMap<Key, Ended>,
    /// Oldest first; may name an entry that was replaced since.
    order: VecDeque<(Key, u64)>,
}

impl EndedUploads {
    /// Reads what `state_dir` has. A file that cannot be read leaves the memory empty and is logged.
    pub(super) fn load(state_dir: &Path) -> Self {
        let path = state_dir.join("uploads.jsonl");
        let mut entries = Entries::default();
        let mut lines = 0_usize;
        match read_lines(&path, &mut entries) {
            Ok(read) => lines = read,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "how earlier uploads ended cannot be read");
            }
        }
        entries.forget_expired(now_unix_ms());
        // Rewriting costs as much as reading did; it pays when half of what was read is of no use.
        if lines > 2 * entries.by_key.len()
            && let Err(error) = rewrite(&path, &entries)
        {
            tracing::warn!(file = %path.display(), %error, "the record of ended uploads could not be compacted");
        }
        // Without a newline at the end, the last line is torn; one too many does no harm.
        Self {
            path,
            entries: Mutex::new(entries),
            torn: AtomicBool::new(lines > 0),
        }
    }

    /// How an upload ended, if that was less than seven days ago.
    pub(super) fn get(&self, key: &Key) -> Option<Ended> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = |ended: &&Ended| !is_expired(ended.at_unix_ms, now_unix_ms());
        entries.by_key.get(key).filter(kept).cloned()
    }

    /// Remembers, first on disk, then in memory. `durable` waits until it would survive a loss of power.
    ///
    /// That a record cannot be written must not keep a sealed upload from ending, so it is logged here.
    pub(super) fn insert(&self, key: Key, ended: Ended, durable: bool) {
        if let Err(error) = self.append(&key, &ended, durable) {
            self.torn.store(true, Ordering::Relaxed);
            tracing::warn!(file = %self.path.display(), %error, "how an upload ended will be forgotten at a restart");
        }
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.forget_expired(ended.at_unix_ms);
        entries.insert(key, ended);
    }

    /// Makes all records durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        match fs::File::open(&self.path) {
            Ok(file) => file.sync_data(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Opened anew each time: one write in append mode needs no lock, also between processes.
    fn append(&self, key: &Key, ended: &Ended, durable: bool) -> io::Result<()> {
        let mut line = Vec::new();
        if self.torn.swap(false, Ordering::Relaxed) {
            line.push(b'\n');
        }
        line.extend_from_slice(&to_line(key, ended));
        let mut options = private_file();
        options.append(true).create(true);
        let mut file = match options.open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = self
                    .path
                    .parent()
                    .expect("the file lies in the state folder");
                super::spool::create_private_dir(folder)?;
                options.open(&self.path)?
            }
            file => file?,
        };
        file.write_all(&line)?;
        if durable {
            file.sync_data()?;
        }
        Ok(())
    }
}

impl Entries {
    fn insert(&mut self, key: Key, ended: Ended) {
        self.order.push_back((key, ended.at_unix_ms));
        self.by_key.insert(key, ended);
        while self.order.len() > UPLOADS_ENDED_MAX {
            self.forget_oldest();
        }
    }

    fn forget_expired(&mut self, now: u64) {
        while self
            .order
            .front()
            .is_some_and(|(_, at)| is_expired(*at, now))
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((key, at)) = self.order.pop_front()
            && self
                .by_key
                .get(&key)
                .is_some_and(|ended| ended.at_unix_ms == at)
        {
            self.by_key.remove(&key);
        }
    }
}

pub(super) fn now_unix_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn is_expired(at_unix_ms: u64, now: u64) -> bool {
    Duration::from_millis(now.saturating_sub(at_unix_ms)) > UPLOAD_KEPT
}

/// One line of the file. The key is the SHA-256 of the upload id, the name base64.
#[derive(Serialize, Deserialize)]
struct Line {
    upload: String,
    at: u64,
    fields: String,
    name: String,
    size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asset: Option<u64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    already: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

fn to_line(key: &Key, ended: &Ended) -> Vec<u8> {
    let mut line = Line {
        upload: key.to_string(),
        at: ended.at_unix_ms,
        fields: BASE64.encode(ended.fingerprint),
        name: BASE64.encode(ended.name.as_bytes()),
        size: ended.size,
        asset: None,
        already: false,
        code: None,
        message: None,
    };
    match &ended.outcome {
        Outcome::Sealed {
            asset,
            already_archived,
        } => {
            line.asset = Some(asset.get());
            line.already = *already_archived;
        }
        Outcome::Failed { code, message } => {
            line.code = Some((*code).to_owned());
            line.message = Some(message.clone());
        }
    }
    let mut bytes = serde_json::to_vec(&line).expect("plain values are valid JSON");
    bytes.push(b'\n');
    bytes
}

fn from_line(bytes: &[u8]) -> Option<(Key, Ended)> {
    let line: Line = serde_json::from_slice(bytes).ok()?;
    let outcome = match (line.asset, line.code) {
        (Some(asset), None) => Outcome::Sealed {
            asset: AssetId::new(Seq::new(asset)),
            already_archived: line.already,
        },
        (None, Some(code)) => Outcome::Failed {
            code: known_code(&code),
            message: line.message.unwrap_or_default(),
        },
        _ => return None,
    };
    let ended = Ended {
        at_unix_ms: line.at,
        fingerprint: BASE64.decode(&line.fields).ok()?.try_into().ok()?,
        name: Name::new(BASE64.decode(&line.name).ok()?).ok()?,
        size: line.size,
        outcome,
    };
    Some((line.upload.parse().ok()?, ended))
}

/// Returns how many lines there were, readable or not.
fn read_lines(path: &Path, entries: &mut Entries) -> io::Result<usize> {
    let mut reader = BufReader::new(fs::File::open(path)?);
    let mut line = Vec::new();
    let (mut lines, mut skipped) = (0_usize, 0_usize);
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        lines += 1;
        match from_line(&line) {
            Some((key, ended)) => entries.insert(key, ended),
            None => skipped += 1,
        }
    }
    if skipped > 0 {
        tracing::warn!(file = %path.display(), lines = skipped, "some records of ended uploads cannot be read");
    }
    Ok(lines)
}

fn rewrite(path: &Path, entries: &Entries) -> io::Result<()> {
    let temporary = path.with_extension("jsonl.new");
    let mut options = private_file();
    let file = options
        .write(true)
        .create(true)
        .truncate(true)
        .open(&temporary)?;
    let mut writer = io::BufWriter::new(file);
    for (key, at) in &entries.order {
        if let Some(ended) = entries
            .by_key
            .get(key)
            .filter(|ended| ended.at_unix_ms == *at)
        {
            writer.write_all(&to_line(key, ended))?;
        }
    }
    writer
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .sync_all()?;
    fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Digest;

    fn key(text: &str) -> Key {
        Digest::of(text.as_bytes())
    }

    fn sealed(asset: u64, at_unix_ms: u64) -> Ended {
        Ended {
            at_unix_ms,
            fingerprint: [7; 16],
            name: Name::new(b"x\xff".as_slice()).unwrap(),
            size: 5,
            outcome: Outcome::Sealed {
                asset: AssetId::new(Seq::new(asset)),
                already_archived: asset.is_multiple_of(2),
            },
        }
    }

    fn failed(at_unix_ms: u64) -> Ended {
        let outcome = Outcome::Failed {
            code: "not_found",
            message: "there is no \"x\"\n".into(),
        };
        Ended {
            outcome,
            ..sealed(1, at_unix_ms)
        }
    }

    /// Guards: a client that ends one upload again and again takes no more memory than one that ends many.
    #[test]
    fn what_is_remembered_has_a_bound_whether_uploads_differ_or_not() {
        let mut entries = Entries::default();
        let many = UPLOADS_ENDED_MAX as u64 + 10;
        for at in 0..many {
            entries.insert(key("again"), sealed(at, at));
        }
        assert!(entries.order.len() <= UPLOADS_ENDED_MAX);
        assert_eq!(entries.by_key[&key("again")], sealed(many - 1, many - 1));
        for at in 0..many {
            entries.insert(key(&at.to_string()), sealed(at, many + at));
        }
        assert!(entries.order.len() <= UPLOADS_ENDED_MAX);
        assert_eq!(entries.by_key.len(), UPLOADS_ENDED_MAX);
        assert!(
            !entries.by_key.contains_key(&key("0")),
            "the oldest go first"
        );
    }

    #[test]
    fn endings_are_remembered_across_restarts() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let now = now_unix_ms();
        let memory = EndedUploads::load(&state);
        memory.insert(key("a"), sealed(3, now), true);
        memory.insert(key("b"), failed(now), false);
        memory.sync().unwrap();
        for memory in [memory, EndedUploads::load(&state)] {
            assert_eq!(memory.get(&key("a")), Some(sealed(3, now)));
            assert_eq!(memory.get(&key("b")), Some(failed(now)));
            assert_eq!(memory.get(&key("c")), None);
        }
    }

    #[test]
    fn a_torn_line_costs_only_itself() {
        let dir = tempfile::tempdir().unwrap();
        let now = now_unix_ms();
        let memory = EndedUploads::load(dir.path());
        for name in ["a", "b", "c"] {
            memory.insert(key(name), sealed(3, now), false);
        }
        let path = dir.path().join("uploads.jsonl");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 20]).unwrap();
        let memory = EndedUploads::load(dir.path());
        assert_eq!(memory.get(&key("c")), None);
        memory.insert(key("d"), sealed(4, now), false);
        let memory = EndedUploads::load(dir.path());
        for name in ["a", "b", "d"] {
            assert!(memory.get(&key(name)).is_some(), "{name}");
        }
    }

    #[test]
    fn what_expired_is_forgotten_and_the_file_shrinks() {
        let dir = tempfile::tempdir().unwrap();
        let now = now_unix_ms();
        let old = now - u64::try_from(UPLOAD_KEPT.as_millis()).unwrap() - 1;
        let memory = EndedUploads::load(dir.path());
        for number in 0..10 {
            memory.insert(key(&format!("old {number}")), sealed(1, old), false);
        }
        memory.insert(key("new"), sealed(3, now), false);
        assert_eq!(memory.get(&key("old 1")), None);
        let size = || {
            fs::metadata(dir.path().join("uploads.jsonl"))
                .unwrap()
                .len()
        };
        let before = size();
        let memory = EndedUploads::load(dir.path());
        assert!(size() * 5 < before);
        assert_eq!(memory.get(&key("old 1")), None);
        assert_eq!(memory.get(&key("new")), Some(sealed(3, now)));
    }
}
