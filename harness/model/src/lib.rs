//! What everything else in the harness speaks of: rules, verdicts, events, results.
//!
//! The runner produces [`Event`]s, reporters fold over them; nothing else passes between the two.

mod event;
mod fold;
mod known;
mod ledger;
mod matrix;
mod result;
mod rule;
mod verdict;

pub use event::{Event, RunHeader, Shard, Target};
pub use known::{KnownFailures, KnownFailuresError, Pattern, PatternFault, PatternProblem};
pub use ledger::{Ledger, LedgerError, Unobservable};
pub use matrix::{KillMatrix, Likeness, MATRIX_SCHEMA, MatrixRow};
pub use result::{CaseResult, Results, Rounds, RuleResult, SCHEMA, Specification, Summary, Tool};
pub use rule::{Level, Party, Rule, RuleId, RuleIdError, Source};
pub use verdict::{Evidence, RuleVerdict, Verdict};
