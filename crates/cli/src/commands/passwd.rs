//! `passwd`: the password of the page and the API.

use std::io::{self, BufRead as _, IsTerminal as _};

use anyhow::Context as _;
use compactvault_server::grants::Grants;
use serde_json::json;

use crate::args::{Global, Passwd};
use crate::exit::{Exit, Usage};
use crate::output::Output;
use crate::vault_choice;

pub(crate) fn run(args: &Passwd, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let state = vault_choice::look(global, None, |vault| Ok(vault.state_dir().to_path_buf()))?;
    let grants = Grants::in_folder(&state);
    if args.remove {
        let removed = grants.remove_password()?;
        output.remark(if removed {
            "The password is forgotten. A server that is running asks for it until it ends."
        } else {
            "There was no password."
        });
        output.result(|| json!({ "removed": removed }))?;
        return Ok(Exit::Done);
    }
    grants.set_password(&ask()?)?;
    output.remark("The password is set.");
    if std::env::var_os("COMPACTVAULT_PASSWORD").is_some() {
        output.remark("COMPACTVAULT_PASSWORD is set here and counts instead where it is.");
    }
    output.result(|| json!({ "set": true }))?;
    Ok(Exit::Done)
}

fn ask() -> anyhow::Result<String> {
    if !io::stdin().is_terminal() {
        let mut line = String::new();
        io::stdin()
            .lock()
            .read_line(&mut line)
            .context("cannot read the password from standard input")?;
        return Ok(line.trim_end_matches(['\n', '\r']).to_owned());
    }
    let prompt = |text| rpassword::prompt_password(text).context("cannot ask for the password");
    let password = prompt("New password: ")?;
    if prompt("The same again: ")? == password {
        Ok(password)
    } else {
        Err(Usage("the two passwords differ; nothing was changed".into()).into())
    }
}
