//! Reading a damaged vault without `SQLite`: every row that can still be recognised, whatever else is gone.
//!
//! `SQLite` reaches a row through page 1, the schema and interior pages; one of them gone, and everything behind it
//! cannot be read although it is there. The rows themselves need none of that. Container version 1 fixes the page size
//! and the tables, a leaf page says what cells it has, a cell says how many columns of what type and length it has,
//! and no two tables of a vault look alike in that. So the file is read from its first page to its last, and each page
//! is asked what it holds. Nothing here is trusted: entries are compared with their leaf hash, everything else has a
//! hash that the caller can compare.
//!
//! # Rows that belong to another vault
//!
//! An archived file may be a vault itself, and lie in a pack as it is. Its rows are as genuine as this vault's. What
//! keeps them apart: a pack's data lies in overflow pages, whose first four bytes are a page number, and which hold
//! 16,380 bytes of content. A page of an inner vault, 16,384 bytes, therefore never lies in one page of this one, and
//! the first byte of an overflow page is the highest of a page number, which is that of a leaf page (13) only in files
//! beyond 3.5 TB. A row of a page that is a leaf page without any fault ([`carve::Found::whole_page`]) is this
//! vault's. A row that was found by searching a page byte by byte may be anybody's: the caller leaves it out if its
//! page is part of the overflow chain of a row it knows ([`carve::read_blob`] gives the pages), prefers rows of whole
//! pages, and lets the hash tree decide about entries.
//!
//! # Locks
//!
//! POSIX drops a process's locks on a file when any of its handles is closed (sqlite.org/howtocorrupt.html, 2.2). A
//! vault must not be open in the process that salvages it.

pub(crate) mod carve;
mod cell;
pub(crate) mod image;
mod page;
mod shape;
mod wal;

#[cfg(test)]
mod tests;

/// What a page by itself is taken for, at every place it may have: nothing is there to follow it to.
#[cfg(any(test, feature = "targets"))]
pub(crate) fn examine_alone(page: &[u8; image::PAGE]) -> std::io::Result<Vec<carve::Row>> {
    let nothing = if cfg!(windows) { "NUL" } else { "/dev/null" };
    let nothing = image::Image::open(std::path::Path::new(nothing))?;
    let places = [(1, false), (2, false), (2, true)];
    let places = places.map(|(number, loose)| page::Place { number, loose });
    let rows = places.map(|place| page::examine(&nothing, place, page).1);
    Ok(rows.into_iter().flatten().collect())
}
