//! The catalog of a vault: filled from derived rows and sealed entries when it is first asked, then kept up to date
//! with what the log got since.
//!
//! It lives in memory alone: opening a vault and archiving cost nothing for it, and it cannot outlive what it was made
//! from. Filling it takes about two seconds for a million assets.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rayon::slice::ParallelSliceMut;
use rusqlite::{Connection, Row};

use super::derived::{self, LISTED_COLUMNS, Listed};
use super::places::PlaceNames;
use super::read::Entries;
use super::rows::{ENTRY_COLUMNS, damaged, unchecked_entry};
use super::{listing, log};
use crate::catalog::{Catalog, Facts, ITEMS_MAX, NAME_BYTES_MAX};
use crate::entry::{Entry, Kind};
use crate::error::ReadError;
use crate::ids::Seq;
use crate::query::FactSource;

/// Entries that are added one by one, whatever the catalog holds already; for more it may be filled anew.
const CATCH_UP_MIN: u64 = 20_000;

/// The catalog as readers share it, and what places are called.
#[derive(Default)]
pub(crate) struct Shared {
    catalog: Mutex<Option<Catalog>>,
    names: Mutex<PlaceNames>,
    facts: OnceLock<Arc<dyn FactSource>>,
}

impl Shared {
    /// Whoever holds it must begin its transaction after that: then its snapshot is never older than the catalog.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Option<Catalog>> {
        self.catalog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has it filled anew when it is next asked, because what it was made from may have changed.
    pub(crate) fn forget(&self) {
        *self.lock() = None;
        *self.names() = PlaceNames::default();
    }

    /// What places are called. Whoever holds the catalog may hold this as well, not the other way round.
    pub(super) fn names(&self) -> MutexGuard<'_, PlaceNames> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who knows what contents say; only the first to be named counts.
    pub(crate) fn set_facts(&self, source: Arc<dyn FactSource>) {
        let _ = self.facts.set(source);
    }

    pub(super) fn facts(&self) -> Option<&dyn FactSource> {
        self.facts.get().map(AsRef::as_ref)
    }
}

/// The catalog of this snapshot; `None` if the vault is too large for one.
pub(crate) fn current<'c>(
    connection: &Connection,
    held: &'c mut Option<Catalog>,
) -> Result<Option<&'c mut Catalog>, ReadError> {
    let log_size = log::log_size(connection)?;
    let known = held.take().filter(|catalog| {
        let behind = log_size.saturating_sub(catalog.log_size());
        behind <= CATCH_UP_MIN.max(catalog.len() as u64 / 8)
    });
    let catalog = match known {
        Some(mut catalog) => {
            if catalog.log_size() < log_size {
                catch_up(connection, &mut catalog, log_size)?;
            }
            let fits = catalog.len() <= ITEMS_MAX && catalog.name_bytes() <= NAME_BYTES_MAX / 2;
            fits.then_some(catalog)
        }
        None => fill(connection, log_size)?,
    };
    *held = catalog;
    Ok(held.as_mut())
}

struct Found {
    facts: Facts,
    place: u64,
    /// Where its key lies in the buffer of all keys.
    key: (usize, usize),
}

fn fill(connection: &Connection, log_size: u64) -> Result<Option<Catalog>, ReadError> {
    let due = listing::assets_of_all(connection)?;
    if due > ITEMS_MAX as u64 {
        return Ok(None);
    }
    let All {
        mut found,
        keys,
        superseded,
    } = read_all(connection)?;
    if found.len() as u64 != due {
        let detail = format!("the vault counts {due} assets but lists {}", found.len());
        return Err(ReadError::Derived { detail });
    }
    // Folding can lengthen a name a few times; a vault of names that long is beyond this.
    if keys.len() > NAME_BYTES_MAX / 4 {
        return Ok(None);
    }
    let key = |found: &Found| &keys[found.key.0..found.key.1];
    found.par_sort_unstable_by(|a, b| (key(a), a.facts.seq).cmp(&(key(b), b.facts.seq)));
    let mut catalog = Catalog::new(log_size);
    for (content, seq) in superseded {
        catalog.push_superseded(content, seq);
    }
    let mut entries = Entries::new(connection)?;
    for found in &found {
        know(&mut entries, &mut catalog, found.place)?;
        catalog.push(found.facts, found.place, key(found));
    }
    Ok(Some(catalog))
}

