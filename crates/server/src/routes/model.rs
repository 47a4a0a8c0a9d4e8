//! A 3D model as one mesh.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use compactvault_preview::Output;
use compactvault_preview::model::{JOB, Mesh};
use compactvault_vault::AssetId;
use futures_util::stream;

use crate::app::App;
use crate::error::ApiError;
use crate::extract::EntryId;
use crate::looking::{garbled, look};

/// What is handed to a connection at once.
const PIECE_BYTES: usize = 256 * 1024;

/// `GET /api/assets/{id}/model`.
pub(crate) async fn read(
    State(app): State<App>,
    EntryId(id): EntryId,
) -> Result<Response, ApiError> {
    let models = Arc::clone(&app.contents.models);
    let place = models.try_acquire_owned().map_err(|_| ApiError::busy())?;
    let made = look(&app, AssetId::new(id), &JOB).await?;
    if !Mesh::is_sound(&made.bytes) {
        return Err(garbled());
    }
    let length = made.bytes.len();
    // Its place is free again when the last of it is gone.
    let pieces = stream::unfold((made, place, 0), |(made, place, at)| async move {
        let piece = piece(&made, at)?;
        let next = at + piece.len();
        Some((
            Ok::<_, std::convert::Infallible>(piece),
            (made, place, next),
        ))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(Mesh::MEDIA_TYPE),
    );
    headers.insert(header::CONTENT_LENGTH, length.into());
    // Files beside it may get new versions.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn piece(made: &Output, at: usize) -> Option<Bytes> {
    let rest = made.bytes.get(at..).filter(|rest| !rest.is_empty())?;
    Some(Bytes::copy_from_slice(&rest[..rest.len().min(PIECE_BYTES)]))
}
