//! Making all derived data again from the sealed rows, inside the caller's transaction.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::rows::{ENTRY_COLUMNS, entry_from_row};
use super::{
    FACTS, Fact, RECORD_BYTES, Section, TALLY_COLLECTIONS, TALLY_LINKS, derived_version, read,
    tally_id,
};
use crate::entry::{Entry, Kind};
use crate::error::ReadError;
use crate::ids::{Digest, Seq};
use crate::media::{HEAD_BYTES, Media};
use crate::natural_order;

/// Drops and remakes the derived tables. Damaged assets are listed all the same, with a media type that goes by
/// their name alone; a damaged entry stops the rebuild and leaves everything as it was.
pub(crate) fn rebuild(connection: &Connection) -> Result<(), ReadError> {
    connection.execute_batch(
        "DELETE FROM derived_listing; DELETE FROM derived_tally; DELETE FROM derived_fact; \
         DELETE FROM derived_unreferenced;",
    )?;
    let mut rebuild = Rebuild {
        connection,
        facts: [0; FACTS + 1],
        tallies: HashMap::new(),
    };
    let mut statement =
        connection.prepare(&format!("SELECT {ENTRY_COLUMNS} FROM entry ORDER BY seq"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        rebuild.entry(&entry_from_row(row)?)?;
    }
    rebuild.unreferenced()?;
    rebuild.finish()
}

struct Rebuild<'c> {
    connection: &'c Connection,
    facts: [i64; FACTS + 1],
    tallies: HashMap<i64, (i64, i64)>,
}

impl Rebuild<'_> {
    fn entry(&mut self, entry: &Entry) -> Result<(), ReadError> {
        let (Some(kind), Some(parent), Some(name)) =
            (entry.known_kind(), entry.parent.map(Seq::new), &entry.name)
        else {
            return Ok(());
        };
        let (section, fact) = match kind {
            Kind::Vault => return Ok(()),
            Kind::Project => (Section::Places, Fact::Projects),
            Kind::Collection => (Section::Places, Fact::Collections),
            Kind::Asset => (Section::Assets, Fact::Assets),
            Kind::Link => (Section::Links, Fact::Links),
        };
        self.facts[fact as usize] += 1;
        let key = natural_order::sort_key(name);
        if let Some(before) = read::child(self.connection, parent, section, name)? {
            self.connection
                .prepare_cached("UPDATE derived_listing SET newest = 0 WHERE seq = ?1")?
                .execute([before.seq.get()])?;
            let superseded = read::entry(self.connection, before.seq)?;
            self.count(&superseded, kind, parent, before.media, -1)?;
        }
        let media = if kind == Kind::Asset {
            self.media(entry, name).code()
        } else {
            0
        };
        self.connection
            .prepare_cached(
                "INSERT INTO derived_listing (seq, parent, section, newest, sort_key, media) \
                 VALUES (?1, ?2, ?3, 1, ?4, ?5)",
            )?
            .execute(params![entry.seq, parent.get(), section as i64, key, media])?;
        self.count(entry, kind, parent, media, 1)?;
        if kind == Kind::Asset {
            self.facts[Fact::LogicalBytes as usize] += entry.size.unwrap_or(0).cast_signed();
        }
        Ok(())
    }

    fn count(
        &mut self,
        entry: &Entry,
        kind: Kind,
        parent: Seq,
        media: u16,
        sign: i64,
    ) -> Result<(), ReadError> {
        let mut add = |place: Seq, class: u64, bytes: i64| {
            let tally = self
                .tallies
                .entry(tally_id(place.get(), class))
                .or_default();
            tally.0 += sign;
            tally.1 += sign * bytes;
        };
        match kind {
            Kind::Asset => {
                let class = Media::from_code(media).map_or(0, |media| media.class.number().into());
                let bytes = entry.size.unwrap_or(0).cast_signed();
                let chain = read::ancestors(self.connection, parent)?;
                add(parent, class, bytes);
                add(*chain.last().unwrap_or(&parent), class, bytes);
            }
            Kind::Link => add(parent, TALLY_LINKS, 0),
            _ => add(parent, TALLY_COLLECTIONS, 0),
        }
        Ok(())
    }

    fn media(&self, entry: &Entry, name: &[u8]) -> Media {
        let head = first_chunk(self.connection, entry).unwrap_or_default();
        Media::detect(name, &head[..head.len().min(HEAD_BYTES)])
    }

    /// Marks every chunk, then takes the mark off those that an asset refers to.
    fn unreferenced(&mut self) -> Result<(), ReadError> {
        self.connection.execute_batch(
            "INSERT INTO derived_unreferenced (chunk) SELECT id FROM chunk; \
             DELETE FROM derived_unreferenced WHERE chunk IN (SELECT chunk.id FROM entry \
             JOIN chunk ON substr(chunk.sha256, 1, 8) = substr(entry.sha256, 1, 8) \
             AND chunk.sha256 = entry.sha256 WHERE entry.manifest IS NULL);",
        )?;
        let mut manifests = self.connection.prepare("SELECT records FROM manifest")?;
        let mut rows = manifests.query([])?;
        while let Some(row) = rows.next()? {
            let records = row.get_ref(0)?.as_blob().unwrap_or_default();
            for record in records.chunks_exact(RECORD_BYTES) {
                self.connection
                    .prepare_cached(
                        "DELETE FROM derived_unreferenced WHERE chunk IN (SELECT id FROM chunk \
                         WHERE substr(sha256, 1, 8) = substr(?1, 1, 8) AND sha256 = ?1)",
                    )?
                    .execute([&record[..32]])?;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), ReadError> {
        let sum = |sql: &str| {
            self.connection
                .query_row(sql, [], |row| row.get::<_, i64>(0))
        };
        let unique = sum("SELECT ifnull(sum(size), 0) FROM chunk")?;
        let stored = sum("SELECT ifnull(sum(length(data)), 0) FROM pack")?;
        let entries = sum("SELECT count(*) FROM entry")?;
        self.facts[Fact::UniqueBytes as usize] = unique;
        self.facts[Fact::StoredBytes as usize] = stored;
        self.facts[Fact::Entries as usize] = entries;
        self.facts[Fact::Version as usize] = derived_version();
        for (id, value) in self.facts.iter().enumerate().skip(1) {
            self.connection.execute(
                "INSERT INTO derived_fact (id, value) VALUES (?1, ?2)",
                params![id, value],
            )?;
        }
        for (id, (items, bytes)) in self.tallies {
            self.connection
                .prepare_cached("INSERT INTO derived_tally (id, items, bytes) VALUES (?1, ?2, ?3)")?
                .execute(params![id, items, bytes])?;
        }
        Ok(())
    }
}

/// The first chunk of an asset if it can be read and is what was sealed.
fn first_chunk(connection: &Connection, asset: &Entry) -> Option<Vec<u8>> {
    let records = read::manifest(connection, asset).ok()?;
    let digest = read::record_digest(records.get(..RECORD_BYTES)?);
    let location = read::locate_chunk(connection, &digest).ok()??;
    let chunk = match location.codec {
        crate::codec::Codec::Stored => read::read_stored(connection, &location).ok()?,
        crate::codec::Codec::Zstd => {
            let frame = read::read_pack(connection, location.pack).ok()?;
            let raw = crate::codec::decompress(&frame, location.raw_size).ok()?;
            raw[location.offset..location.offset + location.size].to_vec()
        }
    };
    (Digest::of(&chunk) == digest).then_some(chunk)
}
