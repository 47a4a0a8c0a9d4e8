//! Who may talk to this server: the secret (a password, or a token made at the start), sessions, and what it costs to
//! guess. Nothing here is written down; when the server stops, every session ends.
//!
//! Guessing is made slow per client address, not for all at once: a limit over all would let anybody lock everybody
//! out. Addresses of one IPv6 /64 count as one.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use compactvault_vault::Digest;
use subtle::ConstantTimeEq as _;

/// Cookies whose name starts like this are sessions of this program, if not of this server.
const COOKIE_PREFIX: &str = "cv-session-";
/// Sessions at most; the one unused for longest makes room.
const SESSIONS_MAX: usize = 1000;
/// A session unused for so long has ended.
const SESSION_IDLE_MAX: Duration = Duration::from_hours(168);

/// Requests without valid credentials that one address may send in [`WINDOW`].
const REFUSED_MAX: u32 = 300;
const WINDOW: Duration = Duration::from_mins(1);
/// Wrong passwords before the first wait.
const FREE_TRIES: u32 = 5;
/// Longest wait after yet another wrong password.
const WAIT_MAX: Duration = Duration::from_mins(5);
/// Addresses remembered at most.
const ADDRESSES_MAX: usize = 4096;

/// The server's secret and everything remembered about those who know it or not.
#[derive(Debug)]
pub(crate) struct Auth {
    secret: Digest,
    /// The token in clear if the secret is one; it is printed at the start.
    token: Option<String>,
    cookie_name: String,
    sessions: Mutex<HashMap<Digest, Instant>>,
    clients: Mutex<HashMap<IpAddr, Client>>,
}

/// What one address did wrong lately.
#[derive(Clone, Copy, Debug)]
struct Client {
    window_start: Instant,
    refused: u32,
    wrong: u32,
    blocked_until: Option<Instant>,
}

/// What a request's credentials are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// They are right.
    Granted,
    /// There are none, or they are wrong.
    Refused,
    /// They were not looked at: too many before them were wrong or missing.
    Slow {
        /// When to come back.
        retry_after: Duration,
    },
}

impl Auth {
    /// With the password, or with a new random token. `server_id` keeps the cookies of several servers on one host
    /// apart, which browsers do not do by port.
    pub(crate) fn new(password: Option<&str>, server_id: &str) -> Self {
        let token = password.is_none().then(random_token);
        let secret = password
            .or(token.as_deref())
            .expect("one of the two is there");
        Self {
            secret: Digest::of(secret.as_bytes()),
            cookie_name: format!("{COOKIE_PREFIX}{server_id}"),
            token,
            sessions: Mutex::default(),
            clients: Mutex::default(),
        }
    }

    /// The token that was made because there is no password.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Judges the session cookie and the Basic credentials of a request from `ip`, and counts what is not valid.
    pub(crate) fn check(&self, headers: &HeaderMap, ip: IpAddr, now: Instant) -> Access {
        if self.has_session(headers, now) {
            return Access::Granted;
        }
        match basic_password(headers) {
            Some(password) => self.sign_in(&password, ip, now),
            None => self.count_refused(ip, now),
        }
    }

    /// Judges a password or token that a person gave.
    pub(crate) fn sign_in(&self, secret: &[u8], ip: IpAddr, now: Instant) -> Access {
        let mut clients = lock(&self.clients);
        let client = entry(&mut clients, ip, now);
        if let Some(until) = client.blocked_until.filter(|until| *until > now) {
            return Access::Slow {
                retry_after: until - now,
            };
        }
        if bool::from(Digest::of(secret).as_bytes().ct_eq(self.secret.as_bytes())) {
            client.wrong = 0;
            client.blocked_until = None;
            return Access::Granted;
        }
        // Nobody guesses a token of 256 bits; a stale one must not lock its owner out.
        if self.token.is_none() {
            client.wrong += 1;
            if client.wrong >= FREE_TRIES {
                let doublings = (client.wrong - FREE_TRIES).min(16);
                let wait = Duration::from_secs(1 << doublings).min(WAIT_MAX);
                client.blocked_until = Some(now + wait);
            }
        }
        count(client, now)
    }

    /// How long this address has to wait before a password from it is looked at, if at all. Asked before the form
    /// that holds one is read.
    pub(crate) fn wait(&self, ip: IpAddr, now: Instant) -> Option<Duration> {
        let mut clients = lock(&self.clients);
        let client = entry(&mut clients, ip, now);
        let window_end = client.window_start + WINDOW;
        let blocked = client.blocked_until.filter(|until| *until > now);
        let limited = (client.refused >= REFUSED_MAX && window_end > now).then_some(window_end);
        blocked.max(limited).map(|until| until - now)
    }

