//! The vault as a whole: figures, checkpoint, events, upkeep, and the description of this interface.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use compactvault_vault::Vault;

use crate::app::App;
use crate::blocking::Lane;
use crate::error::ApiError;
use crate::events::KEEP_ALIVE;
use crate::extract::json;
use crate::meters::{self, Going};
use crate::{openapi, wire};

/// `GET /api/status`.
pub(crate) async fn status(State(app): State<App>) -> Result<Response, ApiError> {
    let name = app.shelf.chosen_name().unwrap_or_default();
    let ask = move |vault: &Vault| -> Result<_, ApiError> {
        let unfinished = super::uploads::unfinished_count(vault)?;
        let last = vault.last_verification();
        Ok(wire::Status::new(vault.status()?, name, unfinished, last))
    };
    Ok(json(StatusCode::OK, &app.ask(Lane::Read, ask).await?))
}

/// `GET /api/checkpoint`.
pub(crate) async fn checkpoint(State(app): State<App>) -> Result<Response, ApiError> {
    let checkpoint = app.ask(Lane::Read, Vault::checkpoint).await?;
    let mut response = Response::new(Body::from(checkpoint.note));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// `GET /healthz`: for whoever watches over the process, without credentials and without saying anything else.
pub(crate) async fn health(State(app): State<App>) -> Response {
    // A server whose vault is not chosen yet does what it should.
    let is_well = app.shelf.vault().is_err() || app.ask(Lane::Read, Vault::log_size).await.is_ok();
    let (status, word) = if is_well {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "unreadable")
    };
    json(status, &wire::Health { status: word })
}

/// `GET /metrics`.
pub(crate) async fn metrics(State(app): State<App>) -> Result<Response, ApiError> {
    let going = Going {
        downloads: app.limits.downloading(),
        parts: app.limits.receiving(),
        listeners: app.events.readers(),
    };
    let look = |vault: &Vault| -> Result<_, ApiError> {
        Ok((vault.status()?, super::uploads::unfinished_count(vault)?))
    };
    let vault = match app.shelf.vault() {
        Ok(_) => Some(app.ask(Lane::Read, look).await?),
        Err(_) => None,
    };
    let vault = vault.as_ref().map(|(status, uploads)| (status, *uploads));
    let mut response = Response::new(Body::from(app.meters.text(going, vault)));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(meters::CONTENT_TYPE),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// `GET /api/events`.
pub(crate) async fn events(State(app): State<App>) -> Result<Response, ApiError> {
    app.shelf.vault()?;
    let too_many = || ApiError::too_many(std::time::Duration::from_secs(30));
    let reader = app.events.join().ok_or_else(too_many)?;
    let log_size = app.ask(Lane::Read, Vault::log_size).await?;
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    let mut response = Sse::new(reader.stream(log_size))
        .keep_alive(keep_alive)
        .into_response();
    // Proxies that gather answers would hold events back.
    response
        .headers_mut()
        .insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// `POST /api/maintenance/vacuum`.
pub(crate) async fn vacuum(State(app): State<App>) -> Result<Response, ApiError> {
    app.ask(Lane::Commit, Vault::upkeep).await?;
    let message = "The WAL is copied into the vault and derived data is up to date. \
                   Nothing in a vault is ever rewritten, so there is no space to reclaim.";
    Ok(json(
        StatusCode::OK,
        &wire::Message {
            message: message.into(),
        },
    ))
}

/// `GET /api/openapi.json`.
pub(crate) async fn openapi() -> Response {
    let mut response = Response::new(Body::from(openapi::DESCRIPTION));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
