//! Playing one case against a client: the harness is the server, all other users, and the user at the client.
//!
//! ```text
//!   commands            events                     frames
//!  host ----> client ----------> owed events   client =======> monitors --> judged: commanded, owed, or unexpected
//!    ^                               |                              |
//!    +---------- steps <-------------+------------------------------+
//! ```
//!
//! Steps are taken in order. A frame of the server is sent, and a command given, when all that stands before it has been
//! seen; neighbours are one burst. What the client has to tell its user, and has to answer, is owed from the moment a frame
//! is sent; events come in the order of the frames that caused them, so a fence (the status of the server) shows that nothing
//! more is to come.

mod blame;
mod booking;
mod canary;
mod craft;
mod ending;
mod envelopes;
mod events;
mod fence;
mod hear;
mod judge;
mod login;
mod refusals;
mod setup;
mod steps;
mod world;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mpchat_model::{Evidence, Ledger, RuleId};
use mpchat_peer::kit::Kit;
use mpchat_proto::crypto::{PrivateKey, Provider};
use mpchat_proto::ids::{Sid, Uid};
use mpchat_script::ast::{Fault, Front, Kind, Line};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::driver::{ClientSubject, Driver};
use super::script::{Script, Step};
use crate::identities::Identity;
use crate::link::{Input, Link, QUEUED_READS};
use crate::memory::RunMemory;
use crate::play::{Played, world as shared};
use crate::program::Leaf;
use crate::stop::{Finding, Stop};
use crate::timing::Timers;
use crate::transport::Transport;

use self::world::{Conn, Owed, Seen};

/// How many lines of the log a failure shows.
const SHOWN_LINES: usize = 32;

/// What a case needs from the run.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) subject: ClientSubject,
    pub(crate) kit: Arc<Kit>,
    pub(crate) provider: &'static dyn Provider,
    pub(crate) server_key: PrivateKey,
    pub(crate) patience: Duration,
    pub(crate) transport: Transport,
    pub(crate) timers: Timers,
    pub(crate) memory: Arc<RunMemory>,
    pub(crate) ledger: Arc<Ledger>,
}

/// One case being played.
pub(crate) struct Host {
    stage: Stage,
    front: Arc<Front>,
    /// The user whom the client under test plays.
    role: String,
    me: Uid,
    users: BTreeMap<String, Arc<Identity>>,
    strangers: BTreeMap<String, Uid>,
    unknown_sid: Sid,
    /// None once it has been ended.
    driver: Option<Driver>,
    folder: Option<TempDir>,
    listener: TcpListener,
    address: String,
    /// How many connections the client may still open: one a `connect`, one after its last number, and one behind each that
    /// ended without a byte.
    may_connect: usize,
    /// A connection that came before it was awaited.
    came_back: Option<tokio::net::TcpStream>,
    /// Whether the next connection's login is the harness's own, and not the diagram's.
    logs_in_undrawn: bool,
    conns: Vec<Conn>,
    inputs: mpsc::Receiver<(usize, Input)>,
    inputs_sender: mpsc::Sender<(usize, Input)>,
    /// Connections that nobody asked for, as long as nothing comes on them.
    aside: BTreeMap<usize, Link>,
    next_aside: usize,
    heard_bytes: usize,
    sessions: BTreeMap<String, shared::Session>,
    texts: BTreeMap<String, shared::Text>,
    /// Since the last command to send, a question for a roster was answered as for a session that is not live.
    told_offline: bool,
    /// Rosters that the server claims, by session.
    claims: BTreeMap<String, Vec<String>>,
    /// Users other than the client who are not online.
    offline: Vec<String>,
    shown_invited: BTreeMap<String, Vec<String>>,
    /// Steps to come.
    steps: VecDeque<Step>,
    /// Commands whose frames have not come.
    commanded: VecDeque<Arc<Leaf>>,
    /// `do` of commands that have to be refused.
    refusals: VecDeque<&'static str>,
    /// Refusals that came as they should.
    refused: usize,
    /// What a refusal breaks that nothing called for.
    refusal: Option<Stop>,
    /// Events that have to come, in order.
    owed: VecDeque<Owed>,
    /// Fences that were answered.
    fenced: usize,
    /// Frames and ends that the client sent by itself, and no line has taken yet.
    seen: Vec<Seen>,
    /// `online` events that have not been taken.
    onlines: usize,
    /// `disconnected` came, and the connection has not been seen to end.
    disconnects: usize,
    /// Its user wants to leave, or its standard input has ended.
    leaving: bool,
    /// The line that is being played, and where it stands in the transcript.
    at: Option<Line>,
    slot: Option<usize>,
    /// What the steps just before were.
    burst: steps::Burst,
    /// Requests of the client that wait for their answers, oldest first.
    asked: Vec<(Kind, Sid)>,
    /// Questions for a status of the client's own that wait until its user's is answered.
    held_questions: Vec<Sid>,
    /// Sessions that are closed when the client asks for their roster.
    closes_when_asked: BTreeSet<Sid>,
    /// Members of the status answers that are being sent.
    members: BTreeMap<Sid, Vec<serde_json::Value>>,
    /// Sessions of which the client was told that they are closed.
    closed: BTreeSet<Sid>,
    /// Texts that it has shown, and of which session.
    shown: Vec<(Sid, String)>,
    /// How texts of others were sealed wrong.
    sealing: BTreeMap<String, Vec<Fault>>,
    /// Frames kept under a name.
    kept: BTreeMap<String, Vec<u8>>,
    /// A request that the setting up waits for.
    expected_in_setup: Option<Kind>,
    /// The rules by which the client has to refuse the text that its user wants to send.
    refusing: Option<&'static [&'static str]>,
    /// The last frame of the server's.
    last_served: Option<steps::Served>,
    /// A question of the client's was answered since.
    answered_since_served: bool,
    /// When the client used its last number, and whether the latest frame was sent right then.
    spent_at: Option<Instant>,
    answered_in_time: bool,
    /// The roster of each session that the client was told first (STAT-09).
    first_rosters: BTreeMap<Sid, Vec<String>>,
    /// A frame whose rest waits (`held at`): what it makes due is not due yet.
    held: Option<Arc<Leaf>>,
    last_len: usize,
    last_joined: bool,
    /// Logins that were completed, and ends that were taken.
    logins: usize,
    ends: usize,
    /// status_req that came although the connection was to be ended.
    questions_after_fault: usize,
    /// Its standard output has ended.
    driver_ended: bool,
    /// Keep channels open on which nothing is said any more.
    silent: Vec<mpsc::Sender<super::driver::Said>>,
    /// Frames are not put into words: some ten thousand come.
    quiet: bool,
    /// A `loop until` is being played: a question of the client's own may have used the last number (MTP-09).
    in_until: bool,
    canaries: canary::Canaries,
    slots: Vec<Option<String>>,
    log: VecDeque<String>,
    evidence: Option<Evidence>,
    began: Instant,
    rng: StdRng,
}

