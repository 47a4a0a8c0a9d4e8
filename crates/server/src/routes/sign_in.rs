//! Signing in by the form, and out.

use std::time::Instant;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

use crate::access::{local_path, redirect, refused_page, slow_page};
use crate::app::App;
use crate::auth::Access;
use crate::error::ApiError;
use crate::extract::whole_body;
use crate::limits::FORM_BYTES_MAX;
use crate::proxies::Client;

/// `POST /sign-in`.
pub(crate) async fn sign_in(
    State(app): State<App>,
    Extension(client): Extension<Client>,
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
    // Before the body is read: whoever has to wait costs nothing meanwhile.
    if let Some(wait) = app.auth.wait(client.ip, Instant::now()) {
        return Ok(slow_page(&app, &headers, wait).await);
    }
    let body = whole_body(request.into_body(), FORM_BYTES_MAX).await?;
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
    let signed_in = app.auth.sign_in(password.as_bytes(), client.ip, now);
    match signed_in.await {
        Access::Granted(_) => {
            let mut response = redirect(&local_path(&next));
            response
                .headers_mut()
                .insert(header::SET_COOKIE, app.auth.start_session(client, now));
            Ok(response)
        }
        Access::Refused => {
            let message = match app.auth.token() {
                Some(_) => {
                    "That is not this server's token. It is in the address that the server printed when it started."
                }
                None => "That is not the password.",
            };
            Ok(refused_page(&app, &headers, "wrong_password", message).await)
        }
        Access::Slow { retry_after } => Ok(slow_page(&app, &headers, retry_after).await),
    }
}

/// `POST /sign-out`.
pub(crate) async fn sign_out(
    State(app): State<App>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
) -> Response {
    let cookie = app.auth.end_session(client, &headers);
    let mut response = redirect("/sign-in");
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}
