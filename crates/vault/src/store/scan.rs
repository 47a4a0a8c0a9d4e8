//! Reading everything: the passes that verification makes over whole tables, and the watch on other writers.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{ENTRY_COLUMNS, unchecked_entry_from_row};
use super::{TALLY_COLLECTIONS, TALLY_LINKS, read, tally_id};
use crate::codec::Codec;
use crate::entry::{Entry, Kind};
use crate::error::ReadError;
use crate::ids::{Digest, Seq};
use crate::limits::PACK_BYTES_MAX;
use crate::model::{Asset, PlaceId};
use crate::natural_order;
use crate::vault::Change;

/// Tables that `SQLite`'s own check covers; `pack` is left out, since every byte of it is hashed anyway.
const CHECKED_TABLES: [&str; 9] = [
    "entry",
    "root",
    "subtree",
    "manifest",
    "chunk",
    "derived_listing",
    "derived_tally",
    "derived_fact",
    "derived_unreferenced",
];

/// Places named in one [`Change`] at most.
const CHANGED_PLACES_MAX: usize = 100;

/// What `SQLite` finds wrong with its own structure: table and message.
pub(crate) fn structure(connection: &Connection, mut found: impl FnMut(&'static str, String)) {
    for table in CHECKED_TABLES {
        let check = || -> rusqlite::Result<Vec<String>> {
            let mut statement = connection.prepare(&format!("PRAGMA integrity_check({table})"))?;
            let rows = statement.query_map([], |row| row.get(0))?;
            rows.collect()
        };
        match check() {
            Ok(messages) => {
                messages
                    .into_iter()
                    .filter(|m| m != "ok")
                    .for_each(|m| found(table, m));
            }
            Err(error) => found(table, error.to_string()),
        }
    }
}

/// Calls `visit` with every entry in order and the leaf hash stored with it; a row that cannot be read is passed as
/// the error it is.
pub(crate) fn entries(
    connection: &Connection,
    mut visit: impl FnMut(Result<(Entry, Digest), ReadError>) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let mut statement =
        connection.prepare(&format!("SELECT {ENTRY_COLUMNS} FROM entry ORDER BY seq"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        visit(unchecked_entry_from_row(row))?;
    }
    Ok(())
}

/// All roots, smallest tree first.
pub(crate) fn roots(connection: &Connection) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
    let mut statement = connection.prepare("SELECT size, sha256 FROM root ORDER BY size")?;
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// All stored subtrees as (id, hash).
pub(crate) fn subtrees(connection: &Connection) -> Result<Vec<(u64, Vec<u8>)>, ReadError> {
    let mut statement = connection.prepare("SELECT id, sha256 FROM subtree ORDER BY id")?;
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A chunk row as it stands, unchecked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChunkRow {
    pub(crate) digest: Digest,
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

/// Calls `visit` with each pack's id and the chunks recorded for it, packs without any included. Chunks of one pack
/// are neighbours because they were inserted together.
pub(crate) fn packs_with_chunks(
    connection: &Connection,
    mut visit: impl FnMut(u64, Vec<ChunkRow>),
    mut unreadable: impl FnMut(u64, String),
) -> Result<(), ReadError> {
    let mut statement =
        connection.prepare("SELECT id, sha256, pack, offset, size FROM chunk ORDER BY id")?;
    let mut rows = statement.query([])?;
    let mut current = None;
    let mut chunks = Vec::new();
    let mut visited = HashSet::new();
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let read = || -> rusqlite::Result<Option<(u64, ChunkRow)>> {
            let Ok(digest) = Digest::try_from(row.get_ref(1)?.as_blob().unwrap_or_default()) else {
                return Ok(None);
            };
            let [pack, offset, size] = [row.get::<_, i64>(2)?, row.get(3)?, row.get(4)?];
            let chunk = ChunkRow {
                digest,
                offset: offset.cast_unsigned(),
                size: size.cast_unsigned(),
            };
            Ok(Some((pack.cast_unsigned(), chunk)))
        };
        let (pack, chunk) = match read() {
            Ok(Some(read)) => read,
            Ok(None) => {
                unreadable(id.cast_unsigned(), "its digest has another length".into());
                continue;
            }
            Err(error) => {
                unreadable(id.cast_unsigned(), error.to_string());
                continue;
            }
        };
        if let Some(before) = current.replace(pack)
            && before != pack
        {
            visited.insert(before);
            visit(before, std::mem::take(&mut chunks));
        }
        chunks.push(chunk);
    }
    if let Some(last) = current {
        visited.insert(last);
        visit(last, chunks);
    }
    // What is really there, not what the largest id suggests: that of a damaged row can be any number.
    let mut statement = connection.prepare("SELECT id FROM pack ORDER BY id")?;
    let ids = statement.query_map([], |row| row.get::<_, i64>(0))?;
    for id in ids {
        let id = id?.cast_unsigned();
        if !visited.contains(&id) {
            visit(id, Vec::new());
        }
    }
    Ok(())
}

/// Calls `visit` with every manifest's id, digest and records.
pub(crate) fn manifests(
    connection: &Connection,
    mut visit: impl FnMut(u64, &[u8], &[u8]),
) -> Result<(), ReadError> {
    let mut statement =
        connection.prepare("SELECT id, sha256, records FROM manifest ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        visit(
            row.get::<_, i64>(0)?.cast_unsigned(),
            row.get_ref(1)?.as_blob().unwrap_or_default(),
            row.get_ref(2)?.as_blob().unwrap_or_default(),
        );
    }
    Ok(())
}

/// A pack's columns with its bytes still in `SQLite`'s memory.
pub(crate) struct PackRow<'r> {
    pub(crate) codec: Option<Codec>,
    pub(crate) raw_size: usize,
    pub(crate) sha256: &'r [u8],
    pub(crate) data: &'r [u8],
}

/// Calls `look` with the pack's row without copying it; `None` if there is no such pack.
pub(crate) fn with_pack<T>(
    connection: &Connection,
    id: u64,
    look: impl FnOnce(PackRow<'_>) -> T,
) -> Result<Option<T>, ReadError> {
    let mut statement = connection
        .prepare_cached("SELECT codec, raw_size, sha256, data FROM pack WHERE id = ?1")?;
    let mut rows = statement.query([id.cast_signed()])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let codec = row
        .get::<_, i64>(0)
        .ok()
        .and_then(|n| u32::try_from(n).ok());
    let raw_size = row
        .get::<_, i64>(1)
        .ok()
        .and_then(|n| usize::try_from(n).ok());
    Ok(Some(look(PackRow {
        codec: codec.and_then(Codec::from_number),
        raw_size: raw_size.filter(|size| *size <= PACK_BYTES_MAX).unwrap_or(0),
        sha256: row.get_ref(2)?.as_blob().unwrap_or_default(),
        data: row.get_ref(3)?.as_blob().unwrap_or_default(),
    })))
}

/// Stored bytes of all packs, to measure progress by; cheap only because it is kept.
pub(crate) fn stored_bytes(connection: &Connection) -> u64 {
    connection
        .query_row(
            "SELECT value FROM derived_fact WHERE id = ?1",
            [super::Fact::StoredBytes as i64],
            |row| row.get::<_, i64>(0),
        )
        .map_or(0, i64::cast_unsigned)
}

/// What the derived listing says about one entry, compared with the entry: `None` if all is well.
pub(crate) fn listing_problem(
    connection: &Connection,
    entry: &Entry,
) -> Result<Option<String>, ReadError> {
    let section = match entry.known_kind() {
        Some(Kind::Project | Kind::Collection) => super::Section::Places,
        Some(Kind::Asset) => super::Section::Assets,
        Some(Kind::Link) => super::Section::Links,
        _ => return Ok(None),
    };
    let row = connection
        .prepare_cached("SELECT parent, section, sort_key FROM derived_listing WHERE seq = ?1")?
        .query_row([entry.seq], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, Vec<u8>>(2)?,
            ))
        })
        .optional()?;
    let name = entry.name.as_deref().unwrap_or_default();
    Ok(match row {
        None => Some("it is missing from the lists".into()),
        Some((parent, listed_section, key)) => {
            let same = entry.parent == Some(parent.cast_unsigned())
                && listed_section == section as i64
                && key == natural_order::sort_key(name);
            (!same).then(|| "the lists show it elsewhere or by another name".into())
        }
    })
}

