//! A scenario as the parser sees it: front matter, and for each expansion the tree of lines.

use std::collections::BTreeMap;

use mpchat_model::{Level, RuleId};

/// One scenario file.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// `<area>/<behaviour>`, from the path below the scenarios folder.
    pub id: String,
    /// The path as the user knows it, for messages.
    pub path: String,
    /// The whole file.
    pub source: String,
    /// The front matter.
    pub front: Front,
    /// One entry an expansion of `cases` and `each`; at least one.
    pub expansions: Vec<Expansion>,
}

/// One expansion of a scenario: the diagram with all variables filled in.
#[derive(Clone, Debug)]
pub struct Expansion {
    /// `msg/redelivery`, `mtp/header[uid moment=with]`.
    pub id: String,
    /// The expanded diagram, from `sequenceDiagram` on, as Mermaid would get it.
    pub diagram: String,
    /// Its lines.
    pub body: Vec<Item>,
}

/// The front matter.
#[derive(Clone, Debug, Default)]
pub struct Front {
    /// One line for people.
    pub title: String,
    /// The rules that the scenario is about.
    pub covers: Vec<RuleId>,
    /// Why the scenario exists.
    pub why: String,
    /// Names with a meaning of their own.
    pub cast: BTreeMap<String, Cast>,
    /// Sessions that exist before the first line: name and roster in order, in the order of the file.
    pub sessions: Vec<(String, Vec<String>)>,
    /// The state of users before the first line, where it is not "online".
    pub starts: BTreeMap<String, Start>,
    /// Narrows the clients that the scenario may be run for; with none given, a server runs it too.
    pub clients: Option<Vec<String>>,
    /// What the target must be able to do.
    pub needs: Vec<Need>,
    /// The level of what a failure breaks, where it is not that of the rules.
    pub level: Option<Level>,
    /// Free words for filters.
    pub tags: Vec<String>,
}

/// What a name of the cast stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cast {
    /// `connection of alice`: a further connection of that user.
    ConnectionOf(String),
    /// `connection of nobody`: a connection that does not log in by itself.
    ConnectionOfNobody,
    /// `same as client_n`: another spelling of that name.
    SameAs(String),
    /// `121 users`: as many users, one lifeline.
    Users(usize),
    /// `unknown user`: a uid that is not in the directory.
    UnknownUser,
}

/// The state of a user before the first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Not logged in (sessions with it were made while it was).
    Offline,
    /// Login steps 1 and 2 are done, 3 and 4 are not.
    HalfLoggedIn,
}

/// What a target must be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// To be restarted with its state kept.
    Restart,
    /// The target serves nobody else meanwhile, if instances of it can be started.
    Alone,
}

/// A line of the diagram: where it stands and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// 1-based line of the file.
    pub number: usize,
    /// The line of the expanded diagram without indentation and trailing rules.
    pub text: String,
    /// The rules at its end: what it proves.
    pub rules: Vec<RuleId>,
}

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// `A->>B: …` or `A-xB: …`.
    Frame(Frame),
    /// `A--xB: closes`.
    Ending(Ending),
    /// `Note over A: …`.
    Note(Note),
    /// Branches in any interleaving.
    Par(Vec<Branch>),
    /// Each branch conforms.
    Alt(Vec<Branch>),
    /// May happen.
    Opt(Branch),
    /// Repeated.
    Loop(Loop),
}

/// A branch of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// The label after `alt`, `else`, `opt`; of a counted `par`, at its first branch, the count. Empty if there is none.
    pub label: String,
    /// Its lines.
    pub items: Vec<Item>,
}

/// `loop …`. Counted loops stay loops; `$n` in them is a variable of the loop, filled in by
/// [`Loop::rounds`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loop {
    /// `loop 3 times` and `loop n from 1 to 20`: one entry a round, variables filled in.
    Rounds {
        /// The `loop …` line.
        line: Line,
        /// The lines of each round.
        rounds: Vec<Vec<Item>>,
    },
    /// `loop until server to alice reaches sqn 65535`.
    Until {
        /// The `loop …` line.
        line: Line,
        /// Who sends.
        from: String,
        /// Who receives.
        to: String,
        /// The number at which the loop ends.
        sqn: u16,
        /// Its lines.
        body: Vec<Item>,
    },
}

