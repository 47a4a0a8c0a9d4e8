//! Lists, pages, counts, searches and walks, against a plain model of what was archived.

use std::collections::BTreeMap;

use compactvault_vault::{
    AssetId, CollectionId, ListQuery, MediaClass, Name, NewAsset, Node, PlaceId, SortBy, Timestamp,
    Vault, WalkNode,
};

use super::support::{Home, add, add_link, name, new_asset, place};

/// Every row of a listing, page by page.
fn pages(vault: &Vault, place: CollectionId, query: &ListQuery, limit: u64) -> Vec<AssetId> {
    let mut ids = Vec::new();
    loop {
        let query = ListQuery {
            offset: ids.len() as u64,
            limit,
            ..query.clone()
        };
        let page = vault.list(place, &query).expect("it can be listed");
        if page.assets.is_empty() {
            assert_eq!(ids.len() as u64, page.total);
            return ids;
        }
        ids.extend(page.assets.iter().map(|(asset, _)| asset.id));
    }
}

fn names(vault: &Vault, ids: &[AssetId]) -> Vec<String> {
    ids.iter()
        .map(|id| vault.asset(*id).expect("it is there").name.escaped())
        .collect()
}

fn all(sort: SortBy, descending: bool) -> ListQuery {
    ListQuery {
        limit: u64::MAX,
        sort,
        descending,
        ..ListQuery::default()
    }
}

#[test]
fn names_come_in_the_order_people_expect() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    let expected = [
        "007.txt",
        "7.txt",
        "٣.txt",
        "3.txt",
        "img2.png",
        "IMG3.png",
        "img10.png",
        "Éclair",
        "egg",
        "zoo",
    ];
    for file in expected {
        add(&vault, place, file, file.as_bytes());
    }
    let listed = names(
        &vault,
        &pages(&vault, place, &all(SortBy::Name, false), u64::MAX),
    );
    let position = |file: &str| {
        listed
            .iter()
            .position(|name| name == file)
            .expect("it is listed")
    };
    for pair in [
        ["3.txt", "7.txt"],
        ["٣.txt", "7.txt"],
        ["007.txt", "7.txt"],
        ["img2.png", "IMG3.png"],
        ["IMG3.png", "img10.png"],
        ["Éclair", "egg"],
        ["egg", "img2.png"],
        ["img10.png", "zoo"],
    ] {
        assert!(
            position(pair[0]) < position(pair[1]),
            "{pair:?}: {listed:?}"
        );
    }
    let mut reversed = names(
        &vault,
        &pages(&vault, place, &all(SortBy::Name, true), u64::MAX),
    );
    reversed.reverse();
    assert_eq!(reversed, listed);
}

/// A collection of 120 assets of every class, some with several versions; gives what was put in, oldest first.
fn mixed(vault: &Vault, place: CollectionId) -> Vec<(String, usize)> {
    const EXTENSIONS: [&str; 6] = ["txt", "png", "ogg", "mp4", "glb", "bin"];
    let mut model = Vec::new();
    for n in 0..120_usize {
        let file = format!("Item {} ÄÖ.{}", n % 100, EXTENSIONS[n % 6]);
        let size = (n * 37) % 50;
        let bytes: Vec<u8> = (0..size).map(|i| (n + i) as u8).collect();
        let asset = NewAsset {
            modified: (n % 5 != 0).then(|| Timestamp {
                seconds: (n as i64 * 7919) % 1000 - 500,
                nanoseconds: n as u32,
            }),
            ..new_asset(place, name(&file))
        };
        let (ticket, _) = vault
            .ingest()
            .expect("it takes things in")
            .archive(asset, &mut bytes.as_slice())
            .expect("memory can be read");
        ticket.wait().expect("it is sealed");
        model.push((file, size));
    }
    model
}

