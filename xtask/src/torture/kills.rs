//! `kill -9` of the real binary in the middle of everything that writes. What was promised is kept here, outside the
//! product: every file that an answer said is there, and the last checkpoint that was printed. After each kill the vault
//! must open, verify with that checkpoint, and give every such file back.
#![expect(clippy::print_stdout, reason = "progress goes to the terminal")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::victim::{End, Lengths, Victim};
use crate::corpus::client::Client;
use crate::corpus::server::{self, PASSWORD};
use crate::corpus::tree::hex;
use crate::random::Random;

/// What a kill is to hit: a name for the figures, the words by which the program says that it is at it, and how it is
/// brought to it.
struct Phase {
    name: &'static str,
    whats: &'static [&'static str],
    scene: Scene,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scene {
    /// `add` of small files.
    Import,
    /// `add` of so much that it writes alone.
    Bulk,
    /// A server under uploads.
    Server,
    /// A server that is asked to stop.
    Stop,
    /// `scrub` of a damaged vault.
    Repair,
}

const PHASES: [Phase; 9] = [
    Phase {
        name: "cli import",
        whats: &["seal"],
        scene: Scene::Import,
    },
    Phase {
        name: "http upload",
        whats: &["receive a part", "promise"],
        scene: Scene::Server,
    },
    Phase {
        name: "sealing",
        whats: &["seal"],
        scene: Scene::Server,
    },
    Phase {
        name: "wal checkpoint",
        whats: &["copy the WAL"],
        scene: Scene::Import,
    },
    Phase {
        name: "journal switch",
        whats: &["switch the journal"],
        scene: Scene::Bulk,
    },
    Phase {
        name: "import alone",
        whats: &["seal alone"],
        scene: Scene::Bulk,
    },
    Phase {
        name: "parity merge",
        whats: &["merge parity"],
        scene: Scene::Import,
    },
    Phase {
        name: "repair",
        whats: &["heal"],
        scene: Scene::Repair,
    },
    Phase {
        name: "shutdown",
        whats: &["close"],
        scene: Scene::Stop,
    },
];

/// Tries for each kill that counts, at most: the rest hit where nothing was being written. On a busy machine, where
/// what a process says is heard late, many do.
const TRIES_MAX: u64 = 60;
/// A vault is given up for a new one when it has taken so many kills: checks read all of it.
const KILLS_PER_VAULT: u64 = 12;
/// Clients of a server that is to be killed.
const CLIENTS: u64 = 3;

