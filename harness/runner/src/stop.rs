//! Why a case ends before its diagram does.

use mpchat_model::RuleId;
use mpchat_script::ast::Line;

/// The end of a case other than by passing.
#[derive(Clone, Debug)]
pub(crate) enum Stop {
    /// A rule is broken.
    Fail(Box<Finding>),
    /// Nothing was proved.
    Inconclusive(String),
    /// What the case needs is missing.
    Skip(String),
    /// The target refused, as for lack of a resource (PAY-07): run again alone, where nobody else needs any. Then it is a
    /// breach if so little is never refused, or else skipped.
    Refused {
        /// What was refused.
        why: String,
        /// What it is a breach of.
        breach: Option<Box<Finding>>,
    },
}

/// A broken rule, and where.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// The most specific first.
    pub(crate) rules: Vec<RuleId>,
    pub(crate) step: Option<Line>,
    pub(crate) expected: String,
    pub(crate) got: String,
    /// It does not depend on time: no slowness of this machine excuses it.
    pub(crate) whenever: bool,
}

impl Stop {
    /// What was found does not depend on time.
    pub(crate) fn whenever(mut self) -> Self {
        if let Self::Fail(finding) = &mut self {
            finding.whenever = true;
        }
        self
    }
}

impl Finding {
    /// One that a slow machine may be the reason for.
    pub(crate) fn new(rules: Vec<RuleId>, step: Option<Line>, expected: String, got: String) -> Self {
        Self { rules, step, expected, got, whenever: false }
    }

    pub(crate) fn stop(self) -> Stop {
        Stop::Fail(Box::new(self))
    }
}

/// Rule ids from texts that this crate holds.
pub(crate) fn rules(ids: &[&str]) -> Vec<RuleId> {
    ids.iter().filter_map(|id| id.parse().ok()).collect()
}
