//! Messages: who gets which line, when, and who hears of it.

use core::time::Duration;

use super::super::connection::Sender;
use super::super::machine::Server;
use super::super::mailbox::Mailbox;
use super::super::refusal::Refusal;
use super::super::timers::Timer;
use super::super::{StoredLine, Violation};
use super::{Done, Quirk};
use crate::frame::{FrameType, Header};
use crate::ids::{Sid, Uid};
use crate::payload::{parse_lines, write_lines};

impl Server {
    pub(super) fn messages_dispatch(
        &mut self,
        fault: Quirk,
        now: Duration,
        from: Sender,
        header: &mut Header,
        payload: &mut Vec<u8>,
    ) -> Done {
        if fault == Quirk::FramesRestartAnswerTimeout && self.timers.is_set(Timer::Answer(from.uid)) {
            self.timers.set(Timer::Answer(from.uid), now.saturating_add(self.config.answer_timeout));
        }
        match header.kind()? {
            FrameType::MsgReq => self.faulty_msg_req(fault, from, header.sid, payload),
            FrameType::MsgRes => self.faulty_msg_res(fault, now, from, header, payload),
            _ => None,
        }
    }

    fn faulty_msg_req(&mut self, fault: Quirk, from: Sender, sid: Sid, payload: &mut Vec<u8>) -> Done {
        if let Some(done) = self.msg_req_without_right(fault, from, sid, payload) {
            return Some(done);
        }
        let roster = self.sessions.get(&sid).filter(|roster| roster.contains(&from.uid)).cloned()?;
        let others = roster.iter().filter(|uid| **uid != from.uid).count();
        let text = String::from_utf8(payload.clone()).ok()?;
        let mut lines: Vec<&str> = text.strip_suffix('\n')?.split('\n').collect();
        let me = roster.iter().position(|uid| *uid == from.uid)?;
        let fits = lines.len() == others;
        match fault {
            Quirk::LinesReversed if fits => lines.reverse(),
            Quirk::LinesShifted if fits && (1..lines.len()).contains(&me) => lines[me..].rotate_left(1),
            Quirk::FirstLineToAll if fits => lines = vec![lines[0]; others],
            Quirk::ExtraLinesIgnored => lines.truncate(others),
            Quirk::MissingLinesIgnored | Quirk::PartlyDelivered if !lines.is_empty() && lines.len() < others => {
                let targets = roster.iter().filter(|uid| **uid != from.uid);
                for (uid, line) in targets.zip(&lines) {
                    self.send_to_user(*uid, FrameType::MsgReq, sid, from.uid, &write_lines([line]));
                }
                if fault == Quirk::PartlyDelivered {
                    return None;
                }
                self.send(from.id, FrameType::MsgRes, sid, Uid::SERVER, b"OK");
                return Some(Ok(()));
            }
            Quirk::HexOnly if !text.bytes().all(|b| b == b'\n' || b.is_ascii_hexdigit()) => {
                return self.refuse_msg(from, sid);
            }
            Quirk::AsciiOnly if !text.is_ascii() => return self.refuse_msg(from, sid),
            Quirk::ErrorOvertakesMessage if !fits => return self.refuse_msg(from, sid),
            _ => {}
        }
        if lines.iter().any(|line| line.is_empty()) {
            return None;
        }
        *payload = write_lines(&lines);
        None
    }

    fn refuse_msg(&mut self, from: Sender, sid: Sid) -> Done {
        self.refuse(from, FrameType::MsgRes, sid, Refusal::NoSession);
        Some(Ok(()))
    }

