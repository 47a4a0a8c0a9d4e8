//! Rows of a CSV or TSV file of any size, by an index like that of lines. Quotes may hold line breaks, so rows are not
//! lines; `csv-core` takes them apart without ever holding more than a buffer.

use compactvault_vault::ReadError;
use csv_core::{ReadFieldResult, ReadRecordResult, Reader, ReaderBuilder};
use encoding_rs::Decoder;

use super::NotText;
use super::bytes::{Aligned, Bytes};
use super::lines::{Mark, Marks};
use super::writing::{HEAD_BYTES, Judge, Writing, judge};

/// UTF-16 units of a cell that are shown.
const CELL_UNITS_MAX: usize = 1024;
/// Bytes of a cell that are kept to decode it.
const CELL_BYTES_MAX: usize = 4 * CELL_UNITS_MAX;
/// Cells of a row that are shown.
const COLUMNS_MAX: usize = 1000;
/// UTF-16 units, and cells, of all rows of a window; past it the window ends.
const WINDOW_UNITS_MAX: usize = 512 * 1024;
/// See [`WINDOW_UNITS_MAX`].
const WINDOW_CELLS_MAX: usize = 100_000;
/// Bytes read for a window; past it the window ends.
const WINDOW_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Rows at the beginning that tell what stands between cells, and whether the first one is a header.
const SAMPLE_ROWS: usize = 100;
/// What may stand between cells, likeliest first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// What is known of a table while the pass goes on.
pub(crate) struct TableIndex {
    known: TableSnapshot,
    judge: Option<Judge>,
    pass: Pass,
}

/// What is known of a table.
#[derive(Clone, Debug)]
pub(crate) struct TableSnapshot {
    writing: Writing,
    marks: Marks,
    pub(crate) delimiter: u8,
    pub(crate) header: Option<Vec<String>>,
    /// Cells of the longest row so far.
    pub(crate) columns: usize,
    /// Rows that were found, the header among them.
    records: u64,
    pub(crate) is_complete: bool,
}

impl TableSnapshot {
    /// Rows that were found, the header left out.
    pub(crate) fn rows(&self) -> u64 {
        self.records
            .saturating_sub(u64::from(self.header.is_some()))
    }
}

/// Where a pass over the file is.
struct Pass {
    reader: Box<Reader>,
    feed: Feed,
    /// Cells of the row in hand.
    cells: usize,
}

/// Raw bytes to bytes for `csv-core`, and where those are in the file: as they are where delimiters are single bytes,
/// decoded from UTF-16.
struct Feed {
    decoder: Option<Decoder>,
    /// Bytes of the file that were handed to `csv-core`.
    at: u64,
    /// Bytes of the file that were read.
    read: u64,
}

impl Feed {
    fn new(writing: Writing, at: u64) -> Self {
        let is_wide = writing.unit() == 2;
        Self {
            decoder: is_wide.then(|| writing.encoding.new_decoder_without_bom_handling()),
            at,
            read: at,
        }
    }

    fn convert(&mut self, piece: Vec<u8>) -> Vec<u8> {
        self.read += piece.len() as u64;
        let Some(decoder) = &mut self.decoder else {
            return piece;
        };
        let room = decoder.max_utf8_buffer_length(piece.len());
        let mut text = String::with_capacity(room.unwrap_or(4 * piece.len() + 16));
        let _ = decoder.decode_to_string(&piece, &mut text, false);
        text.into_bytes()
    }

    /// Notes that bytes were taken; they end at a character.
    fn taken(&mut self, bytes: &[u8]) {
        self.at += match (&self.decoder, std::str::from_utf8(bytes)) {
            (Some(_), Ok(text)) => 2 * text.encode_utf16().count() as u64,
            _ => bytes.len() as u64,
        };
    }
}

