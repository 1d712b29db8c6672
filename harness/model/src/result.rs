//! The result of a run: what the JSON report holds.

use serde::{Deserialize, Serialize};

use crate::{Evidence, Level, RuleId, RuleVerdict, Verdict};

/// The result of one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseResult {
    /// `<area>/<behaviour>` or `<area>/<behaviour>[case]`; never changes.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// The rules that the case is about.
    pub covers: Vec<RuleId>,
    /// The rules found broken, the most specific first.
    pub violates: Vec<RuleId>,
    /// The verdict.
    pub verdict: Verdict,
    /// What the verdict rests on, where it was a question.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub evidence: Option<Evidence>,
    /// Wall-clock seconds.
    pub seconds: f64,
    /// The failing line of the diagram, `line 12: server->>bob: msg_req "hello"`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub step: Option<String>,
    /// What should have come.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expected: Option<String>,
    /// What came, or why the case was skipped or is inconclusive.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub got: Option<String>,
    /// What was heard and said, in the scenario language.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub transcript: Option<String>,
    /// The last frames of a case that did not pass, oldest first: fields and decoded payload.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub frames: Vec<String>,
    /// Other things worth knowing, a line each (the end of a crashed target's standard error).
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub notes: Vec<String>,
    /// One command that repeats just this case.
    pub reproduce: String,
}
