//! JUnit XML: a test suite an area of cases, written when the run has ended.
//!
//! JUnit knows neither warnings nor known failures: a case that broke a SHOULD is a success that says so in its
//! output, one that is known to fail is skipped with the reason, an inconclusive one is an error. A pattern of known
//! failures that is wrong is a failure of a suite of its own.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use mpchat_model::{CaseResult, Event, Results, Verdict};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::Reporter;
use crate::facts;
use crate::text::{one_line, visible};

/// Writes JUnit XML.
pub struct Junit<W>(W);

impl<W: Write> Junit<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self(out)
    }
}

impl<W: Write> Reporter for Junit<W> {
    fn on(&mut self, event: &Event, results: &Results) -> io::Result<()> {
        if !matches!(event, Event::RunFinished { .. }) {
            return Ok(());
        }
        let mut suites: BTreeMap<&str, TestSuite> = BTreeMap::new();
        for case in &results.cases {
            let area = facts::area_of(case);
            suites.entry(area).or_insert_with(|| TestSuite::new(one_line(area))).add_test_case(test_case(case));
        }
        let mut report = Report::new("mpchat");
        report.set_time(seconds(results.seconds));
        report.add_test_suites(suites.into_values());
        if !results.problems.is_empty() {
            report.add_test_suite(problems(results));
        }
        if let Some(why) = &results.aborted {
            report.add_test_suite(aborted(why));
        }
        let xml = report.to_string().map_err(io::Error::other)?;
        self.0.write_all(xml.as_bytes())?;
        self.0.flush()
    }
}

fn test_case(case: &CaseResult) -> TestCase {
    let reason = one_line(case.got.as_deref().unwrap_or("no reason"));
    let status = match case.verdict {
        Verdict::Pass => TestCaseStatus::success(),
        Verdict::Skipped => skipped(reason),
        Verdict::Known => skipped(format!("known failure: {}", one_line(facts::reason(case)))),
        Verdict::Fail => non_success(NonSuccessKind::Failure, case, reason),
        Verdict::Inconclusive => non_success(NonSuccessKind::Error, case, reason),
    };
    let is_warning = case.verdict == Verdict::Pass && !case.violates.is_empty();
    let mut test = TestCase::new(one_line(&case.id), status);
    test.set_classname(format!("mpchat.{}", one_line(facts::area_of(case))));
    test.set_time(seconds(case.seconds));
    if case.verdict == Verdict::Known {
        let what = if case.violates.is_empty() {
            "proves nothing".to_owned()
        } else {
            format!("breaks {}", facts::broken(case))
        };
        test.set_system_out(format!("known failure: {what}\n{}", description(case)));
    }
    if is_warning {
        test.set_system_out(format!("warning: breaks {}\n{}", facts::broken(case), description(case)));
    }
    test
}

fn skipped(reason: String) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(reason);
    status
}

fn non_success(kind: NonSuccessKind, case: &CaseResult, reason: String) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(reason);
    if !case.violates.is_empty() {
        status.set_type(facts::broken(case));
    }
    status.set_description(description(case));
    status
}

fn description(case: &CaseResult) -> String {
    let mut lines = vec![case.title.clone()];
    lines.extend(facts::facts(case).into_iter().map(|(name, value)| format!("{name}: {value}")));
    lines.extend(case.frames.iter().cloned());
    lines.extend(case.notes.iter().map(|note| format!("note: {note}")));
    lines.push(format!("repeat: {}", case.reproduce));
    visible(&lines.join("\n"))
}

/// Patterns of known failures that are not true any more make a run red as well.
fn problems(results: &Results) -> TestSuite {
    let mut suite = TestSuite::new("known failures");
    for problem in &results.problems {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message(one_line(&problem.to_string()));
        status.set_description(visible(&problem.cases.join("\n")));
        let name = format!("{}:{} {}", problem.file, problem.line, problem.pattern);
        suite.add_test_case(TestCase::new(one_line(&name), status));
    }
    suite
}

/// A run that could not go on is red, even if no case failed.
fn aborted(why: &str) -> TestSuite {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_message(one_line(why));
    let mut suite = TestSuite::new("run");
    suite.add_test_case(TestCase::new("the target can be reached to the end", status));
    suite
}

/// A result file may say anything: what is no length of time counts as none.
fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or_default()
}
