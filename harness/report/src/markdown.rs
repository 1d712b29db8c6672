//! Markdown (GitHub's), for a job summary or a comment: what is broken first, then the areas.

use std::io::{self, BufWriter, Write};

use mpchat_model::{CaseResult, Event, Ledger, Results, RuleVerdict, Verdict};

use crate::Reporter;
use crate::facts::{self, COLUMNS};
use crate::text::{one_line, shortened, visible};

/// The most characters of one value: a job summary has room for 1 MiB in all.
const MOST: usize = 2000;

/// The most failures written out in full, for the same reason; the rest is named.
const IN_FULL: usize = 50;

/// Writes Markdown.
pub struct Markdown<'a, W: Write> {
    out: BufWriter<W>,
    ledger: &'a Ledger,
}

impl<'a, W: Write> Markdown<'a, W> {
    /// Writes to `out`.
    pub fn new(out: W, ledger: &'a Ledger) -> Self {
        Self { out: BufWriter::new(out), ledger }
    }

    fn write(&mut self, results: &Results) -> io::Result<()> {
        writeln!(self.out, "# Conformance of {}\n", escaped(&results.target.name))?;
        writeln!(
            self.out,
            "{}; {:.2} s; {}.\n",
            facts::totals(results),
            results.seconds,
            facts::specification(results)
        )?;
        if let Some(like) = &results.fails_like {
            writeln!(self.out, "Fails like a {} that {}.\n", code(&results.target.role), code(like))?;
        }
        if let Some(why) = &results.aborted {
            writeln!(self.out, "**The run could not go on:** {}\n", code(why))?;
        }
        self.problems(results)?;
        self.areas(results)?;
        self.rules(results, RuleVerdict::Fail, "Broken rules")?;
        self.rules(results, RuleVerdict::Warning, "Warnings")?;
        for (verdict, title) in [
            (RuleVerdict::Inconclusive, "Inconclusive"),
            (RuleVerdict::Untested, "Untested"),
            (RuleVerdict::Unjudged, "Unjudged"),
            (RuleVerdict::Known, "Known to fail"),
        ] {
            let rules = facts::list(results, verdict);
            if !rules.is_empty() {
                writeln!(self.out, "{title}: {rules}.\n")?;
            }
        }
        self.failures(results)?;
        self.flaky(results)?;
        self.short(results, Verdict::Known, "Known failures")?;
        self.short(results, Verdict::Skipped, "Skipped")?;
        self.out.flush()
    }

    fn areas(&mut self, results: &Results) -> io::Result<()> {
        let titles: Vec<&str> = COLUMNS.iter().map(|(title, _)| *title).collect();
        writeln!(self.out, "| area | rules | {} |\n|{}", titles.join(" | "), " --- |".repeat(titles.len() + 2))?;
        for area in facts::areas(results) {
            let counts: Vec<String> = COLUMNS.iter().map(|(_, verdicts)| area.count(verdicts).to_string()).collect();
            writeln!(self.out, "| {} | {} | {} |", area.name, area.size(), counts.join(" | "))?;
        }
        writeln!(self.out)
    }

    fn rules(&mut self, results: &Results, verdict: RuleVerdict, title: &str) -> io::Result<()> {
        let mut rules = results.rules.iter().filter(|rule| rule.verdict == verdict).peekable();
        if rules.peek().is_none() {
            return Ok(());
        }
        writeln!(self.out, "## {title}\n")?;
        for rule in rules {
            // The specification's text is Markdown already.
            let text = self.ledger.rule(&rule.id).map(|rule| rule.text.as_str()).unwrap_or_default();
            let found: Vec<String> = results
                .cases
                .iter()
                .filter(|case| case.violates.contains(&rule.id))
                .map(|case| code(&case.id))
                .collect();
            writeln!(self.out, "- **{}** ({}): {text} Found by {}.", rule.id, rule.level, found.join(", "))?;
        }
        writeln!(self.out)
    }

    fn failures(&mut self, results: &Results) -> io::Result<()> {
        let bad: Vec<&CaseResult> = results.cases.iter().filter(|case| facts::is_bad(case)).collect();
        if bad.is_empty() {
            return Ok(());
        }
        writeln!(self.out, "## Failures\n")?;
        for case in bad.iter().take(IN_FULL) {
            self.failure(case)?;
        }
        if let Some(rest) = bad.get(IN_FULL..).filter(|rest| !rest.is_empty()) {
            let names: Vec<String> = rest.iter().map(|case| code(&case.id)).collect();
            writeln!(self.out, "And {} more: {}.\n", names.len(), names.join(", "))?;
        }
        Ok(())
    }

