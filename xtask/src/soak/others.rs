//! Who else has the server's vault open while it is soaked: imports, verification, scrubbing and checkpoints, each as a
//! process of its own, over and over. All of them have to succeed, and what they say has to agree.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::corpus::tree::hex;
use crate::random::Random;

/// Files of one import.
const FILES: u64 = 12;

/// Processes beside the server, and what they were promised.
pub(super) struct Others {
    binary: PathBuf,
    vault: PathBuf,
    folder: PathBuf,
    /// SHA-256 by path in the vault.
    promised: Mutex<BTreeMap<String, String>>,
    checkpoint: Mutex<Option<String>>,
    pub(super) imports: AtomicU64,
    pub(super) verifications: AtomicU64,
    pub(super) scrubs: AtomicU64,
    pub(super) checkpoints: AtomicU64,
}

type Work = fn(&Others, u64, &mut Random) -> Result<()>;

impl Others {
    pub(super) fn new(binary: &Path, vault: &Path, folder: &Path) -> Self {
        Self {
            binary: binary.into(),
            vault: vault.into(),
            folder: folder.into(),
            promised: Mutex::default(),
            checkpoint: Mutex::default(),
            imports: AtomicU64::new(0),
            verifications: AtomicU64::new(0),
            scrubs: AtomicU64::new(0),
            checkpoints: AtomicU64::new(0),
        }
    }

    /// The kinds of work, to be gone on with on a thread each.
    pub(super) const WORK: [(&'static str, Work); 4] = [
        ("import", Self::import),
        ("verify", Self::verify),
        ("scrub", Self::scrub),
        ("checkpoint", Self::print_checkpoint),
    ];

    /// Does one kind of work until `done`.
    pub(super) fn go_on(&self, work: Work, done: &AtomicBool) -> Result<()> {
        let mut random = Random::new(work as usize as u64);
        for round in 0.. {
            if done.load(Ordering::Relaxed) {
                break;
            }
            work(self, round, &mut random)?;
        }
        Ok(())
    }

    fn run(&self, arguments: &[&str]) -> Result<Output> {
        let output = Command::new(&self.binary)
            .args(["--json", "--lock-timeout", "300", "--state-dir"])
            .arg(self.folder.join("others-state"))
            .arg("--vault")
            .arg(&self.vault)
            .args(arguments)
            .output()?;
        ensure!(output.status.success(), "{arguments:?}: {output:?}");
        Ok(output)
    }

    fn import(&self, round: u64, random: &mut Random) -> Result<()> {
        let source = self.folder.join(format!("others{round}"));
        fs::create_dir(&source)?;
        let mut promise = BTreeMap::new();
        for n in 0..FILES {
            let mut bytes = vec![0; 1 + random.index(300_000)];
            random.fill(&mut bytes);
            fs::write(source.join(n.to_string()), &bytes)?;
            promise.insert(
                format!("Others/others{round}/{n}"),
                hex(&Sha256::digest(&bytes)),
            );
        }
        let path = source.to_string_lossy().into_owned();
        let output = self.run(&["add", "--to", "Others", &path])?;
        let report: Value = serde_json::from_slice(&output.stdout).context("add's report")?;
        ensure!(report["sealed"] == FILES, "add: {report}");
        lock(&self.promised).extend(promise);
        self.imports.fetch_add(1, Ordering::Relaxed);
        Ok(fs::remove_dir_all(&source)?)
    }

    fn print_checkpoint(&self, _: u64, _: &mut Random) -> Result<()> {
        let output = self.run(&["checkpoint"])?;
        let report: Value = serde_json::from_slice(&output.stdout).context("the checkpoint")?;
        let note = report["note"].as_str().context("a note")?.to_owned();
        *lock(&self.checkpoint) = Some(note);
        self.checkpoints.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(std::time::Duration::from_millis(200));
        Ok(())
    }

    fn verify(&self, round: u64, _: &mut Random) -> Result<()> {
        let kept = lock(&self.checkpoint).clone();
        let vault = self.vault.to_string_lossy().into_owned();
        let file = self.folder.join(format!("kept{round}.checkpoint"));
        let path = file.to_string_lossy().into_owned();
        if let Some(kept) = kept {
            fs::write(&file, kept)?;
            self.run(&["verify", "--deep", "--against", &path, &vault])?;
        } else {
            self.run(&["verify", &vault])?;
        }
        self.verifications.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn scrub(&self, _: u64, _: &mut Random) -> Result<()> {
        let vault = self.vault.to_string_lossy().into_owned();
        let output = self.run(&["scrub", &vault])?;
        let report: Value = serde_json::from_slice(&output.stdout).context("scrub's report")?;
        let healed = report["healed"].as_array().is_none_or(Vec::is_empty);
        ensure!(healed, "there was nothing to heal: {report}");
        self.scrubs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Compares every imported file with what comes out; gives how many there are.
    pub(super) fn compare(&self) -> Result<u64> {
        let promised = lock(&self.promised);
        if promised.is_empty() {
            return Ok(0);
        }
        let out = self.folder.join("others-out");
        let path = out.to_string_lossy().into_owned();
        self.run(&["export", "--out", &path, "Others"])?;
        for (place, sha256) in promised.iter() {
            let below = place.trim_start_matches("Others/");
            let bytes = fs::read(out.join(below)).with_context(|| format!("LOST: {place}"))?;
            ensure!(
                hex(&Sha256::digest(&bytes)) == *sha256,
                "WRONG BYTES: {place}"
            );
        }
        Ok(promised.len() as u64)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
