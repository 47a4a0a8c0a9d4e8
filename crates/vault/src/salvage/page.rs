//! What one page holds: by its header and cell pointers where they are sound, by searching it elsewhere.
//!
//! Nearly all of a vault is overflow pages of packs, so the search must be quick on bytes that are no rows. A record
//! of every salvaged table begins with its header's length, between 3 and [`HEADER_BYTES_MAX`], and a 0: the row id,
//! which is NULL in the record. That pair is found at one of some 3,000 offsets of random bytes; only there are the
//! columns looked at. They give the payload's length, which must stand in front of the row id, in front of that pair.
//! Together with the types of the columns, that leaves less than one false row in 2^40 bytes for each table but one:
//! roots and subtrees, whose header is always `03 00 4C` and whose length is always 35, would come up once in 8 GiB.
//! They are taken only beside another one or at the page's end, where every cell of theirs lies.

use super::carve::Row;
use super::cell::{Cell, Columns, varint, varint_bytes};
use super::image::{Image, PAGE};
use super::shape::{Table, recognise};

/// Longest header of a salvaged record: that of an entry, 15 columns of which two can take up to 3 bytes.
const HEADER_BYTES_MAX: u8 = 24;
/// Cells of a page whose content is looked at while it is searched. A page has no room for more entries than this;
/// content made to look like entries would otherwise cost a hash at every byte.
const TRIES_MAX: usize = 1024;
/// Shortest blob and text that the search believes: below, the shape alone says too little.
const SEARCHED_BYTES_MIN: usize = 64;

/// What a page seems to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A leaf page of a table in which everything is in order.
    Leaf,
    /// A leaf page by its first byte; something in it is not in order.
    DamagedLeaf,
    /// An interior page or a page of an index.
    Inner,
    /// Zeros.
    Empty,
    /// Anything else: overflow pages, free pages, and what damage left.
    Other,
}

/// Which page it is whose bytes are looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) number: u32,
    /// Whether it is not, or no longer, part of the vault.
    pub(super) loose: bool,
}

/// Finds the rows in a page.
pub(super) fn examine(image: &Image, place: Place, page: &[u8]) -> (Kind, Vec<Row>) {
    // The first page begins with the file's header.
    let base = if place.number == 1 { 100 } else { 0 };
    match page[base] {
        13 => examine_leaf(image, place, page, base),
        2 | 5 | 10 if is_sound_inner(page, base) => (Kind::Inner, Vec::new()),
        0 if page.iter().all(|&byte| byte == 0) => (Kind::Empty, Vec::new()),
        _ => {
            let mut rows = Vec::new();
            search(image, place, page, &[(0, PAGE)], &mut rows);
            (Kind::Other, rows)
        }
    }
}

/// Where the cells of a page with header at `base` begin, in the order of their keys; `None` if that is impossible.
fn pointers(page: &[u8], base: usize, header: usize) -> Option<impl Iterator<Item = usize>> {
    let count = half(page, base + 3);
    let begin = base + header;
    let end = begin + 2 * count;
    let in_range = move |at: usize| (end..=PAGE - 4).contains(&at);
    let table = page.get(begin..end)?;
    let mut all = table.chunks_exact(2).map(|two| half(two, 0));
    all.all(in_range)
        .then(|| table.chunks_exact(2).map(|two| half(two, 0)))
}

fn is_sound_inner(page: &[u8], base: usize) -> bool {
    let header = if page[base] == 10 { 8 } else { 12 };
    let content = content_start(page, base);
    pointers(page, base, header)
        .is_some_and(|mut cells| half(page, base + 3) > 0 && cells.all(|at| at >= content))
}

fn examine_leaf(image: &Image, place: Place, page: &[u8], base: usize) -> (Kind, Vec<Row>) {
    let count = half(page, base + 3);
    let begin = base + 8;
    let table = page.get(begin..begin + 2 * count).unwrap_or_default();
    let mut sound = pointers(page, base, 8).is_some();
    let mut rows = Vec::new();
    let mut taken: Vec<(usize, usize)> = Vec::with_capacity(count);
    let mut ours: Vec<(usize, usize)> = Vec::new();
    let mut last_id = None;
    let mut last_table: Option<Option<Table>> = None;
    for at in table.chunks_exact(2).map(|two| half(two, 0)) {
        let cell = (at >= begin).then(|| Cell::parse(page, at)).flatten();
        let Some(cell) = cell else {
            sound = false;
            continue;
        };
        sound &= last_id.replace(cell.id).is_none_or(|last| last < cell.id);
        let table = Table::of(&cell.columns);
        sound &= last_table.replace(table).is_none_or(|last| last == table);
        let Ok(row) = recognise(image, place, &cell) else {
            sound = false;
            continue;
        };
        taken.push((at, at + cell.size));
        if let Some(row) = row {
            rows.push((row, is_plain(&cell)));
            ours.push((at, at + cell.size));
        }
    }
    taken.sort_unstable();
    sound &= is_accounted_for(page, base, &taken);
    if sound {
        let rows = rows.into_iter().map(|(row, _)| row).collect();
        return (Kind::Leaf, rows);
    }
    // Thousands of pointers in a page that only seems to be a leaf lead to something that passes for a tiny row.
    let plain = rows
        .into_iter()
        .filter_map(|(row, plain)| plain.then_some(row));
    let mut rows: Vec<Row> = plain.collect();
    // A damaged pointer may lead to something that passes for a row of another table, across one of ours.
    ours.sort_unstable();
    search(image, place, page, &gaps(&ours), &mut rows);
    (Kind::DamagedLeaf, rows)
}

