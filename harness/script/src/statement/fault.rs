//! Changes to a frame: `with`, `after sealing`, `sealed`, `only`.

use crate::ast::{Fault, Field, Value};
use crate::error::{Flaw, Problem};
use crate::limits::TIMES;
use crate::near::near;

use super::cursor::{Cursor, Next, decimal, hex};
use super::{KINDS, mentioned};

/// The words for the parts of a frame.
const FIELDS: &[(&str, Field)] = &[
    ("ver", Field::Ver),
    ("typ", Field::Typ),
    ("len", Field::Len),
    ("sqn", Field::Sqn),
    ("sid", Field::Sid),
    ("uid", Field::Uid),
    ("payload", Field::Payload),
    ("etk", Field::Etk),
    ("key", Field::Key),
    ("epd", Field::Epd),
    ("mac", Field::Mac),
];

/// The words for ways to make a key, an etk or a mac: those that any of them can have, or a key alone.
pub const KEY_WAYS: &[&str] = &["random", "zero", "login", "s2c", "c2s"];

/// The words for ways to make an etk before sealing; `other-key` is one for a key, `short` and `long` for a mac too.
pub const ETK_WAYS: &[&str] = &[
    "short",
    "short-filled",
    "short-led",
    "long",
    "long-head",
    "long-tail",
    "other-key",
    "sha1",
    "mgf1-sha1",
    "pkcs1",
    "zero-led",
];

/// The words for ways to carry the cek of an envelope; `zero-led` is right, and both begin with a zero byte.
pub const ENVELOPE_WAYS: &[&str] = &["zero-led", "sha1", "mgf1-sha1", "pkcs1"];

/// Reads a fault.
pub(super) fn fault(cursor: &mut Cursor<'_>) -> Result<Fault, Flaw> {
    if cursor.take("with") {
        let field = field(cursor)?;
        let value = value(cursor, field, Moment::Before)?;
        return Ok(Fault::With(field, value));
    }
    if cursor.take("after") {
        cursor.expect("sealing", "`after sealing`")?;
        if cursor.take("flip") {
            let field = field(cursor)?;
            return Ok(Fault::Flip(field, flipped(cursor, field)?));
        }
        let field = field(cursor)?;
        let value = value(cursor, field, Moment::After)?;
        return Ok(Fault::After(field, value));
    }
    if cursor.take("sealed") {
        let expected = "`in`, `by`, `for`, `to`, `with` or `anew`";
        let (word, range) = cursor.word(expected)?;
        return match word {
            "in" => Ok(Fault::SealedIn(mentioned(cursor, "a session")?)),
            "by" => Ok(Fault::SealedBy(mentioned(cursor, "a user")?)),
            "for" => Ok(Fault::SealedFor(mentioned(cursor, "a user")?)),
            "to" => Ok(Fault::SealedTo(mentioned(cursor, "a user")?)),
            "anew" => Ok(Fault::SealedAnew),
            "with" => envelope_way(cursor),
            _ => {
                let problem = Problem::Unexpected { found: format!("`{word}`"), expected: expected.into() };
                Err(Flaw::at(range, problem))
            }
        };
    }
    cursor.expect("only", "a fault")?;
    let bytes = cursor.number(0, TIMES)?;
    cursor.expect("bytes", "`only N bytes`")?;
    Ok(Fault::Only(usize::try_from(bytes).unwrap_or_default()))
}

fn envelope_way(cursor: &mut Cursor<'_>) -> Result<Fault, Flaw> {
    let expected = format!("a way to carry the content key: {}", ENVELOPE_WAYS.join(", "));
    let (word, range) = cursor.word(&expected)?;
    if ENVELOPE_WAYS.contains(&word) {
        return Ok(Fault::SealedWith(word.to_owned()));
    }
    Err(Flaw::at(range, Problem::Unexpected { found: format!("`{word}`"), expected }))
}

fn field(cursor: &mut Cursor<'_>) -> Result<Field, Flaw> {
    let all = || FIELDS.iter().map(|(word, _)| *word);
    let expected = format!("a part of the frame: {}", all().collect::<Vec<_>>().join(", "));
    let (word, range) = cursor.word(&expected)?;
    match FIELDS.iter().find(|(known, _)| *known == word) {
        Some((_, field)) => Ok(*field),
        None => {
            let near = near(word, all());
            let expected = if near.is_empty() { expected } else { format!("did you mean {}?", near.join(", or ")) };
            Err(Flaw::at(range, Problem::Unexpected { found: format!("`{word}`"), expected }))
        }
    }
}

