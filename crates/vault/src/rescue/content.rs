//! Packs and manifests that agree with their hashes, on their way to wherever they are wanted.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;

use super::found::{PackRow, Rows};
use super::mend::Mended;
use crate::codec::{self, Codec};
use crate::entry::Entry;
use crate::error::IngestError;
use crate::ids::Digest;
use crate::limits::PACK_BYTES_MAX;
use crate::parity::builder::ChunkRecord;
use crate::parity::descriptor::Object;
use crate::parity::mending::parse_head;
use crate::salvage::carve;
use crate::salvage::image::Image;
use crate::store::RECORD_BYTES;

/// A pack whose bytes hash to its digest.
pub(super) struct GoodPack<'a> {
    pub(super) codec: Codec,
    pub(super) raw_size: u64,
    pub(super) sha256: Digest,
    pub(super) data: &'a [u8],
    /// Those whose bytes hash to their digest.
    pub(super) chunks: &'a [ChunkRecord],
}

/// Where good packs go.
pub(super) trait Sink {
    fn pack(&mut self, pack: &GoodPack<'_>) -> Result<(), IngestError>;
}

/// For looking only.
pub(super) struct Nowhere;

impl Sink for Nowhere {
    fn pack(&mut self, _: &GoodPack<'_>) -> Result<(), IngestError> {
        Ok(())
    }
}

/// What was put together so far.
#[derive(Default)]
pub(super) struct Content {
    /// Chunks that are in good packs, and whether parity had to restore those.
    chunks: HashMap<Digest, bool>,
    /// Packs that were passed on, by their digest.
    packs: HashSet<Digest>,
    /// Records by their hash.
    pub(super) manifests: BTreeMap<[u8; 32], (Vec<u8>, bool)>,
}

pub(super) enum RestError {
    Read(io::Error),
    Sink(IngestError),
}

impl Content {
    /// Passes on what a stripe holds; gives its entries.
    pub(super) fn take_in(
        &mut self,
        mended: &Mended,
        sink: &mut dyn Sink,
    ) -> Result<Vec<Entry>, IngestError> {
        let mut entries = Vec::new();
        let mending = &mended.mending;
        for (object, described) in mending.descriptor().objects.iter().enumerate() {
            let healed = !mended.was_good[object];
            // A stripe that could not be restored still has what is whole in it.
            if healed && !mended.whole && !matches!(described, Object::Entries { .. }) {
                continue;
            }
            match described {
                Object::Entries { first, lengths } => {
                    let mut offset = 0;
                    let small = mending.entries(object);
                    for (seq, length) in (*first..).zip(lengths) {
                        let length = *length as usize;
                        let good = mended.whole || mending.entry_is_good(object, offset, length);
                        let entry = good
                            .then(|| Entry::from_columns(&small[offset..offset + length]))
                            .flatten();
                        entries.extend(entry.filter(|entry| entry.seq == seq));
                        offset += length;
                    }
                }
                Object::Manifest { .. } => self.manifest(mending.blob(object), healed),
                Object::Pack {
                    codec, raw_size, ..
                } => {
                    let Some((sha256, chunks)) = parse_head(&mending.head(object)) else {
                        continue;
                    };
                    let data = mending.blob(object);
                    self.pack((*codec, *raw_size, sha256), &data, &chunks, healed, sink)?;
                }
            }
        }
        Ok(entries)
    }

