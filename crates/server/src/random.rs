//! Names and secrets that nobody can guess.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// 16 hex digits, to tell one from another.
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
