//! Selections as rules over HTTP, their ZIPs, and where assets stand.

use std::io::Write as _;
use std::process::Command;

use serde_json::{Value, json};

use crate::bench::{Answer, Bench, File};

/// The paths in a ZIP, sorted, as Python's `zipfile` reads them after testing every CRC-32.
fn paths(answer: &Answer) -> Vec<String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(answer.bytes()).unwrap();
    let script = "import json, sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\nprint(json.dumps(sorted(z.namelist())))";
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

struct Made {
    bench: Bench,
    project: u64,
    outer: u64,
    inner: u64,
    ids: Vec<u64>,
}

/// P/A with a1 to a5, P/A/B with b1 and a1, Q/C with c1.
async fn made() -> Made {
    let bench = Bench::new().await;
    let (project, outer) = bench.place("P", "A").await;
    let (_, other) = bench.place("Q", "C").await;
    let body = json!({ "project_id": project, "name": "B", "parent_id": outer });
    let inner = bench.post("/api/collections", &body).await.json()["id"]
        .as_u64()
        .unwrap();
    let mut files: Vec<File> = (1..=5)
        .map(|n: usize| File::new(outer, format!("a{n}.txt"), vec![b'x'; n]))
        .collect();
    files.push(File::new(inner, "b1.txt", "bbbbbb"));
    files.push(File::new(inner, "a1.txt", "other"));
    files.push(File::new(other, "c1.png", "c"));
    let ids = bench.seal(files).await;
    Made {
        bench,
        project,
        outer,
        inner,
        ids,
    }
}

/// Guards: one rule, whatever it names, is counted and sent as the assets it means, with folders only where it spans
/// several.
#[tokio::test]
async fn a_rule_is_counted_and_sent() {
    let Made {
        bench,
        project,
        outer,
        inner,
        ids,
    } = made().await;
    for (rule, count, bytes, folders, due) in [
        (
            json!({ "place": { "collection": outer }, "all": true }),
            5,
            15,
            false,
            vec!["a1.txt", "a2.txt", "a3.txt", "a4.txt", "a5.txt"],
        ),
        (
            json!({ "place": { "collection": outer }, "ranges": [[ids[3], ids[1]]], "without": [ids[2]], "with": [ids[0], ids[0].to_string()] }),
            3,
            7,
            false,
            vec!["a1.txt", "a2.txt", "a4.txt"],
        ),
        (
            json!({ "place": { "collection": outer }, "deep": true, "all": true, "q": "1" }),
            3,
            12,
            true,
            vec!["B/a1.txt", "B/b1.txt", "a1.txt"],
        ),
        (
            json!({ "place": { "project": project, "deep": true }, "all": true, "types": ["text"], "query": "a1" }),
            2,
            6,
            true,
            vec!["A/B/a1.txt", "A/a1.txt"],
        ),
        (
            json!({ "place": { "all": true }, "all": true, "q": "-ext:txt", "sort": "size", "order": "desc" }),
            1,
            1,
            false,
            vec!["c1.png"],
        ),
        (
            json!({ "place": { "all": true }, "all": false, "with": [ids[7], ids[0]] }),
            2,
            2,
            true,
            vec!["P/A/a1.txt", "Q/C/c1.png"],
        ),
        (
            json!({ "place": { "collection": inner }, "all": true, "without": [ids[5]] }),
            1,
            5,
            false,
            vec!["a1.txt"],
        ),
    ] {
        let counted = bench.post("/api/selection", &rule).await.json();
        assert_eq!(
            (&counted["count"], &counted["bytes"]),
            (&json!(count), &json!(bytes)),
            "{rule}"
        );
        let ticket = bench
            .post("/api/downloads", &json!({ "selection": rule }))
            .await;
        assert_eq!(ticket.status, 201, "{rule}");
        let ticket = ticket.json();
        assert_eq!(
            (&ticket["count"], &ticket["bytes"]),
            (&json!(count), &json!(bytes)),
            "{rule}"
        );
        assert_eq!(ticket["folders"], folders, "{rule}");
        let zip = bench.get(ticket["url"].as_str().unwrap()).await;
        assert_eq!(paths(&zip), due, "{rule}");
    }
    let flat = bench
        .post(
            "/api/downloads",
            &json!({ "ids": [ids[0], ids[6], ids[0]] }),
        )
        .await
        .json();
    assert_eq!(
        (&flat["count"], &flat["bytes"], &flat["folders"]),
        (&json!(2), &json!(6), &json!(false))
    );
    let zip = bench.get(flat["url"].as_str().unwrap()).await;
    assert_eq!(paths(&zip), ["a1 (2).txt", "a1.txt"]);
}

