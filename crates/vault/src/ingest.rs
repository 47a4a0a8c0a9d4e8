//! Ingest: one service with two doors, paths from the command line and uploads from HTTP.
//!
//! A source is read and cut on its caller's thread, and hashed there, too, or on one beside it if it is large; its chunks and
//! finally its entry gather in a batch. The packer thread takes the batch, leaves out what is sealed already and encodes the rest on all cores; the
//! committer thread seals it in one transaction, while the next batch gathers, and in a bulk import is packed: assets that
//! are ready together are committed together. A [`Ticket`] is answered when its commit is durable, never before.

mod batch;
mod commit;
mod handful;
mod head_start;
mod packer;
mod stations;
#[cfg(test)]
pub(crate) mod testing;
mod ticket;

use std::io::{self, Read};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;

use crate::chunking::{Chunker, ChunkerParameters};
use crate::error::IngestError;
use crate::ids::{Digest, Seq};
use crate::limits::LINK_TARGET_BYTES_MAX;
use crate::media::{HEAD_BYTES, Media};
use crate::model::{PlaceId, Timestamp};
use crate::name::Name;
use crate::sha256::Sha256;
use crate::store::rows::PlaceBody;
use crate::store::write::Writer;
use batch::{Chunk, Content, Entry, EntryKind, Manifest};
use commit::Committer;
pub(crate) use handful::{HANDFUL_BYTES, HANDFUL_SOURCES_MAX, Handful};
pub(crate) use head_start::{HeadStart, is_differing};
use packer::{Flight, Packer};
use stations::{BULK_BYTES, PACKED_MAX, Shared};
use ticket::Owed;
pub use ticket::Ticket;

/// What is to become an asset.
#[derive(Clone, Debug)]
pub struct NewAsset {
    /// Where to put it.
    pub place: PlaceId,
    /// Collections below the place, found or created, outermost first. At least one if the place is a project.
    pub folders: Vec<Name>,
    /// Its name there.
    pub name: Name,
    /// Modification time of the source.
    pub modified: Option<Timestamp>,
    /// Execute bit of the source.
    pub executable: bool,
    /// Announced size; another one is refused and nothing sealed.
    pub expected_size: Option<u64>,
    /// Announced SHA-256; another one is refused and nothing sealed.
    pub expected_sha256: Option<Digest>,
}

/// A symbolic link to keep.
#[derive(Clone, Debug)]
pub struct NewLink {
    /// Where to put it.
    pub place: PlaceId,
    /// Collections below the place, found or created, outermost first.
    pub folders: Vec<Name>,
    /// Its name there.
    pub name: Name,
    /// What it points to, never followed.
    pub target: Vec<u8>,
    /// The link's own modification time.
    pub modified: Option<Timestamp>,
}

/// What was read from a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceDigest {
    /// Bytes.
    pub size: u64,
    /// Of all of them.
    pub sha256: Digest,
    /// Of all of them.
    pub crc32: u32,
}

/// What became of something handed in, durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Its entry.
    pub seq: Seq,
    /// It was there before; nothing was added.
    pub already_archived: bool,
    /// Entries in the log after the commit.
    pub log_size: u64,
}

