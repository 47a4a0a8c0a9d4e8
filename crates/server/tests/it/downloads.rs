//! ZIPs as stock tools read them.

use std::io::Write as _;
use std::process::Command;

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

use crate::bench::{Answer, Bench, File, damage, noise};

/// What Python's `zipfile` says about a ZIP after testing every CRC-32: name → (size, mode, date).
fn contents(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/zip");
    assert_eq!(
        answer.header("content-length"),
        answer.bytes().len().to_string()
    );
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(answer.bytes()).unwrap();
    let script = r"
import json, sys, zipfile
z = zipfile.ZipFile(sys.argv[1])
assert z.testzip() is None
assert len(set(z.namelist())) == len(z.namelist())
print(json.dumps({i.filename: [i.file_size, oct(i.external_attr >> 16), list(i.date_time)] for i in z.infolist()}))
";
    let out = Command::new("python3")
        .args(["-c", script])
        .arg(file.path())
        .output()
        .expect("needs python3");
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    serde_json::from_slice(&out.stdout).unwrap()
}

fn names(contents: &Value) -> Vec<&str> {
    contents
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[tokio::test]
async fn a_project_is_a_tree() {
    let bench = Bench::new().await;
    let (project, collection) = bench.place("My \"P\"", "C").await;
    bench
        .post(
            "/api/collections",
            &json!({ "project_id": project, "name": "empty" }),
        )
        .await;
    bench
        .seal(vec![
            File::new(collection, "a.bin", noise(2_000_000, 1)),
            File {
                executable: true,
                ..File::new(collection, "run.sh", "#!")
            },
            File {
                folders: &["sub", "deeper"],
                ..File::new(collection, "é.txt", "x")
            },
            File {
                folders: &["sub"],
                ..File::new(collection, "..\\evil", "y")
            },
        ])
        .await;
    let answer = bench
        .get(&format!("/api/projects/{project}/download"))
        .await;
    assert!(
        answer
            .header("content-disposition")
            .starts_with("attachment; filename=\"My _P_.zip\"")
    );
    let zip = contents(&answer);
    let date = json!([2009, 2, 13, 23, 31, 30]);
    assert_eq!(
        zip["My \"P\"/C/a.bin"],
        json!([2_000_000, "0o100644", date])
    );
    assert_eq!(zip["My \"P\"/C/run.sh"][1], "0o100755");
    assert_eq!(zip["My \"P\"/C/sub/deeper/é.txt"][0], 1);
    assert_eq!(zip["My \"P\"/empty/"][1], "0o40755");
    let mut all = names(&zip);
    all.sort_unstable();
    assert_eq!(all.len(), 5, "{all:?}");
    assert!(
        all.iter()
            .all(|name| !name.contains('\\') && !name.split('/').any(|part| part == ".."))
    );

    let part = contents(
        &bench
            .get(&format!("/api/collections/{collection}/download"))
            .await,
    );
    assert!(names(&part).contains(&"C/sub/deeper/é.txt"), "{part}");
    let path = format!("/api/collections/{collection}/download");
    let head = bench.send(Method::HEAD, &path, &[], Body::empty()).await;
    assert!(
        head.bytes().is_empty()
            && head.header("content-length").parse::<u64>().unwrap() > 2_000_000
    );
}

#[tokio::test]
async fn a_selection_is_flat_with_unique_names() {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    let ids = bench
        .seal(vec![
            File::new(collection, "a.txt", "1"),
            File {
                folders: &["x"],
                ..File::new(collection, "a.txt", "22")
            },
            File {
                folders: &["y"],
                ..File::new(collection, "a.txt", "333")
            },
        ])
        .await;
    let path = format!("/api/collections/{collection}/assets/download");
    let body = json!({ "ids": [ids[0], ids[1], ids[2].to_string(), ids[0]] });
    let answer = bench.post(&path, &body).await;
    assert_eq!(
        answer.header("content-disposition"),
        "attachment; filename=\"selected_assets.zip\""
    );
    let zip = contents(&answer);
    assert_eq!(
        (&zip["a.txt"][0], &zip["a (2).txt"][0], &zip["a (3).txt"][0]),
        (&json!(1), &json!(2), &json!(3))
    );

    let ticket = bench.post("/api/downloads", &json!({ "ids": ids })).await;
    assert_eq!(ticket.status, 201);
    let url = ticket.json()["url"].as_str().unwrap().to_owned();
    assert_eq!(contents(&bench.get(&url).await), zip);
    assert_eq!(contents(&bench.get(&url).await), zip);
    assert_eq!(
        bench.get("/api/downloads/none").await.outcome(),
        (404, "unknown_ticket".into())
    );
    for (body, outcome) in [
        (json!({ "ids": [] }), (400, "no_ids")),
        (json!({ "ids": [999] }), (404, "not_found")),
        (json!({ "ids": [collection] }), (404, "not_found")),
        (json!({ "ids": [0] }), (400, "bad_id")),
        (json!({ "ids": vec![1; 100_001] }), (400, "too_many_ids")),
        (json!({}), (400, "bad_json")),
    ] {
        assert_eq!(
            bench.post("/api/downloads", &body).await.outcome(),
            (outcome.0, outcome.1.into())
        );
        assert_eq!(
            bench.post(&path, &body).await.outcome(),
            (outcome.0, outcome.1.into())
        );
    }
}

#[tokio::test]
async fn a_damaged_asset_breaks_the_connection() {
    let bench = Bench::new().await;
    let (project, collection) = bench.place("P", "C").await;
    let bytes = noise(3_000_000, 7);
    bench
        .seal(vec![
            File::new(collection, "a", noise(1_000_000, 8)),
            File::new(collection, "b", bytes.clone()),
        ])
        .await;
    let (vault, dir) = (bench.vault_path(), bench.close().await);
    damage(&vault, &bytes, 1_700_000);
    let bench = Bench::on(dir, |_| ()).await;
    assert!(
        bench
            .get(&format!("/api/projects/{project}/download"))
            .await
            .body
            .is_err()
    );
}

#[tokio::test]
async fn a_large_tree_is_sent_without_waiting_for_its_length() {
    let bench = Bench::new().await;
    let (project, collection) = bench.place("P", "C").await;
    bench
        .seal(
            (0..20_500)
                .map(|i| File::new(collection, format!("{i}"), ""))
                .collect(),
        )
        .await;
    let answer = bench
        .get(&format!("/api/projects/{project}/download"))
        .await;
    assert!(!answer.headers.contains_key("content-length"));
    assert!(answer.bytes().ends_with(&[0, 0]) && answer.bytes().len() > 20_500 * 76);
}

#[tokio::test]
async fn what_is_not_there() {
    let bench = Bench::new().await;
    for path in ["/api/projects/9/download", "/api/collections/9/download"] {
        assert_eq!(bench.get(path).await.outcome(), (404, "not_found".into()));
    }
    let answer = bench
        .post("/api/collections/9/assets/download", &json!({ "ids": [1] }))
        .await;
    assert_eq!(answer.outcome(), (404, "not_found".into()));
}
