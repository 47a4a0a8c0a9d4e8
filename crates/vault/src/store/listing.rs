//! Listings: pages of assets in any order, places with their counts, and walks through all of them.
//!
//! The order comes from derived rows, so each row is compared with the sealed entry it points to, and a page that
//! is shorter than the count says is an error: a damaged index never hides an asset silently.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rusqlite::functions::FunctionFlags;
use rusqlite::types::ToSql;
use rusqlite::{Connection, params};

use super::catalog::Shared;
use super::derived::{self, LISTED_COLUMNS, LISTING, Listed, Tally, Whole};
use super::read::Entries;
use super::rows::{
    ENTRY_COLUMNS, PlaceBody, asset_from_entry, damaged, link_from_entry, placed, unchecked_entry,
};
use super::{Section, log, read, search};
use crate::entry::{Entry, Kind};
use crate::error::ReadError;
use crate::ids::{CollectionId, ProjectId, Seq};
use crate::media::{Media, MediaClass};
use crate::model::{Asset, Collection, Link, ListPage, ListQuery, PlaceId, Project, SortBy};
use crate::name::Name;
use crate::natural_order;
use crate::relevance::Ranker;

/// Functions that queries of this module use. The schema never does: any `sqlite3` can read a vault.
pub(crate) fn register_functions(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function("cv_class", 1, flags, |context| {
        let media = Media::from_code(context.get(0)?);
        Ok(media
            .map_or(MediaClass::Binary, |media| media.class)
            .number())
    })?;
    // 1 for an entry's columns if its row is what was sealed, an error if not.
    connection.create_scalar_function("cv_sealed", 15, flags, |context| {
        let (entry, leaf) = unchecked_entry(|column| Ok(context.get_raw(column)))
            .map_err(|error| rusqlite::Error::UserFunctionError(error.into()))?;
        if entry.leaf_hash() == leaf {
            return Ok(1);
        }
        let error = damaged(entry.seq, "its row differs from its leaf hash");
        Err(rusqlite::Error::UserFunctionError(error.into()))
    })?;
    connection.create_scalar_function("cv_name_contains", 2, flags, |context| {
        let key = context.get_raw(0).as_blob().unwrap_or_default();
        let needle = context.get_raw(1).as_str().unwrap_or_default();
        let name = String::from_utf8_lossy(natural_order::name_in_key(key));
        Ok(natural_order::fold(&name).contains(needle))
    })?;
    connection.create_scalar_function("cv_rank", 2, flags, |context| {
        let key = context.get_raw(0).as_blob().unwrap_or_default();
        let text = context.get_raw(1).as_str().unwrap_or_default();
        let name = String::from_utf8_lossy(natural_order::name_in_key(key));
        let folded = natural_order::fold(&name);
        Ok(Ranker::new(text).rank(folded.as_bytes()) as i64)
    })
}

/// One page of a collection's assets.
pub(crate) fn page(
    connection: &Connection,
    collection: CollectionId,
    query: &ListQuery,
    whole: &Whole,
    catalog: &Shared,
) -> Result<ListPage, ReadError> {
    // One snapshot for the page, its totals and the log size it claims to show.
    let snapshot = connection.unchecked_transaction()?;
    read::entry_of_kind(connection, collection.seq(), Kind::Collection, "collection")?;
    let tally = counted(connection, collection, whole)?;
    if !search::is_far(query, &tally) {
        return near_page(connection, collection, query, &tally);
    }
    // The catalog is locked before a snapshot is taken.
    snapshot.finish()?;
    if let Some(page) = search::page(connection, collection, query, catalog)? {
        return Ok(page);
    }
    if !query.query.is_empty() {
        return Err(search::too_large());
    }
    let _snapshot = connection.unchecked_transaction()?;
    let tally = counted(connection, collection, whole)?;
    near_page(connection, collection, query, &tally)
}

