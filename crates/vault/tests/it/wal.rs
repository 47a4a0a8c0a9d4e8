//! Damage to the WAL that a killed process left behind.
//!
//! SQLite stops reading a WAL at the first frame whose checksum is wrong, and says nothing: the commits from there on
//! would be gone. What must hold: such a vault is refused and not a byte of it changed, so that nothing is lost that
//! can still be had; and no WAL that an interrupted or a busy process leaves is taken for damaged.

use std::fs;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use compactvault_vault::{Access, OpenError, OpenOptions, Vault, VerifyLevel};

use super::processes::{assert_intact, child, lines, sealed};
use super::support::{Home, Numbers, add, file_digest, noise, place};

const FRAME: usize = 24 + 16 * 1024;
const FILES: [&str; 3] = ["test.vault", "test.vault-wal", "test.vault-shm"];

/// A vault as a killed process leaves it: the file, its WAL, and the WAL's index.
struct Left {
    file: Vec<u8>,
    wal: Vec<u8>,
    index: Vec<u8>,
    entries: u64,
}

impl Left {
    fn with_commits(commits: u64) -> Self {
        let home = Home::new();
        let vault = home.create();
        let place = place(&vault);
        for n in 0..commits {
            add(&vault, place, &format!("{n}"), &noise(n, 20_000));
        }
        let [file, wal, index] =
            FILES.map(|name| fs::read(home.path().join(name)).expect("the vault is open"));
        assert_eq!((wal.len() - 32) % FRAME, 0, "frames are whole");
        Self {
            file,
            wal,
            index,
            entries: vault.log_size().expect("it is intact"),
        }
    }

    fn frames(&self) -> usize {
        (self.wal.len() - 32) / FRAME
    }

    fn put(&self, wal: &[u8], index: bool) -> Home {
        let home = Home::new();
        let write = |name, bytes: &[u8]| {
            fs::write(home.path().join(name), bytes).expect("the copy can be written");
        };
        write(FILES[0], &self.file);
        write(FILES[1], wal);
        if index {
            write(FILES[2], &self.index);
        }
        home
    }
}

fn reading(home: &Home) -> OpenOptions {
    OpenOptions {
        access: Access::Read,
        ..home.options()
    }
}

/// Opens what must be refused, for reading and for writing, and checks that nothing has changed.
#[track_caller]
fn refused(home: &Home, what: &str) -> String {
    let before = home.files();
    let digests: Vec<_> = before
        .iter()
        .map(|name| file_digest(&home.path().join(name)))
        .collect();
    let mut said = String::new();
    for options in [home.options(), reading(home)] {
        let error = match Vault::open(&home.file(), &options) {
            Ok(vault) => panic!("{what}: opened with {:?} entries", vault.log_size()),
            Err(error) => error,
        };
        assert_eq!(error.code(), "wal_damaged", "{what}: {error}");
        said = error.to_string();
    }
    assert_eq!(home.files(), before, "{what}");
    let after: Vec<_> = before
        .iter()
        .map(|name| file_digest(&home.path().join(name)))
        .collect();
    assert_eq!(digests, after, "{what}: nothing was written");
    said
}

#[test]
fn any_flipped_bit_before_the_last_commit_is_refused_and_nothing_is_overwritten() {
    let left = Left::with_commits(12);
    let mut numbers = Numbers(11);
    let last = left.frames() as u64 - 1;
    let at = |frame: u64, within: u64| 32 + frame * FRAME as u64 + within;
    for case in 0..100_u64 {
        // The header, frames' headers, pages, the pages of the last commit before its own frame, and the last frame.
        let (byte, index) = match case % 5 {
            0 => (numbers.below(32), case % 2 == 0),
            1 => (at(numbers.below(last), numbers.below(24)), case % 2 == 0),
            2 => (
                at(numbers.below(last), 24 + numbers.below(16_384)),
                case % 2 == 0,
            ),
            3 => (at(last - 1, numbers.below(FRAME as u64)), case % 2 == 0),
            _ => (at(last, numbers.below(FRAME as u64)), true),
        };
        let mut wal = left.wal.clone();
        wal[byte as usize] ^= 1 << numbers.below(8);
        let said = refused(
            &left.put(&wal, index),
            &format!("byte {byte}, index {index}"),
        );
        for word in ["test.vault-wal", "rescue", "nothing was opened or changed"] {
            assert!(said.contains(word), "{said}");
        }
    }
}

#[test]
fn a_wal_that_was_cut_off_is_refused_while_its_index_is_there() {
    let left = Left::with_commits(5);
    let mut numbers = Numbers(12);
    for _ in 0..30 {
        let length = numbers.below(left.wal.len() as u64) as usize;
        let said = refused(
            &left.put(&left.wal[..length], true),
            &format!("{length} bytes"),
        );
        assert!(said.contains("cut off") || said.contains("empty"), "{said}");
    }
    refused(&left.put(&[], true), "nothing");
}

#[test]
fn without_an_index_the_last_commit_may_be_lost_but_never_a_part_of_it() {
    let left = Left::with_commits(5);
    let last = 32 + (left.frames() - 1) * FRAME;
    for length in [last, last + 10, last + 24, last + 9000] {
        let home = left.put(&left.wal[..length], false);
        let vault = home.open();
        assert_eq!(vault.log_size().expect("it is intact"), left.entries - 1);
        assert_intact(&vault);
    }
}

