//! Every page of every order against a list that is sorted and filtered anew each time.

use proptest::prelude::*;

use std::collections::HashSet;

use super::*;
use crate::natural_order::{fold, sort_key};
use crate::query::{Bounds, Period};
use crate::relevance::Ranker;

const COLLECTIONS: u64 = 5;

/// What the catalog should hold: all newest assets, in no order.
#[derive(Clone)]
struct Known {
    facts: Facts,
    place: u64,
    name: String,
}

/// Places 1 and 2 are projects; 11 to 15 are collections, of which 13 lies in 12.
fn chain(place: u64) -> Vec<u64> {
    match place {
        13 => vec![13, 12, 1],
        11 | 12 => vec![place, 1],
        _ => vec![place, 2],
    }
}

fn small(number: u64) -> usize {
    usize::try_from(number & 0xffff_ffff).expect("it has 32 bits")
}

fn asset(seq: u64, random: u64) -> Known {
    const PARTS: [&str; 12] = [
        "a", "A", "é", "e", "img", "10", "2", "ß", "東", "_", ".", "@",
    ];
    let part = |shift: u64| PARTS[small(random >> shift) % PARTS.len()];
    let modified = if random.is_multiple_of(5) {
        (i64::MIN, 0)
    } else {
        ((random >> 8).cast_signed() % 3, 1)
    };
    Known {
        facts: Facts {
            seq,
            size: random % 7,
            modified,
            class: MediaClass::ALL[small(random >> 3) % 6],
            media: u16::try_from(random % 1000).expect("small"),
            sealed_at: (random % 11).cast_signed() * 700 - 2000,
            content: (random % 5) << 56,
            versioned: false,
        },
        place: 11 + (random >> 6) % COLLECTIONS,
        name: format!("{}{}{}{}", part(9), part(14), part(19), part(24)),
    }
}

/// How a page shows the asset.
fn shown(model: &[Known], seq: u64) -> Shown {
    let known = model.iter().find(|known| known.facts.seq == seq);
    let facts = known.expect("it is in the model").facts;
    Shown {
        seq,
        media: facts.media,
        versioned: facts.versioned,
    }
}

/// Takes out the version that `new` replaces, and gives its entry.
fn supersede(model: &mut Vec<Known>, new: &mut Known) -> Option<u64> {
    let same = |old: &Known| old.place == new.place && old.name == new.name;
    let at = model.iter().position(same)?;
    new.facts.versioned = true;
    Some(model.swap_remove(at).facts.seq)
}

/// What is asked besides, each with what it says of an asset.
type Asked = (Filter, fn(&Known) -> bool);

fn filters() -> Vec<Asked> {
    let texts = |texts: &[&str]| texts.iter().map(|text| fold(text)).collect();
    let is = |test: Test| Filter {
        texts: Vec::new(),
        tests: vec![(false, test)],
    };
    let all = |tests: Vec<(bool, Test)>, words: &[&str]| Filter {
        texts: texts(words),
        tests,
    };
    vec![
        (Filter::default(), |_| true),
        (is(Test::Size(Bounds { min: 2, max: 4 })), |known| {
            (2..=4).contains(&known.facts.size)
        }),
        (is(Test::Added(Period { from: -1, until: 3 })), |known| {
            (-1000..3000).contains(&known.facts.sealed_at)
        }),
        (is(Test::Modified(Period { from: -1, until: 2 })), |known| {
            known.facts.modified.1 > 0 && (-1..2).contains(&known.facts.modified.0)
        }),
        (is(Test::Versioned), |known| known.facts.versioned),
        (is(Test::Ends(vec!["10".into(), "a".into()])), |known| {
            let name = fold(&known.name);
            name.len() > 2 && name.ends_with("10") || name.len() > 1 && name.ends_with('a')
        }),
        (
            all(
                vec![
                    (true, Test::Name(fold("img"))),
                    (false, Test::Places(vec![2, 12])),
                ],
                &["e", "A"],
            ),
            |known| {
                let name = fold(&known.name);
                let chain = chain(known.place);
                name.contains('e')
                    && name.contains('a')
                    && !name.contains("img")
                    && (chain.contains(&2) || chain.contains(&12))
            },
        ),
        (
            all(
                vec![
                    (
                        false,
                        Test::Content {
                            value: 3 << 56,
                            mask: u64::MAX << 56,
                            except: vec![21, 22, 23],
                        },
                    ),
                    (true, Test::Classes(0b11)),
                    (true, Test::Modified(Period { from: 0, until: 1 })),
                ],
                &[],
            ),
            |known| {
                known.facts.content == 3 << 56
                    && !(21..=23).contains(&known.facts.seq)
                    && !MediaClass::ALL[..2].contains(&known.facts.class)
                    && (known.facts.modified.1 == 0 || known.facts.modified.0 != 0)
            },
        ),
    ]
}

