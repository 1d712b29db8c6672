//! What a frame of the server's makes due: events for the client's user, and answers.

use mpchat_proto::ids::{Sid, Uid};
use mpchat_script::ast::{Fault, Field, Frame, Kind, Message, Payload, What};
use serde_json::json;

use super::Host;
use super::world::Answer;
use crate::client::roles::text_key;
use crate::forge;
use crate::program::LeafKind;
use crate::stop::Stop;

impl Host {
    /// What a frame of the server's makes due.
    pub(super) fn book(&mut self, frame: &Frame, message: &Message) -> Result<(), Stop> {
        let whole = |fault: &Fault| {
            matches!(
                fault,
                Fault::With(Field::Payload | Field::Sid | Field::Uid, _)
                    | Fault::SealedBy(_)
                    | Fault::SealedFor(_)
                    | Fault::SealedTo(_)
                    | Fault::SealedAnew
                    | Fault::SealedWith(_)
                    | Fault::SealedIn(_)
            )
        };
        if frame.faulty && (!message.faults.iter().all(whole) || self.end_is_next()) {
            return Ok(());
        }
        let (sid, uid) = self.header_of(message)?;
        let name = self.session_of_line(message);
        let ok = message.payload != Some(Payload::Error) && forge::with(message, Field::Payload).is_none();
        match message.kind {
            Kind::InviteReq => {
                self.owe_invited(sid, uid);
                // An invitation that was answered may be told again or not, and so may one to what is closed.
                let answered = self.conns.iter().any(|conn| conn.answered.contains(&sid));
                let optional = answered || self.closed.contains(&sid);
                if let Some(owed) = self.owed.back_mut() {
                    owed.optional = optional;
                }
            }
            Kind::InitRes if self.was_asked(Kind::InitReq, Sid::NONE) => {
                self.owe_init(sid, ok);
                if let Some(session) = self.sessions.get_mut(&name) {
                    session.live = ok;
                    session.over = !ok;
                }
            }
            Kind::MsgReq => self.book_line(message, sid, uid)?,
            Kind::MsgRes if self.was_asked(Kind::MsgReq, sid) => {
                let fields = vec![("sid", json!(sid.to_string())), ("ok", json!(ok))];
                self.owe("sent", fields, &["PAY-03", "PAY-06"]);
            }
            Kind::CloseRes => self.book_close(&name, sid, uid, ok),
            Kind::StatusReq => {
                if let Some(conn) = self.conn() {
                    conn.probes += 1;
                }
            }
            Kind::StatusRes => self.book_status(message, sid, uid),
            _ => {}
        }
        Ok(())
    }

    /// Notes what a frame makes due whose rest has gone by now.
    pub(super) fn settle_held(&mut self) -> Result<(), Stop> {
        if self.conns.last().is_some_and(|conn| conn.link.is_holding()) { Ok(()) } else { self.book_held() }
    }

    /// The same where another frame of the diagram took the rest along.
    pub(super) fn book_held(&mut self) -> Result<(), Stop> {
        let Some(leaf) = self.held.take() else { return Ok(()) };
        let LeafKind::Frame(frame) = &leaf.what else { return Ok(()) };
        let What::Message(message) = &frame.what else { return Ok(()) };
        let now = (self.at.replace(leaf.line.clone()), self.slot.replace(leaf.slot));
        let booked = self.book(frame, message);
        (self.at, self.slot) = now;
        booked
    }

    fn was_asked(&mut self, kind: Kind, sid: Sid) -> bool {
        let place = self.asked.iter().position(|(asked, about)| (*asked, *about) == (kind, sid));
        place.map(|place| self.asked.remove(place)).is_some()
    }

