//! A client on tape.

use std::time::Duration;

use mpchat_proto::client::{Client, Command, Config, Event, Quirk};
use mpchat_proto::crypto::Provider;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::ClientOptions;
use crate::tape::{Log, Recorded, Reel, Told};

/// What clients were told: a reel for each. Clones share it.
#[derive(Clone, Default)]
pub struct Tape(Log<Start>);

/// One client.
struct Start {
    config: Config,
    provider: &'static dyn Provider,
    seed: [u8; 32],
    reel: Reel<Client>,
}

/// What a client is told.
pub(crate) enum What {
    Command(Command),
    Connected,
    Bytes(Vec<u8>),
    End,
    Failure(String),
    Closed,
    Time,
    UserIsGone,
}

/// What comes of it.
#[derive(PartialEq)]
pub(crate) struct Came {
    /// Frames, if there was a connection for them.
    frames: Option<Vec<Vec<u8>>>,
    events: Vec<Event>,
    /// A connection, the end of one, or nothing.
    wants: (bool, bool),
    due: Option<Duration>,
}

impl Tape {
    /// Whether a client with this fault would have done anything else than the one on the tape.
    #[must_use]
    pub fn differs(&self, quirk: Quirk) -> bool {
        self.0.any(|start| {
            let mut client = start.client();
            client.take_on(quirk);
            start.reel.differs(client)
        })
    }

    /// A client that is on the tape from its start.
    pub(super) fn start(&self, options: &ClientOptions) -> Recorded<Client> {
        let (config, provider) = (options.config.clone(), options.provider);
        let start = Start { config, provider, seed: rand::random(), reel: Reel::default() };
        let recorded = Recorded { machine: start.client(), reel: Some(start.reel.clone()) };
        self.0.push(start);
        recorded
    }
}

impl std::fmt::Debug for Tape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tape").finish_non_exhaustive()
    }
}

impl Start {
    fn client(&self) -> Client {
        let rng = Box::new(StdRng::from_seed(self.seed));
        Client::new(self.config.clone(), self.provider, rng)
    }
}

impl Told for Client {
    type What = What;
    type Came = Came;

    fn tell(&mut self, now: Duration, what: &What) {
        match what {
            What::Command(command) => self.command(now, command.clone()),
            What::Connected => self.handle_connected(now),
            What::Bytes(bytes) => self.handle_bytes(now, bytes),
            What::End => self.handle_end(now),
            What::Failure(error) => self.handle_failure(now, error),
            What::Closed => self.handle_closed(now),
            What::Time => self.handle_timeout(now),
            What::UserIsGone => self.user_is_gone(now),
        }
    }

    fn seen(&self) -> Came {
        let wants = (self.wants_connection().is_some(), self.wants_close());
        Came { frames: None, events: Vec::new(), wants, due: self.poll_timeout() }
    }

    fn came(&mut self, as_before: &Came) -> Came {
        let frames = as_before.frames.as_ref().map(|_| std::iter::from_fn(|| self.poll_transmit()).collect());
        Came { frames, events: std::iter::from_fn(|| self.poll_event()).collect(), ..self.seen() }
    }
}

impl Recorded<Client> {
    pub(super) fn command(&mut self, now: Duration, command: Command) {
        let noted = self.reel.is_some().then(|| command.clone());
        self.machine.command(now, command);
        if let Some(command) = noted {
            self.note(now, || What::Command(command));
        }
    }

    pub(super) fn handle_connected(&mut self, now: Duration) {
        self.machine.handle_connected(now);
        self.note(now, || What::Connected);
    }

    pub(super) fn handle_bytes(&mut self, now: Duration, bytes: &[u8]) {
        self.machine.handle_bytes(now, bytes);
        self.note(now, || What::Bytes(bytes.to_vec()));
    }

    pub(super) fn handle_end(&mut self, now: Duration) {
        self.machine.handle_end(now);
        self.note(now, || What::End);
    }

    pub(super) fn handle_failure(&mut self, now: Duration, error: impl std::fmt::Display) {
        self.machine.handle_failure(now, &error);
        self.note(now, || What::Failure(error.to_string()));
    }

    pub(super) fn handle_closed(&mut self, now: Duration) {
        self.machine.handle_closed(now);
        self.note(now, || What::Closed);
    }

    pub(super) fn handle_timeout(&mut self, now: Duration) {
        self.machine.handle_timeout(now);
        self.note(now, || What::Time);
    }

    pub(super) fn user_is_gone(&mut self, now: Duration) {
        self.machine.user_is_gone(now);
        self.note(now, || What::UserIsGone);
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        let frame = self.machine.poll_transmit();
        self.took(|came| came.frames.get_or_insert_default().extend(frame.clone()));
        frame
    }

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        let event = self.machine.poll_event();
        self.took(|came| came.events.extend(event.clone()));
        event
    }

    pub(super) fn wants_connection(&self) -> Option<&str> {
        self.machine.wants_connection()
    }

    pub(super) fn wants_close(&self) -> bool {
        self.machine.wants_close()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.machine.is_idle()
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        self.machine.poll_timeout()
    }
}
