//! The committer: seals what is packed, as much as there is, in one transaction.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::Sealed;
use super::batch::{Entry, EntryKind, Manifest};
use super::packer::{self, Flight, Packed};
use super::stations::BULK_BYTES;
use super::ticket::Owed;
use crate::doing::Doing;
use crate::error::IngestError;
use crate::ids::{Digest, Seq};
use crate::limits::{DEPTH_MAX, TRANSACTION_ENTRIES_MAX};
use crate::model::PlaceId;
use crate::name::Name;
use crate::parity::plan::SETTLED_SHARDS;
use crate::planted;
use crate::store::write::{NewAssetRow, Placement, Transaction, Writer};

/// Free space that must remain after a commit and its WAL.
const FREE_BYTES_RESERVE: u64 = 1024 * 1024;
/// Stored bytes of one transaction: what a full stripe takes, also where there is no parity.
const TRANSACTION_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The same where somebody may wait for it: a small file that came with the first batch must not wait for many.
const PROMPT_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// A transaction of so many stored bytes is part of a burst if somebody waits for it. Many small ones wait for syncs and not for
/// copying, and a long WAL has its price after a kill.
const BURST_BYTES: u64 = 1024 * 1024;

/// Bytes of a bulk import's first batch from which it asks to write alone: with less there is little to gain.
const WORTH_BEING_ALONE: u64 = BULK_BYTES as u64 / 2;

/// Whether an open transaction waits for what comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// Somebody waits for what it seals: only what is packed already goes with it.
    Short,
    /// It is a bulk import's, or holds nothing yet but chunks of files that are still being read.
    Long,
}

impl Patience {
    fn bytes_max(self) -> u64 {
        match self {
            Self::Short => PROMPT_BYTES_MAX,
            Self::Long => TRANSACTION_BYTES_MAX,
        }
    }
}

pub(super) struct Committer {
    writer: Writer,
    /// A commit failed in a way that puts the connection in doubt; nothing is written before it is replaced.
    in_doubt: bool,
    directory: PathBuf,
    /// Nobody waits for one commit.
    bulk: bool,
    /// This bulk import has asked to write alone.
    asked_alone: bool,
    flight: Arc<Flight>,
    /// Came while a transaction was open that it could not be part of.
    held_back: Option<Packed>,
}

impl Committer {
    pub(super) fn new(writer: Writer, directory: PathBuf, flight: Arc<Flight>) -> Self {
        Self {
            writer,
            in_doubt: false,
            directory,
            bulk: false,
            asked_alone: false,
            flight,
            held_back: None,
        }
    }

    pub(super) fn into_writer(self) -> Writer {
        self.writer
    }

    /// Seals the batch, and those that `more` gives until a transaction is full, or nothing of them; answers their tickets.
    /// In bulk mode, `bulk`, the first that is large asks to write alone.
    pub(super) fn commit(
        &mut self,
        first: Packed,
        bulk: bool,
        more: &mut dyn FnMut(Patience) -> Option<Packed>,
    ) {
        self.asked_alone &= bulk;
        self.bulk = bulk;
        if bulk && !self.asked_alone && first.raw_bytes() >= WORTH_BEING_ALONE {
            self.asked_alone = true;
            self.be_alone();
        }
        self.commit_group(first, more);
        while let Some(next) = self.held_back.take() {
            self.commit_group(next, more);
        }
    }

    fn be_alone(&mut self) {
        let asked = self
            .trusted()
            .and_then(|()| self.flight.be_alone(&mut self.writer));
        if let Err(error) = asked {
            tracing::warn!(code = error.code(), %error, "the import goes on with the WAL");
            self.in_doubt = true;
        }
    }

    fn commit_group(&mut self, first: Packed, more: &mut dyn FnMut(Patience) -> Option<Packed>) {
        if first.is_doubtful(&self.flight) {
            self.refuse_doubtful(&first);
            return;
        }
        let mut group = Group::default();
        let outcome = self
            .trusted()
            .and_then(|()| self.try_commit(first, more, &mut group));
        match outcome {
            Ok(log_size) => {
                self.flight.landed(&group.landing, self.writer.is_alone());
                if self.writer.is_alone() && self.flight.wants_company() {
                    self.writer.let_others_in();
                }
                group.answer(log_size);
                self.keep_parity(group.settle);
            }
            Err(error) => {
                self.in_doubt |= matches!(error, IngestError::Store { .. });
                tracing::warn!(code = error.code(), %error, entries = group.owed.len(), "commit failed");
                if self.in_doubt && self.writer.is_alone() {
                    // The packer reads the file from here on, and would wait for its lock. What fails now fails again
                    // when something is to be written.
                    let _ = self.trusted();
                }
                self.flight.fail();
                for manifest in &group.manifests {
                    manifest.fail(&error);
                }
                for owed in &group.owed {
                    owed.answer(Err(error.clone()));
                }
            }
        }
    }

