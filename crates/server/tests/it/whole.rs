//! One file in one request: what it seals, what it refuses, and that a refusal leaves nothing behind.

use std::path::PathBuf;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Method;
use compactvault_vault::Digest;
use serde_json::{Value, json};

use crate::bench::{Answer, Bench, noise};

/// What still fits in memory.
const IN_MEMORY_BYTES_MAX: usize = 8 * 1024 * 1024;

async fn send(bench: &Bench, collection: u64, query: &str, body: impl Into<Body>) -> Answer {
    let path = format!("/api/collections/{collection}/assets?{query}");
    let headers = [("content-type", "application/octet-stream")];
    bench.send(Method::POST, &path, &headers, body).await
}

/// A body of unknown length, ending as `end` says.
fn frames(bytes: &[u8], end: Option<&str>) -> Body {
    let whole = Bytes::copy_from_slice(bytes);
    let frames = (0..bytes.len().div_ceil(60_000)).map(move |i| {
        let end = whole.len().min((i + 1) * 60_000);
        Ok(whole.slice(i * 60_000..end))
    });
    let end = end.map(|end| Err(std::io::Error::other(end.to_owned())));
    let frames: Vec<_> = frames.chain(end).collect();
    Body::from_stream(futures_util::stream::iter(frames))
}

fn spool(bench: &Bench) -> PathBuf {
    let mut path = bench.vault_path().into_os_string();
    path.push("-uploads");
    path.into()
}

/// Entries, chunks and uploads: what a refusal must not add to.
async fn held(bench: &Bench) -> [Value; 3] {
    let status = bench.get("/api/status").await.json();
    ["entries", "chunks", "uploads_unfinished"].map(|figure| status[figure].clone())
}

