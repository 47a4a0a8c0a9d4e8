//! `cargo xtask soak`: a real server under everything at once, for as long as asked. Clients upload in one request and
//! in parts, download and compare, list and search; others break uploads off, read and write as slowly as they can; and
//! the server is killed and started again on the way. Whatever was acknowledged must be there in the end, every byte,
//! and memory must stay within a bound.
#![expect(clippy::print_stdout, reason = "figures go to the terminal")]

mod others;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::corpus::client::Client;
use crate::corpus::server::Server;
use crate::corpus::tree::hex;
use crate::random::Random;
use others::Others;

/// What files are cut from: most share their bytes, so that a long run does not fill a disk.
const POOL_BYTES: usize = 32 * 1024 * 1024;
/// What the server may have in memory at any time.
const MEMORY_MAX_KIB: u64 = 512 * 1024;
const SAMPLED_EVERY: Duration = Duration::from_secs(1);

/// What to do.
pub(crate) struct Plan {
    /// For how long.
    pub(crate) length: Duration,
    /// How often the server is killed and started again meanwhile.
    pub(crate) kills: u32,
    /// Whether other processes import, verify, scrub and print checkpoints all the while.
    pub(crate) others: bool,
}

/// Everything at once for so long, other processes included, with a kill every five minutes; gives the figures.
pub(crate) fn concurrency(binary: &Path, length: Duration) -> Result<Value> {
    let kills = u32::try_from(length.as_secs() / 300).unwrap_or(u32::MAX);
    let others = true;
    run(
        binary,
        &Plan {
            length,
            kills,
            others,
        },
    )
}

/// What all clients share.
struct Shared {
    address: String,
    collection: u64,
    pool: Vec<u8>,
    /// SHA-256 by name of all that was acknowledged: the oracle.
    acknowledged: Mutex<BTreeMap<String, String>>,
    /// The first thing that went wrong.
    failure: Mutex<Option<String>>,
    done: AtomicBool,
    bytes: AtomicU64,
    downloads: AtomicU64,
    lists: AtomicU64,
    aborted: AtomicU64,
    slow: AtomicU64,
    retries: AtomicU64,
}

type Work = fn(&Shared, &Client, &mut Random, u64) -> Result<()>;

/// Who does what, and how many of them.
const CLIENTS: [(Work, u64); 6] = [
    (upload_whole, 3),
    (upload_parts, 2),
    (download, 2),
    (list, 1),
    (abort, 2),
    (dawdle, 8),
];

/// Runs the plan against the binary at `binary`; gives the figures.
pub(crate) fn run(binary: &Path, plan: &Plan) -> Result<Value> {
    let folder = tempfile::tempdir().context("a folder for the vault")?;
    let log = folder.path().join("log");
    let vaults = folder.path().join("served");
    std::fs::create_dir(&vaults)?;
    let mut server = Server::start_logging(binary, &vaults, &log)?;
    let address = server.address().to_owned();
    let mut pool = vec![0; POOL_BYTES];
    Random::new(7).fill(&mut pool);
    let shared = Shared {
        collection: Client::new(&address).create_place("P", "C")?,
        address,
        pool,
        acknowledged: Mutex::default(),
        failure: Mutex::default(),
        done: AtomicBool::new(false),
        bytes: AtomicU64::new(0),
        downloads: AtomicU64::new(0),
        lists: AtomicU64::new(0),
        aborted: AtomicU64::new(0),
        slow: AtomicU64::new(0),
        retries: AtomicU64::new(0),
    };
    let others = Others::new(binary, &vaults.join("default.vault"), folder.path());
    let samples = std::thread::scope(|scope| {
        for (name, work) in Others::WORK.into_iter().filter(|_| plan.others) {
            let (others, shared) = (&others, &shared);
            scope.spawn(move || {
                if let Err(error) = others.go_on(work, &shared.done) {
                    lock(&shared.failure).get_or_insert(format!("{name}: {error:#}"));
                }
            });
        }
        let mut number = 0;
        for (work, clients) in CLIENTS {
            for _ in 0..clients {
                number += 1;
                let shared = &shared;
                scope.spawn(move || go_on(shared, number, work));
            }
        }
        let samples = watch(&shared, &mut server, plan);
        shared.done.store(true, Ordering::Relaxed);
        samples
    })?;
    if let Some(failure) = lock(&shared.failure).take() {
        bail!("{failure}");
    }
    let acknowledged = std::mem::take(&mut *lock(&shared.acknowledged));
    report(&shared, &acknowledged, &samples);
    let client = Client::new(&shared.address);
    client.wait_until_sealed(Duration::from_mins(5))?;
    let found = client.digests(shared.collection)?;
    let imported = others.compare()?;
    let lost: Vec<_> = acknowledged
        .iter()
        .filter(|(name, digest)| found.get(*name) != Some(*digest))
        .take(5)
        .collect();
    ensure!(lost.is_empty(), "acknowledged, and not there: {lost:?}");
    server.stop()?;
    let log = std::fs::read_to_string(&log)?;
    let errors: Vec<_> = log
        .lines()
        .filter(|line| line.contains("panicked") || line.contains("ERROR"))
        .take(5)
        .collect();
    ensure!(errors.is_empty(), "the server's log says {errors:#?}");
    let verified = std::process::Command::new(binary)
        .args(["--quiet", "verify", "--deep"])
        .arg(vaults.join("default.vault"))
        .output()?;
    ensure!(
        verified.status.success(),
        "the vault does not verify: {verified:?}"
    );
    let peak = samples.iter().copied().max().unwrap_or(0);
    ensure!(
        peak <= MEMORY_MAX_KIB,
        "the server had {peak} KiB in memory"
    );
    println!("nothing acknowledged is lost; the vault verifies");
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Ok(json!({
        "minutes": plan.length.as_secs_f64() / 60.0,
        "kills": plan.kills,
        "uploads_acknowledged": acknowledged.len(),
        "files_imported": imported,
        "acknowledged_and_lost": 0,
        "downloads_compared": of(&shared.downloads),
        "lists": of(&shared.lists),
        "imports": of(&others.imports),
        "verifications": of(&others.verifications),
        "scrubs": of(&others.scrubs),
        "checkpoints": of(&others.checkpoints),
        "memory_max_kib": peak,
    }))
}

