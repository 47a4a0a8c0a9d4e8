//! Queries of words and filters against a plain filter over everything that was archived.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use compactvault_vault::natural_order::fold;
use compactvault_vault::query::{FactSet, FactSource, FactTest, Query, ReadKind};
use compactvault_vault::{Asset, Digest, ListQuery, MediaClass, PlaceId, SearchQuery, Vault};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::search::{Places, by_name, everything, fill, places};
use super::support::{Home, add, name};

/// An asset as the plain filter sees it.
struct Seen {
    asset: Asset,
    /// Folded.
    name: String,
    versions: usize,
}

type Holds = Box<dyn Fn(&Seen) -> bool>;

fn see(vault: &Vault) -> Vec<Seen> {
    let mut seen: Vec<Seen> = everything(vault)
        .into_iter()
        .map(|asset| Seen {
            name: fold(&asset.name.to_utf8_lossy()),
            versions: vault
                .asset_details(asset.id)
                .expect("it is intact")
                .versions
                .len(),
            asset,
        })
        .collect();
    seen.sort_by(|a, b| by_name(&a.asset, &b.asset));
    seen
}

/// Terms as people write them, each with what it says in the plainest way.
fn terms(made: &Places, seen: &[Seen]) -> Vec<(String, Holds)> {
    let mut terms: Vec<(String, Holds)> = Vec::new();
    let mut term = |text: &str, holds: Holds| terms.push((text.into(), holds));
    for word in [
        "e", "É", "1", "10", "Straße", "東京", "rés", "g.p", "nowhere", "x",
    ] {
        let folded = fold(word);
        term(word, Box::new(move |seen| seen.name.contains(&folded)));
    }
    term("\"me1\"", Box::new(|seen| seen.name.contains("me1")));
    let class = |asset: &Asset| asset.media.class;
    term(
        "type:image",
        Box::new(move |seen| class(&seen.asset) == MediaClass::Image),
    );
    term(
        "type:text,Movies",
        Box::new(move |seen| matches!(class(&seen.asset), MediaClass::Text | MediaClass::Video)),
    );
    for end in ["png", "PNG", "txt", "3"] {
        let dotted = format!(".{}", fold(end));
        let is_end = move |seen: &Seen| seen.name.ends_with(&dotted) && seen.name != dotted;
        term(&format!("ext:{end}"), Box::new(is_end));
    }
    term("size:>7", Box::new(|seen| seen.asset.size > 7));
    term(
        "size:5..9b",
        Box::new(|seen| (5..=9).contains(&seen.asset.size)),
    );
    term("size:<0.01kb", Box::new(|seen| seen.asset.size < 10));
    let modified = |seen: &Seen| seen.asset.modified.map(|modified| modified.seconds);
    term(
        "modified:<1970",
        Box::new(move |seen| modified(seen).is_some_and(|at| at < 0)),
    );
    term(
        "modified:1970",
        Box::new(move |seen| modified(seen).is_some_and(|at| at >= 0)),
    );
    term(
        "modified:1970-01-01T00:00:02",
        Box::new(move |seen| modified(seen) == Some(2)),
    );
    term("before:2020", Box::new(|_| false));
    term("added:>=2020-01", Box::new(|_| true));
    term("is:versioned", Box::new(|seen| seen.versions > 1));
    let [a, b, c] = made.collections;
    let lies = |within: &[compactvault_vault::CollectionId]| -> Holds {
        let within = within.to_vec();
        Box::new(move |seen| within.contains(&seen.asset.collection))
    };
    for (path, within) in [
        ("in:p", &[a, b][..]),
        ("in:Q", &[c]),
        ("in:a", &[a, b]),
        ("in:\"P/A/B\"", &[b]),
        ("in:/a", &[]),
        ("in:/p/a", &[a, b]),
        ("in:nowhere", &[]),
        ("in:/", &[a, b, c]),
    ] {
        term(path, lies(within));
    }
    if let Some(some) = seen.get(seen.len() / 2) {
        let hex = some.asset.sha256.to_string();
        for digits in [4, 16, 40, 64] {
            let start = hex[..digits].to_owned();
            let begins = move |seen: &Seen| seen.asset.sha256.to_string().starts_with(&start);
            term(&format!("sha256:{}", &hex[..digits]), Box::new(begins));
        }
        let other = format!(
            "{}{}",
            &hex[..40],
            if hex.ends_with('0') { "1" } else { "0" }
        );
        let begins = other.clone();
        let is_other = move |seen: &Seen| seen.asset.sha256.to_string().starts_with(&begins);
        term(&format!("sha256:{other}"), Box::new(is_other));
    }
    term("width:>100", Box::new(|seen| is_wide(&seen.asset.sha256)));
    terms
}

