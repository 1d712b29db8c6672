//! The task that owns the machine.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use mpchat_proto::server::{Action, ConnectionId, Ending, Event};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, info, warn};

use super::style::Style;
use super::{Machine, connection};
use crate::tcp::{DRAIN_TIME, FLUSH_TIME};

/// Inputs that may wait for the core, of all connections together; a connection has at most three of them.
const INPUTS: usize = 256;
/// Inputs that are dealt with before the clock is looked at again.
const BATCH: usize = 64;

/// What the core is told.
#[derive(Debug)]
pub(super) enum Input {
    Accepted(TcpStream, SocketAddr),
    Bytes(ConnectionId, Vec<u8>),
    /// FIN, or an error of the network.
    End(ConnectionId),
    /// So many bytes left.
    Sent(ConnectionId, usize),
}

struct Core {
    machine: Machine,
    start: Instant,
    /// Connections that the machine knows.
    links: HashMap<ConnectionId, Link>,
    /// The accepting task, and those of all connections, those that are ending included.
    tasks: JoinSet<()>,
    inputs: mpsc::Sender<Input>,
    style: Style,
}

/// The core's end of a connection task. Dropped, it means: send what is queued, then FIN.
struct Link {
    frames: mpsc::UnboundedSender<Vec<u8>>,
    abort: oneshot::Sender<connection::Abort>,
}

/// Runs until `stopped`, then until all connections have ended.
pub(super) async fn run(machine: Machine, listener: TcpListener, mut stopped: watch::Receiver<()>, style: Style) {
    let (inputs, mut taken) = mpsc::channel(INPUTS);
    let mut core = Core { machine, start: Instant::now(), links: HashMap::new(), tasks: JoinSet::new(), inputs, style };
    core.tasks.spawn(connection::accept(listener, core.inputs.clone(), stopped.clone()));
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let due = core.machine.poll_timeout().map(|due| core.start + due);
        tokio::select! {
            // Changes to it there are none: only its end.
            _ = stopped.changed() => break,
            _ = taken.recv_many(&mut batch, BATCH) => {
                for input in batch.drain(..) {
                    core.input(input);
                }
            }
            () = async { sleep_until(due.unwrap_or(core.start)).await }, if due.is_some() => {}
        }
        let now = core.now();
        core.machine.handle_timeout(now);
        core.carry_out();
        while core.tasks.try_join_next().is_some() {}
    }
    info!(connections = core.links.len(), "shutting down");
    core.links.clear();
    // Whoever still has something to say to the core must not wait for it.
    drop(taken);
    let ending = async { while core.tasks.join_next().await.is_some() {} };
    if timeout(FLUSH_TIME + 2 * DRAIN_TIME, ending).await.is_err() {
        warn!(tasks = core.tasks.len(), "given up");
    }
}

impl Core {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn input(&mut self, input: Input) {
        let now = self.now();
        match input {
            Input::Accepted(stream, peer) => self.accepted(now, stream, peer),
            Input::Bytes(id, bytes) => self.machine.handle_bytes(now, id, &bytes),
            Input::End(id) => self.machine.handle_end(now, id),
            Input::Sent(id, count) => self.machine.sent(id, count),
        }
        self.carry_out();
    }

    fn accepted(&mut self, now: Duration, stream: TcpStream, peer: SocketAddr) {
        let id = self.machine.connect(now);
        debug!(%id, %peer, "connected");
        let (frames, queue) = mpsc::unbounded_channel();
        let (abort, aborted) = oneshot::channel();
        self.links.insert(id, Link { frames, abort });
        self.tasks.spawn(connection::run(id, stream, self.inputs.clone(), queue, aborted, self.style));
    }

    fn carry_out(&mut self) {
        while let Some(action) = self.machine.poll_action() {
            match action {
                Action::Send { to, frame } => {
                    if let Some(link) = self.links.get(&to) {
                        // A writer that has failed is about to report the end.
                        let _ = link.frames.send(frame);
                    }
                }
                Action::Close(id) => drop(self.links.remove(&id)),
                Action::Abort(id) => {
                    if let Some(link) = self.links.remove(&id) {
                        let _ = link.abort.send(connection::Abort);
                    }
                }
            }
        }
        while let Some(event) = self.machine.poll_event() {
            log(&event);
        }
    }
}

fn log(event: &Event) {
    match event {
        Event::LoggedIn { connection, uid } => info!(%connection, %uid, "logged in"),
        Event::Ended { connection, uid, why: Ending::Violation(violation) } => {
            let uid = uid.map(|uid| uid.to_string()).unwrap_or_default();
            warn!(%connection, uid, rule = violation.rule(), "ended: {violation}");
        }
        Event::Ended { connection, uid, why } => {
            let uid = uid.map(|uid| uid.to_string()).unwrap_or_default();
            info!(%connection, uid, "ended: {why}");
        }
        Event::StoreFailed(error) => warn!("{error}"),
        other => debug!(event = ?other),
    }
}
