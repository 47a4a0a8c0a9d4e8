//! Writing the new vault: the old log where it is unbroken, a new one where it is not.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::content::{GoodPack, Sink};
use super::found::Rows;
use super::{RescueError, Salvaged};
use crate::entry::{Entry, Kind};
use crate::error::{IngestError, OpenError};
use crate::ids::{Digest, Seq};
use crate::media::{HEAD_BYTES, Media};
use crate::model::Timestamp;
use crate::parity::plan::SETTLED_SHARDS;
use crate::salvage::carve;
use crate::salvage::image::Image;
use crate::store::files;
use crate::store::open::{self, FileMode};
use crate::store::rows::{PlaceBody, VaultBody};
use crate::store::write::{NewAssetRow, Placement, Protection, Reopen, Transaction, Writer};
use crate::vault::{OpenOptions, create};

/// Stored bytes of one transaction, also where there is no parity.
const TRANSACTION_BYTES: usize = 64 * 1024 * 1024;

/// What entry 0 says, if this is one.
pub(super) fn body_of(entry: &Entry) -> Option<VaultBody> {
    if entry.known_kind() != Some(Kind::Vault) {
        return None;
    }
    serde_json::from_slice(entry.body.as_deref()?).ok()
}

/// Whether the entries that are left are all up to some point, so that their tree is that of the old log.
pub(super) fn is_unbroken(salvaged: &Salvaged) -> bool {
    let entries = &salvaged.entries;
    entries
        .get(&0)
        .is_some_and(|entry| body_of(entry).is_some())
        && entries.keys().copied().eq(0..entries.len() as u64)
}

/// The new vault while it has no name yet. Dropped before that, it leaves nothing.
pub(super) struct Target {
    path: PathBuf,
    options: OpenOptions,
    writer: Option<Writer>,
    /// Packs of the stripe that gathers: written together.
    pending: Vec<Pending>,
    pending_bytes: usize,
}

struct Pending {
    codec: crate::codec::Codec,
    raw_size: u64,
    sha256: Digest,
    data: Vec<u8>,
    chunks: Vec<crate::parity::builder::ChunkRecord>,
}

impl Target {
    pub(super) fn new(
        out: &Path,
        options: &OpenOptions,
        image: &Image,
        rows: &Rows,
    ) -> Result<Self, RescueError> {
        // A vault that was archived in this one has an entry 0, too; the parity says whose is whose.
        let ours = |body: &VaultBody| rows.vault().is_none_or(|id| body.id() == Some(id));
        let bodies = rows.entries.get(&0).into_iter().flatten();
        let body = bodies.filter_map(body_of).find(ours);
        let path = files::beside(out, &format!("-rescue-{}", std::process::id()));
        // Which identity it gets is known at the end; parity needs it from the first pack on.
        let protection = Protection {
            vault: body
                .as_ref()
                .and_then(VaultBody::id)
                .or_else(|| rows.vault())
                .unwrap_or(crate::ids::VaultId::new([0; 16])),
            parity: body.as_ref().map_or(options.parity, |body| body.parity),
        };
        let documents = body.map_or_else(open::documents, |body| documents(image, rows, &body));
        let mut target = Self {
            path,
            options: options.clone(),
            writer: None,
            pending: Vec::new(),
            pending_bytes: 0,
        };
        let reopen = Reopen {
            path: target.path.clone(),
            mode: FileMode::Shared,
            lock_timeout: Duration::ZERO,
        };
        let connection = open::initialise(&target.path, &documents)?;
        target.writer = Some(Writer::new(connection, reopen, protection));
        Ok(target)
    }

    fn writer(&mut self) -> &mut Writer {
        self.writer
            .as_mut()
            .expect("it is open until it is published")
    }

