//! How a pack's bytes are stored: as they are, or as one zstd frame (RFC 8878).
//!
//! Plain frames with the content size, no dictionary, so that any `zstd` command decodes them.

use std::cell::RefCell;
use std::io;

use crate::limits::PACK_BYTES_MAX;
use zstd::bulk::{Compressor, Decompressor};

/// Compression level. Measured on source trees: level 3 is the knee of size against time.
const LEVEL: i32 = 3;
/// A frame must save at least one part in this many, or decoding it is not worth it.
const WORTHWHILE_FRACTION: usize = 64;
/// Bytes looked at to tell whether a chunk is worth compressing.
const SAMPLE_BYTES: u16 = 4096;
/// Bits per byte above which a sample counts as incompressible. Even uniformly random samples of this size show
/// no more than about 7.95.
const INCOMPRESSIBLE_BITS: f32 = 7.8;

/// The numbers of the `codec` column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    /// Bytes as they are.
    Stored,
    /// One zstd frame.
    Zstd,
}

impl Codec {
    /// The number in the column.
    pub(crate) const fn number(self) -> u32 {
        match self {
            Self::Stored => 0,
            Self::Zstd => 1,
        }
    }

    /// The codec of a number.
    pub(crate) const fn from_number(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::Stored),
            1 => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// What encodes packs one after the other on a thread: its memory is used again, since fresh memory costs more than what
/// is done in it.
struct Encoder {
    compressor: Compressor<'static>,
    decompressor: Decompressor<'static>,
    /// The bytes to be compressed.
    raw: Vec<u8>,
    /// Room for the largest frame that was asked for.
    frame: Vec<u8>,
    /// What the frame decodes to.
    decoded: Vec<u8>,
}

impl Encoder {
    fn new() -> io::Result<Self> {
        Ok(Self {
            compressor: Compressor::new(LEVEL)?,
            decompressor: Decompressor::new()?,
            // At once, since vectors that grow take up to twice what is needed.
            raw: Vec::with_capacity(PACK_BYTES_MAX),
            frame: Vec::with_capacity(zstd::zstd_safe::compress_bound(PACK_BYTES_MAX)),
            decoded: Vec::with_capacity(PACK_BYTES_MAX),
        })
    }
}

thread_local! {
    static ENCODER: RefCell<Option<Encoder>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Compresses `pieces` as one and proves it: the frame was decoded again and compared. `None` if it saves too little.
pub(crate) fn compress<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> io::Result<Option<Vec<u8>>> {
    ENCODER.with_borrow_mut(|slot| {
        let Encoder {
            compressor,
            decompressor,
            raw,
            frame,
            decoded,
        } = match slot {
            Some(encoder) => encoder,
            None => slot.insert(Encoder::new()?),
        };
        raw.clear();
        for piece in pieces {
            raw.extend_from_slice(piece);
        }
        frame.clear();
        frame.reserve(zstd::zstd_safe::compress_bound(raw.len()));
        let bytes = compressor.compress_to_buffer(raw, frame)?;
        if bytes + raw.len() / WORTHWHILE_FRACTION >= raw.len() {
            return Ok(None);
        }
        decoded.clear();
        decoded.reserve(raw.len());
        decompressor.decompress_to_buffer(frame, decoded)?;
        if decoded != raw {
            let what = "a frame does not decode to what it was made of";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        // Frames that wait for their commit take no more memory than they need.
        Ok(Some(frame.clone()))
    })
}

/// Decodes a frame that must hold exactly `raw_size` bytes. No more than that is ever allocated, whatever the
/// frame claims.
pub(crate) fn decompress(frame: &[u8], raw_size: usize) -> io::Result<Vec<u8>> {
    DECOMPRESSOR.with_borrow_mut(|slot| {
        let decompressor = match slot {
            Some(decompressor) => decompressor,
            None => slot.insert(Decompressor::new()?),
        };
        let raw = decompressor.decompress(frame, raw_size)?;
        if raw.len() == raw_size {
            Ok(raw)
        } else {
            Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the frame is shorter than recorded",
            ))
        }
    })
}

/// Whether a sample of `raw` looks like bytes that were compressed or encrypted already. A guess that costs a few
/// microseconds: wrong either way, it costs time or a little space, never bytes.
pub(crate) fn looks_incompressible(raw: &[u8]) -> bool {
    let sample = usize::from(SAMPLE_BYTES);
    if raw.len() < sample {
        return false;
    }
    // An eighth of it tells of most bytes that they compress: they meet themselves much more often than chance would have it.
    let met: u32 = counts(raw, sample / 8)
        .iter()
        .map(|count| u32::from(*count).pow(2))
        .sum();
    if met > u32::from(SAMPLE_BYTES / 8).pow(2) / 64 {
        return false;
    }
    let counts = counts(raw, sample);
    let total = f32::from(SAMPLE_BYTES);
    let bits: f32 = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f32::from(*count) / total)
        .map(|p| -p * p.log2())
        .sum();
    bits > INCOMPRESSIBLE_BITS
}

/// How often each byte is in a sample of `raw`: sixteen runs spread over all of it, so that a header does not decide alone.
fn counts(raw: &[u8], sample: usize) -> [u16; 256] {
    let mut counts = [0_u16; 256];
    let run = sample / 16;
    let stride = (raw.len() - run) / 15;
    for start in (0..16).map(|i| i * stride) {
        for byte in &raw[start..start + run] {
            counts[usize::from(*byte)] += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Digest;

    fn noise(bytes: usize) -> Vec<u8> {
        (0_u64..)
            .flat_map(|n| *Digest::of(&n.to_be_bytes()).as_bytes())
            .take(bytes)
            .collect()
    }

    #[test]
    fn text_round_trips_and_shrinks() {
        let raw = b"permanent ".repeat(10_000);
        let halves = raw.split_at(5_000);
        let frame = compress([halves.0, halves.1]);
        let frame = frame.expect("zstd works").expect("text shrinks");
        assert!(frame.len() < raw.len() / 10);
        assert_eq!(decompress(&frame, raw.len()).expect("decodes"), raw);
    }

    #[test]
    fn noise_is_left_alone() {
        let raw = noise(100_000);
        assert!(looks_incompressible(&raw));
        assert!(!looks_incompressible(&b"permanent ".repeat(10_000)));
        assert_eq!(compress([&raw[..]]).expect("zstd works"), None);
    }

    #[test]
    fn a_frame_that_claims_another_size_is_refused() {
        let raw = vec![7; 1 << 20];
        let frame = compress([&raw[..]]);
        let frame = frame.expect("zstd works").expect("shrinks");
        assert!(
            decompress(&frame, 1000).is_err(),
            "a bomb is cut off at the recorded size"
        );
        assert!(decompress(&frame, (1 << 20) + 1).is_err());
        assert!(decompress(b"no frame", 10).is_err());
    }
}
