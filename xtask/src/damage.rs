//! `cargo xtask damage`: how much of a real tree comes back from a vault that was damaged on purpose.
//!
//! A vault is made of a folder by the release binary; copies of it lose blocks at random, a run of bytes, or all inner
//! and index pages with the header; each is rescued, taken out and compared with the folder byte for byte. Prints a
//! table for docs/trust.md. For whole corpora, not for the test suite.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, ensure};

/// What to do.
pub(crate) struct Plan {
    /// The folder to archive.
    pub(crate) dir: PathBuf,
    /// Tries of each promised sort of damage.
    pub(crate) cases: u64,
    /// Where the cases begin; printed with each.
    pub(crate) seed: u64,
}

/// Rates of lost blocks in the curve, in hundredths of a percent.
const CURVE: [u64; 9] = [1, 10, 100, 200, 300, 400, 500, 600, 800];
const BLOCK: usize = 4096;
const PAGE: usize = 16 * 1024;
/// Up from here a gap of 3 MiB is promised, below 2 % of the file.
const LARGE: usize = 256 << 20;

/// What is done to a copy.
#[derive(Clone, Copy)]
enum Damage {
    /// So many hundredths of a percent of all blocks.
    Blocks(u64),
    Gap,
    /// The same where it hurts most: it begins shortly before the rows of a stripe, in what was sealed last.
    GapOverParity,
    Structure,
}

/// Runs the plan with the binary at `binary`. Fails if anything within the promise is lost.
pub(crate) fn run(binary: &Path, plan: &Plan) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("a folder for the vaults")?;
    let at = |name: &str| folder.path().join(name);
    let call = |args: &[&Path]| -> anyhow::Result<(i32, String)> {
        let output = Command::new(binary)
            .args(["--quiet", "--json", "--state-dir"])
            .arg(at("state"))
            .args(args)
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok((output.status.code().unwrap_or(-1), text))
    };
    let vault = at("intact.vault");
    call(&["init".as_ref(), &vault])?;
    let contents = plan.dir.join(".");
    let (code, text) = call(&[
        "--vault".as_ref(),
        &vault,
        "add".as_ref(),
        &contents,
        "--to".as_ref(),
        "P/C".as_ref(),
    ])?;
    ensure!(code == 0, "add ended with {code}: {text}");
    let intact = fs::read(&vault)?;
    println!("vault of {} bytes\n", intact.len());
    println!(
        "| damage | seed | intact | healed | lost | entries lost | rescued in | files that differ |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut cases: Vec<(Damage, u64)> = CURVE
        .iter()
        .map(|rate| (Damage::Blocks(*rate), plan.seed))
        .collect();
    for seed in plan.seed + 1..plan.seed + plan.cases {
        cases.push((Damage::Blocks(400), seed));
    }
    cases.extend((plan.seed..plan.seed + plan.cases).map(|seed| (Damage::Gap, seed)));
    cases.extend((plan.seed..plan.seed + plan.cases).map(|seed| (Damage::GapOverParity, seed)));
    cases.push((Damage::Structure, plan.seed));
    let mut broken = 0;
    for (damage, seed) in cases {
        let (damaged, rescued, out) = (at("damaged.vault"), at("rescued.vault"), at("out"));
        fs::write(&damaged, inflict(&intact, damage, seed))?;
        let started = Instant::now();
        let (code, text) = call(&["rescue".as_ref(), &damaged, "--out".as_ref(), &rescued])?;
        let seconds = started.elapsed().as_secs_f64();
        ensure!(code == 0 || code == 11, "rescue ended with {code}: {text}");
        let report: serde_json::Value = serde_json::from_str(&text).context("rescue's report")?;
        call(&[
            "--vault".as_ref(),
            &rescued,
            "export".as_ref(),
            "--out".as_ref(),
            &out,
        ])?;
        let (missing, differ) = compare(&plan.dir, &out.join("P/C"))?;
        let number = |name: &str| report[name].as_u64().unwrap_or(u64::MAX);
        let (what, promised) = match damage {
            Damage::Blocks(rate) => (
                format!("{}.{:02} % of blocks", rate / 100, rate % 100),
                rate <= 400,
            ),
            Damage::Gap => ("a gap".into(), true),
            Damage::GapOverParity => ("a gap over parity".into(), true),
            Damage::Structure => ("header, inner and index pages".into(), true),
        };
        println!(
            "| {what} | {seed} | {} | {} | {} | {} | {seconds:.1} s | {differ} |",
            number("intact"),
            number("healed"),
            number("lost"),
            number("entries_lost"),
        );
        // Wrong bytes are never right; missing files only beyond the promise.
        broken += u64::from(differ > 0 || promised && (missing > 0 || code != 0));
        fs::remove_file(&rescued)?;
        if out.exists() {
            fs::remove_dir_all(&out)?;
        }
    }
    ensure!(broken == 0, "{broken} cases broke the promise");
    println!("\nnothing within the promise was lost, and nothing was wrong");
    Ok(())
}