#[test]
fn an_intact_wal_is_read_to_its_end_with_and_without_its_index() {
    let left = Left::with_commits(5);
    for index in [true, false] {
        for access in [Access::Read, Access::Write] {
            let home = left.put(&left.wal, index);
            let options = OpenOptions {
                access,
                ..home.options()
            };
            let vault = Vault::open(&home.file(), &options).expect("it opens");
            assert_eq!(vault.log_size().expect("it is intact"), left.entries);
            assert_intact(&vault);
            vault.close().expect("it closes");
            assert_eq!(home.files(), ["test.vault"]);
        }
    }
}

#[test]
fn a_damaged_wal_counts_what_would_be_dropped() {
    let left = Left::with_commits(10);
    let mut wal = left.wal.clone();
    wal[32 + 5 * FRAME + 3000] ^= 1;
    let home = left.put(&wal, true);
    let error = Vault::open(&home.file(), &home.options())
        .map(|_| ())
        .expect_err("damaged");
    let OpenError::WalDamaged {
        commits, detail, ..
    } = error
    else {
        panic!("{error}");
    };
    assert!((8..=12).contains(&commits), "{commits}");
    assert!(detail.contains("frame 6"), "{detail}");
}

fn snapshot(home: &Home, folder: &Path) -> PathBuf {
    fs::create_dir_all(folder).expect("a folder can be made");
    for name in FILES {
        let from = home.path().join(name);
        if from.exists() {
            fs::copy(from, folder.join(name)).expect("it can be copied");
        }
    }
    folder.join(FILES[0])
}

/// Transactions larger than the page cache are written before they commit, and pages of them written over: what a
/// killed process leaves then looks most like damage.
#[test]
fn no_wal_of_a_killed_process_is_taken_for_damaged() {
    let home = Home::new();
    let vault = home.create();
    place(&vault);
    vault.close().expect("the vault closes");
    let mut numbers = Numbers(6);
    for round in 1..=14_u64 {
        let role = if round % 2 == 0 { "large" } else { "endless" };
        let mut child = child(&home, role, round);
        // Kept until it is gone: nobody listening any more would be an end of another kind.
        let mut out = lines(&mut child);
        listen_until_sealed(&mut out, 1 + numbers.below(4));
        std::thread::sleep(Duration::from_millis(numbers.below(60)));
        child.kill().expect("it can be killed");
        child.wait().expect("it is gone");
        drop(out);
        // Without its index, too: as a copy of the two files would be.
        let folder = home.path().join("state").join(format!("copy {round}"));
        let copy = snapshot(&home, &folder);
        let index = folder.join(FILES[2]);
        let _ = fs::remove_file(index);
        for path in [copy, home.file()] {
            let vault = Vault::open(&path, &home.options())
                .unwrap_or_else(|error| panic!("round {round}: {error}"));
            let report = vault.verify(VerifyLevel::Quick, &|_| ()).expect("it ends");
            assert_eq!(report.findings, [], "round {round}");
            vault.close().expect("it closes");
        }
        fs::remove_dir_all(folder).expect("it can be removed");
    }
}

/// Reads until so many assets were said to be sealed.
fn listen_until_sealed(out: &mut impl BufRead, mut count: u64) {
    for line in out.lines() {
        if sealed(&line.expect("it writes text")).is_some() {
            count -= 1;
        }
        if count == 0 {
            return;
        }
    }
    panic!("it ended of its own");
}

#[test]
fn a_vault_that_others_write_to_is_never_taken_for_damaged() {
    let home = Home::new();
    let vault = home.create();
    place(&vault);
    vault.close().expect("the vault closes");
    let mut children: Vec<_> = ["coming and going", "coming and going", "endless"]
        .into_iter()
        .zip(1..)
        .map(|(role, number)| child(&home, role, number))
        .collect();
    // Read on, or they would wait for somebody to listen.
    let listeners: Vec<_> = children
        .iter_mut()
        .map(|child| {
            let mut out = lines(child);
            std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()))
        })
        .collect();
    let start = Instant::now();
    let mut opened = 0;
    // A busy machine takes longer.
    while opened <= 40 || start.elapsed() < Duration::from_secs(6) {
        let options = if opened % 2 == 0 {
            reading(&home)
        } else {
            home.options()
        };
        match Vault::open(&home.file(), &options) {
            Ok(vault) => {
                vault.log_size().expect("it is intact");
                vault.close().expect("it closes");
            }
            Err(error) => panic!("open {opened}: {error}"),
        }
        opened += 1;
        // One that goes for good, so that the vault is sometimes left alone by all but two that come and go.
        if opened == 25 {
            children[2].kill().expect("it can be killed");
        }
    }
    for child in &mut children[..2] {
        let ended = child.try_wait().expect("it can be asked");
        assert_eq!(ended, None, "no other process met an error either");
    }
    for child in &mut children {
        child.kill().expect("it can be killed");
        child.wait().expect("it is gone");
    }
    for listener in listeners {
        let _ = listener.join();
    }
    assert_intact(&home.open());
}