/// What a collection counts, which is what it lists. Needs one snapshot.
fn counted(
    connection: &Connection,
    collection: CollectionId,
    whole: &Whole,
) -> Result<Tally, ReadError> {
    let tally = derived::tally(connection, collection.seq())?;
    whole.check(connection, collection.seq(), Section::Assets, &tally)?;
    Ok(tally)
}

/// The page found by going through the list, which has as much as `tally` counts. Needs the snapshot of the latter.
fn near_page(
    connection: &Connection,
    collection: CollectionId,
    query: &ListQuery,
    tally: &Tally,
) -> Result<ListPage, ReadError> {
    let plain = query.text.is_empty() && !query.all_versions;
    let by_class: ByClass = if plain {
        MediaClass::ALL
            .into_iter()
            .map(|class| (class, tally.class(class)))
            .collect()
    } else {
        count_matches(connection, collection.seq(), query)?
    };
    let wanted = |class: &MediaClass| query.classes.is_empty() || query.classes.contains(class);
    let (mut total, mut bytes) = (0, 0);
    for (class, (items, size)) in &by_class {
        if wanted(class) {
            total += items;
            bytes += size;
        }
    }
    let assets = page_rows(connection, collection.seq(), query)?;
    let expected = total.saturating_sub(query.offset).min(query.limit);
    if assets.len() as u64 != expected {
        return Err(ReadError::Derived {
            detail: format!(
                "collection {collection} counts {total} assets but lists {} where {expected} are due",
                assets.len()
            ),
        });
    }
    let log_size = log::log_size(connection)?;
    let counts = by_class
        .into_iter()
        .filter(|(_, (items, _))| *items > 0)
        .map(|(class, (items, _))| (class, items))
        .collect();
    Ok(ListPage {
        assets,
        total,
        bytes,
        counts,
        log_size,
        read: query.query.read.clone(),
    })
}

type ByClass = BTreeMap<MediaClass, (u64, u64)>;

fn count_matches(
    connection: &Connection,
    parent: Seq,
    query: &ListQuery,
) -> Result<ByClass, ReadError> {
    let mut parameters: Vec<Box<dyn ToSql>> = vec![Box::new(parent.get())];
    let condition = text_condition(query, &mut parameters);
    let sql = format!(
        "SELECT cv_class(l.media), count(*), sum(e.size) \
         FROM {LISTING} LEFT JOIN entry e ON e.seq = l.seq \
         WHERE l.parent = ?1 AND l.section = 1 AND {} {condition} AND {} GROUP BY 1",
        newest_condition(query),
        sealed_condition()
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let parameters: Vec<&dyn ToSql> = parameters.iter().map(AsRef::as_ref).collect();
    let mut rows = statement.query(parameters.as_slice())?;
    let mut counts = ByClass::new();
    while let Some(row) = rows.next()? {
        let class = MediaClass::from_number(row.get(0)?).unwrap_or(MediaClass::Binary);
        let figures = (
            row.get::<_, i64>(1)?.cast_unsigned(),
            row.get::<_, i64>(2)?.cast_unsigned(),
        );
        counts.insert(class, figures);
    }
    Ok(counts)
}

fn newest_condition(query: &ListQuery) -> &'static str {
    if query.all_versions {
        "l.newest IN (0, 1)"
    } else {
        "l.newest = 1"
    }
}

/// True of every row of `e`, or the query fails: what is summed up or sorted by must be what was sealed.
fn sealed_condition() -> String {
    let columns: Vec<String> = ENTRY_COLUMNS
        .split(", ")
        .map(|column| format!("e.{}", column.trim()))
        .collect();
    format!("cv_sealed({})", columns.join(", "))
}

fn text_condition(query: &ListQuery, parameters: &mut Vec<Box<dyn ToSql>>) -> String {
    if query.text.is_empty() {
        return String::new();
    }
    parameters.push(Box::new(natural_order::fold(&query.text)));
    format!("AND cv_name_contains(l.sort_key, ?{})", parameters.len())
}

