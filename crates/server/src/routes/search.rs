//! Searching for names in a place and all below it, or in the whole vault.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use compactvault_vault::{CollectionId, PlaceId, ProjectId, SearchQuery, Vault};

use super::collections::list_query;
use crate::app::App;
use crate::error::ApiError;
use crate::extract::{Params, json};
use crate::wire;

/// `GET /api/search`.
pub(crate) async fn search(State(app): State<App>, params: Params) -> Result<Response, ApiError> {
    let within = within(&params)?;
    let lies_in = lies_in(&params)?;
    let list = list_query(&params)?;
    let query = SearchQuery {
        within,
        text: list.text,
        query: list.query,
        classes: list.classes,
        sort: list.sort,
        descending: list.descending,
        offset: list.offset,
        limit: list.limit,
    };
    let page = app
        .ask_here(move |vault| -> Result<_, ApiError> {
            require_in(vault, lies_in)?;
            Ok(vault.search(&query)?)
        })
        .await?;
    let q = params.get("q").unwrap_or_default();
    Ok(json(StatusCode::OK, &wire::SearchPage::new(&page, q)))
}

/// The place that a search looks in.
pub(super) fn within(params: &Params) -> Result<Option<PlaceId>, ApiError> {
    Ok(match (params.id("project")?, params.id("collection")?) {
        (None, None) => None,
        (Some(project), None) => Some(PlaceId::Project(ProjectId::new(project))),
        (_, Some(collection)) => Some(PlaceId::Collection(CollectionId::new(collection))),
    })
}

/// Project and collection, where both are named.
pub(super) fn lies_in(params: &Params) -> Result<Option<(ProjectId, CollectionId)>, ApiError> {
    let both = params.id("project")?.zip(params.id("collection")?);
    Ok(both.map(|(project, collection)| (ProjectId::new(project), CollectionId::new(collection))))
}

/// Fails unless the collection lies in the project.
pub(super) fn require_in(
    vault: &Vault,
    both: Option<(ProjectId, CollectionId)>,
) -> Result<(), ApiError> {
    let Some((project, collection)) = both else {
        return Ok(());
    };
    if vault.collection(collection)?.project == project {
        return Ok(());
    }
    let message = "this collection does not lie in that project";
    Err(ApiError::not_found(message))
}
