//! Uploads as the page does them, with as many files, parts and connections at once as it and its browser have.
//!
//! The numbers stand in `web/upload/`; what is slower in a browser than here is not the server's.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::http::{Answer, Connection, Request, encoded};
use super::server::credentials;
use crate::corpus::tree::{SourceFile, hex};

const FILES_AT_ONCE: usize = 8;
const PARTS_AT_ONCE: usize = 4;
const PART_BYTES: u64 = 4 * 1024 * 1024;
/// A browser has six to one host, and the page's events hold one of them.
const CONNECTIONS: usize = 5;
/// So many of these at once, that the page can go on listing meanwhile.
const LARGE_AT_ONCE: usize = 4;
const LARGE_BYTES: usize = 256 * 1024;
/// Files below [`LARGE_BYTES`] are sent together, at most so many and so many bytes, and so many times at once.
const BATCH_FILES: usize = 64;
const BATCH_BYTES: u64 = 2 * 1024 * 1024;
const BATCHES_AT_ONCE: usize = 2;
const HASHERS: usize = 2;
const BUSY_TRIES: u32 = 40;
/// How long everything may take to be listed once it is sent.
const PATIENCE: Duration = Duration::from_mins(10);
/// Files are listed in pages of the most that a page may hold.
const PAGE: u64 = 1000;

/// A browser with the page open on one collection.
pub(super) struct Page<'a> {
    address: &'a str,
    collection: u64,
    connections: Pool,
    large: Gate,
    hashers: Gate,
    /// Used again: asking the system for fresh memory would cost as much as sending it.
    buffers: Mutex<Vec<Vec<u8>>>,
}

impl<'a> Page<'a> {
    pub(super) fn open(address: &'a str, collection: u64) -> Self {
        Self {
            address,
            collection,
            connections: Pool {
                idle: Mutex::default(),
                gate: Gate::new(CONNECTIONS),
            },
            large: Gate::new(LARGE_AT_ONCE),
            hashers: Gate::new(HASHERS),
            buffers: Mutex::default(),
        }
    }

    /// Sends all files; they are archived then, or queued for it. The first failure ends it.
    pub(super) fn upload(&self, files: &[SourceFile]) -> Result<()> {
        let (small, large): (Vec<_>, Vec<_>) = files
            .iter()
            .enumerate()
            .partition(|(_, file)| file.size < LARGE_BYTES as u64);
        let small: Vec<&SourceFile> = small.into_iter().map(|(_, file)| file).collect();
        let batches = batches(&small);
        std::thread::scope(|scope| {
            let together = scope.spawn(|| {
                at_once(BATCHES_AT_ONCE, batches.len(), |index| {
                    self.send_together(batches[index])
                })
            });
            let apart = at_once(FILES_AT_ONCE, large.len(), |at| {
                let (index, file) = large[at];
                self.send(index, file)
                    .with_context(|| format!("uploading {}", file.path.display()))
            });
            let together = together.join().map_err(|_| anyhow!("sending panicked"))?;
            apart.and(together)
        })
    }

    /// Sends small files in one request.
    fn send_together(&self, files: &[&SourceFile]) -> Result<()> {
        let mut bytes = Vec::new();
        let mut list = Vec::new();
        for file in files {
            let from = bytes.len();
            std::io::Read::read_to_end(&mut File::open(&file.path)?, &mut bytes)?;
            let digest = self.hashers.through(|| Sha256::digest(&bytes[from..]));
            list.push(json!({
                "filename": file.name(),
                "path": file.prefix(),
                "modified": file.modified_ms,
                "size": bytes.len() - from,
                "sha256": hex(&digest),
            }));
        }
        let mut body = serde_json::to_vec(&list)?;
        body.push(b'\n');
        body.append(&mut bytes);
        let path = format!("/api/collections/{}/batch", self.collection);
        let answer = self.post(&path, &body)?.json()?;
        let sealed = answer["files"].as_array().context("a list of files")?;
        let all = sealed.iter().all(|file| file["status"] == "sealed");
        ensure!(all && sealed.len() == files.len(), "refused: {answer}");
        Ok(())
    }

    fn send(&self, index: usize, file: &SourceFile) -> Result<()> {
        let source = File::open(&file.path)?;
        if file.size > PART_BYTES {
            return self.send_parts(index, file, &source);
        }
        self.with_bytes(&source, 0, file.size, |bytes| {
            let digest = self.hashers.through(|| Sha256::digest(bytes));
            let path = address(
                self.collection,
                (file.prefix(), file.name(), file.modified_ms),
                Some(&hex(&digest)),
            );
            self.post(&path, bytes)
        })
    }

