//! Proofs that an asset is in a log: C2SP tlog-proof, with the entry's leaf as its extra data.
//!
//! Everything here works without a vault: a proof, the file, and a checkpoint that the checker trusts are enough.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use tlog_tiles::{Hash, check_record, record_hash};

use super::{KeptCheckpoint, ProveError};
use crate::entry::{Entry, Kind};
use crate::ids::Digest;
use crate::name::Name;

/// The first line.
const MAGIC: &str = "c2sp.org/tlog-proof@v1";
/// Longest proof that is read: a leaf of 65,535 bytes, 64 hashes, and a note with its signatures.
pub const PROOF_BYTES_MAX: usize = 256 * 1024;

/// A proof that an entry is in a log of a size and root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The entry's position.
    pub index: u64,
    /// The entry's leaf, byte for byte; see docs/vault-format.md, "Leaves".
    pub leaf: Vec<u8>,
    /// From the leaf's sibling up to the root's child (RFC 6962, 2.1.1).
    pub hashes: Vec<Digest>,
    /// The checkpoint that the proof was made for.
    pub checkpoint: KeptCheckpoint,
}

/// What a proof says about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedAsset {
    /// The asset's name.
    pub name: Name,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the whole file.
    pub sha256: Digest,
    /// CRC-32 of the whole file.
    pub crc32: u32,
    /// When it was sealed, by the clock of the machine that sealed it: Unix milliseconds.
    pub sealed_at_unix_ms: i64,
    /// The entry's position in the log.
    pub index: u64,
}

impl Proof {
    /// The proof as text, to be kept in a file `NAME.tlog-proof`.
    pub fn to_text(&self) -> String {
        use std::fmt::Write as _;
        let mut text = format!(
            "{MAGIC}\nextra {}\nindex {}\n",
            BASE64_STANDARD.encode(&self.leaf),
            self.index
        );
        for hash in &self.hashes {
            writeln!(text, "{}", BASE64_STANDARD.encode(hash.as_bytes()))
                .expect("a string takes everything");
        }
        text.push('\n');
        text.push_str(self.checkpoint.note.as_deref().unwrap_or_default());
        text
    }

    /// Reads a proof. What it says is not checked here.
    pub fn parse(text: &[u8]) -> Result<Self, ProveError> {
        let malformed = |what: &'static str| ProveError::Malformed { what };
        if text.len() > PROOF_BYTES_MAX {
            return Err(malformed("it is longer than any proof"));
        }
        let text = std::str::from_utf8(text).map_err(|_| malformed("it is not UTF-8"))?;
        let text = text.replace("\r\n", "\n");
        let (head, note) = text
            .split_once("\n\n")
            .ok_or(malformed("it has no checkpoint after an empty line"))?;
        let mut lines = head.lines();
        if lines.next() != Some(MAGIC) {
            return Err(malformed("its first line is not that of a C2SP tlog-proof"));
        }
        let leaf = lines
            .next()
            .and_then(|line| line.strip_prefix("extra "))
            .and_then(|line| BASE64_STANDARD.decode(line).ok())
            .ok_or(malformed("it does not carry the entry's leaf"))?;
        let index = lines
            .next()
            .and_then(|line| line.strip_prefix("index "))
            .filter(|index| *index == "0" || !index.starts_with(['0', '+']))
            .and_then(|index| index.parse().ok())
            .ok_or(malformed("it has no index"))?;
        let hashes = lines
            .map(|line| {
                let bytes = BASE64_STANDARD.decode(line).ok()?;
                Digest::try_from(bytes.as_slice()).ok()
            })
            .collect::<Option<Vec<Digest>>>()
            .filter(|hashes| hashes.len() <= 64)
            .ok_or(malformed("its hashes are not 32 bytes in base64 each"))?;
        Ok(Self {
            index,
            leaf,
            hashes,
            checkpoint: KeptCheckpoint::parse(note.as_bytes())?,
        })
    }

    /// Checks that the entry is in the log that `trusted` is the checkpoint of, and reads what it says about the
    /// asset. Nothing of the proof is trusted.
    pub fn check(&self, trusted: &KeptCheckpoint) -> Result<ProvedAsset, ProveError> {
        let made_for = &self.checkpoint;
        if let (Some(a), Some(b)) = (made_for.vault, trusted.vault)
            && a != b
        {
            return Err(ProveError::OtherVault);
        }
        if trusted.size <= self.index {
            return Err(ProveError::TooOld {
                size: trusted.size,
                index: self.index,
            });
        }
        if trusted.size != made_for.size {
            return Err(ProveError::OtherSize {
                proof: made_for.size,
                trusted: trusted.size,
            });
        }
        if trusted.root != made_for.root {
            return Err(ProveError::Rewritten { size: trusted.size });
        }
        self.included(trusted.size, trusted.root)?;
        self.asset()
    }

    pub(super) fn included(&self, size: u64, root: Digest) -> Result<(), ProveError> {
        let hashes: Vec<Hash> = self.hashes.iter().map(|h| Hash(*h.as_bytes())).collect();
        check_record(
            &hashes,
            size,
            Hash(*root.as_bytes()),
            self.index,
            record_hash(&self.leaf),
        )
        .map_err(|_| ProveError::NotIncluded)
    }

    /// What the leaf says. Worth something only after [`Proof::check`].
    fn asset(&self) -> Result<ProvedAsset, ProveError> {
        let malformed = |what: &'static str| ProveError::Malformed { what };
        let entry = Entry::from_leaf(&self.leaf).ok_or(malformed("its leaf is no entry"))?;
        if entry.seq != self.index {
            return Err(malformed("its leaf is of another entry than its index"));
        }
        if entry.known_kind() != Some(Kind::Asset) || entry.version != 1 {
            return Err(malformed("its entry is no asset"));
        }
        let missing = || malformed("its entry lacks what an asset has");
        Ok(ProvedAsset {
            name: Name::new(entry.name.ok_or_else(missing)?).map_err(|_| missing())?,
            size: entry.size.ok_or_else(missing)?,
            sha256: entry.sha256.ok_or_else(missing)?,
            crc32: entry.crc32.ok_or_else(missing)?,
            sealed_at_unix_ms: entry.sealed_at,
            index: self.index,
        })
    }
}

impl ProvedAsset {
    /// Reads a file to its end and compares its size, SHA-256 and CRC-32 with what was sealed.
    pub fn check_file(&self, file: &mut dyn std::io::Read) -> Result<(), ProveError> {
        let mut check = crate::verify::WholeCheck::default();
        let mut buffer = vec![0; 256 * 1024];
        let mut size = 0;
        loop {
            let read = match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(ProveError::File(error)),
            };
            size += read as u64;
            if size > self.size {
                break;
            }
            check.update(&buffer[..read]);
        }
        let differs = |what, sealed, found| {
            Err(ProveError::FileDiffers {
                what,
                sealed,
                found,
            })
        };
        if size > self.size {
            let found = format!("more than {}", self.size);
            return differs("size", self.size.to_string(), found);
        }
        let (_, sha256, crc32) = check.sums();
        if size != self.size {
            return differs("size", self.size.to_string(), size.to_string());
        }
        if sha256 != self.sha256 {
            return differs("SHA-256", self.sha256.to_string(), sha256.to_string());
        }
        if crc32 != self.crc32 {
            return differs(
                "CRC-32",
                format!("{:08x}", self.crc32),
                format!("{crc32:08x}"),
            );
        }
        Ok(())
    }
}
