//! A server machine and any number of bare clients in one process, on virtual time: nothing waits, nothing is a race.
//!
//! The clients are frames and keys only, so that they can send whatever a test wants. What the server sends arrives at
//! once, unless a client has stopped reading.

#![allow(unreachable_pub, reason = "the modules of a test binary share it")]

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use mpchat_proto::crypto::{PrivateKey, Provider, PublicKey, default_provider};
use mpchat_proto::frame::{Deframer, FrameType, Header, HeaderError};
use mpchat_proto::ids::{Sid, Uid};
use mpchat_proto::login::{Channel, ClientHalf, ClientLogin};
use mpchat_proto::payload::{write_init_req, write_lines};
use mpchat_proto::server::{Action, Config, ConnectionId, Event, MemoryStore, Server, Store};
use rand::SeedableRng;
use rand::rngs::StdRng;

pub const ALICE: Uid = Uid(0xa11ce);
pub const BOB: Uid = Uid(0xb0b);
pub const CAROL: Uid = Uid(0xca401);
pub const SERVER: Uid = Uid::SERVER;
pub const NONE: Sid = Sid::NONE;

/// Users beyond the cast, all with bob's key: enough of them to exceed every limit on participants.
pub fn crowd(count: u64) -> Vec<Uid> {
    (0..count).map(|n| Uid(0x1000 + n)).collect()
}

pub const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A frame as a client sees it.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    pub typ: FrameType,
    pub sid: Sid,
    pub uid: Uid,
    pub text: String,
}

impl core::fmt::Debug for Frame {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} sid={} uid={} {:?}", self.typ, self.sid, self.uid, self.text)
    }
}

/// What a frame should be. `"error"` stands for any error text.
pub fn frame(typ: FrameType, sid: Sid, uid: Uid, text: &str) -> Frame {
    Frame { typ, sid, uid, text: text.to_owned() }
}

pub fn init_res(sid: Sid, text: &str) -> Frame {
    frame(FrameType::InitRes, sid, SERVER, text)
}

pub fn invite(sid: Sid, creator: Uid) -> Frame {
    frame(FrameType::InviteReq, sid, creator, "")
}

pub fn msg_req(sid: Sid, author: Uid, line: &str) -> Frame {
    frame(FrameType::MsgReq, sid, author, &format!("{line}\n"))
}

pub fn msg_res(sid: Sid, text: &str) -> Frame {
    frame(FrameType::MsgRes, sid, SERVER, text)
}

pub fn close_res(sid: Sid, by: Uid, text: &str) -> Frame {
    frame(FrameType::CloseRes, sid, by, text)
}

pub fn status(sid: Sid, uid: Uid, text: &str) -> Frame {
    frame(FrameType::StatusRes, sid, uid, text)
}

/// How the server has ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    After,
    Aborted,
}

enum State {
    Stranger,
    Login(ClientLogin),
    Half(ClientHalf),
    LoggedIn(Channel),
    Between,
}

pub struct Client {
    pub id: ConnectionId,
    pub uid: Uid,
    pub closed: Option<Closed>,
    /// A client that does not read: nothing is reported as sent.
    pub reads: bool,
    /// Stop in the midst of a login: step 4 is kept here instead of sent.
    pub keep_step_4: bool,
    pub step_4: Option<Vec<u8>>,
    state: State,
    deframer: Deframer,
    inbox: VecDeque<Frame>,
}

/// An index into [`Net::clients`].
pub type C = usize;

pub struct Net {
    pub server: Server,
    pub now: Duration,
    pub clients: Vec<Client>,
    pub store: MemoryStore,
    pub config: Config,
    rng: StdRng,
    seed: u64,
}

