//! Reading the words of a line from left to right.

use std::ops::Range;

use crate::error::{Flaw, Problem};

/// A place in a line.
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

/// What stands at a place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next<'a> {
    /// A word, up to the next space.
    Word(&'a str),
    /// A string begins.
    Quote,
    /// The rules begin.
    Bracket,
    /// The line is over.
    End,
}

impl<'a> Cursor<'a> {
    /// A cursor at byte `at` of `text`.
    pub(crate) fn new(text: &'a str, at: usize) -> Self {
        Self { text, at }
    }

    /// What comes next, and where.
    pub(crate) fn peek(&self) -> (Next<'a>, Range<usize>) {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start_matches(' ');
        let start = self.at + rest.len() - trimmed.len();
        match trimmed.as_bytes().first() {
            None => (Next::End, start..start),
            Some(b'"') => (Next::Quote, start..start + 1),
            Some(b'[') => (Next::Bracket, start..start + 1),
            Some(_) => {
                let length = trimmed.find(' ').unwrap_or(trimmed.len());
                (Next::Word(&trimmed[..length]), start..start + length)
            }
        }
    }

    /// Takes a word, whatever it is.
    pub(crate) fn word(&mut self, expected: &str) -> Result<(&'a str, Range<usize>), Flaw> {
        match self.peek() {
            (Next::Word(word), range) => {
                self.at = range.end;
                Ok((word, range))
            }
            _ => Err(self.unexpected(expected)),
        }
    }

    /// Takes this word if it is next.
    pub(crate) fn take(&mut self, word: &str) -> bool {
        let (next, range) = self.peek();
        let found = next == Next::Word(word);
        if found {
            self.at = range.end;
        }
        found
    }

    /// Takes this word or says that it was expected.
    pub(crate) fn expect(&mut self, word: &str, expected: &str) -> Result<(), Flaw> {
        if self.take(word) { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    /// Takes a JSON string, decoded.
    pub(crate) fn string(&mut self, expected: &str) -> Result<(String, Range<usize>), Flaw> {
        let (Next::Quote, range) = self.peek() else { return Err(self.unexpected(expected)) };
        let start = range.start;
        let mut escaped = false;
        let mut end = None;
        for (offset, byte) in self.text.bytes().enumerate().skip(start + 1) {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    end = Some(offset + 1);
                    break;
                }
                _ => {}
            }
        }
        let Some(end) = end else {
            return Err(Flaw::at(start..self.text.len(), Problem::BadString("its closing quote is missing".into())));
        };
        let range = start..end;
        let decoded = serde_json::from_str::<String>(&self.text[range.clone()]).map_err(|error| {
            let text = error.to_string();
            let text = text.split(" at line ").next().unwrap_or_default().to_owned();
            Flaw::at(range.clone(), Problem::BadString(text))
        })?;
        let spaced = self.text[end..].starts_with(' ') || end == self.text.len();
        if !spaced {
            return Err(Flaw::at(end..end + 1, Problem::BadString("a space has to follow it".into())));
        }
        self.at = end;
        Ok((decoded, range))
    }

    /// Takes a decimal number from `from` to `to`.
    pub(crate) fn number(&mut self, from: u64, to: u64) -> Result<u64, Flaw> {
        let (word, range) = self.word("a number")?;
        decimal(word)
            .filter(|number| (from..=to).contains(number))
            .ok_or_else(|| Flaw::at(range, Problem::OutOfRange { from, to }))
    }

    /// What stands here, although something else was expected.
    pub(crate) fn unexpected(&self, expected: &str) -> Flaw {
        let (next, range) = self.peek();
        let found = match next {
            Next::Word(word) => format!("`{word}`"),
            Next::Quote => "string".to_owned(),
            Next::Bracket => "`[`".to_owned(),
            Next::End => "end of the line".to_owned(),
        };
        Flaw::at(range, Problem::Unexpected { found, expected: expected.to_owned() })
    }

    /// The rest of the line from here on, and where it begins.
    pub(crate) fn rest(&self) -> (&'a str, usize) {
        let (_, range) = self.peek();
        (&self.text[range.start..], range.start)
    }
}

/// A decimal number without superfluous zeros.
pub(crate) fn decimal(word: &str) -> Option<u64> {
    let plain = word == "0" || !word.starts_with('0');
    let digits = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    if plain && digits { word.parse().ok() } else { None }
}

/// `0x` and pairs of hexadecimal digits.
pub(crate) fn hex(word: &str) -> Option<Vec<u8>> {
    let digits = word.strip_prefix("0x")?;
    let small = digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if small && !digits.is_empty() { hex::decode(digits).ok() } else { None }
}
