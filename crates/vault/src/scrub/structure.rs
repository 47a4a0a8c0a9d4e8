//! Part 0: everything but packs, in an order in which each step can rely on those before it.

use std::collections::{BTreeMap, BTreeSet};

use super::stripes::Key;
use super::{Ended, Remedy, Scrub};
use crate::ids::Digest;
use crate::store::heal::Healed;
use crate::store::pool::Connection;
use crate::store::remains::{self, Reach};
use crate::store::{open, scan};

/// Chunk rows looked at between two questions whether to stop.
const BATCH: usize = 4096;

impl Scrub<'_> {
    pub(super) fn structure(&mut self, connection: &Connection) -> Result<(), Ended> {
        if let Ok(Some(why)) = open::why_read_only(connection) {
            self.unhealed(Remedy::Rescue, "sqlite_schema", None, why);
            return Ok(());
        }
        let mut complained: BTreeSet<&'static str> = BTreeSet::new();
        let mut indexes: BTreeSet<&'static str> = BTreeSet::new();
        scan::structure(connection, |table, message| {
            complained.insert(table);
            if scan::is_about_an_index(&message) {
                indexes.insert(table);
            }
        });
        self.rest()?;
        for table in indexes {
            let outcome = self.healer()?.reindex(table);
            // One that stays broken is told of at the end.
            if outcome.is_ok() {
                self.report
                    .healed
                    .push(Healed::whole(&format!("index of {table}")));
            }
        }
        let reach = remains::reach(connection);
        let entries = self.log(connection, reach)?;
        let reach = Reach {
            entries,
            ..remains::reach(connection)
        };
        self.rest()?;
        self.manifests(connection, reach)?;
        self.chunk_rows(connection, reach)?;
        self.parity(connection, reach)?;
        self.rest()?;
        self.lists(connection, &complained)?;
        if !complained.is_empty() {
            let mut left = Vec::new();
            scan::structure(connection, |table, message| left.push((table, message)));
            for (table, message) in left {
                self.unhealed(Remedy::Rescue, table, None, message);
            }
        }
        Ok(())
    }

    /// Every manifest against its digest.
    fn manifests(&mut self, connection: &Connection, reach: Reach) -> Result<(), Ended> {
        let mut keys = BTreeMap::new();
        let covered = {
            let _snapshot = remains::snapshot(connection)?;
            self.atlas(connection).map_or(0, super::Atlas::manifests)
        };
        for id in 1..=reach.manifests.max(covered) {
            let good = remains::manifest_records(connection, id).is_some_and(|records| {
                remains::manifest_digest(connection, id) == Some(Digest::of(&records.bytes))
            });
            if !good {
                keys.insert(Key::Manifest(id), true);
            }
            if id % 64 == 0 {
                self.rest()?;
            }
        }
        self.heal(connection, &keys)
    }

    /// Whether every chunk row is there and can be read. What it says is compared with its pack in that pack's part.
    fn chunk_rows(&mut self, connection: &Connection, reach: Reach) -> Result<(), Ended> {
        let mut keys = BTreeMap::new();
        let mut missing = Vec::new();
        let mut first = 1;
        let mut before = 1;
        while first <= reach.chunks {
            for (id, row) in (first..).zip(remains::chunks(connection, first, BATCH)) {
                match row {
                    _ if id > reach.chunks => break,
                    Some((pack, _)) if (before..=reach.packs).contains(&pack) => before = pack,
                    _ => missing.push(id),
                }
            }
            first += BATCH as u64;
            self.rest()?;
        }
        if !missing.is_empty() {
            let _snapshot = remains::snapshot(connection)?;
            let packs: Vec<Option<u64>> = match self.atlas(connection) {
                Ok(atlas) => missing.iter().map(|id| atlas.pack_of_chunk(*id)).collect(),
                Err(_) => vec![None; missing.len()],
            };
            for (id, pack) in missing.into_iter().zip(packs) {
                if let Some(pack) = pack {
                    keys.insert(Key::Pack(pack), true);
                } else {
                    let detail =
                        "it cannot be read or contradicts its neighbours, and no parity covers it";
                    self.unhealed(Remedy::None, "chunk", Some(id), detail);
                }
            }
        }
        self.heal(connection, &keys)
    }

    /// The lists against the entries.
    pub(super) fn lists(
        &mut self,
        connection: &Connection,
        complained: &BTreeSet<&'static str>,
    ) -> Result<(), Ended> {
        const LISTS: [&str; 4] = [
            "derived_listing",
            "derived_tally",
            "derived_fact",
            "derived_unreferenced",
        ];
        let mut damaged = LISTS.iter().any(|table| complained.contains(table));
        if !damaged {
            let _snapshot = remains::snapshot(connection)?;
            let mut wrong = false;
            let entries = scan::entries(connection, |row| {
                wrong |=
                    row.is_ok_and(|(entry, _)| scan::listing_problem(connection, &entry).is_some());
                Ok(())
            });
            if entries.is_err() {
                // The log is damaged beyond healing, which was told of.
                return Ok(());
            }
            let problems = scan::derived_problems(connection);
            damaged = wrong || problems.map_or(true, |problems| !problems.is_empty());
        }
        if !damaged || (self.options.stop)() {
            return Ok(());
        }
        match self.ingest.rebuild() {
            Ok(()) => self.report.healed.push(Healed::whole("derived_listing")),
            Err(error) => {
                self.unhealed(Remedy::Rescue, "derived_listing", None, error.to_string());
            }
        }
        Ok(())
    }
}
