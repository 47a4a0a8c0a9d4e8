//! The one writing connection: transactions that append, and keep the derived tables in step.
//!
//! Rows, leaf hashes, the log's root and derived data of a commit are in one transaction, so a crash leaves all
//! of it or nothing. `synchronous=FULL`: when [`Transaction::commit`] has returned, it survives power loss.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;

use super::open::{self, FileMode};
use super::{FACTS, Fact, derived_version};
use crate::error::{IngestError, ReadError};
use crate::ids::{Digest, Seq};
use crate::merkle::{Edge, SUBTREE_WIDTH};

mod append;
mod derived;

pub(crate) use append::{EncodedPack, NewAssetRow, Placement, Transaction};

/// The writing connection and what it knows of the log's end. Lives on one thread.
pub(crate) struct Writer {
    connection: Connection,
    reopen: Reopen,
    state: State,
    /// Set by a failure after which the connection's view may be wrong; cleared by the next [`Writer::begin`],
    /// which reads everything again.
    stale: bool,
}

#[derive(Clone, Default)]
struct State {
    edge: Edge,
    next_chunk: u64,
    next_pack: u64,
    next_manifest: u64,
    /// Whether any chunk was sealed ahead of its asset.
    has_unreferenced: bool,
    facts: [i64; FACTS + 1],
}

/// How to get another connection to the same vault.
pub(crate) struct Reopen {
    pub(crate) path: PathBuf,
    pub(crate) mode: FileMode,
    pub(crate) lock_timeout: Duration,
}

impl Writer {
    pub(crate) fn new(connection: Connection, reopen: Reopen) -> Self {
        Self {
            connection,
            reopen,
            state: State::default(),
            stale: true,
        }
    }

    /// Replaces the connection after a failure that leaves its view of the file in doubt: after a failed sync the
    /// system may call pages clean that never reached the disk (Rebello et al., USENIX ATC 2020), so nothing held
    /// in memory is trusted. The next [`Writer::begin`] reads the log's end again and compares it with its root.
    pub(crate) fn reopen(&mut self) -> Result<(), IngestError> {
        let Reopen {
            path,
            mode,
            lock_timeout,
        } = &self.reopen;
        let fresh =
            open::writer(path, *mode, *lock_timeout).map_err(|error| IngestError::Store {
                detail: error.to_string(),
            })?;
        self.connection = fresh;
        self.stale = true;
        Ok(())
    }

    /// For the last WAL checkpoint: a reader in another process must not hold up closing.
    pub(crate) fn stop_waiting(&self) -> rusqlite::Result<()> {
        self.connection.busy_timeout(Duration::from_secs(1))
    }

    pub(crate) fn into_connection(self) -> Connection {
        self.connection
    }

    /// Whether the chunk is sealed already. Reads outside a transaction; look again inside one if
    /// [`Transaction::others_wrote`].
    pub(crate) fn has_chunk(&self, digest: &Digest) -> rusqlite::Result<bool> {
        let mut statement = self.connection.prepare_cached(
            "SELECT 1 FROM chunk WHERE substr(sha256, 1, 8) = substr(?1, 1, 8) AND sha256 = ?1",
        )?;
        statement.exists([digest.as_bytes()])
    }

    /// Copies the WAL into the file. `truncate` waits for readers and leaves an empty WAL.
    pub(crate) fn wal_checkpoint(&self, truncate: bool) -> rusqlite::Result<bool> {
        let mode = if truncate { "TRUNCATE" } else { "PASSIVE" };
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        let busy: i64 = self.connection.query_row(&sql, [], |row| row.get(0))?;
        Ok(busy == 0)
    }

