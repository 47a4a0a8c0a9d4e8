//! Uploads into a vault that can be slow, full or broken. Uploads into a real vault are tested in
//! crates/vault/tests/it/uploads.rs.

mod fake;

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use self::fake::Fake;
use super::{Completed, Completion, DrainReport, UploadError, UploadStatus, Uploads, lock};
use crate::error::IngestError;
use crate::ids::{AssetId, CollectionId, Digest, Seq};
use crate::name::Name;

struct Place {
    dir: tempfile::TempDir,
    fake: Arc<Fake>,
}

impl Place {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            fake: Arc::default(),
        }
    }

    fn open(&self) -> Uploads {
        self.open_patient(Duration::from_millis(50))
    }

    fn open_patient(&self, patience: Duration) -> Uploads {
        let vault = self.dir.path().join("a.vault");
        let state = self.dir.path().join("state");
        Uploads::with_door(&vault, &state, Box::new(Arc::clone(&self.fake)), patience)
    }

    fn spool(&self) -> PathBuf {
        self.dir.path().join("a.vault-uploads")
    }

    /// All files in the spool but the records.
    fn spooled_files(&self) -> usize {
        let Ok(uploads) = fs::read_dir(self.spool()) else {
            return 0;
        };
        uploads
            .flat_map(|upload| fs::read_dir(upload.unwrap().path()).unwrap())
            .filter(|file| file.as_ref().unwrap().file_name() != "upload.json")
            .count()
    }
}

fn put(uploads: &Uploads, id: &str, index: u64, bytes: &[u8]) -> Result<(), UploadError> {
    let mut part = uploads.part(id, index)?;
    part.append(bytes)?;
    part.finish()
}

fn completion(id: &str) -> Completion {
    Completion {
        upload_id: id.into(),
        collection: CollectionId::new(Seq::new(2)),
        folders: Vec::new(),
        name: Name::new("x.bin").unwrap(),
        total_size: None,
        parts: None,
        sha256: None,
        modified: None,
        executable: false,
    }
}

fn sealed(asset: u64, already_archived: bool) -> Completed {
    Completed::Sealed {
        asset: AssetId::new(Seq::new(asset)),
        already_archived,
    }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, UploadError>) -> &'static str {
    result.unwrap_err().code()
}

#[track_caller]
fn wait_until(mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(20), "waited in vain");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn status(uploads: &Uploads, id: &str) -> Option<UploadStatus> {
    uploads.get(id).unwrap().map(|state| state.status)
}

#[test]
fn a_slow_commit_is_promised_and_then_kept() {
    let place = Place::new();
    let uploads = place.open();
    let ended = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&ended);
    uploads.subscribe(Box::new(move |state| lock(&told).push(state.clone())));
    put(&uploads, "u", 0, b"abc").unwrap();
    place.fake.stall(true);
    assert_eq!(
        uploads.complete(&completion("u")).unwrap(),
        Completed::Queued
    );
    assert_eq!(
        uploads.complete(&completion("u")).unwrap(),
        Completed::Queued
    );
    assert_eq!(status(&uploads, "u"), Some(UploadStatus::Queued));
    assert_eq!(uploads.unfinished(10).len(), 1);
    assert_eq!(refused(put(&uploads, "u", 0, b"abc")), "upload_complete");
    assert_eq!(place.spooled_files(), 2, "a part and complete.json");
    place.fake.stall(false);
    wait_until(|| !lock(&ended).is_empty());
    assert_eq!(lock(&ended)[0].status, UploadStatus::Sealed);
    assert_eq!(
        uploads.complete(&completion("u")).unwrap(),
        sealed(0, false)
    );
    wait_until(|| !place.spool().exists());
    assert_eq!(uploads.unfinished_count(), 0);
}

