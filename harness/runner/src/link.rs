//! One TCP connection of an actor: bytes in and out, no meaning.
//!
//! A reader task turns what arrives into [`Input`]s on the case's queue, which is bounded, so that a target that
//! floods is read no faster than it is judged. A writer task takes [`Output`]s, so that a target that does not
//! read never blocks the case. How it cuts and joins is the [`Transport`]'s; where a scenario says it itself, that holds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mpchat_script::ast::Delivery;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::transport::{Cutter, Transport};

/// How many bytes one read takes at most.
const READ_CHUNK: usize = 16 * 1024;

/// How many reads may wait for the case.
pub(crate) const QUEUED_READS: usize = 256;

/// The pause between the parts of a frame that is written in parts, so that they travel apart. Of many parts enough
/// travel apart without.
const BETWEEN_PARTS: Duration = Duration::from_micros(300);

/// Up to how many parts are written with pauses.
const PAUSED_PARTS: usize = 40;

/// How many parts of a connection's writes have a pause before them where the transport cuts every write, and which of
/// those behind them still have one. A pause lasts at least a millisecond, so that a login takes far less than the timers
/// that cases wait for.
const PAUSED_CUTS: usize = 40;
const THEN_PAUSED: usize = 256;

/// How many bytes a coalesced write holds back at most.
const COALESCED_BYTES: usize = 1 << 20;

/// What comes from a connection.
#[derive(Debug)]
pub(crate) enum Input {
    /// Bytes of the stream.
    Bytes(Vec<u8>),
    /// The peer's stream ended.
    End(EndHow),
}

/// How a peer's stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndHow {
    /// By FIN.
    Fin,
    /// By RST, or another error of the transport.
    Reset,
}

enum Output {
    Write(Vec<u8>),
    Parts(Vec<Vec<u8>>),
    Fin,
}

impl Output {
    fn len(&self) -> usize {
        match self {
            Self::Write(bytes) => bytes.len(),
            Self::Parts(parts) => parts.iter().map(Vec::len).sum(),
            Self::Fin => 0,
        }
    }
}

/// How many bytes of a connection the kernel has taken.
#[derive(Debug, Default)]
struct Written(AtomicU64);

impl Written {
    async fn all_of(&self, write: &mut OwnedWriteHalf, mut bytes: &[u8]) -> std::io::Result<()> {
        while !bytes.is_empty() {
            let taken = write.write(bytes).await?;
            if taken == 0 {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
            self.0.fetch_add(taken as u64, Ordering::AcqRel);
            bytes = bytes.get(taken..).unwrap_or_default();
        }
        Ok(())
    }
}

/// The actor's end of a connection.
#[derive(Debug)]
pub(crate) struct Link {
    output: Option<mpsc::UnboundedSender<Output>>,
    written: Arc<Written>,
    transport: Transport,
    /// What goes with the next write (`joined`, `held at`).
    waiting: Vec<u8>,
    /// What waits is the rest of a frame (`held at`): it waits beyond the end of a burst.
    holding: bool,
    /// Coalesced: what waits until the case has to hear something.
    coalesced: Vec<u8>,
    /// More is about to follow: what is held waits for it.
    more: bool,
    reading: watch::Sender<bool>,
    reader: JoinHandle<()>,
    writer: JoinHandle<()>,
    /// Bytes that the writer was given.
    given: u64,
    /// `resets`: nothing comes before the RST.
    at_once: Arc<AtomicBool>,
}

impl Link {
    /// Connects, and sends what arrives to `inputs` as connection `index`.
    ///
    /// # Errors
    /// The transport's, also when `patience` passes first.
    pub(crate) async fn open(
        address: SocketAddr,
        index: usize,
        inputs: mpsc::Sender<(usize, Input)>,
        patience: Duration,
        transport: Transport,
    ) -> std::io::Result<Self> {
        let stream = match tokio::time::timeout(patience, TcpStream::connect(address)).await {
            Ok(connected) => connected?,
            Err(_) => return Err(std::io::ErrorKind::TimedOut.into()),
        };
        Self::over(stream, index, inputs, transport)
    }

    /// The same on a connection that is there.
    ///
    /// # Errors
    /// The transport's.
    pub(crate) fn over(
        stream: TcpStream,
        index: usize,
        inputs: mpsc::Sender<(usize, Input)>,
        transport: Transport,
    ) -> std::io::Result<Self> {
        stream.set_nodelay(true)?;
        let (read, write) = stream.into_split();
        let (reading, read_on) = watch::channel(true);
        let (output, outputs) = mpsc::unbounded_channel();
        let reader = tokio::spawn(read_loop(read, index, inputs, read_on));
        let written = Arc::new(Written::default());
        let at_once = Arc::new(AtomicBool::new(false));
        let write = ResetUnlessFinished { write: Some(write), finished: false, at_once: Arc::clone(&at_once) };
        let writer = tokio::spawn(write_loop(write, outputs, transport, Arc::clone(&written)));
        Ok(Self {
            output: Some(output),
            written,
            transport,
            waiting: Vec::new(),
            holding: false,
            coalesced: Vec::new(),
            more: false,
            reading,
            reader,
            writer,
            given: 0,
            at_once,
        })
    }

