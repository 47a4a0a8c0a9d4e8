//! Listings: pages of assets in any order, places with their counts, and walks through all of them.
//!
//! The order comes from derived rows, so each row is compared with the sealed entry it points to, and a page that
//! is shorter than the count says is an error: a damaged index never hides an asset silently.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rusqlite::functions::FunctionFlags;
use rusqlite::types::ToSql;
use rusqlite::{Connection, params};

use super::rows::{PlaceBody, asset_from_entry, link_from_entry, placed};
use super::{Section, TALLY_COLLECTIONS, TALLY_LINKS, read};
use crate::entry::{Entry, Kind};
use crate::error::ReadError;
use crate::ids::{CollectionId, ProjectId, Seq};
use crate::media::{Media, MediaClass};
use crate::model::{Asset, Collection, Link, ListPage, ListQuery, PlaceId, Project, SortBy};
use crate::natural_order;

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
    connection.create_scalar_function("cv_name_contains", 2, flags, |context| {
        let key = context.get_raw(0).as_blob().unwrap_or_default();
        let needle = context.get_raw(1).as_str().unwrap_or_default();
        let name = String::from_utf8_lossy(natural_order::name_in_key(key));
        Ok(natural_order::fold(&name).contains(needle))
    })
}

/// One page of a collection's assets.
pub(crate) fn page(
    connection: &Connection,
    collection: CollectionId,
    query: &ListQuery,
) -> Result<ListPage, ReadError> {
    // One snapshot for the page, its totals and the log size it claims to show.
    let transaction = connection.unchecked_transaction()?;
    read::entry_of_kind(connection, collection.seq(), Kind::Collection, "collection")?;
    let plain = query.text.is_empty() && !query.all_versions;
    let by_class = if plain {
        tallies(connection, collection.seq())?
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
    let log_size = read::log_size(connection)?;
    transaction.finish()?;
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
    })
}

type ByClass = BTreeMap<MediaClass, (u64, u64)>;

fn tallies(connection: &Connection, place: Seq) -> Result<ByClass, ReadError> {
    MediaClass::ALL
        .into_iter()
        .map(|class| {
            Ok((
                class,
                read::tally(connection, place, class.number().into())?,
            ))
        })
        .collect()
}

/// Listed assets of a place and, for a project, of all its collections: their number.
fn assets_in(connection: &Connection, place: Seq) -> Result<u64, ReadError> {
    Ok(tallies(connection, place)?
        .values()
        .map(|(items, _)| items)
        .sum())
}

/// Listed links directly in a collection.
pub(crate) fn links_in(connection: &Connection, place: Seq) -> Result<u64, ReadError> {
    Ok(read::tally(connection, place, TALLY_LINKS)?.0)
}

/// Listed assets directly in a collection.
pub(crate) fn assets_listed(connection: &Connection, place: Seq) -> Result<u64, ReadError> {
    assets_in(connection, place)
}

/// Direct sub-collections of a place, or projects of the vault.
pub(crate) fn places_in(connection: &Connection, place: Seq) -> Result<u64, ReadError> {
    Ok(read::tally(connection, place, TALLY_COLLECTIONS)?.0)
}

