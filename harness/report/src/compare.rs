//! Shards as one result, and what is different between two.

use std::collections::BTreeMap;

use mpchat_model::{Results, Verdict};

/// Why results cannot be merged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// Nothing to merge.
    #[error("no results")]
    Nothing,
    /// They are about different things.
    #[error("the results differ in their {0}")]
    Different(&'static str),
    /// A case is in two of them.
    #[error("case {0} is in two results")]
    Twice(String),
}

/// Makes one result of those of shards: the same that one run would have had, but for the clock.
///
/// # Errors
/// If they are not shards of one run.
pub fn merge(shards: Vec<Results>) -> Result<Results, MergeError> {
    let mut shards = shards.into_iter();
    let mut merged = shards.next().ok_or(MergeError::Nothing)?;
    for shard in shards {
        if shard.specification != merged.specification {
            return Err(MergeError::Different("specification"));
        }
        if shard.tool != merged.tool {
            return Err(MergeError::Different("tool"));
        }
        if shard.target.role != merged.target.role {
            return Err(MergeError::Different("role"));
        }
        if let Some(case) = shard.cases.iter().find(|case| merged.cases.iter().any(|c| c.id == case.id)) {
            return Err(MergeError::Twice(case.id.clone()));
        }
        merged.started = merged.started.min(shard.started);
        merged.seconds = merged.seconds.max(shard.seconds);
        merged.aborted = merged.aborted.or(shard.aborted);
        merged.cases.extend(shard.cases);
    }
    merged.conclude();
    Ok(merged)
}

/// What is different between two results.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Cases that are worse than before: id, before, now.
    pub worse: Vec<(String, Verdict, Verdict)>,
    /// Cases that are better.
    pub better: Vec<(String, Verdict, Verdict)>,
    /// Cases that were not there before.
    pub added: Vec<String>,
    /// Cases that are there no more.
    pub removed: Vec<String>,
}

/// Compares two results case by case.
pub fn diff(old: &Results, new: &Results) -> Diff {
    let before: BTreeMap<&str, Verdict> = old.cases.iter().map(|case| (case.id.as_str(), case.verdict)).collect();
    let mut diff = Diff::default();
    for case in &new.cases {
        match before.get(case.id.as_str()) {
            None => diff.added.push(case.id.clone()),
            Some(verdict) if *verdict < case.verdict => diff.worse.push((case.id.clone(), *verdict, case.verdict)),
            Some(verdict) if *verdict > case.verdict => diff.better.push((case.id.clone(), *verdict, case.verdict)),
            Some(_) => {}
        }
    }
    let now: Vec<&str> = new.cases.iter().map(|case| case.id.as_str()).collect();
    diff.removed = before.keys().filter(|id| now.binary_search(id).is_err()).map(|id| (*id).to_owned()).collect();
    diff
}

impl std::fmt::Display for Diff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (title, cases) in [("worse", &self.worse), ("better", &self.better)] {
            for (id, before, now) in cases {
                writeln!(f, "{title}: {id}: {before:?} -> {now:?}")?;
            }
        }
        for (title, cases) in [("added", &self.added), ("removed", &self.removed)] {
            for id in cases {
                writeln!(f, "{title}: {id}")?;
            }
        }
        Ok(())
    }
}
