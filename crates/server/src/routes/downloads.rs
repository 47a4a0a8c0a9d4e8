//! ZIPs: of a project, of a collection, of a selection, and of a selection that was left here before.

use std::collections::HashSet;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use compactvault_vault::{AssetId, CollectionId, PlaceId, ProjectId, ReadError, Vault};
use serde::Deserialize;

use super::selection::{Selection, selected};
use crate::app::App;
use crate::archive::Archive;
use crate::blocking::Lane;
use crate::disposition::Disposition;
use crate::error::ApiError;
use crate::extract::{EntryId, JsonId, Segment, json, json_body};
use crate::limits::{IDS_MAX, JSON_IDS_BYTES_MAX};
use crate::pieces::Pieces;
use crate::tickets::{Layout, Waiting};
use crate::wire;

const SELECTION_NAME: &[u8] = b"selected_assets.zip";

/// `GET /api/projects/{id}/download`.
pub(crate) async fn project(
    State(app): State<App>,
    method: Method,
    EntryId(id): EntryId,
) -> Result<Response, ApiError> {
    let id = ProjectId::new(id);
    place(&app, &method, move |vault| {
        Ok((PlaceId::Project(id), vault.project(id)?.name))
    })
    .await
}

/// `GET /api/collections/{id}/download`.
pub(crate) async fn collection(
    State(app): State<App>,
    method: Method,
    EntryId(id): EntryId,
) -> Result<Response, ApiError> {
    let id = CollectionId::new(id);
    place(&app, &method, move |vault| {
        Ok((PlaceId::Collection(id), vault.collection(id)?.name))
    })
    .await
}

async fn place(
    app: &App,
    method: &Method,
    find: impl FnOnce(&Vault) -> Result<(PlaceId, compactvault_vault::Name), ReadError> + Send + 'static,
) -> Result<Response, ApiError> {
    send(app, method, |vault| {
        let (place, name) = find(vault)?;
        let archive = Archive::of_place(vault, place, &name)?;
        Ok((archive, [name.as_bytes(), b".zip"].concat()))
    })
    .await
}

#[derive(Deserialize)]
struct Ids {
    ids: Vec<JsonId>,
}

/// What `POST /api/downloads` takes.
#[derive(Deserialize)]
struct Wanted {
    ids: Option<Vec<JsonId>>,
    selection: Option<Selection>,
}

/// The assets that a body names, each of which must exist, and their bytes.
async fn require_all(app: &App, ids: Vec<JsonId>) -> Result<(Vec<AssetId>, u64), ApiError> {
    if ids.is_empty() {
        return Err(ApiError::bad_request(
            "no_ids",
            "ids must name at least one asset",
        ));
    }
    if ids.len() > IDS_MAX {
        let message =
            format!("at most {IDS_MAX} assets can be selected; download the collection instead");
        return Err(ApiError::bad_request("too_many_ids", message));
    }
    let ids = ids
        .into_iter()
        .map(|id| id.seq().map(AssetId::new))
        .collect::<Result<Vec<_>, _>>()?;
    app.ask(Lane::Read, move |vault| {
        let mut seen = HashSet::new();
        let mut bytes = 0;
        for id in &ids {
            let size = vault.asset(*id)?.size;
            bytes += if seen.insert(*id) { size } else { 0 };
        }
        let ids = ids.into_iter().filter(|id| seen.remove(id)).collect();
        Ok::<_, ReadError>((ids, bytes))
    })
    .await
}

/// `POST /api/collections/{id}/assets/download`.
pub(crate) async fn selection(
    State(app): State<App>,
    method: Method,
    EntryId(id): EntryId,
    request: Request,
) -> Result<Response, ApiError> {
    app.ask(Lane::Read, move |vault| {
        vault.collection(CollectionId::new(id))
    })
    .await?;
    let Ids { ids } = json_body(request, JSON_IDS_BYTES_MAX).await?;
    let (ids, _) = require_all(&app, ids).await?;
    let waiting = Waiting {
        ids: ids.into(),
        layout: Layout::Flat,
    };
    send_selection(&app, &method, waiting).await
}

/// `POST /api/downloads`.
pub(crate) async fn issue(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    app.shelf.vault()?;
    let wanted: Wanted = json_body(request, JSON_IDS_BYTES_MAX).await?;
    let (ids, bytes, layout) = match wanted {
        Wanted {
            ids: Some(ids),
            selection: None,
        } => {
            let (ids, bytes) = require_all(&app, ids).await?;
            (ids, bytes, Layout::Flat)
        }
        Wanted {
            ids: None,
            selection: Some(selection),
        } => {
            let rule = selection.rule()?;
            let base = rule.of.within;
            let selected = selected(&app, rule).await?;
            let layout = if selected.one_place {
                Layout::Flat
            } else {
                Layout::Folders(base)
            };
            (selected.assets, selected.bytes, layout)
        }
        _ => {
            let message = "the body must have either ids or a selection";
            return Err(ApiError::bad_request("bad_json", message));
        }
    };
    if ids.is_empty() {
        let message = "nothing is selected, so there is nothing to download";
        return Err(ApiError::impossible("nothing_selected", message));
    }
    let count = ids.len() as u64;
    let waiting = Waiting {
        ids: ids.into(),
        layout,
    };
    let ticket = app.tickets.issue(waiting, Instant::now());
    Ok(json(
        StatusCode::CREATED,
        &wire::TicketUrl {
            url: format!("/api/downloads/{ticket}"),
            count,
            bytes,
            folders: layout != Layout::Flat,
        },
    ))
}

/// `GET /api/downloads/{ticket}`.
pub(crate) async fn ticket(
    State(app): State<App>,
    method: Method,
    Segment(ticket): Segment,
) -> Result<Response, ApiError> {
    app.shelf.vault()?;
    let waiting = app
        .tickets
        .look_up(&ticket, Instant::now())
        .ok_or_else(|| {
            let message = "this download has expired; select the files again";
            ApiError::new(StatusCode::NOT_FOUND, "unknown_ticket", message)
        })?;
    send_selection(&app, &method, waiting).await
}

async fn send_selection(
    app: &App,
    method: &Method,
    Waiting { ids, layout }: Waiting,
) -> Result<Response, ApiError> {
    send(app, method, move |vault| {
        let archive = match layout {
            Layout::Flat => Archive::of_assets(vault, ids)?,
            Layout::Folders(base) => Archive::of_assets_in_folders(vault, ids, base)?,
        };
        Ok((archive, SELECTION_NAME.to_vec()))
    })
    .await
}

/// Makes an archive and sends it, or for HEAD only says what would be sent.
async fn send(
    app: &App,
    method: &Method,
    make: impl FnOnce(&Vault) -> Result<(Archive, Vec<u8>), ReadError> + Send + 'static,
) -> Result<Response, ApiError> {
    let place = app.limits.download()?;
    let is_head = *method == Method::HEAD;
    let make = move |vault: &Vault| -> Result<_, ReadError> {
        let (archive, name) = make(vault)?;
        let pieces = if is_head {
            None
        } else {
            Some(Pieces::begin(archive.source)?)
        };
        Ok((archive.length, name, pieces))
    };
    let (length, name, pieces) = app.ask(Lane::Read, make).await?;
    let body = pieces.map_or_else(axum::body::Body::empty, |pieces| {
        pieces.into_body(app.lanes.clone(), place)
    });
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/zip"),
    );
    headers.insert(
        header::CONTENT_DISPOSITION,
        Disposition::Attachment.header(&name),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    Ok(response)
}
