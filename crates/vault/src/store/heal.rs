//! Putting restored bytes back: the one place that writes to sealed rows again.
//!
//! What is written has been proven to be what was sealed, in the transaction that writes it: a pack by its SHA-256 and
//! that of each of its chunks, a manifest by the digest that an entry names, entries by the log's root. What is good is
//! never written over. Nothing is deleted but derived rows, and pages of the file that may belong to something else
//! are not touched: there this gives up, and `compactvault rescue` goes on.

use rusqlite::{Connection, params};

use super::PAGE_BYTES;
use super::remains::{self, Remains};
use crate::doing::Doing;
use crate::error::{IngestError, ReadError};
use crate::ids::Digest;
use crate::parity::cut::{OVERFLOW_BYTES, Split};

mod derived;
mod log;
mod packs;

pub(crate) use derived::NewStripe;
pub(crate) use log::LogChange;
pub(crate) use packs::RestoredPack;

/// Bytes that are compared, and written where they differ, at a time: a block of the file.
const RANGE: usize = 4096;
/// Largest file in which all pages are counted to prove that a page belongs to what it is read for.
const COUNTED_PAGES_MAX: i64 = 8 * 1024 * 1024 * 1024 / PAGE_BYTES as i64;

/// Why something stays as it is.
#[derive(Debug)]
pub(crate) enum HealError {
    /// The structure around it is damaged, so that `SQLite` cannot write there.
    Unreachable(String),
    /// What was to be written is not what was sealed.
    Refused(String),
    /// Nothing to do with this damage: no space, no lock, no permission.
    Other(IngestError),
}

impl From<rusqlite::Error> for HealError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(
                rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::ConstraintViolation,
            ) => Self::Unreachable(error.to_string()),
            _ => Self::Other(error.into()),
        }
    }
}

impl From<ReadError> for HealError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Busy => Self::Other(IngestError::Busy),
            other => Self::Unreachable(other.to_string()),
        }
    }
}

/// Something that was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Healed {
    /// The table, or the index, it lies in.
    pub table: String,
    /// Its key; none for an index or a whole derived table.
    pub id: Option<u64>,
    /// Bytes that differed.
    pub bytes: u64,
    /// Of what is there now, as sealed: of a pack's data, a manifest's records, an entry's leaf.
    pub sha256: Option<Digest>,
}

impl Healed {
    pub(crate) fn row(table: &str, id: u64, bytes: u64, sha256: Option<Digest>) -> Self {
        Self {
            table: table.into(),
            id: Some(id),
            bytes,
            sha256,
        }
    }

    pub(crate) fn whole(table: &str) -> Self {
        Self {
            table: table.into(),
            id: None,
            bytes: 0,
            sha256: None,
        }
    }
}

/// A connection that may write to sealed rows. Lives for one part of a scrub.
pub(crate) struct Healer {
    connection: Connection,
}

impl Healer {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection }
    }

    /// Runs `work` in one IMMEDIATE transaction, which is durable when this returns, or leaves everything as it was.
    fn within<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, HealError>,
    ) -> Result<T, HealError> {
        let _doing = Doing::begin("heal");
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let result = work(&self.connection)
            .and_then(|value| Ok(self.connection.execute_batch("COMMIT").map(|()| value)?));
        if result.is_err() && !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        result
    }

    /// As [`Healer::within`]; where an index stands in the way, it is remade first.
    fn within_table<T>(
        &self,
        table: &str,
        work: impl Fn(&Connection) -> Result<T, HealError>,
    ) -> Result<T, HealError> {
        match self.within(&work) {
            Err(HealError::Unreachable(_)) => self.within(|connection| {
                connection.execute_batch(&format!("REINDEX {table}"))?;
                work(connection)
            }),
            other => other,
        }
    }

    /// Puts a manifest's records back. They must have the digest that is in the row or that an entry names.
    pub(crate) fn manifest(&self, id: u64, records: &[u8]) -> Result<Option<Healed>, HealError> {
        let digest = Digest::of(records);
        self.within_table("manifest", |connection| {
            let there = remains::manifest_digest(connection, id);
            let data = remains::manifest_records(connection, id);
            let same = data.as_ref().is_some_and(|data| data.bytes == records);
            if there == Some(digest) && same {
                return Ok(None);
            }
            let names = |digest: &Digest| remains::names_manifest(connection, digest);
            let other = there.filter(|there| *there != digest);
            if !names(&digest)? || other.map_or(Ok(false), |other| names(&other))? {
                return Err(HealError::Refused(format!(
                    "what parity gives for manifest {id} is not what was sealed"
                )));
            }
            let mut bytes = 0;
            if let Some(data) = data {
                let split = Split::manifest(records.len());
                let column = ("manifest", "records");
                bytes += put_ranges(connection, column, id, &data, records, split)?;
                if there != Some(digest) {
                    prove_chain(connection, &data, records, split)?;
                    connection
                        .prepare_cached("UPDATE manifest SET sha256 = ?2 WHERE id = ?1")?
                        .execute(params![id, digest.as_bytes()])?;
                    bytes += 32;
                }
            } else {
                connection
                    .prepare_cached(
                        "INSERT INTO manifest (id, sha256, records) VALUES (?1, ?2, ?3)",
                    )?
                    .execute(params![id, digest.as_bytes(), records])?;
                bytes += 32 + records.len() as u64;
                require_dense(connection, "SELECT count(*) = max(id) FROM manifest")?;
            }
            let back = remains::manifest_records(connection, id);
            let good = remains::manifest_digest(connection, id) == Some(digest)
                && back.is_some_and(|back| back.bytes == records);
            require_read_back(good)?;
            Ok(Some(Healed::row("manifest", id, bytes, Some(digest))))
        })
    }
}