impl Net {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        change(&mut config);
        let store = MemoryStore::new();
        let server = server(&config, 1, Box::new(store.clone()));
        let rng = StdRng::seed_from_u64(0);
        Self { server, now: seconds(1000), clients: Vec::new(), store, config, rng, seed: 1 }
    }

    /// The same, but with another store than can be restarted from.
    pub fn with_store(store: Box<dyn Store + Send>) -> Self {
        let mut net = Self::new();
        net.server = server(&net.config, 1, store);
        net
    }

    /// The server process ends, all connections with it, and another one goes on with the store.
    pub fn restart(&mut self) {
        self.seed += 1;
        self.server = server(&self.config, self.seed, Box::new(self.store.clone()));
        self.clients.clear();
    }

    pub fn connect(&mut self) -> C {
        let id = self.server.connect(self.now);
        self.clients.push(Client {
            id,
            uid: Uid::SERVER,
            closed: None,
            reads: true,
            keep_step_4: false,
            step_4: None,
            state: State::Stranger,
            deframer: Deframer::new(),
            inbox: VecDeque::new(),
        });
        self.drive();
        self.clients.len() - 1
    }

    /// Step 1 of a login, not sent.
    pub fn login_request(&mut self, c: C, uid: Uid) -> Vec<u8> {
        let provider = default_provider();
        let (request, login) =
            ClientLogin::start(provider, &mut self.rng, uid, private(provider, uid), &public(provider, SERVER));
        self.clients[c].uid = uid;
        self.clients[c].state = State::Login(login);
        request
    }

    /// Logs in; what comes after the login is in the inbox.
    pub fn login(&mut self, uid: Uid) -> C {
        let c = self.connect();
        let request = self.login_request(c, uid);
        self.raw(c, &request);
        assert!(matches!(self.clients[c].state, State::LoggedIn(_)), "{uid} is not logged in");
        assert!(self.server.is_online(uid));
        c
    }

    /// Logs in but for step 4, which is kept.
    pub fn half_login(&mut self, uid: Uid) -> C {
        let c = self.connect();
        self.clients[c].keep_step_4 = true;
        let request = self.login_request(c, uid);
        self.raw(c, &request);
        assert!(self.clients[c].step_4.is_some());
        c
    }

    pub fn channel(&mut self, c: C) -> &mut Channel {
        match &mut self.clients[c].state {
            State::LoggedIn(channel) => channel,
            _ => panic!("not logged in"),
        }
    }

    /// The next frame of a client, not sent.
    pub fn seal(&mut self, c: C, typ: FrameType, sid: Sid, payload: impl AsRef<[u8]>) -> Vec<u8> {
        let uid = self.clients[c].uid;
        self.channel(c).seal(typ, sid, uid, payload.as_ref()).unwrap()
    }

    /// A frame with this header, sealed as it is; its number counts as used.
    pub fn seal_header(&mut self, c: C, payload: &[u8], change: impl FnOnce(&mut Header)) -> Vec<u8> {
        let uid = self.clients[c].uid;
        let channel = self.channel(c);
        let sqn = channel.next_out().unwrap();
        let mut header = Header::for_payload(FrameType::StatusReq, sqn, Sid::NONE, uid, payload.len(), false);
        change(&mut header);
        let frame = channel.cipher_out().seal(&header, payload, None);
        channel.skip_out(sqn);
        frame
    }

    /// Bytes of a client arrive in one piece.
    pub fn raw(&mut self, c: C, bytes: &[u8]) {
        self.server.handle_bytes(self.now, self.clients[c].id, bytes);
        self.drive();
    }

    pub fn send(&mut self, c: C, typ: FrameType, sid: Sid, payload: impl AsRef<[u8]>) {
        let frame = self.seal(c, typ, sid, payload);
        self.raw(c, &frame);
    }

    pub fn init(&mut self, c: C, invited: &[Uid]) {
        self.send(c, FrameType::InitReq, NONE, write_init_req(invited));
    }

    pub fn accept(&mut self, c: C, sid: Sid) {
        self.send(c, FrameType::InviteRes, sid, "Accept");
    }

    pub fn deny(&mut self, c: C, sid: Sid) {
        self.send(c, FrameType::InviteRes, sid, "Deny");
    }

    pub fn msg(&mut self, c: C, sid: Sid, lines: &[&str]) {
        self.send(c, FrameType::MsgReq, sid, write_lines(lines));
    }

    pub fn answer(&mut self, c: C, sid: Sid, text: &str) {
        self.send(c, FrameType::MsgRes, sid, text);
    }

    pub fn close(&mut self, c: C, sid: Sid) {
        self.send(c, FrameType::CloseReq, sid, "");
    }

    pub fn end(&mut self, c: C) {
        self.server.handle_end(self.now, self.clients[c].id);
        self.drive();
    }

    /// A live session of the first with the others, all hearing of it.
    pub fn session(&mut self, members: &[C]) -> Sid {
        let invited: Vec<Uid> = members[1..].iter().map(|c| self.clients[*c].uid).collect();
        self.init(members[0], &invited);
        let mut sid = NONE;
        for &c in &members[1..] {
            sid = self.invited(c);
            self.accept(c, sid);
        }
        self.expect(members[0], &[init_res(sid, "OK")]);
        sid
    }

    /// The sid of the one invite_req that a client got.
    pub fn invited(&mut self, c: C) -> Sid {
        let frames = self.take(c);
        let [Frame { typ: FrameType::InviteReq, sid, text, .. }] = &*frames else { panic!("{frames:?}") };
        assert_ne!(*sid, NONE);
        assert_eq!(text, "");
        *sid
    }

    /// What a client got since it was last asked.
    pub fn take(&mut self, c: C) -> Vec<Frame> {
        self.clients[c].inbox.drain(..).collect()
    }

    /// A client got exactly this since it was last asked.
    #[track_caller]
    pub fn expect(&mut self, c: C, frames: &[Frame]) {
        let got: Vec<Frame> = self.take(c).into_iter().map(without_error_text).collect();
        assert_eq!(got, frames);
    }

    /// A client has heard nothing, and is served.
    #[track_caller]
    pub fn hears_nothing(&mut self, c: C) {
        self.expect(c, &[]);
        self.send(c, FrameType::StatusReq, NONE, "");
        self.expect(c, &[status(NONE, SERVER, "Online")]);
    }

    /// The server has closed this connection, having said nothing.
    #[track_caller]
    pub fn closed_silently(&mut self, c: C) {
        assert_eq!(self.clients[c].closed, Some(Closed::After));
        self.expect(c, &[]);
    }

    /// Time passes, with every timer at its own moment.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.server.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.server.handle_timeout(self.now);
            self.drive();
        }
        self.now = until;
    }

    pub fn events(&mut self) -> Vec<Event> {
        core::iter::from_fn(|| self.server.poll_event()).collect()
    }

    /// A client that had stopped reading reads again: reports what it got.
    pub fn drive(&mut self) {
        while let Some(action) = self.server.poll_action() {
            match action {
                Action::Send { to, frame } => {
                    let Some(c) = self.clients.iter().position(|client| client.id == to) else { continue };
                    assert_eq!(self.clients[c].closed, None, "a frame after the end");
                    if self.clients[c].reads {
                        self.server.sent(to, frame.len());
                        if let Some(answer) = self.clients[c].receive(&frame) {
                            self.server.handle_bytes(self.now, to, &answer);
                        }
                    }
                }
                Action::Close(id) => self.closed(id, Closed::After),
                Action::Abort(id) => self.closed(id, Closed::Aborted),
            }
        }
    }

    fn closed(&mut self, id: ConnectionId, how: Closed) {
        if let Some(client) = self.clients.iter_mut().find(|client| client.id == id) {
            assert_eq!(client.closed.replace(how), None, "closed twice");
        }
    }
}

