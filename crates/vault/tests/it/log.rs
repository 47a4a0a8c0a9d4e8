//! The log, computed again by somebody who has read docs/vault-format.md and nothing else.
//!
//! No code of the library is used on this side but to make the vault: rows come from a plain connection, SHA-256 from
//! its crate, and the tree's hash twice, by the recursion of RFC 6962 and by `tlog_tiles`.

use std::path::Path;

use compactvault_vault::{Access, OpenOptions, Vault};
use rusqlite::types::Value;
use sha2::{Digest as _, Sha256};
use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::{Hash, HashReader, stored_hashes, tree_hash};

use super::support::{Home, add, place, plain};
use super::varied::fill;

/// The columns that make up a leaf, in order; docs/vault-format.md, "Leaves".
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

fn leaf(values: &[Value]) -> Vec<u8> {
    let mut leaf = b"compactvault-entry/1\n".to_vec();
    for value in values {
        match value {
            Value::Null => leaf.push(0),
            Value::Integer(number) => {
                leaf.push(1);
                leaf.extend_from_slice(&number.to_be_bytes());
            }
            Value::Blob(bytes) => {
                leaf.push(2);
                leaf.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
                leaf.extend_from_slice(bytes);
            }
            other => panic!("no column holds {other:?}"),
        }
    }
    leaf
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// RFC 6962, 2.1.
fn tree(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => sha256(&[]),
        [only] => *only,
        _ => {
            let split = leaves.len().next_power_of_two() / 2;
            let (left, right) = leaves.split_at(split);
            sha256(&[&[1], &tree(left), &tree(right)])
        }
    }
}

/// Every leaf's encoding, and the leaf hash stored beside it.
fn leaves(path: &Path) -> Vec<(Vec<u8>, [u8; 32])> {
    let connection = plain(path);
    let mut statement = connection
        .prepare(&format!(
            "SELECT {}, leaf FROM entry ORDER BY seq",
            COLUMNS.join(", ")
        ))
        .expect("the columns are there");
    let rows = statement
        .query_map([], |row| {
            let values: Vec<Value> = (0..COLUMNS.len())
                .map(|column| row.get(column))
                .collect::<Result<_, _>>()?;
            Ok((leaf(&values), row.get(COLUMNS.len())?))
        })
        .expect("the rows can be read");
    rows.collect::<Result<_, _>>().expect("they can be read")
}

fn numbered(path: &Path, sql: &str) -> Vec<(i64, [u8; 32])> {
    let connection = plain(path);
    let mut statement = connection.prepare(sql).expect("the table is there");
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("the rows can be read");
    rows.collect::<Result<_, _>>().expect("they can be read")
}

fn filled(home: &Home) -> Vault {
    let vault = home.create();
    fill(&vault);
    vault
}

#[test]
fn every_leaf_root_and_subtree_is_what_the_format_says() {
    let home = Home::new();
    let vault = filled(&home);
    let checkpoint = vault.checkpoint().expect("it is intact");
    vault.close().expect("the vault closes");
    let leaves = leaves(&home.file());
    let hashes: Vec<[u8; 32]> = leaves
        .iter()
        .map(|(leaf, stored)| {
            assert_eq!(sha256(&[&[0], leaf]), *stored);
            assert!(leaf.len() < 65_536, "C2SP tlog-tiles bounds a leaf");
            *stored
        })
        .collect();
    let roots = numbered(&home.file(), "SELECT size, sha256 FROM root ORDER BY size");
    assert!(roots.len() > 10);
    for (size, root) in &roots {
        assert_eq!(tree(&hashes[..*size as usize]), *root, "at {size}");
    }
    assert_eq!(roots.last().map(|root| root.0 as usize), Some(leaves.len()));
    assert_eq!(
        roots.last().map(|root| root.1),
        Some(*checkpoint.root.as_bytes())
    );
    let subtrees = numbered(&home.file(), "SELECT id, sha256 FROM subtree ORDER BY id");
    let complete = leaves.len() / 256;
    assert!(complete > 0);
    let expected: Vec<(i64, [u8; 32])> = hashes
        .chunks_exact(256)
        .zip(1_i64 << 48..)
        .map(|(chunk, id)| (id, tree(chunk)))
        .collect();
    assert_eq!(subtrees, expected);
}

#[test]
fn the_worked_example_of_the_document_is_right() {
    let document = include_str!("../../../../docs/vault-format.md");
    let (_, rest) = document.split_once("```leaf\n").expect("it has an example");
    let (example, rest) = rest.split_once("```").expect("it ends");
    // Hex digits stand left, their meaning right of two spaces.
    let hex: String = example
        .lines()
        .filter_map(|line| line.split("  ").next())
        .flat_map(|line| line.chars().filter(|c| *c != ' '))
        .collect();
    let bytes: Vec<u8> = (0..hex.len() / 2)
        .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex digits"))
        .collect();
    let hash = compactvault_vault::Digest::new(sha256(&[&[0], &bytes])).to_string();
    assert!(rest.contains(&format!("`{hash}`")), "{hash}");
}

struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|at| self.0[*at as usize]).collect())
    }
}

#[test]
fn a_library_for_transparency_logs_computes_the_same_root() {
    let home = Home::new();
    filled(&home).close().expect("the vault closes");
    let roots = numbered(&home.file(), "SELECT size, sha256 FROM root");
    let mut stored = Stored(Vec::new());
    for (n, (leaf, _)) in leaves(&home.file()).iter().enumerate() {
        let new = stored_hashes(n as u64, leaf, &stored).expect("a leaf can be appended");
        stored.0.extend(new);
        if let Some((_, root)) = roots.iter().find(|(size, _)| *size as usize == n + 1) {
            let hash = tree_hash(n as u64 + 1, &stored).expect("all hashes are there");
            assert_eq!(hash.0, *root);
        }
    }
}

/// The public key as the file tells it, which is all that a stranger has.
fn public_key(path: &Path) -> String {
    plain(path)
        .query_row(
            "SELECT json_extract(CAST(body AS TEXT), '$.public_key') FROM entry WHERE seq = 0",
            [],
            |row| row.get(0),
        )
        .expect("entry 0 holds the key")
}

#[test]
fn a_checkpoint_verifies_with_the_key_in_the_first_entry() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    add(&vault, place, "a", b"x");
    let checkpoint = vault.checkpoint().expect("it is intact");
    assert!(checkpoint.signed);
    let key = public_key(&home.file());
    assert_eq!(key, vault.public_key());
    let verifier = StandardVerifier::new(&key).expect("the key is one");
    let note = Note::from_bytes(checkpoint.note.as_bytes()).expect("it is a signed note");
    let (known, unknown) = note
        .verify(&VerifierList::new(vec![Box::new(verifier)]))
        .expect("the signature holds");
    assert_eq!((known.len(), unknown.len()), (1, 0));
    let text = String::from_utf8(note.text().to_vec()).expect("it is text");
    let lines: Vec<&str> = text.lines().collect();
    let root = base64::Engine::encode(
        &base64::prelude::BASE64_STANDARD,
        checkpoint.root.as_bytes(),
    );
    assert_eq!(
        lines,
        [&format!("compactvault/{}", vault.id()), "4", &root],
        "origin, size, root"
    );
    // Another vault's key does not sign for it.
    let other = Home::new();
    let stranger = other.create();
    let verifier = StandardVerifier::new(stranger.public_key()).expect("the key is one");
    assert!(
        note.verify(&VerifierList::new(vec![Box::new(verifier)]))
            .is_err()
    );
}

#[test]
fn without_the_key_a_checkpoint_is_unsigned_and_otherwise_the_same() {
    let home = Home::new();
    let vault = home.create();
    let signed = vault.checkpoint().expect("it is intact");
    vault.close().expect("the vault closes");
    let options = OpenOptions {
        access: Access::Read,
        state_dir: Some(home.path().join("elsewhere")),
        ..OpenOptions::default()
    };
    let vault = Vault::open(&home.file(), &options).expect("it opens without its key");
    let unsigned = vault.checkpoint().expect("it is intact");
    assert!(!unsigned.signed);
    assert!(signed.note.starts_with(&unsigned.note));
    assert_eq!(unsigned.note.lines().count(), 3);
    // A key of another vault in the place of its own is not used.
    let other = Home::new();
    let stranger = other.create();
    let folder = home.path().join("elsewhere").join(vault.id().to_string());
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    std::fs::copy(
        stranger.state_dir().join("signing-key"),
        folder.join("signing-key"),
    )
    .expect("the key can be copied");
    assert!(!vault.checkpoint().expect("it is intact").signed);
}

#[cfg(unix)]
#[test]
fn the_secret_key_is_its_owners_alone_and_not_in_the_vault() {
    use std::os::unix::fs::PermissionsExt;

    let home = Home::new();
    let vault = home.create();
    let key = vault.state_dir().join("signing-key");
    let mode = |path: &Path| {
        let metadata = std::fs::metadata(path).expect("it is there");
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(mode(&key), 0o600);
    assert_eq!(mode(vault.state_dir()), 0o700);
    let secret = std::fs::read_to_string(&key).expect("it can be read");
    // The last of five parts, which is base64 and may hold a + itself.
    let secret = secret.trim().splitn(5, '+').last().expect("it has parts");
    vault.close().expect("the vault closes");
    let bytes = std::fs::read(home.file()).expect("the vault can be read");
    assert!(
        !bytes
            .windows(secret.len())
            .any(|window| window == secret.as_bytes())
    );
}
