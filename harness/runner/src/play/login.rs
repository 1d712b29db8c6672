//! The client's side of a login, written out so that each step can be sent right or wrong (SPECIFICATION section 4).

use std::sync::Arc;

use mpchat_proto::crypto::Provider;
use mpchat_proto::frame::{self, FrameType, Header};
use mpchat_proto::ids::{Sid, Uid};
use mpchat_proto::keys::FrameCipher;
use rand::Rng;

use crate::schedule;
use crate::stop::Stop;

use super::Play;
use super::arrive::decode;
use super::render::hex_start;
use super::world::{Conn, Phase};

/// A login request, seen from who sent it, or swapped from who got it: what the frames of the login are sealed with.
pub(crate) struct Login {
    /// The client's key share; 32 bytes unless the request is made wrong.
    pub(crate) tk: Vec<u8>,
    /// The request as sent.
    pub(crate) request: Vec<u8>,
    pub(crate) outgoing: FrameCipher,
    pub(crate) incoming: FrameCipher,
}

impl Login {
    /// Login keys from a key share of any length.
    pub(crate) fn new(provider: &dyn Provider, tk: Vec<u8>) -> Self {
        let (outgoing, incoming) = schedule::login(provider, &tk);
        Self { outgoing, incoming, request: Vec::new(), tk }
    }
}

/// The transfer keys of a connection.
pub(crate) struct Transfer {
    pub(crate) outgoing: FrameCipher,
    pub(crate) incoming: FrameCipher,
    /// The keys before them, for frames sealed with the wrong ones.
    pub(crate) login: Arc<Login>,
}

impl Conn {
    /// Step 3 is there.
    pub(crate) fn third_step(&mut self) {
        if let Phase::Half(transfer) = std::mem::replace(&mut self.phase, Phase::Raw) {
            self.phase = Phase::Ready(transfer);
        }
    }
}

impl Play {
    /// Step 1 as a conforming client sends it.
    pub(crate) fn login_request(&mut self, uid: Uid) -> Login {
        let mut tk = vec![0; 32];
        self.rng.fill_bytes(&mut tk);
        let etk = self.stage.server_key.oaep_encrypt(&mut self.rng, &tk);
        let mut login = Login::new(self.stage.provider, tk);
        let header = Header::for_payload(FrameType::StatusReq, 1, Sid::NONE, uid, 0, true);
        login.request = login.outgoing.seal(&header, &[], Some(&etk));
        login
    }

    /// Step 2 arrived.
    pub(crate) fn open_response(
        &mut self,
        number: usize,
        login: &Arc<Login>,
        frame: &mut [u8],
        sealed: &[u8],
    ) -> Result<(), Stop> {
        let header = decode(sealed);
        let typ = header.kind();
        if typ != Some(FrameType::StatusRes) {
            let got = format!("type {:04x}", header.typ);
            return Err(self.monitor(number, &["LOGIN-17", "LOGIN-01"], "a login response", got));
        }
        let payload = match login.incoming.open_in_place(frame, true) {
            Ok(payload) => payload.to_vec(),
            Err(_) => {
                let (rules, what) = login.diagnose(sealed);
                let expected = "a login response whose mac is right under the login key of direction s2c";
                return Err(self.monitor(number, rules, expected, format!("{what}: {}", hex_start(sealed))));
            }
        };
        let etk = sealed.get(sealed.len().saturating_sub(frame::ETK_LEN)..).unwrap_or_default();
        let identity = self.conns.get(number).and_then(|c| {
            let by_uid = self.users.values().find(|i| i.uid == c.uid);
            by_uid.or_else(|| self.users.get(&c.user)).cloned()
        });
        let Some(identity) = identity else { return Ok(()) };
        let key = identity.key(self.stage.provider).map_err(|error| Stop::Skip(error.to_string()))?;
        let sk = match key.oaep_decrypt(etk) {
            Ok(sk) if sk.len() == 32 => sk.to_vec(),
            Ok(sk) => {
                let got = format!("an etk of {} bytes", sk.len());
                return Err(self.monitor(number, &["LOGIN-03", "LOGIN-17"], "an etk that decrypts to 32 bytes", got));
            }
            Err(_) => {
                let got = "an etk that does not open".to_owned();
                return Err(self.monitor(number, &["LOGIN-03"], "sk as RSA-OAEP under the user's public key", got));
            }
        };
        if let Some(why) = self.stage.memory.why_not_fresh(&sk) {
            let got = format!("an sk {why}");
            return Err(self.monitor(number, &["LOGIN-05"], "a fresh sk for every connection", got).whenever());
        }
        let transfer = self.transfer_keys(login, &sk, sealed);
        if let Some(conn) = self.conns.get_mut(number) {
            conn.phase = Phase::Half(transfer);
        }
        self.login_response_heard(number, header, payload)
    }

    fn transfer_keys(&self, login: &Arc<Login>, sk: &[u8], response: &[u8]) -> Transfer {
        let keys = schedule::transfer(self.stage.provider, &login.tk, sk, &login.request, response);
        let (outgoing, incoming) = schedule::ciphers(self.stage.provider, keys);
        Transfer { outgoing, incoming, login: Arc::clone(login) }
    }
}
