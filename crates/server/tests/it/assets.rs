//! One asset: bytes whole and in ranges, headers, previews, damage.

use axum::body::Body;
use axum::http::Method;
use compactvault_vault::Digest;
use serde_json::json;

use crate::bench::{Answer, Bench, File, damage, noise};

async fn with_file(name: &str, bytes: Vec<u8>) -> (Bench, String) {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    let id = bench.seal(vec![File::new(collection, name, bytes)]).await[0];
    (bench, format!("/api/assets/{id}"))
}

#[tokio::test]
async fn bytes_come_with_all_that_is_known_about_them() {
    let bytes = noise(3_000_000, 1);
    let (bench, path) = with_file("a é.bin", bytes.clone()).await;
    let answer = bench.get(&path).await;
    assert_eq!(
        (answer.status.as_u16(), answer.bytes().len()),
        (200, bytes.len())
    );
    assert!(*answer.bytes() == bytes);
    let digest = Digest::of(&bytes);
    assert_eq!(answer.header("etag"), format!("\"{digest}\""));
    assert!(answer.header("repr-digest").starts_with("sha-256=:"));
    assert_eq!(answer.header("content-length"), "3000000");
    assert_eq!(
        answer.header("cache-control"),
        "private, max-age=31536000, immutable"
    );
    assert_eq!(
        answer.header("last-modified"),
        "Fri, 13 Feb 2009 23:31:30 GMT"
    );
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
    assert!(
        answer
            .header("content-security-policy")
            .starts_with("sandbox; default-src 'none'")
    );
    assert_eq!(
        answer.header("content-disposition"),
        "inline; filename=\"a _.bin\"; filename*=UTF-8''a%20%C3%A9.bin"
    );
    let saved = bench.get(&format!("{path}?download=1")).await;
    assert!(
        saved
            .header("content-disposition")
            .starts_with("attachment; ")
    );

    let head = bench
        .send(
            Method::HEAD,
            &path,
            &[("range", "bytes=0-9")],
            Body::empty(),
        )
        .await;
    assert_eq!(
        (
            head.status.as_u16(),
            head.bytes().len(),
            head.header("content-length")
        ),
        (200, 0, "3000000")
    );
    assert_eq!(head.header("etag"), answer.header("etag"));
}

async fn range(bench: &Bench, path: &str, value: &str) -> Answer {
    bench.get_with(path, &[("range", value)]).await
}

#[tokio::test]
async fn ranges_follow_rfc_9110() {
    let bytes = noise(2_500_000, 2);
    let (bench, path) = with_file("a.bin", bytes.clone()).await;
    for (value, expected) in [
        ("bytes=0-0", 0..1),
        ("bytes=1000000-1999999", 1_000_000..2_000_000),
        ("bytes=2499990-", 2_499_990..2_500_000),
        ("bytes=-500", 2_499_500..2_500_000),
        ("bytes=2499999-9999999", 2_499_999..2_500_000),
        ("bytes=0-", 0..2_500_000),
    ] {
        let answer = range(&bench, &path, value).await;
        assert_eq!(answer.status, 206, "{value}");
        assert!(answer.bytes()[..] == bytes[expected.clone()], "{value}");
        let shown = format!("bytes {}-{}/2500000", expected.start, expected.end - 1);
        assert_eq!(answer.header("content-range"), shown);
        assert_eq!(answer.header("content-length"), expected.len().to_string());
    }
    let past = range(&bench, &path, "bytes=2500000-").await;
    assert_eq!(past.outcome(), (416, "range_not_satisfiable".into()));
    assert_eq!(past.header("content-range"), "bytes */2500000");
    for value in ["bytes=x", "items=0-1", "bytes=5-2"] {
        assert_eq!(range(&bench, &path, value).await.status, 200, "{value}");
    }
}

#[tokio::test]
async fn several_ranges_come_as_multipart() {
    let bytes = noise(2_500_000, 3);
    let (bench, path) = with_file("a.bin", bytes.clone()).await;
    let answer = range(&bench, &path, "bytes=0-99,1000000-1499999,-5").await;
    assert_eq!(answer.status, 206);
    let boundary = answer
        .header("content-type")
        .strip_prefix("multipart/byteranges; boundary=")
        .unwrap()
        .to_owned();
    let mut expected = Vec::new();
    for (separator, range) in [
        ("", 0..100),
        ("\r\n", 1_000_000..1_500_000),
        ("\r\n", 2_499_995..2_500_000),
    ] {
        let head = format!(
            "{separator}--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes {}-{}/2500000\r\n\r\n",
            range.start,
            range.end - 1
        );
        expected.extend_from_slice(head.as_bytes());
        expected.extend_from_slice(&bytes[range]);
    }
    expected.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    assert!(answer.bytes()[..] == expected);
    assert_eq!(answer.header("content-length"), expected.len().to_string());
    assert!(!answer.headers.contains_key("content-range"));
}

#[tokio::test]
async fn what_the_client_has_is_not_sent_again() {
    let (bench, path) = with_file("a.txt", b"hello".to_vec()).await;
    let etag = bench.get(&path).await.header("etag").to_owned();
    let same = bench.get_with(&path, &[("if-none-match", &etag)]).await;
    assert_eq!(
        (
            same.status.as_u16(),
            same.bytes().len(),
            same.header("etag")
        ),
        (304, 0, &*etag)
    );
    let partial = bench
        .get_with(&path, &[("range", "bytes=1-2"), ("if-range", &etag)])
        .await;
    assert_eq!(
        (partial.status.as_u16(), partial.text()),
        (206, "el".into())
    );
    let other = bench
        .get_with(&path, &[("range", "bytes=1-2"), ("if-range", "\"x\"")])
        .await;
    assert_eq!((other.status.as_u16(), other.text()), (200, "hello".into()));
    let wrong = bench.get_with(&path, &[("if-match", "\"x\"")]).await;
    assert_eq!(wrong.outcome(), (412, "precondition_failed".into()));
}

