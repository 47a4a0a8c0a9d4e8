//! A kept checkpoint against the log: unchanged, damaged, rewritten, rolled back, or of another vault.
//!
//! Every leaf hash is recomputed from its row. Where the root of those is not the kept one, the leaf hashes that are
//! kept beside the rows help to tell damage from rewriting: damage leaves an entry's row or its leaf hash as it was,
//! and rewriting leaves neither. docs/trust.md tells the rules in words.

use tlog_tiles::{Hash, node_hash};

use super::{KeptCheckpoint, ProveError, Signed};
use crate::ids::{Digest, VaultId};
use crate::store::pool::Connection;
use crate::store::prove::{self, LeafPair};

/// Roots that are tried where rows and leaf hashes disagree, at most: 12 entries that may each be either.
const CANDIDATES_MAX: usize = 1 << 12;
/// So few words that differ are a slip: another history has every word in common with a chance of 1 in 256.
const SLIPS_MAX: usize = 4;

/// What a kept checkpoint says about a vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The first entries are those that the checkpoint covers, every byte of them.
    Same,
    /// They are, but for damage: some rows or leaf hashes are not what they were.
    Damaged,
    /// They are not: entries were changed, dropped or put in another order, and their hashes made to fit.
    Rewritten,
    /// The log is shorter than the checkpoint.
    RolledBack,
    /// The checkpoint is of another vault.
    OtherVault,
}

impl Verdict {
    /// A stable word for scripts.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Damaged => "damaged",
            Self::Rewritten => "history_rewritten",
            Self::RolledBack => "rolled_back",
            Self::OtherVault => "other_vault",
        }
    }
}

/// A kept checkpoint compared with a vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// What came of it.
    pub verdict: Verdict,
    /// The checkpoint.
    pub kept: KeptCheckpoint,
    /// Who signed the checkpoint.
    pub signed: Signed,
    /// Entries in the log, or that it had before it was damaged.
    pub log_size: u64,
    /// The tree's hash over the checkpoint's entries as the rows give it; `None` if some are missing.
    pub root: Option<Digest>,
    /// Entries among those that the checkpoint covers whose rows differ from their leaf hashes, cannot be read or are
    /// missing.
    pub damaged_entries: u64,
}

impl std::fmt::Display for Comparison {
    /// A sentence for people, without its first word's capital and without a full stop.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let covered = entries(self.kept.size);
        let damaged_entries = self.damaged_entries;
        match self.verdict {
            Verdict::Same => {
                write!(f, "the first {covered} are those that it covers")?;
                if damaged_entries > 0 {
                    write!(f, "; the hashes kept beside {damaged_entries} are not")?;
                }
                Ok(())
            }
            Verdict::Damaged => {
                let are = if damaged_entries == 1 { "is" } else { "are" };
                let damaged = entries(damaged_entries);
                write!(
                    f,
                    "it covers {covered}; {damaged} {are} damaged, and nothing shows that any was rewritten"
                )
            }
            Verdict::Rewritten => {
                let or_else = match self.kept.vault {
                    None => " (or the words are of another vault)",
                    Some(_) => "",
                };
                write!(
                    f,
                    "history was rewritten: the first {covered} are not those that it covers, whatever the vault \
                     says of itself{or_else}"
                )
            }
            Verdict::RolledBack => write!(
                f,
                "the vault was rolled back: it covers {covered}, the log has {}",
                self.log_size
            ),
            Verdict::OtherVault => f.write_str("it is of another vault"),
        }
    }
}

/// With the thousands set apart.
fn entries(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + if number == 1 { " entry" } else { " entries" }
}

pub(super) fn compare(
    connection: &Connection,
    vault: VaultId,
    public_key: &str,
    kept: &KeptCheckpoint,
) -> Result<Comparison, ProveError> {
    let mut comparison = Comparison {
        verdict: Verdict::OtherVault,
        kept: kept.clone(),
        signed: Signed::Not,
        log_size: 0,
        root: None,
        damaged_entries: 0,
    };
    if kept.vault.is_some_and(|id| id != vault) {
        return Ok(comparison);
    }
    comparison.signed = kept.signed(public_key)?;
    // One snapshot: others may be adding meanwhile.
    let _snapshot = connection
        .unchecked_transaction()
        .map_err(crate::error::ReadError::from)?;
    comparison.log_size = prove::size_ever(connection)?;
    if comparison.log_size < kept.size {
        comparison.verdict = Verdict::RolledBack;
        return Ok(comparison);
    }
    let mut of_rows = Some(Candidates::default());
    let mut either = Some(Candidates::default());
    prove::leaves(connection, kept.size, |_, pair| {
        comparison.damaged_entries += u64::from(pair.of_row.is_none() || pair.of_row != pair.kept);
        push(&mut of_rows, pair.of_row.as_slice());
        push(&mut either, &both(pair));
    })?;
    let is_kept = |candidates: &Option<Candidates>| {
        let roots = candidates.as_ref().and_then(Candidates::roots);
        roots.is_some_and(|roots| roots.contains(&kept.root))
    };
    comparison.root = of_rows
        .as_ref()
        .and_then(Candidates::roots)
        .and_then(|roots| roots.first().copied());
    comparison.verdict = if is_kept(&of_rows) {
        Verdict::Same
    } else if comparison.damaged_entries == 0 {
        slips(kept, comparison.root)?;
        Verdict::Rewritten
    } else if is_kept(&either) {
        Verdict::Damaged
    } else {
        // Too much is gone to compute the root. What is left is what the vault itself says it was.
        match prove::kept_root(connection, kept.size)? {
            Some(root) if root != kept.root => Verdict::Rewritten,
            _ => Verdict::Damaged,
        }
    };
    Ok(comparison)
}

