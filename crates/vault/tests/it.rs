//! The vault from outside: what it promises, tried through its public interface, through stock tools, and against
//! its will.
//!
//! One binary with a module per theme, so that it is linked once.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "the numbers of these tests are small"
)]

mod it {
    mod copies;
    mod damage;
    mod derived;
    mod golden;
    mod ingest;
    mod listing;
    mod log;
    mod matrix;
    mod processes;
    mod query;
    #[cfg(unix)]
    mod recovery;
    mod refusals;
    mod round_trip;
    mod scrub;
    mod search;
    mod selection;
    mod support;
    mod uploads;
    mod varied;
    mod verified;
    mod wal;
    mod worm;
}
