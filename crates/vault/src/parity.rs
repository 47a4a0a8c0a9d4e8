//! Reed-Solomon parity over sealed rows: what is cut into shards, how a stripe is described, encoded and decoded.
//!
//! A *stripe* protects some objects: entries, manifests, packs with their chunk rows. Their bytes are cut into
//! *shards* of 4 KiB. Bytes that `SQLite` keeps in overflow pages are cut where the file's 4 KiB blocks end, so that
//! one lost block is one lost shard; everything else (rows, and the first part of a long value) is strung together
//! and cut every 4 KiB, so that small rows share shards. A stripe is written as *capsules*: rows that each carry some
//! parity shards, aligned as well unless they are few, and a piece of the stripe's *descriptor*, and that can be
//! recognised in a file of which nothing else is left. See docs/vault-format.md.
//!
//! Pure: bytes in, values out, though long stripes are computed beside the thread that gathers them. The code itself is `reed-solomon-simd`'s; it detects no errors, so the descriptor holds
//! a CRC-32 of every shard, and whatever was decoded counts only when its SHA-256 or leaf hash says so.

pub(crate) mod builder;
pub(crate) mod capsule;
pub(crate) mod code;
pub(crate) mod cut;
pub(crate) mod descriptor;
mod engine;
pub(crate) mod mending;
pub(crate) mod plan;
pub(crate) mod running;

/// Bytes of a shard: a block of the file.
pub(crate) const SHARD: usize = 4096;
/// Blocks of a page. The first of an overflow page lacks some bytes, which hold the number of the next page.
pub(crate) const BLOCKS: usize = crate::store::PAGE_BYTES as usize / SHARD;
/// How many it lacks.
pub(crate) const TAIL: usize = 4;
/// Data shards of one stripe at most; with the most parity that is chosen, within what the code can do (65,536).
pub(crate) const DATA_SHARDS_MAX: usize = 32_768;