fn both(pair: LeafPair) -> Vec<Digest> {
    let mut hashes: Vec<Digest> = pair.of_row.into_iter().chain(pair.kept).collect();
    hashes.dedup();
    hashes
}

/// Words that were typed wrong, but are words: nobody can make a history whose root has nearly the same.
fn slips(kept: &KeptCheckpoint, root: Option<Digest>) -> Result<(), super::CheckpointError> {
    let Some(root) = root.filter(|_| kept.note.is_none()) else {
        return Ok(());
    };
    let (typed, own) = (
        super::words::encode(&kept.root),
        super::words::encode(&root),
    );
    let differing: Vec<String> = typed
        .iter()
        .zip(&own)
        .enumerate()
        .filter(|(_, (typed, own))| typed != own)
        .map(|(at, (typed, own))| format!("word {} is “{typed}”, the vault's “{own}”", at + 1))
        .collect();
    if differing.len() <= SLIPS_MAX {
        return Err(super::CheckpointError::Slip(differing.join("; ")));
    }
    Ok(())
}

/// The growing edge of several trees at once, which differ in some leaves.
#[derive(Default)]
struct Candidates {
    size: u64,
    /// Of each peak, every hash it may have.
    peaks: Vec<Vec<Hash>>,
}

/// Appends a leaf that may be any of `hashes`; what cannot be known, or has become too many, stays unknown.
fn push(candidates: &mut Option<Candidates>, hashes: &[Digest]) {
    *candidates = candidates.take().and_then(|tree| tree.pushed(hashes));
}

impl Candidates {
    fn pushed(mut self, hashes: &[Digest]) -> Option<Self> {
        let mut hashes: Vec<Hash> = hashes.iter().map(|hash| Hash(*hash.as_bytes())).collect();
        if hashes.is_empty() {
            return None;
        }
        for _ in 0..self.size.trailing_ones() {
            let left = self.peaks.pop().expect("one peak per bit set in the size");
            hashes = joined(&left, &hashes)?;
        }
        self.peaks.push(hashes);
        self.size += 1;
        Some(self)
    }

    fn roots(&self) -> Option<Vec<Digest>> {
        let mut peaks = self.peaks.iter().rev();
        let mut roots = peaks.next()?.clone();
        for left in peaks {
            roots = joined(left, &roots)?;
        }
        Some(roots.into_iter().map(|hash| Digest::new(hash.0)).collect())
    }
}

fn joined(left: &[Hash], right: &[Hash]) -> Option<Vec<Hash>> {
    if left.len() * right.len() > CANDIDATES_MAX {
        return None;
    }
    let pairs = left.iter().flat_map(|l| right.iter().map(|r| (*l, *r)));
    Some(pairs.map(|(l, r)| node_hash(l, r)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::Edge;

    #[test]
    fn among_the_candidates_is_every_tree_that_the_leaves_allow() {
        for size in 1..40_u64 {
            let leaf = |n: u64| Digest::of(&n.to_be_bytes());
            let mut edge = Edge::default();
            let mut tree = Some(Candidates::default());
            for n in 0..size {
                edge.push(leaf(n));
                // Every third leaf may be something else.
                let choices = [leaf(n + 1000), leaf(n)];
                push(&mut tree, if n % 3 == 0 { &choices } else { &choices[1..] });
            }
            let roots = tree.as_ref().and_then(Candidates::roots);
            if size.div_ceil(3) <= 12 {
                let roots = roots.expect("they are few enough");
                assert_eq!(roots.len(), 1 << size.div_ceil(3));
                assert!(roots.contains(&edge.root()));
            } else {
                assert_eq!(roots, None, "and otherwise they are given up");
            }
        }
        let mut tree = Some(Candidates::default());
        push(&mut tree, &[]);
        assert!(
            tree.is_none(),
            "a leaf that is gone leaves nothing to compute"
        );
    }
}
