//! How a query was read, with places in it counted as browsers count; where assets stand; what a selection amounts to.

use compactvault_vault as vault;
use compactvault_vault::query::{ReadKind, ReadTerm as Read};
use serde::Serialize;

/// One term of a query.
#[derive(Debug, Serialize)]
pub(crate) struct ReadTerm {
    /// In UTF-16 code units of `q`.
    start: usize,
    end: usize,
    text: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'static str>,
    meaning: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestion: Option<String>,
}

/// The terms of `q` in order.
pub(crate) fn read_terms(read: &[Read], q: &str) -> Vec<ReadTerm> {
    let (mut bytes, mut units) = (0, 0);
    // Terms follow each other, so that the text is gone through once.
    let mut units_at = |at: usize| {
        units += q
            .get(bytes..at)
            .map_or(0, |text| text.encode_utf16().count());
        bytes = at;
        units
    };
    read.iter()
        .map(|term| ReadTerm {
            start: units_at(term.range.start),
            end: units_at(term.range.end),
            text: q.get(term.range.clone()).unwrap_or_default().to_owned(),
            kind: match term.kind {
                ReadKind::Word => "word",
                ReadKind::Filter => "filter",
                ReadKind::Unknown => "unknown",
            },
            key: term.key,
            meaning: term.meaning.clone(),
            suggestion: term.suggestion.clone(),
        })
        .collect()
}

/// What a selection amounts to.
#[derive(Debug, Serialize)]
pub(crate) struct Selected {
    pub(crate) count: u64,
    pub(crate) bytes: u64,
    pub(crate) log_size: u64,
}

/// Where assets stand.
#[derive(Debug, Serialize)]
pub(crate) struct Standing {
    ranks: Vec<Option<u64>>,
    prefix_rank: Option<u64>,
    total: u64,
    log_size: u64,
}

impl From<vault::Ranks> for Standing {
    fn from(ranks: vault::Ranks) -> Self {
        Self {
            ranks: ranks.ranks,
            prefix_rank: ranks.prefix,
            total: ranks.total,
            log_size: ranks.log_size,
        }
    }
}
