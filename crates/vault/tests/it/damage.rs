//! One flipped bit anywhere: never a wrong answer without an error.
//!
//! A small vault with something of everything is copied, one bit of the copy is flipped, and every question is asked
//! again. Each answer must be the right one or an error; nothing may panic or hang; and if full verification finds
//! nothing, every answer must be right. Some bits lie in pages that were never used or in what only writers read:
//! there nothing changes, and nothing need be said.
//!
//! The cases follow from a seed, which is printed. `DAMAGE_CASES` asks for more of them, `DAMAGE_SEED` for others.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::Connection;

use super::support::{Home, Numbers, plain};
use super::varied::{Answers, Questions, fill, verifies};

const CASES: u64 = 100;
const PAGE: usize = 16 * 1024;

/// A vault as bytes, with what it answers when it is intact.
struct Intact {
    home: Home,
    bytes: Vec<u8>,
    questions: Questions,
    answers: Answers,
}

impl Intact {
    fn new() -> Self {
        let home = Home::new();
        let vault = home.create();
        fill(&vault);
        let questions = Questions::of(&vault);
        vault.close().expect("the vault closes");
        let answers = questions.ask(&home.file(), &home);
        assert!(answers.values().all(Result::is_ok), "{answers:?}");
        assert!(verifies(&home.file(), &home));
        let bytes = std::fs::read(home.file()).expect("the vault can be read");
        Self {
            home,
            bytes,
            questions,
            answers,
        }
    }

    /// What is wrong with the answers of a vault with one bit flipped; nothing if all is as it should be.
    fn flip(&self, copy: &Path, bit: usize) -> Outcome {
        let mut bytes = self.bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(copy, &bytes).expect("the copy can be written");
        let asked = catch_unwind(AssertUnwindSafe(|| {
            let answers = self.questions.ask(copy, &self.home);
            (answers, verifies(copy, &self.home))
        }));
        let Ok((answers, verified)) = asked else {
            return Outcome::Wrong("it panicked".into());
        };
        let mut errors = 0;
        for (question, answer) in &answers {
            match answer {
                Err(_) => errors += 1,
                Ok(_) if Some(answer) == self.answers.get(question) => {}
                // A vault that opens for reading only, because its schema or header differs, has said so.
                Ok(said) if ["open", "status"].contains(&question.as_str()) && says_why(said) => {
                    errors += 1;
                }
                Ok(said) => {
                    let right = self.answers.get(question);
                    return Outcome::Wrong(format!("{question}: {said:?} instead of {right:?}"));
                }
            }
        }
        match (errors, verified) {
            (0, true) => Outcome::Harmless,
            (0, false) => Outcome::Found,
            (_, false) => Outcome::Refused,
            (_, true) => Outcome::Wrong(format!(
                "verification finds nothing, but {errors} answers are errors: {:?}",
                answers.iter().find(|(_, answer)| answer.is_err())
            )),
        }
    }

    /// Tries all the bits on two threads; panics with every case that went wrong.
    fn survive(&self, what: &str, bits: &[usize]) {
        let next = AtomicUsize::new(0);
        let outcomes = Mutex::new(BTreeMap::<&'static str, usize>::new());
        let wrong = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for thread in 0..2 {
                let (next, outcomes, wrong) = (&next, &outcomes, &wrong);
                scope.spawn(move || {
                    let copy: PathBuf = self.home.path().join(format!("copy {thread}.vault"));
                    while let Some(bit) = bits.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let outcome = self.flip(&copy, *bit);
                        let word = outcome.word();
                        *outcomes.lock().expect("no panic").entry(word).or_default() += 1;
                        if let Outcome::Wrong(what) = outcome {
                            let page = bit / 8 / PAGE + 1;
                            wrong.lock().expect("no panic").push(format!(
                                "bit {} of byte {} of page {page}: {what}",
                                bit % 8,
                                bit / 8 % PAGE
                            ));
                        }
                    }
                });
            }
        });
        let wrong = wrong.into_inner().expect("no panic");
        let outcomes = outcomes.into_inner().expect("no panic");
        assert!(
            wrong.is_empty(),
            "{what}: {} of {} cases went wrong ({outcomes:?}):\n{}",
            wrong.len(),
            bits.len(),
            wrong.join("\n")
        );
        assert!(
            bits.len() < 20 || outcomes.contains_key("refused") || outcomes.contains_key("found"),
            "damage was noticed at all: {outcomes:?}"
        );
    }
}

enum Outcome {
    /// Nothing that anybody reads.
    Harmless,
    /// All answers right, verification names it.
    Found,
    /// Some answers are errors, verification names it.
    Refused,
    /// A wrong answer, a panic, or an error that verification knows nothing of.
    Wrong(String),
}

