//! What a frame of the client is: what its user wanted, an answer that it owes, a question of its own, or a breach.

use std::sync::Arc;

use mpchat_proto::ids::{Sid, Uid};
use mpchat_script::ast::{Frame, Kind, Message, What};

use super::Host;
use super::blame;
use super::world::{Answer, Heard, Seen};
use crate::program::{Leaf, LeafKind};
use crate::stop::Stop;

impl Host {
    /// Judges an opened frame that has passed the checks of every case.
    pub(super) fn judge(&mut self, heard: &Heard) -> Result<(), Stop> {
        match heard.kind {
            Kind::MsgRes => self.line_answered(heard),
            Kind::StatusRes => self.probe_answered(heard),
            Kind::StatusReq => self.asked_for_status(heard),
            _ => self.carried_out(heard),
        }
    }

    /// MSG-06, MSG-09: an answer to the oldest line of its sid.
    fn line_answered(&mut self, heard: &Heard) -> Result<(), Stop> {
        let sid = heard.header.sid;
        let ended = self.conns.last().is_some_and(|conn| conn.to_end);
        let owed = self.conn().and_then(|conn| conn.lines.get_mut(&sid)?.pop_front());
        let Some(owed) = owed else {
            let rules: &[&str] = if ended { &["MTP-13", "MSG-06"] } else { &["MSG-06"] };
            return Err(self.finding(rules, "one msg_res a line, with its sid", self.describe(heard)));
        };
        let ok = heard.payload == b"OK";
        if ok != owed.is_ok() {
            let expected = match owed {
                Answer::Ok => "msg_res OK: the envelope can be opened",
                Answer::Again => "msg_res OK: the line was shown before",
                Answer::Unopenable => "msg_res with an error text: nobody can open the line",
                Answer::Elsewhere => "msg_res with an error text: the envelope is meant for elsewhere",
            };
            return Err(self.finding(owed.rules(), expected, self.describe(heard)));
        }
        self.seen.push(Seen::Frame(heard.clone()));
        Ok(())
    }

    /// STAT-02.
    fn probe_answered(&mut self, heard: &Heard) -> Result<(), Stop> {
        let online = heard.payload == b"Online";
        let leaving = self.leaving;
        let Some(conn) = self.conn() else { return Ok(()) };
        let server_ended = conn.server_ended;
        if !online {
            conn.farewell = true;
            // It may say so to a server that has left already, before it does so itself (MTP-19).
            if !leaving && !server_ended {
                let expected = "Offline only when its user wants to leave";
                return Err(self.finding(&["STAT-02"], expected, self.describe(heard)));
            }
            conn.probes = conn.probes.saturating_sub(1);
            // STAT-03: the server closes.
            if !conn.fin_sent {
                conn.fin_sent = true;
                conn.link.finish();
            }
        } else if conn.probes == 0 {
            let rules: &[&str] = if conn.to_end { &["MTP-13", "STAT-02"] } else { &["STAT-02"] };
            return Err(self.finding(rules, "one status_res a status_req", self.describe(heard)));
        } else {
            conn.probes -= 1;
        }
        self.seen.push(Seen::Frame(heard.clone()));
        Ok(())
    }

    /// A question for a status: one that its user asks, or the client's own, which is answered as it is.
    fn asked_for_status(&mut self, heard: &Heard) -> Result<(), Stop> {
        let sid = heard.header.sid;
        let place = self.commanded.iter().position(|leaf| {
            message(leaf).is_some_and(|m| m.kind == Kind::StatusReq && self.known_sid(m) == Some(sid))
        });
        if let Some(leaf) = place.and_then(|place| self.commanded.remove(place)) {
            self.fill(&leaf, &leaf.line.text.clone());
            self.asked.push((Kind::StatusReq, sid));
            return Ok(());
        }
        if self.conns.last().is_some_and(|conn| conn.to_end || conn.fin_sent) {
            self.questions_after_fault += 1;
            return Ok(());
        }
        self.answered_since_served = true;
        // Its user's question was the earlier one, and the diagram says when that is answered.
        if self.asked.contains(&(Kind::StatusReq, sid)) {
            self.held_questions.push(sid);
        } else {
            self.answer_status(sid);
        }
        Ok(())
    }

    /// Answers the client's own questions that had to wait for one of its user's.
    pub(super) fn answer_held_questions(&mut self, about: Sid) {
        if self.asked.contains(&(Kind::StatusReq, about)) {
            return;
        }
        let held = self.held_questions.len();
        self.held_questions.retain(|sid| *sid != about);
        for _ in self.held_questions.len()..held {
            self.answer_status(about);
        }
    }

    /// STAT-01, STAT-04, STAT-05.
    fn answer_status(&mut self, sid: Sid) {
        let live = self.session_by_sid(sid).filter(|(_, session)| session.live).map(|(name, _)| name.clone());
        let takes_part = |name: &String| self.told_roster(name).contains(&self.role) || self.claims.contains_key(name);
        let last: &[u8] =
            if sid == Sid::NONE || live.as_ref().is_some_and(takes_part) { b"Online" } else { b"Offline" };
        // STAT-06: the answer is true when the question was processed; the close comes before it leaves.
        self.close_if_asked(sid);
        if let Some(name) = live.filter(|_| last == b"Online") {
            let roster = self.told_roster(&name);
            self.first_rosters.entry(sid).or_insert_with(|| roster.clone());
            for member in roster {
                let uid = self.uid_of(&member).unwrap_or(Uid::SERVER);
                let state: &[u8] = if self.offline.contains(&member) { b"Offline" } else { b"Online" };
                self.say(Kind::StatusRes, sid, uid, state);
            }
        }
        self.told_offline |= last == b"Offline";
        self.say(Kind::StatusRes, sid, Uid::SERVER, last);
    }

