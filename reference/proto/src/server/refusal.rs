//! Error texts: each is one line of at most 256 bytes (PAY-03).

use thiserror::Error;

use super::StoreError;
use super::connection::Sender;
use super::event::Event;
use super::machine::Server;
use crate::frame::FrameType;
use crate::ids::{Sid, Uid};
use crate::payload::{PayloadError, Response};

/// Why a request is answered with an error text and changes nothing (PAY-04, PAY-07).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum Refusal {
    /// One text for a session that is unknown, pending, closed or somebody else's (CLOSE-08, CLOSE-09, MSG-05).
    #[error("you take part in no such session")]
    NoSession,
    #[error("malformed payload: {0}")]
    Payload(#[from] PayloadError),
    #[error("init_req must have sid 0")]
    Sid,
    #[error("nobody is invited")]
    Nobody,
    #[error("{0} users are invited, 121 are possible")]
    TooMany(usize),
    #[error("{0} is invited twice")]
    Twice(Uid),
    #[error("you cannot invite yourself")]
    Yourself,
    #[error("there is no user {0}")]
    UnknownUser(Uid),
    #[error("nobody accepted")]
    NobodyAccepted,
    #[error("{got} lines for {others} other participants")]
    Lines { others: usize, got: usize },
    #[error("a recipient could not read it")]
    Unreadable,
    #[error("the session was closed")]
    Closed,
    #[error("too many init_req are waiting")]
    Waiting,
    #[error("too many sessions")]
    Sessions,
    #[error("too many lines are stored")]
    Stored,
    #[error("the server cannot store this")]
    Store,
}

impl Server {
    /// Answers with an error text (PAY-03).
    pub(super) fn refuse(&mut self, to: Sender, typ: FrameType, sid: Sid, refusal: Refusal) {
        let response = Response::error(&refusal.to_string());
        self.event(Event::Refused { uid: to.uid, typ, sid, text: refusal.to_string() });
        self.send(to.id, typ, sid, Uid::SERVER, response.as_bytes());
    }

    /// A failure of the store as a refusal (PAY-07). Its cause is for the log: peers learn nothing of the disk.
    pub(super) fn store_failed(&mut self, error: StoreError) -> Refusal {
        self.event(Event::StoreFailed(error));
        Refusal::Store
    }
}