/// What the source of facts of these tests knows: contents whose SHA-256 is even are wide.
fn is_wide(digest: &Digest) -> bool {
    digest.as_bytes()[31].is_multiple_of(2)
}

struct Widths(Vec<Digest>);

impl FactSource for Widths {
    fn contents(&self, test: &FactTest) -> FactSet {
        assert_eq!(test.key, "width");
        let known = self.0.iter().filter(|digest| is_wide(digest));
        FactSet::new(7, known.copied().filter(|_| test.holds_number(101.0)))
    }
}

/// Asks for some terms, some of them negated, and compares page, totals and counts.
fn compare(vault: &Vault, made: &Places, seen: &[Seen], picks: &[(usize, bool)], deep: u64) {
    let terms = terms(made, seen);
    let picked: Vec<_> = picks
        .iter()
        .map(|(at, negated)| (&terms[at % terms.len()], *negated))
        .collect();
    let text: Vec<String> = picked
        .iter()
        .map(|((text, _), negated)| format!("{}{text}", if *negated { "-" } else { "" }))
        .collect();
    let query = SearchQuery {
        query: Query::parse(&text.join("  ")),
        within: made.all()[picks.len() % 5],
        limit: 20,
        offset: deep,
        ..SearchQuery::default()
    };
    let due: Vec<&Seen> = seen
        .iter()
        .filter(|seen| made.holds(query.within, seen.asset.collection))
        .filter(|seen| {
            picked
                .iter()
                .all(|((_, holds), negated)| holds(seen) != *negated)
        })
        .collect();
    let page = vault.search(&query).expect("it can be searched");
    let found: Vec<&Asset> = page.hits.iter().map(|hit| &hit.asset).collect();
    let here = due
        .iter()
        .skip(deep as usize)
        .take(20)
        .map(|seen| &seen.asset);
    assert_eq!(found, here.collect::<Vec<_>>(), "{text:?}");
    assert_eq!(page.total, due.len() as u64, "{text:?}");
    assert_eq!(
        page.bytes,
        due.iter().map(|seen| seen.asset.size).sum::<u64>(),
        "{text:?}"
    );
    assert_eq!(
        page.counts.values().sum::<u64>(),
        due.len() as u64,
        "{text:?}"
    );
    assert_eq!(page.read.len(), picks.len(), "{text:?}");

    let own = made.collections[picks.len() % 3];
    let list = ListQuery {
        query: query.query,
        limit: 20,
        ..ListQuery::default()
    };
    let due: Vec<&Asset> = seen
        .iter()
        .filter(|seen| seen.asset.collection == own)
        .filter(|seen| {
            picked
                .iter()
                .all(|((_, holds), negated)| holds(seen) != *negated)
        })
        .map(|seen| &seen.asset)
        .collect();
    let page = vault.list(own, &list).expect("it can be listed");
    let listed: Vec<&Asset> = page.assets.iter().map(|(asset, _)| asset).collect();
    assert_eq!(
        listed,
        due.iter().copied().take(20).collect::<Vec<_>>(),
        "{text:?}"
    );
    assert_eq!(page.total, due.len() as u64, "{text:?}");
}

fn compare_many(vault: &Vault, made: &Places, cases: u32) {
    let seen = see(vault);
    // Each term by itself, both ways, then many at random.
    for at in 0..terms(made, &seen).len() {
        compare(vault, made, &seen, &[(at, false)], 0);
        compare(vault, made, &seen, &[(at, true)], 3);
    }
    let mut runner = TestRunner::new(ProptestConfig::with_cases(cases));
    let picks = (
        prop::collection::vec((any::<usize>(), any::<bool>()), 0..5),
        0_u64..30,
    );
    runner
        .run(&picks, |(picks, deep)| {
            compare(vault, made, &seen, &picks, deep);
            Ok(())
        })
        .expect("every query finds what a plain filter finds");
}

