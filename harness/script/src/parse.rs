//! From a file to a [`Scenario`]: the order of the steps, and the way from a flaw back to its place in the file.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use crate::ast::{Branch, Expansion, Item, Line, Loop, Scenario};
use crate::blocks::{self, Node, Word};
use crate::check;
use crate::error::{Flaw, Problem, ScriptError};
use crate::expand;
use crate::front;
use crate::limits::Budget;
use crate::source::{self, SourceLine, whole};
use crate::statement::{Cursor, Next, statement};
use crate::substitute::{Filled, Unbound, Variables, fill};

/// Reads a scenario file with all its expansions.
///
/// `path` is only shown; `id` is `<area>/<behaviour>`. The result keeps what the language promises: names, sessions and
/// texts that lines mention exist, branches can be told apart, and nothing is lost on the way through Mermaid.
///
/// # Errors
///
/// The first offence in the order of the file, with its place. No input panics; what a file may unfold into is bounded.
pub fn parse(path: &str, id: &str, source: &str) -> Result<Scenario, ScriptError> {
    let in_file = |flaw: Flaw| ScriptError::new(path, source, flaw.range.unwrap_or(0..0), flaw.problem, None, None);
    let halves = source::split(source).map_err(in_file)?;
    let in_front = |flaw: Flaw| {
        let range = flaw.range.unwrap_or(0..0);
        let start = halves.front_start;
        in_file(Flaw::at(start + range.start..start + range.end, flaw.problem))
    };
    let matter = front::read(halves.front).map_err(in_front)?;
    let choices = expand::choices(&matter).map_err(in_front)?;
    let several = choices.len() > 1;
    let mut budget = Budget::new();
    let mut used = BTreeSet::new();
    let mut expansions = Vec::with_capacity(choices.len());
    for choice in choices {
        let id = format!("{id}{}", choice.suffix);
        let mut reader = Reader {
            path,
            source,
            lines: &halves.diagram,
            variables: choice.variables,
            expansion: several.then(|| id.clone()),
            budget: &mut budget,
            used: &mut used,
        };
        let (diagram, body) = reader.diagram()?;
        if let Err(offence) = check::expansion(&matter.front, &body) {
            return Err(reader.offence(offence));
        }
        expansions.push(Expansion { id, diagram, body });
    }
    let of_cases = matter.cases.iter().flat_map(|(_, variables)| variables.iter().map(|(name, _)| ("cases", name)));
    let mut variables = of_cases.chain(matter.each.iter().map(|(name, _)| ("each", name)));
    if let Some((key, name)) = variables.find(|(_, name)| !used.contains(*name)) {
        let range = front::place_of(halves.front, key, name);
        return Err(in_front(Flaw::at(range, Problem::VariableUnused(name.clone()))));
    }
    let scenario = Scenario {
        id: id.to_owned(),
        path: path.to_owned(),
        source: source.to_owned(),
        front: matter.front,
        expansions,
    };
    check::file(&scenario)
        .map_err(|(key, name, problem)| in_front(Flaw::at(front::place_of(halves.front, key, &name), problem)))?;
    Ok(scenario)
}

/// Reads the diagram of one expansion.
struct Reader<'a> {
    path: &'a str,
    source: &'a str,
    lines: &'a [SourceLine<'a>],
    /// Those of the case, then those of the loops around the current line.
    variables: Variables,
    /// Its id, where the file has several.
    expansion: Option<String>,
    budget: &'a mut Budget,
    used: &'a mut BTreeSet<String>,
}

