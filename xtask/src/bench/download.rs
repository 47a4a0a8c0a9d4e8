//! A large asset over HTTP, whole and in pieces, beside nginx with the same file.

use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::corpora::Corpus;
use super::figures::{Run, Unit, Who};
use super::http::{Connection, Request};
use super::page::id_of;
use super::server::{Ours, Peer, credentials, fresh};
use super::timed::{megabytes, settle};
use super::{Group, Lab};
use crate::process::command;
use crate::random::Random;

const PIECE: u64 = 64 * 1024;
const PIECES: usize = 500;

/// Where a server has the file.
struct Place {
    who: Who,
    address: String,
    path: String,
    credentials: Option<String>,
}

pub(super) fn run(lab: &mut Lab) -> Result<()> {
    let corpus = lab.store.large()?;
    let folder = fresh(lab.home.join("served"))?;
    let (ours, path) = archived(lab, Who::Ours, &folder, &corpus)?;
    let mut places = vec![Place {
        who: Who::Ours,
        address: ours.address.clone(),
        path,
        credentials: Some(credentials()),
    }];
    let nginx = lab.peers.nginx.as_deref().map(|program| {
        let folder = corpus.path.parent().context("a file lies in a folder")?;
        Peer::nginx(program, folder, &lab.home)
    });
    let nginx = nginx.transpose()?;
    if let Some(nginx) = &nginx {
        places.push(Place {
            who: Who::Nginx,
            address: nginx.address.clone(),
            path: format!("/{}", corpus.files[0].name()),
            credentials: None,
        });
    }
    settle()?;
    for round in lab.rounds() {
        println!("download and range: {round}");
        for place in &places {
            let mut runs = Vec::new();
            if lab.wants(Group::Download) {
                for (step, clients) in [("one client", 1), ("four clients at once", 4)] {
                    let run = download(&lab.peers.curl, place, corpus.bytes(), clients)?;
                    runs.push((Group::Download, step, Unit::GigabytesPerSecond, run));
                }
            }
            if lab.wants(Group::Range) {
                let run = pieces(place, corpus.bytes(), round.number as u64)?;
                runs.push((Group::Range, "64 KiB at random", Unit::Milliseconds, run));
            }
            for (group, step, unit, run) in runs {
                if round.counts {
                    lab.add(group, "rnd", step, unit, place.who, run);
                }
            }
        }
    }
    if let Some(nginx) = nginx {
        nginx.daemon.stop()?;
    }
    ours.daemon.stop()
}

/// A server on a vault that holds one file, and where that is.
fn archived(lab: &Lab, who: Who, folder: &Path, corpus: &Corpus) -> Result<(Ours, String)> {
    fresh(lab.state())?;
    let work = super::archive::work(lab, who, folder, &corpus.path)?;
    lab.timer.measure(&work.init)?;
    lab.timer.measure(work.archive())?;
    let server = Ours::start(lab.binary, folder, &lab.state())?;
    let found = server.connect()?.get_json("/api/search?query=&limit=1")?;
    let asset = id_of(&found["assets"][0])?;
    Ok((server, format!("/api/assets/{asset}")))
}

/// Whole downloads into nothing, side by side: how many bytes a second all of them got.
pub(super) fn fetch(
    curl: &Path,
    address: &str,
    path: &str,
    credentials: Option<&str>,
) -> Result<std::process::Child> {
    let words = ["-s", "-f", "-o", "/dev/null", "-w", "%{size_download}"];
    let mut curl = command(curl, Path::new("/"), words);
    if let Some(credentials) = credentials {
        curl.args(["-u", credentials]);
    }
    curl.arg(format!("http://{address}{path}"));
    curl.stdout(Stdio::piped());
    curl.spawn().context("curl cannot be started")
}

/// Waits for a download, and compares how much came.
pub(super) fn fetched(download: std::process::Child, bytes: u64) -> Result<()> {
    let output = download.wait_with_output()?;
    let got = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success() && got.trim() == bytes.to_string(),
        "curl ended with {} after {got} of {bytes} bytes",
        output.status
    );
    Ok(())
}

fn download(curl: &Path, place: &Place, bytes: u64, clients: u64) -> Result<Run> {
    let started = Instant::now();
    let downloads: Vec<_> = (0..clients)
        .map(|_| {
            fetch(
                curl,
                &place.address,
                &place.path,
                place.credentials.as_deref(),
            )
        })
        .collect();
    // All are waited for, also after one has failed: none is left behind.
    let ends: Vec<Result<()>> = downloads
        .into_iter()
        .map(|download| fetched(download?, bytes))
        .collect();
    let seconds = started.elapsed().as_secs_f64();
    ends.into_iter().collect::<Result<()>>()?;
    Ok(Run::of(megabytes(bytes * clients) / 1000.0 / seconds))
}

/// Pieces at random places, one after the other on one connection.
fn pieces(place: &Place, bytes: u64, seed: u64) -> Result<Run> {
    let mut connection = Connection::open(&place.address, place.credentials.as_deref())?;
    let mut random = Random::new(seed);
    let mut times = Vec::new();
    for _ in 0..PIECES {
        let first = random.below(bytes.saturating_sub(PIECE));
        let started = Instant::now();
        let answer = connection.ask(Request {
            method: "GET",
            path: &place.path,
            range: Some((first, first + PIECE - 1)),
            ..Request::default()
        })?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
        ensure!(
            answer.status == 206 && answer.body.len() as u64 == PIECE,
            "{} answered {} with {} bytes to a range",
            place.who.name(),
            answer.status,
            answer.body.len()
        );
    }
    Ok(Run::of_requests(times))
}
