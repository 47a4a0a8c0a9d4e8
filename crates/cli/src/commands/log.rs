//! `log export`: the log as files that other programs read.

use serde_json::json;

use crate::args::{Global, Log, LogCommand, LogExport};
use crate::exit::Exit;
use crate::format::things;
use crate::names::shown_path;
use crate::output::Output;
use crate::vault_choice;

pub(crate) fn run(args: &Log, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    match &args.command {
        LogCommand::Export(args) => export(args, global, output),
    }
}

fn export(args: &LogExport, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let report = vault_choice::look(global, None, |vault| Ok(vault.export_tiles(&args.tiles)?))?;
    output.line(format_args!(
        "{}: {}, {} written, {} there already",
        shown_path(&args.tiles),
        things(report.entries, "entry", "entries"),
        things(report.written, "file", "files"),
        report.kept,
    ))?;
    output.result(|| {
        json!({
            "tiles": args.tiles.to_string_lossy(),
            "entries": report.entries,
            "written": report.written,
            "kept": report.kept,
        })
    })?;
    Ok(Exit::Done)
}
