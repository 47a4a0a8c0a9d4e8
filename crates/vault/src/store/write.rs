//! The one writing connection: transactions that append, and keep the derived tables in step.
//!
//! Rows, leaf hashes, the log's root and derived data of a commit are in one transaction, so a crash leaves all
//! of it or nothing. `synchronous=FULL`: when [`Transaction::commit`] has returned, it survives power loss.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{ENTRY_COLUMNS, PlaceBody};
use super::{FACTS, Fact, Section, TALLY_COLLECTIONS, TALLY_LINKS, derived_version, tally_id};
use crate::codec::Codec;
use crate::entry::{Entry, Kind};
use crate::error::{IngestError, ReadError};
use crate::ids::{Digest, Seq};
use crate::limits::DEPTH_MAX;
use crate::media::Media;
use crate::merkle::{Edge, SUBTREE_WIDTH, Subtree};
use crate::natural_order;

/// Places looked up lately, at most so many: a bound on memory, not a promise.
const PLACE_CACHE_MAX: usize = 10_000;

/// The writing connection and what it knows of the log's end. Lives on one thread.
pub(crate) struct Writer {
    connection: Connection,
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

/// A pack as it will be stored.
pub(crate) struct EncodedPack {
    pub(crate) codec: Codec,
    pub(crate) raw_size: u64,
    pub(crate) sha256: Digest,
    pub(crate) data: Vec<u8>,
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

impl Writer {
    pub(crate) fn new(connection: Connection) -> Self {
        Self {
            connection,
            state: State::default(),
            stale: true,
        }
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

/// A writing transaction. Dropping it without [`Transaction::commit`] rolls everything back.
pub(crate) struct Transaction<'w> {
    writer: &'w mut Writer,
    state: State,
    start: u64,
    others_wrote: bool,
    /// Changes to `derived_tally`: items and bytes by id.
    tallies: HashMap<i64, (i64, i64)>,
    /// Places met in this transaction: (parent, name) to its entry.
    places: HashMap<(u64, Vec<u8>), u64>,
    open: bool,
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

    /// Entries so far, those of this transaction among them.
    pub(crate) fn log_size(&self) -> u64 {
        self.state.edge.size()
    }

    fn connection(&self) -> &Connection {
        &self.writer.connection
    }

    /// Inserts a pack and the chunks in it; `unreferenced` marks those that no asset refers to yet.
    pub(crate) fn add_pack(
        &mut self,
        pack: &EncodedPack,
        skip: impl Fn(&Digest) -> bool,
        unreferenced: impl Fn(&Digest) -> bool,
    ) -> rusqlite::Result<()> {
        let id = self.state.next_pack;
        self.state.next_pack += 1;
        self.connection()
            .prepare_cached(
                "INSERT INTO pack (id, codec, raw_size, sha256, data) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                id,
                pack.codec.number(),
                pack.raw_size,
                pack.sha256.as_bytes(),
                pack.data
            ])?;
        self.state.facts[Fact::StoredBytes as usize] += pack.data.len().cast_signed() as i64;
        let mut offset = 0_u64;
        for (digest, size) in &pack.chunks {
            if !skip(digest) {
                let chunk = self.state.next_chunk;
                self.state.next_chunk += 1;
                self.connection()
                    .prepare_cached(
                        "INSERT INTO chunk (id, sha256, pack, offset, size) VALUES (?1, ?2, ?3, ?4, ?5)",
                    )?
                    .execute(params![chunk, digest.as_bytes(), id, offset, size])?;
                self.state.facts[Fact::UniqueBytes as usize] += i64::from(*size);
                if unreferenced(digest) {
                    self.connection()
                        .prepare_cached("INSERT INTO derived_unreferenced (chunk) VALUES (?1)")?
                        .execute([chunk])?;
                    self.state.has_unreferenced = true;
                }
            }
            offset += u64::from(*size);
        }
        Ok(())
    }

