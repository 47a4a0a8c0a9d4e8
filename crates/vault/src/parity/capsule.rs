//! A row of `derived_parity`: some parity shards, and a piece of the stripe's descriptor.
//!
//! The descriptor is itself cut into pieces and coded, so that some of the capsules (a half, in small stripes a quarter
//! or one) suffice to read it. Fields are big-endian; docs/vault-format.md lists them.

use std::collections::BTreeMap;

use super::SHARD;
use super::code;
use super::descriptor::Descriptor;
use crate::ids::VaultId;

/// What every capsule begins with.
pub(crate) const MAGIC: &[u8; 8] = b"CVPARITY";
const VERSION: u8 = 1;
/// Bytes before the piece.
pub(crate) const HEADER: usize = 70;
/// Longest descriptor that is believed.
const DESCRIPTOR_MAX: u32 = 64 * 1024 * 1024;

/// What all capsules of a stripe have in common, and which this one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) vault: VaultId,
    pub(crate) stripe: u64,
    /// Written for the long term, with all the parity that merging gives.
    pub(crate) settled: bool,
    pub(crate) data_shards: u32,
    pub(crate) parity_shards: u32,
    pub(crate) row: u16,
    pub(crate) rows: u16,
    pub(crate) first_shard: u32,
    pub(crate) shards: u16,
    pub(crate) descriptor_bytes: u32,
    pub(crate) descriptor_crc32: u32,
    pub(crate) pieces_needed: u16,
    pub(crate) piece_bytes: u32,
}

/// A capsule whose header and piece are as they were written; its shards have their checksums in the descriptor.
#[derive(Clone, Debug)]
pub(crate) struct Capsule<'b> {
    pub(crate) header: Header,
    piece: &'b [u8],
    shards: &'b [u8],
}

impl Header {
    fn encode(&self, piece: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER + piece.len());
        out.extend_from_slice(MAGIC);
        out.push(VERSION);
        out.push(u8::from(self.settled));
        out.extend_from_slice(self.vault.as_bytes());
        out.extend_from_slice(&self.stripe.to_be_bytes());
        out.extend_from_slice(&self.data_shards.to_be_bytes());
        out.extend_from_slice(&self.parity_shards.to_be_bytes());
        out.extend_from_slice(&self.row.to_be_bytes());
        out.extend_from_slice(&self.rows.to_be_bytes());
        out.extend_from_slice(&self.first_shard.to_be_bytes());
        out.extend_from_slice(&self.shards.to_be_bytes());
        out.extend_from_slice(&self.descriptor_bytes.to_be_bytes());
        out.extend_from_slice(&self.descriptor_crc32.to_be_bytes());
        out.extend_from_slice(&self.pieces_needed.to_be_bytes());
        out.extend_from_slice(&self.piece_bytes.to_be_bytes());
        let mut crc = crc32fast::Hasher::new();
        crc.update(&out);
        crc.update(piece);
        out.extend_from_slice(&crc.finalize().to_be_bytes());
        out
    }

    /// Reads the header alone, without comparing its checksum: enough to count stripes.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "each field is read with its own width"
    )]
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = bytes.get(..HEADER)?;
        let mut take = |length: usize| {
            let (field, rest) = input.split_at(length);
            input = rest;
            field
        };
        if take(8) != MAGIC || take(1) != [VERSION] {
            return None;
        }
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0_u64, |n, byte| n << 8 | u64::from(*byte))
        };
        let settled = number(take(1)) == 1;
        let vault = VaultId::new(take(16).try_into().ok()?);
        let mut next = |length: usize| number(take(length));
        Some(Self {
            vault,
            settled,
            stripe: next(8),
            data_shards: next(4) as u32,
            parity_shards: next(4) as u32,
            row: next(2) as u16,
            rows: next(2) as u16,
            first_shard: next(4) as u32,
            shards: next(2) as u16,
            descriptor_bytes: next(4) as u32,
            descriptor_crc32: next(4) as u32,
            pieces_needed: next(2) as u16,
            piece_bytes: next(4) as u32,
        })
    }

    fn is_possible(&self) -> bool {
        let needed = u64::from(self.pieces_needed);
        needed > 0
            && self.pieces_needed <= self.rows
            && self.row < self.rows
            && self.descriptor_bytes <= DESCRIPTOR_MAX
            && self.piece_bytes.is_multiple_of(2)
            && needed * u64::from(self.piece_bytes) >= u64::from(self.descriptor_bytes)
            && u64::from(self.piece_bytes) <= u64::from(DESCRIPTOR_MAX)
            && self.data_shards as usize <= super::DATA_SHARDS_MAX
            && self.parity_shards as usize <= super::DATA_SHARDS_MAX
            && u64::from(self.first_shard) + u64::from(self.shards) <= u64::from(self.parity_shards)
    }
}

impl<'b> Capsule<'b> {
    /// Reads what a row holds; `None` if header or piece are damaged.
    pub(crate) fn parse(bytes: &'b [u8]) -> Option<Self> {
        let header = Header::decode(bytes).filter(Header::is_possible)?;
        let piece = bytes.get(HEADER..HEADER + header.piece_bytes as usize)?;
        let shards = &bytes[HEADER + piece.len()..];
        let intact = header.encode(piece) == bytes[..HEADER]
            // Fewer where the file ends before.
            && shards.len() <= usize::from(header.shards) * SHARD;
        intact.then_some(Self {
            header,
            piece,
            shards,
        })
    }
}

