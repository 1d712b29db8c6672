//! From scenarios to cases: expansions, and what each case needs.

use std::collections::BTreeSet;
use std::sync::Arc;

use mpchat_model::{Ledger, RuleId};
use mpchat_script::ast::{
    Branch, Cast, Fault, Field, Frame, Item, Loop, Need, Note, NoteKind, Payload, Scenario, Timer, Value, What,
};
use mpchat_script::in_braces;

use crate::choices;
use crate::client::roles;
use crate::client::script::{self, Script};
use crate::program::{self, Lifeline, Program};

/// One case for a server or a client under test.
#[derive(Debug)]
pub struct PlannedCase {
    /// `<area>/<behaviour>` or `<area>/<behaviour>[case]`; for a client `…@role`.
    pub id: String,
    /// The scenario.
    pub scenario: Arc<Scenario>,
    /// The timers that it lets pass; it then runs beside the others.
    pub timers: Vec<Timer>,
    /// It restarts the target.
    pub restarts: bool,
    /// Nobody else may speak to the target meanwhile.
    pub(crate) alone: bool,
    /// It uses up sequence numbers: some ten thousand frames.
    pub exhausts: bool,
    /// The users that it needs, in the order in which they get their identities.
    pub users: Vec<String>,
    /// Whose uid should begin with 00, by the place in `users`: a part of it is written, which a careless server fills up.
    pub(crate) led_by_zero: Option<usize>,
    /// The user whom the client under test plays; none where a server is tested.
    pub role: Option<String>,
    /// The rules that the case is about and that bind its subject.
    covers: Vec<RuleId>,
    pub(crate) body: Body,
}

/// What is played.
#[derive(Debug)]
pub(crate) enum Body {
    /// Against a server.
    Server(Program),
    /// Against a client.
    Client(Script),
}

impl Body {
    /// How many times the target's patience is tried at most.
    pub(crate) fn length(&self) -> usize {
        match self {
            Self::Server(program) => program.length(),
            Self::Client(script) => script.length(),
        }
    }
}

impl PlannedCase {
    /// Whether it has an instance of the target to itself, where instances can be started.
    pub(crate) fn has_own_instance(&self) -> bool {
        self.restarts || self.alone
    }

    /// One line for people.
    pub fn title(&self) -> &str {
        &self.scenario.front.title
    }

    /// What is played and what is expected, line by line, where a client is tested.
    pub fn in_words(&self) -> Option<String> {
        match &self.body {
            Body::Client(script) => Some(crate::client::explain::in_words(script)),
            Body::Server(_) => None,
        }
    }

    /// The rules that the case is about, and that bind its subject.
    pub fn covers(&self) -> &[RuleId] {
        &self.covers
    }
}

/// The cases of scenarios for a server as subject, in order.
pub fn plan(scenarios: &[Arc<Scenario>], ledger: &Ledger) -> Vec<PlannedCase> {
    scenarios.iter().filter(|s| runs_for_server(s, ledger)).flat_map(cases).collect()
}

/// The cases of scenarios for a client as subject, in order: each user that a client can play in them. What shows a client
/// nothing but what an earlier case does is left out.
pub fn plan_for_clients(scenarios: &[Arc<Scenario>], ledger: &Ledger, role: Option<&str>) -> Vec<PlannedCase> {
    let mut seen = BTreeSet::new();
    let mut planned = Vec::new();
    for scenario in scenarios {
        for user in roles::candidates(scenario) {
            if role.is_none_or(|role| role == user) {
                planned.extend(client_cases(scenario, ledger, &user, &mut seen));
            }
        }
    }
    planned
}

fn client_cases(
    scenario: &Arc<Scenario>,
    ledger: &Ledger,
    role: &str,
    seen: &mut BTreeSet<String>,
) -> Vec<PlannedCase> {
    let mut planned = Vec::new();
    let front = &scenario.front;
    for expansion in &scenario.expansions {
        for (choice, body) in choices::made(&expansion.body, &|branch| harness_decides_for(front, role, branch)) {
            let script = script::project(front, &body, role);
            let covers = client_rules(front, &script, ledger);
            let unfit = roles::fits(front, &script).is_err();
            if unfit || covers.is_empty() || !seen.insert(signature(front, &script, &covers)) {
                continue;
            }
            let mut facts = Facts::default();
            facts.items(&body);
            // Those of a server's numbers tell nothing of a client, and take long.
            if facts.exhausts && front.clients.is_none() {
                continue;
            }
            let lifelines = program::compile(front, &body).lifelines;
            let waits = facts.timers.contains(&Timer::Login);
            planned.push(PlannedCase {
                id: format!("{}@{role}", with_choice(&expansion.id, &choice)),
                users: users(scenario, &lifelines, &facts),
                led_by_zero: None,
                covers,
                role: Some(role.to_owned()),
                scenario: Arc::clone(scenario),
                timers: if waits { vec![Timer::Login] } else { Vec::new() },
                exhausts: facts.exhausts,
                restarts: false,
                alone: false,
                body: Body::Client(script),
            });
        }
    }
    planned
}

