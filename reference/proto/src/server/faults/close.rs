//! Close: who may, who hears of it, what becomes of what waits.

use core::time::Duration;

use super::super::Violation;
use super::super::connection::Sender;
use super::super::machine::Server;
use super::super::messages::Waiting;
use super::super::refusal::Refusal;
use super::super::timers::Timer;
use super::{Done, Out, Quirk};
use crate::frame::{FrameType, Header};
use crate::ids::{Sid, Uid};
use crate::payload::PayloadError;

impl Server {
    #[allow(clippy::ptr_arg, reason = "one signature for all layers")]
    pub(super) fn close_dispatch(
        &mut self,
        fault: Quirk,
        now: Duration,
        from: Sender,
        header: &mut Header,
        payload: &mut Vec<u8>,
    ) -> Done {
        if header.kind()? != FrameType::CloseReq || !payload.is_empty() {
            return None;
        }
        let sid = header.sid;
        let say_ok = |server: &mut Self| {
            server.send(from.id, FrameType::CloseRes, sid, Uid::SERVER, b"OK");
            Some(Ok(()))
        };
        let roster = self.sessions.get(&sid).cloned();
        let takes_part = roster.as_ref().is_some_and(|roster| roster.contains(&from.uid));
        let pending = self.inits.get(&sid).map(|init| init.creator);
        let known = self.broken.sids.contains(&sid);
        match fault {
            Quirk::OnlyCreatorCloses if takes_part && roster.as_ref()?.first() != Some(&from.uid) => {
                self.refuse_close(from, sid)
            }
            Quirk::LastMayNotClose if takes_part && roster.as_ref()?.last() == Some(&from.uid) => {
                self.refuse_close(from, sid)
            }
            Quirk::OutsiderCloses | Quirk::LapsedCloses | Quirk::AbsentCloses if !takes_part => {
                let who = (sid, from.uid);
                let is_meant = match fault {
                    Quirk::LapsedCloses => self.broken.lapsed.contains(&who),
                    Quirk::AbsentCloses => self.broken.offline_invited.contains(&who),
                    _ => true,
                };
                if !is_meant {
                    return None;
                }
                roster.as_ref()?;
                let _refused = self.around_close(now, sid, from.uid);
                say_ok(self)
            }
            Quirk::CreatorClosesPending if pending?.uid == from.uid => {
                self.creator_left(sid);
                if let Some(member) = self.member(from.id) {
                    member.own_init = None;
                }
                self.due_inits.push_back(from.id);
                say_ok(self)
            }
            Quirk::InvitedClosesPending if self.member(from.id)?.invited_to.contains(&sid) => {
                let creator = pending?;
                self.creator_left(sid);
                if let Some(member) = self.member(creator.id) {
                    member.own_init = None;
                }
                self.refuse(creator, FrameType::InitRes, Sid::NONE, Refusal::NobodyAccepted);
                self.due_inits.push_back(creator.id);
                say_ok(self)
            }
            Quirk::UnknownClosed if !known => say_ok(self),
            Quirk::ClosedTwice
                if self.broken.closed.contains(&sid)
                    && self.broken.rosters.get(&sid).is_some_and(|roster| roster.contains(&from.uid)) =>
            {
                say_ok(self)
            }
            Quirk::BadCloseEndsConnection if !known => {
                Some(Err(Violation::Payload { typ: FrameType::CloseReq, error: PayloadError::Empty }))
            }
            Quirk::OutsiderTold if roster.is_some() && !takes_part => {
                self.refuse(from, FrameType::CloseRes, sid, Refusal::Yourself);
                Some(Ok(()))
            }
            _ => None,
        }
    }

    fn refuse_close(&mut self, from: Sender, sid: Sid) -> Done {
        self.refuse(from, FrameType::CloseRes, sid, Refusal::NoSession);
        Some(Ok(()))
    }

