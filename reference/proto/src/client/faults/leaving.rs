//! What leaves: fields, numbers, macs and payloads.

use core::time::Duration;

use super::super::Client;
use super::super::link::Phase;
use super::reading::{LATE, VERY_LATE};
use super::{Broken, Out, Quirk};
use crate::frame::{Deframer, FrameType, HEADER_LEN, Header, MAC_LEN};
use crate::ids::{Sid, Uid};
use crate::login::{Channel, Exhausted};
use crate::payload::Presence;

const OK: &[u8] = b"OK";

impl Client {
    /// Sends a frame as the fault would have it: changed, twice, later, or not at all.
    pub(super) fn faulty_send(
        &mut self,
        fault: Quirk,
        now: Duration,
        typ: FrameType,
        sid: Sid,
        payload: Vec<u8>,
    ) -> bool {
        let mut out = Out { typ, sid, payload };
        if self.broken.link.mute == Some(typ) {
            return true;
        }
        let is_error = typ == FrameType::MsgRes && out.payload != OK;
        self.change_sid(fault, &mut out);
        self.change_payload(fault, is_error, &mut out);
        if typ == FrameType::InviteRes {
            self.broken.choices.insert(sid, out.payload.clone());
            self.broken.link.chosen.insert(sid);
        }
        let left_out = match fault {
            Quirk::BadLineUnanswered => is_error,
            Quirk::SecondLineUnanswered => typ == FrameType::MsgRes && self.broken.link.lines_in_read > 1,
            Quirk::ProbesAnsweredOnce => typ == FrameType::StatusRes && self.broken.link.probes_in_read > 1,
            Quirk::BusyProbeUnanswered => {
                let asks = self.online().is_some_and(|online| !online.open.queries.is_empty());
                typ == FrameType::StatusRes && self.broken.link.current.is_some() && asks
            }
            Quirk::SecondProbeUnanswered => typ == FrameType::StatusRes && self.broken.link.probes > 1,
            _ => false,
        };
        if left_out {
            return true;
        }
        match fault {
            Quirk::WritingForgetsPart => self.deframer = Deframer::new(),
            Quirk::AnswersSwapped | Quirk::StatusFirst if typ == FrameType::MsgRes => {
                self.broken.link.answers.push(out);
                return true;
            }
            Quirk::AnswersLate => {
                self.broken.link.frames_later.push_back((now + LATE, out));
                return true;
            }
            Quirk::LineAnswersLate if typ == FrameType::MsgRes => {
                let link = &mut self.broken.link;
                let first = !core::mem::replace(&mut link.answered_late, true);
                let waits = link.frames_later.back().map(|(due, _)| *due);
                if let Some(due) = waits.or(first.then_some(now + VERY_LATE)) {
                    link.frames_later.push_back((due, out));
                    return true;
                }
            }
            Quirk::ProbeAnswersLate if typ == FrameType::StatusRes => {
                self.broken.link.frames_later.push_back((now + LATE, out));
                return true;
            }
            Quirk::ProbeAnswersLate => self.send_what_waits(now),
            Quirk::NumberUsedTwice if typ == FrameType::MsgRes => self.go_back_by_one(),
            _ => {}
        }
        let sent = self.send(now, typ, out.sid, &out.payload);
        if fault == Quirk::AnswersTwice && typ == FrameType::InviteRes {
            self.send(now, typ, out.sid, &out.payload);
        }
        if fault == Quirk::NumberSkippedAfterError && is_error {
            self.skip_number();
        }
        if let (Quirk::AnewLate, Phase::Online(online)) = (fault, &mut self.phase)
            && sent
            && let Some(spent) = &mut online.spent
        {
            *spent += Duration::from_secs(4);
        }
        sent
    }

    pub(super) fn send_what_is_due(&mut self, now: Duration) {
        while self.broken.link.frames_later.front().is_some_and(|(at, _)| *at <= now)
            && let Some((_, Out { typ, sid, payload })) = self.broken.link.frames_later.pop_front()
        {
            self.send(now, typ, sid, &payload);
        }
    }

