//! Packs and their chunk rows.

use std::collections::HashSet;

use rusqlite::{Connection, params};

use super::{HealError, Healed, Healer, free_pages, prove_chain, put_ranges};
use super::{require_dense, require_read_back};
use crate::codec::{self, Codec};
use crate::ids::Digest;
use crate::parity::builder::ChunkRecord;
use crate::parity::cut::Split;
use crate::store::remains::{self, ChunkRow, PackColumns};

/// A pack with its chunk rows as parity gives them.
pub(crate) struct RestoredPack {
    pub(crate) id: u64,
    pub(crate) codec: u32,
    pub(crate) raw_size: u64,
    pub(crate) first_chunk: u64,
    pub(crate) sha256: Digest,
    pub(crate) records: Vec<ChunkRecord>,
    pub(crate) data: Vec<u8>,
}

impl RestoredPack {
    /// Whether the data has its SHA-256, decodes, and holds every chunk by the chunk's own.
    fn prove(&self) -> Result<(), HealError> {
        let refuse = |what: &str| {
            let detail = format!("what parity gives for pack {} {what}", self.id);
            Err(HealError::Refused(detail))
        };
        if Digest::of(&self.data) != self.sha256 {
            return refuse("differs from its hash");
        }
        let Ok(size) = usize::try_from(self.raw_size) else {
            return refuse("has an impossible size");
        };
        let decoded;
        let raw = match Codec::from_number(self.codec) {
            Some(Codec::Stored) => &self.data,
            Some(Codec::Zstd) if size <= crate::limits::PACK_BYTES_MAX => {
                match codec::decompress(&self.data, size) {
                    Ok(bytes) => {
                        decoded = bytes;
                        &decoded
                    }
                    Err(_) => return refuse("does not decode"),
                }
            }
            _ => return refuse("cannot be decoded"),
        };
        let chunk_is_good = |record: &ChunkRecord| {
            let start = record.offset as usize;
            raw.get(start..start + record.size as usize)
                .is_some_and(|bytes| Digest::of(bytes) == record.sha256)
        };
        if raw.len() != size || !self.records.iter().all(chunk_is_good) {
            return refuse("does not hold its chunks");
        }
        Ok(())
    }

    fn columns(&self) -> PackColumns {
        PackColumns {
            codec: i64::from(self.codec),
            raw_size: self.raw_size.cast_signed(),
            sha256: Some(self.sha256),
        }
    }

    /// Its chunk rows that are not as they should be: id, what is there, what should be.
    fn changed(&self, connection: &Connection) -> Vec<(u64, Option<ChunkRow>, ChunkRecord)> {
        let there = remains::chunks(connection, self.first_chunk, self.records.len());
        (self.first_chunk..)
            .zip(there)
            .zip(&self.records)
            .filter(|((_, there), record)| *there != Some((self.id, **record)))
            .map(|((id, there), record)| (id, there, *record))
            .collect()
    }

    /// Chunk rows whose digest changes must get one that something sealed names, and lose none.
    fn prove_rows(
        &self,
        connection: &Connection,
        changed: &[(u64, Option<ChunkRow>, ChunkRecord)],
    ) -> Result<(), HealError> {
        let lost = |there: &Option<ChunkRow>, record: &ChunkRecord| {
            let digest = there.map(|(_, there)| there.sha256);
            digest.filter(|digest| *digest != record.sha256)
        };
        let digest_changes = |(_, there, record): &&(u64, Option<ChunkRow>, ChunkRecord)| {
            there.is_none_or(|(_, there)| there.sha256 != record.sha256)
        };
        let mut wanted = HashSet::new();
        for (_, there, record) in changed.iter().filter(digest_changes) {
            wanted.insert(record.sha256);
            wanted.extend(lost(there, record));
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let named = remains::named(connection, &wanted)?;
        for (id, there, record) in changed.iter().filter(digest_changes) {
            let known =
                named.contains(&record.sha256) || remains::is_unreferenced(connection, *id)?;
            let loses = lost(there, record).is_some_and(|digest| named.contains(&digest));
            if !known || loses {
                return Err(HealError::Refused(format!(
                    "what parity gives for chunk {id} in pack {} is not what was sealed",
                    self.id
                )));
            }
        }
        Ok(())
    }
}

impl Healer {
    /// Puts a pack and its chunk rows back where they differ.
    pub(crate) fn pack(&self, pack: &RestoredPack) -> Result<Vec<Healed>, HealError> {
        pack.prove()?;
        self.within_table("chunk", |connection| {
            let mut healed = Vec::new();
            let changed = pack.changed(connection);
            pack.prove_rows(connection, &changed)?;
            let bytes = put_row(connection, pack)?;
            if bytes > 0 {
                healed.push(Healed::row("pack", pack.id, bytes, Some(pack.sha256)));
            }
            let free = free_pages(connection)?;
            for (id, _, record) in &changed {
                put_chunk(connection, *id, pack.id, record)?;
                healed.push(Healed::row("chunk", *id, 56, Some(record.sha256)));
            }
            if free_pages(connection)? > free {
                return Err(HealError::Unreachable(
                    "a chunk's row is longer than it can be".into(),
                ));
            }
            let good = remains::pack_columns(connection, pack.id) == Some(pack.columns())
                && remains::pack_data(connection, pack.id)
                    .is_some_and(|back| back.bytes == pack.data)
                && pack.changed(connection).is_empty();
            require_read_back(good)?;
            Ok(healed)
        })
    }
}

/// Writes what differs of a pack's own row; gives how many bytes that is.
fn put_row(connection: &Connection, pack: &RestoredPack) -> Result<u64, HealError> {
    let columns = remains::pack_columns(connection, pack.id);
    let Some(data) = remains::pack_data(connection, pack.id) else {
        if columns.is_some() {
            return Err(HealError::Unreachable("its row cannot be read".into()));
        }
        connection
            .prepare_cached(
                "INSERT INTO pack (id, codec, raw_size, sha256, data) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                pack.id,
                pack.codec,
                pack.raw_size,
                pack.sha256.as_bytes(),
                pack.data
            ])?;
        require_dense(connection, "SELECT count(*) = max(id) FROM pack")?;
        return Ok(pack.data.len() as u64);
    };
    let split = Split::pack(pack.codec, pack.raw_size, pack.data.len());
    let mut bytes = put_ranges(
        connection,
        ("pack", "data"),
        pack.id,
        &data,
        &pack.data,
        split,
    )?;
    if columns != Some(pack.columns()) {
        prove_chain(connection, &data, &pack.data, split)?;
        connection
            .prepare_cached("UPDATE pack SET codec = ?2, raw_size = ?3, sha256 = ?4 WHERE id = ?1")?
            .execute(params![
                pack.id,
                pack.codec,
                pack.raw_size,
                pack.sha256.as_bytes()
            ])?;
        bytes += 48;
    }
    Ok(bytes)
}

fn put_chunk(
    connection: &Connection,
    id: u64,
    pack: u64,
    record: &ChunkRecord,
) -> Result<(), HealError> {
    let values = params![
        id,
        record.sha256.as_bytes(),
        pack,
        record.offset,
        record.size
    ];
    let replaced = connection
        .prepare_cached(
            "UPDATE chunk SET sha256 = ?2, pack = ?3, offset = ?4, size = ?5 WHERE id = ?1",
        )?
        .execute(values)?;
    if replaced == 0 {
        connection
            .prepare_cached(
                "INSERT INTO chunk (id, sha256, pack, offset, size) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(values)?;
        require_dense(connection, "SELECT count(*) = max(id) FROM chunk")?;
    }
    Ok(())
}
