//! Uploads: parts that arrive in any order, spooled beside the vault until one `complete` makes them an asset.
//!
//! What an answer means: a part that was answered survives a crash of this program; a `complete` that was answered
//! with [`Completed::Queued`] survives a loss of power; one answered with [`Completed::Sealed`] is in the vault. An
//! upload goes from receiving over queued to sealed and never back, and how it ended is remembered for
//! [`UPLOAD_KEPT`]. Nothing here knows how parts travel.
//!
//! Each upload has its own lock; parts of different uploads, and different parts of one, never wait for each other.

mod ahead;
mod completion;
mod ended;
mod error;
mod part;
mod queue;
mod sealing;
mod spool;
mod upload;
mod whole;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

pub use completion::Completion;
pub use error::UploadError;
pub use part::PartWriter;
pub use upload::{ReceivedPart, UploadState, UploadStatus};

use crate::error::IngestError;
use crate::ids::AssetId;
use crate::ingest::{ArchiveError, HeadStart, Ingest, NewAsset, Sealed};
use crate::limits::{PARTS_MAX, UPLOAD_ID_BYTES_MAX, UPLOAD_KEPT};
use ended::EndedUploads;
use queue::{Job, Queue};
use spool::{Found, Key, Spool};
use upload::{Begin, Phase, State, Upload};

/// Uploads that have not ended, at most. Each costs a folder and some hundred bytes of memory.
const OPEN_MAX: usize = 16 * 1024;
/// How long `complete` waits for a commit before it makes the upload durable in the spool instead.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often uploads that nobody goes on with are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_hours(1);

/// The uploads of one vault. All methods may block on the disk; any number of threads may call them at once.
///
/// Dropping it stops its threads; what is queued then stays in the spool and is sealed after the next start.
pub struct Uploads {
    inner: Arc<Inner>,
}

/// Where uploads go in.
trait Door: Send + Sync {
    /// See [`Ingest::read_ahead`].
    fn read_ahead(&self, start: &mut HeadStart, source: &mut dyn Read) -> io::Result<bool>;

    /// Reads an asset into the vault; gives the commit that then has to be waited for. See [`Ingest::archive_ahead`].
    fn archive(
        &self,
        asset: NewAsset,
        source: &mut dyn Read,
        start: HeadStart,
    ) -> Result<Pending, ArchiveError>;
}

type Pending = Box<dyn Fn(Duration) -> Option<Result<Sealed, IngestError>> + Send>;
type Subscriber = Box<dyn Fn(&UploadState) + Send + Sync>;

struct Inner {
    spool: Spool,
    ended: EndedUploads,
    open: Mutex<HashMap<Key, Arc<Upload>>>,
    queue: Queue,
    door: Box<dyn Door>,
    /// Chunks that are known before their uploads are complete.
    chunks_ahead: Arc<AtomicUsize>,
    subscribers: RwLock<Vec<Subscriber>>,
    /// Nothing new is taken.
    closing: AtomicBool,
    patience: Duration,
    /// Sealed since the start.
    sealed: AtomicUsize,
    swept: Mutex<Instant>,
}

/// What became of a `complete`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completed {
    /// The asset is in the vault.
    Sealed {
        /// It.
        asset: AssetId,
        /// The newest version of that name had the same bytes; nothing was added.
        already_archived: bool,
    },
    /// Parts and completion are durable in the spool, and the asset will be sealed whatever happens.
    Queued,
}

/// What [`Uploads::drain`] left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DrainReport {
    /// Uploads sealed while it waited.
    pub sealed: usize,
    /// Completed uploads that stay in the spool and are sealed after the next start.
    pub queued: usize,
    /// Uploads that were not completed; their parts stay in the spool.
    pub receiving: usize,
}

impl Uploads {
    /// Opens the spool of the vault at `vault_path`, and goes on with what an earlier run left in it. A spool that
    /// cannot be read now (another process has it, say) is tried again with every request.
    pub(crate) fn open(vault_path: &Path, state_dir: &Path, ingest: Arc<Ingest>) -> Self {
        Self::with_door(vault_path, state_dir, Box::new(ingest), PATIENCE)
    }

