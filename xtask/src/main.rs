//! Development tasks, run as `cargo xtask TASK`.
//!
//! An xtask rather than a shell script or a justfile: it needs nothing but cargo, and it is typed
//! and tested like the rest. It owns how the repository is checked; it knows nothing of vaults.
#![expect(
    clippy::print_stdout,
    reason = "reporting on a terminal is this program's purpose"
)]

mod bench;
mod conform;
mod corpus;
mod damage;
mod hammer;
mod lighthouse;
mod process;
mod random;
mod soak;
mod steps;
mod summary;
mod supply;
mod tidy;
mod tools;
mod torture;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

use crate::steps::Step;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Development tasks"
)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run every check there is, as CI does; ends with one line `N passed, N failed`
    #[command(visible_alias = "ci")]
    Test(TestOptions),
    /// Upload a real folder to a real server, kill it on the way, and compare every byte that comes back
    Corpus(CorpusOptions),
    /// Damage a vault of a real folder on purpose, rescue it, and compare every byte that comes back
    Damage(DamageOptions),
    /// Send malformed HTTP requests to a real server, and see that it neither panics, hangs nor grows
    Hammer(HammerOptions),
    /// Hold a real server against its `OpenAPI` description, by schemathesis with every check it has
    Conform(ConformOptions),
    /// Judge every screen of the page by Lighthouse, as on a desktop: speed, accessibility, good practice
    Lighthouse(LighthouseOptions),
    /// Put a real server under everything at once for a while, kill it on the way, and see that nothing is lost
    Soak(SoakOptions),
    /// Break vaults on purpose in every way there is: kills, losses of power, failing disks, damage, planted bugs
    ///
    /// Prints the figures as JSON, and the seed by which a run can be repeated. The long form takes hours.
    Torture(torture::Options),
    /// Measure archiving, verifying, uploads, downloads and lists, beside other programs and the budgets
    ///
    /// Makes or unpacks what it needs below the target folder, once: about 3 GB of corpora and 1.5 GB of vaults. Missing
    /// peers are installed from packages; one that cannot be had is left out and named.
    Bench(bench::Options),
    /// Make a vault of many small assets through the product's own ingest, to measure on
    GenVault(GenVaultOptions),
    /// Write the bill of materials of the binary, in `CycloneDX` form
    Sbom,
    /// Hold licences, sources and duplicates of all dependencies against deny.toml, by cargo-deny
    Deny,
    /// Check the rules that no compiler or linter knows, and list what breaks them
    Tidy,
}

#[derive(Args)]
struct TestOptions {
    /// Run only these steps, in the usual order
    #[arg(long, value_enum, value_delimiter = ',', value_name = "STEP")]
    only: Vec<Step>,
    /// Let a step whose tools are missing and cannot be installed be left out (ignored under CI)
    #[arg(long)]
    allow_missing: bool,
}

#[derive(Args)]
struct CorpusOptions {
    /// The folder to upload
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Uploads at once
    #[arg(long, default_value_t = 8, value_name = "N")]
    clients: usize,
    /// How often to kill the server with SIGKILL while uploads are under way
    #[arg(long, default_value_t = 0, value_name = "N")]
    kills: u32,
}

#[derive(Args)]
struct DamageOptions {
    /// The folder to archive; from 256 MiB on it shows what is promised for large vaults
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Tries of each promised sort of damage
    #[arg(long, default_value_t = 5, value_name = "N")]
    cases: u64,
    /// Where the random cases begin
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
}

#[derive(Args)]
struct SoakOptions {
    /// For how long
    #[arg(long, default_value_t = 30, value_name = "MINUTES")]
    minutes: u64,
    /// How often to kill the server with SIGKILL meanwhile
    #[arg(long, default_value_t = 9, value_name = "N")]
    kills: u32,
}

#[derive(Args)]
struct ConformOptions {
    /// Requests for each operation and phase, at most
    #[arg(long, default_value_t = 200, value_name = "N")]
    examples: u32,
    /// Which ones
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
}

#[derive(Args)]
struct LighthouseOptions {
    /// The files to show, those directly in it
    #[arg(long, default_value = "docs/screens", value_name = "DIR")]
    folder: PathBuf,
}

#[derive(Args)]
struct HammerOptions {
    /// How many requests
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    requests: u64,
    /// Which ones: the same seed sends the same
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
}