    pub(super) fn faulty_close(&mut self, fault: Quirk, now: Duration, sid: Sid, closer: Uid) -> Result<(), Refusal> {
        let Some(roster) = self.sessions.get(&sid).cloned() else { return Err(Refusal::NoSession) };
        let online: Vec<Sender> =
            roster.iter().filter_map(|uid| Some(Sender { id: self.connection_of(*uid)?, uid: *uid })).collect();
        let due: Vec<(Uid, Duration)> =
            online.iter().filter_map(|who| Some((who.uid, self.timers.at(Timer::Answer(who.uid))?))).collect();
        let kept = self.lines_that_outlive(fault, sid, &roster);
        if fault == Quirk::HeldStuckAtClose {
            online.iter().for_each(|who| self.withhold_held(who.uid));
        }
        let mut afterwards = Vec::new();
        for author in &online {
            afterwards.extend(self.waiting_at_close(fault, *author, sid, closer));
        }
        if fault == Quirk::NobodyNotified {
            self.broken.mute = Some(FrameType::CloseRes);
        }
        for author in &online {
            let orphans = self.broken.orphans.values();
            for _ in 0..orphans.filter(|orphan| orphan.0 == author.uid && orphan.1 == sid).count() {
                self.refuse(*author, FrameType::MsgRes, sid, Refusal::Closed);
            }
        }
        self.broken.told = (fault == Quirk::CloseTellsHundred).then_some(0);
        let before = self.stored.lines;
        let closed = self.close(now, sid, closer);
        self.broken.deleted += before.saturating_sub(self.stored.lines);
        self.broken.mute = None;
        self.broken.told = None;
        closed?;
        self.broken.closed.insert(sid);
        for (author, out) in afterwards {
            self.broken.delayed.push((now, author.id, out));
        }
        for mut line in kept {
            if fault == Quirk::HeldOutliveClose {
                // Behind what was sent meanwhile, or it would pass for sent.
                line.number = self.next_message;
                self.next_message += 1;
            }
            let recipient = line.recipient;
            self.put_into_mailbox(line);
            if fault == Quirk::HeldOutliveClose {
                self.send_lines(now, recipient);
            }
        }
        match fault {
            Quirk::ClosedLinesCount => {
                for (uid, at) in due {
                    self.timers.set(Timer::Answer(uid), at);
                }
            }
            Quirk::CloseRestartsAnswerTimeout => {
                for (uid, _) in due {
                    if self.timers.is_set(Timer::Answer(uid)) {
                        self.timers.set(Timer::Answer(uid), now.saturating_add(self.config.answer_timeout));
                    }
                }
            }
            Quirk::CloseForgetsLastAnswer => {
                for uid in roster.iter() {
                    if let Some(mailbox) = self.mailboxes.get_mut(uid) {
                        mailbox.last_answer = None;
                    }
                    self.time_answers(*uid);
                }
            }
            Quirk::CloserNotified => self.send_to_user(closer, FrameType::CloseRes, sid, closer, b"OK"),
            Quirk::OfflineNotifiedLater => {
                let away: Vec<Uid> = roster.iter().copied().filter(|uid| self.connection_of(*uid).is_none()).collect();
                for uid in away {
                    self.broken.notices_later.entry(uid).or_default().push((sid, closer));
                }
            }
            Quirk::InvitedNotified => {
                let invited = self.broken.invited.get(&sid).cloned().unwrap_or_default();
                for (uid, _) in invited.iter().filter(|(uid, _)| !roster.contains(uid)) {
                    self.send_to_user(*uid, FrameType::CloseRes, sid, closer, b"OK");
                }
            }
            Quirk::ClosedSidReused => self.broken.reusable.push(sid),
            _ => {}
        }
        Ok(())
    }

    fn lines_that_outlive(&self, fault: Quirk, sid: Sid, roster: &[Uid]) -> Vec<super::StoredLine> {
        let mut kept = Vec::new();
        for uid in roster {
            let online = self.connection_of(*uid).is_some();
            let keeps = match fault {
                Quirk::StoredOutliveClose => !online,
                Quirk::UnansweredOutliveClose | Quirk::HeldOutliveClose => online,
                _ => false,
            };
            let lines = self.mailboxes.get(uid).filter(|_| keeps).into_iter().flat_map(|mailbox| &mailbox.lines);
            let held = |line: &super::super::mailbox::Line| fault != Quirk::HeldOutliveClose || line.sent_at.is_none();
            kept.extend(lines.filter(|(_, line)| line.sid == sid && held(line)).map(|(number, line)| {
                super::StoredLine {
                    number: *number,
                    sid,
                    author: line.author,
                    recipient: *uid,
                    text: line.text.clone(),
                }
            }));
        }
        kept
    }

    /// What becomes of an author's msg_req that wait: now, and (given back) afterwards.
    fn waiting_at_close(&mut self, fault: Quirk, author: Sender, sid: Sid, closer: Uid) -> Vec<(Sender, Out)> {
        let takes = match fault {
            Quirk::WaitingBecomesOk | Quirk::WaitingDropped | Quirk::WaitingAfterClose => true,
            Quirk::OnlyClosersWaiting => author.uid != closer,
            _ => false,
        };
        if !takes {
            return Vec::new();
        }
        let queue = self.member(author.id).and_then(|member| member.unanswered.remove(&sid)).unwrap_or_default();
        let mut later = Vec::new();
        for waiting in queue {
            if let Waiting::Accepted(number) = waiting {
                self.messages.remove(&number);
            }
            let payload = super::requests::error_text(Refusal::Closed);
            match fault {
                Quirk::WaitingBecomesOk => {
                    self.send(author.id, FrameType::MsgRes, sid, Uid::SERVER, b"OK");
                }
                Quirk::WaitingAfterClose => {
                    later.push((author, Out { typ: FrameType::MsgRes, sid, uid: Uid::SERVER, payload }));
                }
                _ => {}
            }
        }
        later
    }
}
