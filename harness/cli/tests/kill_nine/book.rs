//! What the users were told, and what follows from it. Knows nothing of processes and clients.

use std::collections::{BTreeMap, BTreeSet};

use mpchat_proto::ids::{Sid, Uid};
use mpchat_proto::payload::Presence;

/// All that was seen, in all rounds.
#[derive(Debug, Default)]
pub(crate) struct Book {
    round: u64,
    online: BTreeSet<Uid>,
    /// Every sid that anybody heard of, and in which round first (INIT-03).
    sids: BTreeMap<Sid, u64>,
    invited: BTreeSet<(Sid, Uid)>,
    denied: BTreeSet<(Sid, Uid)>,
    sessions: BTreeMap<Sid, Session>,
    lines: BTreeMap<String, Line>,
    /// The last line of an author that a recipient was shown in this round, by session.
    last: BTreeMap<(Uid, Sid, Uid), u64>,
    violations: Vec<String>,
    tally: Tally,
}

#[derive(Debug)]
struct Session {
    roster: Vec<Uid>,
    state: State,
}

/// ```text
///           the creator asks                the answer, or anybody's notification
///   Live --------------------> Asked -----------------------------------------> Closed, for good
/// ```
///
/// Nothing is known of a session whose close was asked for and not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Live,
    Asked,
    Closed { round: u64 },
}

#[derive(Debug)]
struct Line {
    /// The order of all.
    number: u64,
    sid: Sid,
    author: Uid,
    /// The author heard `OK`, in this round.
    accepted: Option<u64>,
    recipients: BTreeMap<Uid, Delivery>,
}

#[derive(Debug, Default)]
struct Delivery {
    /// The last round in which it was shown.
    shown: Option<u64>,
    /// The round in which the server certainly had the answer: it must never come again (MSG-17).
    answered: Option<u64>,
}

/// How much the rounds have proved.
#[derive(Debug, Default)]
struct Tally {
    accepted: u64,
    stored: u64,
    again: u64,
    answered: u64,
    opened: u64,
    closed: u64,
    live: u64,
    stayed_closed: u64,
}

impl Book {
    pub(crate) fn begin(&mut self, round: u64, online: &[Uid]) {
        self.round = round;
        self.online = online.iter().copied().collect();
        self.invited.clear();
        self.last.clear();
    }

    /// When all that was under way has been taken: who was online when the author heard `OK` had answered.
    pub(crate) fn end(&mut self) {
        for (text, line) in &self.lines {
            for (uid, delivery) in &line.recipients {
                if line.accepted == Some(self.round) && self.online.contains(uid) && delivery.shown != Some(self.round)
                {
                    self.violations.push(format!("{text}: OK, but {uid} was online and never got it"));
                }
            }
        }
    }

    pub(crate) fn violations(&self) -> &[String] {
        &self.violations
    }

    pub(crate) fn broken(&mut self, what: String) {
        self.violations.push(what);
    }

    pub(crate) fn invited(&mut self, sid: Sid, uid: Uid) {
        self.given_out(sid);
        if !self.invited.insert((sid, uid)) {
            self.broken(format!("{uid} is invited twice to {sid}"));
        }
    }

    pub(crate) fn denies(&mut self, sid: Sid, uid: Uid) {
        self.denied.insert((sid, uid));
    }

    pub(crate) fn opened(&mut self, sid: Sid, creator: Uid, invited: &[Uid]) {
        self.given_out(sid);
        // INIT-06: who is offline is not invited.
        let accepts = |uid: &Uid| self.online.contains(uid) && !self.denied.contains(&(sid, *uid));
        let accepted = invited.iter().copied().filter(accepts);
        let roster = std::iter::once(creator).chain(accepted).collect();
        if self.sessions.insert(sid, Session { roster, state: State::Live }).is_some() {
            self.broken(format!("session {sid} is opened twice"));
        }
        self.tally.opened += 1;
    }

    /// A sid that somebody hears of in an earlier round is never new again (INIT-03, CLOSE-04).
    fn given_out(&mut self, sid: Sid) {
        let first = *self.sids.entry(sid).or_insert(self.round);
        if first != self.round {
            self.broken(format!("sid {sid} of round {first} is given out again"));
        }
    }

    /// The sessions that a user may write to, and those that it made and that are not known to be closed.
    pub(crate) fn sessions(&self, uid: Uid) -> (Vec<Sid>, Vec<Sid>) {
        let which = |of: &dyn Fn(&Session) -> bool| {
            self.sessions.iter().filter(|(_, session)| of(session)).map(|(sid, _)| *sid).collect()
        };
        let live = which(&|session| session.state == State::Live && session.roster.contains(&uid));
        let made = which(&|session| !matches!(session.state, State::Closed { .. }) && session.roster[0] == uid);
        (live, made)
    }

    /// A text is about to be sent: gives it.
    pub(crate) fn send(&mut self, sid: Sid, author: Uid) -> String {
        let number = self.lines.len() as u64;
        let others = self.sessions[&sid].roster.iter().filter(|uid| **uid != author);
        let recipients = others.map(|uid| (*uid, Delivery::default())).collect();
        let text = format!("line {number} of {author} in round {}", self.round);
        self.lines.insert(text.clone(), Line { number, sid, author, accepted: None, recipients });
        text
    }

