//! What every request passes before it reaches a route: the name it asks for, its method, its credentials, the page it
//! comes from, and how much is going on already. Nothing of a body is read before all of that is settled.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::app::{App, Peer};
use crate::assets::Page;
use crate::auth::{Access, has_session_cookie};
use crate::error::{ApiError, Refusal};
use crate::host::is_cross_site;
use crate::proxies::Client;
use crate::strangers::Standing;

/// Sent with everything. A route's own value stays.
const ALWAYS: [(HeaderName, &str); 3] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// The middleware around every route.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let extensions = request.extensions();
    let peer = extensions.get::<Peer>().copied();
    let asked = Asked {
        method: request.method(),
        uri: request.uri(),
        headers: request.headers(),
        caller: peer.zip(extensions.get().copied()),
    };
    let keeps_to_tls = peer.is_some_and(|peer| peer.is_encrypted) && has_name(asked.headers);
    let mut response = match admit(&app, asked).await {
        Ok(known) => {
            if known == Known::Yes
                && let Some(standing) = request.extensions().get::<Standing>()
            {
                standing.is_known();
            }
            match app.limits.request() {
                Ok(_place) => next.run(request).await,
                Err(error) => error.into_response(),
            }
        }
        Err(response) => response,
    };
    if keeps_to_tls {
        let value = HeaderValue::from_static("max-age=31536000");
        response
            .headers_mut()
            .insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    for (name, value) in ALWAYS {
        response
            .headers_mut()
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}

/// A request without its body.
#[derive(Clone, Copy)]
struct Asked<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
    caller: Option<(Peer, Client)>,
}

/// Whether a request showed who it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Yes,
    /// It is for everybody.
    No,
}

/// Whether the server is asked for under a name that browsers may remember as encrypted: not by an address, and not
/// as `localhost`, where other programs listen at other ports.
fn has_name(headers: &HeaderMap) -> bool {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    host.is_some_and(|host| {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let is_address = name.starts_with('[') || name.parse::<std::net::IpAddr>().is_ok();
        !is_address && !name.eq_ignore_ascii_case("localhost")
    })
}

/// `Err` is the answer to a request that goes no further.
async fn admit(app: &App, asked: Asked<'_>) -> Result<Known, Response> {
    let Asked {
        method,
        uri,
        headers,
        caller,
    } = asked;
    let allowed = caller.filter(|(peer, _)| app.hosts.allow(headers, uri, *peer));
    let (_, client) = allowed.ok_or_else(|| ApiError::host_not_allowed().into_response())?;
    let path = uri.path();
    if !matches!(*method, Method::GET | Method::HEAD | Method::POST) {
        return Err(ApiError::method_not_allowed(app.allowed(path)).into_response());
    }
    let is_post = *method == Method::POST;
    if is_post && is_cross_site(headers) {
        let message =
            "this request comes from another site's page; use this server's own page, or a program";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "cross_site", message).into_response());
    }
    // Signing in is judged by its own route: there the password is in the body.
    if is_post && matches!(path, "/sign-in" | "/sign-out") {
        return Ok(Known::No);
    }
    let now = Instant::now();
    let is_public = path.starts_with("/v/")
        || matches!(
            path,
            "/sign-in" | "/favicon.ico" | "/robots.txt" | "/healthz"
        );
    let token = token_of(uri).filter(|_| !is_post && !is_public && !path.starts_with("/api/"));
    if let Some(token) = token {
        let signed_in = app.auth.sign_in(token.as_bytes(), client.ip, now);
        let message = match signed_in.await {
            Access::Granted(_) => return Err(trade_token(app, uri, client, now)),
            Access::Refused if app.auth.has_session(headers, now) => return Ok(Known::Yes),
            Access::Refused => {
                "The token in this address is not valid any more: the server was started again since."
            }
            Access::Slow { retry_after } => return Err(slow(app, headers, retry_after).await),
        };
        return Err(refused_page(app, headers, "wrong_token", message).await);
    }
    match app.auth.check(headers, client.ip, now).await {
        Access::Granted(rights) if is_public || rights.allow(app.needs(method, path)) => {
            Ok(Known::Yes)
        }
        Access::Granted(_) => Err(ApiError::scope_missing(app.needs(method, path)).into_response()),
        Access::Slow { retry_after } => Err(slow(app, headers, retry_after).await),
        Access::Refused if is_public => Ok(Known::No),
        Access::Refused if is_navigation(headers) => {
            Err(refused_page(app, headers, "unauthorized", "").await)
        }
        Access::Refused => {
            let is_page = headers.contains_key("sec-fetch-mode") || has_session_cookie(headers);
            let mut response = ApiError::unauthorized(!is_page).into_response();
            if headers.contains_key(header::AUTHORIZATION) {
                response.extensions_mut().insert(Refusal("wrong_password"));
            }
            Err(response)
        }
    }
}