/// What to do.
pub(super) struct Plan {
    /// Kills that count.
    pub(super) kills: u64,
    /// Which moments.
    pub(super) seed: u64,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Outcome {
    by_phase: BTreeMap<&'static str, u64>,
    /// Kills that hit no write.
    missed: u64,
    acknowledged: u64,
    reopened_ms: Vec<u64>,
    pub(super) failures: Vec<String>,
}

impl Outcome {
    pub(super) fn json(&self) -> serde_json::Value {
        let mut times = self.reopened_ms.clone();
        times.sort_unstable();
        let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or(0);
        json!({
            "kills": self.by_phase.values().sum::<u64>(),
            "kills_by_phase": self.by_phase,
            "kills_that_hit_no_write": self.missed,
            "answers_kept": self.acknowledged,
            "acknowledged_and_lost": self.failures.len(),
            "first_failures": self.failures.iter().take(5).collect::<Vec<_>>(),
            "verified_after_kill_ms": {"p50": at(50), "p99": at(99)},
        })
    }
}

/// Kills as often as planned, evenly over the phases, on two threads.
pub(super) fn run(binary: &Path, plan: &Plan) -> Result<Outcome> {
    let outcome = Mutex::new(Outcome::default());
    let next = AtomicU64::new(0);
    let each = plan.kills.div_ceil(PHASES.len() as u64);
    std::thread::scope(|scope| -> Result<()> {
        let threads: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| -> Result<()> {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some(phase) = usize::try_from(number).ok().and_then(|n| PHASES.get(n))
                        else {
                            return Ok(());
                        };
                        hunt(binary, phase, each, plan.seed, &outcome)
                            .with_context(|| format!("killing in “{}”", phase.name))?;
                    }
                })
            })
            .collect();
        for thread in threads {
            thread
                .join()
                .unwrap_or_else(|_| bail!("a killer panicked"))?;
        }
        Ok(())
    })?;
    Ok(outcome.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Kills in one phase as often as asked.
fn hunt(
    binary: &Path,
    phase: &Phase,
    kills: u64,
    seed: u64,
    outcome: &Mutex<Outcome>,
) -> Result<()> {
    let name = phase.name.bytes();
    let mut random =
        Random::new(name.fold(seed, |seed, byte| seed.rotate_left(7) ^ u64::from(byte)));
    let mut lengths = Lengths::default();
    let mut counted = 0;
    let mut tries = 0;
    let mut den: Option<(Den, u64)> = None;
    while counted < kills {
        tries += 1;
        ensure!(
            tries <= kills * TRIES_MAX,
            "{counted} of {tries} kills hit a write"
        );
        let (den, suffered) = match &mut den {
            Some((den, suffered)) if *suffered < KILLS_PER_VAULT => (den, suffered),
            den => {
                let made = Den::make(binary, &mut random)?;
                let (den, suffered) = den.insert((made, 0));
                (den, suffered)
            }
        };
        *suffered += 1;
        let end = den.kill(phase, &mut random, &mut lengths)?;
        let started = Instant::now();
        let caught = matches!(end, End::Caught(_));
        if !caught && phase.scene != Scene::Repair {
            // Nothing was being written; what was promised is compared after the next that hits.
            lock(outcome).missed += 1;
            continue;
        }
        let checked = den.check();
        let took = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        if std::env::var_os("TORTURE_PROGRESS").is_some() {
            println!(
                "{} try {tries}: {}, checked in {took} ms",
                phase.name,
                end.text()
            );
        }
        let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
        outcome.reopened_ms.push(took);
        if caught {
            counted += 1;
            *outcome.by_phase.entry(phase.name).or_default() += 1;
        } else {
            outcome.missed += 1;
        }
        match checked {
            Ok(kept) => outcome.acknowledged += kept,
            Err(error) => {
                outcome.failures.push(format!(
                    "{} try {tries}, seed {seed}: {error:#}",
                    phase.name
                ));
                *suffered = KILLS_PER_VAULT;
            }
        }
    }
    Ok(())
}

/// A vault in a folder, and what was promised about it.
struct Den {
    binary: PathBuf,
    folder: tempfile::TempDir,
    /// SHA-256 by path in the vault.
    promised: Mutex<BTreeMap<String, String>>,
    checkpoint: Option<String>,
    runs: u64,
}

impl Den {
    fn make(binary: &Path, random: &mut Random) -> Result<Self> {
        let mut den = Self {
            binary: binary.to_path_buf(),
            folder: tempfile::tempdir()?,
            promised: Mutex::default(),
            checkpoint: None,
            runs: 0,
        };
        fs::create_dir(den.at("served"))?;
        let vault = den.vault();
        let made = den.command().arg("init").arg(&vault).output()?;
        ensure!(made.status.success(), "init: {made:?}");
        // Enough that damage has parity to be healed from.
        den.import(random, 12, 30_000)?;
        Ok(den)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn vault(&self) -> PathBuf {
        self.at("served/v.vault")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .args(["--json", "--state-dir"])
            .arg(self.at("state"));
        command
    }

    /// Files for one `add`; gives what will be true once it has said so.
    fn files(
        &mut self,
        random: &mut Random,
        count: u64,
        largest: usize,
    ) -> Result<(PathBuf, BTreeMap<String, String>)> {
        self.runs += 1;
        let folder = self.at(&format!("run{}", self.runs));
        fs::create_dir(&folder)?;
        let mut promise = BTreeMap::new();
        for n in 0..count {
            let mut bytes = vec![0; 1 + random.index(largest)];
            random.fill(&mut bytes);
            fs::write(folder.join(n.to_string()), &bytes)?;
            let path = format!("P/run{}/{n}", self.runs);
            promise.insert(path, hex(&Sha256::digest(&bytes)));
        }
        Ok((folder, promise))
    }

    fn add(&self, folder: &Path) -> Command {
        let mut command = self.command();
        command
            .arg("--vault")
            .arg(self.vault())
            .args(["add", "--to", "P"])
            .arg(folder)
            .stdout(Stdio::piped());
        command
    }

    /// An `add` that nobody disturbs.
    fn import(&mut self, random: &mut Random, count: u64, largest: usize) -> Result<()> {
        let (folder, promise) = self.files(random, count, largest)?;
        let output = self.add(&folder).output()?;
        ensure!(output.status.success(), "add: {output:?}");
        self.believe(&output.stdout, promise)
    }

    fn believe(&mut self, printed: &[u8], promise: BTreeMap<String, String>) -> Result<()> {
        let report: serde_json::Value = serde_json::from_slice(printed).context("add's report")?;
        let note = report["checkpoint"].as_str().context("a checkpoint")?;
        self.checkpoint = Some(note.to_owned());
        lock(&self.promised).extend(promise);
        Ok(())
    }

    /// Brings the program to the phase and kills it there; what it says before that is believed.
    fn kill(&mut self, phase: &Phase, random: &mut Random, lengths: &mut Lengths) -> Result<End> {
        match phase.scene {
            Scene::Import => {
                // Enough to take a while, and too little for writing alone.
                let count = 10 + random.below(40);
                self.kill_add(phase, 0, (count, 120_000), random, lengths)
            }
            // More than the stations of an import hold at once: what is read to its end before the first commit does not
            // ask to write alone.
            Scene::Bulk => {
                // The first switch or the one back; the first commit or one after others.
                let number = random.below(2);
                self.kill_add(phase, number, (24, 4_000_000), random, lengths)
            }
            Scene::Server | Scene::Stop => self.kill_server(phase, random, lengths),
            Scene::Repair => self.kill_scrub(phase, random, lengths),
        }
    }

    fn kill_add(
        &mut self,
        phase: &Phase,
        number: u64,
        (count, largest): (u64, usize),
        random: &mut Random,
        lengths: &mut Lengths,
    ) -> Result<End> {
        let (folder, promise) = self.files(random, count, largest)?;
        let mut victim = Victim::start(self.add(&folder))?;
        let end = victim.kill_in(phase.whats, number, random, lengths)?;
        if let End::Itself(status) = end {
            ensure!(status.success(), "add ended with {status}");
            let printed = victim.printed()?;
            self.believe(printed.as_bytes(), promise)?;
        }
        Ok(end)
    }

    fn kill_scrub(
        &mut self,
        phase: &Phase,
        random: &mut Random,
        lengths: &mut Lengths,
    ) -> Result<End> {
        self.damage(random)?;
        let mut command = self.command();
        command
            .arg("scrub")
            .arg(self.vault())
            .stdout(Stdio::piped());
        let mut victim = Victim::start(command)?;
        let number = random.below(2);
        let end = victim.kill_in(phase.whats, number, random, lengths)?;
        if let End::Itself(status) = end {
            ensure!(status.success(), "scrub ended with {status}");
        }
        Ok(end)
    }

    /// Overwrites a few blocks behind page 1 in the vault, within what parity restores in place: the promise of `scrub`
    /// is about sealed rows, so only blocks are taken that hold a file's bytes as they are.
    fn damage(&self, random: &mut Random) -> Result<()> {
        use std::os::unix::fs::FileExt as _;
        let bytes = fs::read(self.vault())?;
        let file = fs::File::options().write(true).open(self.vault())?;
        let run = self.at("run1");
        let mut hit = BTreeSet::new();
        for _ in 0..8 {
            let source = fs::read(run.join(random.below(12).to_string()))?;
            if hit.len() >= 2 || source.len() < 2000 {
                continue;
            }
            let needle = &source[1000..1016];
            let found = bytes.windows(16).position(|window| window == needle);
            if let Some(at) = found.filter(|at| hit.insert(at / 4096)) {
                file.write_all_at(&[0xa5; 48], at as u64)?;
            }
        }
        Ok(())
    }

    fn kill_server(
        &mut self,
        phase: &Phase,
        random: &mut Random,
        lengths: &mut Lengths,
    ) -> Result<End> {
        let mut command = server::command(
            &self.binary,
            &self.at("served"),
            &self.at("state"),
            "127.0.0.1:0",
        );
        command.env("COMPACTVAULT_PASSWORD", PASSWORD);
        let mut victim = Victim::start(command)?;
        let address = server::address_of(victim.child())?;
        self.runs += 1;
        let run = self.runs;
        let collection = Client::new(&address).create_place("P", &format!("run{run}"))?;
        let done = AtomicBool::new(false);
        let seed = random.next();
        let number = random.below(6);
        let promised = &self.promised;
        std::thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (address, done) = (&address, &done);
                let mut random = Random::new(seed ^ client);
                scope.spawn(move || {
                    let http = Client::new(address);
                    for n in 0.. {
                        if done.load(Ordering::Relaxed) {
                            return;
                        }
                        let name = format!("{client}-{n}");
                        let mut bytes = vec![0; 1 + random.index(200_000)];
                        random.fill(&mut bytes);
                        let sent = if client == 0 {
                            http.add(collection, &name, &bytes)
                        } else {
                            http.upload_once(collection, &format!("{run}-{name}"), &name, &bytes)
                        };
                        // Without an answer nothing was promised, and nobody is there any more.
                        if sent.is_err() {
                            return;
                        }
                        let path = format!("P/run{run}/{name}");
                        lock(promised).insert(path, hex(&Sha256::digest(&bytes)));
                    }
                });
            }
            if phase.scene == Scene::Stop {
                std::thread::sleep(Duration::from_millis(30 + random.below(100)));
                let id = victim.child().id().to_string();
                let asked = Command::new("kill").args(["-INT", &id]).status();
                if !asked.is_ok_and(|status| status.success()) {
                    done.store(true, Ordering::Relaxed);
                    bail!("the server could not be asked to stop");
                }
            }
            let number = if phase.scene == Scene::Stop {
                0
            } else {
                number
            };
            let end = victim.kill_in(phase.whats, number, random, lengths);
            done.store(true, Ordering::Relaxed);
            end
        })
    }

    /// Opens the vault as anybody would, and compares everything; gives how many promises were kept.
    fn check(&mut self) -> Result<u64> {
        self.finish_uploads()?;
        let scrubbed = self.command().arg("scrub").arg(self.vault()).output()?;
        ensure!(
            scrubbed.status.success(),
            "scrub: {}",
            text(&scrubbed.stdout, &scrubbed.stderr)
        );
        let mut verify = self.command();
        verify.args(["verify", "--deep"]);
        if let Some(note) = &self.checkpoint {
            fs::write(self.at("kept.checkpoint"), note)?;
            verify.arg("--against").arg(self.at("kept.checkpoint"));
        }
        let verified = verify.arg(self.vault()).output()?;
        ensure!(
            verified.status.success(),
            "verify: {}",
            text(&verified.stdout, &verified.stderr)
        );
        let out = self.at("out");
        let exported = self
            .command()
            .arg("--vault")
            .arg(self.vault())
            .args(["export", "--out"])
            .arg(&out)
            .output()?;
        ensure!(
            exported.status.success(),
            "export: {}",
            text(&exported.stdout, &exported.stderr)
        );
        let promised = lock(&self.promised);
        for (path, sha256) in promised.iter() {
            let bytes = fs::read(out.join(path)).with_context(|| format!("LOST: {path}"))?;
            ensure!(
                hex(&Sha256::digest(&bytes)) == *sha256,
                "WRONG BYTES: {path}"
            );
        }
        fs::remove_dir_all(&out)?;
        for suffix in ["-wal", "-shm", "-journal", "-alone"] {
            let left = self.at(&format!("served/v.vault{suffix}"));
            ensure!(!left.exists(), "{} was left behind", left.display());
        }
        Ok(promised.len() as u64)
    }

    /// What was queued is sealed by the next server, which says so when it stops.
    fn finish_uploads(&self) -> Result<()> {
        if !self.at("served/v.vault-uploads").exists() {
            return Ok(());
        }
        let mut command = server::command(
            &self.binary,
            &self.at("served"),
            &self.at("state"),
            "127.0.0.1:0",
        );
        let mut child = command.stderr(Stdio::null()).spawn()?;
        let waited = server::address_of(&mut child).and_then(|address| {
            Client::new(&address).wait_until_none_is_queued(Duration::from_mins(1))
        });
        let stopped = Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status();
        let ended = child.wait()?;
        waited?;
        ensure!(
            stopped?.success() && ended.success(),
            "the next server ended with {ended}"
        );
        Ok(())
    }
}

fn text(out: &[u8], err: &[u8]) -> String {
    let text = format!(
        "{} {}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    );
    text.chars().take(2000).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
