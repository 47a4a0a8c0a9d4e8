//! `verify`: whether everything is what was sealed.

use compactvault_vault::{Finding, Severity, VerifyLevel, VerifyReport};
use serde_json::{Value, json};

use crate::args::{Global, Verify};
use crate::exit::{self, Exit};
use crate::format::{bytes, things};
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
    let bar = Bar::new(output, 0);
    let looked = vault_choice::look(global, args.file.as_deref(), |vault| {
        let report = vault.verify(level, &|progress| {
            bar.set_total(progress.bytes_total);
            bar.set(progress.bytes_done, || "reading".into());
        })?;
        Ok((report, vault.path().to_path_buf()))
    });
    let (report, path) = match looked {
        Ok(looked) => looked,
        Err(error) => return unopened(error, args, global, output),
    };
    let seconds = bar.elapsed().as_secs_f64();
    drop(bar);

    for finding in &report.findings {
        output.line(describe(finding, output))?;
    }
    if report.findings_left_out > 0 {
        let more = things(report.findings_left_out, "more finding", "more findings");
        output.line(format_args!("… and {more}"))?;
    }
    let mut exit = exit::of_report(&report);
    let prospect = (exit == Exit::Lost)
        .then(|| rescue::prospect(&path, output))
        .flatten();
    if let Some((better, how)) = &prospect {
        exit = *better;
        output.line(how)?;
    }
    output.line(format_args!(
        "{}: {} verification read {} in {seconds:.1} s",
        shown_path(&path),
        word(level),
        what_was_read(&report),
    ))?;
    let total = report.findings.len() as u64 + report.findings_left_out;
    let findings = things(total, "finding", "findings");
    output.line(match exit {
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
            "exit_code": exit as u8,
        })
    })?;
    Ok(exit)
}

/// A vault that cannot even be opened may still be rescued whole.
fn unopened(
    error: anyhow::Error,
    args: &Verify,
    global: &Global,
    output: &Output,
) -> anyhow::Result<Exit> {
    if !matches!(
        exit::of_error(&error).0,
        Exit::Lost | Exit::NoVault | Exit::Error
    ) {
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
