//! What a vault says about itself over HTTP: verification, proofs, where contents lie, what is known before an upload.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use compactvault_server::Peer;
use compactvault_vault::prove::{KeptCheckpoint, Proof};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::bench::{Bench, File, PASSWORD, basic, damage, noise};

/// The verification once it has ended.
async fn ended(bench: &Bench) -> Value {
    loop {
        let state = bench.get("/api/verification").await.json();
        if state["state"] != "running" {
            return state;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Guards: a verification runs beside everything else, tells what it read and what it found, and the status remembers it
/// across a restart; what is damaged is named.
#[tokio::test]
async fn a_verification_is_run_and_remembered() {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    let bytes = noise(400_000, 5);
    let ids = bench
        .seal(vec![File::new(collection, "a.bin", bytes.clone())])
        .await;
    let idle = bench.get("/api/verification").await.json();
    assert_eq!(
        (&idle["state"], &idle["depth"]),
        (&json!("idle"), &json!(null))
    );
    let status = bench.get("/api/status").await.json();
    assert_eq!(status["last_full_verification"], json!(null));
    assert_eq!(status["log"]["words"].as_array().unwrap().len(), 32);
    assert_eq!(status["parity"]["percent"], 6);
    assert!(status["parity"]["bytes"].as_u64().unwrap() > 0, "{status}");

    for (depth, remembered) in [
        ("quick", None),
        ("full", Some("full")),
        ("deep", Some("deep")),
    ] {
        let started = bench
            .post("/api/verification", &json!({ "depth": depth }))
            .await;
        assert_eq!(started.status, 202, "{depth}");
        let end = ended(&bench).await;
        assert_eq!(
            (&end["state"], &end["depth"]),
            (&json!("done"), &json!(depth)),
            "{end}"
        );
        assert_eq!(
            (&end["findings"], &end["findings_total"]),
            (&json!([]), &json!(0)),
            "{end}"
        );
        assert_eq!(
            (&end["entries_done"], &end["entries_total"]),
            (&json!(4), &json!(4)),
            "{end}"
        );
        assert!(
            depth == "quick" || end["bytes_done"].as_u64().unwrap() >= 400_000,
            "{end}"
        );
        assert!(end["ended_unix_ms"].as_i64() >= end["started_unix_ms"].as_i64());
        let last = &bench.get("/api/status").await.json()["last_full_verification"];
        assert_eq!(last["depth"].as_str(), remembered, "{last}");
    }
    let kept = bench.get("/api/status").await.json()["last_full_verification"].clone();
    assert_eq!(
        (&kept["findings"], &kept["log_size"], &kept["by"]),
        (&json!(0), &json!(4), &json!("server"))
    );
    for (body, outcome) in [
        (json!({ "depth": "x" }), (400, "bad_depth")),
        (json!([]), (400, "bad_json")),
    ] {
        let answer = bench.post("/api/verification", &body).await;
        assert_eq!(answer.outcome(), (outcome.0, outcome.1.into()), "{body}");
    }
    let vault = bench.vault_path();
    let dir = bench.close().await;
    damage(&vault, &bytes, 300_000);
    let bench = Bench::on(dir, |_| ()).await;
    assert_eq!(
        bench.get("/api/status").await.json()["last_full_verification"],
        kept
    );
    bench.post("/api/verification", &json!({})).await;
    let end = ended(&bench).await;
    assert_eq!(
        (&end["state"], &end["depth"]),
        (&json!("done"), &json!("full")),
        "{end}"
    );
    let findings = end["findings"].as_array().unwrap();
    assert_eq!(end["findings_total"], findings.len());
    let asset = findings
        .iter()
        .find(|finding| finding["code"] == "asset")
        .expect("it is named");
    assert_eq!(
        (&asset["asset_id"], &asset["path"]),
        (&json!(ids[0]), &json!("P/C/a.bin")),
        "{end}"
    );
    let last = &bench.get("/api/status").await.json()["last_full_verification"];
    assert_eq!(last["findings"], findings.len());
}

/// Guards: one verification at a time; it ends when it is told to, says so, is not taken for a whole one, and does not
/// keep a server from stopping.
#[tokio::test]
async fn a_verification_is_stopped() {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    let files = (0..40).map(|n| File::new(collection, format!("{n}"), noise(1_000_000, n)));
    bench.seal(files.collect()).await;
    let events = Request::get("/api/events")
        .header("host", "localhost:8000")
        .header("authorization", basic(PASSWORD))
        .extension(Peer {
            remote: "127.0.0.1:50000".parse().unwrap(),
            local: "127.0.0.1:8000".parse().unwrap(),
            is_encrypted: false,
        });
    let events = bench
        .server
        .router()
        .oneshot(events.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let mut events = events.into_body().into_data_stream();

    let started = bench
        .post("/api/verification", &json!({ "depth": "deep" }))
        .await;
    assert_eq!(started.status, 202);
    let again = bench
        .post("/api/verification", &json!({ "depth": "quick" }))
        .await;
    let stopped = bench
        .send(Method::POST, "/api/verification/stop", &[], Body::empty())
        .await;
    assert_eq!(stopped.status, 200);
    let end = ended(&bench).await;
    if again.status == 409 {
        assert_eq!(again.outcome().1, "verification_running");
    } else {
        // The first was over before the second was asked for.
        assert_eq!(again.status, 202);
    }
    if end["state"] == "stopped" {
        assert_eq!(end["findings"], json!([]), "{end}");
        let last = &bench.get("/api/status").await.json()["last_full_verification"];
        assert_eq!(*last, json!(null));
    }
    let mut told = String::new();
    while !told.contains("\"state\":\"stopped\"") && !told.contains("\"state\":\"done\"") {
        told.push_str(&String::from_utf8_lossy(
            &events.next().await.unwrap().unwrap(),
        ));
    }
    assert!(told.contains("event: verification"), "{told}");
    bench
        .post("/api/verification", &json!({ "depth": "deep" }))
        .await;
    bench.close().await;
}

/// Guards: the proof that is downloaded holds against the vault's checkpoint, and is of that asset.
#[tokio::test]
async fn a_proof_is_a_file_that_holds() {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    let ids = bench
        .seal(vec![
            File::new(collection, "a \"b\".txt", "content"),
            File::new(collection, "c", ""),
        ])
        .await;
    let answer = bench.get(&format!("/api/assets/{}/proof", ids[0])).await;
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .header("content-disposition")
            .starts_with("attachment")
    );
    assert!(answer.header("content-disposition").contains(".tlog-proof"));
    let proof = Proof::parse(answer.bytes()).unwrap();
    let note = bench.get("/api/checkpoint").await;
    let proved = proof
        .check(&KeptCheckpoint::parse(note.bytes()).unwrap())
        .unwrap();
    assert_eq!((proved.index, proved.size), (ids[0], 7));
    let details = bench
        .get(&format!("/api/assets/{}/preview", ids[0]))
        .await
        .json();
    assert_eq!(details["log_position"], ids[0]);
    assert_eq!(details["leaf_hash"].as_str().unwrap().len(), 44);
    for path in [
        format!("/api/assets/{collection}/proof"),
        "/api/assets/99/proof".into(),
    ] {
        assert_eq!(
            bench.get(&path).await.outcome(),
            (404, "not_found".into()),
            "{path}"
        );
    }
}

/// Guards: a kept checkpoint of any age is compared with every entry it covers, not with what the vault says of itself.
#[tokio::test]
async fn a_kept_checkpoint_is_compared_with_the_log() {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    let note = bench.get("/api/checkpoint").await.text();
    bench.seal(vec![File::new(collection, "a", "later")]).await;
    let status = bench.get("/api/status").await.json();
    let words: Vec<&str> = status["log"]["words"]
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap())
        .collect();
    let words = words.join(" ");
    let compare = async |text: &str| {
        let asked = json!({ "checkpoint": text });
        bench.post("/api/checkpoint/compare", &asked).await
    };
    let old = compare(&note).await.json();
    let size = status["log"]["size"].as_u64().unwrap();
    assert_eq!(
        (&old["verdict"], &old["log_size"], &old["damaged_entries"]),
        (&json!("same"), &json!(size), &json!(0))
    );
    assert!(old["size"].as_u64().unwrap() < size);
    for same in [words.clone(), format!("size {size}\n{words}")] {
        assert_eq!(compare(&same).await.json()["verdict"], "same", "{same}");
    }
    let ahead = compare(&format!("size {}\n{words}", size + 9)).await;
    assert_eq!(ahead.json()["verdict"], "rolled_back");
    let kept = KeptCheckpoint::parse(note.as_bytes()).unwrap();
    let id = kept.vault.unwrap().to_string();
    let other = note.replace(&id, &"0".repeat(32));
    assert_eq!(compare(&other).await.json()["verdict"], "other_vault");
    // Another root under the same size: what a vault with another history would have.
    let mut lines: Vec<&str> = note.lines().take(3).collect();
    lines[2] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let forged = compare(&format!("{}\n", lines.join("\n"))).await.json();
    assert_eq!(forged["verdict"], "history_rewritten");
    let message = forged["message"].as_str().unwrap();
    assert!(message.starts_with("history was rewritten"), "{message}");
    for wrong in ["", "hello", "compactvault/x\n1\nAA\n"] {
        let outcome = compare(wrong).await.outcome();
        assert_eq!(outcome, (422, "bad_checkpoint".into()), "{wrong}");
    }
}

/// Guards: all places of a content are told, older versions among them, itself first.
#[tokio::test]
async fn a_content_is_found_wherever_it_lies() {
    let bench = Bench::new().await;
    let (p, c) = bench.place("P", "C").await;
    let (_, d) = bench.place("Q", "D").await;
    let ids = bench
        .seal(vec![
            File::new(c, "a", "same"),
            File::new(c, "b", "other"),
            File::new(d, "x", "same"),
            File::new(c, "z", "same"),
        ])
        .await;
    let newer = bench.seal(vec![File::new(c, "a", "newer")]).await;
    let places = bench
        .get(&format!("/api/assets/{}/places", ids[3]))
        .await
        .json();
    let told: Vec<_> = places["places"]
        .as_array()
        .unwrap()
        .iter()
        .map(|place| {
            (
                place["id"].clone(),
                place["path"].clone(),
                place["newest"].clone(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (json!(ids[3]), json!("P/C/z"), json!(true)),
            (json!(ids[2]), json!("Q/D/x"), json!(true)),
            (json!(ids[0]), json!("P/C/a"), json!(false)),
        ]
    );
    assert_eq!(
        (&places["total"], &places["places"][0]["project_id"]),
        (&json!(3), &json!(p))
    );
    let alone = bench
        .get(&format!("/api/assets/{}/places", newer[0]))
        .await
        .json();
    assert_eq!(alone["total"], 1);
    assert_eq!(
        bench
            .get(&format!("/api/assets/{c}/places"))
            .await
            .outcome()
            .0,
        404
    );
}

/// Guards: a file is called known exactly if the newest version of its name in its place is that file.
#[tokio::test]
async fn what_is_there_already_is_known() {
    let bench = Bench::new().await;
    let (_, c) = bench.place("P", "C").await;
    let mut deep = File::new(c, "deep.txt", "deep");
    deep.folders = &["a", "b"];
    let mut timeless = File::new(c, "timeless", "t");
    timeless.modified_seconds = None;
    let ids = bench
        .seal(vec![
            File::new(c, "one.txt", "1"),
            deep,
            timeless,
            File::new(c, b"\xff.bin".to_vec(), "raw"),
        ])
        .await;
    bench.seal(vec![File::new(c, "two", "old")]).await;
    let two = bench.seal(vec![File::new(c, "two", "new")]).await;
    let ms = 1_234_567_890_000_i64;
    let sha256 = |bytes: &[u8]| compactvault_vault::Digest::of(bytes).to_string();
    let by = |id: u64, by: &str| json!({ "asset_id": id, "by": by });
    let asked = [
        (
            json!({ "filename": "one.txt", "size": 1, "modified_unix_ms": ms }),
            by(ids[0], "size_and_time"),
        ),
        (
            json!({ "filename": "one.txt", "size": 1, "sha256": sha256(b"1") }),
            by(ids[0], "sha256"),
        ),
        (
            json!({ "filename": "one.txt", "size": 1, "sha256": sha256(b"1").to_uppercase(), "modified_unix_ms": 5 }),
            by(ids[0], "sha256"),
        ),
        (
            json!({ "filename": "one.txt", "size": 1, "sha256": sha256(b"2"), "modified_unix_ms": ms }),
            json!(null),
        ),
        (
            json!({ "filename": "one.txt", "size": 2, "modified_unix_ms": ms }),
            json!(null),
        ),
        (
            json!({ "filename": "one.txt", "size": 1, "modified_unix_ms": ms + 1 }),
            json!(null),
        ),
        (json!({ "filename": "one.txt", "size": 1 }), json!(null)),
        (
            json!({ "filename": "ONE.txt", "size": 1, "modified_unix_ms": ms }),
            json!(null),
        ),
        (
            json!({ "filename": "one.txt", "size": 1, "sha256": "x", "modified_unix_ms": ms }),
            json!(null),
        ),
        (json!({ "filename": "one.txt" }), json!(null)),
        (
            json!({ "path_prefix": "a/b/", "filename": "deep.txt", "size": 4, "modified_unix_ms": ms }),
            by(ids[1], "size_and_time"),
        ),
        (
            json!({ "path_prefix": "a", "filename": "deep.txt", "size": 4, "modified_unix_ms": ms }),
            json!(null),
        ),
        (
            json!({ "path_prefix": "a/../b", "filename": "deep.txt", "size": 4, "modified_unix_ms": ms }),
            json!(null),
        ),
        (
            json!({ "filename": "timeless", "size": 1, "modified_unix_ms": 0 }),
            json!(null),
        ),
        (
            json!({ "filename": "timeless", "size": 1, "sha256": sha256(b"t") }),
            by(ids[2], "sha256"),
        ),
        (
            json!({ "filename": "two", "size": 3, "sha256": sha256(b"old") }),
            json!(null),
        ),
        (
            json!({ "filename": "two", "size": 3, "sha256": sha256(b"new") }),
            by(two[0], "sha256"),
        ),
        (
            json!({ "filename": "x", "filename_base64": "/y5iaW4=", "size": 3, "modified_unix_ms": ms }),
            by(ids[3], "size_and_time"),
        ),
        (
            json!({ "filename": "a/b", "size": 3, "modified_unix_ms": ms }),
            json!(null),
        ),
    ];
    let files: Vec<&Value> = asked.iter().map(|(file, _)| file).collect();
    let body = json!({ "collection_id": c, "files": files });
    let known = bench.post("/api/known", &body).await.json();
    for ((file, due), known) in asked.iter().zip(known["known"].as_array().unwrap()) {
        assert_eq!(known, due, "{file}");
    }
    assert_eq!(known["known"].as_array().unwrap().len(), asked.len());
}

/// Guards: a question about files that is none, or about no collection, says so.
#[tokio::test]
async fn a_question_about_files_that_is_none_says_so() {
    let bench = Bench::new().await;
    let (p, c) = bench.place("P", "C").await;
    let many = vec![json!({ "filename": "x", "size": 1 }); 1001];
    for (body, outcome) in [
        (
            json!({ "collection_id": p, "files": [] }),
            (404, "not_found"),
        ),
        (
            json!({ "collection_id": 99, "files": [] }),
            (404, "not_found"),
        ),
        (
            json!({ "collection_id": c, "files": many }),
            (400, "too_many_files"),
        ),
        (json!({ "files": [] }), (400, "bad_json")),
    ] {
        let answer = bench.post("/api/known", &body).await;
        assert_eq!(answer.outcome(), (outcome.0, outcome.1.into()));
    }
}