    /// Writes a frame of a diagram as its line says.
    pub(crate) fn send(&mut self, frame: &[u8], delivery: &[Delivery]) {
        if delivery.contains(&Delivery::Joined) {
            self.holding = false;
            return self.waiting.extend_from_slice(frame);
        }
        let mut bytes = self.take_waiting();
        let before = bytes.len();
        bytes.extend_from_slice(frame);
        match delivery.first() {
            Some(Delivery::ByteByByte) => self.write_parts(bytes.into_iter().map(|b| vec![b]).collect()),
            Some(Delivery::SplitAt(n)) if *n < bytes.len() => {
                let rest = bytes.split_off(*n);
                self.write_parts(vec![bytes, rest]);
            }
            Some(Delivery::HeldAt(n)) if *n < frame.len() => {
                let rest = bytes.split_off(before + n);
                self.write(bytes);
                (self.waiting, self.holding) = (rest, true);
            }
            _ => self.write(bytes),
        }
    }

    /// Writes what is `joined` to nothing, at the end of a burst.
    pub(crate) fn flush_joined(&mut self) {
        if !self.holding {
            self.flush_waiting();
        }
    }

    fn flush_waiting(&mut self) {
        if !self.waiting.is_empty() {
            self.write(Vec::new());
        }
    }

    /// Whether the beginning of a frame was written, and the rest waits for the next write.
    pub(crate) fn is_holding(&self) -> bool {
        self.holding
    }

    fn take_waiting(&mut self) -> Vec<u8> {
        self.holding = false;
        std::mem::take(&mut self.waiting)
    }

    /// Writes `bytes` as the transport has it; with what waits for them, as one.
    pub(crate) fn write(&mut self, mut bytes: Vec<u8>) {
        if !self.waiting.is_empty() {
            bytes.splice(..0, self.take_waiting());
            if self.transport.cuts() {
                return self.write_parts(vec![bytes]);
            }
        }
        if self.transport != Transport::Coalesced {
            return self.put(Output::Write(bytes));
        }
        self.more = false;
        self.coalesced.extend_from_slice(&bytes);
        if self.coalesced.len() > COALESCED_BYTES {
            self.flush();
        }
    }

    /// Writes `bytes`; another write follows without anything that has to be heard before.
    pub(crate) fn write_before_more(&mut self, bytes: Vec<u8>) {
        self.write(bytes);
        self.more = true;
    }

    /// Writes the parts one after the other, each a segment of its own as far as TCP allows, whatever the transport.
    pub(crate) fn write_parts(&mut self, parts: Vec<Vec<u8>>) {
        self.more = false;
        self.flush();
        self.put(Output::Parts(parts));
    }

    /// The case is about to wait: what was held back goes.
    pub(crate) fn flush(&mut self) {
        if !self.coalesced.is_empty() && !self.more {
            let bytes = std::mem::take(&mut self.coalesced);
            self.put(Output::Write(bytes));
        }
    }

    /// Sends FIN after everything written so far, and goes on reading.
    pub(crate) fn finish(&mut self) {
        self.flush_waiting();
        self.more = false;
        self.flush();
        self.put(Output::Fin);
        self.output = None;
    }

    /// Ends the connection by RST.
    pub(crate) fn reset(&mut self) {
        self.at_once.store(true, Ordering::Release);
        self.output = None;
        self.writer.abort();
        self.reader.abort();
    }

    /// Stops or resumes reading.
    pub(crate) fn set_reading(&self, on: bool) {
        self.reading.send_replace(on);
    }

    /// Whether all that was written so far has reached the kernel.
    pub(crate) fn is_written(&self) -> bool {
        self.coalesced.is_empty() && self.given().is_none_or(|given| self.written() == given)
    }

    /// How many bytes have reached the kernel.
    pub(crate) fn written(&self) -> u64 {
        self.written.0.load(Ordering::Acquire)
    }

    /// How many bytes the writer was given; None if it has ended, so that none of what is left will be written.
    pub(crate) fn given(&self) -> Option<u64> {
        (!self.writer.is_finished()).then_some(self.given)
    }

