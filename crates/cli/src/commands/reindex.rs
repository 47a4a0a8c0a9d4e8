//! `reindex`: the derived data again, from what is sealed.

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
    vault.close()?;
    rebuilt?;
    let entries = entries?;
    output.line(format_args!(
        "{}: made the lists, counts and orders of {entries} entries again",
        shown_path(&path)
    ))?;
    output.result(|| json!({ "vault": path.to_string_lossy(), "entries": entries }))?;
    Ok(Exit::Done)
}
