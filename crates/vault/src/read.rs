//! Reading assets: chunk by chunk, each checked against its hash before a byte of it is handed out.

use std::borrow::Borrow;
use std::collections::VecDeque;
use std::ops::{Deref, Range};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};

use crate::codec::{self, Codec};
use crate::entry::Kind;
use crate::error::ReadError;
use crate::ids::{AssetId, Digest};
use crate::limits::{CHUNK_CACHE_BYTES, CHUNK_CACHE_MAX, PACK_BYTES_TARGET, PACK_CACHE_BYTES};
use crate::model::Asset;
use crate::sha256::{self, Sha256};
use crate::store::pool::{Connection, Pool};
use crate::store::read::{self, ChunkLocation, record_digest, record_size};
use crate::store::rows::asset_from_entry;
use crate::store::{self, RECORD_BYTES, derived, files};

/// Opened assets kept for the next range of the same asset.
const OPEN_ASSETS_MAX: usize = 64;

/// What reading needs, shared by all readers of a vault.
pub(crate) struct Reading {
    pub(crate) pool: Pool,
    /// Decoded packs, latest last, of [`PACK_CACHE_BYTES`] in all.
    packs: Mutex<VecDeque<(u64, Arc<Vec<u8>>)>>,
    /// Chunks that were checked for somebody who shares.
    recent: Mutex<Recent>,
    /// Assets whose entry and manifest were checked, latest last.
    assets: Mutex<VecDeque<Arc<OpenAsset>>>,
    /// Lists that were found whole.
    pub(crate) whole: derived::Whole,
    /// Where in long lists things are, and what names contain.
    pub(crate) catalog: store::catalog::Shared,
    /// Keeps the file on the list of those that must not be opened past `SQLite`.
    _file: files::OpenFile,
}

struct OpenAsset {
    asset: Asset,
    records: Vec<u8>,
    /// Where each chunk ends in the asset.
    ends: Vec<u64>,
}

/// An asset whose entry and manifest were checked. Holds no connection; can be kept and sent between threads.
#[derive(Clone)]
pub struct AssetReader {
    reading: Arc<Reading>,
    open: Arc<OpenAsset>,
}

impl Reading {
    pub(crate) fn new(pool: Pool, file: files::OpenFile) -> Self {
        Self {
            pool,
            packs: Mutex::default(),
            recent: Mutex::default(),
            assets: Mutex::default(),
            whole: derived::Whole::default(),
            catalog: store::catalog::Shared::default(),
            _file: file,
        }
    }

    pub(crate) fn open_asset(self: &Arc<Self>, id: AssetId) -> Result<AssetReader, ReadError> {
        if let Some(open) = self.cached_asset(id) {
            return Ok(AssetReader {
                reading: Arc::clone(self),
                open,
            });
        }
        let connection = self.pool.get()?;
        let entry = read::entry_of_kind(&connection, id.seq(), Kind::Asset, "asset")?;
        let records = read::manifest(&connection, &entry)?;
        let media = derived::listed(&connection, id.seq())?.media()?;
        drop(connection);
        let ends = records
            .chunks_exact(RECORD_BYTES)
            .scan(0_u64, |end, record| {
                *end += u64::from(record_size(record));
                Some(*end)
            })
            .collect();
        let open = Arc::new(OpenAsset {
            asset: asset_from_entry(&entry, media)?,
            records,
            ends,
        });
        let mut assets = self.assets.lock().unwrap_or_else(PoisonError::into_inner);
        if assets.len() >= OPEN_ASSETS_MAX {
            assets.pop_front();
        }
        assets.push_back(Arc::clone(&open));
        drop(assets);
        Ok(AssetReader {
            reading: Arc::clone(self),
            open,
        })
    }

    fn cached_asset(&self, id: AssetId) -> Option<Arc<OpenAsset>> {
        let mut assets = self.assets.lock().unwrap_or_else(PoisonError::into_inner);
        let at = assets.iter().position(|open| open.asset.id == id)?;
        let open = assets.remove(at)?;
        assets.push_back(Arc::clone(&open));
        Some(open)
    }

