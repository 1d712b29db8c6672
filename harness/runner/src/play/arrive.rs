//! From bytes to frames: what is heard passes the monitors and the books before the diagram judges it.
//!
//! A monitor holds in every case, whatever the case is about; a breach names its own rule.

use std::sync::Arc;
use std::time::Instant;

use mpchat_model::Evidence;
use mpchat_proto::frame::{self, FrameType, Header, HeaderError};
use mpchat_proto::ids::{Sid, Uid};
use mpchat_proto::payload;
use mpchat_script::ast::Kind;

use crate::books::StatusOwner;
use crate::link::{EndHow, Input};
use crate::stop::Stop;

use super::diagnose::{self, Moment};
use super::render::hex_start;
use super::world::{Happening, Heard, Phase, Suspicion};
use super::{MAX_HEARD_BYTES, Play};

impl Play {
    /// Waits for the next input until `deadline` and digests it; false if the deadline came first.
    pub(crate) async fn hear(&mut self, deadline: Instant) -> Result<bool, Stop> {
        self.flush_coalesced();
        let received = tokio::time::timeout_at(deadline.into(), self.inputs.recv()).await;
        let Ok(Some((conn, input))) = received else { return Ok(false) };
        self.take_in(conn, input)?;
        Ok(true)
    }

    /// Digests what came from a connection.
    pub(crate) fn take_in(&mut self, number: usize, input: Input) -> Result<(), Stop> {
        match input {
            Input::Bytes(bytes) => self.digest(number, &bytes),
            Input::End(how) => self.stream_ended(number, how),
        }
    }

    fn digest(&mut self, number: usize, bytes: &[u8]) -> Result<(), Stop> {
        self.heard_bytes += bytes.len();
        if self.heard_bytes > MAX_HEARD_BYTES {
            return Err(self.monitor(number, &["MTP-13"], "a bounded conversation", "a flood of frames".to_owned()));
        }
        if let Some(conn) = self.conns.get_mut(number) {
            conn.books.bytes_came();
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let Some(conn) = self.conns.get_mut(number) else { return Ok(()) };
            if conn.ended.is_some() {
                return Ok(());
            }
            let (response, last_in) = (matches!(conn.phase, Phase::Requested(_)), conn.last_in);
            let checked = conn.deframer.feed(&mut rest, |header| check_header(response, last_in, header));
            let mut frame = match checked {
                Ok(None) => return Ok(()),
                Ok(Some(frame)) => frame.to_vec(),
                Err(error) => {
                    let stop = self.bad_header(number, &error);
                    return self.answers_violation(number, &error.to_string()).then_some(()).ok_or(stop);
                }
            };
            self.open(number, &mut frame)?;
        }
        Ok(())
    }

    /// Opens one whole frame with the keys of the connection's phase.
    fn open(&mut self, number: usize, frame: &mut [u8]) -> Result<(), Stop> {
        let sealed = frame.to_vec();
        let no_login = self
            .conns
            .get(number)
            .is_some_and(|c| c.bad_login && matches!(c.phase, Phase::Requested(_)) || matches!(c.phase, Phase::Raw));
        if no_login && self.answers_violation(number, &hex_start(frame)) {
            return Ok(());
        }
        let Some(conn) = self.conns.get_mut(number) else { return Ok(()) };
        conn.last_in = conn.last_in.saturating_add(1);
        match &conn.phase {
            Phase::Raw => {
                Err(self.monitor(number, &["LOGIN-01"], "nothing before the login request", hex_start(frame)))
            }
            Phase::Requested(login) => {
                let login = Arc::clone(login);
                self.open_response(number, &login, frame, &sealed)
            }
            Phase::Half(transfer) | Phase::Ready(transfer) => match transfer.incoming.open_in_place(frame, false) {
                Ok(payload) => {
                    let payload = payload.to_vec();
                    if matches!(conn.phase, Phase::Half(_)) {
                        conn.third_step();
                    }
                    self.opened(number, decode(&sealed), payload)
                }
                Err(_) if conn.violating => {
                    let _noted = self.answers_violation(number, &hex_start(&sealed));
                    Ok(())
                }
                Err(_) => {
                    let (rules, what) = transfer.diagnose(&sealed, matches!(conn.phase, Phase::Half(_)));
                    let expected = "a mac that is right under the transfer key, the nonce and the 24 header bytes";
                    Err(self.monitor(number, rules, expected, format!("{what}: {}", hex_start(&sealed))))
                }
            },
        }
    }

