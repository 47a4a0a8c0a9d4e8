//! What can be learned from a file's content: pictures of it, facts about it. Bytes in, values out; this crate knows
//! nothing of vaults, databases and HTTP.
//!
//! Content is hostile until proven otherwise, and decoders are large. So nobody calls a decoder: whoever wants
//! something sends a [`Request`] over pipes to a process of its own, which runs [`worker::run`] under limits
//! ([`job::Limits`]) and can be killed at any time without anybody noticing but the one who asked. [`protocol`] is what
//! the two say to each other. The worker never sees a file, only the bytes it asks for.

pub mod content;
pub mod document;
pub mod facts;
pub mod job;
pub mod kind;
pub mod members;
pub mod model;
mod platform;
pub mod protocol;
mod sound;
#[cfg(any(test, feature = "targets"))]
#[doc(hidden)]
pub mod targets;
pub mod thumbnail;
pub mod worker;

pub use content::Content;
pub use job::{Failure, Job, Limits, Output, Work};
pub use protocol::Request;

/// All jobs there are.
pub static JOBS: &[&Job] = &[
    &thumbnail::THUMBNAIL,
    &facts::FACTS,
    &members::JOB,
    &document::JOB,
    &model::JOB,
];
