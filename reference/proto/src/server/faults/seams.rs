//! The seams, and who stands at each.

use core::time::Duration;

use super::super::connection::{Connection, Sender};
use super::super::init::Invitation;
use super::super::login::Directory;
use super::super::machine::Server;
use super::super::refusal::Refusal;
use super::super::{ConnectionId, Ending, Violation};
use super::{Broken, Layer, Out, Quirk};
use crate::crypto::BadMac;
use crate::frame::{FrameType, Header};
use crate::ids::{Sid, Uid};
use crate::login::{Channel, Exhausted, LoginError, Step};

impl Broken {
    pub(in super::super) fn around_check(
        &mut self,
        directory: &Directory,
        connection: &Connection,
        header: &Header,
    ) -> Result<(), Violation> {
        match self.fault {
            None => Server::check_header(directory, connection, header),
            Some(fault) => self.check(fault, directory, connection, header),
        }
    }

    pub(in super::super) fn around_open<'f>(
        &mut self,
        channel: &mut Channel,
        frame: &'f mut [u8],
    ) -> Result<(Header, &'f [u8]), BadMac> {
        match self.fault {
            None => channel.open(frame),
            Some(fault) => self.open(fault, channel, frame),
        }
    }

    pub(in super::super) fn around_seal(
        &mut self,
        channel: &mut Channel,
        typ: FrameType,
        sid: Sid,
        uid: Uid,
        payload: &[u8],
    ) -> Result<Vec<u8>, Exhausted> {
        match self.fault {
            None => channel.seal(typ, sid, uid, payload),
            Some(fault) => self.seal(fault, channel, &Out { typ, sid, uid, payload: payload.to_vec() }),
        }
    }
}

impl Server {
    pub(in super::super) fn around_bytes(&mut self, now: Duration, id: ConnectionId, bytes: &[u8]) {
        match self.broken.fault {
            None => self.feed(now, id, bytes),
            Some(fault) => self.read(fault, now, id, bytes),
        }
    }

    pub(in super::super) fn around_login_request(
        &mut self,
        now: Duration,
        id: ConnectionId,
        frame: &mut [u8],
    ) -> Result<(), Violation> {
        if self.broken.is(Quirk::ReplaysRefused) && !self.is_new_request(frame) {
            return Err(LoginError::Etk { step: Step::Request }.into());
        }
        match self.broken.fault {
            Some(fault) if Self::is_login_fault(fault) => self.faulty_login_request(fault, now, id, frame),
            _ => self.login_request(id, frame),
        }
    }

    pub(in super::super) fn around_login_answer(
        &mut self,
        now: Duration,
        id: ConnectionId,
        frame: &mut [u8],
    ) -> Result<(), Violation> {
        match self.broken.fault {
            Some(fault) if Self::is_step_4_fault(fault) => self.faulty_login_answer(fault, now, id, frame),
            _ => self.login_answer(now, id, frame),
        }
    }

    pub(in super::super) fn around_complete(&mut self, now: Duration, id: ConnectionId, channel: Channel) {
        match self.broken.fault {
            None => self.complete(now, id, channel),
            Some(fault) => self.faulty_complete(fault, now, id, channel),
        }
    }

    pub(in super::super) fn around_dispatch(
        &mut self,
        now: Duration,
        from: Sender,
        header: &Header,
        payload: &[u8],
    ) -> Result<(), Violation> {
        match self.broken.fault {
            None => self.dispatch(now, from, header, payload),
            Some(fault) => self.faulty_dispatch(fault, now, from, header, payload),
        }
    }

    pub(in super::super) fn around_seal_and_queue(
        &mut self,
        to: ConnectionId,
        typ: FrameType,
        sid: Sid,
        uid: Uid,
        payload: &[u8],
    ) -> bool {
        match self.broken.fault {
            None => self.seal_and_queue(to, typ, sid, uid, payload),
            Some(fault) => self.leave(fault, to, Out { typ, sid, uid, payload: payload.to_vec() }),
        }
    }

    pub(in super::super) fn around_end(&mut self, id: ConnectionId, why: Ending) {
        match self.broken.fault {
            None => self.end(id, why),
            Some(fault) => self.faulty_end(fault, id, why),
        }
    }

    pub(in super::super) fn around_timeout(&mut self, now: Duration) {
        self.broken.notes_time(now);
        if self.broken.fault.is_some() {
            self.send_delayed(now);
            self.end_what_is_due(now);
            self.go_on_with_held(now);
        }
    }

