//! Uploads waiting for their turn, and the few threads that serve them.
//!
//! Two workers read the parts of large uploads and of those that waited for better times; one more thread waits for
//! the commits of small ones whose callers were sent away with a promise, and one reads ahead in large ones that are still
//! arriving. They start when they are first needed.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::upload::Upload;
use super::{Inner, Pending, lock};

/// Threads that read parts. A second one fills the gaps of the first; more would only compete for the disk.
const WORKERS: usize = 2;
/// Uploads that wait at most before a `complete` is held back.
const QUEUE_MAX: usize = 1024;
/// How long a `complete` is held back by a full queue.
const QUEUE_PATIENCE: Duration = Duration::from_secs(30);
/// How long an upload waits after its first failure; doubled with each further one.
const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_mins(1);

/// An upload to seal.
pub(super) struct Job {
    pub(super) upload: Arc<Upload>,
    /// Failures so far.
    attempt: u32,
    due: Instant,
}

impl Job {
    pub(super) fn new(upload: Arc<Upload>) -> Self {
        Self {
            upload,
            attempt: 0,
            due: Instant::now(),
        }
    }

    /// The same again, later.
    pub(super) fn again(self) -> Self {
        let factor = 1 << self.attempt.min(6);
        let due = Instant::now() + (BACKOFF_MIN * factor).min(BACKOFF_MAX);
        Self {
            upload: self.upload,
            attempt: self.attempt + 1,
            due,
        }
    }
}

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<QueueState>,
    /// Signalled at every change.
    changed: Condvar,
}

#[derive(Default)]
struct QueueState {
    jobs: VecDeque<Job>,
    /// Handed in to the vault; their commits are awaited.
    committing: VecDeque<(Arc<Upload>, Pending)>,
    /// To be read ahead, each once at most.
    ahead: VecDeque<Arc<Upload>>,
    /// Threads at work, callers of `complete` among them.
    active: usize,
    workers: usize,
    waiters: usize,
    readers_ahead: usize,
    threads: Vec<JoinHandle<()>>,
    stopped: bool,
}

/// Counts a thread as at work.
pub(super) struct Active<'a>(&'a Queue);

impl Drop for Active<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).active -= 1;
        self.0.changed.notify_all();
    }
}

impl Queue {
    pub(super) fn active(&self) -> Active<'_> {
        lock(&self.state).active += 1;
        Active(self)
    }

    /// Adds a job; waits for room. `false` if there was none for too long.
    pub(super) fn push(&self, inner: &Arc<Inner>, job: Job) -> bool {
        let state = lock(&self.state);
        let full = |state: &mut QueueState| state.jobs.len() >= QUEUE_MAX && !state.stopped;
        let (mut state, _) = self
            .changed
            .wait_timeout_while(state, QUEUE_PATIENCE, full)
            .unwrap_or_else(PoisonError::into_inner);
        if full(&mut state) {
            return false;
        }
        self.add(inner, &mut state, job);
        true
    }

    /// Adds a job whatever the bound: what was promised cannot be sent away.
    pub(super) fn push_promised(&self, inner: &Arc<Inner>, job: Job) {
        self.add(inner, &mut lock(&self.state), job);
    }

    fn add(&self, inner: &Arc<Inner>, state: &mut QueueState, job: Job) {
        state.jobs.push_back(job);
        if state.workers < WORKERS && !state.stopped {
            state.workers += 1;
            start(inner, state, "upload-worker", Inner::work);
        }
        self.changed.notify_all();
    }

    /// Has the commit of a promised upload awaited.
    pub(super) fn await_commit(&self, inner: &Arc<Inner>, upload: Arc<Upload>, pending: Pending) {
        let mut state = lock(&self.state);
        state.committing.push_back((upload, pending));
        if state.waiters == 0 && !state.stopped {
            state.waiters += 1;
            start(inner, &mut state, "upload-waiter", Inner::await_commits);
        }
        self.changed.notify_all();
    }

    /// The next job that is due; `None` when the end has come.
    pub(super) fn next_job(&self) -> Option<(Job, Active<'_>)> {
        let mut state = lock(&self.state);
        loop {
            if state.stopped {
                return None;
            }
            let now = Instant::now();
            if let Some(position) = state.jobs.iter().position(|job| job.due <= now) {
                let job = state.jobs.remove(position)?;
                state.active += 1;
                self.changed.notify_all();
                return Some((job, Active(self)));
            }
            let next = state.jobs.iter().map(|job| job.due).min();
            state = match next {
                None => self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(due) => {
                    let waited = self.changed.wait_timeout(state, due - now);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// The next commit to wait for; `None` when the end has come.
    pub(super) fn next_commit(&self) -> Option<(Arc<Upload>, Pending, Active<'_>)> {
        let mut state = lock(&self.state);
        loop {
            if state.stopped {
                return None;
            }
            if let Some((upload, pending)) = state.committing.pop_front() {
                state.active += 1;
                return Some((upload, pending, Active(self)));
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Has an upload read ahead.
    pub(super) fn read_ahead(&self, inner: &Arc<Inner>, upload: Arc<Upload>) {
        let mut state = lock(&self.state);
        state.ahead.push_back(upload);
        if state.readers_ahead == 0 && !state.stopped {
            state.readers_ahead += 1;
            start(inner, &mut state, "upload-ahead", Inner::read_ahead);
        }
        self.changed.notify_all();
    }

    /// The next upload to read ahead; `None` when the end has come.
    pub(super) fn next_ahead(&self) -> Option<Arc<Upload>> {
        let idle = |state: &mut QueueState| state.ahead.is_empty() && !state.stopped;
        let waited = self.changed.wait_while(lock(&self.state), idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        if state.stopped {
            return None;
        }
        state.ahead.pop_front()
    }

    pub(super) fn is_stopped(&self) -> bool {
        lock(&self.state).stopped
    }

    /// Waits until nothing is left that could be done before the deadline, then ends the threads.
    pub(super) fn stop(&self, deadline: Instant) {
        let mut state = lock(&self.state);
        loop {
            let now = Instant::now();
            let busy = state.active > 0
                || !state.committing.is_empty()
                || state.jobs.iter().any(|job| job.due < deadline);
            if !busy || now >= deadline || state.stopped {
                break;
            }
            let waited = self.changed.wait_timeout(state, deadline - now);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.stopped = true;
        let threads = std::mem::take(&mut state.threads);
        drop(state);
        self.changed.notify_all();
        for thread in threads {
            // A subscriber may own the last handle, and then the worker itself comes by here.
            if thread.thread().id() != std::thread::current().id() {
                // A panic was reported by its own thread.
                let _ = thread.join();
            }
        }
        let state = lock(&self.state);
        let left = self.changed.wait_timeout_while(
            state,
            deadline
                .saturating_duration_since(Instant::now())
                .max(LEAVE_PATIENCE),
            |state| state.active > 0,
        );
        drop(left);
    }
}

/// How long callers of `complete` get to notice that the end has come.
const LEAVE_PATIENCE: Duration = Duration::from_millis(500);

fn start(inner: &Arc<Inner>, state: &mut QueueState, name: &str, run: fn(&Arc<Inner>)) {
    let inner = Arc::clone(inner);
    let thread = std::thread::Builder::new()
        .name(name.into())
        .spawn(move || run(&inner));
    match thread {
        Ok(thread) => state.threads.push(thread),
        // What waits is safe in the spool and is taken up at the next start.
        Err(error) => tracing::error!(%error, "no thread could be started to seal uploads"),
    }
}
