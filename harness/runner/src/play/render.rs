//! Frames and transcripts as text, in the words of the scenario language.

use std::time::Duration;

use mpchat_proto::envelope;
use mpchat_proto::frame::Header;
use mpchat_proto::ids::{Sid, Uid};
use mpchat_script::ast::{Kind, Line};

use crate::link::EndHow;
use crate::program::{Leaf, LeafKind, Outline};

use super::Play;
use super::world::{Happening, Heard};

/// How many bytes of an unknown frame are shown.
const SHOWN_BYTES: usize = 64;

/// How many characters of a peer's text are shown.
const SHOWN_TEXT: usize = 120;

/// Something that was said or heard.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Text(String),
    Heard { at: Duration, name: String, heard: Heard },
    Said { at: Duration, what: String, start: Vec<u8>, len: usize },
}

impl Play {
    /// A frame of the subject as a line of the language, from what was heard alone.
    fn render_frame(&self, conn: &str, heard: &Heard) -> String {
        let header = &heard.header;
        let shown = conn.split('#').next().unwrap_or(conn);
        let mut line = format!("server->>{shown}: {}", heard.kind.word());
        let text = String::from_utf8_lossy(&heard.payload);
        match heard.kind {
            Kind::InitRes | Kind::MsgRes | Kind::CloseRes if text != "OK" => line.push_str(" error"),
            Kind::MsgReq => {
                line.push(' ');
                line.push_str(&self.render_line(conn, header.sid, header.uid, &text));
            }
            _ if !text.is_empty() => {
                line.push(' ');
                line.push_str(&text);
            }
            _ => {}
        }
        if header.uid != Uid::SERVER {
            line.push_str(" of ");
            line.push_str(&self.name_of(header.uid));
        }
        if header.sid != Sid::NONE {
            line.push_str(" in ");
            line.push_str(&self.session_name(header.sid));
        }
        line
    }

    /// A line of a msg_req: the text of its envelope if its recipient can open it.
    fn render_line(&self, conn: &str, sid: Sid, author: Uid, payload: &str) -> String {
        let line = payload.strip_suffix('\n').unwrap_or(payload);
        let user = self.user_of_conn(conn);
        let known = self.texts.iter().find(|(_, t)| t.lines.get(&user).is_some_and(|l| l == line));
        let opened = self.identity(&user).and_then(|identity| {
            // Only what the harness sealed itself is worth an RSA operation.
            let _ours = known?;
            let key = identity.key(self.stage.provider).ok()?;
            envelope::open(self.stage.provider, &key, sid, author, identity.uid, line).ok()
        });
        match opened {
            Some(text) => format!("{text:?}"),
            None => format!("lines {:?}", shorten(line)),
        }
    }

    /// What was seen in the place of `leaf`.
    pub(crate) fn render_seen(&self, leaf: &Leaf, happening: &Happening) -> String {
        match happening {
            Happening::Frame(heard) => self.render_frame(&leaf.conn, heard),
            Happening::End(_) => format!("server--x{}: closes", leaf.conn.split('#').next().unwrap_or(&leaf.conn)),
        }
    }

    /// Writes a line of the transcript. Of a crowd's equal lines one is shown, different ones all.
    pub(crate) fn fill(&mut self, leaf: &Leaf, line: String) {
        if let Some(slot) = self.slots.get_mut(leaf.slot) {
            match slot {
                None => *slot = Some(line),
                Some(shown) if shown.lines().any(|l| l == line) => {}
                Some(shown) => {
                    shown.push('\n');
                    shown.push_str(&line);
                }
            }
        }
    }

    /// Writes the line of an act or a check as the diagram has it.
    pub(crate) fn fill_as_drawn(&mut self, leaf: &Leaf) {
        self.fill(leaf, leaf.line.text.clone());
    }

    /// The transcript: the diagram with what was seen filled in.
    pub(crate) fn transcript(&self, outline: &[Outline]) -> String {
        let mut text = String::from("sequenceDiagram\n");
        self.write_outline(outline, 1, &mut text);
        text
    }

