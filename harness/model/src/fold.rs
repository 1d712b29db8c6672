//! The result of a run as a fold over its events, and how the verdict of a rule comes from those of its cases.

use std::collections::BTreeMap;

use crate::{
    CaseResult, Event, Ledger, Level, PatternProblem, Results, Rule, RuleId, RuleResult, RuleVerdict, RunHeader,
    SCHEMA, Specification, Summary, Tool, Verdict,
};

impl Results {
    /// An empty result for a run that begins: every rule that binds the target's role, untested.
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
            tool: Tool { name: header.tool.clone(), version: header.version.clone(), commit: header.commit.clone() },
            specification: Specification {
                version: ledger.version().to_owned(),
                revision: ledger.revision(),
                digest: ledger.digest().to_owned(),
            },
            target: header.target.clone(),
            shard: header.shard.clone(),
            started: header.started.clone(),
            seconds: 0.0,
            summary: Summary::default(),
            rules: ledger.rules().iter().filter(binds).map(result).collect(),
            cases: Vec::new(),
            problems: Vec::new(),
            aborted: None,
            fails_like: None,
        }
    }

    /// Takes an event of the run. Counts, order and the rules' verdicts are complete after [`Event::RunFinished`].
    pub fn on(&mut self, event: &Event) {
        match event {
            Event::CaseFinished(case) => self.cases.push((**case).clone()),
            Event::RunFinished { seconds, aborted } => {
                self.seconds = *seconds;
                self.aborted.clone_from(aborted);
                self.conclude();
            }
            Event::PatternProblem(problem) => self.problems.push(problem.clone()),
            Event::RunStarted(_) | Event::CaseStarted { .. } | Event::RoundFinished { .. } | Event::Notice(_) => {}
        }
    }

    /// Orders the cases by id, counts and judges anew from them.
    ///
    /// The outcome depends on the cases alone, not on the order in which they ended. A case that ended twice (it was run
    /// again alone) counts as it ended last.
    pub fn conclude(&mut self) {
        // Latest first within an id: the sort is stable, and `dedup` keeps the first.
        self.cases.reverse();
        self.cases.sort_by(|a, b| a.id.cmp(&b.id));
        self.cases.dedup_by(|a, b| a.id == b.id);
        self.problems = one_a_pattern(std::mem::take(&mut self.problems));
        self.summary = Summary::default();
        for case in &self.cases {
            *self.summary.count(case.verdict) += 1;
        }
        let mut by_rule: BTreeMap<&RuleId, Vec<&CaseResult>> = BTreeMap::new();
        for case in &self.cases {
            for rule in case.covers.iter().chain(&case.violates) {
                let cases = by_rule.entry(rule).or_default();
                if cases.last().is_none_or(|last| last.id != case.id) {
                    cases.push(case);
                }
            }
        }
        for rule in &mut self.rules {
            let cases = by_rule.remove(&rule.id).unwrap_or_default();
            rule.cases = cases.iter().map(|case| case.id.clone()).collect();
            if !cases.is_empty() {
                rule.verdict = judge(rule, &cases);
            } else if rule.verdict != RuleVerdict::Unobservable {
                rule.verdict = RuleVerdict::Untested;
            }
        }
    }

    /// Whether every case was skipped, so that the run says nothing about the target.
    pub fn judged_nothing(&self) -> bool {
        self.summary.skipped == self.cases.len()
    }

    /// 0 conforms; 1 a rule is broken, a case proved nothing, or a pattern of known failures is wrong; 2 every case was
    /// skipped; 3 the target could not be reached or started any more.
    ///
    /// A shard is a part of a verdict: one in which nothing was judged is told by the merged result, if by any.
    /// A broken SHOULD changes nothing here: at `--level should` its case has the verdict `fail`.
    pub fn exit_code(&self) -> u8 {
        let is_broken = self.rules.iter().any(|rule| rule.verdict == RuleVerdict::Fail);
        if self.aborted.is_some() {
            3
        } else if is_broken || self.summary.fail + self.summary.inconclusive > 0 || !self.problems.is_empty() {
            1
        } else if self.judged_nothing() && self.shard.is_none() {
            2
        } else {
            0
        }
    }
}

/// The problems by file and line, those of one pattern as one.
fn one_a_pattern(mut problems: Vec<PatternProblem>) -> Vec<PatternProblem> {
    problems.sort();
    let mut merged: Vec<PatternProblem> = Vec::new();
    for problem in problems {
        match merged.last_mut() {
            Some(last) if is_of_one_pattern(last, &problem) => last.cases.extend(problem.cases),
            _ => merged.push(problem),
        }
    }
    for problem in &mut merged {
        problem.cases.sort();
        problem.cases.dedup();
    }
    merged
}

