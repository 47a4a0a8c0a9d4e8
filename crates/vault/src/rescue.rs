//! Rescue: a new vault from whatever is left of a damaged one, which is only read.
//!
//! The pages are searched for rows (`salvage`); stripe by stripe the rows are put together and what is missing is
//! restored from parity; what then agrees with its hash is sealed in the new vault, in the order of the log. Where the
//! log is whole the new vault has the old one's identity, history and root. Where entries in the middle of the log are
//! gone for good, the survivors are sealed anew in a vault of its own identity, since no tree could prove them.

mod blocks;
mod content;
mod found;
mod history;
mod mend;

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use crate::entry::{Entry, Kind};
use crate::error::{IngestError, OpenError, ReadError};
use crate::ids::{Digest, Seq, VaultId};
use crate::name::Name;
use crate::salvage::carve;
use crate::salvage::image::Image;
use crate::vault::OpenOptions;
use content::{Content, Sink};
use found::Rows;

/// What became of an asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it was there.
    Intact,
    /// Parity restored some of it.
    Healed,
    /// Bytes of it are gone.
    Lost,
}

/// An asset of the damaged vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RescuedAsset {
    /// Its position in the damaged vault's log.
    pub seq: Seq,
    /// Where it lay; parts whose entries are gone are shown as `?`.
    pub path: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What a rescue found and made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RescueReport {
    /// The damaged vault's identity, if it could be told.
    pub vault: Option<VaultId>,
    /// The new vault has the old one's identity and history; checkpoints of the old one are its checkpoints.
    pub same_history: bool,
    /// Entries that the old log had, as far as can be told.
    pub entries: u64,
    /// Of these, the ones that are gone.
    pub entries_lost: u64,
    /// Assets by what became of them.
    pub intact: u64,
    /// See [`Outcome::Healed`].
    pub healed: u64,
    /// See [`Outcome::Lost`]. Assets whose very entries are gone are counted in `entries_lost`.
    pub lost: u64,
    /// Every asset, in the order of the log.
    pub assets: Vec<RescuedAsset>,
}

impl RescueReport {
    /// Whether everything the old log had is in the new vault, byte for byte.
    pub fn complete(&self) -> bool {
        self.lost == 0 && self.entries_lost == 0
    }
}

/// How far a rescue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RescueStep {
    /// Searching the file for rows.
    Searching,
    /// Stripes put together, of so many.
    Restoring {
        /// Done.
        done: u64,
        /// In all.
        of: u64,
    },
    /// Sealing the log.
    Sealing,
}

