//! Who waits for which job, and the few workers that do them. The newest request goes first, since it is the one that
//! somebody looks at; what nobody waits for any more is dropped; what runs in the background waits for all others.
//! What becomes of a result that nobody waits for is up to [`Ask::keep`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use compactvault_preview::{Job, Request};
use compactvault_vault::{AssetReader, ReadError};
use serde_json::Value;
use tokio::sync::{Notify, watch};

use super::worker::{Worker, WorkerCommand};
use super::{Made, PreviewError};
use crate::blocking::Lanes;

/// Workers at once; more would compete with archiving on small machines.
const WORKERS_MAX: usize = 2;
/// Requests that wait. A page of a large screen shows some hundred thumbnails, and other requests need room, too.
const WAITING_MAX: usize = 256;
/// Jobs after which a worker makes room for a fresh one: what one left in its memory must not pile up.
const JOBS_PER_WORKER: u32 = 200;
/// How long a worker without work stays.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// Which comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Nobody looks at it.
    Background,
    /// Somebody waits.
    Visible,
}

type Find = dyn Fn(&str) -> Result<Option<AssetReader>, ReadError> + Send + Sync;

/// Finds other files for a job. Called on threads that may block.
#[derive(Clone)]
pub struct Siblings(Arc<Find>);

impl Siblings {
    /// By a function from their names.
    pub fn new(
        find: impl Fn(&str) -> Result<Option<AssetReader>, ReadError> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(find))
    }

    pub(super) fn find(&self, name: &str) -> Result<Option<AssetReader>, ReadError> {
        (self.0)(name)
    }
}

/// Called once with what was made, before those who wait are told, on a thread that may block.
pub type Keep = Box<dyn FnOnce(&Made) + Send + Sync>;

/// A job and what it is about.
pub struct Ask {
    /// What to do.
    pub job: &'static Job,
    /// As the job knows them.
    pub parameters: Value,
    /// The file.
    pub reader: AssetReader,
    /// Other files that it may read.
    pub siblings: Option<Siblings>,
    /// What to do with the result besides telling those who wait.
    pub keep: Option<Keep>,
}

impl Ask {
    pub(super) fn request(&self) -> Request {
        let asset = self.reader.asset();
        Request {
            job: self.job.name.into(),
            parameters: self.parameters.clone(),
            length: asset.size,
            filename: String::from_utf8_lossy(asset.name.as_bytes()).into_owned(),
            media_type: asset.media.media_type.into(),
        }
    }

    /// Equal for what has the same result.
    fn key(&self) -> String {
        // Names and media types are told to the job, and other files lie beside one asset alone.
        let id = self.reader.asset().id.seq().get();
        format!("{} {} {id}", self.job.name, self.parameters)
    }
}

/// Those who wait for one result, and the one that will be told.
type Outcome = watch::Sender<Option<Made>>;

struct Waiting {
    key: String,
    priority: Priority,
    ask: Ask,
    outcome: Arc<Outcome>,
}

#[derive(Default)]
struct Queue {
    /// Newest last.
    waiting: Vec<Waiting>,
    /// Waiting or running.
    known: HashMap<String, Arc<Outcome>>,
    /// Stations: each has a worker or is about to start one.
    stations: usize,
    /// Of them, those that wait for something to do.
    idle: usize,
}

/// The pool. Clones share it.
#[derive(Clone)]
pub struct Pool(Arc<Inner>);

struct Inner {
    command: Option<WorkerCommand>,
    lanes: Lanes,
    queue: Mutex<Queue>,
    more: Notify,
    closed: watch::Sender<bool>,
}

impl Pool {
    /// A pool by itself.
    pub fn alone(command: WorkerCommand) -> Self {
        Self::new(Some(command), Lanes::new())
    }