#[test]
fn what_was_promised_is_sealed_after_a_restart() {
    let place = Place::new();
    place.fake.stall(true);
    {
        let uploads = place.open();
        put(&uploads, "queued", 1, b"def").unwrap();
        put(&uploads, "queued", 0, b"abc").unwrap();
        put(&uploads, "receiving", 0, b"x").unwrap();
        assert_eq!(
            uploads.complete(&completion("queued")).unwrap(),
            Completed::Queued
        );
        assert_eq!(
            uploads
                .complete(&Completion {
                    parts: Some(0),
                    ..completion("empty")
                })
                .unwrap(),
            Completed::Queued
        );
        let left = uploads.drain(Duration::from_millis(100));
        assert_eq!(
            left,
            DrainReport {
                sealed: 0,
                queued: 2,
                receiving: 1
            }
        );
        assert_eq!(
            refused(uploads.complete(&completion("receiving"))),
            "closing"
        );
        assert_eq!(refused(put(&uploads, "receiving", 1, b"y")), "closing");
    }
    assert!(place.fake.assets().is_empty());
    place.fake.stall(false);
    let uploads = place.open();
    wait_until(|| status(&uploads, "queued") == Some(UploadStatus::Sealed));
    wait_until(|| status(&uploads, "empty") == Some(UploadStatus::Sealed));
    assert!(place.fake.assets().contains(&b"abcdef".to_vec()));
    assert!(matches!(
        uploads.complete(&completion("queued")).unwrap(),
        Completed::Sealed { .. }
    ));
    let kept = uploads.get("receiving").unwrap().unwrap();
    assert_eq!(
        (kept.status, kept.received_bytes),
        (UploadStatus::Receiving, 1)
    );
    assert_eq!(kept.parts[0].index, 0);
}

#[test]
fn a_promised_upload_outlasts_a_full_disk_and_a_busy_vault() {
    let place = Place::new();
    let uploads = place.open();
    put(&uploads, "u", 0, b"abc").unwrap();
    place.fake.stall(true);
    place
        .fake
        .fail_next([IngestError::DiskFull, IngestError::Busy]);
    assert_eq!(
        uploads.complete(&completion("u")).unwrap(),
        Completed::Queued
    );
    place.fake.stall(false);
    wait_until(|| lock(&place.fake.failures).is_empty());
    wait_until(|| status(&uploads, "u") == Some(UploadStatus::Sealed));
    assert_eq!(place.fake.assets(), [b"abc"]);
}

#[test]
fn a_refusal_before_the_promise_leaves_everything_as_it_was() {
    let place = Place::new();
    let uploads = place.open();
    put(&uploads, "u", 0, b"abc").unwrap();
    place.fake.fail_next([
        IngestError::DiskFull,
        IngestError::NotFound {
            what: "collection",
            id: 2,
        },
    ]);
    assert_eq!(refused(uploads.complete(&completion("u"))), "disk_full");
    assert_eq!(refused(uploads.complete(&completion("u"))), "not_found");
    let wrong = Completion {
        sha256: Some(Digest::of(b"other")),
        ..completion("u")
    };
    assert_eq!(refused(uploads.complete(&wrong)), "digest_differs");
    assert_eq!(refused(uploads.complete(&wrong)), "digest_differs");
    assert_eq!(status(&uploads, "u"), Some(UploadStatus::Receiving));
    put(&uploads, "u", 1, b"def").unwrap();
    let right = Completion {
        sha256: Some(Digest::of(b"abcdef")),
        ..completion("u")
    };
    assert_eq!(uploads.complete(&right).unwrap(), sealed(0, false));
}

#[test]
fn a_promised_upload_that_cannot_be_sealed_ends_as_failed() {
    let place = Place::new();
    let uploads = place.open();
    put(&uploads, "u", 0, b"abc").unwrap();
    place.fake.stall(true);
    place.fake.fail_next([IngestError::NotFound {
        what: "collection",
        id: 2,
    }]);
    assert_eq!(
        uploads.complete(&completion("u")).unwrap(),
        Completed::Queued
    );
    place.fake.stall(false);
    wait_until(|| status(&uploads, "u") == Some(UploadStatus::Failed));
    wait_until(|| !place.spool().exists());
    drop(uploads);
    let uploads = place.open();
    let state = uploads.get("u").unwrap().unwrap();
    assert_eq!(
        state.failure,
        Some(("not_found", "there is no collection 2".into()))
    );
    assert_eq!(refused(uploads.complete(&completion("u"))), "not_found");
    assert_eq!(refused(put(&uploads, "u", 0, b"abc")), "upload_complete");
}

