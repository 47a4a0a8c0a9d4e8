//! The sockets: where the server listens, how connections are served and bounded, and how it stops.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::app::Peer;
use crate::lingering::{Lingering, Unread};
use crate::server::{ServeError, Server, ServerOptions, ServerReport};

/// Where the search for a free port begins, and how many are tried.
const PORT_FIRST: u16 = 8000;
const PORTS_TRIED: u16 = 100;
/// Connections at once; more wait in the system's queue.
const CONNECTIONS_MAX: usize = 1024;
/// How long a client may take for the header of a request, and a connection may stay idle.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// What a connection reads ahead, and the largest header.
const BUFFER_BYTES_MAX: usize = 256 * 1024;

/// A server that answers from now on.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The address for a browser, with the token if there is one.
    pub url: String,
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    /// The vault that is served, if one is chosen.
    pub vault: Option<PathBuf>,
}

/// Serves until `shutdown` is ready, then stops in good order. `ready` is called once, when connections are answered.
///
/// Blocking work runs on the runtime's blocking threads, at most 84 at once, which is far below Tokio's default bound.
pub async fn serve(
    options: ServerOptions,
    ready: impl FnOnce(&Ready),
    shutdown: impl Future<Output = ()>,
) -> Result<ServerReport, ServeError> {
    let open_to_others = options
        .listen
        .filter(|address| !address.ip().to_canonical().is_loopback());
    // Looked at again below, when the vault and the password that is kept for it are known.
    if let Some(address) = open_to_others
        && options.password.is_none()
        && !options.place.exists()
    {
        return Err(ServeError::PasswordNeeded { address });
    }
    // Sockets first: a second server on the same folder should fail before it opens anything.
    let listeners = listen(options.listen).await?;
    let server = Server::open(&options).await?;
    if let Some(address) = open_to_others.filter(|_| !server.has_password()) {
        server.close(Duration::ZERO).await?;
        return Err(ServeError::PasswordNeeded { address });
    }
    let addresses: Vec<_> = listeners
        .iter()
        .filter_map(|listener| listener.local_addr().ok())
        .collect();
    let connections = Connections {
        router: server.router(),
        places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
    };
    let stopping = watch::Sender::new(false);
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(listener, connections.clone(), stopping.subscribe()));
    }
    ready(&Ready {
        url: url(&server, &addresses),
        addresses,
        vault: server.vault_path(),
    });
    shutdown.await;

    let asked = Instant::now();
    stopping.send_replace(true);
    server.stop_events();
    let mut open = JoinSet::new();
    while let Some(accepted) = accepting.join_next().await {
        // An accepting task only ends here, with the connections it served.
        if let Ok(connections) = accepted {
            open.spawn(end(connections, options.drain));
        }
    }
    open.join_all().await;
    server
        .close(options.drain.saturating_sub(asked.elapsed()))
        .await
}

/// Waits for connections to end, and breaks off those that do not.
async fn end(mut connections: JoinSet<()>, within: Duration) {
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(within, all).await.is_err() {
        tracing::warn!(
            requests = connections.len(),
            "requests did not end in time and were broken off"
        );
    }
    connections.shutdown().await;
}

fn url(server: &Server, addresses: &[SocketAddr]) -> String {
    let first = addresses
        .first()
        .copied()
        .unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let address = if first.ip().is_unspecified() {
        SocketAddr::from((Ipv4Addr::LOCALHOST, first.port()))
    } else {
        first
    };
    match server.token() {
        Some(token) => format!("http://{address}/?token={token}"),
        None => format!("http://{address}/"),
    }
}

/// The address that was asked for, or both loopback addresses at the first port that is free on them.
async fn listen(asked: Option<SocketAddr>) -> Result<Vec<TcpListener>, ServeError> {
    let failed = |address, source| ServeError::Listen { address, source };
    if let Some(address) = asked {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| failed(address, source))?;
        return Ok(vec![listener]);
    }
    let mut first_failure = None;
    for port in PORT_FIRST..PORT_FIRST + PORTS_TRIED {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        match loopback(address).await {
            Ok(listeners) => return Ok(listeners),
            Err(source) if source.kind() == io::ErrorKind::AddrInUse => {
                first_failure.get_or_insert((address, source));
            }
            Err(source) => return Err(failed(address, source)),
        }
    }
    let (address, source) = first_failure.expect("at least one port was tried");
    Err(failed(address, source))
}

async fn loopback(address: SocketAddr) -> io::Result<Vec<TcpListener>> {
    let v4 = TcpListener::bind(address).await?;
    match TcpListener::bind((Ipv6Addr::LOCALHOST, address.port())).await {
        Ok(v6) => Ok(vec![v4, v6]),
        // Another program at this port would get half of what is meant for us.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        // No IPv6 on this machine.
        Err(_) => Ok(vec![v4]),
    }
}

/// Ready when the server stops.
async fn stop(stopping: &mut watch::Receiver<bool>) {
    // Fails only if the sender is gone, and then the server has stopped as well.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

#[derive(Clone)]
struct Connections {
    router: Router,
    places: Arc<Semaphore>,
}

/// Accepts until the server stops, and returns the connections that are still open then.
async fn accept(
    listener: TcpListener,
    connections: Connections,
    mut stopping: watch::Receiver<bool>,
) -> JoinSet<()> {
    let mut open = JoinSet::new();
    loop {
        let next = async {
            let place = Arc::clone(&connections.places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = stop(&mut stopping) => return open,
            next = next => next,
        };
        while open.try_join_next().is_some() {}
        match accepted {
            Ok((stream, remote)) => {
                let serving =
                    connection(stream, remote, connections.router.clone(), stopping.clone());
                open.spawn(async move {
                    serving.await;
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

async fn connection(
    stream: TcpStream,
    remote: SocketAddr,
    router: Router,
    mut stopping: watch::Receiver<bool>,
) {
    let Ok(local) = stream.local_addr() else {
        return;
    };
    // Answers are written whole; waiting to fill packets only delays them.
    let _ = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let unread = Unread::default();
    let bodies = unread.clone();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(|body| bodies.body(body));
        request.extensions_mut().insert(Peer { remote, local });
        router.call(request)
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(BUFFER_BYTES_MAX)
            .serve_connection(TokioIo::new(Lingering::new(stream, unread)), service)
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop(&mut stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %remote, "a connection ended early");
    }
}