/// Why a source was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The source could not be read to its end.
    #[error("cannot read the source: {0}")]
    Source(#[source] io::Error),
    /// The vault refused.
    #[error(transparent)]
    Ingest(#[from] IngestError),
}

/// Chunks of one source that are hashed on the thread that reads it, and held until more come or none: a thread for less
/// would not pay.
const CHUNKS_HELD: usize = 8;
/// Chunks of one source that were read and wait to be hashed.
const CHUNKS_READ_AHEAD: usize = 4;

/// The service. Any number of threads may hand things in at once; [`Ingest::archive`] blocks while a batch's
/// worth of bytes waits to be committed.
pub struct Ingest {
    shared: Arc<Shared>,
    parameters: ChunkerParameters,
    threads: Mutex<Option<Threads>>,
}

struct Threads {
    packer: JoinHandle<()>,
    committer: JoinHandle<Writer>,
}

impl Ingest {
    /// Starts the threads that seal, with `writer`. The vault at `path` is watched for free space.
    pub(crate) fn start(
        writer: Writer,
        parameters: ChunkerParameters,
        path: &std::path::Path,
    ) -> Self {
        let shared = Arc::new(Shared::default());
        let flight = Arc::new(Flight::new(writer.known_chunks()));
        let packer = Packer::new(Arc::clone(&flight));
        let directory = crate::store::files::directory_of(path);
        let committer = Committer::new(writer, directory, flight);
        let (sender, receiver) = mpsc::sync_channel(PACKED_MAX);
        let [for_packer, for_committer] = [Arc::clone(&shared), Arc::clone(&shared)];
        let thread = |name: &str| std::thread::Builder::new().name(name.into());
        let packer = thread("packer")
            .spawn(move || {
                let _ended = for_packer.until_it_ends();
                stations::pack_batches(&for_packer, packer, &sender);
            })
            .expect("a thread can be started when the vault is opened");
        let committer = thread("committer")
            .spawn(move || {
                let _ended = for_committer.until_it_ends();
                stations::commit_batches(&for_committer, committer, &receiver)
            })
            .expect("a thread can be started when the vault is opened");
        Self {
            shared,
            parameters,
            threads: Mutex::new(Some(Threads { packer, committer })),
        }
    }

    /// Whether batches should wait until they are well filled: for imports where nobody waits for one asset.
    pub fn set_bulk(&self, bulk: bool) {
        self.shared.set_bulk(bulk);
    }

    /// Reads `source` to its end and hands it in. The ticket is answered when the asset is sealed.
    ///
    /// On an error nothing of the asset is listed; chunks of it that were committed before stay, are counted as
    /// unreferenced, and are used when the same bytes come again.
    pub fn archive(
        &self,
        asset: NewAsset,
        source: &mut dyn Read,
    ) -> Result<(Ticket, SourceDigest), ArchiveError> {
        self.archive_holding(asset, source, HeadStart::default(), CHUNKS_HELD)
    }

    /// The same for a source of which the beginning is known. If it does not begin so, [`is_differing`] tells, and without a
    /// head start it can be read again.
    pub(crate) fn archive_ahead(
        &self,
        asset: NewAsset,
        source: &mut dyn Read,
        start: HeadStart,
    ) -> Result<Ticket, ArchiveError> {
        let (ticket, _) = self.archive_holding(asset, source, start, CHUNKS_HELD)?;
        Ok(ticket)
    }

    /// For small sources that one thread reads one after the other.
    pub(crate) fn handful<T>(&self) -> Handful<'_, T> {
        Handful::new(self)
    }

    /// Hands in bytes that are in memory. If they are not what was announced, nothing of them is taken in.
    pub(crate) fn archive_bytes(
        &self,
        asset: NewAsset,
        mut bytes: &[u8],
    ) -> Result<Ticket, IngestError> {
        match self.archive_holding(asset, &mut bytes, HeadStart::default(), usize::MAX) {
            Ok((ticket, _)) => Ok(ticket),
            Err(ArchiveError::Ingest(error)) => Err(error),
            Err(ArchiveError::Source(error)) => {
                unreachable!("memory can be read to its end: {error}")
            }
        }
    }

    fn archive_holding(
        &self,
        asset: NewAsset,
        source: &mut dyn Read,
        start: HeadStart,
        held_max: usize,
    ) -> Result<(Ticket, SourceDigest), ArchiveError> {
        let (content, digest) = self.read_source(&asset, source, start, held_max)?;
        let ticket = self.hand_in(Entry::asset(asset, content))?;
        Ok((ticket, digest))
    }

    /// Hands in a symbolic link.
    pub fn link(&self, link: NewLink) -> Result<Ticket, IngestError> {
        let bytes = link.target.len();
        if bytes > LINK_TARGET_BYTES_MAX {
            let (what, max) = ("target of the link", LINK_TARGET_BYTES_MAX);
            return Err(IngestError::TooLong { what, bytes, max });
        }
        self.hand_in(Entry {
            place: link.place,
            folders: link.folders,
            kind: EntryKind::Link {
                target: link.target,
                modified: link.modified,
            },
            name: Some(link.name),
            owed: Owed::default(),
        })
    }

    /// Finds or creates the collections `folders` below `place`; the ticket names the innermost.
    pub fn folder(&self, place: PlaceId, folders: Vec<Name>) -> Result<Ticket, IngestError> {
        self.hand_in(Entry {
            place,
            folders,
            kind: EntryKind::Folder,
            name: None,
            owed: Owed::default(),
        })
    }

    pub(crate) fn project(&self, name: Name, body: PlaceBody) -> Result<Ticket, IngestError> {
        self.hand_in(Entry {
            // A project's place is the vault, which has no id of its own.
            place: PlaceId::Project(crate::ids::ProjectId::new(Seq::VAULT)),
            folders: Vec::new(),
            kind: EntryKind::Project(body),
            name: Some(name),
            owed: Owed::default(),
        })
    }

    pub(crate) fn collection(
        &self,
        parent: PlaceId,
        name: Name,
        body: Option<PlaceBody>,
    ) -> Result<Ticket, IngestError> {
        self.hand_in(Entry {
            place: parent,
            folders: Vec::new(),
            kind: EntryKind::Collection(body),
            name: Some(name),
            owed: Owed::default(),
        })
    }

    /// Merges small stripes of parity and copies the WAL into the file, between two commits.
    pub(crate) fn upkeep(&self) -> Result<(), IngestError> {
        self.chore(EntryKind::Upkeep).map(|_| ())
    }

    /// Makes all derived data again, between two commits.
    pub(crate) fn rebuild(&self) -> Result<(), IngestError> {
        self.chore(EntryKind::Rebuild).map(|_| ())
    }

    /// Says in the log what was restored; gives the entry.
    pub(crate) fn repair(&self, body: Vec<u8>) -> Result<Seq, IngestError> {
        Ok(self.chore(EntryKind::Repair(body))?.seq)
    }

    /// Has the committer do something that nobody hands in.
    fn chore(&self, kind: EntryKind) -> Result<Sealed, IngestError> {
        let ticket = self.hand_in(Entry {
            place: PlaceId::Project(crate::ids::ProjectId::new(Seq::VAULT)),
            folders: Vec::new(),
            kind,
            name: None,
            owed: Owed::default(),
        })?;
        ticket.wait()
    }

    /// Takes nothing more, commits what waits, ends the threads and gives its connection back; `None` if that
    /// was done before.
    pub(crate) fn stop(&self) -> Option<Writer> {
        self.shared.close();
        let threads = self
            .threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()?;
        let packed = threads.packer.join();
        let writer = threads.committer.join().ok();
        packed.ok().and(writer)
    }

    /// Reads a source to its end and hands in its chunks; fails if it is not what was announced. Up to `held_max` chunks are
    /// held until then: of a source that has no more, nothing is handed in if it is refused. Nothing is held after a head
    /// start.
    fn read_source(
        &self,
        asset: &NewAsset,
        source: &mut dyn Read,
        start: HeadStart,
        held_max: usize,
    ) -> Result<(Content, SourceDigest), ArchiveError> {
        let manifest = Arc::new(Manifest::default());
        let chunker = Chunker::new(self.parameters, &self.shared.buffers);
        let mut reading = Reading::new(chunker, source);
        let media = |start: &[u8]| {
            Media::detect(asset.name.as_bytes(), &start[..start.len().min(HEAD_BYTES)])
        };
        let mut found = None;
        let (known, mut whole) = start.into_parts();
        for known in &known {
            let bytes = reading.known(known).map_err(ArchiveError::Source)?;
            found.get_or_insert_with(|| media(&bytes));
            self.push_chunk(bytes, known.digest, &manifest)?;
        }
        let held_max = if known.is_empty() { held_max } else { 0 };
        let mut held: Vec<(Bytes, Digest)> = Vec::new();
        let mut next = reading.next()?;
        let media = found.unwrap_or_else(|| media(next.as_deref().unwrap_or_default()));
        while held.len() < held_max
            && let Some(bytes) = next.take()
        {
            let is_alone = held.is_empty() && reading.is_at_end()?;
            // Alone, its digest is the asset's.
            let digest = if is_alone {
                Digest::of(&bytes)
            } else {
                whole.update_and_digest(&bytes)
            };
            held.push((bytes, digest));
            next = reading.next()?;
        }
        let sha256 = if next.is_none() {
            let sha256 = match held[..] {
                [(_, digest)] => digest,
                _ => whole.finish(),
            };
            check_expectations(asset, &reading.digest(sha256))?;
            self.push_chunks(held, &manifest)?;
            sha256
        } else {
            self.push_chunks(held, &manifest)?;
            let sha256 = self.hash_beside(next, &mut reading, whole, &manifest)?;
            check_expectations(asset, &reading.digest(sha256))?;
            sha256
        };
        let digest = reading.digest(sha256);
        Ok((
            Content {
                manifest,
                digest,
                media,
            },
            digest,
        ))
    }

    /// Pushes `next` and all chunks after it, hashing them on a thread of their own while this one reads on; gives the
    /// digest of these and what `whole` has taken in before.
    fn hash_beside(
        &self,
        mut next: Option<Bytes>,
        reading: &mut Reading<'_>,
        mut whole: Sha256,
        manifest: &Arc<Manifest>,
    ) -> Result<Digest, ArchiveError> {
        std::thread::scope(|scope| {
            let (send, receive) = mpsc::sync_channel::<Bytes>(CHUNKS_READ_AHEAD);
            let mut theirs = whole.clone();
            let thread = std::thread::Builder::new().name("hasher".into());
            let hashing = thread.spawn_scoped(scope, move || {
                for bytes in receive {
                    self.hash_chunk(&mut theirs, bytes, manifest)?;
                }
                Ok::<_, IngestError>(theirs.finish())
            });
            let Ok(hashing) = hashing else {
                // The system has no thread to give. It takes longer, and that is all.
                while let Some(bytes) = next {
                    self.hash_chunk(&mut whole, bytes, manifest)?;
                    next = reading.next()?;
                }
                return Ok(whole.finish());
            };
            let read = loop {
                match next.map(|bytes| send.send(bytes)) {
                    // At the end of the source, or of the thread, which says why.
                    None | Some(Err(_)) => break Ok(()),
                    Some(Ok(())) => {}
                }
                match reading.next() {
                    Ok(chunk) => next = chunk,
                    Err(error) => break Err(error),
                }
            };
            drop(send);
            let hashed = hashing.join().expect("hashing does not panic");
            read?;
            Ok(hashed?)
        })
    }

    fn hash_chunk(
        &self,
        whole: &mut Sha256,
        bytes: Bytes,
        manifest: &Arc<Manifest>,
    ) -> Result<(), IngestError> {
        let digest = whole.update_and_digest(&bytes);
        self.push_chunk(bytes, digest, manifest)
    }

    fn push_chunks(
        &self,
        chunks: Vec<(Bytes, Digest)>,
        manifest: &Arc<Manifest>,
    ) -> Result<(), IngestError> {
        for (bytes, digest) in chunks {
            self.push_chunk(bytes, digest, manifest)?;
        }
        Ok(())
    }

    fn push_chunk(
        &self,
        bytes: Bytes,
        digest: Digest,
        manifest: &Arc<Manifest>,
    ) -> Result<(), IngestError> {
        // What was committed for this asset before may have failed; reading on would be in vain.
        manifest.check()?;
        let chunk = Chunk::new(bytes, digest, manifest);
        let mut gathering = self.shared.wait_for_room()?;
        gathering.batch.push_chunk(chunk);
        if gathering.batch.bytes() >= BULK_BYTES {
            self.shared.notify();
        }
        Ok(())
    }

    fn hand_in(&self, entry: Entry) -> Result<Ticket, IngestError> {
        let ticket = entry.owed.ticket();
        let mut gathering = self.shared.wait_for_room()?;
        gathering.batch.push_entry(entry);
        drop(gathering);
        self.shared.notify();
        Ok(ticket)
    }
}