    /// The bytes of the chunks in these records, each checked; they are hashed together. `is_shared` takes those that were
    /// checked lately as they are, and keeps the others for whoever comes next.
    fn chunks(&self, records: &[u8], is_shared: bool) -> Vec<Result<Arc<Vec<u8>>, ChunkError>> {
        let records = records.chunks_exact(RECORD_BYTES);
        let recent = || self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let kept: Vec<_> = if is_shared {
            let recent = recent();
            let kept = |record| recent.get(&record_digest(record), record_size(record));
            records.clone().map(kept).collect()
        } else {
            vec![None; records.len()]
        };
        let read = |(record, kept): (_, &Option<_>)| {
            let stored = || self.stored_chunk(&record_digest(record), record_size(record));
            kept.is_none().then(stored)
        };
        let stored: Vec<_> = records.clone().zip(&kept).map(read).collect();
        let right = stored.iter().flatten().flatten().map(Vec::as_slice);
        let mut found = sha256::of_each(right).into_iter();
        let mut check = |((kept, stored), record): ((Option<_>, Option<Result<_, _>>), _)| {
            let Some(stored) = stored else {
                return Ok(kept.expect("what is not kept was read"));
            };
            let bytes = Arc::new(stored?);
            if found.next() != Some(record_digest(record)) {
                return Err(ChunkError::Damaged("it differs from its hash".into()));
            }
            if is_shared {
                recent().keep(record_digest(record), Arc::clone(&bytes));
            }
            Ok(bytes)
        };
        let all = kept.into_iter().zip(stored).zip(records);
        all.map(&mut check).collect()
    }

    /// The bytes of a chunk as they are stored, which must not leave this module.
    fn stored_chunk(&self, digest: &Digest, size: u32) -> Result<Vec<u8>, ChunkError> {
        self.located_chunk(digest, size).map(|(_, bytes)| bytes)
    }

    /// The same, and where it lies.
    fn located_chunk(
        &self,
        digest: &Digest,
        size: u32,
    ) -> Result<(ChunkLocation, Vec<u8>), ChunkError> {
        let connection = self.pool.get()?;
        let location = read::locate_chunk(&connection, digest)?
            .ok_or_else(|| ChunkError::Damaged("it is missing".into()))?;
        if location.size != size as usize {
            return Err(ChunkError::Damaged(
                "it is recorded with another size".into(),
            ));
        }
        let bytes = match location.codec {
            Codec::Stored => read::read_stored(&connection, &location)?,
            Codec::Zstd => {
                let pack = self.decoded_pack(&connection, &location)?;
                pack[location.offset..location.offset + location.size].to_vec()
            }
        };
        Ok((location, bytes))
    }

    fn decoded_pack(
        &self,
        connection: &Connection,
        location: &ChunkLocation,
    ) -> Result<Arc<Vec<u8>>, ChunkError> {
        {
            let packs = self.packs.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, pack)) = packs.iter().find(|(id, _)| *id == location.pack) {
                return Ok(Arc::clone(pack));
            }
        }
        let frame = read::read_pack(connection, location.pack)?;
        let raw = codec::decompress(&frame, location.raw_size)
            .map_err(|error| ChunkError::Damaged(format!("its pack does not decode ({error})")))?;
        let pack = Arc::new(raw);
        let mut packs = self.packs.lock().unwrap_or_else(PoisonError::into_inner);
        while packs.len() >= PACK_CACHE_BYTES / PACK_BYTES_TARGET {
            packs.pop_front();
        }
        packs.push_back((location.pack, Arc::clone(&pack)));
        Ok(pack)
    }
}

/// Checked chunks, latest last.
#[derive(Default)]
struct Recent {
    chunks: VecDeque<(Digest, Arc<Vec<u8>>)>,
    bytes: usize,
}

impl Recent {
    fn get(&self, digest: &Digest, size: u32) -> Option<Arc<Vec<u8>>> {
        let mut latest_first = self.chunks.iter().rev();
        let (_, bytes) = latest_first.find(|(of, _)| of == digest)?;
        (bytes.len() == size as usize).then(|| Arc::clone(bytes))
    }

    fn keep(&mut self, digest: Digest, bytes: Arc<Vec<u8>>) {
        self.bytes += bytes.len();
        self.chunks.push_back((digest, bytes));
        while self.bytes > CHUNK_CACHE_BYTES || self.chunks.len() > CHUNK_CACHE_MAX {
            let oldest = self.chunks.pop_front();
            self.bytes -= oldest.map_or(self.bytes, |(_, bytes)| bytes.len());
        }
    }
}

