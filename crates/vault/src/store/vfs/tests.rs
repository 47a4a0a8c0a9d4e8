//! That a vault reads and keeps what is written through the VFS.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, params};

use super::super::open::{self, FileMode};
use super::super::write::Writer;

/// More than the cache of a writing connection holds, so that the WAL is written before the commit.
const PACKS: RangeInclusive<u64> = 1..=24;
const BYTES: usize = 1024 * 1024;

fn writer(path: &Path) -> Connection {
    open::writer(path, FileMode::Shared, Duration::from_secs(5)).expect("it can be written")
}

fn data(id: u64, of: u8) -> Vec<u8> {
    let mut data = vec![of; BYTES];
    data[..8].copy_from_slice(&id.to_be_bytes());
    data
}

fn put(connection: &Connection, ids: RangeInclusive<u64>, of: u8) {
    connection.execute_batch("BEGIN IMMEDIATE").expect("begun");
    for id in ids {
        let sql = "INSERT INTO pack (id, codec, raw_size, sha256, data) VALUES (?1, 0, ?2, zeroblob(32), ?3)";
        connection
            .execute(sql, params![id, BYTES as u64, data(id, of)])
            .expect("it can be inserted");
    }
}

fn require(connection: &Connection, ids: RangeInclusive<u64>, of: u8) {
    for id in ids {
        let sql = "SELECT data FROM pack WHERE id = ?1";
        let found: Vec<u8> = connection
            .query_row(sql, [id], |row| row.get(0))
            .unwrap_or_else(|error| panic!("pack {id}: {error}"));
        assert!(found == data(id, of), "pack {id} is what was put there");
    }
}

/// Guards: a transaction reads back what it has written, be that gathered or in the WAL already.
#[test]
fn a_transaction_reads_what_it_wrote() {
    let (home, _) = Writer::of_new_vault();
    let connection = writer(&home.path().join("v.vault"));
    put(&connection, PACKS, 1);
    require(&connection, PACKS, 1);
    connection.execute_batch("COMMIT").expect("committed");
    require(&connection, PACKS, 1);
}

/// Guards: what was rolled back while it was gathered is never written over what somebody else has committed since.
#[test]
fn what_is_rolled_back_overwrites_nothing() {
    let (home, _) = Writer::of_new_vault();
    let path = home.path().join("v.vault");
    let (one, other) = (writer(&path), writer(&path));
    put(&one, PACKS, 1);
    one.execute_batch("ROLLBACK").expect("rolled back");
    put(&other, PACKS, 2);
    other.execute_batch("COMMIT").expect("committed");
    put(&one, 25..=26, 3);
    one.execute_batch("COMMIT").expect("committed");

    // As the disk has it, without the index that processes share.
    let elsewhere = tempfile::tempdir().expect("a folder");
    let copy = elsewhere.path().join("v.vault");
    for suffix in ["", "-wal"] {
        let name = format!("v.vault{suffix}");
        std::fs::copy(home.path().join(&name), elsewhere.path().join(&name))
            .expect("it can be copied");
    }
    let copy = writer(&copy);
    require(&copy, PACKS, 2);
    require(&copy, 25..=26, 3);
}
