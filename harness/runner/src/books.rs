//! What a connection owes and is owed: the requests that wait for an answer, in order.
//!
//! Kept from what the harness sends and hears alone. It tells a fence's answer from the scenario's own, and finds
//! an answer that answers nothing (INIT-11, MSG-07, STAT-01: exactly once).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use mpchat_proto::ids::Sid;

/// A status_req that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Query {
    /// A line of the diagram.
    Drawn,
    /// The harness's own (a fence, a question for a roster), not drawn.
    Background(u64),
}

/// A member's state in a roster's answer: uid and whether online.
pub(crate) type Member = (u64, bool);

/// The books of one connection.
#[derive(Debug, Default)]
pub(crate) struct Books {
    status: BTreeMap<Sid, VecDeque<Query>>,
    /// The roster of the answer that is arriving, by sid.
    arriving: BTreeMap<Sid, Vec<Member>>,
    /// Finished background answers.
    answered: BTreeMap<u64, (bool, Vec<Member>)>,
    /// Texts of msg_req frames that wait for their msg_res, by sid, oldest first.
    texts: BTreeMap<Sid, VecDeque<String>>,
    /// Names of sessions whose init_req waits, oldest first.
    inits: VecDeque<String>,
    /// When the turn of the first of them has come at the earliest (INIT-14).
    pub(crate) init_turn: Option<Instant>,
    closes: BTreeMap<Sid, usize>,
    /// Sids for which a close_res `OK` came.
    pub(crate) closed: BTreeSet<Sid>,
    /// Lines heard on this connection that wait for an answer, by sid, oldest first.
    pub(crate) lines: BTreeMap<Sid, VecDeque<String>>,
    /// Lines heard on this connection, ever (MSG-17).
    pub(crate) heard: BTreeSet<(Sid, String)>,
    /// The newest text heard of each session and author's connection: when it was made, and what it is (MSG-10).
    pub(crate) newest: BTreeMap<(Sid, usize), (Instant, String)>,
    probes: Probes,
}

/// The server's questions (STAT-08), and all that may have answered one: any status_res, asked for or not.
#[derive(Debug, Default)]
struct Probes {
    heard: usize,
    said: usize,
    /// `said` when the bytes came that are being looked at: what is said later answers none of the probes in them.
    said_before: usize,
}

/// To whom a status_res belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StatusOwner {
    /// A question in the diagram.
    Drawn,
    /// The harness's own question; the frame is not shown to the diagram.
    Background,
    /// Nobody asked.
    Nobody,
}

impl Books {
    /// An init_req goes: it waits for the earlier ones (INIT-14).
    pub(crate) fn init_asked(&mut self, name: String) {
        if self.inits.is_empty() {
            self.init_turn = Some(Instant::now());
        }
        self.inits.push_back(name);
    }

    /// An init_res has come: for the oldest init_req, if any waits.
    pub(crate) fn init_answered(&mut self) -> Option<String> {
        self.init_turn = Some(Instant::now());
        self.inits.pop_front()
    }

    pub(crate) fn asked(&mut self, sid: Sid, query: Query) {
        self.status.entry(sid).or_default().push_back(query);
    }

    /// Files a status_res. `uid` 0 ends an answer.
    pub(crate) fn status_answer(&mut self, sid: Sid, uid: u64, online: bool) -> StatusOwner {
        let Some(queries) = self.status.get_mut(&sid) else { return StatusOwner::Nobody };
        let Some(first) = queries.front().cloned() else { return StatusOwner::Nobody };
        if uid != 0 {
            self.arriving.entry(sid).or_default().push((uid, online));
        } else {
            queries.pop_front();
            let members = self.arriving.remove(&sid).unwrap_or_default();
            if let Query::Background(id) = first {
                self.answered.insert(id, (online, members));
            }
        }
        match first {
            Query::Drawn => StatusOwner::Drawn,
            Query::Background(_) => StatusOwner::Background,
        }
    }

    /// Bytes came: what they hold was sent before anything that is said from now on.
    pub(crate) fn bytes_came(&mut self) {
        self.probes.said_before = self.probes.said;
    }

    /// A status_res was sent.
    pub(crate) fn said_status(&mut self) {
        self.probes.said += 1;
    }

    /// Files a status_req of the server; false if another one was certainly unanswered when it was sent. Before step 4 is
    /// sent, nothing answers.
    pub(crate) fn probed(&mut self, logged_in: bool) -> bool {
        self.probes.heard += 1;
        let answers = if logged_in { self.probes.said_before } else { 0 };
        self.probes.heard <= answers + 1
    }

    /// The sids about which an answer is owed.
    pub(crate) fn asked_sids(&self) -> Vec<Sid> {
        self.status.iter().filter(|(_, queries)| !queries.is_empty()).map(|(sid, _)| *sid).collect()
    }

    /// The sids for which an msg_res is owed.
    pub(crate) fn owed_sids(&self) -> Vec<Sid> {
        self.texts.iter().filter(|(_, texts)| !texts.is_empty()).map(|(sid, _)| *sid).collect()
    }

    /// The sids for which the answer to a close_req is owed.
    pub(crate) fn closing_sids(&self) -> Vec<Sid> {
        self.closes.iter().filter(|(_, owed)| **owed > 0).map(|(sid, _)| *sid).collect()
    }

    /// Takes the finished answer to a background question.
    pub(crate) fn take_answer(&mut self, id: u64) -> Option<(bool, Vec<Member>)> {
        self.answered.remove(&id)
    }

    pub(crate) fn has_answer(&self, id: u64) -> bool {
        self.answered.contains_key(&id)
    }

    pub(crate) fn said(&mut self, sid: Sid, text: &str) {
        self.texts.entry(sid).or_default().push_back(text.to_owned());
    }

    /// The text that a msg_res for `sid` is about: the oldest that waits (MSG-11).
    pub(crate) fn text_answered(&mut self, sid: Sid) -> Option<String> {
        self.texts.get_mut(&sid)?.pop_front()
    }

    pub(crate) fn asked_to_close(&mut self, sid: Sid) {
        *self.closes.entry(sid).or_default() += 1;
    }

    /// Whether a close_req for `sid` waited.
    pub(crate) fn close_answered(&mut self, sid: Sid) -> bool {
        match self.closes.get_mut(&sid) {
            Some(n) if *n > 0 => {
                *n -= 1;
                true
            }
            _ => false,
        }
    }

    /// Whether the msg_res for this text waits for that of an earlier one of the session (MSG-11).
    pub(crate) fn waits_behind_another(&self, line_of: impl Fn(&str) -> bool) -> bool {
        self.texts.values().any(|texts| texts.iter().skip(1).any(|text| line_of(text)))
    }

    /// Whether a msg_res for `sid` is awaited; such answers were due before whatever came later (MTP-13).
    pub(crate) fn owes_text(&self, sid: Sid) -> bool {
        self.texts.get(&sid).is_some_and(|t| !t.is_empty())
    }
}
