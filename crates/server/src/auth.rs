//! Who may talk to this server: the secret (a password, or a token made at the start) and sessions. Nothing here is
//! written down; when the server stops, every session ends. What is written down is in [`crate::grants`], and what it
//! costs to guess in [`crate::guesses`].

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use compactvault_vault::Digest;
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;

use crate::grants::{Kept, Scopes, TOKEN_PREFIX, Token, is_password};
use crate::guesses::Guesses;
use crate::limits::{HASHING_MAX, SESSION_IDLE_MAX, SESSIONS_MAX};
use crate::proxies::Client;

/// Cookies whose name starts like this are sessions of this program, if not of this server.
const COOKIE_PREFIX: &str = "cv-session-";
/// What browsers keep to this host and to encrypted connections only (RFC 6265bis, section 4.1.3.2).
const HOST_PREFIX: &str = "__Host-";

/// The server's secret and everything remembered about those who know it or not.
#[derive(Debug)]
pub(crate) struct Auth {
    secret: Mutex<Secret>,
    /// The token in clear if the secret is one; it is printed at the start.
    token: Option<String>,
    /// For scripts.
    tokens: Mutex<Arc<[Token]>>,
    /// What passwords are hashed with that were seen to be right, so that the slow hash is made once.
    salt: String,
    /// Whose turn it is to be hashed slowly.
    turn: Arc<Semaphore>,
    /// Places in the queue for that.
    queue: Semaphore,
    cookie_name: String,
    sessions: Mutex<HashMap<Digest, Instant>>,
    guesses: Guesses,
}

/// How a password or token is recognised.
#[derive(Clone, Debug)]
enum Secret {
    /// By its SHA-256: it was given to this process, or made by it.
    Here(Digest),
    /// By its Argon2id hash, which was kept.
    Kept {
        hash: Arc<str>,
        /// A salted SHA-256 of what was seen to have that hash.
        proven: Option<Digest>,
    },
}

/// What its credentials allow a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rights {
    /// Everything: a person who signed in.
    All,
    /// What a token is good for.
    Token(Scopes),
}

/// What a token must be good for to use a route. Whoever signed in may use all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Reading.
    Read,
    /// Adding.
    Add,
    /// One of the two.
    Any,
    /// More than any token is good for.
    All,
}

impl Rights {
    /// Whether somebody with these rights may use a route.
    pub(crate) const fn allow(self, needs: Needs) -> bool {
        match (self, needs) {
            (Self::All, _) => true,
            (Self::Token(_), Needs::All) => false,
            (Self::Token(scopes), Needs::Read) => scopes.read,
            (Self::Token(scopes), Needs::Add) => scopes.add,
            (Self::Token(scopes), Needs::Any) => scopes.read || scopes.add,
        }
    }
}

/// What a request's credentials are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// They are right.
    Granted(Rights),
    /// There are none, or they are wrong.
    Refused,
    /// They were not looked at: too many before them were wrong or missing.
    Slow {
        /// When to come back.
        retry_after: Duration,
    },
}

impl Auth {
    /// With the password, else the one that is kept, else a new random token. `server_id` keeps the cookies of several
    /// servers on one host apart, which browsers do not do by port.
    pub(crate) fn new(password: Option<&str>, kept: Kept, server_id: &str) -> Self {
        let mut token = None;
        let secret = match (password, kept.password) {
            (Some(password), _) => Secret::Here(Digest::of(password.as_bytes())),
            (None, Some(hash)) => Secret::of_hash(&hash),
            (None, None) => {
                let made = token.insert(random_token());
                Secret::Here(Digest::of(made.as_bytes()))
            }
        };
        Self {
            secret: Mutex::new(secret),
            tokens: Mutex::new(kept.tokens.into()),
            salt: random_token(),
            turn: Arc::new(Semaphore::new(1)),
            queue: Semaphore::new(HASHING_MAX),
            cookie_name: format!("{COOKIE_PREFIX}{server_id}"),
            token,
            sessions: Mutex::default(),
            guesses: Guesses::default(),
        }
    }

