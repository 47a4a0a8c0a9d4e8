//! Adding again: the same bytes are a no-op that says so, other bytes a new version; old ones stay for ever.

use std::fs;

use super::harness::{Place, write};

#[test]
fn the_same_again_adds_nothing() {
    let place = Place::with_vault();
    write(place.path("src/a"), "one");
    write(place.path("src/b"), "two");
    std::os::unix::fs::symlink("a", place.path("src/l")).expect("a link");
    fs::create_dir(place.path("src/empty")).expect("a folder");
    place.run(["add", "--to", "P", "src"]).expect_code(0);
    let before = place.run(["--json", "status"]).json();
    let again = place.run(["--json", "add", "--to", "P", "src"]);
    let again = again.expect_code(0).json();
    assert_eq!(again["sealed"], 0);
    assert_eq!(again["already_archived"], 3);
    assert_eq!(again["log_size"], before["log_size"]);
    assert_eq!(again["root"], before["root"]);
}

#[test]
fn other_bytes_are_a_new_version() {
    let place = Place::with_vault();
    for text in ["first", "second", "first"] {
        write(place.path("notes.txt"), text);
        let added = place.run(["--json", "add", "--to", "P/C", "notes.txt"]);
        assert_eq!(added.expect_code(0).json()["sealed"], 1);
    }
    assert_eq!(place.run(["ls", "P/C"]).text(), "notes.txt\n");
    let listed = place
        .run(["--json", "ls", "--all-versions", "P/C/notes.txt"])
        .json();
    let versions = listed["entries"].as_array().expect("a list");
    assert_eq!(versions.len(), 3);
    let ids: Vec<_> = versions
        .iter()
        .map(|version| version["id"].as_u64().expect("an id"))
        .collect();
    assert!(ids.is_sorted_by(|a, b| a > b), "newest first: {ids:?}");
    let text = |id: u64| place.run(["get", &id.to_string(), "-o", "-"]).text();
    assert_eq!(
        [text(ids[0]), text(ids[1]), text(ids[2])],
        ["first", "second", "first"]
    );

    place.run(["export", "--out", "newest"]).expect_code(0);
    assert_eq!(
        fs::read_dir(place.path("newest/P/C"))
            .expect("a folder")
            .count(),
        1
    );
    place
        .run(["export", "--all-versions", "--out", "all"])
        .expect_code(0);
    let version = |id: u64| place.path(format!("all/P/C/notes (#{id}).txt"));
    assert_eq!(
        fs::read_to_string(version(ids[1])).expect("a version"),
        "second"
    );
    assert!(version(ids[2]).exists() && place.path("all/P/C/notes.txt").exists());
}

#[test]
fn arguments_that_lead_to_one_name_are_archived_in_their_order() {
    let place = Place::with_vault();
    for number in 0..8 {
        write(place.path(format!("{number}/same.txt")), number.to_string());
    }
    let files: Vec<_> = (0..8).map(|number| format!("{number}/same.txt")).collect();
    let args = ["add", "--to", "P/C"].map(String::from);
    place.run(args.into_iter().chain(files)).expect_code(0);
    assert_eq!(place.run(["get", "P/C/same.txt", "-o", "-"]).text(), "7");
    let listed = place.run(["ls", "--all-versions", "P/C/same.txt"]);
    assert_eq!(listed.text().lines().count(), 8);
}
