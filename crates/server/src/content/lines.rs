//! The sparse index of a text: where every thousandth line begins, or the first one after a quarter of a MiB. Made in one
//! pass that may be interrupted and gone on with.

use std::sync::Arc;

use compactvault_vault::ReadError;

use super::bytes::{Aligned, Bytes};
use super::writing::{HEAD_BYTES, Judge, Writing, judge};
use super::{NotText, window};

/// Lines between two marks, and bytes after which a line gets one anyway.
const LINES_APART: u64 = 1024;
/// See [`LINES_APART`].
const BYTES_APART: u64 = 256 * 1024;
/// Marks at most; then half of them go, and those that follow are twice as far apart. A MiB of them.
const MARKS_MAX: usize = 65_536;

/// Where a line begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) line: u64,
    pub(super) byte: u64,
}

/// Marks of something that is counted, thinned where they become too many.
#[derive(Clone, Debug)]
pub(super) struct Marks {
    all: Arc<Vec<Mark>>,
    lines_apart: u64,
    bytes_apart: u64,
    most: usize,
}

impl Marks {
    pub(super) fn new(first: Mark) -> Self {
        Self::with_most(first, MARKS_MAX)
    }

    fn with_most(first: Mark, most: usize) -> Self {
        Self {
            all: Arc::new(vec![first]),
            lines_apart: LINES_APART,
            bytes_apart: BYTES_APART,
            most,
        }
    }

    /// Takes a mark if it is far enough from the last.
    pub(super) fn offer(&mut self, mark: Mark) {
        let last = self.all.last().expect("there is a first");
        if mark.line - last.line < self.lines_apart && mark.byte - last.byte < self.bytes_apart {
            return;
        }
        let marks = Arc::make_mut(&mut self.all);
        marks.push(mark);
        if marks.len() > self.most {
            (self.lines_apart, self.bytes_apart) = (self.lines_apart * 2, self.bytes_apart * 2);
            let mut last = marks[0];
            let (lines, bytes) = (self.lines_apart, self.bytes_apart);
            marks.retain(|mark| {
                let is_first = *mark == last && mark.line == last.line;
                let keep =
                    is_first || mark.line - last.line >= lines || mark.byte - last.byte >= bytes;
                if keep {
                    last = *mark;
                }
                keep
            });
        }
    }

    /// The last mark at or before a line.
    pub(super) fn before(&self, line: u64) -> Mark {
        let at = self.all.partition_point(|mark| mark.line <= line);
        self.all[at.saturating_sub(1)]
    }

    /// The mark of just this line.
    pub(super) fn of(&self, line: u64) -> Option<Mark> {
        let at = self
            .all
            .binary_search_by_key(&line, |mark| mark.line)
            .ok()?;
        self.all.get(at).copied()
    }
}

/// What is known of a text while the pass goes on.
pub(crate) struct Index {
    known: Snapshot,
    judge: Option<Judge>,
    /// Bytes that were passed.
    at: u64,
}

/// What is known of a text.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) writing: Writing,
    pub(super) marks: Marks,
    /// Lines that were found.
    pub(crate) lines: u64,
    /// Whether that is all of them.
    pub(crate) is_complete: bool,
    /// The first one, as far as it is shown: some languages are told from it.
    pub(crate) first_line: String,
}

impl Index {
    /// Begins with the head of a text; the error says that it is none.
    pub(crate) fn begin(bytes: &dyn Bytes) -> Result<Result<Self, NotText>, ReadError> {
        let size = bytes.size();
        let head = bytes
            .pieces(0..size.min(HEAD_BYTES))
            .collect::<Result<Vec<_>, _>>()?
            .concat();
        let (writing, judge) = match judge(&head, size > HEAD_BYTES) {
            Ok(judged) => judged,
            Err(no) => return Ok(Err(no)),
        };
        let first = Mark {
            line: 0,
            byte: writing.mark_bytes,
        };
        let body = &head[usize::try_from(first.byte).expect("at most 3")..];
        let end = writing.ends(body).next().unwrap_or(body.len());
        let (first_line, _) = window::cut(writing.decode(&body[..end]));
        Ok(Ok(Self {
            known: Snapshot {
                writing,
                marks: Marks::new(first),
                lines: u64::from(size > first.byte),
                is_complete: size <= first.byte,
                first_line,
            },
            judge,
            at: first.byte,
        }))
    }

    /// Goes on with the pass, for about so many bytes.
    pub(crate) fn extend(&mut self, bytes: &dyn Bytes, bytes_max: u64) -> Result<(), ReadError> {
        let (size, until) = (bytes.size(), self.at.saturating_add(bytes_max));
        let writing = self.known.writing;
        for piece in Aligned::from(bytes, self.at, writing.unit()) {
            let piece = piece?;
            for end in writing.ends(&piece) {
                let byte = self.at + end as u64;
                if byte < size {
                    let line = self.known.lines;
                    self.known.lines += 1;
                    self.known.marks.offer(Mark { line, byte });
                }
            }
            if let Some(judge) = &mut self.judge {
                judge.feed(&piece);
            }
            self.at += piece.len() as u64;
            if self.at >= until {
                break;
            }
        }
        self.known.is_complete = self.at >= size;
        if let Some(judge) = &self.judge {
            self.known.writing.encoding = judge.encoding();
        }
        Ok(())
    }

    /// What is known by now.
    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.known
    }
}

#[cfg(test)]
mod tests {
    use super::super::bytes::tests::Memory;
    use super::*;

    pub(in crate::content) fn whole(memory: &Memory) -> Snapshot {
        let mut index = Index::begin(memory).unwrap().unwrap();
        while !index.snapshot().is_complete {
            index.extend(memory, 1000).unwrap();
        }
        index.snapshot().clone()
    }

    #[test]
    fn lines_are_counted_as_people_do() {
        for (text, lines) in [
            ("", 0),
            ("a", 1),
            ("a\n", 1),
            ("a\nb", 2),
            ("\n\n", 2),
            ("\u{feff}", 0),
            ("a\r\nb\r\n", 2),
        ] {
            assert_eq!(whole(&Memory::new(text, 3)).lines, lines, "{text:?}");
        }
    }

    #[test]
    fn marks_become_fewer_and_never_miss_what_follows_a_long_line() {
        let first = Mark { line: 0, byte: 0 };
        let mut marks = Marks::with_most(first, 8);
        let mut byte = 0;
        for line in 1..100_000 {
            byte += if line % 20_000 == 0 { 1 << 40 } else { 10 };
            marks.offer(Mark { line, byte });
        }
        assert!(marks.all.len() <= 8 + 1, "{marks:?}");
        assert_eq!(marks.before(0), first);
        for line in [20_000, 40_000, 60_000, 80_000] {
            assert!(marks.of(line).is_some(), "{line}");
            assert_eq!(marks.before(line + 1).line, line);
        }
    }

    #[test]
    fn what_comes_late_still_decides_the_encoding() {
        let mut text = "plain\n".repeat(20_000).into_bytes();
        text.extend_from_slice(
            &"caf\u{e9} \u{e0} la carte\n"
                .chars()
                .map(|c| c as u8)
                .collect::<Vec<_>>(),
        );
        let memory = Memory::new(text, 4096);
        assert_eq!(
            Index::begin(&memory)
                .unwrap()
                .unwrap()
                .snapshot()
                .writing
                .encoding
                .name(),
            "UTF-8"
        );
        assert_eq!(whole(&memory).writing.encoding.name(), "windows-1252");
    }
}
