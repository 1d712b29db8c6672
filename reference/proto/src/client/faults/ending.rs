//! What the end of a connection causes.

use core::time::Duration;

use super::super::link::Phase;
use super::super::memory::Invitation;
use super::super::{Client, End, Violation};
use super::Quirk;
use crate::frame::{FrameType, HEADER_LEN, Header, MAC_LEN};
use crate::ids::Sid;
use crate::payload::Presence;
use crate::quirks;

/// When it comes back that does not do so at once.
const COMES_BACK: Duration = Duration::from_secs(1);

impl Client {
    pub(super) fn faulty_stream_end(&mut self, fault: Quirk, now: Duration) {
        let unread = core::mem::take(&mut self.broken.link.bytes_later);
        if fault != Quirk::FinOvertakes {
            unread.iter().for_each(|(_, bytes)| self.receive_bytes(now, bytes));
        }
        match fault {
            Quirk::HalfCloseIgnored if matches!(self.phase, Phase::Online(_)) => {}
            Quirk::PartTaken => {
                self.take_part(now);
                self.faulty_end(fault, now, End::ByServer);
            }
            _ => self.faulty_end(fault, now, End::ByServer),
        }
    }

    /// A frame of which nothing but the mac is missing.
    fn take_part(&mut self, now: Duration) {
        let Some(header) = self.deframer.header() else { return };
        let mut frame = self.deframer.so_far().to_vec();
        let Phase::Online(online) = &self.phase else { return };
        let whole = usize::from(header.len);
        if frame.len() < whole.saturating_sub(MAC_LEN) || whole < HEADER_LEN + MAC_LEN {
            return;
        }
        frame.resize(whole, 0);
        let (plain, _) = quirks::decrypt(online.channel.cipher_in(), &frame);
        // It cannot break a rule more than the end does.
        let _ended = self.receive(now, header, &plain);
    }

    /// Ends a connection as the fault would have it: otherwise, later, or with a new one.
    pub(super) fn faulty_end(&mut self, fault: Quirk, now: Duration, end: End) {
        let last_in = match &self.phase {
            Phase::Online(online) => Some(online.channel.last_in()),
            _ => None,
        };
        let was_online = last_in.is_some();
        if fault == Quirk::KeepsTexts
            && let Phase::Online(online) = &self.phase
        {
            let texts = online.open.texts.0.iter();
            self.broken.texts = texts.flat_map(|(sid, count)| core::iter::repeat_n(*sid, *count)).collect();
        }
        if fault == Quirk::PartKeptForNext {
            self.broken.part = self.deframer.so_far().to_vec();
        }
        let by_server = matches!(end, End::ByServer | End::Failed(_)) && was_online;
        match (fault, &end) {
            (Quirk::ViolationNoticedLate | Quirk::BehindViolationHasEffect, End::Violation { .. }) => {
                self.broken.link.late.get_or_insert(end);
                return;
            }
            (Quirk::StraysCloseNothing, End::Violation { error: Violation::Header(_) }) => {
                self.broken.link.deaf = true;
                return;
            }
            (Quirk::ViolationAnswered, End::Violation { .. }) => {
                self.send(now, FrameType::StatusRes, Sid::NONE, Presence::Offline.as_bytes());
            }
            (Quirk::ViolationsDropQueue, End::Violation { .. }) => self.transmits.clear(),
            _ => self.send_what_waits(now),
        }
        self.end(end);
        self.broken.comes_back = (fault == Quirk::ComesBackLate && by_server).then_some(now + COMES_BACK);
        let comes_back = match fault {
            Quirk::ComesBack => by_server,
            Quirk::ComesBackOnce => by_server && !core::mem::replace(&mut self.broken.came_back, by_server),
            Quirk::AnewForServersNumbers => by_server && last_in == Some(u16::MAX),
            _ => false,
        };
        if let Phase::Closing { anew, .. } = &mut self.phase {
            *anew = (*anew || comes_back) && fault != Quirk::NotAnew;
        }
    }

    pub(super) fn come_back_when_due(&mut self, now: Duration) {
        if matches!(self.phase, Phase::Idle) && self.broken.comes_back.is_some_and(|at| at <= now) {
            self.broken.comes_back = None;
            self.open_connection(now);
        }
    }

    pub(super) fn faulty_leave(&mut self, fault: Quirk, now: Duration) {
        self.send_what_waits(now);
        self.broken.left = true;
        match fault {
            Quirk::LeavesSilently => self.leave_silently(),
            Quirk::LeaverOnline => {
                self.send(now, FrameType::StatusRes, Sid::NONE, Presence::Online.as_bytes());
                self.leave_silently();
            }
            Quirk::DeniesOnLeave => {
                let open = self.memory.sessions.iter();
                let open: Vec<Sid> =
                    open.filter(|(_, session)| session.invitation == Invitation::Open).map(|(sid, _)| *sid).collect();
                for sid in open {
                    self.send(now, FrameType::InviteRes, sid, b"Deny");
                }
                self.leave();
            }
            _ => self.leave(),
        }
    }

    /// Leaves without a farewell.
    pub(super) fn leave_silently(&mut self) {
        let says_farewell = matches!(&self.phase, Phase::Online(online) if online.channel.next_out().is_some());
        self.leave();
        if says_farewell {
            self.transmits.pop_back();
        }
    }

    /// Ends the connection once the frame that broke a rule has had its effect.
    pub(super) fn end_afterwards(&mut self) {
        if let Some(end) = self.broken.link.ends_afterwards.take() {
            self.end(end);
        }
    }

    /// A response that was taken though it answers nothing does not count.
    pub(super) fn uncount(&mut self, header: &Header) {
        if let Phase::Online(online) = &mut self.phase {
            online.channel.accept_number(header.sqn.wrapping_sub(1));
        }
    }
}
