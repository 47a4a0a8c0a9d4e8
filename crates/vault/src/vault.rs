//! The vault as its users see it: open, read, add, verify, close. There is no method that changes or removes
//! anything sealed, and nothing below this module has one either.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::checkpoint::{self, Checkpoint};
use crate::entry::Kind;
use crate::error::{IngestError, OpenError, ReadError};
use crate::ids::{AssetId, CollectionId, Digest, ProjectId, Seq, VaultId};
use crate::ingest::Ingest;
use crate::limits;
use crate::model::{Asset, AssetDetails, Collection, Node, Parity, PlaceId, Project, Status};
use crate::name::Name;
use crate::natural_order;
use crate::read::{AssetReader, Reading};
use crate::store::derived;
use crate::store::files::{self, Entered};
use crate::store::open::{self, FileMode};
use crate::store::pool::{Pool, Pooled};
use crate::store::rows::{PlaceBody, VaultBody, asset_from_entry, link_from_entry, placed};
use crate::store::scan::Watcher;
use crate::store::wal::Elsewhere;
use crate::store::write::{Protection, Reopen, Writer};
use crate::store::{Fact, Section, listing, log, parity, read};
use crate::uploads::Uploads;
use crate::walk::Walk;

mod adding;
mod copying;
pub(crate) mod create;
mod finding;
mod proving;
mod upkeep;

/// What a vault is opened for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Looking, verifying, taking out.
    Read,
    /// Adding, too.
    #[default]
    Write,
}

/// How to open or create a vault.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// What for.
    pub access: Access,
    /// Where keys and records of uploads are kept, in a folder per vault; `None` for
    /// `$XDG_STATE_HOME/compactvault`, or `~/.local/state/compactvault`; what may be lost then lies in
    /// `$XDG_CACHE_HOME/compactvault`, or `~/.cache/compactvault`.
    pub state_dir: Option<PathBuf>,
    /// How long a writing transaction waits for another process.
    pub lock_timeout: Duration,
    /// How much parity a vault that is created here gets; an existing vault has its own.
    pub parity: Parity,
    /// Allow writing on NFS and SMB, with a rollback journal and an exclusive lock.
    pub network_fs: bool,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            access: Access::default(),
            state_dir: None,
            lock_timeout: limits::LOCK_TIMEOUT,
            parity: Parity::default(),
            network_fs: false,
        }
    }
}

/// Growth of the log since it was last asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Entries now.
    pub log_size: u64,
    /// Places whose direct contents changed, entry 0 for the list of projects; `None` if there are too many.
    pub places: Option<Vec<Seq>>,
}

/// An open vault. Cheap to clone; all clones are one. Every method blocks: call it from threads that may.
#[derive(Clone)]
pub struct Vault {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    id: VaultId,
    body: VaultBody,
    created_unix_ms: i64,
    read_only: Option<String>,
    /// As it was when the vault was opened.
    elsewhere: Elsewhere,
    state_dir: PathBuf,
    cache_dir: PathBuf,
    reading: Arc<Reading>,
    ingest: Option<Arc<Ingest>>,
    uploads: OnceLock<Uploads>,
    watcher: Mutex<Option<Watcher>>,
}

impl Vault {
    /// Makes a new vault at `path`, with its signing key in the state folder. The file appears there whole or not
    /// at all, and never in place of another.
    pub fn create(path: &Path, options: &OpenOptions) -> Result<Self, OpenError> {
        if path.symlink_metadata().is_ok() {
            return Err(OpenError::Exists {
                path: path.to_path_buf(),
            });
        }
        let (id, secret, body) = create::identity(path, options)?;
        let temporary = files::beside(path, &format!("-new-{}", &id.to_string()[..8]));
        let made = create::write_new(&temporary, &body);
        let published = made.and_then(|()| files::publish(&temporary, path));
        if published.is_err() {
            // Whatever is left of the attempt has a name of its own and is worth nothing.
            let _ = std::fs::remove_file(&temporary);
        }
        published?;
        let state_dir = create::state_dir(options, id);
        if let Err(error) = checkpoint::keep_key(&state_dir, &secret) {
            tracing::warn!(folder = %state_dir.display(), %error, "the signing key could not be kept; checkpoints will be unsigned");
        }
        Self::open(path, options)
    }

