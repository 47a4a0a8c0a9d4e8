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
        (_, Some(collection)) => Some(PlaceId::Collection(CollectionId::new(collection))),
    };
    let lies_in = params.id("project")?.zip(params.id("collection")?);
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
        .ask(Lane::Read, move |vault| -> Result<_, ApiError> {
            if let Some((project, collection)) = lies_in
                && vault
                    .collection(CollectionId::new(collection))?
                    .project
                    .get()
                    != project.get()
            {
                let message = "this collection does not lie in that project";
                return Err(ApiError::not_found(message));
            }
            Ok(vault.search(&query)?)
        })
        .await?;
    Ok(json(StatusCode::OK, &wire::SearchPage::from(&page)))
}
