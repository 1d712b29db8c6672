//! Checks: fences for silence, questions for presence, and what it means when nothing comes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mpchat_model::Evidence;
use mpchat_proto::ids::Sid;
use mpchat_script::ast::{Kind, NoteKind};

use crate::books::{Member, Query};
use crate::program::{Leaf, LeafKind};
use crate::stop::{Finding, Stop, rules};

use super::Play;
use super::blame;
use super::patience::Patience;
use super::world::Happening;

/// How long silence is listened to where no fence is possible.
const QUIET: Duration = Duration::from_millis(60);

/// How long the end of a connection is awaited on which a violation was answered.
const AFTER_AN_ANSWER: Duration = Duration::from_millis(500);

/// The number of a question that follows a login at once: step 1 has 1, step 4 has 2.
const FIRST_BEHIND_LOGIN: u16 = 3;

/// What is said of a target that serves nobody while one client does not read.
const HELD_UP: &str = " while somebody does not read; answered as soon as that connection was reset";

impl Play {
    /// Performs a note: an act or a check.
    pub(crate) async fn perform_note(&mut self, thread: usize, leaf: &Arc<Leaf>) -> Result<(), Stop> {
        let LeafKind::Note(note) = &leaf.what else { return Ok(()) };
        self.fill_as_drawn(leaf);
        self.log(format!("-- {}", leaf.line.text));
        match &note.what {
            NoteKind::HearsNothing | NoteKind::StillServed => {
                self.wait_for_timer_of(thread).await?;
                self.settle().await?;
                self.checking = Some(Arc::clone(leaf));
                let checked = if note.what == NoteKind::HearsNothing {
                    self.hears_nothing(leaf).await
                } else {
                    self.is_still_served(leaf).await
                };
                self.checking = None;
                checked?;
            }
            NoteKind::LogsIn => {
                self.wait_for_timer_of(thread).await?;
                self.settle().await?;
                self.last_act = Instant::now();
                self.drop_optional(&leaf.conn);
                self.log_in_again(leaf).await?;
            }
            NoteKind::Connects => {
                let _number = self.connection(&leaf.conn).await?;
            }
            NoteKind::TimeoutPasses { timer, half } => self.timer_passes(thread, leaf, *timer, *half).await?,
            NoteKind::Restarts => self.restart().await?,
            NoteKind::StopsReading | NoteKind::ReadsAgain => {
                let on = note.what == NoteKind::ReadsAgain;
                if let Some(conn) = self.current.get(&leaf.conn).and_then(|n| self.conns.get_mut(*n)) {
                    conn.link.set_reading(on);
                    conn.reading = on;
                }
            }
            NoteKind::ClaimsRoster { .. }
            | NoteKind::ClosesWhenAsked { .. }
            | NoteKind::StaysAway { .. }
            | NoteKind::ShowsNothing
            | NoteKind::Shows(_)
            | NoteKind::Refuses { .. }
            | NoteKind::RefusesToSend { .. } => {
                return Err(Stop::Skip("the line is about a client as subject".to_owned()));
            }
        }
        self.progress = Instant::now();
        Ok(())
    }

    /// Asks on every connection that acted since its last fence, and then on `conn`, whose next frame must be the answer.
    async fn hears_nothing(&mut self, leaf: &Arc<Leaf>) -> Result<(), Stop> {
        let number = self.current.get(&leaf.conn).copied();
        self.fence_acted(number).await?;
        let Some(number) = number else {
            self.rests_on(Evidence::Closed);
            return Ok(());
        };
        let Some(conn) = self.conns.get(number) else { return Ok(()) };
        if conn.can_ask() {
            self.rests_on(Evidence::Fenced);
            return self.fence(&[number]).await;
        }
        if conn.ended.is_some() {
            self.rests_on(Evidence::Closed);
            return Ok(());
        }
        self.rests_on(Evidence::Timed);
        self.listen(QUIET).await
    }

    async fn is_still_served(&mut self, leaf: &Arc<Leaf>) -> Result<(), Stop> {
        let number = self.connection(&leaf.conn).await?;
        self.fence_acted(Some(number)).await?;
        if let Some(conn) = self.conns.get_mut(number) {
            conn.violating = false;
            if conn.ended.is_some() || !conn.can_ask() {
                let mut found = leaf.line.rules.clone();
                found.extend(rules(&["MTP-18"]));
                let got = format!("{}'s connection has ended", leaf.conn);
                let (step, expected) = (Some(leaf.line.clone()), leaf.line.text.clone());
                return Err(Finding::new(found, step, expected, got).stop());
            }
        }
        self.fence(&[number]).await
    }