fn expected(
    model: &[Known],
    wanted: &Wanted<'_>,
    holds: fn(&Known) -> bool,
) -> (Vec<u64>, [(u64, u64); 6]) {
    let mut by_class = [(0, 0); 6];
    let mut found = Vec::new();
    for known in model {
        let chain = chain(known.place);
        let inside = match wanted.scope {
            Scope::Vault => true,
            Scope::Below(place) => chain.contains(&place),
            Scope::Own(place) => known.place == place,
        };
        if inside && fold(&known.name).contains(&fold(wanted.text)) && holds(known) {
            let at = MediaClass::ALL
                .iter()
                .position(|class| *class == known.facts.class);
            let (items, bytes) = &mut by_class[at.expect("it is one of them")];
            *items += 1;
            *bytes += known.facts.size;
            if wanted.classes.is_empty() || wanted.classes.contains(&known.facts.class) {
                found.push(known);
            }
        }
    }
    let name = |known: &Known| (sort_key(known.name.as_bytes()), known.facts.seq);
    let rank = |known: &Known| {
        let texts = wanted.filter.texts.iter().map(String::as_str);
        let texts = texts.chain([wanted.text]).filter(|text| !text.is_empty());
        let ranks = texts.map(|text| Ranker::new(&fold(text)).rank(fold(&known.name).as_bytes()));
        ranks.max()
    };
    found.sort_by(|a, b| {
        let (f, g) = (&a.facts, &b.facts);
        let first = match wanted.sort {
            SortBy::Name => name(a).cmp(&name(b)),
            SortBy::Size => f.size.cmp(&g.size),
            SortBy::Added => f.seq.cmp(&g.seq),
            SortBy::Modified => f.modified.cmp(&g.modified),
            SortBy::Type => f.class.number().cmp(&g.class.number()),
            SortBy::Rank => rank(a).cmp(&rank(b)),
        };
        let first = if wanted.descending {
            first.reverse()
        } else {
            first
        };
        first.then_with(|| name(a).cmp(&name(b)))
    });
    (
        found.iter().map(|known| known.facts.seq).collect(),
        by_class,
    )
}

fn names_of(model: &[Known]) -> HashMap<u64, String> {
    let named = model.iter();
    named
        .map(|known| (known.facts.seq, known.name.clone()))
        .collect()
}

/// As the vault gives the key of an entry; the entry if it has none.
fn key_of(names: &HashMap<u64, String>, seq: u64) -> Result<Vec<u8>, u64> {
    let name = names.get(&seq).ok_or(seq)?;
    Ok(sort_key(name.as_bytes()))
}

fn filled(model: &mut [Known]) -> Catalog {
    let mut catalog = Catalog::new(0);
    for place in 11..11 + COLLECTIONS {
        catalog.add_place(chain(place));
    }
    model.sort_by_key(|known| (sort_key(known.name.as_bytes()), known.facts.seq));
    for known in model {
        let key = sort_key(known.name.as_bytes());
        catalog.push(known.facts, known.place, &key);
    }
    catalog
}

