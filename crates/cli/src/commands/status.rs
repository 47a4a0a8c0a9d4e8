//! `status`: figures about a vault.

use std::path::Path;
use std::time::SystemTime;

use compactvault_vault::{Status, Timestamp};
use serde_json::{Value, json};

use crate::args::{Global, Status as Args};
use crate::exit::Exit;
use crate::format::{bytes, count, percent, things, utc};
use crate::names::shown_path;
use crate::output::{Output, Tone};
use crate::vault_choice;

/// What a vault says of itself because this command asked for no more.
const OPENED_FOR_READING: &str = "it was opened for reading";

pub(crate) fn run(args: &Args, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let (status, path) = vault_choice::look(global, args.file.as_deref(), |vault| {
        Ok((vault.status()?, vault.path().to_path_buf()))
    })?;
    let cannot_add = status
        .read_only
        .clone()
        .filter(|reason| reason != OPENED_FOR_READING);

    let saved = Saved::of(&status);
    output.line(output.tone(Tone::Strong, &shown_path(&path)))?;
    let line = |what: &str, value: String| output.line(format_args!("  {what:<14}{value}"));
    line("id", status.vault.to_string())?;
    line(
        "created",
        format!(
            "{} UTC",
            utc(Timestamp::from_unix_ms(status.created_unix_ms))
        ),
    )?;
    line("format", status.format.to_string())?;
    line(
        "holds",
        format!(
            "{}, {}, {}, {}",
            things(status.projects, "project", "projects"),
            things(status.collections, "collection", "collections"),
            things(status.assets, "asset", "assets"),
            things(status.links, "link", "links"),
        ),
    )?;
    line("content", bytes(status.logical_bytes))?;
    line(
        "stored",
        format!(
            "{} in {}, {}",
            bytes(status.stored_bytes),
            things(status.chunks, "chunk", "chunks"),
            things(status.packs, "pack", "packs"),
        ),
    )?;
    line(
        "saved",
        format!(
            "{} by deduplication ({}), {} by compression ({})",
            bytes(saved.deduplication),
            percent(saved.deduplication, status.logical_bytes),
            bytes(saved.compression),
            percent(saved.compression, status.unique_bytes),
        ),
    )?;
    line("file", bytes(status.file_bytes))?;
    if status.unreferenced_chunks > 0 {
        let chunks = things(status.unreferenced_chunks, "chunk", "chunks");
        line(
            "left over",
            format!("{chunks} of imports that ended early; used again when the bytes come back"),
        )?;
    }
    line("log", format!("{} entries", count(status.entries)))?;
    line("root", status.root.to_string())?;
    line("last verified", last_verified(&status))?;
    if let Some(reason) = &cannot_add {
        line("read only", output.tone(Tone::Caution, reason))?;
    }
    let safe = match &status.copy_hindrance {
        None => output.tone(Tone::Good, "yes"),
        Some(why) => output.tone(Tone::Caution, &format!("no: {why}")),
    };
    line("safe to copy", safe)?;
    output.result(|| as_json(&status, &path, cannot_add.as_deref()))?;
    Ok(Exit::Done)
}

fn as_json(status: &Status, path: &Path, cannot_add: Option<&str>) -> Value {
    let saved = Saved::of(status);
    json!({
        "vault": path.to_string_lossy(),
        "id": status.vault.to_string(),
        "created_unix_ms": status.created_unix_ms,
        "format": status.format,
        "read_only": cannot_add,
        "projects": status.projects,
        "collections": status.collections,
        "assets": status.assets,
        "links": status.links,
        "log_size": status.entries,
        "root": status.root.to_string(),
        "chunks": status.chunks,
        "packs": status.packs,
        "unreferenced_chunks": status.unreferenced_chunks,
        "logical_bytes": status.logical_bytes,
        "unique_bytes": status.unique_bytes,
        "stored_bytes": status.stored_bytes,
        "file_bytes": status.file_bytes,
        "saved_by_deduplication_bytes": saved.deduplication,
        "saved_by_compression_bytes": saved.compression,
        "safe_to_copy": status.safe_to_copy,
        "copy_hindrance": status.copy_hindrance,
        "repairs": status.repairs,
        "last_verified": {
            "parts": status.verified.parts,
            "parts_never": status.verified.never,
            "oldest_unix_ms": status.verified.oldest_unix_ms,
            "newest_unix_ms": status.verified.newest_unix_ms,
        },
    })
}

/// How long ago the part was verified whose turn was longest ago.
fn last_verified(status: &Status) -> String {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    let verified = &status.verified;
    let Some(oldest) = verified.oldest_unix_ms else {
        return "never; `compactvault scrub` does it".into();
    };
    let now = Timestamp::from_system(SystemTime::now()).map_or(oldest, Timestamp::unix_ms);
    let days = now.saturating_sub(oldest).max(0) / DAY_MS + 1;
    let within = things(days.unsigned_abs(), "day", "days");
    let parts = (verified.parts - verified.never, verified.parts);
    let what = match parts {
        (done, all) if done == all => "everything".into(),
        (done, all) => format!("{done} of {all} parts"),
    };
    let healed = match status.repairs {
        0 => String::new(),
        repairs => format!("; healed {}", things(repairs, "time", "times")),
    };
    format!("{what} within {within}{healed}")
}

/// What need not be stored, and why.
struct Saved {
    deduplication: u64,
    compression: u64,
}

impl Saved {
    fn of(status: &Status) -> Self {
        Self {
            // Chunks without an asset make it smaller than it is; it is never less than nothing.
            deduplication: status.logical_bytes.saturating_sub(status.unique_bytes),
            compression: status.unique_bytes.saturating_sub(status.stored_bytes),
        }
    }
}