impl TableIndex {
    /// Begins with the head of a file; the error says that it is no text. `is_tab` says that its name promises tabs.
    pub(crate) fn begin(
        bytes: &dyn Bytes,
        is_tab: bool,
    ) -> Result<Result<Self, NotText>, ReadError> {
        let size = bytes.size();
        let head = bytes
            .pieces(0..size.min(HEAD_BYTES))
            .collect::<Result<Vec<_>, _>>()?
            .concat();
        let is_cut = size > HEAD_BYTES;
        let (writing, judge) = match judge(&head, is_cut) {
            Ok(judged) => judged,
            Err(no) => return Ok(Err(no)),
        };
        let body = usize::try_from(writing.mark_bytes).expect("at most 3");
        let sample = writing.decode(&head[body..]);
        let delimiter = if is_tab && sample.contains('\t') {
            b'\t'
        } else {
            delimiter_of(&sample, is_cut)
        };
        let rows = sample_rows(&sample, delimiter, is_cut);
        let known = TableSnapshot {
            writing,
            marks: Marks::new(Mark {
                line: 0,
                byte: writing.mark_bytes,
            }),
            delimiter,
            header: header_of(&rows, is_cut),
            columns: 0,
            records: 0,
            is_complete: false,
        };
        let pass = Pass {
            reader: Box::new(reader(delimiter)),
            feed: Feed::new(writing, writing.mark_bytes),
            cells: 0,
        };
        Ok(Ok(Self { known, judge, pass }))
    }

    /// Goes on with the pass, for about so many bytes.
    pub(crate) fn extend(&mut self, bytes: &dyn Bytes, bytes_max: u64) -> Result<(), ReadError> {
        let until = self.pass.feed.read.saturating_add(bytes_max);
        let unit = self.known.writing.unit();
        for piece in Aligned::from(bytes, self.pass.feed.read, unit) {
            let piece = piece?;
            if let Some(judge) = &mut self.judge {
                judge.feed(&piece);
            }
            let converted = self.pass.feed.convert(piece);
            self.count(&converted);
            if self.pass.feed.read >= until {
                break;
            }
        }
        if self.pass.feed.read >= bytes.size() && !self.known.is_complete {
            self.count(&[]);
            self.known.is_complete = true;
        }
        if let Some(judge) = &self.judge {
            self.known.writing.encoding = judge.encoding();
        }
        Ok(())
    }

    /// Counts the rows that end in `piece`; an empty one is the end.
    fn count(&mut self, piece: &[u8]) {
        let (mut sink, mut ends) = ([0; 4096], [0; 256]);
        let mut at = 0;
        // To the reader, nothing is the end, so it is told nothing only there.
        while at < piece.len() || piece.is_empty() {
            let input = &piece[at..];
            let (result, taken, _, cells) =
                self.pass.reader.read_record(input, &mut sink, &mut ends);
            self.pass.feed.taken(&input[..taken]);
            at += taken;
            self.pass.cells += cells;
            match result {
                ReadRecordResult::InputEmpty | ReadRecordResult::End => return,
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {}
                ReadRecordResult::Record => {
                    self.known.records += 1;
                    self.known.columns = self.known.columns.max(self.pass.cells);
                    self.pass.cells = 0;
                    self.known.marks.offer(Mark {
                        line: self.known.records,
                        byte: self.pass.feed.at,
                    });
                }
            }
        }
    }

    /// What is known by now.
    pub(crate) fn snapshot(&self) -> &TableSnapshot {
        &self.known
    }
}

