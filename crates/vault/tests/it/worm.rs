//! Permanence, tried from outside.
//!
//! Everybody who has the file can write to it, so what stands in their way is tried the way they would: with the
//! stock `sqlite3`, with a plain connection of another program. What cannot be prevented, such as dropping a
//! trigger first, must be noticed: the vault then opens for reading only and says why, and verification names what
//! differs.

use std::process::Output;

use compactvault_vault::{Severity, Vault, VerifyLevel, VerifyReport};
use rusqlite::Connection;

use super::support::{Home, add, add_link, noise, place, plain, prose, read_all, sqlite3};

/// The sealed tables, with every key that a statement could go by.
const SEALED: [(&str, &[&str]); 7] = [
    ("entry", &["seq"]),
    ("root", &["size"]),
    ("subtree", &["id"]),
    ("manifest", &["id", "sha256"]),
    ("chunk", &["id", "sha256"]),
    ("pack", &["id", "sha256"]),
    ("document", &["id"]),
];

/// A vault with at least one row in every sealed table.
fn filled(home: &Home) {
    let vault = home.create();
    let place = place(&vault);
    add(&vault, place, "long", &noise(1, 3 << 20));
    add(&vault, place, "packed", &prose(2, 20_000));
    add_link(&vault, place, "link", b"long");
    vault.ingest().expect("it takes things in").set_bulk(true);
    // A subtree is stored when 256 entries are there.
    for n in 0..260_u32 {
        vault
            .ingest()
            .expect("it takes things in")
            .archive(
                super::support::new_asset(place, super::support::name(&format!("small {n}"))),
                &mut n.to_string().as_bytes(),
            )
            .expect("memory can be read");
    }
    vault.close().expect("the vault closes");
}

fn verify(vault: &Vault) -> VerifyReport {
    vault
        .verify(VerifyLevel::Full, &|_| ())
        .expect("verification ends")
}

fn columns(connection: &Connection, table: &str) -> Vec<String> {
    let mut statement = connection
        .prepare(&format!("SELECT name FROM pragma_table_info('{table}')"))
        .expect("the table is there");
    let names = statement
        .query_map([], |row| row.get(0))
        .expect("it has columns");
    names.collect::<Result<_, _>>().expect("they have names")
}

/// Every statement that would change a row of the table, once for each of its keys.
fn attacks(table: &str, keys: &[&str], columns: &[String]) -> Vec<String> {
    let mut attacks = Vec::new();
    let all = columns.join(", ");
    for key in keys {
        let row = format!("{key} = (SELECT max({key}) FROM {table})");
        for column in columns {
            attacks.push(format!(
                "UPDATE {table} SET {column} = {column} WHERE {row}"
            ));
        }
        let first = &columns[0];
        let last = &columns[columns.len() - 1];
        attacks.push(format!(
            "UPDATE OR IGNORE {table} SET {last} = {last} WHERE {row}"
        ));
        attacks.push(format!(
            "UPDATE OR REPLACE {table} SET {first} = {first} + 1 WHERE {row}"
        ));
        attacks.push(format!("DELETE FROM {table} WHERE {row}"));
        for or in ["REPLACE", "ABORT", "FAIL", "ROLLBACK"] {
            attacks.push(format!(
                "INSERT OR {or} INTO {table} ({all}) SELECT {all} FROM {table} WHERE {row}"
            ));
        }
        attacks.push(format!(
            "INSERT INTO {table} ({all}) SELECT {all} FROM {table} WHERE {row} \
             ON CONFLICT DO UPDATE SET {last} = excluded.{last}"
        ));
    }
    attacks.push(format!("DELETE FROM {table}"));
    attacks.push(format!("REPLACE INTO {table} SELECT * FROM {table}"));
    attacks
}

fn contents(connection: &Connection, table: &str) -> Vec<String> {
    let mut statement = connection
        .prepare(&format!("SELECT * FROM {table} ORDER BY 1"))
        .expect("the table is there");
    let count = statement.column_count();
    let rows = statement
        .query_map([], |row| {
            (0..count)
                .map(|column| row.get::<_, rusqlite::types::Value>(column))
                .map(|value| value.map(|value| format!("{value:?}")))
                .collect::<Result<String, _>>()
        })
        .expect("it can be read");
    rows.collect::<Result<_, _>>().expect("it can be read")
}

