//! A text of any size: some of its lines, with colours, and where something stands in it.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use compactvault_vault::{AssetId, AssetReader, ReadError};

use crate::app::App;
use crate::blocking::Lane;
use crate::content::{
    Found, Index, Line, QUERY_CHARS_MAX, Query, Snapshot, find, known, read_lines,
};
use crate::error::ApiError;
use crate::extract::{EntryId, Params, json};
use crate::highlight::{Painter, Span};
use crate::wire;

/// Lines of a window, if the request does not say.
const LINES: u64 = 500;
/// Lines of a window at most.
const LINES_MAX: u64 = 2000;
/// Hits of a search, if the request does not say.
const HITS: u64 = 100;
/// Hits of a search at most.
const HITS_MAX: u64 = 1000;

/// `GET /api/assets/{id}/text`.
pub(crate) async fn window(
    State(app): State<App>,
    EntryId(id): EntryId,
    params: Params,
) -> Result<Response, ApiError> {
    let line = params.number("line", "bad_line")?.unwrap_or(0);
    let count = params.count("lines", LINES, LINES_MAX)?;
    let (reader, known) = known::<Index>(&app, AssetId::new(id)).await?;
    let asset = reader.asset().clone();
    let painter = Painter::new(
        &known.first_line,
        &asset.media.format(asset.name.as_bytes()),
    );
    let language = painter.as_ref().map(Painter::language);
    let (lines, spans) = if let Some(fresh) = painter {
        painted(&app, reader, &known, fresh, (line, count)).await?
    } else {
        let known = known.clone();
        let read = move || read_lines(&reader, &known, line, count);
        (app.lanes.run(Lane::Read, read).await?, Vec::new())
    };
    let answer = wire::TextWindow::new((line, lines, spans), &known, asset.size, language);
    Ok(json(StatusCode::OK, &answer))
}

/// Lines, and the spans of those that were reached.
async fn painted(
    app: &App,
    reader: AssetReader,
    known: &Snapshot,
    fresh: Painter,
    (line, count): (u64, u64),
) -> Result<(Vec<Line>, Vec<Vec<Span>>), ApiError> {
    let sha256 = reader.asset().sha256;
    let (start, state) = app.contents.painters.before(&sha256, &fresh, line);
    let known = known.clone();
    let read = move || -> Result<_, ReadError> {
        let lead = read_lines(&reader, &known, start, line - start)?;
        Ok((lead, read_lines(&reader, &known, line, count)?))
    };
    let (lead, lines) = app.lanes.run(Lane::Read, read).await?;
    // Lines before the window that are too long to be read give no state.
    let is_whole = lead.len() as u64 == line - start;
    let (start, state, mut all) = if is_whole {
        (start, state, lead)
    } else {
        (line, fresh.clone(), Vec::new())
    };
    all.extend(lines.iter().cloned());
    let painting = {
        let app = app.clone();
        move || {
            let painters = &app.contents.painters;
            painters.paint(&sha256, &fresh, state, (start, line), &all)
        }
    };
    // A grammar that panics costs its colours and nothing else.
    let spans = app.lanes.start(Lane::Read, painting).await?.await;
    Ok((lines, spans.unwrap_or_default()))
}

/// `GET /api/assets/{id}/text/search`.
pub(crate) async fn search(
    State(app): State<App>,
    EntryId(id): EntryId,
    params: Params,
) -> Result<Response, ApiError> {
    let line = params.number("line", "bad_line")?.unwrap_or(0);
    let limit = params.count("limit", HITS, HITS_MAX)?;
    let case = matches!(params.get("case"), Some(value) if value != "0");
    let text = params.get("query").unwrap_or_default();
    let query = Query::new(text, case).ok_or_else(|| {
        let message = format!("query must be 1 to {QUERY_CHARS_MAX} characters of one line");
        ApiError::bad_request("bad_query", message)
    })?;
    let (reader, known) = known::<Index>(&app, AssetId::new(id)).await?;
    let limit = usize::try_from(limit).expect("at most a thousand");
    let look = move || find(&reader, &known, &query, line, limit);
    let found: Found = app.lanes.run(Lane::Read, look).await?;
    Ok(json(StatusCode::OK, &wire::TextHits::from(found)))
}
