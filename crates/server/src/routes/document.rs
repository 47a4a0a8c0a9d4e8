//! A Markdown document as nodes.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use compactvault_preview::document::{JOB, is_sound};
use compactvault_vault::AssetId;

use crate::app::App;
use crate::error::ApiError;
use crate::extract::EntryId;
use crate::looking::{garbled, look};

/// `GET /api/assets/{id}/document`.
pub(crate) async fn read(
    State(app): State<App>,
    EntryId(id): EntryId,
) -> Result<Response, ApiError> {
    let made = look(&app, AssetId::new(id), &JOB).await?;
    // The page makes elements of it, so it is looked through before it leaves.
    let document = serde_json::from_slice(&made.bytes).map_err(|_| garbled())?;
    if !is_sound(&document) {
        return Err(garbled());
    }
    let mut response = Response::new(Body::from(made.bytes.clone()));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
