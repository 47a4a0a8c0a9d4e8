//! Searches, and pages far into long lists, against a plain filter over what was archived.

use std::cmp::Ordering;
use std::sync::atomic::{AtomicUsize, Ordering as Memory};

use compactvault_vault::natural_order::{fold, sort_key};
use compactvault_vault::relevance::{Ranker, Relevance};
use compactvault_vault::{
    Asset, CollectionId, ListQuery, MediaClass, PlaceId, ProjectId, ReadError, SearchQuery, SortBy,
    Vault,
};

use super::support::{Home, add, name, new_asset};

const SORTS: [SortBy; 6] = [
    SortBy::Name,
    SortBy::Size,
    SortBy::Added,
    SortBy::Modified,
    SortBy::Type,
    SortBy::Rank,
];
const TEXTS: [&str; 14] = [
    "", "e", "É", "1", "10", "ss", "ß", "東", "resume", "RÉS", "g.p", "İ", ".", "nowhere",
];

/// Projects P and Q; collections A and A/B in P, C in Q.
pub(super) struct Places {
    pub(super) projects: [ProjectId; 2],
    pub(super) collections: [CollectionId; 3],
}

pub(super) fn places(vault: &Vault) -> Places {
    let project = |text| {
        let made = vault.create_project(name(text), "project", "");
        made.expect("a project can be created").0.id
    };
    let collection = |parent, text| {
        let made = vault.create_collection(parent, name(text), "collection");
        made.expect("a collection can be created").0.id
    };
    let projects = [project("P"), project("Q")];
    let outer = collection(PlaceId::Project(projects[0]), "A");
    let inner = collection(PlaceId::Collection(outer), "B");
    let other = collection(PlaceId::Project(projects[1]), "C");
    Places {
        projects,
        collections: [outer, inner, other],
    }
}

impl Places {
    pub(super) fn holds(&self, within: Option<PlaceId>, collection: CollectionId) -> bool {
        let [a, b, c] = self.collections;
        match within {
            None => true,
            Some(PlaceId::Project(project)) => (project == self.projects[1]) == (collection == c),
            Some(PlaceId::Collection(place)) => {
                collection == place || (place == a && collection == b)
            }
        }
    }

    pub(super) fn all(&self) -> [Option<PlaceId>; 5] {
        let [a, b, _] = self.collections.map(PlaceId::Collection);
        let [p, q] = self.projects.map(PlaceId::Project);
        [None, Some(p), Some(q), Some(a), Some(b)]
    }
}

/// A name made of parts that fold, sort and repeat in all the ways that matter.
fn odd_name(n: u64) -> String {
    const PARTS: [&str; 12] = [
        "Résumé",
        "RESUME",
        "re\u{301}sume",
        "img",
        "Straße",
        "strasse",
        "東京",
        "İx",
        "10",
        "9",
        "é",
        "e",
    ];
    const ENDS: [&str; 7] = [".png", ".txt", ".ogg", ".mp4", ".glb", ".bin", ""];
    let random = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    let part = |shift: u64| PARTS[((random >> shift) % 12) as usize];
    let end = ENDS[(random % 7) as usize];
    format!("{}{}{}{end}", part(4), part(9), (random >> 14) % 700)
}

/// Archives the names numbered `range`, spread over the collections, most in the first.
pub(super) fn fill(vault: &Vault, places: &Places, range: std::ops::Range<u64>) {
    let ingest = vault.ingest().expect("it takes things in");
    ingest.set_bulk(true);
    let mut tickets = Vec::new();
    for n in range {
        let at = [0, 0, 0, 1, 2][(n % 5) as usize];
        let new = compactvault_vault::NewAsset {
            modified: (n % 4 != 0).then(|| compactvault_vault::Timestamp {
                seconds: (n % 9) as i64 - 4,
                nanoseconds: (n % 2) as u32,
            }),
            ..new_asset(places.collections[at], name(&odd_name(n)))
        };
        let content = format!("{n}{}", "x".repeat((n % 11) as usize));
        let handed = ingest.archive(new, &mut content.as_bytes());
        tickets.push(handed.expect("memory can be read").0);
    }
    for ticket in tickets {
        ticket.wait().expect("it is sealed");
    }
    ingest.set_bulk(false);
}

