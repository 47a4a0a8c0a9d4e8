//! Adding an unchanged tree again reads little, and never less than it must.

use std::fs::{self, File};
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use super::harness::{Place, write};

/// Longer than a file must have been left alone to be remembered.
const SETTLED: Duration = Duration::from_millis(2_100);

fn add(place: &Place, args: &[&str]) -> Value {
    let all = ["--json", "add"].iter().chain(args);
    place.run(all).expect_code(0).json()
}

/// Three files of a tree and a link, archived when they have been left alone, then `(sealed, already archived, unread)` of
/// what follows.
fn archived() -> Place {
    let place = Place::with_vault();
    for name in ["a", "b", "sub/c"] {
        write(place.path("src").join(name), name.repeat(1000));
    }
    std::os::unix::fs::symlink("a", place.path("src/l")).expect("a link");
    sleep(SETTLED);
    assert_eq!(figures(&add(&place, &["--to", "P", "src"])), [3, 0, 0]);
    place
}

fn figures(added: &Value) -> [u64; 3] {
    ["sealed", "already_archived", "unread"].map(|key| added[key].as_u64().expect("a number"))
}

fn overwrite(path: &Path, text: &str) {
    let mut file = File::options().write(true).open(path).expect("it opens");
    file.rewind().expect("its beginning");
    file.write_all(text.as_bytes()).expect("other bytes");
}

#[test]
fn unchanged_files_are_not_read_again_unless_that_is_asked_for() {
    let place = archived();
    assert_eq!(figures(&add(&place, &["--to", "P", "src"])), [0, 4, 3]);
    assert_eq!(
        figures(&add(&place, &["--to", "P", "--reread", "src"])),
        [0, 4, 0]
    );
    // By another way to the same place, and of its contents only a part.
    let within = add(&place, &["--to", "P/src", "src/sub", "src/a"]);
    assert_eq!(figures(&within), [0, 2, 2]);
    place.verify_clean();
}

#[test]
fn a_change_that_keeps_size_and_modification_time_is_noticed() {
    let place = archived();
    let path = place.path("src/b");
    let modified = fs::metadata(&path).and_then(|found| found.modified());
    overwrite(&path, "other");
    let file = File::options().write(true).open(&path).expect("it opens");
    file.set_modified(modified.expect("a time"))
        .expect("the time is set back");
    drop(file);
    assert_eq!(figures(&add(&place, &["--to", "P", "src"])), [1, 3, 2]);
    let kept = place.run(["get", "P/src/b", "-o", "-"]).text();
    assert!(kept.starts_with("other"), "{kept}");
}

#[test]
fn a_file_that_was_changed_just_now_is_read_again() {
    let place = Place::with_vault();
    write(place.path("src/a"), "one");
    assert_eq!(figures(&add(&place, &["--to", "P", "src"])), [1, 0, 0]);
    assert_eq!(figures(&add(&place, &["--to", "P", "src"])), [0, 1, 0]);
}

#[test]
fn a_file_is_read_where_the_vault_has_another_newest_version_or_none() {
    let place = archived();
    write(place.path("other/a"), "something else");
    add(&place, &["--to", "P/src", "other/a"]);
    // What is newest in the vault is not what the file was when it was read.
    assert_eq!(figures(&add(&place, &["--to", "P", "src"])), [1, 3, 2]);
    assert_eq!(figures(&add(&place, &["--to", "Q", "src"])), [3, 0, 0]);
    // Two folders that lead to the same names: the later one is the newest, every time.
    write(place.path("late/src/a"), "late");
    sleep(SETTLED);
    for _ in 0..2 {
        let added = add(&place, &["--to", "R", "src", "late/src"]);
        assert_eq!(added["unread"], 0);
        assert_eq!(place.run(["get", "R/src/a", "-o", "-"]).text(), "late");
    }
}

#[test]
fn a_cache_that_is_lost_damaged_or_of_another_vault_only_costs_time() {
    let place = archived();
    let caches = place.aside("cache").join("compactvault");
    let folder = fs::read_dir(&caches).expect("a folder of caches").next();
    let cache = folder
        .expect("one vault's")
        .expect("it can be read")
        .path()
        .join("seen");
    let whole = fs::read(&cache).expect("the cache");
    let mut flipped = whole.clone();
    for byte in &mut flipped[20..] {
        *byte ^= 0x10;
    }
    for bytes in [&[][..], b"no cache", &whole[..whole.len() - 1], &flipped] {
        fs::write(&cache, bytes).expect("it can be damaged");
        let read = figures(&add(&place, &["--to", "P", "src"]));
        assert_eq!([read[0], read[1]], [0, 4]);
        // It is made again.
        assert_eq!(figures(&add(&place, &["--to", "P", "src"])), [0, 4, 3]);
    }
    fs::remove_dir_all(&caches).expect("it can be lost");
    assert_eq!(figures(&add(&place, &["--to", "P", "src"])), [0, 4, 0]);

    // Another vault has none of it, whatever the cache says.
    place.run(["init", "other.vault"]).expect_code(0);
    let id = |vault: &str| {
        let status = place.run(["--json", "--vault", vault, "status"]).json();
        status["id"]
            .as_str()
            .or(status["vault_id"].as_str())
            .expect("an id")
            .to_owned()
    };
    let foreign = caches.join(id("other.vault"));
    fs::create_dir_all(&foreign).expect("a folder");
    fs::write(foreign.join("seen"), &whole).expect("a foreign cache");
    let added = add(&place, &["--vault", "other.vault", "--to", "P", "src"]);
    assert_eq!(figures(&added), [3, 0, 0]);
}
