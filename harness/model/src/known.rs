//! Failures that are known and accepted: patterns of case ids, each with its reason above it.
//!
//! ```text
//! # Not there before version 2: our message queue forgets at a restart.
//! restart/*
//! # An old client of ours needs the error text.
//! close/pending[how=closes]
//! ```
//!
//! A list that tells less than the truth is worse than none: a pattern without a reason is refused, and one that
//! matches a case that passes, or no case at all, fails the run.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{CaseResult, Verdict};

/// How many cases a message names; the result file has all.
const NAMED: usize = 5;

/// A file of known failures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownFailures {
    file: String,
    patterns: Vec<Pattern>,
    /// What stands behind the last pattern.
    tail: String,
}

/// One pattern: every case that it matches is known to fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// Its line, from 1.
    pub line: usize,
    /// As it stands in the file: `*` matches anything, `\` takes the meaning of `*`, `#` and `\`.
    pub text: String,
    /// Why the failure is accepted: its comment, as one line.
    pub reason: String,
    /// The comment's lines as they stand in the file.
    pub comment: Vec<String>,
    /// What stands between the pattern before and the comment: empty lines, and comments that belong to no pattern.
    pub prelude: String,
    /// What stands between the `*`s.
    literals: Vec<String>,
}

/// What a file of known failures cannot be read for; lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KnownFailuresError {
    /// Nothing says why.
    #[error(
        "line {line}: `{pattern}` has no reason: say in a comment (`# …`) directly above it why its failure is accepted"
    )]
    NoReason {
        /// The pattern's line.
        line: usize,
        /// The pattern.
        pattern: String,
    },
    /// A comment behind a pattern.
    #[error("line {line}: a reason stands above its pattern, not behind it; a `#` of a case id is written `\\#`")]
    CommentBehind {
        /// The pattern's line.
        line: usize,
    },
    /// `\` before something else than `*`, `#` or `\`.
    #[error("line {line}: `\\` stands only before `*`, `#` or another `\\`")]
    Escape {
        /// The pattern's line.
        line: usize,
    },
    /// The same pattern again.
    #[error("line {line}: `{pattern}` stands in line {first} already")]
    Twice {
        /// The second pattern's line.
        line: usize,
        /// The first one's.
        first: usize,
        /// The pattern.
        pattern: String,
    },
}

/// A pattern that is not true any more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PatternProblem {
    /// The file of known failures.
    pub file: String,
    /// The pattern's line in it, from 1.
    pub line: usize,
    /// The pattern.
    pub pattern: String,
    /// What is wrong with it.
    pub problem: PatternFault,
    /// The cases that passed, by id.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub cases: Vec<String>,
}

/// What can be wrong with a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PatternFault {
    /// It matches no case of the whole suite, of which a run may be a part.
    Stale,
    /// Cases that it matches passed.
    Passed,
}

impl KnownFailures {
    /// Reads the text of `file`.
    ///
    /// # Errors
    /// The first line that is wrong.
    pub fn parse(file: &str, text: &str) -> Result<Self, KnownFailuresError> {
        let mut known = Self { file: file.to_owned(), ..Self::default() };
        let mut comment: Vec<String> = Vec::new();
        for (number, raw) in text.lines().enumerate() {
            let (line, content) = (number + 1, raw.trim());
            if content.starts_with('#') {
                comment.push(content.to_owned());
            } else if content.is_empty() {
                known.tail.extend(comment.drain(..).map(|line| line + "\n"));
                known.tail.push('\n');
            } else {
                let mut pattern = Pattern::parse(line, content, std::mem::take(&mut comment))?;
                if let Some(first) = known.patterns.iter().find(|other| other.literals == pattern.literals) {
                    return Err(KnownFailuresError::Twice { line, first: first.line, pattern: pattern.text });
                }
                pattern.prelude = std::mem::take(&mut known.tail);
                known.patterns.push(pattern);
            }
        }
        known.tail.extend(comment.drain(..).map(|line| line + "\n"));
        Ok(known)
    }

    /// The patterns, in the file's order.
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// What stands behind the last pattern.
    pub fn tail(&self) -> &str {
        &self.tail
    }

