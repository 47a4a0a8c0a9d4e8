//! What is in an archive.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use compactvault_preview::members::{JOB, Listing};
use compactvault_vault::AssetId;

use crate::app::App;
use crate::error::ApiError;
use crate::extract::{EntryId, Params, json};
use crate::looking::{garbled, look};
use crate::wire;

/// Members of a page, if the request does not say.
const MEMBERS: u64 = 200;
/// Members of a page at most.
const MEMBERS_MAX: u64 = 1000;

/// `GET /api/assets/{id}/members`.
pub(crate) async fn list(
    State(app): State<App>,
    EntryId(id): EntryId,
    params: Params,
) -> Result<Response, ApiError> {
    let offset = params.number("offset", "bad_offset")?.unwrap_or(0);
    let limit = params.count("limit", MEMBERS, MEMBERS_MAX)?;
    let id = AssetId::new(id);
    let listing = if let Some(listing) = app.contents.listing(id) {
        listing
    } else {
        let made = look(&app, id, &JOB).await?;
        let listing: Listing = serde_json::from_slice(&made.bytes).map_err(|_| garbled())?;
        let listing = Arc::new(listing);
        app.contents.keep_listing(id, Arc::clone(&listing));
        listing
    };
    Ok(json(
        StatusCode::OK,
        &wire::Members::new(&listing, offset, limit),
    ))
}
