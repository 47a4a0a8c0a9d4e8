//! Reading the log for proofs: leaf hashes as the rows give them and as they are kept, any hash of the tree, and
//! entries with their leaves.

use std::cell::RefCell;

use rusqlite::{Connection, OptionalExtension};
use tlog_tiles::{Hash, HashReader, node_hash, split_stored_hash_index};

use super::rows::{ENTRY_COLUMNS, entry_from_row, unchecked_entry_from_row};
use crate::entry::Entry;
use crate::error::ReadError;
use crate::ids::Digest;
use crate::merkle::SUBTREE_WIDTH;

/// What the vault still has of one leaf hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeafPair {
    /// Recomputed from the row's columns; `None` if there is no such row or it cannot be read.
    pub(crate) of_row: Option<Digest>,
    /// As kept in the row's column `leaf`.
    pub(crate) kept: Option<Digest>,
}

/// Calls `visit` for each of the first `size` positions in order, with what is left of its leaf. Rows that cannot be
/// read, or are not there, are passed as empty pairs.
pub(crate) fn leaves(
    connection: &Connection,
    size: u64,
    mut visit: impl FnMut(u64, LeafPair),
) -> Result<(), ReadError> {
    let mut next = 0;
    let mut statement = connection.prepare(&format!(
        "SELECT {ENTRY_COLUMNS} FROM entry WHERE seq >= 0 AND seq < ?1 ORDER BY seq"
    ))?;
    let mut rows = statement.query([size])?;
    // A page that cannot be read ends the rows early: what follows counts as missing.
    while let Ok(Some(row)) = rows.next() {
        let Ok(seq) = row.get::<_, i64>(0).map(i64::cast_unsigned) else {
            continue;
        };
        // Rows out of order are a damaged tree of pages.
        if seq < next {
            continue;
        }
        while next < seq {
            visit(next, LeafPair::default());
            next += 1;
        }
        let pair = match unchecked_entry_from_row(row) {
            Ok((entry, leaf)) => LeafPair {
                of_row: Some(entry.leaf_hash()),
                kept: Some(leaf),
            },
            Err(_) => LeafPair {
                of_row: None,
                kept: row
                    .get_ref(14)
                    .ok()
                    .and_then(|leaf| Digest::try_from(leaf.as_blob().ok()?).ok()),
            },
        };
        visit(next, pair);
        next += 1;
    }
    while next < size {
        visit(next, LeafPair::default());
        next += 1;
    }
    Ok(())
}

/// The size that the log has, or had before it was damaged: what the last entry or the last root says, whichever is
/// more.
pub(crate) fn size_ever(connection: &Connection) -> Result<u64, ReadError> {
    let size: i64 = connection.query_row(
        "SELECT max(ifnull((SELECT max(size) FROM root), 0), ifnull((SELECT max(seq) + 1 FROM entry), 0))",
        [],
        |row| row.get(0),
    )?;
    Ok(size.max(0).cast_unsigned())
}

/// The root kept for the first `size` entries; `None` if none is, or it is no digest.
pub(crate) fn kept_root(connection: &Connection, size: u64) -> Result<Option<Digest>, ReadError> {
    let bytes: Option<Vec<u8>> = connection
        .query_row("SELECT sha256 FROM root WHERE size = ?1", [size], |row| {
            row.get(0)
        })
        .optional()?;
    Ok(bytes.and_then(|bytes| Digest::try_from(bytes.as_slice()).ok()))
}

/// Calls `visit` with each of the first `size` entries, checked against its leaf hash.
pub(crate) fn checked_entries(
    connection: &Connection,
    size: u64,
    mut visit: impl FnMut(&Entry) -> std::io::Result<()>,
) -> Result<std::io::Result<()>, ReadError> {
    let mut statement = connection.prepare(&format!(
        "SELECT {ENTRY_COLUMNS} FROM entry WHERE seq < ?1 ORDER BY seq"
    ))?;
    let mut rows = statement.query([size])?;
    while let Some(row) = rows.next()? {
        if let Err(error) = visit(&entry_from_row(row)?) {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}

/// The documents that lie in the vault: name, and SHA-256 of the text.
pub(crate) fn documents(connection: &Connection) -> Result<Vec<(String, Digest)>, ReadError> {
    let mut statement = connection.prepare("SELECT name, text FROM document ORDER BY id")?;
    let mut rows = statement.query([])?;
    let mut documents = Vec::new();
    while let Some(row) = rows.next()? {
        let name = String::from_utf8_lossy(row.get_ref(0)?.as_bytes().unwrap_or_default());
        let text = row.get_ref(1)?.as_bytes().unwrap_or_default();
        documents.push((name.into_owned(), Digest::of(text)));
    }
    Ok(documents)
}

/// The hashes of the log's tree by the index of C2SP tlog-tiles and Go's `sumdb/tlog`: kept subtrees where there are
/// some, at most 255 leaf hashes or subtrees otherwise. Needs one snapshot.
pub(crate) struct LogHashes<'c> {
    connection: &'c Connection,
    /// Why a hash could not be had; `tlog_tiles` has no place for it in its own error.
    failed: RefCell<Option<ReadError>>,
}

impl<'c> LogHashes<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Self {
        Self {
            connection,
            failed: RefCell::new(None),
        }
    }

    /// What `tlog_tiles` made of these hashes, or why it could not.
    pub(crate) fn outcome<T>(&self, made: Result<T, tlog_tiles::Error>) -> Result<T, ReadError> {
        made.map_err(|error| {
            self.failed.take().unwrap_or_else(|| ReadError::Store {
                detail: format!("the log's tree: {error:?}"),
            })
        })
    }

    fn hash(&self, index: u64) -> Result<Hash, ReadError> {
        let (level, position) = split_stored_hash_index(index);
        let stored_level = u32::from(level) / SUBTREE_WIDTH.trailing_zeros();
        let height = u32::from(level) % SUBTREE_WIDTH.trailing_zeros();
        let mut row: Vec<Hash> = (position << height..(position + 1) << height)
            .map(|at| self.stored(stored_level, at))
            .collect::<Result<_, _>>()?;
        while row.len() > 1 {
            row = row
                .chunks_exact(2)
                .map(|pair| node_hash(pair[0], pair[1]))
                .collect();
        }
        Ok(row[0])
    }

    fn stored(&self, level: u32, position: u64) -> Result<Hash, ReadError> {
        let (sql, id) = if level == 0 {
            ("SELECT leaf FROM entry WHERE seq = ?1", position)
        } else {
            (
                "SELECT sha256 FROM subtree WHERE id = ?1",
                u64::from(level) << 48 | position,
            )
        };
        let bytes: Option<Vec<u8>> = self
            .connection
            .prepare_cached(sql)?
            .query_row([id], |row| row.get(0))
            .optional()?;
        bytes
            .and_then(|bytes| bytes.try_into().ok())
            .map(Hash)
            .ok_or_else(|| {
                let first = position.saturating_mul(SUBTREE_WIDTH.pow(level));
                super::rows::damaged(first, "a hash of the log's tree is missing there")
            })
    }
}

impl HashReader for LogHashes<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        let hashes: Result<_, ReadError> = indexes.iter().map(|index| self.hash(*index)).collect();
        hashes.map_err(|error| {
            self.failed.replace(Some(error));
            tlog_tiles::Error::InvalidTile
        })
    }
}
