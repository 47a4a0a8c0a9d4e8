//! Which table a cell belongs to. No two tables of a vault have rows of the same shape, so columns tell.

use super::carve::{Blob, Row, read_blob};
use super::cell::{Cell, Columns, Value};
use super::image::Image;
use super::page::Place;
use crate::entry::Entry;
use crate::ids::Digest;
use crate::store::{CAPSULE_MAGIC, RECORD_BYTES, VALUE_BYTES_MAX};

/// Longest payload of an entry: leaves stay below 64 KiB, and the row is shorter than the leaf by more than the leaf
/// hash is long.
const ENTRY_PAYLOAD_BYTES_MAX: usize = 64 * 1024;
/// Columns of the table `entry`.
const ENTRY_COLUMNS: usize = 15;
/// Ids of subtrees have their level, at least 1, from this bit up; no log has so many entries.
const LEVEL_BIT: u32 = 48;

/// A cell has the shape of a sealed row but not its content.
pub(super) struct Broken;

/// The tables whose rows are salvaged, by the types of their columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Entry,
    /// Or subtree: the id says which.
    Root,
    Manifest,
    Chunk,
    Pack,
    Document,
    Parity,
}

impl Table {
    /// The table that has such columns.
    pub(super) fn of(columns: &Columns) -> Option<Self> {
        if !columns.is_null(0) {
            return None;
        }
        let digest = |index| columns.is_blob(index) && columns.length(index) == 32;
        let integers = |indices: &[usize]| indices.iter().all(|&index| columns.is_integer(index));
        match columns.count() {
            2 if digest(1) => Some(Self::Root),
            2 if columns.is_blob(1) && columns.length(1) > CAPSULE_MAGIC.len() => {
                Some(Self::Parity)
            }
            3 if digest(1) && columns.is_blob(2) => columns
                .length(2)
                .is_multiple_of(RECORD_BYTES)
                .then_some(Self::Manifest),
            3 if columns.is_text(1) && columns.is_text(2) => Some(Self::Document),
            5 if digest(1) && integers(&[2, 3, 4]) => Some(Self::Chunk),
            5 if integers(&[1, 2]) && digest(3) && columns.is_blob(4) => Some(Self::Pack),
            ENTRY_COLUMNS => {
                let blob = |index, lengths: std::ops::RangeInclusive<usize>| {
                    columns.is_null(index)
                        || columns.is_blob(index) && lengths.contains(&columns.length(index))
                };
                let number = |index| columns.is_null(index) || columns.is_integer(index);
                let shape = integers(&[1, 2, 4])
                    && [3, 6, 7, 8, 9, 11].into_iter().all(number)
                    && blob(5, 1..=1024)
                    && blob(10, 32..=32)
                    && blob(12, 32..=32)
                    && blob(13, 0..=ENTRY_PAYLOAD_BYTES_MAX)
                    && digest(14);
                shape.then_some(Self::Entry)
            }
            _ => None,
        }
    }
}

/// Reads the row in a cell of a page; `None` if it is one of a table that is not salvaged. `image` has the
/// overflow pages of the rare entry that needs one.
pub(super) fn recognise(
    image: &Image,
    place: Place,
    cell: &Cell<'_>,
) -> Result<Option<Row>, Broken> {
    let Some(table) = Table::of(&cell.columns) else {
        return Ok(None);
    };
    let row = match table {
        Table::Entry => entry(image, place, cell),
        Table::Root => root(cell),
        Table::Manifest => manifest(place, cell),
        Table::Chunk => chunk(cell),
        Table::Pack => pack(place, cell),
        Table::Document => document(place, cell),
        Table::Parity => parity(place, cell),
    };
    row.map(Some).ok_or(Broken)
}

fn entry(image: &Image, place: Place, cell: &Cell<'_>) -> Option<Row> {
    if cell.payload > ENTRY_PAYLOAD_BYTES_MAX {
        return None;
    }
    let whole = Blob {
        local: cell.local.to_vec(),
        length: cell.payload,
        overflow: cell.overflow,
        page: place.number,
        loose: place.loose,
    };
    let record = match cell.overflow {
        None => whole.local,
        // An unreadable chain is a damaged entry; the page it is in was read and is reported as what it is.
        Some(_) => read_blob(image, &whole).ok()?.0,
    };
    let fields = Fields {
        columns: &cell.columns,
        record: &record,
    };
    let (entry, leaf) = fields.entry(cell.id).ok()?;
    (entry.leaf_hash() == leaf).then_some(Row::Entry { entry, leaf })
}

/// Columns that may be NULL.
struct Fields<'r> {
    columns: &'r Columns,
    record: &'r [u8],
}

