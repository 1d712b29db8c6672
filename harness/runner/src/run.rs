//! All cases of a run, side by side: events come out.
//!
//! Cases that let timers pass do not take part in `--jobs`: they wait for the clock, not for a processor, and
//! overlap. A case that proved nothing, or that the target refused, is run again alone at the end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mpchat_model::{CaseResult, Event, Ledger, Level, Verdict};
use mpchat_peer::kit::Kit;
use mpchat_proto::crypto::Provider;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::identities::Pool;
use crate::memory::RunMemory;
use crate::plan::PlannedCase;
use crate::play::{Play, Played, Stage};
use crate::snapshot::{Snapshots, difference};
use crate::stop::Stop;
use crate::subject::{Instances, Subject};
use crate::timing::Timers;

/// How many cases that wait for timers run beside the others.
const TIMER_CASES: usize = 12;

/// After so many cases in a row that proved nothing, each further one first looks whether anybody answers.
const GIVING_UP: usize = 6;

/// How a run is made.
pub struct RunOptions {
    /// How many cases run side by side.
    pub jobs: usize,
    /// How long an answer may take.
    pub patience: Duration,
    /// The target's timers.
    pub timers: Timers,
    /// End at the first case that fails.
    pub fail_fast: bool,
    /// Whether a broken SHOULD fails.
    pub level: Level,
    /// How often every case is run.
    pub repeat: usize,
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
/// If the subject cannot be reached or started.
pub async fn run(
    subject: Subject,
    cases: Vec<PlannedCase>,
    options: RunOptions,
    events: mpsc::UnboundedSender<Event>,
) -> Result<(), Unreachable> {
    let instances = Instances::new(subject, Arc::clone(&options.kit), options.kit_folder.clone(), options.timers);
    let first = instances.get(0, &[], false).await.map_err(Unreachable)?;
    let reached = tokio::time::timeout(options.patience, tokio::net::TcpStream::connect(first.address())).await;
    if !matches!(reached, Ok(Ok(_))) {
        let _stopped = instances.stop().await;
        return Err(Unreachable(format!("nothing accepts a connection on {}", first.address())));
    }
    let pool = Pool::new(&options.kit);
    let run = Arc::new(Run {
        instances,
        pool,
        memory: Arc::new(RunMemory::default()),
        options,
        events,
        stopped: AtomicBool::new(false),
        in_vain: AtomicUsize::new(0),
    });
    run.all(cases.into_iter().map(Arc::new).collect()).await;
    for notice in run.instances.stop().await {
        run.tell(Event::Notice(notice));
    }
    Ok(())
}

/// What all cases of a run share.
struct Run {
    instances: Instances,
    pool: Arc<Pool>,
    memory: Arc<RunMemory>,
    options: RunOptions,
    events: mpsc::UnboundedSender<Event>,
    stopped: AtomicBool,
    /// Cases in a row that proved nothing.
    in_vain: AtomicUsize,
}

/// A case in its turn.
struct Turn {
    case: Arc<PlannedCase>,
    number: usize,
    /// Which repetition, from 1; 0 if there is only one.
    round: usize,
}

impl Run {
    async fn all(self: &Arc<Self>, cases: Vec<Arc<PlannedCase>>) {
        let rounds = self.options.repeat.max(1);
        let turns: Vec<Arc<Turn>> = (1..=rounds)
            .flat_map(|round| cases.iter().enumerate().map(move |(number, case)| (round, number, case)))
            .map(|(round, number, case)| {
                let round = if rounds == 1 { 0 } else { round };
                Arc::new(Turn { case: Arc::clone(case), number, round })
            })
            .collect();
        let (waiting, quick): (Vec<_>, Vec<_>) = turns.into_iter().partition(|t| !t.case.timers.is_empty());
        let jobs = Arc::new(Semaphore::new(self.options.jobs.max(1)));
        let timers = Arc::new(Semaphore::new(TIMER_CASES));
        let mut tasks: JoinSet<Option<Arc<Turn>>> = JoinSet::new();
        for (turns, permits) in [(waiting, timers), (quick, jobs)] {
            for turn in turns {
                let (run, permits) = (Arc::clone(self), Arc::clone(&permits));
                tasks.spawn(async move {
                    let _permit = permits.acquire_owned().await;
                    run.first_time(turn).await
                });
            }
        }
        let mut again: BTreeMap<(usize, usize), Arc<Turn>> = BTreeMap::new();
        while let Some(joined) = tasks.join_next().await {
            match joined {
                Ok(Some(turn)) => {
                    again.insert((turn.round, turn.number), turn);
                }
                Ok(None) => {}
                Err(error) => self.tell(Event::Notice(format!("a case ended in a panic of the suite itself: {error}"))),
            }
        }
        for turn in again.into_values() {
            if !self.stopped.load(Ordering::Relaxed) {
                let (played, seconds, notes) = self.play(&turn).await;
                self.finish(&turn, played, seconds, notes);
            }
        }
    }

