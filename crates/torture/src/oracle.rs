//! What was promised, kept outside the product's memory, and whether a vault keeps it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use compactvault_vault::prove::{KeptCheckpoint, Verdict};
use compactvault_vault::{
    AssetId, CollectionId, Digest, Name, NewAsset, OpenError, OpenOptions, PlaceId, ScrubOptions,
    Seq, Vault, VerifyLevel, WalkNode,
};

use crate::record::Mark;

/// The vault's name in the folder of a run.
pub const VAULT: &str = "t.vault";

/// An answer that was given: from then on it has to be true.
#[derive(Clone, Debug)]
pub enum Acknowledged {
    /// The vault exists.
    Created,
    /// An asset is in the vault.
    Sealed(Promise),
    /// An upload is safe in the spool, and will be sealed.
    Queued(Promise),
    /// A copy is there, with so many entries at least.
    Copied(PathBuf, u64),
    /// What was damaged is as it was sealed again.
    Healed,
}

/// What was promised about an asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// Its name, which no other asset but other versions of it has.
    pub name: String,
    /// SHA-256 of its bytes.
    pub digest: Digest,
}

/// All that was promised up to some moment.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// The vault exists.
    pub created: bool,
    /// What is sealed.
    pub sealed: Vec<Promise>,
    /// What is sealed or will be after the next start.
    pub queued: Vec<Promise>,
    /// The last checkpoint that was printed.
    pub checkpoint: Option<String>,
    /// Copies, and how many entries they have at least.
    pub copies: Vec<(PathBuf, u64)>,
    /// The medium has changed by itself, and that is not healed yet.
    pub damaged: bool,
}

impl Expected {
    /// Takes in what the workload noted.
    pub fn note(&mut self, mark: &Mark) {
        match mark {
            Mark::Phase(_) => {}
            Mark::Checkpoint(text) => self.checkpoint = Some(text.clone()),
            Mark::Acknowledged(answer) => match answer.clone() {
                Acknowledged::Created => self.created = true,
                Acknowledged::Sealed(promise) => self.sealed.push(promise),
                Acknowledged::Queued(promise) => self.queued.push(promise),
                Acknowledged::Copied(path, entries) => self.copies.push((path, entries)),
                Acknowledged::Healed => self.damaged = false,
            },
        }
    }
}

/// How a vault kept what was promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kept {
    /// As it lies there.
    Whole,
    /// It was not there yet, and nobody had been told that it is.
    NotMadeYet,
    /// It said what is damaged, and scrubbing healed all of it.
    Healed,
    /// It said what is damaged and did not open; what `rescue` made of it has all that was promised.
    Rescued,
    /// The same, and something that nobody was promised came back in part: `rescue` names it as lost.
    RescuedAndMore,
}

/// How vaults of a run are opened.
pub fn options(folder: &Path) -> OpenOptions {
    OpenOptions {
        state_dir: Some(folder.join("state")),
        lock_timeout: Duration::from_secs(5),
        ..OpenOptions::default()
    }
}

/// Opens what lies in the folder as the product does, and compares. The error says what is lost or wrong.
pub fn check(folder: &Path, expected: &Expected) -> Result<Kept, String> {
    let checked = catch_unwind(AssertUnwindSafe(|| check_all(folder, expected)));
    checked.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("panic: {}", text.unwrap_or("without a message")))
    })
}

fn check_all(folder: &Path, expected: &Expected) -> Result<Kept, String> {
    let path = folder.join(VAULT);
    let kept = check_vault(folder, &path, expected)?;
    for (name, entries) in &expected.copies {
        let copy = Vault::open(&folder.join(name), &options(folder))
            .map_err(|error| format!("a copy does not open: {error}"))?;
        let report = copy
            .verify(VerifyLevel::Full, &|_| ())
            .map_err(|error| format!("a copy cannot be verified: {error}"))?;
        if !report.findings.is_empty() || report.entries < *entries {
            return Err(format!("a copy is not whole: {report:?}"));
        }
    }
    Ok(kept)
}

fn check_vault(folder: &Path, path: &Path, expected: &Expected) -> Result<Kept, String> {
    let vault = match Vault::open(path, &options(folder)) {
        Ok(vault) => vault,
        Err(OpenError::Missing { .. }) if !expected.created => return Ok(Kept::NotMadeYet),
        Err(
            error @ (OpenError::WalDamaged { .. }
            | OpenError::JournalDamaged { .. }
            | OpenError::Damaged { .. }),
        ) => return rescued(folder, path, expected).map_err(|why| format!("{error}; {why}")),
        Err(error) => return Err(format!("it does not open: {error}")),
    };
    if let Some(reason) = vault.read_only() {
        return Err(format!("nothing can be added any more: {reason}"));
    }
    let mut kept = Kept::Whole;
    if expected.damaged && !findings(&vault)?.is_empty() {
        let report = vault
            .scrub(&ScrubOptions::default(), &|_| ())
            .map_err(|error| format!("it cannot be scrubbed: {error}"))?;
        if !report.unhealed.is_empty() {
            return Err(format!("scrubbing left damage: {:?}", report.unhealed));
        }
        kept = Kept::Healed;
    }
    let findings = findings(&vault)?;
    if !findings.is_empty() {
        return Err(format!("verification finds {findings:?}"));
    }
    compare(&vault, &expected.sealed)?;
    compare_log(&vault, expected)?;
    seal_queued(&vault, expected)?;
    go_on(&vault)?;
    vault
        .close()
        .map_err(|error| format!("it does not close: {error}"))?;
    drop(vault);
    left_behind(folder)?;
    Ok(kept)
}

