//! Opening connections: the one place where `SQLite` is told how to behave, and where it is checked that it does.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the one place that may open connections"
)]

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};

use super::{APPLICATION_ID, CONTAINER_VERSION, PAGE_BYTES, VALUE_BYTES_MAX, vfs};
use crate::error::OpenError;
use crate::ids::Digest;
use crate::limits;
use crate::platform::private_file;

const SCHEMA: &str = include_str!("sql/v1.sql");

/// What lies inside every vault for people who have nothing else.
const DOCUMENTS: [(&str, &str); 2] = [
    (
        "vault-format.md",
        include_str!("../../../../docs/vault-format.md"),
    ),
    ("recovery.md", include_str!("../../../../docs/recovery.md")),
];

/// What a vault that this program makes holds for people who have nothing else, as (name, text).
pub(crate) fn documents() -> Vec<(String, String)> {
    DOCUMENTS
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect()
}

/// SHA-256 of each document by its name, for entry 0 to seal.
pub(crate) fn document_digests() -> std::collections::BTreeMap<String, String> {
    let digest = |text: &str| Digest::of(text.as_bytes()).to_string();
    DOCUMENTS
        .iter()
        .map(|(name, text)| ((*name).to_owned(), digest(text)))
        .collect()
}

/// Before this version two connections could corrupt a WAL database by writing and checkpointing at the same
/// moment (sqlite.org/wal.html, "The WAL-Reset Bug").
const SQLITE_VERSION_MIN: i32 = 3_051_003;

/// Pages in the WAL from which a healing commit copies them into the file: 64 MiB.
const HEALER_WAL_PAGES: u32 = 64 * 1024 * 1024 / PAGE_BYTES;

/// How the file may be used, decided once when the vault is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileMode {
    /// Others may have it open; reading connections are read-write handles with `query_only`, since a read-only
    /// handle that closes last leaves `-wal` and `-shm` behind.
    Shared,
    /// The file cannot be written but a WAL lies beside it.
    ReadOnly,
    /// Neither the file nor anything beside it can be written, and there is no WAL.
    Immutable,
    /// On a network file system, by explicit wish: rollback journal, exclusive lock, one connection.
    NetworkExclusive,
}

/// A connection that can only read.
pub(crate) fn reader(
    path: &Path,
    mode: FileMode,
    lock_timeout: Duration,
) -> Result<Connection, OpenError> {
    let base = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let flags = match mode {
        FileMode::Shared | FileMode::NetworkExclusive => OpenFlags::SQLITE_OPEN_READ_WRITE,
        FileMode::ReadOnly | FileMode::Immutable => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    let uri = file_uri(path, mode == FileMode::Immutable);
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(&uri, base | flags)?;
        harden(&connection, lock_timeout, limits::READER_CACHE_BYTES)?;
        super::listing::register_functions(&connection)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    };
    open().map_err(|error| translate(path, &error))
}

/// The connection that writes: WAL, `synchronous=FULL`, and an authorizer that lets nothing but appends through.
pub(crate) fn writer(
    path: &Path,
    mode: FileMode,
    lock_timeout: Duration,
) -> Result<Connection, OpenError> {
    // No commit waits for copying: see `write::checkpointer`.
    appending(path, mode, lock_timeout, 0)
}

fn appending(
    path: &Path,
    mode: FileMode,
    lock_timeout: Duration,
    autocheckpoint_pages: u32,
) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let open = || -> rusqlite::Result<Connection> {
        let uri = file_uri(path, false);
        let mut connection = Connection::open_with_flags_and_vfs(uri, flags, vfs::name())?;
        harden(&connection, lock_timeout, limits::WRITER_CACHE_BYTES)?;
        connection.pragma_update(None, "wal_autocheckpoint", autocheckpoint_pages)?;
        if mode == FileMode::NetworkExclusive {
            connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        }
        set_durable(&connection, mode)?;
        connection.set_prepared_statement_cache_capacity(64);
        connection.authorizer(Some(allow_appends))?;
        Ok(connection)
    };
    open().map_err(|error| translate(path, &error))
}

