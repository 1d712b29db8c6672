//! The client's command: started for a case, given commands, heard, ended (`docs/driver.md`).

use std::collections::VecDeque;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mpchat_peer::driver::{DriverOptions, KitSource, drive};
use mpchat_peer::kit::Kit;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::process::Child;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::subject::process::{Group, keep_end, said};
#[cfg(feature = "faults")]
use crate::tapes::Tapes;

/// The longest line that a client may say: a text that fits a frame has at most 32 KiB, each byte at most six characters.
const MAX_LINE: usize = 256 << 10;

/// How many lines may wait for the case.
const QUEUED_LINES: usize = 16;

/// How long a client may take to end when its standard input has ended.
const END: Duration = Duration::from_secs(5);

/// How long the end of its standard error is awaited when it has ended.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A client under test.
#[derive(Clone, Debug)]
pub enum ClientSubject {
    /// A command that speaks the driver's protocol on its standard input and output.
    Command(String),
    /// The reference client in this process.
    Embedded(Embedding),
}

/// How the embedded client differs from a plain one: not at all, or by breaking a rule.
#[derive(Clone, Debug, Default)]
pub struct Embedding {
    /// The rule that it breaks, or the habit that it has.
    #[cfg(feature = "faults")]
    pub quirk: Option<mpchat_proto::client::Quirk>,
    /// All that the client of each case is told is noted here.
    #[cfg(feature = "faults")]
    pub tapes: Option<Tapes<mpchat_peer::client::Tape>>,
    /// The one of this client.
    #[cfg(feature = "faults")]
    pub(crate) tape: Option<mpchat_peer::client::Tape>,
}

impl ClientSubject {
    /// For the case of this number.
    pub(crate) fn only_for(self, case: usize) -> Self {
        match self {
            Self::Embedded(embedding) => Self::Embedded(embedding.only_for(case)),
            Self::Command(_) => self,
        }
    }
}

impl Embedding {
    #[cfg(feature = "faults")]
    fn only_for(self, case: usize) -> Self {
        let tape = self.tapes.as_ref().map(|tapes| tapes.of(case));
        Self { tape, ..self }
    }

    #[cfg(not(feature = "faults"))]
    fn only_for(self, _case: usize) -> Self {
        self
    }

    fn options(&self, kit: &Arc<Kit>) -> DriverOptions {
        let kits: Arc<dyn KitSource> = Arc::<Kit>::clone(kit);
        #[allow(unused_mut, reason = "only a faulty one is changed")]
        let mut options = DriverOptions::new(kits);
        #[cfg(feature = "faults")]
        {
            options.client.quirk = self.quirk;
            options.client.tape.clone_from(&self.tape);
        }
        options
    }
}

/// What a client says on its standard output.
#[derive(Debug)]
pub(crate) enum Said {
    /// An event.
    Event(Value),
    /// A line that is no JSON object with an `event`.
    Garbage(String),
    /// Its standard output has ended.
    End,
}

/// A running client.
pub(crate) struct Driver {
    input: Option<mpsc::UnboundedSender<String>>,
    pub(crate) said: mpsc::Receiver<Said>,
    body: Body,
}

enum Body {
    Process(Box<Process>),
    Task(JoinHandle<()>),
}

struct Process {
    child: Child,
    group: Group,
    errors: Arc<Mutex<VecDeque<u8>>>,
    reading: JoinHandle<()>,
}

impl Driver {
    /// Starts the client.
    ///
    /// # Errors
    /// Why it cannot be started.
    pub(crate) fn start(subject: &ClientSubject, kit: &Arc<Kit>, login_timeout: Duration) -> Result<Self, String> {
        match subject {
            ClientSubject::Command(command) => Self::process(command),
            ClientSubject::Embedded(embedding) => Ok(Self::embedded(embedding, kit, login_timeout)),
        }
    }

