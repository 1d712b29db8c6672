//! The server's half of the login.

use rand_core::CryptoRng;

use super::{Channel, LoginError, Side, Step, check_common, header_of};
use crate::crypto::{PrivateKey, Provider, PublicKey};
use crate::frame::{ETK_LEN, FrameType, Header, HeaderError};
use crate::ids::{Sid, Uid};
use crate::keys::{FrameCipher, LoginKeys, Opener, Sealer, Secret, TransferKeys};
use crate::payload::{self, Presence};

/// A server that waits for step 1: it knows nothing yet.
#[derive(Debug)]
pub struct ServerLogin;

/// A server that has sent steps 2 and 3 and waits for step 4. The user is not online yet (LOGIN-07).
#[derive(Debug)]
pub struct ServerHalf {
    uid: Uid,
    sealer: Sealer,
    opener: Opener,
}

impl ServerLogin {
    /// Checks the header of step 1 (LOGIN-01, LOGIN-06, LOGIN-17), but for the uid, which needs the directory.
    ///
    /// # Errors
    /// Its first offence.
    pub fn check_header(header: &Header) -> Result<(), LoginError> {
        check_common(header, Step::Request)
    }

    /// Takes step 1. The frames to send are steps 2 and 3. `rng` gives first sk (LOGIN-05), then the seed of OAEP.
    ///
    /// # Errors
    /// What makes the server close without any answer (LOGIN-01, LOGIN-06).
    pub fn request(
        provider: &'static dyn Provider,
        rng: &mut dyn CryptoRng,
        server_key: &PrivateKey,
        user_lookup: impl Fn(Uid) -> Option<PublicKey>,
        frame: &mut [u8],
    ) -> Result<(Vec<u8>, Vec<u8>, ServerHalf), LoginError> {
        let step = Step::Request;
        let header = header_of(frame, step)?;
        Self::check_header(&header)?;
        let uid = header.uid;
        // Nobody has the server's number, whatever the directory says.
        let user_key = if uid == Uid::SERVER { None } else { user_lookup(uid) };
        let user_key = user_key.ok_or(LoginError::UnknownUser(uid))?;
        let tk = server_key.oaep_decrypt(&frame[frame.len() - ETK_LEN..]).map_err(|_| LoginError::Etk { step })?;
        let tk = Secret::from_slice(&tk).ok_or(LoginError::EtkLength { step, len: tk.len() })?;
        let login = LoginKeys::derive(provider, &tk);
        let payload = FrameCipher::new(provider, &login.c2s).open_in_place(frame, true);
        let payload = payload.map_err(|_| LoginError::Mac { step })?;
        payload::parse_empty(payload).map_err(|error| LoginError::Payload { step, error })?;

        let sk = Secret::random(rng);
        let etk = user_key.oaep_encrypt(rng, sk.expose());
        let online = Presence::Online.as_bytes();
        let sqn = Step::Response.sqn();
        let header = Header::for_payload(FrameType::StatusRes, sqn, Sid::NONE, Uid::SERVER, online.len(), true);
        let response = FrameCipher::new(provider, &login.s2c).seal(&header, online, Some(&etk));

        // The request is hashed after it was opened in place: its payload is empty, so nothing in it has changed.
        let keys = TransferKeys::derive(provider, &tk, &sk, frame, &response);
        let mut sealer = Sealer::new(FrameCipher::new(provider, &keys.s2c), Some(Step::Probe.sqn()));
        let opener = Opener::new(FrameCipher::new(provider, &keys.c2s), Step::Request.sqn());
        let sqn = sealer.take().expect("step 3 is the second frame of this direction");
        let header = Header::for_payload(FrameType::StatusReq, sqn, Sid::NONE, Uid::SERVER, 0, false);
        let probe = sealer.cipher().seal(&header, b"", None);
        Ok((response, probe, ServerHalf { uid, sealer, opener }))
    }
}

impl ServerHalf {
    /// The user that step 1 names, not yet proved to be it.
    #[must_use]
    pub fn uid(&self) -> Uid {
        self.uid
    }

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

    /// For who wants to send before its time.
    #[cfg(feature = "faults")]
    pub(crate) fn sealer(&mut self) -> &mut Sealer {
        &mut self.sealer
    }

    /// Checks the header of step 4 (LOGIN-08, LOGIN-17).
    ///
    /// # Errors
    /// Its first offence.
    pub fn check_header(&self, header: &Header) -> Result<(), LoginError> {
        let step = Step::Answer;
        check_common(header, step)?;
        if header.uid != self.uid {
            let error = HeaderError::User { expected: self.uid, got: header.uid };
            return Err(LoginError::Header { step, error });
        }
        Ok(())
    }

    /// Takes step 4, and opens it in place: the user is now proved, and online (LOGIN-07).
    ///
    /// # Errors
    /// What makes the server close (LOGIN-08).
    pub fn response(mut self, frame: &mut [u8]) -> Result<Channel, LoginError> {
        let step = Step::Answer;
        let header = header_of(frame, step)?;
        self.check_header(&header)?;
        let (_, payload) = self.opener.open(frame).map_err(|_| LoginError::Mac { step })?;
        match payload::parse_presence(payload).map_err(|error| LoginError::Payload { step, error })? {
            Presence::Online => Ok(Channel::new(Side::Server, self.uid, self.sealer, self.opener)),
            Presence::Offline => Err(LoginError::Offline { step }),
        }
    }
}
