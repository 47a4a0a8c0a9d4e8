//! The state that every request shares, and the router made of the table of routes and the layers around it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Extensions, HeaderMap, Method, StatusCode, Version, header};
use axum::response::{IntoResponse as _, Response};
use tower_http::compression::predicate::{Predicate, SizeAbove};
use tower_http::compression::{CompressionLayer, CompressionLevel};

use crate::access;
use crate::assets::Web;
use crate::auth::{Auth, Needs};
use crate::blocking::{Lane, Lanes};
use crate::content::Contents;
use crate::error::ApiError;
use crate::events::Events;
use crate::host::Hosts;
use crate::limits::Limits;
use crate::meters::Meters;
use crate::openings::Openings;
use crate::previews::Previews;
use crate::proxies::Proxies;
use crate::requests::{Numbers, Refusals, observe};
use crate::routes;
use crate::server::ServerOptions;
use crate::shelf::Shelf;
use crate::tickets::Tickets;
use crate::verification::Verification;
use compactvault_vault::Vault;

/// JSON up to this size costs more to compress than to send.
const GZIP_ABOVE_BYTES: u64 = 200;

/// The two ends of a connection, which every request carries as an extension.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The client's.
    pub remote: SocketAddr,
    /// Ours.
    pub local: SocketAddr,
    /// Whether TLS is spoken between them.
    pub is_encrypted: bool,
}

/// What every request shares. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

/// The parts of [`App`].
pub(crate) struct Shared {
    pub(crate) auth: Auth,
    pub(crate) hosts: Hosts,
    pub(crate) proxies: Proxies,
    pub(crate) web: Web,
    pub(crate) events: Arc<Events>,
    pub(crate) lanes: Lanes,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) tickets: Tickets,
    pub(crate) verification: Verification,
    pub(crate) limits: Limits,
    pub(crate) contents: Contents,
    pub(crate) openings: Openings,
    pub(crate) meters: Arc<Meters>,
    pub(crate) previews: Previews,
    pub(crate) refusals: Refusals,
    pub(crate) numbers: Numbers,
    /// Share of the time for scrubbing, in percent.
    pub(crate) scrub: Option<u8>,
    /// The table of routes without its handlers.
    patterns: Vec<(Method, &'static str, Needs)>,
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    /// State around a shelf.
    pub(crate) fn new(
        auth: Auth,
        (hosts, proxies): (Hosts, Proxies),
        web: Web,
        shelf: Shelf,
        options: &ServerOptions,
    ) -> Self {
        let lanes = Lanes::new();
        let table = routes::table();
        let meters = Arc::new(Meters::new());
        Self(Arc::new(Shared {
            auth,
            hosts,
            proxies,
            web,
            events: Arc::new(Events::new()),
            previews: Previews::new(options.preview_worker.clone(), lanes.clone()),
            lanes,
            shelf: Arc::new(shelf),
            tickets: Tickets::default(),
            verification: Verification::default(),
            limits: Limits::new(),
            contents: Contents::new(),
            openings: Openings::default(),
            refusals: Refusals::new(Arc::clone(&meters)),
            meters,
            numbers: Numbers::new(),
            scrub: options.scrub,
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

    /// The same on the caller's own thread, for what takes a millisecond: see [`Lanes::run_here`].
    pub(crate) async fn ask_here<T: Send + 'static, E: Into<ApiError> + Send + 'static>(
        &self,
        question: impl FnOnce(&Vault) -> Result<T, E> + Send + 'static,
    ) -> Result<T, ApiError> {
        let vault = self.shelf.vault()?.clone();
        self.lanes.run_here(move || question(&vault)).await
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
            .layer(axum::middleware::from_fn_with_state(self.clone(), observe))
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
