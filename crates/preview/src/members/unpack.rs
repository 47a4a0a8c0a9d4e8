//! Archives that are compressed as a whole: a TAR inside gzip, Zstandard, bzip2 or xz, or any one file. They can only be
//! read from the beginning, so how far is bounded.

use std::io::{self, BufReader, Read};

use super::tar::{self, Forward};
use super::{Gathering, Kind, Limits, Listing, Member, read_full};
use crate::job::Failure;

/// The largest window of a Zstandard frame, as a power of two: what `--long` gives, 128 MiB.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;
/// What xz may take for its dictionary, in KiB: `xz -9` has 64 MiB.
const XZ_MEMORY_KIB_MAX: u32 = 192 * 1024;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Zstd,
    Bzip2,
    Xz,
}

impl Packing {
    /// By the first bytes of a file.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            [
                b'B',
                b'Z',
                b'h',
                b'1'..=b'9',
                0x31,
                0x41,
                0x59,
                0x26,
                0x53,
                0x59,
                ..,
            ]
            | [
                b'B',
                b'Z',
                b'h',
                b'1'..=b'9',
                0x17,
                0x72,
                0x45,
                0x38,
                0x50,
                0x90,
                ..,
            ] => Some(Self::Bzip2),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            _ => None,
        }
    }

    /// The usual extension, and the formats of a TAR in it and of anything else.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Gzip => ("gz", "tar.gz"),
            Self::Zstd => ("zst", "tar.zst"),
            Self::Bzip2 => ("bz2", "tar.bz2"),
            Self::Xz => ("xz", "tar.xz"),
        }
    }

    fn decoder<'a>(self, content: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
        let content = BufReader::with_capacity(256 * 1024, content);
        Ok(match self {
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(content)),
            Self::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(content)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Box::new(decoder)
            }
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(content)),
            Self::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(
                content,
                true,
                XZ_MEMORY_KIB_MAX,
            )),
        })
    }
}

/// What comes out of a decoder, to a bound.
struct Decoded<'a> {
    source: Box<dyn Read + 'a>,
    left: u64,
    /// What was read ahead to see what it is.
    ahead: io::Cursor<Vec<u8>>,
    until: std::time::Instant,
    /// Whether the bound and not the content was the end.
    is_bounded: bool,
}

impl Read for Decoded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let ahead = self.ahead.read(buffer)?;
        if ahead > 0 {
            return Ok(ahead);
        }
        if !buffer.is_empty() && (self.left == 0 || std::time::Instant::now() >= self.until) {
            self.is_bounded = true;
            return Ok(0);
        }
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let bytes = self.source.read(&mut buffer[..most])?;
        self.left -= bytes as u64;
        Ok(bytes)
    }
}

impl Forward for Decoded<'_> {
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        read_full(self, buffer)
    }

    fn pass(&mut self, bytes: u64) -> io::Result<bool> {
        let passed = io::copy(&mut self.by_ref().take(bytes), &mut io::sink())?;
        Ok(passed == bytes)
    }
}

/// Lists what is in a compressed file.
pub(super) fn list(
    content: impl Read,
    packing: Packing,
    name: &str,
    limits: &Limits,
) -> Result<Listing, Failure> {
    let (single, tar) = packing.words();
    let mut gathering = Gathering::new(tar, limits);
    let mut source = Decoded {
        source: packing.decoder(content)?,
        left: limits.decoded_bytes,
        ahead: io::Cursor::default(),
        until: gathering.until,
        is_bounded: false,
    };
    let mut head = vec![0; 512];
    let filled = read_full(&mut source, &mut head).map_err(|error| {
        Failure::malformed(format!(
            "the file begins as {single} and cannot be unpacked: {error}"
        ))
    })?;
    head.truncate(filled);
    let is_tar = tar::is_header(&head);
    source.ahead = io::Cursor::new(head);
    if is_tar {
        let complete = tar::walk(&mut source, &mut gathering);
        if source.is_bounded {
            gathering.listing.stop(bounded(limits));
        }
        return Ok(tar::end(gathering, complete));
    }
    single.clone_into(&mut gathering.listing.format);
    let size = count(&mut source, &mut gathering);
    if source.is_bounded {
        gathering.listing.stop(bounded(limits));
    }
    gathering.add(Member {
        path: inner_name(name, single),
        kind: Kind::File,
        size,
        packed: None,
        modified_unix_ms: None,
        target: None,
    });
    Ok(gathering.end(true))
}

fn bounded(limits: &Limits) -> String {
    format!(
        "the archive can only be read from its beginning, and looking ends after {} MiB or {} s; what was found until then is shown",
        limits.decoded_bytes >> 20,
        limits.time.as_secs()
    )
}

/// Bytes to the end, or to where decoding fails, which is then said.
fn count(source: &mut Decoded<'_>, gathering: &mut Gathering) -> u64 {
    let mut size = 0_u64;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return size,
            Ok(bytes) => size += bytes as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                gathering.listing.stop(format!(
                    "the file is cut off or damaged after {size} unpacked bytes: {error}"
                ));
                return size;
            }
        }
    }
}

/// The name without the compression's extension.
fn inner_name(name: &str, extension: &str) -> String {
    match name.rsplit_once('.') {
        Some((stem, end)) if !stem.is_empty() && end.eq_ignore_ascii_case(extension) => {
            stem.to_owned()
        }
        Some((stem, end)) if !stem.is_empty() && end.eq_ignore_ascii_case("svgz") => {
            format!("{stem}.svg")
        }
        _ => name.to_owned(),
    }
}
