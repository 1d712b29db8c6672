//! A target that is started by a command: made ready, watched, restarted, ended.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mpchat_script::ast::Timer;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Child;
use tokio::task::JoinHandle;

use crate::folder::temporary_folder;
use crate::timing::Timers;

/// How long a target may take until it accepts connections.
const START: Duration = Duration::from_secs(20);

/// How long a target may take to end after SIGTERM, before SIGKILL.
const END: Duration = Duration::from_secs(5);

/// Where ports for targets are: below those that an operating system gives to connections.
const PORTS: Range<u16> = 10_240..32_768;

/// How many of them are tried; nearly all of them are free.
const PORTS_TRIED: usize = 200;

/// Between two looks whether it accepts.
const LOOK: Duration = Duration::from_millis(10);

/// How much of its standard error is kept.
const KEPT_ERROR_BYTES: usize = 4096;

/// How long a target that refuses connections, or that has just ended one wrongly, may take until its process has ended.
const DYING: Duration = Duration::from_secs(2);
const PERHAPS_DYING: Duration = Duration::from_millis(50);

/// How long a probe may wait for a connection.
const PROBE: Duration = Duration::from_secs(1);

/// How long the end of its standard error is awaited when its process has ended: what it left running may keep it open.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The command line of a target, with places in braces.
#[derive(Clone, Debug)]
pub struct Command(String);

impl Command {
    /// Takes a command for a shell.
    ///
    /// # Errors
    /// If it has no place `{port}`.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.contains("{port}") {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("the command has no place {{port}}: {text}"))
        }
    }

    /// The command as given.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether the command takes the length of a timer.
    pub(crate) fn takes(&self, timer: Timer) -> bool {
        self.0.contains(place(timer))
    }

    pub(crate) fn keeps_state(&self) -> bool {
        self.0.contains("{state}")
    }

    fn fill(&self, port: u16, kit: Option<&Path>, state: &Path, timers: Timers) -> String {
        let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
        let mut text = self.0.replace("{port}", &port.to_string()).replace("{state}", &quoted(state));
        if let Some(kit) = kit {
            text = text.replace("{kit}", &quoted(kit));
        }
        for timer in [Timer::Invite, Timer::Answer, Timer::Login, Timer::Status] {
            text = text.replace(place(timer), &timers.get(timer).as_secs_f64().to_string());
        }
        text
    }
}

fn place(timer: Timer) -> &'static str {
    match timer {
        Timer::Invite => "{invite_timeout}",
        Timer::Answer => "{answer_timeout}",
        Timer::Login => "{login_timeout}",
        Timer::Status => "{status_timeout}",
    }
}

/// A running target. Dropped without being stopped it is killed, with all that it started.
pub(crate) struct Process {
    command: Command,
    kit: Option<PathBuf>,
    timers: Timers,
    state: TempDir,
    running: Running,
}

/// One life of the target.
struct Running {
    child: Child,
    group: Group,
    address: SocketAddr,
    /// Keeps other runs from the port.
    _claim: UdpSocket,
    errors: Arc<Mutex<VecDeque<u8>>>,
    /// Ends with the target's standard error.
    reading: JoinHandle<()>,
}

impl Process {
    pub(crate) async fn start(command: &Command, kit: Option<&Path>, timers: Timers) -> Result<Self, String> {
        let state = temporary_folder("mpchat-state-").map_err(|error| error.to_string())?;
        let running = launch(command, kit, state.path(), timers).await?;
        Ok(Self { command: command.clone(), kit: kit.map(Path::to_path_buf), timers, state, running })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.running.address
    }

    /// Ends it and starts it again with the same state folder.
    pub(crate) async fn restart(&mut self) -> Result<SocketAddr, String> {
        let _late = self.running.end().await;
        self.running = launch(&self.command, self.kit.as_deref(), self.state.path(), self.timers).await?;
        Ok(self.running.address)
    }

    /// How it died, if it did. `suspected`: a case ended as if it had.
    ///
    /// A process ends a little after its sockets close, so one that refuses connections is given time to end; and one that
    /// still accepts lives, even if the command itself has ended (it may have gone to the background).
    pub(crate) async fn death(&mut self, suspected: bool) -> Option<String> {
        let child = &mut self.running.child;
        let ended = child.try_wait().ok().flatten();
        if ended.is_none() && suspected {
            let _alive = tokio::time::timeout(PERHAPS_DYING, child.wait()).await;
        }
        // Who neither accepts nor refuses is slow, not dead.
        let probe = tokio::time::timeout(PROBE, TcpStream::connect(self.running.address)).await;
        if !matches!(probe, Ok(Err(_))) {
            return None;
        }
        let status = tokio::time::timeout(DYING, child.wait()).await.ok()?.ok()?;
        self.running.group.kill();
        Some(format!("the target ended by itself: {status}{}", self.running.last_words().await))
    }

