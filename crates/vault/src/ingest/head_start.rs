//! A head start: a source that is still coming is cut and hashed as far as it is there, so that less is left to do when
//! all of it is handed in. Nothing of it is in the vault; what is kept is where chunks end and what they hash to.

use std::io::{self, Read};

use bytes::Bytes;

use super::{Ingest, Reading};
use crate::buffers::fill;
use crate::ids::Digest;
use crate::sha256::Sha256;

/// What is known of a source's beginning.
#[derive(Default)]
pub(crate) struct HeadStart {
    chunks: Vec<Known>,
    /// Of all their bytes.
    whole: Sha256,
    /// Their bytes.
    size: u64,
}

/// A chunk whose digest need not be computed again, as long as its bytes are the same.
pub(super) struct Known {
    pub(super) digest: Digest,
    pub(super) size: usize,
    crc32: u32,
}

/// The source does not begin as it did.
#[derive(Debug, thiserror::Error)]
#[error("the source has changed since its beginning was read")]
pub(crate) struct Differs;

impl HeadStart {
    /// Bytes that are known.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Chunks that are known.
    pub(crate) fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// What is known, and the SHA-256 that goes on after it.
    pub(super) fn into_parts(self) -> (Vec<Known>, Sha256) {
        (self.chunks, self.whole)
    }

    fn push(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.chunks.push(Known {
            digest: self.whole.update_and_digest(bytes),
            size: bytes.len(),
            crc32: crc32fast::hash(bytes),
        });
    }
}

impl Ingest {
    /// Takes in what follows the bytes that are known, a chunk or a few of them. `source` begins with these and ends with what
    /// there is now: a chunk that more bytes may make longer is left for later. Tells whether anything became known.
    pub(crate) fn read_ahead(
        &self,
        start: &mut HeadStart,
        source: &mut dyn Read,
    ) -> io::Result<bool> {
        let mut buffer = self.shared.buffers.take();
        let read = fill(source, &mut buffer)?;
        let before = start.size;
        let mut rest = &buffer[..read];
        loop {
            let length = self.parameters.cut(rest);
            if length == rest.len() && length < self.parameters.max as usize {
                break;
            }
            start.push(&rest[..length]);
            rest = &rest[length..];
        }
        self.shared.buffers.give_back(buffer);
        Ok(start.size > before)
    }
}

impl Reading<'_> {
    /// The next chunk, which is known; fails with [`Differs`] if it is another.
    pub(super) fn known(&mut self, known: &Known) -> io::Result<Bytes> {
        let bytes = self.chunker.next_of(self.source, known.size)?;
        let bytes = bytes.filter(|bytes| crc32fast::hash(bytes) == known.crc32);
        let bytes = bytes.ok_or_else(|| io::Error::other(Differs))?;
        self.take_in(&bytes);
        Ok(bytes)
    }
}

/// Whether reading failed because the source does not begin as it did.
pub(crate) fn is_differing(error: &io::Error) -> bool {
    matches!(error.get_ref(), Some(inner) if inner.is::<Differs>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::ArchiveError;
    use crate::ingest::testing::{asset, new_vault, noise};

    /// What there is to know of `content` when it has grown to each of these lengths.
    fn read_ahead(ingest: &Ingest, content: &[u8], lengths: &[usize]) -> HeadStart {
        let mut start = HeadStart::default();
        for length in lengths {
            loop {
                let from = usize::try_from(start.size()).expect("small");
                let mut there = &content[from..*length];
                let more = ingest.read_ahead(&mut start, &mut there);
                assert!(start.size() <= *length as u64);
                if !more.expect("memory can be read") {
                    break;
                }
            }
        }
        start
    }

    /// Guards: a source is cut and hashed as ever, however much of it was read ahead and in whatever steps.
    #[test]
    fn a_head_start_changes_nothing_but_the_time() {
        let home = tempfile::tempdir().expect("a folder");
        let (vault, project) = new_vault(&home);
        let ingest = vault.ingest().expect("it takes things in");
        let content = noise(1, 9_000_000);
        let (ticket, plain) = ingest
            .archive(asset(project, "plain.bin"), &mut &content[..])
            .expect("memory can be read");
        ticket.wait().expect("it is sealed");
        let before = vault.status().expect("it can be counted");
        let all = content.len();
        for (number, lengths) in [
            &[][..],
            &[0, 1, 70_000],
            &[100_000, 1_000_000, 1_500_007, 2_000_000, 3_141_592],
            &[all],
        ]
        .into_iter()
        .enumerate()
        {
            let start = read_ahead(ingest, &content, lengths);
            // No more is left than the largest chunk.
            let length = lengths.last().map_or(0, |length| *length as u64);
            assert!(start.size() + 1024 * 1024 >= length, "{number}");
            assert_eq!(start.chunks() > 0, number > 1);
            let mut asset = asset(project, &format!("{number}.bin"));
            asset.expected_sha256 = Some(plain.sha256);
            let (ticket, digest) = ingest
                .archive_holding(asset, &mut &content[..], start, 8)
                .expect("it is what it was");
            ticket.wait().expect("it is sealed");
            assert_eq!(digest, plain);
        }
        let after = vault.status().expect("it can be counted");
        assert_eq!(after.assets, before.assets + 4);
        assert_eq!(after.unique_bytes, before.unique_bytes);
        assert_eq!(after.chunks, before.chunks);
    }

    /// Guards: bytes that are not those that were read ahead are never sealed under their digests.
    #[test]
    fn a_source_that_has_changed_is_noticed() {
        let home = tempfile::tempdir().expect("a folder");
        let (vault, project) = new_vault(&home);
        let ingest = vault.ingest().expect("it takes things in");
        let content = noise(1, 4_000_000);
        for at in [0, 1_234_567, 2_900_000] {
            let start = read_ahead(ingest, &content, &[content.len()]);
            let mut changed = content.clone();
            changed[at] ^= 1;
            let failed = ingest.archive_ahead(asset(project, "changed"), &mut &changed[..], start);
            let Err(ArchiveError::Source(error)) = failed else {
                panic!("it is not what it was: {at}");
            };
            assert!(is_differing(&error), "{error}");
        }
        let start = read_ahead(ingest, &content, &[content.len()]);
        let mut shorter = &content[..2_000_000];
        let failed = ingest.archive_ahead(asset(project, "shorter"), &mut shorter, start);
        assert!(matches!(failed, Err(ArchiveError::Source(error)) if is_differing(&error)));
        assert_eq!(vault.status().expect("it can be counted").assets, 0);
    }
}
