//! The steps that are cargo's: format, lints, and every Rust test of the workspace.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use tempfile::TempDir;

use super::Report;
use crate::process;
use crate::summary::{Counts, Format, counts_in_line};
use crate::tools::{PYTHON, SQLITE3, Toolbox, UNZIP, ZSTD};

pub(super) fn format(root: &Path) -> Result<Report> {
    Ok(Report::one(process::run(process::cargo(
        root,
        ["fmt", "--all", "--check"],
    ))?))
}

pub(super) fn lint(root: &Path) -> Result<Report> {
    let words = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ];
    Ok(Report::one(process::run(process::cargo(root, words))?))
}

/// Every target, which after the tests of Rust costs nothing: naming one package would have cargo choose other features of
/// what all depend on, and build it again.
pub(super) fn build(root: &Path) -> Result<()> {
    ensure!(
        process::run(process::cargo(
            root,
            ["build", "--workspace", "--all-targets"]
        ))?,
        "the program could not be built, so there is nothing to test"
    );
    Ok(())
}

/// Where the tests' files go, if a disk in memory has room and nobody named another place: they make and throw away
/// thousands of vaults. What disks do to vaults is what the torture step is about.
fn folder_in_memory() -> Option<TempDir> {
    const ROOM_KIB: u64 = 8 * 1024 * 1024;
    if std::env::var_os("TMPDIR").is_some() {
        return None;
    }
    let asked = Command::new("df")
        .args(["--output=avail", "/dev/shm"])
        .output()
        .ok()?;
    let room = String::from_utf8_lossy(&asked.stdout);
    let room: u64 = room.lines().nth(1)?.trim().parse().ok()?;
    let named = tempfile::Builder::new()
        .prefix("compactvault-tests-")
        .tempdir_in("/dev/shm");
    named.ok().filter(|_| room >= ROOM_KIB)
}

/// The stock tools serve a few tests out of many, so their absence is told and the rest runs.
pub(super) fn test(root: &Path, toolbox: &mut Toolbox) -> Result<Report> {
    let missing = [SQLITE3, ZSTD, UNZIP, PYTHON]
        .iter()
        .filter_map(|tool| toolbox.ensure(tool).err())
        .collect();
    let mut counts = Counts::default();
    let mut command = process::cargo(root, ["test", "--workspace", "--no-fail-fast"]);
    let memory = folder_in_memory();
    if let Some(folder) = &memory {
        command.env("TMPDIR", folder.path());
    }
    let good = process::run_reading(command, |line| {
        counts += counts_in_line(Format::Libtest, line);
    })?;
    Ok(Report {
        missing,
        ..Report::counted(counts, good)
    })
}
