//! All newest assets of a vault in memory, as far as lists need them: so that any page of any order, and the names
//! that contain a text, are found without reading what comes before.
//!
//! Pure: `store::catalog` fills it from derived rows, and whoever shows a page reads its sealed entries. What was
//! there when it was filled is the *base*, in natural order of names, so that a name's position is its number. What
//! came later is the *tail*: each item of it knows between which two of the base it belongs.

mod filter;
mod letters;
mod ranks;
mod scan;
mod view;

use std::cmp::Ordering;
use std::collections::{HashMap, VecDeque};

use crate::media::MediaClass;
use crate::model::SortBy;
use crate::natural_order;
use crate::relevance::{self, Ranker, Relevance};
pub(crate) use filter::{Filter, Test};
use letters::Letters;
pub(crate) use ranks::{Known, Picked};
pub(crate) use view::{Scope, Wanted};
use view::{View, ViewKey};

/// Items a catalog holds at most; about 106 bytes each.
pub(crate) const ITEMS_MAX: usize = 16_000_000;
/// Bytes of folded names at most: their ends are kept in 32 bits.
pub(crate) const NAME_BYTES_MAX: usize = u32::MAX as usize;
/// Items of the tail at which it is merged into the base.
const TAIL_MAX: usize = 32_768;
/// Every so many items of the base keep their key, so that few have to be read to place a new one.
const SAMPLE_EVERY: usize = 32;
/// Orders kept, the one asked for last in front.
const VIEWS_MAX: usize = 8;
/// Ends every folded name; no UTF-8 text contains it.
const NAME_END: u8 = 0xff;

/// What a list needs to know about an asset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) seq: u64,
    pub(crate) size: u64,
    /// Seconds and nanoseconds, counted from 1 so that an asset without a time comes first.
    pub(crate) modified: (i64, u32),
    pub(crate) class: MediaClass,
    /// The code of its media type.
    pub(crate) media: u16,
    /// Unix milliseconds.
    pub(crate) sealed_at: i64,
    /// The first 8 bytes of its SHA-256.
    pub(crate) content: u64,
    /// Whether its name has older versions.
    pub(crate) versioned: bool,
}

/// What every search looks at, so kept small and apart from the rest.
#[derive(Clone, Debug)]
struct Item {
    size: u64,
    place: u32,
    /// Position in [`MediaClass::ALL`].
    class: u8,
    /// Not superseded.
    newest: bool,
    /// Its name has older versions.
    versioned: bool,
    /// The first byte of its folded name.
    first: u8,
}

#[derive(Clone, Debug)]
struct Origin {
    seq: u64,
    modified_s: i64,
    modified_ns: u32,
    media: u16,
    sealed_at: i64,
    /// The first 8 bytes of its SHA-256.
    content: u64,
}

impl Origin {
    /// See [`Facts::modified`].
    fn modified(&self) -> (i64, u32) {
        (self.modified_s, self.modified_ns)
    }
}

#[derive(Clone, Debug)]
struct Late {
    /// Items of the base that come before it.
    slot: u32,
    key: Box<[u8]>,
}

/// Between two neighbours of the base.
struct Gap {
    /// Items of the base before it.
    slot: usize,
    /// A key that none of these exceeds.
    from: Box<[u8]>,
    /// A key that none of the others falls below; `None` at the end.
    until: Option<Box<[u8]>>,
}

impl Gap {
    fn holds(&self, key: &[u8]) -> bool {
        *self.from <= *key && self.until.as_ref().is_none_or(|until| *key < **until)
    }
}

/// See the module.
#[derive(Default)]
pub(crate) struct Catalog {
    /// Entries of the log it covers.
    log_size: u64,
    items: Vec<Item>,
    /// The rest about each.
    origins: Vec<Origin>,
    /// The letters of each name.
    letters: Vec<Letters>,
    /// Folded names in the order of `items`, each followed by [`NAME_END`].
    names: Vec<u8>,
    /// Where each name ends in `names`.
    ends: Vec<u32>,
    /// Items of the base.
    base: usize,
    /// `(n, key)`: items of the base before `n` have lesser keys, the others do not.
    samples: Vec<(u32, Box<[u8]>)>,
    tail: Vec<Late>,
    /// Where the last of the tail went: names that come one after the other mostly go to one gap.
    gap: Option<Gap>,
    /// For each place with assets: itself, and what it lies in, up to the project.
    places: Vec<Vec<u64>>,
    place_numbers: HashMap<u64, u32>,
    /// The contents of what was superseded, with their entries: other places of a content are told of them as well.
    superseded: Vec<(u64, u64)>,
    /// What happened since the base was made: an item came (`true`) or was superseded.
    changes: Vec<(u32, bool)>,
    views: VecDeque<View>,
}

