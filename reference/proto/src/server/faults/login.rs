//! Login: steps 1 to 4 with one thing wrong.

use core::time::Duration;

use super::super::connection::{Member, Phase};
use super::super::init::Invitation;
use super::super::machine::Server;
use super::super::timers::Timer;
use super::super::{ConnectionId, Ending, Violation};
use super::Quirk;
use crate::frame::{ETK_LEN, FrameType, HEADER_LEN, Header, MAC_LEN};
use crate::ids::{Sid, Uid};
use crate::keys::{FrameCipher, LoginKeys, Opener, Sealer, Secret, TransferKeys};
use crate::login::{Channel, LoginError, ServerHalf, Side, Step};
use crate::payload::{self, Presence};
use crate::quirks;

impl Server {
    pub(super) fn is_login_fault(fault: Quirk) -> bool {
        matches!(
            fault,
            Quirk::EtkBeforeMac
                | Quirk::UidUnauthenticated
                | Quirk::FirstTypeUnchecked
                | Quirk::TkUnderSha1
                | Quirk::SkUnderServerKey
                | Quirk::SkTooShort
                | Quirk::ProbeWithLoginKeys
                | Quirk::AnswerWithLoginKeys
                | Quirk::ResponseWithC2sKeys
                | Quirk::HashWithoutEtk
                | Quirk::SkOfUser
                | Quirk::SkConstant
                | Quirk::SkIsTk
                | Quirk::LoginVersionUnchecked
                | Quirk::LoginSidIgnored
                | Quirk::LoginPayloadIgnored
                | Quirk::LoginMacUnchecked
                | Quirk::ShortTkTaken
                | Quirk::LongTkTaken
                | Quirk::LongTkHead
                | Quirk::LongTkTail
                | Quirk::ShortTkFilled
                | Quirk::ShortTkLed
                | Quirk::ProbedBeforeStep4
                | Quirk::OnlineAtStep2
                | Quirk::InvitesAtStep2
                | Quirk::ReplacesAtStep2
                | Quirk::LoginTimeoutUntilStep1
                | Quirk::LoginTimeoutRestarts
                | Quirk::ReplayOnline
                | Quirk::ReplayReplaces
                | Quirk::ResponseOfUser
                | Quirk::ResponseSid
                | Quirk::ResponseNumberZero
                | Quirk::ResponseEmpty
                | Quirk::ProbeSid
                | Quirk::ProbeMissing
                | Quirk::ProbePayload
                | Quirk::NumbersFromOneAfterLogin
        )
    }

    pub(super) fn is_step_4_fault(fault: Quirk) -> bool {
        matches!(
            fault,
            Quirk::AnswerWithLoginKeys
                | Quirk::Step4OfflineTaken
                | Quirk::Step4SidIgnored
                | Quirk::Step4AnyType
                | Quirk::Step4Skipped
                | Quirk::Step4NumberAny
        )
    }

