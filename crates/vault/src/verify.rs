//! Verification: reads everything, compares everything with what was sealed, and lists all that differs.
//!
//! A finding is data, not failure: verification goes on past each one. Levels build on each other; the report says
//! which ran.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use crate::entry::{Entry, Kind};
use crate::error::ReadError;
use crate::ids::{Digest, Seq};
use crate::merkle::{Edge, Subtree};
use crate::read::Reading;
use crate::store::pool::{Connection, Pooled};
use crate::store::{open, scan};

mod assets;
mod documents;
mod packs;
mod parity;
pub(crate) mod record;
mod whole;

pub use record::LastVerification;
pub use whole::WholeCheck;

/// Findings kept in a report; further ones are counted.
pub const FINDINGS_MAX: usize = 100_000;
/// Entries compared between two words about progress.
const ENTRIES_BETWEEN: u64 = 8192;
/// Threads that check at once; with those that list what there is they have a reader each.
const THREADS_MAX: usize = 5;

/// How much is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum VerifyLevel {
    /// Structure only: the schema, `SQLite`'s own check, every entry against its leaf and the tree, the lists. No
    /// chunk is read.
    Quick,
    /// Every chunk re-hashed, every manifest checked against its entry.
    #[default]
    Full,
    /// Every asset put together and its SHA-256 and CRC-32 recomputed, too.
    Deep,
}

/// How far verification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyProgress {
    /// Bytes read so far.
    pub bytes_done: u64,
    /// Bytes to read in all, an estimate.
    pub bytes_total: u64,
    /// Entries compared with their leaf hashes so far.
    pub entries_done: u64,
    /// Entries in the log when it began, an estimate.
    pub entries_total: u64,
}

/// Whether to stop. Asked from several threads, thousands of times a second.
pub type Stop = Arc<dyn Fn() -> bool + Send + Sync>;

/// What a finding means for the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing sealed is lost: derived data or an index can be rebuilt.
    Repairable,
    /// Something sealed differs from what was sealed.
    Lost,
}

/// One thing that is not as it was sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it means.
    pub severity: Severity,
    /// A stable word: `schema`, `structure`, `entry`, `log`, `pack`, `chunk`, `manifest`, `asset`, `derived`,
    /// `document`, `parity`.
    pub area: &'static str,
    /// The entry it is about.
    pub entry: Option<Seq>,
    /// Which asset, as a path, if it is one.
    pub path: Option<String>,
    /// A sentence.
    pub detail: String,
}

/// What verification did and found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Which level ran.
    pub level: VerifyLevel,
    /// Entries compared with their leaf hashes.
    pub entries: u64,
    /// Assets whose manifest, or at level [`VerifyLevel::Deep`] whose bytes, were checked.
    pub assets: u64,
    /// Chunks re-hashed.
    pub chunks: u64,
    /// Bytes read: of packs, and at level [`VerifyLevel::Deep`] of assets of several chunks.
    pub bytes: u64,
    /// All findings, up to [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// Findings beyond that.
    pub findings_left_out: u64,
    /// It was asked to stop before its end: that nothing was found says nothing.
    pub stopped: bool,
}

impl VerifyReport {
    /// The worst severity met; `None` if everything is as it was sealed.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }
}

/// What the passes share.
struct Pass<'p> {
    reading: &'p Arc<Reading>,
    level: VerifyLevel,
    progress: &'p (dyn Fn(VerifyProgress) + Sync),
    report: Mutex<VerifyReport>,
    stop: Stop,
    /// It was asked to stop; what fails from then on is no finding.
    stopped: Arc<AtomicBool>,
    bytes_done: AtomicU64,
    /// Of these, not read a second time.
    bytes_spared: AtomicU64,
    bytes_total: u64,
    entries_done: AtomicU64,
    entries_total: u64,
    chunks: AtomicU64,
    assets: AtomicU64,
    /// Chunks that are not what their digest says.
    bad_chunks: Mutex<HashSet<Digest>>,
    /// CRC-32s of chunks that are, by their rows; of an asset's chunks that of the asset follows. Deep level only.
    crcs: Mutex<HashMap<u64, u32>>,
    /// Assets of several chunks whose SHA-256 is the sealed one. Deep level only.
    right: Mutex<HashSet<Seq>>,
}