#[derive(Args)]
struct GenVaultOptions {
    /// How many assets
    #[arg(long, value_name = "N")]
    assets: u64,
    /// How many collections they are spread over
    #[arg(long, default_value_t = 1, value_name = "C")]
    collections: u64,
    /// The vault to make
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

fn main() -> anyhow::Result<ExitCode> {
    let root = workspace_root();
    Ok(match Cli::parse().task {
        Task::Test(options) => {
            let plan = steps::Plan {
                steps: steps::selected(&options.only),
                missing_is_failure: !options.allow_missing || std::env::var_os("CI").is_some(),
            };
            exit_code(steps::run_all(&root, &plan))
        }
        Task::Corpus(options) => {
            let binary = corpus::build(&root)?;
            let CorpusOptions {
                dir,
                clients,
                kills,
            } = options;
            corpus::run(
                &binary,
                &corpus::Plan {
                    dir,
                    clients,
                    kills,
                },
            )?;
            ExitCode::SUCCESS
        }
        Task::Damage(DamageOptions { dir, cases, seed }) => {
            let binary = corpus::build(&root)?;
            damage::run(&binary, &damage::Plan { dir, cases, seed })?;
            ExitCode::SUCCESS
        }
        Task::Soak(SoakOptions { minutes, kills }) => {
            let binary = corpus::build(&root)?;
            let length = std::time::Duration::from_secs(60 * minutes);
            let others = false;
            soak::run(
                &binary,
                &soak::Plan {
                    length,
                    kills,
                    others,
                },
            )?;
            ExitCode::SUCCESS
        }
        Task::Conform(ConformOptions { examples, seed }) => {
            let binary = corpus::build(&root)?;
            let plan = conform::Plan { examples, seed };
            exit_code(conform::run(&binary, &plan, &conform::tools(&root))?)
        }
        Task::Lighthouse(LighthouseOptions { folder }) => {
            let binary = corpus::build(&root)?;
            exit_code(lighthouse::run(&binary, &folder, &conform::tools(&root))?)
        }
        Task::Hammer(HammerOptions { requests, seed }) => {
            let binary = corpus::build(&root)?;
            hammer::run(&binary, &hammer::Plan { requests, seed })?;
            ExitCode::SUCCESS
        }
        Task::Torture(options) => {
            torture::run(&root, &options)?;
            ExitCode::SUCCESS
        }
        Task::Bench(options) => {
            let binary = corpus::build(&root)?;
            bench::run(&root, &binary, &options)?;
            ExitCode::SUCCESS
        }
        Task::GenVault(GenVaultOptions {
            assets,
            collections,
            out,
        }) => exit_code(gen_vault(&root, assets, collections, &out)?),
        Task::Sbom => {
            let bill = supply::bill(&root, &corpus::target(&root))?;
            println!("{}", bill.display());
            ExitCode::SUCCESS
        }
        Task::Deny => exit_code(supply::deny(&root, &corpus::target(&root))?),
        Task::Tidy => {
            let findings = tidy::check(&root)?;
            for finding in &findings {
                println!("{finding}");
            }
            println!("{} finding(s)", findings.len());
            exit_code(findings.is_empty())
        }
    })
}

/// Runs the generator, an example of the library: this program knows nothing of vaults.
fn gen_vault(root: &Path, assets: u64, collections: u64, out: &Path) -> anyhow::Result<bool> {
    // Cargo runs it in this process's folder, so a relative path means the same to both.
    let status = std::process::Command::new(env!("CARGO"))
        .args(["run", "--release", "--quiet", "--manifest-path"])
        .arg(root.join("Cargo.toml"))
        .args(["--package", "compactvault-vault", "--example", "gen_vault"])
        .args(["--", &assets.to_string(), &collections.to_string()])
        .arg(out)
        .status()
        .context("running cargo")?;
    Ok(status.success())
}

/// The folder of the root manifest, wherever `cargo xtask` was called from.
fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies directly under the workspace root")
        .to_path_buf()
}

fn exit_code(good: bool) -> ExitCode {
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn ci_is_another_name_for_test() {
        let cli = Cli::parse_from(["cargo xtask", "ci", "--only", "fmt,tidy"]);
        let Task::Test(options) = cli.task else {
            panic!("`ci` runs the tests")
        };
        assert_eq!(options.only, [Step::Fmt, Step::Tidy]);
    }
}
