//! `cargo xtask bench`: what the program needs, beside programs that do a part of the same, and beside its budgets.
//!
//! Each tool gets a fresh repository on the same disk and its default settings; tools take turns, after one round that
//! does not count, so that whatever the machine does besides meets all of them. Nothing here asserts a time: it prints
//! tables, and says where a budget is not kept.

mod archive;
mod budget;
mod corpora;
mod download;
mod figures;
mod http;
mod lists;
mod machine;
mod memory;
mod page;
mod peers;
mod server;
mod table;
mod timed;
mod upload;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::corpus;
use crate::tools::Toolbox;

use self::corpora::{Corpus, Store};
use self::figures::{Figures, Key, Run, Unit, Who};
use self::machine::Machine;
use self::peers::Peers;
use self::timed::Timer;

/// How folders of runs begin; the id of the process follows.
const HOME: &str = "bench-";

#[derive(Args)]
pub(crate) struct Options {
    /// Archive and upload this folder or file instead of the usual corpora; may be repeated
    #[arg(long = "corpus", value_name = "NAME=PATH", value_parser = named_path)]
    corpora: Vec<(String, PathBuf)>,
    /// Measure only these; without it everything but `memory`
    #[arg(long, value_enum, value_delimiter = ',', value_name = "ROWS")]
    only: Vec<Group>,
    /// Small corpora and vaults and one run, to try the command itself; its figures mean nothing
    #[arg(long)]
    quick: bool,
    /// Rounds that count, after one that does not [default: 5, with --quick 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    runs: Option<u16>,
    /// Measure only our own program
    #[arg(long)]
    alone: bool,
    /// Compare with rustic too; where it is not installed, cargo builds it below the target folder
    #[arg(long)]
    rustic: bool,
    /// Write the figures of every run, the budgets, and what they were read on to this file as JSON
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Options {
    fn groups(&self) -> Vec<Group> {
        if self.only.is_empty() {
            let all = Group::value_variants().iter().copied();
            all.filter(|group| *group != Group::Memory).collect()
        } else {
            self.only.clone()
        }
    }
}

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Group {
    /// Archiving a corpus, and again, beside restic, borg and a plain copy
    Archive,
    /// Checking every byte, beside restic, borg and SHA-256 alone
    Verify,
    /// Uploading over HTTP as the page does until all is listed, beside copyparty; not the corpus `linux`
    Upload,
    /// Downloading 1 GiB, beside nginx
    Download,
    /// 64 KiB at random places of 1 GiB, beside nginx
    Range,
    /// Opening, pages and searches over 1,000,000 assets, also while files are uploaded
    Lists,
    /// The most memory while 10 GiB are archived, uploaded and downloaded; needs 30 GB of disk
    Memory,
}

impl Group {
    fn name(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Verify => "verify",
            Self::Upload => "upload",
            Self::Download => "download",
            Self::Range => "range",
            Self::Lists => "lists",
            Self::Memory => "memory",
        }
    }
}

fn named_path(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => {
            Ok((name.to_owned(), path.into()))
        }
        _ => Err("give a name and a path, as in photos=/data/photos".into()),
    }
}

/// Everything that the groups share.
struct Lab<'a> {
    binary: &'a Path,
    groups: Vec<Group>,
    runs: usize,
    quick: bool,
    /// On the disk of the target folder; gone afterwards.
    home: PathBuf,
    store: Store<'a>,
    peers: Peers,
    timer: Timer,
    figures: Figures,
}

/// One of the rounds of a measurement.
struct Round {
    number: usize,
    of: usize,
    /// The first one fills the caches.
    counts: bool,
}

impl std::fmt::Display for Round {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.counts {
            write!(f, "round {} of {}", self.number, self.of)
        } else {
            write!(f, "a round that does not count")
        }
    }
}

impl Lab<'_> {
    fn wants(&self, group: Group) -> bool {
        self.groups.contains(&group)
    }

    fn rounds(&self) -> impl Iterator<Item = Round> + use<> {
        let (of, first) = (self.runs, usize::from(self.quick));
        (first..=of).map(move |number| Round {
            number,
            of,
            counts: number > 0,
        })
    }

    fn add(&mut self, group: Group, subject: &str, step: &str, unit: Unit, who: Who, run: Run) {
        let key = Key {
            group: group.name(),
            subject: subject.to_owned(),
            step: step.to_owned(),
            unit,
        };
        self.figures.add(key, who, run);
    }

    /// Where the program keeps keys and records of uploads.
    fn state(&self) -> PathBuf {
        self.home.join("state")
    }

    fn vault_in(folder: &Path) -> PathBuf {
        folder.join("bench.vault")
    }

    /// The command that makes an empty vault in a folder.
    fn init_line(&self, who: Who, folder: &Path) -> Vec<String> {
        let parity: &[&str] = match who {
            Who::OursParity0 => &["--parity", "0"],
            _ => &[],
        };
        let (vault, state) = (Self::vault_in(folder), self.state());
        let mut line = vec![
            self.binary.display().to_string(),
            "init".to_owned(),
            vault.display().to_string(),
            "--state-dir".to_owned(),
            state.display().to_string(),
        ];
        line.extend(parity.iter().map(|word| (*word).to_owned()));
        line
    }
}

