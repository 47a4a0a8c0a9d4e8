//! Leaving to others the share of the time that is theirs, also amid a long statement.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::ScrubOptions;

/// Pauses are taken in pieces of this, to notice when to stop.
const PAUSE: Duration = Duration::from_millis(50);
/// Work at a stretch, after which a statement pauses.
const SPELL: Duration = Duration::from_millis(5);

/// When to work, when to rest and when to stop.
pub(super) struct Pace {
    /// Percent of the time.
    share: u32,
    stop: Arc<dyn Fn() -> bool + Send + Sync>,
    worked_since: Mutex<Instant>,
}

impl Pace {
    pub(super) fn new(options: &ScrubOptions) -> Self {
        Self {
            share: u32::from(options.pace.clamp(1, 100)),
            stop: Arc::clone(&options.stop),
            worked_since: Mutex::new(Instant::now()),
        }
    }

    /// Rests for what was worked, and says whether to go on.
    pub(super) fn rest(&self) -> bool {
        let mut left = self.worked() * (100 - self.share) / self.share;
        loop {
            if (self.stop)() {
                return false;
            }
            if left.is_zero() {
                break;
            }
            let pause = left.min(PAUSE);
            std::thread::sleep(pause);
            left -= pause;
        }
        *self.lock() = Instant::now();
        true
    }

    /// The same if it was worked for long enough.
    pub(super) fn rest_in_time(&self) -> bool {
        if self.worked() >= SPELL {
            self.rest()
        } else {
            !(self.stop)()
        }
    }

    fn worked(&self) -> Duration {
        self.lock().elapsed()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.worked_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn paced(pace: u8, worked: Duration, stop_at: u32) -> (Pace, Arc<AtomicU32>) {
        let asked = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&asked);
        let pace = Pace::new(&ScrubOptions {
            pace,
            stop: Arc::new(move || counted.fetch_add(1, Ordering::Relaxed) + 1 >= stop_at),
            ..ScrubOptions::default()
        });
        let since = Instant::now().checked_sub(worked);
        *pace.lock() = since.expect("the clock has run for longer");
        (pace, asked)
    }

    /// Guards: a statement of many seconds leaves others their share of the time while it runs, and not only after it.
    #[test]
    fn a_long_statement_rests_in_between() {
        let (pace, asked) = paced(10, SPELL, u32::MAX);
        assert!(pace.rest_in_time());
        // 5 ms of work, and 45 of rest.
        assert_eq!(asked.load(Ordering::Relaxed), 2);

        let (pace, asked) = paced(10, Duration::ZERO, u32::MAX);
        assert!(pace.rest_in_time());
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    /// Guards: whoever asks a scrub to stop does not wait for its rest.
    #[test]
    fn a_rest_ends_when_it_is_to_stop() {
        let (pace, asked) = paced(1, Duration::from_secs(10), 3);
        assert!(!pace.rest());
        assert_eq!(asked.load(Ordering::Relaxed), 3);
    }
}