pub(crate) fn verify(
    reading: &Arc<Reading>,
    level: VerifyLevel,
    progress: &(dyn Fn(VerifyProgress) + Sync),
    stop: Stop,
) -> Result<VerifyReport, ReadError> {
    let connection = reading.pool.get()?;
    // An estimate: whether the log is whole is what is being found out.
    let entries_total = scan::entries_there(&connection);
    let stored = scan::stored_bytes(&connection);
    let deep_bytes = if level == VerifyLevel::Deep {
        scan::bytes_of_several_chunks(&connection)
    } else {
        0
    };
    drop(connection);
    let pass = Pass {
        reading,
        level,
        progress,
        report: Mutex::new(VerifyReport {
            level,
            ..VerifyReport::default()
        }),
        stop,
        stopped: Arc::default(),
        bytes_done: AtomicU64::new(0),
        bytes_spared: AtomicU64::new(0),
        entries_done: AtomicU64::new(0),
        entries_total,
        bytes_total: if level == VerifyLevel::Quick {
            0
        } else {
            stored + deep_bytes
        },
        chunks: AtomicU64::new(0),
        assets: AtomicU64::new(0),
        bad_chunks: Mutex::default(),
        crcs: Mutex::default(),
        right: Mutex::default(),
    };
    match pass.run() {
        // Whatever it was interrupted in could not end well.
        Err(_) if pass.is_stopped() => {}
        outcome => outcome?,
    }
    // Not asked again: what came to its end without noticing is whole.
    let stopped = pass.stopped.load(Ordering::SeqCst);
    let mut report = pass
        .report
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    report.bytes = pass.bytes_done.into_inner() - pass.bytes_spared.into_inner();
    report.chunks = pass.chunks.into_inner();
    report.assets = pass.assets.into_inner();
    report.stopped = stopped;
    report
        .findings
        .sort_by_key(|finding| (finding.entry, finding.area));
    Ok(report)
}

