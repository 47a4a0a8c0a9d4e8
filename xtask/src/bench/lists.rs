//! Opening, pages and searches over a large vault, at rest and while files are uploaded into it.
//!
//! A copy of the kept vault is served: a server writes what it has scrubbed, and uploads stay for good.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use super::budget::MEANWHILE;
use super::figures::{Run, Unit, Who};
use super::http::{Connection, Request, encoded};
use super::page::{address, id_of};
use super::server::{Ours, fresh};
use super::timed::settle;
use super::{Group, Lab};
use crate::process::command;
use crate::random::Random;

const SORTS: [&str; 5] = ["name", "size", "added", "modified", "type"];
const ORDERS: [&str; 2] = ["asc", "desc"];
const TEXT_LENGTHS: [usize; 4] = [1, 2, 3, 8];
const PAGE: u64 = 50;
/// As many as a page has connections for.
const UPLOADERS: u64 = 5;
const UPLOAD_BYTES: usize = 4096;
/// Names that texts to search for are cut from.
const NAMES: usize = 500;

pub(super) fn run(lab: &mut Lab) -> Result<()> {
    let (assets, many) = if lab.quick {
        (5000, 50)
    } else {
        (1_000_000, 10_000)
    };
    for collections in [1, many] {
        let kept = lab.store.vault(assets, collections)?;
        let subject = match collections {
            1 => format!("{} assets in one collection", grouped(assets)),
            _ => format!(
                "{} assets in {} collections",
                grouped(assets),
                grouped(collections)
            ),
        };
        let hint = || {
            let path = kept.display();
            format!("if an older version made {path}, remove that file, and it is made again")
        };
        one_vault(lab, &kept, &subject).with_context(hint)?;
    }
    Ok(())
}

fn one_vault(lab: &mut Lab, kept: &Path, subject: &str) -> Result<()> {
    let folder = fresh(lab.home.join("served"))?;
    fresh(lab.state())?;
    let vault = Lab::vault_in(&folder);
    let words = ["--reflink=auto", &kept.display().to_string()];
    let copied = command("cp", &folder, words).arg(&vault).status()?;
    ensure!(copied.success(), "{} cannot be copied", kept.display());
    settle()?;
    let places = {
        let server = Ours::start(lab.binary, &folder, &lab.state())?;
        let places = places(&mut server.connect()?)?;
        server.daemon.stop()?;
        places
    };
    for round in lab.rounds() {
        println!("lists: {subject}, {round}");
        let started = Instant::now();
        let server = Ours::start(lab.binary, &folder, &lab.state())?;
        let mut connection = server.connect()?;
        let (first, _) = places[0];
        let mut timed = |path: &str| -> Result<Run> {
            let answer = connection.get(path)?;
            let run = Run::of(started.elapsed().as_secs_f64() * 1000.0);
            answer.json()?;
            Ok(run)
        };
        let mut runs = vec![
            (
                "open to the first page".to_owned(),
                timed(&format!("/api/collections/{first}/assets?limit={PAGE}"))?,
            ),
            (
                "open to the first search".to_owned(),
                timed(&format!("/api/search?query=scan&limit={PAGE}"))?,
            ),
        ];
        let session = Session::open(lab, &server, &places, round.number as u64)?;
        runs.extend(session.ask_everything()?);
        server.daemon.stop()?;
        if round.counts {
            add(lab, subject, runs);
        }
    }
    for round in lab.rounds() {
        println!("lists: {subject}{MEANWHILE}, {round}");
        let server = Ours::start(lab.binary, &folder, &lab.state())?;
        let session = Session::open(lab, &server, &places, 100 + round.number as u64)?;
        let (first, _) = places[0];
        let runs = while_uploading(&server, first, round.number, || session.ask_everything())?;
        server.daemon.stop()?;
        if round.counts {
            add(lab, &format!("{subject}{MEANWHILE}"), runs);
        }
    }
    Ok(std::fs::remove_dir_all(folder)?)
}

fn add(lab: &mut Lab, subject: &str, runs: Vec<(String, Run)>) {
    for (step, run) in runs {
        let unit = Unit::Milliseconds;
        lab.add(Group::Lists, subject, &step, unit, Who::Ours, run);
    }
}

/// Every collection that holds something, and how much.
fn places(connection: &mut Connection) -> Result<Vec<(u64, u64)>> {
    let mut places = Vec::new();
    let projects = connection.get_json("/api/projects")?;
    for project in projects.as_array().context("a list of projects")? {
        let path = format!("/api/projects/{}/collections", id_of(project)?);
        let collections = connection.get_json(&path)?;
        for collection in collections.as_array().context("a list of collections")? {
            let assets = collection["assets"]
                .as_u64()
                .context("a number of assets")?;
            if assets > 0 {
                places.push((id_of(collection)?, assets));
            }
        }
    }
    ensure!(!places.is_empty(), "the vault lists no assets");
    Ok(places)
}

/// A person who looks around.
struct Session<'a> {
    server: &'a Ours,
    places: &'a [(u64, u64)],
    names: Vec<String>,
    requests: usize,
    seed: u64,
}

impl<'a> Session<'a> {
    fn open(lab: &Lab, server: &'a Ours, places: &'a [(u64, u64)], seed: u64) -> Result<Self> {
        let mut connection = server.connect()?;
        let mut random = Random::new(seed);
        let mut names = Vec::new();
        while names.len() < NAMES {
            let (id, assets) = places[random.index(places.len())];
            let offset = random.below(assets);
            let path = format!("/api/collections/{id}/assets?offset={offset}&limit={PAGE}");
            let page = connection.get_json(&path)?;
            let assets = page["assets"].as_array().context("a page of assets")?;
            names.extend(assets.iter().filter_map(|asset| {
                let name = asset["filename"].as_str()?;
                Some(name.to_owned())
            }));
        }
        Ok(Self {
            server,
            places,
            names,
            requests: if lab.quick { 20 } else { 100 },
            seed,
        })
    }