struct All {
    /// The newest assets.
    found: Vec<Found>,
    /// Their keys.
    keys: Vec<u8>,
    /// Contents and entries of the others.
    superseded: Vec<(u64, u64)>,
}

/// All assets. Both tables are read in the order they lie in.
fn read_all(connection: &Connection) -> Result<All, ReadError> {
    let columns: Vec<String> = ENTRY_COLUMNS
        .split(", ")
        .map(|column| format!("e.{}", column.trim()))
        .collect();
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {LISTED_COLUMNS}, {} FROM derived_listing l NOT INDEXED CROSS JOIN entry e ON e.seq = l.seq \
         WHERE l.section = 1",
        columns.join(", ")
    ))?;
    let mut rows = statement.query([])?;
    let mut all = All {
        found: Vec::new(),
        keys: Vec::new(),
        superseded: Vec::new(),
    };
    let All {
        found,
        keys,
        superseded,
    } = &mut all;
    while let Some(row) = rows.next()? {
        let listed = Listed::from_row(row)?;
        let entry = joined_entry(row)?;
        listing::require_listed(&entry, &listed, Kind::Asset)?;
        if !listed.newest {
            if superseded.len() < ITEMS_MAX {
                superseded.push((content(&entry), entry.seq));
            }
            continue;
        }
        let start = keys.len();
        keys.extend_from_slice(&listed.sort_key);
        found.push(Found {
            facts: facts(&entry, &listed)?,
            place: listed.parent.get(),
            key: (start, keys.len()),
        });
    }
    Ok(all)
}

/// The first 8 bytes of an asset's SHA-256.
fn content(entry: &Entry) -> u64 {
    entry.sha256.map_or(0, |sha256| sha256.head())
}

fn joined_entry(row: &Row<'_>) -> Result<Entry, ReadError> {
    let before = LISTED_COLUMNS.split(',').count();
    let (entry, leaf) = unchecked_entry(|column| row.get_ref(before + column))?;
    if entry.leaf_hash() == leaf {
        Ok(entry)
    } else {
        Err(damaged(entry.seq, "its row differs from its leaf hash"))
    }
}

fn facts(entry: &Entry, listed: &Listed) -> Result<Facts, ReadError> {
    let seconds = entry.modified_s.unwrap_or(i64::MIN);
    let nanoseconds = entry.modified_ns.map_or(0, |nanoseconds| nanoseconds + 1);
    Ok(Facts {
        seq: entry.seq,
        size: entry.size.unwrap_or(0),
        modified: (seconds, nanoseconds),
        class: listed.media()?.class,
        media: listed.media,
        sealed_at: entry.sealed_at,
        content: content(entry),
        versioned: listed.version > 1,
    })
}

fn know(entries: &mut Entries<'_>, catalog: &mut Catalog, place: u64) -> Result<(), ReadError> {
    if !catalog.knows_place(place) {
        let chain = entries.ancestors(Seq::new(place))?;
        catalog.add_place(chain.into_iter().map(Seq::get).collect());
    }
    Ok(())
}

fn catch_up(
    connection: &Connection,
    catalog: &mut Catalog,
    log_size: u64,
) -> Result<(), ReadError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {LISTED_COLUMNS} FROM derived_listing l WHERE l.seq >= ?1 AND l.section = 1 ORDER BY l.seq"
    ))?;
    let mut rows = statement.query([catalog.log_size()])?;
    let mut entries = Entries::new(connection)?;
    while let Some(row) = rows.next()? {
        let listed = Listed::from_row(row)?;
        let entry = listing::listed_entry(&mut entries, &listed, listed.parent, Kind::Asset)?;
        let before = if listed.version > 1 {
            let versions = derived::versions(connection, listed.parent, &listed.sort_key)?;
            versions.into_iter().find(|version| *version < listed.seq)
        } else {
            None
        };
        know(&mut entries, catalog, listed.parent.get())?;
        catalog.add(
            facts(&entry, &listed)?,
            listed.parent.get(),
            &listed.sort_key,
            before.map(Seq::get),
            |seq| derived::listed(connection, Seq::new(seq)).map(|listed| listed.sort_key),
        )?;
    }
    catalog.caught_up(log_size);
    Ok(())
}
