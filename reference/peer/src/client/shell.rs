//! The task around the machine.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use mpchat_proto::client::{Client, Command, Event};
use rand::rngs::StdRng;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::debug;

use super::ClientOptions;
use crate::tcp;

/// While more bytes than this wait to be sent, nothing is read: what is read may have to be answered.
const MAX_OUT: usize = 1 << 20;

/// Runs until `commands` is closed and the connection, if any, too.
pub(super) async fn run(options: ClientOptions, mut commands: mpsc::Receiver<Command>, events: mpsc::Sender<Event>) {
    let mut shell = Shell::new(options);
    let mut user_is_there = true;
    loop {
        shell.settle().await;
        if !user_is_there && shell.client.is_idle() {
            break;
        }
        let due = shell.client.poll_timeout().map(|due| shell.start + due);
        tokio::select! {
            command = commands.recv(), if user_is_there => match command {
                Some(command) => shell.client.command(shell.now(), command),
                None => {
                    user_is_there = false;
                    shell.user_is_gone();
                }
            },
            room = events.reserve(), if !shell.events.is_empty() => match (room, shell.events.pop_front()) {
                (Ok(room), Some(event)) => room.send(event),
                // Nobody listens, but commands may still come.
                _ => shell.events.clear(),
            },
            () = sleep_until(due) => shell.client.handle_timeout(shell.now()),
            progress = shell.link.progress(shell.events.is_empty()) => shell.progressed(progress),
        }
    }
    for event in shell.events {
        if events.send(event).await.is_err() {
            break;
        }
    }
    // The process may end when this task does, and a socket that it leaves open then might take back what was sent.
    shell.ending.join_all().await;
}

struct Shell {
    client: Client,
    start: Instant,
    link: Link,
    /// Not yet taken by the user.
    events: VecDeque<Event>,
    /// Connections whose FIN is sent, and whose peer's is awaited.
    ending: JoinSet<()>,
}

enum Link {
    None,
    Opening(Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>),
    Open(Open),
}

struct Open {
    stream: TcpStream,
    /// To be sent.
    out: VecDeque<u8>,
    /// The peer takes no more; whether it still says something is up to the reading.
    deaf: bool,
    buffer: Vec<u8>,
}

/// What happened on a link.
enum Progress {
    Opened(TcpStream),
    /// So many bytes are at the front of the buffer.
    Read(usize),
    End,
    Failed(io::Error),
    /// Something was sent, or nothing happened after all.
    Nothing,
}

impl Shell {
    fn new(ClientOptions { config, provider }: ClientOptions) -> Self {
        let client = Client::new(config, provider, Box::new(rand::make_rng::<StdRng>()));
        let (link, events, ending) = (Link::None, VecDeque::new(), JoinSet::new());
        Self { client, start: Instant::now(), link, events, ending }
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Takes all that comes out of the machine.
    async fn settle(&mut self) {
        loop {
            if let Link::Open(open) = &mut self.link {
                while let Some(frame) = self.client.poll_transmit() {
                    open.out.extend(frame);
                }
            }
            while let Some(event) = self.client.poll_event() {
                debug!(?event);
                self.events.push_back(event);
            }
            while self.ending.try_join_next().is_some() {}
            if self.client.wants_close() {
                if let Link::Open(Open { mut stream, mut out, .. }) = std::mem::replace(&mut self.link, Link::None) {
                    let peer_hears = tcp::finish_sending(&mut stream, out.make_contiguous()).await;
                    if peer_hears {
                        self.ending.spawn(tcp::drain(stream));
                    }
                }
                self.client.handle_closed(self.now());
                continue;
            }
            if let (Some(address), Link::None) = (self.client.wants_connection(), &self.link) {
                debug!(address, "connecting");
                self.link = Link::Opening(Box::pin(open(address.to_owned())));
            }
            return;
        }
    }

    fn progressed(&mut self, progress: Progress) {
        let now = self.now();
        match progress {
            Progress::Opened(stream) => {
                let (out, buffer) = (VecDeque::new(), vec![0; tcp::READ]);
                self.link = Link::Open(Open { stream, out, deaf: false, buffer });
                self.client.handle_connected(now);
            }
            Progress::Read(count) => {
                if let Link::Open(open) = &self.link {
                    self.client.handle_bytes(now, &open.buffer[..count]);
                }
            }
            Progress::End => self.client.handle_end(now),
            Progress::Failed(error) => self.client.handle_failure(now, error),
            Progress::Nothing => {}
        }
    }

    fn user_is_gone(&mut self) {
        self.client.drop_waiting();
        if !self.client.is_idle() {
            self.client.command(self.now(), Command::Leave);
        }
    }
}

impl Link {
    /// Waits until something happens; for ever, if there is no link. Reads only if `reading`. May be dropped at any time
    /// without losing anything.
    async fn progress(&mut self, reading: bool) -> Progress {
        match self {
            Self::None => std::future::pending().await,
            Self::Opening(opening) => match opening.await {
                Ok(stream) => Progress::Opened(stream),
                Err(error) => Progress::Failed(error),
            },
            Self::Open(open) => open.progress(reading).await,
        }
    }
}

impl Open {
    async fn progress(&mut self, reading: bool) -> Progress {
        let reads = (reading && self.out.len() < MAX_OUT).then_some(Interest::READABLE);
        let writes = (!self.out.is_empty()).then_some(Interest::WRITABLE);
        let interest = match (reads, writes) {
            (Some(reads), Some(writes)) => reads | writes,
            (Some(interest), None) | (None, Some(interest)) => interest,
            (None, None) => return std::future::pending().await,
        };
        let ready = match self.stream.ready(interest).await {
            Ok(ready) => ready,
            Err(error) => return Progress::Failed(error),
        };
        if ready.is_writable() {
            match self.stream.try_write(self.out.make_contiguous()) {
                Ok(count) => drop(self.out.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => self.deaf = true,
            }
            if self.deaf {
                self.out.clear();
            }
        }
        if reads.is_none() || !ready.is_readable() {
            return Progress::Nothing;
        }
        match self.stream.try_read(&mut self.buffer) {
            Ok(0) => Progress::End,
            Ok(count) => Progress::Read(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Progress::Nothing,
            Err(error) => Progress::Failed(error),
        }
    }
}

async fn open(address: String) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