/// Why there is no new vault.
#[derive(Debug, thiserror::Error)]
pub enum RescueError {
    /// A file could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// A verb.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No row of a vault is left in the file.
    #[error("{} holds no row of a vault", path.display())]
    Nothing {
        /// The file.
        path: PathBuf,
    },
    /// The new vault could not be made.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The new vault could not be written.
    #[error(transparent)]
    Ingest(#[from] IngestError),
}

/// Everything that could be put together, before it is written anywhere.
struct Salvaged {
    vault: Option<VaultId>,
    /// Entries the log had, as far as can be told.
    log_size: u64,
    entries: BTreeMap<u64, Entry>,
    healed_entries: HashSet<u64>,
    content: Content,
}

/// Rebuilds what is left of the vault at `damaged` as a new vault at `out`. The damaged file, and a WAL or rollback journal beside it, are
/// only read. The new file appears whole or not at all, and never in place of another.
///
/// No process may have `damaged` open for writing; this process must not have it open at all.
pub fn rescue(
    damaged: &Path,
    out: &Path,
    options: &OpenOptions,
    progress: &mut dyn FnMut(RescueStep),
) -> Result<RescueReport, RescueError> {
    if out.symlink_metadata().is_ok() {
        let path = out.to_path_buf();
        return Err(OpenError::Exists { path }.into());
    }
    let (image, rows) = search(damaged, progress)?;
    let mut target = history::Target::new(out, options, &image, &rows)?;
    let salvaged = salvage(&image, &rows, damaged, &mut target, progress)?;
    progress(RescueStep::Sealing);
    let same_history = target.seal(&salvaged)?;
    target.publish(out)?;
    Ok(report(&salvaged, same_history))
}

/// What a rescue of the file at `damaged` would bring back, without writing anything.
pub fn assess(
    damaged: &Path,
    progress: &mut dyn FnMut(RescueStep),
) -> Result<RescueReport, RescueError> {
    let (image, rows) = search(damaged, progress)?;
    let salvaged = salvage(&image, &rows, damaged, &mut content::Nowhere, progress)?;
    let same = history::is_unbroken(&salvaged);
    Ok(report(&salvaged, same))
}

fn search(
    damaged: &Path,
    progress: &mut dyn FnMut(RescueStep),
) -> Result<(Image, Rows), RescueError> {
    let read = |source| RescueError::Io {
        action: "read",
        path: damaged.to_path_buf(),
        source,
    };
    progress(RescueStep::Searching);
    let image = Image::open(damaged).map_err(read)?;
    let mut rows = Rows::default();
    carve::carve(&image, &mut |found| rows.take_in(found)).map_err(read)?;
    if rows.is_empty() {
        let path = damaged.to_path_buf();
        return Err(RescueError::Nothing { path });
    }
    Ok((image, rows))
}

fn salvage(
    image: &Image,
    rows: &Rows,
    damaged: &Path,
    sink: &mut dyn Sink,
    progress: &mut dyn FnMut(RescueStep),
) -> Result<Salvaged, RescueError> {
    let read = |source| RescueError::Io {
        action: "read",
        path: damaged.to_path_buf(),
        source,
    };
    let vault = rows
        .vault()
        .or_else(|| rows.entries.get(&0)?.iter().find_map(vault_of));
    let mut content = Content::default();
    let mut entries: BTreeMap<u64, Entry> = BTreeMap::new();
    let mut healed_entries = HashSet::new();
    let mut log_size = rows.log_size;
    let blocks = blocks::Blocks::default();
    let stripes: Vec<u64> = rows.stripes().collect();
    for (done, &stripe) in stripes.iter().enumerate() {
        let (done, of) = (done as u64, stripes.len() as u64);
        progress(RescueStep::Restoring { done, of });
        let Some(vault) = vault else { break };
        for mut found in rows.gather(image, stripe, vault).map_err(read)? {
            // Without its descriptor a stripe is of no use; rows that are whole need none.
            let Some(descriptor) = found.gathered.descriptor() else {
                let capsules = found.gathered.found();
                tracing::debug!(stripe, capsules, "a stripe's descriptor is gone");
                continue;
            };
            let mended = mend::mend(image, rows, &blocks, &mut found, descriptor).map_err(read)?;
            for entry in content.take_in(&mended, sink)? {
                log_size = log_size.max(entry.seq + 1);
                if mended.healed_entries.contains(&entry.seq) {
                    healed_entries.insert(entry.seq);
                }
                entries.entry(entry.seq).or_insert(entry);
            }
            log_size = log_size.max(mended.log_size());
        }
    }
    for (seq, candidates) in &rows.entries {
        if *seq < log_size
            && let Some(first) = candidates.first()
        {
            entries.entry(*seq).or_insert_with(|| first.clone());
        }
    }
    content
        .take_in_rest(image, rows, sink)
        .map_err(|error| match error {
            content::RestError::Read(source) => read(source),
            content::RestError::Sink(error) => error.into(),
        })?;
    Ok(Salvaged {
        vault,
        log_size: log_size.max(entries.keys().next_back().map_or(0, |last| last + 1)),
        entries,
        healed_entries,
        content,
    })
}

fn vault_of(entry: &Entry) -> Option<VaultId> {
    history::body_of(entry)?.id()
}

fn report(salvaged: &Salvaged, same_history: bool) -> RescueReport {
    let assets: Vec<RescuedAsset> = salvaged
        .entries
        .values()
        .filter(|entry| entry.known_kind() == Some(Kind::Asset))
        .map(|entry| RescuedAsset {
            seq: entry.id(),
            path: path_of(&salvaged.entries, entry),
            outcome: outcome(salvaged, entry),
        })
        .collect();
    let count = |outcome| {
        assets
            .iter()
            .filter(|asset| asset.outcome == outcome)
            .count() as u64
    };
    RescueReport {
        vault: salvaged.vault,
        same_history,
        entries: salvaged.log_size,
        entries_lost: salvaged.log_size - salvaged.entries.len() as u64,
        intact: count(Outcome::Intact),
        healed: count(Outcome::Healed),
        lost: count(Outcome::Lost),
        assets,
    }
}

fn outcome(salvaged: &Salvaged, entry: &Entry) -> Outcome {
    let Some(digests) = salvaged.content.chunks_of(entry) else {
        return Outcome::Lost;
    };
    let mut healed = salvaged.healed_entries.contains(&entry.seq);
    for digest in digests {
        match salvaged.content.chunk(&digest) {
            None => return Outcome::Lost,
            Some(was_healed) => healed |= was_healed,
        }
    }
    if healed {
        Outcome::Healed
    } else {
        Outcome::Intact
    }
}

fn path_of(entries: &BTreeMap<u64, Entry>, entry: &Entry) -> String {
    let escaped = |entry: &Entry| {
        let name = entry.name.clone().and_then(|name| Name::new(name).ok());
        name.map_or_else(|| "?".into(), |name| name.escaped())
    };
    let mut parts = vec![escaped(entry)];
    let mut at = entry.parent;
    while let Some(parent) = at.filter(|parent| *parent != 0) {
        if parts.len() > crate::limits::DEPTH_MAX + 2 {
            break;
        }
        let Some(place) = entries.get(&parent) else {
            parts.push("?".into());
            break;
        };
        parts.push(escaped(place));
        at = place.parent;
    }
    parts.reverse();
    parts.join("/")
}

impl From<ReadError> for RescueError {
    fn from(error: ReadError) -> Self {
        Self::Ingest(IngestError::Read(error))
    }
}

/// The chunks an entry and its manifest name.
fn digests(records: &[u8]) -> Vec<Digest> {
    records
        .chunks_exact(crate::store::RECORD_BYTES)
        .map(crate::store::read::record_digest)
        .collect()
}