    /// What is to be sent later is sent now, since the connection ends or something else is said.
    pub(super) fn send_what_waits(&mut self, now: Duration) {
        for (_, Out { typ, sid, payload }) in core::mem::take(&mut self.broken.link.frames_later) {
            self.send(now, typ, sid, &payload);
        }
    }

    pub(super) fn skip_number(&mut self) {
        if let Phase::Online(online) = &mut self.phase
            && let Some(next) = online.channel.next_out()
        {
            online.channel.skip_out(next);
        }
    }

    fn go_back_by_one(&mut self) {
        if let Phase::Online(online) = &mut self.phase
            && let Some(next) = online.channel.next_out()
        {
            online.channel.set_next_out(Some(next.saturating_sub(1)));
        }
    }

    fn change_sid(&mut self, fault: Quirk, out: &mut Out) {
        out.sid = match (fault, out.typ) {
            (Quirk::AnswersSidZero, FrameType::InviteRes)
            | (Quirk::AnswersSidOfNone, FrameType::MsgRes)
            | (Quirk::LineSidZero, FrameType::MsgReq) => Sid::NONE,
            (Quirk::SidBackwards, FrameType::InviteRes) => Sid(out.sid.0.swap_bytes()),
            (Quirk::InitWithSid, FrameType::InitReq) => Sid(1),
            (Quirk::ProbeAnswerWithSid, FrameType::StatusRes) => self.broken.last_sid,
            _ => out.sid,
        };
    }

    fn change_payload(&mut self, fault: Quirk, is_error: bool, out: &mut Out) {
        match (fault, out.typ) {
            (Quirk::ChoiceWithLf, FrameType::InviteRes) => out.payload.push(b'\n'),
            (Quirk::AlwaysAccepts, FrameType::InviteRes) => out.payload = b"Accept".to_vec(),
            (Quirk::OnlineInLowerCase, FrameType::StatusRes) => out.payload.make_ascii_lowercase(),
            (Quirk::OfflineWithoutSession, FrameType::StatusRes) if self.is_in_no_session() => {
                out.payload = Presence::Offline.as_bytes().to_vec();
            }
            (Quirk::OfflineForGood, FrameType::StatusRes) if self.broken.left => {
                out.payload = Presence::Offline.as_bytes().to_vec();
            }
            (Quirk::LastLineWithoutLf, FrameType::MsgReq) | (Quirk::InvitedWithoutLf, FrameType::InitReq) => {
                out.payload.pop();
            }
            (Quirk::OpensAnything, FrameType::MsgRes) => out.payload = OK.to_vec(),
            (Quirk::EmptyErrorText, _) if is_error => out.payload.clear(),
            (Quirk::TextInErrors, _) if is_error => {
                if let Some(leak) = self.broken.leak.take().filter(|leak| !leak.is_empty() && leak != "OK") {
                    out.payload = leak.into_bytes();
                }
            }
            (_, FrameType::InitReq) => self.change_names(fault, &mut out.payload),
            _ if is_error => {
                if let Some(text) = Self::habitual_text(fault) {
                    out.payload = text;
                }
            }
            _ => {}
        }
    }

    /// Otherwise written names of the invited.
    fn change_names(&mut self, fault: Quirk, payload: &mut Vec<u8>) {
        let text = String::from_utf8_lossy(payload).into_owned();
        let mut names: Vec<&str> = text.lines().collect();
        let me = format!("{}\n", self.me());
        *payload = match fault {
            Quirk::LinesEndedByCrLf => text.replace('\n', "\r\n"),
            Quirk::NamesCreator => me + &text,
            Quirk::InvitedInCapitals => text.to_uppercase(),
            Quirk::InvitedSorted => {
                names.sort_unstable();
                names.iter().map(|name| format!("{name}\n")).collect()
            }
            Quirk::LastInvitedLost if names.len() > 1 => {
                names.iter().take(names.len() - 1).map(|name| format!("{name}\n")).collect()
            }
            Quirk::InvitedShort => names.iter().map(|name| format!("{}\n", name.trim_start_matches('0'))).collect(),
            _ => return,
        }
        .into_bytes();
    }

    fn is_in_no_session(&self) -> bool {
        !self.memory.sessions.values().any(|session| !session.closed)
    }
}