    /// Files an opened frame and judges it.
    pub(crate) fn opened(&mut self, number: usize, header: Header, payload: Vec<u8>) -> Result<(), Stop> {
        let Some(kind) = kind_of(header.typ) else { return Ok(()) };
        let mut heard = Heard { kind, header, payload, about: None, answers_close: false, at: Instant::now() };
        self.log_heard(number, &heard);
        self.check_format(number, &heard)?;
        let of_leftover = matches!(heard.kind, Kind::MsgReq | Kind::CloseRes) && header.sid != Sid::NONE;
        if of_leftover && self.stage.memory.is_left_behind(self.stage.instance.number(), header.sid) {
            self.answer_leftover(number, &heard);
            return Ok(());
        }
        self.check_uid(number, &heard)?;
        if self.file(number, &mut heard)? == Filed::Background {
            return Ok(());
        }
        self.note_timers(number, &heard);
        self.compare_with_what_was_told(number, &heard);
        let Some(conn) = self.conns.get_mut(number) else { return Ok(()) };
        conn.queue.push_back(Happening::Frame(heard));
        self.rejudge(number)
    }

    fn in_login(&self, number: usize) -> bool {
        self.conns.get(number).is_some_and(|conn| !conn.logged_in)
    }

    /// Whether the user of a connection had another one before it in this case.
    fn is_later_connection(&self, number: usize) -> bool {
        let user = self.conns.get(number).map(|conn| &conn.user);
        self.conns.iter().take(number).any(|earlier| Some(&earlier.user) == user)
    }

    /// Notes a frame that answers a violation: whether the server closes now tells which rule that breaks.
    fn answers_violation(&mut self, number: usize, what: &str) -> bool {
        let Some(conn) = self.conns.get_mut(number).filter(|conn| conn.violating) else { return false };
        conn.answered.get_or_insert_with(|| what.to_owned());
        true
    }

    /// A response that answers nothing: one with another sid than what is owed breaks a rule of its own; true if it
    /// answers a violation, and what it breaks is not known yet.
    fn answers_nothing(&mut self, number: usize, heard: &Heard, owed: &[Sid], expected: &str) -> Result<bool, Stop> {
        match diagnose::misaddressed(heard, owed) {
            Some((rules, what)) => Err(self.monitor(number, rules, expected, what.to_owned())),
            None => Ok(self.answers_violation(number, heard.kind.word())),
        }
    }

    /// A violation was answered, and then the connection was closed: no answer was due (MTP-13).
    fn closed_with_an_answer(&self, number: usize) -> Result<(), Stop> {
        let Some(conn) = self.conns.get(number) else { return Ok(()) };
        let Some(answer) = &conn.answered else { return Ok(()) };
        let name = &conn.name;
        let awaited =
            self.candidates(name).first().and_then(|n| self.expectations.get(*n)).map(|e| e.leaf.line.clone());
        let step = awaited.or_else(|| self.nearest_line(name));
        let own = step.as_ref().map(|line| line.rules.clone()).unwrap_or_default();
        let general = crate::stop::rules(&["MTP-13"]);
        let rules = if conn.logged_in { [general, own].concat() } else { [own, general].concat() };
        let got = format!("{name} heard {answer}, and then the end");
        Err(crate::stop::Finding::new(rules, step, "the end, without an answer".to_owned(), got).stop())
    }

    fn stream_ended(&mut self, number: usize, how: EndHow) -> Result<(), Stop> {
        if !self.unjudged {
            self.closed_with_an_answer(number)?;
        }
        let Some(conn) = self.conns.get_mut(number) else { return Ok(()) };
        conn.ended = Some(how);
        let (detached, name) = (conn.detached, conn.name.clone());
        self.log(format!("server--x{name}: {}", if how == EndHow::Fin { "closes (FIN)" } else { "closes (RST)" }));
        if detached || self.unjudged {
            return Ok(());
        }
        self.rests_on(Evidence::Closed);
        let Some(conn) = self.conns.get_mut(number) else { return Ok(()) };
        conn.queue.push_back(Happening::End(how));
        self.rejudge(number)
    }

