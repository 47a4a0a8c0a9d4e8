//! Searching for names over HTTP.

use serde_json::{Value, json};

use crate::bench::{Answer, Bench, File};

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

async fn ask(bench: &Bench, path: &str, parameters: &[(&str, &str)]) -> Answer {
    let query: String = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    bench.get(&format!("{path}?{query}")).await
}

/// Guards: `q` filters lists and searches alike, the answer says how it was read in browsers' units, and no text is an
/// error.
#[tokio::test]
async fn a_query_filters_and_is_explained() {
    let bench = Bench::new().await;
    let (p, a) = bench.place("P", "Bilder").await;
    let (_, b) = bench.place("Q", "B").await;
    bench
        .seal(vec![
            File::new(a, "red car.png", vec![1; 2000]),
            File::new(a, "red bike.PNG", vec![2; 10]),
            File::new(a, "blue car 🎉.txt", "3"),
            File::new(b, "red car.png", vec![4; 3000]),
            File::new(b, "red car.png", vec![5; 3000]),
        ])
        .await;
    let get = async |path: &str, parameters: &[(&str, &str)]| ask(&bench, path, parameters).await;
    let list = format!("/api/collections/{a}/assets");
    for (q, everywhere, here) in [
        ("red", 3, 2),
        ("red car", 2, 1),
        ("\"red car\"", 2, 1),
        ("car -red", 1, 1),
        ("type:image", 3, 2),
        ("-type:image", 1, 1),
        ("ext:png size:>1kb", 2, 1),
        ("is:versioned", 1, 0),
        ("in:bilder", 3, 3),
        ("modified:2009-02", 4, 3),
        ("before:2020", 0, 0),
        ("🎉", 1, 1),
        ("", 4, 3),
    ] {
        let found = get("/api/search", &[("q", q)]).await.json();
        assert_eq!(found["total"], everywhere, "{q}");
        let listed = get(&list, &[("q", q)]).await.json();
        assert_eq!(listed["total"], here, "{q}");
        assert_eq!(listed["assets"].as_array().unwrap().len(), here, "{q}");
        assert!(listed["read"].is_array(), "{q}");
    }
    let both = get(
        "/api/search",
        &[("q", "car"), ("query", "ed c"), ("type", "image")],
    )
    .await;
    assert_eq!(both.json()["total"], 2);
    let both = get("/api/search", &[("q", "type:image"), ("type", "text")])
        .await
        .json();
    assert_eq!(
        (&both["total"], &both["counts"]),
        (&json!(0), &json!({ "image": 3 }))
    );

    let q = "🎉 typ:image  -in:nowhere size:";
    let read = get("/api/search", &[("q", q)]).await.json()["read"].take();
    assert_eq!(
        read[0],
        json!({ "start": 0, "end": 2, "text": "🎉", "kind": "word", "meaning": "“🎉” in the name" })
    );
    assert_eq!(
        (
            &read[1]["start"],
            &read[1]["end"],
            &read[1]["kind"],
            &read[1]["suggestion"]
        ),
        (&json!(3), &json!(12), &json!("unknown"), &json!("type:"))
    );
    assert_eq!(
        (&read[2]["start"], &read[2]["kind"], &read[2]["key"]),
        (&json!(14), &json!("unknown"), &json!("in"))
    );
    assert_eq!(
        (&read[3]["text"], &read[3]["kind"]),
        (&json!("size:"), &json!("filter"))
    );

    let ranked = get("/api/search", &[("q", "car"), ("sort", "rank")])
        .await
        .json();
    assert_eq!(ranked["total"], 3);
    let deep = get(&list, &[("q", "red"), ("offset", "1"), ("limit", "1")])
        .await
        .json();
    assert_eq!(deep["assets"][0]["filename"], "red car.png");
    for (path, parameters, outcome) in [
        (
            list.as_str(),
            &[("q", "x"), ("versions", "all")][..],
            (422, "bad_versions"),
        ),
        (
            "/api/search",
            &[("q", &"x".repeat(9000))],
            (400, "q_too_long"),
        ),
        (
            &format!("/api/collections/{p}/assets"),
            &[("q", "x")],
            (404, "not_found"),
        ),
    ] {
        let answer = get(path, parameters).await;
        assert_eq!(answer.outcome(), (outcome.0, outcome.1.into()), "{path}");
    }
}
