//! Reading ahead: a large upload is cut and hashed while its parts arrive, on a thread that leaves the processor to
//! whoever wants it. What that finds out is a head start for sealing. Nothing depends on it, and nothing of it is kept.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::sealing::INLINE_BYTES_MAX;
use super::spool::Part;
use super::upload::Upload;
use super::{Inner, lock};
use crate::chunking::READ_BYTES;
use crate::ingest::HeadStart;

/// Further behind what has arrived, it is no longer sure that the system has in its cache what is to be read; from the disk
/// it would be in the way of what arrives.
const BEHIND_MAX: u64 = 1024 * 1024 * 1024;
/// Chunks that are known of all uploads together, some 50 bytes each.
const CHUNKS_MAX: usize = 256 * 1024;

/// Parts that are looked at together at most. Of very small ones so many are less than a chunk, and nothing is read ahead.
const PARTS_AT_ONCE: usize = 256;
/// How long sealing waits for what is being read ahead at the moment. The thread may not get the processor, and then it is
/// quicker to go without.
const RETURN_PATIENCE: Duration = Duration::from_millis(100);

/// How far an upload was read ahead.
#[derive(Default)]
pub(super) struct Ahead {
    start: HeadStart,
    /// The thread has it.
    is_out: bool,
    /// The part that goes on where what is known ends, and the bytes before it.
    part: u64,
    before: u64,
    /// Sealing has begun, once: it reads everything.
    is_over: bool,
    room: Room,
}

/// Takes its chunks off the count of all when it is dropped.
#[derive(Default)]
struct Room {
    chunks: usize,
    of: Arc<AtomicUsize>,
}

impl Room {
    fn is_full(&self) -> bool {
        self.of.load(Ordering::Relaxed) >= CHUNKS_MAX
    }

    fn take(&mut self, chunks: usize) {
        self.of.fetch_add(chunks - self.chunks, Ordering::Relaxed);
        self.chunks = chunks;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.of.fetch_sub(self.chunks, Ordering::Relaxed);
    }
}

/// What the thread has at the moment.
struct Lent {
    start: HeadStart,
    /// Parts that go on where what is known ends.
    parts: Vec<(u64, Part)>,
    /// Bytes of the first that are known.
    skip: u64,
}

impl Ahead {
    /// Nothing yet; its chunks are to count among `all`.
    pub(super) fn new(all: &Arc<AtomicUsize>) -> Self {
        let room = Room {
            chunks: 0,
            of: Arc::clone(all),
        };
        Self {
            room,
            ..Self::default()
        }
    }

    /// Bytes of [`Ahead::part`] that are known.
    fn skip(&self) -> u64 {
        self.start.size() - self.before
    }

    /// The parts that go on from there without a gap, as many as are read at a time.
    fn next_parts(&self, parts: &BTreeMap<u64, Part>) -> Vec<(u64, Part)> {
        let wanted = self.skip() + READ_BYTES as u64;
        let mut bytes = 0;
        (self.part..)
            .take(PARTS_AT_ONCE)
            .map_while(|index| Some((index, *parts.get(&index)?)))
            .take_while(|(_, part)| {
                let is_wanted = bytes < wanted;
                bytes += part.size;
                is_wanted
            })
            .collect()
    }

    /// Counts what has become known.
    fn go_on(&mut self, parts: &[(u64, Part)]) {
        self.room.take(self.start.chunks());
        for (index, part) in parts {
            if self.skip() < part.size {
                break;
            }
            self.part = index + 1;
            self.before += part.size;
        }
    }
}

impl Upload {
    /// What is known, for sealing. Nothing is read ahead any more.
    pub(super) fn take_head_start(&self) -> HeadStart {
        let mut ahead = lock(&self.ahead);
        ahead.is_over = true;
        let is_out = |ahead: &mut Ahead| ahead.is_out;
        let waited = self
            .ahead_returned
            .wait_timeout_while(ahead, RETURN_PATIENCE, is_out);
        let (mut ahead, _) = waited.unwrap_or_else(PoisonError::into_inner);
        ahead.room = Room::default();
        std::mem::take(&mut ahead.start)
    }

    /// Hands out what is known, to be extended; `None` if nothing is to be read ahead.
    fn lend_head_start(&self) -> Option<Lent> {
        let ahead = &mut *lock(&self.ahead);
        let (parts, received) = {
            let state = lock(&self.state);
            if ahead.is_out || ahead.is_over || !state.is_receiving() {
                return None;
            }
            (ahead.next_parts(&state.parts), state.received)
        };
        if ahead.room.is_full() || received - ahead.start.size() > BEHIND_MAX {
            return None;
        }
        let skip = ahead.skip();
        ahead.is_out = true;
        Some(Lent {
            start: std::mem::take(&mut ahead.start),
            parts,
            skip,
        })
    }