    /// PAY-01 to PAY-03, MSG-03: the payload's own format.
    fn check_format(&self, number: usize, heard: &Heard) -> Result<(), Stop> {
        let bad = match heard.kind {
            Kind::InitRes | Kind::CloseRes | Kind::MsgRes => payload::parse_response(&heard.payload).err(),
            Kind::StatusRes | Kind::LoginRes => payload::parse_presence(&heard.payload).err(),
            Kind::StatusReq | Kind::InviteReq => payload::parse_empty(&heard.payload).err(),
            Kind::MsgReq => payload::parse_lines(&heard.payload).err(),
            _ => None,
        };
        let Some(error) = bad else {
            if heard.kind == Kind::MsgReq && payload::parse_lines(&heard.payload).is_ok_and(|lines| lines.len() != 1) {
                let got = super::render::payload_text(&heard.payload);
                return Err(self.monitor(number, &["MSG-03", "PAY-02"], "exactly one line, ended by LF", got));
            }
            return Ok(());
        };
        let rules: &[&str] = match heard.kind {
            Kind::StatusReq | Kind::InviteReq if !heard.payload.is_empty() && heard.kind == Kind::InviteReq => {
                &["INIT-05", "PAY-01"]
            }
            Kind::StatusReq if self.in_login(number) => &["LOGIN-17", "STAT-02"],
            Kind::StatusReq => &["STAT-02", "PAY-01"],
            Kind::MsgReq => match error {
                payload::PayloadError::NotUtf8 { .. } => &["PAY-01", "MSG-03"],
                payload::PayloadError::EmptyLine { .. } => &["MSG-03", "MSG-05"],
                _ => &["PAY-02", "MSG-03"],
            },
            Kind::InitRes | Kind::CloseRes | Kind::MsgRes if heard.payload.is_empty() => &["PAY-03"],
            _ => &["PAY-01"],
        };
        let expected = format!("a payload of {} as the specification has it", heard.kind.word());
        Err(self.monitor(number, rules, &expected, format!("{}: {error}", super::render::payload_text(&heard.payload))))
    }

    /// MTP-21 as far as the frame alone tells: what diagrams tell more exactly is left to them.
    fn check_uid(&self, number: usize, heard: &Heard) -> Result<(), Stop> {
        let uid = heard.header.uid;
        let wrong = match heard.kind {
            Kind::InviteReq | Kind::MsgReq => uid == Uid::SERVER,
            Kind::InitRes | Kind::MsgRes | Kind::StatusReq => uid != Uid::SERVER,
            Kind::StatusRes => uid != Uid::SERVER && heard.header.sid == Sid::NONE,
            _ => false,
        };
        let asked = || self.conns.get(number).is_some_and(|c| c.books.asked_sids().iter().any(|sid| *sid != Sid::NONE));
        if wrong && heard.kind == Kind::StatusRes && asked() {
            let got = format!("status_res of {} with sid 0", self.name_of(uid));
            return Err(self.monitor(
                number,
                &["STAT-04", "MTP-21"],
                "a member's status_res with the session's sid",
                got,
            ));
        }
        if wrong {
            let expected = match heard.kind {
                Kind::InviteReq => "the inviter's uid",
                Kind::MsgReq => "the author's uid",
                _ => "uid 0",
            };
            return Err(self.monitor(number, &["MTP-21"], expected, format!("uid {uid} in {}", heard.kind.word())));
        }
        if heard.kind == Kind::StatusReq && heard.header.sid != Sid::NONE {
            let got = format!("sid {}", heard.header.sid);
            let rules: &[&str] = if self.in_login(number) { &["LOGIN-17", "PAY-05"] } else { &["PAY-05", "STAT-08"] };
            return Err(self.monitor(number, rules, "status_req with sid 0", got));
        }
        Ok(())
    }

