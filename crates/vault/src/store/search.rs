//! Pages that come from the catalog: of long lists, and of what a search finds anywhere in the vault.
//!
//! The catalog says which entries are on a page. Each is then read, and compared with what was sealed, like every
//! other page's.

use rusqlite::Connection;

use super::catalog::{self, Shared};
use super::derived::{self, Tally};
use super::rows::{asset_from_entry, placed};
use super::{Section, log, question, read};
use crate::catalog::{ByClass, Page, Scope, Wanted};
use crate::entry::Kind;
use crate::error::ReadError;
use crate::ids::{CollectionId, ProjectId, Seq};
use crate::media::MediaClass;
use crate::model::{Asset, Hit, ListPage, ListQuery, PlaceId, SearchPage, SearchQuery, SortBy};
use crate::name::Name;
use crate::natural_order;

/// Collections with fewer assets are listed from the index alone: that takes no longer and needs no catalog.
const LONG: u64 = 256;
/// Rows of the natural order that are skipped one by one.
const SHALLOW: u64 = 1024;

/// Whether a page is better found in the catalog than by going through the list. What is asked in a query is found there
/// alone.
pub(super) fn is_far(query: &ListQuery, tally: &Tally) -> bool {
    if !query.query.read.is_empty() {
        return true;
    }
    let follows_index =
        query.sort == SortBy::Name && query.text.is_empty() && query.classes.is_empty();
    let is_near = follows_index && query.offset <= SHALLOW;
    tally.assets() >= LONG && !query.all_versions && !is_near
}

/// Has the catalog ready, if the vault is not too large for one.
pub(crate) fn prepare(connection: &Connection, shared: &Shared) -> Result<(), ReadError> {
    let mut held = shared.lock();
    let _snapshot = connection.unchecked_transaction()?;
    catalog::current(connection, &mut held).map(|_| ())
}

/// A page of a collection's own assets; `None` if there can be no catalog.
pub(super) fn page(
    connection: &Connection,
    collection: CollectionId,
    query: &ListQuery,
    shared: &Shared,
) -> Result<Option<ListPage>, ReadError> {
    let mut held = shared.lock();
    let transaction = connection.unchecked_transaction()?;
    let parent = collection.seq();
    let Some(catalog) = catalog::current(connection, &mut held)? else {
        return Ok(None);
    };
    let (filter, read) = question::of(connection, &query.query, catalog, shared)?;
    let wanted = Wanted {
        scope: Scope::Own(parent.get()),
        text: &query.text,
        filter: &filter,
        classes: &query.classes,
        sort: query.sort,
        descending: query.descending,
    };
    let page = catalog.page(&wanted, query.offset, query.limit);
    let is_all = query.text.is_empty() && query.query.is_empty();
    if is_all && let Err(error) = require_all(connection, collection, page.by_class) {
        *held = None;
        return Err(error);
    }
    drop(held);
    let mut answer = ListPage {
        read,
        ..ListPage::default()
    };
    (answer.total, answer.bytes) = totals(&page.by_class, &query.classes);
    answer.counts = counts(&page);
    for seq in &page.seqs {
        let (asset, versions) = asset(connection, *seq)?;
        if asset.collection != collection {
            let detail = format!("entry {seq} is listed where it does not lie");
            return Err(ReadError::Derived { detail });
        }
        answer.assets.push((asset, versions));
    }
    answer.log_size = log::log_size(connection)?;
    transaction.finish()?;
    Ok(Some(answer))
}

/// A page of what a search finds.
pub(crate) fn search(
    connection: &Connection,
    query: &SearchQuery,
    shared: &Shared,
) -> Result<SearchPage, ReadError> {
    let mut held = shared.lock();
    let transaction = connection.unchecked_transaction()?;
    let scope = scope(connection, query.within, true)?;
    let catalog = catalog::current(connection, &mut held)?.ok_or_else(too_large)?;
    let (filter, read) = question::of(connection, &query.query, catalog, shared)?;
    let wanted = Wanted {
        scope,
        text: &query.text,
        filter: &filter,
        classes: &query.classes,
        sort: query.sort,
        descending: query.descending,
    };
    let page = catalog.page(&wanted, query.offset, query.limit);
    drop(held);
    let mut answer = SearchPage {
        read,
        ..SearchPage::default()
    };
    (answer.total, answer.bytes) = totals(&page.by_class, &query.classes);
    answer.counts = counts(&page);
    for seq in &page.seqs {
        answer.hits.push(hit(connection, *seq)?);
    }
    answer.log_size = log::log_size(connection)?;
    transaction.finish()?;
    Ok(answer)
}