    fn with_door(
        vault_path: &Path,
        state_dir: &Path,
        door: Box<dyn Door>,
        patience: Duration,
    ) -> Self {
        let inner = Arc::new(Inner {
            spool: Spool::beside(vault_path),
            ended: EndedUploads::load(state_dir),
            open: Mutex::default(),
            queue: Queue::default(),
            door,
            chunks_ahead: Arc::default(),
            subscribers: RwLock::default(),
            closing: AtomicBool::new(false),
            patience,
            sealed: AtomicUsize::new(0),
            swept: Mutex::new(Instant::now()),
        });
        match inner.hold(false) {
            Err(error) => tracing::warn!(%error, "unfinished uploads cannot be taken up yet"),
            Ok(()) if lock(&inner.open).is_empty() => inner.spool.release_if_empty(),
            Ok(()) => {}
        }
        Self { inner }
    }

    /// Begins a part. Its bytes go into the writer; it counts once [`PartWriter::finish`] has answered.
    pub fn part(&self, upload_id: &str, index: u64) -> Result<PartWriter, UploadError> {
        let inner = &self.inner;
        inner.check_open()?;
        check_id(upload_id)?;
        if index >= PARTS_MAX {
            return Err(UploadError::TooManyParts);
        }
        inner.hold(true)?;
        inner.spool.check_space()?;
        inner.sweep_if_due();
        let key = Key::of(upload_id.as_bytes());
        loop {
            let upload = inner.find_or_add(key, upload_id)?;
            let mut state = lock(&upload.state);
            match state.phase {
                Phase::Gone => continue,
                Phase::Receiving => {}
                Phase::Sealing | Phase::Queued | Phase::Ended(_) => {
                    return Err(UploadError::Complete);
                }
            }
            if !state.has_folder
                && let Err(error) = inner.create_folder(&upload, &mut state)
            {
                drop(state);
                inner.discard_if_unused(&upload);
                return Err(error);
            }
            state.writers += 1;
            state.touched = SystemTime::now();
            drop(state);
            return PartWriter::create(Arc::clone(inner), upload, index);
        }
    }

    /// Makes an asset of the parts. Blocks until it is sealed, or else safely queued. With the same fields again it
    /// answers the same, also at once, after a restart, and for [`UPLOAD_KEPT`] after the end.
    ///
    /// A refusal leaves the upload as it was: missing parts can be sent and `complete` be called again.
    pub fn complete(&self, completion: &Completion) -> Result<Completed, UploadError> {
        let inner = &self.inner;
        inner.check_open()?;
        check_id(&completion.upload_id)?;
        inner.hold(false)?;
        let key = Key::of(completion.upload_id.as_bytes());
        loop {
            let known = lock(&inner.open).get(&key).cloned();
            let upload = match known {
                Some(upload) => upload,
                None => match inner.ended.get(&key) {
                    Some(ended) => return ended.answer(completion.fingerprint()),
                    None => match inner.find_or_add(key, &completion.upload_id) {
                        // Another caller completed it just now; its answer is ours.
                        Err(UploadError::Complete) => continue,
                        added => added?,
                    },
                },
            };
            match upload.begin_sealing(completion) {
                Ok(Begin::Yours) => return inner.seal(&upload),
                Ok(Begin::Queued) => return Ok(Completed::Queued),
                Ok(Begin::Ended(ended)) => return ended.answer(completion.fingerprint()),
                Ok(Begin::Gone) => {}
                Err(error) => {
                    inner.discard_if_unused(&upload);
                    return Err(error);
                }
            }
        }
    }

    /// What is known about an upload; `None` if there is none of that id, or it ended too long ago.
    pub fn get(&self, upload_id: &str) -> Result<Option<UploadState>, UploadError> {
        check_id(upload_id)?;
        // Without the spool it is still known how uploads ended.
        let held = self.inner.hold(false);
        let key = Key::of(upload_id.as_bytes());
        let known = lock(&self.inner.open).get(&key).cloned();
        if let Some(state) = known.and_then(|upload| upload.snapshot()) {
            return Ok(Some(state));
        }
        match self.inner.ended.get(&key) {
            Some(ended) => Ok(Some(UploadState::ended(upload_id, &ended))),
            None => held.map(|()| None),
        }
    }

