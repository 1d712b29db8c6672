//! The end of a connection, and what it causes for others (MTP-18: nothing but its user's going offline).

use core::mem;

use super::connection::{Member, Phase};
use super::machine::Server;
use super::timers::Timer;
use super::{Action, ConnectionId, Ending, Event};

impl Server {
    /// Ends a connection; once, whoever asks. What was queued for it before may still be sent, nothing is queued after.
    pub(super) fn end(&mut self, id: ConnectionId, why: Ending) {
        let Some(connection) = self.connections.remove(&id) else { return };
        for timer in [Timer::Login(id), Timer::Probe(id), Timer::Status(id)] {
            self.timers.clear(timer);
        }
        let abort = why == Ending::QueueFull;
        self.actions.push_back(if abort { Action::Abort(id) } else { Action::Close(id) });
        let Phase::LoggedIn(member) = connection.phase else {
            self.event(Event::Ended { connection: id, uid: None, why });
            return;
        };
        self.event(Event::Ended { connection: id, uid: Some(member.channel.uid), why });
        self.go_offline(*member);
    }

    /// All that was pending on the connection of a user that is offline from now on (LOGIN-09, MSG-07, MSG-13, INIT-08,
    /// INIT-13). The user is offline before any of it is decided.
    fn go_offline(&mut self, mut member: Member) {
        let uid = member.channel.uid;
        self.online.remove(&uid);
        self.drop_answers(mem::take(&mut member.unanswered));
        if let Some(sid) = member.own_init {
            self.around_creator_left(sid);
        }
        for sid in member.invited_to {
            self.invited_left(sid, uid);
        }
        self.recipient_left(uid);
    }
}
