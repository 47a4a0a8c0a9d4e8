//! Every bound on what clients can make this server do, in one place, each with its reason. What a vault itself can
//! hold (names, depths, parts) is in `compactvault_vault::limits`; docs/http-api.md lists both with their answers.
//!
//! They are wide for whoever has signed in (a page that is scrolled fast sends hundreds of requests a second and is no
//! attack) and narrow for strangers, who can do nothing but sign in.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiError;

// Connections.

/// Connections at once; more wait in the system's queue. Each may hold [`BUFFER_BYTES_MAX`].
pub(crate) const CONNECTIONS_MAX: usize = 1024;
/// Of them, those over which nobody has signed in yet: strangers can never take all places.
pub(crate) const STRANGERS_MAX: usize = 512;
/// Of them, those from one address, or one IPv6 /64: more than browsers open, fewer than an attack needs.
pub(crate) const STRANGERS_PER_ADDRESS_MAX: usize = 64;
/// How long encrypting may take to begin; a handshake is two round trips.
pub(crate) const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a client may take for the header of a request, and a connection may stay idle.
pub(crate) const HEADER_TIME_MAX: Duration = Duration::from_secs(30);
/// Largest header of a request, first line included: names of 255 bytes in eight notations fit.
pub(crate) const HEADER_BYTES_MAX: usize = 32 * 1024;
/// Fields in a header. Browsers behind proxies send some thirty.
pub(crate) const HEADERS_MAX: usize = 100;
/// What a connection reads ahead.
pub(crate) const BUFFER_BYTES_MAX: usize = 256 * 1024;
/// How long a client may leave an answer unread. A paused film asks again where it stopped.
pub(crate) const UNREAD_TIME_MAX: Duration = Duration::from_mins(5);

// Requests.

/// Requests at once that are between their headers and the beginning of their answer.
const REQUESTS_MAX: usize = 512;
/// Largest JSON body but for lists of ids. `serde_json` refuses nesting deeper than 128 where it reads, and skips the rest without a stack.
pub(crate) const JSON_BYTES_MAX: usize = 64 * 1024;
/// Largest JSON body that is a list of ids.
pub(crate) const JSON_IDS_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Ids in one list at most.
pub(crate) const IDS_MAX: usize = 100_000;
/// The form that signs in: a password, a path and their names.
pub(crate) const FORM_BYTES_MAX: usize = 16 * 1024;
/// Stretches of a list in one selection at most. People make a handful.
pub(crate) const RANGES_MAX: usize = 10_000;
/// Assets whose place in a list is asked for at once.
pub(crate) const RANKS_MAX: usize = 200;
/// Files asked about at once before an upload.
pub(crate) const KNOWN_MAX: usize = 1000;
/// Places of one content in an answer at most.
pub(crate) const PLACES_MAX: usize = 200;
/// Longest query in the query language. Whoever types fills a line; addresses end at 32 KiB.
pub(crate) const Q_BYTES_MAX: usize = 8 * 1024;
/// How long a client may take for a body that fits in memory.
pub(crate) const BODY_TIME_MAX: Duration = Duration::from_secs(30);

// Uploads.

/// Parts of uploads and files in one request at once, each with up to 1 MiB on its way to the spool.
const PARTS_MAX: usize = 64;
/// Files in one batch at most: enough to share a commit, and few enough to send again.
pub(crate) const BATCH_FILES_MAX: usize = 256;
/// Uploads that one client may have begun and not ended. A page sends six at once.
pub(crate) const UPLOADS_PER_CLIENT_MAX: usize = 4096;
/// How long nothing of a body may come before it is given up.
pub(crate) const SILENCE_MAX: Duration = Duration::from_mins(1);
/// Slower than this over [`SILENCE_MAX`] and longer, a body only holds a place that others need; a telephone line of
/// 1990 is faster.
pub(crate) const BYTES_PER_SECOND_MIN: u64 = 256;
/// Bytes of small files that are gathered in memory at once, in all.
const MEMORY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What those bytes are counted in: a semaphore counts no further than 32 bits at a time, and nothing is smaller than a page.
const MEMORY_UNIT: usize = 4096;

