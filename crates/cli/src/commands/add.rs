//! `add`: files, folders, links and standard input into the vault.

mod input;
mod report;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use compactvault_vault::paths::{Plan, PlanOptions, Report, Watch};
use compactvault_vault::{Access, CollectionId, IngestError, Name, PlaceId, Vault};

use crate::args::{Add, Global};
use crate::exit::{Exit, Stopped, Usage};
use crate::format::{count, things};
use crate::names::{shown, shown_path};
use crate::output::Output;
use crate::progress::Bar;
use crate::{interrupt, target, vault_choice};

pub(crate) fn run(args: &Add, global: &Global, output: &Output) -> anyhow::Result<Exit> {
    let to = target::path(&args.to)?;
    if to.is_empty() {
        return Err(Usage("--to names a project at least, such as --to Archive".into()).into());
    }
    let from_stdin = args.paths.iter().any(|path| path == Path::new("-"));
    check_stdin(args, from_stdin)?;
    let stop = interrupt::stop_flag()?;
    let access = if args.dry_run {
        Access::Read
    } else {
        Access::Write
    };
    let vault = vault_choice::open(global, None, access)?;
    let file = shown_path(vault.path());
    if !args.dry_run {
        // Before a tree is walked for nothing.
        vault.ingest().with_context(|| file.clone())?;
    }
    if from_stdin {
        return input::run(args, &to, &vault, stop, output);
    }

    let plan = plan(args, &to, &vault, output)?;
    if args.dry_run {
        report::dry_run(&plan, &to, &vault, output)?;
        vault.close()?;
        return Ok(exit_of(!plan.skipped().0.is_empty()));
    }
    let report = if plan.files() + plan.links() + plan.folders() == 0 {
        // Places stay for ever: none is made for nothing.
        Report {
            skipped: plan.skipped().0.to_vec(),
            skipped_left_out: plan.skipped().1,
            ..Report::default()
        }
    } else {
        let place = place(&vault, &to).with_context(|| file.clone())?;
        let bar = Bar::new(output, plan.bytes());
        let files = plan.files() + plan.links();
        let progress = |progress: compactvault_vault::paths::Progress<'_>| {
            bar.set(progress.bytes, || {
                let name = progress.current.file_name().unwrap_or_default();
                format!(
                    "{} of {} files  {}",
                    count(progress.files),
                    count(files),
                    shown_path(Path::new(name))
                )
            });
        };
        let watch = Watch {
            progress: &progress,
            stop,
            threads: 0,
            reread: args.reread,
        };
        let archived = plan.archive(&vault, place, &[], watch);
        drop(bar);
        archived.with_context(|| file.clone())?
    };
    let dir = args.checkpoint_dir.as_deref();
    finish(&to, &plan, &report, &vault, dir, output)
}

fn check_stdin(args: &Add, from_stdin: bool) -> Result<(), Usage> {
    if from_stdin && args.paths.len() > 1 {
        return Err(Usage("- is standard input and must stand alone".into()));
    }
    if from_stdin && args.name.is_none() {
        return Err(Usage(
            "what comes from standard input needs a name: --name NAME".into(),
        ));
    }
    if !from_stdin && args.name.is_some() {
        return Err(Usage(
            "--name is for standard input, written as -; files keep their names".into(),
        ));
    }
    Ok(())
}

fn plan(args: &Add, to: &[Name], vault: &Vault, output: &Output) -> anyhow::Result<Plan> {
    let options = PlanOptions {
        exclude: args.exclude.clone(),
    };
    let plan = Plan::make(vault, &args.paths, &options)?;
    if let (Some(name), [project]) = (plan.needs_collection(), to) {
        return Err(Usage(format!(
            "“{name}” would lie directly in project “{project}”, but files lie in collections; \
             try --to \"{project}/Files\""
        ))
        .into());
    }
    for own in plan.own_files() {
        output.remark(format_args!(
            "{} belongs to the vault itself and is left out",
            shown_path(own)
        ));
    }
    if plan.excluded() > 0 {
        let left_out = things(plan.excluded(), "path matches", "paths match");
        output.remark(format_args!("{left_out} --exclude and stay out"));
    }
    Ok(plan)
}

/// Finds or creates the project and the collections on the way.
pub(super) fn place(vault: &Vault, to: &[Name]) -> Result<PlaceId, IngestError> {
    let (project, below) = to.split_first().ok_or(IngestError::NeedsCollection)?;
    let (project, _) = vault.create_project(project.clone(), "project", "")?;
    let project = PlaceId::Project(project.id);
    if below.is_empty() {
        return Ok(project);
    }
    let innermost = vault.ingest()?.folder(project, below.to_vec())?.wait()?;
    Ok(PlaceId::Collection(CollectionId::new(innermost.seq)))
}

/// Tells what became of it, closes the vault, and decides how the command ended.
fn finish(
    to: &[Name],
    plan: &Plan,
    report: &Report,
    vault: &Vault,
    dir: Option<&Path>,
    output: &Output,
) -> anyhow::Result<Exit> {
    let checkpoint = vault.checkpoint()?;
    let kept = keep(dir, vault);
    let file = vault.path().to_path_buf();
    vault.close()?;
    let kept = kept?;
    let exit = if report.stopped {
        Exit::Error
    } else {
        exit_of(report.is_partial())
    };
    report::archived(
        &report::Archived {
            to,
            plan: Some(plan),
            report,
            checkpoint: &checkpoint,
            kept: kept.as_deref(),
            vault: &file,
            exit,
        },
        output,
    )?;
    if report.stopped {
        let sealed = things(report.sealed, "file is", "files are");
        return Err(Stopped(format!(
            "stopped before the end; {sealed} sealed in {} of {}, run the same command to go on",
            shown(to),
            shown_path(&file),
        ))
        .into());
    }
    Ok(exit)
}

/// Writes the checkpoint where it was asked for; says where.
pub(super) fn keep(dir: Option<&Path>, vault: &Vault) -> anyhow::Result<Option<PathBuf>> {
    let Some(dir) = dir else { return Ok(None) };
    let kept = vault
        .keep_checkpoint(dir)
        .context("everything is sealed, but its checkpoint was not written to --checkpoint-dir")?;
    Ok(Some(kept.path))
}

fn exit_of(partial: bool) -> Exit {
    if partial { Exit::Skipped } else { Exit::Done }
}
