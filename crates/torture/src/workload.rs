//! Everything a vault does in its life, once, small: what is acknowledged is noted in the recording where it was told.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use compactvault_vault::paths::{Plan, PlanOptions, Watch as PathWatch};
use compactvault_vault::{
    CollectionId, Completed, Completion, CopyOptions, CopyWatch, Digest, Name, PlaceId,
    ScrubOptions, Vault, VerifyLevel,
};

use crate::oracle::{Acknowledged, Promise, VAULT, new_asset, options};
use crate::random::{drone, noise};
use crate::record::Mark;
use crate::shim::Watch;

/// Bytes of files that make an import ask to write alone, and a bit: `WORTH_BEING_ALONE` in `ingest/commit.rs`.
const ALONE_BYTES: usize = 5 * 1024 * 1024;

/// A workload under way: the folder, and the watch that the answers are noted in.
pub struct Life<'w> {
    folder: PathBuf,
    watch: &'w Arc<Watch>,
    seed: u64,
}

/// Phases in their order; each begins with the vault closed and leaves it closed.
pub const PHASES: [&str; 8] = [
    "create",
    "import",
    "upload",
    "checkpoint",
    "import alone",
    "repair",
    "backup",
    "shutdown",
];

impl<'w> Life<'w> {
    /// In the empty folder that is watched.
    pub fn new(folder: &Path, watch: &'w Arc<Watch>, seed: u64) -> Self {
        Self {
            folder: folder.to_path_buf(),
            watch,
            seed,
        }
    }

    /// All phases; the source of the import that writes alone lies in `source`, which nobody watches.
    pub fn run(&self, source: &Path) -> Result<()> {
        for phase in PHASES {
            self.watch.mark(Mark::Phase(phase));
            match phase {
                "create" => self.create(),
                "import" => self.import(),
                "upload" => self.upload(),
                "checkpoint" => self.checkpoint(),
                "import alone" => self.import_alone(source),
                "repair" => self.repair(),
                "backup" => self.back_up(),
                _ => self.shut_down(),
            }
            .with_context(|| format!("phase {phase}"))?;
        }
        Ok(())
    }

    fn path(&self) -> PathBuf {
        self.folder.join(VAULT)
    }

    fn open(&self) -> Result<Vault> {
        Ok(Vault::open(&self.path(), &options(&self.folder))?)
    }

    fn acknowledge(&self, answer: Acknowledged) {
        self.watch.mark(Mark::Acknowledged(answer));
    }

    fn print_checkpoint(&self, vault: &Vault) -> Result<()> {
        self.watch.mark(Mark::Checkpoint(vault.checkpoint()?.note));
        Ok(())
    }

    fn create(&self) -> Result<()> {
        let vault = Vault::create(&self.path(), &options(&self.folder))?;
        self.acknowledge(Acknowledged::Created);
        place(&vault)?;
        self.print_checkpoint(&vault)?;
        Ok(vault.close()?)
    }

    /// Archives bytes and notes that they are sealed.
    fn add(&self, vault: &Vault, name: &str, bytes: &[u8]) -> Result<()> {
        vault.archive_bytes(new_asset(place(vault)?, name), bytes)?;
        let digest = Digest::of(bytes);
        let name = name.to_owned();
        self.acknowledge(Acknowledged::Sealed(Promise { name, digest }));
        Ok(())
    }

