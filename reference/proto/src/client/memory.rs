//! What a client knows beyond a connection, at least while it runs.

use std::collections::{BTreeMap, BTreeSet};

use super::roster::{self, Origin, Untrusted};
use crate::crypto::Provider;
use crate::ids::{Sid, Uid};

/// What was learned as one user.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) sessions: BTreeMap<Sid, Session>,
    /// Digests of (sid, author, line): MSG-18 says for how long, "while the client runs".
    pub(super) shown: BTreeSet<[u8; 32]>,
}

/// What is known of a session.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// Whom the user invited, if it created the session.
    pub(super) invited: Option<Vec<Uid>>,
    /// Who invited the user; the first one, if the server names several.
    pub(super) inviter: Option<Uid>,
    pub(super) invitation: Invitation,
    /// The first roster, trusted or not (STAT-09).
    pub(super) roster: Option<Vec<Uid>>,
    /// A close_res `OK` came (CLOSE-10).
    pub(super) closed: bool,
}

/// ```text
/// None --invite_req--> Open --answer--> Answered (for good, INIT-16)
///   ^                    |
///   +--- connection ends-+   (then the server takes it as denied, LOGIN-09)
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Invitation {
    #[default]
    None,
    Open,
    Answered,
}

impl Memory {
    pub(super) fn session(&self, sid: Sid) -> Option<&Session> {
        self.sessions.get(&sid)
    }

    /// For what the user's own requests bring: they bound its number.
    pub(super) fn session_mut(&mut self, sid: Sid) -> &mut Session {
        self.sessions.entry(sid).or_default()
    }

    /// For what the server brings unasked: not more than `limit` sessions.
    pub(super) fn session_within(&mut self, sid: Sid, limit: usize) -> Option<&mut Session> {
        if self.sessions.len() >= limit && !self.sessions.contains_key(&sid) {
            return None;
        }
        Some(self.session_mut(sid))
    }

    pub(super) fn is_closed(&self, sid: Sid) -> bool {
        self.session(sid).is_some_and(|session| session.closed)
    }

    /// Invitations that nobody answered are gone with their connection.
    pub(super) fn lapse_invitations(&mut self) {
        for session in self.sessions.values_mut().filter(|session| session.invitation == Invitation::Open) {
            session.invitation = Invitation::None;
        }
    }

    /// What stands for a line among those shown.
    pub(super) fn digest(provider: &dyn Provider, sid: Sid, author: Uid, line: &str) -> [u8; 32] {
        provider.sha256(&[&sid.0.to_be_bytes(), &author.0.to_be_bytes(), line.as_bytes()])
    }

    pub(super) fn was_shown(&self, digest: &[u8; 32]) -> bool {
        self.shown.contains(digest)
    }

    pub(super) fn has_room(&self, limit: usize) -> bool {
        self.shown.len() < limit
    }

    pub(super) fn remember_shown(&mut self, digest: [u8; 32]) {
        self.shown.insert(digest);
    }
}

impl Session {
    /// STAT-09: the first roster counts, and is never replaced.
    pub(super) fn learn(&mut self, roster: impl IntoIterator<Item = Uid>) {
        if self.roster.is_none() {
            self.roster = Some(roster.into_iter().collect());
        }
    }

    pub(super) fn is_without_roster(&self) -> bool {
        self.roster.is_none()
    }

    /// The roster, if one is known, and if it can be trusted (STAT-09): judged when it is used, since an invitation may
    /// come after a roster.
    pub(super) fn trusted_roster(&self, me: Uid) -> Option<Result<&[Uid], Untrusted>> {
        let roster = self.roster.as_deref()?;
        let origin = Origin { invited: self.invited.as_deref(), inviter: self.inviter };
        Some(roster::trust(roster, me, origin).map(|()| roster))
    }
}
