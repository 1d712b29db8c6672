//! One HTML file that needs nothing else: no scripts, no pictures, nothing from the network.
//!
//! It is well-formed XML as well, so that a test can read back what came of a peer's text.

use std::io::{self, BufWriter, Write};

use mpchat_model::{CaseResult, Event, Ledger, Results, Verdict};

use crate::Reporter;
use crate::facts::{self, COLUMNS};
use crate::text::html;

/// Even what a peer sneaked past the escaping could load and run nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

const STYLE: &str = "\
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 }
td, th { border-bottom: 1px solid #8884; padding: .2rem .6rem; text-align: left; vertical-align: top }
td.n, th.n { text-align: right }
pre { background: #8881; overflow-x: auto; padding: .6rem; white-space: pre-wrap; overflow-wrap: anywhere }
.pass { color: #17803d } .fail { color: #c81e1e; font-weight: bold }
.warning, .inconclusive, .known { color: #a15c07 } .skipped, .untested, .unobservable, .unjudged { color: #777 }
summary { cursor: pointer }
:root { color-scheme: light dark }";

/// Writes HTML.
pub struct Html<'a, W: Write> {
    out: BufWriter<W>,
    ledger: &'a Ledger,
}

impl<'a, W: Write> Html<'a, W> {
    /// Writes to `out`.
    pub fn new(out: W, ledger: &'a Ledger) -> Self {
        Self { out: BufWriter::new(out), ledger }
    }

    fn write(&mut self, results: &Results) -> io::Result<()> {
        let name = html(&results.target.name);
        writeln!(
            self.out,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <title>Conformance of {name}</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>\n\
             <h1>Conformance of {name}</h1>"
        )?;
        writeln!(
            self.out,
            "<p>{}; {:.2} s.</p>\n<p>{} at <code>{}</code>, {}; {} {}, {}.</p>",
            facts::totals(results),
            results.seconds,
            html(&results.target.role),
            html(&results.target.address),
            html(&results.started),
            html(&results.tool.name),
            html(&results.tool.version),
            html(&facts::specification(results))
        )?;
        if let Some(like) = &results.fails_like {
            writeln!(self.out, "<p>Fails like a {} that {}.</p>", html(&results.target.role), html(like))?;
        }
        if let Some(why) = &results.aborted {
            writeln!(self.out, "<p class=\"fail\">The run could not go on: {}</p>", html(why))?;
        }
        for problem in &results.problems {
            writeln!(self.out, "<p class=\"fail\">{}</p>", html(&problem.to_string()))?;
        }
        self.areas(results)?;
        self.failures(results)?;
        self.rules(results)?;
        self.cases(results)?;
        writeln!(self.out, "</body>\n</html>")?;
        self.out.flush()
    }

    fn areas(&mut self, results: &Results) -> io::Result<()> {
        write!(self.out, "<h2>Areas</h2>\n<table>\n<tr><th>area</th><th class=\"n\">rules</th>")?;
        for (title, _) in COLUMNS {
            write!(self.out, "<th class=\"n\">{title}</th>")?;
        }
        writeln!(self.out, "</tr>")?;
        for area in facts::areas(results) {
            write!(self.out, "<tr><td>{}</td><td class=\"n\">{}</td>", html(area.name), area.size())?;
            for (_, verdicts) in COLUMNS {
                write!(self.out, "<td class=\"n\">{}</td>", area.count(verdicts))?;
            }
            writeln!(self.out, "</tr>")?;
        }
        writeln!(self.out, "</table>")
    }

    fn failures(&mut self, results: &Results) -> io::Result<()> {
        let found =
            |case: &&CaseResult| facts::is_bad(case) || case.verdict == Verdict::Known || !case.violates.is_empty();
        let mut cases = results.cases.iter().filter(found).peekable();
        if cases.peek().is_none() {
            return Ok(());
        }
        writeln!(self.out, "<h2>Findings</h2>")?;
        for case in cases {
            self.finding(case)?;
        }
        Ok(())
    }

    fn finding(&mut self, case: &CaseResult) -> io::Result<()> {
        let open = if facts::is_bad(case) { " open=\"open\"" } else { "" };
        let class = if case.verdict == Verdict::Pass { "warning".to_owned() } else { case.verdict.to_string() };
        writeln!(
            self.out,
            "<details{open}>\n<summary><span class=\"{class}\">{class}</span> <code>{}</code> {}: {}</summary>",
            html(&case.id),
            html(&facts::broken(case)),
            html(&case.title)
        )?;
        for id in &case.violates {
            if let Some(rule) = self.ledger.rule(id) {
                writeln!(self.out, "<p><b>{id}</b> ({}) {}</p>", rule.level, rule_text(&rule.text))?;
            }
        }
        writeln!(self.out, "<table>")?;
        for (name, value) in facts::facts(case) {
            writeln!(self.out, "<tr><th>{name}</th><td><pre>{}</pre></td></tr>", html(&value))?;
        }
        for (name, lines) in [("frames", &case.frames), ("notes", &case.notes)] {
            if !lines.is_empty() {
                writeln!(self.out, "<tr><th>{name}</th><td><pre>{}</pre></td></tr>", html(&lines.join("\n")))?;
            }
        }
        if let Some(transcript) = &case.transcript {
            writeln!(self.out, "<tr><th>transcript</th><td><pre>{}</pre></td></tr>", html(transcript))?;
        }
        writeln!(
            self.out,
            "<tr><th>repeat</th><td><pre>{}</pre></td></tr>\n</table>\n</details>",
            html(&case.reproduce)
        )
    }

    fn rules(&mut self, results: &Results) -> io::Result<()> {
        writeln!(self.out, "<h2>Rules</h2>\n<table>")?;
        writeln!(
            self.out,
            "<tr><th>rule</th><th>level</th><th>verdict</th><th class=\"n\">cases</th><th>text</th></tr>"
        )?;
        for rule in &results.rules {
            let text = self.ledger.rule(&rule.id).map(|rule| rule_text(&rule.text)).unwrap_or_default();
            let why = self.ledger.unobservable(&rule.id).map(|why| format!(" <i>{}</i>", rule_text(why)));
            writeln!(
                self.out,
                "<tr id=\"{id}\"><td>{id}</td><td>{}</td><td class=\"{v}\">{v}</td><td class=\"n\">{}</td><td>{text}{}</td></tr>",
                rule.level,
                rule.cases.len(),
                why.unwrap_or_default(),
                id = html(rule.id.as_str()),
                v = rule.verdict,
            )?;
        }
        writeln!(self.out, "</table>")
    }

    fn cases(&mut self, results: &Results) -> io::Result<()> {
        writeln!(self.out, "<h2>Cases</h2>\n<table>")?;
        writeln!(
            self.out,
            "<tr><th>case</th><th>verdict</th><th class=\"n\">s</th><th>title</th><th>covers</th></tr>"
        )?;
        for case in &results.cases {
            let covers: Vec<&str> = case.covers.iter().map(|rule| rule.as_str()).collect();
            let skipped = case.got.as_deref().filter(|_| case.verdict == Verdict::Skipped);
            let accepted = case.accepted.as_deref();
            let why = skipped.map(|why| ("skipped", why)).or(accepted.map(|why| ("accepted", why)));
            writeln!(
                self.out,
                "<tr><td><code>{}</code></td><td class=\"{v}\">{v}</td><td class=\"n\">{:.2}</td><td>{}{}</td><td>{}</td></tr>",
                html(&case.id),
                case.seconds,
                html(&case.title),
                why.map(|(word, why)| format!(" ({word}: {})", html(why))).unwrap_or_default(),
                covers.join(" "),
                v = case.verdict,
            )?;
        }
        writeln!(self.out, "</table>")
    }
}

impl<W: Write> Reporter for Html<'_, W> {
    fn on(&mut self, event: &Event, results: &Results) -> io::Result<()> {
        if matches!(event, Event::RunFinished { .. }) { self.write(results) } else { Ok(()) }
    }
}

/// The specification's Markdown, of which rules use nothing but code spans.
fn rule_text(text: &str) -> String {
    let mut shown = String::new();
    for (n, part) in text.split('`').enumerate() {
        let part = html(part);
        shown.push_str(&if n % 2 == 1 { format!("<code>{part}</code>") } else { part });
    }
    shown
}
