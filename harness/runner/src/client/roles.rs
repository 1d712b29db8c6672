//! Which users of a scenario a client can play: those that misbehave nowhere, and whose lines follow from what their user
//! does and what the server sends.

use std::collections::{BTreeMap, BTreeSet};

use mpchat_script::ast::{
    Fault, Frame, Front, Item, Kind, Loop, Message, NoteKind, Payload, Scenario, SessionRef, Start, Timer, What,
};

use super::script::{Script, Step, canonical};
use crate::play::DEFAULT_SESSION;
use crate::program::LeafKind;

/// The users whom a client may play, in the order of the diagram.
pub(crate) fn candidates(scenario: &Scenario) -> Vec<String> {
    let front = &scenario.front;
    let mut names: Vec<String> = Vec::new();
    for expansion in &scenario.expansions {
        collect(front, &expansion.body, &mut names);
    }
    match &front.clients {
        Some(clients) => names.retain(|name| clients.contains(name)),
        // A scenario that is about what clients do wrong shows a client that does nothing wrong nothing.
        None if scenario.expansions.iter().any(|e| somebody_misbehaves(&e.body)) => names.clear(),
        None if front.tags.iter().any(|tag| tag == "malformed") => names.clear(),
        None => {}
    }
    names.retain(|name| front.starts.get(name) != Some(&Start::HalfLoggedIn));
    names
}

fn collect(front: &Front, items: &[Item], names: &mut Vec<String>) {
    for item in items {
        match item {
            Item::Frame(frame) => [&frame.from, &frame.to].into_iter().for_each(|name| add(front, name, names)),
            Item::Ending(ending) => [&ending.from, &ending.to].into_iter().for_each(|name| add(front, name, names)),
            Item::Note(note) => add(front, &note.over, names),
            Item::Par(branches) | Item::Alt(branches) => branches.iter().for_each(|b| collect(front, &b.items, names)),
            Item::Opt(branch) => collect(front, &branch.items, names),
            Item::Loop(Loop::Rounds { rounds, .. }) => rounds.iter().for_each(|r| collect(front, r, names)),
            Item::Loop(Loop::Until { body, .. }) => collect(front, body, names),
        }
    }
}

fn add(front: &Front, name: &str, names: &mut Vec<String>) {
    let name = canonical(front, name);
    // The cast's names are crowds, strangers and further connections.
    let is_user = name != "server" && !front.cast.contains_key(name);
    if is_user && !names.iter().any(|n| n == name) {
        names.push(name.to_owned());
    }
}

/// Whether a user sends what no conforming client sends, envelopes for elsewhere aside: those a server passes on.
fn somebody_misbehaves(items: &[Item]) -> bool {
    let sealed = |fault: &Fault| matches!(fault, Fault::SealedIn(_) | Fault::SealedBy(_) | Fault::SealedFor(_));
    items.iter().any(|item| match item {
        Item::Frame(frame) if frame.from != "server" && frame.faulty => match &frame.what {
            What::Message(message) => !message.faults.iter().all(sealed),
            _ => true,
        },
        Item::Frame(frame) => frame.from != "server" && !matches!(frame.what, What::Message(_)),
        Item::Ending(_) | Item::Note(_) => false,
        Item::Par(branches) | Item::Alt(branches) => branches.iter().any(|b| somebody_misbehaves(&b.items)),
        Item::Opt(branch) => somebody_misbehaves(&branch.items),
        Item::Loop(Loop::Rounds { rounds, .. }) => rounds.iter().any(|r| somebody_misbehaves(r)),
        Item::Loop(Loop::Until { body, .. }) => somebody_misbehaves(body),
    })
}

/// Why a client cannot play the role.
pub(crate) type Unfit = &'static str;

/// Whether a conforming client does just what the script shows, driven by its user.
pub(crate) fn fits(front: &Front, script: &Script) -> Result<(), Unfit> {
    let mut view = View { online: script.logs_in, ..View::new(front, &script.role) };
    view.steps(&script.steps)?;
    if view.spoke { Ok(()) } else { Err("there is no frame for it") }
}

/// A session as the client sees it.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// It is the creator, or has accepted.
    takes_part: bool,
    live: bool,
    /// It was told of the end.
    closed: bool,
    /// There is an invitation that it has not answered.
    invited: bool,
    /// It has learned the roster.
    roster: bool,
}

#[derive(Clone)]
struct View<'a> {
    front: &'a Front,
    online: bool,
    spoke: bool,
    sessions: BTreeMap<String, Seen>,
    /// Lines that wait for its answer: the session, the text, and whether it can be opened.
    lines: Vec<(String, String, Opens)>,
    /// Texts that were sealed wrong.
    flawed: BTreeSet<String>,
    probes: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Opens {
    Yes,
    No,
    /// The diagram says what the answer is.
    AsDrawn,
}

