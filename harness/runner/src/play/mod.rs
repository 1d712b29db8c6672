//! Playing one case against a server: the harness is every user, the subject is the server.
//!
//! One task plays a case. It owns every connection's meaning; the sockets have tasks of their own ([`crate::link`])
//! that only carry bytes. The diagram is a set of *threads*, one a branch of a `par`; a thread performs an act when
//! all that stands before it has been seen, and registers what it expects. What is heard is judged against the
//! registered expectations, whichever thread they belong to.
//!
//! ```text
//!          advance                     judge
//!  Steps ----------> expectations <------------- heard frames <-- monitors <-- bytes
//!    |                                                  ^
//!    +-- acts --> craft --> bytes ---> subject ---------+
//! ```

mod acts;
pub(crate) mod arrive;
mod blame;
mod checks;
mod compare;
mod craft;
pub(crate) mod diagnose;
mod judge;
pub(crate) mod login;
mod loops;
mod outsider;
pub(crate) mod patience;
pub(crate) mod render;
mod setup;
mod shortage;
mod threads;
mod timers;
pub(crate) mod world;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mpchat_model::Evidence;
use mpchat_proto::crypto::Provider;
use mpchat_script::ast::{Front, Line};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::mpsc;

use crate::identities::Identity;
use crate::link::{Input, QUEUED_READS};
use crate::memory::RunMemory;
use crate::program::{Lifeline, Program, shown_invited};
use crate::stop::Stop;
use crate::subject::Instance;
use crate::timing::Timers;
use crate::transport::Transport;

use self::threads::{Expectation, Thread};
use self::world::{Conn, Session, Text};

/// How many lines of the log a failure shows.
const SHOWN_FRAMES: usize = 24;

/// How much one case reads at most; a target that sends more is flooding.
pub(crate) const MAX_HEARD_BYTES: usize = 64 << 20;

/// What a case needs from the run.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) instance: Instance,
    pub(crate) provider: &'static dyn Provider,
    pub(crate) server_key: mpchat_proto::crypto::PublicKey,
    pub(crate) patience: Duration,
    pub(crate) transport: Transport,
    pub(crate) timers: Timers,
    pub(crate) memory: Arc<RunMemory>,
}

/// What came of a case.
pub(crate) struct Played {
    pub(crate) end: Result<(), Stop>,
    /// A broken SHOULD that did not end it.
    pub(crate) warning: Option<crate::stop::Finding>,
    pub(crate) evidence: Option<Evidence>,
    pub(crate) transcript: String,
    pub(crate) frames: Vec<String>,
    /// The target ended a connection on which it owed an answer when the case was over: it may be dying.
    pub(crate) fell_silent: bool,
}

impl Played {
    /// A case that never began.
    pub(crate) fn nothing(stop: Stop) -> Self {
        Self {
            end: Err(stop),
            warning: None,
            evidence: None,
            transcript: String::new(),
            frames: Vec::new(),
            fell_silent: false,
        }
    }
}

pub(crate) use self::compare::text_of;
pub(crate) use self::setup::WATCHER;
pub(crate) use self::world::DEFAULT_SESSION;

/// One case being played.
pub(crate) struct Play {
    stage: Stage,
    front: Arc<Front>,
    /// Who stands behind each user name.
    users: BTreeMap<String, Arc<Identity>>,
    lifelines: Vec<Lifeline>,
    /// Uids of names that the directory does not know.
    strangers: BTreeMap<String, mpchat_proto::ids::Uid>,
    conns: Vec<Conn>,
    /// The current connection of each lifeline.
    current: BTreeMap<String, usize>,
    sessions: BTreeMap<String, Session>,
    texts: BTreeMap<String, Text>,
    kept: BTreeMap<String, world::Kept>,
    /// A sid that no server gave out.
    unknown_sid: mpchat_proto::ids::Sid,
    /// Who sends init_req for each session name, and whom the diagram shows as invited.
    shown_invited: BTreeMap<String, Vec<String>>,
    inputs: mpsc::Receiver<(usize, Input)>,
    inputs_sender: mpsc::Sender<(usize, Input)>,
    heard_bytes: usize,
    threads: Vec<Thread>,
    next_thread: usize,
    /// See [`Played::fell_silent`].
    fell_silent: bool,
    /// Sessions that were live at a restart and have not been closed since.
    carried: BTreeSet<String>,
    /// The branches in which branches began.
    parents: BTreeMap<usize, usize>,
    expectations: Vec<Expectation>,
    next_group: usize,
    next_question: u64,
    /// The note that is being checked.
    checking: Option<Arc<crate::program::Leaf>>,
    /// Users whose connection ended, and whom the server may not yet know to be offline.
    unsettled: Vec<String>,
    suspicions: Vec<world::Suspicion>,
    /// The first SHOULD that was found broken without ending the case.
    warning: Option<crate::stop::Finding>,
    /// The timer that the diagram waits for, or waited for last.
    timer: Option<mpchat_script::ast::Timer>,
    /// How often half a timer has passed.
    halves: usize,
    /// When the last of them was over.
    last_half: Option<Instant>,
    /// While set, stored lines are those of earlier cases.
    draining: bool,
    /// While set, frames are filed in the books but not judged.
    unjudged: bool,
    slots: Vec<Option<String>>,
    log: VecDeque<render::Entry>,
    evidence: Option<Evidence>,
    began: Instant,
    progress: Instant,
    /// When the last act was performed: nothing that depends on it can have happened before.
    last_act: Instant,
    rng: StdRng,
}

