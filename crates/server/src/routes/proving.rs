//! What an asset's content and its place in the log can show: where else it lies, and a proof to take away.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use compactvault_vault::prove::{CheckpointError, KeptCheckpoint, ProveError};
use compactvault_vault::{AssetId, Vault};
use serde::Deserialize;
use serde_json::json;

use crate::app::App;
use crate::blocking::Lane;
use crate::disposition::Disposition;
use crate::error::ApiError;
use crate::extract::{EntryId, json, json_body};
use crate::limits::{JSON_BYTES_MAX, PLACES_MAX};
use crate::wire;

#[derive(Deserialize)]
struct Pasted {
    checkpoint: String,
}

/// `POST /api/checkpoint/compare`: what somebody kept against the log, every entry that it covers. Words without a size are
/// taken for the log's present one.
pub(crate) async fn compare(
    State(app): State<App>,
    request: Request,
) -> Result<Response, ApiError> {
    let Pasted { checkpoint } = json_body(request, 2 * JSON_BYTES_MAX).await?;
    // The log is read from its beginning, which keeps a core busy for a while.
    let pass = app.contents.passes.acquire().await;
    let compare = move |vault: &Vault| -> Result<_, ProveError> {
        let kept = match KeptCheckpoint::parse(checkpoint.as_bytes()) {
            Err(CheckpointError::NoSize) => {
                KeptCheckpoint::from_words(&checkpoint, Some(vault.log_size()?))?
            }
            parsed => parsed?,
        };
        vault.compare(&kept)
    };
    let found = app.ask(Lane::Read, compare).await?;
    drop(pass);
    let answer = json!({
        "verdict": found.verdict.code(),
        "size": found.kept.size,
        "log_size": found.log_size,
        "signed": found.signed.code(),
        "damaged_entries": found.damaged_entries,
        "message": found.to_string(),
    });
    Ok(json(StatusCode::OK, &answer))
}

/// `GET /api/assets/{id}/places`.
pub(crate) async fn places(
    State(app): State<App>,
    EntryId(id): EntryId,
) -> Result<Response, ApiError> {
    let look = move |vault: &Vault| vault.places(AssetId::new(id), PLACES_MAX);
    let places = app.ask(Lane::Read, look).await?;
    Ok(json(StatusCode::OK, &wire::Places::from(&places)))
}

/// `GET /api/assets/{id}/proof`.
pub(crate) async fn proof(
    State(app): State<App>,
    EntryId(id): EntryId,
) -> Result<Response, ApiError> {
    let prove = move |vault: &Vault| -> Result<_, ApiError> {
        let asset = vault.asset(AssetId::new(id))?;
        Ok((asset.name, vault.proof(asset.id)?.to_text()))
    };
    let (name, text) = app.ask(Lane::Read, prove).await?;
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    let name = [name.as_bytes(), b".tlog-proof"].concat();
    headers.insert(
        header::CONTENT_DISPOSITION,
        Disposition::Attachment.header(&name),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