    /// Opens the vault at `path`. Asked to write where that is not possible, it opens for reading and says why in
    /// [`Vault::read_only`].
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Self, OpenError> {
        files::require_vault(path)?;
        // A relative path would name another file after a change of directory.
        let path = std::fs::canonicalize(path).map_err(|source| OpenError::Io {
            action: "find",
            path: path.to_path_buf(),
            source,
        })?;
        let Entered {
            file,
            mode,
            mut read_only,
            elsewhere,
        } = files::enter(&path, options.network_fs, options.lock_timeout)?;
        let pool = Pool::new(path.clone(), mode, options.lock_timeout);
        let connection = open::reader(&path, mode, options.lock_timeout)?;
        let look = || -> Result<_, ReadError> {
            Ok((
                read::entry(&connection, Seq::VAULT)?,
                open::why_read_only(&connection)?,
            ))
        };
        let (entry, why) = look().map_err(|error| not_readable(&path, error))?;
        if mode != FileMode::NetworkExclusive {
            pool.adopt(connection);
        }
        read_only = read_only.or(why);
        let body: VaultBody = entry
            .body
            .as_deref()
            .filter(|_| entry.known_kind() == Some(Kind::Vault))
            .and_then(|body| serde_json::from_slice(body).ok())
            .ok_or_else(|| damaged_vault(&path, "entry 0 does not describe a vault"))?;
        let id = body
            .id()
            .ok_or_else(|| damaged_vault(&path, "the vault has no id"))?;
        if !body.chunker_parameters.is_supported() || body.chunker != "fastcdc-2020" {
            read_only
                .get_or_insert("it cuts chunks in a way that this program does not know".into());
        }
        let ingest = match (options.access, &read_only) {
            (Access::Write, None) => {
                let connection = open::writer(&path, mode, options.lock_timeout)?;
                let lock_timeout = options.lock_timeout;
                let reopen = Reopen {
                    path: path.clone(),
                    mode,
                    lock_timeout,
                };
                let protection = Protection {
                    vault: id,
                    parity: body.parity,
                };
                let writer = Writer::new(connection, reopen, protection);
                Some(Arc::new(Ingest::start(
                    writer,
                    body.chunker_parameters,
                    &path,
                )))
            }
            _ => None,
        };
        let read_only = read_only.or_else(|| {
            (options.access == Access::Read).then(|| "it was opened for reading".to_owned())
        });
        Ok(Self {
            inner: Arc::new(Inner {
                state_dir: create::state_dir(options, id),
                cache_dir: create::cache_dir(options, id),
                path,
                id,
                body,
                created_unix_ms: entry.sealed_at,
                read_only,
                elsewhere,
                reading: Arc::new(Reading::new(pool, file)),
                ingest,
                uploads: OnceLock::new(),
                watcher: Mutex::default(),
            }),
        })
    }

    /// The vault's identity.
    pub fn id(&self) -> VaultId {
        self.inner.id
    }

    /// The file, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Why nothing can be added, a clause; `None` if something can.
    pub fn read_only(&self) -> Option<&str> {
        self.inner.read_only.as_deref()
    }

    /// Where this vault's key and records of uploads are kept. The folder may not exist yet.
    pub fn state_dir(&self) -> &Path {
        &self.inner.state_dir
    }

    /// When the vault was created, Unix milliseconds.
    pub fn created_unix_ms(&self) -> i64 {
        self.inner.created_unix_ms
    }

    /// The public key that signs this vault's checkpoints, as a C2SP signed-note verifier key.
    pub fn public_key(&self) -> &str {
        &self.inner.body.public_key
    }

    /// Seals what waits, closes all connections and copies the WAL into the file. Afterwards only the vault is
    /// there, unless another process has it open. Other clones of this vault fail from then on.
    pub fn close(&self) -> Result<(), OpenError> {
        self.inner.close()
    }

