//! How an asset looks, and what its content tells: thumbnails and facts.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use compactvault_vault::AssetId;
use serde_json::{Map, Value, json};

use super::assets::{CACHE, content_policy, header_value};
use crate::app::App;
use crate::blocking::Lane;
use crate::content::ends_early;
use crate::error::ApiError;
use crate::extract::{EntryId, Params, json};
use crate::previews::{Known, facts_of, thumbnail as picture_of, thumbnail_etag};
use crate::range::{Reply, Representation, evaluate};

/// The size of a thumbnail where none is asked for.
const SIZE: u64 = 512;

/// `GET /api/assets/{id}/thumbnail` and HEAD.
pub(crate) async fn thumbnail(
    State(app): State<App>,
    method: Method,
    EntryId(id): EntryId,
    params: Params,
    mut headers: HeaderMap,
) -> Result<Response, ApiError> {
    let size = match params.get("size") {
        None => SIZE,
        Some(size) => size.parse().unwrap_or(0),
    };
    let open = move |vault: &compactvault_vault::Vault| vault.open_asset(AssetId::new(id));
    let reader = app.ask(Lane::Read, open).await?;
    let etag = thumbnail_etag(&reader, size);
    // A picture is small and comes whole.
    headers.remove(header::RANGE);
    let representation = Representation {
        etag: &etag,
        last_modified: None,
        size: 0,
    };
    let is_known = evaluate(&method, &headers, representation) == Reply::NotModified;
    let mut response = if is_known {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let output = picture_of(&app, reader, size).await?;
        let media_type = output.header.get("media_type").and_then(Value::as_str);
        // The worker is of this program; were it not, a picture of another type would be none.
        let media_type = match media_type {
            Some("image/jpeg") => "image/jpeg",
            Some("image/webp") => "image/webp",
            _ => "image/png",
        };
        let bytes = Bytes::from_owner(Shared(output));
        let mut response = Response::new(Body::from(bytes));
        let content_type = HeaderValue::from_static(media_type);
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, content_type);
        response
    };
    let out = response.headers_mut();
    out.insert(header::ETAG, header_value(etag));
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHE));
    let policy = HeaderValue::from_static(content_policy("image/png"));
    out.insert(header::CONTENT_SECURITY_POLICY, policy);
    let referrer = HeaderValue::from_static("no-referrer");
    out.insert(header::REFERRER_POLICY, referrer);
    Ok(response)
}

/// Bytes that several answers may send at once.
struct Shared(std::sync::Arc<compactvault_preview::Output>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0.bytes
    }
}

/// `GET /api/assets/{id}/facts`.
pub(crate) async fn facts(
    State(app): State<App>,
    EntryId(id): EntryId,
) -> Result<Response, ApiError> {
    let open = move |vault: &compactvault_vault::Vault| vault.open_asset(AssetId::new(id));
    let reader = app.ask(Lane::Read, open).await?;
    let bytes = reader.clone();
    // Damage is told by whoever shows the bytes.
    let look = move || ends_early(&bytes, bytes.asset().media.media_type).or(Ok(false));
    let ends_early = app.lanes.run::<_, ApiError>(Lane::Read, look).await?;
    let mut answer = match facts_of(&app, reader).await? {
        Known::Facts(facts) if facts.is_empty() => json!({ "facts": facts, "state": "none" }),
        Known::Facts(facts) => json!({ "facts": facts, "state": "known" }),
        Known::Failed(failure) => {
            let message = format!("nothing is known of its content: {}", failure.message);
            json!({ "facts": Map::new(), "state": "failed", "message": message })
        }
    };
    answer["ends_early"] = json!(ends_early);
    Ok(json(StatusCode::OK, &answer))
}
