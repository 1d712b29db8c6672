//! What follows the colon of a frame line.

use std::ops::Range;

use crate::ast::{Delivery, Fault, Kind, Message, Payload, SessionRef, What};
use crate::error::{Flaw, Problem};
use crate::limits::{Budget, TIMES};
use crate::near::near;

use super::cursor::{Cursor, Next, hex};
use super::{KINDS, fault, mentioned};

/// Reads a frame's content and the name under which its bytes are kept.
pub(super) fn content(
    cursor: &mut Cursor<'_>,
    faulty: bool,
    from_server: bool,
    budget: &mut Budget,
) -> Result<(What, Option<String>), Flaw> {
    let (next, range) = cursor.peek();
    if next == Next::Word("bytes") {
        if !faulty {
            return Err(Flaw::at(range, Problem::FaultOnHonest("bytes".into())));
        }
        cursor.take("bytes");
        return Ok((bytes(cursor)?, None));
    }
    let (word, range) = cursor.word("a type, such as `msg_req`")?;
    let Some(kind) = KINDS.iter().copied().find(|kind| kind.word() == word) else {
        let near = near(word, KINDS.iter().map(|kind| kind.word()));
        return Err(Flaw::at(range, Problem::UnknownKind { word: word.to_owned(), near }));
    };
    let payload = payload(cursor, kind, budget)?;
    let mut message = Message { kind, payload, session: None, of: None, about: None, faults: vec![], delivery: vec![] };
    while modifier(cursor, &mut message, faulty, from_server)? {}
    let keep_as = if cursor.take("as") { Some(mentioned(cursor, "a name for the bytes")?) } else { None };
    Ok((What::Message(message), keep_as))
}

/// `bytes of NAME`, `bytes 0x…`.
fn bytes(cursor: &mut Cursor<'_>) -> Result<What, Flaw> {
    if cursor.take("of") {
        return Ok(What::BytesOf(mentioned(cursor, "the name of kept bytes")?));
    }
    let expected = "`of NAME`, or `0x` and pairs of hexadecimal digits";
    let (word, range) = cursor.word(expected)?;
    hex(word).map(What::Bytes).ok_or_else(|| {
        Flaw::at(range, Problem::Unexpected { found: format!("`{word}`"), expected: expected.to_owned() })
    })
}

/// The payload, where one is written.
fn payload(cursor: &mut Cursor<'_>, kind: Kind, budget: &mut Budget) -> Result<Option<Payload>, Flaw> {
    let (next, range) = cursor.peek();
    match next {
        Next::Quote if kind == Kind::MsgReq => text(cursor, budget).map(Some),
        Next::Quote => Err(other(range, "a text", kind)),
        Next::Word("lines") if kind == Kind::MsgReq => lines(cursor, budget).map(Some),
        Next::Word("nobody") if kind == Kind::InitReq => {
            cursor.take("nobody");
            Ok(Some(Payload::Nobody))
        }
        Next::Word(word) if is_modifier(word) => Ok(None),
        Next::Word(_) if kind == Kind::InitReq => {
            // `server` is no name of a user, yet somebody may invite it.
            let mut names = Vec::new();
            while let Next::Word(word) = cursor.peek().0 {
                if is_modifier(word) {
                    break;
                }
                let name = if cursor.take("server") { "server".to_owned() } else { mentioned(cursor, "a name")? };
                names.push(name);
            }
            Ok(Some(Payload::Names(names)))
        }
        Next::Word(word) => {
            if !words(kind).contains(&word) {
                return Err(other(range, word, kind));
            }
            cursor.take(word);
            Ok(Some(if word == "error" { Payload::Error } else { Payload::Word(word.to_owned()) }))
        }
        Next::Bracket | Next::End => Ok(None),
    }
}

/// The payload words of a type.
fn words(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::InitRes | Kind::CloseRes | Kind::MsgRes => &["OK", "error"],
        Kind::InviteRes => &["Accept", "Deny"],
        Kind::StatusRes | Kind::LoginRes => &["Online", "Offline"],
        _ => &[],
    }
}

fn other(range: Range<usize>, word: &str, kind: Kind) -> Flaw {
    let allowed = match kind {
        Kind::InitReq => "`nobody` or names",
        Kind::InitRes | Kind::CloseRes | Kind::MsgRes => "`OK` or `error`; anything else by `with payload`",
        Kind::InviteRes => "`Accept` or `Deny`; anything else by `with payload`",
        Kind::StatusRes | Kind::LoginRes => "`Online` or `Offline`; anything else by `with payload`",
        Kind::MsgReq => "a text in quotes, or `lines` and texts in quotes",
        _ => "none: its payload is empty; anything else by `with payload`",
    };
    Flaw::at(range, Problem::PayloadOfOther { word: word.to_owned(), kind: kind.word(), allowed })
}

/// `"x"`, `"x" times 100`.
fn text(cursor: &mut Cursor<'_>, budget: &mut Budget) -> Result<Payload, Flaw> {
    let (text, range) = cursor.string("a text")?;
    let times = times(cursor)?;
    let bytes = text.len().saturating_mul(times);
    budget.bytes(bytes).map_err(|flaw| Flaw { range: Some(range), ..flaw })?;
    Ok(Payload::Text(text.repeat(times)))
}

