//! Loss of power: a workload is recorded, and every point of it replayed with what was not synced dropped, torn or in
//! another order. Each state is opened with the product and compared with what had been promised by then.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::disk::{Disk, Loss, mark};
use crate::oracle::{Expected, Kept, check};
use crate::random::Random;
use crate::record::{Mark, Op, Recording};
use crate::shim::{self, Watch};
use crate::workload::Life;

/// What to do.
pub struct Plan {
    /// Which choices.
    pub seed: u64,
    /// States to look at; at least one for each point if there are so many.
    pub states: usize,
    /// Threads that look.
    pub threads: usize,
    /// Where a state that broke its promise is kept; its name says which.
    pub keep: Option<PathBuf>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Points at which the power can fail: after each request to the disk.
    pub points: usize,
    /// Of them, looked at.
    pub points_covered: usize,
    /// States looked at.
    pub states: usize,
    /// By phase: states.
    pub phases: BTreeMap<&'static str, usize>,
    /// How promises were kept.
    pub kept: BTreeMap<String, usize>,
    /// What was lost or wrong.
    pub failures: Vec<String>,
}

impl Outcome {
    /// As figures.
    pub fn json(&self) -> serde_json::Value {
        json!({
            "crash_points": self.points,
            "crash_points_covered": self.points_covered,
            "crash_states": self.states,
            "states_by_phase": self.phases,
            "kept": self.kept,
            "failures": self.failures.len(),
            "first_failures": self.failures.iter().take(5).collect::<Vec<_>>(),
        })
    }
}

/// A point of a recording: the disk before it fails, and what was promised by then.
struct Point {
    number: usize,
    phase: &'static str,
    disk: Disk,
    expected: Expected,
}

/// Records the whole workload in a folder of its own. `plant` may plant a bug.
pub fn record(seed: u64, plant: impl FnOnce(&Watch)) -> Result<Recording> {
    shim::install();
    let folder = folder()?;
    let source = folder.path().join("source");
    let watched = folder.path().join("watched");
    std::fs::create_dir(&source)?;
    std::fs::create_dir(&watched)?;
    let watch = Watch::begin(&watched, None)?;
    plant(&watch);
    let ran = Life::new(&watched, &watch, seed).run(&source);
    let recording = watch.end();
    ran?;
    Ok(recording)
}

/// A folder in memory, where there is one: thousands of states are written and thrown away.
pub fn folder() -> std::io::Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::Builder::new()
            .prefix("torture-")
            .tempdir_in(memory)
    } else {
        tempfile::tempdir()
    }
}

/// Replays a recording. Ends early once `enough` failures were found.
pub fn replay(recording: &Recording, plan: &Plan, enough: usize) -> Result<Outcome> {
    let points = recording.ops.iter().filter(|op| op.is_io()).count();
    let per_point = plan.states.div_ceil(points.max(1));
    // With fewer states than points, every so many-th point is looked at.
    let stride = (points / plan.states.max(1)).max(1);
    let outcome = Mutex::new(Outcome {
        points,
        ..Outcome::default()
    });
    let found = AtomicUsize::new(0);
    let (sender, receiver) = std::sync::mpsc::sync_channel::<Point>(4);
    let receiver = Mutex::new(receiver);
    std::thread::scope(|scope| {
        for _ in 0..plan.threads.max(1) {
            scope.spawn(|| {
                loop {
                    let next = receiver
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .recv();
                    let Ok(point) = next else { return };
                    if found.load(Ordering::Relaxed) >= enough {
                        continue;
                    }
                    let failed = look(&point, plan, per_point, &outcome);
                    found.fetch_add(failed, Ordering::Relaxed);
                }
            });
        }
        let mut disk = Disk::before(recording);
        let mut expected = Expected::default();
        let mut phase = "before";
        let mut number = 0;
        for op in &recording.ops {
            disk.apply(op);
            if let Op::Damage { .. } = op {
                expected.damaged = true;
            }
            if let Some(noted) = mark(op) {
                expected.note(noted);
                if let Mark::Phase(name) = noted {
                    phase = name;
                }
            }
            if !op.is_io() {
                continue;
            }
            number += 1;
            if (number + usize::try_from(plan.seed).unwrap_or(0)) % stride != 0 {
                continue;
            }
            let point = Point {
                number,
                phase,
                disk: disk.clone(),
                expected: expected.clone(),
            };
            if sender.send(point).is_err() || found.load(Ordering::Relaxed) >= enough {
                break;
            }
        }
        drop(sender);
    });
    Ok(outcome.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Looks at some states of one point; gives how many broke a promise.
fn look(point: &Point, plan: &Plan, states: usize, outcome: &Mutex<Outcome>) -> usize {
    let mut failed = 0;
    let mut looked = 0;
    for choice in 0..states {
        // Where everything is durable there is one state only.
        if choice > 0 && point.disk.is_settled() {
            break;
        }
        looked += 1;
        let result = look_at(point, plan, choice);
        let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(kept) => *outcome.kept.entry(format!("{kept:?}")).or_default() += 1,
            Err(error) => {
                failed += 1;
                outcome.failures.push(format!("{error:#}"));
            }
        }
    }
    let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
    outcome.points_covered += 1;
    outcome.states += looked;
    *outcome.phases.entry(point.phase).or_default() += looked;
    failed
}

fn look_at(point: &Point, plan: &Plan, choice: usize) -> Result<Kept> {
    let seed = plan.seed ^ ((point.number as u64) << 20) ^ ((choice as u64) << 52);
    let mut random = Random::new(seed);
    let loss = Loss::ALL[(choice + point.number) % Loss::ALL.len()];
    let folder = folder()?;
    let at = folder.path().join("disk");
    std::fs::create_dir(&at)?;
    point
        .disk
        .crash(loss, &mut random, &at)
        .context("putting the state down")?;
    let kept = if plan.keep.is_some() {
        let copy = folder.path().join("before");
        copy_tree(&at, &copy)?;
        Some(copy)
    } else {
        None
    };
    check(&at, &point.expected).map_err(|error| {
        let mut place = String::new();
        if let (Some(keep), Some(copy)) = (&plan.keep, kept) {
            let to = keep.join(format!("point-{}-choice-{choice}", point.number));
            if copy_tree(&copy, &to).is_ok() {
                place = format!(", kept in {}", to.display());
            }
        }
        anyhow::anyhow!(
            "point {} ({}), choice {choice}, {loss:?}: {error}{place}",
            point.number,
            point.phase
        )
    })
}

fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
