//! The client's side of a login, written out so that each step can be sent right or wrong (SPECIFICATION section 4).

use std::sync::Arc;

use mpchat_proto::crypto::Provider;
use mpchat_proto::frame::{self, FrameType, HEADER_LEN, Header, MAC_LEN};
use mpchat_proto::ids::{Sid, Uid};
use mpchat_proto::keys::{DirectionKeys, FrameCipher};
use rand::Rng;

use crate::stop::Stop;

use super::Play;
use super::arrive::decode;
use super::render::hex_start;
use super::world::{Conn, Phase};

const C2S: &[u8] = b"c2s";
const S2C: &[u8] = b"s2c";

/// A login request that was sent: what its answer has to be opened with.
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
        let cipher = |direction| {
            let keys = derive(provider, &[0; 32], &[&tk], &[b"mpchat/1.0 login ", direction]);
            FrameCipher::new(provider, &keys)
        };
        Self { outgoing: cipher(C2S), incoming: cipher(S2C), request: Vec::new(), tk }
    }
}

/// The transfer keys of a connection.
pub(crate) struct Transfer {
    pub(crate) outgoing: FrameCipher,
    pub(crate) incoming: FrameCipher,
    /// The keys before them, for frames sealed with the wrong ones.
    pub(crate) login: Arc<Login>,
}

impl Transfer {
    /// Which rule a frame breaks that does not open: by what it opens with instead.
    pub(crate) fn diagnose(&self, sealed: &[u8]) -> (&'static [&'static str], &'static str) {
        let opens = |cipher: &FrameCipher, bytes: &[u8]| cipher.open_in_place(&mut bytes.to_vec(), false).is_ok();
        if opens(&self.login.incoming, sealed) {
            return (&["LOGIN-04"], "a frame sealed with the login key");
        }
        if opens(&self.outgoing, sealed) {
            return (&["LOGIN-04", "MTP-12"], "a frame sealed with the key of the other direction");
        }
        (&["MTP-10", "MTP-11", "MTP-12", "LOGIN-04"], "a frame with a wrong mac")
    }
}

fn derive(provider: &dyn Provider, salt: &[u8], ikm: &[&[u8]], info: &[&[u8]]) -> DirectionKeys {
    let mut okm = [0; 44];
    provider.hkdf_sha256(salt, ikm, info, &mut okm);
    let (mut key, mut iv) = ([0; 32], [0; 12]);
    key.iter_mut().chain(&mut iv).zip(okm).for_each(|(to, from)| *to = from);
    DirectionKeys::new(key, iv)
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
                let expected = "a login response whose mac is right under the login key of direction s2c";
                let got = format!("a wrong mac: {}", hex_start(sealed));
                return Err(self.monitor(number, &["LOGIN-04", "MTP-10", "MTP-12"], expected, got));
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
        if !self.stage.memory.fresh_share(self.stage.provider.sha256(&[&sk])) {
            let got = "an sk that was used before".to_owned();
            return Err(self.monitor(number, &["LOGIN-05"], "a fresh sk for every connection", got));
        }
        let transfer = self.transfer_keys(login, &sk, sealed);
        if let Some(conn) = self.conns.get_mut(number) {
            conn.phase = Phase::Half(transfer);
        }
        self.login_response_heard(number, header, payload)
    }

    fn transfer_keys(&self, login: &Arc<Login>, sk: &[u8], response: &[u8]) -> Transfer {
        let provider = self.stage.provider;
        let salt = provider.sha256(&[&login.request, response]);
        let cipher = |direction| {
            let keys = derive(provider, &salt, &[&login.tk, sk], &[b"mpchat/1.0 transfer ", direction]);
            FrameCipher::new(provider, &keys)
        };
        Transfer { outgoing: cipher(C2S), incoming: cipher(S2C), login: Arc::clone(login) }
    }
}

/// The part of a frame that is payload when sealed: for changes after sealing.
pub(crate) fn sealed_payload(len: usize, etk: bool) -> std::ops::Range<usize> {
    let end = len.saturating_sub(MAC_LEN + if etk { frame::ETK_LEN } else { 0 });
    HEADER_LEN..end.max(HEADER_LEN)
}
