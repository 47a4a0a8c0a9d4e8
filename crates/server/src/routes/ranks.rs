//! Where assets stand in a list or a search, so that a page can go to them without the rows before.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use compactvault_vault::{AssetId, CollectionId, ListQuery, PlaceId, Question};

use super::collections::list_query;
use super::search::{lies_in, within};
use crate::app::App;
use crate::blocking::Lane;
use crate::error::ApiError;
use crate::extract::{EntryId, Params, json, parse_id};
use crate::limits::RANKS_MAX;
use crate::wire;

/// `GET /api/search/rank`.
pub(crate) async fn in_search(
    State(app): State<App>,
    params: Params,
) -> Result<Response, ApiError> {
    let within = within(&params)?;
    answer(&app, &params, within, true).await
}

/// `GET /api/collections/{id}/rank`.
pub(crate) async fn in_collection(
    State(app): State<App>,
    EntryId(id): EntryId,
    params: Params,
) -> Result<Response, ApiError> {
    let within = PlaceId::Collection(CollectionId::new(id));
    answer(&app, &params, Some(within), false).await
}

async fn answer(
    app: &App,
    params: &Params,
    within: Option<PlaceId>,
    deep: bool,
) -> Result<Response, ApiError> {
    let ids = ids(params.get("ids").unwrap_or_default())?;
    let prefix = params.get("prefix").map(str::to_owned);
    let ListQuery {
        text,
        query,
        classes,
        sort,
        descending,
        all_versions,
        ..
    } = list_query(params)?;
    if all_versions {
        let message = "ranks are those of newest versions; leave versions=all out";
        return Err(ApiError::impossible("bad_versions", message));
    }
    let question = Question {
        within,
        deep,
        text,
        query,
        classes,
        sort,
        descending,
    };
    let contradiction = if deep { lies_in(params)? } else { None };
    let ask = move |vault: &compactvault_vault::Vault| -> Result<_, ApiError> {
        super::search::require_in(vault, contradiction)?;
        Ok(vault.ranks(&question, &ids, prefix.as_deref())?)
    };
    let ranks = app.ask(Lane::Read, ask).await?;
    Ok(json(StatusCode::OK, &wire::Standing::from(ranks)))
}

fn ids(text: &str) -> Result<Vec<AssetId>, ApiError> {
    let ids: Option<Vec<AssetId>> = text
        .split(',')
        .filter(|id| !text.is_empty() || !id.is_empty())
        .map(|id| parse_id(id.trim()).map(AssetId::new))
        .collect();
    let ids = ids.ok_or_else(|| {
        let message = "ids are positive whole numbers with commas between them";
        ApiError::bad_request("bad_id", message)
    })?;
    if ids.len() > RANKS_MAX {
        let message = format!("at most {RANKS_MAX} ids can be asked about at once");
        return Err(ApiError::bad_request("too_many_ids", message));
    }
    Ok(ids)
}
