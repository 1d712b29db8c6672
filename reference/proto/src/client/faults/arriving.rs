//! Headers that are taken though they are wrong, and macs that are not looked at.

use super::super::link::Phase;
use super::super::{Client, End, Violation};
use super::Quirk;
use crate::crypto::BadMac;
use crate::frame::{FrameType, Header, HeaderError, MIN_LEN, VERSION};
use crate::ids::{Sid, Uid};
use crate::login::Channel;
use crate::quirks::open_loosely;

impl Client {
    /// Mends in a copy of the header what the fault does not look at, and has the rest checked.
    pub(super) fn check(&mut self, fault: Quirk, header: &Header) -> Result<(), Violation> {
        let mut copy = *header;
        match &self.phase {
            Phase::Request { .. } => match fault {
                Quirk::LoginVersionUnchecked => copy.ver = VERSION,
                Quirk::FirstTypeUnchecked if header.kind() == Some(FrameType::StatusReq) => {
                    copy.typ = FrameType::StatusRes.code();
                }
                Quirk::ResponseSidIgnored => copy.sid = Sid::NONE,
                Quirk::ResponseUidIgnored => copy.uid = Uid::SERVER,
                _ => {}
            },
            Phase::Probe { .. } => match fault {
                Quirk::ProbeAwaitedOthersSkipped => copy.sqn = 2,
                Quirk::ProbeMissingTaken if header.kind() == Some(FrameType::StatusRes) => {
                    copy.typ = FrameType::StatusReq.code();
                }
                Quirk::Step3SidTaken => copy.sid = Sid::NONE,
                Quirk::Step3UidTaken => copy.uid = Uid::SERVER,
                _ => {}
            },
            Phase::Online(online) => {
                let (last, next) = (online.channel.last_in(), online.channel.last_in().wrapping_add(1));
                if fault == Quirk::WrapTaken && last == u16::MAX && header.sqn == 0 {
                    return Ok(());
                }
                Self::mend(fault, last, &mut copy)?;
                let open = &online.open;
                let is_owed = match copy.kind() {
                    Some(FrameType::InitRes) => !open.inits.is_empty(),
                    Some(FrameType::MsgRes) => open.texts.0.contains_key(&copy.sid),
                    _ => true,
                };
                let is_response = matches!(copy.kind(), Some(FrameType::InitRes | FrameType::MsgRes));
                // Whether the other is one shows when it has been opened.
                if fault == Quirk::StrayOfUserTaken && !is_owed || fault == Quirk::ErrorOfUserTaken && is_response {
                    copy.uid = Uid::SERVER;
                }
                if fault == Quirk::ViolationHasEffect && header.sqn != next {
                    let error = HeaderError::Sequence { expected: Some(next), got: header.sqn };
                    self.broken.link.ends_afterwards = Some(End::Violation { error: error.into() });
                    copy.sqn = next;
                }
            }
            Phase::Idle | Phase::Opening { .. } | Phase::Closing { .. } => {}
        }
        self.phase.check_header(&copy)
    }

    fn mend(fault: Quirk, last: u16, copy: &mut Header) -> Result<(), Violation> {
        let next = last.wrapping_add(1);
        let (sqn, kind) = (copy.sqn, copy.kind());
        let is_response = kind.is_some_and(|typ| typ.code() & 0xff == 0x10);
        let takes_number = match fault {
            Quirk::GapOfOne => sqn == next.wrapping_add(1),
            Quirk::AnyGap => sqn > next,
            Quirk::ReplayTaken => sqn == last,
            Quirk::AnyLower => sqn < last,
            Quirk::LowByteOfNumber => sqn & 0xff == next & 0xff,
            Quirk::ResponsesUnnumbered => is_response,
            Quirk::FirstUnnumbered => last == 2,
            _ => false,
        };
        if takes_number {
            copy.sqn = next;
        }
        match fault {
            Quirk::VersionUnchecked => copy.ver = VERSION,
            Quirk::VersionHalfChecked if copy.ver & 0xff00 == VERSION & 0xff00 => copy.ver = VERSION,
            Quirk::TypeHalfChecked if kind.is_none() && copy.typ & 0xff != 0x10 => copy.typ &= 0xff00,
            Quirk::CloseReqFromServer if kind == Some(FrameType::CloseReq) => copy.typ = FrameType::CloseRes.code(),
            Quirk::LargestRefused if copy.len == u16::MAX => return Err(too_long(copy.len)),
            Quirk::LargeRefused if copy.len > 0x7fff => return Err(too_long(copy.len)),
            Quirk::LastRefused if sqn == u16::MAX => {
                return Err(HeaderError::Sequence { expected: None, got: sqn }.into());
            }
            Quirk::InviteOfNobodyTaken if kind == Some(FrameType::InviteReq) => copy.uid = Uid(1),
            Quirk::LineOfNobodyTaken if kind == Some(FrameType::MsgReq) => copy.uid = Uid(1),
            Quirk::InitResOfUserTaken if kind == Some(FrameType::InitRes) => copy.uid = Uid::SERVER,
            Quirk::MsgResOfUserTaken if kind == Some(FrameType::MsgRes) => copy.uid = Uid::SERVER,
            Quirk::ProbeOfUserTaken if kind == Some(FrameType::StatusReq) => copy.uid = Uid::SERVER,
            _ => {}
        }
        Ok(())
    }

    pub(super) fn open<'f>(
        &mut self,
        fault: Quirk,
        channel: &mut Channel,
        frame: &'f mut [u8],
    ) -> Result<(Header, &'f [u8]), BadMac> {
        match fault {
            Quirk::MacUnchecked => open_loosely(channel, frame, |_| true),
            Quirk::EmptyUnauthenticated => open_loosely(channel, frame, |macs| macs.plain.is_empty()),
            Quirk::MacEightBytes => open_loosely(channel, frame, |macs| macs.right[..8] == macs.claimed[..8]),
            Quirk::MacLastByte => open_loosely(channel, frame, |macs| macs.right[..11] == macs.claimed[..11]),
            Quirk::SidUnauthenticated => open_loosely(channel, frame, |macs| {
                self.known_sids().into_iter().any(|sid| macs.fits_under(|header| header.sid = sid))
            }),
            Quirk::UidUnauthenticated => open_loosely(channel, frame, |macs| {
                self.known_uids().into_iter().any(|uid| macs.fits_under(|header| header.uid = uid))
            }),
            Quirk::TypeUnauthenticated => open_loosely(channel, frame, |macs| {
                FrameType::ALL.iter().any(|typ| macs.fits_under(|header| header.typ = typ.code()))
            }),
            _ => channel.open(frame),
        }
    }

    /// Sessions that this client has heard of, and none.
    pub(super) fn known_sids(&self) -> Vec<Sid> {
        let sids = self.memory.sessions.keys().chain(&self.broken.sids).copied();
        sids.chain([Sid::NONE]).collect()
    }

    /// Everybody, the server included.
    pub(super) fn known_uids(&self) -> Vec<Uid> {
        let users = self.identity.iter().flat_map(|identity| identity.directory.keys().copied());
        users.chain([Uid::SERVER]).collect()
    }
}

fn too_long(len: u16) -> Violation {
    HeaderError::Length { len, least: MIN_LEN as u16 }.into()
}
