//! Before line 1: who is online, and the sessions that exist already; after the last: leaving nothing behind.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mpchat_proto::frame::{Deframer, Header};
use mpchat_proto::ids::Sid;
use mpchat_script::ast::{Kind, Start};

use crate::books::Books;
use crate::link::Link;
use crate::program::Leaf;
use crate::stop::{Finding, Stop, rules};
use crate::transport::Transport;

use super::Play;
use super::patience::Patience;
use super::world::{Conn, Happening, Heard, Phase};

/// How long leaving may take when a case has failed already.
const LEAVING: Duration = Duration::from_millis(500);

/// The user who looks whether a target is alive when nobody of the case can.
pub(crate) const WATCHER: &str = "watcher#";

impl Play {
    /// Logs everybody in, makes the sessions, and brings users into the state in which they start.
    pub(crate) async fn set_up(&mut self) -> Result<(), Stop> {
        self.draining = true;
        let all = self.lifelines.clone();
        let members: Vec<String> = self.front.sessions.iter().flat_map(|(_, roster)| roster.clone()).collect();
        let members = self.unfold(&members);
        let starts: Vec<_> =
            all.iter().filter(|l| l.logs_in || !l.further && members.contains(&l.name)).cloned().collect();
        for lifeline in &starts {
            self.open_and_request(&lifeline.name).await?;
        }
        self.await_logins().await?;
        self.drain().await?;
        self.draining = false;
        for (name, _) in self.front.sessions.clone() {
            self.make_session(&name).await?;
        }
        for lifeline in starts.iter().filter(|l| !l.logs_in) {
            self.leave(&lifeline.name).await?;
        }
        for lifeline in &all {
            if self.front.starts.get(&lifeline.name) == Some(&Start::HalfLoggedIn) {
                self.log_in_half(&lifeline.name).await?;
            }
        }
        Ok(())
    }

    /// The connection of a lifeline, opened if need be.
    pub(crate) async fn connection(&mut self, lifeline: &str) -> Result<usize, Stop> {
        match self.current.get(lifeline) {
            Some(number) => Ok(*number),
            None => self.open_connection(lifeline).await,
        }
    }

    /// Opens a connection for a lifeline; an earlier one does not matter any more.
    async fn open_connection(&mut self, lifeline: &str) -> Result<usize, Stop> {
        let number = self.conns.len();
        let opened = Instant::now();
        let (inputs, stage) = (self.inputs_sender.clone(), &self.stage);
        let link = Link::open(self.address(), number, inputs, stage.patience, stage.transport).await;
        let link =
            link.map_err(|error| Stop::Inconclusive(format!("{} cannot be reached: {error}", self.address())))?;
        let user = self.user_of_conn(lifeline);
        let uid = self.uid_of_user(&user);
        if let Some(earlier) = self.current.get(lifeline).and_then(|n| self.conns.get_mut(*n)) {
            earlier.detached = true;
        }
        self.conns.push(Conn {
            name: lifeline.to_owned(),
            user,
            uid,
            link,
            deframer: Deframer::new(),
            phase: Phase::Raw,
            logged_in: false,
            logged_in_at: None,
            opened,
            connected: Instant::now(),
            ended: None,
            fin_sent: false,
            violating: false,
            mid_frame: false,
            probes_held: 0,
            longest_msg: 0,
            last_sent: None,
            told: super::outsider::Told::default(),
            bad_login: false,
            invited_to: std::collections::BTreeSet::new(),
            malformed_request: false,
            answered: None,
            drawn_login: false,
            farewell: false,
            detached: false,
            reading: true,
            books: Books::default(),
            queue: VecDeque::new(),
            holding: false,
            dirty: false,
            last_out: 0,
            last_in: 0,
            starts: std::collections::BTreeMap::new(),
        });
        self.current.insert(lifeline.to_owned(), number);
        Ok(number)
    }

    /// Opens a connection and sends step 1; what it hears is kept until the login is through.
    async fn open_and_request(&mut self, lifeline: &str) -> Result<usize, Stop> {
        let number = self.open_connection(lifeline).await?;
        let uid = self.conns.get(number).map_or(mpchat_proto::ids::Uid::SERVER, |c| c.uid);
        let login = self.login_request(uid);
        if let Some(conn) = self.conns.get_mut(number) {
            conn.holding = true;
            conn.last_out = 1;
            conn.link.write(login.request.clone());
            conn.phase = Phase::Requested(Arc::new(login));
        }
        Ok(number)
    }