#[test]
fn another_program_cannot_change_a_sealed_row_by_any_key() {
    let home = Home::new();
    filled(&home);
    let connection = plain(&home.file());
    for recursive in ["ON", "OFF"] {
        connection
            .execute_batch(&format!("PRAGMA recursive_triggers = {recursive}"))
            .expect("pragmas are free");
        for (table, keys) in SEALED {
            let before = contents(&connection, table);
            assert!(!before.is_empty(), "{table} has rows to attack");
            for attack in attacks(table, keys, &columns(&connection, table)) {
                let error = connection
                    .execute_batch(&attack)
                    .expect_err(&format!("this must be refused: {attack}"));
                assert!(
                    error.to_string().contains("sealed: "),
                    "{attack} was refused for another reason: {error}"
                );
            }
            assert_eq!(contents(&connection, table), before, "{table}");
        }
    }
    drop(connection);
    assert_eq!(verify(&home.open()).findings, []);
}

#[test]
fn the_stock_sqlite3_cannot_change_a_sealed_row() {
    let home = Home::new();
    filled(&home);
    let refused = |output: &Output| {
        !output.status.success() && String::from_utf8_lossy(&output.stderr).contains("sealed: ")
    };
    for (table, keys) in SEALED {
        let key = keys[0];
        for attack in [
            format!("UPDATE {table} SET {key} = {key};"),
            format!("UPDATE OR IGNORE {table} SET {key} = {key} + 1;"),
            format!("DELETE FROM {table};"),
            format!("INSERT OR REPLACE INTO {table} SELECT * FROM {table};"),
        ] {
            let output = sqlite3(&home.file(), &attack);
            assert!(refused(&output), "{attack}: {output:?}");
        }
    }
    assert_eq!(verify(&home.open()).findings, []);
    assert_eq!(home.files(), ["test.vault"]);
}

#[test]
fn dropping_a_trigger_and_changing_a_row_is_noticed_and_named() {
    let home = Home::new();
    filled(&home);
    let output = sqlite3(
        &home.file(),
        "DROP TRIGGER entry_is_never_changed; UPDATE entry SET name = x'66616b65' WHERE seq = 5;",
    );
    assert!(output.status.success(), "{output:?}");
    let vault = home.open();
    let why = vault.read_only().expect("it opens for reading only");
    assert!(why.contains("schema differs"), "{why}");
    assert_eq!(
        vault
            .ingest()
            .map(|_| ())
            .expect_err("nothing can be added")
            .code(),
        "read_only"
    );
    let report = verify(&vault);
    assert_eq!(report.worst(), Some(Severity::Lost));
    let areas: Vec<&str> = report.findings.iter().map(|finding| finding.area).collect();
    assert!(areas.contains(&"schema"), "{:?}", report.findings);
    assert!(
        report
            .findings
            .iter()
            .any(|finding| finding.area == "entry" && finding.entry.is_some_and(|s| s.get() == 5)),
        "{:?}",
        report.findings
    );
}

#[test]
fn a_trigger_put_back_does_not_hide_the_change() {
    let home = Home::new();
    filled(&home);
    let connection = plain(&home.file());
    let sql: String = connection
        .query_row(
            "SELECT sql FROM sqlite_schema WHERE name = 'entry_is_never_changed'",
            [],
            |row| row.get(0),
        )
        .expect("the trigger is there");
    // The forger recomputes nothing, the careful one the leaf; neither can recompute the root without the log.
    connection
        .execute_batch(&format!(
            "DROP TRIGGER entry_is_never_changed; \
             UPDATE entry SET executable = 1 WHERE seq = (SELECT min(seq) FROM entry WHERE kind = 4); {sql};"
        ))
        .expect("outside of this program anything goes");
    drop(connection);
    let vault = home.open();
    assert_eq!(vault.read_only(), None, "the schema is as it should be");
    let report = verify(&vault);
    assert!(
        report
            .findings
            .iter()
            .any(|finding| finding.area == "entry" && finding.severity == Severity::Lost),
        "{:?}",
        report.findings
    );
}

