//! Parts from 1 on: packs and their chunk rows.

use std::collections::{BTreeMap, BTreeSet};

use super::stripes::Key;
use super::{Ended, PART_PACKS, Scrub};
use crate::codec::{self, Codec};
use crate::ids::Digest;
use crate::parity::builder::ChunkRecord;
use crate::store::pool::Connection;
use crate::store::remains;
use crate::store::scan::{self, PackRow};

impl Scrub<'_> {
    pub(super) fn packs(&mut self, connection: &Connection, part: u64) -> Result<(), Ended> {
        let reach = remains::reach(connection);
        let first = (part - 1) * PART_PACKS + 1;
        let last = (part * PART_PACKS).min(reach.packs);
        let chunk = remains::first_chunk_of(connection, first, reach.chunks);
        let end = if last == reach.packs {
            reach.chunks + 1
        } else {
            remains::first_chunk_of(connection, last + 1, reach.chunks)
        };
        let count = usize::try_from(end.saturating_sub(chunk)).unwrap_or(0);
        let mut chunks: BTreeMap<u64, Vec<ChunkRecord>> = BTreeMap::new();
        let mut keys = BTreeMap::new();
        let mut before = first;
        for row in remains::chunks(connection, chunk, count) {
            match row {
                Some((pack, record)) if (before..=last).contains(&pack) => {
                    before = pack;
                    chunks.entry(pack).or_default().push(record);
                }
                // A row that is missing or belongs elsewhere: that of the pack before, or of one of the next.
                _ => {
                    let around = before..=(before + 1).min(last);
                    keys.extend(around.map(|id| (Key::Pack(id), false)));
                }
            }
        }
        for id in first..=last {
            let chunks = chunks.remove(&id).unwrap_or_default();
            match self.pack(connection, id, &chunks) {
                Found::Good => {}
                Found::Gaps => {
                    keys.entry(Key::Pack(id)).or_insert(false);
                }
                Found::Damaged => {
                    keys.insert(Key::Pack(id), true);
                }
            }
            self.rest()?;
        }
        let healed = self.report.healed.len();
        self.heal(connection, &keys)?;
        if self.report.healed.len() > healed {
            // The figures may have been made again while these rows were damaged.
            self.lists(connection, &BTreeSet::new())?;
        }
        Ok(())
    }

    pub(super) fn pack(
        &mut self,
        connection: &Connection,
        id: u64,
        chunks: &[ChunkRecord],
    ) -> Found {
        let found = scan::with_pack(connection, id, |pack| {
            (pack.data.len(), check(&pack, chunks))
        });
        // A row that is missing and one that cannot be read are damage alike.
        let Ok(Some((bytes, found))) = found else {
            return Found::Damaged;
        };
        self.advance(bytes);
        found
    }
}

/// What there is to say of a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Good,
    /// Good as far as its chunks go, but they do not fill it: rows may be missing, or were never there.
    Gaps,
    Damaged,
}

fn check(pack: &PackRow<'_>, chunks: &[ChunkRecord]) -> Found {
    let alone = match chunks {
        [only] => {
            pack.codec == Some(Codec::Stored)
                && only.offset == 0
                && only.size as usize == pack.data.len()
                && pack.raw_size == pack.data.len()
                && only.sha256.as_bytes() == pack.sha256
        }
        _ => false,
    };
    if Digest::of(pack.data).as_bytes() != pack.sha256 {
        return Found::Damaged;
    }
    if alone {
        return Found::Good;
    }
    let decoded;
    let raw = match pack.codec {
        Some(Codec::Stored) => pack.data,
        Some(Codec::Zstd) => match codec::decompress(pack.data, pack.raw_size) {
            Ok(raw) => {
                decoded = raw;
                &decoded
            }
            Err(_) => return Found::Damaged,
        },
        None => return Found::Damaged,
    };
    if raw.len() != pack.raw_size {
        return Found::Damaged;
    }
    let mut filled = 0;
    let mut gaps = false;
    for chunk in chunks {
        let start = chunk.offset as usize;
        let bytes = raw.get(start..start + chunk.size as usize);
        if bytes.is_none_or(|bytes| Digest::of(bytes) != chunk.sha256) {
            return Found::Damaged;
        }
        gaps |= start != filled;
        filled = start + chunk.size as usize;
    }
    if gaps || filled != raw.len() {
        Found::Gaps
    } else {
        Found::Good
    }
}