/// At most `count` rows from `row` on, the header not counted: fewer at the end of what is known, or where they are long.
pub(crate) fn read_rows(
    bytes: &dyn Bytes,
    known: &TableSnapshot,
    row: u64,
    count: u64,
) -> Result<Vec<Vec<String>>, ReadError> {
    let first = row.saturating_add(u64::from(known.header.is_some()));
    let end = first.saturating_add(count).min(known.records);
    if first >= end {
        return Ok(Vec::new());
    }
    let mark = known.marks.before(first);
    let mut feed = Feed::new(known.writing, mark.byte);
    let mut rows = Gathered::new(known, mark.line, first..end);
    for piece in Aligned::from(bytes, mark.byte, known.writing.unit()) {
        let piece = feed.convert(piece?);
        if rows.take(&piece) || feed.read - mark.byte > WINDOW_BYTES_MAX && !rows.rows.is_empty() {
            return Ok(rows.rows);
        }
    }
    rows.take(&[]);
    Ok(rows.rows)
}

/// Rows of a window as they come.
struct Gathered<'a> {
    known: &'a TableSnapshot,
    reader: Reader,
    record: u64,
    wanted: std::ops::Range<u64>,
    rows: Vec<Vec<String>>,
    row: Vec<String>,
    cell: Vec<u8>,
    units: usize,
    cells: usize,
}

impl<'a> Gathered<'a> {
    fn new(known: &'a TableSnapshot, record: u64, wanted: std::ops::Range<u64>) -> Self {
        Self {
            known,
            reader: reader(known.delimiter),
            record,
            wanted,
            rows: Vec::new(),
            row: Vec::new(),
            cell: Vec::new(),
            units: 0,
            cells: 0,
        }
    }

    /// Takes the cells of a piece; `true` when no more are wanted.
    fn take(&mut self, piece: &[u8]) -> bool {
        let mut at = 0;
        let mut buffer = [0; 4096];
        while at < piece.len() || piece.is_empty() {
            let (result, taken, written) = self.reader.read_field(&piece[at..], &mut buffer);
            at += taken;
            let room = CELL_BYTES_MAX.saturating_sub(self.cell.len());
            self.cell.extend_from_slice(&buffer[..written.min(room)]);
            match result {
                ReadFieldResult::InputEmpty => return false,
                ReadFieldResult::OutputFull => {}
                ReadFieldResult::End => return true,
                ReadFieldResult::Field { record_end } => {
                    self.end_cell();
                    if record_end && self.end_row() {
                        return true;
                    }
                }
            }
        }
        false
    }

    fn end_cell(&mut self) {
        let raw = std::mem::take(&mut self.cell);
        if !self.wanted.contains(&self.record) || self.row.len() >= COLUMNS_MAX {
            return;
        }
        let text = match self.known.writing.unit() {
            // It was decoded on the way in; the cut may have been within a character.
            2 => String::from_utf8_lossy(&raw).into_owned(),
            _ => self
                .known
                .writing
                .encoding
                .decode_without_bom_handling(&raw)
                .0
                .into_owned(),
        };
        let text = cut(text);
        self.units += text.len();
        self.cells += 1;
        self.row.push(text);
    }

    fn end_row(&mut self) -> bool {
        let row = std::mem::take(&mut self.row);
        if self.wanted.contains(&self.record) {
            self.rows.push(row);
        }
        self.record += 1;
        self.record >= self.wanted.end
            || self.units > WINDOW_UNITS_MAX
            || self.cells > WINDOW_CELLS_MAX
    }
}

fn cut(mut text: String) -> String {
    let mut units = 0;
    let end = text.char_indices().find(|(_, char)| {
        units += char.len_utf16();
        units > CELL_UNITS_MAX
    });
    if let Some((end, _)) = end {
        text.truncate(end);
        text.push('…');
    }
    text
}

fn reader(delimiter: u8) -> Reader {
    ReaderBuilder::new().delimiter(delimiter).build()
}

