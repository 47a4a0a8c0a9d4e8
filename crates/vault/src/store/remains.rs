//! Reading what damage has left: row by row and piece by piece, where the rest of this layer would stop at the first
//! error. Nothing here is checked; whoever asks compares it with what was sealed.

use std::collections::{BTreeMap, HashSet};

use rusqlite::{Connection, Row};

use super::RECORD_BYTES;
use super::rows::{ENTRY_COLUMNS, unchecked_entry_from_row};
use crate::entry::Entry;
use crate::error::ReadError;
use crate::ids::Digest;
use crate::parity::builder::ChunkRecord;
use crate::parity::capsule::{Capsule, Gathered, stripe_of};

/// Bytes of a blob read at a time once reading it whole has failed.
const PIECE: usize = 4096;

/// The largest key of a table, 0 if it has no rows or cannot be read.
fn last(connection: &Connection, sql: &str) -> u64 {
    let value = connection.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
    value.ok().flatten().unwrap_or(0).cast_unsigned()
}

/// How far the sealed tables reach: what the largest ids say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Entries that the last root covers.
    pub(crate) entries: u64,
    /// Entries by their largest position.
    pub(crate) entry_rows: u64,
    pub(crate) manifests: u64,
    pub(crate) packs: u64,
    pub(crate) chunks: u64,
}

pub(crate) fn reach(connection: &Connection) -> Reach {
    Reach {
        entries: last(connection, "SELECT max(size) FROM root"),
        entry_rows: last(connection, "SELECT max(seq) + 1 FROM entry"),
        manifests: last(connection, "SELECT max(id) FROM manifest"),
        packs: last(connection, "SELECT max(id) FROM pack"),
        chunks: last(connection, "SELECT max(id) FROM chunk"),
    }
}

/// An entry's row and the leaf hash in it; `None` if it is not there or cannot be read as one.
pub(crate) fn entry(connection: &Connection, seq: u64) -> Option<(Entry, Digest)> {
    let sql = format!("SELECT {ENTRY_COLUMNS} FROM entry WHERE seq = ?1");
    let mut statement = connection.prepare_cached(&sql).ok()?;
    let mut rows = statement.query([seq.cast_signed()]).ok()?;
    let row = rows.next().ok()??;
    unchecked_entry_from_row(row)
        .ok()
        .filter(|(entry, _)| entry.seq == seq)
}

/// The leaf hash in an entry's row, whatever the rest of the row is.
pub(crate) fn leaf(connection: &Connection, seq: u64) -> Option<Digest> {
    digest(connection, "SELECT leaf FROM entry WHERE seq = ?1", seq)
}

pub(crate) fn root(connection: &Connection, size: u64) -> Option<Digest> {
    digest(connection, "SELECT sha256 FROM root WHERE size = ?1", size)
}

pub(crate) fn subtree(connection: &Connection, id: u64) -> Option<Digest> {
    digest(connection, "SELECT sha256 FROM subtree WHERE id = ?1", id)
}

pub(crate) fn manifest_digest(connection: &Connection, id: u64) -> Option<Digest> {
    digest(connection, "SELECT sha256 FROM manifest WHERE id = ?1", id)
}

fn digest(connection: &Connection, sql: &str, key: u64) -> Option<Digest> {
    let mut statement = connection.prepare_cached(sql).ok()?;
    let bytes = statement.query_row([key.cast_signed()], |row| {
        Ok(row.get_ref(0)?.as_blob().unwrap_or_default().to_vec())
    });
    Digest::try_from(bytes.ok()?.as_slice()).ok()
}

/// As much of a blob as can be read from its beginning; `None` if the row is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Remains {
    pub(crate) bytes: Vec<u8>,
    /// `SQLite` gave all of it.
    pub(crate) whole: bool,
}