    /// Fences every connection that acted since its last fence, besides one.
    pub(crate) async fn fence_acted(&mut self, besides: Option<usize>) -> Result<(), Stop> {
        let acted: Vec<usize> = self
            .conns
            .iter()
            .enumerate()
            .filter(|(n, c)| c.dirty && c.can_ask() && Some(*n) != besides)
            .map(|(n, _)| n)
            .collect();
        if acted.is_empty() { Ok(()) } else { self.fence(&acted).await }
    }

    /// Before an actor speaks in a `par` it hears what is due.
    pub(crate) async fn fence_before_speaking(&mut self, conn: &str) -> Result<(), Stop> {
        let number = self.current.get(conn).copied();
        self.settle().await?;
        self.fence_acted(number).await?;
        match number.filter(|n| self.conns.get(*n).is_some_and(super::world::Conn::can_ask)) {
            Some(number) => self.fence(&[number]).await,
            None => Ok(()),
        }
    }

    /// Whether it is this act's turn: an answer goes to the oldest line of its session.
    pub(crate) fn may_answer(&self, leaf: &Leaf) -> bool {
        let LeafKind::Frame(frame) = &leaf.what else { return true };
        let mpchat_script::ast::What::Message(message) = &frame.what else { return true };
        let (Kind::MsgRes, Some(text)) = (message.kind, &message.about) else { return true };
        let user = self.user_of_conn(&leaf.conn);
        let Some(known) = self.texts.get(text) else { return true };
        let Some(sid) = self.sessions.get(&known.session).and_then(|s| s.sid) else { return true };
        if self.is_line_awaited(&leaf.conn, text) {
            return false;
        }
        let conn = self.current.get(&leaf.conn).and_then(|n| self.conns.get(*n));
        let oldest = conn.and_then(|c| c.books.lines.get(&sid)).and_then(std::collections::VecDeque::front);
        oldest.is_none_or(|line| known.lines.get(&user).is_none_or(|mine| mine == line))
    }

    /// Sends status_req on each connection and waits for all answers. What comes before them is judged.
    pub(crate) async fn fence(&mut self, numbers: &[usize]) -> Result<(), Stop> {
        let asked: Vec<(usize, u64)> = numbers.iter().map(|n| (*n, self.ask(*n, Sid::NONE))).collect();
        let mut patience = self.patience();
        loop {
            let open = |(n, id): &&(usize, u64)| {
                self.conns.get(*n).is_some_and(|c| c.ended.is_none() && !c.books.has_answer(*id))
            };
            let Some((number, _)) = asked.iter().find(open).copied() else { break };
            if !self.hear_within(&mut patience).await? {
                return Err(self.unanswered(number, &asked).await);
            }
        }
        for (number, id) in asked {
            self.confirm_suspicion(number)?;
            let Some(conn) = self.conns.get_mut(number) else { continue };
            conn.dirty = false;
            if conn.books.take_answer(id).is_some_and(|(online, _)| !online) {
                let got = "status_res Offline for sid 0".to_owned();
                return Err(self.monitor(number, &["STAT-01"], "status_res Online", got));
            }
            if let Some(next) = self.conns.get(number).and_then(|c| c.queue.front()).cloned()
                && self.checking.as_ref().is_some_and(|c| self.conns.get(number).is_some_and(|n| n.name == c.conn))
                && self.threads.len() <= 1
            {
                return Err(self.spoke(number, &next));
            }
        }
        Ok(())
    }

    /// The recipient of a text whose author heard `OK` too early is still there: it had not gone offline.
    fn confirm_suspicion(&mut self, number: usize) -> Result<(), Stop> {
        let Some(at) = self.suspicions.iter().position(|s| s.recipient == number) else { return Ok(()) };
        let suspicion = self.suspicions.swap_remove(at);
        let Some(name) = self.conns.get(number).filter(|c| c.ended.is_none()).map(|c| c.name.clone()) else {
            return Ok(());
        };
        let got = format!("OK for \"{}\" although {name} was online and had not answered", suspicion.text);
        Err(self.monitor(suspicion.author, &["MSG-07"], "msg_res when the last recipient is decided", got))
    }

