//! Shards, and differences.

use mpchat_model::{CaseResult, RuleVerdict, Verdict};
use mpchat_report::compare::{MergeError, diff, merge};

use crate::made_up::{HOSTILE, case, cases, results};

fn shards() -> (Vec<CaseResult>, Vec<CaseResult>) {
    cases().into_iter().partition(|case| case.id.len() % 2 == 0)
}

#[test]
fn shards_merge_to_what_one_run_gives() {
    let (first, second) = shards();
    assert!(!first.is_empty() && !second.is_empty());
    let whole = results(cases());
    assert_eq!(merge(vec![results(second.clone()), results(first.clone()), results(Vec::new())]).unwrap(), whole);
    assert_eq!(merge(vec![results(first), results(second)]).unwrap(), whole);
}

#[test]
fn what_are_no_shards_of_one_run_does_not_merge() {
    let (first, second) = shards();
    let (first, second) = (results(first), results(second));
    assert_eq!(merge(Vec::new()), Err(MergeError::Nothing));
    let twice = merge(vec![first.clone(), second.clone(), first.clone()]).unwrap_err();
    assert!(matches!(twice, MergeError::Twice(id) if first.cases.iter().any(|case| case.id == id)));
    let mut other = second.clone();
    other.specification.digest = "0".repeat(64);
    assert_eq!(merge(vec![first.clone(), other]), Err(MergeError::Different("specification")));
    let mut other = second.clone();
    other.tool.version = "9".to_owned();
    assert_eq!(merge(vec![first.clone(), other]), Err(MergeError::Different("tool")));
    let mut other = second;
    other.target.role = "client".to_owned();
    assert_eq!(merge(vec![first, other]), Err(MergeError::Different("target's role")));
}

#[test]
fn an_early_end_of_any_shard_stays_known() {
    let (first, second) = shards();
    let mut ended = results(second);
    ended.aborted = Some("gone".to_owned());
    let merged = merge(vec![results(first), ended]).unwrap();
    assert_eq!((merged.exit_code(), merged.aborted.as_deref()), (3, Some("gone")));
}

#[test]
fn a_difference_names_what_changed() {
    let old = results(cases());
    let mut changed = cases();
    changed[0] = case("msg/good", Verdict::Fail, &["MSG-03"], &["MSG-03"]);
    changed[1] = case("msg/bad[x]", Verdict::Pass, &["MSG-04", "MSG-05"], &[]);
    changed[5].id = "close/new".to_owned();
    changed[6].violates = vec!["MSG-07".parse().unwrap()];
    let diff = diff(&old, &results(changed));
    insta::assert_snapshot!(diff.to_string());
    assert!(diff.is_regression());
    let rule = |id: &str| diff.rules.iter().find(|(rule, ..)| rule.as_str() == id).map(|(_, was, is)| (*was, *is));
    assert_eq!(rule("MSG-05"), Some((Some(RuleVerdict::Fail), Some(RuleVerdict::Pass))));
    assert_eq!(rule("MSG-19"), None);
}

#[test]
fn only_what_is_worse_is_a_regression() {
    let good = || vec![case("a/a", Verdict::Pass, &["MSG-03"], &[])];
    let with = |more: CaseResult| {
        let mut all = good();
        all.push(more);
        diff(&results(good()), &results(all))
    };
    let same = diff(&results(good()), &results(good()));
    assert!(same.is_empty() && !same.is_regression());
    assert_eq!(same.to_string(), "no difference\n");
    assert!(!with(case("a/b", Verdict::Pass, &["MSG-05"], &[])).is_regression());
    assert!(with(case("a/b", Verdict::Inconclusive, &["MSG-05"], &[])).is_regression());
    assert!(with(case("a/b", Verdict::Pass, &["MTP-17"], &["MTP-17"])).is_regression(), "a new warning");
    let gone = diff(&results(good()), &results(Vec::new()));
    assert_eq!(gone.removed, [("a/a".to_owned(), Verdict::Pass)]);
}

#[test]
fn a_hostile_id_does_no_harm() {
    let hostile = vec![case(HOSTILE, Verdict::Fail, &["MSG-03"], &["MSG-03"])];
    let text = diff(&results(Vec::new()), &results(hostile)).to_string();
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
    assert_eq!(text.lines().count(), 2, "{text}");
}
