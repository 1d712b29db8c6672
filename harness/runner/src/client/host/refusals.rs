//! What a client refuses to do for its user: it says so, and sends nothing.

use mpchat_script::ast::Refused;
use serde_json::{Value, json};

use super::Host;
use crate::program::Leaf;
use crate::stop::Stop;

impl Host {
    /// INIT-16, CLOSE-10: what a client does not do for its user any more.
    pub(super) async fn refuses(&mut self, leaf: &Leaf, what: Refused, session: &str) -> Result<(), Stop> {
        self.await_owed().await?;
        let sid = self.sid(session).to_string();
        let closed = self.sessions.get(session).and_then(|s| s.sid).is_some_and(|sid| self.closed.contains(&sid));
        let (word, command) = match what {
            Refused::Accept => ("answer", json!({"do": "answer", "sid": sid, "accept": true})),
            Refused::Close => ("close", json!({"do": "close", "sid": sid})),
        };
        let rules: &[&str] = if closed { &["CLOSE-10", "INIT-16"] } else { &["INIT-16"] };
        self.is_refused(leaf, word, command, rules).await
    }

    /// A client that asked for a roster too early may still be about to read that there is none, and would take that for
    /// the answer to the question that a text makes it ask.
    pub(super) async fn settle_rosters(&mut self) -> Result<(), Stop> {
        if std::mem::take(&mut self.told_offline) && self.can_fence() {
            self.fence().await?;
        }
        Ok(())
    }

    pub(super) async fn refuses_to_send(&mut self, leaf: &Leaf, text: &str, session: &str) -> Result<(), Stop> {
        self.await_owed().await?;
        self.settle_rosters().await?;
        self.canaries.text(text);
        let sid = self.sid(session);
        let closes_when_asked = self.closes_when_asked.contains(&sid);
        if self.first_rosters.contains_key(&sid) {
            // A client that has asked of its own accord need not ask again.
            self.close_if_asked(sid);
            self.await_owed().await?;
        }
        let recipients = self.told_roster(session).len().saturating_sub(1);
        let rules: &[&str] = if closes_when_asked || self.closed.contains(&sid) {
            &["CLOSE-10"]
        } else if recipients > 0 && !mpchat_proto::envelope::fits(text, recipients) {
            &["MSG-16"]
        } else {
            &["STAT-09"]
        };
        self.refusing = Some(rules);
        self.is_refused(leaf, "send", json!({"do": "send", "sid": sid.to_string(), "text": text}), rules).await?;
        self.refusing = None;
        Ok(())
    }

    /// Gives a command, and waits until the client refuses it.
    async fn is_refused(
        &mut self,
        leaf: &Leaf,
        word: &'static str,
        command: Value,
        rules: &[&str],
    ) -> Result<(), Stop> {
        let refused = self.refused;
        self.refusals.push_back(word);
        self.command(command);
        // No frame causes it: it may come after the events of later ones.
        if self.wait(|host| host.refused > refused, false).await? {
            return Ok(());
        }
        Err(self.finding(rules, leaf.line.text.clone(), "the command is not refused"))
    }
}
