//! The machine's state and its interface.

use core::fmt;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rand_core::CryptoRng;

use super::connection::Connection;
use super::faults::Broken;
use super::init::PendingInit;
use super::mailbox::{Mailbox, Stored};
use super::messages::Message;
use super::timers::{Timer, Timers};
use super::{Action, Config, ConnectionId, Ending, Event, Store, StoreError};
use crate::crypto::{PrivateKey, Provider, PublicKey};
use crate::ids::{Sid, Uid};

/// The server. See [the module](super) for how to drive it.
pub struct Server {
    pub(super) config: Config,
    pub(super) provider: &'static dyn Provider,
    pub(super) key: PrivateKey,
    pub(super) directory: Arc<BTreeMap<Uid, PublicKey>>,
    pub(super) rng: Box<dyn CryptoRng + Send>,
    pub(super) store: Box<dyn Store + Send>,

    pub(super) connections: BTreeMap<ConnectionId, Connection>,
    next_connection: u64,
    /// The connection of each user that is online; its phase is always `LoggedIn`.
    pub(super) online: BTreeMap<Uid, ConnectionId>,
    /// The pending sessions.
    pub(super) inits: BTreeMap<Sid, PendingInit>,
    /// The rosters of the live sessions.
    pub(super) sessions: BTreeMap<Sid, Arc<[Uid]>>,
    /// The msg_req whose author waits for the msg_res, by their place in the order of all.
    pub(super) messages: BTreeMap<u64, Message>,
    pub(super) next_message: u64,
    /// The lines without an answer, of each user that has some.
    pub(super) mailboxes: BTreeMap<Uid, Mailbox>,
    /// The sum over all mailboxes.
    pub(super) stored: Stored,

    pub(super) timers: Timers,
    /// Connections to end when the current frame is done with.
    pub(super) doomed: VecDeque<(ConnectionId, Ending)>,
    /// Connections whose next init_req may have its turn (INIT-14).
    pub(super) due_inits: VecDeque<ConnectionId>,
    pub(super) actions: VecDeque<Action>,
    events: VecDeque<Event>,
    /// The rule that it is told to break.
    pub(super) broken: Broken,
}

/// Events that are kept when nobody polls them; older ones are dropped.
const EVENTS_KEPT: usize = 1024;

impl Server {
    /// A server with the sessions and lines that `store` kept (MSG-19). `rng` gives keys, OAEP seeds and sids: it must be
    /// unpredictable (LOGIN-05, INIT-04), but in tests.
    ///
    /// # Errors
    /// If the store cannot be read, or holds what no server wrote.
    pub fn new(
        config: Config,
        provider: &'static dyn Provider,
        key: PrivateKey,
        directory: Arc<BTreeMap<Uid, PublicKey>>,
        rng: Box<dyn CryptoRng + Send>,
        mut store: Box<dyn Store + Send>,
    ) -> Result<Self, StoreError> {
        let restored = store.load()?;
        restored.check()?;
        let mut server = Self {
            config,
            provider,
            key,
            directory,
            rng,
            store,
            connections: BTreeMap::new(),
            next_connection: 1,
            online: BTreeMap::new(),
            inits: BTreeMap::new(),
            sessions: restored.sessions.into_iter().map(|session| (session.sid, session.roster.into())).collect(),
            messages: BTreeMap::new(),
            next_message: restored.next_number,
            mailboxes: BTreeMap::new(),
            stored: Stored::default(),
            timers: Timers::default(),
            doomed: VecDeque::new(),
            due_inits: VecDeque::new(),
            actions: VecDeque::new(),
            events: VecDeque::new(),
            broken: Broken::default(),
        };
        for line in restored.lines {
            server.put_into_mailbox(line);
        }
        Ok(server)
    }

    /// A connection was accepted. Over the limit, it is closed at once.
    pub fn connect(&mut self, now: Duration) -> ConnectionId {
        let id = ConnectionId(self.next_connection);
        self.next_connection += 1;
        if self.connections.len() >= self.config.limits.connections {
            self.actions.push_back(Action::Close(id));
            self.event(Event::Ended { connection: id, uid: None, why: Ending::TooManyConnections });
            return id;
        }
        self.connections.insert(id, Connection::new());
        self.timers.set(Timer::Login(id), now.saturating_add(self.config.login_timeout));
        id
    }

    /// The peer's stream has ended: FIN, half-close, or an error of the network. Whole frames before it have counted, a
    /// part of one has no effect (MTP-19).
    pub fn handle_end(&mut self, now: Duration, id: ConnectionId) {
        self.broken.notes_time(now);
        self.around_end(id, Ending::Peer);
        self.settle(now);
    }

    /// Time has passed: does what is due. Never early.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.around_timeout(now);
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Login(id) => self.around_end(id, Ending::LoginTimeout),
                Timer::Invite(sid) => self.around_lapse(sid),
                Timer::Answer(uid) => self.answer_is_overdue(uid),
                Timer::Probe(id) => self.probe(now, id),
                Timer::Status(id) => self.around_end(id, Ending::StatusTimeout),
            }
            self.settle(now);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next, on the clock of `now`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.around_next_timeout(self.timers.next())
    }

    /// What is to be done next.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// What happened, oldest first, for who logs. Who does not poll misses all but the last 1024.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether a user is online.
    #[must_use]
    pub fn is_online(&self, uid: Uid) -> bool {
        self.online.contains_key(&uid)
    }

    /// Lines without an answer, and their bytes, of all users.
    #[must_use]
    pub fn stored(&self) -> (usize, usize) {
        (self.stored.lines, self.stored.bytes)
    }

    /// How many msg_req were accepted whose author waits for the msg_res.
    #[must_use]
    pub fn awaited(&self) -> usize {
        self.messages.len()
    }

    /// The live sessions and their rosters.
    pub fn sessions(&self) -> impl Iterator<Item = (Sid, &[Uid])> {
        self.sessions.iter().map(|(sid, roster)| (*sid, &**roster))
    }

    pub(super) fn event(&mut self, event: Event) {
        if self.events.len() == EVENTS_KEPT {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// Does what a frame, an end or a timer left to do, so that all that it caused is queued before anything else is looked
    /// at (MTP-22).
    pub(super) fn settle(&mut self, now: Duration) {
        loop {
            if let Some((id, why)) = self.doomed.pop_front() {
                self.around_end(id, why);
            } else if let Some(id) = self.due_inits.pop_front() {
                self.next_inits(now, id);
            } else {
                return;
            }
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("online", &self.online)
            .field("inits", &self.inits)
            .field("sessions", &self.sessions)
            .finish_non_exhaustive()
    }
}