/// Inserts are what the triggers allow; what is inserted past the program must not pass for sealed.
#[test]
fn forged_rows_are_found() {
    let forgeries = [
        (
            "log",
            "INSERT INTO entry SELECT (SELECT max(seq) + 1 FROM entry), kind, version, parent, sealed_at, \
             x'666f72676564', modified_s, modified_ns, executable, size, sha256, crc32, manifest, body, leaf \
             FROM entry WHERE kind = 4 LIMIT 1",
        ),
        (
            "log",
            "INSERT INTO root SELECT max(size) + 1, zeroblob(32) FROM root",
        ),
        (
            "log",
            "INSERT INTO root SELECT max(size) - 1, zeroblob(32) FROM root",
        ),
        (
            "log",
            "INSERT INTO subtree VALUES ((1 << 48) + 1, zeroblob(32))",
        ),
        (
            "chunk",
            "INSERT INTO chunk SELECT max(id) + 1, zeroblob(32), 1, 0, 1000 FROM chunk",
        ),
        (
            "pack",
            "INSERT INTO chunk SELECT max(id) + 1, zeroblob(32), -1, 0, 1000 FROM chunk",
        ),
        (
            "pack",
            "INSERT INTO pack SELECT max(id) + 1, 0, 4, zeroblob(32), x'01020304' FROM pack",
        ),
        (
            "manifest",
            "INSERT INTO manifest SELECT max(id) + 1, zeroblob(32), zeroblob(72) FROM manifest",
        ),
    ];
    for (area, forgery) in forgeries {
        let home = Home::new();
        filled(&home);
        plain(&home.file())
            .execute_batch(forgery)
            .unwrap_or_else(|error| panic!("{forgery}: {error}"));
        let vault = home.open();
        let report = verify(&vault);
        assert!(
            report
                .findings
                .iter()
                .any(|finding| finding.area == area && finding.severity == Severity::Lost),
            "{forgery}: {:?}",
            report.findings
        );
    }
}

#[test]
fn a_chunk_that_shadows_a_sealed_one_yields_an_error_or_the_right_bytes() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    let bytes = prose(3, 5000);
    let sealed = add(&vault, place, "a", &bytes);
    vault.close().expect("the vault closes");
    plain(&home.file())
        .execute_batch(
            "INSERT INTO pack SELECT max(id) + 1, 0, 5000, zeroblob(32), zeroblob(5000) FROM pack; \
             INSERT INTO chunk SELECT max(id) + 1, sha256, (SELECT max(id) FROM pack), 0, size FROM chunk",
        )
        .expect("inserts are allowed");
    let vault = home.open();
    // An error would be honest, other bytes would not.
    if let Ok(read) = read_all(&vault, compactvault_vault::AssetId::new(sealed.seq)) {
        assert_eq!(read, bytes);
    }
    assert_eq!(verify(&vault).worst(), Some(Severity::Lost));
}

#[test]
fn after_closing_only_the_vault_is_there() {
    let home = Home::new();
    filled(&home);
    assert_eq!(home.files(), ["test.vault"]);
    let reading = compactvault_vault::OpenOptions {
        access: compactvault_vault::Access::Read,
        ..home.options()
    };
    for options in [home.options(), reading] {
        let vault = Vault::open(&home.file(), &options).expect("the vault opens");
        vault.status().expect("it can be asked");
        assert_eq!(verify(&vault).findings, []);
        vault.poll_changes().expect("it can be watched");
        vault.close().expect("the vault closes");
        assert_eq!(home.files(), ["test.vault"], "after {:?}", options.access);
    }
}

