//! The quick form of `cargo xtask hammer` and `cargo xtask conform`, on the program that tests are built with.

use std::path::Path;

use anyhow::Result;

use super::{Report, browser, rust};
use crate::{conform, hammer};

/// Enough for every template and every way of breaking it.
const HAMMER: hammer::Plan = hammer::Plan {
    requests: 5_000,
    seed: 1,
};
const CONFORM: conform::Plan = conform::Plan {
    examples: 25,
    seed: 1,
};

pub(super) fn test(root: &Path) -> Result<Report> {
    rust::build(root)?;
    let binary = browser::program(root);
    let mut report = Report::default();
    let hammered = hammer::run(&binary, &HAMMER).map(|()| true);
    let conforms = conform::run(&binary, &CONFORM, &conform::tools(root));
    for (what, outcome) in [("hammer", hammered), ("conform", conforms)] {
        match outcome {
            Ok(true) => report.counts.passed += 1,
            Ok(false) => report.problems.push(format!("{what}: see above")),
            Err(error) => report.problems.push(format!("{what}: {error:#}")),
        }
    }
    Ok(report)
}
