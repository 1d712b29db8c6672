//! What the harness does: frames, endings, and the acts among the notes.

use std::sync::Arc;
use std::time::Instant;

use mpchat_proto::ids::{Sid, Uid};
use mpchat_script::ast::{Ending, EndingKind, Fault, Field, Frame, Kind, Message, Timer, What};

use crate::books::Query;
use crate::forge;
use crate::program::{Leaf, LeafKind};
use crate::stop::Stop;

use super::Play;
use super::arrive::{decode, kind_of};
use super::craft::Crafted;
use super::world::{Kept, Phase, Session};

impl Play {
    /// Performs one act of a burst.
    pub(crate) async fn perform(&mut self, leaf: &Arc<Leaf>) -> Result<(), Stop> {
        self.settle().await?;
        // Before the act: what it causes may come before this goes on.
        self.last_act = Instant::now();
        self.fill_as_drawn(leaf);
        match &leaf.what {
            LeafKind::Frame(frame) => self.perform_frame(leaf, frame).await?,
            LeafKind::Ending(ending) => self.perform_ending(leaf, ending).await?,
            LeafKind::Note(_) => {}
        }
        self.progress = Instant::now();
        Ok(())
    }

    async fn perform_frame(&mut self, leaf: &Leaf, frame: &Frame) -> Result<(), Stop> {
        let number = self.connection(&leaf.conn).await?;
        match &frame.what {
            What::Message(message) => {
                if message.kind == Kind::InitReq {
                    self.begin_session(number, message);
                }
                let crafted = self.craft(number, message)?;
                if let Some(name) = &frame.keep_as {
                    let kept = Kept { bytes: crafted.bytes.clone(), login: None };
                    self.kept.insert(name.clone(), kept);
                }
                self.send(number, message, frame, crafted);
            }
            What::BytesOf(name) => {
                let Some(kept) = self.kept.get(name) else {
                    return Err(Stop::Skip(format!("no bytes are kept as `{name}`")));
                };
                let (bytes, login) = (kept.bytes.clone(), kept.login.clone());
                self.send_raw(number, &leaf.line.text, bytes);
                if let (Some(login), Some(conn)) = (login, self.conns.get_mut(number)) {
                    conn.uid = decode(&login.request).uid;
                    conn.phase = Phase::Requested(login);
                    conn.last_out = 1;
                    conn.violating = false;
                    conn.drawn_login = true;
                }
            }
            What::Bytes(bytes) => self.send_raw(number, &leaf.line.text, bytes.clone()),
        }
        Ok(())
    }

    fn send_raw(&mut self, number: usize, what: &str, bytes: Vec<u8>) {
        self.log_said(what, &bytes);
        if let Some(conn) = self.conns.get_mut(number) {
            conn.violating = true;
            conn.link.write(bytes);
        }
    }

    /// Files a frame as sent and writes it.
    fn send(&mut self, number: usize, message: &Message, frame: &Frame, crafted: Crafted) {
        self.log_said(&frame.line.text, &crafted.bytes);
        self.book(number, message, frame.faulty && !forge::is_right(message), &crafted);
        let keep = frame.keep_as.clone();
        let Some(conn) = self.conns.get_mut(number) else { return };
        conn.dirty = true;
        if conn.next_out() == Some(crafted.header.sqn) {
            conn.last_out = crafted.header.sqn;
        }
        if let Some(login) = crafted.login {
            let login = Arc::new(login);
            // Whoever is logged in is answered under the transfer keys, if a probe was on its way.
            if !matches!(conn.phase, Phase::Ready(_)) {
                conn.drawn_login = true;
                conn.bad_login = conn.violating;
                conn.phase = Phase::Requested(Arc::clone(&login));
            }
            if let Some(kept) = keep.and_then(|name| self.kept.get_mut(&name)) {
                kept.login = Some(login);
            }
        }
        let Some(conn) = self.conns.get_mut(number) else { return };
        conn.mid_frame |= message.faults.iter().any(|fault| matches!(fault, Fault::Only(_)));
        conn.link.send(&crafted.bytes, &message.delivery);
        if !conn.link.is_holding() {
            let probes = std::mem::take(&mut conn.probes_held);
            (0..probes).for_each(|_| self.answer_probe(number));
        }
    }

