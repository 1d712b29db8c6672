//! The end of a connection, and of the client.

use std::time::{Duration, Instant};

use mpchat_model::Evidence;
use mpchat_script::ast::{EndingKind, Kind};
use serde_json::json;

use super::Host;
use super::fence::SOON;
use super::world::{Phase, Seen};
use crate::client::script::Step;
use crate::link::EndHow;
use crate::program::{Leaf, LeafKind};
use crate::stop::Stop;

/// Between two looks whether all has been sent.
const LOOK: Duration = Duration::from_millis(2);

/// MTP-09: how long a client may take that has used its last number: 1 s, and what a tester allows.
const LAST_ANSWERS: Duration = Duration::from_secs(3);

/// How often its user asks: a client that goes on asking has seen what it should have ended its connection for.
const QUESTIONS: usize = 3;

/// How long it may take then.
const AFTER_QUESTIONS: Duration = Duration::from_secs(2);

/// A frame of more bytes is ended for, if for anything, because it is large.
const LARGE: usize = 16 << 10;

/// How long it is seen that a client does not come back; and where that is all the case is about, since some try again
/// after a second or two.
const AWAY: Duration = Duration::from_millis(600);
const AWAY_FOR_GOOD: Duration = Duration::from_millis(2200);

impl Host {
    /// The client ended its latest connection.
    pub(super) fn ended(&mut self) -> Result<(), Stop> {
        self.rests_on(Evidence::Closed);
        let allowed = self.conns.last().is_some_and(|conn| conn.to_end || conn.farewell || conn.server_ended);
        if !allowed && !self.leaving && !self.end_is_next() {
            let expected = "a connection that stays open";
            return Err(self.finding(self.blame_for_end(), expected, "the client ends its connection"));
        }
        self.seen.push(Seen::End);
        Ok(())
    }

