//! A whole server on real sockets: starting, answering, and stopping so that one file is left.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use compactvault_server::{Ready, ServeError, ServerOptions, ServerReport, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::bench::{PASSWORD, basic, options};

pub(crate) struct Running {
    pub(crate) ready: Ready,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Result<ServerReport, ServeError>>,
    pub(crate) dir: tempfile::TempDir,
}

impl Running {
    /// Stops the server, which must end well.
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap().unwrap();
    }
}

async fn start(listen: Option<SocketAddr>) -> Running {
    start_with(|options| options.listen = listen).await
}

/// A server at a port of its own, unless `change` says otherwise.
pub(crate) async fn start_with(change: impl FnOnce(&mut ServerOptions)) -> Running {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("served")).unwrap();
    let mut options = options(dir.path());
    options.listen = Some(any_port());
    options.drain = Duration::from_secs(3);
    change(&mut options);
    let (stop, stopped) = oneshot::channel::<()>();
    let (sender, receiver) = oneshot::channel();
    let ready = move |ready: &Ready| sender.send(ready.clone()).unwrap();
    let served = tokio::spawn(serve(options, ready, async move {
        let _ = stopped.await;
    }));
    Running {
        ready: receiver.await.unwrap(),
        stop,
        served,
        dir,
    }
}

fn any_port() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

pub(crate) async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A refused request may end in a reset after its answer.
    let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(address: SocketAddr, path: &str) -> String {
    let credentials = basic(PASSWORD);
    format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {credentials}\r\nConnection: close\r\n\r\n"
    )
}

