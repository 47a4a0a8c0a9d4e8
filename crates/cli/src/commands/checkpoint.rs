//! `checkpoint`: the log's size and root, to keep elsewhere.

use std::io::{self, Write};

use compactvault_vault::prove::in_words;
use serde_json::json;

use crate::args::{Checkpoint, Global};
use crate::exit::Exit;
use crate::names::shown_path;
use crate::output::Output;
use crate::vault_choice;

pub(crate) fn run(args: &Checkpoint, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let (checkpoint, id, state) = vault_choice::look(global, None, |vault| {
        Ok((
            vault.checkpoint()?,
            vault.id(),
            vault.state_dir().to_path_buf(),
        ))
    })?;
    let words = in_words(id, checkpoint.size, &checkpoint.root);
    if args.words && !output.json {
        io::stdout().lock().write_all(words.as_bytes())?;
    } else if !output.json {
        // The note as it is: its bytes are what the signature is for.
        io::stdout().lock().write_all(checkpoint.note.as_bytes())?;
        if !checkpoint.signed {
            output.remark(format_args!(
                "unsigned: the vault's key is not in {}",
                shown_path(&state)
            ));
        }
    }
    output.result(|| {
        json!({
            "note": checkpoint.note,
            "words": words,
            "signed": checkpoint.signed,
            "log_size": checkpoint.size,
            "root": checkpoint.root.to_string(),
        })
    })?;
    Ok(Exit::Done)
}
