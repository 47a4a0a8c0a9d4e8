//! What is left of a damaged vault: every row that was carved, sorted by what it is.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;

use super::blocks::{At, Blocks, Wanted};
use crate::entry::Entry;
use crate::ids::{Digest, VaultId};
use crate::parity::builder::ChunkRecord;
use crate::parity::capsule::{Capsule, Gathered, Header, stripe_of};
use crate::parity::cut::OVERFLOW_BYTES;
use crate::parity::descriptor::Descriptor;
use crate::parity::{BLOCKS, SHARD};
use crate::salvage::carve::{self, Blob, Found, Row};
use crate::salvage::image::Image;

/// Rows that claim to be the same are few: stale copies, or rows of a vault that was archived.
const CANDIDATES_MAX: usize = 8;

/// Documents of one vault and of those archived in it, far more than there are.
const DOCUMENTS_MAX: usize = 1000;

/// A pack's row; its data is still in the file.
#[derive(Clone, PartialEq)]
pub(super) struct PackRow {
    pub(super) codec: u32,
    pub(super) raw_size: u64,
    pub(super) sha256: Digest,
    pub(super) data: Blob,
}

/// A chunk's row.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct ChunkRow {
    pub(super) pack: u64,
    pub(super) record: ChunkRecord,
}

/// Everything carved, by id, the most credible candidate first.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) entries: BTreeMap<u64, Vec<Entry>>,
    pub(super) manifests: BTreeMap<u64, Vec<Blob>>,
    pub(super) chunks: BTreeMap<u64, Vec<ChunkRow>>,
    pub(super) packs: BTreeMap<u64, Vec<PackRow>>,
    pub(super) roots: BTreeMap<u64, Vec<Digest>>,
    /// Names and texts.
    pub(super) documents: Vec<(String, Blob)>,
    stripes: BTreeMap<u64, Vec<Blob>>,
    /// How often each vault's id was met.
    vaults: HashMap<VaultId, u64>,
    /// The furthest position that a row of a whole page shows the log to have reached.
    pub(super) log_size: u64,
}

impl Rows {
    pub(super) fn take_in(&mut self, found: Found) {
        let whole = found.whole_page && !found.loose;
        match found.row {
            Row::Entry { entry, .. } => {
                if whole {
                    self.log_size = self.log_size.max(entry.seq.saturating_add(1));
                }
                add(self.entries.entry(entry.seq).or_default(), entry, whole);
            }
            Row::Root { size, sha256 } => {
                if whole {
                    self.log_size = self.log_size.max(size);
                }
                add(self.roots.entry(size).or_default(), sha256, whole);
            }
            Row::Manifest { id, records, .. } => {
                add(self.manifests.entry(id).or_default(), records, whole);
            }
            Row::Chunk {
                id,
                sha256,
                pack,
                offset,
                size,
            } => {
                let (Ok(offset), Ok(size)) = (u32::try_from(offset), u32::try_from(size)) else {
                    return;
                };
                let record = ChunkRecord {
                    sha256,
                    offset,
                    size,
                };
                let row = ChunkRow { pack, record };
                add(self.chunks.entry(id).or_default(), row, whole);
            }
            Row::Pack {
                id,
                codec,
                raw_size,
                sha256,
                data,
            } => {
                let row = PackRow {
                    codec,
                    raw_size,
                    sha256,
                    data,
                };
                add(self.packs.entry(id).or_default(), row, whole);
            }
            Row::Parity { id, data } => {
                if let Some(header) = Header::decode(&data.local) {
                    *self.vaults.entry(header.vault).or_default() += if whole { 1000 } else { 1 };
                }
                self.stripes
                    .entry(stripe_of(id.cast_signed()))
                    .or_default()
                    .push(data);
            }
            Row::Document { name, text, .. } => {
                if self.documents.len() < DOCUMENTS_MAX {
                    self.documents.push((name, text));
                }
            }
            Row::Subtree { .. } => {}
        }
    }

