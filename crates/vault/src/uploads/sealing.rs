//! From parts to an asset: on the thread of `complete` where that is quick, on a worker where it is not.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::ended::{Ended, Outcome, now_unix_ms};
use super::error::UploadError;
use super::part::{PartsReader, source_error};
use super::queue::Job;
use super::upload::{Phase, State, Upload, UploadState};
use super::{Completed, Inner, Pending, lock};
use crate::error::IngestError;
use crate::ids::AssetId;
use crate::ingest::{ArchiveError, HeadStart, Sealed, is_differing};

/// Uploads up to this size are read on their caller's thread, so that many small ones come together in one commit.
pub(super) const INLINE_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// A large upload's caller waits longer before its parts are synced only to be deleted right after: a second for
/// each of so many bytes.
const PATIENCE_BYTES: u64 = 400 * 1024 * 1024;
/// But never longer than this.
const PATIENCE_MAX: Duration = Duration::from_secs(5);
/// How often a thread that waits for a commit looks whether the program is stopping.
const STOP_POLL: Duration = Duration::from_millis(100);

impl Inner {
    /// Seals an upload whose phase the caller has just set to sealing; answers when that is done or promised.
    pub(super) fn seal(self: &Arc<Self>, upload: &Arc<Upload>) -> Result<Completed, UploadError> {
        let _active = self.queue.active();
        let size = lock(&upload.state).received;
        let more = Duration::from_millis(size.saturating_mul(1000) / PATIENCE_BYTES);
        let patience = self
            .patience
            .saturating_add(more)
            .min(PATIENCE_MAX.max(self.patience));
        if size > INLINE_BYTES_MAX {
            return self.seal_on_worker(upload, patience);
        }
        let pending = match self.hand_in(upload) {
            Ok(pending) => pending,
            Err(error) => return Err(self.refuse(upload, error)),
        };
        if let Some(result) = pending(patience) {
            return self.sealed_here(upload, result);
        }
        if let Err(error) = self.promise(upload) {
            // Nothing can be promised, so the commit itself must give the answer.
            tracing::warn!(%error, "an upload could not be made durable in the spool");
            let result = self.outwait(&pending);
            return self.sealed_here(upload, result.unwrap_or(Err(IngestError::Closing)));
        }
        lock(&upload.state).phase = Phase::Queued;
        upload.changed.notify_all();
        self.queue.await_commit(self, Arc::clone(upload), pending);
        Ok(Completed::Queued)
    }

    fn sealed_here(
        &self,
        upload: &Arc<Upload>,
        result: Result<Sealed, IngestError>,
    ) -> Result<Completed, UploadError> {
        match result {
            Ok(sealed) => {
                self.end(upload, sealed_outcome(sealed));
                let asset = AssetId::new(sealed.seq);
                Ok(Completed::Sealed {
                    asset,
                    already_archived: sealed.already_archived,
                })
            }
            Err(error) => Err(self.refuse(upload, error.into())),
        }
    }

    fn seal_on_worker(
        self: &Arc<Self>,
        upload: &Arc<Upload>,
        patience: Duration,
    ) -> Result<Completed, UploadError> {
        if !self.queue.push(self, Job::new(Arc::clone(upload))) {
            return Err(self.refuse(upload, UploadError::Busy));
        }
        let waited = upload.wait_while_sealing(Some(patience));
        if let Some(answer) = worker_s_answer(waited) {
            return answer;
        }
        let promised = self.promise(upload);
        let mut state = lock(&upload.state);
        if promised.is_ok() && matches!(state.phase, Phase::Sealing) {
            state.phase = Phase::Queued;
            drop(state);
            upload.changed.notify_all();
            return Ok(Completed::Queued);
        }
        if state.is_receiving() {
            // Refused while the promise was being written.
            self.spool.unpromise(&upload.key);
        }
        drop(state);
        // The worker was faster, or nothing can be promised and its answer must be waited for.
        worker_s_answer(upload.wait_while_sealing(None)).unwrap_or(Err(UploadError::Closing))
    }

    /// The worker threads.
    pub(super) fn work(self: &Arc<Self>) {
        while let Some((job, _active)) = self.queue.next_job() {
            let result = self.hand_in(&job.upload).and_then(|pending| {
                let answer = self.outwait(&pending).unwrap_or(Err(IngestError::Closing));
                answer.map_err(UploadError::from)
            });
            self.conclude(job, result);
        }
    }

    /// The thread that waits for commits.
    pub(super) fn await_commits(self: &Arc<Self>) {
        while let Some((upload, pending, _active)) = self.queue.next_commit() {
            let answer = self.outwait(&pending).unwrap_or(Err(IngestError::Closing));
            self.conclude(Job::new(upload), answer.map_err(UploadError::from));
        }
    }

    /// What follows from a worker's attempt.
    fn conclude(self: &Arc<Self>, job: Job, result: Result<Sealed, UploadError>) {
        let upload = Arc::clone(&job.upload);
        let error = match result {
            Ok(sealed) => return self.end(&upload, sealed_outcome(sealed)),
            Err(error) => error,
        };
        let mut state = lock(&upload.state);
        if matches!(state.phase, Phase::Sealing) {
            // Its caller was promised nothing yet and is told.
            let refusal = self.take_back(&upload, &mut state, error);
            state.refusal = Some(refusal);
            drop(state);
            upload.changed.notify_all();
            self.discard_if_unused(&upload);
            return;
        }
        drop(state);
        if error.is_final() {
            tracing::error!(upload = %upload.key, code = error.code(), %error, "an accepted upload cannot be sealed");
            let (code, message) = (error.code(), error.to_string());
            self.end(&upload, Outcome::Failed { code, message });
        } else if !self.is_stopped() {
            tracing::warn!(upload = %upload.key, code = error.code(), %error, "an accepted upload waits to be sealed");
            self.queue.push_promised(self, job.again());
        }
    }

