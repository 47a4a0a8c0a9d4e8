//! A writing transaction: appends entries, packs and chunks, and ends with one root and one commit.

use std::collections::HashMap;
use std::sync::OnceLock;

use bytes::Bytes;
use rusqlite::{Connection, params};

use super::{State, Writer};
use crate::codec::Codec;
use crate::entry::{Entry, Kind};
use crate::error::{IngestError, ReadError};
use crate::ids::{Digest, Seq};
use crate::media::Media;
use crate::merkle::Subtree;
use crate::natural_order;
use crate::parity::builder::{ChunkRecord, PackObject};
use crate::planted;
use crate::store::derived::{self, Tally};
use crate::store::rows::ENTRY_COLUMNS;
use crate::store::{Fact, RECORD_BYTES, Section, derived_version};

/// Rows of chunks that are inserted by one statement.
const CHUNK_ROWS: usize = 16;

/// A pack as it will be stored.
pub(crate) struct EncodedPack {
    pub(crate) codec: Codec,
    pub(crate) raw_size: u64,
    pub(crate) sha256: Digest,
    pub(crate) data: Bytes,
    /// Its chunks in the order in which they lie in the decoded pack.
    pub(crate) chunks: Vec<(Digest, u32)>,
}

/// What is to be sealed as an asset; its chunks are in the vault already or in the same transaction.
pub(crate) struct NewAssetRow<'a> {
    pub(crate) parent: Seq,
    pub(crate) name: &'a [u8],
    pub(crate) sealed_at: i64,
    pub(crate) modified: Option<crate::model::Timestamp>,
    pub(crate) executable: bool,
    pub(crate) size: u64,
    pub(crate) sha256: Digest,
    pub(crate) crc32: u32,
    /// Records as in the table `manifest`.
    pub(crate) records: &'a [u8],
    pub(crate) media: Media,
}

/// Where something is in the log now, and whether it was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    pub(crate) seq: Seq,
    pub(crate) existed: bool,
}

/// A writing transaction. Dropping it without [`Transaction::commit`] rolls everything back.
pub(crate) struct Transaction<'w> {
    pub(super) writer: &'w mut Writer,
    pub(super) state: State,
    pub(super) start: u64,
    pub(super) others_wrote: bool,
    /// Counts of the places met, as this transaction leaves them.
    pub(super) tallies: HashMap<Seq, Tally>,
    /// Places met in this transaction: (parent, name) to its entry.
    pub(super) places: HashMap<(u64, Vec<u8>), u64>,
    /// Their projects, and how many collections deep in these they lie.
    pub(super) tops: HashMap<Seq, (Seq, usize)>,
    /// What kinds of entries things were put below in this transaction.
    pub(super) kinds: HashMap<Seq, Kind>,
    pub(super) open: bool,
}