    /// Waits until every connection that is logging in has sent step 4, and the server has seen it.
    async fn await_logins(&mut self) -> Result<(), Stop> {
        let mut patience = self.patience();
        let numbers: Vec<usize> = (0..self.conns.len())
            .filter(|n| {
                self.conns.get(*n).is_some_and(|c| !c.logged_in && !c.drawn_login && !matches!(c.phase, Phase::Raw))
            })
            .collect();
        for number in &numbers {
            while let Some(conn) = self.conns.get(*number).filter(|c| !c.logged_in) {
                let name = conn.name.clone();
                if conn.ended.is_some() {
                    let got = format!("the server ended {name}'s connection in the login");
                    // Step 1 is taken for wrong, or step 4.
                    let early = matches!(conn.phase, Phase::Requested(_));
                    let rules: &[&str] = if early {
                        &["LOGIN-02", "LOGIN-04", "LOGIN-17"]
                    } else {
                        &["LOGIN-17", "LOGIN-04", "LOGIN-07"]
                    };
                    return Err(self.finding(rules, None, "a login that is completed", got));
                }
                let (half, step) = (matches!(conn.phase, Phase::Half(_)), conn.last_in);
                let heard = self.hear_within(&mut patience).await?;
                // Step 3 may take as long as step 2.
                if self.conns.get(*number).is_some_and(|c| c.last_in != step) {
                    patience.begin_anew();
                }
                if !heard {
                    if half {
                        let got = format!("step 2 for {name}, and no step 3 within {:?}", self.stage.patience);
                        return Err(self.finding(&["LOGIN-17"], None, "step 3 of the login", got));
                    }
                    let got = format!("{name}'s login is not answered");
                    if self.stage.transport != Transport::Plain && self.watcher_is_served().await? {
                        let expected = "a login, however its frames are cut (another user's was answered)";
                        return Err(self.finding(&["MTP-16"], None, expected, got));
                    }
                    return Err(Stop::Inconclusive(got));
                }
            }
        }
        self.fence(&numbers).await
    }

    /// Step 2 was opened: a diagram that writes the login out judges it, else its fields are checked here.
    pub(crate) fn login_response_heard(&mut self, number: usize, header: Header, payload: Vec<u8>) -> Result<(), Stop> {
        let drawn = self.conns.get(number).is_some_and(|c| c.drawn_login);
        let heard =
            Heard { kind: Kind::LoginRes, header, payload, about: None, answers_close: false, at: Instant::now() };
        self.log_heard(number, &heard);
        if drawn {
            if let Some(conn) = self.conns.get_mut(number) {
                conn.queue.push_back(Happening::Frame(heard));
            }
            return self.rejudge(number);
        }
        if heard.header.sid != Sid::NONE || heard.header.uid.0 != 0 || heard.payload != b"Online" {
            let got = self.describe(&Happening::Frame(heard));
            return Err(self.monitor(number, &["LOGIN-17"], "login_res Online with sid 0 and uid 0", got));
        }
        Ok(())
    }

    /// A line or a notice of a session that was left behind: a line is answered, and nothing of it counts.
    pub(crate) fn answer_leftover(&mut self, number: usize, heard: &Heard) {
        if heard.kind == Kind::MsgReq {
            self.say(number, Kind::MsgRes, heard.header.sid, b"OK");
        }
    }

    /// Answers what earlier cases or runs left for the users, and closes the sessions that it belongs to.
    async fn drain(&mut self) -> Result<(), Stop> {
        loop {
            let mut sids: Vec<(usize, Sid)> = Vec::new();
            for (number, conn) in self.conns.iter_mut().enumerate() {
                conn.queue.retain(|happening| match happening {
                    Happening::Frame(heard) if heard.kind == Kind::MsgReq => {
                        sids.push((number, heard.header.sid));
                        false
                    }
                    _ => true,
                });
            }
            if sids.is_empty() {
                return Ok(());
            }
            for (number, sid) in &sids {
                self.stage.memory.leave_behind(self.stage.instance.number(), *sid);
                self.say(*number, Kind::MsgRes, *sid, b"OK");
                if let Some(conn) = self.conns.get_mut(*number) {
                    conn.books.lines.clear();
                    conn.starts.clear();
                }
            }
            let mut numbers: Vec<usize> = sids.iter().map(|(n, _)| *n).collect();
            numbers.dedup();
            self.fence(&numbers).await?;
            for (number, sid) in sids {
                self.say(number, Kind::CloseReq, sid, b"");
            }
            self.fence(&numbers).await?;
        }
    }

