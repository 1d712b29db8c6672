//! `--shard`, `mpchat report merge` and `mpchat report diff`.

use mpchat_model::Results;

use crate::Place;

/// A result without the clock.
fn timeless(mut results: Results) -> Results {
    results.started.clear();
    results.seconds = 0.0;
    for case in &mut results.cases {
        case.seconds = 0.0;
        case.frames.clear();
    }
    results
}

fn shard(place: &Place, file: &str, shard: &str, more: &[&str]) -> Option<i32> {
    let report = format!("json={file}");
    place.mpchat(&[&["run", "--scenarios", "scenarios", "--report", &report, "--shard", shard], more].concat()).code
}

#[test]
fn all_shards_together_are_one_run() {
    let place = Place::new();
    place
        .write("known.txt", "# stale\nnone/*\n# known\nown/wrong[a]\n# passes\nstatus/idle*\n# passes\nown/wrong[b]\n");
    let more = ["status/", "own/", "--known-failures", "known.txt"];
    place.run(&more);
    let files = ["1", "2", "3", "4"];
    for number in files {
        shard(&place, number, &format!("{number}/4"), &more);
    }
    let merged = place.mpchat(&["report", "merge", "4", "2", "1", "3", "--out", "merged.json"]);
    assert_eq!(merged.code, Some(1), "{}", merged.err);
    let (whole, merged) = (timeless(place.results("results.json")), timeless(place.results("merged.json")));
    assert!(whole.cases.len() > 50 && whole.problems.len() == 3, "{:?}", whole.problems);
    assert_eq!(merged, whole);
    for (given, words) in [
        (&["1", "2", "4"][..], "there is no result of shard 3 of 4"),
        (&["1", "2", "2", "3", "4"], "2 and 2 are both shard 2/4"),
        (&["1", "results.json"], "results.json is the result of no shard"),
    ] {
        let done = place.mpchat(&[&["report", "merge"], given].concat());
        assert_eq!(done.code, Some(2));
        assert!(done.err.contains(words) && done.out.is_empty(), "{}", done.err);
    }
    shard(&place, "other", "2/4", &["status/", "own/"]);
    let done = place.mpchat(&["report", "merge", "1", "other"]);
    assert!(done.code == Some(2) && done.err.contains("1 and other differ in their plan"), "{}", done.err);
}

#[test]
fn a_shard_may_have_no_case() {
    let place = Place::new();
    let codes = ["1", "2", "3"].map(|n| shard(&place, n, &format!("{n}/3"), &["=own/wrong[b]"]));
    assert_eq!(codes, [Some(0); 3]);
    let done = place.mpchat(&["report", "merge", "1", "2", "3", "--out", "merged.json"]);
    assert_eq!((done.code, place.results("merged.json").cases.len()), (Some(0), 1), "{}", done.err);
}

#[test]
fn what_is_no_result_is_refused() {
    let place = Place::new();
    for (text, words) in [
        ("{}", "no result file"),
        ("[", "r.json: EOF"),
        ("{\"schema\": \"mpchat-results/9\"}", "format `mpchat-results/9` instead of `mpchat-results/1`"),
        ("{\"schema\": \"mpchat-results/1\"}", "r.json: missing field"),
    ] {
        place.write("r.json", text);
        for command in [&["merge", "r.json"][..], &["diff", "r.json", "r.json"]] {
            let done = place.mpchat(&[&["report"], command].concat());
            assert!(done.code == Some(2) && done.err.contains(words), "{}", done.err);
        }
    }
}

#[test]
fn only_what_got_worse_makes_a_difference_fail() {
    let place = Place::new();
    let run = |file: &str, answers: [&str; 2]| {
        let text = crate::WRONG.replace("a: {answer: Offline}", &format!("a: {{answer: {}}}", answers[0]));
        place.write("scenarios/own/wrong.mmd", &text.replace("b: {answer: Online}", answers[1]));
        place.run(&["own/"]);
        std::fs::rename(place.path("results.json"), place.path(file)).unwrap();
    };
    run("good", ["Online", "b: {answer: Online}"]);
    run("bad", ["Offline", "b: {answer: Online}"]);
    run("other", ["Online", "c: {answer: Online}"]);
    let diff = |old: &str, new: &str| place.mpchat(&["report", "diff", old, new]);
    let worse = diff("good", "bad");
    assert_eq!(worse.code, Some(1));
    assert_eq!(worse.out, "newly failing: own/wrong[a]: pass -> fail\nrule: STAT-01: pass -> fail\n");
    let better = diff("bad", "good");
    assert_eq!(better.code, Some(0));
    assert_eq!(better.out, "fixed: own/wrong[a]: fail -> pass\nrule: STAT-01: fail -> pass\n");
    let other = diff("good", "other");
    assert_eq!((other.code, other.out.as_str()), (Some(0), "new: own/wrong[c]: pass\ngone: own/wrong[b]: pass\n"));
    let same = diff("bad", "bad");
    assert_eq!((same.code, same.out.as_str()), (Some(0), "no difference\n"), "a failure that was there is no news");
}
