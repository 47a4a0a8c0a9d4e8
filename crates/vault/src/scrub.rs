//! Scrubbing: verification in small parts, oldest first, that heals from parity what it finds damaged.
//!
//! The vault is taken in parts: part 0 is everything but packs, part `n` the `n`-th [`PART_PACKS`] packs with their
//! chunk rows. A table remembers when each part was last found good or healed, so a run that ends early is resumed
//! by the next one without further ado. What may be written to sealed rows, and when, is `store::heal`'s to say.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::error::{IngestError, ReadError};
use crate::ids::{Digest, Seq, VaultId};
use crate::ingest::Ingest;
use crate::model::{Parity, Timestamp};
use crate::platform;
use crate::read::Reading;
use crate::store::heal::{HealError, Healer};
use crate::store::pool::Connection;
use crate::store::{read, remains};

mod log;
mod pace;
mod packs;
mod parity;
mod stripes;
mod structure;

pub use crate::store::heal::Healed;
use pace::Pace;
use stripes::Atlas;

/// Packs of one part: some 64 MiB.
pub const PART_PACKS: u64 = 64;
/// Restored rows that one repair entry names; further ones are counted.
const NAMED_MAX: usize = 20;

/// How to scrub.
#[derive(Clone)]
pub struct ScrubOptions {
    /// Begin no further part after this time; `None` for all parts.
    pub budget: Option<Duration>,
    /// Share of the time that is spent working, in percent: 1 to 100. The rest is left to others.
    pub pace: u8,
    /// Parts at most.
    pub parts: u64,
    /// Leave out parts that were verified less than so long ago.
    pub fresh: Option<Duration>,
    /// Parts to leave out: those whose damage is known and cannot be healed.
    pub leave_out: Vec<u64>,
    /// Asked often; once it says so, the scrub ends without finishing its part.
    pub stop: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl Default for ScrubOptions {
    fn default() -> Self {
        Self {
            budget: None,
            pace: 100,
            parts: u64::MAX,
            fresh: None,
            leave_out: Vec::new(),
            stop: Arc::new(|| false),
        }
    }
}

/// How far a scrub is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScrubProgress {
    /// Parts finished by this run.
    pub parts_done: u64,
    /// Parts that the vault has.
    pub parts: u64,
    /// Bytes of packs read.
    pub bytes_done: u64,
}

/// What stands in the way of damage that was not healed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    /// The bytes may be there, but not where `SQLite` can reach them: `compactvault rescue` makes a new vault of them.
    Rescue,
    /// There is too little parity. What is left is as it was sealed; this is not.
    None,
}

/// Damage that was not healed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unhealed {
    /// What is left to do.
    pub remedy: Remedy,
    /// The table it lies in.
    pub table: String,
    /// The row's key, if it is one row.
    pub id: Option<u64>,
    /// A sentence.
    pub detail: String,
}

/// What a scrub did and found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScrubReport {
    /// How much parity the vault keeps; without any, only what is derived can be healed.
    pub parity: Parity,
    /// Parts that the vault has.
    pub parts: u64,
    /// Parts that this run finished, damaged ones among them.
    pub parts_done: u64,
    /// Parts in which damage remains.
    pub parts_damaged: Vec<u64>,
    /// Bytes of packs read.
    pub bytes: u64,
    /// What was restored, and reads back as it was sealed.
    pub healed: Vec<Healed>,
    /// What was not.
    pub unhealed: Vec<Unhealed>,
    /// The entries that say so in the log.
    pub repairs: Vec<Seq>,
    /// It ended because it was asked to stop.
    pub stopped: bool,
}

/// When the parts of a vault were last found to be as they were sealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastVerified {
    /// Parts that the vault has.
    pub parts: u64,
    /// Parts among them that were never verified.
    pub never: u64,
    /// The part whose turn was longest ago, Unix milliseconds; `None` before any was.
    pub oldest_unix_ms: Option<i64>,
    /// The latest, Unix milliseconds.
    pub newest_unix_ms: Option<i64>,
}

