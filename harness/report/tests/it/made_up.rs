//! A run that has every verdict in it, and a hostile peer's text.

use mpchat_model::{
    CaseResult, Event, Evidence, Ledger, PatternFault, PatternProblem, Results, Rounds, RunHeader, Shard, Target,
    Verdict,
};
use mpchat_report::Format;

/// Ends of everything: terminal control, XML, HTML, Markdown, TAP.
pub(crate) const HOSTILE: &str = concat!(
    "a \u{1b}[31mred\u{0} text, ]]> <b onclick='x'> &amp; \"q\" ```` # TODO\r | \u{202e}turned ",
    "\u{fffd}\u{9b}2J <script>alert(1)</script>\nnot ok 9 - second line\u{ffff}"
);

const SPECIFICATION: &str = "\
# A made-up protocol

Version 1.0, revision 3. Its rules stay as they are, whatever becomes of the real ones.

| id | level | role | source | rule |
| --- | --- | --- | --- | --- |
| MTP-01 | MUST | S | seed | The server listens. |
| MTP-16 | MUST | SC | seed | Frames are recognised however they are split. |
| MTP-17 | SHOULD | SC | profile | A bad `ver` or `typ` is acted on <at once>. |
| INIT-05 | MUST | S | seed | Each invited user gets one invite_req. |
| MSG-01 | MUST | C | seed | A client's rule, which binds no server. |
| MSG-03 | MUST | S | seed | Line n goes to the nth other participant. |
| MSG-04 | MUST | S | profile | A line is opaque. |
| MSG-05 | MUST | S | profile | msg_req fails with an error text if the author is no participant. |
| MSG-07 | MUST | S | seed | A recipient is decided when it answers. |
| MSG-19 | SHOULD | S | profile | Sessions survive a restart. |
| CLOSE-01 | MUST | S | seed | close_req is answered with `OK`. |
";

pub(crate) fn ledger() -> Ledger {
    let ledger = Ledger::parse(SPECIFICATION).unwrap();
    ledger.with_unobservable("MTP-01 Only its owner knows where.").unwrap()
}

pub(crate) fn case(id: &str, verdict: Verdict, covers: &[&str], violates: &[&str]) -> CaseResult {
    let ids = |list: &[&str]| list.iter().map(|id| id.parse().unwrap()).collect();
    let found = verdict >= Verdict::Inconclusive || !violates.is_empty();
    CaseResult {
        id: id.to_owned(),
        title: format!("What {id} is about"),
        covers: ids(covers),
        violates: ids(violates),
        verdict,
        accepted: (verdict == Verdict::Known).then(|| format!("it is old: {HOSTILE}")),
        evidence: (verdict == Verdict::Fail).then_some(Evidence::Fenced),
        seconds: 0.25,
        step: found.then(|| "line 12: server->>bob: msg_req \"hello\"".to_owned()),
        expected: found.then(|| "msg_req \"hello\"".to_owned()),
        got: (found || verdict == Verdict::Skipped).then(|| HOSTILE.to_owned()),
        transcript: (verdict != Verdict::Skipped).then(|| "sequenceDiagram\n    alice->>server: msg_req\n".to_owned()),
        frames: if found { vec!["1 ms alice->>server: msg_req".to_owned(), HOSTILE.to_owned()] } else { Vec::new() },
        notes: if verdict == Verdict::Fail { vec![format!("standard error: {HOSTILE}")] } else { Vec::new() },
        rounds: None,
        reproduce: format!("mpchat run '={id}'"),
    }
}

pub(crate) fn cases() -> Vec<CaseResult> {
    vec![
        case("msg/good", Verdict::Pass, &["MSG-03"], &[]),
        flaky(case("msg/bad[x]", Verdict::Fail, &["MSG-04", "MSG-05"], &["MSG-05"])),
        case("mtp/late", Verdict::Pass, &["MTP-17"], &["MTP-17"]),
        case("init/gone", Verdict::Inconclusive, &["INIT-05"], &[]),
        case("restart/none", Verdict::Skipped, &["MSG-19"], &[]),
        case("close/known", Verdict::Known, &["CLOSE-01"], &["CLOSE-01"]),
        // A transcript that differs from its snapshot: a failure that blames no rule.
        CaseResult { step: None, ..case("msg/other#1 \u{7}", Verdict::Fail, &["MSG-03"], &[]) },
    ]
}

