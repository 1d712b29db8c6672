//! The client of one user, without input and output.
//!
//! **How to drive it: hand in what happens (`command`, `handle_*`), then take what comes out until there is nothing more:
//! `wants_connection`, `poll_transmit`, `poll_event`, `wants_close`, `poll_timeout`.**
//!
//! ```text
//!           connect              handle_connected            steps 2 and 3 came, step 4 sent
//!   Idle -------------> Opening ------------------> Login ----------------------------------> Online
//!    ^                     |  ^                       |                                         |
//!    |                     |  |    end, violation,    | end, violation,       end, violation,   | number 65535
//!    |    end, timeout,    |  |    timeout, leave     | timeout, leave                  leave   | sent (MTP-09)
//!    |    leave            v  |                       v                                         v
//!    |                   Closing <--------------------+-------------------------------------- Spent
//!    |                     |  |                                                 answers are in, or 1 s
//!    +---------------------+  +--> Opening, if number 65535 was sent and the user stays (LOGIN-15)
//!        handle_closed
//! ```
//!
//! Commands are carried out in their order. One that has to wait, for a login or for a roster, holds back those behind it;
//! only [`Command::Leave`] waits for nothing.
//!
//! | module | what it is |
//! | --- | --- |
//! | `command` | what the user wants, and why it is refused |
//! | `event` | what the user is told |
//! | `carry` | commands become frames |
//! | `receive` | frames become events and answers |
//! | `link` | the life of a connection: login, end, login anew |
//! | `outstanding` | requests that wait for their answers |
//! | `memory` | what outlives a connection: sessions, rosters, lines that were shown |
//! | `roster` | whom to trust |
//! | `violation` | why the client closes on the server |
//! | `faults` | with the feature `faults`: how to break one rule; without it, the same seams, empty |
//!
//! A function that is called `around_…` is such a seam: without the feature it calls straight through.

mod carry;
mod command;
mod event;
#[cfg(feature = "faults")]
mod faults;
#[cfg(not(feature = "faults"))]
#[path = "faults/none.rs"]
mod faults;
mod link;
mod memory;
mod outstanding;
mod receive;
mod roster;
mod violation;

use core::fmt;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rand_core::CryptoRng;

pub use command::{Command, Refusal};
pub use event::{End, Event};
#[cfg(feature = "faults")]
pub use faults::Quirk;
pub use roster::{MAX_ROSTER, Untrusted};
pub use violation::Violation;

use crate::crypto::{PrivateKey, Provider, PublicKey};
use crate::frame::Deframer;
use crate::ids::Uid;
use faults::Broken;
use link::Phase;
use memory::Memory;

/// Who the user is, and whom it knows (section 9).
#[derive(Clone, Debug)]
pub struct Identity {
    /// The user.
    pub uid: Uid,
    /// The user's private key.
    pub key: PrivateKey,
    /// The server's public key.
    pub server: PublicKey,
    /// Everyone's public keys.
    pub directory: Arc<BTreeMap<Uid, PublicKey>>,
}

/// How long a client waits, and for how much.
#[derive(Clone, Debug)]
pub struct Config {
    /// A login that takes longer, connecting included, is given up (LOGIN-16).
    pub login_timeout: Duration,
    /// Commands that may wait behind one that has to wait; further ones are refused.
    pub max_waiting: usize,
    /// Sessions that are remembered because the server spoke of them. Invitations beyond are not reported, and so lapse.
    pub max_sessions: usize,
    /// Lines that are remembered as shown (MSG-18), 32 bytes each. Lines beyond are answered with an error text: to
    /// forget older ones would be to show a line twice.
    pub max_shown: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { login_timeout: Duration::from_secs(10), max_waiting: 10_000, max_sessions: 1 << 17, max_shown: 1 << 20 }
    }
}

/// The client of one user: see the [module](self).
///
/// It may connect again and again, also as another user; what it learned as one user stays with that user.
pub struct Client {
    config: Config,
    provider: &'static dyn Provider,
    rng: Box<dyn CryptoRng + Send>,
    phase: Phase,
    deframer: Deframer,
    identity: Option<Identity>,
    /// Of the last connect, to log in anew (MTP-09).
    address: String,
    memory: Memory,
    /// Memories of users that are not [`Self::identity`].
    stowed: BTreeMap<Uid, Memory>,
    waiting: VecDeque<Command>,
    transmits: VecDeque<Vec<u8>>,
    events: VecDeque<Event>,
    broken: Broken,
}

