//! Envelopes, and for whom they are.

use rand_core::CryptoRng;

use super::super::{Client, Event, Identity, Untrusted};
use super::{Broken, Quirk};
use crate::crypto::{Provider, PublicKey};
use crate::envelope::{self, EnvelopeError};
use crate::frame::{ETK_LEN, MAC_LEN};
use crate::ids::{Sid, Uid};
use crate::keys::Secret;
use crate::payload::Presence;

impl Broken {
    /// A line for a recipient.
    #[expect(clippy::too_many_arguments, reason = "all that goes into an envelope")]
    pub(super) fn envelope(
        &mut self,
        fault: Quirk,
        provider: &dyn Provider,
        rng: &mut dyn CryptoRng,
        author: &Identity,
        key: &PublicKey,
        (sid, recipient): (Sid, Uid),
        text: &str,
    ) -> String {
        let me = author.uid;
        let first = self.first_key.get_or_insert_with(|| key.clone()).clone();
        let padded = || format!("{text}{}", "\0".repeat(text.len().next_multiple_of(16) - text.len()));
        let fresh = *Secret::random(rng).expose();
        self.link.envelopes += 1;
        let cek = Secret::new(match fault {
            Quirk::CekOfMessage => *self.cek.get_or_insert(fresh),
            Quirk::CekOfUser => *self.ceks.entry((recipient, String::new())).or_insert(fresh),
            Quirk::CekOfNumber => {
                let number = format!("{sid} {}", self.link.envelopes);
                *self.ceks.entry((recipient, number)).or_insert(fresh)
            }
            Quirk::CekOfText => *self.ceks.entry((recipient, text.to_owned())).or_insert(fresh),
            _ => fresh,
        });
        let mut seal = |key: &PublicKey, sid, author, recipient, text: &str| {
            envelope::seal_with(provider, rng, &cek, key, sid, author, recipient, text)
        };
        match fault {
            Quirk::PlainText => text.replace('\n', " "),
            Quirk::HexInCapitals => seal(key, sid, me, recipient, text).to_uppercase(),
            Quirk::KeyOfServer => seal(&author.server, sid, me, recipient, text),
            Quirk::KeyOfFirst => seal(&first, sid, me, recipient, text),
            Quirk::AadWithoutSid => seal(key, Sid::NONE, me, recipient, text),
            Quirk::AadWithoutAuthor => seal(key, sid, Uid::SERVER, recipient, text),
            Quirk::AadSwapped => seal(key, sid, recipient, me, text),
            Quirk::CipherOfPadded => seal(key, sid, me, recipient, &padded()),
            Quirk::TagCut => {
                let mut line = seal(key, sid, me, recipient, text);
                line.truncate(line.len() - 8);
                line
            }
            _ => seal(key, sid, me, recipient, text),
        }
    }
}

impl Client {
    /// STAT-09, with one check left out.
    pub(super) fn faulty_roster(&self, fault: Quirk, sid: Sid) -> Option<Result<Vec<Uid>, Untrusted>> {
        let right = self.roster(sid)?;
        let session = self.memory.session(sid)?;
        let (roster, invited) = (session.roster.clone()?, session.invited.as_deref());
        let Err(error) = right else { return Some(right) };
        let was_invited = |uid: &Uid| invited.is_some_and(|invited| invited.contains(uid));
        let strangers = || roster[1..].iter().any(|uid| !was_invited(uid));
        let trusts = match error {
            Untrusted::WithoutMe(_) => fault == Quirk::RosterWithoutMe,
            Untrusted::Twice(_) => fault == Quirk::RosterTwice,
            Untrusted::Alone => fault == Quirk::RosterAlone,
            Untrusted::NotCreator(uid) if uid == self.me() => fault == Quirk::CreatorAnywhere,
            Untrusted::NotCreator(_) => match fault {
                Quirk::EarlyRosterTrusted => self.broken.early_rosters.contains(&sid),
                _ => fault == Quirk::InviterUnchecked,
            },
            Untrusted::NotInvited(_) if strangers() => fault == Quirk::StrangerTrusted,
            Untrusted::NotInvited(_) => fault == Quirk::OrderUnchecked,
            Untrusted::TooMany => false,
        };
        if trusts {
            return Some(Ok(roster));
        }
        if fault == Quirk::UntrustedNamed && invited.is_some() {
            let me = self.me();
            return Some(Ok(roster.into_iter().filter(|uid| *uid == me || was_invited(uid)).collect()));
        }
        Some(Err(error))
    }

