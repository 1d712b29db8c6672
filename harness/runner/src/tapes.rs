//! What each case told its target.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A tape for each target that a case had, by the number of the case. Clones share them.
#[derive(Clone, Debug)]
pub struct Tapes<T>(Arc<Mutex<BTreeMap<usize, Vec<T>>>>);

impl<T: Clone + Default> Tapes<T> {
    /// A new one for a target of this case.
    pub(crate) fn of(&self, case: usize) -> T {
        let tape = T::default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(case).or_default().push(tape.clone());
        tape
    }

    /// All of them.
    pub(crate) fn take(&self) -> BTreeMap<usize, Vec<T>> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T> Default for Tapes<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}
