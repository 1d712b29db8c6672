//! What leaves: fields, numbers, macs and payloads.

use core::time::Duration;

use super::super::ConnectionId;
use super::super::connection::{Connection, Phase};
use super::super::machine::Server;
use super::super::refusal::Refusal;
use super::{Broken, Out, Quirk};
use crate::frame::{Deframer, FrameType, Header, MAC_LEN};
use crate::ids::{Sid, Uid};
use crate::login::{Channel, Exhausted};

const OK: &[u8] = b"OK";

impl Server {
    /// Sends a frame as the fault would have it: changed, twice, later, or not at all.
    pub(super) fn leave(&mut self, fault: Quirk, to: ConnectionId, mut out: Out) -> bool {
        if self.broken.mute == Some(out.typ) {
            return true;
        }
        if self.is_error(&out)
            && let Some(text) = Self::habitual_text(fault)
        {
            out.payload = text;
        }
        if let Some(late) = self.lateness(fault, &out) {
            self.send_later(fault, to, late, out);
            return true;
        }
        let me = self.user_of(to).unwrap_or(Uid::SERVER);
        self.change_uid(fault, me, to, &mut out);
        self.change_sid(fault, &mut out);
        self.change_payload(fault, &mut out);
        if self.is_left_out(fault, me, to, &out) {
            return true;
        }
        if fault == Quirk::MsgResLate && out.typ == FrameType::MsgRes && self.current_is(FrameType::MsgRes) {
            self.broken.delayed.push((self.broken.now + Duration::from_secs(3), to, out));
            return true;
        }
        if fault == Quirk::QueuedTimedFromArrival && out.typ == FrameType::InviteReq {
            self.time_from_arrival(out.sid, out.uid);
        }
        if fault == Quirk::QueuesLazily && out.typ == FrameType::MsgReq {
            self.broken.delayed.push((self.broken.now + Duration::from_millis(100), to, out));
            return true;
        }
        if fault == Quirk::NumberUsedTwice && self.is_notice(to, &out) {
            let last = self.member(to).and_then(|member| member.channel.next_out());
            if let (Some(last), Some(member)) = (last, self.member(to)) {
                member.channel.set_next_out(Some(last.saturating_sub(1)));
            }
        }
        if fault == Quirk::WritingForgetsPart
            && let Some(connection) = self.connections.get_mut(&to)
        {
            connection.deframer = Deframer::new();
        }
        let sent = self.seal_and_queue(to, out.typ, out.sid, out.uid, &out.payload);
        let again = match fault {
            Quirk::InvitesTwice => out.typ == FrameType::InviteReq,
            Quirk::InitResTwice => out.typ == FrameType::InitRes && out.payload == OK,
            Quirk::SentTwice => out.typ == FrameType::MsgReq,
            Quirk::NotifiedTwice => self.is_notice(to, &out),
            Quirk::StatusTwice => out.typ == FrameType::StatusRes && out.sid == Sid::NONE,
            _ => false,
        };
        if again {
            self.send_as_it_is(to, &out);
        }
        if fault == Quirk::NumberSkippedAfterError && self.is_error(&out) {
            self.skip_number(to);
        }
        sent
    }

    pub(super) fn send_delayed(&mut self, now: Duration) {
        let (due, waits) = core::mem::take(&mut self.broken.delayed).into_iter().partition(|(at, ..)| *at <= now);
        self.broken.delayed = waits;
        let mut due: Vec<(Duration, ConnectionId, Out)> = due;
        // Stable: what is due at the same time keeps its order.
        due.sort_by_key(|(at, ..)| *at);
        for (_, to, out) in due {
            self.send_as_it_is(to, &out);
        }
    }

    pub(super) fn current_is(&self, typ: FrameType) -> bool {
        self.broken.current.as_ref().is_some_and(|(_, header, _)| header.kind() == Some(typ))
    }

    /// A close_res that answers no close_req.
    pub(super) fn is_notice(&self, to: ConnectionId, out: &Out) -> bool {
        let answers = self.current_is(FrameType::CloseReq)
            && self.broken.current.as_ref().is_some_and(|(from, ..)| from.id == to);
        out.typ == FrameType::CloseRes && out.payload == OK && !answers
    }

    #[allow(clippy::unused_self, reason = "reads as a question to the server")]
    fn is_error(&self, out: &Out) -> bool {
        matches!(out.typ, FrameType::InitRes | FrameType::MsgRes | FrameType::CloseRes) && out.payload != OK
    }

    /// Whether a connection of the user has sent step 1 of a login, and not step 4.
    fn is_half_way(&self, user: Uid) -> bool {
        let half_way = |connection: &Connection| matches!(&connection.phase, Phase::Answer(half) if half.uid() == user);
        self.connections.values().any(half_way)
    }

    fn skip_number(&mut self, to: ConnectionId) {
        if let Some(member) = self.member(to)
            && let Some(next) = member.channel.next_out()
        {
            member.channel.skip_out(next);
        }
    }

