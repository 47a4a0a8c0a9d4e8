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
