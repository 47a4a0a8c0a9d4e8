//! A vault is of no use in thirty years if only its own program can read it.
//!
//! The shell commands of docs/recovery.md are taken out of the document and run as they stand, with nothing but
//! stock tools in the path: one file and one whole tree come back, byte for byte.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use compactvault_vault::{AssetId, Name, NewAsset, Timestamp, Vault, WalkNode};

use super::support::{Home, add, add_link, name, new_asset, noise, place, prose, read_all};
use super::varied::fill;

/// The shell blocks of the document: list, one file, a tree.
fn blocks() -> [String; 3] {
    let document = include_str!("../../../../docs/recovery.md");
    let blocks: Vec<String> = document
        .split("```sh\n")
        .skip(1)
        .map(|rest| {
            let (block, _) = rest.split_once("```").expect("a block that begins ends");
            block.to_owned()
        })
        .collect();
    blocks.try_into().expect("the document has three blocks")
}

/// Runs a block with the given variables. The tools must be there: a recipe that was not tried is none.
fn run(home: &Home, block: &str, variables: &[(&str, &OsStr)]) -> Output {
    for tool in ["sqlite3", "zstd", "sha256sum"] {
        let found = Command::new(tool).arg("--version").output();
        assert!(
            found.is_ok(),
            "`{tool}` is needed by this test (Debian: apt install sqlite3 zstd)"
        );
    }
    let temporary = home.path().join("temporary");
    fs::create_dir_all(&temporary).expect("a folder can be made");
    let output = Command::new("sh")
        .args(["-eu", "-c", block])
        .current_dir(home.path())
        .env("VAULT", home.file())
        .env("TMPDIR", &temporary)
        .envs(variables.iter().copied())
        .output()
        .expect("there is a shell");
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    output
}

fn filled(home: &Home) -> Vault {
    let vault = home.create();
    fill(&vault);
    vault
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_list_names_every_file() {
    let home = Home::new();
    let vault = filled(&home);
    let mut expected = 0;
    let mut known = Vec::new();
    for item in vault.walk(None, false).expect("it is intact") {
        let item = item.expect("it is intact");
        if let WalkNode::Asset(asset) = item.node {
            expected += 1;
            let path: Vec<_> = item.path.iter().map(Name::to_utf8_lossy).collect();
            known.push(format!("{}\t{}\t{}", asset.id, asset.size, path.join("/")));
        }
    }
    vault.close().expect("the vault closes");
    let [list, _, _] = blocks();
    let printed = text(&run(&home, &list, &[]));
    let lines = printed.lines().count();
    // One name holds a line break.
    assert_eq!(lines, expected + 1, "{printed}");
    assert!(
        printed.contains(&known[0]) && printed.contains(&known[200]),
        "{printed}"
    );
}

#[test]
fn single_files_come_back() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    let cases = [
        ("several chunks", noise(1, 2_500_000)),
        ("several compressed chunks", prose(2, 2_500_000)),
        ("packed", prose(3, 700)),
        ("packed with others", prose(4, 70_000)),
        ("empty", Vec::new()),
    ];
    let sealed: Vec<_> = cases
        .iter()
        .map(|(label, bytes)| add(&vault, place, label, bytes))
        .collect();
    vault.close().expect("the vault closes");
    let [_, one, _] = blocks();
    for ((label, bytes), sealed) in cases.iter().zip(sealed) {
        let out = home.path().join(format!("out of '{label}'"));
        let id = sealed.seq.to_string();
        let variables = [("ID", OsStr::new(&id)), ("OUT", out.as_os_str())];
        let printed = text(&run(&home, &one, &variables));
        assert_eq!(printed, "OK\n", "{label}");
        assert!(fs::read(&out).expect("it is there") == *bytes, "{label}");
    }
}

#[test]
fn a_file_in_the_wal_of_a_killed_process_comes_back_too() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    let sealed = add(&vault, place, "a", b"only in the WAL so far");
    assert!(
        home.files().contains(&"test.vault-wal".to_owned()),
        "the vault is still open"
    );
    let copy = Home::new();
    for file in ["test.vault", "test.vault-wal"] {
        fs::copy(home.path().join(file), copy.path().join(file)).expect("it can be copied");
    }
    let [_, one, _] = blocks();
    let id = sealed.seq.to_string();
    let out = copy.path().join("out");
    run(
        &copy,
        &one,
        &[("ID", OsStr::new(&id)), ("OUT", out.as_os_str())],
    );
    assert_eq!(
        fs::read(out).expect("it is there"),
        b"only in the WAL so far"
    );
}

