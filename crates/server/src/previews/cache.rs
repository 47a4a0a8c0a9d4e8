//! What was made, kept in the cache folder: one file each, named for the content and for what made it, so that what a
//! later version makes differently is never mistaken for it. All of it may be lost, shared or damaged at any time: a
//! file that does not fit its checksum is none. Failures are kept as well, so that a bad file is looked into once.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use compactvault_preview::{Failure, Job, Output};
use compactvault_vault::{Asset, Digest};
use serde_json::{Value, json};

use super::{Made, PreviewError};
use crate::clock::now_unix_seconds;

/// Bytes of all files together; those unused for longest leave.
pub(crate) const BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Files in all, as small ones cost the file system more than their bytes.
const FILES_MAX: usize = 200_000;
/// How long something counts as failed that may have been the machine's fault.
const DOUBT_SECONDS: i64 = 3600;
const MAGIC: &[u8; 8] = b"cvprev1\n";
const CHECKSUM_BYTES: usize = 16;
const FOLDER: &str = "previews";

/// The files of one vault.
pub(crate) struct Cache {
    folder: PathBuf,
    bytes_max: u64,
    /// Filled when it is first needed.
    index: Mutex<Option<Index>>,
}

#[derive(Default)]
struct Index {
    files: HashMap<String, File>,
    bytes: u64,
    /// Grows with every use; files found at the start come before all of them.
    uses: u64,
}

struct File {
    bytes: u64,
    used: u64,
}

