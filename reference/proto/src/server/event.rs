//! What comes out of the machine: actions to carry out, and events to log.

use thiserror::Error;

use super::{ConnectionId, StoreError};
use crate::crypto::BadMac;
use crate::frame::{FrameType, HeaderError};
use crate::ids::{Sid, Uid};
use crate::login::LoginError;
use crate::payload::PayloadError;

/// What the driver has to do, in the order in which it gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send this frame.
    Send {
        /// Where to.
        to: ConnectionId,
        /// Sealed, whole.
        frame: Vec<u8>,
    },
    /// Send what is queued for it, then FIN (MTP-13), read no more. Since a peer may have stopped reading, the driver gives
    /// the sending a bounded time. The machine has forgotten the connection already.
    Close(ConnectionId),
    /// End it at once: what is queued for it is dropped, its peer does not read (MTP-23).
    Abort(ConnectionId),
}

/// What happened, for a log. Nothing depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A login is complete: the user is online (LOGIN-07).
    LoggedIn {
        /// On which connection.
        connection: ConnectionId,
        /// Who.
        uid: Uid,
    },
    /// A connection ended or was ended.
    Ended {
        /// Which one.
        connection: ConnectionId,
        /// Who was logged in on it, and is offline unless `why` is [`Ending::Replaced`].
        uid: Option<Uid>,
        /// Why.
        why: Ending,
    },
    /// A sid was drawn, and users are invited (INIT-05).
    Invited {
        /// The pending session.
        sid: Sid,
        /// Who invites.
        creator: Uid,
    },
    /// A pending session came to nothing (INIT-10, INIT-13).
    InitFailed {
        /// The retired sid.
        sid: Sid,
    },
    /// A session is live (INIT-09).
    SessionOpened {
        /// Which one.
        sid: Sid,
        /// Who takes part.
        roster: Vec<Uid>,
    },
    /// A session was closed (CLOSE-01).
    SessionClosed {
        /// Which one.
        sid: Sid,
        /// Who did it; [`Uid::SERVER`] for CLOSE-11.
        by: Uid,
    },
    /// A msg_req was accepted.
    MessageAccepted {
        /// Its session.
        sid: Sid,
        /// Who sent it.
        author: Uid,
        /// Its place in the order of all messages (MSG-10).
        number: u64,
    },
    /// A request was answered with an error text (PAY-04, PAY-07).
    Refused {
        /// Whose.
        uid: Uid,
        /// The response's type.
        typ: FrameType,
        /// The response's sid.
        sid: Sid,
        /// The error text.
        text: String,
    },
    /// The store failed. What could be refused was refused.
    StoreFailed(StoreError),
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Ending {
    /// Its peer broke a rule.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// Its peer ended it (MTP-19).
    #[error("ended by the peer")]
    Peer,
    /// Its user said farewell (STAT-03).
    #[error("Offline from the client")]
    Farewell,
    /// Its user logged in anew (LOGIN-09).
    #[error("replaced by a newer login")]
    Replaced,
    /// Its login took too long (LOGIN-10).
    #[error("no login in time")]
    LoginTimeout,
    /// Its user left lines unanswered for too long (MSG-12).
    #[error("lines were not answered in time")]
    AnswerTimeout,
    /// Its client left a probe unanswered for too long (STAT-08).
    #[error("a status_req was not answered in time")]
    StatusTimeout,
    /// The server has used number 65535 on it (MTP-09).
    #[error("all sequence numbers are used up")]
    SequenceUsedUp,
    /// Its peer does not read (MTP-23).
    #[error("too much is queued for it")]
    QueueFull,
    /// There were too many when it came.
    #[error("too many connections")]
    TooManyConnections,
}

/// The rule that a peer broke so that its connection had to be closed (MTP-13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Violation {
    /// A login frame is wrong.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// A header is wrong.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A mac is wrong (MTP-10, MTP-11).
    #[error(transparent)]
    Mac(#[from] BadMac),
    /// A payload breaks its form where no error text is due (PAY-05).
    #[error("{typ}: {error}")]
    Payload {
        /// The frame's type.
        typ: FrameType,
        /// The offence.
        error: PayloadError,
    },
}

impl Violation {
    /// The rule of the specification that was broken.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Login(error) => error.rule(),
            Self::Header(error) => error.rule(),
            Self::Mac(_) => "MTP-11",
            Self::Payload { .. } => "PAY-05",
        }
    }
}
