//! TAP 14: one test point a case, in the order in which they end.

use std::io::{self, Write};

use mpchat_model::{CaseResult, Event, PatternProblem, Results, Verdict};

use crate::Reporter;
use crate::facts;
use crate::text::{one_line, visible};

/// Writes TAP.
pub struct Tap<W> {
    out: W,
    points: usize,
}

impl<W: Write> Tap<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out, points: 0 }
    }

    fn point(&mut self, case: &CaseResult) -> io::Result<()> {
        self.points += 1;
        // What is known to fail is `not ok` with TODO: consumers count it as no failure.
        let ok = if facts::is_bad(case) || case.verdict == Verdict::Known { "not ok" } else { "ok" };
        let directive = match case.verdict {
            Verdict::Skipped => format!(" # SKIP {}", one_line(case.got.as_deref().unwrap_or_default())),
            Verdict::Known => format!(" # TODO {}", one_line(facts::reason(case))),
            _ => String::new(),
        };
        writeln!(self.out, "{ok} {} - {}{directive}", self.points, description(&case.id))?;
        if ok == "ok" && case.violates.is_empty() {
            return Ok(());
        }
        // YAML 1.2 takes JSON strings as they are.
        let mut all = vec![("verdict", case.verdict.to_string()), ("violates", facts::broken(case))];
        all.extend(facts::facts(case));
        all.push(("reproduce", case.reproduce.clone()));
        self.diagnostics(&all)
    }

    /// A pattern of known failures that is wrong is a point of its own: it fails the run, and no case does.
    fn problem(&mut self, problem: &PatternProblem) -> io::Result<()> {
        self.points += 1;
        let place = format!("{}:{} {}", problem.file, problem.line, problem.pattern);
        writeln!(self.out, "not ok {} - known failures: {}", self.points, description(&place))?;
        self.diagnostics(&[("problem", problem.to_string())])
    }

    fn diagnostics(&mut self, all: &[(&str, String)]) -> io::Result<()> {
        writeln!(self.out, "  ---")?;
        for (key, value) in all {
            writeln!(self.out, "  {key}: {}", serde_json::to_string(&visible(value))?)?;
        }
        writeln!(self.out, "  ...")
    }
}

impl<W: Write> Reporter for Tap<W> {
    fn on(&mut self, event: &Event, results: &Results) -> io::Result<()> {
        match event {
            Event::RunStarted(_) => writeln!(self.out, "TAP version 14"),
            Event::CaseFinished(case) => self.point(case),
            Event::Notice(text) => writeln!(self.out, "# {}", one_line(text)),
            Event::RunFinished { aborted, .. } => {
                for problem in &results.problems {
                    self.problem(problem)?;
                }
                match aborted {
                    Some(why) => writeln!(self.out, "Bail out! {}", one_line(why))?,
                    None => writeln!(self.out, "1..{}", self.points)?,
                }
                self.out.flush()
            }
            Event::CaseStarted { .. } | Event::RoundFinished { .. } | Event::PatternProblem(_) => Ok(()),
        }
    }
}

/// A `#` in a description would begin a directive.
fn description(id: &str) -> String {
    one_line(&id.replace('\\', "\\\\").replace('#', "\\#"))
}