impl Host {
    /// Starts the client and prepares a case: nothing is connected yet.
    ///
    /// # Errors
    /// If the client cannot be started.
    pub(crate) async fn new(
        stage: Stage,
        front: Arc<Front>,
        script: &Script,
        users: BTreeMap<String, Arc<Identity>>,
    ) -> Result<Self, Stop> {
        let failed = |error: std::io::Error| Stop::Inconclusive(format!("the suite cannot listen: {error}"));
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?.to_string();
        let driver = Driver::start(&stage.subject, &stage.kit, stage.timers.login).map_err(Stop::Inconclusive)?;
        let (inputs_sender, inputs) = mpsc::channel(QUEUED_READS);
        let mut rng = StdRng::from_rng(&mut rand::rng());
        let unknown_sid = shared::random_sid(&mut rng);
        let strangers = shared::strangers(&front, &mut rng);
        let me = users.get(&script.role).map_or(Uid::SERVER, |identity| identity.uid);
        let default = super::roles::default_session(front.sessions.iter().map(|(name, _)| name));
        Ok(Self {
            stage,
            role: script.role.clone(),
            me,
            users,
            strangers,
            unknown_sid,
            driver: Some(driver),
            folder: None,
            listener,
            address,
            may_connect: 0,
            came_back: None,
            logs_in_undrawn: true,
            conns: Vec::new(),
            inputs,
            inputs_sender,
            aside: BTreeMap::new(),
            next_aside: hear::FIRST_ASIDE,
            heard_bytes: 0,
            sessions: shared::declared_sessions(&front),
            texts: BTreeMap::new(),
            told_offline: false,
            claims: BTreeMap::new(),
            offline: Vec::new(),
            shown_invited: super::script::shown_invited(&script.steps, &default),
            front,
            steps: script.steps.iter().cloned().collect(),
            commanded: VecDeque::new(),
            refusals: VecDeque::new(),
            refused: 0,
            refusal: None,
            owed: VecDeque::new(),
            fenced: 0,
            seen: Vec::new(),
            onlines: 0,
            disconnects: 0,
            leaving: false,
            at: None,
            slot: None,
            burst: steps::Burst::None,
            asked: Vec::new(),
            held_questions: Vec::new(),
            closes_when_asked: BTreeSet::new(),
            members: BTreeMap::new(),
            closed: BTreeSet::new(),
            shown: Vec::new(),
            sealing: BTreeMap::new(),
            kept: BTreeMap::new(),
            expected_in_setup: None,
            refusing: None,
            last_served: None,
            answered_since_served: false,
            spent_at: None,
            answered_in_time: false,
            first_rosters: BTreeMap::new(),
            last_len: 0,
            held: None,
            last_joined: false,
            logins: 0,
            ends: 0,
            questions_after_fault: 0,
            driver_ended: false,
            silent: Vec::new(),
            quiet: false,
            in_until: false,
            canaries: canary::Canaries::default(),
            slots: vec![None; script.slots],
            log: VecDeque::new(),
            evidence: None,
            began: Instant::now(),
            rng,
        })
    }

