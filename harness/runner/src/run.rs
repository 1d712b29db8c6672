//! All cases of a run, side by side: events come out.
//!
//! Cases that let timers pass do not take part in `--jobs`: they wait for the clock, not for a processor, and
//! overlap. A case that proved nothing, that the target refused, or during which its process died, is run again alone at
//! the end. In several transports a case is played once in each, and has one result.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mpchat_model::{Event, KnownFailures, Ledger, Level};
use mpchat_peer::kit::Kit;
use mpchat_proto::crypto::Provider;
use mpchat_script::ast::Timer;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::attempt::Variant;
use crate::client::ClientSubject;
use crate::client::bench::Bench;
use crate::identities::{Identity, Pool};
use crate::looks::Looks;
use crate::memory::RunMemory;
use crate::plan::{Body, PlannedCase};
use crate::play::{Play, Played, Stage};
use crate::rounds::Tally;
use crate::snapshot::Snapshots;
use crate::stalls::Stalls;
use crate::stop::Stop;
use crate::subject::{Instance, Instances, Subject, Wanted};
use crate::timing::Timers;
use crate::transport::Transport;

mod again;
mod outcome;

/// How many cases that wait for timers run beside the others.
const TIMER_CASES: usize = 12;

/// Which part of a timer the harness may stand still.
const BEARABLE: u32 = 8;

/// Which part of the patience it may stand still where no timer is involved.
const BEARABLE_OF_PATIENCE: u32 = 4;

/// After so many cases in a row that proved nothing, further ones first look whether anybody answers.
const GIVING_UP: usize = 6;

/// A case may take this many times the patience, and once more for each of its steps.
const LEAST_LENGTH: usize = 12;

/// How a run is made.
pub struct RunOptions {
    /// How many cases run side by side.
    pub jobs: usize,
    /// How long an answer may take.
    pub patience: Duration,
    /// The transports in which every case is played; at least one.
    pub transports: Vec<Transport>,
    /// The target's timers.
    pub timers: Timers,
    /// End at the first case that fails and is not known to.
    pub fail_fast: bool,
    /// Whether a broken SHOULD fails.
    pub level: Level,
    /// Whether a case that proved nothing is run again, alone.
    pub again: bool,
    /// How often every case is run; it has one result all the same.
    pub repeat: usize,
    /// What is known to fail.
    pub known: KnownFailures,
    /// The primitives.
    pub provider: &'static dyn Provider,
    /// The users.
    pub kit: Arc<Kit>,
    /// The folder of the kit, for commands.
    pub kit_folder: Option<PathBuf>,
    /// Transcripts to compare with.
    pub snapshots: Option<Snapshots>,
    /// What repeats a case, with its id to be put in the place of `{id}`.
    pub reproduce: String,
    /// The rules.
    pub ledger: Arc<Ledger>,
}

/// Why a run could not be made.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unreachable(pub String);

/// Runs the cases; everything that happens goes to `events`.
///
/// # Errors
/// If the subject cannot be reached or started, or died and cannot be restarted; what was judged before was told.
pub async fn run(
    subject: Subject,
    cases: impl IntoIterator<Item: Into<Arc<PlannedCase>>>,
    options: RunOptions,
    events: mpsc::UnboundedSender<Event>,
) -> Result<(), Unreachable> {
    let memory = Arc::new(RunMemory::default());
    let client = match &subject {
        Subject::Client(client) => Some(bench(client, &options, &memory)?),
        _ => None,
    };
    let instances = Instances::new(subject, Arc::clone(&options.kit), options.kit_folder.clone(), options.timers);
    let first = instances.get(Wanted::default()).await.map_err(Unreachable)?;
    if client.is_none() {
        let reached = tokio::time::timeout(options.patience, tokio::net::TcpStream::connect(first.address())).await;
        if !matches!(reached, Ok(Ok(_))) {
            let _stopped = instances.stop().await;
            return Err(Unreachable(format!("nothing accepts a connection on {}", first.address())));
        }
    }
    let pool = Pool::new(&options.kit);
    let run = Arc::new(Run {
        instances,
        pool,
        memory,
        client,
        options,
        events,
        stopped: AtomicBool::new(false),
        in_vain: AtomicUsize::new(0),
        refused_apart: AtomicUsize::new(0),
        failed_patiently: Mutex::default(),
        tallies: Mutex::default(),
        looks: tokio::sync::Mutex::default(),
        stalls: Stalls::watch(),
        fatal: Mutex::default(),
    });
    match &run.client {
        Some(client) => run.try_client(client).await?,
        None => run.note_slowness(&first).await,
    }
    run.all(cases.into_iter().map(Into::into).collect()).await;
    for notice in run.instances.stop().await {
        run.tell(Event::Notice(notice));
    }
    let fatal = run.fatal.lock().unwrap_or_else(PoisonError::into_inner).take();
    fatal.map_or(Ok(()), |why| Err(Unreachable(why)))
}

