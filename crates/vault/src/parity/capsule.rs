//! A row of `derived_parity`: some parity shards, and a piece of the stripe's descriptor.
//!
//! The descriptor is itself cut into pieces and coded, so that some of the capsules suffice to read it: half of an
//! unsettled stripe's, a quarter of a settled one's or fewer, as many as the promised gap leaves. Fields are
//! big-endian; docs/vault-format.md lists them.
//!
//! Aligned capsules keep header and piece in the leaf page and fill overflow pages with shards, so that a lost block is
//! one lost shard, and a shard is found by its checksum when its row is lost. Stripes of few parity shards have them
//! in the leaf page, next to the piece.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::cut::{LOCAL_MAX, LOCAL_MIN, OVERFLOW_BYTES, local_of_two};
use super::descriptor::Descriptor;
use super::{BLOCKS, SHARD, TAIL, code};
use crate::ids::VaultId;
use crate::store::{CAPSULE_MAGIC as MAGIC, PAGE_BYTES};

const VERSION: u8 = 1;
/// Bits of a row's id that number the capsules of a stripe.
const ROW_BITS: u32 = 16;
/// Bytes before the piece.
pub(crate) const HEADER: usize = 74;
/// Parity shards from which they are aligned; below, pages of their own would cost more than they protect.
pub(crate) const ALIGNED_FROM: usize = 16;
/// Longest descriptor that is believed.
const DESCRIPTOR_MAX: u32 = 64 * 1024 * 1024;

/// What all capsules of a stripe have in common, and which this one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) vault: VaultId,
    pub(crate) stripe: u64,
    /// Written for the long term, with all the parity that merging gives.
    pub(crate) settled: bool,
    /// Whether the shards lie in overflow pages, one a block.
    pub(crate) aligned: bool,
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
    /// Where the first shard begins in the row's data.
    pub(crate) shards_at: u32,
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
        out.push(u8::from(self.settled) | u8::from(self.aligned) << 1);
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
        out.extend_from_slice(&self.shards_at.to_be_bytes());
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
        let flags = number(take(1));
        let vault = VaultId::new(take(16).try_into().ok()?);
        let mut next = |length: usize| number(take(length));
        Some(Self {
            vault,
            settled: flags & 1 != 0,
            aligned: flags & 2 != 0,
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
            shards_at: next(4) as u32,
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
            && self.piece_bytes <= DESCRIPTOR_MAX
            && self.shards_at as usize >= HEADER + self.piece_bytes as usize
            && self.shards_at as usize <= HEADER + self.piece_bytes as usize + PAGE_BYTES as usize
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
        // Fewer where the file ends before.
        let shards = bytes.get(header.shards_at as usize..).unwrap_or_default();
        let intact = header.encode(piece) == bytes[..HEADER]
            && shards.len() <= usize::from(header.shards) * SHARD;
        intact.then_some(Self {
            header,
            piece,
            shards,
        })
    }

    /// The first [`HEADER`] bytes of the same capsule in another vault.
    pub(crate) fn header_in(&self, vault: VaultId) -> Vec<u8> {
        let header = Header {
            vault,
            ..self.header
        };
        header.encode(self.piece)
    }

    /// The shards with their numbers, filled up with zeros to whole blocks.
    fn shards(&self) -> impl Iterator<Item = (u32, Vec<u8>)> {
        let mut rest = self.shards;
        let numbers = self.header.first_shard..;
        numbers
            .take(self.header.shards.into())
            .map_while(move |number| {
                let (block, after) = rest.split_at_checked(self.header.bytes_of(number))?;
                rest = after;
                let mut shard = block.to_vec();
                shard.resize(SHARD, 0);
                Some((number, shard))
            })
    }
}

impl Header {
    /// Bytes of a parity shard that its block has room for.
    pub(crate) fn bytes_of(&self, number: u32) -> usize {
        if self.aligned && (number as usize).is_multiple_of(BLOCKS) {
            SHARD - TAIL
        } else {
            SHARD
        }
    }

    /// The row that holds a stripe's capsule.
    pub(crate) fn row_id(&self) -> i64 {
        row_id(self.stripe, self.row)
    }
}

/// The row of `derived_parity` that holds a capsule. Stripes are numbered from 1.
pub(crate) fn row_id(stripe: u64, row: u16) -> i64 {
    (stripe << ROW_BITS).cast_signed() | i64::from(row)
}

/// The stripe that a row of `derived_parity` belongs to.
pub(crate) fn stripe_of(row: i64) -> u64 {
    row.cast_unsigned() >> ROW_BITS
}

/// Cuts off what blocks have no room for, where parity is aligned; gives that.
pub(crate) fn cut_tails(parity: &mut [u8]) -> Vec<[u8; TAIL]> {
    if parity.len() < ALIGNED_FROM * SHARD {
        return Vec::new();
    }
    let firsts = parity.chunks_exact_mut(SHARD).step_by(BLOCKS);
    firsts
        .map(|shard| {
            let tail = shard.last_chunk_mut().expect("a shard is longer");
            std::mem::take(tail)
        })
        .collect()
}

