//! `cargo xtask torture`: everything that breaks vaults on purpose, in one command, with seeds that are printed and the
//! figures as JSON. What runs inside the product's process is `crates/torture`; the real binary is killed, filled up and
//! sent nonsense from here.
#![expect(clippy::print_stdout, reason = "figures go to the terminal")]

mod full;
mod kills;
mod victim;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde_json::{Map, Value, json};

use crate::{corpus, hammer, process, soak};

/// What to do.
#[derive(Args, Clone)]
pub(crate) struct Options {
    /// In two or three minutes: 100 kills, 1,000 crash states, 200 damages, 2,000 malformed requests
    #[arg(long)]
    quick: bool,
    /// Where all choices begin; the same seed makes the same choices
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Only these parts
    #[arg(long, value_delimiter = ',', value_name = "PARTS")]
    only: Vec<String>,
    /// Write the figures to this file, too
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Minutes of concurrency in the long form
    #[arg(long, default_value_t = 60, value_name = "MINUTES")]
    minutes: u64,
    /// Kills in the long form
    #[arg(long, default_value_t = 500, value_name = "N")]
    kills: u64,
    /// States after a loss of power in the long form
    #[arg(long, default_value_t = 20_000, value_name = "N")]
    states: u64,
}

/// How much of everything.
struct Amounts {
    kills: u64,
    states: u64,
    faults: u64,
    recoveries: u64,
    damages: u64,
    requests: u64,
    sequences: u64,
    executions: u64,
    soak: Duration,
}

impl Options {
    /// The quick form, as a step of the tests.
    pub(crate) fn quick() -> Self {
        Self {
            quick: true,
            seed: 1,
            only: Vec::new(),
            out: None,
            minutes: 0,
            kills: 0,
            states: 0,
        }
    }

    fn amounts(&self) -> Amounts {
        if self.quick {
            Amounts {
                kills: 108,
                states: 1_000,
                faults: 200,
                recoveries: 60,
                damages: 200,
                requests: 2_000,
                sequences: 24,
                executions: 20_000,
                soak: Duration::from_secs(10),
            }
        } else {
            Amounts {
                kills: self.kills,
                states: self.states,
                faults: u64::MAX,
                recoveries: 3_000,
                damages: 5_000,
                requests: 100_000,
                sequences: 2_000,
                executions: 5_000_000,
                soak: Duration::from_secs(60 * self.minutes),
            }
        }
    }
}

/// The programs under test.
struct Programs {
    /// The real binary.
    binary: PathBuf,
    /// What breaks vaults from inside.
    torture: PathBuf,
}

/// Parts that need the real binary alone.
const OUTSIDE: [&str; 4] = ["kills", "full disk", "requests", "concurrency"];

fn build(root: &Path, options: &Options) -> Result<Programs> {
    let quick = options.quick;
    let build = |arguments: &str| -> Result<()> {
        let arguments = ["build"].into_iter().chain(arguments.split(' '));
        ensure!(
            process::run(process::cargo(root, arguments))?,
            "the programs could not be built, so there is nothing to break"
        );
        Ok(())
    };
    // The quick form takes what the tests are built with, features included; the example stands for those of tests.
    let (binary, inside) = if quick {
        (
            "--workspace --all-targets",
            "--workspace --example list_times --bin compactvault-torture --features compactvault-torture/inside",
        )
    } else {
        (
            "--release --package compactvault",
            "--release --package compactvault-torture --features inside",
        )
    };
    build(binary)?;
    let outside = |part: &String| OUTSIDE.contains(&part.as_str());
    if options.only.is_empty() || !options.only.iter().all(outside) {
        build(inside)?;
    }
    let folder = corpus::target(root).join(if quick { "debug" } else { "release" });
    Ok(Programs {
        binary: folder.join("compactvault"),
        torture: folder.join("compactvault-torture"),
    })
}

/// A name, and what comes of it as figures.
type Part<'p> = (&'static str, Box<dyn Fn() -> Result<Value> + 'p>);