    /// Passes on what no stripe gave, by its rows alone.
    pub(super) fn take_in_rest(
        &mut self,
        image: &Image,
        rows: &Rows,
        sink: &mut dyn Sink,
    ) -> Result<(), RestError> {
        for blob in rows.manifests.values().flatten() {
            for (records, _) in [
                carve::read_blob(image, blob).map_err(RestError::Read)?,
                carve::read_blob_in_one_piece(image, blob).map_err(RestError::Read)?,
            ] {
                if records.len().is_multiple_of(RECORD_BYTES) {
                    self.manifest(records, false);
                }
            }
        }
        let mut of_pack: HashMap<u64, Vec<ChunkRecord>> = HashMap::new();
        for row in rows.chunks.values().flatten() {
            of_pack.entry(row.pack).or_default().push(row.record);
        }
        for (id, candidates) in &rows.packs {
            let chunks = of_pack.get(id).map_or(&[][..], Vec::as_slice);
            for row in candidates
                .iter()
                .filter(|row| row.data.length <= PACK_BYTES_MAX)
            {
                if !self.packs.contains(&row.sha256) {
                    self.pack_of_row(image, row, chunks, sink)?;
                }
            }
        }
        Ok(())
    }

    fn pack_of_row(
        &mut self,
        image: &Image,
        row: &PackRow,
        chunks: &[ChunkRecord],
        sink: &mut dyn Sink,
    ) -> Result<(), RestError> {
        let head = (row.codec, row.raw_size, row.sha256);
        for (data, _) in [
            carve::read_blob(image, &row.data).map_err(RestError::Read)?,
            carve::read_blob_in_one_piece(image, &row.data).map_err(RestError::Read)?,
        ] {
            let taken = self.pack(head, &data, chunks, false, sink);
            if taken.map_err(RestError::Sink)? {
                break;
            }
        }
        Ok(())
    }

    fn manifest(&mut self, records: Vec<u8>, healed: bool) {
        let digest = Digest::of(&records);
        self.manifests
            .entry(*digest.as_bytes())
            .or_insert((records, healed));
    }

    /// Passes a pack on if its bytes are what its digest says; says whether they are.
    fn pack(
        &mut self,
        (codec, raw_size, sha256): (u32, u64, Digest),
        data: &[u8],
        chunks: &[ChunkRecord],
        healed: bool,
        sink: &mut dyn Sink,
    ) -> Result<bool, IngestError> {
        if Digest::of(data) != sha256 {
            return Ok(false);
        }
        if self.packs.contains(&sha256) {
            return Ok(true);
        }
        let Some(codec) = Codec::from_number(codec) else {
            return Ok(false);
        };
        let Some(raw) = usize::try_from(raw_size)
            .ok()
            .filter(|size| *size <= PACK_BYTES_MAX)
        else {
            return Ok(false);
        };
        let decoded;
        let raw = match codec {
            Codec::Stored => data,
            Codec::Zstd => match codec::decompress(data, raw) {
                Ok(bytes) => {
                    decoded = bytes;
                    &decoded
                }
                Err(_) => return Ok(false),
            },
        };
        let is_there = |record: &&ChunkRecord| {
            let from = record.offset as usize;
            raw.get(from..from + record.size as usize)
                .is_some_and(|bytes| Digest::of(bytes) == record.sha256)
        };
        let good: Vec<ChunkRecord> = chunks.iter().filter(is_there).copied().collect();
        self.packs.insert(sha256);
        sink.pack(&GoodPack {
            codec,
            raw_size,
            sha256,
            data,
            chunks: &good,
        })?;
        for record in good {
            self.chunks.entry(record.sha256).or_insert(healed);
        }
        Ok(true)
    }

    /// Whether a chunk is there, and then whether it was healed.
    pub(super) fn chunk(&self, digest: &Digest) -> Option<bool> {
        self.chunks.get(digest).copied()
    }

    /// The chunks an asset consists of; `None` if its manifest is gone.
    pub(super) fn chunks_of(&self, asset: &Entry) -> Option<Vec<Digest>> {
        match (asset.manifest, asset.size?, asset.sha256?) {
            (None, 0, _) => Some(Vec::new()),
            (None, _, sha256) => Some(vec![sha256]),
            (Some(manifest), ..) => {
                let (records, _) = self.manifests.get(manifest.as_bytes())?;
                Some(super::digests(records))
            }
        }
    }
}
