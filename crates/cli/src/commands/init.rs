//! `init`: a new vault.

use std::ffi::OsStr;
use std::path::PathBuf;

use compactvault_vault::{Access, OpenOptions, Parity, Vault};
use serde_json::json;

use crate::args::{Global, Init};
use crate::exit::{Exit, Usage};
use crate::names::shown_path;
use crate::output::Output;
use crate::vault_choice;

/// What a new vault is called that nobody named.
const NAME: &str = "default.vault";

pub(crate) fn run(args: &Init, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let percent: u8 = args.parity.parse()?;
    let options = OpenOptions {
        parity: Parity::try_from(percent).map_err(anyhow::Error::msg)?,
        ..vault_choice::options(global, Access::Write)
    };
    if let (Some(file), Some(named)) = (&args.file, &global.vault)
        && file != named
    {
        let (file, named) = (shown_path(file), shown_path(named));
        let what = format!("one new vault cannot be both {file} and {named}; name it once");
        return Err(Usage(what).into());
    }
    let named = args.file.clone().or_else(|| vault_choice::named(global));
    let file = named.unwrap_or_else(|| PathBuf::from(NAME));
    let vault = Vault::create(&file, &options)?;
    let (id, key, state) = (
        vault.id().to_string(),
        vault.public_key().to_owned(),
        vault.state_dir().to_path_buf(),
    );
    vault.close()?;
    output.line(format_args!("Created {}", shown_path(&file)))?;
    output.line(format_args!("  id          {id}"))?;
    output.line(format_args!("  public key  {key}"))?;
    output.line(format_args!(
        "  signs with  {} (keep a copy; without it checkpoints are unsigned)",
        shown_path(&state.join("signing-key"))
    ))?;
    if file.extension() != Some(OsStr::new("vault")) {
        output.remark("Its name does not end in .vault: name it with --vault each time.");
    }
    output.result(|| {
        json!({
            "vault": file.to_string_lossy(),
            "id": id,
            "public_key": key,
            "state_dir": state.to_string_lossy(),
        })
    })?;
    Ok(Exit::Done)
}
