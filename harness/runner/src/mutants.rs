//! The kill matrix: the suite against servers, or clients, that break one rule each.

mod rehearsal;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use mpchat_model::{CaseResult, Event, RuleId, Verdict};
use mpchat_proto::{client, server};
use tokio::sync::mpsc;

use crate::client::{ClientSubject, Embedding as ClientEmbedding};
use crate::plan::PlannedCase;
use crate::run::{RunOptions, Unreachable, run};
use crate::subject::{Embedding, Subject};

pub use rehearsal::{Rehearsal, rehearse};

/// A fault or a habit of either peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quirk {
    /// Of a server.
    Server(server::Quirk),
    /// Of a client.
    Client(client::Quirk),
}

impl Quirk {
    /// All faults of a role, `server` or `client`.
    pub fn faults(client: bool) -> Vec<Self> {
        if client {
            client::Quirk::FAULTS.iter().copied().map(Self::Client).collect()
        } else {
            server::Quirk::FAULTS.iter().copied().map(Self::Server).collect()
        }
    }

    /// All habits of a role.
    pub fn habits(client: bool) -> Vec<Self> {
        if client {
            client::Quirk::HABITS.iter().copied().map(Self::Client).collect()
        } else {
            server::Quirk::HABITS.iter().copied().map(Self::Server).collect()
        }
    }

    /// Its name in commands and reports: `gap-of-one`.
    pub fn id(self) -> String {
        match self {
            Self::Server(quirk) => quirk.id(),
            Self::Client(quirk) => quirk.id(),
        }
    }

    /// The rule that a fault breaks; none for a habit.
    pub fn rule(self) -> Option<&'static str> {
        match self {
            Self::Server(quirk) => quirk.rule(),
            Self::Client(quirk) => quirk.rule(),
        }
    }

    /// What the peer does.
    pub fn text(self) -> &'static str {
        match self {
            Self::Server(quirk) => quirk.text(),
            Self::Client(quirk) => quirk.text(),
        }
    }

    /// `server` or `client`.
    pub fn role(self) -> &'static str {
        match self {
            Self::Server(_) => "server",
            Self::Client(_) => "client",
        }
    }

    /// The peer that has it, in this process.
    fn subject(self) -> Subject {
        match self {
            Self::Server(quirk) => Subject::Embedded(Embedding { quirk: Some(quirk), ..Embedding::default() }),
            Self::Client(quirk) => {
                let embedding = ClientEmbedding { quirk: Some(quirk), ..ClientEmbedding::default() };
                Subject::Client(ClientSubject::Embedded(embedding))
            }
        }
    }
}

/// A peer that breaks one rule, and what the suite said of it.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// Which one.
    pub fault: Quirk,
    /// How many cases it met.
    pub cases: usize,
    /// The cases that failed, in the order of the plan, with the rules that they name, the most specific first.
    pub caught: Vec<Caught>,
    /// The cases that proved nothing, and why.
    pub inconclusive: Vec<(String, String)>,
    /// How many cases were skipped.
    pub skipped: usize,
    /// How long it took.
    pub took: Duration,
}

/// A case that failed.
#[derive(Clone, Debug)]
pub struct Caught {
    /// Its id.
    pub case: String,
    /// The rules that it names, the most specific first.
    pub rules: Vec<RuleId>,
    /// The step, and what came.
    pub how: String,
    /// The last frames.
    pub frames: Vec<String>,
}

impl Mutant {
    /// The cases that name the broken rule first.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        let rule = self.fault.rule().unwrap_or_default();
        let first = move |caught: &&Caught| caught.rules.first().is_some_and(|first| first.as_str() == rule);
        self.caught.iter().filter(first).map(|caught| caught.case.as_str())
    }

    /// Whether a case does.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.named().next().is_some()
    }

    /// One that no case was played against.
    #[must_use]
    pub fn unmet(fault: Quirk) -> Self {
        let (caught, inconclusive) = (Vec::new(), Vec::new());
        Self { fault, cases: 0, caught, inconclusive, skipped: 0, took: Duration::ZERO }
    }

    /// Takes in what further cases said of the same fault.
    pub fn extend(&mut self, further: Self) {
        self.cases += further.cases;
        self.caught.extend(further.caught);
        self.inconclusive.extend(further.inconclusive);
        self.skipped += further.skipped;
        self.took += further.took;
    }
}