/// Writes a stripe's capsules, with the ids of their rows. Tails are cut off `parity` already. Those of a settled stripe
/// survive a `gap` of so many blocks, as many as are needed to read the descriptor.
pub(crate) fn write(
    vault: VaultId,
    stripe: u64,
    gap: Option<usize>,
    descriptor: &Descriptor,
    parity: &[u8],
) -> Result<Vec<(i64, Vec<u8>)>, reed_solomon_simd::Error> {
    let parity_shards = parity.len() / SHARD;
    let aligned = !descriptor.tails.is_empty();
    let per_row = shards_of_a_row(parity_shards);
    let rows = parity_shards.div_ceil(per_row);
    let bytes = descriptor.encode();
    let needed = match gap {
        Some(gap) if aligned => pieces_needed(rows, per_row, bytes.len(), gap),
        Some(_) => (rows / 4).max(1),
        // What is merged soon can do with less.
        None => (rows / 2).max(1),
    };
    let piece = piece_bytes(bytes.len(), needed);
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
    let descriptor_crc32 = crc32fast::hash(&bytes);
    let capsules = parity.chunks(per_row * SHARD).zip(all).enumerate();
    Ok(capsules
        .map(|(row, (shards, piece))| {
            let before = HEADER + piece.len();
            let header = Header {
                vault,
                stripe,
                settled: gap.is_some(),
                aligned,
                data_shards: number(descriptor.data_shards()),
                parity_shards: number(parity_shards),
                row: small(row),
                rows: small(rows),
                first_shard: number(row * per_row),
                shards: small(shards.len() / SHARD),
                descriptor_bytes: number(bytes.len()),
                descriptor_crc32,
                pieces_needed: small(needed),
                piece_bytes: number(piece.len()),
                shards_at: number(if aligned {
                    Layout::of(before, gap.is_some()).shards_at
                } else {
                    before
                }),
            };
            let mut capsule = header.encode(piece);
            capsule.reserve_exact(header.shards_at as usize - HEADER + shards.len());
            capsule.extend_from_slice(piece);
            capsule.resize(header.shards_at as usize, 0);
            for (number, shard) in (header.first_shard..).zip(shards.chunks_exact(SHARD)) {
                capsule.extend_from_slice(&shard[..header.bytes_of(number)]);
            }
            (header.row_id(), capsule)
        })
        .collect())
}

/// Parity shards that each capsule but the last one carries. A row with overflow pages costs two kilobytes at least; but a
/// small stripe needs some rows.
fn shards_of_a_row(parity_shards: usize) -> usize {
    match parity_shards {
        0..ALIGNED_FROM => 1,
        ALIGNED_FROM..32 => BLOCKS,
        32..128 => 2 * BLOCKS,
        _ => 4 * BLOCKS,
    }
}

/// Into how many pieces the descriptor of a settled stripe is cut: as many, to keep them short, as are left of its
/// capsules by a gap that begins among what the stripe protects and goes on over its rows, one behind the other.
fn pieces_needed(rows: usize, per_row: usize, descriptor: usize, gap: usize) -> usize {
    let left = |needed: usize| {
        let layout = Layout::of(HEADER + piece_bytes(descriptor, needed), true);
        // A leaf page comes once in so many.
        let every = 1 + layout.in_a_leaf * (layout.pages_of_piece + per_row / BLOCKS);
        let leaves_hit = (gap.div_ceil(BLOCKS) + 1).div_ceil(every);
        rows.saturating_sub(leaves_hit * layout.in_a_leaf)
    };
    let mut pieces = (1..=rows / 4).rev();
    pieces.find(|&needed| needed <= left(needed)).unwrap_or(1)
}

/// Bytes of each of so many pieces of a descriptor.
fn piece_bytes(descriptor: usize, needed: usize) -> usize {
    descriptor.div_ceil(needed).next_multiple_of(2)
}

/// How an aligned capsule lies in its table.
struct Layout {
    /// Where in it the first page of shards begins.
    shards_at: usize,
    /// Overflow pages that a long piece of the descriptor takes before that.
    pages_of_piece: usize,
    /// Capsules in a leaf page; where it is not `settled`, only that there is one.
    in_a_leaf: usize,
}