/// Contradictions within the derived tables, as sentences.
pub(crate) fn derived_problems(connection: &Connection) -> Result<Vec<String>, ReadError> {
    let mut problems = Vec::new();
    let wrong_newest: i64 = connection.query_row(
        "SELECT count(*) FROM derived_listing a WHERE newest <> (seq = (SELECT max(seq) \
         FROM derived_listing b WHERE b.parent = a.parent AND b.section = a.section \
         AND b.newest IN (0, 1) AND b.sort_key = a.sort_key))",
        [],
        |row| row.get(0),
    )?;
    if wrong_newest > 0 {
        problems.push(format!(
            "{wrong_newest} entries are wrongly listed as newest or superseded"
        ));
    }
    let mut groups = connection.prepare(
        "SELECT l.parent, l.section, cv_class(l.media), count(*), ifnull(sum(e.size), 0) \
         FROM derived_listing l JOIN entry e ON e.seq = l.seq WHERE l.newest = 1 GROUP BY 1, 2, 3",
    )?;
    let mut rows = groups.query([])?;
    let mut expected = std::collections::HashMap::<i64, (i64, i64)>::new();
    while let Some(row) = rows.next()? {
        let parent = row.get::<_, i64>(0)?.cast_unsigned();
        let (class, bytes) = match row.get::<_, i64>(1)? {
            0 => (TALLY_COLLECTIONS, 0),
            2 => (TALLY_LINKS, 0),
            _ => (row.get::<_, i64>(2)?.cast_unsigned(), row.get::<_, i64>(4)?),
        };
        let items: i64 = row.get(3)?;
        let mut add = |place: u64| {
            let tally = expected.entry(tally_id(place, class)).or_default();
            tally.0 += items;
            tally.1 += bytes;
        };
        add(parent);
        if class < TALLY_COLLECTIONS {
            let chain = read::ancestors(connection, Seq::new(parent))?;
            add(chain.last().map_or(parent, |top| top.get()));
        }
    }
    let mut tallies = connection
        .prepare("SELECT id, items, bytes FROM derived_tally WHERE items <> 0 OR bytes <> 0")?;
    let mut rows = tallies.query([])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let found: (i64, i64) = (row.get(1)?, row.get(2)?);
        if expected.remove(&id) != Some(found) {
            problems.push(format!("the counts kept for place {} are wrong", id >> 8));
        }
    }
    expected.retain(|_, tally| *tally != (0, 0));
    problems.extend(
        expected
            .keys()
            .map(|id| format!("the counts for place {} are missing", id >> 8)),
    );
    Ok(problems)
}