    /// A msg_req of somebody who has no right to it.
    fn msg_req_without_right(
        &mut self,
        fault: Quirk,
        from: Sender,
        sid: Sid,
        payload: &[u8],
    ) -> Option<Result<(), Violation>> {
        let say_ok = |server: &mut Self| {
            server.send(from.id, FrameType::MsgRes, sid, Uid::SERVER, b"OK");
            Some(Ok(()))
        };
        let invited = |server: &Self| {
            server.broken.invited.get(&sid).is_some_and(|invited| invited.iter().any(|(uid, _)| *uid == from.uid))
        };
        let closed = self.broken.closed.contains(&sid);
        match fault {
            Quirk::ClosedMsgUnanswered if closed => Some(Ok(())),
            Quirk::ClosedMsgOk if closed => say_ok(self),
            Quirk::PendingSends if self.inits.get(&sid).is_some_and(|init| init.creator.uid == from.uid) => {
                say_ok(self)
            }
            Quirk::OutsiderSends | Quirk::DeclinerSends | Quirk::AbsentSends => {
                let roster = self.sessions.get(&sid).filter(|roster| !roster.contains(&from.uid)).cloned()?;
                let absent = self.broken.offline_invited.contains(&(sid, from.uid));
                if fault == Quirk::DeclinerSends && !invited(self) || fault == Quirk::AbsentSends && !absent {
                    return None;
                }
                let lines = parse_lines(payload).ok()?.into_iter().map(str::to_owned).collect::<Vec<_>>();
                for (uid, line) in roster.iter().zip(&lines) {
                    self.send_to_user(*uid, FrameType::MsgReq, sid, from.uid, &write_lines([line]));
                }
                say_ok(self)
            }
            _ => None,
        }
    }

    fn faulty_msg_res(
        &mut self,
        fault: Quirk,
        now: Duration,
        from: Sender,
        header: &mut Header,
        payload: &[u8],
    ) -> Done {
        let uid = from.uid;
        let sid = header.sid;
        let mailbox = self.mailboxes.get_mut(&uid)?;
        let oldest = mailbox.lines.iter().find(|(_, l)| l.sid == sid && l.sent_at.is_some());
        let oldest = oldest.map(|(number, line)| (*number, line.clone()));
        match fault {
            Quirk::NewestAnswered => {
                let newest = mailbox.lines.iter().rev().find(|(_, l)| l.sid == sid && l.sent_at.is_some());
                let newest = newest.map(|(number, _)| *number)?;
                let queue = mailbox.by_session.get_mut(&sid)?;
                queue.retain(|number| *number != newest);
                queue.push_front(newest);
            }
            Quirk::AnySessionAnswered => {
                header.sid = mailbox.lines.values().find(|line| line.sent_at.is_some())?.sid;
            }
            Quirk::AllAnswered => {
                let all = mailbox.lines.values().filter(|l| l.sid == sid && l.sent_at.is_some()).count();
                for _ in 1..all {
                    let _violation = self.dispatch(now, from, header, payload);
                }
            }
            Quirk::OldestTakenForAnswered => {
                let (number, line) = oldest?;
                // It shows at the next login.
                if mailbox.lines.keys().next().is_some_and(|first| *first != number) {
                    let line = StoredLine { number, sid, author: line.author, recipient: uid, text: line.text };
                    self.broken.last_answered.insert(uid, line);
                }
            }
            Quirk::AnswersTimedOnce => {
                *self.broken.answers_of.entry(uid).or_default() += 1;
            }
            Quirk::AnsweredSentAgain => {
                let (number, line) = oldest?;
                let line = StoredLine { number, sid, author: line.author, recipient: uid, text: line.text };
                self.broken.last_answered.insert(uid, line);
            }
            Quirk::ErrorNotTaken | Quirk::ErrorSentAgain if payload != b"OK" => {
                let (number, line) = oldest?;
                let _violation = self.dispatch(now, from, header, payload);
                if fault == Quirk::ErrorSentAgain {
                    self.send_to_user(uid, FrameType::MsgReq, sid, line.author, &write_lines([&*line.text]));
                    return Some(Ok(()));
                }
                let back = StoredLine { number, sid, author: line.author, recipient: uid, text: line.text };
                self.put_into_mailbox(back);
                return Some(Ok(()));
            }
            Quirk::MsgResEach => {
                let (number, _) = oldest?;
                let message = self.messages.get(&number)?;
                let (author, last) = (message.author, message.undecided.len() <= 1);
                if !last {
                    self.send(author, FrameType::MsgRes, sid, Uid::SERVER, b"OK");
                }
            }
            _ => {}
        }
        None
    }

