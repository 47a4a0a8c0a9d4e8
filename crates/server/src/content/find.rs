//! Finding a text in a text: from a line on, as far as one request may read.

use std::cmp::Ordering;

use compactvault_vault::ReadError;
use encoding_rs::Decoder;
use regex::{Regex, RegexBuilder};

use super::bytes::{Aligned, Bytes};
use super::lines::Snapshot;
use super::writing::Writing;

/// Bytes that one request searches; a third of a second.
const SEARCH_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Longest text that can be looked for, in characters.
pub(crate) const QUERY_CHARS_MAX: usize = 256;
/// Hits of one line that are told.
const LINE_HITS_MAX: usize = 1000;
/// A line longer than this is searched in pieces of this size.
const BLOCK_BYTES: usize = 1024 * 1024;

/// What is looked for.
pub(crate) struct Query {
    pattern: Regex,
    /// Bytes that a hit may have: upper and lower case are not always of one length.
    hit_bytes_max: usize,
}

/// Where it was found: a line, and a range of it in UTF-16 units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) line: u64,
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) hits: Vec<Hit>,
    /// From where to go on, if not all was searched.
    pub(crate) next_line: Option<u64>,
}

impl Query {
    /// A text to be found as it is, its case counting or not; `None` for one that is too long, or that no line can have.
    pub(crate) fn new(text: &str, case: bool) -> Option<Self> {
        let chars = text.chars().count();
        if chars == 0 || chars > QUERY_CHARS_MAX || text.contains(['\n', '\r']) {
            return None;
        }
        let pattern = RegexBuilder::new(&regex::escape(text))
            .case_insensitive(!case)
            .build();
        Some(Self {
            pattern: pattern.ok()?,
            hit_bytes_max: 4 * chars,
        })
    }
}

/// Looks from `line` on for at least `limit` hits; those of the last line are all told, to a bound. A line that is longer
/// than one request reads is searched in its beginning.
pub(crate) fn find(
    bytes: &dyn Bytes,
    known: &Snapshot,
    query: &Query,
    line: u64,
    limit: usize,
) -> Result<Found, ReadError> {
    find_within(bytes, known, query, (line, limit), SEARCH_BYTES_MAX)
}

fn find_within(
    bytes: &dyn Bytes,
    known: &Snapshot,
    query: &Query,
    (line, limit): (u64, usize),
    bytes_max: u64,
) -> Result<Found, ReadError> {
    if line >= known.lines {
        let next_line = (!known.is_complete).then_some(line);
        return Ok(Found {
            next_line,
            ..Found::default()
        });
    }
    let mark = known.marks.before(line);
    let mut search = Search::new(known.writing, query, (line, limit), mark.line);
    let mut read = 0;
    for piece in Aligned::from(bytes, mark.byte, known.writing.unit()) {
        let piece = piece?;
        read += piece.len() as u64;
        search.take(&piece, false);
        if search.next_line.is_some() {
            return Ok(search.found());
        }
        if read >= bytes_max {
            // What of the line in hand was searched is searched again, unless it is the one that was asked for.
            let next = match search.line.cmp(&line) {
                Ordering::Greater => search.line,
                Ordering::Equal if search.units > 0 => line + 1,
                Ordering::Equal | Ordering::Less => continue,
            };
            search.hits.retain(|hit| hit.line < next);
            search.next_line = (next < known.lines || !known.is_complete).then_some(next);
            return Ok(search.found());
        }
    }
    search.take(&[], true);
    Ok(search.found())
}

/// A search under way.
struct Search<'a> {
    query: &'a Query,
    writing: Writing,
    decoder: Decoder,
    /// Decoded and not searched to its end.
    text: String,
    /// The line in which `text` begins, and how many units of it were before.
    line: u64,
    units: u64,
    from: u64,
    limit: usize,
    hits: Vec<Hit>,
    next_line: Option<u64>,
}

impl<'a> Search<'a> {
    fn new(writing: Writing, query: &'a Query, (from, limit): (u64, usize), line: u64) -> Self {
        Self {
            query,
            writing,
            decoder: writing.encoding.new_decoder_without_bom_handling(),
            text: String::new(),
            line,
            units: 0,
            from,
            limit,
            hits: Vec::new(),
            next_line: None,
        }
    }

    fn found(self) -> Found {
        Found {
            hits: self.hits,
            next_line: self.next_line,
        }
    }

    /// Searches what comes next, as far as it is certain that no hit goes on after it.
    fn take(&mut self, piece: &[u8], is_last: bool) {
        let room = self.decoder.max_utf8_buffer_length(piece.len());
        self.text.reserve(room.unwrap_or(4 * piece.len() + 16));
        let _ = self
            .decoder
            .decode_to_string(piece, &mut self.text, is_last);
        let end = if is_last {
            self.text.len()
        } else if let Some(end) = memchr::memrchr(self.writing.end, self.text.as_bytes()) {
            end + 1
        } else if self.text.len() > BLOCK_BYTES {
            self.text
                .floor_char_boundary(self.text.len() - self.query.hit_bytes_max)
        } else {
            return;
        };
        let text = std::mem::take(&mut self.text);
        let searched = self.search(&text, end);
        self.pass(&text[..searched]);
        text[searched..].clone_into(&mut self.text);
    }

