//! The derived tables' share of a transaction: the listing, its tallies, and chunks that wait for their asset.

use rusqlite::params;

use super::append::Transaction;
use crate::error::{IngestError, ReadError};
use crate::ids::Seq;
use crate::store::derived::{self, Listed, Tally};
use crate::store::{Fact, RECORD_BYTES, Section};

/// Sections known to be whole, at most so many: a bound on memory, not a promise.
const WHOLE_SECTIONS_MAX: usize = 100_000;

impl Transaction<'_> {
    /// Takes the asset's chunks off the list of unreferenced ones.
    pub(super) fn reference(&mut self, records: &[u8]) -> rusqlite::Result<()> {
        let mut taken = 0;
        for record in records.chunks_exact(RECORD_BYTES) {
            taken += self
                .connection()
                .prepare_cached(
                    "DELETE FROM derived_unreferenced WHERE chunk IN (SELECT id FROM chunk \
                     WHERE substr(sha256, 1, 8) = substr(?1, 1, 8) AND sha256 = ?1)",
                )?
                .execute([&record[..32]])?;
        }
        self.state.facts[Fact::Unreferenced as usize] -= taken.cast_signed() as i64;
        Ok(())
    }

    /// Puts a new chunk on the list of unreferenced ones.
    pub(super) fn unreferenced(&mut self, chunk: u64) -> rusqlite::Result<()> {
        self.connection()
            .prepare_cached("INSERT INTO derived_unreferenced (chunk) VALUES (?1)")?
            .execute(params![chunk])?;
        self.state.facts[Fact::Unreferenced as usize] += 1;
        Ok(())
    }

    /// The newest entry of that key. That there is none is believed only of a list that is whole: a name that a
    /// damaged list hides would be sealed a second time, for ever.
    pub(super) fn newest(
        &mut self,
        parent: Seq,
        section: Section,
        sort_key: &[u8],
    ) -> Result<Option<Listed>, IngestError> {
        let found = derived::newest(self.connection(), parent, section, sort_key);
        let found = self.noticed(found)?;
        let key = (parent.get(), section as u8);
        if found.is_none() && !self.writer.whole.contains(&key) {
            let tally = self.tally(parent)?.clone();
            let checked = derived::check_section(self.connection(), parent, section, &tally);
            self.noticed(checked)?;
            if self.writer.whole.len() >= WHOLE_SECTIONS_MAX {
                self.writer.whole.clear();
            }
            self.writer.whole.insert(key);
        }
        Ok(found)
    }

    /// Lists a new entry as the newest of its name, after the version `before` of it.
    pub(super) fn list(
        &mut self,
        seq: Seq,
        parent: Seq,
        section: Section,
        sort_key: Vec<u8>,
        media: u16,
        before: Option<Listed>,
    ) -> Result<(), IngestError> {
        let version = before.as_ref().map_or(0, |before| before.version) + 1;
        if let Some(before) = before {
            before.supersede(self.connection())?;
        }
        let listed = Listed {
            seq,
            parent,
            section,
            newest: true,
            version,
            media,
            sort_key,
        };
        listed.insert(self.connection())?;
        Ok(())
    }

    /// The counts of a place as this transaction leaves them.
    pub(super) fn tally(&mut self, place: Seq) -> Result<&mut Tally, IngestError> {
        if !self.tallies.contains_key(&place) {
            let tally = derived::tally(self.connection(), place);
            let tally = self.noticed(tally)?;
            self.tallies.insert(place, tally);
        }
        Ok(self.tallies.get_mut(&place).expect("it was just put there"))
    }

    /// Remembers that derived rows contradict themselves, so that they are rebuilt before the next transaction.
    fn noticed<T>(&mut self, result: Result<T, ReadError>) -> Result<T, IngestError> {
        if matches!(result, Err(ReadError::Derived { .. })) {
            self.writer.rebuild = true;
        }
        Ok(result?)
    }
}
