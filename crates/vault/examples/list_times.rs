//! Measures how long lists and searches of a large vault take, in the process of the vault itself.
//!
//! `cargo run --release -p compactvault-vault --example list_times -- FILE`, on a vault that `cargo xtask gen-vault`
//! made. Prints the first answer, the median and the slowest of a hundred for each kind of question.
#![expect(
    clippy::print_stdout,
    reason = "reporting on a terminal is this program's purpose"
)]

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use compactvault_vault::query::Query;
use compactvault_vault::{
    Access, CollectionId, ListQuery, MediaClass, OpenOptions, Question, ReadError, SearchQuery,
    Selection, SortBy, Vault,
};

const ROUNDS: u64 = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("expected: FILE")?;
    let options = OpenOptions {
        access: Access::Read,
        ..OpenOptions::default()
    };
    let started = Instant::now();
    let vault = Vault::open(Path::new(&path), &options)?;
    let project = vault.projects()?.first().ok_or("there is no project")?.id;
    let collection = vault.collections(project)?[0].id;
    let list = |offset: u64, query: &ListQuery| {
        let query = ListQuery {
            offset,
            limit: 50,
            ..query.clone()
        };
        vault.list(collection, &query)
    };
    let total = list(0, &ListQuery::default())?.total;
    println!(
        "opened and first page of {total}: {:.0} ms",
        started.elapsed().as_secs_f64() * 1e3
    );
    for sort in [
        SortBy::Name,
        SortBy::Size,
        SortBy::Added,
        SortBy::Modified,
        SortBy::Type,
        SortBy::Rank,
    ] {
        for descending in [false, true] {
            for classes in [Vec::new(), vec![MediaClass::Image]] {
                let filter = if classes.is_empty() { "" } else { ", images" };
                let order = if descending {
                    "descending"
                } else {
                    "ascending"
                };
                let query = ListQuery {
                    sort,
                    descending,
                    classes,
                    ..ListQuery::default()
                };
                let matching = list(0, &query)?.total.max(1);
                measure(&format!("{sort:?} {order}{filter}"), |round| {
                    list(round * 7_919_777_777 % matching, &query).map(|page| page.total)
                })?;
            }
        }
    }
    texts(&vault, collection)?;
    Ok(queries(&vault)?)
}

/// Queries with several terms, each round another one; then deeper pages, ranks and selections of the same one.
fn queries(vault: &Vault) -> Result<(), ReadError> {
    let search = |text: &str, sort, offset| {
        let query = SearchQuery {
            query: Query::parse(text),
            sort,
            offset,
            limit: 50,
            ..SearchQuery::default()
        };
        vault.search(&query).map(|page| page.total)
    };
    for (what, text) in [
        ("two words", "resume {d}{d}"),
        ("two characters", "{a} {d}"),
        ("a word, not another", "{a}port -photo{d}"),
        ("type and extension", "type:image ext:png {d}{d}"),
        ("a size", "size:>{d}{d}"),
        ("an extension and a time", "ext:jpg modified:20{d}{d}"),
        ("a place", "in:nowhere{d}"),
        ("a content", "sha256:{d}{d}{d}{d}"),
        ("versions", "is:versioned {d}"),
        ("all but a word", "-resume{d}{d}"),
    ] {
        measure(&format!("query: {what}"), |round| {
            search(&filled(text, round), SortBy::Name, 0)
        })?;
    }
    measure("query: two words, by rank", |round| {
        search(&filled("{a} {d}", round), SortBy::Rank, 0)
    })?;
    let total = search("-photo size:>1", SortBy::Size, 0)?.max(1);
    measure("query: deeper pages of one", |round| {
        search(
            "-photo size:>1",
            SortBy::Size,
            round * 7_919_777_777 % total,
        )
    })?;
    let of = Question {
        query: Query::parse("-photo size:>1"),
        sort: SortBy::Size,
        ..Question::default()
    };
    let page = vault.search(&SearchQuery {
        query: of.query.clone(),
        sort: of.sort,
        offset: total / 2,
        limit: 200,
        ..SearchQuery::default()
    })?;
    let ids: Vec<_> = page.hits.iter().map(|hit| hit.asset.id).collect();
    measure("ranks of 200 and a prefix", |round| {
        let prefix = filled("{a}{d}", round);
        vault
            .ranks(&of, &ids, Some(&prefix))
            .map(|ranks| ranks.total)
    })?;
    measure("selecting all but 200", |_| {
        let selection = Selection {
            of: of.clone(),
            all: true,
            without: ids.clone(),
            ..Selection::default()
        };
        vault
            .select(&selection)
            .map(|found| found.assets.len() as u64)
    })?;
    measure("places of a content", |round| {
        let id = ids[usize::try_from(round).unwrap_or(0) % ids.len()];
        vault.places(id, 200).map(|places| places.total)
    })
}

/// Queries from one character to none that matches; each round asks for another text, so that nothing is remembered.
fn texts(vault: &Vault, collection: CollectionId) -> Result<(), Box<dyn Error>> {
    for (what, text) in [
        ("one character", "{a}"),
        ("two digits", "{d}{d}"),
        ("three digits", "{d}{d}{d}"),
        ("a word and digits", "resume_{d}"),
        ("a word and a character", "{a}port"),
        ("not to be found", "{a}qqq{d}{d}"),
    ] {
        measure(&format!("in the list: {what}"), |round| {
            let query = ListQuery {
                limit: 50,
                text: filled(text, round),
                ..ListQuery::default()
            };
            vault.list(collection, &query).map(|page| page.total)
        })?;
        measure(&format!("in the vault: {what}"), |round| {
            let query = SearchQuery {
                limit: 50,
                text: filled(text, round),
                ..SearchQuery::default()
            };
            vault.search(&query).map(|page| page.total)
        })?;
    }
    Ok(())
}

fn filled(text: &str, round: u64) -> String {
    let letter = char::from(b'a' + u8::try_from(round % 26).unwrap_or(0));
    let mut number = round;
    let mut out = text.replace("{a}", &letter.to_string());
    while out.contains("{d}") {
        out = out.replacen("{d}", &(number % 10).to_string(), 1);
        number /= 10;
    }
    out
}

fn measure(
    what: &str,
    mut ask: impl FnMut(u64) -> Result<u64, ReadError>,
) -> Result<(), ReadError> {
    let mut times = Vec::new();
    let mut first = Duration::ZERO;
    for round in 0..ROUNDS {
        let started = Instant::now();
        ask(round)?;
        let time = started.elapsed();
        if round == 0 {
            first = time;
        } else {
            times.push(time);
        }
        // What takes seconds is known well enough after a few rounds.
        if times.iter().sum::<Duration>() > Duration::from_secs(3) {
            break;
        }
    }
    times.sort_unstable();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "{what}: first {:.2} ms, median {:.2} ms, slowest {:.2} ms",
        ms(first),
        ms(times.get(times.len() / 2).copied().unwrap_or(first)),
        ms(times.last().copied().unwrap_or(first))
    );
    Ok(())
}