    fn send_parts(&self, index: usize, file: &SourceFile, source: &File) -> Result<()> {
        let id = format!("bench-{index}");
        let parts = file.size.div_ceil(PART_BYTES);
        let sha256 = std::thread::scope(|scope| {
            let hash = scope.spawn(|| self.hashers.through(|| hash(source, file.size)));
            at_once(PARTS_AT_ONCE, usize::try_from(parts)?, |part| {
                let from = part as u64 * PART_BYTES;
                let length = PART_BYTES.min(file.size - from);
                let path = format!("/api/upload/chunk?upload_id={id}&chunk_index={part}");
                self.with_bytes(source, from, length, |bytes| self.post(&path, bytes))
            })?;
            hash.join().map_err(|_| anyhow!("hashing panicked"))?
        })?;
        let completion = json!({
            "upload_id": id,
            "filename": file.name(),
            "collection_id": self.collection,
            "path_prefix": file.prefix(),
            "total_size": file.size,
            "parts": parts,
            "sha256": sha256,
            "modified": file.modified_ms,
        });
        self.patiently(Request {
            method: "POST",
            path: "/api/upload/complete",
            content_type: Some("application/json"),
            body: completion.to_string().as_bytes(),
            ..Request::default()
        })?
        .json()?;
        Ok(())
    }

    /// Sends a piece of a file.
    fn with_bytes(
        &self,
        source: &File,
        from: u64,
        length: u64,
        send: impl FnOnce(&[u8]) -> Result<Answer>,
    ) -> Result<()> {
        let mut bytes = lock(&self.buffers).pop().unwrap_or_default();
        bytes.resize(usize::try_from(length)?, 0);
        source.read_exact_at(&mut bytes, from)?;
        let answer = send(&bytes)?;
        lock(&self.buffers).push(bytes);
        answer.json()?;
        Ok(())
    }

    fn post(&self, path: &str, bytes: &[u8]) -> Result<Answer> {
        let request = Request {
            method: "POST",
            path,
            content_type: Some("application/octet-stream"),
            body: bytes,
            ..Request::default()
        };
        if bytes.len() < LARGE_BYTES {
            self.patiently(request)
        } else {
            self.large.through(|| self.patiently(request))
        }
    }

    /// Asks again while the server says that it is busy.
    fn patiently(&self, request: Request<'_>) -> Result<Answer> {
        for attempt in 0..BUSY_TRIES {
            let answer = self.connections.ask(self.address, request)?;
            if !matches!(answer.status, 429 | 503) {
                return Ok(answer);
            }
            let asked = Duration::from_secs(answer.retry_after.unwrap_or_default());
            let own = Duration::from_millis(500 << attempt.min(5));
            std::thread::sleep(asked.max(own).min(Duration::from_secs(15)));
        }
        bail!("the server is busy for good")
    }
}

/// What is sent together, in order.
fn batches<'a, 'b>(mut files: &'a [&'b SourceFile]) -> Vec<&'a [&'b SourceFile]> {
    let mut batches = Vec::new();
    while !files.is_empty() {
        let mut bytes = 0;
        let fits = files.iter().take(BATCH_FILES).take_while(|file| {
            bytes += file.size;
            bytes <= BATCH_BYTES
        });
        let (batch, rest) = files.split_at(fits.count());
        batches.push(batch);
        files = rest;
    }
    batches
}

/// Where a small file is sent to.
pub(super) fn address(
    collection: u64,
    (prefix, name, modified_ms): (&str, &str, i64),
    sha256: Option<&str>,
) -> String {
    let mut address = format!(
        "/api/collections/{collection}/assets?filename={}&path={}&modified={modified_ms}",
        encoded(name),
        encoded(prefix)
    );
    if let Some(sha256) = sha256 {
        address += "&sha256=";
        address += sha256;
    }
    address
}