    /// Makes a session of the front matter: everybody accepts.
    async fn make_session(&mut self, name: &str) -> Result<(), Stop> {
        let Some(session) = self.sessions.get(name).cloned() else { return Ok(()) };
        let invited = self.unfold(&session.invited);
        let creator = self.connection(&session.creator).await?;
        let uids: String = invited.iter().filter_map(|n| self.uid_of(n)).map(|uid| format!("{uid}\n")).collect();
        if let Some(conn) = self.conns.get_mut(creator) {
            conn.books.init_asked(name.to_owned());
        }
        self.last_act = Instant::now();
        self.say(creator, Kind::InitReq, Sid::NONE, uids.as_bytes());
        for user in &invited {
            let number = self.connection(user).await?;
            let heard = self.await_kind(creator, number, Kind::InviteReq).await?;
            let sid = heard.header.sid;
            self.bind_setup_sid(number, name, sid)?;
            self.say(number, Kind::InviteRes, sid, b"Accept");
            if let Some(conn) = self.conns.get_mut(number) {
                conn.starts.clear();
            }
        }
        let answer = self.await_kind(creator, creator, Kind::InitRes).await?;
        if answer.payload != b"OK" {
            return Err(refused(&answer, self.is_little()));
        }
        self.bind_setup_sid(creator, name, answer.header.sid)?;
        if let Some(session) = self.sessions.get_mut(name) {
            session.accepted = invited.iter().cloned().collect();
            session.invited = invited;
            session.live = true;
        }
        Ok(())
    }

    fn bind_setup_sid(&mut self, number: usize, name: &str, sid: Sid) -> Result<(), Stop> {
        let bound = self.sessions.get(name).and_then(|s| s.sid);
        if bound == Some(sid) {
            return Ok(());
        }
        if bound.is_some() || sid == Sid::NONE {
            let got = format!("sid {sid} in the init of `{name}`");
            return Err(self.monitor(
                number,
                &["INIT-05", "INIT-03", "INIT-09"],
                "one new sid in all frames of an init",
                got,
            ));
        }
        if self.stage.memory.give_out(self.stage.instance.number(), sid, name).is_some() {
            let got = format!("sid {sid}, which was given out before");
            return Err(self.monitor(number, &["INIT-03", "CLOSE-04"], "a sid that was never given out", got));
        }
        if let Some(session) = self.sessions.get_mut(name) {
            session.sid = Some(sid);
        }
        Ok(())
    }

    /// Waits for a frame while a session is made. A refusal of the init ends the waiting.
    async fn await_kind(&mut self, creator: usize, number: usize, kind: Kind) -> Result<Heard, Stop> {
        let mut patience = self.patience();
        loop {
            if let Some(heard) = self.take_heard(number, kind) {
                return Ok(heard);
            }
            if let Some(answer) = self.take_heard(creator, Kind::InitRes) {
                return Err(refused(&answer, self.is_little()));
            }
            if !self.hear_within(&mut patience).await? {
                let name = self.conns.get(number).map(|c| c.name.clone()).unwrap_or_default();
                let got = format!("{name} heard no {} within {:?}", kind.word(), self.stage.patience);
                if !self.is_alive().await? {
                    return Err(Stop::Inconclusive(format!("{got}, and nothing is answered any more")));
                }
                let ids: &[&str] = if kind == Kind::InviteReq { &["INIT-05"] } else { &["INIT-09"] };
                return Err(self.finding(ids, None, "a session to begin with", got));
            }
        }
    }

    /// Whether the sessions that the case begins with are so few and small that no server refuses them (PAY-07).
    fn is_little(&self) -> bool {
        self.sessions.len() <= 4 && self.sessions.values().all(|session| session.invited.len() <= 3)
    }

    fn take_heard(&mut self, number: usize, kind: Kind) -> Option<Heard> {
        let conn = self.conns.get_mut(number)?;
        let place = conn.queue.iter().position(|h| matches!(h, Happening::Frame(f) if f.kind == kind))?;
        match conn.queue.remove(place) {
            Some(Happening::Frame(heard)) => Some(heard),
            _ => None,
        }
    }

