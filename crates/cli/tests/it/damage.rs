//! Damage is found, named, and never handed out.

use std::fs;

use super::harness::{Place, assert_same_tree, noise, write};

/// Flips one bit in the only place of the vault that holds `pattern`.
fn flip(place: &Place, pattern: &[u8]) {
    let path = place.path("v.vault");
    let mut vault = fs::read(&path).expect("the vault");
    let at = vault
        .windows(pattern.len())
        .position(|window| window == pattern)
        .expect("what does not compress is stored as it is");
    vault[at] ^= 0x10;
    fs::write(&path, vault).expect("it is written back");
}

#[test]
fn a_flipped_bit_is_named_and_costs_one_asset() {
    let place = Place::with_vault();
    let bytes = noise(1, 3_000_000);
    write(place.path("src/precious.bin"), &bytes);
    for number in 0..20 {
        write(
            place.path(format!("src/other-{number}")),
            noise(number + 10, 70_000),
        );
    }
    place.run(["add", "--to", "P", "src"]).expect_code(0);
    flip(&place, &bytes[2_000_000..2_000_032]);

    let got = place.run(["get", "P/src/precious.bin"]);
    got.expect_code(11);
    assert!(got.stderr.contains("precious.bin"), "{got:?}");
    assert!(got.stderr.contains(" chunk "), "{got:?}");
    assert_eq!(place.names(), ["src", "v.vault"], "no file is left");
    let piped = place.run(["get", "P/src/precious.bin", "-o", "-"]);
    piped.expect_code(11);
    assert!(
        bytes.starts_with(&piped.stdout),
        "only good bytes came first"
    );

    for (level, code) in [("--quick", 0), ("--deep", 10)] {
        place.run(["verify", level]).expect_code(code);
    }
    let verified = place.run(["--json", "verify"]);
    let report = verified.expect_code(10).json();
    assert_eq!(report["level"], "full");
    let findings = report["findings"].as_array().expect("a list");
    assert!(
        findings
            .iter()
            .any(|finding| finding["path"] == "P/src/precious.bin"
                && finding["severity"] == "repairable"),
        "{report:#}"
    );

    let exported = place.run(["export", "--out", "out"]);
    exported.expect_code(11);
    assert!(
        exported.text().contains("damaged  P/src/precious.bin"),
        "{exported:?}"
    );
    fs::remove_file(place.path("src/precious.bin")).expect("it is there");
    assert_same_tree(&place.path("src"), &place.path("out/P/src"));
}

#[test]
fn no_flipped_bit_gives_a_wrong_answer() {
    let place = Place::with_vault();
    write(place.path("src/text"), "some text\n".repeat(500));
    write(place.path("src/noise"), noise(5, 100_000));
    place.run(["add", "--to", "P", "src"]).expect_code(0);
    let good = fs::read(place.path("v.vault")).expect("the vault");
    let step = good.len() / 61;
    for at in (0..61).map(|number| number * step + number * 7) {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        fs::write(place.path("v.vault"), bad).expect("it is written");
        let out = format!("out-{at}");
        let exported = place.run(["export", "P/src", "--out", &out]);
        assert!(exported.code.is_some(), "bit in byte {at}: {exported:?}");
        if exported.code == Some(0) {
            assert_same_tree(&place.path("src"), &place.path(&out));
        }
        for name in ["text", "noise"] {
            if let Ok(found) = fs::read(place.path(&out).join(name)) {
                let original = fs::read(place.path("src").join(name)).expect("the source");
                assert!(found == original, "bit in byte {at}: {name} differs");
            }
        }
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "somebody goes behind the vault's back here"
)]
fn a_list_changed_behind_the_vault_s_back_is_named_and_made_again() {
    let place = Place::with_vault();
    for number in 0..3 {
        write(place.path(format!("src/{number}")), noise(number, 100));
    }
    place.run(["add", "--to", "P", "src"]).expect_code(0);
    let before = place.run(["ls", "P/src"]).expect_code(0).text();
    let connection = rusqlite::Connection::open(place.path("v.vault")).expect("a connection");
    connection
        .execute(
            "DELETE FROM derived_listing WHERE section = 1 AND seq % 2 = 0",
            [],
        )
        .expect("derived rows can be deleted");
    drop(connection);

    let listed = place.run(["ls", "P/src"]);
    assert_ne!(listed.code, Some(0), "no shorter list without an error");
    let verified = place.run(["verify"]);
    verified.expect_code(10);
    assert!(
        verified.stderr.contains("compactvault reindex"),
        "{verified:?}"
    );
    place.run(["reindex"]).expect_code(0);
    place.run(["verify"]).expect_code(0);
    assert_eq!(place.run(["ls", "P/src"]).expect_code(0).text(), before);
    assert_eq!(place.names(), ["src", "v.vault"]);
}

