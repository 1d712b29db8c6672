//! Malformed-frame vectors: `vectors/malformed/*.json`, one file a theme.
//!
//! [`load`] reads files, [`to_scenario`] turns a vector into the source of a scenario, which is then parsed and run as
//! any other.

mod client;
mod error;
mod load;
mod page;
mod scenario;
mod text;

use std::collections::BTreeMap;

use mpchat_model::RuleId;
use serde::Deserialize;

pub use error::{LoadError, Offence};
pub use load::load;
pub use scenario::to_scenario;

/// The value of `schema` in every file.
pub const SCHEMA: &str = "mpchat-malformed/1";

/// One file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// [`SCHEMA`].
    pub schema: String,
    /// The file's name without `.json`, which is the middle of its vectors' ids.
    pub theme: String,
    /// What the vectors have in common.
    pub about: String,
    /// What each flag means.
    pub flags: BTreeMap<String, String>,
    /// The vectors.
    pub vectors: Vec<Vector>,
}

/// What one party sends, and the reactions that conform.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vector {
    /// The theme, filled in by [`load`].
    #[serde(skip)]
    pub theme: String,
    /// Lower case, digits and hyphens; unique in its file.
    pub name: String,
    /// What is sent, in one line.
    pub title: String,
    /// What a plausible receiver would get wrong.
    pub why: String,
    /// The rules at stake, the most specific one first.
    pub covers: Vec<RuleId>,
    /// Keys of the file's dictionary.
    #[serde(default)]
    pub flags: Vec<String>,
    /// Who receives.
    pub receiver: Receiver,
    /// When it is sent.
    pub phase: Phase,
    /// The session's roster, the creator first, where there is one.
    #[serde(default)]
    pub roster: Vec<String>,
    /// The frames, in order, in one burst.
    pub send: Vec<Piece>,
    /// How the sender ends its stream after them.
    pub end: Option<End>,
    /// Each of these conforms; at least one.
    pub conforms: Vec<Reaction>,
    /// Whether the whole msg_req in front of the fault count: they are delivered, although the connection ends.
    #[serde(default)]
    pub counts: bool,
    /// Users that must hear nothing because of the frames.
    #[serde(default)]
    pub hears_nothing: Vec<String>,
}

/// Whom a vector tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Receiver {
    /// The server; alice sends.
    Server,
    /// A client, which is alice; the server sends.
    Client,
}

/// When the frames are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// On a fresh connection, in place of the login request.
    Connected,
    /// It is the login request.
    #[serde(rename = "login-step-1")]
    LoginStep1,
    /// It is in the place of step 2; towards a client.
    #[serde(rename = "login-step-2")]
    LoginStep2,
    /// It is in the place of step 3; towards a client.
    #[serde(rename = "login-step-3")]
    LoginStep3,
    /// It is in the place of step 4.
    #[serde(rename = "login-step-4")]
    LoginStep4,
    /// After the login, without a session.
    LoggedIn,
    /// As a participant of a live session.
    InSession,
    /// There is a live session that alice is not in.
    Outsider,
    /// bob has invited alice, who has not chosen yet.
    Pending,
    /// alice has invited bob, and waits for the init_res; towards a client.
    Inviting,
    /// bob has sent alice a line, which she has not answered. Towards a client: alice has sent a line, and waits for the
    /// msg_res.
    Asked,
    /// alice has asked to close the session, and waits for the close_res; towards a client.
    Closing,
    /// bob has closed the session.
    Closed,
}

/// A piece of what is sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Piece {
    /// A frame.
    Message(Message),
    /// These bytes, in hexadecimal digits.
    Bytes(String),
}

/// A frame that is right but for its changes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// The type word; `login_req` is the status_req of login step 1, with its etk.
    #[serde(rename = "type")]
    pub kind: String,
    /// The payload; without it the conforming or happy one.
    pub payload: Option<Payload>,
    /// `session`, `none` (sid 0), `unknown`, or 16 hexadecimal digits.
    pub session: Option<String>,
    /// Whose uid a server's frame carries, where it is not the conforming one.
    pub of: Option<String>,
    /// Changes, in order.
    #[serde(default)]
    pub changes: Vec<Change>,
    /// Only so many bytes of it are sent.
    pub only: Option<usize>,
    /// Written in two parts, the first of so many bytes.
    pub split_at: Option<usize>,
    /// Written byte by byte.
    #[serde(default)]
    pub byte_by_byte: bool,
    /// Written together with the next piece.
    #[serde(default)]
    pub joined: bool,
}

/// A payload.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Payload {
    /// `OK`, `Accept`, `Deny`, `Online`, `Offline`.
    Word(String),
    /// Any error text.
    Error,
    /// A text, sealed for each other participant.
    Text(String),
    /// Lines as they are, each ended by LF.
    Lines {
        /// The lines.
        of: Vec<String>,
        /// How often all of them are repeated; once if left out.
        times: Option<usize>,
    },
    /// The uid texts of these users.
    Names(Vec<String>),
}

/// A change to a frame.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// Before sealing: only a check of the field itself can refuse it.
    BeforeSealing {
        /// Which field.
        field: Field,
        /// Its new value.
        to: Value,
    },
    /// After sealing: the mac does not fit any more.
    AfterSealing {
        /// Which field.
        field: Field,
        /// Its new value.
        to: Value,
    },
    /// All bits of one byte are flipped after sealing.
    Flip {
        /// In which field.
        field: Field,
        /// Which byte of it; its last one if left out.
        byte: Option<usize>,
    },
}

/// A part of a frame; `key` is what it is sealed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are the specification's")]
pub enum Field {
    Ver,
    Typ,
    Len,
    Sqn,
    Sid,
    Uid,
    Payload,
    Etk,
    Key,
    Epd,
    Mac,
}

/// A value of a field.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Value {
    /// A number.
    Number(u64),
    /// Bytes, in hexadecimal digits.
    Hex(String),
    /// A text; `{bob}` in it is bob's uid text, `{BOB}` the same in capitals.
    Text(String),
    /// A user (also `stranger`, whom nobody knows), `server`, `session`, `unknown`, a type word, `last`, `last-1`, `next+1`, `flipped-0`, or a
    /// way to make a key, etk or mac: `random`, `short`, `long`, `other-key`, `sha1`, `pkcs1`, `login`, `s2c`, `c2s`, `zero`.
    Word(String),
}

/// How the sender's stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// FIN, then reading to the end.
    Closes,
}

/// A reaction that conforms.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reaction {
    /// The connection is closed, without any answer.
    Closes,
    /// Nothing: the sender goes on being served.
    Ignored,
    /// These frames come, in order, and the sender goes on being served.
    Answers(Vec<Answer>),
    /// The msg_req's line reaches its recipient unchanged, who answers it.
    Delivered,
    /// It counts as an error text that answers the unanswered line.
    Refusal,
}

/// A frame that the receiver sends.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The type word.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its payload: a word or an error text.
    pub payload: Payload,
    /// The session, as in [`Message`].
    pub session: Option<String>,
    /// Whose uid it carries; 0 if left out.
    pub of: Option<String>,
}

impl Vector {
    /// `malformed/<theme>/<name>`: the id of its scenario.
    #[must_use]
    pub fn id(&self) -> String {
        format!("malformed/{}/{}", self.theme, self.name)
    }
}
