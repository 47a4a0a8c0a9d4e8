//! The page's own addresses.

use axum::body::Body;
use axum::http::Method;

use crate::bench::Bench;

async fn with_pages() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let web = dir.path().join("web");
    std::fs::create_dir(&web).unwrap();
    std::fs::write(web.join("index.html"), "index {{prefix}} {{theme}}").unwrap();
    std::fs::write(web.join("vaults.html"), "vaults {{prefix}}").unwrap();
    std::fs::write(web.join("sign-in.html"), "sign-in {{message}}").unwrap();
    std::fs::write(web.join("app.js"), "1").unwrap();
    Bench::on(dir, |options| options.assets_dir = Some(web)).await
}

#[tokio::test]
async fn every_address_of_the_page_serves_it() {
    let bench = with_pages().await;
    for path in ["/", "/p/3", "/c/9", "/search?q=x", "/uploads", "/trust"] {
        let answer = bench.get_with(path, &[("cookie", "cv-theme=light")]).await;
        assert_eq!(
            (answer.status.as_u16(), answer.text()),
            (200, "index /v/dev light".into()),
            "{path}"
        );
        let policy = answer.header("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    assert_eq!(bench.get("/vaults").await.text(), "vaults /v/dev");
    assert_eq!(bench.get("/nothing").await.status, 404);
    let head = bench.send(Method::HEAD, "/", &[], Body::empty()).await;
    assert_eq!((head.status.as_u16(), head.bytes().len()), (200, 0));
}

#[tokio::test]
async fn parts_of_the_page_are_served_to_everybody() {
    let bench = with_pages().await;
    let script = bench.get("/v/dev/app.js").await;
    assert_eq!(
        (script.text(), script.header("content-type")),
        ("1".into(), "text/javascript; charset=utf-8")
    );
    assert_eq!(
        bench.get("/favicon.ico").await.header("location"),
        "/v/dev/icon.svg"
    );
    for path in [
        "/v/dev/nothing.js",
        "/v/other/app.js",
        "/v/dev/..%2fsecret",
        "/v/dev/%2e%2e/x",
    ] {
        assert_eq!(bench.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn the_embedded_page_is_cached_for_ever() {
    let bench = Bench::new().await;
    let index = bench.get("/").await;
    assert_eq!(index.status, 200);
    let text = index.text();
    assert!(!text.contains("{{"), "a placeholder was left");
    let start = text.find("/v/").unwrap();
    let prefix = &text[start..start + 19];
    let script = bench.get(&format!("{prefix}/app.js")).await;
    assert_eq!(script.status, 200);
    assert_eq!(
        script.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    assert_eq!(
        bench.get(&format!("{prefix}/package.json")).await.status,
        404
    );
}