impl Client {
    /// Takes a frame of the server; the answer is step 4 of a login.
    fn receive(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut input = bytes;
        let Self { state, deframer, .. } = self;
        let check = |header: &Header| match state {
            State::LoggedIn(channel) => channel.check_header(header),
            _ => Ok::<(), HeaderError>(()),
        };
        let frame = deframer.feed(&mut input, check).unwrap().expect("the server sends whole frames");
        match core::mem::replace(state, State::Between) {
            State::Login(login) => *state = State::Half(login.response(frame).unwrap()),
            State::Half(half) => {
                let (answer, channel) = half.request(frame).unwrap();
                *state = State::LoggedIn(channel);
                if !self.keep_step_4 {
                    return Some(answer);
                }
                self.step_4 = Some(answer);
            }
            State::LoggedIn(mut channel) => {
                let (header, payload) = channel.open(frame).unwrap();
                let text = str::from_utf8(payload).unwrap().to_owned();
                let typ = header.kind().unwrap();
                self.inbox.push_back(Frame { typ, sid: header.sid, uid: header.uid, text });
                *state = State::LoggedIn(channel);
            }
            State::Stranger | State::Between => panic!("a frame for a stranger"),
        }
        None
    }
}

/// Checks PAY-03 on the way.
fn without_error_text(mut frame: Frame) -> Frame {
    let response = matches!(frame.typ, FrameType::InitRes | FrameType::MsgRes | FrameType::CloseRes);
    if response && frame.text != "OK" {
        assert!(!frame.text.is_empty() && frame.text.len() <= 256 && !frame.text.contains('\n'), "{frame:?}");
        frame.text = "error".to_owned();
    }
    frame
}

fn server(config: &Config, seed: u64, store: Box<dyn Store + Send>) -> Server {
    let provider = default_provider();
    let cast = [ALICE, BOB, CAROL].into_iter().chain(crowd(130));
    let directory = Arc::new(cast.map(|uid| (uid, public(provider, uid))).collect());
    let rng = Box::new(StdRng::seed_from_u64(seed));
    Server::new(config.clone(), provider, private(provider, SERVER), directory, rng, store).unwrap()
}

fn private(provider: &dyn Provider, uid: Uid) -> PrivateKey {
    let pem = match uid {
        SERVER => include_str!("../keys/server.key.pem"),
        ALICE => include_str!("../keys/alice.key.pem"),
        CAROL => include_str!("../keys/carol.key.pem"),
        _ => include_str!("../keys/bob.key.pem"),
    };
    provider.private_key(pem).unwrap()
}

pub fn public(provider: &dyn Provider, uid: Uid) -> PublicKey {
    let pem = match uid {
        SERVER => include_str!("../keys/server.pub.pem"),
        ALICE => include_str!("../keys/alice.pub.pem"),
        CAROL => include_str!("../keys/carol.pub.pem"),
        _ => include_str!("../keys/bob.pub.pem"),
    };
    provider.public_key(pem).unwrap()
}
