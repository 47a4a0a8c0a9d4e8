//! Entries, roots and stored subtrees: put back only if the log has the root that it had.

use rusqlite::{Connection, params};

use super::{HealError, Healed, Healer, free_pages, require_dense};
use crate::entry::Entry;
use crate::ids::Digest;
use crate::merkle::Edge;
use crate::store::remains;
use crate::store::rows::ENTRY_COLUMNS;

/// What is to be put back into the log.
#[derive(Default)]
pub(crate) struct LogChange {
    /// Entries that the log has.
    pub(crate) size: u64,
    pub(crate) entries: Vec<Entry>,
    /// Sizes of trees whose roots are to be computed again.
    pub(crate) roots: Vec<u64>,
    /// Ids of stored subtrees that are to be computed again.
    pub(crate) subtrees: Vec<u64>,
    /// The last root is damaged itself, and parity vouches for every entry since the root before it.
    pub(crate) last_root: bool,
}

impl LogChange {
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
            && self.roots.is_empty()
            && self.subtrees.is_empty()
            && !self.last_root
    }
}

impl Healer {
    /// Puts entries back, then recomputes the tree over all leaf hashes. Commits only if it has the last root; roots
    /// of smaller trees and subtrees follow from it.
    pub(crate) fn log(&self, change: &LogChange) -> Result<Vec<Healed>, HealError> {
        self.within(|connection| {
            let mut healed = Vec::new();
            let free = free_pages(connection)?;
            for entry in &change.entries {
                put_entry(connection, entry)?;
                let leaf = entry.leaf_hash();
                let bytes = entry.leaf().len() as u64;
                healed.push(Healed::row("entry", entry.seq, bytes, Some(leaf)));
            }
            let mut edge = Edge::default();
            for seq in 0..change.size {
                let leaf = remains::leaf(connection, seq).ok_or_else(|| {
                    HealError::Unreachable(format!("entry {seq} cannot be put back"))
                })?;
                for subtree in edge.push(leaf) {
                    let id = u64::from(subtree.level) << 48 | subtree.position;
                    if change.subtrees.contains(&id) {
                        put_digest(connection, "subtree", "id", id, &subtree.hash)?;
                        healed.push(Healed::row("subtree", id, 32, Some(subtree.hash)));
                    }
                }
                let size = edge.size();
                if size < change.size && change.roots.contains(&size) {
                    put_digest(connection, "root", "size", size, &edge.root())?;
                    healed.push(Healed::row("root", size, 32, Some(edge.root())));
                }
            }
            if change.last_root {
                put_digest(connection, "root", "size", change.size, &edge.root())?;
                healed.push(Healed::row("root", change.size, 32, Some(edge.root())));
            }
            if remains::root(connection, change.size) != Some(edge.root()) {
                return Err(HealError::Refused(
                    "the log with what parity gives has another root than was sealed".into(),
                ));
            }
            for entry in &change.entries {
                let back = remains::entry(connection, entry.seq);
                if back != Some((entry.clone(), entry.leaf_hash())) {
                    let detail = format!("entry {} reads back as something else", entry.seq);
                    return Err(HealError::Unreachable(detail));
                }
            }
            if free_pages(connection)? > free {
                return Err(HealError::Unreachable(
                    "a row of the log is longer than it can be".into(),
                ));
            }
            Ok(healed)
        })
    }
}

fn put_entry(connection: &Connection, entry: &Entry) -> Result<(), HealError> {
    let leaf = entry.leaf_hash();
    let values = params![
        entry.seq,
        entry.kind,
        entry.version,
        entry.parent,
        entry.sealed_at,
        entry.name,
        entry.modified_s,
        entry.modified_ns,
        entry.executable,
        entry.size,
        entry.sha256.as_ref().map(Digest::as_bytes),
        entry.crc32,
        entry.manifest.as_ref().map(Digest::as_bytes),
        entry.body,
        leaf.as_bytes(),
    ];
    let replaced = connection
        .prepare_cached(
            "UPDATE entry SET kind = ?2, version = ?3, parent = ?4, sealed_at = ?5, name = ?6, \
             modified_s = ?7, modified_ns = ?8, executable = ?9, size = ?10, sha256 = ?11, \
             crc32 = ?12, manifest = ?13, body = ?14, leaf = ?15 WHERE seq = ?1",
        )?
        .execute(values)?;
    if replaced == 0 {
        connection
            .prepare_cached(&format!(
                "INSERT INTO entry ({ENTRY_COLUMNS}) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
            ))?
            .execute(values)?;
        require_dense(connection, "SELECT count(*) = max(seq) + 1 FROM entry")?;
    }
    Ok(())
}

fn put_digest(
    connection: &Connection,
    table: &str,
    key: &str,
    id: u64,
    digest: &Digest,
) -> Result<(), HealError> {
    let replaced = connection
        .prepare_cached(&format!("UPDATE {table} SET sha256 = ?2 WHERE {key} = ?1"))?
        .execute(params![id, digest.as_bytes()])?;
    if replaced == 0 {
        connection
            .prepare_cached(&format!(
                "INSERT INTO {table} ({key}, sha256) VALUES (?1, ?2)"
            ))?
            .execute(params![id, digest.as_bytes()])?;
    }
    Ok(())
}
