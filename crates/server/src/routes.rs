//! The routes, one module per resource, and the one table that the router, the `Allow` headers and the comparison with
//! the `OpenAPI` description are made from.

mod assets;
mod batch;
mod collections;
mod document;
mod downloads;
mod known;
mod looks;
mod members;
mod model;
pub(crate) mod pages;
mod projects;
mod proving;
mod ranks;
mod search;
mod selection;
mod sign_in;
mod status;
mod table;
mod text;
pub(crate) mod uploads;
mod vaults;
mod verification;
mod whole;

use axum::http::Method;
use axum::routing::{MethodRouter, get, post};

use crate::app::App;
use crate::auth::Needs;

/// One row of the table.
pub(crate) struct Route {
    /// GET or POST; GET answers HEAD as well.
    pub(crate) method: Method,
    /// With `{names}` for single segments.
    pub(crate) path: &'static str,
    /// Of a token.
    pub(crate) needs: Needs,
    /// What answers.
    pub(crate) handler: MethodRouter<App>,
}

/// Every route of docs/http-api.md but for the page's own addresses.
#[rustfmt::skip]
pub(crate) fn table() -> Vec<Route> {
    use Needs::{Add, All, Any, Read};
    let get_ = |needs, path, handler| Route { method: Method::GET, path, needs, handler };
    let post_ = |needs, path, handler| Route { method: Method::POST, path, needs, handler };
    vec![
        get_(Any, "/sign-in", get(pages::sign_in)),
        post_(All, "/sign-in", post(sign_in::sign_in)),
        post_(All, "/sign-out", post(sign_in::sign_out)),
        get_(Any, "/healthz", get(status::health)),
        get_(Any, "/metrics", get(status::metrics)),
        get_(All, "/api/vaults", get(vaults::list)),
        post_(All, "/api/select_db", post(vaults::select)),
        get_(Any, "/api/status", get(status::status)),
        get_(Read, "/api/checkpoint", get(status::checkpoint)),
        post_(Read, "/api/checkpoint/compare", post(proving::compare)),
        get_(Read, "/api/events", get(status::events)),
        post_(All, "/api/maintenance/vacuum", post(status::vacuum)),
        get_(Read, "/api/verification", get(verification::state)),
        post_(All, "/api/verification", post(verification::start)),
        post_(All, "/api/verification/stop", post(verification::stop)),
        get_(Any, "/api/openapi.json", get(status::openapi)),
        get_(Read, "/api/projects", get(projects::list)),
        post_(Add, "/api/projects", post(projects::create)),
        get_(Read, "/api/projects/{id}", get(projects::one)),
        get_(Read, "/api/projects/{id}/collections", get(projects::collections)),
        get_(Read, "/api/projects/{id}/download", get(downloads::project)),
        post_(Add, "/api/collections", post(collections::create)),
        get_(Read, "/api/collections/{id}", get(collections::one)),
        get_(Read, "/api/collections/{id}/assets", get(collections::assets)),
        post_(Add, "/api/collections/{id}/assets", post(whole::archive)),
        post_(Add, "/api/collections/{id}/batch", post(batch::archive)),
        get_(Read, "/api/collections/{id}/download", get(downloads::collection)),
        post_(Read, "/api/collections/{id}/assets/download", post(downloads::selection)),
        get_(Read, "/api/search", get(search::search)),
        get_(Read, "/api/search/rank", get(ranks::in_search)),
        get_(Read, "/api/collections/{id}/rank", get(ranks::in_collection)),
        post_(Read, "/api/selection", post(selection::count)),
        get_(Read, "/api/assets/{id}", get(assets::bytes)),
        get_(Read, "/api/assets/{id}/preview", get(assets::preview)),
        get_(Read, "/api/assets/{id}/text", get(text::window)),
        get_(Read, "/api/assets/{id}/text/search", get(text::search)),
        get_(Read, "/api/assets/{id}/table", get(table::window)),
        get_(Read, "/api/assets/{id}/members", get(members::list)),
        get_(Read, "/api/assets/{id}/document", get(document::read)),
        get_(Read, "/api/assets/{id}/model", get(model::read)),
        get_(Read, "/api/assets/{id}/places", get(proving::places)),
        get_(Read, "/api/assets/{id}/proof", get(proving::proof)),
        post_(Add, "/api/known", post(known::known)),
        get_(Read, "/api/assets/{id}/thumbnail", get(looks::thumbnail)),
        get_(Read, "/api/assets/{id}/facts", get(looks::facts)),
        post_(Add, "/api/upload/chunk", post(uploads::part)),
        post_(Add, "/api/upload/complete", post(uploads::complete)),
        get_(Any, "/api/uploads", get(uploads::unfinished)),
        get_(Any, "/api/uploads/{upload_id}", get(uploads::one)),
        post_(Read, "/api/downloads", post(downloads::issue)),
        get_(Read, "/api/downloads/{ticket}", get(downloads::ticket)),
    ]
}
