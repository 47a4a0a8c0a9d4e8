//! What a stripe covers: its objects in order, and a checksum of every shard.
//!
//! Encoding: unsigned LEB128 numbers, then the checksums as big-endian 32-bit numbers; docs/vault-format.md has it.

use std::ops::Range;

use super::cut::Split;
use super::plan::Extent;
use super::{BLOCKS, DATA_SHARDS_MAX, SHARD, TAIL};

/// Bytes of a chunk row in a pack's head: SHA-256, offset, size.
pub(crate) const CHUNK_RECORD: usize = 40;
/// Most objects of one stripe; each has a byte of its own at least.
const OBJECTS_MAX: usize = DATA_SHARDS_MAX * SHARD;

/// A sealed row, or a run of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    /// Consecutive entries, each with the length of its columns' encoding.
    Entries { first: u64, lengths: Vec<u32> },
    /// A manifest's records.
    Manifest { id: u64, length: usize },
    /// A pack with its chunk rows, whose ids follow each other.
    Pack {
        id: u64,
        codec: u32,
        raw_size: u64,
        length: usize,
        first_chunk: u64,
        chunks: usize,
    },
}

impl Object {
    /// Its bytes among the small ones.
    pub(crate) fn small_bytes(&self) -> usize {
        self.record_bytes() + self.leaf_bytes()
    }

    /// Those that are rows of their own: entries, chunk rows.
    fn record_bytes(&self) -> usize {
        match self {
            Self::Entries { lengths, .. } => lengths.iter().map(|length| *length as usize).sum(),
            Self::Manifest { .. } => 0,
            Self::Pack { chunks, .. } => *chunks * CHUNK_RECORD,
        }
    }

    /// Those that lie in the leaf page of a blob.
    fn leaf_bytes(&self) -> usize {
        match self {
            Self::Entries { .. } => 0,
            Self::Manifest { .. } => self.split().local,
            Self::Pack { .. } => 32 + self.split().local,
        }
    }

    /// How its blob lies; nothing for entries.
    pub(crate) fn split(&self) -> Split {
        match self {
            Self::Entries { .. } => Split {
                local: 0,
                overflow: 0,
            },
            Self::Manifest { length, .. } => Split::manifest(*length),
            Self::Pack {
                codec,
                raw_size,
                length,
                ..
            } => Split::pack(*codec, *raw_size, *length),
        }
    }
}

/// Where an object's bytes lie in a stripe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Rows of their own, among the small bytes.
    pub(crate) records: Range<usize>,
    /// What lies in the leaf page of a blob, among the small bytes.
    pub(crate) leaf: Range<usize>,
    /// Aligned shards.
    pub(crate) aligned: Range<usize>,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Descriptor {
    pub(crate) objects: Vec<Object>,
    /// Of every data shard, aligned ones first, then of every parity shard.
    pub(crate) checksums: Vec<u32>,
    /// The last bytes of every fourth parity shard, from the first on, which have no place in its block; none if
    /// parity is not aligned. Their checksums are those of the block, with zeros in place of these.
    pub(crate) tails: Vec<[u8; TAIL]>,
}

impl Descriptor {
    /// Where each object lies, in their order.
    pub(crate) fn places(&self) -> Vec<Place> {
        let is_run = |object: &&Object| matches!(object, Object::Entries { .. });
        let records = |objects: &mut dyn Iterator<Item = &Object>| -> usize {
            objects.map(Object::record_bytes).sum()
        };
        // What lies in one table is strung together, so that a lost block takes few shards with it.
        let mut entries = 0;
        let mut chunks = records(&mut self.objects.iter().filter(is_run));
        let mut leaf = records(&mut self.objects.iter());
        let mut aligned = 0;
        let take = |from: &mut usize, length: usize| {
            let start = *from;
            *from += length;
            start..*from
        };
        self.objects
            .iter()
            .map(|object| {
                let rows = if is_run(&object) {
                    &mut entries
                } else {
                    &mut chunks
                };
                Place {
                    records: take(rows, object.record_bytes()),
                    leaf: take(&mut leaf, object.leaf_bytes()),
                    aligned: take(&mut aligned, object.split().block_count()),
                }
            })
            .collect()
    }

    /// Shards of both sorts.
    pub(crate) fn extent(&self) -> Extent {
        let small: usize = self.objects.iter().map(Object::small_bytes).sum();
        Extent {
            aligned: self.objects.iter().map(|o| o.split().block_count()).sum(),
            shared: small.div_ceil(SHARD),
        }
    }