    pub(crate) async fn stop(&mut self) -> Option<String> {
        self.running.end().await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.running.group.kill();
    }
}

impl Running {
    /// SIGTERM to the command's process group, SIGKILL after a while. What is worth a word is returned.
    async fn end(&mut self) -> Option<String> {
        self.group.signal(rustix::process::Signal::TERM);
        let in_time = tokio::time::timeout(END, self.child.wait()).await.is_ok();
        // What the command started beside itself ends with it.
        self.group.kill();
        if in_time {
            return None;
        }
        let _reaped = tokio::time::timeout(END, self.child.wait()).await;
        Some(format!("the target did not end within {END:?} of SIGTERM and was killed"))
    }

    async fn last_words(&mut self) -> String {
        let _still_open = tokio::time::timeout(LAST_WORDS, &mut self.reading).await;
        match said(&self.errors).trim() {
            "" => String::new(),
            text => format!("; its standard error ends: {text}"),
        }
    }
}

/// The process group of a command, killed when it is dropped.
pub(crate) struct Group(Option<rustix::process::Pid>);

impl Group {
    pub(crate) fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(rustix::process::Pid::from_raw))
    }

    fn signal(&self, signal: rustix::process::Signal) {
        if let Some(group) = self.0 {
            // Nobody of it is left where this fails.
            let _gone = rustix::process::kill_process_group(group, signal);
        }
    }

    /// Once: afterwards the number may be another's.
    pub(crate) fn kill(&mut self) {
        self.signal(rustix::process::Signal::KILL);
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) fn said(errors: &Mutex<VecDeque<u8>>) -> String {
    let errors = errors.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    String::from_utf8_lossy(&errors.iter().copied().collect::<Vec<u8>>()).into_owned()
}

/// A port that no program listens on, and the claim to it.
///
/// Between here and the target's own bind the port is nobody's. It lies below the ports that systems choose themselves, and
/// runs side by side keep off each other's: UDP has ports of its own, so a run that holds the number there is in no
/// target's way, and the system releases it however the run ends.
fn free_port() -> Result<(UdpSocket, SocketAddr), String> {
    let mut error = String::new();
    for _ in 0..PORTS_TRIED {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, rand::random_range(PORTS)));
        let claimed = UdpSocket::bind(address).and_then(|claim| {
            let _free = std::net::TcpListener::bind(address)?;
            Ok(claim)
        });
        match claimed {
            Ok(claim) => return Ok((claim, address)),
            Err(failed) => error = failed.to_string(),
        }
    }
    Err(format!("no free port between {} and {}: {error}", PORTS.start, PORTS.end))
}

async fn launch(command: &Command, kit: Option<&Path>, state: &Path, timers: Timers) -> Result<Running, String> {
    let (claim, address) = free_port()?;
    let text = command.fill(address.port(), kit, state, timers);
    let mut child = tokio::process::Command::new("sh")
        .arg("-c")
        .arg(&text)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("cannot start `{text}`: {error}"))?;
    let group = Group::of(&child);
    let errors = Arc::new(Mutex::new(VecDeque::new()));
    let stderr = child.stderr.take();
    let kept = Arc::clone(&errors);
    let reading = tokio::spawn(async move {
        if let Some(stderr) = stderr {
            keep_end(BufReader::new(stderr), kept).await;
        }
    });
    let mut running = Running { child, group, address, _claim: claim, errors, reading };
    let began = Instant::now();
    loop {
        if TcpStream::connect(address).await.is_ok() {
            return Ok(running);
        }
        if let Ok(Some(status)) = running.child.try_wait() {
            let words = running.last_words().await;
            return Err(format!("`{text}` ended before it accepted a connection: {status}{words}"));
        }
        if began.elapsed() > START {
            let _killed = running.end().await;
            return Err(format!("`{text}` accepts no connection on {address} within {START:?}"));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Keeps the end of a stream, and reads the rest away, so that the target never blocks on it.
pub(crate) async fn keep_end(mut stream: impl tokio::io::AsyncRead + Unpin, kept: Arc<Mutex<VecDeque<u8>>>) {
    let mut buffer = vec![0; 4096];
    while let Ok(n) = stream.read(&mut buffer).await {
        if n == 0 {
            return;
        }
        let mut kept = kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        kept.extend(buffer.iter().take(n));
        let surplus = kept.len().saturating_sub(KEPT_ERROR_BYTES);
        kept.drain(..surplus);
    }
}