/// The connection that puts restored bytes back: as [`writer`], with the triggers of this one connection switched off,
/// since they refuse to change what is sealed, be it damaged or not. The authorizer still knows no DELETE of sealed rows,
/// no DDL and no attaching; that the bytes are those that were sealed is for `heal` to prove before it commits.
pub(crate) fn healer(
    path: &Path,
    mode: FileMode,
    lock_timeout: Duration,
) -> Result<Connection, OpenError> {
    let mut connection = appending(path, mode, lock_timeout, HEALER_WAL_PAGES)?;
    let mut allow = || -> rusqlite::Result<()> {
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        connection.authorizer(Some(allow_healing))
    };
    allow().map_err(|error| translate(path, &error))?;
    Ok(connection)
}

/// Writes the schema into a new, empty file; the caller gives the file its name when it is complete.
pub(crate) fn initialise(
    path: &Path,
    documents: &[(String, String)],
) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    // Its owner decides whom else to let at it; SQLite would ask the umask, and gives its side files the same mode.
    let mut options = private_file();
    options
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|source| OpenError::Io {
            action: "create",
            path: path.to_owned(),
            source,
        })?;
    let open = || -> rusqlite::Result<Connection> {
        let mut connection = Connection::open_with_flags(file_uri(path, false), flags)?;
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
        connection.pragma_update(None, "auto_vacuum", "NONE")?;
        connection.pragma_update(None, "encoding", "UTF-8")?;
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
        connection.pragma_update(None, "user_version", CONTAINER_VERSION)?;
        harden(&connection, Duration::ZERO, limits::WRITER_CACHE_BYTES)?;
        set_durable(&connection, FileMode::Shared)?;
        connection.execute_batch(&format!("BEGIN; {SCHEMA} COMMIT;"))?;
        for (name, text) in documents {
            connection.execute(
                "INSERT INTO document (name, text) VALUES (?1, ?2)",
                [name, text],
            )?;
        }
        connection.authorizer(Some(allow_appends))?;
        Ok(connection)
    };
    open().map_err(|error| translate(path, &error))
}

/// A connection that fills the empty file `path` with the pages of another vault. Nothing about it is durable: the
/// caller syncs the file, looks at all of it, and only then gives it its name.
pub(crate) fn blank(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(file_uri(path, false), flags)?;
    // Before anything is read: with a lock of its own the connection needs no `-shm`, whatever page 1 will say.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update(None, "journal_mode", "OFF")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    let cache_kib = i64::try_from(limits::READER_CACHE_BYTES / 1024).expect("caches are small");
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    Ok(connection)
}

/// Why the file must not be written although it is a vault of a known version: `None` if it is as it should be.
pub(crate) fn why_read_only(connection: &Connection) -> rusqlite::Result<Option<String>> {
    if fingerprint(connection)? != expected_fingerprint() {
        return Ok(Some(
            "the schema differs from the one this container version has: a table, index or trigger was \
             changed by something other than this program"
                .into(),
        ));
    }
    let cut_off = connection
        .path()
        .and_then(|path| super::files::why_cut_off(Path::new(path)));
    if cut_off.is_some() {
        return Ok(cut_off);
    }
    let text =
        |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, String>(0));
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let odd = number("page_size")? != i64::from(PAGE_BYTES)
        || number("auto_vacuum")? != 0
        || text("encoding")? != "UTF-8";
    Ok(odd.then(|| "the file's header differs from what this program writes".into()))
}

/// SHA-256 over the schema as the file holds it; statistics tables are left out.
pub(crate) fn fingerprint(connection: &Connection) -> rusqlite::Result<Digest> {
    let mut text = Vec::new();
    let mut statement = connection.prepare(
        "SELECT type, name, tbl_name, ifnull(sql, '') FROM sqlite_schema \
         WHERE name NOT LIKE 'sqlite_stat%' ORDER BY type, name",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for column in 0..4 {
            text.extend_from_slice(row.get_ref(column)?.as_bytes().unwrap_or_default());
            text.push(0);
        }
    }
    Ok(Digest::of(&text))
}

