//! Users and sessions that lines and front matter mention have to be there.

use std::collections::BTreeSet;

use crate::ast::{
    Cast, Fault, Field, Frame, Front, Item, Kind, Line, Message, NoteKind, Scenario, SessionRef, Value, What,
};
use crate::error::Problem;
use crate::near::near;
use crate::views::{DEFAULT_SESSION, doing, names, pointed_at, sessions_of, walk};

use super::Offence;

/// Users of every kit, at whom a line may point although they do nothing.
const ALWAYS: &[&str] = &["alice", "bob", "carol", "dave"];

/// What an expansion knows.
struct Known<'a> {
    front: &'a Front,
    /// Those that do something, and those of rosters and init_reqs.
    names: BTreeSet<String>,
    sessions: Vec<String>,
}

pub(super) fn check(front: &Front, body: &[Item]) -> Result<(), Offence> {
    let known = Known { front, names: doing(front, body), sessions: sessions_of(front, body) };
    let mut result = Ok(());
    walk(body, &mut |item| {
        if result.is_ok() {
            result = statement(&known, item);
        }
    });
    result
}

fn statement(known: &Known<'_>, item: &Item) -> Result<(), Offence> {
    match item {
        Item::Frame(frame) => match &frame.what {
            What::Message(message) => known.message(frame, message),
            What::Bytes(_) | What::BytesOf(_) => Ok(()),
        },
        Item::Note(note) => match &note.what {
            NoteKind::ClaimsRoster { session, .. }
            | NoteKind::ClosesWhenAsked { session }
            | NoteKind::Refuses { session, .. }
            | NoteKind::RefusesToSend { session, .. } => match session {
                Some(session) => known.session(&note.line, session),
                None => known.one_session(&note.line),
            },
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

impl Known<'_> {
    fn message(&self, frame: &Frame, message: &Message) -> Result<(), Offence> {
        for name in pointed_at(message) {
            let known = self.names.contains(&name) || ALWAYS.contains(&name.as_str());
            if !known && !self.front.cast.contains_key(&name) {
                let near = near(&name, self.names.iter().map(String::as_str).chain(ALWAYS.iter().copied()));
                return Err(Offence::new(&frame.line, name.clone(), Problem::UnknownName { name, near }));
            }
        }
        for fault in &message.faults {
            match fault {
                Fault::With(Field::Sid, Value::Name(name)) | Fault::After(Field::Sid, Value::Name(name))
                    if !matches!(name.as_str(), "none" | "unknown") =>
                {
                    self.session(&frame.line, name)?;
                }
                Fault::SealedIn(name) => self.session(&frame.line, name)?,
                _ => {}
            }
        }
        match &message.session {
            Some(SessionRef::Named(name)) => self.session(&frame.line, name),
            Some(_) => Ok(()),
            None if of_a_session(message.kind) => self.one_session(&frame.line),
            None => Ok(()),
        }
    }

    fn session(&self, line: &Line, name: &str) -> Result<(), Offence> {
        if self.sessions.iter().any(|known| known == name) {
            return Ok(());
        }
        let problem = Problem::UnknownSession { name: name.to_owned(), known: self.sessions.clone() };
        Err(Offence::new(line, name, problem))
    }

    /// `in` may be left out where there is one session, or one of that name.
    fn one_session(&self, line: &Line) -> Result<(), Offence> {
        if self.sessions.len() == 1 || self.sessions.iter().any(|known| known == DEFAULT_SESSION) {
            return Ok(());
        }
        Err(Offence::new(line, "", Problem::WhichSession { known: self.sessions.clone() }))
    }
}

/// Types that are always about a session.
fn of_a_session(kind: Kind) -> bool {
    match kind {
        Kind::MsgReq | Kind::MsgRes | Kind::CloseReq | Kind::CloseRes | Kind::InviteReq | Kind::InviteRes => true,
        Kind::InitReq | Kind::InitRes | Kind::StatusReq | Kind::StatusRes | Kind::LoginReq | Kind::LoginRes => false,
    }
}

/// The names of the front matter, against all expansions.
pub(super) fn front(scenario: &Scenario) -> Result<(), (&'static str, String, Problem)> {
    let Scenario { front, .. } = scenario;
    let names = names(scenario);
    let unknown = |key: &'static str, name: &String| {
        let all = names.lifelines.iter().chain(&names.listed).map(String::as_str);
        (key, name.clone(), Problem::UnknownName { name: name.clone(), near: near(name, all) })
    };
    if let Some(name) = front.starts.keys().find(|name| !names.contains(name)) {
        return Err(unknown("starts", name));
    }
    for name in front.clients.iter().flatten() {
        if !names.contains(name) {
            return Err(unknown("clients", name));
        }
        if !names.lifelines.contains(name) {
            return Err(("clients", name.clone(), Problem::NoLifeline(name.clone())));
        }
    }
    for (name, meaning) in &front.cast {
        if !names.contains(name) {
            return Err(("cast", name.clone(), Problem::NameUnused(name.clone())));
        }
        if let Cast::SameAs(other) = meaning
            && !names.contains(other)
        {
            return Err(unknown("cast", other));
        }
    }
    Ok(())
}