/// Checked bytes of an asset: a part of one chunk, which others may be reading as well.
#[derive(Clone)]
pub struct Piece {
    chunk: Arc<Vec<u8>>,
    part: Range<usize>,
}

impl Deref for Piece {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.chunk[self.part.clone()]
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Borrow<[u8]> for Piece {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl From<Piece> for Vec<u8> {
    /// Copies only what others read as well.
    fn from(piece: Piece) -> Self {
        match Arc::try_unwrap(piece.chunk) {
            Ok(mut bytes) => {
                bytes.truncate(piece.part.end);
                bytes.drain(..piece.part.start);
                bytes
            }
            Err(shared) => shared[piece.part].to_vec(),
        }
    }
}

/// What is wrong with a chunk, before it is known which asset it was read for.
enum ChunkError {
    Damaged(String),
    Read(ReadError),
}

impl From<ReadError> for ChunkError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl AssetReader {
    /// The asset.
    pub fn asset(&self) -> &Asset {
        &self.open.asset
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.open.asset.size
    }

    /// Chunks in its manifest.
    pub fn chunks(&self) -> u64 {
        self.open.ends.len() as u64
    }

    /// Whether all chunks together have the SHA-256 that was sealed. Only chunks that lie alone and stored in their pack are
    /// compared with their own as well: `on_right` gets each one's row and CRC-32. So `false` says nothing of where the
    /// damage is, or whether there is any. `on_read` gets the length of each chunk, and says whether to go on.
    ///
    /// A large asset is read on a thread of its own, since hashing it is one thread's work.
    pub(crate) fn has_sealed_sha256(
        &self,
        on_read: impl Fn(usize) -> bool + Sync,
        mut on_right: impl FnMut(u64, u32),
    ) -> bool {
        let mut whole = Sha256::default();
        let mut take = |met: Met<'_>| match met.alone {
            Some((chunk, crc32)) => {
                if whole.update_and_digest(&met.bytes) == record_digest(met.record) {
                    on_right(chunk, crc32);
                }
            }
            None => whole.update(&met.bytes),
        };
        let each = || {
            let records = self.open.records.chunks_exact(RECORD_BYTES);
            records.map_while(|record| {
                let met = self.meet(record).ok()?;
                on_read(met.bytes.len()).then_some(met)
            })
        };
        std::thread::scope(|scope| {
            let (send, receive) = sync_channel(CHUNKS_MET_AHEAD);
            let read = move || each().try_for_each(|met| send.send(met));
            let thread = std::thread::Builder::new().name("reader".into());
            if self.size() >= READ_BESIDE_BYTES && thread.spawn_scoped(scope, read).is_ok() {
                receive.into_iter().for_each(&mut take);
            } else {
                // Small, or the system has no thread to give.
                each().for_each(&mut take);
            }
        });
        whole.finish() == self.open.asset.sha256
    }

    /// Reads the chunk of a record; compares nothing.
    fn meet<'r>(&self, record: &'r [u8]) -> Result<Met<'r>, ChunkError> {
        let (digest, size) = (record_digest(record), record_size(record));
        let (location, bytes) = self.reading.located_chunk(&digest, size)?;
        let is_alone = location.codec == Codec::Stored
            && location.offset == 0
            && location.size == location.raw_size;
        Ok(Met {
            record,
            alone: is_alone.then(|| (location.chunk, crc32fast::hash(&bytes))),
            bytes,
        })
    }

    /// The bytes of `range`, which is cut off at the asset's end. Touches only the chunks that the range does, and reads
    /// each of them from the file.
    pub fn range(&self, range: Range<u64>) -> AssetRange {
        let end = range.end.min(self.size());
        AssetRange {
            reader: self.clone(),
            at: range.start.min(end),
            end,
            ahead: VecDeque::new(),
            begun: false,
            failed: false,
            is_shared: false,
        }
    }
}

/// A chunk on the way to its asset's SHA-256, compared with nothing yet.
struct Met<'r> {
    record: &'r [u8],
    bytes: Vec<u8>,
    /// Its row and the CRC-32 of its bytes, if it lies alone and stored in its pack.
    alone: Option<(u64, u32)>,
}

