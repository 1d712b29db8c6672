//! A text identifies one message: a client sends it once, and only then can others speak of it.

use std::collections::BTreeMap;

use crate::ast::{Front, Item, Kind, Message, NoteKind, Payload, What};
use crate::error::Problem;
use crate::near::near;

use super::path::{self, Path, exclusive};
use super::{Offence, line};

pub(super) fn check(front: &Front, body: &[Item]) -> Result<(), Offence> {
    let mut sent: BTreeMap<&str, Vec<Path>> = BTreeMap::new();
    path::walk(body, &mut |path, item| {
        let (Some(message), Some(line)) = (from_client(item), line(item)) else { return Ok(()) };
        match &message.payload {
            Some(Payload::Text(text)) => {
                let earlier = sent.entry(text).or_default();
                // The client under test may be told to say the same thing again: its user's text, in an envelope of its own.
                let by_subject = front.clients.as_ref().is_some_and(|clients| {
                    clients.iter().any(|name| matches!(item, Item::Frame(frame) if frame.from == *name))
                });
                if !by_subject && !earlier.iter().all(|other| exclusive(path, other)) {
                    return Err(Offence::new(line, shown(text), Problem::TextTwice(shown(text))));
                }
                earlier.push(path.clone());
            }
            // Opaque lines are no envelopes, so the same ones may come again.
            Some(Payload::Lines(lines)) => {
                for text in lines {
                    sent.entry(text).or_default();
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    path::walk(body, &mut |_, item| {
        let Some(line) = line(item) else { return Ok(()) };
        for text in spoken_of(item) {
            if !sent.contains_key(text) {
                let near = near(text, sent.keys().copied()).into_iter().map(|text| shown(&text)).collect();
                let problem = Problem::UnknownText { text: shown(text), near };
                return Err(Offence::new(line, shown(text), problem));
            }
        }
        Ok(())
    })
}

/// A msg_req of a client.
fn from_client(item: &Item) -> Option<&Message> {
    let Item::Frame(frame) = item else { return None };
    let What::Message(message) = &frame.what else { return None };
    (frame.from != "server" && message.kind == Kind::MsgReq).then_some(message)
}

/// The texts that a statement expects somebody to have sent.
fn spoken_of(item: &Item) -> Vec<&str> {
    match item {
        Item::Frame(frame) => {
            let What::Message(message) = &frame.what else { return Vec::new() };
            let about = message.about.iter().map(String::as_str);
            match &message.payload {
                Some(Payload::Text(text)) if frame.from == "server" && !frame.faulty => {
                    about.chain(std::iter::once(text.as_str())).collect()
                }
                _ => about.collect(),
            }
        }
        Item::Note(note) => match &note.what {
            NoteKind::Shows(text) => vec![text],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// A text as a line has it, cut to a length that can be shown.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    let written = crate::print::string(&short);
    if short.len() < text.len() { format!("{written}…") } else { written }
}