    fn flush(&mut self) -> Result<(), IngestError> {
        let pending = std::mem::take(&mut self.pending);
        self.pending_bytes = 0;
        if pending.is_empty() {
            return Ok(());
        }
        let mut transaction = self.writer().begin()?;
        for pack in pending {
            transaction.restore_pack(
                pack.codec,
                pack.raw_size,
                pack.sha256,
                &pack.data,
                &pack.chunks,
            )?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Seals manifests and entries; says whether the history is the old one's.
    pub(super) fn seal(&mut self, salvaged: &Salvaged) -> Result<bool, RescueError> {
        self.flush()?;
        let unbroken = is_unbroken(salvaged);
        if unbroken {
            let mut transaction = self.writer().begin()?;
            for (records, _) in salvaged.content.manifests.values() {
                transaction.restore_manifest(records)?;
            }
            for entry in salvaged.entries.values() {
                if transaction.shards() >= SETTLED_SHARDS {
                    transaction.commit()?;
                    transaction = self.writer.as_mut().expect("it is open").begin()?;
                }
                transaction.restore_entry(entry.clone())?;
            }
            transaction.commit()?;
        } else {
            self.seal_anew(salvaged)?;
        }
        self.writer().rebuild_next();
        self.writer().begin()?.commit()?;
        Ok(unbroken)
    }

    /// A log of its own for what survives of a broken one.
    fn seal_anew(&mut self, salvaged: &Salvaged) -> Result<(), RescueError> {
        let (id, secret, mut body) = create::identity(&self.path, &self.options)?;
        let old = salvaged.vault;
        body.rescued_from = old.map(|id| id.to_string());
        let state_dir = create::state_dir(&self.options, id);
        if let Err(error) = crate::checkpoint::keep_key(&state_dir, &secret) {
            tracing::warn!(folder = %state_dir.display(), %error, "the signing key could not be kept; checkpoints will be unsigned");
        }
        let writer = self.writer();
        writer.adopt(id)?;
        // What is in it already got as much as the old vault had.
        body.parity = writer.measure();
        let mut transaction = writer.begin()?;
        let body = serde_json::to_vec(&body).expect("plain text is valid JSON");
        transaction.vault(body, 0)?;
        transaction.commit()?;
        let mut transaction = writer.begin()?;
        let mut places: HashMap<u64, Seq> = HashMap::from([(0, Seq::VAULT)]);
        for entry in salvaged.entries.values() {
            let Some(new) = anew(&mut transaction, salvaged, entry, &mut places)? else {
                continue;
            };
            places.insert(entry.seq, new.seq);
            if transaction.shards() >= SETTLED_SHARDS {
                transaction.commit()?;
                transaction = writer.begin()?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// Closes the new vault and gives it its name.
    pub(super) fn publish(&mut self, out: &Path) -> Result<(), OpenError> {
        if let Some(writer) = self.writer.take() {
            writer.close()?;
        }
        files::publish(&self.path, out)
    }
}

impl Sink for Target {
    fn pack(&mut self, pack: &GoodPack<'_>) -> Result<(), IngestError> {
        self.pending_bytes += pack.data.len();
        self.pending.push(Pending {
            codec: pack.codec,
            raw_size: pack.raw_size,
            sha256: pack.sha256,
            data: pack.data.to_vec(),
            chunks: pack.chunks.to_vec(),
        });
        if self.pending_bytes >= TRANSACTION_BYTES {
            self.flush()?;
        }
        Ok(())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        drop(self.writer.take());
        for suffix in ["", "-wal", "-shm", "-journal"] {
            // What was published has another name by now; whatever is left of an attempt is worth nothing.
            let _ = std::fs::remove_file(files::beside(&self.path, suffix));
        }
    }
}

/// The documents that entry 0 seals: this program's where they are the same, else as they were found.
fn documents(image: &Image, rows: &Rows, body: &VaultBody) -> Vec<(String, String)> {
    let found = rows.documents.iter().filter_map(|(name, blob)| {
        let (bytes, _) = carve::read_blob(image, blob).ok()?;
        Some((name.clone(), String::from_utf8(bytes).ok()?))
    });
    let candidates: Vec<(String, String)> = open::documents().into_iter().chain(found).collect();
    let sealed = |(name, digest): (&String, &String)| {
        let same = |(known, text): &&(String, String)| {
            known == name && Digest::of(text.as_bytes()).to_string() == *digest
        };
        candidates.iter().find(same).cloned()
    };
    body.documents.iter().filter_map(sealed).collect()
}

/// Seals a survivor in a log that is not its own.
fn anew(
    transaction: &mut Transaction<'_>,
    salvaged: &Salvaged,
    entry: &Entry,
    places: &mut HashMap<u64, Seq>,
) -> Result<Option<Placement>, IngestError> {
    let (Some(kind), Some(name)) = (entry.known_kind(), &entry.name) else {
        return Ok(None);
    };
    let sealed_at = entry.sealed_at;
    let place_body = || PlaceBody::of(entry).unwrap_or_default();
    if kind == Kind::Project {
        return transaction
            .project(name, &place_body(), sealed_at)
            .map(Some);
    }
    let parent = entry.parent.and_then(|parent| places.get(&parent).copied());
    let parent = match parent {
        Some(parent) => parent,
        None => orphanage(transaction, entry, places)?,
    };
    let modified = entry.modified_s.map(|seconds| Timestamp {
        seconds,
        nanoseconds: entry.modified_ns.unwrap_or(0),
    });
    let sealed = match kind {
        Kind::Collection => {
            let body = entry.body.is_some().then(place_body);
            transaction.collection(parent, name, body.as_ref(), sealed_at)?
        }
        Kind::Link => {
            let target = entry.body.as_deref().unwrap_or_default();
            transaction.link(parent, name, target, modified, sealed_at)?
        }
        Kind::Asset => {
            let (Some(size), Some(sha256), Some(crc32)) = (entry.size, entry.sha256, entry.crc32)
            else {
                return Ok(None);
            };
            let records = match entry.manifest {
                Some(manifest) => match salvaged.content.manifests.get(manifest.as_bytes()) {
                    Some((records, _)) => records.clone(),
                    // Without its manifest nothing of it can be read: it is reported, and not sealed.
                    None => return Ok(None),
                },
                None => Vec::new(),
            };
            transaction.asset(&NewAssetRow {
                parent,
                name,
                sealed_at,
                modified,
                executable: entry.executable.unwrap_or(false),
                size,
                sha256,
                crc32,
                records: &records,
                media: Media::detect(name, &[0; HEAD_BYTES][..0]),
            })?
        }
        Kind::Vault | Kind::Project | Kind::Repair => return Ok(None),
    };
    Ok(Some(sealed))
}

/// Where entries go whose place is gone.
fn orphanage(
    transaction: &mut Transaction<'_>,
    entry: &Entry,
    places: &mut HashMap<u64, Seq>,
) -> Result<Seq, IngestError> {
    let lost = entry.parent.unwrap_or(0);
    let project = transaction.project(b"rescued", &PlaceBody::default(), entry.sealed_at)?;
    let name = format!("place {lost}");
    let orphanage = transaction.collection(project.seq, name.as_bytes(), None, entry.sealed_at)?;
    places.insert(lost, orphanage.seq);
    Ok(orphanage.seq)
}
