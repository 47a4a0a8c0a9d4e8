//! Bodies made of pieces that are read from the vault on demand. Pieces are fetched when those before them begin to be
//! taken, so a slow client holds a little memory, but no thread and no connection to the vault.

use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow;

use axum::body::{Body, Bytes};
use compactvault_vault::{AssetRange, ReadError};
use futures_util::stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;

use crate::blocking::{Lane, Lanes};
use crate::error::ApiError;

/// Bytes gathered before a body is handed a frame. Pieces of the vault are larger; headers in between are not.
const FRAME_BYTES: usize = 256 * 1024;
/// Bytes fetched at once after the first frame: the vault checks several chunks in less time than one after the other.
const FETCH_BYTES: usize = 1024 * 1024;
/// Fetches of one asset that run side by side: reading and checking takes longer than sending.
const FETCHES_MAX: usize = 2;

/// Checked bytes, in order, ending after the first error.
pub(crate) enum Source {
    /// Of an asset: parts of it can be fetched side by side.
    Asset(AssetRange),
    /// Each piece needs what was before it.
    Sequence(Box<dyn Iterator<Item = Result<Bytes, ReadError>> + Send>),
}

impl Iterator for Source {
    type Item = Result<Bytes, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Asset(range) => range.next(),
            Self::Sequence(pieces) => pieces.next(),
        }
    }
}

/// What was fetched from a source, and what is left of it.
pub(crate) struct Pieces {
    frames: VecDeque<Bytes>,
    rest: Option<Source>,
    failed: Option<ReadError>,
}

impl Pieces {
    /// Fetches the first frame, so that damage there can still be told with a status. Blocks.
    pub(crate) fn begin(source: Source) -> Result<Self, ReadError> {
        let pieces = Self::fetch(source, FRAME_BYTES);
        match pieces.failed {
            Some(error) if pieces.frames.is_empty() => Err(error),
            failed => Ok(Self { failed, ..pieces }),
        }
    }

    /// Fetches frames until they are so many bytes.
    fn fetch(mut source: Source, bytes: usize) -> Self {
        let mut frames = VecDeque::new();
        let mut fetched = 0;
        while fetched < bytes {
            let (frame, end) = next_frame(&mut source);
            fetched += frame.len();
            frames.extend(Some(frame).filter(|frame| !frame.is_empty()));
            if let ControlFlow::Break(failed) = end {
                return Self {
                    frames,
                    rest: None,
                    failed,
                };
            }
        }
        Self {
            frames,
            rest: Some(source),
            failed: None,
        }
    }

    /// The body. `permit` is given back when it ends or is dropped. Damage on the way breaks it off.
    pub(crate) fn into_body(self, lanes: Lanes, permit: OwnedSemaphorePermit) -> Body {
        match self {
            Self {
                mut frames,
                rest: None,
                failed: None,
            } => Body::from(frames.pop_front().unwrap_or_default()),
            Self {
                frames,
                rest,
                failed,
            } => Body::from_stream(stream::unfold(
                Sending {
                    lanes,
                    frames,
                    coming: VecDeque::new(),
                    rest,
                    failed,
                    _permit: permit,
                },
                Sending::step,
            )),
        }
    }
}

/// Bytes for one frame, and whether the source ended with them, or with an error.
fn next_frame(source: &mut Source) -> (Bytes, ControlFlow<Option<ReadError>>) {
    let mut first = Bytes::new();
    let mut gathered: Vec<u8> = Vec::new();
    let end = loop {
        match source.next() {
            Some(Ok(piece)) if first.is_empty() => first = piece,
            Some(Ok(piece)) => {
                if gathered.is_empty() {
                    gathered.extend_from_slice(&first);
                }
                gathered.extend_from_slice(&piece);
            }
            end => break ControlFlow::Break(end.and_then(Result::err)),
        }
        if first.len().max(gathered.len()) >= FRAME_BYTES {
            break ControlFlow::Continue(());
        }
    };
    let frame = if gathered.is_empty() {
        first
    } else {
        gathered.into()
    };
    (frame, end)
}

struct Sending {
    lanes: Lanes,
    /// Fetched, and next to be sent.
    frames: VecDeque<Bytes>,
    /// Being fetched, in the order of the body.
    coming: VecDeque<JoinHandle<Pieces>>,
    /// What no fetch was begun for.
    rest: Option<Source>,
    /// Ends the body once all frames are sent.
    failed: Option<ReadError>,
    _permit: OwnedSemaphorePermit,
}

