//! Several vaults open on one file, in one process and in several, and processes that end without warning.
//!
//! The other processes are this test binary, started again with a role in its environment: they run the test
//! `a_child_does_what_it_is_told`, which does nothing when no role is given.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use compactvault_vault::{
    Access, AssetId, CollectionId, Digest, NewAsset, OpenOptions, PlaceId, Seq, Vault, VerifyLevel,
};

use super::support::{Home, Numbers, add, name, new_asset, noise, place, read_all};

const ROLE: &str = "COMPACTVAULT_TEST_ROLE";

pub(crate) fn child(home: &Home, role: &str, number: u64) -> Child {
    Command::new(std::env::current_exe().expect("this binary has a path"))
        .args(["it::processes::a_child_does_what_it_is_told", "--exact"])
        .args(["--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env("COMPACTVAULT_TEST_VAULT", home.file())
        .env("COMPACTVAULT_TEST_STATE", home.path().join("state"))
        .env("COMPACTVAULT_TEST_NUMBER", number.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this binary can be started again")
}

/// The bytes of the `n`-th asset of a child: small ones, and now and then one of several chunks.
pub(crate) fn child_bytes(number: u64, n: u64) -> Vec<u8> {
    let size = if n % 7 == 3 { 1_500_000 } else { 3000 + n * 11 };
    noise(number << 32 | n, size as usize)
}

#[test]
fn a_child_does_what_it_is_told() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let variable = |name: &str| std::env::var(name).expect("a child is told everything");
    let number: u64 = variable("COMPACTVAULT_TEST_NUMBER")
        .parse()
        .expect("a number");
    let options = OpenOptions {
        state_dir: Some(variable("COMPACTVAULT_TEST_STATE").into()),
        ..OpenOptions::default()
    };
    let path = variable("COMPACTVAULT_TEST_VAULT");
    if role == "coming and going" {
        come_and_go(Path::new(&path), &options, number);
    }
    let vault = Vault::open(Path::new(&path), &options).expect("the vault opens");
    let place = CollectionId::new(Seq::new(2));
    let count = if role == "some" { 25 } else { u64::MAX };
    let mut tickets = std::collections::VecDeque::new();
    for n in 0..count {
        let ingest = vault.ingest().expect("it takes things in");
        let asset = new_asset(place, name(&format!("{number}-{n}")));
        let bytes = if role == "large" {
            noise(number << 32 | n, 9_000_000)
        } else {
            child_bytes(number, n)
        };
        let (ticket, _) = ingest
            .archive(asset, &mut bytes.as_slice())
            .expect("memory can be read");
        tickets.push_back((n, ticket));
        // Several at a time, so that commits hold several.
        if tickets.len() > 4 {
            tell(tickets.pop_front().expect("there are some"));
        }
    }
    tickets.into_iter().for_each(tell);
    vault.close().expect("the vault closes");
}

/// Opens the vault, adds a little and closes it, without end: its WAL comes, begins anew and goes all the time.
fn come_and_go(path: &Path, options: &OpenOptions, number: u64) -> ! {
    let place = CollectionId::new(Seq::new(2));
    for n in 0_u64.. {
        let vault = Vault::open(path, options).expect("the vault opens");
        for m in 0..3 {
            add(
                &vault,
                place,
                &format!("{number}-{n}-{m}"),
                &noise(n << 8 | m, 30_000),
            );
            if m == 1 {
                vault.upkeep().expect("the WAL is copied and begins anew");
            }
        }
        if n % 3 == 0 {
            // As a process that ends without closing anything, but for its locks.
            vault.upkeep().expect("the WAL is copied");
        }
        vault.close().expect("the vault closes");
        writeln!(std::io::stdout(), "\nround {n}").expect("the parent listens");
    }
    unreachable!("numbers do not end")
}

/// Says on standard output, which the parent reads, that an asset is sealed.
fn tell((n, ticket): (u64, compactvault_vault::Ticket)) {
    let sealed = ticket.wait().expect("it is sealed");
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nsealed {n} {}", sealed.seq).expect("the parent listens");
    out.flush().expect("the parent listens");
}

/// What the child says was sealed: number and entry.
pub(crate) fn sealed(line: &str) -> Option<(u64, Seq)> {
    let mut words = line.strip_prefix("sealed ")?.split(' ');
    let n = words.next()?.parse().ok()?;
    let seq: u64 = words.next()?.parse().ok()?;
    Some((n, Seq::new(seq)))
}

pub(crate) fn lines(child: &mut Child) -> BufReader<ChildStdout> {
    BufReader::new(child.stdout.take().expect("it is piped"))
}

pub(crate) fn assert_intact(vault: &Vault) {
    let report = vault
        .verify(VerifyLevel::Deep, &|_| ())
        .expect("verification ends");
    assert_eq!(report.findings, []);
}

#[test]
fn two_handles_in_one_process_lose_nothing_of_each_other() {
    let home = Home::new();
    let one = home.create();
    let place = place(&one);
    let two = home.open();
    std::thread::scope(|scope| {
        for (number, vault) in [&one, &two].into_iter().enumerate() {
            scope.spawn(move || {
                for n in 0..40_u64 {
                    // Half of the bytes are the same in both, and so is a third of the names.
                    let bytes = noise(
                        if n % 2 == 0 {
                            n
                        } else {
                            n << 8 | number as u64
                        },
                        5000,
                    );
                    let label = if n % 3 == 0 { 9 } else { number };
                    let sealed = add(vault, place, &format!("{label} {n}"), &bytes);
                    assert!(
                        read_all(vault, AssetId::new(sealed.seq)).expect("it is intact") == bytes
                    );
                }
            });
        }
    });
    assert_intact(&one);
    let status = one.status().expect("it can be asked");
    assert_eq!(
        status,
        two.status()
            .map(|other| compactvault_vault::Status {
                file_bytes: status.file_bytes,
                ..other
            })
            .expect("it can be asked")
    );
    assert_eq!(status.chunks, 20 + 2 * 20, "equal bytes are stored once");
    one.close().expect("it closes");
    assert_intact(&two);
    add(&two, place, "after the other closed", b"x");
    two.close().expect("it closes");
    assert_eq!(home.files(), ["test.vault"]);
}

#[test]
fn two_processes_lose_nothing_of_each_other() {
    let home = Home::new();
    let vault = home.create();
    place(&vault);
    vault.poll_changes().expect("it can be watched");
    let mut children: Vec<Child> = (1..=2).map(|n| child(&home, "some", n)).collect();
    let mut told = Vec::new();
    for (child, number) in children.iter_mut().zip(1..) {
        for line in lines(child).lines() {
            let line = line.expect("it writes text");
            told.extend(sealed(&line).map(|(n, seq)| (number, n, seq)));
        }
    }
    for mut child in children {
        assert!(child.wait().expect("it ends").success());
    }
    assert_eq!(told.len(), 50, "every asset was answered");
    for (number, n, seq) in told {
        let bytes = read_all(&vault, AssetId::new(seq)).expect("it is intact");
        assert!(bytes == child_bytes(number, n), "{number}-{n}");
    }
    let change = vault
        .poll_changes()
        .expect("it can be watched")
        .expect("others have added something");
    assert_eq!(change.log_size, 3 + 50);
    assert_eq!(change.places, Some(vec![Seq::new(2)]));
    assert_eq!(vault.poll_changes().expect("it can be watched"), None);
    // What this one adds is a change, too; and it goes on where the others ended.
    let own = add(&vault, CollectionId::new(Seq::new(2)), "own", b"own");
    assert_eq!(own.seq.get(), 3 + 50);
    assert!(vault.poll_changes().expect("it can be watched").is_some());
    assert_intact(&vault);
}

#[test]
fn a_reader_sees_whole_commits_and_an_intact_vault_at_any_moment() {
    let home = Home::new();
    let vault = home.create();
    let (project, _) = vault
        .create_project(name("P"), "project", "")
        .expect("a project can be created");
    let done = AtomicBool::new(false);
    let options = OpenOptions {
        access: Access::Read,
        ..home.options()
    };
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let reader = Vault::open(&home.file(), &options).expect("it opens");
            let mut rounds = 0_u64;
            let mut size = 0;
            while !done.load(Ordering::Relaxed) {
                rounds += 1;
                let status = reader.status().expect("figures and root agree");
                assert!(status.entries >= size, "a log only grows");
                size = status.entries;
                // Each asset comes with a folder of its own, in one commit.
                assert_eq!(status.assets, status.collections, "{status:?}");
                let met = reader.walk(None, true).expect("it can be walked");
                for item in met {
                    item.expect("what is listed is there");
                }
                let page = reader.projects().expect("they can be listed");
                assert_eq!(page[0].assets, page[0].collections);
                if rounds % 8 == 1 {
                    assert_intact(&reader);
                }
            }
            rounds
        });
        for n in 0..150_u32 {
            let asset = NewAsset {
                place: PlaceId::Project(project.id),
                folders: vec![name(&format!("Folder {n}"))],
                ..new_asset(CollectionId::new(Seq::VAULT), name("a"))
            };
            let ingest = vault.ingest().expect("it takes things in");
            let (ticket, _) = ingest
                .archive(asset, &mut noise(n.into(), 2000).as_slice())
                .expect("memory can be read");
            if n % 10 == 0 {
                ticket.wait().expect("it is sealed");
                vault.upkeep().expect("the WAL can be copied meanwhile");
            }
        }
        done.store(true, Ordering::Relaxed);
        assert!(reader.join().expect("the reader is content") > 1);
    });
}

