//! Who may know of what: words and dependencies that are unwelcome in a folder.
//!
//! Cargo already refuses an import against the direction of the crates. These rules hold the edges
//! Cargo cannot see, between modules of one crate, and keep a crate from growing a dependency that
//! would change what it is. ARCHITECTURE.md explains the layers.

use super::Finding;
use super::code::{find_word, line_of, shipped};
use super::files::SourceFile;

/// Words that no shipped Rust code under `places` may hold, comments and tests apart.
struct Ban {
    places: &'static [&'static str],
    except: &'static [&'static str],
    words: &'static [&'static str],
    reason: &'static str,
}

/// The only modules that may hold `unsafe`, at most [`UNSAFE_LINES_MAX`] lines each: instruction sets, and a table of C functions.
const UNSAFE_MODULES: &[&str] = &[
    "crates/vault/src/parity/engine/gfni.rs",
    "crates/vault/src/sha256/two.rs",
    "crates/vault/src/store/vfs.rs",
];
const UNSAFE_LINES_MAX: usize = 400;

const SQL: &[&str] = &[
    "rusqlite",
    "SELECT ",
    "INSERT INTO ",
    "INSERT OR ",
    "UPDATE ",
    "DELETE FROM ",
    "CREATE TABLE ",
    "CREATE INDEX ",
    "PRAGMA ",
];

const BANS: &[Ban] = &[
    Ban {
        places: &["crates/vault"],
        except: &[],
        words: &[
            "axum",
            "hyper",
            "tower",
            "tokio",
            "http::",
            "StatusCode",
            "HeaderMap",
        ],
        reason: "the vault is synchronous and has never heard of HTTP; that is crates/server",
    },
    Ban {
        places: &["crates/vault/src"],
        // error.rs alone may name SQLite's errors, to sort them into ours.
        except: &[
            "crates/vault/src/store.rs",
            "crates/vault/src/store",
            "crates/vault/src/error.rs",
        ],
        words: SQL,
        reason: "SQL and SQLite live in crates/vault/src/store alone; ask its Rust API",
    },
    Ban {
        places: &["crates/server/src", "crates/cli/src"],
        except: &[],
        words: SQL,
        reason: "only the vault knows that it is SQLite; ask its public API",
    },
    Ban {
        places: &["crates"],
        // files.rs looks, read-only and immutable, at files that may be no vault at all.
        except: &[
            "crates/vault/src/store/open.rs",
            "crates/vault/src/store/files.rs",
            "crates/vault/tests",
            "crates/cli/tests",
            "crates/torture",
        ],
        words: &[
            "Connection::open",
            "Connection::open_in_memory",
            "Connection::open_in_memory_with_flags",
            "Connection::open_with_flags",
            "Connection::open_with_flags_and_vfs",
        ],
        reason: "crates/vault/src/store/open.rs sets and reads back what keeps a vault safe",
    },
    Ban {
        places: &["crates/preview/src"],
        except: &[],
        words: &[
            "compactvault_vault",
            "axum",
            "hyper",
            "tokio",
            "std::fs",
            "File::",
            "std::net",
            "Command::",
        ],
        reason: "what decodes hostile content gets bytes and gives values; it opens nothing",
    },
    Ban {
        places: &["crates/vault", "crates/preview", "crates/server"],
        except: &[],
        words: &["anyhow"],
        reason: "libraries have typed errors; anyhow belongs to crates/cli and xtask",
    },
    Ban {
        places: &[
            "crates/vault/src/ids.rs",
            "crates/vault/src/limits.rs",
            "crates/vault/src/entry.rs",
            "crates/vault/src/model.rs",
            "crates/vault/src/catalog.rs",
            "crates/vault/src/catalog",
            "crates/vault/src/chunking.rs",
            "crates/vault/src/codec.rs",
            "crates/vault/src/merkle.rs",
            "crates/vault/src/natural_order.rs",
            "crates/vault/src/relevance.rs",
            "crates/vault/src/query.rs",
            "crates/vault/src/query",
            "crates/vault/src/name.rs",
            "crates/vault/src/media.rs",
            "crates/vault/src/media",
            "crates/vault/src/parity.rs",
            "crates/vault/src/parity",
        ],
        except: &[],
        words: &[
            "std::fs",
            "std::thread",
            "std::process",
            "SystemTime::now",
            "Instant::now",
        ],
        reason: "base and pure modules know no files, clocks or threads; bytes in, values out",
    },
    Ban {
        places: &["crates/vault/src/parity.rs", "crates/vault/src/parity"],
        except: &[],
        words: &[
            "std::io",
            "File::",
            "Connection",
            "store::pool",
            "store::read",
            "store::write",
            "salvage",
            "rescue",
        ],
        reason: "parity is pure: what it heals may come from SQL or from bare pages, so it knows neither",
    },
    Ban {
        places: &["crates/vault/src/salvage.rs", "crates/vault/src/salvage"],
        except: &[],
        words: &[
            "Connection",
            "store::pool",
            "store::read",
            "store::write",
            "store::open",
            "parity::",
            "rescue::",
        ],
        reason: "salvage reads bare files where SQLite cannot; it finds rows and leaves it to rescue what they are worth",
    },
    Ban {
        places: &["crates/vault/src/salvage.rs", "crates/vault/src/salvage"],
        // Tests make the files that are salvaged.
        except: &[
            "crates/vault/src/salvage/tests.rs",
            "crates/vault/src/salvage/tests",
        ],
        words: &[
            "fs::write",
            "fs::remove_file",
            "fs::rename",
            "OpenOptions",
            "File::create",
            "File::create_new",
            "write_all_at",
        ],
        reason: "salvage only reads: a damaged file that is written to may lose what was left",
    },
    Ban {
        places: &["crates/vault/src/rescue.rs", "crates/vault/src/rescue"],
        except: &[],
        words: &["Connection", "store::pool", "OpenFlags"],
        reason: "rescue reads the old vault by salvage and writes the new one by the store's Writer, as ingest does",
    },
    Ban {
        places: &["crates/vault", "crates/server", "crates/cli"],
        except: UNSAFE_MODULES,
        words: &[
            "unsafe {",
            "unsafe fn",
            "unsafe impl",
            "unsafe trait",
            "unsafe extern",
        ],
        reason: "unsafe code is kept to the modules named in xtask/src/tidy/layers.rs",
    },
    Ban {
        places: &["crates/torture"],
        except: &[
            "crates/torture/src/shim/libc_calls.rs",
            "crates/torture/src/shim/vfs.rs",
        ],
        words: &[
            "unsafe {",
            "unsafe fn",
            "unsafe impl",
            "unsafe trait",
            "unsafe extern",
        ],
        reason: "what stands between a process and its disk talks C; the rest of the harness does not",
    },
];

