//! One order of some of a catalog's items, kept as blocks so that an item comes or goes, and a page is found, in a
//! few microseconds.

use std::cmp::Ordering;

use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator};
use rayon::slice::ParallelSliceMut;

use super::scan::Found;
use super::{ByClass, Catalog, Filter, class_bits, letters};
use crate::media::MediaClass;
use crate::model::SortBy;
use crate::natural_order;
use crate::relevance::{self, Ranker, Relevance};

/// Items of a block when an order is made; one of twice as many is cut in two.
const BLOCK: usize = 512;

/// Where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everywhere.
    Vault,
    /// A place and all below it.
    Below(u64),
    /// A collection's own assets.
    Own(u64),
}

/// Which items, and in what order.
#[derive(Clone, Debug)]
pub(crate) struct Wanted<'q> {
    pub(crate) scope: Scope,
    /// A part of the name, as typed; empty matches all.
    pub(crate) text: &'q str,
    /// What else must hold.
    pub(crate) filter: &'q Filter,
    /// Only these; empty means all.
    pub(crate) classes: &'q [MediaClass],
    pub(crate) sort: SortBy,
    pub(crate) descending: bool,
}

/// The same, owned and in one spelling.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ViewKey {
    pub(super) scope: Scope,
    /// Folded, none of them empty: all must be in a name.
    pub(super) texts: Vec<String>,
    pub(super) filter: Filter,
    /// One bit a class.
    pub(super) classes: u8,
    sort: SortBy,
    descending: bool,
}

impl ViewKey {
    pub(super) fn new(wanted: &Wanted<'_>) -> Self {
        let mut filter = wanted.filter.clone();
        let mut texts = std::mem::take(&mut filter.texts);
        texts.push(natural_order::fold(wanted.text));
        texts.retain(|text| !text.is_empty());
        // The same question, whatever the order of its words.
        texts.sort_unstable();
        texts.dedup();
        Self {
            scope: wanted.scope,
            texts,
            filter,
            classes: match wanted.classes {
                [] => u8::MAX,
                classes => class_bits(classes),
            },
            sort: wanted.sort,
            descending: wanted.descending,
        }
    }
}

/// Ranks names that a text was found in, most of them without looking at them.
enum Quick<'t> {
    /// One character, that has a bit.
    Letter {
        byte: u8,
        bit: u64,
        /// What it is where it does not lead the name: within words only, and leading one.
        elsewhere: [Relevance; 2],
        ranker: Ranker<'t>,
    },
    /// Whether its first character has a bit.
    Text(Option<u64>, Ranker<'t>),
}

impl<'t> Quick<'t> {
    fn new(text: &'t str) -> Self {
        let ranker = Ranker::new(text);
        let bit = text.bytes().next().and_then(letters::bit);
        match (bit, text.as_bytes()) {
            (Some(bit), [byte]) => {
                let leading = if relevance::is_separator(*byte) {
                    Relevance::Within
                } else {
                    Relevance::Word
                };
                Self::Letter {
                    byte: *byte,
                    bit,
                    elsewhere: [Relevance::Within, leading],
                    ranker,
                }
            }
            _ => Self::Text(bit, ranker),
        }
    }

    fn rank(&self, catalog: &Catalog, at: usize) -> Relevance {
        match self {
            Self::Letter { byte, ranker, .. } if catalog.items[at].first == *byte => {
                ranker.rank(catalog.name(at))
            }
            Self::Letter { bit, elsewhere, .. } => {
                elsewhere[usize::from(catalog.letters[at].lead(*bit))]
            }
            Self::Text(Some(bit), _) if !catalog.letters[at].lead(*bit) => Relevance::Within,
            Self::Text(_, ranker) => ranker.rank(catalog.name(at)),
        }
    }
}

/// See the module.
pub(super) struct View {
    key: ViewKey,
    /// None of them empty.
    blocks: Vec<Vec<u32>>,
    by_class: ByClass,
    /// Changes of the catalog that it shows.
    applied: usize,
}

impl View {
    pub(super) fn new(catalog: &Catalog, key: ViewKey) -> Self {
        let mut view = Self {
            key,
            blocks: Vec::new(),
            by_class: ByClass::default(),
            applied: catalog.changes.len(),
        };
        let found = view.found(catalog);
        for part in &found {
            for (sum, (items, bytes)) in view.by_class.iter_mut().zip(part.by_class) {
                *sum = (sum.0 + items, sum.1 + bytes);
            }
        }
        view.blocks = view.arranged(catalog, &found);
        view
    }

    /// What it shows, by how well that answers if it is to be in that order.
    fn found(&self, catalog: &Catalog) -> Vec<Found> {
        if self.key.sort != SortBy::Rank {
            return catalog.matching(&self.key, |_| Relevance::Whole);
        }
        let rankers: Vec<Quick<'_>> = self.key.texts.iter().map(|text| Quick::new(text)).collect();
        catalog.matching(&self.key, |at| {
            relevance::of_all(rankers.iter().map(|ranker| ranker.rank(catalog, at)))
        })
    }