/// The byte to flip; `None` is the last.
fn flipped(cursor: &mut Cursor<'_>, field: Field) -> Result<Option<usize>, Flaw> {
    let (_, range) = cursor.peek();
    let last = match (field, last_byte(field)) {
        (_, Some(last)) => last,
        (Field::Mac, _) => 11,
        (Field::Etk, _) => 255,
        (Field::Epd, _) => 65_534,
        _ => {
            let allowed = "a part of the sealed frame: ver, typ, len, sqn, sid, uid, epd, mac, etk";
            return Err(Flaw::at(range, Problem::BadFieldValue { field: field.word(), allowed }));
        }
    };
    if cursor.take("last") {
        return Ok(None);
    }
    let (word, range) = cursor.word("the number of a byte, or `last`")?;
    let index = decimal(word).and_then(|index| usize::try_from(index).ok()).filter(|index| *index <= last);
    match index {
        Some(index) => Ok(Some(index)),
        None => Err(Flaw::at(range, Problem::BeyondField { field: field.word(), last })),
    }
}

/// The number of the last byte of a field of the header.
fn last_byte(field: Field) -> Option<usize> {
    match field {
        Field::Ver | Field::Typ | Field::Len | Field::Sqn => Some(1),
        Field::Sid | Field::Uid => Some(7),
        _ => None,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    Before,
    After,
}

/// Reads a value and looks whether the field can have it at that moment.
fn value(cursor: &mut Cursor<'_>, field: Field, moment: Moment) -> Result<Value, Flaw> {
    let allowed = allowed(field, moment);
    let (next, range) = cursor.peek();
    let value = match next {
        Next::Quote => {
            let (text, range) = cursor.string("a value")?;
            if field == Field::Payload {
                braces(&text).map_err(|problem| Flaw::at(range, problem))?;
            }
            Value::Text(text)
        }
        Next::Word(word) => {
            let value = word_value(word);
            cursor.take(word);
            value.ok_or_else(|| Flaw::at(range.clone(), Problem::BadFieldValue { field: field.word(), allowed }))?
        }
        Next::Bracket | Next::End => return Err(cursor.unexpected(allowed)),
    };
    if fits(field, moment, &value) {
        Ok(value)
    } else {
        Err(Flaw::at(range, Problem::BadFieldValue { field: field.word(), allowed }))
    }
}

fn word_value(word: &str) -> Option<Value> {
    if let Some(number) = decimal(word) {
        return Some(Value::Number(number));
    }
    if word.starts_with("0x") {
        return hex(word).map(Value::Hex);
    }
    if word == "last" {
        return Some(Value::Last(0));
    }
    if let Some(back) = word.strip_prefix("last-") {
        return decimal(back).filter(|back| *back <= TIMES).map(Value::Last);
    }
    if let Some(ahead) = word.strip_prefix("next+") {
        return decimal(ahead).filter(|ahead| *ahead <= TIMES).map(Value::Next);
    }
    if let Some(byte) = word.strip_prefix("flipped-") {
        return decimal(byte).and_then(|byte| usize::try_from(byte).ok()).map(Value::Flipped);
    }
    if KEY_WAYS.contains(&word) || ETK_WAYS.contains(&word) {
        return Some(Value::Way(word.to_owned()));
    }
    if let Some(kind) = KINDS.iter().find(|kind| kind.word() == word) {
        return Some(Value::Kind(*kind));
    }
    crate::names::is_name(word).then(|| Value::Name(word.to_owned()))
}

fn fits(field: Field, moment: Moment, value: &Value) -> bool {
    let sixteen_bits = matches!(value, Value::Number(0..=0xffff)) || matches!(value, Value::Hex(b) if b.len() == 2);
    let sixty_four_bits = matches!(value, Value::Number(_)) || matches!(value, Value::Hex(b) if b.len() == 8);
    let way = |ways: &[&str]| matches!(value, Value::Way(way) if ways.contains(&way.as_str()));
    let before = moment == Moment::Before;
    if let Value::Flipped(byte) = value {
        return before && last_byte(field).is_some_and(|last| *byte <= last);
    }
    match field {
        Field::Ver | Field::Len => sixteen_bits,
        Field::Typ => sixteen_bits || matches!(value, Value::Kind(_)),
        Field::Sqn => sixteen_bits || matches!(value, Value::Last(_) | Value::Next(_)),
        Field::Sid => {
            let named = |name: &str| matches!(name, "none" | "unknown") || !crate::names::is_reserved(name);
            sixty_four_bits || matches!(value, Value::Name(name) if named(name))
        }
        Field::Uid => {
            let named = |name: &str| name == "server" || !crate::names::is_reserved(name);
            sixty_four_bits || matches!(value, Value::Name(name) if named(name))
        }
        Field::Payload => before && matches!(value, Value::Text(_) | Value::Hex(_)),
        Field::Etk => matches!(value, Value::Hex(_)) || way(&["random", "zero"]) || (before && way(ETK_WAYS)),
        Field::Key => before && way(&["random", "zero", "login", "s2c", "c2s", "other-key"]),
        Field::Epd => !before && (matches!(value, Value::Hex(_)) || way(&["random", "zero"])),
        Field::Mac => !before && (matches!(value, Value::Hex(_)) || way(&["random", "zero", "short", "long"])),
    }
}

fn allowed(field: Field, moment: Moment) -> &'static str {
    match (field, moment) {
        (Field::Ver | Field::Len, Moment::Before) => "a number up to 65535, 0x and 4 digits, or `flipped-0` or `-1`",
        (Field::Ver | Field::Len, _) => "a number up to 65535, or 0x and 4 digits",
        (Field::Typ, Moment::Before) => "a type word, a number up to 65535, 0x and 4 digits, or `flipped-0` or `-1`",
        (Field::Typ, _) => "a type word, a number up to 65535, or 0x and 4 digits",
        (Field::Sqn, Moment::Before) => {
            "a number up to 65535, 0x and 4 digits, `last`, `last-N`, `next+N`, or `flipped-0` or `-1`"
        }
        (Field::Sqn, _) => "a number up to 65535, 0x and 4 digits, `last`, `last-N` or `next+N`",
        (Field::Sid, Moment::Before) => {
            "a session, `none`, `unknown`, a number, 0x and 16 digits, or `flipped-0` to `-7`"
        }
        (Field::Sid, _) => "a session, `none`, `unknown`, a number, or 0x and 16 digits",
        (Field::Uid, Moment::Before) => "a user, `server`, a number, 0x and 16 digits, or `flipped-0` to `-7`",
        (Field::Uid, _) => "a user, `server`, a number, or 0x and 16 digits",
        (Field::Payload, Moment::Before) => "a string or 0x and pairs of hexadecimal digits",
        (Field::Etk, Moment::Before) => {
            "0x and pairs of digits, random, zero, short, short-filled, short-led, long, long-head, long-tail, other-key, \
             sha1, mgf1-sha1, pkcs1 or zero-led"
        }
        (Field::Etk, Moment::After) => "0x and pairs of hexadecimal digits, random or zero",
        (Field::Key, Moment::Before) => "random, zero, login, s2c, c2s or other-key",
        (Field::Epd, Moment::After) => "0x and pairs of hexadecimal digits, random or zero",
        (Field::Mac, Moment::After) => "0x and pairs of hexadecimal digits, random, zero, short or long",
        (Field::Payload | Field::Key, Moment::After) => "nothing: it is no part of the sealed frame, write `with`",
        (Field::Epd | Field::Mac, Moment::Before) => "nothing: sealing makes it, write `after sealing`",
    }
}

