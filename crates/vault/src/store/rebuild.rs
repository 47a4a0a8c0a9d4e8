//! Making all derived data again from the sealed rows, inside the caller's transaction.

use std::collections::{HashMap, VecDeque};

use rusqlite::Connection;

use super::derived::{self, Facts, Listed, Tally};
use super::rows::{ENTRY_COLUMNS, entry_from_row};
use super::{Fact, RECORD_BYTES, Section, derived_version, read};
use crate::codec::Codec;
use crate::entry::{Entry, Kind};
use crate::error::ReadError;
use crate::ids::{Digest, Seq};
use crate::media::{HEAD_BYTES, Media, MediaClass};
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
        packs: VecDeque::new(),
        facts: Facts::default(),
        tallies: HashMap::from([(Seq::VAULT, Tally::default())]),
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

/// Decoded packs kept for the next asset: those sealed together lie together.
const PACKS_KEPT: usize = 8;

struct Rebuild<'c> {
    connection: &'c Connection,
    packs: VecDeque<(u64, Vec<u8>)>,
    facts: Facts,
    tallies: HashMap<Seq, Tally>,
}

impl Rebuild<'_> {
    fn entry(&mut self, entry: &Entry) -> Result<(), ReadError> {
        let (Some(kind), Some(parent), Some(name)) =
            (entry.known_kind(), entry.parent.map(Seq::new), &entry.name)
        else {
            return Ok(());
        };
        let (section, fact) = match kind {
            Kind::Vault | Kind::Repair => return Ok(()),
            Kind::Project => (Section::Places, Fact::Projects),
            Kind::Collection => (Section::Places, Fact::Collections),
            Kind::Asset => (Section::Assets, Fact::Assets),
            Kind::Link => (Section::Links, Fact::Links),
        };
        self.facts[fact as usize] += 1;
        let sort_key = natural_order::sort_key(name);
        let before = derived::newest(self.connection, parent, section, &sort_key)?;
        let media = if kind == Kind::Asset {
            let head = self.first_chunk(entry).unwrap_or_default();
            Media::detect(name, &head[..head.len().min(HEAD_BYTES)]).code()
        } else {
            0
        };
        match kind {
            Kind::Asset => self.count_asset(entry, parent, media, before.as_ref())?,
            Kind::Link => self.tally(parent).add_link(before.is_some()),
            _ => {
                self.tally(parent).add_place();
                self.tally(entry.id());
            }
        }
        let version = before.as_ref().map_or(0, |before| before.version) + 1;
        if let Some(before) = before {
            before.supersede(self.connection)?;
        }
        let listed = Listed {
            seq: entry.id(),
            parent,
            section,
            newest: true,
            version,
            media,
            sort_key,
        };
        listed.insert(self.connection)?;
        Ok(())
    }

    fn tally(&mut self, place: Seq) -> &mut Tally {
        self.tallies.entry(place).or_default()
    }

    fn count_asset(
        &mut self,
        entry: &Entry,
        parent: Seq,
        media: u16,
        before: Option<&Listed>,
    ) -> Result<(), ReadError> {
        let bytes = |entry: &Entry| entry.size.unwrap_or(0).cast_signed();
        self.facts[Fact::LogicalBytes as usize] += bytes(entry);
        let superseded = match before {
            Some(before) => {
                let entry = read::entry(self.connection, before.seq)?;
                Some((before.media()?.class, bytes(&entry)))
            }
            None => None,
        };
        let class = Media::from_code(media).map_or(MediaClass::Binary, |media| media.class);
        let chain = read::ancestors(self.connection, parent)?;
        let project = *chain.last().unwrap_or(&parent);
        for place in [parent, project] {
            let tally = self.tally(place);
            if let Some((class, bytes)) = superseded {
                tally.supersede_asset(class, bytes);
            }
            tally.add_asset(class, bytes(entry));
        }
        Ok(())
    }

    /// The first chunk of an asset if it can be read and is what was sealed.
    fn first_chunk(&mut self, asset: &Entry) -> Option<Vec<u8>> {
        let records = read::manifest(self.connection, asset).ok()?;
        let digest = read::record_digest(records.get(..RECORD_BYTES)?);
        let location = read::locate_chunk(self.connection, &digest).ok()??;
        let chunk = match location.codec {
            Codec::Stored => {
                let mut chunk = vec![0; location.size];
                read::read_stored(self.connection, &location, &mut chunk).ok()?;
                chunk
            }
            Codec::Zstd => {
                let raw = self.pack(location.pack, location.raw_size)?;
                let end = location.offset + location.size;
                raw.get(location.offset..end)?.to_vec()
            }
        };
        (Digest::of(&chunk) == digest).then_some(chunk)
    }

    fn pack(&mut self, id: u64, raw_size: usize) -> Option<&[u8]> {
        let known = self.packs.iter().position(|(known, _)| *known == id);
        let at = if let Some(at) = known {
            at
        } else {
            let frame = read::read_pack(self.connection, id).ok()?;
            let raw = crate::codec::decompress(&frame, raw_size).ok()?;
            if self.packs.len() >= PACKS_KEPT {
                self.packs.pop_front();
            }
            self.packs.push_back((id, raw));
            self.packs.len() - 1
        };
        Some(&self.packs[at].1)
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
        self.facts[Fact::Chunks as usize] = sum("SELECT count(*) FROM chunk")?;
        self.facts[Fact::Packs as usize] = sum("SELECT count(*) FROM pack")?;
        self.facts[Fact::Unreferenced as usize] = sum("SELECT count(*) FROM derived_unreferenced")?;
        self.facts[Fact::Version as usize] = derived_version();
        // Every figure is written, zeros included: the table is empty.
        let nothing = self.facts.map(|fact| !fact);
        derived::put_facts(self.connection, &nothing, &mut self.facts)?;
        for (place, tally) in &self.tallies {
            tally.put(self.connection, *place)?;
        }
        Ok(())
    }
}