    /// Finds or creates a project.
    pub(crate) fn project(
        &mut self,
        name: &[u8],
        body: &PlaceBody,
        sealed_at: i64,
    ) -> Result<Placement, IngestError> {
        self.place(Kind::Project, Seq::VAULT, name, Some(body), sealed_at)
    }

    /// Finds or creates a collection below `parent`, which must be a project or a collection.
    pub(crate) fn collection(
        &mut self,
        parent: Seq,
        name: &[u8],
        body: Option<&PlaceBody>,
        sealed_at: i64,
    ) -> Result<Placement, IngestError> {
        self.place(Kind::Collection, parent, name, body, sealed_at)
    }

    fn place(
        &mut self,
        kind: Kind,
        parent: Seq,
        name: &[u8],
        body: Option<&PlaceBody>,
        sealed_at: i64,
    ) -> Result<Placement, IngestError> {
        let cache_key = (parent.get(), name.to_vec());
        if let Some(seq) = self.places.get(&cache_key) {
            return Ok(Placement {
                seq: Seq::new(*seq),
                existed: true,
            });
        }
        let sort_key = natural_order::sort_key(name);
        if let Some(seq) = self.newest(parent, Section::Places, &sort_key)? {
            self.remember_place(cache_key, seq);
            return Ok(Placement { seq, existed: true });
        }
        if kind == Kind::Collection {
            let depth = self.ancestors(parent)?.len();
            if depth >= DEPTH_MAX {
                return Err(IngestError::TooDeep { max: DEPTH_MAX });
            }
        }
        let default = kind == Kind::Collection && body.is_none();
        let body = (!default).then(|| {
            serde_json::to_vec(&body.cloned().unwrap_or_default())
                .expect("plain text is valid JSON")
        });
        let entry = Entry {
            kind: kind.number(),
            version: 1,
            parent: Some(parent.get()),
            sealed_at,
            name: Some(name.to_vec()),
            body,
            ..Entry::default()
        };
        let seq = self.append(entry)?;
        self.list(seq, parent, Section::Places, true, &sort_key, 0)?;
        let fact = if kind == Kind::Project {
            Fact::Projects
        } else {
            Fact::Collections
        };
        self.state.facts[fact as usize] += 1;
        self.tally(parent.get(), TALLY_COLLECTIONS, 1, 0);
        self.remember_place(cache_key, seq);
        Ok(Placement {
            seq,
            existed: false,
        })
    }

    fn remember_place(&mut self, key: (u64, Vec<u8>), seq: Seq) {
        if self.places.len() >= PLACE_CACHE_MAX {
            self.places.clear();
        }
        self.places.insert(key, seq.get());
    }

