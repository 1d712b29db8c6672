//! Lines into blocks: the shape of a diagram before its statements are read.

use std::ops::Range;

use crate::error::{Flaw, Problem};
use crate::limits;
use crate::source::SourceLine;
use crate::substitute::Filled;

/// A statement or a block of them. Numbers count the lines of the diagram from 0.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Statement(usize),
    Block { word: Word, line: usize, branches: Vec<Vec<Node>>, labels: Vec<String> },
}

/// The word that begins a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Par,
    Alt,
    Opt,
    Loop,
}

impl Word {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Par => "par",
            Self::Alt => "alt",
            Self::Opt => "opt",
            Self::Loop => "loop",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [Self::Par, Self::Alt, Self::Opt, Self::Loop].into_iter().find(|known| known.text() == word)
    }

    /// The word that begins a further branch.
    fn separator(self) -> Option<&'static str> {
        match self {
            Self::Par => Some("and"),
            Self::Alt => Some("else"),
            Self::Opt | Self::Loop => None,
        }
    }
}

/// A block whose `end` has not come.
struct Open {
    word: Word,
    line: usize,
    branches: Vec<Vec<Node>>,
    labels: Vec<String>,
}

/// A flaw of a line, by the line's number in the diagram.
pub(crate) type LineFlaw = (usize, Flaw);

/// Groups the lines after `sequenceDiagram`; `filled` has their variables filled in.
pub(crate) fn group(lines: &[SourceLine<'_>], filled: &[Filled]) -> Result<Vec<Node>, LineFlaw> {
    let mut open: Vec<Open> = Vec::new();
    let mut top: Vec<Node> = Vec::new();
    for (index, line) in filled.iter().enumerate().take(lines.len()).skip(1) {
        let text = line.text.trim();
        if text.is_empty() || text.starts_with("%%") {
            comment(&line.text).map_err(|flaw| (index, flaw))?;
            continue;
        }
        let start = line.text.len() - line.text.trim_start().len();
        let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
        let label = rest.trim().to_owned();
        let at = |length: usize| -> Range<usize> { start..start + length };
        let flaw = |range, problem| (index, Flaw::at(range, problem));
        if let Some(word) = Word::of(first) {
            if open.len() >= limits::DEPTH {
                return Err(flaw(at(first.len()), Problem::TooDeep(limits::DEPTH)));
            }
            // `par n from 1 to 40`: its one branch once for each n.
            if word == Word::Par && !label.is_empty() && !label.contains(" from ") {
                return Err(flaw(at(text.len()), Problem::Label(first.to_owned())));
            }
            open.push(Open { word, line: index, branches: vec![Vec::new()], labels: vec![label] });
        } else if first == "and" || first == "else" {
            let Some(block) = open.last_mut().filter(|block| block.word.separator() == Some(first)) else {
                return Err(flaw(at(first.len()), Problem::Stray(first.to_owned())));
            };
            let counted = block.word == Word::Par && block.labels.first().is_some_and(|label| !label.is_empty());
            if counted {
                return Err(flaw(at(first.len()), Problem::Stray(first.to_owned())));
            }
            if first == "and" && !label.is_empty() {
                return Err(flaw(at(text.len()), Problem::Label(first.to_owned())));
            }
            if block.branches.last().is_none_or(Vec::is_empty) {
                return Err(flaw(at(first.len()), Problem::EmptyBlock));
            }
            block.branches.push(Vec::new());
            block.labels.push(label);
        } else if first == "end" {
            if !label.is_empty() {
                return Err(flaw(at(text.len()), Problem::Label(first.to_owned())));
            }
            let Some(block) = open.pop() else {
                return Err(flaw(at(first.len()), Problem::Stray(first.to_owned())));
            };
            if block.branches.last().is_none_or(Vec::is_empty) {
                return Err(flaw(at(first.len()), Problem::EmptyBlock));
            }
            let node =
                Node::Block { word: block.word, line: block.line, branches: block.branches, labels: block.labels };
            push(&mut open, &mut top, node);
        } else {
            push(&mut open, &mut top, Node::Statement(index));
        }
    }
    if let Some(block) = open.last() {
        return Err((block.line, Flaw::whole(Problem::NotEnded(block.word.text().to_owned()))));
    }
    if top.is_empty() {
        return Err((0, Flaw::whole(Problem::EmptyDiagram)));
    }
    Ok(top)
}

fn push(open: &mut [Open], top: &mut Vec<Node>, node: Node) {
    match open.last_mut().and_then(|block| block.branches.last_mut()) {
        Some(branch) => branch.push(node),
        None => top.push(node),
    }
}

/// Refuses what Mermaid would take out of a line, or take for something else.
pub(crate) fn survives(text: &str) -> Result<(), Flaw> {
    // `%%` first: it explains more than a `;` behind it.
    for what in ["%%", "#", ";", "<"] {
        if let Some(at) = text.find(what) {
            return Err(Flaw::at(at..at + what.len(), Problem::LostByMermaid(what)));
        }
    }
    match text.find('\t') {
        Some(at) => Err(Flaw::at(at..at + 1, Problem::Tab)),
        None => Ok(()),
    }
}

/// A line of its own that is a comment, or blank.
fn comment(line: &str) -> Result<(), Flaw> {
    if let Some(at) = line.find('\t') {
        return Err(Flaw::at(at..at + 1, Problem::Tab));
    }
    if let Some(at) = line.find("%%{") {
        return Err(Flaw::at(at..at + 3, Problem::Directive));
    }
    let text = line.trim();
    let said = text.strip_prefix("%%").is_none_or(|said| said.starts_with(' ') && !said.trim().is_empty());
    if said { Ok(()) } else { Err(Flaw::whole(Problem::Comment)) }
}
