//! `rescue`: a new vault from what is left of a damaged one; and what that would bring back, for `verify`.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use compactvault_vault::rescue::{self, Outcome, RescueReport, RescueStep};
use compactvault_vault::{Access, Severity, Vault, VerifyLevel};
use serde_json::json;

use crate::args::{Global, Rescue};
use crate::exit::Exit;
use crate::format::things;
use crate::names::shown_path;
use crate::output::{Output, Tone};
use crate::progress::Bar;
use crate::vault_choice;

pub(crate) fn run(args: &Rescue, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let options = vault_choice::options(global, Access::Write);
    let bar = Bar::new(output, 0);
    let report = rescue::rescue(&args.damaged, &args.out, &options, &mut |step| {
        show(&bar, step);
    })?;
    let verified = {
        let options = vault_choice::options(global, Access::Read);
        let vault = Vault::open(&args.out, &options)?;
        let verified = vault.verify(VerifyLevel::Deep, &|progress| {
            bar.set_total(progress.bytes_total);
            bar.set(progress.bytes_done, || "verifying the new vault".into());
        });
        vault.close()?;
        verified?
    };
    drop(bar);
    if let Some(path) = &args.report {
        let mut file = fs::File::create_new(path)?;
        for asset in &report.assets {
            writeln!(
                file,
                "{}\t{}\t{}",
                word(asset.outcome),
                asset.seq,
                asset.path
            )?;
        }
        file.sync_all()?;
    }
    for asset in report
        .assets
        .iter()
        .filter(|asset| asset.outcome != Outcome::Intact)
    {
        let tone = if asset.outcome == Outcome::Lost {
            Tone::Bad
        } else {
            Tone::Caution
        };
        let word = output.tone(tone, &format!("{:<6}", word(asset.outcome)));
        output.line(format_args!("{word}  {} (#{})", asset.path, asset.seq))?;
    }
    output.line(format_args!(
        "{} holds what is left of {}: {}",
        shown_path(&args.out),
        shown_path(&args.damaged),
        counts(&report)
    ))?;
    if !report.same_history {
        output.remark(
            "Entries in the middle of the log are gone, so the survivors have a new log and the vault a new identity: \
             checkpoints of the old one do not fit.",
        );
    }
    // What was lost is found again by verification; anything else there is news.
    let unexpected = report.complete() && verified.worst() == Some(Severity::Lost);
    let exit = if report.complete() && !unexpected {
        Exit::Done
    } else {
        Exit::Lost
    };
    output.line(match exit {
        Exit::Done => output.tone(Tone::Good, "everything is as it was sealed"),
        _ if unexpected => {
            output.tone(Tone::Bad, "the new vault does not verify; keep the old one")
        }
        _ => output.tone(
            Tone::Bad,
            "not everything could be brought back; keep the damaged file",
        ),
    })?;
    output.result(|| {
        json!({
            "damaged": args.damaged.to_string_lossy(),
            "vault": args.out.to_string_lossy(),
            "same_history": report.same_history,
            "entries": report.entries,
            "entries_lost": report.entries_lost,
            "intact": report.intact,
            "healed": report.healed,
            "lost": report.lost,
            "assets": report.assets.iter().map(|asset| json!({
                "entry": asset.seq.get(),
                "path": asset.path,
                "outcome": word(asset.outcome),
            })).collect::<Vec<_>>(),
            "exit_code": exit as u8,
        })
    })?;
    Ok(exit)
}

/// Whether a rescue of the file would bring everything back: for damage that verification cannot heal. `None` if the
/// file holds nothing of a vault.
pub(crate) fn prospect(file: &Path, output: &Output) -> Option<(Exit, String)> {
    let bar = Bar::new(output, 0);
    let report = rescue::assess(file, &mut |step| show(&bar, step)).ok()?;
    drop(bar);
    if report.entries == 0 {
        return None;
    }
    let exit = if report.complete() && report.same_history {
        Exit::Repairable
    } else {
        Exit::Lost
    };
    let how = format!(
        "`compactvault scrub` heals in place what it can reach; `compactvault rescue {} --out NEW.vault` brings back: {}",
        shown_path(file),
        counts(&report)
    );
    Some((exit, how))
}

fn show(bar: &Bar, step: RescueStep) {
    match step {
        RescueStep::Searching => bar.set(0, || "searching for what is left".into()),
        RescueStep::Restoring { done, of } => {
            bar.set(0, || format!("restoring, stripe {done} of {of}"));
        }
        RescueStep::Sealing => bar.set(0, || "sealing".into()),
    }
}

fn counts(report: &RescueReport) -> String {
    let mut text = format!(
        "{} intact, {} healed, {} lost",
        things(report.intact, "asset", "assets"),
        report.healed,
        report.lost
    );
    if report.entries_lost > 0 {
        let entries = things(report.entries_lost, "entry", "entries");
        text = format!("{text}; {entries} of the log are gone");
    }
    text
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Intact => "intact",
        Outcome::Healed => "healed",
        Outcome::Lost => "lost",
    }
}
