//! Commands become frames.

use core::time::Duration;

use super::link::{Online, Phase};
use super::memory::Invitation;
use super::{Client, Command, Refusal, Untrusted};
use crate::envelope;
use crate::frame::{FrameType, MAX_PAYLOAD};
use crate::ids::{Sid, Uid};
use crate::payload::{self, Choice};

/// What became of a command whose turn it is.
pub(super) enum Turn {
    Done,
    /// It keeps its place, and those behind it wait.
    Held,
}

impl Client {
    /// Carries out waiting commands, in their order, as far as they can be.
    pub(super) fn work(&mut self, now: Duration) {
        while self.takes_commands()
            && let Some(command) = self.waiting.pop_front()
        {
            match self.around_carry(now, &command) {
                Ok(Turn::Done) => {}
                Ok(Turn::Held) => {
                    self.waiting.push_front(command);
                    break;
                }
                Err(refusal) => self.refuse(&command, refusal),
            }
        }
        self.close_if_spent(now);
    }

    /// Not while a login is under way, nor after number 65535.
    fn takes_commands(&self) -> bool {
        match &self.phase {
            Phase::Idle => true,
            Phase::Online(online) => online.spent.is_none(),
            _ => false,
        }
    }

    pub(super) fn carry(&mut self, now: Duration, command: &Command) -> Result<Turn, Refusal> {
        let online = match (&mut self.phase, command) {
            (_, Command::Unfit { name, why }) => {
                return Err(Refusal::Unfit { name: name.clone(), why: why.clone() });
            }
            (Phase::Online(_), Command::Connect { .. }) => return Err(Refusal::AlreadyConnected),
            (Phase::Online(online), _) => online,
            (_, Command::Connect { address, identity }) => {
                self.connect(now, address.clone(), (**identity).clone());
                return Ok(Turn::Done);
            }
            _ => return Err(Refusal::NotConnected),
        };
        match command {
            Command::Init { invite } => {
                // INIT-01. The list is the server's to judge (INIT-02), if a frame can hold it.
                let names = payload::write_init_req(invite);
                if names.len() > MAX_PAYLOAD {
                    return Err(Refusal::TooManyInvited(invite.len()));
                }
                online.open.inits.push_back(invite.clone());
                self.around_send(now, FrameType::InitReq, Sid::NONE, &names);
            }
            Command::Answer { sid, accept } => self.answer(now, *sid, *accept)?,
            Command::Send { sid, text } => {
                let turn = self.send_text(now, *sid, text);
                if !matches!(turn, Ok(Turn::Held))
                    && let Some(online) = self.online()
                {
                    online.open.asking = None;
                }
                return turn;
            }
            Command::Close { sid } => {
                // CLOSE-10. Any other session is the server's to judge (CLOSE-08).
                if self.memory.is_closed(*sid) {
                    return Err(Refusal::Closed(*sid));
                }
                online.open.closes.add(*sid);
                self.around_send(now, FrameType::CloseReq, *sid, b"");
            }
            Command::Status { sid } => {
                // Of a closed session too (CLOSE-10).
                online.open.ask(*sid, true);
                self.around_send(now, FrameType::StatusReq, *sid, b"");
            }
            Command::Connect { .. } | Command::Leave | Command::Unfit { .. } => {}
        }
        Ok(Turn::Done)
    }

    /// INIT-16: once a sid, and only for its user's choice.
    pub(super) fn answer(&mut self, now: Duration, sid: Sid, accept: bool) -> Result<(), Refusal> {
        let session = self.memory.session(sid).ok_or(Refusal::NotInvited(sid))?;
        if session.closed {
            return Err(Refusal::Closed(sid));
        }
        match session.invitation {
            Invitation::None => return Err(Refusal::NotInvited(sid)),
            Invitation::Answered => return Err(Refusal::Answered(sid)),
            Invitation::Open => self.memory.session_mut(sid).invitation = Invitation::Answered,
        }
        let choice = if accept { Choice::Accept } else { Choice::Deny };
        self.around_send(now, FrameType::InviteRes, sid, choice.as_bytes());
        Ok(())
    }

    /// One envelope for each other participant, in roster order (MSG-01, MSG-02); asks for the roster if need be (STAT-04).
    fn send_text(&mut self, now: Duration, sid: Sid, text: &str) -> Result<Turn, Refusal> {
        // CLOSE-10.
        if self.memory.is_closed(sid) {
            return Err(Refusal::Closed(sid));
        }
        // No session at all; its status would be that of the server.
        if sid == Sid::NONE {
            return Err(Refusal::NoRoster(sid));
        }
        let Some(roster) = self.around_roster(sid) else {
            self.ask_roster(now, sid);
            return Ok(Turn::Held);
        };
        // STAT-09.
        let roster = roster.map_err(|error| Refusal::Untrusted { sid, error })?;
        let recipients = self.around_recipients(sid, roster);
        // MSG-16, before the work is done.
        if !envelope::fits(text, recipients.len()) {
            return Err(Refusal::TooLong { bytes: text.len(), recipients: recipients.len() });
        }
        let Some(identity) = &self.identity else { return Err(Refusal::NotConnected) };
        let mut lines = Vec::with_capacity(recipients.len());
        for recipient in recipients {
            let key = identity.directory.get(&recipient).ok_or(Refusal::NoKey(recipient))?;
            let to = (sid, recipient);
            lines.push(self.broken.around_envelope(self.provider, &mut *self.rng, identity, key, to, text));
        }
        if let Some(online) = self.online() {
            online.open.texts.add(sid);
        }
        self.around_send(now, FrameType::MsgReq, sid, &payload::write_lines(lines));
        Ok(Turn::Done)
    }

    /// Once for the command whose turn it is.
    fn ask_roster(&mut self, now: Duration, sid: Sid) {
        let Some(online) = self.online() else { return };
        if online.open.asking != Some(sid) {
            online.open.asking = Some(sid);
            online.open.ask(sid, false);
            self.around_send(now, FrameType::StatusReq, sid, b"");
        }
    }

    /// Who takes part, and whether that can be trusted (STAT-09).
    pub(super) fn roster(&self, sid: Sid) -> Option<Result<Vec<Uid>, Untrusted>> {
        let roster = self.memory.session(sid)?.trusted_roster(self.me())?;
        Some(roster.map(<[Uid]>::to_vec))
    }

    /// MSG-01: the others, in roster order.
    pub(super) fn recipients(&self, mut roster: Vec<Uid>) -> Vec<Uid> {
        let me = self.me();
        roster.retain(|&uid| uid != me);
        roster
    }

    pub(super) fn online(&mut self) -> Option<&mut Online> {
        match &mut self.phase {
            Phase::Online(online) => Some(online),
            _ => None,
        }
    }
}
