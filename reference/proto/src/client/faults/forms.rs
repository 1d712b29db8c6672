//! Payloads that are taken otherwise than they are meant.

use super::super::Client;
use super::Quirk;
use crate::frame::{FrameType, Header};
use crate::ids::{Sid, Uid};
use crate::payload::Presence;

const OK: &[u8] = b"OK";

impl Client {
    /// Mends what the fault does not look at in a frame.
    pub(super) fn mend_form(&mut self, fault: Quirk, header: &mut Header, payload: &mut Vec<u8>) {
        match header.kind() {
            Some(FrameType::InitRes | FrameType::MsgRes | FrameType::CloseRes) => {
                self.mend_response(fault, header, payload);
            }
            Some(FrameType::StatusRes) => {
                if let Some(presence) = Self::read_presence(fault, payload) {
                    *payload = presence.as_bytes().to_vec();
                }
            }
            Some(FrameType::StatusReq) => match fault {
                Quirk::ProbePayloadIgnored => payload.clear(),
                Quirk::ProbeSidAnswered => header.sid = Sid::NONE,
                _ => {}
            },
            Some(FrameType::InviteReq) if fault == Quirk::InvitePayloadIgnored => payload.clear(),
            Some(FrameType::MsgReq) => match fault {
                Quirk::FirstOfTwoOpened => {
                    if let Some(end) = payload.iter().position(|&byte| byte == b'\n') {
                        payload.truncate(end + 1);
                    }
                }
                Quirk::CarriageReturnTaken if payload.ends_with(b"\r\n") => {
                    payload.truncate(payload.len() - 2);
                    payload.push(b'\n');
                }
                Quirk::LineWithoutLfOpened if !payload.ends_with(b"\n") => payload.push(b'\n'),
                _ => {}
            },
            Some(FrameType::CloseReq) if fault == Quirk::CloseReqFromServer => {
                header.typ = FrameType::CloseRes.code();
                *payload = OK.to_vec();
            }
            _ => {}
        }
    }

    fn mend_response(&mut self, fault: Quirk, header: &mut Header, payload: &mut Vec<u8>) {
        let typ = header.kind();
        let is_ok = match fault {
            Quirk::BomTaken => payload == "\u{feff}OK".as_bytes(),
            Quirk::OkInLowerCase => payload == b"ok",
            Quirk::OkWithLfTaken => payload == b"OK\n",
            Quirk::CloseResEmptyTaken => typ == Some(FrameType::CloseRes) && payload.is_empty(),
            Quirk::CloseErrorNotifies => {
                typ == Some(FrameType::CloseRes) && header.uid != Uid::SERVER && !payload.is_empty()
            }
            _ => false,
        };
        let is_empty = payload.is_empty();
        match fault {
            _ if is_ok => *payload = OK.to_vec(),
            Quirk::ErrorNotUtf8Taken => *payload = String::from_utf8_lossy(payload).into_owned().into_bytes(),
            Quirk::InitResEmptyTaken if is_empty && typ == Some(FrameType::InitRes) => *payload = b"failed".to_vec(),
            Quirk::MsgResEmptyTaken if is_empty && typ == Some(FrameType::MsgRes) => *payload = b"failed".to_vec(),
            Quirk::CloseAnsweredByUser if payload == OK && self.waits_for_close(header) => header.uid = Uid::SERVER,
            Quirk::CloseErrorOfUserAnswers if payload != OK && self.waits_for_close(header) => {
                header.uid = Uid::SERVER;
            }
            _ => {}
        }
    }

    fn waits_for_close(&mut self, header: &Header) -> bool {
        let waits = self.online().is_some_and(|online| online.open.closes.0.contains_key(&header.sid));
        header.kind() == Some(FrameType::CloseRes) && waits
    }

    fn read_presence(fault: Quirk, payload: &[u8]) -> Option<Presence> {
        let text = str::from_utf8(payload).ok()?;
        let words = [Presence::Online, Presence::Offline];
        match fault {
            Quirk::PresenceAnyCase => words.into_iter().find(|word| word.as_str().eq_ignore_ascii_case(text)),
            Quirk::PresenceTrimmed => words.into_iter().find(|word| word.as_str() == text.trim()),
            _ => None,
        }
    }
}
