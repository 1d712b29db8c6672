//! Each reporter over one made-up run that has every verdict in it, and a hostile peer's text.
#![allow(clippy::unwrap_used, reason = "a test")]

use mpchat_model::{CaseResult, Event, Ledger, Results, RunHeader, Target, Verdict};
use mpchat_report::{Format, RESULTS_SCHEMA, ReportSpec, Reporter, compare, json::Json, junit::Junit, tap::Tap, terminal::Terminal};

const HOSTILE: &str = "a \u{1b}[31mred\u{0} text, ]]> <b> & \u{202e}turned\nsecond line\u{ffff}";

fn case(id: &str, verdict: Verdict, covers: &[&str], violates: &[&str]) -> CaseResult {
    let ids = |list: &[&str]| list.iter().map(|id| id.parse().unwrap()).collect();
    let bad = matches!(verdict, Verdict::Fail | Verdict::Inconclusive);
    CaseResult {
        id: id.to_owned(),
        title: format!("What {id} is about"),
        covers: ids(covers),
        violates: ids(violates),
        verdict,
        evidence: None,
        seconds: 0.25,
        step: bad.then(|| "line 12: server->>bob: msg_req \"hello\"".to_owned()),
        expected: bad.then(|| "msg_req \"hello\"".to_owned()),
        got: (verdict != Verdict::Pass).then(|| HOSTILE.to_owned()),
        transcript: Some("sequenceDiagram\n".to_owned()),
        frames: if bad { vec!["1 ms alice->>server: msg_req".to_owned(), HOSTILE.to_owned()] } else { Vec::new() },
        notes: Vec::new(),
        reproduce: format!("mpchat run '={id}'"),
    }
}

fn cases() -> Vec<CaseResult> {
    vec![
        case("msg/good", Verdict::Pass, &["MSG-03"], &[]),
        case("msg/bad[x]", Verdict::Fail, &["MSG-03", "MSG-05"], &["MSG-05"]),
        case("mtp/late", Verdict::Pass, &["MTP-17"], &["MTP-17"]),
        case("init/gone", Verdict::Inconclusive, &["INIT-05"], &[]),
        case("restart/none", Verdict::Skipped, &["MSG-19"], &[]),
        case("close/known", Verdict::Known, &["CLOSE-01"], &["CLOSE-01"]),
    ]
}

fn header() -> RunHeader {
    RunHeader {
        tool: "mpchat".to_owned(),
        version: "0.1.0".to_owned(),
        commit: None,
        target: Target { role: "server".to_owned(), address: "127.0.0.1:1".to_owned(), name: "a made-up server".to_owned() },
        started: "2026-01-01T00:00:00Z".to_owned(),
        planned: 6,
        should_fails: false,
    }
}

fn run(mut reporter: impl Reporter, cases: Vec<CaseResult>) -> Results {
    let ledger = Ledger::embedded().unwrap();
    let mut results = Results::new(&ledger, &header());
    let mut events = vec![Event::RunStarted(Box::new(header()))];
    events.extend(cases.into_iter().map(|case| Event::CaseFinished(Box::new(case))));
    events.push(Event::Notice("the target was \u{7} restarted".to_owned()));
    events.push(Event::RunFinished { seconds: 1.5, aborted: None });
    for event in events {
        results.on(&event);
        reporter.on(&event, &results).unwrap();
    }
    results
}

#[test]
fn people_read_everything_and_no_control_character() {
    let mut out = Vec::new();
    let ledger = Ledger::embedded().unwrap();
    run(Terminal::new(&mut out, &ledger, false), cases());
    let text = String::from_utf8(out).unwrap();
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
    insta::assert_snapshot!(text);
}

#[test]
fn the_result_file_keeps_to_its_schema() {
    let mut out = Vec::new();
    run(Json::new(&mut out), cases());
    let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(RESULTS_SCHEMA).unwrap()).unwrap();
    let errors: Vec<String> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
    assert_eq!(errors, [""; 0]);
    let mut broken = value;
    broken["cases"][0]["verdict"] = "perhaps".into();
    assert!(!validator.is_valid(&broken));
}

#[test]
fn junit_is_xml_whatever_a_peer_sent() {
    let mut out = Vec::new();
    run(Junit::new(&mut out), cases());
    let text = String::from_utf8(out).unwrap();
    let illegal = |c: char| matches!(c, '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    assert!(!text.chars().any(illegal));
    let document = roxmltree::Document::parse(&text).unwrap();
    let count = |name| document.descendants().filter(|n| n.has_tag_name(name)).count();
    assert_eq!((count("testcase"), count("failure"), count("error"), count("skipped")), (6, 1, 1, 1));
    let message = document.descendants().find(|n| n.has_tag_name("failure")).unwrap().attribute("message").unwrap();
    assert!(message.contains("\\u{1b}[31mred\\u{0} text, ]]> <b> &"), "{message}");
}

#[test]
fn tap_has_a_point_a_case() {
    let mut out = Vec::new();
    run(Tap::new(&mut out), cases());
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}

#[test]
fn shards_merge_to_what_one_run_gives() {
    let whole = run(Json::new(Vec::new()), cases());
    let (first, second) = (cases()[..2].to_vec(), cases()[2..].to_vec());
    let shards = vec![run(Json::new(Vec::new()), second), run(Json::new(Vec::new()), first.clone())];
    assert_eq!(compare::merge(shards).unwrap(), whole);
    let twice = vec![whole.clone(), run(Json::new(Vec::new()), first)];
    assert_eq!(compare::merge(twice), Err(compare::MergeError::Twice("msg/bad[x]".to_owned())));
    assert_eq!(compare::merge(Vec::new()), Err(compare::MergeError::Nothing));
}

#[test]
fn a_difference_names_what_got_worse() {
    let old = run(Json::new(Vec::new()), cases());
    let mut changed = cases();
    changed[0].verdict = Verdict::Fail;
    changed[1].verdict = Verdict::Pass;
    changed[5].id = "close/new".to_owned();
    let diff = compare::diff(&old, &run(Json::new(Vec::new()), changed));
    assert_eq!(diff.worse, [("msg/good".to_owned(), Verdict::Pass, Verdict::Fail)]);
    assert_eq!(diff.better, [("msg/bad[x]".to_owned(), Verdict::Fail, Verdict::Pass)]);
    assert_eq!((diff.added, diff.removed), (vec!["close/new".to_owned()], vec!["close/known".to_owned()]));
}

#[test]
fn report_words_are_strict() {
    let spec: ReportSpec = "json=a=b.json".parse().unwrap();
    assert_eq!((spec.format, spec.file.unwrap().to_str().unwrap()), (Format::Json, "a=b.json"));
    assert!("yaml".parse::<ReportSpec>().is_err());
    assert!("json=".parse::<ReportSpec>().is_err());
}
