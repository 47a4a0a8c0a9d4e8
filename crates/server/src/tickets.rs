//! Selections waiting to be downloaded: a POST leaves one here, a plain navigation fetches it as a ZIP.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use compactvault_vault::AssetId;

use crate::auth::random_token;

/// How long a ticket is valid.
const VALID: Duration = Duration::from_mins(10);
/// Ids held in all tickets together; the oldest tickets make room.
const IDS_MAX: usize = 1_000_000;
/// Tickets at most.
const TICKETS_MAX: usize = 1024;

/// The tickets that are valid.
#[derive(Debug, Default)]
pub(crate) struct Tickets(Mutex<VecDeque<Ticket>>);

#[derive(Debug)]
struct Ticket {
    name: String,
    made: Instant,
    ids: Arc<[AssetId]>,
}

impl Tickets {
    /// Keeps a selection and returns the name to fetch it by.
    pub(crate) fn issue(&self, ids: Vec<AssetId>, now: Instant) -> String {
        let name = random_token();
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        forget_old(&mut tickets, now);
        tickets.push_back(Ticket {
            name: name.clone(),
            made: now,
            ids: ids.into(),
        });
        let mut held: usize = tickets.iter().map(|ticket| ticket.ids.len()).sum();
        while tickets.len() > 1 && (held > IDS_MAX || tickets.len() > TICKETS_MAX) {
            held -= tickets.pop_front().map_or(0, |oldest| oldest.ids.len());
        }
        name
    }

    /// The selection, as often as it is asked for.
    pub(crate) fn look_up(&self, name: &str, now: Instant) -> Option<Arc<[AssetId]>> {
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        forget_old(&mut tickets, now);
        tickets
            .iter()
            .find(|ticket| ticket.name == name)
            .map(|ticket| Arc::clone(&ticket.ids))
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
        let id = AssetId::new(Seq::new(1));
        let name = tickets.issue(vec![id], now);
        assert_eq!(tickets.look_up(&name, now).as_deref(), Some(&[id][..]));
        assert!(tickets.look_up("x", now).is_none());
        assert!(tickets.look_up(&name, now + VALID).is_none());

        let name = tickets.issue(vec![id], now);
        tickets.issue(vec![id; IDS_MAX], now);
        assert!(tickets.look_up(&name, now).is_none());
    }
}