/// A way around the triggers, by its name.
type Attempt = (&'static str, fn(&Connection) -> rusqlite::Result<()>);

fn blob_write(connection: &Connection) -> rusqlite::Result<()> {
    use std::io::Write as _;
    let mut blob = connection.blob_open("main", "entry", "name", 4, false)?;
    blob.write_all(b"F").expect("it is as long");
    blob.close()
}

fn pack_blob_write(connection: &Connection) -> rusqlite::Result<()> {
    use std::io::Write as _;
    let mut blob = connection.blob_open("main", "pack", "data", 1, false)?;
    blob.write_all(b"FFFF").expect("it is as long");
    blob.close()
}

fn without_triggers(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(
        rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER,
        false,
    )?;
    connection.execute_batch("UPDATE entry SET sealed_at = 0 WHERE seq = 5")
}

#[expect(
    clippy::disallowed_methods,
    reason = "playing another program that opens the file is the point"
)]
fn attached(connection: &Connection) -> rusqlite::Result<()> {
    let path = connection.path().expect("it is a file").to_owned();
    let other = Connection::open_in_memory()?;
    other.execute("ATTACH ?1 AS v", [path])?;
    other.execute_batch("DELETE FROM v.entry WHERE seq = 5")
}
const AROUND: [Attempt; 22] = [
    ("UPDATE", |c| {
        c.execute_batch("UPDATE entry SET sealed_at = 0")
    }),
    ("UPDATE OR IGNORE", |c| {
        c.execute_batch("UPDATE OR IGNORE entry SET sealed_at = 0")
    }),
    ("UPDATE OR REPLACE", |c| {
        c.execute_batch("UPDATE OR REPLACE entry SET seq = 4 WHERE seq = 5")
    }),
    ("DELETE", |c| c.execute_batch("DELETE FROM chunk")),
    ("upsert", |c| {
        c.execute_batch(
            "INSERT INTO root SELECT * FROM root WHERE 1 ON CONFLICT DO UPDATE SET sha256 = zeroblob(32)",
        )
    }),
    ("REPLACE", |c| {
        c.execute_batch("REPLACE INTO root SELECT size, zeroblob(32) FROM root")
    }),
    ("REPLACE without recursive triggers", |c| {
        c.execute_batch(
            "PRAGMA recursive_triggers = OFF; REPLACE INTO root SELECT size, zeroblob(32) FROM root",
        )
    }),
    ("REPLACE on the second key", |c| {
        c.execute_batch(
            "REPLACE INTO manifest SELECT id + 1000, sha256, zeroblob(36) FROM manifest",
        )
    }),
    ("a cascade", |c| {
        c.execute_batch(
            "PRAGMA foreign_keys = ON; CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1); \
             CREATE TABLE f (id INTEGER REFERENCES p (id) ON DELETE CASCADE); DELETE FROM p",
        )
    }),
    ("blob_write to an entry", blob_write),
    ("blob_write to a pack", pack_blob_write),
    ("triggers switched off", without_triggers),
    ("ATTACH", attached),
    ("DROP TRIGGER and DELETE", |c| {
        c.execute_batch("DROP TRIGGER pack_is_never_deleted; DELETE FROM pack WHERE id = 1")
    }),
    ("DROP TABLE", |c| c.execute_batch("DROP TABLE manifest")),
    ("DROP INDEX", |c| {
        c.execute_batch("DROP INDEX chunk_by_prefix")
    }),
    ("DROP COLUMN", |c| {
        c.execute_batch("ALTER TABLE entry DROP COLUMN modified_s")
    }),
    ("ADD COLUMN", |c| {
        c.execute_batch("ALTER TABLE entry ADD COLUMN extra BLOB")
    }),
    ("RENAME and another table", |c| {
        c.execute_batch(
            "ALTER TABLE root RENAME TO old; CREATE TABLE root (size INTEGER PRIMARY KEY, sha256 BLOB)",
        )
    }),
    ("RENAME COLUMN", |c| {
        c.execute_batch("ALTER TABLE entry RENAME COLUMN crc32 TO crc")
    }),
    ("writable_schema", |c| {
        c.execute_batch(
            "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'entry_is_never_changed'",
        )
    }),
    ("a temporary trigger", |c| {
        c.execute_batch(
            "CREATE TEMP TRIGGER t BEFORE INSERT ON main.root BEGIN DELETE FROM entry; END; \
             INSERT INTO root VALUES (100000, zeroblob(32))",
        )
    }),
];

/// Every way around the triggers that `SQLite` knows, by somebody who has the file: refused, or found by verification.
#[test]
#[expect(clippy::print_stdout, reason = "the count is worth reading")]
fn every_way_around_the_triggers_is_refused_or_detected() {
    let home = Home::new();
    filled(&home);
    let intact = std::fs::read(home.file()).expect("the vault can be read");
    let (mut refused, mut detected) = (0, 0);
    for (name, attempt) in AROUND {
        std::fs::write(home.file(), &intact).expect("it can be written");
        let connection = plain(&home.file());
        if attempt(&connection).is_err() {
            drop(connection);
            assert_eq!(verify(&home.open()).findings, [], "{name} left something");
            refused += 1;
            continue;
        }
        drop(connection);
        let worst = Vault::open(&home.file(), &home.options()).map(|vault| verify(&vault).worst());
        assert!(
            matches!(worst, Ok(Some(Severity::Lost)) | Err(_)),
            "{name} went unnoticed"
        );
        detected += 1;
    }
    println!(
        "{} of {} ways around the triggers refused ({refused}) or detected ({detected})",
        refused + detected,
        AROUND.len()
    );
}