    /// Ends a lifeline's connection; the server knows it to be offline afterwards.
    async fn leave(&mut self, lifeline: &str) -> Result<(), Stop> {
        let Some(number) = self.current.get(lifeline).copied() else { return Ok(()) };
        let Some(conn) = self.conns.get_mut(number) else { return Ok(()) };
        conn.fin_sent = true;
        conn.link.finish();
        let user = conn.user.clone();
        let mut patience = self.patience();
        while self.conns.get(number).is_some_and(|c| c.ended.is_none()) {
            if !self.hear_within(&mut patience).await? {
                let got = format!("{lifeline}'s connection stays open after its FIN");
                if !self.is_alive().await? {
                    return Err(Stop::Inconclusive(format!("{got}, and nothing is answered any more")));
                }
                if self.conns.get(number).is_some_and(|c| c.ended.is_some()) {
                    break;
                }
                return Err(self.finding(&["MTP-19"], None, "the server closes its side too", got));
            }
        }
        if let Some(conn) = self.conns.get_mut(number) {
            conn.detached = true;
        }
        self.current.remove(lifeline);
        self.unsettled.push(user);
        self.settle().await
    }

    /// Login steps 1 to 3; what follows is written in the diagram, step 3 perhaps as well.
    async fn log_in_half(&mut self, lifeline: &str) -> Result<(), Stop> {
        let number = self.open_and_request(lifeline).await?;
        if let Some(conn) = self.conns.get_mut(number) {
            conn.drawn_login = true;
        }
        let mut patience = self.patience();
        while self.take_heard(number, Kind::LoginRes).is_none() {
            if !self.hear_within(&mut patience).await? {
                return Err(Stop::Inconclusive(format!("{lifeline}'s login request is not answered")));
            }
        }
        // Step 3 needs nothing of the client, though it may travel apart; what is missing is for the diagram to find.
        let comes = |conn: &Conn| conn.ended.is_none() && matches!(conn.phase, Phase::Half(_));
        while self.conns.get(number).is_some_and(comes) && self.hear_within(&mut patience).await? {}
        Ok(())
    }

    /// `logs in`: a new connection of the lifeline, through all of its login.
    pub(crate) async fn log_in_again(&mut self, leaf: &Leaf) -> Result<(), Stop> {
        let user = self.user_of_conn(&leaf.conn);
        self.await_end_of_all(&user).await?;
        let number = self.open_and_request(&leaf.conn).await?;
        let logged_in = self.await_logins().await;
        if let Err(Stop::Fail(mut finding)) = logged_in {
            finding.step = finding.step.or_else(|| Some(leaf.line.clone()));
            return Err(Stop::Fail(finding));
        }
        logged_in?;
        if let Some(conn) = self.conns.get_mut(number) {
            conn.holding = false;
        }
        Ok(())
    }

    /// Waits for the end of a user's connections on which FIN was sent: until then, "offline" may be what it was before
    /// step 4 was seen, and a step 4 that is seen late replaces a newer connection (LOGIN-09). Whether the server closes its
    /// side at all is for MTP-19 to find.
    pub(crate) async fn await_end_of_all(&mut self, user: &str) -> Result<(), Stop> {
        let mut patience = self.patience();
        let ends = |conn: &Conn| conn.user == user && conn.fin_sent && conn.ended.is_none();
        while self.conns.iter().any(ends) {
            if !self.hear_within(&mut patience).await? {
                break;
            }
        }
        Ok(())
    }

    /// Whether a user who has nothing to do with the case can log in and is answered.
    ///
    /// Its frames are neither cut nor joined: a target that only loses those of other transports is alive.
    pub(crate) async fn watcher_is_served(&mut self) -> Result<bool, Stop> {
        let transport = std::mem::replace(&mut self.stage.transport, Transport::Plain);
        let opened = self.open_and_request(WATCHER).await;
        self.stage.transport = transport;
        let Ok(number) = opened else { return Ok(false) };
        let mut patience = self.patience();
        while let Some(conn) = self.conns.get(number).filter(|c| !c.logged_in) {
            let step = conn.last_in;
            if conn.ended.is_some() || !self.hear_within(&mut patience).await? {
                return Ok(false);
            }
            // Each answer may take that long.
            if self.conns.get(number).is_some_and(|c| c.last_in != step) {
                patience.begin_anew();
            }
        }
        let id = self.ask(number, Sid::NONE);
        let answered = self.answer_to(number, id).await?.is_some();
        if let Some(conn) = self.conns.get_mut(number) {
            conn.fin_sent = true;
            conn.detached = true;
            conn.link.finish();
        }
        Ok(answered)
    }