    fn change_uid(&mut self, fault: Quirk, me: Uid, to: ConnectionId, out: &mut Out) {
        let typ = out.typ;
        let notice = self.is_notice(to, out);
        let uid = match fault {
            Quirk::LineWithoutAuthor if typ == FrameType::MsgReq => Uid::SERVER,
            Quirk::LineOfRecipient if typ == FrameType::MsgReq => me,
            Quirk::InviteWithoutCreator if typ == FrameType::InviteReq => Uid::SERVER,
            Quirk::NoticeWithoutCloser if notice && !self.broken.lapsing => Uid::SERVER,
            Quirk::NoticeOfRecipient if notice => me,
            Quirk::LapseWithoutCreator if notice && self.broken.lapsing => Uid::SERVER,
            Quirk::MsgResOfRecipient if typ == FrameType::MsgRes => me,
            Quirk::InitResOfCreator if typ == FrameType::InitRes => me,
            Quirk::CloseResOfCloser if typ == FrameType::CloseRes && !notice && out.payload == OK => me,
            Quirk::StatusOfAsker if typ == FrameType::StatusRes && out.sid == Sid::NONE => me,
            _ => return,
        };
        out.uid = uid;
    }

    fn change_sid(&mut self, fault: Quirk, out: &mut Out) {
        let asked = self.broken.current.as_ref().map_or(Sid::NONE, |(_, header, _)| header.sid);
        let ok = out.payload == OK;
        let failed = Refusal::NobodyAccepted.to_string().into_bytes();
        let sid = match (fault, out.typ) {
            (Quirk::SidBackwards, FrameType::StatusRes) => Sid(out.sid.0.swap_bytes()),
            (Quirk::InitErrorKeepsSid, FrameType::InitRes) if !ok => asked,
            (Quirk::MsgErrorWithoutSid, FrameType::MsgRes) if !ok => Sid::NONE,
            (Quirk::CloseErrorWithoutSid, FrameType::CloseRes) if !ok => Sid::NONE,
            (Quirk::CloseResSidZero, FrameType::CloseRes) if ok && self.current_is(FrameType::CloseReq) => Sid::NONE,
            (Quirk::InitResWithoutSid, FrameType::InitRes) => Sid::NONE,
            (Quirk::FailedKeepsSid, FrameType::InitRes) if out.payload == failed => {
                self.broken.sids.last().copied().unwrap_or(Sid::NONE)
            }
            (Quirk::LinesSidZero, FrameType::MsgReq) => Sid::NONE,
            (Quirk::UnknownSidZero, FrameType::StatusRes) if out.payload == b"Offline" && out.uid == Uid::SERVER => {
                Sid::NONE
            }
            (Quirk::RosterSidZero, FrameType::StatusRes) if out.uid != Uid::SERVER => Sid::NONE,
            _ => return,
        };
        out.sid = sid;
    }

    fn change_payload(&mut self, fault: Quirk, out: &mut Out) {
        let line = out.typ == FrameType::MsgReq;
        let error = self.is_error(out);
        match fault {
            Quirk::OkWithLf if out.payload == OK => out.payload.push(b'\n'),
            Quirk::OnlineInLowerCase if out.typ == FrameType::StatusRes && out.payload == b"Online" => {
                out.payload = b"online".to_vec();
            }
            Quirk::ErrorNotUtf8 if error => out.payload = b"\xc3\x28".to_vec(),
            Quirk::EmptyErrorText if error => out.payload.clear(),
            Quirk::InviteWithPayload if out.typ == FrameType::InviteReq => out.payload = b"\n".to_vec(),
            Quirk::BomRemoved if line => {
                if let Some(rest) = out.payload.strip_prefix("\u{feff}".as_bytes()) {
                    out.payload = rest.to_vec();
                }
            }
            Quirk::LineWithoutLf if line => {
                out.payload.pop();
            }
            Quirk::LinesTrimmed if line => {
                let text = String::from_utf8_lossy(&out.payload).trim().to_owned();
                out.payload = format!("{text}\n").into_bytes();
            }
            Quirk::CrRemoved if line => {
                if let Some(rest) = out.payload.strip_suffix(b"\r\n") {
                    out.payload = [rest, b"\n"].concat();
                }
            }
            Quirk::LinesLowered if line => {
                out.payload = String::from_utf8_lossy(&out.payload).to_lowercase().into_bytes();
            }
            Quirk::LongLinesCut if line && out.payload.len() > 4097 => {
                out.payload.truncate(4096);
                out.payload.push(b'\n');
            }
            Quirk::EmptyLineTaken if line && out.payload == super::requests::EMPTY_LINE => {
                out.payload = b"\n".to_vec();
            }
            Quirk::AllLinesToEach if line && self.current_is(FrameType::MsgReq) => {
                if let Some((_, _, payload)) = &self.broken.current {
                    out.payload.clone_from(payload);
                }
            }
            _ => {}
        }
    }