/// The fingerprint of a vault that this program makes.
pub(crate) fn expected_fingerprint() -> Digest {
    static FINGERPRINT: OnceLock<Digest> = OnceLock::new();
    *FINGERPRINT.get_or_init(|| {
        let connection = Connection::open_in_memory().expect("memory needs no file");
        connection
            .execute_batch(SCHEMA)
            .expect("the schema is valid SQL");
        fingerprint(&connection).expect("a schema can be read back")
    })
}

/// The tables of http-contract's Python original. Opened immutable, so nothing beside the file is created.
pub(crate) fn is_original(path: &Path) -> bool {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let uri = file_uri(path, true);
    Connection::open_with_flags(uri, flags)
        .and_then(|connection| {
            connection.query_row(
                "SELECT count(*) FROM sqlite_schema WHERE type = 'table' \
                 AND name IN ('projects', 'collections', 'assets', 'metadata', 'chunks')",
                [],
                |row| row.get::<_, i64>(0),
            )
        })
        .is_ok_and(|tables| tables == 5)
}

/// How a connection that writes undoes what was not committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JournalMode {
    Wal,
    /// A rollback journal that stays beside the file: finishing it is a write and a sync, removing it could come back.
    Persist,
}

impl JournalMode {
    const fn word(self) -> &'static str {
        match self {
            Self::Wal => "wal",
            Self::Persist => "persist",
        }
    }
}

/// Changes how the file is written, without waiting for anybody. Both ways are durable: `synchronous` stays FULL.
pub(crate) fn set_journal_mode(
    connection: &Connection,
    mode: JournalMode,
) -> rusqlite::Result<bool> {
    let got: String =
        connection.pragma_update_and_check(None, "journal_mode", mode.word(), |row| row.get(0))?;
    Ok(got.eq_ignore_ascii_case(mode.word()))
}

/// Whether the connection writes in that way, as of its last transaction.
pub(crate) fn has_journal_mode(connection: &Connection, mode: JournalMode) -> bool {
    connection
        .pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0))
        .is_ok_and(|got| got.eq_ignore_ascii_case(mode.word()))
}

/// Undoes what an interrupted import left, and gives the file its WAL back. Does not wait for anybody.
pub(crate) fn bring_back(path: &Path) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(file_uri(path, false), flags)?;
    harden(&connection, Duration::ZERO, limits::READER_CACHE_BYTES)?;
    set_durable(&connection, FileMode::Shared)
}

/// Stands in for a connection that was closed before the next can be opened.
pub(crate) fn placeholder() -> rusqlite::Result<Connection> {
    Connection::open_in_memory()
}

fn harden(
    connection: &Connection,
    lock_timeout: Duration,
    cache_bytes: usize,
) -> rusqlite::Result<()> {
    assert!(
        rusqlite::version_number() >= SQLITE_VERSION_MIN,
        "the bundled SQLite is older than the WAL-reset fix"
    );
    connection.busy_timeout(lock_timeout)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // Without this, values bound to `substr(?1, 1, 8)` have every execution planned anew.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    let cache_kib = i64::try_from(cache_bytes / 1024).expect("caches are small");
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    // Rot must be an error, and a mapped page that cannot be read is a signal.
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "recursive_triggers", true)?;
    Ok(())
}

fn set_durable(connection: &Connection, mode: FileMode) -> rusqlite::Result<()> {
    let wanted = if mode == FileMode::NetworkExclusive {
        "delete"
    } else {
        "wal"
    };
    let got: String =
        connection.pragma_update_and_check(None, "journal_mode", wanted, |row| row.get(0))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let synchronous: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
    if got.eq_ignore_ascii_case(wanted) && synchronous == 2 {
        return Ok(());
    }
    Err(rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN),
        Some(format!(
            "durable writing is not possible here: journal mode {got}, synchronous {synchronous}"
        )),
    ))
}

