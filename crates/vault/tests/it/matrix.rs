//! The damage matrix: vaults of several shapes, damaged in every way and measure we could think of.
//!
//! Of a damaged vault three things are asked. Every question gets the right answer or an error, and verification finds
//! nothing only where all answers are right. Whatever a rescue reports as intact or healed is in the new vault byte
//! for byte, under its path and with its times; what it reports as lost is an error there and never other bytes. And
//! within the promise (4 % of all 4 KiB blocks wherever they lie, one gap of 2 % of the file, or page 1 with all index
//! and interior pages) everything comes back, with the same history.
//!
//! The cases follow from a seed. A case that goes wrong names its vault, its number and its seed: run it again with
//! `MATRIX_SEED` and `MATRIX_CASE`; `MATRIX_KEEP` names a folder for its files. `MATRIX_ROUNDS` asks for more of all. The table of outcomes is printed.

mod check;
mod kinds;
mod subjects;
mod wal;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use compactvault_vault::Parity;
use compactvault_vault::rescue::assess;
use compactvault_vault::{Access, OpenOptions, Vault, VerifyLevel};

use self::check::Tally;
use self::kinds::{Case, Damage};
use self::subjects::Subject;
use super::support::{Home, Numbers, add, noise, place};

/// A case that takes longer hangs.
const CASE_TIME_MAX: Duration = Duration::from_mins(3);

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().expect("a number"))
}

/// Tries all cases on one vault, prints the table, and panics with every case that went wrong.
fn survive(what: &str, subject: Subject, cases: &[Case]) {
    let seed = from_environment("MATRIX_SEED").unwrap_or(1);
    let rounds = from_environment("MATRIX_ROUNDS").unwrap_or(1);
    let only = from_environment("MATRIX_CASE");
    let subject = Arc::new(subject);
    let mut table = BTreeMap::<(usize, String), Tally>::new();
    let mut wrong = Vec::new();
    let mut number = 0;
    for round in 0..rounds {
        for (row, case) in cases.iter().enumerate() {
            for _ in 0..case.times {
                number += 1;
                if only.is_some_and(|only| only != number) {
                    continue;
                }
                let outcome = try_one(&subject, *case, seed, number);
                let tally = table.entry((row, case.to_string())).or_default();
                match outcome {
                    Ok(found) => tally.add(&found),
                    Err(error) => {
                        keep(&subject, *case, seed, number);
                        wrong.push(format!(
                        "{what}, {case}, round {round}, MATRIX_SEED={seed} MATRIX_CASE={number}: {error}"
                        ));
                    }
                }
            }
        }
    }
    print(what, &subject, seed, &table);
    assert!(
        wrong.is_empty(),
        "{} of {number} cases went wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// The vault and its damaged copy, in the folder that `MATRIX_KEEP` names: how a vault's rows come to lie depends on how its
/// threads took turns, so that a seed alone may not show the same again.
fn keep(subject: &Subject, case: Case, seed: u64, number: u64) {
    let Some(folder) = std::env::var_os("MATRIX_KEEP").map(std::path::PathBuf::from) else {
        return;
    };
    let damaged = case
        .damage
        .apply(&subject.bytes, &mut Numbers(seed << 32 | number));
    for (name, bytes) in [("intact", &subject.bytes), ("damaged", &damaged)] {
        let file = folder.join(format!("{seed}-{number}-{name}.vault"));
        std::fs::write(file, bytes).expect("the named folder can be written");
    }
}

/// In a thread of its own, so that one that hangs is noticed.
fn try_one(subject: &Arc<Subject>, case: Case, seed: u64, number: u64) -> Result<Tally, String> {
    let (done, wait) = sync_channel(1);
    let subject = Arc::clone(subject);
    let thread = std::thread::spawn(move || {
        let mut numbers = Numbers(seed << 32 | number);
        let bytes = case.damage.apply(&subject.bytes, &mut numbers);
        let outcome = subject.check(&bytes, case.promised, number % 3 == 1);
        // Nobody listens any more if it took too long.
        let _ = done.send(outcome);
    });
    match wait.recv_timeout(CASE_TIME_MAX) {
        Ok(outcome) => outcome,
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => Err("it hangs".into()),
        Err(_) => {
            let panic = thread.join().expect_err("it ended without an answer");
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            Err(format!("it panicked: {}", text.unwrap_or_default()))
        }
    }
}

#[expect(
    clippy::print_stdout,
    reason = "the table is for the person who runs it"
)]
fn print(what: &str, subject: &Subject, seed: u64, table: &BTreeMap<(usize, String), Tally>) {
    let mut text = format!(
        "\n{what}: {} bytes, {} assets, seed {seed}\n{}\n",
        subject.bytes.len(),
        subject.known.len(),
        Tally::HEAD
    );
    for ((_, label), tally) in table {
        writeln!(text, "| {label:<34} {tally}").expect("memory takes it");
    }
    println!("{text}");
}

