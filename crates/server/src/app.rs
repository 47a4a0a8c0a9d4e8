//! The state that every request shares, and the router made of the table of routes and the layers around it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Extensions, HeaderMap, Method, StatusCode, Version, header};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_http::compression::predicate::{Predicate, SizeAbove};
use tower_http::compression::{CompressionLayer, CompressionLevel};

use crate::access;
use crate::assets::Web;
use crate::auth::{Auth, Needs};
use crate::blocking::{Lane, Lanes};
use crate::error::ApiError;
use crate::events::Events;
use crate::host::Hosts;
use crate::routes;
use crate::shelf::Shelf;
use crate::tickets::Tickets;
use compactvault_vault::Vault;

/// Requests at once that are between their headers and the beginning of their answer.
const REQUESTS_MAX: usize = 512;
/// Downloads at once, each with up to 2 MiB on its way.
const DOWNLOADS_MAX: usize = 128;
/// Parts of uploads and files in one request at once, each with up to 1 MiB on its way to the spool.
const PARTS_MAX: usize = 64;
/// Bytes of small files that are gathered in memory at once, in all.
const MEMORY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What those bytes are counted in: a semaphore counts no further than 32 bits at a time, and nothing is smaller than a page.
const MEMORY_UNIT: usize = 4096;
/// JSON up to this size costs more to compress than to send.
const GZIP_ABOVE_BYTES: u64 = 200;

/// The two ends of a connection, which every request carries as an extension.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The client's.
    pub remote: SocketAddr,
    /// Ours.
    pub local: SocketAddr,
}

/// What every request shares. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

/// The parts of [`App`].
pub(crate) struct Shared {
    pub(crate) auth: Auth,
    pub(crate) hosts: Hosts,
    pub(crate) web: Web,
    pub(crate) events: Arc<Events>,
    pub(crate) lanes: Lanes,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) tickets: Tickets,
    pub(crate) limits: Limits,
    /// Share of the time for scrubbing, in percent.
    pub(crate) scrub: Option<u8>,
    /// The table of routes without its handlers.
    patterns: Vec<(Method, &'static str, Needs)>,
}

/// How much may go on at once. Clones share it.
#[derive(Clone)]
pub(crate) struct Limits {
    requests: Arc<Semaphore>,
    downloads: Arc<Semaphore>,
    parts: Arc<Semaphore>,
    memory: Arc<Semaphore>,
}

impl Limits {
    fn new() -> Self {
        let limit = |at_once| Arc::new(Semaphore::new(at_once));
        Self {
            requests: limit(REQUESTS_MAX),
            downloads: limit(DOWNLOADS_MAX),
            parts: limit(PARTS_MAX),
            memory: limit(MEMORY_BYTES_MAX / MEMORY_UNIT),
        }
    }

    /// A place among the requests.
    pub(crate) fn request(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        acquire(&self.requests)
    }

    /// A place among the downloads, kept until the last byte.
    pub(crate) fn download(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        acquire(&self.downloads)
    }

    /// Whether a part of an upload is being received.
    pub(crate) fn is_receiving(&self) -> bool {
        self.parts.available_permits() < PARTS_MAX
    }

    /// A place among the parts that are being received.
    pub(crate) fn part(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        acquire(&self.parts)
    }

    /// Room for so many bytes in memory, if there is any now.
    pub(crate) fn memory(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(MEMORY_UNIT)).ok()?;
        Arc::clone(&self.memory).try_acquire_many_owned(units).ok()
    }
}

fn acquire(limit: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, ApiError> {
    let too_many = |_| ApiError::too_many(std::time::Duration::from_secs(1));
    Arc::clone(limit).try_acquire_owned().map_err(too_many)
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    /// State around a shelf.
    pub(crate) fn new(auth: Auth, hosts: Hosts, web: Web, shelf: Shelf, scrub: Option<u8>) -> Self {
        let table = routes::table();
        Self(Arc::new(Shared {
            auth,
            hosts,
            web,
            events: Arc::new(Events::new()),
            lanes: Lanes::new(),
            shelf: Arc::new(shelf),
            tickets: Tickets::default(),
            limits: Limits::new(),
            scrub,
            patterns: table
                .into_iter()
                .map(|route| (route.method, route.path, route.needs))
                .collect(),
        }))
    }

    /// Asks the chosen vault something, on a thread that may block.
    pub(crate) async fn ask<T: Send + 'static, E: Into<ApiError> + Send + 'static>(
        &self,
        lane: Lane,
        question: impl FnOnce(&Vault) -> Result<T, E> + Send + 'static,
    ) -> Result<T, ApiError> {
        let vault = self.shelf.vault()?.clone();
        self.lanes.run(lane, move || question(&vault)).await
    }

    /// The `Allow` value of a path: what the table has for it, or what this server has at all.
    pub(crate) fn allowed(&self, path: &str) -> &'static str {
        let has = |method: Method| {
            self.patterns
                .iter()
                .any(|(of, pattern, _)| *of == method && matches(pattern, path))
        };
        match (has(Method::GET), has(Method::POST)) {
            (true, false) => "GET, HEAD",
            (false, true) => "POST",
            _ => "GET, HEAD, POST",
        }
    }

    /// What a token must be good for. What is not in the table is the page, which is read.
    pub(crate) fn needs(&self, method: &Method, path: &str) -> Needs {
        let method = match *method {
            Method::HEAD => &Method::GET,
            _ => method,
        };
        let known = self
            .patterns
            .iter()
            .find(|(of, pattern, _)| of == method && matches(pattern, path));
        match known {
            Some((.., needs)) => *needs,
            None if *method == Method::GET => Needs::Read,
            None => Needs::All,
        }
    }

    /// The whole service. Requests need a [`Peer`] among their extensions.
    pub(crate) fn router(&self) -> Router {
        let mut router = Router::new();
        for route in routes::table() {
            router = router.route(route.path, route.handler);
        }
        router
            .merge(routes::pages::router())
            .fallback(unknown)
            .method_not_allowed_fallback(wrong_method)
            .layer(
                CompressionLayer::new()
                    .gzip(true)
                    .quality(CompressionLevel::Fastest)
                    .compress_when(SizeAbove::new(GZIP_ABOVE_BYTES + 1).and(is_json)),
            )
            .layer(axum::middleware::from_fn_with_state(
                self.clone(),
                access::guard,
            ))
            .with_state(self.clone())
    }
}

fn is_json(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/json"))
}

/// Whether `path` has the shape of `pattern`, whose `{names}` stand for one segment each.
fn matches(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    pattern.split('/').all(|expected| {
        segments
            .next()
            .is_some_and(|segment| expected.starts_with('{') || expected == segment)
    }) && segments.next().is_none()
}

async fn unknown(request: Request) -> Response {
    let message = format!("there is nothing at {}", request.uri().path());
    ApiError::new(StatusCode::NOT_FOUND, "not_found", message).into_response()
}

async fn wrong_method(State(app): State<App>, request: Request) -> Response {
    ApiError::method_not_allowed(app.allowed(request.uri().path())).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_segment_by_segment() {
        assert!(matches("/api/projects/{id}", "/api/projects/7"));
        assert!(!matches("/api/projects/{id}", "/api/projects"));
        assert!(!matches("/api/projects/{id}", "/api/projects/7/download"));
        assert!(matches("/api/projects", "/api/projects"));
    }
}
