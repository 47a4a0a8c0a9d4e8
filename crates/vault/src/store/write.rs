//! The one writing connection: transactions that append, and keep the derived tables in step.
//!
//! Rows, leaf hashes, the log's root and derived data of a commit are in one transaction, so a crash leaves all
//! of it or nothing. `synchronous=FULL`: when [`Transaction::commit`] has returned, it survives power loss.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;

use self::aside::Aside;
use self::checkpointer::Checkpointer;
use super::alone::Alone;
use super::derived::Facts;
use super::open::{self, FileMode};
use super::{Fact, derived_version, files};
use crate::doing::Doing;
use crate::error::{IngestError, OpenError, is_busy};
use crate::ids::Digest;
use crate::merkle::Edge;
use crate::parity::builder::Builder;
use crate::parity::plan::Stripe;

mod ahead;
mod append;
mod aside;
mod checkpointer;
mod derived;
mod parity;
mod places;
mod restore;

pub(crate) use parity::Protection;

pub(crate) use append::{EncodedPack, NewAssetRow, Placement, Transaction};

/// The writing connection and what it knows of the log's end. Lives on one thread.
pub(crate) struct Writer {
    connection: Connection,
    /// From the first commit on, where there is a WAL.
    checkpointer: Option<Checkpointer>,
    /// See [`Transaction::set_burst`].
    is_burst: bool,
    /// From the first large transaction on.
    ahead: Option<Aside>,
    /// While this writes with a rollback journal.
    alone: Option<Alone>,
    reopen: Reopen,
    protection: Protection,
    /// The stripes there are, if that was looked up since somebody else wrote.
    stripes: Option<Vec<Stripe>>,
    /// What the open transaction seals, for its stripe. Empty between transactions.
    parity: Builder,
    state: State,
    /// Set by a failure after which the connection's view may be wrong; cleared by the next [`Writer::begin`],
    /// which reads everything again.
    stale: bool,
    /// Set when derived rows were found to contradict themselves: the next [`Writer::begin`] makes them again.
    rebuild: bool,
    /// Sections of places whose lists were seen to be whole, as (place, section).
    whole: HashSet<(u64, u8)>,
}

#[derive(Clone, Default)]
struct State {
    edge: Edge,
    next_chunk: u64,
    next_pack: u64,
    next_manifest: u64,
    facts: Facts,
}

/// Tells which chunks are sealed already, while the writer is busy. Lives on one thread.
pub(crate) struct KnownChunks {
    path: PathBuf,
    mode: FileMode,
    lock_timeout: Duration,
    connection: Option<Connection>,
}

impl KnownChunks {
    /// Looks at the file anew from now on.
    pub(crate) fn reopen(&mut self) -> Result<(), IngestError> {
        self.connection = None;
        // The writer's exclusive lock keeps everybody else out: then a transaction has to look.
        if self.mode == FileMode::NetworkExclusive {
            return Ok(());
        }
        let opened = open::reader(&self.path, self.mode, self.lock_timeout);
        self.connection = Some(opened.map_err(|error| IngestError::Store {
            detail: error.to_string(),
        })?);
        Ok(())
    }

    /// Lets go of the file.
    pub(crate) fn close(&mut self) {
        self.connection = None;
    }

    /// Whether it can tell anything.
    pub(crate) fn is_open(&self) -> bool {
        self.connection.is_some()
    }

    /// Whether the chunk was sealed when this was asked; `None` if only a transaction can tell.
    pub(crate) fn has(&self, digest: &Digest) -> rusqlite::Result<Option<bool>> {
        let connection = self.connection.as_ref();
        connection
            .map(|connection| has_chunk(connection, digest))
            .transpose()
    }
}

/// Fails if there is no transaction any more. After some errors, a read that the disk refuses among them, `SQLite` rolls
/// back all of it by itself and goes on without one: every further statement would then be a commit of its own. So
/// whoever goes on after an error asks here first.
fn require_transaction(connection: &Connection) -> Result<(), IngestError> {
    if connection.is_autocommit() {
        return Err(IngestError::Store {
            detail: "SQLite gave up the transaction after an error of the disk".into(),
        });
    }
    Ok(())
}

fn has_chunk(connection: &Connection, digest: &Digest) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT 1 FROM chunk WHERE substr(sha256, 1, 8) = substr(?1, 1, 8) AND sha256 = ?1",
    )?;
    statement.exists([digest.as_bytes()])
}

/// How to get another connection to the same vault.
pub(crate) struct Reopen {
    pub(crate) path: PathBuf,
    pub(crate) mode: FileMode,
    pub(crate) lock_timeout: Duration,
}

impl Writer {
    pub(crate) fn new(connection: Connection, reopen: Reopen, protection: Protection) -> Self {
        Self {
            connection,
            checkpointer: None,
            is_burst: false,
            ahead: None,
            alone: None,
            reopen,
            protection,
            stripes: None,
            parity: Builder::default(),
            state: State::default(),
            stale: true,
            rebuild: false,
            whole: HashSet::new(),
        }
    }

