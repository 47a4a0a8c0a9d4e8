//! What lets people and scripts in, kept beside a vault's keys in its state folder: the hash of the password, and named
//! access tokens for scripts. Neither password nor token can be read out of the file.
//!
//! Passwords are hashed with Argon2id (RFC 9106) with 19 MiB and two passes. Tokens are 256 random bits, which nobody
//! guesses, so their SHA-256 is kept.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use compactvault_vault::{Digest, replace_private_file};
use serde::{Deserialize, Serialize};

use crate::random::random_token;

/// What every token begins with, so that people and scanners for leaked secrets know it for what it is.
pub(crate) const TOKEN_PREFIX: &str = "cvt_";
/// Tokens of one vault at most.
const TOKENS_MAX: usize = 1000;
/// Bytes of a token's name at most.
const NAME_BYTES_MAX: usize = 100;
/// Characters of a password at least.
const PASSWORD_CHARS_MIN: usize = 8;
/// Bytes of a password at most: nobody types more, and hashing must stay cheap.
const PASSWORD_BYTES_MAX: usize = 1024;
/// Largest file that is read.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What a token is good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scopes {
    /// Listing, searching, reading and downloading.
    pub read: bool,
    /// Adding assets, and the projects and collections they go to.
    pub add: bool,
}

impl FromStr for Scopes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut scopes = Self::default();
        for word in text.split(',') {
            match word.trim() {
                "read" => scopes.read = true,
                "add" => scopes.add = true,
                other => {
                    return Err(format!(
                        "there is no scope “{other}”; it is read, add, or read,add"
                    ));
                }
            }
        }
        Ok(scopes)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.read, self.add) {
            (true, true) => "read,add",
            (true, false) => "read",
            (false, true) => "add",
            (false, false) => "nothing",
        })
    }
}

/// A token as it is kept: all but itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// What its owner calls it.
    pub name: String,
    /// What it is good for.
    pub scopes: Scopes,
    /// When it was made, in Unix seconds.
    pub created_unix_s: u64,
    /// From when on it is worth nothing, in Unix seconds.
    pub expires_unix_s: u64,
    sha256: String,
}

impl Token {
    /// Whether it is worth nothing any more.
    pub fn has_expired(&self) -> bool {
        self.expires_unix_s <= now_unix_s()
    }

    pub(crate) fn is(&self, digest: &Digest) -> bool {
        // Digests of what was sent: how far they agree tells nothing about a token.
        self.sha256 == digest.to_string()
    }
}

/// Everything that is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Argon2id, in PHC string format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<String>,
    #[serde(default)]
    pub(crate) tokens: Vec<Token>,
}

/// Why something could not be kept or looked up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GrantsError {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The file is not what this program wrote. Nobody gets in by it.
    #[error(
        "{} cannot be understood, so nothing in it counts; remove it, and set the password and make the tokens anew",
        .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// Too short to keep anybody out, or too long to be typed.
    #[error(
        "a password has at least {PASSWORD_CHARS_MIN} characters and at most {PASSWORD_BYTES_MAX} bytes"
    )]
    BadPassword,
    /// A name that could not be told apart or shown.
    #[error("a token's name is 1 to {NAME_BYTES_MAX} bytes long, without control characters")]
    BadName,
    /// Two tokens cannot have one name.
    #[error("there is a token named {name} already; revoke it first, or choose another name")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// More than anybody can keep an eye on.
    #[error("there are {TOKENS_MAX} tokens already; revoke some first")]
    TooMany,
}

/// The file of one vault.
#[derive(Clone, Debug)]
pub struct Grants {
    path: PathBuf,
}

impl Grants {
    /// In a vault's state folder. Touches nothing.
    pub fn in_folder(state_dir: &Path) -> Self {
        Self {
            path: state_dir.join("access.json"),
        }
    }

