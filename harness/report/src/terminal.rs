//! For people: progress, each failure with all that is needed to find the fault, a summary by rule area.

use std::collections::BTreeMap;
use std::io::{self, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mpchat_model::{CaseResult, Event, Ledger, Level, Results, RuleVerdict, Verdict};

use crate::Reporter;
use crate::text::{one_line, visible};

/// How many failures are written out in full; the rest is one line each. Result files have them all.
const IN_FULL: usize = 20;

/// Writes for people.
pub struct Terminal<'a, W> {
    out: W,
    ledger: &'a Ledger,
    bar: Option<ProgressBar>,
    done: usize,
    planned: usize,
    failures: usize,
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
        Self { out, ledger, bar, done: 0, planned: 0, failures: 0 }
    }

    fn finished(&mut self, case: &CaseResult) -> io::Result<()> {
        self.done += 1;
        if let Some(bar) = &self.bar {
            bar.inc(1);
            bar.set_message(case.id.clone());
        } else if self.done.is_multiple_of(200) {
            writeln!(self.out, "{:>5}/{} cases", self.done, self.planned)?;
        }
        if !matches!(case.verdict, Verdict::Fail | Verdict::Inconclusive) {
            return Ok(());
        }
        self.failures += 1;
        let text = if self.failures <= IN_FULL { self.failure(case) } else { self.short(case) };
        match &self.bar {
            Some(bar) => bar.suspend(|| self.out.write_all(text.as_bytes())),
            None => self.out.write_all(text.as_bytes()),
        }
    }

    fn short(&self, case: &CaseResult) -> String {
        let rules: Vec<&str> = case.violates.iter().map(|rule| rule.as_str()).collect();
        format!("{} {} {}\n", word(case.verdict), one_line(&case.id), rules.join(" "))
    }

    fn failure(&self, case: &CaseResult) -> String {
        let mut text = format!("\n{} {}: {}\n", word(case.verdict), one_line(&case.id), one_line(&case.title));
        for id in &case.violates {
            if let Some(rule) = self.ledger.rule(id) {
                let level = format!("{:?}", rule.level).to_uppercase();
                text.push_str(&format!("  breaks    {id} ({level}): {}\n", one_line(&rule.text)));
            }
        }
        for (name, value) in [("step", &case.step), ("expected", &case.expected), ("got", &case.got)] {
            if let Some(value) = value {
                let value = visible(value).replace('\n', "\n            ");
                text.push_str(&format!("  {name:<9} {value}\n"));
            }
        }
        if !case.frames.is_empty() {
            text.push_str("  what was said and heard, the last at the end:\n");
            for frame in &case.frames {
                text.push_str(&format!("    {}\n", one_line(frame)));
            }
        }
        for note in &case.notes {
            text.push_str(&format!("  note      {}\n", one_line(note)));
        }
        text.push_str(&format!("  repeat    {}\n", one_line(&case.reproduce)));
        text
    }

    fn summary(&mut self, results: &Results) -> io::Result<()> {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let mut areas: BTreeMap<&str, Vec<RuleVerdict>> = BTreeMap::new();
        let mut order = Vec::new();
        for rule in &results.rules {
            let area = areas.entry(rule.id.area()).or_default();
            if area.is_empty() {
                order.push(rule.id.area());
            }
            area.push(rule.verdict);
        }
        writeln!(self.out, "\narea    rules  pass  fail  warning  inconclusive  untested  unobservable  unjudged")?;
        for area in order {
            let verdicts = areas.get(area).map(Vec::as_slice).unwrap_or_default();
            let count = |wanted: &[RuleVerdict]| verdicts.iter().filter(|v| wanted.contains(v)).count();
            writeln!(
                self.out,
                "{area:<6} {:>6} {:>5} {:>5} {:>8} {:>13} {:>9} {:>13} {:>9}",
                verdicts.len(),
                count(&[RuleVerdict::Pass, RuleVerdict::Known]),
                count(&[RuleVerdict::Fail]),
                count(&[RuleVerdict::Warning]),
                count(&[RuleVerdict::Inconclusive]),
                count(&[RuleVerdict::Untested]),
                count(&[RuleVerdict::Unobservable]),
                count(&[RuleVerdict::Unjudged]),
            )?;
        }
        self.rules_with(results, RuleVerdict::Fail, "broken")?;
        self.rules_with(results, RuleVerdict::Warning, "warning: broken, but not a MUST")?;
        self.rules_with(results, RuleVerdict::Untested, "untested")?;
        self.skipped(results)?;
        let s = &results.summary;
        writeln!(
            self.out,
            "\n{}: {} cases: {} passed, {} failed, {} inconclusive, {} skipped, {} known; {:.2} s",
            one_line(&results.target.name),
            results.cases.len(),
            s.pass,
            s.fail,
            s.inconclusive,
            s.skipped,
            s.known,
            results.seconds,
        )?;
        writeln!(
            self.out,
            "specification {} revision {} ({})",
            results.specification.version,
            results.specification.revision,
            results.specification.digest.get(..12).unwrap_or_default(),
        )?;
        if let Some(why) = &results.aborted {
            writeln!(self.out, "aborted: {}", one_line(why))?;
        }
        self.out.flush()
    }

    fn rules_with(&mut self, results: &Results, verdict: RuleVerdict, title: &str) -> io::Result<()> {
        let all = results.rules.iter().filter(|rule| rule.verdict == verdict);
        let ids: Vec<String> = all
            .map(|rule| if rule.level == Level::Must { rule.id.to_string() } else { format!("{} ({:?})", rule.id, rule.level) })
            .collect();
        if ids.is_empty() { Ok(()) } else { writeln!(self.out, "{title}: {}", ids.join(", ")) }
    }

    fn skipped(&mut self, results: &Results) -> io::Result<()> {
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for case in results.cases.iter().filter(|case| case.verdict == Verdict::Skipped) {
            *reasons.entry(case.got.as_deref().unwrap_or("no reason")).or_default() += 1;
        }
        for (reason, n) in reasons {
            writeln!(self.out, "skipped {n}: {}", one_line(reason))?;
        }
        Ok(())
    }
}

impl<W: Write> Reporter for Terminal<'_, W> {
    fn on(&mut self, event: &Event, results: &Results) -> io::Result<()> {
        match event {
            Event::RunStarted(header) => {
                self.planned = header.planned;
                if let Some(bar) = &self.bar {
                    bar.set_length(header.planned as u64);
                }
                writeln!(self.out, "{}: {} cases", one_line(&header.target.name), header.planned)
            }
            Event::CaseStarted { .. } => Ok(()),
            Event::CaseFinished(case) => self.finished(case),
            Event::Notice(text) => writeln!(self.out, "note: {}", one_line(text)),
            Event::RunFinished { .. } => self.summary(results),
        }
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Skipped => "skipped",
        Verdict::Known => "known",
        Verdict::Inconclusive => "INCONCLUSIVE",
        Verdict::Fail => "FAIL",
    }
}
