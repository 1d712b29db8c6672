//! What can be wrong with a header of a logged-in connection.

use thiserror::Error;

use super::FrameType;
use crate::ids::Uid;

/// The first offence of a header. Each makes the receiver close the connection (MTP-13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// `ver` is this instead of 0100 (MTP-03).
    #[error("version {0:04x} instead of 0100")]
    Version(u16),
    /// `typ` is this, which is none of the ten codes (MTP-04).
    #[error("type {0:04x} is unknown")]
    Type(u16),
    /// `len` is less than the shortest frame has, or not what the frame has (MTP-05).
    #[error("length {len} where at least {least} is needed")]
    Length {
        /// The length that the header states, in bytes.
        len: u16,
        /// The shortest that is possible here, in bytes.
        least: u16,
    },
    /// `sqn` is not the next number (MTP-08), or there is no next one (MTP-09).
    #[error("sequence number {got} instead of {}", .expected.map_or("none, 65535 was used".to_owned(), |sqn| sqn.to_string()))]
    Sequence {
        /// The next number; `None` when 65535 was used.
        expected: Option<u16>,
        /// The number in the header.
        got: u16,
    },
    /// `uid` is not the one that this frame must carry (MTP-14 from a client, MTP-21 from the server).
    #[error("uid {got} instead of {expected}")]
    User {
        /// What it must be.
        expected: Uid,
        /// What it is.
        got: Uid,
    },
    /// `uid` is 0 where a user must be named (MTP-21).
    #[error("uid 0 in {0}, which must name a user")]
    Nobody(FrameType),
    /// The sender's role may not send this type (MTP-15).
    #[error("{0} from a party that may not send it")]
    Direction(FrameType),
}

impl HeaderError {
    /// The rule of the specification that the header breaks.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Version(_) => "MTP-03",
            Self::Type(_) => "MTP-04",
            Self::Length { .. } => "MTP-05",
            Self::Sequence { expected: Some(_), .. } => "MTP-08",
            Self::Sequence { expected: None, .. } => "MTP-09",
            Self::User { expected: Uid::SERVER, .. } | Self::Nobody(_) => "MTP-21",
            Self::User { .. } => "MTP-14",
            Self::Direction(_) => "MTP-15",
        }
    }
}