    /// Step 1, and steps 2 and 3 in answer.
    pub(super) fn faulty_login_request(
        &mut self,
        fault: Quirk,
        now: Duration,
        id: ConnectionId,
        frame: &mut [u8],
    ) -> Result<(), Violation> {
        let step = Step::Request;
        let header = Header::decode(frame.first_chunk().ok_or(LoginError::Mac { step })?);
        let user_key = self.directory.get(&header.uid).ok_or(LoginError::UnknownUser(header.uid))?.clone();
        let etk = frame[frame.len() - ETK_LEN..].to_vec();
        let replayed = !self.broken.etks.insert(etk.clone());
        if fault == Quirk::TkUnderSha1 {
            return Err(LoginError::Etk { step }.into());
        }
        let mut tk = self.key.oaep_decrypt(&etk).map_err(|_| LoginError::Etk { step })?.to_vec();
        match fault {
            Quirk::LongTkHead => tk.truncate(Secret::LEN),
            Quirk::LongTkTail => drop(tk.drain(..tk.len().saturating_sub(Secret::LEN))),
            Quirk::ShortTkFilled => tk.resize(tk.len().max(Secret::LEN), 0),
            Quirk::ShortTkLed => drop(tk.splice(..0, vec![0; Secret::LEN.saturating_sub(tk.len())])),
            _ => {}
        }
        let takes = match fault {
            Quirk::ShortTkTaken => tk.len() <= Secret::LEN,
            Quirk::LongTkTaken => tk.len() >= Secret::LEN,
            _ => tk.len() == Secret::LEN,
        };
        if !takes {
            return Err(LoginError::EtkLength { step, len: tk.len() }.into());
        }
        let login = LoginKeys::derive_any(self.provider, &tk);
        let c2s = FrameCipher::new(self.provider, &login.c2s);
        let request = frame.to_vec();
        let (plain, mac) = quirks::decrypt(&c2s, &frame[..frame.len() - ETK_LEN]);
        let claimed = frame[..frame.len() - ETK_LEN].last_chunk::<MAC_LEN>().copied();
        let fits = claimed == Some(mac)
            || fault == Quirk::LoginMacUnchecked
            || fault == Quirk::UidUnauthenticated
                && self
                    .directory
                    .keys()
                    .any(|uid| Some(quirks::mac_as(&c2s, &Header { uid: *uid, ..header }, &plain)) == claimed);
        if !fits {
            return Err(LoginError::Mac { step }.into());
        }
        if fault != Quirk::LoginPayloadIgnored {
            payload::parse_empty(&plain).map_err(|error| LoginError::Payload { step, error })?;
        }
        let uid = header.uid;
        let sk = self.share(fault, uid, &tk);
        let short = if fault == Quirk::SkTooShort { &sk.expose()[..16] } else { &sk.expose()[..] };
        let key = if fault == Quirk::SkUnderServerKey { self.key.public() } else { user_key };
        let etk = key.oaep_encrypt(&mut *self.rng, short);
        let response = self.step_2(fault, uid, &login, &etk);
        let hashed = if fault == Quirk::HashWithoutEtk { &request[..request.len() - ETK_LEN] } else { &request };
        let keys = TransferKeys::derive_any(self.provider, &tk, &sk, hashed, &response);
        let first = if fault == Quirk::NumbersFromOneAfterLogin { Some(1) } else { Some(2) };
        let mut sealer = Sealer::new(FrameCipher::new(self.provider, &keys.s2c), first);
        let opener = Opener::new(FrameCipher::new(self.provider, &keys.c2s), 1);
        let probe = self.step_3(fault, &mut sealer, &login);
        let second = (fault == Quirk::ProbedBeforeStep4).then(|| self.step_3(fault, &mut sealer, &login)).flatten();
        self.broken.login_ciphers.insert(id, c2s);
        let half = ServerHalf::from_parts(uid, sealer, opener);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.phase = Phase::Answer(Box::new(half));
        }
        self.queue(id, response);
        for probe in probe.into_iter().chain(second) {
            self.queue(id, probe);
        }
        self.after_step_3(fault, now, id, uid, replayed);
        Ok(())
    }

    /// Whether a login request was never seen before.
    pub(super) fn is_new_request(&mut self, frame: &[u8]) -> bool {
        let etk = frame.get(frame.len().saturating_sub(ETK_LEN)..).unwrap_or_default();
        self.broken.etks.insert(etk.to_vec())
    }

    fn share(&mut self, fault: Quirk, uid: Uid, tk: &[u8]) -> Secret {
        let fresh = Secret::random(&mut *self.rng);
        let of = match fault {
            Quirk::SkOfUser => uid,
            Quirk::SkConstant => Uid::SERVER,
            Quirk::SkIsTk => return Secret::from_slice(tk).unwrap_or(fresh),
            _ => return fresh,
        };
        Secret::new(*self.broken.shares.entry(of).or_insert(*fresh.expose()))
    }

    fn step_2(&mut self, fault: Quirk, uid: Uid, login: &LoginKeys, etk: &[u8; ETK_LEN]) -> Vec<u8> {
        let payload: &[u8] = if fault == Quirk::ResponseEmpty { b"" } else { Presence::Online.as_bytes() };
        let mut header = Header::for_payload(FrameType::StatusRes, 1, Sid::NONE, Uid::SERVER, payload.len(), true);
        match fault {
            Quirk::ResponseOfUser => header.uid = uid,
            Quirk::ResponseSid => header.sid = Sid(1),
            Quirk::ResponseNumberZero => header.sqn = 0,
            _ => {}
        }
        let keys = if fault == Quirk::ResponseWithC2sKeys { &login.c2s } else { &login.s2c };
        let mut frame = FrameCipher::new(self.provider, keys).seal(&header, payload, Some(etk));
        if fault == Quirk::EtkBeforeMac {
            let mac = HEADER_LEN + payload.len();
            frame[mac..].rotate_left(MAC_LEN);
        }
        frame
    }

    fn step_3(&mut self, fault: Quirk, sealer: &mut Sealer, login: &LoginKeys) -> Option<Vec<u8>> {
        if fault == Quirk::ProbeMissing {
            return None;
        }
        let payload: &[u8] = if fault == Quirk::ProbePayload { b"?" } else { b"" };
        let sqn = sealer.next()?;
        sealer.go_on_at(sqn.checked_add(1));
        let sid = if fault == Quirk::ProbeSid { Sid(1) } else { Sid::NONE };
        let header = Header::for_payload(FrameType::StatusReq, sqn, sid, Uid::SERVER, payload.len(), false);
        let login = FrameCipher::new(self.provider, &login.s2c);
        let cipher = if fault == Quirk::ProbeWithLoginKeys { &login } else { sealer.cipher() };
        Some(cipher.seal(&header, payload, None))
    }

    fn after_step_3(&mut self, fault: Quirk, now: Duration, id: ConnectionId, uid: Uid, replayed: bool) {
        match fault {
            Quirk::OnlineAtStep2 | Quirk::InvitesAtStep2 => {
                self.broken.shown.insert(id, uid);
            }
            Quirk::ReplayOnline if replayed => {
                self.broken.shown.insert(id, uid);
            }
            Quirk::ReplacesAtStep2 => self.replace(uid),
            Quirk::ReplayReplaces if replayed => self.replace(uid),
            Quirk::LoginTimeoutUntilStep1 => {
                self.timers.clear(Timer::Login(id));
            }
            Quirk::LoginTimeoutRestarts => {
                self.timers.set(Timer::Login(id), now.saturating_add(self.config.login_timeout));
            }
            Quirk::ProbeMissing => {
                if let Some(connection) = self.connections.get_mut(&id)
                    && let Phase::Answer(half) = core::mem::replace(&mut connection.phase, Phase::Request)
                {
                    let (uid, sealer, opener) = half.into_parts();
                    self.complete(now, id, Channel::new(Side::Server, uid, sealer, opener));
                }
            }
            _ => {}
        }
    }

    fn replace(&mut self, uid: Uid) {
        if let Some(earlier) = self.connection_of(uid) {
            self.end(earlier, Ending::Replaced);
        }
    }

    /// Step 4.
    pub(super) fn faulty_login_answer(
        &mut self,
        fault: Quirk,
        now: Duration,
        id: ConnectionId,
        frame: &mut [u8],
    ) -> Result<(), Violation> {
        let step = Step::Answer;
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
        let Phase::Answer(half) = core::mem::replace(&mut connection.phase, Phase::Request) else { return Ok(()) };
        let (uid, sealer, mut opener) = half.into_parts();
        let header = Header::decode(frame.first_chunk().ok_or(LoginError::Mac { step })?);
        let is_step_4 = header.kind() == Some(FrameType::StatusRes) && header.sid == Sid::NONE;
        if fault == Quirk::Step4Skipped && !is_step_4 {
            self.complete(now, id, Channel::new(Side::Server, uid, sealer, opener));
            return self.handle_frame(now, id, frame);
        }
        let (mut plain, mac) = quirks::decrypt(opener.cipher(), frame);
        let claimed = frame.last_chunk::<MAC_LEN>().copied();
        if claimed != Some(mac) {
            let login = self.broken.login_ciphers.get(&id).filter(|_| fault == Quirk::AnswerWithLoginKeys);
            let (other, mac) = login.map(|cipher| quirks::decrypt(cipher, frame)).unwrap_or_default();
            if claimed != Some(mac) {
                return Err(LoginError::Mac { step }.into());
            }
            plain = other;
        }
        opener.accept_number(header.sqn);
        if fault != Quirk::Step4AnyType || header.kind() == Some(FrameType::StatusRes) {
            let presence = payload::parse_presence(&plain);
            match presence.map_err(|error| LoginError::Payload { step, error })? {
                Presence::Offline if fault != Quirk::Step4OfflineTaken => {
                    return Err(LoginError::Offline { step }.into());
                }
                _ => {}
            }
        }
        self.around_complete(now, id, Channel::new(Side::Server, uid, sealer, opener));
        Ok(())
    }

    /// The login is complete: what becomes of the earlier connection, and what the new one gets.
    pub(super) fn faulty_complete(&mut self, fault: Quirk, now: Duration, id: ConnectionId, channel: Channel) {
        let uid = channel.uid;
        if fault == Quirk::OldestTakenForAnswered
            && let Some(line) = self.broken.last_answered.remove(&uid)
            && let Some(first) = self.mailboxes.get(&uid).and_then(|mailbox| mailbox.lines.keys().next().copied())
        {
            self.forget(uid, |number| number == first);
            self.put_into_mailbox(line);
        }
        let earlier = self.online.get(&uid).copied().filter(|earlier| *earlier != id);
        if earlier.is_some() {
            self.note_replaced(uid);
        }
        match (fault, earlier) {
            (Quirk::EarlierStays, Some(_)) => {
                self.timers.clear(Timer::Login(id));
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.phase = Phase::LoggedIn(Box::new(Member::new(channel)));
                }
                self.online.insert(uid, id);
                self.send_lines(now, uid);
            }
            (Quirk::NewerRefused, Some(earlier)) if self.connections.contains_key(&earlier) => {
                self.end(id, Ending::Replaced);
            }
            (Quirk::EarlierByAccept, Some(earlier)) if earlier > id => self.end(id, Ending::Replaced),
            (Quirk::InvitationOutlives, Some(earlier)) => {
                let open = self.member(earlier).map(|member| core::mem::take(&mut member.invited_to));
                self.complete(now, id, channel);
                if let Some(member) = self.member(id) {
                    member.invited_to = open.unwrap_or_default();
                }
            }
            (Quirk::OwnInitOutlives, Some(earlier)) => {
                let own = self.member(earlier).and_then(|member| member.own_init.take());
                self.complete(now, id, channel);
                if let (Some(sid), Some(member)) = (own, self.member(id)) {
                    member.own_init = Some(sid);
                    if let Some(init) = self.inits.get_mut(&sid) {
                        init.creator.id = id;
                    }
                }
            }
            (Quirk::UnansweredNotResent, Some(_)) => {
                self.forget_sent(uid);
                self.complete(now, id, channel);
            }
            (Quirk::ReplacedKeepsTimer, Some(_)) => {
                let due = self.timers.at(Timer::Answer(uid));
                self.complete(now, id, channel);
                if let Some(due) = due.filter(|_| self.timers.is_set(Timer::Answer(uid))) {
                    self.timers.set(Timer::Answer(uid), due);
                }
            }
            (Quirk::ReplacedNotTimed, Some(_)) => {
                self.complete(now, id, channel);
                self.timers.clear(Timer::Answer(uid));
            }
            _ if Self::reorders(fault) && (fault != Quirk::RestoredBehindNew || self.has_old_and_new(uid)) => {
                let stored = self.take_stored(uid);
                self.complete(now, id, channel);
                self.deliver(fault, now, uid, stored);
            }
            _ => self.complete(now, id, channel),
        }
        self.broken.shown.remove(&id);
        self.complete_afterwards(fault, now, uid);
    }

    /// Whether lines wait for a user that it did not get, from before the restart and from after it.
    fn has_old_and_new(&self, uid: Uid) -> bool {
        let first_new = self.broken.restored_up_to;
        let numbers: Vec<u64> = self.mailboxes.get(&uid).into_iter().flat_map(|mailbox| mailbox.numbers()).collect();
        numbers.iter().any(|number| *number < first_new) && numbers.iter().any(|number| *number >= first_new)
    }

    fn note_replaced(&mut self, uid: Uid) {
        let accepted = self.inits.iter().filter(|(_, init)| init.invited.contains(&(uid, Invitation::Accepted)));
        self.broken.replaced.extend(accepted.map(|(sid, _)| (*sid, uid)));
    }

    fn complete_afterwards(&mut self, fault: Quirk, now: Duration, uid: Uid) {
        match fault {
            Quirk::OfflineInvitedLater => {
                for (sid, by) in self.broken.invites_later.remove(&uid).unwrap_or_default() {
                    self.send_to_user(uid, FrameType::InviteReq, sid, by, b"");
                }
            }
            Quirk::HeldStuckAtClose => self.hand_out(now, uid),
            Quirk::OfflineNotifiedLater => {
                for (sid, by) in self.broken.notices_later.remove(&uid).unwrap_or_default() {
                    self.send_to_user(uid, FrameType::CloseRes, sid, by, b"OK");
                }
            }
            Quirk::MsgResAfterReturn => {
                for sid in self.broken.answers_later.remove(&uid).unwrap_or_default() {
                    self.send_to_user(uid, FrameType::MsgRes, sid, Uid::SERVER, b"OK");
                }
            }
            Quirk::AnsweredSentAgain => {
                if let Some(line) = self.broken.last_answered.remove(&uid) {
                    let payload = format!("{}\n", line.text).into_bytes();
                    self.send_to_user(uid, FrameType::MsgReq, line.sid, line.author, &payload);
                }
            }
            _ => {}
        }
    }
}
