//! Several files in one request: each is sealed or refused for itself, and what is malformed leaves nothing behind.

use axum::http::Method;
use compactvault_vault::Digest;
use serde_json::{Value, json};

use crate::bench::{Answer, Bench, noise};

async fn send(bench: &Bench, collection: u64, files: &Value, bytes: &[&[u8]]) -> Answer {
    let mut body = serde_json::to_vec(files).unwrap();
    body.push(b'\n');
    body.extend_from_slice(&bytes.concat());
    let path = format!("/api/collections/{collection}/batch");
    bench.send(Method::POST, &path, &[], body).await
}

fn refusal(answer: &Answer) -> (u16, String) {
    let code = answer.json()["code"].as_str().unwrap().to_owned();
    (answer.status.as_u16(), code)
}

/// Entries and chunks: what a refusal must not add to.
async fn held(bench: &Bench) -> [Value; 2] {
    let status = bench.get("/api/status").await.json();
    ["entries", "chunks"].map(|figure| status[figure].clone())
}

#[tokio::test]
async fn files_of_a_batch_are_sealed_with_all_that_is_known_of_them() {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    let contents = [noise(20_000, 1), Vec::new(), noise(300_000, 2)];
    let files = json!([
        {"filename": "a é.bin", "path": "x/y", "modified": -1500, "executable": true, "size": 20_000,
            "sha256": Digest::of(&contents[0]).to_string()},
        {"filename": "empty", "size": 0},
        {"filename": "?", "filename_base64": "/2E=", "size": 300_000},
    ]);
    let bytes = contents.each_ref().map(Vec::as_slice);
    let answer = send(&bench, collection, &files, &bytes).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = answer.json();
    let outcomes = answer["files"].as_array().unwrap();
    assert_eq!(outcomes.len(), 3);
    for (outcome, content) in outcomes.iter().zip(&contents) {
        assert_eq!(outcome["status"], "sealed", "{outcome}");
        let id = outcome["asset_id"].as_u64().unwrap();
        let there = bench.get(&format!("/api/assets/{id}")).await;
        assert_eq!(*there.bytes(), *content);
    }
    let listed = bench
        .get(&format!("/api/collections/{collection}/assets?sort=name"))
        .await
        .json();
    assert_eq!(listed["total"], 2, "the first lies two folders below");

    // Sent again after a lost answer, all of it is there already.
    let before = held(&bench).await;
    let again = send(&bench, collection, &files, &bytes).await.json();
    for outcome in again["files"].as_array().unwrap() {
        assert_eq!(outcome["already_archived"], true, "{outcome}");
    }
    assert_eq!(held(&bench).await, before);
}

#[tokio::test]
async fn a_refused_file_keeps_the_others_from_nothing_and_leaves_nothing() {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    let before = held(&bench).await;
    let wrong = noise(900_000, 3);
    let files = json!([
        {"filename": "wrong", "size": wrong.len(), "sha256": Digest::of(b"other").to_string()},
        {"filename": "..", "size": 1},
        {"filename": "bad digest", "size": 1, "sha256": "12"},
        {"filename": "deep", "size": 1, "path": "d/".repeat(200)},
    ]);
    let answer = send(&bench, collection, &files, &[&wrong, b"123"]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = answer.json();
    let found: Vec<_> = answer["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| (file["http_status"].clone(), file["code"].clone()))
        .collect();
    let expected = [
        (409, "digest_differs"),
        (400, "name_invalid"),
        (400, "bad_sha256"),
        (400, "too_deep"),
    ];
    assert_eq!(
        found,
        expected.map(|(status, code)| (json!(status), json!(code)))
    );
    assert_eq!(held(&bench).await, before, "nothing of them is kept");

    let files = json!([{"filename": "..", "size": 2}, {"filename": "good", "size": 3}]);
    let answer = send(&bench, collection, &files, &[b"xx", b"yes"])
        .await
        .json();
    assert_eq!(answer["files"][0]["status"], "failed");
    assert_eq!(answer["files"][1]["status"], "sealed");
    let id = answer["files"][1]["asset_id"].as_u64().unwrap();
    let there = bench.get(&format!("/api/assets/{id}")).await;
    assert_eq!(there.bytes()[..], *b"yes");
}

#[tokio::test]
async fn what_is_no_batch_is_refused_as_a_whole() {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    let before = held(&bench).await;
    let path = format!("/api/collections/{collection}/batch");
    let one = json!([{"filename": "a", "size": 3}]);
    for (bytes, what) in [(&b"ab"[..], "too few"), (b"abcd", "too many")] {
        let answer = send(&bench, collection, &one, &[bytes]).await;
        assert_eq!(refusal(&answer), (422, "bad_batch".to_owned()), "{what}");
    }
    let huge = json!([{"filename": "a", "size": usize::MAX}, {"filename": "b", "size": 2}]);
    assert_eq!(
        refusal(&send(&bench, collection, &huge, &[b"ab"]).await),
        (422, "bad_batch".to_owned())
    );
    let many: Vec<Value> = (0..257)
        .map(|n| json!({"filename": n.to_string(), "size": 0}))
        .collect();
    let answer = send(&bench, collection, &json!(many), &[]).await;
    assert_eq!(refusal(&answer), (422, "bad_batch".to_owned()));
    let long_line = format!("[{}]\n", " ".repeat(64 * 1024));
    for body in ["", "\n", "{}\n", "[1]\n", "[]", &long_line] {
        let answer = bench.send(Method::POST, &path, &[], body.to_owned()).await;
        let seen = refusal(&answer);
        assert_eq!(
            seen,
            (422, "bad_batch".to_owned()),
            "{:?}",
            &body[..body.len().min(9)]
        );
    }
    let large = vec![b' '; 8 * 1024 * 1024 + 1];
    let answer = bench.send(Method::POST, &path, &[], large).await;
    assert_eq!(refusal(&answer), (413, "body_too_large".to_owned()));
    let nowhere = send(&bench, 4711, &one, &[b"abc"]).await;
    assert_eq!(nowhere.status, 404);
    assert_eq!(held(&bench).await, before);
}
