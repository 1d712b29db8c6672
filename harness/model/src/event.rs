//! The only seam between running and reporting.

use serde::{Deserialize, Serialize};

use crate::{CaseResult, PatternProblem};

/// What a run is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunHeader {
    /// Name and version of this tool.
    pub tool: String,
    /// The tool's version.
    pub version: String,
    /// The commit that the tool was built from, if known.
    pub commit: Option<String>,
    /// The subject.
    pub target: Target,
    /// When the run began, RFC 3339.
    pub started: String,
    /// How many cases are planned.
    pub planned: usize,
    /// How often each of them is run (`--repeat`), at least once.
    pub rounds: usize,
    /// Which part of the cases this is, if it is a part.
    pub shard: Option<Shard>,
    /// Whether a broken SHOULD fails (`--level should`).
    pub should_fails: bool,
}

/// The subject of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// `server` or `client`.
    pub role: String,
    /// `HOST:PORT`, or the command.
    pub address: String,
    /// A name for people: `embedded reference server`.
    pub name: String,
}

/// One of several runs that are one run together (`--shard K/N`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// K, from 1.
    pub number: u64,
    /// N.
    pub of: u64,
    /// A digest of what all of them have in common: the cases of all together, and what decides on verdicts. Shards
    /// whose digests differ are none of one run.
    pub plan: String,
}

/// What happens in a run, in order.
#[derive(Clone, Debug)]
pub enum Event {
    /// First of all.
    RunStarted(Box<RunHeader>),
    /// A case began; several run side by side.
    CaseStarted {
        /// Its id.
        id: String,
    },
    /// A case that is run several times ended once; its one result comes when all rounds have ended.
    RoundFinished {
        /// Its id.
        id: String,
        /// Which round, from 1.
        round: usize,
    },
    /// A case ended.
    CaseFinished(Box<CaseResult>),
    /// The run has something to say that belongs to no case (the target was restarted).
    Notice(String),
    /// A pattern of known failures is not true any more: the run fails.
    PatternProblem(PatternProblem),
    /// Last of all.
    RunFinished {
        /// Wall-clock seconds of the whole run.
        seconds: f64,
        /// Set when the run could not go on: the target could not be reached or started any more (exit code 3).
        aborted: Option<String>,
    },
}
