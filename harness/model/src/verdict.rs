//! Verdicts of cases and rules, and what they rest on.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The verdict of one case. Ordered from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything was as the scenario says.
    Pass,
    /// What the case needs is missing.
    Skipped,
    /// It failed, and a known-failures pattern says why that is expected.
    Known,
    /// Nothing is answered any more, or the target died: nothing was proved.
    Inconclusive,
    /// A wrong frame, or an awaited one is missing although a later fence was answered.
    Fail,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Skipped => "skipped",
            Self::Known => "known",
            Self::Inconclusive => "inconclusive",
            Self::Fail => "fail",
        })
    }
}

/// What the verdict of a case rests on, where silence or an ending had to be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// A later status probe was answered first.
    Fenced,
    /// The connection ended.
    Closed,
    /// Only time passed (a server that need not keep MTP-22).
    Timed,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Fenced => "fenced",
            Self::Closed => "closed",
            Self::Timed => "timed",
        })
    }
}

/// The verdict of a rule: the worst of its cases', or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleVerdict {
    /// All judged cases passed.
    Pass,
    /// All that failed is known to fail.
    Known,
    /// A SHOULD is broken.
    Warning,
    /// At least one case proved nothing.
    Inconclusive,
    /// At least one case found the rule broken.
    Fail,
    /// No case is about it.
    Untested,
    /// Nobody can observe it from outside; the ledger says why.
    Unobservable,
    /// All its cases were skipped.
    Unjudged,
}

impl fmt::Display for RuleVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Known => "known",
            Self::Warning => "warning",
            Self::Inconclusive => "inconclusive",
            Self::Fail => "fail",
            Self::Untested => "untested",
            Self::Unobservable => "unobservable",
            Self::Unjudged => "unjudged",
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    fn people_read_the_words_of_the_result_file() {
        use RuleVerdict::*;
        for verdict in [Pass, Known, Warning, Inconclusive, Fail, Untested, Unobservable, Unjudged] {
            assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.to_string());
        }
        for verdict in [Verdict::Pass, Verdict::Skipped, Verdict::Known, Verdict::Inconclusive, Verdict::Fail] {
            assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.to_string());
        }
    }
}
