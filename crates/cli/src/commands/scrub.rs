//! `scrub`: verification in parts, oldest first, that heals what it can.

use std::sync::Arc;

use compactvault_vault::{
    Access, Healed, Parity, Remedy, ScrubOptions, ScrubReport, Seq, Unhealed,
};
use serde_json::json;

use crate::args::{Global, Scrub};
use crate::exit::{Exit, Stopped};
use crate::format::{bytes, things};
use crate::interrupt;
use crate::names::shown_path;
use crate::output::{Output, Tone};
use crate::progress::Bar;
use crate::vault_choice;

/// Lines of what was healed; the rest is counted.
const SHOWN_MAX: usize = 20;

pub(crate) fn run(args: &Scrub, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let vault = vault_choice::open(global, args.file.as_deref(), Access::Write)?;
    interrupt::stop_flag()?;
    let path = vault.path().to_path_buf();
    let bar = Bar::new(
        output,
        vault.status().map_or(0, |status| status.stored_bytes),
    );
    let options = ScrubOptions {
        budget: args.budget,
        pace: args.pace,
        stop: Arc::new(interrupt::was_interrupted),
        ..ScrubOptions::default()
    };
    let scrubbed = vault.scrub(&options, &|progress| {
        bar.set(progress.bytes_done, || {
            format!("part {} of {}", progress.parts_done + 1, progress.parts)
        });
    });
    let seconds = bar.elapsed().as_secs_f64();
    drop(bar);
    let closed = vault.close();
    let report = scrubbed?;
    closed?;

    for healed in report.healed.iter().take(SHOWN_MAX) {
        let word = output.tone(Tone::Good, "healed");
        output.line(format_args!("{word}  {}", what_was_healed(healed)))?;
    }
    if let Some(more @ 1..) = report.healed.len().checked_sub(SHOWN_MAX) {
        output.line(format_args!("… and {more} more healed"))?;
    }
    for left in &report.unhealed {
        output.line(what_is_left(left, output))?;
    }
    output.line(format_args!(
        "{}: verified {} of {} parts ({}) in {seconds:.1} s",
        shown_path(&path),
        report.parts_done,
        report.parts,
        bytes(report.bytes),
    ))?;
    let exit = exit_of(&report);
    output.line(verdict(&report, exit, output))?;
    if report.parity == Parity::Off {
        output.remark("this vault was made with --parity 0: only lists and indexes can be healed");
    }
    output.result(|| {
        json!({
            "vault": path.to_string_lossy(),
            "parts": report.parts,
            "parts_done": report.parts_done,
            "parts_damaged": report.parts_damaged,
            "bytes": report.bytes,
            "seconds": seconds,
            "parity": report.parity.percent(),
            "healed": report.healed.iter().map(|healed| json!({
                "table": healed.table,
                "id": healed.id,
                "bytes": healed.bytes,
                "sha256": healed.sha256.map(|digest| digest.to_string()),
            })).collect::<Vec<_>>(),
            "unhealed": report.unhealed.iter().map(|left| json!({
                "remedy": match left.remedy {
                    Remedy::Rescue => "rescue",
                    Remedy::None => "none",
                },
                "table": left.table,
                "id": left.id,
                "detail": left.detail,
            })).collect::<Vec<_>>(),
            "repairs": report.repairs.iter().map(|seq| Seq::get(*seq)).collect::<Vec<_>>(),
            "exit_code": exit as u8,
        })
    })?;
    if report.stopped {
        return Err(Stopped("stopped; the next scrub goes on from here".into()).into());
    }
    Ok(exit)
}

fn exit_of(report: &ScrubReport) -> Exit {
    match report.unhealed.iter().map(|left| left.remedy).max() {
        None => Exit::Done,
        Some(Remedy::Rescue) => Exit::Repairable,
        Some(Remedy::None) => Exit::Lost,
    }
}

fn verdict(report: &ScrubReport, exit: Exit, output: &Output) -> String {
    let left = things(
        report.unhealed.len() as u64,
        "damage remains",
        "damages remain",
    );
    match exit {
        Exit::Done if report.healed.is_empty() => {
            output.tone(Tone::Good, "all that was read is as it was sealed")
        }
        Exit::Done => output.tone(
            Tone::Good,
            "everything that was damaged is healed and reads back as it was sealed",
        ),
        Exit::Repairable => output.tone(
            Tone::Caution,
            &format!("{left}; copy the file, then run `compactvault rescue`"),
        ),
        _ => output.tone(
            Tone::Bad,
            &format!("{left}, more than parity restores; copy the file before anything else"),
        ),
    }
}

fn what_was_healed(healed: &Healed) -> String {
    match healed.id {
        Some(id) if healed.bytes > 0 => {
            format!("{} {id}: {} put back", healed.table, bytes(healed.bytes))
        }
        Some(id) => format!("{} {id}: made again", healed.table),
        None => format!("{}: made again", healed.table),
    }
}

fn what_is_left(left: &Unhealed, output: &Output) -> String {
    let word = match left.remedy {
        Remedy::Rescue => output.tone(Tone::Caution, "rescue"),
        Remedy::None => output.tone(Tone::Bad, "lost  "),
    };
    let id = left.id.map(|id| format!(" {id}")).unwrap_or_default();
    format!("{word}  {}{id}: {}", left.table, left.detail)
}
