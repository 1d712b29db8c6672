//! The rounds of a case that is run several times become one result: ids of cases never change.

use mpchat_model::{CaseResult, Rounds, Verdict};

/// How many rounds a note names; the result file has all.
const NAMED: usize = 20;

/// What is known so far of the rounds of one case. They end in any order.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    rounds: Rounds,
    /// The first of the rounds that ended worst, and its number.
    worst: Option<(usize, CaseResult)>,
    /// Wall-clock seconds of all rounds.
    seconds: f64,
    /// The rounds that ended so, with the words for it.
    ended: Vec<(usize, &'static str)>,
}

impl Tally {
    /// Takes the result of a round, which counts from 1.
    pub(crate) fn take(&mut self, round: usize, result: CaseResult) {
        self.rounds.run += 1;
        self.seconds += result.seconds;
        match words(&result) {
            Some(words) => self.ended.push((round, words)),
            None => self.rounds.passed += 1,
        }
        if badness(&result) > 0 {
            self.rounds.failed.push(round);
        }
        let is_worse = self.worst.as_ref().is_none_or(|(first, worst)| {
            let (new, old) = (badness(&result), badness(worst));
            new > old || (new == old && round < *first)
        });
        if is_worse {
            self.worst = Some((round, result));
        }
    }

    /// How many rounds have ended.
    pub(crate) fn ended(&self) -> usize {
        self.rounds.run
    }

    /// The one result: none, if no round has ended.
    pub(crate) fn result(mut self) -> Option<CaseResult> {
        let (_, mut result) = self.worst?;
        self.ended.sort_unstable();
        self.rounds.failed.sort_unstable();
        for words in [FAILED, INCONCLUSIVE, WARNED, SKIPPED] {
            let rounds: Vec<usize> = self.ended.iter().filter(|(_, w)| *w == words).map(|(round, _)| *round).collect();
            if !rounds.is_empty() {
                result.notes.push(format!(
                    "{words} in {} of {} rounds: {}",
                    rounds.len(),
                    self.rounds.run,
                    list(&rounds)
                ));
            }
        }
        result.seconds = self.seconds;
        result.rounds = Some(self.rounds);
        Some(result)
    }
}

const FAILED: &str = "failed";
const INCONCLUSIVE: &str = "inconclusive";
const WARNED: &str = "broke a SHOULD";
const SKIPPED: &str = "skipped";

/// What is said of a round that did not just pass.
fn words(result: &CaseResult) -> Option<&'static str> {
    match result.verdict {
        Verdict::Pass if result.violates.is_empty() => None,
        Verdict::Pass => Some(WARNED),
        Verdict::Skipped => Some(SKIPPED),
        Verdict::Inconclusive => Some(INCONCLUSIVE),
        Verdict::Fail | Verdict::Known => Some(FAILED),
    }
}

/// Orders rounds. A round that was skipped proved less than one that passed, but found nothing.
fn badness(result: &CaseResult) -> i8 {
    match result.verdict {
        Verdict::Skipped => 0,
        Verdict::Pass if result.violates.is_empty() => -1,
        Verdict::Pass => 1,
        Verdict::Inconclusive => 2,
        Verdict::Fail | Verdict::Known => 3,
    }
}

fn list(rounds: &[usize]) -> String {
    let named: Vec<String> = rounds.iter().take(NAMED).map(usize::to_string).collect();
    match rounds.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        rest => format!("{} and {rest} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    fn result(verdict: Verdict, got: &str) -> CaseResult {
        CaseResult {
            id: "msg/x".to_owned(),
            title: String::new(),
            covers: Vec::new(),
            violates: Vec::new(),
            verdict,
            accepted: None,
            evidence: None,
            seconds: 0.5,
            step: None,
            expected: None,
            got: Some(got.to_owned()),
            transcript: None,
            frames: Vec::new(),
            notes: Vec::new(),
            rounds: None,
            reproduce: String::new(),
        }
    }

    fn tally(rounds: &[(usize, Verdict)]) -> CaseResult {
        let mut tally = Tally::default();
        for (round, verdict) in rounds {
            tally.take(*round, result(*verdict, &round.to_string()));
        }
        tally.result().unwrap()
    }

    #[test]
    fn the_worst_round_is_the_result_and_the_first_of_them_the_evidence() {
        let one = tally(&[(2, Verdict::Fail), (4, Verdict::Pass), (1, Verdict::Fail), (3, Verdict::Inconclusive)]);
        assert_eq!((one.id.as_str(), one.verdict, one.got.as_deref()), ("msg/x", Verdict::Fail, Some("1")));
        assert_eq!(one.notes, ["failed in 2 of 4 rounds: 1, 2", "inconclusive in 1 of 4 rounds: 3"]);
        assert_eq!(one.rounds, Some(Rounds { run: 4, passed: 1, failed: vec![1, 2, 3] }));
        assert!(one.is_flaky() && (one.seconds - 2.0).abs() < 1e-9);
    }

    #[test]
    fn what_always_ends_alike_is_not_flaky() {
        assert!(!tally(&[(1, Verdict::Fail), (2, Verdict::Fail)]).is_flaky());
        let good = tally(&[(2, Verdict::Pass), (1, Verdict::Pass)]);
        assert_eq!((good.is_flaky(), good.notes.len(), good.got.as_deref()), (false, 0, Some("1")));
        let partly = tally(&[(1, Verdict::Pass), (2, Verdict::Skipped)]);
        assert_eq!((partly.verdict, partly.is_flaky()), (Verdict::Skipped, false));
        assert_eq!(partly.notes, ["skipped in 1 of 2 rounds: 2"]);
        assert!(Tally::default().result().is_none());
    }

    #[test]
    fn a_round_that_broke_a_should_is_worse_than_one_that_did_not() {
        let mut tally = Tally::default();
        tally.take(1, result(Verdict::Pass, "1"));
        tally.take(2, CaseResult { violates: vec!["MTP-17".parse().unwrap()], ..result(Verdict::Pass, "2") });
        let one = tally.result().unwrap();
        assert_eq!((one.verdict, one.violates.len(), one.is_flaky()), (Verdict::Pass, 1, true));
        assert_eq!(one.notes, ["broke a SHOULD in 1 of 2 rounds: 2"]);
    }

    #[test]
    fn a_note_names_some_rounds_of_many() {
        let many: Vec<_> = (1..=22).map(|round| (round, Verdict::Fail)).collect();
        assert!(tally(&many).notes[0].ends_with("19, 20 and 2 more"));
    }
}
