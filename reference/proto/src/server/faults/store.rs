//! What a restart should not make the server forget.

use std::collections::BTreeMap;

use super::super::machine::Server;
use super::super::{MemoryStore, Restored, Store, StoreError, StoredLine};
use super::Quirk;
use crate::ids::{Sid, Uid};

/// A store that forgets something.
struct Forgetful {
    fault: Quirk,
    inner: Box<dyn Store + Send>,
    /// The lines that each user has not answered, by number.
    unanswered: BTreeMap<Uid, BTreeMap<u64, Sid>>,
    /// Answers that are recorded only when there is nothing older any more.
    ahead: Vec<(Sid, u64, Uid)>,
}

impl Server {
    /// Puts a forgetful store in the place of the right one, and reads it again.
    pub(super) fn break_store(&mut self, fault: Quirk) -> Result<(), StoreError> {
        self.broken.restored_up_to = self.next_message;
        if !matches!(
            fault,
            Quirk::ForgetsOnRestart
                | Quirk::ForgetsAfterRestart
                | Quirk::ReopenedByRestart
                | Quirk::RestoredBySession
                | Quirk::AnsweredNotRecorded
                | Quirk::AnsweredAheadComesAgain
                | Quirk::AnsweredTakesOlder
        ) {
            return Ok(());
        }
        let inner = core::mem::replace(&mut self.store, Box::new(MemoryStore::new()));
        self.store = Box::new(Forgetful { fault, inner, unanswered: BTreeMap::new(), ahead: Vec::new() });
        let restored = self.store.load()?;
        self.sessions = restored.sessions.into_iter().map(|session| (session.sid, session.roster.into())).collect();
        self.mailboxes.clear();
        self.stored = super::super::mailbox::Stored::default();
        restored.lines.into_iter().for_each(|line| self.put_into_mailbox(line));
        Ok(())
    }
}

impl Forgetful {
    fn note(&mut self, line: &StoredLine) {
        self.unanswered.entry(line.recipient).or_default().insert(line.number, line.sid);
    }

    /// Records what was answered, but nothing ahead of an older line.
    fn record_in_order(&mut self, recipient: Uid) -> Result<(), StoreError> {
        let oldest = self.unanswered.get(&recipient).and_then(|lines| lines.keys().next().copied());
        let is_due = |answer: &(Sid, u64, Uid)| answer.2 == recipient && oldest.is_none_or(|oldest| answer.1 < oldest);
        let (due, ahead): (Vec<_>, Vec<_>) = self.ahead.drain(..).partition(is_due);
        self.ahead = ahead;
        due.into_iter().try_for_each(|(sid, number, recipient)| self.inner.answered(sid, number, recipient))
    }
}

impl Store for Forgetful {
    fn load(&mut self) -> Result<Restored, StoreError> {
        let mut restored = self.inner.load()?;
        restored.lines.iter().for_each(|line| self.note(line));
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
        self.unanswered.values_mut().for_each(|lines| lines.retain(|_, of| *of != sid));
        if self.fault == Quirk::ReopenedByRestart { Ok(()) } else { self.inner.close(sid) }
    }

    fn accept(&mut self, lines: &[StoredLine]) -> Result<(), StoreError> {
        lines.iter().for_each(|line| self.note(line));
        self.inner.accept(lines)
    }

    fn answered(&mut self, sid: Sid, number: u64, recipient: Uid) -> Result<(), StoreError> {
        let lines = self.unanswered.entry(recipient).or_default();
        lines.remove(&number);
        match self.fault {
            Quirk::AnsweredNotRecorded => return Ok(()),
            Quirk::AnsweredAheadComesAgain => {
                self.ahead.push((sid, number, recipient));
                return self.record_in_order(recipient);
            }
            Quirk::AnsweredTakesOlder => {
                for (older, of) in lines.range(..number) {
                    self.inner.answered(*of, *older, recipient)?;
                }
            }
            _ => {}
        }
        self.inner.answered(sid, number, recipient)
    }
}
