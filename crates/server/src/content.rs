//! Windows into content of any size: lines of text, rows of tables, texts found in them. An index of where some of the
//! lines begin is made in one pass and kept for a while, so that a window costs a few chunks wherever it lies.
//!
//! Nothing here decodes more than characters, so it runs in this process; what could explode is for `crates/preview`.

mod bytes;
mod ending;
mod find;
mod known;
mod lines;
mod paint;
mod table;
mod window;
mod writing;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use compactvault_preview::members::Listing;
use compactvault_vault::{AssetId, Digest};
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

pub(crate) use bytes::Bytes;
pub(crate) use ending::ends_early;
pub(crate) use find::{Found, QUERY_CHARS_MAX, Query, find};
pub(crate) use known::known;
pub(crate) use lines::{Index, Snapshot};
pub(crate) use paint::Painters;
pub(crate) use table::{TableIndex, TableSnapshot, read_rows};
pub(crate) use window::{Line, read_lines};

/// Bytes that one request reads to make an index; about half a second. What is longer takes several requests.
pub(crate) const PASS_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Passes at once: each keeps a core busy, and lists must still come.
const PASSES_MAX: usize = 2;
/// Indexes kept; each is at most 1 MiB.
const INDEXES_MAX: usize = 32;
/// Lists of members kept: pages of one list are asked for one after the other, and each is at most some 20 MiB.
const LISTINGS_MAX: usize = 4;
/// Models that are on their way to somebody at once; each is held in memory, up to 168 MB.
const MODELS_MAX: usize = 4;

/// What is not text is told by this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotText;

/// Indexes of what was looked at last, by content: two assets with the same bytes share one.
pub(crate) struct Contents {
    texts: Kept<Index>,
    tables: Kept<TableIndex>,
    listings: Mutex<VecDeque<(AssetId, Arc<Listing>)>>,
    pub(crate) painters: Painters,
    pub(crate) passes: Semaphore,
    pub(crate) models: Arc<Semaphore>,
}

impl Contents {
    /// Without any.
    pub(crate) fn new() -> Self {
        Self {
            texts: Kept::default(),
            tables: Kept::default(),
            listings: Mutex::default(),
            painters: Painters::default(),
            passes: Semaphore::new(PASSES_MAX),
            models: Arc::new(Semaphore::new(MODELS_MAX)),
        }
    }

    /// The index of a text; empty if it was not begun yet. Whoever holds the lock makes more of it.
    pub(crate) fn text(&self, sha256: &Digest) -> Slot<Index> {
        self.texts.get(sha256.as_bytes(), b' ')
    }

    /// The index of a table. What a file is called decides how it is taken apart, so `kind` does as well.
    pub(crate) fn table(&self, sha256: &Digest, kind: u8) -> Slot<TableIndex> {
        self.tables.get(sha256.as_bytes(), kind)
    }
}

impl Contents {
    /// The list of an archive's members, if it was made lately.
    pub(crate) fn listing(&self, id: AssetId) -> Option<Arc<Listing>> {
        let mut kept = self.listings.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(of, _)| *of == id)?;
        let found = kept.remove(at)?;
        kept.push_back(found.clone());
        Some(found.1)
    }

    /// Keeps one for the next page of it.
    pub(crate) fn keep_listing(&self, id: AssetId, listing: Arc<Listing>) {
        let mut kept = self.listings.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(of, _)| *of != id);
        if kept.len() >= LISTINGS_MAX {
            kept.pop_front();
        }
        kept.push_back((id, listing));
    }
}

/// An index that is made by one request at a time.
pub(crate) type Slot<T> = Arc<AsyncMutex<Option<T>>>;

/// The latest indexes, latest last.
struct Kept<T>(Mutex<VecDeque<Entry<T>>>);

/// By the content's SHA-256, and how it is looked at.
type Entry<T> = ([u8; 32], u8, Slot<T>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Kept<T> {
    fn get(&self, sha256: &[u8; 32], kind: u8) -> Slot<T> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept
            .iter()
            .position(|(of, k, _)| of == sha256 && *k == kind);
        let found = at.and_then(|at| kept.remove(at));
        let entry = found.unwrap_or_else(|| (*sha256, kind, Slot::default()));
        let slot = Arc::clone(&entry.2);
        if kept.len() >= INDEXES_MAX {
            kept.pop_front();
        }
        kept.push_back(entry);
        slot
    }
}