impl Layout {
    /// If `before` bytes precede the shards.
    fn of(before: usize, settled: bool) -> Self {
        // What precedes the data in its record: the header's length, a NULL for the id, and three bytes that say how long
        // the data is, which is true from 8 KiB to 1 MiB.
        const RECORD: usize = 5;
        let local = before + RECORD;
        let pages_of_piece = local.saturating_sub(LOCAL_MAX).div_ceil(OVERFLOW_BYTES);
        let local = local.saturating_sub(pages_of_piece * OVERFLOW_BYTES);
        let (local, in_a_leaf) = if settled {
            local_of_two(local)
        } else {
            (local.max(LOCAL_MIN), 1)
        };
        Self {
            shards_at: local + pages_of_piece * OVERFLOW_BYTES - RECORD,
            pages_of_piece,
            in_a_leaf,
        }
    }
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
        for (number, shard) in capsule.shards() {
            self.add_shard(number, shard);
        }
        true
    }

    /// Takes in a parity shard, filled up with zeros to a whole block; the descriptor says whether it is one.
    pub(crate) fn add_shard(&mut self, number: u32, shard: Vec<u8>) {
        let found = self.shards.entry(number).or_default();
        if found.len() < READINGS_MAX && !found.contains(&shard) {
            found.push(shard);
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
    pub(crate) fn good_parity(&self, descriptor: &Descriptor) -> Vec<(usize, Cow<'_, [u8]>)> {
        let data = descriptor.data_shards();
        self.shards
            .iter()
            .filter_map(|(number, found)| {
                let number = *number as usize;
                let expected = descriptor.checksums.get(data + number)?;
                let good = found
                    .iter()
                    .find(|bytes| code::checksum(bytes) == *expected)?;
                let mut shard = Cow::Borrowed(good.as_slice());
                if number.is_multiple_of(BLOCKS)
                    && let Some(tail) = descriptor.tails.get(number / BLOCKS)
                {
                    shard.to_mut()[SHARD - TAIL..].copy_from_slice(tail);
                }
                Some((number, shard))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Parity;
    use crate::parity::DATA_SHARDS_MAX;
    use crate::parity::cut::Split;
    use crate::parity::plan::{self, Extent};

    #[test]
    fn shards_of_aligned_capsules_fill_overflow_pages() {
        for before in [
            74, 100, 2_000, 2_026, 2_027, 9_000, 16_344, 16_345, 18_000, 40_000,
        ] {
            for settled in [false, true] {
                let at = Layout::of(before, settled).shards_at;
                assert!(
                    at >= before && at <= before + PAGE_BYTES as usize,
                    "{before} {at}"
                );
                for pages in [1, 4] {
                    let length = at + pages * OVERFLOW_BYTES;
                    let split = Split::capsule(length);
                    assert_eq!(split.overflow % OVERFLOW_BYTES, 0, "{before} {at}");
                    assert_eq!((at - split.local) % OVERFLOW_BYTES, 0, "{before} {at}");
                }
            }
        }
    }

    /// Lays the rows of stripes of every size one behind the other, as an import does, and every gap over them.
    #[test]
    fn the_promised_gap_leaves_enough_capsules_to_read_the_descriptor() {
        for (parity, vault_shards, bytes_of_a_shard) in [
            (Parity::Percent6, 0, 5),
            (Parity::Percent6, 1 << 20, 5),
            // Of tiny files, whose entries the descriptor has the lengths of.
            (Parity::Percent6, 1 << 20, 45),
            (Parity::Percent25, 0, 5),
        ] {
            for data in (64..DATA_SHARDS_MAX).step_by(61) {
                let extent = Extent {
                    aligned: data - data / 20,
                    shared: data / 20,
                };
                let vault_shards = vault_shards.max(data);
                let parity_shards = plan::parity_shards(parity, extent, true, vault_shards);
                let per_row = shards_of_a_row(parity_shards);
                let rows = parity_shards.div_ceil(per_row);
                let descriptor = (data + parity_shards) * bytes_of_a_shard;
                let gap = plan::gap(parity, data, vault_shards);
                let needed = pieces_needed(rows, per_row, descriptor, gap);
                let layout = Layout::of(HEADER + piece_bytes(descriptor, needed), true);
                let whole = layout.shards_at + per_row * SHARD - per_row / BLOCKS * TAIL;
                let in_leaf = Split::capsule(whole).local;
                let touched = gap.div_ceil(BLOCKS) + 1;
                // As little and as much as the row's own length and its id take.
                for lengths in [4, 12] {
                    let mut pages = Vec::new();
                    let mut room = 0;
                    for row in 0..rows {
                        pages.extend(vec![None; layout.pages_of_piece + per_row / BLOCKS]);
                        // A pointer, those lengths, the record's head, and the number of the first overflow page.
                        let taken = 2 + lengths + 5 + in_leaf + 4;
                        if room < taken {
                            room = PAGE_BYTES as usize - 8;
                            pages.push(Some(row..row));
                        }
                        room -= taken;
                        let leaf = pages.iter_mut().rev().find_map(Option::as_mut);
                        leaf.expect("one was put there").end = row + 1;
                    }
                    for begin in 0..pages.len() {
                        let hit = pages[begin..].iter().take(touched).flatten();
                        let left = rows - hit.map(ExactSizeIterator::len).sum::<usize>();
                        assert!(
                            left >= needed,
                            "{data} of {vault_shards}: {left} of {rows} capsules, {needed} needed"
                        );
                    }
                }
            }
        }
    }
}
