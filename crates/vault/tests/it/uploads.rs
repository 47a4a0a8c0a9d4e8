//! A client that uploads over a bad line to a server that is stopped at every step: what it was told stays true, and
//! the vault gets each file once, whole, or not at all.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use compactvault_vault::uploads::{
    Completed, Completion, DrainReport, UploadError, UploadStatus, Uploads,
};
use compactvault_vault::{
    AssetId, CollectionId, Digest, ListQuery, Name, Node, Seq, Timestamp, Vault, VerifyLevel,
};

use super::support::{Home, name, noise, place, plain, read_all};

fn uploads(vault: &Vault) -> &Uploads {
    vault.uploads().expect("the vault takes uploads")
}

fn put(vault: &Vault, id: &str, index: u64, bytes: &[u8]) -> Result<(), UploadError> {
    let mut part = uploads(vault).part(id, index)?;
    for piece in bytes.chunks(64 * 1024) {
        part.append(piece)?;
    }
    part.finish()
}

fn completion(place: CollectionId, id: &str) -> Completion {
    Completion {
        upload_id: id.into(),
        collection: place,
        folders: Vec::new(),
        name: name("film.bin"),
        total_size: None,
        parts: None,
        sha256: None,
        modified: None,
        executable: false,
    }
}

#[track_caller]
fn sealed(result: Result<Completed, UploadError>) -> (AssetId, bool) {
    match result.expect("complete is accepted") {
        Completed::Sealed {
            asset,
            already_archived,
        } => (asset, already_archived),
        Completed::Queued => panic!("it should be sealed at once"),
    }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, UploadError>) -> &'static str {
    result.expect_err("it is refused").code()
}

/// Asks for the upload until it has the status.
#[track_caller]
fn wait_for(vault: &Vault, id: &str, status: UploadStatus) {
    let start = Instant::now();
    while uploads(vault).get(id).unwrap().map(|state| state.status) != Some(status) {
        assert!(
            start.elapsed() < Duration::from_secs(40),
            "{id} never became {status:?}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn spool(home: &Home) -> PathBuf {
    home.path().join("test.vault-uploads")
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn assets_in(vault: &Vault, place: CollectionId) -> u64 {
    let query = ListQuery {
        limit: 1,
        all_versions: true,
        ..ListQuery::default()
    };
    vault.list(place, &query).unwrap().total
}

#[test]
fn parts_in_any_order_and_at_once_become_the_file() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    let content = noise(1, 3_000_000);
    let parts: Vec<&[u8]> = content.chunks(250_000).collect();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (vault, parts) = (&vault, &parts);
            scope.spawn(move || {
                for index in (0..parts.len()).rev().filter(|index| index % 4 == thread) {
                    put(vault, "film", index as u64, parts[index]).unwrap();
                }
            });
        }
    });
    let modified = Timestamp {
        seconds: -3,
        nanoseconds: 500,
    };
    let (asset, already) = sealed(uploads(&vault).complete(&Completion {
        folders: vec![name("2024"), name("May")],
        total_size: Some(content.len() as u64),
        parts: Some(parts.len() as u64),
        sha256: Some(Digest::of(&content)),
        modified: Some(modified),
        executable: true,
        ..completion(place, "film")
    }));
    assert!(!already);
    assert!(read_all(&vault, asset).unwrap() == content);
    let details = vault.asset_details(asset).unwrap();
    let path: Vec<String> = details.path.iter().map(Name::escaped).collect();
    assert_eq!(path, ["P", "C", "2024", "May", "film.bin"]);
    assert_eq!(details.asset.modified, Some(modified));
    assert!(details.asset.executable);
    vault.close().unwrap();
    assert_eq!(home.files(), ["test.vault"]);
}