    fn spoke(&self, number: usize, happening: &Happening) -> Stop {
        let name = self.conns.get(number).map(|c| c.name.clone()).unwrap_or_default();
        let line = self.checking.as_ref().map(|c| c.line.clone());
        let mut found = line.as_ref().map(|l| l.rules.clone()).unwrap_or_default();
        found.extend(rules(self.unexpected_rules(happening)));
        let got = format!("{name} heard {}", self.describe(happening));
        let finding = Finding::new(found, line, format!("{name} hears nothing"), got);
        self.or_refusal(number, happening, Box::new(finding))
    }

    /// A fence was not answered in time: somebody's fault, or is the target gone?
    async fn unanswered(&mut self, number: usize, asked: &[(usize, u64)]) -> Stop {
        let others = asked.iter().any(|(n, id)| self.conns.get(*n).is_some_and(|c| c.books.has_answer(*id)));
        let alive = if others { Ok(true) } else { self.is_alive().await };
        let name = self.conns.get(number).map(|c| c.name.clone()).unwrap_or_default();
        let got = format!("no answer to {name}'s status_req within {:?}", self.stage.patience);
        match alive {
            Ok(true) => {
                let question = asked.iter().find(|(n, _)| *n == number).map_or(0, |(_, id)| *id);
                match self.is_lost_behind_login(number, question).await {
                    Ok(true) => {
                        let got = format!("{got}: what came in one read with step 4, behind it, is lost");
                        return self.finding(&["MTP-16", "STAT-01"], None, "status_res Online", got);
                    }
                    Ok(false) => {}
                    Err(stop) => return stop,
                }
                let line = self.checking.as_ref().map(|c| c.line.clone()).or_else(|| self.nearest_line(&name));
                let mut found = self.checking.as_ref().map(|c| c.line.rules.clone()).unwrap_or_default();
                found.extend(rules(&["STAT-01", "MTP-18"]));
                Finding::new(found, line, "status_res Online".to_owned(), got).stop()
            }
            Ok(false) => match self.is_held_up_by_a_reader().await {
                Ok(true) => self.finding(&["MTP-18"], None, "status_res Online", got + HELD_UP),
                Ok(false) => Stop::Inconclusive(format!("{got}, and nothing is answered any more")),
                Err(stop) => stop,
            },
            Err(stop) => stop,
        }
    }

    /// Whether the question was the first frame behind a login and never reached the server: then the next number is a
    /// gap to it (MTP-08), and it closes.
    async fn is_lost_behind_login(&mut self, number: usize, asked: u64) -> Result<bool, Stop> {
        if !self.conns.get(number).is_some_and(|conn| conn.last_out == FIRST_BEHIND_LOGIN && conn.can_ask()) {
            return Ok(false);
        }
        let before = std::mem::replace(&mut self.unjudged, true);
        self.ask(number, Sid::NONE);
        // What answers the second question at all is taken for the answer to the first.
        let answered = self.answer_to(number, asked).await;
        self.unjudged = before;
        answered?;
        Ok(self.conns.get(number).is_some_and(|conn| conn.ended.is_some()))
    }

    /// Whether a target that answers nobody answers again once those are gone who do not read.
    async fn is_held_up_by_a_reader(&mut self) -> Result<bool, Stop> {
        let deaf: Vec<usize> = (0..self.conns.len())
            .filter(|n| self.conns.get(*n).is_some_and(|c| !c.reading && c.ended.is_none()))
            .collect();
        for number in &deaf {
            if let Some(conn) = self.conns.get_mut(*number) {
                conn.link.reset();
                conn.ended = Some(crate::link::EndHow::Reset);
            }
        }
        // What comes now is due to the reset.
        let before = std::mem::replace(&mut self.unjudged, true);
        let alive = if deaf.is_empty() { Ok(false) } else { self.is_alive().await };
        self.unjudged = before;
        alive
    }

    /// Asks a background question.
    pub(crate) fn ask(&mut self, number: usize, sid: Sid) -> u64 {
        let id = self.next_question;
        self.next_question += 1;
        if let Some(conn) = self.conns.get_mut(number) {
            conn.books.asked(sid, Query::Background(id));
        }
        self.say(number, Kind::StatusReq, sid, b"");
        id
    }

