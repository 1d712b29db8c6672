//! Close (section 7).

use core::time::Duration;

use super::Event;
use super::connection::Sender;
use super::machine::Server;
use super::refusal::Refusal;
use crate::frame::FrameType;
use crate::ids::{Sid, Uid};
use crate::payload::{Response, parse_empty};

impl Server {
    pub(super) fn on_close_req(&mut self, now: Duration, from: Sender, sid: Sid, payload: &[u8]) {
        match self.may_close(from.uid, sid, payload).and_then(|()| self.around_close(now, sid, from.uid)) {
            // CLOSE-01
            Ok(()) => {
                self.send(from.id, FrameType::CloseRes, sid, Uid::SERVER, Response::Ok.as_bytes());
            }
            Err(refusal) => self.refuse(from, FrameType::CloseRes, sid, refusal),
        }
    }

    /// Closes a live session by the server's own decision (CLOSE-11); says whether there was one to close. `false` as well
    /// if the store refused.
    pub fn close_session(&mut self, now: Duration, sid: Sid) -> bool {
        let closed = self.sessions.contains_key(&sid) && self.close(now, sid, Uid::SERVER).is_ok();
        self.settle(now);
        closed
    }

    /// Any participant may (CLOSE-02), nobody else (CLOSE-08), and an outsider learns nothing (CLOSE-09).
    fn may_close(&self, closer: Uid, sid: Sid, payload: &[u8]) -> Result<(), Refusal> {
        if !self.sessions.get(&sid).is_some_and(|roster| roster.contains(&closer)) {
            return Err(Refusal::NoSession);
        }
        // PAY-04
        Ok(parse_empty(payload)?)
    }

    /// Closes a live session, but for the answer to the closer.
    pub(super) fn close(&mut self, now: Duration, sid: Sid, closer: Uid) -> Result<(), Refusal> {
        // CLOSE-03, CLOSE-04: from here on it is closed, restarts included.
        if let Err(error) = self.store.close(sid) {
            return Err(self.store_failed(error));
        }
        let Some(roster) = self.sessions.remove(&sid) else { return Err(Refusal::NoSession) };
        self.event(Event::SessionClosed { sid, by: closer });
        let online = |uid: &Uid| self.online.get(uid).map(|id| Sender { id: *id, uid: *uid });
        let online: Vec<Sender> = roster.iter().filter_map(online).collect();
        // CLOSE-06: before any close_res.
        for author in &online {
            self.fail_unanswered(*author, sid);
        }
        // CLOSE-05
        for other in online.iter().filter(|other| other.uid != closer) {
            self.send(other.id, FrameType::CloseRes, sid, closer, Response::Ok.as_bytes());
        }
        // CLOSE-03: of those who are offline, too.
        for uid in roster.iter() {
            self.delete_lines(now, *uid, sid);
        }
        Ok(())
    }
}
