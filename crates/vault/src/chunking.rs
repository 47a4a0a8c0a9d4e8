//! Content-defined chunking: where a stream of bytes is cut so that equal stretches of different files become
//! equal chunks.
//!
//! FastCDC 2020 (Xia et al., "The Design of Fast Content-Defined Chunking for Data Deduplication Based Storage
//! Systems", IEEE TPDS 31(9)) by the crate `fastcdc`. The parameters are sealed in the vault's first entry; a
//! drift in the cut points would end deduplication against everything archived before, so a test pins them.

use std::io::{self, Read};

use bytes::Bytes;
use fastcdc::v2020::{FastCDC, Normalization};

use crate::buffers::{Buffers, fill};

/// Where to cut. All three are powers of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct ChunkerParameters {
    /// Smallest chunk but for the last, bytes.
    pub min: u32,
    /// Average aimed at, bytes.
    pub avg: u32,
    /// Largest chunk, bytes.
    pub max: u32,
    /// Normalisation level of the two masks: 0 to 3.
    pub normalization: u32,
}

impl Default for ChunkerParameters {
    fn default() -> Self {
        use crate::limits::{CHUNK_BYTES_AVG, CHUNK_BYTES_MAX, CHUNK_BYTES_MIN};
        let small = |bytes: usize| u32::try_from(bytes).expect("limits are far below 4 GiB");
        Self {
            min: small(CHUNK_BYTES_MIN),
            avg: small(CHUNK_BYTES_AVG),
            max: small(CHUNK_BYTES_MAX),
            normalization: 1,
        }
    }
}

impl ChunkerParameters {
    /// Whether this program can cut that way within its memory bounds.
    pub(crate) fn is_supported(&self) -> bool {
        [self.min, self.avg, self.max]
            .iter()
            .all(|bytes| bytes.is_power_of_two())
            && self.min >= 4096
            && self.min < self.avg
            && self.avg < self.max
            && self.max as usize <= crate::limits::CHUNK_BYTES_MAX
            && self.normalization <= 3
    }

    /// How long the first chunk of `bytes` is. If it takes all of them, and is not the largest, more of the source may make it longer.
    pub(crate) fn cut(&self, bytes: &[u8]) -> usize {
        let &Self { min, avg, max, .. } = self;
        if bytes.len() <= min as usize {
            return bytes.len();
        }
        let bytes = &bytes[..bytes.len().min(max as usize)];
        let cdc = FastCDC::with_level(
            bytes,
            min as usize,
            avg as usize,
            max as usize,
            self.level(),
        );
        let (_, length) = cdc.cut(0, bytes.len());
        length
    }

    fn level(self) -> Normalization {
        match self.normalization {
            0 => Normalization::Level0,
            1 => Normalization::Level1,
            2 => Normalization::Level2,
            _ => Normalization::Level3,
        }
    }
}

/// Bytes that are read at a time: the largest chunk can be cut, and most are cut without moving what is left.
pub(crate) const READ_BYTES: usize = 2 * crate::limits::CHUNK_BYTES_MAX;

/// Cuts a source into chunks, one at a time. Memory: a buffer, and one more wherever somebody holds chunks.
pub(crate) struct Chunker<'b> {
    parameters: ChunkerParameters,
    /// Of [`READ_BYTES`].
    buffers: &'b Buffers,
    /// Read and not yet handed out.
    ahead: Bytes,
    at_end: bool,
}

impl<'b> Chunker<'b> {
    pub(crate) const fn new(parameters: ChunkerParameters, buffers: &'b Buffers) -> Self {
        Self {
            parameters,
            buffers,
            ahead: Bytes::new(),
            at_end: false,
        }
    }

    /// The next chunk of `source`, `None` at its end.
    pub(crate) fn next(&mut self, source: &mut dyn Read) -> io::Result<Option<Bytes>> {
        if self.is_at_end(source)? {
            return Ok(None);
        }
        let mut length = self.parameters.cut(&self.ahead);
        // Where it ends depends on what comes before that, and on nothing after it.
        if length == self.ahead.len() && length < self.parameters.max as usize && !self.at_end {
            self.read_ahead(source)?;
            length = self.parameters.cut(&self.ahead);
        }
        Ok(Some(self.ahead.split_to(length)))
    }

