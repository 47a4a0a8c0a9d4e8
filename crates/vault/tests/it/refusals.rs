//! What is not a vault of this program is refused with the reason, and not a byte of it is touched.

use std::fs;
use std::path::Path;

use compactvault_vault::{FileState, OpenError, Vault, probe};
use rusqlite::Connection;

use super::support::{Home, add, file_digest, noise, place, plain};

/// Opens a file that must be refused; gives the error's code after checking that the file is as it was.
fn refused(home: &Home, path: &Path) -> &'static str {
    let before = file_digest(path);
    let files = home.files();
    let error = Vault::open(path, &home.options())
        .map(|_| ())
        .expect_err("this must not open");
    assert!(
        error.to_string().contains(&*path.to_string_lossy()),
        "the message names the file: {error}"
    );
    assert_eq!(file_digest(path), before, "its bytes were not touched");
    assert_eq!(home.files(), files, "nothing was left beside it");
    error.code()
}

fn vault_bytes(home: &Home) -> Vec<u8> {
    let vault = home.create();
    let place = place(&vault);
    add(&vault, place, "a", &noise(1, 300_000));
    vault.close().expect("the vault closes");
    fs::read(home.file()).expect("the vault can be read")
}

#[test]
fn files_of_other_kinds_are_not_vaults() {
    let home = Home::new();
    let path = home.path().join("other");
    let contents: [&[u8]; 5] = [
        b"",
        b"x",
        b"SQLite format 3\0",
        &[0; 4096],
        &noise(1, 100_000),
    ];
    for bytes in contents {
        fs::write(&path, bytes).expect("the file can be written");
        assert_eq!(
            refused(&home, &path),
            "not_a_vault",
            "{} bytes",
            bytes.len()
        );
    }
    assert_eq!(refused_folder(&home), "not_a_vault");
}

fn refused_folder(home: &Home) -> &'static str {
    let folder = home.path().join("folder.vault");
    fs::create_dir(&folder).expect("a folder can be made");
    Vault::open(&folder, &home.options())
        .map(|_| ())
        .expect_err("a folder is no vault")
        .code()
}

#[test]
fn a_file_that_is_not_there_is_not_created() {
    let home = Home::new();
    let error = Vault::open(&home.file(), &home.options())
        .map(|_| ())
        .expect_err("there is nothing");
    assert_eq!(error.code(), "vault_missing");
    assert_eq!(home.files(), Vec::<String>::new());
}

#[test]
fn creating_never_replaces_a_file() {
    let home = Home::new();
    fs::write(home.file(), b"precious").expect("the file can be written");
    let error = Vault::create(&home.file(), &home.options())
        .map(|_| ())
        .expect_err("there is something");
    assert!(matches!(error, OpenError::Exists { .. }), "{error}");
    assert_eq!(fs::read(home.file()).expect("it is there"), b"precious");
    #[cfg(unix)]
    {
        let dangling = home.path().join("dangling.vault");
        std::os::unix::fs::symlink("nowhere", &dangling).expect("a link can be made");
        let error = Vault::create(&dangling, &home.options())
            .map(|_| ())
            .expect_err("there is a link");
        assert!(matches!(error, OpenError::Exists { .. }), "{error}");
    }
}

#[test]
fn a_newer_container_is_left_to_a_newer_program() {
    let home = Home::new();
    let mut bytes = vault_bytes(&home);
    bytes[60..64].copy_from_slice(&2_u32.to_be_bytes());
    let path = home.path().join("newer.vault");
    fs::write(&path, &bytes).expect("the file can be written");
    assert_eq!(refused(&home, &path), "newer_vault");
    assert_eq!(probe(&path).expect("it can be read"), FileState::Newer(2));
    bytes[60..64].copy_from_slice(&0_u32.to_be_bytes());
    fs::write(&path, &bytes).expect("the file can be written");
    assert_eq!(refused(&home, &path), "not_a_vault");
}