    /// Keeps the hash of a password in place of the one before. Takes some ten milliseconds and 19 MiB.
    pub fn set_password(&self, password: &str) -> Result<(), GrantsError> {
        let is_short = password.chars().count() < PASSWORD_CHARS_MIN;
        if is_short || password.len() > PASSWORD_BYTES_MAX {
            return Err(GrantsError::BadPassword);
        }
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).expect("a system without randomness cannot keep secrets");
        let salt = SaltString::encode_b64(&salt).expect("16 bytes are a salt");
        let hash = Argon2::default()
            .hash_password(password.as_bytes(), &salt)
            .expect("the default parameters are valid")
            .to_string();
        self.change(|kept| {
            kept.password = Some(hash);
            Ok(())
        })
    }

    /// Forgets the password; `false` if there was none.
    pub fn remove_password(&self) -> Result<bool, GrantsError> {
        self.change(|kept| Ok(kept.password.take().is_some()))
    }

    /// Makes a token and gives it, which cannot be had a second time.
    pub fn add_token(
        &self,
        name: &str,
        scopes: Scopes,
        good_for: Duration,
    ) -> Result<String, GrantsError> {
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
            return Err(GrantsError::BadName);
        }
        let token = format!("{TOKEN_PREFIX}{}", random_token());
        let now = now_unix_s();
        self.change(|kept| {
            if kept.tokens.iter().any(|known| known.name == name) {
                return Err(GrantsError::NameTaken { name: name.into() });
            }
            if kept.tokens.len() >= TOKENS_MAX {
                return Err(GrantsError::TooMany);
            }
            kept.tokens.push(Token {
                name: name.into(),
                scopes,
                created_unix_s: now,
                expires_unix_s: now.saturating_add(good_for.as_secs()),
                sha256: Digest::of(token.as_bytes()).to_string(),
            });
            Ok(())
        })?;
        Ok(token)
    }

    /// All tokens, expired ones too, in the order in which they were made.
    pub fn tokens(&self) -> Result<Vec<Token>, GrantsError> {
        Ok(self.load()?.tokens)
    }

    /// Takes a token back; `false` if there is none of that name. A server that is running notices within seconds.
    pub fn revoke_token(&self, name: &str) -> Result<bool, GrantsError> {
        self.change(|kept| {
            let before = kept.tokens.len();
            kept.tokens.retain(|token| token.name != name);
            Ok(kept.tokens.len() < before)
        })
    }

    /// What is kept; nothing if there is no file.
    pub(crate) fn load(&self) -> Result<Kept, GrantsError> {
        let bytes = match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kept::default()),
            Ok(found) if found.len() > FILE_BYTES_MAX => return Err(self.damaged()),
            _ => fs::read(&self.path).map_err(self.io("read"))?,
        };
        let kept: Kept = serde_json::from_slice(&bytes).map_err(|_| self.damaged())?;
        match &kept.password {
            Some(hash) if PasswordHash::new(hash).is_err() => Err(self.damaged()),
            _ => Ok(kept),
        }
    }

    /// Reads, changes and writes, while nobody else does.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Kept) -> Result<T, GrantsError>,
    ) -> Result<T, GrantsError> {
        let lock = self.path.with_extension("lock");
        // Made by the same rules as the file itself.
        if !lock.exists() {
            replace_private_file(&lock, b"").map_err(self.io("write beside"))?;
        }
        let held = File::open(&lock).map_err(self.io("write beside"))?;
        held.lock().map_err(self.io("lock"))?;
        let mut kept = self.load()?;
        let before = kept.clone();
        let result = change(&mut kept)?;
        if kept != before {
            let bytes = serde_json::to_vec_pretty(&kept).expect("plain values are valid JSON");
            replace_private_file(&self.path, &bytes).map_err(self.io("write"))?;
        }
        Ok(result)
    }

    fn damaged(&self) -> GrantsError {
        GrantsError::Damaged {
            path: self.path.clone(),
        }
    }

    fn io(&self, action: &'static str) -> impl FnOnce(io::Error) -> GrantsError {
        let path = self.path.clone();
        move |source| GrantsError::Io {
            action,
            path,
            source,
        }
    }
}

