//! Reading everything: the passes that verification makes over whole tables, and the watch on other writers.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, Rows, params};

use super::derived::{self, LISTED_COLUMNS, Listed, Tally};
use super::rows::{ENTRY_COLUMNS, unchecked_entry_from_row};
use super::{Fact, Section, log, read};
use crate::codec::Codec;
use crate::entry::{Entry, Kind};
use crate::error::ReadError;
use crate::ids::{Digest, Seq};
use crate::limits::PACK_BYTES_MAX;
use crate::model::{Asset, PlaceId};
use crate::natural_order;
use crate::vault::Change;

/// Tables that `SQLite`'s own check covers; `pack` is left out, since every byte of it is hashed anyway.
const CHECKED_TABLES: [&str; 12] = [
    "entry",
    "root",
    "subtree",
    "manifest",
    "chunk",
    "derived_listing",
    "derived_tally",
    "derived_fact",
    "derived_unreferenced",
    "derived_parity",
    "derived_scrub",
    "document",
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

/// Whether a message of `SQLite`'s check says no more than that an index differs from its table.
pub(crate) fn is_about_an_index(message: &str) -> bool {
    message.contains("missing from index")
        || message.contains("wrong # of entries in index")
        || message.contains("non-unique entry in index")
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
    pub(crate) id: u64,
    pub(crate) digest: Digest,
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

impl ChunkRow {
    /// Whether it is all there is in a pack, stored as it is: then it has the pack's digest.
    pub(crate) fn fills(&self, codec: Option<Codec>, bytes: usize, sha256: &[u8]) -> bool {
        codec == Some(Codec::Stored)
            && self.offset == 0
            && self.size == bytes as u64
            && self.digest.as_bytes() == sha256
    }
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
                id: id.cast_unsigned(),
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

const PACK: &str = "SELECT codec, raw_size, sha256, data FROM pack WHERE id = ?1";
/// A statement has one row at a time, and is kept by its text.
const PACK_BESIDE: &str =
    "SELECT codec, raw_size, sha256, data FROM pack WHERE id = ?1 -- beside another";

/// What a pack's row says of its bytes.
pub(crate) struct PackHead {
    pub(crate) codec: Option<Codec>,
    pub(crate) bytes: usize,
    pub(crate) sha256: Vec<u8>,
}

/// A pack's row without its bytes; `None` if there is no such pack.
pub(crate) fn pack_head(connection: &Connection, id: u64) -> Result<Option<PackHead>, ReadError> {
    let head = connection
        .prepare_cached("SELECT codec, length(data), sha256 FROM pack WHERE id = ?1")?
        .query_row([id.cast_signed()], |row| {
            Ok(PackHead {
                codec: row.get::<_, u32>(0).ok().and_then(Codec::from_number),
                bytes: row.get(1)?,
                sha256: row.get(2)?,
            })
        })
        .optional()?;
    Ok(head)
}

/// Calls `look` with the pack's row without copying it; `None` if there is no such pack.
pub(crate) fn with_pack<T>(
    connection: &Connection,
    id: u64,
    look: impl FnOnce(PackRow<'_>) -> T,
) -> Result<Option<T>, ReadError> {
    let mut statement = connection.prepare_cached(PACK)?;
    let mut rows = statement.query([id.cast_signed()])?;
    Ok(pack_row(&mut rows)?.map(look))
}

/// Calls `look` with the rows of two packs; what keeps one from being read does not keep the other.
pub(crate) fn with_two_packs<T>(
    connection: &Connection,
    ids: [u64; 2],
    look: impl FnOnce([Result<Option<PackRow<'_>>, ReadError>; 2]) -> T,
) -> Result<T, ReadError> {
    let mut one = connection.prepare_cached(PACK)?;
    let mut other = connection.prepare_cached(PACK_BESIDE)?;
    let mut one = one.query([ids[0].cast_signed()])?;
    let mut other = other.query([ids[1].cast_signed()])?;
    Ok(look([pack_row(&mut one), pack_row(&mut other)]))
}

fn pack_row<'r>(rows: &'r mut Rows<'_>) -> Result<Option<PackRow<'r>>, ReadError> {
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
    Ok(Some(PackRow {
        codec: codec.and_then(Codec::from_number),
        raw_size: raw_size.filter(|size| *size <= PACK_BYTES_MAX).unwrap_or(0),
        sha256: row.get_ref(2)?.as_blob().unwrap_or_default(),
        data: row.get_ref(3)?.as_blob().unwrap_or_default(),
    }))
}

/// How far the log goes, to measure progress by.
pub(crate) fn entries_there(connection: &Connection) -> u64 {
    let end = connection.query_row("SELECT ifnull(max(seq) + 1, 0) FROM entry", [], |row| {
        row.get::<_, i64>(0)
    });
    end.map_or(0, i64::cast_unsigned)
}

/// Stored bytes of all packs, to measure progress by; cheap only because it is kept.
pub(crate) fn stored_bytes(connection: &Connection) -> u64 {
    connection
        .query_row(
            "SELECT value FROM derived_fact WHERE id = ?1",
            [Fact::StoredBytes as i64],
            |row| row.get::<_, i64>(0),
        )
        .map_or(0, i64::cast_unsigned)
}

/// What the derived listing says about one entry, compared with the entry: `None` if all is well.
pub(crate) fn listing_problem(connection: &Connection, entry: &Entry) -> Option<String> {
    let section = match entry.known_kind() {
        Some(Kind::Project | Kind::Collection) => Section::Places,
        Some(Kind::Asset) => Section::Assets,
        Some(Kind::Link) => Section::Links,
        _ => return None,
    };
    let listed = match derived::listed(connection, entry.id()) {
        Ok(listed) => listed,
        Err(error) => return Some(error.to_string()),
    };
    let name = entry.name.as_deref().unwrap_or_default();
    let same = entry.parent == Some(listed.parent.get())
        && listed.section == section
        && listed.sort_key == natural_order::sort_key(name);
    (!same).then(|| "the lists show it elsewhere or by another name".into())
}

/// Contradictions within the derived tables, as sentences.
pub(crate) fn derived_problems(connection: &Connection) -> Result<Vec<String>, ReadError> {
    let mut problems = Vec::new();
    let wrong_version: i64 = connection.query_row(
        "SELECT count(*) FROM derived_listing a WHERE (newest, version) IS NOT (SELECT \
         max(b.seq) = a.seq, count(*) FILTER (WHERE b.seq <= a.seq) \
         FROM derived_listing b WHERE b.parent = a.parent AND b.section = a.section \
         AND b.newest IN (0, 1) AND b.sort_key = a.sort_key)",
        [],
        |row| row.get(0),
    )?;
    if wrong_version > 0 {
        problems.push(format!(
            "{wrong_version} entries are wrongly listed as newest or superseded"
        ));
    }
    for (place, expected) in expected_tallies(connection)? {
        match derived::tally(connection, place) {
            Ok(tally) if tally == expected => {}
            Ok(_) => problems.push(format!("the counts kept for place {place} are wrong")),
            Err(error) => problems.push(error.to_string()),
        }
    }
    problems.extend(wrong_facts(connection)?);
    Ok(problems)
}

/// What each place should count, from the lists and the entries.
fn expected_tallies(connection: &Connection) -> Result<HashMap<Seq, Tally>, ReadError> {
    let mut tallies = HashMap::from([(Seq::VAULT, Tally::default())]);
    let mut statement = connection.prepare(&format!(
        "SELECT {LISTED_COLUMNS}, ifnull(e.size, 0) FROM derived_listing l \
         LEFT JOIN entry e ON e.seq = l.seq"
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        // One whose checksum is wrong was found as such already.
        let Ok(listed) = Listed::from_row(row) else {
            continue;
        };
        let bytes: i64 = row.get(8)?;
        match listed.section {
            Section::Places => {
                tallies.entry(listed.seq).or_default();
                tallies.entry(listed.parent).or_default().add_place();
            }
            Section::Links => {
                let tally = tallies.entry(listed.parent).or_default();
                // A superseded link is what another one replaced.
                tally.add_link(!listed.newest);
            }
            Section::Assets => {
                let class = listed.media()?.class;
                let chain = read::ancestors(connection, listed.parent)?;
                let project = *chain.last().unwrap_or(&listed.parent);
                for place in [listed.parent, project] {
                    let tally = tallies.entry(place).or_default();
                    tally.add_asset(class, bytes);
                    if !listed.newest {
                        tally.supersede_asset(class, bytes);
                    }
                }
            }
        }
    }
    Ok(tallies)
}

/// Figures about the whole vault that differ from its tables.
fn wrong_facts(connection: &Connection) -> Result<Vec<String>, ReadError> {
    let facts = read::facts(connection)?;
    let mut problems = Vec::new();
    for (fact, sql) in [
        (Fact::Projects, "SELECT count(*) FROM entry WHERE kind = 2"),
        (
            Fact::Collections,
            "SELECT count(*) FROM entry WHERE kind = 3",
        ),
        (Fact::Assets, "SELECT count(*) FROM entry WHERE kind = 4"),
        (Fact::Links, "SELECT count(*) FROM entry WHERE kind = 5"),
        (
            Fact::LogicalBytes,
            "SELECT ifnull(sum(size), 0) FROM entry WHERE kind = 4",
        ),
        (Fact::UniqueBytes, "SELECT ifnull(sum(size), 0) FROM chunk"),
        (
            Fact::StoredBytes,
            "SELECT ifnull(sum(length(data)), 0) FROM pack",
        ),
        (Fact::Chunks, "SELECT count(*) FROM chunk"),
        (Fact::Packs, "SELECT count(*) FROM pack"),
    ] {
        let counted: i64 = connection.query_row(sql, [], |row| row.get(0))?;
        let kept = facts[fact as usize];
        if kept != counted.cast_unsigned() {
            problems.push(format!(
                "{fact:?}: {kept} is kept, the tables say {counted}"
            ));
        }
    }
    Ok(problems)
}

/// The seqs of all assets, in order, to be worked off in parallel.
pub(crate) fn asset_seqs(
    connection: &Connection,
    which: Which,
    mut visit: impl FnMut(Seq),
) -> Result<(), ReadError> {
    let mut statement = connection.prepare(match which {
        Which::All => "SELECT seq FROM entry WHERE kind = ?1 ORDER BY seq",
        Which::OfSeveralChunks => {
            "SELECT seq FROM entry WHERE kind = ?1 AND manifest IS NOT NULL ORDER BY seq"
        }
    })?;
    let rows = statement.query_map([Kind::Asset.number()], |row| row.get::<_, i64>(0))?;
    for seq in rows {
        visit(Seq::new(seq?.cast_unsigned()));
    }
    Ok(())
}

/// Which assets to visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    All,
    /// Whose SHA-256 is not that of a chunk.
    OfSeveralChunks,
}

/// Bytes of the assets of several chunks, as far as they can be read: an estimate of work.
pub(crate) fn bytes_of_several_chunks(connection: &Connection) -> u64 {
    let sum = connection.query_row(
        "SELECT coalesce(sum(size), 0) FROM entry WHERE kind = ?1 AND manifest IS NOT NULL",
        [Kind::Asset.number()],
        |row| row.get::<_, i64>(0),
    );
    sum.map_or(0, i64::cast_unsigned)
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
        let log_size = log::log_size(&self.connection)?;
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
