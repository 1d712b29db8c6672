//! What becomes of a case that was played: its result, in the light of its transports, rounds, snapshot and level.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use mpchat_model::{CaseResult, Event, Level, RuleId, Verdict};

use super::{Run, Turn};
use crate::attempt::Variant;
use crate::play::Played;
use crate::rounds::Tally;
use crate::snapshot::{difference, differs};
use crate::stop::Stop;
use crate::transport::Transport;
use crate::variants;

impl Run {
    pub(super) async fn finish(&self, turn: &Turn, variants: Vec<Variant>) {
        let result = |v: Variant| (v.transport, self.result(turn, v.played, v.seconds, v.notes));
        let results: Vec<(Transport, CaseResult)> = variants.into_iter().map(result).collect();
        let is_bad = results.iter().any(|(_, r)| r.verdict > Verdict::Known);
        let control = if is_bad && !self.options.transports.contains(&Transport::Plain) {
            Some(result(self.play(turn, Transport::Plain).await.died_alone()).1)
        } else {
            None
        };
        if let Some(result) = variants::merge(results, control.as_ref()) {
            self.round_ended(turn, result);
        }
    }

    fn round_ended(&self, turn: &Turn, result: CaseResult) {
        // What is known to fail ends nothing; whether it is known is said of all rounds together.
        let mut judged = result.clone();
        self.options.known.judge(&mut judged);
        if self.options.fail_fast && judged.verdict > Verdict::Known {
            self.stopped.store(true, Ordering::Relaxed);
        }
        if self.rounds() == 1 {
            return self.judged(result);
        }
        self.tell(Event::RoundFinished { id: result.id.clone(), round: turn.round });
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        let tally = tallies.entry(turn.number).or_default();
        tally.take(turn.round, result);
        if tally.ended() == self.rounds() {
            let whole = tallies.remove(&turn.number).and_then(Tally::result);
            drop(tallies);
            whole.into_iter().for_each(|result| self.judged(result));
        }
    }

    /// Tells of a case that has ended, in the light of the known failures.
    pub(super) fn judged(&self, mut result: CaseResult) {
        for problem in self.options.known.judge(&mut result) {
            self.tell(Event::PatternProblem(problem));
        }
        self.tell(Event::CaseFinished(Box::new(result)));
    }

    fn result(&self, turn: &Turn, played: Played, seconds: f64, notes: Vec<String>) -> CaseResult {
        let case = &turn.case;
        let mut result = CaseResult {
            id: case.id.clone(),
            title: case.title().to_owned(),
            covers: case.covers().to_vec(),
            violates: Vec::new(),
            verdict: Verdict::Pass,
            accepted: None,
            evidence: played.evidence,
            seconds,
            step: None,
            expected: None,
            got: None,
            transcript: Some(played.transcript),
            frames: Vec::new(),
            notes,
            rounds: None,
            reproduce: self.options.reproduce.replace("{id}", &case.id),
        };
        let end = match (played.end, played.warning) {
            (Err(Stop::Refused { breach: Some(breach), .. }), _) => Err(Stop::Fail(breach)),
            (Ok(()), Some(warning)) => Err(Stop::Fail(Box::new(warning))),
            (end, _) => end,
        };
        match end {
            Ok(()) => self.compare_snapshot(&case.id, &mut result),
            Err(Stop::Fail(finding)) => {
                // A MAY cannot be broken: what is found in its name is a frame that no rule allows.
                let should = |id: &RuleId| self.options.ledger.rule(id).is_some_and(|rule| rule.level == Level::Should);
                let only_should = !finding.rules.is_empty() && finding.rules.iter().all(should);
                // What a case about a SHOULD finds in the name of a MUST alone is a breach as anywhere else.
                let about_should = case.scenario.front.level == Some(Level::Should);
                let warns = only_should || about_should && finding.rules.first().is_some_and(should);
                let mut rules = finding.rules;
                let mut seen = std::collections::BTreeSet::new();
                // Whoever does not keep a SHOULD, and may, breaks no MUST by what follows from it.
                rules.retain(|rule| seen.insert(rule.clone()) && (!warns || should(rule)));
                result.violates = rules;
                result.verdict = if warns && self.options.level == Level::Must { Verdict::Pass } else { Verdict::Fail };
                result.step = finding.step.map(|line| format!("line {}: {}", line.number, line.text));
                result.expected = Some(finding.expected);
                result.got = Some(finding.got);
                result.frames = played.frames;
            }
            Err(Stop::Inconclusive(why)) => {
                result.verdict = Verdict::Inconclusive;
                result.got = Some(why);
                result.frames = played.frames;
            }
            Err(Stop::Skip(why) | Stop::Refused { why, .. }) => {
                result.verdict = Verdict::Skipped;
                result.got = Some(why);
                result.transcript = None;
            }
        }
        result
    }

    /// A transcript that is not the accepted one fails, even where every rule is kept.
    fn compare_snapshot(&self, id: &str, result: &mut CaseResult) {
        let Some(snapshots) = &self.options.snapshots else { return };
        let Some(seen) = &result.transcript else { return };
        match snapshots.get(id) {
            Some(accepted) if !differs(accepted, seen) => {}
            Some(accepted) => {
                result.verdict = Verdict::Fail;
                result.expected = Some("the transcript that was accepted".to_owned());
                result.got = Some(format!("another transcript:\n{}", difference(accepted, seen)));
            }
            None => {
                result.verdict = Verdict::Fail;
                result.expected = Some("a transcript that was accepted (`--accept` accepts this one)".to_owned());
                result.got = Some("a transcript without a snapshot".to_owned());
            }
        }
    }
}