    /// The author hears of its text.
    pub(crate) fn sent(&mut self, text: &str, ok: bool) {
        let Some(line) = self.lines.get_mut(text) else { return };
        let live = self.sessions[&line.sid].state == State::Live;
        if !ok {
            if live {
                self.broken(format!("{text}: refused in a live session"));
            }
            return;
        }
        line.accepted = Some(self.round);
        self.tally.accepted += 1;
        for (uid, delivery) in &mut line.recipients {
            // MSG-07: nobody goes offline before the kill.
            if self.online.contains(uid) {
                delivery.answered.get_or_insert(self.round);
                self.tally.answered += 1;
            }
        }
    }

    pub(crate) fn shown(&mut self, text: &str, uid: Uid) {
        let round = self.round;
        let Some(line) = self.lines.get_mut(text) else { return self.broken(format!("{uid} gets {text:?}")) };
        let (sid, author, number) = (line.sid, line.author, line.number);
        let Some(delivery) = line.recipients.get_mut(&uid) else {
            return self.broken(format!("{text}: {uid} takes no part"));
        };
        let mut wrong = Vec::new();
        if let Some(answered) = delivery.answered.filter(|answered| *answered < round) {
            wrong.push(format!("was answered in round {answered}, and comes again"));
        }
        match delivery.shown.replace(round) {
            Some(before) if before == round => wrong.push("comes twice on a connection".to_owned()),
            Some(_) => self.tally.again += 1,
            None => {}
        }
        if let State::Closed { round: closed } = self.sessions[&sid].state
            && closed < round
        {
            wrong.push(format!("comes though its session was closed in round {closed}"));
        }
        // MSG-10
        let last = self.last.insert((uid, sid, author), number);
        if last.is_some_and(|last| last > number) {
            wrong.push(format!("comes after line {}", last.unwrap_or_default()));
        }
        self.violations.extend(wrong.into_iter().map(|wrong| format!("{text}: to {uid}: {wrong}")));
    }

    /// All that was stored for a user has arrived (LOGIN-13).
    pub(crate) fn has_all(&mut self, uid: Uid) {
        for (text, line) in &self.lines {
            let Some(delivery) = line.recipients.get(&uid) else { continue };
            let owed = delivery.answered.is_none()
                && line.accepted.is_some_and(|round| round < self.round)
                && self.sessions[&line.sid].state == State::Live;
            if !owed {
                continue;
            }
            if delivery.shown == Some(self.round) {
                self.tally.stored += 1;
            } else {
                self.violations.push(format!("{text}: its author heard OK, and {uid} does not get it"));
            }
        }
    }

    /// The server has processed the answers to all that a user was shown so far.
    pub(crate) fn has_answered(&mut self, uid: Uid) {
        for line in self.lines.values_mut() {
            let Some(delivery) = line.recipients.get_mut(&uid) else { continue };
            if delivery.shown == Some(self.round) && delivery.answered.is_none() {
                delivery.answered = Some(self.round);
                self.tally.answered += 1;
            }
        }
    }

    /// What a user is to ask about: sessions whose state was told, each asked for by one of its users.
    pub(crate) fn questions(&self, uid: Uid) -> Vec<Sid> {
        let asks = |session: &Session| {
            session.state != State::Asked && session.roster.iter().find(|uid| self.online.contains(uid)) == Some(&uid)
        };
        self.sessions.iter().filter(|(_, session)| asks(session)).map(|(sid, _)| *sid).collect()
    }

    /// The answer to such a question: live sessions are live with their roster, closed ones closed (STAT-04, STAT-05).
    pub(crate) fn told(&mut self, sid: Sid, state: Presence, members: &[(Uid, Presence)]) {
        let Some(session) = self.sessions.get(&sid) else { return };
        let roster: Vec<Uid> = members.iter().map(|(uid, _)| *uid).collect();
        match session.state {
            State::Live if state == Presence::Online && roster == session.roster => self.tally.live += 1,
            State::Closed { .. } if state == Presence::Offline => self.tally.stayed_closed += 1,
            State::Asked => {}
            _ => {
                let session = format!("{session:?}");
                self.broken(format!("{sid}: {session}, but the server says {state:?}, {roster:?}"));
            }
        }
    }

    pub(crate) fn asks_to_close(&mut self, sid: Sid) {
        if let Some(session) = self.sessions.get_mut(&sid)
            && session.state == State::Live
        {
            session.state = State::Asked;
        }
    }

    /// An answer to the closer, or a notification. A refusal says that it is closed already: somebody asked before.
    pub(crate) fn closed(&mut self, sid: Sid) {
        let round = self.round;
        match self.sessions.get_mut(&sid) {
            Some(Session { state: state @ State::Asked, .. }) => {
                *state = State::Closed { round };
                self.tally.closed += 1;
            }
            Some(Session { state: State::Closed { .. }, .. }) => {}
            Some(Session { state: State::Live, .. }) => self.broken(format!("{sid} is closed, and nobody asked")),
            None => self.broken(format!("{sid} is closed, and never was open")),
        }
    }

    /// Whether nobody asked to close a session: then nothing about it may be refused.
    pub(crate) fn is_live(&self, sid: Sid) -> bool {
        self.sessions.get(&sid).is_some_and(|session| session.state == State::Live)
    }

    pub(crate) fn tally(&self) -> String {
        let sids = self.sids.len();
        format!("{sids} sids; {:?}", self.tally)
    }

    /// A load that leaves nothing to check would pass as well.
    pub(crate) fn proves_something(&self) {
        let Tally { accepted, stored, again: _, answered, opened, closed, live, stayed_closed } = self.tally;
        let all = [accepted, stored, answered, opened, closed, live, stayed_closed];
        assert!(all.iter().all(|count| *count > 0), "{:?}", self.tally);
    }
}
