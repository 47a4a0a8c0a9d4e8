//! Uploads: parts, completion, and what became of them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use compactvault_vault::limits::PART_BYTES_MAX;
use compactvault_vault::uploads::{
    Completed, Completion, UploadError, UploadState, UploadStatus, Uploads,
};
use compactvault_vault::{CollectionId, Digest, IngestError, Name, Timestamp, Vault};
use serde::Deserialize;

use crate::app::App;
use crate::blocking::Lane;
use crate::error::ApiError;
use crate::events::Events;
use crate::extract::{JsonId, Params, Segment, json, json_body, whole};
use crate::limits::{JSON_BYTES_MAX, UPLOADS_PER_CLIENT_MAX};
use crate::proxies::Client;
use crate::receive::{announced, receive_part};
use crate::wire;

/// Uploads in one answer at most.
const LISTED_MAX: usize = 1000;
/// How long the answer to `complete` is held back while the queue is full, and how often it is tried again.
const QUEUE_WAIT_MAX: Duration = Duration::from_secs(30);
const QUEUE_RETRY: Duration = Duration::from_millis(200);

/// `POST /api/upload/chunk`.
pub(crate) async fn part(
    State(app): State<App>,
    Extension(client): Extension<Client>,
    params: Params,
    request: Request,
) -> Result<Response, ApiError> {
    app.shelf.vault()?;
    let Some(upload_id) = params.get("upload_id") else {
        return Err(ApiError::bad_request("bad_id", "upload_id is missing"));
    };
    let Some(index) = params.number("chunk_index", "bad_chunk_index")? else {
        return Err(ApiError::bad_request(
            "bad_chunk_index",
            "chunk_index is missing",
        ));
    };
    let announced = announced(request.headers());
    if announced.is_some_and(|bytes| bytes > PART_BYTES_MAX) {
        return Err(UploadError::PartTooLarge.into());
    }
    let _place = app.limits.part()?;
    if !admit(&app, client.ip, upload_id).await? {
        return Err(too_many_uploads());
    }
    receive_part(&app, upload_id, index, announced, request.into_body()).await?;
    Ok(json(
        StatusCode::OK,
        &wire::Message {
            message: "Chunk received".into(),
        },
    ))
}

/// Whether a client may go on with an upload, or begin it.
async fn admit(app: &App, ip: IpAddr, upload_id: &str) -> Result<bool, ApiError> {
    if app.openings.begin(ip, upload_id) {
        return Ok(true);
    }
    let begun = app.openings.begun(ip);
    let find = move |vault: &Vault| -> Result<_, ApiError> {
        let uploads = uploads(vault)?;
        let is_open = |id: &String| {
            let state = uploads.get(id);
            state.is_ok_and(|state| state.is_some_and(|s| s.status == UploadStatus::Receiving))
        };
        Ok(begun
            .into_iter()
            .filter(|id| !is_open(id))
            .collect::<Vec<_>>())
    };
    for ended in app.ask(Lane::Read, find).await? {
        app.openings.end(ip, &ended);
    }
    Ok(app.openings.begin(ip, upload_id))
}

fn too_many_uploads() -> ApiError {
    let message = format!(
        "this client has begun {UPLOADS_PER_CLIENT_MAX} uploads and not ended them; complete some of them first"
    );
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_uploads", message).after(60)
}

#[derive(Deserialize)]
struct Complete {
    upload_id: String,
    filename: Option<String>,
    filename_base64: Option<String>,
    collection_id: JsonId,
    path_prefix: Option<String>,
    #[serde(default, deserialize_with = "whole")]
    total_size: Option<u64>,
    #[serde(default, deserialize_with = "whole")]
    parts: Option<u64>,
    sha256: Option<String>,
    #[serde(default, deserialize_with = "whole")]
    modified: Option<i64>,
    executable: Option<bool>,
}

impl TryFrom<Complete> for Completion {
    type Error = ApiError;

    fn try_from(wire: Complete) -> Result<Self, ApiError> {
        Ok(Self {
            upload_id: wire.upload_id,
            collection: CollectionId::new(wire.collection_id.seq()?),
            folders: folders(wire.path_prefix.as_deref())?,
            name: file_name(wire.filename.as_deref(), wire.filename_base64.as_deref())?,
            total_size: wire.total_size,
            parts: wire.parts,
            sha256: wire.sha256.as_deref().map(digest).transpose()?,
            modified: wire.modified.map(Timestamp::from_unix_ms),
            executable: wire.executable.unwrap_or(false),
        })
    }
}

/// The name of a file, given as text or as exact bytes.
pub(crate) fn file_name(text: Option<&str>, exact: Option<&str>) -> Result<Name, ApiError> {
    let bytes = match (text, exact) {
        (_, Some(exact)) => STANDARD.decode(exact).map_err(|_| {
            ApiError::bad_request("name_invalid", "filename_base64 is not padded base64")
        })?,
        (Some(text), None) => text.as_bytes().to_vec(),
        (None, None) => return Err(ApiError::bad_request("name_invalid", "filename is missing")),
    };
    Ok(Name::new(bytes)?)
}

/// The collections that `a/b/` names. A leading, doubled or closing slash names nothing.
pub(crate) fn folders(path: Option<&str>) -> Result<Vec<Name>, ApiError> {
    let folders = path.unwrap_or_default().split('/');
    let folders = folders.filter(|folder| !folder.is_empty()).map(Name::new);
    Ok(folders.collect::<Result<_, _>>()?)
}

/// A SHA-256 in hexadecimal.
pub(crate) fn digest(hex: &str) -> Result<Digest, ApiError> {
    hex.parse()
        .map_err(|()| ApiError::bad_request("bad_sha256", "sha256 must be 64 hex digits"))
}