    /// What has to be looked after once a line may have been accepted or answered.
    pub(super) fn messages_afterwards(
        &mut self,
        fault: Quirk,
        now: Duration,
        from: Sender,
        header: &Header,
        payload: &[u8],
    ) {
        let sid = header.sid;
        match header.kind() {
            Some(FrameType::MsgReq) => self.accepted_afterwards(fault, now, from, sid, payload),
            Some(FrameType::MsgRes) if fault == Quirk::TimedFromLastAnswer => {
                self.broken.answered_at.insert(from.uid, now);
            }
            Some(FrameType::MsgRes) if fault == Quirk::AnswersRestartNothing => {
                if let Some(mailbox) = self.mailboxes.get_mut(&from.uid) {
                    let first = self.broken.first_sent.get(&from.uid).copied();
                    mailbox.last_answer = None;
                    if let (Some(first), Some(line)) = (first, mailbox.lines.values_mut().next())
                        && line.sent_at.is_some()
                    {
                        line.sent_at = Some(first);
                    }
                }
                self.time_answers(from.uid);
            }
            _ => {}
        }
        if fault == Quirk::AnswersTimedOnce {
            let answered = &self.broken.answers_of;
            let often: Vec<Uid> = answered.iter().filter(|(_, times)| **times >= 2).map(|(uid, _)| *uid).collect();
            for uid in often {
                self.timers.clear(Timer::Answer(uid));
            }
        }
        if fault == Quirk::StrayMsgResLater {
            for (uid, sid) in self.broken.early_answers.clone() {
                let sent = |m: &Mailbox| m.lines.values().any(|line| line.sid == sid && line.sent_at.is_some());
                let id = self.connection_of(uid);
                if let (true, Some(id)) = (self.mailboxes.get(&uid).is_some_and(sent), id) {
                    self.broken.early_answers.remove(&(uid, sid));
                    let _never = self.on_msg_res(now, Sender { id, uid }, sid, b"OK");
                }
            }
        }
    }

    fn accepted_afterwards(&mut self, fault: Quirk, now: Duration, from: Sender, sid: Sid, payload: &[u8]) {
        let number = self.next_message.wrapping_sub(1);
        if self.broken.last_number.replace(self.next_message) == Some(self.next_message) {
            return;
        }
        let Some(roster) = self.sessions.get(&sid).cloned() else { return };
        let others: Vec<Uid> = roster.iter().copied().filter(|uid| *uid != from.uid).collect();
        let away: Vec<Uid> = others.iter().copied().filter(|uid| !self.is_online(*uid)).collect();
        for uid in &others {
            if self.mailboxes.get(uid).is_some_and(|mailbox| mailbox.lines.len() == 1) {
                self.broken.first_sent.insert(*uid, now);
            }
        }
        match fault {
            Quirk::LineToAuthorToo => {
                let first = payload.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default().to_vec();
                self.send(from.id, FrameType::MsgReq, sid, from.uid, &first);
            }
            Quirk::MsgResAtOnce => {
                if let Some(message) = self.messages.get_mut(&number) {
                    message.undecided.clear();
                }
                self.answer_author(from.id, sid);
            }
            Quirk::OfflineNotStored => away.iter().for_each(|uid| self.forget(*uid, |n| n == number)),
            Quirk::FortyStored => away.iter().for_each(|uid| {
                let newest = self.mailboxes.get(uid).and_then(|m| m.lines.keys().rev().nth(40).copied());
                self.forget(*uid, |n| newest.is_some_and(|newest| n <= newest));
            }),
            Quirk::OnlyLastStored => away.iter().for_each(|uid| self.forget(*uid, |n| n < number)),
            Quirk::TimedFromLastAnswer => {
                for uid in others.iter().filter(|uid| !away.contains(uid)) {
                    let is_first = self.mailboxes.get(uid).is_some_and(|mailbox| mailbox.lines.len() == 1);
                    if let (true, Some(answered)) = (is_first, self.broken.answered_at.get(uid)) {
                        self.timers.set(Timer::Answer(*uid), answered.saturating_add(self.config.answer_timeout));
                    }
                }
            }
            Quirk::LinesRestartAnswerTimeout => {
                for uid in others.iter().filter(|uid| !away.contains(uid)) {
                    self.timers.set(Timer::Answer(*uid), now.saturating_add(self.config.answer_timeout));
                }
            }
            Quirk::HeldStuckAtClose => others.iter().for_each(|uid| self.hand_out(now, *uid)),
            Quirk::NewerBeforeStored => {
                for uid in others {
                    if let Some(stored) = self.broken.withheld.remove(&uid) {
                        self.put_back(uid, stored);
                        self.send_again(uid, |line_number| line_number != number);
                    }
                }
            }
            _ => {}
        }
    }