#[test]
fn an_answer_that_was_lost_is_given_again() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    put(&vault, "u", 0, b"abc").unwrap();
    put(&vault, "u", 0, b"abc").unwrap();
    assert_eq!(refused(put(&vault, "u", 0, b"abd")), "part_differs");
    let (asset, _) = sealed(uploads(&vault).complete(&completion(place, "u")));
    let again = sealed(uploads(&vault).complete(&completion(place, "u")));
    assert_eq!(
        again,
        (asset, false),
        "the same answer, not `already_archived`"
    );
    let other = Completion {
        name: name("other"),
        ..completion(place, "u")
    };
    assert_eq!(refused(uploads(&vault).complete(&other)), "upload_complete");
    assert_eq!(refused(put(&vault, "u", 1, b"def")), "upload_complete");
    vault.close().unwrap();
    drop(vault);

    let vault = home.open();
    assert_eq!(
        sealed(uploads(&vault).complete(&completion(place, "u"))),
        (asset, false)
    );
    assert_eq!(refused(put(&vault, "u", 0, b"abc")), "upload_complete");
    let state = uploads(&vault)
        .get("u")
        .unwrap()
        .expect("its end is remembered");
    assert_eq!(
        (state.status, state.asset),
        (UploadStatus::Sealed, Some(asset))
    );
    assert_eq!(state.received_bytes, 3);
    assert_eq!(assets_in(&vault, place), 1);
}

#[test]
fn the_server_may_stop_after_every_step() {
    let home = Home::new();
    let mut vault = home.create();
    let place = place(&vault);
    let content = noise(2, 500_000);
    let restart = |vault: &mut Vault| {
        vault.close().unwrap();
        *vault = home.open();
    };
    for (index, part) in content.chunks(100_000).enumerate().skip(1) {
        put(&vault, "u", index as u64, part).unwrap();
        restart(&mut vault);
        let state = uploads(&vault)
            .get("u")
            .unwrap()
            .expect("its parts are kept");
        assert_eq!(state.parts.len(), index);
        assert!(state.parts.iter().all(|part| part.size == 100_000));
    }
    let all = Completion {
        sha256: Some(Digest::of(&content)),
        parts: Some(5),
        ..completion(place, "u")
    };
    let missing = uploads(&vault).complete(&all).unwrap_err();
    assert!(matches!(missing, UploadError::PartsMissing { ref missing, .. } if *missing == [0]));
    restart(&mut vault);
    put(&vault, "u", 0, &content[..100_000]).unwrap();
    restart(&mut vault);
    let (asset, already) = sealed(uploads(&vault).complete(&all));
    assert!(!already);
    restart(&mut vault);
    assert_eq!(sealed(uploads(&vault).complete(&all)), (asset, false));
    assert!(read_all(&vault, asset).unwrap() == content);
    vault.close().unwrap();
    assert_eq!(home.files(), ["test.vault"]);
}

#[test]
fn a_crash_between_the_commit_and_its_record_seals_nothing_twice() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    put(&vault, "u", 0, b"abc").unwrap();
    let saved = home.path().join("saved");
    copy_tree(&spool(&home), &saved);
    let (asset, _) = sealed(uploads(&vault).complete(&completion(place, "u")));
    vault.close().unwrap();
    drop(vault);
    // As if the record had not been written and the spool not been emptied.
    for entry in fs::read_dir(home.path().join("state")).unwrap() {
        fs::remove_file(entry.unwrap().path().join("uploads.jsonl")).unwrap();
    }
    fs::rename(&saved, spool(&home)).unwrap();

    let vault = home.open();
    let state = uploads(&vault)
        .get("u")
        .unwrap()
        .expect("it is found in the spool");
    assert_eq!(state.status, UploadStatus::Receiving);
    assert_eq!(
        sealed(uploads(&vault).complete(&completion(place, "u"))),
        (asset, true)
    );
    assert_eq!(assets_in(&vault, place), 1);
    vault.close().unwrap();
    assert_eq!(home.files(), ["test.vault"]);
}

#[test]
fn a_record_without_the_removal_is_made_good_at_the_next_start() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    put(&vault, "u", 0, b"abc").unwrap();
    let saved = home.path().join("saved");
    copy_tree(&spool(&home), &saved);
    let (asset, _) = sealed(uploads(&vault).complete(&completion(place, "u")));
    vault.close().unwrap();
    drop(vault);
    fs::rename(&saved, spool(&home)).unwrap();

    let vault = home.open();
    assert_eq!(
        sealed(uploads(&vault).complete(&completion(place, "u"))),
        (asset, false)
    );
    vault.close().unwrap();
    assert_eq!(home.files(), ["test.vault"]);
}

