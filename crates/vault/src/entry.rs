//! An entry: one row of the log, and the canonical leaf that the Merkle tree commits to.
//!
//! The row is the truth; the leaf is computed from it and never stored. Its encoding is the same for every kind,
//! so that a program can check and prove entries of kinds it has never heard of: see docs/vault-format.md.

use crate::ids::{Digest, Seq};

/// What opens every leaf.
const LEAF_MAGIC: &[u8] = b"compactvault-entry/1\n";

/// The kinds this program knows. A number is never used again for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Entry 0: what the vault is.
    Vault,
    /// A project.
    Project,
    /// A collection.
    Collection,
    /// An asset.
    Asset,
    /// A symbolic link.
    Link,
    /// What healing restored, and when.
    Repair,
}

impl Kind {
    /// The kind's number in the `kind` column.
    pub(crate) const fn number(self) -> u32 {
        match self {
            Self::Vault => 1,
            Self::Project => 2,
            Self::Collection => 3,
            Self::Asset => 4,
            Self::Link => 5,
            Self::Repair => 6,
        }
    }

    /// The kind of a number, `None` for one that a later program wrote.
    pub(crate) const fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Vault),
            2 => Some(Self::Project),
            3 => Some(Self::Collection),
            4 => Some(Self::Asset),
            5 => Some(Self::Link),
            6 => Some(Self::Repair),
            _ => None,
        }
    }
}

/// One row of the table `entry`, column by column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Position in the log.
    pub seq: u64,
    /// See [`Kind::number`].
    pub kind: u32,
    /// Version of how the columns of this kind are to be understood; 1 for all kinds so far.
    pub version: u32,
    /// The entry this one hangs in.
    pub parent: Option<u64>,
    /// Unix milliseconds.
    pub sealed_at: i64,
    /// Name in the parent.
    pub name: Option<Vec<u8>>,
    /// Source's modification time, whole seconds.
    pub modified_s: Option<i64>,
    /// And nanoseconds.
    pub modified_ns: Option<u32>,
    /// Source's execute bit.
    pub executable: Option<bool>,
    /// Bytes.
    pub size: Option<u64>,
    /// Of the whole file.
    pub sha256: Option<Digest>,
    /// Of the whole file.
    pub crc32: Option<u32>,
    /// SHA-256 of the manifest's records; absent for assets of one chunk or none.
    pub manifest: Option<Digest>,
    /// What the kind needs beyond the columns: JSON for vault, project and collection, the target for a link.
    pub body: Option<Vec<u8>>,
}

impl Entry {
    /// The entry's position as an id.
    pub(crate) const fn id(&self) -> Seq {
        Seq::new(self.seq)
    }

    /// The kind, if this program knows it.
    pub(crate) const fn known_kind(&self) -> Option<Kind> {
        Kind::from_number(self.kind)
    }

    /// The canonical encoding: [`LEAF_MAGIC`], then each column in the order of the table. NULL is the byte 0;
    /// an integer is 1 and 8 bytes, big-endian two's complement; a blob is 2, its length in 4 bytes big-endian,
    /// and its bytes.
    pub(crate) fn leaf(&self) -> Vec<u8> {
        let mut leaf = Leaf(Vec::with_capacity(
            192 + self.name.as_ref().map_or(0, Vec::len),
        ));
        leaf.0.extend_from_slice(LEAF_MAGIC);
        leaf.unsigned(Some(self.seq));
        leaf.integer(Some(i64::from(self.kind)));
        leaf.integer(Some(i64::from(self.version)));
        leaf.unsigned(self.parent);
        leaf.integer(Some(self.sealed_at));
        leaf.blob(self.name.as_deref());
        leaf.integer(self.modified_s);
        leaf.integer(self.modified_ns.map(i64::from));
        leaf.integer(self.executable.map(i64::from));
        leaf.unsigned(self.size);
        leaf.blob(self.sha256.as_ref().map(|d| d.as_bytes().as_slice()));
        leaf.integer(self.crc32.map(i64::from));
        leaf.blob(self.manifest.as_ref().map(|d| d.as_bytes().as_slice()));
        leaf.blob(self.body.as_deref());
        leaf.0
    }

    /// The columns' part of [`Entry::leaf`].
    pub(crate) fn columns(leaf: &[u8]) -> &[u8] {
        &leaf[LEAF_MAGIC.len()..]
    }

    /// The entry whose columns' encoding this is; `None` if it is no such encoding.
    pub(crate) fn from_columns(columns: &[u8]) -> Option<Self> {
        Self::from_leaf(&[LEAF_MAGIC, columns].concat())
    }

    /// RFC 6962 leaf hash: SHA-256 of the byte 0 and the leaf.
    pub(crate) fn leaf_hash(&self) -> Digest {
        Self::hash_of(&self.leaf())
    }

    /// The leaf hash of an encoded leaf.
    pub(crate) fn hash_of(leaf: &[u8]) -> Digest {
        Digest::new(tlog_tiles::record_hash(leaf).0)
    }
}

impl Entry {
    /// Reads a leaf as [`Entry::leaf`] writes it; `None` for anything else. What it reads encodes to the same bytes.
    pub(crate) fn from_leaf(leaf: &[u8]) -> Option<Self> {
        let mut columns = Columns(leaf.strip_prefix(LEAF_MAGIC)?);
        let entry = Self {
            seq: columns.integer()??.try_into().ok()?,
            kind: columns.integer()??.try_into().ok()?,
            version: columns.integer()??.try_into().ok()?,
            parent: columns.unsigned()?,
            sealed_at: columns.integer()??,
            name: columns.blob()?,
            modified_s: columns.integer()?,
            modified_ns: columns.small()?,
            executable: match columns.integer()? {
                None => None,
                Some(0) => Some(false),
                Some(1) => Some(true),
                Some(_) => return None,
            },
            size: columns.unsigned()?,
            sha256: columns.digest()?,
            crc32: columns.small()?,
            manifest: columns.digest()?,
            body: columns.blob()?,
        };
        (columns.0.is_empty() && entry.leaf() == leaf).then_some(entry)
    }
}