    /// Takes the write lock, waiting its turn, and makes sure that the log's end is what it was.
    pub(crate) fn begin(&mut self) -> Result<Transaction<'_>, IngestError> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        match self.refresh() {
            Ok(others_wrote) => {
                let state = self.state.clone();
                let start = state.edge.size();
                Ok(Transaction {
                    writer: self,
                    state,
                    start,
                    others_wrote,
                    tallies: HashMap::new(),
                    places: HashMap::new(),
                    open: true,
                })
            }
            Err(error) => {
                self.stale = true;
                // The error that counts is the one above; without a transaction there is nothing to roll back.
                let _ = self.connection.execute_batch("ROLLBACK");
                Err(error)
            }
        }
    }

    /// Reads the log's end again if somebody else moved it; says whether so.
    fn refresh(&mut self) -> Result<bool, IngestError> {
        let number = |sql: &str| -> rusqlite::Result<u64> {
            self.connection
                .prepare_cached(sql)?
                .query_row([], |row| row.get::<_, Option<i64>>(0))
                .map(|value| value.unwrap_or(0).cast_unsigned())
        };
        let size = number("SELECT max(size) FROM root")?;
        let next_chunk = number("SELECT max(id) FROM chunk")? + 1;
        if !self.stale && size == self.state.edge.size() && next_chunk == self.state.next_chunk {
            return Ok(false);
        }
        let entries = number("SELECT max(seq) + 1 FROM entry")?;
        if entries != size {
            return Err(IngestError::Store {
                detail: format!(
                    "the log has {entries} entries but its last root covers {size}; \
                     run `compactvault verify`"
                ),
            });
        }
        let mut state = State {
            edge: read_edge(&self.connection, size)?,
            next_chunk,
            next_pack: number("SELECT max(id) FROM pack")? + 1,
            next_manifest: number("SELECT max(id) FROM manifest")? + 1,
            has_unreferenced: number("SELECT EXISTS (SELECT 1 FROM derived_unreferenced)")? == 1,
            facts: read_facts(&self.connection)?,
        };
        let stored = root_at(&self.connection, size)?;
        if stored != state.edge.root().as_bytes() {
            return Err(IngestError::Store {
                detail: "the log's last root differs from its entries; run `compactvault verify`"
                    .into(),
            });
        }
        let outdated = state.facts[Fact::Version as usize] != derived_version()
            || state.facts[Fact::Entries as usize] != size.cast_signed();
        if outdated && size > 0 {
            super::rebuild::rebuild(&self.connection)?;
            state.facts = read_facts(&self.connection)?;
        }
        self.state = state;
        self.stale = false;
        Ok(true)
    }
}

/// The edge of the tree of `size` leaves, from stored subtrees and the few leaves after them.
fn read_edge(connection: &Connection, size: u64) -> Result<Edge, IngestError> {
    let digest = |bytes: Vec<u8>| {
        Digest::try_from(bytes.as_slice()).map_err(|()| IngestError::Store {
            detail: "a stored hash has another length".into(),
        })
    };
    let mut edge = Edge::default();
    for level in (1..=6_u32).rev() {
        let width = SUBTREE_WIDTH.pow(level);
        while size - edge.size() >= width {
            let id = u64::from(level) << 48 | (edge.size() / width);
            let bytes =
                connection.query_row("SELECT sha256 FROM subtree WHERE id = ?1", [id], |row| {
                    row.get(0)
                })?;
            edge.push_complete(level, digest(bytes)?);
        }
    }
    let mut statement =
        connection.prepare("SELECT leaf FROM entry WHERE seq >= ?1 AND seq < ?2 ORDER BY seq")?;
    let leaves = statement.query_map([edge.size(), size], |row| row.get(0))?;
    for leaf in leaves {
        edge.push(digest(leaf?)?);
    }
    if edge.size() == size {
        Ok(edge)
    } else {
        Err(ReadError::Damaged {
            entry: Seq::new(edge.size()),
            chunk: None,
            detail: "it is missing from the log".into(),
        }
        .into())
    }
}

fn read_facts(connection: &Connection) -> rusqlite::Result<[i64; FACTS + 1]> {
    let mut facts = [0; FACTS + 1];
    let mut statement = connection.prepare("SELECT id, value FROM derived_fact")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    for row in rows {
        let (id, value) = row?;
        if let Some(fact) = usize::try_from(id).ok().and_then(|id| facts.get_mut(id)) {
            *fact = value;
        }
    }
    Ok(facts)
}

/// The stored root at `size`; the empty tree's is no row.
fn root_at(connection: &Connection, size: u64) -> rusqlite::Result<Vec<u8>> {
    if size == 0 {
        return Ok(Digest::EMPTY.as_bytes().to_vec());
    }
    connection.query_row("SELECT sha256 FROM root WHERE size = ?1", [size], |row| {
        row.get(0)
    })
}
