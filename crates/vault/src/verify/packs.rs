//! The pass over the packs: every stored byte and every chunk in it.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;

use super::{Pass, VerifyLevel};
use crate::codec::{self, Codec};
use crate::error::ReadError;
use crate::ids::Digest;
use crate::sha256;
use crate::store::pool::Connection;
use crate::store::scan::{self, ChunkRow, PackRow};

/// A pack's id, and the chunks that should be in it.
pub(super) type Listed = (u64, Vec<ChunkRow>);

impl Pass<'_> {
    /// Sends every pack with its chunks, in twos: two are hashed in little more time than one.
    pub(super) fn each_pack(
        &self,
        send: &SyncSender<(Listed, Option<Listed>)>,
    ) -> Result<(), ReadError> {
        let connection = self.connection()?;
        let mut waiting: Option<Listed> = None;
        let listed = scan::packs_with_chunks(
            &connection,
            |pack, chunks| {
                if self.is_proven(&connection, pack, &chunks) {
                    return;
                }
                if let Some(before) = waiting.take() {
                    // The receivers outlive the sender unless they panicked, which surfaces at the join.
                    let _ = send.send((before, Some((pack, chunks))));
                } else {
                    waiting = Some((pack, chunks));
                }
            },
            |chunk, problem| {
                self.lost(
                    "chunk",
                    None,
                    format!("row {chunk} cannot be read: {problem}"),
                );
            },
        );
        if let Some(last) = waiting {
            let _ = send.send((last, None));
        }
        listed
    }

    /// Whether a pack is one stored chunk that was found right while its asset was hashed; if so, it need not be read again.
    fn is_proven(&self, connection: &Connection, id: u64, chunks: &[ChunkRow]) -> bool {
        let [only] = chunks else { return false };
        let crcs = self.crcs.lock().unwrap_or_else(PoisonError::into_inner);
        let is_right = crcs.contains_key(&only.id);
        drop(crcs);
        if !is_right {
            return false;
        }
        // What keeps its row from being read is found when its bytes are.
        let Ok(Some(head)) = scan::pack_head(connection, id) else {
            return false;
        };
        let is_alone = only.fills(head.codec, head.bytes, &head.sha256);
        if is_alone {
            self.chunks.fetch_add(1, Ordering::Relaxed);
            self.bytes_spared
                .fetch_add(head.bytes as u64, Ordering::Relaxed);
            self.advance(head.bytes);
        }
        is_alone
    }

    /// One or two packs and every chunk in them.
    pub(super) fn packs_and_chunks(&self, one: &Listed, other: Option<&Listed>) {
        if self.is_stopped() {
            return;
        }
        let read = self.reading.pool.get().and_then(|connection| match other {
            Some(other) => scan::with_two_packs(&connection, [one.0, other.0], |[a, b]| {
                self.rows([(one, a), (other, b)]);
            }),
            None => scan::with_pack(&connection, one.0, |row| self.rows([(one, Ok(Some(row)))]))
                .map(|found| found.unwrap_or_else(|| self.rows([(one, Ok(None))]))),
        });
        if let Err(error) = read {
            for (id, chunks) in [Some(one), other].into_iter().flatten() {
                self.unreadable(*id, chunks, &error);
            }
        }
    }

    fn unreadable(&self, id: u64, chunks: &[ChunkRow], error: &ReadError) {
        self.lost("pack", None, format!("pack {id} cannot be read: {error}"));
        self.mark_bad(chunks.iter().map(|chunk| chunk.digest));
    }

    fn rows<const N: usize>(&self, rows: [(&Listed, Result<Option<PackRow<'_>>, ReadError>); N]) {
        let mut there = Vec::with_capacity(N);
        for ((id, chunks), row) in rows {
            match row {
                Ok(Some(row)) => {
                    self.advance(row.data.len());
                    there.push((*id, chunks, row));
                }
                Ok(None) => {
                    self.lost("pack", None, format!("pack {id} is missing"));
                    self.mark_bad(chunks.iter().map(|chunk| chunk.digest));
                }
                Err(error) => self.unreadable(*id, chunks, &error),
            }
        }
        let digests = sha256::of_each(there.iter().map(|(.., row)| row.data));
        for ((id, chunks, row), digest) in there.iter().zip(digests) {
            self.pack_bytes(*id, row, digest, chunks);
        }
    }

    fn pack_bytes(&self, id: u64, pack: &PackRow<'_>, digest: Digest, chunks: &[ChunkRow]) {
        self.chunks
            .fetch_add(chunks.len() as u64, Ordering::Relaxed);
        // One stored chunk that fills its pack has the pack's digest: hash it once.
        let alone = match chunks {
            [only] => only.fills(pack.codec, pack.data.len(), pack.sha256),
            _ => false,
        };
        if digest.as_bytes() != pack.sha256 {
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