    /// Runs a case among others. Returned: it has to be run again, alone.
    async fn first_time(&self, turn: Arc<Turn>) -> Option<Arc<Turn>> {
        if self.stopped.load(Ordering::Relaxed) {
            return None;
        }
        self.tell(Event::CaseStarted { id: self.id(&turn) });
        let (played, seconds, notes) = self.play(&turn).await;
        if matches!(played.end, Err(Stop::Inconclusive(_) | Stop::Refused(_)))
            && self.in_vain.load(Ordering::Relaxed) < GIVING_UP
        {
            return Some(turn);
        }
        self.finish(&turn, played, seconds, notes);
        None
    }

    async fn play(&self, turn: &Turn) -> (Played, f64, Vec<String>) {
        let began = Instant::now();
        let mut notes = Vec::new();
        let played = match self.stage(turn, &mut notes).await {
            Ok((stage, lent)) => {
                let users = turn.case.users.iter().cloned().zip(lent.users.iter().cloned()).collect();
                let front = Arc::new(turn.case.scenario.front.clone());
                let instance = stage.instance.clone();
                let play = Play::new(stage, front, &turn.case.program, users);
                let limit = self.limit(turn);
                let played = match tokio::time::timeout(limit, play.run(&turn.case.program)).await {
                    Ok(played) => played,
                    Err(_) => Played::nothing(Stop::Inconclusive(format!("not at its end after {limit:?}"))),
                };
                if let Ok(Some(death)) = instance.revive().await {
                    notes.push(death.clone());
                    self.tell(Event::Notice(format!("{}: {death}", turn.case.id)));
                }
                played
            }
            Err(stop) => Played::nothing(stop),
        };
        let in_vain = matches!(played.end, Err(Stop::Inconclusive(_)));
        if in_vain {
            self.in_vain.fetch_add(1, Ordering::Relaxed);
        } else {
            self.in_vain.store(0, Ordering::Relaxed);
        }
        (played, began.elapsed().as_secs_f64(), notes)
    }

    /// The longest that a case may take: what a target does that dribbles ends there.
    fn limit(&self, turn: &Turn) -> Duration {
        let timers: Duration = turn.case.timers.iter().map(|t| self.options.timers.get(*t) * 8).sum();
        self.options.patience * 12 + timers
    }

    async fn stage(&self, turn: &Turn, notes: &mut Vec<String>) -> Result<(Stage, crate::identities::Lent), Stop> {
        let case = &turn.case;
        if case.restarts {
            self.instances.can_restart().map_err(|why| Stop::Skip(why.to_owned()))?;
        }
        let key = turn.number + turn.round * 1_000_000;
        let instance = self.instances.get(key, &case.timers, case.restarts).await.map_err(Stop::Inconclusive)?;
        if self.in_vain.load(Ordering::Relaxed) >= GIVING_UP && !self.answers_anybody(&instance).await {
            return Err(Stop::Inconclusive("not run: the target answers nobody any more".to_owned()));
        }
        let lent = self.pool.lend(case.users.len()).await;
        let lent = lent.ok_or_else(|| Stop::Skip(format!("the kit has fewer than {} users", case.users.len())))?;
        let _ = notes;
        let timers = instance.timers;
        let stage = Stage {
            instance,
            provider: self.options.provider,
            server_key: self.options.kit.server_public().clone(),
            patience: self.options.patience,
            timers,
            memory: Arc::clone(&self.memory),
        };
        Ok((stage, lent))
    }