    fn connection(&self) -> Result<Pooled<'_>, ReadError> {
        self.inner.reading.pool.get()
    }

    /// Entries in the log.
    pub fn log_size(&self) -> Result<u64, ReadError> {
        log::log_size(&*self.connection()?)
    }

    /// All projects in natural order.
    pub fn projects(&self) -> Result<Vec<Project>, ReadError> {
        listing::projects(&*self.connection()?)
    }

    /// One project.
    pub fn project(&self, id: ProjectId) -> Result<Project, ReadError> {
        listing::project(&*self.connection()?, id)
    }

    /// All collections of a project, flat, parents before children, siblings in natural order.
    pub fn collections(&self, project: ProjectId) -> Result<Vec<Collection>, ReadError> {
        listing::collections(&*self.connection()?, project)
    }

    /// One collection.
    pub fn collection(&self, id: CollectionId) -> Result<Collection, ReadError> {
        listing::collection(&*self.connection()?, id)
    }

    /// One asset.
    pub fn asset(&self, id: AssetId) -> Result<Asset, ReadError> {
        let connection = self.connection()?;
        let entry = read::entry_of_kind(&connection, id.seq(), Kind::Asset, "asset")?;
        asset_from_entry(&entry, derived::listed(&connection, id.seq())?.media()?)
    }

    /// Everything known about an asset.
    pub fn asset_details(&self, id: AssetId) -> Result<AssetDetails, ReadError> {
        let reader = self.open_asset(id)?;
        let asset = reader.asset().clone();
        let connection = self.connection()?;
        let parent = asset.collection.seq();
        let chain = read::ancestors(&connection, parent)?;
        let mut path = Vec::with_capacity(chain.len() + 1);
        for place in chain.iter().rev() {
            path.push(placed(&read::entry(&connection, *place)?)?.name);
        }
        path.push(asset.name.clone());
        let versions = derived::versions(
            &connection,
            parent,
            &natural_order::sort_key(asset.name.as_bytes()),
        )?;
        Ok(AssetDetails {
            project: ProjectId::new(chain.last().copied().unwrap_or(parent)),
            path,
            chunks: reader.chunks(),
            versions: versions.into_iter().map(AssetId::new).collect(),
            leaf_hash: read::entry(&connection, id.seq())?.leaf_hash(),
            asset,
        })
    }

    /// What a path names: nothing for the vault, then project, collections, and an asset or link at the end. Where
    /// a collection and an asset share a name, the collection is meant.
    pub fn resolve(&self, path: &[Name]) -> Result<Node, ReadError> {
        let connection = self.connection()?;
        // One snapshot for the lists and the counts they are compared with.
        let transaction = connection
            .unchecked_transaction()
            .map_err(ReadError::from)?;
        let whole = &self.inner.reading.whole;
        let mut at = Seq::VAULT;
        for (depth, name) in path.iter().enumerate() {
            let last = depth + 1 == path.len();
            let mut found = listing::child(&connection, whole, at, Section::Places, name)?;
            for section in [Section::Assets, Section::Links] {
                if found.is_none() && last && at != Seq::VAULT {
                    found = listing::child(&connection, whole, at, section, name)?;
                }
            }
            let found = found.ok_or_else(|| ReadError::NotFound {
                what: "entry at",
                id: path.iter().map(Name::escaped).collect::<Vec<_>>().join("/"),
            })?;
            let entry = read::entry(&connection, found.seq)?;
            if entry.parent != Some(at.get()) || entry.name.as_deref() != Some(name.as_bytes()) {
                return Err(ReadError::Derived {
                    detail: format!("entry {} is listed where it does not lie", found.seq),
                });
            }
            at = found.seq;
        }
        drop(transaction);
        drop(connection);
        self.node(at)
    }

    /// The entry at a position, whatever its kind.
    pub fn node(&self, seq: Seq) -> Result<Node, ReadError> {
        let connection = self.connection()?;
        let entry = read::find_entry(&connection, seq)?.ok_or_else(|| ReadError::NotFound {
            what: "entry",
            id: seq.to_string(),
        })?;
        Ok(match entry.known_kind() {
            Some(Kind::Vault) => Node::Vault,
            Some(Kind::Project) => {
                Node::Project(listing::project(&connection, ProjectId::new(seq))?)
            }
            Some(Kind::Collection) => {
                Node::Collection(listing::collection(&connection, CollectionId::new(seq))?)
            }
            Some(Kind::Asset) => {
                let media = derived::listed(&connection, seq)?.media()?;
                Node::Asset(Box::new(asset_from_entry(&entry, media)?))
            }
            Some(Kind::Link) => Node::Link(Box::new(link_from_entry(&entry)?)),
            Some(Kind::Repair) | None => Node::Unknown {
                seq,
                kind: entry.kind,
                name: entry.name.and_then(|name| Name::new(name).ok()),
            },
        })
    }

    /// Opens an asset for reading; its entry and manifest are checked first.
    pub fn open_asset(&self, id: AssetId) -> Result<AssetReader, ReadError> {
        self.inner.reading.open_asset(id)
    }

    /// Walks everything below a place, or the whole vault.
    pub fn walk(&self, from: Option<PlaceId>, all_versions: bool) -> Result<Walk, ReadError> {
        Walk::new(Arc::clone(&self.inner.reading), from, all_versions)
    }

    /// Figures about the vault.
    pub fn status(&self) -> Result<Status, ReadError> {
        let inner = &self.inner;
        let connection = self.connection()?;
        let transaction = connection
            .unchecked_transaction()
            .map_err(ReadError::from)?;
        let facts = read::facts(&connection)?;
        let fact = |fact: Fact| facts[fact as usize];
        let (entries, root) = log::last_root(&connection)?;
        let parity = parity::extent(&connection)?;
        let size_of = |path: &Path| path.metadata().map_or(0, |metadata| metadata.len());
        let wal_bytes = size_of(&files::beside(&inner.path, "-wal"));
        // Who has it open for writing for long cannot go by who else had it open at the beginning.
        let open_elsewhere = inner.ingest.is_none() && inner.elsewhere == Elsewhere::Open;
        let copy_hindrance = copying::hindrance(&inner.path, wal_bytes, open_elsewhere);
        let status = Status {
            vault: inner.id,
            created_unix_ms: inner.created_unix_ms,
            format: inner.body.format,
            read_only: inner.read_only.clone(),
            projects: fact(Fact::Projects),
            collections: fact(Fact::Collections),
            assets: fact(Fact::Assets),
            links: fact(Fact::Links),
            entries,
            chunks: fact(Fact::Chunks),
            packs: fact(Fact::Packs),
            logical_bytes: fact(Fact::LogicalBytes),
            unique_bytes: fact(Fact::UniqueBytes),
            stored_bytes: fact(Fact::StoredBytes),
            file_bytes: size_of(&inner.path) + wal_bytes,
            unreferenced_chunks: fact(Fact::Unreferenced),
            root,
            safe_to_copy: copy_hindrance.is_none(),
            copy_hindrance,
            repairs: (entries.saturating_sub(1))
                .saturating_sub(fact(Fact::Projects) + fact(Fact::Collections))
                .saturating_sub(fact(Fact::Assets) + fact(Fact::Links)),
            verified: crate::scrub::last_verified(&connection, fact(Fact::Packs)),
            parity: inner.body.parity,
            parity_bytes: parity.0,
            parity_stripes: parity.1,
        };
        transaction.finish().map_err(ReadError::from)?;
        Ok(status)
    }

    /// The log's size and root as a note to keep elsewhere, signed if the vault's key is in its state folder.
    pub fn checkpoint(&self) -> Result<Checkpoint, ReadError> {
        let connection = self.connection()?;
        let transaction = connection.unchecked_transaction()?;
        let (size, root) = log::last_root(&connection)?;
        drop(transaction);
        Ok(self.note(size, root))
    }

    fn note(&self, size: u64, root: Digest) -> Checkpoint {
        let inner = &self.inner;
        checkpoint::checkpoint(
            inner.id,
            &inner.body.public_key,
            &inner.state_dir,
            size,
            root,
        )
    }

    /// Growth of the log since the last call, whoever caused it; the first call tells only the size. Cheap enough
    /// to ask many times a second.
    pub fn poll_changes(&self) -> Result<Option<Change>, ReadError> {
        let mut watcher = self
            .inner
            .watcher
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if watcher.is_none() {
            *watcher = Some(Watcher::new(self.inner.reading.pool.dedicated()?));
        }
        watcher.as_mut().expect("it was just set").poll()
    }

    /// Finds or creates a project; says whether it was created.
    pub fn create_project(
        &self,
        name: Name,
        type_word: &str,
        description: &str,
    ) -> Result<(Project, bool), IngestError> {
        let body = place_body(type_word, description)?;
        let sealed = self.ingest()?.project(name, body)?.wait()?;
        Ok((
            self.project(ProjectId::new(sealed.seq))?,
            !sealed.already_archived,
        ))
    }

    /// Finds or creates a collection; says whether it was created.
    pub fn create_collection(
        &self,
        parent: PlaceId,
        name: Name,
        type_word: &str,
    ) -> Result<(Collection, bool), IngestError> {
        let body = place_body(type_word, "")?;
        let body = (type_word != "collection").then_some(body);
        let sealed = self.ingest()?.collection(parent, name, body)?.wait()?;
        Ok((
            self.collection(CollectionId::new(sealed.seq))?,
            !sealed.already_archived,
        ))
    }

    /// The service that takes things in.
    pub fn ingest(&self) -> Result<&Arc<Ingest>, IngestError> {
        self.inner
            .ingest
            .as_ref()
            .ok_or_else(|| IngestError::ReadOnly {
                reason: self.inner.read_only.clone().unwrap_or_default(),
            })
    }

    /// The uploads to this vault. The first call takes up again what an earlier run left in the spool.
    pub fn uploads(&self) -> Result<&Uploads, IngestError> {
        let ingest = self.ingest()?;
        Ok(self
            .inner
            .uploads
            .get_or_init(|| Uploads::open(self.path(), self.state_dir(), Arc::clone(ingest))))
    }
}

