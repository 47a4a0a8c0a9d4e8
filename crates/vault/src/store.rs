//! The only home of SQL: one `SQLite` file, its schema, one writing connection and a pool of reading ones.
//!
//! What comes out of here was checked against its leaf hash, its manifest hash or its own SHA-256. Queues, files
//! outside the vault and HTTP are unknown here.

pub(crate) mod alone;
pub(crate) mod catalog;
pub(crate) mod copy;
pub(crate) mod derived;
#[cfg(test)]
pub(crate) mod dump;
pub(crate) mod files;
pub(crate) mod heal;
pub(crate) mod journal;
pub(crate) mod listing;
pub(crate) mod log;
pub(crate) mod open;
pub(crate) mod parity;
mod places;
pub(crate) mod pool;
pub(crate) mod prove;
mod question;
pub(crate) mod read;
pub(crate) mod rebuild;
pub(crate) mod remains;
pub(crate) mod rows;
pub(crate) mod scan;
pub(crate) mod search;
pub(crate) mod selection;
mod vfs;
pub(crate) mod wal;
pub(crate) mod whereabouts;
pub(crate) mod write;

/// "CVLT" in the header's application id: what `file` and probing go by.
pub(crate) const APPLICATION_ID: u32 = 0x4356_4c54;
/// The header's user version: the container version that this program writes.
pub(crate) const CONTAINER_VERSION: u32 = 1;
/// Fixed for life: it cannot change in WAL mode. Measured: packs of 1 MiB waste 0.3 % at this size, and the few
/// pages a small commit touches stay small.
pub(crate) const PAGE_BYTES: u32 = 16 * 1024;
/// Bytes of one manifest record: a SHA-256 and a big-endian 32-bit size.
pub(crate) const RECORD_BYTES: usize = 36;
/// What every row of parity begins with.
pub(crate) const CAPSULE_MAGIC: &[u8; 8] = b"CVPARITY";
/// Longest value that is read from a vault, against hostile files: a manifest of 14 million chunks.
pub(crate) const VALUE_BYTES_MAX: i32 = 512 * 1024 * 1024;

/// The `section` column of `derived_listing`: sections are listed apart, so names may repeat across them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Places = 0,
    Assets = 1,
    Links = 2,
}

impl Section {
    /// The section of a number.
    pub(crate) const fn from_number(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::Places),
            1 => Some(Self::Assets),
            2 => Some(Self::Links),
            _ => None,
        }
    }
}

/// Rows of `derived_fact`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Fact {
    /// [`derived_version`] of what made the derived data.
    Version = 1,
    /// Entries that the derived data covers.
    Entries = 2,
    Projects = 3,
    Collections = 4,
    Assets = 5,
    Links = 6,
    /// Sum of the assets' sizes.
    LogicalBytes = 7,
    /// Sum of the chunks' sizes.
    UniqueBytes = 8,
    /// Sum of the packs as stored.
    StoredBytes = 9,
    Chunks = 10,
    Packs = 11,
    /// Rows of `derived_unreferenced`.
    Unreferenced = 12,
    /// CRC-32 of all of the above.
    Sum = 13,
}

/// How many facts there are; ids run from 1 to this.
pub(crate) const FACTS: usize = 13;

/// The version of everything derived: of this code, and of the code and Unicode data behind the sort key.
pub(crate) fn derived_version() -> i64 {
    const LISTING_VERSION: u32 = 1;
    i64::from(LISTING_VERSION) << 32 | i64::from(crate::natural_order::VERSION)
}
