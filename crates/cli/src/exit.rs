//! Exit codes: what each means, and the one function that decides them for errors.

use std::io;
use std::process::ExitCode;

use compactvault_server::ServeError;
use compactvault_vault::export::ExportError;
use compactvault_vault::paths::PlanError;
use compactvault_vault::prove::{CheckpointError, ProveError, Verdict};
use compactvault_vault::{
    ArchiveError, CopyError, IngestError, NameError, OpenError, ReadError, Severity, VerifyReport,
};

/// How a command ended. Numbers are never given another meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All of it was done.
    Done = 0,
    /// It was not.
    Error = 1,
    /// The command line cannot be meant like that.
    Usage = 2,
    /// Done, but for inputs that were named.
    Skipped = 3,
    /// Damage that loses nothing sealed.
    Repairable = 10,
    /// Something sealed is not what it was.
    Lost = 11,
    /// The log is another one than a kept checkpoint covers.
    Rewritten = 12,
    /// It is shorter than a kept checkpoint.
    RolledBack = 13,
    /// The checkpoint is of another vault.
    OtherVault = 14,
    /// There is no vault, or it is not one.
    NoVault = 15,
    /// Another process has it.
    Busy = 16,
}

/// The table for `--help` and docs/cli.md.
pub(crate) const HELP: &str = "\
Exit codes:
  0   done
  1   error
  2   the command line is wrong
  3   done, but some inputs were skipped; they are named
  10  the vault is damaged; nothing sealed is lost
  11  the vault is damaged, and assets are lost
  12  the vault's history was rewritten
  13  the vault was rolled back to an earlier state
  14  it is another vault than expected
  15  there is no vault, or the file is not one
  16  the vault is in use by another process";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A command line that is well formed but cannot be meant.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// Nothing to work on.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoVault(pub(crate) String);

/// Somebody pressed Ctrl+C.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Stopped(pub(crate) String);

/// What verification found, as an exit code.
pub(crate) fn of_report(report: &VerifyReport) -> Exit {
    match report.worst() {
        None => Exit::Done,
        Some(Severity::Repairable) => Exit::Repairable,
        Some(Severity::Lost) => Exit::Lost,
    }
}

/// What a kept checkpoint and verification together say: the graver of the two counts.
pub(crate) fn of_comparison(verdict: Verdict, report: Exit) -> Exit {
    match verdict {
        Verdict::OtherVault => Exit::OtherVault,
        Verdict::RolledBack => Exit::RolledBack,
        Verdict::Rewritten => Exit::Rewritten,
        Verdict::Damaged => Exit::Lost,
        Verdict::Same => report,
    }
}

/// The exit code of an error and its stable word.
pub(crate) fn of_error(error: &anyhow::Error) -> (Exit, &'static str) {
    if crate::interrupt::was_interrupted() {
        return (Exit::Error, "stopped");
    }
    error
        .chain()
        .find_map(of_cause)
        .unwrap_or((Exit::Error, "error"))
}

fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<(Exit, &'static str)> {
    if let Some(error) = cause.downcast_ref::<ExportError>() {
        return Some(match error {
            ExportError::Read(error) => of_read(error),
            ExportError::Exists { .. } => (Exit::Error, "exists"),
            ExportError::NotEmpty { .. } => (Exit::Error, "not_empty"),
            ExportError::Stopped => (Exit::Error, "stopped"),
            _ => (Exit::Error, "io"),
        });
    }
    if let Some(error) = cause.downcast_ref::<CopyError>() {
        let exit = match error {
            CopyError::Open(error) => of_open(error).0,
            CopyError::Read(error) => of_read(error).0,
            CopyError::Damaged { report, .. } => of_report(report),
            _ => Exit::Error,
        };
        return Some((exit, error.code()));
    }
    if let Some(error) = cause.downcast_ref::<ProveError>() {
        return Some(of_prove(error));
    }
    if let Some(error) = cause.downcast_ref::<CheckpointError>() {
        return Some((Exit::Error, ProveError::from(error.clone()).code()));
    }
    if let Some(error) = cause.downcast_ref::<OpenError>() {
        return Some(of_open(error));
    }
    if let Some(error) = cause.downcast_ref::<ReadError>() {
        return Some(of_read(error));
    }
    if let Some(error) = cause.downcast_ref::<IngestError>() {
        return Some(of_ingest(error));
    }
    if let Some(error) = cause.downcast_ref::<ArchiveError>() {
        return Some(match error {
            ArchiveError::Source(_) => (Exit::Error, "io"),
            ArchiveError::Ingest(error) => of_ingest(error),
        });
    }
    if let Some(error) = cause.downcast_ref::<ServeError>() {
        return Some(match error {
            ServeError::Open(error) => of_open(error),
            ServeError::Listen { .. } => (Exit::Error, "listen"),
            _ => (Exit::Usage, "usage"),
        });
    }
    if let Some(error) = cause.downcast_ref::<PlanError>() {
        return Some(match error {
            PlanError::Pattern { .. } => (Exit::Usage, "usage"),
            _ => (Exit::Error, "unreadable"),
        });
    }
    if cause.is::<Usage>() {
        return Some((Exit::Usage, "usage"));
    }
    if let Some(error) = cause.downcast_ref::<NameError>() {
        return Some((Exit::Usage, error.code()));
    }
    if cause.is::<NoVault>() {
        return Some((Exit::NoVault, "vault_missing"));
    }
    if cause.is::<Stopped>() {
        return Some((Exit::Error, "stopped"));
    }
    cause.downcast_ref::<io::Error>().map(|error| {
        if error.kind() == io::ErrorKind::BrokenPipe {
            (Exit::Done, "io")
        } else {
            (Exit::Error, "io")
        }
    })
}

fn of_prove(error: &ProveError) -> (Exit, &'static str) {
    let exit = match error {
        ProveError::OtherVault => Exit::OtherVault,
        ProveError::RolledBack { .. } => Exit::RolledBack,
        ProveError::Rewritten { .. } => Exit::Rewritten,
        ProveError::Read(error) => of_read(error).0,
        _ => Exit::Error,
    };
    (exit, error.code())
}

fn of_open(error: &OpenError) -> (Exit, &'static str) {
    let exit = match error {
        OpenError::Missing { .. }
        | OpenError::NotAVault { .. }
        | OpenError::Newer { .. }
        | OpenError::Original { .. } => Exit::NoVault,
        OpenError::Damaged { .. }
        | OpenError::WalDamaged { .. }
        | OpenError::JournalDamaged { .. } => Exit::Lost,
        OpenError::Busy { .. } => Exit::Busy,
        _ => Exit::Error,
    };
    (exit, error.code())
}

fn of_read(error: &ReadError) -> (Exit, &'static str) {
    let exit = match error {
        ReadError::Damaged { .. } => Exit::Lost,
        ReadError::Derived { .. } => Exit::Repairable,
        ReadError::Busy => Exit::Busy,
        _ => Exit::Error,
    };
    (exit, error.code())
}

fn of_ingest(error: &IngestError) -> (Exit, &'static str) {
    let exit = match error {
        IngestError::Busy => Exit::Busy,
        IngestError::Read(error) => of_read(error).0,
        _ => Exit::Error,
    };
    (exit, error.code())
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_cause_is_found_below_its_context() {
        let error = Err::<(), _>(ReadError::Busy)
            .context("studio.vault")
            .expect_err("it is one");
        assert_eq!(of_error(&error), (Exit::Busy, "busy"));
        assert_eq!(
            of_error(&anyhow::anyhow!("anything")),
            (Exit::Error, "error")
        );
    }

    #[test]
    fn every_code_is_explained() {
        for exit in [
            Exit::Done,
            Exit::Error,
            Exit::Usage,
            Exit::Skipped,
            Exit::Repairable,
            Exit::Lost,
            Exit::Rewritten,
            Exit::RolledBack,
            Exit::OtherVault,
            Exit::NoVault,
            Exit::Busy,
        ] {
            let code = format!("\n  {:<4}", exit as u8);
            assert!(HELP.contains(&code), "{exit:?}");
        }
    }
}