pub(crate) fn last_verified(connection: &Connection, packs: u64) -> LastVerified {
    let parts = parts(packs);
    let times = remains::marks(connection);
    let times = times.into_iter().filter(|(part, _)| *part < parts);
    let times: Vec<i64> = times.map(|(_, at)| at).collect();
    LastVerified {
        parts,
        never: parts - times.len() as u64,
        oldest_unix_ms: times.iter().min().copied(),
        newest_unix_ms: times.iter().max().copied(),
    }
}

fn parts(packs: u64) -> u64 {
    1 + packs.div_ceil(PART_PACKS)
}

/// Why a part was not finished.
enum Ended {
    Stopped,
    Failed(IngestError),
}

impl From<IngestError> for Ended {
    fn from(error: IngestError) -> Self {
        Self::Failed(error)
    }
}

impl From<ReadError> for Ended {
    fn from(error: ReadError) -> Self {
        Self::Failed(error.into())
    }
}

/// A run.
struct Scrub<'a> {
    reading: &'a Arc<Reading>,
    ingest: &'a Ingest,
    vault: VaultId,
    options: &'a ScrubOptions,
    progress: &'a (dyn Fn(ScrubProgress) + Sync),
    report: ScrubReport,
    healer: Option<Healer>,
    atlas: Option<Atlas>,
    pace: Arc<Pace>,
}

/// Scrubs. One that leaves others a share of the time does not stand in their way within its own share, either.
pub(crate) fn scrub(
    reading: &Arc<Reading>,
    ingest: &Ingest,
    options: &ScrubOptions,
    progress: &(dyn Fn(ScrubProgress) + Sync),
) -> Result<ScrubReport, IngestError> {
    if options.pace >= 100 {
        return run(reading, ingest, options, progress);
    }
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            platform::step_back();
            run(reading, ingest, options, progress)
        });
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn run(
    reading: &Arc<Reading>,
    ingest: &Ingest,
    options: &ScrubOptions,
    progress: &(dyn Fn(ScrubProgress) + Sync),
) -> Result<ScrubReport, IngestError> {
    let started = Instant::now();
    let mut connection = reading.pool.dedicated()?;
    let body = read::vault_body(&connection)?;
    let pace = Arc::new(Pace::new(options));
    let paced = Arc::clone(&pace);
    remains::stop_when(&mut connection, move || !paced.rest_in_time())?;
    let parts = parts(remains::reach(&connection).packs);
    let mut scrub = Scrub {
        reading,
        ingest,
        vault: body.id().unwrap_or(VaultId::new([0; 16])),
        options,
        progress,
        report: ScrubReport {
            parity: body.parity,
            parts,
            ..ScrubReport::default()
        },
        healer: None,
        atlas: None,
        pace,
    };
    for part in scrub.order(&connection) {
        let used_up = options
            .budget
            .is_some_and(|budget| started.elapsed() >= budget);
        if used_up || scrub.report.parts_done >= options.parts {
            break;
        }
        match scrub.part(&connection, part) {
            Ok(()) => {}
            // A statement that was interrupted has failed, too.
            Err(_) if (options.stop)() => {
                scrub.report.stopped = true;
                break;
            }
            Err(Ended::Stopped) => break,
            Err(Ended::Failed(error)) => return Err(error),
        }
    }
    Ok(scrub.report)
}

