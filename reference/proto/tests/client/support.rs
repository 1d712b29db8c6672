//! A client machine and a server side made by hand, in virtual time. The server side says whatever a test wants it to.

#![allow(unreachable_pub, reason = "the modules of a test binary share it")]

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use mpchat_proto::client::{Client, Command, Config, End, Event, Identity, Refusal};
use mpchat_proto::crypto::{PrivateKey, Provider, PublicKey, default_provider};
use mpchat_proto::envelope;
use mpchat_proto::frame::{Deframer, FrameType, Header, HeaderError};
use mpchat_proto::ids::{Sid, Uid};
use mpchat_proto::login::{Channel, ServerLogin};
use mpchat_proto::payload::{Response, write_lines};
use rand::SeedableRng;
use rand::rngs::StdRng;

pub const ALICE: Uid = Uid(0xa11ce);
pub const BOB: Uid = Uid(0xb0b00);
pub const CAROL: Uid = Uid(0xca401e);
pub const SERVER: Uid = Uid::SERVER;
pub const NONE: Sid = Sid::NONE;
pub const ADDRESS: &str = "chat.example:5150";
pub const S: Sid = Sid(0x5f0c_9a1b_e2d3_4477);
pub const T: Sid = Sid(0xffff_0000_0000_0001);

macro_rules! kit {
    ($name:literal) => {
        include_str!(concat!("../../../../harness/kit/", $name, ".pem"))
    };
}

/// Uid, private key and public key of alice, bob and carol.
static USERS: LazyLock<Vec<(Uid, PrivateKey, PublicKey)>> = LazyLock::new(|| {
    let pems = [
        (ALICE, kit!("00000000000a11ce.key"), kit!("00000000000a11ce.pub")),
        (BOB, kit!("00000000000b0b00.key"), kit!("00000000000b0b00.pub")),
        (CAROL, kit!("0000000000ca401e.key"), kit!("0000000000ca401e.pub")),
    ];
    let read = |(uid, private, public)| {
        (uid, provider().private_key(private).unwrap(), provider().public_key(public).unwrap())
    };
    pems.into_iter().map(read).collect()
});
static SERVER_KEY: LazyLock<PrivateKey> = LazyLock::new(|| provider().private_key(kit!("server.key")).unwrap());

pub fn provider() -> &'static dyn Provider {
    default_provider()
}

pub fn private(uid: Uid) -> PrivateKey {
    USERS.iter().find(|user| user.0 == uid).unwrap().1.clone()
}

pub fn public(uid: Uid) -> PublicKey {
    USERS.iter().find(|user| user.0 == uid).unwrap().2.clone()
}

pub fn identity(uid: Uid) -> Identity {
    let directory: BTreeMap<_, _> = USERS.iter().map(|user| (user.0, user.2.clone())).collect();
    Identity { uid, key: private(uid), server: SERVER_KEY.public(), directory: Arc::new(directory) }
}

pub fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub fn ok() -> Response {
    Response::Ok
}

pub fn error() -> Response {
    Response::Error("no".to_owned())
}

/// A frame as the server side sees it: type, sid, payload as text.
pub type Seen = (FrameType, Sid, String);

pub fn seen(typ: FrameType, sid: Sid, payload: &str) -> Seen {
    (typ, sid, payload.to_owned())
}

pub struct Pair {
    pub client: Client,
    pub now: Duration,
    pub rng: StdRng,
    /// The server's end, once logged in.
    pub server: Option<Channel>,
    deframer: Deframer,
}

impl Pair {
    /// A client that is not connected.
    pub fn idle() -> Self {
        Self::with(Config::default())
    }

    pub fn with(config: Config) -> Self {
        let client = Client::new(config, provider(), Box::new(StdRng::seed_from_u64(1)));
        let rng = StdRng::seed_from_u64(2);
        Self { client, now: secs(1000), rng, server: None, deframer: Deframer::new() }
    }

    /// `uid`, online.
    pub fn online(uid: Uid) -> Self {
        let mut pair = Self::idle();
        pair.log_in(uid);
        pair
    }

    pub fn log_in(&mut self, uid: Uid) {
        self.connect(uid);
        self.finish_login();
        assert_eq!(self.events(), [Event::Online]);
    }

    pub fn connect(&mut self, uid: Uid) {
        self.command(Command::Connect { address: ADDRESS.to_owned(), identity: Box::new(identity(uid)) });
    }

    /// Opens the connection that the client wants, and carries out the login on it.
    pub fn finish_login(&mut self) {
        self.open();
        let mut step_1 = self.client.poll_transmit().unwrap();
        let lookup = |uid| Some(public(uid));
        let (step_2, step_3, half) =
            ServerLogin::request(provider(), &mut self.rng, &SERVER_KEY, lookup, &mut step_1).unwrap();
        self.bytes(&step_2);
        self.bytes(&step_3);
        let mut step_4 = self.client.poll_transmit().unwrap();
        self.server = Some(half.response(&mut step_4).unwrap());
    }

    /// Opens the connection that the client wants.
    pub fn open(&mut self) {
        assert_eq!(self.client.wants_connection(), Some(ADDRESS));
        self.server = None;
        self.deframer = Deframer::new();
        self.client.handle_connected(self.now);
    }

