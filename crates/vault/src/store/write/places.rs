//! Projects and collections in a writing transaction: finding or creating them, and what is known of those met.

use super::append::{Placement, Transaction};
use crate::entry::{Entry, Kind};
use crate::error::{IngestError, ReadError};
use crate::ids::Seq;
use crate::limits::DEPTH_MAX;
use crate::natural_order;
use crate::store::derived::Tally;
use crate::store::rows::PlaceBody;
use crate::store::{Fact, Section};

/// Places looked up lately, at most so many: a bound on memory, not a promise.
const PLACE_CACHE_MAX: usize = 10_000;

impl Transaction<'_> {
    /// Finds or creates a project.
    pub(crate) fn project(
        &mut self,
        name: &[u8],
        body: &PlaceBody,
        sealed_at: i64,
    ) -> Result<Placement, IngestError> {
        self.place(Kind::Project, Seq::VAULT, name, Some(body), sealed_at)
    }

    /// Finds or creates a collection below `parent`, which must be a project or a collection.
    pub(crate) fn collection(
        &mut self,
        parent: Seq,
        name: &[u8],
        body: Option<&PlaceBody>,
        sealed_at: i64,
    ) -> Result<Placement, IngestError> {
        self.place(Kind::Collection, parent, name, body, sealed_at)
    }

    fn place(
        &mut self,
        kind: Kind,
        parent: Seq,
        name: &[u8],
        body: Option<&PlaceBody>,
        sealed_at: i64,
    ) -> Result<Placement, IngestError> {
        let cache_key = (parent.get(), name.to_vec());
        if let Some(seq) = self.places.get(&cache_key) {
            return Ok(Placement {
                seq: Seq::new(*seq),
                existed: true,
            });
        }
        let sort_key = natural_order::sort_key(name);
        if let Some(found) = self.newest(parent, Section::Places, &sort_key)? {
            self.remember_place(cache_key, found.seq);
            return Ok(Placement {
                seq: found.seq,
                existed: true,
            });
        }
        let top = match kind {
            Kind::Collection => Some(self.top_of(parent)?),
            _ => None,
        };
        if top.is_some_and(|(_, depth)| depth >= DEPTH_MAX) {
            return Err(IngestError::TooDeep { max: DEPTH_MAX });
        }
        self.tally(parent)?;
        let default = kind == Kind::Collection && body.is_none();
        let body = (!default).then(|| {
            serde_json::to_vec(&body.cloned().unwrap_or_default())
                .expect("plain text is valid JSON")
        });
        let entry = Entry {
            kind: kind.number(),
            version: 1,
            parent: Some(parent.get()),
            sealed_at,
            name: Some(name.to_vec()),
            body,
            ..Entry::default()
        };
        let seq = self.append(entry)?;
        self.list(seq, parent, Section::Places, sort_key, 0, None)?;
        let fact = if kind == Kind::Project {
            Fact::Projects
        } else {
            Fact::Collections
        };
        self.state.facts[fact as usize] += 1;
        self.tally(parent)?.add_place();
        self.tallies.insert(seq, Tally::default());
        self.remember_place(cache_key, seq);
        self.remember_top(
            seq,
            top.map_or((seq, 0), |(project, depth)| (project, depth + 1)),
        );
        Ok(Placement {
            seq,
            existed: false,
        })
    }

    fn remember_place(&mut self, key: (u64, Vec<u8>), seq: Seq) {
        if self.places.len() >= PLACE_CACHE_MAX {
            self.places.clear();
        }
        self.places.insert(key, seq.get());
    }

    /// Fails unless `seq` is a collection.
    pub(crate) fn require_collection(&mut self, seq: Seq) -> Result<(), IngestError> {
        match self.kind(seq)? {
            Some(Kind::Collection) => Ok(()),
            Some(Kind::Project) => Err(IngestError::NeedsCollection),
            _ => Err(IngestError::NotFound {
                what: "collection",
                id: seq.get(),
            }),
        }
    }

    /// Fails unless `seq` is a project or a collection.
    pub(crate) fn require_place(&mut self, seq: Seq) -> Result<(), IngestError> {
        match self.kind(seq)? {
            Some(Kind::Collection | Kind::Project) => Ok(()),
            _ => Err(IngestError::NotFound {
                what: "project or collection",
                id: seq.get(),
            }),
        }
    }

    fn kind(&mut self, seq: Seq) -> Result<Option<Kind>, ReadError> {
        if let Some(kind) = self.kinds.get(&seq) {
            return Ok(Some(*kind));
        }
        let entry = crate::store::read::find_entry(self.connection(), seq)?;
        let kind = entry.and_then(|entry| entry.known_kind());
        if self.kinds.len() >= PLACE_CACHE_MAX {
            self.kinds.clear();
        }
        self.kinds.extend(kind.map(|kind| (seq, kind)));
        Ok(kind)
    }

    /// The project that a place is or lies in, and how many collections deep.
    pub(super) fn top_of(&mut self, place: Seq) -> Result<(Seq, usize), ReadError> {
        if let Some(top) = self.tops.get(&place) {
            return Ok(*top);
        }
        let chain = crate::store::read::ancestors(self.connection(), place)?;
        let top = (
            chain.last().copied().unwrap_or(place),
            chain.len().saturating_sub(1),
        );
        self.remember_top(place, top);
        Ok(top)
    }

    fn remember_top(&mut self, place: Seq, top: (Seq, usize)) {
        if self.tops.len() >= PLACE_CACHE_MAX {
            self.tops.clear();
        }
        self.tops.insert(place, top);
    }
}