/// Writes a stripe's capsules.
pub(crate) fn write(
    vault: VaultId,
    stripe: u64,
    settled: bool,
    descriptor: &Descriptor,
    parity: &[u8],
) -> Result<Vec<Vec<u8>>, reed_solomon_simd::Error> {
    let parity_shards = parity.len() / SHARD;
    // Eight shards and their share of the descriptor fill two overflow pages; small stripes spread theirs, since a
    // page that is lost should take little with it.
    let per_row = match parity_shards {
        0..16 => 1,
        16..128 => 2,
        _ => 8,
    };
    let rows = parity_shards.div_ceil(per_row);
    let needed = if rows >= 16 {
        rows / 2
    } else {
        (rows / 4).max(1)
    };
    let bytes = descriptor.encode();
    let piece = bytes.len().div_ceil(needed).next_multiple_of(2);
    let mut pieces = bytes.clone();
    pieces.resize(piece * needed, 0);
    let coded = if rows > needed {
        code::encode(&pieces, rows - needed, piece)?
    } else {
        Vec::new()
    };
    let all = pieces.chunks_exact(piece).chain(coded.chunks_exact(piece));
    let number = |n: usize| u32::try_from(n).expect("stripes are bounded");
    let small = |n: usize| u16::try_from(n).expect("stripes are bounded");
    let capsules = parity.chunks(per_row * SHARD).zip(all).enumerate();
    Ok(capsules
        .map(|(row, (shards, piece))| {
            let header = Header {
                vault,
                stripe,
                settled,
                data_shards: number(descriptor.data_shards()),
                parity_shards: number(parity_shards),
                row: small(row),
                rows: small(rows),
                first_shard: number(row * per_row),
                shards: small(shards.len() / SHARD),
                descriptor_bytes: number(bytes.len()),
                descriptor_crc32: crc32fast::hash(&bytes),
                pieces_needed: small(needed),
                piece_bytes: number(piece.len()),
            };
            let mut capsule = header.encode(piece);
            capsule.reserve_exact(piece.len() + shards.len());
            capsule.extend_from_slice(piece);
            capsule.extend_from_slice(shards);
            capsule
        })
        .collect())
}

/// Readings of one shard that are kept.
const READINGS_MAX: usize = 3;

/// Capsules of one stripe as they are found, in any order and number.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    header: Option<Header>,
    pieces: BTreeMap<u16, Vec<u8>>,
    /// What was found of each parity shard; more than one where a damaged file can be read in several ways.
    shards: BTreeMap<u32, Vec<Vec<u8>>>,
}

impl Gathered {
    /// Takes in a capsule; one that contradicts those before it is left out, and the answer is `false`.
    pub(crate) fn add(&mut self, capsule: &Capsule<'_>) -> bool {
        let header = *self.header.get_or_insert(capsule.header);
        let common = |header: Header| {
            let rest = (header.pieces_needed, header.piece_bytes, header.rows);
            let stripe = (
                header.vault,
                header.stripe,
                header.data_shards,
                header.parity_shards,
            );
            (
                stripe,
                header.descriptor_bytes,
                header.descriptor_crc32,
                rest,
            )
        };
        if common(header) != common(capsule.header) {
            return false;
        }
        self.pieces
            .insert(capsule.header.row, capsule.piece.to_vec());
        for (number, shard) in
            (capsule.header.first_shard..).zip(capsule.shards.chunks_exact(SHARD))
        {
            let found = self.shards.entry(number).or_default();
            if found.len() < READINGS_MAX && !found.iter().any(|known| known == shard) {
                found.push(shard.to_vec());
            }
        }
        true
    }

    /// Takes in a shard that was found without its capsule; the descriptor says whether it is one.
    pub(crate) fn add_shard(&mut self, number: u32, shard: &[u8]) {
        let found = self.shards.entry(number).or_default();
        if found.len() < READINGS_MAX {
            found.push(shard.to_vec());
        }
    }

    /// What the capsules found so far agree on.
    pub(crate) fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// Capsules found so far.
    pub(crate) fn found(&self) -> usize {
        self.pieces.len()
    }

    /// The descriptor, if enough pieces are there.
    pub(crate) fn descriptor(&self) -> Option<Descriptor> {
        let header = self.header?;
        let (needed, piece) = (
            usize::from(header.pieces_needed),
            header.piece_bytes as usize,
        );
        let mut bytes = vec![0; needed * piece];
        let mut good = vec![false; needed];
        let mut coded = Vec::new();
        for (&row, found) in &self.pieces {
            let row = usize::from(row);
            if row < needed {
                bytes[row * piece..][..piece].copy_from_slice(found);
                good[row] = true;
            } else {
                coded.push((row - needed, found.as_slice()));
            }
        }
        let recovery = usize::from(header.rows) - needed;
        if good.contains(&false) {
            code::restore(&mut bytes, &good, &coded, recovery, piece).ok()?;
        }
        bytes.truncate(header.descriptor_bytes as usize);
        if crc32fast::hash(&bytes) != header.descriptor_crc32 {
            return None;
        }
        let descriptor = Descriptor::decode(&bytes)?;
        let shards = (header.data_shards as usize, header.parity_shards as usize);
        let same = descriptor.data_shards() == shards.0
            && descriptor.checksums.len() == shards.0 + shards.1;
        same.then_some(descriptor)
    }

    /// The parity shards that are as they were written, with their numbers.
    pub(crate) fn good_parity(&self, descriptor: &Descriptor) -> Vec<(usize, &[u8])> {
        let data = descriptor.data_shards();
        self.shards
            .iter()
            .filter_map(|(number, found)| {
                let number = *number as usize;
                let expected = descriptor.checksums.get(data + number)?;
                let good = found
                    .iter()
                    .find(|bytes| code::checksum(bytes) == *expected)?;
                Some((number, good.as_slice()))
            })
            .collect()
    }
}