/// Whether a case is played against a fault: one that uses up sequence numbers only if it is about the rule.
pub fn meets(case: &PlannedCase, fault: Quirk) -> bool {
    !case.exhausts || case.scenario.front.covers.iter().any(|rule| Some(rule.as_str()) == fault.rule())
}

/// Runs each fault's cases against it, `side_by_side` at a time; each result goes to `done` as soon as it is there.
///
/// Each processor has a runtime of its own: a peer, its cases and their memory stay on one thread, which costs a third less
/// than threads that wake each other for each frame.
///
/// # Errors
/// If an embedded peer cannot be started, or the system gives no thread.
pub fn mutants(
    faults: &[(Quirk, Vec<Arc<PlannedCase>>)],
    options: impl Fn() -> RunOptions + Sync,
    side_by_side: usize,
    mut done: impl FnMut(&Mutant),
) -> Result<Vec<Mutant>, Unreachable> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from).min(side_by_side.max(1));
    let queue = Mutex::new(faults.iter());
    let (finished, all) = std::sync::mpsc::channel();
    let mut mutants = Vec::new();
    std::thread::scope(|scope| {
        for thread in 0..processors {
            // The remainder goes to the first threads.
            let share = side_by_side / processors + usize::from(thread < side_by_side % processors);
            let (queue, options, finished) = (&queue, &options, finished.clone());
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let runtime = match runtime {
                    Ok(runtime) => runtime,
                    Err(error) => return drop(finished.send(Err(Unreachable(error.to_string())))),
                };
                runtime.block_on(join_all((0..share.max(1)).map(|_| async {
                    while let Some((fault, cases)) = next(queue) {
                        let mutant = one(*fault, cases, options()).await;
                        // Nobody listens any more when another fault could not be tried.
                        if finished.send(mutant).is_err() {
                            return;
                        }
                    }
                })));
            });
        }
        drop(finished);
        for mutant in all {
            let mutant = mutant?;
            done(&mutant);
            mutants.push(mutant);
        }
        Ok(())
    })?;
    mutants.sort_by_key(|mutant| mutant.fault);
    Ok(mutants)
}

fn next<T>(queue: &Mutex<impl Iterator<Item = T>>) -> Option<T> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).next()
}

async fn one(fault: Quirk, cases: &[Arc<PlannedCase>], options: RunOptions) -> Result<Mutant, Unreachable> {
    let began = Instant::now();
    let order: HashMap<&str, usize> = cases.iter().enumerate().map(|(n, case)| (case.id.as_str(), n)).collect();
    let mut results = results(fault.subject(), cases, options).await?;
    results.sort_by_key(|result| order.get(result.id.as_str()).copied());
    let of = |verdict| results.iter().filter(move |result| result.verdict == verdict);
    Ok(Mutant {
        fault,
        cases: results.len(),
        caught: of(Verdict::Fail).map(caught).collect(),
        inconclusive: of(Verdict::Inconclusive)
            .map(|result| (result.id.clone(), result.got.clone().unwrap_or_default()))
            .collect(),
        skipped: of(Verdict::Skipped).count(),
        took: began.elapsed(),
    })
}

/// What the cases come to, in the order in which they end.
async fn results(
    subject: Subject,
    cases: &[Arc<PlannedCase>],
    options: RunOptions,
) -> Result<Vec<CaseResult>, Unreachable> {
    let (events, mut heard) = mpsc::unbounded_channel();
    let collect = async {
        let mut results: Vec<CaseResult> = Vec::new();
        while let Some(event) = heard.recv().await {
            if let Event::CaseFinished(result) = event {
                results.push(*result);
            }
        }
        results
    };
    let (ran, results) = tokio::join!(run(subject, cases.iter().cloned(), options, events), collect);
    ran.map(|()| results)
}

fn caught(result: &CaseResult) -> Caught {
    let step = result.step.as_deref().unwrap_or("at no line of the diagram");
    let got = result.got.as_deref().unwrap_or_default();
    Caught {
        case: result.id.clone(),
        rules: result.violates.clone(),
        how: format!("{step}; {got}"),
        frames: result.frames.clone(),
    }
}