    /// A pool without workers; they are started when there is something to do. Without a command there never is.
    pub(crate) fn new(command: Option<WorkerCommand>, lanes: Lanes) -> Self {
        Self(Arc::new(Inner {
            command,
            lanes,
            queue: Mutex::default(),
            more: Notify::new(),
            closed: watch::Sender::new(false),
        }))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a job done. Whoever asks for the same meanwhile shares the result. Waits as long as others take that come
    /// first: who cannot wait drops the future.
    pub async fn run(&self, ask: Ask, priority: Priority) -> Made {
        let mut outcome = self.enter(ask, priority)?;
        let made = outcome.wait_for(Option::is_some).await;
        match made {
            Ok(made) => made.clone().expect("it was waited for"),
            // Dropped for somebody else, or the server stops.
            Err(_) => Err(PreviewError::Busy),
        }
    }

    /// Nothing is begun any more; what runs is broken off, and its workers are killed.
    pub fn close(&self) {
        // Before the queue is looked at: stations compare both under its lock.
        self.0.closed.send_replace(true);
        let mut queue = self.queue();
        queue.waiting.clear();
        queue.known.clear();
    }

    fn is_closed(&self) -> bool {
        *self.0.closed.borrow()
    }

    fn enter(
        &self,
        ask: Ask,
        priority: Priority,
    ) -> Result<watch::Receiver<Option<Made>>, PreviewError> {
        if self.0.command.is_none() {
            return Err(PreviewError::Off);
        }
        let key = ask.key();
        let mut queue = self.queue();
        if self.is_closed() {
            return Err(PreviewError::Busy);
        }
        queue.forget_unwanted();
        if let Some(outcome) = queue.known.get(&key) {
            let receiver = outcome.subscribe();
            // Asked for again, it is the newest again.
            if let Some(at) = queue.waiting.iter().position(|waiting| waiting.key == key) {
                let mut waiting = queue.waiting.remove(at);
                waiting.priority = waiting.priority.max(priority);
                queue.waiting.push(waiting);
            }
            return Ok(receiver);
        }
        if queue.waiting.len() >= WAITING_MAX && !queue.make_room(priority) {
            return Err(PreviewError::Busy);
        }
        let outcome = Arc::new(watch::Sender::new(None));
        let receiver = outcome.subscribe();
        queue.known.insert(key.clone(), Arc::clone(&outcome));
        queue.waiting.push(Waiting {
            key,
            priority,
            ask,
            outcome,
        });
        if queue.idle == 0 && queue.stations < WORKERS_MAX {
            queue.stations += 1;
            tokio::spawn(self.clone().station());
        } else {
            self.0.more.notify_one();
        }
        Ok(receiver)
    }

    /// Takes what comes first, with one worker, until there is nothing for a while.
    async fn station(self) {
        let mut closed = self.0.closed.subscribe();
        let mut worker = None;
        loop {
            let next = {
                let mut queue = self.queue();
                if self.is_closed() {
                    queue.stations -= 1;
                    return;
                }
                let next = queue.next();
                queue.idle += usize::from(next.is_none());
                next
            };
            if let Some(waiting) = next {
                self.perform(waiting, &mut worker).await;
                continue;
            }
            // A notice is kept for whoever waits next, so that none is missed.
            let waited = tokio::select! {
                waited = tokio::time::timeout(IDLE_MAX, self.0.more.notified()) => waited.is_ok(),
                _ = closed.wait_for(|closed| *closed) => true,
            };
            let mut queue = self.queue();
            queue.idle -= 1;
            if !waited && queue.waiting.is_empty() {
                queue.stations -= 1;
                return;
            }
        }
    }

    async fn perform(&self, waiting: Waiting, worker: &mut Option<Worker>) {
        let Waiting {
            key,
            mut ask,
            outcome,
            ..
        } = waiting;
        let mut closed = self.0.closed.subscribe();
        let made = tokio::select! {
            made = self.work(&ask, worker) => made,
            _ = closed.wait_for(|closed| *closed) => Err(PreviewError::Busy),
        };
        if made.is_err() || worker.as_ref().is_some_and(|it| it.jobs >= JOBS_PER_WORKER) {
            *worker = None;
        }
        let made = match ask.keep.take() {
            None => made,
            Some(keep) => {
                let kept = tokio::task::spawn_blocking(move || {
                    keep(&made);
                    made
                });
                kept.await.unwrap_or(Err(PreviewError::Busy))
            }
        };
        self.queue().known.remove(&key);
        // Fails only if nobody waits any more.
        let _ = outcome.send(Some(made));
    }

    async fn work(&self, ask: &Ask, worker: &mut Option<Worker>) -> Made {
        let command = self.0.command.as_ref().ok_or(PreviewError::Off)?;
        let worker = match worker {
            Some(worker) => worker,
            None => match Worker::start(command).await {
                Ok(started) => worker.insert(started),
                Err(error) => {
                    let program = command.program.display();
                    tracing::error!(%error, %program, "no preview worker can be started");
                    return Err(PreviewError::Busy);
                }
            },
        };
        worker.perform(ask, &self.0.lanes).await.map(Arc::new)
    }
}

impl Queue {
    /// What comes first: the newest that somebody looks at, else the oldest of the background.
    fn next(&mut self) -> Option<Waiting> {
        self.forget_unwanted();
        let visible = |waiting: &Waiting| waiting.priority == Priority::Visible;
        if let Some(at) = self.waiting.iter().rposition(visible) {
            return Some(self.waiting.remove(at));
        }
        (!self.waiting.is_empty()).then(|| self.waiting.remove(0))
    }

    /// Whoever scrolled on has broken off the request.
    fn forget_unwanted(&mut self) {
        let known = &mut self.known;
        self.waiting.retain(|waiting| {
            let wanted = waiting.outcome.receiver_count() > 0;
            if !wanted {
                known.remove(&waiting.key);
            }
            wanted
        });
    }

    /// Drops what can wait longest for a request that somebody waits for.
    fn make_room(&mut self, priority: Priority) -> bool {
        let background = |waiting: &Waiting| waiting.priority == Priority::Background;
        match self.waiting.iter().position(background) {
            Some(at) if priority == Priority::Visible => {
                let dropped = self.waiting.remove(at);
                self.known.remove(&dropped.key);
                true
            }
            _ => false,
        }
    }
}
