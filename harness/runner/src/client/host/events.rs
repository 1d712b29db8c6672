//! What the client tells its user, against what it owes.

use mpchat_proto::ids::{Sid, Uid};
use mpchat_script::ast::Kind;
use serde_json::{Value, json};

use super::Host;
use super::judge::message;
use super::world::{Conn, Owed};
use crate::client::driver::Said;
use crate::client::roles::text_key;
use crate::stop::Stop;

/// The events of the driver that a frame causes; they come in the order of the frames.
const CAUSED: [&str; 7] = ["invited", "init", "message", "sent", "close", "closed", "status"];

/// A text of more bytes is refused, if for anything, because it is long.
const LONG: usize = 1024;

impl Host {
    pub(super) async fn said(&mut self, said: Said) -> Result<(), Stop> {
        match said {
            Said::Event(event) => self.event(&event),
            Said::Garbage(line) => {
                Err(Stop::Inconclusive(format!("the client says what is no event of the driver's: {line}")))
            }
            // Who has been disconnected has nothing more to say, although it should wait for the end of its input.
            Said::End if self.leaving || self.is_disconnected() => {
                self.driver_ended = true;
                // Nothing more comes from there.
                if let Some(driver) = &mut self.driver {
                    let (_never, closed) = tokio::sync::mpsc::channel(1);
                    driver.said = closed;
                    self.silent.push(_never);
                }
                Ok(())
            }
            Said::End => {
                let death = match &mut self.driver {
                    Some(driver) => driver.death().await,
                    None => "the client is gone".to_owned(),
                };
                let mut stop = self.finding(&["MTP-13", "MTP-20"], "a client that goes on", death.clone());
                if self.conns.iter().all(Conn::is_silent) {
                    stop = Stop::Inconclusive(death);
                }
                Err(stop)
            }
        }
    }

    /// The connection has ended, or has to: the client may know it first.
    fn is_to_end(&self) -> bool {
        !self.is_online() || self.conns.last().is_some_and(|conn| conn.to_end)
    }

    fn is_disconnected(&self) -> bool {
        self.disconnects > 0 && self.conns.last().is_some_and(|conn| conn.ended.is_some())
    }

    fn event(&mut self, event: &Value) -> Result<(), Stop> {
        let name = event.get("event").and_then(Value::as_str).unwrap_or_default();
        if !self.quiet {
            self.log(format!("the client says {event}"));
        }
        match name {
            "online" => self.onlines += 1,
            "disconnected" => self.disconnects += 1,
            "refused" => return self.refused(event),
            name if CAUSED.contains(&name) => return self.caused(name, event),
            // Others are ignored.
            _ => {}
        }
        Ok(())
    }

    fn caused(&mut self, name: &str, event: &Value) -> Result<(), Stop> {
        while self.owed.front().is_some_and(|owed| owed.optional && !owed.fits(name, event)) {
            self.owed.pop_front();
        }
        // A fence takes its place when it is answered: what was sent to the client meanwhile is told first.
        let place = self.owed.iter().take_while(|owed| owed.fence && !owed.fits(name, event)).count();
        let behind_fences = self.owed.get(place).filter(|owed| owed.fits(name, event));
        let (place, owed) = match behind_fences {
            Some(owed) => (place, Some(owed)),
            None => (0, self.owed.front()),
        };
        let Some(owed) = owed else {
            let rules = self.uncalled_for(name, event);
            return Err(self.finding(rules, "nothing for its user", format!("the event {event}")));
        };
        if !owed.fits(name, event) {
            let stop = self.wrong_event(&owed.clone(), name, event);
            return Err(stop);
        }
        if let Some(owed) = self.owed.remove(place) {
            self.fenced += usize::from(owed.fence);
            if let Some((_, text)) = &owed.shows
                && let Some(Some(line)) = owed.slot.and_then(|slot| self.slots.get_mut(slot))
            {
                line.push_str(&format!("\nNote over {}: shows {}", self.role, json!(text)));
            }
            self.shown.extend(owed.shows);
        }
        Ok(())
    }

    fn wrong_event(&self, owed: &Owed, name: &str, event: &Value) -> Stop {
        let extra = self.uncalled_for(name, event);
        // What is said in place of a fence is one event too many; else one is missing or wrong.
        let (rules, expected) = if owed.fence {
            (extra.to_vec(), "nothing for its user".to_owned())
        } else if owed.name == name {
            (owed.rules.to_vec(), format!("the event {}", owed.in_words()))
        } else if self.is_fence(name, event) {
            (owed.rules.to_vec(), format!("the event {} before what came later", owed.in_words()))
        } else if self.owed.iter().skip(1).any(|later| later.fits(name, event)) {
            ([&["MTP-20"], owed.rules].concat(), format!("the event {} first", owed.in_words()))
        } else {
            ([extra, owed.rules].concat(), format!("the event {}", owed.in_words()))
        };
        self.finding_at(owed.line.as_ref().or(self.at.as_ref()), &rules, expected, format!("the event {event}"))
    }