/// Whether a password is the one that a hash was made of. Takes as long as hashing it.
pub(crate) fn is_password(password: &[u8], hash: &str) -> bool {
    password.len() <= PASSWORD_BYTES_MAX
        && PasswordHash::new(hash)
            .is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
}

fn now_unix_s() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn grants() -> (tempfile::TempDir, Grants) {
        let dir = tempfile::tempdir().unwrap();
        let grants = Grants::in_folder(&dir.path().join("state"));
        (dir, grants)
    }

    #[test]
    fn no_secret_can_be_read_out_of_the_file() {
        let (_dir, grants) = grants();
        grants.set_password("correct horse").unwrap();
        let scopes = "read,add".parse().unwrap();
        let token = grants.add_token("backup", scopes, DAY).unwrap();
        assert!(token.starts_with(TOKEN_PREFIX) && token.len() == 47);
        let text = fs::read_to_string(&grants.path).unwrap();
        assert!(text.contains("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(!text.contains("horse") && !text.contains(&token[4..]));
        let kept = grants.load().unwrap();
        let hash = kept.password.unwrap();
        assert!(is_password(b"correct horse", &hash));
        assert!(!is_password(b"correct hors", &hash));
        assert!(kept.tokens[0].is(&Digest::of(token.as_bytes())));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&grants.path), 0o600);
            assert_eq!(mode(grants.path.parent().unwrap()), 0o700);
        }
    }

    #[test]
    fn tokens_come_and_go_by_name() {
        let (_dir, grants) = grants();
        let read: Scopes = "read".parse().unwrap();
        grants.add_token("a", read, DAY).unwrap();
        grants.add_token("b", read, Duration::ZERO).unwrap();
        let taken = grants.add_token("a", read, DAY).unwrap_err();
        assert!(matches!(taken, GrantsError::NameTaken { .. }));
        for name in ["", "a\nb", &"x".repeat(101)] {
            let bad = grants.add_token(name, read, DAY).unwrap_err();
            assert!(matches!(bad, GrantsError::BadName), "{name:?}");
        }
        let expired: Vec<bool> = grants
            .tokens()
            .unwrap()
            .iter()
            .map(Token::has_expired)
            .collect();
        assert_eq!(expired, [false, true]);
        assert!(grants.revoke_token("a").unwrap());
        assert!(!grants.revoke_token("a").unwrap());
        assert_eq!(grants.tokens().unwrap().len(), 1);
        assert!("write".parse::<Scopes>().is_err() && "".parse::<Scopes>().is_err());
    }

    #[test]
    fn a_file_that_cannot_be_understood_lets_nobody_in_and_is_kept() {
        let (_dir, grants) = grants();
        grants.set_password("correct horse").unwrap();
        for text in [
            "",
            "{",
            "{\"password\":\"plain\"}",
            "{\"tokens\":[{\"name\":\"x\"}]}",
        ] {
            fs::write(&grants.path, text).unwrap();
            assert!(
                matches!(grants.load(), Err(GrantsError::Damaged { .. })),
                "{text}"
            );
            assert!(grants.set_password("another horse").is_err());
            assert_eq!(fs::read_to_string(&grants.path).unwrap(), text);
        }
    }

    #[test]
    fn passwords_have_a_length() {
        let (_dir, grants) = grants();
        for bad in ["", "1234567", &"x".repeat(1025)] {
            assert!(matches!(
                grants.set_password(bad),
                Err(GrantsError::BadPassword)
            ));
        }
        assert!(!grants.remove_password().unwrap());
        grants.set_password("ÄÖÜäöüßé").unwrap();
        assert!(grants.remove_password().unwrap());
        assert_eq!(grants.load().unwrap(), Kept::default());
    }
}