    /// MSG-06, MSG-14, MSG-18, PAY-08: how a line is answered, and whether it is shown.
    fn book_line(&mut self, message: &Message, sid: Sid, uid: Uid) -> Result<(), Stop> {
        let key = text_key(message);
        let own = self.texts.get(&key).map(|text| (text.session.clone(), text.author.clone()));
        let meant = own.is_some_and(|(session, author)| {
            self.sessions.get(&session).and_then(|s| s.sid) == Some(sid) && self.uid_of(&author) == Some(uid)
        });
        let opaque = matches!(message.payload, Some(Payload::Lines(_)));
        let reshaped = forge::with(message, Field::Payload).is_some();
        let anew = message.faults.contains(&Fault::SealedAnew);
        let faults = || self.sealing.get(&key).into_iter().flatten().chain(&message.faults);
        let misdirected = |f: &Fault| !matches!(f, Fault::With(..) | Fault::SealedAnew | Fault::SealedWith(_));
        let unreadable = |f: &Fault| matches!(f, Fault::SealedWith(way) if way != forge::ZERO_LED);
        let unopenable = opaque || reshaped || faults().any(unreadable);
        let good = meant && !faults().any(misdirected) && !unopenable;
        let again = !anew && self.shown.contains(&(sid, key.clone()));
        let answer = match (good, again) {
            (true, true) => Answer::Again,
            (true, false) => Answer::Ok,
            (false, _) if unopenable => Answer::Unopenable,
            (false, _) => Answer::Elsewhere,
        };
        if let Some(conn) = self.conn() {
            conn.lines.entry(sid).or_default().push_back(answer);
        }
        let leaving = self.leaving;
        let owed_already = self.owed.iter().any(|owed| owed.shows.as_ref() == Some(&(sid, key.clone())));
        if answer == Answer::Ok && (!owed_already || anew) {
            // Who has said farewell need not hear it any more, nor who knows that the session is closed. What comes
            // behind the client's last number it cannot answer, and gets again (MTP-09).
            let optional = leaving || self.closed.contains(&sid) || self.is_spent();
            self.owe_message(sid, uid, &key);
            if let Some(owed) = self.owed.back_mut() {
                owed.optional = optional;
            }
        }
        Ok(())
    }

    pub(super) fn book_close(&mut self, name: &str, sid: Sid, uid: Uid, ok: bool) {
        let answers = uid == Uid::SERVER && self.was_asked(Kind::CloseReq, sid);
        let before = self.closed.contains(&sid);
        if ok {
            self.closed.insert(sid);
            if let Some(session) = self.sessions.get_mut(name) {
                session.live = false;
                session.over = true;
            }
        }
        let sid_field = ("sid", json!(sid.to_string()));
        if answers {
            self.owe("close", vec![sid_field, ("ok", json!(ok))], &["PAY-03", "CLOSE-10"]);
        } else if ok && (uid != Uid::SERVER || !before) {
            self.owe("closed", vec![sid_field, ("by", json!(uid.to_string()))], &["CLOSE-10", "PAY-06"]);
            // A second notice may be told again or not.
            if before && let Some(owed) = self.owed.back_mut() {
                owed.optional = true;
            }
        }
    }

    fn book_status(&mut self, message: &Message, sid: Sid, uid: Uid) {
        let asked = self.asked.contains(&(Kind::StatusReq, sid));
        if !asked || sid == Sid::NONE && uid != Uid::SERVER {
            return;
        }
        let state = match &message.payload {
            Some(Payload::Word(word)) => word.clone(),
            _ => "Online".to_owned(),
        };
        if uid != Uid::SERVER {
            let member = json!({"uid": uid.to_string(), "state": state});
            self.members.entry(sid).or_default().push(member);
            return;
        }
        let members = self.members.remove(&sid).unwrap_or_default();
        let uids = members.iter().filter_map(|member| member["uid"].as_str());
        let roster: Vec<String> = uids.filter_map(|uid| uid.parse().ok()).map(|uid| self.name_of(uid)).collect();
        if state == "Online" && !roster.is_empty() {
            self.first_rosters.entry(sid).or_insert(roster);
        }
        let _taken = self.was_asked(Kind::StatusReq, sid);
        let fields = vec![("sid", json!(sid.to_string())), ("state", json!(state)), ("members", json!(members))];
        self.owe("status", fields, &["PAY-06", "STAT-09"]);
        self.answer_held_questions(sid);
    }
}
