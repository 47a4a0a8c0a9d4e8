//! Between rows and values: an entry's columns, its check against the leaf hash, and what its body says.

use std::collections::BTreeMap;

use rusqlite::{Row, types::ValueRef};
use serde::{Deserialize, Serialize};

use crate::chunking::ChunkerParameters;
use crate::entry::{Entry, Kind};
use crate::error::ReadError;
use crate::ids::{AssetId, CollectionId, Digest, Seq, VaultId};
use crate::media::Media;
use crate::model::{Asset, Link, Parity, Timestamp};
use crate::name::Name;

/// The columns of `entry` in the order that [`entry_from_row`] and the INSERT expect.
pub(crate) const ENTRY_COLUMNS: &str = "seq, kind, version, parent, sealed_at, name, modified_s, \
     modified_ns, executable, size, sha256, crc32, manifest, body, leaf";

/// Reads an entry and recomputes its leaf hash; an entry that differs from it never leaves this function.
pub(crate) fn entry_from_row(row: &Row<'_>) -> Result<Entry, ReadError> {
    let (entry, stored) = unchecked_entry_from_row(row)?;
    if entry.leaf_hash() == stored {
        Ok(entry)
    } else {
        Err(damaged(entry.seq, "its row differs from its leaf hash"))
    }
}

/// Reads an entry and the leaf hash stored with it, for verification to compare.
pub(crate) fn unchecked_entry_from_row(row: &Row<'_>) -> Result<(Entry, Digest), ReadError> {
    unchecked_entry(|column| row.get_ref(column))
}

/// Reads an entry and its leaf hash from wherever the [`ENTRY_COLUMNS`] are.
pub(crate) fn unchecked_entry<'v>(
    value: impl Fn(usize) -> rusqlite::Result<ValueRef<'v>>,
) -> Result<(Entry, Digest), ReadError> {
    let seq = value(0)
        .ok()
        .and_then(|seq| seq.as_i64().ok())
        .and_then(|seq| u64::try_from(seq).ok())
        .unwrap_or(0);
    let column = |problem: &str| damaged(seq, &format!("its row cannot be read: {problem}"));
    let value = |index: usize| value(index).map_err(|error| column(&error.to_string()));
    let integer = |index: usize| -> Result<Option<i64>, ReadError> {
        match value(index)? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(value) => Ok(Some(value)),
            _ => Err(column("a number is of another type")),
        }
    };
    let blob = |index: usize| -> Result<Option<Vec<u8>>, ReadError> {
        match value(index)? {
            ValueRef::Null => Ok(None),
            ValueRef::Blob(value) => Ok(Some(value.to_vec())),
            _ => Err(column("bytes are of another type")),
        }
    };
    let unsigned = |index: usize| integer(index).map(|v| v.map(i64::cast_unsigned));
    let small = |index: usize| -> Result<Option<u32>, ReadError> {
        let value = integer(index)?;
        value
            .map(u32::try_from)
            .transpose()
            .map_err(|_| column("a number is out of range"))
    };
    let digest = |index: usize| -> Result<Option<Digest>, ReadError> {
        let bytes = blob(index)?;
        bytes
            .map(|b| Digest::try_from(b.as_slice()))
            .transpose()
            .map_err(|()| column("a digest has another length"))
    };
    // Any other number would count as set, though the leaf says nothing of it.
    let flag = |index: usize| -> Result<Option<bool>, ReadError> {
        match integer(index)? {
            None => Ok(None),
            Some(0) => Ok(Some(false)),
            Some(1) => Ok(Some(true)),
            Some(_) => Err(column("a flag is out of range")),
        }
    };
    let required = || column("a required column is empty");
    let entry = Entry {
        seq,
        kind: small(1)?.ok_or_else(required)?,
        version: small(2)?.ok_or_else(required)?,
        parent: unsigned(3)?,
        sealed_at: integer(4)?.ok_or_else(required)?,
        name: blob(5)?,
        modified_s: integer(6)?,
        modified_ns: small(7)?,
        executable: flag(8)?,
        size: unsigned(9)?,
        sha256: digest(10)?,
        crc32: small(11)?,
        manifest: digest(12)?,
        body: blob(13)?,
    };
    let leaf = digest(14)?.ok_or_else(required)?;
    Ok((entry, leaf))
}

