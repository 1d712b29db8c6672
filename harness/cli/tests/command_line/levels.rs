//! `--level`, and runs that end early or without a verdict.

use mpchat_model::{RuleVerdict, Verdict};

use crate::Place;

#[test]
fn a_broken_should_is_a_warning_unless_it_is_asked_for() {
    let place = Place::new();
    let should = "\
---
title: A server that tells an outsider something
covers: [STAT-01, CLOSE-09]
why: The scenario itself is wrong, and blames a SHOULD.
---
sequenceDiagram
    alice->>server: status_req
    server->>alice: status_res Offline [CLOSE-09]
";
    place.write("scenarios/own/should.mmd", should);
    let rule = || place.results("results.json").rules.into_iter().find(|rule| rule.id.as_str() == "CLOSE-09").unwrap();
    for arguments in [&["=own/should"][..], &["=own/should", "--level", "must"]] {
        let done = place.run(arguments);
        assert_eq!(done.code, Some(0));
        assert!(done.out.contains("warning: CLOSE-09 (SHOULD) is broken"), "{}", done.out);
        assert_eq!((place.case("own/should").verdict, rule().verdict), (Verdict::Pass, RuleVerdict::Warning));
    }
    let done = place.run(&["=own/should", "--level", "should"]);
    assert_eq!((done.code, place.case("own/should").verdict), (Some(1), Verdict::Fail));
    assert!(done.out.contains("FAIL own/should") && done.out.contains("--level 'should'"), "{}", done.out);
    place.write("known.txt", "# Fails at another level.\nown/should\n");
    assert_eq!(place.run(&["=own/should", "--known-failures", "known.txt"]).code, Some(0));
    assert_eq!(place.run(&["=own/should", "--known-failures", "known.txt", "--level", "should"]).code, Some(0));
}

#[test]
fn the_first_failure_ends_a_run_unless_it_is_known() {
    let place = Place::new();
    let many: String = (0..40).map(|n| format!("  a{n}: {{answer: Offline}}\n")).collect();
    let text = crate::WRONG.replace("  a: {answer: Offline}\n", &many);
    place.write("scenarios/own/wrong.mmd", &text);
    let done = place.run(&["own/", "--fail-fast", "--jobs", "1"]);
    assert_eq!((done.code, place.results("results.json").cases.len()), (Some(1), 1));
    place.write("known.txt", "# Known.\nown/wrong[a*]\n");
    let done = place.run(&["own/", "--fail-fast", "--jobs", "1", "--known-failures", "known.txt"]);
    assert_eq!((done.code, place.results("results.json").cases.len()), (Some(0), 41));
}

#[test]
fn a_run_that_skipped_everything_has_no_verdict() {
    let place = Place::new();
    let command = format!("{} serve --listen 127.0.0.1:{{port}} --kit {{kit}}", env!("CARGO_BIN_EXE_mpchat"));
    let done = place.run(&["restart/fresh-sids", "--start", &command]);
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("every case was skipped: nothing was judged"), "{}", done.err);
    assert_eq!(place.results("results.json").summary.skipped, 1, "the result tells why");
    let done = place.run(&["restart/fresh-sids", "--start", &command, "--shard", "1/1"]);
    assert_eq!(done.code, Some(0), "other shards may judge something");
    assert!(done.err.contains("nothing was judged in this shard"));
    let merged = place.mpchat(&["report", "merge", "results.json"]);
    assert!(merged.code == Some(2) && merged.err.contains("nothing was judged"), "{}", merged.err);
}