    /// Files a frame in the connection's books.
    fn file(&mut self, number: usize, heard: &mut Heard) -> Result<Filed, Stop> {
        let Some(conn) = self.conns.get_mut(number) else { return Ok(Filed::Background) };
        let (sid, uid) = (heard.header.sid, heard.header.uid);
        match heard.kind {
            Kind::StatusRes => {
                let online = heard.payload == b"Online";
                match conn.books.status_answer(sid, uid.0, online) {
                    StatusOwner::Background => return Ok(Filed::Background),
                    StatusOwner::Drawn => {}
                    StatusOwner::Nobody => {
                        let owed = conn.books.asked_sids();
                        if self.answers_nothing(number, heard, &owed, "an answer with the sid of its status_req")? {
                            return Ok(Filed::Background);
                        }
                        let got = format!("another status_res for sid {}", self.session_name(sid));
                        let rules = if sid == Sid::NONE { ["STAT-01", "STAT-07"] } else { ["STAT-04", "STAT-07"] };
                        return Err(self.monitor(number, &rules, "one answer a status_req", got));
                    }
                }
            }
            Kind::MsgRes => {
                let owed = conn.books.owes_text(sid);
                heard.about = conn.books.text_answered(sid);
                if let Some(text) = heard.about.as_ref().and_then(|text| self.texts.get_mut(text)) {
                    text.failed |= heard.payload != b"OK";
                }
                if !owed {
                    let owed = conn.books.owed_sids();
                    if self.answers_nothing(number, heard, &owed, "msg_res with the sid of its msg_req")? {
                        return Ok(Filed::Background);
                    }
                    let got = format!("an msg_res for {} that answers nothing", self.session_name(sid));
                    let rules: &[&str] = if self.conns.get(number).is_some_and(|c| c.last_sent == Some(Kind::MsgRes)) {
                        &["PAY-06", "MSG-07"]
                    } else if self.is_later_connection(number) {
                        &["MSG-13", "MSG-07"]
                    } else {
                        &["MSG-07", "MSG-13"]
                    };
                    return Err(self.monitor(number, rules, "one msg_res a msg_req", got));
                }
                self.check_decided(number, heard);
            }
            Kind::InitRes => match conn.books.init_answered() {
                Some(name) => heard.about = Some(name),
                None => {
                    if self.answers_violation(number, "init_res") {
                        return Ok(Filed::Background);
                    }
                    let rules = &["INIT-11"];
                    let got = "an init_res that answers nothing".to_owned();
                    return Err(self.monitor(number, rules, "one init_res an init_req", got));
                }
            },
            Kind::CloseRes => self.file_close(number, heard)?,
            Kind::MsgReq => self.file_line(number, heard)?,
            Kind::InviteReq if conn.books.closed.contains(&sid) => {
                let got = format!("invite_req for {} after its close", self.session_name(sid));
                return Err(self.monitor(number, &["CLOSE-05"], "nothing more of a closed session", got));
            }
            Kind::InviteReq => {
                conn.invited_to.insert(sid);
            }
            Kind::StatusReq => {
                self.file_probe(number)?;
                if !self.drawn_probe(number) {
                    self.answer_probe(number);
                    return Ok(Filed::Background);
                }
            }
            _ => {}
        }
        Ok(if self.unjudged { Filed::Background } else { Filed::ForDiagram })
    }

    /// LOGIN-07: before step 4 there is one status_req, step 3. STAT-08: later ones come when the last is answered.
    fn file_probe(&mut self, number: usize) -> Result<(), Stop> {
        let Some(conn) = self.conns.get_mut(number) else { return Ok(()) };
        let logged_in = conn.logged_in;
        if conn.books.probed(logged_in) {
            return Ok(());
        }
        let got = "a second status_req, when no answer can have come to the first".to_owned();
        Err(if logged_in {
            self.monitor(number, &["STAT-08"], "one probe at a time", got)
        } else {
            self.monitor(number, &["LOGIN-07"], "nothing but steps 2 and 3 before step 4", got)
        })
    }

    fn file_close(&mut self, number: usize, heard: &mut Heard) -> Result<(), Stop> {
        let Some(conn) = self.conns.get_mut(number) else { return Ok(()) };
        let (sid, ok) = (heard.header.sid, heard.payload == b"OK");
        if heard.header.uid == Uid::SERVER {
            heard.answers_close = conn.books.close_answered(sid);
        }
        if !ok && !heard.answers_close {
            let owed = conn.books.closing_sids();
            if self.answers_nothing(number, heard, &owed, "close_res with the sid of its close_req")? {
                return Ok(());
            }
            let rules = &["CLOSE-08", "CLOSE-05"];
            let got = "a close_res with an error text that answers nothing".to_owned();
            return Err(self.monitor(number, rules, "one close_res a close_req", got));
        }
        if ok && !conn.books.closed.insert(sid) {
            let got = format!("a second close_res OK for {}", self.session_name(sid));
            return Err(self.monitor(number, &["CLOSE-05", "CLOSE-08"], "one end of a session", got));
        }
        if ok && let Some((name, _)) = self.session_by_sid(sid) {
            let name = name.clone();
            // While it is pending, the notice may be of one invitation only (INIT-17).
            if let Some(session) = self.sessions.get_mut(&name).filter(|session| session.live) {
                if session.over {
                    self.carried.remove(&name);
                }
                session.over = true;
            }
        }
        Ok(())
    }

