//! Decoders break; whoever only wanted to look does not notice more than a picture that is missing. Jobs that behave as
//! decoders of hostile files do are run in real workers: they loop, take all memory, crash, lie and try to get out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use compactvault_preview::{Job, Output};
use compactvault_server::previews::{Ask, Made, Pool, PreviewError, Priority, Siblings};
use compactvault_vault::{AssetId, AssetReader, Name, NewAsset, PlaceId, Vault};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bench::{noise, vault_options, worker};

#[path = "../../test-worker/jobs.rs"]
mod jobs;

/// A vault and workers.
struct Shop {
    vault: Vault,
    place: PlaceId,
    pool: Pool,
    _dir: TempDir,
}

impl Shop {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::create(&dir.path().join("a.vault"), &vault_options(dir.path())).unwrap();
        let (project, _) = vault
            .create_project(Name::new("P").unwrap(), "project", "")
            .unwrap();
        Self {
            vault,
            place: PlaceId::Project(project.id),
            pool: Pool::alone(worker()),
            _dir: dir,
        }
    }

    fn add(&self, name: &str, bytes: &[u8]) -> AssetReader {
        let asset = NewAsset {
            place: self.place,
            folders: vec![Name::new("C").unwrap()],
            name: Name::new(name).unwrap(),
            modified: None,
            executable: false,
            expected_size: None,
            expected_sha256: None,
        };
        let ingest = self.vault.ingest().unwrap();
        let (ticket, _) = ingest.archive(asset, &mut &*bytes).unwrap();
        let id = AssetId::new(ticket.wait().unwrap().seq);
        self.vault.open_asset(id).unwrap()
    }

    async fn run(&self, job: &'static Job, reader: &AssetReader, parameters: Value) -> Made {
        let ask = Ask {
            job,
            parameters,
            reader: reader.clone(),
            siblings: None,
            keep: None,
        };
        self.pool.run(ask, Priority::Visible).await
    }

    /// The code of a failure, after which the next job has to succeed.
    async fn failure(&self, job: &'static Job, reader: &AssetReader) -> String {
        let made = self.run(job, reader, json!({})).await;
        let Err(PreviewError::Failed(failure)) = made else {
            panic!("{}: {made:?}", job.name);
        };
        assert!(!failure.message.is_empty());
        let next = self.run(&jobs::ECHO, reader, json!({"length": 1})).await;
        assert!(next.is_ok(), "after {}: {next:?}", job.name);
        failure.code
    }
}

fn made(made: Made) -> Arc<Output> {
    made.expect("it is made")
}

#[tokio::test]
async fn a_worker_sees_the_bytes_it_asks_for_and_is_used_again() {
    let shop = Shop::new();
    let bytes = noise(3_000_000, 1);
    let reader = shop.add("a\u{202e}é.bin", &bytes);
    let whole = made(
        shop.run(&jobs::ECHO, &reader, json!({"length": 900_000}))
            .await,
    );
    assert!(whole.bytes == bytes[..900_000]);
    assert_eq!(whole.header["filename"], "a\u{202e}é.bin");
    assert_eq!(whole.header["length"], 3_000_000);
    assert_eq!(whole.header["variables"], 0);
    let part = json!({"offset": 2_999_990_u64, "length": 100});
    let part = made(shop.run(&jobs::ECHO, &reader, part).await);
    assert!(part.bytes == bytes[2_999_990..]);
    assert_eq!(part.header["process"], whole.header["process"]);
    let empty = shop.add("empty", b"");
    let nothing = made(shop.run(&jobs::ECHO, &empty, json!({})).await);
    assert!(nothing.bytes.is_empty());
}

#[tokio::test]
async fn whatever_a_job_does_the_next_one_works() {
    let shop = Shop::new();
    let reader = shop.add("a", b"x");
    for (job, code) in [
        (&jobs::PANIC, "crashed"),
        (&jobs::DIE, "crashed"),
        (&jobs::HOG, "crashed"),
        (&jobs::DEEP, "crashed"),
        (&jobs::LOOP, "crashed"),
        (&jobs::SLEEP, "timed_out"),
        (&jobs::BABBLE, "crashed"),
        (&jobs::FLOOD, "too_large"),
    ] {
        assert_eq!(shop.failure(job, &reader).await, code, "{}", job.name);
    }
}