    /// What a client breaks that ends a connection for nothing: by what it ends it for.
    fn blame_for_end(&self) -> &'static [&'static str] {
        let fencing = self.owed.iter().any(|owed| owed.fence);
        match self.conns.last().map(|conn| &conn.phase) {
            Some(Phase::Responded(_)) => return &["LOGIN-03", "LOGIN-12"],
            Some(Phase::Asked(_)) => return &["LOGIN-04", "LOGIN-03", "LOGIN-17"],
            _ => {}
        }
        match self.last_served {
            // It has gone on behind the last frame of the diagram, and ends the connection for the next number.
            Some(served) if served.cut => &["MTP-16", "MTP-05"],
            _ if fencing && self.answered_since_served => &["MTP-07", "MTP-08", "PAY-06"],
            Some(served) if served.len > LARGE => &["MTP-05"],
            _ => &["PAY-06", "MTP-08"],
        }
    }

    /// Whether the diagram allows the client to end its connection before it does anything else.
    pub(super) fn end_is_next(&self) -> bool {
        let is_end = |leaf: &Leaf| matches!(leaf.what, LeafKind::Ending(_));
        let begins = |branch: &[Step]| matches!(branch.first(), Some(Step::Await(leaf)) if is_end(leaf));
        for step in &self.steps {
            match step {
                Step::Serve(_) | Step::Elsewhere(_) => {}
                Step::Await(leaf) => return is_end(leaf),
                Step::Either(branches) => return branches.iter().any(|branch| begins(branch)),
                Step::Perhaps(branch) => return begins(branch),
                Step::Drive(_) | Step::Note(_) | Step::Until(_) => return false,
            }
        }
        false
    }

    /// `alice--xserver: closes`: what came before makes the client end its connection.
    pub(super) async fn await_end(&mut self, leaf: &Leaf) -> Result<(), Stop> {
        let is_end = |seen: &Seen| matches!(seen, Seen::End);
        let done = |host: &Self| host.seen.iter().any(is_end);
        let spent = self.is_spent();
        let patience = self.stage.patience;
        if let Some(conn) = self.conns.last_mut().filter(|_| spent) {
            conn.to_end = true;
        }
        // Before it has all been sent, nothing can be said.
        let written = Instant::now() + patience * 10;
        while !self.conns.last().is_none_or(|conn| conn.link.is_written()) && !done(self) && Instant::now() < written {
            self.hear(Instant::now() + LOOK).await?;
        }
        let first = if spent { LAST_ANSWERS } else { SOON };
        let mut came = self.wait_for(&done, first.min(patience)).await?;
        // A client may read what its user wants before it reads what came over the network, so that one question proves
        // nothing; several, one after the other, do.
        // No longer than that in all: a client that takes what it should have ended for gives up its login in the end.
        let over = Instant::now() + patience;
        let rest = || over.saturating_duration_since(Instant::now()).max(SOON);
        let mut asked = 0;
        while !came && asked < QUESTIONS && !spent {
            let (before, refused) = (self.questions_after_fault, self.refused);
            self.refusals.push_back("status");
            self.command(json!({"do": "status"}));
            let heard = |host: &Self| done(host) || host.questions_after_fault > before || host.refused > refused;
            if !self.wait_for(&heard, rest()).await? {
                break;
            }
            came = done(self);
            if self.refused > refused {
                // It says that it is not connected: the end is on its way.
                came = self.wait_for(&done, rest()).await?;
                break;
            }
            asked += 1;
        }
        if !came && asked == QUESTIONS {
            came = self.wait_for(&done, AFTER_QUESTIONS.min(patience)).await?;
        } else if !came && !spent {
            came = self.wait_for(&done, rest()).await?;
        }
        self.refusals.retain(|wanted| *wanted != "status");
        if !came {
            let rules: &[&str] = if spent { &["MTP-09"] } else { &["MTP-13"] };
            return Err(self.finding(rules, leaf.line.text.clone(), "the client leaves its connection open"));
        }
        self.fill(leaf, &leaf.line.text.clone());
        self.take_end().await
    }

    /// Takes the end that was seen; the user is told.
    async fn take_end(&mut self) -> Result<(), Stop> {
        self.seen.retain(|seen| !matches!(seen, Seen::End));
        self.commanded.clear();
        // No answer to what was asked here comes on another connection.
        self.asked.clear();
        self.held_questions.clear();
        self.members.clear();
        self.ends += 1;
        let told = |host: &Self| host.disconnects >= host.ends || host.driver_ended;
        if self.wait_for(&told, self.stage.patience).await? {
            // What came whole and right before it counts.
            let owed = self.owed.iter().find(|owed| !owed.optional && !owed.fence).cloned();
            self.owed.clear();
            let by_fault = self.conns.last().is_some_and(|conn| conn.to_end);
            // MTP-19: a reset may overtake it, and a client that has left need not look any more.
            let by_fin = self.conns.last().is_some_and(|conn| {
                conn.server_ended && conn.ended == Some(EndHow::Fin) && !conn.farewell && !self.leaving
            });
            // MTP-09: the answers that it waits for, if they were sent at once.
            let answers = ["init", "sent", "close", "status"];
            let in_time = self.answered_in_time
                && self.is_spent()
                && owed.as_ref().is_some_and(|owed| answers.contains(&owed.name));
            return match owed.filter(|_| by_fault || by_fin || in_time) {
                Some(owed) => {
                    let expected = format!("the event {} before the end", owed.in_words());
                    let rules = [if by_fin { &["MTP-19"] } else { &["MTP-20"] }, owed.rules].concat();
                    Err(self.finding_at(owed.line.as_ref(), &rules, expected, "no such event"))
                }
                None => Ok(()),
            };
        }
        let rules: &[&str] = &["MTP-13", "MTP-19"];
        Err(self.finding(rules, "the event disconnected", "no such event"))
    }

    /// `server--xalice: closes`: the client closes its side too (MTP-19).
    pub(super) async fn serve_ending(&mut self, leaf: &Leaf, how: EndingKind) -> Result<(), Stop> {
        let Some(conn) = self.conns.last_mut() else { return Ok(()) };
        conn.server_ended = true;
        if how == EndingKind::Resets {
            conn.link.reset();
            conn.ended = Some(EndHow::Reset);
            conn.fin_sent = true;
            self.seen.push(Seen::End);
        } else if !conn.fin_sent {
            conn.fin_sent = true;
            conn.link.finish();
        }
        self.fill(leaf, &leaf.line.text.clone());
        let done = |host: &Self| host.seen.iter().any(|seen| matches!(seen, Seen::End));
        if !self.wait_for(&done, self.stage.patience).await? {
            let expected = "a client that closes its side of a connection that was ended";
            return Err(self.finding(&["MTP-19"], expected, "it stays open"));
        }
        self.take_end().await
    }

    /// The user leaves: `Offline` if the client says so, and then the end.
    pub(super) async fn leave(&mut self) -> Result<(), Stop> {
        self.leaving = true;
        self.command(json!({"do": "leave"}));
        let done = |host: &Self| host.seen.iter().any(|seen| matches!(seen, Seen::End));
        if !self.wait_for(&done, self.stage.patience).await? {
            return Err(self.finding(
                &["STAT-02"],
                "a client that leaves when its user wants to",
                "it stays connected",
            ));
        }
        self.seen.retain(|seen| !matches!(seen, Seen::Frame(heard) if heard.kind == Kind::StatusRes));
        self.take_end().await?;
        self.leaving = false;
        Ok(())
    }

    /// LOGIN-15: a client whose connection was ended does not come back by itself. A connection that comes is found by
    /// whoever hears it.
    pub(super) async fn stays_away(&mut self, for_good: bool) -> Result<(), Stop> {
        self.rests_on(Evidence::Timed);
        let refused = self.refused;
        self.refusals.push_back("status");
        self.command(json!({"do": "status"}));
        let told = |host: &Self| host.refused > refused || host.driver_ended;
        if !self.wait_for(&told, self.stage.patience).await? {
            let got = "it says nothing to a command that it cannot carry out";
            return Err(Stop::Inconclusive(got.to_owned()));
        }
        self.wait_for(&|_: &Self| false, if for_good { AWAY_FOR_GOOD } else { AWAY }).await?;
        Ok(())
    }

    /// Ends the client's standard input, and waits until it has ended. Returned besides: what is worth a note.
    pub(super) async fn end_client(&mut self, judged: bool) -> (Result<(), Stop>, Vec<String>) {
        self.leaving = true;
        let mut notes = Vec::new();
        let mut result = Ok(());
        if judged {
            if let Some(driver) = &mut self.driver {
                driver.end_input();
            }
            let over = |host: &Self| host.driver_ended && host.conns.iter().all(|conn| conn.ended.is_some());
            match self.wait_for(&over, self.stage.patience).await {
                Ok(true) => {}
                Ok(false) => notes.push("the client did not end with its standard input".to_owned()),
                Err(stop) => result = Err(stop),
            }
        }
        if let Some(driver) = self.driver.take() {
            if result.is_err() || !judged {
                let errors = driver.errors();
                if !errors.is_empty() {
                    notes.push(format!("the client's standard error ends: {errors}"));
                }
            }
            if judged && result.is_ok() && notes.is_empty() {
                notes.extend(driver.end().await);
            }
        }
        (result, notes)
    }
}
