//! Colours of a window of lines. A grammar needs to know what came before, so its state at the end of each window is kept:
//! who reads on gets what reading from the beginning would give. Who jumps gets what the lines before the window tell, as
//! in editors; a comment that began earlier is then not seen as one.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use compactvault_vault::Digest;

use super::window::Line;
use crate::highlight::{Painter, Span};

/// Lines before a window from which its state is told where none is kept.
pub(crate) const LEAD_LINES: u64 = 300;
/// A kept state that is farther before a window is not gone on from.
const GAP_LINES_MAX: u64 = 2000;
/// Time after which the rest of a window stays plain.
const TIME_MAX: Duration = Duration::from_secs(1);
/// States kept; each is a few stacks of a few hundred bytes.
const KEPT_MAX: usize = 256;

/// States of grammars by content, language and line.
#[derive(Default)]
pub(crate) struct Painters(Mutex<VecDeque<Kept>>);

struct Kept {
    sha256: Digest,
    /// The line that comes next.
    line: u64,
    painter: Painter,
}

impl Painters {
    /// A state to begin with, and the line it is for: at most [`GAP_LINES_MAX`] before `line`.
    pub(crate) fn before(&self, sha256: &Digest, fresh: &Painter, line: u64) -> (u64, Painter) {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |kept: &&Kept| {
            kept.sha256 == *sha256
                && kept.painter.language() == fresh.language()
                && (line.saturating_sub(GAP_LINES_MAX)..=line).contains(&kept.line)
        };
        match kept.iter().filter(fits).max_by_key(|kept| kept.line) {
            Some(kept) => (kept.line, kept.painter.clone()),
            // From the beginning where that is near, which is exact.
            None if line <= GAP_LINES_MAX => (0, fresh.clone()),
            None => (line - LEAD_LINES, fresh.clone()),
        }
    }

    fn keep(&self, sha256: &Digest, line: u64, painter: Painter) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|kept| {
            kept.sha256 != *sha256
                || kept.line != line
                || kept.painter.language() != painter.language()
        });
        if all.len() >= KEPT_MAX {
            all.pop_front();
        }
        all.push_back(Kept {
            sha256: *sha256,
            line,
            painter,
        });
    }

    /// Colours `lines`, which begin at `start` and of which those from `line` on are wanted, with a state for `start`.
    /// Spans for each wanted line, as far as there was time.
    pub(crate) fn paint(
        &self,
        sha256: &Digest,
        fresh: &Painter,
        mut painter: Painter,
        (start, line): (u64, u64),
        lines: &[Line],
    ) -> Vec<Vec<Span>> {
        let until = Instant::now() + TIME_MAX;
        let skipped = usize::try_from(line - start).unwrap_or(usize::MAX);
        let mut spans = Vec::new();
        for (number, of) in lines.iter().enumerate() {
            let spans_of_line = if Instant::now() < until {
                painter.line(&of.text)
            } else {
                break;
            };
            if number >= skipped {
                spans.push(spans_of_line.clone().unwrap_or_default());
            }
            // What a line that goes on does to the state is not known.
            if spans_of_line.is_none() || of.is_cut {
                painter = fresh.clone();
            }
            if number + 1 == lines.len() {
                self.keep(sha256, start + lines.len() as u64, painter.clone());
            }
        }
        spans
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(lines: &[&str]) -> Vec<Line> {
        let line = |text: &&str| Line {
            text: (*text).to_owned(),
            is_cut: false,
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn reading_on_knows_what_came_before() {
        let painters = Painters::default();
        let sha256 = Digest::of(b"x");
        let fresh = Painter::new("/* a", "c").unwrap();
        let paint = |line, lines: &[&str]| {
            let (start, state) = painters.before(&sha256, &fresh, line);
            assert_eq!(start, line);
            painters.paint(&sha256, &fresh, state, (start, line), &window(lines))
        };
        assert_eq!(
            paint(0, &["/* a", "b"]),
            [[(0, 4, "comment")], [(0, 1, "comment")]]
        );
        assert_eq!(
            paint(2, &["c */", "int"]),
            [vec![(0, 4, "comment")], vec![(0, 3, "type")]]
        );
        // Far away nothing is known, and a beginning is made a little before.
        assert_eq!(
            painters.before(&sha256, &fresh, 100_000).0,
            100_000 - LEAD_LINES
        );
        assert_eq!(painters.before(&Digest::of(b"y"), &fresh, 2).0, 0);
    }

    #[test]
    fn lines_before_the_window_are_read_and_not_told() {
        let painters = Painters::default();
        let fresh = Painter::new("", "c").unwrap();
        let lines = window(&["/*", "x", "*/ int"]);
        let spans = painters.paint(&Digest::of(b"x"), &fresh, fresh.clone(), (10, 12), &lines);
        assert_eq!(spans, [[(0, 2, "comment"), (3, 6, "type")]]);
    }
}