/// The same case, if it had passed in other rounds.
pub(crate) fn flaky(mut case: CaseResult) -> CaseResult {
    case.rounds = Some(Rounds { run: 3, passed: 1, failed: vec![1, 3] });
    case.notes.push("failed in 2 of 3 rounds: 1, 3".to_owned());
    case
}

/// Patterns of known failures that are wrong.
pub(crate) fn problems() -> Vec<PatternProblem> {
    let problem = |line, problem, cases: &[&str]| PatternProblem {
        file: "known #1.txt".to_owned(),
        line,
        pattern: format!("msg/*{HOSTILE}"),
        problem,
        cases: cases.iter().map(|case| (*case).to_owned()).collect(),
    };
    vec![problem(2, PatternFault::Stale, &[]), problem(7, PatternFault::Passed, &["msg/good", HOSTILE])]
}

pub(crate) fn shard(number: u64, of: u64) -> Option<Shard> {
    Some(Shard { number, of, plan: "0123456789abcdef".to_owned() })
}

pub(crate) fn header() -> RunHeader {
    RunHeader {
        tool: "mpchat".to_owned(),
        version: "0.1.0".to_owned(),
        commit: None,
        target: Target {
            role: "server".to_owned(),
            address: "127.0.0.1:1".to_owned(),
            name: "a made-up <server>".to_owned(),
        },
        started: "2026-01-01T00:00:00Z".to_owned(),
        planned: 7,
        rounds: 1,
        shard: None,
        should_fails: false,
    }
}

/// The events of a run with these cases.
pub(crate) fn events(cases: Vec<CaseResult>, aborted: Option<&str>) -> Vec<Event> {
    let mut events = vec![Event::RunStarted(Box::new(header()))];
    for case in cases {
        events.push(Event::CaseStarted { id: case.id.clone() });
        events.push(Event::CaseFinished(Box::new(case)));
    }
    events.push(Event::Notice(format!("the target was restarted: {HOSTILE}")));
    events.push(Event::RunFinished { seconds: 1.5, aborted: aborted.map(str::to_owned) });
    events
}

/// The result of these cases, and what a reporter writes of them.
pub(crate) fn report(format: Format, cases: Vec<CaseResult>, aborted: Option<&str>) -> (Results, String) {
    let ledger = ledger();
    let mut results = Results::new(&ledger, &header());
    let mut out = Vec::new();
    let mut reporter = format.reporter(&mut out, &ledger);
    for event in events(cases, aborted) {
        results.on(&event);
        reporter.on(&event, &results).unwrap();
    }
    drop(reporter);
    (results, String::from_utf8(out).unwrap())
}

/// What a reporter writes of the made-up run.
pub(crate) fn written(format: Format) -> String {
    report(format, cases(), None).1
}

/// What a reporter writes of the made-up run, if patterns of known failures are wrong.
pub(crate) fn written_with_problems(format: Format) -> String {
    let ledger = ledger();
    let header = RunHeader { shard: shard(1, 2), ..header() };
    let mut results = Results::new(&ledger, &header);
    let mut out = Vec::new();
    let mut reporter = format.reporter(&mut out, &ledger);
    let problems = problems().into_iter().map(Event::PatternProblem);
    for event in problems.chain(events(cases(), None)) {
        results.on(&event);
        reporter.on(&event, &results).unwrap();
    }
    drop(reporter);
    String::from_utf8(out).unwrap()
}

/// The result of these cases.
pub(crate) fn results(cases: Vec<CaseResult>) -> Results {
    report(Format::Json, cases, None).0
}
