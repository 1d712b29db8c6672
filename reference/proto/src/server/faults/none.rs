//! Without the feature `faults`: every seam is a call of what it stands around.

use core::time::Duration;

use super::connection::{Connection, Sender};
use super::init::Invitation;
use super::login::Directory;
use super::machine::Server;
use super::refusal::Refusal;
use super::{ConnectionId, Ending, Violation};
use crate::crypto::BadMac;
use crate::frame::{FrameType, Header};
use crate::ids::{Sid, Uid};
use crate::login::{Channel, Exhausted};

/// Nothing is broken.
#[derive(Debug, Default)]
pub(super) struct Broken;

#[allow(clippy::unused_self, reason = "as with the feature")]
impl Broken {
    #[inline]
    pub(super) fn notes_time(&self, _now: Duration) {}

    #[inline]
    pub(super) fn around_check(
        &self,
        directory: &Directory,
        connection: &Connection,
        header: &Header,
    ) -> Result<(), Violation> {
        Server::check_header(directory, connection, header)
    }

    #[inline]
    pub(super) fn around_open<'f>(
        &self,
        channel: &mut Channel,
        frame: &'f mut [u8],
    ) -> Result<(Header, &'f [u8]), BadMac> {
        channel.open(frame)
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
}

impl Server {
    #[inline]
    pub(super) fn around_bytes(&mut self, now: Duration, id: ConnectionId, bytes: &[u8]) {
        self.feed(now, id, bytes);
    }

    #[inline]
    pub(super) fn around_login_request(
        &mut self,
        _now: Duration,
        id: ConnectionId,
        frame: &mut [u8],
    ) -> Result<(), Violation> {
        self.login_request(id, frame)
    }

    #[inline]
    pub(super) fn around_login_answer(
        &mut self,
        now: Duration,
        id: ConnectionId,
        frame: &mut [u8],
    ) -> Result<(), Violation> {
        self.login_answer(now, id, frame)
    }

    #[inline]
    pub(super) fn around_complete(&mut self, now: Duration, id: ConnectionId, channel: Channel) {
        self.complete(now, id, channel);
    }

    #[inline]
    pub(super) fn around_dispatch(
        &mut self,
        now: Duration,
        from: Sender,
        header: &Header,
        payload: &[u8],
    ) -> Result<(), Violation> {
        self.dispatch(now, from, header, payload)
    }

    #[inline]
    pub(super) fn around_seal_and_queue(
        &mut self,
        to: ConnectionId,
        typ: FrameType,
        sid: Sid,
        uid: Uid,
        payload: &[u8],
    ) -> bool {
        self.seal_and_queue(to, typ, sid, uid, payload)
    }

    #[inline]
    pub(super) fn around_end(&mut self, id: ConnectionId, why: Ending) {
        self.end(id, why);
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
    pub(super) fn around_draw_sid(&mut self) -> Result<Sid, Refusal> {
        self.draw_sid()
    }

    #[inline]
    pub(super) fn around_decide(&mut self, sid: Sid, uid: Uid, decision: Invitation) {
        self.decide(sid, uid, decision);
    }

    #[inline]
    pub(super) fn around_conclude(&mut self, sid: Sid) {
        self.conclude(sid);
    }

    #[inline]
    pub(super) fn around_lapse(&mut self, sid: Sid) {
        self.invitation_lapses(sid);
    }

    #[inline]
    pub(super) fn around_creator_left(&mut self, sid: Sid) {
        self.creator_left(sid);
    }

    #[inline]
    pub(super) fn around_go_live(&mut self, sid: Sid, creator: Uid, accepted: &[Uid]) -> Result<(), Refusal> {
        self.go_live(sid, creator, accepted)
    }

    #[inline]
    pub(super) fn around_recipient_decided(&mut self, number: u64, recipient: Uid, failed: bool) {
        self.recipient_decided(number, recipient, failed);
    }

    #[inline]
    #[allow(clippy::unused_self, reason = "as with the feature")]
    pub(super) fn around_offline_recipients(&mut self, _number: u64, _others: &[Uid]) {}

    #[inline]
    pub(super) fn around_close(&mut self, now: Duration, sid: Sid, closer: Uid) -> Result<(), Refusal> {
        self.close(now, sid, closer)
    }
}