    fn is_fence(&self, name: &str, event: &Value) -> bool {
        self.owed.iter().any(|owed| owed.fence && owed.fits(name, event))
    }

    /// Rules that an event breaks which nothing caused.
    fn uncalled_for(&self, name: &str, event: &Value) -> &'static [&'static str] {
        let text = event.get("text").and_then(Value::as_str);
        match name {
            "message" if self.shown.iter().any(|(_, shown)| Some(shown.as_str()) == text) => &["MSG-18", "MSG-14"],
            "message" => &["MSG-14", "MSG-18"],
            "sent" | "init" | "close" | "status" => &["PAY-06"],
            "closed" => &["PAY-06", "CLOSE-10"],
            _ => &["INIT-16", "PAY-06"],
        }
    }

    fn refused(&mut self, event: &Value) -> Result<(), Stop> {
        let what = event.get("do").and_then(Value::as_str).unwrap_or_default();
        if let Some(place) = self.refusals.iter().position(|wanted| *wanted == what) {
            self.refusals.remove(place);
            self.refused += 1;
            return Ok(());
        }
        let leaf =
            self.commanded.iter().find(|leaf| message(leaf).is_some_and(|m| command_of(m.kind) == what)).cloned();
        let why = event.get("error").and_then(Value::as_str).unwrap_or_default();
        let got = format!("the client refuses: {why:?}");
        match leaf {
            Some(leaf) => {
                let long = message(&leaf).is_some_and(|m| m.kind == Kind::MsgReq && text_key(m).len() > LONG);
                let rules = message(&leaf).map_or(&[][..], |m| super::blame::missing(m.kind));
                let rules = if long { &["MSG-16", "MSG-01"] } else { rules };
                self.refusal = Some(self.finding_at(Some(&leaf.line), rules, leaf.line.text.clone(), got));
                Ok(())
            }
            None if what == "leave" && self.leaving => Ok(()),
            // A question that came behind the end of the connection.
            None if what == "status" && self.is_to_end() => Ok(()),
            None => Err(self.finding(&["MTP-20"], format!("`{what}` is carried out"), got)),
        }
    }

    /// Gives the client a command.
    pub(super) fn command(&mut self, command: Value) {
        if !self.quiet {
            self.log(format!("the user has it do {command}"));
        }
        if let Some(driver) = &self.driver {
            driver.command(&command);
        }
    }

    /// What the diagram calls what the client shows.
    pub(super) fn owe_message(&mut self, sid: Sid, from: Uid, text: &str) {
        let fields = vec![("sid", json!(sid.to_string())), ("from", json!(from.to_string())), ("text", json!(text))];
        self.owe("message", fields, &["MSG-06", "MSG-14"]);
        if let Some(owed) = self.owed.back_mut() {
            owed.shows = Some((sid, text.to_owned()));
        }
    }
}

/// The driver's word for a request.
fn command_of(kind: Kind) -> &'static str {
    match kind {
        Kind::InitReq => "init",
        Kind::InviteRes => "answer",
        Kind::MsgReq => "send",
        Kind::CloseReq => "close",
        Kind::StatusReq => "status",
        Kind::StatusRes => "leave",
        _ => "connect",
    }
}

impl Owed {
    /// Whether an event is the owed one. Fields without a value may be left out.
    fn fits(&self, name: &str, event: &Value) -> bool {
        let field = |(key, wanted): &(&str, Value)| match event.get(*key) {
            Some(got) => says(got, wanted),
            None => is_nothing(wanted),
        };
        self.name == name && self.fields.iter().all(field)
    }

    pub(super) fn in_words(&self) -> String {
        let fields: Vec<String> = self.fields.iter().map(|(key, value)| format!("{key} {value}")).collect();
        format!("{} ({})", self.name, fields.join(", "))
    }
}

/// Whether a value says what is wanted: what it has besides is ignored.
fn says(got: &Value, wanted: &Value) -> bool {
    match (got, wanted) {
        (Value::Object(got), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| got.get(key).is_some_and(|got| says(got, wanted)))
        }
        (Value::Array(got), Value::Array(wanted)) => {
            got.len() == wanted.len() && got.iter().zip(wanted).all(|(got, wanted)| says(got, wanted))
        }
        _ => got == wanted,
    }
}

fn is_nothing(value: &Value) -> bool {
    value == "0000000000000000" || value == "" || value.as_array().is_some_and(Vec::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_value_has_besides_is_ignored() {
        let wanted = json!([{"uid": "00000000000a11ce", "state": "Online"}]);
        assert!(says(&json!([{"name": "x", "state": "Online", "uid": "00000000000a11ce", "more": [1]}]), &wanted));
        assert!(!says(&json!([{"state": "Offline", "uid": "00000000000a11ce"}]), &wanted));
        assert!(!says(&json!([{"uid": "00000000000a11ce"}]), &wanted));
        assert!(!says(&json!([]), &wanted));
        assert!(!says(&json!([wanted[0], wanted[0]]), &wanted));
    }
}
