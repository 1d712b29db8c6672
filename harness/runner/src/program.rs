//! A scenario for one role: the diagram's lines as acts of the harness, expectations of the subject, and checks.
//!
//! Crowds are unfolded to one line a user, choices of the harness are already made, aliases are resolved.

use std::collections::BTreeMap;
use std::sync::Arc;

use mpchat_script::ast::{
    Branch, Cast, Ending, Frame, Front, Item, Kind, Line, Loop, Message, Note, NoteKind, Payload, SessionRef, What,
};

use crate::play::DEFAULT_SESSION;

/// A step of a thread.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Something that the harness does or checks: everything before it in its thread has been seen.
    Act(Arc<Leaf>),
    /// Something that the subject does.
    Expect(Arc<Leaf>),
    /// Branches in any interleaving.
    Par(Vec<Vec<Step>>),
    /// One of the branches, as the subject chooses.
    Alt(Vec<Vec<Step>>),
    /// The subject may do this.
    Opt(Vec<Step>),
    /// Repeated until a number is reached.
    Until(Arc<Until>),
}

/// A loop that ends at a sequence number.
#[derive(Debug)]
pub(crate) struct Until {
    /// The lifeline whose connection is meant.
    pub(crate) conn: String,
    /// Whether the numbers of the server's frames count, or those of the user's.
    pub(crate) from_server: bool,
    pub(crate) sqn: u16,
    pub(crate) body: Vec<Step>,
}

/// A line.
#[derive(Debug)]
pub(crate) struct Leaf {
    pub(crate) line: Line,
    /// The lifeline (one of a crowd: `crowd#7`) whose connection the line is on.
    pub(crate) conn: String,
    pub(crate) what: LeafKind,
    /// Where the line stands in the transcript.
    pub(crate) slot: usize,
}

#[derive(Debug)]
pub(crate) enum LeafKind {
    Frame(Frame),
    Ending(Ending),
    Note(Note),
}

impl Leaf {
    /// Whether the line is a check, which takes part in no burst.
    pub(crate) fn is_note(&self) -> bool {
        matches!(self.what, LeafKind::Note(_))
    }
}

/// The shape of the transcript: which slots stand where.
#[derive(Clone, Debug)]
pub(crate) enum Outline {
    Slot(usize),
    Par(Vec<Vec<Outline>>),
    /// Only filled slots show.
    Choice(Vec<Vec<Outline>>),
    /// Shows as such where anything of it was seen: another run of the same target may do without (`snapshot::differs`).
    Opt(Vec<Outline>),
    Until(String, Vec<Outline>),
}

/// A compiled diagram.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) steps: Vec<Step>,
    pub(crate) outline: Vec<Outline>,
    pub(crate) slots: usize,
    /// Every lifeline, in order of appearance, crowds unfolded.
    pub(crate) lifelines: Vec<Lifeline>,
}

impl Program {
    /// How many times the target's patience is tried at most, setting up and leaving included.
    pub(crate) fn length(&self) -> usize {
        // A user logs in (two answers and a fence), is invited, and leaves.
        length(&self.steps) + 5 * self.lifelines.len()
    }
}

fn length(steps: &[Step]) -> usize {
    let of = |step: &Step| match step {
        Step::Act(_) | Step::Expect(_) => 1,
        Step::Par(branches) | Step::Alt(branches) => branches.iter().map(|branch| length(branch)).sum(),
        Step::Opt(branch) => length(branch),
        // The frames of a loop travel in bursts.
        Step::Until(until) => length(&until.body),
    };
    steps.iter().map(of).sum()
}

/// Whose connection a lifeline is, and how it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lifeline {
    pub(crate) name: String,
    /// The user; for `connection of nobody` a user of its own.
    pub(crate) user: String,
    /// Whether the harness logs it in before line 1.
    pub(crate) logs_in: bool,
    /// Whether it is a further connection, which never logs in by itself.
    pub(crate) further: bool,
}

/// The name of the nth user of a crowd.
pub(crate) fn member(crowd: &str, n: usize) -> String {
    format!("{crowd}#{n}")
}

/// Compiles for the server as subject.
pub(crate) fn compile(front: &Front, body: &[Item]) -> Program {
    let mut compiler = Compiler { front, slots: 0, first: BTreeMap::new(), order: Vec::new() };
    let mut outline = Vec::new();
    let steps = compiler.items(body, &mut outline);
    let lifelines = compiler.lifelines();
    Program { steps, outline, slots: compiler.slots, lifelines }
}

