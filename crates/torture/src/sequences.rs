//! Sequences of everything that can be done to a vault, made up by proptest and compared with a model in memory: what
//! fails is shrunk to what is left of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context as _, Result, ensure};
use compactvault_vault::{
    CopyOptions, CopyWatch, Digest, ScrubOptions, Vault, VerifyLevel, WalkNode,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use serde_json::json;

use crate::disk::{Disk, Loss};
use crate::oracle::{VAULT, digest_of, new_asset, options};
use crate::power::folder;
use crate::random::{Random, drone, noise};
use crate::shim::{self, Watch};
use crate::workload::{completion, place};

/// Steps of a sequence, at most.
const STEPS_MAX: usize = 50;

/// One thing that is done.
#[derive(Clone, Debug)]
enum Step {
    /// A name of few gets content of few: versions, and bytes that are there already.
    Add {
        name: u8,
        content: u8,
    },
    /// Several at once.
    AddTogether {
        names: Vec<u8>,
        content: u8,
    },
    /// In parts, by the spool.
    Upload {
        name: u8,
        content: u8,
        parts: u8,
    },
    /// Closed and opened.
    Reopen,
    /// The process is gone and the power with it.
    Crash {
        loss: u8,
        choice: u64,
    },
    Scrub,
    /// Some of a pack rots, and is healed.
    FlipAndHeal {
        choice: u64,
    },
    /// Goes on with a copy.
    Backup,
    /// Goes on with what was rescued.
    Rescue,
    /// Another process adds something meanwhile.
    OtherProcess {
        name: u8,
        content: u8,
    },
    Upkeep,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let name = 0..8_u8;
    let content = 0..12_u8;
    let step = prop_oneof![
        8 => (name.clone(), content.clone()).prop_map(|(name, content)| Step::Add { name, content }),
        3 => (prop::collection::vec(name.clone(), 1..5), content.clone())
            .prop_map(|(names, content)| Step::AddTogether { names, content }),
        3 => (name.clone(), content.clone(), 1..4_u8)
            .prop_map(|(name, content, parts)| Step::Upload { name, content, parts }),
        2 => Just(Step::Reopen),
        3 => (0..6_u8, any::<u64>()).prop_map(|(loss, choice)| Step::Crash { loss, choice }),
        1 => Just(Step::Scrub),
        2 => any::<u64>().prop_map(|choice| Step::FlipAndHeal { choice }),
        1 => Just(Step::Backup),
        1 => Just(Step::Rescue),
        1 => (name, content).prop_map(|(name, content)| Step::OtherProcess { name, content }),
        1 => Just(Step::Upkeep),
    ];
    prop::collection::vec(step, 1..STEPS_MAX)
}

/// What to do.
pub struct Plan {
    /// Which sequences.
    pub seed: u64,
    /// How many.
    pub sequences: u32,
    /// This program, for another process.
    pub program: PathBuf,
}

/// Runs them; the figures, with the shrunk sequence of a failure.
pub fn run(plan: &Plan) -> Result<serde_json::Value> {
    shim::install();
    let mut seed = [0; 32];
    Random::new(plan.seed).fill(&mut seed);
    let config = Config {
        cases: plan.sequences,
        failure_persistence: None,
        max_shrink_iters: 300,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let (sequences, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let result = runner.run(&steps(), |steps| {
        sequences.fetch_add(1, Ordering::Relaxed);
        done.fetch_add(steps.len(), Ordering::Relaxed);
        live(&steps, &plan.program).map_err(|error| TestCaseError::fail(format!("{error:#}")))
    });
    let failures: Vec<String> = match result {
        Ok(()) => Vec::new(),
        Err(TestError::Fail(reason, steps)) => vec![format!("{reason}; shrunk to {steps:?}")],
        Err(TestError::Abort(reason)) => vec![format!("given up: {reason}")],
    };
    Ok(json!({
        "sequences": sequences.into_inner(),
        "steps": done.into_inner(),
        "failures": failures.len(),
        "first_failures": failures,
    }))
}

/// The bytes that a number stands for: none, small, compressible, of several chunks.
fn content(number: u8) -> Vec<u8> {
    let seed = u64::from(number);
    match number {
        0 => Vec::new(),
        1..=6 => noise(seed, 500 * usize::from(number) + 9),
        7..=9 => drone(seed, 50_000),
        _ => noise(seed, 400_000 + usize::from(number)),
    }
}

fn asset_name(number: u8) -> String {
    // Names that sort in another order than their bytes, and some that are hard to show.
    let odd = [
        "a",
        "B",
        "file 10",
        "file 9",
        "ä\u{308}",
        "<i>",
        "..x",
        "-rf",
    ];
    odd[usize::from(number) % odd.len()].to_owned()
}

/// What should be there: of every name, the digests of all versions in order.
type Model = BTreeMap<String, Vec<Digest>>;

struct Run {
    /// Everything this run makes.
    home: tempfile::TempDir,
    /// Where the vault lies now: each crash, copy and rescue goes on in another folder.
    at: PathBuf,
    moves: usize,
    vault: Option<Vault>,
    watch: Option<Arc<Watch>>,
    model: Model,
    checkpoint: Option<String>,
    program: PathBuf,
    uploads: usize,
}

fn live(steps: &[Step], program: &Path) -> Result<()> {
    let home = folder()?;
    let at = home.path().join("0");
    std::fs::create_dir(&at)?;
    let vault = Vault::create(&at.join(VAULT), &options(&at))?;
    place(&vault)?;
    vault.close()?;
    drop(vault);
    let mut run = Run {
        home,
        at,
        moves: 0,
        vault: None,
        watch: None,
        model: Model::new(),
        checkpoint: None,
        program: program.to_path_buf(),
        uploads: 0,
    };
    run.open()?;
    for (number, step) in steps.iter().enumerate() {
        run.step(step)
            .and_then(|()| run.compare())
            .with_context(|| format!("step {number}, {step:?}"))?;
    }
    run.close()?;
    run.open()?;
    run.compare_all().context("at the end")?;
    run.close()
}

impl Run {
    fn open(&mut self) -> Result<()> {
        self.watch = Some(Watch::begin(&self.at, None)?);
        self.vault = Some(Vault::open(&self.at.join(VAULT), &options(&self.at))?);
        let vault = self.vault()?;
        ensure!(
            vault.read_only().is_none(),
            "read-only: {:?}",
            vault.read_only()
        );
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        if let Some(vault) = self.vault.take() {
            vault.close()?;
        }
        if let Some(watch) = self.watch.take() {
            watch.end();
        }
        Ok(())
    }

    fn vault(&self) -> Result<&Vault> {
        self.vault.as_ref().context("the vault is open")
    }

    /// A new empty folder to go on in.
    fn next_folder(&mut self) -> Result<PathBuf> {
        self.moves += 1;
        let next = self.home.path().join(self.moves.to_string());
        std::fs::create_dir(&next)?;
        Ok(next)
    }

    fn step(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Add { name, content } => self.add(&[*name], *content)?,
            Step::AddTogether { names, content } => self.add(names, *content)?,
            Step::Upload {
                name,
                content,
                parts,
            } => self.upload(*name, *content, *parts)?,
            Step::Reopen => {
                self.close()?;
                self.open()?;
            }
            Step::Crash { loss, choice } => self.crash(*loss, *choice)?,
            Step::Scrub => {
                let report = self.vault()?.scrub(&ScrubOptions::default(), &|_| ())?;
                ensure!(
                    report.healed.is_empty() && report.unhealed.is_empty(),
                    "nothing was damaged: {report:?}"
                );
            }
            Step::FlipAndHeal { choice } => self.flip_and_heal(*choice)?,
            Step::Backup => self.back_up()?,
            Step::Rescue => self.rescue()?,
            Step::OtherProcess { name, content } => self.other_process(*name, *content)?,
            Step::Upkeep => self.vault()?.upkeep()?,
        }
        self.checkpoint = Some(self.vault()?.checkpoint()?.note);
        Ok(())
    }

    fn believe(&mut self, name: u8, bytes: &[u8]) {
        let digest = Digest::of(bytes);
        let versions = self.model.entry(asset_name(name)).or_default();
        if versions.last() != Some(&digest) {
            versions.push(digest);
        }
    }

    fn add(&mut self, names: &[u8], number: u8) -> Result<()> {
        let bytes = content(number);
        let vault = self.vault()?;
        let place = place(vault)?;
        let mut tickets = Vec::new();
        for name in names {
            let asset = new_asset(place, &asset_name(*name));
            tickets.push(vault.ingest()?.archive(asset, &mut &bytes[..])?.0);
        }
        for ticket in tickets {
            ticket.wait()?;
        }
        for name in names {
            self.believe(*name, &bytes);
        }
        Ok(())
    }

    fn upload(&mut self, name: u8, number: u8, parts: u8) -> Result<()> {
        self.uploads += 1;
        let id = format!("{}-{}", self.uploads, asset_name(name));
        let bytes = content(number);
        let vault = self.vault()?;
        let uploads = vault.uploads()?;
        let each = bytes.len().div_ceil(usize::from(parts)).max(1);
        for (index, part) in bytes.chunks(each).enumerate() {
            let mut writer = uploads.part(&id, index as u64)?;
            writer.append(part)?;
            writer.finish()?;
        }
        let mut asked = completion(&id, place(vault)?);
        asked.name = new_asset(asked.collection, &asset_name(name)).name;
        asked.total_size = Some(bytes.len() as u64);
        uploads.complete(&asked)?;
        while uploads.unfinished_count() > 0 {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        self.believe(name, &bytes);
        Ok(())
    }

    /// What a loss of power leaves of everything since the vault was opened goes on in another folder.
    fn crash(&mut self, loss: u8, choice: u64) -> Result<()> {
        let watch = self.watch.take().context("the vault is watched")?;
        let recording = watch.end();
        let mut disk = Disk::before(&recording);
        for op in &recording.ops {
            disk.apply(op);
        }
        let next = self.next_folder()?;
        let loss = Loss::ALL[usize::from(loss) % Loss::ALL.len()];
        disk.crash(loss, &mut Random::new(choice), &next)?;
        // The old process ends in its own folder, where nobody looks any more.
        drop(self.vault.take());
        self.at = next;
        self.open()
    }

    fn flip_and_heal(&mut self, choice: u64) -> Result<()> {
        self.close()?;
        let path = self.at.join(VAULT);
        let bytes = std::fs::read(&path)?;
        // Of contents that are stored as they are, one that is there.
        let mut random = Random::new(choice);
        let sealed: Vec<Vec<u8>> = (10..12).map(content).collect();
        let sealed = &sealed[random.index(2)];
        let at = random.index(sealed.len() - 300_000) + 100;
        let needle = &sealed[at..at + 24];
        let found = bytes.windows(24).position(|window| window == needle);
        if let Some(found) = found {
            use std::os::unix::fs::FileExt as _;
            let file = std::fs::File::options().write(true).open(&path)?;
            file.write_all_at(&[!needle[0]], found as u64)?;
        }
        self.open()?;
        // What was found may be what a merged stripe's parity left in a free page: then there is nothing to heal.
        let report = self.vault()?.scrub(&ScrubOptions::default(), &|_| ())?;
        ensure!(
            report.unhealed.is_empty() && (found.is_some() || report.healed.is_empty()),
            "{report:?}"
        );
        Ok(())
    }

    fn back_up(&mut self) -> Result<()> {
        let next = self.next_folder()?;
        let stop = AtomicBool::new(false);
        let watch = CopyWatch {
            progress: &|_| (),
            stop: &stop,
        };
        let wanted = CopyOptions {
            frozen: false,
            level: VerifyLevel::Full,
        };
        self.vault()?.copy_to(&next.join(VAULT), wanted, &watch)?;
        self.close()?;
        self.at = next;
        self.open()
    }

    fn rescue(&mut self) -> Result<()> {
        self.close()?;
        let next = self.next_folder()?;
        let report = compactvault_vault::rescue::rescue(
            &self.at.join(VAULT),
            &next.join(VAULT),
            &options(&next),
            &mut |_| (),
        )?;
        ensure!(
            report.complete() && report.same_history,
            "nothing was damaged: {report:?}"
        );
        self.at = next;
        self.open()
    }

    fn other_process(&mut self, name: u8, number: u8) -> Result<()> {
        // What another process writes is not recorded, so a recording begins anew after it.
        self.close()?;
        let vault = Vault::open(&self.at.join(VAULT), &options(&self.at))?;
        let output = Command::new(&self.program)
            .args(["add", &name.to_string(), &number.to_string()])
            .arg(&self.at)
            .output()?;
        ensure!(
            output.status.success(),
            "the other process: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        vault.upkeep()?;
        vault.close()?;
        self.believe(name, &content(number));
        self.open()
    }

    /// Lists and log are what they should be.
    fn compare(&self) -> Result<()> {
        let vault = self.vault()?;
        let mut there: BTreeMap<String, Vec<(compactvault_vault::Seq, Digest)>> = BTreeMap::new();
        for item in vault.walk(None, true)? {
            if let WalkNode::Asset(asset) = item?.node {
                let name = asset.name.to_utf8_lossy().into_owned();
                let versions = there.entry(name).or_default();
                versions.push((asset.id.seq(), asset.sha256));
            }
        }
        let there: Model = there
            .into_iter()
            .map(|(name, mut versions)| {
                versions.sort_by_key(|(seq, _)| *seq);
                (name, versions.into_iter().map(|(_, sha)| sha).collect())
            })
            .collect();
        ensure!(
            there == self.model,
            "there is {there:?}, and there should be {:?}",
            self.model
        );
        if let Some(note) = &self.checkpoint {
            let kept = compactvault_vault::prove::KeptCheckpoint::parse(note.as_bytes())?;
            let verdict = vault.compare(&kept)?.verdict;
            ensure!(
                verdict == compactvault_vault::prove::Verdict::Same,
                "the log is {verdict:?}"
            );
        }
        Ok(())
    }

    /// Every byte, too.
    fn compare_all(&self) -> Result<()> {
        self.compare()?;
        let vault = self.vault()?;
        let report = vault.verify(VerifyLevel::Deep, &|_| ())?;
        ensure!(report.findings.is_empty(), "{:?}", report.findings);
        for item in vault.walk(None, true)? {
            if let WalkNode::Asset(asset) = item?.node {
                let digest = digest_of(vault, asset.id).map_err(anyhow::Error::msg)?;
                ensure!(digest == asset.sha256, "WRONG BYTES: {:?}", asset.name);
            }
        }
        Ok(())
    }
}

/// What the other process does: adds content to the vault in a folder.
pub fn add_as_another(name: u8, number: u8, folder: &Path) -> Result<()> {
    let vault = Vault::open(&folder.join(VAULT), &options(folder))?;
    let asset = new_asset(place(&vault)?, &asset_name(name));
    vault.archive_bytes(asset, &content(number))?;
    Ok(vault.close()?)
}
