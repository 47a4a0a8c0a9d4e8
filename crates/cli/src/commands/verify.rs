//! `verify`: whether everything is what was sealed.

mod against;

use compactvault_vault::prove::{Comparison, KeptCheckpoint, ProveError, Verdict};
use compactvault_vault::{
    Finding, OpenError, ReadError, Severity, Vault, VerifyLevel, VerifyReport,
};
use serde_json::{Value, json};

use crate::args::{Global, Verify};
use crate::exit::{self, Exit};
use crate::format::{bytes, things};
use crate::kept;
use crate::names::shown_path;
use crate::output::{Output, Tone};
use crate::progress::Bar;
use crate::vault_choice;

use super::rescue;

pub(crate) fn run(args: &Verify, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let level = match (args.quick, args.deep) {
        (true, _) => VerifyLevel::Quick,
        (_, true) => VerifyLevel::Deep,
        _ => VerifyLevel::Full,
    };
    let kept = kept(args)?;
    let bar = Bar::new(output, 0);
    let looked = vault_choice::look(global, args.file.as_deref(), |vault| {
        let comparison = kept.as_ref().map(|kept| vault.compare(kept)).transpose()?;
        if let Some(comparison) = comparison
            .as_ref()
            .filter(|comparison| comparison.verdict == Verdict::OtherVault)
        {
            // Whether the wrong vault is intact was not the question.
            return Err(other_vault(vault, comparison));
        }
        let report = vault.verify(level, &|progress| {
            bar.set_total(progress.bytes_total);
            bar.set(progress.bytes_done, || "reading".into());
        })?;
        note(vault, &report, output);
        Ok((report, comparison, vault.path().to_path_buf()))
    });
    let (mut report, comparison, path) = match looked {
        Ok(looked) => looked,
        Err(error) => return unopened(error, args, global, output),
    };
    let seconds = bar.elapsed().as_secs_f64();
    drop(bar);

    let mut found = exit::of_report(&report);
    let prospect = (found == Exit::Lost)
        .then(|| rescue::prospect(&path, output))
        .flatten();
    if let Some((Exit::Repairable, _)) = &prospect {
        found = Exit::Repairable;
        for finding in &mut report.findings {
            finding.severity = Severity::Repairable;
        }
    }
    for finding in &report.findings {
        output.line(describe(finding, output))?;
    }
    if report.findings_left_out > 0 {
        let more = things(report.findings_left_out, "more finding", "more findings");
        output.line(format_args!("… and {more}"))?;
    }
    let exit = comparison
        .as_ref()
        .map_or(found, |c| exit::of_comparison(c.verdict, found));
    output.line(format_args!(
        "{}: {} verification read {} in {seconds:.1} s",
        shown_path(&path),
        word(level),
        what_was_read(&report),
    ))?;
    let total = report.findings.len() as u64 + report.findings_left_out;
    let findings = things(total, "finding", "findings");
    output.line(match found {
        Exit::Done => output.tone(Tone::Good, "everything is as it was sealed"),
        Exit::Repairable => output.tone(
            Tone::Caution,
            &format!("{findings}; nothing sealed is lost"),
        ),
        _ => output.tone(
            Tone::Bad,
            &format!("{findings}; copy the file before anything else"),
        ),
    })?;
    if let Some((_, how)) = &prospect {
        output.line(how)?;
    }
    if let Some(comparison) = &comparison {
        output.line(against::sentence(comparison, output))?;
    }
    if report
        .findings
        .iter()
        .any(|finding| finding.area == "derived")
    {
        output.remark("the lists can be made again from what is sealed: `compactvault reindex`");
    }
    output.result(|| {
        json!({
            "vault": path.to_string_lossy(),
            "level": word(level),
            "clean": exit == Exit::Done,
            "entries": report.entries,
            "assets": report.assets,
            "chunks": report.chunks,
            "bytes": report.bytes,
            "seconds": seconds,
            "findings": report.findings.iter().map(finding_json).collect::<Vec<_>>(),
            "findings_left_out": report.findings_left_out,
            "against": comparison.as_ref().map(against::json),
            "exit_code": exit as u8,
        })
    })?;
    Ok(exit)
}

