//! A vector as the source of a scenario.

use std::fmt::Write as _;

use mpchat_model::RuleId;

use super::page::{Page, Writer};
use super::text::quoted;
use super::{Answer, Change, End, Field, Message, Payload, Phase, Piece, Reaction, Value, Vector};

/// The source of the scenario that sends the vector's frames, accepts each reaction that conforms, and then sees that
/// nobody else was touched (MTP-18). Its id is [`Vector::id`].
///
/// alice sends, bob is the one who must go on being served.
#[must_use]
pub fn to_scenario(vector: &Vector) -> String {
    if vector.receiver == super::Receiver::Client {
        return super::client::to_scenario(vector);
    }
    let mut covers: Vec<&str> = vector.covers.iter().map(RuleId::as_str).collect();
    if !covers.contains(&"MTP-18") {
        covers.push("MTP-18");
    }
    let mut writer = ToServer { vector, page: Page::default() };
    let setting = writer.setting();
    writer.page.front(vector, &covers, &setting);
    writer.before();
    writer.send();
    writer.reactions();
    writer.page.text()
}

struct ToServer<'a> {
    vector: &'a Vector,
    page: Page,
}

impl<'a> ToServer<'a> {
    /// Who is there when the diagram begins, and where.
    fn setting(&self) -> String {
        let mut setting = String::new();
        if self.speaks_of("stranger") {
            setting.push_str("cast:\n  stranger: unknown user\n");
        }
        if self.session_exists() {
            setting += &format!("sessions:\n  session: {}\n", self.roster().join(" "));
        }
        if self.vector.phase == Phase::Connected {
            setting.push_str("starts:\n  alice: offline\n");
        }
        setting
    }

    /// What leads to the phase.
    fn before(&mut self) {
        match self.vector.phase {
            Phase::Connected | Phase::LoginStep1 | Phase::LoggedIn | Phase::InSession | Phase::Outsider => {}
            // Only towards a client: the loader refuses them here.
            Phase::LoginStep2 | Phase::LoginStep3 | Phase::Inviting | Phase::Closing => {}
            Phase::LoginStep4 => {
                self.line("alice->>server: login_req");
                self.line("server->>alice: login_res Online [LOGIN-17]");
                self.line("server->>alice: status_req [LOGIN-17]");
            }
            Phase::Pending => {
                self.line("bob->>server: init_req alice in session");
                self.line("server->>alice: invite_req in session [INIT-05]");
            }
            Phase::Asked => {
                self.line("bob->>server: msg_req \"question\" in session");
                self.line("server->>alice: msg_req \"question\" in session [MSG-03]");
            }
            Phase::Closed => {
                self.line("bob->>server: close_req in session");
                self.line("server->>bob: close_res OK in session [CLOSE-01]");
                self.line("server->>alice: close_res OK of bob in session [CLOSE-05]");
            }
        }
    }

    fn send(&mut self) {
        for send in &self.vector.send {
            match send {
                Piece::Bytes(hex) => self.line(&format!("alice-xserver: bytes 0x{hex}")),
                Piece::Message(message) => {
                    let arrow = if self.is_honest(message) { "->>" } else { "-x" };
                    // Another init, so that the name of the session that exists keeps its meaning.
                    let other = message.kind == "init_req" && message.session.is_none() && self.session_exists();
                    let message = if other {
                        &Message { session: Some("another".to_owned()), ..message.clone() }
                    } else {
                        message
                    };
                    self.line(&format!("alice{arrow}server: {}", message_text(message)));
                }
            }
        }
    }

    /// The others of the roster get the line and answer it.
    fn delivered(&mut self, author_is_gone: bool) {
        let rules = self.rules();
        let lines = self.vector.send.iter().filter_map(|send| match send {
            Piece::Message(m) if m.kind == "msg_req" && m.changes.is_empty() && m.only.is_none() => m.payload.as_ref(),
            _ => None,
        });
        let lines: Vec<Payload> = lines.cloned().collect();
        let others: Vec<String> = self.roster().iter().skip(1).map(|name| (*name).to_owned()).collect();
        for payload in lines {
            for (n, other) in others.iter().enumerate() {
                let said = match &payload {
                    Payload::Lines { of, .. } => match of.get(n) {
                        Some(line) => format!("lines {}", quoted(line)),
                        None => continue,
                    },
                    other => payload_text(other),
                };
                self.line(&format!("server->>{other}: msg_req {said} in session {rules}"));
            }
            // All lines are due at once: the first answer comes after the last of them.
            for other in &others {
                self.line(&format!("{other}->>server: msg_res OK in session"));
            }
            if !author_is_gone {
                self.line("server->>alice: msg_res OK in session [MSG-07]");
            }
        }
    }

