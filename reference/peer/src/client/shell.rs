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

use super::style::Style;
use super::{ClientOptions, Machine};
use crate::tcp;

/// While more bytes than this wait to be sent, nothing is read: what is read may have to be answered.
const MAX_OUT: usize = 1 << 20;
/// While more events than this wait for the user, no command is taken: each may be refused, which is an event.
const MAX_EVENTS: usize = 10_000;

/// Runs until `commands` is closed and the connection, if any, too.
pub(super) async fn run(options: ClientOptions, mut commands: mpsc::Receiver<Command>, events: mpsc::Sender<Event>) {
    let mut shell = Shell::new(&options);
    let mut user_is_there = true;
    loop {
        shell.settle().await;
        if !user_is_there && shell.client.is_idle() {
            break;
        }
        let due = shell.client.poll_timeout().map(|due| shell.start + due);
        tokio::select! {
            command = commands.recv(), if user_is_there && shell.events.len() < MAX_EVENTS => match command {
                Some(command) => shell.client.command(shell.now(), command),
                None => {
                    user_is_there = false;
                    shell.client.user_is_gone(shell.now());
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
    client: Machine,
    start: Instant,
    link: Link,
    /// Not yet taken by the user.
    events: VecDeque<Event>,
    /// Connections whose FIN is sent, and whose peer's is awaited.
    ending: JoinSet<()>,
    style: Style,
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
    /// The peer says no more.
    ended: bool,
    buffer: Vec<u8>,
    style: Style,
    /// When what waits to be sent may go.
    not_before: Instant,
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
    fn new(options: &ClientOptions) -> Self {
        let (link, events, ending) = (Link::None, VecDeque::new(), JoinSet::new());
        Self { client: machine(options), start: Instant::now(), link, events, ending, style: style(options) }
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Takes all that comes out of the machine.
    async fn settle(&mut self) {
        loop {
            if let Link::Open(open) = &mut self.link {
                while let Some(frame) = self.client.poll_transmit() {
                    open.queue(frame);
                }
            }
            while let Some(event) = self.client.poll_event() {
                debug!(?event);
                self.events.push_back(event);
            }
            while self.ending.try_join_next().is_some() {}
            if self.client.wants_close() {
                if let Link::Open(open) = std::mem::replace(&mut self.link, Link::None)
                    && let Some(stream) = open.finish().await
                {
                    self.ending.spawn(tcp::drain(stream));
                }
                self.client.handle_closed(self.now());
                continue;
            }
            if let (Some(address), Link::None) = (self.client.wants_connection(), &self.link) {
                debug!(address, "connecting");
                self.link = Link::Opening(Box::pin(open(address.to_owned(), self.style)));
            }
            return;
        }
    }

    fn progressed(&mut self, progress: Progress) {
        let now = self.now();
        match progress {
            Progress::Opened(stream) => {
                self.link = Link::Open(Open::new(stream, self.style));
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
    fn new(stream: TcpStream, style: Style) -> Self {
        let (out, buffer) = (VecDeque::new(), vec![0; tcp::READ]);
        Self { stream, out, deaf: false, ended: false, buffer, style, not_before: Instant::now() }
    }

    fn queue(&mut self, frame: Vec<u8>) {
        if let (Some(more), true) = (self.style.waits, self.out.is_empty()) {
            self.not_before = Instant::now() + more;
        }
        self.out.extend(frame);
    }

    /// Sends the rest and ends. The stream, if the peer's end is to be waited for.
    async fn finish(self) -> Option<TcpStream> {
        let Self { mut stream, mut out, style, .. } = self;
        let rest = out.make_contiguous();
        if style.resets {
            tcp::reset(stream, rest).await;
            return None;
        }
        tcp::finish_sending(&mut stream, rest).await.then_some(stream)
    }

    async fn progress(&mut self, reading: bool) -> Progress {
        let reads = (reading && !self.ended && self.out.len() < MAX_OUT).then_some(Interest::READABLE);
        let may_write = !self.out.is_empty() && self.not_before <= Instant::now();
        let writes = may_write.then_some(Interest::WRITABLE);
        let interest = match (reads, writes) {
            (Some(reads), Some(writes)) => Some(reads | writes),
            (interest, None) | (None, interest) => interest,
        };
        let stream = &self.stream;
        let ready = async {
            match interest {
                Some(interest) => stream.ready(interest).await,
                None => std::future::pending().await,
            }
        };
        let ready = tokio::select! {
            ready = ready => ready,
            () = sleep_until(Some(self.not_before)), if !may_write && !self.out.is_empty() => return Progress::Nothing,
        };
        let ready = match ready {
            Ok(ready) => ready,
            Err(error) => return Progress::Failed(error),
        };
        if ready.is_writable() {
            let part = self.style.part(self.out.make_contiguous());
            match self.stream.try_write(part) {
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
            Ok(0) => {
                self.ended = true;
                Progress::End
            }
            Ok(count) => Progress::Read(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Progress::Nothing,
            Err(error) => Progress::Failed(error),
        }
    }
}

async fn open(address: String, style: Style) -> io::Result<TcpStream> {
    if style.tries_first {
        drop(TcpStream::connect(&address).await?);
    }
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(feature = "faults")]
fn style(options: &ClientOptions) -> Style {
    options.quirk.into()
}

#[cfg(not(feature = "faults"))]
fn style(_options: &ClientOptions) -> Style {
    Style::default()
}

fn plain(options: &ClientOptions) -> Client {
    Client::new(options.config.clone(), options.provider, Box::new(rand::make_rng::<StdRng>()))
}

#[cfg(not(feature = "faults"))]
fn machine(options: &ClientOptions) -> Machine {
    plain(options)
}

#[cfg(feature = "faults")]
fn machine(options: &ClientOptions) -> Machine {
    let mut recorded = match &options.tape {
        Some(tape) => tape.start(options),
        None => Machine { machine: plain(options), reel: None },
    };
    if let Some(quirk) = options.quirk {
        recorded.machine.take_on(quirk);
    }
    recorded
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
