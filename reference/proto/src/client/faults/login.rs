//! Login: steps 1 to 4 with one thing wrong.

use core::time::Duration;

use rand_core::CryptoRng;

use super::super::Client;
use super::super::link::Phase;
use super::{Broken, Quirk};
use crate::crypto::{PrivateKey, Provider, PublicKey};
use crate::frame::{ETK_LEN, FrameType, HEADER_LEN, Header, MAC_LEN};
use crate::ids::{Sid, Uid};
use crate::keys::{FrameCipher, LoginKeys, Opener, Sealer, Secret, TransferKeys};
use crate::login::{Channel, ClientHalf, ClientLogin, LoginError, Side, Step};
use crate::payload::{self, Presence};
use crate::quirks;

impl Broken {
    /// Step 1.
    pub(super) fn start(
        &mut self,
        fault: Quirk,
        provider: &'static dyn Provider,
        rng: &mut dyn CryptoRng,
        uid: Uid,
        key: PrivateKey,
        server: &PublicKey,
    ) -> (Vec<u8>, ClientLogin) {
        let tk = match fault {
            Quirk::TkReused => {
                let fresh = Secret::random(rng);
                Secret::new(*self.tk.get_or_insert(*fresh.expose()))
            }
            Quirk::TkOfUser => Secret::new(provider.sha256(&[&uid.0.to_be_bytes()])),
            _ => Secret::random(rng),
        };
        let shared = if fault == Quirk::TkTooShort { &tk.expose()[..16] } else { &tk.expose()[..] };
        let to = if fault == Quirk::TkUnderOwnKey { &key.public() } else { server };
        let etk = to.oaep_encrypt(rng, shared);
        let keys = LoginKeys::derive(provider, &tk);
        let payload: &[u8] = if fault == Quirk::RequestWithPayload { b"Online" } else { b"" };
        let mut header = Header::for_payload(FrameType::StatusReq, 1, Sid::NONE, uid, payload.len(), true);
        match fault {
            Quirk::LoginAsResponse => header.typ = FrameType::StatusRes.code(),
            Quirk::RequestSid => header.sid = Sid(1),
            Quirk::RequestNumberZero => header.sqn = 0,
            _ => {}
        }
        let c2s = FrameCipher::new(provider, &keys.c2s);
        let mut request = c2s.seal(&header, payload, Some(&etk));
        if fault == Quirk::EtkBeforeMac {
            request[HEADER_LEN + payload.len()..].rotate_left(MAC_LEN);
        }
        let hashed = if fault == Quirk::HashWithoutEtk { &request[..request.len() - ETK_LEN] } else { &request };
        self.link.login_s2c = Some(FrameCipher::new(provider, &keys.s2c));
        self.link.login_c2s = Some(c2s);
        let login = ClientLogin::from_parts(provider, (uid, key, tk), keys, hashed.to_vec());
        (request, login)
    }
}

impl Client {
    pub(super) fn is_login_fault(fault: Quirk) -> bool {
        matches!(
            fault,
            Quirk::EtkInStep4
                | Quirk::NumbersFromOneAfterLogin
                | Quirk::LoginVersionUnchecked
                | Quirk::FirstTypeUnchecked
                | Quirk::SkUnderSha1
                | Quirk::AnswerWithLoginKeys
                | Quirk::ProbeWithLoginKeysTaken
                | Quirk::ResponseWithC2sTaken
                | Quirk::ResponseUnbound
                | Quirk::ResponseSidIgnored
                | Quirk::ResponseUidIgnored
                | Quirk::ResponseOfflineTaken
                | Quirk::ResponseEmptyTaken
                | Quirk::ShortSkTaken
                | Quirk::LongSkTaken
                | Quirk::ResponseMacUnchecked
                | Quirk::ProbeAwaitedOthersSkipped
                | Quirk::ProbeMissingTaken
                | Quirk::Step4Early
                | Quirk::Step4Sid
                | Quirk::Step4Empty
                | Quirk::Step3SidTaken
                | Quirk::Step3UidTaken
                | Quirk::Step3PayloadTaken
        )
    }

