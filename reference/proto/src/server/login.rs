//! Login (section 4), as the server sees it. The frames themselves are checked and written in [`crate::login`].

use core::mem;
use core::time::Duration;
use std::collections::BTreeMap;

use super::connection::{Member, Phase};
use super::machine::Server;
use super::timers::Timer;
use super::{ConnectionId, Ending, Event, Violation};
use crate::crypto::PublicKey;
use crate::frame::{Header, MIN_LOGIN_LEN};
use crate::ids::Uid;
use crate::login::{Channel, LoginError, ServerLogin, Step};
use crate::payload::PayloadError;

pub(super) type Directory = BTreeMap<Uid, PublicKey>;

/// What the header of step 1 can tell: besides its form, whether the user exists and whether there is a payload
/// (LOGIN-06, MTP-17). So a stranger makes the server keep no more than one login request.
pub(super) fn check_request(directory: &Directory, header: &Header) -> Result<(), Violation> {
    ServerLogin::check_header(header)?;
    if header.uid == Uid::SERVER || !directory.contains_key(&header.uid) {
        return Err(LoginError::UnknownUser(header.uid).into());
    }
    match usize::from(header.len).saturating_sub(MIN_LOGIN_LEN) {
        0 => Ok(()),
        more => Err(LoginError::Payload { step: Step::Request, error: PayloadError::NotEmpty(more) }.into()),
    }
}

impl Server {
    /// Step 1 is answered by steps 2 and 3, and by nothing else (LOGIN-06, LOGIN-07). It changes nothing but this
    /// connection, so a replayed one has no effect either (LOGIN-11).
    pub(super) fn login_request(&mut self, id: ConnectionId, frame: &mut [u8]) -> Result<(), Violation> {
        let user = |uid| self.directory.get(&uid).cloned();
        let (response, probe, half) = ServerLogin::request(self.provider, &mut *self.rng, &self.key, user, frame)?;
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.phase = Phase::Answer(Box::new(half));
        }
        self.queue(id, response);
        self.queue(id, probe);
        Ok(())
    }

    /// Step 4 proves the user; from here on it is online (LOGIN-07, LOGIN-08).
    pub(super) fn login_answer(&mut self, now: Duration, id: ConnectionId, frame: &mut [u8]) -> Result<(), Violation> {
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
        // An error ends the connection, whatever phase is left behind.
        let Phase::Answer(half) = mem::replace(&mut connection.phase, Phase::Request) else { return Ok(()) };
        let channel = half.response(frame)?;
        self.around_complete(now, id, channel);
        Ok(())
    }

    /// The login is complete.
    pub(super) fn complete(&mut self, now: Duration, id: ConnectionId, channel: Channel) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let uid = channel.uid;
        connection.phase = Phase::LoggedIn(Box::new(Member::new(channel)));
        self.timers.clear(Timer::Login(id));
        // LOGIN-09: the earlier connection goes first, with all that was pending on it. Its lines come to this one.
        if let Some(&earlier) = self.online.get(&uid) {
            self.around_end(earlier, Ending::Replaced);
        }
        self.online.insert(uid, id);
        self.event(Event::LoggedIn { connection: id, uid });
        self.heard_from(now, id);
        // LOGIN-13
        self.send_lines(now, uid);
    }
}