    pub(in super::super) fn around_next_timeout(&self, next: Option<Duration>) -> Option<Duration> {
        let next = match self.broken.fault {
            Some(Quirk::TimersCoarse) => next.map(Self::next_look),
            _ => next,
        };
        let frames = self.broken.delayed.iter().map(|(at, ..)| *at);
        frames.chain(self.broken.ends_later.iter().map(|(at, _)| *at)).chain(next).min()
    }

    pub(in super::super) fn around_draw_sid(&mut self) -> Result<Sid, Refusal> {
        let sid = match self.broken.fault {
            None => return self.draw_sid(),
            Some(fault) => self.faulty_sid(fault)?,
        };
        self.broken.sids.push(sid);
        Ok(sid)
    }

    pub(in super::super) fn around_decide(&mut self, sid: Sid, uid: Uid, decision: Invitation) {
        match self.broken.fault {
            None => self.decide(sid, uid, decision),
            Some(fault) => self.faulty_decide(fault, sid, uid, decision),
        }
    }

    pub(in super::super) fn around_conclude(&mut self, sid: Sid) {
        match self.broken.fault {
            None => self.conclude(sid),
            Some(fault) => self.faulty_conclude(fault, sid),
        }
    }

    pub(in super::super) fn around_lapse(&mut self, sid: Sid) {
        match self.broken.fault {
            None => self.invitation_lapses(sid),
            Some(fault) => self.faulty_lapse(fault, sid),
        }
    }

    pub(in super::super) fn around_creator_left(&mut self, sid: Sid) {
        match self.broken.fault {
            None => self.creator_left(sid),
            Some(fault) => self.faulty_creator_left(fault, sid),
        }
    }

    pub(in super::super) fn around_go_live(&mut self, sid: Sid, creator: Uid, accepted: &[Uid]) -> Result<(), Refusal> {
        match self.broken.fault {
            None => self.go_live(sid, creator, accepted),
            Some(fault) => self.faulty_go_live(fault, sid, creator, accepted),
        }
    }

    pub(in super::super) fn around_recipient_decided(&mut self, number: u64, recipient: Uid, failed: bool) {
        match self.broken.fault {
            None => self.recipient_decided(number, recipient, failed),
            Some(fault) => self.faulty_recipient_decided(fault, number, recipient, failed),
        }
    }

    pub(in super::super) fn around_offline_recipients(&mut self, number: u64, others: &[Uid]) {
        if self.broken.fault.is_some() {
            self.offline_recipients(number, others);
        }
    }

    pub(in super::super) fn around_close(&mut self, now: Duration, sid: Sid, closer: Uid) -> Result<(), Refusal> {
        match self.broken.fault {
            None => self.close(now, sid, closer),
            Some(fault) => self.faulty_close(fault, now, sid, closer),
        }
    }

    fn faulty_dispatch(
        &mut self,
        fault: Quirk,
        now: Duration,
        from: Sender,
        header: &Header,
        payload: &[u8],
    ) -> Result<(), Violation> {
        let mut header = *header;
        let mut from = from;
        let mut payload = payload.to_vec();
        if fault == Quirk::UidBelieved {
            from.uid = header.uid;
        }
        if fault == Quirk::TypeHalfChecked && header.kind().is_none() {
            header.typ &= 0xff00;
        }
        self.broken.current = Some((from, header, payload.clone()));
        let mut done = self.hold(fault, from, &header, &payload);
        let layers: [Layer; 6] = [
            Self::habits_dispatch,
            Self::requests_dispatch,
            Self::init_dispatch,
            Self::messages_dispatch,
            Self::close_dispatch,
            Self::status_dispatch,
        ];
        for layer in layers {
            if done.is_none() {
                done = layer(self, fault, now, from, &mut header, &mut payload);
            }
        }
        let result = match done {
            Some(result) => result,
            None => self.dispatch(now, from, &header, &payload),
        };
        self.after_dispatch(fault, now, from, &header, &payload);
        self.broken.current = None;
        if let Some(why) = self.broken.ends_afterwards.take() {
            self.end(from.id, why);
        }
        result
    }

    fn after_dispatch(&mut self, fault: Quirk, now: Duration, from: Sender, header: &Header, payload: &[u8]) {
        self.init_afterwards(fault, now, header);
        self.messages_afterwards(fault, now, from, header, payload);
        self.habits_afterwards(fault, now, from, header);
        self.go_on_with_held(now);
    }
}