/// What is tried on vaults that are small enough to try much.
fn all_kinds(times: u64) -> Vec<Case> {
    let mut cases = vec![
        Case::promised(Damage::Bits(1), 3 * times),
        Case::promised(Damage::Header, times),
        Case::promised(Damage::PageOne, times),
        Case::promised(Damage::Interior, times),
        Case::promised(Damage::Index, times),
        Case::promised(Damage::Structure, times),
        Case::promised(Damage::Free, times),
        Case::promised(Damage::Gap, 2 * times),
        Case::promised(Damage::GapInParity, 2 * times),
        Case::promised(Damage::Zeroed(4.0), times),
        Case::beyond(Damage::Tail(1.0), times),
        Case::beyond(Damage::Tail(30.0), times),
        Case::beyond(Damage::Swapped(1), times),
        Case::beyond(Damage::Swapped(20), times),
        Case::beyond(Damage::Runs(1), times),
        Case::beyond(Damage::Runs(4), times),
        Case::beyond(Damage::StructureAndBlocks(2.0), times),
        Case::beyond(Damage::StructureAndBlocks(40.0), times),
    ];
    for rate in [0.01, 0.1, 0.5, 1.0, 2.0] {
        cases.push(Case::promised(Damage::Blocks(rate), times));
    }
    cases.push(Case::promised(Damage::Blocks(4.0), 4 * times));
    for rate in [8.0, 30.0] {
        cases.push(Case::beyond(Damage::Blocks(rate), times));
    }
    for rate in [0.01, 0.1] {
        cases.push(Case::beyond(Damage::Bytes(rate), times));
    }
    cases
}

#[test]
fn a_small_vault_of_everything_survives_what_is_promised_and_is_silent_about_nothing() {
    survive("varied", Subject::varied(Parity::Percent6), &all_kinds(1));
}

#[test]
fn a_vault_of_tiny_files_sealed_one_by_one_survives_what_is_promised() {
    survive("tiny files", Subject::tiny(), &all_kinds(1));
}

#[test]
fn a_mixed_vault_survives_what_is_promised() {
    let mut cases = all_kinds(1);
    cases.retain(|case| case.promised || matches!(case.damage, Damage::Blocks(_)));
    survive("mixed", Subject::mixed(), &cases);
}

#[test]
fn a_vault_of_large_files_survives_what_is_promised() {
    let cases = [
        Case::promised(Damage::Blocks(4.0), 2),
        Case::promised(Damage::Structure, 1),
        Case::promised(Damage::Gap, 1),
        Case::promised(Damage::GapInParity, 2),
        Case::beyond(Damage::Blocks(8.0), 1),
        Case::beyond(Damage::Tail(10.0), 1),
    ];
    survive("large files", Subject::large(true), &cases);
    // Killed, or closed, before the stripes of single commits were merged: no promise yet, but no silence either.
    let cases = [
        Case::promised(Damage::Structure, 1),
        Case::beyond(Damage::Blocks(1.0), 1),
        Case::beyond(Damage::Blocks(4.0), 1),
        Case::beyond(Damage::Gap, 1),
    ];
    survive(
        "large files, stripes unmerged",
        Subject::large(false),
        &cases,
    );
}

#[test]
fn other_measures_of_parity_keep_what_they_promise_and_none_is_honest() {
    for (parity, promised) in [
        (Parity::Off, false),
        (Parity::Percent3, false),
        (Parity::Percent25, true),
    ] {
        let case = if promised {
            Case::promised
        } else {
            Case::beyond
        };
        let mut cases = vec![
            case(Damage::Blocks(4.0), 1),
            case(Damage::Structure, 1),
            case(Damage::Gap, 1),
            Case::beyond(Damage::Blocks(15.0), 1),
            Case::beyond(Damage::Tail(20.0), 1),
        ];
        if promised {
            cases.push(case(Damage::GapInParity, 2));
        }
        let what = format!("varied, {} percent", parity.percent());
        survive(&what, Subject::varied(parity), &cases);
    }
}

/// False alarms: whatever a vault's history, an intact one has no findings and nothing in it is healed or lost.
#[test]
fn an_intact_vault_of_any_shape_has_no_findings() {
    for parity in [
        Parity::Off,
        Parity::Percent3,
        Parity::Percent12,
        Parity::Percent25,
    ] {
        for commits in [0, 1, 90] {
            for reopened in [false, true] {
                let home = Home::new();
                let options = OpenOptions {
                    parity,
                    ..home.options()
                };
                let vault = Vault::create(&home.file(), &options).expect("it can be made");
                let place = (commits > 0).then(|| place(&vault));
                for n in 0..commits {
                    let place = place.expect("there is one");
                    add(&vault, place, &format!("{n}"), &noise(n, 700 * n as usize));
                    if reopened && n % 8 == 0 {
                        vault.close().expect("it closes");
                        let again = Vault::open(&home.file(), &options).expect("it opens");
                        add(&again, place, "again", &noise(n << 8, 10));
                        again.upkeep().expect("nothing is wrong");
                        again.close().expect("it closes");
                        break;
                    }
                }
                vault.close().expect("it closes");
                no_alarm(&home, &format!("{parity:?}, {commits}, {reopened}"));
            }
        }
    }
}

#[track_caller]
fn no_alarm(home: &Home, what: &str) {
    let options = OpenOptions {
        access: Access::Read,
        ..home.options()
    };
    let vault = Vault::open(&home.file(), &options).expect("it opens");
    let report = vault.verify(VerifyLevel::Deep, &|_| ()).expect("it ends");
    assert_eq!(report.findings, [], "{what}");
    let entries = vault.log_size().expect("it is intact");
    vault.close().expect("it closes");
    let report = assess(&home.file(), &mut |_| ()).expect("it is a vault");
    assert!(
        report.complete() && report.same_history,
        "{what}: {report:?}"
    );
    assert_eq!((report.entries, report.healed), (entries, 0), "{what}");
    assert_eq!(home.files(), ["test.vault"], "{what}");
}