impl Sending {
    /// One frame. Those after the ones at hand are already being fetched when this returns.
    async fn step(mut self) -> Option<(io::Result<Bytes>, Self)> {
        loop {
            if let Err(busy) = self.fetch_ahead().await {
                return Some((Err(broken(&ApiError::message(&busy))), self.ended()));
            }
            if let Some(frame) = self.frames.pop_front() {
                return Some((Ok(frame), self));
            }
            if let Some(error) = self.failed.take() {
                return Some((Err(broken(&error)), self.ended()));
            }
            match self.coming.pop_front()?.await {
                Ok(pieces) => {
                    self.frames = pieces.frames;
                    self.failed = pieces.failed;
                    self.rest = self.rest.or(pieces.rest);
                }
                Err(panic) => return Some((Err(broken(&panic)), self.ended())),
            }
        }
    }

    /// Begins as many fetches as may run.
    async fn fetch_ahead(&mut self) -> Result<(), ApiError> {
        while self.failed.is_none() && self.coming.len() < FETCHES_MAX {
            let (part, bytes) = match self.rest.take() {
                None => break,
                Some(Source::Asset(mut range)) => {
                    let part = range.take_part(FETCH_BYTES as u64);
                    self.rest = (!range.is_empty()).then_some(Source::Asset(range));
                    (Source::Asset(part), usize::MAX)
                }
                Some(sequence) => (sequence, FETCH_BYTES),
            };
            let fetch = move || Pieces::fetch(part, bytes);
            self.coming
                .push_back(self.lanes.start(Lane::Read, fetch).await?);
        }
        Ok(())
    }

    /// Nothing is sent any more.
    fn ended(self) -> Self {
        Self {
            frames: VecDeque::new(),
            coming: VecDeque::new(),
            rest: None,
            failed: None,
            ..self
        }
    }
}

fn broken(cause: &dyn std::fmt::Display) -> io::Error {
    tracing::error!(%cause, "a download was broken off");
    io::Error::other(cause.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    fn source(
        pieces: impl IntoIterator<Item = Result<Bytes, ReadError>, IntoIter: Send + 'static>,
    ) -> Source {
        Source::Sequence(Box::new(pieces.into_iter()))
    }

    fn damage() -> ReadError {
        ReadError::Store {
            detail: "planned".into(),
        }
    }

    async fn body(pieces: Pieces) -> Result<Bytes, axum::Error> {
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        axum::body::to_bytes(pieces.into_body(Lanes::new(), permit), usize::MAX).await
    }

    #[tokio::test]
    async fn all_pieces_arrive_in_order() {
        for sizes in [
            vec![],
            vec![0],
            vec![5],
            vec![5, 0, 7],
            vec![300_000, 1, 2, 300_000, 9],
            vec![100_000; 20],
        ] {
            let pieces: Vec<Vec<u8>> = sizes
                .iter()
                .enumerate()
                .map(|(i, size)| vec![u8::try_from(i).unwrap(); *size])
                .collect();
            let whole = pieces.concat();
            let source = source(pieces.into_iter().map(|piece| Ok(Bytes::from(piece))));
            assert_eq!(
                body(Pieces::begin(source).unwrap()).await.unwrap(),
                whole,
                "{sizes:?}"
            );
        }
    }

    #[tokio::test]
    async fn damage_is_told_first_or_breaks_the_body() {
        assert!(Pieces::begin(source([Err(damage())])).is_err());
        let late = [
            Ok(Bytes::from(vec![1; 400_000])),
            Ok(Bytes::from_static(b"x")),
            Err(damage()),
        ];
        assert!(body(Pieces::begin(source(late)).unwrap()).await.is_err());
        let soon = [Ok(Bytes::from_static(b"x")), Err(damage())];
        assert!(body(Pieces::begin(source(soon)).unwrap()).await.is_err());
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_fetched_nothing_for() {
        let fetched = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&fetched);
        let endless = std::iter::from_fn(move || {
            counter.fetch_add(1, Ordering::SeqCst);
            Some(Ok(Bytes::from(vec![0; FRAME_BYTES])))
        });
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let mut body = Pieces::begin(source(endless))
            .unwrap()
            .into_body(Lanes::new(), permit)
            .into_data_stream();
        for _ in 0..3 {
            futures_util::StreamExt::next(&mut body)
                .await
                .unwrap()
                .unwrap();
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        assert!(fetched.load(Ordering::SeqCst) <= 1 + 2 * FETCH_BYTES / FRAME_BYTES);
    }
}