    fn import(&self) -> Result<()> {
        let vault = self.open()?;
        let sizes = [3000, 3700, 4400, 5100];
        for n in 0..4 {
            self.add(
                &vault,
                &format!("small {n}"),
                &noise(self.seed ^ n, sizes[usize::try_from(n)?]),
            )?;
        }
        self.add(&vault, "small 1", b"another version")?;
        self.add(&vault, "same bytes", &noise(self.seed, 3000))?;
        self.add(&vault, "chunks", &noise(self.seed ^ 0x99, 900_000))?;
        self.print_checkpoint(&vault)?;
        // Several in one commit.
        let place = place(&vault)?;
        let ingest = vault.ingest()?;
        let mut tickets = Vec::new();
        for n in 0..5 {
            let name = format!("together {n}");
            let bytes = drone(self.seed ^ n, 20_000);
            let (ticket, read) = ingest.archive(new_asset(place, &name), &mut &bytes[..])?;
            let digest = read.sha256;
            tickets.push((ticket, Promise { name, digest }));
        }
        for (ticket, promise) in tickets {
            ticket.wait()?;
            self.acknowledge(Acknowledged::Sealed(promise));
        }
        self.print_checkpoint(&vault)?;
        Ok(vault.close()?)
    }

    fn send(vault: &Vault, id: &str, parts: &[Vec<u8>]) -> Result<Promise> {
        let uploads = vault.uploads()?;
        for (index, part) in parts.iter().enumerate() {
            let mut writer = uploads.part(id, index as u64)?;
            writer.append(part)?;
            writer.finish()?;
        }
        Ok(Promise {
            name: id.to_owned(),
            digest: Digest::of(&parts.concat()),
        })
    }