/// Where each asset stands, and what lies between two of them.
fn check_ranks(
    catalog: &mut Catalog,
    (wanted, all): (&Wanted<'_>, &[u64]),
    model: &[Known],
    random: u64,
) {
    let seqs: Vec<u64> = model
        .iter()
        .map(|known| known.facts.seq)
        .chain([7])
        .collect();
    let prefix = ["a", "img", "東", "2e", "nothing"][small(random) % 5];
    let found = catalog.ranks(wanted, &seqs, Some(prefix));
    for (seq, rank) in seqs.iter().zip(&found.each) {
        let due = all
            .iter()
            .position(|other| other == seq)
            .map(|at| at as u64);
        assert_eq!(*rank, due, "{seq} in {wanted:?}");
    }
    let name = |seq: &u64| model.iter().find(|known| known.facts.seq == *seq);
    let begins = |seq: &u64| name(seq).is_some_and(|known| fold(&known.name).starts_with(prefix));
    let due = all.iter().position(begins).map(|at| at as u64);
    assert_eq!(found.prefix, due, "{prefix} in {wanted:?}");

    let at = |n: u64| {
        seqs.get(small(random.wrapping_mul(n)) % seqs.len())
            .copied()
    };
    let ends: Vec<u64> = (3..9).filter_map(at).filter(|seq| *seq != 7).collect();
    let &[first, last, from, to, one, other] = &ends[..] else {
        return;
    };
    let known = catalog.known(&ends);
    let item = |seq: u64| known[&seq].item;
    let picked = Picked {
        all: false,
        spans: vec![(item(first), item(last)), (item(from), item(to))],
        with: vec![item(one), item(one), item(other)],
        without: HashSet::from([last, other]),
    };
    // What is not in the order stands somewhere in it all the same; here only spans between what is.
    let rank = |seq: u64| all.iter().position(|other| *other == seq);
    let span = |from, to| Some(rank(from)?.min(rank(to)?)..=rank(from)?.max(rank(to)?));
    let (Some(early), Some(late)) = (span(first, last), span(from, to)) else {
        return;
    };
    let mut due: Vec<u64> = (0..all.len())
        .filter(|at| early.contains(at) || late.contains(at))
        .map(|at| all[at])
        .filter(|seq| *seq != last && *seq != other)
        .collect();
    if !due.contains(&one) && one != last && one != other {
        due.push(one);
    }
    assert_eq!(catalog.select(wanted, &picked).seqs, due, "{wanted:?}");
}

fn check_all(catalog: &mut Catalog, model: &[Known], texts: &[&str], offset: u64) {
    let scopes = [
        Scope::Vault,
        Scope::Below(1),
        Scope::Below(12),
        Scope::Own(12),
        Scope::Own(99),
    ];
    let sorts = [
        SortBy::Name,
        SortBy::Size,
        SortBy::Added,
        SortBy::Modified,
        SortBy::Type,
        SortBy::Rank,
    ];
    let filters = filters();
    for (n, text) in texts.iter().enumerate() {
        for (m, scope) in scopes.into_iter().enumerate() {
            let (filter, holds) = &filters[(n + m * 3 + small(offset)) % filters.len()];
            let classes = &MediaClass::ALL[..(n + m) % 4];
            let sort = sorts[(n * 2 + m) % sorts.len()];
            let descending = (n + m / 2) % 2 == 1;
            let wanted = Wanted {
                scope,
                text,
                filter,
                classes,
                sort,
                descending,
            };
            let (all, by_class) = expected(model, &wanted, *holds);
            let page = catalog.page(&wanted, offset, 7);
            check_ranks(catalog, (&wanted, &all), model, offset);
            let seqs = all.iter().skip(small(offset)).take(7);
            let assets = seqs.map(|seq| shown(model, *seq)).collect();
            assert_eq!(page, Page { assets, by_class }, "{wanted:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Guards: any page of any order is right, for every text, place and type, while assets keep coming, new versions
    /// among them, and after what came was merged.
    #[test]
    fn every_page_is_that_of_a_list_made_anew(
        first in prop::collection::vec(any::<u64>(), 0..400),
        later in prop::collection::vec(any::<u64>(), 0..120),
        offset in 0_u64..60,
    ) {
        let mut model: Vec<Known> = Vec::new();
        let mut seq = 20;
        for random in first {
            let mut new = asset(seq, random);
            supersede(&mut model, &mut new);
            model.push(new);
            seq += 1;
        }
        let mut names = names_of(&model);
        let mut catalog = filled(&mut model);
        let texts = [
            "", "a", "_", "E", "é1", "mg", "10", "ss", "東", "aaaaaa", "a\u{301}", "@", ".a", "2",
        ];
        check_all(&mut catalog, &model, &texts, offset);
        for (n, random) in later.into_iter().enumerate() {
            let mut new = asset(seq, random);
            let before = supersede(&mut model, &mut new);
            let key = sort_key(new.name.as_bytes());
            let added = catalog.add(new.facts, new.place, &key, before, |seq| key_of(&names, seq));
            prop_assert_eq!(added, Ok(()));
            names.insert(seq, new.name.clone());
            model.push(new);
            seq += 1;
            if n % 40 == 20 {
                check_all(&mut catalog, &model, &texts[..4], offset);
            }
            if n % 50 == 49 {
                catalog.merge();
            }
        }
        check_all(&mut catalog, &model, &texts, offset);
        catalog.merge();
        prop_assert_eq!(catalog.len(), model.len());
        check_all(&mut catalog, &model, &texts, offset);
    }
}

/// Guards: a list longer than many blocks gives the page at any offset, and what comes or goes moves the rest.
#[test]
fn far_pages_of_long_lists_are_found() {
    let mut model: Vec<Known> = (0..9000)
        .map(|n| Known {
            name: format!("{n}.txt"),
            place: 11,
            ..asset(20 + n, n.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        })
        .collect();
    let mut catalog = filled(&mut model);
    let mut names = names_of(&model);
    for n in 0..3000_u64 {
        let wanted = Wanted {
            scope: Scope::Own(11),
            text: if n % 2 == 0 { "" } else { "7" },
            filter: &Filter::default(),
            classes: &[],
            sort: SortBy::Size,
            descending: n % 4 == 0,
        };
        let random = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut new = Known {
            name: format!("{}.txt", random % 12_000),
            place: 11,
            ..asset(10_000 + n, random)
        };
        if n % 300 == 0 {
            let (all, by_class) = expected(&model, &wanted, |_| true);
            for offset in [0, 511, 512, 4000, all.len() as u64 - 1, all.len() as u64] {
                let due = all.iter().skip(small(offset)).take(50);
                let page = catalog.page(&wanted, offset, 50);
                let due: Vec<Shown> = due.map(|seq| shown(&model, *seq)).collect();
                assert_eq!(page.assets, due);
                assert_eq!(page.by_class, by_class);
            }
        }
        let before = supersede(&mut model, &mut new);
        let key = sort_key(new.name.as_bytes());
        catalog
            .add(new.facts, 11, &key, before, |seq| key_of(&names, seq))
            .expect("all names are known");
        names.insert(new.facts.seq, new.name.clone());
        model.push(new);
    }
}

/// Guards: of names that come one after the other, only the first is looked for; one beyond its gap is again.
#[test]
fn neighbours_that_come_together_are_placed_without_reading() {
    let known = |seq: u64, name: String| Known {
        name,
        place: 11,
        ..asset(seq, seq)
    };
    let mut model: Vec<Known> = (0..100).map(|n| known(20 + n, format!("{n}"))).collect();
    let names = names_of(&model);
    let mut catalog = filled(&mut model);
    let mut reads = Vec::new();
    let new = ["50b", "50c", "50a", "50", "49z", "51", "99z", "99zz", "100"];
    for (name, seq) in new.into_iter().zip(1000..) {
        let new = known(seq, name.to_owned());
        let mut read = 0;
        catalog
            .add(new.facts, 11, &sort_key(name.as_bytes()), None, |seq| {
                read += 1;
                key_of(&names, seq)
            })
            .expect("all names are known");
        reads.push(read > 0);
        model.push(new);
    }
    let due = [true, false, false, false, true, true, true, false, false];
    assert_eq!(reads, due);
    for (late, name) in catalog.tail.iter().zip(new) {
        let key = sort_key(name.as_bytes());
        let before = model[..100]
            .iter()
            .filter(|known| sort_key(known.name.as_bytes()) <= key);
        assert_eq!(late.slot as usize, before.count(), "{name}");
    }
}