    /// What shows that the frames changed nothing of what the phase is about.
    fn after(&mut self, reaction: &Reaction) {
        let closed = matches!(reaction, Reaction::Closes);
        match self.vector.phase {
            Phase::LoginStep4 => {
                self.line("bob->>server: status_req in session");
                self.line("server->>bob: status_res Online of bob in session [STAT-04]");
                self.line("server->>bob: status_res Offline of alice in session [LOGIN-07]");
                self.line("server->>bob: status_res Online in session [STAT-04]");
            }
            Phase::Pending if closed => self.line("server->>bob: init_res error in session [INIT-08, INIT-10]"),
            Phase::Pending => {
                self.line("alice->>server: invite_res Accept in session");
                self.line("server->>bob: init_res OK in session [INIT-07, INIT-09]");
            }
            Phase::Asked if closed => {
                self.line("server->>bob: msg_res OK in session [MSG-07]");
                self.line("Note over alice: logs in");
                self.line("server->>alice: msg_req \"question\" in session [MSG-08]");
                self.line("alice->>server: msg_res OK in session");
            }
            Phase::Asked if !matches!(reaction, Reaction::Refusal) => {
                self.line("alice->>server: msg_res OK in session");
                self.line("server->>bob: msg_res OK in session [MSG-07]");
            }
            Phase::InSession if matches!(reaction, Reaction::Answers(_)) => {
                self.line("alice->>server: status_req in session");
                for name in self.roster() {
                    let line = format!("server->>alice: status_res Online of {name} in session [PAY-04, STAT-04]");
                    self.line(&line);
                }
                self.line("server->>alice: status_res Online in session [PAY-04, STAT-04]");
            }
            _ => {}
        }
    }

    fn roster(&self) -> Vec<&'a str> {
        let given: Vec<&'a str> = self.vector.roster.iter().map(String::as_str).collect();
        match self.vector.phase {
            _ if !given.is_empty() => given,
            Phase::Outsider => vec!["bob", "carol"],
            Phase::InSession => vec!["alice", "bob"],
            _ => vec!["bob", "alice"],
        }
    }

    fn session_exists(&self) -> bool {
        matches!(
            self.vector.phase,
            Phase::LoginStep4 | Phase::InSession | Phase::Outsider | Phase::Asked | Phase::Closed
        )
    }

    /// Whether a conforming client could send the frame there.
    fn is_honest(&self, message: &Message) -> bool {
        let unchanged = message.changes.is_empty() && message.only.is_none();
        let ends_well = !self.vector.conforms.iter().any(|r| matches!(r, Reaction::Closes));
        let later_fault = self.vector.send.len() > 1 && message.joined;
        let request =
            matches!(message.kind.as_str(), "init_req" | "close_req" | "msg_req" | "status_req" | "login_req");
        unchanged && request && (ends_well || later_fault || self.vector.end.is_some())
    }

    fn speaks_of(&self, word: &str) -> bool {
        self.vector.send.iter().any(|send| {
            let Piece::Message(message) = send else { return false };
            let in_changes = message.changes.iter().any(|change| match change {
                Change::BeforeSealing { to, .. } | Change::AfterSealing { to, .. } => match to {
                    Value::Word(w) => w == word,
                    Value::Text(text) => text.contains(&format!("{{{word}}}")),
                    _ => false,
                },
                Change::Flip { .. } => false,
            });
            in_changes || matches!(&message.payload, Some(Payload::Names(names)) if names.iter().any(|n| n == word))
        })
    }
}