    /// A line: never twice on a connection (MSG-17), never after the close, never somebody else's (MSG-03).
    fn file_line(&mut self, number: usize, heard: &Heard) -> Result<(), Stop> {
        let sid = heard.header.sid;
        let line = String::from_utf8_lossy(&heard.payload).trim_end_matches('\n').to_owned();
        let Some(conn) = self.conns.get_mut(number) else { return Ok(()) };
        let user = conn.user.clone();
        let closed = conn.books.closed.contains(&sid);
        let again = !conn.books.heard.insert((sid, line.clone()));
        conn.books.lines.entry(sid).or_default().push_back(line.clone());
        if closed {
            let got = format!("msg_req for {} after its close", self.session_name(sid));
            return Err(self.monitor(number, &["CLOSE-03"], "nothing more of a closed session", got));
        }
        let meant: Option<(String, String)> = self.texts.iter().find_map(|(text, known)| {
            let recipient = known.lines.iter().find(|(_, l)| **l == line)?.0;
            Some((text.clone(), recipient.clone()))
        });
        let Some((text, recipient)) = meant else { return Ok(()) };
        if recipient != user && self.lines_differ(&text) {
            let got = format!("the line of \"{text}\" that is meant for {recipient}");
            return Err(self.monitor(number, &["MSG-03"], &format!("only lines that are meant for {user}"), got));
        }
        let answered = self.texts.get(&text).and_then(|t| t.answered.get(&user)).copied();
        let answered = answered.is_some_and(|(on, at)| self.is_after_answer(number, on, at));
        // Where lines are equal, nobody can tell which one it is: the diagram counts them.
        if (again || answered) && self.lines_differ(&text) {
            let got = format!("\"{text}\" {}", if answered { "after its answer" } else { "twice on one connection" });
            return Err(self.monitor(number, &["MSG-17"], "a line once on a connection, never after its answer", got));
        }
        self.check_order_of_author(number, sid, &text)?;
        self.check_order(number, sid, &user, &text)
    }

    /// MSG-10, MSG-08: what an author said on one connection of its is heard in that order, what was stored before what is new.
    fn check_order_of_author(&mut self, number: usize, sid: Sid, text: &str) -> Result<(), Stop> {
        let Some((author, at)) = self.texts.get(text).and_then(|known| Some((known.sent_on?, known.at))) else {
            return Ok(());
        };
        let Some(conn) = self.conns.get_mut(number) else { return Ok(()) };
        let since = conn.logged_in_at;
        let stored = |said: Instant| since.is_some_and(|since| said < since);
        match conn.books.newest.get(&(sid, author)) {
            Some((newest, later)) if *newest > at => {
                let rules: &[&str] = match (stored(at), stored(*newest)) {
                    (true, true) => &["LOGIN-13", "MSG-08", "MSG-10"],
                    (true, false) => &["MSG-08", "MSG-10"],
                    _ => &["MSG-10", "MSG-08"],
                };
                let got = format!("\"{text}\" behind \"{later}\", which was said after it");
                Err(self.monitor(number, rules, "an author's lines in the order of its msg_req", got))
            }
            _ => {
                conn.books.newest.insert((sid, author), (at, text.to_owned()));
                Ok(())
            }
        }
    }

    /// MSG-10: all recipients get the messages of a session in one order.
    fn check_order(&mut self, number: usize, sid: Sid, user: &str, text: &str) -> Result<(), Stop> {
        let Some((name, _)) = self.session_by_sid(sid) else { return Ok(()) };
        let name = name.clone();
        let Some(session) = self.sessions.get_mut(&name) else { return Ok(()) };
        let mine = session.heard_order.entry(user.to_owned()).or_default();
        if mine.iter().any(|t| t == text) {
            return Ok(());
        }
        mine.push(text.to_owned());
        let mine = mine.clone();
        let swapped = session.heard_order.iter().filter(|(other, _)| *other != user).find_map(|(other, theirs)| {
            let here = theirs.iter().position(|t| t == text)?;
            let earlier = mine.iter().rev().skip(1);
            let wrong = earlier.into_iter().find(|t| theirs.iter().position(|o| o == *t).is_some_and(|p| p > here))?;
            Some((other.clone(), wrong.clone()))
        });
        match swapped {
            Some((other, earlier)) => {
                let got = format!("{user} heard \"{earlier}\" before \"{text}\", {other} the other way round");
                Err(self.monitor(number, &["MSG-10"], "one order for all recipients", got))
            }
            None => Ok(()),
        }
    }