/// A crate whose `[dependencies]` must not name any of these.
const DEPENDENCY_BANS: &[(&str, &[&str], &str)] = &[
    (
        "crates/vault/Cargo.toml",
        &["axum", "hyper", "tower", "tokio", "http", "anyhow", "clap"],
        "the vault is a synchronous library without HTTP, command line or untyped errors",
    ),
    (
        "crates/preview/Cargo.toml",
        &["compactvault-vault", "axum", "hyper", "tokio", "anyhow"],
        "what decodes hostile content knows neither vaults nor HTTP",
    ),
    (
        "crates/server/Cargo.toml",
        &["rusqlite", "anyhow", "clap"],
        "the server knows the vault's public API, not its store",
    ),
    (
        "crates/cli/Cargo.toml",
        &["rusqlite", "axum"],
        "the command line is glue",
    ),
];

pub(super) fn unwelcome_words(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.has_extension(&["rs"])) {
        let code = shipped(&file.text);
        for ban in BANS.iter().filter(|ban| ban.holds_for(file)) {
            for word in ban.words {
                findings.extend(find_word(&code, word).map(|at| {
                    let message = format!("`{}` is unwelcome here: {}", word.trim(), ban.reason);
                    Finding::at(&file.path, line_of(&code, at), message)
                }));
            }
        }
        if UNSAFE_MODULES.contains(&file.path.as_str()) && code.lines().count() > UNSAFE_LINES_MAX {
            let message = format!("a module with unsafe code has at most {UNSAFE_LINES_MAX} lines");
            findings.push(Finding::whole(&file.path, message));
        }
    }
    findings
}

impl Ban {
    fn holds_for(&self, file: &SourceFile) -> bool {
        self.places.iter().any(|place| file.is_under(place))
            && !self.except.iter().any(|place| file.is_under(place))
    }
}

pub(super) fn unwelcome_dependencies(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, names, reason) in DEPENDENCY_BANS {
        let Some(file) = files.iter().find(|file| file.path == *path) else {
            continue;
        };
        for (line, name) in dependencies(&file.text) {
            if names.contains(&name) {
                let message = format!("no dependency on `{name}` here: {reason}");
                findings.push(Finding::at(path, line, message));
            }
        }
    }
    findings
}

/// Line and name of each entry of `[dependencies]` (and of its tables per platform), not of
/// `[dev-dependencies]`: a test may look from outside.
fn dependencies(manifest: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut inside = false;
    manifest
        .lines()
        .enumerate()
        .filter_map(move |(index, line)| {
            let line = line.trim();
            if line.starts_with('[') {
                inside = line.ends_with("dependencies]") && !line.contains("dev-dependencies");
                let table = line.trim_matches(['[', ']']).split_once("dependencies.");
                return table.map(|(_, name)| (index + 1, name));
            }
            let end = line.find(['=', '.', ' '])?;
            (inside && !line.starts_with('#')).then_some((index + 1, &line[..end]))
        })
}