    /// Takes hits that begin before `end`; says where the search of what follows begins.
    fn search(&mut self, text: &str, end: usize) -> usize {
        let mut end = end;
        let (mut at, mut line, mut line_start) = (0, self.line, None);
        for hit in self.query.pattern.find_iter(text) {
            if hit.start() >= end {
                break;
            }
            end = end.max(hit.end());
            let between = &text.as_bytes()[at..hit.start()];
            line += memchr::memchr_iter(self.writing.end, between).count() as u64;
            if let Some(last) = memchr::memrchr(self.writing.end, between) {
                line_start = Some(at + last + 1);
            }
            at = hit.start();
            if line < self.from {
                continue;
            }
            if self.hits.len() >= self.limit {
                let last = self.hits[self.hits.len() - 1].line;
                if line > last {
                    self.next_line = Some(line);
                    return end;
                }
                if self.hits.len() >= self.limit + LINE_HITS_MAX {
                    continue;
                }
            }
            let before = line_start.map_or(self.units, |_| 0);
            let start = before + units(&text[line_start.unwrap_or(0)..hit.start()]);
            self.hits.push(Hit {
                line,
                start,
                end: start + units(hit.as_str()),
            });
        }
        end
    }

    /// Counts what was searched.
    fn pass(&mut self, text: &str) {
        let ends = memchr::memchr_iter(self.writing.end, text.as_bytes()).count();
        self.line += ends as u64;
        match memchr::memrchr(self.writing.end, text.as_bytes()) {
            Some(last) => self.units = units(&text[last + 1..]),
            None => self.units += units(text),
        }
    }
}

fn units(text: &str) -> u64 {
    if text.is_ascii() {
        text.len() as u64
    } else {
        text.encode_utf16().count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::super::bytes::tests::Memory;
    use super::super::lines::Index;
    use super::*;

    fn indexed(memory: &Memory) -> Snapshot {
        let mut index = Index::begin(memory).unwrap().unwrap();
        while !index.snapshot().is_complete {
            index.extend(memory, 1 << 20).unwrap();
        }
        index.snapshot().clone()
    }

    fn hits(bytes: impl Into<Vec<u8>>, query: &str, case: bool) -> Vec<(u64, u64, u64)> {
        let memory = Memory::new(bytes, 5);
        let query = Query::new(query, case).unwrap();
        let found = find(&memory, &indexed(&memory), &query, 0, 1000).unwrap();
        assert_eq!(found.next_line, None);
        found
            .hits
            .iter()
            .map(|hit| (hit.line, hit.start, hit.end))
            .collect()
    }

    #[test]
    fn what_is_found_is_where_it_is_shown() {
        let text = "a.b A.B\r\n😀É a+b\nNaïve é\n";
        assert_eq!(hits(text, "a.b", false), [(0, 0, 3), (0, 4, 7)]);
        assert_eq!(hits(text, "a.b", true), [(0, 0, 3)]);
        assert_eq!(hits(text, "é", false), [(1, 2, 3), (2, 6, 7)]);
        assert_eq!(hits(text, "NAÏVE", false), [(2, 0, 5)]);
        assert_eq!(hits(text, "zzz", false), []);
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(hits(wide, "é", false), [(1, 2, 3), (2, 6, 7)]);
        assert_eq!(
            hits(
                "caf\u{e9} x".chars().map(|c| c as u8).collect::<Vec<_>>(),
                "É",
                false
            ),
            [(0, 3, 4)]
        );
        assert_eq!(hits("one\rtwo\rtwo", "two", false), [(1, 0, 3), (2, 0, 3)]);
        // The Kelvin sign is a k, of three bytes.
        assert_eq!(hits("\u{212a}elvin", "k", false), [(0, 0, 1)]);
    }

    #[test]
    fn queries_that_no_line_has() {
        for text in ["", "a\nb", "\r", &"x".repeat(257)] {
            assert!(Query::new(text, false).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_search_stops_and_goes_on_without_missing_or_repeating() {
        let text: String = (0..20_000)
            .map(|at| format!("line {at} needle needle\n"))
            .collect::<Vec<_>>()
            .concat();
        let memory = Memory::new(text, 4096);
        let known = indexed(&memory);
        let query = Query::new("NEEDLE", false).unwrap();
        let mut all = Vec::new();
        let (mut line, mut rounds) = (0, 0);
        loop {
            let found = find_within(&memory, &known, &query, (line, 7), 10_000).unwrap();
            all.extend(found.hits);
            rounds += 1;
            match found.next_line {
                Some(next) => {
                    assert!(next > line);
                    line = next;
                }
                None => break,
            }
        }
        assert!(rounds > 1000);
        assert_eq!(all.len(), 40_000);
        assert!(
            all.windows(2)
                .all(|pair| (pair[0].line, pair[0].start) < (pair[1].line, pair[1].start))
        );
    }

    #[test]
    fn lines_longer_than_memory_are_searched_in_pieces() {
        let mut text = "é".repeat(3_000_000);
        text.push_str("needle");
        text.push_str(&"x".repeat(2_000_000));
        text.push_str("\nneedle");
        let memory = Memory::new(text, 65_536);
        let query = Query::new("needle", false).unwrap();
        let known = indexed(&memory);
        let found = find(&memory, &known, &query, 0, 10).unwrap();
        let at: Vec<_> = found.hits.iter().map(|hit| (hit.line, hit.start)).collect();
        assert_eq!(at, [(0, 3_000_000), (1, 0)]);
        // What one request may read ends within the first line: the next one is where to go on.
        let part = find_within(&memory, &known, &query, (0, 10), 2_000_000).unwrap();
        assert_eq!((part.hits.len(), part.next_line), (0, Some(1)));
        // As many hits in one line as there are letters.
        let many = Memory::new("x".repeat(100_000), 4096);
        let query = Query::new("x", false).unwrap();
        let found = find(&many, &indexed(&many), &query, 0, 10).unwrap();
        assert_eq!(found.hits.len(), 10 + LINE_HITS_MAX);
    }
}