    /// MSG-01, with one thing wrong.
    pub(super) fn faulty_recipients(&mut self, fault: Quirk, sid: Sid, roster: Vec<Uid>) -> Vec<Uid> {
        self.broken.cek = None;
        self.broken.first_key = None;
        let creator = roster.first().copied();
        let whole = roster.clone();
        let mut recipients = self.recipients(roster);
        match fault {
            Quirk::LineToAuthorToo => return whole,
            Quirk::LinesByUid => recipients.sort_unstable(),
            Quirk::LinesReversed => recipients.reverse(),
            Quirk::LinesForOnline => {
                recipients.retain(|uid| self.broken.presence.get(&(sid, *uid)) != Some(&Presence::Offline));
            }
            Quirk::LinesForInvited => {
                if let Some(invited) = self.memory.session(sid).and_then(|session| session.invited.clone()) {
                    recipients = invited;
                }
            }
            Quirk::CreatorLast if recipients.first().copied() == creator => recipients.rotate_left(1),
            _ => {}
        }
        if let Some(room) = self.broken.room {
            recipients.truncate(room);
        }
        recipients
    }

    /// MSG-14, with one thing wrong.
    pub(super) fn faulty_open_line(
        &mut self,
        fault: Quirk,
        sid: Sid,
        author: Uid,
        line: &str,
    ) -> Result<String, EnvelopeError> {
        let right = self.open_line(sid, author, line);
        let Err(error) = right else { return right };
        let Some(identity) = &self.identity else { return Err(error) };
        let open =
            |sid, author, recipient| envelope::open(self.provider, &identity.key, sid, author, recipient, line).ok();
        let me = identity.uid;
        let (sids, uids) = (self.known_sids(), self.known_uids());
        let found = match fault {
            Quirk::SidUnbound => sids.into_iter().find_map(|sid| open(sid, author, me)),
            Quirk::AuthorUnbound => uids.into_iter().find_map(|author| open(sid, author, me)),
            Quirk::RecipientUnbound => uids.into_iter().find_map(|recipient| open(sid, author, recipient)),
            Quirk::TagUnchecked => self.decrypt_line(line),
            Quirk::TagEightBytes => {
                let text = self.decrypt_line(line);
                text.filter(|_| self.tag_fits(sid, author, line, 8))
            }
            Quirk::TextInErrors => {
                self.broken.leak = self.decrypt_line(line);
                None
            }
            Quirk::ShownThoughRefused => {
                if let Some(text) = sids.into_iter().find_map(|sid| open(sid, author, me)) {
                    self.events.push_back(Event::Message { sid, from: author, text });
                }
                None
            }
            _ => None,
        };
        found.ok_or(error)
    }

    /// What is in an envelope, whoever it is for, and what tag it should have.
    fn look_into(&self, sid: Sid, author: Uid, line: &str) -> Option<(Vec<u8>, [u8; MAC_LEN], [u8; MAC_LEN])> {
        let identity = self.identity.as_ref()?;
        let bytes = hex::decode(line).ok()?;
        let (etk, rest) = bytes.split_at_checked(ETK_LEN)?;
        let (cipher, claimed) = rest.split_last_chunk::<MAC_LEN>()?;
        let cek = Secret::from_slice(&identity.key.oaep_decrypt(etk).ok()?)?;
        let aad = [sid.0, author.0, identity.uid.0].map(u64::to_be_bytes).concat();
        let aead = self.provider.aead(cek.expose());
        // Encryption is its own inverse in counter mode.
        let mut text = cipher.to_vec();
        aead.seal(&[0; 12], &aad, &mut text);
        let tag = aead.seal(&[0; 12], &aad, &mut text.clone());
        Some((text, tag, *claimed))
    }

    fn decrypt_line(&self, line: &str) -> Option<String> {
        let (text, ..) = self.look_into(Sid::NONE, Uid::SERVER, line)?;
        String::from_utf8(text).ok()
    }

    fn tag_fits(&self, sid: Sid, author: Uid, line: &str, bytes: usize) -> bool {
        self.look_into(sid, author, line).is_some_and(|(_, tag, claimed)| tag[..bytes] == claimed[..bytes])
    }
}