struct Compiler<'a> {
    front: &'a Front,
    slots: usize,
    /// What each lifeline's first line makes of its login.
    first: BTreeMap<String, bool>,
    order: Vec<String>,
}

impl Compiler<'_> {
    fn items(&mut self, items: &[Item], outline: &mut Vec<Outline>) -> Vec<Step> {
        let mut steps = Vec::new();
        let items = &answers_named(items);
        for item in items {
            self.item(item, &mut steps, outline);
        }
        steps
    }

    fn item(&mut self, item: &Item, steps: &mut Vec<Step>, outline: &mut Vec<Outline>) {
        match item {
            Item::Frame(frame) => {
                let subject_sends = frame.from == "server";
                let conn = if subject_sends { &frame.to } else { &frame.from };
                let writes_login = matches!(&frame.what, What::Message(m) if m.kind == Kind::LoginReq);
                for frame in self.of_each(frame) {
                    self.leaf(conn, !writes_login, !subject_sends, &frame.line, steps, outline, || {
                        LeafKind::Frame(frame.clone())
                    });
                }
            }
            Item::Ending(ending) => {
                let subject_ends = ending.from == "server";
                let conn = if subject_ends { &ending.to } else { &ending.from };
                self.leaf(conn, true, !subject_ends, &ending.line, steps, outline, || LeafKind::Ending(ending.clone()));
            }
            Item::Note(note) => {
                let logs_in = matches!(note.what, NoteKind::LogsIn | NoteKind::Connects);
                self.leaf(&note.over, !logs_in, true, &note.line, steps, outline, || LeafKind::Note(note.clone()));
            }
            Item::Par(branches) => {
                let (steps_of, outlines) = self.branches(branches);
                steps.push(Step::Par(steps_of));
                outline.push(Outline::Par(outlines));
            }
            Item::Alt(branches) => {
                let (steps_of, outlines) = self.branches(branches);
                steps.push(Step::Alt(steps_of));
                outline.push(Outline::Choice(outlines));
            }
            Item::Opt(branch) => {
                let mut inner = Vec::new();
                let steps_of = self.items(&branch.items, &mut inner);
                steps.push(Step::Opt(steps_of));
                outline.push(Outline::Opt(inner));
            }
            Item::Loop(Loop::Rounds { rounds, .. }) => {
                for round in rounds {
                    steps.extend(self.items(round, outline));
                }
            }
            Item::Loop(Loop::Until { line, from, to, sqn, body }) => {
                let mut inner = Vec::new();
                let body = self.items(body, &mut inner);
                let from_server = from == "server";
                let conn = self.canonical(if from_server { to } else { from });
                outline.push(Outline::Until(line.text.clone(), inner));
                steps.push(Step::Until(Arc::new(Until { conn, from_server, sqn: *sqn, body })));
            }
        }
    }

    fn branches(&mut self, branches: &[Branch]) -> (Vec<Vec<Step>>, Vec<Vec<Outline>>) {
        branches
            .iter()
            .map(|branch| {
                let mut inner = Vec::new();
                let steps = self.items(&branch.items, &mut inner);
                (steps, inner)
            })
            .unzip()
    }

    #[expect(clippy::too_many_arguments, reason = "one call a kind of line")]
    fn leaf(
        &mut self,
        conn: &str,
        logs_in: bool,
        act: bool,
        line: &Line,
        steps: &mut Vec<Step>,
        outline: &mut Vec<Outline>,
        what: impl Fn() -> LeafKind,
    ) {
        let conn = self.canonical(conn);
        let slot = self.slots;
        self.slots += 1;
        outline.push(Outline::Slot(slot));
        if conn != "server" && !self.first.contains_key(&conn) {
            self.first.insert(conn.clone(), logs_in);
            self.order.push(conn.clone());
        }
        for conn in self.unfold(&conn) {
            let leaf = Arc::new(Leaf { line: line.clone(), conn, what: what(), slot });
            steps.push(if act { Step::Act(leaf) } else { Step::Expect(leaf) });
        }
    }

    /// `of crowd` in a line of the server: a line for each of its users, in their order.
    fn of_each(&self, frame: &Frame) -> Vec<Frame> {
        use mpchat_script::ast::What;
        let What::Message(message) = &frame.what else { return vec![frame.clone()] };
        let members = message.of.as_deref().map(|name| self.unfold(name)).unwrap_or_default();
        if frame.from != "server" || members.len() < 2 {
            return vec![frame.clone()];
        }
        let of = |member: String| {
            let mut line = frame.clone();
            line.what = What::Message(Message { of: Some(member), ..message.clone() });
            line
        };
        members.into_iter().map(of).collect()
    }

    fn canonical(&self, name: &str) -> String {
        match self.front.cast.get(name) {
            Some(Cast::SameAs(other)) => other.clone(),
            _ => name.to_owned(),
        }
    }

    fn unfold(&self, name: &str) -> Vec<String> {
        match self.front.cast.get(name) {
            Some(Cast::Users(n)) => (1..=*n).map(|k| member(name, k)).collect(),
            _ => vec![name.to_owned()],
        }
    }

    fn lifelines(&self) -> Vec<Lifeline> {
        let mut lifelines = Vec::new();
        let session_names = self.front.sessions.iter().flat_map(|(_, roster)| roster.iter().cloned());
        let names = self.order.iter().cloned().chain(session_names.filter(|n| !self.first.contains_key(n)));
        for name in names {
            for lifeline in self.unfold(&name) {
                if lifelines.iter().any(|l: &Lifeline| l.name == lifeline) {
                    continue;
                }
                // A further connection of a user would replace the first if it logged in by itself (LOGIN-09).
                let (user, further) = match self.front.cast.get(&name) {
                    Some(Cast::ConnectionOf(user)) => (user.clone(), true),
                    Some(Cast::ConnectionOfNobody) => (lifeline.clone(), true),
                    _ => (lifeline.clone(), false),
                };
                let logs_in = !further
                    && self.first.get(&name).copied().unwrap_or(true)
                    && !self.front.starts.contains_key(&name);
                lifelines.push(Lifeline { name: lifeline, user, logs_in, further });
            }
        }
        lifelines
    }
}

