//! One file in one request.

use axum::body::HttpBody as _;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use compactvault_vault::uploads::{Completed, Completion};
use compactvault_vault::{AssetId, CollectionId, Name, NewAsset, PlaceId, Seq, Timestamp, Vault};

use super::uploads::{answer, digest, file_name, folders, uploads};
use crate::app::App;
use crate::blocking::Lane;
use crate::error::ApiError;
use crate::extract::{EntryId, Params, json};
use crate::receive::{Received, announced, receive_whole};

/// `POST /api/collections/{id}/assets`.
pub(crate) async fn archive(
    State(app): State<App>,
    EntryId(id): EntryId,
    params: Params,
    request: Request,
) -> Result<Response, ApiError> {
    app.shelf.vault()?;
    let file = file(id, &params)?;
    let (head, body) = request.into_parts();
    let announced = announced(&head.headers);
    check_body(&head.headers, announced.is_some() || !body.is_end_stream())?;
    let _place = app.limits.part()?;
    let destination = (file.collection, file.folders.len());
    let (completed, upload_id) = match receive_whole(&app, destination, announced, body).await? {
        Received::InMemory(bytes, room) => {
            // Its room is free again when the commit is done, even if the client has left by then.
            let archive = move |vault: &Vault| {
                let sealed = vault.archive_bytes(asset(file), &bytes);
                drop((bytes, room));
                sealed
            };
            let sealed = app.ask(Lane::Commit, archive).await?;
            let asset = AssetId::new(sealed.seq);
            let already_archived = sealed.already_archived;
            let completed = Completed::Sealed {
                asset,
                already_archived,
            };
            (completed, None)
        }
        Received::Spooled(written) => {
            let complete = move |vault: &Vault| -> Result<_, ApiError> {
                let written = written()?;
                Ok(uploads(vault)?.complete_whole(written, file)?)
            };
            let (completed, upload_id) = app.ask(Lane::Commit, complete).await?;
            (completed, Some(upload_id))
        }
    };
    Ok(json(StatusCode::OK, &answer(completed, upload_id)))
}

/// Its name as text, which is always there, or as exact bytes besides.
fn name(params: &Params) -> Result<Name, ApiError> {
    let text = params.get("filename");
    file_name(text, text.and(params.get("filename_base64")))
}

/// What the address says about the file.
fn file(collection: Seq, params: &Params) -> Result<Completion, ApiError> {
    let modified = params.given("modified").map(|text| {
        text.parse().map_err(|_| {
            ApiError::bad_request(
                "bad_modified",
                "modified must be a whole number of milliseconds since 1970",
            )
        })
    });
    let executable = match params.given("executable") {
        None | Some("0" | "false") => false,
        Some("1" | "true") => true,
        Some(_) => {
            let message = "executable must be true or false";
            return Err(ApiError::bad_request("bad_executable", message));
        }
    };
    Ok(Completion {
        upload_id: String::new(),
        collection: CollectionId::new(collection),
        folders: folders(params.get("path"))?,
        name: name(params)?,
        total_size: None,
        parts: None,
        sha256: params.given("sha256").map(digest).transpose()?,
        modified: modified.transpose()?.map(Timestamp::from_unix_ms),
        executable,
    })
}

/// Refuses what would be archived as something that the client did not mean.
fn check_body(headers: &HeaderMap, is_there: bool) -> Result<(), ApiError> {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let is_form = content_type.is_some_and(|value| {
        value
            .trim_start()
            .to_ascii_lowercase()
            .starts_with("multipart/form-data")
    });
    if is_form {
        let message = "send the file itself as the body, not a form with the file in it";
        let (status, code) = (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type");
        return Err(ApiError::new(status, code, message));
    }
    if !is_there && !headers.contains_key(header::TRANSFER_ENCODING) {
        let message = "there is no body; an empty file is sent with Content-Length: 0";
        return Err(ApiError::bad_request("body_incomplete", message));
    }
    Ok(())
}

fn asset(file: Completion) -> NewAsset {
    NewAsset {
        place: PlaceId::Collection(file.collection),
        folders: file.folders,
        name: file.name,
        modified: file.modified,
        executable: file.executable,
        expected_size: None,
        expected_sha256: file.sha256,
    }
}
