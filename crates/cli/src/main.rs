//! The binary: reads the command line, runs one command, and turns its outcome into messages and an exit code.

mod args;
mod commands;
mod exit;
mod format;
mod interrupt;
mod kept;
mod names;
mod output;
mod progress;
mod target;
mod vault_choice;

use std::process::ExitCode;

use clap::Parser;

use crate::exit::Exit;
use crate::output::Output;

fn main() -> ExitCode {
    let cli = args::Cli::parse();
    let output = Output::new(&cli);
    output::start_logging(&cli);
    let outcome = commands::run(cli, &output);
    let exit = match outcome {
        Ok(exit) => exit,
        Err(error) => {
            let (exit, code) = exit::of_error(&error);
            // Whoever closed the pipe has seen enough.
            if exit != Exit::Done {
                output.error(&error, code, exit);
            }
            exit
        }
    };
    exit.into()
}
