//! Shards as one result.

use mpchat_model::{PatternProblem, Results};
use mpchat_report::merge::{MergeError, merge};

use crate::made_up::{cases, problems, results, shard};

/// The made-up run in two parts, with names.
fn shards() -> [(String, Results); 2] {
    let (first, second) = cases().into_iter().partition::<Vec<_>, _>(|case| case.id.len() % 2 == 0);
    assert!(!first.is_empty() && !second.is_empty());
    [(1, first), (2, second)].map(|(number, cases)| {
        let mut result = results(cases);
        result.shard = shard(number, 2);
        (format!("{number}.json"), result)
    })
}

fn with(change: impl Fn(&mut Results)) -> MergeError {
    let [first, mut second] = shards();
    change(&mut second.1);
    merge(vec![first, second]).unwrap_err()
}

#[test]
fn shards_merge_to_what_one_run_gives() {
    let whole = results(cases());
    let [first, second] = shards();
    assert_eq!(merge(vec![second.clone(), first.clone()]).unwrap(), whole);
    assert_eq!(merge(vec![first, second]).unwrap(), whole);
}

#[test]
fn a_shard_without_cases_is_a_shard() {
    let (mut all, mut none) = (results(cases()), results(Vec::new()));
    (all.shard, none.shard) = (shard(2, 2), shard(1, 2));
    assert_eq!(merge(vec![("a".to_owned(), none), ("b".to_owned(), all)]).unwrap(), results(cases()));
}

#[test]
fn patterns_that_are_wrong_in_any_shard_are_wrong() {
    let [mut first, mut second] = shards();
    let [stale, passed] = <[PatternProblem; 2]>::try_from(problems()).unwrap();
    let other = PatternProblem { cases: vec!["a/a".to_owned()], ..passed.clone() };
    first.1.problems = vec![stale.clone(), other];
    second.1.problems = vec![stale.clone(), passed.clone()];
    let merged = merge(vec![first, second]).unwrap();
    let mut both = passed;
    both.cases.insert(0, "a/a".to_owned());
    both.cases.sort();
    assert_eq!(merged.problems, [stale, both]);
}

#[test]
fn what_are_no_shards_of_one_run_does_not_merge() {
    assert_eq!(merge(Vec::new()), Err(MergeError::Nothing));
    for (change, words) in [
        (
            (|r| r.specification.digest = "0".repeat(64)) as fn(&mut Results),
            "1.json and 2.json differ in their specification",
        ),
        (|r| r.tool.version = "9".to_owned(), "differ in their tool: mpchat 0.1.0 (-) and mpchat 9 (-)"),
        (|r| r.target.role = "client".to_owned(), "differ in their target"),
        (
            |r| r.target.address = "h:2".to_owned(),
            "a made-up <server> at 127.0.0.1:1, a server and a made-up <server> at h:2",
        ),
        (|r| r.shard = shard(2, 3), "differ in their number of shards: 2 and 3"),
        (|r| r.shard.as_mut().unwrap().plan.clear(), "differ in their plan"),
        (|r| r.shard = shard(1, 2), "1.json and 2.json are both shard 1/2"),
        (|r| r.shard = None, "2.json is the result of no shard"),
        (|r| r.shard = shard(3, 2), "2.json is the result of no shard"),
        (|r| r.shard = shard(0, 2), "2.json is the result of no shard"),
        (|r| r.cases.extend(results(cases()).cases), "is in two results, of which 2.json is the second"),
    ] {
        let error = with(change).to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn every_shard_that_is_missing_is_named() {
    let missing = |numbers: &[u64], of: u64| {
        let shards = numbers.iter().map(|number| {
            let mut result = results(Vec::new());
            result.shard = shard(*number, of);
            (number.to_string(), result)
        });
        merge(shards.collect()).unwrap_err().to_string()
    };
    assert_eq!(missing(&[1], 2), "there is no result of shard 2 of 2");
    assert_eq!(missing(&[6, 2], 9), "there is no result of shard 1, 3-5, 7-9 of 9");
    assert_eq!(
        missing(&[u64::MAX], u64::MAX),
        format!("there is no result of shard 1-{} of {}", u64::MAX - 1, u64::MAX)
    );
}

#[test]
fn an_early_end_of_any_shard_stays_known() {
    let [first, mut second] = shards();
    second.1.aborted = Some("gone".to_owned());
    let merged = merge(vec![first, second]).unwrap();
    assert_eq!((merged.exit_code(), merged.aborted.as_deref()), (3, Some("gone")));
}