    /// The next `length` bytes, a chunk that was cut before; `None` if `source` has no more so many.
    pub(crate) fn next_of(
        &mut self,
        source: &mut dyn Read,
        length: usize,
    ) -> io::Result<Option<Bytes>> {
        if self.ahead.len() < length && !self.at_end {
            self.read_ahead(source)?;
        }
        Ok((self.ahead.len() >= length).then(|| self.ahead.split_to(length)))
    }

    /// Whether [`Chunker::next`] has given all of `source`.
    pub(crate) fn is_at_end(&mut self, source: &mut dyn Read) -> io::Result<bool> {
        if self.ahead.is_empty() && !self.at_end {
            self.read_ahead(source)?;
        }
        Ok(self.ahead.is_empty())
    }

    /// Reads until the largest chunk can be cut and more, if there is that much.
    fn read_ahead(&mut self, source: &mut dyn Read) -> io::Result<()> {
        let mut buffer = self.buffers.take();
        let (left, room) = buffer.split_at_mut(self.ahead.len());
        left.copy_from_slice(&self.ahead);
        let read = fill(source, room)?;
        self.at_end = read < room.len();
        let length = self.ahead.len() + read;
        self.ahead = self.buffers.lend(buffer, length);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Digest;

    /// A fixed stream, the same for ever: SHA-256 in counter mode.
    fn fixed_stream(bytes: usize) -> Vec<u8> {
        (0_u64..)
            .flat_map(|n| *Digest::of(&n.to_be_bytes()).as_bytes())
            .take(bytes)
            .collect()
    }

    /// Hands out a few bytes at a time, as sockets do.
    struct Dribble<'a>(&'a [u8], usize);

    impl Read for Dribble<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.1 = self.1 % 7919 + 97;
            let n = self.0.len().min(buf.len()).min(self.1);
            buf[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn lengths(source: &mut dyn Read) -> Vec<usize> {
        let buffers = Buffers::new(READ_BYTES);
        let mut chunker = Chunker::new(ChunkerParameters::default(), &buffers);
        let mut lengths = Vec::new();
        while let Some(chunk) = chunker.next(source).expect("memory can be read") {
            lengths.push(chunk.len());
        }
        lengths
    }

    #[test]
    fn cut_points_never_drift() {
        let stream = fixed_stream(4 << 20);
        let cuts = lengths(&mut stream.as_slice());
        assert_eq!(cuts.iter().sum::<usize>(), stream.len());
        assert_eq!(
            cuts, PINNED,
            "deduplication against existing vaults depends on these"
        );
    }

    const PINNED: &[usize] = &[
        300_369, 280_185, 223_385, 205_363, 321_680, 319_739, 315_571, 313_612, 277_184, 287_192,
        508_036, 289_414, 471_079, 81_495,
    ];

    #[test]
    fn cuts_do_not_depend_on_how_the_bytes_arrive() {
        let stream = fixed_stream(3 << 20);
        assert_eq!(
            lengths(&mut stream.as_slice()),
            lengths(&mut Dribble(&stream, 0))
        );
    }

    #[test]
    fn an_insertion_changes_only_the_chunks_around_it() {
        let stream = fixed_stream(8 << 20);
        let mut edited = stream.clone();
        edited.splice(1_000_000..1_000_000, *b"inserted");
        let digests = |mut source: &[u8]| {
            let buffers = Buffers::new(READ_BYTES);
            let mut chunker = Chunker::new(ChunkerParameters::default(), &buffers);
            let mut set = std::collections::HashSet::new();
            while let Some(chunk) = chunker.next(&mut source).expect("memory can be read") {
                set.insert(Digest::of(&chunk));
            }
            set
        };
        let (before, after) = (digests(&stream), digests(&edited));
        assert!(
            before.difference(&after).count() <= 2,
            "all but the edited chunks are shared"
        );
    }

    #[test]
    fn small_and_empty_sources_are_one_chunk_or_none() {
        assert_eq!(lengths(&mut &b""[..]), Vec::<usize>::new());
        assert_eq!(lengths(&mut &b"x"[..]), [1]);
        assert_eq!(lengths(&mut &vec![0; 65_536][..]), [65_536]);
    }
}