#[test]
fn every_page_size_order_and_filter_gives_the_same_assets() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    let model = mixed(&vault, place);
    let newest: BTreeMap<&str, usize> = model
        .iter()
        .map(|(file, size)| (file.as_str(), *size))
        .collect();
    let bytes: usize = newest.values().sum();
    for sort in [
        SortBy::Name,
        SortBy::Size,
        SortBy::Added,
        SortBy::Modified,
        SortBy::Type,
        SortBy::Rank,
    ] {
        for descending in [false, true] {
            let query = all(sort, descending);
            let page = vault.list(place, &query).expect("it can be listed");
            assert_eq!(page.total, newest.len() as u64);
            assert_eq!(page.bytes, bytes as u64);
            assert_eq!(page.counts.values().sum::<u64>(), page.total);
            assert_ordered(&page.assets, sort, descending);
            let full: Vec<AssetId> = page.assets.iter().map(|(asset, _)| asset.id).collect();
            let mut listed = names(&vault, &full);
            listed.sort();
            assert!(listed.iter().eq(newest.keys()), "{sort:?}");
            for limit in [1, 7, 50, 119, 1000] {
                assert_eq!(
                    pages(&vault, place, &query, limit),
                    full,
                    "{sort:?} by {limit}"
                );
            }
        }
    }
}

fn assert_ordered(assets: &[(compactvault_vault::Asset, u64)], sort: SortBy, descending: bool) {
    for pair in assets.windows(2) {
        let (a, b) = (&pair[0].0, &pair[1].0);
        let order = match sort {
            // Without a text all names answer it alike.
            SortBy::Name | SortBy::Rank => continue,
            SortBy::Size => a.size.cmp(&b.size),
            SortBy::Added => a.id.cmp(&b.id),
            SortBy::Modified => a.modified.cmp(&b.modified),
            SortBy::Type => a.media.class.cmp(&b.media.class),
        };
        let order = if descending { order.reverse() } else { order };
        assert!(order.is_le(), "{sort:?}: {a:?} before {b:?}");
    }
}

#[test]
fn a_search_finds_what_contains_it_and_counts_it_by_class() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    let model = mixed(&vault, place);
    let newest: BTreeMap<&str, usize> = model
        .iter()
        .map(|(file, size)| (file.as_str(), *size))
        .collect();
    for (text, needle) in [
        ("item 1", "item 1"),
        ("ITEM 42", "item 42"),
        ("äö.PNG", "äö.png"),
        ("nothing like it", "nothing like it"),
        (".", "."),
    ] {
        let query = ListQuery {
            text: text.into(),
            ..all(SortBy::Name, false)
        };
        let page = vault.list(place, &query).expect("it can be listed");
        let expected = newest
            .keys()
            .filter(|file| file.to_lowercase().contains(needle))
            .count();
        assert_eq!(page.total, expected as u64, "{text}");
        assert_eq!(page.assets.len(), expected, "{text}");
        assert_eq!(pages(&vault, place, &query, 3).len(), expected, "{text}");
        for class in MediaClass::ALL {
            let filtered = ListQuery {
                classes: vec![class],
                ..query.clone()
            };
            let filtered = vault.list(place, &filtered).expect("it can be listed");
            assert_eq!(filtered.counts, page.counts, "counts leave the filter out");
            assert_eq!(
                filtered.total,
                page.counts.get(&class).copied().unwrap_or(0)
            );
            assert!(filtered.assets.iter().all(|(a, _)| a.media.class == class));
        }
    }
}

#[test]
fn superseded_versions_are_listed_when_asked_for() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    let model = mixed(&vault, place);
    let query = ListQuery {
        all_versions: true,
        ..all(SortBy::Name, false)
    };
    let page = vault.list(place, &query).expect("it can be listed");
    assert_eq!(page.total, model.len() as u64);
    assert_eq!(
        page.bytes,
        model.iter().map(|(_, size)| *size as u64).sum::<u64>()
    );
    assert_eq!(pages(&vault, place, &query, 11).len(), model.len());
    for (asset, versions) in &page.assets {
        let of_that_name = model
            .iter()
            .filter(|(file, _)| file.as_bytes() == asset.name.as_bytes())
            .count();
        assert_eq!(*versions, of_that_name as u64, "{}", asset.name);
    }
}