/// A frame line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The line.
    pub line: Line,
    /// The sender.
    pub from: String,
    /// The receiver. Exactly one of the two is `server`.
    pub to: String,
    /// Whether the arrow is `-x`: a frame that a conforming party would not send there.
    pub faulty: bool,
    /// What is sent.
    pub what: What,
    /// `as NAME`: the name under which its bytes are kept.
    pub keep_as: Option<String>,
}

/// What a frame line sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A frame made by the protocol's rules, then changed.
    Message(Message),
    /// `bytes of hello`: the bytes of an earlier frame again.
    BytesOf(String),
    /// `bytes 0x…`.
    Bytes(Vec<u8>),
}

/// A frame in the protocol's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The type word.
    pub kind: Kind,
    /// The payload, where one is written.
    pub payload: Option<Payload>,
    /// `in …`.
    pub session: Option<SessionRef>,
    /// `of NAME`; `server` stands for uid 0.
    pub of: Option<String>,
    /// `to "…"`: which text an answer is about.
    pub about: Option<String>,
    /// Changes, in the order of the line.
    pub faults: Vec<Fault>,
    /// How the bytes are written.
    pub delivery: Vec<Delivery>,
}

/// The type words. `login_req` and `login_res` are the status frames of login steps 1 and 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the specification's")]
pub enum Kind {
    InitReq,
    InitRes,
    CloseReq,
    CloseRes,
    MsgReq,
    MsgRes,
    InviteReq,
    InviteRes,
    StatusReq,
    StatusRes,
    LoginReq,
    LoginRes,
}

impl Kind {
    /// The word in a diagram.
    pub fn word(self) -> &'static str {
        match self {
            Self::InitReq => "init_req",
            Self::InitRes => "init_res",
            Self::CloseReq => "close_req",
            Self::CloseRes => "close_res",
            Self::MsgReq => "msg_req",
            Self::MsgRes => "msg_res",
            Self::InviteReq => "invite_req",
            Self::InviteRes => "invite_res",
            Self::StatusReq => "status_req",
            Self::StatusRes => "status_res",
            Self::LoginReq => "login_req",
            Self::LoginRes => "login_res",
        }
    }

    /// The code in the header.
    pub fn code(self) -> u16 {
        match self {
            Self::InitReq => 0x0000,
            Self::InitRes => 0x0010,
            Self::CloseReq => 0x0100,
            Self::CloseRes => 0x0110,
            Self::MsgReq => 0x0200,
            Self::MsgRes => 0x0210,
            Self::InviteReq => 0x0300,
            Self::InviteRes => 0x0310,
            Self::StatusReq | Self::LoginReq => 0x0400,
            Self::StatusRes | Self::LoginRes => 0x0410,
        }
    }
}

/// A payload as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// `nobody`: an init_req without names.
    Nobody,
    /// The invited.
    Names(Vec<String>),
    /// `OK`, `Accept`, `Deny`, `Online`, `Offline`.
    Word(String),
    /// `error`: an error text.
    Error,
    /// A text, sealed for each other participant.
    Text(String),
    /// `lines "a" "b"`: opaque lines (repeated `times`).
    Lines(Vec<String>),
}

/// What `in` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionRef {
    /// A session of the scenario.
    Named(String),
    /// sid 0.
    None,
    /// A sid that was never given out.
    Unknown,
    /// This sid.
    Sid(u64),
}

/// How the bytes of a frame are written by the harness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// In two writes, the first of so many bytes.
    SplitAt(usize),
    /// One byte a write.
    ByteByByte,
    /// In the same write as the sender's next line.
    Joined,
    /// So many bytes at once, the rest in the same write as the sender's next line.
    HeldAt(usize),
}

