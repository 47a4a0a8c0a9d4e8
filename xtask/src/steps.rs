//! The steps of `cargo xtask test`, in order, and the account at the end.
//!
//! A failing step never stops the next one: a person mends several things per run, and CI shows
//! everything that is wrong at once. How each step does its work is in `steps/`. One runs beside the last: see `steps/beside.rs`.
#![expect(
    clippy::print_stdout,
    reason = "headings, timings and the account go to the terminal"
)]

mod beside;
mod browser;
mod rust;
mod torture;
mod web;
mod wire;

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::ValueEnum;

use self::beside::Beside;
use crate::summary::Counts;
use crate::tidy;
use crate::tools::{GIT, Toolbox};

/// In the order they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// `rustfmt` would change nothing
    Fmt,
    /// Warnings are errors
    Clippy,
    /// Unit, integration and documentation tests of the workspace
    Rust,
    /// The rules in `xtask/src/tidy/`
    Tidy,
    /// Module tests of the page
    Web,
    /// The HTTP surface: malformed requests, and the description against its server
    Wire,
    /// Kills, losses of power, failing disks, damage and planted bugs: the quick form of `cargo xtask torture`
    Torture,
    /// The program as a person meets it, in a real browser
    Browser,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fmt => "fmt",
            Self::Clippy => "clippy",
            Self::Rust => "rust",
            Self::Tidy => "tidy",
            Self::Web => "web",
            Self::Wire => "wire",
            Self::Torture => "torture",
            Self::Browser => "browser",
        })
    }
}

pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    /// Whether a step that cannot run counts as failed; true unless a person allowed it.
    pub(crate) missing_is_failure: bool,
}

/// What a step has to tell besides what it printed.
#[derive(Debug, Default)]
struct Report {
    counts: Counts,
    /// Sentences for what failed outside any counted test.
    problems: Vec<String>,
    /// Sentences for what could not run at all.
    missing: Vec<String>,
}

impl Report {
    /// A step that is one check in itself.
    fn one(good: bool) -> Self {
        Self {
            counts: Counts::one(good),
            ..Self::default()
        }
    }

    /// A step that cannot run for want of a tool.
    fn missing(sentence: String) -> Self {
        Self {
            missing: vec![sentence],
            ..Self::default()
        }
    }

    /// Counted tests, with what the counts alone would hide: a runner that broke off before it
    /// counted a failure, and one that found nothing to run.
    fn counted(counts: Counts, exited_well: bool) -> Self {
        let mut report = Self {
            counts,
            ..Self::default()
        };
        if !exited_well && counts.failed == 0 {
            report
                .problems
                .push("the runner failed before it could count a failure".to_owned());
        } else if exited_well && counts.passed == 0 {
            report.problems.push("no test ran".to_owned());
        }
        report
    }

    /// The counts with problems, and missing things where they matter, as failures.
    fn settled(&self, missing_is_failure: bool) -> Counts {
        let missing = if missing_is_failure {
            self.missing.len()
        } else {
            0
        };
        let mut counts = self.counts;
        counts.failed += (self.problems.len() + missing) as u64;
        counts
    }
}

/// All steps, or the named ones, in their usual order.
pub(crate) fn selected(only: &[Step]) -> Vec<Step> {
    let all = Step::value_variants().iter().copied();
    all.filter(|step| only.is_empty() || only.contains(step))
        .collect()
}