impl Pass<'_> {
    fn run(&self) -> Result<(), ReadError> {
        if self.level == VerifyLevel::Quick {
            return self.structure();
        }
        std::thread::scope(|scope| {
            let structure = scope.spawn(|| self.structure());
            self.contents();
            structure
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
        self.noted("manifest", self.manifests());
        self.noted("asset", self.assets());
        if let Err(error) = self.parity() {
            self.repairable("parity", None, format!("parity cannot be checked: {error}"));
        }
        Ok(())
    }

    /// Whether to stop; once it is so, it stays so.
    fn is_stopped(&self) -> bool {
        asked(&self.stop, &self.stopped)
    }

    /// A connection that is interrupted when it is time to stop.
    fn connection(&self) -> Result<Pooled<'_>, ReadError> {
        let (stop, stopped) = (Arc::clone(&self.stop), Arc::clone(&self.stopped));
        self.reading
            .pool
            .get()?
            .until(move || asked(&stop, &stopped))
    }

    fn find(&self, finding: Finding) {
        if self.stopped.load(Ordering::SeqCst) {
            return;
        }
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        if report.findings.len() < FINDINGS_MAX {
            report.findings.push(finding);
        } else {
            report.findings_left_out += 1;
        }
    }

    fn lost(&self, area: &'static str, entry: Option<Seq>, detail: String) {
        self.find(Finding {
            severity: Severity::Lost,
            area,
            entry,
            path: None,
            detail,
        });
    }

    fn repairable(&self, area: &'static str, entry: Option<Seq>, detail: String) {
        self.find(Finding {
            severity: Severity::Repairable,
            area,
            entry,
            path: None,
            detail,
        });
    }

    /// Damage that makes a whole pass impossible is itself a finding, and the other passes still run.
    fn noted(&self, area: &'static str, pass: Result<(), ReadError>) {
        if let Err(error) = pass {
            let detail = format!("the {area} pass did not get to its end: {error}");
            self.lost(area, None, detail);
        }
    }

    fn advance(&self, bytes: usize) {
        self.bytes_done.fetch_add(bytes as u64, Ordering::Relaxed);
        self.tell();
    }

    fn tell(&self) {
        (self.progress)(VerifyProgress {
            bytes_done: self.bytes_done.load(Ordering::Relaxed),
            bytes_total: self.bytes_total,
            entries_done: self.entries_done.load(Ordering::Relaxed),
            entries_total: self.entries_total,
        });
    }

    /// Schema, `SQLite`'s own check, the log, the lists.
    fn structure(&self) -> Result<(), ReadError> {
        let connection = self.connection()?;
        // One snapshot: others may be adding meanwhile.
        let _snapshot = connection.unchecked_transaction()?;
        if let Some(why) = open::why_read_only(&connection)? {
            self.lost("schema", None, why);
        }
        scan::structure(&connection, |table, message| {
            let detail = format!("table {table}: {message}");
            if table.starts_with("derived_") || scan::is_about_an_index(&message) {
                self.repairable("structure", None, detail);
            } else {
                self.lost("structure", None, detail);
            }
        });
        self.noted("log", self.log(&connection));
        self.noted("document", self.documents(&connection));
        if let Err(error) = self.derived(&connection) {
            self.repairable(
                "derived",
                None,
                format!("the lists cannot be read: {error}"),
            );
        }
        Ok(())
    }

    /// Every entry against its leaf hash, the tree against every root and stored subtree.
    fn log(&self, connection: &Connection) -> Result<(), ReadError> {
        let roots: HashMap<u64, Vec<u8>> = scan::roots(connection)?.into_iter().collect();
        let mut subtrees: HashMap<u64, Vec<u8>> = scan::subtrees(connection)?.into_iter().collect();
        let mut edge = Edge::default();
        let mut places = HashMap::new();
        let mut last_good_root = 0;
        scan::entries(connection, |row| {
            let expected = edge.size();
            let leaf = match row {
                Ok((entry, leaf)) => {
                    if entry.seq != expected {
                        let gap = format!("entry {expected} is missing; {} follows", entry.seq);
                        return Err(ReadError::Store { detail: gap });
                    }
                    self.entry(&entry, leaf, &mut places);
                    leaf
                }
                Err(error) => {
                    self.lost("entry", Some(Seq::new(expected)), error.to_string());
                    Digest::EMPTY
                }
            };
            for subtree in edge.push(leaf) {
                self.subtree(&subtree, subtrees.remove(&subtree_id(&subtree)).as_ref());
            }
            self.entries_done.store(edge.size(), Ordering::Relaxed);
            if edge.size().is_multiple_of(ENTRIES_BETWEEN) {
                self.tell();
            }
            if let Some(root) = roots.get(&edge.size()) {
                if root == edge.root().as_bytes() {
                    last_good_root = edge.size();
                } else {
                    let detail = format!(
                        "the root kept for {} entries differs from them; the last one that agrees \
                         covers {last_good_root}",
                        edge.size()
                    );
                    self.lost("log", None, detail);
                }
            }
            Ok(())
        })?;
        self.report
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entries = edge.size();
        self.tell();
        let covered = roots.keys().max().copied().unwrap_or(0);
        if covered != edge.size() {
            let detail = format!(
                "there are {} entries, but the last root covers {covered}",
                edge.size()
            );
            self.lost("log", None, detail);
        }
        if !subtrees.is_empty() {
            self.lost(
                "log",
                None,
                format!("{} stored subtrees belong to no entries", subtrees.len()),
            );
        }
        Ok(())
    }

    fn entry(&self, entry: &Entry, leaf: Digest, places: &mut HashMap<u64, Kind>) {
        let seq = Some(entry.id());
        if entry.leaf_hash() != leaf {
            self.lost("entry", seq, "its row differs from its leaf hash".into());
            return;
        }
        let kind = entry.known_kind();
        let parent_kind = entry.parent.and_then(|parent| places.get(&parent).copied());
        let hangs_right = match kind {
            None => true,
            Some(Kind::Repair) => entry.parent.is_none(),
            Some(Kind::Vault) => entry.seq == 0 && entry.parent.is_none(),
            Some(Kind::Project) => parent_kind == Some(Kind::Vault),
            Some(Kind::Collection) => {
                matches!(parent_kind, Some(Kind::Project | Kind::Collection))
            }
            Some(Kind::Asset | Kind::Link) => parent_kind == Some(Kind::Collection),
        };
        if !hangs_right {
            self.lost(
                "entry",
                seq,
                "it hangs in something that cannot hold it".into(),
            );
        }
        if let Some(kind @ (Kind::Vault | Kind::Project | Kind::Collection)) = kind {
            places.insert(entry.seq, kind);
        }
    }

    fn subtree(&self, computed: &Subtree, stored: Option<&Vec<u8>>) {
        if stored.map(Vec::as_slice) != Some(computed.hash.as_bytes()) {
            let detail = format!(
                "the subtree kept at level {}, position {} differs from its entries",
                computed.level, computed.position
            );
            self.lost("log", None, detail);
        }
    }

    /// The lists against the entries.
    fn derived(&self, connection: &Connection) -> Result<(), ReadError> {
        scan::entries(connection, |row| {
            if let Ok((entry, _)) = row
                && let Some(problem) = scan::listing_problem(connection, &entry)
            {
                self.repairable("derived", Some(entry.id()), problem);
            }
            Ok(())
        })?;
        for problem in scan::derived_problems(connection)? {
            self.repairable("derived", None, problem);
        }
        Ok(())
    }

    fn mark_bad(&self, digests: impl IntoIterator<Item = Digest>) {
        self.bad_chunks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(digests);
    }

    /// Every manifest against its hash, whether an asset refers to it or not.
    fn manifests(&self) -> Result<(), ReadError> {
        let connection = self.connection()?;
        scan::manifests(&connection, |id, sha256, records| {
            if Digest::of(records).as_bytes() != sha256 {
                let detail = format!("manifest {id} differs from its hash");
                self.lost("manifest", None, detail);
            }
        })
    }

    /// Every pack; at the deep level the SHA-256 of every asset of several chunks before that, which is found out from the
    /// same reading as much as can be.
    fn contents(&self) {
        if self.level == VerifyLevel::Deep {
            let hashed = in_parallel(
                |send| self.each_asset(scan::Which::OfSeveralChunks, 1, send),
                |seqs: Vec<Seq>| seqs.into_iter().for_each(|seq| self.asset_sha256(seq)),
            );
            self.noted("asset", hashed);
        }
        let packs = in_parallel(
            |send| self.each_pack(send),
            |(one, other): (_, Option<_>)| self.packs_and_chunks(&one, other.as_ref()),
        );
        self.noted("pack", packs);
    }
}

/// Whether it is time to stop, which is remembered.
fn asked(stop: &Stop, stopped: &AtomicBool) -> bool {
    stopped.load(Ordering::SeqCst) || {
        let stop = stop();
        if stop {
            stopped.store(true, Ordering::SeqCst);
        }
        stop
    }
}

fn subtree_id(subtree: &Subtree) -> u64 {
    u64::from(subtree.level) << 48 | subtree.position
}

/// Work that is produced on this thread and consumed on all cores, with a short queue between.
fn in_parallel<T: Send>(
    produce: impl FnOnce(&SyncSender<T>) -> Result<(), ReadError>,
    consume: impl Fn(T) + Sync,
) -> Result<(), ReadError> {
    let threads = std::thread::available_parallelism()
        .map_or(2, std::num::NonZero::get)
        .min(THREADS_MAX);
    let (send, receive) = sync_channel::<T>(4 * threads);
    let receive = Mutex::new(receive);
    let next = || {
        let receive = receive.lock().unwrap_or_else(PoisonError::into_inner);
        receive.recv().ok()
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(item) = next() {
                    consume(item);
                }
            });
        }
        let produced = produce(&send);
        drop(send);
        produced
    })
}
