//! What a restart should not make the server forget.

use super::super::machine::Server;
use super::super::{MemoryStore, Restored, Store, StoreError, StoredLine};
use super::Quirk;
use crate::ids::{Sid, Uid};

/// A store that forgets something.
struct Forgetful {
    fault: Quirk,
    inner: Box<dyn Store + Send>,
}

impl Server {
    /// Puts a forgetful store in the place of the right one, and reads it again.
    pub(super) fn break_store(&mut self, fault: Quirk) -> Result<(), StoreError> {
        if !matches!(
            fault,
            Quirk::ForgetsOnRestart
                | Quirk::ForgetsAfterRestart
                | Quirk::ReopenedByRestart
                | Quirk::RestoredBySession
                | Quirk::AnsweredNotRecorded
        ) {
            return Ok(());
        }
        let inner = core::mem::replace(&mut self.store, Box::new(MemoryStore::new()));
        self.store = Box::new(Forgetful { fault, inner });
        let restored = self.store.load()?;
        self.sessions = restored.sessions.into_iter().map(|session| (session.sid, session.roster.into())).collect();
        self.mailboxes.clear();
        self.stored = super::super::mailbox::Stored::default();
        restored.lines.into_iter().for_each(|line| self.put_into_mailbox(line));
        Ok(())
    }
}

impl Store for Forgetful {
    fn load(&mut self) -> Result<Restored, StoreError> {
        let mut restored = self.inner.load()?;
        if matches!(self.fault, Quirk::ForgetsOnRestart | Quirk::ForgetsAfterRestart) {
            return Ok(Restored { sessions: Vec::new(), lines: Vec::new(), ..restored });
        }
        if self.fault == Quirk::RestoredBySession {
            let mut numbers: Vec<u64> = restored.lines.iter().map(|line| line.number).collect();
            numbers.sort_unstable();
            restored.lines.sort_by_key(|line| (line.sid, line.number));
            restored.lines.iter_mut().zip(numbers).for_each(|(line, number)| line.number = number);
        }
        Ok(restored)
    }

    fn reserve(&mut self, sid: Sid) -> Result<bool, StoreError> {
        self.inner.reserve(sid)
    }

    fn open(&mut self, sid: Sid, roster: &[Uid]) -> Result<(), StoreError> {
        self.inner.open(sid, roster)
    }

    fn close(&mut self, sid: Sid) -> Result<(), StoreError> {
        if self.fault == Quirk::ReopenedByRestart { Ok(()) } else { self.inner.close(sid) }
    }

    fn accept(&mut self, lines: &[StoredLine]) -> Result<(), StoreError> {
        self.inner.accept(lines)
    }

    fn answered(&mut self, sid: Sid, number: u64, recipient: Uid) -> Result<(), StoreError> {
        if self.fault == Quirk::AnsweredNotRecorded { Ok(()) } else { self.inner.answered(sid, number, recipient) }
    }
}