/// Guards: a query finds exactly what each of its terms says, in pages of right totals, in the vault, in places and in
/// collections, short and long, also after more was archived, and in a vault opened again.
#[test]
fn a_query_finds_what_a_plain_filter_finds() {
    let home = Home::new();
    let vault = home.create();
    let made = places(&vault);
    fill(&vault, &made, 0..600);
    let contents = (0..900).map(|n: u64| {
        let content = format!("{n}{}", "x".repeat((n % 11) as usize));
        Digest::of(content.as_bytes())
    });
    let contents = Arc::new(Widths(contents.collect()));
    vault.set_fact_source(Arc::clone(&contents) as Arc<dyn FactSource>);
    compare_many(&vault, &made, 150);
    fill(&vault, &made, 500..900);
    compare_many(&vault, &made, 150);
    vault.close().expect("it closes");
    let vault = home.open();
    vault.set_fact_source(contents);
    compare_many(&vault, &made, 60);
}

/// Guards: while assets come in, no page of a query shows what it does not ask for, and what was sealed before is found.
#[test]
fn queries_hold_while_assets_come_in() {
    let home = Home::new();
    let vault = home.create();
    let made = places(&vault);
    fill(&vault, &made, 0..400);
    let query = |text: &str| SearchQuery {
        query: Query::parse(text),
        limit: 1000,
        ..SearchQuery::default()
    };
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..80 {
                let text = "y".repeat(n % 5 + 1);
                add(
                    &vault,
                    made.collections[n % 3],
                    &format!("Späť {}.txt", n % 30),
                    text.as_bytes(),
                );
            }
            done.store(true, Ordering::SeqCst);
        });
        let mut before = 0;
        let mut rounds = 0;
        while !done.load(Ordering::SeqCst) || rounds < 5 {
            let page = vault
                .search(&query("spat ext:txt size:2..5 -in:Q"))
                .expect("it is searched");
            for hit in &page.hits {
                assert!(
                    fold(&hit.asset.name.to_utf8_lossy()).contains("spat"),
                    "{hit:?}"
                );
                assert!((2..=5).contains(&hit.asset.size), "{hit:?}");
                assert_ne!(hit.asset.collection, made.collections[2]);
            }
            assert_eq!(page.hits.len() as u64, page.total);
            assert_eq!(
                page.bytes,
                page.hits.iter().map(|hit| hit.asset.size).sum::<u64>()
            );
            let all = vault.search(&query("spat")).expect("it is searched").total;
            assert!(all >= before, "{all} after {before}");
            before = all;
            rounds += 1;
        }
    });
    compare_plain(&vault, &made);
}

fn compare_plain(vault: &Vault, made: &Places) {
    let seen = see(vault);
    for at in 0..terms(made, &seen).len() {
        if !terms(made, &seen)[at].0.starts_with("width") {
            compare(vault, made, &seen, &[(at, false)], 0);
        }
    }
}

/// Guards: the answer says which places `in:` means, that a place is not there, what may have been meant, and that
/// nothing is known of contents; a place that comes later is found.
#[test]
fn a_query_is_explained_by_what_the_vault_holds() {
    let home = Home::new();
    let vault = home.create();
    let made = places(&vault);
    let read = |text: &str| {
        let query = SearchQuery {
            query: Query::parse(text),
            ..SearchQuery::default()
        };
        let page = vault.search(&query).expect("it can be searched");
        let first = page.read.into_iter().next().expect("one term");
        (
            first.kind,
            first.meaning,
            first.suggestion.unwrap_or_default(),
        )
    };
    let known = |meaning: &str| (ReadKind::Filter, meaning.to_owned(), String::new());
    assert_eq!(read("in:b"), known("in P/A/B and below"));
    assert_eq!(read("-in:\"p/A\""), known("not: in P/A and below"));
    let (kind, meaning, suggestion) = read("in:Q/B");
    assert_eq!(
        (kind, suggestion.as_str()),
        (ReadKind::Unknown, "in:\"P/A/B\"")
    );
    assert_eq!(meaning, "no place is called “Q/B”, so nothing lies there");
    let parent = PlaceId::Collection(made.collections[2]);
    vault
        .create_collection(parent, name("Bücher"), "collection")
        .expect("it is created");
    assert_eq!(read("in:bucher"), known("in Q/C/Bücher and below"));
    assert_eq!(read("in:buch").2, "in:\"Q/C/Bücher\"");
    assert_eq!(read("in:bujcher").2, "in:\"Q/C/Bücher\"");
    vault
        .create_collection(parent, name("b"), "collection")
        .expect("it is created");
    assert_eq!(read("in:B"), known("in 2 places called “B”, and below"));
    assert_eq!(read("width:>5").0, ReadKind::Unknown);
}