/// Where an item stands among the names; compares as they do.
type Position<'c> = (u32, bool, &'c [u8], u64);

/// An asset of a page, with what its sealed entry does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) seq: u64,
    /// The code of its media type.
    pub(crate) media: u16,
    /// Whether its name has older versions.
    pub(crate) versioned: bool,
}

/// One page, and figures of the whole result.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) assets: Vec<Shown>,
    /// The class filter left out.
    pub(crate) by_class: ByClass,
}

/// Items and bytes of each class, in the order of [`MediaClass::ALL`].
pub(crate) type ByClass = [(u64, u64); MediaClass::ALL.len()];

impl Catalog {
    /// An empty catalog of a log of `log_size` entries, to be filled with [`Catalog::push`].
    pub(crate) fn new(log_size: u64) -> Self {
        Self {
            log_size,
            ..Self::default()
        }
    }

    pub(crate) fn log_size(&self) -> u64 {
        self.log_size
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn name_bytes(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn knows_place(&self, place: u64) -> bool {
        self.place_numbers.contains_key(&place)
    }

    /// Makes a place known: itself first, then what it lies in.
    pub(crate) fn add_place(&mut self, chain: Vec<u64>) {
        let number = u32::try_from(self.places.len()).expect("there are fewer places than items");
        if let Some(place) = chain.first() {
            self.place_numbers.insert(*place, number);
            self.places.push(chain);
        }
    }

    /// Adds to the base; keys must ascend, and the place be known.
    pub(crate) fn push(&mut self, facts: Facts, place: u64, key: &[u8]) {
        self.gap = None;
        if self.base.is_multiple_of(SAMPLE_EVERY) {
            self.samples.push((number(self.base), key.into()));
        }
        self.push_item(facts, place, key);
        self.base += 1;
    }

    /// Adds what a newer version replaced before the base was made.
    pub(crate) fn push_superseded(&mut self, content: u64, seq: u64) {
        self.superseded.push((content, seq));
    }

    fn push_item(&mut self, facts: Facts, place: u64, key: &[u8]) {
        let name = String::from_utf8_lossy(natural_order::name_in_key(key));
        let folded = natural_order::fold(&name);
        self.push_name(folded.as_bytes());
        self.items.push(Item {
            size: facts.size,
            place: self.place_numbers[&place],
            class: class_at(facts.class),
            newest: true,
            versioned: facts.versioned,
            first: folded.bytes().next().unwrap_or(NAME_END),
        });
        self.origins.push(Origin {
            seq: facts.seq,
            modified_s: facts.modified.0,
            modified_ns: facts.modified.1,
            media: facts.media,
            sealed_at: facts.sealed_at,
            content: facts.content,
        });
    }

    fn push_name(&mut self, folded: &[u8]) {
        self.letters.push(Letters::of(folded));
        self.names.extend_from_slice(folded);
        self.names.push(NAME_END);
        self.ends.push(number(self.names.len()));
    }

    /// Adds what was sealed after the rest, and takes out the version `before` of it. `key_of` reads the key of an
    /// item of the base; its errors are passed on.
    pub(crate) fn add<E>(
        &mut self,
        facts: Facts,
        place: u64,
        key: &[u8],
        before: Option<u64>,
        key_of: impl FnMut(u64) -> Result<Vec<u8>, E>,
    ) -> Result<(), E> {
        let slot = self.slot(key, key_of)?;
        if let Some(gone) = before.and_then(|seq| self.find(seq, slot)) {
            self.items[gone].newest = false;
            self.changes.push((number(gone), false));
            let origin = &self.origins[gone];
            self.superseded.push((origin.content, origin.seq));
        }
        self.changes.push((number(self.items.len()), true));
        self.push_item(facts, place, key);
        self.tail.push(Late {
            slot: number(slot),
            key: key.into(),
        });
        Ok(())
    }

    /// Says that everything up to `log_size` was added.
    pub(crate) fn caught_up(&mut self, log_size: u64) {
        self.log_size = log_size;
        if self.tail.len() > TAIL_MAX {
            self.merge();
        }
    }

    /// How many items of the base come before `key`, or are of another place and equal it.
    fn slot<E>(
        &mut self,
        key: &[u8],
        mut key_of: impl FnMut(u64) -> Result<Vec<u8>, E>,
    ) -> Result<usize, E> {
        if let Some(gap) = self.gap.as_ref().filter(|gap| gap.holds(key)) {
            return Ok(gap.slot);
        }
        let sample = self.samples.partition_point(|(_, known)| **known <= *key);
        let sampled = |sample: usize| {
            let (at, key) = self.samples.get(sample)?;
            Some((*at as usize, key.clone()))
        };
        // The sampled item itself is not greater, so the answer lies after it.
        let (mut low, mut from) = sample.checked_sub(1).and_then(sampled).unwrap_or_default();
        let (mut high, mut until) =
            sampled(sample).map_or((self.base, None), |(at, key)| (at, Some(key)));
        while low < high {
            let middle = low + (high - low) / 2;
            let other = key_of(self.origins[middle].seq)?.into_boxed_slice();
            if *other <= *key {
                (low, from) = (middle + 1, other);
            } else {
                (high, until) = (middle, Some(other));
            }
        }
        self.gap = Some(Gap {
            slot: low,
            from,
            until,
        });
        Ok(low)
    }

    /// The number of the entry `seq`, whose name ends before `slot` in the base if it is there.
    fn find(&self, seq: u64, slot: usize) -> Option<usize> {
        let late = &self.origins[self.base..];
        // What comes later has a greater number in the log.
        if let Ok(at) = late.binary_search_by_key(&seq, |origin| origin.seq) {
            return Some(self.base + at);
        }
        let last = self.name(slot.checked_sub(1)?);
        (0..slot)
            .rev()
            .take_while(|at| self.name(*at) == last)
            .find(|at| self.origins[*at].seq == seq)
    }

    fn name(&self, at: usize) -> &[u8] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]) as usize;
        &self.names[start..self.ends[at] as usize - 1]
    }

    /// The entries whose SHA-256 begins with these 8 bytes, and whether each is the newest of its name.
    pub(crate) fn alike(&self, content: u64) -> Vec<(u64, bool)> {
        let items = self.items.iter().zip(&self.origins);
        let newest = items
            .filter(|(item, origin)| item.newest && origin.content == content)
            .map(|(_, origin)| (origin.seq, true));
        let superseded = self
            .superseded
            .iter()
            .filter(|(head, _)| *head == content)
            .map(|(_, seq)| (*seq, false));
        newest.chain(superseded).collect()
    }

    fn position(&self, id: u32) -> Position<'_> {
        let at = id as usize;
        match at.checked_sub(self.base) {
            None => (id, true, &[], 0),
            Some(late) => {
                let late = &self.tail[late];
                (late.slot, false, &late.key, self.origins[at].seq)
            }
        }
    }

    /// How two items stand in an order: by what is asked for, then by name.
    /// `texts` are folded.
    fn compare(
        &self,
        (a, b): (u32, u32),
        texts: &[String],
        sort: SortBy,
        descending: bool,
    ) -> Ordering {
        let item = |id: u32| &self.items[id as usize];
        let origin = |id: u32| &self.origins[id as usize];
        let names = || self.position(a).cmp(&self.position(b));
        let first = match sort {
            SortBy::Name => names(),
            SortBy::Added => origin(a).seq.cmp(&origin(b).seq),
            SortBy::Size => item(a).size.cmp(&item(b).size),
            SortBy::Modified => origin(a).modified().cmp(&origin(b).modified()),
            SortBy::Type => item(a).class.cmp(&item(b).class),
            SortBy::Rank => self.rank(a, texts).cmp(&self.rank(b, texts)),
        };
        let first = if descending { first.reverse() } else { first };
        first.then_with(names)
    }

    fn rank(&self, id: u32, texts: &[String]) -> Relevance {
        let name = self.name(id as usize);
        relevance::of_all(texts.iter().map(|text| Ranker::new(text).rank(name)))
    }

    /// One page of what is wanted.
    pub(crate) fn page(&mut self, wanted: &Wanted, offset: u64, limit: u64) -> Page {
        self.with_view(wanted, |catalog, view| Page {
            assets: view
                .range(offset, limit)
                .map(|id| catalog.shown(id as usize))
                .collect(),
            by_class: view.by_class(),
        })
    }

    fn shown(&self, at: usize) -> Shown {
        let Origin { seq, media, .. } = self.origins[at];
        Shown {
            seq,
            media,
            versioned: self.items[at].versioned,
        }
    }

    /// Asks the order of what is wanted, which is made if there is none.
    fn with_view<T>(&mut self, wanted: &Wanted, ask: impl FnOnce(&Self, &View) -> T) -> T {
        let key = ViewKey::new(wanted);
        let known = self.views.iter().position(|view| view.key() == &key);
        let mut views = std::mem::take(&mut self.views);
        let mut view = known
            .and_then(|at| views.remove(at))
            .unwrap_or_else(|| View::new(self, key));
        view.catch_up(self);
        let answer = ask(self, &view);
        views.truncate(VIEWS_MAX - 1);
        views.push_front(view);
        self.views = views;
        answer
    }

    /// Makes base and tail one base, without what was superseded. Orders are made again when they are asked for.
    fn merge(&mut self) {
        let mut late: Vec<u32> = (number(self.base)..number(self.items.len())).collect();
        late.sort_by(|a, b| self.position(*a).cmp(&self.position(*b)));
        let mut merged = Self {
            log_size: self.log_size,
            places: std::mem::take(&mut self.places),
            superseded: std::mem::take(&mut self.superseded),
            place_numbers: std::mem::take(&mut self.place_numbers),
            items: Vec::with_capacity(self.items.len()),
            origins: Vec::with_capacity(self.items.len()),
            letters: Vec::with_capacity(self.items.len()),
            ends: Vec::with_capacity(self.items.len()),
            names: Vec::with_capacity(self.names.len()),
            ..Self::default()
        };
        let mut late = late.into_iter().peekable();
        let mut samples = std::mem::take(&mut self.samples).into_iter().peekable();
        for at in 0..=self.base {
            while let Some(id) = late.next_if(|id| self.position(*id).0 as usize <= at) {
                let last = merged.samples.last().map_or(0, |(at, _)| *at as usize);
                let is_due = merged.samples.is_empty() || merged.base >= last + SAMPLE_EVERY;
                if is_due && self.items[id as usize].newest {
                    let key = self.tail[id as usize - self.base].key.clone();
                    merged.samples.push((number(merged.base), key));
                }
                merged.copy(self, id as usize);
            }
            while let Some((_, key)) = samples.next_if(|(sampled, _)| *sampled as usize == at) {
                merged.samples.push((number(merged.base), key));
            }
            if at < self.base {
                merged.copy(self, at);
            }
        }
        *self = merged;
    }

    fn copy(&mut self, from: &Self, at: usize) {
        if from.items[at].newest {
            self.items.push(from.items[at].clone());
            self.origins.push(from.origins[at].clone());
            self.push_name(from.name(at));
            self.base += 1;
        }
    }
}

/// One bit for each class, as the catalog numbers them.
pub(crate) fn class_bits(classes: &[MediaClass]) -> u8 {
    let bits = classes.iter().map(|class| 1 << class_at(*class));
    bits.fold(0, |all, bit| all | bit)
}

fn class_at(class: MediaClass) -> u8 {
    let at = MediaClass::ALL.iter().position(|other| *other == class);
    at.and_then(|at| u8::try_from(at).ok())
        .expect("ALL holds all, and is short")
}

fn number(at: usize) -> u32 {
    u32::try_from(at).expect("items and their names are bounded")
}

#[cfg(test)]
mod tests;
