//! Files of known failures that are written from results.

use mpchat_model::{CaseResult, Event, KnownFailures, Results, Verdict};
use mpchat_report::known_failures::{Written, written};

use crate::made_up::{HOSTILE, case, header, ledger, results};

/// Judges cases by a file of known failures.
fn judged(file: &str, cases: Vec<CaseResult>, every: &[&str]) -> (KnownFailures, Results) {
    let known = KnownFailures::parse("known.txt", file).unwrap();
    let mut results = Results::new(&ledger(), &header());
    known.stale(every.iter().copied()).into_iter().for_each(|p| results.on(&Event::PatternProblem(p)));
    for mut case in cases {
        known.judge(&mut case).into_iter().for_each(|p| results.on(&Event::PatternProblem(p)));
        results.on(&Event::CaseFinished(Box::new(case)));
    }
    results.on(&Event::RunFinished { seconds: 1.0, aborted: None });
    (known, results)
}

/// Writes the file anew, and judges the same cases by what is written: nothing is left to complain of.
fn rewritten(file: &str, cases: Vec<CaseResult>, every: &[&str]) -> Written {
    let (known, results) = judged(file, cases.clone(), every);
    let new = written(&known, &results);
    let (again, results) = judged(&new.text, cases, every);
    assert_eq!(results.exit_code(), 0, "{}", new.text);
    assert_eq!(written(&again, &results).text, new.text, "nothing is left to change");
    assert_eq!(again.patterns().len(), new.patterns);
    new
}

fn fail(id: &str) -> CaseResult {
    CaseResult {
        got: Some("msg_res \"error\"".to_owned()),
        ..case(id, Verdict::Fail, &["MSG-03"], &["MSG-03", "MSG-05"])
    }
}

fn pass(id: &str) -> CaseResult {
    case(id, Verdict::Pass, &["MSG-03"], &[])
}

#[test]
fn what_failed_is_written_with_a_reason_to_begin_with() {
    let hostile = "msg/*#\\[x]";
    let other = CaseResult { step: None, ..case("msg/other", Verdict::Fail, &[], &[]) };
    let cases =
        vec![fail(hostile), case("init/gone", Verdict::Inconclusive, &["INIT-05"], &[]), other, pass("msg/good")];
    let new = rewritten("", cases, &[hostile, "init/gone", "msg/other", "msg/good"]);
    let lines: Vec<&str> = new.text.lines().collect();
    assert!(lines[0].starts_with("# Failures of a made-up <server> that are known") && lines[1].is_empty());
    assert!(lines[2].starts_with("# inconclusive: a \\u{1b}[31m") && lines[2].ends_with("…; say why it is accepted"));
    assert_eq!(lines[3], "init/gone");
    assert_eq!(
        lines[4],
        "# breaks MSG-03, MSG-05: expected msg_req \"hello\"; got msg_res \"error\"; say why it is accepted"
    );
    assert_eq!(lines[5], r"msg/\*\#\\[x]");
    assert_eq!((lines[7], lines.len()), ("msg/other", 8));
    assert!(!new.text.chars().any(|c| c.is_control() && c != '\n'), "{HOSTILE} does no harm");
}

#[test]
fn reasons_and_comments_stay_and_what_is_not_true_any_more_goes() {
    let file = "# A head.\n\n# slow\n# disk\nmsg/*\n# not run\nmtp/*\n\n# On closes.\n\n# fixed\nclose/a\n# gone\nold/x\n# The end.";
    let cases = vec![fail("msg/a"), fail("msg/b"), pass("msg/c"), pass("close/a"), fail("stat/a")];
    let new = rewritten(file, cases, &["msg/a", "msg/b", "msg/c", "close/a", "stat/a", "mtp/a"]);
    let (kept, added) = new.text.split_once("# breaks").unwrap();
    assert_eq!(
        kept,
        "# A head.\n\n# slow\n# disk\nmsg/a\n# slow\n# disk\nmsg/b\n# not run\nmtp/*\n\n# On closes.\n\n# The end.\n\n"
    );
    assert!(added.ends_with("\nstat/a\n"));
    assert_eq!(
        new.changes,
        ["line 5: msg/*: now msg/a, msg/b", "line 12: close/a: removed", "line 14: old/x: removed"]
    );
    let true_still = rewritten("# slow\nmsg/*\n", vec![fail("msg/a")], &["msg/a"]);
    assert_eq!((true_still.text.as_str(), true_still.changes.len()), ("# slow\nmsg/*\n", 0));
}

#[test]
fn patterns_that_become_the_same_are_written_once() {
    let cases = vec![fail("msg/a"), pass("msg/b"), pass("x/a")];
    let new = rewritten("# one\nmsg/*\n# two\n*/a\n", cases, &["msg/a", "msg/b", "x/a"]);
    assert_eq!(new.text, "# one\nmsg/a\n");
}

#[test]
fn a_run_without_failures_gives_a_file_without_patterns() {
    let new = written(&KnownFailures::default(), &results(vec![pass("msg/a")]));
    assert_eq!(new.patterns, 0);
    assert!(KnownFailures::parse("known.txt", &new.text).unwrap().patterns().is_empty());
}