/// Guards: a rule that is none, or names what is not there, says so.
#[tokio::test]
async fn a_rule_that_is_none_says_so() {
    let Made {
        bench,
        project,
        outer,
        ids,
        ..
    } = made().await;
    let place = json!({ "collection": outer });
    let many: Vec<u64> = vec![ids[0]; 100_001];
    let ranges: Vec<[u64; 2]> = vec![[ids[0], ids[0]]; 10_001];
    for (rule, outcome) in [
        (json!({}), (400, "bad_json")),
        (json!({ "place": {} }), (400, "bad_place")),
        (
            json!({ "place": { "collection": outer, "project": project } }),
            (400, "bad_place"),
        ),
        (json!({ "place": { "collection": 99 } }), (404, "not_found")),
        (
            json!({ "place": { "collection": project } }),
            (404, "not_found"),
        ),
        (json!({ "place": place, "types": ["x"] }), (400, "bad_type")),
        (json!({ "place": place, "sort": "x" }), (400, "bad_sort")),
        (json!({ "place": place, "order": "x" }), (400, "bad_order")),
        (
            json!({ "place": place, "q": "x".repeat(9000) }),
            (400, "q_too_long"),
        ),
        (
            json!({ "place": place, "ranges": [[ids[0], 99]] }),
            (404, "not_found"),
        ),
        (
            json!({ "place": place, "ranges": [[ids[0]]] }),
            (400, "bad_json"),
        ),
        (
            json!({ "place": place, "with": [outer] }),
            (404, "not_found"),
        ),
        (json!({ "place": place, "without": [0] }), (400, "bad_id")),
        (
            json!({ "place": place, "with": many }),
            (400, "too_many_ids"),
        ),
        (
            json!({ "place": place, "ranges": ranges }),
            (400, "too_many_ranges"),
        ),
    ] {
        let answer = bench.post("/api/selection", &rule).await;
        assert_eq!(
            answer.outcome(),
            (outcome.0, outcome.1.into()),
            "{:.200}",
            rule.to_string()
        );
    }
    let nothing = json!({ "place": place, "q": "nowhere", "all": true });
    assert_eq!(
        bench.post("/api/selection", &nothing).await.json()["count"],
        0
    );
    for (body, status, code) in [
        (json!({ "selection": nothing }), 422, "nothing_selected"),
        (json!({}), 400, "bad_json"),
        (
            json!({ "ids": [ids[0]], "selection": { "place": place, "all": true } }),
            400,
            "bad_json",
        ),
        (json!({ "ids": [] }), 400, "no_ids"),
    ] {
        let answer = bench.post("/api/downloads", &body).await;
        assert_eq!(answer.outcome(), (status, code.into()), "{body}");
    }
}

/// Guards: an asset's place in a list, in any order and under any filter, is where the list shows it.
#[tokio::test]
async fn ranks_are_where_the_list_shows_them() {
    let Made {
        bench,
        project,
        outer,
        inner,
        ids,
    } = made().await;
    let ranks = async |path: &str| -> Value { bench.get(path).await.json() };
    let list = format!("/api/collections/{outer}/rank");
    let found = ranks(&format!(
        "{list}?ids={},{},{}&prefix=A3",
        ids[0], ids[4], ids[5]
    ))
    .await;
    assert_eq!(
        (&found["ranks"], &found["prefix_rank"], &found["total"]),
        (&json!([0, 4, null]), &json!(2), &json!(5))
    );
    let found = ranks(&format!(
        "{list}?ids={}&prefix=zzz&sort=size&order=desc&q=-a2",
        ids[0]
    ))
    .await;
    assert_eq!(
        (&found["ranks"], &found["prefix_rank"], &found["total"]),
        (&json!([3]), &json!(null), &json!(4))
    );
    let found = ranks(&format!(
        "/api/search/rank?ids={},{}&query=1&project={project}",
        ids[6], ids[7]
    ))
    .await;
    assert_eq!(
        (&found["ranks"], &found["total"]),
        (&json!([1, null]), &json!(3))
    );
    let found = ranks(&format!("/api/search/rank?prefix=b&collection={inner}")).await;
    assert_eq!(
        (&found["ranks"], &found["prefix_rank"]),
        (&json!([]), &json!(1))
    );
    for (path, outcome) in [
        (format!("{list}?ids=x"), (400, "bad_id")),
        (format!("{list}?ids=1,,2"), (400, "bad_id")),
        (
            format!("{list}?ids={}", vec!["1"; 201].join(",")),
            (400, "too_many_ids"),
        ),
        (format!("{list}?ids=1&versions=all"), (422, "bad_versions")),
        ("/api/collections/99/rank".into(), (404, "not_found")),
        (
            format!("/api/search/rank?project={project}&collection=99"),
            (404, "not_found"),
        ),
    ] {
        let answer = bench.get(&path).await;
        assert_eq!(
            answer.outcome(),
            (outcome.0, outcome.1.into()),
            "{path:.100}"
        );
    }
}
