//! Moments in which the harness itself stood still: on a busy machine whoever comes too late for a timer may be the harness.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::stop::Stop;

/// How often the harness looks whether it still moves.
const BEAT: Duration = Duration::from_millis(10);

/// Shorter ones disturb no timer, however short.
const SHORTEST: Duration = Duration::from_millis(30);

/// Shorter ones are what any timer is late by; what is longer adds up.
const COUNTED: Duration = Duration::from_millis(5);

/// How many times what is bearable at once is bearable in all; or, of a long case, which part of it.
const BEARABLE_IN_ALL: u32 = 2;
const BEARABLE_PART: u32 = 20;

/// How many are remembered; the oldest go first.
const REMEMBERED: usize = 4096;

/// The stalls of a run: when each ended, and how long it was.
#[derive(Debug, Default)]
pub(crate) struct Stalls(Mutex<VecDeque<(Instant, Duration)>>);

impl Stalls {
    /// Begins to watch, as long as the returned stalls are held.
    pub(crate) fn watch() -> Arc<Self> {
        let stalls = Arc::new(Self::default());
        let watched = Arc::downgrade(&stalls);
        tokio::spawn(async move {
            let mut last = Instant::now();
            loop {
                tokio::time::sleep(BEAT).await;
                let Some(stalls) = watched.upgrade() else { return };
                let late = last.elapsed().saturating_sub(BEAT);
                last = Instant::now();
                if late >= COUNTED {
                    stalls.note(last, late);
                }
            }
        });
        stalls
    }

    fn note(&self, when: Instant, length: Duration) {
        let mut stalls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if stalls.len() == REMEMBERED {
            stalls.pop_front();
        }
        stalls.push_back((when, length));
    }

    /// Those that ended since then: the longest, and all together.
    fn since(&self, since: Instant) -> (Duration, Duration) {
        let stalls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lengths = stalls.iter().filter(|(when, _)| *when >= since).map(|(_, length)| *length);
        lengths.fold(Default::default(), |(longest, all), length| (length.max(longest), all + length))
    }

    /// A failure proves nothing if the harness stood still for `bearable` or longer while the case was played, or for
    /// some shorter times that add up: each step of a case waits for its turn.
    pub(crate) fn excuse(&self, began: Instant, bearable: Duration, end: Result<(), Stop>) -> Result<(), Stop> {
        let Err(Stop::Fail(finding)) = end else { return end };
        if finding.whenever {
            return Err(Stop::Fail(finding));
        }
        let (longest, all) = self.since(began);
        let bearable = bearable.max(SHORTEST);
        let in_all = (bearable * BEARABLE_IN_ALL).max(began.elapsed() / BEARABLE_PART);
        if longest < bearable && all < in_all {
            return Err(Stop::Fail(finding));
        }
        Err(Stop::Inconclusive(format!(
            "this machine was too slow: the suite stood still for {longest:?} meanwhile, {all:?} in all, and {bearable:?} \
             may be too much for a timer; what was found then: {}",
            finding.got
        )))
    }
}

#[cfg(test)]
#[allow(clippy::panic, reason = "a test")]
mod tests {
    use super::*;
    use crate::stop::Finding;

    fn failure() -> Result<(), Stop> {
        Err(Finding::new(Vec::new(), None, String::new(), "an end".to_owned()).stop())
    }

    #[test]
    fn a_failure_during_a_stall_proves_nothing() {
        let (stalls, began) = (Stalls::default(), Instant::now());
        stalls.note(Instant::now(), Duration::from_millis(100));
        let excused = stalls.excuse(began, Duration::from_millis(75), failure());
        assert!(matches!(excused, Err(Stop::Inconclusive(why)) if why.contains("100ms") && why.contains("an end")));
    }

    #[test]
    fn what_does_not_depend_on_time_stands() {
        let (stalls, began) = (Stalls::default(), Instant::now());
        stalls.note(Instant::now(), Duration::from_secs(1));
        let Err(Stop::Fail(mut finding)) = failure() else { panic!("no failure") };
        finding.whenever = true;
        assert!(matches!(
            stalls.excuse(began, Duration::from_millis(75), Err(Stop::Fail(finding))),
            Err(Stop::Fail(_))
        ));
    }

    #[test]
    fn a_failure_stands_when_stalls_were_short_or_before() {
        let stalls = Stalls::default();
        stalls.note(Instant::now(), Duration::from_millis(100));
        assert!(matches!(stalls.excuse(Instant::now(), Duration::from_millis(75), failure()), Err(Stop::Fail(_))));
        let began = Instant::now();
        stalls.note(Instant::now(), Duration::from_millis(70));
        assert!(matches!(stalls.excuse(began, Duration::from_millis(75), failure()), Err(Stop::Fail(_))));
    }

    #[test]
    fn short_stalls_add_up() {
        let (stalls, began) = (Stalls::default(), Instant::now());
        let stall = || stalls.note(Instant::now(), Duration::from_millis(50));
        (0..2).for_each(|_| stall());
        assert!(matches!(stalls.excuse(began, Duration::from_millis(75), failure()), Err(Stop::Fail(_))));
        stall();
        let excused = stalls.excuse(began, Duration::from_millis(75), failure());
        assert!(matches!(excused, Err(Stop::Inconclusive(why)) if why.contains("150ms in all")));
    }

    #[test]
    fn what_passed_has_passed() {
        let (stalls, began) = (Stalls::default(), Instant::now());
        stalls.note(Instant::now(), Duration::from_secs(9));
        assert!(stalls.excuse(began, Duration::from_millis(75), Ok(())).is_ok());
    }

    #[tokio::test]
    async fn a_busy_thread_is_a_stall() {
        let stalls = Stalls::watch();
        tokio::task::yield_now().await;
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(80) {}
        // The watch's next turn comes at its own beat.
        while stalls.since(began).0.is_zero() {
            tokio::time::sleep(BEAT).await;
        }
        assert!(stalls.since(began).0 >= SHORTEST);
    }
}