    pub fn command(&mut self, command: Command) {
        self.client.command(self.now, command);
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.client.handle_bytes(self.now, bytes);
    }

    /// The server's end.
    pub fn channel(&mut self) -> &mut Channel {
        self.server.as_mut().unwrap()
    }

    /// A frame that the server side would send next.
    pub fn frame(&mut self, typ: FrameType, sid: Sid, uid: Uid, payload: impl AsRef<[u8]>) -> Vec<u8> {
        self.channel().seal(typ, sid, uid, payload.as_ref()).unwrap()
    }

    /// The server side says something.
    pub fn say(&mut self, typ: FrameType, sid: Sid, uid: Uid, payload: impl AsRef<[u8]>) {
        let frame = self.frame(typ, sid, uid, payload);
        self.bytes(&frame);
    }

    /// A text of `author` for `reader`, delivered in `sid` as from `author`.
    pub fn deliver(&mut self, sid: Sid, author: Uid, reader: Uid, text: &str) {
        let line = self.line(sid, author, reader, text);
        self.say(FrameType::MsgReq, sid, author, write_lines([line]));
    }

    pub fn line(&mut self, sid: Sid, author: Uid, reader: Uid, text: &str) -> String {
        envelope::seal(provider(), &mut self.rng, &public(reader), sid, author, reader, text)
    }

    /// A roster is told, everybody online.
    pub fn tell_roster(&mut self, sid: Sid, roster: &[Uid]) {
        for &uid in roster {
            self.say(FrameType::StatusRes, sid, uid, "Online");
        }
        self.say(FrameType::StatusRes, sid, SERVER, "Online");
    }

    /// What the client has sent since, each frame checked and opened.
    pub fn heard(&mut self) -> Vec<Seen> {
        let mut seen = Vec::new();
        while let Some(frame) = self.client.poll_transmit() {
            let channel = self.server.as_mut().unwrap();
            let mut bytes = &frame[..];
            while let Some(frame) =
                self.deframer.feed::<HeaderError>(&mut bytes, |header| channel.check_header(header)).unwrap()
            {
                let (header, payload): (Header, _) = channel.open(frame).unwrap();
                seen.push((header.kind().unwrap(), header.sid, String::from_utf8(payload.to_vec()).unwrap()));
            }
        }
        seen
    }

    pub fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.client.poll_event()).collect()
    }

    /// Time passes to the client's own deadline, which must be `after` from now.
    pub fn pass(&mut self, after: Duration) {
        assert_eq!(self.client.poll_timeout(), Some(self.now + after));
        self.client.handle_timeout(self.now + after - Duration::from_millis(1));
        assert!(!self.client.wants_close(), "a timer is never early");
        self.now += after;
        self.client.handle_timeout(self.now);
    }

    /// The client has closed, as it wants, and what it says then is only that it is disconnected.
    pub fn closes(&mut self) -> (End, bool) {
        assert!(self.client.wants_close());
        self.client.handle_closed(self.now);
        match &self.events()[..] {
            [Event::Disconnected { end, anew }] => (end.clone(), *anew),
            other => panic!("{other:?}"),
        }
    }

    /// The client closes because of the frame that it got: nothing was sent for it, nothing shown. Gives the rule.
    pub fn closes_on_violation(&mut self) -> &'static str {
        assert_eq!(self.heard(), []);
        let (end, anew) = self.closes();
        assert!(!anew);
        match end {
            End::Violation { error } => error.rule(),
            other => panic!("{other:?}"),
        }
    }

    /// Whether the client still answers.
    pub fn is_served(&mut self) {
        assert_eq!((self.heard(), self.events()), (vec![], vec![]));
        self.say(FrameType::StatusReq, NONE, SERVER, "");
        assert_eq!(self.heard(), [seen(FrameType::StatusRes, NONE, "Online")]);
        assert_eq!(self.events(), []);
    }

    /// The only thing that the client says is that it refuses.
    pub fn refuses(&mut self, command: Command) -> Refusal {
        let name = command.name();
        self.command(command);
        assert_eq!(self.heard(), []);
        match &self.events()[..] {
            [Event::Refused { command, error }] if *command == name => error.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// The session `S` of a client that is invited to it by `inviter` and accepts.
    pub fn accept(&mut self, inviter: Uid) {
        self.say(FrameType::InviteReq, S, inviter, "");
        assert_eq!(self.events(), [Event::Invited { sid: S, from: inviter }]);
        self.command(Command::Answer { sid: S, accept: true });
        assert_eq!(self.heard(), [seen(FrameType::InviteRes, S, "Accept")]);
    }

    /// The session `S` of a client that creates it.
    pub fn create(&mut self, invite: &[Uid]) {
        self.command(Command::Init { invite: invite.to_vec() });
        let names: String = invite.iter().map(|uid| format!("{uid}\n")).collect();
        assert_eq!(self.heard(), [seen(FrameType::InitReq, NONE, &names)]);
        self.say(FrameType::InitRes, S, SERVER, "OK");
        assert_eq!(self.events(), [Event::Init { sid: S, result: ok() }]);
    }
}

pub fn send(sid: Sid, text: &str) -> Command {
    Command::Send { sid, text: text.to_owned() }
}