    async fn answers_anybody(&self, instance: &crate::subject::Instance) -> bool {
        let Some(lent) = self.pool.lend(1).await else { return false };
        let users = lent.users.iter().map(|u| (crate::play::WATCHER.to_owned(), Arc::clone(u))).collect();
        let stage = Stage {
            instance: instance.clone(),
            provider: self.options.provider,
            server_key: self.options.kit.server_public().clone(),
            patience: self.options.patience.min(Duration::from_secs(1)),
            timers: instance.timers,
            memory: Arc::clone(&self.memory),
        };
        Play::looks_alive(stage, users).await
    }

    fn id(&self, turn: &Turn) -> String {
        if turn.round == 0 { turn.case.id.clone() } else { format!("{} #{}", turn.case.id, turn.round) }
    }

    fn finish(&self, turn: &Turn, played: Played, seconds: f64, notes: Vec<String>) {
        let result = self.result(turn, played, seconds, notes);
        if self.options.fail_fast && result.verdict > Verdict::Known {
            self.stopped.store(true, Ordering::Relaxed);
        }
        self.tell(Event::CaseFinished(Box::new(result)));
    }

    fn result(&self, turn: &Turn, played: Played, seconds: f64, notes: Vec<String>) -> CaseResult {
        let case = &turn.case;
        let mut result = CaseResult {
            id: self.id(turn),
            title: case.title().to_owned(),
            covers: case.covers().to_vec(),
            violates: Vec::new(),
            verdict: Verdict::Pass,
            evidence: played.evidence,
            seconds,
            step: None,
            expected: None,
            got: None,
            transcript: Some(played.transcript),
            frames: Vec::new(),
            notes,
            reproduce: self.options.reproduce.replace("{id}", &case.id),
        };
        match played.end {
            Ok(()) => self.compare_snapshot(&case.id, &mut result),
            Err(Stop::Fail(finding)) => {
                // A MAY cannot be broken: what is found in its name is a frame that no rule allows.
                let should = |id| self.options.ledger.rule(id).is_some_and(|rule| rule.level == Level::Should);
                let only_should = !finding.rules.is_empty() && finding.rules.iter().all(should);
                let mut rules = finding.rules;
                let mut seen = std::collections::BTreeSet::new();
                rules.retain(|rule| seen.insert(rule.clone()));
                result.violates = rules;
                result.verdict =
                    if only_should && self.options.level == Level::Must { Verdict::Pass } else { Verdict::Fail };
                result.step = finding.step.map(|line| format!("line {}: {}", line.number, line.text));
                result.expected = Some(finding.expected);
                result.got = Some(finding.got);
                result.frames = played.frames;
            }
            Err(Stop::Inconclusive(why)) => {
                result.verdict = Verdict::Inconclusive;
                result.got = Some(why);
                result.frames = played.frames;
            }
            Err(Stop::Skip(why) | Stop::Refused(why)) => {
                result.verdict = Verdict::Skipped;
                result.got = Some(why);
                result.transcript = None;
            }
        }
        result
    }

    /// A transcript that is not the accepted one fails, even where every rule is kept.
    fn compare_snapshot(&self, id: &str, result: &mut CaseResult) {
        let Some(snapshots) = &self.options.snapshots else { return };
        let Some(seen) = &result.transcript else { return };
        match snapshots.get(id) {
            Some(accepted) if accepted.trim_end() == seen.trim_end() => {}
            Some(accepted) => {
                result.verdict = Verdict::Fail;
                result.expected = Some("the transcript that was accepted".to_owned());
                result.got = Some(format!("another transcript:\n{}", difference(accepted, seen)));
            }
            None => {
                result.verdict = Verdict::Fail;
                result.expected = Some("a transcript that was accepted (`--accept` accepts this one)".to_owned());
                result.got = Some("a transcript without a snapshot".to_owned());
            }
        }
    }

    fn tell(&self, event: Event) {
        // Nobody listens any more when the caller has given up the run.
        let _unheard = self.events.send(event);
    }
}
