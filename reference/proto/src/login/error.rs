//! What can be wrong with a login.

use thiserror::Error;

use crate::frame::{FrameType, HeaderError};
use crate::ids::{Sid, Uid};
use crate::payload::PayloadError;

/// One of the four frames of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// 1, client to server: status_req with etk.
    Request,
    /// 2, server to client: status_res with etk.
    Response,
    /// 3, server to client: status_req.
    Probe,
    /// 4, client to server: status_res.
    Answer,
}

/// The first offence of a login frame. Each makes the receiver close the connection, without any answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LoginError {
    /// Its header is wrong as that of any frame can be.
    #[error("step {}: {error}", step.number())]
    Header {
        /// The frame that was due.
        step: Step,
        /// The offence.
        error: HeaderError,
    },
    /// It has another type than is due.
    #[error("step {}: {got} instead of {}", step.number(), step.frame_type())]
    Type {
        /// The frame that was due.
        step: Step,
        /// What came.
        got: FrameType,
    },
    /// Its sid is not 0.
    #[error("step {}: sid {got} instead of 0", step.number())]
    Session {
        /// The frame that was due.
        step: Step,
        /// The sid in it.
        got: Sid,
    },
    /// The uid of a login request is not in the directory.
    #[error("step 1: no user {0} in the directory")]
    UnknownUser(Uid),
    /// Its etk is no ciphertext for the receiver.
    #[error("step {}: the etk does not decrypt", step.number())]
    Etk {
        /// The frame that was due.
        step: Step,
    },
    /// Its etk decrypts to something else than 32 bytes.
    #[error("step {}: the etk holds {len} bytes instead of 32", step.number())]
    EtkLength {
        /// The frame that was due.
        step: Step,
        /// Bytes in the etk.
        len: usize,
    },
    /// Its mac is wrong.
    #[error("step {}: wrong mac", step.number())]
    Mac {
        /// The frame that was due.
        step: Step,
    },
    /// Its payload breaks the form.
    #[error("step {}: {error}", step.number())]
    Payload {
        /// The frame that was due.
        step: Step,
        /// The offence.
        error: PayloadError,
    },
    /// Its payload is `Offline`.
    #[error("step {}: Offline instead of Online", step.number())]
    Offline {
        /// The frame that was due.
        step: Step,
    },
}

impl Step {
    /// Its number in section 4.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Request => 1,
            Self::Response => 2,
            Self::Probe => 3,
            Self::Answer => 4,
        }
    }

    /// The type of its frame.
    #[must_use]
    pub const fn frame_type(self) -> FrameType {
        match self {
            Self::Request | Self::Probe => FrameType::StatusReq,
            Self::Response | Self::Answer => FrameType::StatusRes,
        }
    }

    /// The number of its frame in its direction.
    #[must_use]
    pub const fn sqn(self) -> u16 {
        match self {
            Self::Request | Self::Response => 1,
            Self::Probe | Self::Answer => 2,
        }
    }

    /// Whether its frame ends with an etk.
    #[must_use]
    pub const fn has_etk(self) -> bool {
        matches!(self, Self::Request | Self::Response)
    }
}

impl LoginError {
    /// The frame that was due.
    #[must_use]
    pub fn step(&self) -> Step {
        match *self {
            Self::UnknownUser(_) => Step::Request,
            Self::Header { step, .. }
            | Self::Type { step, .. }
            | Self::Session { step, .. }
            | Self::Etk { step }
            | Self::EtkLength { step, .. }
            | Self::Mac { step }
            | Self::Payload { step, .. }
            | Self::Offline { step } => step,
        }
    }

    /// The rule of the specification that the frame breaks, the most specific one.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        match (self, self.step()) {
            (Self::Header { error: HeaderError::User { .. }, .. }, Step::Response) => "LOGIN-12",
            (Self::Header { error: HeaderError::User { .. }, .. }, Step::Probe) => "LOGIN-17",
            (Self::Header { error, .. }, _) => error.rule(),
            (Self::Type { .. }, Step::Request | Step::Response) => "LOGIN-01",
            (Self::Type { .. }, Step::Probe) => "LOGIN-14",
            (_, Step::Request) => "LOGIN-06",
            (_, Step::Response) => "LOGIN-12",
            (Self::Mac { .. }, _) => "MTP-11",
            (Self::Payload { .. }, Step::Answer) => "PAY-05",
            (_, Step::Answer) => "LOGIN-08",
            (_, Step::Probe) => "LOGIN-17",
        }
    }
}