    /// Takes it back; nothing more is read ahead unless that went well.
    fn return_head_start(&self, lent: Lent, is_good: bool) {
        let mut ahead = lock(&self.ahead);
        ahead.is_out = false;
        ahead.start = lent.start;
        ahead.is_over |= !is_good;
        if !ahead.is_over {
            ahead.go_on(&lent.parts);
        }
        drop(ahead);
        self.ahead_returned.notify_all();
    }
}

impl Inner {
    /// Has the upload read ahead if that is worth it, of which `received` bytes are there.
    pub(super) fn ask_ahead(self: &Arc<Self>, upload: &Arc<Upload>, received: u64) {
        if received > INLINE_BYTES_MAX && !upload.waits_ahead.swap(true, Ordering::SeqCst) {
            self.queue.read_ahead(self, Arc::clone(upload));
        }
    }

    /// The thread that reads ahead.
    pub(super) fn read_ahead(self: &Arc<Self>) {
        crate::platform::step_back();
        while let Some(upload) = self.queue.next_ahead() {
            // From here on, a part that comes may be overlooked below.
            upload.waits_ahead.store(false, Ordering::SeqCst);
            while !self.is_stopped() && self.read_some_ahead(&upload) {}
        }
    }

    /// Reads a little, so that sealing need not wait for long; tells whether there may be more.
    fn read_some_ahead(&self, upload: &Upload) -> bool {
        let Some(mut lent) = upload.lend_head_start() else {
            return false;
        };
        let mut source = Consecutive {
            folder: self.spool.folder(&upload.key),
            parts: lent.parts.iter(),
            skip: lent.skip,
            current: None,
        };
        let read = self.door.read_ahead(&mut lent.start, &mut source);
        upload.return_head_start(lent, read.is_ok());
        read.unwrap_or_else(|error| {
            // Sealing reads it again, and tells if it cannot.
            tracing::debug!(upload = %upload.key, %error, "an upload is not read ahead");
            false
        })
    }
}

/// Parts one after the other.
struct Consecutive<'a> {
    folder: PathBuf,
    parts: std::slice::Iter<'a, (u64, Part)>,
    /// Bytes of the first that are left out.
    skip: u64,
    current: Option<File>,
}

