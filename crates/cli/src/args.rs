//! The command line. What is written here is also docs/cli.md; a test holds the two together.
#![expect(
    clippy::doc_markdown,
    reason = "these comments are the text of --help, where backticks would stand as they are"
)]

mod serving;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

pub(crate) use self::serving::{LogFormat, Passwd, Serve, Token, TokenAdd};
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
  compactvault backup /media/disk/studio.vault        make a verified copy
  compactvault scrub --budget 30m                     check and heal, oldest first

Environment:
  COMPACTVAULT_VAULT     the vault, where --vault does not name one
  COMPACTVAULT_PASSWORD  the password `serve` asks for; without it that of `passwd`, or only this machine gets in
  XDG_STATE_HOME         where keys are kept, where --state-dir does not say
  XDG_CACHE_HOME         where what may be lost is kept, where --state-dir does not say
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
    Backup(Backup),
    Freeze(Freeze),
    Rescue(Rescue),
    Checkpoint(Checkpoint),
    Proof(Proof),
    CheckProof(CheckProof),
    Consistency(Consistency),
    Log(Log),
    Serve(Serve),
    Passwd(Passwd),
    #[command(subcommand)]
    Token(Token),
    /// The process that decodes for `serve`; of no use to people
    #[command(hide = true)]
    PreviewWorker,
}

impl Cli {
    /// How messages are written if this process will serve, and they be read later.
    pub(crate) fn log_format(&self) -> Option<LogFormat> {
        match &self.command {
            None => Some(LogFormat::Text),
            Some(Command::Serve(serve)) => Some(serve.log_format),
            Some(_) => None,
        }
    }
}

/// Create a vault
///
/// Never writes over a file. The key that signs checkpoints is made with the vault and kept in the state folder.
#[derive(Args, Debug)]
pub(crate) struct Init {
    /// The new vault; else the one that --vault names, else default.vault
    pub(crate) file: Option<PathBuf>,
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
/// A file whose size and times are what they were when it was last read, and whose content is the newest version in
/// its place, is not read again. Programs that write through a memory mapping can change a file before the system
/// stamps it; --reread leaves no doubt.
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
    /// Read every file, also those whose size and times are what they were when they were last read
    #[arg(long)]
    pub(crate) reread: bool,
    /// The name of what comes from standard input
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<OsString>,
    /// Write the checkpoint there afterwards, best on another disk; older ones stay
    #[arg(long, value_name = "DIR")]
    pub(crate) checkpoint_dir: Option<PathBuf>,
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
///
/// With a checkpoint that was kept elsewhere it tells, too, whether the vault still begins with all that the
/// checkpoint covers: exit code 12 if history was rewritten, 13 if the vault was rolled back, 14 if it is another one.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  compactvault verify --deep
  compactvault verify --against /media/stick/studio-1a2b3c4d-1204.checkpoint
  compactvault verify --quick --against-words \"size 1204 tissue disruptive ...\"")]
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
    /// Compare with a checkpoint that was kept: a note, or words as `checkpoint --words` prints them
    #[arg(long, value_name = "CHECKPOINT", conflicts_with = "against_words")]
    pub(crate) against: Option<PathBuf>,
    /// Compare with a checkpoint given as words; the size may stand among them: "size 42 tissue ..."
    #[arg(long, value_name = "WORDS")]
    pub(crate) against_words: Option<String>,
    /// The size that belongs to the words
    #[arg(long, value_name = "ENTRIES", requires = "against_words")]
    pub(crate) against_size: Option<u64>,
}