fn is_of_one_pattern(a: &PatternProblem, b: &PatternProblem) -> bool {
    (&a.file, a.line, &a.pattern, a.problem) == (&b.file, b.line, &b.pattern, b.problem)
}

impl Summary {
    fn count(&mut self, verdict: Verdict) -> &mut usize {
        match verdict {
            Verdict::Pass => &mut self.pass,
            Verdict::Fail => &mut self.fail,
            Verdict::Inconclusive => &mut self.inconclusive,
            Verdict::Skipped => &mut self.skipped,
            Verdict::Known => &mut self.known,
        }
    }
}

/// What one case says about one rule, from least to most telling: the worst of a rule's cases is the rule's verdict.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Say {
    /// The case was skipped.
    Nothing,
    /// It ended early at a broken SHOULD, and may not have come to this rule: what other cases say is better.
    Unproved,
    Kept,
    /// It is known to fail, be it at this rule or before it came to it.
    Known,
    /// It failed elsewhere before it came to this rule, or proved nothing at all.
    Inconclusive,
    Broken,
}

/// What is reported as broken comes from what a case found, never from what it covers.
fn says(case: &CaseResult, rule: &RuleId) -> Say {
    let found_broken = case.violates.contains(rule);
    match case.verdict {
        Verdict::Skipped => Say::Nothing,
        Verdict::Pass if !found_broken && case.violates.is_empty() => Say::Kept,
        Verdict::Pass if !found_broken => Say::Unproved,
        Verdict::Known => Say::Known,
        Verdict::Fail if case.is_only_another_transcript() => Say::Kept,
        Verdict::Pass | Verdict::Fail if found_broken => Say::Broken,
        Verdict::Pass | Verdict::Fail | Verdict::Inconclusive => Say::Inconclusive,
    }
}

