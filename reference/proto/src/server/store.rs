//! What must outlive a restart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use thiserror::Error;

use crate::frame::MAX_PAYLOAD;
use crate::ids::{Sid, Uid};

/// Where the server keeps what must outlive a restart: sids given out (INIT-03, CLOSE-04), live sessions, and lines
/// without an answer (MSG-08, MSG-19).
///
/// A method that returns `Ok` has made the change last, since frames that depend on it leave afterwards: nobody may learn
/// of a sid, a session or an `OK` that a crash takes back. One that returns an error has changed nothing.
pub trait Store {
    /// Everything that was kept. Called once, first.
    ///
    /// # Errors
    /// If it cannot be read: the server does not start.
    fn load(&mut self) -> Result<Restored, StoreError>;

    /// Notes that a sid is given out; `false` if it ever was before (INIT-03).
    ///
    /// # Errors
    /// The init_req is refused.
    fn reserve(&mut self, sid: Sid) -> Result<bool, StoreError>;

    /// A reserved sid becomes a live session with this roster (INIT-09).
    ///
    /// # Errors
    /// The init_req fails, and those who accepted hear that the session is closed (CLOSE-11).
    fn open(&mut self, sid: Sid, roster: &[Uid]) -> Result<(), StoreError>;

    /// A live session is closed: it and its lines go (CLOSE-03), its sid stays given out (CLOSE-04).
    ///
    /// # Errors
    /// The close_req is answered with an error text, and the session stays live.
    fn close(&mut self, sid: Sid) -> Result<(), StoreError>;

    /// Keeps the lines of one msg_req, all or none.
    ///
    /// # Errors
    /// The msg_req is refused.
    fn accept(&mut self, lines: &[StoredLine]) -> Result<(), StoreError>;

    /// A recipient has answered a line: it is not needed any more (MSG-17). This one need not last at once: a line that a
    /// crash brings back is sent again, and its client knows it (MSG-18).
    ///
    /// # Errors
    /// Are only reported; the line may come back after a restart.
    fn answered(&mut self, sid: Sid, number: u64, recipient: Uid) -> Result<(), StoreError>;
}

/// One line for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLine {
    /// The place of its msg_req in the order of all that were accepted (MSG-10); with `recipient` its key.
    pub number: u64,
    /// Its session.
    pub sid: Sid,
    /// Who sent it.
    pub author: Uid,
    /// Whom it is for.
    pub recipient: Uid,
    /// The line, without LF.
    pub text: Arc<str>,
}

/// A live session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    /// Its number.
    pub sid: Sid,
    /// The creator, then those who accepted, in the order in which they were named.
    pub roster: Vec<Uid>,
}

/// What a store has kept, in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// The live sessions.
    pub sessions: Vec<StoredSession>,
    /// The lines without an answer.
    pub lines: Vec<StoredLine>,
    /// More than any number that [`Store::accept`] ever got, so that numbers grow for ever; 0 in a new store.
    pub next_number: u64,
}

/// What can go wrong with a store.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// There is no room.
    #[error("the store is full")]
    Full,
    /// What was read cannot have been written by a server.
    #[error("the store holds nonsense: {0}")]
    Corrupt(String),
    /// Reading or writing failed.
    #[error("the store failed: {0}")]
    Io(String),
}

impl Restored {
    /// Refuses what would break an invariant of the machine: the store may have been written by anybody.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] names the first session or line that no server can have written.
    pub fn check(&self) -> Result<(), StoreError> {
        let mut rosters = BTreeMap::new();
        for StoredSession { sid, roster } in &self.sessions {
            let distinct: BTreeSet<Uid> = roster.iter().copied().collect();
            if *sid == Sid::NONE || distinct.len() < 2 || distinct.len() != roster.len() {
                return Err(StoreError::Corrupt(format!("session {sid} with a roster of {}", roster.len())));
            }
            rosters.insert(*sid, distinct);
        }
        for StoredLine { number, sid, author, recipient, text } in &self.lines {
            let known = rosters.get(sid).is_some_and(|roster| roster.contains(author) && roster.contains(recipient));
            let fits = !text.is_empty() && !text.contains('\n') && text.len() < MAX_PAYLOAD;
            if !known || author == recipient || !fits || *number >= self.next_number {
                return Err(StoreError::Corrupt(format!("line {number} for {recipient} in session {sid}")));
            }
        }
        Ok(())
    }
}
