//! What a machine was told and what came of it, so that another can be told the same.
//!
//! A machine that breaks a rule does so in few conversations; in all others it says what a right one says. Which ones these
//! are can be told without having the conversation again: it is told what the right one was told, by the same clock and with
//! the same random numbers. Where the same comes of it, byte by byte, its peers had no occasion to do anything else either.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A machine that can be told what is on a tape.
pub(crate) trait Told: Sized {
    /// What it is told.
    type What;
    /// What comes of it.
    type Came: PartialEq;

    fn tell(&mut self, now: Duration, what: &Self::What);

    /// What has come of it, as far as it can be seen without taking anything out.
    fn seen(&self) -> Self::Came;

    /// Takes out of the machine what was taken out of the one before when it had done `as_before`.
    fn came(&mut self, as_before: &Self::Came) -> Self::Came;
}

/// A list that grows. Clones share it.
pub(crate) struct Log<T>(Arc<Mutex<Vec<T>>>);

impl<T> Log<T> {
    pub(crate) fn push(&self, entry: T) {
        self.entries().push(entry);
    }

    pub(crate) fn any(&self, is: impl FnMut(&T) -> bool) -> bool {
        self.entries().iter().any(is)
    }

    fn entries(&self) -> MutexGuard<'_, Vec<T>> {
        // No entry is left half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// One thing that a machine was told.
pub(crate) struct Beat<M: Told> {
    now: Duration,
    what: M::What,
    came: M::Came,
}

/// All that one machine was told, in its order.
pub(crate) type Reel<M> = Log<Beat<M>>;

impl<M: Told> Reel<M> {
    /// Whether a machine does something else than the one before did when it is told the same.
    pub(crate) fn differs(&self, mut machine: M) -> bool {
        self.any(|beat| {
            machine.tell(beat.now, &beat.what);
            machine.came(&beat.came) != beat.came
        })
    }
}

/// A machine as its shell drives it, noted on a reel if there is one.
pub(crate) struct Recorded<M: Told> {
    pub(crate) machine: M,
    pub(crate) reel: Option<Reel<M>>,
}

impl<M: Told> Recorded<M> {
    /// The machine was told something.
    pub(crate) fn note(&self, now: Duration, what: impl FnOnce() -> M::What) {
        if let Some(reel) = &self.reel {
            reel.push(Beat { now, what: what(), came: self.machine.seen() });
        }
    }

    /// Something was taken out of it.
    pub(crate) fn took(&self, add: impl FnOnce(&mut M::Came)) {
        if let Some(reel) = &self.reel
            && let Some(beat) = reel.entries().last_mut()
        {
            add(&mut beat.came);
        }
    }
}
