//! How long something is waited for: patience begins when all that was sent before has been written.
//!
//! A long burst that travels byte by byte takes its time, and so does one that a slow target reads slowly; silence
//! says something only behind it. A target that reads nothing more gets one patience, whatever is left to write.

use std::time::{Duration, Instant};

use crate::stop::Stop;

use super::Play;

/// How often the harness looks whether all has been written.
const BEAT: Duration = Duration::from_millis(20);

/// How long one thing may still take to come.
#[derive(Debug)]
pub(crate) struct Patience {
    length: Duration,
    ends: Instant,
    /// How many bytes had been written when it was looked at last; None once all were.
    sending: Option<u64>,
}

impl Patience {
    /// What comes now was worth the wait: the next may take as long.
    pub(crate) fn begin_anew(&mut self) {
        self.ends = self.ends.max(Instant::now() + self.length);
    }

    /// As long as what was sent before is being written, patience has not begun.
    fn look(&mut self, written: u64, all: bool) {
        let Some(before) = self.sending else { return };
        if written != before {
            self.begin_anew();
        }
        self.sending = (!all).then_some(written);
    }

    /// Whether it is over.
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() > self.ends
    }
}

impl Play {
    /// The patience of the run, from now on.
    pub(crate) fn patience(&self) -> Patience {
        self.patience_since(Instant::now(), self.stage.patience)
    }

    /// A patience of another length, or that began at another time.
    pub(crate) fn patience_since(&self, began: Instant, length: Duration) -> Patience {
        Patience { length, ends: began + length, sending: Some(self.written()) }
    }

    /// Waits for the next input as long as the patience lasts and digests it; false if nothing came.
    pub(crate) async fn hear_within(&mut self, patience: &mut Patience) -> Result<bool, Stop> {
        self.hear_within_or_by(patience, None).await
    }

    /// The same, and no longer than until `by`.
    pub(crate) async fn hear_within_or_by(
        &mut self,
        patience: &mut Patience,
        by: Option<Instant>,
    ) -> Result<bool, Stop> {
        loop {
            self.flush_coalesced();
            let all = self.conns.iter().all(|conn| conn.link.is_written());
            patience.look(self.written(), all);
            let ends = by.map_or(patience.ends, |by| by.min(patience.ends));
            let until = if patience.sending.is_some() { ends.min(Instant::now() + BEAT) } else { ends };
            if self.hear(until).await? {
                return Ok(true);
            }
            if Instant::now() >= ends {
                return Ok(false);
            }
        }
    }

    /// How many bytes the connections of the case have written.
    fn written(&self) -> u64 {
        self.conns.iter().map(|conn| conn.link.written()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One that would be over.
    fn worn() -> Patience {
        Patience { length: Duration::from_secs(60), ends: Instant::now() - Duration::from_secs(1), sending: Some(7) }
    }

    #[test]
    fn it_begins_when_all_is_written() {
        let mut patience = worn();
        patience.look(8, false);
        assert!(!patience.is_over(), "more was written");
        patience = Patience { sending: patience.sending, ..worn() };
        patience.look(9, true);
        assert!(!patience.is_over(), "the last byte was written");
        patience = Patience { sending: patience.sending, ..worn() };
        patience.look(10, true);
        assert!(patience.is_over(), "what is written later is about something else");
    }

    #[test]
    fn it_ends_where_nothing_more_is_taken() {
        let mut patience = worn();
        patience.look(7, false);
        assert!(patience.is_over());
    }
}
