//! For tests of what reads a vault by other means: all rows of it as `SQLite` reads them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::types::ValueRef;

use super::open::{self, FileMode};
use super::rows::ENTRY_COLUMNS;
use crate::ids::Digest;
use crate::parity::capsule::row_id;

/// Every row of the sealed tables and of parity: its table, then its columns, bytes by their digest.
pub(crate) fn rows(path: &Path) -> BTreeSet<String> {
    let connection = open::reader(path, FileMode::Shared, Duration::ZERO).expect("it opens");
    let tables = [
        ("entry", ENTRY_COLUMNS),
        ("root", "size, sha256"),
        ("subtree", "id, sha256"),
        ("manifest", "id, sha256, records"),
        ("chunk", "id, sha256, pack, offset, size"),
        ("pack", "id, codec, raw_size, sha256, data"),
        ("document", "id, name, text"),
        ("derived_parity", "id, data"),
    ];
    let mut dump = BTreeSet::new();
    for (table, columns) in tables {
        let sql = format!("SELECT {columns} FROM {table}");
        let mut statement = connection.prepare(&sql).expect("the table is there");
        let count = statement.column_count();
        let mut rows = statement.query([]).expect("it can be read");
        while let Some(row) = rows.next().expect("it can be read") {
            let mut line = table.to_owned();
            for column in 0..count {
                let value = match row.get_ref(column).expect("there is such a column") {
                    ValueRef::Null => "null".to_owned(),
                    ValueRef::Integer(value) => value.to_string(),
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Digest::of(bytes).to_string(),
                    ValueRef::Real(_) => unreachable!("no table has such numbers"),
                };
                write!(line, " {value}").expect("a string takes everything");
            }
            dump.insert(line);
        }
    }
    dump
}

/// Adds rows to `derived_parity`, one a stripe.
pub(crate) fn add_parity(path: &Path, rows: &[(u64, Vec<u8>)]) {
    let connection = open::writer(path, FileMode::Shared, Duration::ZERO).expect("it opens");
    for (stripe, data) in rows {
        connection
            .execute(
                "INSERT INTO derived_parity (id, data) VALUES (?1, ?2)",
                rusqlite::params![row_id(*stripe, 0), data],
            )
            .expect("derived rows may be added");
    }
}
