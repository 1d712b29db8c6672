//! Why the client closes on the server.

use thiserror::Error;

use crate::frame::{FrameType, HeaderError};
use crate::ids::Sid;
use crate::login::LoginError;
use crate::payload::PayloadError;

/// A frame of the server that has no effect, gets no answer, and ends the connection (MTP-13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Violation {
    /// A login frame is wrong (LOGIN-12, LOGIN-14, LOGIN-17).
    #[error(transparent)]
    Login(#[from] LoginError),
    /// A header is wrong.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A mac is wrong (MTP-11).
    #[error("{0}: wrong mac")]
    Mac(FrameType),
    /// A payload breaks its form (PAY-05).
    #[error("{typ}: {error}")]
    Payload {
        /// The frame's type.
        typ: FrameType,
        /// The offence.
        error: PayloadError,
    },
    /// The sid is 0 where a session must be named, or names one where it must be 0 (PAY-05).
    #[error("{typ}: sid {sid}")]
    Session {
        /// The frame's type.
        typ: FrameType,
        /// The sid in it.
        sid: Sid,
    },
}

impl Violation {
    /// The rule of the specification that the frame breaks.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Login(error) => error.rule(),
            Self::Header(error) => error.rule(),
            Self::Mac(_) => "MTP-11",
            Self::Payload { .. } | Self::Session { .. } => "PAY-05",
        }
    }
}