fn inflict(intact: &[u8], damage: Damage, seed: u64) -> Vec<u8> {
    let mut bytes = intact.to_vec();
    let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let blocks = bytes.len() / BLOCK;
    match damage {
        Damage::Blocks(rate) => {
            let mut order: Vec<usize> = (0..blocks).collect();
            let count = blocks * usize::try_from(rate).expect("small") / 10_000;
            for n in 0..count {
                let other = n + numbers.below(blocks - n);
                order.swap(n, other);
                numbers.fill(&mut bytes[order[n] * BLOCK..][..BLOCK]);
            }
        }
        Damage::Gap => {
            let length = gap(&bytes);
            let from = numbers.below(bytes.len() - length);
            numbers.fill(&mut bytes[from..from + length]);
        }
        Damage::GapOverParity => {
            let length = gap(&bytes);
            let stripes = first_capsules(&bytes);
            let first = stripes[numbers.below(stripes.len())] * PAGE;
            // The pages of its first shards lie before a row's leaf page.
            let before = 4 * PAGE + numbers.below(32 * BLOCK);
            let from = first.saturating_sub(before).min(bytes.len() - length);
            numbers.fill(&mut bytes[from..from + length]);
        }
        Damage::Structure => {
            for (number, page) in bytes.chunks_exact_mut(PAGE).enumerate() {
                // Overflow pages begin with a page number, whose first byte is 0 in files of this size.
                if number == 0 || matches!(page[0], 2 | 5 | 10) {
                    numbers.fill(page);
                }
            }
        }
    }
    bytes
}

/// Bytes of the promised gap.
fn gap(vault: &[u8]) -> usize {
    if vault.len() >= LARGE {
        3 << 20
    } else {
        vault.len() / 50
    }
}

/// The leaf pages, from 0, that hold the first capsules of stripes: docs/vault-format.md, "Capsules".
fn first_capsules(vault: &[u8]) -> Vec<usize> {
    let is_first = |capsule: &[u8]| {
        capsule.starts_with(b"CVPARITY") && capsule.get(42..44).is_some_and(|row| row == [0, 0])
    };
    let pages = vault.chunks_exact(PAGE).enumerate();
    pages
        .filter(|(_, page)| page[0] == 13 && (0..PAGE).any(|at| is_first(&page[at..])))
        .map(|(number, _)| number)
        .collect()
}

/// How many files of `source` are not in `copy`, and how many are but differ.
fn compare(source: &Path, copy: &Path) -> anyhow::Result<(u64, u64)> {
    let (mut missing, mut differ) = (0, 0);
    for entry in fs::read_dir(source)? {
        let entry = entry?;
        let (from, to) = (entry.path(), copy.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            let (m, d) = compare(&from, &to)?;
            missing += m;
            differ += d;
        } else if kind.is_file() {
            match fs::read(&to) {
                Ok(bytes) => differ += u64::from(bytes != fs::read(&from)?),
                Err(_) => missing += 1,
            }
        }
    }
    Ok((missing, differ))
}

/// Xorshift64: the same numbers for the same seed, everywhere.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).expect("below a usize")
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let number = self.next().to_le_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
    }
}
