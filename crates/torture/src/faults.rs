//! The n-th request to the disk fails, once or for good, for every n: errors are told, nothing acknowledged is lost,
//! what is open goes on once the disk does, and what is opened again is whole, also after a loss of power.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use compactvault_vault::{Completed, Digest, OpenError, Vault};
use serde_json::json;

use crate::disk::{Disk, Loss, mark};
use crate::fault::{Failure, Fault, Request};
use crate::oracle::{Acknowledged, Expected, Promise, VAULT, check, new_asset, options};
use crate::power::folder;
use crate::random::{Random, noise};
use crate::record::{Mark, Op, Recording};
use crate::shim::{self, Watch};
use crate::workload::{completion, place};

/// A case that takes longer hangs: the longest wait of the product in it is a lock's, of five seconds.
const CASE_MAX: Duration = Duration::from_mins(2);

/// What to do.
pub struct Plan {
    /// Which cases, if not all.
    pub seed: u64,
    /// How many cases; all there are if there are fewer.
    pub cases: usize,
    /// Threads that try them.
    pub threads: usize,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Requests of the workload that can fail, each in every way that there is.
    pub points: usize,
    /// Of them, tried.
    pub tried: usize,
    /// By the kind of failure.
    pub by_failure: std::collections::BTreeMap<&'static str, usize>,
    /// What was lost, wrong, or did not go on.
    pub failures: Vec<String>,
}

impl Outcome {
    /// As figures.
    pub fn json(&self) -> serde_json::Value {
        json!({
            "fault_points": self.points,
            "fault_points_tried": self.tried,
            "by_failure": self.by_failure,
            "failures": self.failures.len(),
            "first_failures": self.failures.iter().take(5).collect::<Vec<_>>(),
        })
    }
}

