//! What `add` takes, leaves out and refuses.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::net::UnixListener;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::harness::{Place, noise, write};

#[test]
fn what_has_no_bytes_is_named_and_the_rest_archived() {
    let place = Place::with_vault();
    write(place.path("src/good"), "good");
    write(place.path("src/sub/also good"), "good, too");
    let pipe = place.path("src/pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .expect("a FIFO");
    let _socket = UnixListener::bind(place.path("src/sub/socket")).expect("a socket");

    let added = place.run(["add", "--to", "P", "src"]);
    added.expect_code(3);
    assert!(
        added.text().contains("skipped  src/pipe: it is a FIFO"),
        "{added:?}"
    );
    assert!(
        added
            .text()
            .contains("skipped  src/sub/socket: it is a socket"),
        "{added:?}"
    );
    assert!(added.text().contains("2 new files"), "{added:?}");
    place.verify_clean();

    // Named itself, among others and alone.
    place
        .run(["add", "--to", "P/C", "src/pipe", "src/good"])
        .expect_code(3);
    let alone = place.run(["add", "--to", "Q/C", "src/pipe"]);
    alone.expect_code(1);
    assert!(
        alone.stderr.contains("cannot read src/pipe: it is a FIFO"),
        "{alone:?}"
    );
    assert_eq!(
        place.run(["ls"]).text(),
        "P/\n",
        "nothing is made for nothing"
    );
}

#[test]
fn paths_that_are_not_there_are_named() {
    let place = Place::with_vault();
    let missing = place.run(["add", "--to", "P/C", "nowhere"]);
    missing.expect_code(1);
    assert!(
        missing
            .stderr
            .starts_with("compactvault: cannot read nowhere: "),
        "{missing:?}"
    );
    write(place.path("there"), "x");
    let partly = place.run(["--json", "add", "--to", "P/C", "nowhere", "there"]);
    let partly = partly.expect_code(3).json();
    assert_eq!(partly["skipped"][0]["path"], "nowhere");
    assert_eq!(partly["skipped"][0]["code"], "unreadable");
    assert_eq!(partly["sealed"], 1);
}

#[test]
fn the_vault_does_not_swallow_itself() {
    let place = Place::with_vault();
    write(place.path("a.txt"), "a");
    fs::create_dir(place.path("v.vault-uploads")).expect("a folder");
    fs::hard_link(place.path("v.vault"), place.path("another name")).expect("a link");
    let added = place.run(["add", "--to", "P/C", "."]);
    added.expect_code(0);
    assert!(
        added.stderr.contains("belongs to the vault itself"),
        "{added:?}"
    );
    assert_eq!(place.run(["ls", "P/C"]).text(), "a.txt\n");
    let named = place.run(["add", "--to", "P/C", "v.vault"]);
    named.expect_code(0);
    assert!(
        named.stderr.contains("belongs to the vault itself"),
        "{named:?}"
    );
    place.verify_clean();
}

#[test]
fn patterns_leave_out_names_paths_and_folders() {
    let place = Place::with_vault();
    for path in [
        "a.rs",
        "a.o",
        "target/x",
        "src/b.o",
        "src/gen/c.rs",
        "src/deep/gen/d.rs",
    ] {
        write(place.path("app").join(path), path);
    }
    let patterns = [
        "--exclude",
        "*.o",
        "--exclude",
        "target/",
        "--exclude",
        "app/src/gen",
    ];
    let args = ["add", "--to", "P"].iter().chain(&patterns).chain(&["app"]);
    place.run(args).expect_code(0);
    place
        .run(["export", "P/app", "--out", "out"])
        .expect_code(0);
    let mut files: Vec<_> = super::harness::tree(&place.path("out"))
        .into_keys()
        .filter(|path| path.extension().is_some())
        .map(|path| path.display().to_string())
        .collect();
    files.sort();
    assert_eq!(files, ["a.rs", "src/deep/gen/d.rs"]);
    let bad = place.run(["add", "--to", "P", "--exclude", "a[", "app"]);
    bad.expect_code(2);
    assert!(
        bad.stderr.contains("the pattern “a[” is not valid"),
        "{bad:?}"
    );
}

#[test]
fn a_dry_run_shows_and_changes_nothing() {
    let place = Place::with_vault();
    write(place.path("src/a"), "abc");
    let before = fs::read(place.path("v.vault")).expect("the vault");
    let shown = place.run(["add", "--to", "P/C", "--dry-run", "src"]);
    shown.expect_code(0);
    assert!(shown.text().contains("3 B  P/C/src/a"), "{shown:?}");
    assert!(shown.text().contains("P would be created"), "{shown:?}");
    assert!(fs::read(place.path("v.vault")).expect("the vault") == before);
    assert_eq!(place.run(["ls"]).text(), "");
}

#[test]
fn standard_input_becomes_a_file() {
    let place = Place::with_vault();
    let bytes = noise(7, 2_500_000);
    let mut child = place
        .command(["add", "--to", "Backups/shop", "--name", "shop.sql", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(&bytes).expect("it reads all of it");
    drop(stdin);
    assert!(child.wait().expect("it ends").success());
    let got = place.run(["get", "Backups/shop/shop.sql", "-o", "-"]);
    assert!(got.expect_code(0).stdout == bytes);

    for args in [
        vec!["add", "--to", "P/C", "-"],
        vec!["add", "--to", "P", "--name", "x", "-"],
        vec!["add", "--to", "P/C", "--name", "x", "-", "v.vault"],
        vec!["add", "--to", "P/C", "--name", "x", "v.vault"],
    ] {
        place.run(&args).expect_code(2);
    }
}

#[test]
fn a_file_that_keeps_changing_is_not_sealed() {
    let place = Place::with_vault();
    let path = place.path("src/busy.log");
    write(&path, noise(8, 8_000_000));
    write(place.path("src/calm"), "calm");
    let stop = AtomicBool::new(false);
    let added = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = File::options().append(true).open(&path).expect("the log");
            while !stop.load(Ordering::Relaxed) {
                file.write_all(b"one more line\n").expect("a line");
                std::thread::sleep(Duration::from_micros(300));
            }
        });
        let added = place.run(["--json", "add", "--to", "P", "src"]);
        stop.store(true, Ordering::Relaxed);
        added
    });
    let result = added.expect_code(3).json();
    assert_eq!(result["skipped"][0]["path"], "src/busy.log");
    assert_eq!(result["skipped"][0]["code"], "changed");
    assert_eq!(place.run(["ls", "P/src"]).text(), "calm\n");
    // What was read of it is no finding.
    place.verify_clean();
    place.run(["add", "--to", "P", "src"]).expect_code(0);
    assert_eq!(place.run(["ls", "P/src"]).text(), "busy.log\ncalm\n");
}
