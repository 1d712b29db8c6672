//! What a case knows: users, connections, sessions, texts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use mpchat_proto::frame::{Deframer, Header};
use mpchat_proto::ids::{Sid, Uid};
use mpchat_script::ast::{Cast, Front, Kind};
use rand::Rng;

use crate::books::Books;
use crate::identities::Identity;
use crate::link::{EndHow, Link};

use super::Play;
use super::login::{Login, Transfer};

/// How far the login of a connection is, seen from the harness.
///
/// ```text
/// Raw --login_req--> Requested --login_res--> Half --status_req--> Ready
/// ```
pub(crate) enum Phase {
    /// Nothing was sent, or nothing that could be answered.
    Raw,
    /// Step 1 is sent.
    Requested(Arc<Login>),
    /// Step 2 is there.
    Half(Transfer),
    /// Step 3 is there: the harness's next frame is step 4.
    Ready(Transfer),
}

/// One connection of the case.
pub(crate) struct Conn {
    pub(crate) name: String,
    pub(crate) user: String,
    /// The uid that its frames carry.
    pub(crate) uid: Uid,
    pub(crate) link: Link,
    pub(crate) deframer: Deframer,
    pub(crate) phase: Phase,
    /// Step 4 was sent, truly.
    pub(crate) logged_in: bool,
    /// When that was.
    pub(crate) logged_in_at: Option<Instant>,
    /// Just before it was opened, and just after.
    pub(crate) opened: Instant,
    pub(crate) connected: Instant,
    pub(crate) ended: Option<EndHow>,
    pub(crate) fin_sent: bool,
    /// It sent something for which the server has to close it.
    pub(crate) violating: bool,
    /// Only the beginning of a frame was sent on it: whatever came next would be taken for the rest.
    pub(crate) mid_frame: bool,
    /// Probes that are answered when the rest of a frame is sent (`held at`).
    pub(crate) probes_held: usize,
    /// Bytes of the longest msg_req payload that was sent on it.
    pub(crate) longest_msg: usize,
    /// The type of the last frame that was sent on it.
    pub(crate) last_sent: Option<mpchat_script::ast::Kind>,
    /// Error texts about sessions of others.
    pub(crate) told: super::outsider::Told,
    /// Its login request was wrong itself.
    pub(crate) bad_login: bool,
    /// Sids of invitations that it has not answered.
    pub(crate) invited_to: std::collections::BTreeSet<Sid>,
    /// The last request was malformed, and is to be answered with an error text (PAY-04).
    pub(crate) malformed_request: bool,
    /// What the server sent in answer to that.
    pub(crate) answered: Option<String>,
    /// Its login is written out in the diagram.
    pub(crate) drawn_login: bool,
    /// It said `Offline`: the server ends it.
    pub(crate) farewell: bool,
    /// Another connection took its place; how it ends does not matter any more.
    pub(crate) detached: bool,
    pub(crate) reading: bool,
    pub(crate) books: Books,
    /// Heard, and not yet judged.
    pub(crate) queue: VecDeque<Happening>,
    /// Do not judge for the moment.
    pub(crate) holding: bool,
    /// It acted since its last fence.
    pub(crate) dirty: bool,
    /// Last number that the harness used.
    pub(crate) last_out: u16,
    /// Last number that was heard.
    pub(crate) last_in: u16,
    /// Starts of the target's timers, as far as they can be told: the earliest and the latest moment.
    pub(crate) starts: BTreeMap<mpchat_script::ast::Timer, (Instant, Instant)>,
}

impl Conn {
    /// Whether the harness can ask on it and be answered.
    pub(crate) fn can_ask(&self) -> bool {
        self.logged_in
            && self.ended.is_none()
            && self.next_out().is_some()
            && !self.fin_sent
            && !self.violating
            && !self.link.is_holding()
            && !self.farewell
            && !self.detached
            && self.reading
    }

    /// Step 4 is sent.
    pub(crate) fn log_in(&mut self) {
        if !self.logged_in {
            self.logged_in = true;
            self.logged_in_at = Some(Instant::now());
        }
    }

    /// The transfer keys, once they are there.
    pub(crate) fn transfer(&self) -> Option<&Transfer> {
        match &self.phase {
            Phase::Half(transfer) | Phase::Ready(transfer) => Some(transfer),
            _ => None,
        }
    }

    /// The number that is due next, if there is one.
    pub(crate) fn next_out(&self) -> Option<u16> {
        self.last_out.checked_add(1)
    }
}

/// Something that a connection heard.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    Frame(Heard),
    End(EndHow),
}

/// A frame of the subject, opened, and past the monitors.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) kind: Kind,
    pub(crate) header: Header,
    pub(crate) payload: Vec<u8>,
    /// msg_res: the text that it answers. init_res: the session that it answers.
    pub(crate) about: Option<String>,
    /// close_res: whether a close_req waited.
    pub(crate) answers_close: bool,
    pub(crate) at: Instant,
}

/// A session of the diagram.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    pub(crate) sid: Option<Sid>,
    pub(crate) creator: String,
    pub(crate) invited: Vec<String>,
    /// Who answered `Accept` while the init was pending.
    pub(crate) accepted: BTreeSet<String>,
    /// init_res `OK` was heard.
    pub(crate) live: bool,
    /// A close was asked for or noticed, or the init failed.
    pub(crate) over: bool,
    /// Messages accepted for each recipient, in the order in which it heard them (MSG-10).
    pub(crate) heard_order: BTreeMap<String, Vec<String>>,
}

