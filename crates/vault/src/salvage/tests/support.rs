//! A vault to take apart, bytes to damage it with, and its rows as text.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::ids::Digest;
use crate::ingest::NewAsset;
use crate::model::PlaceId;
use crate::name::Name;
use crate::salvage::carve::{Blob, Row, read_blob};
use crate::salvage::image::Image;
use crate::store::{CAPSULE_MAGIC, dump};
use crate::vault::{OpenOptions, Vault};

/// A folder with a vault `v`, and ways to take it apart.
pub(super) struct Home(TempDir);

impl Home {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder can be made"))
    }

    pub(super) fn with(file: &[u8], wal: Option<&[u8]>) -> Self {
        let home = Self::new();
        fs::write(home.file(), file).expect("it can be written");
        if let Some(wal) = wal {
            fs::write(home.wal(), wal).expect("it can be written");
        }
        home
    }

    pub(super) fn file(&self) -> PathBuf {
        self.0.path().join("v")
    }

    pub(super) fn wal(&self) -> PathBuf {
        self.0.path().join("v-wal")
    }

    pub(super) fn create(&self) -> Vault {
        let options = OpenOptions {
            state_dir: Some(self.0.path().join("state")),
            // What merged stripes leave in freed pages would be found, too; tests add parity of their own.
            parity: crate::model::Parity::Off,
            ..OpenOptions::default()
        };
        Vault::create(&self.file(), &options).expect("a vault can be created")
    }

    pub(super) fn image(&self) -> Image {
        Image::open(&self.file()).expect("it can be read")
    }
}

/// `SplitMix64`: the same numbers for ever.
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("it fits")
    }

    pub(super) fn noise(&mut self, bytes: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes + 8);
        while out.len() < bytes {
            out.extend_from_slice(&self.next().to_le_bytes());
        }
        out.truncate(bytes);
        out
    }
}

/// Archives files into a new project, all in as few commits as they take.
pub(super) fn add(vault: &Vault, project: &str, files: &[Vec<u8>]) {
    let name = |text: &str| Name::new(text).expect("tests use good names");
    // Of such a description every byte takes six in the entry's body, which needs an overflow page.
    let description = "\u{1}".repeat(4000);
    let (project, _) = vault
        .create_project(name(project), "project", &description)
        .expect("a project can be created");
    let ingest = vault.ingest().expect("the vault takes things in");
    let tickets: Vec<_> = files
        .iter()
        .enumerate()
        .map(|(number, file)| {
            let asset = NewAsset {
                place: PlaceId::Project(project.id),
                folders: vec![name("folder")],
                name: name(&format!("file {number} of those that are archived here")),
                modified: None,
                executable: number % 2 == 0,
                expected_size: None,
                expected_sha256: None,
            };
            let archived = ingest.archive(asset, &mut &file[..]);
            archived.expect("memory can be read").0
        })
        .collect();
    for ticket in tickets {
        ticket.wait().expect("it is sealed");
    }
}

/// A closed vault with rows of all tables, several pages of entries and of chunks, and what `SQLite` reads in it.
pub(super) fn full() -> (Home, BTreeSet<String>) {
    let home = Home::new();
    let vault = home.create();
    let mut numbers = Numbers(1);
    add(&vault, "large", &[numbers.noise(3 << 20), vec![7; 5 << 20]]);
    let small: Vec<_> = (0..400).map(|n| numbers.noise(20 + 7 * n)).collect();
    add(&vault, "small", &small);
    for n in 0..5 {
        add(&vault, &format!("single {n}"), &[numbers.noise(100_000)]);
    }
    vault.close().expect("it closes");
    let parity: Vec<_> = [100, 4096, 16_300, 16_400, 200_000]
        .into_iter()
        .zip(0..)
        .map(|(bytes, stripe)| (stripe, [&CAPSULE_MAGIC[..], &numbers.noise(bytes)].concat()))
        .collect();
    dump::add_parity(&home.file(), &parity);
    let expected = dump::rows(&home.file());
    assert!(!home.wal().exists(), "the last one out removes it");
    for table in [
        "entry",
        "root",
        "subtree",
        "manifest",
        "chunk",
        "pack",
        "document",
        "derived_parity",
    ] {
        let rows = expected.iter().filter(|row| row.starts_with(table));
        assert!(rows.count() > 0, "{table}");
    }
    (home, expected)
}

/// A row as `store::dump` writes it.
pub(super) fn line(image: &Image, row: &Row) -> String {
    let blob = |blob: &Blob| {
        let (bytes, chain) = read_blob(image, blob).expect("it can be read");
        assert_eq!(chain.is_empty(), blob.overflow.is_none());
        Digest::of(&bytes)
    };
    let integer = |value: Option<i64>| value.map_or("null".into(), |value| value.to_string());
    let bytes =
        |value: Option<&[u8]>| value.map_or("null".into(), |value| Digest::of(value).to_string());
    let hash = |digest: &Digest| bytes(Some(digest.as_bytes()));
    match row {
        Row::Entry { entry, leaf } => {
            let mut line = format!("entry {} {} {}", entry.seq, entry.kind, entry.version);
            for column in [
                integer(entry.parent.map(u64::cast_signed)),
                entry.sealed_at.to_string(),
                bytes(entry.name.as_deref()),
                integer(entry.modified_s),
                integer(entry.modified_ns.map(i64::from)),
                integer(entry.executable.map(i64::from)),
                integer(entry.size.map(u64::cast_signed)),
                entry.sha256.as_ref().map_or("null".into(), hash),
                integer(entry.crc32.map(i64::from)),
                entry.manifest.as_ref().map_or("null".into(), hash),
                bytes(entry.body.as_deref()),
                hash(leaf),
            ] {
                write!(line, " {column}").expect("a string takes everything");
            }
            line
        }
        Row::Root { size, sha256 } => format!("root {size} {}", hash(sha256)),
        Row::Subtree { id, sha256 } => format!("subtree {id} {}", hash(sha256)),
        Row::Manifest {
            id,
            sha256,
            records,
        } => format!("manifest {id} {} {}", hash(sha256), blob(records)),
        Row::Chunk {
            id,
            sha256,
            pack,
            offset,
            size,
        } => format!("chunk {id} {} {pack} {offset} {size}", hash(sha256)),
        Row::Pack {
            id,
            codec,
            raw_size,
            sha256,
            data,
        } => {
            let (sha256, data) = (hash(sha256), blob(data));
            format!("pack {id} {codec} {raw_size} {sha256} {data}")
        }
        Row::Document { id, name, text } => {
            format!(
                "document {id} {} {}",
                Digest::of(name.as_bytes()),
                blob(text)
            )
        }
        Row::Parity { id, data } => format!("derived_parity {id} {}", blob(data)),
    }
}
