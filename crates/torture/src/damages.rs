//! Damage of every sort, in copies of one vault: what comes out is right or an error, what is within the promise comes
//! back, and a vault that nobody touched is never called damaged.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use compactvault_vault::{Digest, OpenError, ScrubOptions, Vault, VerifyLevel, WalkNode};
use serde_json::json;

use crate::disk::{Disk, Loss, mark};
use crate::oracle::{Expected, VAULT, digest_of, new_asset, options};
use crate::power::folder;
use crate::random::{Random, drone, noise};
use crate::record::Recording;
use crate::shim;
use crate::workload::place;

/// Bytes of a page, and of the blocks that disks lose.
const PAGE: usize = 16 * 1024;
const BLOCK: usize = 4096;

/// What is done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Nothing,
    Bit,
    Byte,
    Sector,
    Block,
    /// 1 % of all blocks.
    Blocks,
    /// 2 % of the file in one piece.
    Gap,
    PageOne,
    /// All interior and index pages.
    Structure,
    Tail,
    SwappedBlocks,
    /// 10 % of all blocks: beyond what is promised.
    TooMuch,
}

impl Sort {
    const ALL: [Self; 12] = [
        Self::Nothing,
        Self::Bit,
        Self::Byte,
        Self::Sector,
        Self::Block,
        Self::Blocks,
        Self::Gap,
        Self::PageOne,
        Self::Structure,
        Self::Tail,
        Self::SwappedBlocks,
        Self::TooMuch,
    ];

    /// Whether everything is promised to come back.
    fn is_promised(self) -> bool {
        self != Self::TooMuch
    }

    fn inflict(self, bytes: &mut Vec<u8>, random: &mut Random) {
        let blocks = bytes.len() / BLOCK;
        let mut fill = |bytes: &mut Vec<u8>, at: usize, length: usize| {
            let end = (at + length).min(bytes.len());
            random.fill(&mut bytes[at..end]);
        };
        match self {
            Self::Nothing => {}
            Self::Bit => {
                let at = random.index(bytes.len());
                bytes[at] ^= 1 << random.below(8);
            }
            Self::Byte => {
                let at = random.index(bytes.len());
                bytes[at] =
                    bytes[at].wrapping_add(1 + u8::try_from(random.below(254)).unwrap_or(0));
            }
            Self::Sector => {
                let at = random.index(bytes.len() / 512) * 512;
                random.fill(&mut bytes[at..at + 512]);
            }
            Self::Block => {
                let at = random.index(blocks) * BLOCK;
                random.fill(&mut bytes[at..at + BLOCK]);
            }
            Self::Blocks | Self::TooMuch => {
                let share = if self == Self::Blocks { 100 } else { 10 };
                for _ in 0..(blocks / share).max(1) {
                    let at = random.index(blocks) * BLOCK;
                    random.fill(&mut bytes[at..at + BLOCK]);
                }
            }
            Self::Gap => {
                let length = bytes.len() / 50;
                let at = random.index(bytes.len() - length);
                random.fill(&mut bytes[at..at + length]);
            }
            Self::PageOne => fill(bytes, 0, PAGE),
            Self::Structure => {
                for (number, page) in bytes.chunks_exact_mut(PAGE).enumerate() {
                    // Overflow pages begin with a page number, whose first byte is 0 in files of this size.
                    if number == 0 || matches!(page[0], 2 | 5 | 10) {
                        random.fill(page);
                    }
                }
            }
            Self::Tail => {
                let lost = 1 + random.index(bytes.len() / 60);
                bytes.truncate(bytes.len() - lost);
            }
            Self::SwappedBlocks => {
                let (one, other) = (random.index(blocks) * BLOCK, random.index(blocks) * BLOCK);
                for at in 0..BLOCK {
                    bytes.swap(one + at, other + at);
                }
            }
        }
    }
}

/// What to do.
pub struct Plan {
    /// Which places.
    pub seed: u64,
    /// Damaged copies.
    pub cases: usize,
    /// Threads that look.
    pub threads: usize,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Copies looked at, by sort.
    by_sort: BTreeMap<String, usize>,
    /// How it ended, by what was done: `as it was`, `scrubbed`, `rescued`, `rescued in part`.
    ended: BTreeMap<String, usize>,
    wal: BTreeMap<String, usize>,
    /// What was wrong, lost within the promise, or called damaged and was not.
    pub failures: Vec<String>,
}

impl Outcome {
    /// As figures.
    pub fn json(&self) -> serde_json::Value {
        json!({
            "damages": self.by_sort.values().sum::<usize>() + self.wal.values().sum::<usize>(),
            "by_sort": self.by_sort,
            "ended": self.ended,
            "damaged_wal": self.wal,
            "failures": self.failures.len(),
            "first_failures": self.failures.iter().take(5).collect::<Vec<_>>(),
        })
    }
}

/// A vault, and what is in it: SHA-256 by name.
struct Sample {
    bytes: Vec<u8>,
    assets: BTreeMap<String, Digest>,
}