#[cfg(test)]
mod tests {
    use super::super::files::made_up;
    use super::*;

    fn words_found(path: &str, text: &str) -> usize {
        unwelcome_words(&made_up(&[(path, text)])).len()
    }

    #[test]
    fn each_layer_refuses_what_it_must_not_know() {
        let planted = [
            ("crates/vault/src/export.rs", "use axum::Router;"),
            (
                "crates/vault/src/export.rs",
                "fn f() -> http::Uri { todo() }",
            ),
            ("crates/vault/src/export.rs", "tokio::spawn(x);"),
            ("crates/vault/src/export.rs", "let sql = \"SELECT 1\";"),
            (
                "crates/preview/src/sound.rs",
                "let bytes = std::fs::read(path);",
            ),
            ("crates/server/src/wire.rs", "let sql = \"SELECT 1\";"),
            ("crates/cli/src/main.rs", "use rusqlite::Row;"),
            (
                "crates/vault/src/store/read.rs",
                "let c = Connection::open(path);",
            ),
            ("crates/server/src/lib.rs", "use anyhow::Result;"),
            (
                "crates/vault/src/codec.rs",
                "let t = std::time::Instant::now();",
            ),
            ("crates/server/src/lib.rs", "let x = unsafe { y() };"),
            ("crates/vault/src/parity.rs", "use std::io;"),
            (
                "crates/vault/src/parity/code.rs",
                "std::fs::read(path).expect(\"x\");",
            ),
            ("crates/vault/src/parity/cut.rs", "use crate::store::read;"),
            (
                "crates/vault/src/parity/builder.rs",
                "let sql = \"SELECT 1\";",
            ),
            ("crates/vault/src/salvage/page.rs", "use rusqlite::Row;"),
            (
                "crates/vault/src/salvage/shape.rs",
                "let sql = \"PRAGMA x\";",
            ),
            (
                "crates/vault/src/salvage/carve.rs",
                "use crate::parity::SHARD;",
            ),
            (
                "crates/vault/src/salvage/image.rs",
                "fs::remove_file(path).ok();",
            ),
            ("crates/vault/src/rescue/mend.rs", "use rusqlite::Row;"),
            ("crates/vault/src/rescue.rs", "use crate::store::pool;"),
        ];
        for (path, text) in planted {
            assert_eq!(words_found(path, text), 1, "{path}: {text}");
        }
    }

    #[test]
    fn the_same_words_are_welcome_where_they_belong() {
        let fine = [
            (
                "crates/server/src/lib.rs",
                "use axum::Router; use http::StatusCode;",
            ),
            (
                "crates/vault/src/store/read.rs",
                "use rusqlite::Row; let s = \"SELECT 1\";",
            ),
            ("crates/vault/src/store.rs", "let s = \"PRAGMA x\";"),
            (
                "crates/vault/src/store/open.rs",
                "rusqlite::Connection::open(path)",
            ),
            ("crates/cli/src/main.rs", "use anyhow::Result;"),
            (
                "crates/vault/src/export.rs",
                "//! Not over HTTP: no axum, no SELECT here.",
            ),
            (
                "crates/vault/src/verify.rs",
                "#[cfg(test)]\nmod tests { use rusqlite::Row; }",
            ),
            (
                "crates/vault/tests/it/worm.rs",
                "use rusqlite::Connection; Connection::open(p);",
            ),
            (
                "crates/vault/src/salvage/image.rs",
                "use std::fs::File; let file = File::open(path)?;",
            ),
            (
                "crates/vault/src/parity/cut.rs",
                "use crate::store::PAGE_BYTES;",
            ),
            (
                "crates/vault/src/rescue/history.rs",
                "use crate::store::write::Writer;",
            ),
            ("crates/vault/src/lib.rs", "#![deny(unsafe_code)]"),
            (
                "crates/server/src/lib.rs",
                "let policy = \"style-src 'unsafe-inline'\";",
            ),
        ];
        for (path, text) in fine {
            assert_eq!(words_found(path, text), 0, "{path}: {text}");
        }
    }

    #[test]
    fn manifests_are_held_too() {
        let manifest = "[package]\nname = \"v\"\n[dependencies]\nserde = \"1\"\ntokio = { version = \"1\" }\n\
            anyhow.workspace = true\n[dev-dependencies]\naxum = \"1\"\n[dependencies.clap]\nversion = \"4\"\n";
        let findings = unwelcome_dependencies(&made_up(&[("crates/vault/Cargo.toml", manifest)]));
        let lines: Vec<_> = findings.iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [5, 6, 9]);
    }
}
