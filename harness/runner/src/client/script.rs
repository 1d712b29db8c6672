//! A scenario for one user: its lines as the server's frames, what the user has the client do, and what the client does
//! by itself.
//!
//! There is one conversation, so a `par` is played branch by branch: that is one of the interleavings that it allows.

use std::collections::BTreeMap;
use std::sync::Arc;

use mpchat_script::ast::{
    Branch, Cast, EndingKind, Frame, Front, Item, Kind, Line, Loop, NoteKind, Payload, Timer, What,
};

use crate::program::{Leaf, LeafKind};

/// A step of a client's case.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// The server sends a frame to the client, or ends its connection.
    Serve(Arc<Leaf>),
    /// The user has the client do this: a command of the driver, and the frame that carries it out.
    Drive(Arc<Leaf>),
    /// The client does this by itself.
    Await(Arc<Leaf>),
    /// Somebody else does this, elsewhere.
    Elsewhere(Arc<Leaf>),
    /// A note about the client or the server.
    Note(Arc<Leaf>),
    /// One of the branches, as the client chooses.
    Either(Vec<Vec<Step>>),
    /// The client may do this.
    Perhaps(Vec<Step>),
    /// Repeated until a number is reached.
    Until(Arc<Until>),
}

/// A loop that ends at a sequence number of the client's connection.
#[derive(Debug)]
pub(crate) struct Until {
    /// Whether the numbers of the server's frames count, or those of the client's.
    pub(crate) from_server: bool,
    pub(crate) sqn: u16,
    pub(crate) body: Vec<Step>,
}

/// A diagram for one client.
#[derive(Debug)]
pub(crate) struct Script {
    /// The user whom the client under test plays.
    pub(crate) role: String,
    pub(crate) steps: Vec<Step>,
    /// How many lines the transcript can have.
    pub(crate) slots: usize,
    /// Whether the client is logged in before line 1.
    pub(crate) logs_in: bool,
}

impl Script {
    /// How many times the client's patience is tried at most, setting up and leaving included.
    pub(crate) fn length(&self) -> usize {
        self.slots + 10
    }
}

/// Projects a diagram, in which the harness's choices are made, on `role`.
pub(crate) fn project(front: &Front, body: &[Item], role: &str) -> Script {
    let mut projector = Projector { front, role, slots: 0, first: None, last: None, spent: false };
    let steps = projector.items(body);
    let logs_in = projector.first.unwrap_or(true) && !front.starts.contains_key(role);
    Script { role: role.to_owned(), steps, slots: projector.slots, logs_in }
}

/// Whether the user decides on a frame, and not the client by itself.
pub(crate) fn is_driven(frame: &Frame) -> bool {
    let What::Message(message) = &frame.what else { return true };
    match message.kind {
        Kind::MsgRes => false,
        Kind::StatusRes => message.payload == Some(Payload::Word("Offline".to_owned())),
        _ => true,
    }
}

/// Rules that are checked with every frame of a kind.
pub(crate) fn stands_for(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::LoginReq => &["LOGIN-01", "LOGIN-02", "LOGIN-04", "LOGIN-05", "LOGIN-17"],
        Kind::InitReq => &["INIT-01", "PAY-02"],
        Kind::InviteRes => &["INIT-16", "PAY-01"],
        Kind::MsgReq => &["MSG-01", "MSG-02", "MSG-15", "PAY-02"],
        Kind::MsgRes => &["MSG-06", "MSG-14", "PAY-03"],
        Kind::StatusRes => &["STAT-02", "PAY-01"],
        _ => &[],
    }
}

/// Another spelling of a name is the name.
pub(crate) fn canonical<'a>(front: &'a Front, name: &'a str) -> &'a str {
    match front.cast.get(name) {
        Some(Cast::SameAs(other)) => other,
        _ => name,
    }
}

struct Projector<'a> {
    front: &'a Front,
    role: &'a str,
    slots: usize,
    /// Whether the client's first line allows it to be logged in before.
    first: Option<bool>,
    /// What was last on the client's connection: whether it makes the client end it.
    last: Option<bool>,
    /// The client has used its last number: it ends its connection and logs in by itself (MTP-09).
    spent: bool,
}

