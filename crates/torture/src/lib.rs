//! Breaks vaults on purpose, to see that nothing acknowledged is ever lost and nothing wrong is ever served.
//!
//! Everything runs in this process, on the product's own code: [`shim`] stands between it and the disk. The commands
//! are in `src/main.rs`; `cargo xtask torture` calls them, and kills the real binary besides. Never part of the product.

#[cfg(feature = "inside")]
pub mod bugs;
pub mod damages;
pub mod disk;
pub mod fault;
pub mod faults;
pub mod oracle;
#[cfg(feature = "inside")]
pub mod parsers;
pub mod power;
pub mod random;
pub mod record;
pub mod sequences;
pub mod shim;
pub mod workload;