/// A tree: project A with B/C/D nested, project E empty; assets and links on several levels.
fn tree(vault: &Vault) -> Vec<String> {
    let (project, _) = vault
        .create_project(name("A"), "project", "")
        .expect("a project can be created");
    vault
        .create_project(name("E"), "album", "empty")
        .expect("a project can be created");
    let mut at = PlaceId::Project(project.id);
    let mut path = "A".to_owned();
    let mut expected = vec![path.clone()];
    for level in ["B", "C", "D"] {
        let (collection, created) = vault
            .create_collection(at, name(level), "collection")
            .expect("a collection can be created");
        assert!(created);
        path = format!("{path}/{level}");
        expected.push(path.clone());
        // More than one page of a walk.
        for n in 0..300 {
            let ingest = vault.ingest().expect("it takes things in");
            ingest.set_bulk(true);
            ingest
                .archive(
                    new_asset(collection.id, name(&format!("{n}"))),
                    &mut format!("{level} {n}").as_bytes(),
                )
                .expect("memory can be read");
            expected.push(format!("{path}/{n}"));
        }
        add_link(vault, collection.id, "link", b"old");
        add_link(vault, collection.id, "link", b"0");
        expected.push(format!("{path}/link"));
        at = PlaceId::Collection(collection.id);
    }
    expected.push("E".into());
    expected
}

fn walked(vault: &Vault, from: Option<PlaceId>, all_versions: bool) -> Vec<String> {
    vault
        .walk(from, all_versions)
        .expect("it can be walked")
        .map(|item| {
            let path = item.expect("it is intact").path;
            path.iter().map(Name::escaped).collect::<Vec<_>>().join("/")
        })
        .collect()
}

#[test]
fn a_walk_meets_everything_once_and_every_path_resolves_to_what_it_met() {
    let home = Home::new();
    let vault = home.create();
    let expected = tree(&vault);
    let met = walked(&vault, None, false);
    assert_eq!(
        met, expected,
        "in natural order, a place before its contents"
    );
    let mut all = walked(&vault, None, true);
    all.dedup();
    assert_eq!(all, expected, "superseded links come beside the newest");
    for item in vault.walk(None, false).expect("it can be walked") {
        let item = item.expect("it is intact");
        let node = vault.resolve(&item.path).expect("it resolves");
        let same = match (&item.node, &node) {
            (WalkNode::Project(id), Node::Project(project)) => *id == project.id,
            (WalkNode::Collection(id), Node::Collection(collection)) => *id == collection.id,
            (WalkNode::Asset(met), Node::Asset(found)) => met == found,
            (WalkNode::Link(met), Node::Link(found)) => met == found,
            _ => false,
        };
        assert!(same, "{item:?} resolves to {node:?}");
    }
    let Node::Collection(below) = vault
        .resolve(&[name("A"), name("B"), name("C")])
        .expect("it resolves")
    else {
        panic!("a collection lies there");
    };
    let part = walked(&vault, Some(PlaceId::Collection(below.id)), false);
    assert_eq!(part.len(), 300 + 1 + 1 + 300 + 1);
    assert!(matches!(vault.resolve(&[]), Ok(Node::Vault)));
    for path in [&["A", "b"][..], &["A", "B", "0", "x"], &["F"], &["A", "0"]] {
        let path: Vec<Name> = path.iter().map(|part| name(part)).collect();
        let error = vault.resolve(&path).expect_err("nothing lies there");
        assert_eq!(error.code(), "not_found");
    }
}