#[test]
fn concurrent_completes_seal_once() {
    let place = Place::new();
    let uploads = place.open();
    put(&uploads, "u", 0, b"abc").unwrap();
    std::thread::scope(|scope| {
        let calls: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| uploads.complete(&completion("u")).unwrap()))
            .collect();
        for call in calls {
            assert_eq!(call.join().unwrap(), sealed(0, false));
        }
    });
    assert_eq!(place.fake.assets().len(), 1);
    let other = Completion {
        name: Name::new("y").unwrap(),
        ..completion("u")
    };
    assert_eq!(refused(uploads.complete(&other)), "upload_complete");
}

#[test]
fn the_same_part_may_come_twice_at_once() {
    let place = Place::new();
    let uploads = place.open();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for index in 0..20 {
                    put(&uploads, "u", index, &[u8::try_from(index).unwrap(); 1000]).unwrap();
                }
            });
        }
    });
    assert_eq!(place.spooled_files(), 20);
    assert_eq!(refused(put(&uploads, "u", 3, &[9; 1000])), "part_differs");
    assert_eq!(refused(put(&uploads, "u", 3, &[3; 999])), "part_differs");
    assert_eq!(uploads.get("u").unwrap().unwrap().received_bytes, 20_000);
}

#[test]
fn a_part_that_ends_early_leaves_nothing() {
    let place = Place::new();
    let uploads = place.open();
    let mut part = uploads.part("u", 0).unwrap();
    part.write_all(b"half").unwrap();
    assert!(place.spool().exists());
    drop(part);
    assert!(!place.spool().exists());
    assert_eq!(uploads.get("u").unwrap(), None);
    put(&uploads, "u", 1, b"whole").unwrap();
    drop(uploads.part("u", 0).unwrap());
    assert_eq!(place.spooled_files(), 1);
    assert_eq!(refused(uploads.complete(&completion("u"))), "parts_missing");
    let too_large = crate::limits::PART_BYTES_MAX + 1;
    let mut part = uploads.part("u", 2).unwrap();
    let zeros = vec![0; 1024 * 1024];
    let mut left = too_large;
    let error = loop {
        let piece = left.min(zeros.len() as u64);
        match part.append(&zeros[..usize::try_from(piece).unwrap()]) {
            Ok(()) => left -= piece,
            Err(error) => break error,
        }
    };
    assert_eq!(error.code(), "part_too_large");
    assert!(part.finish().is_err());
    assert_eq!(place.spooled_files(), 1);
}

#[test]
fn a_part_that_changes_on_disk_is_noticed() {
    let place = Place::new();
    let uploads = place.open();
    for index in 0..3 {
        put(&uploads, "u", index, b"abc").unwrap();
    }
    let upload = fs::read_dir(place.spool())
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let part = upload.join(format!("00000001-3-{:08x}.part", crc32fast::hash(b"abc")));
    fs::write(&part, b"abd").unwrap();
    let error = uploads.complete(&completion("u")).unwrap_err();
    assert!(
        matches!(error, UploadError::PartsMissing { ref missing, count: 1 } if *missing == [1])
    );
    put(&uploads, "u", 1, b"abc").unwrap();
    fs::remove_file(&part).unwrap();
    assert_eq!(refused(uploads.complete(&completion("u"))), "parts_missing");
    put(&uploads, "u", 1, b"abc").unwrap();
    assert_eq!(
        uploads.complete(&completion("u")).unwrap(),
        sealed(0, false)
    );
}

#[test]
fn a_part_lost_after_the_promise_is_a_failure_and_no_shorter_file() {
    let place = Place::new();
    place.fake.stall(true);
    {
        let uploads = place.open();
        put(&uploads, "u", 0, b"abc").unwrap();
        put(&uploads, "u", 1, b"def").unwrap();
        assert_eq!(
            uploads.complete(&completion("u")).unwrap(),
            Completed::Queued
        );
    }
    let upload = fs::read_dir(place.spool())
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    fs::remove_file(upload.join(format!("00000001-3-{:08x}.part", crc32fast::hash(b"def"))))
        .unwrap();
    place.fake.stall(false);
    let uploads = place.open();
    wait_until(|| status(&uploads, "u") == Some(UploadStatus::Failed));
    assert_eq!(refused(uploads.complete(&completion("u"))), "part_damaged");
    assert!(place.fake.assets().is_empty());
}

