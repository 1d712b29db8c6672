//! Judging what was heard against what is expected at the moment.

use std::time::Instant;

use std::sync::Arc;

use mpchat_script::ast::{Frame, Kind, NoteKind, Payload, Timer, What};

use crate::program::{Leaf, LeafKind};
use crate::stop::{Finding, Stop, rules};

use super::Play;
use super::blame;
use super::world::{Happening, Heard};

impl Play {
    /// Judges what every connection has heard and not yet judged.
    pub(crate) fn rejudge_all(&mut self) -> Result<(), Stop> {
        for number in 0..self.conns.len() {
            self.rejudge(number)?;
        }
        Ok(())
    }

    /// Judges the queue of one connection as far as it goes.
    pub(crate) fn rejudge(&mut self, number: usize) -> Result<(), Stop> {
        while let Some(conn) = self.conns.get(number) {
            if conn.holding {
                return Ok(());
            }
            let Some(next) = conn.queue.front().cloned() else { return self.ended_before(number) };
            if conn.detached || conn.fin_sent && !self.is_expected(number, &next) {
                self.drop_front(number);
                continue;
            }
            if !self.judge(number, &next)? {
                return Ok(());
            }
            self.drop_front(number);
        }
        Ok(())
    }

    /// An end that came before the diagram expected it counts, if the harness itself had sent FIN.
    fn ended_before(&mut self, number: usize) -> Result<(), Stop> {
        let Some(conn) = self.conns.get(number).filter(|c| c.fin_sent && !c.detached) else { return Ok(()) };
        let Some(how) = conn.ended else { return Ok(()) };
        let end = Happening::End(how);
        if self.is_expected(number, &end) { self.judge(number, &end).map(|_| ()) } else { Ok(()) }
    }

    fn drop_front(&mut self, number: usize) {
        if let Some(conn) = self.conns.get_mut(number) {
            conn.queue.pop_front();
        }
    }

    fn is_expected(&self, number: usize, happening: &Happening) -> bool {
        let Some(conn) = self.conns.get(number) else { return false };
        let expected = |n: &usize| self.expectations.get(*n).is_some_and(|e| self.compare(&e.leaf, happening).is_ok());
        self.candidates(&conn.name).iter().any(expected)
    }

    /// Judges one happening: true if it is settled, false if it has to wait.
    fn judge(&mut self, number: usize, happening: &Happening) -> Result<bool, Stop> {
        let Some(conn) = self.conns.get(number) else { return Ok(true) };
        let name = conn.name.clone();
        let candidates = self.candidates(&name);
        for candidate in &candidates {
            let Some(expectation) = self.expectations.get(*candidate) else { continue };
            if self.compare(&expectation.leaf, happening).is_ok() {
                let (leaf, not_before) = (std::sync::Arc::clone(&expectation.leaf), expectation.not_before);
                if let Some(early) = not_before.and_then(|due| due.checked_duration_since(Instant::now())) {
                    return Err(self.too_early(&leaf, early, happening));
                }
                self.bind(number, &leaf, happening)?;
                self.met(*candidate);
                return Ok(true);
            }
        }
        if self.is_tolerated(number, happening) {
            return Ok(true);
        }
        if matches!(happening, Happening::End(_)) && self.leave_loop(&name) {
            return Ok(false);
        }
        let later = self.due_without_act(&name);
        if later.iter().any(|leaf| self.compare_later(leaf, happening)) {
            return Ok(false);
        }
        if self.is_undrawn_step(number, happening) {
            return Ok(true);
        }
        // A server may send a line before earlier ones are answered, or hold it back (MSG-20): in a `par` it waits for
        // its turn.
        let is_line = matches!(happening, Happening::Frame(heard) if heard.kind == Kind::MsgReq);
        if is_line && self.upcoming_in_branches(&name).iter().any(|leaf| self.compare_later(leaf, happening)) {
            return Ok(false);
        }
        let found = self.unexpected(number, &candidates, happening);
        Err(match found {
            Stop::Fail(finding) => self.or_refusal(number, happening, finding),
            other => other,
        })
    }

    /// Step 3 of a login that the diagram leaves half way: it is due, and nobody answers it.
    fn is_undrawn_step(&self, number: usize, happening: &Happening) -> bool {
        let Some(conn) = self.conns.get(number).filter(|c| c.drawn_login && !c.logged_in) else { return false };
        let is_step = |leaf: &std::sync::Arc<Leaf>| self.compare(leaf, happening).is_ok();
        matches!(happening, Happening::Frame(heard) if heard.kind == Kind::StatusReq)
            && !self.upcoming(&conn.name).iter().any(is_step)
    }

    /// Like [`Play::compare`], for a line whose session or text may not be known yet.
    fn compare_later(&self, leaf: &Leaf, happening: &Happening) -> bool {
        self.compare(leaf, happening).is_ok()
    }

