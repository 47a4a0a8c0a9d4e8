//! `cargo xtask hammer`: the raw HTTP surface under malformed requests. Good requests to every route are broken in
//! ways that have broken other servers (lengths that contradict each other, chunks that lie, bytes where text should be,
//! ends that come early) and sent as they are. The server must answer or close, never panic, hang, grow, or fail with
//! 500, and the vault must verify afterwards. The same seed sends the same requests.
#![expect(clippy::print_stdout, reason = "figures go to the terminal")]

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::corpus::client::Client;
use crate::corpus::server::{PASSWORD, Server};
use crate::random::Random;

/// Connections at once.
const CLIENTS: u64 = 4;
/// An answer that takes longer is a hang: the client has sent all it will.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// When a client has waited so long, it says that it will send no more.
const REST_MAX: Duration = Duration::from_millis(20);
/// What the server may grow by between the first tenth of the requests and the last.
const GROWTH_MAX_KIB: u64 = 48 * 1024;

/// What to do.
pub(crate) struct Plan {
    /// How many requests.
    pub(crate) requests: u64,
    /// Which ones.
    pub(crate) seed: u64,
}

/// What was seen.
#[derive(Default)]
struct Seen {
    statuses: BTreeMap<String, u64>,
    failures: Vec<String>,
}

