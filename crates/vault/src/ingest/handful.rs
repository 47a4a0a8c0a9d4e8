//! Small sources that are read one after the other and handed in together: their bytes lie in one buffer, their chunks are
//! hashed two at a time, and the batch is locked once for all of them.

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use bytes::BytesMut;

use super::batch::{Chunk, Content, Entry, Manifest};
use super::{ArchiveError, Ingest, NewAsset, SourceDigest, Ticket, check_expectations};
use crate::buffers::fill;
use crate::chunking::READ_BYTES;
use crate::error::IngestError;
use crate::ids::Digest;
use crate::media::{HEAD_BYTES, Media};
use crate::sha256;

/// Bytes that are handed in together.
pub(crate) const HANDFUL_BYTES: usize = READ_BYTES;
/// Sources that are handed in together: few, beside what a batch takes.
pub(crate) const HANDFUL_SOURCES_MAX: usize = 512;
/// Longer sources go alone.
const SMALL_BYTES_MAX: u64 = HANDFUL_BYTES as u64 / 8;

/// What was read on one thread and not handed in yet. `T` is what its owner wants to know of each source when it is.
pub(crate) struct Handful<'i, T> {
    ingest: &'i Ingest,
    /// Empty until something is read.
    buffer: BytesMut,
    filled: usize,
    read: Vec<Source<T>>,
}

/// A source that was read to its end.
struct Source<T> {
    asset: NewAsset,
    /// Where it lies in the buffer.
    bytes: Range<usize>,
    crc32: u32,
    media: Media,
    what: T,
}

/// What became of a source when it was handed in.
pub(crate) type HandedIn = Result<(Ticket, SourceDigest), IngestError>;

impl<'i, T> Handful<'i, T> {
    pub(super) fn new(ingest: &'i Ingest) -> Self {
        Self {
            ingest,
            buffer: BytesMut::new(),
            filled: 0,
            read: Vec::new(),
        }
    }

    /// Whether a source of that many bytes is small enough to be handed in with others.
    pub(crate) const fn takes(size: u64) -> bool {
        size <= SMALL_BYTES_MAX
    }

    /// Whether a source of that many bytes can be read before what was read is handed in.
    pub(crate) fn has_room(&self, size: u64) -> bool {
        let room = (HANDFUL_BYTES - self.filled) as u64;
        size < room && self.read.len() < HANDFUL_SOURCES_MAX
    }

    /// Reads `source` to its end, for which there is room. Nothing of it stays if that fails, or if it has more than `size`
    /// bytes.
    pub(crate) fn read(
        &mut self,
        asset: NewAsset,
        what: T,
        size: u64,
        source: &mut dyn Read,
    ) -> Result<(), ArchiveError> {
        if self.buffer.is_empty() {
            self.buffer = self.ingest.shared.buffers.take();
        }
        // One byte more than there should be, to see that nothing follows.
        let most = usize::try_from(size).expect("there is room for it");
        let room = &mut self.buffer[self.filled..][..=most];
        let read = fill(source, room).map_err(ArchiveError::Source)?;
        let found = read as u64;
        if found > size {
            let expected = size;
            return Err(IngestError::SizeDiffers { expected, found }.into());
        }
        let end = self.filled + read;
        let place = self.filled..end;
        let bytes = &self.buffer[place.clone()];
        let head = &bytes[..bytes.len().min(HEAD_BYTES)];
        self.read.push(Source {
            crc32: crc32fast::hash(bytes),
            media: Media::detect(asset.name.as_bytes(), head),
            asset,
            bytes: place,
            what,
        });
        self.filled = end;
        Ok(())
    }

