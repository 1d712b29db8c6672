//! Frames of the server: what is told, answered and kept otherwise.

use core::time::Duration;

use super::super::link::Phase;
use super::super::memory::{Invitation, Memory};
use super::super::{Client, End, Event, Violation};
use super::{Known, Quirk};
use crate::frame::{FrameType, Header, HeaderError};
use crate::ids::{Sid, Uid};
use crate::payload::{self, PayloadError, Presence, Response};

impl Client {
    /// A frame whose header was checked and whose mac fits.
    pub(super) fn faulty_receive(
        &mut self,
        fault: Quirk,
        now: Duration,
        mut header: Header,
        mut payload: Vec<u8>,
    ) -> Result<(), Violation> {
        if fault == Quirk::TypeHalfChecked && header.kind().is_none() {
            header.typ &= 0xff00;
        }
        self.broken.link.current = Some(header);
        self.broken.link.mute = None;
        if header.sid != Sid::NONE {
            self.broken.sids.insert(header.sid);
            self.broken.last_sid = header.sid;
        }
        let session = self.memory.session(header.sid);
        if header.kind() == Some(FrameType::InviteReq)
            && session.is_some_and(|session| session.inviter.is_none() && session.roster.is_some())
        {
            self.broken.early_rosters.insert(header.sid);
        }
        if self.holds(fault, header, &payload) {
            return Ok(());
        }
        self.mend_form(fault, &mut header, &mut payload);
        let first = self.events.len();
        let result = match self.takes_care(fault, now, &header, &payload) {
            Some(result) => result,
            None => self.receive(now, header, &payload),
        };
        if result.is_ok() {
            self.afterwards(fault, now, &header, first);
        }
        self.broken.link.current = None;
        self.broken.link.mute = None;
        self.end_afterwards();
        result.and_then(|()| self.go_on_with_held(now))
    }

    /// `Some`: there is nothing left to do.
    fn takes_care(
        &mut self,
        fault: Quirk,
        now: Duration,
        header: &Header,
        payload: &[u8],
    ) -> Option<Result<(), Violation>> {
        let typ = header.kind()?;
        if fault == Quirk::ErrorOfUserTaken
            && header.uid != Uid::SERVER
            && matches!(typ, FrameType::InitRes | FrameType::MsgRes)
            && payload == b"OK"
        {
            let error = HeaderError::User { expected: Uid::SERVER, got: header.uid };
            return Some(Err(error.into()));
        }
        if fault == Quirk::MembersForgotten && typ != FrameType::StatusRes {
            self.online()?.open.queries.iter_mut().for_each(|query| query.members.clear());
        }
        self.strays(fault, typ, header, payload).or_else(|| match typ {
            FrameType::StatusReq => {
                self.broken.link.probes_in_read += 1;
                self.broken.link.probes += 1;
                None
            }
            FrameType::StatusRes => self.status_taken(fault, header, payload),
            FrameType::InitRes => {
                let sid_zero = fault == Quirk::InitResSidZeroTaken && header.sid == Sid::NONE && payload == b"OK";
                sid_zero.then(|| {
                    self.init_answered(Sid::NONE, Response::Ok);
                    Ok(())
                })
            }
            FrameType::InviteReq => self.invitation_taken(fault, now, header, payload),
            FrameType::MsgReq => {
                self.broken.link.lines_in_read += 1;
                self.line_taken(fault, now, header, payload)
            }
            _ => None,
        })
    }

    /// PAY-06, with one thing wrong.
    fn strays(
        &mut self,
        fault: Quirk,
        typ: FrameType,
        header: &Header,
        payload: &[u8],
    ) -> Option<Result<(), Violation>> {
        let Header { sid, uid, .. } = *header;
        let Phase::Online(online) = &mut self.phase else { return None };
        for text in core::mem::take(&mut self.broken.texts) {
            online.open.texts.add(text);
        }
        let open = &online.open;
        let is_stray = match typ {
            FrameType::InitRes => open.inits.is_empty(),
            FrameType::MsgRes => !open.texts.0.contains_key(&sid),
            FrameType::CloseRes => payload != b"OK" && !open.closes.0.contains_key(&sid),
            FrameType::StatusRes => !open.queries.iter().any(|query| query.sid == sid),
            _ => false,
        };
        let is_known = self.memory.is_closed(sid) && !open.closes.0.contains_key(&sid);
        let result = payload::parse_response(payload);
        match (fault, typ) {
            (Quirk::StraysClose, _) if is_stray => return Some(Err(Violation::Session { typ, sid })),
            (Quirk::StrayNotCounted, _) if is_stray => self.uncount(header),
            (Quirk::StrayInitResKept, FrameType::InitRes) if is_stray && payload == b"OK" => {
                self.memory.session_mut(sid).invited.get_or_insert_default();
            }
            (Quirk::StrayInitResShown, FrameType::InitRes) if is_stray => {
                self.events.extend(result.ok().map(|result| Event::Init { sid, result }));
            }
            (Quirk::StrayMsgResShown, FrameType::MsgRes) if is_stray => {
                self.events.extend(result.ok().map(|result| Event::Sent { sid, result }));
            }
            (Quirk::StrayStatusShown, FrameType::StatusRes) if is_stray && uid == Uid::SERVER => {
                let state = payload::parse_presence(payload).ok();
                self.events.extend(state.map(|state| Event::Status { sid, state, members: Vec::new() }));
            }
            (_, FrameType::CloseRes) if is_known && payload == b"OK" && uid == Uid::SERVER => {
                let told = match fault {
                    Quirk::CloseOkTwice => true,
                    Quirk::OwnCloseNotified => !self.broken.noticed.contains(&sid),
                    Quirk::ClosedBeforeLoginTold => !self.broken.link.closed.contains(&sid),
                    _ => false,
                };
                if told {
                    self.events.push_back(Event::Closed { sid, by: uid });
                }
            }
            _ => {}
        }
        None
    }

