//! Selections as rules: everything, some stretches of a list, some assets more or fewer. A page that shows a million
//! assets says with them what it means, and the server knows which those are.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use compactvault_vault::{
    AssetId, CollectionId, PlaceId, ProjectId, Question, Selected, Selection as Rule,
};
use serde::Deserialize;

use super::collections::{classes, descending, query, sort};
use crate::app::App;
use crate::blocking::Lane;
use crate::error::ApiError;
use crate::extract::{JsonId, json, json_body};
use crate::limits::{IDS_MAX, JSON_IDS_BYTES_MAX, RANGES_MAX};
use crate::wire;

/// A rule as it travels.
#[derive(Debug, Deserialize)]
pub(super) struct Selection {
    place: Place,
    q: Option<String>,
    query: Option<String>,
    types: Option<Vec<String>>,
    sort: Option<String>,
    order: Option<String>,
    deep: Option<bool>,
    all: Option<bool>,
    ranges: Option<Vec<(JsonId, JsonId)>>,
    with: Option<Vec<JsonId>>,
    without: Option<Vec<JsonId>>,
}

/// Where the list is of which something is selected.
#[derive(Debug, Deserialize)]
struct Place {
    collection: Option<JsonId>,
    project: Option<JsonId>,
    all: Option<bool>,
    deep: Option<bool>,
}

impl Selection {
    /// The rule, if it is one and within its bounds.
    pub(super) fn rule(self) -> Result<Rule, ApiError> {
        let within = match self.place {
            Place {
                collection: Some(id),
                project: None,
                all: None | Some(false),
                ..
            } => Some(PlaceId::Collection(CollectionId::new(id.seq()?))),
            Place {
                collection: None,
                project: Some(id),
                all: None | Some(false),
                ..
            } => Some(PlaceId::Project(ProjectId::new(id.seq()?))),
            Place {
                collection: None,
                project: None,
                all: Some(true),
                ..
            } => None,
            _ => {
                let message = "place must be one of {\"collection\": id}, {\"project\": id} and {\"all\": true}";
                return Err(ApiError::bad_request("bad_place", message));
            }
        };
        let types = self.types.unwrap_or_default();
        let text = self.query.unwrap_or_default();
        let given = |word: &Option<String>| word.clone().filter(|word| !word.is_empty());
        let ranges = self.ranges.unwrap_or_default();
        if ranges.len() > RANGES_MAX {
            let message = format!("at most {RANGES_MAX} ranges can be selected at once");
            return Err(ApiError::bad_request("too_many_ranges", message));
        }
        let ranges = ranges
            .into_iter()
            .map(|(first, last)| Ok((AssetId::new(first.seq()?), AssetId::new(last.seq()?))));
        Ok(Rule {
            of: Question {
                within,
                deep: self.deep.or(self.place.deep).unwrap_or(false),
                text,
                query: query(self.q.as_deref())?,
                classes: classes(types.iter().map(String::as_str).collect())?,
                sort: sort(given(&self.sort).as_deref())?,
                descending: descending(given(&self.order).as_deref())?,
            },
            all: self.all.unwrap_or(false),
            ranges: ranges.collect::<Result<_, ApiError>>()?,
            with: ids(self.with)?,
            without: ids(self.without)?,
        })
    }
}

fn ids(ids: Option<Vec<JsonId>>) -> Result<Vec<AssetId>, ApiError> {
    let ids = ids.unwrap_or_default();
    if ids.len() > IDS_MAX {
        let message =
            format!("at most {IDS_MAX} assets can be named one by one; say all, and which not");
        return Err(ApiError::bad_request("too_many_ids", message));
    }
    ids.into_iter()
        .map(|id| id.seq().map(AssetId::new))
        .collect()
}

/// The assets that a rule means now.
pub(super) async fn selected(app: &App, rule: Rule) -> Result<Selected, ApiError> {
    app.ask(Lane::Read, move |vault| vault.select(&rule)).await
}

/// `POST /api/selection`.
pub(crate) async fn count(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    app.shelf.vault()?;
    let selection: Selection = json_body(request, JSON_IDS_BYTES_MAX).await?;
    let selected = selected(&app, selection.rule()?).await?;
    Ok(json(
        StatusCode::OK,
        &wire::Selected {
            count: selected.assets.len() as u64,
            bytes: selected.bytes,
            log_size: selected.log_size,
        },
    ))
}