/// Path below the folder to what lies there: kind, content, time and mode.
fn tree(folder: &Path) -> BTreeMap<PathBuf, (char, Vec<u8>, i64, bool)> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(at) = waiting.pop() {
        for entry in fs::read_dir(&at).expect("it can be read") {
            let path = entry.expect("it can be listed").path();
            let metadata = path.symlink_metadata().expect("it is there");
            let relative = path.strip_prefix(folder).expect("below").to_path_buf();
            let item = if metadata.is_dir() {
                waiting.push(path);
                ('d', Vec::new(), 0, false)
            } else if metadata.is_symlink() {
                let target = fs::read_link(&path).expect("a link has a target");
                ('l', target.as_os_str().as_bytes().to_vec(), 0, false)
            } else {
                let bytes = fs::read(&path).expect("it can be read");
                let executable = metadata.permissions().mode() & 0o100 != 0;
                ('f', bytes, metadata.mtime(), executable)
            };
            found.insert(relative, item);
        }
    }
    found
}

#[test]
fn a_whole_tree_comes_back() {
    let home = Home::new();
    let vault = filled(&home);
    let place = place(&vault);
    let asset = NewAsset {
        modified: Some(Timestamp {
            seconds: 1_000_000_007,
            nanoseconds: 5,
        }),
        executable: true,
        ..new_asset(place, name("a tool's $(name) `x`"))
    };
    let ingest = vault.ingest().expect("it takes things in");
    let (ticket, _) = ingest
        .archive(asset, &mut &b"#!/bin/sh\n"[..])
        .expect("memory can be read");
    ticket.wait().expect("it is sealed");
    add_link(&vault, place, "-n 'quoted' link", b"it's -- a\ntarget");
    let mut expected = BTreeMap::new();
    for item in vault.walk(None, false).expect("it is intact") {
        let item = item.expect("it is intact");
        let path: PathBuf = item
            .path
            .iter()
            .map(|part| OsStr::from_bytes(part.as_bytes()))
            .collect();
        let found = match item.node {
            WalkNode::Project(_) | WalkNode::Collection(_) => ('d', Vec::new(), 0, false),
            WalkNode::Link(link) => ('l', link.target, 0, false),
            WalkNode::Asset(asset) => {
                let bytes = read_all(&vault, AssetId::new(asset.id.seq())).expect("it is intact");
                let modified = asset.modified.map_or(0, |time| time.seconds);
                ('f', bytes, modified, asset.executable)
            }
        };
        expected.insert(path, found);
    }
    vault.close().expect("the vault closes");
    let [_, _, whole] = blocks();
    let to = home.path().join("the whole 'tree'");
    let printed = text(&run(
        &home,
        &whole,
        &[("ROOT", OsStr::new("0")), ("TO", to.as_os_str())],
    ));
    assert_eq!(printed, "");
    let mut found = tree(&to);
    for (path, item) in &mut found {
        // Assets that had no time get the time of their recovery.
        if expected.get(path).is_some_and(|expected| expected.2 == 0) {
            assert!(
                item.0 != 'f' || item.2 > 1_000_000_007,
                "{}",
                path.display()
            );
            item.2 = 0;
        }
    }
    assert!(found.keys().eq(expected.keys()), "{:?}", found.keys());
    for (path, item) in expected {
        assert!(found[&path] == item, "{}", path.display());
    }
    // A part of it alone.
    let vault = home.open();
    let part = vault
        .resolve(&[name("Glacier"), name("Textures")])
        .expect("it is there");
    let compactvault_vault::Node::Collection(part) = part else {
        panic!("{part:?}");
    };
    vault.close().expect("the vault closes");
    let to = home.path().join("part");
    let id = part.id.to_string();
    run(
        &home,
        &whole,
        &[("ROOT", OsStr::new(&id)), ("TO", to.as_os_str())],
    );
    let part = tree(&to);
    assert!(
        part.contains_key(Path::new("It's \"cold\"/Deep/one noise")),
        "{:?}",
        part.keys()
    );
    assert!(part.contains_key(Path::new("empty")));
}

/// The recipe checks what it gives out: damage is named, and the rest comes back.
#[test]
fn a_damaged_file_is_named_and_left_out() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    let bytes = noise(1, 300_000);
    add(&vault, place, "rotten", &bytes);
    add(&vault, place, "sound", &noise(2, 300_000));
    vault.close().expect("the vault closes");
    home.damage(&bytes[100_000..100_032]);
    let [_, _, whole] = blocks();
    let to = home.path().join("tree");
    let printed = text(&run(&home, &whole, &[("TO", to.as_os_str())]));
    assert_eq!(printed, "DAMAGED: ./P/C/rotten\n");
    assert!(!to.join("P/C/rotten").exists());
    assert!(fs::read(to.join("P/C/sound")).expect("it is there") == noise(2, 300_000));
}
