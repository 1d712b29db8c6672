//! What the user wants.

use thiserror::Error;

use super::{Identity, Untrusted};
use crate::ids::{Sid, Uid};

/// What a user can ask of its client.
#[derive(Clone, Debug)]
pub enum Command {
    /// Connect and log in.
    Connect {
        /// Where to, in words of who drives the client; it comes out of
        /// [`Client::wants_connection`](super::Client::wants_connection) as it went in.
        address: String,
        /// As whom.
        identity: Box<Identity>,
    },
    /// Create a session.
    Init {
        /// Whom to invite, in this order; the server judges the list (INIT-02).
        invite: Vec<Uid>,
    },
    /// Answer an invitation (INIT-16).
    Answer {
        /// The session.
        sid: Sid,
        /// `Accept` or `Deny`.
        accept: bool,
    },
    /// Send a text to all other participants.
    Send {
        /// The session.
        sid: Sid,
        /// The text, of any length that fits a frame (MSG-16).
        text: String,
    },
    /// Close a session.
    Close {
        /// The session.
        sid: Sid,
    },
    /// Ask for the status of a session, or of the server.
    Status {
        /// The session; [`Sid::NONE`] for the server.
        sid: Sid,
    },
    /// Say `Offline` and disconnect.
    Leave,
    /// No command at all, though the user meant one: it is refused when its turn comes, so that refusals keep their order.
    Unfit {
        /// What the user called it.
        name: String,
        /// Why it is none.
        why: String,
    },
}

impl Command {
    /// `connect`, `init`, `answer`, `send`, `close`, `status` or `leave`; nothing for what is no command.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "connect",
            Self::Init { .. } => "init",
            Self::Answer { .. } => "answer",
            Self::Send { .. } => "send",
            Self::Close { .. } => "close",
            Self::Status { .. } => "status",
            Self::Leave => "leave",
            Self::Unfit { .. } => "",
        }
    }
}

/// Why a client does not carry out a command. No frame that would carry it out was sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// It is no command.
    #[error("{why}")]
    Unfit {
        /// What the user called it.
        name: String,
        /// Why it is none.
        why: String,
    },
    /// There is no connection.
    #[error("not connected")]
    NotConnected,
    /// There is a connection already.
    #[error("already connected")]
    AlreadyConnected,
    /// The user left, or the connection ended, before its turn came.
    #[error("the connection ended before it could be carried out")]
    Ended,
    /// Too many commands wait already.
    #[error("too many commands are waiting")]
    TooManyWaiting,
    /// More users than a frame can name.
    #[error("{0} users do not fit into one frame")]
    TooManyInvited(usize),
    /// There is no invitation to this session, or it lapsed when the connection ended (LOGIN-09).
    #[error("no invitation to session {0}")]
    NotInvited(Sid),
    /// The invitation was answered already (INIT-16).
    #[error("the invitation to session {0} was answered already")]
    Answered(Sid),
    /// The session is closed (CLOSE-10).
    #[error("session {0} is closed")]
    Closed(Sid),
    /// The server tells no roster: the session is not live, or the user is no participant (STAT-05).
    #[error("session {0} is not live, or without this user")]
    NoRoster(Sid),
    /// The roster cannot be trusted (STAT-09).
    #[error("the roster of session {sid} cannot be trusted: {error}")]
    Untrusted {
        /// The session.
        sid: Sid,
        /// What is wrong with it.
        error: Untrusted,
    },
    /// A participant has no public key in the directory.
    #[error("no public key of {0}")]
    NoKey(Uid),
    /// The text does not fit into one frame (MSG-16).
    #[error("a text of {bytes} bytes to {recipients} users does not fit into one frame")]
    TooLong {
        /// Bytes of the text.
        bytes: usize,
        /// Envelopes that would be needed.
        recipients: usize,
    },
}
