//! What `complete` says about an upload, how it is kept in the spool, and whether the parts agree with it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use super::error::UploadError;
use super::spool::Part;
use crate::ids::{CollectionId, Digest, Seq};
use crate::ingest::NewAsset;
use crate::model::{PlaceId, Timestamp};
use crate::name::Name;

/// The request that turns parts into an asset. What is given in an `Option` is compared with what was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The client's name for the upload.
    pub upload_id: String,
    /// Where the asset goes.
    pub collection: CollectionId,
    /// Collections below it, found or created, outermost first.
    pub folders: Vec<Name>,
    /// The asset's name.
    pub name: Name,
    /// Bytes in all.
    pub total_size: Option<u64>,
    /// Number of parts.
    pub parts: Option<u64>,
    /// Of the whole file.
    pub sha256: Option<Digest>,
    /// Modification time of the source.
    pub modified: Option<Timestamp>,
    /// Execute bit of the source.
    pub executable: bool,
}

/// Tells completions with the same fields from others: half a SHA-256 of the record.
pub(super) type Fingerprint = [u8; 16];

/// What an upload had when it was promised to be sealed, whether the client announced it or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Promised {
    pub(super) parts: u64,
    pub(super) bytes: u64,
}

/// Missing parts that an error names at most.
const MISSING_NAMED_MAX: usize = 100;

impl Completion {
    /// The same for the same fields, today and after a restart.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        let digest = Digest::of(&self.to_record(None));
        *digest
            .as_bytes()
            .first_chunk()
            .expect("a digest has 32 bytes")
    }

    /// Compares what can be compared before the bytes are read.
    pub(super) fn check_parts(&self, parts: &BTreeMap<u64, Part>) -> Result<(), UploadError> {
        let found = parts.len() as u64;
        let past_last = parts.last_key_value().map_or(0, |(last, _)| last + 1);
        let expected = self.parts.unwrap_or(past_last);
        // An upload without parts may be an empty file, or one whose parts never came or were dropped. Only a client
        // that says so means the first.
        let declared_empty = self.parts == Some(0)
            || self.total_size == Some(0)
            || self.sha256 == Some(Digest::EMPTY);
        let needed = if found == 0 && !declared_empty {
            expected.max(1)
        } else {
            expected
        };
        let present = parts.range(..needed).count() as u64;
        if present < needed {
            let missing = (0..needed).filter(|index| !parts.contains_key(index));
            return Err(UploadError::PartsMissing {
                missing: missing.take(MISSING_NAMED_MAX).collect(),
                count: needed - present,
            });
        }
        if found != expected {
            return Err(UploadError::PartsDiffer { expected, found });
        }
        let size = parts.values().map(|part| part.size).sum();
        match self.total_size {
            Some(expected) if expected != size => Err(UploadError::SizeDiffers {
                expected,
                found: size,
            }),
            _ => Ok(()),
        }
    }

    /// What ingest is handed; `size` is what the parts have in all.
    pub(super) fn asset(&self, size: u64) -> NewAsset {
        NewAsset {
            place: PlaceId::Collection(self.collection),
            folders: self.folders.clone(),
            name: self.name.clone(),
            modified: self.modified,
            executable: self.executable,
            expected_size: Some(size),
            expected_sha256: self.sha256,
        }
    }

    /// As kept in the spool, with what was there when it was promised. The upload id is in a record of its own.
    pub(super) fn to_record(&self, promised: Option<Promised>) -> Vec<u8> {
        let record = Record {
            collection: self.collection.get(),
            folders: self
                .folders
                .iter()
                .map(|folder| BASE64.encode(folder.as_bytes()))
                .collect(),
            name: BASE64.encode(self.name.as_bytes()),
            total_size: self.total_size,
            parts: self.parts,
            sha256: self.sha256.map(|digest| digest.to_string()),
            modified: self.modified.map(|time| (time.seconds, time.nanoseconds)),
            executable: self.executable,
            promised: promised.map(|promised| (promised.parts, promised.bytes)),
        };
        serde_json::to_vec(&record).expect("plain values are valid JSON")
    }

    /// Reads what [`Completion::to_record`] wrote; `None` if it is anything else.
    pub(super) fn from_record(upload_id: &str, bytes: &[u8]) -> Option<(Self, Promised)> {
        let record: Record = serde_json::from_slice(bytes).ok()?;
        let name = |text: &String| Name::new(BASE64.decode(text).ok()?).ok();
        let (parts, bytes) = record.promised?;
        let completion = Self {
            upload_id: upload_id.to_owned(),
            collection: CollectionId::new(Seq::new(record.collection)),
            folders: record.folders.iter().map(name).collect::<Option<_>>()?,
            name: name(&record.name)?,
            total_size: record.total_size,
            parts: record.parts,
            sha256: record.sha256.map(|text| text.parse()).transpose().ok()?,
            modified: record.modified.map(|(seconds, nanoseconds)| Timestamp {
                seconds,
                nanoseconds,
            }),
            executable: record.executable,
        };
        Some((completion, Promised { parts, bytes }))
    }
}

