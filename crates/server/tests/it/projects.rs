//! Projects: found or created, listed in natural order, with names of any kind.

use serde_json::json;

use crate::bench::Bench;

#[tokio::test]
async fn a_project_is_created_once() {
    let bench = Bench::new().await;
    assert_eq!(bench.get("/api/projects").await.json(), json!([]));
    let new = json!({ "name": "Glacier", "description": "ice" });
    let first = bench.post("/api/projects", &new).await;
    assert_eq!(first.status, 201);
    assert_eq!(first.json()["type"], "project");
    let again = bench
        .post("/api/projects", &json!({ "name": "Glacier" }))
        .await;
    assert_eq!(again.status, 200);
    assert_eq!(again.json(), first.json());
    let id = first.json()["id"].as_u64().unwrap();
    let one = bench.get(&format!("/api/projects/{id}")).await.json();
    assert_eq!(
        (&one["description"], &one["collections"], &one["assets"]),
        (&json!("ice"), &json!(0), &json!(0))
    );
    assert_eq!(
        bench
            .get(&format!("/api/projects/{id}/collections"))
            .await
            .json(),
        json!([])
    );
}

#[tokio::test]
async fn eight_at_once_create_one() {
    let bench = Bench::new().await;
    let new = json!({ "name": "P" });
    let posts = (0..8).map(|_| bench.post("/api/projects", &new));
    let answers = futures_util::future::join_all(posts).await;
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 201).count(),
        1
    );
    assert!(
        answers
            .iter()
            .all(|answer| answer.json() == answers[0].json())
    );
}

#[tokio::test]
async fn projects_come_in_natural_order() {
    let bench = Bench::new().await;
    for name in [
        "img10",
        "img2",
        "é",
        "E",
        "3²",
        "٣",
        "<img onerror=x>",
        "a\nb",
    ] {
        assert_eq!(
            bench
                .post("/api/projects", &json!({ "name": name }))
                .await
                .status,
            201,
            "{name}"
        );
    }
    let list = bench.get("/api/projects").await.json();
    let names: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|project| project["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 8);
    let at = |name| names.iter().position(|of| *of == name).unwrap();
    assert!(
        at("img2") < at("img10") && at("E").abs_diff(at("é")) == 1,
        "{names:?}"
    );
}

#[tokio::test]
async fn bad_requests_are_told_apart() {
    let bench = Bench::new().await;
    let long = "x".repeat(5000);
    for name in ["", "a/b", "a\0b", ".", "..", &long] {
        let answer = bench.post("/api/projects", &json!({ "name": name })).await;
        assert_eq!(answer.outcome(), (400, "name_invalid".into()), "{name:?}");
    }
    for body in [json!({}), json!({ "name": 5 }), json!([]), json!("x")] {
        assert_eq!(
            bench.post("/api/projects", &body).await.outcome(),
            (400, "bad_json".into()),
            "{body}"
        );
    }
    let deep = "[".repeat(100_000);
    let json_type = ("content-type", "application/json");
    for (headers, body, outcome) in [
        (vec![], "{\"name\": \"x\"}", (415, "unsupported_media_type")),
        (
            vec![("content-type", "text/plain")],
            "{\"name\": \"x\"}",
            (415, "unsupported_media_type"),
        ),
        (vec![json_type], &deep[..60_000], (400, "bad_json")),
        (vec![json_type], &deep, (413, "body_too_large")),
        (vec![json_type], "", (400, "bad_json")),
    ] {
        let answer = bench
            .send(
                axum::http::Method::POST,
                "/api/projects",
                &headers,
                body.to_owned(),
            )
            .await;
        assert_eq!(answer.outcome(), (outcome.0, outcome.1.into()));
    }
    for id in [
        "0",
        "-1",
        "x",
        "1.5",
        "99999999999999999999",
        "%31%00",
        "%FF",
    ] {
        assert_eq!(
            bench.get(&format!("/api/projects/{id}")).await.outcome(),
            (400, "bad_id".into()),
            "{id}"
        );
    }
    assert_eq!(
        bench.get("/api/projects/77").await.outcome(),
        (404, "not_found".into())
    );
    assert_eq!(
        bench.get("/api/projects/77/collections").await.outcome(),
        (404, "not_found".into())
    );
    let too_long = json!({ "name": "x", "description": "d".repeat(5000) });
    assert_eq!(
        bench.post("/api/projects", &too_long).await.outcome(),
        (400, "too_long".into())
    );
}