    fn failure(&mut self, case: &CaseResult) -> io::Result<()> {
        let rules = match facts::broken(case) {
            rules if rules.is_empty() => case.verdict.to_string(),
            rules => format!("breaks {rules}"),
        };
        writeln!(self.out, "### {}: {rules}\n\n{}\n", code(&case.id), escaped(&case.title))?;
        let mut lines = Vec::new();
        for (name, value) in facts::facts(case) {
            lines.push(format!("{name:<9} {}", shortened(&value, MOST).replace('\n', "\n          ")));
        }
        lines.extend(case.frames.iter().map(|frame| one_line(&shortened(frame, MOST))));
        lines.extend(case.notes.iter().map(|note| format!("note      {}", one_line(&shortened(note, MOST)))));
        lines.push(format!("repeat    {}", one_line(&case.reproduce)));
        writeln!(self.out, "{}\n", fenced(&lines.join("\n")))
    }

    fn problems(&mut self, results: &Results) -> io::Result<()> {
        if results.problems.is_empty() {
            return Ok(());
        }
        writeln!(self.out, "## Known failures that are not true any more\n")?;
        for problem in &results.problems {
            writeln!(self.out, "- {}", escaped(&problem.to_string()))?;
        }
        writeln!(self.out)
    }

    fn flaky(&mut self, results: &Results) -> io::Result<()> {
        let mut flaky = facts::flaky(results).peekable();
        if flaky.peek().is_none() {
            return Ok(());
        }
        writeln!(self.out, "## Flaky\n")?;
        for (case, rounds) in flaky {
            writeln!(self.out, "- {}: {}", code(&case.id), escaped(&rounds))?;
        }
        writeln!(self.out)
    }

    fn short(&mut self, results: &Results, verdict: Verdict, title: &str) -> io::Result<()> {
        let mut cases = results.cases.iter().filter(|case| case.verdict == verdict).peekable();
        if cases.peek().is_none() {
            return Ok(());
        }
        writeln!(self.out, "## {title}\n")?;
        for case in cases {
            let why = case.got.as_deref().map(|why| format!(": {}", code(&shortened(why, MOST)))).unwrap_or_default();
            let accepted = case.accepted.as_deref().map(|why| format!(" is accepted: {}", code(why)));
            let broken =
                if case.violates.is_empty() { String::new() } else { format!(" breaks {}", facts::broken(case)) };
            writeln!(self.out, "- {}{broken}{why}{}", code(&case.id), accepted.unwrap_or_default())?;
        }
        writeln!(self.out)
    }
}

impl<W: Write> Reporter for Markdown<'_, W> {
    fn on(&mut self, event: &Event, results: &Results) -> io::Result<()> {
        if matches!(event, Event::RunFinished { .. }) { self.write(results) } else { Ok(()) }
    }
}

/// Text that Markdown takes literally: everything that could have a meaning has a backslash before it.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        if c.is_ascii_punctuation() && !matches!(c, ',' | '.' | ':' | ';' | '/' | '-' | '\'' | '"') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// A code span that no run of backticks inside can end.
fn code(text: &str) -> String {
    let text = one_line(text);
    let ticks = "`".repeat(longest_run(&text) + 1);
    // The blanks are taken off again; without them, a backtick at the end would join the fence.
    if text.contains('`') { format!("{ticks} {text} {ticks}") } else { format!("{ticks}{text}{ticks}") }
}

/// A code block that nothing inside can end.
fn fenced(text: &str) -> String {
    let text = visible(text);
    let fence = "`".repeat((longest_run(&text) + 1).max(3));
    format!("{fence}text\n{text}\n{fence}")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_span_or_a_block() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("a``b`"), "``` a``b` ```");
        assert_eq!(fenced("a"), "```text\na\n```");
        assert_eq!(fenced("````\nx"), "`````text\n````\nx\n`````");
        assert_eq!(escaped("<b> [x](y) *a* | #1\n"), "\\<b\\> \\[x\\]\\(y\\) \\*a\\* \\| \\#1\\\\n");
    }
}