    pub(super) fn forget(&mut self, uid: Uid, which: impl Fn(u64) -> bool) {
        let Some(mailbox) = self.mailboxes.get_mut(&uid) else { return };
        let gone: Vec<_> =
            mailbox.lines.iter().filter(|(number, _)| which(**number)).map(|(n, l)| (*n, l.clone())).collect();
        for (number, line) in gone {
            mailbox.forget(number, line.sid);
            self.stored.lines -= 1;
            self.stored.bytes -= line.text.len();
        }
    }

    pub(super) fn faulty_recipient_decided(&mut self, fault: Quirk, number: u64, recipient: Uid, failed: bool) {
        let leaving = self.broken.leaving;
        self.broken.orphan_decided(number, recipient);
        if fault == Quirk::LeaverAwaitedByAuthor && leaving {
            return;
        }
        let mut failed = failed;
        if let Some(message) = self.messages.get_mut(&number) {
            match fault {
                Quirk::MsgResAfterFirst if !leaving => {
                    message.undecided.retain(|uid| *uid == recipient);
                    message.undecided.insert(recipient);
                }
                Quirk::OnlyLastCounts => message.failed = false,
                Quirk::ErrorsForgotten => failed = false,
                Quirk::ReplacedErrorForgotten if failed => {
                    self.broken.failed_by.insert((number, recipient));
                }
                Quirk::LateErrorsForgotten if failed && !message.undecided.contains(&recipient) => {
                    self.broken.late_errors.insert(number);
                }
                Quirk::LateErrorsForgotten if leaving && self.broken.late_errors.contains(&number) => {
                    message.failed = false;
                }
                Quirk::LeaverIsAnError if leaving && message.undecided.contains(&recipient) => failed = true,
                _ => {}
            }
        }
        self.recipient_decided(number, recipient, failed);
    }

    /// What recipients that are offline do to an author's msg_res.
    pub(super) fn offline_recipients(&mut self, number: u64, others: &[Uid]) {
        let away: Vec<Uid> = others.iter().copied().filter(|uid| !self.is_online(*uid)).collect();
        let Some(message) = self.messages.get_mut(&number) else { return };
        if self.broken.is(Quirk::OfflineIsAnError) && !away.is_empty() {
            message.failed = true;
        }
        if self.broken.is(Quirk::OfflineAwaitedByAuthor) {
            message.undecided.extend(away);
        }
    }

    pub(super) fn reorders(fault: Quirk) -> bool {
        matches!(
            fault,
            Quirk::NewestStoredFirst
                | Quirk::StoredBySession
                | Quirk::RestoredBehindNew
                | Quirk::OrderByAuthor
                | Quirk::OrderDiffers
                | Quirk::StoredOnRequest
                | Quirk::NewerBeforeStored
        )
    }

