//! Where blocking calls into the vault run: on threads that may block, never more than a fixed number at once, in
//! lanes so that one kind of work cannot starve another.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use crate::error::ApiError;

/// Reading calls at once. The vault has eight connections; a few more threads keep them busy.
const READS_MAX: u32 = 12;
/// Pieces of uploads being written and hashed at once.
const WRITES_MAX: u32 = 8;
/// Calls that wait for a commit at once. They are many because they are cheap and share one commit.
const COMMITS_MAX: u32 = 64;
/// How long a call waits for its turn. The three bounds together stay far below the 512 blocking threads that a
/// runtime has by default.
const TURN_MAX: Duration = Duration::from_secs(30);

/// What a call does with its thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Reads, for milliseconds.
    Read,
    /// Writes a few hundred KiB of a part.
    Write,
    /// Waits until something is durable.
    Commit,
}

/// The lanes. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Lanes {
    read: Arc<Semaphore>,
    write: Arc<Semaphore>,
    commit: Arc<Semaphore>,
}

impl Lanes {
    /// Empty lanes.
    pub(crate) fn new() -> Self {
        let lane = |calls: u32| Arc::new(Semaphore::new(calls as usize));
        Self {
            read: lane(READS_MAX),
            write: lane(WRITES_MAX),
            commit: lane(COMMITS_MAX),
        }
    }

    fn of(&self, lane: Lane) -> &Arc<Semaphore> {
        match lane {
            Lane::Read => &self.read,
            Lane::Write => &self.write,
            Lane::Commit => &self.commit,
        }
    }

    /// Starts `work` when its turn has come. It runs to its end even if nobody waits for it any more.
    pub(crate) async fn start<T: Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<JoinHandle<T>, ApiError> {
        let turn = tokio::time::timeout(TURN_MAX, Arc::clone(self.of(lane)).acquire_owned()).await;
        // A lane that is closed is a server that is stopping.
        let Ok(Ok(permit)) = turn else {
            return Err(ApiError::busy());
        };
        Ok(spawn(permit, work))
    }

    /// Runs `work` when its turn has come and waits for its end.
    pub(crate) async fn run<T: Send + 'static, E: Into<ApiError> + Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Result<T, ApiError> {
        match self.start(lane, work).await?.await {
            Ok(result) => result.map_err(Into::into),
            Err(panic) => Err(ApiError::internal(&panic)),
        }
    }

    /// Lets nothing more start and waits until all that runs has ended.
    pub(crate) async fn close(&self) {
        for (lane, calls) in [
            (&self.read, READS_MAX),
            (&self.write, WRITES_MAX),
            (&self.commit, COMMITS_MAX),
        ] {
            // Fails only if it was closed before, and then somebody else has waited.
            if let Ok(all) = lane.acquire_many(calls).await {
                lane.close();
                drop(all);
            }
        }
    }
}

fn spawn<T: Send + 'static>(
    permit: OwnedSemaphorePermit,
    work: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    // What it logs belongs to the request that asked for it.
    let span = tracing::Span::current();
    tokio::task::spawn_blocking(move || {
        let result = span.in_scope(work);
        drop(permit);
        result
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_an_error_and_frees_the_lane() {
        let lanes = Lanes::new();
        for _ in 0..=WRITES_MAX {
            let result = lanes
                .run(Lane::Write, || -> Result<(), ApiError> {
                    panic!("planned")
                })
                .await;
            assert_eq!(result.unwrap_err().status(), 500);
        }
    }

    #[tokio::test]
    async fn closing_waits_for_what_runs() {
        let lanes = Lanes::new();
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let running = lanes
            .start(Lane::Read, move || receiver.recv().is_ok())
            .await
            .unwrap();
        let closing = tokio::spawn({
            let lanes = lanes.clone();
            async move { lanes.close().await }
        });
        tokio::task::yield_now().await;
        assert!(!closing.is_finished());
        sender.send(()).unwrap();
        closing.await.unwrap();
        assert!(running.await.unwrap());
        assert!(lanes.start(Lane::Read, || ()).await.is_err());
    }
}