    /// Data shards.
    pub(crate) fn data_shards(&self) -> usize {
        let extent = self.extent();
        extent.aligned + extent.shared
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.checksums.len() * 4 + self.objects.len() * 12);
        put(&mut out, self.objects.len() as u64);
        let mut expected = Expected::default();
        for object in &self.objects {
            match object {
                Object::Entries { first, lengths } => {
                    put(&mut out, 1);
                    put(&mut out, first.wrapping_sub(expected.entry));
                    put(&mut out, lengths.len() as u64);
                    for length in lengths {
                        put(&mut out, u64::from(*length));
                    }
                }
                Object::Manifest { id, length } => {
                    put(&mut out, 2);
                    put(&mut out, id.wrapping_sub(expected.manifest));
                    put(&mut out, *length as u64);
                }
                Object::Pack {
                    id,
                    codec,
                    raw_size,
                    length,
                    first_chunk,
                    chunks,
                } => {
                    put(&mut out, 3);
                    let numbers = [
                        id.wrapping_sub(expected.pack),
                        u64::from(*codec),
                        *length as u64,
                        raw_size.wrapping_sub(*length as u64),
                        first_chunk.wrapping_sub(expected.chunk),
                        *chunks as u64,
                    ];
                    for number in numbers {
                        put(&mut out, number);
                    }
                }
            }
            expected.after(object);
        }
        put(&mut out, self.checksums.len() as u64);
        for checksum in &self.checksums {
            out.extend_from_slice(&checksum.to_be_bytes());
        }
        out.extend_from_slice(self.tails.as_flattened());
        out
    }

    /// `None` if the bytes are no descriptor of at most [`DATA_SHARDS_MAX`] data shards.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = bytes;
        let input = &mut input;
        let count = bounded(input, bytes.len())?;
        let mut objects = Vec::new();
        let mut total = 0_usize;
        let mut expected = Expected::default();
        for _ in 0..count {
            let object = match get(input)? {
                1 => {
                    let first = get(input)?.wrapping_add(expected.entry);
                    let run = bounded(input, bytes.len())?;
                    let mut lengths = Vec::new();
                    for _ in 0..run {
                        lengths.push(u32::try_from(get(input)?).ok()?);
                    }
                    first.checked_add(lengths.len() as u64)?;
                    Object::Entries { first, lengths }
                }
                2 => Object::Manifest {
                    id: get(input)?.wrapping_add(expected.manifest),
                    length: bounded(input, OBJECTS_MAX)?,
                },
                3 => {
                    let id = get(input)?.wrapping_add(expected.pack);
                    let codec = u32::try_from(get(input)?).ok()?;
                    let length = bounded(input, OBJECTS_MAX)?;
                    Object::Pack {
                        id,
                        codec,
                        raw_size: get(input)?.wrapping_add(length as u64),
                        length,
                        first_chunk: get(input)?.wrapping_add(expected.chunk),
                        chunks: bounded(input, OBJECTS_MAX / CHUNK_RECORD)?,
                    }
                }
                _ => return None,
            };
            total = total.checked_add(object.small_bytes() + object.split().overflow)?;
            if total > DATA_SHARDS_MAX * SHARD {
                return None;
            }
            expected.after(&object);
            objects.push(object);
        }
        let count = bounded(input, bytes.len() / 4)?;
        let (checksums, tails) = input.split_at_checked(count * 4)?;
        let checksums = checksums
            .chunks_exact(4)
            .map(|bytes| u32::from_be_bytes(bytes.try_into().expect("four bytes")))
            .collect();
        let (tails, rest) = tails.as_chunks();
        let descriptor = Self {
            objects,
            checksums,
            tails: tails.to_vec(),
        };
        let data = descriptor.data_shards();
        let parity = count.checked_sub(data)?;
        let fits = data <= DATA_SHARDS_MAX
            && (tails.is_empty() || tails.len() == parity.div_ceil(BLOCKS))
            && rest.is_empty();
        fits.then_some(descriptor)
    }
}

/// The ids that follow those of the objects before: the usual case, which is stored as 0.
#[derive(Default)]
struct Expected {
    entry: u64,
    manifest: u64,
    pack: u64,
    chunk: u64,
}

impl Expected {
    fn after(&mut self, object: &Object) {
        match object {
            Object::Entries { first, lengths } => {
                self.entry = first.wrapping_add(lengths.len() as u64);
            }
            Object::Manifest { id, .. } => self.manifest = id.wrapping_add(1),
            Object::Pack {
                id,
                first_chunk,
                chunks,
                ..
            } => {
                self.pack = id.wrapping_add(1);
                self.chunk = first_chunk.wrapping_add(*chunks as u64);
            }
        }
    }
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

fn get(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = input.split_first()?;
        *input = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn bounded(input: &mut &[u8], max: usize) -> Option<usize> {
    usize::try_from(get(input)?)
        .ok()
        .filter(|value| *value <= max)
}
