//! One asset: its bytes, whole or in ranges, and what is known about it.

use std::ops::Range;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use compactvault_vault::{Asset, AssetId, AssetReader, MediaClass, ReadError, Vault};

use crate::app::App;
use crate::blocking::Lane;
use crate::clock::{Civil, now_unix_seconds};
use crate::disposition::Disposition;
use crate::error::ApiError;
use crate::extract::{EntryId, Params, json};
use crate::highlight::highlight;
use crate::pieces::{Pieces, Source};
use crate::random::random_id;
use crate::range::{Multipart, Reply, Representation, content_range, evaluate};
use crate::text::{PREVIEW_BYTES_MAX, decode};
use crate::wire;

/// For ever: an asset's bytes never change.
pub(super) const CACHE: &str = "private, max-age=31536000, immutable";

/// An answer as far as blocking threads have to make it.
struct Prepared {
    asset: Asset,
    reply: Reply,
    multipart: Option<(String, u64)>,
    /// `None` if no bytes are sent.
    pieces: Option<Pieces>,
}

/// `GET /api/assets/{id}` and HEAD.
pub(crate) async fn bytes(
    State(app): State<App>,
    method: Method,
    EntryId(id): EntryId,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let place = app.limits.download()?;
    let disposition = match params.get("download") {
        None | Some("0") => Disposition::Inline,
        Some(_) => Disposition::Attachment,
    };
    let prepare = move |vault: &Vault| prepare(vault, AssetId::new(id), &method, &headers);
    let Prepared {
        asset,
        reply,
        multipart,
        pieces,
    } = app.ask_here(prepare).await?;
    let body = pieces.map_or_else(Body::empty, |pieces| {
        pieces.into_body(app.lanes.clone(), place)
    });
    let mut response = Response::new(body);
    let out = response.headers_mut();
    describe(out, &asset);
    let (status, length) = match &reply {
        Reply::NotModified => (StatusCode::NOT_MODIFIED, None),
        Reply::PreconditionFailed | Reply::Unsatisfiable => {
            return Ok(refused(&asset, &reply));
        }
        Reply::Full => (StatusCode::OK, Some(asset.size)),
        Reply::Partial(ranges) => {
            let length = match (ranges.as_slice(), &multipart) {
                (_, Some((boundary, length))) => {
                    let content_type = format!("multipart/byteranges; boundary={boundary}");
                    out.insert(header::CONTENT_TYPE, header_value(content_type));
                    *length
                }
                ([range], None) => {
                    out.insert(
                        header::CONTENT_RANGE,
                        header_value(content_range(range, asset.size)),
                    );
                    range.end - range.start
                }
                (_, None) => 0,
            };
            (StatusCode::PARTIAL_CONTENT, Some(length))
        }
    };
    out.insert(
        header::CONTENT_DISPOSITION,
        disposition.header(asset.name.as_bytes()),
    );
    if let Some(length) = length {
        out.insert(header::CONTENT_LENGTH, length.into());
    }
    *response.status_mut() = status;
    Ok(response)
}

fn prepare(
    vault: &Vault,
    id: AssetId,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Prepared, ReadError> {
    let reader = vault.open_asset(id)?;
    let asset = reader.asset().clone();
    let etag = etag(&asset);
    let last_modified = last_modified(&asset);
    let representation = Representation {
        etag: &etag,
        last_modified: last_modified
            .as_ref()
            .map(|(text, seconds)| (text.as_str(), *seconds)),
        size: asset.size,
    };
    let reply = evaluate(method, headers, representation);
    let mut multipart = None;
    let source: Option<Source> = match &reply {
        _ if *method == Method::HEAD => None,
        Reply::Full => Some(range_source(&reader, 0..asset.size)),
        Reply::Partial(ranges) => Some(match ranges.as_slice() {
            [range] => range_source(&reader, range.clone()),
            ranges => {
                let boundary = random_id();
                let framing = Multipart::new(&boundary, &content_type(&asset), asset.size, ranges);
                multipart = Some((boundary, framing.length));
                multipart_source(&reader, framing, ranges)
            }
        }),
        Reply::NotModified | Reply::PreconditionFailed | Reply::Unsatisfiable => None,
    };
    let pieces = source.map(Pieces::begin).transpose()?;
    Ok(Prepared {
        asset,
        reply,
        multipart,
        pieces,
    })
}

fn range_source(reader: &AssetReader, range: Range<u64>) -> Source {
    Source::Asset(reader.range(range).shared())
}

fn multipart_source(reader: &AssetReader, framing: Multipart, ranges: &[Range<u64>]) -> Source {
    let reader = reader.clone();
    let ranges = ranges.to_vec();
    let parts = framing
        .heads
        .into_iter()
        .zip(ranges)
        .flat_map(move |(head, range)| {
            std::iter::once(Ok(Bytes::from(head))).chain(range_source(&reader, range))
        });
    let tail = std::iter::once(Ok(Bytes::from(framing.tail)));
    Source::Sequence(Box::new(parts.chain(tail)))
}

/// The headers that 200, 206 and 304 share.
fn describe(headers: &mut HeaderMap, asset: &Asset) {
    headers.insert(header::CONTENT_TYPE, header_value(content_type(asset)));
    headers.insert(header::ETAG, header_value(etag(asset)));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHE));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some((text, _)) = last_modified(asset) {
        headers.insert(header::LAST_MODIFIED, header_value(text));
    }
    let digest = STANDARD.encode(asset.sha256.as_bytes());
    headers.insert("repr-digest", header_value(format!("sha-256=:{digest}:")));
    let policy = HeaderValue::from_static(content_policy(asset.media.media_type));
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
}