    fn upload(&self) -> Result<()> {
        let vault = self.open()?;
        let place = place(&vault)?;
        let parts = |n: u64| -> Vec<Vec<u8>> {
            (0..3)
                .map(|part| noise(self.seed ^ (n << 8 | part), 30_000))
                .collect()
        };
        let promise = Self::send(&vault, "upload 1", &parts(1))?;
        let sealed = vault.uploads()?.complete(&completion("upload 1", place))?;
        ensure!(
            matches!(sealed, Completed::Sealed { .. }),
            "upload 1 is {sealed:?}"
        );
        self.acknowledge(Acknowledged::Sealed(promise));
        // Somebody else has the vault's turn for so long that the upload is promised instead.
        let promise = Self::send(&vault, "upload 2", &parts(2))?;
        let turn = Turn::take(&self.path())?;
        let queued = vault.uploads()?.complete(&completion("upload 2", place))?;
        ensure!(queued == Completed::Queued, "upload 2 is {queued:?}");
        self.acknowledge(Acknowledged::Queued(promise));
        drop(turn);
        let deadline = Instant::now() + Duration::from_secs(20);
        while vault.uploads()?.unfinished_count() > 0 {
            ensure!(
                Instant::now() < deadline,
                "what was queued is not being sealed"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        self.print_checkpoint(&vault)?;
        vault.uploads()?.drain(Duration::from_secs(10));
        Ok(vault.close()?)
    }

    /// Small stripes gather and are merged, and the WAL is copied into the file and begins anew.
    fn checkpoint(&self) -> Result<()> {
        let vault = self.open()?;
        for n in 0..3 {
            self.add(
                &vault,
                &format!("before merge {n}"),
                &noise(self.seed ^ (n << 16), 9000),
            )?;
        }
        vault.upkeep()?;
        self.add(&vault, "after merge", &noise(self.seed ^ (7 << 16), 40_000))?;
        vault.upkeep()?;
        self.print_checkpoint(&vault)?;
        Ok(vault.close()?)
    }

    /// A bulk import that has the vault for itself, and gives it its WAL back.
    fn import_alone(&self, source: &Path) -> Result<()> {
        let files = [("alone 1", 3), ("alone 2", 4)];
        let mut promises = Vec::new();
        for (name, share) in files {
            let bytes = drone(self.seed ^ share as u64, ALONE_BYTES * share / 5);
            let digest = Digest::of(&bytes);
            std::fs::write(source.join(name), bytes)?;
            let name = name.to_owned();
            promises.push(Promise { name, digest });
        }
        let vault = self.open()?;
        let place = PlaceId::Collection(place(&vault)?);
        let plan = Plan::make(
            &vault,
            &files.map(|(name, _)| source.join(name)),
            &PlanOptions::default(),
        )?;
        let stop = AtomicBool::new(false);
        let watch = PathWatch {
            progress: &|_| (),
            stop: &stop,
            threads: 1,
            reread: true,
        };
        let report = plan.archive(&vault, place, &[], watch)?;
        ensure!(report.sealed == 2, "{report:?}");
        for promise in promises {
            self.acknowledge(Acknowledged::Sealed(promise));
        }
        self.print_checkpoint(&vault)?;
        Ok(vault.close()?)
    }

    /// A block of a pack rots, and scrubbing puts it back.
    fn repair(&self) -> Result<()> {
        let bytes = std::fs::read(self.path())?;
        let sealed = noise(self.seed ^ 0x99, 900_000);
        let needle = &sealed[400_000..400_016];
        let at = bytes
            .windows(needle.len())
            .position(|window| window == needle)
            .context("the asset's bytes lie in the file as they are")?;
        self.watch.damage(&self.path(), at as u64, &[0x5a; 64])?;
        let vault = self.open()?;
        let report = vault.scrub(&ScrubOptions::default(), &|_| ())?;
        ensure!(
            !report.healed.is_empty() && report.unhealed.is_empty(),
            "{report:?}"
        );
        self.acknowledge(Acknowledged::Healed);
        self.print_checkpoint(&vault)?;
        Ok(vault.close()?)
    }

    fn back_up(&self) -> Result<()> {
        let vault = self.open()?;
        let copy = PathBuf::from("copy.vault");
        let stop = AtomicBool::new(false);
        let watch = CopyWatch {
            progress: &|_| (),
            stop: &stop,
        };
        let options = CopyOptions {
            frozen: false,
            level: VerifyLevel::Quick,
        };
        vault.copy_to(&self.folder.join(&copy), options, &watch)?;
        self.acknowledge(Acknowledged::Copied(copy, vault.log_size()?));
        Ok(vault.close()?)
    }

    /// The vault closes while something is queued and something else is not complete.
    fn shut_down(&self) -> Result<()> {
        let vault = self.open()?;
        let place = place(&vault)?;
        Self::send(&vault, "unfinished", &[noise(self.seed ^ 5, 5000)])?;
        let promise = Self::send(&vault, "upload 3", &[noise(self.seed ^ 6, 50_000)])?;
        let turn = Turn::take(&self.path())?;
        let queued = vault.uploads()?.complete(&completion("upload 3", place))?;
        ensure!(queued == Completed::Queued, "upload 3 is {queued:?}");
        self.acknowledge(Acknowledged::Queued(promise));
        self.print_checkpoint(&vault)?;
        drop(turn);
        vault.uploads()?.drain(Duration::ZERO);
        Ok(vault.close()?)
    }
}

/// The project and collection that everything goes to.
pub fn place(vault: &Vault) -> Result<CollectionId> {
    let name = |text: &str| Name::new(text).expect("a good name");
    let (project, _) = vault.create_project(name("P"), "project", "")?;
    let project = PlaceId::Project(project.id);
    let (collection, _) = vault.create_collection(project, name("C"), "collection")?;
    Ok(collection.id)
}

/// What a client says when all parts are there.
pub fn completion(id: &str, collection: CollectionId) -> Completion {
    Completion {
        upload_id: id.to_owned(),
        collection,
        folders: Vec::new(),
        name: Name::new(id).expect("a good name"),
        total_size: None,
        parts: None,
        sha256: None,
        modified: None,
        executable: false,
    }
}

/// Another writer's turn, which lasts until it is dropped.
struct Turn(rusqlite::Connection);

impl Turn {
    #[expect(
        clippy::disallowed_methods,
        reason = "playing another program that has the file open is the point"
    )]
    fn take(path: &Path) -> Result<Self> {
        let connection = rusqlite::Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        Ok(Self(connection))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Nothing was written.
        let _ = self.0.execute_batch("ROLLBACK");
    }
}