/// From here on an asset is read beside the thread that hashes it.
const READ_BESIDE_BYTES: u64 = 4 * 1024 * 1024;
/// Chunks of it that were read and wait to be hashed.
const CHUNKS_MET_AHEAD: usize = 4;

/// Pieces of an asset, in order, each at most one chunk (1 MiB) and checked. Ends after the first error. A little more than
/// [`READ_AHEAD_BYTES`] is held at most until it is asked for, so a slow consumer costs little but its own memory.
pub struct AssetRange {
    reader: AssetReader,
    at: u64,
    end: u64,
    /// The chunks after the one that was handed out.
    ahead: VecDeque<Result<Arc<Vec<u8>>, ChunkError>>,
    begun: bool,
    failed: bool,
    is_shared: bool,
}

/// Chunks of one range are read and checked together until they are so many bytes: hashing several takes less time than one
/// after the other.
const READ_AHEAD_BYTES: u64 = 1024 * 1024;

impl AssetRange {
    /// The same, taking chunks that others have lately read and checked as they are, and leaving its own to them; up to
    /// [`CHUNK_CACHE_BYTES`] are kept. Several who read one asset at a time cost little more than one.
    #[must_use]
    pub fn shared(self) -> Self {
        Self {
            is_shared: true,
            ..self
        }
    }

    /// Takes the next `bytes` off as a range of their own, and what more the chunk has that they end in. Parts can be read
    /// on several threads at once, and chunks of a part are hashed together. Empty once everything was taken or read.
    #[must_use = "what was taken is not in this range any more"]
    pub fn take_part(&mut self, bytes: u64) -> Self {
        let ends = &self.reader.open.ends;
        let last = ends.partition_point(|end| *end < self.at.saturating_add(bytes));
        let end = ends.get(last).map_or(self.end, |end| self.end.min(*end));
        let part = Self {
            reader: self.reader.clone(),
            at: self.at,
            end,
            ahead: std::mem::take(&mut self.ahead),
            begun: true,
            failed: self.failed,
            is_shared: self.is_shared,
        };
        self.at = end;
        part
    }

    /// Whether everything was taken or read.
    pub fn is_empty(&self) -> bool {
        self.at >= self.end
    }

    /// The chunk of that number, whole.
    fn chunk(&mut self, index: usize) -> Result<Arc<Vec<u8>>, ChunkError> {
        if self.ahead.is_empty() {
            let ends = &self.reader.open.ends;
            // The first comes as soon as it can.
            let until = if self.begun {
                self.end.min(self.at + READ_AHEAD_BYTES)
            } else {
                ends[index]
            };
            let count = ends[index..].partition_point(|end| *end < until) + 1;
            let records = index * RECORD_BYTES..(index + count) * RECORD_BYTES;
            let records = &self.reader.open.records[records];
            self.ahead = self.reader.reading.chunks(records, self.is_shared).into();
            self.begun = true;
        }
        let next = self.ahead.pop_front();
        next.expect("the range goes on, and so there was one more chunk to read")
    }
}

impl Iterator for AssetRange {
    type Item = Result<Piece, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_empty() || self.failed {
            return None;
        }
        let ends = &self.reader.open.ends;
        let index = ends.partition_point(|end| *end <= self.at);
        let chunk_end = ends[index];
        let piece = match self.chunk(index) {
            Ok(chunk) => {
                let chunk_start = chunk_end - chunk.len() as u64;
                // Both differences are within one chunk.
                let from = usize::try_from(self.at - chunk_start).expect("chunks are small");
                let to = usize::try_from(self.end.min(chunk_end) - chunk_start)
                    .expect("chunks are small");
                self.at = chunk_end;
                Ok(Piece {
                    chunk,
                    part: from..to,
                })
            }
            Err(error) => {
                self.failed = true;
                let open = &self.reader.open;
                Err(match error {
                    ChunkError::Read(error) => error,
                    ChunkError::Damaged(what) => {
                        damaged(&open.asset, index, open.ends.len(), &what)
                    }
                })
            }
        };
        Some(piece)
    }
}

fn damaged(asset: &Asset, index: usize, of: usize, what: &str) -> ReadError {
    let number = index as u64 + 1;
    ReadError::Damaged {
        entry: asset.id.seq(),
        chunk: Some((number, of as u64)),
        detail: format!(
            "chunk {number} of {of} of “{}”: {what}",
            asset.name.escaped()
        ),
    }
}