    /// Replaces the connection after a failure that leaves its view of the file in doubt: after a failed sync the
    /// system may call pages clean that never reached the disk (Rebello et al., USENIX ATC 2020), so nothing held
    /// in memory is trusted. The next [`Writer::begin`] reads the log's end again and compares it with its root.
    pub(crate) fn reopen(&mut self) -> Result<(), IngestError> {
        self.end_threads();
        let Reopen {
            path,
            mode,
            lock_timeout,
        } = &self.reopen;
        let alone = self.alone.take();
        if alone.is_some() {
            // Its lock would keep out the connection that undoes what it left.
            self.connection = open::placeholder()?;
        }
        let fresh =
            open::writer(path, *mode, *lock_timeout).map_err(|error| IngestError::Store {
                detail: error.to_string(),
            })?;
        if let Some(alone) = alone {
            alone.forget();
        }
        self.connection = fresh;
        self.stale = true;
        Ok(())
    }

    /// Copies the WAL into the file and closes the connection; the last one out removes the WAL. A reader in another
    /// process must not hold this up: then the WAL stays for that process to copy.
    pub(crate) fn close(mut self) -> Result<(), OpenError> {
        let _doing = Doing::begin("close");
        // Parity that could not be merged protects as it is.
        if let Err(error) = self.settle() {
            tracing::warn!(%error, "parity was left unmerged");
        }
        self.end_threads();
        self.let_others_in();
        let checkpointed = self
            .connection
            .busy_timeout(Duration::from_secs(1))
            .and_then(|()| self.wal_checkpoint(true));
        let path = self.reopen.path;
        let closed = self.connection.close();
        checkpointed.map_err(|error| open::translate(&path, &error))?;
        closed.map_err(|(_, error)| open::translate(&path, &error))
    }

    /// Writes with a rollback journal from here on, if nobody else has the vault open: every byte once. Gives the digests
    /// of all chunks there are, which from then on only this writer adds to; `None` if there are more than `chunks_max`,
    /// or the vault is not to be had alone.
    pub(crate) fn be_alone(
        &mut self,
        chunks_max: usize,
    ) -> Result<Option<Vec<Digest>>, IngestError> {
        let chunks: u64 = self
            .connection
            .query_row("SELECT ifnull(max(id), 0) FROM chunk", [], |row| {
                row.get::<_, i64>(0)
            })?
            .cast_unsigned();
        if self.reopen.mode != FileMode::Shared || chunks > chunks_max as u64 {
            return Ok(None);
        }
        // Its connection would be somebody else.
        self.end_threads();
        self.connection.busy_timeout(Duration::ZERO)?;
        let entered = Alone::enter(&self.connection, &self.reopen.path);
        self.connection.busy_timeout(self.reopen.lock_timeout)?;
        self.alone = entered?;
        if self.alone.is_none() {
            return Ok(None);
        }
        let mut statement = self.connection.prepare("SELECT sha256 FROM chunk")?;
        let digests = statement
            .query_map([], |row| row.get::<_, [u8; 32]>(0))?
            .map(|digest| digest.map(Digest::new))
            .collect::<rusqlite::Result<_>>()?;
        Ok(Some(digests))
    }

    /// Whether nobody else can have written since the last transaction.
    pub(crate) fn is_alone(&self) -> bool {
        self.alone.is_some()
    }

    /// Goes back to the WAL. If somebody is in the way for long, it is tried again later.
    pub(crate) fn let_others_in(&mut self) {
        let Some(alone) = self.alone.take() else {
            return;
        };
        self.ahead = None;
        if let Err((alone, error)) = alone.leave(&self.connection, self.reopen.lock_timeout) {
            tracing::warn!(%error, "the vault keeps its rollback journal; it gets its WAL back when it is next opened");
            self.alone = Some(alone);
        }
    }

    /// Bytes that are in the WAL and not yet in the file, which may grow by as many.
    pub(crate) fn behind_bytes(&self) -> rusqlite::Result<u64> {
        checkpointer::behind_bytes(&self.connection)
    }

    /// Whether the chunk is sealed already.
    pub(crate) fn has_chunk(&self, digest: &Digest) -> rusqlite::Result<bool> {
        has_chunk(&self.connection, digest)
    }

    /// A view of what is sealed, for another thread.
    pub(crate) fn known_chunks(&self) -> KnownChunks {
        KnownChunks {
            path: self.reopen.path.clone(),
            mode: self.reopen.mode,
            lock_timeout: self.reopen.lock_timeout,
            connection: None,
        }
    }

    /// Sees to it that the WAL stays small. What was committed is safe either way, so a failure is only told of.
    fn after_commit(&mut self) {
        if self.reopen.mode == FileMode::NetworkExclusive {
            return;
        }
        if let Some(alone) = &self.alone {
            if alone.is_disturbed(&self.connection) {
                self.let_others_in();
            }
            return;
        }
        let looked = match &mut self.checkpointer {
            Some(checkpointer) => checkpointer.after_commit(&self.connection, self.is_burst),
            None => match Checkpointer::start(self.reopen.path.clone(), self.reopen.lock_timeout) {
                Ok(started) => self
                    .checkpointer
                    .insert(started)
                    .after_commit(&self.connection, self.is_burst),
                Err(error) => {
                    tracing::warn!(%error, "no thread copies the WAL into the file");
                    Ok(())
                }
            },
        };
        if let Err(error) = looked {
            tracing::warn!(%error, "the WAL could not be copied into the file");
        }
    }

