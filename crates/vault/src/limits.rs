//! Every bound in one place, with its reason. Sizes are bytes unless the name says otherwise.

use std::time::Duration;

/// Longest name of a project, collection, asset or link. File systems stop at 255; object stores reach 1,024.
pub const NAME_BYTES_MAX: usize = 1024;
/// Longest target of a symbolic link; Linux stops at 4,096.
pub const LINK_TARGET_BYTES_MAX: usize = 4096;
/// Longest description of a project. An entry's leaf must stay far below 65,535 bytes (C2SP tlog-tiles).
pub const DESCRIPTION_BYTES_MAX: usize = 4096;
/// Longest type word of a project or collection.
pub const TYPE_WORD_BYTES_MAX: usize = 64;
/// Deepest nesting of collections. Bounds recursion and path lengths; real trees stay below 50.
pub const DEPTH_MAX: usize = 128;

/// Smallest chunk that content-defined chunking cuts, but for the last of a file.
pub const CHUNK_BYTES_MIN: usize = 64 * 1024;
/// Average chunk aimed at.
pub const CHUNK_BYTES_AVG: usize = 256 * 1024;
/// Largest chunk. A range read decodes whole chunks, and `SQLite` walks a row's overflow chain from its start.
pub const CHUNK_BYTES_MAX: usize = 1024 * 1024;
/// From here on a chunk that does not compress is stored alone. The end of a row's last page stays empty, 8 KiB on average,
/// which is too much for smaller ones; sharing a pack costs a second digest.
pub const ALONE_BYTES_MIN: usize = 160 * 1024;
/// Raw size at which a pack of small chunks is closed.
pub const PACK_BYTES_TARGET: usize = 2 * 1024 * 1024;
/// Largest raw size of a pack: the target, plus one chunk that was added below it.
pub const PACK_BYTES_MAX: usize = PACK_BYTES_TARGET + CHUNK_BYTES_MAX;
/// Chunk bytes gathered at a time; a commit can take in several. Three of these can be in memory at once (gathering, encoding, encoded).
pub const BATCH_BYTES_MAX: usize = 12 * 1024 * 1024;
/// Assets and links gathered for one commit.
pub const BATCH_ENTRIES_MAX: usize = 4096;
/// Assets and links from which a bulk import's transaction takes no further batch.
pub const TRANSACTION_ENTRIES_MAX: usize = 32_768;

/// Reading connections at most; each costs a page cache.
pub const READERS_MAX: usize = 8;
/// Page cache of a reading connection.
pub const READER_CACHE_BYTES: usize = 4 * 1024 * 1024;
/// Page cache of the writing connection.
pub const WRITER_CACHE_BYTES: usize = 16 * 1024 * 1024;
/// Decoded packs kept for readers of neighbouring chunks, in all.
pub const PACK_CACHE_BYTES: usize = 16 * 1024 * 1024;
/// Checked chunks kept for others who read the same, in all.
pub const CHUNK_CACHE_BYTES: usize = 8 * 1024 * 1024;
/// The same in number, for chunks that are small.
pub const CHUNK_CACHE_MAX: usize = 64;

/// Largest part of an upload. The original's page sends 5 MiB.
pub const PART_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Most parts of one upload: a 16 TiB file in 4 MiB parts has as many again.
pub const PARTS_MAX: u64 = 4 * 1024 * 1024;
/// Longest upload id a client may choose.
pub const UPLOAD_ID_BYTES_MAX: usize = 200;
/// How long an upload without a new part is kept, and how long one that ended can be asked for.
pub const UPLOAD_KEPT: Duration = Duration::from_hours(7 * 24);
/// Ended uploads remembered at most; the oldest are forgotten first.
pub const UPLOADS_ENDED_MAX: usize = 50_000;

/// How long a writing transaction waits for another process by default.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(30);

const _: () = assert!(CHUNK_BYTES_MIN.is_power_of_two() && CHUNK_BYTES_AVG.is_power_of_two());
const _: () = assert!(CHUNK_BYTES_MAX.is_power_of_two() && CHUNK_BYTES_MAX <= PACK_BYTES_MAX);
const _: () = assert!(CHUNK_BYTES_MIN < CHUNK_BYTES_AVG && CHUNK_BYTES_AVG < CHUNK_BYTES_MAX);
const _: () = assert!(BATCH_BYTES_MAX >= 4 * PACK_BYTES_MAX);