/// Says of each answer to a line in a branch which text it answers: the latest that the branch shows its sender.
fn answers_named(items: &[Item]) -> Vec<Item> {
    use mpchat_script::ast::{Kind, Payload, What};
    let mut latest: BTreeMap<String, String> = BTreeMap::new();
    let mut named = items.to_vec();
    for item in &mut named {
        let Item::Frame(frame) = item else { continue };
        let What::Message(message) = &mut frame.what else { continue };
        match (message.kind, &message.payload) {
            (Kind::MsgReq, Some(Payload::Text(text))) if frame.from == "server" => {
                latest.insert(frame.to.clone(), text.clone());
            }
            (Kind::MsgRes, _) if frame.to == "server" && message.about.is_none() => {
                message.about = latest.get(&frame.from).cloned();
            }
            _ => {}
        }
    }
    named
}

/// Whom the diagram shows as invited, by session name: for an init_req that names nobody.
pub(crate) fn shown_invited(steps: &[Step], front: &Front) -> BTreeMap<String, Vec<String>> {
    let mut shown: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let names: Vec<&String> = front.sessions.iter().map(|(name, _)| name).collect();
    let default = if let [only] = names.as_slice() { (*only).clone() } else { DEFAULT_SESSION.to_owned() };
    walk(steps, &mut |leaf| {
        let LeafKind::Frame(Frame { what: What::Message(message), .. }) = &leaf.what else { return };
        let session = match &message.session {
            Some(SessionRef::Named(name)) => name.clone(),
            _ => default.clone(),
        };
        if message.kind == Kind::InviteReq {
            shown.entry(session).or_default().push(leaf.conn.clone());
        } else if let (Kind::InitReq, Some(Payload::Names(_))) = (message.kind, &message.payload) {
            shown.entry(session).or_default();
        }
    });
    shown
}

fn walk(steps: &[Step], visit: &mut impl FnMut(&Leaf)) {
    for step in steps {
        match step {
            Step::Act(leaf) | Step::Expect(leaf) => visit(leaf),
            Step::Par(branches) | Step::Alt(branches) => branches.iter().for_each(|b| walk(b, visit)),
            Step::Opt(branch) => walk(branch, visit),
            Step::Until(until) => walk(&until.body, visit),
        }
    }
}
