//! An embedded server, clients as tasks, and a client made by hand that may misbehave.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use mpchat_peer::client::{self, ClientHandle, ClientOptions};
use mpchat_peer::kit::{Kit, KitFiles};
use mpchat_peer::server::{self, ServerHandle, ServerOptions};
use mpchat_proto::client::Event;
use mpchat_proto::crypto::default_provider;
use mpchat_proto::frame::{Deframer, FrameType, HeaderError, MIN_LEN};
use mpchat_proto::ids::{Sid, Uid};
use mpchat_proto::login::{Channel, ClientLogin};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

pub const ALICE: Uid = Uid(0xa11ce);
pub const BOB: Uid = Uid(0xb0b00);
pub const CAROL: Uid = Uid(0xca401e);

/// Longer than anything here takes; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

pub static KIT: LazyLock<Kit> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../harness/kit");
    Kit::load(KitFiles::read(&folder).unwrap(), default_provider()).unwrap()
});

pub fn options() -> ServerOptions {
    ServerOptions::new(KIT.server().unwrap())
}

pub async fn start(options: ServerOptions) -> ServerHandle {
    server::bind("127.0.0.1:0", options).await.unwrap()
}

/// Ends the test if it takes too long.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("within the test's patience")
}

pub async fn event(client: &mut ClientHandle) -> Event {
    soon(client.event()).await.expect("the client runs")
}

/// A client task, online.
pub async fn online(server: &ServerHandle, uid: Uid) -> ClientHandle {
    let mut client = client::start(ClientOptions::default());
    client.command(client::connect(server.address().to_string(), KIT.client(uid).unwrap())).await;
    assert_eq!(event(&mut client).await, Event::Online);
    client
}

/// A client made by hand.
pub struct Raw {
    pub stream: TcpStream,
    pub channel: Channel,
    deframer: Deframer,
}

impl Raw {
    /// Logged in; with a small window, so that it soon holds the server up when it does not read.
    pub async fn log_in(server: &ServerHandle, uid: Uid) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(server.address()).await.unwrap();
        let mut rng = StdRng::seed_from_u64(uid.0);
        let key = KIT.private(uid).unwrap();
        let (step_1, login) = ClientLogin::start(default_provider(), &mut rng, uid, key, KIT.server_public());
        stream.write_all(&step_1).await.unwrap();
        let mut step_2 = [0; MIN_LEN + 6 + 256];
        stream.read_exact(&mut step_2).await.unwrap();
        let mut step_3 = [0; MIN_LEN];
        stream.read_exact(&mut step_3).await.unwrap();
        let (step_4, channel) = login.response(&mut step_2).unwrap().request(&mut step_3).unwrap();
        stream.write_all(&step_4).await.unwrap();
        Self { stream, channel, deframer: Deframer::new() }
    }

    pub fn status_req(&mut self) -> Vec<u8> {
        let uid = self.channel.uid;
        self.channel.seal(FrameType::StatusReq, Sid::NONE, uid, b"").unwrap()
    }

    /// Counts the frames until the peer's FIN. An RST is a failure.
    pub async fn frames_to_the_end(&mut self) -> usize {
        let (mut count, mut buffer) = (0, vec![0; 4096]);
        loop {
            let read = soon(self.stream.read(&mut buffer)).await.expect("FIN, not RST");
            if read == 0 {
                assert_eq!(self.deframer.partial(), 0, "part of a frame");
                return count;
            }
            let mut bytes = &buffer[..read];
            while let Some(frame) =
                self.deframer.feed::<HeaderError>(&mut bytes, |header| self.channel.check_header(header)).unwrap()
            {
                self.channel.open(frame).unwrap();
                count += 1;
            }
        }
    }
}