impl<'a> Writer<'a> for ToServer<'a> {
    fn vector(&self) -> &'a Vector {
        self.vector
    }

    fn page(&mut self) -> &mut Page {
        &mut self.page
    }

    fn reaction(&mut self, reaction: &Reaction) {
        let rules = self.rules();
        match reaction {
            Reaction::Closes if self.vector.end.is_some() => {}
            Reaction::Closes => self.line(&format!("server--xalice: closes {rules}")),
            Reaction::Ignored => self.line(&format!("Note over alice: is still served {rules}")),
            Reaction::Answers(answers) => {
                // Answers to different requests have no order of their own (MTP-20).
                let several = answers.len() > 1;
                let answers = answers.iter().map(|answer| format!("server->>alice: {} {rules}", answer_text(answer)));
                for (n, answer) in answers.enumerate() {
                    if several {
                        self.line(if n == 0 { "par" } else { "and" });
                        self.inside(|writer| writer.line(&answer));
                    } else {
                        self.line(&answer);
                    }
                }
                if several {
                    self.line("end");
                }
                self.line(&format!("Note over alice: is still served {rules}"));
            }
            Reaction::Delivered => {}
            Reaction::Refusal => {
                self.line(&format!("server->>bob: msg_res error in session {rules}"));
                self.line(&format!("Note over alice: is still served {rules}"));
            }
        }
        if self.vector.end == Some(End::Closes) {
            self.line(&format!("alice--xserver: closes {rules}"));
        }
        if matches!(reaction, Reaction::Delivered) || self.vector.counts {
            self.delivered(matches!(reaction, Reaction::Closes));
        }
        self.after(reaction);
        for name in self.vector.hears_nothing.clone() {
            self.line(&format!("Note over {name}: hears nothing {rules}"));
        }
        self.line("Note over bob: is still served [MTP-18]");
    }
}

pub(super) fn message_text(message: &Message) -> String {
    let mut text = message.kind.clone();
    if let Some(payload) = &message.payload {
        let _ = write!(text, " {}", payload_text(payload));
    }
    if let Some(session) = &message.session {
        let _ = write!(text, " in {session}");
    }
    if let Some(of) = &message.of {
        let _ = write!(text, " of {of}");
    }
    for change in &message.changes {
        let _ = match change {
            Change::BeforeSealing { field, to } => write!(text, " with {} {}", word(*field), value_text(to)),
            Change::AfterSealing { field, to } => write!(text, " after sealing {} {}", word(*field), value_text(to)),
            Change::Flip { field, byte: Some(n) } => write!(text, " after sealing flip {} {n}", word(*field)),
            Change::Flip { field, byte: None } => write!(text, " after sealing flip {} last", word(*field)),
        };
    }
    if let Some(n) = message.only {
        let _ = write!(text, " only {n} bytes");
    }
    if let Some(n) = message.split_at {
        let _ = write!(text, " split at {n}");
    }
    if message.byte_by_byte {
        text.push_str(" byte by byte");
    }
    if message.joined {
        text.push_str(" joined");
    }
    text
}

pub(super) fn answer_text(answer: &Answer) -> String {
    let mut text = format!("{} {}", answer.kind, payload_text(&answer.payload));
    if let Some(of) = &answer.of {
        let _ = write!(text, " of {of}");
    }
    if let Some(session) = &answer.session {
        let _ = write!(text, " in {session}");
    }
    text
}

pub(super) fn payload_text(payload: &Payload) -> String {
    match payload {
        Payload::Word(word) => word.clone(),
        Payload::Error => "error".to_owned(),
        Payload::Text(text) => quoted(text),
        Payload::Names(names) if names.is_empty() => "nobody".to_owned(),
        Payload::Names(names) => names.join(" "),
        Payload::Lines { of, times } => {
            let lines: Vec<String> = of.iter().map(|line| quoted(line)).collect();
            let times = times.map(|n| format!(" times {n}")).unwrap_or_default();
            format!("lines {}{times}", lines.join(" "))
        }
    }
}

fn value_text(value: &Value) -> String {
    match value {
        Value::Number(n) => n.to_string(),
        // No bytes at all are written as the empty text.
        Value::Hex(hex) if hex.is_empty() => "\"\"".to_owned(),
        Value::Hex(hex) => format!("0x{hex}"),
        Value::Text(text) => quoted(text),
        Value::Word(word) => word.clone(),
    }
}

fn word(field: Field) -> &'static str {
    match field {
        Field::Ver => "ver",
        Field::Typ => "typ",
        Field::Len => "len",
        Field::Sqn => "sqn",
        Field::Sid => "sid",
        Field::Uid => "uid",
        Field::Payload => "payload",
        Field::Etk => "etk",
        Field::Key => "key",
        Field::Epd => "epd",
        Field::Mac => "mac",
    }
}