/// Measures, and prints what came of it. A group that fails does not take the others with it.
pub(crate) fn run(root: &Path, binary: &Path, options: &Options) -> Result<()> {
    if let Some(out) = &options.out {
        // Better now than after hours.
        let file = fs::OpenOptions::new().append(true).create(true).open(out);
        file.with_context(|| format!("{} cannot be written", out.display()))?;
    }
    let target = corpus::target(root);
    let mut toolbox = Toolbox::default();
    let peers = Peers::prepare(&mut toolbox, options, binary, &target.join("tools"))?;
    let home = home_in(&target).context("a folder for the repositories")?;
    let runs = options.runs.unwrap_or(if options.quick { 1 } else { 5 });
    let mut lab = Lab {
        binary,
        groups: options.groups(),
        runs: runs.into(),
        quick: options.quick,
        home: home.path().to_owned(),
        store: Store {
            root,
            folder: target.join("corpora"),
            quick: options.quick,
        },
        timer: Timer {
            time: peers.time.clone(),
            home: home.path().to_owned(),
        },
        peers,
        figures: Figures::default(),
    };
    let machine = Machine::this_one();
    println!("{machine}");
    for line in &lab.peers.versions {
        println!("{line}");
    }
    let started = Instant::now();
    let (failures, subjects) = measure(&mut lab, &mut toolbox, options);
    if options.quick {
        println!("\nOf small corpora: these figures and verdicts only show that everything runs.");
    }
    print!("{}", table::markdown(&lab.figures.rows));
    println!("\nmeasured in {:.0} s", started.elapsed().as_secs_f64());
    if let Some(out) = &options.out {
        let report = json!({
            "machine": machine.json(),
            "versions": lab.peers.versions,
            "subjects": subjects,
            "quick": options.quick,
            "runs": runs,
            "rows": table::json(&lab.figures.rows),
            "failures": failures,
        });
        fs::write(out, serde_json::to_string_pretty(&report)?)
            .with_context(|| format!("writing {}", out.display()))?;
    }
    if !failures.is_empty() {
        bail!("not everything could be measured:\n{}", failures.join("\n"));
    }
    Ok(())
}

/// A folder for this run, after removing those of runs that were killed: they may hold many gigabytes.
fn home_in(target: &Path) -> Result<tempfile::TempDir> {
    for item in fs::read_dir(target)? {
        let item = item?;
        let name = item.file_name().to_string_lossy().into_owned();
        let pid = name
            .strip_prefix(HOME)
            .and_then(|rest| rest.split('-').next());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            fs::remove_dir_all(item.path())?;
        }
    }
    let prefix = format!("{HOME}{}-", std::process::id());
    Ok(tempfile::Builder::new()
        .prefix(&prefix)
        .tempdir_in(target)?)
}

/// What went wrong, and what was archived and uploaded.
fn measure(lab: &mut Lab, toolbox: &mut Toolbox, options: &Options) -> (Vec<String>, Vec<String>) {
    let mut failures = Vec::new();
    let mut note = |name: &str, result: Result<()>| {
        if let Err(error) = result {
            println!("{name} failed: {error:#}");
            failures.push(format!("{name}: {error:#}"));
        }
    };
    let mut subjects = Vec::new();
    let wants = |lab: &Lab, groups: &[Group]| groups.iter().any(|group| lab.wants(*group));
    if wants(lab, &[Group::Archive, Group::Verify, Group::Upload]) {
        match corpora_of(lab, toolbox, options) {
            Ok(corpora) => {
                for Corpus { name, files, .. } in &corpora {
                    let bytes: u64 = files.iter().map(|file| file.size).sum();
                    subjects.push(format!("{name}: {bytes} bytes in {} file(s)", files.len()));
                    println!("{}", subjects[subjects.len() - 1]);
                }
                if wants(lab, &[Group::Archive, Group::Verify]) {
                    note("archive", archive::run(lab, &corpora));
                }
                if lab.wants(Group::Upload) {
                    let usual = options.corpora.is_empty();
                    let corpora = corpora.iter();
                    // Uploading its 78,579 files to the peer takes minutes a run, and there is no budget for it.
                    let few = corpora.filter(|corpus| !(usual && corpus.name == "linux"));
                    note("upload", upload::run(lab, few));
                }
            }
            Err(error) => note("the corpora", Err(error)),
        }
    }
    if wants(lab, &[Group::Download, Group::Range]) {
        note("download and range", download::run(lab));
    }
    if lab.wants(Group::Lists) {
        note("lists", lists::run(lab));
    }
    if lab.wants(Group::Memory) {
        note("memory", memory::run(lab));
    }
    (failures, subjects)
}

fn corpora_of(lab: &Lab, toolbox: &mut Toolbox, options: &Options) -> Result<Vec<Corpus>> {
    if options.corpora.is_empty() {
        return lab.store.usual(toolbox);
    }
    let named = options.corpora.iter();
    named.map(|(name, path)| Corpus::of(name, path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_corpus_has_a_name_and_a_path() {
        let good = named_path("a=/b=c").expect("the first sign counts");
        assert_eq!(good, ("a".to_owned(), PathBuf::from("/b=c")));
        assert!(named_path("/b").is_err() && named_path("=/b").is_err());
    }

    #[test]
    fn groups_are_called_as_on_the_command_line() {
        for group in Group::value_variants() {
            let value = group.to_possible_value().expect("none is hidden");
            assert_eq!(value.get_name(), group.name());
        }
    }
}
