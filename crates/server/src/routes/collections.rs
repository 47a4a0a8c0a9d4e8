//! Collections and the lists of their assets.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use compactvault_vault::query::Query;
use compactvault_vault::{
    CollectionId, ListPage, ListQuery, MediaClass, Name, PlaceId, ProjectId, SortBy, Vault,
};
use serde::Deserialize;

use crate::app::App;
use crate::blocking::Lane;
use crate::error::ApiError;
use crate::extract::{EntryId, JsonId, Params, json, json_body};
use crate::limits::{JSON_BYTES_MAX, Q_BYTES_MAX};
use crate::wire;

/// Assets in one answer, unless asked for otherwise, and at most.
const LIMIT_DEFAULT: u64 = 50;
const LIMIT_MAX: u64 = 1000;

#[derive(Deserialize)]
struct NewCollection {
    project_id: JsonId,
    name: String,
    #[serde(rename = "type")]
    type_word: Option<String>,
    parent_id: Option<JsonId>,
}

/// `POST /api/collections`.
pub(crate) async fn create(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    app.shelf.vault()?;
    let new: NewCollection = json_body(request, JSON_BYTES_MAX).await?;
    let name = Name::new(new.name)?;
    let type_word = new.type_word.unwrap_or_else(|| "collection".into());
    let project = ProjectId::new(new.project_id.seq()?);
    let parent = new
        .parent_id
        .map(JsonId::seq)
        .transpose()?
        .map(CollectionId::new);
    let create = move |vault: &Vault| -> Result<_, ApiError> {
        let parent = parent_place(vault, project, parent)?;
        Ok(vault.create_collection(parent, name, &type_word)?)
    };
    let (collection, created) = app.ask(Lane::Commit, create).await?;
    let status = if created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(json(status, &wire::CollectionCreated::from(&collection)))
}

/// Where the new collection hangs, if the parent that was named lies in the project that was named.
fn parent_place(
    vault: &Vault,
    project: ProjectId,
    parent: Option<CollectionId>,
) -> Result<PlaceId, ApiError> {
    vault.project(project)?;
    let Some(parent) = parent else {
        return Ok(PlaceId::Project(project));
    };
    let actual = vault.collection(parent)?.project;
    if actual == project {
        return Ok(PlaceId::Collection(parent));
    }
    let message = format!("collection {parent} lies in project {actual}, not in {project}");
    Err(ApiError::new(
        StatusCode::CONFLICT,
        "parent_not_in_project",
        message,
    ))
}

/// `GET /api/collections/{id}`.
pub(crate) async fn one(
    State(app): State<App>,
    EntryId(id): EntryId,
) -> Result<Response, ApiError> {
    let collection = app
        .ask_here(move |vault| vault.collection(CollectionId::new(id)))
        .await?;
    Ok(json(StatusCode::OK, &wire::Collection::from(&collection)))
}

/// `GET /api/collections/{id}/assets`.
pub(crate) async fn assets(
    State(app): State<App>,
    EntryId(id): EntryId,
    params: Params,
) -> Result<Response, ApiError> {
    let query = list_query(&params)?;
    let is_tagged = params.get("tag").is_some();
    let list = move |vault: &Vault| -> Result<ListPage, ApiError> {
        if is_tagged {
            // No asset has a tag; the collection must exist all the same.
            vault.collection(CollectionId::new(id))?;
            return Ok(ListPage {
                log_size: vault.log_size()?,
                read: query.query.read.clone(),
                ..ListPage::default()
            });
        }
        Ok(vault.list(CollectionId::new(id), &query)?)
    };
    let page = app.ask_here(list).await?;
    let q = params.get("q").unwrap_or_default();
    Ok(json(StatusCode::OK, &wire::AssetPage::new(&page, q)))
}

/// Which assets a list or a search asks for.
pub(super) fn list_query(params: &Params) -> Result<ListQuery, ApiError> {
    let limit = params
        .number("limit", "bad_limit")?
        .unwrap_or(LIMIT_DEFAULT);
    if limit == 0 {
        return Err(ApiError::bad_request(
            "bad_limit",
            "limit must be 1 or more",
        ));
    }
    let classes = classes(
        params
            .get("type")
            .map_or(Vec::new(), |words| words.split(',').collect()),
    )?;
    let sort = sort(params.get("sort"))?;
    let query = query(params.get("q"))?;
    let all_versions = is_second(params.get("versions"), ("newest", "all"), "versions")?;
    if all_versions && !query.is_empty() {
        let message =
            "q finds newest versions alone; leave versions=all out, or ask for them with query";
        return Err(ApiError::impossible("bad_versions", message));
    }
    Ok(ListQuery {
        offset: params
            .number("offset", "bad_offset")?
            .unwrap_or(0)
            .min(i64::MAX.unsigned_abs()),
        limit: limit.min(LIMIT_MAX),
        text: params.get("query").unwrap_or_default().to_owned(),
        classes,
        sort,
        descending: descending(params.get("order"))?,
        query,
        all_versions,
    })
}

/// A query in the query language.
pub(super) fn query(text: Option<&str>) -> Result<Query, ApiError> {
    let text = text.unwrap_or_default();
    if text.len() <= Q_BYTES_MAX {
        return Ok(Query::parse(text));
    }
    let message = format!("q can have at most {Q_BYTES_MAX} bytes");
    Err(ApiError::bad_request("q_too_long", message))
}

/// Types by their words.
pub(super) fn classes(words: Vec<&str>) -> Result<Vec<MediaClass>, ApiError> {
    let class = |word: &str| {
        MediaClass::from_word(word.trim()).ok_or_else(|| {
            let message = format!(
                "there is no type “{word}”; the types are text, image, audio, video, 3d and binary"
            );
            ApiError::bad_request("bad_type", message)
        })
    };
    words.into_iter().map(class).collect()
}

/// An order by its word.
pub(super) fn sort(word: Option<&str>) -> Result<SortBy, ApiError> {
    Ok(match word.unwrap_or("name") {
        "name" => SortBy::Name,
        "size" => SortBy::Size,
        "added" => SortBy::Added,
        "modified" => SortBy::Modified,
        "type" => SortBy::Type,
        "rank" => SortBy::Rank,
        _ => {
            let message = "sort must be name, size, added, modified, type or rank";
            return Err(ApiError::bad_request("bad_sort", message));
        }
    })
}

/// Whether an order runs backwards.
pub(super) fn descending(word: Option<&str>) -> Result<bool, ApiError> {
    is_second(word, ("asc", "desc"), "order")
}

/// Whether a parameter has the second of its two words; absent means the first.
fn is_second(
    word: Option<&str>,
    (first, second): (&str, &str),
    name: &'static str,
) -> Result<bool, ApiError> {
    match word {
        None => Ok(false),
        Some(word) if word == first => Ok(false),
        Some(word) if word == second => Ok(true),
        Some(_) => {
            let code = if name == "order" {
                "bad_order"
            } else {
                "bad_versions"
            };
            let message = format!("{name} must be {first} or {second}");
            Err(ApiError::bad_request(code, message))
        }
    }
}
