//! JUnit XML: a test suite an area of cases, written when the run has ended.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use mpchat_model::{CaseResult, Event, Results, Verdict};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::Reporter;
use crate::text::visible;

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
            let area = case.id.split('/').next().unwrap_or_default();
            suites.entry(area).or_insert_with(|| TestSuite::new(visible(area))).add_test_case(test_case(case));
        }
        let mut report = Report::new("mpchat");
        report.add_test_suites(suites.into_values());
        let xml = report.to_string().map_err(io::Error::other)?;
        self.0.write_all(xml.as_bytes())?;
        self.0.flush()
    }
}

fn test_case(case: &CaseResult) -> TestCase {
    let status = match case.verdict {
        Verdict::Pass | Verdict::Known => TestCaseStatus::success(),
        Verdict::Skipped => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(visible(case.got.as_deref().unwrap_or_default()));
            status
        }
        Verdict::Fail => non_success(NonSuccessKind::Failure, case),
        Verdict::Inconclusive => non_success(NonSuccessKind::Error, case),
    };
    let mut test = TestCase::new(visible(&case.id), status);
    test.set_time(Duration::try_from_secs_f64(case.seconds).unwrap_or_default());
    test.set_classname(visible(&case.title));
    test
}

fn non_success(kind: NonSuccessKind, case: &CaseResult) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    let rules: Vec<&str> = case.violates.iter().map(|rule| rule.as_str()).collect();
    status.set_type(rules.join(" "));
    status.set_message(visible(case.got.as_deref().unwrap_or("no reason")));
    let mut text = String::new();
    for (name, value) in [("step", &case.step), ("expected", &case.expected), ("got", &case.got)] {
        if let Some(value) = value {
            text.push_str(&format!("{name}: {value}\n"));
        }
    }
    text.push_str(&case.frames.join("\n"));
    text.push_str(&format!("\nrepeat: {}", case.reproduce));
    status.set_description(visible(&text));
    status
}