    /// Hands in everything that was read, in that order.
    pub(crate) fn hand_in(&mut self) -> Vec<(T, HandedIn)> {
        if self.read.is_empty() {
            return Vec::new();
        }
        let buffers = &self.ingest.shared.buffers;
        let full = std::mem::take(&mut self.buffer);
        let all = buffers.lend(full, std::mem::take(&mut self.filled));
        let mut messages: Vec<Range<usize>> = Vec::new();
        let mut chunk_counts = Vec::with_capacity(self.read.len());
        for source in &self.read {
            let first = messages.len();
            let mut rest = source.bytes.clone();
            while !rest.is_empty() {
                let chunk = rest.start..rest.start + self.ingest.parameters.cut(&all[rest.clone()]);
                rest.start = chunk.end;
                messages.push(chunk);
            }
            let chunks = messages.len() - first;
            chunk_counts.push(chunks);
            // A chunk alone has its asset's digest.
            if chunks != 1 {
                messages.push(source.bytes.clone());
            }
        }
        let digests = sha256::of_each(messages.iter().map(|range| &all[range.clone()]));
        let mut hashed = messages.into_iter().zip(digests);
        let mut done = Vec::with_capacity(self.read.len());
        let mut gathering = self.ingest.shared.wait_for_room();
        for (source, chunks) in self.read.drain(..).zip(chunk_counts) {
            let own: Vec<(Range<usize>, Digest)> = hashed.by_ref().take(chunks).collect();
            let sha256 = match own[..] {
                [(_, digest)] => Some(digest),
                _ => hashed.next().map(|(_, digest)| digest),
            };
            let digest = SourceDigest {
                size: source.bytes.len() as u64,
                sha256: sha256.expect("each source of no or several chunks is a message itself"),
                crc32: source.crc32,
            };
            let handed = match &mut gathering {
                Err(error) => Err(error.clone()),
                Ok(gathering) => check_expectations(&source.asset, &digest).map(|()| {
                    let manifest = Arc::new(Manifest::default());
                    for (range, digest) in own {
                        let bytes = all.slice(range);
                        gathering
                            .batch
                            .push_chunk(Chunk::new(bytes, digest, &manifest));
                    }
                    let content = Content {
                        manifest,
                        digest,
                        media: source.media,
                    };
                    let entry = Entry::asset(source.asset, content);
                    let ticket = entry.owed.ticket();
                    gathering.batch.push_entry(entry);
                    (ticket, digest)
                }),
            };
            done.push((source.what, handed));
        }
        drop(gathering);
        self.ingest.shared.notify();
        done
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::ingest::testing::{asset, new_vault, noise};

    /// Guards: what is handed in together is cut, hashed and sealed as it would be alone.
    #[test]
    fn sources_handed_in_together_are_what_each_would_be_alone() {
        let home = tempfile::tempdir().expect("a folder");
        let (vault, project) = new_vault(&home);
        let ingest = vault.ingest().expect("it takes things in");
        let sizes = [0, 1, 63, 65_536, 65_537, 200_001, 262_144, 5];
        let sources: Vec<Vec<u8>> = (0..).zip(sizes).map(|(n, size)| noise(n, size)).collect();

        let mut handful = ingest.handful();
        for (number, source) in sources.iter().enumerate() {
            let size = source.len() as u64;
            assert!(Handful::<usize>::takes(size) && handful.has_room(size));
            handful
                .read(
                    asset(project, &number.to_string()),
                    number,
                    size,
                    &mut &source[..],
                )
                .expect("memory can be read");
        }
        // One that cannot be read to its end, or has grown, leaves nothing behind.
        let mut broken = (&b"some"[..]).chain(Broken);
        let failed = handful.read(asset(project, "broken"), 99, 10, &mut broken);
        assert!(matches!(failed, Err(ArchiveError::Source(_))));
        let grown = handful.read(asset(project, "grown"), 99, 3, &mut &b"four"[..]);
        let Err(ArchiveError::Ingest(IngestError::SizeDiffers { expected, found })) = grown else {
            panic!("{grown:?}");
        };
        assert_eq!((expected, found), (3, 4));

        let handed = handful.hand_in();
        let numbers: Vec<usize> = handed.iter().map(|(number, _)| *number).collect();
        assert!(numbers.into_iter().eq(0..sources.len()));
        for ((number, handed), source) in handed.into_iter().zip(&sources) {
            let (ticket, digest) = handed.expect("it is taken in");
            assert_eq!(digest.sha256, Digest::of(source), "{number}");
            assert_eq!(digest.crc32, crc32fast::hash(source), "{number}");
            assert_eq!(digest.size, source.len() as u64);
            let sealed = ticket.wait().expect("it is sealed");
            assert!(!sealed.already_archived);
        }
        assert!(handful.hand_in().is_empty());

        // The same chunks come of each alone: nothing new is stored.
        let before = vault.status().expect("it can be counted");
        assert_eq!(before.assets, sources.len() as u64);
        for (number, source) in sources.iter().enumerate() {
            let new = asset(project, &format!("{number} again"));
            let (ticket, _) = ingest.archive(new, &mut &source[..]).expect("it is read");
            ticket.wait().expect("it is sealed");
        }
        let after = vault.status().expect("it can be counted");
        assert_eq!(after.assets, 2 * before.assets);
        assert_eq!(after.unique_bytes, before.unique_bytes);
        assert_eq!(before.unique_bytes, sizes.iter().sum::<usize>() as u64);
    }

    #[test]
    fn a_handful_has_bounds() {
        let home = tempfile::tempdir().expect("a folder");
        let (vault, project) = new_vault(&home);
        let ingest = vault.ingest().expect("it takes things in");
        let mut handful = ingest.handful();
        for n in 0..HANDFUL_SOURCES_MAX {
            assert!(handful.has_room(0));
            handful
                .read(asset(project, "empty"), n, 0, &mut io::empty())
                .expect("it is read");
        }
        assert!(!handful.has_room(0));
        assert!(!Handful::<usize>::takes(SMALL_BYTES_MAX + 1));
        handful.hand_in();
        let size = SMALL_BYTES_MAX;
        let source = noise(1, usize::try_from(size).expect("small"));
        while handful.has_room(size) {
            handful
                .read(asset(project, "long"), 0, size, &mut &source[..])
                .expect("it is read");
        }
        let read = handful.hand_in().len();
        assert_eq!(
            read,
            HANDFUL_BYTES / source.len() - 1,
            "a byte must stay free"
        );
    }

    /// Fails when it is read.
    struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken"))
        }
    }
}