/// Waits until a project lists so many assets, each on a page of its collection.
pub(super) fn await_listed(connection: &mut Connection, project: u64, assets: u64) -> Result<()> {
    let started = Instant::now();
    let listed = |connection: &mut Connection| -> Result<u64> {
        let project = connection.get_json(&format!("/api/projects/{project}"))?;
        project["assets"].as_u64().context("a number of assets")
    };
    loop {
        let there = listed(connection)?;
        if there >= assets {
            break;
        }
        ensure!(
            started.elapsed() < PATIENCE,
            "after {} s {there} of {assets} files are listed",
            PATIENCE.as_secs()
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    let collections = connection.get_json(&format!("/api/projects/{project}/collections"))?;
    let mut seen = 0;
    for collection in collections.as_array().context("a list of collections")? {
        let (id, here) = (id_of(collection)?, collection["assets"].as_u64());
        let here = here.context("a number of assets")?;
        for offset in (0..here).step_by(usize::try_from(PAGE)?) {
            let path = format!("/api/collections/{id}/assets?offset={offset}&limit={PAGE}");
            let page = connection.get_json(&path)?;
            seen += page["assets"].as_array().context("a page of assets")?.len() as u64;
        }
    }
    ensure!(
        seen == assets,
        "{seen} files are listed, {assets} were sent"
    );
    Ok(())
}

pub(super) fn id_of(value: &Value) -> Result<u64> {
    value["id"].as_u64().context("an id")
}

/// A project, and a collection in it.
pub(super) fn make_place(connection: &mut Connection) -> Result<(u64, u64)> {
    let project = id_of(&connection.post_json("/api/projects", &json!({ "name": "Bench" }))?)?;
    let collection = json!({ "project_id": project, "name": "Files" });
    let collection = id_of(&connection.post_json("/api/collections", &collection)?)?;
    Ok((project, collection))
}

fn hash(source: &File, size: u64) -> Result<String> {
    let mut hasher = Sha256::new();
    let mut bytes = vec![0; 256 * 1024];
    let mut from = 0;
    while from < size {
        let read = source.read_at(&mut bytes, from)?;
        ensure!(read > 0, "the file became shorter");
        hasher.update(&bytes[..read]);
        from += read as u64;
    }
    Ok(hex(&hasher.finalize()))
}

/// Does `work` for 0 to `count`, in order, on so many threads. The first failure stops what has not begun.
fn at_once(threads: usize, count: usize, work: impl Fn(usize) -> Result<()> + Sync) -> Result<()> {
    let next = AtomicUsize::new(0);
    let lane = || -> Result<()> {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return Ok(());
            }
            work(index).inspect_err(|_| next.store(count, Ordering::Relaxed))?;
        }
    };
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..threads.min(count)).map(|_| scope.spawn(lane)).collect();
        let ends = lanes.into_iter().map(|lane| {
            let panicked = |_| Err(anyhow!("a thread panicked"));
            lane.join().unwrap_or_else(panicked)
        });
        ends.collect::<Vec<_>>().into_iter().collect()
    })
}

/// Connections that stay open.
struct Pool {
    idle: Mutex<VecDeque<Connection>>,
    gate: Gate,
}

impl Pool {
    fn ask(&self, address: &str, request: Request<'_>) -> Result<Answer> {
        self.gate.through(|| {
            let idle = lock(&self.idle).pop_front();
            let mut connection = match idle {
                Some(connection) => connection,
                None => Connection::open(address, Some(&credentials()))?,
            };
            let answer = connection.ask(request)?;
            lock(&self.idle).push_back(connection);
            Ok(answer)
        })
    }
}

/// Lets at most so many through at once.
struct Gate {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Gate {
    fn new(free: usize) -> Self {
        Self {
            free: Mutex::new(free),
            freed: Condvar::new(),
        }
    }

    fn through<T>(&self, work: impl FnOnce() -> T) -> T {
        let free = lock(&self.free);
        let mut free = self
            .freed
            .wait_while(free, |free| *free == 0)
            .unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        drop(free);
        // Also when `work` panics: others may be waiting.
        let _pass = Pass(self);
        work()
    }
}

struct Pass<'a>(&'a Gate);

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        *lock(&self.0.free) += 1;
        self.0.freed.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_done_once_and_the_first_failure_ends_it() {
        let done = Mutex::new(Vec::new());
        at_once(3, 20, |index| {
            lock(&done).push(index);
            Ok(())
        })
        .expect("nothing fails");
        let mut done = done.into_inner().expect("no thread panicked");
        done.sort_unstable();
        assert_eq!(done, (0..20).collect::<Vec<_>>());

        let tried = AtomicUsize::new(0);
        let failed = at_once(1, 20, |index| {
            tried.fetch_add(1, Ordering::Relaxed);
            ensure!(index < 4, "no");
            Ok(())
        });
        assert!(failed.is_err());
        assert_eq!(tried.into_inner(), 5);
    }

    #[test]
    fn a_gate_holds_back() {
        let (gate, inside) = (Gate::new(2), AtomicUsize::new(0));
        at_once(6, 60, |_| {
            gate.through(|| {
                let others = inside.fetch_add(1, Ordering::SeqCst);
                assert!(others < 2, "{others} others are inside");
                std::thread::yield_now();
                inside.fetch_sub(1, Ordering::SeqCst);
            });
            Ok(())
        })
        .expect("nothing fails");
    }

    #[test]
    fn addresses_carry_names_of_any_sort() {
        let path = address(7, ("a b/", "ü&.txt", 5), Some("00"));
        let expected =
            "/api/collections/7/assets?filename=%C3%BC%26.txt&path=a%20b%2F&modified=5&sha256=00";
        assert_eq!(path, expected);
    }
}
