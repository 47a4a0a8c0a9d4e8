//! A large import writes alone, with a rollback journal: killed in the middle it loses nothing, and who comes is let in.

use std::fs;
use std::io::Read as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::harness::{Place, assert_same_tree, noise, write};

/// Bytes of a file's header that say how it is written: 1 with a rollback journal, 2 with a WAL.
fn write_version(place: &Place) -> u8 {
    let mut header = [0; 19];
    fs::File::open(place.path("v.vault"))
        .and_then(|mut file| file.read_exact(&mut header))
        .expect("the vault has a header");
    header[18]
}

/// Files of `count` times 150 kB that cannot be compressed.
fn source(count: u32) -> Place {
    let source = Place::empty();
    for number in 0..count {
        write(
            source.path(format!("src/{number}")),
            noise(number.into(), 150_000),
        );
    }
    source
}

fn start(place: &Place, source: &Place) -> Child {
    place
        .command([
            "add".as_ref(),
            "--to".as_ref(),
            "P".as_ref(),
            source.path("src").as_os_str(),
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

/// Waits until the import writes with a rollback journal; false if it ended before.
fn writes_alone(place: &Place, child: &mut Child) -> bool {
    let deadline = Instant::now() + Duration::from_mins(1);
    while Instant::now() < deadline {
        if place.path("v.vault-alone").exists() && write_version(place) == 1 {
            return true;
        }
        if child.try_wait().expect("it can be asked").is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("it neither writes alone nor ends");
}

fn has_something_to_undo(place: &Place) -> bool {
    fs::read(place.path("v.vault-journal")).is_ok_and(|journal| journal.starts_with(&[0xd9, 0xd5]))
}

/// A place with the same files in it.
fn copy_of(place: &Place) -> Place {
    let copy = Place::empty();
    for name in place.names() {
        if place.path(&name).is_file() {
            fs::copy(place.path(&name), copy.path(&name)).expect("it can be copied");
        }
    }
    copy
}

#[test]
fn a_kill_while_an_import_writes_alone_loses_nothing_that_was_sealed() {
    let source = source(500);
    let early = Place::empty();
    write(early.path("early/first"), noise(9_999, 100_000));
    let mut undone = 0;
    for wait_ms in [0, 3, 10, 20, 40, 80, 120, 160] {
        let place = Place::with_vault();
        let add = |from: &Place, name: &str| {
            let from = from.path(name);
            let args = [
                "add".as_ref(),
                "--to".as_ref(),
                "P".as_ref(),
                from.as_os_str(),
            ];
            place.run(args).expect_code(0);
        };
        add(&early, "early");
        let mut child = start(&place, &source);
        assert!(writes_alone(&place, &mut child), "it was to write alone");
        std::thread::sleep(Duration::from_millis(wait_ms));
        child.kill().expect("it can be killed");
        child.wait().expect("it is gone");
        if !place.path("v.vault-alone").exists() {
            continue;
        }
        if has_something_to_undo(&place) {
            undone += 1;
            if undone == 1 {
                a_damaged_journal_is_refused_and_rescued(&copy_of(&place), &early);
            }
        }
        place.run(["status"]).expect_code(0);
        assert_eq!(place.names(), ["v.vault"], "after {wait_ms} ms");
        assert_eq!(write_version(&place), 2, "after {wait_ms} ms");
        place.verify_clean();
        add(&source, "src");
        place.verify_clean();
        place.run(["export", "--out", "out"]).expect_code(0);
        assert_same_tree(&source.path("src"), &place.path("out/P/src"));
        assert_same_tree(&early.path("early"), &place.path("out/P/early"));
    }
    assert!(undone > 0, "no kill met a transaction");
}

fn a_damaged_journal_is_refused_and_rescued(place: &Place, early: &Place) {
    let path = place.path("v.vault-journal");
    let mut journal = fs::read(&path).expect("it was there");
    // The checksum of the first record: a header of one sector, a page's number and the page lie before it.
    let sector = u32::from_be_bytes(journal[20..24].try_into().expect("four bytes")) as usize;
    journal[sector + 4 + 16_384] ^= 1;
    fs::write(&path, journal).expect("it can be written");
    let before = fs::read(place.path("v.vault")).expect("it can be read");
    let ran = place.run(["status"]);
    assert_ne!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("rescue"), "{ran:?}");
    let after = fs::read(place.path("v.vault")).expect("it can be read");
    assert!(before == after, "it was not touched");
    // Entries of the transaction that was not committed may be found as well, and reported as damaged.
    place.run(["rescue", "v.vault", "--out", "r.vault"]);
    place
        .run(["export", "--vault", "r.vault", "--out", "out", "P/early"])
        .expect_code(0);
    assert_same_tree(&early.path("early"), &place.path("out"));
}

/// A kill in the middle of the return to the WAL left the journal, finished and with nothing to undo, beside the vault
/// for good. Found by killing imports at that moment.
#[test]
fn a_finished_journal_goes_with_the_marker_that_an_import_left() {
    let place = Place::with_vault();
    write(place.path("v.vault-alone"), Vec::new());
    // As SQLite leaves it: the header is zeros, and pages that were put back or never needed follow.
    write(place.path("v.vault-journal"), vec![0; 512 + 16_392]);
    place.run(["status"]).expect_code(0);
    assert_eq!(place.names(), ["v.vault"]);
    place.verify_clean();
}

#[test]
fn who_opens_the_vault_is_let_in_while_an_import_writes_alone() {
    let source = source(1_500);
    let place = Place::with_vault();
    let mut child = start(&place, &source);
    assert!(writes_alone(&place, &mut child), "it was to write alone");
    place.run(["status"]).expect_code(0);
    let shared = write_version(&place) == 2;
    let running = child.try_wait().expect("it can be asked").is_none();
    let ended = child.wait_with_output().expect("it ends");
    assert!(ended.status.success(), "{ended:?}");
    assert!(shared && running, "it goes on with the WAL");
    assert_eq!(place.names(), ["v.vault"]);
    place.verify_clean();
    place.run(["export", "--out", "out"]).expect_code(0);
    assert_same_tree(&source.path("src"), &place.path("out/P/src"));
}

#[test]
fn an_import_shares_the_vault_from_the_start_when_somebody_has_it_open() {
    let source = source(300);
    let place = Place::with_vault();
    let reader = somebody_else(&place);
    let mut child = start(&place, &source);
    assert!(!writes_alone(&place, &mut child), "somebody looks on");
    assert!(child.wait().expect("it ends").success());
    drop(reader);
    place.run(["status"]).expect_code(0);
    place.verify_clean();
}

/// Has the vault open until it is dropped.
fn somebody_else(place: &Place) -> Server {
    let child = place
        .command(["serve", "--listen", "127.0.0.1:0", "--no-open"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let deadline = Instant::now() + Duration::from_secs(30);
    while !place.path("v.vault-wal").exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(place.path("v.vault-wal").exists(), "it has the vault open");
    Server(child)
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Guards: parity is begun as for a long import, and one that ends early has what its length asks for, and no pages left over.
#[test]
fn an_import_that_ends_early_has_the_parity_of_its_length() {
    let place = Place::with_vault();
    let source = source(140);
    let mut child = start(&place, &source);

    assert!(child.wait().expect("it ends").success());
    let length = |path| fs::metadata(path).expect("it is there").len();
    let sealed: u64 = (0..140)
        .map(|number| length(source.path(format!("src/{number}"))))
        .sum();
    let stored = length(place.path("v.vault"));
    assert!(stored < sealed * 111 / 100, "{stored} {sealed}");
    place.run(["scrub"]).expect_code(0);
    place.run(["verify", "--deep"]).expect_code(0);
}
