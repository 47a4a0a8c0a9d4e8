//! Uploading over HTTP: from the first byte sent until everything is listed, beside copyparty with its own client.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::corpora::Corpus;
use super::figures::{Run, Unit, Who};
use super::page::{Page, await_listed, make_place};
use super::server::{Ours, Peer, fresh, isolate};
use super::timed::{megabytes_in, settle};
use super::{Group, Lab};
use crate::process::command;

pub(super) fn run<'a>(lab: &mut Lab, corpora: impl Iterator<Item = &'a Corpus>) -> Result<()> {
    for corpus in corpora {
        for round in lab.rounds() {
            println!("upload: {}, {round}", corpus.name);
            let mut all = vec![Who::OursParity0, Who::Ours];
            all.extend(lab.peers.copyparty.as_ref().map(|_| Who::Copyparty));
            for who in all {
                let run = match who {
                    Who::Copyparty => to_copyparty(lab, corpus)?,
                    _ => to_ours(lab, who, corpus)?,
                };
                if round.counts {
                    let (group, step) = (Group::Upload, "until listed");
                    lab.add(group, &corpus.name, step, Unit::Seconds, who, run);
                }
            }
        }
    }
    Ok(())
}

/// A server on an empty vault, in a folder that is made anew.
pub(super) fn empty_vault(lab: &Lab, who: Who, folder: &Path) -> Result<Ours> {
    fresh(lab.state())?;
    lab.timer.measure(&lab.init_line(who, folder))?;
    Ours::start(lab.binary, folder, &lab.state())
}

fn to_ours(lab: &Lab, who: Who, corpus: &Corpus) -> Result<Run> {
    let folder = fresh(lab.home.join("served"))?;
    let server = empty_vault(lab, who, &folder)?;
    let mut connection = server.connect()?;
    let (project, collection) = make_place(&mut connection)?;
    settle()?;
    let cpu = server.daemon.cpu_seconds()?;
    let started = Instant::now();
    Page::open(&server.address, collection).upload(&corpus.files)?;
    await_listed(&mut connection, project, corpus.files.len() as u64)?;
    let mut run = Run::of(started.elapsed().as_secs_f64());
    run.cpu = Some(server.daemon.cpu_seconds()? - cpu);
    run.memory_mb = Some(server.daemon.peak_memory_mb()?);
    server.daemon.stop()?;
    run.stored_mb = Some(megabytes_in(&folder)?);
    fs::remove_dir_all(folder)?;
    Ok(run)
}

/// Its uploader ends when the server has told it that every file is there.
fn to_copyparty(lab: &Lab, corpus: &Corpus) -> Result<Run> {
    let copyparty = lab.peers.copyparty.as_ref();
    let copyparty = copyparty.context("copyparty was found before")?;
    let folder = fresh(lab.home.join("served"))?;
    let server = Peer::copyparty(copyparty, &folder, &lab.home)?;
    let address = format!("http://{}/", server.address);
    let mut upload = command(&copyparty.uploader, &lab.home, ["-ns", "--ok", &address]);
    upload.arg(&corpus.path);
    isolate(&mut upload, &lab.home);
    settle()?;
    let cpu = server.daemon.cpu_seconds()?;
    let started = Instant::now();
    let output = upload.output().context("the uploader cannot be started")?;
    let mut run = Run::of(started.elapsed().as_secs_f64());
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "copyparty's uploader failed: {text}"
    );
    run.cpu = Some(server.daemon.cpu_seconds()? - cpu);
    run.memory_mb = Some(server.daemon.peak_memory_mb()?);
    server.daemon.stop()?;
    run.stored_mb = Some(megabytes_in(&folder)?);
    let (there, sent) = (files_in(&folder)?, corpus.files.len());
    ensure!(there >= sent, "copyparty has {there} of {sent} files");
    fs::remove_dir_all(folder)?;
    Ok(run)
}

/// Without what the server keeps for itself.
fn files_in(folder: &Path) -> Result<usize> {
    let mut files = 0;
    for item in fs::read_dir(folder)? {
        let item = item?;
        if item.file_name() == ".hist" {
            continue;
        }
        files += if item.file_type()?.is_dir() {
            files_in(&item.path())?
        } else {
            1
        };
    }
    Ok(files)
}
