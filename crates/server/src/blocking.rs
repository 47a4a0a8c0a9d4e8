//! Where blocking calls into the vault run: on threads that may block, never more than a fixed number at once, in
//! lanes so that one kind of work cannot starve another.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
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
        Ok(spawn(self.turn(lane).await?, work))
    }

    async fn turn(&self, lane: Lane) -> Result<OwnedSemaphorePermit, ApiError> {
        let turn = tokio::time::timeout(TURN_MAX, Arc::clone(self.of(lane)).acquire_owned()).await;
        // A lane that is closed is a server that is stopping.
        turn.ok().and_then(Result::ok).ok_or_else(ApiError::busy)
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

    /// Runs `work` in the lane [`Lane::Read`] and on this very thread, whose other tasks another one takes over: for what is
    /// answered in a millisecond, waking a thread and being woken by it is a good part of the time. Nothing else of the
    /// task that calls this goes on meanwhile.
    pub(crate) async fn run_here<T: Send + 'static, E: Into<ApiError> + Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Result<T, ApiError> {
        if Handle::current().runtime_flavor() != RuntimeFlavor::MultiThread {
            // There is no other thread.
            return self.run(Lane::Read, work).await;
        }
        let _turn = self.turn(Lane::Read).await?;
        let work = AssertUnwindSafe(|| tokio::task::block_in_place(work));
        match catch_unwind(work) {
            Ok(result) => result.map_err(Into::into),
            Err(panic) => Err(ApiError::internal(&told(&*panic))),
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

/// What a panic said.
fn told(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref().copied())
        .unwrap_or("a panic")
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

    /// Guards: what is run on a connection's own thread does not end the connection when it panics.
    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_panic_here_becomes_an_error_and_others_go_on_meanwhile() {
        let lanes = Lanes::new();
        for _ in 0..=READS_MAX {
            let planned = || -> Result<(), ApiError> { panic!("planned") };
            assert_eq!(lanes.run_here(planned).await.unwrap_err().status(), 500);
        }
        let (sender, receiver) = std::sync::mpsc::channel();
        let waiting = tokio::spawn(async move {
            let wait = move || -> Result<u32, ApiError> { Ok(receiver.recv().unwrap()) };
            lanes.run_here(wait).await
        });
        // Runs on the only worker thread, as what waits did.
        tokio::spawn(async move { sender.send(7).unwrap() })
            .await
            .unwrap();
        assert_eq!(waiting.await.unwrap().unwrap(), 7);
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
