//! `reindex`: the derived data again, from what is sealed. Thumbnails and facts are removed, and made by `serve`.

use anyhow::Context as _;
use compactvault_vault::Access;
use serde_json::json;

use crate::args::{Global, Reindex};
use crate::exit::Exit;
use crate::names::shown_path;
use crate::output::Output;
use crate::vault_choice;

pub(crate) fn run(args: &Reindex, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let vault = vault_choice::open(global, args.file.as_deref(), Access::Write)?;
    let path = vault.path().to_path_buf();
    let rebuilt = vault.rebuild_derived();
    let entries = vault.log_size();
    let forgotten = compactvault_server::previews::forget(&vault);
    vault.close()?;
    rebuilt?;
    let entries = entries?;
    forgotten.context("cannot remove the thumbnails and facts")?;
    output.line(format_args!(
        "{}: made the lists, counts and orders of {entries} entries again",
        shown_path(&path)
    ))?;
    output.result(|| json!({ "vault": path.to_string_lossy(), "entries": entries }))?;
    Ok(Exit::Done)
}