    /// What was packed while a commit failed may rely on chunks of that commit, and fails with it.
    fn refuse_doubtful(&self, packed: &Packed) {
        self.flight.fail();
        let error = IngestError::Store {
            detail: "what was to be sealed just before could not be; add it again".into(),
        };
        packer::refuse(&packed.entries, &packed.manifests, &error);
    }

    fn trusted(&mut self) -> Result<(), IngestError> {
        if self.in_doubt {
            self.writer.reopen()?;
            self.in_doubt = false;
        }
        Ok(())
    }

    /// Merges small stripes of parity while there is nothing else to do.
    pub(super) fn settle(&mut self) {
        if self.trusted().is_ok() {
            self.keep_parity(true);
        }
    }

    /// Merges stripes when there are many, or when there is nothing better to do. A failure costs space and not safety.
    fn keep_parity(&mut self, settle: bool) {
        let merged = if settle {
            self.writer
                .settle()
                .and_then(|()| Ok(self.writer.wal_checkpoint(true).map(|_| ())?))
        } else {
            self.writer.merge_crowded()
        };
        if let Err(error) = merged {
            self.in_doubt |= matches!(error, IngestError::Store { .. });
            tracing::warn!(code = error.code(), %error, "parity was left unmerged");
        }
    }

    fn try_commit(
        &mut self,
        first: Packed,
        more: &mut dyn FnMut(Patience) -> Option<Packed>,
        group: &mut Group,
    ) -> Result<u64, IngestError> {
        if first.asks_for_rebuild() {
            self.writer.rebuild_next();
        }
        let mut packed = first;
        group.take_in(&packed);
        let mut stored = 0;
        let sealed_at = now_unix_ms();
        let alone = self.writer.is_alone();
        let _doing = Doing::begin(if alone { "seal alone" } else { "seal" });
        // If it cannot be told, the commit will say why.
        let behind = self.writer.behind_bytes().unwrap_or_default();
        let mut transaction = self.writer.begin()?;
        if transaction.others_wrote() {
            self.flight.others_wrote();
        }
        let mut last = None;
        loop {
            stored += packed.bytes();
            check_space(&self.directory, stored, behind)?;
            packed.add_to(&mut transaction, &self.flight, &mut group.landing)?;
            for entry in packed.entries {
                group.settle |= matches!(entry.kind, EntryKind::Upkeep);
                match place_entry(&mut transaction, entry, sealed_at, &mut last) {
                    Err(error) if fails_everything(&error) => return Err(error),
                    Err(error) => {
                        transaction.require_open()?;
                        group.placements.push(Err(error));
                    }
                    placement => group.placements.push(placement),
                }
            }
            let patience = if self.bulk || group.owed.is_empty() {
                Patience::Long
            } else {
                Patience::Short
            };
            // Stripes of a bulk import are made large at once, so that they need not be merged.
            let full = transaction.shards() >= SETTLED_SHARDS
                || stored >= patience.bytes_max()
                || group.owed.len() >= TRANSACTION_ENTRIES_MAX;
            if full || group.settle {
                break;
            }
            if patience == Patience::Long {
                transaction.write_ahead()?;
            }
            let Some(next) = more(patience) else {
                break;
            };
            if next.asks_for_rebuild() || next.is_doubtful(&self.flight) {
                self.held_back = Some(next);
                break;
            }
            group.take_in(&next);
            packed = next;
        }
        if stored > 0 && planted::is(planted::Bug::AnsweredEarly) {
            group.answer(transaction.log_size());
        }
        transaction.set_burst(!self.bulk && stored >= BURST_BYTES);
        transaction.commit()
    }
}

/// What one transaction seals, as far as its outcome is concerned.
#[derive(Default)]
struct Group {
    owed: Vec<Owed>,
    placements: Vec<Result<Placement, IngestError>>,
    /// Of assets with chunks here that are sealed later, to be told of a failure.
    manifests: Vec<Arc<Manifest>>,
    /// Chunks that are sealed with it.
    landing: Vec<Digest>,
    settle: bool,
}