// Downloads.

/// Downloads at once, each with up to 4 MiB on its way.
const DOWNLOADS_MAX: usize = 128;
/// Pages at once that are told what happens. Each holds a connection.
pub(crate) const EVENT_READERS_MAX: usize = 256;

// Guessing, by address: addresses of one IPv6 /64 count as one.

/// Requests without valid credentials that one address may send in [`REFUSED_WINDOW`].
pub(crate) const REFUSED_MAX: u32 = 300;
/// See [`REFUSED_MAX`].
pub(crate) const REFUSED_WINDOW: Duration = Duration::from_mins(1);
/// Wrong passwords from one address before the first wait, which is 1 s and doubles with each further one.
pub(crate) const FREE_TRIES: u32 = 5;
/// Longest wait after yet another wrong password.
pub(crate) const WAIT_MAX: Duration = Duration::from_mins(5);
/// Wrong passwords from everywhere before new addresses have to wait for each other: 1 s, doubling as well.
pub(crate) const FREE_TRIES_IN_ALL: u32 = 50;
/// Longest of those waits. It is short: the owner on a new device has to get in between the guesses of others.
pub(crate) const WAIT_IN_ALL_MAX: Duration = Duration::from_secs(16);
/// So long after the last wrong password of all, the count of all begins again.
pub(crate) const CALM: Duration = Duration::from_mins(10);
/// Addresses remembered at most.
pub(crate) const ADDRESSES_MAX: usize = 4096;
/// Passwords that wait at most for their turn to be hashed, which is one at a time: each needs 19 MiB.
pub(crate) const HASHING_MAX: usize = 32;
/// Sessions at most; the one unused for longest makes room.
pub(crate) const SESSIONS_MAX: usize = 1000;
/// A session unused for so long has ended.
pub(crate) const SESSION_IDLE_MAX: Duration = Duration::from_hours(168);

/// How much may go on at once. Clones share it.
#[derive(Clone)]
pub(crate) struct Limits {
    requests: Arc<Semaphore>,
    downloads: Arc<Semaphore>,
    parts: Arc<Semaphore>,
    memory: Arc<Semaphore>,
}

impl Limits {
    /// With everything free.
    pub(crate) fn new() -> Self {
        let limit = |at_once| Arc::new(Semaphore::new(at_once));
        Self {
            requests: limit(REQUESTS_MAX),
            downloads: limit(DOWNLOADS_MAX),
            parts: limit(PARTS_MAX),
            memory: limit(MEMORY_BYTES_MAX / MEMORY_UNIT),
        }
    }

    /// A place among the requests.
    pub(crate) fn request(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        acquire(&self.requests)
    }

    /// A place among the downloads, kept until the last byte.
    pub(crate) fn download(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        acquire(&self.downloads)
    }

    /// A place among the parts that are being received.
    pub(crate) fn part(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        acquire(&self.parts)
    }

    /// Downloads under way.
    pub(crate) fn downloading(&self) -> usize {
        DOWNLOADS_MAX - self.downloads.available_permits()
    }

    /// Parts of uploads that are being received.
    pub(crate) fn receiving(&self) -> usize {
        PARTS_MAX - self.parts.available_permits()
    }

    /// Room for so many bytes in memory, if there is any now.
    pub(crate) fn memory(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(MEMORY_UNIT)).ok()?;
        Arc::clone(&self.memory).try_acquire_many_owned(units).ok()
    }
}

fn acquire(limit: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, ApiError> {
    let too_many = |_| ApiError::too_many(Duration::from_secs(1));
    Arc::clone(limit).try_acquire_owned().map_err(too_many)
}
