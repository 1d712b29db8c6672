//! What a run remembers across its cases: the checks that no single case can make.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Mutex;

use mpchat_proto::ids::Sid;

/// Two sids that are not further apart are not drawn at random (INIT-04).
const CLOSE: u64 = 1 << 10;

/// Shared by all cases of a run.
#[derive(Debug, Default)]
pub(crate) struct RunMemory {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Sids that each instance gave out, and in which case (INIT-03).
    sids: HashMap<(usize, Sid), String>,
    /// The same, in order (INIT-04).
    in_order: HashMap<usize, BTreeSet<Sid>>,
    /// Sids of sessions that an earlier case or run left behind: what is heard of them does not count.
    leftovers: HashSet<(usize, Sid)>,
    /// Key shares of both sides and keys of envelopes, in pieces of 8 bytes (LOGIN-05, MSG-15).
    secrets: HashSet<[u8; 8]>,
}

impl RunMemory {
    /// Another sid of the instance that is so close that sids are counted, not drawn: among some thousand
    /// random ones, two are so close once in a billion runs.
    pub(crate) fn neighbour(&self, instance: usize, sid: Sid) -> Option<Sid> {
        self.with(|inner| {
            let near = Sid(sid.0.saturating_sub(CLOSE))..=Sid(sid.0.saturating_add(CLOSE));
            inner.in_order.get(&instance)?.range(near).copied().find(|other| *other != sid)
        })
    }

    /// Notes a sid that instance `instance` gave out in case `case`; the case that had it before, if there is one.
    pub(crate) fn give_out(&self, instance: usize, sid: Sid, case: &str) -> Option<String> {
        self.with(|inner| {
            inner.in_order.entry(instance).or_default().insert(sid);
            inner.sids.insert((instance, sid), case.to_owned())
        })
    }

    /// Whether the instance gave a sid out in this run.
    pub(crate) fn was_given_out(&self, instance: usize, sid: Sid) -> bool {
        self.with(|inner| inner.sids.contains_key(&(instance, sid)))
    }

    /// Marks a session as left behind.
    pub(crate) fn leave_behind(&self, instance: usize, sid: Sid) {
        self.with(|inner| inner.leftovers.insert((instance, sid)));
    }

    /// Whether a session was left behind.
    pub(crate) fn is_left_behind(&self, instance: usize, sid: Sid) -> bool {
        self.with(|inner| inner.leftovers.contains(&(instance, sid)))
    }

    /// Notes a key share, the key of an envelope or of frames. Told is what shows that it is not random: it, or 8 bytes of
    /// it, were in one before, whoever made that (two random ones have as much in common once in a billion runs), or all of it
    /// is readable (of random ones, one in 10^13).
    pub(crate) fn why_not_fresh(&self, secret: &[u8]) -> Option<&'static str> {
        let (pieces, _) = secret.as_chunks::<8>();
        // All are noted, whatever the first of them says.
        let known = self.with(|inner| pieces.iter().filter(|piece| !inner.secrets.insert(**piece)).count());
        match known {
            0 if secret.iter().all(|byte| matches!(byte, b' '..=b'~')) => Some("that is readable text from end to end"),
            0 => None,
            _ => Some("of which 8 bytes or more were in a key before"),
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        // A case that panicked while it held the lock left whole entries behind: each act is one insertion or look-up.
        let mut inner = self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        act(&mut inner)
    }
}
