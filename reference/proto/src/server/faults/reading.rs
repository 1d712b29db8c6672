//! How a read is cut into frames, and in which order they count.

use core::time::Duration;

use super::super::connection::{Phase, Sender};
use super::super::machine::Server;
use super::super::{ConnectionId, Ending, Violation};
use super::Quirk;
use crate::frame::{Deframer, FrameType, HEADER_LEN, Header, MIN_LOGIN_LEN};
use crate::ids::Sid;
use crate::quirks;

/// Unread bytes of one user that hold up all others: as much as the buffers below a server take.
const SLOW: usize = 512 << 10;

impl Server {
    pub(super) fn read(&mut self, fault: Quirk, now: Duration, id: ConnectionId, bytes: &[u8]) {
        if self.broken.deaf.contains(&id) {
            return;
        }
        if let Some(why) = self.broken.late.remove(&id) {
            self.end(id, why);
            self.settle(now);
            return;
        }
        match fault {
            Quirk::HeaderSplitCloses => {
                self.feed(now, id, bytes);
                let within = self.connections.get(&id).map_or(0, |connection| connection.deframer.partial());
                if (1..HEADER_LEN).contains(&within) {
                    self.end(id, Ending::Peer);
                    self.settle(now);
                }
            }
            Quirk::SlowReaderStallsAll => {
                let unread = self.mailboxes.values().any(|mailbox| mailbox.unanswered() > SLOW);
                if unread || self.connections.values().any(|connection| connection.queued > SLOW) {
                    self.broken.stalled.push((id, bytes.to_vec()));
                    return;
                }
                for (id, bytes) in core::mem::take(&mut self.broken.stalled) {
                    self.feed(now, id, &bytes);
                }
                self.feed(now, id, bytes);
            }
            Quirk::LoginLengthUnchecked | Quirk::FirstTypeIgnored | Quirk::HeaderAwaitsFrame | Quirk::HeadersLate => {
                self.read_frames(fault, now, id, bytes);
            }
            _ if Self::cuts(fault) && self.is_logged_in(id) => self.read_frames(fault, now, id, bytes),
            _ => self.feed(now, id, bytes),
        }
        self.flush_mixed_answers();
    }

    fn cuts(fault: Quirk) -> bool {
        matches!(
            fault,
            Quirk::LengthBelow36
                | Quirk::UnknownTypeIgnored
                | Quirk::DirectionIgnored
                | Quirk::InitResFromClient
                | Quirk::NoticeAcknowledged
                | Quirk::ReplayDropped
                | Quirk::BadMacIgnored
                | Quirk::SecondFrameLost
                | Quirk::ManyFramesLost
                | Quirk::OneFrameARead
                | Quirk::PayloadSplitLost
                | Quirk::BehindViolationHasEffect
                | Quirk::BehindFarewell
                | Quirk::MessagesLater
                | Quirk::QuestionsFirst
                | Quirk::LastWordsLost
                | Quirk::AnswersMixed
        )
    }

    fn is_logged_in(&mut self, id: ConnectionId) -> bool {
        let clean = self.connections.get(&id).is_some_and(|connection| connection.deframer.partial() == 0);
        (clean || self.broken.partial.contains_key(&id)) && self.member(id).is_some()
    }

    fn read_frames(&mut self, fault: Quirk, now: Duration, id: ConnectionId, bytes: &[u8]) {
        let mut buffer = self.broken.partial.remove(&id).unwrap_or_default();
        buffer.extend_from_slice(bytes);
        if fault == Quirk::LoginLengthUnchecked && self.login_of_any_length(now, id, &mut buffer) {
            self.broken.partial.insert(id, buffer);
            return;
        }
        let (mut frames, mut rest) = quirks::cut(&buffer, fault == Quirk::LengthBelow36);
        if fault == Quirk::OneFrameARead && frames.len() > 1 {
            let later: Vec<u8> = frames.drain(1..).flatten().collect();
            rest = [later, rest].concat();
        }
        if fault == Quirk::PayloadSplitLost && rest.len() >= HEADER_LEN {
            rest.clear();
        }
        let mut at = 0;
        while let Some(frame) = frames.pop_front() {
            self.broken.next_in_read = frames.front().and_then(|next| next.first_chunk()).map(Header::decode);
            if self.loses(fault, id, at, &frame) {
                self.count_as_seen(fault, id, &frame);
            } else {
                self.feed(now, id, &frame);
            }
            self.go_on_after_violation(fault, id, &frame, !frames.is_empty());
            at += 1;
        }
        self.broken.next_in_read = None;
        if let Some(why) = self.broken.late.remove(&id) {
            self.end(id, why);
            self.settle(now);
        }
        self.broken.partial.insert(id, rest);
    }