    fn write_outline(&self, outline: &[Outline], depth: usize, text: &mut String) {
        for part in outline {
            match part {
                Outline::Slot(slot) => {
                    let seen = self.slots.get(*slot).and_then(Option::as_ref);
                    for line in seen.into_iter().flat_map(|s| s.lines()) {
                        push_line(text, depth, line);
                    }
                }
                Outline::Par(branches) => {
                    for (n, branch) in branches.iter().enumerate() {
                        push_line(text, depth, if n == 0 { "par" } else { "and" });
                        self.write_outline(branch, depth + 1, text);
                    }
                    push_line(text, depth, "end");
                }
                Outline::Choice(branches) => branches.iter().for_each(|b| self.write_outline(b, depth, text)),
                Outline::Opt(body) => {
                    let mut inner = String::new();
                    self.write_outline(body, depth + 1, &mut inner);
                    if !inner.is_empty() {
                        push_line(text, depth, "opt");
                        text.push_str(&inner);
                        push_line(text, depth, "end");
                    }
                }
                Outline::Until(line, body) => {
                    push_line(text, depth, line);
                    self.write_outline(body, depth + 1, text);
                    push_line(text, depth, "end");
                }
            }
        }
    }

    /// A happening for people: every field, the decoded payload.
    pub(crate) fn describe(&self, happening: &Happening) -> String {
        match happening {
            Happening::End(EndHow::Fin) => "the end of its connection (FIN)".to_owned(),
            Happening::End(EndHow::Reset) => "the end of its connection (RST)".to_owned(),
            Happening::Frame(heard) => {
                let header = &heard.header;
                frame_in_words(
                    heard.kind,
                    header,
                    &heard.payload,
                    &self.session_name(header.sid),
                    &self.name_of(header.uid),
                )
            }
        }
    }

    pub(crate) fn log_heard(&mut self, number: usize, heard: &Heard) {
        let Some(conn) = self.conns.get(number) else { return };
        let (at, name) = (self.began.elapsed(), conn.name.clone());
        self.log_entry(Entry::Heard { at, name, heard: heard.clone() });
    }

    pub(crate) fn log_said(&mut self, what: &str, bytes: &[u8]) {
        let start = bytes.get(..SHOWN_BYTES + 1).unwrap_or(bytes).to_vec();
        self.log_entry(Entry::Said { at: self.began.elapsed(), what: what.to_owned(), start, len: bytes.len() });
    }

    /// An entry of the log for people.
    pub(crate) fn in_words(&self, entry: &Entry) -> String {
        let clock = |at: &Duration| format!("{:>6} ms", at.as_millis());
        match entry {
            Entry::Text(text) => text.clone(),
            Entry::Heard { at, name, heard } => {
                format!("{} server->>{name}: {}", clock(at), self.describe(&Happening::Frame(heard.clone())))
            }
            Entry::Said { at, what, start, len } => format!("{} {what} ({len} bytes: {})", clock(at), hex_start(start)),
        }
    }

    /// The line of the diagram that a connection is at: what it is expected to hear, or will do next.
    pub(crate) fn nearest_line(&self, conn: &str) -> Option<Line> {
        let waiting =
            self.candidates(conn).first().and_then(|n| self.expectations.get(*n)).map(|e| e.leaf.line.clone());
        let checking = || self.checking.as_ref().map(|c| c.line.clone());
        waiting.or_else(checking).or_else(|| self.upcoming(conn).first().map(|l| l.line.clone()))
    }

    pub(crate) fn describe_leaf(&self, leaf: &Leaf) -> String {
        match &leaf.what {
            LeafKind::Frame(_) | LeafKind::Ending(_) | LeafKind::Note(_) => leaf.line.text.clone(),
        }
    }
}

fn push_line(text: &mut String, depth: usize, line: &str) {
    for _ in 0..depth {
        text.push_str("    ");
    }
    text.push_str(line);
    text.push('\n');
}

/// A frame for people: every field, the decoded payload, and what its sid and uid are called.
pub(crate) fn frame_in_words(kind: Kind, header: &Header, payload: &[u8], session: &str, user: &str) -> String {
    format!(
        "{} {} (len {}, sqn {}, sid {} = {session}, uid {} = {user})",
        kind.word(),
        payload_text(payload),
        header.len,
        header.sqn,
        header.sid,
        header.uid,
    )
}

/// A payload for people.
pub(crate) fn payload_text(payload: &[u8]) -> String {
    match std::str::from_utf8(payload) {
        Ok("") => "(empty)".to_owned(),
        Ok(text) => format!("{:?}", shorten(text)),
        Err(_) => format!("0x{}", hex_start(payload)),
    }
}

/// The first bytes in hexadecimal.
pub(crate) fn hex_start(bytes: &[u8]) -> String {
    let shown = hex::encode(bytes.get(..SHOWN_BYTES).unwrap_or(bytes));
    if bytes.len() > SHOWN_BYTES { format!("{shown}…") } else { shown }
}

fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN_TEXT).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
