//! Guessing, sessions, tokens: what is let in and what is not, without a network.

use futures_util::FutureExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::grants::Grants;
use crate::limits::{FREE_TRIES, REFUSED_MAX, REFUSED_WINDOW, WAIT_MAX};

const GRANTED: Access = Access::Granted(Rights::All);

fn made(password: Option<&str>) -> Auth {
    Auth::new(password, Kept::default(), "x")
}

/// Where nothing has to be hashed slowly.
fn check(auth: &Auth, headers: &HeaderMap, ip: IpAddr, now: Instant) -> Access {
    let checked = auth.check(headers, ip, now).now_or_never();
    checked.expect("there is nothing to wait for")
}

const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const PLAIN: Client = Client {
    ip: HOME,
    is_encrypted: false,
};

fn with(name: &'static str, value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(name, value.parse().unwrap());
    headers
}

fn basic(password: &str) -> HeaderMap {
    with(
        "authorization",
        &format!("Basic {}", STANDARD.encode(format!("any:{password}"))),
    )
}

#[test]
fn basic_takes_any_user_and_only_the_password() {
    let auth = made(Some("se:cret"));
    let now = Instant::now();
    assert_eq!(check(&auth, &basic("se:cret"), HOME, now), GRANTED);
    assert_eq!(check(&auth, &basic("secret"), HOME, now), Access::Refused);
    for value in ["Basic", "Basic !", "Bearer x", "basic Og==", "Basic eA=="] {
        let access = check(&auth, &with("authorization", value), HOME, now);
        assert_ne!(access, GRANTED, "{value}");
    }
    assert_eq!(auth.token(), None);
}

#[test]
fn a_token_is_made_without_a_password() {
    let auth = made(None);
    let token = auth.token().unwrap().to_owned();
    assert_eq!(token.len(), 43);
    assert_eq!(check(&auth, &basic(&token), HOME, Instant::now()), GRANTED);
    for _ in 0..20 {
        assert_eq!(
            check(&auth, &basic("stale"), HOME, Instant::now()),
            Access::Refused
        );
    }
    assert_eq!(check(&auth, &basic(&token), HOME, Instant::now()), GRANTED);
}

#[test]
fn sessions_live_until_they_end() {
    let auth = Auth::new(Some("p"), Kept::default(), "0a");
    let now = Instant::now();
    let cookie = auth.start_session(PLAIN, now).to_str().unwrap().to_owned();
    assert!(
        cookie.starts_with("cv-session-0a=")
            && cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict")
    );
    let pair = cookie.split(';').next().unwrap();
    let headers = with("cookie", &format!("a=b; {pair}; c"));
    assert!(auth.has_session(&headers, now));
    assert!(has_session_cookie(&headers));
    assert!(!auth.has_session(&with("cookie", &pair.replace("0a", "0b")), now));
    assert!(!auth.has_session(&headers, now + SESSION_IDLE_MAX));
    assert!(
        auth.end_session(PLAIN, &headers)
            .to_str()
            .unwrap()
            .contains("Max-Age=0")
    );
    assert!(!auth.has_session(&headers, now));
}

#[test]
fn over_an_encrypted_connection_the_cookie_is_for_those_alone() {
    let auth = Auth::new(Some("p"), Kept::default(), "0a");
    let now = Instant::now();
    let client = Client {
        is_encrypted: true,
        ..PLAIN
    };
    let cookie = auth.start_session(client, now).to_str().unwrap().to_owned();
    assert!(
        cookie.starts_with("__Host-cv-session-0a=")
            && cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict; Secure"),
        "{cookie}"
    );
    let headers = with("cookie", cookie.split(';').next().unwrap());
    assert!(auth.has_session(&headers, now));
    assert!(has_session_cookie(&headers));
}

#[test]
fn sessions_are_bounded() {
    let auth = made(Some("p"));
    let start = Instant::now();
    for i in 0..SESSIONS_MAX as u64 + 10 {
        auth.start_session(PLAIN, start + Duration::from_millis(i));
    }
    assert_eq!(lock(&auth.sessions).len(), SESSIONS_MAX);
}

