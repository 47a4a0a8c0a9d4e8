//! The CompactVault HTTP server: the routes of docs/http-api.md around a vault, the page embedded in the binary, who
//! may come in, and how it stops.
//!
//! [`serve`] runs a whole server; [`Server`] is the same without sockets. This crate knows HTTP and JSON; what is in a
//! vault and how it gets there is `compactvault_vault`'s business, and printing, browsers and exit codes are the
//! binary's.

mod access;
mod app;
mod archive;
mod assets;
mod auth;
mod blocking;
mod checkpoints;
mod clock;
mod connection;
mod content;
mod disposition;
mod error;
mod events;
mod extract;
pub mod grants;
mod guesses;
mod highlight;
mod host;
mod limits;
mod lingering;
mod looking;
mod meters;
mod openapi;
mod openings;
mod pieces;
pub mod previews;
mod proxies;
mod random;
mod range;
mod receive;
mod requests;
mod routes;
mod scrub;
mod serve;
mod server;
mod shelf;
mod strangers;
#[cfg(any(test, feature = "targets"))]
#[doc(hidden)]
pub mod targets;
mod text;
mod tickets;
mod tls;
mod verification;
mod wire;
mod zip;

pub use app::Peer;
pub use serve::{Ready, serve};
pub use server::{ServeError, Server, ServerOptions, ServerReport};
pub use shelf::Place;
pub use tls::{Tls, TlsError};