fn blob(connection: &Connection, table: &str, column: &str, id: u64) -> Option<Remains> {
    let blob = connection
        .blob_open("main", table, column, id.cast_signed(), true)
        .ok()?;
    let length = blob.len();
    let mut bytes = vec![0; length];
    if blob.read_at_exact(&mut bytes, 0).is_ok() {
        return Some(Remains { bytes, whole: true });
    }
    let mut good = 0;
    while good < length {
        let end = (good + PIECE).min(length);
        // A failed read ends what this handle can do.
        let Ok(blob) = connection.blob_open("main", table, column, id.cast_signed(), true) else {
            break;
        };
        if blob.read_at_exact(&mut bytes[good..end], good).is_err() {
            break;
        }
        good = end;
    }
    bytes.truncate(good);
    Some(Remains {
        bytes,
        whole: false,
    })
}

pub(crate) fn pack_data(connection: &Connection, id: u64) -> Option<Remains> {
    blob(connection, "pack", "data", id)
}

pub(crate) fn manifest_records(connection: &Connection, id: u64) -> Option<Remains> {
    blob(connection, "manifest", "records", id)
}

/// The small columns of a pack's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PackColumns {
    pub(crate) codec: i64,
    pub(crate) raw_size: i64,
    pub(crate) sha256: Option<Digest>,
}

pub(crate) fn pack_columns(connection: &Connection, id: u64) -> Option<PackColumns> {
    let mut statement = connection
        .prepare_cached("SELECT codec, raw_size, sha256 FROM pack WHERE id = ?1")
        .ok()?;
    let columns = statement.query_row([id.cast_signed()], |row| {
        Ok(PackColumns {
            codec: row.get(0).unwrap_or(-1),
            raw_size: row.get(1).unwrap_or(-1),
            sha256: Digest::try_from(row.get_ref(2)?.as_blob().unwrap_or_default()).ok(),
        })
    });
    columns.ok()
}

/// A chunk's row: its pack, and the record.
pub(crate) type ChunkRow = (u64, ChunkRecord);

fn chunk_row(row: &Row<'_>) -> rusqlite::Result<Option<ChunkRow>> {
    let pack: Option<i64> = row.get(0).ok();
    let sha256 = Digest::try_from(row.get_ref(1)?.as_blob().unwrap_or_default()).ok();
    let (offset, size) = (row.get::<_, u32>(2).ok(), row.get::<_, u32>(3).ok());
    Ok((|| {
        let record = ChunkRecord {
            sha256: sha256?,
            offset: offset?,
            size: size?,
        };
        Some((pack?.cast_unsigned(), record))
    })())
}

/// The chunk row of an id, if it is there and can be read.
pub(crate) fn chunk(connection: &Connection, id: u64) -> Option<ChunkRow> {
    let mut statement = connection
        .prepare_cached("SELECT pack, sha256, offset, size FROM chunk WHERE id = ?1")
        .ok()?;
    let row = statement.query_row([id.cast_signed()], chunk_row);
    row.ok().flatten()
}

/// The chunk rows of ids that follow each other: one item an id.
pub(crate) fn chunks(connection: &Connection, first: u64, count: usize) -> Vec<Option<ChunkRow>> {
    let end = first.saturating_add(count as u64);
    let read = || -> rusqlite::Result<Vec<Option<ChunkRow>>> {
        let mut statement = connection.prepare_cached(
            "SELECT pack, sha256, offset, size, id FROM chunk WHERE id >= ?1 AND id < ?2 ORDER BY id",
        )?;
        let mut rows = statement.query([first.cast_signed(), end.cast_signed()])?;
        let mut found = vec![None; count];
        while let Some(row) = rows.next()? {
            let at = row.get::<_, i64>(4)?.cast_unsigned().wrapping_sub(first);
            if let Some(place) = usize::try_from(at).ok().and_then(|at| found.get_mut(at)) {
                *place = chunk_row(row)?;
            }
        }
        Ok(found)
    };
    // A page that cannot be read must not take its neighbours with it.
    read().unwrap_or_else(|_| (first..end).map(|id| chunk(connection, id)).collect())
}

/// The first chunk id of the packs from `pack` on: ids of both grow together.
pub(crate) fn first_chunk_of(connection: &Connection, pack: u64, chunks: u64) -> u64 {
    let (mut low, mut high) = (1, chunks + 1);
    while low < high {
        let middle = u64::midpoint(low, high);
        // Rows that cannot be read say nothing; the next that can decides.
        let next = (middle..high).take(64).find_map(|id| {
            let (found, _) = chunk(connection, id)?;
            Some((id, found))
        });
        match next {
            Some((id, found)) if found < pack => low = id + 1,
            _ => high = middle,
        }
    }
    low
}

