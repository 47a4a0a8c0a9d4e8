//! Forgers with the file in their hands: each change is found, and told apart by its exit code.
//!
//! They drop the triggers, change rows with a plain connection, put the triggers back, and where they are careful
//! compute every hash again. What they cannot reach is the checkpoint that somebody kept.

#![expect(clippy::print_stdout, reason = "how many were caught is worth reading")]

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::Value;
use sha2::{Digest as _, Sha256};

use super::harness::{Place, noise, write};

/// A vault of 300 files, of which one has several chunks, and the checkpoint `kept` of it.
fn victim() -> Place {
    let place = Place::with_vault();
    for number in 0..300_u64 {
        write(place.path(format!("src/{number:03}")), noise(number, 40));
    }
    write(place.path("src/long"), noise(1000, 3_000_000));
    write(place.path("src/more"), noise(1001, 2_000_000));
    place.run(["add", "--to", "P", "src"]).expect_code(0);
    keep(&place, "kept");
    place
}

fn keep(place: &Place, name: &str) {
    let note = place.run(["checkpoint"]).expect_code(0).stdout.clone();
    write(place.path(name), note);
}

#[expect(
    clippy::disallowed_methods,
    reason = "somebody goes behind the vault's back here"
)]
fn plain(path: &Path) -> Connection {
    Connection::open(path).expect("a vault is a SQLite database")
}

/// Changes a vault with its triggers out of the way, and puts them back.
fn forge(path: &Path, change: impl FnOnce(&Connection)) {
    let connection = plain(path);
    let mut statement = connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
        .expect("the schema can be read");
    let triggers: Vec<(String, String)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("the schema can be read")
        .collect::<Result<_, _>>()
        .expect("the schema can be read");
    drop(statement);
    for (name, _) in &triggers {
        connection
            .execute_batch(&format!("DROP TRIGGER {name}"))
            .expect("outside of the program anything goes");
    }
    change(&connection);
    for (_, sql) in &triggers {
        connection.execute_batch(sql).expect("it was valid before");
    }
    connection.close().expect("it closes");
}

fn run(connection: &Connection, sql: &str) {
    connection
        .execute_batch(sql)
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}

