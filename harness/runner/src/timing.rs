//! The target's timers as the harness knows them.

use std::time::Duration;

use mpchat_script::ast::Timer;

/// The four timers of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// INIT-08.
    pub invite: Duration,
    /// MSG-12.
    pub answer: Duration,
    /// LOGIN-10.
    pub login: Duration,
    /// STAT-08.
    pub status: Duration,
}

impl Default for Timers {
    /// The specification's defaults.
    fn default() -> Self {
        let ten = Duration::from_secs(10);
        Self { invite: Duration::from_secs(30), answer: ten, login: ten, status: ten }
    }
}

impl Timers {
    /// The length of one timer.
    pub fn get(&self, timer: Timer) -> Duration {
        match timer {
            Timer::Invite => self.invite,
            Timer::Answer => self.answer,
            Timer::Login => self.login,
            Timer::Status => self.status,
        }
    }

    /// The length of the shortest.
    pub(crate) fn shortest(&self) -> Duration {
        self.invite.min(self.answer).min(self.login).min(self.status)
    }

    /// The same timers, one of them changed.
    #[must_use]
    pub fn with(mut self, timer: Timer, length: Duration) -> Self {
        match timer {
            Timer::Invite => self.invite = length,
            Timer::Answer => self.answer = length,
            Timer::Login => self.login = length,
            Timer::Status => self.status = length,
        }
        self
    }
}
