//! What could be done to the original of this program, tried here: each test names the hole it had.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;

use crate::bench::{Answer, Bench, PASSWORD, basic};

async fn send(
    bench: &Bench,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Answer {
    let credentials = basic(PASSWORD);
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "127.0.0.1:8000")
        .header("authorization", credentials);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    bench.raw(request.body(body.into()).unwrap()).await
}

/// Hole 14: a known password, compared byte by byte, and headers that crashed it.
#[tokio::test]
async fn there_is_no_password_that_everybody_knows() {
    let bench = Bench::on(tempfile::tempdir().unwrap(), |options| {
        options.password = None;
    })
    .await;
    assert_eq!(bench.server.token().unwrap().len(), 43);
    for password in ["password", "", "admin", "compactvault"] {
        let request = Request::get("/api/projects")
            .header("host", "127.0.0.1:8000")
            .header("authorization", basic(password));
        let answer = bench.raw(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 401, "{password}");
    }
    for malformed in [
        "Basic",
        "Basic \u{7f}",
        "Basic ====",
        "Basic Og",
        "\u{e9}",
        "Bearer",
    ] {
        let request = Request::get("/api/projects")
            .header("host", "127.0.0.1:8000")
            .header("authorization", malformed.as_bytes());
        let Ok(request) = request.body(Body::empty()) else {
            continue;
        };
        assert_eq!(bench.raw(request).await.status, 401, "{malformed}");
    }
}

/// Hole 15: anybody could make databases wherever the process may write.
#[tokio::test]
async fn no_vault_is_chosen_or_made_outside_of_the_folder_nor_by_strangers() {
    let dir = tempfile::tempdir().unwrap();
    let served = dir.path().join("served");
    std::fs::create_dir_all(&served).unwrap();
    // Two vaults, so that none is chosen by itself.
    for name in ["a.vault", "b.vault"] {
        let options = crate::bench::vault_options(dir.path());
        compactvault_vault::Vault::create(&served.join(name), &options)
            .unwrap()
            .close()
            .unwrap();
    }
    let bench = Bench::on(dir, |_| ()).await;
    let stranger = Request::post("/api/select_db")
        .header("host", "127.0.0.1:8000")
        .header("content-type", "application/json")
        .body(Body::from(r#"{"db": "c.vault"}"#))
        .unwrap();
    assert_eq!(bench.raw(stranger).await.status, 401);
    let outside = [
        "../c.vault",
        "/tmp/c.vault",
        "..\\c.vault",
        "x/../../c.vault",
        "c.vault\0",
        "c.db",
        ".vault/",
        "",
    ];
    for db in outside {
        let body = json!({ "db": db }).to_string();
        let json = [("content-type", "application/json")];
        let answer = send(&bench, Method::POST, "/api/select_db", &json, body).await;
        assert_eq!(answer.status, 400, "{db:?}");
    }
    let items = std::fs::read_dir(&served).unwrap().count();
    assert_eq!(items, 2);
}

/// Hole 16: one who signed in opened the server to all, and any page could read it.
#[tokio::test]
async fn who_signs_in_opens_the_door_to_nobody_else_and_no_page_elsewhere_can_read() {
    let bench = Bench::new().await;
    let origin = [
        ("origin", "http://evil.example"),
        ("sec-fetch-site", "cross-site"),
    ];
    let answer = send(&bench, Method::GET, "/api/projects", &origin, "").await;
    assert_eq!(answer.status, 200);
    for name in answer.headers.keys() {
        assert!(!name.as_str().starts_with("access-control-"), "{name}");
    }
    assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
    let preflight = send(&bench, Method::OPTIONS, "/api/projects", &origin, "").await;
    assert_eq!(preflight.status, 405);
    let stranger = Request::get("/api/projects").header("host", "127.0.0.1:8000");
    let answer = bench.raw(stranger.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 401);
}

/// Hole 17: an upload's id was a path.
#[tokio::test]
async fn an_upload_id_is_no_path() {
    let bench = Bench::new().await;
    for id in [
        "..",
        "../x",
        "..%2fx",
        "%2e%2e%2fx",
        "a/b",
        "a%00b",
        ".",
        "/tmp/x",
    ] {
        let path = format!("/api/upload/chunk?upload_id={id}&chunk_index=0");
        let answer = send(&bench, Method::POST, &path, &[], "bytes").await;
        // Any text may be an id: what lies in the spool is named after its hash.
        assert!(matches!(answer.status.as_u16(), 200 | 400), "{id}");
    }
    let long = format!(
        "/api/upload/chunk?upload_id={}&chunk_index=0",
        "a".repeat(2000)
    );
    assert_eq!(
        send(&bench, Method::POST, &long, &[], "bytes").await.status,
        400
    );
    let body = json!({"upload_id": "../served", "filename": "x", "collection_id": 1}).to_string();
    let json = [("content-type", "application/json")];
    let answer = send(&bench, Method::POST, "/api/upload/complete", &json, body).await;
    assert!(
        answer.status.is_client_error(),
        "nothing was uploaded under that id"
    );
    let names: Vec<_> = std::fs::read_dir(bench.vault_path().parent().unwrap())
        .unwrap()
        .map(|item| item.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("default.vault"))
        .collect();
    assert!(names.is_empty(), "{names:?}");
}

/// Hole 18: archived pages ran in the page's own name.
#[tokio::test]
async fn nothing_archived_runs_where_the_session_is() {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    for (name, bytes) in [
        ("a.html", "<script>alert(1)</script>"),
        (
            "a.svg",
            "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>",
        ),
        ("a.xhtml", "<html xmlns=\"http://www.w3.org/1999/xhtml\"/>"),
        ("a.xml", "<?xml-stylesheet href=\"x\"?><x/>"),
        ("a.pdf", "%PDF-1.4"),
        ("a.js", "alert(1)"),
        ("noext", "<!doctype html><script>alert(1)</script>"),
    ] {
        let path = format!("/api/collections/{collection}/assets?filename={name}");
        let added = send(&bench, Method::POST, &path, &[], bytes).await;
        assert_eq!(added.status, 200, "{name}: {}", added.text());
        let id = added.json()["asset_id"].as_u64().unwrap();
        for path in [
            format!("/api/assets/{id}"),
            format!("/api/assets/{id}?download=1"),
        ] {
            let answer = send(&bench, Method::GET, &path, &[], "").await;
            assert_eq!(answer.text(), bytes);
            let policy = answer.header("content-security-policy");
            // Chromium's PDF viewer does not start in a sandbox; it runs in another process and another origin.
            let is_boxed = policy.contains("sandbox") || name == "a.pdf";
            assert!(
                is_boxed && policy.contains("default-src 'none'"),
                "{name}: {policy}"
            );
            assert!(
                !policy.contains("allow-") && !policy.contains("script-src"),
                "{name}: {policy}"
            );
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
        }
    }
}

/// Hole 19: a foreign page could post with the browser's own credentials, in forms that need no permission.
#[tokio::test]
async fn foreign_pages_cannot_post() {
    let bench = Bench::new().await;
    let body = r#"{"name": "planted"}"#;
    for headers in [
        &[
            ("sec-fetch-site", "cross-site"),
            ("content-type", "application/json"),
        ][..],
        &[
            ("sec-fetch-site", "same-site"),
            ("content-type", "application/json"),
        ],
        &[
            ("origin", "http://evil.example"),
            ("content-type", "application/json"),
        ],
        &[("origin", "null"), ("content-type", "application/json")],
        &[
            ("origin", "http://127.0.0.1:8001"),
            ("content-type", "application/json"),
        ],
    ] {
        let answer = send(&bench, Method::POST, "/api/projects", headers, body).await;
        assert_eq!(answer.outcome(), (403, "cross_site".into()), "{headers:?}");
    }
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "",
    ] {
        let headers = [("content-type", content_type)];
        let answer = send(&bench, Method::POST, "/api/projects", &headers, body).await;
        assert_eq!(answer.status, 415, "{content_type}");
    }
    assert_eq!(bench.get("/api/projects").await.json(), json!([]));
}

/// Hole 20: names went raw into headers and archives.
#[tokio::test]
async fn names_stay_names() {
    let bench = Bench::new().await;
    let post = |path: &'static str, body: serde_json::Value| {
        let json = [("content-type", "application/json")];
        let bench = &bench;
        async move { send(bench, Method::POST, path, &json, body.to_string()).await }
    };
    for name in ["..", ".", "a/b", "", "a\0b"] {
        let answer = post("/api/projects", json!({ "name": name })).await;
        assert_eq!(answer.status, 400, "{name:?}");
    }
    let name = "P\"\r\nSet-Cookie: x=1\r\n\u{202e}☃";
    let project = post("/api/projects", json!({ "name": name })).await;
    assert_eq!(project.status, 201, "{}", project.text());
    let id = project.json()["id"].as_u64().unwrap();
    let path = format!("/api/projects/{id}/download");
    let answer = send(&bench, Method::GET, &path, &[], "").await;
    assert_eq!(answer.status, 200);
    let disposition = answer.header("content-disposition");
    assert!(!answer.headers.contains_key("set-cookie"));
    assert!(!disposition.contains(['\r', '\n']), "{disposition}");
    let (_, collection) = bench.place("P", "C").await;
    let path = format!("/api/collections/{collection}/assets?filename=x&path=../..");
    assert_eq!(
        send(&bench, Method::POST, &path, &[], "x").await.status,
        400
    );
}