#[test]
fn projects_and_collections_tell_their_counts() {
    let home = Home::new();
    let vault = home.create();
    tree(&vault);
    vault.close().expect("what waits is sealed");
    let vault = home.open();
    let projects = vault.projects().expect("they can be listed");
    let figures: Vec<_> = projects
        .iter()
        .map(|p| {
            (
                p.name.escaped(),
                p.collections,
                p.assets,
                p.type_word.clone(),
            )
        })
        .collect();
    assert_eq!(
        figures,
        [
            ("A".into(), 1, 900, "project".into()),
            ("E".into(), 0, 0, "album".into())
        ]
    );
    assert_eq!(projects[1].description, "empty");
    let collections = vault
        .collections(projects[0].id)
        .expect("they can be listed");
    let figures: Vec<_> = collections
        .iter()
        .map(|c| (c.name.escaped(), c.collections, c.assets))
        .collect();
    assert_eq!(
        figures,
        [
            ("B".into(), 1, 300),
            ("C".into(), 1, 300),
            ("D".into(), 0, 300)
        ]
    );
    assert!(collections.iter().all(|c| c.project == projects[0].id));
    let (again, created) = vault
        .create_project(name("A"), "other", "text")
        .expect("it is found");
    assert!(!created && again.id == projects[0].id && again.type_word == "project");
}

#[test]
fn odd_names_come_back_exactly() {
    let home = Home::new();
    let vault = home.create();
    let place = place(&vault);
    let odd: Vec<Vec<u8>> = vec![
        b"it's \"quoted\"".to_vec(),
        b"<img src=x onerror=alert(1)>".to_vec(),
        b"new\nline\ttab\r".to_vec(),
        "\u{202e}gnp.exe".into(),
        b"not utf-8 \xff\xfe\x80".to_vec(),
        vec![b'n'; 255],
        vec![0xff; 1024],
        b" leading and trailing ".to_vec(),
        b"...".to_vec(),
        b"\\".to_vec(),
        "e\u{301}".into(),
        "\u{e9}".into(),
    ];
    for bytes in &odd {
        let asset = Name::new(bytes.clone()).expect("odd but good");
        let ingest = vault.ingest().expect("it takes things in");
        let (ticket, _) = ingest
            .archive(new_asset(place, asset), &mut bytes.as_slice())
            .expect("memory can be read");
        ticket.wait().expect("it is sealed");
    }
    let page = vault
        .list(place, &all(SortBy::Added, false))
        .expect("it can be listed");
    let listed: Vec<&[u8]> = page.assets.iter().map(|(a, _)| a.name.as_bytes()).collect();
    assert_eq!(listed, odd);
    for (asset, versions) in &page.assets {
        assert_eq!(*versions, 1, "{}", asset.name);
        let path = [name("P"), name("C"), asset.name.clone()];
        assert!(matches!(vault.resolve(&path), Ok(Node::Asset(found)) if found.id == asset.id));
    }
}

/// Readers of one place look at snapshots of different ages, and the younger ones must not make the older ones look
/// damaged.
#[test]
fn a_list_is_whole_for_all_who_read_while_it_grows() {
    let home = Home::new();
    let vault = &home.create();
    let place = place(vault);
    let growing = std::sync::atomic::AtomicBool::new(true);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..8_u64)
            .map(|reader| {
                let growing = &growing;
                scope.spawn(move || {
                    let mut answers = 0;
                    while growing.load(std::sync::atomic::Ordering::Relaxed) {
                        let query = ListQuery {
                            offset: reader % 2 * 300,
                            limit: 1,
                            ..all(SortBy::Name, false)
                        };
                        vault.list(place, &query).expect("nothing is damaged");
                        answers += 1;
                    }
                    answers
                })
            })
            .collect();
        for number in 0..1500_u32 {
            add(vault, place, &number.to_string(), &number.to_le_bytes());
        }
        growing.store(false, std::sync::atomic::Ordering::Relaxed);
        for reader in readers {
            assert!(reader.join().expect("no reader failed") > 10);
        }
    });
}
