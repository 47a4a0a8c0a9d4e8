//! What whoever hands something in waits for, and the answer that is owed.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::Sealed;
use crate::error::IngestError;

/// A promise of an answer: the outcome of the commit that something handed in is part of.
#[derive(Clone, Debug)]
pub struct Ticket(Arc<State>);

#[derive(Debug, Default)]
struct State {
    answer: Mutex<Option<Result<Sealed, IngestError>>>,
    answered: Condvar,
}

impl Ticket {
    /// Waits for the commit.
    pub fn wait(&self) -> Result<Sealed, IngestError> {
        let mut answer = self.0.answer.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(answer) = &*answer {
                return answer.clone();
            }
            answer = self
                .0
                .answered
                .wait(answer)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for the commit at most so long; `None` if it has not come.
    pub fn wait_timeout(&self, timeout: Duration) -> Option<Result<Sealed, IngestError>> {
        let answer = self.0.answer.lock().unwrap_or_else(PoisonError::into_inner);
        let (answer, _) = self
            .0
            .answered
            .wait_timeout_while(answer, timeout, |answer| answer.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        answer.clone()
    }
}

/// The other end of a ticket. When the last clone goes and nothing was answered, a thread that seals has come to a bad
/// end, and whoever waits is told that.
#[derive(Clone, Debug, Default)]
pub(super) struct Owed(Arc<Debt>);

#[derive(Debug, Default)]
struct Debt(Arc<State>);

impl Owed {
    pub(super) fn ticket(&self) -> Ticket {
        Ticket(Arc::clone(&self.0.0))
    }

    /// The first answer counts.
    pub(super) fn answer(&self, result: Result<Sealed, IngestError>) {
        self.0.answer(result);
    }
}

impl Debt {
    fn answer(&self, result: Result<Sealed, IngestError>) {
        let mut answer = self.0.answer.lock().unwrap_or_else(PoisonError::into_inner);
        answer.get_or_insert(result);
        drop(answer);
        self.0.answered.notify_all();
    }
}

impl Drop for Debt {
    fn drop(&mut self) {
        self.answer(Err(broken()));
    }
}

/// That a thread which seals has panicked.
pub(super) fn broken() -> IngestError {
    IngestError::Store {
        detail: "a thread that seals has failed, and what waited was not sealed; open the vault \
                 again, verify it, and add that again"
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Seq;

    /// Guards: nobody waits for ever for what nobody will answer, and an answer stays what it was.
    #[test]
    fn a_ticket_that_is_dropped_unanswered_fails() {
        let owed = Owed::default();
        let ticket = owed.ticket();
        assert!(ticket.wait_timeout(Duration::ZERO).is_none());
        drop(owed.clone());
        assert!(ticket.wait_timeout(Duration::ZERO).is_none());
        drop(owed);
        assert!(matches!(ticket.wait(), Err(IngestError::Store { .. })));

        let owed = Owed::default();
        let ticket = owed.ticket();
        let sealed = Sealed {
            seq: Seq::new(7),
            already_archived: false,
            log_size: 8,
        };
        owed.answer(Ok(sealed));
        drop(owed);
        assert_eq!(ticket.wait().ok(), Some(sealed));
    }
}
