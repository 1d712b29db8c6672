//! `$name`: plain replacement of text, with the way back to the place in the file.

use std::ops::Range;

use crate::error::{Flaw, Problem};
use crate::limits;

/// Names and their values. Later ones belong to inner loops; no name is there twice.
pub(crate) type Variables = Vec<(String, String)>;

/// A line with its variables filled in.
#[derive(Clone, Debug)]
pub(crate) struct Filled {
    pub(crate) text: String,
    /// Which bytes of `text` came from which of the original.
    pieces: Vec<(Range<usize>, Range<usize>)>,
}

/// What happens to a variable without a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unbound {
    /// It is an error.
    Refuse,
    /// It stays, since a loop may know it.
    Keep,
}

/// Fills in the variables of a line. `used` hears the name of each.
pub(crate) fn fill(
    line: &str,
    variables: &[(String, String)],
    unbound: Unbound,
    used: &mut dyn FnMut(&str),
) -> Result<Filled, Flaw> {
    let mut filled = Filled { text: String::with_capacity(line.len()), pieces: Vec::new() };
    let mut at = 0;
    while let Some(offset) = line[at..].find('$') {
        let dollar = at + offset;
        filled.push(&line[at..dollar], at..dollar);
        let rest = &line[dollar + 1..];
        let length = name_length(rest);
        let end = dollar + 1 + length;
        if length == 0 {
            return Err(Flaw::at(dollar..end, Problem::LoneDollar));
        }
        let name = &rest[..length];
        match variables.iter().find(|(known, _)| known == name) {
            Some((_, value)) => {
                used(name);
                filled.push(value, dollar..end);
            }
            None if unbound == Unbound::Keep => filled.push(&line[dollar..end], dollar..end),
            None => return Err(Flaw::at(dollar..end, Problem::Unbound(name.to_owned()))),
        }
        if filled.text.len() > limits::LINE {
            return Err(Flaw::at(dollar..end, Problem::LineTooLong(limits::LINE)));
        }
        at = end;
    }
    filled.push(&line[at..], at..line.len());
    if filled.text.len() > limits::LINE {
        return Err(Flaw::whole(Problem::LineTooLong(limits::LINE)));
    }
    Ok(filled)
}

/// The length of the name at the start of `text`.
fn name_length(text: &str) -> usize {
    if !text.starts_with(|first: char| first.is_ascii_lowercase()) {
        return 0;
    }
    text.bytes().take_while(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_').count()
}

impl Filled {
    /// A line in which nothing is filled in.
    pub(crate) fn plain(line: &str) -> Self {
        Self { text: line.to_owned(), pieces: vec![(0..line.len(), 0..line.len())] }
    }

    fn push(&mut self, text: &str, from: Range<usize>) {
        if from.is_empty() && text.is_empty() {
            return;
        }
        let start = self.text.len();
        self.text.push_str(text);
        self.pieces.push((start..self.text.len(), from));
    }

    /// The bytes of the original from which `range` came; all of a variable if any of its value is meant.
    pub(crate) fn origin(&self, range: Range<usize>) -> Range<usize> {
        let map = |at: usize, end: bool| {
            let piece = self.pieces.iter().find(|(here, _)| {
                if end { here.start < at && at <= here.end } else { here.start <= at && at < here.end }
            });
            match piece {
                Some((here, from)) if here.len() == from.len() => from.start + (at - here.start),
                Some((_, from)) => {
                    if end {
                        from.end
                    } else {
                        from.start
                    }
                }
                None => self.pieces.last().map_or(0, |(_, from)| from.end),
            }
        };
        let start = map(range.start, false);
        let end = if range.is_empty() { start } else { map(range.end, true) };
        start..end.max(start)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_leads_to_the_variable() {
        let variables = vec![("what".to_owned(), "with sqn 7".to_owned())];
        let filled = fill("status_req $what as x", &variables, Unbound::Refuse, &mut |_| {}).unwrap();
        assert_eq!(filled.text, "status_req with sqn 7 as x");
        assert_eq!(filled.origin(0..10), 0..10);
        assert_eq!(filled.origin(16..19), 11..16, "part of the value: the whole variable");
        assert_eq!(filled.origin(25..26), 20..21);
        assert_eq!(filled.origin(26..26), 21..21);
    }
}
