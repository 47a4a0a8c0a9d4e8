//! `add -`: what comes from standard input, as one asset.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use compactvault_vault::paths::Report;
use compactvault_vault::{ArchiveError, Name, NewAsset, Vault};

use super::report::{self, Archived};
use crate::args::Add;
use crate::exit::{Exit, Stopped, Usage};
use crate::names::shown_path;
use crate::output::Output;
use crate::progress::Bar;
use crate::target;

/// Ctrl+C reaches both ends of a pipe; the other end's death must not be taken for the end of its output.
const CTRL_C_ARRIVES: Duration = Duration::from_millis(50);

pub(super) fn run(
    args: &Add,
    to: &[Name],
    vault: &Vault,
    stop: &'static AtomicBool,
    output: &Output,
) -> anyhow::Result<Exit> {
    let name = target::name(args.name.as_deref().unwrap_or_default())?;
    if to.len() < 2 {
        return Err(Usage(format!(
            "“{name}” would lie directly in project “{0}”, but files lie in collections; try \
             --to \"{0}/Files\"",
            to[0]
        ))
        .into());
    }
    if args.dry_run {
        return Err(Usage("--dry-run cannot tell what standard input will bring".into()).into());
    }
    let file = shown_path(vault.path());
    let bar = Bar::new(output, 0);
    let mut source = Input {
        stdin: io::stdin().lock(),
        read: 0,
        stop,
        bar: &bar,
        name: name.escaped(),
    };
    let asset = NewAsset {
        place: super::place(vault, to).with_context(|| file.clone())?,
        folders: Vec::new(),
        name,
        modified: None,
        executable: false,
        expected_size: None,
        expected_sha256: None,
    };
    let archived = vault.ingest()?.archive(asset, &mut source);
    drop(source);
    drop(bar);
    let (ticket, digest) = archived.map_err(|error| match error {
        _ if stop.load(Ordering::Relaxed) => {
            Stopped("stopped before the end of standard input; nothing was sealed".into()).into()
        }
        ArchiveError::Source(error) => {
            anyhow::Error::new(error).context("cannot read standard input; nothing was sealed")
        }
        ArchiveError::Ingest(error) => anyhow::Error::new(error).context(file.clone()),
    })?;
    let sealed = ticket.wait().with_context(|| file.clone())?;
    let checkpoint = vault.checkpoint()?;
    let kept = super::keep(args.checkpoint_dir.as_deref(), vault);
    let path = vault.path().to_path_buf();
    vault.close()?;
    let kept = kept?;
    let new = u64::from(!sealed.already_archived);
    report::archived(
        &Archived {
            to,
            plan: None,
            report: &Report {
                sealed: new,
                already_archived: 1 - new,
                bytes: digest.size,
                sealed_bytes: digest.size * new,
                ..Report::default()
            },
            checkpoint: &checkpoint,
            kept: kept.as_deref(),
            vault: &path,
            exit: Exit::Done,
        },
        output,
    )?;
    Ok(Exit::Done)
}

struct Input<'a> {
    stdin: io::StdinLock<'static>,
    read: u64,
    stop: &'a AtomicBool,
    bar: &'a Bar,
    name: String,
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stdin.read(buffer)?;
        if read == 0 {
            std::thread::sleep(CTRL_C_ARRIVES);
        }
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("stopped"));
        }
        self.read += read as u64;
        self.bar.set(self.read, || self.name.clone());
        Ok(read)
    }
}
