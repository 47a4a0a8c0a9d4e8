//! The routes as a client sees them: the in-process router on a real vault in a temporary folder, one module per
//! resource. Every answer is held against the `OpenAPI` description; a few tests use real sockets.

#[path = "it/access.rs"]
mod access;
#[path = "it/assets.rs"]
mod assets;
#[path = "it/attacks.rs"]
mod attacks;
#[path = "it/batch.rs"]
mod batch;
#[path = "it/bench.rs"]
mod bench;
#[path = "it/collections.rs"]
mod collections;
#[path = "it/content.rs"]
mod content;
#[path = "it/description.rs"]
mod description;
#[path = "it/downloads.rs"]
mod downloads;
#[path = "it/encrypted.rs"]
mod encrypted;
#[path = "it/looks.rs"]
mod looks;
#[path = "it/pages.rs"]
mod pages;
#[path = "it/previews.rs"]
mod previews;
#[path = "it/projects.rs"]
mod projects;
#[path = "it/proving.rs"]
mod proving;
#[path = "it/search.rs"]
mod search;
#[path = "it/selection.rs"]
mod selection;
#[path = "it/sockets.rs"]
mod sockets;
#[path = "it/status.rs"]
mod status;
#[path = "it/uploads.rs"]
mod uploads;
#[path = "it/vaults.rs"]
mod vaults;
#[path = "it/whole.rs"]
mod whole;