/// Against a client the harness decides all but what the client does by itself.
fn harness_decides_for(front: &mpchat_script::ast::Front, role: &str, branch: Option<&Branch>) -> bool {
    match branch.and_then(|b| b.items.first()) {
        Some(Item::Frame(frame)) => script::canonical(front, &frame.from) != role || script::is_driven(frame),
        Some(Item::Ending(ending)) => script::canonical(front, &ending.from) != role,
        Some(_) => true,
        None => false,
    }
}

/// The rules of a client that a case proves: of those that it covers or its lines name, and of those that every such frame
/// stands for.
fn client_rules(front: &mpchat_script::ast::Front, script: &Script, ledger: &Ledger) -> Vec<RuleId> {
    let mut rules: Vec<RuleId> = front.covers.clone();
    script::walk(&script.steps, &mut |step, leaf| {
        if !matches!(step, script::Step::Elsewhere(_)) {
            rules.extend(leaf.line.rules.iter().cloned());
        }
        let stands_for: &[&str] = match (step, &leaf.what) {
            (script::Step::Drive(_) | script::Step::Await(_), program::LeafKind::Frame(frame)) => match &frame.what {
                What::Message(message) => script::stands_for(message.kind),
                _ => &[],
            },
            _ => &[],
        };
        rules.extend(crate::stop::rules(stands_for));
    });
    let mut once = BTreeSet::new();
    rules.retain(|id| ledger.rule(id).is_some_and(|rule| rule.role.binds_client()) && once.insert(id.clone()));
    rules
}

/// What a client sees of a case: two with the same text are one.
fn signature(front: &mpchat_script::ast::Front, script: &Script, covers: &[RuleId]) -> String {
    let rules: Vec<&str> = covers.iter().map(RuleId::as_str).collect();
    let mut text = format!("{} {:?} {:?} {}\n", script.role, front.sessions, front.starts, rules.join(" "));
    script::walk(&script.steps, &mut |_, leaf| {
        text.push_str(&leaf.line.text);
        text.push('\n');
    });
    text
}

fn runs_for_server(scenario: &Scenario, ledger: &Ledger) -> bool {
    let binds = |id: &RuleId| ledger.rule(id).is_some_and(|rule| rule.role.binds_server());
    scenario.front.clients.is_none()
        && scenario.front.covers.iter().any(binds)
        && scenario.expansions.iter().all(|e| !misbehaving(&e.body))
}

/// Whether the server would have to misbehave, or the lines are about a client as subject.
fn misbehaving(items: &[Item]) -> bool {
    items.iter().any(|item| match item {
        Item::Frame(frame) => frame.from == "server" && frame.faulty,
        Item::Ending(_) => false,
        Item::Note(note) => matches!(
            note.what,
            NoteKind::ClaimsRoster { .. }
                | NoteKind::ClosesWhenAsked { .. }
                | NoteKind::StaysAway { .. }
                | NoteKind::ShowsNothing
                | NoteKind::Shows(_)
                | NoteKind::Refuses { .. }
                | NoteKind::RefusesToSend { .. }
        ),
        Item::Par(branches) | Item::Alt(branches) => branches.iter().any(|b| misbehaving(&b.items)),
        Item::Opt(branch) => misbehaving(&branch.items),
        Item::Loop(Loop::Rounds { rounds, .. }) => rounds.iter().any(|r| misbehaving(r)),
        Item::Loop(Loop::Until { body, .. }) => misbehaving(body),
    })
}

fn cases(scenario: &Arc<Scenario>) -> Vec<PlannedCase> {
    let mut planned = Vec::new();
    for expansion in &scenario.expansions {
        for (choice, body) in choices::made(&expansion.body, &harness_is_the_users) {
            let id = with_choice(&expansion.id, &choice);
            let program = program::compile(&scenario.front, &body);
            let mut facts = Facts::default();
            facts.items(&body);
            let users = users(scenario, &program.lifelines, &facts);
            planned.push(PlannedCase {
                id,
                led_by_zero: users.iter().position(|user| facts.cut.contains(user)),
                users,
                covers: scenario.front.covers.clone(),
                role: None,
                scenario: Arc::clone(scenario),
                timers: facts.timers.into_iter().collect(),
                exhausts: facts.exhausts,
                restarts: facts.restarts || scenario.front.needs.contains(&Need::Restart),
                alone: scenario.front.needs.contains(&Need::Alone),
                body: Body::Server(program),
            });
        }
    }
    planned
}

