//! One module per command; here only which one runs.

mod add;
mod check_proof;
mod checkpoint;
mod consistency;
mod copy;
mod export;
mod get;
mod init;
mod log;
mod ls;
mod passwd;
mod proof;
mod reindex;
mod rescue;
mod scrub;
mod serve;
mod status;
mod token;
mod verify;

use crate::args::{Cli, Command, Serve};
use crate::exit::Exit;
use crate::output::Output;

/// Runs what the command line asks for.
pub(crate) fn run(cli: Cli, output: &Output) -> anyhow::Result<Exit> {
    let global = &cli.global;
    let default = || {
        Command::Serve(Serve {
            drain: 30,
            scrub_budget: 10,
            ..Serve::default()
        })
    };
    match cli.command.unwrap_or_else(default) {
        Command::Init(args) => init::run(&args, global, output),
        Command::Add(args) => add::run(&args, global, output),
        Command::Ls(args) => ls::run(&args, global, output),
        Command::Get(args) => get::run(&args, global, output),
        Command::Export(args) => export::run(&args, global, output),
        Command::Verify(args) => verify::run(&args, global, output),
        Command::Rescue(args) => rescue::run(&args, global, output),
        Command::Reindex(args) => reindex::run(&args, global, output),
        Command::Scrub(args) => scrub::run(&args, global, output),
        Command::Status(args) => status::run(&args, global, output),
        Command::Backup(args) => copy::backup(&args, global, output),
        Command::Freeze(args) => copy::freeze(&args, global, output),
        Command::Checkpoint(args) => checkpoint::run(&args, global, output),
        Command::Proof(args) => proof::run(&args, global, output),
        Command::CheckProof(args) => check_proof::run(&args, output),
        Command::Consistency(args) => consistency::run(&args, global, output),
        Command::Log(args) => log::run(&args, global, output),
        Command::Serve(args) => serve::run(args, global, output),
        Command::Passwd(args) => passwd::run(&args, global, output),
        Command::Token(command) => token::run(&command, global, output),
        Command::PreviewWorker => {
            let good = compactvault_preview::worker::run(compactvault_preview::JOBS);
            Ok(if good { Exit::Done } else { Exit::Error })
        }
    }
}