/// Tries the faults of the plan.
pub fn run(plan: &Plan) -> Result<Outcome> {
    shim::install();
    let mut cases = Vec::new();
    let counted = live(plan.seed, None, |_| ())?;
    for failure in Failure::ALL {
        for request in failure.requests() {
            for at in 1..=counted.requests[*request as usize] {
                for sticky in [false, true] {
                    let request = *request;
                    cases.push(Fault {
                        failure,
                        request,
                        at,
                        sticky,
                    });
                }
            }
        }
    }
    let points = cases.len();
    let mut random = Random::new(plan.seed);
    for n in 0..points.min(plan.cases) {
        let other = n + random.index(points - n);
        cases.swap(n, other);
    }
    cases.truncate(plan.cases);
    let outcome = Mutex::new(Outcome {
        points,
        ..Outcome::default()
    });
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..plan.threads.max(1) {
            scope.spawn(|| {
                while let Some(fault) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = guarded(plan.seed, *fault);
                    let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
                    outcome.tried += 1;
                    *outcome.by_failure.entry(fault.failure.word()).or_default() += 1;
                    if let Err(error) = result {
                        outcome.failures.push(format!("{fault:?}: {error:#}"));
                    }
                }
            });
        }
    });
    Ok(outcome.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn guarded(seed: u64, fault: Fault) -> Result<()> {
    let started = Instant::now();
    let lived = live(seed, Some(fault), |_| ())?;
    lived.judge()?;
    anyhow::ensure!(
        started.elapsed() < CASE_MAX,
        "it took {:?}",
        started.elapsed()
    );
    Ok(())
}

/// A short life with a fault in it.
pub struct Lived {
    recording: Recording,
    /// Requests by kind.
    requests: [u64; Request::KINDS],
    /// What is wrong already.
    failure: Option<String>,
}

/// Lives in a folder of its own. `plant` may plant a bug.
pub fn live(seed: u64, fault: Option<Fault>, plant: impl FnOnce(&Watch)) -> Result<Lived> {
    let folder = folder()?;
    let at = folder.path();
    {
        let vault = Vault::create(&at.join(VAULT), &options(at))?;
        place(&vault)?;
        vault.close()?;
    }
    let watch = Watch::begin(at, fault)?;
    plant(&watch);
    watch.mark(Mark::Acknowledged(Acknowledged::Created));
    let mut expected = Expected::default();
    let gone_on = act(at, &watch, seed);
    let kinds = [Request::Write, Request::Name, Request::Sync, Request::Read];
    let requests = kinds.map(|kind| watch.seen(kind));
    watch.mend();
    let recording = watch.end();
    for noted in recording.ops.iter().filter_map(mark) {
        expected.note(noted);
    }
    let failure = match gone_on {
        Err(error) => Some(format!("it did not go on: {error:#}")),
        Ok(()) => check(at, &expected).err(),
    };
    Ok(Lived {
        recording,
        requests,
        failure,
    })
}

impl Lived {
    /// Whether everything was as it should be, and is after a loss of power at the end.
    pub fn judge(&self) -> Result<()> {
        if let Some(failure) = &self.failure {
            anyhow::bail!("{failure}");
        }
        let mut disk = Disk::before(&self.recording);
        let mut expected = Expected::default();
        for op in &self.recording.ops {
            disk.apply(op);
            if let Some(noted) = mark(op) {
                expected.note(noted);
            }
        }
        let folder = folder()?;
        let at = folder.path().join("disk");
        std::fs::create_dir(&at)?;
        disk.crash(Loss::All, &mut Random::new(0), &at)?;
        check(&at, &expected)
            .map(|_| ())
            .map_err(|error| anyhow::anyhow!("after a loss of power: {error}"))
    }
}

/// Does a little of everything, whatever fails; what succeeds is noted. Fails if something fails after the disk is well
/// again.
fn act(at: &Path, watch: &Arc<Watch>, seed: u64) -> Result<()> {
    let path = at.join(VAULT);
    if let Ok(vault) = Vault::open(&path, &options(at)) {
        // Errors are what is expected; that they are told is all there is to them.
        let _ = some(&vault, watch, seed);
        let _ = vault.close();
    }
    let vault = Vault::open(&path, &options(at));
    if let Ok(vault) = &vault {
        let _ = more(vault, watch, seed);
    }
    watch.mend();
    let vault = match vault {
        Ok(vault) => vault,
        Err(_) => match Vault::open(&path, &options(at)) {
            Ok(vault) => vault,
            // Commits whose syncs failed lie in it: refused by name, and rescued by the oracle.
            Err(OpenError::WalDamaged { .. }) => return Ok(()),
            Err(error) => return Err(error).context("opening it again"),
        },
    };
    if vault.read_only().is_some() {
        // What could not be read at the opening is found out by opening it again.
        drop(vault);
        return Ok(());
    }
    add(&vault, watch, "afterwards", &noise(seed ^ 0x77, 70_000)).context("adding afterwards")?;
    vault.close().context("closing it afterwards")
}

fn add(vault: &Vault, watch: &Watch, name: &str, bytes: &[u8]) -> Result<()> {
    vault.archive_bytes(new_asset(place(vault)?, name), bytes)?;
    let (name, digest) = (name.to_owned(), Digest::of(bytes));
    watch.mark(Mark::Acknowledged(Acknowledged::Sealed(Promise {
        name,
        digest,
    })));
    Ok(())
}

fn some(vault: &Vault, watch: &Watch, seed: u64) -> Result<()> {
    let small = add(vault, watch, "small", &noise(seed, 5000));
    let chunks = add(vault, watch, "chunks", &noise(seed ^ 1, 700_000));
    vault.upkeep()?;
    small.and(chunks)
}

fn more(vault: &Vault, watch: &Watch, seed: u64) -> Result<()> {
    let bytes = noise(seed ^ 2, 40_000);
    let upload = || -> Result<()> {
        let uploads = vault.uploads()?;
        for (index, part) in bytes.chunks(15_000).enumerate() {
            let mut writer = uploads.part("upload", index as u64)?;
            writer.append(part)?;
            writer.finish()?;
        }
        let completed = uploads.complete(&completion("upload", place(vault)?))?;
        let promise = Promise {
            name: "upload".to_owned(),
            digest: Digest::of(&bytes),
        };
        watch.mark(Mark::Acknowledged(match completed {
            Completed::Sealed { .. } => Acknowledged::Sealed(promise),
            Completed::Queued => Acknowledged::Queued(promise),
        }));
        Ok(())
    };
    let uploaded = upload();
    let added = add(vault, watch, "more", &noise(seed ^ 3, 6000));
    watch.mark(Mark::Checkpoint(vault.checkpoint()?.note));
    uploaded.and(added)
}

/// States of a recording that something has to be undone or finished in, opened while the disk fails.
pub fn recoveries(recording: &Recording, plan: &Plan) -> Result<Outcome> {
    shim::install();
    let mut outcome = Outcome::default();
    let points = unsettled(recording);
    let mut random = Random::new(plan.seed);
    while outcome.tried < plan.cases && !points.is_empty() {
        let (disk, expected) = &points[random.index(points.len())];
        let failure = Failure::ALL[random.index(Failure::ALL.len())];
        let requests = failure.requests();
        let fault = Fault {
            failure,
            request: requests[random.index(requests.len())],
            at: 1 + random.below(12),
            sticky: random.coin(),
        };
        outcome.tried += 1;
        outcome.points += 1;
        *outcome.by_failure.entry(failure.word()).or_default() += 1;
        let choice = random.next();
        if let Err(error) = recover(disk, expected, fault, choice) {
            outcome
                .failures
                .push(format!("recovery with {fault:?}: {error:#}"));
        }
    }
    Ok(outcome)
}

/// Points at which a transaction, a checkpoint or a promise is half way.
fn unsettled(recording: &Recording) -> Vec<(Disk, Expected)> {
    let mut points = Vec::new();
    let mut disk = Disk::before(recording);
    let mut expected = Expected::default();
    for (number, op) in recording.ops.iter().enumerate() {
        disk.apply(op);
        if matches!(op, Op::Damage { .. }) {
            // What fails to be read and what is damaged are hard to tell apart from here on.
            break;
        }
        if let Some(noted) = mark(op) {
            expected.note(noted);
        }
        if expected.created && number % 9 == 0 && !disk.is_settled() {
            points.push((disk.clone(), expected.clone()));
        }
    }
    points
}

fn recover(disk: &Disk, expected: &Expected, fault: Fault, choice: u64) -> Result<()> {
    let folder = folder()?;
    let at = folder.path().join("disk");
    std::fs::create_dir(&at)?;
    disk.crash(Loss::Nothing, &mut Random::new(choice), &at)?;
    let watch = Watch::begin(&at, Some(fault))?;
    if let Ok(vault) = Vault::open(&at.join(VAULT), &options(&at)) {
        let _ = vault.close();
    }
    watch.mend();
    watch.end();
    check(&at, expected)
        .map(|_| ())
        .map_err(|error| anyhow::anyhow!(error))
}