#[tokio::test]
async fn empty_files_are_files() {
    let (bench, path) = with_file("empty", Vec::new()).await;
    let answer = bench.get(&path).await;
    assert_eq!(
        (
            answer.status.as_u16(),
            answer.bytes().len(),
            answer.header("content-length")
        ),
        (200, 0, "0")
    );
    assert_eq!(range(&bench, &path, "bytes=0-").await.status, 416);
    assert_eq!(range(&bench, &path, "bytes=-1").await.status, 200);
    assert_eq!(
        bench.get(&format!("{path}/preview")).await.json()["chunks"],
        0
    );
}

#[tokio::test]
async fn active_content_is_isolated() {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    let page = "<!doctype html><script>fetch('/api/projects')</script>";
    let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>";
    let ids = bench
        .seal(vec![
            File::new(collection, "a.html", page),
            File::new(collection, "a.svg", svg),
            File::new(collection, "a.pdf", "%PDF-1.4\n1 0 obj\n"),
            File::new(collection, "fake.pdf", page),
        ])
        .await;
    for (id, media_type) in [
        (ids[0], "text/html; charset=utf-8"),
        (ids[1], "image/svg+xml"),
        (ids[2], "application/pdf"),
        (ids[3], "text/plain; charset=utf-8"),
    ] {
        let answer = bench.get(&format!("/api/assets/{id}")).await;
        assert_eq!(answer.header("content-type"), media_type);
        let policy = answer.header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("script-src"),
            "{policy}"
        );
        assert!(policy.starts_with("sandbox;"), "{media_type}: {policy}");
    }
}

#[tokio::test]
async fn previews_show_the_real_text() {
    let source = "# é😀\r\ndef f():\n\treturn 1\n";
    let (bench, path) = with_file("a.py", source.into()).await;
    let preview = bench.get(&format!("{path}/preview")).await.json();
    assert_eq!(
        (&preview["content"], &preview["encoding"]),
        (&json!(source), &json!("utf-8"))
    );
    assert_eq!(
        (&preview["path"], &preview["content_truncated"]),
        (&json!("P/C/a.py"), &json!(false))
    );
    assert!(
        preview["highlight"]
            .as_array()
            .unwrap()
            .iter()
            .any(|span| span[2] == "keyword")
    );
    assert_eq!(preview["modified"], "2009-02-13 23:31:30");
    assert_eq!(preview["modified_unix_ms"], 1_234_567_890_000_i64);

    let long = "é".repeat(200_000);
    let (bench, path) = with_file("long.txt", long.clone().into_bytes()).await;
    let preview = bench.get(&format!("{path}/preview")).await.json();
    assert_eq!(preview["content_truncated"], true);
    assert_eq!(preview["content"].as_str().unwrap(), &long[..256 * 1024]);

    let (bench, path) = with_file("a.png", noise(100, 4)).await;
    let preview = bench.get(&format!("{path}/preview")).await.json();
    assert!(preview.get("content").is_none() && preview.get("highlight").is_none());
}

#[tokio::test]
async fn an_asset_without_times_says_so() {
    let bench = Bench::new().await;
    let (_, collection) = bench.place("P", "C").await;
    let file = File {
        modified_seconds: None,
        ..File::new(collection, "a.bin", "x")
    };
    let id = bench.seal(vec![file]).await[0];
    let preview = bench.get(&format!("/api/assets/{id}/preview")).await.json();
    assert_eq!(
        (&preview["modified"], &preview["modified_unix_ms"]),
        (&json!(null), &json!(null))
    );
}

#[tokio::test]
async fn damage_is_told_and_never_served() {
    let bytes = noise(3_000_000, 5);
    let (bench, path) = with_file("a.bin", bytes.clone()).await;
    let (vault, dir) = (bench.vault_path(), bench.close().await);
    damage(&vault, &bytes, 1_700_000);
    let bench = Bench::on(dir, |_| ()).await;
    let whole = bench.get(&path).await;
    assert_eq!(whole.status, 200);
    assert!(whole.body.is_err(), "the connection must break");
    let there = range(&bench, &path, "bytes=1700000-1700009").await;
    assert_eq!(there.outcome(), (500, "damaged".into()));
    assert!(
        there.json()["message"].as_str().unwrap().contains("chunk"),
        "{}",
        there.text()
    );
    let before = range(&bench, &path, "bytes=0-9").await;
    assert_eq!(
        (before.status.as_u16(), &before.bytes()[..]),
        (206, &bytes[..10])
    );
}

#[tokio::test]
async fn what_is_not_there() {
    let (bench, _) = with_file("a", Vec::new()).await;
    for path in [
        "/api/assets/999",
        "/api/assets/999/preview",
        "/api/assets/1",
    ] {
        assert_eq!(
            bench.get(path).await.outcome(),
            (404, "not_found".into()),
            "{path}"
        );
    }
    assert_eq!(
        bench.get("/api/assets/..%2f").await.outcome(),
        (400, "bad_id".into())
    );
}