impl<'r> Fields<'r> {
    fn entry(&self, seq: u64) -> Result<(Entry, Digest), Broken> {
        let entry = Entry {
            seq,
            kind: self.integer(1)?.ok_or(Broken)?,
            version: self.integer(2)?.ok_or(Broken)?,
            parent: self.integer(3)?,
            sealed_at: self.integer(4)?.ok_or(Broken)?,
            name: self.blob(5)?.map(<[u8]>::to_vec),
            modified_s: self.integer(6)?,
            modified_ns: self.integer(7)?,
            executable: match self.integer::<u8>(8)? {
                None => None,
                Some(0) => Some(false),
                Some(1) => Some(true),
                Some(_) => return Err(Broken),
            },
            size: self.integer(9)?,
            sha256: self.digest(10)?,
            crc32: self.integer(11)?,
            manifest: self.digest(12)?,
            body: self.blob(13)?.map(<[u8]>::to_vec),
        };
        Ok((entry, self.digest(14)?.ok_or(Broken)?))
    }

    fn integer<T: TryFrom<i64>>(&self, index: usize) -> Result<Option<T>, Broken> {
        match self.columns.value(self.record, index) {
            Some(Value::Null) => Ok(None),
            Some(Value::Integer(value)) => T::try_from(value).map(Some).map_err(|_| Broken),
            _ => Err(Broken),
        }
    }

    fn blob(&self, index: usize) -> Result<Option<&'r [u8]>, Broken> {
        match self.columns.value(self.record, index) {
            Some(Value::Null) => Ok(None),
            Some(Value::Blob(bytes)) => Ok(Some(bytes)),
            _ => Err(Broken),
        }
    }

    fn digest(&self, index: usize) -> Result<Option<Digest>, Broken> {
        let bytes = self.blob(index)?;
        bytes.map(Digest::try_from).transpose().map_err(|()| Broken)
    }
}

fn root(cell: &Cell<'_>) -> Option<Row> {
    let sha256 = digest(cell, 1)?;
    let id = cell.id;
    match id >> LEVEL_BIT {
        0 if id == 0 => None,
        0 => Some(Row::Root { size: id, sha256 }),
        // A log of 2^48 entries and more has no place in a file; 256^6 is that.
        1..=6 => Some(Row::Subtree { id, sha256 }),
        _ => None,
    }
}

fn manifest(place: Place, cell: &Cell<'_>) -> Option<Row> {
    Some(Row::Manifest {
        id: cell.id,
        sha256: digest(cell, 1)?,
        records: last_column(place, cell, 2)?,
    })
}

fn chunk(cell: &Cell<'_>) -> Option<Row> {
    let size = unsigned(cell, 4)?;
    (size > 0).then_some(Row::Chunk {
        id: cell.id,
        sha256: digest(cell, 1)?,
        pack: unsigned(cell, 2)?,
        offset: unsigned(cell, 3)?,
        size,
    })
}

fn pack(place: Place, cell: &Cell<'_>) -> Option<Row> {
    let raw_size = unsigned(cell, 2)?;
    let codec = u32::try_from(unsigned(cell, 1)?).ok()?;
    (codec <= 1 && raw_size > 0).then_some(Row::Pack {
        id: cell.id,
        codec,
        raw_size,
        sha256: digest(cell, 3)?,
        data: last_column(place, cell, 4)?,
    })
}

fn document(place: Place, cell: &Cell<'_>) -> Option<Row> {
    let Value::Text(name) = cell.columns.value(cell.local, 1)? else {
        return None;
    };
    Some(Row::Document {
        id: cell.id,
        name: String::from_utf8(name.to_vec()).ok()?,
        text: last_column(place, cell, 2)?,
    })
}

fn parity(place: Place, cell: &Cell<'_>) -> Option<Row> {
    let data = last_column(place, cell, 1)?;
    let is_capsule = data.local.starts_with(CAPSULE_MAGIC);
    is_capsule.then_some(Row::Parity { id: cell.id, data })
}

fn digest(cell: &Cell<'_>, index: usize) -> Option<Digest> {
    match cell.columns.value(cell.local, index)? {
        Value::Blob(bytes) => Digest::try_from(bytes).ok(),
        _ => None,
    }
}

fn unsigned(cell: &Cell<'_>, index: usize) -> Option<u64> {
    match cell.columns.value(cell.local, index)? {
        Value::Integer(value) => u64::try_from(value).ok(),
        _ => None,
    }
}

/// The last column, of which a part may lie in overflow pages.
fn last_column(place: Place, cell: &Cell<'_>, index: usize) -> Option<Blob> {
    let length = cell.columns.length(index);
    if length > VALUE_BYTES_MAX.cast_unsigned() as usize {
        return None;
    }
    Some(Blob {
        local: cell.local.get(cell.columns.start(index)..)?.to_vec(),
        length,
        overflow: cell.overflow,
        page: place.number,
        loose: place.loose,
    })
}
