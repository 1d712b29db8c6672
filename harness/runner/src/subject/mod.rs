//! The subject of a run: a server that is embedded, reached at an address, or started by a command.

mod embedded;
pub(crate) mod process;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mpchat_peer::kit::Kit;
use mpchat_script::ast::Timer;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::client::ClientSubject;
use crate::timing::Timers;

pub use embedded::Embedding;
pub use process::Command;

/// The length of a timer that a case waits for, where the harness may choose it: embedded.
const QUICK_EMBEDDED: Duration = Duration::from_millis(500);

/// The same for a command, which takes whole seconds.
const QUICK_COMMAND: Duration = Duration::from_secs(1);

/// How many times as long it is for a case that is played again: a target may look at its timers once a second, and this
/// machine may be slow.
const PATIENT: u32 = 4;

/// A timer is made at least as long as so many logins take, so that it is not over before the diagram is.
const LOGINS_IN_A_TIMER: u32 = 40;

/// But not longer than this.
const SLOWEST: Duration = Duration::from_secs(5);

/// What is tested.
pub enum Subject {
    /// The reference server, in this process.
    Embedded(Embedding),
    /// A server that runs already.
    Address(SocketAddr),
    /// A server that the harness starts and stops.
    Command(Command),
    /// A client, of which each case starts one.
    Client(ClientSubject),
}

/// What a case wants of the instance that it gets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted<'t> {
    /// The timers that it waits for.
    pub(crate) timers: &'t [Timer],
    /// They are to be longer than usual.
    pub(crate) patient: bool,
    /// The case and round that want it for themselves.
    pub(crate) only_for: Option<(usize, usize)>,
}

/// What an instance is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Purpose {
    /// The timer that cases wait for.
    quick: Option<Timer>,
    /// Whether it is longer than usual.
    patient: bool,
    /// The case and round that have it for themselves, because they restart it, or nobody else may speak meanwhile.
    only_for: Option<(usize, usize)>,
}

/// The running instances of the subject.
pub(crate) struct Instances {
    subject: Subject,
    kit: Arc<Kit>,
    kit_folder: Option<PathBuf>,
    timers: Timers,
    slowness: Mutex<Duration>,
    running: Mutex<HashMap<Purpose, Instance>>,
    /// How many were started.
    started: AtomicUsize,
}

/// A running target.
#[derive(Clone)]
pub(crate) struct Instance {
    inner: Arc<Inner>,
    pub(crate) timers: Timers,
}

struct Inner {
    number: usize,
    address: std::sync::Mutex<SocketAddr>,
    control: Mutex<Control>,
    deaths: std::sync::Mutex<Vec<String>>,
}

enum Control {
    Elsewhere,
    Embedded(embedded::Embedded),
    Process(Box<process::Process>),
}

impl Instance {
    /// A number of its own: what one instance gives out tells nothing of another.
    pub(crate) fn number(&self) -> usize {
        self.inner.number
    }

