//! The most memory that archiving and serving something huge takes. Needs much disk, so it is measured only if asked for.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::archive::{archivers, work};
use super::corpora::Corpus;
use super::download::{fetch, fetched};
use super::figures::{Run, Unit, Who};
use super::page::{Page, await_listed, id_of, make_place};
use super::server::{credentials, fresh};
use super::upload::empty_vault;
use super::{Group, Lab};

/// One run each: a peak of 10 GiB hardly spreads.
pub(super) fn run(lab: &mut Lab) -> Result<()> {
    let corpus = lab.store.huge()?;
    for who in archivers(lab) {
        println!("memory: archiving {}, {}", corpus.name, who.name());
        let repository = fresh(lab.home.join("repository"))?;
        fresh(lab.state())?;
        let work = work(lab, who, &repository, &corpus.path)?;
        lab.timer.measure(&work.init)?;
        let run = lab.timer.measure(work.archive())?;
        fs::remove_dir_all(repository)?;
        add(lab, &corpus, "archive", who, run.memory_mb);
    }
    for who in [Who::OursParity0, Who::Ours] {
        println!("memory: serving {}, {}", corpus.name, who.name());
        let folder = fresh(lab.home.join("served"))?;
        let [upload, download] = serve(lab, who, &corpus, &folder)?;
        fs::remove_dir_all(folder)?;
        add(lab, &corpus, "upload", who, Some(upload));
        add(lab, &corpus, "upload, then download", who, Some(download));
    }
    Ok(())
}

fn add(lab: &mut Lab, corpus: &Corpus, step: &str, who: Who, peak: Option<f64>) {
    let run = Run::of(peak.unwrap_or_default());
    lab.add(Group::Memory, &corpus.name, step, Unit::Megabytes, who, run);
}

/// The server's peak after the file went in, and after it came out again.
fn serve(lab: &Lab, who: Who, corpus: &Corpus, folder: &Path) -> Result<[f64; 2]> {
    let server = empty_vault(lab, who, folder)?;
    let mut connection = server.connect()?;
    let (project, collection) = make_place(&mut connection)?;
    Page::open(&server.address, collection).upload(&corpus.files)?;
    await_listed(&mut connection, project, 1)?;
    let uploaded = server.daemon.peak_memory_mb()?;
    let page = connection.get_json(&format!("/api/collections/{collection}/assets"))?;
    let path = format!("/api/assets/{}", id_of(&page["assets"][0])?);
    let credentials = credentials();
    let download = fetch(&lab.peers.curl, &server.address, &path, Some(&credentials))?;
    fetched(download, corpus.bytes())?;
    let downloaded = server.daemon.peak_memory_mb()?;
    server.daemon.stop()?;
    Ok([uploaded, downloaded])
}
