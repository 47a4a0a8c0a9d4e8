//! What is left of a damaged vault: every row that was carved, sorted by what it is.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;

use crate::entry::Entry;
use crate::ids::{Digest, VaultId};
use crate::parity::builder::ChunkRecord;
use crate::parity::capsule::{Capsule, Gathered, HEADER, Header};
use crate::parity::{SHARD, code};
use crate::salvage::carve::{self, Blob, Found, Row};
use crate::salvage::image::{Image, PAGE};

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
            Row::Parity { stripe, data, .. } => {
                if let Some(header) = Header::decode(&data.local) {
                    *self.vaults.entry(header.vault).or_default() += if whole { 1000 } else { 1 };
                }
                self.stripes.entry(stripe).or_default().push(data);
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
    ) -> io::Result<Vec<Gathered>> {
        let mut stripes: Vec<Gathered> = Vec::new();
        let mut chains: Vec<Chains> = Vec::new();
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
                let known = stripes.iter_mut().position(|known| known.add(&capsule));
                let at = match known {
                    Some(at) => at,
                    None if stripes.len() < CANDIDATES_MAX => {
                        let mut another = Gathered::default();
                        another.add(&capsule);
                        stripes.push(another);
                        chains.push(Chains::default());
                        stripes.len() - 1
                    }
                    None => continue,
                };
                chains[at].note(&capsule.header, blob, &chain);
            }
        }
        for (gathered, chains) in stripes.iter_mut().zip(&mut chains) {
            chains.fill(image, gathered)?;
        }
        Ok(stripes)
    }
}

/// Where the capsules of a stripe lie. They were written one after the other, so that one whose own page is gone is
/// found behind the one before it.
#[derive(Default)]
struct Chains {
    /// First and last overflow page, by row.
    pages: BTreeMap<u16, (u32, u32)>,
    /// Bytes of a full capsule in its own page, and in all.
    full: Option<(usize, usize)>,
}

impl Chains {
    fn note(&mut self, header: &Header, blob: &Blob, chain: &[u32]) {
        if let (Some(first), Some(last)) = (chain.first(), chain.last()) {
            self.pages.entry(header.row).or_insert((*first, *last));
            if header.row + 1 < header.rows {
                self.full.get_or_insert((blob.local.len(), blob.length));
            }
        }
    }

    /// Looks for the shards of capsules that were not found.
    fn fill(&mut self, image: &Image, gathered: &mut Gathered) -> io::Result<()> {
        let (Some(header), Some((local, length))) = (gathered.header().copied(), self.full) else {
            return Ok(());
        };
        let Some(descriptor) = gathered.descriptor() else {
            return Ok(());
        };
        let data = descriptor.data_shards();
        let per_row = usize::from(header.shards.max(1));
        let before = HEADER + header.piece_bytes as usize;
        let pages = length.saturating_sub(local).div_ceil(PAGE - 4);
        let parity = gathered.good_parity(&descriptor);
        let good: HashSet<usize> = parity.into_iter().map(|(number, _)| number).collect();
        let of_row = |row: u16| usize::from(row) * per_row..(usize::from(row) + 1) * per_row;
        // A chain of which no shard is good led elsewhere.
        self.pages
            .retain(|row, _| of_row(*row).any(|number| good.contains(&number)));
        for row in 0..header.rows {
            let is_there = of_row(row).skip(1).any(|number| good.contains(&number));
            if is_there || pages == 0 {
                continue;
            }
            let span = u32::try_from(pages).unwrap_or(u32::MAX);
            let behind = row.checked_sub(1).and_then(|row| self.pages.get(&row));
            let ahead = self.pages.get(&(row + 1));
            // A page of rows may lie between two capsules.
            let candidates = behind
                .into_iter()
                .flat_map(|(_, last)| [last.saturating_add(1), last.saturating_add(2)])
                .chain(ahead.into_iter().flat_map(|(first, _)| {
                    [first.saturating_sub(span), first.saturating_sub(span + 1)]
                }));
            for first in candidates.collect::<Vec<_>>() {
                let mut bytes = vec![0; pages * PAGE];
                if first < 2 || first.saturating_add(span - 1) > image.pages() {
                    continue;
                }
                image.read_pages(first, &mut bytes)?;
                let content: Vec<u8> = bytes
                    .chunks_exact(PAGE)
                    .flat_map(|page| &page[4..])
                    .copied()
                    .collect();
                let mut fits = false;
                for n in 0..per_row {
                    let number = usize::from(row) * per_row + n;
                    let shard = (before + n * SHARD)
                        .checked_sub(local)
                        .and_then(|at| content.get(at..at + SHARD));
                    let expected = descriptor.checksums.get(data + number);
                    if let (Some(shard), Ok(number)) = (shard, u32::try_from(number))
                        && expected == Some(&code::checksum(shard))
                    {
                        gathered.add_shard(number, shard);
                        fits = true;
                    }
                }
                if fits {
                    self.pages.insert(row, (first, first + span - 1));
                    break;
                }
            }
        }
        Ok(())
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