/// Runs the plan and prints the account; true if nothing failed.
pub(crate) fn run_all(root: &Path, plan: &Plan) -> bool {
    let mut toolbox = Toolbox::default();
    let mut total = Counts::default();
    let mut account = Vec::new();
    let mut beside = None;
    for (place, &step) in plan.steps.iter().enumerate() {
        println!("\n==== {step} ====");
        let start = Instant::now();
        if step == Step::Torture && plan.steps[place..].contains(&Step::Browser) {
            match Beside::start(step, root) {
                Ok(started) => {
                    println!("runs beside the next step, and is shown after it");
                    beside = Some(started);
                    continue;
                }
                Err(error) => println!("{error:#}"),
            }
        }
        let report = run(step, root, &mut toolbox).unwrap_or_else(|error| Report {
            problems: vec![format!("{error:#}")],
            ..Report::default()
        });
        let counts = report.settled(plan.missing_is_failure);
        account.push(account_lines(step, &report, counts, start.elapsed()));
        total += counts;
    }
    if let Some(beside) = beside {
        match beside.finish() {
            Ok((step, report, took)) => {
                let counts = report.settled(plan.missing_is_failure);
                account.push(account_lines(step, &report, counts, took));
                total += counts;
            }
            Err(error) => {
                println!("{error:#}");
                total += Counts::one(false);
            }
        }
    }
    println!("\n==== summary ====");
    for line in account {
        println!("{line}");
    }
    println!("\n{total}");
    total.failed == 0
}

fn run(step: Step, root: &Path, toolbox: &mut Toolbox) -> Result<Report> {
    match step {
        Step::Fmt => rust::format(root),
        Step::Clippy => rust::lint(root),
        Step::Rust => rust::test(root, toolbox),
        Step::Tidy => check_tidy(root, toolbox),
        Step::Web => web::test(root, toolbox),
        Step::Wire => wire::test(root),
        Step::Torture => torture::test(root),
        Step::Browser => browser::test(root, toolbox),
    }
}

fn check_tidy(root: &Path, toolbox: &mut Toolbox) -> Result<Report> {
    if let Err(sentence) = toolbox.ensure(&GIT) {
        return Ok(Report::missing(sentence));
    }
    let findings = tidy::check(root)?;
    for finding in &findings {
        println!("{finding}");
    }
    println!("{} finding(s)", findings.len());
    Ok(Report::one(findings.is_empty()))
}

fn account_lines(step: Step, report: &Report, counts: Counts, took: Duration) -> String {
    let seconds = took.as_secs_f64();
    let skipped = match counts.skipped {
        0 => String::new(),
        number => format!(", {number} SKIPPED"),
    };
    let mut lines = vec![format!(
        "{:<8} {seconds:>7.1} s   {counts}{skipped}",
        step.to_string()
    )];
    let failed = report
        .problems
        .iter()
        .map(|problem| format!("         FAILED: {problem}"));
    let missing = report
        .missing
        .iter()
        .map(|missing| format!("         COULD NOT RUN: {missing}"));
    lines.extend(failed.chain(missing));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_keep_their_order_whatever_was_typed() {
        assert_eq!(
            selected(&[Step::Browser, Step::Fmt]),
            [Step::Fmt, Step::Browser]
        );
        assert_eq!(selected(&[]), Step::value_variants());
    }

    #[test]
    fn a_runner_that_breaks_off_counts_as_one_failure() {
        let counts = Counts {
            passed: 3,
            ..Counts::default()
        };
        assert_eq!(Report::counted(counts, false).settled(true).failed, 1);
        assert_eq!(Report::counted(counts, true).settled(true).failed, 0);
        let counted = Counts {
            passed: 3,
            failed: 2,
            skipped: 0,
        };
        assert_eq!(Report::counted(counted, false).settled(true).failed, 2);
    }

    #[test]
    fn running_no_test_is_a_failure() {
        assert_eq!(
            Report::counted(Counts::default(), true)
                .settled(true)
                .failed,
            1
        );
    }

    #[test]
    fn what_could_not_run_fails_unless_allowed() {
        let report = Report::missing("no browser".to_owned());
        assert_eq!(report.settled(true).failed, 1);
        assert_eq!(report.settled(false).failed, 0);
        let line = account_lines(
            Step::Browser,
            &report,
            report.settled(false),
            Duration::ZERO,
        );
        assert!(line.contains("COULD NOT RUN: no browser"), "{line}");
    }
}
