//! Content-defined chunking: where a stream of bytes is cut so that equal stretches of different files become
//! equal chunks.
//!
//! FastCDC 2020 (Xia et al., "The Design of Fast Content-Defined Chunking for Data Deduplication Based Storage
//! Systems", IEEE TPDS 31(9)) by the crate `fastcdc`. The parameters are sealed in the vault's first entry; a
//! drift in the cut points would end deduplication against everything archived before, so a test pins them.

use std::io::{self, Read};

use fastcdc::v2020::{FastCDC, Normalization};

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

    fn level(self) -> Normalization {
        match self.normalization {
            0 => Normalization::Level0,
            1 => Normalization::Level1,
            2 => Normalization::Level2,
            _ => Normalization::Level3,
        }
    }
}

/// Cuts a source into chunks, one at a time. Memory: four times the largest chunk, so that little is
/// moved when more is read.
pub(crate) struct Chunker {
    parameters: ChunkerParameters,
    /// Bytes read and not yet handed out are `buffer[start..end]`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    at_end: bool,
}

impl Chunker {
    /// A chunker with its buffer; it can be used for one source after another.
    pub(crate) fn new(parameters: ChunkerParameters) -> Self {
        Self {
            parameters,
            buffer: vec![0; 4 * parameters.max as usize],
            start: 0,
            end: 0,
            at_end: false,
        }
    }

    /// Forgets the source before, whether it was read to its end or not.
    pub(crate) fn reset(&mut self) {
        (self.start, self.end, self.at_end) = (0, 0, false);
    }

    /// The next chunk of `source`, `None` at its end. The slice is valid until the next call.
    pub(crate) fn next(&mut self, source: &mut dyn Read) -> io::Result<Option<&[u8]>> {
        self.read_ahead(source)?;
        let available = &self.buffer[self.start..self.end];
        if available.is_empty() {
            return Ok(None);
        }
        let length = self.cut(available);
        let chunk = self.start..self.start + length;
        self.start = chunk.end;
        Ok(Some(&self.buffer[chunk]))
    }

    /// Whether [`Chunker::next`] has given all of `source`.
    pub(crate) fn is_at_end(&mut self, source: &mut dyn Read) -> io::Result<bool> {
        self.read_ahead(source)?;
        Ok(self.start == self.end)
    }

    /// Sees to it that the largest chunk can be cut, if there is that much.
    fn read_ahead(&mut self, source: &mut dyn Read) -> io::Result<()> {
        if self.end - self.start < self.parameters.max as usize && !self.at_end {
            self.fill(source)?;
        }
        Ok(())
    }

    fn cut(&self, available: &[u8]) -> usize {
        let ChunkerParameters { min, avg, max, .. } = self.parameters;
        if available.len() <= min as usize {
            return available.len();
        }
        let bytes = &available[..available.len().min(max as usize)];
        let cdc = FastCDC::with_level(
            bytes,
            min as usize,
            avg as usize,
            max as usize,
            self.parameters.level(),
        );
        let (_, length) = cdc.cut(0, bytes.len());
        length
    }

    fn fill(&mut self, source: &mut dyn Read) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < self.buffer.len() {
            match source.read(&mut self.buffer[self.end..]) {
                Ok(0) => {
                    self.at_end = true;
                    break;
                }
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
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
        let mut chunker = Chunker::new(ChunkerParameters::default());
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
            let mut chunker = Chunker::new(ChunkerParameters::default());
            let mut set = std::collections::HashSet::new();
            while let Some(chunk) = chunker.next(&mut source).expect("memory can be read") {
                set.insert(Digest::of(chunk));
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
