//! One connection, and sending on it.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::init::InitRequest;
use super::machine::Server;
use super::messages::Waiting;
use super::{Action, Ending};
use crate::frame::{Deframer, FrameType};
use crate::ids::{Sid, Uid};
use crate::login::{Channel, ServerHalf};

/// A connection, by a number that no other one of this server ever has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub(super) u64);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) deframer: Deframer,
    pub(super) phase: Phase,
    /// Bytes handed to the driver and not yet reported as sent.
    pub(super) queued: usize,
    /// It will be ended before the next frame of anybody is looked at; until then nothing more is sent on it.
    pub(super) doomed: bool,
}

/// ```text
///  connect            step 1: send 2, 3           step 4: LOGIN-07
/// ---------> Request ------------------> Answer ------------------> LoggedIn
///               |                          |                           |
///               +-- violation, end, -------+---------------------------+---> forgotten
///                   LOGIN-10                   also LOGIN-09, STAT-03,
///                                              MSG-12, STAT-08, MTP-09, MTP-23
/// ```
#[derive(Debug)]
pub(super) enum Phase {
    Request,
    Answer(Box<ServerHalf>),
    LoggedIn(Box<Member>),
}

/// What belongs to a logged-in connection and is gone with it.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) channel: Channel,
    /// Its own init, if one is pending (INIT-14).
    pub(super) own_init: Option<Sid>,
    /// Its later init_req, in order (INIT-14).
    pub(super) waiting_inits: VecDeque<InitRequest>,
    /// Pending sessions to which it was invited and has not answered.
    pub(super) invited_to: BTreeSet<Sid>,
    /// Its msg_req without a msg_res, for each session in order (MSG-11). No queue in it is empty.
    pub(super) unanswered: BTreeMap<Sid, VecDeque<Waiting>>,
}

/// Who sent a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sender {
    pub(super) id: ConnectionId,
    pub(super) uid: Uid,
}

impl Connection {
    pub(super) fn new() -> Self {
        Self { deframer: Deframer::new(), phase: Phase::Request, queued: 0, doomed: false }
    }
}

impl Member {
    pub(super) fn new(channel: Channel) -> Self {
        Self {
            channel,
            own_init: None,
            waiting_inits: VecDeque::new(),
            invited_to: BTreeSet::new(),
            unanswered: BTreeMap::new(),
        }
    }
}

impl Server {
    /// Bytes that the driver has given to the network, or will never give.
    pub fn sent(&mut self, id: ConnectionId, bytes: usize) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.queued = connection.queued.saturating_sub(bytes);
        }
    }

    pub(super) fn member(&mut self, id: ConnectionId) -> Option<&mut Member> {
        match &mut self.connections.get_mut(&id)?.phase {
            Phase::LoggedIn(member) => Some(member),
            Phase::Request | Phase::Answer(_) => None,
        }
    }

    /// Seals and queues a frame on a logged-in connection; says whether it did. If not, the connection ends anyway.
    pub(super) fn send(&mut self, to: ConnectionId, typ: FrameType, sid: Sid, uid: Uid, payload: &[u8]) -> bool {
        self.around_seal_and_queue(to, typ, sid, uid, payload)
    }

    pub(super) fn seal_and_queue(
        &mut self,
        to: ConnectionId,
        typ: FrameType,
        sid: Sid,
        uid: Uid,
        payload: &[u8],
    ) -> bool {
        let Some(connection) = self.connections.get_mut(&to) else { return false };
        let Phase::LoggedIn(member) = &mut connection.phase else { return false };
        if connection.doomed {
            return false;
        }
        let Ok(frame) = self.broken.around_seal(&mut member.channel, typ, sid, uid, payload) else { return false };
        // MTP-09: 65535 may be used, and is the last thing that this peer gets.
        let used_up = member.channel.next_out().is_none();
        self.queue(to, frame);
        if used_up {
            self.doom(to, Ending::SequenceUsedUp);
        }
        true
    }

    /// Hands a sealed frame to the driver.
    pub(super) fn queue(&mut self, to: ConnectionId, frame: Vec<u8>) {
        let Some(connection) = self.connections.get_mut(&to) else { return };
        connection.queued = connection.queued.saturating_add(frame.len());
        let full = connection.queued > self.config.limits.queue_bytes;
        self.actions.push_back(Action::Send { to, frame });
        // MTP-23: whoever does not read is not waited for, and its memory is freed.
        if full {
            self.doom(to, Ending::QueueFull);
        }
    }

    /// Has a connection ended once the current frame is done with: not at once, since whoever sends may be in the midst of
    /// a loop over those who are online.
    pub(super) fn doom(&mut self, id: ConnectionId, why: Ending) {
        if let Some(connection) = self.connections.get_mut(&id)
            && !connection.doomed
        {
            connection.doomed = true;
            self.doomed.push_back((id, why));
        }
    }
}