impl Outcome {
    const fn word(&self) -> &'static str {
        match self {
            Self::Harmless => "harmless",
            Self::Found => "found",
            Self::Refused => "refused",
            Self::Wrong(_) => "wrong",
        }
    }
}

fn says_why(said: &str) -> bool {
    said.contains("the schema differs") || said.contains("header differs")
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn one_flipped_bit_at_a_random_place_never_makes_a_wrong_answer() {
    let intact = Intact::new();
    let seed = from_environment("DAMAGE_SEED", 1);
    let cases = from_environment("DAMAGE_CASES", CASES);
    let mut numbers = Numbers(seed);
    // Half of the cases anywhere, half outside of packs, where a bit is more than a byte of somebody's file.
    let structure = pages(&intact, |kind| kind != "pack");
    let bits: Vec<usize> = (0..cases)
        .map(|case| {
            let within = numbers.next() as usize;
            if case % 2 == 0 {
                within % (intact.bytes.len() * 8)
            } else {
                let page = structure[numbers.next() as usize % structure.len()];
                (page - 1) * PAGE * 8 + within % (PAGE * 8)
            }
        })
        .collect();
    intact.survive(&format!("seed {seed}, {cases} cases"), &bits);
}

/// The header of each kind of page decides how the rest of it is understood: a bit of every byte of it, and of its last cell
/// with its pointer.
#[test]
fn one_flipped_bit_in_the_head_of_a_page_never_makes_a_wrong_answer() {
    let intact = Intact::new();
    let mut numbers = Numbers(2);
    let mut bits = Vec::new();
    for kind in kinds(&intact).into_keys() {
        for page in pages(&intact, |k| k == kind).into_iter().take(1) {
            let start = (page - 1) * PAGE + if page == 1 { 100 } else { 0 };
            for byte in 0..12 {
                bits.push((start + byte) * 8 + numbers.below(8) as usize);
            }
            let cells = usize::from(u16::from_be_bytes([
                intact.bytes[start + 3],
                intact.bytes[start + 4],
            ]));
            let cell = cells.saturating_sub(1);
            let pointer = start + if is_leaf(intact.bytes[start]) { 8 } else { 12 } + 2 * cell;
            bits.push(pointer * 8 + numbers.below(16) as usize);
            let content = usize::from(u16::from_be_bytes([
                intact.bytes[pointer],
                intact.bytes[pointer + 1],
            ]));
            for byte in 0..4 {
                let at = (page - 1) * PAGE + content + byte;
                bits.push(at.min(page * PAGE - 1) * 8 + numbers.below(8) as usize);
            }
        }
    }
    intact.survive("page heads", &bits);
}

#[test]
fn one_flipped_bit_in_the_file_header_never_makes_a_wrong_answer() {
    let intact = Intact::new();
    let bits: Vec<usize> = (0..100)
        .step_by(2)
        .map(|byte| byte * 8 + byte / 2 % 8)
        .collect();
    intact.survive("file header", &bits);
}

const fn is_leaf(kind: u8) -> bool {
    matches!(kind, 10 | 13)
}

/// The pages of each table and index, by `dbstat`; those of packs are most of them.
fn kinds(intact: &Intact) -> BTreeMap<String, Vec<usize>> {
    let connection: Connection = plain(&intact.home.file());
    let roots: Vec<(String, i64)> = connection
        .prepare("SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0")
        .and_then(|mut statement| {
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        })
        .expect("the schema can be read");
    let mut kinds = BTreeMap::from([("schema".to_owned(), vec![1])]);
    for (name, root) in roots {
        let mut pages = vec![root as usize];
        let mut at = 0;
        while let Some(page) = pages.get(at).copied() {
            at += 1;
            let start = (page - 1) * PAGE;
            if is_leaf(intact.bytes[start]) {
                continue;
            }
            let number = |at: usize| {
                let bytes = &intact.bytes[at..at + 4];
                u32::from_be_bytes(bytes.try_into().expect("four bytes")) as usize
            };
            pages.push(number(start + 8));
            let cells = u16::from_be_bytes([intact.bytes[start + 3], intact.bytes[start + 4]]);
            for cell in 0..usize::from(cells) {
                let pointer = start + 12 + 2 * cell;
                let content = usize::from(u16::from_be_bytes([
                    intact.bytes[pointer],
                    intact.bytes[pointer + 1],
                ]));
                pages.push(number(start + content));
            }
        }
        kinds.insert(name, pages);
    }
    kinds
}

fn pages(intact: &Intact, wanted: impl Fn(&str) -> bool) -> Vec<usize> {
    kinds(intact)
        .into_iter()
        .filter(|(kind, _)| wanted(kind))
        .flat_map(|(_, pages)| pages)
        .collect()
}
