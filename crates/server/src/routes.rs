//! The routes, one module per resource, and the one table that the router, the `Allow` headers and the comparison with
//! the `OpenAPI` description are made from.

mod assets;
mod collections;
mod downloads;
pub(crate) mod pages;
mod projects;
mod search;
mod sign_in;
mod status;
pub(crate) mod uploads;
mod vaults;
mod whole;

use axum::http::Method;
use axum::routing::{MethodRouter, get, post};

use crate::app::App;

/// One row of the table.
pub(crate) struct Route {
    /// GET or POST; GET answers HEAD as well.
    pub(crate) method: Method,
    /// With `{names}` for single segments.
    pub(crate) path: &'static str,
    /// What answers.
    pub(crate) handler: MethodRouter<App>,
}

/// Every route of docs/http-api.md but for the page's own addresses.
#[rustfmt::skip]
pub(crate) fn table() -> Vec<Route> {
    let get_ = |path, handler| Route { method: Method::GET, path, handler };
    let post_ = |path, handler| Route { method: Method::POST, path, handler };
    vec![
        post_("/sign-in", post(sign_in::sign_in)),
        post_("/sign-out", post(sign_in::sign_out)),
        get_("/api/vaults", get(vaults::list)),
        post_("/api/select_db", post(vaults::select)),
        get_("/api/status", get(status::status)),
        get_("/api/checkpoint", get(status::checkpoint)),
        get_("/api/events", get(status::events)),
        post_("/api/maintenance/vacuum", post(status::vacuum)),
        get_("/api/openapi.json", get(status::openapi)),
        get_("/api/projects", get(projects::list)),
        post_("/api/projects", post(projects::create)),
        get_("/api/projects/{id}", get(projects::one)),
        get_("/api/projects/{id}/collections", get(projects::collections)),
        get_("/api/projects/{id}/download", get(downloads::project)),
        post_("/api/collections", post(collections::create)),
        get_("/api/collections/{id}", get(collections::one)),
        get_("/api/collections/{id}/assets", get(collections::assets)),
        post_("/api/collections/{id}/assets", post(whole::archive)),
        get_("/api/collections/{id}/download", get(downloads::collection)),
        post_("/api/collections/{id}/assets/download", post(downloads::selection)),
        get_("/api/search", get(search::search)),
        get_("/api/assets/{id}", get(assets::bytes)),
        get_("/api/assets/{id}/preview", get(assets::preview)),
        post_("/api/upload/chunk", post(uploads::part)),
        post_("/api/upload/complete", post(uploads::complete)),
        get_("/api/uploads", get(uploads::unfinished)),
        get_("/api/uploads/{upload_id}", get(uploads::one)),
        post_("/api/downloads", post(downloads::issue)),
        get_("/api/downloads/{ticket}", get(downloads::ticket)),
    ]
}
