//! The client's half of the login.

use rand_core::CryptoRng;

use super::{Channel, LoginError, Side, Step, check_common, header_of};
use crate::crypto::{PrivateKey, Provider, PublicKey};
use crate::frame::{ETK_LEN, FrameType, Header, HeaderError};
use crate::ids::{Sid, Uid};
use crate::keys::{FrameCipher, LoginKeys, Opener, Sealer, Secret, TransferKeys};
use crate::payload::{self, Presence};

/// A client that has sent step 1 and waits for step 2.
#[derive(Debug)]
pub struct ClientLogin {
    provider: &'static dyn Provider,
    uid: Uid,
    user_key: PrivateKey,
    tk: Secret,
    keys: LoginKeys,
    request: Vec<u8>,
}

/// A client that has verified step 2 and waits for step 3.
#[derive(Debug)]
pub struct ClientHalf {
    uid: Uid,
    sealer: Sealer,
    opener: Opener,
}

impl ClientLogin {
    /// Begins a login: the frame to send is step 1. `rng` gives first tk (LOGIN-05), then the seed of OAEP.
    #[must_use]
    pub fn start(
        provider: &'static dyn Provider,
        rng: &mut dyn CryptoRng,
        uid: Uid,
        user_key: PrivateKey,
        server_key: &PublicKey,
    ) -> (Vec<u8>, Self) {
        let tk = Secret::random(rng);
        let etk = server_key.oaep_encrypt(rng, tk.expose());
        let keys = LoginKeys::derive(provider, &tk);
        let header = Header::for_payload(FrameType::StatusReq, Step::Request.sqn(), Sid::NONE, uid, 0, true);
        let request = FrameCipher::new(provider, &keys.c2s).seal(&header, b"", Some(&etk));
        (request.clone(), Self { provider, uid, user_key, tk, keys, request })
    }

    /// Put together by who wants to misbehave.
    #[cfg(feature = "faults")]
    pub(crate) fn from_parts(
        provider: &'static dyn Provider,
        (uid, user_key, tk): (Uid, PrivateKey, Secret),
        keys: LoginKeys,
        request: Vec<u8>,
    ) -> Self {
        Self { provider, uid, user_key, tk, keys, request }
    }

    /// Taken apart by who wants to misbehave.
    #[cfg(feature = "faults")]
    pub(crate) fn into_parts(self) -> (PrivateKey, Secret, LoginKeys, Vec<u8>) {
        (self.user_key, self.tk, self.keys, self.request)
    }

    /// Checks the header of step 2 (LOGIN-01, LOGIN-12, LOGIN-17).
    ///
    /// # Errors
    /// Its first offence.
    pub fn check_header(&self, header: &Header) -> Result<(), LoginError> {
        check_from_server(header, Step::Response)
    }

    /// Takes step 2, and opens it in place.
    ///
    /// # Errors
    /// What makes the client close (LOGIN-01, LOGIN-12).
    pub fn response(self, frame: &mut [u8]) -> Result<ClientHalf, LoginError> {
        let step = Step::Response;
        let header = header_of(frame, step)?;
        self.check_header(&header)?;
        let etk = &frame[frame.len() - ETK_LEN..];
        let sk = self.user_key.oaep_decrypt(etk).map_err(|_| LoginError::Etk { step })?;
        let sk = Secret::from_slice(&sk).ok_or(LoginError::EtkLength { step, len: sk.len() })?;
        // Before the frame is opened: what enters the hash is what went over the wire.
        let keys = TransferKeys::derive(self.provider, &self.tk, &sk, &self.request, frame);

        let cipher = FrameCipher::new(self.provider, &self.keys.s2c);
        let payload = cipher.open_in_place(frame, true).map_err(|_| LoginError::Mac { step })?;
        match payload::parse_presence(payload).map_err(|error| LoginError::Payload { step, error })? {
            Presence::Online => {}
            Presence::Offline => return Err(LoginError::Offline { step }),
        }
        Ok(ClientHalf {
            uid: self.uid,
            sealer: Sealer::new(FrameCipher::new(self.provider, &keys.c2s), Some(Step::Answer.sqn())),
            opener: Opener::new(FrameCipher::new(self.provider, &keys.s2c), Step::Response.sqn()),
        })
    }
}

impl ClientHalf {
    /// Put together by who wants to misbehave.
    #[cfg(feature = "faults")]
    pub(crate) fn from_parts(uid: Uid, sealer: Sealer, opener: Opener) -> Self {
        Self { uid, sealer, opener }
    }

    /// Taken apart by who wants to misbehave.
    #[cfg(feature = "faults")]
    pub(crate) fn into_parts(self) -> (Uid, Sealer, Opener) {
        (self.uid, self.sealer, self.opener)
    }

    /// Checks the header of step 3 (LOGIN-14, LOGIN-17).
    ///
    /// # Errors
    /// Its first offence.
    pub fn check_header(&self, header: &Header) -> Result<(), LoginError> {
        check_from_server(header, Step::Probe)
    }

    /// Takes step 3, and opens it in place. The frame to send is step 4; with it the client is logged in.
    ///
    /// # Errors
    /// What makes the client close (LOGIN-14, LOGIN-17).
    pub fn request(mut self, frame: &mut [u8]) -> Result<(Vec<u8>, Channel), LoginError> {
        let step = Step::Probe;
        let header = header_of(frame, step)?;
        self.check_header(&header)?;
        let (_, payload) = self.opener.open(frame).map_err(|_| LoginError::Mac { step })?;
        payload::parse_empty(payload).map_err(|error| LoginError::Payload { step, error })?;

        let payload = Presence::Online.as_bytes();
        let sqn = self.sealer.take().expect("step 4 is the second frame of this direction");
        let header = Header::for_payload(FrameType::StatusRes, sqn, Sid::NONE, self.uid, payload.len(), false);
        let answer = self.sealer.cipher().seal(&header, payload, None);
        Ok((answer, Channel::new(Side::Client, self.uid, self.sealer, self.opener)))
    }
}

fn check_from_server(header: &Header, step: Step) -> Result<(), LoginError> {
    check_common(header, step)?;
    if header.uid != Uid::SERVER {
        let error = HeaderError::User { expected: Uid::SERVER, got: header.uid };
        return Err(LoginError::Header { step, error });
    }
    Ok(())
}