/// `{envelope}` in a payload is no user, but an envelope that a client under test could open; `{flipped}` is the same with
/// the last byte changed.
const ENVELOPES: [&str; 2] = ["envelope", "flipped"];

/// The users in braces of a payload, `bob` of `{bob}`, `{BOB}` and `{bob:15}`, and the digits that are meant, if not all.
#[must_use]
pub fn in_braces(text: &str) -> Vec<(String, Option<usize>)> {
    let names = text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).map(split_digits);
    let names = names.map(|(name, digits)| (name.to_ascii_lowercase(), digits));
    names.filter(|(name, _)| !ENVELOPES.contains(&name.as_str())).collect()
}

/// The name of `{bob:15}`, and how many digits of the uid text are meant: its last ones, never all of them.
#[must_use]
pub fn split_digits(name: &str) -> (&str, Option<usize>) {
    let digits = |digits: &str| digits.parse().ok().filter(|digits| (1..=15).contains(digits));
    match name.split_once(':') {
        Some((name, count)) if digits(count).is_some() => (name, digits(count)),
        _ => (name, None),
    }
}

/// Each brace belongs to `{bob}`, `{BOB}` or `{bob:15}`.
fn braces(text: &str) -> Result<(), Problem> {
    for rest in text.split('{').skip(1) {
        let named = rest.split_once('}').is_some_and(|(name, _)| {
            let (name, _) = split_digits(name);
            crate::names::is_name(&name.to_ascii_lowercase())
                && (name == name.to_ascii_lowercase() || name == name.to_ascii_uppercase())
        });
        if !named {
            return Err(Problem::BadString("a brace stands for a uid: `{bob}`, `{BOB}` or `{bob:15}`".into()));
        }
    }
    Ok(())
}
