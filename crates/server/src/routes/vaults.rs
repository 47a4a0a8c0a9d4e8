//! Which vaults there are, and choosing one.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::app::App;
use crate::blocking::Lane;
use crate::error::ApiError;
use crate::extract::{json, json_body};
use crate::limits::JSON_BYTES_MAX;
use crate::server::vault_was_chosen;
use crate::wire;

/// `GET /api/vaults`.
pub(crate) async fn list(State(app): State<App>) -> Result<Response, ApiError> {
    let shelf = app.shelf.clone();
    let look = move || shelf.files().map_err(|error| ApiError::internal(&error));
    let vaults = app.lanes.run(Lane::Read, look).await?;
    Ok(json(
        StatusCode::OK,
        &wire::Vaults {
            chosen: app.shelf.chosen_name(),
            vaults,
        },
    ))
}

#[derive(Deserialize)]
struct Selection {
    db: String,
}

/// `POST /api/select_db`.
pub(crate) async fn select(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    let Selection { db } = json_body(request, JSON_BYTES_MAX).await?;
    if app.shelf.choose(&app.lanes, &db).await? {
        vault_was_chosen(&app).await;
    }
    let message = format!("This server now serves {db}.");
    Ok(json(StatusCode::OK, &wire::Message { message }))
}