#[test]
fn a_vault_busy_elsewhere_queues_and_nothing_is_lost_by_stopping() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    let content = noise(3, 200_000);
    put(&vault, "u", 0, &content).unwrap();
    put(&vault, "unfinished", 0, b"abc").unwrap();
    // Another process writes and takes its time.
    let other = plain(&home.file());
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let asked = Instant::now();
    let answer = uploads(&vault).complete(&completion(place, "u")).unwrap();
    assert_eq!(answer, Completed::Queued);
    assert!(asked.elapsed() < Duration::from_secs(10));
    let state = uploads(&vault).get("u").unwrap().unwrap();
    assert_eq!(state.status, UploadStatus::Queued);
    assert_eq!(uploads(&vault).unfinished(10).len(), 2);
    let saved = home.path().join("saved");
    copy_tree(&spool(&home), &saved);
    other.execute_batch("COMMIT").unwrap();
    wait_for(&vault, "u", UploadStatus::Sealed);
    let (asset, _) = sealed(uploads(&vault).complete(&completion(place, "u")));
    let left = uploads(&vault).drain(Duration::from_secs(10));
    assert_eq!(
        left,
        DrainReport {
            sealed: 0,
            queued: 0,
            receiving: 1
        }
    );
    vault.close().unwrap();
    drop((vault, other));

    // As if the program had been killed right after it answered `queued`, the commit being the last it did.
    for entry in fs::read_dir(home.path().join("state")).unwrap() {
        fs::remove_file(entry.unwrap().path().join("uploads.jsonl")).unwrap();
    }
    fs::remove_dir_all(spool(&home)).unwrap();
    fs::rename(&saved, spool(&home)).unwrap();
    let vault = home.open();
    wait_for(&vault, "u", UploadStatus::Sealed);
    assert_eq!(
        sealed(uploads(&vault).complete(&completion(place, "u"))),
        (asset, true)
    );
    assert!(read_all(&vault, asset).unwrap() == content);
    assert_eq!(assets_in(&vault, place), 1);
    wait_for(&vault, "unfinished", UploadStatus::Receiving);
    vault.close().unwrap();
    assert_eq!(home.files(), ["test.vault", "test.vault-uploads"]);
}

#[test]
fn what_does_not_add_up_is_refused_and_can_be_put_right() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    put(&vault, "u", 0, b"abc").unwrap();
    put(&vault, "u", 2, b"ghi").unwrap();
    let with = |change: fn(&mut Completion)| {
        let mut completion = completion(place, "u");
        change(&mut completion);
        uploads(&vault).complete(&completion)
    };
    assert_eq!(refused(with(|_| ())), "parts_missing");
    assert_eq!(refused(with(|c| c.parts = Some(5))), "parts_missing");
    put(&vault, "u", 1, b"def").unwrap();
    assert_eq!(refused(with(|c| c.parts = Some(2))), "parts_differ");
    assert_eq!(refused(with(|c| c.parts = Some(4))), "parts_missing");
    assert_eq!(refused(with(|c| c.total_size = Some(10))), "size_differs");
    assert_eq!(
        refused(with(|c| c.sha256 = Some(Digest::of(b"abcdefghj")))),
        "digest_differs"
    );
    assert_eq!(
        refused(with(|c| c.collection = CollectionId::new(Seq::new(99)))),
        "not_found"
    );
    let project = CollectionId::new(Seq::new(1));
    let mut in_project = completion(place, "u");
    in_project.collection = project;
    refused(uploads(&vault).complete(&in_project));
    assert_eq!(
        refused(uploads(&vault).complete(&completion(place, "nobody's"))),
        "parts_missing"
    );
    assert_eq!(assets_in(&vault, place), 0);
    let (asset, _) = sealed(with(|c| {
        c.parts = Some(3);
        c.total_size = Some(9);
        c.sha256 = Some(Digest::of(b"abcdefghi"));
    }));
    assert_eq!(read_all(&vault, asset).unwrap(), b"abcdefghi");
}

