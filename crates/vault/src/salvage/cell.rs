//! One cell of a table's leaf page: its lengths, its columns, and where the rest of it lies.
//!
//! Format: sqlite.org/fileformat2.html, sections 1.6 and 2.1. A cell parses only if its lengths agree exactly: those of
//! the columns add up to that of the payload. That alone sorts out almost everything that is no cell.

use super::image::PAGE;
use crate::store::VALUE_BYTES_MAX;

/// Most columns that a table of a vault has, rounded up.
const COLUMNS_MAX: usize = 24;
/// Longest payload: the longest value, and room for the columns before it.
const PAYLOAD_BYTES_MAX: u64 = VALUE_BYTES_MAX.cast_unsigned() as u64 + PAGE as u64;

/// A table leaf cell whose lengths agree.
pub(super) struct Cell<'p> {
    /// Its row id; no table of a vault has negative ones.
    pub(super) id: u64,
    /// Bytes it takes in its page.
    pub(super) size: usize,
    /// Bytes of all its columns and the header that describes them.
    pub(super) payload: usize,
    /// The part of these that lies in the page.
    pub(super) local: &'p [u8],
    /// First overflow page, unchecked, if not all is local.
    pub(super) overflow: Option<u32>,
    pub(super) columns: Columns,
}

/// The serial types of a record, and where each column begins in the payload.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    count: usize,
    types: [u64; COLUMNS_MAX],
    starts: [usize; COLUMNS_MAX],
}

/// A column's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'p> {
    Null,
    Integer(i64),
    Text(&'p [u8]),
    Blob(&'p [u8]),
}

impl<'p> Cell<'p> {
    /// The cell that begins at `at` of the page.
    pub(super) fn parse(page: &'p [u8], at: usize) -> Option<Self> {
        let (payload, first) = varint(page.get(at..)?)?;
        if payload > PAYLOAD_BYTES_MAX {
            return None;
        }
        let payload = usize::try_from(payload).ok()?;
        let (id, second) = varint(page.get(at + first..)?)?;
        if id > i64::MAX.cast_unsigned() {
            return None;
        }
        let begin = at + first + second;
        let local_bytes = local_bytes(payload);
        let local = page.get(begin..begin + local_bytes)?;
        let mut end = begin + local_bytes;
        let mut overflow = None;
        if local_bytes < payload {
            let pointer = page.get(end..end + 4)?;
            overflow = Some(u32::from_be_bytes(pointer.try_into().expect("four bytes")));
            end += 4;
        }
        Some(Self {
            id,
            // SQLite gives a cell at least four bytes, so that a freed one can become a free block.
            size: (end - at).max(4),
            payload,
            local,
            overflow,
            columns: Columns::parse(local, payload)?,
        })
    }
}

impl Columns {
    /// Reads the header at the start of `record`, of which the lengths must add up to `payload`.
    pub(super) fn parse(record: &[u8], payload: usize) -> Option<Self> {
        let columns = Self::parse_header(record)?;
        (columns.end() == payload).then_some(columns)
    }

    /// Reads the header at the start of `record`, whatever it adds up to.
    pub(super) fn parse_header(record: &[u8]) -> Option<Self> {
        let (header, mut at) = varint(record)?;
        let header = usize::try_from(header)
            .ok()
            .filter(|&h| h <= record.len())?;
        let mut columns = Self {
            count: 0,
            types: [0; COLUMNS_MAX],
            starts: [header; COLUMNS_MAX],
        };
        let mut start = header;
        while at < header {
            let (serial, bytes) = varint(&record[at..header])?;
            if columns.count + 1 == COLUMNS_MAX {
                return None;
            }
            columns.types[columns.count] = serial;
            columns.starts[columns.count] = start;
            start = start.checked_add(serial_bytes(serial)?)?;
            columns.count += 1;
            columns.starts[columns.count] = start;
            at += bytes;
        }
        (at == header && columns.count > 0).then_some(columns)
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Bytes of the header and all columns.
    pub(super) fn end(&self) -> usize {
        self.starts[self.count]
    }

    /// Where a column begins in the payload.
    pub(super) fn start(&self, index: usize) -> usize {
        self.starts[index]
    }

    /// Bytes of a column.
    pub(super) fn length(&self, index: usize) -> usize {
        self.starts[index + 1] - self.starts[index]
    }

    pub(super) fn is_null(&self, index: usize) -> bool {
        self.types[index] == 0
    }

    pub(super) fn is_integer(&self, index: usize) -> bool {
        matches!(self.types[index], 1..=6 | 8 | 9)
    }

    pub(super) fn is_blob(&self, index: usize) -> bool {
        self.types[index] >= 12 && self.types[index].is_multiple_of(2)
    }

    pub(super) fn is_text(&self, index: usize) -> bool {
        self.types[index] >= 13 && !self.types[index].is_multiple_of(2)
    }

    /// The value of a column if all of it lies in `record`; `None` also for floating point numbers, which no table
    /// of a vault has.
    pub(super) fn value<'r>(&self, record: &'r [u8], index: usize) -> Option<Value<'r>> {
        let bytes = record.get(self.starts[index]..self.starts[index + 1])?;
        match self.types[index] {
            0 => Some(Value::Null),
            8 => Some(Value::Integer(0)),
            9 => Some(Value::Integer(1)),
            1..=6 => {
                let sign = if bytes[0] & 0x80 == 0 { 0 } else { 0xff };
                let mut word = [sign; 8];
                word[8 - bytes.len()..].copy_from_slice(bytes);
                Some(Value::Integer(i64::from_be_bytes(word)))
            }
            _ if self.is_blob(index) => Some(Value::Blob(bytes)),
            _ if self.is_text(index) => Some(Value::Text(bytes)),
            _ => None,
        }
    }
}

/// Bytes of a value of a serial type; `None` for those that do not exist.
fn serial_bytes(serial: u64) -> Option<usize> {
    match serial {
        0 | 8 | 9 => Some(0),
        1 => Some(1),
        2 => Some(2),
        3 => Some(3),
        4 => Some(4),
        5 => Some(6),
        6 | 7 => Some(8),
        10 | 11 => None,
        _ => usize::try_from((serial - 12) / 2).ok(),
    }
}

/// How much of a payload lies in the leaf page itself.
pub(super) fn local_bytes(payload: usize) -> usize {
    const LOCAL_MAX: usize = PAGE - 35;
    const LOCAL_MIN: usize = (PAGE - 12) * 32 / 255 - 23;
    if payload <= LOCAL_MAX {
        return payload;
    }
    let local = LOCAL_MIN + (payload - LOCAL_MIN) % (PAGE - 4);
    if local <= LOCAL_MAX { local } else { LOCAL_MIN }
}

/// A variable-length integer at the start of `bytes`, and how many bytes it takes.
pub(super) fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (index, &byte) in bytes.iter().take(8).enumerate() {
        value = value << 7 | u64::from(byte & 0x7f);
        if byte < 0x80 {
            return Some((value, index + 1));
        }
    }
    let last = bytes.get(8)?;
    Some((value << 8 | u64::from(*last), 9))
}

/// Bytes that `SQLite` takes for a variable-length integer.
pub(super) fn varint_bytes(value: u64) -> usize {
    let bits = 64 - value.max(1).leading_zeros() as usize;
    bits.div_ceil(7).min(9)
}