#[tokio::test]
async fn one_request_archives_one_file_with_all_that_is_known_of_it() {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    let bytes = noise(20_000, 1);
    let query = format!(
        "filename=a%20%C3%A9.bin&path=/x//y/&modified=-1500&executable=true&sha256={}",
        Digest::of(&bytes)
    );
    let answer = send(&bench, collection, &query, bytes.clone()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = answer.json();
    let id = answer["asset_id"].as_u64().unwrap();
    assert_eq!(
        answer,
        json!({ "message": "Upload accepted, sealed", "status": "sealed", "asset_id": id })
    );
    assert!(*bench.get(&format!("/api/assets/{id}")).await.bytes() == bytes);
    let details = bench.get(&format!("/api/assets/{id}/preview")).await.json();
    assert_eq!(
        (
            &details["path"],
            &details["modified_unix_ms"],
            &details["executable"]
        ),
        (&json!("P/C/x/y/a é.bin"), &json!(-1500), &json!(true))
    );

    // After a lost answer a client sends it again.
    let again = send(&bench, collection, &query, bytes).await.json();
    assert_eq!(
        (&again["asset_id"], &again["already_archived"]),
        (&json!(id), &json!(true))
    );
    let exact = send(
        &bench,
        collection,
        "filename=caf?&filename_base64=Y2Fm6Q==",
        "",
    )
    .await;
    assert_eq!(exact.outcome(), (400, "body_incomplete".into()));
    let path =
        format!("/api/collections/{collection}/assets?filename=caf?&filename_base64=Y2Fm6Q==");
    let empty = bench
        .send(Method::POST, &path, &[("content-length", "0")], "")
        .await
        .json();
    let details = format!("/api/assets/{}/preview", empty["asset_id"]);
    let details = bench.get(&details).await.json();
    assert_eq!(
        (&details["filename_base64"], &details["size_original"]),
        (&json!("Y2Fm6Q=="), &json!(0))
    );
}

#[tokio::test]
async fn a_file_of_any_size_arrives_as_it_was_sent() {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    // Around the bound, and above what a part of an upload may have.
    for (name, size, announced) in [
        ("a", IN_MEMORY_BYTES_MAX, true),
        ("b", IN_MEMORY_BYTES_MAX, false),
        ("c", IN_MEMORY_BYTES_MAX + 1, true),
        ("d", IN_MEMORY_BYTES_MAX + 1, false),
        ("e", 70_000_000, true),
    ] {
        let bytes = noise(size, size as u64);
        let path = format!(
            "/api/collections/{collection}/assets?filename={name}&sha256={}",
            Digest::of(&bytes)
        );
        let length = bytes.len().to_string();
        let headers = [("content-length", length.as_str())];
        let headers = if announced { &headers[..] } else { &[] };
        let answer = bench
            .send(Method::POST, &path, headers, frames(&bytes, None))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let mut answer = answer.json();
        for _ in 0..500 {
            if answer["status"] == "sealed" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            let id = answer["upload_id"].as_str().unwrap();
            answer = bench.get(&format!("/api/uploads/{id}")).await.json();
        }
        let id = answer["asset_id"].as_u64().expect("it is sealed in time");
        assert!(*bench.get(&format!("/api/assets/{id}")).await.bytes() == bytes);
    }
    assert!(!spool(&bench).exists());
}

#[tokio::test]
async fn a_small_file_never_touches_the_spool() {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    // Where the spool would be lies something that makes every use of it fail.
    std::fs::write(spool(&bench), "in the way").unwrap();
    let small = send(
        &bench,
        collection,
        "filename=a",
        noise(IN_MEMORY_BYTES_MAX, 1),
    )
    .await;
    assert_eq!(small.status, 200, "{}", small.text());
    let large = noise(IN_MEMORY_BYTES_MAX + 1, 1);
    assert_eq!(
        send(&bench, collection, "filename=b", large).await.status,
        500
    );
    std::fs::remove_file(spool(&bench)).unwrap();
}

#[tokio::test]
async fn what_is_refused_leaves_nothing_behind() {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    let before = held(&bench).await;
    for size in [1_000, 3_000_000, IN_MEMORY_BYTES_MAX + 3_000_000] {
        let bytes = noise(size, 7);
        for (collection, query, outcome) in [
            (999, "filename=a", (404, "not_found")),
            (collection, "", (400, "name_invalid")),
            (collection, "filename=", (400, "name_invalid")),
            (collection, "filename=..", (400, "name_invalid")),
            (collection, "filename=a/b", (400, "name_invalid")),
            (collection, "filename=a%00b", (400, "name_invalid")),
            (
                collection,
                "filename=x&filename_base64=!",
                (400, "name_invalid"),
            ),
            (collection, "filename=a&path=../x", (400, "name_invalid")),
            (
                collection,
                "filename=a&path=x/../../y",
                (400, "name_invalid"),
            ),
            (
                collection,
                &format!("filename=a&path={}", "a/".repeat(128)),
                (400, "too_deep"),
            ),
            (collection, "filename=a&modified=x", (400, "bad_modified")),
            (
                collection,
                "filename=a&executable=x",
                (400, "bad_executable"),
            ),
            // A script whose variable is empty.
            (
                collection,
                "filename=a&executable=",
                (400, "bad_executable"),
            ),
            (collection, "filename=a&modified=", (400, "bad_modified")),
            (collection, "filename=a&sha256=", (400, "bad_sha256")),
            (collection, "filename=a&sha256=abc", (400, "bad_sha256")),
        ] {
            let answer = send(&bench, collection, query, bytes.clone()).await;
            assert_eq!(answer.outcome(), (outcome.0, outcome.1.into()), "{query}");
        }
        let query = format!("filename=a&sha256={}", Digest::EMPTY);
        // A digest is known at the end; by then chunks of a large file may be sealed, to be used when it comes again.
        if size <= IN_MEMORY_BYTES_MAX {
            let answer = send(&bench, collection, &query, bytes.clone()).await;
            assert_eq!(answer.outcome(), (409, "digest_differs".into()));
        }
        let broken = send(
            &bench,
            collection,
            "filename=a",
            frames(&bytes, Some("gone")),
        )
        .await;
        assert_eq!(broken.outcome(), (400, "body_incomplete".into()));
        for announced in [size - 1, size + 1] {
            let path = format!("/api/collections/{collection}/assets?filename=a");
            let length = announced.to_string();
            let headers = [("content-length", length.as_str())];
            let answer = bench
                .send(Method::POST, &path, &headers, frames(&bytes, None))
                .await;
            assert_eq!(answer.outcome(), (400, "body_incomplete".into()));
        }
    }
    let path = format!("/api/collections/{collection}/assets?filename=a");
    let form = [("content-type", "multipart/form-data; boundary=x")];
    let form = bench.send(Method::POST, &path, &form, "--x").await;
    assert_eq!(form.outcome(), (415, "unsupported_media_type".into()));
    for _ in 0..500 {
        // What was begun in the spool is taken back on threads of its own.
        if held(&bench).await == before && !spool(&bench).exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{before:?} became {:?}", held(&bench).await);
}

#[tokio::test]
async fn a_large_file_that_is_refused_at_its_end_is_not_kept_in_the_spool() {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    let query = format!("filename=a&sha256={}", Digest::EMPTY);
    let bytes = noise(IN_MEMORY_BYTES_MAX + 1, 1);
    let answer = send(&bench, collection, &query, bytes).await;
    assert_eq!(answer.outcome(), (409, "digest_differs".into()));
    assert_eq!(bench.get("/api/uploads").await.json()["uploads"], json!([]));
    assert!(!spool(&bench).exists());
}

#[tokio::test]
async fn when_memory_is_full_of_slow_files_others_still_arrive() {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    // Eight requests that take all the memory there is, and send nothing.
    let path = format!("/api/collections/{collection}/assets?filename=slow");
    let length = IN_MEMORY_BYTES_MAX.to_string();
    let headers = [("content-length", length.as_str())];
    let slow = (0..8).map(|_| {
        let body = Body::from_stream(futures_util::stream::pending::<std::io::Result<Bytes>>());
        bench.send(Method::POST, &path, &headers, body)
    });
    let quick = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let query = "filename=quick";
        let bytes = noise(20_000, 1);
        let length = bytes.len().to_string();
        let path = format!("/api/collections/{collection}/assets?{query}");
        let headers = [("content-length", length.as_str())];
        bench.send(Method::POST, &path, &headers, bytes).await
    };
    let slow = futures_util::future::join_all(slow);
    let answer = tokio::select! {
        _ = slow => panic!("they do not end"),
        answer = quick => answer,
    };
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(
        answer.json()["upload_id"].is_string(),
        "it went by way of the spool"
    );
}

#[tokio::test]
async fn forty_at_once_are_all_sealed() {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    let files = (0..40_u64).map(|i| {
        let bench = &bench;
        async move {
            let bytes = noise(usize::try_from(i).unwrap() * 20_000 + 1, i);
            let query = format!("filename={i}&path=same/folder");
            let answer = send(bench, collection, &query, bytes).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            answer.json()["asset_id"].as_u64().unwrap()
        }
    });
    let mut ids = futures_util::future::join_all(files).await;
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 40);
    let bench = Bench::on(bench.close().await, |_| ()).await;
    let status = bench.get("/api/status").await.json();
    assert_eq!(status["assets"], 40);
}