fn report(shared: &Shared, acknowledged: &BTreeMap<String, String>, samples: &[u64]) {
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    println!(
        "{} files acknowledged ({} MB), {} downloads compared, {} lists, {} uploads broken off, {} slow clients, {} retries",
        acknowledged.len(),
        of(&shared.bytes) / 1_000_000,
        of(&shared.downloads),
        of(&shared.lists),
        of(&shared.aborted),
        of(&shared.slow),
        of(&shared.retries),
    );
    let third = |from: usize| {
        let part = samples.len() / 3;
        let part = samples
            .get(from * part..(from + 1) * part)
            .unwrap_or_default();
        part.iter().copied().max().unwrap_or(0) / 1024
    };
    println!(
        "memory at most {} MiB in the first third, {} in the second, {} in the last",
        third(0),
        third(1),
        third(2)
    );
}

/// Looks at the server's memory, kills it as planned, and returns the samples in KiB.
fn watch(shared: &Shared, server: &mut Server, plan: &Plan) -> Result<Vec<u64>> {
    let begun = Instant::now();
    let every = plan.length / (plan.kills + 1);
    let mut killed = 0;
    let mut samples = Vec::new();
    while begun.elapsed() < plan.length && lock(&shared.failure).is_none() {
        std::thread::sleep(SAMPLED_EVERY);
        samples.push(server.resident_kib()?);
        if killed < plan.kills && begun.elapsed() >= every * (killed + 1) {
            server.kill_and_restart()?;
            killed += 1;
        }
    }
    println!("{:.0} s, {killed} kills", begun.elapsed().as_secs_f64());
    Ok(samples)
}

fn go_on(shared: &Shared, number: u64, work: Work) {
    let client = Client::new(&shared.address);
    let mut random = Random::new(number);
    let mut round = 0;
    while !shared.done.load(Ordering::Relaxed) {
        round += 1;
        if let Err(error) = work(shared, &client, &mut random, number * 1_000_000_000 + round) {
            lock(&shared.failure).get_or_insert(format!("client {number}: {error:#}"));
            return;
        }
    }
}

/// Some bytes: mostly out of the pool, so that they are there already, and some that nobody has seen.
fn bytes(shared: &Shared, random: &mut Random, largest: usize) -> Vec<u8> {
    // As many small ones as large ones, by orders of magnitude.
    let magnitude = 4 + random.index(largest.ilog2() as usize - 3);
    let length = 1 + random.index(1 << magnitude);
    let start = random.index(64) * (POOL_BYTES / 64 / 2);
    let mut bytes = shared.pool[start..start + length.min(POOL_BYTES / 2)].to_vec();
    if random.index(10) == 0 {
        bytes.truncate(32 * 1024);
        random.fill(&mut bytes);
    }
    bytes
}

