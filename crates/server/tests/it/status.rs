//! The vault as a whole: figures, checkpoint, events, upkeep, description; and what holds for every route.

use axum::body::Body;
use axum::http::{Method, Request};
use compactvault_server::Peer;
use compactvault_vault::Access;
use futures_util::StreamExt as _;
use serde_json::json;
use tower::ServiceExt as _;

use crate::bench::{Bench, File, PASSWORD, basic, noise};
use crate::description::description;

#[tokio::test]
async fn figures_add_up() {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    let bytes = noise(300_000, 1);
    bench
        .seal(vec![
            File::new(collection, "a", bytes.clone()),
            File::new(collection, "b", bytes),
        ])
        .await;
    let status = bench.get("/api/status").await.json();
    assert_eq!(
        (
            &status["projects"],
            &status["collections"],
            &status["assets"]
        ),
        (&json!(1), &json!(1), &json!(2))
    );
    assert_eq!(
        (&status["logical_bytes"], &status["saved_by_dedup_bytes"]),
        (&json!(600_000), &json!(300_000))
    );
    assert_eq!(
        (&status["entries"], &status["log"]["size"]),
        (&json!(5), &json!(5))
    );
    assert_eq!(
        (&status["read_only"], &status["uploads_unfinished"]),
        (&json!(null), &json!(0))
    );
    let note = bench.get("/api/checkpoint").await.text();
    let lines: Vec<_> = note.lines().collect();
    assert_eq!(
        lines[0],
        format!("compactvault/{}", status["vault"]["id"].as_str().unwrap())
    );
    assert_eq!(
        (lines[1], lines[2]),
        ("5", status["log"]["root"].as_str().unwrap())
    );
    assert!(lines[4].starts_with("— "), "{note}");
    assert_eq!(
        bench
            .post("/api/maintenance/vacuum", &json!({}))
            .await
            .status,
        200
    );
    let empty = bench
        .send(Method::POST, "/api/maintenance/vacuum", &[], Body::empty())
        .await;
    assert_eq!(empty.status, 200);
    assert_eq!(bench.get("/api/status").await.json()["safe_to_copy"], true);
}

#[tokio::test]
async fn the_vault_is_scrubbed_while_nothing_else_happens_and_status_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::on(dir, |options| options.scrub = Some(50)).await;
    let verified = || async { bench.get("/api/status").await.json()["last_verified"].clone() };
    let before = verified().await;
    assert_eq!(
        (&before["parts_never"], &before["oldest_unix_ms"]),
        (&before["parts"], &json!(null))
    );
    let mut after = before;
    for _ in 0..600 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        after = verified().await;
        if after["parts_never"] == 0 {
            break;
        }
    }
    assert_eq!(
        (&after["parts_never"], &after["repairs"]),
        (&json!(0), &json!(0))
    );
    assert!(after["oldest_unix_ms"].as_i64().unwrap() <= after["newest_unix_ms"].as_i64().unwrap());
    let started = std::time::Instant::now();
    bench.close().await;
    assert!(started.elapsed() < std::time::Duration::from_secs(5));
}