/// All newest assets, by way of a walk, which asks no index of what this module tests.
pub(super) fn everything(vault: &Vault) -> Vec<Asset> {
    let walk = vault.walk(None, false).expect("it can be walked");
    walk.filter_map(|item| match item.expect("it is intact").node {
        compactvault_vault::WalkNode::Asset(asset) => Some(*asset),
        _ => None,
    })
    .collect()
}

pub(super) fn by_name(a: &Asset, b: &Asset) -> Ordering {
    let key = |asset: &Asset| (sort_key(asset.name.as_bytes()), asset.id);
    key(a).cmp(&key(b))
}

fn sorted<'a>(
    mut assets: Vec<&'a Asset>,
    text: &str,
    sort: SortBy,
    descending: bool,
) -> Vec<&'a Asset> {
    assets.sort_by(|a, b| {
        let first = match sort {
            SortBy::Name => by_name(a, b),
            SortBy::Size => a.size.cmp(&b.size),
            SortBy::Added => a.id.cmp(&b.id),
            SortBy::Modified => a.modified.cmp(&b.modified),
            SortBy::Type => a.media.class.cmp(&b.media.class),
            SortBy::Rank => rank(a, text).cmp(&rank(b, text)),
        };
        let first = if descending { first.reverse() } else { first };
        first.then_with(|| by_name(a, b))
    });
    assets
}

fn rank(asset: &Asset, text: &str) -> Relevance {
    let name = fold(&asset.name.to_utf8_lossy());
    Ranker::new(&fold(text)).rank(name.as_bytes())
}

fn contains(asset: &Asset, text: &str) -> bool {
    fold(&asset.name.to_utf8_lossy()).contains(&fold(text))
}

/// Compares searches of every text in every place, and lists of every collection, with the plain filter.
fn compare(vault: &Vault, places: &Places, round: usize) {
    let all = everything(vault);
    for (n, text) in TEXTS.into_iter().enumerate() {
        for (m, within) in places.all().into_iter().enumerate() {
            let sort = SORTS[(n + m + round) % SORTS.len()];
            let descending = (n + m) % 2 == 1;
            let classes = MediaClass::ALL[..(n + round) % 3].to_vec();
            let wanted =
                |asset: &&Asset| classes.is_empty() || classes.contains(&asset.media.class);
            let matching: Vec<&Asset> = all
                .iter()
                .filter(|asset| places.holds(within, asset.collection) && contains(asset, text))
                .collect();
            let due = sorted(
                matching.iter().copied().filter(wanted).collect(),
                text,
                sort,
                descending,
            );
            let offset = due.len() as u64 / 2;
            let query = SearchQuery {
                within,
                text: text.into(),
                classes: classes.clone(),
                sort,
                descending,
                offset,
                limit: 50,
                ..SearchQuery::default()
            };
            let page = vault.search(&query).expect("it can be searched");
            let found: Vec<&Asset> = page.hits.iter().map(|hit| &hit.asset).collect();
            let due_here: Vec<&Asset> =
                due.iter().copied().skip(offset as usize).take(50).collect();
            assert_eq!(found, due_here, "{query:?}");
            assert_eq!(page.total, due.len() as u64, "{query:?}");
            assert_eq!(page.bytes, due.iter().map(|asset| asset.size).sum::<u64>());
            assert_eq!(page.counts.values().sum::<u64>(), matching.len() as u64);
            for hit in &page.hits {
                let details = vault.asset_details(hit.asset.id).expect("it is intact");
                assert_eq!((&hit.path, hit.project), (&details.path, details.project));
                assert_eq!(hit.versions, details.versions.len() as u64);
            }
            // The first is listed from the catalog, the others from the index alone.
            for own in places.collections {
                let list = ListQuery {
                    offset,
                    limit: 50,
                    text: text.into(),
                    classes: classes.clone(),
                    sort,
                    descending,
                    ..ListQuery::default()
                };
                let matching = all
                    .iter()
                    .filter(|asset| asset.collection == own && contains(asset, text));
                let due = sorted(matching.filter(wanted).collect(), text, sort, descending);
                let page = vault.list(own, &list).expect("it can be listed");
                let listed: Vec<&Asset> = page.assets.iter().map(|(asset, _)| asset).collect();
                let due_here: Vec<&Asset> =
                    due.iter().copied().skip(offset as usize).take(50).collect();
                assert_eq!(listed, due_here, "{list:?}");
                assert_eq!(page.total, due.len() as u64, "{list:?}");
            }
        }
    }
}