    /// Waits for the answer to a background question.
    pub(crate) async fn answer_to(&mut self, number: usize, id: u64) -> Result<Option<(bool, Vec<Member>)>, Stop> {
        let mut patience = self.patience();
        loop {
            let Some(conn) = self.conns.get_mut(number) else { return Ok(None) };
            if let Some(answer) = conn.books.take_answer(id) {
                return Ok(Some(answer));
            }
            if conn.ended.is_some() || !self.hear_within(&mut patience).await? {
                return Ok(None);
            }
        }
    }

    /// Listens for a while.
    pub(crate) async fn listen(&mut self, length: Duration) -> Result<(), Stop> {
        let deadline = Instant::now() + length;
        while self.hear(deadline).await? {}
        Ok(())
    }

    /// Whether the target still answers anybody: somebody of the case, or a user who logs in for that.
    pub(crate) async fn is_alive(&mut self) -> Result<bool, Stop> {
        let numbers: Vec<usize> =
            (0..self.conns.len()).filter(|n| self.conns.get(*n).is_some_and(|c| c.can_ask())).collect();
        let asked: Vec<(usize, u64)> = numbers.iter().map(|n| (*n, self.ask(*n, Sid::NONE))).collect();
        let mut patience = self.patience();
        loop {
            let answered = asked.iter().any(|(n, id)| self.conns.get(*n).is_some_and(|c| c.books.has_answer(*id)));
            if answered {
                self.rests_on(Evidence::Fenced);
                return Ok(true);
            }
            let hopeless = asked.iter().all(|(n, _)| self.conns.get(*n).is_none_or(|c| c.ended.is_some()));
            if hopeless || !self.hear_within(&mut patience).await? {
                break;
            }
        }
        self.watcher_is_served().await
    }

    /// Waits until something that is expected comes.
    pub(crate) async fn await_progress(&mut self) -> Result<(), Stop> {
        let before = self.progress;
        let timer = self
            .expectations
            .iter()
            .filter_map(|e| e.not_before.filter(|_| e.state == super::threads::State::Waiting))
            .max();
        let mut patience = Patience::since(before.max(timer.unwrap_or(before)), self.stage.patience);
        while self.progress == before {
            // Whoever answers a violation instead of closing will hardly close any more.
            let soon = Instant::now() + AFTER_AN_ANSWER.min(self.stage.patience);
            let answered = self.conns.iter().any(|conn| conn.answered.is_some() && conn.ended.is_none());
            if !self.hear_within_or_by(&mut patience, answered.then_some(soon)).await? {
                return self.nothing_came(before).await;
            }
        }
        Ok(())
    }

    /// Nothing that is expected came in time.
    async fn nothing_came(&mut self, before: Instant) -> Result<(), Stop> {
        let Some((leaf, timed)) = self.oldest_waiting().map(|e| (Arc::clone(&e.leaf), e.not_before.is_some())) else {
            return Err(Stop::Inconclusive("the diagram cannot go on, although nothing is expected".to_owned()));
        };
        let held: Vec<String> = self.conns.iter().filter_map(|c| c.queue.front().map(|h| self.describe(h))).collect();
        // Somebody else first: a question on a connection of the case may be what a faulty target waits for.
        let alive = self.watcher_is_served().await? || self.is_alive().await?;
        if self.progress != before {
            if timed {
                // Perhaps the machine was slow, perhaps the target looks at its timers only when somebody speaks: shows alone.
                let why = format!("{} came only after a question of somebody else", leaf.line.text);
                return Err(Stop::Inconclusive(why));
            }
            return Ok(());
        }
        let answer = self.conns.iter().find(|c| c.name == leaf.conn && c.answered.is_some());
        let mut got = match answer.and_then(|conn| conn.answered.as_ref()) {
            Some(answer) => format!("{answer}, and the connection stays open"),
            None => format!("nothing within {:?}", self.stage.patience),
        };
        if !held.is_empty() {
            got.push_str(&format!("; held back as not yet due: {}", held.join("; ")));
        }
        if !alive && self.is_held_up_by_a_reader().await? {
            return Err(self.finding(&["MTP-18"], Some(&leaf.line), &self.describe_leaf(&leaf), got + HELD_UP));
        }
        if !alive {
            return Err(Stop::Inconclusive(format!(
                "expected {}: {got}, and nothing is answered any more",
                leaf.line.text
            )));
        }
        let mut found = leaf.line.rules.clone();
        if found.is_empty() {
            found.extend(rules(blame::missing(&leaf)));
        }
        // Whether what is stored survives a restart is a SHOULD; what comes of it, and in which order, is not: then
        // it has come behind something else.
        if let [.., last] = found.as_slice()
            && last.as_str() == "MSG-19"
            && !self.has_come_late(&leaf)
        {
            found = vec![last.clone()];
        }
        got.push_str(", although a later status_req was answered");
        let finding = Box::new(Finding::new(found, Some(leaf.line.clone()), self.describe_leaf(&leaf), got));
        // What waits to be due may be a refusal of just this.
        let waits = self.conns.iter().enumerate().find_map(|(n, c)| Some((n, c.queue.front()?.clone())));
        if self.may_be_refused_unseen(&leaf) {
            let why = "a request that was perhaps refused".to_owned();
            let breach = self.has_held_as_much(&leaf).then_some(finding);
            return Err(Stop::Refused { why, breach });
        }
        Err(match waits {
            Some((number, happening)) => self.or_refusal(number, &happening, finding),
            None => Stop::Fail(finding),
        })
    }

