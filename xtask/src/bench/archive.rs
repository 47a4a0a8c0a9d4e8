//! Archiving, archiving again and verifying on the command line, and what disk and processor alone need for as much.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::corpora::Corpus;
use super::figures::{Key, Run, Unit, Who};
use super::machine::cores;
use super::server::fresh;
use super::timed::{megabytes_in, settle};
use super::{Group, Lab};

/// Of the pieces that the limit is measured with: about a chunk.
const PIECE: usize = 256 * 1024;

/// A command and what it shows.
struct Step {
    group: Group,
    name: &'static str,
    line: Vec<String>,
}

/// What one tool does to a corpus.
pub(super) struct Work {
    pub(super) init: Vec<String>,
    steps: Vec<Step>,
}

impl Work {
    /// The command that archives.
    pub(super) fn archive(&self) -> &[String] {
        &self.steps[0].line
    }
}

/// Every tool does its round in turn, so that whatever the machine does besides meets all of them.
pub(super) fn run(lab: &mut Lab, corpora: &[Corpus]) -> Result<()> {
    for corpus in corpora {
        for round in lab.rounds() {
            println!("archive: {}, {round}", corpus.name);
            for who in archivers(lab) {
                for (group, step, run) in one_round(lab, who, &corpus.path)? {
                    if round.counts {
                        lab.add(group, &corpus.name, step, Unit::Seconds, who, run);
                    }
                }
            }
            if lab.wants(Group::Archive) {
                let run = copy(lab, &corpus.path)?;
                if round.counts {
                    let (group, step) = (Group::Archive, "archive");
                    lab.add(group, &corpus.name, step, Unit::Seconds, Who::Copy, run);
                }
            }
        }
        if lab.wants(Group::Verify) && corpus.is_one_file() {
            for run in hashing(&corpus.path, lab.runs)? {
                for step in ["verify", "verify --deep"] {
                    let key = Key {
                        group: Group::Verify.name(),
                        subject: corpus.name.clone(),
                        step: step.to_owned(),
                        unit: Unit::Seconds,
                    };
                    lab.figures.add(key, Who::Hashing, run);
                }
            }
        }
    }
    Ok(())
}

/// All who can archive a folder.
pub(super) fn archivers(lab: &Lab) -> Vec<Who> {
    let mut all = vec![Who::OursParity0, Who::Ours];
    all.extend(lab.peers.restic.as_ref().map(|_| Who::Restic));
    all.extend(lab.peers.rustic.as_ref().map(|_| Who::Rustic));
    all.extend(lab.peers.borg.as_ref().map(|_| Who::Borg));
    all
}

/// A fresh repository, filled, filled again, and verified.
fn one_round(lab: &Lab, who: Who, corpus: &Path) -> Result<Vec<(Group, &'static str, Run)>> {
    let repository = fresh(lab.home.join("repository"))?;
    fresh(lab.home.join("state"))?;
    let work = work(lab, who, &repository, corpus)?;
    lab.timer.measure(&work.init)?;
    let mut runs = Vec::new();
    for step in work.steps {
        // Nothing can be verified that was not archived, but not everything must be shown.
        if !lab.wants(step.group) && step.name != "archive" {
            continue;
        }
        settle()?;
        let mut run = lab.timer.measure(&step.line)?;
        if step.name == "archive" {
            run.stored_mb = Some(megabytes_in(&repository)?);
        }
        if lab.wants(step.group) {
            runs.push((step.group, step.name, run));
        }
    }
    fs::remove_dir_all(repository)?;
    Ok(runs)
}

