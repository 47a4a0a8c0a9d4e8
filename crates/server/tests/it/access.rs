//! Who comes in: Host, Origin, credentials, sessions, limits.

use axum::body::Body;
use axum::http::{Method, Request};
use compactvault_server::Peer;

use crate::bench::{Answer, Bench, PASSWORD, basic};

async fn ask(
    bench: &Bench,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &'static str,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    if headers.iter().all(|(name, _)| *name != "host") {
        request = request.header("host", "127.0.0.1:8000");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    bench.raw(request.body(Body::from(body)).unwrap()).await
}

async fn get(bench: &Bench, path: &str, headers: &[(&str, &str)]) -> Answer {
    ask(bench, Method::GET, path, headers, "").await
}

/// The `name=value` of the session that an answer starts.
fn session(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie");
    assert!(
        cookie.contains("HttpOnly")
            && cookie.contains("SameSite=Strict")
            && !cookie.contains("Domain"),
        "{cookie}"
    );
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn names_that_are_not_ours_are_refused_first() {
    let bench = Bench::on(tempfile::tempdir().unwrap(), |options| {
        options.allowed_hosts = vec!["nas.example".into()];
    })
    .await;
    let credentials = basic(PASSWORD);
    for host in [
        "evil.example",
        "evil.example:8000",
        "127.0.0.1",
        "127.0.0.1:9000",
        "0.0.0.0:8000",
    ] {
        let answer = get(
            &bench,
            "/api/projects",
            &[("host", host), ("authorization", &credentials)],
        )
        .await;
        assert_eq!(answer.outcome(), (421, "host_not_allowed".into()), "{host}");
        assert_eq!(
            get(&bench, "/v/x/app.js", &[("host", host)]).await.status,
            421
        );
    }
    for host in [
        "localhost:8000",
        "[::1]:8000",
        "nas.example",
        "NAS.example:443",
    ] {
        let answer = get(
            &bench,
            "/api/projects",
            &[("host", host), ("authorization", &credentials)],
        )
        .await;
        assert_eq!(answer.status, 200, "{host}");
    }
}

#[tokio::test]
async fn programs_are_challenged_and_people_get_a_page() {
    let bench = Bench::new().await;
    let program = get(&bench, "/api/projects", &[("accept", "*/*")]).await;
    assert_eq!(program.outcome(), (401, "unauthorized".into()));
    assert_eq!(
        program.header("www-authenticate"),
        "Basic realm=\"CompactVault\""
    );
    let fetch = get(
        &bench,
        "/api/projects",
        &[("sec-fetch-mode", "cors"), ("accept", "text/html")],
    )
    .await;
    assert_eq!(
        (fetch.outcome().0, fetch.header("www-authenticate")),
        (401, "")
    );
    let stale = get(
        &bench,
        "/api/projects",
        &[("cookie", "cv-session-0123=old")],
    )
    .await;
    assert_eq!(
        (stale.outcome().0, stale.header("www-authenticate")),
        (401, "")
    );
    for headers in [
        vec![("accept", "text/html,*/*")],
        vec![("accept", "text/html"), ("sec-fetch-mode", "navigate")],
    ] {
        let page = get(&bench, "/c/5", &headers).await;
        assert_eq!(
            (page.status.as_u16(), page.header("www-authenticate")),
            (401, "")
        );
        assert!(page.header("content-type").starts_with("text/html"));
    }
    let script = get(
        &bench,
        "/",
        &[("accept", "text/html"), ("authorization", &basic("wrong"))],
    )
    .await;
    assert_eq!(
        script.header("www-authenticate"),
        "Basic realm=\"CompactVault\""
    );
    let bench = Bench::new().await;
    for value in ["Basic", "Basic ????", "Bearer x", "", "Basic Og=="] {
        assert_eq!(
            get(&bench, "/api/projects", &[("authorization", value)])
                .await
                .status,
            401,
            "{value}"
        );
    }
}

#[tokio::test]
async fn the_form_gives_a_session_until_sign_out() {
    let bench = Bench::new().await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    let right = "password=correct+horse&next=%2Fc%2F5%3Fx%3D1";
    let answer = ask(&bench, Method::POST, "/sign-in", &[form], right).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("location")),
        (303, "/c/5?x=1")
    );
    let cookie = session(&answer);
    assert_eq!(
        get(&bench, "/api/projects", &[("cookie", &cookie)])
            .await
            .status,
        200
    );
    assert_eq!(
        get(&bench, "/sign-in", &[("cookie", &cookie)])
            .await
            .header("location"),
        "/"
    );
    let away = ask(
        &bench,
        Method::POST,
        "/sign-in",
        &[form],
        "password=correct+horse&next=//evil",
    )
    .await;
    assert_eq!(away.header("location"), "/");
    let wrong = ask(&bench, Method::POST, "/sign-in", &[form], "password=nope").await;
    assert_eq!(
        (wrong.status.as_u16(), wrong.header("www-authenticate")),
        (401, "")
    );
    assert!(wrong.text().contains("not the password") && !wrong.headers.contains_key("set-cookie"));
    assert_eq!(
        ask(
            &bench,
            Method::POST,
            "/sign-in",
            &[],
            "password=correct+horse"
        )
        .await
        .outcome()
        .0,
        415
    );

    let out = ask(
        &bench,
        Method::POST,
        "/sign-out",
        &[("cookie", &cookie)],
        "",
    )
    .await;
    assert_eq!(
        (out.status.as_u16(), out.header("location")),
        (303, "/sign-in")
    );
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(
        get(&bench, "/api/projects", &[("cookie", &cookie)])
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn a_token_is_traded_for_a_session() {
    let bench = Bench::on(tempfile::tempdir().unwrap(), |options| {
        options.password = None;
    })
    .await;
    let token = bench.server.token().unwrap().to_owned();
    let answer = get(
        &bench,
        &format!("/c/5?x=1&token={token}&y=2"),
        &[("accept", "text/html")],
    )
    .await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("location")),
        (303, "/c/5?x=1&y=2")
    );
    let cookie = session(&answer);
    assert_eq!(
        get(&bench, "/api/projects", &[("cookie", &cookie)])
            .await
            .status,
        200
    );
    assert_eq!(
        get(
            &bench,
            "/api/projects",
            &[("authorization", &basic(&token))]
        )
        .await
        .status,
        200
    );
    let api = get(&bench, &format!("/api/projects?token={token}"), &[]).await;
    assert_eq!(
        api.status, 401,
        "a token in an API address would end up in logs"
    );
    let stale = get(&bench, "/?token=old", &[("accept", "text/html")]).await;
    assert_eq!(stale.status, 401);
    assert!(stale.text().contains("token"));
    let again = get(&bench, "/?token=old", &[("cookie", &cookie)]).await;
    assert_eq!(again.status, 200);
}