fn bench(client: &ClientSubject, options: &RunOptions, memory: &Arc<RunMemory>) -> Result<Bench, Unreachable> {
    let (memory, ledger) = (Arc::clone(memory), Arc::clone(&options.ledger));
    let bench =
        Bench::new(client.clone(), &options.kit, options.provider, options.patience, options.timers, memory, ledger);
    bench.map_err(Unreachable)
}

/// What all cases of a run share.
struct Run {
    instances: Instances,
    /// Where a client is tested.
    client: Option<Bench>,
    pool: Arc<Pool>,
    memory: Arc<RunMemory>,
    options: RunOptions,
    events: mpsc::UnboundedSender<Event>,
    stopped: AtomicBool,
    /// Cases in a row that proved nothing.
    in_vain: AtomicUsize,
    /// Refusals of so little that an instance of their own repeated.
    refused_apart: AtomicUsize,
    /// Of each timer, the cases of which a longer one repeated the failure.
    failed_patiently: Mutex<BTreeMap<Timer, BTreeSet<usize>>>,
    /// Cases of which some rounds have ended, by their number.
    tallies: Mutex<BTreeMap<usize, Tally>>,
    looks: tokio::sync::Mutex<Looks>,
    stalls: Arc<Stalls>,
    /// Why the run cannot go on.
    fatal: Mutex<Option<String>>,
}

/// A case in its turn.
#[derive(Clone)]
struct Turn {
    case: Arc<PlannedCase>,
    number: usize,
    /// Which repetition, from 1.
    round: usize,
    /// This time it has an instance of the target for itself, as far as one can be started.
    apart: bool,
    /// The timer that it waits for is longer than usual.
    patient: bool,
}

/// A case that has to be run again, alone.
type Unsettled = (Arc<Turn>, Vec<Variant>);

/// The turns of cases that wait in one line: round by round, made when they are due, however many rounds there are.
struct Turns {
    cases: Vec<(usize, Arc<PlannedCase>)>,
    rounds: usize,
    next: AtomicUsize,
}

impl Turns {
    fn count(&self) -> usize {
        self.cases.len().saturating_mul(self.rounds)
    }

    fn next(&self) -> Option<Arc<Turn>> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        if next >= self.count() {
            return None;
        }
        let (number, case) = self.cases.get(next % self.cases.len())?;
        Some(Arc::new(Turn {
            case: Arc::clone(case),
            number: *number,
            round: next / self.cases.len() + 1,
            apart: false,
            patient: false,
        }))
    }
}

