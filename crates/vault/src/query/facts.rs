//! The door for what is known from contents: whoever knows it says for which contents a test holds.

use std::collections::HashSet;
use std::sync::Arc;

use super::FactTest;
use crate::ids::Digest;

/// Knows facts about contents.
pub trait FactSource: Send + Sync {
    /// The contents for which a test holds. Asked for every page of every query with such a test, while nobody else can
    /// search: a source keeps what it found until it learns something new.
    fn contents(&self, test: &FactTest) -> FactSet;
}

/// The contents for which a test holds.
#[derive(Clone, Debug)]
pub struct FactSet {
    generation: u64,
    /// The first 8 bytes of SHA-256s. Two contents alike in them would have to be made so, and only a list is at stake.
    heads: Arc<HashSet<u64>>,
}

impl FactSet {
    /// `generation` changes whenever a later set for the same test may hold other contents.
    pub fn new(generation: u64, contents: impl IntoIterator<Item = Digest>) -> Self {
        let heads = contents.into_iter().map(|digest| digest.head()).collect();
        Self {
            generation,
            heads: Arc::new(heads),
        }
    }

    /// Whether a content with such a beginning is one of them.
    pub(crate) fn holds(&self, head: u64) -> bool {
        self.heads.contains(&head)
    }
}

/// Sets for the same test.
impl PartialEq for FactSet {
    fn eq(&self, other: &Self) -> bool {
        self.generation == other.generation
    }
}