impl Reader<'_> {
    /// The diagram as Mermaid would get it, and its items.
    fn diagram(&mut self) -> Result<(String, Vec<Item>), ScriptError> {
        let mut filled = Vec::with_capacity(self.lines.len());
        let mut diagram = String::new();
        for (index, line) in self.lines.iter().enumerate() {
            let comment = line.text.trim_start().starts_with("%%");
            let variables: &[(String, String)] = if comment { &[] } else { &self.variables };
            let (unbound, used) = (Unbound::Keep, &mut *self.used);
            let text = if comment {
                Filled::plain(line.text)
            } else {
                fill(line.text, variables, unbound, &mut |name| {
                    used.insert(name.to_owned());
                })
                .map_err(|flaw| self.error(index, flaw, None))?
            };
            self.budget.bytes(text.text.len() + 1).map_err(|flaw| self.error(index, flaw, None))?;
            if !comment {
                blocks::survives(&text.text).map_err(|flaw| self.error(index, flaw, Some(&text)))?;
            }
            diagram.push_str(&text.text);
            diagram.push('\n');
            filled.push(text);
        }
        let nodes =
            blocks::group(self.lines, &filled).map_err(|(index, flaw)| self.error(index, flaw, filled.get(index)))?;
        let body = self.items(&nodes)?;
        Ok((diagram, body))
    }

    fn items(&mut self, nodes: &[Node]) -> Result<Vec<Item>, ScriptError> {
        let mut items = Vec::with_capacity(nodes.len());
        for node in nodes {
            items.push(match node {
                Node::Statement(index) => {
                    let filled = self.filled(*index)?;
                    let number = self.lines[*index].number;
                    statement(number, &filled.text, self.budget)
                        .map_err(|flaw| self.error(*index, flaw, Some(&filled)))?
                }
                Node::Block { word: Word::Loop, line, branches, .. } => {
                    Item::Loop(self.repeat(*line, branches.first().map_or(&[], Vec::as_slice))?)
                }
                Node::Block { word: Word::Par, line, branches, labels } if labels.iter().any(|l| !l.is_empty()) => {
                    Item::Par(self.counted_branches(*line, branches.first().map_or(&[], Vec::as_slice))?)
                }
                Node::Block { word, branches, labels, .. } => {
                    let mut read = Vec::with_capacity(branches.len());
                    for (nodes, label) in branches.iter().zip(labels) {
                        read.push(Branch { label: label.clone(), items: self.items(nodes)? });
                    }
                    match (word, read.pop()) {
                        (Word::Opt, Some(only)) => Item::Opt(only),
                        (word, last) => {
                            read.extend(last);
                            if *word == Word::Par { Item::Par(read) } else { Item::Alt(read) }
                        }
                    }
                }
            });
        }
        Ok(items)
    }

    fn repeat(&mut self, index: usize, nodes: &[Node]) -> Result<Loop, ScriptError> {
        let filled = self.filled(index)?;
        let number = self.lines[index].number;
        let line = Line { number, text: filled.text.trim().to_owned(), rules: Vec::new() };
        let count = Count::read(&filled.text).map_err(|flaw| self.error(index, flaw, Some(&filled)))?;
        match count {
            Count::Until { from, to, sqn } => Ok(Loop::Until { line, from, to, sqn, body: self.items(nodes)? }),
            Count::Times(times) => {
                let rounds = (0..times).map(|_| self.items(nodes)).collect::<Result<_, _>>()?;
                Ok(Loop::Rounds { line, rounds })
            }
            Count::From { name, from, to } => {
                Ok(Loop::Rounds { line, rounds: self.rounds(index, nodes, &name, from..=to)? })
            }
        }
    }

    /// `par n from 1 to 40`: the lines for each n, in any interleaving.
    fn counted_branches(&mut self, index: usize, nodes: &[Node]) -> Result<Vec<Branch>, ScriptError> {
        let filled = self.filled(index)?;
        let label = filled.text.trim().strip_prefix("par ").unwrap_or_default().trim().to_owned();
        let count = Count::read(&filled.text).map_err(|flaw| self.error(index, flaw, Some(&filled)))?;
        let Count::From { name, from, to } = count else {
            return Err(self.error(index, Flaw::whole(Problem::BadCount), Some(&filled)));
        };
        let rounds = self.rounds(index, nodes, &name, from..=to)?;
        let mut branches: Vec<Branch> =
            rounds.into_iter().map(|items| Branch { label: String::new(), items }).collect();
        if let Some(first) = branches.first_mut() {
            first.label = label;
        }
        Ok(branches)
    }

    /// The lines once for each value of the variable.
    fn rounds(
        &mut self,
        index: usize,
        nodes: &[Node],
        name: &str,
        values: RangeInclusive<u64>,
    ) -> Result<Vec<Vec<Item>>, ScriptError> {
        if self.variables.iter().any(|(known, _)| known == name) {
            let filled = self.filled(index)?;
            let flaw = Flaw::whole(Problem::VariableTwice(name.to_owned()));
            return Err(self.error(index, flaw, Some(&filled)));
        }
        let mut rounds = Vec::new();
        for number in values {
            self.variables.push((name.to_owned(), number.to_string()));
            let round = self.items(nodes);
            self.variables.pop();
            rounds.push(round?);
        }
        Ok(rounds)
    }

    /// A line with the variables of the case and of its loops, paid for.
    fn filled(&mut self, index: usize) -> Result<Filled, ScriptError> {
        let filled = fill(self.lines[index].text, &self.variables, Unbound::Refuse, &mut |_| {})
            .map_err(|flaw| self.error(index, flaw, None))?;
        self.budget.line(filled.text.len()).map_err(|flaw| self.error(index, flaw, None))?;
        Ok(filled)
    }

    /// A flaw of a line of the diagram; `filled` is the text that it counts in, where that is not the file's.
    fn error(&self, index: usize, flaw: Flaw, filled: Option<&Filled>) -> ScriptError {
        let line = self.lines[index];
        let range = match (flaw.range, filled) {
            (None, _) => whole(line),
            (Some(range), None) => line.start + range.start..line.start + range.end,
            (Some(range), Some(filled)) => {
                let origin = filled.origin(range);
                line.start + origin.start..line.start + origin.end
            }
        };
        let reads = filled.filter(|filled| filled.text != line.text);
        let reads = reads.map(|filled| filled.text.trim().chars().take(200).collect());
        ScriptError::new(self.path, self.source, range, flaw.problem, self.expansion.clone(), reads)
    }

    /// An offence that only several lines together show.
    fn offence(&self, offence: check::Offence) -> ScriptError {
        let check::Offence { line, word, problem } = offence;
        let first = self.lines.first().map_or(1, |line| line.number);
        let index = line.saturating_sub(first).min(self.lines.len().saturating_sub(1));
        let source = self.lines[index];
        let at = (!word.is_empty()).then(|| source.text.rfind(&word)).flatten();
        let flaw = Flaw { problem, range: at.map(|at| at..at + word.len()) };
        self.error(index, flaw, None)
    }
}

