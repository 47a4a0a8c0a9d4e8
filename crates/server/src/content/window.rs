//! Some lines of a text, from the nearest mark before them.

use compactvault_vault::ReadError;

use super::bytes::{Aligned, Bytes};
use super::lines::Snapshot;

/// UTF-16 units of a line that are shown.
const LINE_UNITS_MAX: usize = 4096;
/// Bytes of a line that are decoded: no encoding has so many to [`LINE_UNITS_MAX`] units.
const LINE_BYTES_MAX: usize = 4 * LINE_UNITS_MAX;
/// UTF-16 units of all lines of a window; past it the window ends.
const WINDOW_UNITS_MAX: usize = 1024 * 1024;
/// Bytes read for a window; past it the window ends. Lines of some MiB each would have it read gigabytes.
const WINDOW_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes of a line after which the index is asked where the next one begins.
const LEAP_BYTES: usize = 64 * 1024;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Without what ends it.
    pub(crate) text: String,
    /// Whether it goes on.
    pub(crate) is_cut: bool,
}

/// At most `count` lines from `line` on: fewer at the end of what is known, or where lines are very long; at least one if
/// there is one.
pub(crate) fn read_lines(
    bytes: &dyn Bytes,
    known: &Snapshot,
    line: u64,
    count: u64,
) -> Result<Vec<Line>, ReadError> {
    let end = line.saturating_add(count).min(known.lines);
    let mut out = Vec::new();
    if line >= end {
        return Ok(out);
    }
    let mut reading = Reading::new(bytes, known, line);
    let mut units = 0;
    while reading.line < end {
        let wanted = reading.line >= line;
        let is_last = reading.line + 1 == end;
        let Some(raw) = reading.next_line(wanted, is_last)? else {
            break;
        };
        if !wanted {
            continue;
        }
        let is_longer = raw.is_longer;
        let (text, is_cut) = cut(known.writing.decode(&raw.bytes));
        units += text.len();
        out.push(Line {
            text,
            is_cut: is_cut || is_longer,
        });
        if units > WINDOW_UNITS_MAX || reading.read > WINDOW_BYTES_MAX {
            break;
        }
    }
    Ok(out)
}

/// A text of at most [`LINE_UNITS_MAX`] units, and whether it was longer.
pub(super) fn cut(mut text: String) -> (String, bool) {
    if text.len() <= LINE_UNITS_MAX {
        return (text, false);
    }
    let mut units = 0;
    let end = text.char_indices().find(|(_, char)| {
        units += char.len_utf16();
        units > LINE_UNITS_MAX
    });
    if let Some((end, _)) = end {
        text.truncate(end);
        return (text, true);
    }
    (text, false)
}

struct Raw {
    bytes: Vec<u8>,
    is_longer: bool,
}

/// Goes from line to line.
struct Reading<'a> {
    bytes: &'a dyn Bytes,
    known: &'a Snapshot,
    pieces: Aligned<'a>,
    piece: Vec<u8>,
    /// Where in the piece the next line begins.
    at: usize,
    /// The line that comes next.
    line: u64,
    read: u64,
}

impl<'a> Reading<'a> {
    fn new(bytes: &'a dyn Bytes, known: &'a Snapshot, line: u64) -> Self {
        let mark = known.marks.before(line);
        Self {
            bytes,
            known,
            pieces: Aligned::from(bytes, mark.byte, known.writing.unit()),
            piece: Vec::new(),
            at: 0,
            line: mark.line,
            read: 0,
        }
    }

    /// The next line, of which only the beginning is kept, or nothing if it is not wanted.
    /// Where the last one ends need not be found.
    fn next_line(&mut self, wanted: bool, is_last: bool) -> Result<Option<Raw>, ReadError> {
        let keep = if wanted { LINE_BYTES_MAX } else { 0 };
        let mut raw = Raw {
            bytes: Vec::new(),
            is_longer: false,
        };
        let mut length = 0;
        loop {
            if self.at >= self.piece.len() {
                let Some(piece) = self.pieces.next().transpose()? else {
                    self.line += 1;
                    return Ok((length > 0).then_some(raw));
                };
                self.read += piece.len() as u64;
                (self.piece, self.at) = (piece, 0);
            }
            let rest = &self.piece[self.at..];
            let end = self.known.writing.ends(rest).next();
            let part = &rest[..end.unwrap_or(rest.len())];
            let room = keep.saturating_sub(raw.bytes.len());
            raw.bytes.extend_from_slice(&part[..part.len().min(room)]);
            raw.is_longer |= part.len() > room;
            length += part.len();
            self.at += part.len();
            if end.is_some() || is_last && raw.is_longer {
                self.line += 1;
                return Ok(Some(raw));
            }
            if length >= LEAP_BYTES
                && let Some(mark) = self.known.marks.of(self.line + 1)
            {
                self.pieces = Aligned::from(self.bytes, mark.byte, self.known.writing.unit());
                (self.piece, self.at) = (Vec::new(), 0);
                self.line += 1;
                return Ok(Some(raw));
            }
        }
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

    fn texts(memory: &Memory, line: u64, count: u64) -> Vec<String> {
        let lines = read_lines(memory, &indexed(memory), line, count).unwrap();
        lines.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn any_window_is_what_splitting_gives() {
        for end in ["\n", "\r\n", "\r"] {
            let lines: Vec<String> = (0..5000)
                .map(|at| format!("line {at} é😀 {}", "x".repeat(at % 37)))
                .collect();
            let text = lines.join(end);
            let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let marked = [
                b"\xFE\xFF".to_vec(),
                text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            ]
            .concat();
            for bytes in [text.clone().into_bytes(), wide, marked] {
                for piece_bytes in [7, 4096] {
                    let memory = Memory::new(bytes.clone(), piece_bytes);
                    for (line, count) in [(0, 3), (1023, 3), (1024, 2), (4998, 10), (2047, 1)] {
                        let from = usize::try_from(line).unwrap();
                        let to = (from + usize::try_from(count).unwrap()).min(lines.len());
                        assert_eq!(
                            texts(&memory, line, count),
                            lines[from..to],
                            "{line} {end:?}"
                        );
                    }
                    assert!(texts(&memory, 5000, 10).is_empty());
                }
            }
        }
    }

    #[test]
    fn a_window_far_into_a_text_reads_little() {
        let memory = Memory::new("0123456789\n".repeat(500_000), 65_536);
        let known = indexed(&memory);
        memory.read.set(0);
        assert_eq!(
            read_lines(&memory, &known, 499_000, 100).unwrap().len(),
            100
        );
        assert!(memory.read.get() <= 4 * 65_536, "{}", memory.read.get());
    }

    #[test]
    fn long_lines_are_cut_and_leapt_over() {
        let long = "é".repeat(5_000_000);
        let memory = Memory::new(format!("a\n{long}\nb\n{long}"), 65_536);
        let known = indexed(&memory);
        memory.read.set(0);
        let lines = read_lines(&memory, &known, 0, 10).unwrap();
        let lengths: Vec<_> = lines
            .iter()
            .map(|line| (line.text.encode_utf16().count(), line.is_cut))
            .collect();
        assert_eq!(
            lengths,
            [(1, false), (4096, true), (1, false), (4096, true)]
        );
        assert!(memory.read.get() < 1_000_000, "{}", memory.read.get());
        let one = Memory::new("x".repeat(100), 7);
        assert_eq!(texts(&one, 0, 5), ["x".repeat(100)]);
        let (text, is_cut) = cut(format!("{}😀", "x".repeat(4095)));
        assert_eq!((text.len(), is_cut), (4095, true));
    }
}
