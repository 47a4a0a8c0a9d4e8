//! What places are called, for `in:` in a query: found by name or path, without regard to case and accents.
//!
//! Filled from the tree of places when it is first asked, then kept up to date with what the log got since. What a
//! vault's places are called never changes.

use std::collections::HashMap;

use rusqlite::Connection;

use super::derived::{LISTED_COLUMNS, Listed};
use super::read::Entries;
use super::rows::placed;
use super::{Section, listing, log, read};
use crate::entry::{Entry, Kind};
use crate::error::ReadError;
use crate::ids::Seq;
use crate::name::Name;
use crate::natural_order::fold;
use crate::query::near;

/// Places whose names are kept; of a larger vault none can be found by name. About 150 bytes each.
const PLACES_MAX: usize = 1_000_000;
/// Entries that are looked through for new places before all are read anew.
const CATCH_UP_MAX: u64 = 100_000;
/// Names that a suggestion is looked for among.
const NEAR_MAX: usize = 100_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct PlaceNames {
    /// Entries of the log it covers; 0 before it was filled.
    log_size: u64,
    /// What each place lies in, 0 for projects, and its folded name.
    places: HashMap<u64, (u64, Box<str>)>,
    by_name: HashMap<Box<str>, Vec<u64>>,
    too_many: bool,
}

/// What a name or path stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Called {
    /// The vault itself.
    Everything,
    /// At least one place, ascending.
    Places(Vec<u64>),
    /// Nothing, and what is called nearly so.
    Nothing(Option<u64>),
    /// There are too many places to know.
    TooMany,
}

impl PlaceNames {
    /// Makes it what this snapshot holds.
    pub(super) fn catch_up(&mut self, connection: &Connection) -> Result<(), ReadError> {
        let log_size = log::log_size(connection)?;
        let filled = if self.log_size == 0 || log_size.saturating_sub(self.log_size) > CATCH_UP_MAX
        {
            *self = Self::default();
            self.fill(connection)
        } else {
            self.follow(connection)
        };
        match filled {
            Ok(()) => self.log_size = log_size.max(self.log_size),
            // Half of it is worth nothing.
            Err(_) => *self = Self::default(),
        }
        filled
    }

    fn fill(&mut self, connection: &Connection) -> Result<(), ReadError> {
        let mut waiting = vec![Seq::VAULT];
        while let Some(place) = waiting.pop() {
            let kind = kind_in(place);
            for entry in listing::children(connection, place, kind)? {
                waiting.push(entry.id());
                self.add(&entry);
                if self.too_many {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn follow(&mut self, connection: &Connection) -> Result<(), ReadError> {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {LISTED_COLUMNS} FROM derived_listing l WHERE l.seq >= ?1 AND l.section = ?2 ORDER BY l.seq"
        ))?;
        let mut rows = statement.query([self.log_size, Section::Places as u64])?;
        let mut entries = Entries::new(connection)?;
        while let Some(row) = rows.next()? {
            let listed = Listed::from_row(row)?;
            let kind = kind_in(listed.parent);
            let entry = listing::listed_entry(&mut entries, &listed, listed.parent, kind)?;
            self.add(&entry);
        }
        Ok(())
    }

    fn add(&mut self, entry: &Entry) {
        if self.places.len() >= PLACES_MAX {
            self.too_many = true;
            return;
        }
        let name = String::from_utf8_lossy(entry.name.as_deref().unwrap_or_default());
        let name: Box<str> = fold(&name).into();
        let parent = entry.parent.unwrap_or(0);
        if self
            .places
            .insert(entry.seq, (parent, name.clone()))
            .is_none()
        {
            self.by_name.entry(name).or_default().push(entry.seq);
        }
    }

    /// What a name or path stands for: the end of the path of every place that is meant, or with a slash in front all of
    /// its path.
    pub(super) fn called(&self, path: &str) -> Called {
        if self.too_many {
            return Called::TooMany;
        }
        let names: Vec<String> = path
            .split('/')
            .map(|name| fold(name.trim()))
            .filter(|name| !name.is_empty())
            .collect();
        let Some((last, before)) = names.split_last() else {
            return Called::Everything;
        };
        let candidates = self
            .by_name
            .get(last.as_str())
            .map_or(&[][..], Vec::as_slice);
        let mut found: Vec<u64> = candidates
            .iter()
            .copied()
            .filter(|place| self.lies_so(*place, before, path.starts_with('/')))
            .collect();
        if found.is_empty() {
            return Called::Nothing(self.near(last, candidates));
        }
        found.sort_unstable();
        Called::Places(found)
    }

    /// Whether the names above a place are these; with `from_top`, whether they are all of them.
    fn lies_so(&self, place: u64, above: &[String], from_top: bool) -> bool {
        let mut at = self.places.get(&place).map_or(0, |(parent, _)| *parent);
        for name in above.iter().rev() {
            match self.places.get(&at) {
                Some((parent, called)) if **called == **name => at = *parent,
                _ => return false,
            }
        }
        !from_top || at == 0
    }

    /// A place that may have been meant: one of that name elsewhere, one whose name begins so, one spelled nearly so.
    fn near(&self, name: &str, elsewhere: &[u64]) -> Option<u64> {
        let first = |name: &str| self.by_name.get(name)?.first().copied();
        let names = || self.by_name.keys().take(NEAR_MAX).map(AsRef::as_ref);
        let begins = || names().filter(|other| other.starts_with(name)).min();
        elsewhere
            .first()
            .copied()
            .or_else(|| begins().and_then(first))
            .or_else(|| near::nearest(name, names()).and_then(first))
    }
}

fn kind_in(parent: Seq) -> Kind {
    if parent == Seq::VAULT {
        Kind::Project
    } else {
        Kind::Collection
    }
}

/// The path of a place as it is shown.
pub(super) fn shown(connection: &Connection, place: u64) -> Result<String, ReadError> {
    let chain = read::ancestors(connection, Seq::new(place))?;
    let mut names = Vec::with_capacity(chain.len());
    for place in chain.iter().rev() {
        names.push(placed(&read::entry(connection, *place)?)?.name);
    }
    let names: Vec<_> = names.iter().map(Name::to_utf8_lossy).collect();
    Ok(names.join("/"))
}
