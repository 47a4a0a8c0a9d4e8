//! The command line. What is written here is also docs/cli.md; a test holds the two together.
#![expect(
    clippy::doc_markdown,
    reason = "these comments are the text of --help, where backticks would stand as they are"
)]

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::exit;

const EXAMPLES: &str = "\
Examples:
  compactvault                                        serve this folder and open the page
  compactvault init studio.vault                      create a vault
  compactvault add --to Glacier/Textures textures/.   archive what is in a folder
  compactvault ls Glacier/Textures                    see what is there
  compactvault get Glacier/Textures/ice.png           take one file out
  compactvault export Glacier --out glacier           take a project out
  compactvault verify --deep                          check every byte
  compactvault scrub --budget 30m                     check and heal, oldest first

Environment:
  COMPACTVAULT_VAULT     the vault, where --vault does not name one
  COMPACTVAULT_PASSWORD  the password `serve` asks for; without it only this machine gets in
  XDG_STATE_HOME         where keys are kept, where --state-dir does not say
  NO_COLOR               set it and nothing is coloured";

/// A permanent, write-once archive in one file
///
/// Files are deduplicated, compressed, hashed and sealed into one .vault file, and can be taken out again byte for
/// byte. Nothing in this program changes or removes what was sealed.
#[derive(Debug, Parser)]
#[command(
    name = "compactvault",
    bin_name = "compactvault",
    version,
    max_term_width = 100,
    after_help = format!("{EXAMPLES}\n\n{}", exit::HELP)
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    /// Without a command: `serve` in the current folder
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Options of every command.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// The vault; else COMPACTVAULT_VAULT, else the only .vault in the current folder
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) vault: Option<PathBuf>,
    /// Print results as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Where keys and records of uploads are kept, in a folder per vault
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) state_dir: Option<PathBuf>,
    /// How long to wait for another process that writes
    #[arg(long, value_name = "SECONDS", default_value_t = 30, global = true)]
    pub(crate) lock_timeout: u64,
    /// Allow writing to a vault on NFS or SMB, which then nobody else may have open
    #[arg(long, global = true)]
    pub(crate) network_fs: bool,
    /// Print results only: no progress, no remarks
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Tell more about what happens; twice for debugging
    #[arg(short, long, action = clap::ArgAction::Count, conflicts_with = "quiet", global = true)]
    pub(crate) verbose: u8,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Init(Init),
    Add(Add),
    Ls(Ls),
    Get(Get),
    Export(Export),
    Verify(Verify),
    Scrub(Scrub),
    Reindex(Reindex),
    Status(Status),
    Checkpoint(Checkpoint),
    Serve(Serve),
}

impl Cli {
    /// Whether this process will serve, and its messages be read later.
    pub(crate) fn is_serve(&self) -> bool {
        matches!(self.command, None | Some(Command::Serve(_)))
    }
}

/// Create a vault
///
/// Never writes over a file. The key that signs checkpoints is made with the vault and kept in the state folder.
#[derive(Args, Debug)]
pub(crate) struct Init {
    /// The new vault
    #[arg(default_value = "default.vault")]
    pub(crate) file: PathBuf,
    /// Space for parity in percent of what is archived: more heals more damage, 0 heals none. For good
    #[arg(long, value_name = "PERCENT", default_value = "6", value_parser = ["0", "3", "6", "12", "25"])]
    pub(crate) parity: String,
}

/// Archive files, folders and symbolic links
///
/// A folder becomes a collection of its name; DIR/. puts its contents there directly. What is missing on the way is
/// created. Symbolic links are kept as links. A file that is there already, byte for byte, is left as it is; one that
/// differs becomes a new version. Names, modification times and execute bits are kept.
///
/// What cannot be archived (sockets, devices, FIFOs, unreadable files, files that change while they are read) is
/// named at the end, and the exit code is 3.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  compactvault add --to Glacier/Textures ice.png snow.png
  compactvault add --to Glacier models                    as collection Glacier/models
  compactvault add --to Glacier/models models/.           the same, named by hand
  compactvault add --to Code/app --exclude target/ --exclude '*.o' src
  pg_dump shop | compactvault add --to Backups/shop --name shop.sql -")]
pub(crate) struct Add {
    /// Where to: Project/Collection, and further collections below it
    #[arg(long, value_name = "PATH", required = true)]
    pub(crate) to: OsString,
    /// Files, folders, symbolic links, or - for standard input
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Leave out what matches: a name (*.tmp), a path below --to (src/**/*.o), a folder (target/)
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    /// List what would be archived, and archive nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The name of what comes from standard input
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<OsString>,
}

/// List a project, a collection, or the whole vault
///
/// Shows what lies directly in it; collections end in a slash. On a terminal, characters that could mislead are
/// escaped; elsewhere names are printed as they are.
#[derive(Args, Debug)]
pub(crate) struct Ls {
    /// A path in the vault; nothing for its projects
    #[arg(value_name = "PATH")]
    pub(crate) path: Option<OsString>,
    /// Show superseded versions too
    #[arg(long)]
    pub(crate) all_versions: bool,
    /// Show id, size, and time of modification (UTC)
    #[arg(short)]
    pub(crate) long: bool,
}