#[test]
fn a_vault_of_the_original_is_recognised() {
    let home = Home::new();
    let path = home.path().join("original.vault");
    foreign(&path)
        .execute_batch(
            "CREATE TABLE projects (id); CREATE TABLE collections (id); CREATE TABLE assets (id); \
         CREATE TABLE metadata (id); CREATE TABLE chunks (id);",
        )
        .expect("tables can be made");
    assert_eq!(refused(&home, &path), "original_vault");
    let path = home.path().join("other.db");
    foreign(&path)
        .execute_batch("CREATE TABLE projects (id);")
        .expect("tables can be made");
    assert_eq!(refused(&home, &path), "not_a_vault");
}

#[expect(
    clippy::disallowed_methods,
    reason = "another program's database is needed"
)]
fn foreign(path: &Path) -> Connection {
    Connection::open(path).expect("a database can be made")
}

#[test]
fn a_truncated_vault_is_an_error_or_named_by_verification() {
    let home = Home::new();
    let bytes = vault_bytes(&home);
    let path = home.path().join("short.vault");
    for keep in [
        100,
        4096,
        16 * 1024,
        bytes.len() / 3,
        bytes.len() / 2,
        bytes.len() - 1,
    ] {
        fs::write(&path, &bytes[..keep]).expect("the file can be written");
        let before = file_digest(&path);
        let reading = compactvault_vault::OpenOptions {
            access: compactvault_vault::Access::Read,
            ..home.options()
        };
        match Vault::open(&path, &reading) {
            Err(error) => assert!(
                ["damaged", "not_a_vault", "store"].contains(&error.code()),
                "{keep}: {error}"
            ),
            Ok(vault) => {
                let report = vault.verify(compactvault_vault::VerifyLevel::Full, &|_| ());
                assert!(
                    report.is_err() || report.is_ok_and(|report| !report.findings.is_empty()),
                    "{keep} of {} bytes verify",
                    bytes.len()
                );
            }
        }
        assert_eq!(file_digest(&path), before, "{keep}");
    }
}

#[test]
fn a_changed_schema_opens_for_reading_only_and_says_why() {
    for change in [
        "CREATE TABLE extra (id)",
        "CREATE INDEX extra ON entry (size)",
        "DROP INDEX chunk_by_prefix",
        "DROP TRIGGER pack_is_never_deleted",
        "CREATE TRIGGER extra BEFORE INSERT ON entry BEGIN SELECT 1; END",
        "CREATE VIEW extra AS SELECT 1",
    ] {
        let home = Home::new();
        vault_bytes(&home);
        plain(&home.file())
            .execute_batch(change)
            .expect("other programs can do that");
        let vault = home.open();
        let why = vault.read_only().expect("it opens for reading only");
        assert!(why.contains("schema differs"), "{change}: {why}");
        assert!(vault.ingest().is_err(), "{change}");
        assert_eq!(vault.status().expect("it can be read").assets, 1);
    }
}

#[test]
fn statistics_are_no_change_of_the_schema() {
    let home = Home::new();
    vault_bytes(&home);
    plain(&home.file())
        .execute_batch("ANALYZE")
        .expect("other programs can do that");
    assert_eq!(home.open().read_only(), None);
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_written_is_read_and_left_alone() {
    use std::os::unix::fs::PermissionsExt;

    let home = Home::new();
    vault_bytes(&home);
    let folder = home.path();
    fs::set_permissions(home.file(), fs::Permissions::from_mode(0o444)).expect("it is ours");
    fs::set_permissions(folder, fs::Permissions::from_mode(0o555)).expect("it is ours");
    let writable = fs::write(folder.join("probe"), b"").is_ok();
    let opened = Vault::open(&home.file(), &home.options());
    let files = home.files();
    let outcome = opened.and_then(|vault| {
        let why = vault.read_only().map(str::to_owned);
        let status = vault.status().expect("it can be read");
        vault.close().map(|()| (why, status.assets))
    });
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let (why, assets) = outcome.expect("it opens");
    assert_eq!(assets, 1);
    // The administrator may write everywhere, whatever the modes say.
    if !writable {
        assert!(why.expect("read only").contains("cannot be written"));
        assert_eq!(files, ["test.vault"]);
    }
}
