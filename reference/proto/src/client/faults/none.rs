//! Without the feature `faults`: every seam is a call of what it stands around.

use core::time::Duration;

use rand_core::CryptoRng;

use super::carry::Turn;
use super::outstanding::Outstanding;
use super::{Client, Command, End, Identity, Refusal, Untrusted, Violation};
use crate::crypto::{BadMac, PrivateKey, Provider, PublicKey};
use crate::envelope::{self, EnvelopeError};
use crate::frame::{FrameType, Header};
use crate::ids::{Sid, Uid};
use crate::login::{Channel, ClientHalf, ClientLogin, Exhausted, LoginError};

/// Nothing is broken.
#[derive(Debug, Default)]
pub(super) struct Broken;

#[allow(clippy::unused_self, reason = "as with the feature")]
impl Broken {
    #[inline]
    pub(super) fn around_start(
        &self,
        provider: &'static dyn Provider,
        rng: &mut dyn CryptoRng,
        uid: Uid,
        key: PrivateKey,
        server: &PublicKey,
    ) -> (Vec<u8>, ClientLogin) {
        ClientLogin::start(provider, rng, uid, key, server)
    }

    #[inline]
    pub(super) fn around_seal(
        &self,
        channel: &mut Channel,
        typ: FrameType,
        sid: Sid,
        uid: Uid,
        payload: &[u8],
    ) -> Result<Vec<u8>, Exhausted> {
        channel.seal(typ, sid, uid, payload)
    }

    #[inline]
    pub(super) fn around_envelope(
        &self,
        provider: &dyn Provider,
        rng: &mut dyn CryptoRng,
        author: &Identity,
        key: &PublicKey,
        (sid, recipient): (Sid, Uid),
        text: &str,
    ) -> String {
        envelope::seal(provider, rng, key, sid, author.uid, recipient, text)
    }

    #[inline]
    pub(super) fn around_is_empty(&self, open: &Outstanding) -> bool {
        open.is_empty()
    }
}

impl Client {
    #[inline]
    pub(super) fn around_bytes(&mut self, now: Duration, bytes: &[u8]) {
        self.receive_bytes(now, bytes);
    }

    #[inline]
    pub(super) fn around_stream_end(&mut self, _now: Duration) {
        self.end(End::ByServer);
    }

    #[inline]
    pub(super) fn around_end(&mut self, _now: Duration, end: End) {
        self.end(end);
    }

    #[inline]
    #[allow(clippy::unused_self, reason = "as with the feature")]
    pub(super) fn around_timeout(&mut self, _now: Duration) {}

    #[inline]
    #[allow(clippy::unused_self, reason = "as with the feature")]
    pub(super) fn around_next_timeout(&self, next: Option<Duration>) -> Option<Duration> {
        next
    }

    #[inline]
    pub(super) fn around_check(&mut self, header: &Header) -> Result<(), Violation> {
        self.phase.check_header(header)
    }

    #[inline]
    #[allow(clippy::unused_self, reason = "as with the feature")]
    pub(super) fn around_response(&mut self, login: ClientLogin, frame: &mut [u8]) -> Result<ClientHalf, LoginError> {
        login.response(frame)
    }

    #[inline]
    #[allow(clippy::unused_self, reason = "as with the feature")]
    pub(super) fn around_request(
        &mut self,
        login: ClientHalf,
        frame: &mut [u8],
    ) -> Result<(Vec<u8>, Channel), LoginError> {
        login.request(frame)
    }

    #[inline]
    #[allow(clippy::unused_self, reason = "as with the feature")]
    pub(super) fn around_open<'f>(
        &mut self,
        channel: &mut Channel,
        frame: &'f mut [u8],
    ) -> Result<(Header, &'f [u8]), BadMac> {
        channel.open(frame)
    }

    #[inline]
    pub(super) fn around_receive(&mut self, now: Duration, header: Header, payload: &[u8]) -> Result<(), Violation> {
        self.receive(now, header, payload)
    }

    #[inline]
    pub(super) fn around_send(&mut self, now: Duration, typ: FrameType, sid: Sid, payload: &[u8]) -> bool {
        self.send(now, typ, sid, payload)
    }

    #[inline]
    pub(super) fn around_carry(&mut self, now: Duration, command: &Command) -> Result<Turn, Refusal> {
        self.carry(now, command)
    }

    #[inline]
    pub(super) fn around_leave(&mut self, _now: Duration) {
        self.leave();
    }

    #[inline]
    pub(super) fn around_user_gone(&mut self, _now: Duration) {
        self.leave();
    }

    #[inline]
    pub(super) fn around_roster(&self, sid: Sid) -> Option<Result<Vec<Uid>, Untrusted>> {
        self.roster(sid)
    }

    #[inline]
    pub(super) fn around_recipients(&mut self, _sid: Sid, roster: Vec<Uid>) -> Vec<Uid> {
        self.recipients(roster)
    }

    #[inline]
    pub(super) fn around_open_line(&mut self, sid: Sid, author: Uid, line: &str) -> Result<String, EnvelopeError> {
        self.open_line(sid, author, line)
    }
}