    /// Frames that were due before a violation may still come (MTP-13), and so may lines to the violator.
    fn is_tolerated(&self, number: usize, happening: &Happening) -> bool {
        let Some(conn) = self.conns.get(number) else { return true };
        match happening {
            Happening::Frame(heard) => conn.violating && !matches!(heard.kind, Kind::StatusReq),
            Happening::End(_) => conn.fin_sent,
        }
    }

    /// Takes over what a met expectation tells: sids, liveness, the transcript's line.
    fn bind(&mut self, number: usize, leaf: &Leaf, happening: &Happening) -> Result<(), Stop> {
        if let (LeafKind::Frame(frame), Happening::Frame(heard)) = (&leaf.what, happening)
            && let mpchat_script::ast::What::Message(message) = &frame.what
        {
            let name = self.session_of_line(message);
            self.bind_session(number, &name, heard)?;
        }
        if matches!(happening, Happening::End(_))
            && let Some(user) = self.conns.get(number).map(|c| c.user.clone())
        {
            self.unsettled.push(user);
        }
        let line = self.render_seen(leaf, happening);
        self.fill(leaf, line);
        Ok(())
    }

    fn bind_session(&mut self, number: usize, name: &str, heard: &Heard) -> Result<(), Stop> {
        let sid = heard.header.sid;
        let creates = match heard.kind {
            Kind::InviteReq => true,
            Kind::InitRes => heard.payload == b"OK",
            _ => false,
        };
        let session = self.sessions.entry(name.to_owned()).or_default();
        if heard.kind == Kind::InitRes && heard.payload != b"OK" {
            session.over = true;
            return Ok(());
        }
        if !creates {
            return Ok(());
        }
        if session.sid.is_none() {
            session.sid = Some(sid);
            let case = self.stage.instance.number();
            if let Some(earlier) = self.stage.memory.give_out(case, sid, name) {
                let got = format!("sid {sid}, which was given out before (as {earlier})");
                return Err(self.monitor(number, &["INIT-03", "CLOSE-04"], "a sid that was never given out", got));
            }
        }
        if let Some(other) = self.stage.memory.neighbour(self.stage.instance.number(), sid) {
            self.warn(&["INIT-04"], "sids that nobody can foresee", format!("sid {sid} after {other}"));
        }
        let session = self.sessions.entry(name.to_owned()).or_default();
        if heard.kind == Kind::InitRes {
            session.live = true;
        }
        Ok(())
    }

    fn too_early(&self, leaf: &Leaf, early: std::time::Duration, happening: &Happening) -> Stop {
        let mut found = leaf.line.rules.clone();
        found.extend(rules(blame::missing(leaf)));
        Finding::new(
            found,
            Some(leaf.line.clone()),
            format!("{} only when the timer has passed", leaf.line.text),
            format!("{} {} ms too early", self.describe(happening), early.as_millis()),
        )
        .stop()
    }