    /// Notes what a frame makes due.
    fn book(&mut self, number: usize, message: &Message, faulty: bool, crafted: &Crafted) {
        let answerable = is_answerable(message);
        let Some(kind) = kind_of(crafted.header.typ) else {
            self.mark_violating(number);
            return;
        };
        let sid = crafted.header.sid;
        if self.conns.get(number).is_some_and(|conn| conn.ended.is_some()) {
            // The server was through with this connection before (LOGIN-09, MSG-12).
            self.mark_violating(number);
            return;
        }
        if let Some(conn) = self.conns.get_mut(number) {
            conn.last_sent = Some(kind);
            if kind == Kind::StatusRes {
                conn.books.said_status();
            }
            if kind == Kind::MsgReq {
                conn.longest_msg = conn.longest_msg.max(crafted.payload.len());
            }
            conn.malformed_request = faulty && matches!(kind, Kind::InitReq | Kind::CloseReq | Kind::MsgReq);
        }
        let logged_in = self.conns.get(number).is_some_and(|c| c.logged_in);
        if faulty && is_violation(message, kind, logged_in, &crafted.payload) {
            self.mark_violating(number);
            return;
        }
        if !answerable {
            return;
        }
        let name = self.session_of_line(message);
        let Some(conn) = self.conns.get_mut(number) else { return };
        let user = conn.user.clone();
        match message.kind {
            Kind::StatusReq => conn.books.asked(sid, Query::Drawn),
            Kind::MsgReq => conn.books.said(sid, crafted.text.as_deref().unwrap_or_default()),
            Kind::InitReq => conn.books.init_asked(name),
            Kind::CloseReq => conn.books.asked_to_close(sid),
            Kind::InviteRes => {
                // INIT-08: the first decision counts, and only on the connection that got the invitation.
                let open = conn.invited_to.remove(&sid);
                let session = self.sessions.values_mut().find(|s| s.sid == Some(sid) && !s.live && !s.over);
                if let Some(session) = session.filter(|_| open && crafted.payload == b"Accept") {
                    session.accepted.insert(user);
                }
            }
            Kind::MsgRes => self.line_answered(number, sid),
            Kind::StatusRes if crafted.payload == b"Offline" => conn.farewell = true,
            Kind::StatusRes => {
                if matches!(conn.phase, Phase::Ready(_)) {
                    conn.log_in();
                }
            }
            _ => {}
        }
    }

    fn mark_violating(&mut self, number: usize) {
        if let Some(conn) = self.conns.get_mut(number) {
            conn.violating = true;
        }
    }

    /// A msg_res was sent: it answers the oldest line of its sid (MSG-09).
    pub(crate) fn line_answered(&mut self, number: usize, sid: Sid) {
        let Some(conn) = self.conns.get_mut(number) else { return };
        let Some(line) = conn.books.lines.get_mut(&sid).and_then(std::collections::VecDeque::pop_front) else { return };
        let now = Instant::now();
        if conn.books.lines.values().all(std::collections::VecDeque::is_empty) {
            conn.starts.remove(&Timer::Answer);
        } else {
            conn.starts.insert(Timer::Answer, (now, now));
        }
        let user = conn.user.clone();
        for text in self.texts.values_mut() {
            if text.lines.get(&user) == Some(&line) {
                text.answered.insert(user.clone(), (number, now));
            }
        }
    }

    /// An init_req makes its session's name mean a new session.
    fn begin_session(&mut self, number: usize, message: &Message) {
        let name = self.session_of_line(message);
        let creator = self.conns.get(number).map(|c| c.user.clone()).unwrap_or_default();
        let invited = match &message.payload {
            Some(mpchat_script::ast::Payload::Names(names)) => self.unfold(names),
            Some(_) => Vec::new(),
            None => self.shown_invited.get(&name).cloned().unwrap_or_default(),
        };
        self.sessions.insert(name, Session { creator, invited, ..Session::default() });
    }

    async fn perform_ending(&mut self, leaf: &Leaf, ending: &Ending) -> Result<(), Stop> {
        let number = self.connection(&leaf.conn).await?;
        self.log(leaf.line.text.clone());
        self.flush_joined();
        let Some(conn) = self.conns.get_mut(number) else { return Ok(()) };
        conn.fin_sent = true;
        let user = conn.user.clone();
        match ending.how {
            EndingKind::Closes => {
                conn.link.finish();
                self.await_end(number, leaf).await?;
            }
            EndingKind::HalfCloses => conn.link.finish(),
            EndingKind::Resets => {
                conn.link.reset();
                conn.ended = Some(crate::link::EndHow::Reset);
            }
        }
        self.unsettled.push(user);
        Ok(())
    }