fn require_read_back(good: bool) -> Result<(), HealError> {
    if good {
        return Ok(());
    }
    Err(HealError::Unreachable(
        "what was written reads back as something else".into(),
    ))
}

/// A row that was missing may be there under another key, after damage to the key; then it must not be there twice.
fn require_dense(connection: &Connection, sql: &str) -> Result<(), HealError> {
    if connection.query_row(sql, [], |row| row.get(0))? {
        return Ok(());
    }
    Err(HealError::Unreachable(
        "a row lies under a key that is not its own".into(),
    ))
}

/// Pages that are free. Replacing a row that lies within one page frees none; if it does, its length was damaged, and
/// the pages belong to something else.
fn free_pages(connection: &Connection) -> Result<i64, HealError> {
    Ok(connection.query_row("PRAGMA freelist_count", [], |row| row.get(0))?)
}

/// Writes a blob's bytes where they differ; gives how many bytes those ranges have.
fn put_ranges(
    connection: &Connection,
    (table, column): (&str, &str),
    id: u64,
    there: &Remains,
    wanted: &[u8],
    split: Split,
) -> Result<u64, HealError> {
    if there.bytes == wanted {
        return Ok(0);
    }
    prove_chain(connection, there, wanted, split)?;
    let mut blob = connection.blob_open("main", table, column, id.cast_signed(), false)?;
    let mut written = 0;
    let ranges = there.bytes.chunks(RANGE).zip(wanted.chunks(RANGE));
    for (number, (_, range)) in ranges.enumerate().filter(|(_, (old, new))| old != new) {
        blob.write_all_at(range, number * RANGE)?;
        written += range.len() as u64;
    }
    blob.close()?;
    Ok(written)
}

/// Makes sure that the overflow pages that a blob is read from are its own. A page of which a block is as it should be
/// is; of one that differs in all its blocks the number before may lead astray, and then only counting all pages of the
/// file tells.
fn prove_chain(
    connection: &Connection,
    there: &Remains,
    wanted: &[u8],
    split: Split,
) -> Result<(), HealError> {
    if !there.whole || there.bytes.len() != wanted.len() {
        return Err(HealError::Unreachable(
            "the chain of its pages is broken".into(),
        ));
    }
    let pages = |bytes: &[u8]| -> Vec<Vec<u8>> {
        bytes[split.local..]
            .chunks(OVERFLOW_BYTES)
            .map(<[u8]>::to_vec)
            .collect()
    };
    let stranger = pages(&there.bytes)
        .iter()
        .zip(pages(wanted))
        .any(|(old, new)| {
            // The first block of a page is four bytes shorter.
            let first = (RANGE - 4).min(old.len());
            let heads_differ = old[..first] != new[..first];
            let rest = old[first..].chunks(RANGE).zip(new[first..].chunks(RANGE));
            heads_differ && rest.into_iter().all(|(old, new)| old != new)
        });
    if !stranger {
        return Ok(());
    }
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    if number("page_count")? > COUNTED_PAGES_MAX {
        return Err(HealError::Unreachable(
            "a whole page of it differs, and it cannot be told whether that page is its own".into(),
        ));
    }
    let mut statement = connection.prepare("PRAGMA integrity_check(100000)")?;
    let messages = statement.query_map([], |row| row.get::<_, String>(0))?;
    for message in messages {
        if message?.contains("2nd reference") {
            return Err(HealError::Unreachable(
                "one of its pages belongs to something else, too".into(),
            ));
        }
    }
    Ok(())
}
