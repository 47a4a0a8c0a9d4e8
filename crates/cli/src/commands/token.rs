//! `token`: access tokens for scripts.

use std::io::Write as _;
use std::time::Duration;

use compactvault_server::grants::Grants;
use compactvault_vault::Timestamp;
use serde_json::json;

use crate::args::{Global, Token, TokenAdd};
use crate::exit::Exit;
use crate::format::{things, utc};
use crate::output::Output;
use crate::vault_choice;

const DAY: Duration = Duration::from_hours(24);

pub(crate) fn run(command: &Token, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let state = vault_choice::look(global, None, |vault| Ok(vault.state_dir().to_path_buf()))?;
    let grants = Grants::in_folder(&state);
    match command {
        Token::Add(args) => add(args, &grants, output),
        Token::List => list(&grants, output),
        Token::Revoke(args) => {
            if !grants.revoke_token(&args.name)? {
                anyhow::bail!("there is no token named {}", args.name);
            }
            output.remark(format_args!("{} is revoked.", args.name));
            output.result(|| json!({ "revoked": args.name }))?;
            Ok(Exit::Done)
        }
    }
}

fn add(args: &TokenAdd, grants: &Grants, output: &Output) -> anyhow::Result<Exit> {
    let token = grants.add_token(&args.name, args.scope, DAY * args.days)?;
    if !output.json {
        writeln!(std::io::stdout().lock(), "{token}")?;
    }
    let days = things(u64::from(args.days), "day", "days");
    output.remark(format_args!(
        "Good for {} for {days}. Keep it now: it cannot be shown again.",
        args.scope
    ));
    output
        .result(|| json!({ "name": args.name, "token": token, "scope": args.scope.to_string() }))?;
    Ok(Exit::Done)
}

fn list(grants: &Grants, output: &Output) -> anyhow::Result<Exit> {
    let tokens = grants.tokens()?;
    if !output.json {
        let width = tokens.iter().map(|token| token.name.chars().count()).max();
        let width = width.unwrap_or(0);
        let mut out = std::io::stdout().lock();
        for token in &tokens {
            let end = if token.has_expired() {
                "expired"
            } else {
                "expires"
            };
            let seconds = i64::try_from(token.expires_unix_s).unwrap_or(i64::MAX);
            let when = utc(Timestamp {
                seconds,
                nanoseconds: 0,
            });
            writeln!(
                out,
                "{:<width$}  {:<8}  {end} {when}",
                token.name,
                token.scopes.to_string()
            )?;
        }
    }
    output.result(|| {
        let tokens = tokens.iter().map(|token| {
            json!({
                "name": token.name,
                "scope": token.scopes.to_string(),
                "created_unix_s": token.created_unix_s,
                "expires_unix_s": token.expires_unix_s,
                "expired": token.has_expired(),
            })
        });
        json!({ "tokens": tokens.collect::<Vec<_>>() })
    })?;
    Ok(Exit::Done)
}
