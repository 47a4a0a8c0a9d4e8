//! `check-proof`: a file, its proof and a checkpoint, without any vault.

use std::fs::File;

use anyhow::Context as _;
use compactvault_vault::Timestamp;
use compactvault_vault::prove::{PROOF_BYTES_MAX, Proof};
use serde_json::{Map, Value, json};

use crate::args::CheckProof;
use crate::exit::Exit;
use crate::format::{bytes, utc};
use crate::kept;
use crate::names::{self, shown_path};
use crate::output::{Output, Tone};

pub(crate) fn run(args: &CheckProof, output: &Output) -> anyhow::Result<Exit> {
    let trusted = kept::checkpoint(&args.checkpoint)?;
    let text = kept::bounded(&args.proof, PROOF_BYTES_MAX)?;
    let check = || -> anyhow::Result<_> {
        let proof = Proof::parse(&text)?;
        Ok((proof.check(&trusted)?, proof.checkpoint.vault))
    };
    let (asset, vault) = check().with_context(|| shown_path(&args.proof))?;
    let mut file = File::open(&args.file)
        .with_context(|| format!("cannot read {}", shown_path(&args.file)))?;
    asset
        .check_file(&mut file)
        .with_context(|| shown_path(&args.file))?;
    output.line(format_args!(
        "{}: {} is “{}”, entry {} of vault {}, sealed {}",
        output.tone(Tone::Good, "proved"),
        shown_path(&args.file),
        asset.name.escaped(),
        asset.index,
        trusted
            .vault
            .or(vault)
            .map_or_else(|| "unknown".into(), |id| id.to_string()),
        utc(Timestamp::from_unix_ms(asset.sealed_at_unix_ms)),
    ))?;
    output.line(format_args!(
        "  {}, sha256 {}, in a log of {} entries",
        bytes(asset.size),
        asset.sha256,
        trusted.size
    ))?;
    output.result(|| {
        let mut map = Map::new();
        names::put(&mut map, "name", asset.name.as_bytes());
        let figures = json!({
            "proved": true,
            "index": asset.index,
            "size": asset.size,
            "sha256": asset.sha256.to_string(),
            "crc32": format!("{:08x}", asset.crc32),
            "sealed_at_unix_ms": asset.sealed_at_unix_ms,
            "log_size": trusted.size,
            "vault": trusted.vault.or(vault).map(|id| id.to_string()),
        });
        if let Value::Object(figures) = figures {
            map.extend(figures);
        }
        Value::Object(map)
    })?;
    Ok(Exit::Done)
}