#[tokio::test]
async fn events_tell_of_commits_whoever_made_them() {
    let bench = Bench::new().await;
    let (project, collection) = bench.place("P", "C").await;
    let mut request = Request::get("/api/events")
        .header("host", "localhost:8000")
        .header("authorization", basic(PASSWORD))
        .body(Body::empty())
        .unwrap();
    let end = "127.0.0.1:8000".parse().unwrap();
    request.extensions_mut().insert(Peer {
        remote: end,
        local: end,
        is_encrypted: false,
    });
    let response = bench.server.router().oneshot(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut stream = response.into_body().into_data_stream();
    let mut seen = String::new();
    let mut until = async |wanted: &str| {
        while !seen.contains(wanted) {
            let next =
                tokio::time::timeout(std::time::Duration::from_secs(10), stream.next()).await;
            let frame = next
                .unwrap_or_else(|_| panic!("no {wanted} in {seen}"))
                .unwrap()
                .unwrap();
            seen.push_str(std::str::from_utf8(&frame).unwrap());
        }
    };
    until("event: hello\ndata: {\"log_size\":3}\n\n").await;
    bench.seal(vec![File::new(collection, "a", "x")]).await;
    until("event: sealed\ndata: {\"log_size\":4,\"places\":[").await;
    until(&format!("{collection}")).await;
    bench
        .post(
            "/api/collections",
            &json!({ "project_id": project, "name": "D" }),
        )
        .await;
    until("\"log_size\":5").await;
    bench.close().await;
    // A server that stops ends its streams.
    while let Some(frame) = stream.next().await {
        frame.unwrap();
    }
}

#[tokio::test]
async fn json_is_compressed_where_it_pays() {
    let bench = Bench::new().await;
    let gzip = [("accept-encoding", "gzip, br")];
    let large = bench.get_with("/api/openapi.json", &gzip).await;
    assert_eq!(large.header("content-encoding"), "gzip");
    assert!(large.bytes().starts_with(&[0x1f, 0x8b]));
    assert!(
        large
            .header("vary")
            .to_lowercase()
            .contains("accept-encoding")
    );
    let small = bench.get_with("/api/projects", &gzip).await;
    assert_eq!(small.header("content-encoding"), "");
    assert_eq!(
        bench
            .get_with("/api/openapi.json", &[("accept-encoding", "gzip;q=0")])
            .await
            .header("content-encoding"),
        ""
    );
    let (_, collection) = bench.place("P", "C").await;
    let id = bench
        .seal(vec![File::new(collection, "a.txt", "x".repeat(5000))])
        .await[0];
    assert_eq!(
        bench
            .get_with(&format!("/api/assets/{id}"), &gzip)
            .await
            .header("content-encoding"),
        ""
    );
}

#[tokio::test]
async fn nothing_can_be_replaced_or_removed() {
    let bench = Bench::new().await;
    let paths: Vec<_> = description()["paths"].as_object().unwrap().keys().collect();
    for path in paths {
        let path = path.replace(['{', '}'], "");
        for method in [
            Method::DELETE,
            Method::PUT,
            Method::PATCH,
            Method::OPTIONS,
            Method::TRACE,
        ] {
            let answer = bench.send(method.clone(), &path, &[], Body::empty()).await;
            assert_eq!(
                answer.outcome(),
                (405, "method_not_allowed".into()),
                "{method} {path}"
            );
            assert!(!answer.header("allow").is_empty());
        }
    }
    for path in ["/api/nothing", "/api/assets/1/delete", "/api/"] {
        assert_eq!(
            bench
                .send(Method::DELETE, path, &[], Body::empty())
                .await
                .status,
            405
        );
        assert_eq!(bench.get(path).await.outcome(), (404, "not_found".into()));
    }
    let wrong = bench.get("/api/select_db").await;
    assert_eq!(
        (wrong.outcome(), wrong.header("allow")),
        ((405, "method_not_allowed".into()), "POST")
    );
    let wrong = bench.post("/api/assets/1", &json!({})).await;
    assert_eq!(
        (wrong.outcome(), wrong.header("allow")),
        ((405, "method_not_allowed".into()), "GET, HEAD")
    );
    assert!(!wrong.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn a_vault_that_cannot_be_written_is_still_read() {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    let id = bench.seal(vec![File::new(collection, "a", "x")]).await[0];
    let dir = bench.close().await;
    let bench = Bench::on(dir, |options| options.vault.access = Access::Read).await;
    assert_eq!(bench.get(&format!("/api/assets/{id}")).await.text(), "x");
    assert!(bench.get("/api/status").await.json()["read_only"].is_string());
    assert_eq!(
        bench.get("/api/uploads").await.json(),
        json!({ "uploads": [] })
    );
    assert_eq!(
        bench.get("/api/uploads/u").await.outcome(),
        (404, "unknown_upload".into())
    );
    let refused = (409, "read_only".to_owned());
    let new = json!({ "name": "Q" });
    assert_eq!(bench.post("/api/projects", &new).await.outcome(), refused);
    assert_eq!(
        bench.post("/api/maintenance/vacuum", &new).await.outcome(),
        refused
    );
    let path = "/api/upload/chunk?upload_id=u&chunk_index=0";
    assert_eq!(
        bench.send(Method::POST, path, &[], "x").await.outcome(),
        refused
    );
}