/// Guards: a search finds exactly the names that contain the text, whatever their case, accents and script, from one
/// character on, in the place that was asked for; so it does after more was archived, new versions among it, in a vault
/// opened again, and after `reindex`.
#[test]
fn a_search_finds_what_a_plain_filter_finds() {
    let home = Home::new();
    let vault = home.create();
    let made = places(&vault);
    compare(&vault, &made, 0);
    fill(&vault, &made, 0..900);
    compare(&vault, &made, 1);
    fill(&vault, &made, 900..1300);
    compare(&vault, &made, 2);
    vault.rebuild_derived().expect("it is made again");
    compare(&vault, &made, 3);
    vault.close().expect("it closes");
    compare(&home.open(), &made, 4);
}

/// Guards: what is sealed is found by the next search, and pages stay whole and in order, while assets stream in.
#[test]
fn searches_and_far_pages_hold_while_assets_come_in() {
    let home = Home::new();
    let vault = home.create();
    let made = places(&vault);
    fill(&vault, &made, 0..1000);
    let sealed = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..60 {
                add(
                    &vault,
                    made.collections[0],
                    &format!("Späť {n}.txt"),
                    b"late",
                );
                sealed.store(n + 1, Memory::SeqCst);
            }
            done.store(1, Memory::SeqCst);
        });
        let mut rounds = 0;
        while done.load(Memory::SeqCst) == 0 || rounds < 5 {
            let at_least = sealed.load(Memory::SeqCst) as u64;
            let query = SearchQuery {
                text: "spat".into(),
                limit: 1000,
                ..SearchQuery::default()
            };
            let page = vault.search(&query).expect("it can be searched");
            assert!(page.total >= at_least, "{} of {at_least}", page.total);
            assert_eq!(page.hits.len() as u64, page.total);
            let list = ListQuery {
                offset: 200,
                limit: 1000,
                sort: SORTS[rounds % SORTS.len()],
                ..ListQuery::default()
            };
            let page = vault
                .list(made.collections[0], &list)
                .expect("it can be listed");
            assert_eq!(page.assets.len() as u64, page.total - 200);
            let assets: Vec<&Asset> = page.assets.iter().map(|(asset, _)| asset).collect();
            assert_eq!(sorted(assets.clone(), &list.text, list.sort, false), assets);
            rounds += 1;
        }
    });
    compare(&vault, &made, 5);
}

/// Guards: a search in what is not there, or is of another kind, says so instead of finding nothing.
#[test]
fn a_place_that_is_not_there_is_an_error() {
    let home = Home::new();
    let vault = home.create();
    let made = places(&vault);
    let strange = [
        PlaceId::Project(ProjectId::new(made.collections[0].seq())),
        PlaceId::Collection(CollectionId::new(made.projects[0].seq())),
    ];
    for within in strange {
        let query = SearchQuery {
            within: Some(within),
            ..SearchQuery::default()
        };
        let error = vault.search(&query).expect_err("it is not there");
        assert!(matches!(error, ReadError::NotFound { .. }), "{error}");
    }
}
