//! What a case against a client knows: its connections, what it owes and is owed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use mpchat_proto::frame::{Deframer, Header};
use mpchat_proto::ids::{Sid, Uid};
use mpchat_script::ast::{Kind, Line, Message, Payload, SessionRef};
use serde_json::Value;

use crate::link::{EndHow, Link};
use crate::play::login::{Login, Transfer};
use crate::play::world::Session;

use super::Host;
use crate::client::roles::default_session;

/// How far the login of a connection is, seen from the server.
///
/// ```text
/// Fresh --login_req--> Requested --(login_res)--> Responded --(status_req)--> Asked --status_res--> Online
/// ```
pub(super) enum Phase {
    /// Nothing was heard.
    Fresh,
    /// Step 1 is there.
    Requested(Arc<Login>),
    /// Step 2 is sent.
    Responded(Transfer),
    /// Step 3 is sent.
    Asked(Transfer),
    /// Step 4 is there.
    Online(Transfer),
}

/// One connection of the client.
pub(super) struct Conn {
    pub(super) link: Link,
    pub(super) deframer: Deframer,
    pub(super) phase: Phase,
    /// Last number that the harness used.
    pub(super) last_out: u16,
    /// Last number that was heard.
    pub(super) last_in: u16,
    pub(super) ended: Option<EndHow>,
    pub(super) fin_sent: bool,
    /// The diagram has the server end it.
    pub(super) server_ended: bool,
    /// The client has to end it.
    pub(super) to_end: bool,
    /// It said `Offline`.
    pub(super) farewell: bool,
    /// The harness answers its login by itself.
    pub(super) undrawn: bool,
    /// It is one of those that the client may open.
    pub(super) counted: bool,
    /// Lines that wait for an answer, by sid, oldest first.
    pub(super) lines: BTreeMap<Sid, VecDeque<Answer>>,
    /// status_req that wait for an answer.
    pub(super) probes: usize,
    /// Sids of invitations on it that were answered.
    pub(super) answered: Vec<Sid>,
}

impl Conn {
    /// Whether nothing has come on it: a client may try an address before it uses it.
    pub(super) fn is_silent(&self) -> bool {
        matches!(self.phase, Phase::Fresh) && self.deframer.partial() == 0
    }

    pub(super) fn new(link: Link, undrawn: bool) -> Self {
        Self {
            link,
            deframer: Deframer::new(),
            phase: Phase::Fresh,
            last_out: 0,
            last_in: 0,
            ended: None,
            fin_sent: false,
            server_ended: false,
            to_end: false,
            farewell: false,
            undrawn,
            counted: false,
            lines: BTreeMap::new(),
            probes: 0,
            answered: Vec::new(),
        }
    }

    pub(super) fn transfer(&self) -> Option<&Transfer> {
        match &self.phase {
            Phase::Responded(transfer) | Phase::Asked(transfer) | Phase::Online(transfer) => Some(transfer),
            _ => None,
        }
    }

    pub(super) fn is_online(&self) -> bool {
        matches!(self.phase, Phase::Online(_)) && self.ended.is_none() && !self.fin_sent && !self.farewell
    }

    /// What is broken if the oldest line of a sid stays without an answer.
    pub(super) fn rules_of_oldest(&self, sid: Sid) -> &'static [&'static str] {
        match self.lines.get(&sid).and_then(VecDeque::front) {
            Some(Answer::Again) => Answer::Again.rules(),
            _ => &["MSG-06"],
        }
    }

    pub(super) fn next_out(&self) -> Option<u16> {
        self.last_out.checked_add(1)
    }

    pub(super) fn owes_answers(&self) -> bool {
        self.probes > 0 || self.lines.values().any(|lines| !lines.is_empty())
    }
}

/// What the answer to a line has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Ok,
    /// It was shown before (MSG-18).
    Again,
    /// Nobody could open it.
    Unopenable,
    /// An envelope for another session, author or recipient (MSG-14).
    Elsewhere,
}

impl Answer {
    pub(super) fn is_ok(self) -> bool {
        matches!(self, Self::Ok | Self::Again)
    }

    /// What is broken by an answer that is not the right one, or none.
    pub(super) fn rules(self) -> &'static [&'static str] {
        match self {
            Self::Ok => &["MSG-06", "MSG-14"],
            Self::Again => &["MSG-18", "MSG-06"],
            Self::Unopenable => &["MSG-06", "MSG-14", "PAY-08"],
            Self::Elsewhere => &["MSG-14", "MSG-06"],
        }
    }
}

/// A frame or an end of the client's.
#[derive(Clone, Debug)]
pub(super) enum Seen {
    Frame(Heard),
    End,
}

/// A frame of the client, opened.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) kind: Kind,
    pub(super) header: Header,
    pub(super) payload: Vec<u8>,
}

/// An event that the client owes its user.
#[derive(Clone, Debug)]
pub(super) struct Owed {
    pub(super) name: &'static str,
    pub(super) fields: Vec<(&'static str, Value)>,
    /// What it breaks if it does not come as it should, where the line names nothing.
    pub(super) rules: &'static [&'static str],
    pub(super) line: Option<Line>,
    /// The harness's own question.
    pub(super) fence: bool,
    /// It need not come.
    pub(super) optional: bool,
    /// Where the frame that causes it stands in the transcript.
    pub(super) slot: Option<usize>,
    /// The text that it shows (MSG-18).
    pub(super) shows: Option<(Sid, String)>,
}

impl Host {
    /// The connection that the client opened last.
    pub(super) fn conn(&mut self) -> Option<&mut Conn> {
        self.conns.last_mut()
    }