#[test]
fn a_scrub_heals_what_was_flipped_and_says_so() {
    let place = Place::with_vault();
    let bytes = noise(1, 3_000_000);
    write(place.path("src/precious.bin"), &bytes);
    place.run(["add", "--to", "P", "src"]).expect_code(0);
    let status = place.run(["status"]).text();
    assert!(status.contains("last verified never"), "{status}");
    flip(&place, &bytes[2_000_000..2_000_032]);
    place.run(["verify"]).expect_code(10);
    place.run(["scrub", "--budget", "0s"]).expect_code(0);
    place.run(["verify"]).expect_code(10);

    let scrubbed = place.run(["--json", "scrub", "--budget", "30m", "--pace", "90"]);
    let report = scrubbed.expect_code(0).json();
    assert_eq!(report["healed"][0]["table"], "pack", "{report:#}");
    assert_eq!(report["repairs"].as_array().expect("a list").len(), 1);
    assert_eq!(place.names(), ["src", "v.vault"], "no file is left");
    place.run(["verify", "--deep"]).expect_code(0);
    let status = place.run(["status"]).text();
    assert!(status.contains("everything within 1 day"), "{status}");
    assert!(status.contains("healed 1 time"), "{status}");
    let again = place.run(["scrub"]);
    assert!(again.expect_code(0).text().contains("as it was sealed"));
    place.run(["scrub", "--pace", "0"]).expect_code(2);
    place.run(["scrub", "--budget", "soon"]).expect_code(2);
}

#[test]
fn a_scrub_says_when_only_a_rescue_helps_and_the_rescue_does() {
    let place = Place::with_vault();
    for number in 0..400 {
        write(place.path(format!("src/{number}")), noise(number, 20_000));
    }
    place.run(["add", "--to", "P", "src"]).expect_code(0);
    let mut vault = fs::read(place.path("v.vault")).expect("the vault");
    // The interior page of the packs: what it points to is all there, but no statement finds it.
    let inner = (1..vault.len() / 16_384)
        .map(|page| page * 16_384)
        .filter(|&at| vault[at] == 5 && vault[at + 5..at + 7] != [0, 0])
        .max_by_key(|&at| u16::from_be_bytes([vault[at + 3], vault[at + 4]]))
        .expect("a vault of 8 MB has some");
    vault[inner..inner + 16_384].fill(0x55);
    fs::write(place.path("v.vault"), vault).expect("it is written back");

    let scrubbed = place.run(["scrub"]);
    scrubbed.expect_code(10);
    assert!(scrubbed.text().contains("rescue"), "{scrubbed:?}");
    place.run(["verify"]).expect_code(10);
    place
        .run(["rescue", "v.vault", "--out", "new.vault"])
        .expect_code(0);
    let out = ["--vault", "new.vault", "export", "--out", "out"];
    place.run(out).expect_code(0);
    assert_same_tree(&place.path("src"), &place.path("out/P/src"));
}
