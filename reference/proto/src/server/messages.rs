//! Messages (section 6).

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::connection::Sender;
use super::machine::Server;
use super::mailbox::{Line, Stored};
use super::refusal::Refusal;
use super::timers::Timer;
use super::{ConnectionId, Ending, Event, StoredLine};
use crate::frame::FrameType;
use crate::ids::{Sid, Uid};
use crate::payload::{PayloadError, Response, parse_lines, parse_response, write_lines};

/// A msg_req whose author is online and has no msg_res yet.
///
/// ```text
///            the last recipient is decided (MSG-07)
///  accepted ---------------------------------------> msg_res, OK or an error text
///     |
///     +---> msg_res with an error text (CLOSE-06)
///     +---> forgotten: the author is gone (MSG-13)
/// ```
///
/// Those of one author and session are decided in their order: a recipient that is undecided for one was online ever
/// since, so it got, and has not answered, all later ones either (MSG-09). What waits for its turn (MSG-11) is therefore
/// only what was refused; `answer_author` does not rely on it.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) sid: Sid,
    pub(super) author: ConnectionId,
    /// Recipients that were online ever since and have not answered.
    pub(super) undecided: BTreeSet<Uid>,
    /// A recipient has answered with an error text.
    pub(super) failed: bool,
}

/// A msg_req that has no msg_res yet, in the order of its author's (MSG-11).
#[derive(Clone, Copy, Debug)]
pub(super) enum Waiting {
    /// It was accepted with this number.
    Accepted(u64),
    /// It was refused, and waits for the earlier ones.
    Refused(Refusal),
}

impl Server {
    pub(super) fn on_msg_req(&mut self, now: Duration, from: Sender, sid: Sid, payload: &[u8]) {
        let (waiting, recipients) = match self.accept(from, sid, payload) {
            Ok((number, recipients)) => (Waiting::Accepted(number), recipients),
            Err(refusal) => (Waiting::Refused(refusal), Vec::new()),
        };
        if let Some(member) = self.member(from.id) {
            member.unanswered.entry(sid).or_default().push_back(waiting);
        }
        for uid in recipients {
            self.send_lines(now, uid);
        }
        // Nobody to wait for (all offline, or refused): the author hears at once, if it is its turn.
        self.answer_author(from.id, sid);
    }

    /// Accepts a msg_req as a whole, or refuses it as a whole (MSG-05, PAY-04, PAY-07). Gives its number and recipients.
    fn accept(&mut self, from: Sender, sid: Sid, payload: &[u8]) -> Result<(u64, Vec<Uid>), Refusal> {
        // First, so that an outsider gets the same text whatever it sends (CLOSE-09).
        let roster = self.sessions.get(&sid).filter(|roster| roster.contains(&from.uid)).ok_or(Refusal::NoSession)?;
        let others: Vec<Uid> = roster.iter().copied().filter(|uid| *uid != from.uid).collect();
        let texts = parse_lines(payload)?;
        if texts.len() != others.len() {
            return Err(Refusal::Lines { others: others.len(), got: texts.len() });
        }
        self.check_room(texts.len(), payload.len())?;
        let number = self.next_message;
        // MSG-03: line n for the nth other participant.
        let line = |(&recipient, &text): (&Uid, &&str)| StoredLine {
            number,
            sid,
            author: from.uid,
            recipient,
            text: text.into(),
        };
        let lines: Vec<StoredLine> = others.iter().zip(&texts).map(line).collect();
        if let Err(error) = self.store.accept(&lines) {
            return Err(self.store_failed(error));
        }
        self.next_message += 1;
        // MSG-07: who is offline is decided.
        let undecided = others.iter().copied().filter(|uid| self.is_online(*uid)).collect();
        self.messages.insert(number, Message { sid, author: from.id, undecided, failed: false });
        self.around_offline_recipients(number, &others);
        lines.into_iter().for_each(|line| self.put_into_mailbox(line));
        self.event(Event::MessageAccepted { sid, author: from.uid, number });
        Ok((number, others))
    }

    /// PAY-07
    fn check_room(&self, lines: usize, bytes: usize) -> Result<(), Refusal> {
        let limits = &self.config.limits;
        let Stored { lines: stored_lines, bytes: stored_bytes } = self.stored;
        if stored_lines + lines > limits.stored_lines || stored_bytes + bytes > limits.stored_bytes {
            return Err(Refusal::Stored);
        }
        Ok(())
    }

    pub(super) fn put_into_mailbox(&mut self, line: StoredLine) {
        let StoredLine { number, sid, author, recipient, text } = line;
        self.stored.lines += 1;
        self.stored.bytes += text.len();
        self.mailboxes.entry(recipient).or_default().put(number, Line::new(sid, author, text));
    }

    /// Sends a user that is online its lines that it did not get on this connection, in their order (LOGIN-13, MSG-08,
    /// MSG-10, MSG-17), as many as may be unanswered (MSG-20).
    pub(super) fn send_lines(&mut self, now: Duration, uid: Uid) {
        let window = self.config.limits.unanswered_bytes;
        let Some(&id) = self.online.get(&uid) else { return };
        while let Some((number, line)) = self.mailboxes.get(&uid).and_then(|mailbox| mailbox.to_send(window)) {
            // MSG-03, MTP-21: the author's uid.
            if !self.send(id, FrameType::MsgReq, line.sid, line.author, &write_lines([&*line.text])) {
                break;
            }
            if let Some(mailbox) = self.mailboxes.get_mut(&uid) {
                mailbox.mark_sent(number, now);
            }
        }
        self.time_answers(uid);
    }

