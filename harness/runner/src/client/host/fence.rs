//! Waiting: for what is due, and for the proof that nothing more comes.
//!
//! The fence is the user's question for the server's status: commands are carried out in their order, and events come in
//! the order of the frames that caused them, so its answer shows that everything before it was done and told. Only answers
//! that the client sends by itself may still be on their way (MTP-20).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use mpchat_model::Evidence;
use mpchat_proto::ids::{Sid, Uid};
use mpchat_script::ast::Kind;
use serde_json::json;

use super::Host;
use super::blame;
use super::judge::message;
use super::world::Owed;
use crate::program::Leaf;
use crate::stop::Stop;

/// How long something is awaited before the user asks something, which shows whether it is still to come.
pub(super) const SOON: Duration = Duration::from_millis(150);

/// How soon a client does what it has left undone when a further frame comes. Later it may have done it without that.
const MOVED: Duration = Duration::from_millis(200);

/// Numbers of a connection that are left alone: a fence uses some.
const LAST_NUMBERS: u16 = 64;

impl Host {
    /// Waits for what is due. `in_order`: once a later fence is answered, it does not come any more. What a client says by
    /// itself has no order beside the fence (MTP-20), and no rule gives it a time: it may take the patience.
    pub(super) async fn wait(&mut self, done: impl Fn(&Self) -> bool, in_order: bool) -> Result<bool, Stop> {
        if self.wait_for(&done, SOON.min(self.stage.patience)).await? {
            return Ok(true);
        }
        if !self.can_fence() {
            return self.wait_while_moving(&done).await;
        }
        self.fence_or(&done).await?;
        if done(self) || in_order {
            return Ok(done(self));
        }
        self.wait_for(&done, self.stage.patience).await
    }

    /// Hears until `done`, as long as the client gets on with what is due: a slow one may take the patience for each step.
    async fn wait_while_moving(&mut self, done: &impl Fn(&Self) -> bool) -> Result<bool, Stop> {
        let lines = |host: &Self| host.conns.last().map(|conn| conn.lines.values().map(VecDeque::len).sum::<usize>());
        let due = |host: &Self| (host.commanded.len(), host.owed.len(), lines(host));
        while !done(self) {
            let before = due(self);
            if !self.wait_for(&|host: &Self| done(host) || due(host) != before, self.stage.patience).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Waits until the client has told its user all that it owes.
    pub(super) async fn await_owed(&mut self) -> Result<(), Stop> {
        let done = |host: &Self| host.owed.iter().all(|owed| owed.optional) && host.onlines >= host.logins;
        if self.wait(done, true).await? {
            return Ok(());
        }
        if self.onlines < self.logins {
            return Err(self.finding(&["LOGIN-17"], "the event online", "no such event"));
        }
        let owed = self.owed.front().cloned();
        let Some(owed) = owed else { return Ok(()) };
        let expected = format!("the event {}", owed.in_words());
        Err(self.finding_at(owed.line.as_ref().or(self.at.as_ref()), owed.rules, expected, "no such event"))
    }

    /// Waits until all commands were carried out.
    pub(super) async fn await_commanded(&mut self) -> Result<(), Stop> {
        if self.wait(|host| host.commanded.is_empty(), true).await? {
            return Ok(());
        }
        let Some(leaf) = self.commanded.front().cloned() else { return Ok(()) };
        let rules = message(&leaf).map_or(&[][..], |m| blame::missing(m.kind));
        Err(self.finding_at(
            Some(&leaf.line),
            rules,
            leaf.line.text.clone(),
            "no such frame, although a later one came",
        ))
    }

    pub(super) fn can_fence(&self) -> bool {
        let asks = |leaf: &Arc<Leaf>| {
            message(leaf).is_some_and(|m| m.kind == Kind::StatusReq && self.known_sid(m) == Some(Sid::NONE))
        };
        if self.asked.contains(&(Kind::StatusReq, Sid::NONE)) || self.commanded.iter().any(asks) {
            // One answer would be taken for the other: the diagram has its user ask the same.
            return false;
        }
        let fresh = |conn: &super::world::Conn| conn.last_in.max(conn.last_out) < u16::MAX - LAST_NUMBERS;
        self.is_online() && !self.leaving && self.conns.last().is_some_and(|conn| !conn.to_end && fresh(conn))
    }

    /// MTP-09: the client has used its last number on this connection.
    pub(super) fn is_spent(&self) -> bool {
        self.conns.last().is_some_and(|conn| conn.last_in == u16::MAX)
    }

    /// Asks for the server's status and waits until the client has told its user.
    pub(super) async fn fence(&mut self) -> Result<(), Stop> {
        self.rests_on(Evidence::Fenced);
        self.fence_or(&|_: &Self| false).await
    }

    async fn fence_or(&mut self, done: &impl Fn(&Self) -> bool) -> Result<(), Stop> {
        let goal = self.fenced + self.owed.iter().filter(|owed| owed.fence).count() + 1;
        let fields = vec![("sid", json!(Sid::NONE.to_string())), ("state", json!("Online")), ("members", json!([]))];
        let line = self.at.clone();
        let (name, rules) = ("status", &["PAY-06"]);
        self.owed.push_back(Owed { name, fields, rules, line, slot: None, fence: true, optional: false, shows: None });
        self.command(json!({"do": "status"}));
        let answered = |host: &Self| host.fenced >= goal || done(host);
        if self.wait_while_moving(&answered).await? {
            return Ok(());
        }
        if !self.is_online() {
            return Err(self.finding(&["PAY-06", "MTP-20"], "a connection that stays open", "it was ended"));
        }
        self.nudge(&answered).await?;
        Err(Stop::Inconclusive("the client answers nothing any more".to_owned()))
    }

    /// A client that answers nothing any more may have lost a frame that came together with another, or has left it where
    /// it is until more comes (MTP-16): then a further one moves it.
    pub(super) async fn nudge(&mut self, done: &impl Fn(&Self) -> bool) -> Result<(), Stop> {
        let before = self.heard_bytes;
        if let Some(conn) = self.conn() {
            conn.probes += 1;
        }
        self.say(Kind::StatusReq, Sid::NONE, Uid::SERVER, b"");
        let moved = |host: &Self| done(host) || host.heard_bytes > before;
        if self.wait_for(&moved, MOVED.min(self.stage.patience)).await? {
            let expected = "every frame is acted on when it has come, also if it came together with another";
            return Err(self.finding(&["MTP-16"], expected, "it is acted on only when a further frame comes"));
        }
        Ok(())
    }

    /// Behind the last line: nothing is owed, nothing more comes.
    pub(super) async fn check_all_quiet(&mut self) -> Result<(), Stop> {
        self.await_commanded().await?;
        if self.conns.last().is_some_and(|conn| conn.ended.is_some() || conn.to_end || conn.fin_sent) {
            return Ok(());
        }
        if !self.is_online() {
            return Ok(());
        }
        self.await_owed().await?;
        if self.can_fence() {
            self.fence().await?;
        }
        let answered = |host: &Self| host.conns.last().is_none_or(|conn| !conn.owes_answers());
        if self.wait(answered, false).await? {
            return Ok(());
        }
        let lines = self.conns.last().is_some_and(|conn| conn.lines.values().any(|lines| !lines.is_empty()));
        let (rules, expected): (&[&str], _) = if lines {
            (&["MSG-06"], "msg_res for each line")
        } else {
            (&["STAT-02"], "status_res for each status_req")
        };
        Err(self.finding(rules, expected, "no such frame"))
    }
}
