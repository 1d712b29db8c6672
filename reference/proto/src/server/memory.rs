//! A store that lasts as long as the process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Restored, Store, StoreError, StoredLine, StoredSession};
use crate::ids::{Sid, Uid};

/// Keeps everything in memory. Clones share it, so that a test can restart a server on what its predecessor left.
///
/// It holds at most [`MemoryStore::MAX_SIDS`] sids, given out in its whole life; then it is full.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    given_out: BTreeSet<Sid>,
    sessions: BTreeMap<Sid, Vec<Uid>>,
    lines: BTreeMap<Sid, BTreeMap<(u64, Uid), StoredLine>>,
    next_number: u64,
}

impl MemoryStore {
    /// The most sids that it remembers.
    pub const MAX_SIDS: usize = 1 << 22;

    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // No method leaves it half changed, so what a panic elsewhere left behind is sound.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn load(&mut self) -> Result<Restored, StoreError> {
        let kept = self.kept();
        let session = |(sid, roster): (&Sid, &Vec<Uid>)| StoredSession { sid: *sid, roster: roster.clone() };
        Ok(Restored {
            sessions: kept.sessions.iter().map(session).collect(),
            lines: kept.lines.values().flat_map(BTreeMap::values).cloned().collect(),
            next_number: kept.next_number,
        })
    }

    fn reserve(&mut self, sid: Sid) -> Result<bool, StoreError> {
        let mut kept = self.kept();
        if kept.given_out.len() >= Self::MAX_SIDS {
            return Err(StoreError::Full);
        }
        Ok(kept.given_out.insert(sid))
    }

    fn open(&mut self, sid: Sid, roster: &[Uid]) -> Result<(), StoreError> {
        self.kept().sessions.insert(sid, roster.to_vec());
        Ok(())
    }

    fn close(&mut self, sid: Sid) -> Result<(), StoreError> {
        let mut kept = self.kept();
        kept.sessions.remove(&sid);
        kept.lines.remove(&sid);
        Ok(())
    }

    fn accept(&mut self, lines: &[StoredLine]) -> Result<(), StoreError> {
        let mut kept = self.kept();
        for line in lines {
            kept.next_number = kept.next_number.max(line.number.saturating_add(1));
            kept.lines.entry(line.sid).or_default().insert((line.number, line.recipient), line.clone());
        }
        Ok(())
    }

    fn answered(&mut self, sid: Sid, number: u64, recipient: Uid) -> Result<(), StoreError> {
        if let Some(lines) = self.kept().lines.get_mut(&sid) {
            lines.remove(&(number, recipient));
        }
        Ok(())
    }
}
