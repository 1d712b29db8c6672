//! For people: progress, each failure with all that is needed to find the fault, a summary by rule area.

use std::collections::BTreeMap;
use std::io::{self, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mpchat_model::{CaseResult, Event, Ledger, Results, RuleVerdict, Verdict};

use crate::Reporter;
use crate::facts::{self, COLUMNS};
use crate::text::{one_line, shortened, visible};

/// Without a progress bar, a line after so many cases.
const PROGRESS_EVERY: usize = 200;

/// How many rules that a run did not touch are named: a run of few cases leaves out most of them.
const NAMED: usize = 20;

/// The most characters of one value that are shown: a frame's payload may have 64 KiB.
const MOST: usize = 2000;

/// Writes for people.
pub struct Terminal<'a, W> {
    out: W,
    ledger: &'a Ledger,
    bar: Option<ProgressBar>,
    done: usize,
    /// How many cases, times how often.
    planned: usize,
    rounds: usize,
}

impl<'a, W: Write> Terminal<'a, W> {
    /// Writes to `out`; with a progress bar on standard error if `bar` says so (somebody looks at a terminal).
    pub fn new(out: W, ledger: &'a Ledger, bar: bool) -> Self {
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {elapsed} {wide_msg}");
        let bar = bar.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            // The template is constant and has the placeholders that the library knows.
            style.map(|style| bar.clone().with_style(style)).unwrap_or(bar)
        });
        Self { out, ledger, bar, done: 0, planned: 0, rounds: 1 }
    }

    /// Writes beside the progress bar, not into it.
    fn say(&mut self, text: &str) -> io::Result<()> {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.out.write_all(text.as_bytes())),
            None => self.out.write_all(text.as_bytes()),
        }
    }

    fn progress(&mut self, id: &str, round: Option<usize>) -> io::Result<()> {
        self.done += 1;
        let (word, round) = match round {
            Some(round) => ("rounds of cases", format!(" round {round}")),
            None => ("cases", String::new()),
        };
        if let Some(bar) = &self.bar {
            bar.inc(1);
            bar.set_message(one_line(&format!("{id}{round}")));
        } else if self.done.is_multiple_of(PROGRESS_EVERY) {
            self.say(&format!("{:>5}/{} {word}\n", self.done, self.planned))?;
        }
        Ok(())
    }

    fn finished(&mut self, case: &CaseResult) -> io::Result<()> {
        if self.rounds == 1 {
            self.progress(&case.id, None)?;
        }
        if facts::is_bad(case) { self.say(&self.failure(case)) } else { Ok(()) }
    }

    fn failure(&self, case: &CaseResult) -> String {
        let word = if case.verdict == Verdict::Fail { "FAIL" } else { "INCONCLUSIVE" };
        let mut text = format!("\n{word} {}: {}\n", one_line(&case.id), one_line(&case.title));
        for id in &case.violates {
            text.push_str(&match self.ledger.rule(id) {
                Some(rule) => format!("  breaks    {id} ({}): {}\n", rule.level, one_line(&rule.text)),
                None => format!("  breaks    {id}\n"),
            });
        }
        if case.is_only_another_transcript() {
            text.push_str("  breaks    no rule; the transcript is not the accepted one\n");
        }
        for (name, value) in facts::facts(case) {
            let value = visible(&shortened(&value, MOST)).replace('\n', "\n            ");
            text.push_str(&format!("  {name:<9} {value}\n"));
        }
        if !case.frames.is_empty() {
            text.push_str("  what was said and heard, the last at the end:\n");
            for frame in &case.frames {
                text.push_str(&format!("    {}\n", one_line(&shortened(frame, MOST))));
            }
        }
        for note in &case.notes {
            text.push_str(&format!("  note      {}\n", one_line(&shortened(note, MOST))));
        }
        text.push_str(&format!("  repeat    {}\n", one_line(&case.reproduce)));
        text
    }

    fn summary(&mut self, results: &Results) -> io::Result<()> {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.areas(results)?;
        for (verdict, title) in [
            (RuleVerdict::Fail, "broken"),
            (RuleVerdict::Inconclusive, "inconclusive"),
            (RuleVerdict::Known, "known to fail"),
            (RuleVerdict::Untested, "untested"),
            (RuleVerdict::Unjudged, "unjudged"),
        ] {
            let rules = facts::list(results, verdict);
            let number = results.rules.iter().filter(|rule| rule.verdict == verdict).count();
            if verdict == RuleVerdict::Untested && number > NAMED {
                writeln!(self.out, "{title}: {number} rules, which no case of this run is about")?;
            } else if !rules.is_empty() {
                writeln!(self.out, "{title}: {rules}")?;
            }
        }
        self.warnings(results)?;
        self.known(results)?;
        self.skipped(results)?;
        for (case, rounds) in facts::flaky(results) {
            writeln!(self.out, "flaky: {}: {}", one_line(&case.id), one_line(&rounds))?;
        }
        for problem in &results.problems {
            writeln!(self.out, "error: {}", one_line(&problem.to_string()))?;
        }
        writeln!(
            self.out,
            "\n{}: {}; {:.2} s",
            one_line(&results.target.name),
            facts::totals(results),
            results.seconds
        )?;
        writeln!(self.out, "{}", one_line(&facts::specification(results)))?;
        if let Some(like) = &results.fails_like {
            writeln!(self.out, "fails like a {} that {}", one_line(&results.target.role), one_line(like))?;
        }
        if let Some(why) = &results.aborted {
            writeln!(self.out, "aborted: {}", one_line(why))?;
        }
        self.out.flush()
    }

    fn areas(&mut self, results: &Results) -> io::Result<()> {
        write!(self.out, "\n{:<6} {:>5}", "area", "rules")?;
        for (title, _) in COLUMNS {
            write!(self.out, "  {title}")?;
        }
        writeln!(self.out)?;
        for area in facts::areas(results) {
            write!(self.out, "{:<6} {:>5}", area.name, area.size())?;
            for (title, verdicts) in COLUMNS {
                write!(self.out, "  {:>width$}", area.count(verdicts), width = title.len())?;
            }
            writeln!(self.out)?;
        }
        Ok(())
    }

    fn warnings(&mut self, results: &Results) -> io::Result<()> {
        for (rule, cases) in facts::warnings(results) {
            let text = self.ledger.rule(&rule.id).map(|rule| one_line(&rule.text)).unwrap_or_default();
            writeln!(self.out, "warning: {} ({}) is broken: {text}", rule.id, rule.level)?;
            let Some(first) = cases.first() else { continue };
            writeln!(self.out, "  in {} of {} cases, first {}", cases.len(), rule.cases.len(), one_line(&first.id))?;
            for (name, value) in facts::facts(first) {
                writeln!(self.out, "  {name:<9} {}", one_line(&shortened(&value, MOST)))?;
            }
            writeln!(self.out, "  repeat    {}", one_line(&first.reproduce))?;
        }
        Ok(())
    }

    fn known(&mut self, results: &Results) -> io::Result<()> {
        let mut reasons: BTreeMap<&str, Vec<&CaseResult>> = BTreeMap::new();
        for case in results.cases.iter().filter(|case| case.verdict == Verdict::Known) {
            reasons.entry(facts::reason(case)).or_default().push(case);
        }
        for (reason, cases) in reasons {
            let first = cases.first().map(|case| one_line(&case.id)).unwrap_or_default();
            let reason = one_line(&shortened(reason, MOST));
            writeln!(self.out, "known {} (first {first}): {reason}", cases.len())?;
        }
        Ok(())
    }

    fn skipped(&mut self, results: &Results) -> io::Result<()> {
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for case in results.cases.iter().filter(|case| case.verdict == Verdict::Skipped) {
            *reasons.entry(case.got.as_deref().unwrap_or("no reason")).or_default() += 1;
        }
        for (reason, n) in reasons {
            writeln!(self.out, "skipped {n}: {}", one_line(&shortened(reason, MOST)))?;
        }
        Ok(())
    }
}

impl<W: Write> Reporter for Terminal<'_, W> {
    fn on(&mut self, event: &Event, results: &Results) -> io::Result<()> {
        match event {
            Event::RunStarted(header) => {
                self.rounds = header.rounds;
                self.planned = header.planned.saturating_mul(header.rounds);
                if let Some(bar) = &self.bar {
                    bar.set_length(self.planned as u64);
                }
                let times = if header.rounds > 1 { format!(", {} rounds", header.rounds) } else { String::new() };
                self.say(&format!("{}: {} cases{times}\n", one_line(&header.target.name), header.planned))
            }
            Event::CaseStarted { .. } | Event::PatternProblem(_) => Ok(()),
            Event::RoundFinished { id, round } => self.progress(id, Some(*round)),
            Event::CaseFinished(case) => self.finished(case),
            Event::Notice(text) => self.say(&format!("note: {}\n", one_line(&shortened(text, MOST)))),
            Event::RunFinished { .. } => self.summary(results),
        }
    }
}
