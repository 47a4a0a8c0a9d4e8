//! What breaks vaults in this process, a command each; figures are printed as one line of JSON at the end.
#![expect(clippy::print_stdout, reason = "figures go to the terminal")]

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};
use compactvault_torture::{faults, power};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Record a workload, and replay losses of power at every point of it
    Power {
        #[arg(long, default_value_t = 1)]
        seed: u64,
        #[arg(long, default_value_t = 1000)]
        states: usize,
        #[arg(long)]
        keep: Option<PathBuf>,
    },
    /// Let the n-th request to the disk fail, for every n
    Faults {
        #[arg(long, default_value_t = 1)]
        seed: u64,
        #[arg(long, default_value_t = usize::MAX)]
        cases: usize,
    },
    /// Plant bugs, and see that they are found
    #[cfg(feature = "inside")]
    Bugs {
        #[arg(long, default_value_t = 1)]
        seed: u64,
        #[arg(long, default_value_t = 1000)]
        states: usize,
    },
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Power { seed, states, keep } => {
            let recording = power::record(seed, |_| ())?;
            let plan = power::Plan {
                seed,
                states,
                threads: std::thread::available_parallelism()?.get(),
                keep,
            };
            let outcome = power::replay(&recording, &plan, usize::MAX)?;
            println!("{}", outcome.json());
        }
        Command::Faults { seed, cases } => {
            let threads = std::thread::available_parallelism()?.get();
            let plan = faults::Plan {
                seed,
                cases,
                threads,
            };
            println!("{}", faults::run(&plan)?.json());
            let recording = power::record(seed, |_| ())?;
            let plan = faults::Plan {
                cases: cases.min(2000),
                ..plan
            };
            println!("{}", faults::recoveries(&recording, &plan)?.json());
        }
        #[cfg(feature = "inside")]
        Command::Bugs { seed, states } => {
            let plan = power::Plan {
                seed,
                states,
                threads: std::thread::available_parallelism()?.get(),
                keep: None,
            };
            println!("{}", compactvault_torture::bugs::run(&plan)?.json());
        }
    }
    Ok(())
}
