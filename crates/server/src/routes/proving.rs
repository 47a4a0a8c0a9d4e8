//! What an asset's content and its place in the log can show: where else it lies, and a proof to take away.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use compactvault_vault::{AssetId, Vault};

use crate::app::App;
use crate::blocking::Lane;
use crate::disposition::Disposition;
use crate::error::ApiError;
use crate::extract::{EntryId, json};
use crate::limits::PLACES_MAX;
use crate::wire;

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