/// A change to a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `with FIELD VALUE`: before sealing, so that only the check of the field can refuse it.
    With(Field, Value),
    /// `after sealing FIELD VALUE`.
    After(Field, Value),
    /// `after sealing flip FIELD N|last`: all bits of that byte (None is the last).
    Flip(Field, Option<usize>),
    /// `sealed in NAME`: envelopes with that session in their aad.
    SealedIn(String),
    /// `sealed by NAME`: with that author.
    SealedBy(String),
    /// `sealed for NAME`: with that recipient's key and uid.
    SealedFor(String),
    /// `sealed to NAME`: with that recipient's uid, and the key of who gets it.
    SealedTo(String),
    /// `sealed anew`: the same text once more, in an envelope of its own.
    SealedAnew,
    /// `sealed with WAY`: the cek is carried in another way, of [`crate::ENVELOPE_WAYS`].
    SealedWith(String),
    /// `only N bytes`: the rest is never sent.
    Only(usize),
}

/// A part of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// A value for a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A decimal number.
    Number(u64),
    /// `0x…`.
    Hex(Vec<u8>),
    /// A JSON string, decoded. `{bob}` in it is bob's uid text, `{BOB}` the same in capitals, `{bob:15}` its last 15 digits.
    Text(String),
    /// A user, a session, `server`, `none`, `unknown`.
    Name(String),
    /// A type word.
    Kind(Kind),
    /// `last`, `last-1`: the last accepted number, less so much.
    Last(u64),
    /// `next+1`: the number that is due, plus so much.
    Next(u64),
    /// `flipped-0`: what the field would be right as, with all bits of that byte changed, before sealing.
    Flipped(usize),
    /// `random`, `short`, `long`, `long-head`, `other-key`, `sha1`, `pkcs1`, `login`, `s2c`, `zero`: ways to make a key, an etk, an epd
    /// or a mac.
    Way(String),
}

/// The end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The line.
    pub line: Line,
    /// Who ends it.
    pub from: String,
    /// The other end.
    pub to: String,
    /// How.
    pub how: EndingKind,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndingKind {
    /// FIN, then reading to the end.
    Closes,
    /// FIN only: it still reads.
    HalfCloses,
    /// RST.
    Resets,
}

/// A note: an act or a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The line.
    pub line: Line,
    /// Whom it is over (`server` or a user).
    pub over: String,
    /// What it says.
    pub what: NoteKind,
}

/// The vocabulary of notes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoteKind {
    /// `logs in`.
    LogsIn,
    /// `connects`: nothing is sent yet.
    Connects,
    /// `restarts`.
    Restarts,
    /// `stops reading`.
    StopsReading,
    /// `reads again`.
    ReadsAgain,
    /// `the invite timeout passes`, `half the …`.
    TimeoutPasses {
        /// Which.
        timer: Timer,
        /// Only half of it.
        half: bool,
    },
    /// `claims roster alice carol [in NAME]`.
    ClaimsRoster {
        /// The roster.
        roster: Vec<String>,
        /// Of which session.
        session: Option<String>,
    },
    /// `closes when asked for the roster [in NAME]`.
    ClosesWhenAsked {
        /// Which session.
        session: Option<String>,
    },
    /// `hears nothing`.
    HearsNothing,
    /// `is still served`.
    StillServed,
    /// `stays away`, `stays away for good`.
    StaysAway {
        /// Whether it is watched for longer.
        for_good: bool,
    },
    /// `shows nothing`.
    ShowsNothing,
    /// `shows "…"`.
    Shows(String),
    /// `refuses to accept [in NAME]`, `refuses to close [in NAME]`.
    Refuses {
        /// What.
        what: Refused,
        /// In which session.
        session: Option<String>,
    },
    /// `refuses to send "…" [times N] [in NAME]`.
    RefusesToSend {
        /// The text.
        text: String,
        /// Into which session.
        session: Option<String>,
    },
}

/// What a client refuses to do for its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// To answer an invitation.
    Accept,
    /// To close a session.
    Close,
}

/// The timers of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the specification's")]
pub enum Timer {
    Invite,
    Answer,
    Login,
    Status,
}
