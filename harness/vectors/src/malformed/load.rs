//! Reading and checking vector files.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use mpchat_script::{ETK_WAYS, KEY_WAYS};

use super::text::{KINDS, USERS, VALUES, WORDS, is_hex};
use super::{
    Answer, Change, File, LoadError, Message, Offence, Payload, Phase, Piece, Reaction, Receiver, SCHEMA, Value, Vector,
};

/// Reads those of the files whose path is `malformed/<theme>.json` (or ends so); others are left alone. Vectors come in the
/// order of the files and, within one, of the file.
///
/// # Errors
/// The first offence: file, vector, place.
pub fn load<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Vec<Vector>, LoadError> {
    let mut vectors = Vec::new();
    for (path, text) in files {
        if let Some(theme) = theme_of(path) {
            vectors.extend(load_file(path, theme, text)?);
        }
    }
    Ok(vectors)
}

fn theme_of(path: &str) -> Option<&str> {
    let (folder, name) = path.rsplit_once('/')?;
    (folder == "malformed" || folder.ends_with("/malformed")).then_some(name.strip_suffix(".json")?)
}

fn load_file(path: &str, theme: &str, text: &str) -> Result<Vec<Vector>, LoadError> {
    let at = |place: &str, offence| LoadError { file: path.to_owned(), vector: None, path: place.to_owned(), offence };
    let json: Json = serde_json::from_str(text).map_err(|e| at("$", Offence::Json(e.to_string())))?;
    let file: File = serde_json::from_value(json.clone()).map_err(|error| {
        let (vector, place, message) = locate(&json, &error.to_string());
        LoadError { file: path.to_owned(), vector, path: place, offence: Offence::Shape(message) }
    })?;
    if file.schema != SCHEMA {
        return Err(at("$.schema", Offence::Schema(file.schema)));
    }
    if file.theme != theme {
        return Err(at("$.theme", Offence::Theme(file.theme)));
    }
    let mut names = BTreeSet::new();
    let mut vectors = file.vectors;
    for (n, vector) in vectors.iter_mut().enumerate() {
        theme.clone_into(&mut vector.theme);
        let unknown_flag = vector.flags.iter().find(|f| !file.flags.contains_key(*f)).cloned();
        let checked = if !names.insert(vector.name.clone()) {
            Err((".name".to_owned(), Offence::Duplicate))
        } else if let Some(flag) = unknown_flag {
            Err((".flags".to_owned(), Offence::Flag(flag)))
        } else {
            check(vector)
        };
        checked.map_err(|(place, offence)| LoadError {
            file: path.to_owned(),
            vector: Some(vector.name.clone()),
            path: format!("$.vectors[{n}]{place}"),
            offence,
        })?;
    }
    let unused = file.flags.keys().find(|flag| !vectors.iter().any(|v| v.flags.contains(flag)));
    match unused {
        Some(flag) => Err(at("$.flags", Offence::UnusedFlag(flag.clone()))),
        None => Ok(vectors),
    }
}

type Checked = Result<(), (String, Offence)>;

fn check(vector: &Vector) -> Checked {
    let named = !vector.name.is_empty() && vector.name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    ensure(named, ".name", || Offence::Name(vector.name.clone()))?;
    ensure(!vector.title.is_empty(), ".title", || Offence::Empty)?;
    ensure(!vector.why.is_empty(), ".why", || Offence::Empty)?;
    ensure(!vector.covers.is_empty(), ".covers", || Offence::Empty)?;
    ensure(!vector.send.is_empty(), ".send", || Offence::Empty)?;
    ensure(!vector.conforms.is_empty(), ".conforms", || Offence::Empty)?;
    let has_phase = match vector.phase {
        Phase::LoginStep2 | Phase::LoginStep3 | Phase::Inviting | Phase::Closing => vector.receiver == Receiver::Client,
        Phase::Connected | Phase::LoginStep1 | Phase::LoginStep4 | Phase::Outsider => {
            vector.receiver == Receiver::Server
        }
        _ => true,
    };
    ensure(has_phase, ".phase", || Offence::Reaction("a phase of the other receiver"))?;
    for (list, place) in [(&vector.roster, ".roster"), (&vector.hears_nothing, ".hears_nothing")] {
        for name in list {
            one_of(name, &[USERS], place, "a user")?;
        }
    }
    for (n, send) in vector.send.iter().enumerate() {
        match send {
            Piece::Bytes(hex) => {
                ensure(is_hex(hex) && !hex.is_empty(), &format!(".send[{n}].bytes"), || Offence::Hex(hex.clone()))?
            }
            Piece::Message(message) => {
                check_message(message).map_err(|(p, o)| (format!(".send[{n}].message{p}"), o))?
            }
        }
    }
    for (n, reaction) in vector.conforms.iter().enumerate() {
        check_reaction(vector, reaction).map_err(|(p, o)| (format!(".conforms[{n}]{p}"), o))?;
    }
    Ok(())
}