pub(crate) fn damaged(seq: u64, detail: &str) -> ReadError {
    ReadError::Damaged {
        entry: Seq::new(seq),
        chunk: None,
        detail: detail.into(),
    }
}

/// The body of entry 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VaultBody {
    pub(crate) vault_id: String,
    pub(crate) format: u32,
    pub(crate) digest: String,
    pub(crate) chunker: String,
    pub(crate) chunker_parameters: ChunkerParameters,
    /// A C2SP signed-note verifier key, `name+id+key`.
    pub(crate) public_key: String,
    /// Parity in percent of what it protects, rounded down: see [`Parity`].
    pub(crate) parity: Parity,
    pub(crate) created_by: String,
    /// The vault whose survivors were sealed anew in this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rescued_from: Option<String>,
    /// SHA-256 of each document in the vault, by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) documents: BTreeMap<String, String>,
}

impl VaultBody {
    pub(crate) fn id(&self) -> Option<VaultId> {
        self.vault_id.parse().ok()
    }
}

/// The body of a project or collection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PlaceBody {
    #[serde(rename = "type")]
    pub(crate) type_word: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) description: String,
}

impl PlaceBody {
    /// What the body of `entry` says; a place without one has its kind's word.
    pub(crate) fn of(entry: &Entry) -> Result<Self, ReadError> {
        if let Some(body) = &entry.body {
            return serde_json::from_slice(body)
                .map_err(|error| damaged(entry.seq, &format!("its body cannot be read: {error}")));
        }
        let is_project = entry.known_kind() == Some(Kind::Project);
        Ok(Self {
            type_word: if is_project { "project" } else { "collection" }.into(),
            description: String::new(),
        })
    }
}

fn name_of(entry: &Entry) -> Result<Name, ReadError> {
    let bytes = entry
        .name
        .clone()
        .ok_or_else(|| damaged(entry.seq, "it has no name"))?;
    Name::new(bytes).map_err(|error| damaged(entry.seq, &error.to_string()))
}

fn modified_of(entry: &Entry) -> Option<Timestamp> {
    let seconds = entry.modified_s?;
    Some(Timestamp {
        seconds,
        nanoseconds: entry.modified_ns.unwrap_or(0),
    })
}

/// The name, parent and times every placed entry has.
pub(crate) struct Placed {
    pub(crate) name: Name,
    pub(crate) parent: Seq,
}

pub(crate) fn placed(entry: &Entry) -> Result<Placed, ReadError> {
    let parent = entry
        .parent
        .ok_or_else(|| damaged(entry.seq, "it hangs nowhere"))?;
    Ok(Placed {
        name: name_of(entry)?,
        parent: Seq::new(parent),
    })
}

/// An asset as lists show it.
pub(crate) fn asset_from_entry(entry: &Entry, media: Media) -> Result<Asset, ReadError> {
    let placed = placed(entry)?;
    let missing = || damaged(entry.seq, "an asset's column is empty");
    Ok(Asset {
        id: AssetId::new(entry.id()),
        collection: CollectionId::new(placed.parent),
        name: placed.name,
        size: entry.size.ok_or_else(missing)?,
        sha256: entry.sha256.ok_or_else(missing)?,
        crc32: entry.crc32.ok_or_else(missing)?,
        modified: modified_of(entry),
        executable: entry.executable.unwrap_or(false),
        sealed_at_unix_ms: entry.sealed_at,
        media,
    })
}

/// A symbolic link as lists show it.
pub(crate) fn link_from_entry(entry: &Entry) -> Result<Link, ReadError> {
    let placed = placed(entry)?;
    Ok(Link {
        seq: entry.id(),
        collection: CollectionId::new(placed.parent),
        name: placed.name,
        target: entry
            .body
            .clone()
            .ok_or_else(|| damaged(entry.seq, "a link without target"))?,
        modified: modified_of(entry),
        sealed_at_unix_ms: entry.sealed_at,
    })
}