    fn put(&mut self, output: Output) {
        if let Some(sender) = &self.output {
            self.given += output.len() as u64;
            // The writer is gone after an error of the transport; the reader then reports the end.
            let _gone = sender.send(output);
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.reader.abort();
        self.writer.abort();
    }
}

async fn read_loop(
    mut read: OwnedReadHalf,
    index: usize,
    inputs: mpsc::Sender<(usize, Input)>,
    mut read_on: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; READ_CHUNK];
    loop {
        if read_on.wait_for(|on| *on).await.is_err() {
            return;
        }
        let input = tokio::select! {
            // Paused: the bytes stay in the kernel's buffer, also those that came just now.
            biased;
            _ = read_on.wait_for(|on| !*on) => continue,
            got = read.read(&mut buffer) => match got {
                Ok(0) => Input::End(EndHow::Fin),
                Ok(n) => Input::Bytes(buffer.get(..n).unwrap_or_default().to_vec()),
                Err(_) => Input::End(EndHow::Reset),
            },
        };
        let last = matches!(input, Input::End(_));
        if inputs.send((index, input)).await.is_err() || last {
            return;
        }
    }
}

async fn write_loop(
    mut write: ResetUnlessFinished,
    mut outputs: mpsc::UnboundedReceiver<Output>,
    transport: Transport,
    written: Arc<Written>,
) {
    let mut cuts = Cuts { cutter: Cutter::new(transport), parts: 0 };
    let mut next = None;
    loop {
        let output = match next.take() {
            Some(output) => output,
            None => match outputs.recv().await {
                Some(output) => output,
                None => return,
            },
        };
        if matches!(output, Output::Fin) {
            write.finished = true;
        }
        let Some(half) = &mut write.write else { return };
        let done = match output {
            Output::Write(bytes) if transport.cuts() => cuts.write(half, &bytes, &written).await,
            Output::Write(mut bytes) => {
                next = join_waiting(&mut bytes, &mut outputs);
                written.all_of(half, &bytes).await
            }
            Output::Parts(parts) => write_parts(half, parts, &written).await,
            Output::Fin => half.shutdown().await,
        };
        if done.is_err() {
            return;
        }
    }
}

/// Joins what waits behind `bytes` to it: one system call for a burst. Returned: what cannot be joined.
fn join_waiting(bytes: &mut Vec<u8>, outputs: &mut mpsc::UnboundedReceiver<Output>) -> Option<Output> {
    while bytes.len() < READ_CHUNK {
        match outputs.try_recv() {
            Ok(Output::Write(more)) => bytes.extend_from_slice(&more),
            other => return other.ok(),
        }
    }
    None
}

/// A write half that leaves by RST when it is dropped without a FIN: the kernel then forgets what was not sent.
struct ResetUnlessFinished {
    /// There until it is dropped.
    write: Option<OwnedWriteHalf>,
    finished: bool,
    /// `resets`: nothing comes before the RST.
    at_once: Arc<AtomicBool>,
}

impl Drop for ResetUnlessFinished {
    fn drop(&mut self) {
        if let Some(write) = self.write.take().filter(|_| !self.finished) {
            // Where it fails the connection is gone already.
            let _failed = write.as_ref().set_zero_linger();
            // Dropped as it is, it sends a FIN first.
            if self.at_once.load(Ordering::Acquire) {
                write.forget();
            }
        }
    }
}

/// What a transport that cuts has written on a connection.
struct Cuts {
    cutter: Cutter,
    /// Parts so far.
    parts: usize,
}

impl Cuts {
    /// Every part is a write of its own, and between two the other tasks run; the first have pauses before them too, so
    /// that they surely travel apart.
    async fn write(&mut self, write: &mut OwnedWriteHalf, mut bytes: &[u8], written: &Written) -> std::io::Result<()> {
        for len in self.cutter.parts(bytes) {
            if (1..PAUSED_CUTS).contains(&self.parts) || self.parts % THEN_PAUSED == THEN_PAUSED - 1 {
                tokio::time::sleep(BETWEEN_PARTS).await;
            } else {
                tokio::task::yield_now().await;
            }
            self.parts = self.parts.wrapping_add(1);
            let (part, rest) = bytes.split_at_checked(len).unwrap_or((bytes, &[]));
            written.all_of(write, part).await?;
            bytes = rest;
        }
        Ok(())
    }
}

async fn write_parts(write: &mut OwnedWriteHalf, parts: Vec<Vec<u8>>, written: &Written) -> std::io::Result<()> {
    let pauses = parts.len() <= PAUSED_PARTS;
    for (n, part) in parts.into_iter().enumerate() {
        if n > 0 && pauses {
            tokio::time::sleep(BETWEEN_PARTS).await;
        } else {
            tokio::task::yield_now().await;
        }
        written.all_of(write, &part).await?;
    }
    Ok(())
}