/// Names are bytes, so they are base64 here.
#[derive(Serialize, Deserialize)]
struct Record {
    collection: u64,
    folders: Vec<String>,
    name: String,
    total_size: Option<u64>,
    parts: Option<u64>,
    sha256: Option<String>,
    modified: Option<(i64, u32)>,
    executable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    promised: Option<(u64, u64)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completion() -> Completion {
        Completion {
            upload_id: "u".into(),
            collection: CollectionId::new(Seq::new(2)),
            folders: vec![
                Name::new("a").unwrap(),
                Name::new(b"\xff".as_slice()).unwrap(),
            ],
            name: Name::new("x.bin").unwrap(),
            total_size: None,
            parts: None,
            sha256: None,
            modified: Some(Timestamp {
                seconds: -1,
                nanoseconds: 5,
            }),
            executable: true,
        }
    }

    fn parts(numbers: &[u64]) -> BTreeMap<u64, Part> {
        numbers
            .iter()
            .map(|index| (*index, Part { size: 10, crc32: 0 }))
            .collect()
    }

    fn code(completion: &Completion, numbers: &[u64]) -> &'static str {
        completion
            .check_parts(&parts(numbers))
            .err()
            .map_or("ok", |error| error.code())
    }

    #[test]
    fn a_record_reads_back() {
        let full = Completion {
            total_size: Some(1),
            parts: Some(1),
            sha256: Some(Digest::EMPTY),
            ..completion()
        };
        let promised = Promised {
            parts: 3,
            bytes: 99,
        };
        for completion in [completion(), full] {
            let record = completion.to_record(Some(promised));
            let (read, read_promise) = Completion::from_record("u", &record).unwrap();
            assert_eq!((&read, read_promise), (&completion, promised));
            assert_eq!(read.fingerprint(), completion.fingerprint());
            assert_eq!(
                Completion::from_record("u", &completion.to_record(None)),
                None
            );
        }
        assert_ne!(
            completion().fingerprint(),
            Completion {
                executable: false,
                ..completion()
            }
            .fingerprint()
        );
        assert_eq!(Completion::from_record("u", b"{}"), None);
        assert_eq!(Completion::from_record("u", b""), None);
    }

    #[test]
    fn gaps_are_named() {
        assert_eq!(code(&completion(), &[0, 1, 2]), "ok");
        let gap = completion().check_parts(&parts(&[0, 3])).unwrap_err();
        assert!(
            matches!(gap, UploadError::PartsMissing { ref missing, count: 2 } if *missing == [1, 2])
        );
        let announced = Completion {
            parts: Some(1000),
            ..completion()
        };
        let gap = announced.check_parts(&parts(&[0])).unwrap_err();
        assert!(
            matches!(gap, UploadError::PartsMissing { ref missing, count: 999 } if missing.len() == 100)
        );
        assert_eq!(
            code(
                &Completion {
                    parts: Some(2),
                    ..completion()
                },
                &[0, 1, 2]
            ),
            "parts_differ"
        );
        assert_eq!(
            code(
                &Completion {
                    parts: Some(2),
                    ..completion()
                },
                &[0, 2]
            ),
            "parts_missing"
        );
        assert_eq!(
            code(
                &Completion {
                    total_size: Some(21),
                    ..completion()
                },
                &[0, 1]
            ),
            "size_differs"
        );
        assert_eq!(
            code(
                &Completion {
                    total_size: Some(20),
                    ..completion()
                },
                &[0, 1]
            ),
            "ok"
        );
    }

    #[test]
    fn no_parts_are_an_empty_file_only_if_the_client_says_so() {
        assert_eq!(code(&completion(), &[]), "parts_missing");
        assert_eq!(
            code(
                &Completion {
                    parts: Some(0),
                    ..completion()
                },
                &[]
            ),
            "ok"
        );
        assert_eq!(
            code(
                &Completion {
                    total_size: Some(0),
                    ..completion()
                },
                &[]
            ),
            "ok"
        );
        assert_eq!(
            code(
                &Completion {
                    sha256: Some(Digest::EMPTY),
                    ..completion()
                },
                &[]
            ),
            "ok"
        );
        assert_eq!(
            code(
                &Completion {
                    total_size: Some(5),
                    ..completion()
                },
                &[]
            ),
            "parts_missing"
        );
        let contradiction = Completion {
            parts: Some(0),
            total_size: Some(5),
            ..completion()
        };
        assert_eq!(code(&contradiction, &[]), "size_differs");
    }
}