impl<'a> View<'a> {
    fn new(front: &'a Front, role: &'a str) -> Self {
        let takes_part = |roster: &[String]| roster.iter().any(|name| name == role);
        let sessions = front.sessions.iter().map(|(name, roster)| {
            (name.clone(), Seen { takes_part: takes_part(roster), live: true, ..Seen::default() })
        });
        Self {
            front,
            online: false,
            spoke: false,
            sessions: sessions.collect(),
            lines: Vec::new(),
            flawed: BTreeSet::new(),
            probes: 0,
        }
    }

    fn steps(&mut self, steps: &[Step]) -> Result<(), Unfit> {
        steps.iter().try_for_each(|step| self.step(step))
    }

    fn step(&mut self, step: &Step) -> Result<(), Unfit> {
        match step {
            Step::Elsewhere(leaf) => {
                if let LeafKind::Frame(frame) = &leaf.what {
                    self.elsewhere(frame);
                }
                Ok(())
            }
            Step::Serve(leaf) => match &leaf.what {
                LeafKind::Frame(frame) => self.served(frame),
                _ => {
                    self.gone();
                    Ok(())
                }
            },
            Step::Drive(leaf) => match &leaf.what {
                LeafKind::Frame(frame) => self.driven(frame),
                _ if !self.online => Err("it leaves where it is not online"),
                _ => {
                    self.gone();
                    Ok(())
                }
            },
            Step::Await(leaf) => match &leaf.what {
                LeafKind::Frame(frame) => self.awaited(frame),
                LeafKind::Ending(ending) if ending.how != mpchat_script::ast::EndingKind::Closes => {
                    Err("a user cannot have its client end a connection like that")
                }
                _ => {
                    self.gone();
                    Ok(())
                }
            },
            Step::Note(leaf) => match &leaf.what {
                LeafKind::Note(note) => self.note(&note.what, note.over == "server"),
                _ => Ok(()),
            },
            Step::Either(branches) => {
                let mut after = self.clone();
                for (n, branch) in branches.iter().enumerate() {
                    let mut view = self.clone();
                    view.steps(branch)?;
                    if n == 0 {
                        after = view;
                    }
                }
                *self = after;
                Ok(())
            }
            Step::Perhaps(branch) => self.clone().steps(branch),
            Step::Until(until) => self.steps(&until.body),
        }
    }

    /// The end of the connection: what waited on it is over.
    fn gone(&mut self) {
        self.online = false;
        self.lines.clear();
        self.probes = 0;
        self.sessions.values_mut().for_each(|session| session.invited = false);
    }