impl Broken {
    /// Seals as the fault would have it.
    pub(super) fn seal(
        &mut self,
        fault: Quirk,
        channel: &mut Channel,
        typ: FrameType,
        sid: Sid,
        mut uid: Uid,
        payload: &[u8],
    ) -> Result<Vec<u8>, Exhausted> {
        let current = self.link.current.map_or(Uid::SERVER, |header| header.uid);
        let is_farewell = typ == FrameType::StatusRes && payload == Presence::Offline.as_bytes();
        match fault {
            Quirk::UidZeroSent if typ == FrameType::StatusRes => uid = Uid::SERVER,
            Quirk::UidOfAuthor if typ == FrameType::MsgRes => uid = current,
            Quirk::UidOfInviter if typ == FrameType::InviteRes => {
                uid = self.inviters.get(&sid).copied().unwrap_or(uid);
            }
            Quirk::FarewellUnnumbered if is_farewell => {
                let next = channel.next_out();
                channel.set_next_out(next.map(|next| next.saturating_sub(1)));
            }
            Quirk::WrapsToZero if channel.next_out().is_none() => channel.set_next_out(Some(0)),
            _ => {}
        }
        // What a fault makes too long for a frame is cut: it breaks its rule all the same.
        let payload = payload.get(..crate::frame::MAX_PAYLOAD).unwrap_or(payload);
        let sqn = channel.next_out().ok_or(Exhausted)?;
        if fault == Quirk::OpenAfterLast && sqn == 0 {
            return Err(Exhausted);
        }
        let right = channel.seal(typ, sid, uid, payload)?;
        let header = Header::for_payload(typ, sqn, sid, uid, payload.len(), false);
        let cipher = channel.cipher_out();
        // Sealed under one header, sent with another.
        let under = |other: Header| {
            let mut frame = cipher.seal_with_nonce_of(sqn, &other, payload);
            frame[..HEADER_LEN].copy_from_slice(&header.encode());
            frame
        };
        let frame = match fault {
            Quirk::VersionOfMsgRes if typ == FrameType::MsgRes => {
                cipher.seal(&Header { ver: 0x0101, ..header }, payload, None)
            }
            Quirk::EpdTooLong if !payload.is_empty() => {
                let mut frame = cipher.seal(&Header { len: header.len.saturating_add(4), ..header }, payload, None);
                frame.extend_from_slice(&[0; 4]);
                frame
            }
            Quirk::NumberBackwards if sqn > 0xff => {
                cipher.seal(&Header { sqn: sqn.swap_bytes(), ..header }, payload, None)
            }
            Quirk::SidUnsealed => under(Header { sid: Sid::NONE, ..header }),
            Quirk::UidUnsealed => under(Header { uid: Uid::SERVER, ..header }),
            Quirk::NumberUnsealed => under(Header { sqn: 0, ..header }),
            Quirk::MacOfTail if typ == FrameType::MsgRes => {
                let mut frame = right;
                // The tag's last four bytes are not known here: any others will do.
                let end = frame.len();
                frame.copy_within(end - MAC_LEN + 4.., end - MAC_LEN);
                frame[end - 4..].fill(0x5a);
                frame
            }
            Quirk::NonceOneByte if sqn > 0xff => cipher.seal_with_nonce_of(sqn & 0xff, &header, payload),
            Quirk::NonceLittleEndian if sqn > 0xff => cipher.seal_with_nonce_of(sqn.swap_bytes(), &header, payload),
            Quirk::NonceOfResponses if typ == FrameType::InviteRes => cipher.seal_with_nonce_of(0, &header, payload),
            _ => right,
        };
        match fault {
            // Whoever asks whether all numbers are used up hears that they are not, or one too early.
            Quirk::OpenAfterLast | Quirk::WrapsToZero if sqn == u16::MAX => channel.set_next_out(Some(0)),
            Quirk::WrapsBehindQuestion if sqn == u16::MAX && typ == FrameType::StatusReq => {
                channel.set_next_out(Some(0));
            }
            Quirk::LastNotUsed if sqn == u16::MAX - 1 => channel.set_next_out(None),
            _ => {}
        }
        Ok(frame)
    }
}