#[tokio::test]
async fn a_panic_is_told_and_so_is_a_file_that_would_have_to_be_read_too_often() {
    let shop = Shop::new();
    let reader = shop.add("a", b"x");
    let Err(PreviewError::Failed(failure)) = shop.run(&jobs::PANIC, &reader, json!({})).await
    else {
        panic!("it panics");
    };
    assert!(failure.message.contains("index 7 is out of bounds"));
    let large = shop.add("large", &noise(6_000_000, 2));
    assert_eq!(shop.failure(&jobs::ECHO, &large).await, "too_large");
}

#[tokio::test]
async fn a_worker_can_open_nothing() {
    let shop = Shop::new();
    let reader = shop.add("a", b"x");
    let escape = made(shop.run(&jobs::ESCAPE, &reader, json!({})).await);
    assert_eq!(escape.header["opened"], json!([false, false, false, false]));
    assert_eq!(escape.header["folder"], "/");
}

#[tokio::test]
async fn other_files_are_found_by_whoever_asked() {
    let shop = Shop::new();
    let reader = shop.add("a.gltf", b"b.bin");
    let other = shop.add("b.bin", b"beside");
    let ask = |siblings| Ask {
        job: &jobs::BESIDE,
        parameters: json!({}),
        reader: reader.clone(),
        siblings,
        keep: None,
    };
    let siblings = Siblings::new(move |name| Ok((name == "b.bin").then(|| other.clone())));
    let found = shop.pool.run(ask(Some(siblings)), Priority::Visible).await;
    assert_eq!(made(found).bytes, b"beside");
    let alone = shop.pool.run(ask(None), Priority::Visible).await;
    assert!(matches!(alone, Err(PreviewError::Failed(_))));
}

#[tokio::test]
async fn the_same_is_made_once_and_kept_even_if_nobody_waits() {
    let shop = Shop::new();
    let reader = shop.add("a", b"x");
    let go = Arc::new(AtomicBool::new(false));
    let kept = Arc::new(std::sync::Mutex::new(0));
    let asked = Arc::new(tokio::sync::Notify::new());
    let ask = || {
        let (go, kept, asked) = (Arc::clone(&go), Arc::clone(&kept), Arc::clone(&asked));
        let same = reader.clone();
        Ask {
            job: &jobs::WAIT,
            parameters: json!({}),
            reader: reader.clone(),
            siblings: Some(Siblings::new(move |_| {
                asked.notify_one();
                Ok(go.load(Ordering::SeqCst).then(|| same.clone()))
            })),
            keep: Some(Box::new(move |made| {
                assert!(made.is_ok());
                *kept.lock().unwrap() += 1;
            })),
        }
    };
    let given_up = tokio::spawn({
        let (pool, ask) = (shop.pool.clone(), ask());
        async move { pool.run(ask, Priority::Visible).await.is_ok() }
    });
    asked.notified().await;
    let others: Vec<_> = (0..5)
        .map(|_| {
            let (pool, ask) = (shop.pool.clone(), ask());
            tokio::spawn(async move { pool.run(ask, Priority::Background).await.is_ok() })
        })
        .collect();
    given_up.abort();
    assert!(given_up.await.is_err());
    go.store(true, Ordering::SeqCst);
    for other in others {
        assert!(other.await.unwrap());
    }
    assert_eq!(*kept.lock().unwrap(), 1);
}

#[tokio::test]
async fn closing_breaks_off_what_runs_and_what_waits() {
    let shop = Shop::new();
    let reader = shop.add("a", b"x");
    let asked = Arc::new(tokio::sync::Notify::new());
    let running: Vec<_> = (0..8)
        .map(|number| {
            let (pool, asked) = (shop.pool.clone(), Arc::clone(&asked));
            let ask = Ask {
                job: &jobs::WAIT,
                parameters: json!({ "number": number }),
                reader: reader.clone(),
                siblings: Some(Siblings::new(move |_| {
                    asked.notify_one();
                    Ok(None)
                })),
                keep: None,
            };
            tokio::spawn(async move { pool.run(ask, Priority::Visible).await })
        })
        .collect();
    asked.notified().await;
    shop.pool.close();
    for one in running {
        assert!(matches!(one.await.unwrap(), Err(PreviewError::Busy)));
    }
    let late = shop.run(&jobs::ECHO, &reader, json!({})).await;
    assert!(matches!(late, Err(PreviewError::Busy)));
}
