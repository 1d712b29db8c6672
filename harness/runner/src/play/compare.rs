//! Whether what was heard is what a line of the diagram expects.

use mpchat_proto::ids::{Sid, Uid};
use mpchat_script::ast::{Frame, Kind, Message, Payload, SessionRef, What};

use crate::program::{Leaf, LeafKind};

use super::Play;
use super::world::{Happening, Heard};

/// The default text of a msg_req without one, as in the seed's diagram.
pub(crate) const DEFAULT_TEXT: &str = "hello";

/// What is different, and the rule that a difference of that part stands for where the step names none.
#[derive(Clone, Debug)]
pub(crate) struct Mismatch {
    pub(crate) rules: &'static [&'static str],
    /// How much fits: the higher, the nearer.
    pub(crate) closeness: u8,
}

impl Mismatch {
    fn new(closeness: u8, rules: &'static [&'static str]) -> Self {
        Self { rules, closeness }
    }
}

impl Play {
    /// Compares; binds nothing.
    pub(crate) fn compare(&self, leaf: &Leaf, happening: &Happening) -> Result<(), Mismatch> {
        match (&leaf.what, happening) {
            (LeafKind::Ending(_), Happening::End(_)) => Ok(()),
            (LeafKind::Frame(frame), Happening::Frame(heard)) => self.compare_frame(leaf, frame, heard),
            (LeafKind::Ending(_), Happening::Frame(_)) | (LeafKind::Frame(_), Happening::End(_)) => {
                Err(Mismatch::new(0, &[]))
            }
            (LeafKind::Note(_), _) => Err(Mismatch::new(0, &[])),
        }
    }

    fn compare_frame(&self, leaf: &Leaf, frame: &Frame, heard: &Heard) -> Result<(), Mismatch> {
        let What::Message(message) = &frame.what else { return Err(Mismatch::new(0, &[])) };
        if message.kind != heard.kind {
            return Err(Mismatch::new(0, &[]));
        }
        self.compare_sid(leaf, message, heard)?;
        self.compare_about(message, heard)?;
        self.compare_uid(leaf, message, heard)?;
        self.compare_payload(leaf, message, heard)
    }

    fn compare_sid(&self, leaf: &Leaf, message: &Message, heard: &Heard) -> Result<(), Mismatch> {
        let sid = heard.header.sid;
        let wrong = |rules| Err(Mismatch::new(1, rules));
        if message.kind == Kind::InitRes && message.payload == Some(Payload::Error) {
            return if sid == Sid::NONE { Ok(()) } else { wrong(&["INIT-10", "INIT-02"]) };
        }
        match self.expected_session(message) {
            SessionRef::None => {
                if sid == Sid::NONE {
                    Ok(())
                } else {
                    wrong(&[])
                }
            }
            SessionRef::Unknown => {
                if sid == self.unknown_sid {
                    Ok(())
                } else {
                    wrong(&[])
                }
            }
            SessionRef::Sid(n) => {
                if sid == Sid(n) {
                    Ok(())
                } else {
                    wrong(&[])
                }
            }
            SessionRef::Named(name) => match self.sessions.get(&name).and_then(|s| s.sid) {
                Some(bound) if bound == sid => Ok(()),
                Some(_) => wrong(match message.kind {
                    Kind::InitRes => &["INIT-09"],
                    Kind::InviteReq => &["INIT-05"],
                    _ => &[],
                }),
                None if sid == Sid::NONE => wrong(&["INIT-03"]),
                // The first frame in a session's name binds its sid, if it fits otherwise and is of no other session.
                None if self.session_by_sid(sid).is_some() => wrong(&["INIT-03"]),
                None if message.kind == Kind::InviteReq && !self.is_invitation_of(&name, &leaf.conn, heard) => {
                    wrong(&["MTP-21", "INIT-05"])
                }
                None => Ok(()),
            },
        }
    }

    /// Whether an invite_req whose sid is not yet known can be that of session `name`.
    fn is_invitation_of(&self, name: &str, _conn: &str, heard: &Heard) -> bool {
        let creator = self.sessions.get(name).map(|s| s.creator.clone()).unwrap_or_default();
        self.uid_of(&creator) == Some(heard.header.uid)
    }

