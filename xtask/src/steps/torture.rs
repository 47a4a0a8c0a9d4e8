//! The quick form of `cargo xtask torture`, on the programs that tests are built with.

use std::path::Path;

use anyhow::Result;

use super::Report;
use crate::torture::{self, Options};

pub(super) fn test(root: &Path) -> Result<Report> {
    let tortured = torture::run(root, &Options::quick());
    let mut report = Report::one(tortured.is_ok());
    if let Err(error) = tortured {
        report.counts.failed = 0;
        report.problems.push(format!("{error:#}"));
    }
    Ok(report)
}
