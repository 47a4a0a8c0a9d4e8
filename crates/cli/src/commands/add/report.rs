//! What `add` did, or would do.

use std::path::Path;

use compactvault_vault::paths::{Plan, PlannedKind, Report, Skipped};
use compactvault_vault::{Checkpoint, Name, ReadError, Vault};
use serde_json::{Map, Value, json};

use crate::exit::Exit;
use crate::format::{bytes, count, things};
use crate::names::{self, shown, shown_path};
use crate::output::{Output, Tone};

/// All there is to tell.
pub(super) struct Archived<'a> {
    pub(super) to: &'a [Name],
    /// `None` if it came from standard input.
    pub(super) plan: Option<&'a Plan>,
    pub(super) report: &'a Report,
    pub(super) checkpoint: &'a Checkpoint,
    /// Where its note was written, if that was asked for.
    pub(super) kept: Option<&'a Path>,
    pub(super) vault: &'a Path,
    pub(super) exit: Exit,
}

pub(super) fn archived(archived: &Archived<'_>, output: &Output) -> anyhow::Result<()> {
    let Archived {
        to,
        report,
        checkpoint,
        vault,
        ..
    } = archived;
    skipped(&report.skipped, report.skipped_left_out, output)?;
    output.line(format_args!(
        "{} {} ({}) in {} of {}",
        output.tone(Tone::Good, "Archived"),
        things(report.sealed, "new file", "new files"),
        bytes(report.sealed_bytes),
        shown(to),
        shown_path(vault),
    ))?;
    let mut rest = Vec::new();
    if report.already_archived > 0 {
        let unread = match report.unread {
            0 => "",
            all if all == report.already_archived => " (unchanged, not read again)",
            some => &format!(" ({} unchanged, not read again)", count(some)),
        };
        rest.push(format!(
            "{} already archived{unread}",
            count(report.already_archived)
        ));
    }
    if report.links > 0 {
        rest.push(things(report.links, "new link", "new links"));
    }
    if let Some(plan) = archived.plan.filter(|plan| plan.folders() > 0) {
        rest.push(things(plan.folders(), "folder", "folders"));
    }
    if !rest.is_empty() {
        output.line(format_args!("  {}", rest.join(", ")))?;
    }
    output.line(format_args!(
        "  log {}, root {}",
        things(checkpoint.size, "entry", "entries"),
        checkpoint.root
    ))?;
    let signed = if checkpoint.signed {
        "signed"
    } else {
        "unsigned"
    };
    match archived.kept {
        Some(path) => output.line(format_args!(
            "\nCheckpoint ({signed}), written to {}:",
            shown_path(path)
        ))?,
        None => output.line(format_args!("\nCheckpoint ({signed}), to keep elsewhere:"))?,
    }
    output.line(format_args!("\n{}", checkpoint.note.trim_end()))?;
    output.result(|| {
        let mut map = Map::new();
        names::put(&mut map, "to", &names::raw(to));
        names::put_path(&mut map, "vault", vault);
        let figures = json!({
            "sealed": report.sealed,
            "already_archived": report.already_archived,
            "unread": report.unread,
            "links": report.links,
            "folders": archived.plan.map_or(0, Plan::folders),
            "empty_folders": report.empty_folders,
            "bytes": report.bytes,
            "sealed_bytes": report.sealed_bytes,
            "excluded": archived.plan.map_or(0, Plan::excluded),
            "own_files": archived.plan.map(|plan| paths(plan.own_files())),
            "skipped": report.skipped.iter().map(skipped_json).collect::<Vec<_>>(),
            "skipped_left_out": report.skipped_left_out,
            "stopped": report.stopped,
            "log_size": checkpoint.size,
            "root": checkpoint.root.to_string(),
            "checkpoint": checkpoint.note,
            "signed": checkpoint.signed,
            "checkpoint_file": archived.kept.map(|path| path.to_string_lossy()),
            "exit_code": archived.exit as u8,
        });
        join(map, figures)
    })?;
    Ok(())
}

pub(super) fn dry_run(
    plan: &Plan,
    to: &[Name],
    vault: &Vault,
    output: &Output,
) -> anyhow::Result<()> {
    let known = known(vault, to)?;
    for item in plan.items() {
        let path: Vec<_> = to.iter().chain(&item.path).cloned().collect();
        let (size, mark) = match item.kind {
            PlannedKind::File => (bytes(item.bytes), ""),
            PlannedKind::Link => ("link".into(), "@"),
            PlannedKind::Folder => ("folder".into(), "/"),
        };
        output.line(format_args!("{size:>10}  {}{mark}", shown(&path)))?;
    }
    let (list, left_out) = plan.skipped();
    skipped(list, left_out, output)?;
    output.line(format_args!(
        "Would archive {} ({}), {}, {} to {}; nothing was archived",
        things(plan.files(), "file", "files"),
        bytes(plan.bytes()),
        things(plan.links(), "link", "links"),
        things(plan.folders(), "folder", "folders"),
        shown(to),
    ))?;
    if known < to.len() {
        output.line(format_args!("  {} would be created", shown(&to[..=known])))?;
    }
    output.result(|| {
        let mut map = Map::new();
        names::put(&mut map, "to", &names::raw(to));
        let items = plan.items().map(|item| {
            let mut map = Map::new();
            names::put(&mut map, "path", &names::raw(&item.path));
            let kind = match item.kind {
                PlannedKind::File => "file",
                PlannedKind::Link => "link",
                PlannedKind::Folder => "folder",
            };
            map.insert("kind".into(), kind.into());
            map.insert("size".into(), item.bytes.into());
            Value::Object(map)
        });
        let figures = json!({
            "dry_run": true,
            "to_exists": known == to.len(),
            "files": plan.files(),
            "links": plan.links(),
            "folders": plan.folders(),
            "bytes": plan.bytes(),
            "excluded": plan.excluded(),
            "own_files": paths(plan.own_files()),
            "items": items.collect::<Vec<_>>(),
            "skipped": list.iter().map(skipped_json).collect::<Vec<_>>(),
            "skipped_left_out": left_out,
        });
        join(map, figures)
    })?;
    Ok(())
}

/// How many names of a path exist, from the first on.
fn known(vault: &Vault, to: &[Name]) -> Result<usize, ReadError> {
    for depth in 1..=to.len() {
        match vault.resolve(&to[..depth]) {
            Ok(_) => {}
            Err(ReadError::NotFound { .. }) => return Ok(depth - 1),
            Err(error) => return Err(error),
        }
    }
    Ok(to.len())
}

fn skipped(list: &[Skipped], left_out: u64, output: &Output) -> anyhow::Result<()> {
    for skipped in list {
        let word = output.tone(Tone::Caution, "skipped");
        output.line(format_args!(
            "{word}  {}: {}",
            shown_path(&skipped.path),
            skipped.reason
        ))?;
    }
    if left_out > 0 {
        output.line(format_args!("skipped  … and {} more", count(left_out)))?;
    }
    Ok(())
}

fn skipped_json(skipped: &Skipped) -> Value {
    let mut map = Map::new();
    names::put_path(&mut map, "path", &skipped.path);
    map.insert("code".into(), skipped.reason.code().into());
    map.insert("reason".into(), skipped.reason.to_string().into());
    Value::Object(map)
}

fn paths(list: &[std::path::PathBuf]) -> Vec<String> {
    list.iter()
        .map(|path| path.to_string_lossy().into_owned())
        .collect()
}

fn join(mut map: Map<String, Value>, more: Value) -> Value {
    if let Value::Object(more) = more {
        map.extend(more);
    }
    Value::Object(map)
}
