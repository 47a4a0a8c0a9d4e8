//! `cargo xtask corpus`: the whole journey of a real tree over HTTP, with the server killed on the way.
//!
//! Uploads every file of a folder with several clients at once, compares what the server lists and serves with the
//! files, kills the server with SIGKILL as often as asked while uploads are under way, and ends with a deep
//! verification. What counts as acknowledged is kept here, outside the product. Prints figures; for whole corpora, not
//! for the test suite.

pub(crate) mod client;
pub(crate) mod server;
pub(crate) mod tree;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use self::client::{Client, Uploaded};
use self::server::Server;
use self::tree::SourceFile;

/// What to do.
pub(crate) struct Plan {
    /// The folder to upload.
    pub(crate) dir: PathBuf,
    /// Clients at once.
    pub(crate) clients: usize,
    /// How often the server is killed while uploads are under way.
    pub(crate) kills: u32,
}

/// Files being uploaded, shared by the clients.
struct Work {
    files: Vec<SourceFile>,
    next: AtomicU64,
    /// What the server answered for each file: the oracle.
    answered: Mutex<BTreeMap<usize, Uploaded>>,
    /// Answers that were lost and asked for again.
    retries: AtomicU64,
    finished: AtomicBool,
}

/// Builds the release binary and says where it is.
pub(crate) fn build(root: &Path) -> anyhow::Result<PathBuf> {
    let built = std::process::Command::new(env!("CARGO"))
        .current_dir(root)
        .args(["build", "--release", "--package", "compactvault"])
        .status()
        .context("running cargo")?;
    ensure!(built.success(), "the build ended with {built}");
    Ok(target(root).join("release/compactvault"))
}

/// The folder that cargo builds in.
pub(crate) fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

/// Runs the plan against the binary at `binary`.
pub(crate) fn run(binary: &Path, plan: &Plan) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("a folder for the vault")?;
    let files = tree::files(&plan.dir)?;
    let bytes: u64 = files.iter().map(|file| file.size).sum();
    println!(
        "{} files, {bytes} bytes, {} clients, {} kills",
        files.len(),
        plan.clients,
        plan.kills
    );
    let work = Work {
        files,
        next: AtomicU64::new(0),
        answered: Mutex::default(),
        retries: AtomicU64::new(0),
        finished: AtomicBool::new(false),
    };
    let server = Mutex::new(Server::start(binary, folder.path())?);
    let address = lock(&server).address().to_owned();
    let client = Client::new(&address);
    let collection = client.create_place("Corpus", "Tree")?;

    let started = Instant::now();
    let killed = upload_all(&work, &client, collection, &server, plan)?;
    client.wait_until_sealed(Duration::from_mins(10))?;
    let uploaded = started.elapsed();
    let answered = lock(&work.answered).len();
    println!(
        "uploaded and sealed in {:.1} s ({} MB/s), {answered} answered, {} answers lost and asked again, {killed} kills",
        uploaded.as_secs_f64(),
        u128::from(bytes) / 1000 / uploaded.as_millis().max(1),
        work.retries.load(Ordering::Relaxed),
    );

    let started = Instant::now();
    let lost = compare(&work, &client, collection)?;
    println!(
        "listed, downloaded and compared in {:.1} s, {lost} differ or are lost",
        started.elapsed().as_secs_f64()
    );

    server
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .stop()?;
    let left: Vec<_> = std::fs::read_dir(folder.path())?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<Result<_, _>>()?;
    println!("left in the folder: {left:?}");
    let vault = folder.path().join("default.vault");
    let verified = std::process::Command::new(binary)
        .args(["verify", "--deep"])
        .arg(&vault)
        .status()
        .context("running verify")?;
    ensure!(verified.success(), "verify --deep ended with {verified}");
    ensure!(
        lost == 0,
        "{lost} of {answered} acknowledged files differ or are lost"
    );
    ensure!(left.len() == 1, "something was left beside the vault");
    Ok(())
}

/// Uploads everything; returns how often the server was killed.
fn upload_all(
    work: &Work,
    client: &Client,
    collection: u64,
    server: &Mutex<Server>,
    plan: &Plan,
) -> anyhow::Result<u32> {
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..plan.clients)
            .map(|_| scope.spawn(|| upload_some(work, client, collection)))
            .collect();
        let interrupter = scope.spawn(|| kill_now_and_then(work, server, plan.kills));
        let uploaded: Vec<anyhow::Result<()>> = clients
            .into_iter()
            .map(|client| client.join().unwrap_or_else(|_| bail!("a client panicked")))
            .collect();
        work.finished.store(true, Ordering::Relaxed);
        let killed = interrupter
            .join()
            .unwrap_or_else(|_| bail!("the killer panicked"))?;
        uploaded.into_iter().collect::<anyhow::Result<()>>()?;
        Ok(killed)
    })
}

fn upload_some(work: &Work, client: &Client, collection: u64) -> anyhow::Result<()> {
    loop {
        let index = usize::try_from(work.next.fetch_add(1, Ordering::Relaxed))?;
        let Some(file) = work.files.get(index) else {
            return Ok(());
        };
        let uploaded = client
            .upload(index, file, collection, &work.retries)
            .with_context(|| format!("uploading {}", file.path.display()))?;
        lock(&work.answered).insert(index, uploaded);
    }
}

/// Kills at moments spread over the run: each time another share of the files has been answered.
fn kill_now_and_then(work: &Work, server: &Mutex<Server>, kills: u32) -> anyhow::Result<u32> {
    let mut done = 0;
    while done < kills && !work.finished.load(Ordering::Relaxed) {
        let answered = lock(&work.answered).len();
        let due = work.files.len() * (done as usize + 1) / (kills as usize + 1);
        if answered >= due {
            lock(server).kill_and_restart()?;
            done += 1;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(done)
}

/// Compares every acknowledged file with what the server lists and serves; returns how many are not as they were.
fn compare(work: &Work, client: &Client, collection: u64) -> anyhow::Result<usize> {
    let listed = client.list_everything(collection)?;
    println!("{} assets listed", listed.len());
    let answered = lock(&work.answered);
    let mut lost = 0;
    for index in answered.keys() {
        let file = &work.files[*index];
        let same = match listed.get(&file.relative) {
            Some(id) => client.digest_of(*id)? == file.sha256()?,
            None => false,
        };
        if !same {
            println!("not as it was: {}", file.path.display());
            lost += 1;
        }
    }
    Ok(lost)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
