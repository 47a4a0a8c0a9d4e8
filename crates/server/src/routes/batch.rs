//! Several small files in one request, so that they share a commit: a line that says what they are, and their bytes.

use std::ops::Range;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use compactvault_vault::uploads::Completed;
use compactvault_vault::{AssetId, CollectionId, NewAsset, PlaceId, Timestamp, Vault};
use serde::Deserialize;

use super::uploads::{answer, digest, file_name, folders};
use crate::app::App;
use crate::blocking::Lane;
use crate::error::ApiError;
use crate::extract::{EntryId, json};
use crate::limits::{BATCH_FILES_MAX, JSON_BYTES_MAX};
use crate::receive::{announced, receive_in_memory};
use crate::wire;

/// A file, as the first line says.
#[derive(Deserialize)]
struct File {
    filename: Option<String>,
    filename_base64: Option<String>,
    path: Option<String>,
    modified: Option<i64>,
    #[serde(default)]
    executable: bool,
    size: usize,
    sha256: Option<String>,
}

/// `POST /api/collections/{id}/batch`.
pub(crate) async fn archive(
    State(app): State<App>,
    EntryId(id): EntryId,
    request: Request,
) -> Result<Response, ApiError> {
    app.shelf.vault()?;
    let (head, body) = request.into_parts();
    let _place = app.limits.part()?;
    let (bytes, room) = receive_in_memory(&app, announced(&head.headers), body).await?;
    let bytes = Bytes::from(bytes);
    let files = files(&bytes)?;
    let collection = CollectionId::new(id);
    let archive = move |vault: &Vault| -> Result<_, ApiError> {
        vault.check_destination(collection, 0)?;
        let outcomes = archive_files(vault, collection, &files, &bytes);
        drop((bytes, room));
        Ok(outcomes)
    };
    let files = app.ask(Lane::Commit, archive).await?;
    Ok(json(StatusCode::OK, &wire::Batch { files }))
}

/// What the first line names, and where the bytes of each are. They must be all that follows it.
fn files(body: &[u8]) -> Result<Vec<(File, Range<usize>)>, ApiError> {
    let bad = |message: String| ApiError::impossible("bad_batch", message);
    let mut line = body.iter().take(JSON_BYTES_MAX + 1);
    let Some(end) = line.position(|&byte| byte == b'\n') else {
        return Err(bad(format!(
            "the body must begin with one line of JSON of at most {JSON_BYTES_MAX} bytes that lists the files"
        )));
    };
    let files: Vec<File> = serde_json::from_slice(&body[..end])
        .map_err(|error| bad(format!("the first line is not a list of files: {error}")))?;
    if files.len() > BATCH_FILES_MAX {
        return Err(bad(format!(
            "a batch has at most {BATCH_FILES_MAX} files; send the rest in another"
        )));
    }
    let mut at = end + 1;
    let mut placed = Vec::with_capacity(files.len());
    for file in files {
        let until = at.checked_add(file.size);
        let Some(until) = until.filter(|until| *until <= body.len()) else {
            return Err(bad(
                "the files are longer by the first line than the bytes that follow it".into(),
            ));
        };
        placed.push((file, at..until));
        at = until;
    }
    if at < body.len() {
        let more = body.len() - at;
        return Err(bad(format!("{more} bytes follow the last file")));
    }
    Ok(placed)
}

/// Seals what can be; each is answered for itself, in their order.
fn archive_files(
    vault: &Vault,
    collection: CollectionId,
    files: &[(File, Range<usize>)],
    body: &[u8],
) -> Vec<wire::InBatch> {
    let assets: Vec<Result<NewAsset, ApiError>> = files
        .iter()
        .map(|(file, _)| asset(collection, file))
        .collect();
    let good = assets.iter().zip(files);
    let good = good.filter_map(|(asset, (_, range))| {
        let asset = asset.as_ref().ok()?.clone();
        Some((asset, &body[range.clone()]))
    });
    let mut sealed = vault.archive_each(good).into_iter();
    let outcomes = assets.into_iter().map(|asset| {
        asset?;
        let sealed = sealed.next().expect("each good file has an outcome");
        Ok(sealed?)
    });
    let outcomes = outcomes.map(|outcome: Result<_, ApiError>| match outcome {
        Ok(sealed) => {
            let (asset, already_archived) = (AssetId::new(sealed.seq), sealed.already_archived);
            let completed = Completed::Sealed {
                asset,
                already_archived,
            };
            wire::InBatch::Sealed(answer(completed, None))
        }
        Err(error) => wire::InBatch::Failed(error.into()),
    });
    outcomes.collect()
}

fn asset(collection: CollectionId, file: &File) -> Result<NewAsset, ApiError> {
    Ok(NewAsset {
        place: PlaceId::Collection(collection),
        folders: folders(file.path.as_deref())?,
        name: file_name(file.filename.as_deref(), file.filename_base64.as_deref())?,
        modified: file.modified.map(Timestamp::from_unix_ms),
        executable: file.executable,
        expected_size: None,
        expected_sha256: file.sha256.as_deref().map(digest).transpose()?,
    })
}
