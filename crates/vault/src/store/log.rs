//! The log's end: its size, the edge of its tree, and its root, each compared with what else says the same.

use rusqlite::{Connection, OptionalExtension};

use super::rows::damaged;
use crate::error::ReadError;
use crate::ids::Digest;
use crate::merkle::{Edge, SUBTREE_WIDTH};

/// Entries in the log: as many as there are, which the last root must cover.
pub(crate) fn log_size(connection: &Connection) -> Result<u64, ReadError> {
    // One statement, so that no commit can come between the two numbers.
    let (covered, entries) = connection
        .prepare_cached(
            "SELECT ifnull((SELECT max(size) FROM root), 0), ifnull((SELECT max(seq) + 1 FROM entry), 0)",
        )?
        .query_row([], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })?;
    if covered == entries {
        return Ok(entries.cast_unsigned());
    }
    let detail = format!("the log has {entries} entries but its last root covers {covered}");
    Err(damaged(entries.min(covered).cast_unsigned(), &detail))
}

/// The edge of the log's tree, from stored subtrees and the few leaves after them; its root is the stored one.
/// Needs one snapshot: call it inside a transaction.
pub(crate) fn edge(connection: &Connection) -> Result<Edge, ReadError> {
    let size = log_size(connection)?;
    let digest = |bytes: Option<Vec<u8>>, what: &str| {
        bytes
            .as_deref()
            .and_then(|bytes| Digest::try_from(bytes).ok())
            .ok_or_else(|| damaged(size, &format!("{what} is missing or has another length")))
    };
    let mut edge = Edge::default();
    for level in (1..=6_u32).rev() {
        let width = SUBTREE_WIDTH.pow(level);
        while size - edge.size() >= width {
            let id = u64::from(level) << 48 | (edge.size() / width);
            let bytes = connection
                .prepare_cached("SELECT sha256 FROM subtree WHERE id = ?1")?
                .query_row([id], |row| row.get(0))
                .optional()?;
            edge.push_complete(level, digest(bytes, "a stored subtree")?);
        }
    }
    let mut statement = connection
        .prepare_cached("SELECT seq, leaf FROM entry WHERE seq >= ?1 AND seq < ?2 ORDER BY seq")?;
    let mut rows = statement.query([edge.size(), size])?;
    while let Some(row) = rows.next()? {
        if row.get::<_, i64>(0)?.cast_unsigned() != edge.size() {
            break;
        }
        edge.push(digest(row.get(1)?, "a leaf hash")?);
    }
    if edge.size() != size {
        return Err(damaged(edge.size(), "it is missing from the log"));
    }
    if size > 0 {
        let stored = connection
            .prepare_cached("SELECT sha256 FROM root WHERE size = ?1")?
            .query_row([size], |row| row.get(0))
            .optional()?;
        if digest(stored, "the log's last root")? != edge.root() {
            let detail = "the log's last root differs from its entries";
            return Err(damaged(size - 1, detail));
        }
    }
    Ok(edge)
}

/// The log's size and root, recomputed. Needs one snapshot: call it inside a transaction.
pub(crate) fn last_root(connection: &Connection) -> Result<(u64, Digest), ReadError> {
    let edge = edge(connection)?;
    Ok((edge.size(), edge.root()))
}
