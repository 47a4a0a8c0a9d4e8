//! What is written down about requests: a number for each, which its log lines and its answer carry, what it took, and
//! who was refused and why. Addresses without their queries, which may hold a token; never a header or a body.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;

use crate::app::{App, Peer};
use crate::error::Refusal;
use crate::meters::Meters;
use crate::random::random_id;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Refusals that are logged in [`WINDOW`]; the rest is counted and told as a number.
const LOGGED_MAX: u32 = 30;
const WINDOW: Duration = Duration::from_mins(1);

/// Numbers for requests, distinct over restarts as far as chance goes.
pub(crate) struct Numbers {
    start: String,
    next: AtomicU64,
}

impl Numbers {
    /// From one on.
    pub(crate) fn new() -> Self {
        let mut start = random_id();
        start.truncate(6);
        Self {
            start,
            next: AtomicU64::new(1),
        }
    }

    fn next(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number}", self.start)
    }
}

/// Counts refusals, and logs so many that a log can still be read, and a disk not filled, under attack.
pub(crate) struct Refusals {
    meters: Arc<Meters>,
    window: Mutex<Window>,
}

#[derive(Default)]
struct Window {
    start: Option<Instant>,
    logged: u32,
    kept_quiet: u64,
}

impl Window {
    /// Whether one more is logged, and how many before it were not.
    fn log(&mut self, now: Instant) -> Option<u64> {
        let is_over = |start: Instant| now.saturating_duration_since(start) >= WINDOW;
        if self.start.is_none_or(is_over) {
            self.start = Some(now);
            self.logged = 0;
        }
        if self.logged >= LOGGED_MAX {
            self.kept_quiet += 1;
            return None;
        }
        self.logged += 1;
        Some(std::mem::take(&mut self.kept_quiet))
    }
}

impl Refusals {
    /// None so far.
    pub(crate) fn new(meters: Arc<Meters>) -> Self {
        Self {
            meters,
            window: Mutex::default(),
        }
    }

    /// Somebody was refused.
    pub(crate) fn refused(&self, code: &'static str, client: IpAddr, now: Instant) {
        self.meters.refused(code);
        // A browser that opens the page for the first time, every time.
        if code == "unauthorized" {
            tracing::debug!(code, %client, "refused");
            return;
        }
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(kept_quiet) = window.log(now) else {
            return;
        };
        drop(window);
        if kept_quiet > 0 {
            tracing::warn!(kept_quiet, "more refusals than are logged");
        }
        tracing::warn!(code, %client, "refused");
    }
}

/// The outermost middleware.
pub(crate) async fn observe(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let number = app.numbers.next();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let peer = request.extensions().get::<Peer>().copied();
    let client = peer.map(|peer| app.proxies.client(peer, request.headers()));
    if let Some(client) = client {
        request.extensions_mut().insert(client);
    }
    let span = tracing::error_span!("request", id = number);
    let mut response = next.run(request).instrument(span.clone()).await;
    let _in_span = span.enter();
    let took = begun.elapsed();
    let status = response.status();
    if let (Some(Refusal(code)), Some(client)) = (response.extensions().get(), client) {
        app.refusals.refused(code, client.ip, Instant::now());
    }
    let route = route.as_ref().map_or("other", MatchedPath::as_str);
    app.meters
        .answered(&method, route, status, took.as_secs_f64());
    let client = client.map(|client| tracing::field::display(client.ip));
    tracing::info!(%method, path, status = status.as_u16(), ms = took.as_secs_f64() * 1e3, client, "answered");
    if let Ok(number) = HeaderValue::try_from(number) {
        response.headers_mut().insert(REQUEST_ID, number);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attack_does_not_fill_the_log() {
        let mut window = Window::default();
        let start = Instant::now();
        let logged = (0..10_000).filter_map(|_| window.log(start)).count();
        assert_eq!(logged, LOGGED_MAX as usize);
        let quiet = 10_000 - u64::from(LOGGED_MAX);
        assert_eq!(window.log(start + WINDOW), Some(quiet));
        assert_eq!(window.log(start + WINDOW), Some(0));
    }
}
