//! PAY-07: a server short of a resource may refuse, though not everything.

use mpchat_proto::ids::Uid;
use mpchat_script::ast::{Frame, Kind, Payload, What};

use crate::program::{Leaf, LeafKind};
use crate::stop::{Finding, Stop};

use super::Play;
use super::world::{Happening, Heard};

/// With fewer lines stored in all, and fewer sessions, nothing small is refused.
const LINES: usize = 8;

/// With fewer sessions, pending ones included, and fewer lines, nothing small is refused.
const SESSIONS: usize = 4;

/// Bytes of a msg_req that is not refused then.
const BYTES: usize = 8 << 10;

/// Users that an init_req may name then.
const INVITED: usize = 3;

impl Play {
    /// An error text in the place of success: perhaps a refusal. Whether one of so little is a breach shows when the case
    /// is run alone.
    pub(crate) fn or_refusal(&self, number: usize, happening: &Happening, finding: Box<Finding>) -> Stop {
        let Happening::Frame(heard) = happening else { return Stop::Fail(finding) };
        let is_carried = self.session_by_sid(heard.header.sid).is_some_and(|(name, _)| self.carried.contains(name));
        if self.is_closed_by_itself(heard) && is_carried {
            // CLOSE-11 allows it where sessions do not survive a restart, which is a SHOULD.
            let rules = crate::stop::rules(&["MSG-19"]);
            return Stop::Fail(Box::new(Finding { rules, ..*finding }));
        }
        if self.is_closed_by_itself(heard) {
            let why = "the target closed a session by itself (PAY-07, CLOSE-11)".to_owned();
            return Stop::Refused { why, breach: self.has_room_for(heard).then_some(finding) };
        }
        if heard.payload == b"OK" || !self.success_is_awaited(number, heard) || self.was_delivered(heard) {
            return Stop::Fail(finding);
        }
        let is_small = match heard.kind {
            Kind::MsgRes => self.longest_msg(number) <= BYTES,
            Kind::InitRes => {
                let about = heard.about.as_ref().and_then(|name| self.sessions.get(name));
                about.is_none_or(|session| session.invited.len() <= INVITED)
            }
            _ => return Stop::Fail(finding),
        };
        let little = is_small && self.has_room_for(heard);
        let text = String::from_utf8_lossy(&heard.payload).into_owned();
        let why = format!("the target refused with {}: {text:?}", heard.kind.word());
        Stop::Refused { why, breach: little.then_some(finding) }
    }

    /// Whether there are so few sessions, pending ones included, and so few lines beside what a frame is about.
    fn has_room_for(&self, heard: &Heard) -> bool {
        let about = heard.about.as_deref();
        let (session, text) = match heard.kind {
            Kind::InitRes => (about, None),
            Kind::MsgRes => (None, about),
            _ => (None, None),
        };
        self.open_sessions(session) < SESSIONS && self.unanswered_lines(text) < LINES
    }

    /// Sessions that are live, or whose init is under way, without one.
    fn open_sessions(&self, without: Option<&str>) -> usize {
        let begun = |session: &super::world::Session| session.live || !session.creator.is_empty();
        let open = self.sessions.iter().filter(|(_, session)| begun(session) && !session.over);
        open.filter(|(name, _)| Some(name.as_str()) != without).count()
    }

    /// A close_res of nobody's: expiry or shortage (CLOSE-11), or a session that could not become live (PAY-07).
    fn is_closed_by_itself(&self, heard: &Heard) -> bool {
        let notifies = heard.kind == Kind::CloseRes && heard.payload == b"OK" && heard.header.uid == Uid::SERVER;
        notifies && self.session_by_sid(heard.header.sid).is_some()
    }

    /// Whether a recipient has got a line of the message that this answers: then it was not refused as a whole (PAY-07).
    fn was_delivered(&self, heard: &Heard) -> bool {
        let name = heard.about.as_ref().filter(|name| heard.kind == Kind::MsgRes && self.lines_differ(name));
        let Some(text) = name.and_then(|name| self.texts.get(name)) else { return false };
        let has_come = |conn: &super::world::Conn| {
            text.lines.get(&conn.user).is_some_and(|line| conn.books.heard.iter().any(|(_, other)| other == line))
        };
        self.conns.iter().any(has_come)
    }