/// The seqs of all assets, in order, to be worked off in parallel.
pub(crate) fn asset_seqs(
    connection: &Connection,
    mut visit: impl FnMut(Seq),
) -> Result<(), ReadError> {
    let mut statement = connection.prepare("SELECT seq FROM entry WHERE kind = ?1 ORDER BY seq")?;
    let rows = statement.query_map([Kind::Asset.number()], |row| row.get::<_, i64>(0))?;
    for seq in rows {
        visit(Seq::new(seq?.cast_unsigned()));
    }
    Ok(())
}

/// Notices commits of other connections, in this process or another.
pub(crate) struct Watcher {
    connection: Connection,
    data_version: i64,
    log_size: Option<u64>,
}

impl Watcher {
    pub(crate) fn new(connection: Connection) -> Self {
        Self {
            connection,
            data_version: 0,
            log_size: None,
        }
    }

    pub(crate) fn poll(&mut self) -> Result<Option<Change>, ReadError> {
        let version: i64 = self
            .connection
            .pragma_query_value(None, "data_version", |row| row.get(0))?;
        if version == self.data_version && self.log_size.is_some() {
            return Ok(None);
        }
        self.data_version = version;
        let log_size = read::log_size(&self.connection)?;
        let before = self.log_size.replace(log_size);
        match before {
            Some(before) if before == log_size => Ok(None),
            Some(before) => {
                let places = self.places_since(before)?;
                Ok(Some(Change { log_size, places }))
            }
            None => Ok(Some(Change {
                log_size,
                places: Some(Vec::new()),
            })),
        }
    }

    fn places_since(&self, before: u64) -> Result<Option<Vec<Seq>>, ReadError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT DISTINCT parent FROM entry WHERE seq >= ?1 AND parent IS NOT NULL LIMIT ?2",
        )?;
        let rows = statement.query_map(params![before, CHANGED_PLACES_MAX + 1], |row| {
            row.get::<_, i64>(0)
        })?;
        let places: Vec<Seq> = rows
            .map(|seq| seq.map(|s| Seq::new(s.cast_unsigned())))
            .collect::<Result<_, _>>()?;
        Ok((places.len() <= CHANGED_PLACES_MAX).then_some(places))
    }
}

/// Where an asset hangs, for findings.
pub(crate) fn path_of(connection: &Connection, asset: &Asset) -> Option<String> {
    let place = PlaceId::Collection(asset.collection).seq();
    let mut parts = vec![asset.name.escaped()];
    for seq in read::ancestors(connection, place).ok()? {
        parts.push(
            super::rows::placed(&read::entry(connection, seq).ok()?)
                .ok()?
                .name
                .escaped(),
        );
    }
    parts.reverse();
    Some(parts.join("/"))
}
