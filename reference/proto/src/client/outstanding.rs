//! Requests of one connection that wait for their answers.

use std::collections::{BTreeMap, VecDeque};

use super::roster::MAX_ROSTER;
use crate::ids::{Sid, Uid};
use crate::payload::Presence;

/// What was asked on a connection and not answered yet. Everything in it was put there by the user's own commands, so that
/// the server cannot make it grow.
#[derive(Debug, Default)]
pub(super) struct Outstanding {
    /// Whom each unanswered init_req names, oldest first: answers come in their order (INIT-14).
    pub(super) inits: VecDeque<Vec<Uid>>,
    /// Unanswered texts: answers come in order for one session (MSG-11).
    pub(super) texts: Count,
    /// Unanswered close_req.
    pub(super) closes: Count,
    pub(super) queries: VecDeque<Query>,
    /// The session whose roster the command at the head of the queue waits for.
    pub(super) asking: Option<Sid>,
}

/// How many of each session.
#[derive(Debug, Default)]
pub(super) struct Count(pub(super) BTreeMap<Sid, usize>);

/// A status_req, and what has come of its answer (STAT-04).
#[derive(Debug)]
pub(super) struct Query {
    pub(super) sid: Sid,
    /// Whether the user asked; else the client did, and it gives no event.
    pub(super) by_user: bool,
    /// One more than a session can have at most: enough to see that it has too many.
    pub(super) members: Vec<(Uid, Presence)>,
}

impl Outstanding {
    /// Whether all answers have come (MTP-09).
    pub(super) fn is_empty(&self) -> bool {
        self.inits.is_empty() && self.texts.0.is_empty() && self.closes.0.is_empty() && self.queries.is_empty()
    }

    pub(super) fn ask(&mut self, sid: Sid, by_user: bool) {
        self.queries.push_back(Query { sid, by_user, members: Vec::new() });
    }

    /// One more participant in the answer to the oldest query of `sid`; nothing, if there is none (PAY-06).
    pub(super) fn member(&mut self, sid: Sid, uid: Uid, presence: Presence) {
        if let Some(query) = self.queries.iter_mut().find(|query| query.sid == sid)
            && query.members.len() <= MAX_ROSTER
        {
            query.members.push((uid, presence));
        }
    }

    /// The oldest query of `sid`, whose answer is complete: answers for one sid do not mix (STAT-07).
    pub(super) fn answered(&mut self, sid: Sid) -> Option<Query> {
        let at = self.queries.iter().position(|query| query.sid == sid)?;
        self.queries.remove(at)
    }
}

impl Count {
    pub(super) fn add(&mut self, sid: Sid) {
        *self.0.entry(sid).or_default() += 1;
    }

    /// Takes one off; whether there was one.
    pub(super) fn take(&mut self, sid: Sid) -> bool {
        let Some(count) = self.0.get_mut(&sid) else { return false };
        *count -= 1;
        if *count == 0 {
            self.0.remove(&sid);
        }
        true
    }
}