/// Runs the plan against the binary at `binary`.
pub(crate) fn run(binary: &Path, plan: &Plan) -> Result<()> {
    let folder = tempfile::tempdir().context("a folder for the vault")?;
    let log = folder.path().join("log");
    let vaults = folder.path().join("vaults");
    std::fs::create_dir(&vaults)?;
    let server = Server::start_logging(binary, &vaults, &log)?;
    let address = server.address().to_owned();
    let collection = Client::new(&address).create_place("P", "C")?;
    let cookie = sign_in(&address)?;
    let templates = templates(&address, &cookie, collection);

    let begun = Instant::now();
    let next = AtomicU64::new(0);
    let seen = Mutex::new(Seen::default());
    let early = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= plan.requests {
                        return;
                    }
                    let mut random = Random::new(plan.seed ^ (index << 20));
                    let request = broken(&templates, &mut random);
                    note(&seen, index, &request, &exchange(&address, &request));
                    if index == plan.requests / 10 {
                        early.store(server.resident_kib().unwrap_or(0), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let seen = seen
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let (early, late) = (early.into_inner(), server.resident_kib()?);
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{} requests in {seconds:.1} s; memory {early} KiB after a tenth, {late} KiB at the end",
        plan.requests
    );
    for (status, count) in &seen.statuses {
        println!("  {count:>8} {status}");
    }
    let good = format!(
        "GET /api/projects HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
    );
    let answer = exchange(&address, good.as_bytes())?;
    ensure!(
        answer.starts_with("HTTP/1.1 200"),
        "afterwards a good request is answered {answer}"
    );
    server.stop()?;
    let log = std::fs::read_to_string(&log)?;
    let errors: Vec<_> = log
        .lines()
        .filter(|line| line.contains("panicked") || line.contains("ERROR"))
        .take(5)
        .collect();
    ensure!(errors.is_empty(), "the server's log says {errors:#?}");
    let verified = std::process::Command::new(binary)
        .args(["--quiet", "verify", "--deep"])
        .arg(vaults.join("default.vault"))
        .output()?;
    ensure!(
        verified.status.success(),
        "the vault does not verify: {verified:?}"
    );
    if let Some(failure) = seen.failures.first() {
        bail!("{} failures, the first: {failure}", seen.failures.len());
    }
    ensure!(
        late <= early + GROWTH_MAX_KIB,
        "the server grew by {} KiB",
        late - early
    );
    println!("no panic, no hang, no 500; the vault verifies");
    Ok(())
}

fn note(seen: &Mutex<Seen>, index: u64, request: &[u8], answer: &Result<String>) {
    let mut seen = seen
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let shown = || {
        String::from_utf8_lossy(&request[..request.len().min(600)])
            .escape_debug()
            .to_string()
    };
    let status = match answer {
        Ok(answer) if answer.is_empty() => "closed without an answer".to_owned(),
        Ok(answer) => answer.get(..12).unwrap_or("a short answer").to_owned(),
        Err(error) => format!("{error:#}"),
    };
    let is_good = answer.is_ok()
        && (status.starts_with("closed") || status.starts_with("HTTP/1."))
        && !status.ends_with(" 500");
    if !is_good {
        seen.failures
            .push(format!("{index}: {status} to {}", shown()));
    }
    *seen.statuses.entry(status).or_default() += 1;
}

/// Sends all, and reads until the server ends the connection. Where nothing comes for a while, the request may be one
/// that the server waits for the rest of: then the client ends its half.
fn exchange(address: &str, request: &[u8]) -> Result<String> {
    let mut stream = TcpStream::connect(address).context("connecting")?;
    stream.set_write_timeout(Some(ANSWER_MAX))?;
    stream.set_read_timeout(Some(REST_MAX))?;
    // A server that refuses early may have closed before all was sent.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let is_silent = |error: &std::io::Error| {
        matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
    };
    let mut read = stream.read_to_end(&mut answer);
    if read.as_ref().is_err_and(is_silent) {
        let _ = stream.shutdown(Shutdown::Write);
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        read = stream.read_to_end(&mut answer);
    }
    // Another failure is a reset after, or instead of, an answer.
    if read.is_err_and(|error| is_silent(&error)) {
        bail!("hangs");
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn sign_in(address: &str) -> Result<String> {
    let form = format!("password={PASSWORD}");
    let request = format!(
        "POST /sign-in HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{form}",
        form.len()
    );
    let answer = exchange(address, request.as_bytes())?;
    let cookie = answer
        .split_once("set-cookie: ")
        .and_then(|(_, rest)| rest.split(';').next());
    Ok(cookie.context("a session")?.to_owned())
}

/// A good request to every route that answers and ends.
fn templates(address: &str, cookie: &str, collection: u64) -> Vec<Vec<u8>> {
    let head = |line: &str, more: &str| {
        format!("{line} HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\n{more}")
    };
    let get = |path: &str, more: &str| head(&format!("GET {path}"), &format!("{more}\r\n"));
    let post = |path: &str, kind: &str, body: &str| {
        let more = format!(
            "Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        head(&format!("POST {path}"), &more)
    };
    let json = "application/json";
    let bytes = "application/octet-stream";
    let gets = [
        "/",
        "/sign-in",
        "/c/2",
        "/healthz",
        "/metrics",
        "/api/vaults",
        "/api/status",
        "/api/checkpoint",
        "/api/openapi.json",
        "/api/projects",
        "/api/projects/1",
        "/api/projects/1/collections",
        "/api/projects/1/download",
        "/api/collections/2",
        "/api/collections/2/assets?limit=10&offset=0&sort=name&order=asc&q=a&type=image",
        "/api/collections/2/download",
        "/api/search?q=a&within=2&sort=rank&limit=5",
        "/api/assets/3",
        "/api/assets/3?download=1",
        "/api/assets/3/preview",
        "/api/uploads",
        "/api/uploads/u1",
        "/api/downloads/x",
        "/v/dev/app.js",
    ];
    let mut all: Vec<String> = gets.iter().map(|path| get(path, "")).collect();
    all.push(get(
        "/api/assets/3",
        "Range: bytes=0-1,3-4,-2\r\nIf-Range: \"x\"\r\n",
    ));
    all.push(get(
        "/api/assets/3",
        "If-None-Match: \"x\", W/\"y\"\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
    ));
    all.push(get(
        "/",
        "Authorization: Basic eDp5\r\nAccept: text/html\r\nSec-Fetch-Mode: navigate\r\n",
    ));
    all.push(get("/?token=x&next=%2F", "Accept: text/html\r\n"));
    all.push(get(
        "/api/projects",
        "Forwarded: for=1.2.3.4;proto=https\r\nX-Forwarded-For: 1.2.3.4, ::1\r\nOrigin: null\r\n",
    ));
    let ids = "{\"ids\": [3, \"4\", 5]}";
    let complete = format!(
        "{{\"upload_id\": \"u1\", \"filename\": \"f\", \"collection_id\": {collection}, \"path_prefix\": \"a/b\", \"total_size\": 5, \"parts\": 1, \"modified\": 7}}"
    );
    let whole = format!(
        "/api/collections/{collection}/assets?filename=f.txt&path=a/b&modified=5&executable=1"
    );
    all.extend([
        post(
            "/sign-in",
            "application/x-www-form-urlencoded",
            "password=x&next=%2Fc%2F2",
        ),
        post("/api/select_db", json, "{\"db\": \"x.vault\"}"),
        post("/api/projects", json, "{\"name\": \"Q\"}"),
        post(
            "/api/collections",
            json,
            "{\"project_id\": 1, \"parent_id\": null, \"name\": \"D\"}",
        ),
        post(&whole, bytes, "hello"),
        post(
            &format!("/api/collections/{collection}/assets/download"),
            json,
            ids,
        ),
        post(
            "/api/upload/chunk?upload_id=u1&chunk_index=0",
            bytes,
            "hello",
        ),
        post("/api/upload/complete", json, &complete),
        post("/api/downloads", json, "{\"ids\": [3]}"),
        post("/api/maintenance/vacuum", json, "{}"),
    ]);
    let chunked =
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\n";
    all.push(head(&format!("POST {whole}"), chunked));
    all.into_iter().map(String::into_bytes).collect()
}

/// Lines and values that other servers stumbled over.
const ODD: &[&str] = &[
    "Content-Length: 0\r\n",
    "Content-Length: 18446744073709551616\r\n",
    "Content-Length: -1\r\n",
    "Content-Length: 5, 6\r\n",
    "Content-Length: +5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding: chunked, identity\r\n",
    "Transfer-Encoding:\x0bchunked\r\n",
    "Expect: 100-continue\r\n",
    "Upgrade: websocket\r\nConnection: Upgrade\r\n",
    "Host: evil.example\r\n",
    "Host:\r\n",
    " folded: line\r\n",
    "Range: bytes=18446744073709551615-\r\n",
    "Range: bytes=-0\r\n",
    "Range: bytes=9-1,,\r\n",
    "Accept-Encoding: gzip;q=0, *;q=9\r\n",
    "Cookie: =; ;;a=b;=c\r\n",
    "Authorization: Basic\r\n",
    "Authorization: Bearer cvt_\r\n",
    "Content-Type: application/json; charset=utf-16\r\n",
    "\r\n",
    "\n",
    "\0",
    "\r",
    "%00",
    "%",
    "%%%",
    "..%2f",
    "//",
    "?",
    "&&=&",
    "#",
    "\u{feff}",
    "{\"a\":",
    "[[[[[[[[",
    "1e999",
    "-0",
    "\"\\ud800\"",
    "null",
    "ffffffffffffffff\r\n",
    "0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    "HTTP/1.0",
    "HTTP/2.0",
    "HTTP/1.1 HTTP/1.1",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "CONNECT x:1 ",
    "TRACE / ",
    "DELETE ",
    "OPTIONS * ",
];

fn broken(templates: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut request = pick(templates, random).clone();
    for _ in 0..=random.index(4) {
        let at = random.index(request.len() + 1);
        match random.index(12) {
            0 => flip(&mut request, random),
            1 => request.truncate(at),
            2 => {
                let end = (at + random.index(40)).min(request.len());
                request.drain(at..end);
            }
            3 => {
                let end = (at + random.index(200)).min(request.len());
                let again = request[at..end].to_vec();
                request.splice(at..at, again);
            }
            4 => {
                let odd = pick(ODD, random).as_bytes();
                request.splice(at..at, odd.iter().copied());
            }
            // At the beginning of a line, where it is a header.
            5 | 6 => {
                let odd = pick(ODD, random).as_bytes();
                let lines: Vec<_> = ends_of_lines(&request);
                let at = if lines.is_empty() {
                    0
                } else {
                    *pick(&lines, random)
                };
                request.splice(at..at, odd.iter().copied());
            }
            7 => {
                let noise: Vec<u8> = (0..random.index(300)).map(|_| byte(random)).collect();
                request.splice(at..at, noise);
            }
            8 => {
                let other = pick(templates, random);
                let from = random.index(other.len());
                request.truncate(at);
                request.extend_from_slice(&other[from..]);
            }
            9 => {
                let long = vec![b'a'; 1 << random.index(17)];
                request.splice(at..at, long);
            }
            // A number becomes another.
            10 => {
                if let Some(at) = request.iter().skip(at).position(u8::is_ascii_digit) {
                    let odd = ["0", "-1", "9223372036854775808", "1e9", "0x10", "٣", "²"];
                    request.splice(at..=at, pick(&odd, random).bytes());
                }
            }
            _ => request.extend(pick(templates, random)),
        }
    }
    request
}

fn ends_of_lines(request: &[u8]) -> Vec<usize> {
    let ends = request
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n');
    ends.map(|(at, _)| at + 1).collect()
}

fn flip(request: &mut [u8], random: &mut Random) {
    let at = random.index(request.len());
    let value = byte(random);
    if let Some(found) = request.get_mut(at) {
        *found = value;
    }
}

fn pick<'a, T>(from: &'a [T], random: &mut Random) -> &'a T {
    &from[random.index(from.len())]
}

fn byte(random: &mut Random) -> u8 {
    random.next().to_le_bytes()[3]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_breaks_the_same_way_and_others_do_not() {
        let templates = templates("127.0.0.1:1", "a=b", 2);
        let of = |seed| broken(&templates, &mut Random::new(seed));
        assert_eq!(of(7), of(7));
        let distinct: std::collections::BTreeSet<_> = (0..1000).map(of).collect();
        assert!(distinct.len() > 950, "{}", distinct.len());
    }
}
