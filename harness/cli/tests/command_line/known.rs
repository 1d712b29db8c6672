//! `--known-failures` and `--write-known-failures`.

use mpchat_model::{RuleVerdict, Verdict};

use crate::Place;

#[test]
fn a_known_failure_fails_no_run_and_keeps_its_reason() {
    let place = Place::new();
    assert_eq!(place.run(&["own/"]).code, Some(1));
    place.write("known.txt", "# Our presence is made up.\nown/wrong[a]\n");
    let done =
        place.run(&["own/", "--known-failures", "known.txt", "--report", "tap=t.tap", "--report", "junit=j.xml"]);
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    assert!(done.out.contains("known 1 (first own/wrong[a]): Our presence is made up."), "{}", done.out);
    let case = place.case("own/wrong[a]");
    assert_eq!((case.verdict, case.accepted.as_deref()), (Verdict::Known, Some("Our presence is made up.")));
    let results = place.results("results.json");
    let rule = results.rules.iter().find(|rule| rule.id.as_str() == "STAT-01").unwrap();
    assert_eq!((rule.verdict, results.summary.known, results.summary.pass), (RuleVerdict::Known, 1, 1));
    assert!(place.read("t.tap").contains("- own/wrong[a] # TODO Our presence is made up.\n"));
    assert!(place.read("j.xml").contains("<skipped message=\"known failure: Our presence is made up.\"/>"));
    place.write("mpchat.toml", "known-failures = \"known.txt\"\n");
    assert_eq!(place.run(&["own/", "--config", "mpchat.toml"]).code, Some(0));
}

#[test]
fn a_pass_and_a_pattern_that_matches_nothing_are_errors() {
    let place = Place::new();
    place.write("known.txt", "# one\nown/wrong[*]\n");
    let done = place.run(&["own/", "--known-failures", "known.txt"]);
    assert_eq!(done.code, Some(1));
    let told =
        "error: known.txt:2: `own/wrong[*]` is known to fail, but passed: own/wrong[b]: remove the pattern, or narrow";
    assert!(done.out.contains(told), "{}", done.out);
    place.write("known.txt", "# one\nown/wrong[a]\n# two\nown/wrong[c]\n");
    let done = place.run(&["own/", "--known-failures", "known.txt"]);
    assert_eq!(done.code, Some(1));
    assert!(done.out.contains("error: known.txt:4: `own/wrong[c]` matches no case"), "{}", done.out);
    assert_eq!(place.results("results.json").problems.len(), 1);
}

#[test]
fn only_a_case_that_is_nowhere_in_the_suite_makes_a_pattern_stale() {
    let place = Place::new();
    place.write("known.txt", "# of another part\nclose/*\n# here\nown/wrong[a]\n");
    for narrowed in [&["=own/wrong[a]"][..], &["own/", "--shard", "1/1"]] {
        let done = place.run(&[narrowed, &["--known-failures", "known.txt"]].concat());
        assert_eq!(done.code, Some(0), "{}", done.out);
    }
}

#[test]
fn a_case_that_was_skipped_says_nothing_of_a_pattern() {
    let place = Place::new();
    place.write("known.txt", "# a\nown/wrong[a]\n# b\nrestart/*\n");
    let command = format!("{} serve --listen 127.0.0.1:{{port}} --kit {{kit}}", env!("CARGO_BIN_EXE_mpchat"));
    let arguments = ["own/wrong[a]", "restart/fresh-sids", "--known-failures", "known.txt", "--start", &command];
    let done = place.run(&arguments);
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    assert_eq!(place.results("results.json").summary.skipped, 1);
}

#[test]
fn a_file_that_is_wrong_is_wrong_usage_with_its_line() {
    let place = Place::new();
    for (text, words) in [
        ("# why\n\nown/*\n", "known.txt: line 3: `own/*` has no reason"),
        ("# why\nown/a\nown/b\n", "known.txt: line 3: `own/b` has no reason"),
        ("# why\nown/a # why\n", "known.txt: line 2: a reason stands above"),
    ] {
        place.write("known.txt", text);
        let done = place.run(&["own/", "--known-failures", "known.txt"]);
        assert_eq!(done.code, Some(2));
        assert!(done.err.contains(words), "{}", done.err);
    }
    let done = place.run(&["own/", "--known-failures", "none.txt"]);
    assert!(done.code == Some(2) && done.err.contains("--known-failures none.txt"), "{}", done.err);
}

#[test]
fn a_written_file_is_accepted_at_once_and_keeps_its_reasons() {
    let place = Place::new();
    let done = place.run(&["own/", "--write-known-failures", "known.txt"]);
    assert_eq!(done.code, Some(1), "writing them down does not make failures known to this run");
    let text = place.read("known.txt");
    assert!(text.contains("# breaks STAT-01: expected server->>alice: status_res Offline; got alice heard"), "{text}");
    assert!(text.ends_with("; say why it is accepted\nown/wrong[a]\n"), "{text}");
    assert_eq!(place.run(&["own/", "--known-failures", "known.txt"]).code, Some(0));

    let done = place.run(&["own/", "--write-known-failures", "known.txt"]);
    assert!(done.code == Some(2) && done.err.contains("is there already"), "{}", done.err);
    assert_eq!(place.read("known.txt"), text, "nothing is overwritten");

    place.write("known.txt", "# My reason.\nown/*\n");
    let both = ["own/", "--known-failures", "known.txt", "--write-known-failures", "./known.txt"];
    let done = place.run(&both);
    assert!(done.code == Some(1) && done.err.contains("line 2: own/*: now own/wrong[a]"), "{}", done.err);
    assert_eq!(place.read("known.txt"), "# My reason.\nown/wrong[a]\n");
    assert_eq!(place.run(&both).code, Some(0));
    assert_eq!(place.read("known.txt"), "# My reason.\nown/wrong[a]\n");
}

#[test]
fn a_first_run_may_write_the_file_that_it_reads() {
    let place = Place::new();
    let both = ["own/", "--known-failures", "known.txt", "--write-known-failures", "known.txt"];
    assert_eq!((place.run(&both).code, place.run(&both).code), (Some(1), Some(0)));
}