    fn count_refused(&self, ip: IpAddr, now: Instant) -> Access {
        count(entry(&mut lock(&self.clients), ip, now), now)
    }

    /// Starts a session and returns the `Set-Cookie` value that carries it.
    pub(crate) fn start_session(&self, now: Instant) -> HeaderValue {
        let token = random_token();
        let mut sessions = lock(&self.sessions);
        sessions.retain(|_, used| now.saturating_duration_since(*used) < SESSION_IDLE_MAX);
        if sessions.len() >= SESSIONS_MAX
            && let Some(oldest) = sessions
                .iter()
                .min_by_key(|(_, used)| **used)
                .map(|(id, _)| *id)
        {
            sessions.remove(&oldest);
        }
        sessions.insert(Digest::of(token.as_bytes()), now);
        self.cookie(&token, "")
    }

    /// Ends the session of a request and returns the `Set-Cookie` value that removes its cookie.
    pub(crate) fn end_session(&self, headers: &HeaderMap) -> HeaderValue {
        let mut sessions = lock(&self.sessions);
        for token in self.session_tokens(headers) {
            sessions.remove(&Digest::of(token.as_bytes()));
        }
        self.cookie("", "; Max-Age=0")
    }

    fn cookie(&self, value: &str, more: &str) -> HeaderValue {
        let name = &self.cookie_name;
        HeaderValue::try_from(format!(
            "{name}={value}; Path=/; HttpOnly; SameSite=Strict{more}"
        ))
        .expect("names and tokens are letters, digits, - and _")
    }

    /// Whether the request carries a living session; using it keeps it alive.
    pub(crate) fn has_session(&self, headers: &HeaderMap, now: Instant) -> bool {
        let mut sessions = lock(&self.sessions);
        self.session_tokens(headers).any(|token| {
            // The table holds digests, so that its lookup says nothing about how much of a guess was right.
            let id = Digest::of(token.as_bytes());
            match sessions.get_mut(&id) {
                Some(used) if now.saturating_duration_since(*used) < SESSION_IDLE_MAX => {
                    *used = now;
                    true
                }
                _ => false,
            }
        })
    }

    fn session_tokens<'a>(&'a self, headers: &'a HeaderMap) -> impl Iterator<Item = &'a str> {
        cookies(headers)
            .filter(|(name, _)| *name == self.cookie_name)
            .map(|(_, value)| value)
    }
}

/// Whether a request comes from a page that had a session with this program once: its browser must not be asked for a
/// Basic password.
pub(crate) fn has_session_cookie(headers: &HeaderMap) -> bool {
    cookies(headers).any(|(name, _)| name.starts_with(COOKIE_PREFIX))
}

/// The cookies of a request.
pub(crate) fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
}

/// 16 hex digits for a cookie's name.
pub(crate) fn random_id() -> String {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("a system without randomness cannot serve");
    bytes
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// 256 random bits in URL-safe letters.
pub(crate) fn random_token() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("a system without randomness cannot serve");
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The password of `Authorization: Basic`, whatever the user name. Malformed credentials are wrong ones.
fn basic_password(headers: &HeaderMap) -> Option<Vec<u8>> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let wrong = Some(Vec::new());
    let Some(space) = value.iter().position(|byte| *byte == b' ') else {
        return wrong;
    };
    let (scheme, encoded) = value.split_at(space);
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return wrong;
    }
    let Ok(mut pair) = STANDARD.decode(encoded.trim_ascii()) else {
        return wrong;
    };
    match pair.iter().position(|byte| *byte == b':') {
        Some(colon) => Some(pair.split_off(colon + 1)),
        None => wrong,
    }
}

fn count(client: &mut Client, now: Instant) -> Access {
    if now.saturating_duration_since(client.window_start) >= WINDOW {
        client.window_start = now;
        client.refused = 0;
    }
    if client.refused >= REFUSED_MAX {
        return Access::Slow {
            retry_after: client.window_start + WINDOW - now,
        };
    }
    client.refused += 1;
    Access::Refused
}

fn entry(clients: &mut HashMap<IpAddr, Client>, ip: IpAddr, now: Instant) -> &mut Client {
    let ip = match ip.to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        ip @ IpAddr::V4(_) => ip,
    };
    if clients.len() >= ADDRESSES_MAX && !clients.contains_key(&ip) {
        let is_active = |client: &Client| {
            now.saturating_duration_since(client.window_start) < WINDOW
                || client.blocked_until.is_some_and(|until| until > now)
        };
        clients.retain(|_, client| is_active(client));
        if clients.len() >= ADDRESSES_MAX
            && let Some(oldest) = clients
                .iter()
                .min_by_key(|(_, client)| client.window_start)
                .map(|(ip, _)| *ip)
        {
            clients.remove(&oldest);
        }
    }
    clients.entry(ip).or_insert(Client {
        window_start: now,
        refused: 0,
        wrong: 0,
        blocked_until: None,
    })
}

