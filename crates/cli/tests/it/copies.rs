//! `backup`, `freeze`, and what `status` says of plain copies.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::harness::{Place, Ran, assert_same_tree, noise, write};

fn filled() -> Place {
    let place = Place::with_vault();
    for number in 0..60 {
        write(place.path(format!("src/{number}")), noise(number, 60_000));
    }
    place.run(["add", "--to", "P", "src"]).expect_code(0);
    place
}

#[test]
fn a_backup_made_while_another_process_adds_verifies_and_holds_what_was_sealed() {
    let place = filled();
    for number in 0..300 {
        write(
            place.path(format!("more/{number}")),
            noise(1000 + number, 150_000),
        );
    }
    let mut adding = place
        .command(["add", "--to", "P", "more"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    for number in 0..3 {
        let file = place.aside(&format!("backup-{number}.vault"));
        let args = ["backup".as_ref(), "--json".as_ref(), file.as_os_str()];
        let made = place.run(args).expect_code(0).json();
        assert!(made["assets"].as_u64() >= Some(60), "{made:#}");
        let verify = [
            "verify".as_ref(),
            "--json".as_ref(),
            "--deep".as_ref(),
            file.as_os_str(),
        ];
        let verified = place.run(verify).expect_code(0).json();
        assert_eq!(verified["entries"], made["log_size"]);
        let vault = ["--vault".as_ref(), file.as_os_str()];
        let out = place.aside(&format!("out-{number}"));
        let export = [
            "export".as_ref(),
            "P/src".as_ref(),
            "--out".as_ref(),
            out.as_os_str(),
        ];
        place.run(vault.into_iter().chain(export)).expect_code(0);
        assert_same_tree(&place.path("src"), &out);
    }
    assert!(adding.wait().expect("it ends").success());
    place.verify_clean();
}

#[test]
fn a_frozen_copy_answers_everything_and_takes_nothing_in() {
    let place = filled();
    let frozen = place.run(["freeze", "cold.vault"]);
    assert!(frozen.expect_code(0).text().contains("deep"), "{frozen:?}");
    let mode = fs::metadata(place.path("cold.vault"))
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o222, 0);
    let before = fs::read(place.path("cold.vault")).expect("it is there");
    let run = |args: &[&str]| place.run(["--vault", "cold.vault"].iter().chain(args));
    run(&["verify", "--deep"]).expect_code(0);
    run(&["export", "P/src", "--out", "out"]).expect_code(0);
    assert_same_tree(&place.path("src"), &place.path("out"));
    assert_eq!(
        run(&["ls", "P/src"]).expect_code(0).text().lines().count(),
        60
    );
    let status = run(&["--json", "status"]).expect_code(0).json();
    assert_eq!(status["safe_to_copy"], true);
    let refused = run(&["add", "--to", "P", "src"]);
    refused.expect_code(1);
    assert!(refused.stderr.contains("frozen copy"), "{refused:?}");
    assert_eq!(
        fs::read(place.path("cold.vault")).expect("it is there"),
        before
    );
    assert_eq!(place.names(), ["cold.vault", "out", "src", "v.vault"]);
}

#[test]
fn a_taken_name_is_left_alone() {
    let place = filled();
    write(place.path("taken"), "precious");
    for command in ["backup", "freeze"] {
        let refused = place.run(["--vault", "v.vault", "--json", command, "taken"]);
        assert_eq!(refused.expect_code(1).json()["error"]["code"], "exists");
    }
    assert_eq!(
        fs::read(place.path("taken")).expect("it is there"),
        b"precious"
    );
}

#[test]
fn a_damaged_vault_is_not_copied() {
    let place = filled();
    let mut vault = fs::read(place.path("v.vault")).expect("the vault");
    let pattern = &noise(5, 60_000)[30_000..30_032];
    let at = vault
        .windows(32)
        .position(|window| window == pattern)
        .expect("what does not compress is stored as it is");
    vault[at] ^= 0x10;
    fs::write(place.path("v.vault"), vault).expect("it is written back");
    for command in ["backup", "freeze"] {
        let refused = place.run(["--json", command, "copy.vault"]);
        refused.expect_code(11);
        assert_eq!(refused.json()["error"]["code"], "damaged");
        assert!(refused.stderr.contains("P/src/5"), "{refused:?}");
    }
    assert_eq!(place.names(), ["src", "v.vault"]);
}

/// The limit on a file's size stands for a full disk: both end in a write that the system refuses.
#[test]
fn a_copy_that_does_not_fit_leaves_nothing() {
    let place = filled();
    let program = place.command(["backup", "copy.vault"]);
    for blocks in ["100", "1000", "4000"] {
        let limited = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &limited, "sh"])
            .arg(program.get_program())
            .args(program.get_args());
        shell.current_dir(place.here()).stdin(Stdio::null());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        let output = shell.output().expect("there is a shell");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("nothing was left there"), "{said}");
        assert_eq!(place.names(), ["src", "v.vault"], "{blocks} blocks");
    }
}