/// Hole 21: the upload routes let anybody guess, as fast as they liked.
#[tokio::test]
async fn every_route_counts_guesses() {
    for path in [
        "/api/upload/chunk?upload_id=x&chunk_index=0",
        "/api/upload/complete",
        "/api/projects",
    ] {
        let bench = Bench::new().await;
        let mut seen = Vec::new();
        for _ in 0..7 {
            let request = Request::post(path)
                .header("host", "127.0.0.1:8000")
                .header("authorization", basic("guess"));
            let answer = bench.raw(request.body(Body::from("x")).unwrap()).await;
            if answer.status == 429 {
                assert!(!answer.header("retry-after").is_empty());
            }
            seen.push(answer.status.as_u16());
        }
        assert_eq!(seen, [401, 401, 401, 401, 401, 429, 429], "{path}");
    }
}

/// JSON that is nested to exhaust the stack.
#[tokio::test]
async fn nesting_has_a_bound() {
    let bench = Bench::new().await;
    let body = format!("{{\"name\": {}{}}}", "[".repeat(30_000), "]".repeat(30_000));
    let json = [("content-type", "application/json")];
    let answer = send(&bench, Method::POST, "/api/projects", &json, body).await;
    assert_eq!(answer.outcome(), (400, "bad_json".into()));
    // What is not read is skipped without a stack, however deep.
    let unknown = format!(
        "{{\"name\": \"a\", \"more\": {}{}}}",
        "[".repeat(30_000),
        "]".repeat(30_000)
    );
    let answer = send(&bench, Method::POST, "/api/projects", &json, unknown).await;
    assert_eq!(answer.status, 201);
}