/// The commands of one tool, on a repository of its own.
pub(super) fn work(lab: &Lab, who: Who, repository: &Path, corpus: &Path) -> Result<Work> {
    let text = |path: &Path| path.display().to_string();
    let (repo, from) = (text(repository), text(corpus));
    let line = |program: &Path, words: &[&str]| -> Vec<String> {
        let words = words.iter().map(|word| (*word).to_owned());
        std::iter::once(text(program)).chain(words).collect()
    };
    let here = "this tool was found before";
    let (init, lines): (_, Vec<(&'static str, Vec<String>)>) = match who {
        Who::Ours | Who::OursParity0 => {
            let (vault, state) = (text(&Lab::vault_in(repository)), text(&lab.state()));
            let own = |words: &[&str]| {
                let ends = ["--vault", &vault, "--state-dir", &state, "--quiet"];
                line(lab.binary, &[words, &ends].concat())
            };
            let add = own(&["add", "--to", "P/C", &from]);
            let lines = vec![
                ("archive", add.clone()),
                ("archive again", add),
                ("verify", own(&["verify"])),
                ("verify --deep", own(&["verify", "--deep"])),
            ];
            (lab.init_line(who, repository), lines)
        }
        Who::Restic => {
            let program = lab.peers.restic.as_deref().context(here)?;
            let restic = |words: &[&str]| line(program, &[&["-q", "-r", &repo], words].concat());
            let backup = restic(&["backup", &from]);
            let lines = vec![
                ("archive", backup.clone()),
                ("archive again", backup),
                ("verify", restic(&["check", "--read-data"])),
            ];
            (restic(&["init"]), lines)
        }
        Who::Rustic => {
            let program = lab.peers.rustic.as_deref().context(here)?;
            let rustic =
                |words: &[&str]| line(program, &[&["--no-progress", "-r", &repo], words].concat());
            let backup = rustic(&["backup", &from]);
            let lines = vec![
                ("archive", backup.clone()),
                ("archive again", backup),
                ("verify", rustic(&["check", "--read-data"])),
            ];
            (rustic(&["init"]), lines)
        }
        Who::Borg => {
            let program = lab.peers.borg.as_deref().context(here)?;
            let archive = |number: u8| format!("{repo}::{number}");
            let lines = vec![
                ("archive", line(program, &["create", &archive(1), &from])),
                (
                    "archive again",
                    line(program, &["create", &archive(2), &from]),
                ),
                ("verify", line(program, &["check", "--verify-data", &repo])),
            ];
            (
                line(program, &["init", "--encryption", "none", &repo]),
                lines,
            )
        }
        Who::Copyparty | Who::Nginx | Who::Copy | Who::Hashing => {
            anyhow::bail!("{} does not archive", who.name())
        }
    };
    let steps = lines.into_iter().map(|(name, line)| Step {
        group: if name.starts_with("archive") {
            Group::Archive
        } else {
            Group::Verify
        },
        name,
        line,
    });
    Ok(Work {
        init,
        steps: steps.collect(),
    })
}

/// Writes as much to the same disk, and nothing else.
fn copy(lab: &Lab, corpus: &Path) -> Result<Run> {
    let target = fresh(lab.home.join("copy"))?;
    settle()?;
    // Without reflink the bytes are really written, where the file system could share them.
    let script = "cp -r --reflink=never \"$1\" \"$2\" && sync -f \"$2\"";
    let (from, to) = (corpus.display().to_string(), target.display().to_string());
    let words = ["sh", "-c", script, "sh", &from, &to];
    let line: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let mut run = lab.timer.measure(&line)?;
    run.stored_mb = Some(megabytes_in(&target)?);
    fs::remove_dir_all(target)?;
    Ok(run)
}

/// The file's bytes in memory, in equal shares for all cores: no check of every byte can be faster.
fn hashing(corpus: &Path, runs: usize) -> Result<Vec<Run>> {
    let mut bytes = Vec::new();
    File::open(corpus)?.read_to_end(&mut bytes)?;
    let share = bytes.len().div_ceil(cores()).max(1);
    let one_run = || {
        let started = Instant::now();
        std::thread::scope(|scope| {
            for share in bytes.chunks(share) {
                scope.spawn(|| {
                    for piece in share.chunks(PIECE) {
                        std::hint::black_box(Sha256::digest(piece));
                    }
                });
            }
        });
        Run::of(started.elapsed().as_secs_f64())
    };
    one_run();
    Ok((0..runs).map(|_| one_run()).collect())
}
