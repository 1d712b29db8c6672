//! The lines of one user that it has not answered (MSG-08).

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::frame::MIN_LEN;
use crate::ids::{Sid, Uid};

/// A line in the mailbox of its recipient.
///
/// ```text
///           online, window open (MSG-20)            msg_res (MSG-09)
///  stored -------------------------------> sent ----------------------> gone
///     ^                                     |
///     +-------------------------------------+       CLOSE-03: gone from either
///            the recipient goes offline
/// ```
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) sid: Sid,
    pub(super) author: Uid,
    /// Without LF.
    pub(super) text: Arc<str>,
    /// When it was sent on the recipient's present connection.
    pub(super) sent_at: Option<Duration>,
}

/// Lines and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) lines: usize,
    pub(super) bytes: usize,
}

/// Lines in the order in which the server accepted them (MSG-10). Those that were sent on the present connection come
/// before those that were not.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    pub(super) lines: BTreeMap<u64, Line>,
    /// The numbers of the lines of each session, in order; no queue in it is empty.
    pub(super) by_session: BTreeMap<Sid, VecDeque<u64>>,
    /// The last one that was sent on the present connection.
    pub(super) sent_up_to: Option<u64>,
    /// Bytes of frames that were sent on the present connection and are not answered.
    sent_bytes: usize,
    pub(super) last_answer: Option<Duration>,
}

impl Line {
    pub(super) fn new(sid: Sid, author: Uid, text: Arc<str>) -> Self {
        Self { sid, author, text, sent_at: None }
    }

    /// Bytes of its frame: with LF, header and mac.
    fn frame_len(&self) -> usize {
        self.text.len() + 1 + MIN_LEN
    }
}

impl Mailbox {
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// In the order in which they were accepted.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.lines.keys().copied()
    }

    /// Adds one that was accepted after all others, or, before anything is sent, at any place.
    pub(super) fn put(&mut self, number: u64, line: Line) {
        let numbers = self.by_session.entry(line.sid).or_default();
        let place = numbers.partition_point(|earlier| *earlier < number);
        numbers.insert(place, number);
        self.lines.insert(number, line);
    }

    /// The next one to send, if `window` bytes allow it (MSG-20); one is always allowed.
    pub(super) fn to_send(&self, window: usize) -> Option<(u64, Line)> {
        let first = self.sent_up_to.map_or(0, |number| number.saturating_add(1));
        let (&number, line) = self.lines.range(first..).next()?;
        let allowed = self.sent_bytes == 0 || self.sent_bytes + line.frame_len() <= window;
        allowed.then(|| (number, line.clone()))
    }

    pub(super) fn mark_sent(&mut self, number: u64, now: Duration) {
        if let Some(line) = self.lines.get_mut(&number) {
            line.sent_at = Some(now);
            self.sent_bytes += line.frame_len();
            self.sent_up_to = Some(number);
        }
    }

    /// An answer takes the oldest line of its session that was sent on this connection (MSG-09), if there is one.
    pub(super) fn answer(&mut self, sid: Sid, now: Duration) -> Option<(u64, Line)> {
        let numbers = self.by_session.get_mut(&sid)?;
        let number = numbers.front().copied().filter(|number| self.sent_up_to.is_some_and(|sent| *number <= sent))?;
        numbers.pop_front();
        if numbers.is_empty() {
            self.by_session.remove(&sid);
        }
        self.last_answer = Some(now);
        Some((number, self.take(number)?))
    }

    /// Takes out all lines of a session (CLOSE-03).
    pub(super) fn remove_session(&mut self, sid: Sid) -> Stored {
        let mut removed = Stored::default();
        for number in self.by_session.remove(&sid).unwrap_or_default() {
            if let Some(line) = self.take(number) {
                removed.lines += 1;
                removed.bytes += line.text.len();
            }
        }
        removed
    }

    /// Bytes that were sent and are not answered.
    #[cfg(feature = "faults")]
    pub(super) fn unanswered(&self) -> usize {
        self.sent_bytes
    }

    /// Takes a line out, wherever it is in its session's order.
    #[cfg(feature = "faults")]
    pub(super) fn forget(&mut self, number: u64, sid: Sid) {
        if let Some(numbers) = self.by_session.get_mut(&sid) {
            numbers.retain(|other| *other != number);
            if numbers.is_empty() {
                self.by_session.remove(&sid);
            }
        }
        self.take(number);
    }

    /// The connection is gone: all its lines are to be sent again (MSG-08).
    pub(super) fn all_unsent(&mut self) {
        for line in self.lines.values_mut() {
            line.sent_at = None;
        }
        self.sent_up_to = None;
        self.sent_bytes = 0;
        self.last_answer = None;
    }

    /// Since when an answer is due (MSG-12), if a line was sent: since the oldest one that still counts was sent, or since
    /// the last answer if that was later. So further lines do not matter, and a closed session's count for nothing.
    pub(super) fn answer_due_since(&self) -> Option<Duration> {
        let oldest = self.lines.values().next()?.sent_at?;
        Some(self.last_answer.map_or(oldest, |answer| answer.max(oldest)))
    }

    pub(super) fn take(&mut self, number: u64) -> Option<Line> {
        let line = self.lines.remove(&number)?;
        if line.sent_at.is_some() {
            self.sent_bytes -= line.frame_len();
        }
        Some(line)
    }
}
