//! One user in one round: first asks for what is due, then makes load until the server dies.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use mpchat_peer::client::{self, ClientHandle, ClientOptions};
use mpchat_peer::kit::ClientKit;
use mpchat_proto::client::{Command, Event, Refusal};
use mpchat_proto::ids::{Sid, Uid};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::{Barrier, Notify};

use crate::book::Book;
use crate::{ALICE, BOB, CAROL, DAVE};

/// Requests of one user that wait for their answers.
const OUTSTANDING: usize = 6;

/// Sessions of one user; then it closes some.
const SESSIONS: usize = 5;

/// What the users of a round share.
pub(crate) struct Round {
    book: Arc<Mutex<Book>>,
    /// All know that what was told before holds.
    checked: Barrier,
    /// Events until the kill.
    left: AtomicU64,
    pub(crate) enough: Notify,
    pub(crate) killed: AtomicBool,
}

struct User {
    round: Arc<Round>,
    uid: Uid,
    client: ClientHandle,
    rng: StdRng,
    outstanding: usize,
    /// Texts without an answer, by session.
    sent: BTreeMap<Sid, VecDeque<String>>,
    /// Whom the init that waits for its answer invites.
    inviting: Option<Vec<Uid>>,
}

impl Round {
    pub(crate) fn new(book: Arc<Mutex<Book>>, users: usize, events: u64) -> Self {
        let (left, checked) = (AtomicU64::new(events), Barrier::new(users));
        Self { book, checked, left, enough: Notify::new(), killed: AtomicBool::new(false) }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap()
    }

    fn count(&self) {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.enough.notify_one();
        }
    }
}

/// Until the server is gone, and all that it sent is taken.
pub(crate) async fn drive(round: Arc<Round>, kit: ClientKit, address: String, seed: u64) {
    let uid = kit.uid;
    let client = client::start(ClientOptions::default());
    client.command(client::connect(address, kit)).await;
    let (rng, sent) = (StdRng::seed_from_u64(seed), BTreeMap::new());
    let mut user = User { round, uid, client, rng, outstanding: 0, sent, inviting: None };
    if user.ask().await {
        let round = Arc::clone(&user.round);
        round.checked.wait().await;
        user.load().await;
    }
    user.client.finish().await;
}

impl User {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.round.book()
    }

    /// What is due after the login. `false` if the server is gone.
    async fn ask(&mut self) -> bool {
        // The server answers a request after it has sent what the login made due, and processed the answers before it.
        if !self.fence().await {
            return false;
        }
        self.book().has_all(self.uid);
        if !self.fence().await {
            return false;
        }
        self.book().has_answered(self.uid);
        let questions = self.book().questions(self.uid);
        for sid in questions {
            self.client.command(Command::Status { sid }).await;
            if !self.until_status(sid).await {
                return false;
            }
        }
        true
    }

    async fn fence(&mut self) -> bool {
        self.client.command(Command::Status { sid: Sid::NONE }).await;
        self.until_status(Sid::NONE).await
    }

    async fn until_status(&mut self, asked: Sid) -> bool {
        while let Some(event) = self.client.event().await {
            match event {
                Event::Status { sid, state, members } if sid == asked => {
                    self.book().told(sid, state, &members);
                    return true;
                }
                Event::Online => {}
                event => {
                    if !self.take(event).await {
                        break;
                    }
                }
            }
        }
        // So that nobody waits for ever.
        self.round.enough.notify_one();
        false
    }

    async fn load(&mut self) {
        loop {
            while self.outstanding < OUTSTANDING && self.act().await {}
            let Some(event) = self.client.event().await else { return };
            if !self.take(event).await {
                return;
            }
            self.round.count();
        }
    }

    /// A request, chosen at random. `false` if there is none to make.
    async fn act(&mut self) -> bool {
        let (live, made) = self.book().sessions(self.uid);
        let choice = self.rng.random_range(0..100);
        let command = if made.len() > SESSIONS || (choice < 3 && !made.is_empty()) {
            let sid = made[self.rng.random_range(0..made.len())];
            self.book().asks_to_close(sid);
            Command::Close { sid }
        } else if (choice < 15 || live.is_empty()) && self.inviting.is_none() {
            let mut invite: Vec<Uid> = [ALICE, BOB, CAROL, DAVE].into_iter().filter(|uid| *uid != self.uid).collect();
            let first = self.rng.random_range(0..invite.len());
            invite.rotate_left(first);
            invite.truncate(self.rng.random_range(1..=3));
            self.inviting = Some(invite.clone());
            Command::Init { invite }
        } else if live.is_empty() {
            return false;
        } else {
            let sid = live[self.rng.random_range(0..live.len())];
            // Between the two looks at the book, somebody may have asked to close it: as good as any.
            let text = self.book().send(sid, self.uid);
            self.sent.entry(sid).or_default().push_back(text.clone());
            Command::Send { sid, text }
        };
        self.outstanding += 1;
        self.client.command(command).await;
        true
    }

    /// `false` if the server is gone.
    async fn take(&mut self, event: Event) -> bool {
        match event {
            Event::Invited { sid, .. } => {
                self.book().invited(sid, self.uid);
                let accept = self.rng.random_bool(0.8);
                if !accept {
                    self.book().denies(sid, self.uid);
                }
                self.client.command(Command::Answer { sid, accept }).await;
            }
            Event::Init { sid, result } => {
                self.outstanding -= 1;
                let invited = self.inviting.take().unwrap();
                if result.is_ok() {
                    self.book().opened(sid, self.uid, &invited);
                }
            }
            Event::Message { text, .. } => self.book().shown(&text, self.uid),
            Event::Sent { sid, result } => {
                self.outstanding -= 1;
                let text = self.sent.get_mut(&sid).and_then(VecDeque::pop_front).unwrap();
                self.book().sent(&text, result.is_ok());
            }
            Event::Close { sid, .. } => {
                self.outstanding -= 1;
                self.book().closed(sid);
            }
            Event::Closed { sid, .. } => self.book().closed(sid),
            Event::Refused { command: "send", error: Refusal::Closed(sid) | Refusal::NoRoster(sid) }
                if !self.book().is_live(sid) =>
            {
                self.outstanding -= 1;
                self.sent.get_mut(&sid).and_then(VecDeque::pop_back);
            }
            Event::Refused { command: "close", error: Refusal::Closed(_) } => self.outstanding -= 1,
            Event::Disconnected { end, .. } => {
                if !self.round.killed.load(Ordering::SeqCst) {
                    self.book().broken(format!("{} is disconnected before the kill: {end}", self.uid));
                    self.round.enough.notify_one();
                }
                return false;
            }
            // The kill may come first.
            Event::Refused { error: Refusal::NotConnected | Refusal::Ended, .. } => {}
            Event::Online | Event::Status { .. } => {}
            event @ Event::Refused { .. } => self.book().broken(format!("{}: {event:?}", self.uid)),
        }
        true
    }
}
