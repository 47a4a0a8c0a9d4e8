//! Putting a stripe together from what is left of its objects, and restoring the rest from parity.

use std::io;

use super::blocks::{At, Blocks, Wanted};
use super::found::{FoundStripe, Rows};
use crate::entry::Entry;
use crate::parity::BLOCKS;
use crate::parity::cut::OVERFLOW_BYTES;
use crate::parity::descriptor::{CHUNK_RECORD, Descriptor, Object};
use crate::parity::mending::Mending;
use crate::salvage::carve::{self, Blob};
use crate::salvage::image::Image;

/// A stripe as far as it could be put together.
pub(super) struct Mended {
    pub(super) mending: Mending,
    /// Which objects needed parity, in their order.
    pub(super) was_good: Vec<bool>,
    /// Positions of the log whose entries needed parity.
    pub(super) healed_entries: Vec<u64>,
    /// Whether everything in it is as it was sealed now.
    pub(super) whole: bool,
}

impl Mended {
    /// How far the log reaches that this stripe covers.
    pub(super) fn log_size(&self) -> u64 {
        let objects = self.mending.descriptor().objects.iter();
        let ends = objects.map(|object| match object {
            Object::Entries { first, lengths } => first + lengths.len() as u64,
            _ => 0,
        });
        ends.max().unwrap_or(0)
    }
}

pub(super) fn mend(
    image: &Image,
    rows: &Rows,
    blocks: &Blocks,
    stripe: &mut FoundStripe,
    descriptor: Descriptor,
) -> io::Result<Mended> {
    let mut mending = Mending::new(descriptor);
    for object in 0..mending.descriptor().objects.len() {
        match mending.descriptor().objects[object].clone() {
            Object::Entries { first, lengths } => {
                put_entries(&mut mending, object, rows, first, &lengths);
            }
            Object::Manifest { id, length } => {
                let candidates: Vec<Blob> = of_length(rows.manifests.get(&id), length);
                put_blob(image, blocks, &mut mending, object, &candidates)?;
            }
            Object::Pack {
                id,
                length,
                first_chunk,
                chunks,
                ..
            } => {
                let packs = rows.packs.get(&id).map_or(&[][..], Vec::as_slice);
                let same: Vec<_> = packs.iter().filter(|p| p.data.length == length).collect();
                if let Some(pack) = same.first() {
                    let records = chunks * CHUNK_RECORD;
                    mending.put_small(object, records, pack.sha256.as_bytes());
                }
                for (n, chunk) in (first_chunk..).take(chunks).enumerate() {
                    let found = rows.chunks.get(&chunk).into_iter().flatten();
                    if let Some(row) = found.into_iter().find(|row| row.pack == id) {
                        mending.put_small(object, n * CHUNK_RECORD, &row.record.encode());
                    }
                }
                let candidates: Vec<Blob> = same.iter().map(|pack| pack.data.clone()).collect();
                put_blob(image, blocks, &mut mending, object, &candidates)?;
            }
        }
    }
    let missing = mending.check();
    let objects = mending.descriptor().objects.len();
    let was_good = (0..objects)
        .map(|object| mending.object_is_good(object))
        .collect();
    let healed_entries = doubtful_entries(&mending);
    let mut whole = missing == 0 || mending.restore(&stripe.gathered);
    if !whole {
        stripe.search(image, blocks, mending.descriptor())?;
        whole = mending.restore(&stripe.gathered);
    }
    let gathered = &stripe.gathered;
    tracing::debug!(
        stripe = gathered.header().map_or(0, |header| header.stripe),
        shards = mending.descriptor().data_shards(),
        missing,
        parity = gathered.good_parity(mending.descriptor()).len(),
        whole,
        "put a stripe together"
    );
    Ok(Mended {
        mending,
        was_good,
        healed_entries,
        whole,
    })
}

fn of_length(candidates: Option<&Vec<Blob>>, length: usize) -> Vec<Blob> {
    let candidates = candidates.into_iter().flatten();
    candidates
        .filter(|blob| blob.length == length)
        .cloned()
        .collect()
}

fn put_entries(mending: &mut Mending, object: usize, rows: &Rows, first: u64, lengths: &[u32]) {
    let mut offset = 0;
    for (seq, length) in (first..).zip(lengths) {
        let candidates = rows.entries.get(&seq).into_iter().flatten();
        for leaf in candidates.map(Entry::leaf) {
            let columns = Entry::columns(&leaf);
            if columns.len() == *length as usize {
                mending.put_small(object, offset, columns);
                break;
            }
        }
        offset += *length as usize;
    }
}

/// Entries of which a byte lies in a shard that is not whole.
fn doubtful_entries(mending: &Mending) -> Vec<u64> {
    let mut doubtful = Vec::new();
    for (object, described) in mending.descriptor().objects.iter().enumerate() {
        if let Object::Entries { first, lengths } = described {
            let mut offset = 0;
            for (seq, length) in (*first..).zip(lengths) {
                if !mending.entry_is_good(object, offset, *length as usize) {
                    doubtful.push(seq);
                }
                offset += *length as usize;
            }
        }
    }
    doubtful
}

/// Puts in a value that may lie in overflow pages: by its row, then page after page, and at last by looking for its
/// blocks in the whole file.
fn put_blob(
    image: &Image,
    blocks: &Blocks,
    mending: &mut Mending,
    object: usize,
    candidates: &[Blob],
) -> io::Result<()> {
    let split = mending.descriptor().objects[object].split();
    let shards = mending.aligned(object);
    let mut places: Vec<Option<At>> = vec![None; shards.len()];
    for blob in candidates {
        let (bytes, chain) = carve::read_blob(image, blob)?;
        if places.iter().all(Option::is_none) {
            mending.put_blob(object, &bytes);
        } else {
            put_fitting(mending, object, &bytes);
        }
        for (n, shard) in shards.clone().enumerate() {
            if places[n].is_none() && mending.fits(shard) {
                places[n] = chain.get(n / BLOCKS).map(|page| At::of(*page, n));
            }
        }
        if places.iter().all(Option::is_some) {
            return Ok(());
        }
        let (bytes, _) = carve::read_blob_in_one_piece(image, blob)?;
        put_fitting(mending, object, &bytes);
    }
    let wanted: Vec<Wanted> = shards
        .clone()
        .zip(split.blocks())
        .map(|(shard, length)| Wanted {
            checksum: mending.descriptor().checksums[shard],
            length,
        })
        .collect();
    blocks.find_run(image, &wanted, &mut places, &mut |n, bytes| {
        mending.put_block(shards.start + n, &bytes);
    })
}

/// Puts in those blocks of `bytes`, a whole value, that are what they should be.
fn put_fitting(mending: &mut Mending, object: usize, bytes: &[u8]) {
    let split = mending.descriptor().objects[object].split();
    let mut rest = bytes.get(split.local..).unwrap_or_default();
    for (shard, length) in mending.aligned(object).zip(split.blocks()) {
        if rest.len() < length {
            break;
        }
        let (block, after) = rest.split_at(length);
        rest = after;
        if !mending.fits(shard) {
            mending.put_block(shard, block);
        }
    }
}

const _: () = assert!(OVERFLOW_BYTES == crate::salvage::image::PAGE - 4);
