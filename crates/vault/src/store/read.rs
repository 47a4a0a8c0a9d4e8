//! Looking things up: entries by position, the tree around them, manifests, chunks and packs.
//!
//! Every function runs on a reading connection, or inside a writing transaction, and checks what it returns.

use rusqlite::{CachedStatement, Connection, OptionalExtension};

use super::rows::{ENTRY_COLUMNS, VaultBody, damaged, entry_from_row};
use super::{FACTS, Fact, RECORD_BYTES, derived, log};
use crate::codec::Codec;
use crate::entry::{Entry, Kind};
use crate::error::ReadError;
use crate::ids::{Digest, Seq};
use crate::limits::{CHUNK_BYTES_MAX, DEPTH_MAX, PACK_BYTES_MAX};

/// Entries by position, one after the other: for many, asking for the statement each time takes longer than reading.
pub(crate) struct Entries<'c> {
    connection: &'c Connection,
    statement: CachedStatement<'c>,
}

impl<'c> Entries<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Result<Self, ReadError> {
        let sql = format!("SELECT {ENTRY_COLUMNS} FROM entry WHERE seq = ?1");
        let statement = connection.prepare_cached(&sql)?;
        Ok(Self {
            connection,
            statement,
        })
    }

    /// The entry at `seq`, checked against its leaf hash; `None` beyond the end of the log.
    pub(crate) fn find(&mut self, seq: Seq) -> Result<Option<Entry>, ReadError> {
        let Ok(position) = i64::try_from(seq.get()) else {
            return Ok(None);
        };
        let mut rows = self.statement.query([position])?;
        match rows.next()? {
            None if seq.get() < log::log_size(self.connection)? => {
                Err(damaged(seq.get(), "it is missing from the log"))
            }
            None => Ok(None),
            Some(row) => {
                let entry = entry_from_row(row)?;
                if entry.seq == seq.get() {
                    Ok(Some(entry))
                } else {
                    Err(damaged(seq.get(), "another entry lies in its place"))
                }
            }
        }
    }

    /// The entry at `seq`, which something sealed refers to.
    pub(crate) fn get(&mut self, seq: Seq) -> Result<Entry, ReadError> {
        self.find(seq)?
            .ok_or_else(|| damaged(seq.get(), "it is missing from the log"))
    }

    /// `place` and everything above it, the project last; the vault entry is left out.
    pub(crate) fn ancestors(&mut self, place: Seq) -> Result<Vec<Seq>, ReadError> {
        let mut chain = Vec::new();
        let mut at = place;
        while at != Seq::VAULT {
            // One more than can be nested, for the project.
            if chain.len() > DEPTH_MAX {
                return Err(damaged(
                    place.get(),
                    "it is nested deeper than collections can be",
                ));
            }
            chain.push(at);
            let parent = self.get(at)?.parent;
            at = Seq::new(parent.ok_or_else(|| damaged(at.get(), "it hangs nowhere"))?);
        }
        Ok(chain)
    }
}

/// One entry: see [`Entries::find`].
pub(crate) fn find_entry(connection: &Connection, seq: Seq) -> Result<Option<Entry>, ReadError> {
    Entries::new(connection)?.find(seq)
}

/// One entry: see [`Entries::get`].
pub(crate) fn entry(connection: &Connection, seq: Seq) -> Result<Entry, ReadError> {
    Entries::new(connection)?.get(seq)
}

/// The entry at `seq` if it is of `kind`.
pub(crate) fn entry_of_kind(
    connection: &Connection,
    seq: Seq,
    kind: Kind,
    what: &'static str,
) -> Result<Entry, ReadError> {
    find_entry(connection, seq)?
        .filter(|entry| entry.known_kind() == Some(kind))
        .ok_or_else(|| ReadError::NotFound {
            what,
            id: seq.to_string(),
        })
}

/// What is above one place: see [`Entries::ancestors`].
pub(crate) fn ancestors(connection: &Connection, place: Seq) -> Result<Vec<Seq>, ReadError> {
    Entries::new(connection)?.ancestors(place)
}

/// The figures of `derived_fact`, if they are those of the log as it is. Needs one snapshot.
pub(crate) fn facts(connection: &Connection) -> Result<[u64; FACTS + 1], ReadError> {
    let facts = derived::facts(connection)?;
    let agree = |fact: Fact, with: u64| facts[fact as usize].cast_unsigned() == with;
    let same = agree(Fact::Entries, log::log_size(connection)?)
        && agree(Fact::Chunks, last_id(connection, "chunk")?)
        && agree(Fact::Packs, last_id(connection, "pack")?)
        && agree(Fact::Unreferenced, unreferenced_chunks(connection)?);
    if same {
        Ok(facts.map(i64::cast_unsigned))
    } else {
        Err(ReadError::Derived {
            detail: "the figures differ from the tables".into(),
        })
    }
}

/// How many rows a table of consecutive ids has.
fn last_id(connection: &Connection, table: &'static str) -> Result<u64, ReadError> {
    let last: Option<i64> =
        connection.query_row(&format!("SELECT max(id) FROM {table}"), [], |row| {
            row.get(0)
        })?;
    Ok(last.unwrap_or(0).cast_unsigned())
}

/// Chunks sealed ahead of an asset that never came, or has not come yet.
fn unreferenced_chunks(connection: &Connection) -> Result<u64, ReadError> {
    let count: i64 =
        connection.query_row("SELECT count(*) FROM derived_unreferenced", [], |row| {
            row.get(0)
        })?;
    Ok(count.cast_unsigned())
}

