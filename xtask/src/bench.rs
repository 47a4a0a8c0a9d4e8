//! `cargo xtask bench`: archiving, archiving again and verifying, side by side with restic and borg.
//!
//! Each tool gets a fresh repository on the same disk, its default compression, and no encryption where it can do
//! without; the tools take turns, after one round that does not count, so that whatever the machine does besides meets
//! all of them. Nothing here asserts a time.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::process::command;
use crate::tools::{Tool, Toolbox};

mod table;

use table::{Row, Sample};

const TIME: Tool = Tool {
    programs: &["time"],
    packages: &["time"],
    needed_for: "measuring time and memory of each tool",
};
const RESTIC: Tool = Tool {
    programs: &["restic"],
    packages: &["restic"],
    needed_for: "comparing with restic",
};
const BORG: Tool = Tool {
    programs: &["borg"],
    packages: &["borgbackup"],
    needed_for: "comparing with borg",
};

/// What to do.
pub(crate) struct Plan {
    /// Name and folder or file of each corpus.
    pub(crate) corpora: Vec<(String, PathBuf)>,
    /// Rounds that count.
    pub(crate) runs: usize,
    /// Leave the peers out.
    pub(crate) alone: bool,
    /// Where the figures go as JSON.
    pub(crate) out: Option<PathBuf>,
}

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// With this percentage of parity.
    Ours(&'static str),
    Restic,
    Borg,
}

impl Who {
    fn name(self) -> &'static str {
        match self {
            Self::Ours("0") => "ours, parity 0",
            Self::Ours(_) => "ours",
            Self::Restic => "restic",
            Self::Borg => "borg",
        }
    }
}

/// Runs the plan with the binary at `binary`, and prints a table.
pub(crate) fn run(binary: &Path, plan: &Plan) -> Result<()> {
    let mut toolbox = Toolbox::default();
    let mut ensure_tool = |tool: &Tool| toolbox.ensure(tool).map_err(anyhow::Error::msg);
    let time = ensure_tool(&TIME)?;
    let mut who = vec![Who::Ours("0"), Who::Ours("6")];
    if !plan.alone {
        for (tool, peer) in [(&RESTIC, Who::Restic), (&BORG, Who::Borg)] {
            match ensure_tool(tool) {
                Ok(_) => who.push(peer),
                Err(error) => println!("not compared: {error}"),
            }
        }
    }
    let home = tempfile::tempdir().context("a folder for the repositories")?;
    let bench = Bench {
        binary,
        time,
        home: home.path(),
    };
    let versions = bench.versions(&who)?;
    for line in &versions {
        println!("{line}");
    }
    let mut rows: BTreeMap<(String, &'static str), Vec<(&'static str, Sample)>> = BTreeMap::new();
    for (corpus, path) in &plan.corpora {
        let path = fs::canonicalize(path).with_context(|| format!("{}", path.display()))?;
        for round in 0..=plan.runs {
            for &who in &who {
                for (step, sample) in bench.round(who, &path)? {
                    // The first round fills the caches.
                    if round > 0 {
                        let samples = rows.entry((corpus.clone(), step)).or_default();
                        samples.push((who.name(), sample));
                    }
                }
            }
        }
    }
    let rows: Vec<Row> = rows
        .into_iter()
        .map(|((corpus, step), samples)| Row::new(&corpus, step, samples))
        .collect();
    print!("\n{}", table::markdown(&rows));
    if let Some(out) = &plan.out {
        let text = serde_json::to_string_pretty(&table::json(&versions, &rows))?;
        fs::write(out, text).with_context(|| format!("{}", out.display()))?;
    }
    Ok(())
}

struct Bench<'a> {
    binary: &'a Path,
    time: PathBuf,
    home: &'a Path,
}