    /// Whether a line that does not come is of an author who could not have heard a refusal, hears one only after the
    /// msg_res of an earlier text (MSG-11), or has heard one in the place of an error text that the diagram shows; or an
    /// invitation of an init that has failed already, as the diagram shows it to fail later.
    pub(crate) fn may_be_refused_unseen(&self, leaf: &Leaf) -> bool {
        let LeafKind::Frame(Frame { what: What::Message(message), .. }) = &leaf.what else { return false };
        if message.kind == Kind::InviteReq {
            return self.sessions.get(&self.session_of_line(message)).is_some_and(|s| s.over && s.sid.is_none());
        }
        let Some((key, text)) = self.text_of_line(message) else { return false };
        let cannot_hear = |conn: &super::world::Conn| {
            conn.fin_sent || conn.ended.is_some() || conn.books.waits_behind_another(|other| other == key)
        };
        let unheard = self.conns.iter().any(|conn| conn.user == text.author && cannot_hear(conn));
        message.kind == Kind::MsgReq && (text.failed || unheard)
    }

    /// Whether a refusal of this line, which its author cannot hear, would be a breach: so little is never refused, or the
    /// server has held as many lines in this case before. Of an init nothing is known, and a breach shows alone.
    pub(crate) fn has_held_as_much(&self, leaf: &Leaf) -> bool {
        let LeafKind::Frame(Frame { what: What::Message(message), .. }) = &leaf.what else { return true };
        let about = self.text_of_line(message).map(|(key, _)| key.as_str());
        let is_answered = |text: &&super::world::Text| !text.failed && text.answered.len() >= text.lines.len();
        let (answered, open): (Vec<_>, Vec<_>) = self.texts.values().partition(is_answered);
        let few = self.open_sessions(None) < SESSIONS;
        message.kind != Kind::MsgReq || few && (self.unanswered_lines(about) < LINES || answered.len() >= open.len())
    }

    /// The text of a msg_req line; of opaque lines, that of which this is one.
    fn text_of_line(&self, message: &mpchat_script::ast::Message) -> Option<(&String, &super::world::Text)> {
        match &message.payload {
            Some(Payload::Lines(lines)) => {
                self.texts.iter().find(|(_, text)| text.lines.values().any(|line| lines.contains(line)))
            }
            payload => self.texts.get_key_value(&super::compare::text_of(payload.as_ref())),
        }
    }

    /// Whether the diagram shows that the request succeeds: what it causes, or its `OK`, is still to come.
    fn success_is_awaited(&self, number: usize, heard: &Heard) -> bool {
        let Some(conn) = self.conns.get(number) else { return false };
        let causes = match heard.kind {
            Kind::MsgRes => Kind::MsgReq,
            Kind::InitRes => Kind::InviteReq,
            _ => return false,
        };
        let shows = |leaf: &Leaf| {
            let LeafKind::Frame(Frame { what: What::Message(message), from, .. }) = &leaf.what else { return false };
            let own = message.kind == heard.kind && leaf.conn == conn.name && message.payload != Some(Payload::Error);
            from == "server" && (message.kind == causes || own)
        };
        let waiting = self.expectations.iter().filter(|e| e.state == super::threads::State::Waiting);
        waiting.map(|e| &e.leaf).any(|leaf| shows(leaf))
            || self.lifelines.iter().any(|line| self.upcoming(&line.name).iter().any(|leaf| shows(leaf)))
    }

    /// Lines of this case that wait for their answers, without those of one text.
    fn unanswered_lines(&self, without: Option<&str>) -> usize {
        let is_live = |name| self.sessions.get(name).is_some_and(|session| session.live && !session.over);
        let others = self.texts.iter().filter(|(key, text)| Some(key.as_str()) != without && is_live(&text.session));
        others.map(|(_, text)| text.lines.len() - text.answered.len().min(text.lines.len())).sum()
    }

    fn longest_msg(&self, number: usize) -> usize {
        self.conns.get(number).map_or(0, |conn| conn.longest_msg)
    }
}
