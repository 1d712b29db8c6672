//! What the end of a connection causes, or does not.

use super::super::connection::{Phase, Sender};
use super::super::init::Invitation;
use super::super::machine::Server;
use super::super::messages::Waiting;
use super::super::{Action, ConnectionId, Ending, Violation};
use super::{Out, Quirk};
use crate::frame::{FrameType, MAC_LEN, MIN_LEN};
use crate::ids::{Sid, Uid};
use crate::login::LoginError;
use crate::payload::Presence;
use crate::quirks;

impl Server {
    pub(super) fn faulty_end(&mut self, fault: Quirk, id: ConnectionId, why: Ending) {
        if !self.connections.contains_key(&id) {
            return;
        }
        self.send_what_waits(id);
        if self.ends_habitually(fault, id, why) {
            return;
        }
        let is_violation = matches!(why, Ending::Violation(_));
        match fault {
            Quirk::HalfCloseIgnored if why == Ending::Peer => return,
            Quirk::EndIsNotOffline if why == Ending::Peer => return self.end_silently(id),
            Quirk::FarewellKeepsOnline if why == Ending::Farewell => return self.end_silently(id),
            Quirk::FarewellIgnored if why == Ending::Farewell => return,
            Quirk::PartTaken if why == Ending::Peer => self.take_part_of_frame(id),
            Quirk::ViolationAnswered if is_violation => {
                let payload = Presence::Offline.as_bytes().to_vec();
                let out = Out { typ: FrameType::StatusRes, sid: Sid::NONE, uid: Uid::SERVER, payload };
                self.send_as_it_is(id, &out);
            }
            Quirk::ViolationNoticedLate if is_violation && self.user_of(id).is_some() => {
                self.broken.late.entry(id).or_insert(why);
                return;
            }
            Quirk::BehindViolationHasEffect if is_violation && self.broken.next_in_read.is_some() => {
                self.broken.late.entry(id).or_insert(why);
                return;
            }
            Quirk::BehindFarewell if why == Ending::Farewell && self.broken.next_in_read.is_some() => {
                self.broken.late.entry(id).or_insert(why);
                return;
            }
            Quirk::StraysCloseNothing if matches!(why, Ending::Violation(Violation::Header(_))) => {
                self.broken.deaf.insert(id);
                return;
            }
            Quirk::UnknownUserWaits if is_login(why, |error| matches!(error, LoginError::UnknownUser(_))) => {
                self.broken.deaf.insert(id);
                return;
            }
            Quirk::BadEtkWaits if is_login(why, |error| matches!(error, LoginError::Etk { .. })) => {
                self.broken.deaf.insert(id);
                return;
            }
            Quirk::UnknownUserToldSo if is_login(why, |error| matches!(error, LoginError::UnknownUser(_))) => {
                let header =
                    crate::frame::Header::for_payload(FrameType::StatusRes, 1, Sid::NONE, Uid::SERVER, 0, false);
                let frame = [&header.encode()[..], &[0; MAC_LEN]].concat();
                self.queue(id, frame);
            }
            Quirk::ViolationEndsSessions if is_violation => self.close_sessions_of(id),
            Quirk::FarewellEndsSessions if why == Ending::Farewell => self.close_sessions_of(id),
            Quirk::ViolationEndsOthers if is_violation => {
                if let Some(other) = self.connections.keys().copied().filter(|other| *other != id).max() {
                    self.end(other, Ending::Peer);
                }
            }
            Quirk::ReplacedErrorForgotten if why == Ending::Replaced => {
                let uid = self.user_of(id);
                self.broken.failed_by.retain(|(_, by)| Some(*by) != uid);
                for (number, message) in &mut self.messages {
                    message.failed &= self.broken.failed_by.iter().any(|(failed, _)| failed == number);
                }
            }
            Quirk::OverdueStays if why == Ending::AnswerTimeout => return self.decide_for(id),
            _ => {}
        }
        if let Some(uid) = self.user_of(id) {
            self.leaves(fault, id, uid);
        }
        self.broken.leaving = true;
        self.broken.putting_out = !matches!(why, Ending::Peer | Ending::Replaced);
        self.end(id, why);
        self.broken.putting_out = false;
        self.broken.leaving = false;
    }