    /// Uploads that have not ended, `limit` at most, ordered by their ids.
    pub fn unfinished(&self, limit: usize) -> Vec<UploadState> {
        let mut uploads = self.inner.all_open();
        uploads.sort_by(|a, b| a.id.cmp(&b.id));
        let ended = |state: &UploadState| {
            matches!(state.status, UploadStatus::Sealed | UploadStatus::Failed)
        };
        let snapshots = uploads.iter().filter_map(|upload| upload.snapshot());
        snapshots
            .filter(|state| !ended(state))
            .take(limit)
            .collect()
    }

    /// How many uploads have not ended.
    pub fn unfinished_count(&self) -> usize {
        lock(&self.inner.open).len()
    }

    /// Calls `f` whenever an upload ends, on the thread that ended it: keep it short. A subscription is for life,
    /// so `f` must not own the vault.
    pub fn subscribe(&self, f: Box<dyn Fn(&UploadState) + Send + Sync>) {
        self.inner
            .subscribers
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(f);
    }

    /// Takes nothing new, and seals what is queued for as long as `timeout` allows; what is left stays in the
    /// spool. Afterwards the threads have ended and every request is refused. The vault closes after this, not before.
    pub fn drain(&self, timeout: Duration) -> DrainReport {
        let inner = &self.inner;
        let before = inner.sealed.load(Ordering::SeqCst);
        inner.closing.store(true, Ordering::SeqCst);
        inner.queue.stop(Instant::now() + timeout);
        if let Err(error) = inner.ended.sync() {
            tracing::warn!(%error, "how uploads ended may be forgotten if the power fails now");
        }
        inner.spool.let_go();
        DrainReport {
            sealed: inner.sealed.load(Ordering::SeqCst) - before,
            queued: inner.count(|phase| matches!(phase, Phase::Sealing | Phase::Queued)),
            receiving: inner.count(|phase| matches!(phase, Phase::Receiving)),
        }
    }
}

impl Door for Arc<Ingest> {
    fn read_ahead(&self, start: &mut HeadStart, source: &mut dyn Read) -> io::Result<bool> {
        Ingest::read_ahead(self, start, source)
    }

    fn archive(
        &self,
        asset: NewAsset,
        source: &mut dyn Read,
        start: HeadStart,
    ) -> Result<Pending, ArchiveError> {
        let ticket = self.archive_ahead(asset, source, start)?;
        Ok(Box::new(move |timeout| ticket.wait_timeout(timeout)))
    }
}

impl Drop for Uploads {
    fn drop(&mut self) {
        self.inner.closing.store(true, Ordering::SeqCst);
        self.inner.queue.stop(Instant::now());
    }
}

impl Inner {
    fn check_open(&self) -> Result<(), UploadError> {
        if self.closing.load(Ordering::SeqCst) {
            Err(UploadError::Closing)
        } else {
            Ok(())
        }
    }

    fn is_stopped(&self) -> bool {
        self.queue.is_stopped()
    }

    fn hold(self: &Arc<Self>, create: bool) -> Result<(), UploadError> {
        if self.is_stopped() {
            return Err(UploadError::Closing);
        }
        self.spool.hold(create, |found| {
            for upload in found {
                self.adopt(upload);
            }
        })
    }

    /// Goes on with an upload of an earlier run.
    fn adopt(self: &Arc<Self>, found: Found) {
        if self.ended.get(&found.key).is_some() {
            // The run ended between the record of its end and its removal.
            return self.spool.remove_upload(&found.key);
        }
        if found.completion.is_none() && is_abandoned(found.touched) {
            return self.drop_abandoned(found.key);
        }
        if found.completion.is_none() && whole::is_whole(&found.upload_id) {
            // The run was killed while it was received, and its client cannot go on with it.
            return self.spool.remove_upload(&found.key);
        }
        let queued = found.completion.is_some();
        let upload = Arc::new(Upload::from_found(found, &self.chunks_ahead));
        lock(&self.open)
            .entry(upload.key)
            .or_insert_with(|| Arc::clone(&upload));
        if queued {
            self.queue.push_promised(self, Job::new(upload));
        }
    }