    /// Restarts the target: every connection ends with it.
    pub(crate) async fn restart(&mut self) -> Result<(), Stop> {
        for conn in &mut self.conns {
            conn.detached = true;
        }
        self.current.clear();
        let live = self.sessions.iter().filter(|(_, session)| session.live && !session.over);
        self.carried = live.map(|(name, _)| name.clone()).collect();
        self.flush_coalesced();
        let instance = self.stage.instance.clone();
        let mut restarted = std::pin::pin!(instance.restart());
        loop {
            tokio::select! {
                done = &mut restarted => return done.map_err(Stop::Inconclusive),
                // A server that waits for its peers' FIN when it ends gets it as soon as its own has come.
                Some((number, input)) = self.inputs.recv() => {
                    self.take_in(number, input)?;
                    if let Some(conn) = self.conns.get_mut(number).filter(|conn| conn.ended.is_some()) {
                        conn.link.finish();
                    }
                }
            }
        }
    }

    /// Closes what the case left open, and leaves. Monitors still look at what comes.
    pub(crate) async fn clean_up(&mut self, passed: bool) -> Result<(), Stop> {
        self.unjudged = true;
        let patience = if passed { self.stage.patience } else { LEAVING.min(self.stage.patience) };
        let open: Vec<Sid> = self.sessions.values().filter(|s| !s.over).filter_map(|s| s.sid).collect();
        let mut result = Ok(());
        for sid in self.sessions.values().filter_map(|s| s.sid) {
            if !passed {
                self.stage.memory.leave_behind(self.stage.instance.number(), sid);
            }
        }
        for sid in open {
            let roster = self.session_by_sid(sid).map(|(_, s)| s.roster()).unwrap_or_default();
            let closer = match self.conns.iter().position(|c| c.can_ask() && roster.contains(&c.user)) {
                Some(number) => Some(number),
                None => self.somebody_who_closes(&roster, patience).await,
            };
            if let Some(number) = closer {
                if let Some(conn) = self.conns.get_mut(number) {
                    conn.books.asked_to_close(sid);
                }
                self.say(number, Kind::CloseReq, sid, b"");
                let id = self.ask(number, Sid::NONE);
                result = result.and(self.answered_within(number, id, patience).await);
            }
            self.stage.memory.leave_behind(self.stage.instance.number(), sid);
        }
        for conn in self.conns.iter_mut().filter(|c| c.ended.is_none()) {
            conn.fin_sent = true;
            conn.link.set_reading(true);
            conn.link.finish();
        }
        let mut patience = Patience::since(Instant::now(), patience);
        while self.conns.iter().any(|c| c.ended.is_none()) {
            match self.hear_within(&mut patience).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(stop) => result = result.and(Err(stop)),
            }
        }
        result
    }

    /// Logs somebody of a roster in, so that no session is left behind: a target may allow few (PAY-07).
    async fn somebody_who_closes(&mut self, roster: &[String], patience: Duration) -> Option<usize> {
        let lifeline = self.lifelines.iter().find(|lifeline| roster.contains(&lifeline.user))?.name.clone();
        let number = self.open_and_request(&lifeline).await.ok()?;
        let mut patience = Patience::since(Instant::now(), patience);
        while self.conns.get(number).is_some_and(|c| c.ended.is_none() && !c.logged_in) {
            if !self.hear_within(&mut patience).await.ok()? {
                return None;
            }
        }
        self.conns.get(number).is_some_and(|c| c.can_ask()).then_some(number)
    }

    async fn answered_within(&mut self, number: usize, id: u64, patience: Duration) -> Result<(), Stop> {
        let mut patience = Patience::since(Instant::now(), patience);
        while self.conns.get(number).is_some_and(|c| c.ended.is_none() && !c.books.has_answer(id)) {
            if !self.hear_within(&mut patience).await? {
                break;
            }
        }
        self.fell_silent |= self.conns.get(number).is_some_and(|c| c.ended.is_some() && !c.books.has_answer(id));
        Ok(())
    }
}

/// A target that refuses the session that a case begins with is short of a resource (PAY-07).
fn refused(answer: &Heard, so_little: bool) -> Stop {
    let text = String::from_utf8_lossy(&answer.payload).into_owned();
    let why = format!("the target refused a session: {text:?}");
    let breach = so_little.then(|| {
        Box::new(Finding::new(
            rules(&["INIT-09", "PAY-07"]),
            None,
            "a session of up to four users, with fewer than four sessions (PAY-07)".to_owned(),
            why.clone(),
        ))
    });
    Stop::Refused { why, breach }
}