impl Sample {
    fn make(seed: u64) -> Result<Self> {
        let folder = folder()?;
        let at = folder.path();
        let vault = Vault::create(&at.join(VAULT), &options(at))?;
        let place = place(&vault)?;
        let mut assets = BTreeMap::new();
        for n in 0..60 {
            let length = 300 + usize::try_from(n * n * 40).unwrap_or(0);
            let bytes = if n % 3 == 0 {
                drone(seed ^ n, length)
            } else {
                noise(seed ^ n, length)
            };
            let name = format!("asset {n}");
            vault.archive_bytes(new_asset(place, &name), &bytes)?;
            assets.insert(name, Digest::of(&bytes));
        }
        vault.close()?;
        let bytes = fs::read(at.join(VAULT))?;
        Ok(Self { bytes, assets })
    }
}

/// Tries the damages of the plan. `recording` gives states that have a WAL; a fifth of all cases damage one.
pub fn run(plan: &Plan, recording: &Recording) -> Result<Outcome> {
    shim::install();
    let sample = Sample::make(plan.seed)?;
    let wals = with_wal(recording);
    ensure!(!wals.is_empty(), "the recording has states with a WAL");
    let outcome = Mutex::new(Outcome::default());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..plan.threads.max(1) {
            scope.spawn(|| {
                loop {
                    let case = next.fetch_add(1, Ordering::Relaxed);
                    if case >= plan.cases {
                        return;
                    }
                    let mut random = Random::new(plan.seed ^ ((case as u64) << 16));
                    if case % 5 == 4 {
                        let found = damage_wal(&wals, &mut random);
                        note(&outcome, case, "wal", found, |outcome| &mut outcome.wal);
                    } else {
                        let sort = Sort::ALL[(case / 5 * 4 + case % 5) % Sort::ALL.len()];
                        let found = damage(&sample, sort, &mut random);
                        let name = format!("{sort:?}");
                        note(&outcome, case, &name, found, |outcome| &mut outcome.ended);
                        let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
                        *outcome.by_sort.entry(name).or_default() += 1;
                    }
                }
            });
        }
    });
    Ok(outcome.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn note(
    outcome: &Mutex<Outcome>,
    case: usize,
    sort: &str,
    found: Result<&'static str>,
    into: impl Fn(&mut Outcome) -> &mut BTreeMap<String, usize>,
) {
    let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
    match found {
        Ok(word) => *into(&mut outcome).entry(word.to_owned()).or_default() += 1,
        Err(error) => {
            let text = format!("case {case} ({sort}): {error:#}");
            outcome.failures.push(text);
        }
    }
}

/// Damages a copy, and says how it ended.
fn damage(sample: &Sample, sort: Sort, random: &mut Random) -> Result<&'static str> {
    let folder = folder()?;
    let at = folder.path();
    let path = at.join(VAULT);
    let mut bytes = sample.bytes.clone();
    sort.inflict(&mut bytes, random);
    fs::write(&path, &bytes)?;
    let opened = Vault::open(&path, &options(at));
    let mut whole = false;
    if let Ok(vault) = &opened {
        never_wrong(vault, sample)?;
        let report = vault.verify(VerifyLevel::Deep, &|_| ());
        let clean = report.is_ok_and(|report| report.findings.is_empty());
        if clean {
            // Damage that hits nothing that is used is none; everything must be there then.
            require_all(vault, sample).context("verification finds nothing")?;
            return Ok("as it was");
        }
        ensure!(
            sort != Sort::Nothing,
            "an untouched vault is called damaged"
        );
        if vault.read_only().is_none() {
            let scrubbed = vault.scrub(&ScrubOptions::default(), &|_| ());
            whole = scrubbed.is_ok_and(|report| report.unhealed.is_empty());
            never_wrong(vault, sample).context("after scrubbing")?;
        }
        if whole {
            require_all(vault, sample).context("after all was healed")?;
            let report = vault.verify(VerifyLevel::Deep, &|_| ())?;
            whole = report.findings.is_empty();
        }
    }
    if let Ok(vault) = opened {
        // A vault that is damaged may not close well; what is in it is looked at below.
        let _ = vault.close();
    }
    if whole {
        return Ok("scrubbed");
    }
    let out = at.join("rescued.vault");
    let rescued = compactvault_vault::rescue::rescue(&path, &out, &options(at), &mut |_| ());
    if let Err(error) = rescued {
        ensure!(!sort.is_promised(), "it cannot be rescued: {error}");
        return Ok("beyond rescue, and said so");
    }
    let vault = Vault::open(&out, &options(at)).context("what was rescued")?;
    never_wrong(&vault, sample).context("what was rescued")?;
    match require_all(&vault, sample) {
        Ok(()) => Ok("rescued"),
        Err(error) if sort.is_promised() => Err(error.context("after rescue")),
        Err(_) => Ok("rescued in part, and said so"),
    }
}