    /// Whether the login of a connection came after the server had taken an answer on connection `on`: nothing orders
    /// two connections of a user but that the earlier one was fenced, or ended.
    fn is_after_answer(&self, number: usize, on: usize, at: Instant) -> bool {
        let login = self.conns.get(number).and_then(|c| c.logged_in_at);
        let taken = self.conns.get(on).is_some_and(|c| c.ended.is_some() || !c.dirty);
        on != number && taken && login.is_some_and(|login| login > at)
    }

    /// MSG-07: no `OK` before the last recipient is decided.
    fn check_decided(&mut self, number: usize, heard: &Heard) {
        let Some((text, known)) = heard.about.as_ref().and_then(|text| Some((text, self.texts.get(text)?))) else {
            return;
        };
        let session_over = self.sessions.get(&known.session).is_some_and(|s| s.over);
        if heard.payload != b"OK" || session_over {
            return;
        }
        let undecided = known.lines.keys().filter(|r| !known.answered.contains_key(*r));
        let online: Vec<usize> = undecided.filter_map(|r| self.online_since(r, known.at)).collect();
        let text = text.clone();
        let suspect = |recipient| Suspicion { author: number, recipient, text: text.clone() };
        self.suspicions.extend(online.into_iter().map(suspect));
    }

    /// Opaque lines may be equal; then they tell nothing of their recipient.
    pub(crate) fn lines_differ(&self, text: &str) -> bool {
        let Some(known) = self.texts.get(text) else { return false };
        let elsewhere = self.texts.iter().filter(|(t, _)| *t != text).flat_map(|(_, k)| k.lines.values());
        let all: Vec<&String> = known.lines.values().chain(elsewhere).collect();
        known.lines.values().all(|line| all.iter().filter(|l| **l == line).count() == 1)
    }

    fn bad_header(&mut self, number: usize, error: &HeaderError) -> Stop {
        let moment = match self.conns.get(number).map(|conn| &conn.phase) {
            Some(Phase::Raw | Phase::Requested(_)) => Moment::Step2,
            Some(Phase::Half(_)) => Moment::Step3,
            _ => Moment::LoggedIn,
        };
        self.monitor(
            number,
            &diagnose::header(moment, error),
            "a header as the specification has it",
            error.to_string(),
        )
    }

    /// A breach that a monitor found.
    pub(crate) fn monitor(&self, number: usize, rules: &[&str], expected: &str, got: String) -> Stop {
        let conn = self.conns.get(number);
        let step = conn.and_then(|c| self.nearest_line(&c.name));
        let name = conn.map(|c| c.name.clone()).unwrap_or_default();
        self.finding(rules, step.as_ref(), expected, format!("{name} heard {got}"))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filed {
    /// The harness's own business.
    Background,
    /// The diagram judges it.
    ForDiagram,
}

/// The checks of section 2 that the header alone allows, for a frame of the server.
fn check_header(login_response: bool, last_in: u16, header: &Header) -> Result<(), HeaderError> {
    if header.ver != frame::VERSION {
        return Err(HeaderError::Version(header.ver));
    }
    let typ = FrameType::from_code(header.typ).ok_or(HeaderError::Type(header.typ))?;
    let least = if login_response { frame::MIN_LOGIN_LEN } else { frame::MIN_LEN };
    if usize::from(header.len) < least {
        // Both lengths are far below 65536.
        return Err(HeaderError::Length { len: header.len, least: least as u16 });
    }
    let expected = last_in.checked_add(1);
    if expected != Some(header.sqn) {
        return Err(HeaderError::Sequence { expected, got: header.sqn });
    }
    if typ.from_server() { Ok(()) } else { Err(HeaderError::Direction(typ)) }
}

/// The header of a whole frame.
pub(crate) fn decode(frame: &[u8]) -> Header {
    // The deframer yields no frame without a whole header; zeros decode to a header that no check accepts.
    let mut bytes = [0; frame::HEADER_LEN];
    for (to, from) in bytes.iter_mut().zip(frame) {
        *to = *from;
    }
    Header::decode(&bytes)
}

pub(crate) fn kind_of(code: u16) -> Option<Kind> {
    const ALL: [Kind; 10] = [
        Kind::InitReq,
        Kind::InitRes,
        Kind::CloseReq,
        Kind::CloseRes,
        Kind::MsgReq,
        Kind::MsgRes,
        Kind::InviteReq,
        Kind::InviteRes,
        Kind::StatusReq,
        Kind::StatusRes,
    ];
    ALL.into_iter().find(|kind| kind.code() == code)
}