    /// Plays the case to its end, and ends the client. What takes longer than `limit` is cut off there.
    pub(crate) async fn run(mut self, script: &Script, limit: Duration) -> (Played, Vec<String>) {
        let cut = || Err(Stop::Inconclusive(format!("not at its end after {limit:?}")));
        let mut end = tokio::time::timeout(limit, self.whole(script)).await.unwrap_or_else(|_| cut());
        let (left, notes) = self.end_client(end.is_ok()).await;
        end = end.and(left);
        if let Err(Stop::Fail(finding)) = &mut end {
            self.keep_client_rules(finding);
        }
        let frames = if end.is_err() { self.log.drain(..).collect() } else { Vec::new() };
        let transcript = self.transcript();
        (Played { end, warning: None, evidence: self.evidence, transcript, frames, fell_silent: false }, notes)
    }

    async fn whole(&mut self, script: &Script) -> Result<(), Stop> {
        self.set_up(script).await?;
        self.log("-- the diagram begins".to_owned());
        self.play().await?;
        self.at = None;
        self.check_all_quiet().await
    }

    /// Whether a client can be started, connects, and logs in.
    pub(crate) async fn looks_alive(stage: Stage, user: (String, Arc<Identity>)) -> Result<(), String> {
        let script = Script { role: user.0.clone(), steps: Vec::new(), slots: 0, logs_in: true };
        let users = BTreeMap::from([user]);
        let limit = stage.patience * 4;
        let host = Self::new(stage, Arc::new(Front::default()), &script, users).await;
        let played = match host {
            Ok(host) => host.run(&script, limit).await.0,
            Err(Stop::Inconclusive(why)) => return Err(why),
            Err(_) => return Ok(()),
        };
        match played.end {
            Err(Stop::Inconclusive(why)) => Err(why),
            // Whatever else it does is for the cases to judge.
            _ => Ok(()),
        }
    }

    /// Of the rules that a line proves, those that bind a client are what a client can break.
    fn keep_client_rules(&self, finding: &mut Finding) {
        let binds = |id: &RuleId| self.stage.ledger.rule(id).is_some_and(|rule| rule.role.binds_client());
        finding.rules.retain(binds);
    }

    fn log(&mut self, line: String) {
        if self.log.len() == SHOWN_LINES {
            self.log.pop_front();
        }
        self.log.push_back(format!("{:>6} ms {line}", self.began.elapsed().as_millis()));
    }

    /// Notes what a judgement rests on; the weakest evidence is kept.
    fn rests_on(&mut self, evidence: Evidence) {
        self.evidence = self.evidence.max(Some(evidence));
    }

    /// A finding at the line that is being played: its own rules, then `rules`.
    fn finding(&self, rules: &[&str], expected: impl Into<String>, got: impl Into<String>) -> Stop {
        self.finding_at(self.at.as_ref(), rules, expected, got)
    }

    fn finding_at(
        &self,
        line: Option<&Line>,
        rules: &[&str],
        expected: impl Into<String>,
        got: impl Into<String>,
    ) -> Stop {
        let mut found = line.map(|line| line.rules.clone()).unwrap_or_default();
        found.extend(crate::stop::rules(rules));
        Finding::new(found, line.cloned(), expected.into(), got.into()).stop()
    }

    /// A breach of a rule that holds whatever the line is about: `rules` come first.
    fn breach(&self, rules: &[&str], expected: impl Into<String>, got: impl Into<String>) -> Stop {
        let step = self.at.clone();
        Finding::new(crate::stop::rules(rules), step, expected.into(), got.into()).stop()
    }

    /// The transcript: the lines that were played or seen, in the order of the diagram.
    fn transcript(&self) -> String {
        let lines = self.slots.iter().flatten().flat_map(|slot| slot.lines());
        lines.fold(String::from("sequenceDiagram\n"), |text, line| format!("{text}    {line}\n"))
    }

    fn fill(&mut self, leaf: &Leaf, line: &str) {
        if let Some(slot) = self.slots.get_mut(leaf.slot) {
            match slot {
                Some(shown) if shown.lines().any(|l| l == line) => {}
                Some(shown) => *shown = format!("{shown}\n{line}"),
                None => *slot = Some(line.to_owned()),
            }
        }
    }
}