    pub(super) fn is_online(&self) -> bool {
        self.conns.last().is_some_and(Conn::is_online)
    }

    /// The uid of a name: a user, another spelling, a stranger, `server`.
    pub(super) fn uid_of(&self, name: &str) -> Option<Uid> {
        if name == "server" {
            return Some(Uid::SERVER);
        }
        let stranger = self.strangers.get(name).copied();
        stranger.or_else(|| self.users.get(&self.user_of(name)).map(|identity| identity.uid))
    }

    /// The user behind a lifeline or another spelling.
    pub(super) fn user_of(&self, name: &str) -> String {
        use mpchat_script::ast::Cast;
        match self.front.cast.get(name) {
            Some(Cast::SameAs(other) | Cast::ConnectionOf(other)) => other.clone(),
            _ => name.to_owned(),
        }
    }

    /// The users of a list of names, crowds unfolded.
    pub(super) fn unfold(&self, names: &[String]) -> Vec<String> {
        use mpchat_script::ast::Cast;
        let members = |name: &String| match self.front.cast.get(name) {
            Some(Cast::Users(n)) => (1..=*n).map(|k| crate::program::member(name, k)).collect(),
            _ => vec![self.user_of(name)],
        };
        names.iter().flat_map(members).collect()
    }

    /// The name that people know a uid by.
    pub(super) fn name_of(&self, uid: Uid) -> String {
        if uid == Uid::SERVER {
            return "server".to_owned();
        }
        let user = self.users.iter().find(|(_, identity)| identity.uid == uid).map(|(name, _)| name.clone());
        let stranger = || self.strangers.iter().find(|(_, s)| **s == uid).map(|(name, _)| name.clone());
        user.or_else(stranger).unwrap_or_else(|| uid.to_string())
    }

    /// The name that people know a sid by.
    pub(super) fn session_name(&self, sid: Sid) -> String {
        if sid == Sid::NONE {
            return "none".to_owned();
        }
        if sid == self.unknown_sid {
            return "unknown".to_owned();
        }
        self.session_by_sid(sid).map_or_else(|| sid.to_string(), |(name, _)| name.clone())
    }

    pub(super) fn session_by_sid(&self, sid: Sid) -> Option<(&String, &Session)> {
        self.sessions.iter().find(|(_, session)| session.sid == Some(sid))
    }

    /// The name of the session that a line is about.
    pub(super) fn session_of_line(&self, message: &Message) -> String {
        match &message.session {
            Some(SessionRef::Named(name)) => name.clone(),
            _ => default_session(self.sessions.keys()),
        }
    }

    /// The session that a note is about.
    pub(super) fn session_of_note(&self, session: Option<&str>) -> String {
        session.map_or_else(|| default_session(self.sessions.keys()), str::to_owned)
    }

    /// The sid of a line, as it stands in the header.
    pub(super) fn sid_of_line(&mut self, message: &Message) -> Sid {
        let no_session =
            matches!(message.kind, Kind::InitReq | Kind::StatusReq | Kind::StatusRes | Kind::LoginReq | Kind::LoginRes);
        match &message.session {
            Some(SessionRef::None) => Sid::NONE,
            Some(SessionRef::Unknown) => self.unknown_sid,
            Some(SessionRef::Sid(sid)) => Sid(*sid),
            Some(SessionRef::Named(_)) if message.kind == Kind::InitReq => Sid::NONE,
            None if no_session => Sid::NONE,
            _ => {
                let name = self.session_of_line(message);
                self.sid(&name)
            }
        }
    }

    /// The uid texts of users.
    pub(super) fn uid_texts(&self, names: &[String]) -> Vec<String> {
        names.iter().filter_map(|name| self.uid_of(name)).map(|uid| uid.to_string()).collect()
    }

    /// Somebody's init_req: whom it names. A sid of that name that was spoken of before is that of the session; one that
    /// another init had is not.
    pub(super) fn begin_session(&mut self, name: String, creator: String, init_req: &Message) -> Vec<String> {
        let invited = match &init_req.payload {
            Some(Payload::Names(names)) => self.unfold(names),
            Some(_) => Vec::new(),
            None => self.shown_invited.get(&name).cloned().unwrap_or_default(),
        };
        let spoken_of = self.sessions.remove(&name).filter(|session| session.creator.is_empty());
        let sid = spoken_of.and_then(|session| session.sid);
        self.sessions.insert(name, Session { creator, invited: invited.clone(), sid, ..Session::default() });
        invited
    }

    /// The sid of a session; drawn when it is first needed.
    pub(super) fn sid(&mut self, name: &str) -> Sid {
        if let Some(sid) = self.sessions.get(name).and_then(|session| session.sid) {
            return sid;
        }
        let drawn: Vec<Sid> = self.sessions.values().filter_map(|session| session.sid).collect();
        let random = crate::play::world::random_sid(&mut self.rng);
        // One half in common with another session's, in turn: who keeps half a sid takes the one session for the other.
        let half = if drawn.len().is_multiple_of(2) { u64::from(u32::MAX) } else { !u64::from(u32::MAX) };
        let sid = drawn.first().map_or(random, |other| Sid(other.0 & half | random.0 & !half));
        self.sessions.entry(name.to_owned()).or_default().sid = Some(sid);
        sid
    }

    /// The roster that the server tells, in order: what it claims, else the true one.
    pub(super) fn told_roster(&self, name: &str) -> Vec<String> {
        let truth = || self.sessions.get(name).map(Session::roster).unwrap_or_default();
        self.claims.get(name).map_or_else(truth, |claimed| self.unfold(claimed))
    }
}
