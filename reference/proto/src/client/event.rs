//! What the user is told.

use thiserror::Error;

use super::{Refusal, Violation};
use crate::ids::{Sid, Uid};
use crate::payload::{Presence, Response};

/// Something that the user should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Step 4 of the login was sent.
    Online,
    /// An invitation arrived.
    Invited {
        /// The session.
        sid: Sid,
        /// Who invites.
        from: Uid,
    },
    /// The oldest unanswered [`Init`](super::Command::Init) was answered.
    Init {
        /// The new session; as the frame has it, if it failed.
        sid: Sid,
        /// What became of it.
        result: Response,
    },
    /// A text was received and opened (MSG-14).
    Message {
        /// The session.
        sid: Sid,
        /// The author.
        from: Uid,
        /// The text.
        text: String,
    },
    /// The oldest unanswered text of this session was answered.
    Sent {
        /// The session.
        sid: Sid,
        /// What became of it.
        result: Response,
    },
    /// The oldest unanswered [`Close`](super::Command::Close) of this session was answered.
    Close {
        /// The session.
        sid: Sid,
        /// What became of it.
        result: Response,
    },
    /// Somebody else closed the session, or its init or the invitation ended (CLOSE-05, INIT-13, INIT-17).
    Closed {
        /// The session.
        sid: Sid,
        /// Who; [`Uid::SERVER`] if the server did (CLOSE-11).
        by: Uid,
    },
    /// The answer to a [`Status`](super::Command::Status) is complete.
    Status {
        /// The session; [`Sid::NONE`] for the server.
        sid: Sid,
        /// `Online` if the session is live and the user takes part (STAT-04, STAT-05).
        state: Presence,
        /// Its participants in roster order. Empty for the server.
        members: Vec<(Uid, Presence)>,
    },
    /// A command was refused.
    Refused {
        /// [`Command::name`](super::Command::name).
        command: &'static str,
        /// Why.
        error: Refusal,
    },
    /// The connection has ended, and with it everything that waited for an answer.
    Disconnected {
        /// Why.
        end: End,
        /// Whether the client logs in anew by itself: after its own number 65535, and only then (MTP-09, LOGIN-15).
        anew: bool,
    },
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum End {
    /// The user left.
    #[error("the user left")]
    Left,
    /// The server closed it.
    #[error("the server closed the connection")]
    ByServer,
    /// It could not be opened, or broke.
    #[error("{0}")]
    Failed(String),
    /// The login took too long (LOGIN-16).
    #[error("the login was not complete in time")]
    LoginTimeout,
    /// The server broke a rule (MTP-13).
    #[error("{error} [{}]", error.rule())]
    Violation {
        /// How.
        error: Violation,
    },
    /// All sequence numbers were used (MTP-09), whoever then closed it.
    #[error("all sequence numbers were used: logging in anew")]
    Spent,
}
