//! `serve`: the page and the HTTP API, until somebody asks it to stop.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use compactvault_server::previews::WorkerCommand;
use compactvault_server::{Place, ServerOptions, ServerReport, Tls};
use compactvault_vault::Access;
use serde_json::json;

use crate::args::{Global, Serve};
use crate::exit::{Exit, Usage};
use crate::format::things;
use crate::names::shown_path;
use crate::output::Output;
use crate::{interrupt, vault_choice};

const PASSWORD_VARIABLE: &str = "COMPACTVAULT_PASSWORD";

pub(crate) fn run(args: Serve, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let place = match (args.dir, global.vault.clone()) {
        (Some(_), Some(_)) => {
            return Err(Usage("give either --dir or --vault, not both".into()).into());
        }
        (Some(folder), None) => Place::Folder(folder),
        (None, Some(file)) => Place::File(file),
        (None, None) => match vault_choice::named(global) {
            Some(file) => Place::File(file),
            None => Place::Folder(PathBuf::from(".")),
        },
    };
    about_root(args.no_root, output)?;
    let tls = match (args.tls_cert, args.tls_key) {
        (Some(certificate), Some(key)) => Some(Tls::Files { certificate, key }),
        _ => args.tls_self_signed.then_some(Tls::SelfSigned),
    };
    let access = if args.read_only {
        Access::Read
    } else {
        Access::Write
    };
    let options = ServerOptions {
        place,
        listen: args.listen,
        password: password()?,
        allowed_hosts: args.allow_host,
        tls,
        trusted_proxies: args.trusted_proxy,
        drain: Duration::from_secs(args.drain),
        assets_dir: args.assets,
        checkpoint_dir: args.checkpoint_dir,
        scrub: (!args.no_scrub && !args.read_only).then_some(args.scrub_budget),
        preview_worker: preview_worker(),
        vault: vault_choice::options(global, access),
    };
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let mut stop = Some(stop);
    let quiet = output.quiet;
    let is_proxied = !options.trusted_proxies.is_empty();
    interrupt::on_interrupt(move || {
        if !quiet {
            eprint("\nStopping in good order; press Ctrl+C again to stop at once.");
        }
        if let Some(stop) = stop.take() {
            // The server may have ended by itself.
            let _ = stop.send(());
        }
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the server")?;
    let ready = |ready: &compactvault_server::Ready| {
        // Without an address the server is of no use, but it is already there for whoever knows it.
        let _ = if output.json {
            let vault = ready.vault.as_ref().map(|path| path.to_string_lossy());
            let line = json!({ "url": ready.url, "vault": vault });
            writeln!(std::io::stdout().lock(), "{line}")
        } else {
            writeln!(std::io::stdout().lock(), "{}", ready.url)
        };
        if let Some(fingerprint) = &ready.fingerprint {
            output.remark(format_args!(
                "The certificate was made here; trust it where it has this SHA-256 fingerprint:\n  {fingerprint}"
            ));
        }
        if ready.is_open_unencrypted && !is_proxied {
            output.remark(
                "Connections are not encrypted: whoever is on the same network can read what is sent, the password too. \
                 Use --tls-self-signed or --tls-cert, or a proxy that encrypts.",
            );
        }
        if let Some(vault) = &ready.vault {
            output.remark(format_args!("Serving {}", shown_path(vault)));
        }
        output.remark("Press Ctrl+C to stop.");
        if !args.no_open && open::that_detached(&ready.url).is_err() {
            output.remark("No browser could be opened; open the address above yourself.");
        }
    };
    let shutdown = async {
        // The sender lives as long as the process.
        let _ = stopped.await;
    };
    let report = runtime.block_on(compactvault_server::serve(options, ready, shutdown))?;
    drop(runtime);
    tell(&report, output)?;
    Ok(Exit::Done)
}

/// This program again, as the process that decodes. On Linux it is found even if it was replaced meanwhile.
fn preview_worker() -> Option<WorkerCommand> {
    let program = if cfg!(target_os = "linux") {
        PathBuf::from("/proc/self/exe")
    } else {
        std::env::current_exe().ok()?
    };
    Some(WorkerCommand {
        program,
        arguments: vec!["preview-worker".into()],
    })
}

/// A server that is broken into gives away what its user may do.
fn about_root(refuse: bool, output: &Output) -> anyhow::Result<()> {
    #[cfg(unix)]
    if rustix::process::geteuid().is_root() {
        if refuse {
            let message = "this is root, and --no-root was given; start it as a user of its own";
            return Err(Usage(message.into()).into());
        }
        output.remark("Running as root, which is not needed; a user of its own is safer.");
    }
    #[cfg(not(unix))]
    let _ = (refuse, output);
    Ok(())
}

fn password() -> anyhow::Result<Option<String>> {
    match std::env::var(PASSWORD_VARIABLE) {
        Ok(password) => Ok(Some(password)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(Usage(format!("{PASSWORD_VARIABLE} is not valid Unicode")).into())
        }
    }
}

fn tell(report: &ServerReport, output: &Output) -> anyhow::Result<()> {
    if output.json {
        let line = json!({
            "uploads_sealed": report.uploads_sealed,
            "uploads_queued": report.uploads_queued,
            "uploads_unfinished": report.uploads_unfinished,
        });
        writeln!(std::io::stdout().lock(), "{line}")?;
        return Ok(());
    }
    if report.uploads_sealed > 0 {
        let uploads = things(report.uploads_sealed, "upload", "uploads");
        output.remark(format_args!("Sealed {uploads} while stopping."));
    }
    let waiting = [
        (
            report.uploads_queued,
            "complete",
            "sealed at the next start",
        ),
        (
            report.uploads_unfinished,
            "unfinished",
            "continued when their sender comes back",
        ),
    ];
    for (number, what, then) in waiting.into_iter().filter(|(number, ..)| *number > 0) {
        let beside = report
            .vault
            .as_deref()
            .map(|vault| format!(" beside {}", shown_path(vault)))
            .unwrap_or_default();
        output.remark(format_args!(
            "{} {what}{beside}; {then}.",
            things(number, "upload is", "uploads are")
        ));
    }
    output.remark("Stopped.");
    Ok(())
}

fn eprint(line: &str) {
    // Where standard error is closed nobody wants to know.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