    /// Reads the parts into the vault.
    fn hand_in(&self, upload: &Upload) -> Result<Pending, UploadError> {
        let (parts, completion, size) = {
            let state = lock(&upload.state);
            if let Some(index) = state.lost_part() {
                return Err(UploadError::PartDamaged { index });
            }
            let completion = state.completion.clone();
            (Arc::clone(&state.parts), completion, state.received)
        };
        let completion = completion.expect("an upload has its completion while it is sealed");
        let folder = self.spool.folder(&upload.key);
        let archive = |start| {
            let mut source = PartsReader::new(self, folder.clone(), &parts);
            self.door
                .archive(completion.asset(size), &mut source, start)
        };
        let start = upload.take_head_start();
        let archived = match archive(start) {
            // Either a part is damaged, and will be named, or what was read ahead was not what is there.
            Err(ArchiveError::Source(error)) if is_differing(&error) => {
                archive(HeadStart::default())
            }
            archived => archived,
        };
        archived.map_err(|error| match error {
            ArchiveError::Source(error) => source_error(error, &folder),
            ArchiveError::Ingest(error) => error.into(),
        })
    }

    /// Waits for a commit; `None` if the program stops first.
    fn outwait(&self, pending: &Pending) -> Option<Result<Sealed, IngestError>> {
        loop {
            if let Some(result) = pending(STOP_POLL) {
                return Some(result);
            }
            if self.is_stopped() {
                return None;
            }
        }
    }

    /// Makes parts and completion durable in the spool.
    fn promise(self: &Arc<Self>, upload: &Upload) -> Result<(), UploadError> {
        let mut state = lock(&upload.state);
        if !state.has_folder {
            self.create_folder(upload, &mut state)?;
        }
        let (parts, completion) = (Arc::clone(&state.parts), state.completion.clone());
        drop(state);
        // It is gone if a worker has ended the upload meanwhile; the caller looks.
        let Some(completion) = completion else {
            return Err(UploadError::Complete);
        };
        self.spool.promise(&upload.key, &parts, &completion)
    }

    /// Ends a completion that nothing was promised about; gives back what to tell its caller.
    fn refuse(&self, upload: &Arc<Upload>, error: UploadError) -> UploadError {
        let error = self.take_back(upload, &mut lock(&upload.state), error);
        upload.changed.notify_all();
        self.discard_if_unused(upload);
        error
    }

    /// Lets parts come again. A damaged part is dropped, so that it can be sent again.
    fn take_back(&self, upload: &Upload, state: &mut State, error: UploadError) -> UploadError {
        state.back_to_receiving();
        self.spool.unpromise(&upload.key);
        let UploadError::PartDamaged { index } = error else {
            return error;
        };
        if let Some(part) = state.remove_part(index) {
            let path = part.path(&self.spool.folder(&upload.key), index);
            tracing::warn!(file = %path.display(), "a part was damaged while it waited and was dropped");
            let _ = std::fs::remove_file(path);
        }
        UploadError::PartsMissing {
            missing: vec![index],
            count: 1,
        }
    }

    /// Remembers how an upload ended, then removes what is spooled of it. In this order a crash in between has the
    /// upload sealed again, which finds it already archived.
    fn end(&self, upload: &Arc<Upload>, outcome: Outcome) {
        let (ended, was_promised, has_folder) = {
            let state = lock(&upload.state);
            let completion = state.completion.as_ref();
            let completion = completion.expect("an upload has its completion while it is sealed");
            let ended = Ended {
                at_unix_ms: now_unix_ms(),
                fingerprint: completion.fingerprint(),
                name: completion.name.clone(),
                size: state.received,
                outcome,
            };
            (
                ended,
                matches!(state.phase, Phase::Queued),
                state.has_folder,
            )
        };
        // Whoever was promised something will ask; the others are answered by the return of this very call.
        if matches!(ended.outcome, Outcome::Sealed { .. }) {
            self.sealed.fetch_add(1, Ordering::SeqCst);
        }
        self.ended.insert(upload.key, ended.clone(), was_promised);
        let told = UploadState::ended(&upload.id, &ended);
        lock(&upload.state).phase = Phase::Ended(ended);
        upload.changed.notify_all();
        if has_folder {
            self.spool.remove_upload(&upload.key);
        }
        self.forget(upload);
        for subscriber in &*self
            .subscribers
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
        {
            subscriber(&told);
        }
    }
}

fn sealed_outcome(sealed: Sealed) -> Outcome {
    Outcome::Sealed {
        asset: AssetId::new(sealed.seq),
        already_archived: sealed.already_archived,
    }
}

/// The answer for a caller whose upload a worker has dealt with; `None` while it has not.
fn worker_s_answer(
    mut state: std::sync::MutexGuard<'_, State>,
) -> Option<Result<Completed, UploadError>> {
    match &state.phase {
        Phase::Sealing => None,
        Phase::Queued => Some(Ok(Completed::Queued)),
        Phase::Ended(ended) => {
            let fingerprint = ended.fingerprint;
            Some(ended.clone().answer(fingerprint))
        }
        Phase::Receiving | Phase::Gone => {
            Some(Err(state.refusal.take().unwrap_or(UploadError::Busy)))
        }
    }
}
