//! What the user takes part in: names, sessions by number, and what is said of them.

use std::collections::BTreeMap;

use mpchat_proto::client::{Command, End, Event};
use mpchat_proto::ids::{Sid, Uid};
use mpchat_proto::payload::Presence;

use super::words::{COMMANDS, Said};

/// What a line of the user leads to.
#[derive(Debug, Default)]
pub(super) struct Reaction {
    /// For the client.
    pub(super) command: Option<Command>,
    /// For the user.
    pub(super) lines: Vec<String>,
    pub(super) connects: bool,
    pub(super) quits: bool,
}

/// Who the user is, and where.
pub(super) struct Room {
    me: Uid,
    names: BTreeMap<Uid, String>,
    /// Never shorter: a session keeps its number.
    sessions: Vec<Session>,
    current: Option<usize>,
    /// What was asked and is not answered yet.
    asked: usize,
}

/// ```text
///   Invited --/accept--> Joined --closed--> Over
///      |                   ^
///      | /decline, lapsed  | init_res OK
///      v                   |
///    Over               (own init)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Invited,
    Joined,
    Over,
}

struct Session {
    sid: Sid,
    state: State,
    /// Who invited; the user, if it is a session of its own.
    from: Uid,
    members: Vec<Uid>,
}

impl Room {
    pub(super) fn new(me: Uid, names: BTreeMap<Uid, String>) -> Self {
        Self { me, names, sessions: Vec::new(), current: None, asked: 0 }
    }

    /// Whether everything that was asked is answered.
    pub(super) const fn is_at_rest(&self) -> bool {
        self.asked == 0
    }

    /// Whether the line can be carried out, or what it needs may still come: an invitation, for an answer to it.
    pub(super) fn is_ready_for(&self, said: &Said) -> bool {
        match said {
            Said::Accept(None) | Said::Decline(None) => self.invitation(None).is_ok(),
            _ => true,
        }
    }

    /// What stands before the cursor.
    pub(super) fn prompt(&self) -> String {
        match self.current {
            Some(n) => format!("#{} {}> ", n + 1, self.others(n)),
            None => "> ".to_owned(),
        }
    }

    /// What can be written: commands, and names of users.
    pub(super) fn vocabulary(&self) -> Vec<String> {
        let commands = COMMANDS.iter().map(|(word, _)| (*word).to_owned());
        commands.chain(self.names.values().cloned()).collect()
    }

    /// Carries out a line of the user.
    pub(super) fn speak(&mut self, said: Said) -> Reaction {
        match self.react(said) {
            Ok(reaction) => {
                self.asked += usize::from(reaction.command.as_ref().is_some_and(is_answered));
                reaction
            }
            Err(wrong) => Reaction { lines: vec![format!("! {wrong}")], ..Reaction::default() },
        }
    }

    fn react(&mut self, said: Said) -> Result<Reaction, String> {
        let mut lines = Vec::new();
        let mut command = None;
        match said {
            Said::Nothing => {}
            Said::Text(text) => {
                let sid = self.session(None)?.1.sid;
                command = Some(Command::Send { sid, text });
            }
            Said::Invite(users) => {
                let unknown = |name: &String| format!("nobody is called {name}; /names lists who is known");
                let invite = users.iter().map(|name| self.uid(name).ok_or_else(|| unknown(name)));
                command = Some(Command::Init { invite: invite.collect::<Result<_, _>>()? });
            }
            Said::Accept(number) => {
                let n = self.invitation(number)?;
                let session = self.sessions.get_mut(n).ok_or("no such session")?;
                session.state = State::Joined;
                command = Some(Command::Answer { sid: session.sid, accept: true });
                self.current = Some(n);
                lines.push(format!("* you talk in #{} now; it is live when all have answered", n + 1));
            }
            Said::Decline(number) => {
                let n = self.invitation(number)?;
                let session = self.sessions.get_mut(n).ok_or("no such session")?;
                session.state = State::Over;
                command = Some(Command::Answer { sid: session.sid, accept: false });
            }
            Said::Status => {
                let sid = self.session(None).map_or(Sid::NONE, |(_, session)| session.sid);
                command = Some(Command::Status { sid });
            }
            Said::Close(number) => command = Some(Command::Close { sid: self.session(number)?.1.sid }),
            Said::Sessions => lines = self.list(),
            Said::Use(number) => {
                let (n, _) = self.session(Some(number))?;
                self.current = Some(n);
                lines.push(format!("* you talk in #{number} with {} now", self.others(n)));
            }
            Said::Names => {
                let names = self.names.iter().filter(|(uid, _)| **uid != self.me);
                let names: Vec<String> = names.map(|(uid, name)| format!("{name} ({uid})")).collect();
                lines.push(if names.is_empty() {
                    "* the kit has no names.toml: users are invited by their uid texts".to_owned()
                } else {
                    format!("* {}; anybody else of the kit by uid text", names.join(", "))
                });
            }
            Said::Help => lines = COMMANDS.iter().map(|(word, what)| format!("  {word} {what}")).collect(),
            Said::Connect => return Ok(Reaction { connects: true, ..Reaction::default() }),
            Said::Quit => return Ok(Reaction { quits: true, ..Reaction::default() }),
            Said::Wrong(why) => return Err(why),
        }
        Ok(Reaction { command, lines, ..Reaction::default() })
    }

