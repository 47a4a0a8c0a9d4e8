//! Searching for names in a place and all below it, or in the whole vault.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use compactvault_vault::{CollectionId, PlaceId, ProjectId, SearchQuery};

use super::collections::list_query;
use crate::app::App;
use crate::blocking::Lane;
use crate::error::ApiError;
use crate::extract::{Params, json};
use crate::wire;

/// `GET /api/search`.
pub(crate) async fn search(State(app): State<App>, params: Params) -> Result<Response, ApiError> {
    let within = match (params.id("project")?, params.id("collection")?) {
        (None, None) => None,
        (Some(project), None) => Some(PlaceId::Project(ProjectId::new(project))),
        (None, Some(collection)) => Some(PlaceId::Collection(CollectionId::new(collection))),
        (Some(_), Some(_)) => {
            let message = "name a project or a collection, not both";
            return Err(ApiError::bad_request("bad_place", message));
        }
    };
    let list = list_query(&params)?;
    let query = SearchQuery {
        within,
        text: list.text,
        classes: list.classes,
        sort: list.sort,
        descending: list.descending,
        offset: list.offset,
        limit: list.limit,
    };
    let page = app
        .ask(Lane::Read, move |vault| vault.search(&query))
        .await?;
    Ok(json(StatusCode::OK, &wire::SearchPage::from(&page)))
}
