//! How long something is waited for: patience begins when all that was sent before has been written.
//!
//! A long burst that travels byte by byte takes its time, and so does one that a slow target reads slowly; silence
//! says something only behind it. A target that reads nothing more gets one patience, whatever is left to write.

use std::time::{Duration, Instant};

use crate::link::QUEUED_READS;
use crate::stop::Stop;

use super::Play;

/// How often the harness looks whether all has been written.
const BEAT: Duration = Duration::from_millis(20);

/// How long one thing may still take to come.
#[derive(Debug)]
pub(crate) struct Patience {
    length: Duration,
    ends: Instant,
    /// What is still being written of all that was sent before; None before the first look.
    sending: Option<Vec<Sending>>,
    /// How many inputs were heard behind its end.
    overtime: usize,
}

/// What a connection had not written when the wait began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sending {
    conn: usize,
    /// How many bytes are to be written in all, and how many were when it was looked at last.
    goal: u64,
    written: u64,
}

impl Patience {
    /// One that began at some time.
    pub(crate) fn since(began: Instant, length: Duration) -> Self {
        Self { length, ends: began + length, sending: None, overtime: 0 }
    }

    /// What comes now was worth the wait: the next may take as long.
    pub(crate) fn begin_anew(&mut self) {
        self.ends = self.ends.max(Instant::now() + self.length);
        self.overtime = 0;
    }

    /// As long as what was sent before is being written, patience has not begun. `links`: what each connection whose writer
    /// goes on was given, and has written.
    fn look(&mut self, links: impl Fn(usize) -> Option<(u64, u64)>, conns: usize) {
        let all = || {
            let of = |conn| links(conn).map(|(goal, written)| Sending { conn, goal, written });
            (0..conns).filter_map(of).filter(|sending| sending.written < sending.goal).collect()
        };
        let Some(before) = self.sending.take() else {
            self.sending = Some(all());
            return;
        };
        let now = |sending: &Sending| Some(Sending { written: links(sending.conn)?.1, ..*sending });
        let after: Vec<Sending> = before.iter().filter_map(now).collect();
        if after != before {
            self.begin_anew();
        }
        self.sending = Some(after.into_iter().filter(|sending| sending.written < sending.goal).collect());
    }

    fn is_sending(&self) -> bool {
        self.sending.as_ref().is_none_or(|sending| !sending.is_empty())
    }

    /// Whether it is over.
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() > self.ends
    }
}

impl Play {
    /// The patience of the run, from now on.
    pub(crate) fn patience(&self) -> Patience {
        Patience::since(Instant::now(), self.stage.patience)
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
            if patience.sending.is_none() {
                self.flush_coalesced();
            }
            let link = |n: usize| {
                let link = &self.conns.get(n).filter(|conn| conn.ended.is_none())?.link;
                Some((link.given()?, link.written()))
            };
            patience.look(link, self.conns.len());
            let ends = by.map_or(patience.ends, |by| by.min(patience.ends));
            // What had come by then counts, however late it is looked at; whoever floods is not heard for ever.
            if Instant::now() >= ends {
                patience.overtime += 1;
                if patience.overtime > QUEUED_READS {
                    return Ok(false);
                }
            }
            let until = if patience.is_sending() { ends.min(Instant::now() + BEAT) } else { ends };
            if self.hear(until).await? {
                return Ok(true);
            }
            if Instant::now() >= ends {
                return Ok(false);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One that would be over, while connection 1 has 10 bytes to write and has written 4.
    fn worn() -> Patience {
        let mut patience = Patience::since(Instant::now() - Duration::from_secs(61), Duration::from_secs(60));
        patience.look(links([(7, 7), (10, 4)]), 2);
        assert!(patience.is_over() && patience.is_sending());
        patience
    }

    fn links(all: [(u64, u64); 2]) -> impl Fn(usize) -> Option<(u64, u64)> {
        move |n| all.get(n).copied()
    }

    #[test]
    fn it_begins_when_all_is_written() {
        let mut patience = worn();
        patience.look(links([(7, 7), (10, 5)]), 2);
        assert!(!patience.is_over() && patience.is_sending(), "more was written");
        let mut patience = worn();
        patience.look(links([(7, 7), (10, 10)]), 2);
        assert!(!patience.is_over() && !patience.is_sending(), "the last byte was written");
    }

    #[test]
    fn it_ends_where_nothing_more_is_taken() {
        let mut patience = worn();
        patience.look(links([(7, 7), (10, 4)]), 2);
        assert!(patience.is_over());
    }

    #[test]
    fn what_is_said_meanwhile_counts_for_nothing() {
        let mut patience = worn();
        patience.look(links([(20, 20), (30, 4)]), 2);
        assert!(patience.is_over());
    }

    #[test]
    fn whose_writer_has_ended_is_not_waited_for() {
        let mut patience = worn();
        patience.look(|_| None, 2);
        assert!(!patience.is_sending());
    }
}