    /// What an event tells the user, and what is asked because of it.
    pub(super) fn hear(&mut self, event: &Event) -> Reaction {
        let mut command = None;
        let answers = matches!(
            event,
            Event::Init { .. }
                | Event::Sent { .. }
                | Event::Close { .. }
                | Event::Status { .. }
                | Event::Refused { .. }
        );
        self.asked = self.asked.saturating_sub(usize::from(answers));
        let line = match event {
            Event::Online => format!("* you are online as {}; /help lists the commands", self.name(self.me)),
            Event::Invited { sid, from } => {
                self.sessions.push(Session { sid: *sid, state: State::Invited, from: *from, members: vec![*from] });
                let number = self.sessions.len();
                format!("* {} invites you to #{number}: /accept or /decline", self.name(*from))
            }
            Event::Init { sid, result } if result.is_ok() => {
                self.sessions.push(Session { sid: *sid, state: State::Joined, from: self.me, members: Vec::new() });
                self.current = Some(self.sessions.len() - 1);
                // Who has joined, and who of them is there, is the next thing to know.
                command = Some(Command::Status { sid: *sid });
                self.asked += 1;
                format!("* #{} is live: what you write now goes there", self.sessions.len())
            }
            Event::Init { result, .. } => format!("! no session: {}", shown(result.as_bytes())),
            Event::Message { sid, from, text } => {
                let place = self.place(*sid);
                let tag = if place == self.current { String::new() } else { self.tag(*sid) };
                format!("{tag}{}: {}", self.name(*from), shown(text.as_bytes()))
            }
            Event::Sent { sid, result } if result.is_ok() => {
                format!("* {}delivered to all who are online; the others get it later", self.tag(*sid))
            }
            Event::Sent { sid, result } => {
                format!("! {}somebody could not read it: {}", self.tag(*sid), shown(result.as_bytes()))
            }
            Event::Close { sid, result } if result.is_ok() => format!("* {}closed", self.ended(*sid)),
            Event::Close { sid, result } => format!("! {}not closed: {}", self.tag(*sid), shown(result.as_bytes())),
            Event::Closed { sid, by } => {
                let tag = self.ended(*sid);
                if *by == Uid::SERVER {
                    format!("* {tag}closed by the server")
                } else {
                    format!("* {tag}ended by {}", self.name(*by))
                }
            }
            Event::Status { sid, state, members } => self.presence(*sid, *state, members),
            Event::Refused { command, error } => format!("! {command}: {error}"),
            Event::Disconnected { end, anew } => {
                self.asked = 0;
                match (end, anew) {
                    (End::Left, _) => "* you have left".to_owned(),
                    (end, true) => format!("* {end}"),
                    (end, false) => format!("! disconnected: {end}; /connect tries again"),
                }
            }
        };
        Reaction { command, lines: vec![line], ..Reaction::default() }
    }