#[test]
fn abandoned_uploads_are_dropped_at_the_start() {
    let place = Place::new();
    {
        let uploads = place.open();
        put(&uploads, "old", 0, b"abc").unwrap();
        put(&uploads, "young", 0, b"abc").unwrap();
    }
    let old = place.spool().join(Digest::of(b"old").to_string());
    let long_ago =
        std::time::SystemTime::now() - crate::limits::UPLOAD_KEPT - Duration::from_secs(9);
    for file in fs::read_dir(&old).unwrap() {
        let file = fs::File::options()
            .write(true)
            .open(file.unwrap().path())
            .unwrap();
        file.set_modified(long_ago).unwrap();
    }
    let uploads = place.open();
    assert_eq!(status(&uploads, "old"), None);
    assert!(!old.exists());
    assert_eq!(status(&uploads, "young"), Some(UploadStatus::Receiving));
}

#[test]
fn a_file_in_one_piece_that_a_kill_broke_off_is_dropped_at_the_start() {
    let place = Place::new();
    let id = format!("whole-{:032x}", 7);
    {
        let uploads = place.open();
        put(&uploads, &id, 0, b"abc").unwrap();
        put(&uploads, "whole-mine", 0, b"abc").unwrap();
    }
    let uploads = place.open();
    assert_eq!(status(&uploads, &id), None);
    assert_eq!(
        status(&uploads, "whole-mine"),
        Some(UploadStatus::Receiving)
    );
}

#[test]
fn a_large_upload_is_sealed_by_a_worker() {
    let place = Place::new();
    let uploads = place.open_patient(Duration::from_mins(1));
    let part = vec![7; 40 * 1024 * 1024];
    for index in 0..2 {
        put(&uploads, "u", index, &part).unwrap();
    }
    place.fake.fail_next([IngestError::DiskFull]);
    assert_eq!(refused(uploads.complete(&completion("u"))), "disk_full");
    assert_eq!(
        uploads.complete(&completion("u")).unwrap(),
        sealed(0, false)
    );
    drop(uploads);
    let uploads = place.open();
    put(&uploads, "v", 0, &part).unwrap();
    place.fake.stall(true);
    assert_eq!(
        uploads.complete(&completion("v")).unwrap(),
        Completed::Queued
    );
    place.fake.stall(false);
    let left = uploads.drain(Duration::from_secs(20));
    assert_eq!(
        left,
        DrainReport {
            sealed: 1,
            queued: 0,
            receiving: 0
        }
    );
    assert!(!place.spool().exists());
}

#[test]
fn ids_and_numbers_are_bounded() {
    let place = Place::new();
    let uploads = place.open();
    assert_eq!(refused(uploads.part("", 0).map(drop)), "bad_id");
    assert_eq!(
        refused(uploads.part(&"x".repeat(201), 0).map(drop)),
        "bad_id"
    );
    assert_eq!(
        refused(uploads.part("u", crate::limits::PARTS_MAX).map(drop)),
        "too_many_parts"
    );
    assert_eq!(refused(uploads.complete(&completion(""))), "bad_id");
    assert_eq!(
        refused(uploads.complete(&completion("never heard of"))),
        "parts_missing"
    );
    assert_eq!(uploads.unfinished_count(), 0);
    assert!(!place.spool().exists());
}

#[test]
fn many_uploads_at_once_come_and_go() {
    let place = Place::new();
    let uploads = place.open();
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (uploads, done) = (&uploads, &done);
            scope.spawn(move || {
                for number in 0..50 {
                    let id = format!("{thread}/{number}");
                    put(uploads, &id, 0, id.as_bytes()).unwrap();
                    let completed = uploads.complete(&completion(&id)).unwrap();
                    assert!(matches!(
                        completed,
                        Completed::Sealed {
                            already_archived: false,
                            ..
                        }
                    ));
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(done.into_inner(), 400);
    assert_eq!(place.fake.assets().len(), 400);
    assert!(!place.spool().exists());
}
