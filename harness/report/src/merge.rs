//! The results of shards as one: the same that one run would have had, but for the clock.

use std::collections::{BTreeMap, BTreeSet};

use mpchat_model::{Results, Shard};

use crate::text::one_line;

/// Why results cannot be merged. They are called by the names that they were given with: their files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// Nothing to merge.
    #[error("no results")]
    Nothing,
    /// A result that claims to be a part of nothing, or one that cannot be.
    #[error("{0} is the result of no shard: only runs with `--shard K/N` are merged")]
    NoShard(String),
    /// They are about different things.
    #[error("{first} and {second} differ in their {what}: {} and {}", one_line(&.values.0), one_line(&.values.1))]
    Different {
        /// The first result.
        first: String,
        /// The other.
        second: String,
        /// In what: `target`.
        what: &'static str,
        /// What each says.
        values: Box<(String, String)>,
    },
    /// The same shard again.
    #[error("{first} and {second} are both shard {number}/{of}")]
    SameShard {
        /// The first result.
        first: String,
        /// The other.
        second: String,
        /// Its number.
        number: u64,
        /// Of how many.
        of: u64,
    },
    /// Shards that were not given.
    #[error("there is no result of shard {} of {of}", ranges(.missing))]
    Missing {
        /// The numbers that are missing: from, to.
        missing: Vec<(u64, u64)>,
        /// How many there should be.
        of: u64,
    },
    /// A case is in two of them, though each case falls into one shard.
    #[error("case {} is in two results, of which {result} is the second", one_line(.case))]
    SameCase {
        /// The second result.
        result: String,
        /// The case.
        case: String,
    },
}

/// Makes one result of those of all shards, each with a name for errors. Their order matters in nothing but which
/// reason of an early end is kept.
///
/// # Errors
/// If they are not all shards of one run, each once.
pub fn merge(shards: Vec<(String, Results)>) -> Result<Results, MergeError> {
    let mut shards = shards.into_iter();
    let (first, mut merged) = shards.next().ok_or(MergeError::Nothing)?;
    let Shard { number, of, .. } = shard(&first, &merged)?;
    let mut numbers = BTreeMap::from([(number, first.clone())]);
    let mut ids: BTreeSet<String> = merged.cases.iter().map(|case| case.id.clone()).collect();
    for (name, result) in shards {
        let Shard { number, .. } = shard(&name, &result)?;
        if let Some((what, one, other)) = difference(&merged, &result) {
            return Err(MergeError::Different { first, second: name, what, values: Box::new((one, other)) });
        }
        if let Some(first) = numbers.insert(number, name.clone()) {
            return Err(MergeError::SameShard { first, second: name, number, of });
        }
        if let Some(case) = result.cases.iter().find(|case| !ids.insert(case.id.clone())) {
            return Err(MergeError::SameCase { result: name, case: case.id.clone() });
        }
        merged.started = merged.started.min(result.started);
        merged.seconds = merged.seconds.max(result.seconds);
        merged.aborted = merged.aborted.or(result.aborted);
        merged.problems.extend(result.problems);
        merged.cases.extend(result.cases);
    }
    let missing = missing(&numbers, of);
    if !missing.is_empty() {
        return Err(MergeError::Missing { missing, of });
    }
    merged.shard = None;
    merged.conclude();
    Ok(merged)
}

fn shard(name: &str, result: &Results) -> Result<Shard, MergeError> {
    let possible = |shard: &&Shard| (1..=shard.of).contains(&shard.number);
    result.shard.as_ref().filter(possible).cloned().ok_or_else(|| MergeError::NoShard(name.to_owned()))
}

/// In what two results are not of one run: what it is, and what each says of it.
fn difference(one: &Results, other: &Results) -> Option<(&'static str, String, String)> {
    let tool =
        |r: &Results| format!("{} {} ({})", r.tool.name, r.tool.version, r.tool.commit.as_deref().unwrap_or("-"));
    let specification = |r: &Results| {
        let s = &r.specification;
        format!("{} revision {} ({})", s.version, s.revision, s.digest)
    };
    let target = |r: &Results| format!("{} at {}, a {}", r.target.name, r.target.address, r.target.role);
    let number = |r: &Results| r.shard.as_ref().map(|s| s.of.to_string()).unwrap_or_default();
    let plan = |r: &Results| r.shard.as_ref().map(|s| s.plan.clone()).unwrap_or_default();
    let both = |say: &dyn Fn(&Results) -> String| (say(one), say(other));
    let all = [
        ("tool", both(&tool)),
        ("specification", both(&specification)),
        ("target", both(&target)),
        ("number of shards", both(&number)),
        ("plan (filters, scenarios, level, rounds or known failures)", both(&plan)),
    ];
    all.into_iter().find(|(_, (one, other))| one != other).map(|(what, (one, other))| (what, one, other))
}

/// The numbers of 1 to `of` that are not there, as ranges: a file may claim any number.
fn missing(numbers: &BTreeMap<u64, String>, of: u64) -> Vec<(u64, u64)> {
    let mut missing = Vec::new();
    let mut next = 1;
    for number in numbers.keys().copied() {
        if number > next {
            missing.push((next, number - 1));
        }
        next = number.saturating_add(1);
    }
    if next <= of && !numbers.contains_key(&of) {
        missing.push((next, of));
    }
    missing
}

fn ranges(missing: &[(u64, u64)]) -> String {
    let words = missing.iter().map(|(from, to)| if from == to { from.to_string() } else { format!("{from}-{to}") });
    words.collect::<Vec<_>>().join(", ")
}
