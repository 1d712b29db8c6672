//! Init (section 5).

use core::time::Duration;
use std::collections::BTreeSet;

use super::connection::Sender;
use super::machine::Server;
use super::refusal::Refusal;
use super::timers::Timer;
use super::{ConnectionId, Event};
use crate::frame::FrameType;
use crate::ids::{Sid, Uid};
use crate::payload::{Choice, PayloadError, Response, parse_choice, parse_init_req};

/// The most users that an init_req may name (INIT-02).
pub(super) const MAX_INVITED: usize = 121;

/// An init_req of so few users is not refused because others wait (PAY-07).
const NEVER_REFUSED: usize = 3;

/// How often a sid is drawn before the random generator is taken for broken.
const DRAWS: usize = 64;

/// An init_req that waits for its turn: whom it invites, or why it will be refused.
pub(super) type InitRequest = Result<Vec<Uid>, Refusal>;

/// A pending session, from the drawing of its sid to its init_res.
///
/// ```text
///                                       all decided, somebody accepted (INIT-09)
///  init_req ---> waits ---> pending ---------------------------------------------> live
///  (INIT-02)  (INIT-14)        |   all decided, nobody accepted (INIT-10)
///                              +-------------------------------------------------> retired
///                              |   the creator goes offline (INIT-13)                 ^
///                              +------------------------------------------------------+
/// ```
#[derive(Debug)]
pub(super) struct PendingInit {
    pub(super) creator: Sender,
    /// In the order in which the init_req names them.
    pub(super) invited: Vec<(Uid, Invitation)>,
}

/// ```text
///               Accept
///  Undecided -----------> Accepted       for good: nothing leads away from a decision (INIT-08)
///      |
///      +----------------> Denied         Deny, offline, timeout
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Invitation {
    /// Its invite_req was sent on the connection that it still has.
    Undecided,
    Accepted,
    Denied,
}

impl Server {
    pub(super) fn on_init_req(&mut self, from: Sender, sid: Sid, payload: &[u8]) {
        let mut request = self.judge_init(from.uid, sid, payload);
        let most = self.config.limits.waiting_inits;
        let Some(member) = self.member(from.id) else { return };
        // PAY-07, in its turn.
        if member.waiting_inits.len() >= most && request.as_ref().is_ok_and(|invited| invited.len() > NEVER_REFUSED) {
            request = Err(Refusal::Waiting);
        }
        // INIT-14: one that will be refused waits as well.
        member.waiting_inits.push_back(request);
        self.due_inits.push_back(from.id);
    }

    /// INIT-02. The directory never changes, so it does not matter that this is asked before the request's turn.
    pub(super) fn judge_init(&self, creator: Uid, sid: Sid, payload: &[u8]) -> InitRequest {
        if sid != Sid::NONE {
            return Err(Refusal::Sid);
        }
        let invited = parse_init_req(payload)?;
        if invited.is_empty() {
            return Err(Refusal::Nobody);
        }
        if invited.len() > MAX_INVITED {
            return Err(Refusal::TooMany(invited.len()));
        }
        let mut seen = BTreeSet::new();
        for &uid in &invited {
            if uid == creator {
                return Err(Refusal::Yourself);
            }
            if uid == Uid::SERVER || !self.directory.contains_key(&uid) {
                return Err(Refusal::UnknownUser(uid));
            }
            if !seen.insert(uid) {
                return Err(Refusal::Twice(uid));
            }
        }
        Ok(invited)
    }

    /// Gives the waiting init_req of a connection their turns, up to the first that becomes pending (INIT-14).
    pub(super) fn next_inits(&mut self, now: Duration, id: ConnectionId) {
        while let Some(member) = self.member(id)
            && member.own_init.is_none()
            && let Some(request) = member.waiting_inits.pop_front()
        {
            let creator = Sender { id, uid: member.channel.uid };
            if let Err(refusal) = request.and_then(|invited| self.start_init(now, creator, &invited)) {
                self.refuse(creator, FrameType::InitRes, Sid::NONE, refusal);
            }
        }
    }

    fn start_init(&mut self, now: Duration, creator: Sender, invited: &[Uid]) -> Result<(), Refusal> {
        // PAY-07
        if self.sessions.len() + self.inits.len() >= self.config.limits.sessions {
            return Err(Refusal::Sessions);
        }
        // INIT-06: who is offline now has denied. If that is everybody, no sid is needed to fail (INIT-10).
        let invitation = |uid| if self.is_online(uid) { Invitation::Undecided } else { Invitation::Denied };
        let invited: Vec<_> = invited.iter().map(|&uid| (uid, invitation(uid))).collect();
        let online: Vec<Uid> = who(&invited, |invitation| invitation == Invitation::Undecided);
        if online.is_empty() {
            return Err(Refusal::NobodyAccepted);
        }
        let sid = self.around_draw_sid()?;
        self.inits.insert(sid, PendingInit { creator, invited });
        if let Some(member) = self.member(creator.id) {
            member.own_init = Some(sid);
        }
        self.timers.set(Timer::Invite(sid), now.saturating_add(self.config.invite_timeout));
        self.event(Event::Invited { sid, creator: creator.uid });
        // INIT-05
        for uid in online {
            let Some(&id) = self.online.get(&uid) else { continue };
            if let Some(member) = self.member(id) {
                member.invited_to.insert(sid);
            }
            self.send(id, FrameType::InviteReq, sid, creator.uid, b"");
        }
        Ok(())
    }

