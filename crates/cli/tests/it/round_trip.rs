//! What goes in comes out: bytes, names, times, execute bits, links, empty files and folders.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, UNIX_EPOCH};

use super::harness::{Entry, Place, assert_same_tree, noise, tree, write};

#[test]
fn a_tree_comes_back_as_it_was() {
    let place = Place::with_vault();
    let source = place.aside("source");
    write(source.join("readme.txt"), "hello");
    write(source.join("bin/tool"), "#!/bin/sh\n");
    fs::set_permissions(source.join("bin/tool"), fs::Permissions::from_mode(0o755))
        .expect("the mode is set");
    write(source.join("deep/er/and/deeper/leaf"), noise(1, 300_000));
    write(source.join("large"), noise(2, 5_000_000));
    write(source.join("empty file"), "");
    fs::create_dir_all(source.join("empty folder/in an empty folder")).expect("folders");
    for (link, target) in [
        ("dangling", "no/where"),
        ("absolute", "/etc"),
        ("to a folder", "deep/er"),
        ("deep/up", "../../.."),
    ] {
        symlink(target, source.join(link)).expect("a link");
    }
    for (name, seconds) in [
        ("readme.txt", -86_400.5),
        ("large", 4_102_444_800.123_456_7),
    ] {
        let file = fs::File::options()
            .write(true)
            .open(source.join(name))
            .expect("it is there");
        let time = if seconds < 0.0 {
            UNIX_EPOCH - Duration::from_secs_f64(-seconds)
        } else {
            UNIX_EPOCH + Duration::from_secs_f64(seconds)
        };
        file.set_modified(time).expect("the time is set");
    }

    let added = place.run([
        "add".as_ref(),
        "--to".as_ref(),
        "Archive/Trees".as_ref(),
        source.as_os_str(),
    ]);
    added.expect_code(0);
    assert!(added.text().contains("5 new files"), "{added:?}");
    assert!(added.text().contains("4 new links"), "{added:?}");
    place.verify_clean();

    let out = place.aside("out");
    place
        .run(["export".as_ref(), "--out".as_ref(), out.as_os_str()])
        .expect_code(0);
    assert_same_tree(&source, &out.join("Archive/Trees/source"));

    let part = place.aside("part");
    let args = ["export", "Archive/Trees/source/deep", "--out"];
    let args = args.iter().map(AsRef::as_ref).chain([part.as_os_str()]);
    place.run(args).expect_code(0);
    assert_same_tree(&source.join("deep"), &part);
    assert_eq!(place.names(), ["v.vault"]);
}

#[test]
fn contents_of_a_folder_go_where_they_are_told() {
    let place = Place::with_vault();
    write(place.path("src/a.txt"), "a");
    write(place.path("src/sub/b.txt"), "b");
    place.run(["add", "--to", "P/C", "src/."]).expect_code(0);
    place.run(["add", "--to", "/P//D/", "src/"]).expect_code(0);
    assert_eq!(place.run(["ls", "P/C"]).text(), "sub/\na.txt\n");
    assert_eq!(place.run(["ls", "P/D"]).text(), "src/\n");
    assert_eq!(place.run(["ls"]).text(), "P/\n");
    // A project can hold folders, but no files.
    place.run(["add", "--to", "Q", "src"]).expect_code(0);
    for file in ["src/a.txt", "src/."] {
        let refused = place.run(["add", "--to", "R", file]);
        refused.expect_code(2);
        assert!(refused.stderr.contains("files lie in collections"));
    }
    assert_eq!(place.run(["ls"]).text(), "P/\nQ/\n");
}

#[test]
fn get_writes_one_file_and_never_over_another() {
    let place = Place::with_vault();
    let bytes = noise(3, 3_000_000);
    write(place.aside("tool"), &bytes);
    let tool = place.aside("tool");
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o700)).expect("the mode is set");
    place
        .run([
            "add".as_ref(),
            "--to".as_ref(),
            "P/C".as_ref(),
            tool.as_os_str(),
        ])
        .expect_code(0);

    place.run(["get", "P/C/tool"]).expect_code(0);
    let before = tree(&place.aside("."))[std::path::Path::new("tool")].clone();
    assert_eq!(tree(&place.here())[std::path::Path::new("tool")], before);
    let again = place.run(["get", "P/C/tool"]);
    again.expect_code(1);
    assert!(again.stderr.contains("tool exists already"), "{again:?}");

    let streamed = place.run(["get", "P/C/tool", "-o", "-"]);
    assert!(streamed.expect_code(0).stdout == bytes);
    let listed = place.run(["--json", "ls", "P/C"]).json();
    let id = listed["entries"][0]["id"].as_u64().expect("an id");
    for (number, id) in [(1, format!("{id}")), (2, format!("#{id}"))] {
        let name = format!("copy {number}");
        place.run(["get", &id, "-o", &name]).expect_code(0);
        assert!(matches!(
            &tree(&place.here())[std::path::Path::new(&name)],
            Entry::File { executable: true, bytes: found, .. } if *found == bytes
        ));
    }
}

#[test]
fn export_needs_a_new_or_empty_folder() {
    let place = Place::with_vault();
    write(place.path("src/a"), "a");
    place.run(["add", "--to", "P", "src"]).expect_code(0);
    let refused = place.run(["export", "--out", "src"]);
    refused.expect_code(1);
    assert!(refused.stderr.contains("src is not an empty folder"));
    fs::create_dir(place.path("empty")).expect("a folder");
    place.run(["export", "--out", "empty"]).expect_code(0);
    assert_same_tree(&place.path("src"), &place.path("empty/P/src"));
    place
        .run(["export", "P/nothing", "--out", "x"])
        .expect_code(1);
    assert!(!place.path("x").exists());
}

#[test]
fn equal_bytes_are_stored_once() {
    let place = Place::with_vault();
    let bytes = noise(4, 2_000_000);
    for copy in 0..5 {
        write(place.path(format!("src/{copy}")), &bytes);
    }
    place.run(["add", "--to", "P", "src"]).expect_code(0);
    let status = place.run(["--json", "status"]).json();
    assert_eq!(status["logical_bytes"], 10_000_000);
    assert_eq!(status["unique_bytes"], 2_000_000);
    assert_eq!(status["saved_by_deduplication_bytes"], 8_000_000);
    assert_eq!(status["read_only"], serde_json::Value::Null);
    assert_eq!(status["safe_to_copy"], true);
    assert!(status["file_bytes"].as_u64().expect("a number") < 3_000_000);
    place.verify_clean();
}
