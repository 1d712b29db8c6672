//! The client machine behind TCP: commands in, events out.
//!
//! ```text
//!              commands (bounded)                  +---------+      bytes
//!   user  --------------------------------->       |  task:  |  <---------->  server
//!         <---------------------------------       | machine |
//!              events (bounded; nothing is read    +---------+
//!              from the server while they wait)
//! ```

mod shell;
mod style;
#[cfg(feature = "faults")]
mod tape;

use mpchat_proto::client::{Command, Config, Event, Identity};
use mpchat_proto::crypto::{Provider, default_provider};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::kit::ClientKit;

#[cfg(feature = "faults")]
pub use tape::Tape;

/// What the shell drives.
#[cfg(feature = "faults")]
type Machine = crate::tape::Recorded<mpchat_proto::client::Client>;
#[cfg(not(feature = "faults"))]
type Machine = mpchat_proto::client::Client;

/// Commands and events that may wait between the user and the task.
const QUEUE: usize = 64;

/// What a client needs before it has a user.
#[derive(Clone)]
pub struct ClientOptions {
    /// Timers and limits.
    pub config: Config,
    /// The crypto provider.
    pub provider: &'static dyn Provider,
    /// How it differs: the rule that it breaks, or the legal habit that it has, so that a suite can be shown to tell them apart.
    #[cfg(feature = "faults")]
    pub quirk: Option<mpchat_proto::client::Quirk>,
    /// Where all that it is told is noted.
    #[cfg(feature = "faults")]
    pub tape: Option<Tape>,
}

/// A client that runs as a task. When it is dropped, the client leaves.
#[derive(Debug)]
pub struct ClientHandle {
    commands: mpsc::Sender<Command>,
    events: mpsc::Receiver<Event>,
    task: JoinHandle<()>,
}

/// Starts a client that is not connected. Must be called within a tokio runtime.
#[must_use]
pub fn start(options: ClientOptions) -> ClientHandle {
    let (commands, taken) = mpsc::channel(QUEUE);
    let (given, events) = mpsc::channel(QUEUE);
    let task = tokio::spawn(shell::run(options, taken, given));
    ClientHandle { commands, events, task }
}

/// The command that connects to `address` (host:port) as the user of a kit.
#[must_use]
pub fn connect(address: impl Into<String>, kit: ClientKit) -> Command {
    Command::Connect { address: address.into(), identity: Box::new(kit.into()) }
}

impl ClientHandle {
    /// Gives a command to the client. Waits while it has too many that it has not looked at, which it does not do while
    /// thousands of events wait to be taken.
    pub async fn command(&self, command: Command) {
        // The task ends only after this sender is gone.
        let _ = self.commands.send(command).await;
    }

    /// The next event. `None` only after a panic in the client.
    pub async fn event(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Its two ends, and the task. The client leaves when the sender is dropped; the task ends when it has, within seconds.
    #[must_use]
    pub fn split(self) -> (mpsc::Sender<Command>, mpsc::Receiver<Event>, JoinHandle<()>) {
        (self.commands, self.events, self.task)
    }

    /// Leaves, if connected, and waits until the connection is closed. Commands that wait are dropped.
    pub async fn finish(self) {
        let Self { commands, events, task } = self;
        drop((commands, events));
        // An error is a panic, which was reported where it happened.
        let _ = task.await;
    }
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            config: Config::default(),
            provider: default_provider(),
            #[cfg(feature = "faults")]
            quirk: None,
            #[cfg(feature = "faults")]
            tape: None,
        }
    }
}

impl std::fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { config, provider, .. } = self;
        f.debug_struct("ClientOptions").field("config", config).field("provider", &provider.name()).finish()
    }
}

impl From<ClientKit> for Identity {
    fn from(ClientKit { uid, key, server, directory }: ClientKit) -> Self {
        Self { uid, key, server, directory }
    }
}
