//! `backup` and `freeze`: verified copies of a vault.

use std::path::Path;

use compactvault_vault::{Access, CopyError, CopyOptions, CopyReport, CopyWatch, VerifyLevel};
use serde_json::json;

use crate::args::{Backup, Freeze, Global};
use crate::exit::{Exit, Stopped};
use crate::format::{bytes, things};
use crate::names::shown_path;
use crate::output::{Output, Tone};
use crate::progress::Bar;
use crate::{interrupt, vault_choice};

pub(crate) fn backup(args: &Backup, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let level = if args.deep {
        VerifyLevel::Deep
    } else {
        VerifyLevel::Full
    };
    let frozen = false;
    run(&args.file, CopyOptions { frozen, level }, global, output)
}

pub(crate) fn freeze(args: &Freeze, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let options = CopyOptions {
        frozen: true,
        level: VerifyLevel::Deep,
    };
    run(&args.file, options, global, output)
}

fn run(
    file: &Path,
    options: CopyOptions,
    global: &Global,
    output: &Output,
) -> anyhow::Result<Exit> {
    let stop = interrupt::stop_flag()?;
    let vault = vault_choice::open(global, None, Access::Read)?;
    let bar = Bar::new(output, 1);
    let watch = CopyWatch {
        progress: &|progress| {
            bar.set_total(progress.bytes_total);
            let text = if progress.verifying {
                "verifying the copy"
            } else {
                "copying"
            };
            bar.set(progress.bytes_done, || text.into());
        },
        stop,
    };
    let copied = vault.copy_to(file, options, &watch);
    let path = vault.path().to_path_buf();
    let seconds = bar.elapsed().as_secs_f64();
    drop(bar);
    let closed = vault.close();
    let report = match copied {
        Err(error @ CopyError::Stopped) => return Err(Stopped(error.to_string()).into()),
        copied => copied?,
    };
    closed?;
    print(&path, file, options, &report, seconds, output)?;
    Ok(Exit::Done)
}

fn print(
    vault: &Path,
    file: &Path,
    options: CopyOptions,
    report: &CopyReport,
    seconds: f64,
    output: &Output,
) -> anyhow::Result<()> {
    let (done, level) = match (options.frozen, options.level) {
        (true, _) => ("Froze", "deep"),
        (_, VerifyLevel::Deep) => ("Copied", "deep"),
        _ => ("Copied", "full"),
    };
    output.line(format_args!(
        "{done} {} to {} ({}) in {seconds:.1} s",
        shown_path(vault),
        shown_path(file),
        bytes(report.bytes),
    ))?;
    let verified = &report.verified;
    output.line(format_args!(
        "  verified    {level}: {}, {}, {}; {}",
        things(verified.entries, "entry", "entries"),
        things(verified.assets, "asset", "assets"),
        things(verified.chunks, "chunk", "chunks"),
        output.tone(Tone::Good, "everything is as it was sealed"),
    ))?;
    output.line(format_args!("  log         {} entries", report.log_size))?;
    output.line(format_args!("  root        {}", report.root))?;
    output.result(|| {
        json!({
            "vault": vault.to_string_lossy(),
            "file": file.to_string_lossy(),
            "frozen": options.frozen,
            "level": level,
            "bytes": report.bytes,
            "log_size": report.log_size,
            "root": report.root.to_string(),
            "entries": verified.entries,
            "assets": verified.assets,
            "chunks": verified.chunks,
            "seconds": seconds,
        })
    })?;
    Ok(())
}