/// What the writing connection may do: read, append to any table, and keep derived tables up. Everything else is
/// refused while the statement is prepared; the triggers in the file say the same to everybody else.
fn allow_appends(context: AuthContext<'_>) -> Authorization {
    let allowed = match context.action {
        AuthAction::Select
        | AuthAction::Read { .. }
        | AuthAction::Function { .. }
        | AuthAction::Recursive
        | AuthAction::Transaction { .. }
        | AuthAction::Savepoint { .. } => true,
        AuthAction::Insert { table_name } => !table_name.starts_with("sqlite_"),
        AuthAction::Update { table_name, .. } | AuthAction::Delete { table_name } => {
            table_name.starts_with("derived_")
        }
        AuthAction::Pragma {
            pragma_name: "journal_mode",
            pragma_value,
        } => matches!(pragma_value, None | Some("wal" | "persist")),
        AuthAction::Pragma { pragma_name, .. } => {
            matches!(
                pragma_name,
                "wal_checkpoint" | "data_version" | "optimize" | "synchronous"
            )
        }
        _ => false,
    };
    if allowed {
        Authorization::Allow
    } else {
        Authorization::Deny
    }
}

/// What the healing connection may do beyond [`allow_appends`]: replace the columns of a row, and remake an index.
fn allow_healing(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Update { table_name, .. } if !table_name.starts_with("sqlite_") => {
            Authorization::Allow
        }
        // The pragmas ask how the pages are used.
        AuthAction::Reindex { .. }
        | AuthAction::Pragma {
            pragma_name: "freelist_count" | "page_count" | "integrity_check",
            ..
        } => Authorization::Allow,
        _ => allow_appends(context),
    }
}

/// `SQLite` URIs take percent-encoded bytes, so any path can be written as one.
pub(crate) fn file_uri(path: &Path, immutable: bool) -> String {
    use std::fmt::Write as _;
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => {
                uri.push(char::from(*byte));
            }
            _ => write!(uri, "%{byte:02x}").expect("a string takes everything"),
        }
    }
    if immutable {
        uri.push_str("?immutable=1");
    }
    uri
}

