//! The language of the search box: words, phrases and filters such as `type:image size:>10mb -draft`.
//!
//! Pure: text in, terms and an account of how each was read out. Everything can be read: what is no filter is a word, and
//! the account says so, so that nobody has to guess why something was found or not. Which assets match is decided by
//! `store::search`, which knows the places that `in:` names.

mod facts;
mod filters;
mod lexer;
pub(crate) mod near;
mod times;
mod values;

use std::ops::Range;

pub use self::facts::{FactSet, FactSource};
use self::lexer::{Lexeme, lexemes};
pub use self::values::{Bounds, ContentPrefix, FactIs, FactTest, Period};
use crate::media::MediaClass;

/// Terms that count; what follows is read as one that does not. People write three, programs some more.
pub const TERMS_MAX: usize = 64;

/// A query as it was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// All of them must match.
    pub terms: Vec<Term>,
    /// How each piece of the text was read, in its order. Together they cover every character that is no space.
    pub read: Vec<ReadTerm>,
}

/// One condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// Whether it must not hold.
    pub negated: bool,
    /// What must hold.
    pub test: Test,
    /// Its place in [`Query::read`].
    pub read: usize,
}

/// What can be asked of an asset.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// The name contains a text, as it was typed.
    Name(String),
    /// It is of one of these.
    Types(Vec<MediaClass>),
    /// The name ends in one of these after a dot; as typed.
    Extensions(Vec<String>),
    /// Bytes.
    Size(Bounds),
    /// When it was sealed.
    Added(Period),
    /// Modification time of the source; what has none matches no period.
    Modified(Period),
    /// It lies in a place of that name or path, or below one.
    In(String),
    /// Its name has several versions.
    Versioned,
    /// Its SHA-256 begins so.
    Content(ContentPrefix),
    /// Something known from its content.
    Fact(FactTest),
}

/// What kind of term a piece of the text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadKind {
    /// A part of the name.
    Word,
    /// Something else that is asked of assets.
    Filter,
    /// It looks like a filter and is none, so it was read as a word; or it names nothing.
    Unknown,
}

/// How a piece of the text was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadTerm {
    /// Where in the text, in bytes of its UTF-8, on character boundaries.
    pub range: Range<usize>,
    /// What kind of term it is.
    pub kind: ReadKind,
    /// The filter, by its usual name.
    pub key: Option<&'static str>,
    /// What it asks for, in words.
    pub meaning: String,
    /// What may have been meant, to be put in place of the piece or of its beginning up to the colon.
    pub suggestion: Option<String>,
}

impl Query {
    /// Reads a text. Never fails; takes time in proportion to its length.
    pub fn parse(text: &str) -> Self {
        let mut query = Self::default();
        let mut pieces = lexemes(text);
        for lexeme in pieces.by_ref().take(TERMS_MAX) {
            query.add(lexeme);
        }
        if let Some(first) = pieces.next() {
            let end = pieces.last().map_or(first.range.end, |last| last.range.end);
            query.read.push(ReadTerm {
                range: first.range.start..end,
                kind: ReadKind::Unknown,
                key: None,
                meaning: format!("left out: a query has at most {TERMS_MAX} terms"),
                suggestion: None,
            });
        }
        query
    }

    /// Whether everything matches.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// The words and phrases that names must contain, as typed: what ranking goes by and what can be highlighted.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().filter_map(|term| match &term.test {
            Test::Name(text) if !term.negated => Some(text.as_str()),
            _ => None,
        })
    }

    fn add(&mut self, lexeme: Lexeme) {
        let Lexeme {
            range,
            negated,
            key,
            value,
        } = lexeme;
        let read = match key {
            Some(key) => filters::read(&key, &value),
            None => filters::word(value),
        };
        let meaning = if negated && read.test.is_some() {
            format!("not: {}", read.meaning)
        } else {
            read.meaning
        };
        let at = self.read.len();
        self.terms.extend(read.test.map(|test| Term {
            negated,
            test,
            read: at,
        }));
        self.read.push(ReadTerm {
            range,
            kind: read.kind,
            key: read.key,
            meaning,
            suggestion: read.suggestion,
        });
    }
}

#[cfg(test)]
mod tests;
