//! Where items stand in an order, and which lie between two of them.

use std::collections::{HashMap, HashSet};

use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};

use super::{ByClass, Catalog, Wanted};

/// Bits of the first, cheap look at whether an entry is among those looked for.
const SIEVE_BITS: usize = 1 << 16;

/// Where some items stand in an order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ranks {
    /// Counted from 0, in the order of the entries that were asked about; `None` for what is not in the order.
    pub(crate) each: Vec<Option<u64>>,
    /// The first whose name begins with the text.
    pub(crate) prefix: Option<u64>,
    /// The class filter left out.
    pub(crate) by_class: ByClass,
}

/// What is known of an entry without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// The item's number.
    pub(crate) item: u32,
    pub(crate) size: u64,
    /// Its collection.
    pub(crate) place: u64,
    pub(crate) newest: bool,
}

/// Which items of an order are meant.
#[derive(Debug, Default)]
pub(crate) struct Picked {
    /// All of them.
    pub(crate) all: bool,
    /// Those from one item to another, both included, in whichever order they are given.
    pub(crate) spans: Vec<(u32, u32)>,
    /// These as well, if they are in no span.
    pub(crate) with: Vec<u32>,
    /// Entries that are left out in any case.
    pub(crate) without: HashSet<u64>,
}

/// What was meant.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Selected {
    /// In the order, then those picked one by one.
    pub(crate) seqs: Vec<u64>,
    pub(crate) bytes: u64,
    /// Collections they lie in.
    pub(crate) places: HashSet<u64>,
    /// The class filter left out, of the whole order.
    pub(crate) by_class: ByClass,
}

impl Catalog {
    /// What is known of entries, by their numbers in the log. Superseded ones may be unknown.
    pub(crate) fn known(&self, seqs: &[u64]) -> HashMap<u64, Known> {
        let wanted: HashSet<u64> = seqs.iter().copied().collect();
        let sieve = sieve(&wanted);
        let found = |(at, seq): (usize, u64)| {
            let item = &self.items[at];
            let known = Known {
                item: super::number(at),
                size: item.size,
                place: self.places[item.place as usize][0],
                newest: item.newest,
            };
            (seq, known)
        };
        self.origins
            .par_iter()
            .with_min_len(65_536)
            .enumerate()
            .filter(|(_, origin)| sieve[sieve_at(origin.seq)] && wanted.contains(&origin.seq))
            .map(|(at, origin)| found((at, origin.seq)))
            .collect()
    }

    /// Where entries stand among what is wanted, and the first name that begins with a folded text.
    pub(crate) fn ranks(&mut self, wanted: &Wanted, seqs: &[u64], prefix: Option<&str>) -> Ranks {
        let known = self.known(seqs);
        self.with_view(wanted, |catalog, view| Ranks {
            each: seqs
                .iter()
                .map(|seq| {
                    let known = known.get(seq).filter(|known| known.newest)?;
                    view.rank_of(catalog, known.item)
                })
                .collect(),
            prefix: prefix.and_then(|prefix| view.first_with(catalog, prefix.as_bytes())),
            by_class: view.by_class(),
        })
    }

    /// The items of an order that are meant. Every number must be an item's.
    pub(crate) fn select(&mut self, wanted: &Wanted, picked: &Picked) -> Selected {
        self.with_view(wanted, |catalog, view| {
            let mut selected = Selected {
                by_class: view.by_class(),
                ..Selected::default()
            };
            let sieve = sieve(&picked.without);
            let mut places = vec![false; catalog.places.len()];
            let mut take = |id: u32| {
                let seq = catalog.origins[id as usize].seq;
                if !(sieve[sieve_at(seq)] && picked.without.contains(&seq)) {
                    let item = &catalog.items[id as usize];
                    selected.seqs.push(seq);
                    selected.bytes += item.size;
                    places[item.place as usize] = true;
                }
            };
            let spans = if picked.all {
                vec![(0, u64::MAX)]
            } else {
                let ends = |(a, b): &(u32, u32)| {
                    let (a, b) = (view.span_of(catalog, *a), view.span_of(catalog, *b));
                    (a.0.min(b.0), a.1.max(b.1))
                };
                merged(picked.spans.iter().map(ends).collect())
            };
            for (from, to) in &spans {
                view.range(*from, to - from).for_each(&mut take);
            }
            let in_spans = |rank: u64| spans.iter().any(|(from, to)| (*from..*to).contains(&rank));
            let mut taken = HashSet::new();
            for id in &picked.with {
                let rank = view.rank_of(catalog, *id);
                let is_new = !rank.is_some_and(in_spans) && taken.insert(*id);
                if is_new {
                    take(*id);
                }
            }
            let taken_from = catalog.places.iter().zip(places);
            selected.places = taken_from
                .filter(|(_, is_taken)| *is_taken)
                .map(|(chain, _)| chain[0])
                .collect();
            selected
        })
    }
}

/// Hashing a million numbers takes longer than all else: this tells most of those that are not among a few.
fn sieve(seqs: &HashSet<u64>) -> Vec<bool> {
    let mut sieve = vec![false; SIEVE_BITS];
    for seq in seqs {
        sieve[sieve_at(*seq)] = true;
    }
    sieve
}

fn sieve_at(seq: u64) -> usize {
    usize::try_from(seq % SIEVE_BITS as u64).expect("it is a remainder")
}

/// Spans without overlaps, ascending; each from its first rank to the one after its last.
fn merged(mut spans: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    spans.sort_unstable();
    let mut merged: Vec<(u64, u64)> = Vec::new();
    for (from, to) in spans {
        match merged.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => merged.push((from, to)),
        }
    }
    merged
}