    /// Whether the frame is dropped unseen.
    fn loses(&mut self, fault: Quirk, id: ConnectionId, at: usize, frame: &[u8]) -> bool {
        let Some(header) = frame.first_chunk().map(Header::decode) else { return false };
        let typ = header.kind();
        match fault {
            Quirk::SecondFrameLost => at == 1,
            Quirk::ManyFramesLost => at >= 16,
            Quirk::UnknownTypeIgnored => typ.is_none(),
            Quirk::DirectionIgnored => typ.is_some_and(|typ| !typ.from_client()),
            Quirk::InitResFromClient => typ == Some(FrameType::InitRes),
            Quirk::NoticeAcknowledged => {
                typ == Some(FrameType::CloseRes) && header.sid != Sid::NONE && !self.sessions.contains_key(&header.sid)
            }
            Quirk::LastWordsLost => {
                let next = self.broken.next_in_read.and_then(|next| next.kind());
                next == Some(FrameType::StatusRes) && matches!(typ, Some(FrameType::MsgRes | FrameType::CloseReq))
            }
            Quirk::ReplayDropped => self.member(id).is_some_and(|member| header.sqn <= member.channel.last_in()),
            Quirk::BadMacIgnored => {
                let Some(member) = self.member(id) else { return false };
                let (_, mac) = quirks::decrypt(member.channel.cipher_in(), frame);
                frame.last_chunk() != Some(&mac)
            }
            Quirk::FirstTypeIgnored => {
                let first = self.connections.get(&id).is_some_and(|c| matches!(c.phase, Phase::Request));
                first && typ != Some(FrameType::StatusReq)
            }
            _ => false,
        }
    }

    fn count_as_seen(&mut self, fault: Quirk, id: ConnectionId, frame: &[u8]) {
        let counts = matches!(
            fault,
            Quirk::UnknownTypeIgnored
                | Quirk::DirectionIgnored
                | Quirk::InitResFromClient
                | Quirk::NoticeAcknowledged
                | Quirk::LastWordsLost
                | Quirk::BadMacIgnored
        );
        let header = frame.first_chunk().map(Header::decode);
        if let (true, Some(header), Some(member)) = (counts, header, self.member(id)) {
            member.channel.accept_number(header.sqn);
        }
    }

    /// A frame that broke a rule must not keep those behind it from being looked at.
    fn go_on_after_violation(&mut self, fault: Quirk, id: ConnectionId, frame: &[u8], more: bool) {
        if fault != Quirk::BehindViolationHasEffect || !more || !self.broken.late.contains_key(&id) {
            return;
        }
        let header = frame.first_chunk().map(Header::decode);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.deframer = Deframer::new();
        }
        if let (Some(header), Some(member)) = (header, self.member(id))
            && header.sqn == member.channel.last_in().wrapping_add(1)
        {
            member.channel.accept_number(header.sqn);
        }
    }

    /// A login request of which 292 bytes are there, whatever its `len` says. Gives whether it goes on waiting.
    fn login_of_any_length(&mut self, now: Duration, id: ConnectionId, buffer: &mut Vec<u8>) -> bool {
        if !self.connections.get(&id).is_some_and(|c| matches!(c.phase, Phase::Request)) {
            return false;
        }
        if buffer.len() < MIN_LOGIN_LEN {
            return true;
        }
        let says = buffer.first_chunk().map_or(0, |bytes| usize::from(Header::decode(bytes).len));
        if says >= MIN_LOGIN_LEN {
            return false;
        }
        let mut request: Vec<u8> = buffer.drain(..MIN_LOGIN_LEN).collect();
        if let Err(violation) = self.faulty_login_request(Quirk::LoginLengthUnchecked, now, id, &mut request) {
            self.end(id, Ending::Violation(violation));
        }
        true
    }

    /// Keeps a frame back until the next one of its read is done with. `Some`: it is kept.
    pub(super) fn hold(
        &mut self,
        fault: Quirk,
        from: Sender,
        header: &Header,
        payload: &[u8],
    ) -> Option<Result<(), Violation>> {
        let next = self.broken.next_in_read.and_then(|next| next.kind());
        let typ = header.kind();
        let waits = match fault {
            Quirk::MessagesLater => typ == Some(FrameType::MsgReq) && next.is_some_and(|n| n != FrameType::MsgReq),
            Quirk::QuestionsFirst => typ != Some(FrameType::StatusReq) && next == Some(FrameType::StatusReq),
            Quirk::InitHoldsConnection => {
                let asks = matches!(typ, Some(FrameType::MsgReq | FrameType::CloseReq | FrameType::StatusReq));
                asks && self.member(from.id).is_some_and(|member| member.own_init.is_some())
            }
            _ => false,
        };
        if !waits {
            return None;
        }
        self.broken.held.push((from, *header, payload.to_vec()));
        Some(Ok(()))
    }

    /// Deals with what was kept back, as far as it can go on.
    pub(super) fn go_on_with_held(&mut self, now: Duration) {
        let fault = self.broken.fault;
        for (from, header, payload) in core::mem::take(&mut self.broken.held) {
            let still = match fault {
                Some(Quirk::InitHoldsConnection) => {
                    self.member(from.id).is_some_and(|member| member.own_init.is_some())
                }
                _ => {
                    let current = self.broken.current.as_ref().map(|(from, header, _)| (from.id, header.sqn));
                    current == Some((from.id, header.sqn))
                }
            };
            if still {
                self.broken.held.push((from, header, payload));
            } else if let Err(violation) = self.dispatch(now, from, &header, &payload) {
                self.end(from.id, Ending::Violation(violation));
            }
        }
    }
}
