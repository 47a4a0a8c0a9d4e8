//! `--json`: one object for every command, also where it fails.

use super::harness::{Place, write};

#[test]
fn every_command_prints_one_object() {
    let place = Place::empty();
    let made = place.run(["--json", "init", "v.vault"]);
    assert_eq!(made.expect_code(0).json()["vault"], "v.vault");
    write(place.path("src/a"), "a");
    std::os::unix::fs::symlink("a", place.path("src/l")).expect("a link");
    let planned = place.run(["add", "--json", "--dry-run", "--to", "P", "src"]);
    let planned = planned.expect_code(0).json();
    assert_eq!(planned["dry_run"], true);
    assert_eq!(planned["to_exists"], false);
    assert_eq!(planned["items"][1]["path"], "src/a");
    let added = place.run(["add", "--json", "--to", "P", "src"]).json();
    assert_eq!(
        (added["sealed"].as_u64(), added["links"].as_u64()),
        (Some(1), Some(1))
    );
    let note = added["checkpoint"].as_str().expect("a note");
    assert_eq!(place.run(["checkpoint"]).text(), note);
    let checkpoint = place.run(["checkpoint", "--json"]).json();
    assert_eq!(checkpoint["note"], note);
    assert_eq!(checkpoint["signed"], true);
    assert_eq!(checkpoint["root"], added["root"]);

    let projects = place.run(["ls", "--json"]).json();
    assert_eq!(projects["entries"][0]["kind"], "project");
    let entries = place.run(["ls", "--json", "P/src"]).json();
    assert_eq!(entries["path"], "P/src");
    assert_eq!(entries["entries"][0]["size"], 1);
    assert_eq!(entries["entries"][1]["target"], "a");
    assert_eq!(
        place.run(["ls", "--json", "P"]).json()["entries"][0]["assets"],
        1
    );
    let got = place.run(["get", "--json", "P/src/a", "-o", "copy"]).json();
    assert_eq!(got["size"], 1);
    let exported = place.run(["export", "--json", "--out", "out"]).json();
    assert_eq!(
        (exported["files"].as_u64(), exported["exit_code"].as_u64()),
        (Some(1), Some(0))
    );
    let verified = place.run(["verify", "--json", "--quick"]).json();
    assert_eq!(
        (verified["level"].as_str(), verified["clean"].as_bool()),
        (Some("quick"), Some(true))
    );
    let status = place.run(["status", "--json"]).json();
    assert_eq!(status["log_size"], added["log_size"]);
}

#[test]
fn errors_are_objects_too() {
    let place = Place::with_vault();
    for (args, code, word) in [
        (vec!["ls", "--json", "nowhere"], 1, "not_found"),
        (
            vec!["add", "--json", "--to", "P/C", "nowhere"],
            1,
            "unreadable",
        ),
        (
            vec!["ls", "--json", "--vault", "missing.vault"],
            15,
            "vault_missing",
        ),
        (vec!["init", "--json", "v.vault"], 1, "vault_exists"),
    ] {
        let ran = place.run(&args);
        let error = &ran.expect_code(code).json()["error"];
        assert_eq!(error["code"], word, "{args:?}");
        assert_eq!(error["exit_code"], code);
        assert!(
            ran.stderr
                .contains(error["message"].as_str().expect("a text"))
        );
    }
}

#[test]
fn without_its_key_a_vault_says_unsigned() {
    let place = Place::with_vault();
    let args = ["--state-dir", "elsewhere", "checkpoint"];
    let unsigned = place.run(args);
    unsigned.expect_code(0);
    assert!(unsigned.stderr.contains("unsigned"), "{unsigned:?}");
    assert_eq!(unsigned.text().lines().count(), 3);
    write(place.path("f"), "f");
    let added = place.run(["--state-dir", "elsewhere", "add", "--to", "P/C", "f"]);
    assert!(
        added
            .expect_code(0)
            .text()
            .contains("Checkpoint (unsigned)")
    );
}
