//! Makes a vault of many small assets through the vault's own ingest, to measure listing and search on.
//!
//! Run it as `cargo xtask gen-vault --assets N --collections C --out FILE`. The same figures give the same names,
//! types, times and contents each time.
#![expect(
    clippy::print_stdout,
    reason = "reporting on a terminal is this program's purpose"
)]

use std::collections::VecDeque;
use std::error::Error;
use std::path::Path;
use std::time::Instant;

use compactvault_vault::{Name, NewAsset, OpenOptions, PlaceId, Ticket, Timestamp, Vault};

/// Tickets not yet waited for: enough for full batches, few enough to keep memory small.
const TICKETS_MAX: usize = 20_000;
/// Assets of one collection come together, as from a folder that is archived; this many before the next one's turn.
const RUN: u64 = 64;
/// Collections in one project.
const COLLECTIONS_PER_PROJECT: u64 = 1000;

const WORDS: [&str; 32] = [
    "IMG",
    "scan",
    "Résumé",
    "invoice",
    "final",
    "draft",
    "Ålesund",
    "texture",
    "normal",
    "rock",
    "Übersicht",
    "notes",
    "holiday",
    "portrait",
    "mix",
    "vocals",
    "take",
    "render",
    "chair",
    "façade",
    "map",
    "level",
    "report",
    "budget",
    "meeting",
    "кошка",
    "東京",
    "señal",
    "sketch",
    "photo",
    "backup",
    "draft2",
];
const SEPARATORS: [&str; 4] = ["_", "-", " ", "."];
const EXTENSIONS: [&str; 16] = [
    "jpg", "png", "jpg", "webp", "txt", "md", "json", "pdf", "mp3", "flac", "ogg", "mp4", "mkv",
    "glb", "bin", "csv",
];

/// `SplitMix64`: enough variety, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("it is less than a usize")
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [assets, collections, out] = arguments.as_slice() else {
        return Err("expected: ASSETS COLLECTIONS FILE".into());
    };
    let (assets, collections) = (assets.parse::<u64>()?, collections.parse::<u64>()?.max(1));
    let started = Instant::now();
    generate(Path::new(out), assets, collections)?;
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{assets} assets in {collections} collections: {seconds:.1} s, {} bytes",
        std::fs::metadata(out)?.len()
    );
    Ok(())
}

fn generate(out: &Path, assets: u64, collections: u64) -> Result<(), Box<dyn Error>> {
    let state = tempfile::tempdir()?;
    let options = OpenOptions {
        state_dir: Some(state.path().to_path_buf()),
        ..OpenOptions::default()
    };
    let vault = Vault::create(out, &options)?;
    let mut places = Vec::new();
    for number in 0..collections {
        if number % COLLECTIONS_PER_PROJECT == 0 {
            let name = Name::new(format!("Project {}", number / COLLECTIONS_PER_PROJECT + 1))?;
            places.push((vault.create_project(name, "project", "")?.0.id, Vec::new()));
        }
        let (_, folders) = places.last_mut().expect("a project was just pushed");
        folders.push(Name::new(format!("Collection {}", number + 1))?);
    }
    let ingest = vault.ingest()?;
    ingest.set_bulk(true);
    let mut waiting: VecDeque<Ticket> = VecDeque::new();
    let mut random = Random(1);
    for number in 0..assets {
        let collection = number / RUN % collections;
        let at = |part: u64| usize::try_from(part);
        let (project, folders) = &places[at(collection / COLLECTIONS_PER_PROJECT)?];
        let folder = &folders[at(collection % COLLECTIONS_PER_PROJECT)?];
        let asset = NewAsset {
            place: PlaceId::Project(*project),
            folders: vec![folder.clone()],
            name: name(&mut random, number)?,
            modified: Some(Timestamp {
                seconds: 1_000_000_000 + i64::try_from(random.next() % 700_000_000)?,
                nanoseconds: u32::try_from(random.next() % 1_000_000_000)?,
            }),
            executable: false,
            expected_size: None,
            expected_sha256: None,
        };
        let mut content = format!("{number} {:x}\n", random.next());
        content.push_str(&"x".repeat(random.below(200)));
        waiting.push_back(ingest.archive(asset, &mut content.as_bytes())?.0);
        if waiting.len() > TICKETS_MAX {
            waiting.pop_front().expect("it is not empty").wait()?;
        }
    }
    for ticket in waiting {
        ticket.wait()?;
    }
    vault.close()?;
    Ok(())
}

/// A name as people and cameras give them; the number keeps each the only one of its kind.
fn name(random: &mut Random, number: u64) -> Result<Name, Box<dyn Error>> {
    let mut text = String::new();
    for _ in 0..=random.below(3) {
        text.push_str(random.pick(&WORDS));
        text.push_str(random.pick(&SEPARATORS));
    }
    let name = format!("{text}{number:06}.{}", random.pick(&EXTENSIONS));
    Ok(Name::new(name)?)
}
