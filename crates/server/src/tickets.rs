//! Selections waiting to be downloaded: a POST leaves one here, a plain navigation fetches it as a ZIP.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use compactvault_vault::{AssetId, PlaceId};

use crate::random::random_token;

/// How long a ticket is valid.
const VALID: Duration = Duration::from_mins(10);
/// Ids held in all tickets together, 8 bytes each; the oldest tickets make room. The newest is kept whatever it holds:
/// a vault bounds it.
const IDS_MAX: usize = 4_000_000;
/// Tickets at most.
const TICKETS_MAX: usize = 1024;

/// The tickets that are valid.
#[derive(Debug, Default)]
pub(crate) struct Tickets(Mutex<VecDeque<Ticket>>);

/// What waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Which assets.
    pub(crate) ids: Arc<[AssetId]>,
    /// How they lie in the ZIP.
    pub(crate) layout: Layout,
}

/// How assets lie in a ZIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// All in one folder.
    Flat,
    /// In the folders they lie in, as seen from a place; `None` for the whole vault.
    Folders(Option<PlaceId>),
}

#[derive(Debug)]
struct Ticket {
    name: String,
    made: Instant,
    waiting: Waiting,
}

impl Tickets {
    /// Keeps a selection and returns the name to fetch it by.
    pub(crate) fn issue(&self, waiting: Waiting, now: Instant) -> String {
        let name = random_token();
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        forget_old(&mut tickets, now);
        tickets.push_back(Ticket {
            name: name.clone(),
            made: now,
            waiting,
        });
        let size = |ticket: &Ticket| ticket.waiting.ids.len();
        let mut held: usize = tickets.iter().map(size).sum();
        while tickets.len() > 1 && (held > IDS_MAX || tickets.len() > TICKETS_MAX) {
            held -= tickets.pop_front().map_or(0, |oldest| size(&oldest));
        }
        name
    }

    /// The selection, as often as it is asked for.
    pub(crate) fn look_up(&self, name: &str, now: Instant) -> Option<Waiting> {
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        forget_old(&mut tickets, now);
        tickets
            .iter()
            .find(|ticket| ticket.name == name)
            .map(|ticket| ticket.waiting.clone())
    }
}

fn forget_old(tickets: &mut VecDeque<Ticket>, now: Instant) {
    while tickets
        .front()
        .is_some_and(|oldest| now.saturating_duration_since(oldest.made) >= VALID)
    {
        tickets.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use compactvault_vault::Seq;

    use super::*;

    #[test]
    fn tickets_expire_and_make_room() {
        let tickets = Tickets::default();
        let now = Instant::now();
        let of = |ids: usize| Waiting {
            ids: vec![AssetId::new(Seq::new(1)); ids].into(),
            layout: Layout::Flat,
        };
        let name = tickets.issue(of(1), now);
        assert_eq!(tickets.look_up(&name, now), Some(of(1)));
        assert!(tickets.look_up("x", now).is_none());
        assert!(tickets.look_up(&name, now + VALID).is_none());

        let name = tickets.issue(of(1), now);
        let large = tickets.issue(of(IDS_MAX), now);
        assert!(tickets.look_up(&name, now).is_none());
        assert!(tickets.look_up(&large, now).is_some());
    }
}
