//! Several processes, and processes that die.

use std::process::Stdio;
use std::time::Duration;

use super::harness::{Place, assert_same_tree, noise, write};

#[test]
fn two_processes_add_to_one_vault() {
    let place = Place::with_vault();
    for tree in ["one", "two"] {
        for number in 0..300_u64 {
            let seed = number + if tree == "one" { 0 } else { 150 };
            write(place.path(format!("{tree}/{number}")), noise(seed, 20_000));
        }
    }
    let children: Vec<_> = ["one", "two"]
        .into_iter()
        .map(|tree| {
            place
                .command(["add", "--to", "P/C", tree])
                .stdout(Stdio::null())
                .spawn()
                .expect("the program starts")
        })
        .collect();
    for mut child in children {
        assert!(child.wait().expect("it ends").success());
    }
    place.verify_clean();
    place.run(["export", "P/C", "--out", "out"]).expect_code(0);
    for tree in ["one", "two"] {
        assert_same_tree(&place.path(tree), &place.path("out").join(tree));
    }
    let status = place.run(["--json", "status"]).json();
    assert_eq!(status["unique_bytes"], 450 * 20_000);
}

#[test]
fn kill_9_loses_nothing_that_was_sealed() {
    let place = Place::with_vault();
    for number in 0..400 {
        write(
            place.path(format!("src/{}/{number}", number % 7)),
            noise(number, 100_000),
        );
    }
    write(place.path("src/large"), noise(1000, 40_000_000));
    let mut sealed = 0;
    for wait_ms in [30, 80, 150, 60, 250] {
        let mut child = place
            .command(["add", "--to", "P", "src"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        std::thread::sleep(Duration::from_millis(wait_ms));
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        place.verify_clean();
        let assets = place.run(["--json", "status"]).json()["assets"]
            .as_u64()
            .expect("a number");
        assert!(assets >= sealed, "{assets} of {sealed} are left");
        sealed = assets;
    }
    place.run(["add", "--to", "P", "src"]).expect_code(0);
    place.verify_clean();
    place.run(["export", "--out", "out"]).expect_code(0);
    assert_same_tree(&place.path("src"), &place.path("out/P/src"));
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "another program that holds the lock is what this is about"
)]
fn a_vault_in_use_is_waited_for_and_then_said_to_be() {
    let place = Place::with_vault();
    write(place.path("f"), "f");
    let other = rusqlite::Connection::open(place.path("v.vault")).expect("a connection");
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let busy = place.run(["add", "--lock-timeout", "1", "--to", "P/C", "f"]);
    busy.expect_code(16);
    assert!(
        busy.stderr.contains("in use by another process"),
        "{busy:?}"
    );
    other
        .execute_batch("ROLLBACK")
        .expect("the lock is given back");
    drop(other);
    place.run(["add", "--to", "P/C", "f"]).expect_code(0);
}