    fn find_or_add(&self, key: Key, upload_id: &str) -> Result<Arc<Upload>, UploadError> {
        let mut open = lock(&self.open);
        if let Some(upload) = open.get(&key) {
            return Ok(Arc::clone(upload));
        }
        // An upload is remembered as ended before it leaves the map.
        if self.ended.get(&key).is_some() {
            return Err(UploadError::Complete);
        }
        if open.len() >= OPEN_MAX {
            return Err(UploadError::Busy);
        }
        let upload = Arc::new(Upload::new(key, upload_id, &self.chunks_ahead));
        open.insert(key, Arc::clone(&upload));
        Ok(upload)
    }

    fn create_folder(
        self: &Arc<Self>,
        upload: &Upload,
        state: &mut State,
    ) -> Result<(), UploadError> {
        // Another thread may remove the empty spool in between.
        while !self.spool.create_upload(&upload.key, &upload.id)? {
            self.hold(true)?;
        }
        state.has_folder = true;
        Ok(())
    }

    /// A part's writer is done, one way or the other.
    fn writer_left(&self, upload: &Arc<Upload>) {
        lock(&upload.state).writers -= 1;
        self.discard_if_unused(upload);
    }

    /// Drops an upload of which nothing has arrived.
    fn discard_if_unused(&self, upload: &Arc<Upload>) {
        let mut state = lock(&upload.state);
        if !state.is_unused() {
            return;
        }
        state.phase = Phase::Gone;
        if state.has_folder {
            self.spool.remove_upload(&upload.key);
        }
        drop(state);
        upload.changed.notify_all();
        self.forget(upload);
    }

    /// Takes an upload that ended or was dropped out of the map, and the spool away with the last one.
    fn forget(&self, upload: &Arc<Upload>) {
        let mut open = lock(&self.open);
        if open
            .get(&upload.key)
            .is_some_and(|known| Arc::ptr_eq(known, upload))
        {
            open.remove(&upload.key);
        }
        let last = open.is_empty();
        drop(open);
        if last {
            self.spool.release_if_empty();
        }
    }

    fn all_open(&self) -> Vec<Arc<Upload>> {
        lock(&self.open).values().cloned().collect()
    }

    fn count(&self, matches: impl Fn(&Phase) -> bool) -> usize {
        self.all_open()
            .iter()
            .filter(|upload| matches(&lock(&upload.state).phase))
            .count()
    }

    /// Now and then drops uploads that got no part for [`UPLOAD_KEPT`].
    fn sweep_if_due(&self) {
        {
            let mut swept = lock(&self.swept);
            if swept.elapsed() < SWEEP_INTERVAL {
                return;
            }
            *swept = Instant::now();
        }
        for upload in self.all_open() {
            let mut state = lock(&upload.state);
            if state.is_receiving() && state.writers == 0 && is_abandoned(state.touched) {
                state.phase = Phase::Gone;
                self.drop_abandoned(upload.key);
                drop(state);
                self.forget(&upload);
            }
        }
    }

    fn drop_abandoned(&self, key: Key) {
        tracing::warn!(upload = %key, "an upload that got no part for 7 days was dropped");
        self.spool.remove_upload(&key);
    }
}

fn is_abandoned(touched: SystemTime) -> bool {
    // A clock that was set back makes an upload young, never old.
    touched.elapsed().is_ok_and(|age| age > UPLOAD_KEPT)
}

fn check_id(upload_id: &str) -> Result<(), UploadError> {
    let bytes = upload_id.len();
    if (1..=UPLOAD_ID_BYTES_MAX).contains(&bytes) {
        Ok(())
    } else {
        Err(UploadError::BadId { bytes })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