#[test]
fn ctrl_c_leaves_no_half_copy() {
    let place = filled();
    write(place.path("large"), noise(7, 60_000_000));
    place.run(["add", "--to", "P/C", "large"]).expect_code(0);
    for wait_ms in [20, 60, 120, 200] {
        let child = place
            .command(["freeze", "copy.vault"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        std::thread::sleep(Duration::from_millis(wait_ms));
        super::interrupts::interrupt(&child);
        let ran: Ran = super::interrupts::ended(child);
        if ran.code == Some(0) {
            fs::remove_file(place.path("copy.vault")).expect("it was done");
        } else if ran.code == Some(1) {
            assert!(ran.stderr.contains("there is no copy"), "{ran:?}");
        }
        // A signal before it listened ends it as it ends any program, and it had made nothing by then.
        assert_eq!(place.names(), ["large", "src", "v.vault"], "{ran:?}");
    }
}

#[test]
fn status_says_that_another_process_has_the_vault_open() {
    let place = filled();
    let status = place.run(["--json", "status"]).expect_code(0).json();
    assert_eq!(status["safe_to_copy"], true);
    assert!(status["copy_hindrance"].is_null());
    let mut child = place
        .command(["serve", "--no-open", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    // It is open for writing while its WAL is there.
    for _ in 0..200 {
        if place.path("v.vault-wal").exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let status = place.run(["--json", "status"]).expect_code(0).json();
    let shown = place.run(["status"]).expect_code(0).text();
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
    assert_eq!(status["safe_to_copy"], false);
    let why = status["copy_hindrance"].as_str().expect("a reason");
    assert!(why.contains("compactvault backup"), "{why}");
    assert!(shown.contains(&format!("no: {why}")), "{shown}");
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "somebody who commits and never closes is needed"
)]
fn a_damaged_wal_is_refused_with_a_way_out() {
    let place = filled();
    let files = ["v.vault", "v.vault-wal", "v.vault-shm"];
    let other = rusqlite::Connection::open(place.path("v.vault")).expect("a connection");
    for _ in 0..4 {
        other
            .execute_batch("INSERT INTO derived_scrub VALUES (900, 1); DELETE FROM derived_scrub WHERE part = 900")
            .expect("derived rows come and go");
    }
    let mut left = files.map(|name| fs::read(place.path(name)).expect("it is open"));
    drop(other);
    left[1][5000] ^= 2;
    for (name, bytes) in files.iter().zip(&left) {
        write(place.path(name), bytes);
    }
    for args in [
        ["verify", "v.vault"],
        ["ls", "--json"],
        ["backup", "copy.vault"],
    ] {
        let refused = place.run(args);
        refused.expect_code(11);
        for word in ["v.vault-wal", "copy both files", "compactvault rescue"] {
            assert!(refused.stderr.contains(word), "{refused:?}");
        }
        if args[1] == "--json" {
            assert_eq!(refused.json()["error"]["code"], "wal_damaged");
        }
    }
    for (name, bytes) in files.iter().zip(&left) {
        assert_eq!(
            &fs::read(place.path(name)).expect("it is there"),
            bytes,
            "{name}"
        );
    }
    left[1][5000] ^= 2;
    write(place.path("v.vault-wal"), &left[1]);
    place.verify_clean();
    assert_eq!(place.names(), ["src", "v.vault"]);
}