    /// Reads to the end of a stream on which FIN was sent (MTP-19).
    async fn await_end(&mut self, number: usize, leaf: &Leaf) -> Result<(), Stop> {
        let mut patience = self.patience();
        while self.conns.get(number).is_some_and(|c| c.ended.is_none()) {
            if !self.hear_within(&mut patience).await? {
                let alive = self.is_alive().await?;
                let name = &leaf.conn;
                let got = format!("{name}'s connection stays open after its FIN");
                return Err(if alive {
                    let mut rules = leaf.line.rules.clone();
                    rules.extend(crate::stop::rules(&["MTP-19"]));
                    let (step, expected) = (Some(leaf.line.clone()), "the server closes its side too".to_owned());
                    crate::stop::Finding::new(rules, step, expected, got).stop()
                } else {
                    Stop::Inconclusive(format!("{got}, and nothing is answered any more"))
                });
            }
        }
        Ok(())
    }

    /// Writes what waits for the next line of its sender, at the end of a burst.
    pub(crate) fn flush_joined(&mut self) {
        self.conns.iter_mut().for_each(|conn| conn.link.flush_joined());
    }

    /// Before anything is waited for: a transport that joins lets go of what it holds back.
    pub(crate) fn flush_coalesced(&mut self) {
        self.conns.iter_mut().for_each(|conn| conn.link.flush());
    }

    /// Sends a frame of the harness's own on a logged-in connection.
    pub(crate) fn say(&mut self, number: usize, kind: Kind, sid: Sid, payload: &[u8]) {
        let Some(conn) = self.conns.get_mut(number).filter(|conn| !conn.mid_frame) else { return };
        let (Some(sqn), Some(transfer)) = (conn.next_out(), conn.transfer()) else { return };
        let Some(typ) = mpchat_proto::frame::FrameType::from_code(kind.code()) else { return };
        let header = mpchat_proto::frame::Header::for_payload(typ, sqn, sid, conn.uid, payload.len(), false);
        let bytes = transfer.outgoing.seal(&header, payload, None);
        conn.last_out = sqn;
        if kind == Kind::StatusRes {
            conn.books.said_status();
        }
        // Behind step 4 of a login that no diagram shows there is always a question.
        let is_fourth_step = !conn.logged_in && !conn.drawn_login && matches!(conn.phase, Phase::Ready(_));
        if is_fourth_step && kind == Kind::StatusRes {
            conn.link.write_before_more(bytes);
        } else {
            conn.link.write(bytes);
        }
    }

    /// Whether the next status_req on a connection is a line of the diagram.
    pub(crate) fn drawn_probe(&self, number: usize) -> bool {
        let Some(conn) = self.conns.get(number) else { return false };
        let is_probe = |leaf: &Leaf| matches!(&leaf.what, LeafKind::Frame(Frame { what: What::Message(m), .. }) if m.kind == Kind::StatusReq);
        conn.drawn_login && !conn.logged_in
            || self.candidates(&conn.name).iter().any(|n| self.expectations.get(*n).is_some_and(|e| is_probe(&e.leaf)))
    }

    /// Answers a probe of the server (STAT-02); in a login it is step 4.
    pub(crate) fn answer_probe(&mut self, number: usize) {
        if let Some(conn) = self.conns.get_mut(number).filter(|conn| conn.link.is_holding()) {
            // In the middle of a frame nothing can be said: the rest would go too early.
            conn.probes_held += 1;
            return;
        }
        self.say(number, Kind::StatusRes, Sid::NONE, b"Online");
        if let Some(conn) = self.conns.get_mut(number)
            && matches!(conn.phase, Phase::Ready(_))
        {
            conn.log_in();
        }
    }

    /// The uid of a connection's user.
    pub(crate) fn uid_of_user(&self, user: &str) -> Uid {
        self.users.get(user).map_or(Uid::SERVER, |identity| identity.uid)
    }
}

/// Whether a frame, changed as it is, is one that a conforming server answers or takes.
fn is_answerable(message: &Message) -> bool {
    message.faults.iter().all(|fault| {
        matches!(
            fault,
            Fault::With(Field::Payload | Field::Sid, _) | Fault::SealedBy(_) | Fault::SealedFor(_) | Fault::SealedIn(_)
        )
    })
}

/// Whether a server has to close for the frame (MTP-13, PAY-05).
fn is_violation(message: &Message, kind: Kind, logged_in: bool, payload: &[u8]) -> bool {
    let closes = match kind {
        Kind::InitReq | Kind::CloseReq | Kind::MsgReq => false,
        Kind::StatusReq => !payload.is_empty(),
        Kind::StatusRes => payload != b"Online" && payload != b"Offline",
        Kind::InviteRes => payload != b"Accept" && payload != b"Deny",
        // Any text is an error text, or `OK`.
        Kind::MsgRes => payload.is_empty() || std::str::from_utf8(payload).is_err(),
        _ => true,
    };
    !is_answerable(message) || !logged_in || closes
}
