//! The quick form of `cargo xtask torture`, on the programs that tests are built with.

use std::path::Path;

use anyhow::Result;

use super::Report;
use crate::torture::{self, Options};

#[expect(clippy::unnecessary_wraps, reason = "one of several steps")]
pub(super) fn test(root: &Path) -> Result<Report> {
    Ok(match torture::run(root, &Options::quick()) {
        Ok(()) => Report::one(true),
        Err(error) => Report {
            problems: vec![format!("{error:#}")],
            ..Report::default()
        },
    })
}
