//! Texts: sealed for the client as another participant would, opened as their recipients would.

use mpchat_proto::frame::{ETK_LEN, MAC_LEN};
use mpchat_proto::ids::{Sid, Uid};
use mpchat_proto::keys::Secret;
use mpchat_proto::{envelope, payload};
use mpchat_script::ast::{Fault, Message};

use super::Host;
use super::world::Heard;
use crate::client::roles::text_key;
use crate::forge;
use crate::play::world::Text;
use crate::stop::Stop;

impl Host {
    /// Who wrote the text of a msg_req line.
    pub(super) fn author_of_line(&self, message: &Message) -> String {
        if let Some(text) = self.texts.get(&text_key(message)) {
            return text.author.clone();
        }
        let others = self.told_roster(&self.session_of_line(message));
        others.into_iter().find(|name| *name != self.role).unwrap_or_else(|| self.somebody())
    }

    fn somebody(&self) -> String {
        self.users.keys().find(|name| **name != self.role).cloned().unwrap_or_default()
    }

    /// Somebody else says a text: it has an author and a session from now on.
    pub(super) fn note_text(&mut self, author: &str, message: &Message) {
        let (key, session) = (text_key(message), self.session_of_line(message));
        self.sealing.insert(key.clone(), message.faults.clone());
        self.texts.entry(key).or_insert_with(|| Text {
            author: author.to_owned(),
            session,
            lines: Default::default(),
            answered: Default::default(),
            at: std::time::Instant::now(),
            sent_on: None,
            failed: false,
        });
    }

    /// The envelope of a text for the client, with its LF; the same text has the same envelope.
    pub(super) fn envelope_for_client(&mut self, message: &Message) -> Result<Vec<u8>, Stop> {
        let key = text_key(message);
        let author = message.of.clone().unwrap_or_else(|| self.author_of_line(message));
        if !self.texts.contains_key(&key) {
            self.note_text(&author, message);
        }
        let kept = self.texts.get(&key).and_then(|text| text.lines.get(&self.role)).cloned();
        let flawed = !message.faults.is_empty();
        let line = match kept.filter(|_| !flawed) {
            Some(line) => line,
            None => {
                let line = self.seal_for_client(message, &author, &key)?;
                if !flawed && let Some(text) = self.texts.get_mut(&key) {
                    text.lines.insert(self.role.clone(), line.clone());
                }
                line
            }
        };
        Ok(format!("{line}\n").into_bytes())
    }

    fn seal_for_client(&mut self, message: &Message, author: &str, text: &str) -> Result<String, Stop> {
        let name = self.session_of_line(message);
        let (mut sid, mut by) = (self.sid(&name), self.uid_of(author).unwrap_or(Uid::SERVER));
        let (mut reader, mut meant_for, mut way) = (self.role.clone(), None, "");
        let faults = [self.sealing.get(text).cloned().unwrap_or_default(), message.faults.clone()].concat();
        for fault in &faults {
            match fault {
                Fault::SealedIn(name) => sid = self.sid(name),
                Fault::SealedBy(name) => by = self.uid_of(name).unwrap_or(by),
                Fault::SealedFor(name) => reader = self.user_of(name),
                Fault::SealedTo(name) => meant_for = self.uid_of(name),
                Fault::SealedWith(word) => way = word,
                _ => {}
            }
        }
        let identity = self.users.get(&reader).cloned();
        let identity = identity.ok_or_else(|| Stop::Skip(format!("`{reader}` is not in the kit")))?;
        let key = identity.public(self.stage.provider);
        self.canaries.text(text);
        let recipient = meant_for.unwrap_or(identity.uid);
        let cek = forge::share(way, &mut self.rng);
        let etk = forge::etk(way, &mut self.rng, &cek, &key, None)?;
        let cek = Secret::from_slice(&cek).ok_or_else(|| Stop::Skip(format!("`{way}` makes no content key")))?;
        Ok(envelope::seal_under(self.stage.provider, &cek, &etk, sid, by, recipient, text))
    }