    /// Seals an asset, unless its bytes are those of the newest version of that name there.
    pub(crate) fn asset(&mut self, asset: &NewAssetRow<'_>) -> Result<Placement, IngestError> {
        let sort_key = natural_order::sort_key(asset.name);
        let before = self.newest(asset.parent, Section::Assets, &sort_key)?;
        if let Some(seq) = before {
            let entry = self.entry(seq)?;
            if entry.sha256 == Some(asset.sha256) && entry.size == Some(asset.size) {
                return Ok(Placement { seq, existed: true });
            }
        }
        let several = asset.records.len() > super::RECORD_BYTES;
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
        let project = self.project_of(asset.parent)?;
        let media = asset.media;
        if let Some(before) = before {
            self.supersede(before, asset.parent, project)?;
        }
        self.list(
            seq,
            asset.parent,
            Section::Assets,
            true,
            &sort_key,
            media.code(),
        )?;
        let bytes = asset.size.cast_signed();
        for place in [asset.parent, project] {
            self.tally(place.get(), media.class.number().into(), 1, bytes);
        }
        self.state.facts[Fact::Assets as usize] += 1;
        self.state.facts[Fact::LogicalBytes as usize] += bytes;
        if self.state.has_unreferenced {
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
        if let Some(seq) = before {
            if self.entry(seq)?.body.as_deref() == Some(target) {
                return Ok(Placement { seq, existed: true });
            }
        }
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
        if let Some(before) = before {
            self.unlist(before)?;
            self.tally(parent.get(), TALLY_LINKS, -1, 0);
        }
        self.list(seq, parent, Section::Links, true, &sort_key, 0)?;
        self.tally(parent.get(), TALLY_LINKS, 1, 0);
        self.state.facts[Fact::Links as usize] += 1;
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
        Ok(())
    }

    /// Makes everything durable, with the new root. Gives the log's size.
    pub(crate) fn commit(mut self) -> Result<u64, IngestError> {
        let result = self.try_commit();
        match result {
            Ok(size) => {
                self.open = false;
                std::mem::swap(&mut self.writer.state, &mut self.state);
                Ok(size)
            }
            Err(error) => Err(error),
        }
    }

    fn try_commit(&mut self) -> Result<u64, IngestError> {
        let size = self.state.edge.size();
        if size != self.start {
            let root = self.state.edge.root();
            self.connection()
                .prepare_cached("INSERT INTO root (size, sha256) VALUES (?1, ?2)")?
                .execute(params![size, root.as_bytes()])?;
        }
        let tallies = std::mem::take(&mut self.tallies);
        for (id, (items, bytes)) in tallies {
            self.connection()
                .prepare_cached(
                    "INSERT INTO derived_tally (id, items, bytes) VALUES (?1, ?2, ?3) \
                     ON CONFLICT (id) DO UPDATE SET items = items + ?2, bytes = bytes + ?3",
                )?
                .execute(params![id, items, bytes])?;
        }
        self.state.facts[Fact::Entries as usize] = size.cast_signed();
        self.state.facts[Fact::Version as usize] = derived_version();
        for id in 1..=FACTS {
            if self.state.facts[id] != self.writer.state.facts[id] || self.start == 0 {
                self.connection()
                    .prepare_cached(
                        "INSERT INTO derived_fact (id, value) VALUES (?1, ?2) \
                         ON CONFLICT (id) DO UPDATE SET value = ?2",
                    )?
                    .execute(params![id as i64, self.state.facts[id]])?;
            }
        }
        self.connection().execute_batch("COMMIT")?;
        Ok(size)
    }

    fn append(&mut self, mut entry: Entry) -> rusqlite::Result<Seq> {
        entry.seq = self.state.edge.size();
        let leaf = entry.leaf_hash();
        let sql = const_format_insert();
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

    fn add_manifest(&mut self, digest: &Digest, records: &[u8]) -> rusqlite::Result<()> {
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
        }
        Ok(())
    }

    /// Takes the asset's chunks off the list of unreferenced ones.
    fn reference(&mut self, records: &[u8]) -> rusqlite::Result<()> {
        for record in records.chunks_exact(super::RECORD_BYTES) {
            self.connection()
                .prepare_cached(
                    "DELETE FROM derived_unreferenced WHERE chunk IN (SELECT id FROM chunk \
                     WHERE substr(sha256, 1, 8) = substr(?1, 1, 8) AND sha256 = ?1)",
                )?
                .execute([&record[..32]])?;
        }
        let left = self
            .connection()
            .prepare_cached("SELECT 1 FROM derived_unreferenced LIMIT 1")?
            .exists([])?;
        self.state.has_unreferenced = left;
        Ok(())
    }

    fn newest(
        &self,
        parent: Seq,
        section: Section,
        sort_key: &[u8],
    ) -> rusqlite::Result<Option<Seq>> {
        self.connection()
            .prepare_cached(
                "SELECT seq FROM derived_listing \
                 WHERE parent = ?1 AND section = ?2 AND newest = 1 AND sort_key = ?3",
            )?
            .query_row(params![parent.get(), section as i64, sort_key], |row| {
                row.get::<_, i64>(0)
            })
            .optional()
            .map(|seq| seq.map(|seq| Seq::new(seq.cast_unsigned())))
    }

    fn list(
        &self,
        seq: Seq,
        parent: Seq,
        section: Section,
        newest: bool,
        sort_key: &[u8],
        media: u16,
    ) -> rusqlite::Result<()> {
        self.connection()
            .prepare_cached(
                "INSERT INTO derived_listing (seq, parent, section, newest, sort_key, media) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                seq.get(),
                parent.get(),
                section as i64,
                newest,
                sort_key,
                media
            ])?;
        Ok(())
    }

