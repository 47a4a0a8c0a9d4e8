//! A query made ready for the catalog: words folded, places looked up, facts asked for.

use rusqlite::Connection;

use super::catalog::Shared;
use super::places::{self, Called};
use super::read;
use crate::catalog::{Catalog, Filter, Test, class_bits};
use crate::error::ReadError;
use crate::ids::Seq;
use crate::natural_order::fold;
use crate::query::{self, ContentPrefix, FactSet, Query, ReadKind, ReadTerm, Term};

/// Entries whose SHA-256 begins with 8 given bytes that are compared in full: more than one would have to be made so.
const ALIKE_MAX: usize = 10_000;

/// The conditions of a query in this snapshot, and how each of its terms was read.
pub(super) fn of(
    connection: &Connection,
    query: &Query,
    catalog: &Catalog,
    shared: &Shared,
) -> Result<(Filter, Vec<ReadTerm>), ReadError> {
    let mut filter = Filter::default();
    let mut read = query.read.clone();
    for term in &query.terms {
        let test = match &term.test {
            query::Test::Name(text) => {
                let text = fold(text);
                // Nothing but accents: in every name.
                if !term.negated || text.is_empty() {
                    filter.texts.push(text);
                    continue;
                }
                Test::Name(text)
            }
            query::Test::Types(classes) => Test::Classes(class_bits(classes)),
            query::Test::Extensions(ends) => {
                Test::Ends(ends.iter().map(|end| format!(".{}", fold(end))).collect())
            }
            query::Test::Size(bounds) => Test::Size(*bounds),
            query::Test::Added(period) => Test::Added(*period),
            query::Test::Modified(period) => Test::Modified(*period),
            query::Test::Versioned => Test::Versioned,
            query::Test::Content(prefix) => content(connection, prefix, catalog)?,
            query::Test::Fact(test) => {
                let known = shared.facts().map(|source| source.contents(test));
                if known.is_none() {
                    let read = &mut read[term.read];
                    read.kind = ReadKind::Unknown;
                    read.meaning = format!("{}: nothing is known from contents here", read.meaning);
                }
                Test::Facts(test.clone(), known.unwrap_or_else(|| FactSet::new(0, [])))
            }
            query::Test::In(path) => place(connection, (term, path), &mut read[term.read], shared)?,
        };
        filter.tests.push((term.negated, test));
    }
    Ok((filter, read))
}

/// Eight bytes of a digest are in the catalog; where more are asked for, those that begin alike are compared in full.
fn content(
    connection: &Connection,
    prefix: &ContentPrefix,
    catalog: &Catalog,
) -> Result<Test, ReadError> {
    let (value, mask) = prefix.head();
    let mut except = Vec::new();
    if !prefix.is_short() {
        for (seq, _) in catalog.alike(value).into_iter().take(ALIKE_MAX) {
            let entry = read::entry(connection, Seq::new(seq))?;
            if !entry.sha256.is_some_and(|sha256| prefix.holds(&sha256)) {
                except.push(seq);
            }
        }
        except.sort_unstable();
    }
    Ok(Test::Content {
        value,
        mask,
        except,
    })
}

fn place(
    connection: &Connection,
    (term, path): (&Term, &str),
    read: &mut ReadTerm,
    shared: &Shared,
) -> Result<Test, ReadError> {
    let mut names = shared.names();
    names.catch_up(connection)?;
    let called = names.called(path);
    let (places, meaning) = match called {
        Called::Everything => {
            read.meaning = "everywhere".into();
            return Ok(Test::Classes(u8::MAX));
        }
        Called::Places(places) => {
            let meaning = match places[..] {
                [only] => format!("in {} and below", places::shown(connection, only)?),
                _ => format!("in {} places called “{path}”, and below", places.len()),
            };
            (places, meaning)
        }
        Called::Nothing(near) => {
            read.kind = ReadKind::Unknown;
            let near = near
                .map(|near| places::shown(connection, near))
                .transpose()?;
            read.suggestion = near.map(|path| format!("in:\"{path}\""));
            (
                Vec::new(),
                format!("no place is called “{path}”, so nothing lies there"),
            )
        }
        Called::TooMany => {
            read.kind = ReadKind::Unknown;
            let meaning = "there are too many places to find one by its name; open it first";
            (Vec::new(), meaning.into())
        }
    };
    read.meaning = if term.negated {
        format!("not: {meaning}")
    } else {
        meaning
    };
    Ok(Test::Places(places))
}
