//! What the user wants, carried out otherwise.

use core::time::Duration;

use super::super::carry::Turn;
use super::super::memory::Invitation;
use super::super::{Client, Command, Refusal};
use super::Quirk;
use crate::envelope;
use crate::ids::{Sid, Uid};

impl Client {
    pub(super) fn faulty_carry(&mut self, fault: Quirk, now: Duration, command: &Command) -> Result<Turn, Refusal> {
        if self.online().is_none() {
            return self.carry(now, command);
        }
        match command {
            Command::Send { sid, text } => self.faulty_text(fault, now, *sid, text, command),
            Command::Answer { sid, accept } => {
                if fault == Quirk::AsksForStatus {
                    self.ask_by_itself(now, Sid::NONE);
                }
                let newest = self.broken.invitations.last().copied();
                let sid = if fault == Quirk::NewestAnswered { newest.unwrap_or(*sid) } else { *sid };
                let is_answered = self.broken.choices.contains_key(&sid);
                let is_open_again = match fault {
                    Quirk::MindChanges => is_answered,
                    Quirk::AnsweredAnewLater => {
                        let link = &self.broken.link;
                        is_answered && link.invited.contains(&sid) && !link.chosen.contains(&sid)
                    }
                    Quirk::KeepsInvitations => !is_answered && self.broken.invitations.contains(&sid),
                    _ => false,
                };
                if is_open_again && let Some(session) = self.memory.sessions.get_mut(&sid) {
                    session.invitation = Invitation::Open;
                }
                let withdrawn = self.broken.withdrawn.contains(&sid);
                let reopens =
                    fault == Quirk::AnswersClosedInvite || fault == Quirk::AnswersWithdrawnInvite && withdrawn;
                let turn = self
                    .with_reopened(reopens, sid, |client| client.carry(now, &Command::Answer { sid, accept: *accept }));
                if fault == Quirk::RosterEarly && *accept && turn.is_ok() {
                    self.ask_by_itself(now, sid);
                }
                turn
            }
            Command::Close { sid } => {
                self.with_reopened(fault == Quirk::ClosesAgain, *sid, |client| client.carry(now, command))
            }
            _ => self.carry(now, command),
        }
    }

    /// Does something as if the session was not closed.
    fn with_reopened<T>(&mut self, reopens: bool, sid: Sid, act: impl FnOnce(&mut Self) -> T) -> T {
        let reopened = reopens && self.memory.is_closed(sid);
        if reopened {
            self.memory.session_mut(sid).closed = false;
        }
        let done = act(self);
        if reopened {
            self.memory.session_mut(sid).closed = true;
        }
        done
    }

    fn faulty_text(
        &mut self,
        fault: Quirk,
        now: Duration,
        sid: Sid,
        text: &str,
        command: &Command,
    ) -> Result<Turn, Refusal> {
        match fault {
            Quirk::AsksForStatus => self.ask_by_itself(now, Sid::NONE),
            Quirk::RosterAlways if self.memory.session(sid).is_some_and(|session| !session.is_without_roster()) => {
                self.ask_by_itself(now, sid);
            }
            _ => {}
        }
        if let Some(turn) = self.send_too_long(fault, now, sid, text) {
            return turn;
        }
        let noticed = self.broken.noticed.contains(&sid);
        let reopens = fault == Quirk::SendsAfterNotice && noticed || fault == Quirk::SendsAfterOwnClose && !noticed;
        let turn = self.with_reopened(reopens, sid, |client| client.carry(now, command));
        self.broken.room = None;
        if fault == Quirk::RefusedTextNumbered && turn.is_err() {
            self.skip_number();
        }
        turn
    }

    /// MSG-16, with one thing wrong.
    fn send_too_long(&mut self, fault: Quirk, now: Duration, sid: Sid, text: &str) -> Option<Result<Turn, Refusal>> {
        let roster = self.roster(sid).and_then(Result::ok)?;
        let others = self.recipients(roster).len();
        let parts = |count| move |piece: &str| envelope::fits(piece, count);
        if envelope::fits(text, others) {
            let is_longest = !envelope::fits(&format!("{text}x"), others);
            let refusal = Refusal::TooLong { bytes: text.len(), recipients: others };
            return (fault == Quirk::LongestRefused && is_longest).then_some(Err(refusal));
        }
        match fault {
            Quirk::RefusedTextWaits => {
                self.broken.texts.push(sid);
                None
            }
            Quirk::TooLongAlone => Some(Ok(Turn::Done)),
            Quirk::TooLongCut => {
                let (text, _) = fitting(text, parts(others));
                Some(self.carry(now, &Command::Send { sid, text: text.to_owned() }))
            }
            Quirk::TooLongSplit => {
                let mut rest = text;
                while !rest.is_empty() {
                    let (piece, behind) = fitting(rest, parts(others));
                    if piece.is_empty() {
                        break;
                    }
                    if let Err(refusal) = self.carry(now, &Command::Send { sid, text: piece.to_owned() }) {
                        return Some(Err(refusal));
                    }
                    rest = behind;
                }
                Some(Ok(Turn::Done))
            }
            Quirk::TooLongForSome => {
                self.broken.room = (1..others).rev().find(|&count| envelope::fits(text, count));
                None
            }
            _ => None,
        }
    }

    /// Answers an invitation though its user did not say anything.
    pub(super) fn answer_by_itself(&mut self, now: Duration, sid: Sid, from: Uid) {
        self.broken.inviters.entry(sid).or_insert(from);
        // It was opened just now.
        let _answered = self.answer(now, sid, true);
    }
}

/// The longest front of a text that fits, and the rest.
fn fitting(text: &str, fits: impl Fn(&str) -> bool) -> (&str, &str) {
    let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let count = ends.partition_point(|&end| fits(&text[..end]));
    text.split_at(count.checked_sub(1).map_or(0, |last| ends[last]))
}
