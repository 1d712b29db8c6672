//! TAP 14: one test point a case.

use std::io::{self, Write};

use mpchat_model::{CaseResult, Event, Results, Verdict};

use crate::Reporter;
use crate::text::one_line;

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
        let ok = if matches!(case.verdict, Verdict::Fail | Verdict::Inconclusive) { "not ok" } else { "ok" };
        let id = one_line(&case.id).replace('#', "\\#");
        let directive = match case.verdict {
            Verdict::Skipped => format!(" # SKIP {}", one_line(case.got.as_deref().unwrap_or_default())),
            Verdict::Known => " # TODO known failure".to_owned(),
            _ => String::new(),
        };
        writeln!(self.out, "{ok} {} - {id}{directive}", self.points)?;
        if ok == "not ok" {
            let violates: Vec<&str> = case.violates.iter().map(|rule| rule.as_str()).collect();
            writeln!(self.out, "  ---")?;
            for (key, value) in [
                ("violates", Some(violates.join(", "))),
                ("step", case.step.clone()),
                ("expected", case.expected.clone()),
                ("got", case.got.clone()),
                ("reproduce", Some(case.reproduce.clone())),
            ] {
                if let Some(value) = value {
                    writeln!(self.out, "  {key}: {}", serde_json::to_string(&value)?)?;
                }
            }
            writeln!(self.out, "  ...")?;
        }
        Ok(())
    }
}

impl<W: Write> Reporter for Tap<W> {
    fn on(&mut self, event: &Event, _results: &Results) -> io::Result<()> {
        match event {
            Event::RunStarted(_) => writeln!(self.out, "TAP version 14"),
            Event::CaseFinished(case) => self.point(case),
            Event::Notice(text) => writeln!(self.out, "# {}", one_line(text)),
            Event::RunFinished { aborted, .. } => {
                match aborted {
                    Some(why) => writeln!(self.out, "Bail out! {}", one_line(why))?,
                    None => writeln!(self.out, "1..{}", self.points)?,
                }
                self.out.flush()
            }
            Event::CaseStarted { .. } => Ok(()),
        }
    }
}