/// Removes everything that was made. Whatever is needed is made again.
pub(crate) fn forget(cache_dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(cache_dir.join(FOLDER)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

impl Cache {
    /// In a vault's cache folder, of which nothing is read yet.
    pub(crate) fn new(cache_dir: &Path, bytes_max: u64) -> Self {
        Self {
            folder: cache_dir.join(FOLDER),
            bytes_max,
            index: Mutex::default(),
        }
    }

    /// What is kept of a job with these parameters. Blocks.
    pub(crate) fn get(&self, job: &Job, parameters: &str, asset: &Asset) -> Option<Made> {
        let name = name(job, parameters, asset);
        let path = self.path(&name);
        let bytes = fs::read(&path).ok()?;
        let made = decode(&bytes, asset);
        if made.is_none() {
            // Damaged, or doubted for long enough.
            let _ = fs::remove_file(&path);
        }
        self.with_index(|index| match &made {
            Some(_) => index.used(&name, bytes.len() as u64),
            None => index.forget(&name),
        });
        made
    }

    /// Keeps a result or a failure; what says nothing of the content is not kept. Blocks.
    pub(crate) fn put(&self, job: &Job, parameters: &str, asset: &Asset, made: &Made) {
        let Some(bytes) = encode(asset, made) else {
            return;
        };
        let name = name(job, parameters, asset);
        if let Err(error) = self.write(&self.path(&name), &bytes) {
            tracing::warn!(folder = %self.folder.display(), %error, "a preview cannot be kept and is made again when it is needed");
            return;
        }
        let leaving = self.with_index(|index| {
            index.used(&name, bytes.len() as u64);
            index.leaving(self.bytes_max)
        });
        for name in leaving {
            let _ = fs::remove_file(self.path(&name));
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(&name[..2]).join(name)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let folder = path.parent().unwrap_or(&self.folder);
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
        let mut temporary = tempfile_in(folder)?;
        temporary.1.write_all(bytes)?;
        drop(temporary.1);
        fs::rename(&temporary.0, path)
    }

    fn with_index<T>(&self, act: impl FnOnce(&mut Index) -> T) -> T {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        act(index.get_or_insert_with(|| Index::read(&self.folder)))
    }
}

impl Index {
    /// What lies in the folder, the one changed last used last.
    fn read(folder: &Path) -> Self {
        let mut found = Vec::new();
        for folder in entries(folder) {
            for file in entries(&folder) {
                let Ok(metadata) = file.metadata() else {
                    continue;
                };
                let name = file
                    .file_name()
                    .map(|name| name.to_string_lossy().into_owned());
                let Some(name) = name.filter(|name| name.len() > 2 && !name.starts_with('.'))
                else {
                    // A kill left it while it was written.
                    let _ = fs::remove_file(&file);
                    continue;
                };
                let changed = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                found.push((changed, name, metadata.len()));
            }
        }
        found.sort_unstable();
        let mut index = Self::default();
        for (_, name, bytes) in found {
            index.used(&name, bytes);
        }
        index
    }

    fn used(&mut self, name: &str, bytes: u64) {
        self.uses += 1;
        let used = self.uses;
        let before = self.files.insert(name.to_owned(), File { bytes, used });
        self.bytes += bytes;
        self.bytes -= before.map_or(0, |file| file.bytes);
    }

    fn forget(&mut self, name: &str) {
        if let Some(file) = self.files.remove(name) {
            self.bytes -= file.bytes;
        }
    }

    /// Those that have to leave, once there are too many: a tenth more than needed, so that it is not done every time.
    fn leaving(&mut self, bytes_max: u64) -> Vec<String> {
        if self.bytes <= bytes_max && self.files.len() <= FILES_MAX {
            return Vec::new();
        }
        let mut by_use: Vec<_> = self
            .files
            .iter()
            .map(|(name, file)| (file.used, name.clone()))
            .collect();
        by_use.sort_unstable();
        let (bytes, files) = (bytes_max / 10 * 9, FILES_MAX / 10 * 9);
        let mut leaving = Vec::new();
        for (_, name) in by_use {
            if self.bytes <= bytes && self.files.len() <= files {
                break;
            }
            self.forget(&name);
            leaving.push(name);
        }
        leaving
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(items) = fs::read_dir(folder) else {
        return Vec::new();
    };
    items.flatten().map(|item| item.path()).collect()
}

/// A new file that begins with a dot.
fn tempfile_in(folder: &Path) -> io::Result<(PathBuf, fs::File)> {
    let path = folder.join(format!(".{}", crate::random::random_id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path)?;
    Ok((path, file))
}

/// Content, job, its version, parameters: whatever has the same name has the same bytes.
fn name(job: &Job, parameters: &str, asset: &Asset) -> String {
    let (job, version) = (job.name, job.version);
    format!("{}-{job}{version}-{parameters}", asset.sha256)
}

fn checksum(body: &[u8]) -> [u8; CHECKSUM_BYTES] {
    *Digest::of(body)
        .as_bytes()
        .first_chunk()
        .expect("32 bytes hold 16")
}

fn encode(asset: &Asset, made: &Made) -> Option<Vec<u8>> {
    let (header, bytes): (Value, &[u8]) = match made {
        Ok(output) => (json!({ "made": output.header }), &output.bytes),
        Err(PreviewError::Failed(failure)) => {
            let now = now_unix_seconds();
            (json!({ "failed": failure, "unix_s": now }), &[])
        }
        Err(_) => return None,
    };
    let header = header.to_string();
    let mut body = asset.size.to_le_bytes().to_vec();
    body.extend(u32::try_from(header.len()).ok()?.to_le_bytes());
    body.extend(header.as_bytes());
    body.extend(bytes);
    Some([&MAGIC[..], &checksum(&body), &body].concat())
}

fn decode(file: &[u8], asset: &Asset) -> Option<Made> {
    let rest = file.strip_prefix(MAGIC)?;
    let (sum, body) = rest.split_first_chunk::<CHECKSUM_BYTES>()?;
    if *sum != checksum(body) {
        return None;
    }
    let (size, rest) = body.split_first_chunk()?;
    if u64::from_le_bytes(*size) != asset.size {
        return None;
    }
    let (length, rest) = rest.split_first_chunk()?;
    let (header, bytes) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let mut header: Value = serde_json::from_slice(header).ok()?;
    if let Some(made) = header.get_mut("made") {
        let (header, bytes) = (made.take(), bytes.to_vec());
        return Some(Ok(std::sync::Arc::new(Output { header, bytes })));
    }
    let failure: Failure = serde_json::from_value(header["failed"].take()).ok()?;
    let age = now_unix_seconds() - header["unix_s"].as_i64()?;
    let is_doubtful = failure.code == "timed_out" && !(0..DOUBT_SECONDS).contains(&age);
    (!is_doubtful).then_some(Err(PreviewError::Failed(failure)))
}
