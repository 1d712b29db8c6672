//! One end of a connection whose login is complete.

use thiserror::Error;

use crate::crypto::BadMac;
use crate::frame::{FrameType, Header, HeaderError, MAX_PAYLOAD, MIN_LEN, VERSION};
use crate::ids::{Sid, Uid};
use crate::keys::{FrameCipher, Opener, Sealer};

/// Whose end it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The client's: it receives what the server sends.
    Client,
    /// The server's: it receives what one client sends.
    Server,
}

/// Number 65535 was used: nothing more can be sent on this connection (MTP-09).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("all sequence numbers of this connection are used up")]
pub struct Exhausted;

/// One end of a logged-in connection: it numbers and seals what is sent, and checks and opens what is received.
///
/// A received frame goes through [`check_header`](Self::check_header) as soon as its header is there, and through
/// [`open`](Self::open) once it is whole. Payloads are the caller's to judge.
#[derive(Debug)]
pub struct Channel {
    /// The logged-in user, at both ends.
    pub uid: Uid,
    side: Side,
    sealer: Sealer,
    opener: Opener,
}

impl Channel {
    /// From what a login yields; [`super::ClientHalf::request`] and [`super::ServerHalf::response`] do it.
    #[must_use]
    pub fn new(side: Side, uid: Uid, sealer: Sealer, opener: Opener) -> Self {
        Self { uid, side, sealer, opener }
    }

    /// Whose end it is.
    #[must_use]
    pub fn side(&self) -> Side {
        self.side
    }

    /// The next frame to send (MTP-07). `uid` is the client's own, or what MTP-21 says.
    ///
    /// # Errors
    /// [`Exhausted`] once 65535 was used (MTP-09).
    ///
    /// # Panics
    /// If `payload` has more than [`MAX_PAYLOAD`] bytes: whoever takes payloads from outside checks before (MSG-16).
    pub fn seal(&mut self, typ: FrameType, sid: Sid, uid: Uid, payload: &[u8]) -> Result<Vec<u8>, Exhausted> {
        assert!(payload.len() <= MAX_PAYLOAD, "a payload of {} bytes fits no frame", payload.len());
        let sqn = self.sealer.take().ok_or(Exhausted)?;
        let header = Header::for_payload(typ, sqn, sid, uid, payload.len(), false);
        Ok(self.sealer.cipher().seal(&header, payload, None))
    }

    /// The number of the next frame to send; `None` once 65535 was used.
    #[must_use]
    pub fn next_out(&self) -> Option<u16> {
        self.sealer.next()
    }

    /// The number of the last frame that was accepted.
    #[must_use]
    pub fn last_in(&self) -> u16 {
        self.opener.last()
    }

    /// Checks a received header: `ver`, `typ`, `len`, `sqn`, `uid`, direction, in this order.
    ///
    /// # Errors
    /// The first offence (MTP-03, MTP-04, MTP-05, MTP-08, MTP-09, MTP-14, MTP-15, MTP-21).
    pub fn check_header(&self, header: &Header) -> Result<(), HeaderError> {
        if header.ver != VERSION {
            return Err(HeaderError::Version(header.ver));
        }
        let typ = header.kind().ok_or(HeaderError::Type(header.typ))?;
        if usize::from(header.len) < MIN_LEN {
            return Err(HeaderError::Length { len: header.len, least: MIN_LEN as u16 });
        }
        let expected = self.opener.expected();
        if expected != Some(header.sqn) {
            return Err(HeaderError::Sequence { expected, got: header.sqn });
        }
        self.check_uid(typ, header.uid)?;
        let allowed = match self.side {
            Side::Client => typ.from_server(),
            Side::Server => typ.from_client(),
        };
        if allowed { Ok(()) } else { Err(HeaderError::Direction(typ)) }
    }

    /// Opens a whole frame in place; if its mac fits, its number counts as accepted.
    ///
    /// # Errors
    /// [`BadMac`].
    pub fn open<'f>(&mut self, frame: &'f mut [u8]) -> Result<(Header, &'f [u8]), BadMac> {
        self.opener.open(frame)
    }

    /// The bare cipher of what is sent, for frames with a flaw.
    #[must_use]
    pub fn cipher_out(&self) -> &FrameCipher {
        self.sealer.cipher()
    }

    /// The bare cipher of what is received.
    #[must_use]
    pub fn cipher_in(&self) -> &FrameCipher {
        self.opener.cipher()
    }

    /// Goes on with another number, for who wants to misbehave: a number that is used twice with different content gives
    /// the key stream away. `None` means that none is left.
    pub fn set_next_out(&mut self, next: Option<u16>) {
        self.sealer.set_next(next);
    }

    /// Counts `sqn` as used, by a frame that was sealed with [`cipher_out`](Self::cipher_out).
    pub fn skip_out(&mut self, sqn: u16) {
        self.sealer.set_next(sqn.checked_add(1));
    }

    /// Counts `sqn` as the last one that was accepted, for who wants to misbehave.
    #[cfg(feature = "faults")]
    pub(crate) fn accept_number(&mut self, sqn: u16) {
        self.opener.accept_number(sqn);
    }

    /// MTP-14 at the server, MTP-21 at the client.
    fn check_uid(&self, typ: FrameType, got: Uid) -> Result<(), HeaderError> {
        match (self.side, typ) {
            (Side::Server, _) if got != self.uid => Err(HeaderError::User { expected: self.uid, got }),
            (Side::Client, FrameType::InviteReq | FrameType::MsgReq) if got == Uid::SERVER => {
                Err(HeaderError::Nobody(typ))
            }
            (Side::Client, FrameType::InitRes | FrameType::MsgRes | FrameType::StatusReq) if got != Uid::SERVER => {
                Err(HeaderError::User { expected: Uid::SERVER, got })
            }
            _ => Ok(()),
        }
    }
}