/// What archived bytes may do when they are opened by themselves: show, and nothing else. They run no script, have no
/// origin, and can neither send nor fetch; a player's document may load the one file it plays.
pub(super) fn content_policy(media_type: &str) -> &'static str {
    match media_type.split('/').next() {
        // A browser plays these in a document of its own that fetches them once more, which an opaque origin could not.
        Some("audio" | "video") => {
            "sandbox allow-same-origin; default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'"
        }
        // Chromium's viewer is itself a plug-in, which the response's sandbox lets start and a frame's attribute would not.
        _ if media_type == "application/pdf" => {
            "sandbox; default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'"
        }
        _ => {
            "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'"
        }
    }
}

fn refused(asset: &Asset, reply: &Reply) -> Response {
    use axum::response::IntoResponse as _;

    if *reply == Reply::PreconditionFailed {
        let message = "the bytes are not the ones that the request was made for";
        return ApiError::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition_failed",
            message,
        )
        .into_response();
    }
    let message = format!(
        "the file has {} bytes; the range begins after them",
        asset.size
    );
    let error = ApiError::new(
        StatusCode::RANGE_NOT_SATISFIABLE,
        "range_not_satisfiable",
        message,
    );
    let mut response = error.into_response();
    let range = header_value(format!("bytes */{}", asset.size));
    response.headers_mut().insert(header::CONTENT_RANGE, range);
    response
}

fn content_type(asset: &Asset) -> String {
    let media_type = asset.media.media_type;
    // A byte order mark overrides it, so UTF-16 is read right as well.
    if media_type.starts_with("text/") {
        format!("{media_type}; charset=utf-8")
    } else {
        media_type.to_owned()
    }
}

fn etag(asset: &Asset) -> String {
    format!("\"{}\"", asset.sha256)
}

/// The source's modification time, else when it was sealed; never in the future, which RFC 9110 forbids.
fn last_modified(asset: &Asset) -> Option<(String, i64)> {
    let sealed = asset.sealed_at_unix_ms.div_euclid(1000);
    let seconds = asset.modified.map_or(sealed, |modified| modified.seconds);
    let seconds = if seconds > now_unix_seconds() {
        sealed
    } else {
        seconds
    };
    Some((Civil::from_unix_seconds(seconds).http()?, seconds))
}

pub(super) fn header_value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("media types, digits and hex are visible ASCII")
}

/// `GET /api/assets/{id}/preview`.
pub(crate) async fn preview(
    State(app): State<App>,
    EntryId(id): EntryId,
) -> Result<Response, ApiError> {
    let id = AssetId::new(id);
    let details = app.ask_here(move |vault| vault.asset_details(id)).await?;
    let text = if details.asset.media.class == MediaClass::Text {
        Some(text_preview(&app, &details.asset).await?)
    } else {
        None
    };
    Ok(json(
        StatusCode::OK,
        &wire::AssetDetails::new(&details, text),
    ))
}

async fn text_preview(app: &App, asset: &Asset) -> Result<wire::TextPreview, ApiError> {
    let (id, size) = (asset.id, asset.size);
    let read = move |vault: &Vault| -> Result<_, ReadError> {
        let reader = vault.open_asset(id)?;
        let head = reader
            .range(0..PREVIEW_BYTES_MAX)
            .collect::<Result<Vec<_>, _>>()?
            .concat();
        Ok(decode(&head, size > PREVIEW_BYTES_MAX))
    };
    let decoded = app.ask(Lane::Read, read).await?;
    let format = asset.media.format(asset.name.as_bytes());
    let decoded = Arc::new(decoded);
    let paint = {
        let decoded = Arc::clone(&decoded);
        move || highlight(&decoded.content, &format)
    };
    // A grammar that panics costs its colours and nothing else.
    let highlight = app
        .lanes
        .start(Lane::Read, paint)
        .await?
        .await
        .unwrap_or_default();
    Ok(wire::TextPreview {
        content: decoded.content.clone(),
        content_truncated: size > PREVIEW_BYTES_MAX,
        encoding: decoded.encoding,
        highlight,
    })
}