/// The first rows of a text; the last one is left out if it may be cut.
fn sample_rows(sample: &str, delimiter: u8, is_cut: bool) -> Vec<Vec<String>> {
    let mut reader = reader(delimiter);
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), Vec::new());
    let mut rest = sample.as_bytes();
    let mut buffer = [0; 4096];
    while rows.len() < SAMPLE_ROWS {
        if rest.is_empty() && is_cut {
            break;
        }
        let (result, taken, written) = reader.read_field(rest, &mut buffer);
        rest = &rest[taken..];
        let room = CELL_BYTES_MAX.saturating_sub(cell.len());
        cell.extend_from_slice(&buffer[..written.min(room)]);
        match result {
            ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull => {}
            ReadFieldResult::End => break,
            ReadFieldResult::Field { record_end } => {
                let raw = std::mem::take(&mut cell);
                if row.len() < COLUMNS_MAX {
                    row.push(cut(String::from_utf8_lossy(&raw).into_owned()));
                }
                if record_end {
                    rows.push(std::mem::take(&mut row));
                }
            }
        }
    }
    rows
}

/// What most evenly cuts the first rows into more than one cell.
fn delimiter_of(sample: &str, is_cut: bool) -> u8 {
    let score = |delimiter: u8| {
        let rows = sample_rows(sample, delimiter, is_cut);
        let widths: Vec<usize> = rows.iter().map(Vec::len).collect();
        let usual = widths.iter().copied().max_by_key(|width| {
            let rows = widths.iter().filter(|other| *other == width).count();
            (rows, *width)
        });
        let usual = usual.unwrap_or(0);
        let even = widths.iter().filter(|&&width| width == usual).count();
        // Evenness first, in tenths; then more cells.
        let evenness = if usual > 1 {
            10 * even / widths.len().max(1)
        } else {
            0
        };
        (evenness, usual)
    };
    let best = DELIMITERS
        .into_iter()
        .rev()
        .max_by_key(|delimiter| score(*delimiter));
    best.unwrap_or(b',')
}

/// The first row, if it names columns: all different words, no numbers, and rows below it.
fn header_of(rows: &[Vec<String>], is_cut: bool) -> Option<Vec<String>> {
    let (first, others) = rows.split_first()?;
    let is_value = |cell: &String| {
        let cell = cell.trim();
        cell.parse::<f64>().is_ok()
            || cell
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b"-/.:, ".contains(&byte))
    };
    let named: Vec<&String> = first
        .iter()
        .filter(|cell| !cell.trim().is_empty())
        .collect();
    let mut distinct = named.clone();
    distinct.sort();
    distinct.dedup();
    // A column of row names often has none itself.
    let is_header = (is_cut || !others.is_empty())
        && !named.is_empty()
        && named.len() + 1 >= first.len()
        && distinct.len() == named.len()
        && !named.into_iter().any(is_value);
    is_header.then(|| first.clone())
}

#[cfg(test)]
mod tests {
    use super::super::bytes::tests::Memory;
    use super::*;

    fn indexed(memory: &Memory, is_tab: bool) -> TableSnapshot {
        let mut index = TableIndex::begin(memory, is_tab).unwrap().unwrap();
        while !index.snapshot().is_complete {
            index.extend(memory, 100).unwrap();
        }
        index.snapshot().clone()
    }

    fn table(bytes: impl Into<Vec<u8>>) -> (TableSnapshot, Vec<Vec<String>>) {
        let memory = Memory::new(bytes, 3);
        let known = indexed(&memory, false);
        let rows = read_rows(&memory, &known, 0, 1000).unwrap();
        assert_eq!(known.rows(), rows.len() as u64);
        (known, rows)
    }

    #[test]
    fn cells_as_spreadsheets_write_them() {
        let csv = "name,\"size, kB\"\r\na,1\r\n\"b \"\"q\"\"\nc\",\r\n,3";
        let (known, rows) = table(csv);
        assert_eq!(known.header.unwrap(), ["name", "size, kB"]);
        assert_eq!(rows, [["a", "1"], ["b \"q\"\nc", ""], ["", "3"]]);
        assert_eq!((known.columns, known.delimiter), (2, b','));
        let wide: Vec<u8> = csv.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(table([b"\xFF\xFE".to_vec(), wide].concat()).1, rows);
        assert_eq!(table(format!("\u{feff}{csv}")).1, rows);
        let (known, rows) = table(
            "Gr\u{f6}\u{df}e;Preis\n1;2,50\n"
                .chars()
                .map(|c| c as u8)
                .collect::<Vec<_>>(),
        );
        assert_eq!(
            (known.delimiter, known.header.unwrap()),
            (b';', vec!["Größe".to_owned(), "Preis".into()])
        );
        assert_eq!(rows, [["1", "2,50"]]);
    }

