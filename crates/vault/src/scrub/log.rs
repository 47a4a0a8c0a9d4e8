//! The log: entries against their leaf hashes, the tree against its roots and stored subtrees.

use std::collections::{BTreeMap, HashMap};

use super::stripes::Key;
use super::{Ended, Remedy, Scrub};
use crate::entry::Entry;
use crate::ids::Digest;
use crate::merkle::Edge;
use crate::store::heal::LogChange;
use crate::store::pool::Connection;
use crate::store::remains::{self, Reach};
use crate::store::scan;

/// Entries looked at between two questions whether to stop.
const BATCH: u64 = 4096;
/// Damaged entries healed at once; more than this is not damage but another file.
const DAMAGED_MAX: usize = 100_000;

/// The tree with some leaf hashes replaced, compared with what is stored.
struct Survey {
    /// Trees whose stored root differs, but for the last.
    roots: Vec<u64>,
    subtrees: Vec<u64>,
    /// The largest tree whose stored root is right.
    last_good_root: u64,
}

impl Scrub<'_> {
    /// Heals the log if it can. Gives how many entries it has.
    pub(super) fn log(&mut self, connection: &Connection, reach: Reach) -> Result<u64, Ended> {
        let covered = {
            let _snapshot = remains::snapshot(connection)?;
            self.atlas(connection).map_or(0, super::Atlas::entries)
        };
        let size = reach.entries;
        let plausible = size == reach.entry_rows || (size == covered && size > reach.entry_rows);
        if !plausible {
            let detail = format!(
                "the last root covers {size} entries, but the last entry is the {}th",
                reach.entry_rows
            );
            self.unhealed(Remedy::Rescue, "root", None, detail);
            return Ok(size.min(reach.entry_rows));
        }
        let mut bad = Vec::new();
        for seq in 0..size {
            let good = remains::entry(connection, seq)
                .is_some_and(|(entry, leaf)| entry.leaf_hash() == leaf);
            if !good {
                bad.push(seq);
            }
            if bad.len() > DAMAGED_MAX {
                let detail = format!("more than {DAMAGED_MAX} entries are damaged");
                self.unhealed(Remedy::Rescue, "entry", None, detail);
                return Ok(size);
            }
            if seq % BATCH == BATCH - 1 {
                self.rest()?;
            }
        }
        let mut restored = self.restore_entries(connection, &bad)?;
        let mut survey = survey(connection, size, &restored)?;
        if survey.last_good_root != size {
            // Where parity gives nothing, the columns may be good and the leaf hash beside them bad.
            let mut guesses = restored.clone();
            for &seq in bad.iter().filter(|seq| !restored.contains_key(seq)) {
                guesses.extend(remains::entry(connection, seq).map(|(entry, _)| (seq, entry)));
            }
            let other = self::survey(connection, size, &guesses)?;
            if other.last_good_root == size {
                (restored, survey) = (guesses, other);
            }
        }
        let mut change = LogChange {
            size,
            entries: restored.values().cloned().collect(),
            roots: survey.roots,
            subtrees: survey.subtrees,
            last_root: false,
        };
        for &seq in bad.iter().filter(|seq| !restored.contains_key(seq)) {
            let detail = "its row differs from its leaf hash, and no parity restores it";
            self.unhealed(Remedy::None, "entry", Some(seq), detail);
        }
        if survey.last_good_root != size {
            // Beside rows that had to be restored, the root is the better witness.
            let range = survey.last_good_root..size;
            let rows_are_good = !bad.iter().any(|seq| range.contains(seq));
            change.last_root = rows_are_good && self.vouched(connection, range)?;
            if !change.last_root {
                let detail = format!(
                    "the root kept for {size} entries differs from them; the last one that agrees covers {}",
                    survey.last_good_root
                );
                self.unhealed(Remedy::None, "root", Some(size), detail);
                return Ok(size);
            }
        }
        if !change.is_empty() {
            let outcome = self.healer()?.log(&change);
            self.note(("entry", None), outcome)?;
        }
        Ok(size)
    }

    fn restore_entries(
        &mut self,
        connection: &Connection,
        bad: &[u64],
    ) -> Result<BTreeMap<u64, Entry>, Ended> {
        let mut restored = BTreeMap::new();
        if bad.is_empty() {
            return Ok(restored);
        }
        let _snapshot = remains::snapshot(connection)?;
        let mut by_stripe: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        if let Ok(atlas) = self.atlas(connection) {
            for &seq in bad {
                if let Some(stripe) = atlas.stripe_of(Key::Entry(seq)) {
                    by_stripe.entry(stripe).or_default().push(seq);
                }
            }
        }
        for (stripe, seqs) in by_stripe {
            let stripe = self.stripe(connection, stripe)?;
            if let Some(stripe) = stripe.filter(|stripe| stripe.whole) {
                for seq in seqs {
                    restored.extend(stripe.entry(seq).map(|entry| (seq, entry)));
                }
            }
        }
        Ok(restored)
    }

    /// Whether parity holds exactly these entries.
    fn vouched(
        &mut self,
        connection: &Connection,
        range: std::ops::Range<u64>,
    ) -> Result<bool, Ended> {
        let _snapshot = remains::snapshot(connection)?;
        let mut seq = range.start;
        while seq < range.end {
            let Ok(Some(number)) = self
                .atlas(connection)
                .map(|atlas| atlas.stripe_of(Key::Entry(seq)))
            else {
                return Ok(false);
            };
            let Some(stripe) = self.stripe(connection, number)?.filter(|s| s.whole) else {
                return Ok(false);
            };
            let start = seq;
            while seq < range.end {
                let Some(sealed) = stripe.entry(seq) else {
                    break;
                };
                let there = remains::entry(connection, seq).map(|(entry, _)| entry);
                if there != Some(sealed) {
                    return Ok(false);
                }
                seq += 1;
            }
            if seq == start {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn survey(
    connection: &Connection,
    size: u64,
    restored: &BTreeMap<u64, Entry>,
) -> Result<Survey, Ended> {
    let roots: HashMap<u64, Vec<u8>> = scan::roots(connection)?.into_iter().collect();
    let mut survey = Survey {
        roots: Vec::new(),
        subtrees: Vec::new(),
        last_good_root: 0,
    };
    let mut edge = Edge::default();
    for seq in 0..size {
        let leaf = match restored.get(&seq) {
            Some(entry) => entry.leaf_hash(),
            None => remains::leaf(connection, seq).unwrap_or(Digest::EMPTY),
        };
        for subtree in edge.push(leaf) {
            let id = u64::from(subtree.level) << 48 | subtree.position;
            if remains::subtree(connection, id) != Some(subtree.hash) {
                survey.subtrees.push(id);
            }
        }
        match roots.get(&edge.size()) {
            Some(root) if root == edge.root().as_bytes() => survey.last_good_root = edge.size(),
            Some(_) if edge.size() < size => survey.roots.push(edge.size()),
            _ => {}
        }
    }
    Ok(survey)
}
