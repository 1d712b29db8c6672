//! Shards as one result, and what is different between two.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use mpchat_model::{CaseResult, Results, RuleId, RuleVerdict, Verdict};

use crate::facts;
use crate::text::one_line;

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
/// The order of the shards matters in nothing but the target's address and name, and the reason of an early end: those
/// of the first count, since instances of one target on several machines have several.
///
/// # Errors
/// If they are not shards of one run: another tool, specification or role, or a case in two of them.
pub fn merge(shards: Vec<Results>) -> Result<Results, MergeError> {
    let mut shards = shards.into_iter();
    let mut merged = shards.next().ok_or(MergeError::Nothing)?;
    let mut ids: BTreeSet<String> = merged.cases.iter().map(|case| case.id.clone()).collect();
    for shard in shards {
        if shard.specification != merged.specification {
            return Err(MergeError::Different("specification"));
        }
        if shard.tool != merged.tool {
            return Err(MergeError::Different("tool"));
        }
        if shard.target.role != merged.target.role {
            return Err(MergeError::Different("target's role"));
        }
        if let Some(case) = shard.cases.iter().find(|case| !ids.insert(case.id.clone())) {
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
    /// In what the two are not comparable: `specification`, `target's role`.
    pub differing: Vec<&'static str>,
    /// Cases that are worse than before: id, before, now.
    pub worse: Vec<(String, Verdict, Verdict)>,
    /// Cases that are better.
    pub better: Vec<(String, Verdict, Verdict)>,
    /// Cases with the verdict that they had, but other broken rules: id, before, now.
    pub otherwise: Vec<(String, Vec<RuleId>, Vec<RuleId>)>,
    /// Rules with another verdict: before, now; none if only one of the two judges the rule.
    pub rules: Vec<(RuleId, Option<RuleVerdict>, Option<RuleVerdict>)>,
    /// Cases that were not there before.
    pub added: Vec<(String, Verdict)>,
    /// Cases that are there no more.
    pub removed: Vec<(String, Verdict)>,
}

/// Compares two results case by case and rule by rule.
pub fn diff(old: &Results, new: &Results) -> Diff {
    let mut diff = Diff::default();
    if old.specification != new.specification {
        diff.differing.push("specification");
    }
    if old.target.role != new.target.role {
        diff.differing.push("target's role");
    }
    let (before, now) = (by_id(old), by_id(new));
    for (id, case) in &now {
        let id = (*id).to_owned();
        match before.get(id.as_str()) {
            None => diff.added.push((id, case.verdict)),
            Some(was) if was.verdict < case.verdict => diff.worse.push((id, was.verdict, case.verdict)),
            Some(was) if was.verdict > case.verdict => diff.better.push((id, was.verdict, case.verdict)),
            Some(was) if was.violates != case.violates => {
                diff.otherwise.push((id, was.violates.clone(), case.violates.clone()));
            }
            Some(_) => {}
        }
    }
    let gone = before.iter().filter(|(id, _)| !now.contains_key(*id));
    diff.removed = gone.map(|(id, case)| ((*id).to_owned(), case.verdict)).collect();
    diff.rules = rules(old, new);
    diff
}

impl Diff {
    /// Whether anything is worse than before: a case, a rule that is broken now, or a new case that does not pass.
    pub fn is_regression(&self) -> bool {
        let bad = |verdict: Verdict| matches!(verdict, Verdict::Fail | Verdict::Inconclusive);
        let broken = |verdict: Option<RuleVerdict>| matches!(verdict, Some(RuleVerdict::Fail | RuleVerdict::Warning));
        !self.worse.is_empty()
            || self.added.iter().any(|(_, verdict)| bad(*verdict))
            || self.rules.iter().any(|(_, was, is)| broken(*is) && !broken(*was))
    }

    /// Whether the two say the same.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return writeln!(f, "no difference");
        }
        for what in &self.differing {
            writeln!(f, "not the same {what}: compare with care")?;
        }
        for (id, was, is) in &self.worse {
            let title =
                if *is >= Verdict::Inconclusive && *was < Verdict::Inconclusive { "newly failing" } else { "worse" };
            writeln!(f, "{title}: {}: {was} -> {is}", one_line(id))?;
        }
        for (id, was, is) in &self.better {
            let title = if *is == Verdict::Pass { "newly passing" } else { "better" };
            writeln!(f, "{title}: {}: {was} -> {is}", one_line(id))?;
        }
        for (id, was, is) in &self.otherwise {
            writeln!(f, "otherwise: {}: breaks {} -> {}", one_line(id), names(was), names(is))?;
        }
        for (id, was, is) in &self.rules {
            let word = |verdict: &Option<RuleVerdict>| verdict.map_or("none".to_owned(), |v| v.to_string());
            writeln!(f, "rule: {id}: {} -> {}", word(was), word(is))?;
        }
        for (title, cases) in [("added", &self.added), ("removed", &self.removed)] {
            for (id, verdict) in cases {
                writeln!(f, "{title}: {}: {verdict}", one_line(id))?;
            }
        }
        Ok(())
    }
}

fn by_id(results: &Results) -> BTreeMap<&str, &CaseResult> {
    results.cases.iter().map(|case| (case.id.as_str(), case)).collect()
}

fn rules(old: &Results, new: &Results) -> Vec<(RuleId, Option<RuleVerdict>, Option<RuleVerdict>)> {
    let verdicts = |results: &Results| -> BTreeMap<RuleId, RuleVerdict> {
        results.rules.iter().map(|rule| (rule.id.clone(), rule.verdict)).collect()
    };
    let (before, now) = (verdicts(old), verdicts(new));
    let ids: BTreeSet<&RuleId> = before.keys().chain(now.keys()).collect();
    ids.into_iter()
        .map(|id| (id.clone(), before.get(id).copied(), now.get(id).copied()))
        .filter(|(_, was, is)| was != is)
        .collect()
}

fn names(rules: &[RuleId]) -> String {
    if rules.is_empty() { "nothing".to_owned() } else { facts::names(rules) }
}