impl Projector<'_> {
    fn items(&mut self, items: &[Item]) -> Vec<Step> {
        let mut steps = Vec::new();
        items.iter().for_each(|item| self.item(item, &mut steps));
        steps
    }

    fn item(&mut self, item: &Item, steps: &mut Vec<Step>) {
        match item {
            Item::Frame(frame) => {
                let (from, to) = (canonical(self.front, &frame.from), canonical(self.front, &frame.to));
                let leaf = |this: &mut Self| this.leaf(&frame.line, LeafKind::Frame(frame.clone()));
                if from == self.role {
                    self.note_first(!is_login(frame));
                    let anew = self.spent && is_login(frame);
                    let driven = is_driven(frame) && !anew;
                    self.last = Some(is_driven(frame) && !is_request(frame));
                    self.spent &= !anew;
                    let leaf = leaf(self);
                    steps.push(if driven { Step::Drive(leaf) } else { Step::Await(leaf) });
                } else if to == self.role {
                    self.note_first(true);
                    self.last = Some(frame.faulty);
                    steps.push(Step::Serve(leaf(self)));
                } else {
                    steps.push(Step::Elsewhere(leaf(self)));
                }
            }
            Item::Ending(ending) => {
                let leaf = |this: &mut Self| this.leaf(&ending.line, LeafKind::Ending(ending.clone()));
                if canonical(self.front, &ending.from) == self.role {
                    self.note_first(true);
                    // The end answers what the server did, or what the user said; else the user leaves.
                    let caused = self.spent || self.last == Some(true) || ending.how != EndingKind::Closes;
                    self.last = Some(false);
                    let leaf = leaf(self);
                    steps.push(if caused { Step::Await(leaf) } else { Step::Drive(leaf) });
                } else if canonical(self.front, &ending.to) == self.role {
                    self.note_first(true);
                    self.last = Some(true);
                    steps.push(Step::Serve(leaf(self)));
                } else {
                    steps.push(Step::Elsewhere(leaf(self)));
                }
            }
            Item::Note(note) => {
                let over = canonical(self.front, &note.over);
                let leaf = self.leaf(&note.line, LeafKind::Note(note.clone()));
                // LOGIN-16: it is the client that has waited, and ends the connection.
                if matches!(note.what, NoteKind::TimeoutPasses { timer: Timer::Login, .. }) {
                    self.last = Some(true);
                }
                if over == self.role {
                    self.note_first(!matches!(note.what, NoteKind::LogsIn | NoteKind::Connects));
                    steps.push(Step::Note(leaf));
                } else if over == "server" {
                    steps.push(Step::Note(leaf));
                } else {
                    steps.push(Step::Elsewhere(leaf));
                }
            }
            Item::Par(branches) => branches.iter().for_each(|b| steps.extend(self.items(&b.items))),
            Item::Alt(branches) => {
                let before = self.last;
                let branches = branches.iter().map(|branch| self.branch(branch, before)).collect();
                steps.push(Step::Either(branches));
            }
            Item::Opt(branch) => {
                let before = self.last;
                steps.push(Step::Perhaps(self.branch(branch, before)));
            }
            Item::Loop(Loop::Rounds { rounds, .. }) => {
                for round in rounds {
                    steps.extend(self.items(round));
                }
            }
            Item::Loop(Loop::Until { from, to, sqn, body, .. }) => {
                let from_server = from == "server";
                let conn = canonical(self.front, if from_server { to } else { from });
                if conn == self.role {
                    let body = self.items(body);
                    self.spent |= !from_server && *sqn == u16::MAX;
                    steps.push(Step::Until(Arc::new(Until { from_server, sqn: *sqn, body })));
                }
            }
        }
    }

    fn branch(&mut self, branch: &Branch, before: Option<bool>) -> Vec<Step> {
        self.last = before;
        self.items(&branch.items)
    }

    fn leaf(&mut self, line: &Line, what: LeafKind) -> Arc<Leaf> {
        let slot = self.slots;
        self.slots += 1;
        Arc::new(Leaf { line: line.clone(), conn: self.role.to_owned(), what, slot })
    }

    fn note_first(&mut self, logs_in: bool) {
        self.first.get_or_insert(logs_in);
    }
}

fn is_login(frame: &Frame) -> bool {
    matches!(&frame.what, What::Message(message) if message.kind == Kind::LoginReq)
}

fn is_request(frame: &Frame) -> bool {
    let What::Message(message) = &frame.what else { return false };
    message.kind != Kind::StatusRes
}

/// Walks all leaves.
pub(crate) fn walk(steps: &[Step], visit: &mut impl FnMut(&Step, &Leaf)) {
    for step in steps {
        match step {
            Step::Serve(leaf) | Step::Drive(leaf) | Step::Await(leaf) | Step::Elsewhere(leaf) | Step::Note(leaf) => {
                visit(step, leaf);
            }
            Step::Either(branches) => branches.iter().for_each(|branch| walk(branch, visit)),
            Step::Perhaps(branch) => walk(branch, visit),
            Step::Until(until) => walk(&until.body, visit),
        }
    }
}

/// Whom the diagram shows as invited, by session name: for an init_req that names nobody.
pub(crate) fn shown_invited(steps: &[Step], default: &str) -> BTreeMap<String, Vec<String>> {
    use mpchat_script::ast::SessionRef;
    let mut shown: BTreeMap<String, Vec<String>> = BTreeMap::new();
    walk(steps, &mut |_, leaf| {
        let LeafKind::Frame(Frame { what: What::Message(message), to, .. }) = &leaf.what else { return };
        if message.kind == Kind::InviteReq {
            let session = match &message.session {
                Some(SessionRef::Named(name)) => name.clone(),
                _ => default.to_owned(),
            };
            shown.entry(session).or_default().push(to.clone());
        }
    });
    shown
}