    /// A sid that was never given out (INIT-03), and that nobody can foresee (INIT-04).
    pub(super) fn draw_sid(&mut self) -> Result<Sid, Refusal> {
        for _ in 0..DRAWS {
            let mut bytes = [0; 8];
            self.rng.fill_bytes(&mut bytes);
            let sid = Sid(u64::from_be_bytes(bytes));
            if sid == Sid::NONE {
                continue;
            }
            match self.store.reserve(sid) {
                Ok(true) => return Ok(sid),
                Ok(false) => {}
                Err(error) => return Err(self.store_failed(error)),
            }
        }
        Err(Refusal::Sessions)
    }

    pub(super) fn on_invite_res(&mut self, from: Sender, sid: Sid, payload: &[u8]) -> Result<(), PayloadError> {
        let choice = parse_choice(payload)?;
        if let Some(member) = self.member(from.id) {
            member.invited_to.remove(&sid);
        }
        let decision = match choice {
            Choice::Accept => Invitation::Accepted,
            Choice::Deny => Invitation::Denied,
        };
        self.around_decide(sid, from.uid, decision);
        Ok(())
    }

    /// An invited user goes offline undecided: denied (INIT-08).
    pub(super) fn invited_left(&mut self, sid: Sid, uid: Uid) {
        self.around_decide(sid, uid, Invitation::Denied);
    }

    /// The invite timeout: who is undecided has denied (INIT-08), and is told that it is too late (INIT-17).
    pub(super) fn invitation_lapses(&mut self, sid: Sid) {
        let Some(init) = self.inits.get_mut(&sid) else { return };
        let creator = init.creator.uid;
        let late = who(&init.invited, |invitation| invitation == Invitation::Undecided);
        for (_, invitation) in &mut init.invited {
            if *invitation == Invitation::Undecided {
                *invitation = Invitation::Denied;
            }
        }
        self.withdraw(sid, creator, &late);
        self.around_conclude(sid);
    }

    /// The creator went offline: nothing comes of it, and those who may still count on it are told (INIT-13).
    pub(super) fn creator_left(&mut self, sid: Sid) {
        let Some(init) = self.inits.remove(&sid) else { return };
        self.timers.clear(Timer::Invite(sid));
        self.event(Event::InitFailed { sid });
        let concerned = who(&init.invited, |invitation| invitation != Invitation::Denied);
        self.withdraw(sid, init.creator.uid, &concerned);
    }

    /// One decision, for good: without an undecided invitation, it changes nothing (INIT-07, INIT-08, INIT-12, PAY-06).
    pub(super) fn decide(&mut self, sid: Sid, uid: Uid, decision: Invitation) {
        let Some(init) = self.inits.get_mut(&sid) else { return };
        let invited = init.invited.iter_mut().find(|(invited, _)| *invited == uid);
        if let Some((_, invitation @ Invitation::Undecided)) = invited {
            *invitation = decision;
            self.around_conclude(sid);
        }
    }

    /// init_res, if the last of the invited is decided (INIT-09, INIT-10, INIT-11).
    pub(super) fn conclude(&mut self, sid: Sid) {
        let Some(init) = self.inits.get(&sid) else { return };
        if init.invited.iter().any(|(_, invitation)| *invitation == Invitation::Undecided) {
            return;
        }
        let creator = init.creator;
        let accepted = who(&init.invited, |invitation| invitation == Invitation::Accepted);
        self.inits.remove(&sid);
        self.timers.clear(Timer::Invite(sid));
        if let Some(member) = self.member(creator.id) {
            member.own_init = None;
        }
        match self.around_go_live(sid, creator.uid, &accepted) {
            Ok(()) => {
                self.send(creator.id, FrameType::InitRes, sid, Uid::SERVER, Response::Ok.as_bytes());
            }
            Err(refusal) => {
                self.event(Event::InitFailed { sid });
                self.refuse(creator, FrameType::InitRes, Sid::NONE, refusal);
            }
        }
        // INIT-14: the next one has its turn.
        self.due_inits.push_back(creator.id);
    }

    pub(super) fn go_live(&mut self, sid: Sid, creator: Uid, accepted: &[Uid]) -> Result<(), Refusal> {
        if accepted.is_empty() {
            return Err(Refusal::NobodyAccepted);
        }
        // The roster: the creator, then those who accepted, in the order of the init_req.
        let roster: Vec<Uid> = core::iter::once(creator).chain(accepted.iter().copied()).collect();
        if let Err(error) = self.store.open(sid, &roster) {
            // CLOSE-11: to those who accepted, a session that the server closes by itself.
            self.withdraw(sid, Uid::SERVER, accepted);
            return Err(self.store_failed(error));
        }
        self.event(Event::SessionOpened { sid, roster: roster.clone() });
        self.sessions.insert(sid, roster.into());
        Ok(())
    }

    /// close_res `OK` to those of `users` that are online, in the name of `by`; their invitations are over.
    pub(super) fn withdraw(&mut self, sid: Sid, by: Uid, users: &[Uid]) {
        for uid in users {
            let Some(&id) = self.online.get(uid) else { continue };
            if let Some(member) = self.member(id) {
                member.invited_to.remove(&sid);
            }
            self.send(id, FrameType::CloseRes, sid, by, Response::Ok.as_bytes());
        }
    }
}

fn who(invited: &[(Uid, Invitation)], which: impl Fn(Invitation) -> bool) -> Vec<Uid> {
    invited.iter().filter(|(_, invitation)| which(*invitation)).map(|(uid, _)| *uid).collect()
}
