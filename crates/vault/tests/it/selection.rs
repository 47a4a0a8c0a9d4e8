//! Rules that say what somebody means, and where assets stand in a list.

use std::collections::HashSet;

use compactvault_vault::natural_order::fold;
use compactvault_vault::query::Query;
use compactvault_vault::{
    Asset, AssetId, PlaceId, Question, ReadError, Selection, Seq, SortBy, Vault,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::search::{Places, by_name, everything, fill, places};
use super::support::{Home, add};

/// The assets that a question is about, in the order of their names.
fn plain(vault: &Vault, made: &Places, question: &Question) -> Vec<Asset> {
    let mut all: Vec<Asset> = everything(vault)
        .into_iter()
        .filter(|asset| match question.within {
            Some(PlaceId::Collection(own)) if !question.deep => asset.collection == own,
            within => made.holds(within, asset.collection),
        })
        .filter(|asset| {
            let name = fold(&asset.name.to_utf8_lossy());
            question
                .query
                .words()
                .all(|word| name.contains(&fold(word)))
        })
        .collect();
    all.sort_by(by_name);
    if question.descending {
        all.reverse();
    }
    all
}

fn questions(made: &Places) -> Vec<Question> {
    let [a, _, _] = made.collections;
    let question = |within, deep, query: &str, descending| Question {
        within,
        deep,
        query: Query::parse(query),
        descending,
        ..Question::default()
    };
    vec![
        question(None, false, "", false),
        question(Some(PlaceId::Collection(a)), false, "", false),
        question(Some(PlaceId::Collection(a)), true, "1", true),
        question(Some(PlaceId::Project(made.projects[0])), false, "e", false),
    ]
}

/// Guards: what a rule selects, and where assets stand, is what one gets by going through the list; also when versions
/// were named that have newer ones by now.
#[test]
fn a_rule_selects_what_the_list_says() {
    let home = Home::new();
    let vault = home.create();
    let made = places(&vault);
    fill(&vault, &made, 0..500);
    let before: Vec<AssetId> = everything(&vault).iter().map(|asset| asset.id).collect();
    fill(&vault, &made, 300..700);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(80));
    let numbers = prop::collection::vec(any::<usize>(), 12);
    let ran = runner.run(
        &(numbers, any::<bool>(), 0..4_usize),
        |(numbers, all, at)| {
            let question = &questions(&made)[at];
            let list = plain(&vault, &made, question);
            let pick = |n: usize| list[numbers[n] % list.len()].id;
            let old = |n: usize| before[numbers[n] % before.len()];
            let selection = Selection {
                of: question.clone(),
                all,
                ranges: vec![(pick(0), pick(1)), (pick(2), pick(3))],
                with: vec![pick(4), pick(4), old(5)],
                without: vec![pick(6), old(7)],
            };
            let newest = |id: AssetId| vault.asset_details(id).expect("it is there").versions[0];
            let without: HashSet<AssetId> = [pick(6), old(7), newest(old(7))].into();
            let rank = |id: AssetId| {
                list.iter()
                    .position(|asset| asset.id == id)
                    .expect("it is listed")
            };
            let span = |a, b| rank(a).min(rank(b))..=rank(a).max(rank(b));
            let spans = [span(pick(0), pick(1)), span(pick(2), pick(3))];
            let inside = |at: &usize| all || spans.iter().any(|span| span.contains(at));
            let mut due: Vec<AssetId> = (0..list.len())
                .filter(inside)
                .map(|at| list[at].id)
                .collect();
            for id in [pick(4), old(5)] {
                if !due.contains(&id) {
                    due.push(id);
                }
            }
            due.retain(|id| !without.contains(id));
            let found = vault.select(&selection).expect("it can be selected");
            // Those named one by one come last, in no order that matters.
            let sorted = |ids: &[AssetId]| {
                let mut ids: Vec<u64> = ids.iter().map(|id| id.get()).collect();
                ids.sort_unstable();
                ids
            };
            assert_eq!(sorted(&found.assets), sorted(&due));
            let bytes: u64 = due
                .iter()
                .map(|id| vault.asset(*id).expect("it is there").size)
                .sum();
            assert_eq!(found.bytes, bytes);
            let places: HashSet<_> = due
                .iter()
                .map(|id| vault.asset(*id).expect("it is there").collection)
                .collect();
            assert_eq!(found.one_place, places.len() <= 1);

            let asked = [pick(8), old(9), pick(10)];
            let ranks = vault
                .ranks(question, &asked, Some("RÉS"))
                .expect("they stand somewhere");
            for (id, rank) in asked.iter().zip(&ranks.ranks) {
                let due = list
                    .iter()
                    .position(|asset| asset.id == *id)
                    .map(|at| at as u64);
                assert_eq!(*rank, due);
            }
            assert_eq!(ranks.total, list.len() as u64);
            let begins = |asset: &Asset| fold(&asset.name.to_utf8_lossy()).starts_with("res");
            assert_eq!(
                ranks.prefix,
                list.iter().position(begins).map(|at| at as u64)
            );
            Ok(())
        },
    );
    ran.expect("every rule selects what it says");
}

/// Guards: the end of a range that got a newer version since stands for that; what is no asset is an error.
#[test]
fn a_range_survives_a_new_version_of_its_ends() {
    let home = Home::new();
    let vault = home.create();
    let made = places(&vault);
    let own = made.collections[0];
    let ids: Vec<AssetId> = ["a", "b", "c", "d"]
        .iter()
        .map(|name| AssetId::new(add(&vault, own, name, name.as_bytes()).seq))
        .collect();
    let rule = |first, last| Selection {
        of: Question {
            within: Some(PlaceId::Collection(own)),
            ..Question::default()
        },
        ranges: vec![(first, last)],
        ..Selection::default()
    };
    let count = |rule: &Selection| vault.select(rule).map(|found| found.assets.len());
    assert_eq!(count(&rule(ids[1], ids[2])).expect("they are there"), 2);
    let newer = AssetId::new(add(&vault, own, "b", b"newer").seq);
    let found = vault.select(&rule(ids[2], ids[1])).expect("they are there");
    assert_eq!(found.assets, [newer, ids[2]]);
    let mut all = rule(ids[0], ids[0]);
    (all.all, all.without) = (true, vec![ids[1]]);
    assert_eq!(
        vault.select(&all).expect("they are there").assets,
        [ids[0], ids[2], ids[3]]
    );
    for strange in [own.seq(), Seq::new(9999), Seq::new(1)] {
        let strange = AssetId::new(strange);
        let mut with = rule(ids[0], ids[0]);
        with.with = vec![strange];
        for rule in [rule(ids[0], strange), with] {
            let error = count(&rule).expect_err("it is no asset");
            assert!(matches!(error, ReadError::NotFound { .. }), "{error}");
        }
    }
    let by_size = Question {
        within: Some(PlaceId::Collection(own)),
        sort: SortBy::Size,
        descending: true,
        ..Question::default()
    };
    let ranks = vault
        .ranks(&by_size, &[newer, ids[1]], None)
        .expect("they stand");
    assert_eq!((ranks.ranks, ranks.prefix), (vec![Some(0), None], None));
}