const COLUMNS: [&str; 14] = [
    "seq",
    "kind",
    "version",
    "parent",
    "sealed_at",
    "name",
    "modified_s",
    "modified_ns",
    "executable",
    "size",
    "sha256",
    "crc32",
    "manifest",
    "body",
];

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// RFC 6962, 2.1.
fn tree(leaves: &[[u8; 32]]) -> [u8; 32] {
    if let [only] = leaves {
        return *only;
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    sha256(&[&[1], &tree(left), &tree(right)])
}

/// Computes every leaf, subtree and root again, so that the vault agrees with itself.
fn rehash(connection: &Connection) {
    let mut statement = connection
        .prepare(&format!(
            "SELECT {} FROM entry ORDER BY seq",
            COLUMNS.join(", ")
        ))
        .expect("the columns are there");
    let leaves: Vec<[u8; 32]> = statement
        .query_map([], |row| {
            let mut leaf = b"compactvault-entry/1\n".to_vec();
            for column in 0..COLUMNS.len() {
                match row.get(column)? {
                    Value::Null => leaf.push(0),
                    Value::Integer(number) => {
                        leaf.push(1);
                        leaf.extend(number.to_be_bytes());
                    }
                    Value::Blob(bytes) => {
                        leaf.push(2);
                        leaf.extend(u32::try_from(bytes.len()).expect("small").to_be_bytes());
                        leaf.extend(bytes);
                    }
                    other => panic!("no column holds {other:?}"),
                }
            }
            Ok(sha256(&[&[0], &leaf]))
        })
        .expect("the rows can be read")
        .collect::<Result<_, _>>()
        .expect("the rows can be read");
    drop(statement);
    let count = i64::try_from(leaves.len()).expect("small");
    for (seq, leaf) in (0_i64..).zip(&leaves) {
        connection
            .execute(
                "UPDATE entry SET leaf = ?2 WHERE seq = ?1",
                (seq, leaf.as_slice()),
            )
            .expect("it can be changed");
    }
    run(
        connection,
        &format!("DELETE FROM root WHERE size >= {count}; DELETE FROM subtree"),
    );
    for (id, whole) in (1_i64 << 48..).zip(leaves.chunks_exact(256)) {
        connection
            .execute(
                "INSERT INTO subtree VALUES (?1, ?2)",
                (id, tree(whole).as_slice()),
            )
            .expect("it can be added");
    }
    let mut statement = connection
        .prepare("SELECT size FROM root")
        .expect("it is there");
    let sizes: Vec<i64> = statement
        .query_map([], |row| row.get(0))
        .expect("it can be read")
        .chain([Ok(count)])
        .collect::<Result<_, _>>()
        .expect("it can be read");
    drop(statement);
    for size in sizes {
        let root = tree(&leaves[..usize::try_from(size).expect("small")]);
        connection
            .execute(
                "INSERT OR REPLACE INTO root VALUES (?1, ?2)",
                (size, root.as_slice()),
            )
            .expect("it can be added");
    }
}

/// How a forger goes about it, and what `verify --against` must end with.
type Forgery = (&'static str, i32, fn(&Connection));

/// Counts forgeries that were found with the exit code they must have.
fn all_are_caught(forgeries: &[Forgery]) {
    let victim = victim();
    let intact = fs::read(victim.path("v.vault")).expect("the vault");
    let against = ["verify", "--against", "kept"];
    victim.run(against).expect_code(0);
    let mut caught = 0;
    let mut wrong = Vec::new();
    for (name, code, change) in forgeries {
        fs::write(victim.path("v.vault"), &intact).expect("it is written");
        forge(&victim.path("v.vault"), change);
        let ran = victim.run(against);
        if ran.code != Some(*code) {
            wrong.push(format!(
                "{name}: {:?} instead of {code}: {}",
                ran.code,
                ran.text()
            ));
            continue;
        }
        caught += 1;
    }
    println!(
        "{caught} of {} forgeries caught with the right exit code",
        forgeries.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const ASSET: &str = "(SELECT min(seq) + 20 FROM entry WHERE kind = 4)";

#[test]
fn a_row_changed_in_any_column_is_damage_and_with_all_hashes_made_to_fit_it_is_rewriting() {
    let victim = victim();
    let intact = fs::read(victim.path("v.vault")).expect("the vault");
    let changes = [
        ("kind", "kind = 7"),
        ("version", "version = 2"),
        ("parent", "parent = 1"),
        ("sealed_at", "sealed_at = sealed_at - 1"),
        ("name", "name = x'66616b65'"),
        ("modified_s", "modified_s = ifnull(modified_s, 0) + 1"),
        ("modified_ns", "modified_ns = 7 - (modified_ns = 7)"),
        ("executable", "executable = 1"),
        ("size", "size = size + 1"),
        ("sha256", "sha256 = zeroblob(32)"),
        ("crc32", "crc32 = 4294967295 - crc32"),
        ("manifest", "manifest = zeroblob(32)"),
        ("body", "body = x'00'"),
    ];
    let mut caught = 0;
    for (column, change) in changes {
        for (careful, code) in [(false, 11), (true, 12)] {
            fs::write(victim.path("v.vault"), &intact).expect("it is written");
            forge(&victim.path("v.vault"), |connection| {
                run(
                    connection,
                    &format!("UPDATE entry SET {change} WHERE seq = {ASSET}"),
                );
                if careful {
                    rehash(connection);
                }
            });
            let ran = victim.run(["verify", "--quick", "--against", "kept"]);
            assert_eq!(
                ran.code,
                Some(code),
                "{column}, hashes made to fit: {careful}\n{}{}",
                ran.text(),
                ran.stderr
            );
            caught += 1;
        }
    }
    println!("{caught} of {} changed columns caught", 2 * changes.len());
}

#[test]
fn a_whole_files_digest_that_its_chunks_do_not_give_is_found_by_deep_verification_alone() {
    let victim = victim();
    let intact = fs::read(victim.path("v.vault")).expect("the vault");
    let long = "(SELECT min(seq) FROM entry WHERE manifest IS NOT NULL)";
    for (change, asset, said) in [
        ("crc32 = 4294967295 - crc32", ASSET, "have the CRC-32"),
        ("crc32 = 4294967295 - crc32", long, "have the CRC-32"),
        ("sha256 = zeroblob(32)", long, "hash to"),
    ] {
        fs::write(victim.path("v.vault"), &intact).expect("it is written");
        forge(&victim.path("v.vault"), |connection| {
            run(
                connection,
                &format!("UPDATE entry SET {change} WHERE seq = {asset}"),
            );
            rehash(connection);
        });
        victim.run(["verify"]).expect_code(0);
        let ran = victim.run(["verify", "--deep"]);
        // Whether parity still has what was sealed is another question.
        assert!(matches!(ran.code, Some(10 | 11)), "{change}: {ran:?}");
        assert!(ran.text().contains(said), "{change}: {}", ran.text());
    }
}

#[test]
fn damage_is_never_called_rewriting_nor_rewriting_damage() {
    all_are_caught(&[
        ("a leaf hash", 10, |c| {
            run(
                c,
                &format!("UPDATE entry SET leaf = zeroblob(32) WHERE seq = {ASSET}"),
            );
        }),
        ("one row and another's leaf hash", 11, |c| {
            run(c, &format!("UPDATE entry SET size = 1 WHERE seq = {ASSET}"));
            run(
                c,
                &format!("UPDATE entry SET leaf = zeroblob(32) WHERE seq = {ASSET} + 9"),
            );
        }),
        (
            "a row and its leaf hash, as a bad page leaves them",
            11,
            |c| {
                run(
                    c,
                    &format!("UPDATE entry SET leaf = zeroblob(32), size = 1 WHERE seq = {ASSET}"),
                );
            },
        ),
        ("a hundred rows", 11, |c| {
            run(
                c,
                "UPDATE entry SET sealed_at = 0 WHERE seq BETWEEN 20 AND 120",
            );
        }),
        ("a row and its leaf hash that agree", 12, |c| {
            run(c, &format!("UPDATE entry SET size = 1 WHERE seq = {ASSET}"));
            rehash_rows_only(c);
        }),
        ("rewritten, and then damaged", 12, |c| {
            run(c, &format!("UPDATE entry SET size = 1 WHERE seq = {ASSET}"));
            rehash(c);
            run(
                c,
                &format!("UPDATE entry SET size = 2 WHERE seq = {ASSET} + 5"),
            );
        }),
    ]);
}

/// Makes leaves fit their rows and leaves roots and subtrees as they were.
fn rehash_rows_only(connection: &Connection) {
    run(
        connection,
        "CREATE TEMP TABLE r AS SELECT * FROM root; CREATE TEMP TABLE s AS SELECT * FROM subtree",
    );
    rehash(connection);
    run(
        connection,
        "DELETE FROM root; DELETE FROM subtree; INSERT INTO root SELECT * FROM r; \
         INSERT INTO subtree SELECT * FROM s",
    );
}

#[test]
fn entries_dropped_reordered_or_rewritten_are_caught() {
    all_are_caught(&[
        ("an entry dropped from the middle", 11, |c| {
            run(c, &format!("DELETE FROM entry WHERE seq = {ASSET}"));
        }),
        ("the last entry dropped", 11, |c| {
            run(
                c,
                "DELETE FROM entry WHERE seq = (SELECT max(seq) FROM entry)",
            );
        }),
        ("the last entry and its roots dropped", 13, |c| {
            run(
                c,
                "DELETE FROM entry WHERE seq = (SELECT max(seq) FROM entry)",
            );
            run(
                c,
                "DELETE FROM root WHERE size > (SELECT max(seq) + 1 FROM entry)",
            );
            rehash(c);
        }),
        ("an entry dropped and another put at the end", 12, |c| {
            run(
                c,
                "CREATE TEMP TABLE gone AS SELECT * FROM entry WHERE seq = 50",
            );
            run(c, "DELETE FROM entry WHERE seq = 50");
            for seq in 51..1000 {
                run(
                    c,
                    &format!("UPDATE entry SET seq = {seq} - 1 WHERE seq = {seq}"),
                );
            }
            run(
                c,
                "UPDATE gone SET seq = (SELECT max(seq) + 1 FROM entry), name = x'66616b65'",
            );
            run(c, "INSERT INTO entry SELECT * FROM gone");
            rehash(c);
        }),
        ("two entries swapped", 11, swap),
        ("two entries swapped and all hashes made to fit", 12, |c| {
            swap(c);
            rehash(c);
        }),
        ("the key in entry 0 replaced", 12, |c| {
            run(
                c,
                "UPDATE entry SET body = CAST(json_set(CAST(body AS TEXT), '$.public_key', 'compactvault/me+00000000+AA') AS BLOB) WHERE seq = 0",
            );
            rehash(c);
        }),
        ("the vault's id replaced", 14, |c| {
            run(
                c,
                "UPDATE entry SET body = CAST(json_set(CAST(body AS TEXT), '$.vault_id', \
                 '00000000000000000000000000000000') AS BLOB) WHERE seq = 0",
            );
            rehash(c);
        }),
    ]);
}

fn swap(connection: &Connection) {
    run(
        connection,
        "UPDATE entry SET seq = 100000 WHERE seq = 40; UPDATE entry SET seq = 40 WHERE seq = 41; \
         UPDATE entry SET seq = 41 WHERE seq = 100000",
    );
}

#[test]
fn every_other_sealed_table_and_the_schema_are_held_to_the_log() {
    const OTHER: &str = "(SELECT records FROM manifest ORDER BY id DESC LIMIT 1)";
    fn point_elsewhere(connection: &Connection) {
        let records: Vec<u8> = connection
            .query_row(
                &format!("SELECT CAST(substr({OTHER}, 1, 36) || substr(records, 37) AS BLOB) FROM manifest ORDER BY id LIMIT 1"),
                [],
                |row| row.get(0),
            )
            .expect("there are two manifests");
        let digest = sha256(&[&records]);
        let size: u32 = records
            .chunks_exact(36)
            .map(|record| u32::from_be_bytes(record[32..].try_into().expect("four bytes")))
            .sum();
        connection
            .execute(
                "UPDATE entry SET manifest = ?1, size = ?2 WHERE manifest = \
                 (SELECT sha256 FROM manifest ORDER BY id LIMIT 1)",
                (digest.as_slice(), size),
            )
            .expect("it can be changed");
        connection
            .execute(
                "UPDATE manifest SET sha256 = ?1, records = ?2 WHERE id = (SELECT min(id) FROM manifest)",
                (digest.as_slice(), &records),
            )
            .expect("it can be changed");
    }
    all_are_caught(&[
        ("a manifest that points at another chunk", 10, |c| {
            run(
                c,
                &format!(
                    "UPDATE manifest SET records = CAST(substr({OTHER}, 1, 36) || substr(records, 37) AS BLOB) \
                     WHERE id = (SELECT min(id) FROM manifest)"
                ),
            );
        }),
        (
            "the same with its digest and the entry, but no leaf",
            11,
            point_elsewhere,
        ),
        ("the same with every hash made to fit", 12, |c| {
            point_elsewhere(c);
            rehash(c);
        }),
        ("the last root", 10, |c| {
            run(
                c,
                "UPDATE root SET sha256 = zeroblob(32) WHERE size = (SELECT max(size) FROM root)",
            );
        }),
        ("an older root", 10, |c| {
            run(
                c,
                "UPDATE root SET sha256 = zeroblob(32) WHERE size = (SELECT min(size) FROM root)",
            );
        }),
        ("a subtree", 10, |c| {
            run(c, "UPDATE subtree SET sha256 = zeroblob(32)");
        }),
        ("a document", 10, |c| {
            run(c, "UPDATE document SET text = text || ' ' WHERE id = 1");
        }),
        ("a document's name", 10, |c| {
            run(c, "UPDATE document SET name = 'other' WHERE id = 1");
        }),
        ("a document dropped", 10, |c| {
            run(c, "DELETE FROM document WHERE id = 1");
        }),
        ("a document added", 10, |c| {
            run(c, "INSERT INTO document (name, text) VALUES ('a', 'b')");
        }),
        ("a table added", 10, |c| run(c, "CREATE TABLE extra (id)")),
        ("a trigger added", 10, |c| {
            run(
                c,
                "CREATE TRIGGER extra AFTER INSERT ON entry BEGIN SELECT 1; END",
            );
        }),
        ("a column added", 10, |c| {
            run(c, "ALTER TABLE entry ADD COLUMN extra BLOB");
        }),
        ("a check taken out of the schema", 10, |c| {
            run(
                c,
                "PRAGMA writable_schema = ON; \
                 UPDATE sqlite_schema SET sql = replace(sql, ' CHECK (seq >= 0)', '') WHERE name = 'entry'; \
                 PRAGMA writable_schema = OFF",
            );
        }),
    ]);
}

#[test]
fn a_dropped_trigger_a_foreign_vault_and_an_older_copy_are_caught() {
    let victim = victim();
    let against = ["verify", "--quick", "--against", "kept"];
    let older = fs::read(victim.path("v.vault")).expect("the vault");
    run(
        &plain(&victim.path("v.vault")),
        "DROP TRIGGER pack_is_never_deleted",
    );
    victim.run(against).expect_code(10);
    fs::write(victim.path("v.vault"), &older).expect("it is written");

    // Rolled back to a copy from before.
    write(victim.path("late"), "late");
    victim.run(["add", "--to", "P/src", "late"]).expect_code(0);
    victim.run(against).expect_code(0);
    keep(&victim, "later");
    fs::write(victim.path("v.vault"), &older).expect("it is written");
    victim.run(against).expect_code(0);
    let ran = victim.run(["verify", "--json", "--quick", "--against", "later"]);
    assert_eq!(
        ran.expect_code(13).json()["against"]["verdict"],
        "rolled_back"
    );
    // And grown again, by other entries.
    write(victim.path("other"), "other");
    victim.run(["add", "--to", "P/src", "other"]).expect_code(0);
    victim
        .run(["verify", "--quick", "--against", "later"])
        .expect_code(12);

    let stranger = Place::with_vault();
    keep(&stranger, "kept");
    fs::copy(stranger.path("kept"), victim.path("foreign")).expect("it is copied");
    let ran = victim.run(["verify", "--json", "--against", "foreign"]);
    assert_eq!(ran.expect_code(14).json()["error"]["code"], "other_vault");
}

#[test]
fn a_vault_rewritten_and_signed_again_with_its_own_key_passes_for_itself_but_not_for_what_was_kept()
{
    let victim = victim();
    forge(&victim.path("v.vault"), |connection| {
        run(
            connection,
            &format!("UPDATE entry SET name = x'66616b65' WHERE seq = {ASSET}"),
        );
        rehash(connection);
    });
    victim.run(["reindex"]).expect_code(0);
    victim.run(["verify", "--deep"]).expect_code(0);
    keep(&victim, "signed-again");
    victim
        .run(["verify", "--against", "signed-again"])
        .expect_code(0);
    let ran = victim.run(["verify", "--against", "kept"]);
    ran.expect_code(12);
    assert!(ran.text().contains("signed by the vault's key"), "{ran:?}");
    victim
        .run(["consistency", "kept", "signed-again"])
        .expect_code(12);
}
