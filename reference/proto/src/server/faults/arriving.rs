//! Headers that are taken though they are wrong, and macs that are not looked at.

use super::super::connection::{Connection, Phase};
use super::super::login::Directory;
use super::super::machine::Server;
use super::super::{Ending, Violation};
use super::{Broken, Quirk};
use crate::crypto::BadMac;
use crate::frame::{FrameType, Header, HeaderError, MIN_LEN, MIN_LOGIN_LEN, VERSION};
use crate::ids::{Sid, Uid};
use crate::login::Channel;
use crate::quirks::open_loosely;

impl Broken {
    /// Mends in a copy of the header what the fault does not look at, and has the rest checked.
    pub(super) fn check(
        &mut self,
        fault: Quirk,
        directory: &Directory,
        connection: &Connection,
        header: &Header,
    ) -> Result<(), Violation> {
        let mut copy = *header;
        match &connection.phase {
            Phase::Request => match fault {
                Quirk::LoginVersionUnchecked => copy.ver = VERSION,
                Quirk::FirstTypeUnchecked if header.kind() == Some(FrameType::StatusRes) => {
                    copy.typ = FrameType::StatusReq.code();
                }
                Quirk::LoginSidIgnored => copy.sid = Sid::NONE,
                Quirk::LoginPayloadIgnored if usize::from(header.len) > MIN_LOGIN_LEN => {
                    copy.len = MIN_LOGIN_LEN as u16;
                }
                _ => {}
            },
            Phase::Answer(half) => match fault {
                Quirk::Step4SidIgnored => copy.sid = Sid::NONE,
                Quirk::Step4AnyType if header.kind() == Some(FrameType::StatusReq) => {
                    copy.typ = FrameType::StatusRes.code();
                }
                Quirk::Step4NumberAny => copy.sqn = 2,
                Quirk::Step4Skipped => {
                    copy.typ = FrameType::StatusRes.code();
                    copy.sid = Sid::NONE;
                    copy.uid = half.uid();
                }
                _ => {}
            },
            Phase::LoggedIn(member) => {
                self.mend(fault, &member.channel, directory, &mut copy)?;
                if fault == Quirk::WrapTaken && header.sqn == 0 && member.channel.last_in() == u16::MAX {
                    return Ok(());
                }
            }
        }
        Server::check_header(directory, connection, &copy)
    }

    fn mend(
        &mut self,
        fault: Quirk,
        channel: &Channel,
        directory: &Directory,
        copy: &mut Header,
    ) -> Result<(), Violation> {
        let last = channel.last_in();
        let next = last.wrapping_add(1);
        let sqn = copy.sqn;
        let is_response = copy.kind().is_some_and(|typ| typ.code() & 0xff == 0x10);
        let expected = |yes: bool, copy: &mut Header| {
            if yes {
                copy.sqn = next;
            }
        };
        match fault {
            Quirk::VersionUnchecked => copy.ver = VERSION,
            Quirk::VersionHalfChecked if copy.ver & 0xff00 == VERSION & 0xff00 => copy.ver = VERSION,
            Quirk::TypeHalfChecked if copy.kind().is_none() && copy.typ & 0xff != 0x10 => copy.typ &= 0xff00,
            Quirk::InviteReqFromClient if copy.kind() == Some(FrameType::InviteReq) => {
                copy.typ = FrameType::MsgReq.code();
            }
            Quirk::LargestRefused if copy.len == u16::MAX => return Err(too_long(copy.len)),
            Quirk::LargeRefused if copy.len > 0x7fff => return Err(too_long(copy.len)),
            Quirk::LastRefused if sqn == u16::MAX => {
                return Err(HeaderError::Sequence { expected: None, got: sqn }.into());
            }
            Quirk::GapOfOne => expected(sqn == next.wrapping_add(1), copy),
            Quirk::AnyGap => expected(sqn > next, copy),
            Quirk::ReplayTaken => expected(sqn == last, copy),
            Quirk::AnyLower => expected(sqn < last, copy),
            Quirk::ResponsesUnnumbered => expected(is_response, copy),
            Quirk::FirstUnnumbered => expected(last == 2, copy),
            Quirk::ViolationHasEffect if sqn != next && copy.ver == VERSION => {
                self.ends_afterwards =
                    Some(Ending::Violation(HeaderError::Sequence { expected: Some(next), got: sqn }.into()));
                copy.sqn = next;
            }
            Quirk::UidUnchecked => copy.uid = channel.uid,
            Quirk::UidHalfCompared if copy.uid.0 as u32 == channel.uid.0 as u32 => copy.uid = channel.uid,
            Quirk::UidZeroTaken if copy.uid == Uid::SERVER => copy.uid = channel.uid,
            Quirk::UidBelieved if directory.contains_key(&copy.uid) => copy.uid = channel.uid,
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
                let mut sids = self.sids.iter().copied().chain([Sid::NONE]);
                sids.any(|sid| macs.fits_under(|header| header.sid = sid))
            }),
            Quirk::TypeUnauthenticated => open_loosely(channel, frame, |macs| {
                FrameType::ALL.iter().any(|typ| macs.fits_under(|header| header.typ = typ.code()))
            }),
            _ => channel.open(frame),
        }
    }
}

fn too_long(len: u16) -> Violation {
    HeaderError::Length { len, least: MIN_LEN as u16 }.into()
}
