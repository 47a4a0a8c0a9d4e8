//! Everything that parses, sent the corpus and then what comes of changing it at random, on stable Rust: each call is an
//! execution. What a coverage-guided fuzzer finds with the same targets (`fuzz/`) goes into the corpus.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use compactvault_vault::targets::Target;
use compactvault_vault::{Access, OpenOptions, Vault, VerifyLevel};
use serde_json::json;

use crate::oracle::{VAULT, new_asset, options};
use crate::power::folder;
use crate::random::{Random, noise};
use crate::workload::place;

/// Bytes of an input, at most.
const INPUT_BYTES_MAX: usize = 16 * 1024;
/// An execution that takes longer hangs.
const EXECUTION_MAX: Duration = Duration::from_secs(10);
/// Of all executions one in so many goes to the target that needs a file, and takes a thousand times as long.
const FILES_ONE_IN: u64 = 500;

/// What to do.
pub struct Plan {
    /// Which changes.
    pub seed: u64,
    /// Executions of all targets together.
    pub executions: u64,
}

/// Sends the corpus and its changes to every target; gives the figures.
pub fn run(plan: &Plan, corpus: &Path) -> Result<serde_json::Value> {
    let targets: Vec<(&str, Target)> = compactvault_vault::targets::ALL
        .into_iter()
        .chain(compactvault_server::targets::ALL)
        .chain(compactvault_preview::targets::ALL)
        .collect();
    let each = plan.executions / targets.len() as u64;
    let mut by_target = BTreeMap::new();
    let mut failures = Vec::new();
    let mut executions = 0;
    let mut seeds = 0;
    let started = Instant::now();
    // A panic is what is looked for, and told in the figures.
    std::panic::set_hook(Box::new(|_| ()));
    for (name, target) in &targets {
        let inputs = inputs(&corpus.join(name))?;
        seeds += inputs.len();
        let mut random = Random::new(plan.seed ^ name.bytes().map(u64::from).sum::<u64>());
        let mut try_one = |input: &[u8]| {
            let begun = Instant::now();
            let panicked = catch_unwind(AssertUnwindSafe(|| target(input))).is_err();
            if panicked || begun.elapsed() > EXECUTION_MAX {
                failures.push(format!("{name}: {}", hex(input)));
            }
        };
        for input in &inputs {
            try_one(input);
        }
        for _ in 0..each {
            let input = changed(&inputs, &mut random);
            try_one(&input);
        }
        let count = each + inputs.len() as u64;
        executions += count;
        by_target.insert((*name).to_owned(), count);
    }
    let files = (plan.executions / FILES_ONE_IN).max(20);
    let vaults = vaults(plan.seed, files, &mut failures)?;
    let _ = std::panic::take_hook();
    by_target.insert("vault".to_owned(), vaults);
    let seconds = started.elapsed().as_secs().max(1);
    Ok(json!({
        "executions": executions + vaults,
        "by_target": by_target,
        "corpus": seeds,
        "executions_per_second": (executions + vaults) / seconds,
        "failures": failures.len(),
        "first_failures": failures.iter().take(5).collect::<Vec<_>>(),
    }))
}

fn inputs(folder: &Path) -> Result<Vec<Vec<u8>>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths: Vec<_> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    paths.sort();
    paths
        .iter()
        .map(|path| fs::read(path).with_context(|| path.display().to_string()))
        .collect()
}

/// One of the inputs with bits, bytes, numbers, pieces changed, or two of them crossed.
fn changed(inputs: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    const ODD: [&[u8]; 8] = [
        b"\0",
        b"\xff\xff\xff\xff",
        b"\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"-",
        b"\n\n",
        b"18446744073709551616",
        b"\xe2\x80\xae",
        b"\x28\xb5\x2f\xfd",
    ];
    let mut input = inputs
        .get(random.index(inputs.len()))
        .cloned()
        .unwrap_or_default();
    for _ in 0..=random.below(6) {
        let at = random.index(input.len() + 1);
        match random.below(7) {
            0 if at < input.len() => input[at] ^= 1 << random.below(8),
            1 if at < input.len() => input[at] = u8::try_from(random.below(256)).unwrap_or(0),
            2 => {
                let odd = ODD[random.index(ODD.len())];
                input.splice(at..at, odd.iter().copied());
            }
            3 => input.truncate(at),
            4 => {
                let end = (at + random.index(64)).min(input.len());
                let piece: Vec<u8> = input[at..end].to_vec();
                let to = random.index(input.len() + 1);
                input.splice(to..to, piece);
            }
            5 => {
                let end = (at + random.index(32)).min(input.len());
                input.drain(at..end);
            }
            _ => {
                if let Some(other) = inputs.get(random.index(inputs.len())) {
                    let from = random.index(other.len() + 1);
                    input.truncate(at);
                    input.extend_from_slice(&other[from..]);
                }
            }
        }
    }
    input.truncate(INPUT_BYTES_MAX);
    input
}

/// A vault's pages changed at random, in a file: opened, verified, and searched by `rescue`.
fn vaults(seed: u64, count: u64, failures: &mut Vec<String>) -> Result<u64> {
    let home = folder()?;
    let at = home.path();
    let vault = Vault::create(&at.join(VAULT), &options(at))?;
    let place = place(&vault)?;
    for n in 0..6 {
        let bytes = noise(n, 4000 * (1 + usize::try_from(n).unwrap_or(0)));
        vault.archive_bytes(new_asset(place, &n.to_string()), &bytes)?;
    }
    vault.close()?;
    let intact = fs::read(at.join(VAULT))?;
    let mut random = Random::new(seed);
    for number in 0..count {
        let mut bytes = intact.clone();
        for _ in 0..=random.below(40) {
            // Where structure is: the beginnings and ends of pages.
            let page = random.index(bytes.len() / 16_384) * 16_384;
            let within = match random.below(3) {
                0 => random.index(120),
                1 => 16_384 - 1 - random.index(400),
                _ => random.index(16_384),
            };
            bytes[page + within] = u8::try_from(random.below(256)).unwrap_or(0);
        }
        let begun = Instant::now();
        let folder = folder()?;
        let tried = catch_unwind(AssertUnwindSafe(|| try_vault(folder.path(), &bytes)));
        if tried.is_err() || begun.elapsed() > 6 * EXECUTION_MAX {
            failures.push(format!("vault: seed {seed}, number {number}"));
        }
    }
    Ok(count)
}

fn try_vault(folder: &Path, bytes: &[u8]) {
    let path = folder.join(VAULT);
    if fs::write(&path, bytes).is_err() {
        return;
    }
    let reading = OpenOptions {
        access: Access::Read,
        ..options(folder)
    };
    if let Ok(vault) = Vault::open(&path, &reading) {
        let _ = vault.verify(VerifyLevel::Deep, &|_| ());
        if let Ok(walk) = vault.walk(None, true) {
            // Whatever is met must be an item or an error, and come to an end.
            let _ = walk.take(10_000).flatten().count();
        }
    }
    let _ = compactvault_vault::rescue::assess(&path, &mut |_| ());
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .take(4000)
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
