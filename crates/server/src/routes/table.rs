//! Rows of a CSV or TSV file.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use compactvault_vault::AssetId;

use crate::app::App;
use crate::blocking::Lane;
use crate::content::{TableIndex, known, read_rows};
use crate::error::ApiError;
use crate::extract::{EntryId, Params, json};
use crate::wire;

/// Rows of a window, if the request does not say.
const ROWS: u64 = 200;
/// Rows of a window at most.
const ROWS_MAX: u64 = 1000;

/// `GET /api/assets/{id}/table`.
pub(crate) async fn window(
    State(app): State<App>,
    EntryId(id): EntryId,
    params: Params,
) -> Result<Response, ApiError> {
    let row = params.number("row", "bad_row")?.unwrap_or(0);
    let count = params.count("rows", ROWS, ROWS_MAX)?;
    let (reader, known) = known::<TableIndex>(&app, AssetId::new(id)).await?;
    let read = {
        let known = known.clone();
        move || read_rows(&reader, &known, row, count)
    };
    let rows = app.lanes.run(Lane::Read, read).await?;
    Ok(json(
        StatusCode::OK,
        &wire::TableWindow::new(row, rows, &known),
    ))
}
