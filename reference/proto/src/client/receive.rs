//! Frames of a logged-in connection become events and answers.

use core::time::Duration;

use super::memory::{Invitation, Memory};
use super::outstanding::Query;
use super::{Client, Event, Refusal, Violation};
use crate::envelope::{self, EnvelopeError};
use crate::frame::{FrameType, Header};
use crate::ids::{Sid, Uid};
use crate::payload::{self, PayloadError, Presence, Response};

impl Client {
    /// One frame whose header was checked and whose mac fits. An error has no effect but the end (MTP-13).
    pub(super) fn receive(&mut self, now: Duration, header: Header, payload: &[u8]) -> Result<(), Violation> {
        let Header { sid, uid, .. } = header;
        let Some(typ) = header.kind() else { return Ok(()) };
        let form = |error: PayloadError| Violation::Payload { typ, error };
        let session = |good: bool| if good { Ok(()) } else { Err(Violation::Session { typ, sid }) };
        match typ {
            FrameType::StatusReq => {
                session(sid == Sid::NONE)?;
                payload::parse_empty(payload).map_err(form)?;
                // STAT-02: `Offline` is said once the user leaves, and then unasked.
                self.around_send(now, FrameType::StatusRes, Sid::NONE, Presence::Online.as_bytes());
            }
            FrameType::StatusRes => self.status(sid, uid, payload::parse_presence(payload).map_err(form)?),
            FrameType::InitRes => {
                let result = payload::parse_response(payload).map_err(form)?;
                session(sid != Sid::NONE || !result.is_ok())?;
                self.init_answered(sid, result);
            }
            FrameType::InviteReq => {
                session(sid != Sid::NONE)?;
                payload::parse_empty(payload).map_err(form)?;
                self.invited(sid, uid);
            }
            FrameType::MsgReq => {
                session(sid != Sid::NONE)?;
                let answer = self.message(sid, uid, payload);
                // MSG-06.
                self.around_send(now, FrameType::MsgRes, sid, answer.as_bytes());
            }
            FrameType::MsgRes => {
                let result = payload::parse_response(payload).map_err(form)?;
                // MSG-11: the oldest one; PAY-06: none.
                if self.online().is_some_and(|online| online.open.texts.take(sid)) {
                    self.events.push_back(Event::Sent { sid, result });
                }
            }
            FrameType::CloseRes => self.close_answered(sid, uid, payload::parse_response(payload).map_err(form)?),
            // Their header does not pass (MTP-15).
            FrameType::InitReq | FrameType::CloseReq | FrameType::InviteRes => {}
        }
        Ok(())
    }

    /// INIT-14: the oldest init_req is answered first.
    pub(super) fn init_answered(&mut self, sid: Sid, result: Response) {
        // PAY-06: an answer to nothing.
        let Some(invited) = self.online().and_then(|online| online.open.inits.pop_front()) else { return };
        if result.is_ok() {
            self.memory.session_mut(sid).invited.get_or_insert(invited);
        }
        self.events.push_back(Event::Init { sid, result });
    }

    pub(super) fn invited(&mut self, sid: Sid, from: Uid) {
        let Some(session) = self.memory.session_within(sid, self.config.max_sessions) else { return };
        session.inviter.get_or_insert(from);
        // INIT-16: an answer is for good.
        if session.invitation == Invitation::None {
            session.invitation = Invitation::Open;
        }
        self.events.push_back(Event::Invited { sid, from });
    }

    /// Shows a text, if it is one for here, and gives the answer to it (MSG-06).
    fn message(&mut self, sid: Sid, author: Uid, payload: &[u8]) -> Response {
        // PAY-08.
        let line = match payload::parse_lines(payload).as_deref() {
            Ok([line]) => *line,
            Ok(_) => return Response::error("not exactly one line"),
            Err(error) => return Response::error(&error.to_string()),
        };
        // MSG-18.
        let digest = Memory::digest(self.provider, sid, author, line);
        if self.memory.was_shown(&digest) {
            return Response::Ok;
        }
        if !self.memory.has_room(self.config.max_shown) {
            return Response::error("this client has shown too many texts to take another");
        }
        // MSG-14. One text for whatever is wrong, so that nobody learns how far the decryption came.
        match self.around_open_line(sid, author, line) {
            Ok(text) => {
                self.memory.remember_shown(digest);
                self.events.push_back(Event::Message { sid, from: author, text });
                Response::Ok
            }
            Err(_) => Response::error("cannot be opened"),
        }
    }

    pub(super) fn open_line(&self, sid: Sid, author: Uid, line: &str) -> Result<String, EnvelopeError> {
        let identity = self.identity.as_ref().ok_or(EnvelopeError::Key)?;
        envelope::open(self.provider, &identity.key, sid, author, identity.uid, line)
    }

    /// PAY-06: an answer to the user's own close_req, a notification, or nothing.
    pub(super) fn close_answered(&mut self, sid: Sid, by: Uid, result: Response) {
        let closed_before = self.memory.is_closed(sid);
        if result.is_ok()
            && let Some(session) = self.memory.session_within(sid, self.config.max_sessions)
        {
            // CLOSE-10.
            session.closed = true;
        }
        if by == Uid::SERVER && self.online().is_some_and(|online| online.open.closes.take(sid)) {
            self.events.push_back(Event::Close { sid, result });
        } else if result.is_ok() && (by != Uid::SERVER || !closed_before) {
            self.events.push_back(Event::Closed { sid, by });
        }
    }

    /// STAT-01, STAT-04, STAT-05: uid 0 ends an answer.
    fn status(&mut self, sid: Sid, uid: Uid, presence: Presence) {
        let Some(online) = self.online() else { return };
        if uid != Uid::SERVER {
            // PAY-06: the server's own status names nobody.
            if sid != Sid::NONE {
                online.open.member(sid, uid, presence);
            }
            return;
        }
        if let Some(query) = online.open.answered(sid) {
            self.status_complete(query, presence);
        }
    }

    fn status_complete(&mut self, query: Query, state: Presence) {
        let Query { sid, by_user, members } = query;
        if sid != Sid::NONE && state == Presence::Online {
            // STAT-09: however it was learned.
            self.memory.session_mut(sid).learn(members.iter().map(|&(uid, _)| uid));
        }
        if by_user {
            self.events.push_back(Event::Status { sid, state, members });
            return;
        }
        // The `send` at the head of the queue asked, unless it has got its roster from an earlier answer.
        let asked = self.online().is_some_and(|online| online.open.asking.take_if(|asking| *asking == sid).is_some());
        let unknown = self.memory.session(sid).is_none_or(|session| session.is_without_roster());
        if asked
            && unknown
            && let Some(command) = self.waiting.pop_front()
        {
            let closed = self.memory.is_closed(sid);
            self.refuse(&command, if closed { Refusal::Closed(sid) } else { Refusal::NoRoster(sid) });
        }
    }
}
