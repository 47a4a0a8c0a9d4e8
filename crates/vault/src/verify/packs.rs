//! The pass over the packs: every stored byte and every chunk in it.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;

use super::{Pass, VerifyLevel};
use crate::codec::{self, Codec};
use crate::error::ReadError;
use crate::ids::Digest;
use crate::sha256;
use crate::store::scan::{self, ChunkRow, PackRow};

impl Pass<'_> {
    /// Sends every pack with its chunks.
    pub(super) fn each_pack(
        &self,
        send: &SyncSender<(u64, Vec<ChunkRow>)>,
    ) -> Result<(), ReadError> {
        let connection = self.connection()?;
        scan::packs_with_chunks(
            &connection,
            |pack, chunks| {
                // The receivers outlive the sender unless they panicked, which surfaces at the join.
                let _ = send.send((pack, chunks));
            },
            |chunk, problem| {
                self.lost(
                    "chunk",
                    None,
                    format!("row {chunk} cannot be read: {problem}"),
                );
            },
        )
    }

    /// One pack and every chunk in it.
    pub(super) fn pack_and_chunks(&self, pack: u64, chunks: &[ChunkRow]) {
        if self.is_stopped() {
            return;
        }
        if let Err(error) = self.pack(pack, chunks) {
            self.lost("pack", None, format!("pack {pack} cannot be read: {error}"));
            self.mark_bad(chunks.iter().map(|chunk| chunk.digest));
        }
    }

    fn pack(&self, id: u64, chunks: &[ChunkRow]) -> Result<(), ReadError> {
        let connection = self.reading.pool.get()?;
        let found = scan::with_pack(&connection, id, |pack| {
            self.advance(pack.data.len());
            self.pack_bytes(id, &pack, chunks);
        })?;
        if found.is_none() {
            self.lost("pack", None, format!("pack {id} is missing"));
            self.mark_bad(chunks.iter().map(|chunk| chunk.digest));
        }
        Ok(())
    }

    fn pack_bytes(&self, id: u64, pack: &PackRow<'_>, chunks: &[ChunkRow]) {
        self.chunks
            .fetch_add(chunks.len() as u64, Ordering::Relaxed);
        // One stored chunk that fills its pack has the pack's digest: hash it once.
        let alone = match chunks {
            [only] => {
                pack.codec == Some(Codec::Stored)
                    && only.offset == 0
                    && only.size == pack.data.len() as u64
                    && only.digest.as_bytes() == pack.sha256
            }
            _ => false,
        };
        if Digest::of(pack.data).as_bytes() != pack.sha256 {
            self.lost("pack", None, format!("pack {id} differs from its hash"));
            if alone {
                self.mark_bad([chunks[0].digest]);
            }
        } else if alone {
            self.note_crcs([(&chunks[0], pack.data)]);
        }
        if alone {
            return;
        }
        let decoded;
        let raw = match pack.codec {
            Some(Codec::Stored) => pack.data,
            Some(Codec::Zstd) => match codec::decompress(pack.data, pack.raw_size) {
                Ok(raw) => {
                    decoded = raw;
                    &decoded
                }
                Err(error) => {
                    self.lost("pack", None, format!("pack {id} does not decode: {error}"));
                    self.mark_bad(chunks.iter().map(|chunk| chunk.digest));
                    return;
                }
            },
            None => {
                self.lost("pack", None, format!("pack {id} has an unknown codec"));
                self.mark_bad(chunks.iter().map(|chunk| chunk.digest));
                return;
            }
        };
        if raw.len() != pack.raw_size {
            self.lost(
                "pack",
                None,
                format!("pack {id} decodes to another size than recorded"),
            );
        }
        let pieces: Vec<Option<&[u8]>> = chunks
            .iter()
            .map(|chunk| {
                let offset = usize::try_from(chunk.offset).ok()?;
                let size = usize::try_from(chunk.size).ok()?;
                raw.get(offset..offset.checked_add(size)?)
            })
            .collect();
        let mut digests = sha256::of_each(pieces.iter().flatten().copied()).into_iter();
        let mut good = Vec::new();
        for (chunk, piece) in chunks.iter().zip(pieces) {
            match piece {
                Some(bytes) if digests.next() == Some(chunk.digest) => good.push((chunk, bytes)),
                _ => {
                    let digest = chunk.digest;
                    let detail = format!("chunk {digest} in pack {id} differs from its hash");
                    self.lost("chunk", None, detail);
                    self.mark_bad([digest]);
                }
            }
        }
        self.note_crcs(good);
    }

    /// Keeps the CRC-32s of chunks that are what they should be, for the deep level.
    fn note_crcs<'a>(&self, good: impl IntoIterator<Item = (&'a ChunkRow, &'a [u8])>) {
        if self.level < VerifyLevel::Deep {
            return;
        }
        let crcs: Vec<(u64, u32)> = good
            .into_iter()
            .map(|(chunk, bytes)| (chunk.id, crc32fast::hash(bytes)))
            .collect();
        self.crcs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(crcs);
    }
}