    /// Step 2.
    pub(super) fn faulty_response(
        &mut self,
        fault: Quirk,
        login: ClientLogin,
        frame: &mut [u8],
    ) -> Result<ClientHalf, LoginError> {
        let step = Step::Response;
        let (key, tk, login, request) = login.into_parts();
        let body = frame.len().checked_sub(ETK_LEN).ok_or(LoginError::Mac { step })?;
        let sk = key.oaep_decrypt(&frame[body..]).map_err(|_| LoginError::Etk { step })?;
        if fault == Quirk::SkUnderSha1 {
            return Err(LoginError::Etk { step });
        }
        let mut bytes = sk.to_vec();
        if fault == Quirk::ShortSkTaken && bytes.len() < Secret::LEN
            || fault == Quirk::LongSkTaken && bytes.len() > Secret::LEN
        {
            bytes.resize(Secret::LEN, 0);
        }
        let sk = Secret::from_slice(&bytes).ok_or(LoginError::EtkLength { step, len: bytes.len() })?;
        let hashed: &[u8] = if fault == Quirk::ResponseUnbound { b"" } else { frame };
        let keys = TransferKeys::derive(self.provider, &tk, &sk, &request, hashed);

        let claimed = frame[..body].last_chunk::<MAC_LEN>().copied();
        let (mut plain, mac) = quirks::decrypt(&FrameCipher::new(self.provider, &login.s2c), &frame[..body]);
        if claimed != Some(mac) {
            let (other, mac) = quirks::decrypt(&FrameCipher::new(self.provider, &login.c2s), &frame[..body]);
            match fault {
                Quirk::ResponseMacUnchecked => {}
                Quirk::ResponseWithC2sTaken if claimed == Some(mac) => plain = other,
                _ => return Err(LoginError::Mac { step }),
            }
        }
        if fault != Quirk::ResponseEmptyTaken || !plain.is_empty() {
            match payload::parse_presence(&plain).map_err(|error| LoginError::Payload { step, error })? {
                Presence::Offline if fault != Quirk::ResponseOfflineTaken => return Err(LoginError::Offline { step }),
                _ => {}
            }
        }
        let me = self.me();
        let first = if fault == Quirk::NumbersFromOneAfterLogin { 1 } else { 2 };
        let mut sealer = Sealer::new(FrameCipher::new(self.provider, &keys.c2s), Some(first));
        let opener = Opener::new(FrameCipher::new(self.provider, &keys.s2c), 1);
        if fault == Quirk::Step4Early {
            self.broken.link.step_4_sent = true;
            let answer = self.step_4(fault, &mut sealer);
            self.transmits.push_back(answer);
        }
        Ok(ClientHalf::from_parts(me, sealer, opener))
    }

    /// Step 3, and step 4 in answer.
    pub(super) fn faulty_request(
        &mut self,
        fault: Quirk,
        login: ClientHalf,
        frame: &mut [u8],
    ) -> Result<(Vec<u8>, Channel), LoginError> {
        let step = Step::Probe;
        let (uid, mut sealer, mut opener) = login.into_parts();
        let header = Header::decode(frame.first_chunk().ok_or(LoginError::Mac { step })?);
        let claimed = frame.last_chunk::<MAC_LEN>().copied();
        let (mut plain, mac) = quirks::decrypt(opener.cipher(), frame);
        if claimed != Some(mac) {
            let cipher = self.broken.link.login_s2c.as_ref().filter(|_| fault == Quirk::ProbeWithLoginKeysTaken);
            let (other, mac) = cipher.map(|cipher| quirks::decrypt(cipher, frame)).unwrap_or_default();
            if claimed != Some(mac) {
                return Err(LoginError::Mac { step });
            }
            plain = other;
        }
        if !matches!(fault, Quirk::Step3PayloadTaken | Quirk::ProbeMissingTaken) {
            payload::parse_empty(&plain).map_err(|error| LoginError::Payload { step, error })?;
        }
        opener.accept_number(header.sqn);
        let answer = if self.broken.link.step_4_sent { Vec::new() } else { self.step_4(fault, &mut sealer) };
        Ok((answer, Channel::new(Side::Client, uid, sealer, opener)))
    }

    fn step_4(&mut self, fault: Quirk, sealer: &mut Sealer) -> Vec<u8> {
        let payload: &[u8] = if fault == Quirk::Step4Empty { b"" } else { Presence::Online.as_bytes() };
        let sid = if fault == Quirk::Step4Sid { Sid(1) } else { Sid::NONE };
        let sqn = sealer.next().unwrap_or_default();
        sealer.go_on_at(sqn.checked_add(1));
        let with_etk = fault == Quirk::EtkInStep4;
        let header = Header::for_payload(FrameType::StatusRes, sqn, sid, self.me(), payload.len(), with_etk);
        let login = self.broken.link.login_c2s.as_ref().filter(|_| fault == Quirk::AnswerWithLoginKeys);
        login.unwrap_or(sealer.cipher()).seal(&header, payload, with_etk.then_some(&[0x5a; ETK_LEN]))
    }

    /// What is done after a read in which the login may have got on.
    pub(super) fn after_login(&mut self, fault: Quirk, now: Duration) {
        if !matches!(self.phase, Phase::Online(_)) || core::mem::replace(&mut self.broken.link.is_greeted, true) {
            return;
        }
        match fault {
            Quirk::ClosedForgotten => self.memory.sessions.values_mut().for_each(|session| session.closed = false),
            Quirk::RosterForgotten => self.memory.sessions.values_mut().for_each(|session| session.roster = None),
            Quirk::ShownAgainAfterLogin => self.memory.shown.clear(),
            Quirk::AsksAfterLogin => self.ask_by_itself(now, Sid::NONE),
            _ => {}
        }
    }
}
