//! Where assets stand in an order, and which of them somebody means who says "all but these" or "from here to there".
//!
//! The catalog answers by entries; whatever it does not know, superseded versions above all, is read here. Nothing of
//! an asset leaves by this way but its number and size: whoever opens it has it checked.

use std::collections::{HashMap, HashSet};

use rusqlite::Connection;

use super::catalog::{self, Shared};
use super::{Section, derived, log, question, read, search};
use crate::catalog::{Catalog, Filter, Known, Picked, Wanted};
use crate::entry::Kind;
use crate::error::ReadError;
use crate::ids::{AssetId, Seq};
use crate::model::{PlaceId, Question, Ranks, Selected, Selection};
use crate::natural_order::fold;

/// Where assets stand, and the first whose name begins with a text.
pub(crate) fn ranks(
    connection: &Connection,
    question: &Question,
    (assets, prefix): (&[AssetId], Option<&str>),
    shared: &Shared,
) -> Result<Ranks, ReadError> {
    let mut held = shared.lock();
    let transaction = connection.unchecked_transaction()?;
    let scope = search::scope(connection, question.within, question.deep)?;
    let catalog = catalog::current(connection, &mut held)?.ok_or_else(search::too_large)?;
    let (filter, _) = question::of(connection, &question.query, catalog, shared)?;
    let wanted = wanted(question, scope, &filter);
    let seqs: Vec<u64> = assets.iter().map(|id| id.get()).collect();
    let prefix = prefix.map(fold).filter(|prefix| !prefix.is_empty());
    let found = catalog.ranks(&wanted, &seqs, prefix.as_deref());
    drop(held);
    let (total, _) = search::totals(&found.by_class, &question.classes);
    let answer = Ranks {
        ranks: found.each,
        prefix: found.prefix,
        total,
        log_size: log::log_size(connection)?,
    };
    transaction.finish()?;
    Ok(answer)
}

fn wanted<'q>(
    question: &'q Question,
    scope: crate::catalog::Scope,
    filter: &'q Filter,
) -> Wanted<'q> {
    Wanted {
        scope,
        text: &question.text,
        filter,
        classes: &question.classes,
        sort: question.sort,
        descending: question.descending,
    }
}

/// The assets that are meant.
pub(crate) fn select(
    connection: &Connection,
    selection: &Selection,
    shared: &Shared,
) -> Result<Selected, ReadError> {
    let question = &selection.of;
    let mut held = shared.lock();
    let transaction = connection.unchecked_transaction()?;
    let scope = search::scope(connection, question.within, question.deep)?;
    let catalog = catalog::current(connection, &mut held)?.ok_or_else(search::too_large)?;
    let (filter, _) = question::of(connection, &question.query, catalog, shared)?;
    let mut named = Named::new(connection, catalog, selection);
    let mut picked = Picked {
        all: selection.all,
        ..Picked::default()
    };
    picked.spans = named.spans(&selection.ranges)?;
    for id in &selection.without {
        picked.without.insert(id.get());
        picked.without.insert(named.newest_seq(*id)?);
    }
    let mut strangers = Vec::new();
    let mut seen = HashSet::new();
    for id in &selection.with {
        match named.known.get(&id.get()) {
            Some(known) => picked.with.push(known.item),
            None if picked.without.contains(&id.get()) || !seen.insert(*id) => {}
            None => strangers.push(read_asset(connection, *id)?),
        }
    }
    let mut found = catalog.select(&wanted(question, scope, &filter), &picked);
    let is_all = question.text.is_empty() && question.query.is_empty();
    if let (true, false, Some(PlaceId::Collection(own))) = (is_all, question.deep, question.within)
        && let Err(error) = search::require_all(connection, own, found.by_class)
    {
        *held = None;
        return Err(error);
    }
    drop(held);
    for (seq, size, place) in strangers {
        found.seqs.push(seq);
        found.bytes += size;
        found.places.insert(place);
    }
    let answer = Selected {
        assets: found
            .seqs
            .into_iter()
            .map(|seq| AssetId::new(Seq::new(seq)))
            .collect(),
        bytes: found.bytes,
        one_place: found.places.len() <= 1,
        log_size: log::log_size(connection)?,
    };
    transaction.finish()?;
    Ok(answer)
}

/// What a superseded version is, which the catalog need not know: entry, size and place.
fn read_asset(connection: &Connection, id: AssetId) -> Result<(u64, u64, u64), ReadError> {
    let entry = read::entry_of_kind(connection, id.seq(), Kind::Asset, "asset")?;
    Ok((
        entry.seq,
        entry.size.unwrap_or(0),
        entry.parent.unwrap_or(0),
    ))
}

/// The assets that a selection names.
struct Named<'c> {
    connection: &'c Connection,
    known: HashMap<u64, Known>,
    /// The newest versions of those that are not.
    newer: HashMap<u64, u64>,
    catalog: &'c Catalog,
}

impl<'c> Named<'c> {
    fn new(connection: &'c Connection, catalog: &'c Catalog, selection: &Selection) -> Self {
        let ends = selection
            .ranges
            .iter()
            .flat_map(|(first, last)| [first, last]);
        let ids = ends.chain(&selection.with).chain(&selection.without);
        let seqs: Vec<u64> = ids.map(|id| id.get()).collect();
        Self {
            connection,
            known: catalog.known(&seqs),
            newer: HashMap::new(),
            catalog,
        }
    }

    /// The newest version of an asset's name, its own if it is that.
    fn newest_seq(&mut self, id: AssetId) -> Result<u64, ReadError> {
        if self.known.get(&id.get()).is_some_and(|known| known.newest) {
            return Ok(id.get());
        }
        if let Some(newer) = self.newer.get(&id.get()) {
            return Ok(*newer);
        }
        let (connection, section) = (self.connection, Section::Assets);
        read::entry_of_kind(connection, id.seq(), Kind::Asset, "asset")?;
        let listed = derived::listed(connection, id.seq())?;
        let newest = derived::newest(connection, listed.parent, section, &listed.sort_key)?;
        let newest = newest.ok_or_else(|| ReadError::Derived {
            detail: format!("the newest version of entry {id} is not listed"),
        })?;
        self.newer.insert(id.get(), newest.seq.get());
        Ok(newest.seq.get())
    }

    /// The items that ranges begin and end with.
    fn spans(&mut self, ranges: &[(AssetId, AssetId)]) -> Result<Vec<(u32, u32)>, ReadError> {
        let mut ends = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            ends.push((self.newest_seq(*first)?, self.newest_seq(*last)?));
        }
        // All at once: each look goes through the whole catalog.
        let newer: Vec<u64> = self.newer.values().copied().collect();
        if !newer.is_empty() {
            self.known.extend(self.catalog.known(&newer));
        }
        let item = |seq: u64| {
            let known = self.known.get(&seq).map(|known| known.item);
            known.ok_or_else(|| ReadError::Derived {
                detail: format!(
                    "entry {seq} is listed as the newest of its name, and is not found"
                ),
            })
        };
        ends.into_iter()
            .map(|(first, last)| Ok((item(first)?, item(last)?)))
            .collect()
    }
}