    /// A msg_req of the client's that is to carry `text`: MSG-01, MSG-02, MSG-15.
    pub(super) fn check_lines(&mut self, heard: &Heard, session: &str, text: &str) -> Result<(), Stop> {
        let lines = match payload::parse_lines(&heard.payload) {
            Ok(lines) => lines.into_iter().map(str::to_owned).collect::<Vec<_>>(),
            Err(error) => {
                let got = format!("{}: {error}", crate::play::render::payload_text(&heard.payload));
                return Err(self.breach(&["PAY-02", "MSG-01"], "lines, each ended by LF", got));
            }
        };
        // The first roster counts (STAT-09).
        let first = self.first_rosters.get(&heard.header.sid).cloned();
        let roster = first.unwrap_or_else(|| self.told_roster(session));
        let recipients: Vec<String> = roster.into_iter().filter(|name| *name != self.role).collect();
        if lines.len() != recipients.len() {
            let expected = format!("one line for each of {}", recipients.join(", "));
            return Err(self.breach(self.blame_for_recipients(session), expected, format!("{} lines", lines.len())));
        }
        let mut kept = Vec::new();
        for (n, (line, recipient)) in lines.iter().zip(&recipients).enumerate() {
            self.check_line(heard.header.sid, n + 1, line, recipient, &recipients, text)?;
            kept.push((recipient.clone(), line.clone()));
        }
        let author = self.role.clone();
        let (session, at) = (session.to_owned(), std::time::Instant::now());
        let text_of = Text {
            author,
            session,
            lines: kept.into_iter().collect(),
            answered: Default::default(),
            at,
            sent_on: None,
            failed: false,
        };
        self.texts.insert(text.to_owned(), text_of);
        Ok(())
    }

    fn check_line(
        &mut self,
        sid: Sid,
        n: usize,
        line: &str,
        recipient: &str,
        recipients: &[String],
        text: &str,
    ) -> Result<(), Stop> {
        let Some(uid) = self.uid_of(recipient) else { return Ok(()) };
        match self.open_line(sid, self.me, recipient, uid, line) {
            Ok((cek, found)) if found == text => {
                self.canaries.secret("a cek", &cek);
                match self.stage.memory.why_not_fresh(&cek) {
                    None => Ok(()),
                    Some(why) => {
                        let expected = "a fresh cek for every envelope";
                        Err(self.breach(&["MSG-15"], expected, format!("line {n} with a cek {why}")).whenever())
                    }
                }
            }
            Ok((_, found)) => {
                let expected = format!("line {n} carries {text:?}");
                Err(self.breach(&["MSG-02", "PAY-01"], expected, format!("a line that carries {found:?}")))
            }
            Err(why) => {
                let other = recipients.iter().find(|other| {
                    *other != recipient
                        && self.uid_of(other).is_some_and(|uid| self.open_line(sid, self.me, other, uid, line).is_ok())
                });
                let (rules, got): (&[&str], String) = match other {
                    Some(other) => {
                        (self.blame_for_recipients(&self.session_name(sid)), format!("line {n} is for {other}"))
                    }
                    None => (&["MSG-02"], format!("line {n}: {why}")),
                };
                Err(self.breach(rules, format!("line {n} is the envelope for {recipient}"), got))
            }
        }
    }

    /// Who writes to others than the first roster named has taken a later one, if the server told one (STAT-09).
    fn blame_for_recipients(&self, session: &str) -> &'static [&'static str] {
        if self.claims.contains_key(session) { &["STAT-09", "MSG-01"] } else { &["MSG-01"] }
    }

    /// Opens a line as its recipient: the cek and the text.
    fn open_line(&self, sid: Sid, author: Uid, name: &str, uid: Uid, line: &str) -> Result<(Vec<u8>, String), String> {
        let identity = self.users.get(name).ok_or("nobody has its key")?;
        let key = identity.key(self.stage.provider).map_err(|error| error.to_string())?;
        let opened = envelope::open(self.stage.provider, &key, sid, author, uid, line);
        let bytes = hex::decode(line).map_err(|_| "no hexadecimal digits".to_owned())?;
        let wrapped = bytes.get(..ETK_LEN).unwrap_or_default();
        match opened {
            Ok(text) => {
                let cek = key.oaep_decrypt(wrapped).map_err(|error| error.to_string())?;
                Ok((cek.to_vec(), text))
            }
            Err(error) => {
                let least = ETK_LEN + MAC_LEN;
                let short = if bytes.len() < least { format!(" ({} bytes)", bytes.len()) } else { String::new() };
                Err(format!("{error}{short}"))
            }
        }
    }
}
