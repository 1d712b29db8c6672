//! Before line 1: the client is logged in, and takes part in the sessions that exist already.

use mpchat_script::ast::{Kind, Start};
use serde_json::json;

use super::Host;
use super::world::{Heard, Owed, Seen};
use crate::client::script::Script;
use crate::stop::Stop;
use mpchat_proto::ids::Sid;

impl Host {
    pub(super) async fn set_up(&mut self, script: &Script) -> Result<(), Stop> {
        for (name, start) in self.front.starts.clone() {
            if name != self.role && matches!(start, Start::Offline | Start::HalfLoggedIn) {
                self.offline.push(name);
            }
        }
        let takes_part = self.sessions.values().any(|s| s.creator == self.role || s.invited.contains(&self.role));
        if script.logs_in || takes_part {
            self.log_in().await?;
        }
        for name in self.front.sessions.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.make_session(&name).await?;
        }
        if !script.logs_in && takes_part {
            self.leave().await?;
        }
        Ok(())
    }

    /// Everybody accepts.
    async fn make_session(&mut self, name: &str) -> Result<(), Stop> {
        let Some(session) = self.sessions.get(name).cloned() else { return Ok(()) };
        let invited = self.unfold(&session.invited);
        let sid = self.sid(name);
        let is_creator = session.creator == self.role;
        if is_creator {
            let uids = self.uid_texts(&invited);
            let wanted: String = uids.iter().map(|uid| format!("{uid}\n")).collect();
            self.command(json!({"do": "init", "invite": uids}));
            let heard = self.take_request(Kind::InitReq, &["INIT-01"]).await?;
            if heard.payload != wanted.as_bytes() || heard.header.sid != Sid::NONE {
                let got = self.describe(&heard);
                return Err(self.breach(&["INIT-01"], "an init_req of all that were to be invited", got));
            }
        } else if invited.contains(&self.role) {
            let creator = self.uid_of(&session.creator).unwrap_or(mpchat_proto::ids::Uid::SERVER);
            self.owe_invited(sid, creator);
            self.say(Kind::InviteReq, sid, creator, b"");
            self.await_owed().await?;
            self.command(json!({"do": "answer", "sid": sid.to_string(), "accept": true}));
            let heard = self.take_request(Kind::InviteRes, &["INIT-16"]).await?;
            if heard.payload != b"Accept" || heard.header.sid != sid {
                let got = self.describe(&heard);
                return Err(self.breach(&["INIT-16"], "invite_res Accept with the sid of the invitation", got));
            }
            if let Some(conn) = self.conn() {
                conn.answered.push(sid);
            }
        }
        // From now on it is live: a creator that asks when it hears so is told so.
        if let Some(session) = self.sessions.get_mut(name) {
            session.accepted = invited.iter().cloned().collect();
            session.invited = invited;
            session.live = true;
        }
        if is_creator {
            self.owe_init(sid, true);
            self.say(Kind::InitRes, sid, mpchat_proto::ids::Uid::SERVER, b"OK");
        }
        self.await_owed().await
    }

    /// Waits for a frame that carries out a command of the setting up.
    async fn take_request(&mut self, kind: Kind, rules: &'static [&'static str]) -> Result<Heard, Stop> {
        self.expected_in_setup = Some(kind);
        let is_it = |seen: &Seen| matches!(seen, Seen::Frame(heard) if heard.kind == kind);
        let came = self.wait(|host| host.seen.iter().any(is_it), true).await?;
        self.expected_in_setup = None;
        let place = self.seen.iter().position(is_it).filter(|_| came);
        match place.map(|place| self.seen.remove(place)) {
            Some(Seen::Frame(heard)) => Ok(heard),
            _ => Err(self.breach(rules, format!("{} when its user wants it", kind.word()), "no such frame")),
        }
    }

    pub(super) fn owe_invited(&mut self, sid: Sid, from: mpchat_proto::ids::Uid) {
        let fields = vec![("sid", json!(sid.to_string())), ("from", json!(from.to_string()))];
        self.owe("invited", fields, &["INIT-16"]);
    }

    pub(super) fn owe_init(&mut self, sid: Sid, ok: bool) {
        self.owe("init", vec![("sid", json!(sid.to_string())), ("ok", json!(ok))], &["PAY-03", "PAY-06"]);
    }

    /// From now on the client owes its user an event.
    pub(super) fn owe(
        &mut self,
        name: &'static str,
        fields: Vec<(&'static str, serde_json::Value)>,
        rules: &'static [&'static str],
    ) {
        let (line, slot) = (self.at.clone(), self.slot);
        self.owed.push_back(Owed { name, fields, rules, line, slot, fence: false, optional: false, shows: None });
    }
}