impl Inner {
    fn close(&self) -> Result<(), OpenError> {
        if let Some(uploads) = self.uploads.get() {
            // What is still queued stays in the spool; whoever wants it sealed first drains before closing.
            uploads.drain(Duration::ZERO);
        }
        let writer = self.ingest.as_ref().and_then(|ingest| ingest.stop());
        *self.watcher.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.reading.pool.close();
        // The writer goes last: its close copies what is left of the WAL and removes it.
        let Some(writer) = writer else { return Ok(()) };
        writer.close()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(vault = %self.path.display(), %error, "the vault did not close cleanly; what was sealed is safe in it and its WAL");
        }
    }
}

fn place_body(type_word: &str, description: &str) -> Result<PlaceBody, IngestError> {
    let bounded = |what: &'static str, text: &str, max: usize| {
        let bytes = text.len();
        if bytes > max {
            Err(IngestError::TooLong { what, bytes, max })
        } else {
            Ok(())
        }
    };
    bounded("type", type_word, limits::TYPE_WORD_BYTES_MAX)?;
    bounded("description", description, limits::DESCRIPTION_BYTES_MAX)?;
    Ok(PlaceBody {
        type_word: type_word.into(),
        description: description.into(),
    })
}

fn damaged_vault(path: &Path, detail: &str) -> OpenError {
    OpenError::Damaged {
        path: path.to_path_buf(),
        detail: detail.into(),
    }
}

fn not_readable(path: &Path, error: ReadError) -> OpenError {
    match error {
        ReadError::Busy => OpenError::Busy {
            path: path.to_path_buf(),
        },
        error => OpenError::Damaged {
            path: path.to_path_buf(),
            detail: error.to_string(),
        },
    }
}
