//! What Mermaid should see in a scenario, for the check that it does.
//!
//! Mermaid accepts much, and drops or changes some of it without a word. So the check compares: its parser's messages,
//! notes and blocks against ours, line for line.

use serde::Serialize;

use crate::ast::{Branch, Item, Line, Loop, Scenario};
use crate::substitute::{Unbound, fill};

/// One diagram for the check.
#[derive(Clone, Debug, Serialize)]
pub struct MermaidLine {
    /// The expansion, or the file's own id followed by ` (file)`.
    pub id: String,
    /// Front matter and diagram. Counted loops and branches stand in their first round, since Mermaid draws them once.
    pub diagram: String,
    /// What the diagram says; `None` for the file as it stands, which only has to be accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<Seen>>,
}

/// Something that Mermaid's parser should report, in the order of the diagram.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Seen {
    /// An arrow.
    Message {
        /// Its beginning.
        from: String,
        /// Its end.
        to: String,
        /// `->>`, `-x` or `--x`.
        arrow: &'static str,
        /// What stands at it.
        text: String,
    },
    /// A note over one lifeline.
    Note {
        /// Over whom.
        over: String,
        /// What it says.
        text: String,
    },
    /// `par`, `alt`, `opt`, `loop`, and `and`, `else`.
    Block {
        /// The word.
        word: &'static str,
        /// What follows it.
        label: String,
    },
    /// `end`, with the word of its block.
    End {
        /// The word.
        word: &'static str,
    },
}

/// The diagrams of a scenario: the file as any viewer gets it, then each expansion.
///
/// A row of JSON a line is what `check.mjs` reads.
pub fn mermaid_lines(scenario: &Scenario) -> Vec<MermaidLine> {
    let file = MermaidLine { id: format!("{} (file)", scenario.id), diagram: scenario.source.clone(), messages: None };
    let front = scenario.source.find("\nsequenceDiagram").map_or("", |at| &scenario.source[..=at]);
    let first = front.lines().count() + 1;
    let expansions = scenario.expansions.iter().map(|expansion| {
        let drawn = first_rounds(&expansion.diagram);
        let mut list = List { first, drawn: drawn.lines().collect(), seen: Vec::new() };
        list.items(&expansion.body);
        let messages = Some(list.seen);
        MermaidLine { id: expansion.id.clone(), diagram: format!("{front}{drawn}"), messages }
    });
    std::iter::once(file).chain(expansions).collect()
}

/// The diagram with the variables of its loops as in their first round.
fn first_rounds(diagram: &str) -> String {
    // One entry a block around the line: a variable for a loop that has one.
    let mut around: Vec<Option<(String, String)>> = Vec::new();
    let mut drawn = String::with_capacity(diagram.len());
    for line in diagram.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let variables: Vec<(String, String)> = around.iter().flatten().cloned().collect();
        let comment = words.first().is_some_and(|word| word.starts_with("%%"));
        let filled = if comment { None } else { fill(line, &variables, Unbound::Keep, &mut |_| {}).ok() };
        let text = filled.map_or_else(|| line.to_owned(), |filled| filled.text);
        match words.first() {
            Some(&("loop" | "par")) => {
                let words: Vec<&str> = text.split_whitespace().collect();
                let variable = match words.as_slice() {
                    [_, name, "from", from, "to", _] => Some(((*name).to_owned(), (*from).to_owned())),
                    _ => None,
                };
                around.push(variable);
            }
            Some(&("alt" | "opt")) => around.push(None),
            Some(&"end") => {
                around.pop();
            }
            _ => {}
        }
        drawn.push_str(&text);
        drawn.push('\n');
    }
    drawn
}

/// What has been seen so far.
struct List<'a> {
    /// The line of the file at which the diagram begins.
    first: usize,
    drawn: Vec<&'a str>,
    seen: Vec<Seen>,
}

impl List<'_> {
    fn items(&mut self, list: &[Item]) {
        for item in list {
            match item {
                Item::Frame(frame) => {
                    let arrow = if frame.faulty { "-x" } else { "->>" };
                    self.message(&frame.from, &frame.to, arrow, &frame.line);
                }
                Item::Ending(ending) => self.message(&ending.from, &ending.to, "--x", &ending.line),
                Item::Note(note) => {
                    let text = self.said(&note.line);
                    self.seen.push(Seen::Note { over: note.over.clone(), text });
                }
                Item::Par(branches) => match branches.first() {
                    // Counted: drawn once, as a loop is.
                    Some(first) if !first.label.is_empty() => self.block(std::slice::from_ref(first), "par", "and"),
                    _ => self.block(branches, "par", "and"),
                },
                Item::Alt(branches) => self.block(branches, "alt", "else"),
                Item::Opt(branch) => self.block(std::slice::from_ref(branch), "opt", ""),
                Item::Loop(repeated) => {
                    let (line, body): (&Line, &[Item]) = match repeated {
                        Loop::Rounds { line, rounds } => (line, rounds.first().map_or(&[], Vec::as_slice)),
                        Loop::Until { line, body, .. } => (line, body),
                    };
                    let label = line.text.strip_prefix("loop ").unwrap_or_default().to_owned();
                    self.seen.push(Seen::Block { word: "loop", label });
                    self.items(body);
                    self.seen.push(Seen::End { word: "loop" });
                }
            }
        }
    }

    fn message(&mut self, from: &str, to: &str, arrow: &'static str, line: &Line) {
        let text = self.said(line);
        self.seen.push(Seen::Message { from: from.to_owned(), to: to.to_owned(), arrow, text });
    }

    fn block(&mut self, branches: &[Branch], word: &'static str, separator: &'static str) {
        for (index, branch) in branches.iter().enumerate() {
            let word = if index == 0 { word } else { separator };
            self.seen.push(Seen::Block { word, label: branch.label.clone() });
            self.items(&branch.items);
        }
        self.seen.push(Seen::End { word });
    }

    /// What follows the colon: what was parsed, and behind it the rules as they are written (of those that stand there
    /// twice, because a variable brought one along, the parsed line has one).
    fn said(&self, line: &Line) -> String {
        let text = line.text.split_once(": ").map_or("", |(_, text)| text);
        let written = self.drawn.get(line.number.saturating_sub(self.first)).map_or("", |written| written.trim());
        format!("{text}{}", written.strip_prefix(line.text.as_str()).unwrap_or_default())
    }
}