/// Runs all parts and prints what came of them; the error names those that found something.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let programs = build(root, options)?;
    let amounts = options.amounts();
    let seed = options.seed;
    println!("seed {seed}; the same seed makes the same choices");
    let inside =
        |command: &str, arguments: &[String]| inside(&programs.torture, command, seed, arguments);
    let flag = |name: &str, value: u64| [format!("--{name}"), value.to_string()];
    let parts: Vec<Part<'_>> = vec![
        (
            "kills",
            Box::new(|| {
                let plan = kills::Plan {
                    kills: amounts.kills,
                    seed,
                };
                let outcome = kills::run(&programs.binary, &plan)?;
                Ok(outcome.json())
            }),
        ),
        (
            "power",
            Box::new(|| inside("power", &flag("states", amounts.states))),
        ),
        (
            "faults",
            Box::new(|| {
                let arguments = [
                    flag("cases", amounts.faults),
                    flag("recoveries", amounts.recoveries),
                ];
                inside("faults", &arguments.concat())
            }),
        ),
        ("bugs", Box::new(|| inside("bugs", &[]))),
        (
            "damages",
            Box::new(|| inside("damages", &flag("cases", amounts.damages))),
        ),
        (
            "sequences",
            Box::new(|| inside("sequences", &flag("sequences", amounts.sequences))),
        ),
        (
            "parsers",
            Box::new(|| inside("parsers", &flag("executions", amounts.executions))),
        ),
        ("full disk", Box::new(|| full_disk(&programs.binary, seed))),
        (
            "requests",
            Box::new(|| {
                let requests = amounts.requests;
                hammer::run(&programs.binary, &hammer::Plan { requests, seed })?;
                Ok(json!({"requests": requests, "failures": 0}))
            }),
        ),
        (
            "concurrency",
            Box::new(|| soak::concurrency(&programs.binary, amounts.soak)),
        ),
    ];
    let mut figures = Map::new();
    let mut broken = Vec::new();
    let begun = Instant::now();
    for (name, part) in &parts {
        let chosen = options.only.is_empty() || options.only.iter().any(|only| only == name);
        if !chosen {
            continue;
        }
        println!("-- {name}");
        let started = Instant::now();
        let mut value = part().unwrap_or_else(|error| {
            broken.push(format!("{name}: {error:#}"));
            json!({"failures": 1, "error": format!("{error:#}")})
        });
        let found = value["failures"]
            .as_u64()
            .or_else(|| value["acknowledged_and_lost"].as_u64());
        if value["error"].is_null() && found.unwrap_or(0) > 0 {
            broken.push(format!("{name}: {}", value["first_failures"]));
        }
        value["seconds"] = json!((started.elapsed().as_secs_f64() * 10.0).round() / 10.0);
        println!("{value:#}");
        figures.insert((*name).to_owned(), value);
    }
    let all = json!({
        "form": if options.quick { "quick" } else { "long" },
        "seed": seed,
        "hours": begun.elapsed().as_secs_f64() / 3600.0,
        "parts": figures,
    });
    if let Some(out) = &options.out {
        std::fs::write(out, format!("{all:#}\n")).context("writing the figures")?;
    }
    println!("{all}");
    ensure!(broken.is_empty(), "{}", broken.join("\n"));
    Ok(())
}

/// Runs a command of `crates/torture`; its last line of output is its figures.
fn inside(program: &Path, command: &str, seed: u64, arguments: &[String]) -> Result<Value> {
    let output = std::process::Command::new(program)
        .arg(command)
        .args(["--seed", &seed.to_string()])
        .args(arguments)
        .output()
        .with_context(|| format!("starting {}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "ended with {}: {last} {}",
        output.status,
        errors
            .lines()
            .rev()
            .take(20)
            .collect::<Vec<_>>()
            .join(" | ")
    );
    serde_json::from_str(last).with_context(|| format!("its figures: {last}"))
}

fn full_disk(binary: &Path, seed: u64) -> Result<Value> {
    let mut figures = Map::new();
    for disk in full::Disk::ALL {
        let value = match full::try_on(disk, binary, seed).context(disk.word())? {
            full::Outcome::Held(value) => value,
            full::Outcome::Impossible(why) => {
                println!("NOT TRIED: {} cannot be mounted here: {why}", disk.word());
                json!({ "not_tried": why })
            }
        };
        figures.insert(disk.word().to_owned(), value);
    }
    Ok(Value::Object(figures))
}