impl Run {
    async fn all(self: &Arc<Self>, cases: Vec<Arc<PlannedCase>>) {
        let (waiting, quick): (Vec<_>, Vec<_>) =
            cases.into_iter().enumerate().partition(|(_, case)| !case.timers.is_empty());
        let mut workers: JoinSet<Vec<Unsettled>> = JoinSet::new();
        for (cases, side_by_side) in [(waiting, TIMER_CASES), (quick, self.options.jobs.max(1))] {
            let turns = Arc::new(Turns { cases, rounds: self.rounds(), next: AtomicUsize::new(0) });
            for _ in 0..side_by_side.min(turns.count()) {
                workers.spawn(Arc::clone(self).work(Arc::clone(&turns)));
            }
        }
        let mut again: BTreeMap<(usize, usize), Unsettled> = BTreeMap::new();
        while let Some(unsettled) = workers.join_next().await {
            match unsettled {
                Ok(unsettled) => {
                    again.extend(unsettled.into_iter().map(|(turn, v)| ((turn.round, turn.number), (turn, v))));
                }
                Err(error) => self.give_up(format!("the suite itself failed: {error}")),
            }
        }
        self.again(again.into_values().collect()).await;
        // What ended early has cases that were not run as often as they should: their rounds count all the same.
        let unfinished = std::mem::take(&mut *self.tallies.lock().unwrap_or_else(PoisonError::into_inner));
        unfinished.into_values().filter_map(Tally::result).for_each(|result| self.judged(result));
    }

    fn rounds(&self) -> usize {
        self.options.repeat.max(1)
    }

    /// Takes turns until there is none left. Returned are those that have to be run again, alone.
    async fn work(self: Arc<Self>, turns: Arc<Turns>) -> Vec<Unsettled> {
        let mut again = Vec::new();
        while let Some(turn) = turns.next().filter(|_| !self.stopped.load(Ordering::Relaxed)) {
            if let Some(variants) = self.first_time(&turn).await {
                again.push((turn, variants));
            }
        }
        again
    }

    fn has_own_instance(&self, turn: &Turn) -> bool {
        turn.apart || turn.case.has_own_instance() || self.instances.is_one_a_case()
    }

    async fn instance(&self, turn: &Turn) -> Result<Instance, String> {
        let only_for = self.has_own_instance(turn).then(|| instance_of(turn));
        self.instances.get(Wanted { timers: &turn.case.timers, patient: turn.patient, only_for }).await
    }

    /// Runs a case among others. Returned: it has to be run again, alone.
    async fn first_time(&self, turn: &Turn) -> Option<Vec<Variant>> {
        self.tell(Event::CaseStarted { id: turn.case.id.clone() });
        let mut variants = Vec::new();
        for transport in &self.options.transports {
            variants.push(self.play(turn, *transport).await);
        }
        let died = variants.iter().any(|v| !v.deaths.is_empty());
        // Where nothing is answered any more, once is enough; what was perhaps refused is judged alone in any case.
        let in_vain = self.in_vain.load(Ordering::Relaxed) >= GIVING_UP && !variants.iter().any(Variant::is_refused);
        let unsettled = variants.iter().any(Variant::is_unsettled) && !in_vain;
        if died || self.options.again && unsettled {
            return Some(variants);
        }
        self.finish(turn, variants).await;
        None
    }

    /// Ends the run: no further case is begun.
    fn give_up(&self, why: String) {
        self.fatal.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        self.stopped.store(true, Ordering::Relaxed);
    }

