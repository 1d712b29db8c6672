//! Taking the steps of a case, one after the other.

use std::sync::Arc;
use std::time::Duration;

use mpchat_proto::ids::{Sid, Uid};
use mpchat_script::ast::{Delivery, Fault, Field, Frame, Kind, Message, NoteKind, Payload, Timer, What};
use serde_json::json;

use super::Host;
use super::blame;
use super::judge::message;
use super::world::{Answer, Seen};
use crate::client::roles::text_key;
use crate::client::script::{Step, Until};
use crate::play::world::Session;
use crate::program::{Leaf, LeafKind};
use crate::stop::Stop;

/// How many rounds of a `loop until` are played at once while its number is far.
const BATCH: usize = 512;

/// The rounds before the end of such a loop that the log shows.
const LAST_ROUNDS: usize = 64;

/// How many rounds of a loop may be on their way before the client is seen to have read them.
const UNREAD: usize = 2000;

/// How long the end of a connection is awaited behind a login response.
const AFTER_LOGIN_RES: Duration = Duration::from_millis(30);

/// The last frame that the server sent.
#[derive(Clone, Copy)]
pub(super) struct Served {
    pub(super) len: usize,
    /// It was cut, or joined to another.
    pub(super) cut: bool,
}

/// What the steps just before were: neighbours of a kind are one burst.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Burst {
    None,
    Serving,
    Driving,
    /// Driving, and the last was a question for a status.
    Asking,
}

impl Host {
    /// Plays the diagram.
    pub(super) async fn play(&mut self) -> Result<(), Stop> {
        while let Some(step) = self.steps.pop_front() {
            self.take(step).await?;
        }
        Ok(())
    }

    async fn take(&mut self, step: Step) -> Result<(), Stop> {
        match step {
            Step::Elsewhere(leaf) => {
                // What happens elsewhere comes after what the user wanted before.
                self.await_commanded().await?;
                self.elsewhere(&leaf);
            }
            Step::Serve(leaf) => self.serve(&leaf).await?,
            Step::Drive(leaf) => self.drive(&leaf).await?,
            Step::Await(leaf) => {
                self.burst = Burst::None;
                self.await_line(&leaf).await?;
            }
            Step::Note(leaf) => {
                self.burst = Burst::None;
                self.note(&leaf).await?;
            }
            Step::Either(branches) => {
                self.burst = Burst::None;
                self.choose(branches).await?;
            }
            Step::Perhaps(branch) => {
                self.burst = Burst::None;
                self.choose(vec![branch, Vec::new()]).await?;
            }
            Step::Until(until) => self.until(&until).await?,
        }
        Ok(())
    }

    /// The server's next frame, or the end of the connection.
    async fn serve(&mut self, leaf: &Arc<Leaf>) -> Result<(), Stop> {
        if self.burst != Burst::Serving {
            self.await_commanded().await?;
        }
        (self.at, self.slot) = (Some(leaf.line.clone()), Some(leaf.slot));
        match &leaf.what {
            LeafKind::Frame(frame) => {
                self.burst = Burst::Serving;
                if !self.quiet {
                    self.log(leaf.line.text.clone());
                }
                self.fill(leaf, &leaf.line.text.clone());
                self.serve_frame(frame)?;
                if let Some(message) = message(leaf).cloned() {
                    self.book(frame, &message)?;
                }
                self.last_served = Some(Served {
                    len: message(leaf).map_or(0, |_| self.last_len),
                    cut: message(leaf).is_some_and(|m| !m.delivery.is_empty()) || self.last_joined,
                });
                self.last_joined = message(leaf).is_some_and(|m| m.delivery.contains(&Delivery::Joined));
                if !frame.faulty && message(leaf).is_some_and(|m| m.kind == Kind::LoginRes) {
                    // Who cannot open its etk ends the connection before step 3 comes.
                    let ended = |host: &Self| host.conns.last().is_some_and(|conn| conn.ended.is_some());
                    self.wait_for(&ended, AFTER_LOGIN_RES).await?;
                }
                if self.end_is_next()
                    && frame.faulty
                    && let Some(conn) = self.conn()
                {
                    conn.to_end = true;
                }
            }
            LeafKind::Ending(ending) => {
                self.burst = Burst::None;
                if !self.conns.last().is_some_and(|conn| conn.to_end || conn.farewell) {
                    self.await_owed().await?;
                }
                self.log(leaf.line.text.clone());
                self.serve_ending(leaf, ending.how).await?;
            }
            LeafKind::Note(_) => {}
        }
        Ok(())
    }