fn page_rows(
    connection: &Connection,
    parent: Seq,
    query: &ListQuery,
) -> Result<Vec<(Asset, u64)>, ReadError> {
    let mut parameters: Vec<Box<dyn ToSql>> = vec![
        Box::new(parent.get()),
        Box::new(i64::try_from(query.limit).unwrap_or(i64::MAX)),
        Box::new(i64::try_from(query.offset).unwrap_or(i64::MAX)),
    ];
    let mut conditions = text_condition(query, &mut parameters);
    if !query.classes.is_empty() {
        let codes: Vec<String> = query
            .classes
            .iter()
            .map(|class| class.number().to_string())
            .collect();
        write!(
            conditions,
            " AND cv_class(l.media) IN ({})",
            codes.join(", ")
        )
        .expect("a string takes everything");
    }
    let direction = if query.descending { "DESC" } else { "ASC" };
    if matches!(query.sort, SortBy::Size | SortBy::Modified) {
        conditions = format!("{conditions} AND {}", sealed_condition());
    }
    let (join, order) = match query.sort {
        SortBy::Name => ("", format!("l.sort_key {direction}")),
        SortBy::Added => ("", format!("l.seq {direction}")),
        SortBy::Type => ("", format!("cv_class(l.media) {direction}, l.sort_key")),
        SortBy::Rank => {
            parameters.push(Box::new(natural_order::fold(&query.text)));
            let text = parameters.len();
            let rank = format!("cv_rank(l.sort_key, ?{text}) {direction}");
            ("", format!("{rank}, l.sort_key"))
        }
        SortBy::Size => (
            "LEFT JOIN entry e ON e.seq = l.seq",
            format!("e.size {direction}, l.sort_key"),
        ),
        SortBy::Modified => (
            "LEFT JOIN entry e ON e.seq = l.seq",
            format!("e.modified_s {direction}, e.modified_ns {direction}, l.sort_key"),
        ),
    };
    let sql = format!(
        "SELECT {LISTED_COLUMNS} FROM {LISTING} {join} \
         WHERE l.parent = ?1 AND l.section = 1 AND {} {conditions} \
         ORDER BY {order}, l.seq DESC LIMIT ?2 OFFSET ?3",
        newest_condition(query)
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let parameters: Vec<&dyn ToSql> = parameters.iter().map(AsRef::as_ref).collect();
    let mut rows = statement.query(parameters.as_slice())?;
    let mut entries = Entries::new(connection)?;
    let mut assets = Vec::new();
    while let Some(row) = rows.next()? {
        let listed = Listed::from_row(row)?;
        let entry = listed_entry(&mut entries, &listed, parent, Kind::Asset)?;
        let asset = asset_from_entry(&entry, listed.media()?)?;
        // The first of its name that nothing came after: looking for others is a third of what a row costs.
        let versions = if listed.newest && listed.version == 1 {
            1
        } else {
            derived::versions(connection, parent, &listed.sort_key)?.len() as u64
        };
        assets.push((asset, versions));
    }
    Ok(assets)
}

fn unlisted(seq: Seq, what: &str) -> ReadError {
    ReadError::Derived {
        detail: format!("the {what} listed for entry {seq} is not the entry's"),
    }
}

/// The sealed entry behind a listed row, if the row tells the truth about it.
pub(super) fn listed_entry(
    entries: &mut Entries<'_>,
    listed: &Listed,
    parent: Seq,
    kind: Kind,
) -> Result<Entry, ReadError> {
    let entry = entries.get(listed.seq)?;
    if listed.parent != parent {
        return Err(unlisted(listed.seq, "place"));
    }
    require_listed(&entry, listed, kind)?;
    Ok(entry)
}

/// Fails unless a listed row tells the truth about its sealed entry.
pub(super) fn require_listed(entry: &Entry, listed: &Listed, kind: Kind) -> Result<(), ReadError> {
    if entry.known_kind() != Some(kind) || entry.parent != Some(listed.parent.get()) {
        return Err(unlisted(listed.seq, "place"));
    }
    let name = entry.name.as_deref().unwrap_or_default();
    if natural_order::sort_key(name) != listed.sort_key {
        return Err(unlisted(listed.seq, "name"));
    }
    Ok(())
}

/// Newest assets of all projects.
pub(super) fn assets_of_all(connection: &Connection) -> Result<u64, ReadError> {
    let mut assets = 0;
    for project in children(connection, Seq::VAULT, Kind::Project)? {
        assets += derived::tally(connection, project.id())?.assets();
    }
    Ok(assets)
}

/// A project with its counts.
pub(crate) fn project(connection: &Connection, id: ProjectId) -> Result<Project, ReadError> {
    let entry = read::entry_of_kind(connection, id.seq(), Kind::Project, "project")?;
    project_from_entry(connection, &entry)
}

fn project_from_entry(connection: &Connection, entry: &Entry) -> Result<Project, ReadError> {
    let body = PlaceBody::of(entry)?;
    let tally = derived::tally(connection, entry.id())?;
    Ok(Project {
        id: ProjectId::new(entry.id()),
        name: placed(entry)?.name,
        type_word: body.type_word,
        description: body.description,
        sealed_at_unix_ms: entry.sealed_at,
        collections: tally.collections(),
        assets: tally.assets(),
    })
}

/// A collection with its counts.
pub(crate) fn collection(
    connection: &Connection,
    id: CollectionId,
) -> Result<Collection, ReadError> {
    let entry = read::entry_of_kind(connection, id.seq(), Kind::Collection, "collection")?;
    let chain = read::ancestors(connection, id.seq())?;
    let project = ProjectId::new(*chain.last().expect("a chain holds at least its start"));
    collection_from_entry(connection, &entry, project)
}

fn collection_from_entry(
    connection: &Connection,
    entry: &Entry,
    project: ProjectId,
) -> Result<Collection, ReadError> {
    let placed = placed(entry)?;
    let tally = derived::tally(connection, entry.id())?;
    let parent = if placed.parent == project.seq() {
        PlaceId::Project(project)
    } else {
        PlaceId::Collection(CollectionId::new(placed.parent))
    };
    Ok(Collection {
        id: CollectionId::new(entry.id()),
        project,
        parent,
        name: placed.name,
        type_word: PlaceBody::of(entry)?.type_word,
        sealed_at_unix_ms: entry.sealed_at,
        collections: tally.collections(),
        assets: tally.assets(),
    })
}

/// All projects in natural order.
pub(crate) fn projects(connection: &Connection) -> Result<Vec<Project>, ReadError> {
    let transaction = connection.unchecked_transaction()?;
    let entries = children(connection, Seq::VAULT, Kind::Project)?;
    let projects = entries
        .iter()
        .map(|entry| project_from_entry(connection, entry))
        .collect::<Result<_, _>>()?;
    transaction.finish()?;
    Ok(projects)
}

/// All collections of a project, flat: parents before children, siblings in natural order.
pub(crate) fn collections(
    connection: &Connection,
    project: ProjectId,
) -> Result<Vec<Collection>, ReadError> {
    let transaction = connection.unchecked_transaction()?;
    read::entry_of_kind(connection, project.seq(), Kind::Project, "project")?;
    let mut collections = Vec::new();
    let mut waiting = vec![project.seq()];
    while let Some(place) = waiting.pop() {
        let entries = children(connection, place, Kind::Collection)?;
        waiting.extend(entries.iter().rev().map(Entry::id));
        for entry in &entries {
            collections.push(collection_from_entry(connection, entry, project)?);
        }
    }
    transaction.finish()?;
    Ok(collections)
}

/// The places directly in `place`, in natural order.
pub(super) fn children(
    connection: &Connection,
    place: Seq,
    kind: Kind,
) -> Result<Vec<Entry>, ReadError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {LISTED_COLUMNS} FROM {LISTING} \
         WHERE l.parent = ?1 AND l.section = 0 AND l.newest = 1 ORDER BY l.sort_key"
    ))?;
    let mut rows = statement.query([place.get()])?;
    let mut sealed = Entries::new(connection)?;
    let mut entries = Vec::new();
    let mut before = Vec::new();
    while let Some(row) = rows.next()? {
        let listed = Listed::from_row(row)?;
        entries.push(listed_entry(&mut sealed, &listed, place, kind)?);
        if listed.sort_key <= before {
            return Err(unlisted(listed.seq, "position"));
        }
        before = listed.sort_key;
    }
    let counted = derived::tally(connection, place)?.collections();
    if entries.len() as u64 == counted {
        Ok(entries)
    } else {
        Err(ReadError::Derived {
            detail: format!(
                "place {place} counts {counted} places but lists {}",
                entries.len()
            ),
        })
    }
}

