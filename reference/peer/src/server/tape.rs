//! A server on tape.

use std::time::Duration;

use mpchat_proto::crypto::Provider;
use mpchat_proto::server::{Action, Config, ConnectionId, Event, MemoryStore, Quirk, Server, Store, StoreError};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::kit::ServerKit;
use crate::tape::{Log, Recorded, Reel, Told};

/// What a server and its successors on one store were told: a reel for each start. Clones share it.
#[derive(Clone, Default)]
pub struct Tape(Log<Start>);

/// One start of a server.
struct Start {
    kit: ServerKit,
    config: Config,
    provider: &'static dyn Provider,
    seed: [u8; 32],
    reel: Reel<Server>,
}

/// What a server is told.
pub(crate) enum What {
    Connected,
    Bytes(ConnectionId, Vec<u8>),
    End(ConnectionId),
    Sent(ConnectionId, usize),
    Time,
}

/// What comes of it: actions, and when it wants to be told the time.
#[derive(PartialEq)]
pub(crate) struct Came {
    actions: Vec<Action>,
    due: Option<Duration>,
}

impl Tape {
    /// Whether a server with this fault would have done anything else than the one on the tape. It starts with an empty
    /// store, as that one did.
    #[must_use]
    pub fn differs(&self, quirk: Quirk) -> bool {
        let store = MemoryStore::new();
        self.0.any(|start| {
            let server = start.server(Box::new(store.clone())).and_then(|mut server| {
                server.take_on(quirk)?;
                Ok(server)
            });
            server.map_or(true, |server| start.reel.differs(server))
        })
    }

    /// A server that is on the tape from its start.
    pub(super) fn start(
        &self,
        kit: ServerKit,
        config: Config,
        provider: &'static dyn Provider,
        store: Box<dyn Store + Send>,
    ) -> Result<Recorded<Server>, StoreError> {
        let start = Start { kit, config, provider, seed: rand::random(), reel: Reel::default() };
        let recorded = Recorded { machine: start.server(store)?, reel: Some(start.reel.clone()) };
        self.0.push(start);
        Ok(recorded)
    }
}

impl std::fmt::Debug for Tape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tape").finish_non_exhaustive()
    }
}

impl Start {
    fn server(&self, store: Box<dyn Store + Send>) -> Result<Server, StoreError> {
        let rng = Box::new(StdRng::from_seed(self.seed));
        let ServerKit { key, directory } = self.kit.clone();
        Server::new(self.config.clone(), self.provider, key, directory, rng, store)
    }
}

impl Told for Server {
    type What = What;
    type Came = Came;

    fn tell(&mut self, now: Duration, what: &What) {
        match what {
            What::Connected => drop(self.connect(now)),
            What::Bytes(id, bytes) => self.handle_bytes(now, *id, bytes),
            What::End(id) => self.handle_end(now, *id),
            What::Sent(id, count) => self.sent(*id, *count),
            What::Time => self.handle_timeout(now),
        }
    }

    fn seen(&self) -> Came {
        Came { actions: Vec::new(), due: self.poll_timeout() }
    }

    fn came(&mut self, _: &Came) -> Came {
        // Only a log needs them.
        while self.poll_event().is_some() {}
        Came { actions: std::iter::from_fn(|| self.poll_action()).collect(), ..self.seen() }
    }
}

impl Recorded<Server> {
    pub(super) fn connect(&mut self, now: Duration) -> ConnectionId {
        let id = self.machine.connect(now);
        self.note(now, || What::Connected);
        id
    }

    pub(super) fn handle_bytes(&mut self, now: Duration, id: ConnectionId, bytes: &[u8]) {
        self.machine.handle_bytes(now, id, bytes);
        self.note(now, || What::Bytes(id, bytes.to_vec()));
    }

    pub(super) fn handle_end(&mut self, now: Duration, id: ConnectionId) {
        self.machine.handle_end(now, id);
        self.note(now, || What::End(id));
    }

    pub(super) fn sent(&mut self, id: ConnectionId, count: usize) {
        self.machine.sent(id, count);
        self.note(Duration::ZERO, || What::Sent(id, count));
    }

    pub(super) fn handle_timeout(&mut self, now: Duration) {
        self.machine.handle_timeout(now);
        self.note(now, || What::Time);
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        self.machine.poll_timeout()
    }

    pub(super) fn poll_action(&mut self) -> Option<Action> {
        let action = self.machine.poll_action();
        self.took(|came| came.actions.extend(action.clone()));
        action
    }

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.machine.poll_event()
    }
}
