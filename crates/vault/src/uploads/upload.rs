//! One upload in memory: what has arrived, and how far it has come.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::ahead::Ahead;
use super::completion::{Completion, Fingerprint, Promised};
use super::ended::{Ended, Outcome};
use super::error::UploadError;
use super::lock;
use super::spool::{Found, Key, Part};
use crate::ids::AssetId;
use crate::name::Name;

/// An upload that has not ended, or has just done so. Its lock is its own; it is never held while a lock on more
/// than this upload is waited for, but for the spool's.
pub(super) struct Upload {
    pub(super) key: Key,
    pub(super) id: String,
    pub(super) state: Mutex<State>,
    /// Signalled when the phase changes.
    pub(super) changed: Condvar,
    /// What was found out before `complete`. This lock is taken before the other.
    pub(super) ahead: Mutex<Ahead>,
    /// Signalled when the thread that reads ahead has brought back what it had.
    pub(super) ahead_returned: Condvar,
    /// It waits to be read ahead.
    pub(super) waits_ahead: AtomicBool,
}

pub(super) struct State {
    pub(super) phase: Phase,
    /// Its folder is in the spool; an empty file needs none.
    pub(super) has_folder: bool,
    /// Shared with the thread that reads them; they change only while the upload is receiving.
    pub(super) parts: Arc<BTreeMap<u64, Part>>,
    /// Their bytes.
    pub(super) received: u64,
    /// Parts on their way in.
    pub(super) writers: usize,
    /// When the last part began or arrived.
    pub(super) touched: SystemTime,
    /// What `complete` said, from `Sealing` on.
    pub(super) completion: Option<Arc<Completion>>,
    /// What was there when the upload was promised to be sealed.
    pub(super) promised: Option<Promised>,
    /// Why a worker gave an upload back that nothing had been promised about.
    pub(super) refusal: Option<UploadError>,
}

/// receiving → sealing → (queued →) ended; a refused completion leads from sealing back to receiving.
pub(super) enum Phase {
    /// Parts may come.
    Receiving,
    /// A `complete` is being served and was promised nothing yet.
    Sealing,
    /// Promised: it will be sealed whatever happens, or end as failed.
    Queued,
    /// Sealed or failed.
    Ended(Ended),
    /// Dropped; whoever still holds this must look for the upload afresh.
    Gone,
}

/// What a `complete` finds.
pub(super) enum Begin {
    /// The caller shall seal it.
    Yours,
    /// It was promised before.
    Queued,
    /// It ended before.
    Ended(Ended),
    /// It was dropped meanwhile.
    Gone,
}

impl Upload {
    /// The chunks that come to be known of it are to count among `chunks_ahead`.
    pub(super) fn new(key: Key, id: &str, chunks_ahead: &Arc<AtomicUsize>) -> Self {
        let state = State {
            phase: Phase::Receiving,
            has_folder: false,
            parts: Arc::default(),
            received: 0,
            writers: 0,
            touched: SystemTime::now(),
            completion: None,
            promised: None,
            refusal: None,
        };
        Self {
            key,
            id: id.to_owned(),
            state: Mutex::new(state),
            changed: Condvar::new(),
            ahead: Mutex::new(Ahead::new(chunks_ahead)),
            ahead_returned: Condvar::new(),
            waits_ahead: AtomicBool::new(false),
        }
    }

    /// As an earlier run left it.
    pub(super) fn from_found(found: Found, chunks_ahead: &Arc<AtomicUsize>) -> Self {
        let upload = Self::new(found.key, &found.upload_id, chunks_ahead);
        let mut state = lock(&upload.state);
        state.has_folder = true;
        state.received = found.parts.values().map(|part| part.size).sum();
        state.parts = Arc::new(found.parts);
        state.touched = found.touched;
        if let Some((completion, promised)) = found.completion {
            state.completion = Some(Arc::new(completion));
            state.promised = Some(promised);
            state.phase = Phase::Queued;
        }
        drop(state);
        upload
    }