    pub(super) fn on_msg_res(
        &mut self,
        now: Duration,
        from: Sender,
        sid: Sid,
        payload: &[u8],
    ) -> Result<(), PayloadError> {
        let response = parse_response(payload)?;
        let answered = self.mailboxes.get_mut(&from.uid).and_then(|mailbox| mailbox.answer(sid, now));
        // PAY-06: what answers nothing changes nothing.
        let Some((number, line)) = answered else { return Ok(()) };
        self.stored.lines -= 1;
        self.stored.bytes -= line.text.len();
        if let Err(error) = self.store.answered(sid, number, from.uid) {
            self.store_failed(error);
        }
        self.around_recipient_decided(number, from.uid, !response.is_ok());
        // The window may have room again (MSG-20), and the time runs anew (MSG-12).
        self.send_lines(now, from.uid);
        self.drop_empty_mailbox(from.uid);
        Ok(())
    }

    /// The user went offline: it is decided for every message (MSG-07), and its lines will be sent again (MSG-08).
    pub(super) fn recipient_left(&mut self, uid: Uid) {
        self.timers.clear(Timer::Answer(uid));
        let Some(mailbox) = self.mailboxes.get_mut(&uid) else { return };
        mailbox.all_unsent();
        let numbers: Vec<u64> = mailbox.numbers().collect();
        for number in numbers {
            self.around_recipient_decided(number, uid, false);
        }
    }

    /// MSG-07, for one recipient: it answered, or went offline. Nothing to do if the author has its answer or is gone.
    pub(super) fn recipient_decided(&mut self, number: u64, recipient: Uid, failed: bool) {
        let Some(message) = self.messages.get_mut(&number) else { return };
        // Whoever went offline is decided already, but if it came back and could not read the line "by then", that counts.
        message.failed |= failed;
        if message.undecided.remove(&recipient) {
            let (author, sid) = (message.author, message.sid);
            self.answer_author(author, sid);
        }
    }

    /// The msg_res that an author can get now, in the order of its msg_req (MSG-07, MSG-11).
    pub(super) fn answer_author(&mut self, id: ConnectionId, sid: Sid) {
        loop {
            let Some(member) = self.member(id) else { return };
            let author = Sender { id, uid: member.channel.uid };
            let Some(queue) = member.unanswered.get_mut(&sid) else { return };
            let Some(&first) = queue.front() else {
                member.unanswered.remove(&sid);
                return;
            };
            let result = match first {
                Waiting::Refused(refusal) => Err(refusal),
                Waiting::Accepted(number) => match self.messages.get(&number) {
                    Some(message) if !message.undecided.is_empty() => return,
                    Some(message) if message.failed => Err(Refusal::Unreadable),
                    _ => Ok(()),
                },
            };
            self.pop_waiting(id, sid);
            match result {
                Ok(()) => {
                    self.send(id, FrameType::MsgRes, sid, Uid::SERVER, Response::Ok.as_bytes());
                }
                Err(refusal) => self.refuse(author, FrameType::MsgRes, sid, refusal),
            }
        }
    }

    fn pop_waiting(&mut self, id: ConnectionId, sid: Sid) {
        let first = self.member(id).and_then(|member| member.unanswered.get_mut(&sid)).and_then(VecDeque::pop_front);
        if let Some(Waiting::Accepted(number)) = first {
            self.messages.remove(&number);
        }
    }

    /// The session is closed: whatever the author waits for has failed (CLOSE-06).
    pub(super) fn fail_unanswered(&mut self, author: Sender, sid: Sid) {
        let Some(member) = self.member(author.id) else { return };
        for waiting in member.unanswered.remove(&sid).unwrap_or_default() {
            let refusal = match waiting {
                Waiting::Refused(refusal) => refusal,
                Waiting::Accepted(number) => {
                    self.messages.remove(&number);
                    Refusal::Closed
                }
            };
            self.refuse(author, FrameType::MsgRes, sid, refusal);
        }
    }

    /// The author is gone: nobody waits for these any more, their lines go their way (MSG-13).
    pub(super) fn drop_answers(&mut self, unanswered: BTreeMap<Sid, VecDeque<Waiting>>) {
        for waiting in unanswered.into_values().flatten() {
            if let Waiting::Accepted(number) = waiting {
                self.messages.remove(&number);
            }
        }
    }

    /// Deletes the lines of a closed session from the mailbox of one participant (CLOSE-03). What was held back for them
    /// may be sent now, and the time for them runs no more (MSG-12).
    pub(super) fn delete_lines(&mut self, now: Duration, uid: Uid, sid: Sid) {
        let Some(mailbox) = self.mailboxes.get_mut(&uid) else { return };
        let removed = mailbox.remove_session(sid);
        self.stored.lines -= removed.lines;
        self.stored.bytes -= removed.bytes;
        self.send_lines(now, uid);
        self.drop_empty_mailbox(uid);
    }

    /// MSG-12: the user has answered none of its lines for too long.
    pub(super) fn answer_is_overdue(&mut self, uid: Uid) {
        if let Some(&id) = self.online.get(&uid) {
            self.around_end(id, Ending::AnswerTimeout);
        }
    }

    pub(super) fn time_answers(&mut self, uid: Uid) {
        match self.mailboxes.get(&uid).and_then(|mailbox| mailbox.answer_due_since()) {
            Some(since) => self.timers.set(Timer::Answer(uid), since.saturating_add(self.config.answer_timeout)),
            None => {
                self.timers.clear(Timer::Answer(uid));
            }
        }
    }

    /// Its history (when the last answer was) does not matter once nothing is unanswered.
    fn drop_empty_mailbox(&mut self, uid: Uid) {
        if self.mailboxes.get(&uid).is_some_and(|mailbox| mailbox.is_empty()) {
            self.mailboxes.remove(&uid);
        }
    }
}