    /// The token that was made because there is no password.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Takes over what is kept now: tokens at once, and another password, which ends all sessions. Without one
    /// the password before stays until the server ends.
    pub(crate) fn update(&self, kept: Kept) {
        *lock(&self.tokens) = kept.tokens.into();
        let mut secret = lock(&self.secret);
        if let (Secret::Kept { hash, .. }, Some(new)) = (&*secret, kept.password)
            && **hash != *new
        {
            *secret = Secret::of_hash(&new);
            drop(secret);
            lock(&self.sessions).clear();
        }
    }

    /// Judges the session cookie, the Basic credentials or the bearer token of a request from `ip`, and counts what is
    /// not valid.
    pub(crate) async fn check(&self, headers: &HeaderMap, ip: IpAddr, now: Instant) -> Access {
        if self.has_session(headers, now) {
            return Access::Granted(Rights::All);
        }
        let credentials = credentials(headers);
        if let Some(Credentials::Basic(secret) | Credentials::Bearer(secret)) = &credentials
            && let Some(scopes) = self.scopes_of(secret)
        {
            return Access::Granted(Rights::Token(scopes));
        }
        match credentials {
            Some(Credentials::Basic(password)) => self.sign_in(&password, ip, now).await,
            // Nobody guesses a token; one that has expired must not lock its owner out.
            Some(Credentials::Bearer(_)) | None => self.count_refused(ip, now),
        }
    }

    /// What a token is good for, if it is one and has not expired.
    fn scopes_of(&self, token: &[u8]) -> Option<Scopes> {
        if !token.starts_with(TOKEN_PREFIX.as_bytes()) {
            return None;
        }
        let digest = Digest::of(token);
        let tokens = lock(&self.tokens);
        let known = tokens.iter().find(|known| known.is(&digest))?;
        (!known.has_expired()).then_some(known.scopes)
    }

    /// Judges a password or token that a person gave. One that must be hashed slowly waits for its turn: one at a
    /// time, so that nobody can guess faster from many addresses than from one, nor fill the memory.
    pub(crate) async fn sign_in(&self, secret: &[u8], ip: IpAddr, now: Instant) -> Access {
        match self.judge_at_once(secret, ip, now) {
            Judged::Known(access) => return access,
            Judged::Slowly(_) => {}
        }
        let Ok(_place) = self.queue.try_acquire() else {
            return Access::Slow {
                retry_after: Duration::from_secs(1),
            };
        };
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        let now = now.max(Instant::now());
        // Meanwhile another request may have shown the same password to be right, or too many been wrong.
        let hash = match self.judge_at_once(secret, ip, now) {
            Judged::Known(access) => return access,
            Judged::Slowly(hash) => hash,
        };
        // Counted as wrong beforehand: whoever hangs up before the answer has guessed all the same.
        let refused = self.count_wrong(ip, now);
        let (tried, against) = (secret.to_vec(), Arc::clone(&hash));
        let hashing = tokio::task::spawn_blocking(move || {
            let right = is_password(&tried, &against);
            // The next one's turn comes when this is done, whether anybody still waits for it or not.
            drop(turn);
            right
        });
        if !hashing.await.unwrap_or(false) {
            return refused;
        }
        if let Secret::Kept {
            hash: current,
            proven,
        } = &mut *lock(&self.secret)
            && *current == hash
        {
            *proven = Some(self.salted(secret));
        }
        self.forgive(ip, now)
    }

    /// Judges without a slow hash, if that is possible.
    fn judge_at_once(&self, secret: &[u8], ip: IpAddr, now: Instant) -> Judged {
        if let Some(retry_after) = self.guesses.wait(ip, now) {
            return Judged::Known(Access::Slow { retry_after });
        }
        let is_right = match &*lock(&self.secret) {
            Secret::Here(digest) => same(&Digest::of(secret), digest),
            Secret::Kept { hash, proven } => {
                if !proven.is_some_and(|proven| same(&self.salted(secret), &proven)) {
                    return Judged::Slowly(Arc::clone(hash));
                }
                true
            }
        };
        Judged::Known(if is_right {
            self.forgive(ip, now)
        } else {
            self.count_wrong(ip, now)
        })
    }

