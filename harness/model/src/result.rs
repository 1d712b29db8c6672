//! The result of a run: what the JSON report holds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Event, Evidence, Ledger, Level, Rule, RuleId, RuleVerdict, RunHeader, Target, Verdict};

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
    /// The rules found broken, the most specific first. A case that passes can have broken SHOULD rules here.
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
    /// Set if the run could not go on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub aborted: Option<String>,
}

impl Results {
    /// An empty result for a run that begins.
    pub fn new(ledger: &Ledger, header: &RunHeader) -> Self {
        let binds = |rule: &&Rule| match header.target.role.as_str() {
            "client" => rule.role.binds_client(),
            _ => rule.role.binds_server(),
        };
        let result = |rule: &Rule| RuleResult {
            id: rule.id.clone(),
            level: rule.level,
            verdict: match ledger.unobservable(&rule.id) {
                Some(_) => RuleVerdict::Unobservable,
                None => RuleVerdict::Untested,
            },
            cases: Vec::new(),
        };
        Self {
            schema: SCHEMA.to_owned(),
            tool: Tool {
                name: header.tool.clone(),
                version: header.version.clone(),
                commit: header.commit.clone(),
            },
            specification: Specification {
                version: ledger.version().to_owned(),
                revision: ledger.revision(),
                digest: ledger.digest().to_owned(),
            },
            target: header.target.clone(),
            started: header.started.clone(),
            seconds: 0.0,
            summary: Summary::default(),
            rules: ledger.rules().iter().filter(binds).map(result).collect(),
            cases: Vec::new(),
            aborted: None,
        }
    }

    /// Takes an event of the run.
    pub fn on(&mut self, event: &Event) {
        match event {
            Event::CaseFinished(case) => self.cases.push((**case).clone()),
            Event::RunFinished { seconds, aborted } => {
                self.seconds = *seconds;
                self.aborted.clone_from(aborted);
                self.conclude();
            }
            Event::RunStarted(_) | Event::CaseStarted { .. } | Event::Notice(_) => {}
        }
    }

    /// Counts and judges anew from the cases.
    pub fn conclude(&mut self) {
        self.cases.sort_by(|a, b| a.id.cmp(&b.id));
        self.summary = Summary::default();
        for case in &self.cases {
            *match case.verdict {
                Verdict::Pass => &mut self.summary.pass,
                Verdict::Fail => &mut self.summary.fail,
                Verdict::Inconclusive => &mut self.summary.inconclusive,
                Verdict::Skipped => &mut self.summary.skipped,
                Verdict::Known => &mut self.summary.known,
            } += 1;
        }
        let mut by_rule: BTreeMap<&RuleId, Vec<&CaseResult>> = BTreeMap::new();
        for case in &self.cases {
            let more = case.violates.iter().filter(|rule| !case.covers.contains(rule));
            for rule in case.covers.iter().chain(more) {
                by_rule.entry(rule).or_default().push(case);
            }
        }
        for rule in &mut self.rules {
            let cases = by_rule.remove(&rule.id).unwrap_or_default();
            rule.cases = cases.iter().map(|case| case.id.clone()).collect();
            rule.cases.dedup();
            if !cases.is_empty() {
                rule.verdict = judge(rule, &cases);
            } else if rule.verdict != RuleVerdict::Unobservable {
                rule.verdict = RuleVerdict::Untested;
            }
        }
    }

    /// 0 conforms, 1 a rule is broken or nothing was proved, 3 the target could not be reached.
    pub fn exit_code(&self) -> u8 {
        if self.aborted.is_some() {
            3
        } else if self.summary.fail + self.summary.inconclusive > 0 {
            1
        } else {
            0
        }
    }
}