    fn compare_about(&self, message: &Message, heard: &Heard) -> Result<(), Mismatch> {
        if message.kind == Kind::InitRes
            && let (Some(SessionRef::Named(name)), Some(about)) = (&message.session, &heard.about)
            && name != about
        {
            return Err(Mismatch::new(1, &["INIT-14"]));
        }
        if message.kind == Kind::MsgRes
            && let (Some(text), Some(about)) = (&message.about, &heard.about)
            && text != about
        {
            return Err(Mismatch::new(1, &["MSG-11"]));
        }
        Ok(())
    }

    fn compare_uid(&self, leaf: &Leaf, message: &Message, heard: &Heard) -> Result<(), Mismatch> {
        let expected = match (&message.of, message.kind) {
            (Some(name), _) => self.uid_of(name),
            (None, Kind::InviteReq) => {
                let session = self.session_of_line(message);
                let creator = self.sessions.get(&session).map(|s| s.creator.clone()).unwrap_or_default();
                self.uid_of(&creator)
            }
            (None, Kind::MsgReq) => match &message.payload {
                Some(Payload::Lines(_)) => None,
                payload => {
                    let text = text_of(payload.as_ref());
                    self.texts.get(&text).and_then(|t| self.uid_of(&t.author))
                }
            },
            (None, _) => Some(Uid::SERVER),
        };
        match expected {
            Some(uid) if uid == heard.header.uid => Ok(()),
            Some(_) if self.is_another_member(leaf, heard) => Err(Mismatch::new(2, &["STAT-04", "MTP-21"])),
            Some(_) => Err(Mismatch::new(2, &["MTP-21"])),
            None => Ok(()),
        }
    }

    /// Whether a status_res is of somebody who may well be a member, but has another place, or none: a uid that is right, in a
    /// roster that is wrong. The asker's is none of these: it is what a server writes that takes the uid of the recipient.
    fn is_another_member(&self, leaf: &Leaf, heard: &Heard) -> bool {
        let (uid, asker) = (heard.header.uid, self.uid_of(&self.user_of_conn(&leaf.conn)));
        let is_user = self.users.values().any(|identity| identity.uid == uid);
        heard.kind == Kind::StatusRes && heard.header.sid != Sid::NONE && is_user && Some(uid) != asker
    }

    fn compare_payload(&self, leaf: &Leaf, message: &Message, heard: &Heard) -> Result<(), Mismatch> {
        let text = std::str::from_utf8(&heard.payload).unwrap_or_default();
        let fits = match (&message.payload, message.kind) {
            (Some(Payload::Error), _) => !text.is_empty() && text != "OK",
            (Some(Payload::Word(word)), _) => text == word,
            (Some(Payload::Lines(lines)), _) => lines.first().is_some_and(|line| text == format!("{line}\n")),
            (payload, Kind::MsgReq) => {
                let user = self.user_of_conn(&leaf.conn);
                let wanted = self.texts.get(&text_of(payload.as_ref())).and_then(|t| t.lines.get(&user));
                wanted.is_some_and(|line| text.strip_suffix('\n') == Some(line))
            }
            (_, Kind::InitRes | Kind::MsgRes | Kind::CloseRes) => text == "OK",
            (_, Kind::StatusRes | Kind::LoginRes) => text == "Online",
            _ => true,
        };
        if fits { Ok(()) } else { Err(Mismatch::new(3, if message.kind == Kind::MsgReq { &["MSG-03"] } else { &[] })) }
    }

    /// The sid that a line is about, as written or by default.
    pub(crate) fn expected_session(&self, message: &Message) -> SessionRef {
        match (&message.session, message.kind) {
            (Some(session), _) => session.clone(),
            (None, Kind::StatusReq | Kind::StatusRes | Kind::LoginReq | Kind::LoginRes) => SessionRef::None,
            (None, _) => SessionRef::Named(self.default_session()),
        }
    }

    /// The name of the session that a line is about.
    pub(crate) fn session_of_line(&self, message: &Message) -> String {
        match &message.session {
            Some(SessionRef::Named(name)) => name.clone(),
            _ => self.default_session(),
        }
    }

    /// The user of a lifeline.
    pub(crate) fn user_of_conn(&self, conn: &str) -> String {
        let lifeline = self.lifelines.iter().find(|l| l.name == conn);
        lifeline.map_or_else(|| conn.to_owned(), |l| l.user.clone())
    }
}

/// The text of a msg_req line.
pub(crate) fn text_of(payload: Option<&Payload>) -> String {
    match payload {
        Some(Payload::Text(text)) => text.clone(),
        _ => DEFAULT_TEXT.to_owned(),
    }
}
