//! One connection after the other: accepted while there is room, encrypted if that was asked for, served, and ended
//! when the server stops.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use axum::response::IntoResponse as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::app::{App, Peer};
use crate::error::ApiError;
use crate::limits::{
    BUFFER_BYTES_MAX, CONNECTIONS_MAX, HANDSHAKE_TIME_MAX, HEADER_BYTES_MAX, HEADER_TIME_MAX,
    HEADERS_MAX,
};
use crate::lingering::{Lingering, Unread};
use crate::strangers::{Standing, Strangers};
use crate::tls::Encryption;

/// The first byte of a TLS connection: the content type of a handshake (RFC 8446 section 5.1).
const TLS_HANDSHAKE: u8 = 22;
/// What is sent, where it can be, instead of serving one connection too many.
const TOO_MANY: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nRetry-After: 30\r\nConnection: close\r\nContent-Length: 113\r\n\r\n{\"message\":\"too many connections from this address; close some of them and try again\",\"code\":\"too_many_requests\"}";

/// What all connections share. Clones share it.
#[derive(Clone)]
pub(crate) struct Door {
    app: App,
    router: Router,
    places: Arc<Semaphore>,
    strangers: Strangers,
    encryption: Option<Encryption>,
}

/// Ready when the server stops.
async fn stop(stopping: &mut watch::Receiver<bool>) {
    // Fails only if the sender is gone, and then the server has stopped as well.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

impl Door {
    /// To these routes.
    pub(crate) fn new(app: App, router: Router, encryption: Option<Encryption>) -> Self {
        Self {
            app,
            router,
            places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            strangers: Strangers::default(),
            encryption,
        }
    }

    /// Accepts until the server stops, and returns the connections that are still open then.
    pub(crate) async fn accept(
        self,
        listener: TcpListener,
        mut stopping: watch::Receiver<bool>,
    ) -> JoinSet<()> {
        let mut open = JoinSet::new();
        loop {
            let next = async {
                let place = Arc::clone(&self.places).acquire_owned().await;
                (place, listener.accept().await)
            };
            let (place, accepted) = tokio::select! {
                () = stop(&mut stopping) => return open,
                next = next => next,
            };
            while open.try_join_next().is_some() {}
            match accepted {
                Ok((stream, remote)) => {
                    let Some(standing) = self.admit(remote.ip()) else {
                        // As far as the system takes it at once: whoever opens hundreds is not waited for.
                        let _ = stream.try_write(TOO_MANY);
                        continue;
                    };
                    let serving = self
                        .clone()
                        .serve(stream, remote, standing, stopping.clone());
                    let meters = Arc::clone(&self.app.meters);
                    open.spawn(async move {
                        meters.connections.inc();
                        serving.await;
                        meters.connections.dec();
                        drop(place);
                    });
                }
                Err(error) => {
                    // Out of file descriptors, mostly: others have to end first.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// Nobody is a stranger to a proxy's connections, which many share.
    fn admit(&self, ip: IpAddr) -> Option<Standing> {
        if self.app.proxies.contain(ip) {
            return Some(Standing::default());
        }
        let standing = self.strangers.admit(ip);
        if standing.is_none() {
            let refusals = &self.app.refusals;
            refusals.refused("too_many_connections", ip, Instant::now());
        }
        standing
    }

    async fn serve(
        self,
        stream: TcpStream,
        remote: SocketAddr,
        standing: Standing,
        stopping: watch::Receiver<bool>,
    ) {
        let Ok(local) = stream.local_addr() else {
            return;
        };
        // Answers are written whole; waiting to fill packets only delays them.
        let _ = stream.set_nodelay(true);
        let peer = Peer {
            remote,
            local,
            is_encrypted: self.encryption.is_some(),
        };
        let router = TowerToHyperService::new(self.router.clone());
        let unread = Unread::default();
        let bodies = unread.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(|body| bodies.body(body));
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(standing.clone());
            router.call(request)
        });
        let Some(encryption) = &self.encryption else {
            return self.speak(stream, service, unread, peer, stopping).await;
        };
        match begins_tls(&stream).await {
            Ok(true) => {
                let handshake = encryption.acceptor().accept(stream);
                match tokio::time::timeout(HANDSHAKE_TIME_MAX, handshake).await {
                    Ok(Ok(stream)) => self.speak(stream, service, unread, peer, stopping).await,
                    Ok(Err(error)) => tracing::debug!(%error, %remote, "no TLS was agreed on"),
                    Err(_) => tracing::debug!(%remote, "a TLS handshake took too long"),
                }
            }
            Ok(false) => {
                let hosts = self.app.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let answer = to_encrypted(&hosts, &request, peer);
                    async move { Ok::<_, std::convert::Infallible>(answer) }
                });
                self.speak(stream, service, unread, peer, stopping).await;
            }
            Err(error) => tracing::debug!(%error, %remote, "a connection ended early"),
        }
    }

    /// HTTP/1.1 on a stream, until either side ends it.
    async fn speak<S, H>(
        &self,
        stream: S,
        service: H,
        unread: Unread,
        peer: Peer,
        mut stopping: watch::Receiver<bool>,
    ) where
        S: AsyncRead + AsyncWrite + Unpin,
        H: HttpService<Incoming, ResBody = Body>,
        H::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let stream = Lingering::new(stream, unread, Arc::clone(&self.app.meters));
        let mut connection = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIME_MAX)
                .max_headers(HEADERS_MAX)
                .max_header_size(HEADER_BYTES_MAX)
                .max_buf_size(BUFFER_BYTES_MAX)
                .serve_connection(TokioIo::new(stream), service)
        );
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stop(&mut stopping) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, remote = %peer.remote, "a connection ended early");
        }
    }
}

/// Whether a client speaks TLS, by its first byte.
async fn begins_tls(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    let peeked = tokio::time::timeout(HANDSHAKE_TIME_MAX, stream.peek(&mut first)).await;
    match peeked? {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(_) => Ok(first == [TLS_HANDSHAKE]),
        Err(error) => Err(error),
    }
}

/// What is answered to plain HTTP where TLS is spoken: the same address, encrypted. Whatever secret came with the
/// request was read by whoever listened; nothing of it is looked at.
fn to_encrypted<B>(app: &App, request: &Request<B>, peer: Peer) -> Response<Body> {
    let plain = Peer {
        is_encrypted: false,
        ..peer
    };
    if !app.hosts.allow(request.headers(), request.uri(), plain) {
        return ApiError::host_not_allowed().into_response();
    }
    let host = request.headers().get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    let path = request.uri().path();
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    if let Ok(location) = HeaderValue::try_from(format!("https://{host}{path}")) {
        headers.insert(header::LOCATION, location);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_one_connection_too_many_is_whole() {
        let text = std::str::from_utf8(TOO_MANY).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("Content-Length: {}", body.len())),
            "{}",
            body.len()
        );
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["code"], "too_many_requests");
    }
}
