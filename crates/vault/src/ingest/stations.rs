//! The stations of ingest: where things gather, and the two threads that pack and commit them.

use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::batch::Batch;
use super::commit::{Committer, Patience};
use super::packer::{Packed, Packer};
use super::ticket;
use crate::buffers::Buffers;
use crate::chunking::READ_BYTES;
use crate::error::IngestError;
use crate::limits::{BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, PACK_BYTES_TARGET};
use crate::store::write::Writer;

pub(super) struct Shared {
    /// Bytes of chunks that gather at most.
    room_bytes: usize,
    /// What sources are read into, of [`READ_BYTES`].
    pub(super) buffers: Buffers,
    gathering: Mutex<Gathering>,
    /// Signalled when there is something to commit, or the end has come.
    work: Condvar,
    /// Signalled when a batch was taken away.
    room: Condvar,
}

impl Default for Shared {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            room_bytes: (cores * ROOM_BYTES_PER_CORE).clamp(BULK_BYTES, BATCH_BYTES_MAX),
            buffers: Buffers::new(READ_BYTES),
            gathering: Mutex::default(),
            work: Condvar::new(),
            room: Condvar::new(),
        }
    }
}

/// When a batch is worth packing.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Pace {
    /// As soon as the committer has nothing to do.
    #[default]
    Prompt,
    /// When it is well filled: packs compress better and syncs are fewer.
    Bulk,
    /// A bulk import has come to its end; the committer may be waiting for more of it.
    Ending,
}

#[derive(Default)]
pub(super) struct Gathering {
    pub(super) batch: Batch,
    pace: Pace,
    /// The committer has nothing to do.
    hungry: bool,
    closing: bool,
    /// A thread has panicked: nothing is packed or committed any more.
    broken: bool,
}

/// In bulk mode a batch is packed when it holds this much, or when nothing came for [`GATHER_LINGER`].
pub(super) const BULK_BYTES: usize = BATCH_BYTES_MAX / 2;
/// What each core has to encode while more gathers: two packs. More would only take memory.
const ROOM_BYTES_PER_CORE: usize = 2 * PACK_BYTES_TARGET;
/// How long a bulk batch that is not full waits for more: what is read together may take a slow disk this long.
const GATHER_LINGER: Duration = Duration::from_secs(1);
/// How long the transaction of a bulk import waits for the next batch.
const BULK_LINGER: Duration = Duration::from_millis(250);
/// Batches that are packed ahead of the committer, besides the one in the packer's hand.
pub(super) const PACKED_MAX: usize = 1;
/// Quiet time after which small stripes of parity are merged.
const IDLE: Duration = Duration::from_secs(10);

impl Shared {
    /// Whether batches should wait until they are well filled.
    pub(super) fn set_bulk(&self, bulk: bool) {
        let mut gathering = self.lock();
        gathering.pace = match gathering.pace {
            _ if bulk => Pace::Bulk,
            Pace::Bulk => Pace::Ending,
            other => other,
        };
        drop(gathering);
        self.work.notify_all();
    }

    /// Takes nothing more, and lets the threads come to their end.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.work.notify_all();
        self.room.notify_all();
    }

    /// To be held by a thread that seals while it works: if it panics, nothing more is taken in, and what waits fails.
    pub(super) fn until_it_ends(&self) -> UntilItEnds<'_> {
        UntilItEnds(self)
    }

    /// Tells the packer that there is something new to look at.
    pub(super) fn notify(&self) {
        self.work.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Gathering> {
        self.gathering
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the batch takes more; fails once nothing is taken any more.
    pub(super) fn wait_for_room(&self) -> Result<MutexGuard<'_, Gathering>, IngestError> {
        let mut gathering = self.lock();
        loop {
            if gathering.broken {
                return Err(ticket::broken());
            }
            if gathering.closing {
                return Err(IngestError::Closing);
            }
            let batch = &gathering.batch;
            if batch.bytes() < self.room_bytes && batch.entries() < BATCH_ENTRIES_MAX {
                return Ok(gathering);
            }
            gathering = self
                .room
                .wait(gathering)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The next batch worth packing. Says so if nothing came for [`IDLE`], should that be of interest.
    fn next_batch(&self, tell_idle: bool) -> Next {
        let mut gathering = self.lock();
        loop {
            let batch = &gathering.batch;
            let full = batch.bytes() >= BULK_BYTES || batch.entries() >= BATCH_ENTRIES_MAX;
            // Until the committer is done, what is complete waits for company.
            let prompt = gathering.pace != Pace::Bulk;
            let ready = batch.entries() > 0 && prompt && gathering.hungry;
            if full || gathering.closing || ready {
                break;
            }
            if gathering.pace == Pace::Ending {
                gathering.pace = Pace::Prompt;
                if gathering.batch.is_empty() {
                    return Next::Flush;
                }
                break;
            }
            let batch = &gathering.batch;
            if batch.entries() > 0 && !prompt {
                let (guard, waited) = self
                    .work
                    .wait_timeout(gathering, GATHER_LINGER)
                    .unwrap_or_else(PoisonError::into_inner);
                gathering = guard;
                if waited.timed_out() && gathering.batch.entries() > 0 {
                    break;
                }
            } else if tell_idle && batch.is_empty() {
                let (guard, waited) = self
                    .work
                    .wait_timeout(gathering, IDLE)
                    .unwrap_or_else(PoisonError::into_inner);
                gathering = guard;
                if waited.timed_out() && gathering.batch.is_empty() && !gathering.closing {
                    return Next::Idle;
                }
            } else {
                gathering = self
                    .work
                    .wait(gathering)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
        let batch = std::mem::take(&mut gathering.batch);
        gathering.hungry = false;
        drop(gathering);
        self.room.notify_all();
        if batch.is_empty() {
            Next::End
        } else {
            Next::Batch(batch)
        }
    }
}

/// See [`Shared::until_it_ends`].
pub(super) struct UntilItEnds<'s>(&'s Shared);

impl Drop for UntilItEnds<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut gathering = self.0.lock();
            gathering.broken = true;
            // Nobody will take it, and whoever waits for it is told as it goes.
            let waiting = std::mem::take(&mut gathering.batch);
            drop(gathering);
            drop(waiting);
            self.0.close();
        }
    }
}