impl Session {
    /// The roster in order (SPECIFICATION section 1).
    pub(crate) fn roster(&self) -> Vec<String> {
        let accepted = self.invited.iter().filter(|name| self.accepted.contains(*name));
        std::iter::once(&self.creator).filter(|c| !c.is_empty()).chain(accepted).cloned().collect()
    }
}

/// A text of the diagram: whose, where, and the line of each recipient.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) author: String,
    pub(crate) session: String,
    pub(crate) lines: BTreeMap<String, String>,
    /// Recipients that answered it, on which connection and when.
    pub(crate) answered: BTreeMap<String, (usize, Instant)>,
    /// When it was made.
    pub(crate) at: Instant,
    /// The connection that sent it; none if it was sent more than once.
    pub(crate) sent_on: Option<usize>,
    /// Its author heard that it failed: it was refused, if no recipient gets it.
    pub(crate) failed: bool,
}

/// An msg_res `OK` that came although a recipient had not answered: a breach of MSG-07, unless that recipient's
/// connection turns out to have ended before.
#[derive(Clone, Debug)]
pub(crate) struct Suspicion {
    pub(crate) author: usize,
    pub(crate) recipient: usize,
    pub(crate) text: String,
}

/// Bytes kept by `as NAME`, and the login that they began.
pub(crate) struct Kept {
    pub(crate) bytes: Vec<u8>,
    pub(crate) login: Option<Arc<Login>>,
}

/// The name of the session in a file that names none.
pub(crate) const DEFAULT_SESSION: &str = "session";

pub(crate) fn random_sid(rng: &mut impl Rng) -> Sid {
    // Not 0; that a server gives out just this one has odds of 2^-64.
    Sid(rng.next_u64() | 1)
}

pub(crate) fn strangers(front: &Front, rng: &mut impl Rng) -> BTreeMap<String, Uid> {
    let unknown = front.cast.iter().filter(|(_, cast)| **cast == Cast::UnknownUser);
    unknown.map(|(name, _)| (name.clone(), Uid(rng.next_u64() | 1))).collect()
}

pub(crate) fn declared_sessions(front: &Front) -> BTreeMap<String, Session> {
    front
        .sessions
        .iter()
        .map(|(name, roster)| {
            let mut names = roster.iter().cloned();
            let creator = names.next().unwrap_or_default();
            (name.clone(), Session { creator, invited: names.collect(), ..Session::default() })
        })
        .collect()
}

impl Play {
    /// The session that a line without `in` is about: the only one that the file knows.
    pub(crate) fn default_session(&self) -> String {
        let mut names = self.sessions.keys();
        match (names.next(), names.next()) {
            (Some(only), None) => only.clone(),
            _ => DEFAULT_SESSION.to_owned(),
        }
    }

    pub(crate) fn identity(&self, user: &str) -> Option<&Arc<Identity>> {
        self.users.get(user)
    }

    /// The uid of a name: a user, a lifeline, a stranger, `server`.
    pub(crate) fn uid_of(&self, name: &str) -> Option<Uid> {
        if name == "server" {
            return Some(Uid::SERVER);
        }
        if let Some(uid) = self.strangers.get(name) {
            return Some(*uid);
        }
        let user = self.user_of(name);
        self.users.get(&user).map(|identity| identity.uid)
    }

    /// The user behind a lifeline or another spelling.
    pub(crate) fn user_of(&self, name: &str) -> String {
        let name = match self.front.cast.get(name) {
            Some(Cast::SameAs(other)) => other,
            Some(Cast::ConnectionOf(user)) => user,
            _ => name,
        };
        name.to_owned()
    }

    /// The users of a list of names, crowds unfolded; strangers and `server` stay.
    pub(crate) fn unfold(&self, names: &[String]) -> Vec<String> {
        let mut users = Vec::new();
        for name in names {
            match self.front.cast.get(name) {
                Some(Cast::Users(n)) => users.extend((1..=*n).map(|k| crate::program::member(name, k))),
                _ => users.push(self.user_of(name)),
            }
        }
        users
    }

    /// The name that people know a uid by.
    pub(crate) fn name_of(&self, uid: Uid) -> String {
        if uid == Uid::SERVER {
            return "server".to_owned();
        }
        let user = self.users.iter().find(|(_, identity)| identity.uid == uid).map(|(name, _)| name.clone());
        let stranger = || self.strangers.iter().find(|(_, s)| **s == uid).map(|(name, _)| name.clone());
        user.or_else(stranger).unwrap_or_else(|| uid.to_string())
    }

    /// The name that people know a sid by.
    pub(crate) fn session_name(&self, sid: Sid) -> String {
        if sid == Sid::NONE {
            return "none".to_owned();
        }
        if sid == self.unknown_sid {
            return "unknown".to_owned();
        }
        let known = self.sessions.iter().find(|(_, session)| session.sid == Some(sid));
        known.map_or_else(|| sid.to_string(), |(name, _)| name.clone())
    }

    pub(crate) fn session_by_sid(&self, sid: Sid) -> Option<(&String, &Session)> {
        self.sessions.iter().find(|(_, session)| session.sid == Some(sid))
    }

    /// The connection on which a user has been online without a break since `then`, as far as the harness can tell.
    pub(crate) fn online_since(&self, user: &str, then: Instant) -> Option<usize> {
        let since = |c: &Conn| c.logged_in_at.is_some_and(|at| at <= then);
        self.conns.iter().position(|c| c.user == user && c.can_ask() && since(c))
    }

    /// Whether a user has a connection that is logged in, as far as the harness can tell for sure.
    pub(crate) fn surely_online(&self, user: &str) -> bool {
        self.conns.iter().any(|c| c.user == user && c.can_ask())
    }
}
