//! `loop until`: rounds until the numbers of a connection are used up so far.

use crate::program::{Step, Until};
use crate::stop::Stop;

use super::Play;
use super::threads::State;
use super::world::Conn;

/// How many rounds of a `loop until` are played at once while its number is far.
const BATCH: usize = 64;

impl Play {
    /// Plays a `loop until`: in batches while the number is far, one by one when it is near.
    pub(super) async fn until(&mut self, at: usize, until: &Until) -> Result<(), Stop> {
        let used = self.number_used(until);
        let Some(thread) = self.threads.get_mut(at) else { return Ok(()) };
        if used >= until.sqn {
            thread.steps.pop_front();
            return Ok(());
        }
        if is_far(used, until) && until.body.iter().all(|step| matches!(step, Step::Act(_))) {
            // Nothing in the body waits for the target: without a fence all of it would pile up at once.
            let asks = self.current.get(&until.conn).copied();
            if let Some(number) = asks.filter(|n| self.conns.get(*n).is_some_and(Conn::can_ask)) {
                self.fence(&[number]).await?;
            }
        }
        let used = self.number_used(until);
        let Some(thread) = self.threads.get_mut(at) else { return Ok(()) };
        let rounds = if is_far(used, until) { BATCH } else { 1 };
        let (acts, rest): (Vec<&Step>, Vec<&Step>) = until.body.iter().partition(|s| matches!(s, Step::Act(_)));
        let mut steps: Vec<Step> = Vec::with_capacity(rounds * until.body.len());
        for part in [&acts, &rest] {
            for _ in 0..rounds {
                steps.extend(part.iter().map(|s| (*s).clone()));
            }
        }
        if rounds == 1 {
            steps = until.body.clone();
        }
        for step in steps.into_iter().rev() {
            thread.steps.push_front(step);
        }
        // What was met long ago is not looked through again.
        if self.expectations.len() > 4 * BATCH && self.threads.len() == 1 && !self.is_waiting() {
            self.expectations.clear();
            if let Some(thread) = self.threads.first_mut() {
                thread.pending.clear();
            }
        }
        Ok(())
    }

    /// The end of a connection whose numbers a `loop until` uses up: where a probe has taken the last, the round that is
    /// under way is not completed any more. True if there was such a loop.
    pub(super) fn leave_loop(&mut self, conn: &str) -> bool {
        let is_over = |step: &Step| match step {
            Step::Until(until) => until.from_server && until.conn == conn && self.number_used(until) >= until.sqn,
            _ => false,
        };
        let mut places = self.threads.iter().enumerate();
        let place = places.find_map(|(n, thread)| Some((n, thread.steps.iter().position(is_over)?)));
        let Some((thread, place)) = place.and_then(|(n, place)| Some((self.threads.get_mut(n)?, place))) else {
            return false;
        };
        thread.steps.drain(..=place);
        let id = thread.id;
        for round in self.expectations.iter_mut().filter(|e| e.thread == id && e.leaf.conn == conn) {
            if round.state == State::Waiting {
                round.state = State::Dropped;
            }
        }
        true
    }

    /// The number that a `loop until` waits for, as used so far.
    fn number_used(&self, until: &Until) -> u16 {
        let conn = self.current.get(&until.conn).and_then(|n| self.conns.get(*n));
        conn.map_or(u16::MAX, |c| if until.from_server { c.last_in } else { c.last_out })
    }
}

/// Whether a batch cannot reach the number: an act can use more than one, and probes and fences use some too.
fn is_far(used: u16, until: &Until) -> bool {
    usize::from(until.sqn.saturating_sub(used)) > 4 * BATCH * until.body.len().max(1)
}