    /// Ends the threads that have the file open, too.
    fn end_threads(&mut self) {
        self.checkpointer = None;
        self.ahead = None;
    }

    /// Sends what the open transaction has written to the disk while it goes on. With a WAL that is what the cache had no
    /// room for: pages that are written once more have the checksums of all frames since made anew.
    fn write_ahead(&mut self) -> rusqlite::Result<()> {
        if !cfg!(target_os = "linux") {
            return Ok(());
        }
        if self.is_alone() {
            match self.connection.cache_flush() {
                // Somebody reads; the commit waits for them.
                Err(error) if is_busy(&error) => return Ok(()),
                flushed => flushed?,
            }
        }
        if self.ahead.is_none() {
            let vault = &self.reopen.path;
            let started = if self.alone.is_some() {
                ahead::of_vault(vault)
            } else {
                ahead::of_wal(&files::beside(vault, "-wal"))
            };
            self.ahead = started
                .inspect_err(|error| tracing::debug!(%error, "commits wait for the disk"))
                .ok();
        }
        if let Some(ahead) = &self.ahead {
            ahead.ask();
        }
        Ok(())
    }

    /// Copies the WAL into the file. `truncate` waits for readers and leaves an empty WAL.
    pub(crate) fn wal_checkpoint(&self, truncate: bool) -> rusqlite::Result<bool> {
        let _doing = Doing::begin("copy the WAL");
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
                    tops: HashMap::new(),
                    kinds: HashMap::new(),
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

    /// Protects under another identity from here on, also what is there: for a vault that is only being made.
    pub(crate) fn adopt(&mut self, vault: crate::ids::VaultId) -> Result<(), IngestError> {
        self.protection.vault = vault;
        let transaction = self.connection.unchecked_transaction()?;
        crate::store::parity::adopt(&transaction, vault)?;
        transaction.commit()?;
        Ok(())
    }

    /// How much parity is written.
    pub(crate) fn measure(&self) -> crate::model::Parity {
        self.protection.parity
    }

    /// Has the next [`Writer::begin`] make all derived data again.
    pub(crate) fn rebuild_next(&mut self) {
        self.rebuild = true;
    }

    /// Reads the log's end again if somebody else moved it; says whether so.
    fn refresh(&mut self) -> Result<bool, IngestError> {
        let number = |sql: &str| -> rusqlite::Result<u64> {
            self.connection
                .prepare_cached(sql)?
                .query_row([], |row| row.get::<_, Option<i64>>(0))
                .map(|value| value.unwrap_or(0).cast_unsigned())
        };
        let size = super::log::log_size(&self.connection)?;
        let next_chunk = number("SELECT max(id) FROM chunk")? + 1;
        let unmoved = size == self.state.edge.size() && next_chunk == self.state.next_chunk;
        if unmoved && !self.stale && !self.rebuild {
            return Ok(false);
        }
        let mut state = State {
            edge: super::log::edge(&self.connection)?,
            next_chunk,
            next_pack: number("SELECT max(id) FROM pack")? + 1,
            next_manifest: number("SELECT max(id) FROM manifest")? + 1,
            facts: Facts::default(),
        };
        if size > 0 {
            let facts = super::derived::facts(&self.connection)
                .ok()
                .filter(|facts| {
                    facts[Fact::Version as usize] == derived_version()
                        && facts[Fact::Entries as usize] == size.cast_signed()
                });
            require_transaction(&self.connection)?;
            state.facts = match facts {
                Some(facts) if !self.rebuild => facts,
                _ => {
                    super::rebuild::rebuild(&self.connection)?;
                    super::derived::facts(&self.connection)?
                }
            };
        }
        self.whole.clear();
        self.stripes = None;
        self.rebuild = false;
        self.state = state;
        self.stale = false;
        Ok(true)
    }
}

#[cfg(test)]
impl Writer {
    /// The writer of a new vault without parity, and the folder it lies in.
    pub(crate) fn of_new_vault() -> (tempfile::TempDir, Self) {
        use crate::vault::{OpenOptions, Vault};

        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("v.vault");
        let options = OpenOptions {
            state_dir: Some(home.path().join("state")),
            ..OpenOptions::default()
        };
        let vault = Vault::create(&path, &options).expect("a vault can be created");
        let protection = Protection {
            vault: vault.id(),
            parity: crate::model::Parity::Off,
        };
        vault.close().expect("it closes");
        let (mode, lock_timeout) = (FileMode::Shared, Duration::from_secs(5));
        let connection = open::writer(&path, mode, lock_timeout).expect("it can be written");
        let reopen = Reopen {
            path,
            mode,
            lock_timeout,
        };
        (home, Self::new(connection, reopen, protection))
    }
}
