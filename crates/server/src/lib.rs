//! Placeholder front page.
mod auth;
mod clock;
mod disposition;
mod highlight;
mod host;
mod range;
mod text;
mod zip;