    fn status_taken(&mut self, fault: Quirk, header: &Header, payload: &[u8]) -> Option<Result<(), Violation>> {
        let Header { sid, uid, .. } = *header;
        let presence = match payload::parse_presence(payload) {
            Ok(presence) => presence,
            Err(_) if fault == Quirk::PresenceUnknownIgnored => return Some(Ok(())),
            Err(_) => return None,
        };
        if uid != Uid::SERVER {
            self.broken.presence.insert((sid, uid), presence);
            if fault == Quirk::ServerStatusMember && sid == Sid::NONE {
                self.online()?.open.member(sid, uid, presence);
            }
            let is_asked = self.online()?.open.queries.iter().any(|query| query.sid == sid);
            if fault == Quirk::EarlyMembers && is_asked {
                self.count_early(sid);
            } else if fault == Quirk::EarlyMembers && sid != Sid::NONE {
                self.broken.early.push((sid, uid, presence));
            }
            return None;
        }
        self.count_early(sid);
        if sid == Sid::NONE || presence == Presence::Offline {
            return None;
        }
        let query = self.online()?.open.queries.iter().find(|query| query.sid == sid)?;
        let by_user = query.by_user;
        let untrusted = self.roster(sid).is_some_and(|roster| roster.is_err());
        match fault {
            Quirk::RosterReplaced => self.memory.session_mut(sid).roster = None,
            Quirk::UntrustedReplaced if untrusted => self.memory.session_mut(sid).roster = None,
            // Kept is what was there before: an empty one would not be trusted.
            Quirk::UsersRosterIgnored if by_user => {
                let before = self.memory.session_mut(sid).roster.take();
                let query = self.online()?.open.answered(sid)?;
                self.memory.session_mut(sid).roster = before;
                self.events.push_back(Event::Status { sid, state: presence, members: query.members });
                return Some(Ok(()));
            }
            _ => {}
        }
        None
    }

    /// Counts to an answer what was there before its question.
    fn count_early(&mut self, about: Sid) {
        let (early, rest) = core::mem::take(&mut self.broken.early).into_iter().partition(|(sid, ..)| *sid == about);
        self.broken.early = rest;
        let early: Vec<_> = early;
        for (sid, uid, presence) in early {
            if let Some(online) = self.online() {
                online.open.member(sid, uid, presence);
            }
        }
    }

    fn invitation_taken(
        &mut self,
        fault: Quirk,
        now: Duration,
        header: &Header,
        payload: &[u8],
    ) -> Option<Result<(), Violation>> {
        let Header { sid, uid, .. } = *header;
        if !payload.is_empty() {
            return None;
        }
        self.broken.inviters.entry(sid).or_insert(uid);
        self.broken.invitations.push(sid);
        self.broken.link.invited.insert(sid);
        if fault == Quirk::InviteReopens && self.memory.is_closed(sid) {
            let session = self.memory.session_mut(sid);
            (session.closed, session.invitation) = (false, Invitation::None);
        }
        let answered = self.memory.session(sid).is_some_and(|session| session.invitation == Invitation::Answered);
        if fault == Quirk::RepeatedInviteAnswered
            && answered
            && let Some(choice) = self.broken.choices.get(&sid).cloned()
        {
            self.send(now, FrameType::InviteRes, sid, &choice);
        }
        if fault == Quirk::InviteSidZeroTaken && sid == Sid::NONE {
            self.invited(sid, uid);
            return Some(Ok(()));
        }
        None
    }

