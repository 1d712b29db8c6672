//! One line of a diagram that is no block: a frame, an ending or a note.

mod cursor;
mod fault;
mod frame;
mod note;

use std::ops::Range;

use crate::ast::{Ending, EndingKind, Item, Kind, Line};
use crate::error::{Flaw, Problem};
use crate::limits::Budget;
use crate::names::{MERMAID, is_name, is_reserved};

pub(crate) use cursor::{Cursor, Next};
pub use fault::{ENVELOPE_WAYS, ETK_WAYS, KEY_WAYS, in_braces, split_digits};
pub(crate) use note::VOCABULARY;

/// All type words.
pub(crate) const KINDS: &[Kind] = &[
    Kind::InitReq,
    Kind::InitRes,
    Kind::CloseReq,
    Kind::CloseRes,
    Kind::MsgReq,
    Kind::MsgRes,
    Kind::InviteReq,
    Kind::InviteRes,
    Kind::StatusReq,
    Kind::StatusRes,
    Kind::LoginReq,
    Kind::LoginRes,
];

/// Reads a statement; `number` is its line in the file, `text` has all variables filled in.
pub(crate) fn statement(number: usize, text: &str, budget: &mut Budget) -> Result<Item, Flaw> {
    let start = text.len() - text.trim_start().len();
    let trimmed = text.trim();
    let line = |rules_start: usize, rules| Line { number, text: text[start..rules_start].trim_end().to_owned(), rules };
    if let Some(rest) = trimmed.strip_prefix("Note over ") {
        let at = start + "Note over ".len();
        let (over, after) = lifeline(rest, at, ":")?;
        let mut cursor = body(text, after)?;
        let what = note::note(&mut cursor, &over)?;
        let (rules_start, rules) = ending_rules(&mut cursor)?;
        return Ok(Item::Note(crate::ast::Note { line: line(rules_start, rules), over, what }));
    }
    let first = trimmed.split([' ', ':', '-']).next().unwrap_or_default();
    if first == "Note" || (MERMAID.contains(&first) && arrow(trimmed).is_none_or(|(at, _)| at > first.len())) {
        return Err(Flaw::at(start..start + first.len(), Problem::OutsideSubset(first.to_owned())));
    }
    let Some((arrow_at, arrow)) = arrow(trimmed) else {
        return Err(Flaw::at(start..start + trimmed.len(), Problem::NoStatement));
    };
    let (from, _) = lifeline(&trimmed[..arrow_at], start, "")?;
    let to_at = start + arrow_at + arrow.len();
    let (to, after) = lifeline(&text[to_at..], to_at, ":")?;
    one_is_server(&from, &to, start..after)?;
    let mut cursor = body(text, after)?;
    if arrow == "--x" {
        let expected = "`closes`, `half-closes` or `resets`";
        let (word, range) = cursor.word(expected)?;
        let how = match word {
            "closes" => EndingKind::Closes,
            "half-closes" => EndingKind::HalfCloses,
            "resets" => EndingKind::Resets,
            _ => {
                let problem = Problem::Unexpected { found: format!("`{word}`"), expected: expected.into() };
                return Err(Flaw::at(range, problem));
            }
        };
        let (rules_start, rules) = ending_rules(&mut cursor)?;
        return Ok(Item::Ending(Ending { line: line(rules_start, rules), from, to, how }));
    }
    let faulty = arrow == "-x";
    let (what, keep_as) = frame::content(&mut cursor, faulty, from == "server", budget)?;
    let (rules_start, rules) = ending_rules(&mut cursor)?;
    Ok(Item::Frame(crate::ast::Frame { line: line(rules_start, rules), from, to, faulty, what, keep_as }))
}

/// The arrow of a frame or an ending, and where it is: before the first colon.
fn arrow(text: &str) -> Option<(usize, &'static str)> {
    let head = &text[..text.find(':').unwrap_or(text.len())];
    // `--x` before `-x`, which is its end.
    ["->>", "--x", "-x"]
        .into_iter()
        .filter_map(|arrow| head.find(arrow).map(|at| (at, arrow)))
        .min_by_key(|(at, _)| *at)
}

/// A name at the start of `text`, which stands at byte `at` of the line; `until` ends it. Returns where the rest begins.
fn lifeline(text: &str, at: usize, until: &str) -> Result<(String, usize), Flaw> {
    let length = match until {
        "" => text.len(),
        _ => match text.find(until) {
            Some(length) => length,
            None => {
                let range = at..at + text.trim_end().len();
                return Err(Flaw::at(range, Problem::NoStatement));
            }
        },
    };
    let word = &text[..length];
    let range = at..at + length.max(1).min(text.len());
    if !is_name(word) {
        return Err(Flaw::at(range, Problem::BadName(word.to_owned())));
    }
    if word != "server" && is_reserved(word) {
        return Err(Flaw::at(range, Problem::ReservedName(word.to_owned())));
    }
    Ok((word.to_owned(), at + length))
}

/// The text after `: `, where `colon` is the byte of the colon.
fn body(text: &str, colon: usize) -> Result<Cursor<'_>, Flaw> {
    let after = colon + 1;
    if text[after..].starts_with(' ') {
        return Ok(Cursor::new(text, after + 1));
    }
    let expected = "a space and what happens";
    Err(Cursor::new(text, after).unexpected(expected))
}

fn one_is_server(from: &str, to: &str, range: Range<usize>) -> Result<(), Flaw> {
    match (from, to) {
        ("server", "server") => Err(Flaw::at(range, Problem::ServerToItself)),
        ("server", _) | (_, "server") => Ok(()),
        _ => Err(Flaw::at(range, Problem::WithoutServer(from.to_owned(), to.to_owned()))),
    }
}

/// `[MSG-03, INIT-07]` or nothing, then the end of the line. Returns where the rules begin.
fn ending_rules(cursor: &mut Cursor<'_>) -> Result<(usize, Vec<mpchat_model::RuleId>), Flaw> {
    let (rest, start) = cursor.rest();
    match cursor.peek().0 {
        Next::End => return Ok((start, Vec::new())),
        Next::Bracket => {}
        _ => return Err(cursor.unexpected("the end of the line, or rules in brackets: [MSG-03, INIT-07]")),
    }
    let rest = rest.trim_end();
    let Some(inner) = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
        let problem = Problem::Unexpected {
            found: "text".into(),
            expected: "rules in brackets at the end of the line: [MSG-03, INIT-07]".into(),
        };
        return Err(Flaw::at(start..start + rest.len(), problem));
    };
    let mut rules: Vec<mpchat_model::RuleId> = Vec::new();
    let mut at = start + 1;
    for word in inner.split(", ") {
        let range = at..at + word.len();
        let rule = word.parse().map_err(|_| Flaw::at(range, Problem::NotARule(word.to_owned())))?;
        // A variable may stand for a rule that is there already.
        if !rules.contains(&rule) {
            rules.push(rule);
        }
        at += word.len() + 2;
    }
    Ok((start, rules))
}

/// A name that the line mentions: a user, a session, kept bytes.
fn mentioned(cursor: &mut Cursor<'_>, expected: &str) -> Result<String, Flaw> {
    let (word, range) = cursor.word(expected)?;
    if !is_name(word) {
        return Err(Flaw::at(range, Problem::BadName(word.to_owned())));
    }
    if is_reserved(word) {
        return Err(Flaw::at(range, Problem::ReservedName(word.to_owned())));
    }
    Ok(word.to_owned())
}
