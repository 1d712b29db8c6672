//! Payloads that are taken or refused wrongly.

use core::time::Duration;

use super::super::Violation;
use super::super::connection::Sender;
use super::super::machine::Server;
use super::super::refusal::Refusal;
use super::super::timers::Timer;
use super::{Done, Quirk};
use crate::frame::{FrameType, Header};
use crate::ids::Sid;
use crate::payload::{
    PayloadError, Response, parse_choice, parse_empty, parse_init_req, parse_lines, parse_presence, parse_response,
};

/// Stands for an empty line until it leaves.
pub(super) const EMPTY_LINE: &[u8] = b"\x01empty\n";

impl Server {
    pub(super) fn requests_dispatch(
        &mut self,
        fault: Quirk,
        _now: Duration,
        from: Sender,
        header: &mut Header,
        payload: &mut Vec<u8>,
    ) -> Done {
        let typ = header.kind()?;
        if fault == Quirk::InviteResSidHalfCompared && typ == FrameType::InviteRes {
            let alike = |sid: &&Sid| sid.0 as u32 == header.sid.0 as u32;
            header.sid = self.member(from.id)?.invited_to.iter().find(alike).copied().unwrap_or(header.sid);
        }
        match typ {
            FrameType::InitReq if fault == Quirk::InvitedBelowThree => self.refuse_init_of(3, from, header, payload),
            FrameType::InitReq => self.init_payload(fault, from, header, payload),
            FrameType::MsgReq => {
                self.limit_storage(fault, payload);
                Self::msg_payload(fault, payload)
            }
            FrameType::CloseReq => match fault {
                Quirk::ClosePayloadIgnored => {
                    payload.clear();
                    None
                }
                Quirk::BadCloseCloses => closes_on(typ, parse_empty(payload)),
                _ => None,
            },
            FrameType::StatusReq if fault == Quirk::StatusReqPayloadIgnored => {
                payload.clear();
                None
            }
            FrameType::InviteRes | FrameType::MsgRes | FrameType::StatusRes => {
                self.response_payload(fault, from, header, payload)
            }
            _ => None,
        }
    }

    fn init_payload(&mut self, fault: Quirk, from: Sender, header: &Header, payload: &mut Vec<u8>) -> Done {
        match fault {
            Quirk::LastLfOptionalInInit if !payload.is_empty() && !payload.ends_with(b"\n") => payload.push(b'\n'),
            Quirk::CrLfInInit => payload.retain(|byte| *byte != b'\r'),
            Quirk::DoubledLfInInit => {
                let full = |line: &&[u8]| *line != b"\n";
                *payload = payload.split_inclusive(|b| *b == b'\n').filter(full).collect::<Vec<_>>().concat();
            }
            Quirk::BadInitCloses => {
                if let Err(Refusal::Payload(error)) = self.judge_init(from.uid, header.sid, payload) {
                    return closes_on(FrameType::InitReq, Err(error));
                }
            }
            Quirk::BadInitUnanswered => {
                let judged = self.judge_init(from.uid, header.sid, payload);
                if matches!(judged, Err(Refusal::Nobody | Refusal::UnknownUser(_))) {
                    return Some(Ok(()));
                }
            }
            _ => {}
        }
        None
    }

    /// Refuses an init_req that is right, and names so many users or more, in its turn.
    pub(super) fn refuse_init_of(&mut self, least: usize, from: Sender, header: &Header, payload: &[u8]) -> Done {
        let invited = parse_init_req(payload).ok()?;
        if invited.len() < least || self.judge_init(from.uid, header.sid, payload).is_err() {
            return None;
        }
        self.member(from.id)?.waiting_inits.push_back(Err(Refusal::TooMany(invited.len())));
        self.due_inits.push_back(from.id);
        Some(Ok(()))
    }

    /// How much may be stored while a msg_req is looked at (PAY-07).
    fn limit_storage(&mut self, fault: Quirk, payload: &[u8]) {
        let (lines, bytes) = match fault {
            Quirk::LinesBelowEight => (7, usize::MAX),
            Quirk::MessagesBelowEightKib => (usize::MAX, 8000),
            Quirk::LittleStorage => (8, 8 << 10),
            Quirk::DeletedLinesCount => (64_usize.saturating_sub(self.broken.deleted), usize::MAX),
            _ => return,
        };
        let limits = &mut self.config.limits;
        limits.stored_lines = if self.stored.lines >= lines { 0 } else { usize::MAX };
        limits.stored_bytes = if payload.len() > bytes { 0 } else { usize::MAX };
    }

    fn msg_payload(fault: Quirk, payload: &mut Vec<u8>) -> Done {
        match fault {
            Quirk::LastLfOptionalInMsg if !payload.is_empty() && !payload.ends_with(b"\n") => payload.push(b'\n'),
            Quirk::LineNotUtf8 => *payload = String::from_utf8_lossy(payload).into_owned().into_bytes(),
            Quirk::EmptyLineTaken => {
                let fill = |line: &[u8]| if line == b"\n" { EMPTY_LINE.to_vec() } else { line.to_vec() };
                *payload = payload.split_inclusive(|b| *b == b'\n').map(fill).collect::<Vec<_>>().concat();
            }
            Quirk::BadMsgCloses => return closes_on(FrameType::MsgReq, parse_lines(payload).map(|_| ())),
            Quirk::BadMsgUnanswered if parse_lines(payload).is_err() => return Some(Ok(())),
            _ => {}
        }
        None
    }