    /// What a frame of the server's makes due.
    fn book(&mut self, frame: &Frame, message: &Message) -> Result<(), Stop> {
        let whole = |fault: &Fault| {
            matches!(
                fault,
                Fault::With(Field::Payload | Field::Sid | Field::Uid, _)
                    | Fault::SealedBy(_)
                    | Fault::SealedFor(_)
                    | Fault::SealedTo(_)
                    | Fault::SealedAnew
                    | Fault::SealedIn(_)
            )
        };
        if frame.faulty && (!message.faults.iter().all(whole) || self.end_is_next()) {
            return Ok(());
        }
        let (sid, uid) = self.header_of(message)?;
        let name = self.session_of_line(message);
        let ok = message.payload != Some(Payload::Error) && crate::forge::with(message, Field::Payload).is_none();
        match message.kind {
            Kind::InviteReq => {
                self.owe_invited(sid, uid);
                // An invitation that was answered may be told again or not.
                let answered = self.conns.last().is_some_and(|conn| conn.answered.contains(&sid));
                if let Some(owed) = self.owed.back_mut() {
                    owed.optional = answered;
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

    fn was_asked(&mut self, kind: Kind, sid: Sid) -> bool {
        let place = self.asked.iter().position(|(asked, about)| (*asked, *about) == (kind, sid));
        place.map(|place| self.asked.remove(place)).is_some()
    }

    /// MSG-06, MSG-14, MSG-18, PAY-08: how a line is answered, and whether it is shown.
    fn book_line(&mut self, message: &Message, sid: Sid, uid: Uid) -> Result<(), Stop> {
        let key = text_key(message);
        let sealing = self.sealing.get(&key).is_some_and(|faults| !faults.is_empty());
        let own = self.texts.get(&key).map(|text| (text.session.clone(), text.author.clone()));
        let meant = own.is_some_and(|(session, author)| {
            self.sessions.get(&session).and_then(|s| s.sid) == Some(sid) && self.uid_of(&author) == Some(uid)
        });
        let opaque = matches!(message.payload, Some(Payload::Lines(_)));
        let reshaped = crate::forge::with(message, Field::Payload).is_some();
        let anew = message.faults.contains(&Fault::SealedAnew);
        let sealed_wrong = message.faults.iter().any(|f| !matches!(f, Fault::With(..) | Fault::SealedAnew));
        let good = meant && !sealing && !sealed_wrong && !opaque && !reshaped;
        let again = !anew && self.shown.contains(&(sid, key.clone()));
        let answer = match (good, again) {
            (true, true) => Answer::Again,
            (true, false) => Answer::Ok,
            (false, _) if opaque || reshaped => Answer::Unopenable,
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

    /// What the user has the client do.
    async fn drive(&mut self, leaf: &Arc<Leaf>) -> Result<(), Stop> {
        let is_question = message(leaf).is_some_and(|m| m.kind == Kind::StatusReq);
        if !matches!(self.burst, Burst::Driving | Burst::Asking) {
            self.await_owed().await?;
            self.await_commanded().await?;
        }
        // A question of the client's own is not taken for its user's.
        if is_question && self.burst != Burst::Asking && self.can_fence() {
            self.await_commanded().await?;
            self.fence().await?;
        }
        self.burst = if is_question { Burst::Asking } else { Burst::Driving };
        self.at = Some(leaf.line.clone());
        if message(leaf).is_some_and(|m| m.kind == Kind::MsgReq) {
            self.settle_rosters().await?;
        }
        let Some(message) = message(leaf).cloned() else {
            self.burst = Burst::None;
            // Leaving waits for nothing.
            self.await_commanded().await?;
            self.fill(leaf, &leaf.line.text.clone());
            return self.leave().await;
        };
        let name = self.session_of_line(&message);
        let command = match message.kind {
            Kind::LoginReq => {
                self.burst = Burst::None;
                self.connect(false)?;
                return self.await_line(leaf).await;
            }
            Kind::StatusRes => {
                self.burst = Burst::None;
                return self.farewell(leaf).await;
            }
            Kind::InitReq => {
                let invited = match &message.payload {
                    Some(Payload::Names(names)) => self.unfold(names),
                    Some(_) => Vec::new(),
                    None => self.shown_invited.get(&name).cloned().unwrap_or_default(),
                };
                let creator = self.role.clone();
                let uids: Vec<String> =
                    invited.iter().filter_map(|n| self.uid_of(n)).map(|uid| uid.to_string()).collect();
                self.sessions.insert(name, Session { creator, invited, ..Session::default() });
                json!({"do": "init", "invite": uids})
            }
            Kind::InviteRes => {
                let accept = message.payload != Some(Payload::Word("Deny".to_owned()));
                json!({"do": "answer", "sid": self.sid_of_line(&message).to_string(), "accept": accept})
            }
            Kind::MsgReq => {
                let text = text_key(&message);
                self.canaries.text(&text);
                json!({"do": "send", "sid": self.sid_of_line(&message).to_string(), "text": text})
            }
            Kind::CloseReq => json!({"do": "close", "sid": self.sid_of_line(&message).to_string()}),
            _ => match self.sid_of_line(&message) {
                Sid::NONE => json!({"do": "status"}),
                sid => json!({"do": "status", "sid": sid.to_string()}),
            },
        };
        self.commanded.push_back(Arc::clone(leaf));
        self.command(command);
        Ok(())
    }

    /// STAT-02: `Offline` when its user wants to leave, whether it was asked or not.
    async fn farewell(&mut self, leaf: &Arc<Leaf>) -> Result<(), Stop> {
        self.await_commanded().await?;
        self.leaving = true;
        self.command(json!({"do": "leave"}));
        let said = |host: &Self| host.conns.last().is_some_and(|conn| conn.farewell);
        if !self.wait_for(&said, self.stage.patience).await? {
            return Err(self.finding(&["STAT-02"], leaf.line.text.clone(), "the client leaves without a farewell"));
        }
        self.fill(leaf, &leaf.line.text.clone());
        Ok(())
    }

    /// What the client does by itself.
    async fn await_line(&mut self, leaf: &Arc<Leaf>) -> Result<(), Stop> {
        let LeafKind::Frame(Frame { what: What::Message(message), .. }) = &leaf.what else {
            self.at = Some(leaf.line.clone());
            return self.await_end(leaf).await;
        };
        self.await_commanded().await?;
        self.at = Some(leaf.line.clone());
        if message.kind == Kind::LoginReq && self.is_spent() {
            self.may_connect += 1;
            self.logs_in_undrawn = false;
        }
        let message = message.clone();
        let sid = self.sid_of_line(&message);
        let is_it = |seen: &Seen| is_line(seen, &message, sid);
        let came = |host: &Self| host.seen.iter().any(is_it) || host.in_until && host.is_spent();
        if !self.wait(came, false).await? {
            let oldest = self.conns.last().map(|conn| conn.rules_of_oldest(sid));
            let rules = match (message.kind, oldest) {
                (Kind::MsgRes, Some(rules)) => rules,
                (kind, _) => blame::missing(kind),
            };
            return Err(self.finding(rules, leaf.line.text.clone(), "no such frame"));
        }
        if let Some(place) = self.seen.iter().position(is_it) {
            self.seen.remove(place);
        }
        self.fill(leaf, &leaf.line.text.clone());
        Ok(())
    }

    /// What the client chooses among branches, or does not do.
    async fn choose(&mut self, branches: Vec<Vec<Step>>) -> Result<(), Stop> {
        self.await_commanded().await?;
        let firsts: Vec<Option<Arc<Leaf>>> = branches
            .iter()
            .map(|branch| match branch.first() {
                Some(Step::Await(leaf)) => Some(Arc::clone(leaf)),
                _ => None,
            })
            .collect();
        if let Some(leaf) = firsts.iter().flatten().next() {
            self.at = Some(leaf.line.clone());
        }
        // Until the choice is known the end of the connection may be one.
        self.steps.push_front(Step::Either(branches.clone()));
        let sids: Vec<Option<Sid>> = firsts
            .iter()
            .map(|leaf| leaf.as_ref().and_then(|l| message(l)).cloned().map(|m| self.sid_of_line(&m)))
            .collect();
        let taken = |host: &Self| {
            firsts.iter().zip(&sids).position(|(leaf, sid)| {
                let Some(leaf) = leaf else { return false };
                host.seen.iter().any(|seen| match (message(leaf), sid) {
                    (Some(message), Some(sid)) => is_line(seen, message, *sid),
                    _ => matches!(seen, Seen::End),
                })
            })
        };
        let came = self.wait(|host| taken(host).is_some(), false).await?;
        let fallback = firsts.iter().position(Option::is_none);
        let choice = if came { taken(self) } else { fallback };
        self.steps.pop_front();
        let Some(choice) = choice else {
            return Err(self.finding(&[], "one of the branches", "the client does none of them"));
        };
        for step in branches.into_iter().nth(choice).unwrap_or_default().into_iter().rev() {
            self.steps.push_front(step);
        }
        Ok(())
    }

    /// Plays a `loop until`: in large batches while the number is far, in small ones when it is near.
    async fn until(&mut self, until: &Arc<Until>) -> Result<(), Stop> {
        let mut unread = 0;
        loop {
            let used = self.conns.last().map_or(u16::MAX, |c| if until.from_server { c.last_out } else { c.last_in });
            if used >= until.sqn {
                (self.quiet, self.in_until) = (false, false);
                return Ok(());
            }
            self.in_until = true;
            // What the loop asks for is no flood, however long it is.
            self.heard_bytes = 0;
            let left = usize::from(until.sqn - used);
            self.quiet = left > LAST_ROUNDS;
            // Who asks questions of its own meanwhile uses more numbers than the diagram has.
            let rounds = (left / (2 * until.body.len().max(1))).clamp(1, BATCH);
            // What the client does not answer is sent only as fast as it reads: a slow one is no wrong one.
            unread += rounds;
            if unread >= UNREAD && self.can_fence() {
                self.fence().await?;
                unread = 0;
            }
            let (served, rest): (Vec<&Step>, Vec<&Step>) =
                until.body.iter().partition(|step| matches!(step, Step::Serve(_) | Step::Drive(_)));
            for part in [served, rest] {
                for _ in 0..rounds {
                    for step in &part {
                        Box::pin(self.take((*step).clone())).await?;
                    }
                }
            }
        }
    }

    async fn note(&mut self, leaf: &Arc<Leaf>) -> Result<(), Stop> {
        let LeafKind::Note(note) = &leaf.what else { return Ok(()) };
        self.await_commanded().await?;
        self.at = Some(leaf.line.clone());
        self.fill(leaf, &leaf.line.text.clone());
        match &note.what {
            NoteKind::LogsIn => {
                if self.is_spent() {
                    self.logs_in_anew().await
                } else {
                    self.log_in().await
                }
            }
            NoteKind::StillServed => self.fence().await,
            NoteKind::HearsNothing => Ok(()),
            NoteKind::StaysAway => self.stays_away().await,
            // Who has used its last number (MTP-09) can be asked nothing more on this connection.
            NoteKind::ShowsNothing => {
                self.await_owed().await?;
                if self.is_spent() { Ok(()) } else { self.fence().await }
            }
            NoteKind::Shows(text) => {
                self.await_owed().await?;
                if self.shown.iter().any(|(_, shown)| shown == text) {
                    return Ok(());
                }
                Err(self.finding(&["MSG-06"], leaf.line.text.clone(), "it shows no such text"))
            }
            NoteKind::Refuses { what, session } => {
                let name = self.session_of_note(session.as_deref());
                self.refuses(leaf, *what, &name).await
            }
            NoteKind::RefusesToSend { text, session } => {
                let name = self.session_of_note(session.as_deref());
                self.refuses_to_send(leaf, text, &name).await
            }
            NoteKind::ClaimsRoster { roster, session } => {
                let name = self.session_of_note(session.as_deref());
                self.claims.insert(name, roster.clone());
                Ok(())
            }
            NoteKind::ClosesWhenAsked { session } => {
                let sid = self.sid(&self.session_of_note(session.as_deref()));
                self.closes_when_asked.insert(sid);
                Ok(())
            }
            // What the server's timers cause is the diagram's to say; the client's own is waited for.
            NoteKind::TimeoutPasses { timer: Timer::Login, half } => {
                let length = self.stage.timers.login / if *half { 2 } else { 1 };
                if let Some(conn) = self.conns.last_mut().filter(|_| !*half) {
                    conn.to_end = true;
                }
                self.rests_on(mpchat_model::Evidence::Timed);
                self.wait_for(&|_: &Self| false, length).await.map(|_| ())
            }
            NoteKind::TimeoutPasses { .. } => Ok(()),
            NoteKind::Connects | NoteKind::Restarts | NoteKind::StopsReading | NoteKind::ReadsAgain => {
                Err(Stop::Skip(format!("a client cannot be made to do this: {}", leaf.line.text)))
            }
        }
    }

    /// MTP-09: it logs in anew by itself.
    async fn logs_in_anew(&mut self) -> Result<(), Stop> {
        self.may_connect += 1;
        self.logs_in_undrawn = true;
        let connections = self.conns.len();
        if let Some(stream) = self.came_back.take() {
            self.connected(Ok(stream))?;
        }
        let done = |host: &Self| host.conns.len() > connections && host.is_online();
        if self.wait_for(&done, self.stage.patience).await? {
            return Ok(());
        }
        Err(self.finding(&["MTP-09"], "a new login after its last number", "the client does not log in anew"))
    }

    /// Others do something: who takes part, what is said, who is there.
    fn elsewhere(&mut self, leaf: &Leaf) {
        let frame = match &leaf.what {
            LeafKind::Frame(frame) => frame,
            LeafKind::Ending(ending) => {
                let who = if ending.from == "server" { &ending.to } else { &ending.from };
                self.offline.push(self.user_of(who));
                return;
            }
            LeafKind::Note(note) => {
                if note.what == NoteKind::LogsIn {
                    let who = self.user_of(&note.over);
                    self.offline.retain(|name| *name != who);
                }
                return;
            }
        };
        let What::Message(message) = &frame.what else { return };
        let name = self.session_of_line(message);
        match message.kind {
            Kind::InitReq => {
                let invited = match &message.payload {
                    Some(Payload::Names(names)) => self.unfold(names),
                    Some(_) => Vec::new(),
                    None => self.shown_invited.get(&name).cloned().unwrap_or_default(),
                };
                let creator = self.user_of(&frame.from);
                self.sessions.insert(name, Session { creator, invited, ..Session::default() });
            }
            Kind::InviteRes if message.payload != Some(Payload::Word("Deny".to_owned())) => {
                let who = self.unfold(std::slice::from_ref(&frame.from));
                if let Some(session) = self.sessions.get_mut(&name).filter(|s| !s.live && !s.over) {
                    session.accepted.extend(who);
                }
            }
            Kind::InitRes => {
                let ok = message.payload != Some(Payload::Error);
                if let Some(session) = self.sessions.get_mut(&name) {
                    (session.live, session.over) = (ok, !ok);
                }
            }
            Kind::MsgReq if frame.from != "server" => {
                let author = self.user_of(&frame.from);
                self.note_text(&author, message);
            }
            Kind::CloseRes if message.payload != Some(Payload::Error) => {
                if let Some(session) = self.sessions.get_mut(&name) {
                    (session.live, session.over) = (false, true);
                }
            }
            Kind::LoginReq => {
                let who = self.user_of(&frame.from);
                self.offline.retain(|name| *name != who);
            }
            Kind::StatusRes
                if message.payload == Some(Payload::Word("Offline".to_owned())) && frame.from != "server" =>
            {
                self.offline.push(self.user_of(&frame.from));
            }
            _ => {}
        }
    }
}

fn is_line(seen: &Seen, message: &Message, sid: Sid) -> bool {
    let Seen::Frame(heard) = seen else { return false };
    let payload = match &message.payload {
        Some(Payload::Error) => heard.payload != b"OK",
        Some(Payload::Word(word)) => heard.payload == word.as_bytes(),
        _ => true,
    };
    heard.kind == message.kind && heard.header.sid == sid && payload
}