/// Ten times: what was answered before the kill is there for ever, and nothing else is half there.
#[test]
fn a_killed_process_leaves_every_answered_asset_and_an_intact_vault() {
    let home = Home::new();
    let vault = home.create();
    place(&vault);
    vault.close().expect("the vault closes");
    let mut numbers = Numbers(5);
    let mut told = Vec::new();
    let mut before = (0, Digest::EMPTY);
    for round in 1..=10_u64 {
        let mut child = child(&home, "endless", round);
        let mut lines = lines(&mut child).lines();
        // After a few answers, at some moment between two.
        let answers = 1 + numbers.below(12);
        let mut heard = 0;
        while heard < answers {
            let line = lines.next().expect("it goes on").expect("it writes text");
            if let Some((n, seq)) = sealed(&line) {
                told.push((round, n, seq));
                heard += 1;
            }
        }
        std::thread::sleep(Duration::from_millis(numbers.below(25)));
        child.kill().expect("it can be killed");
        child.wait().expect("it is gone");
        // What it had said before it was killed but nobody had heard yet counts, too.
        for line in lines {
            let line = line.expect("it writes text");
            told.extend(sealed(&line).map(|(n, seq)| (round, n, seq)));
        }
        let start = Instant::now();
        let vault = home.open();
        assert_eq!(vault.read_only(), None);
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "reopening is quick"
        );
        let status = vault.status().expect("it is intact");
        assert!(status.entries > before.0 && status.root != before.1);
        before = (status.entries, status.root);
        let report = vault
            .verify(VerifyLevel::Deep, &|_| ())
            .expect("verification ends");
        assert_eq!(report.findings, [], "round {round}");
        add(
            &vault,
            CollectionId::new(Seq::new(2)),
            &format!("after kill {round}"),
            b"it goes on",
        );
        vault.close().expect("the vault closes");
        assert_eq!(home.files(), ["test.vault"]);
    }
    let vault = home.open();
    for (round, n, seq) in told {
        let asset = vault.asset(AssetId::new(seq)).expect("it was answered");
        assert_eq!(asset.name, name(&format!("{round}-{n}")));
        let bytes = read_all(&vault, asset.id).expect("it is intact");
        assert!(bytes == child_bytes(round, n), "{round}-{n}");
    }
}
