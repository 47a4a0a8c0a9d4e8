//! Which vault is meant, what is no vault, and that looking leaves nothing behind.

use std::ffi::OsString;
use std::fs;

use super::harness::{Place, write};

#[test]
fn the_only_vault_in_the_folder_is_meant() {
    let place = Place::empty();
    let none = place.run(["ls"]);
    none.expect_code(15);
    assert!(
        none.stderr.contains("there is no vault in this folder"),
        "{none:?}"
    );
    assert!(none.stderr.contains("compactvault init"), "{none:?}");
    place.run(["init"]).expect_code(0);
    assert_eq!(place.names(), ["default.vault"]);
    place.run(["ls"]).expect_code(0);
    place.run(["init", "other.vault"]).expect_code(0);
    let several = place.run(["ls"]);
    several.expect_code(2);
    assert!(
        several.stderr.contains("default.vault, other.vault"),
        "{several:?}"
    );
    place.run(["ls", "--vault", "other.vault"]).expect_code(0);
    let chosen = place
        .command(["ls"])
        .env("COMPACTVAULT_VAULT", "other.vault")
        .status()
        .expect("the program starts");
    assert!(chosen.success());
    let again = place.run(["init", "other.vault"]);
    again.expect_code(1);
    assert!(
        again.stderr.contains("other.vault exists already"),
        "{again:?}"
    );
}

#[test]
fn init_makes_the_vault_that_is_named_in_whichever_way() {
    let place = Place::empty();
    place.run(["init", "--vault", "named.vault"]).expect_code(0);
    let by_variable = place
        .command(["init"])
        .env("COMPACTVAULT_VAULT", "variable.vault")
        .status()
        .expect("the program starts");
    assert!(by_variable.success());
    assert_eq!(place.names(), ["named.vault", "variable.vault"]);
    let both = place.run(["init", "one.vault", "--vault", "other.vault"]);
    both.expect_code(2);
    assert!(both.stderr.contains("name it once"), "{both:?}");
    assert_eq!(place.names(), ["named.vault", "variable.vault"]);
}

#[test]
fn only_init_and_serve_create_a_vault() {
    let place = Place::empty();
    write(place.path("f"), "f");
    for args in [
        vec!["add", "--to", "P/C", "f"],
        vec!["ls"],
        vec!["get", "P/C/f"],
        vec!["export", "--out", "out"],
        vec!["verify"],
        vec!["verify", "missing.vault"],
        vec!["status"],
        vec!["checkpoint"],
    ] {
        for vault in [None, Some(["--vault", "missing.vault"])] {
            let args = args.iter().chain(vault.iter().flatten());
            let ran = place.run(args);
            ran.expect_code(15);
            assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
            assert_eq!(place.names(), ["f"]);
        }
    }
}

#[test]
fn what_is_no_vault_is_not_touched() {
    let place = Place::with_vault();
    write(place.path("f"), "f");
    let mut newer = fs::read(place.path("v.vault")).expect("the vault");
    newer[60..64].copy_from_slice(&99_u32.to_be_bytes());
    let files = [
        (
            "text.vault",
            b"just some text".to_vec(),
            "is not a CompactVault vault",
        ),
        ("empty.vault", Vec::new(), "is not a CompactVault vault"),
        ("newer.vault", newer, "use a newer compactvault"),
        (
            "other.vault",
            sqlite("CREATE TABLE t(x)"),
            "another program",
        ),
        (
            "original.vault",
            original(),
            "original CompactVault (Python)",
        ),
    ];
    for (name, bytes, message) in files {
        fs::write(place.path(name), &bytes).expect("a file");
        for args in [
            vec!["add", "--to", "P/C", "f"],
            vec!["ls"],
            vec!["verify"],
            vec!["status"],
            vec!["serve", "--no-open"],
        ] {
            let ran = place.run(args.iter().chain(&["--vault", name]));
            ran.expect_code(15);
            assert!(ran.stderr.contains(message), "{name}: {ran:?}");
            assert!(
                fs::read(place.path(name)).expect("the file") == bytes,
                "{name}"
            );
        }
        place.run(["init", name]).expect_code(1);
        assert!(
            fs::read(place.path(name)).expect("the file") == bytes,
            "{name}"
        );
        fs::remove_file(place.path(name)).expect("it is there");
    }
    assert_eq!(place.names(), ["f", "v.vault"]);
    // A folder is none either.
    fs::create_dir(place.path("folder.vault")).expect("a folder");
    place.run(["ls", "--vault", "folder.vault"]).expect_code(15);
}