/// What the packer is to do.
enum Next {
    Batch(Batch),
    /// Tell the committer that a bulk import has come to its end.
    Flush,
    /// Nothing came for a while.
    Idle,
    End,
}

/// The packer's thread.
pub(super) fn pack_batches(shared: &Shared, mut packer: Packer, work: &SyncSender<Work>) {
    let mut unsettled = false;
    loop {
        let next = match shared.next_batch(unsettled) {
            Next::Batch(batch) => {
                unsettled = true;
                let Some(ready) = packer.pack(batch) else {
                    // The committer still waits for something.
                    shared.lock().hungry = true;
                    continue;
                };
                Work::Batch(ready)
            }
            Next::Flush => Work::Flush,
            Next::Idle => {
                unsettled = false;
                shared.buffers.forget();
                Work::Settle
            }
            Next::End => {
                // Merging parity, which the writer does at the end, has the room instead.
                shared.buffers.forget();
                return;
            }
        };
        if work.send(next).is_err() {
            return;
        }
    }
}

/// What the committer is to do.
pub(super) enum Work {
    Batch(Packed),
    /// Nothing more comes soon.
    Flush,
    /// Merge small stripes of parity: nothing came for a while.
    Settle,
}

/// The committer's thread.
pub(super) fn commit_batches(
    shared: &Shared,
    mut committer: Committer,
    work: &Receiver<Work>,
) -> Writer {
    loop {
        shared.lock().hungry = true;
        shared.work.notify_all();
        let Ok(next) = work.recv() else {
            return committer.into_writer();
        };
        let mut settle = matches!(next, Work::Settle);
        if let Work::Batch(packed) = next {
            let bulk = shared.lock().pace == Pace::Bulk;
            committer.commit(packed, bulk, &mut |patience| {
                let mut gathering = shared.lock();
                gathering.hungry = true;
                let is_prompt = gathering.pace == Pace::Prompt && patience == Patience::Short;
                drop(gathering);
                shared.work.notify_all();
                let next = if is_prompt {
                    work.try_recv().ok()
                } else {
                    work.recv_timeout(BULK_LINGER).ok()
                };
                match next {
                    Some(Work::Batch(packed)) => Some(packed),
                    Some(Work::Settle) => {
                        settle = true;
                        None
                    }
                    Some(Work::Flush) | None => None,
                }
            });
        }
        if settle {
            committer.settle();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::batch::{Entry, EntryKind};
    use super::super::ticket::Owed;
    use super::*;
    use crate::ids::{ProjectId, Seq};
    use crate::model::PlaceId;

    fn entry() -> Entry {
        Entry {
            place: PlaceId::Project(ProjectId::new(Seq::VAULT)),
            folders: Vec::new(),
            kind: EntryKind::Upkeep,
            name: None,
            owed: Owed::default(),
        }
    }

    /// Guards: when a thread that seals panics, what waits for it and what comes later fails, and hangs nobody.
    #[test]
    fn a_thread_that_panics_leaves_nobody_waiting() {
        let shared = Shared::default();
        let waiting = entry();
        let ticket = waiting.owed.ticket();
        let mut gathering = shared.wait_for_room().expect("it takes things in");
        gathering.batch.push_entry(waiting);
        drop(gathering);
        let thread = std::thread::scope(|scope| {
            let work = || {
                let _ended = shared.until_it_ends();
                panic!("as a bug would");
            };
            scope.spawn(work).join()
        });
        assert!(thread.is_err());
        assert!(matches!(ticket.wait(), Err(IngestError::Store { .. })));
        let refused = shared.wait_for_room().map(|_| ());
        assert!(matches!(refused, Err(IngestError::Store { .. })));
    }
}
