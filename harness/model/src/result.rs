//! The result of a run: what the JSON report holds. How it comes about stands in `fold.rs`.

use serde::{Deserialize, Serialize};

use crate::{Evidence, Level, PatternProblem, RuleId, RuleVerdict, Shard, Target, Verdict};

/// The name of the format.
pub const SCHEMA: &str = "mpchat-results/1";

/// The result of one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseResult {
    /// `<area>/<behaviour>` or `<area>/<behaviour>[case]`; never changes.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// The rules that the case is about.
    pub covers: Vec<RuleId>,
    /// The rules found broken, the most specific first. A case that passes can have broken SHOULD rules here: that is
    /// how a broken SHOULD is told apart from a failure, and at `--level should` the same case fails.
    pub violates: Vec<RuleId>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why the failure is accepted, if the verdict is `known`: the reason of the pattern that the case matches.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub accepted: Option<String>,
    /// What the verdict rests on, where it was a question.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub evidence: Option<Evidence>,
    /// Wall-clock seconds, of all rounds together.
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
    /// How its rounds ended, if it was run several times: the rest is of the first round that ended worst.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rounds: Option<Rounds>,
    /// One command that repeats just this case.
    pub reproduce: String,
}

impl CaseResult {
    /// Whether the case fails for its transcript alone, which is not the accepted one: it names neither a broken rule
    /// nor a step, since the scenario was played to its end and everything was as it says.
    pub fn is_only_another_transcript(&self) -> bool {
        self.verdict == Verdict::Fail && self.violates.is_empty() && self.step.is_none()
    }

    /// Whether the case passed in some rounds and not in others.
    pub fn is_flaky(&self) -> bool {
        self.rounds.as_ref().is_some_and(|rounds| rounds.passed > 0 && !rounds.failed.is_empty())
    }
}

/// How the rounds of a case ended. Those that are neither `passed` nor `failed` were skipped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rounds {
    /// How many were run.
    pub run: usize,
    /// How many passed, without a warning.
    pub passed: usize,
    /// Those that failed, proved nothing or broke a SHOULD: their numbers, from 1, in order.
    pub failed: Vec<usize>,
}

/// Name, version and commit of this tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// `mpchat`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The commit that it was built from.
    pub commit: Option<String>,
}

/// The specification that a run was judged by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Specification {
    /// The protocol's version.
    pub version: String,
    /// The document's revision.
    pub revision: u32,
    /// SHA-256 of the document.
    pub digest: String,
}

/// How many cases have which verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the verdicts")]
pub struct Summary {
    pub pass: usize,
    pub fail: usize,
    pub inconclusive: usize,
    pub skipped: usize,
    pub known: usize,
}

/// The verdict of one rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleResult {
    /// The rule.
    pub id: RuleId,
    /// How binding it is.
    pub level: Level,
    /// The worst of its cases', or why there is none.
    pub verdict: RuleVerdict,
    /// The cases that cover it, or found it broken.
    pub cases: Vec<String>,
}

/// A whole result: the object of `--report json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// [`SCHEMA`].
    pub schema: String,
    /// What made it.
    pub tool: Tool,
    /// What it was judged by.
    pub specification: Specification,
    /// What was tested.
    pub target: Target,
    /// Which part of a run this is, if it is a part.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shard: Option<Shard>,
    /// When the run began, RFC 3339.
    pub started: String,
    /// Wall-clock seconds of the run.
    pub seconds: f64,
    /// Counts.
    pub summary: Summary,
    /// Every rule that binds the target's role, in the specification's order.
    pub rules: Vec<RuleResult>,
    /// Every case that was run, by id.
    pub cases: Vec<CaseResult>,
    /// Patterns of known failures that are not true any more, by file and line: each fails the run.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub problems: Vec<PatternProblem>,
    /// Set if the run could not go on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub aborted: Option<String>,
    /// The known fault that the failing cases are most like.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fails_like: Option<String>,
}
