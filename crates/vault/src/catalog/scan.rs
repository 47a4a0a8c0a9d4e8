//! Finding the names that contain a text: one search through all of them as they lie one after the other.

use std::ops::Range;

use memchr::memmem::Finder;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::filter::Prepared;
use super::view::ViewKey;
use super::{ByClass, Catalog, Scope, letters};
use crate::relevance::Relevance;

/// Names of one task; small enough to keep all cores busy, large enough that starting one costs nothing.
const TASK: usize = 65_536;

/// What one task found.
pub(super) struct Found {
    /// By what they were weighed as.
    pub(super) ids: [Vec<u32>; Relevance::ALL.len()],
    /// The class filter left out.
    pub(super) by_class: ByClass,
}

impl Catalog {
    /// The newest items that `key` wants, each weighed while it is at hand: those of the base in order, then the tail's.
    pub(super) fn matching(
        &self,
        key: &ViewKey,
        weigh: impl Fn(usize) -> Relevance + Sync,
    ) -> Vec<Found> {
        let places: Vec<bool> = self
            .places
            .iter()
            .map(|chain| holds(key.scope, chain))
            .collect();
        // The longest is in the fewest names, mostly.
        let main = (0..key.texts.len()).max_by_key(|at| key.texts[*at].len());
        let main_text = main.map_or(&[][..], |at| key.texts[at].as_bytes());
        let others: Vec<Finder<'_>> = (0..key.texts.len())
            .filter(|at| Some(*at) != main)
            .map(|at| Finder::new(key.texts[at].as_bytes()))
            .collect();
        let prepared = Prepared::new(&key.filter, &self.places);
        let tasks = self.items.len().div_ceil(TASK);
        let find = |task: usize| {
            let range = task * TASK..self.items.len().min((task + 1) * TASK);
            let mut by_class = ByClass::default();
            let mut ids = Relevance::ALL.map(|_| Vec::new());
            self.containing(range, main_text, |at| {
                let item = &self.items[at];
                if !item.newest || !places[item.place as usize] {
                    return;
                }
                let has_all = others.is_empty() || {
                    let name = self.name(at);
                    others.iter().all(|finder| finder.find(name).is_some())
                };
                if !has_all || !prepared.holds(self, at) {
                    return;
                }
                let (items, bytes) = &mut by_class[usize::from(item.class)];
                *items += 1;
                *bytes += item.size;
                if key.classes >> item.class & 1 == 1 {
                    ids[weigh(at) as usize].push(super::number(at));
                }
            });
            Found { ids, by_class }
        };
        (0..tasks).into_par_iter().map(find).collect()
    }

    /// Whether an item, newest or not and of any class, is what `key` wants.
    pub(super) fn matches(&self, id: u32, key: &ViewKey) -> bool {
        let at = id as usize;
        let chain = &self.places[self.items[at].place as usize];
        let contains =
            |text: &String| memchr::memmem::find(self.name(at), text.as_bytes()).is_some();
        holds(key.scope, chain) && key.texts.iter().all(contains) && key.filter.holds(self, at)
    }

    /// Gives `take` the items of `range` with `text` in their names.
    fn containing(&self, range: Range<usize>, text: &[u8], mut take: impl FnMut(usize)) {
        match text {
            [] => range.for_each(take),
            // Half of all names hold some letters: a branch for each would be guessed wrong as often as not.
            [byte] if let Some(bit) = letters::bit(*byte) => {
                let mut holders = vec![0; range.len()];
                let mut found = 0;
                for (letters, at) in self.letters[range.clone()].iter().zip(range) {
                    holders[found] = at;
                    found += usize::from(letters.hold(bit));
                }
                holders[..found].iter().copied().for_each(take);
            }
            _ => {
                let finder = Finder::new(text);
                let start_of =
                    |at: usize| at.checked_sub(1).map_or(0, |before| self.ends[before]) as usize;
                let end = start_of(range.end);
                let (mut at, mut start) = (range.start, start_of(range.start));
                while let Some(found) = finder.find(&self.names[start..end]) {
                    // A text cannot span two names: it does not contain what ends them.
                    at = self.holder(at..range.end, start + found);
                    take(at);
                    start = self.ends[at] as usize;
                    at += 1;
                }
            }
        }
    }

    /// Which name of `range` the byte at `position` belongs to: mostly one of the next few.
    fn holder(&self, range: Range<usize>, position: usize) -> usize {
        let is_before = |end: &u32| *end as usize <= position;
        let (mut low, mut step) = (range.start, 1);
        while low + step < range.end && is_before(&self.ends[low + step]) {
            low += step;
            step *= 2;
        }
        let high = range.end.min(low + step + 1);
        low + self.ends[low..high].partition_point(is_before)
    }
}

fn holds(scope: Scope, chain: &[u64]) -> bool {
    match scope {
        Scope::Vault => true,
        Scope::Below(place) => chain.contains(&place),
        Scope::Own(place) => chain.first() == Some(&place),
    }
}