/// `lines "a" "b"`, `lines "x" times 122`.
fn lines(cursor: &mut Cursor<'_>, budget: &mut Budget) -> Result<Payload, Flaw> {
    cursor.take("lines");
    let (first, range) = cursor.string("a line in quotes")?;
    let mut lines = vec![first];
    while cursor.peek().0 == Next::Quote {
        lines.push(cursor.string("a line in quotes")?.0);
    }
    let times = times(cursor)?;
    let bytes: usize = lines.iter().map(|line| line.len() + size_of::<String>()).sum();
    budget.bytes(bytes.saturating_mul(times)).map_err(|flaw| Flaw { range: Some(range), ..flaw })?;
    let count = lines.len().saturating_mul(times);
    Ok(Payload::Lines(lines.into_iter().cycle().take(count).collect()))
}

fn times(cursor: &mut Cursor<'_>) -> Result<usize, Flaw> {
    if !cursor.take("times") {
        return Ok(1);
    }
    let times = cursor.number(1, TIMES)?;
    Ok(usize::try_from(times).unwrap_or(1))
}

/// The words that end a payload.
fn is_modifier(word: &str) -> bool {
    ["in", "of", "to", "split", "byte", "joined", "held", "with", "after", "sealed", "only", "as"].contains(&word)
}

/// Reads one context, delivery or fault; false if there is none.
fn modifier(cursor: &mut Cursor<'_>, message: &mut Message, faulty: bool, from_server: bool) -> Result<bool, Flaw> {
    let (Next::Word(word), range) = cursor.peek() else { return Ok(false) };
    let twice =
        |flag: bool| if flag { Err(Flaw::at(range.clone(), Problem::Repeated(word.to_owned()))) } else { Ok(()) };
    match word {
        "in" => {
            twice(message.session.is_some())?;
            cursor.take("in");
            message.session = Some(session(cursor)?);
        }
        "of" => {
            twice(message.of.is_some())?;
            if !from_server {
                return Err(Flaw::at(range, Problem::OnlyFromServer("`of`")));
            }
            cursor.take("of");
            let server = cursor.take("server");
            message.of = Some(if server { "server".to_owned() } else { mentioned(cursor, "a user")? });
        }
        "to" => {
            twice(message.about.is_some())?;
            if message.kind != Kind::MsgRes {
                return Err(Flaw::at(range, Problem::OnlyInMsgRes));
            }
            cursor.take("to");
            message.about = Some(cursor.string("the text that is answered")?.0);
        }
        "split" | "byte" | "held" => {
            let pieces = |d: &Delivery| !matches!(d, Delivery::Joined);
            twice(message.delivery.iter().any(pieces))?;
            cursor.take(word);
            message.delivery.push(if word == "byte" {
                cursor.expect("by", "`byte by byte`")?;
                cursor.expect("byte", "`byte by byte`")?;
                Delivery::ByteByByte
            } else {
                cursor.expect("at", "`at` and a number of bytes")?;
                let at = usize::try_from(cursor.number(1, TIMES)?).unwrap_or(1);
                if word == "split" { Delivery::SplitAt(at) } else { Delivery::HeldAt(at) }
            });
        }
        "joined" => {
            twice(message.delivery.iter().any(|d| matches!(d, Delivery::Joined | Delivery::HeldAt(_))))?;
            cursor.take("joined");
            message.delivery.push(Delivery::Joined);
        }
        "with" | "after" | "sealed" | "only" if !faulty => {
            return Err(Flaw::at(range, Problem::FaultOnHonest(word.to_owned())));
        }
        "with" | "after" | "sealed" | "only" => {
            let fault = fault::fault(cursor)?;
            twice(message.faults.iter().any(|known| same_place(known, &fault)))?;
            message.faults.push(fault);
        }
        "as" => return Ok(false),
        _ => {
            return Err(cursor.unexpected(
                "`in`, `of`, `to`, `with`, `after sealing`, `sealed`, `only`, `split at`, `held at`, `byte by byte`, `joined`, `as`, \
                 rules in brackets or the end of the line",
            ));
        }
    }
    Ok(true)
}

/// Whether two faults change the same thing, so that the later one hides the earlier.
fn same_place(a: &Fault, b: &Fault) -> bool {
    match (a, b) {
        (Fault::With(a, _), Fault::With(b, _)) | (Fault::After(a, _), Fault::After(b, _)) => a == b,
        (Fault::Flip(a, i), Fault::Flip(b, j)) => a == b && i == j,
        _ => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}

/// What follows `in`.
fn session(cursor: &mut Cursor<'_>) -> Result<SessionRef, Flaw> {
    let expected = "a session, `none`, `unknown`, or a sid of 16 hexadecimal digits";
    let (next, _) = cursor.peek();
    let Next::Word(word) = next else { return Err(cursor.unexpected(expected)) };
    let digits = word.len() == 16 && word.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    match word {
        "none" => {
            cursor.take(word);
            Ok(SessionRef::None)
        }
        "unknown" => {
            cursor.take(word);
            Ok(SessionRef::Unknown)
        }
        _ if digits => match u64::from_str_radix(word, 16) {
            Ok(sid) => {
                cursor.take(word);
                Ok(SessionRef::Sid(sid))
            }
            Err(_) => Err(cursor.unexpected(expected)),
        },
        _ => Ok(SessionRef::Named(mentioned(cursor, expected)?)),
    }
}
