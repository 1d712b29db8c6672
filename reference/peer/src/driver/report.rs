//! An event becomes a line.

use std::fmt::Display;

use mpchat_proto::client::{End, Event, Refusal};
use mpchat_proto::payload::{Presence, Response};
use serde::Serialize;

/// An event as it is written, fields in the order of `docs/driver.md`.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Report<'e> {
    Online,
    Invited {
        sid: String,
        from: String,
    },
    Init {
        sid: String,
        #[serde(flatten)]
        outcome: Outcome<'e>,
    },
    Message {
        sid: String,
        from: String,
        text: &'e str,
    },
    Sent {
        sid: String,
        #[serde(flatten)]
        outcome: Outcome<'e>,
    },
    Close {
        sid: String,
        #[serde(flatten)]
        outcome: Outcome<'e>,
    },
    Closed {
        sid: String,
        by: String,
    },
    Status {
        sid: String,
        state: &'static str,
        members: Vec<Member>,
    },
    Refused {
        r#do: &'e str,
        error: String,
    },
    Disconnected {
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
}

#[derive(Serialize)]
struct Outcome<'e> {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'e str>,
}

#[derive(Serialize)]
struct Member {
    uid: String,
    state: &'static str,
}

/// The line of an event, its LF included.
pub(super) fn line(event: &Event) -> Vec<u8> {
    // Strings, booleans and lists of them always have a JSON text.
    let mut line = serde_json::to_vec(&report(event)).expect("nothing in a report can fail");
    line.push(b'\n');
    line
}

fn report(event: &Event) -> Report<'_> {
    match event {
        Event::Online => Report::Online,
        Event::Invited { sid, from } => Report::Invited { sid: text(sid), from: text(from) },
        Event::Init { sid, result } => Report::Init { sid: text(sid), outcome: result.into() },
        Event::Message { sid, from, text: said } => Report::Message { sid: text(sid), from: text(from), text: said },
        Event::Sent { sid, result } => Report::Sent { sid: text(sid), outcome: result.into() },
        Event::Close { sid, result } => Report::Close { sid: text(sid), outcome: result.into() },
        Event::Closed { sid, by } => Report::Closed { sid: text(sid), by: text(by) },
        Event::Status { sid, state, members } => {
            let member = |(uid, state): &(_, _)| Member { uid: text(uid), state: presence(*state) };
            Report::Status { sid: text(sid), state: presence(*state), members: members.iter().map(member).collect() }
        }
        Event::Refused { error: Refusal::Unfit { name, why }, .. } => Report::Refused { r#do: name, error: text(why) },
        Event::Refused { command, error } => Report::Refused { r#do: command, error: text(error) },
        Event::Disconnected { end, .. } => Report::Disconnected { error: (*end != End::Left).then(|| text(end)) },
    }
}

fn text(what: &impl Display) -> String {
    what.to_string()
}

fn presence(state: Presence) -> &'static str {
    state.as_str()
}

impl<'e> From<&'e Response> for Outcome<'e> {
    fn from(result: &'e Response) -> Self {
        match result {
            Response::Ok => Self { ok: true, error: None },
            Response::Error(text) => Self { ok: false, error: Some(text) },
        }
    }
}