    #[test]
    fn what_stands_between_cells_and_what_names_columns() {
        assert_eq!(table("a\tb\n1\t2\n").0.delimiter, b'\t');
        assert_eq!(table("a|b|c\n1|2,5|3\n").0.delimiter, b'|');
        assert_eq!(table("just text\nmore text\n").0.delimiter, b',');
        for headless in [
            "1,2\n3,4\n",
            "a,a\n1,2\n",
            "2024-01-01,x\ny,z\n",
            "a,b",
            ",,\n1,2,3\n",
        ] {
            assert!(table(headless).0.header.is_none(), "{headless}");
        }
        assert!(table(",x,y\nr1,1,2\n").0.header.is_some());
        let empty = table("");
        assert_eq!((empty.0.rows(), empty.1.len()), (0, 0));
    }

    #[test]
    fn any_window_of_a_long_table_is_what_was_written() {
        let line = |at: usize| format!("{at},\"line\nbreak é😀 {}\"\n", at * 7);
        let csv: String =
            "id,text\n".to_owned() + &(0..5000).map(line).collect::<Vec<_>>().concat();
        let wide: Vec<u8> = csv.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [csv.into_bytes(), wide] {
            let memory = Memory::new(bytes, 4099);
            let known = indexed(&memory, false);
            assert_eq!(known.rows(), 5000);
            for row in [0, 1022, 1023, 1024, 4999, 5000] {
                let rows = read_rows(&memory, &known, row, 2).unwrap();
                let expected: Vec<_> = (row..(row + 2).min(5000))
                    .map(|at| vec![at.to_string(), format!("line\nbreak é😀 {}", at * 7)])
                    .collect();
                assert_eq!(rows, expected, "{row}");
            }
            memory.read.set(0);
            read_rows(&memory, &known, 4000, 5).unwrap();
            assert!(memory.read.get() < 200_000);
        }
    }

    #[test]
    fn hostile_tables() {
        // A quote that never ends, however long what follows is.
        let open = format!("a,b\n1,\"{}", "x\n,".repeat(3_000_000));
        let (known, rows) = table(&*open);
        assert_eq!(
            (known.rows(), rows[0][1].chars().count()),
            (1, CELL_UNITS_MAX + 1)
        );
        assert!(rows[0][1].ends_with('…'));
        // More columns than anybody has, in few rows and in many.
        let memory = Memory::new(",".repeat(2_000_000), 65_536);
        let known = indexed(&memory, false);
        assert_eq!(known.columns, 2_000_001);
        assert_eq!(
            read_rows(&memory, &known, 0, 10).unwrap()[0].len(),
            COLUMNS_MAX
        );
        let memory = Memory::new((",".repeat(2000) + "\n").repeat(1000), 65_536);
        let known = indexed(&memory, false);
        let rows = read_rows(&memory, &known, 0, 1000).unwrap();
        assert!(!rows.is_empty() && rows.len() <= WINDOW_CELLS_MAX / COLUMNS_MAX + 1);
        assert_eq!(known.rows(), 1000);
        for text in [
            "\"",
            "\"\"\"",
            ",",
            "\n\n\n",
            "\r",
            "a\"b,c\"d\n\"x\"y,\"z\n",
        ] {
            let _ = table(text);
        }
        assert!(
            TableIndex::begin(&Memory::new([0, 1, 2, 3], 2), false)
                .unwrap()
                .is_err()
        );
    }
}