impl Bench<'_> {
    fn versions(&self, who: &[Who]) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        for (program, peer, flags) in [
            (self.binary, None, "add --quiet"),
            (
                Path::new("restic"),
                Some(Who::Restic),
                "backup, default compression; it cannot do without encryption",
            ),
            (
                Path::new("borg"),
                Some(Who::Borg),
                "create --compression lz4 (its default), --encryption none",
            ),
        ] {
            if peer.is_some_and(|peer| !who.contains(&peer)) {
                continue;
            }
            let flag = if peer == Some(Who::Restic) {
                "version"
            } else {
                "--version"
            };
            let output = command(program, self.home, [flag]).output()?;
            let version = String::from_utf8_lossy(&output.stdout);
            let version = version.lines().next().unwrap_or_default().to_owned();
            lines.push(format!("{version}: {flags}"));
        }
        Ok(lines)
    }

    /// A fresh repository, filled, filled again, and verified.
    fn round(&self, who: Who, corpus: &Path) -> Result<Vec<(&'static str, Sample)>> {
        let repository = self.home.join("repository");
        let state = self.home.join("state");
        for folder in [&repository, &state] {
            if folder.exists() {
                fs::remove_dir_all(folder)?;
            }
        }
        fs::create_dir(&repository)?;
        let vault = repository.join("bench.vault");
        let own = |words: &[&str]| -> Vec<String> {
            let mut line = vec![self.binary.display().to_string()];
            line.extend(words.iter().map(|word| (*word).to_owned()));
            let ends = [
                "--vault".into(),
                vault.display().to_string(),
                "--state-dir".into(),
                state.display().to_string(),
                "--quiet".into(),
            ];
            line.extend(ends);
            line
        };
        let peer = |words: &[&str]| -> Vec<String> {
            words.iter().map(|word| (*word).to_owned()).collect()
        };
        let (repo, from) = (
            repository.display().to_string(),
            corpus.display().to_string(),
        );
        let (first, second) = (format!("{repo}::1"), format!("{repo}::2"));
        let (init, steps) = match who {
            Who::Ours(parity) => (
                peer(&[
                    &self.binary.display().to_string(),
                    "init",
                    &vault.display().to_string(),
                    "--parity",
                    parity,
                    "--state-dir",
                    &state.display().to_string(),
                ]),
                vec![
                    ("archive", own(&["add", "--to", "P/C", &from])),
                    ("archive again", own(&["add", "--to", "P/C", &from])),
                    ("verify", own(&["verify"])),
                    ("verify --deep", own(&["verify", "--deep"])),
                ],
            ),
            Who::Restic => (
                peer(&["restic", "-q", "-r", &repo, "init"]),
                vec![
                    (
                        "archive",
                        peer(&["restic", "-q", "-r", &repo, "backup", &from]),
                    ),
                    (
                        "archive again",
                        peer(&["restic", "-q", "-r", &repo, "backup", &from]),
                    ),
                    (
                        "verify",
                        peer(&["restic", "-q", "-r", &repo, "check", "--read-data"]),
                    ),
                ],
            ),
            Who::Borg => (
                peer(&["borg", "init", "--encryption", "none", &repo]),
                vec![
                    ("archive", peer(&["borg", "create", &first, &from])),
                    ("archive again", peer(&["borg", "create", &second, &from])),
                    ("verify", peer(&["borg", "check", "--verify-data", &repo])),
                ],
            ),
        };
        self.measure(&init)?;
        let mut samples = Vec::new();
        for (step, line) in steps {
            // What was written before must not be written out meanwhile.
            command("sync", self.home, [""; 0]).status()?;
            let mut sample = self.measure(&line)?;
            if step == "archive" {
                sample.bytes = bytes_in(&repository)?;
            }
            samples.push((step, sample));
        }
        Ok(samples)
    }

    /// Runs a command to its end under `time`.
    fn measure(&self, line: &[String]) -> Result<Sample> {
        let report = self.home.join("time");
        let mut timed = command(&self.time, self.home, ["-q", "-f", "%e %U %S %M", "-o"]);
        timed.arg(&report).args(line);
        // A password that protects nothing: the repository is deleted at once.
        timed.env("RESTIC_PASSWORD", "bench");
        timed.env("BORG_BASE_DIR", self.home.join("borg"));
        timed.env("RESTIC_CACHE_DIR", self.home.join("restic"));
        timed.env("BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes");
        timed.env("BORG_RELOCATED_REPO_ACCESS_IS_OK", "yes");
        let output = timed.output().context("time cannot be started")?;
        let text = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{} failed: {text}", line.join(" "));
        Sample::parse(&fs::read_to_string(&report)?)
    }
}

fn bytes_in(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for item in fs::read_dir(folder)? {
        let item = item?;
        let metadata = item.metadata()?;
        bytes += if metadata.is_dir() {
            bytes_in(&item.path())?
        } else {
            metadata.len()
        };
    }
    Ok(bytes)
}