fn judge(rule: &RuleResult, cases: &[&CaseResult]) -> RuleVerdict {
    match cases.iter().map(|case| says(case, &rule.id)).max().unwrap_or(Say::Nothing) {
        Say::Nothing => RuleVerdict::Unjudged,
        Say::Kept => RuleVerdict::Pass,
        Say::Known => RuleVerdict::Known,
        Say::Unproved | Say::Inconclusive => RuleVerdict::Inconclusive,
        Say::Broken if rule.level == Level::Must => RuleVerdict::Fail,
        Say::Broken => RuleVerdict::Warning,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;
    use crate::{KnownFailures, PatternFault, Shard, Target};

    fn header(role: &str) -> RunHeader {
        RunHeader {
            tool: "mpchat".to_owned(),
            version: "0".to_owned(),
            commit: None,
            target: Target { role: role.to_owned(), address: "a".to_owned(), name: "n".to_owned() },
            started: "2026-01-01T00:00:00Z".to_owned(),
            planned: 0,
            rounds: 1,
            shard: None,
            should_fails: false,
        }
    }

    fn results(cases: Vec<CaseResult>) -> Results {
        let mut results = Results::new(&Ledger::embedded().unwrap(), &header("server"));
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
            accepted: None,
            evidence: None,
            seconds: 0.0,
            step: None,
            expected: None,
            got: None,
            transcript: None,
            frames: Vec::new(),
            notes: Vec::new(),
            rounds: None,
            reproduce: String::new(),
        }
    }

    fn rule<'a>(results: &'a Results, id: &str) -> &'a RuleResult {
        results.rules.iter().find(|rule| rule.id.as_str() == id).unwrap()
    }

    fn verdict(results: &Results, id: &str) -> RuleVerdict {
        rule(results, id).verdict
    }

    #[test]
    fn what_is_broken_comes_from_the_finding_not_from_what_a_case_covers() {
        let run = results(vec![
            case("a", Verdict::Fail, &["MSG-03", "MSG-05"], &["MSG-05", "MTP-21"]),
            case("b", Verdict::Pass, &["MSG-03", "MSG-07"], &[]),
        ]);
        assert_eq!(verdict(&run, "MSG-05"), RuleVerdict::Fail);
        assert_eq!(verdict(&run, "MTP-21"), RuleVerdict::Fail, "found broken, though the case is not about it");
        assert_eq!(rule(&run, "MTP-21").cases, ["a"]);
        assert_eq!(
            verdict(&run, "MSG-03"),
            RuleVerdict::Inconclusive,
            "the worst of its cases: one did not come to it"
        );
        assert_eq!(verdict(&run, "MSG-07"), RuleVerdict::Pass);
        assert_eq!(verdict(&run, "INIT-05"), RuleVerdict::Untested);
        assert_eq!(run.exit_code(), 1);
    }

    #[test]
    fn a_broken_should_is_a_warning_and_no_failure() {
        let run = results(vec![
            case("a", Verdict::Pass, &["MTP-17", "MTP-13", "MTP-18"], &["MTP-17"]),
            case("b", Verdict::Pass, &["MTP-17", "MTP-13"], &[]),
        ]);
        assert_eq!(verdict(&run, "MTP-17"), RuleVerdict::Warning);
        assert_eq!(verdict(&run, "MTP-13"), RuleVerdict::Pass, "another case proved it");
        assert_eq!(verdict(&run, "MTP-18"), RuleVerdict::Inconclusive, "nothing else did");
        assert_eq!(run.exit_code(), 0);
        let strict = results(vec![case("a", Verdict::Fail, &["MTP-17"], &["MTP-17"])]);
        assert_eq!((verdict(&strict, "MTP-17"), strict.exit_code()), (RuleVerdict::Warning, 1));
        let wrong = results(vec![case("a", Verdict::Pass, &["MTP-13"], &["MTP-13"])]);
        assert_eq!((verdict(&wrong, "MTP-13"), wrong.exit_code()), (RuleVerdict::Fail, 1), "a MUST never passes so");
    }

    #[test]
    fn a_rule_that_no_case_proved_does_not_pass() {
        let run = results(vec![
            case("a", Verdict::Skipped, &["MSG-19", "MSG-08"], &[]),
            case("b", Verdict::Pass, &["MSG-08"], &[]),
            case("c", Verdict::Inconclusive, &["MSG-10", "MSG-08"], &[]),
            case("d", Verdict::Fail, &["MSG-11"], &["MSG-10"]),
            case("e", Verdict::Known, &["CLOSE-01", "CLOSE-02"], &["CLOSE-01"]),
            case("f", Verdict::Pass, &["CLOSE-01", "CLOSE-02"], &[]),
            CaseResult { step: Some("line 3".to_owned()), ..case("g", Verdict::Fail, &["STAT-01"], &[]) },
        ]);
        assert_eq!(verdict(&run, "MSG-19"), RuleVerdict::Unjudged);
        assert_eq!(verdict(&run, "MSG-08"), RuleVerdict::Inconclusive);
        assert_eq!(verdict(&run, "MSG-10"), RuleVerdict::Fail);
        assert_eq!(verdict(&run, "MSG-11"), RuleVerdict::Inconclusive);
        assert_eq!(verdict(&run, "CLOSE-01"), RuleVerdict::Known);
        assert_eq!(verdict(&run, "CLOSE-02"), RuleVerdict::Known);
        assert_eq!(verdict(&run, "STAT-01"), RuleVerdict::Inconclusive, "a failure that names no rule blames none");
        assert_eq!(verdict(&run, "MTP-01"), RuleVerdict::Unobservable);
        let counts = Summary { pass: 2, fail: 2, inconclusive: 1, skipped: 1, known: 1 };
        assert_eq!(run.summary, counts);
        let only_known = results(vec![case("e", Verdict::Known, &["CLOSE-01"], &["CLOSE-01"])]);
        assert_eq!(only_known.exit_code(), 0);
        let in_vain = results(vec![case("c", Verdict::Inconclusive, &["MSG-10"], &[])]);
        assert_eq!(in_vain.exit_code(), 1);
    }

    #[test]
    fn another_transcript_fails_the_run_but_no_rule() {
        let run = results(vec![case("a", Verdict::Fail, &["STAT-01"], &[])]);
        assert_eq!((verdict(&run, "STAT-01"), run.summary.fail, run.exit_code()), (RuleVerdict::Pass, 1, 1));
    }

    #[test]
    fn the_order_in_which_cases_end_does_not_matter_and_the_last_ending_counts() {
        let all =
            || vec![case("b", Verdict::Fail, &["MSG-03"], &["MSG-03"]), case("a", Verdict::Pass, &["MSG-05"], &[])];
        let mut turned = all();
        turned.reverse();
        assert_eq!(results(all()), results(turned));
        let mut again = all();
        again.push(case("b", Verdict::Pass, &["MSG-03"], &[]));
        let run = results(again);
        assert_eq!(run.cases.iter().map(|case| case.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((verdict(&run, "MSG-03"), run.summary.pass, run.exit_code()), (RuleVerdict::Pass, 2, 0));
    }

    #[test]
    fn only_rules_that_bind_the_target_are_judged() {
        let ledger = Ledger::embedded().unwrap();
        let has = |role: &str, id: &str| Results::new(&ledger, &header(role)).rules.iter().any(|r| r.id.as_str() == id);
        assert_eq!((has("server", "MSG-14"), has("client", "MSG-14")), (false, true));
        assert_eq!((has("server", "MSG-03"), has("client", "MSG-03")), (true, false));
        assert_eq!((has("server", "MTP-03"), has("client", "MTP-03")), (true, true));
    }

    #[test]
    fn a_run_that_could_not_go_on_says_so() {
        let mut run = Results::new(&Ledger::embedded().unwrap(), &header("server"));
        run.on(&Event::CaseFinished(Box::new(case("a", Verdict::Fail, &["MSG-03"], &["MSG-03"]))));
        run.on(&Event::RunFinished { seconds: 1.0, aborted: Some("nobody listens".to_owned()) });
        assert_eq!((run.exit_code(), run.cases.len(), run.summary.fail), (3, 1, 1), "nothing that was found is lost");
    }

    #[test]
    fn a_run_that_judged_nothing_does_not_conform() {
        let skipped = results(vec![case("a", Verdict::Skipped, &["MSG-03"], &[])]);
        assert_eq!((skipped.judged_nothing(), skipped.exit_code()), (true, 2));
        let more =
            results(vec![case("a", Verdict::Skipped, &["MSG-03"], &[]), case("b", Verdict::Pass, &["MSG-03"], &[])]);
        assert_eq!((more.judged_nothing(), more.exit_code()), (false, 0));
        let mut part = skipped;
        part.shard = Some(Shard { number: 1, of: 2, plan: String::new() });
        assert_eq!(part.exit_code(), 0, "the whole may have judged something");
    }

    #[test]
    fn known_failures_are_no_failures_and_a_pattern_that_is_wrong_is_one() {
        let known = KnownFailures::parse(
            "k",
            "# slow disk
msg/*
# old
msg/b
# gone
close/*
",
        )
        .unwrap();
        let judged = |cases: Vec<CaseResult>| {
            let mut run = Results::new(&Ledger::embedded().unwrap(), &header("server"));
            for mut case in cases {
                let problems = known.judge(&mut case);
                problems.into_iter().for_each(|problem| run.on(&Event::PatternProblem(problem)));
                run.on(&Event::CaseFinished(Box::new(case)));
            }
            run.on(&Event::RunFinished { seconds: 1.0, aborted: None });
            run
        };
        let run = judged(vec![
            case("msg/a", Verdict::Fail, &["MSG-03"], &["MSG-03"]),
            case("msg/b", Verdict::Inconclusive, &["MSG-05"], &[]),
            case("msg/c", Verdict::Skipped, &["MSG-05"], &[]),
            case("msg/d", Verdict::Pass, &["MTP-17"], &["MTP-17"]),
            case("stat/a", Verdict::Pass, &["STAT-01"], &[]),
        ]);
        assert_eq!((run.summary.known, run.problems.len(), run.exit_code()), (2, 0, 0));
        assert_eq!((verdict(&run, "MSG-03"), verdict(&run, "MSG-05")), (RuleVerdict::Known, RuleVerdict::Known));
        assert_eq!(verdict(&run, "MTP-17"), RuleVerdict::Warning);
        let accepted: Vec<_> = run.cases.iter().map(|case| case.accepted.as_deref()).collect();
        assert_eq!(accepted, [Some("slow disk"), Some("slow disk"), None, None, None], "the first pattern's reason");
        let run = judged(vec![
            case("msg/b", Verdict::Pass, &["MSG-05"], &[]),
            case("msg/a", Verdict::Pass, &["MSG-05"], &[]),
            case("stat/a", Verdict::Fail, &["STAT-01"], &["STAT-01"]),
        ]);
        let problems: Vec<_> = run.problems.iter().map(|p| (p.line, p.problem, p.cases.as_slice())).collect();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (both, one) = (names(&["msg/a", "msg/b"]), names(&["msg/b"]));
        assert_eq!(problems, [(2, PatternFault::Passed, &both[..]), (4, PatternFault::Passed, &one[..])]);
        assert_eq!((run.summary.fail, run.exit_code()), (1, 1), "what no pattern matches fails as ever");
        let only_problems = judged(vec![case("msg/a", Verdict::Pass, &["MSG-05"], &[])]);
        assert_eq!((only_problems.summary.fail, only_problems.exit_code()), (0, 1));
    }
}
