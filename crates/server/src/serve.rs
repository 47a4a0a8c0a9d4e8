//! The sockets: where the server listens, and how it stops. What happens on a connection is in [`crate::connection`].

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::connection::Door;
use crate::server::{ServeError, Server, ServerOptions, ServerReport};
use crate::tls::Encryption;

/// Where the search for a free port begins, and how many are tried.
const PORT_FIRST: u16 = 8000;
const PORTS_TRIED: u16 = 100;
/// How often it is looked whether certificates have changed.
const CERTIFICATE_WATCHED_EVERY: Duration = Duration::from_mins(1);

/// A server that answers from now on.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The address for a browser, with the token if there is one.
    pub url: String,
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    /// The vault that is served, if one is chosen.
    pub vault: Option<PathBuf>,
    /// SHA-256 of the certificate, as hex pairs, if the server made it itself: for comparing before trusting it.
    pub fingerprint: Option<String>,
    /// Whether other machines can reach it and whoever sits between can read what is sent, passwords too.
    pub is_open_unencrypted: bool,
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
    let encryption = match options.tls.clone() {
        Some(tls) => Some(server.encryption(tls, &addresses).await?),
        None => None,
    };
    let door = Door::new(server.app().clone(), server.router(), encryption.clone());
    let stopping = watch::Sender::new(false);
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(door.clone().accept(listener, stopping.subscribe()));
    }
    if let Some(encryption) = encryption.clone() {
        tokio::spawn(renew(encryption, stopping.subscribe()));
    }
    let own = encryption.as_ref().filter(|own| own.is_self_signed());
    ready(&Ready {
        url: url(&server, &addresses, encryption.is_some()),
        addresses,
        vault: server.vault_path(),
        fingerprint: own.map(Encryption::fingerprint),
        is_open_unencrypted: open_to_others.is_some() && encryption.is_none(),
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

/// Takes over certificates that were renewed.
async fn renew(encryption: Encryption, mut stopping: watch::Receiver<bool>) {
    let mut last_failure = None;
    loop {
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => return,
            () = tokio::time::sleep(CERTIFICATE_WATCHED_EVERY) => {}
        }
        let renewing = encryption.clone();
        let renewed = tokio::task::spawn_blocking(move || renewing.renew()).await;
        match renewed.expect("renewing reports what goes wrong") {
            Ok(true) => tracing::info!("the certificate has changed and is used from now on"),
            Ok(false) => last_failure = None,
            Err(error) => {
                let failure = Some(error.to_string());
                if failure != last_failure {
                    tracing::error!(%error, "the certificate from before stays in use");
                }
                last_failure = failure;
            }
        }
    }
}

fn url(server: &Server, addresses: &[SocketAddr], is_encrypted: bool) -> String {
    let scheme = if is_encrypted { "https" } else { "http" };
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
        Some(token) => format!("{scheme}://{address}/?token={token}"),
        None => format!("{scheme}://{address}/"),
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