#[test]
fn an_id_never_becomes_a_path() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    let deep = format!("{}x", "../".repeat(60));
    for id in [
        "../../x",
        "/etc/passwd",
        ".",
        "..",
        "a\0b",
        "C:\\x",
        "é/\u{202e}",
        &deep,
    ] {
        put(&vault, id, 0, id.as_bytes()).unwrap();
        let folders: Vec<_> = fs::read_dir(spool(&home)).unwrap().collect();
        assert_eq!(folders.len(), 1, "{id:?}");
        let folder = folders[0].as_ref().unwrap().file_name();
        assert_eq!(
            folder.to_str().unwrap(),
            Digest::of(id.as_bytes()).to_string()
        );
        assert_eq!(
            home.files(),
            [
                "test.vault",
                "test.vault-shm",
                "test.vault-uploads",
                "test.vault-wal"
            ]
        );
        let (asset, _) = sealed(uploads(&vault).complete(&completion(place, id)));
        assert_eq!(read_all(&vault, asset).unwrap(), id.as_bytes());
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_spool() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let vault = home.create();
    put(&vault, "u", 0, b"secret").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&spool(&home)), 0o700);
    let upload = fs::read_dir(spool(&home))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    assert_eq!(mode(&upload), 0o700);
    for file in fs::read_dir(upload).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
}

#[test]
fn completes_at_once_are_one_and_share_their_folders() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    put(&vault, "u", 0, b"abc").unwrap();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| sealed(uploads(&vault).complete(&completion(place, "u")))))
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert!(
        answers
            .iter()
            .all(|answer| *answer == (answers[0].0, false))
    );
    assert_eq!(assets_in(&vault, place), 1);

    std::thread::scope(|scope| {
        for number in 0..8 {
            let vault = &vault;
            scope.spawn(move || {
                for file in 0..25 {
                    let id = format!("{number}/{file}");
                    put(vault, &id, 0, id.as_bytes()).unwrap();
                    sealed(uploads(vault).complete(&Completion {
                        folders: vec![name("shared")],
                        name: name(&format!("{number}-{file}")),
                        ..completion(place, &id)
                    }));
                }
            });
        }
    });
    let Node::Collection(shared) = vault
        .resolve(&[name("P"), name("C"), name("shared")])
        .unwrap()
    else {
        panic!("it is a collection");
    };
    assert_eq!(assets_in(&vault, shared.id), 200);
    assert!(
        vault
            .verify(VerifyLevel::Deep, &|_| ())
            .unwrap()
            .findings
            .is_empty()
    );
    vault.close().unwrap();
    assert_eq!(home.files(), ["test.vault"]);
}

#[test]
fn an_empty_file_is_an_upload_without_parts() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    let empty = Completion {
        total_size: Some(0),
        parts: Some(0),
        ..completion(place, "nothing")
    };
    let (asset, _) = sealed(uploads(&vault).complete(&empty));
    assert_eq!(vault.asset(asset).unwrap().size, 0);
    assert_eq!(sealed(uploads(&vault).complete(&empty)), (asset, false));
}

#[test]
fn the_same_bytes_under_the_same_name_are_archived_already() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    put(&vault, "a", 0, b"abc").unwrap();
    put(&vault, "b", 0, b"abc").unwrap();
    let (first, already) = sealed(uploads(&vault).complete(&completion(place, "a")));
    assert!(!already);
    assert_eq!(
        sealed(uploads(&vault).complete(&completion(place, "b"))),
        (first, true)
    );
}

#[cfg(unix)]
#[test]
fn two_servers_do_not_share_a_spool() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    let other = home.open();
    put(&vault, "u", 0, b"abc").unwrap();
    assert_eq!(refused(put(&other, "u", 0, b"abc")), "busy");
    assert_eq!(
        refused(uploads(&other).complete(&completion(place, "u"))),
        "busy"
    );
    sealed(uploads(&vault).complete(&completion(place, "u")));
    put(&other, "v", 0, b"abc").unwrap();
    sealed(uploads(&other).complete(&completion(place, "v")));
}