    fn presence(&mut self, sid: Sid, state: Presence, members: &[(Uid, Presence)]) -> String {
        if sid == Sid::NONE {
            return format!("* the server is {}", state.as_str());
        }
        let tag = self.tag(sid);
        if state != Presence::Online {
            return format!("* {tag}not live, or without you");
        }
        if let Some(session) = self.sessions.iter_mut().find(|session| session.sid == sid) {
            session.members = members.iter().map(|(uid, _)| *uid).collect();
        }
        let of = |wanted: Presence| -> Vec<String> {
            let there = members.iter().filter(|(uid, state)| *state == wanted && *uid != self.me);
            there.map(|(uid, _)| self.name(*uid)).collect()
        };
        let list = |word: &str, names: Vec<String>| {
            if names.is_empty() { String::new() } else { format!("{word}: {}  ", names.join(", ")) }
        };
        let text = format!("{}{}", list("online", of(Presence::Online)), list("offline", of(Presence::Offline)));
        format!("* {tag}{}", text.trim_end())
    }

    fn list(&self) -> Vec<String> {
        let line = |(n, session): (usize, &Session)| {
            let state = match session.state {
                State::Invited => "invited by",
                State::Joined => "with",
                State::Over => return None,
            };
            let mark = if self.current == Some(n) { " <- you talk here" } else { "" };
            Some(format!("  #{} {state} {}{mark}", n + 1, self.others(n)))
        };
        let lines: Vec<String> = self.sessions.iter().enumerate().filter_map(line).collect();
        if lines.is_empty() { vec!["* no session, and no invitation".to_owned()] } else { lines }
    }

    /// The session of a number, or the current one.
    fn session(&self, number: Option<usize>) -> Result<(usize, &Session), String> {
        let n = match number {
            Some(number) => number.checked_sub(1).ok_or("sessions are numbered from 1")?,
            None => self.current.ok_or("no session: /invite somebody, or /accept an invitation")?,
        };
        match self.sessions.get(n) {
            Some(session) if session.state == State::Joined => Ok((n, session)),
            Some(session) if session.state == State::Invited => {
                Err(format!("#{} waits for /accept or /decline", n + 1))
            }
            _ => Err(format!("there is no session #{}", n + 1)),
        }
    }

    /// The place of the invitation that is meant: of that number, or the oldest.
    fn invitation(&self, number: Option<usize>) -> Result<usize, String> {
        let meant = |n: usize| number.is_none_or(|number| number == n + 1);
        let open = |(n, session): &(usize, &Session)| session.state == State::Invited && meant(*n);
        let found = self.sessions.iter().enumerate().find(open).map(|(n, _)| n);
        found.ok_or_else(|| match number {
            Some(number) => format!("no invitation to #{number} is open"),
            None => "nobody has invited you".to_owned(),
        })
    }

    /// Notes that a session is over; its tag.
    fn ended(&mut self, sid: Sid) -> String {
        let tag = self.tag(sid);
        let place = self.place(sid);
        if let Some(session) = place.and_then(|n| self.sessions.get_mut(n)) {
            session.state = State::Over;
        }
        if place.is_some() && self.current == place {
            self.current = self.sessions.iter().rposition(|session| session.state == State::Joined);
        }
        tag
    }

    fn place(&self, sid: Sid) -> Option<usize> {
        self.sessions.iter().position(|session| session.sid == sid)
    }

    fn tag(&self, sid: Sid) -> String {
        self.place(sid).map_or_else(String::new, |n| format!("#{} ", n + 1))
    }

    fn others(&self, n: usize) -> String {
        let Some(session) = self.sessions.get(n) else { return String::new() };
        let members = session.members.iter().filter(|uid| **uid != self.me);
        let names: Vec<String> = members.map(|uid| self.name(*uid)).collect();
        if names.is_empty() { self.name(session.from) } else { names.join(", ") }
    }

    fn name(&self, uid: Uid) -> String {
        self.names.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
    }

    fn uid(&self, name: &str) -> Option<Uid> {
        let known = self.names.iter().find(|(_, n)| n.as_str() == name).map(|(uid, _)| *uid);
        known.or_else(|| name.parse().ok())
    }
}

/// Whether the client tells what became of it.
const fn is_answered(command: &Command) -> bool {
    matches!(command, Command::Init { .. } | Command::Send { .. } | Command::Close { .. } | Command::Status { .. })
}

/// A peer's text without what could move the cursor, or write it backwards.
fn shown(bytes: &[u8]) -> String {
    let hides = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    String::from_utf8_lossy(bytes).chars().map(|c| if hides(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests;