impl Scrub<'_> {
    /// All parts that are due, longest ago first.
    fn order(&self, connection: &Connection) -> Vec<u64> {
        let now = now_unix_ms();
        let mut at = vec![i64::MIN; usize::try_from(self.report.parts).unwrap_or(0)];
        for (part, verified_at) in remains::marks(connection) {
            let place = usize::try_from(part).ok().and_then(|part| at.get_mut(part));
            // A time that has not come yet was written by a clock that was wrong, or is damaged.
            if let Some(place) = place.filter(|_| verified_at <= now) {
                *place = verified_at;
            }
        }
        let fresh = self.options.fresh.map_or(i64::MAX, |fresh| {
            now.saturating_sub(i64::try_from(fresh.as_millis()).unwrap_or(i64::MAX))
        });
        let mut order: Vec<(i64, u64)> = at.into_iter().zip(0..).collect();
        order.retain(|(at, part)| *at <= fresh && !self.options.leave_out.contains(part));
        order.sort_unstable();
        order.into_iter().map(|(_, part)| part).collect()
    }

    fn part(&mut self, connection: &Connection, part: u64) -> Result<(), Ended> {
        let (told, left) = (self.report.healed.len(), self.report.unhealed.len());
        let outcome = if part == 0 {
            self.structure(connection)
        } else {
            self.packs(connection, part)
        };
        // What was restored is told even if the rest of the part was not reached.
        if self.report.healed.len() > told {
            self.tell(told);
        }
        // Connections are not kept over pauses: others may want the file for themselves.
        let opened = self.healer.take();
        outcome?;
        self.report.parts_done += 1;
        if self.report.unhealed.len() > left {
            self.report.parts_damaged.push(part);
        } else {
            let healer = opened.map_or_else(|| self.new_healer(), Ok)?;
            match healer.mark(part, now_unix_ms()) {
                Ok(()) => {}
                Err(HealError::Other(error)) => return Err(error.into()),
                Err(HealError::Unreachable(detail) | HealError::Refused(detail)) => {
                    self.unhealed(Remedy::Rescue, "derived_scrub", None, detail);
                }
            }
        }
        self.advance(0);
        self.rest()
    }

    fn new_healer(&self) -> Result<Healer, IngestError> {
        let opened = self.reading.pool.healer();
        opened.map_err(|error| match error {
            crate::error::OpenError::Busy { .. } => IngestError::Busy,
            other => IngestError::Store {
                detail: other.to_string(),
            },
        })
    }

    fn healer(&mut self) -> Result<&Healer, IngestError> {
        if self.healer.is_none() {
            self.healer = Some(self.new_healer()?);
        }
        Ok(self.healer.as_ref().expect("it was just set"))
    }

    /// Adds an entry to the log that says what was restored since `from`.
    fn tell(&mut self, from: usize) {
        let body = repair_body(&self.report.healed[from..], now_unix_ms());
        match self.ingest.repair(body) {
            Ok(seq) => self.report.repairs.push(seq),
            // What was restored stays restored; a log that is damaged elsewhere takes no entries.
            Err(error) => tracing::warn!(%error, "the log does not say what was restored"),
        }
    }

    fn unhealed(
        &mut self,
        remedy: Remedy,
        table: &str,
        id: Option<u64>,
        detail: impl Into<String>,
    ) {
        self.report.unhealed.push(Unhealed {
            remedy,
            table: table.into(),
            id,
            detail: detail.into(),
        });
    }

    /// Notes what came of an attempt to heal.
    fn note(
        &mut self,
        (table, id): (&str, Option<u64>),
        outcome: Result<impl IntoIterator<Item = Healed>, HealError>,
    ) -> Result<(), Ended> {
        match outcome {
            Ok(healed) => self.report.healed.extend(healed),
            Err(HealError::Other(error)) => return Err(error.into()),
            Err(HealError::Unreachable(detail)) => {
                self.unhealed(Remedy::Rescue, table, id, detail);
            }
            Err(HealError::Refused(detail)) => self.unhealed(Remedy::None, table, id, detail),
        }
        Ok(())
    }

    fn advance(&mut self, bytes: usize) {
        self.report.bytes += bytes as u64;
        (self.progress)(ScrubProgress {
            parts_done: self.report.parts_done,
            parts: self.report.parts,
            bytes_done: self.report.bytes,
        });
    }

    /// Leaves to others the share of time that is theirs, and looks whether to stop.
    fn rest(&mut self) -> Result<(), Ended> {
        if self.pace.rest() {
            Ok(())
        } else {
            Err(Ended::Stopped)
        }
    }
}

/// JSON of a few KiB.
fn repair_body(healed: &[Healed], at: i64) -> Vec<u8> {
    let restored: Vec<serde_json::Value> = healed
        .iter()
        .take(NAMED_MAX)
        .map(|healed| {
            serde_json::json!({
                "table": healed.table,
                "id": healed.id,
                "bytes": healed.bytes,
                "sha256": healed.sha256.as_ref().map(Digest::to_string),
            })
        })
        .collect();
    let more = healed.len().saturating_sub(NAMED_MAX);
    let body = serde_json::json!({ "restored": restored, "more": more, "at": at });
    body.to_string().into_bytes()
}

fn now_unix_ms() -> i64 {
    Timestamp::from_system(SystemTime::now()).map_or(0, Timestamp::unix_ms)
}
