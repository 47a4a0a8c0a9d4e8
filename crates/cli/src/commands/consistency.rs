//! `consistency`: whether one kept checkpoint continues another.

use anyhow::Context as _;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use compactvault_vault::prove::KeptCheckpoint;
use serde_json::json;

use crate::args::{Consistency, Global};
use crate::exit::Exit;
use crate::format::things;
use crate::kept;
use crate::names::shown_path;
use crate::output::{Output, Tone};
use crate::vault_choice;

pub(crate) fn run(args: &Consistency, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let old = kept::checkpoint(&args.old)?;
    let new = kept::checkpoint(&args.new)?;
    let proof = vault_choice::look(global, None, |vault| {
        // Each by itself first, so that an error names the file.
        for (path, kept) in [(&args.old, &old), (&args.new, &new)] {
            one(vault, kept).with_context(|| shown_path(path))?;
        }
        Ok(vault.consistency(&old, &new)?)
    })?;
    for hash in &proof.hashes {
        output.line(BASE64_STANDARD.encode(hash.as_bytes()))?;
    }
    let entries = things(proof.new_size, "entry", "entries");
    let verdict = format!(
        "the log of {entries} begins with that of {}",
        proof.old_size
    );
    output.remark(output.tone(Tone::Good, &verdict));
    output.result(|| {
        json!({
            "consistent": true,
            "old_size": proof.old_size,
            "new_size": proof.new_size,
            "hashes": proof.hashes.iter().map(|h| BASE64_STANDARD.encode(h.as_bytes())).collect::<Vec<_>>(),
        })
    })?;
    Ok(Exit::Done)
}

fn one(vault: &compactvault_vault::Vault, kept: &KeptCheckpoint) -> anyhow::Result<()> {
    vault.consistency(kept, kept)?;
    Ok(())
}
