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

    /// Takes out of the machine what was taken out of the one before when it had done `as_before`.
    fn came(&mut self, as_before: &Self::Came) -> Self::Came;
}

/// One thing that a machine was told.
struct Beat<M: Told> {
    now: Duration,
    what: M::What,
    came: M::Came,
}

/// All that one machine was told, in its order; grows while it runs. Clones share it.
pub(crate) struct Reel<M: Told>(Arc<Mutex<Vec<Beat<M>>>>);

impl<M: Told> Reel<M> {
    pub(crate) fn told(&self, now: Duration, what: M::What, came: M::Came) {
        self.beats().push(Beat { now, what, came });
    }

    /// Adds to what came of the last thing that it was told.
    pub(crate) fn came(&self, add: impl FnOnce(&mut M::Came)) {
        if let Some(beat) = self.beats().last_mut() {
            add(&mut beat.came);
        }
    }

    /// Whether a machine does something else than the one before did when it is told the same.
    pub(crate) fn differs(&self, mut machine: M) -> bool {
        self.beats().iter().any(|beat| {
            machine.tell(beat.now, &beat.what);
            machine.came(&beat.came) != beat.came
        })
    }

    fn beats(&self) -> MutexGuard<'_, Vec<Beat<M>>> {
        // Nothing is left half noted.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: Told> Default for Reel<M> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<M: Told> Clone for Reel<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
