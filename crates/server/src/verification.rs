//! Verification that somebody asked for: one at a time, on a thread of its own, told about as it goes on, stopped on
//! request and with the server.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use compactvault_vault::{Vault, VerifyLevel, VerifyProgress, VerifyReport};

use crate::clock::now_unix_ms;
use crate::error::ApiError;
use crate::events::Events;
use crate::wire;

/// Time between two events about how far it is.
const TOLD_EVERY: Duration = Duration::from_millis(500);

/// The verification that runs or ran last.
#[derive(Default)]
pub(crate) struct Verification {
    run: Mutex<Option<Run>>,
}

struct Run {
    facts: Arc<Facts>,
    /// Until it was waited for.
    thread: Option<JoinHandle<()>>,
}

/// What is known of a run while it goes on.
struct Facts {
    level: VerifyLevel,
    started: Instant,
    started_unix_ms: i64,
    stop: AtomicBool,
    bytes_done: AtomicU64,
    bytes_total: AtomicU64,
    entries_done: AtomicU64,
    entries_total: AtomicU64,
    told: Mutex<Option<Instant>>,
    end: Mutex<Option<End>>,
}

/// How a run ended.
struct End {
    unix_ms: i64,
    seconds: f64,
    outcome: Result<VerifyReport, String>,
}

impl Verification {
    /// Begins a verification.
    pub(crate) fn start(
        &self,
        vault: &Vault,
        level: VerifyLevel,
        events: &Arc<Events>,
    ) -> Result<wire::Verification, ApiError> {
        let mut run = self.lock();
        if run.as_ref().is_some_and(|run| run.facts.is_running()) {
            let message = "a verification is running; wait for its end, or stop it first";
            return Err(ApiError::new(
                StatusCode::CONFLICT,
                "verification_running",
                message,
            ));
        }
        if *events.stopping().borrow() {
            return Err(ApiError::busy());
        }
        let facts = Arc::new(Facts::new(level));
        let (vault, events, of_run) = (vault.clone(), Arc::clone(events), Arc::clone(&facts));
        let thread = std::thread::Builder::new()
            .name("verification".into())
            .spawn(move || verify(&vault, &of_run, &events))
            .map_err(|error| ApiError::internal(&error))?;
        let answer = facts.wire();
        *run = Some(Run {
            facts,
            thread: Some(thread),
        });
        Ok(answer)
    }

    /// How far it is, or how the last one ended.
    pub(crate) fn state(&self) -> wire::Verification {
        let run = self.lock();
        run.as_ref()
            .map_or_else(wire::Verification::idle, |run| run.facts.wire())
    }

    /// Asks a run to end, if there is one.
    pub(crate) fn stop(&self) {
        if let Some(run) = &*self.lock() {
            run.facts.stop.store(true, Ordering::SeqCst);
        }
    }

    /// Asks a run to end and waits for that. Blocks.
    pub(crate) fn close(&self) {
        self.stop();
        let thread = self.lock().as_mut().and_then(|run| run.thread.take());
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("a verification panicked");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Run>> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Facts {
    fn new(level: VerifyLevel) -> Self {
        Self {
            level,
            started: Instant::now(),
            started_unix_ms: now_unix_ms(),
            stop: AtomicBool::new(false),
            bytes_done: AtomicU64::new(0),
            bytes_total: AtomicU64::new(0),
            entries_done: AtomicU64::new(0),
            entries_total: AtomicU64::new(0),
            told: Mutex::new(None),
            end: Mutex::new(None),
        }
    }

    fn end(&self) -> MutexGuard<'_, Option<End>> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_running(&self) -> bool {
        self.end().is_none()
    }

    fn note(&self, progress: VerifyProgress) {
        // Several threads report, each with what was true a moment ago.
        let raise = |to: &AtomicU64, value| to.fetch_max(value, Ordering::Relaxed);
        raise(&self.bytes_done, progress.bytes_done);
        raise(&self.bytes_total, progress.bytes_total);
        raise(&self.entries_done, progress.entries_done);
        raise(&self.entries_total, progress.entries_total);
    }

    /// Whether it is time for another event.
    fn is_due(&self) -> bool {
        let Ok(mut told) = self.told.try_lock() else {
            return false;
        };
        let is_due = told.is_none_or(|told| told.elapsed() >= TOLD_EVERY);
        if is_due {
            *told = Some(Instant::now());
        }
        is_due
    }

    fn wire(&self) -> wire::Verification {
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        let end = self.end();
        let mut wire = wire::Verification::idle();
        wire.state = "running";
        wire.depth = Some(depth(self.level));
        (wire.bytes_done, wire.entries_done) = (count(&self.bytes_done), count(&self.entries_done));
        // What came meanwhile is read as well.
        wire.bytes_total = count(&self.bytes_total).max(wire.bytes_done);
        wire.entries_total = count(&self.entries_total).max(wire.entries_done);
        wire.started_unix_ms = Some(self.started_unix_ms);
        wire.seconds = self.started.elapsed().as_secs_f64();
        if let Some(end) = &*end {
            wire.ended_unix_ms = Some(end.unix_ms);
            wire.seconds = end.seconds;
            match &end.outcome {
                Ok(report) => {
                    wire.state = if report.stopped { "stopped" } else { "done" };
                    wire.found(report);
                }
                Err(message) => {
                    wire.state = "stopped";
                    wire.message = Some(message.clone());
                }
            }
        }
        wire
    }
}

/// The word for a level.
pub(crate) fn depth(level: VerifyLevel) -> &'static str {
    match level {
        VerifyLevel::Quick => "quick",
        VerifyLevel::Full => "full",
        VerifyLevel::Deep => "deep",
    }
}

fn verify(vault: &Vault, facts: &Arc<Facts>, events: &Arc<Events>) {
    let progress = |progress| {
        facts.note(progress);
        if facts.is_due() {
            events.verification(&facts.wire());
        }
    };
    let stop = {
        let (facts, stopping) = (Arc::clone(facts), events.stopping());
        move || facts.stop.load(Ordering::Relaxed) || *stopping.borrow()
    };
    let _end = Ended(facts, events);
    let outcome = vault.verify_until(facts.level, &progress, Arc::new(stop));
    if let Ok(report) = &outcome
        && let Err(error) = vault.note_verification(report, "server")
    {
        tracing::warn!(%error, "that the vault was verified could not be noted");
    }
    let outcome = outcome.map_err(|error| {
        tracing::error!(%error, "a verification did not come to its end");
        "it did not come to its end; the server's log says why".to_owned()
    });
    *facts.end() = Some(End::new(facts, outcome));
}

impl End {
    fn new(facts: &Facts, outcome: Result<VerifyReport, String>) -> Self {
        Self {
            unix_ms: now_unix_ms(),
            seconds: facts.started.elapsed().as_secs_f64(),
            outcome,
        }
    }
}

/// Whatever happens, a run ends and says so.
struct Ended<'r>(&'r Facts, &'r Events);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let Self(facts, events) = self;
        facts.end().get_or_insert_with(|| {
            End::new(facts, Err("it broke off; the server's log says why".into()))
        });
        events.verification(&facts.wire());
    }
}
