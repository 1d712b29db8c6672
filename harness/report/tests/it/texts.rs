//! Formats that people and line-wise tools read: terminal, TAP, Markdown.

use mpchat_model::{Results, Verdict};
use mpchat_report::terminal::Terminal;
use mpchat_report::{Format, Reporter};

use crate::made_up::{case, cases, header, ledger, report, written};

#[test]
fn no_format_lets_a_control_character_through() {
    for format in Format::ALL {
        let text = written(format);
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