impl Client {
    /// A client that is not connected.
    #[must_use]
    pub fn new(config: Config, provider: &'static dyn Provider, rng: Box<dyn CryptoRng + Send>) -> Self {
        Self {
            config,
            provider,
            rng,
            phase: Phase::Idle,
            deframer: Deframer::new(),
            identity: None,
            address: String::new(),
            memory: Memory::default(),
            stowed: BTreeMap::new(),
            waiting: VecDeque::new(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            broken: Broken::default(),
        }
    }

    /// The user wants something. Each command leads to frames, an event, or both; at once or when its turn comes.
    pub fn command(&mut self, now: Duration, command: Command) {
        match command {
            Command::Leave => self.around_leave(now),
            command if self.waiting.len() >= self.config.max_waiting => self.refuse(&command, Refusal::TooManyWaiting),
            command => self.waiting.push_back(command),
        }
        self.work(now);
    }

    /// The connection that [`wants_connection`](Self::wants_connection) asked for is there.
    pub fn handle_connected(&mut self, now: Duration) {
        self.connected();
        self.work(now);
    }

    /// Bytes have come, cut in any way (MTP-16). Frames count in their order (MTP-20).
    pub fn handle_bytes(&mut self, now: Duration, bytes: &[u8]) {
        self.around_bytes(now, bytes);
        self.work(now);
    }

    /// The server's stream has ended (MTP-19). What is left of a frame has no effect.
    pub fn handle_end(&mut self, now: Duration) {
        self.around_stream_end(now);
        self.work(now);
    }

    /// The connection could not be opened, or broke; `error` says how.
    pub fn handle_failure(&mut self, now: Duration, error: impl fmt::Display) {
        self.around_end(now, End::Failed(error.to_string()));
        self.work(now);
    }

    /// The connection that [`wants_close`](Self::wants_close) wanted to be closed is closed.
    pub fn handle_closed(&mut self, now: Duration) {
        self.closed(now);
        self.work(now);
    }

    /// Time has passed: at [`poll_timeout`](Self::poll_timeout) or whenever.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.around_timeout(now);
        if self.phase.deadline().is_some_and(|due| due <= now) {
            self.timed_out(now);
        }
        self.work(now);
    }

    /// Where to open a connection to, if one is wanted: the address of the [`Command::Connect`]. Stays so until
    /// [`handle_connected`](Self::handle_connected), [`handle_failure`](Self::handle_failure) or the wish to close.
    #[must_use]
    pub fn wants_connection(&self) -> Option<&str> {
        matches!(self.phase, Phase::Opening { .. }).then_some(&*self.address)
    }

    /// The next bytes to send: one frame.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmits.pop_front()
    }

    /// The next thing to tell the user, in the order of the frames that caused them.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.around_next_timeout(self.phase.deadline())
    }

    /// Whether the connection, open or being opened, is to be closed (by FIN, MTP-13), once all that
    /// [`poll_transmit`](Self::poll_transmit) has is sent; then [`handle_closed`](Self::handle_closed) is due.
    #[must_use]
    pub fn wants_close(&self) -> bool {
        matches!(self.phase, Phase::Closing { .. })
    }

    /// Whether there is neither a connection nor the wish for one.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle)
    }

    /// Commands that wait for their turn.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The user has gone, and nobody is left to be told: commands that wait are forgotten, and the client leaves.
    pub fn user_is_gone(&mut self, now: Duration) {
        self.waiting.clear();
        if !self.is_idle() {
            self.around_user_gone(now);
            self.work(now);
        }
    }

    fn refuse(&mut self, command: &Command, error: Refusal) {
        self.events.push_back(Event::Refused { command: command.name(), error });
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("uid", &self.identity.as_ref().map(|identity| identity.uid))
            .field("phase", &self.phase)
            .field("waiting", &self.waiting.len())
            .finish_non_exhaustive()
    }
}
