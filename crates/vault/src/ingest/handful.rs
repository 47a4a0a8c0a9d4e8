//! Small sources that are read one after the other and handed in together: their bytes lie in one buffer, their chunks are
//! hashed two at a time, and the batch is locked once for all of them.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use bytes::BytesMut;

use super::batch::{Chunk, Content, Entry, Manifest};
use super::{ArchiveError, Ingest, NewAsset, SourceDigest, Ticket, check_expectations};
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
        // One byte more, to see that nothing follows.
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
        let mut end = self.filled;
        loop {
            match source.read(&mut self.buffer[end..]) {
                Ok(0) => break,
                Ok(read) => end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ArchiveError::Source(error)),
            }
            let found = (end - self.filled) as u64;
            if found > size {
                let expected = size;
                return Err(IngestError::SizeDiffers { expected, found }.into());
            }
        }
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
