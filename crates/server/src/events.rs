//! What happens in the vault, told to every page that listens: one bounded broadcast, and a watcher that notices
//! commits, this program's and others'. Whoever falls behind is told to look afresh.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::Event;
use compactvault_vault::{Change, Seq};
use futures_util::stream::{self, Stream};
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, watch};

use crate::limits::EVENT_READERS_MAX;
use crate::wire;

/// Events kept for readers that are slower than the vault.
const KEPT: usize = 256;
/// Places named in one event; with more, the reader looks at everything.
const PLACES_MAX: usize = 100;
/// How often the vault is asked for changes while somebody listens.
pub(crate) const WATCH_EVERY: Duration = Duration::from_millis(100);
/// How often a comment keeps a silent connection alive.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// One thing that happened, ready to be sent.
#[derive(Clone, Debug)]
struct Happening {
    name: &'static str,
    data: Arc<str>,
}

/// The broadcast.
#[derive(Debug)]
pub(crate) struct Events {
    sender: broadcast::Sender<Happening>,
    readers: Arc<Semaphore>,
    /// The last log size seen, for those who fell behind.
    log_size: watch::Sender<u64>,
    /// Becomes true when the server stops.
    stopping: watch::Sender<bool>,
}

impl Events {
    /// A broadcast without readers.
    pub(crate) fn new() -> Self {
        Self {
            sender: broadcast::channel(KEPT).0,
            readers: Arc::new(Semaphore::new(EVENT_READERS_MAX)),
            log_size: watch::Sender::new(0),
            stopping: watch::Sender::new(false),
        }
    }

    /// How many listen.
    pub(crate) fn readers(&self) -> usize {
        self.sender.receiver_count()
    }

    /// Whether anybody listens.
    pub(crate) fn has_readers(&self) -> bool {
        self.sender.receiver_count() > 0
    }

    /// The log stands here when the watching begins.
    pub(crate) fn begin(&self, log_size: u64) {
        self.log_size.send_replace(log_size);
    }

    /// The log grew.
    pub(crate) fn sealed(&self, change: &Change) {
        self.log_size.send_replace(change.log_size);
        let places = change
            .places
            .as_deref()
            .filter(|places| places.len() <= PLACES_MAX);
        let places = places.map(|places| {
            places
                .iter()
                .map(|place| Seq::get(*place))
                .collect::<Vec<_>>()
        });
        self.send(
            "sealed",
            &json!({ "log_size": change.log_size, "places": places }),
        );
    }

    /// An upload ended.
    pub(crate) fn upload_ended(&self, upload: &wire::Upload) {
        self.send("upload", &json!(upload));
    }

    /// How far a verification is, or how it ended.
    pub(crate) fn verification(&self, verification: &wire::Verification) {
        self.send("verification", &json!(verification));
    }

    fn send(&self, name: &'static str, data: &serde_json::Value) {
        // Fails only when nobody listens.
        let _ = self.sender.send(Happening {
            name,
            data: data.to_string().into(),
        });
    }

    /// Ends every reader's stream.
    pub(crate) fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Becomes true when the streams are to end.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// A place among the readers; `None` if there are too many.
    pub(crate) fn join(&self) -> Option<Reader> {
        Some(Reader {
            _permit: Arc::clone(&self.readers).try_acquire_owned().ok()?,
            receiver: self.sender.subscribe(),
            log_size: self.log_size.subscribe(),
            stopping: self.stopping.subscribe(),
        })
    }
}

/// One reader before its stream begins. Made before the log's size is read, so that nothing is missed between.
#[derive(Debug)]
pub(crate) struct Reader {
    _permit: OwnedSemaphorePermit,
    receiver: broadcast::Receiver<Happening>,
    log_size: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
}

impl Reader {
    /// `hello` with the log's size, then whatever happens until the server stops.
    pub(crate) fn stream(
        self,
        log_size: u64,
    ) -> impl Stream<Item = Result<Event, Infallible>> + use<> {
        stream::unfold(
            (self, Some(log_size)),
            |(mut reader, greeting)| async move {
                let event = match greeting {
                    Some(log_size) => hello(log_size),
                    None => reader.next().await?,
                };
                Some((Ok(event), (reader, None)))
            },
        )
    }

    async fn next(&mut self) -> Option<Event> {
        let Self {
            _permit: _,
            receiver,
            log_size,
            stopping,
        } = self;
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stopping| *stopping) => None,
            received = receiver.recv() => match received {
                Ok(happening) => Some(Event::default().event(happening.name).data(&happening.data)),
                Err(RecvError::Lagged(_)) => {
                    *receiver = receiver.resubscribe();
                    Some(hello(*log_size.borrow_and_update()))
                }
                Err(RecvError::Closed) => None,
            },
        }
    }
}

fn hello(log_size: u64) -> Event {
    Event::default()
        .event("hello")
        .data(json!({ "log_size": log_size }).to_string())
}

#[cfg(test)]
mod tests {
    use axum::response::{IntoResponse as _, Sse};

    use super::*;

    async fn text(events: &Events, reader: Reader) -> String {
        events.stop();
        let body = Sse::new(reader.stream(7)).into_response().into_body();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_reader_is_greeted_and_ends_with_the_server() {
        let events = Events::new();
        let reader = events.join().unwrap();
        assert!(events.has_readers());
        assert_eq!(
            text(&events, reader).await,
            "event: hello\ndata: {\"log_size\":7}\n\n"
        );
        assert!(!events.has_readers());
    }

    #[tokio::test]
    async fn who_falls_behind_is_greeted_again() {
        let events = Events::new();
        let mut reader = events.join().unwrap();
        for log_size in 1..=KEPT as u64 + 10 {
            events.sealed(&Change {
                log_size,
                places: None,
            });
        }
        let shown = format!("{:?}", reader.next().await.unwrap());
        assert!(shown.contains("hello") && shown.contains("266"), "{shown}");
        events.sealed(&Change {
            log_size: 300,
            places: Some(vec![Seq::new(4)]),
        });
        let shown = format!("{:?}", reader.next().await.unwrap());
        assert!(shown.contains("sealed") && shown.contains("[4]"), "{shown}");
    }

    #[tokio::test]
    async fn readers_are_bounded() {
        let events = Events::new();
        let readers: Vec<_> = (0..EVENT_READERS_MAX)
            .map(|_| events.join().unwrap())
            .collect();
        assert!(events.join().is_none());
        drop(readers);
        assert!(events.join().is_some());
    }
}