impl Play {
    /// Prepares a case: nothing is connected yet.
    pub(crate) fn new(
        stage: Stage,
        front: Arc<Front>,
        program: &Program,
        users: BTreeMap<String, Arc<Identity>>,
    ) -> Self {
        let (inputs_sender, inputs) = mpsc::channel(QUEUED_READS);
        let mut rng = StdRng::from_rng(&mut rand::rng());
        let now = Instant::now();
        let unknown_sid = world::random_sid(&mut rng);
        let strangers = world::strangers(&front, &mut rng);
        Self {
            stage,
            users,
            lifelines: program.lifelines.clone(),
            strangers,
            conns: Vec::new(),
            current: BTreeMap::new(),
            sessions: world::declared_sessions(&front),
            texts: BTreeMap::new(),
            kept: BTreeMap::new(),
            unknown_sid,
            shown_invited: shown_invited(&program.steps, &front),
            front,
            inputs,
            inputs_sender,
            heard_bytes: 0,
            threads: Vec::new(),
            next_thread: 0,
            fell_silent: false,
            carried: BTreeSet::new(),
            parents: BTreeMap::new(),
            expectations: Vec::new(),
            next_group: 0,
            next_question: 0,
            checking: None,
            unsettled: Vec::new(),
            suspicions: Vec::new(),
            warning: None,
            timer: None,
            halves: 0,
            last_half: None,
            draining: false,
            unjudged: false,
            slots: vec![None; program.slots],
            log: VecDeque::new(),
            evidence: None,
            began: now,
            progress: now,
            last_act: now,
            rng,
        }
    }

    /// Plays the case to its end, and cleans up behind it. What takes longer than `limit` is cut off there.
    pub(crate) async fn run(mut self, program: &Program, limit: Duration) -> Played {
        let cut = || Err(Stop::Inconclusive(format!("not at its end after {limit:?}")));
        let end = tokio::time::timeout(limit, self.whole(program)).await.unwrap_or_else(|_| cut());
        let cleaned = tokio::time::timeout(limit, self.clean_up(end.is_ok())).await.unwrap_or_else(|_| cut());
        let end = end.and(cleaned);
        let told = end.is_err() || self.warning.is_some();
        let frames = self.log.iter().filter(|_| told).map(|entry| self.in_words(entry)).collect();
        Played {
            end,
            warning: self.warning.take(),
            evidence: self.evidence,
            transcript: self.transcript(&program.outline),
            // Only a failure shows them.
            frames,
            fell_silent: self.fell_silent,
        }
    }

    async fn whole(&mut self, program: &Program) -> Result<(), Stop> {
        self.set_up().await?;
        self.log("-- the diagram begins".to_owned());
        self.play(program).await?;
        self.check_all_quiet().await
    }

    /// Whether somebody can log in and is answered.
    pub(crate) async fn looks_alive(stage: Stage, users: BTreeMap<String, Arc<Identity>>) -> bool {
        let program = crate::program::compile(&Front::default(), &[]);
        let mut play = Self::new(stage, Arc::new(Front::default()), &program, users);
        play.watcher_is_served().await.unwrap_or(false)
    }

    fn address(&self) -> SocketAddr {
        self.stage.instance.address()
    }

    /// Notes a line for people, keeping the newest.
    fn log(&mut self, line: String) {
        self.log_entry(render::Entry::Text(line));
    }

    /// Notes something that is put into words only if the case fails: most frames are never looked at.
    fn log_entry(&mut self, entry: render::Entry) {
        if self.log.len() == SHOWN_FRAMES {
            self.log.pop_front();
        }
        self.log.push_back(entry);
    }

    /// Notes what a judgement rests on; the weakest evidence is kept.
    fn rests_on(&mut self, evidence: Evidence) {
        self.evidence = self.evidence.max(Some(evidence));
    }

    /// Notes a broken SHOULD, and goes on.
    fn warn(&mut self, rules: &[&str], expected: &str, got: String) {
        let rules = crate::stop::rules(rules);
        self.warning.get_or_insert(crate::stop::Finding::new(rules, None, expected.to_owned(), got));
    }

    /// A finding at `line`.
    fn finding(&self, rules: &[&str], line: Option<&Line>, expected: &str, got: String) -> Stop {
        crate::stop::Finding::new(crate::stop::rules(rules), line.cloned(), expected.to_owned(), got).stop()
    }
}
