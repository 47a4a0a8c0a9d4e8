//! The command line of what serves, and of who may come in.
#![expect(
    clippy::doc_markdown,
    reason = "these comments are the text of --help, where backticks would stand as they are"
)]

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use compactvault_server::grants::Scopes;

/// Serve the page and the HTTP API
///
/// Prints its address, with a token where no password is set, and opens the browser there. Ctrl+C ends it in good
/// order. A folder without a vault gets a default.vault.
#[derive(Args, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own on the command line"
)]
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
    /// Encrypt connections with this certificate: a PEM file, the server's own first; read again when it changes
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_key",
        help_heading = "Encryption and proxies"
    )]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The key of that certificate, a PEM file
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_cert",
        help_heading = "Encryption and proxies"
    )]
    pub(crate) tls_key: Option<PathBuf>,
    /// Encrypt connections with a certificate made here, kept beside the vault's keys; browsers ask once whether to
    /// trust it
    #[arg(long, conflicts_with_all = ["tls_cert", "tls_key"], help_heading = "Encryption and proxies")]
    pub(crate) tls_self_signed: bool,
    /// A proxy in front of this server, by address or network (10.0.0.0/8): believed whom it speaks for
    #[arg(long, value_name = "ADDR", help_heading = "Encryption and proxies")]
    pub(crate) trusted_proxy: Vec<String>,
    /// Let nobody add anything: list, search, preview and download only
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Refuse to run as root, which a server has no need of
    #[arg(long)]
    pub(crate) no_root: bool,
    /// How messages are written to standard error
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(crate) log_format: LogFormat,
    /// Leave the browser alone
    #[arg(long)]
    pub(crate) no_open: bool,
    /// How long requests and uploads may take to end when it is asked to stop
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) drain: u64,
    /// Write a checkpoint there after each import and at the end; older ones stay
    #[arg(long, value_name = "DIR")]
    pub(crate) checkpoint_dir: Option<PathBuf>,
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

/// How a server writes its messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// An object per line for programs
    Json,
}

/// Set the password of the page and the API
///
/// Asks for it twice on a terminal, and reads one line of standard input elsewhere. Its Argon2id hash is kept in the
/// state folder, beside the vault's keys; with it the server may listen where other machines reach it.
/// COMPACTVAULT_PASSWORD, where it is set, counts instead. A server that is running takes another password within
/// seconds and ends all sessions; the first one and its removal count from its next start.
#[derive(Args, Debug)]
pub(crate) struct Passwd {
    /// Forget the password: the server makes a token per start again and lets only this machine in
    #[arg(long)]
    pub(crate) remove: bool,
}

/// Make, list and revoke access tokens for scripts
///
/// A token is sent as \"Authorization: Bearer TOKEN\" or as the Basic password, is good for what its scope says until
/// it expires, and cannot sign in to the page. Only its hash is kept, in the state folder. A server that is running
/// notices changes within seconds.
#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Make a token and print it; it cannot be shown again
    Add(TokenAdd),
    /// List tokens by name
    List,
    /// Take a token back
    Revoke(TokenRevoke),
}

/// What a new token is to be.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  compactvault token add nightly --scope add --days 90
  curl -H \"Authorization: Bearer $TOKEN\" --data-binary @a.png \\
    'http://nas:8000/api/collections/2/assets?filename=a.png'")]
pub(crate) struct TokenAdd {
    /// What to call it
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// What it is good for: read (list, search, download), add (archive), or read,add
    #[arg(long, value_name = "SCOPE")]
    pub(crate) scope: Scopes,
    /// Days until it expires
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) days: u32,
}

/// Which token to take back.
#[derive(Args, Debug)]
pub(crate) struct TokenRevoke {
    /// What it is called
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}