/// Which of some chunks' digests anything sealed names: a manifest, or an asset of one chunk.
pub(crate) fn named(
    connection: &Connection,
    wanted: &HashSet<Digest>,
) -> rusqlite::Result<HashSet<Digest>> {
    let mut found = HashSet::new();
    let mut statement = connection.prepare("SELECT records FROM manifest")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let records = row.get_ref(0)?.as_blob().unwrap_or_default();
        for record in records.chunks_exact(RECORD_BYTES) {
            let digest = Digest::try_from(&record[..32]).expect("32 bytes");
            if wanted.contains(&digest) {
                found.insert(digest);
            }
        }
    }
    let mut statement =
        connection.prepare("SELECT 1 FROM entry WHERE sha256 = ?1 AND manifest IS NULL LIMIT 1")?;
    for digest in wanted {
        if !found.contains(digest) && statement.exists([digest.as_bytes()])? {
            found.insert(*digest);
        }
    }
    Ok(found)
}

/// Whether a chunk is on the list of those that no asset refers to.
pub(crate) fn is_unreferenced(connection: &Connection, chunk: u64) -> rusqlite::Result<bool> {
    let mut statement =
        connection.prepare_cached("SELECT 1 FROM derived_unreferenced WHERE chunk = ?1")?;
    statement.exists([chunk.cast_signed()])
}

/// Whether an entry names this manifest.
pub(crate) fn names_manifest(connection: &Connection, digest: &Digest) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare("SELECT 1 FROM entry WHERE manifest = ?1 LIMIT 1")?;
    statement.exists([digest.as_bytes()])
}

/// A stripe as its capsules say.
#[derive(Debug, Default)]
pub(crate) struct Capsules {
    pub(crate) gathered: Gathered,
    /// Rows that could not be read, or hold no capsule of this stripe.
    pub(crate) bad: usize,
}

/// The rows of `derived_parity` by their numbers, without their data.
pub(crate) fn capsule_rows(connection: &Connection) -> Result<BTreeMap<u64, Vec<i64>>, ReadError> {
    let mut statement = connection.prepare("SELECT id FROM derived_parity ORDER BY id")?;
    let mut rows = statement.query([])?;
    let mut stripes: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        stripes.entry(stripe_of(id)).or_default().push(id);
    }
    Ok(stripes)
}

/// Reads the capsules in some rows.
pub(crate) fn capsules(connection: &Connection, stripe: u64, rows: &[i64]) -> Capsules {
    let mut capsules = Capsules::default();
    for &id in rows {
        let bytes = blob(connection, "derived_parity", "data", id.cast_unsigned());
        let bytes = bytes.map(|remains| remains.bytes).unwrap_or_default();
        match Capsule::parse(&bytes).filter(|capsule| capsule.header.stripe == stripe) {
            Some(capsule) if capsules.gathered.add(&capsule) => {}
            _ => capsules.bad += 1,
        }
    }
    capsules
}

/// When each part was last found good, as (part, Unix milliseconds).
pub(crate) fn marks(connection: &Connection) -> Vec<(u64, i64)> {
    let read = || -> rusqlite::Result<Vec<(u64, i64)>> {
        let mut statement = connection
            .prepare_cached("SELECT part, verified_at FROM derived_scrub ORDER BY part")?;
        let rows = statement.query_map([], |row| {
            Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?))
        })?;
        rows.collect()
    };
    // A mark that cannot be read means that the part is verified again.
    read().unwrap_or_default()
}

/// Makes long statements on this connection end with an error once `stop` says so.
pub(crate) fn stop_when(
    connection: &mut Connection,
    stop: impl Fn() -> bool + Send + 'static,
) -> Result<(), ReadError> {
    // Some milliseconds of work between two questions.
    Ok(connection.progress_handler(100_000, Some(stop))?)
}

/// One snapshot for several questions, until it is dropped.
pub(crate) fn snapshot(connection: &Connection) -> Result<rusqlite::Transaction<'_>, ReadError> {
    Ok(connection.unchecked_transaction()?)
}
