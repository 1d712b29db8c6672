//! The target's timers: never early, and how late they may be is a matter of patience.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mpchat_model::Evidence;
use mpchat_script::ast::{Kind, Timer};

use crate::program::Leaf;
use crate::stop::Stop;

use super::Play;
use super::world::Heard;

/// What may make a timer look early: clocks are rounded, and a server starts its timer when it queues a frame, which a
/// busy machine writes a little later.
fn rounding(length: Duration) -> Duration {
    Duration::from_millis(2) + length / 32
}

impl Play {
    /// `the … timeout passes`: what follows must not come before the timer can have run out.
    pub(crate) async fn timer_passes(
        &mut self,
        thread: usize,
        leaf: &Arc<Leaf>,
        timer: Timer,
        half: bool,
    ) -> Result<(), Stop> {
        let length = self.stage.timers.get(timer);
        self.timer = Some(timer);
        let (earliest, latest) = self.start_of(timer).unwrap_or((self.last_act, Instant::now()));
        self.rests_on(Evidence::Timed);
        if half {
            let already = latest.elapsed();
            self.halves += 1;
            if self.halves == 1 && already > length / 4 {
                return Err(Stop::Inconclusive(format!(
                    "this machine was too slow for a timer of {length:?}: {already:?} passed unnoticed"
                )));
            }
            self.checking = Some(Arc::clone(leaf));
            // A half is counted from now, so that two halves are a whole.
            self.listen(length / 2).await?;
            self.checking = None;
            // What happened between two halves is taken to have taken no time.
            let since = self.last_half.replace(Instant::now()).unwrap_or(latest).elapsed();
            if since > length - length / 8 {
                return Err(Stop::Inconclusive(format!(
                    "this machine was too slow for a timer of {length:?}: {since:?} passed from one half of it to the next"
                )));
            }
            return Ok(());
        }
        let due = earliest + length - rounding(length);
        if let Some(thread) = self.threads.iter_mut().find(|t| t.id == thread) {
            thread.not_before = Some(due);
            thread.timer_over = Some(latest + length + rounding(length));
        }
        Ok(())
    }

    /// An act or a check right behind a timer waits until it has certainly run out.
    pub(crate) async fn wait_for_timer_of(&mut self, thread: usize) -> Result<(), Stop> {
        let over = self.threads.iter_mut().find(|t| t.id == thread).and_then(|t| t.timer_over.take());
        match over.and_then(|over| over.checked_duration_since(Instant::now())) {
            Some(rest) => self.listen(rest).await,
            None => Ok(()),
        }
    }

    /// The latest start of a timer on any connection that is open.
    fn start_of(&self, timer: Timer) -> Option<(Instant, Instant)> {
        let open = self.conns.iter().filter(|c| c.ended.is_none() && !c.detached);
        if timer == Timer::Login {
            return open.filter(|c| !c.logged_in).map(|c| (c.opened, c.connected)).max_by_key(|(o, _)| *o);
        }
        open.filter_map(|c| c.starts.get(&timer).copied()).max_by_key(|(_, latest)| *latest)
    }

    /// Notes when a timer of the target may have started.
    pub(super) fn note_timers(&mut self, number: usize, heard: &Heard) {
        let (earliest, latest) = (self.cause_of(number, heard), heard.at);
        let Some(conn) = self.conns.get_mut(number) else { return };
        match heard.kind {
            Kind::InviteReq => {
                conn.starts.insert(Timer::Invite, (earliest, latest));
            }
            Kind::MsgReq => {
                let waiting: usize = conn.books.lines.values().map(std::collections::VecDeque::len).sum();
                if waiting == 1 {
                    conn.starts.insert(Timer::Answer, (earliest, latest));
                }
            }
            _ => {}
        }
    }

    /// When the frame can have been sent at the earliest.
    fn cause_of(&self, number: usize, heard: &Heard) -> Instant {
        if heard.kind == Kind::InviteReq {
            // The time of all the invited runs from the turn of the init, whenever their invitations leave.
            let creators = self.conns.iter().filter(|conn| conn.uid == heard.header.uid);
            return creators.filter_map(|conn| conn.books.init_turn).max().unwrap_or(self.last_act);
        }
        let made = heard.about.as_ref().and_then(|text| self.texts.get(text)).map(|text| text.at);
        let login = self.conns.get(number).and_then(|conn| conn.logged_in_at);
        // A line that was held back (MSG-20) came with the answer to the one before it.
        let answers = self.texts.values().flat_map(|text| text.answered.values());
        let answer = answers.filter(|(on, _)| *on == number).map(|(_, at)| *at).max();
        made.and_then(|made| [Some(made), login, answer].into_iter().flatten().max()).unwrap_or(self.last_act)
    }
}
