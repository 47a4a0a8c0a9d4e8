//! Signing in by the form, and out.

use std::time::Instant;

use axum::Extension;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

use crate::access::{local_path, redirect, sign_in_page};
use crate::app::{App, Peer};
use crate::auth::Access;
use crate::error::ApiError;
use crate::extract::body_incomplete;

/// A password, a path and their names.
const FORM_BYTES_MAX: usize = 16 * 1024;

/// `POST /sign-in`.
pub(crate) async fn sign_in(
    State(app): State<App>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Result<Response, ApiError> {
    let headers = request.headers().clone();
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .map_or(&b""[..], |value| value.as_bytes());
    if !content_type.starts_with(b"application/x-www-form-urlencoded") {
        let message = "send the form as application/x-www-form-urlencoded, or use Basic credentials without signing in";
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            message,
        ));
    }
    let body = to_bytes(request.into_body(), FORM_BYTES_MAX)
        .await
        .map_err(|_| body_incomplete())?;
    let mut password = String::new();
    let mut next = String::new();
    for (name, value) in form_urlencoded::parse(&body) {
        match &*name {
            "password" => password = value.into_owned(),
            "next" => next = value.into_owned(),
            _ => {}
        }
    }
    let now = Instant::now();
    match app.auth.sign_in(password.as_bytes(), peer.remote.ip(), now) {
        Access::Granted => {
            let mut response = redirect(&local_path(&next));
            response
                .headers_mut()
                .insert(header::SET_COOKIE, app.auth.start_session(now));
            Ok(response)
        }
        Access::Refused => {
            let message = match app.auth.token() {
                Some(_) => {
                    "That is not this server's token. It is in the address that the server printed when it started."
                }
                None => "That is not the password.",
            };
            Ok(sign_in_page(&app, &headers, StatusCode::UNAUTHORIZED, message).await)
        }
        Access::Slow { retry_after } => {
            let seconds = retry_after.as_secs().max(1);
            let message = format!("Too many attempts. Try again in {seconds} s.");
            let mut page =
                sign_in_page(&app, &headers, StatusCode::TOO_MANY_REQUESTS, &message).await;
            page.headers_mut()
                .insert(header::RETRY_AFTER, seconds.into());
            Ok(page)
        }
    }
}

/// `POST /sign-out`.
pub(crate) async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Response {
    let cookie = app.auth.end_session(&headers);
    let mut response = redirect("/sign-in");
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}