impl Read for Consecutive<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(file) = &mut self.current {
                let read = file.read(buffer)?;
                if read > 0 || buffer.is_empty() {
                    return Ok(read);
                }
            }
            let Some((index, part)) = self.parts.next() else {
                return Ok(0);
            };
            let mut file = File::open(part.path(&self.folder, *index))?;
            file.seek(SeekFrom::Start(std::mem::take(&mut self.skip)))?;
            self.current = Some(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Instant;

    use super::super::{Completed, Completion, Uploads};
    use super::*;
    use crate::ids::{CollectionId, Digest};
    use crate::ingest::testing::{name, new_vault, noise};
    use crate::model::PlaceId;
    use crate::vault::Vault;

    /// More than what is worth reading ahead, in parts of an odd size.
    const BYTES: usize = 40_000_000;
    const PART_BYTES: usize = 3_333_333;

    fn new_collection(home: &tempfile::TempDir) -> (Vault, CollectionId) {
        let (vault, project) = new_vault(home);
        let place = PlaceId::Project(project);
        let collection = vault.create_collection(place, name("C"), "collection");
        let id = collection.expect("it can be created").0.id;
        (vault, id)
    }

    fn put(uploads: &Uploads, index: usize, bytes: &[u8]) {
        let mut part = uploads.part("u", index as u64).expect("it takes parts");
        part.append(bytes).expect("written");
        part.finish().expect("it counts");
    }

    fn completion(collection: CollectionId, content: &[u8]) -> Completion {
        Completion {
            upload_id: "u".into(),
            collection,
            folders: Vec::new(),
            name: name("film.bin"),
            total_size: Some(content.len() as u64),
            parts: None,
            sha256: Some(Digest::of(content)),
            modified: None,
            executable: false,
        }
    }

    /// Sends all parts, the first one last, and waits until nearly all is known.
    fn read_ahead(uploads: &Uploads, content: &[u8]) -> Arc<Upload> {
        for (index, part) in content.chunks(PART_BYTES).enumerate().skip(1) {
            put(uploads, index, part);
        }
        let [upload] = &uploads.inner.all_open()[..] else {
            panic!("there is one upload");
        };
        assert_eq!(
            lock(&upload.ahead).start.size(),
            0,
            "the first part is missing"
        );
        put(uploads, 0, &content[..PART_BYTES]);
        let begun = Instant::now();
        // No more is left than the largest chunk.
        while lock(&upload.ahead).start.size() + 1024 * 1024 < BYTES as u64 {
            assert!(begun.elapsed() < Duration::from_mins(1), "it is read ahead");
            std::thread::sleep(Duration::from_millis(5));
        }
        Arc::clone(upload)
    }

    fn read(vault: &Vault, completed: Completed) -> Vec<u8> {
        let Completed::Sealed { asset, .. } = completed else {
            panic!("it should be sealed at once");
        };
        let reader = vault.open_asset(asset).expect("it is there");
        let pieces = reader.range(0..reader.size());
        pieces
            .map(|piece| piece.expect("it is intact"))
            .flat_map(|piece| piece.to_vec())
            .collect()
    }

    /// Guards: an upload that was read ahead while its parts came is the file that was sent, and leaves nothing behind.
    #[test]
    fn what_was_read_ahead_is_sealed_as_it_came() {
        let home = tempfile::tempdir().expect("a folder");
        let (vault, collection) = new_collection(&home);
        let uploads = vault.uploads().expect("it takes uploads");
        let content = noise(1, BYTES);
        let upload = read_ahead(uploads, &content);
        let inner = &uploads.inner;
        assert!(inner.chunks_ahead.load(Ordering::SeqCst) > BYTES / (1024 * 1024));
        let completed = uploads.complete(&completion(collection, &content));
        assert!(read(&vault, completed.expect("it is sealed")) == content);
        assert!(lock(&upload.ahead).is_over);
        assert_eq!(inner.chunks_ahead.load(Ordering::SeqCst), 0);
    }

    /// Guards: a part that is damaged after it was read ahead is noticed, asked for again, and taken when it comes.
    #[test]
    fn a_part_that_is_damaged_after_it_was_read_is_asked_for_again() {
        let home = tempfile::tempdir().expect("a folder");
        let (vault, collection) = new_collection(&home);
        let uploads = vault.uploads().expect("it takes uploads");
        let content = noise(1, BYTES);
        let upload = read_ahead(uploads, &content);
        let part = lock(&upload.state).parts[&4];
        let path = part.path(&uploads.inner.spool.folder(&upload.key), 4);
        let mut bytes = fs::read(&path).expect("it is there");
        bytes[PART_BYTES / 2] ^= 1;
        fs::write(&path, bytes).expect("it can be written");
        let completion = completion(collection, &content);
        let refused = uploads.complete(&completion).expect_err("it is damaged");
        assert_eq!(refused.code(), "parts_missing");
        put(uploads, 4, &content[4 * PART_BYTES..5 * PART_BYTES]);
        let completed = uploads.complete(&completion);
        assert!(read(&vault, completed.expect("it is sealed")) == content);
    }

    /// Guards: sealing does not wait for a thread that gets no time, and reads everything itself.
    #[test]
    fn sealing_goes_without_what_does_not_come_back() {
        let home = tempfile::tempdir().expect("a folder");
        let (vault, collection) = new_collection(&home);
        let uploads = vault.uploads().expect("it takes uploads");
        let content = noise(1, BYTES);
        let upload = read_ahead(uploads, &content);
        // As if the thread had it again, for good; it may be about to find out that there is no more.
        let begun = Instant::now();
        let lent = loop {
            if let Some(lent) = upload.lend_head_start() {
                break lent;
            }
            assert!(begun.elapsed() < Duration::from_mins(1), "it comes back");
            std::thread::sleep(Duration::from_millis(1));
        };
        let completed = uploads.complete(&completion(collection, &content));
        assert!(read(&vault, completed.expect("it is sealed")) == content);
        upload.return_head_start(lent, true);
    }

    /// Guards: what is looked at together is bounded, whatever a client calls a part.
    #[test]
    fn very_small_parts_are_not_looked_at_all_at_once() {
        let parts = |size| {
            let part = Part { size, crc32: 0 };
            (0..10_000).map(|index| (index, part)).collect()
        };
        let together = |size| Ahead::default().next_parts(&parts(size)).len();
        assert_eq!(together(1), PARTS_AT_ONCE);
        assert_eq!(together(READ_BYTES as u64 / 2), 2);
        assert_eq!(together(READ_BYTES as u64 * 2), 1);
    }
}