fn count_matches(
    connection: &Connection,
    parent: Seq,
    query: &ListQuery,
) -> Result<ByClass, ReadError> {
    let mut parameters: Vec<Box<dyn ToSql>> = vec![Box::new(parent.get())];
    let condition = text_condition(query, &mut parameters);
    let sql = format!(
        "SELECT cv_class(l.media), count(*), sum(e.size) \
         FROM derived_listing l JOIN entry e ON e.seq = l.seq \
         WHERE l.parent = ?1 AND l.section = 1 AND {} {condition} GROUP BY 1",
        newest_condition(query)
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
    let (join, order) = match query.sort {
        SortBy::Name => ("", format!("l.sort_key {direction}")),
        SortBy::Added => ("", format!("l.seq {direction}")),
        SortBy::Type => ("", format!("cv_class(l.media) {direction}, l.sort_key")),
        SortBy::Size => (
            "JOIN entry e ON e.seq = l.seq",
            format!("e.size {direction}, l.sort_key"),
        ),
        SortBy::Modified => (
            "JOIN entry e ON e.seq = l.seq",
            format!("e.modified_s {direction}, e.modified_ns {direction}, l.sort_key"),
        ),
    };
    let sql = format!(
        "SELECT l.seq, l.media, l.sort_key FROM derived_listing l {join} \
         WHERE l.parent = ?1 AND l.section = 1 AND {} {conditions} \
         ORDER BY {order}, l.seq DESC LIMIT ?2 OFFSET ?3",
        newest_condition(query)
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let parameters: Vec<&dyn ToSql> = parameters.iter().map(AsRef::as_ref).collect();
    let mut rows = statement.query(parameters.as_slice())?;
    let mut assets = Vec::new();
    while let Some(row) = rows.next()? {
        let seq = Seq::new(row.get::<_, i64>(0)?.cast_unsigned());
        let key = row.get_ref(2)?.as_blob().unwrap_or_default();
        let entry = listed_entry(connection, seq, parent, Kind::Asset, key)?;
        let media = Media::from_code(row.get(1)?).ok_or_else(|| unlisted(seq, "media type"))?;
        let versions = read::versions(
            connection,
            parent,
            entry.name.as_deref().unwrap_or_default(),
        )?;
        assets.push((asset_from_entry(&entry, media)?, versions.len() as u64));
    }
    Ok(assets)
}

fn unlisted(seq: Seq, what: &str) -> ReadError {
    ReadError::Derived {
        detail: format!("the {what} listed for entry {seq} is not the entry's"),
    }
}

/// The sealed entry behind a listed row, if the row tells the truth about it.
fn listed_entry(
    connection: &Connection,
    seq: Seq,
    parent: Seq,
    kind: Kind,
    key: &[u8],
) -> Result<Entry, ReadError> {
    let entry = read::entry(connection, seq)?;
    if entry.known_kind() != Some(kind) || entry.parent != Some(parent.get()) {
        return Err(unlisted(seq, "place"));
    }
    if natural_order::sort_key(entry.name.as_deref().unwrap_or_default()) != key {
        return Err(unlisted(seq, "name"));
    }
    Ok(entry)
}

/// A project with its counts.
pub(crate) fn project(connection: &Connection, id: ProjectId) -> Result<Project, ReadError> {
    let entry = read::entry_of_kind(connection, id.seq(), Kind::Project, "project")?;
    project_from_entry(connection, &entry)
}

fn project_from_entry(connection: &Connection, entry: &Entry) -> Result<Project, ReadError> {
    let body = PlaceBody::of(entry)?;
    Ok(Project {
        id: ProjectId::new(entry.id()),
        name: placed(entry)?.name,
        type_word: body.type_word,
        description: body.description,
        sealed_at_unix_ms: entry.sealed_at,
        collections: places_in(connection, entry.id())?,
        assets: assets_in(connection, entry.id())?,
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
        collections: places_in(connection, entry.id())?,
        assets: assets_in(connection, entry.id())?,
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
        if places_in(connection, place)? == 0 {
            continue;
        }
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
fn children(connection: &Connection, place: Seq, kind: Kind) -> Result<Vec<Entry>, ReadError> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, sort_key FROM derived_listing \
         WHERE parent = ?1 AND section = 0 AND newest = 1 ORDER BY sort_key",
    )?;
    let mut rows = statement.query([place.get()])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let seq = Seq::new(row.get::<_, i64>(0)?.cast_unsigned());
        let key = row.get_ref(1)?.as_blob().unwrap_or_default();
        entries.push(listed_entry(connection, seq, place, kind, key)?);
    }
    let counted = places_in(connection, place)?;
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

/// What a step of a walk finds in one section of one place.
pub(crate) enum Listed {
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
) -> Result<Vec<Listed>, ReadError> {
    let newest = if all_versions {
        "newest IN (0, 1)"
    } else {
        "newest = 1"
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT seq, media, sort_key FROM derived_listing \
         WHERE parent = ?1 AND section = ?2 AND {newest} AND (sort_key, seq) > (?3, ?4) \
         ORDER BY sort_key, seq LIMIT ?5"
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
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        let position: i64 = row.get(0)?;
        let seq = Seq::new(position.cast_unsigned());
        let key = row.get_ref(2)?.as_blob().unwrap_or_default();
        let entry = listed_entry(connection, seq, place, kind, key)?;
        *cursor = Cursor {
            key: key.to_vec(),
            seq: position,
        };
        items.push(match kind {
            Kind::Asset => {
                let media =
                    Media::from_code(row.get(1)?).ok_or_else(|| unlisted(seq, "media type"))?;
                Listed::Asset(Box::new(asset_from_entry(&entry, media)?))
            }
            Kind::Link => Listed::Link(Box::new(link_from_entry(&entry)?)),
            _ => Listed::Place(entry),
        });
    }
    Ok(items)
}
