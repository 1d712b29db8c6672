//! What only several lines together can break.

mod branches;
mod bytes;
mod names;
mod path;
mod texts;

use crate::ast::{Front, Item, Line, Scenario};
use crate::error::Problem;

/// A problem of a line.
pub(crate) struct Offence {
    /// 1-based line of the file.
    pub(crate) line: usize,
    /// The offending part of the line; if the line has it only after substitution, all of the line is shown.
    pub(crate) word: String,
    pub(crate) problem: Problem,
}

impl Offence {
    fn new(line: &Line, word: impl Into<String>, problem: Problem) -> Self {
        Self { line: line.number, word: word.into(), problem }
    }
}

/// Checks one expansion.
pub(crate) fn expansion(front: &Front, body: &[Item]) -> Result<(), Offence> {
    names::check(front, body)?;
    texts::check(front, body)?;
    bytes::check(body)?;
    branches::check(body)
}

/// Checks what the front matter says about names, against all expansions. An error is a key, the name below it and its
/// problem.
pub(crate) fn file(scenario: &Scenario) -> Result<(), (&'static str, String, Problem)> {
    names::front(scenario)
}

/// The line of a statement.
fn line(item: &Item) -> Option<&Line> {
    match item {
        Item::Frame(frame) => Some(&frame.line),
        Item::Ending(ending) => Some(&ending.line),
        Item::Note(note) => Some(&note.line),
        Item::Par(_) | Item::Alt(_) | Item::Opt(_) | Item::Loop(_) => None,
    }
}
