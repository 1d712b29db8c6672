//! The file as text: front matter, diagram, and where each line begins.

use std::ops::Range;

use crate::error::{Flaw, Problem};
use crate::limits;

/// A line of the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SourceLine<'a> {
    /// 1-based.
    pub(crate) number: usize,
    /// Where it begins in the file.
    pub(crate) start: usize,
    /// Without its LF.
    pub(crate) text: &'a str,
}

/// The two halves of a file.
pub(crate) struct Halves<'a> {
    /// The YAML between the `---` lines.
    pub(crate) front: &'a str,
    /// Where it begins in the file.
    pub(crate) front_start: usize,
    /// From the line `sequenceDiagram` on.
    pub(crate) diagram: Vec<SourceLine<'a>>,
}

/// Splits a file; flaws count in bytes of the file.
pub(crate) fn split(source: &str) -> Result<Halves<'_>, Flaw> {
    if source.len() > limits::FILE {
        return Err(Flaw::at(0..0, Problem::FileTooLong(limits::FILE)));
    }
    if let Some(at) = source.find('\r') {
        return Err(Flaw::at(at..at + 1, Problem::CarriageReturn));
    }
    let control = |c: char| (c.is_control() && c != '\n' && c != '\t') || c == '\u{feff}';
    if let Some(at) = source.find(control) {
        return Err(Flaw::at(at..at + 1, Problem::ControlCharacter));
    }
    let mut lines = lines(source);
    let first = lines.next();
    if first.is_none_or(|line| line.text != "---") {
        return Err(Flaw::at(0..first.map_or(0, |line| line.text.len()), Problem::NoFrontMatter));
    }
    let front_start = 4.min(source.len());
    let Some(end) = lines.by_ref().find(|line| line.text == "---") else {
        return Err(Flaw::at(0..3, Problem::FrontMatterNotEnded));
    };
    let diagram: Vec<SourceLine<'_>> = lines.collect();
    if diagram.first().is_none_or(|line| line.text != "sequenceDiagram") {
        let range = diagram.first().map_or(end.start..end.start + 3, |line| whole(*line));
        return Err(Flaw::at(range, Problem::NoDiagram));
    }
    Ok(Halves { front: &source[front_start..end.start], front_start, diagram })
}

/// The bytes of a line in the file, without its indentation.
pub(crate) fn whole(line: SourceLine<'_>) -> Range<usize> {
    let indent = line.text.len() - line.text.trim_start().len();
    line.start + indent..line.start + line.text.trim_end().len().max(indent)
}

fn lines(source: &str) -> impl Iterator<Item = SourceLine<'_>> {
    let mut start = 0;
    source.split_inclusive('\n').enumerate().map(move |(index, text)| {
        let line = SourceLine { number: index + 1, start, text: text.strip_suffix('\n').unwrap_or(text) };
        start += text.len();
        line
    })
}