    /// What is pending on a connection, before its end decides it.
    fn leaves(&mut self, fault: Quirk, id: ConnectionId, uid: Uid) {
        let open: Vec<Sid> = self.member(id).map(|m| m.invited_to.iter().copied().collect()).unwrap_or_default();
        for sid in open {
            self.broken.left_undecided.insert((sid, uid));
        }
        self.broken.answered_at.remove(&uid);
        self.broken.init_arrivals.remove(&uid);
        match fault {
            Quirk::LeaverAwaited => {
                if let Some(member) = self.member(id) {
                    member.invited_to.clear();
                }
            }
            Quirk::AcceptedMustStay => {
                let sids: Vec<Sid> = self.inits.keys().copied().collect();
                for sid in sids {
                    let invited = self.inits.get_mut(&sid).into_iter().flat_map(|init| &mut init.invited);
                    invited.filter(|entry| entry.0 == uid).for_each(|entry| entry.1 = Invitation::Denied);
                }
            }
            Quirk::SentIsForgotten => self.forget_sent(uid),
            Quirk::AuthorGoneRecalls => {
                for number in self.awaited_by(id) {
                    self.recall(number);
                }
            }
            Quirk::OrphansFailAtClose => {
                for number in self.awaited_by(id) {
                    let Some(message) = self.messages.get(&number) else { continue };
                    self.broken.orphans.insert(number, (uid, message.sid, message.undecided.clone()));
                }
            }
            Quirk::MsgResAfterReturn => {
                let sids = self.member(id).map(|member| member.unanswered.keys().copied().collect());
                self.broken.answers_later.insert(uid, sids.unwrap_or_default());
            }
            _ => {}
        }
    }

    fn awaited_by(&mut self, id: ConnectionId) -> Vec<u64> {
        let Some(member) = self.member(id) else { return Vec::new() };
        let number = |waiting: &Waiting| match waiting {
            Waiting::Accepted(number) => Some(*number),
            Waiting::Refused(_) => None,
        };
        member.unanswered.values().flatten().filter_map(number).collect()
    }

    /// Takes the lines of a message from everybody.
    fn recall(&mut self, number: u64) {
        for mailbox in self.mailboxes.values_mut() {
            if let Some(line) = mailbox.lines.get(&number).cloned() {
                mailbox.forget(number, line.sid);
                self.stored.lines -= 1;
                self.stored.bytes -= line.text.len();
            }
        }
    }

    /// Takes a user's lines that were sent.
    pub(super) fn forget_sent(&mut self, uid: Uid) {
        let Some(mailbox) = self.mailboxes.get_mut(&uid) else { return };
        let sent: Vec<_> =
            mailbox.lines.iter().filter(|(_, line)| line.sent_at.is_some()).map(|(n, l)| (*n, l.clone())).collect();
        for (number, line) in &sent {
            mailbox.forget(*number, line.sid);
            self.stored.lines -= 1;
            self.stored.bytes -= line.text.len();
        }
        for (number, _) in sent {
            self.recipient_decided(number, uid, false);
        }
    }

    fn decide_for(&mut self, id: ConnectionId) {
        let Some(uid) = self.user_of(id) else { return };
        let numbers: Vec<u64> = self.mailboxes.get(&uid).map(|m| m.numbers().collect()).unwrap_or_default();
        for number in numbers {
            self.recipient_decided(number, uid, false);
        }
    }

    /// The connection is gone, and nobody notices that the user is.
    fn end_silently(&mut self, id: ConnectionId) {
        self.connections.remove(&id);
        self.actions.push_back(Action::Close(id));
    }

    fn close_sessions_of(&mut self, id: ConnectionId) {
        let Some(uid) = self.user_of(id) else { return };
        let sids: Vec<Sid> =
            self.sessions.iter().filter(|(_, roster)| roster.contains(&uid)).map(|(sid, _)| *sid).collect();
        for sid in sids {
            let _refused = self.close(self.broken.now, sid, uid);
        }
    }

    fn take_part_of_frame(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(&id) else { return };
        let Phase::LoggedIn(member) = &connection.phase else { return };
        let Some(header) = connection.deframer.header() else { return };
        let mut frame = connection.deframer.so_far().to_vec();
        if frame.len() + MAC_LEN < usize::from(header.len) || frame.len() < MIN_LEN - MAC_LEN {
            return;
        }
        frame.resize(usize::from(header.len), 0);
        let (plain, _) = quirks::decrypt(member.channel.cipher_in(), &frame);
        let from = Sender { id, uid: member.channel.uid };
        let _violation = self.dispatch(self.broken.now, from, &header, &plain);
    }
}

fn is_login(why: Ending, which: impl Fn(&LoginError) -> bool) -> bool {
    matches!(why, Ending::Violation(Violation::Login(error)) if which(&error))
}
