//! `proof`: what shows without the vault that an asset is in it.

use std::fs::File;
use std::io::{self, Write};

use anyhow::Context as _;
use compactvault_vault::Vault;
use serde_json::json;

use super::get;
use crate::args::{Global, Proof};
use crate::exit::Exit;
use crate::kept;
use crate::names::shown_path;
use crate::output::Output;
use crate::{target, vault_choice};

pub(crate) fn run(args: &Proof, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let at = args.at.as_deref().map(kept::checkpoint).transpose()?;
    let proof = vault_choice::look(global, None, |vault: &Vault| {
        let id = match target::id(&args.what) {
            Some(id) => id,
            None => get::find(vault, &target::path(&args.what)?)?,
        };
        Ok(match (&at, args.size) {
            (Some(at), _) => vault.proof_at(id, at.clone())?,
            (None, Some(size)) => vault.proof_at(id, vault.checkpoint_at(size)?)?,
            (None, None) => vault.proof(id)?,
        })
    })?;
    let text = proof.to_text();
    match &args.out {
        Some(path) => {
            let write = || -> io::Result<()> {
                let mut file = File::create_new(path)?;
                file.write_all(text.as_bytes())?;
                file.sync_all()
            };
            write().with_context(|| format!("cannot write {}", shown_path(path)))?;
            output.line(format_args!(
                "{}  entry {} in a log of {}",
                shown_path(path),
                proof.index,
                proof.checkpoint.size
            ))?;
        }
        None if !output.json => io::stdout().lock().write_all(text.as_bytes())?,
        None => {}
    }
    output.result(|| {
        json!({
            "proof": text,
            "index": proof.index,
            "log_size": proof.checkpoint.size,
            "root": proof.checkpoint.root.to_string(),
            "file": args.out.as_deref().map(|path| path.to_string_lossy()),
        })
    })?;
    Ok(Exit::Done)
}
