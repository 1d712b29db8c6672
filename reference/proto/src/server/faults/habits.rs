//! What is legal, and unusual: at the seams that the faults use.

use core::time::Duration;

use super::super::connection::Sender;
use super::super::machine::Server;
use super::super::{Action, ConnectionId, Ending, Violation};
use super::{Out, Quirk};
use crate::frame::{FrameType, Header};
use crate::ids::Sid;

impl Server {
    /// What a habit does before a frame is dealt with. `Some`: it is.
    #[allow(clippy::ptr_arg, reason = "one signature for all layers")]
    pub(super) fn habits_dispatch(
        &mut self,
        habit: Quirk,
        _now: Duration,
        from: Sender,
        header: &mut Header,
        payload: &mut Vec<u8>,
    ) -> Option<Result<(), Violation>> {
        match (habit, header.kind()?) {
            (Quirk::FewParticipants, FrameType::InitReq) => self.refuse_init_of(4, from, header, payload),
            _ => None,
        }
    }

    pub(super) fn habits_afterwards(&mut self, habit: Quirk, now: Duration, from: Sender, header: &Header) {
        let asks = matches!(habit, Quirk::ProbesAlways | Quirk::TwoProbes);
        if !asks || header.kind() == Some(FrameType::StatusRes) {
            return;
        }
        if !self.timers.is_set(super::super::timers::Timer::Status(from.id)) {
            self.probe(now, from.id);
            if habit == Quirk::TwoProbes {
                self.probe(now, from.id);
            }
        }
    }

    /// Another error text.
    pub(super) fn habitual_text(habit: Quirk) -> Option<Vec<u8>> {
        Some(match habit {
            Quirk::ErrorsTerse => b"x".to_vec(),
            Quirk::ErrorsLong => vec![b'e'; 256],
            Quirk::ErrorsTooLong => vec![b'e'; 4096],
            Quirk::ErrorsNotAscii => "\u{6b8b}\u{5ff5}, n\u{e3}o \u{1f640}".as_bytes().to_vec(),
            Quirk::ErrorsNearlyOk => b"ok".to_vec(),
            Quirk::ErrorsOkWithLf => b"OK\n".to_vec(),
            Quirk::ErrorsTwoLines => b"no\nand no again\n".to_vec(),
            _ => return None,
        })
    }

    /// How late a frame leaves.
    pub(super) fn lateness(&mut self, habit: Quirk, out: &Out) -> Option<Duration> {
        let notice = matches!(out.typ, FrameType::InviteReq) || out.typ == FrameType::CloseRes && out.uid.0 != 0;
        match habit {
            Quirk::AnswersLate => Some(Duration::from_millis(30)),
            Quirk::AnswersJittered => Some(self.some_time()),
            Quirk::AnswersInAnyOrder if out.typ == FrameType::InitRes && out.sid != Sid::NONE => Some(Duration::ZERO),
            Quirk::AnswersInAnyOrder => Some(self.some_time()),
            Quirk::InvitesJittered if notice => Some(self.some_time()),
            Quirk::StatusFirst if out.typ != FrameType::StatusRes && out.typ != FrameType::StatusReq => {
                Some(Duration::from_millis(3))
            }
            _ => None,
        }
    }

    /// The first time at or behind `due` at which timers are looked at.
    pub(super) fn next_look(due: Duration) -> Duration {
        let millis = u64::try_from(due.as_micros().div_ceil(1000)).unwrap_or(u64::MAX);
        Duration::from_millis(millis.div_ceil(900).saturating_mul(900))
    }

    fn some_time(&mut self) -> Duration {
        Duration::from_micros(u64::from(self.rng.next_u32() % 6000))
    }

    /// Sends a frame later, but after those of its connection that wait already.
    pub(super) fn send_later(&mut self, habit: Quirk, to: ConnectionId, late: Duration, out: Out) {
        let mut at = self.broken.now + late;
        if habit == Quirk::AnswersInAnyOrder && out.typ != FrameType::CloseRes {
            // Their own kind keeps its order (INIT-14, MSG-11, STAT-07), and so does what is no answer.
            let push = |typ| matches!(typ, FrameType::InviteReq | FrameType::MsgReq | FrameType::StatusReq);
            let same = |other: &Out| {
                push(other.typ) && push(out.typ)
                    || other.typ == out.typ && (other.sid == out.sid || out.typ == FrameType::InitRes)
                    || other.typ == FrameType::CloseRes && push(out.typ)
            };
            let waiting = self.broken.delayed.iter().filter(|(_, id, other)| *id == to && same(other));
            at = at.max(waiting.map(|(at, ..)| *at).max().unwrap_or(at));
        } else if habit != Quirk::InvitesJittered || out.typ != FrameType::InviteReq {
            let waiting = self.broken.delayed.iter().filter(|(_, other, _)| *other == to).map(|(at, ..)| *at).max();
            at = at.max(waiting.unwrap_or(at));
        }
        self.broken.delayed.push((at, to, out));
    }

    /// What waits for a connection goes before its end.
    pub(super) fn send_what_waits(&mut self, id: ConnectionId) {
        let delayed = core::mem::take(&mut self.broken.delayed);
        let (mine, others): (Vec<_>, Vec<_>) = delayed.into_iter().partition(|(_, to, _)| *to == id);
        self.broken.delayed = others;
        for (_, to, out) in mine {
            self.send_as_it_is(to, &out);
        }
    }

    pub(super) fn end_what_is_due(&mut self, now: Duration) {
        let all = core::mem::take(&mut self.broken.ends_later);
        let (due, waits): (Vec<_>, Vec<_>) = all.into_iter().partition(|(at, ..)| *at <= now);
        self.broken.ends_later = waits;
        self.actions.extend(due.into_iter().map(|(_, id)| Action::Close(id)));
    }

    /// Whether a connection ends otherwise than at once.
    pub(super) fn ends_habitually(&mut self, habit: Quirk, id: ConnectionId, why: Ending) -> bool {
        let is_violation = matches!(why, Ending::Violation(_));
        match habit {
            Quirk::EndsLate if is_violation => {
                self.end(id, why);
                // The machine has forgotten the connection; its driver hears so later.
                let closing = self.actions.iter().position(|action| *action == Action::Close(id));
                if let Some(at) = closing {
                    self.actions.remove(at);
                    self.broken.ends_later.push((self.broken.now + Duration::from_millis(50), id));
                }
                true
            }
            Quirk::ViolationsDropQueue if is_violation => {
                self.end(id, Ending::QueueFull);
                true
            }
            _ => false,
        }
    }

    /// The next sid, where it is not drawn as usual.
    pub(super) fn habitual_sid(&mut self, habit: Quirk) -> Option<Sid> {
        self.broken.drawn += 1;
        let n = self.broken.drawn;
        match habit {
            Quirk::SidsHigh => Some(Sid(u64::MAX - n)),
            Quirk::SidsLow => Some(Sid(n)),
            Quirk::SidsApart => Some(Sid(n << 40)),
            _ => None,
        }
    }
}
