//! What a run remembers across its cases: the checks that no single case can make.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use mpchat_proto::ids::Sid;

/// Shared by all cases of a run.
#[derive(Debug, Default)]
pub(crate) struct RunMemory {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Sids that each instance gave out, and in which case (INIT-03).
    sids: HashMap<(usize, Sid), String>,
    /// Sids of sessions that an earlier case or run left behind: what is heard of them does not count.
    leftovers: HashSet<Sid>,
    /// Digests of the server's key shares (LOGIN-05).
    shares: HashSet<[u8; 32]>,
}

impl RunMemory {
    /// Notes a sid that instance `instance` gave out in case `case`; the case that had it before, if there is one.
    pub(crate) fn give_out(&self, instance: usize, sid: Sid, case: &str) -> Option<String> {
        self.with(|inner| inner.sids.insert((instance, sid), case.to_owned()))
    }

    /// Marks a session as left behind.
    pub(crate) fn leave_behind(&self, sid: Sid) {
        self.with(|inner| inner.leftovers.insert(sid));
    }

    /// Whether a session was left behind.
    pub(crate) fn is_left_behind(&self, sid: Sid) -> bool {
        self.with(|inner| inner.leftovers.contains(&sid))
    }

    /// Notes a key share; false if it was seen before.
    pub(crate) fn fresh_share(&self, digest: [u8; 32]) -> bool {
        self.with(|inner| inner.shares.insert(digest))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        // A case that panicked while it held the lock left whole entries behind: each act is one insertion or look-up.
        let mut inner = self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        act(&mut inner)
    }
}