    /// Judges a case by the patterns: one that failed or proved nothing is known to, if a pattern matches it. Returned
    /// are the patterns that are wrong because the case passed. A case that was skipped tells nothing of them, nor does
    /// one that passes with a broken SHOULD, which fails at another level.
    pub fn judge(&self, case: &mut CaseResult) -> Vec<PatternProblem> {
        let matching = || self.patterns.iter().filter(|pattern| pattern.matches(&case.id));
        match case.verdict {
            Verdict::Fail | Verdict::Inconclusive => {
                if let Some(reason) = matching().next().map(|pattern| pattern.reason.clone()) {
                    case.verdict = Verdict::Known;
                    case.accepted = Some(reason);
                }
                Vec::new()
            }
            Verdict::Pass if case.violates.is_empty() => {
                matching().map(|pattern| self.problem(pattern, PatternFault::Passed, vec![case.id.clone()])).collect()
            }
            Verdict::Pass | Verdict::Skipped | Verdict::Known => Vec::new(),
        }
    }

    /// The patterns that match none of the ids, which are those of the whole suite.
    pub fn stale<'a>(&self, ids: impl IntoIterator<Item = &'a str> + Clone) -> Vec<PatternProblem> {
        let is_stale = |pattern: &&Pattern| !ids.clone().into_iter().any(|id| pattern.matches(id));
        let stale = self.patterns.iter().filter(is_stale);
        stale.map(|pattern| self.problem(pattern, PatternFault::Stale, Vec::new())).collect()
    }

    fn problem(&self, pattern: &Pattern, problem: PatternFault, cases: Vec<String>) -> PatternProblem {
        PatternProblem { file: self.file.clone(), line: pattern.line, pattern: pattern.text.clone(), problem, cases }
    }
}

impl Pattern {
    fn parse(line: usize, text: &str, comment: Vec<String>) -> Result<Self, KnownFailuresError> {
        let words: Vec<&str> =
            comment.iter().map(|line| line.trim_start_matches('#').trim()).filter(|line| !line.is_empty()).collect();
        if words.is_empty() {
            return Err(KnownFailuresError::NoReason { line, pattern: text.to_owned() });
        }
        let reason = words.join(" ");
        let literals = literals(line, text)?;
        Ok(Self { line, text: text.to_owned(), reason, comment, prelude: String::new(), literals })
    }

    /// Whether the whole id is as the pattern says.
    pub fn matches(&self, id: &str) -> bool {
        let [first, between @ .., last] = self.literals.as_slice() else {
            return self.literals.first().is_some_and(|literal| literal == id);
        };
        let Some(rest) = id.strip_prefix(first.as_str()) else { return false };
        let Some(mut rest) = rest.strip_suffix(last.as_str()) else { return false };
        // The first place is the best one for each: it leaves most to those that follow.
        between.iter().all(|literal| match rest.split_once(literal.as_str()) {
            Some((_, behind)) => {
                rest = behind;
                true
            }
            None => false,
        })
    }

    /// The pattern that matches just this id. What a line cannot hold (a line break, a blank at an end) is left to `*`.
    pub fn exactly(id: &str) -> String {
        let mut text = String::with_capacity(id.len());
        for (place, c) in id.char_indices() {
            let at_an_end = place == 0 || place + c.len_utf8() == id.len();
            match c {
                '*' | '#' | '\\' => text.extend(['\\', c]),
                c if c.is_control() || (at_an_end && c.is_whitespace()) => text.push('*'),
                c => text.push(c),
            }
        }
        text
    }
}

fn literals(line: usize, text: &str) -> Result<Vec<String>, KnownFailuresError> {
    let mut literals = vec![];
    let mut literal = String::new();
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            '*' => literals.push(std::mem::take(&mut literal)),
            '#' => return Err(KnownFailuresError::CommentBehind { line }),
            '\\' => match characters.next() {
                Some(c @ ('*' | '#' | '\\')) => literal.push(c),
                _ => return Err(KnownFailuresError::Escape { line }),
            },
            c => literal.push(c),
        }
    }
    literals.push(literal);
    Ok(literals)
}