    pub(crate) fn address(&self) -> SocketAddr {
        *self.inner.address.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Stops the target and starts it again with its state.
    pub(crate) async fn restart(&self) -> Result<(), String> {
        let mut control = self.inner.control.lock().await;
        if let Control::Process(process) = &mut *control
            && let Some(death) = process.death(false).await
        {
            self.note_death(death);
        }
        let address = match &mut *control {
            Control::Elsewhere => return Err("a target at an address cannot be restarted".to_owned()),
            Control::Embedded(server) => server.restart().await?,
            Control::Process(process) => process.restart().await?,
        };
        *self.inner.address.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = address;
        Ok(())
    }

    /// If the target's process has died, starts it again: how it died, and the end of its standard error. `suspected`:
    /// a case ended as if it had died.
    pub(crate) async fn revive(&self, suspected: bool) -> Result<Option<String>, String> {
        let mut control = self.inner.control.lock().await;
        let Control::Process(process) = &mut *control else { return Ok(None) };
        let Some(death) = process.death(suspected).await else { return Ok(None) };
        self.note_death(death.clone());
        let address = process.restart().await.map_err(|error| format!("{death}; it cannot be restarted: {error}"))?;
        *self.inner.address.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = address;
        Ok(Some(death))
    }

    /// How it died each time so far.
    pub(crate) fn deaths(&self) -> Vec<String> {
        self.inner.deaths.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn note_death(&self, death: String) {
        self.inner.deaths.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(death);
    }
}

impl Instances {
    pub(crate) fn new(subject: Subject, kit: Arc<Kit>, kit_folder: Option<PathBuf>, timers: Timers) -> Self {
        Self {
            subject,
            kit,
            kit_folder,
            timers,
            slowness: Mutex::new(Duration::ZERO),
            running: Mutex::default(),
            started: AtomicUsize::new(0),
        }
    }

    /// Notes how long a login takes: what a diagram does within a timer takes some of that.
    pub(crate) async fn note_slowness(&self, login: Duration) {
        *self.slowness.lock().await = login;
    }

    /// Whether each case has an instance to itself.
    pub(crate) fn is_one_a_case(&self) -> bool {
        matches!(&self.subject, Subject::Embedded(embedding) if embedding.wants_a_server_a_case())
    }

    /// The length of a timer that a case waits for.
    async fn quick(&self, usual: Duration, patient: bool) -> Duration {
        let wanted = (*self.slowness.lock().await * LOGINS_IN_A_TIMER).min(SLOWEST);
        // A command may take whole seconds only.
        let wanted =
            if usual == QUICK_COMMAND { Duration::from_secs(wanted.as_secs_f64().ceil() as u64) } else { wanted };
        let length = wanted.max(usual);
        // No longer than half of the other timers.
        if patient { (length * PATIENT).min(SLOWEST.max(length)) } else { length }
    }

    /// Whether the subject can be restarted.
    pub(crate) fn can_restart(&self) -> Result<(), &'static str> {
        match &self.subject {
            Subject::Embedded(_) => Ok(()),
            Subject::Address(_) => Err("a target at an address cannot be restarted"),
            Subject::Client(_) => Err("a client is started anew for each case"),
            Subject::Command(command) if command.keeps_state() => Ok(()),
            Subject::Command(_) => Err("the command has no {state} folder that outlives a restart"),
        }
    }

    /// The instance for a case: with the timer that it waits for made short, and if it is to be its own, for it alone. A
    /// target at an address is one for all.
    pub(crate) async fn get(&self, wanted: Wanted<'_>) -> Result<Instance, String> {
        let quick = self.quick_one(wanted.timers);
        let only_for = wanted.only_for.filter(|_| !matches!(self.subject, Subject::Address(_)));
        let purpose = Purpose { quick, patient: wanted.patient && quick.is_some(), only_for };
        let mut running = self.running.lock().await;
        if let Some(instance) = running.get(&purpose) {
            return Ok(instance.clone());
        }
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let instance = self.start(number, purpose).await?;
        running.insert(purpose, instance.clone());
        Ok(instance)
    }

    /// The timer of a case whose length is the harness's to choose.
    pub(crate) fn quick_one(&self, timers: &[Timer]) -> Option<Timer> {
        timers.first().copied().filter(|timer| match &self.subject {
            Subject::Embedded(_) => true,
            Subject::Address(_) | Subject::Client(_) => false,
            Subject::Command(command) => command.takes(*timer),
        })
    }

    async fn start(&self, number: usize, purpose: Purpose) -> Result<Instance, String> {
        let Purpose { quick, patient, .. } = purpose;
        let (control, address, timers) = match &self.subject {
            Subject::Address(address) => (Control::Elsewhere, *address, self.timers),
            // Clients come to the harness, each case listens itself.
            Subject::Client(_) => (Control::Elsewhere, (std::net::Ipv4Addr::LOCALHOST, 0).into(), self.timers),
            Subject::Embedded(embedding) => {
                let length = self.quick(QUICK_EMBEDDED, patient).await;
                let timers = quick.map_or(Timers::default(), |t| Timers::default().with(t, length));
                let embedding = match purpose.only_for {
                    Some((case, _round)) => embedding.clone().only_for(case),
                    None => embedding.clone(),
                };
                let server = embedded::Embedded::start(&self.kit, timers, embedding).await?;
                let address = server.address();
                (Control::Embedded(server), address, timers)
            }
            Subject::Command(command) => {
                let length = self.quick(QUICK_COMMAND, patient).await;
                let timers = quick.map_or(self.timers, |t| self.timers.with(t, length));
                let process = process::Process::start(command, self.kit_folder.as_deref(), timers).await?;
                let address = process.address();
                (Control::Process(Box::new(process)), address, timers)
            }
        };
        let (address, deaths) = (std::sync::Mutex::new(address), std::sync::Mutex::default());
        let inner = Inner { number, address, control: Mutex::new(control), deaths };
        Ok(Instance { inner: Arc::new(inner), timers })
    }

    /// Ends what was started, all side by side: a hung one takes its time.
    pub(crate) async fn stop(&self) -> Vec<String> {
        let instances: Vec<Instance> = self.running.lock().await.drain().map(|(_, i)| i).collect();
        Self::end(instances).await
    }

    /// Ends what a case had for itself: cases that are run many times would leave as many instances.
    pub(crate) async fn stop_own(&self, turn: (usize, usize)) -> Vec<String> {
        let own = |purpose: &Purpose| purpose.only_for == Some(turn);
        let instances: Vec<Instance> =
            self.running.lock().await.extract_if(|purpose, _| own(purpose)).map(|(_, i)| i).collect();
        Self::end(instances).await
    }

    async fn end(instances: Vec<Instance>) -> Vec<String> {
        let mut ends = JoinSet::new();
        for instance in instances {
            ends.spawn(async move {
                match &mut *instance.inner.control.lock().await {
                    Control::Elsewhere => None,
                    Control::Embedded(server) => {
                        server.stop().await;
                        None
                    }
                    Control::Process(process) => process.stop().await,
                }
            });
        }
        ends.join_all().await.into_iter().flatten().collect()
    }
}