    fn note(&mut self, note: &NoteKind, over_server: bool) -> Result<(), Unfit> {
        match note {
            NoteKind::Restarts => Err("the server restarts"),
            NoteKind::Connects | NoteKind::StopsReading | NoteKind::ReadsAgain => {
                Err("a user cannot have its client do that")
            }
            NoteKind::TimeoutPasses { timer: Timer::Answer | Timer::Status, .. } => Err("it would have to keep silent"),
            NoteKind::TimeoutPasses { timer: Timer::Login, .. } if self.front.clients.is_none() => {
                Err("it would have to keep silent")
            }
            NoteKind::LogsIn if over_server || self.online => Err("it is online already"),
            NoteKind::LogsIn => {
                self.online = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn elsewhere(&mut self, frame: &Frame) {
        let What::Message(message) = &frame.what else { return };
        let name = self.session(message);
        match message.kind {
            Kind::InitReq if frame.from != "server" => {
                self.sessions.insert(name, Seen::default());
            }
            Kind::InitRes => {
                let live = message.payload != Some(Payload::Error);
                self.sessions.entry(name).or_default().live = live;
            }
            Kind::CloseRes if message.payload != Some(Payload::Error) => {
                self.sessions.entry(name).or_default().live = false;
            }
            Kind::MsgReq if frame.from != "server" => {
                let opaque = matches!(message.payload, Some(Payload::Lines(_)));
                if opaque || !message.faults.is_empty() {
                    self.flawed.insert(text_key(message));
                }
            }
            _ => {}
        }
    }

    fn served(&mut self, frame: &Frame) -> Result<(), Unfit> {
        self.spoke = true;
        let What::Message(message) = &frame.what else { return Ok(()) };
        let name = self.session(message);
        let error = message.payload == Some(Payload::Error);
        let session = self.sessions.entry(name.clone()).or_default();
        match message.kind {
            Kind::InviteReq if !frame.faulty => session.invited = true,
            Kind::InitRes if !error && !frame.faulty => (session.live, session.takes_part) = (true, true),
            Kind::CloseRes if !error && !frame.faulty => {
                (session.live, session.closed, session.invited) = (false, true, false);
            }
            Kind::MsgReq => {
                let opens = match &message.payload {
                    _ if frame.faulty => Opens::AsDrawn,
                    Some(Payload::Lines(_)) => Opens::No,
                    _ if self.flawed.contains(&text_key(message)) => Opens::No,
                    _ => Opens::Yes,
                };
                self.lines.push((name, text_key(message), opens));
            }
            Kind::StatusReq => self.probes += 1,
            Kind::StatusRes if matches!(message.session, Some(SessionRef::Named(_))) => session.roster = session.live,
            _ => {}
        }
        Ok(())
    }

    fn driven(&mut self, frame: &Frame) -> Result<(), Unfit> {
        self.spoke = true;
        let What::Message(message) = &frame.what else { return Err("it would have to send bytes") };
        if frame.faulty {
            return Err("it would have to misbehave");
        }
        if message.kind == Kind::LoginReq {
            self.online = true;
            return Ok(());
        }
        if !self.online {
            return Err("it is not online");
        }
        let odd = matches!(message.session, Some(SessionRef::Unknown | SessionRef::Sid(_)));
        let name = self.session(message);
        let session = self.sessions.entry(name.clone()).or_default();
        match message.kind {
            Kind::InitReq if odd => Err("a client does not choose a sid"),
            Kind::InitReq => {
                *session = Seen { takes_part: true, ..Seen::default() };
                Ok(())
            }
            Kind::InviteRes if odd || !session.invited => Err("it answers what it was not asked"),
            Kind::InviteRes => {
                session.invited = false;
                session.takes_part |= message.payload != Some(Payload::Word("Deny".to_owned()));
                Ok(())
            }
            Kind::MsgReq if matches!(message.payload, Some(Payload::Lines(_))) => Err("it sends no envelopes"),
            Kind::MsgReq if odd || session.closed => Err("a client does not send there"),
            Kind::MsgReq if !session.takes_part || !(session.live || session.roster) => {
                Err("it learns no roster to send to")
            }
            Kind::MsgReq => {
                session.roster = true;
                Ok(())
            }
            Kind::CloseReq if session.closed && !odd => Err("it knows that the session is closed"),
            Kind::CloseReq | Kind::StatusReq => Ok(()),
            Kind::StatusRes => {
                self.gone();
                Ok(())
            }
            _ => Err("a client does not send that"),
        }
    }

    fn awaited(&mut self, frame: &Frame) -> Result<(), Unfit> {
        self.spoke = true;
        let What::Message(message) = &frame.what else { return Err("it would have to send bytes") };
        if frame.faulty {
            return Err("it would have to misbehave");
        }
        let name = self.session(message);
        match message.kind {
            Kind::MsgRes => {
                let oldest = self.lines.iter().position(|(session, ..)| *session == name);
                let (_, text, opens) = self.lines.remove(oldest.ok_or("it answers what it did not hear")?);
                if message.about.as_ref().is_some_and(|about| *about != text) {
                    return Err("it answers the oldest line first");
                }
                let fails = message.payload == Some(Payload::Error);
                if opens == Opens::AsDrawn || fails == (opens == Opens::No) {
                    Ok(())
                } else {
                    Err("it would have to answer otherwise than it finds")
                }
            }
            Kind::StatusRes if self.probes == 0 => Err("it answers what it was not asked"),
            Kind::StatusRes => {
                self.probes -= 1;
                Ok(())
            }
            // After its last number, by itself.
            Kind::LoginReq => {
                self.online = true;
                Ok(())
            }
            _ => Err("a client does not send that by itself"),
        }
    }

    fn session(&self, message: &Message) -> String {
        match &message.session {
            Some(SessionRef::Named(name)) => name.clone(),
            _ => default_session(self.sessions.keys()),
        }
    }
}

/// The session that a line without `in` is about: the only one that is known.
pub(crate) fn default_session<'k>(mut known: impl Iterator<Item = &'k String>) -> String {
    match (known.next(), known.next()) {
        (Some(only), None) => only.clone(),
        _ => DEFAULT_SESSION.to_owned(),
    }
}

/// What identifies the text of a msg_req line.
pub(crate) fn text_key(message: &Message) -> String {
    match &message.payload {
        Some(Payload::Lines(lines)) => lines.join("\n"),
        payload => crate::play::text_of(payload.as_ref()),
    }
}