impl fmt::Display for PatternProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, pattern, problem, cases } = self;
        match problem {
            PatternFault::Stale => {
                write!(f, "{file}:{line}: `{pattern}` matches no case: correct it, or remove it with its reason")
            }
            PatternFault::Passed => {
                let named: Vec<&str> = cases.iter().take(NAMED).map(String::as_str).collect();
                let rest = cases.len().saturating_sub(NAMED);
                let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
                write!(
                    f,
                    "{file}:{line}: `{pattern}` is known to fail, but passed: {}{more}: remove the pattern, or narrow \
                     it to what still fails",
                    named.join(", ")
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    fn known(text: &str) -> KnownFailures {
        KnownFailures::parse("known.txt", text).unwrap()
    }

    fn matches(pattern: &str, id: &str) -> bool {
        known(&format!("# r\n{pattern}\n")).patterns()[0].matches(id)
    }

    #[test]
    fn a_star_matches_anything_and_nothing_else_does() {
        assert!(matches("msg/a[x]", "msg/a[x]"));
        assert!(!matches("msg/a[x]", "msg/a"), "no part of an id");
        assert!(!matches("msg/a", "msg/a[x]"));
        assert!(!matches("msg/a[xy]", "msg/ax"), "no sets of characters");
        assert!(!matches("msg/?", "msg/a"));
        assert!(matches("msg/*", "msg/") && matches("msg/*", "msg/a[x]") && matches("*", ""));
        assert!(matches("*[x]", "msg/a[x]") && !matches("*[x]", "msg/a[x] "));
        assert!(matches("a*b*c", "abbc") && matches("a*b*c", "abc") && !matches("a*b*c", "acb"));
        assert!(matches("a*a", "aa") && !matches("a*a", "a"), "the ends do not overlap");
        assert!(matches("a**b", "ab"));
        assert!(matches(r"a\*b\\\#", r"a*b\#") && !matches(r"a\*b", "axb"));
    }

    #[test]
    fn an_exact_pattern_matches_its_id_and_no_other() {
        for id in [" a", "a\r", "a\nb"] {
            assert!(matches(&Pattern::exactly(id), id), "{id:?} is matched, if others may be as well");
        }
        for id in ["msg/a[x]", r"a*[b]#\c", "#a", r"\", "é 你", "a b"] {
            let pattern = Pattern::exactly(id);
            assert!(matches(&pattern, id), "{id:?}: {pattern}");
            assert!(!matches(&pattern, &format!("{id}x")) && !matches(&pattern, &format!("x{id}x")), "{id:?}");
        }
        assert!(!matches(&Pattern::exactly("a*"), "ab"));
    }

    #[test]
    fn each_pattern_has_a_reason_of_its_own() {
        let file = known("# A head.\n\n# one\n#  more\na/*\n# two\nb/*\r\n\n# A tail.\n");
        let reasons: Vec<_> = file.patterns().iter().map(|p| (p.line, p.text.as_str(), p.reason.as_str())).collect();
        assert_eq!(reasons, [(5, "a/*", "one more"), (7, "b/*", "two")]);
        assert_eq!((file.patterns()[0].prelude.as_str(), file.tail()), ("# A head.\n\n", "\n# A tail.\n"));
        let error = |text: &str| KnownFailures::parse("f", text).unwrap_err();
        let none = |line, pattern: &str| KnownFailuresError::NoReason { line, pattern: pattern.to_owned() };
        assert_eq!(error("a"), none(1, "a"));
        assert_eq!(error("# r\na\nb\n"), none(3, "b"), "a reason does not reach to the next pattern");
        assert_eq!(error("# r\n\na\n"), none(3, "a"), "directly above");
        assert_eq!(error("#\n##  \na\n"), none(3, "a"), "an empty comment says nothing");
        assert_eq!(error("# r\na # b\n"), KnownFailuresError::CommentBehind { line: 2 });
        assert_eq!(error("# r\na\\b\n"), KnownFailuresError::Escape { line: 2 });
        assert_eq!(error("# r\na\\\n"), KnownFailuresError::Escape { line: 2 });
        let twice = KnownFailuresError::Twice { line: 4, first: 2, pattern: "a".to_owned() };
        assert_eq!(error("# r\na\n# s\na\n"), twice);
        assert!(known("").patterns().is_empty());
    }

    #[test]
    fn a_problem_says_where_and_what_to_do() {
        let file = known("# r\na/*\n# s\nb\n# t\na/x\n");
        let stale: Vec<String> = file.stale(["a/x"]).iter().map(ToString::to_string).collect();
        assert_eq!(stale, ["known.txt:4: `b` matches no case: correct it, or remove it with its reason"]);
        let mut problem = file.stale([]).remove(0);
        problem.problem = PatternFault::Passed;
        problem.cases = (1..=7).map(|n| format!("a/{n}")).collect();
        assert!(problem.to_string().contains("a/5 and 2 more: remove the pattern"), "{problem}");
    }
}