impl Transaction<'_> {
    /// Whether the log or the chunks grew since this writer's last transaction, so that earlier answers of
    /// [`Writer::has_chunk`] may be out of date.
    pub(crate) fn others_wrote(&self) -> bool {
        self.others_wrote
    }

    pub(crate) fn has_chunk(&self, digest: &Digest) -> rusqlite::Result<bool> {
        self.writer.has_chunk(digest)
    }

    /// Fails if `SQLite` has given the transaction up: nothing more may be written then. To be asked after every error
    /// that is not handed on.
    pub(crate) fn require_open(&self) -> Result<(), IngestError> {
        super::require_transaction(&self.writer.connection)
    }

    /// Entries so far, those of this transaction among them.
    pub(crate) fn log_size(&self) -> u64 {
        self.state.edge.size()
    }

    /// Sends what was written so far to the disk while the transaction goes on, so that its commit has less to wait for.
    pub(crate) fn write_ahead(&mut self) -> rusqlite::Result<()> {
        self.writer.write_ahead()
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.writer.connection
    }

    /// Inserts a pack and the chunks in it; `unreferenced` marks those that no asset refers to yet.
    pub(crate) fn add_pack(
        &mut self,
        pack: &EncodedPack,
        skip: impl Fn(&Digest) -> bool,
        unreferenced: impl Fn(&Digest) -> bool,
    ) -> rusqlite::Result<()> {
        let mut records = Vec::with_capacity(pack.chunks.len());
        let mut offset = 0_u32;
        for (sha256, size) in &pack.chunks {
            if !skip(sha256) {
                records.push(ChunkRecord {
                    sha256: *sha256,
                    offset,
                    size: *size,
                });
            }
            offset += *size;
        }
        let first = self.state.next_chunk;
        let head = (pack.codec, pack.raw_size, pack.sha256);
        self.insert_pack(head, &pack.data, &records)?;
        for (chunk, record) in (first..).zip(&records) {
            if unreferenced(&record.sha256) {
                self.unreferenced(chunk)?;
            }
        }
        Ok(())
    }

    /// Inserts a pack's row and its chunks' rows.
    pub(super) fn insert_pack(
        &mut self,
        (codec, raw_size, sha256): (Codec, u64, Digest),
        data: &[u8],
        chunks: &[ChunkRecord],
    ) -> rusqlite::Result<()> {
        let id = self.state.next_pack;
        self.state.next_pack += 1;
        self.connection()
            .prepare_cached(
                "INSERT INTO pack (id, codec, raw_size, sha256, data) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                id,
                codec.number(),
                raw_size,
                sha256.as_bytes(),
                data
            ])?;
        self.state.facts[Fact::Packs as usize] += 1;
        self.state.facts[Fact::StoredBytes as usize] += data.len().cast_signed() as i64;
        let first_chunk = self.state.next_chunk;
        self.insert_chunks(id, chunks)?;
        if self.writer.protection.is_on() {
            self.writer.parity.pack(&PackObject {
                id,
                codec: codec.number(),
                raw_size,
                sha256,
                data,
                first_chunk,
                chunks,
            });
            let parity = self.writer.protection.parity;
            // What is imported alone is imported in bulk.
            let at_once = self.writer.is_alone();
            self.writer.parity.compute_ahead(parity, at_once);
        }
        Ok(())
    }

    /// Inserts chunks' rows, many with a statement: for each, SQLite keeps what it would take to undo it.
    fn insert_chunks(&mut self, pack: u64, chunks: &[ChunkRecord]) -> rusqlite::Result<()> {
        let (many, few) = chunks.as_chunks::<CHUNK_ROWS>();
        let runs = many.iter().map(|run| &run[..]);
        for run in runs.chain(few.chunks(1)) {
            let sql = insert_chunks_sql(run.len() > 1);
            let mut statement = self.writer.connection.prepare_cached(sql)?;
            statement.raw_bind_parameter(1, self.state.next_chunk)?;
            statement.raw_bind_parameter(2, pack)?;
            for (record, first) in run.iter().zip((3..).step_by(3)) {
                statement.raw_bind_parameter(first, record.sha256.as_bytes())?;
                statement.raw_bind_parameter(first + 1, record.offset)?;
                statement.raw_bind_parameter(first + 2, record.size)?;
                self.state.facts[Fact::UniqueBytes as usize] += i64::from(record.size);
                self.state.facts[Fact::Chunks as usize] += 1;
            }
            statement.raw_execute()?;
            self.state.next_chunk += run.len() as u64;
        }
        Ok(())
    }

    /// Seals an asset, unless its bytes are those of the newest version of that name there.
    pub(crate) fn asset(&mut self, asset: &NewAssetRow<'_>) -> Result<Placement, IngestError> {
        let sort_key = natural_order::sort_key(asset.name);
        let before = self.newest(asset.parent, Section::Assets, &sort_key)?;
        let mut superseded = None;
        if let Some(before) = &before {
            let entry = self.entry(before.seq)?;
            if entry.sha256 == Some(asset.sha256) && entry.size == Some(asset.size) {
                return Ok(Placement {
                    seq: before.seq,
                    existed: true,
                });
            }
            let bytes = entry.size.unwrap_or(0).cast_signed();
            superseded = Some((before.media()?.class, bytes));
        }
        // All that can be found damaged is read before anything is written: this entry may fail without the others.
        let (project, _) = self.top_of(asset.parent)?;
        self.tally(asset.parent)?;
        self.tally(project)?;
        let several = asset.records.len() > RECORD_BYTES;
        let manifest = several.then(|| Digest::of(asset.records));
        if let Some(digest) = &manifest {
            self.add_manifest(digest, asset.records)?;
        }
        let entry = Entry {
            kind: Kind::Asset.number(),
            version: 1,
            parent: Some(asset.parent.get()),
            sealed_at: asset.sealed_at,
            name: Some(asset.name.to_vec()),
            modified_s: asset.modified.map(|time| time.seconds),
            modified_ns: asset.modified.map(|time| time.nanoseconds),
            executable: Some(asset.executable),
            size: Some(asset.size),
            sha256: Some(asset.sha256),
            crc32: Some(asset.crc32),
            manifest,
            ..Entry::default()
        };
        let seq = self.append(entry)?;
        let media = asset.media;
        self.list(
            seq,
            asset.parent,
            Section::Assets,
            sort_key,
            media.code(),
            before,
        )?;
        let bytes = asset.size.cast_signed();
        for place in [asset.parent, project] {
            let tally = self.tally(place)?;
            if let Some((class, bytes)) = superseded {
                tally.supersede_asset(class, bytes);
            }
            tally.add_asset(media.class, bytes);
        }
        self.state.facts[Fact::Assets as usize] += 1;
        self.state.facts[Fact::LogicalBytes as usize] += bytes;
        if self.state.facts[Fact::Unreferenced as usize] > 0 {
            self.reference(asset.records)?;
        }
        Ok(Placement {
            seq,
            existed: false,
        })
    }

    /// Seals a symbolic link, unless the newest one of that name there has the same target.
    pub(crate) fn link(
        &mut self,
        parent: Seq,
        name: &[u8],
        target: &[u8],
        modified: Option<crate::model::Timestamp>,
        sealed_at: i64,
    ) -> Result<Placement, IngestError> {
        let sort_key = natural_order::sort_key(name);
        let before = self.newest(parent, Section::Links, &sort_key)?;
        if let Some(before) = &before
            && self.entry(before.seq)?.body.as_deref() == Some(target)
        {
            return Ok(Placement {
                seq: before.seq,
                existed: true,
            });
        }
        self.tally(parent)?;
        let entry = Entry {
            kind: Kind::Link.number(),
            version: 1,
            parent: Some(parent.get()),
            sealed_at,
            name: Some(name.to_vec()),
            modified_s: modified.map(|time| time.seconds),
            modified_ns: modified.map(|time| time.nanoseconds),
            body: Some(target.to_vec()),
            ..Entry::default()
        };
        let seq = self.append(entry)?;
        self.tally(parent)?.add_link(before.is_some());
        self.list(seq, parent, Section::Links, sort_key, 0, before)?;
        self.state.facts[Fact::Links as usize] += 1;
        Ok(Placement {
            seq,
            existed: false,
        })
    }

    /// Says what healing restored.
    pub(crate) fn repair(&mut self, body: Vec<u8>, sealed_at: i64) -> rusqlite::Result<Placement> {
        let entry = Entry {
            kind: Kind::Repair.number(),
            version: 1,
            sealed_at,
            body: Some(body),
            ..Entry::default()
        };
        let seq = self.append(entry)?;
        Ok(Placement {
            seq,
            existed: false,
        })
    }

    /// Entry 0 of a new vault.
    pub(crate) fn vault(&mut self, body: Vec<u8>, sealed_at: i64) -> Result<(), IngestError> {
        assert_eq!(self.log_size(), 0, "a vault has one vault entry, the first");
        let entry = Entry {
            kind: Kind::Vault.number(),
            version: 1,
            sealed_at,
            body: Some(body),
            ..Entry::default()
        };
        self.append(entry)?;
        self.tallies.insert(Seq::VAULT, Tally::default());
        Ok(())
    }

    /// Makes everything durable, with the new root. Gives the log's size.
    pub(crate) fn commit(mut self) -> Result<u64, IngestError> {
        let result = self.try_commit();
        match result {
            Ok(size) => {
                self.open = false;
                std::mem::swap(&mut self.writer.state, &mut self.state);
                self.writer.after_commit();
                Ok(size)
            }
            Err(error) => Err(error),
        }
    }

    fn try_commit(&mut self) -> Result<u64, IngestError> {
        self.require_open()?;
        let size = self.state.edge.size();
        if size != self.start {
            if planted::is(planted::Bug::RootApart) {
                self.connection().execute_batch("COMMIT; BEGIN IMMEDIATE")?;
            }
            let root = self.state.edge.root();
            self.connection()
                .prepare_cached("INSERT INTO root (size, sha256) VALUES (?1, ?2)")?
                .execute(params![size, root.as_bytes()])?;
        }
        let stripe = self.add_parity()?;
        for (place, tally) in &self.tallies {
            tally.put(&self.writer.connection, *place)?;
        }
        self.state.facts[Fact::Entries as usize] = size.cast_signed();
        self.state.facts[Fact::Version as usize] = derived_version();
        let before = &self.writer.state.facts;
        derived::put_facts(&self.writer.connection, before, &mut self.state.facts)?;
        self.connection().execute_batch("COMMIT")?;
        if let (Some(stripe), Some(stripes)) = (stripe, &mut self.writer.stripes) {
            stripes.push(stripe);
        }
        Ok(size)
    }

    pub(super) fn append(&mut self, mut entry: Entry) -> rusqlite::Result<Seq> {
        entry.seq = self.state.edge.size();
        let encoded = entry.leaf();
        let leaf = Entry::hash_of(&encoded);
        if self.writer.protection.is_on() {
            self.writer
                .parity
                .entry(entry.seq, Entry::columns(&encoded));
        }
        let sql = insert_entry_sql();
        self.connection().prepare_cached(sql)?.execute(params![
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
        ])?;
        for subtree in self.state.edge.push(leaf) {
            self.connection()
                .prepare_cached("INSERT INTO subtree (id, sha256) VALUES (?1, ?2)")?
                .execute(params![subtree_id(&subtree), subtree.hash.as_bytes()])?;
        }
        Ok(entry.id())
    }

    pub(super) fn add_manifest(&mut self, digest: &Digest, records: &[u8]) -> rusqlite::Result<()> {
        let known = self
            .connection()
            .prepare_cached("SELECT 1 FROM manifest WHERE sha256 = ?1")?
            .exists([digest.as_bytes()])?;
        if !known {
            let id = self.state.next_manifest;
            self.state.next_manifest += 1;
            self.connection()
                .prepare_cached("INSERT INTO manifest (id, sha256, records) VALUES (?1, ?2, ?3)")?
                .execute(params![id, digest.as_bytes(), records])?;
            if self.writer.protection.is_on() {
                self.writer.parity.manifest(id, records);
            }
        }
        Ok(())
    }

    pub(super) fn entry(&self, seq: Seq) -> Result<Entry, ReadError> {
        crate::store::read::entry(self.connection(), seq)
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.open {
            // Failing to roll back means that SQLite did so by itself; either way the state must be read again.
            let _ = self.writer.connection.execute_batch("ROLLBACK");
            self.writer.parity.clear();
            self.writer.stale = true;
        }
    }
}

fn subtree_id(subtree: &Subtree) -> i64 {
    (u64::from(subtree.level) << 48 | subtree.position).cast_signed()
}

/// For [`CHUNK_ROWS`] rows, or for one: the first one's id, their pack, then digest, offset and size of each.
fn insert_chunks_sql(many: bool) -> &'static str {
    static SQL: [OnceLock<String>; 2] = [const { OnceLock::new() }; 2];
    SQL[usize::from(many)].get_or_init(|| {
        let rows: Vec<String> = (0..if many { CHUNK_ROWS } else { 1 })
            .map(|row| {
                let first = 3 + 3 * row;
                format!("(?1 + {row}, ?{first}, ?2, ?{}, ?{})", first + 1, first + 2)
            })
            .collect();
        let rows = rows.join(", ");
        format!("INSERT INTO chunk (id, sha256, pack, offset, size) VALUES {rows}")
    })
}

fn insert_entry_sql() -> &'static str {
    static SQL: OnceLock<String> = OnceLock::new();
    SQL.get_or_init(|| {
        format!(
            "INSERT INTO entry ({ENTRY_COLUMNS}) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
        )
    })
}