/// Whether cells and free blocks fill the page from where its content begins, and do not overlap: a cell that a damaged
/// count or pointer hides would leave a hole.
fn is_accounted_for(page: &[u8], base: usize, cells: &[(usize, usize)]) -> bool {
    let content = content_start(page, base);
    let mut taken = cells.to_vec();
    let mut block = half(page, base + 1);
    while block != 0 {
        // Free blocks are in the order of the page, so this ends.
        let (Some(next), Some(size)) = (page.get(block..block + 2), page.get(block + 2..block + 4))
        else {
            return false;
        };
        let (next, size) = (half(next, 0), half(size, 0));
        taken.push((block, block + size));
        if next != 0 && next <= block {
            return false;
        }
        block = next;
    }
    taken.sort_unstable();
    let mut fragments = usize::from(page[base + 7]);
    let mut at = content;
    for (start, end) in taken {
        if start < at || start - at > fragments {
            return false;
        }
        fragments -= start - at;
        at = end;
    }
    at <= PAGE && PAGE - at == fragments
}

/// What lies between the ranges, which are in order but may overlap.
fn gaps(taken: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut gaps = Vec::new();
    let mut at = 0;
    for &(start, end) in taken {
        if start > at {
            gaps.push((at, start));
        }
        at = at.max(end);
    }
    if at < PAGE {
        gaps.push((at, PAGE));
    }
    gaps
}

fn content_start(page: &[u8], base: usize) -> usize {
    match half(page, base + 5) {
        0 => 65_536,
        start => start,
    }
}

fn half(bytes: &[u8], at: usize) -> usize {
    usize::from(bytes[at]) << 8 | usize::from(bytes[at + 1])
}

/// Looks for cells at every byte of the given ranges.
fn search(
    image: &Image,
    place: Place,
    page: &[u8],
    ranges: &[(usize, usize)],
    rows: &mut Vec<Row>,
) {
    let mut tries = 0;
    // Roots that were found, with where they begin and end, and whether they touch a cell that a pointer led to.
    let mut roots: Vec<(usize, usize, bool, Row)> = Vec::new();
    for &(start, end) in ranges {
        let mut at = start + 2;
        while let Some(header) = next_header(page, at, end) {
            at = header + 1;
            let Some(begin) = cell_start(page, start, header) else {
                continue;
            };
            let Some(cell) = Cell::parse(page, begin) else {
                continue;
            };
            let cell_end = begin + cell.size;
            if cell_end > end || !is_plain(&cell) {
                continue;
            }
            tries += 1;
            if tries > TRIES_MAX {
                return;
            }
            match recognise(image, place, &cell) {
                Ok(Some(row @ (Row::Root { .. } | Row::Subtree { .. }))) => {
                    let touches = cell_end == end || begin == start && start > 0;
                    roots.push((begin, cell_end, touches, row));
                }
                Ok(Some(row)) => rows.push(row),
                Ok(None) | Err(_) => continue,
            }
            // Records begin two bytes after their cell at the earliest.
            at = cell_end + 2;
        }
    }
    let touches = |index: usize| {
        let (begin, end, touches, _) = roots[index];
        touches
            || index > 0 && roots[index - 1].1 == begin
            || roots.get(index + 1).is_some_and(|next| next.0 == end)
    };
    let beside: Vec<bool> = (0..roots.len()).map(touches).collect();
    let kept = roots.into_iter().zip(beside);
    rows.extend(kept.filter_map(|((.., row), beside)| beside.then_some(row)));
}

/// The next place from `at` where a record of a salvaged table may begin.
fn next_header(page: &[u8], at: usize, end: usize) -> Option<usize> {
    let bytes = page.get(at..end)?;
    bytes
        .windows(2)
        .position(|two| two[1] == 0 && (3..=HEADER_BYTES_MAX).contains(&two[0]))
        .map(|offset| at + offset)
}

/// Where the cell begins whose record begins at `header`: in front of it are the payload's length, which follows from
/// the record, and the row id.
fn cell_start(page: &[u8], start: usize, header: usize) -> Option<usize> {
    let columns = Columns::parse_header(&page[header..])?;
    Table::of(&columns)?;
    let length = varint_bytes(columns.end() as u64);
    // The row id ends in a byte below 128, and its other bytes are not; so does the length before it.
    let mut id = header - 1;
    if page[id] >= 0x80 {
        return None;
    }
    while id > start && header - id < 8 && page[id - 1] >= 0x80 {
        id -= 1;
    }
    let begin = id.checked_sub(length).filter(|&begin| begin >= start)?;
    let (payload, bytes) = varint(&page[begin..])?;
    (payload == columns.end() as u64 && bytes == length).then_some(begin)
}

/// Whether the cell says enough about itself to be believed without a page that points to it.
fn is_plain(cell: &Cell<'_>) -> bool {
    let columns = &cell.columns;
    match Table::of(columns) {
        Some(Table::Document) => {
            let text = cell.local.get(columns.start(2)..).unwrap_or_default();
            // The local part may end within a character.
            let is_text = match std::str::from_utf8(text) {
                Ok(_) => true,
                Err(error) => error.error_len().is_none(),
            };
            columns.length(1) > 0 && columns.length(2) >= SEARCHED_BYTES_MIN && is_text
        }
        Some(_) => true,
        None => false,
    }
}