/// The worst of a rule's cases.
///
/// A failing case counts against the rules that it found broken, and no others: for the rest of what it covers it
/// proved nothing, which only shows if no other case did.
fn judge(rule: &RuleResult, cases: &[&CaseResult]) -> RuleVerdict {
    let breaks = |case: &&&CaseResult| case.violates.contains(&rule.id);
    let any = |verdict: Verdict| cases.iter().filter(breaks).any(|case| case.verdict == verdict);
    if any(Verdict::Fail) {
        return if rule.level == Level::Must { RuleVerdict::Fail } else { RuleVerdict::Warning };
    }
    if any(Verdict::Pass) && rule.level != Level::Must {
        return RuleVerdict::Warning;
    }
    if any(Verdict::Known) {
        return RuleVerdict::Known;
    }
    let has = |verdict: Verdict| cases.iter().any(|case| case.verdict == verdict);
    if has(Verdict::Inconclusive) {
        RuleVerdict::Inconclusive
    } else if has(Verdict::Pass) {
        RuleVerdict::Pass
    } else if cases.iter().all(|case| case.verdict == Verdict::Skipped) {
        RuleVerdict::Unjudged
    } else {
        RuleVerdict::Inconclusive
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    fn results(cases: Vec<CaseResult>) -> Results {
        let header = RunHeader {
            tool: "mpchat".to_owned(),
            version: "0".to_owned(),
            commit: None,
            target: Target { role: "server".to_owned(), address: "a".to_owned(), name: "n".to_owned() },
            started: "2026-01-01T00:00:00Z".to_owned(),
            planned: cases.len(),
            should_fails: false,
        };
        let mut results = Results::new(&Ledger::embedded().unwrap(), &header);
        for case in cases {
            results.on(&Event::CaseFinished(Box::new(case)));
        }
        results.on(&Event::RunFinished { seconds: 1.0, aborted: None });
        results
    }

    fn case(id: &str, verdict: Verdict, covers: &[&str], violates: &[&str]) -> CaseResult {
        let ids = |list: &[&str]| list.iter().map(|id| id.parse().unwrap()).collect();
        CaseResult {
            id: id.to_owned(),
            title: String::new(),
            covers: ids(covers),
            violates: ids(violates),
            verdict,
            evidence: None,
            seconds: 0.0,
            step: None,
            expected: None,
            got: None,
            transcript: None,
            frames: Vec::new(),
            notes: Vec::new(),
            reproduce: String::new(),
        }
    }

    fn verdict(results: &Results, id: &str) -> RuleVerdict {
        results.rules.iter().find(|rule| rule.id.as_str() == id).unwrap().verdict
    }

    #[test]
    fn what_is_broken_comes_from_the_finding_not_from_what_a_case_covers() {
        let run = results(vec![
            case("a", Verdict::Fail, &["MSG-03", "MSG-05"], &["MSG-05", "MTP-21"]),
            case("b", Verdict::Pass, &["MSG-03"], &[]),
        ]);
        assert_eq!(verdict(&run, "MSG-03"), RuleVerdict::Pass);
        assert_eq!(verdict(&run, "MSG-05"), RuleVerdict::Fail);
        assert_eq!(verdict(&run, "MTP-21"), RuleVerdict::Fail);
        assert_eq!(verdict(&run, "INIT-01".replace("INIT-01", "INIT-05").as_str()), RuleVerdict::Untested);
        assert_eq!(run.exit_code(), 1);
    }

    #[test]
    fn a_broken_should_is_a_warning_and_an_unproved_rule_is_no_pass() {
        let run = results(vec![
            case("a", Verdict::Pass, &["MTP-17"], &["MTP-17"]),
            case("b", Verdict::Skipped, &["MSG-19"], &[]),
            case("c", Verdict::Inconclusive, &["MSG-10"], &[]),
            case("d", Verdict::Fail, &["MSG-11"], &["MSG-10"]),
        ]);
        assert_eq!(verdict(&run, "MTP-17"), RuleVerdict::Warning);
        assert_eq!(verdict(&run, "MSG-19"), RuleVerdict::Unjudged);
        assert_eq!(verdict(&run, "MSG-10"), RuleVerdict::Fail);
        assert_eq!(verdict(&run, "MSG-11"), RuleVerdict::Inconclusive);
        assert_eq!(verdict(&run, "MTP-01"), RuleVerdict::Unobservable);
        assert!(run.rules.iter().all(|rule| rule.id.as_str() != "MSG-14"), "a client's rule binds no server");
    }
}