#[tokio::test]
async fn a_server_leaves_one_file() {
    let running = start(Some(any_port())).await;
    let address = running.ready.addresses[0];
    assert_eq!(running.ready.url, format!("http://{address}/"));
    let answer = exchange(address, &get(address, "/api/projects")).await;
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("[]"),
        "{answer}"
    );
    let body = "{\"name\": \"P\"}";
    let credentials = basic(PASSWORD);
    let post = format!(
        "POST /api/projects HTTP/1.1\r\nHost: {address}\r\nAuthorization: {credentials}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    assert!(exchange(address, &post).await.starts_with("HTTP/1.1 201 "));
    running.stop.send(()).unwrap();
    let report = running.served.await.unwrap().unwrap();
    assert_eq!(
        report.vault.as_deref(),
        Some(
            &*running
                .dir
                .path()
                .canonicalize()
                .unwrap()
                .join("served/default.vault")
        )
    );
    let left: Vec<_> = std::fs::read_dir(running.dir.path().join("served"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["default.vault"]);
}

#[tokio::test]
async fn silent_and_half_spoken_clients_do_not_hold_up_the_end() {
    let running = start(Some(any_port())).await;
    let address = running.ready.addresses[0];
    let _silent = TcpStream::connect(address).await.unwrap();
    let mut half = TcpStream::connect(address).await.unwrap();
    half.write_all(b"GET /api/projects HTTP/1.1\r\nHost: ")
        .await
        .unwrap();
    let mut events = TcpStream::connect(address).await.unwrap();
    events
        .write_all(get(address, "/api/events").as_bytes())
        .await
        .unwrap();
    let mut buffer = [0; 1024];
    assert!(events.read(&mut buffer).await.unwrap() > 0);
    let asked = Instant::now();
    running.stop.send(()).unwrap();
    running.served.await.unwrap().unwrap();
    assert!(
        asked.elapsed() < Duration::from_secs(6),
        "{:?}",
        asked.elapsed()
    );
}

#[tokio::test]
async fn an_answer_reaches_who_is_still_sending() {
    let running = start(Some(any_port())).await;
    let address = running.ready.addresses[0];
    let head = format!(
        "POST /api/upload/chunk?upload_id=x&chunk_index=0 HTTP/1.1\r\nHost: {address}\r\nContent-Length: 8000000\r\n\r\n"
    );
    let request = head + &"x".repeat(4_000_000);
    let answer = exchange(address, &request).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    let garbage = exchange(address, "\x16\x03\x01 hello\r\n\r\n").await;
    assert!(garbage.starts_with("HTTP/1.1 400 "), "{garbage}");
    running.stop.send(()).unwrap();
    running.served.await.unwrap().unwrap();
}

#[tokio::test]
async fn loopback_at_the_next_free_port() {
    let first = start(None).await;
    let second = start(None).await;
    assert!(
        first
            .ready
            .addresses
            .iter()
            .all(|address| address.ip().is_loopback())
    );
    assert_ne!(
        first.ready.addresses[0].port(),
        second.ready.addresses[0].port()
    );
    for address in &second.ready.addresses {
        assert!(
            exchange(*address, &get(*address, "/api/vaults"))
                .await
                .starts_with("HTTP/1.1 200 ")
        );
    }
    for running in [first, second] {
        running.stop.send(()).unwrap();
        running.served.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn addresses_that_will_not_do() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("served")).unwrap();
    let mut options = options(dir.path());
    options.password = None;
    options.listen = Some("0.0.0.0:0".parse().unwrap());
    let refused = serve(options.clone(), |_| (), std::future::ready(())).await;
    assert!(matches!(refused, Err(ServeError::PasswordNeeded { .. })));
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    options.listen = Some(taken.local_addr().unwrap());
    let refused = serve(options.clone(), |_| (), std::future::ready(())).await;
    assert!(matches!(refused, Err(ServeError::Listen { .. })));
    options.listen = Some("127.0.0.1:0".parse().unwrap());
    let mut url = String::new();
    serve(
        options,
        |ready| url.clone_from(&ready.url),
        std::future::ready(()),
    )
    .await
    .unwrap();
    assert!(url.contains("/?token="), "{url}");
}

#[tokio::test]
async fn bodies_longer_and_shorter_than_declared() {
    let running = start(Some(any_port())).await;
    let address = running.ready.addresses[0];
    let credentials = basic(PASSWORD);
    let head = |id: &str, length: usize| {
        format!(
            "POST /api/upload/chunk?upload_id={id}&chunk_index=0 HTTP/1.1\r\nHost: {address}\r\n\
             Authorization: {credentials}\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    // What follows the declared bytes is no request, and ends the connection.
    let longer = exchange(address, &(head("long", 5) + "12345678\r\n\r\n")).await;
    assert!(longer.starts_with("HTTP/1.1 200 "), "{longer}");
    assert!(longer.contains("HTTP/1.1 400 "), "{longer}");
    let kept = exchange(address, &get(address, "/api/uploads/long")).await;
    assert!(kept.contains("\"received_bytes\":5"), "{kept}");

    let mut shorter = TcpStream::connect(address).await.unwrap();
    let part = head("short", 1_000_000) + &"x".repeat(600_000);
    shorter.write_all(part.as_bytes()).await.unwrap();
    // It is there while it is under way, and gone once the connection is.
    let until = async |status: &str| {
        let mut shown = String::new();
        for _ in 0..500 {
            shown = exchange(address, &get(address, "/api/uploads/short")).await;
            if shown.starts_with(status) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{shown}");
    };
    until("HTTP/1.1 200 ").await;
    drop(shorter);
    until("HTTP/1.1 404 ").await;
    running.stop.send(()).unwrap();
    let report = running.served.await.unwrap().unwrap();
    assert_eq!((report.uploads_unfinished, report.uploads_queued), (1, 0));
}

#[tokio::test]
async fn a_request_under_way_is_answered_before_the_end() {
    let running = start(Some(any_port())).await;
    let address = running.ready.addresses[0];
    let credentials = basic(PASSWORD);
    let body = "{\"name\": \"late\"}";
    let (first, rest) = body.split_at(5);
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /api/projects HTTP/1.1\r\nHost: {address}\r\nAuthorization: {credentials}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{first}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    running.stop.send(()).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(
        TcpStream::connect(address).await.is_err(),
        "nobody new is let in"
    );
    stream.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    running.served.await.unwrap().unwrap();
}