/// Whether a manifest's records are whole, and come to `size` bytes together.
pub(crate) fn adds_up(records: &[u8], size: u64) -> bool {
    let sizes = records.chunks_exact(RECORD_BYTES).map(record_size);
    records.len().is_multiple_of(RECORD_BYTES) && sizes.map(u64::from).sum::<u64>() == size
}

/// An asset's manifest, checked against its entry: records of a SHA-256 and a big-endian size.
pub(crate) fn manifest(connection: &Connection, asset: &Entry) -> Result<Vec<u8>, ReadError> {
    let (Some(sha256), Some(size)) = (asset.sha256, asset.size) else {
        return Err(damaged(asset.seq, "an asset's column is empty"));
    };
    let records = match asset.manifest {
        None if size == 0 => Vec::new(),
        None => {
            let size =
                u32::try_from(size).map_err(|_| damaged(asset.seq, "its manifest is missing"))?;
            [sha256.as_bytes().as_slice(), &size.to_be_bytes()].concat()
        }
        Some(digest) => {
            let records: Vec<u8> = connection
                .prepare_cached("SELECT records FROM manifest WHERE sha256 = ?1")?
                .query_row([digest.as_bytes()], |row| row.get(0))
                .optional()?
                .ok_or_else(|| damaged(asset.seq, "its manifest is missing"))?;
            if Digest::of(&records) != digest {
                return Err(damaged(asset.seq, "its manifest differs from its hash"));
            }
            records
        }
    };
    if adds_up(&records, size) {
        Ok(records)
    } else {
        Err(damaged(
            asset.seq,
            "its manifest does not add up to its size",
        ))
    }
}

/// The digest in a manifest record.
pub(crate) fn record_digest(record: &[u8]) -> Digest {
    Digest::try_from(&record[..32]).expect("a record begins with 32 bytes of digest")
}

/// The chunk size in a manifest record.
pub(crate) fn record_size(record: &[u8]) -> u32 {
    u32::from_be_bytes(
        record[32..36]
            .try_into()
            .expect("a record ends with 4 bytes of size"),
    )
}

/// Where a chunk lies. Sizes are checked against the limits, so that a damaged row cannot ask for gigabytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChunkLocation {
    /// Its row.
    pub(crate) chunk: u64,
    pub(crate) pack: u64,
    pub(crate) offset: usize,
    pub(crate) size: usize,
    pub(crate) codec: Codec,
    pub(crate) raw_size: usize,
}

/// A chunk's place, by its digest.
pub(super) const LOCATE_CHUNK: &str = "SELECT pack.id, chunk.offset, chunk.size, pack.codec, pack.raw_size, chunk.id \
     FROM chunk JOIN pack ON pack.id = chunk.pack \
     WHERE substr(chunk.sha256, 1, 8) = substr(?1, 1, 8) AND chunk.sha256 = ?1 LIMIT 1";

/// Finds a chunk by its digest; `None` if the vault does not have it.
pub(crate) fn locate_chunk(
    connection: &Connection,
    digest: &Digest,
) -> Result<Option<ChunkLocation>, ReadError> {
    let row = connection
        .prepare_cached(LOCATE_CHUNK)?
        .query_row([digest.as_bytes()], |row| {
            Ok([
                row.get::<_, i64>(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
            ])
        })
        .optional()?;
    let Some([pack, offset, size, codec, raw_size, chunk]) = row else {
        return Ok(None);
    };
    let location = || -> Option<ChunkLocation> {
        let location = ChunkLocation {
            chunk: chunk.cast_unsigned(),
            pack: u64::try_from(pack).ok()?,
            offset: usize::try_from(offset).ok()?,
            size: usize::try_from(size).ok()?,
            codec: Codec::from_number(u32::try_from(codec).ok()?)?,
            raw_size: usize::try_from(raw_size).ok()?,
        };
        let fits = location.size <= CHUNK_BYTES_MAX
            && location.raw_size <= PACK_BYTES_MAX
            && location.offset.checked_add(location.size)? <= location.raw_size;
        fits.then_some(location)
    };
    location().map(Some).ok_or_else(|| ReadError::Store {
        detail: format!("chunk {digest} has an impossible place in pack {pack}"),
    })
}

/// Bytes of a stored (not compressed) pack, without reading the rest of it: as many as there is room for, from the chunk's
/// beginning.
pub(crate) fn read_stored(
    connection: &Connection,
    location: &ChunkLocation,
    into: &mut [u8],
) -> Result<(), ReadError> {
    let blob = connection.blob_open("main", "pack", "data", location.pack.cast_signed(), true)?;
    Ok(blob.read_at_exact(into, location.offset)?)
}

/// A whole pack as stored.
pub(crate) fn read_pack(connection: &Connection, pack: u64) -> Result<Vec<u8>, ReadError> {
    Ok(connection
        .prepare_cached("SELECT data FROM pack WHERE id = ?1")?
        .query_row([pack], |row| row.get(0))?)
}

/// What entry 0 says about the vault.
pub(crate) fn vault_body(connection: &Connection) -> Result<VaultBody, ReadError> {
    let entry = entry(connection, Seq::VAULT)?;
    entry
        .body
        .as_deref()
        .and_then(|body| serde_json::from_slice(body).ok())
        .ok_or_else(|| damaged(0, "it does not describe a vault"))
}
