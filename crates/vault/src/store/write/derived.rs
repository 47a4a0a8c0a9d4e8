//! The derived tables' share of a transaction: the listing, its tallies, and chunks that wait for their asset.

use rusqlite::{OptionalExtension, params};

use super::append::Transaction;
use crate::error::IngestError;
use crate::ids::Seq;
use crate::media::Media;
use crate::store::{RECORD_BYTES, Section, tally_id};

impl Transaction<'_> {
    /// Takes the asset's chunks off the list of unreferenced ones.
    pub(super) fn reference(&mut self, records: &[u8]) -> rusqlite::Result<()> {
        for record in records.chunks_exact(RECORD_BYTES) {
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

    pub(super) fn newest(
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

    pub(super) fn list(
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

    pub(super) fn unlist(&self, seq: Seq) -> rusqlite::Result<u16> {
        self.connection()
            .prepare_cached("UPDATE derived_listing SET newest = 0 WHERE seq = ?1 RETURNING media")?
            .query_row([seq.get()], |row| row.get(0))
    }

    pub(super) fn supersede(
        &mut self,
        before: Seq,
        parent: Seq,
        project: Seq,
    ) -> Result<(), IngestError> {
        let media = Media::from_code(self.unlist(before)?);
        let bytes = self.entry(before)?.size.unwrap_or(0).cast_signed();
        if let Some(media) = media {
            for place in [parent, project] {
                self.tally(place.get(), media.class.number().into(), -1, -bytes);
            }
        }
        Ok(())
    }

    pub(super) fn tally(&mut self, place: u64, class: u64, items: i64, bytes: i64) {
        let tally = self.tallies.entry(tally_id(place, class)).or_default();
        tally.0 += items;
        tally.1 += bytes;
    }
}