/// Take one file out
///
/// Written to the current folder under its own name, or to FILE; never over another file. Every byte is compared with
/// what was sealed before the file gets its name.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  compactvault get Glacier/Textures/ice.png
  compactvault get Glacier/Textures/ice.png -o /tmp/ice.png
  compactvault get 4711 -o -  | sha256sum                 any version, by its id")]
pub(crate) struct Get {
    /// A path in the vault, or an id: 4711 or #4711
    #[arg(value_name = "PATH|ID")]
    pub(crate) what: OsString,
    /// The new file, or - for standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Take a project, a collection, or the whole vault out
///
/// Writes the contents of PATH into a new or empty folder, newest versions, with modification times, execute bits and
/// symbolic links. What cannot keep its name gets a similar one and is named. Damaged assets are left out and named,
/// and the exit code is 11.
#[derive(Args, Debug)]
pub(crate) struct Export {
    /// A path in the vault; nothing for all of it
    #[arg(value_name = "PATH")]
    pub(crate) path: Option<OsString>,
    /// A new or empty folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Superseded versions too, as NAME (#ID).EXTENSION
    #[arg(long)]
    pub(crate) all_versions: bool,
}

/// Check that everything is what was sealed
///
/// Without an option every chunk is read and hashed, every manifest compared with its entry, every entry with the
/// tree of the log. Changes nothing. All findings are listed.
#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// The vault, as --vault
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Structure and log only; no content is read
    #[arg(long, conflicts_with = "deep")]
    pub(crate) quick: bool,
    /// Put every file together, too, and compare its SHA-256 and CRC-32
    #[arg(long)]
    pub(crate) deep: bool,
}

/// Show figures about a vault
#[derive(Args, Debug)]
pub(crate) struct Status {
    /// The vault, as --vault
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// Check the vault part by part, and heal from parity what is damaged
///
/// Begins with what was checked longest ago and goes on where the last scrub ended. Only bytes that are proven to be
/// what was sealed are put back, and an entry of the log says which. Nothing else is written to sealed rows.
///
/// Exit code 0 says that all that was read is good, or was healed and reads back as sealed; 10 that damage remains
/// which a rescue can treat; 11 that more is damaged than parity restores.
#[derive(Args, Debug)]
pub(crate) struct Scrub {
    /// The vault, as --vault
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Begin nothing new after this time, such as 45s, 30m or 2h [default: until everything was checked]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) budget: Option<Duration>,
    /// Share of the time to work, in percent; the rest is left to others
    #[arg(long, value_name = "PERCENT", default_value_t = 100, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) pace: u8,
}

/// A number of seconds, minutes or hours.
fn duration(text: &str) -> Result<Duration, String> {
    let unit = match text.chars().last() {
        Some('m') => 60,
        Some('h') => 3600,
        _ => 1,
    };
    let number = text.strip_suffix(['s', 'm', 'h']).unwrap_or(text);
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit))
        .map(Duration::from_secs)
        .ok_or_else(|| "give a number with s, m or h, such as 30m".into())
}

/// Make lists, counts and orders again from what is sealed
///
/// Mends what verify calls repairable in the area derived. Nothing sealed is touched.
#[derive(Args, Debug)]
pub(crate) struct Reindex {
    /// The vault, as --vault
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// Print the log's size and root as a signed note
///
/// Keep it elsewhere: it tells later whether this vault still holds all it held. The note is a C2SP tlog-checkpoint;
/// it is unsigned where the vault's key is not in the state folder.
#[derive(Args, Debug)]
pub(crate) struct Checkpoint {}

/// Serve the page and the HTTP API
///
/// Prints its address, with a token where no password is set, and opens the browser there. Ctrl+C ends it in good
/// order. A folder without a vault gets a default.vault.
#[derive(Args, Debug, Default)]
pub(crate) struct Serve {
    /// The folder whose vault is served [default: the current one]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Where to listen [default: this machine only, port 8000 or the next free one]
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Another name this server is reached by, such as nas.local
    #[arg(long, value_name = "NAME")]
    pub(crate) allow_host: Vec<String>,
    /// Leave the browser alone
    #[arg(long)]
    pub(crate) no_open: bool,
    /// How long requests and uploads may take to end when it is asked to stop
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) drain: u64,
    /// Do not check the vault while nothing else happens
    #[arg(long)]
    pub(crate) no_scrub: bool,
    /// Share of the time to spend on checking while nothing else happens, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) scrub_budget: u8,
    /// Serve the page from this folder, for working on it
    #[arg(long, value_name = "DIR")]
    pub(crate) assets: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn times_have_a_unit() {
        for (text, seconds) in [("90", 90), ("45s", 45), ("30m", 1800), ("2h", 7200)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)));
        }
        for text in ["", "m", "1d", "-1s", "1.5h", "99999999999999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