/// Show figures about a vault
#[derive(Args, Debug)]
pub(crate) struct Status {
    /// The vault, as --vault
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// Make a verified copy, also while others add to the vault
///
/// FILE is the vault as it is at this moment, one file with nothing beside it. It gets its name when it was written,
/// read again and verified, and its log found to be the vault's; never over another file. A damaged vault is not
/// copied: the exit code is then what verify gives.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  compactvault backup /media/disk/studio.vault
  compactvault --vault studio.vault backup --deep studio-2031.vault")]
pub(crate) struct Backup {
    /// The new copy
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Put every file in the copy together, too, and compare its SHA-256 and CRC-32
    #[arg(long)]
    pub(crate) deep: bool,
}

/// Make a verified copy that nobody can add to, for read-only media
///
/// As backup --deep, but FILE needs no WAL: it opens where nothing can be written and leaves nothing beside it. Nobody
/// may write it, and nothing can be added to it. A backup of it is a vault that can be added to again.
#[derive(Args, Debug)]
pub(crate) struct Freeze {
    /// The new copy
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// Build a new vault from what is left of a damaged one
///
/// Reads the damaged file, and a -wal or -journal beside it, page by page and never writes to it. Works with the header, the
/// schema, any index or inner page gone, with the end cut off and with a damaged WAL. What is missing is restored from
/// parity where that suffices; every asset is reported as intact, healed or lost. Nothing may be writing to the file.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  compactvault rescue broken.vault --out studio.vault
  compactvault rescue broken.vault --out studio.vault --report rescued.txt")]
pub(crate) struct Rescue {
    /// The damaged vault
    #[arg(value_name = "DAMAGED")]
    pub(crate) damaged: PathBuf,
    /// The new vault
    #[arg(long, value_name = "NEW")]
    pub(crate) out: PathBuf,
    /// Write one line an asset to a new file: outcome, id, path
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
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
/// Mends what verify calls repairable in the area derived. Thumbnails and facts are removed from the cache folder;
/// `serve` makes them again. Nothing sealed is touched.
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
pub(crate) struct Checkpoint {
    /// Print size and root as 32 words of the PGP word list, for paper and telephone
    #[arg(long)]
    pub(crate) words: bool,
}

/// Write a proof that an asset is in the log
///
/// The proof is a C2SP tlog-proof with a checkpoint in it. `check-proof` checks it offline, without the vault, and
/// docs/verify-log.py without this program. A proof fits one size of the log: --at or --size asks for an earlier one.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  compactvault proof Glacier/Textures/ice.png --out ice.png.tlog-proof
  compactvault proof 4711 --at kept.checkpoint     a proof for a checkpoint that was kept")]
pub(crate) struct Proof {
    /// A path in the vault, or an id: 4711 or #4711
    #[arg(value_name = "PATH|ID")]
    pub(crate) what: OsString,
    /// The new file, instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// For the log as this checkpoint has it
    #[arg(long, value_name = "CHECKPOINT", conflicts_with = "size")]
    pub(crate) at: Option<PathBuf>,
    /// For the log's first so many entries
    #[arg(long, value_name = "ENTRIES")]
    pub(crate) size: Option<u64>,
}

/// Check a file with its proof and a checkpoint, without the vault
///
/// Needs no vault and no network. The checkpoint is what is trusted: take one that was kept, not the one in the proof.
#[derive(Args, Debug)]
pub(crate) struct CheckProof {
    /// The file that is said to be archived
    pub(crate) file: PathBuf,
    /// Its proof, as `proof` writes it
    pub(crate) proof: PathBuf,
    /// The checkpoint that is trusted: a note, or words
    pub(crate) checkpoint: PathBuf,
}

/// Show that one checkpoint continues another
///
/// Compares both with the vault, makes the RFC 6962 consistency proof, checks it and prints its hashes.
#[derive(Args, Debug)]
pub(crate) struct Consistency {
    /// The earlier checkpoint
    pub(crate) old: PathBuf,
    /// The later one
    pub(crate) new: PathBuf,
}

/// Take the log out for other programs
#[derive(Args, Debug)]
pub(crate) struct Log {
    #[command(subcommand)]
    pub(crate) command: LogCommand,
}

/// What to do with the log.
#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    Export(LogExport),
}

/// Write the log as C2SP tlog-tiles
///
/// Into a new or empty folder, or one with an earlier state of this log, which is continued. Files that are there are
/// never written over, but for `checkpoint` when it grew.
#[derive(Args, Debug)]
pub(crate) struct LogExport {
    /// The folder
    #[arg(long, value_name = "DIR")]
    pub(crate) tiles: PathBuf,
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