impl Group {
    fn take_in(&mut self, packed: &Packed) {
        let owed = packed.entries.iter().map(|entry| entry.owed.clone());
        self.owed.extend(owed);
        self.manifests.extend(packed.manifests.iter().cloned());
    }

    /// Tells everybody what became of what they handed in.
    fn answer(&self, log_size: u64) {
        for (owed, placement) in self.owed.iter().zip(&self.placements) {
            let sealed = placement.as_ref().map(|placement| Sealed {
                seq: placement.seq,
                already_archived: placement.existed,
                log_size,
            });
            owed.answer(sealed.map_err(IngestError::clone));
        }
    }
}

/// Refuses before SQLite has to: a commit writes its bytes to the WAL and again to the file, as the `behind` that were
/// committed before will be.
fn check_space(directory: &Path, bytes: u64, behind: u64) -> Result<(), IngestError> {
    match crate::platform::free_bytes(directory) {
        Some(free) if bytes > 0 && free < 2 * bytes + behind + FREE_BYTES_RESERVE => {
            Err(IngestError::DiskFull)
        }
        _ => Ok(()),
    }
}

/// Whether an error says something about the vault rather than about one entry.
fn fails_everything(error: &IngestError) -> bool {
    matches!(
        error,
        IngestError::Store { .. } | IngestError::DiskFull | IngestError::Busy
    )
}

fn place_entry(
    transaction: &mut Transaction<'_>,
    entry: Entry,
    sealed_at: i64,
    last: &mut Option<Found>,
) -> Result<Placement, IngestError> {
    let name = entry.name.as_ref().map_or(&[][..], |name| name.as_bytes());
    match entry.kind {
        EntryKind::Upkeep | EntryKind::Rebuild => {
            return Ok(Placement {
                seq: Seq::VAULT,
                existed: true,
            });
        }
        EntryKind::Project(body) => return transaction.project(name, &body, sealed_at),
        EntryKind::Repair(body) => return Ok(transaction.repair(body, sealed_at)?),
        _ => {}
    }
    let parent = match last {
        Some(found) if found.place == entry.place && found.folders == entry.folders => found.at,
        _ => folders(transaction, &entry, sealed_at)?,
    };
    // Neighbours mostly lie in one folder.
    *last = Some(Found {
        place: entry.place,
        folders: entry.folders,
        at: Placement {
            existed: true,
            ..parent
        },
    });
    match entry.kind {
        EntryKind::Collection(body) => {
            transaction.collection(parent.seq, name, body.as_ref(), sealed_at)
        }
        EntryKind::Asset {
            content,
            modified,
            executable,
        } => {
            transaction.require_collection(parent.seq)?;
            content.manifest.check()?;
            transaction.asset(&NewAssetRow {
                parent: parent.seq,
                name,
                sealed_at,
                modified,
                executable,
                size: content.digest.size,
                sha256: content.digest.sha256,
                crc32: content.digest.crc32,
                records: &content.manifest.take_records(),
                media: content.media,
            })
        }
        EntryKind::Link { target, modified } => {
            transaction.require_collection(parent.seq)?;
            transaction.link(parent.seq, name, &target, modified, sealed_at)
        }
        _ => Ok(parent),
    }
}

/// The collections that an entry of this transaction lies in.
struct Found {
    place: PlaceId,
    folders: Vec<Name>,
    at: Placement,
}

/// Finds or creates the collections on the way to an entry.
fn folders(
    transaction: &mut Transaction<'_>,
    entry: &Entry,
    sealed_at: i64,
) -> Result<Placement, IngestError> {
    if entry.folders.len() > DEPTH_MAX {
        return Err(IngestError::TooDeep { max: DEPTH_MAX });
    }
    let place = entry.place.seq();
    transaction.require_place(place)?;
    let mut at = Placement {
        seq: place,
        existed: true,
    };
    for folder in &entry.folders {
        at = transaction.collection(at.seq, folder.as_bytes(), None, sealed_at)?;
    }
    Ok(at)
}

fn now_unix_ms() -> i64 {
    crate::model::Timestamp::from_system(SystemTime::now())
        .map_or(0, crate::model::Timestamp::unix_ms)
}