    fn response_payload(&mut self, fault: Quirk, from: Sender, header: &Header, payload: &mut Vec<u8>) -> Done {
        let typ = header.kind()?;
        match (fault, typ) {
            (Quirk::AcceptInAnyCase, FrameType::InviteRes) if payload.eq_ignore_ascii_case(b"Accept") => {
                *payload = b"Accept".to_vec();
            }
            (Quirk::OnlineWithSpace, FrameType::StatusRes) if payload == b"Online " => *payload = b"Online".to_vec(),
            (Quirk::OkInLowerCase, FrameType::MsgRes) if payload == b"ok" => *payload = b"OK".to_vec(),
            (Quirk::OkWithLfTaken, FrameType::MsgRes) if payload == b"OK\n" => *payload = b"OK".to_vec(),
            (Quirk::LongErrorTextFails, FrameType::MsgRes) if payload.len() > 256 => {
                return closes_on(typ, Err(PayloadError::NotEmpty(payload.len())));
            }
            (Quirk::StatusResGarbageIgnored, FrameType::StatusRes) if !payload.is_empty() => {
                return parse_presence(payload).is_err().then_some(Ok(()));
            }
            (Quirk::StatusResEmptyIgnored, FrameType::StatusRes) if payload.is_empty() => return Some(Ok(())),
            (Quirk::InviteResGarbageIgnored, FrameType::InviteRes) => {
                return parse_choice(payload).is_err().then_some(Ok(()));
            }
            (Quirk::InviteResGarbageDenies, FrameType::InviteRes) if parse_choice(payload).is_err() => {
                *payload = b"Deny".to_vec();
            }
            (Quirk::MsgResEmptyTaken, FrameType::MsgRes) if payload.is_empty() => *payload = b"failed".to_vec(),
            (Quirk::MsgResNotUtf8Taken, FrameType::MsgRes) if str::from_utf8(payload).is_err() => {
                *payload = b"failed".to_vec();
            }
            _ => return self.stray_response(fault, from, header, payload),
        }
        None
    }

    fn stray_response(&mut self, fault: Quirk, from: Sender, header: &Header, payload: &[u8]) -> Done {
        if !self.is_stray(from, header, payload) {
            return None;
        }
        let typ = header.kind()?;
        match (fault, typ) {
            (Quirk::StrayMsgResCloses, FrameType::MsgRes)
            | (Quirk::StrayInviteResCloses, FrameType::InviteRes)
            | (Quirk::StrayOnlineCloses, FrameType::StatusRes) => {
                closes_on(typ, Err(PayloadError::NotEmpty(payload.len())))
            }
            (Quirk::StrayMsgResRefused, FrameType::MsgRes) => {
                self.refuse(from, FrameType::MsgRes, header.sid, Refusal::NoSession);
                Some(Ok(()))
            }
            (Quirk::StrayMsgResLater, FrameType::MsgRes) => {
                self.broken.early_answers.insert((from.uid, header.sid));
                None
            }
            (Quirk::StrayAcceptLater, FrameType::InviteRes) if payload == b"Accept" => {
                self.broken.early_accepts.insert(from.uid);
                None
            }
            (Quirk::StrayNotCounted, _) => {
                if let Some(member) = self.member(from.id) {
                    member.channel.accept_number(header.sqn.wrapping_sub(1));
                }
                Some(Ok(()))
            }
            _ => None,
        }
    }

    /// A well-formed response that answers nothing outstanding.
    fn is_stray(&mut self, from: Sender, header: &Header, payload: &[u8]) -> bool {
        let sid = header.sid;
        match header.kind() {
            Some(FrameType::MsgRes) => {
                let sent = |mailbox: &super::super::mailbox::Mailbox| {
                    mailbox.lines.values().any(|line| line.sid == sid && line.sent_at.is_some())
                };
                parse_response(payload).is_ok() && !self.mailboxes.get(&from.uid).is_some_and(sent)
            }
            Some(FrameType::InviteRes) => {
                let open = self.member(from.id).is_some_and(|member| member.invited_to.contains(&sid));
                parse_choice(payload).is_ok() && !open
            }
            Some(FrameType::StatusRes) => payload == b"Online" && !self.timers.is_set(Timer::Status(from.id)),
            _ => false,
        }
    }
}

fn closes_on(typ: FrameType, judged: Result<(), PayloadError>) -> Done {
    judged.err().map(|error| Err(Violation::Payload { typ, error }))
}

/// The payload of a refusal.
pub(super) fn error_text(refusal: Refusal) -> Vec<u8> {
    Response::error(&refusal.to_string()).as_bytes().to_vec()
}
