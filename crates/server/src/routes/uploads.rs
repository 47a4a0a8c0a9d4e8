//! Uploads: parts, completion, and what became of them.

use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use compactvault_vault::Vault;

use crate::app::App;
use crate::error::ApiError;
use crate::extract::Params;

pub(crate) async fn part(
    State(app): State<App>,
    _params: Params,
    _request: Request,
) -> Result<Response, ApiError> {
    let _place = app.limits.part()?;
    Err(ApiError::busy())
}
pub(crate) async fn complete(
    State(_app): State<App>,
    _request: Request,
) -> Result<Response, ApiError> {
    Err(ApiError::busy())
}
pub(crate) async fn one(
    State(_app): State<App>,
    Path(_id): Path<String>,
) -> Result<Response, ApiError> {
    Err(ApiError::busy())
}
pub(crate) async fn unfinished(State(_app): State<App>) -> Result<Response, ApiError> {
    Err(ApiError::busy())
}
pub(crate) fn unfinished_count(_vault: &Vault) -> Result<u64, ApiError> {
    Ok(0)
}
pub(crate) fn tell_events(_app: &App) {}
pub(crate) fn drain(_vault: &Vault, _within: Duration) -> (u64, u64, u64) {
    (0, 0, 0)
}