/// Remembers that the file was verified, where that can be kept; the verification counts all the same.
fn note(vault: &Vault, report: &VerifyReport, output: &Output) {
    if let Err(error) = vault.note_verification(report, "verify") {
        output.remark(format_args!(
            "that it was verified could not be noted: {error}"
        ));
    }
}

/// A vault that cannot even be opened may still be rescued whole.
fn unopened(
    error: anyhow::Error,
    args: &Verify,
    global: &Global,
    output: &Output,
) -> anyhow::Result<Exit> {
    // What is another vault, a newer one or a wrong checkpoint is not damaged; a damaged WAL says itself what to do.
    let damaged = error.chain().any(|cause| {
        matches!(
            cause.downcast_ref(),
            Some(OpenError::Damaged { .. } | OpenError::NotAVault { .. } | OpenError::Store { .. })
        ) || matches!(
            cause.downcast_ref(),
            Some(ReadError::Damaged { .. } | ReadError::Store { .. })
        )
    });
    if !damaged {
        return Err(error);
    }
    let file = vault_choice::choose(global, args.file.as_deref())?;
    let Some((exit, how)) = rescue::prospect(&file, output) else {
        return Err(error);
    };
    output.line(format_args!("{error:#}"))?;
    output.line(&how)?;
    output.result(|| {
        json!({
            "vault": file.to_string_lossy(),
            "clean": false,
            "error": format!("{error:#}"),
            "rescue": how,
            "exit_code": exit as u8,
        })
    })?;
    Ok(exit)
}

/// The checkpoint to compare with, if one was given.
fn kept(args: &Verify) -> anyhow::Result<Option<KeptCheckpoint>> {
    match (&args.against, &args.against_words) {
        (Some(path), _) => kept::checkpoint(path).map(Some),
        (None, Some(words)) => Ok(Some(KeptCheckpoint::from_words(words, args.against_size)?)),
        (None, None) => Ok(None),
    }
}

fn other_vault(vault: &Vault, comparison: &Comparison) -> anyhow::Error {
    let of = comparison.kept.vault.map(|id| id.to_string());
    anyhow::Error::new(ProveError::OtherVault).context(format!(
        "the checkpoint is of vault {}, this is vault {}",
        of.unwrap_or_default(),
        vault.id()
    ))
}

fn word(level: VerifyLevel) -> &'static str {
    match level {
        VerifyLevel::Quick => "quick",
        VerifyLevel::Full => "full",
        VerifyLevel::Deep => "deep",
    }
}

fn what_was_read(report: &VerifyReport) -> String {
    let entries = things(report.entries, "entry", "entries");
    match report.level {
        VerifyLevel::Quick => entries,
        _ => format!(
            "{entries}, {} and {} ({})",
            things(report.assets, "asset", "assets"),
            things(report.chunks, "chunk", "chunks"),
            bytes(report.bytes),
        ),
    }
}

fn describe(finding: &Finding, output: &Output) -> String {
    let severity = match finding.severity {
        Severity::Lost => output.tone(Tone::Bad, "lost      "),
        Severity::Repairable => output.tone(Tone::Caution, "repairable"),
    };
    let what = match (&finding.path, finding.entry) {
        (Some(path), Some(entry)) => format!("{} {path} (#{entry})", finding.area),
        (_, Some(entry)) => format!("{} #{entry}", finding.area),
        _ => finding.area.to_owned(),
    };
    format!("{severity}  {what}: {}", finding.detail)
}

fn finding_json(finding: &Finding) -> Value {
    json!({
        "severity": match finding.severity {
            Severity::Lost => "lost",
            Severity::Repairable => "repairable",
        },
        "area": finding.area,
        "entry": finding.entry.map(compactvault_vault::Seq::get),
        "path": finding.path,
        "detail": finding.detail,
    })
}
