//! What the other modules share: vaults in temporary folders, deterministic bytes, and the stock tools.

use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use compactvault_vault::{
    AssetId, CollectionId, Digest, Name, NewAsset, NewLink, OpenOptions, PlaceId, ReadError,
    Sealed, Timestamp, Vault,
};
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

/// A vault in a folder of its own, which goes when this goes.
pub(crate) struct Home {
    dir: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a temporary folder can be made"),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Changes a bit of the vault's file where these bytes lie in it, in place: an open vault has the damage under it.
    pub(crate) fn damage(&self, needle: &[u8]) {
        let mut bytes = std::fs::read(self.file()).expect("the vault can be read");
        let at = bytes
            .windows(needle.len())
            .position(|window| window == needle)
            .expect("incompressible bytes are stored as they are");
        bytes[at] ^= 1;
        let mut file = std::fs::OpenOptions::new().write(true).open(self.file());
        let written = file.as_mut().map(|file| file.write_all(&bytes));
        written
            .expect("it can be opened")
            .expect("it can be written");
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join("test.vault")
    }

    pub(crate) fn options(&self) -> OpenOptions {
        OpenOptions {
            state_dir: Some(self.dir.path().join("state")),
            ..OpenOptions::default()
        }
    }

    pub(crate) fn create(&self) -> Vault {
        Vault::create(&self.file(), &self.options()).expect("a vault can be created")
    }

    pub(crate) fn open(&self) -> Vault {
        Vault::open(&self.file(), &self.options()).expect("the vault opens")
    }

    /// Names of everything in the vault's folder but the state folder, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.path())
            .expect("the folder can be read")
            .map(|entry| entry.expect("it can be listed").file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .filter(|name| name != "state")
            .collect();
        names.sort();
        names
    }
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).expect("tests use good names")
}

/// A project `P` with a collection `C` in it.
pub(crate) fn place(vault: &Vault) -> CollectionId {
    let (project, _) = vault
        .create_project(name("P"), "project", "")
        .expect("a project can be created");
    let (collection, _) = vault
        .create_collection(PlaceId::Project(project.id), name("C"), "collection")
        .expect("a collection can be created");
    collection.id
}

pub(crate) fn new_asset(place: CollectionId, asset: Name) -> NewAsset {
    NewAsset {
        place: PlaceId::Collection(place),
        folders: Vec::new(),
        name: asset,
        modified: None,
        executable: false,
        expected_size: None,
        expected_sha256: None,
    }
}

/// Archives bytes and waits until they are sealed.
pub(crate) fn add(vault: &Vault, place: CollectionId, asset: &str, mut bytes: &[u8]) -> Sealed {
    let ingest = vault.ingest().expect("the vault takes things in");
    let (ticket, digest) = ingest
        .archive(new_asset(place, name(asset)), &mut bytes)
        .expect("memory can be read");
    assert!(
        bytes.is_empty() && digest.size > 0 || digest.sha256 == Digest::EMPTY,
        "the source is read to its end"
    );
    ticket.wait().expect("it is sealed")
}

pub(crate) fn add_link(vault: &Vault, place: CollectionId, link: &str, target: &[u8]) -> Sealed {
    let link = NewLink {
        place: PlaceId::Collection(place),
        folders: Vec::new(),
        name: name(link),
        target: target.to_vec(),
        modified: Some(Timestamp {
            seconds: -5,
            nanoseconds: 7,
        }),
    };
    let ingest = vault.ingest().expect("the vault takes things in");
    let ticket = ingest.link(link).expect("the link is accepted");
    ticket.wait().expect("it is sealed")
}

pub(crate) fn read_all(vault: &Vault, id: AssetId) -> Result<Vec<u8>, ReadError> {
    let reader = vault.open_asset(id)?;
    let pieces: Vec<_> = reader.range(0..reader.size()).collect::<Result<_, _>>()?;
    Ok(pieces.concat())
}

/// A small generator of numbers, the same for ever (`SplitMix64`).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// Bytes that do not compress.
pub(crate) fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut numbers = Numbers(seed);
    let mut out = Vec::with_capacity(bytes + 8);
    while out.len() < bytes {
        out.extend_from_slice(&numbers.next().to_le_bytes());
    }
    out.truncate(bytes);
    out
}

/// Bytes that compress about as well as source code does.
pub(crate) fn prose(seed: u64, bytes: usize) -> Vec<u8> {
    const WORDS: [&str; 16] = [
        "the", "vault", "keeps", "every", "byte", "that", "was", "sealed", "in", "one", "file",
        "and", "nothing", "changes", "it", "again\n",
    ];
    let mut numbers = Numbers(seed);
    let mut out = Vec::with_capacity(bytes + 16);
    while out.len() < bytes {
        let word = numbers.below(16) as usize;
        out.extend_from_slice(WORDS[word].as_bytes());
        out.push(b' ');
        if numbers.below(8) == 0 {
            out.extend_from_slice(numbers.next().to_string().as_bytes());
        }
    }
    out.truncate(bytes);
    out
}

/// A source that gives `bytes` and then fails, calling `before` first.
pub(crate) struct Failing<'a, F: FnMut()> {
    pub(crate) bytes: &'a [u8],
    pub(crate) before: F,
}

impl<F: FnMut()> Read for Failing<'_, F> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.bytes.is_empty() {
            (self.before)();
            return Err(io::Error::other("the medium was pulled out"));
        }
        self.bytes.read(buf)
    }
}

/// A plain connection, as any other program would open one.
#[expect(
    clippy::disallowed_methods,
    reason = "playing another program that opens the file is the point"
)]
pub(crate) fn plain(path: &Path) -> Connection {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .expect("a vault is a SQLite database")
}

/// Runs the stock `sqlite3` on a file. The tool must be there: without it the promises below would go untested.
pub(crate) fn sqlite3(path: &Path, sql: &str) -> Output {
    Command::new("sqlite3")
        .arg("-batch")
        .arg(path)
        .arg(sql)
        .output()
        .expect("the stock `sqlite3` is needed by this test (Debian: apt install sqlite3)")
}

pub(crate) fn file_digest(path: &Path) -> Digest {
    Digest::of(&std::fs::read(path).expect("the file can be read"))
}
