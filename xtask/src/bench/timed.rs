//! One command from its start to its end: how long, how much processor time, how much memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::figures::Run;
use super::server;
use crate::process::command;

/// Runs commands under `time`.
pub(super) struct Timer {
    pub(super) time: PathBuf,
    /// Where peers may keep what they want to keep.
    pub(super) home: PathBuf,
}

impl Timer {
    pub(super) fn measure(&self, line: &[String]) -> Result<Run> {
        let report = self.home.join("time");
        let mut timed = command(&self.time, &self.home, ["-q", "-f", "%U %S %M", "-o"]);
        timed.arg(&report).args(line);
        // A password that protects nothing: the repository is deleted at once.
        timed.env("RESTIC_PASSWORD", "bench");
        timed.env("RUSTIC_PASSWORD", "bench");
        timed.env("RESTIC_CACHE_DIR", self.home.join("restic"));
        timed.env("RUSTIC_CACHE_DIR", self.home.join("rustic"));
        timed.env("BORG_BASE_DIR", self.home.join("borg"));
        timed.env("BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes");
        timed.env("BORG_RELOCATED_REPO_ACCESS_IS_OK", "yes");
        server::isolate(&mut timed, &self.home);
        let started = Instant::now();
        let output = timed.output().context("time cannot be started")?;
        let seconds = started.elapsed().as_secs_f64();
        let text = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{} failed: {text}", line.join(" "));
        let run = parse(&fs::read_to_string(&report)?)?;
        Ok(Run {
            figure: seconds,
            ..run
        })
    }
}

/// Reads what `time -f "%U %S %M"` wrote.
fn parse(text: &str) -> Result<Run> {
    let numbers: Vec<f64> = text
        .lines()
        .last()
        .unwrap_or_default()
        .split(' ')
        .map(str::parse)
        .collect::<Result<_, _>>()
        .with_context(|| format!("time wrote {text:?}"))?;
    let [user, system, kib] = numbers[..] else {
        anyhow::bail!("time wrote {text:?}");
    };
    Ok(Run {
        cpu: Some(user + system),
        memory_mb: Some(kib * 1024.0 / 1e6),
        ..Run::default()
    })
}

/// Writes out what was written before, so that it is not written out while something else is measured.
pub(super) fn settle() -> Result<()> {
    let synced = command("sync", Path::new("/"), [""; 0]).status()?;
    ensure!(synced.success(), "sync ended with {synced}");
    Ok(())
}

/// Of a file, or of all files in a folder.
pub(super) fn megabytes_in(path: &Path) -> Result<f64> {
    Ok(megabytes(bytes_in(path)?))
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(super) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn bytes_in(path: &Path) -> Result<u64> {
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    let mut bytes = 0;
    for item in fs::read_dir(path)? {
        bytes += bytes_in(&item?.path())?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_time_writes_is_read_and_nothing_else() {
        let read = parse("0.75 0.25 2000\n").expect("it is what time writes");
        assert_eq!((read.cpu, read.memory_mb), (Some(1.0), Some(2.048)));
        assert!(parse("").is_err());
        assert!(parse("Command exited with non-zero status 1").is_err());
        assert!(parse("1 2").is_err());
    }
}