    fn salted(&self, secret: &[u8]) -> Digest {
        Digest::of(&[self.salt.as_bytes(), secret].concat())
    }

    fn forgive(&self, ip: IpAddr, now: Instant) -> Access {
        self.guesses.right(ip, now);
        Access::Granted(Rights::All)
    }

    fn count_wrong(&self, ip: IpAddr, now: Instant) -> Access {
        // Nobody guesses a token of 256 bits; a stale one must not lock its owner out.
        if self.token.is_none() {
            self.guesses.wrong(ip, now);
        }
        self.count_refused(ip, now)
    }

    /// How long this address has to wait before a password from it is looked at, if at all. Asked before the form
    /// that holds one is read.
    pub(crate) fn wait(&self, ip: IpAddr, now: Instant) -> Option<Duration> {
        let wait = self.guesses.wait(ip, now);
        wait.max(self.guesses.wait_refused(ip, now))
    }

    fn count_refused(&self, ip: IpAddr, now: Instant) -> Access {
        match self.guesses.refused(ip, now) {
            Some(retry_after) => Access::Slow { retry_after },
            None => Access::Refused,
        }
    }

    /// Starts a session and returns the `Set-Cookie` value that carries it.
    pub(crate) fn start_session(&self, client: Client, now: Instant) -> HeaderValue {
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
        self.cookie(client, &token, "")
    }

    /// Ends the session of a request and returns the `Set-Cookie` value that removes its cookie.
    pub(crate) fn end_session(&self, client: Client, headers: &HeaderMap) -> HeaderValue {
        let mut sessions = lock(&self.sessions);
        for token in self.session_tokens(headers) {
            sessions.remove(&Digest::of(token.as_bytes()));
        }
        self.cookie(client, "", "; Max-Age=0")
    }

    /// For this host alone; over an encrypted connection, for encrypted connections alone.
    fn cookie(&self, client: Client, value: &str, more: &str) -> HeaderValue {
        let name = &self.cookie_name;
        let (prefix, secure) = if client.is_encrypted {
            (HOST_PREFIX, "; Secure")
        } else {
            ("", "")
        };
        HeaderValue::try_from(format!(
            "{prefix}{name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{more}"
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
            .filter(|(name, _)| name.strip_prefix(HOST_PREFIX).unwrap_or(name) == self.cookie_name)
            .map(|(_, value)| value)
    }
}

impl Secret {
    fn of_hash(hash: &str) -> Self {
        Self::Kept {
            hash: hash.into(),
            proven: None,
        }
    }
}

/// What can be said about a password so far.
enum Judged {
    Known(Access),
    /// It must be compared with this hash.
    Slowly(Arc<str>),
}

fn same(a: &Digest, b: &Digest) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

/// Whether a request comes from a page that had a session with this program once: its browser must not be asked for a
/// Basic password.
pub(crate) fn has_session_cookie(headers: &HeaderMap) -> bool {
    cookies(headers).any(|(name, _)| {
        let name = name.strip_prefix(HOST_PREFIX).unwrap_or(name);
        name.starts_with(COOKIE_PREFIX)
    })
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

/// What a request shows for itself.
enum Credentials {
    /// A password, or the token that the server printed, or one for scripts.
    Basic(Vec<u8>),
    /// A token for scripts.
    Bearer(Vec<u8>),
}

/// The password of `Authorization: Basic`, whatever the user name, or the token of `Bearer`. Malformed credentials are
/// wrong ones.
fn credentials(headers: &HeaderMap) -> Option<Credentials> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let wrong = Some(Credentials::Basic(Vec::new()));
    let Some(space) = value.iter().position(|byte| *byte == b' ') else {
        return wrong;
    };
    let (scheme, encoded) = value.split_at(space);
    let encoded = encoded.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some(Credentials::Bearer(encoded.to_vec()));
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return wrong;
    }
    let Ok(mut pair) = STANDARD.decode(encoded) else {
        return wrong;
    };
    match pair.iter().position(|byte| *byte == b':') {
        Some(colon) => Some(Credentials::Basic(pair.split_off(colon + 1))),
        None => wrong,
    }
}

/// Every change under these locks is a single map operation, so a panic elsewhere leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

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
}