/// Every change under these locks is a single map operation, so a panic elsewhere leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

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
        let auth = Auth::new(Some("se:cret"), "x");
        let now = Instant::now();
        assert_eq!(auth.check(&basic("se:cret"), HOME, now), Access::Granted);
        assert_eq!(auth.check(&basic("secret"), HOME, now), Access::Refused);
        for value in ["Basic", "Basic !", "Bearer x", "basic Og==", "Basic eA=="] {
            let access = auth.check(&with("authorization", value), HOME, now);
            assert_ne!(access, Access::Granted, "{value}");
        }
        assert_eq!(auth.token(), None);
    }

    #[test]
    fn a_token_is_made_without_a_password() {
        let auth = Auth::new(None, "x");
        let token = auth.token().unwrap().to_owned();
        assert_eq!(token.len(), 43);
        assert_eq!(
            auth.check(&basic(&token), HOME, Instant::now()),
            Access::Granted
        );
        for _ in 0..20 {
            assert_eq!(
                auth.check(&basic("stale"), HOME, Instant::now()),
                Access::Refused
            );
        }
        assert_eq!(
            auth.check(&basic(&token), HOME, Instant::now()),
            Access::Granted
        );
    }

    #[test]
    fn sessions_live_until_they_end() {
        let auth = Auth::new(Some("p"), "0a");
        let now = Instant::now();
        let cookie = auth.start_session(now).to_str().unwrap().to_owned();
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
            auth.end_session(&headers)
                .to_str()
                .unwrap()
                .contains("Max-Age=0")
        );
        assert!(!auth.has_session(&headers, now));
    }

    #[test]
    fn sessions_are_bounded() {
        let auth = Auth::new(Some("p"), "x");
        let start = Instant::now();
        for i in 0..SESSIONS_MAX as u64 + 10 {
            auth.start_session(start + Duration::from_millis(i));
        }
        assert_eq!(lock(&auth.sessions).len(), SESSIONS_MAX);
    }

    #[test]
    fn guessing_gets_slower() {
        let auth = Auth::new(Some("p"), "x");
        let mut now = Instant::now();
        for _ in 0..FREE_TRIES {
            assert_eq!(auth.check(&basic("wrong"), HOME, now), Access::Refused);
        }
        let mut waits = Vec::new();
        for _ in 0..10 {
            let Access::Slow { retry_after } = auth.check(&basic("p"), HOME, now) else {
                panic!()
            };
            waits.push(retry_after.as_secs());
            now += retry_after;
            assert_eq!(auth.check(&basic("wrong"), HOME, now), Access::Refused);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
        assert_eq!(auth.wait(HOME, now), Some(WAIT_MAX));
        let elsewhere = "10.0.0.9".parse().unwrap();
        assert_eq!(auth.check(&basic("p"), elsewhere, now), Access::Granted);
        now += WAIT_MAX;
        assert_eq!(auth.check(&basic("p"), HOME, now), Access::Granted);
        assert_eq!(auth.check(&basic("wrong"), HOME, now), Access::Refused);
        assert_eq!(auth.check(&basic("p"), HOME, now), Access::Granted);
    }

    #[test]
    fn requests_without_credentials_are_counted_by_the_minute() {
        let auth = Auth::new(None, "x");
        let now = Instant::now();
        let none = HeaderMap::new();
        for _ in 0..REFUSED_MAX {
            assert_eq!(auth.check(&none, HOME, now), Access::Refused);
        }
        assert_eq!(
            auth.check(&none, HOME, now),
            Access::Slow {
                retry_after: WINDOW
            }
        );
        assert_eq!(auth.wait(HOME, now), Some(WINDOW));
        assert_eq!(auth.wait(HOME, now + WINDOW), None);
        assert_eq!(auth.check(&none, HOME, now + WINDOW), Access::Refused);
    }

    #[test]
    fn addresses_are_bounded_and_grouped() {
        let auth = Auth::new(None, "x");
        let now = Instant::now();
        for i in 0..10_000_u32 {
            auth.check(
                &HeaderMap::new(),
                IpAddr::V4(i.into()),
                now + Duration::from_millis(i.into()),
            );
        }
        assert!(lock(&auth.clients).len() <= ADDRESSES_MAX);
        let auth = Auth::new(None, "x");
        for i in 0..REFUSED_MAX {
            auth.check(
                &HeaderMap::new(),
                format!("2001:db8::{i:x}").parse().unwrap(),
                now,
            );
        }
        let next = "2001:db8::ffff:1".parse().unwrap();
        assert!(matches!(
            auth.check(&HeaderMap::new(), next, now),
            Access::Slow { .. }
        ));
    }
}