/// `a/b` and `choice` make `a/b[choice]`; `a/b[c]` makes `a/b[c choice]`.
fn with_choice(id: &str, choice: &[String]) -> String {
    if choice.is_empty() {
        return id.to_owned();
    }
    let choice = choice.join(" ");
    match id.strip_suffix(']') {
        Some(open) => format!("{open} {choice}]"),
        None => format!("{id}[{choice}]"),
    }
}

/// Against a server the harness decides what users do.
fn harness_is_the_users(branch: Option<&Branch>) -> bool {
    match branch.and_then(|b| b.items.first()) {
        Some(Item::Frame(frame)) => frame.from != "server",
        Some(Item::Ending(ending)) => ending.from != "server",
        Some(Item::Note(_)) => true,
        _ => false,
    }
}

/// What the lines of a case tell of its needs.
#[derive(Default)]
struct Facts {
    timers: BTreeSet<Timer>,
    restarts: bool,
    exhausts: bool,
    named: Vec<String>,
    /// Users of whose uid text a part is written.
    cut: Vec<String>,
}

impl Facts {
    fn items(&mut self, items: &[Item]) {
        for item in items {
            match item {
                Item::Frame(frame) => self.frame(frame),
                Item::Ending(_) => {}
                Item::Note(note) => self.note(note),
                Item::Par(branches) | Item::Alt(branches) => branches.iter().for_each(|b| self.items(&b.items)),
                Item::Opt(branch) => self.items(&branch.items),
                Item::Loop(Loop::Rounds { rounds, .. }) => rounds.iter().for_each(|r| self.items(r)),
                Item::Loop(Loop::Until { body, .. }) => {
                    self.exhausts = true;
                    self.items(body);
                }
            }
        }
    }

    fn note(&mut self, note: &Note) {
        match &note.what {
            NoteKind::TimeoutPasses { timer, .. } => {
                self.timers.insert(*timer);
            }
            NoteKind::Restarts => self.restarts = true,
            NoteKind::ClaimsRoster { roster, .. } => self.named.extend(roster.iter().cloned()),
            _ => {}
        }
    }

    fn frame(&mut self, frame: &Frame) {
        let What::Message(message) = &frame.what else { return };
        if let Some(Payload::Names(names)) = &message.payload {
            self.named.extend(names.iter().cloned());
        }
        self.named.extend(message.of.iter().cloned());
        for fault in &message.faults {
            match fault {
                Fault::SealedBy(name) | Fault::SealedFor(name) | Fault::SealedTo(name) => self.named.push(name.clone()),
                Fault::With(field, value) | Fault::After(field, value) => match value {
                    Value::Name(name) if *field == Field::Uid => self.named.push(name.clone()),
                    Value::Text(text) => {
                        for (name, digits) in in_braces(text) {
                            self.cut.extend(digits.map(|_| name.clone()));
                            self.named.push(name);
                        }
                    }
                    Value::Way(way) if way == "other-key" => self.named.push("somebody".to_owned()),
                    _ => {}
                },
                _ => {}
            }
        }
    }
}

/// Every user of a case, lifelines first, the watcher last.
fn users(scenario: &Scenario, lifelines: &[Lifeline], facts: &Facts) -> Vec<String> {
    let front = &scenario.front;
    let mut users: Vec<String> = Vec::new();
    let mut add = |name: String| {
        if name != "server" && !users.contains(&name) {
            users.push(name);
        }
    };
    for lifeline in lifelines {
        add(lifeline.user.clone());
    }
    let rosters = front.sessions.iter().flat_map(|(_, roster)| roster);
    for name in rosters.chain(&facts.named) {
        match front.cast.get(name) {
            Some(Cast::Users(n)) => (1..=*n).for_each(|k| add(program::member(name, k))),
            Some(Cast::ConnectionOf(user) | Cast::SameAs(user)) => add(user.clone()),
            Some(Cast::ConnectionOfNobody | Cast::UnknownUser) => {}
            None => add(name.clone()),
        }
    }
    add(crate::play::WATCHER.to_owned());
    users
}