/// Fails unless these are all assets that a collection counts.
pub(super) fn require_all(
    connection: &Connection,
    collection: CollectionId,
    by_class: ByClass,
) -> Result<(), ReadError> {
    let tally = derived::tally(connection, collection.seq())?;
    if by_class == MediaClass::ALL.map(|class| tally.class(class)) {
        return Ok(());
    }
    let detail = format!("collection {collection} counts other assets than are listed");
    Err(ReadError::Derived { detail })
}

/// Where to look, if it is there. A project has no assets of its own.
pub(super) fn scope(
    connection: &Connection,
    within: Option<PlaceId>,
    deep: bool,
) -> Result<Scope, ReadError> {
    match within {
        None => Ok(Scope::Vault),
        Some(PlaceId::Project(id)) => {
            read::entry_of_kind(connection, id.seq(), Kind::Project, "project")?;
            Ok(Scope::Below(id.get()))
        }
        Some(PlaceId::Collection(id)) => {
            read::entry_of_kind(connection, id.seq(), Kind::Collection, "collection")?;
            Ok(if deep {
                Scope::Below(id.get())
            } else {
                Scope::Own(id.get())
            })
        }
    }
}

/// A vault beyond what a catalog can hold.
pub(super) fn too_large() -> ReadError {
    let detail = "it has too many assets to search all of their names".into();
    ReadError::Store { detail }
}

/// A newest asset and how many versions its name has.
fn asset(connection: &Connection, seq: u64) -> Result<(Asset, u64), ReadError> {
    let listed = derived::listed(connection, Seq::new(seq))?;
    if listed.section != Section::Assets || !listed.newest {
        let detail = format!("entry {seq} is not the newest of its name");
        return Err(ReadError::Derived { detail });
    }
    let entry = read::entry(connection, listed.seq)?;
    // That the key is the name's was compared when the catalog took it in; a row that changed since differs from its
    // checksum.
    let same_name = entry.name.as_deref() == Some(natural_order::name_in_key(&listed.sort_key));
    if !same_name || entry.parent != Some(listed.parent.get()) {
        let detail = format!("entry {seq} is listed where it does not lie");
        return Err(ReadError::Derived { detail });
    }
    let versions = match listed.version {
        1 => 1,
        _ => derived::versions(connection, listed.parent, &listed.sort_key)?.len() as u64,
    };
    Ok((asset_from_entry(&entry, listed.media()?)?, versions))
}

fn hit(connection: &Connection, seq: u64) -> Result<Hit, ReadError> {
    let (asset, versions) = asset(connection, seq)?;
    let (project, path) = path(connection, &asset)?;
    Ok(Hit {
        asset,
        versions,
        project,
        path,
    })
}

/// The project an asset lies in, and the names from there down to its own.
pub(super) fn path(
    connection: &Connection,
    asset: &Asset,
) -> Result<(ProjectId, Vec<Name>), ReadError> {
    let parent = asset.collection.seq();
    let chain = read::ancestors(connection, parent)?;
    let mut path = Vec::with_capacity(chain.len() + 1);
    for place in chain.iter().rev() {
        path.push(placed(&read::entry(connection, *place)?)?.name);
    }
    path.push(asset.name.clone());
    let project = ProjectId::new(chain.last().copied().unwrap_or(parent));
    Ok((project, path))
}

pub(super) fn totals(by_class: &ByClass, classes: &[MediaClass]) -> (u64, u64) {
    let wanted = |class: &MediaClass| classes.is_empty() || classes.contains(class);
    let figures = MediaClass::ALL.iter().zip(by_class);
    figures
        .filter(|(class, _)| wanted(class))
        .fold((0, 0), |(items, bytes), (_, more)| {
            (items + more.0, bytes + more.1)
        })
}

fn counts(page: &Page) -> std::collections::BTreeMap<MediaClass, u64> {
    let figures = MediaClass::ALL.into_iter().zip(page.by_class);
    figures
        .filter(|(_, (items, _))| *items > 0)
        .map(|(class, (items, _))| (class, items))
        .collect()
}
