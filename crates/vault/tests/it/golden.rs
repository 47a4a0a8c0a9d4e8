//! A vault from the past opens, and answers as it did on the day it was made.
//!
//! The file is in tests/fixtures, with a README that says when it may be made anew: `UPDATE_FIXTURE=1` does that.

use std::fs;
use std::path::PathBuf;
use std::sync::Once;

use compactvault_vault::{
    CollectionId, Digest, Name, NewAsset, NewLink, PlaceId, Seq, Timestamp, Vault, VerifyLevel,
    WalkNode,
};

use super::support::{
    Home, add, add_link, file_digest, name, new_asset, noise, place, prose, read_all,
};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// A small vault with something of everything: versions, links, odd names, both codecs, a manifest, a subtree.
fn fill(vault: &Vault) {
    let top = place(vault);
    let (deep, _) = vault
        .create_collection(PlaceId::Collection(top), name("Deep 'est'"), "album")
        .expect("a collection can be created");
    add(vault, top, "empty", b"");
    add(vault, top, "stored.bin", &noise(1, 66_000));
    add(vault, top, "packed.txt", &prose(2, 3000));
    let mut long = vec![0; 1_300_000];
    long.extend(prose(3, 100_000));
    add(vault, deep.id, "of several chunks.bin", &long);
    for version in [&b"one"[..], b"two", b"three"] {
        add(vault, deep.id, "versions.txt", version);
    }
    add_link(vault, deep.id, "link", b"../stored.bin");
    add_link(vault, deep.id, "link", b"nowhere \xff");
    let ingest = vault.ingest().expect("it takes things in");
    let odd = NewAsset {
        modified: Some(Timestamp {
            seconds: -2,
            nanoseconds: 999_999_999,
        }),
        executable: true,
        ..new_asset(
            deep.id,
            Name::new(*b"not utf-8 \xff\n").expect("odd but good"),
        )
    };
    let (ticket, _) = ingest
        .archive(odd, &mut &b"#!"[..])
        .expect("memory can be read");
    ticket.wait().expect("it is sealed");
    ingest.set_bulk(true);
    let mut last = None;
    for n in 0..250_u32 {
        let link = NewLink {
            place: PlaceId::Collection(top),
            folders: vec![name("Many")],
            name: name(&n.to_string()),
            target: b"x".to_vec(),
            modified: None,
        };
        last = Some(ingest.link(link).expect("the link is accepted"));
    }
    let last = last.expect("there were some");
    last.wait().expect("it is sealed, and so are those before");
}

/// What is in the vault, one thing a line, in words of this test so that it can be compared for ever.
fn listing(vault: &Vault) -> String {
    let mut text = String::new();
    let mut say = |words: String| {
        text.push_str(&words);
        text.push('\n');
    };
    let status = vault.status().expect("it is intact");
    say(format!("vault {} root {}", status.vault, status.root));
    say(format!(
        "{} entries {} projects {} collections {} assets {} links {} chunks {} packs {} bytes {} unique",
        status.entries,
        status.projects,
        status.collections,
        status.assets,
        status.links,
        status.chunks,
        status.packs,
        status.logical_bytes,
        status.unique_bytes
    ));
    for all_versions in [false, true] {
        for item in vault.walk(None, all_versions).expect("it is intact") {
            let item = item.expect("it is intact");
            let path: Vec<String> = item.path.iter().map(Name::escaped).collect();
            let what = match item.node {
                WalkNode::Project(id) => format!("project {id}"),
                WalkNode::Collection(id) => {
                    let collection = vault.collection(id).expect("it is intact");
                    format!("collection {id} {}", collection.type_word)
                }
                WalkNode::Link(link) => format!(
                    "link {} {:?} {}",
                    link.seq,
                    link.modified,
                    link.target.escape_ascii()
                ),
                WalkNode::Asset(asset) => format!(
                    "asset {} {:?} {} {} {:08x} {} {}",
                    asset.id,
                    asset.modified,
                    asset.executable,
                    asset.size,
                    asset.crc32,
                    asset.sha256,
                    Digest::of(&read_all(vault, asset.id).expect("it is intact"))
                ),
            };
            say(format!("{}: {what}", path.join("/")));
        }
    }
    text
}

fn made_anew() {
    let home = Home::new();
    let vault = home.create();
    fill(&vault);
    let checkpoint = vault.checkpoint().expect("it is intact");
    vault.close().expect("the vault closes");
    fs::create_dir_all(fixture("")).expect("a folder can be made");
    fs::copy(home.file(), fixture("v1.vault")).expect("it can be written");
    fs::write(fixture("v1.checkpoint"), checkpoint.note).expect("it can be written");
    fs::write(fixture("v1.txt"), listing(&home.open())).expect("it can be written");
}

/// A copy of the fixture to play with, which is made anew first, once, if that is asked for.
fn copied() -> Home {
    static MADE: Once = Once::new();
    if std::env::var_os("UPDATE_FIXTURE").is_some() {
        MADE.call_once(made_anew);
    }
    let home = Home::new();
    fs::copy(fixture("v1.vault"), home.file()).expect("the fixture is there");
    home
}

#[test]
fn a_vault_of_format_1_answers_as_it_did() {
    let home = copied();
    let expected = fs::read_to_string(fixture("v1.txt")).expect("the fixture is there");
    let vault = home.open();
    let found = listing(&vault);
    vault.close().expect("the vault closes");
    for (found, expected) in found.lines().zip(expected.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.lines().count(), expected.lines().count());
    assert_eq!(
        file_digest(&home.file()),
        file_digest(&fixture("v1.vault")),
        "reading changed nothing"
    );
    let vault = home.open();
    let report = vault
        .verify(VerifyLevel::Deep, &|_| ())
        .expect("verification ends");
    assert_eq!(report.findings, []);
    let checkpoint = vault.checkpoint().expect("it is intact");
    let kept = fs::read_to_string(fixture("v1.checkpoint")).expect("the fixture is there");
    assert!(kept.starts_with(&checkpoint.note), "{kept}");
}

#[test]
fn a_vault_of_format_1_can_be_added_to() {
    let home = copied();
    let vault = Vault::open(&home.file(), &home.options()).expect("the vault opens");
    assert_eq!(vault.read_only(), None);
    let before = vault.log_size().expect("it can be asked");
    let collection = (0..before)
        .find(|seq| vault.collection(CollectionId::new(Seq::new(*seq))).is_ok())
        .expect("it has one");
    let collection = CollectionId::new(Seq::new(collection));
    let again = add(&vault, collection, "empty", b"");
    assert!(again.already_archived, "what it had is recognised");
    let fresh = add(&vault, collection, "fresh", b"fresh");
    assert_eq!(fresh.seq.get(), before);
    let report = vault
        .verify(VerifyLevel::Deep, &|_| ())
        .expect("verification ends");
    assert_eq!(report.findings, []);
}