    /// A rule that is more to the point than those of the step: an end instead of an error text (PAY-04), a text that is
    /// nearly the one that is due (PAY-01).
    fn more_than_the_step(&self, number: usize, leaf: &Leaf, happening: &Happening) -> &'static [&'static str] {
        let LeafKind::Frame(Frame { what: What::Message(message), .. }) = &leaf.what else { return &[] };
        match happening {
            Happening::End(_) => {
                let malformed = self.conns.get(number).is_some_and(|conn| conn.malformed_request);
                if message.payload == Some(Payload::Error) && malformed { &["PAY-04"] } else { &[] }
            }
            Happening::Frame(heard) => {
                let ok_is_due = message.payload != Some(Payload::Error) && message.kind == heard.kind;
                let is_response = matches!(heard.kind, Kind::InitRes | Kind::MsgRes | Kind::CloseRes);
                let nearly = heard.payload != b"OK" && heard.payload.trim_ascii().eq_ignore_ascii_case(b"OK");
                if ok_is_due && is_response && nearly { &["PAY-01"] } else { &[] }
            }
        }
    }

    /// What a frame or an end out of turn breaks; while a timer is waited for, it is that timer which is early.
    pub(crate) fn unexpected_rules(&self, happening: &Happening) -> &'static [&'static str] {
        let ended = matches!(happening, Happening::End(_));
        let kind = match happening {
            Happening::Frame(heard) => Some(heard.kind),
            Happening::End(_) => None,
        };
        if let Happening::Frame(heard) = happening
            && heard.kind == Kind::CloseRes
            && self.is_being_closed_before_it_is_live(heard)
        {
            return &["CLOSE-08", "CLOSE-05"];
        }
        match self.timer {
            Some(Timer::Invite) if matches!(kind, Some(Kind::CloseRes | Kind::InitRes)) => {
                if kind == Some(Kind::CloseRes) { &["INIT-08", "CLOSE-05"] } else { &["INIT-08", "INIT-11"] }
            }
            Some(Timer::Answer) if ended => &["MSG-12", "MTP-18"],
            Some(Timer::Login) if ended => &["LOGIN-10", "MTP-18"],
            _ => blame::unexpected(happening),
        }
    }

    /// Whether somebody has asked to close a session that is not live.
    fn is_being_closed_before_it_is_live(&self, heard: &Heard) -> bool {
        let sid = heard.header.sid;
        let live = self.session_by_sid(sid).is_some_and(|(_, session)| session.live);
        let asked = |conn: &super::world::Conn| {
            conn.last_sent == Some(Kind::CloseReq) && conn.uid == heard.header.uid
                || conn.books.closing_sids().contains(&sid)
        };
        !live && self.conns.iter().any(asked)
    }

    /// Something came that nothing expects: whose fault, and of which rule.
    fn unexpected(&self, number: usize, candidates: &[usize], happening: &Happening) -> Stop {
        let name = self.conns.get(number).map(|c| c.name.clone()).unwrap_or_default();
        let got = format!("{name} heard {}", self.describe(happening));
        let nearest = candidates
            .iter()
            .filter_map(|n| self.expectations.get(*n))
            .filter_map(|e| self.compare(&e.leaf, happening).err().map(|m| (m, &e.leaf)))
            .max_by_key(|(m, _)| m.closeness);
        if let Some((mismatch, leaf)) = nearest {
            let mut found = rules(self.more_than_the_step(number, leaf, happening));
            found.extend(leaf.line.rules.clone());
            found.extend(rules(mismatch.rules));
            if found.is_empty() {
                found.extend(rules(blame::missing(leaf)));
            }
            if found.is_empty() {
                found.extend(rules(self.unexpected_rules(happening)));
            }
            return Finding::new(found, Some(leaf.line.clone()), leaf.line.text.clone(), got).stop();
        }
        if let Some(note) = self.checking.as_ref().filter(|note| note.conn == name) {
            let mut found = note.line.rules.clone();
            found.extend(rules(self.unexpected_rules(happening)));
            let expected = if matches!(&note.what, LeafKind::Note(n) if n.what == NoteKind::StillServed) {
                format!("{name} is still served")
            } else {
                format!("{name} hears nothing")
            };
            return Finding::new(found, Some(note.line.clone()), expected, got).stop();
        }
        let upcoming = self.upcoming(&name);
        // An act of the connection itself ends the look ahead: what comes behind it has another cause.
        let before_act = upcoming.iter().take_while(|leaf| !is_own_act(leaf)).next();
        match before_act {
            Some(leaf) if matches!(leaf.what, LeafKind::Note(_)) => {
                let mut found = leaf.line.rules.clone();
                found.extend(rules(self.unexpected_rules(happening)));
                Finding::new(found, Some(leaf.line.clone()), leaf.line.text.clone(), got).stop()
            }
            Some(leaf) if self.compare(leaf, happening).is_ok() => {
                let mut found = leaf.line.rules.clone();
                found.extend(rules(blame::missing(leaf)));
                let expected = format!("{}, only after what stands before it in the diagram", leaf.line.text);
                Finding::new(found, Some(leaf.line.clone()), expected, got).stop()
            }
            _ => {
                // An end or a refusal out of turn takes the place of what is awaited elsewhere.
                let awaited = self.oldest_waiting().filter(|_| is_refusal(happening)).map(|e| Arc::clone(&e.leaf));
                let mut found = awaited.as_ref().map(|leaf| leaf.line.rules.clone()).unwrap_or_default();
                // What comes in the place of the next frame of its kind breaks what that one is about.
                if let Some(leaf) = before_act.filter(|leaf| is_of_kind(leaf, happening)) {
                    found.extend(leaf.line.rules.clone());
                }
                // What nobody else caused is the effect of the frame that broke a rule.
                if self.conns.iter().enumerate().any(|(n, conn)| n != number && conn.violating) {
                    found.extend(rules(&["MTP-13"]));
                }
                found.extend(rules(self.unexpected_rules(happening)));
                let expected = match &awaited {
                    Some(leaf) => format!("{}, and nothing for {name} at this point", leaf.line.text),
                    None => format!("nothing for {name} at this point"),
                };
                let step = awaited.map(|leaf| leaf.line.clone()).or_else(|| self.nearest_line(&name));
                Finding::new(found, step, expected, got).stop()
            }
        }
    }
}

/// An error text, or the end of the connection.
fn is_refusal(happening: &Happening) -> bool {
    match happening {
        Happening::End(_) => true,
        Happening::Frame(heard) => {
            matches!(heard.kind, Kind::InitRes | Kind::MsgRes | Kind::CloseRes) && heard.payload != b"OK"
        }
    }
}

fn is_of_kind(leaf: &Leaf, happening: &Happening) -> bool {
    let Happening::Frame(heard) = happening else { return false };
    matches!(&leaf.what, LeafKind::Frame(Frame { what: What::Message(message), .. }) if message.kind == heard.kind)
}

fn is_own_act(leaf: &Leaf) -> bool {
    match &leaf.what {
        LeafKind::Frame(frame) => frame.from != "server",
        LeafKind::Ending(ending) => ending.from != "server",
        LeafKind::Note(note) => !matches!(note.what, NoteKind::HearsNothing | NoteKind::StillServed),
    }
}