/// Everything that comes out has the bytes that it was archived with.
fn never_wrong(vault: &Vault, sample: &Sample) -> Result<usize> {
    let mut right = 0;
    let Ok(walk) = vault.walk(None, true) else {
        return Ok(0);
    };
    for item in walk {
        let Ok(item) = item else { break };
        let WalkNode::Asset(asset) = item.node else {
            continue;
        };
        let Ok(digest) = digest_of(vault, asset.id) else {
            continue;
        };
        let name = asset.name.to_utf8_lossy().into_owned();
        let expected = sample.assets.get(&name);
        ensure!(
            expected == Some(&digest),
            "WRONG BYTES: {name} comes out as {digest}"
        );
        right += 1;
    }
    Ok(right)
}

fn require_all(vault: &Vault, sample: &Sample) -> Result<()> {
    let right = never_wrong(vault, sample)?;
    ensure!(
        right == sample.assets.len(),
        "{right} of {} assets come out",
        sample.assets.len()
    );
    Ok(())
}

/// States with commits that are in the WAL only.
fn with_wal(recording: &Recording) -> Vec<(Disk, Expected)> {
    let mut states = Vec::new();
    let mut disk = Disk::before(recording);
    let mut expected = Expected::default();
    for op in &recording.ops {
        disk.apply(op);
        if let Some(noted) = mark(op) {
            let sealed = expected.sealed.len();
            expected.note(noted);
            if expected.sealed.len() > sealed && expected.queued.is_empty() {
                states.push((disk.clone(), expected.clone()));
            }
        }
    }
    states
}

/// Changes some of a WAL: commits in it are there, or opening is refused; they are never dropped silently.
fn damage_wal(states: &[(Disk, Expected)], random: &mut Random) -> Result<&'static str> {
    let (disk, expected) = &states[random.index(states.len())];
    let folder = folder()?;
    let at = folder.path().join("disk");
    fs::create_dir(&at)?;
    disk.crash(Loss::Nothing, random, &at)?;
    let wal = at.join(format!("{VAULT}-wal"));
    let Ok(mut bytes) = fs::read(&wal) else {
        return Ok("no WAL by then");
    };
    if bytes.is_empty() {
        return Ok("no WAL by then");
    }
    let hit = random.index(bytes.len());
    let last = last_frame(&bytes);
    let (from, to) = match random.below(3) {
        0 => (hit, hit + 1),
        1 => (hit, hit + 512),
        // The header of a frame, where the checksums are.
        _ => {
            let frame = 32 + (hit / FRAME) * FRAME;
            (frame, frame + 24)
        }
    };
    let (from, to) = (from.min(bytes.len()), to.min(bytes.len()));
    let before = bytes[from..to].to_vec();
    random.fill(&mut bytes[from..to]);
    if bytes[from..to] == before {
        return Ok("of no consequence");
    }
    fs::write(&wal, bytes)?;
    // Where the index is gone, too, the last frame cannot be told from one that was being written when the power
    // failed: docs/trust.md names it as a limit. What comes before it has to be there or refused.
    let hits_last = from < last + FRAME && to > last;
    let mut expected = expected.clone();
    if hits_last {
        expected.sealed.pop();
    }
    let found = refused_or_whole(&at, &expected)?;
    Ok(if hits_last && found == "of no consequence" {
        "the last frame, taken for torn"
    } else {
        found
    })
}

/// Bytes of a frame of a WAL: a header, and a page.
const FRAME: usize = 24 + PAGE;

/// Where the last frame lies that belongs to the WAL as its header says, and not to what was in it before.
fn last_frame(wal: &[u8]) -> usize {
    let salts = wal.get(16..24);
    let ours = (0..)
        .map(|number| 32 + number * FRAME)
        .take_while(|at| salts.is_some() && wal.get(at + 8..at + 16) == salts);
    ours.last().unwrap_or(32)
}

fn refused_or_whole(at: &Path, expected: &Expected) -> Result<&'static str> {
    let vault = match Vault::open(&at.join(VAULT), &options(at)) {
        Ok(vault) => vault,
        Err(OpenError::WalDamaged { .. } | OpenError::Damaged { .. }) => {
            return Ok("refused by name");
        }
        Err(error) => anyhow::bail!("refused, but as {error}"),
    };
    let mut there = BTreeMap::new();
    for item in vault.walk(None, true)? {
        if let WalkNode::Asset(asset) = item?.node {
            let name = asset.name.to_utf8_lossy().into_owned();
            there.insert((name, asset.sha256), asset.id);
        }
    }
    for promise in &expected.sealed {
        let id = there.get(&(promise.name.clone(), promise.digest));
        let id = id.with_context(|| format!("SILENTLY LOST: {promise:?}"))?;
        let digest = digest_of(&vault, *id).map_err(|error| anyhow::anyhow!(error))?;
        ensure!(digest == promise.digest, "WRONG BYTES: {promise:?}");
    }
    Ok("of no consequence")
}
