//! Projects.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use compactvault_vault::{Name, ProjectId};
use serde::Deserialize;

use crate::app::App;
use crate::blocking::Lane;
use crate::error::ApiError;
use crate::extract::{EntryId, json, json_body};
use crate::limits::JSON_BYTES_MAX;
use crate::wire;

/// `GET /api/projects`.
pub(crate) async fn list(State(app): State<App>) -> Result<Response, ApiError> {
    let projects = app
        .ask(Lane::Read, compactvault_vault::Vault::projects)
        .await?;
    let wire: Vec<_> = projects.iter().map(wire::Project::from).collect();
    Ok(json(StatusCode::OK, &wire))
}

#[derive(Deserialize)]
struct NewProject {
    name: String,
    #[serde(rename = "type")]
    type_word: Option<String>,
    description: Option<String>,
}

/// `POST /api/projects`.
pub(crate) async fn create(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    app.shelf.vault()?;
    let new: NewProject = json_body(request, JSON_BYTES_MAX).await?;
    let name = Name::new(new.name)?;
    let type_word = new.type_word.unwrap_or_else(|| "project".into());
    let description = new.description.unwrap_or_default();
    let create = move |vault: &compactvault_vault::Vault| {
        vault.create_project(name, &type_word, &description)
    };
    let (project, created) = app.ask(Lane::Commit, create).await?;
    let status = if created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(json(status, &wire::ProjectCreated::from(&project)))
}

/// `GET /api/projects/{id}`.
pub(crate) async fn one(
    State(app): State<App>,
    EntryId(id): EntryId,
) -> Result<Response, ApiError> {
    let project = app
        .ask(Lane::Read, move |vault| vault.project(ProjectId::new(id)))
        .await?;
    Ok(json(StatusCode::OK, &wire::Project::from(&project)))
}

/// `GET /api/projects/{id}/collections`.
pub(crate) async fn collections(
    State(app): State<App>,
    EntryId(id): EntryId,
) -> Result<Response, ApiError> {
    let collections = app
        .ask(Lane::Read, move |vault| {
            vault.collections(ProjectId::new(id))
        })
        .await?;
    let wire: Vec<_> = collections.iter().map(wire::Collection::from).collect();
    Ok(json(StatusCode::OK, &wire))
}