    fn is_given_up(&self) -> bool {
        self.fatal.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    async fn play(&self, turn: &Turn, transport: Transport) -> Variant {
        let start = Instant::now();
        let mut notes = Vec::new();
        let mut deaths = BTreeMap::new();
        let mut began = false;
        if let Some(client) = &self.client {
            let (mut played, notes) = self.play_client(client, turn, transport).await;
            played.end = self.excuse(start, self.options.patience / BEARABLE_OF_PATIENCE, played.end);
            let in_vain = matches!(played.end, Err(Stop::Inconclusive(_)));
            self.note_end(in_vain);
            let seconds = start.elapsed().as_secs_f64();
            return Variant { transport, played, seconds, notes, deaths, began: true, doubted: false };
        }
        let played = match self.stage(turn, transport).await {
            Ok((stage, lent)) => {
                began = true;
                let users = turn.case.users.iter().cloned().zip(lent.users.iter().cloned()).collect();
                let instance = stage.instance.clone();
                let before = instance.deaths().len();
                let bearable = self.bearable(turn, &stage.timers);
                let mut played = self.play_on(turn, stage, users).await;
                played.end = self.excuse(start, bearable, played.end);
                match instance.revive(played.end.is_err() || played.fell_silent).await {
                    Ok(Some(death)) => self.tell(Event::Notice(format!("{}: {death}; started again", turn.case.id))),
                    Ok(None) => {}
                    Err(error) => self.give_up(error),
                }
                for (n, death) in instance.deaths().into_iter().enumerate().skip(before) {
                    notes.push(death.clone());
                    deaths.insert((instance.number(), n), death);
                }
                if self.has_own_instance(turn) {
                    let notices = self.instances.stop_own(instance_of(turn)).await;
                    notices.into_iter().for_each(|notice| self.tell(Event::Notice(notice)));
                }
                played
            }
            Err(stop) => Played::nothing(stop),
        };
        let in_vain = deaths.is_empty() && matches!(played.end, Err(Stop::Inconclusive(_)));
        self.note_end(in_vain);
        let doubted = self.is_doubted(turn, &played.end);
        Variant { transport, played, seconds: start.elapsed().as_secs_f64(), notes, deaths, began, doubted }
    }

    /// Counts cases in a row that proved nothing.
    fn note_end(&self, in_vain: bool) {
        if in_vain {
            self.in_vain.fetch_add(1, Ordering::Relaxed);
        } else {
            self.in_vain.store(0, Ordering::Relaxed);
        }
    }

    /// The client has to be able to log in: else nothing can be judged.
    async fn try_client(&self, client: &Bench) -> Result<(), Unreachable> {
        let lent = self.pool.lend(1, None).await;
        let user = lent.as_ref().and_then(|lent| lent.users.first()).cloned();
        let user = user.ok_or_else(|| Unreachable("the kit has no users".to_owned()))?;
        client.looks_alive(user).await.map_err(Unreachable)
    }

    async fn play_client(&self, client: &Bench, turn: &Turn, transport: Transport) -> (Played, Vec<String>) {
        let Some(lent) = self.pool.lend(turn.case.users.len(), turn.case.led_by_zero).await else {
            let few = format!("the kit has fewer than {} users", turn.case.users.len());
            return (Played::nothing(Stop::Skip(few)), Vec::new());
        };
        let users = turn.case.users.iter().cloned().zip(lent.users.iter().cloned()).collect();
        client.play((turn.number, &turn.case), transport, users, self.limit(turn)).await
    }

    /// Plays a case in a task of its own: a panic of the suite ends just that, and proves nothing.
    async fn play_on(&self, turn: &Turn, stage: Stage, users: BTreeMap<String, Arc<Identity>>) -> Played {
        let (case, limit) = (Arc::clone(&turn.case), self.limit(turn));
        let mut task = JoinSet::new();
        task.spawn(async move {
            let front = Arc::new(case.scenario.front.clone());
            let Body::Server(program) = &case.body else {
                return Played::nothing(Stop::Skip("it is about a client".to_owned()));
            };
            Play::new(stage, front, program, users).run(program, limit).await
        });
        match task.join_next().await {
            Some(Ok(played)) => played,
            Some(Err(error)) => Played::nothing(Stop::Inconclusive(format!("the suite itself failed: {error}"))),
            None => Played::nothing(Stop::Inconclusive("the suite itself failed".to_owned())),
        }
    }

    /// What a case found while the harness stood still is looked at again, where anything is.
    fn excuse(&self, began: Instant, bearable: Duration, end: Result<(), Stop>) -> Result<(), Stop> {
        if self.options.again { self.stalls.excuse(began, bearable, end) } else { end }
    }

    /// What a short timer shows is looked at again with a longer one: no rule says how late a timer may be.
    fn is_doubted(&self, turn: &Turn, end: &Result<(), Stop>) -> bool {
        let is_short = !turn.patient && self.instances.quick_one(&turn.case.timers).is_some();
        self.options.again && is_short && matches!(end, Err(Stop::Fail(_)))
    }

    /// How long the harness may stand still before a failure may be its own: the timers of the case want acts in time, and
    /// any other may run out when the harness is late with its answers.
    fn bearable(&self, turn: &Turn, timers: &Timers) -> Duration {
        let about = turn.case.timers.iter().map(|timer| timers.get(*timer)).min();
        let of_timer = about.map_or_else(|| timers.shortest() / 2, |length| length / BEARABLE);
        of_timer.min(self.options.patience / BEARABLE_OF_PATIENCE)
    }

    /// The longest that a case may take: what a target does that dribbles ends there.
    fn limit(&self, turn: &Turn) -> Duration {
        let timers: Duration = turn.case.timers.iter().map(|t| self.options.timers.get(*t) * 8).sum();
        let length = u32::try_from(LEAST_LENGTH + turn.case.body.length()).unwrap_or(u32::MAX);
        self.options.patience.saturating_mul(length).saturating_add(timers)
    }

    async fn stage(&self, turn: &Turn, transport: Transport) -> Result<(Stage, crate::identities::Lent), Stop> {
        let case = &turn.case;
        if case.restarts {
            self.instances.can_restart().map_err(|why| Stop::Skip(why.to_owned()))?;
        }
        let instance = self.instance(turn).await.map_err(Stop::Inconclusive)?;
        if self.in_vain.load(Ordering::Relaxed) >= GIVING_UP && !self.looks_alive(&instance).await {
            return Err(Stop::Inconclusive("not run: the target answers nobody any more".to_owned()));
        }
        let lent = self.pool.lend(case.users.len(), case.led_by_zero).await;
        let lent = lent.ok_or_else(|| Stop::Skip(format!("the kit has fewer than {} users", case.users.len())))?;
        let timers = instance.timers;
        let stage = Stage {
            instance,
            provider: self.options.provider,
            server_key: self.options.kit.server_public().clone(),
            patience: self.options.patience,
            transport,
            timers,
            memory: Arc::clone(&self.memory),
        };
        Ok((stage, lent))
    }

    /// How long a user needs to log in and be answered, when nothing else goes on.
    async fn note_slowness(&self, instance: &Instance) {
        let began = Instant::now();
        if self.answers_anybody(instance).await {
            self.instances.note_slowness(began.elapsed()).await;
        }
    }

    /// Looks whether anybody is answered, if a look is due: one at a time, as all would find the same.
    async fn looks_alive(&self, instance: &Instance) -> bool {
        let mut looks = self.looks.lock().await;
        if !looks.is_due() {
            return false;
        }
        let answered = self.answers_anybody(instance).await;
        looks.note(answered);
        answered
    }

    async fn answers_anybody(&self, instance: &Instance) -> bool {
        let Some(lent) = self.pool.lend(1, None).await else { return false };
        let users = lent.users.iter().map(|u| (crate::play::WATCHER.to_owned(), Arc::clone(u))).collect();
        let stage = Stage {
            instance: instance.clone(),
            provider: self.options.provider,
            server_key: self.options.kit.server_public().clone(),
            patience: self.options.patience,
            transport: Transport::Plain,
            timers: instance.timers,
            memory: Arc::clone(&self.memory),
        };
        Play::looks_alive(stage, users).await
    }

    fn tell(&self, event: Event) {
        // Nobody listens any more when the caller has given up the run.
        let _unheard = self.events.send(event);
    }
}

/// Which instance a case has for itself, if it needs one: another one each round, since rounds run side by side.
fn instance_of(turn: &Turn) -> (usize, usize) {
    (turn.number, turn.round)
}