/// What lies at a name in a place. That nothing does is believed only of a list that is whole. Needs one snapshot.
pub(crate) fn child(
    connection: &Connection,
    whole: &Whole,
    place: Seq,
    section: Section,
    name: &Name,
) -> Result<Option<Listed>, ReadError> {
    let sort_key = natural_order::sort_key(name.as_bytes());
    let found = derived::newest(connection, place, section, &sort_key)?;
    if found.is_some() {
        return Ok(found);
    }
    let kind = read::entry(connection, place)?.known_kind();
    // A project's counts of assets are those of all its collections; it has none of its own.
    if section == Section::Places || kind != Some(Kind::Project) {
        let tally = derived::tally(connection, place)?;
        whole.check(connection, place, section, &tally)?;
    }
    Ok(None)
}

/// What a step of a walk finds in one section of one place.
pub(crate) enum Met {
    Place(Entry),
    Asset(Box<Asset>),
    Link(Box<Link>),
}

/// Where a walk stands in a section: after this key and entry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cursor {
    key: Vec<u8>,
    seq: i64,
}

/// Up to `limit` items of a section of `place` after `cursor`, which moves along. Names come in natural order,
/// versions of one name oldest first.
pub(crate) fn section_after(
    connection: &Connection,
    place: Seq,
    section: Section,
    all_versions: bool,
    cursor: &mut Cursor,
    limit: usize,
) -> Result<Vec<Met>, ReadError> {
    let newest = if all_versions {
        "l.newest IN (0, 1)"
    } else {
        "l.newest = 1"
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {LISTED_COLUMNS} FROM {LISTING} WHERE l.parent = ?1 AND l.section = ?2 \
         AND {newest} AND (l.sort_key, l.seq) > (?3, ?4) ORDER BY l.sort_key, l.seq LIMIT ?5"
    ))?;
    let mut rows = statement.query(params![
        place.get(),
        section as i64,
        cursor.key,
        cursor.seq,
        limit
    ])?;
    let kind = match section {
        Section::Places if place == Seq::VAULT => Kind::Project,
        Section::Places => Kind::Collection,
        Section::Assets => Kind::Asset,
        Section::Links => Kind::Link,
    };
    let mut entries = Entries::new(connection)?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        let listed = Listed::from_row(row)?;
        let entry = listed_entry(&mut entries, &listed, place, kind)?;
        let seq = listed.seq.get().cast_signed();
        if (&listed.sort_key, seq) <= (&cursor.key, cursor.seq) {
            return Err(unlisted(listed.seq, "position"));
        }
        items.push(match kind {
            Kind::Asset => Met::Asset(Box::new(asset_from_entry(&entry, listed.media()?)?)),
            Kind::Link => Met::Link(Box::new(link_from_entry(&entry)?)),
            _ => Met::Place(entry),
        });
        *cursor = Cursor {
            key: listed.sort_key,
            seq,
        };
    }
    Ok(items)
}
