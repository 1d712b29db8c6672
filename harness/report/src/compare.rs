//! What is different between two results.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use mpchat_model::{CaseResult, Results, RuleId, RuleVerdict, Verdict};

use crate::facts;
use crate::text::one_line;

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
    /// Why the newer run could not go on, if the older one could.
    pub ended: Option<String>,
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
    if old.aborted.is_none() {
        diff.ended.clone_from(&new.aborted);
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
    /// Whether anything is worse than before: a case (a pass that is skipped now proves nothing any more), a rule that
    /// is broken now, a new case that does not pass, a run that could not go on. A case that is gone is not worse.
    pub fn is_regression(&self) -> bool {
        let bad = |verdict: Verdict| matches!(verdict, Verdict::Fail | Verdict::Inconclusive);
        let broken = |verdict: Option<RuleVerdict>| match verdict {
            Some(RuleVerdict::Fail) => 2,
            Some(RuleVerdict::Warning) => 1,
            _ => 0,
        };
        !self.worse.is_empty()
            || self.ended.is_some()
            || self.added.iter().any(|(_, verdict)| bad(*verdict))
            || self.rules.iter().any(|(_, was, is)| broken(*is) > broken(*was))
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
        if let Some(why) = &self.ended {
            writeln!(f, "could not go on: {}", one_line(why))?;
        }
        for (id, was, is) in &self.worse {
            let title =
                if *is >= Verdict::Inconclusive && *was < Verdict::Inconclusive { "newly failing" } else { "worse" };
            writeln!(f, "{title}: {}: {was} -> {is}", one_line(id))?;
        }
        for (id, was, is) in &self.better {
            let title = if *is == Verdict::Pass { "fixed" } else { "better" };
            writeln!(f, "{title}: {}: {was} -> {is}", one_line(id))?;
        }
        for (id, was, is) in &self.otherwise {
            writeln!(f, "otherwise: {}: breaks {} -> {}", one_line(id), names(was), names(is))?;
        }
        for (id, was, is) in &self.rules {
            let word = |verdict: &Option<RuleVerdict>| verdict.map_or("none".to_owned(), |v| v.to_string());
            writeln!(f, "rule: {id}: {} -> {}", word(was), word(is))?;
        }
        for (title, cases) in [("new", &self.added), ("gone", &self.removed)] {
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