/// What is answered where an upload was completed; one that was archived at once has no id.
pub(crate) fn answer(completed: Completed, upload_id: Option<String>) -> wire::Completed {
    match completed {
        Completed::Sealed {
            asset,
            already_archived,
        } => wire::Completed {
            message: if already_archived {
                "Upload accepted, these bytes were archived here before"
            } else {
                "Upload accepted, sealed"
            },
            upload_id,
            status: "sealed",
            asset_id: Some(asset.get()),
            already_archived: already_archived.then_some(true),
        },
        Completed::Queued => wire::Completed {
            message: "Upload accepted, queued for sealing",
            upload_id,
            status: "queued",
            asset_id: None,
            already_archived: None,
        },
    }
}

/// `POST /api/upload/complete`.
pub(crate) async fn complete(
    State(app): State<App>,
    Extension(client): Extension<Client>,
    request: Request,
) -> Result<Response, ApiError> {
    app.shelf.vault()?;
    let completion = Completion::try_from(json_body::<Complete>(request, JSON_BYTES_MAX).await?)?;
    let upload_id = completion.upload_id.clone();
    let completed = complete_in_time(&app, Arc::new(completion)).await?;
    app.openings.end(client.ip, &upload_id);
    Ok(json(StatusCode::OK, &answer(completed, Some(upload_id))))
}

/// Completes an upload, waiting for a place in the queue without keeping a thread.
async fn complete_in_time(app: &App, completion: Arc<Completion>) -> Result<Completed, ApiError> {
    let until = Instant::now() + QUEUE_WAIT_MAX;
    loop {
        let asked = Arc::clone(&completion);
        let attempt = move |vault: &Vault| -> Result<_, ApiError> {
            match uploads(vault)?.complete(&asked) {
                Ok(completed) => Ok(Some(completed)),
                Err(UploadError::Busy) => Ok(None),
                Err(error) => Err(error.into()),
            }
        };
        match app.ask(Lane::Commit, attempt).await? {
            Some(completed) => return Ok(completed),
            None if Instant::now() >= until => return Err(UploadError::Busy.into()),
            None => tokio::time::sleep(QUEUE_RETRY).await,
        }
    }
}

/// `GET /api/uploads/{upload_id}`.
pub(crate) async fn one(
    State(app): State<App>,
    Segment(upload_id): Segment,
) -> Result<Response, ApiError> {
    let unknown = || {
        let message = "there is no upload of that id, or it ended more than 7 days ago";
        ApiError::new(StatusCode::NOT_FOUND, "unknown_upload", message)
    };
    app.shelf.vault()?;
    let find = move |vault: &Vault| -> Result<_, ApiError> {
        Ok(if_writable(uploads(vault))?
            .map(|uploads| uploads.get(&upload_id))
            .transpose()?
            .flatten())
    };
    let state = app.ask(Lane::Read, find).await?.ok_or_else(unknown)?;
    Ok(json(StatusCode::OK, &wire::Upload::from(&state)))
}

/// `GET /api/uploads`.
pub(crate) async fn unfinished(State(app): State<App>) -> Result<Response, ApiError> {
    let find = |vault: &Vault| -> Result<_, ApiError> {
        Ok(if_writable(uploads(vault))?.map(|uploads| uploads.unfinished(LISTED_MAX)))
    };
    let states = app.ask(Lane::Read, find).await?.unwrap_or_default();
    let uploads = states.iter().map(wire::Upload::from).collect();
    Ok(json(StatusCode::OK, &wire::Uploads { uploads }))
}

/// The spool of a vault that can be written.
pub(crate) fn uploads(vault: &Vault) -> Result<&Uploads, IngestError> {
    vault.uploads()
}

/// A vault that cannot be written has no uploads, which is no error when they are only counted or listed.
fn if_writable<T>(result: Result<T, IngestError>) -> Result<Option<T>, ApiError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(IngestError::ReadOnly { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// How many uploads have not ended.
pub(crate) fn unfinished_count(vault: &Vault) -> Result<u64, ApiError> {
    Ok(if_writable(uploads(vault))?.map_or(0, |uploads| uploads.unfinished_count() as u64))
}

/// Lets the events tell when uploads end. They alone are kept: whoever held the vault here would keep it open.
pub(crate) fn tell_events(vault: &Vault, events: Arc<Events>) -> Result<(), ApiError> {
    if let Some(uploads) = if_writable(uploads(vault))? {
        uploads.subscribe(Box::new(move |state| {
            events.upload_ended(&wire::Upload::from(state));
        }));
    }
    Ok(())
}

/// Seals what is queued, for as long as `within` allows: uploads sealed, queued still, and unfinished.
pub(crate) fn drain(vault: &Vault, within: Duration) -> (u64, u64, u64) {
    let Ok(uploads) = uploads(vault) else {
        return (0, 0, 0);
    };
    let report = uploads.drain(within);
    (
        report.sealed as u64,
        report.queued as u64,
        report.receiving as u64,
    )
}

impl From<&UploadState> for wire::Upload {
    fn from(state: &UploadState) -> Self {
        let is_sealed = state.status == UploadStatus::Sealed;
        Self {
            id: state.upload_id.clone(),
            status: state.status.word(),
            parts: state
                .parts
                .iter()
                .map(|part| wire::Part {
                    index: part.index,
                    size: part.size,
                })
                .collect(),
            received_bytes: state.received_bytes,
            filename: state
                .name
                .as_ref()
                .map(|name| name.to_utf8_lossy().into_owned()),
            asset_id: state.asset.map(compactvault_vault::AssetId::get),
            already_archived: is_sealed.then_some(state.already_archived),
            code: state.failure.as_ref().map(|(code, _)| (*code).to_owned()),
            message: state.failure.as_ref().map(|(_, message)| message.clone()),
        }
    }
}
