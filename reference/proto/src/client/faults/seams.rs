//! The seams, and who stands at each.

use core::time::Duration;

use rand_core::CryptoRng;

use super::super::carry::Turn;
use super::super::outstanding::Outstanding;
use super::super::{Client, Command, End, Identity, Refusal, Untrusted, Violation};
use super::{Broken, Quirk};
use crate::crypto::{BadMac, PrivateKey, Provider, PublicKey};
use crate::envelope::{self, EnvelopeError};
use crate::frame::{FrameType, Header};
use crate::ids::{Sid, Uid};
use crate::login::{Channel, ClientHalf, ClientLogin, Exhausted, LoginError};

impl Broken {
    pub(in super::super) fn around_start(
        &mut self,
        provider: &'static dyn Provider,
        rng: &mut dyn CryptoRng,
        uid: Uid,
        key: PrivateKey,
        server: &PublicKey,
    ) -> (Vec<u8>, ClientLogin) {
        self.link = super::Link::default();
        match self.fault {
            None => ClientLogin::start(provider, rng, uid, key, server),
            Some(fault) => self.start(fault, provider, rng, uid, key, server),
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
            Some(fault) => self.seal(fault, channel, typ, sid, uid, payload),
        }
    }

    pub(in super::super) fn around_envelope(
        &mut self,
        provider: &dyn Provider,
        rng: &mut dyn CryptoRng,
        author: &Identity,
        key: &PublicKey,
        (sid, recipient): (Sid, Uid),
        text: &str,
    ) -> String {
        match self.fault {
            None => envelope::seal(provider, rng, key, sid, author.uid, recipient, text),
            Some(fault) => self.envelope(fault, provider, rng, author, key, (sid, recipient), text),
        }
    }

    pub(in super::super) fn around_is_empty(&self, open: &Outstanding) -> bool {
        match self.fault {
            Some(Quirk::AnewAtOnce) => true,
            Some(Quirk::AnewLate) => false,
            _ => open.is_empty(),
        }
    }
}

impl Client {
    pub(in super::super) fn around_bytes(&mut self, now: Duration, bytes: &[u8]) {
        match self.broken.fault {
            None => self.receive_bytes(now, bytes),
            Some(fault) => self.read(fault, now, bytes),
        }
    }

    pub(in super::super) fn around_stream_end(&mut self, now: Duration) {
        match self.broken.fault {
            None => self.end(End::ByServer),
            Some(fault) => self.faulty_stream_end(fault, now),
        }
    }

    pub(in super::super) fn around_end(&mut self, now: Duration, end: End) {
        match self.broken.fault {
            None => self.end(end),
            Some(fault) => self.faulty_end(fault, now, end),
        }
    }

    pub(in super::super) fn around_timeout(&mut self, now: Duration) {
        self.read_what_is_due(now);
        self.send_what_is_due(now);
        self.come_back_when_due(now);
    }

    pub(in super::super) fn around_next_timeout(&self, next: Option<Duration>) -> Option<Duration> {
        let link = &self.broken.link;
        let (bytes, frames) = (link.bytes_later.front(), link.frames_later.front());
        let others = [bytes.map(|(at, _)| *at), frames.map(|(at, _)| *at), self.broken.comes_back];
        others.into_iter().chain([next]).flatten().min()
    }

    pub(in super::super) fn around_check(&mut self, header: &Header) -> Result<(), Violation> {
        match self.broken.fault {
            None => self.phase.check_header(header),
            Some(fault) => self.check(fault, header),
        }
    }

    pub(in super::super) fn around_response(
        &mut self,
        login: ClientLogin,
        frame: &mut [u8],
    ) -> Result<ClientHalf, LoginError> {
        match self.broken.fault {
            Some(fault) if Self::is_login_fault(fault) => self.faulty_response(fault, login, frame),
            _ => login.response(frame),
        }
    }

    pub(in super::super) fn around_request(
        &mut self,
        login: ClientHalf,
        frame: &mut [u8],
    ) -> Result<(Vec<u8>, Channel), LoginError> {
        match self.broken.fault {
            Some(fault) if Self::is_login_fault(fault) => self.faulty_request(fault, login, frame),
            _ => login.request(frame),
        }
    }

    pub(in super::super) fn around_open<'f>(
        &mut self,
        channel: &mut Channel,
        frame: &'f mut [u8],
    ) -> Result<(Header, &'f [u8]), BadMac> {
        match self.broken.fault {
            None => channel.open(frame),
            Some(fault) => self.open(fault, channel, frame),
        }
    }

    pub(in super::super) fn around_receive(
        &mut self,
        now: Duration,
        header: Header,
        payload: &[u8],
    ) -> Result<(), Violation> {
        match self.broken.fault {
            None => self.receive(now, header, payload),
            Some(fault) => self.faulty_receive(fault, now, header, payload.to_vec()),
        }
    }

    pub(in super::super) fn around_send(&mut self, now: Duration, typ: FrameType, sid: Sid, payload: &[u8]) -> bool {
        match self.broken.fault {
            None => self.send(now, typ, sid, payload),
            Some(fault) => self.faulty_send(fault, now, typ, sid, payload.to_vec()),
        }
    }

    pub(in super::super) fn around_carry(&mut self, now: Duration, command: &Command) -> Result<Turn, Refusal> {
        match self.broken.fault {
            None => self.carry(now, command),
            Some(fault) => self.faulty_carry(fault, now, command),
        }
    }

    pub(in super::super) fn around_leave(&mut self, now: Duration) {
        match self.broken.fault {
            None => self.leave(),
            Some(fault) => self.faulty_leave(fault, now),
        }
    }

    pub(in super::super) fn around_user_gone(&mut self, now: Duration) {
        if self.broken.is(Quirk::EndsSilently) {
            self.leave_silently();
        } else {
            self.around_leave(now);
        }
    }

    pub(in super::super) fn around_roster(&self, sid: Sid) -> Option<Result<Vec<Uid>, Untrusted>> {
        match self.broken.fault {
            None => self.roster(sid),
            Some(fault) => self.faulty_roster(fault, sid),
        }
    }

    pub(in super::super) fn around_recipients(&mut self, sid: Sid, roster: Vec<Uid>) -> Vec<Uid> {
        match self.broken.fault {
            None => self.recipients(roster),
            Some(fault) => self.faulty_recipients(fault, sid, roster),
        }
    }

    pub(in super::super) fn around_open_line(
        &mut self,
        sid: Sid,
        author: Uid,
        line: &str,
    ) -> Result<String, EnvelopeError> {
        match self.broken.fault {
            None => self.open_line(sid, author, line),
            Some(fault) => self.faulty_open_line(fault, sid, author, line),
        }
    }
}