fn check_message(message: &Message) -> Checked {
    one_of(&message.kind, &[KINDS], ".type", "a type")?;
    if let Some(payload) = &message.payload {
        check_payload(payload)?;
    }
    if let Some(session) = &message.session {
        check_session(session)?;
    }
    if let Some(of) = &message.of {
        one_of(of, &[USERS, &["server", "stranger"]], ".of", "a user")?;
    }
    for (n, change) in message.changes.iter().enumerate() {
        let value = match change {
            Change::BeforeSealing { to, .. } | Change::AfterSealing { to, .. } => to,
            Change::Flip { .. } => continue,
        };
        let place = format!(".changes[{n}]");
        match value {
            Value::Hex(hex) => ensure(is_hex(hex), &place, || Offence::Hex(hex.clone()))?,
            Value::Word(word) => {
                let known = [VALUES, KEY_WAYS, ETK_WAYS, USERS, KINDS];
                one_of(word, &known, &place, "a user, a type, or a way to make a value")?
            }
            Value::Number(_) | Value::Text(_) => {}
        }
    }
    Ok(())
}

fn check_payload(payload: &Payload) -> Checked {
    match payload {
        Payload::Word(word) => one_of(word, &[WORDS], ".payload", "OK, Accept, Deny, Online, Offline"),
        Payload::Names(names) => {
            names.iter().try_for_each(|name| one_of(name, &[USERS, &["stranger"]], ".payload", "a user"))
        }
        Payload::Lines { of, .. } => ensure(!of.is_empty(), ".payload", || Offence::Empty),
        Payload::Error | Payload::Text(_) => Ok(()),
    }
}

fn check_session(session: &str) -> Checked {
    let sid = session.len() == 16 && is_hex(session);
    if sid {
        Ok(())
    } else {
        one_of(session, &[&["session", "none", "unknown"]], ".session", "session, none, unknown, a sid")
    }
}

fn check_reaction(vector: &Vector, reaction: &Reaction) -> Checked {
    let delivers = |send: &Piece| matches!(send, Piece::Message(m) if m.kind == "msg_req" && matches!(m.payload, Some(Payload::Text(_) | Payload::Lines { .. })));
    let in_session = vector.phase == Phase::InSession && vector.receiver == Receiver::Server;
    match reaction {
        Reaction::Answers(answers) => {
            ensure(!answers.is_empty(), ".answers", || Offence::Empty)?;
            answers
                .iter()
                .enumerate()
                .try_for_each(|(n, answer)| check_answer(answer).map_err(|(p, o)| (format!(".answers[{n}]{p}"), o)))
        }
        Reaction::Delivered => ensure(in_session && vector.send.iter().any(delivers), "", || {
            Offence::Reaction("only a msg_req with a text or lines in phase in-session can be delivered")
        }),
        Reaction::Refusal => ensure(vector.phase == Phase::Asked && vector.receiver == Receiver::Server, "", || {
            Offence::Reaction("only in phase asked is there a line to answer")
        }),
        Reaction::Closes | Reaction::Ignored => Ok(()),
    }
}

fn check_answer(answer: &Answer) -> Checked {
    one_of(&answer.kind, &[KINDS], ".type", "a type")?;
    check_payload(&answer.payload)?;
    if let Some(of) = &answer.of {
        one_of(of, &[USERS], ".of", "a user")?;
    }
    answer.session.as_deref().map_or(Ok(()), check_session)
}

fn one_of(word: &str, vocabularies: &[&[&str]], place: &str, what: &'static str) -> Checked {
    let known = vocabularies.iter().any(|words| words.contains(&word));
    ensure(known, place, || Offence::Word(word.to_owned(), what))
}

fn ensure(holds: bool, place: &str, offence: impl FnOnce() -> Offence) -> Checked {
    if holds { Ok(()) } else { Err((place.to_owned(), offence())) }
}

/// The deepest place of a file that does not have the shape of its type, and what serde says of it.
fn locate(json: &Json, message: &str) -> (Option<String>, String, String) {
    let vectors = json.get("vectors").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    for (n, vector) in vectors.iter().enumerate() {
        let Err(error) = serde_json::from_value::<Vector>(vector.clone()) else { continue };
        let name = vector.get("name").and_then(Json::as_str).map(str::to_owned);
        let mut found = (format!("$.vectors[{n}]"), error.to_string());
        for (list, probe) in [("send", fails::<Piece> as Probe), ("conforms", fails::<Reaction>)] {
            for (k, part) in vector.get(list).and_then(Json::as_array).into_iter().flatten().enumerate() {
                if let Some(message) = probe(part) {
                    found = (format!("$.vectors[{n}].{list}[{k}]"), message);
                    let changes = part.get("message").and_then(|m| m.get("changes")).and_then(Json::as_array);
                    for (c, change) in changes.into_iter().flatten().enumerate() {
                        if let Some(message) = fails::<Change>(change) {
                            found = (format!("$.vectors[{n}].{list}[{k}].message.changes[{c}]"), message);
                        }
                    }
                }
            }
        }
        return (name, found.0, found.1);
    }
    (None, "$".to_owned(), message.to_owned())
}

type Probe = fn(&Json) -> Option<String>;

fn fails<T: serde::de::DeserializeOwned>(json: &Json) -> Option<String> {
    serde_json::from_value::<T>(json.clone()).err().map(|e| e.to_string())
}
