//! Taking the steps of a case, one after the other.

use std::sync::Arc;
use std::time::Duration;

use mpchat_proto::ids::Sid;
use mpchat_script::ast::{Delivery, Frame, Kind, Message, NoteKind, Payload, Timer, What};
use serde_json::json;

use super::Host;
use super::blame;
use super::judge::message;
use super::world::Seen;
use crate::client::roles::text_key;
use crate::client::script::{Step, Until};
use crate::program::{Leaf, LeafKind};
use crate::stop::Stop;

/// How many rounds of a `loop until` are played at once, at most.
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
                self.book_held()?;
                if self.conn().is_some_and(|conn| conn.link.is_holding()) {
                    self.held = Some(Arc::clone(leaf));
                } else if let Some(message) = message(leaf).cloned() {
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
                // What is `joined` goes with the FIN.
                if !self.last_joined && !self.conns.last().is_some_and(|conn| conn.to_end || conn.farewell) {
                    self.await_owed().await?;
                }
                self.log(leaf.line.text.clone());
                self.serve_ending(leaf, ending.how).await?;
            }
            LeafKind::Note(_) => {}
        }
        Ok(())
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
                let invited = self.begin_session(name, self.role.clone(), &message);
                json!({"do": "init", "invite": self.uid_texts(&invited)})
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
        let by_itself = self.is_spent();
        if message.kind == Kind::LoginReq && by_itself {
            self.may_connect += 1;
            self.logs_in_undrawn = false;
        }
        let message = message.clone();
        let sid = self.sid_of_line(&message);
        let is_it = |seen: &Seen| is_line(seen, &message, sid);
        let came = |host: &Self| host.seen.iter().any(is_it) || host.in_until && host.is_spent();
        if !self.wait(came, false).await? {
            if message.kind == Kind::LoginReq && !by_itself && !self.has_begun_login() {
                return Err(self.does_not_log_in());
            }
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
            NoteKind::StaysAway { for_good } => self.stays_away(*for_good).await,
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
                self.begin_session(name, self.user_of(&frame.from), message);
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