    fn is_left_out(&mut self, fault: Quirk, me: Uid, to: ConnectionId, out: &Out) -> bool {
        let invited = |server: &Self, sid| -> Vec<Uid> {
            let init = server.inits.get(&sid);
            let online = |uid: &Uid| server.is_online(*uid);
            init.map(|init| init.invited.iter().map(|(uid, _)| *uid).filter(online).collect()).unwrap_or_default()
        };
        let failed = Refusal::NobodyAccepted.to_string().into_bytes();
        match (fault, out.typ) {
            (Quirk::FirstInvitedOnly, FrameType::InviteReq) => invited(self, out.sid).first() != Some(&me),
            (Quirk::LastNotInvited, FrameType::InviteReq) => {
                let all = invited(self, out.sid);
                all.len() > 1 && all.last() == Some(&me)
            }
            (Quirk::FailedUnanswered, FrameType::InitRes) => out.payload == failed,
            (Quirk::CloseUnanswered, FrameType::CloseRes) => out.payload == OK && !self.is_notice(to, out),
            (Quirk::OnlyCreatorNotified, FrameType::CloseRes) => {
                let roster = self.broken.rosters.get(&out.sid);
                self.is_notice(to, out) && roster.is_some_and(|roster| roster.first() != Some(&me))
            }
            (Quirk::SecondLoginDeafens, FrameType::MsgReq | FrameType::InviteReq) => self.is_half_way(me),
            (Quirk::SecondLoginDeafens, FrameType::CloseRes) => self.is_notice(to, out) && self.is_half_way(me),
            (
                Quirk::CloseTellsHundred | Quirk::CreatorGoneTellsHundred | Quirk::LapseTellsHundred,
                FrameType::CloseRes,
            ) => self.broken.told.as_mut().is_some_and(|told| {
                *told += 1;
                *told > 100
            }),
            (Quirk::RosterWithoutEnd, FrameType::StatusRes) => {
                out.sid != Sid::NONE && out.uid == Uid::SERVER && out.payload == b"Online"
            }
            (Quirk::UnknownUnanswered, FrameType::StatusRes) => {
                out.uid == Uid::SERVER && out.payload == b"Offline" && !self.broken.sids.contains(&out.sid)
            }
            _ => false,
        }
    }
}

impl Broken {
    /// Seals as the fault would have it.
    pub(super) fn seal(&mut self, fault: Quirk, channel: &mut Channel, out: &Out) -> Result<Vec<u8>, Exhausted> {
        if fault == Quirk::WrapsToZero && channel.next_out().is_none() {
            channel.set_next_out(Some(0));
        }
        let sqn = channel.next_out().ok_or(Exhausted)?;
        if fault == Quirk::OpenAfterLast && sqn == 0 {
            return Err(Exhausted);
        }
        let right = channel.seal(out.typ, out.sid, out.uid, &out.payload)?;
        let header = Header::for_payload(out.typ, sqn, out.sid, out.uid, out.payload.len(), false);
        let cipher = channel.cipher_out();
        let frame = match fault {
            Quirk::VersionOfCloseRes if out.typ == FrameType::CloseRes => {
                cipher.seal(&Header { ver: 0x0101, ..header }, &out.payload, None)
            }
            Quirk::EpdTooLong if !out.payload.is_empty() => {
                let mut frame =
                    cipher.seal(&Header { len: header.len.saturating_add(4), ..header }, &out.payload, None);
                frame.extend_from_slice(&[0; 4]);
                frame
            }
            Quirk::NumberBackwards if sqn > 0xff => {
                cipher.seal(&Header { sqn: sqn.swap_bytes(), ..header }, &out.payload, None)
            }
            Quirk::MacOfTail if out.typ == FrameType::CloseRes => {
                let mut frame = right;
                // The tag's last four bytes are not known here: any others will do.
                let end = frame.len();
                frame.copy_within(end - MAC_LEN + 4.., end - MAC_LEN);
                frame[end - 4..].fill(0x5a);
                frame
            }
            Quirk::NonceOneByte if sqn > 0xff => cipher.seal_with_nonce_of(sqn & 0xff, &header, &out.payload),
            Quirk::NonceOfResponses if out.typ == FrameType::StatusRes && out.sid != Sid::NONE => {
                cipher.seal_with_nonce_of(0, &header, &out.payload)
            }
            _ => right,
        };
        match fault {
            // Whoever asks whether all numbers are used up hears that they are not, or one too early.
            Quirk::OpenAfterLast | Quirk::WrapsToZero if sqn == u16::MAX => channel.set_next_out(Some(0)),
            Quirk::LastNotUsed if sqn == u16::MAX - 1 => channel.set_next_out(None),
            _ => {}
        }
        Ok(frame)
    }
}
