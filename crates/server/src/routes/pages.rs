//! The page's own addresses: HTML for people, and the modules and styles it is made of.

use std::time::Instant;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use crate::access::{redirect, sign_in_page};
use crate::app::App;
use crate::assets::Page;
use crate::error::ApiError;

/// The addresses that the page understands by itself, and those of its parts.
pub(crate) fn router() -> Router<App> {
    let mut router = Router::new();
    for path in ["/", "/p/{id}", "/c/{id}", "/search", "/uploads", "/trust"] {
        router = router.route(path, get(index));
    }
    router
        .route("/vaults", get(vaults))
        .route("/favicon.ico", get(icon))
        .route("/v/{version}/{*path}", get(file))
}

async fn index(State(app): State<App>, headers: HeaderMap) -> Response {
    let page = if app.shelf.vault().is_ok() {
        Page::Index
    } else {
        Page::Vaults
    };
    html(&app, page, &headers).await
}

async fn vaults(State(app): State<App>, headers: HeaderMap) -> Response {
    html(&app, Page::Vaults, &headers).await
}

async fn html(app: &App, page: Page, headers: &HeaderMap) -> Response {
    match app.web.page(page, StatusCode::OK, headers, "").await {
        Ok(page) => page,
        Err(error) => ApiError::internal(&error).into_response(),
    }
}

/// `GET /sign-in`.
pub(crate) async fn sign_in(State(app): State<App>, headers: HeaderMap) -> Response {
    if app.auth.has_session(&headers, Instant::now()) {
        return redirect("/");
    }
    sign_in_page(&app, &headers, StatusCode::OK, "").await
}

async fn icon(State(app): State<App>) -> Response {
    redirect(&app.web.icon())
}

async fn file(
    State(app): State<App>,
    asked: Result<Path<(String, String)>, PathRejection>,
) -> Response {
    // What is not UTF-8 is no file of ours either.
    let (version, path) = asked.map(|Path(asked)| asked).unwrap_or_default();
    match app.web.file(&version, &path).await {
        Ok(Some(file)) => file,
        Ok(None) => {
            ApiError::not_found("this version of the page is not served any more; load it again")
                .into_response()
        }
        Err(error) => ApiError::internal(&error).into_response(),
    }
}