    /// Whether what is missing has come, but behind something that waits for its turn.
    fn has_come_late(&self, leaf: &Leaf) -> bool {
        let conn = self.current.get(&leaf.conn).and_then(|n| self.conns.get(*n));
        conn.is_some_and(|conn| conn.queue.iter().any(|happening| self.compare(leaf, happening).is_ok()))
    }

    /// Where no rule orders two connections, asks until users that ended their connection are offline (STAT-04).
    pub(crate) async fn settle(&mut self) -> Result<(), Stop> {
        while let Some(user) = self.unsettled.pop() {
            self.await_end_of_all(&user).await?;
            if self.surely_online(&user) {
                continue;
            }
            let Some((sid, asker)) = self.who_can_ask_about(&user) else { continue };
            let uid = self.uid_of_user(&user).0;
            let patience = self.patience();
            loop {
                let id = self.ask(asker, sid);
                let Some((live, members)) = self.answer_to(asker, id).await? else { break };
                if !live || members.contains(&(uid, false)) {
                    break;
                }
                if !members.is_empty() && members.iter().all(|(member, _)| *member != uid) {
                    let got = format!("an answer about the session that leaves {user} out");
                    return Err(self.finding(&["STAT-04", "STAT-06"], None, "one status_res a participant", got));
                }
                if patience.is_over() {
                    let got = format!("{user} is still Online for others after its connection ended");
                    return Err(self.finding(&["STAT-06", "MTP-19"], None, "Offline", got));
                }
                self.listen(Duration::from_millis(1)).await?;
            }
        }
        Ok(())
    }

    /// A live session with `user`, and the connection of another participant that can ask about it.
    fn who_can_ask_about(&self, user: &str) -> Option<(Sid, usize)> {
        self.sessions.values().filter(|s| s.live && !s.over).find_map(|session| {
            let roster = session.roster();
            if !roster.iter().any(|name| name == user) {
                return None;
            }
            let asks = |c: &super::world::Conn| c.can_ask() && c.user != user && roster.contains(&c.user);
            Some((session.sid?, self.conns.iter().position(asks)?))
        })
    }

    /// At the end nobody may hear anything more.
    pub(crate) async fn check_all_quiet(&mut self) -> Result<(), Stop> {
        if let Some(conn) = self.conns.iter().find(|conn| conn.answered.is_some()) {
            let got = format!("{} heard {}", conn.name, conn.answered.as_deref().unwrap_or_default());
            return Err(self.finding(&["MTP-13"], None, "no answer to what breaks a rule", got));
        }
        self.fence_acted(None).await?;
        let all: Vec<usize> =
            (0..self.conns.len()).filter(|n| self.conns.get(*n).is_some_and(|c| c.can_ask())).collect();
        self.fence(&all).await?;
        for number in all {
            if let Some(next) = self.conns.get(number).and_then(|c| c.queue.front()).cloned() {
                let name = self.conns.get(number).map(|c| c.name.clone()).unwrap_or_default();
                let got = format!("{name} heard {}", self.describe(&next));
                let expected = "nothing after the last line of the diagram".to_owned();
                let finding = Finding::new(rules(self.unexpected_rules(&next)), None, expected, got);
                return Err(self.or_refusal(number, &next, Box::new(finding)));
            }
        }
        Ok(())
    }
}
