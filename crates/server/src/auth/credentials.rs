//! What a request shows for itself: cookies, and the `Authorization` header.

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Cookies whose name starts like this are sessions of this program, if not of this server.
pub(super) const COOKIE_PREFIX: &str = "cv-session-";
/// What browsers keep to this host and to encrypted connections only (RFC 6265bis, section 4.1.3.2).
pub(super) const HOST_PREFIX: &str = "__Host-";

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

/// What a request shows for itself.
pub(super) enum Credentials {
    /// A password, or the token that the server printed, or one for scripts.
    Basic(Vec<u8>),
    /// A token for scripts.
    Bearer(Vec<u8>),
}

/// The password of `Authorization: Basic`, whatever the user name, or the token of `Bearer`. Malformed credentials are
/// wrong ones.
pub(super) fn credentials(headers: &HeaderMap) -> Option<Credentials> {
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