    fn process(command: &str) -> Result<Self, String> {
        let mut child = tokio::process::Command::new("sh")
            .arg("-c")
            .arg(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("cannot start `{command}`: {error}"))?;
        let group = Group::of(&child);
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(format!("`{command}` has no standard streams"));
        };
        let errors = Arc::new(Mutex::new(VecDeque::new()));
        let kept = Arc::clone(&errors);
        let reading = tokio::spawn(async move { keep_end(BufReader::new(stderr), kept).await });
        let (input, said) = streams(stdin, stdout);
        let process = Process { child, group, errors, reading };
        Ok(Self { input: Some(input), said, body: Body::Process(Box::new(process)) })
    }

    fn embedded(embedding: &Embedding, kit: &Arc<Kit>, login_timeout: Duration) -> Self {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let (read, write) = tokio::io::split(ours);
        let mut options = embedding.options(kit);
        options.client.config.login_timeout = login_timeout;
        let task = tokio::spawn(async move {
            let (input, output) = tokio::io::split(theirs);
            // What it could not read or say any more is found by the case.
            let _broken = drive(BufReader::new(input), output, options).await;
        });
        let (input, said) = streams(write, read);
        Self { input: Some(input), said, body: Body::Task(task) }
    }

    /// Gives the client a command.
    pub(crate) fn command(&self, command: &Value) {
        if let Some(input) = &self.input {
            // A client that has ended is noticed by the end of its standard output.
            let _gone = input.send(format!("{command}\n"));
        }
    }

    /// Ends the client's standard input.
    pub(crate) fn end_input(&mut self) {
        self.input = None;
    }

    /// Waits until the client has ended, for a while; then ends it. What is worth a word is returned.
    pub(crate) async fn end(mut self) -> Option<String> {
        self.end_input();
        match &mut self.body {
            Body::Task(task) => {
                if tokio::time::timeout(END, &mut *task).await.is_err() {
                    task.abort();
                    return Some(format!("the client did not end within {END:?} of the end of its standard input"));
                }
                None
            }
            Body::Process(process) => {
                let in_time = tokio::time::timeout(END, process.child.wait()).await.is_ok();
                process.group.kill();
                (!in_time).then(|| {
                    format!("the client did not end within {END:?} of the end of its standard input and was killed")
                })
            }
        }
    }

    /// How the client ended although it was not to: its status and the end of its standard error.
    pub(crate) async fn death(&mut self) -> String {
        match &mut self.body {
            Body::Task(_) => "the client ended by itself".to_owned(),
            Body::Process(process) => {
                let status = match tokio::time::timeout(LAST_WORDS, process.child.wait()).await {
                    Ok(Ok(status)) => status.to_string(),
                    _ => "it closed its standard output and still runs".to_owned(),
                };
                let _still_open = tokio::time::timeout(LAST_WORDS, &mut process.reading).await;
                let words = said(&process.errors);
                let words = words.trim();
                let words =
                    if words.is_empty() { String::new() } else { format!("; its standard error ends: {words}") };
                format!("the client ended by itself: {status}{words}")
            }
        }
    }

    /// The end of the client's standard error so far.
    pub(crate) fn errors(&self) -> String {
        match &self.body {
            Body::Task(_) => String::new(),
            Body::Process(process) => said(&process.errors).trim().to_owned(),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Body::Task(task) = &self.body {
            task.abort();
        }
    }
}

/// Tasks that carry lines: what is sent reaches `write`, what is read comes out.
fn streams(
    write: impl AsyncWrite + Send + Unpin + 'static,
    read: impl AsyncRead + Send + Unpin + 'static,
) -> (mpsc::UnboundedSender<String>, mpsc::Receiver<Said>) {
    let (input, mut lines) = mpsc::unbounded_channel::<String>();
    let (sender, said) = mpsc::channel(QUEUED_LINES);
    let mut write = write;
    tokio::spawn(async move {
        while let Some(line) = lines.recv().await {
            if write.write_all(line.as_bytes()).await.is_err() || write.flush().await.is_err() {
                return;
            }
        }
        // The end of the stream is its drop; where that fails the client is gone.
        let _gone = write.shutdown().await;
    });
    tokio::spawn(async move {
        let mut read = BufReader::new(read);
        while let Some(line) = next_line(&mut read).await {
            if sender.send(parse(&line)).await.is_err() {
                return;
            }
        }
        // Nobody listens any more when the case is over.
        let _over = sender.send(Said::End).await;
    });
    (input, said)
}

/// The next line without its end; what is longer than a line may be is cut there.
async fn next_line(read: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    loop {
        let available = read.fill_buf().await.ok()?;
        if available.is_empty() {
            return (!line.is_empty()).then_some(line);
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let part = available.get(..end.unwrap_or(available.len())).unwrap_or_default();
        let room = MAX_LINE.saturating_sub(line.len()).min(part.len());
        line.extend_from_slice(part.get(..room).unwrap_or_default());
        let taken = part.len() + usize::from(end.is_some());
        read.consume(taken);
        if end.is_some() {
            return Some(line);
        }
    }
}

fn parse(line: &[u8]) -> Said {
    match serde_json::from_slice::<Value>(line) {
        Ok(value) if value.get("event").is_some_and(Value::is_string) => Said::Event(value),
        _ => Said::Garbage(String::from_utf8_lossy(line.get(..200).unwrap_or(line)).into_owned()),
    }
}
