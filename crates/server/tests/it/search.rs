//! Searching for names over HTTP.

use serde_json::{Value, json};

use crate::bench::{Bench, File};

fn paths(page: &Value) -> Vec<&str> {
    let assets = page["assets"].as_array().unwrap();
    assets
        .iter()
        .map(|asset| asset["path"].as_str().unwrap())
        .collect()
}

/// Guards: one request finds names by any part of them, in the place asked for, and says where each hit lies.
#[tokio::test]
async fn a_search_says_what_was_found_and_where() {
    let bench = Bench::new().await;
    let (p, a) = bench.place("P", "A").await;
    let (q, b) = bench.place("Q", "B").await;
    let body = json!({ "project_id": p, "name": "Sub", "parent_id": a });
    let sub = bench.post("/api/collections", &body).await.json()["id"]
        .as_u64()
        .unwrap();
    bench
        .seal(vec![
            File::new(a, "Résumé 10.txt", "1"),
            File::new(sub, "resume 9.md", "22"),
            File::new(b, "RESUME 9.png", "333"),
            File::new(b, "RESUME 9.png", "4444"),
            File::new(b, "other.png", "5"),
        ])
        .await;
    let search = async |query: &str| bench.get(&format!("/api/search{query}")).await.json();

    let found = search("?query=r%C3%89sum").await;
    assert_eq!(
        paths(&found),
        [
            "P/A/Sub/resume 9.md",
            "Q/B/RESUME 9.png",
            "P/A/Résumé 10.txt"
        ]
    );
    assert_eq!((&found["total"], &found["bytes"]), (&json!(3), &json!(7)));
    assert_eq!(found["counts"], json!({ "text": 2, "image": 1 }));
    let hit = &found["assets"][1];
    assert_eq!(
        (&hit["project_id"], &hit["collection_id"], &hit["versions"]),
        (&json!(q), &json!(b), &json!(2))
    );
    for (query, count) in [
        ("", 4),
        ("?query=9", 2),
        (&format!("?query=e&project={q}"), 2),
        (&format!("?query=e&collection={a}"), 2),
        (&format!("?collection={sub}"), 1),
        ("?query=e&type=image&sort=size&order=desc", 2),
        ("?query=nothing+like+it", 0),
    ] {
        let found = search(query).await;
        assert_eq!(paths(&found).len(), count, "{query}");
        assert_eq!(found["total"], count, "{query}");
    }
    let second = search("?query=e&offset=1&limit=1").await;
    assert_eq!((paths(&second).len(), &second["total"]), (1, &json!(4)));
    for (query, outcome) in [
        (format!("project={a}"), (404, "not_found")),
        (format!("collection={p}"), (404, "not_found")),
        ("collection=99".into(), (404, "not_found")),
        ("project=x".into(), (400, "bad_id")),
        (format!("project={a}&collection={a}"), (404, "not_found")),
        ("limit=0".into(), (400, "bad_limit")),
        ("sort=x".into(), (400, "bad_sort")),
    ] {
        let answer = bench.get(&format!("/api/search?{query}")).await;
        assert_eq!(answer.outcome(), (outcome.0, outcome.1.into()), "{query}");
    }
}