    /// Takes a user's mailbox away, so that nothing of it is sent.
    pub(super) fn take_stored(&mut self, uid: Uid) -> Option<Mailbox> {
        let withheld = self.broken.withheld.remove(&uid);
        if let Some(withheld) = withheld {
            self.put_back(uid, withheld);
        }
        self.mailboxes.remove(&uid)
    }

    fn put_back(&mut self, uid: Uid, stored: Mailbox) {
        let mailbox = self.mailboxes.entry(uid).or_default();
        for (number, mut line) in stored.lines {
            line.sent_at = None;
            mailbox.put(number, line);
        }
    }

    /// Sends a user's stored lines, in the order of the fault.
    pub(super) fn deliver(&mut self, fault: Quirk, now: Duration, uid: Uid, stored: Option<Mailbox>) {
        let Some(stored) = stored else { return };
        if matches!(fault, Quirk::StoredOnRequest | Quirk::NewerBeforeStored) {
            self.broken.withheld.insert(uid, stored);
            return;
        }
        let bytes: usize = stored.lines.values().map(|line| line.text.len()).sum();
        if bytes > self.config.limits.unanswered_bytes {
            // Too much to be sent at once: what is wrong shows in smaller mailboxes.
            self.put_back(uid, stored);
            self.send_lines(now, uid);
            return;
        }
        let mut lines: Vec<_> = stored.lines.iter().map(|(number, line)| (*number, line.clone())).collect();
        match fault {
            Quirk::NewestStoredFirst => lines.reverse(),
            Quirk::RestoredBehindNew => {
                lines.sort_by_key(|(number, _)| (*number < self.broken.restored_up_to, *number))
            }
            Quirk::StoredBySession => lines.sort_by_key(|(number, line)| (line.sid, *number)),
            Quirk::OrderByAuthor => lines.sort_by_key(|(number, line)| (line.sid, line.author, *number)),
            _ => {
                for pair in lines.chunks_mut(2) {
                    pair.reverse();
                }
            }
        }
        let Some(id) = self.connection_of(uid) else { return };
        for (_, line) in &lines {
            self.send(id, FrameType::MsgReq, line.sid, line.author, &write_lines([&*line.text]));
        }
        self.put_back(uid, stored);
        if let Some(mailbox) = self.mailboxes.get_mut(&uid) {
            let numbers: Vec<u64> = mailbox.numbers().collect();
            for number in numbers {
                mailbox.mark_sent(number, now);
            }
        }
        self.time_answers(uid);
    }

    /// Takes out of a user's mailbox what was not sent on its connection, until something new comes for it.
    pub(super) fn withhold_held(&mut self, uid: Uid) {
        let Some(mailbox) = self.mailboxes.get_mut(&uid) else { return };
        let unsent = mailbox.lines.iter().filter(|(_, line)| line.sent_at.is_none());
        let held: Vec<_> = unsent.map(|(number, line)| (*number, line.clone())).collect();
        for (number, line) in held {
            mailbox.forget(number, line.sid);
            self.broken.withheld.entry(uid).or_default().put(number, line);
        }
    }

    /// Gives a user what was withheld.
    pub(super) fn hand_out(&mut self, now: Duration, uid: Uid) {
        if let Some(stored) = self.broken.withheld.remove(&uid) {
            self.put_back(uid, stored);
            self.send_lines(now, uid);
        }
    }

    /// Sends lines of a mailbox once more, without counting them.
    pub(super) fn send_again(&mut self, uid: Uid, which: impl Fn(u64) -> bool) {
        let Some(mailbox) = self.mailboxes.get_mut(&uid) else { return };
        let lines: Vec<_> =
            mailbox.lines.iter().filter(|(number, _)| which(**number)).map(|(_, line)| line.clone()).collect();
        for line in lines {
            self.send_to_user(uid, FrameType::MsgReq, line.sid, line.author, &write_lines([&*line.text]));
        }
    }
}