    /// Puts what was found in order. It comes in the order of names already, but for the tail.
    fn arranged(&self, catalog: &Catalog, found: &[Found]) -> Vec<Vec<u32>> {
        let ViewKey {
            sort, descending, ..
        } = self.key;
        let by_name = matches!(sort, SortBy::Name | SortBy::Rank);
        let mut order = Relevance::ALL;
        if descending {
            order.reverse();
        }
        let mut blocks = Vec::new();
        for rank in order {
            let parts = found.iter().map(|part| &part.ids[rank as usize]);
            if by_name && catalog.tail.is_empty() {
                let cut = parts.flat_map(|ids| ids.chunks(BLOCK));
                blocks.extend(cut.map(<[u32]>::to_vec));
            } else {
                let mut ids: Vec<u32> = parts.flatten().copied().collect();
                if sort == SortBy::Rank {
                    ids.par_sort_by(|a, b| catalog.position(*a).cmp(&catalog.position(*b)));
                } else {
                    ids.par_sort_by(|a, b| self.compare(catalog, *a, *b));
                }
                blocks.extend(ids.chunks(BLOCK).map(<[u32]>::to_vec));
            }
        }
        if sort == SortBy::Name && descending && catalog.tail.is_empty() {
            blocks.reverse();
            for block in &mut blocks {
                block.reverse();
            }
        }
        blocks
    }

    pub(super) fn key(&self) -> &ViewKey {
        &self.key
    }

    pub(super) fn by_class(&self) -> ByClass {
        self.by_class
    }

    /// Applies what changed since the last call.
    pub(super) fn catch_up(&mut self, catalog: &Catalog) {
        for (id, came) in &catalog.changes[self.applied..] {
            if catalog.matches(*id, &self.key) && self.count(catalog, *id, *came) {
                if *came {
                    self.insert(catalog, *id);
                } else {
                    self.remove(catalog, *id);
                }
            }
        }
        self.applied = catalog.changes.len();
    }

    /// Items `offset..offset + limit`.
    pub(super) fn range(&self, offset: u64, limit: u64) -> impl Iterator<Item = u32> {
        let mut skip = usize::try_from(offset).unwrap_or(usize::MAX);
        let first = self.blocks.iter().position(|block| {
            let inside = skip < block.len();
            if !inside {
                skip -= block.len();
            }
            inside
        });
        let rest = first.map_or(&[][..], |first| &self.blocks[first..]);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        rest.iter().flatten().copied().skip(skip).take(limit)
    }

    /// Counts an item that came or went; says whether its class is wanted.
    fn count(&mut self, catalog: &Catalog, id: u32, came: bool) -> bool {
        let item = &catalog.items[id as usize];
        let (items, bytes) = &mut self.by_class[usize::from(item.class)];
        if came {
            *items += 1;
            *bytes += item.size;
        } else {
            *items -= 1;
            *bytes -= item.size;
        }
        self.key.classes >> item.class & 1 == 1
    }

    fn compare(&self, catalog: &Catalog, a: u32, b: u32) -> Ordering {
        let ViewKey {
            texts,
            sort,
            descending,
            ..
        } = &self.key;
        catalog.compare((a, b), texts, *sort, *descending)
    }

    /// The block an item belongs in, and where in it.
    fn place_of(&self, catalog: &Catalog, id: u32) -> (usize, usize) {
        let before = |other: &u32| self.compare(catalog, *other, id) == Ordering::Less;
        let after = self.blocks.partition_point(|block| {
            block
                .first()
                .is_some_and(|first| !self.is_after(catalog, *first, id))
        });
        let block = after.saturating_sub(1);
        let within = self
            .blocks
            .get(block)
            .map_or(0, |block| block.partition_point(before));
        (block, within)
    }

    /// Items before the block `at`.
    fn before_block(&self, at: usize) -> u64 {
        let blocks = &self.blocks[..at.min(self.blocks.len())];
        blocks.iter().map(|block| block.len() as u64).sum()
    }

    /// Where an item stands, counted from 0; `None` if it is not in the order.
    pub(super) fn rank_of(&self, catalog: &Catalog, id: u32) -> Option<u64> {
        let (from, to) = self.span_of(catalog, id);
        (from < to).then_some(from)
    }

    /// The ranks that an item takes up: one, or where it would stand none.
    pub(super) fn span_of(&self, catalog: &Catalog, id: u32) -> (u64, u64) {
        let (at, within) = self.place_of(catalog, id);
        let rank = self.before_block(at) + within as u64;
        let is_there = self.blocks.get(at).and_then(|block| block.get(within)) == Some(&id);
        (rank, rank + u64::from(is_there))
    }

    /// The first whose name begins with `prefix`, which is folded.
    pub(super) fn first_with(&self, catalog: &Catalog, prefix: &[u8]) -> Option<u64> {
        let begins = |id: &u32| catalog.name(*id as usize).starts_with(prefix);
        let at = self
            .blocks
            .par_iter()
            .position_first(|block| block.iter().any(begins))?;
        let within = self.blocks[at].iter().position(begins)?;
        Some(self.before_block(at) + within as u64)
    }

    fn is_after(&self, catalog: &Catalog, a: u32, b: u32) -> bool {
        self.compare(catalog, a, b) == Ordering::Greater
    }

    fn insert(&mut self, catalog: &Catalog, id: u32) {
        let (at, within) = self.place_of(catalog, id);
        let Some(block) = self.blocks.get_mut(at) else {
            self.blocks.push(vec![id]);
            return;
        };
        block.insert(within, id);
        if block.len() >= 2 * BLOCK {
            let rest = block.split_off(BLOCK);
            self.blocks.insert(at + 1, rest);
        }
    }

    fn remove(&mut self, catalog: &Catalog, id: u32) {
        let (at, within) = self.place_of(catalog, id);
        let Some(block) = self.blocks.get_mut(at) else {
            return;
        };
        if block.get(within) == Some(&id) {
            block.remove(within);
        }
        if block.is_empty() {
            self.blocks.remove(at);
        }
    }
}