#[tokio::test]
async fn posts_of_other_sites_are_refused() {
    let bench = Bench::new().await;
    let credentials = basic(PASSWORD);
    let post = async |headers: &[(&str, &str)]| {
        let mut all = vec![
            ("authorization", &*credentials),
            ("content-type", "application/json"),
        ];
        all.extend_from_slice(headers);
        ask(
            &bench,
            Method::POST,
            "/api/projects",
            &all,
            "{\"name\": \"x\"}",
        )
        .await
    };
    for headers in [
        vec![("origin", "http://evil.example")],
        vec![("origin", "null")],
        vec![("origin", "http://127.0.0.1:9000")],
        vec![("sec-fetch-site", "cross-site")],
        vec![
            ("sec-fetch-site", "same-site"),
            ("origin", "http://127.0.0.1:8000"),
        ],
    ] {
        assert_eq!(
            post(&headers).await.outcome(),
            (403, "cross_site".into()),
            "{headers:?}"
        );
    }
    let form = [
        ("origin", "http://evil.example"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    assert_eq!(
        ask(
            &bench,
            Method::POST,
            "/sign-in",
            &form,
            "password=correct+horse"
        )
        .await
        .status,
        403
    );
    assert_eq!(
        post(&[("origin", "http://127.0.0.1:8000")]).await.status,
        201
    );
    assert_eq!(post(&[("sec-fetch-site", "same-origin")]).await.status, 200);
    assert_eq!(post(&[]).await.status, 200);
}

#[tokio::test]
async fn guessing_is_slowed_and_sessions_are_not() {
    let bench = Bench::new().await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    let signed_in = ask(
        &bench,
        Method::POST,
        "/sign-in",
        &[form],
        "password=correct+horse",
    )
    .await;
    let cookie = session(&signed_in);
    for _ in 0..5 {
        assert_eq!(
            get(
                &bench,
                "/api/projects",
                &[("authorization", &basic("wrong"))]
            )
            .await
            .status,
            401
        );
    }
    let slowed = get(
        &bench,
        "/api/projects",
        &[("authorization", &basic(PASSWORD))],
    )
    .await;
    assert_eq!(slowed.outcome(), (429, "too_many_requests".into()));
    assert!(slowed.header("retry-after").parse::<u64>().unwrap() >= 1);
    let page = ask(
        &bench,
        Method::POST,
        "/sign-in",
        &[form],
        "password=correct+horse",
    )
    .await;
    assert_eq!(page.status, 429);
    assert!(page.text().contains("Too many attempts"));
    assert_eq!(
        get(&bench, "/api/projects", &[("cookie", &cookie)])
            .await
            .status,
        200
    );
    let mut elsewhere = Request::get("/api/projects")
        .header("host", "127.0.0.1:8000")
        .header("authorization", basic(PASSWORD))
        .body(Body::empty())
        .unwrap();
    let local = "127.0.0.1:8000".parse().unwrap();
    elsewhere.extensions_mut().insert(Peer {
        remote: "10.1.1.1:5".parse().unwrap(),
        local,
        is_encrypted: false,
    });
    assert_eq!(bench.raw(elsewhere).await.status, 200);
}

#[tokio::test]
async fn requests_without_credentials_are_limited_and_others_are_not() {
    let bench = Bench::new().await;
    for _ in 0..300 {
        assert_eq!(get(&bench, "/api/projects", &[]).await.status, 401);
    }
    let limited = get(&bench, "/api/projects", &[]).await;
    assert_eq!(limited.outcome(), (429, "too_many_requests".into()));
    assert!(!limited.header("retry-after").is_empty());
    // A body is not even looked at.
    let upload = ask(
        &bench,
        Method::POST,
        "/api/upload/chunk?upload_id=x&chunk_index=0",
        &[],
        "x",
    )
    .await;
    assert_eq!(upload.status, 429);
    for _ in 0..400 {
        assert_eq!(bench.get("/api/projects").await.status, 200);
    }
}

#[tokio::test]
async fn who_has_to_wait_is_told_before_the_form_is_read() {
    let bench = Bench::new().await;
    for _ in 0..5 {
        get(
            &bench,
            "/api/projects",
            &[("authorization", &basic("wrong"))],
        )
        .await;
    }
    let unread = Body::from_stream(futures_util::stream::poll_fn(
        |_| -> std::task::Poll<Option<std::io::Result<axum::body::Bytes>>> {
            panic!("the body must not be read")
        },
    ));
    let mut request = Request::post("/sign-in")
        .header("host", "127.0.0.1:8000")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(unread)
        .unwrap();
    let end = "127.0.0.1:8000".parse().unwrap();
    request.extensions_mut().insert(Peer {
        remote: end,
        local: end,
        is_encrypted: false,
    });
    assert_eq!(bench.raw(request).await.status, 429);
}

#[tokio::test]
async fn tokens_open_what_their_scope_says_until_they_are_revoked() {
    let bench = Bench::new().await;
    let folder = bench.state_dir();
    let grants = compactvault_server::grants::Grants::in_folder(&folder);
    let day = std::time::Duration::from_hours(24);
    let reader = grants
        .add_token("reader", "read".parse().unwrap(), day)
        .unwrap();
    let adder = grants
        .add_token("adder", "add".parse().unwrap(), day)
        .unwrap();
    let bearer = |token: &str| format!("Bearer {token}");
    let project = r#"{"name": "P"}"#;
    let add = async |token: &str| {
        let headers = [
            ("authorization", token),
            ("content-type", "application/json"),
        ];
        ask(&bench, Method::POST, "/api/projects", &headers, project).await
    };
    let list = async |token: &str| get(&bench, "/api/projects", &[("authorization", token)]).await;
    // A running server notices them within a second or two.
    for _ in 0..100 {
        if list(&bearer(&reader)).await.status == 200 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(list(&bearer(&reader)).await.status, 200);
    assert_eq!(list(&basic(&reader)).await.status, 200);
    let refused = (403, "scope_missing".to_owned());
    assert_eq!(add(&bearer(&reader)).await.outcome(), refused);
    assert_eq!(list(&bearer(&adder)).await.outcome(), refused);
    assert_eq!(add(&bearer(&adder)).await.status, 201);
    let vaults = get(
        &bench,
        "/api/vaults",
        &[("authorization", &bearer(&reader))],
    )
    .await;
    assert_eq!(vaults.outcome(), refused);
    let metrics = get(&bench, "/metrics", &[("authorization", &bearer(&reader))]).await;
    assert_eq!(metrics.status, 200);
    assert_eq!(list("Bearer cvt_nothing").await.status, 401);
    grants.revoke_token("reader").unwrap();
    for _ in 0..100 {
        if list(&bearer(&reader)).await.status == 401 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(list(&bearer(&reader)).await.status, 401);
}

#[tokio::test]
async fn health_is_for_everybody_and_figures_are_not() {
    let bench = Bench::new().await;
    let health = get(&bench, "/healthz", &[]).await;
    assert_eq!(health.status, 200);
    assert_eq!(health.text(), r#"{"status":"ok"}"#);
    assert_eq!(get(&bench, "/metrics", &[]).await.status, 401);
    bench.place("P", "C").await;
    let metrics = bench.get("/metrics").await;
    assert!(
        metrics
            .header("content-type")
            .starts_with("application/openmetrics-text")
    );
    let text = metrics.text();
    for line in [
        "compactvault_projects 1",
        "compactvault_collections 1",
        "compactvault_http_requests_total{method=\"GET\",route=\"/healthz\",status=\"200\"} 1",
        "compactvault_http_refused_total{code=\"unauthorized\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
}

#[tokio::test]
async fn every_answer_has_a_number_of_its_own() {
    let bench = Bench::new().await;
    let mut numbers = std::collections::HashSet::new();
    for path in [
        "/",
        "/api/projects",
        "/healthz",
        "/nowhere",
        "/api/projects",
    ] {
        let answer = get(&bench, path, &[]).await;
        let number = answer.header("x-request-id");
        assert!(
            !number.is_empty() && numbers.insert(number.to_owned()),
            "{path}: {number}"
        );
    }
    let foreign = get(&bench, "/", &[("host", "evil.example")]).await;
    assert!(!foreign.header("x-request-id").is_empty());
}
