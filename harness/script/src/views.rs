//! Questions about a scenario that several readers ask: its lines, names, sessions, and who decides a branch.

use std::collections::BTreeSet;

use crate::ast::{
    Expansion, Fault, Field, Front, Item, Kind, Loop, Message, NoteKind, Payload, Scenario, SessionRef, Value, What,
};
use crate::statement::in_braces;

/// The session of an init_req that names none.
pub const DEFAULT_SESSION: &str = "session";

/// The names of a scenario, each list in the order of first mention.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Those that a line of its own sends, receives or has a note over; without `server`.
    pub lifelines: Vec<String>,
    /// Those that only lists, authors and faults mention. They do not log in.
    pub listed: Vec<String>,
}

impl Names {
    /// Whether a name is one of either kind.
    pub fn contains(&self, name: &str) -> bool {
        self.lifelines.iter().chain(&self.listed).any(|known| known == name)
    }
}

/// Visits every statement in the order of the file, all rounds and branches included.
pub fn walk<'a>(items: &'a [Item], visit: &mut dyn FnMut(&'a Item)) {
    for item in items {
        match item {
            Item::Frame(_) | Item::Ending(_) | Item::Note(_) => visit(item),
            Item::Par(branches) | Item::Alt(branches) => {
                branches.iter().for_each(|branch| walk(&branch.items, visit));
            }
            Item::Opt(branch) => walk(&branch.items, visit),
            Item::Loop(Loop::Rounds { rounds, .. }) => rounds.iter().for_each(|round| walk(round, visit)),
            Item::Loop(Loop::Until { body, .. }) => walk(body, visit),
        }
    }
}

/// The names of all expansions together.
pub fn names(scenario: &Scenario) -> Names {
    collect(&scenario.front, scenario.expansions.iter().map(|expansion| expansion.body.as_slice()), true)
}

/// The names of one expansion.
pub fn names_of(front: &Front, body: &[Item]) -> Names {
    collect(front, std::iter::once(body), true)
}

/// The names of one expansion that do something, or stand in a roster or an init_req.
pub(crate) fn doing(front: &Front, body: &[Item]) -> BTreeSet<String> {
    let names = collect(front, std::iter::once(body), false);
    names.lifelines.into_iter().chain(names.listed).collect()
}

fn collect<'a>(front: &'a Front, bodies: impl Iterator<Item = &'a [Item]>, pointed: bool) -> Names {
    let mut lifelines = Ordered::default();
    let mut mentioned = Ordered::default();
    front.sessions.iter().flat_map(|(_, roster)| roster).for_each(|name| mentioned.add(name));
    for body in bodies {
        walk(body, &mut |item| match item {
            Item::Frame(frame) => {
                lifelines.add(&frame.from);
                lifelines.add(&frame.to);
                if let What::Message(message) = &frame.what {
                    listed(message).iter().for_each(|name| mentioned.add(name));
                    if pointed {
                        pointed_at(message).iter().for_each(|name| mentioned.add(name));
                    }
                }
            }
            Item::Ending(ending) => {
                lifelines.add(&ending.from);
                lifelines.add(&ending.to);
            }
            Item::Note(note) => {
                lifelines.add(&note.over);
                if let NoteKind::ClaimsRoster { roster, .. } = &note.what {
                    roster.iter().for_each(|name| mentioned.add(name));
                }
            }
            Item::Par(_) | Item::Alt(_) | Item::Opt(_) | Item::Loop(_) => {}
        });
    }
    let mut listed = mentioned.list;
    listed.retain(|name| !lifelines.seen.contains(name.as_str()));
    Names { lifelines: lifelines.list, listed }
}

/// The names in the list of an init_req.
fn listed(message: &Message) -> &[String] {
    match &message.payload {
        Some(Payload::Names(names)) => names,
        _ => &[],
    }
}

/// The names at which a message points: `of`, `with uid`, `sealed by`, `sealed for`, `{bob}`.
pub(crate) fn pointed_at(message: &Message) -> Vec<String> {
    let mut names: Vec<String> = message.of.iter().cloned().collect();
    for fault in &message.faults {
        match fault {
            Fault::With(Field::Uid, Value::Name(name)) | Fault::After(Field::Uid, Value::Name(name)) => {
                names.push(name.clone());
            }
            Fault::SealedBy(name) | Fault::SealedFor(name) | Fault::SealedTo(name) => names.push(name.clone()),
            Fault::With(Field::Payload, Value::Text(text)) => {
                names.extend(in_braces(text).into_iter().map(|(name, _)| name));
            }
            _ => {}
        }
    }
    names.retain(|name| name != "server");
    names
}

/// The sessions of all expansions together: those of the front matter, then those that init_reqs make.
pub fn sessions(scenario: &Scenario) -> Vec<String> {
    let mut all = Ordered::default();
    for expansion in &scenario.expansions {
        sessions_of(&scenario.front, &expansion.body).iter().for_each(|name| all.add(name));
    }
    all.list
}

/// The sessions of one expansion. An init_req without `in` makes [`DEFAULT_SESSION`].
pub fn sessions_of(front: &Front, body: &[Item]) -> Vec<String> {
    let mut all = Ordered::default();
    front.sessions.iter().for_each(|(name, _)| all.add(name));
    walk(body, &mut |item| {
        let Item::Frame(frame) = item else { return };
        let What::Message(message) = &frame.what else { return };
        if message.kind == Kind::InitReq {
            match &message.session {
                Some(SessionRef::Named(name)) => all.add(name),
                Some(_) => {}
                None => all.add(DEFAULT_SESSION),
            }
        }
    });
    all.list
}

/// The statements with which `items` can begin: several where a `par` or `alt` comes first, or an `opt` that may be
/// passed over.
pub fn first_lines(items: &[Item]) -> Vec<&Item> {
    let mut first = Vec::new();
    for item in items {
        match item {
            Item::Frame(_) | Item::Ending(_) | Item::Note(_) => first.push(item),
            Item::Par(branches) | Item::Alt(branches) => {
                first.extend(branches.iter().flat_map(|branch| first_lines(&branch.items)));
            }
            Item::Opt(branch) => {
                first.extend(first_lines(&branch.items));
                continue;
            }
            Item::Loop(Loop::Rounds { rounds, .. }) => {
                first.extend(rounds.first().into_iter().flat_map(|round| first_lines(round)));
            }
            // Its end may have been reached before its first round.
            Item::Loop(Loop::Until { body, .. }) => {
                first.extend(first_lines(body));
                continue;
            }
        }
        break;
    }
    first
}

impl Expansion {
    /// Its statements in the order of the file, all rounds and branches included.
    pub fn statements(&self) -> Vec<&Item> {
        let mut all = Vec::new();
        walk(&self.body, &mut |item| all.push(item));
        all
    }
}

/// Names in the order of first mention, without `server`.
#[derive(Default)]
struct Ordered {
    list: Vec<String>,
    seen: BTreeSet<String>,
}

impl Ordered {
    fn add(&mut self, name: &str) {
        if name != "server" && self.seen.insert(name.to_owned()) {
            self.list.push(name.to_owned());
        }
    }
}