/// What `rescue` makes of a vault that says it is damaged has to hold all that was promised.
fn rescued(folder: &Path, path: &Path, expected: &Expected) -> Result<Kept, String> {
    let out = folder.join("rescued.vault");
    compactvault_vault::rescue::rescue(path, &out, &options(folder), &mut |_| ())
        .map_err(|error| format!("and cannot be rescued: {error}"))?;
    let vault = Vault::open(&out, &options(folder))
        .map_err(|error| format!("what was rescued does not open: {error}"))?;
    // What was promised has to come out whole; what was just being sealed may be there in part, and is named.
    compare(&vault, &expected.sealed)?;
    let findings = findings(&vault)?;
    if findings.is_empty() {
        return Ok(Kept::Rescued);
    }
    if findings.iter().all(|finding| finding.area == "asset") {
        return Ok(Kept::RescuedAndMore);
    }
    Err(format!("what was rescued verifies with {findings:?}"))
}

fn findings(vault: &Vault) -> Result<Vec<compactvault_vault::Finding>, String> {
    let report = vault
        .verify(VerifyLevel::Deep, &|_| ())
        .map_err(|error| format!("it cannot be verified: {error}"))?;
    Ok(report.findings)
}

/// Whether every promised asset is listed, and comes out byte for byte.
fn compare(vault: &Vault, promised: &[Promise]) -> Result<(), String> {
    if promised.is_empty() {
        return Ok(());
    }
    let there = assets(vault)?;
    for promise in promised {
        let found = there
            .iter()
            .find(|(name, digest, _)| *name == promise.name && *digest == promise.digest);
        let Some((_, _, id)) = found else {
            return Err(format!("lost: {promise:?}"));
        };
        let digest = digest_of(vault, *id).map_err(|why| format!("{promise:?}: {why}"))?;
        if digest != promise.digest {
            return Err(format!("WRONG BYTES: {promise:?} comes out as {digest}"));
        }
    }
    Ok(())
}

fn assets(vault: &Vault) -> Result<Vec<(String, Digest, AssetId)>, String> {
    let walk = vault
        .walk(None, true)
        .map_err(|error| format!("it cannot be listed: {error}"))?;
    let mut found = Vec::new();
    for item in walk {
        let item = item.map_err(|error| format!("it cannot be listed to its end: {error}"))?;
        if let WalkNode::Asset(asset) = item.node {
            found.push((
                asset.name.to_utf8_lossy().into_owned(),
                asset.sha256,
                asset.id,
            ));
        }
    }
    Ok(found)
}

/// SHA-256 of what comes out for an asset.
pub fn digest_of(vault: &Vault, id: AssetId) -> Result<Digest, String> {
    let read = || -> Result<Vec<u8>, compactvault_vault::ReadError> {
        let reader = vault.open_asset(id)?;
        let pieces: Vec<_> = reader.range(0..reader.size()).collect::<Result<_, _>>()?;
        Ok(pieces.concat())
    };
    read()
        .map(|bytes| Digest::of(&bytes))
        .map_err(|error| format!("it cannot be read: {error}"))
}

fn compare_log(vault: &Vault, expected: &Expected) -> Result<(), String> {
    let Some(text) = &expected.checkpoint else {
        return Ok(());
    };
    let kept = KeptCheckpoint::parse(text.as_bytes())
        .map_err(|error| format!("the printed checkpoint is none: {error}"))?;
    let comparison = vault
        .compare(&kept)
        .map_err(|error| format!("the log cannot be compared: {error}"))?;
    if comparison.verdict == Verdict::Same {
        Ok(())
    } else {
        Err(format!(
            "the log does not begin with what was printed: {comparison:?}"
        ))
    }
}

/// What was promised to be sealed later is sealed now.
fn seal_queued(vault: &Vault, expected: &Expected) -> Result<(), String> {
    let uploads = vault
        .uploads()
        .map_err(|error| format!("it takes no uploads: {error}"))?;
    if expected.queued.is_empty() {
        return Ok(());
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match compare(vault, &expected.queued) {
            Ok(()) => break,
            Err(error) if Instant::now() >= deadline => return Err(format!("queued, {error}")),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    uploads.drain(Duration::from_secs(30));
    Ok(())
}

fn go_on(vault: &Vault) -> Result<(), String> {
    let go_on = || -> Result<(), compactvault_vault::IngestError> {
        let name = |text: &str| Name::new(text).expect("a good name");
        let (project, _) = vault.create_project(name("after"), "project", "")?;
        let asset = NewAsset {
            place: PlaceId::Project(project.id),
            folders: vec![name("after")],
            ..new_asset(CollectionId::new(Seq::VAULT), "after")
        };
        vault.archive_bytes(asset, b"it goes on").map(|_| ())
    };
    go_on().map_err(|error| format!("it does not go on: {error}"))
}

/// What is to become an asset of that name.
pub fn new_asset(place: CollectionId, name: &str) -> NewAsset {
    NewAsset {
        place: PlaceId::Collection(place),
        folders: Vec::new(),
        name: Name::new(name).expect("a good name"),
        modified: None,
        executable: false,
        expected_size: None,
        expected_sha256: None,
    }
}

/// After the vault is closed nothing of SQLite's may be left beside it.
fn left_behind(folder: &Path) -> Result<(), String> {
    for suffix in ["-wal", "-shm", "-journal", "-alone"] {
        let path = folder.join(format!("{VAULT}{suffix}"));
        if path.exists() {
            return Err(format!("{VAULT}{suffix} was left behind"));
        }
    }
    Ok(())
}
