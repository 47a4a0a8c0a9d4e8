//! JSON shapes of windows into content: lines, hits, rows, members.

use compactvault_preview::members::{Listing, Member};
use serde::Serialize;

use crate::content;
use crate::highlight::Span;

/// Some lines of a text.
#[derive(Debug, Serialize)]
pub(crate) struct TextWindow {
    line: u64,
    lines: Vec<TextLine>,
    total_lines: u64,
    complete: bool,
    encoding: &'static str,
    bytes: u64,
    language: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct TextLine {
    text: String,
    highlight: Vec<Span>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cut: bool,
}

impl TextWindow {
    /// Lines from the given one on, with spans for as many as were coloured.
    pub(crate) fn new(
        (line, lines, spans): (u64, Vec<content::Line>, Vec<Vec<Span>>),
        known: &content::Snapshot,
        bytes: u64,
        language: Option<&'static str>,
    ) -> Self {
        let spans = spans.into_iter().chain(std::iter::repeat(Vec::new()));
        let lines = lines
            .into_iter()
            .zip(spans)
            .map(|(line, highlight)| TextLine {
                text: line.text,
                highlight,
                cut: line.is_cut,
            });
        Self {
            line,
            lines: lines.collect(),
            total_lines: known.lines,
            complete: known.is_complete,
            encoding: known.writing.encoding.name(),
            bytes,
            language,
        }
    }
}

/// Where something stands in a text.
#[derive(Debug, Serialize)]
pub(crate) struct TextHits {
    hits: Vec<TextHit>,
    next_line: Option<u64>,
}

#[derive(Debug, Serialize)]
struct TextHit {
    line: u64,
    start: u64,
    end: u64,
}

impl From<content::Found> for TextHits {
    fn from(found: content::Found) -> Self {
        let hits = found.hits.into_iter().map(|hit| TextHit {
            line: hit.line,
            start: hit.start,
            end: hit.end,
        });
        Self {
            hits: hits.collect(),
            next_line: found.next_line,
        }
    }
}

/// Some rows of a table.
#[derive(Debug, Serialize)]
pub(crate) struct TableWindow {
    header: Option<Vec<String>>,
    rows: Vec<Vec<String>>,
    row: u64,
    total_rows: Option<u64>,
    columns: usize,
    delimiter: char,
}

impl TableWindow {
    /// Rows from the given one on.
    pub(crate) fn new(row: u64, rows: Vec<Vec<String>>, known: &content::TableSnapshot) -> Self {
        Self {
            header: known.header.clone(),
            rows,
            row,
            total_rows: known.is_complete.then(|| known.rows()),
            columns: known.columns,
            delimiter: known.delimiter.into(),
        }
    }
}

/// A page of what is in an archive.
#[derive(Debug, Serialize)]
pub(crate) struct Members<'a> {
    format: &'a str,
    #[serde(rename = "members")]
    page: &'a [Member],
    total: u64,
    bytes: u64,
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

impl<'a> Members<'a> {
    /// At most `limit` members from `offset` on.
    pub(crate) fn new(listing: &'a Listing, offset: u64, limit: u64) -> Self {
        let held = listing.members.len() as u64;
        let from = offset.min(held);
        let to = from.saturating_add(limit).min(held);
        let place = |at: u64| usize::try_from(at).expect("no more than there are");
        Self {
            format: &listing.format,
            page: &listing.members[place(from)..place(to)],
            total: listing.total,
            bytes: listing.bytes,
            complete: listing.complete,
            message: listing.message.as_deref(),
        }
    }
}
