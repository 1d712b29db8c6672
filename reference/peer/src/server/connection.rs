//! Accepting connections, and the task of each.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::time::Duration;

use mpchat_proto::server::ConnectionId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep;
use tracing::{debug, warn};

use super::core::Input;
use super::style::Style;
use crate::tcp::{self, FLUSH_TIME};

/// Frames are joined in one write up to about so many bytes.
const WRITE: usize = 64 << 10;
/// Frames that are taken from the queue at once.
const FRAMES: usize = 256;
/// How long to wait when nothing can be accepted, say for want of file descriptors: they come back when connections end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The sign to end a connection without sending the rest.
#[derive(Debug)]
pub(super) struct Abort;

/// Accepts connections until `stopped`. No error ends it.
pub(super) async fn accept(listener: TcpListener, inputs: mpsc::Sender<Input>, mut stopped: watch::Receiver<()>) {
    loop {
        let accepted = tokio::select! {
            _ = stopped.changed() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    debug!(%peer, %error, "TCP_NODELAY");
                }
                if inputs.send(Input::Accepted(stream, peer)).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                warn!(%error, "cannot accept");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One connection.
///
/// ```text
///              core drops the queue            all is written, FIN is sent
///  both ways -----------------------> flushing ---------------------------> draining ---> gone
///      |                                 |  FLUSH_TIME                        peer's FIN, or DRAIN_TIME
///      |  Abort                          v
///      +------------------------------> gone
/// ```
pub(super) async fn run(
    id: ConnectionId,
    stream: TcpStream,
    inputs: mpsc::Sender<Input>,
    queue: mpsc::UnboundedReceiver<Vec<u8>>,
    aborted: oneshot::Receiver<Abort>,
    style: Style,
) {
    let (mut from_peer, to_peer) = stream.into_split();
    let finished = tokio::select! {
        // Reading goes on while the rest is written: what the machine does not want any more it ignores.
        never = read(id, &mut from_peer, &inputs) => match never {},
        finished = write(id, to_peer, &inputs, queue, style) => finished,
        () = too_late(aborted) => None,
    };
    drop(inputs);
    if let Some(_to_peer) = finished {
        tcp::drain(from_peer).await;
    }
    debug!(%id, "closed");
}

/// Hands on what the peer sends, and in the end that it has ended; then waits to be dropped.
async fn read(id: ConnectionId, from_peer: &mut OwnedReadHalf, inputs: &mpsc::Sender<Input>) -> Infallible {
    let mut buffer = vec![0; tcp::READ];
    loop {
        let input = match from_peer.read(&mut buffer).await {
            Ok(0) => Input::End(id),
            Ok(count) => Input::Bytes(id, buffer[..count].to_vec()),
            Err(error) => {
                debug!(%id, %error, "reading");
                Input::End(id)
            }
        };
        let ended = matches!(input, Input::End(_));
        // Without a core there is nobody to tell.
        if inputs.send(input).await.is_err() || ended {
            return pending().await;
        }
    }
}

/// Writes what is queued until the core drops the queue, then FIN. `None` if that does not work.
///
/// What fails to be written is reported as sent, so that it does not count as queued: that the peer is gone, the reader
/// finds out.
async fn write(
    id: ConnectionId,
    mut to_peer: OwnedWriteHalf,
    inputs: &mpsc::Sender<Input>,
    mut queue: mpsc::UnboundedReceiver<Vec<u8>>,
    style: Style,
) -> Option<OwnedWriteHalf> {
    let mut frames = Vec::with_capacity(FRAMES);
    let mut joined = Vec::new();
    let mut works = true;
    while queue.recv_many(&mut frames, FRAMES).await > 0 {
        if let Some(more) = style.waits {
            sleep(more).await;
            while let Ok(frame) = queue.try_recv() {
                frames.push(frame);
            }
        }
        let mut waiting = frames.drain(..).peekable();
        while let Some(frame) = waiting.next() {
            joined.extend_from_slice(&frame);
            if joined.len() < WRITE && waiting.peek().is_some() {
                continue;
            }
            let size = if style.bytewise { 1 } else { joined.len().max(1) };
            let mut parts = joined.chunks(size);
            while works && let Some(part) = parts.next() {
                let Err(error) = to_peer.write_all(part).await else { continue };
                works = false;
                log_broken(id, &error);
            }
            // Without a core nobody counts.
            let _ = inputs.send(Input::Sent(id, joined.len())).await;
            joined.clear();
        }
    }
    if style.resets {
        // What is written is with the peer by now, or its reader is told that there was more.
        sleep(Duration::from_millis(5)).await;
        // Where it fails the connection is gone already.
        let _gone = to_peer.as_ref().set_zero_linger();
        return None;
    }
    (works && to_peer.shutdown().await.is_ok()).then_some(to_peer)
}

/// Ends at once on [`Abort`], or `FLUSH_TIME` after the core has dropped the connection.
async fn too_late(aborted: oneshot::Receiver<Abort>) {
    if aborted.await.is_err() {
        sleep(FLUSH_TIME).await;
    }
}

fn log_broken(id: ConnectionId, error: &io::Error) {
    debug!(%id, %error, "writing");
}
