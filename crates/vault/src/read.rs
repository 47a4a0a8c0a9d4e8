//! Reading assets: chunk by chunk, each checked against its hash before a byte of it is handed out.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};

use crate::buffers::Buffers;
use crate::codec::{self, Codec};
use crate::entry::Kind;
use crate::error::ReadError;
use crate::ids::{AssetId, Digest};
use crate::limits::{
    CHUNK_BYTES_MAX, CHUNK_CACHE_BYTES, CHUNK_CACHE_MAX, PACK_BYTES_TARGET, PACK_CACHE_BYTES,
};
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
    /// Chunks are read into these.
    buffers: Buffers,
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
    /// Who is reading it and would share.
    sharing: AtomicUsize,
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
            buffers: Buffers::new(READ_TOGETHER_MAX),
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
            sharing: AtomicUsize::new(0),
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

    /// The bytes of the chunks in these records, each checked; they are read into one buffer and hashed together. With a
    /// `share`, those that were checked lately are taken as they are, and others may be kept.
    fn chunks(&self, records: &[u8], share: Option<&Share>) -> VecDeque<Result<Bytes, ChunkError>> {
        let records = records.chunks_exact(RECORD_BYTES);
        // One by itself is likely to be asked for again: by whoever reads an asset in ranges smaller than it.
        let is_kept = share.is_some_and(|share| share.has_others() || records.len() == 1);
        let recent = || self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let mut buffer = self.buffers.take_for(records.clone().map(room_for).sum());
        let mut filled = 0;
        let mut read = |record| {
            let place = filled..filled + room_for(record);
            self.read_chunk(record, &mut buffer[place.clone()])?;
            filled = place.end;
            Ok(Found::Read(place))
        };
        let find = |record| {
            let kept = share.and_then(|_| recent().get(record));
            kept.map_or_else(|| read(record), |bytes| Ok(Found::Kept(bytes)))
        };
        let found: Vec<_> = records.clone().map(find).collect();
        let read = self.buffers.lend(buffer, filled);
        let places = found.iter().flatten().filter_map(Found::place);
        let mut digests = sha256::of_each(places.map(|place| &read[place])).into_iter();
        let mut check = |(found, record): (Result<Found, ChunkError>, _)| match found? {
            Found::Kept(bytes) => Ok(bytes),
            Found::Read(place) => {
                let digest = record_digest(record);
                if digests.next() != Some(digest) {
                    return Err(ChunkError::Damaged("it differs from its hash".into()));
                }
                let bytes = read.slice(place);
                if is_kept {
                    recent().keep(digest, bytes.clone());
                }
                Ok(bytes)
            }
        };
        found.into_iter().zip(records).map(&mut check).collect()
    }

    /// Reads the chunk of a record as it is stored, into as many bytes as it has; gives where it lies.
    fn read_chunk(&self, record: &[u8], into: &mut [u8]) -> Result<ChunkLocation, ChunkError> {
        let connection = self.pool.get()?;
        let location = read::locate_chunk(&connection, &record_digest(record))?
            .ok_or_else(|| ChunkError::Damaged("it is missing".into()))?;
        if location.size != into.len() || location.size != record_size(record) as usize {
            return Err(ChunkError::Damaged(
                "it is recorded with another size".into(),
            ));
        }
        match location.codec {
            Codec::Stored => read::read_stored(&connection, &location, into)?,
            Codec::Zstd => {
                let pack = self.decoded_pack(&connection, &location)?;
                into.copy_from_slice(&pack[location.offset..][..location.size]);
            }
        }
        Ok(location)
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

/// How many bytes the chunk of a record takes; no more than a chunk can, whatever the record says.
fn room_for(record: &[u8]) -> usize {
    CHUNK_BYTES_MAX.min(record_size(record) as usize)
}

/// Where a chunk is while those of a range come together.
enum Found {
    /// Checked for somebody else.
    Kept(Bytes),
    /// At this place of what was read.
    Read(Range<usize>),
}

impl Found {
    fn place(&self) -> Option<Range<usize>> {
        match self {
            Self::Kept(_) => None,
            Self::Read(place) => Some(place.clone()),
        }
    }
}

/// Checked chunks, latest last.
#[derive(Default)]
struct Recent {
    chunks: VecDeque<(Digest, Bytes)>,
    bytes: usize,
}

impl Recent {
    fn get(&self, record: &[u8]) -> Option<Bytes> {
        let digest = record_digest(record);
        let mut latest_first = self.chunks.iter().rev();
        let (_, bytes) = latest_first.find(|(of, _)| *of == digest)?;
        (bytes.len() == record_size(record) as usize).then(|| bytes.clone())
    }

    fn keep(&mut self, digest: Digest, bytes: Bytes) {
        self.bytes += bytes.len();
        self.chunks.push_back((digest, bytes));
        while self.bytes > CHUNK_CACHE_BYTES || self.chunks.len() > CHUNK_CACHE_MAX {
            let oldest = self.chunks.pop_front();
            self.bytes -= oldest.map_or(self.bytes, |(_, bytes)| bytes.len());
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
    /// A large asset is read, and its chunks are hashed, on a thread beside the one that hashes it as a whole, which no
    /// other can help.
    pub(crate) fn has_sealed_sha256(
        &self,
        on_read: impl Fn(usize) -> bool + Sync,
        mut on_right: impl FnMut(u64, u32),
    ) -> bool {
        let mut whole = Sha256::default();
        let mut take = |met: Met<'_>| {
            let bytes = &met.buffer[..met.size];
            let is_right = match met.is_right {
                None if met.alone.is_some() => {
                    whole.update_and_digest(bytes) == record_digest(met.record)
                }
                known => {
                    whole.update(bytes);
                    known.unwrap_or(false)
                }
            };
            if let Some((chunk, crc32)) = met.alone.filter(|_| is_right) {
                on_right(chunk, crc32);
            }
            self.reading.buffers.give_back(met.buffer);
        };
        let each = || {
            let records = self.open.records.chunks_exact(RECORD_BYTES);
            records.map_while(|record| {
                let met = self.meet(record).ok()?;
                on_read(met.size).then_some(met)
            })
        };
        std::thread::scope(|scope| {
            let (send, receive) = sync_channel(CHUNKS_MET_AHEAD);
            let read = move || {
                let mut each = each();
                loop {
                    let mut some: Vec<_> = each.by_ref().take(CHUNKS_MET_TOGETHER).collect();
                    Met::compare(&mut some);
                    if some.is_empty() || some.into_iter().any(|met| send.send(met).is_err()) {
                        return;
                    }
                }
            };
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
        let size = room_for(record);
        let mut buffer = self.reading.buffers.take();
        let bytes = &mut buffer[..size];
        let location = self.reading.read_chunk(record, bytes)?;
        let is_alone = location.codec == Codec::Stored
            && location.offset == 0
            && location.size == location.raw_size;
        Ok(Met {
            record,
            alone: is_alone.then(|| (location.chunk, crc32fast::hash(bytes))),
            is_right: None,
            buffer,
            size,
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
            share: None,
        }
    }
}

/// A chunk on the way to its asset's SHA-256.
struct Met<'r> {
    record: &'r [u8],
    /// Begins with the chunk.
    buffer: BytesMut,
    size: usize,
    /// Its row and the CRC-32 of its bytes, if it lies alone and stored in its pack.
    alone: Option<(u64, u32)>,
    /// Whether it has the SHA-256 of its record, once these were compared. Only of one that lies alone.
    is_right: Option<bool>,
}

impl Met<'_> {
    /// Compares those that lie alone with their own SHA-256.
    fn compare(all: &mut [Self]) {
        let mut alone: Vec<_> = all.iter_mut().filter(|met| met.alone.is_some()).collect();
        let digests = sha256::of_each(alone.iter().map(|met| &met.buffer[..met.size]));
        for (met, digest) in alone.iter_mut().zip(digests) {
            met.is_right = Some(digest == record_digest(met.record));
        }
    }
}

/// From here on an asset is read beside the thread that hashes it.
const READ_BESIDE_BYTES: u64 = 4 * 1024 * 1024;
/// Chunks of it that were read and wait to be hashed with the whole.
const CHUNKS_MET_AHEAD: usize = 4;
/// Chunks that are read and then hashed together, two at a time: of so many, little goes alone.
const CHUNKS_MET_TOGETHER: usize = 4;

/// Pieces of an asset, in order, each at most one chunk (1 MiB) and checked. Ends after the first error. A little more than
/// [`READ_AHEAD_BYTES`] is held at most until it is asked for, so a slow consumer costs little but its own memory.
pub struct AssetRange {
    reader: AssetReader,
    at: u64,
    end: u64,
    /// The chunks after the one that was handed out.
    ahead: VecDeque<Result<Bytes, ChunkError>>,
    begun: bool,
    failed: bool,
    share: Option<Arc<Share>>,
}

/// One of those who read an asset and would share; all parts of a range are one.
struct Share(Arc<OpenAsset>);

impl Share {
    fn new(open: &Arc<OpenAsset>) -> Self {
        open.sharing.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(open))
    }

    /// Whether somebody else reads it as well.
    fn has_others(&self) -> bool {
        self.0.sharing.load(Ordering::Relaxed) > 1
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.sharing.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Chunks of one range are read and checked together until they are so many bytes: hashing several takes less time than one
/// after the other.
const READ_AHEAD_BYTES: u64 = CHUNK_BYTES_MAX as u64;
/// What that comes to with the chunk that it ends in.
const READ_TOGETHER_MAX: usize = 2 * CHUNK_BYTES_MAX;

impl AssetRange {
    /// The same, taking chunks that others have lately read and checked as they are, and leaving its own to those who read
    /// the same asset meanwhile; up to [`CHUNK_CACHE_BYTES`] are kept. Several who read one asset at a time cost little more
    /// than one.
    #[must_use]
    pub fn shared(self) -> Self {
        Self {
            share: Some(Arc::new(Share::new(&self.reader.open))),
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
            share: self.share.clone(),
        };
        self.at = end;
        part
    }

    /// Whether everything was taken or read.
    pub fn is_empty(&self) -> bool {
        self.at >= self.end
    }

    /// The chunk of that number, whole.
    fn chunk(&mut self, index: usize) -> Result<Bytes, ChunkError> {
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
            let share = self.share.as_deref();
            self.ahead = self.reader.reading.chunks(records, share);
            self.begun = true;
        }
        let next = self.ahead.pop_front();
        next.expect("the range goes on, and so there was one more chunk to read")
    }
}

impl Iterator for AssetRange {
    type Item = Result<Bytes, ReadError>;

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
                Ok(chunk.slice(from..to))
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