/// A source on its way through the chunker, and what is known of the bytes until now.
struct Reading<'a> {
    chunker: Chunker<'a>,
    source: &'a mut dyn Read,
    crc32: crc32fast::Hasher,
    size: u64,
}

impl<'a> Reading<'a> {
    fn new(chunker: Chunker<'a>, source: &'a mut dyn Read) -> Self {
        Self {
            chunker,
            source,
            crc32: crc32fast::Hasher::new(),
            size: 0,
        }
    }

    /// The next chunk; `None` at the end.
    fn next(&mut self) -> Result<Option<Bytes>, ArchiveError> {
        let chunk = self.chunker.next(self.source);
        let Some(chunk) = chunk.map_err(ArchiveError::Source)? else {
            return Ok(None);
        };
        self.take_in(&chunk);
        Ok(Some(chunk))
    }

    fn take_in(&mut self, chunk: &[u8]) {
        self.size += chunk.len() as u64;
        self.crc32.update(chunk);
    }

    /// What is known of all bytes until now; `sha256` is theirs.
    fn digest(&self, sha256: Digest) -> SourceDigest {
        SourceDigest {
            size: self.size,
            sha256,
            crc32: self.crc32.clone().finalize(),
        }
    }

    fn is_at_end(&mut self) -> Result<bool, ArchiveError> {
        let at_end = self.chunker.is_at_end(self.source);
        at_end.map_err(ArchiveError::Source)
    }
}

fn check_expectations(asset: &NewAsset, found: &SourceDigest) -> Result<(), IngestError> {
    if let Some(expected) = asset.expected_size.filter(|size| *size != found.size) {
        return Err(IngestError::SizeDiffers {
            expected,
            found: found.size,
        });
    }
    if let Some(expected) = asset
        .expected_sha256
        .filter(|digest| *digest != found.sha256)
    {
        return Err(IngestError::DigestDiffers {
            expected,
            found: found.sha256,
        });
    }
    Ok(())
}