    /// Every sort of page and search, many times each.
    fn ask_everything(&self) -> Result<Vec<(String, Run)>> {
        let mut runs = Vec::new();
        for sort in SORTS {
            for order in ORDERS {
                let run = self.ask(|random| {
                    let (id, assets) = self.places[random.index(self.places.len())];
                    let offset = random.below(assets);
                    format!("/api/collections/{id}/assets?offset={offset}&limit={PAGE}&sort={sort}&order={order}")
                })?;
                runs.push((format!("page by {sort}, {order}"), run));
            }
        }
        let run = self.ask(|random| {
            let (id, assets) = self.places[random.index(self.places.len())];
            // A quarter of the names in such a vault are of pictures.
            let offset = random.below(assets / 4);
            format!("/api/collections/{id}/assets?offset={offset}&limit={PAGE}&type=image")
        })?;
        runs.push(("page of one type".to_owned(), run));
        for length in TEXT_LENGTHS {
            let run = self.ask(|random| {
                let (id, _) = self.places[random.index(self.places.len())];
                let text = encoded(&text(random, &self.names, length));
                format!("/api/collections/{id}/assets?limit={PAGE}&query={text}")
            })?;
            runs.push((format!("search {length} in the collection"), run));
            let run = self.ask(|random| {
                let text = encoded(&text(random, &self.names, length));
                format!("/api/search?limit={PAGE}&query={text}")
            })?;
            runs.push((format!("search {length} in the vault"), run));
            let run = self.ask(|random| {
                let text = encoded(&text(random, &self.names, length));
                format!("/api/search?limit={PAGE}&query={text}&sort=rank")
            })?;
            runs.push((format!("search {length} in the vault, by rank"), run));
        }
        Ok(runs)
    }

    /// Many requests of one sort, one after the other on one connection; the first does not count.
    fn ask(&self, path: impl Fn(&mut Random) -> String) -> Result<Run> {
        let mut connection = self.server.connect()?;
        let mut random = Random::new(self.seed);
        let mut times = Vec::new();
        for number in 0..=self.requests {
            let path = path(&mut random);
            let started = Instant::now();
            let answer = connection.get(&path)?;
            let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
            ensure!(
                answer.status == 200,
                "{path} was answered {}: {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            );
            if number > 0 {
                times.push(milliseconds);
            }
        }
        Ok(Run::of_requests(times))
    }
}

/// So many characters of a name that is there.
fn text(random: &mut Random, names: &[String], length: usize) -> String {
    loop {
        let name: Vec<char> = names[random.index(names.len())].chars().collect();
        let start = random.index(name.len().saturating_sub(length) + 1);
        let text: String = name.iter().skip(start).take(length).collect();
        // What begins or ends with a space may be searched without it, and would be another search.
        if text.trim().chars().count() == length {
            return text;
        }
    }
}

/// Calls `work` while small files are uploaded into the collection, one after the other on each connection.
fn while_uploading<T>(
    server: &Ours,
    collection: u64,
    round: usize,
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let (ended, uploaded) = (AtomicBool::new(false), AtomicU64::new(0));
    let upload = |lane: u64| -> Result<()> {
        let mut connection = server.connect()?;
        let mut random = Random::new(lane + 10 * round as u64);
        let mut bytes = vec![0; UPLOAD_BYTES];
        for number in 0_u64.. {
            if ended.load(Ordering::Relaxed) {
                break;
            }
            random.fill(&mut bytes);
            let name = format!("upload {round} {lane} {number}.png");
            let path = address(collection, ("", &name, 1_700_000_000_000), None);
            let answer = connection.ask(Request {
                method: "POST",
                path: &path,
                content_type: Some("application/octet-stream"),
                body: &bytes,
                ..Request::default()
            })?;
            if matches!(answer.status, 429 | 503) {
                std::thread::sleep(Duration::from_millis(100));
                continue;
            }
            answer.json()?;
            uploaded.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    let started = Instant::now();
    let result = std::thread::scope(|scope| {
        let upload = &upload;
        let lanes: Vec<_> = (0..UPLOADERS)
            .map(|lane| scope.spawn(move || upload(lane)))
            .collect();
        let result = {
            let _end = SetOnDrop(&ended);
            work()
        };
        for lane in lanes {
            lane.join().map_err(|_| anyhow!("an uploader panicked"))??;
        }
        result
    })?;
    let milliseconds = started.elapsed().as_millis().max(1);
    let per_second = u128::from(uploaded.into_inner()) * 1000 / milliseconds;
    println!("meanwhile {per_second} files a second were sealed");
    Ok(result)
}

/// Sets it also where the work fails or panics: the uploaders would go on for ever.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// With commas between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let texts = [50, 5000, 1_000_000].map(grouped);
        assert_eq!(texts, ["50", "5,000", "1,000,000"]);
    }

    #[test]
    fn texts_are_parts_of_names() {
        let names = ["Übersicht 4711.txt".to_owned(), "a b".to_owned()];
        let mut random = Random::new(1);
        for length in [1, 2, 3, 3, 3] {
            let text = text(&mut random, &names, length);
            assert_eq!(text.chars().count(), length);
            assert!(names.iter().any(|name| name.contains(&text)), "{text}");
        }
    }
}
