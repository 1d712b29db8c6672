//! A target that is started by a command: made ready, watched, restarted, ended.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mpchat_script::ast::Timer;
use tokio::io::{AsyncReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Child;

use crate::timing::Timers;

/// How long a target may take until it accepts connections.
const START: Duration = Duration::from_secs(20);

/// How long a target may take to end after SIGTERM, before SIGKILL.
const END: Duration = Duration::from_secs(5);

/// Between two looks whether it accepts.
const LOOK: Duration = Duration::from_millis(10);

/// How much of its standard error is kept.
const KEPT_ERROR_BYTES: usize = 4096;

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

/// A running target.
pub(crate) struct Process {
    command: Command,
    kit: Option<PathBuf>,
    timers: Timers,
    state: PathBuf,
    child: Child,
    address: SocketAddr,
    errors: Arc<Mutex<VecDeque<u8>>>,
}

impl Process {
    pub(crate) async fn start(command: &Command, kit: Option<&Path>, timers: Timers) -> Result<Self, String> {
        let state = fresh_folder()?;
        let errors = Arc::new(Mutex::new(VecDeque::new()));
        let (child, address) = launch(command, kit, &state, timers, &errors).await?;
        Ok(Self { command: command.clone(), kit: kit.map(Path::to_path_buf), timers, state, child, address, errors })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it and starts it again with the same state folder.
    pub(crate) async fn restart(&mut self) -> Result<SocketAddr, String> {
        let _late = end(&mut self.child).await;
        let kit = self.kit.clone();
        let (child, address) = launch(&self.command, kit.as_deref(), &self.state, self.timers, &self.errors).await?;
        self.child = child;
        self.address = address;
        Ok(address)
    }

    /// How it died, if it did.
    pub(crate) async fn death(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        Some(format!("the target ended by itself: {status}{}", self.last_words()))
    }

    pub(crate) async fn stop(&mut self) -> Option<String> {
        let late = end(&mut self.child).await;
        // Best effort: a folder that cannot be removed is the operating system's to clean up.
        let _left = std::fs::remove_dir_all(&self.state);
        late
    }

    fn last_words(&self) -> String {
        let errors = self.errors.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let bytes: Vec<u8> = errors.iter().copied().collect();
        match String::from_utf8_lossy(&bytes).trim() {
            "" => String::new(),
            text => format!("; its standard error ends: {text}"),
        }
    }
}

fn fresh_folder() -> Result<PathBuf, String> {
    let folder =
        std::env::temp_dir().join(format!("mpchat-state-{}-{:016x}", std::process::id(), rand::random::<u64>()));
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

async fn launch(
    command: &Command,
    kit: Option<&Path>,
    state: &Path,
    timers: Timers,
    errors: &Arc<Mutex<VecDeque<u8>>>,
) -> Result<(Child, SocketAddr), String> {
    // The port is free at this moment; should another program take it meanwhile, the target says so and ends.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    drop(listener);
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
    if let Some(stderr) = child.stderr.take() {
        tokio::spawn(keep_end(BufReader::new(stderr), Arc::clone(errors)));
    }
    let began = Instant::now();
    loop {
        if TcpStream::connect(address).await.is_ok() {
            return Ok((child, address));
        }
        if let Ok(Some(status)) = child.try_wait() {
            let errors = errors.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let said = String::from_utf8_lossy(&errors.iter().copied().collect::<Vec<u8>>()).into_owned();
            return Err(format!("`{text}` ended before it accepted a connection: {status} {}", said.trim()));
        }
        if began.elapsed() > START {
            let _killed = end(&mut child).await;
            return Err(format!("`{text}` accepts no connection on {address} within {START:?}"));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Keeps the end of a stream, and reads the rest away, so that the target never blocks on it.
async fn keep_end(mut stream: impl tokio::io::AsyncRead + Unpin, kept: Arc<Mutex<VecDeque<u8>>>) {
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

/// SIGTERM to the command's process group, SIGKILL after a while. What is worth a word is returned.
async fn end(child: &mut Child) -> Option<String> {
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw)?;
    let _gone = rustix::process::kill_process_group(group, rustix::process::Signal::TERM);
    if tokio::time::timeout(END, child.wait()).await.is_ok() {
        // What the command started beside itself ends with it.
        let _gone = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        return None;
    }
    let _gone = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    let _reaped = tokio::time::timeout(END, child.wait()).await;
    Some(format!("the target did not end within {END:?} of SIGTERM and was killed"))
}
