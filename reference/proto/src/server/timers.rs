//! Deadlines: set, cleared, and found in order.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use super::ConnectionId;
use crate::ids::{Sid, Uid};

/// What a deadline is about. At most one a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// LOGIN-10
    Login(ConnectionId),
    /// INIT-08
    Invite(Sid),
    /// MSG-12
    Answer(Uid),
    /// STAT-08: time to probe.
    Probe(ConnectionId),
    /// STAT-08: a probe is outstanding.
    Status(ConnectionId),
}

#[derive(Debug, Default)]
pub(super) struct Timers {
    in_order: BTreeSet<(Duration, Timer)>,
    at: BTreeMap<Timer, Duration>,
}

impl Timers {
    /// Sets a deadline, in place of an earlier one of the same timer.
    pub(super) fn set(&mut self, timer: Timer, at: Duration) {
        if let Some(earlier) = self.at.insert(timer, at) {
            self.in_order.remove(&(earlier, timer));
        }
        self.in_order.insert((at, timer));
    }

    /// Takes a deadline back; says whether there was one.
    pub(super) fn clear(&mut self, timer: Timer) -> bool {
        let at = self.at.remove(&timer);
        at.is_some_and(|at| self.in_order.remove(&(at, timer)))
    }

    pub(super) fn is_set(&self, timer: Timer) -> bool {
        self.at.contains_key(&timer)
    }

    /// When a timer is due.
    #[cfg(feature = "faults")]
    pub(super) fn at(&self, timer: Timer) -> Option<Duration> {
        self.at.get(&timer).copied()
    }

    /// The first deadline.
    pub(super) fn next(&self) -> Option<Duration> {
        self.in_order.first().map(|(at, _)| *at)
    }

    /// Takes the first deadline that `now` has reached; never an early one.
    pub(super) fn pop_due(&mut self, now: Duration) -> Option<Timer> {
        let (at, timer) = *self.in_order.first()?;
        if at > now {
            return None;
        }
        self.clear(timer);
        Some(timer)
    }
}
