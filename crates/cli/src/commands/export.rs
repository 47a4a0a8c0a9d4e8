//! `export`: a place, or the whole vault, to a folder.

use compactvault_vault::export::{ExportOptions, ExportReport, ExportWatch, export};
use compactvault_vault::{Access, Node, PlaceId, ReadError};
use serde_json::{Map, Value, json};

use crate::args::{Export, Global};
use crate::exit::{Exit, Stopped, Usage};
use crate::format::{bytes, count, things};
use crate::names::{self, shown, shown_path};
use crate::output::{Output, Tone};
use crate::progress::Bar;
use crate::{interrupt, target, vault_choice};

pub(crate) fn run(args: &Export, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let stop = interrupt::stop_flag()?;
    let vault = vault_choice::open(global, None, Access::Read)?;
    let path = match &args.path {
        Some(path) => target::path(path)?,
        None => Vec::new(),
    };
    let from = match vault.resolve(&path)? {
        Node::Vault => None,
        Node::Project(project) => Some(PlaceId::Project(project.id)),
        Node::Collection(collection) => Some(PlaceId::Collection(collection.id)),
        _ => {
            let shown = shown(&path);
            return Err(Usage(format!(
                "“{shown}” is neither project nor collection; take a file out with `compactvault get`"
            ))
            .into());
        }
    };
    let options = ExportOptions {
        all_versions: args.all_versions,
        ..ExportOptions::default()
    };
    let bar = Bar::new(output, 0);
    let report = export(
        &vault,
        from,
        &args.out,
        options,
        ExportWatch {
            progress: &|progress| {
                bar.set_total(progress.bytes_total);
                bar.set(progress.bytes_done, || {
                    let (done, total) = (count(progress.files_done), count(progress.files_total));
                    format!("{done} of {total} files")
                });
            },
            stop,
        },
    );
    drop(bar);
    let report = report?;
    vault.close()?;
    let exit = exit_of(&report);
    print(args, &report, exit, output)?;
    if report.stopped {
        return Err(Stopped(format!(
            "stopped before the end; {} is not complete",
            shown_path(&args.out)
        ))
        .into());
    }
    Ok(exit)
}

fn exit_of(report: &ExportReport) -> Exit {
    if !report.damaged.is_empty() {
        return Exit::Lost;
    }
    match &report.listing {
        Some(ReadError::Derived { .. }) => Exit::Repairable,
        Some(_) => Exit::Lost,
        None if !report.refused.is_empty() => Exit::Error,
        None => Exit::Done,
    }
}

fn print(args: &Export, report: &ExportReport, exit: Exit, output: &Output) -> anyhow::Result<()> {
    for renamed in &report.renamed {
        output.line(format_args!(
            "renamed  {} is in {}",
            shown(&renamed.path),
            shown_path(&renamed.to)
        ))?;
    }
    for refused in &report.refused {
        let word = output.tone(Tone::Bad, "refused");
        output.line(format_args!(
            "{word}  {}: {}",
            shown(&refused.path),
            refused.reason
        ))?;
    }
    for damaged in &report.damaged {
        let word = output.tone(Tone::Bad, "damaged");
        output.line(format_args!(
            "{word}  {} (#{}): {}",
            shown(&damaged.path),
            damaged.id,
            damaged.error
        ))?;
    }
    if report.left_out > 0 {
        output.line(format_args!("… and {} more", count(report.left_out)))?;
    }
    if let Some(error) = &report.listing {
        let word = output.tone(Tone::Bad, "damaged");
        output.line(format_args!(
            "{word}  the list of what to export could not be read to its end: {error}"
        ))?;
    }
    output.line(format_args!(
        "Exported {} ({}), {}, {} to {}",
        things(report.files, "file", "files"),
        bytes(report.bytes),
        things(report.links, "link", "links"),
        things(report.folders, "folder", "folders"),
        shown_path(&args.out),
    ))?;
    output.result(|| {
        let paths = |path: &[compactvault_vault::Name]| {
            let mut map = Map::new();
            names::put(&mut map, "path", &names::raw(path));
            map
        };
        let renamed = report.renamed.iter().map(|renamed| {
            let mut map = paths(&renamed.path);
            names::put_path(&mut map, "to", &renamed.to);
            Value::Object(map)
        });
        let refused = report.refused.iter().map(|refused| {
            let mut map = paths(&refused.path);
            map.insert("id".into(), refused.entry.get().into());
            map.insert("reason".into(), refused.reason.clone().into());
            Value::Object(map)
        });
        let damaged = report.damaged.iter().map(|damaged| {
            let mut map = paths(&damaged.path);
            map.insert("id".into(), damaged.id.get().into());
            map.insert("reason".into(), damaged.error.to_string().into());
            Value::Object(map)
        });
        json!({
            "out": args.out.to_string_lossy(),
            "files": report.files,
            "bytes": report.bytes,
            "links": report.links,
            "folders": report.folders,
            "renamed": renamed.collect::<Vec<_>>(),
            "refused": refused.collect::<Vec<_>>(),
            "damaged": damaged.collect::<Vec<_>>(),
            "left_out": report.left_out,
            "listing_error": report.listing.as_ref().map(ToString::to_string),
            "stopped": report.stopped,
            "exit_code": if report.stopped { Exit::Error } else { exit } as u8,
        })
    })?;
    Ok(())
}
