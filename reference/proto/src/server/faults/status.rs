//! Status: what is said about the server and about sessions.

use core::time::Duration;

use super::super::connection::Sender;
use super::super::machine::Server;
use super::{Done, Out, Quirk};
use crate::frame::{FrameType, Header};
use crate::ids::{Sid, Uid};

impl Server {
    pub(super) fn status_dispatch(
        &mut self,
        fault: Quirk,
        now: Duration,
        from: Sender,
        header: &mut Header,
        payload: &mut Vec<u8>,
    ) -> Done {
        let sid = header.sid;
        match header.kind()? {
            FrameType::StatusReq if payload.is_empty() => {
                match fault {
                    Quirk::StoredOnRequest => self.hand_out(now, from.uid),
                    Quirk::ResentOnStatus => {
                        let sent = |server: &Self| -> Vec<u64> {
                            let lines = server.mailboxes.get(&from.uid).into_iter().flat_map(|m| &m.lines);
                            lines.filter(|(_, line)| line.sent_at.is_some()).map(|(number, _)| *number).collect()
                        };
                        let sent = sent(self);
                        self.send_again(from.uid, |number| sent.contains(&number));
                    }
                    _ => {}
                }
                if sid == Sid::NONE { self.about_server(fault, from) } else { self.about_session(fault, from, sid) }
            }
            FrameType::StatusRes if payload == b"Offline" => match fault {
                Quirk::FarewellOnlySidZero if sid != Sid::NONE => Some(Ok(())),
                _ => None,
            },
            _ => None,
        }
    }

    fn about_server(&mut self, fault: Quirk, from: Sender) -> Done {
        match fault {
            Quirk::StatusUnanswered if self.sessions.values().any(|roster| roster.contains(&from.uid)) => Some(Ok(())),
            Quirk::StatusOfflineBusy if self.member(from.id)?.own_init.is_some() => {
                self.say(from, Sid::NONE, Uid::SERVER, false);
                Some(Ok(()))
            }
            _ => None,
        }
    }

    fn about_session(&mut self, fault: Quirk, from: Sender, sid: Sid) -> Done {
        match fault {
            Quirk::ClosedIsOnline
                if self.broken.closed.contains(&sid)
                    && self.broken.rosters.get(&sid).is_some_and(|roster| roster.contains(&from.uid)) =>
            {
                self.say(from, sid, Uid::SERVER, true);
                return Some(Ok(()));
            }
            Quirk::PendingSeen if self.inits.get(&sid).is_some_and(|init| init.creator.uid == from.uid) => {
                self.say(from, sid, from.uid, true);
                self.say(from, sid, Uid::SERVER, true);
                return Some(Ok(()));
            }
            _ => {}
        }
        let roster = self.sessions.get(&sid).cloned()?;
        let takes_part = roster.contains(&from.uid);
        if !takes_part && fault != Quirk::OutsiderSeesRoster {
            return None;
        }
        let mut members = roster.to_vec();
        match fault {
            Quirk::RosterOf121 => members.truncate(121),
            Quirk::RosterSorted => members.sort_unstable(),
            Quirk::RosterReversed => members.reverse(),
            Quirk::RosterByAnswer => members.sort_by_key(|uid| *uid != from.uid),
            Quirk::RosterWithoutAsker => members.retain(|uid| *uid != from.uid),
            Quirk::RosterOnlineOnly => members.retain(|uid| self.is_online(*uid)),
            Quirk::RosterWithDecliners => {
                let invited = self.broken.invited.get(&sid).cloned().unwrap_or_default();
                members = [roster[0]].into_iter().chain(invited.into_iter().map(|(uid, _)| uid)).collect();
            }
            Quirk::OutsiderSeesRoster
            | Quirk::RosterEndFirst
            | Quirk::PresenceFromStart
            | Quirk::PresenceSticky
            | Quirk::AskerOnlyOnline
            | Quirk::AnswersMixed
            | Quirk::OnlineAtStep2
            | Quirk::ReplayOnline => {}
            _ => return None,
        }
        let mut answer: Vec<(Uid, bool)> =
            members.into_iter().map(|uid| (uid, self.presence(fault, from, sid, uid))).collect();
        answer.push((Uid::SERVER, true));
        if fault == Quirk::RosterEndFirst {
            answer.rotate_right(1);
        }
        if fault == Quirk::AnswersMixed {
            let out = |(uid, online)| said(sid, uid, online);
            self.broken.answers.push(answer.into_iter().map(out).collect());
            self.broken.answers_to = Some(from.id);
            return Some(Ok(()));
        }
        for (uid, online) in answer {
            self.say(from, sid, uid, online);
        }
        Some(Ok(()))
    }

    fn presence(&mut self, fault: Quirk, from: Sender, sid: Sid, uid: Uid) -> bool {
        let online = self.is_online(uid);
        match fault {
            Quirk::PresenceFromStart => self.broken.online_at_start.get(&sid).is_some_and(|then| then.contains(&uid)),
            Quirk::PresenceSticky => {
                if online {
                    self.broken.seen_online.insert((sid, uid));
                }
                self.broken.seen_online.contains(&(sid, uid))
            }
            Quirk::AskerOnlyOnline => uid == from.uid,
            Quirk::OnlineAtStep2 | Quirk::ReplayOnline => {
                online || self.broken.shown.values().any(|shown| *shown == uid)
            }
            _ => online,
        }
    }

    fn say(&mut self, to: Sender, sid: Sid, uid: Uid, online: bool) {
        let out = said(sid, uid, online);
        self.send(to.id, out.typ, out.sid, out.uid, &out.payload);
    }

    /// The answers of one read, frame by frame in turn.
    pub(super) fn flush_mixed_answers(&mut self) {
        let Some(to) = self.broken.answers_to.take() else { return };
        let mut answers = core::mem::take(&mut self.broken.answers);
        while answers.iter().any(|answer| !answer.is_empty()) {
            for answer in &mut answers {
                if !answer.is_empty() {
                    let out = answer.remove(0);
                    self.send_as_it_is(to, &out);
                }
            }
        }
    }
}

fn said(sid: Sid, uid: Uid, online: bool) -> Out {
    let payload = if online { b"Online".to_vec() } else { b"Offline".to_vec() };
    Out { typ: FrameType::StatusRes, sid, uid, payload }
}
