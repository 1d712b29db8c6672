//! A vector towards a client as the source of a scenario: the server sends, alice is the client under test.

use mpchat_model::RuleId;

use super::page::{Page, Writer};
use super::scenario::{answer_text, message_text};
use super::text::quoted;
use super::{End, Payload, Phase, Piece, Reaction, Vector};

/// The source of the scenario; its id is [`Vector::id`].
pub(super) fn to_scenario(vector: &Vector) -> String {
    let covers: Vec<&str> = vector.covers.iter().map(RuleId::as_str).collect();
    let mut writer = ToClient { vector, page: Page::default() };
    writer.page.front(vector, &covers, &setting(vector));
    writer.before();
    writer.send();
    writer.reactions();
    writer.page.text()
}

/// What is there when the diagram begins, and who is tested.
fn setting(vector: &Vector) -> String {
    let mut setting = String::new();
    if matches!(vector.phase, Phase::InSession | Phase::Asked | Phase::Closing | Phase::Closed) {
        let roster = if vector.roster.is_empty() { "alice bob".to_owned() } else { vector.roster.join(" ") };
        setting = format!("sessions:\n  session: {roster}\n");
    }
    setting + "clients: [alice]\n"
}

struct ToClient<'a> {
    vector: &'a Vector,
    page: Page,
}

impl ToClient<'_> {
    /// What leads to the phase.
    fn before(&mut self) {
        let lines: &[&str] = match self.vector.phase {
            Phase::LoginStep2 => &["alice->>server: login_req"],
            Phase::LoginStep3 => &["alice->>server: login_req", "server->>alice: login_res Online"],
            Phase::Pending => &["bob->>server: init_req alice in session", "server->>alice: invite_req in session"],
            Phase::Inviting => &["alice->>server: init_req bob in session", "server->>bob: invite_req in session"],
            Phase::Asked => {
                &["alice->>server: msg_req \"question\" in session", "server->>bob: msg_req \"question\" in session"]
            }
            // Then no question of its own is open that a stray answer would answer.
            Phase::InSession => &["Note over alice: is still served"],
            Phase::Closing => &["alice->>server: close_req in session"],
            Phase::Closed => &[
                "bob->>server: close_req in session",
                "server->>bob: close_res OK in session",
                "server->>alice: close_res OK of bob in session",
            ],
            _ => &[],
        };
        lines.iter().for_each(|line| self.line(line));
    }

    fn send(&mut self) {
        for piece in &self.vector.send {
            match piece {
                Piece::Bytes(hex) => self.line(&format!("server-xalice: bytes 0x{hex}")),
                Piece::Message(message) => {
                    // What stands in front of a fault, in one segment with it, is as it should be.
                    let honest = message.joined && message.changes.is_empty() && message.only.is_none();
                    if let (true, Some(Payload::Text(text))) = (honest, &message.payload) {
                        self.line(&format!("bob->>server: msg_req {} in session", quoted(text)));
                    }
                    let arrow = if honest { "->>" } else { "-x" };
                    self.line(&format!("server{arrow}alice: {}", message_text(message)));
                }
            }
        }
        if self.vector.end == Some(End::Closes) {
            self.line(&format!("server--xalice: closes {}", self.rules()));
        }
    }

    /// What shows that the frames changed nothing of what the phase is about.
    fn after(&mut self) {
        let lines: &[&str] = match self.vector.phase {
            Phase::Pending => &["alice->>server: invite_res Accept in session"],
            Phase::Inviting => {
                &["bob->>server: invite_res Accept in session", "server->>alice: init_res OK in session"]
            }
            Phase::Asked => &["bob->>server: msg_res OK in session", "server->>alice: msg_res OK in session"],
            Phase::Closing => &["server->>alice: close_res OK in session"],
            Phase::InSession => &["alice->>server: msg_req \"still here\" in session"],
            _ => &[],
        };
        lines.iter().for_each(|line| self.line(line));
    }
}

impl<'a> Writer<'a> for ToClient<'a> {
    fn vector(&self) -> &'a Vector {
        self.vector
    }

    fn page(&mut self) -> &mut Page {
        &mut self.page
    }

    fn reaction(&mut self, reaction: &Reaction) {
        let rules = self.rules();
        match reaction {
            // The end of the server's stream ends it anyway.
            Reaction::Closes if self.vector.end.is_some() => return,
            Reaction::Closes => return self.line(&format!("alice--xserver: closes {rules}")),
            Reaction::Answers(answers) => {
                for answer in answers {
                    self.line(&format!("alice->>server: {} {rules}", answer_text(answer)));
                }
                self.line(&format!("Note over alice: shows nothing {rules}"));
            }
            // Towards a client there is nobody to deliver to.
            Reaction::Ignored | Reaction::Delivered | Reaction::Refusal => {}
        }
        self.line(&format!("Note over alice: is still served {rules}"));
        self.after();
    }
}