    /// Whether anything of a vault was found.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.packs.is_empty() && self.stripes.is_empty()
    }

    /// Which vault this is by its parity: the id met most often.
    pub(super) fn vault(&self) -> Option<VaultId> {
        self.vaults
            .iter()
            .max_by_key(|(_, count)| **count)
            .map(|(vault, _)| *vault)
    }

    /// The numbers of all stripes, oldest first.
    pub(super) fn stripes(&self) -> impl Iterator<Item = u64> {
        self.stripes.keys().copied()
    }

    /// Reads the capsules of a stripe. There can be several stripes of one number if a transaction that was never
    /// committed left some behind.
    pub(super) fn gather(
        &self,
        image: &Image,
        stripe: u64,
        vault: VaultId,
    ) -> io::Result<Vec<FoundStripe>> {
        let mut stripes: Vec<FoundStripe> = Vec::new();
        for blob in self.stripes.get(&stripe).into_iter().flatten() {
            // Where a wrong number led elsewhere, the page behind is the right one.
            for (bytes, chain) in [
                carve::read_blob(image, blob)?,
                carve::read_blob_in_one_piece(image, blob)?,
            ] {
                let capsule = Capsule::parse(&bytes);
                let ours = |c: &Capsule<'_>| c.header.vault == vault && c.header.stripe == stripe;
                let Some(capsule) = capsule.filter(ours) else {
                    continue;
                };
                let known = stripes
                    .iter_mut()
                    .position(|known| known.gathered.add(&capsule));
                let at = match known {
                    Some(at) => at,
                    None if stripes.len() < CANDIDATES_MAX => {
                        let mut another = FoundStripe::default();
                        another.gathered.add(&capsule);
                        stripes.push(another);
                        stripes.len() - 1
                    }
                    None => continue,
                };
                stripes[at].note(&capsule.header, blob, &chain);
            }
        }
        Ok(stripes)
    }
}

/// A stripe's capsules.
#[derive(Default)]
pub(super) struct FoundStripe {
    pub(super) gathered: Gathered,
    /// Where aligned parity shards lie as the rows say.
    places: BTreeMap<u32, At>,
}

impl FoundStripe {
    fn note(&mut self, header: &Header, blob: &Blob, chain: &[u32]) {
        if !header.aligned {
            return;
        }
        // A long piece of the descriptor takes pages of its own.
        let before = (header.shards_at as usize).saturating_sub(blob.local.len()) / OVERFLOW_BYTES;
        for n in 0..usize::from(header.shards) {
            let number = u32::try_from(n).expect("below 65,536") + header.first_shard;
            if let Some(page) = chain.get(before + n / BLOCKS) {
                self.places.entry(number).or_insert(At::of(*page, n));
            }
        }
    }

    /// Looks for the parity shards whose rows are gone.
    pub(super) fn search(
        &mut self,
        image: &Image,
        blocks: &Blocks,
        descriptor: &Descriptor,
    ) -> io::Result<()> {
        let Some(header) = self.gathered.header().copied().filter(|h| h.aligned) else {
            return Ok(());
        };
        let good: HashSet<usize> = self
            .gathered
            .good_parity(descriptor)
            .into_iter()
            .map(|(number, _)| number)
            .collect();
        let parity = &descriptor.checksums[descriptor.data_shards()..];
        let wanted: Vec<Wanted> = (0..)
            .zip(parity)
            .map(|(number, checksum)| Wanted {
                checksum: *checksum,
                length: header.bytes_of(number),
            })
            .collect();
        let mut places: Vec<Option<At>> = (0..parity.len())
            .map(|n| {
                let place = u32::try_from(n).ok().and_then(|n| self.places.get(&n));
                place.filter(|_| good.contains(&n)).copied()
            })
            .collect();
        let gathered = &mut self.gathered;
        blocks.find_run(image, &wanted, &mut places, &mut |n, mut bytes| {
            if let Ok(number) = u32::try_from(n) {
                bytes.resize(SHARD, 0);
                gathered.add_shard(number, bytes);
            }
        })
    }
}

fn add<T: PartialEq>(candidates: &mut Vec<T>, candidate: T, whole: bool) {
    if candidates.contains(&candidate) {
        return;
    }
    if whole {
        candidates.insert(0, candidate);
    } else if candidates.len() < CANDIDATES_MAX {
        candidates.push(candidate);
    }
}
