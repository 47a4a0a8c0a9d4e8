//! Encryption, proxies, and strangers, on real sockets.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Request;
use compactvault_server::{Tls, TlsError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::bench::{Bench, PASSWORD, basic};
use crate::sockets::{exchange, start_with};

/// The certificate that a server made for itself, found where it is kept.
fn own_certificate(state: &Path) -> Vec<u8> {
    let mut folders = vec![state.to_owned()];
    while let Some(folder) = folders.pop() {
        for item in std::fs::read_dir(folder).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.ends_with("tls.json") {
                let own: serde_json::Value =
                    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
                return own["certificate"].as_str().unwrap().as_bytes().to_vec();
            }
        }
    }
    panic!("no certificate is kept");
}

async fn encrypted(address: SocketAddr, name: &str, pem: &[u8], request: &str) -> String {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(pem).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(name, stream).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn sign_in(host: &str) -> String {
    let form = format!("password={}", PASSWORD.replace(' ', "+"));
    format!(
        "POST /sign-in HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{form}",
        form.len()
    )
}

#[tokio::test]
async fn a_certificate_of_its_own_encrypts_and_can_be_verified() {
    let running = start_with(|options| {
        options.tls = Some(Tls::SelfSigned);
        options.allowed_hosts = vec!["nas.example".into()];
    })
    .await;
    let address = running.ready.addresses[0];
    assert_eq!(running.ready.url, format!("https://{address}/"));
    assert!(running.ready.fingerprint.is_some());
    assert!(!running.ready.is_open_unencrypted);
    let pem = own_certificate(&running.dir.path().join("state"));
    let by_address = encrypted(address, "127.0.0.1", &pem, &sign_in(&address.to_string())).await;
    assert!(by_address.starts_with("HTTP/1.1 303 "), "{by_address}");
    assert!(
        by_address.contains("set-cookie: __Host-cv-session-"),
        "{by_address}"
    );
    assert!(by_address.contains("; Secure\r\n"), "{by_address}");
    // A browser would keep to TLS for every program at this address.
    assert!(!by_address.contains("strict-transport-security"));
    let by_name = encrypted(address, "nas.example", &pem, &sign_in("nas.example")).await;
    assert!(
        by_name.contains("strict-transport-security: max-age=31536000\r\n"),
        "{by_name}"
    );

    let plain = format!("GET /c/5?token=secret HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let answer = exchange(address, &plain).await;
    assert!(answer.starts_with("HTTP/1.1 308 "), "{answer}");
    assert!(
        answer.contains(&format!("location: https://{address}/c/5\r\n")),
        "{answer}"
    );
    let elsewhere = exchange(address, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n").await;
    assert!(elsewhere.starts_with("HTTP/1.1 421 "), "{elsewhere}");
    // Neither rubbish nor silence stops it.
    exchange(address, "\u{16}\u{3}\u{1}rubbish\r\n\r\n").await;
    let again = encrypted(address, "127.0.0.1", &pem, &sign_in(&address.to_string())).await;
    assert!(again.starts_with("HTTP/1.1 303 "), "{again}");
    running.stop().await;
}

#[tokio::test]
async fn certificates_that_cannot_be_used_keep_the_server_from_starting() {
    let dir = tempfile::tempdir().unwrap();
    let (certificate, key) = (dir.path().join("c.pem"), dir.path().join("missing.pem"));
    std::fs::write(&certificate, "-----BEGIN NOTHING-----\n").unwrap();
    let mut options = crate::bench::options(dir.path());
    std::fs::create_dir(dir.path().join("served")).unwrap();
    options.listen = Some("127.0.0.1:0".parse().unwrap());
    options.tls = Some(Tls::Files { certificate, key });
    let served = compactvault_server::serve(options, |_| panic!("it must not start"), async {});
    let error = served.await.unwrap_err();
    let compactvault_server::ServeError::Tls(TlsError::Read { path, .. }) = error else {
        panic!("{error}");
    };
    assert!(path.ends_with("missing.pem"));
}

#[tokio::test]
async fn guesses_through_a_trusted_proxy_are_counted_by_who_sent_them() {
    let bench = Bench::on(tempfile::tempdir().unwrap(), |options| {
        options.trusted_proxies = vec!["127.0.0.1".into()];
    })
    .await;
    let ask = |password: &'static str, headers: Vec<(&'static str, String)>| {
        let mut request = Request::get("/api/projects")
            .header("host", "127.0.0.1:8000")
            .header("authorization", basic(password));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        bench.raw(request.body(axum::body::Body::empty()).unwrap())
    };
    for n in 0..10 {
        // Whatever the client wrote before the proxy added its address does not count.
        let chain = format!("10.9.9.{n}, 203.0.113.7");
        let answer = ask("wrong", vec![("x-forwarded-for", chain)]).await;
        let expected = if n < 5 { 401 } else { 429 };
        assert_eq!(answer.status, expected, "{n}");
    }
    let other = ask(PASSWORD, vec![("x-forwarded-for", "203.0.113.8".into())]).await;
    assert_eq!(other.status, 200);
    let form = Request::post("/sign-in")
        .header("host", "127.0.0.1:8000")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("forwarded", "for=203.0.113.9;proto=https")
        .body(format!("password={}", PASSWORD.replace(' ', "+")).into())
        .unwrap();
    let signed_in = bench.raw(form).await;
    assert!(signed_in.header("set-cookie").starts_with("__Host-"));
}

#[tokio::test]
async fn one_address_cannot_take_the_connections_of_others() {
    let running = start_with(|_| ()).await;
    let address = running.ready.addresses[0];
    let mut silent = Vec::new();
    for _ in 0..64 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    // They are accepted in their order; this one comes after all of them.
    let get = |credentials: &str| {
        format!("GET /api/projects HTTP/1.1\r\nHost: {address}\r\n{credentials}\r\n")
    };
    let refused = exchange(address, &get("")).await;
    assert!(
        refused.is_empty() || refused.starts_with("HTTP/1.1 429 "),
        "{refused}"
    );
    // Whoever signs in is no stranger, and makes room.
    let credentials = format!("Authorization: {}\r\n", basic(PASSWORD));
    let mut known = silent.pop().unwrap();
    known.write_all(get(&credentials).as_bytes()).await.unwrap();
    let mut begin = [0; 12];
    known.read_exact(&mut begin).await.unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200");
    let close = format!("{credentials}Connection: close\r\n");
    let answer = exchange(address, &get(&close)).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    drop(silent);
    running.stop().await;
}

#[tokio::test]
async fn headers_have_a_bound() {
    let running = start_with(|_| ()).await;
    let address = running.ready.addresses[0];
    let large = format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\nX: {}\r\n\r\n",
        "a".repeat(40_000)
    );
    let answer = exchange(address, &large).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let many = format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\n{}\r\n",
        "X: y\r\n".repeat(200)
    );
    let answer = exchange(address, &many).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    running.stop().await;
}