fn acknowledged(shared: &Shared, name: String, bytes: &[u8]) {
    let digest = hex(&Sha256::digest(bytes));
    shared
        .bytes
        .fetch_add(bytes.len() as u64, Ordering::Relaxed);
    lock(&shared.acknowledged).insert(name, digest);
}

fn upload_whole(shared: &Shared, client: &Client, random: &mut Random, id: u64) -> Result<()> {
    let bytes = bytes(shared, random, 1 << 20);
    let name = format!("w{id}.bin");
    client.add_patiently(shared.collection, &name, &bytes, &shared.retries)?;
    acknowledged(shared, name, &bytes);
    Ok(())
}

fn upload_parts(shared: &Shared, client: &Client, random: &mut Random, id: u64) -> Result<()> {
    let bytes = bytes(shared, random, 1 << 23);
    let name = format!("p{id}.bin");
    client.upload_bytes(shared.collection, &name, &bytes, 1 << 20, &shared.retries)?;
    acknowledged(shared, name, &bytes);
    Ok(())
}

/// Takes something out that is listed and acknowledged, and compares it.
fn download(shared: &Shared, client: &Client, random: &mut Random, _: u64) -> Result<()> {
    let offset = random.index(lock(&shared.acknowledged).len());
    let Ok(Some((name, id))) = client.listed(shared.collection, offset) else {
        std::thread::sleep(Duration::from_millis(100));
        return Ok(());
    };
    let Some(expected) = lock(&shared.acknowledged).get(&name).cloned() else {
        return Ok(());
    };
    // While the server is away there is nothing to compare.
    if let Ok(found) = client.digest_of(id) {
        ensure!(found == expected, "{name} came back as {found}");
        shared.downloads.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "one of several sorts of work")]
fn list(shared: &Shared, client: &Client, random: &mut Random, _: u64) -> Result<()> {
    let offset = random.index(lock(&shared.acknowledged).len());
    if client.listed(shared.collection, offset).is_ok() && client.search("7.b").is_ok() {
        shared.lists.fetch_add(1, Ordering::Relaxed);
    }
    std::thread::sleep(Duration::from_millis(20));
    Ok(())
}

/// Begins an upload, sends some of it, and is gone.
#[expect(clippy::unnecessary_wraps, reason = "one of several sorts of work")]
fn abort(shared: &Shared, client: &Client, random: &mut Random, id: u64) -> Result<()> {
    if let Ok(mut stream) = TcpStream::connect(&shared.address) {
        let path = match random.index(2) {
            0 => format!("/api/upload/chunk?upload_id=gone{}&chunk_index=0", id % 50),
            _ => format!(
                "/api/collections/{}/assets?filename=gone",
                shared.collection
            ),
        };
        let credentials = client.authorization();
        let _ = write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: {credentials}\r\nContent-Length: 9000000\r\n\r\n",
            shared.address
        );
        let _ = stream.write_all(&shared.pool[..random.index(1 << 21)]);
        shared.aborted.fetch_add(1, Ordering::Relaxed);
    }
    std::thread::sleep(Duration::from_millis(20));
    Ok(())
}

/// Reads or writes a little, now and then, for a while.
fn dawdle(shared: &Shared, client: &Client, random: &mut Random, _: u64) -> Result<()> {
    let Ok(mut stream) = TcpStream::connect(&shared.address) else {
        std::thread::sleep(Duration::from_millis(100));
        return Ok(());
    };
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let credentials = client.authorization();
    let request = format!(
        "GET /api/collections/{}/download HTTP/1.1\r\nHost: {}\r\nAuthorization: {credentials}\r\n\r\n",
        shared.collection, shared.address
    );
    let reads = random.index(2) == 0;
    let (sent_at_once, rest) = request.split_at(if reads { request.len() } else { 5 });
    let _ = stream.write_all(sent_at_once.as_bytes());
    let mut rest = rest.bytes();
    let until = Instant::now() + Duration::from_secs(10 + random.below(30));
    while Instant::now() < until && !shared.done.load(Ordering::Relaxed) {
        if reads {
            let _ = stream.read(&mut [0; 512]);
        } else if let Some(byte) = rest.next() {
            let _ = stream.write_all(&[byte]);
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    shared.slow.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
