//! Conditions besides a part of the name: what is asked of each item, cheap questions first.

use memchr::memmem::Finder;

use super::Catalog;
use crate::query::{Bounds, FactSet, FactTest, Period};

/// Conditions that must all hold. What they say of an item never changes: orders rely on that.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Filter {
    /// Folded texts that must be in the name.
    pub(crate) texts: Vec<String>,
    /// Tests, and whether each must fail.
    pub(crate) tests: Vec<(bool, Test)>,
}

/// One condition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    /// A folded text is in the name.
    Name(String),
    /// One bit a class.
    Classes(u8),
    /// The name, more than that, ends in one of these; folded, with their dots.
    Ends(Vec<String>),
    /// Bytes.
    Size(Bounds),
    /// When it was sealed.
    Added(Period),
    /// Modification time; without one it lies in no period.
    Modified(Period),
    /// It lies in one of these or below one; ascending.
    Places(Vec<u64>),
    /// Its name has older versions.
    Versioned,
    /// The bits of `mask` in the first 8 bytes of its SHA-256; these entries, ascending, are known not to be meant.
    Content {
        value: u64,
        mask: u64,
        except: Vec<u64>,
    },
    /// A fact is as asked: its content is one of these.
    Facts(FactTest, FactSet),
}

impl Filter {
    /// Whether all tests hold; the texts are looked for elsewhere.
    pub(super) fn holds(&self, catalog: &Catalog, at: usize) -> bool {
        self.tests
            .iter()
            .all(|(negated, test)| test.holds(catalog, at) != *negated)
    }
}

impl Test {
    /// What it costs, roughly: names lie apart from the rest and are compared byte by byte.
    fn cost(&self) -> u8 {
        match self {
            Self::Classes(_) | Self::Size(_) | Self::Versioned => 0,
            Self::Places(_) => 1,
            Self::Added(_) | Self::Modified(_) | Self::Content { .. } => 2,
            Self::Facts(..) => 3,
            Self::Ends(_) => 4,
            Self::Name(_) => 5,
        }
    }

    fn holds(&self, catalog: &Catalog, at: usize) -> bool {
        let item = &catalog.items[at];
        let origin = &catalog.origins[at];
        match self {
            Self::Name(text) => memchr::memmem::find(catalog.name(at), text.as_bytes()).is_some(),
            Self::Classes(bits) => bits >> item.class & 1 == 1,
            Self::Ends(ends) => {
                let name = catalog.name(at);
                let is_end =
                    |end: &String| name.len() > end.len() && name.ends_with(end.as_bytes());
                ends.iter().any(is_end)
            }
            Self::Size(bounds) => bounds.holds(item.size),
            Self::Added(period) => period.holds(origin.sealed_at.div_euclid(1000)),
            Self::Modified(period) => {
                let (seconds, nanoseconds) = origin.modified();
                nanoseconds > 0 && period.holds(seconds)
            }
            Self::Places(places) => {
                let chain = &catalog.places[item.place as usize];
                chain
                    .iter()
                    .any(|place| places.binary_search(place).is_ok())
            }
            Self::Versioned => item.versioned,
            Self::Content {
                value,
                mask,
                except,
            } => origin.content & mask == *value && except.binary_search(&origin.seq).is_err(),
            Self::Facts(_, set) => set.holds(origin.content),
        }
    }
}

/// A filter made ready for many items.
pub(super) struct Prepared<'f> {
    steps: Vec<(bool, Step<'f>)>,
}

enum Step<'f> {
    Test(&'f Test),
    Name(Box<Finder<'f>>),
    /// By numbers of places.
    Places(Vec<bool>),
}

impl<'f> Prepared<'f> {
    /// `places` are the catalog's.
    pub(super) fn new(filter: &'f Filter, places: &[Vec<u64>]) -> Self {
        let mut tests: Vec<&(bool, Test)> = filter.tests.iter().collect();
        tests.sort_by_key(|(_, test)| test.cost());
        let step = |test: &'f Test| match test {
            Test::Name(text) => Step::Name(Box::new(Finder::new(text.as_bytes()))),
            Test::Places(wanted) => {
                let lies_in = |chain: &Vec<u64>| {
                    let mut chain = chain.iter();
                    chain.any(|place| wanted.binary_search(place).is_ok())
                };
                Step::Places(places.iter().map(lies_in).collect())
            }
            other => Step::Test(other),
        };
        Self {
            steps: tests
                .into_iter()
                .map(|(negated, test)| (*negated, step(test)))
                .collect(),
        }
    }

    /// Whether all tests hold for an item.
    pub(super) fn holds(&self, catalog: &Catalog, at: usize) -> bool {
        self.steps.iter().all(|(negated, step)| {
            let holds = match step {
                Step::Test(test) => test.holds(catalog, at),
                Step::Name(finder) => finder.find(catalog.name(at)).is_some(),
                Step::Places(places) => places[catalog.items[at].place as usize],
            };
            holds != *negated
        })
    }
}