#[test]
fn an_original_does_not_count() {
    let place = Place::empty();
    fs::write(place.path("old.vault"), original()).expect("a file");
    let alone = place.run(["ls"]);
    alone.expect_code(15);
    assert!(
        alone.stderr.contains("one of the original CompactVault"),
        "{alone:?}"
    );
    place.run(["init", "new.vault"]).expect_code(0);
    place.run(["ls"]).expect_code(0);
}

#[test]
fn looking_leaves_no_second_file() {
    let place = Place::with_vault();
    write(place.aside("f"), "f");
    let file = place.aside("f").into_os_string();
    place
        .run(["add".into(), "--to".into(), "P/C".into(), file])
        .expect_code(0);
    let before = fs::read(place.path("v.vault")).expect("the vault");
    for args in [
        vec!["ls", "P/C"],
        vec!["get", "P/C/f", "-o", "-"],
        vec!["verify"],
        vec!["verify", "--quick"],
        vec!["verify", "--deep", "v.vault"],
        vec!["status"],
        vec!["status", "v.vault"],
        vec!["checkpoint"],
        vec!["ls", "nowhere"],
        vec!["get", "999"],
    ] {
        place.run(&args);
        assert_eq!(place.names(), [OsString::from("v.vault")], "{args:?}");
        assert!(
            fs::read(place.path("v.vault")).expect("the vault") == before,
            "{args:?}"
        );
    }
}

#[test]
fn what_is_not_there_is_said_not_to_be() {
    let place = Place::with_vault();
    write(place.path("f"), "f");
    place.run(["add", "--to", "P/C", "f"]).expect_code(0);
    for (args, code, message) in [
        (vec!["ls", "P/D"], 1, "there is no entry at P/D"),
        (vec!["get", "P/C/g"], 1, "there is no entry at P/C/g"),
        (vec!["get", "4711"], 1, "4711"),
        (vec!["get", "1"], 1, "there is no asset 1"),
        (vec!["get", "P/C"], 2, "is a collection"),
        (vec!["get", "P"], 2, "is a project"),
        (vec!["export", "P/C/f", "--out", "o"], 2, "compactvault get"),
        (
            vec!["verify", "--quick", "--deep"],
            2,
            "cannot be used with",
        ),
        (vec!["add", "f"], 2, "--to"),
        (vec!["frobnicate"], 2, "unrecognized"),
        (
            vec!["serve", "--dir", ".", "--vault", "v.vault"],
            2,
            "not both",
        ),
        (
            vec!["serve", "--no-open", "--listen", "0.0.0.0:0"],
            2,
            "COMPACTVAULT_PASSWORD",
        ),
    ] {
        let ran = place.run(&args);
        ran.expect_code(code);
        assert!(ran.stderr.contains(message), "{args:?}: {ran:?}");
    }
    assert!(!place.path("o").exists());
}

#[expect(
    clippy::disallowed_methods,
    reason = "databases that are no vaults are made here"
)]
fn sqlite(sql: &str) -> Vec<u8> {
    let dir = tempfile::TempDir::new().expect("a temporary folder");
    let path = dir.path().join("db");
    let connection = rusqlite::Connection::open(&path).expect("a database");
    connection.execute_batch(sql).expect("valid SQL");
    drop(connection);
    fs::read(path).expect("the file")
}

/// As the Python original makes it.
fn original() -> Vec<u8> {
    sqlite(
        "CREATE TABLE projects(id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE collections(id INTEGER PRIMARY KEY, project_id INTEGER, name TEXT);
         CREATE TABLE assets(id INTEGER PRIMARY KEY, collection_id INTEGER, type TEXT, format TEXT,
            manifest TEXT, order_index INTEGER, created_at TEXT);
         CREATE TABLE metadata(asset_id INTEGER, key TEXT, value TEXT);
         CREATE TABLE chunks(hash TEXT PRIMARY KEY, data BLOB);",
    )
}
