//! The steps that are cargo's: format, lints, and every Rust test of the workspace.

use std::path::Path;

use anyhow::{Result, ensure};

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

/// The stock tools serve a few tests out of many, so their absence is told and the rest runs.
pub(super) fn test(root: &Path, toolbox: &mut Toolbox) -> Result<Report> {
    let missing = [SQLITE3, ZSTD, UNZIP, PYTHON]
        .iter()
        .filter_map(|tool| toolbox.ensure(tool).err())
        .collect();
    let mut counts = Counts::default();
    let command = process::cargo(root, ["test", "--workspace", "--no-fail-fast"]);
    let good = process::run_reading(command, |line| {
        counts += counts_in_line(Format::Libtest, line);
    })?;
    Ok(Report {
        missing,
        ..Report::counted(counts, good)
    })
}
