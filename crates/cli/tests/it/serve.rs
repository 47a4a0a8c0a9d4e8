//! `serve`, and the program without a command: the address, an answer, and a good end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use super::harness::{Place, write};
use super::interrupts::{ended, interrupt};

/// Starts a server and reads the first line it prints.
fn start(place: &Place, args: &[&str]) -> (Child, String) {
    let mut child = place
        .command(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut line = String::new();
    let stdout = child.stdout.as_mut().expect("a pipe");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    (child, line.trim_end().to_owned())
}

fn ask(address: &str, path: &str) -> String {
    let authority = address.split('/').nth(2).expect("an address");
    let mut stream = TcpStream::connect(authority).expect("it listens");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
    )
    .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn it_prints_its_address_answers_and_leaves_one_file() {
    let place = Place::empty();
    let (child, address) = start(&place, &["serve", "--no-open", "--listen", "127.0.0.1:0"]);
    let (_, token) = address
        .split_once("/?token=")
        .expect("an address with a token");
    assert!(
        address.starts_with("http://127.0.0.1:") && token.len() >= 32,
        "{address}"
    );
    assert!(ask(&address, "/api/projects").starts_with("HTTP/1.1 401"));
    let traded = ask(&address, &format!("/?token={token}"));
    assert!(
        traded.starts_with("HTTP/1.1 303") || traded.starts_with("HTTP/1.1 302"),
        "{traded}"
    );

    // Another process adds while it serves.
    write(place.aside("f"), "f");
    let file = place.aside("f").into_os_string();
    place
        .run(["add".into(), "--to".into(), "P/C".into(), file])
        .expect_code(0);
    interrupt(&child);
    let ran = ended(child);
    ran.expect_code(0);
    assert!(ran.stderr.contains("Stopped."), "{ran:?}");
    assert_eq!(place.names(), ["default.vault"]);
    place.verify_clean();
    assert_eq!(place.run(["ls"]).text(), "P/\n");
}

#[test]
fn it_serves_the_vault_it_is_told() {
    let place = Place::with_vault();
    place.run(["init", "other.vault"]).expect_code(0);
    let args = [
        "--vault",
        "other.vault",
        "serve",
        "--no-open",
        "--listen",
        "127.0.0.1:0",
        "--json",
    ];
    let (child, line) = start(&place, &args);
    let ready: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert!(
        ready["vault"]
            .as_str()
            .expect("a path")
            .ends_with("other.vault")
    );
    interrupt(&child);
    ended(child).expect_code(0);
    assert_eq!(place.names(), ["other.vault", "v.vault"]);
}

/// The mode of a file, without its type.
#[cfg(unix)]
fn mode(path: &std::path::Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().expect("it is there").permissions().mode() & 0o777
}

#[cfg(unix)]
#[test]
fn what_is_made_is_its_owners_alone() {
    let place = Place::with_vault();
    let password = place.aside("password");
    write(&password, "correct horse battery\n");
    let set = place
        .command(["passwd"])
        .stdin(std::fs::File::open(&password).expect("it is there"))
        .output()
        .expect("the program starts");
    assert!(set.status.success(), "{set:?}");
    place
        .run(["token", "add", "nightly", "--scope", "add"])
        .expect_code(0);
    let args = [
        "serve",
        "--no-open",
        "--listen",
        "127.0.0.1:0",
        "--tls-self-signed",
    ];
    let (child, address) = start(&place, &args);
    assert!(address.starts_with("https://"), "{address}");
    let beside = std::fs::read_dir(place.here()).expect("it is there");
    let mut looked_at = 0;
    let mut left: Vec<_> = beside
        .map(|item| item.expect("it is there").path())
        .collect();
    left.push(place.aside("state"));
    while let Some(path) = left.pop() {
        if path.is_dir() {
            let items = std::fs::read_dir(&path).expect("it is there");
            left.extend(items.map(|item| item.expect("it is there").path()));
        } else {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
            looked_at += 1;
        }
    }
    assert!(
        looked_at >= 5,
        "vault, its side files, the key, the hash, the certificate"
    );
    interrupt(&child);
    let ran = ended(child);
    ran.expect_code(0);
    assert!(ran.stderr.contains("SHA-256 fingerprint"), "{ran:?}");
}

#[test]
fn served_for_reading_nothing_can_be_added() {
    let place = Place::with_vault();
    let args = [
        "serve",
        "--no-open",
        "--listen",
        "127.0.0.1:0",
        "--read-only",
        "--log-format",
        "json",
    ];
    let (child, address) = start(&place, &args);
    let (origin, token) = address
        .split_once("/?token=")
        .expect("an address with a token");
    let authority = origin.split('/').nth(2).expect("an address");
    let body = r#"{"name": "P"}"#;
    let credentials = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        format!("x:{token}"),
    );
    let mut stream = TcpStream::connect(authority).expect("it listens");
    write!(
        stream,
        "POST /api/projects HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Basic {credentials}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(
        answer.starts_with("HTTP/1.1 409 ") && answer.contains("read_only"),
        "{answer}"
    );
    // Counted as a guess, and logged without what was guessed.
    ask(&address, "/?token=a-guess");
    interrupt(&child);
    let ran = ended(child);
    ran.expect_code(0);
    let lines = ran.stderr.lines().filter(|line| !line.is_empty());
    for line in lines.filter(|line| !line.contains("press Ctrl+C again")) {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|_| panic!("{line}"));
    }
    assert!(
        ran.stderr.contains("wrong_token") && !ran.stderr.contains("a-guess"),
        "{ran:?}"
    );
    assert!(!ran.stderr.contains(token), "{ran:?}");
}