    /// `closes when asked for the roster`: another participant closes the session.
    pub(super) fn close_if_asked(&mut self, sid: Sid) {
        if !self.closes_when_asked.remove(&sid) {
            return;
        }
        let Some((name, _)) = self.session_by_sid(sid) else { return };
        let name = name.clone();
        let other = self.told_roster(&name).into_iter().find(|user| *user != self.role);
        let closer = other.and_then(|user| self.uid_of(&user)).unwrap_or(Uid::SERVER);
        self.say(Kind::CloseRes, sid, closer, b"OK");
        self.book_close(&name, sid, closer, true);
    }

    /// A request: of those that its user wanted, the oldest.
    fn carried_out(&mut self, heard: &Heard) -> Result<(), Stop> {
        if self.expected_in_setup == Some(heard.kind) {
            self.seen.push(Seen::Frame(heard.clone()));
            return Ok(());
        }
        let first =
            self.commanded.iter().find(|leaf| message(leaf).is_some_and(|m| m.kind != Kind::StatusReq)).cloned();
        let wanted = first.filter(|leaf| message(leaf).is_some_and(|m| m.kind == heard.kind));
        let Some(leaf) = wanted else {
            let closed = self.closed.contains(&heard.header.sid);
            let rules = match self.refusing {
                Some(rules) if heard.kind == Kind::MsgReq => rules,
                _ if closed => &["CLOSE-10"],
                _ => blame::unexpected(heard.kind),
            };
            return Err(self.finding(rules, "only what its user wants, once", self.describe(heard)));
        };
        self.at = Some(leaf.line.clone());
        self.check_request(&leaf, heard)?;
        self.commanded.retain(|other| !Arc::ptr_eq(other, &leaf));
        self.fill(&leaf, &leaf.line.text.clone());
        Ok(())
    }

    /// Whether a request is the one that the user wanted.
    fn check_request(&mut self, leaf: &Leaf, heard: &Heard) -> Result<(), Stop> {
        let Some(message) = message(leaf).cloned() else { return Ok(()) };
        let sid = self.sid_of_line(&message);
        if heard.kind != Kind::InitReq && heard.header.sid != sid {
            let expected = format!("sid {sid} ({})", self.session_name(sid));
            let backwards = heard.header.sid.0.swap_bytes() == sid.0;
            let rules = if backwards { &["MTP-06"] } else { blame::unexpected(heard.kind) };
            return Err(self.finding(rules, expected, self.describe(heard)));
        }
        let name = self.session_of_line(&message);
        match heard.kind {
            Kind::InitReq => {
                let invited = self.sessions.get(&name).map(|s| s.invited.clone()).unwrap_or_default();
                let uids = invited.iter().filter_map(|n| self.uid_of(n));
                let wanted: String = uids.map(|uid| format!("{uid}\n")).collect();
                if heard.payload != wanted.as_bytes() {
                    let expected = format!("the uid texts of {}, one a line", invited.join(", "));
                    return Err(self.finding(&["INIT-01"], expected, self.describe(heard)));
                }
                self.asked.push((Kind::InitReq, Sid::NONE));
            }
            Kind::InviteRes => {
                let accepts = message.payload != Some(mpchat_script::ast::Payload::Word("Deny".to_owned()));
                let wanted: &[u8] = if accepts { b"Accept" } else { b"Deny" };
                if heard.payload != wanted {
                    let expected = String::from_utf8_lossy(wanted).into_owned();
                    return Err(self.finding(&["INIT-16"], expected, self.describe(heard)));
                }
                if let Some(conn) = self.conn() {
                    conn.answered.push(sid);
                }
                if accepts && let Some(session) = self.sessions.get_mut(&name) {
                    session.accepted.insert(self.role.clone());
                }
            }
            Kind::MsgReq => {
                let text = crate::client::roles::text_key(&message);
                self.check_lines(heard, &name, &text)?;
                self.asked.push((Kind::MsgReq, sid));
            }
            Kind::CloseReq => self.asked.push((Kind::CloseReq, sid)),
            _ => {}
        }
        Ok(())
    }

    pub(super) fn known_sid(&self, message: &Message) -> Option<Sid> {
        use mpchat_script::ast::SessionRef;
        match &message.session {
            None | Some(SessionRef::None) => Some(Sid::NONE),
            Some(SessionRef::Unknown) => Some(self.unknown_sid),
            Some(SessionRef::Sid(sid)) => Some(Sid(*sid)),
            Some(SessionRef::Named(name)) => self.sessions.get(name).and_then(|session| session.sid),
        }
    }
}

/// The message of a frame line.
pub(super) fn message(leaf: &Leaf) -> Option<&Message> {
    match &leaf.what {
        LeafKind::Frame(Frame { what: What::Message(message), .. }) => Some(message),
        _ => None,
    }
}