    /// Compares the completion with the parts and lets one caller seal the upload. Waits while another one is at it.
    pub(super) fn begin_sealing(&self, completion: &Completion) -> Result<Begin, UploadError> {
        let mut state = lock(&self.state);
        loop {
            let same = || state.completion.as_deref() == Some(completion);
            match &state.phase {
                Phase::Receiving => {
                    completion.check_parts(&state.parts)?;
                    state.completion = Some(Arc::new(completion.clone()));
                    state.refusal = None;
                    state.phase = Phase::Sealing;
                    return Ok(Begin::Yours);
                }
                Phase::Gone => return Ok(Begin::Gone),
                Phase::Ended(ended) => return Ok(Begin::Ended(ended.clone())),
                Phase::Sealing | Phase::Queued if !same() => return Err(UploadError::Complete),
                Phase::Queued => return Ok(Begin::Queued),
                Phase::Sealing => {
                    state = self
                        .changed
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// Waits until nobody seals the upload any more, or for so long.
    pub(super) fn wait_while_sealing(&self, timeout: Option<Duration>) -> MutexGuard<'_, State> {
        let state = lock(&self.state);
        let sealing = |state: &mut State| matches!(state.phase, Phase::Sealing);
        match timeout {
            None => self
                .changed
                .wait_while(state, sealing)
                .unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                let waited = self.changed.wait_timeout_while(state, timeout, sealing);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }

    /// What is known about it; `None` if it was dropped.
    pub(super) fn snapshot(&self) -> Option<UploadState> {
        let state = lock(&self.state);
        let status = match &state.phase {
            Phase::Receiving | Phase::Sealing => UploadStatus::Receiving,
            Phase::Queued => UploadStatus::Queued,
            Phase::Ended(ended) => return Some(UploadState::ended(&self.id, ended)),
            Phase::Gone => return None,
        };
        let part = |(&index, part): (&u64, &Part)| ReceivedPart {
            index,
            size: part.size,
        };
        Some(UploadState {
            upload_id: self.id.clone(),
            status,
            parts: state.parts.iter().map(part).collect(),
            received_bytes: state.received,
            name: state
                .completion
                .as_ref()
                .map(|completion| completion.name.clone()),
            asset: None,
            already_archived: false,
            failure: None,
        })
    }
}

impl State {
    pub(super) const fn is_receiving(&self) -> bool {
        matches!(self.phase, Phase::Receiving)
    }

    /// Nothing arrived, nothing is arriving: an upload by name only.
    pub(super) fn is_unused(&self) -> bool {
        self.is_receiving() && self.parts.is_empty() && self.writers == 0
    }

    pub(super) fn add_part(&mut self, index: u64, part: Part) {
        Arc::make_mut(&mut self.parts).insert(index, part);
        self.received += part.size;
        self.touched = SystemTime::now();
    }

    pub(super) fn remove_part(&mut self, index: u64) -> Option<Part> {
        let part = Arc::make_mut(&mut self.parts).remove(&index)?;
        self.received -= part.size;
        Some(part)
    }

    /// The number of a part that was there when the upload was promised and is no longer.
    pub(super) fn lost_part(&self) -> Option<u64> {
        let promised = self.promised?;
        let complete = self.parts.len() as u64 == promised.parts && self.received == promised.bytes;
        let gap = || (0..promised.parts).find(|index| !self.parts.contains_key(index));
        (!complete).then(|| gap().unwrap_or(promised.parts))
    }

    /// Drops the completion: parts may come again.
    pub(super) fn back_to_receiving(&mut self) {
        self.phase = Phase::Receiving;
        self.completion = None;
        self.promised = None;
    }
}

impl Ended {
    /// The answer to `complete` with these fields.
    pub(super) fn answer(self, fingerprint: Fingerprint) -> Result<super::Completed, UploadError> {
        if self.fingerprint != fingerprint {
            return Err(UploadError::Complete);
        }
        match self.outcome {
            Outcome::Sealed {
                asset,
                already_archived,
            } => Ok(super::Completed::Sealed {
                asset,
                already_archived,
            }),
            Outcome::Failed { code, message } => Err(UploadError::Failed { code, message }),
        }
    }
}

/// What is known about an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadState {
    /// The client's name for it.
    pub upload_id: String,
    /// How far it has come.
    pub status: UploadStatus,
    /// The parts that have arrived, by number; empty once the upload ended.
    pub parts: Vec<ReceivedPart>,
    /// Their bytes, also after the end.
    pub received_bytes: u64,
    /// The asset's name, once `complete` gave it.
    pub name: Option<Name>,
    /// The asset, once sealed.
    pub asset: Option<AssetId>,
    /// The newest version of that name had the same bytes; nothing was added.
    pub already_archived: bool,
    /// Why it failed: a stable code, and a message.
    pub failure: Option<(&'static str, String)>,
}

impl UploadState {
    pub(super) fn ended(upload_id: &str, ended: &Ended) -> Self {
        let mut state = Self {
            upload_id: upload_id.to_owned(),
            status: UploadStatus::Sealed,
            parts: Vec::new(),
            received_bytes: ended.size,
            name: Some(ended.name.clone()),
            asset: None,
            already_archived: false,
            failure: None,
        };
        match &ended.outcome {
            Outcome::Sealed {
                asset,
                already_archived,
            } => {
                state.asset = Some(*asset);
                state.already_archived = *already_archived;
            }
            Outcome::Failed { code, message } => {
                state.status = UploadStatus::Failed;
                state.failure = Some((code, message.clone()));
            }
        }
        state
    }
}

/// A part that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceivedPart {
    /// Its number, from 0.
    pub index: u64,
    /// Its bytes.
    pub size: u64,
}

/// How far an upload has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadStatus {
    /// Parts may come; also while a `complete` that was not answered yet is being served.
    Receiving,
    /// `complete` was accepted and nothing loses it any more.
    Queued,
    /// The asset is in the vault.
    Sealed,
    /// It was accepted and could not be sealed.
    Failed,
}

impl UploadStatus {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Receiving => "receiving",
            Self::Queued => "queued",
            Self::Sealed => "sealed",
            Self::Failed => "failed",
        }
    }
}
