//! A file of known failures, written from a result.

use std::collections::BTreeSet;

use mpchat_model::{CaseResult, KnownFailures, Pattern, PatternFault, Results, Verdict};

use crate::facts;
use crate::text::one_line;

/// The most characters of what was expected and of what came in a reason: it stands in one line.
const MOST: usize = 120;

/// A file of known failures, and what became of the patterns that it was written from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The file's text.
    pub text: String,
    /// How many patterns it has.
    pub patterns: usize,
    /// The patterns that were taken out or narrowed, since they were not true any more: a line each.
    pub changes: Vec<String>,
}

/// Writes down what failed, so that a run that ends in the same way has nothing to complain of: the patterns of `known`
/// that are still true stay with their reasons and comments, also those whose cases were not run; one that matches
/// a case that passed is narrowed to the cases that failed; cases that no pattern matches get one each.
pub fn written(known: &KnownFailures, results: &Results) -> Written {
    let mut written = Written::default();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    if known.patterns().is_empty() && known.tail().is_empty() {
        let name = one_line(&results.target.name);
        written.text =
            format!("# Failures of {name} that are known and accepted: a reason, and below it a pattern.\n\n");
    }
    for pattern in known.patterns() {
        written.text.push_str(&pattern.prelude);
        let left = still_true(pattern, results);
        if left != [pattern.text.as_str()] {
            let what = if left.is_empty() { "removed".to_owned() } else { format!("now {}", left.join(", ")) };
            written.changes.push(format!("line {}: {}: {what}", pattern.line, one_line(&pattern.text)));
        }
        for text in left.into_iter().filter(|text| seen.insert(text.clone())) {
            written.add(&pattern.comment, &text);
        }
    }
    written.text.push_str(known.tail());
    if !known.tail().is_empty() && !known.tail().ends_with("\n\n") {
        // A comment at the end is no reason of what follows.
        written.text.push('\n');
    }
    for case in results.cases.iter().filter(|case| facts::is_bad(case)) {
        let text = Pattern::exactly(&case.id);
        if seen.insert(text.clone()) {
            written.add(&[reason(case)], &text);
        }
    }
    written
}

impl Written {
    fn add(&mut self, comment: &[String], pattern: &str) {
        for line in comment.iter().map(String::as_str).chain([pattern]) {
            self.text.push_str(line);
            self.text.push('\n');
        }
        self.patterns += 1;
    }
}

/// What is left of a pattern in the light of a result.
fn still_true(pattern: &Pattern, results: &Results) -> Vec<String> {
    let is_it = |line: usize, text: &str| (line, text) == (pattern.line, pattern.text.as_str());
    match results.problems.iter().find(|problem| is_it(problem.line, &problem.pattern)).map(|problem| problem.problem) {
        None => vec![pattern.text.clone()],
        Some(PatternFault::Stale) => Vec::new(),
        Some(PatternFault::Passed) => {
            let failed = |case: &&CaseResult| case.verdict == Verdict::Known && pattern.matches(&case.id);
            results.cases.iter().filter(failed).map(|case| Pattern::exactly(&case.id)).collect()
        }
    }
}

fn reason(case: &CaseResult) -> String {
    let (expected, got) = (cut(case.expected.as_deref()), cut(case.got.as_deref()));
    let what = if case.verdict == Verdict::Inconclusive {
        format!("inconclusive: {got}")
    } else if case.violates.is_empty() {
        format!("expected {expected}; got {got}")
    } else {
        format!("breaks {}: expected {expected}; got {got}", facts::broken(case))
    };
    format!("# {what}; say why it is accepted")
}

fn cut(text: Option<&str>) -> String {
    let line = one_line(text.unwrap_or("nothing").trim_end());
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}
