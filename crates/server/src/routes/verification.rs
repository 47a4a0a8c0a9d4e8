//! Verifying the vault: beginning, watching, stopping.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use compactvault_vault::VerifyLevel;
use serde::Deserialize;

use crate::app::App;
use crate::error::ApiError;
use crate::extract::{json, json_body};
use crate::limits::JSON_BYTES_MAX;

#[derive(Deserialize)]
struct Wanted {
    depth: Option<String>,
}

/// `POST /api/verification`.
pub(crate) async fn start(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    let vault = app.shelf.vault()?;
    let Wanted { depth } = json_body(request, JSON_BYTES_MAX).await?;
    let level = match depth.as_deref() {
        Some("quick") => VerifyLevel::Quick,
        None | Some("full") => VerifyLevel::Full,
        Some("deep") => VerifyLevel::Deep,
        Some(_) => {
            let message = "depth must be quick, full or deep";
            return Err(ApiError::bad_request("bad_depth", message));
        }
    };
    let events = Arc::clone(&app.events);
    let started = app.verification.start(vault, level, &events)?;
    Ok(json(StatusCode::ACCEPTED, &started))
}

/// `GET /api/verification`.
pub(crate) async fn state(State(app): State<App>) -> Result<Response, ApiError> {
    app.shelf.vault()?;
    Ok(json(StatusCode::OK, &app.verification.state()))
}

/// `POST /api/verification/stop`.
pub(crate) async fn stop(State(app): State<App>) -> Result<Response, ApiError> {
    app.shelf.vault()?;
    app.verification.stop();
    Ok(json(StatusCode::OK, &app.verification.state()))
}
