//! The server's side of a login, written out so that each step can be sent right or wrong (SPECIFICATION section 4).

use std::sync::Arc;

use mpchat_proto::frame::{ETK_LEN, FrameType, Header, MAC_LEN};
use mpchat_proto::ids::{Sid, Uid};
use mpchat_script::ast::Kind;
use rand::Rng;
use serde_json::json;

use super::Host;
use super::world::{Heard, Phase, Seen};
use crate::client::driver::ClientSubject;
use crate::client::kit_folder::kit_folder;
use crate::play::login::{Login, Transfer};
use crate::play::render::hex_start;
use crate::schedule;
use crate::stop::Stop;

impl Host {
    /// Has the client connect and log in, with no line of the diagram for it.
    pub(super) async fn log_in(&mut self) -> Result<(), Stop> {
        self.connect(true)?;
        // How long it takes to begin says nothing of how long an answer takes.
        if !self.wait_for(&Self::has_begun_login, self.stage.patience).await? {
            return Err(self.does_not_log_in());
        }
        let came = self.wait(|host| host.is_online() && host.onlines >= host.logins, false).await?;
        if !came {
            if matches!(self.conns.last().map(|conn| &conn.phase), Some(Phase::Asked(_))) {
                self.nudge(&|host: &Self| host.is_online()).await?;
            }
            let got = match self.conns.last().map(|conn| &conn.phase) {
                Some(Phase::Asked(_)) => "no step 4",
                Some(Phase::Online(_)) => "no `online` event",
                _ => "no answer of ours was possible",
            };
            return Err(self.finding(&["LOGIN-17", "LOGIN-01"], "a login that is completed", got));
        }
        Ok(())
    }

    /// Whether it has sent step 1 since it was told to connect.
    pub(super) fn has_begun_login(&self) -> bool {
        self.may_connect == 0 && self.conns.last().is_some_and(|conn| !matches!(conn.phase, Phase::Fresh))
    }

    /// How soon a client begins is its own affair: nothing was proved.
    pub(super) fn does_not_log_in(&self) -> Stop {
        let what = if self.may_connect > 0 { "does not connect" } else { "sends no login request" };
        Stop::Inconclusive(format!("the client {what} within {:?}", self.stage.patience))
    }

    /// Gives the command `connect`.
    pub(super) fn connect(&mut self, undrawn: bool) -> Result<(), Stop> {
        // The embedded client reads none.
        if matches!(self.stage.subject, ClientSubject::Command(_)) && self.folder.is_none() {
            let users = self.users.values().map(|user| user.uid);
            self.folder = Some(kit_folder(&self.stage.kit, self.me, users).map_err(Stop::Skip)?);
        }
        let folder = self.folder.as_ref().map(|folder| folder.path().display().to_string());
        self.may_connect += 1;
        self.leaving = false;
        self.logs_in_undrawn = undrawn;
        self.command(json!({
            "do": "connect",
            "address": self.address,
            "uid": self.me.to_string(),
            "kit": folder.unwrap_or_default(),
        }));
        Ok(())
    }

    /// The first frame of a connection: step 1.
    pub(super) fn login_requested(&mut self, header: Header, frame: &[u8]) -> Result<(), Stop> {
        if header.kind() != Some(FrameType::StatusReq) {
            let got = format!("type {:04x}", header.typ);
            return Err(self.breach(&["LOGIN-01", "LOGIN-17"], "a login request as the first frame", got));
        }
        let etk = frame.get(frame.len().saturating_sub(ETK_LEN)..).unwrap_or_default();
        let tk = match self.stage.server_key.oaep_decrypt(etk) {
            Ok(tk) if tk.len() == 32 => tk.to_vec(),
            Ok(tk) => {
                let got = format!("an etk of {} bytes", tk.len());
                return Err(self.breach(&["LOGIN-02", "LOGIN-17"], "an etk that decrypts to 32 bytes", got));
            }
            Err(_) if self.mac_is_behind_etk(frame) => {
                let expected = "epd, mac and then etk, in this order";
                return Err(self.breach(&["MTP-02", "LOGIN-17"], expected, "the mac behind the etk"));
            }
            Err(_) => {
                let expected = "tk as RSA-OAEP (SHA-256) under the server's public key";
                return Err(self.breach(&["LOGIN-02"], expected, "an etk that does not open"));
            }
        };
        if let Some(why) = self.stage.memory.why_not_fresh(&tk) {
            let got = format!("a tk {why}");
            return Err(self.breach(&["LOGIN-05"], "a fresh tk for every connection", got).whenever());
        }
        self.canaries.secret("tk", &tk);
        let (incoming, outgoing) = schedule::login(self.stage.provider, &tk);
        let login = Login { tk, request: frame.to_vec(), outgoing, incoming };
        let payload = match login.incoming.open_in_place(&mut frame.to_vec(), true) {
            Ok(payload) => payload.to_vec(),
            Err(_) => {
                let (rules, what) = login.diagnose(frame);
                let expected = "a login request whose mac is right under the login key of direction c2s";
                return Err(self.breach(rules, expected, format!("{what}: {}", hex_start(frame))));
            }
        };
        let heard = Heard { kind: Kind::LoginReq, header, payload };
        self.log_heard(&heard);
        if heard.header.sid != Sid::NONE || !heard.payload.is_empty() {
            let got = self.describe(&heard);
            return Err(self.breach(&["LOGIN-17"], "a login request with sid 0 and no payload", got));
        }
        let Some(conn) = self.conn() else { return Ok(()) };
        conn.phase = Phase::Requested(Arc::new(login));
        if conn.undrawn {
            self.respond()
        } else {
            self.seen.push(Seen::Frame(heard));
            Ok(())
        }
    }