/// A leaf's columns, read one after another. The outer `None` is a leaf that is none, the inner one NULL.
struct Columns<'l>(&'l [u8]);

#[expect(
    clippy::option_option,
    reason = "NULL and malformed are told apart and each ends another question mark"
)]
impl Columns<'_> {
    fn integer(&mut self) -> Option<Option<i64>> {
        match self.0.split_first()? {
            (0, rest) => {
                self.0 = rest;
                Some(None)
            }
            (1, rest) => {
                let (bytes, rest) = rest.split_first_chunk()?;
                self.0 = rest;
                Some(Some(i64::from_be_bytes(*bytes)))
            }
            _ => None,
        }
    }

    fn blob(&mut self) -> Option<Option<Vec<u8>>> {
        match self.0.split_first()? {
            (0, rest) => {
                self.0 = rest;
                Some(None)
            }
            (2, rest) => {
                let (length, rest) = rest.split_first_chunk()?;
                let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
                let (bytes, rest) = rest.split_at_checked(length)?;
                self.0 = rest;
                Some(Some(bytes.to_vec()))
            }
            _ => None,
        }
    }

    fn unsigned(&mut self) -> Option<Option<u64>> {
        self.integer()?.map(u64::try_from).transpose().ok()
    }

    fn small(&mut self) -> Option<Option<u32>> {
        self.integer()?.map(u32::try_from).transpose().ok()
    }

    fn digest(&mut self) -> Option<Option<Digest>> {
        let bytes = self.blob()?;
        bytes
            .map(|bytes| Digest::try_from(bytes.as_slice()))
            .transpose()
            .ok()
    }
}

struct Leaf(Vec<u8>);

impl Leaf {
    fn integer(&mut self, value: Option<i64>) {
        match value {
            None => self.0.push(0),
            Some(value) => {
                self.0.push(1);
                self.0.extend_from_slice(&value.to_be_bytes());
            }
        }
    }

    fn unsigned(&mut self, value: Option<u64>) {
        // `SQLite` integers are signed; every unsigned column is below 2^63 by the checks at the door.
        self.integer(value.map(u64::cast_signed));
    }

    fn blob(&mut self, value: Option<&[u8]>) {
        match value {
            None => self.0.push(0),
            Some(bytes) => {
                let length = u32::try_from(bytes.len()).expect("columns are bounded by limits.rs");
                self.0.push(2);
                self.0.extend_from_slice(&length.to_be_bytes());
                self.0.extend_from_slice(bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn the_leaf_encoding_never_drifts() {
        let entry = Entry {
            seq: 7,
            kind: Kind::Asset.number(),
            version: 1,
            parent: Some(2),
            sealed_at: -1,
            name: Some(b"a\xff".to_vec()),
            size: Some(0),
            sha256: Some(Digest::EMPTY),
            crc32: Some(0),
            executable: Some(true),
            ..Entry::default()
        };
        assert_eq!(
            Entry::from_columns(Entry::columns(&entry.leaf())).as_ref(),
            Some(&entry)
        );
        let mut hex = String::new();
        for byte in entry.leaf() {
            write!(hex, "{byte:02x}").expect("a string takes everything");
        }
        assert_eq!(
            hex,
            concat!(
                "636f6d706163747661756c742d656e7472792f310a",
                "010000000000000007",
                "010000000000000004",
                "010000000000000001",
                "010000000000000002",
                "01ffffffffffffffff",
                "020000000261ff",
                "00",
                "00",
                "010000000000000001",
                "010000000000000000",
                "0200000020e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                "010000000000000000",
                "00",
                "00"
            )
        );
    }

    #[test]
    fn a_leaf_reads_back_as_the_entry_it_was_made_of_and_nothing_else_reads() {
        let entry = Entry {
            seq: 7,
            kind: 4,
            version: 1,
            parent: Some(2),
            sealed_at: -1,
            name: Some(b"a\xff".to_vec()),
            modified_s: Some(-3),
            modified_ns: Some(5),
            executable: Some(true),
            size: Some(9),
            sha256: Some(Digest::EMPTY),
            crc32: Some(u32::MAX),
            manifest: None,
            body: Some(Vec::new()),
        };
        let leaf = entry.leaf();
        assert_eq!(Entry::from_leaf(&leaf), Some(entry));
        for end in 0..leaf.len() {
            assert_eq!(Entry::from_leaf(&leaf[..end]), None);
        }
        assert_eq!(Entry::from_leaf(&[leaf, vec![0]].concat()), None);
    }

    #[test]
    fn no_two_entries_share_a_leaf() {
        // NULL, empty and zero are told apart, and bytes cannot wander between neighbouring columns.
        let base = Entry {
            seq: 1,
            kind: 9,
            version: 1,
            ..Entry::default()
        };
        let variants = [
            base.clone(),
            Entry {
                name: Some(Vec::new()),
                ..base.clone()
            },
            Entry {
                body: Some(Vec::new()),
                ..base.clone()
            },
            Entry {
                size: Some(0),
                ..base.clone()
            },
            Entry {
                modified_s: Some(0),
                ..base.clone()
            },
            Entry {
                parent: Some(0),
                ..base
            },
        ];
        for (i, a) in variants.iter().enumerate() {
            for b in &variants[i + 1..] {
                assert_ne!(a.leaf_hash(), b.leaf_hash());
            }
        }
    }
}
