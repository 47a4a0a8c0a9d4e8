//! Pages that come from the catalog: of long lists, and of what a search finds anywhere in the vault.
//!
//! The catalog says which entries are on a page, and of each its media type. Each entry is then read, and compared with what
//! was sealed, like every other page's.

use rusqlite::Connection;

use super::catalog::{self, Shared};
use super::derived::{self, Tally};
use super::read::Entries;
use super::rows::{asset_from_entry, placed};
use super::{log, question, read};
use crate::catalog::{ByClass, Page, Scope, Shown, Wanted};
use crate::entry::Kind;
use crate::error::ReadError;
use crate::ids::{CollectionId, ProjectId, Seq};
use crate::media::{Media, MediaClass};
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
    let mut entries = Entries::new(connection)?;
    for shown in &page.assets {
        let (asset, versions) = asset(connection, &mut entries, *shown)?;
        if asset.collection != collection {
            let detail = format!("entry {} is listed where it does not lie", shown.seq);
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
    let mut entries = Entries::new(connection)?;
    for shown in &page.assets {
        answer.hits.push(hit(connection, &mut entries, *shown)?);
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

/// The sealed entry of what the catalog shows, and how many versions its name has. That the catalog's row about it is true
/// was compared when it took that in: half of what a page costs would be to read it again.
fn asset(
    connection: &Connection,
    entries: &mut Entries<'_>,
    shown: Shown,
) -> Result<(Asset, u64), ReadError> {
    let entry = entries.get(Seq::new(shown.seq))?;
    let media = Media::from_code(shown.media).ok_or_else(|| {
        let detail = format!("the media type listed for entry {} is unknown", shown.seq);
        ReadError::Derived { detail }
    })?;
    let asset = asset_from_entry(&entry, media)?;
    let versions = if shown.versioned {
        let key = natural_order::sort_key(entry.name.as_deref().unwrap_or_default());
        derived::versions(connection, asset.collection.seq(), &key)?.len() as u64
    } else {
        1
    };
    Ok((asset, versions))
}

fn hit(connection: &Connection, entries: &mut Entries<'_>, shown: Shown) -> Result<Hit, ReadError> {
    let (asset, versions) = asset(connection, entries, shown)?;
    let (project, path) = path(entries, &asset)?;
    Ok(Hit {
        asset,
        versions,
        project,
        path,
    })
}

/// The project an asset lies in, and the names from there down to its own.
pub(super) fn path(
    entries: &mut Entries<'_>,
    asset: &Asset,
) -> Result<(ProjectId, Vec<Name>), ReadError> {
    let parent = asset.collection.seq();
    let chain = entries.ancestors(parent)?;
    let mut path = Vec::with_capacity(chain.len() + 1);
    for place in chain.iter().rev() {
        path.push(placed(&entries.get(*place)?)?.name);
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
