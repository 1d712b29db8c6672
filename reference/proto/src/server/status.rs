//! Status (section 8).

use core::time::Duration;

use super::connection::Sender;
use super::machine::Server;
use super::timers::Timer;
use super::{ConnectionId, Ending};
use crate::frame::FrameType;
use crate::ids::{Sid, Uid};
use crate::payload::{PayloadError, Presence, parse_empty, parse_presence};

impl Server {
    pub(super) fn on_status_req(&mut self, from: Sender, sid: Sid, payload: &[u8]) -> Result<(), PayloadError> {
        parse_empty(payload)?;
        // All frames of one answer are queued here, at once, so no other answer comes between them (STAT-07).
        let last = if sid == Sid::NONE {
            // STAT-01
            Presence::Online
        } else if let Some(roster) = self.sessions.get(&sid).filter(|roster| roster.contains(&from.uid)).cloned() {
            // STAT-04, STAT-06
            for uid in roster.iter() {
                let presence = if self.is_online(*uid) { Presence::Online } else { Presence::Offline };
                self.send(from.id, FrameType::StatusRes, sid, *uid, presence.as_bytes());
            }
            Presence::Online
        } else {
            // STAT-05: unknown, pending, closed, or somebody else's.
            Presence::Offline
        };
        self.send(from.id, FrameType::StatusRes, sid, Uid::SERVER, last.as_bytes());
        Ok(())
    }

    pub(super) fn on_status_res(&mut self, now: Duration, from: Sender, payload: &[u8]) -> Result<(), PayloadError> {
        match parse_presence(payload)? {
            // STAT-03: whatever its sid, asked for or not.
            Presence::Offline => self.around_end(from.id, Ending::Farewell),
            // STAT-08: whatever its sid. PAY-06: without a probe it changes nothing.
            Presence::Online => {
                if self.timers.clear(Timer::Status(from.id)) {
                    self.heard_from(now, from.id);
                }
            }
        }
        Ok(())
    }

    /// A frame came: the connection is not idle (STAT-08). An outstanding probe still wants its answer.
    pub(super) fn heard_from(&mut self, now: Duration, id: ConnectionId) {
        if let Some(after) = self.config.probe_after
            && !self.timers.is_set(Timer::Status(id))
        {
            self.timers.set(Timer::Probe(id), now.saturating_add(after));
        }
    }

    /// Asks an idle client whether it is still there (STAT-08). One probe at a time: the next is timed by the answer.
    pub(super) fn probe(&mut self, now: Duration, id: ConnectionId) {
        if self.send(id, FrameType::StatusReq, Sid::NONE, Uid::SERVER, b"") {
            self.timers.set(Timer::Status(id), now.saturating_add(self.config.status_timeout));
        }
    }
}
