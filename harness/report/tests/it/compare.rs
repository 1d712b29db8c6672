//! Differences.

use mpchat_model::{CaseResult, RuleVerdict, Verdict};
use mpchat_report::compare::diff;

use crate::made_up::{HOSTILE, case, cases, results};

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
    assert!(!gone.is_regression());
}

#[test]
fn every_way_of_getting_worse_or_better_is_told_apart() {
    use Verdict::*;
    let one =
        |verdict| results(vec![case("a/a", verdict, &["MSG-03"], if verdict == Fail { &["MSG-03"] } else { &[] })]);
    for (was, is, words, worse) in [
        (Pass, Fail, "newly failing: a/a: pass -> fail", true),
        (Skipped, Inconclusive, "newly failing: a/a: skipped -> inconclusive", true),
        (Known, Fail, "newly failing: a/a: known -> fail", true),
        (Inconclusive, Fail, "worse: a/a: inconclusive -> fail", true),
        (Pass, Known, "worse: a/a: pass -> known", true),
        (Pass, Skipped, "worse: a/a: pass -> skipped", true),
        (Fail, Pass, "fixed: a/a: fail -> pass", false),
        (Known, Pass, "fixed: a/a: known -> pass", false),
        (Fail, Known, "better: a/a: fail -> known", false),
        (Fail, Skipped, "better: a/a: fail -> skipped", false),
    ] {
        let diff = diff(&one(was), &one(is));
        assert!(diff.to_string().contains(words), "{diff}");
        assert_eq!(diff.is_regression(), worse, "{diff}");
    }
}

#[test]
fn a_run_that_could_not_go_on_is_worse_than_one_that_could() {
    let (whole, mut ended) = (results(Vec::new()), results(Vec::new()));
    ended.aborted = Some("nobody\nlistens".to_owned());
    let worse = diff(&whole, &ended);
    assert_eq!((worse.to_string().as_str(), worse.is_regression()), ("could not go on: nobody\\nlistens\n", true));
    assert!(diff(&ended, &ended).is_empty() && !diff(&ended, &whole).is_regression());
}

#[test]
fn a_hostile_id_does_no_harm() {
    let hostile = vec![case(HOSTILE, Verdict::Fail, &["MSG-03"], &["MSG-03"])];
    let text = diff(&results(Vec::new()), &results(hostile)).to_string();
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
    assert_eq!(text.lines().count(), 2, "{text}");
}
