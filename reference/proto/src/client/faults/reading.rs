//! How a read is cut into frames, and in which order they count.

use core::time::Duration;

use super::super::link::Phase;
use super::super::{Client, End, Violation};
use super::{Out, Quirk};
use crate::frame::{Deframer, FrameType, HEADER_LEN, Header};
use crate::quirks;

/// How late a client with a habit reads or sends.
pub(super) const LATE: Duration = Duration::from_millis(20);
pub(super) const VERY_LATE: Duration = Duration::from_millis(1200);

impl Client {
    pub(super) fn read(&mut self, fault: Quirk, now: Duration, bytes: &[u8]) {
        if matches!(fault, Quirk::EventsLate | Quirk::FinOvertakes) {
            self.broken.link.bytes_later.push_back((now + LATE, bytes.to_vec()));
            return;
        }
        if !self.broken.part.is_empty() {
            let bytes = [core::mem::take(&mut self.broken.part), bytes.to_vec()].concat();
            return self.receive_bytes(now, &bytes);
        }
        if self.broken.link.deaf {
            return;
        }
        if let Some(end) = self.broken.link.late.take() {
            self.end(end);
            return;
        }
        self.broken.link.lines_in_read = 0;
        self.broken.link.probes_in_read = 0;
        if Self::cuts(fault) && self.can_cut(fault) {
            self.read_frames(fault, now, bytes);
        } else {
            self.receive_bytes(now, bytes);
        }
        if fault == Quirk::HeaderSplitCloses && (1..HEADER_LEN).contains(&self.deframer.partial()) {
            self.end(End::Failed("half a header".to_owned()));
        }
        self.send_answers(fault, now);
        self.after_login(fault, now);
    }

    pub(super) fn read_what_is_due(&mut self, now: Duration) {
        while self.broken.link.bytes_later.front().is_some_and(|(at, _)| *at <= now)
            && let Some((_, bytes)) = self.broken.link.bytes_later.pop_front()
        {
            self.receive_bytes(now, &bytes);
        }
    }

    fn cuts(fault: Quirk) -> bool {
        matches!(
            fault,
            Quirk::LengthBelow36
                | Quirk::UnknownTypeIgnored
                | Quirk::DirectionIgnored
                | Quirk::InviteResFromServer
                | Quirk::ReplayDropped
                | Quirk::BadMacIgnored
                | Quirk::SecondFrameLost
                | Quirk::ManyFramesLost
                | Quirk::OneFrameARead
                | Quirk::PayloadSplitLost
                | Quirk::BehindViolationHasEffect
                | Quirk::MessagesLater
                | Quirk::NoticesFirst
                | Quirk::HeaderAwaitsFrame
                | Quirk::HeadersLate
                | Quirk::ProbeAwaitedOthersSkipped
        )
    }

    fn can_cut(&self, fault: Quirk) -> bool {
        let always = matches!(fault, Quirk::HeaderAwaitsFrame | Quirk::HeadersLate | Quirk::ProbeAwaitedOthersSkipped);
        let clean = self.deframer.partial() == 0;
        always || matches!(self.phase, Phase::Online(_)) && (clean || !self.broken.link.partial.is_empty())
    }

    fn read_frames(&mut self, fault: Quirk, now: Duration, bytes: &[u8]) {
        let mut buffer = core::mem::take(&mut self.broken.link.partial);
        buffer.extend_from_slice(bytes);
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
            self.broken.link.next_in_read = frames.front().and_then(|next| next.first_chunk()).map(Header::decode);
            if self.loses(fault, at, &frame) {
                self.count_as_seen(fault, &frame);
            } else {
                self.receive_bytes(now, &frame);
            }
            if fault == Quirk::BehindViolationHasEffect && self.broken.link.late.is_some() && !frames.is_empty() {
                self.deframer = Deframer::new();
                self.count_next(&frame);
            }
            at += 1;
        }
        self.broken.link.next_in_read = None;
        if let Some(end) = self.broken.link.late.take() {
            self.end(end);
        }
        self.broken.link.partial = rest;
    }

    /// Whether the frame is dropped unseen.
    fn loses(&mut self, fault: Quirk, at: usize, frame: &[u8]) -> bool {
        let Some(header) = frame.first_chunk().map(Header::decode) else { return false };
        let typ = header.kind();
        match (fault, &self.phase) {
            (Quirk::SecondFrameLost, _) => at == 1,
            (Quirk::ManyFramesLost, _) => at >= 16,
            (Quirk::UnknownTypeIgnored, _) => typ.is_none(),
            (Quirk::DirectionIgnored, _) => typ.is_some_and(|typ| !typ.from_server()),
            (Quirk::InviteResFromServer, _) => typ == Some(FrameType::InviteRes),
            (Quirk::ProbeAwaitedOthersSkipped, Phase::Probe { .. }) => typ != Some(FrameType::StatusReq),
            (Quirk::ReplayDropped, Phase::Online(online)) => header.sqn <= online.channel.last_in(),
            (Quirk::BadMacIgnored, Phase::Online(online)) => {
                let (_, mac) = quirks::decrypt(online.channel.cipher_in(), frame);
                frame.last_chunk() != Some(&mac)
            }
            _ => false,
        }
    }

    fn count_as_seen(&mut self, fault: Quirk, frame: &[u8]) {
        let counts = matches!(
            fault,
            Quirk::UnknownTypeIgnored | Quirk::DirectionIgnored | Quirk::InviteResFromServer | Quirk::BadMacIgnored
        );
        if counts {
            self.count_next(frame);
        }
    }

    fn count_next(&mut self, frame: &[u8]) {
        let header = frame.first_chunk().map(Header::decode);
        if let (Some(header), Phase::Online(online)) = (header, &mut self.phase)
            && header.sqn == online.channel.last_in().wrapping_add(1)
        {
            online.channel.accept_number(header.sqn);
        }
    }

    /// Keeps a frame back until the next one of its read is done with.
    pub(super) fn holds(&mut self, fault: Quirk, header: Header, payload: &[u8]) -> bool {
        let next = self.broken.link.next_in_read.and_then(|next| next.kind());
        let typ = header.kind();
        let waits = match fault {
            Quirk::MessagesLater => {
                typ == Some(FrameType::MsgReq) && next.is_some_and(|next| next != FrameType::MsgReq)
            }
            Quirk::NoticesFirst => typ != Some(FrameType::CloseRes) && next == Some(FrameType::CloseRes),
            _ => false,
        };
        if waits {
            self.broken.link.held.push((header, payload.to_vec()));
        }
        waits
    }

    /// Deals with what was kept back before this frame.
    pub(super) fn go_on_with_held(&mut self, now: Duration) -> Result<(), Violation> {
        for (header, payload) in core::mem::take(&mut self.broken.link.held) {
            self.receive(now, header, &payload)?;
        }
        Ok(())
    }

    /// Answers that were kept until the end of the read.
    fn send_answers(&mut self, fault: Quirk, now: Duration) {
        let mut answers = core::mem::take(&mut self.broken.link.answers);
        if fault == Quirk::AnswersSwapped {
            answers.reverse();
        }
        for Out { typ, sid, payload } in answers {
            self.send(now, typ, sid, &payload);
        }
    }
}