pub(crate) fn translate(path: &Path, error: &rusqlite::Error) -> OpenError {
    use rusqlite::ErrorCode;
    let path = path.to_path_buf();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Busy { path },
        Some(ErrorCode::NotADatabase) => OpenError::NotAVault {
            path,
            reason: "it is no SQLite database".into(),
        },
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Damaged {
            path,
            detail: error.to_string(),
        },
        _ => OpenError::Store {
            path,
            detail: error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;
    use crate::store::read;

    #[test]
    fn the_schema_of_container_version_1_never_drifts() {
        assert_eq!(
            expected_fingerprint().to_string(),
            "4cda32e5afa75fc6f235326dbb6259bb3a4c32f4a01cace6dc909e13845acf34"
        );
    }

    /// Statements that neither connection may run, whatever the triggers say.
    const REFUSED: [&str; 22] = [
        "UPDATE entry SET name = NULL",
        "UPDATE OR IGNORE pack SET codec = 0",
        "DELETE FROM entry",
        "DELETE FROM root WHERE size = 1",
        "INSERT INTO entry SELECT * FROM entry WHERE 0 ON CONFLICT DO UPDATE SET name = NULL",
        "DROP TRIGGER entry_is_never_changed",
        "DROP TABLE pack",
        "DROP INDEX chunk_by_prefix",
        "ALTER TABLE entry RENAME TO gone",
        "ALTER TABLE entry DROP COLUMN body",
        "ALTER TABLE entry ADD COLUMN extra",
        "CREATE TABLE extra (id)",
        "CREATE TRIGGER extra BEFORE INSERT ON entry BEGIN SELECT 1; END",
        "CREATE TEMP TRIGGER extra BEFORE INSERT ON main.entry BEGIN SELECT 1; END",
        "CREATE VIEW extra AS SELECT 1",
        "ATTACH 'other' AS other",
        "PRAGMA writable_schema = ON",
        "PRAGMA journal_mode = OFF",
        "PRAGMA user_version = 9",
        "PRAGMA application_id = 9",
        "UPDATE sqlite_schema SET sql = ''",
        "REINDEX",
    ];

    fn made() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("test.vault");
        let connection = initialise(&path, &[]).expect("a vault can be made");
        connection
            .execute_batch("INSERT INTO root VALUES (1, zeroblob(32))")
            .expect("appending is what it is for");
        connection.close().expect("it closes");
        (folder, path)
    }

    #[test]
    fn the_writing_connection_appends_and_does_nothing_else() {
        let (_folder, path) = made();
        let writer = writer(&path, FileMode::Shared, Duration::ZERO).expect("it opens");
        for statement in REFUSED {
            let before = fingerprint(&writer).expect("it can be read");
            assert!(writer.execute_batch(statement).is_err(), "{statement}");
            assert_eq!(fingerprint(&writer).expect("it can be read"), before);
        }
        for replace in [
            "INSERT OR REPLACE INTO root VALUES (1, zeroblob(32))",
            "REPLACE INTO root VALUES (1, zeroblob(32))",
        ] {
            let error = writer.execute_batch(replace).expect_err(replace);
            assert!(error.to_string().contains("never replaced"), "{error}");
        }
        writer
            .execute_batch("INSERT INTO root VALUES (2, zeroblob(32))")
            .expect("appending is what it is for");
    }

    #[test]
    fn a_reading_connection_writes_nothing_at_all() {
        let (_folder, path) = made();
        let reader = reader(&path, FileMode::Shared, Duration::ZERO).expect("it opens");
        // A reader has no authorizer: a pragma that is only remembered does no harm, and is tried below.
        for statement in REFUSED.into_iter().filter(|s| !s.starts_with("PRAGMA")) {
            let outcome = reader.execute_batch(statement);
            assert!(outcome.is_err() || statement == "REINDEX", "{statement}");
        }
        for statement in [
            "INSERT INTO root VALUES (2, zeroblob(32))",
            "DELETE FROM derived_fact",
            "PRAGMA user_version = 9",
        ] {
            assert!(reader.execute_batch(statement).is_err(), "{statement}");
        }
        assert_eq!(
            fingerprint(&reader).expect("it can be read"),
            expected_fingerprint()
        );
    }

    #[test]
    fn the_healing_connection_replaces_columns_and_neither_deletes_nor_alters() {
        let (_folder, path) = made();
        let healer = healer(&path, FileMode::Shared, Duration::ZERO).expect("it opens");
        let healing = [
            "UPDATE entry",
            "UPDATE OR IGNORE pack",
            "INSERT INTO entry SELECT",
            "REINDEX",
        ];
        for statement in REFUSED {
            let before = fingerprint(&healer).expect("it can be read");
            let may = healing.iter().any(|start| statement.starts_with(start));
            assert_eq!(healer.execute_batch(statement).is_ok(), may, "{statement}");
            assert_eq!(fingerprint(&healer).expect("it can be read"), before);
        }
        healer
            .execute_batch("UPDATE root SET sha256 = zeroblob(32) WHERE size = 1")
            .expect("its triggers are off");
        drop(healer);
        let other = writer(&path, FileMode::Shared, Duration::ZERO).expect("it opens");
        let replaced = other.execute_batch("REPLACE INTO root VALUES (1, zeroblob(32))");
        assert!(replaced.is_err(), "those of other connections are on");
    }

    #[test]
    fn looking_for_a_chunk_is_planned_once_and_not_for_every_digest() {
        let (_folder, path) = made();
        for connection in [
            reader(&path, FileMode::Shared, Duration::ZERO).expect("it opens"),
            writer(&path, FileMode::Shared, Duration::ZERO).expect("it opens"),
        ] {
            let locate = || connection.prepare_cached(read::LOCATE_CHUNK);
            for digest in 0..5_u8 {
                let mut statement = locate().expect("the tables are there");
                assert!(!statement.exists([[digest; 32]]).expect("it can be asked"));
            }
            let statement = locate().expect("the tables are there");
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
        }
    }

    #[test]
    fn any_path_becomes_a_uri() {
        assert_eq!(
            file_uri(Path::new("/a b/ü?#.vault"), false),
            "file:/a%20b/%c3%bc%3f%23.vault"
        );
        assert_eq!(file_uri(Path::new("/x"), true), "file:/x?immutable=1");
    }
}
