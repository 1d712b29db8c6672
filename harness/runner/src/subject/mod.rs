//! The subject of a run: a server that is embedded, reached at an address, or started by a command.

mod embedded;
mod process;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mpchat_peer::kit::Kit;
use mpchat_script::ast::Timer;
use tokio::sync::Mutex;

use crate::timing::Timers;

pub use process::Command;

/// The length of a timer that a case waits for, where the harness may choose it: embedded.
const QUICK_EMBEDDED: Duration = Duration::from_millis(500);

/// The same for a command, which takes whole seconds.
const QUICK_COMMAND: Duration = Duration::from_secs(1);

/// What is tested.
pub enum Subject {
    /// The reference server, in this process.
    Embedded,
    /// A server that runs already.
    Address(SocketAddr),
    /// A server that the harness starts and stops.
    Command(Command),
}

/// What an instance is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Purpose {
    /// The timer that cases wait for.
    quick: Option<Timer>,
    /// The number of the case that has it for itself, because it restarts it.
    only_for: Option<usize>,
}

/// The running instances of the subject.
pub(crate) struct Instances {
    subject: Subject,
    kit: Arc<Kit>,
    kit_folder: Option<PathBuf>,
    timers: Timers,
    running: Mutex<HashMap<Purpose, Instance>>,
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
        let address = match &mut *control {
            Control::Elsewhere => return Err("a target at an address cannot be restarted".to_owned()),
            Control::Embedded(server) => server.restart().await?,
            Control::Process(process) => process.restart().await?,
        };
        *self.inner.address.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = address;
        Ok(())
    }

    /// If the target's process has died, starts it again: how it died, and the end of its standard error.
    pub(crate) async fn revive(&self) -> Result<Option<String>, String> {
        let mut control = self.inner.control.lock().await;
        let Control::Process(process) = &mut *control else { return Ok(None) };
        let Some(death) = process.death().await else { return Ok(None) };
        let address = process.restart().await?;
        *self.inner.address.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = address;
        Ok(Some(death))
    }
}

impl Instances {
    pub(crate) fn new(subject: Subject, kit: Arc<Kit>, kit_folder: Option<PathBuf>, timers: Timers) -> Self {
        Self { subject, kit, kit_folder, timers, running: Mutex::new(HashMap::new()) }
    }

    /// Whether the subject can be restarted.
    pub(crate) fn can_restart(&self) -> Result<(), &'static str> {
        match &self.subject {
            Subject::Embedded => Ok(()),
            Subject::Address(_) => Err("a target at an address cannot be restarted"),
            Subject::Command(command) if command.keeps_state() => Ok(()),
            Subject::Command(_) => Err("the command has no {state} folder that outlives a restart"),
        }
    }

    /// The instance for a case: with the timer that it waits for made short, or for itself if it restarts it.
    pub(crate) async fn get(&self, case: usize, timers: &[Timer], restarts: bool) -> Result<Instance, String> {
        let quick = timers.first().copied().filter(|timer| match &self.subject {
            Subject::Embedded => true,
            Subject::Address(_) => false,
            Subject::Command(command) => command.takes(*timer),
        });
        let purpose = Purpose { quick, only_for: restarts.then_some(case) };
        let mut running = self.running.lock().await;
        if let Some(instance) = running.get(&purpose) {
            return Ok(instance.clone());
        }
        let instance = self.start(running.len(), quick).await?;
        running.insert(purpose, instance.clone());
        Ok(instance)
    }

    async fn start(&self, number: usize, quick: Option<Timer>) -> Result<Instance, String> {
        let (control, address, timers) = match &self.subject {
            Subject::Address(address) => (Control::Elsewhere, *address, self.timers),
            Subject::Embedded => {
                let timers = quick.map_or(Timers::default(), |t| Timers::default().with(t, QUICK_EMBEDDED));
                let server = embedded::Embedded::start(&self.kit, timers).await?;
                let address = server.address();
                (Control::Embedded(server), address, timers)
            }
            Subject::Command(command) => {
                let timers = quick.map_or(self.timers, |t| self.timers.with(t, QUICK_COMMAND));
                let process = process::Process::start(command, self.kit_folder.as_deref(), timers).await?;
                let address = process.address();
                (Control::Process(Box::new(process)), address, timers)
            }
        };
        let inner = Inner { number, address: std::sync::Mutex::new(address), control: Mutex::new(control) };
        Ok(Instance { inner: Arc::new(inner), timers })
    }

    /// Ends what was started.
    pub(crate) async fn stop(&self) -> Vec<String> {
        let instances: Vec<Instance> = self.running.lock().await.drain().map(|(_, i)| i).collect();
        let mut notices = Vec::new();
        for instance in instances {
            match &mut *instance.inner.control.lock().await {
                Control::Elsewhere => {}
                Control::Embedded(server) => server.stop().await,
                Control::Process(process) => notices.extend(process.stop().await),
            }
        }
        notices
    }
}
