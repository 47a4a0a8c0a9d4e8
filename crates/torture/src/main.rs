//! What breaks vaults in this process, a command each; figures are the last line of its output, as JSON.
#![expect(clippy::print_stdout, reason = "figures go to the terminal")]

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Parser, Subcommand};
use compactvault_torture::{damages, faults, power, sequences};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Which choices
    #[arg(long, default_value_t = 1, global = true)]
    seed: u64,
}

#[derive(Subcommand)]
enum Command {
    /// Record a workload, and replay losses of power at every point of it
    Power {
        #[arg(long, default_value_t = 1000)]
        states: usize,
        /// Keep states that broke a promise in this folder
        #[arg(long)]
        keep: Option<PathBuf>,
    },
    /// Let the n-th request to the disk fail, for every n, in a short life and while something is undone
    Faults {
        #[arg(long, default_value_t = usize::MAX)]
        cases: usize,
        #[arg(long, default_value_t = 1000)]
        recoveries: usize,
    },
    /// Plant bugs, and see that they are found
    #[cfg(feature = "inside")]
    Bugs {
        #[arg(long, default_value_t = 1000)]
        states: usize,
    },
    /// Damage copies of a vault
    Damages {
        #[arg(long, default_value_t = 1000)]
        cases: usize,
    },
    /// Compare sequences of everything with a model
    Sequences {
        #[arg(long, default_value_t = 256)]
        sequences: u32,
    },
    /// Send anything to everything that parses
    #[cfg(feature = "inside")]
    Parsers {
        #[arg(long, default_value_t = 100_000)]
        executions: u64,
    },
    /// What `sequences` starts as another process
    #[command(hide = true)]
    Add {
        name: u8,
        content: u8,
        folder: PathBuf,
    },
}

fn main() -> Result<()> {
    let Cli { command, seed } = Cli::parse();
    let threads = std::thread::available_parallelism()?.get();
    let figures = match command {
        Command::Power { states, keep } => {
            let recording = power::record(seed, |_| ())?;
            let plan = power::Plan {
                seed,
                states,
                threads,
                keep,
            };
            power::replay(&recording, &plan, usize::MAX)?.json()
        }
        Command::Faults { cases, recoveries } => break_disks(seed, cases, recoveries, threads)?,
        #[cfg(feature = "inside")]
        Command::Bugs { states } => {
            let plan = power::Plan {
                seed,
                states,
                threads,
                keep: None,
            };
            compactvault_torture::bugs::run(&plan)?.json()
        }
        Command::Damages { cases } => {
            let recording = power::record(seed, |_| ())?;
            let plan = damages::Plan {
                seed,
                cases,
                threads,
            };
            damages::run(&plan, &recording)?.json()
        }
        Command::Sequences { sequences } => sequences::run(&sequences::Plan {
            seed,
            sequences,
            program: std::env::current_exe()?,
        })?,
        #[cfg(feature = "inside")]
        Command::Parsers { executions } => {
            let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
            let plan = compactvault_torture::parsers::Plan { seed, executions };
            compactvault_torture::parsers::run(&plan, &corpus)?
        }
        Command::Add {
            name,
            content,
            folder,
        } => return sequences::add_as_another(name, content, Path::new(&folder)),
    };
    println!("{figures}");
    Ok(())
}

fn break_disks(
    seed: u64,
    cases: usize,
    recoveries: usize,
    threads: usize,
) -> Result<serde_json::Value> {
    let plan = faults::Plan {
        seed,
        cases,
        threads,
    };
    let lives = faults::run(&plan)?;
    let recording = power::record(seed, |_| ())?;
    let plan = faults::Plan {
        cases: recoveries,
        ..plan
    };
    let recovered = faults::recoveries(&recording, &plan)?;
    let mut figures = lives.json();
    figures["failures"] = (lives.failures.len() + recovered.failures.len()).into();
    figures["recoveries"] = recovered.json();
    Ok(figures)
}
