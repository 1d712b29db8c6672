//! What several reporters say about a result, before it is put in anyone's format.

use mpchat_model::{CaseResult, Level, Results, RuleId, RuleResult, RuleVerdict, Verdict};

/// The rules of one area, in the specification's order.
pub(crate) struct Area<'a> {
    pub(crate) name: &'a str,
    rules: Vec<&'a RuleResult>,
}

/// The columns of a summary by area: a heading, and the verdicts that it counts.
pub(crate) const COLUMNS: [(&str, &[RuleVerdict]); 8] = [
    ("passed", &[RuleVerdict::Pass]),
    ("failed", &[RuleVerdict::Fail]),
    ("warning", &[RuleVerdict::Warning]),
    ("known", &[RuleVerdict::Known]),
    ("inconclusive", &[RuleVerdict::Inconclusive]),
    ("untested", &[RuleVerdict::Untested]),
    ("unjudged", &[RuleVerdict::Unjudged]),
    ("unobservable", &[RuleVerdict::Unobservable]),
];

impl Area<'_> {
    /// How many rules it has.
    pub(crate) fn size(&self) -> usize {
        self.rules.len()
    }

    /// How many of them have one of these verdicts.
    pub(crate) fn count(&self, verdicts: &[RuleVerdict]) -> usize {
        self.rules.iter().filter(|rule| verdicts.contains(&rule.verdict)).count()
    }
}

/// The areas, in the specification's order.
pub(crate) fn areas(results: &Results) -> Vec<Area<'_>> {
    let mut areas: Vec<Area<'_>> = Vec::new();
    for rule in &results.rules {
        let name = rule.id.area();
        match areas.iter_mut().find(|area| area.name == name) {
            Some(area) => area.rules.push(rule),
            None => areas.push(Area { name, rules: vec![rule] }),
        }
    }
    areas
}

/// The rules with a verdict: `MSG-05, MTP-17 (SHOULD)`. Empty if there is none.
pub(crate) fn list(results: &Results, verdict: RuleVerdict) -> String {
    let all = results.rules.iter().filter(|rule| rule.verdict == verdict);
    let names: Vec<String> = all
        .map(|rule| match rule.level {
            Level::Must => rule.id.to_string(),
            level => format!("{} ({level})", rule.id),
        })
        .collect();
    names.join(", ")
}

/// The broken rules that are no MUST, each with the cases that found it so.
pub(crate) fn warnings(results: &Results) -> Vec<(&RuleResult, Vec<&CaseResult>)> {
    let broken = results.rules.iter().filter(|rule| rule.verdict == RuleVerdict::Warning);
    broken.map(|rule| (rule, results.cases.iter().filter(|case| case.violates.contains(&rule.id)).collect())).collect()
}

/// Whether a case makes a run fail.
pub(crate) fn is_bad(case: &CaseResult) -> bool {
    matches!(case.verdict, Verdict::Fail | Verdict::Inconclusive)
}

/// The step, what was expected, what came, what the verdict rests on, and why it is accepted, as far as known.
pub(crate) fn facts(case: &CaseResult) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    for (name, value) in [("step", &case.step), ("expected", &case.expected), ("got", &case.got)] {
        if let Some(value) = value {
            facts.push((name, value.clone()));
        }
    }
    if let Some(evidence) = case.evidence {
        facts.push(("evidence", evidence.to_string()));
    }
    if let Some(reason) = &case.accepted {
        facts.push(("accepted", reason.clone()));
    }
    facts
}

/// The cases that passed in some rounds and not in others, each with the notes that tell in which.
pub(crate) fn flaky(results: &Results) -> impl Iterator<Item = (&CaseResult, String)> {
    let rounds = |case: &CaseResult| {
        let notes = case.notes.iter().filter(|note| note.contains(" rounds: "));
        notes.cloned().collect::<Vec<_>>().join("; ")
    };
    results.cases.iter().filter(|case| case.is_flaky()).map(move |case| (case, rounds(case)))
}

/// Why the failure of a case is accepted.
pub(crate) fn reason(case: &CaseResult) -> &str {
    case.accepted.as_deref().unwrap_or("known failure")
}

/// The rules that a case found broken, by name.
pub(crate) fn broken(case: &CaseResult) -> String {
    names(&case.violates)
}

/// Rules by name: `MSG-03, MSG-05`.
pub(crate) fn names(rules: &[RuleId]) -> String {
    rules.iter().map(RuleId::as_str).collect::<Vec<_>>().join(", ")
}

/// `6 cases: 2 passed, …`
pub(crate) fn totals(results: &Results) -> String {
    let s = &results.summary;
    format!(
        "{} cases: {} passed, {} failed, {} inconclusive, {} skipped, {} known",
        results.cases.len(),
        s.pass,
        s.fail,
        s.inconclusive,
        s.skipped,
        s.known
    )
}

/// `specification 1.0 revision 1 (356fffc96450)`: the first digits of the digest tell two texts apart.
pub(crate) fn specification(results: &Results) -> String {
    let s = &results.specification;
    format!("specification {} revision {} ({})", s.version, s.revision, s.digest.get(..12).unwrap_or(&s.digest))
}

/// The area of a case: `msg` of `msg/redelivery[late]`.
pub(crate) fn area_of(case: &CaseResult) -> &str {
    case.id.split('/').next().unwrap_or_default()
}