async fn slow(app: &App, headers: &HeaderMap, retry_after: Duration) -> Response {
    if !is_navigation(headers) {
        return ApiError::too_many(retry_after).into_response();
    }
    slow_page(app, headers, retry_after).await
}

/// The sign-in page for whoever has to wait.
pub(crate) async fn slow_page(app: &App, headers: &HeaderMap, retry_after: Duration) -> Response {
    let seconds = retry_after.as_secs().max(1);
    let message = format!("Too many attempts. Try again in {seconds} s.");
    let mut page = sign_in_page(app, headers, StatusCode::TOO_MANY_REQUESTS, &message).await;
    page.headers_mut()
        .insert(header::RETRY_AFTER, seconds.into());
    page.extensions_mut().insert(Refusal("too_many_requests"));
    page
}

/// The sign-in page for whoever is not let in; `code` says why, to the log.
pub(crate) async fn refused_page(
    app: &App,
    headers: &HeaderMap,
    code: &'static str,
    message: &str,
) -> Response {
    let mut page = sign_in_page(app, headers, StatusCode::UNAUTHORIZED, message).await;
    page.extensions_mut().insert(Refusal(code));
    page
}

/// The sign-in page with a message.
pub(crate) async fn sign_in_page(
    app: &App,
    headers: &HeaderMap,
    status: StatusCode,
    message: &str,
) -> Response {
    let hint = "This server was started without a password: open the address that it printed, or paste the token from it.";
    let message = if message.is_empty() && app.auth.token().is_some() {
        hint
    } else {
        message
    };
    match app.web.page(Page::SignIn, status, headers, message).await {
        Ok(page) => page,
        Err(error) => ApiError::internal(&error).into_response(),
    }
}

/// Whether a person's browser is opening an address, as against a page or a program fetching one.
fn is_navigation(headers: &HeaderMap) -> bool {
    let accepts_html = headers.get_all(header::ACCEPT).iter().any(|value| {
        value
            .to_str()
            .is_ok_and(|value| value.contains("text/html"))
    });
    accepts_html
        && headers.get("sec-fetch-mode").map_or_else(
            || !headers.contains_key(header::AUTHORIZATION),
            |mode| mode == "navigate",
        )
}

fn token_of(uri: &Uri) -> Option<String> {
    let query = uri.query()?.as_bytes();
    form_urlencoded::parse(query)
        .find(|(name, _)| name == "token")
        .map(|(_, token)| token.into_owned())
}

/// A session in exchange for the token, and the same address without it.
fn trade_token(app: &App, uri: &Uri, client: Client, now: Instant) -> Response {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(
        form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
            .filter(|(name, _)| name != "token"),
    );
    let query = query.finish();
    let path = uri.path();
    let target = if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    };
    let mut response = redirect(&local_path(&target));
    response
        .headers_mut()
        .insert(header::SET_COOKIE, app.auth.start_session(client, now));
    response
}

/// `target` if it stays on this server, else `/`.
pub(crate) fn local_path(target: &str) -> String {
    // Browsers take `//host` and `/\host` for another server's address, and skip tabs and line ends before deciding.
    let stays = target.starts_with('/')
        && !target.starts_with("//")
        && !target.chars().any(|c| c == '\\' || c.is_control())
        && target.is_ascii();
    if stays {
        target.to_owned()
    } else {
        "/".to_owned()
    }
}

/// 303.
pub(crate) fn redirect(target: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let location = HeaderValue::try_from(target).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(header::LOCATION, location);
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_stay_here() {
        for path in ["/", "/c/5?x=1#y", "/a//b"] {
            assert_eq!(local_path(path), path);
        }
        for path in [
            "",
            "c",
            "//evil",
            "/\\evil",
            "\\\\evil",
            "/\t/evil",
            "https://evil",
            "/é",
            "/a\r\nSet-Cookie: x",
        ] {
            assert_eq!(local_path(path), "/", "{path:?}");
        }
    }
}