/// What stands after `loop`, or after `par`.
enum Count {
    Times(u64),
    From { name: String, from: u64, to: u64 },
    Until { from: String, to: String, sqn: u16 },
}

impl Count {
    fn read(text: &str) -> Result<Self, Flaw> {
        const MOST: u64 = 65_535;
        let whole = || {
            let start = text.len() - text.trim_start().len();
            start..text.trim_end().len()
        };
        let bad = || Flaw::at(whole(), Problem::BadCount);
        let mut cursor = Cursor::new(text, 0);
        let _ = cursor.take("loop") || cursor.take("par");
        let count = if cursor.take("until") {
            let (from, _) = cursor.word("a sender").map_err(|_| bad())?;
            cursor.expect("to", "").map_err(|_| bad())?;
            let (to, _) = cursor.word("a receiver").map_err(|_| bad())?;
            cursor.expect("reaches", "").map_err(|_| bad())?;
            cursor.expect("sqn", "").map_err(|_| bad())?;
            let ends = (from == "server") != (to == "server");
            let plain =
                |name: &str| name == "server" || (crate::names::is_name(name) && !crate::names::is_reserved(name));
            if !ends || !plain(from) || !plain(to) {
                return Err(bad());
            }
            let sqn = cursor.number(1, MOST)?;
            Self::Until { from: from.to_owned(), to: to.to_owned(), sqn: u16::try_from(sqn).unwrap_or(u16::MAX) }
        } else {
            let (word, range) = cursor.word("a count").map_err(|_| bad())?;
            if cursor.take("from") {
                if !crate::names::is_name(word) {
                    return Err(Flaw::at(range, Problem::BadVariable(word.to_owned())));
                }
                let from = cursor.number(0, MOST)?;
                cursor.expect("to", "").map_err(|_| bad())?;
                let to = cursor.number(from, MOST)?;
                Self::From { name: word.to_owned(), from, to }
            } else {
                let mut again = Cursor::new(text, range.start);
                let times = again.number(1, MOST)?;
                again.expect("times", "").map_err(|_| bad())?;
                cursor = again;
                Self::Times(times)
            }
        };
        if cursor.peek().0 == Next::End { Ok(count) } else { Err(bad()) }
    }
}
