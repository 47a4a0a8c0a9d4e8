//! Every page of every order against a list that is sorted and filtered anew each time.

use proptest::prelude::*;

use super::*;
use crate::natural_order::{fold, sort_key};
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
    const PARTS: [&str; 9] = ["a", "A", "é", "e", "img", "10", "2", "ß", "東"];
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
        },
        place: 11 + (random >> 6) % COLLECTIONS,
        name: format!("{}{}{}{}", part(9), part(14), part(19), part(24)),
    }
}

/// Takes out the version that `new` replaces, and gives its entry.
fn supersede(model: &mut Vec<Known>, new: &Known) -> Option<u64> {
    let same = |old: &Known| old.place == new.place && old.name == new.name;
    let at = model.iter().position(same)?;
    Some(model.swap_remove(at).facts.seq)
}

fn expected(model: &[Known], wanted: &Wanted<'_>) -> (Vec<u64>, [(u64, u64); 6]) {
    let mut by_class = [(0, 0); 6];
    let mut found = Vec::new();
    for known in model {
        let chain = chain(known.place);
        let inside = match wanted.scope {
            Scope::Vault => true,
            Scope::Below(place) => chain.contains(&place),
            Scope::Own(place) => known.place == place,
        };
        if inside && fold(&known.name).contains(&fold(wanted.text)) {
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
    let rank = |known: &Known| Ranker::new(&fold(wanted.text)).rank(fold(&known.name).as_bytes());
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
    for (n, text) in texts.iter().enumerate() {
        for (m, scope) in scopes.into_iter().enumerate() {
            let classes = &MediaClass::ALL[..(n + m) % 4];
            let sort = sorts[(n * 2 + m) % sorts.len()];
            let descending = (n + m / 2) % 2 == 1;
            let wanted = Wanted {
                scope,
                text,
                classes,
                sort,
                descending,
            };
            let (all, by_class) = expected(model, &wanted);
            let page = catalog.page(&wanted, offset, 7);
            let due: Vec<u64> = all.into_iter().skip(small(offset)).take(7).collect();
            assert_eq!(
                page,
                Page {
                    seqs: due,
                    by_class
                },
                "{wanted:?}"
            );
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
            let new = asset(seq, random);
            supersede(&mut model, &new);
            model.push(new);
            seq += 1;
        }
        let mut names: HashMap<u64, String> =
            model.iter().map(|known| (known.facts.seq, known.name.clone())).collect();
        let mut catalog = filled(&mut model);
        let texts = ["", "a", "E", "é1", "mg", "10", "ss", "東", "aaaaaa", "a\u{301}"];
        check_all(&mut catalog, &model, &texts, offset);
        for (n, random) in later.into_iter().enumerate() {
            let new = asset(seq, random);
            let before = supersede(&mut model, &new);
            let key = sort_key(new.name.as_bytes());
            let added = catalog.add(new.facts, new.place, &key, before, |seq| {
                names.get(&seq).map(|name| sort_key(name.as_bytes())).ok_or(seq)
            });
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
    let mut names: HashMap<u64, String> = model
        .iter()
        .map(|known| (known.facts.seq, known.name.clone()))
        .collect();
    for n in 0..3000_u64 {
        let wanted = Wanted {
            scope: Scope::Own(11),
            text: if n % 2 == 0 { "" } else { "7" },
            classes: &[],
            sort: SortBy::Size,
            descending: n % 4 == 0,
        };
        let random = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let new = Known {
            name: format!("{}.txt", random % 12_000),
            place: 11,
            ..asset(10_000 + n, random)
        };
        let before = model
            .iter()
            .find(|known| known.name == new.name)
            .map(|known| known.facts.seq);
        if n % 300 == 0 {
            let (all, by_class) = expected(&model, &wanted);
            for offset in [0, 511, 512, 4000, all.len() as u64 - 1, all.len() as u64] {
                let due = all.iter().copied().skip(small(offset)).take(50);
                let page = catalog.page(&wanted, offset, 50);
                assert_eq!(page.seqs, due.collect::<Vec<_>>());
                assert_eq!(page.by_class, by_class);
            }
        }
        let key = sort_key(new.name.as_bytes());
        catalog
            .add(new.facts, 11, &key, before, |seq| {
                names
                    .get(&seq)
                    .map(|name| sort_key(name.as_bytes()))
                    .ok_or(seq)
            })
            .expect("all names are known");
        names.insert(new.facts.seq, new.name.clone());
        supersede(&mut model, &new);
        model.push(new);
    }
}
