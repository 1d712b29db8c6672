//! Init: who is invited, what decides, what comes of it.

use core::time::Duration;
use std::collections::VecDeque;

use super::super::connection::{Phase, Sender};
use super::super::init::{Invitation, MAX_INVITED};
use super::super::machine::Server;
use super::super::refusal::Refusal;
use super::super::timers::Timer;
use super::{Done, Out, Quirk};
use crate::frame::{FrameType, Header};
use crate::ids::{Sid, Uid};
use crate::payload::{parse_init_req, write_init_req};

/// An odd number: multiples of it do not meet within 2^64.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Server {
    pub(super) fn init_dispatch(
        &mut self,
        fault: Quirk,
        _now: Duration,
        from: Sender,
        header: &mut Header,
        payload: &mut Vec<u8>,
    ) -> Done {
        match header.kind()? {
            FrameType::InitReq => self.faulty_init_req(fault, from, header, payload),
            FrameType::InviteRes => self.faulty_invite_res(fault, from, header, payload),
            FrameType::InviteReq if fault == Quirk::InviteReqFromClient => {
                let roster = self.sessions.get(&header.sid).cloned()?;
                for other in roster.iter().filter(|uid| **uid != from.uid) {
                    self.send_to_user(*other, FrameType::InviteReq, header.sid, from.uid, b"");
                }
                Some(Ok(()))
            }
            _ => None,
        }
    }

    fn faulty_init_req(&mut self, fault: Quirk, from: Sender, header: &mut Header, payload: &mut Vec<u8>) -> Done {
        if fault == Quirk::SecondInitRefused && self.member(from.id)?.own_init.is_some() {
            self.refuse(from, FrameType::InitRes, Sid::NONE, Refusal::Waiting);
            return Some(Ok(()));
        }
        let refuse = |server: &mut Self, refusal| {
            server.refuse(from, FrameType::InitRes, Sid::NONE, refusal);
            Some(Ok(()))
        };
        match fault {
            Quirk::JudgedOnArrival if self.member(from.id)?.own_init.is_some() => {
                let Ok(mut invited) = self.judge_init(from.uid, header.sid, payload) else { return None };
                invited.retain(|uid| self.is_online(*uid));
                let request = if invited.is_empty() { Err(Refusal::Nobody) } else { Ok(invited) };
                self.member(from.id)?.waiting_inits.push_back(request);
                return Some(Ok(()));
            }
            Quirk::QueuedTimedFromArrival if parse_init_req(payload).is_ok() => {
                self.broken.init_arrivals.entry(from.uid).or_default().push_back(self.broken.now);
            }
            Quirk::QueueOfThree if self.member(from.id)?.waiting_inits.len() >= 3 => return Some(Ok(())),
            Quirk::InitSidIgnored => header.sid = Sid::NONE,
            Quirk::UpperCaseUid => payload.make_ascii_lowercase(),
            Quirk::ShortUid => *payload = pad_uids(payload),
            Quirk::InvitesBeforeCheck => self.invite_before_check(from, payload),
            Quirk::SecondInitAtOnce => {
                if let Some(member) = self.member(from.id) {
                    member.own_init = None;
                }
            }
            Quirk::StrangersOvertakeInit | Quirk::CrowdsOvertakeInit if self.member(from.id)?.own_init.is_some() => {
                match (fault, self.judge_init(from.uid, header.sid, payload)) {
                    (Quirk::StrangersOvertakeInit, Err(refusal @ Refusal::UnknownUser(_)))
                    | (Quirk::CrowdsOvertakeInit, Err(refusal @ Refusal::TooMany(_))) => return refuse(self, refusal),
                    _ => {}
                }
            }
            Quirk::ErrorOvertakesInit => {
                if let Err(refusal) = self.judge_init(from.uid, header.sid, payload) {
                    return refuse(self, refusal);
                }
            }
            Quirk::OneInitAtATime if self.inits.values().any(|init| init.creator.uid != from.uid) => {
                return refuse(self, Refusal::Sessions);
            }
            Quirk::BusyCreatorRefused if self.is_busy(from.uid) => return refuse(self, Refusal::Sessions),
            _ => {}
        }
        let Ok(invited) = parse_init_req(payload) else { return None };
        let keep: Vec<Uid> = match fault {
            Quirk::TwiceIsOnce => {
                let mut seen = Vec::new();
                invited.iter().for_each(|uid| {
                    if !seen.contains(uid) {
                        seen.push(*uid);
                    }
                });
                seen
            }
            Quirk::SelfDropped => invited.iter().copied().filter(|uid| *uid != from.uid).collect(),
            Quirk::ServerDropped => invited.iter().copied().filter(|uid| *uid != Uid::SERVER).collect(),
            Quirk::UnknownDropped => {
                let known = |uid: &Uid| *uid == Uid::SERVER || self.directory.contains_key(uid);
                invited.iter().copied().filter(known).collect()
            }
            Quirk::OneSessionAUser => invited.iter().copied().filter(|uid| !self.is_busy(*uid)).collect(),
            Quirk::OneTooManyTaken if invited.len() == MAX_INVITED + 1 => {
                self.member(from.id)?.waiting_inits.push_back(Ok(invited));
                self.due_inits.push_back(from.id);
                return Some(Ok(()));
            }
            _ => return None,
        };
        *payload = write_init_req(&keep);
        None
    }

    fn is_busy(&self, uid: Uid) -> bool {
        self.sessions.values().any(|roster| roster.contains(&uid))
    }

    fn invite_before_check(&mut self, from: Sender, payload: &[u8]) {
        if self.judge_init(from.uid, Sid::NONE, payload).is_ok() {
            return;
        }
        let good = payload.split_inclusive(|byte| *byte == b'\n').map_while(|line| {
            let uid = str::from_utf8(line).ok()?.strip_suffix('\n')?.parse::<Uid>().ok()?;
            (uid != from.uid && self.directory.contains_key(&uid)).then_some(uid)
        });
        for uid in good.collect::<Vec<_>>() {
            self.send_to_user(uid, FrameType::InviteReq, Sid(STEP), from.uid, b"");
        }
    }

    fn faulty_invite_res(&mut self, fault: Quirk, from: Sender, header: &mut Header, payload: &[u8]) -> Done {
        let sid = header.sid;
        let accepts = payload == b"Accept";
        let entry = |server: &Self| -> Option<Invitation> {
            let init = server.inits.get(&sid)?;
            init.invited.iter().find(|(uid, _)| *uid == from.uid).map(|(_, invitation)| *invitation)
        };
        match fault {
            Quirk::AcceptOfAnySid if accepts => {
                let member = self.member(from.id)?;
                if !member.invited_to.contains(&sid) && member.invited_to.len() == 1 {
                    header.sid = *member.invited_to.first()?;
                }
            }
            Quirk::UninvitedJoins if accepts && entry(self).is_none() => {
                self.inits.get_mut(&sid)?.invited.push((from.uid, Invitation::Accepted));
            }
            Quirk::AbsentJoins if accepts && self.broken.offline_invited.contains(&(sid, from.uid)) => {
                self.set_decision(sid, from.uid, Invitation::Accepted);
            }
            Quirk::DecisionChanges if accepts && entry(self) == Some(Invitation::Denied) => {
                self.set_decision(sid, from.uid, Invitation::Accepted);
            }
            Quirk::BackToAnswer if accepts && self.broken.left_undecided.contains(&(sid, from.uid)) => {
                self.set_decision(sid, from.uid, Invitation::Accepted);
            }
            Quirk::AcceptTakenBack if payload == b"Deny" && entry(self) == Some(Invitation::Accepted) => {
                self.set_decision(sid, from.uid, Invitation::Denied);
            }
            Quirk::LateAcceptJoins if accepts => {
                let was_invited = self.broken.invited.get(&sid)?.iter().any(|(uid, _)| *uid == from.uid);
                let roster = self.sessions.get(&sid)?;
                if was_invited && !roster.contains(&from.uid) {
                    let roster: Vec<Uid> = roster.iter().copied().chain([from.uid]).collect();
                    self.sessions.insert(sid, roster.into());
                }
            }
            _ => {}
        }
        None
    }

    fn set_decision(&mut self, sid: Sid, user: Uid, decision: Invitation) {
        let invited = self.inits.get_mut(&sid).into_iter().flat_map(|init| &mut init.invited);
        invited.filter(|(uid, _)| *uid == user).for_each(|entry| entry.1 = decision);
    }

    /// What has to be looked after once an init may have begun or an answer may have come.
    pub(super) fn init_afterwards(&mut self, fault: Quirk, now: Duration, header: &Header) {
        match (fault, header.kind()) {
            (_, Some(FrameType::InitReq)) => {
                // Its turn comes when the frame is done with: here and now for what follows.
                self.settle(now);
                self.note_new_inits(fault);
            }
            (Quirk::InviteTimeoutRestarts, Some(FrameType::InviteRes)) if self.inits.contains_key(&header.sid) => {
                self.timers.set(Timer::Invite(header.sid), now.saturating_add(self.config.invite_timeout));
            }
            _ => {}
        }
        if fault == Quirk::StrayAcceptLater {
            for uid in self.broken.early_accepts.clone() {
                let open = self.connection_of(uid).and_then(|id| self.member(id)?.invited_to.pop_first());
                if let Some(sid) = open {
                    self.broken.early_accepts.remove(&uid);
                    self.decide(sid, uid, Invitation::Accepted);
                }
            }
        }
    }

    fn note_new_inits(&mut self, fault: Quirk) {
        let new: Vec<_> = self
            .inits
            .iter()
            .filter(|(sid, _)| !self.broken.creators.contains_key(sid))
            .map(|(sid, init)| (*sid, init.creator.uid, init.invited.clone()))
            .collect();
        for (sid, creator, invited) in new {
            self.broken.creators.insert(sid, creator);
            let away: Vec<Uid> = invited.iter().filter(|(_, i)| *i == Invitation::Denied).map(|(u, _)| *u).collect();
            for uid in away {
                self.broken.offline_invited.insert((sid, uid));
                match fault {
                    Quirk::OfflineInvitedLater => {
                        self.broken.invites_later.entry(uid).or_default().push((sid, creator));
                    }
                    Quirk::OfflineAwaited => self.set_decision(sid, uid, Invitation::Undecided),
                    Quirk::InvitesAtStep2 => self.invite_half_logged_in(sid, creator, uid),
                    _ => {}
                }
            }
            if fault == Quirk::InvitesCreator {
                self.send_to_user(creator, FrameType::InviteReq, sid, creator, b"");
            }
            self.broken.invited.insert(sid, invited);
        }
    }

    /// An invitation leaves: the timer of its init was set just before.
    pub(super) fn time_from_arrival(&mut self, sid: Sid, creator: Uid) {
        if self.broken.timed.insert(sid)
            && let Some(arrival) = self.broken.init_arrivals.get_mut(&creator).and_then(VecDeque::pop_front)
        {
            self.timers.set(Timer::Invite(sid), arrival.saturating_add(self.config.invite_timeout));
        }
    }

    fn invite_half_logged_in(&mut self, sid: Sid, creator: Uid, uid: Uid) {
        let shown = self.broken.shown.iter().find(|(_, shown)| **shown == uid).map(|(id, _)| *id);
        let Some(id) = shown else { return };
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Phase::Answer(half) = &mut connection.phase else { return };
        let sealer = half.sealer();
        let Some(sqn) = sealer.next() else { return };
        sealer.go_on_at(sqn.checked_add(1));
        let header = Header::for_payload(FrameType::InviteReq, sqn, sid, creator, 0, false);
        let frame = sealer.cipher().seal(&header, b"", None);
        self.queue(id, frame);
    }

    pub(super) fn faulty_sid(&mut self, fault: Quirk) -> Result<Sid, Refusal> {
        let sid = match fault {
            Quirk::SidsCounted => {
                self.broken.drawn += 1;
                Some(Sid(0x5150 + self.broken.drawn))
            }
            Quirk::SidsAnewAfterRestart => {
                self.broken.drawn += 1;
                Some(Sid(STEP.wrapping_mul(self.broken.drawn)))
            }
            Quirk::SidsHigh | Quirk::SidsLow | Quirk::SidsApart => loop {
                // Whatever an earlier process gave out is passed over (INIT-03).
                let Some(sid) = self.habitual_sid(fault) else { break None };
                if self.store.reserve(sid).is_ok_and(|fresh| fresh) {
                    return Ok(sid);
                }
            },
            _ => self.broken.reusable.pop(),
        };
        match sid {
            Some(sid) => {
                let _given_out_before = self.store.reserve(sid);
                Ok(sid)
            }
            None => self.draw_sid(),
        }
    }

    pub(super) fn faulty_decide(&mut self, fault: Quirk, sid: Sid, uid: Uid, decision: Invitation) {
        if decision == Invitation::Accepted {
            self.broken.accepted.entry(sid).or_default().push(uid);
        }
        self.note_new_inits(fault);
        let first = match decision {
            Invitation::Accepted => fault == Quirk::InitResAtFirstAccept,
            _ => fault == Quirk::InitResAtFirstDeny,
        };
        let is_open = self.inits.get(&sid).is_some_and(|init| init.invited.contains(&(uid, Invitation::Undecided)));
        if first && is_open {
            self.set_decision(sid, uid, decision);
            let invited = self.inits.get_mut(&sid).into_iter().flat_map(|init| &mut init.invited);
            for entry in invited {
                let others = fault == Quirk::InitResAtFirstDeny || entry.1 == Invitation::Undecided;
                if others {
                    entry.1 = Invitation::Denied;
                }
            }
            self.around_conclude(sid);
            return;
        }
        self.decide(sid, uid, decision);
        // A changed decision may have been the last that was missing, or none at all.
        if matches!(fault, Quirk::OfflineAwaited) {
            self.around_conclude(sid);
        }
    }

    pub(super) fn faulty_conclude(&mut self, fault: Quirk, sid: Sid) {
        let Some(init) = self.inits.get(&sid) else { return };
        self.broken.invited.insert(sid, init.invited.clone());
        let creator = init.creator;
        let undecided = init.invited.iter().any(|(_, invitation)| *invitation == Invitation::Undecided);
        self.conclude(sid);
        let failed = !undecided && !self.sessions.contains_key(&sid);
        if failed && fault == Quirk::FailedSidReused {
            self.broken.reusable.push(sid);
        }
        let forgets = match fault {
            Quirk::QueuedInitForgotten => failed,
            Quirk::QueuedInitLostByEnding => !undecided && self.broken.putting_out,
            _ => false,
        };
        if forgets && let Some(member) = self.member(creator.id) {
            member.waiting_inits.clear();
        }
    }

    pub(super) fn faulty_go_live(
        &mut self,
        fault: Quirk,
        sid: Sid,
        creator: Uid,
        accepted: &[Uid],
    ) -> Result<(), Refusal> {
        let invited = self.broken.invited.get(&sid).cloned().unwrap_or_default();
        let denied = invited.iter().any(|(_, invitation)| *invitation == Invitation::Denied);
        let away = |uid: &Uid| self.broken.offline_invited.contains(&(sid, *uid));
        let mut accepted = accepted.to_vec();
        match fault {
            Quirk::OneDenyFails if denied => accepted.clear(),
            Quirk::OfflineFailsAll if invited.iter().any(|(uid, _)| away(uid)) => accepted.clear(),
            Quirk::EverybodyJoins => accepted = invited.iter().map(|(uid, _)| *uid).filter(|uid| !away(uid)).collect(),
            Quirk::RosterByAcceptance => {
                let order = self.broken.accepted.get(&sid).cloned().unwrap_or_default();
                accepted.sort_by_key(|uid| order.iter().position(|other| other == uid));
            }
            Quirk::RosterByUid => accepted.sort_unstable(),
            Quirk::NobodyIsEnough if accepted.is_empty() => {
                self.sessions.insert(sid, [creator].into());
                return Ok(());
            }
            _ => {}
        }
        self.go_live(sid, creator, &accepted)?;
        if let (Quirk::InitLapsesLater, Some(id)) = (fault, self.connection_of(creator)) {
            let payload = super::requests::error_text(Refusal::Nobody);
            let out = Out { typ: FrameType::InitRes, sid: Sid::NONE, uid: Uid::SERVER, payload };
            self.broken.delayed.push((self.broken.now + self.config.invite_timeout, id, out));
        }
        let roster: Vec<Uid> = [creator].into_iter().chain(accepted).collect();
        let online = roster.iter().copied().filter(|uid| self.is_online(*uid)).collect();
        self.broken.online_at_start.insert(sid, online);
        self.broken.rosters.insert(sid, roster);
        Ok(())
    }

    pub(super) fn faulty_lapse(&mut self, fault: Quirk, sid: Sid) {
        let Some(init) = self.inits.get(&sid) else { return };
        let creator = init.creator.uid;
        let who = |which| -> Vec<Uid> {
            init.invited.iter().filter(|(_, invitation)| *invitation == which).map(|(uid, _)| *uid).collect()
        };
        let too = match fault {
            Quirk::LapseTellsDecliners => who(Invitation::Denied),
            Quirk::LapseTellsAccepted => who(Invitation::Accepted),
            Quirk::LapseTellsReturned => {
                let left = |uid: &Uid| self.broken.left_undecided.contains(&(sid, *uid));
                who(Invitation::Denied).into_iter().filter(left).collect()
            }
            _ => Vec::new(),
        };
        self.broken.lapsed.extend(who(Invitation::Undecided).into_iter().map(|uid| (sid, uid)));
        let dropped = match fault {
            Quirk::LapseFails => who(Invitation::Accepted),
            Quirk::LapseDropsAbsent => {
                who(Invitation::Accepted).into_iter().filter(|uid| !self.is_online(*uid)).collect()
            }
            _ => Vec::new(),
        };
        for uid in dropped {
            self.set_decision(sid, uid, Invitation::Denied);
        }
        self.broken.lapsing = true;
        self.broken.mute = (fault == Quirk::LapseSilently).then_some(FrameType::CloseRes);
        self.broken.told = (fault == Quirk::LapseTellsHundred).then_some(0);
        self.invitation_lapses(sid);
        self.withdraw(sid, creator, &too);
        self.broken.mute = None;
        self.broken.told = None;
        self.broken.lapsing = false;
    }

    pub(super) fn faulty_creator_left(&mut self, fault: Quirk, sid: Sid) {
        let Some(init) = self.inits.get(&sid) else { return };
        let creator = init.creator.uid;
        let invited = init.invited.clone();
        let told = |which: &dyn Fn(Invitation) -> bool| -> Vec<Uid> {
            invited.iter().filter(|(_, invitation)| which(*invitation)).map(|(uid, _)| *uid).collect()
        };
        let told = match fault {
            Quirk::CreatorGoneGoesOn => return,
            Quirk::CreatorGoneSilently => Vec::new(),
            Quirk::CreatorGoneToldDecliners => told(&|_| true),
            Quirk::CreatorGoneSkipsAccepted => told(&|invitation| invitation == Invitation::Undecided),
            Quirk::CreatorGoneSkipsUndecided => told(&|invitation| invitation == Invitation::Accepted),
            Quirk::CreatorGoneSkipsReplaced => {
                let mut told = told(&|invitation| invitation != Invitation::Denied);
                told.retain(|uid| !self.broken.replaced.contains(&(sid, *uid)));
                told
            }
            _ => {
                self.broken.told = (fault == Quirk::CreatorGoneTellsHundred).then_some(0);
                self.creator_left(sid);
                self.broken.told = None;
                if fault == Quirk::WithdrawnSidReused {
                    self.broken.reusable.push(sid);
                }
                return;
            }
        };
        self.broken.mute = Some(FrameType::CloseRes);
        self.creator_left(sid);
        self.broken.mute = None;
        self.withdraw(sid, creator, &told);
    }
}

/// Uid texts of fewer digits, filled up.
fn pad_uids(payload: &[u8]) -> Vec<u8> {
    let pad = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("{line:0>16}\n") };
    match str::from_utf8(payload).ok().and_then(|text| text.strip_suffix('\n')) {
        Some(text) => text.split('\n').map(pad).collect::<String>().into_bytes(),
        None => payload.to_vec(),
    }
}