    fn mac_is_behind_etk(&self, frame: &[u8]) -> bool {
        let end = frame.len().saturating_sub(MAC_LEN);
        let etk = frame.get(end.saturating_sub(ETK_LEN)..end).unwrap_or_default();
        self.stage.server_key.oaep_decrypt(etk).is_ok_and(|tk| tk.len() == 32)
    }

    /// Steps 2 and 3 as a conforming server sends them.
    fn respond(&mut self) -> Result<(), Stop> {
        let mut sk = vec![0; 32];
        self.rng.fill_bytes(&mut sk);
        let _fresh = self.stage.memory.why_not_fresh(&sk);
        let Some(identity) = self.users.get(&self.role).cloned() else { return Ok(()) };
        let etk = identity.public(self.stage.provider).oaep_encrypt(&mut self.rng, &sk);
        let Some(conn) = self.conns.last_mut() else { return Ok(()) };
        let Phase::Requested(login) = &conn.phase else { return Ok(()) };
        let login = Arc::clone(login);
        let header = Header::for_payload(FrameType::StatusRes, 1, Sid::NONE, Uid::SERVER, 6, true);
        let response = login.outgoing.seal(&header, b"Online", Some(&etk));
        self.responded(&login, &sk, response.clone());
        if let Some(conn) = self.conn() {
            conn.link.write_before_more(response);
        }
        self.say(Kind::StatusReq, Sid::NONE, Uid::SERVER, b"");
        self.third_step_sent();
        Ok(())
    }

    /// Step 2 is made: the transfer keys follow from it.
    pub(super) fn responded(&mut self, login: &Arc<Login>, sk: &[u8], response: Vec<u8>) {
        let keys = schedule::transfer(self.stage.provider, &login.tk, sk, &login.request, &response);
        // A client that seals envelopes with them shows its texts to the server (MSG-02).
        for (key, _) in &keys {
            let _fresh = self.stage.memory.why_not_fresh(key);
        }
        let (incoming, outgoing) = schedule::ciphers(self.stage.provider, keys);
        // The server's two directions, as against those of a login request that the harness made itself.
        let transfer = Transfer { outgoing, incoming, login: Arc::clone(login) };
        if let Some(conn) = self.conn() {
            conn.last_out = 1;
            conn.phase = Phase::Responded(transfer);
        }
    }

    /// Step 3 is sent.
    pub(super) fn third_step_sent(&mut self) {
        let Some(conn) = self.conn() else { return };
        match std::mem::replace(&mut conn.phase, Phase::Fresh) {
            Phase::Responded(transfer) => conn.phase = Phase::Asked(transfer),
            other => conn.phase = other,
        }
    }

    /// The frame that is to be step 4.
    pub(super) fn fourth_step(&mut self, heard: &Heard) -> Result<(), Stop> {
        let good = heard.kind == Kind::StatusRes && heard.header.sid == Sid::NONE && heard.payload == b"Online";
        if !good {
            let got = self.describe(heard);
            return Err(self.breach(&["LOGIN-17", "STAT-02"], "step 4: status_res Online with sid 0", got));
        }
        let Some(conn) = self.conn() else { return Ok(()) };
        match std::mem::replace(&mut conn.phase, Phase::Fresh) {
            Phase::Asked(transfer) => conn.phase = Phase::Online(transfer),
            other => conn.phase = other,
        }
        let undrawn = conn.undrawn;
        if !undrawn {
            conn.probes = conn.probes.saturating_sub(1);
            self.seen.push(Seen::Frame(heard.clone()));
        }
        self.logins += 1;
        Ok(())
    }
}