#[test]
fn guessing_gets_slower() {
    let auth = made(Some("p"));
    let mut now = Instant::now();
    for _ in 0..FREE_TRIES {
        assert_eq!(check(&auth, &basic("wrong"), HOME, now), Access::Refused);
    }
    let mut waits = Vec::new();
    for _ in 0..10 {
        let Access::Slow { retry_after } = check(&auth, &basic("p"), HOME, now) else {
            panic!()
        };
        waits.push(retry_after.as_secs());
        now += retry_after;
        assert_eq!(check(&auth, &basic("wrong"), HOME, now), Access::Refused);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
    assert_eq!(auth.wait(HOME, now), Some(WAIT_MAX));
    let elsewhere = "10.0.0.9".parse().unwrap();
    assert_eq!(check(&auth, &basic("p"), elsewhere, now), GRANTED);
    now += WAIT_MAX;
    assert_eq!(check(&auth, &basic("p"), HOME, now), GRANTED);
    assert_eq!(check(&auth, &basic("wrong"), HOME, now), Access::Refused);
    assert_eq!(check(&auth, &basic("p"), HOME, now), GRANTED);
}

#[test]
fn requests_without_credentials_are_counted_by_the_minute() {
    let auth = made(None);
    let now = Instant::now();
    let none = HeaderMap::new();
    for _ in 0..REFUSED_MAX {
        assert_eq!(check(&auth, &none, HOME, now), Access::Refused);
    }
    assert_eq!(
        check(&auth, &none, HOME, now),
        Access::Slow {
            retry_after: REFUSED_WINDOW
        }
    );
    assert_eq!(auth.wait(HOME, now), Some(REFUSED_WINDOW));
    assert_eq!(auth.wait(HOME, now + REFUSED_WINDOW), None);
    assert_eq!(
        check(&auth, &none, HOME, now + REFUSED_WINDOW),
        Access::Refused
    );
}

#[tokio::test]
async fn a_kept_password_is_hashed_once_and_guesses_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let grants = Grants::in_folder(dir.path());
    grants.set_password("correct horse").unwrap();
    let auth = Arc::new(Auth::new(None, grants.load().unwrap(), "x"));
    assert_eq!(auth.token(), None);
    let now = Instant::now();
    // As many at once as a page sends, none of them wrong.
    let many = (0..20).map(|_| {
        let auth = Arc::clone(&auth);
        tokio::spawn(async move { auth.check(&basic("correct horse"), HOME, now).await })
    });
    for access in futures_util::future::join_all(many).await {
        assert_eq!(access.unwrap(), GRANTED);
    }
    // Known by now: nothing to wait for.
    assert_eq!(check(&auth, &basic("correct horse"), HOME, now), GRANTED);
    let elsewhere = "10.0.0.9".parse().unwrap();
    let many = (0..30).map(|_| {
        let auth = Arc::clone(&auth);
        tokio::spawn(async move { auth.check(&basic("wrong guess"), elsewhere, now).await })
    });
    let mut refused = 0;
    for access in futures_util::future::join_all(many).await {
        match access.unwrap() {
            Access::Refused => refused += 1,
            Access::Slow { .. } => {}
            Access::Granted(_) => panic!("a wrong password was right"),
        }
    }
    assert!(
        refused <= FREE_TRIES,
        "{refused} guesses at once were looked at"
    );
    // Others are not kept waiting by that.
    assert_eq!(
        auth.check(&basic("correct horse"), HOME, now).await,
        GRANTED
    );
}

#[tokio::test]
async fn another_password_ends_all_sessions() {
    let dir = tempfile::tempdir().unwrap();
    let grants = Grants::in_folder(dir.path());
    grants.set_password("correct horse").unwrap();
    let auth = Auth::new(None, grants.load().unwrap(), "x");
    let now = Instant::now();
    assert_eq!(auth.sign_in(b"correct horse", HOME, now).await, GRANTED);
    let cookie = auth.start_session(PLAIN, now).to_str().unwrap().to_owned();
    let headers = with("cookie", cookie.split(';').next().unwrap());
    auth.update(grants.load().unwrap());
    assert!(auth.has_session(&headers, now), "nothing has changed");
    grants.set_password("another horse").unwrap();
    auth.update(grants.load().unwrap());
    assert!(!auth.has_session(&headers, now));
    assert_eq!(
        auth.sign_in(b"correct horse", HOME, now).await,
        Access::Refused
    );
    assert_eq!(auth.sign_in(b"another horse", HOME, now).await, GRANTED);
    grants.remove_password().unwrap();
    auth.update(grants.load().unwrap());
    assert_eq!(auth.sign_in(b"another horse", HOME, now).await, GRANTED);
    assert_eq!(auth.sign_in(b"", HOME, now).await, Access::Refused);
}

#[test]
fn tokens_open_what_they_are_good_for_until_they_end() {
    let dir = tempfile::tempdir().unwrap();
    let grants = Grants::in_folder(dir.path());
    let (read, add): (Scopes, Scopes) = ("read".parse().unwrap(), "add".parse().unwrap());
    let hour = Duration::from_hours(1);
    let reader = grants.add_token("reader", read, hour).unwrap();
    let adder = grants.add_token("adder", add, hour).unwrap();
    let expired = grants.add_token("expired", read, Duration::ZERO).unwrap();
    let auth = Auth::new(Some("p"), grants.load().unwrap(), "x");
    let now = Instant::now();
    let bearer = |token: &str| with("authorization", &format!("Bearer {token}"));
    let of = |scopes| Access::Granted(Rights::Token(scopes));
    assert_eq!(check(&auth, &bearer(&reader), HOME, now), of(read));
    assert_eq!(check(&auth, &basic(&adder), HOME, now), of(add));
    for wrong in [&expired, &reader[..46], "p", "cvt_", ""] {
        let elsewhere = "10.0.0.7".parse().unwrap();
        let access = check(&auth, &bearer(wrong), elsewhere, now);
        assert!(!matches!(access, Access::Granted(_)), "{wrong}");
    }
    grants.revoke_token("reader").unwrap();
    auth.update(grants.load().unwrap());
    assert_eq!(check(&auth, &bearer(&reader), HOME, now), Access::Refused);
    assert_eq!(check(&auth, &bearer(&adder), HOME, now), of(add));
}
