//! Who may talk to this server: the secret (a password, or a token made at the start) and sessions. Nothing here is
//! written down; when the server stops, every session ends. What is written down is in [`crate::grants`], and what it
//! costs to guess in [`crate::guesses`].

mod credentials;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue};
use compactvault_vault::Digest;
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;

use self::credentials::{COOKIE_PREFIX, Credentials, HOST_PREFIX, credentials};
pub(crate) use self::credentials::{cookies, has_session_cookie};
use crate::grants::{Kept, Scopes, TOKEN_PREFIX, Token, is_password};
use crate::guesses::Guesses;
use crate::limits::{HASHING_MAX, SESSION_IDLE_MAX, SESSIONS_MAX};
use crate::proxies::Client;
use crate::random::random_token;

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

/// Every change under these locks is a single map operation, so a panic elsewhere leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