    fn unlist(&self, seq: Seq) -> rusqlite::Result<u16> {
        self.connection()
            .prepare_cached("UPDATE derived_listing SET newest = 0 WHERE seq = ?1 RETURNING media")?
            .query_row([seq.get()], |row| row.get(0))
    }

    fn supersede(&mut self, before: Seq, parent: Seq, project: Seq) -> Result<(), IngestError> {
        let media = Media::from_code(self.unlist(before)?);
        let bytes = self.entry(before)?.size.unwrap_or(0).cast_signed();
        if let Some(media) = media {
            for place in [parent, project] {
                self.tally(place.get(), media.class.number().into(), -1, -bytes);
            }
        }
        Ok(())
    }

    fn tally(&mut self, place: u64, class: u64, items: i64, bytes: i64) {
        let tally = self.tallies.entry(tally_id(place, class)).or_default();
        tally.0 += items;
        tally.1 += bytes;
    }

    fn entry(&self, seq: Seq) -> Result<Entry, ReadError> {
        super::read::entry(self.connection(), seq)
    }

    /// Fails unless `seq` is a collection.
    pub(crate) fn require_collection(&self, seq: Seq) -> Result<(), IngestError> {
        match super::read::find_entry(self.connection(), seq)?.and_then(|e| e.known_kind()) {
            Some(Kind::Collection) => Ok(()),
            Some(Kind::Project) => Err(IngestError::NeedsCollection),
            _ => Err(IngestError::NotFound {
                what: "collection",
                id: seq.get(),
            }),
        }
    }

    /// Fails unless `seq` is a project or a collection.
    pub(crate) fn require_place(&self, seq: Seq) -> Result<(), IngestError> {
        match super::read::find_entry(self.connection(), seq)?.and_then(|e| e.known_kind()) {
            Some(Kind::Collection | Kind::Project) => Ok(()),
            _ => Err(IngestError::NotFound {
                what: "project or collection",
                id: seq.get(),
            }),
        }
    }

    fn ancestors(&self, place: Seq) -> Result<Vec<Seq>, ReadError> {
        super::read::ancestors(self.connection(), place)
    }

    fn project_of(&mut self, place: Seq) -> Result<Seq, ReadError> {
        // The cache key cannot collide with a name: names are never empty.
        let key = (place.get(), Vec::new());
        if let Some(seq) = self.places.get(&key) {
            return Ok(Seq::new(*seq));
        }
        let top = self.ancestors(place)?.last().copied().unwrap_or(place);
        self.remember_place(key, top);
        Ok(top)
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.open {
            // Failing to roll back means that SQLite did so by itself; either way the state must be read again.
            let _ = self.writer.connection.execute_batch("ROLLBACK");
            self.writer.stale = true;
        }
    }
}

fn subtree_id(subtree: &Subtree) -> i64 {
    (u64::from(subtree.level) << 48 | subtree.position).cast_signed()
}

fn const_format_insert() -> &'static str {
    use std::sync::OnceLock;
    static SQL: OnceLock<String> = OnceLock::new();
    SQL.get_or_init(|| {
        format!(
            "INSERT INTO entry ({ENTRY_COLUMNS}) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
        )
    })
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