    fn line_taken(
        &mut self,
        fault: Quirk,
        now: Duration,
        header: &Header,
        payload: &[u8],
    ) -> Option<Result<(), Violation>> {
        let Header { sid, uid: author, .. } = *header;
        let typ = FrameType::MsgReq;
        let answers = |client: &mut Self, text: &[u8]| {
            client.send(now, FrameType::MsgRes, sid, text);
            Some(Ok(()))
        };
        let lines = payload::parse_lines(payload);
        match (fault, &lines) {
            (Quirk::LineSidZeroAnswered, _) if sid == Sid::NONE => return answers(self, b"no session"),
            (Quirk::TwoLinesClose, Ok(lines)) if lines.len() == 2 => {
                return Some(Err(Violation::Payload { typ, error: PayloadError::NotEmpty(payload.len()) }));
            }
            (Quirk::NotUtf8Closes, Err(error @ PayloadError::NotUtf8 { .. })) => {
                return Some(Err(Violation::Payload { typ, error: *error }));
            }
            (Quirk::NoLineUnanswered, Ok(lines)) if lines.is_empty() => return Some(Ok(())),
            (Quirk::AnswersOnlyLive, _) if self.memory.is_closed(sid) => return Some(Ok(())),
            (Quirk::ShownAgain, _) => self.memory.shown.clear(),
            _ => {}
        }
        let Ok([line]) = lines.as_deref() else { return None };
        let key = (sid, author, (*line).to_owned());
        let was_shown = self.memory.was_shown(&Memory::digest(self.provider, sid, author, line));
        let is_known = |what: fn(&Known, &Known) -> bool| {
            self.broken.lines.iter().any(|known| known.2 == key.2 && what(known, &key))
        };
        match fault {
            Quirk::RedeliveredUnanswered if was_shown => return Some(Ok(())),
            Quirk::RedeliveredError if was_shown => return answers(self, b"shown already"),
            Quirk::FailedCounted if self.broken.failed.contains(&key) => return answers(self, b"OK"),
            Quirk::AnySessionDropped if is_known(|known, key| known.1 == key.1) => return answers(self, b"OK"),
            Quirk::AnyAuthorDropped if is_known(|known, key| known.0 == key.0) => return answers(self, b"OK"),
            Quirk::ShownAgainBehindOther if self.broken.last_line.as_ref() != Some(&key) => self.memory.shown.clear(),
            _ => {}
        }
        self.broken.last_line = Some(key);
        None
    }

    /// What is told and kept once a frame was dealt with; its events are those from `first` on.
    fn afterwards(&mut self, fault: Quirk, now: Duration, header: &Header, first: usize) {
        let Header { sid, uid, .. } = *header;
        match header.kind() {
            Some(FrameType::StatusRes) if fault == Quirk::EndsAmidLastAnswer => {
                let is_spent = matches!(&self.phase, Phase::Online(online) if online.spent.is_some());
                self.broken.link.ends_afterwards = is_spent.then_some(End::Spent);
            }
            Some(FrameType::InviteReq) if fault == Quirk::AcceptsUnasked => self.answer_by_itself(now, sid, uid),
            Some(FrameType::MsgReq) => self.line_was_taken(fault, first),
            Some(FrameType::CloseRes) => {
                let told = self.events.iter().skip(first).any(|event| matches!(event, Event::Closed { .. }));
                if told {
                    self.broken.noticed.insert(sid);
                }
                if told && uid == Uid::SERVER {
                    self.broken.withdrawn.insert(sid);
                }
                if self.memory.is_closed(sid) {
                    self.broken.link.closed.insert(sid);
                }
                let untold = match fault {
                    Quirk::ClosedUntold => uid != Uid::SERVER,
                    Quirk::ClosedByServerUntold => uid == Uid::SERVER,
                    _ => false,
                };
                if told && untold {
                    self.events.truncate(first);
                }
            }
            _ => {}
        }
        self.habits_afterwards(fault, now, first);
    }

    /// MSG-14: what the user sees of a text.
    fn shown_otherwise(&mut self, fault: Quirk, first: usize) {
        let Some(Event::Message { text, .. }) = self.events.get_mut(first) else { return };
        match fault {
            Quirk::ShownComposed => *text = text.replace("e\u{301}", "\u{e9}"),
            Quirk::ShownTrimmed => *text = text.trim_matches(' ').to_owned(),
            Quirk::ShownUpToZero => *text = text.split('\0').next().unwrap_or_default().to_owned(),
            Quirk::ShownWithoutEnds => *text = text.trim_end_matches(['\r', '\n']).to_owned(),
            Quirk::ShownWithoutMark => *text = text.trim_start_matches('\u{feff}').to_owned(),
            Quirk::ShownInTwoBytes => *text = text.replace(|c| c > '\u{ffff}', "\u{fffd}"),
            Quirk::EmptyUntold if text.is_empty() => self.events.truncate(first),
            _ => {}
        }
    }

    fn line_was_taken(&mut self, fault: Quirk, first: usize) {
        let Some(key) = self.broken.last_line.clone() else { return };
        let Some(Event::Message { text, .. }) = self.events.get(first) else {
            let digest = Memory::digest(self.provider, key.0, key.1, &key.2);
            if !self.memory.was_shown(&digest) {
                self.broken.failed.insert(key);
            }
            return;
        };
        if fault == Quirk::RemembersTwoHundred {
            self.broken.order.push_back(Memory::digest(self.provider, key.0, key.1, &key.2));
            if self.broken.order.len() > 200
                && let Some(oldest) = self.broken.order.pop_front()
            {
                self.memory.shown.remove(&oldest);
            }
        }
        let text = (key.0, key.1, format!("\n{text}"));
        self.broken.lines.insert(key);
        // No line has an LF, so that texts and lines do not meet.
        if !self.broken.lines.insert(text) && fault == Quirk::SameTextDropped {
            self.events.truncate(first);
        }
        self.shown_otherwise(fault, first);
    }
}
