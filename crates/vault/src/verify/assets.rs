//! The pass over the assets: every manifest, and at the deep level the digests of every whole asset.
//!
//! Chunks were compared with their SHA-256s before. What they say of an asset as a whole is not computed again: the
//! SHA-256 of an asset of one chunk is the chunk's, and CRC-32s of chunks make up the one of the asset.

use std::sync::mpsc::SyncSender;
use std::sync::{PoisonError, atomic::Ordering};

use super::{Finding, Pass, Severity, VerifyLevel, WholeCheck, in_parallel};
use crate::error::ReadError;
use crate::ids::{AssetId, Seq};
use crate::store::pool::Connection;
use crate::store::rows::asset_from_entry;
use crate::store::{RECORD_BYTES, read, scan};

/// Assets whose manifests are checked between two looks at the queue.
const ASSETS_AT_ONCE: usize = 256;

impl Pass<'_> {
    /// Notes an asset of several chunks whose SHA-256 is the sealed one, and which chunks of it are right.
    pub(super) fn asset_sha256(&self, seq: Seq) {
        if self.is_stopped() {
            return;
        }
        // An asset that cannot be opened is met again, and named, when its manifest is checked.
        let Ok(reader) = self.reading.open_asset(AssetId::new(seq)) else {
            return;
        };
        let go_on = |bytes| {
            self.advance(bytes);
            !self.is_stopped()
        };
        let mut crcs = Vec::new();
        let is_right = reader.has_sealed_sha256(go_on, |chunk, crc32| crcs.push((chunk, crc32)));
        self.crcs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(crcs);
        if is_right {
            self.right
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(seq);
        }
    }

    /// Sends the assets, `at_once` together.
    pub(super) fn each_asset(
        &self,
        which: scan::Which,
        at_once: usize,
        send: &SyncSender<Vec<Seq>>,
    ) -> Result<(), ReadError> {
        let connection = self.connection()?;
        let mut seqs = Vec::new();
        scan::asset_seqs(&connection, which, |seq| {
            seqs.push(seq);
            if seqs.len() >= at_once {
                // See `each_pack`.
                let _ = send.send(std::mem::take(&mut seqs));
            }
        })?;
        let _ = send.send(seqs);
        Ok(())
    }

    /// Every asset's manifest against its entry and the chunks; at the deep level its SHA-256 and CRC-32, too.
    pub(super) fn assets(&self) -> Result<(), ReadError> {
        in_parallel(
            |send| self.each_asset(scan::Which::All, ASSETS_AT_ONCE, send),
            |seqs: Vec<Seq>| self.some_assets(&seqs),
        )
    }

    fn some_assets(&self, seqs: &[Seq]) {
        if self.is_stopped() {
            return;
        }
        let outcomes: Vec<_> = match self.reading.pool.get() {
            Ok(connection) => seqs
                .iter()
                .map(|seq| self.manifest(&connection, *seq))
                .collect(),
            Err(error) => {
                // All of them fail for the same reason.
                self.lost("asset", seqs.first().copied(), error.to_string());
                return;
            }
        };
        for (&seq, outcome) in seqs.iter().zip(outcomes) {
            let problem = match outcome {
                // What is not known to be right is read and compared chunk by chunk, to tell what is wrong.
                Ok(false) if self.level == VerifyLevel::Deep => self.whole(seq),
                outcome => outcome.map(|_| ()),
            };
            self.assets.fetch_add(1, Ordering::Relaxed);
            if let Err(error) = problem {
                self.asset_lost(seq, &error);
            }
        }
    }

    /// Checks a manifest; tells whether the SHA-256 and CRC-32 of the whole asset are known to be right.
    fn manifest(&self, connection: &Connection, seq: Seq) -> Result<bool, ReadError> {
        let entry = read::entry(connection, seq)?;
        let records = read::manifest(connection, &entry)?;
        let of = records.len() / RECORD_BYTES;
        let mut crc32 = Some(crc32fast::Hasher::new());
        for (index, record) in records.chunks_exact(RECORD_BYTES).enumerate() {
            let digest = read::record_digest(record);
            let chunk = |what: &str| ReadError::Damaged {
                entry: seq,
                chunk: Some((index as u64 + 1, of as u64)),
                detail: format!("chunk {} of {of} {what}", index + 1),
            };
            let size = read::record_size(record);
            let location = match read::locate_chunk(connection, &digest)? {
                None => return Err(chunk("is missing")),
                Some(location) if location.size != size as usize => {
                    return Err(chunk("is recorded with another size"));
                }
                Some(location) => location,
            };
            let bad = self
                .bad_chunks
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if bad.contains(&digest) {
                return Err(chunk("differs from its hash"));
            }
            drop(bad);
            if self.level == VerifyLevel::Deep {
                let crcs = self.crcs.lock().unwrap_or_else(PoisonError::into_inner);
                let of_chunk = crcs.get(&location.chunk);
                crc32 = crc32.zip(of_chunk).map(|(mut all, crc32)| {
                    all.combine(&crc32fast::Hasher::new_with_initial_len(
                        *crc32,
                        u64::from(size),
                    ));
                    all
                });
            }
        }
        // The SHA-256 of an asset of one chunk is the chunk's.
        let sha256_is_right = (entry.manifest.is_none() && of == 1)
            || self
                .right
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .contains(&seq);
        let crc32_is_right =
            entry.crc32.is_some() && crc32.map(crc32fast::Hasher::finalize) == entry.crc32;
        Ok(sha256_is_right && crc32_is_right)
    }

    fn whole(&self, seq: Seq) -> Result<(), ReadError> {
        let reader = self.reading.open_asset(AssetId::new(seq))?;
        let mut check = WholeCheck::default();
        for piece in reader.range(0..reader.size()) {
            let piece = piece?;
            if self.is_stopped() {
                return Ok(());
            }
            self.advance(piece.len());
            check.update(&piece);
        }
        check.finish(&reader)
    }

    fn asset_lost(&self, seq: Seq, error: &ReadError) {
        let detail = match error {
            ReadError::Damaged { detail, .. } => detail.clone(),
            other => other.to_string(),
        };
        let path = self.reading.pool.get().ok().and_then(|connection| {
            let entry = read::entry(&connection, seq).ok()?;
            let asset = asset_from_entry(&entry, crate::media::Media::UNKNOWN).ok()?;
            scan::path_of(&connection, &asset)
        });
        self.find(Finding {
            severity: Severity::Lost,
            area: "asset",
            entry: Some(seq),
            path,
            detail,
        });
    }
}
