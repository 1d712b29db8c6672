//! Formats that people and line-wise tools read: terminal, TAP, Markdown.

use mpchat_model::{Event, Results, Verdict};
use mpchat_report::terminal::Terminal;
use mpchat_report::{Format, Reporter};

use crate::made_up::{case, cases, flaky, header, ledger, report, written, written_with_problems};

#[test]
fn no_format_lets_a_control_character_through() {
    for format in Format::ALL {
        let text = written_with_problems(format);
        let bad: Vec<char> = text.chars().filter(|c| c.is_control() && *c != '\n').collect();
        assert_eq!(bad, [], "{}", format.name());
        assert!(!text.contains('\u{202e}'), "{} turns the direction of writing", format.name());
    }
}

#[test]
fn people_read_all_that_they_need() {
    let text = written(Format::Terminal);
    insta::assert_snapshot!(text);
    for needed in [
        "breaks    MSG-05 (MUST): msg_req fails",
        "step      line 12:",
        "expected  msg_req",
        "got       a \\u{1b}",
        "1 ms alice->>server: msg_req",
        "repeat    mpchat run '=msg/bad[x]'",
    ] {
        assert!(text.contains(needed), "{needed}");
    }
}

#[test]
fn every_failure_is_written_out_however_many_there_are() {
    let many: Vec<_> =
        (0..500).map(|n| case(&format!("msg/n[{n}]"), Verdict::Fail, &["MSG-03"], &["MSG-03"])).collect();
    let (_, text) = report(Format::Terminal, many, None);
    assert_eq!(text.matches("  repeat    mpchat run '=msg/n[").count(), 500);
    assert!(text.contains("\n  200/7 cases\n"), "progress in plain lines");
}

#[test]
fn a_payload_of_64_kib_does_not_flood_the_screen() {
    let mut long = case("msg/long", Verdict::Fail, &["MSG-03"], &["MSG-03"]);
    long.got = Some("é".repeat(65_000));
    long.frames = vec!["x".repeat(65_000)];
    let (results, text) = report(Format::Terminal, vec![long], None);
    assert!(text.len() < 20_000, "{}", text.len());
    assert!(text.contains("(63000 characters more; the result file has all)"));
    assert_eq!(results.cases[0].frames[0].len(), 65_000);
}

#[test]
fn a_progress_bar_changes_nothing_of_what_is_written() {
    let ledger = ledger();
    let mut out = Vec::new();
    let mut reporter = Terminal::new(&mut out, &ledger, true);
    let mut results = Results::new(&ledger, &header());
    for event in crate::made_up::events(cases(), None) {
        results.on(&event);
        reporter.on(&event, &results).unwrap();
    }
    drop(reporter);
    assert_eq!(String::from_utf8(out).unwrap(), written(Format::Terminal));
}

#[test]
fn tap_has_a_point_a_case() {
    let text = written(Format::Tap);
    insta::assert_snapshot!(text);
    let points = text.lines().filter(|line| line.starts_with("ok ") || line.starts_with("not ok ")).count();
    assert_eq!(points, cases().len(), "a peer's text adds no test point");
    let (_, aborted) = report(Format::Tap, Vec::new(), Some("gone\nok 1"));
    assert!(aborted.ends_with("\nBail out! gone\\nok 1\n"), "{aborted}");
}

#[test]
fn a_known_failure_is_told_with_its_reason_and_never_as_a_failure() {
    let known = || vec![case("close/known", Verdict::Known, &["CLOSE-01"], &["CLOSE-01"])];
    let (_, text) = report(Format::Terminal, known(), None);
    assert!(text.contains("known 1 (first close/known): it is old: a \\u{1b}[31m") && !text.contains("FAIL"), "{text}");
    assert!(text.contains("known to fail: CLOSE-01\n"));
    let (_, text) = report(Format::Tap, known(), None);
    assert!(text.contains("not ok 1 - close/known # TODO it is old: a "), "{text}");
    let (_, text) = report(Format::Markdown, known(), None);
    assert!(
        text.contains("- `close/known` breaks CLOSE-01: ") && text.contains(" is accepted: ````` it is old: a "),
        "{text}"
    );
}

#[test]
fn patterns_that_are_wrong_are_told_with_what_to_do() {
    let text = written_with_problems(Format::Terminal);
    assert!(text.contains("\nerror: known #1.txt:2: `msg/*a "), "{text}");
    assert!(text.contains("remove the pattern, or narrow it to what still fails\n"));
    let text = written_with_problems(Format::Markdown);
    assert!(
        text.contains("## Known failures that are not true any more\n\n- known \\#1.txt:2: \\`msg/\\*a "),
        "{text}"
    );
    let text = written_with_problems(Format::Tap);
    assert!(text.contains("\nnot ok 8 - known failures: known \\#1.txt:2 msg/*a "), "{text}");
    assert!(text.ends_with("\n1..9\n"));
}

#[test]
fn what_passes_now_and_then_is_called_flaky() {
    let line = "failed in 2 of 3 rounds: 1, 3";
    let many = vec![flaky(case("msg/x", Verdict::Fail, &["MSG-03"], &["MSG-03"]))];
    let (_, text) = report(Format::Terminal, many.clone(), None);
    assert!(text.contains(&format!("\nflaky: msg/x: {line}\n")), "{text}");
    let (_, text) = report(Format::Markdown, many, None);
    assert!(text.contains(&format!("## Flaky\n\n- `msg/x`: {line}\n")), "{text}");
}

#[test]
fn rounds_are_progress() {
    let ledger = ledger();
    let mut out = Vec::new();
    let mut reporter = Terminal::new(&mut out, &ledger, false);
    let header = mpchat_model::RunHeader { planned: 100, rounds: 4, ..header() };
    let results = Results::new(&ledger, &header);
    reporter.on(&Event::RunStarted(Box::new(header)), &results).unwrap();
    for round in 1..=4 {
        for id in 0..100 {
            reporter.on(&Event::RoundFinished { id: id.to_string(), round }, &results).unwrap();
        }
    }
    drop(reporter);
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text, "a made-up <server>: 100 cases, 4 rounds\n  200/400 rounds of cases\n  400/400 rounds of cases\n");
}

#[test]
fn markdown_has_what_is_broken_first() {
    let text = written(Format::Markdown);
    insta::assert_snapshot!(text);
    // Peers' text stands in code only: outside of fences and spans nothing of it is left.
    let mut fenced = false;
    for line in text.lines() {
        if line.starts_with("`````") {
            fenced = !fenced;
        } else if !fenced {
            let outside = line.split("`````").step_by(2).collect::<String>();
            assert!(!outside.contains("<script>") && !outside.contains("<b "), "{line}");
        }
    }
    assert!(!fenced);
}
