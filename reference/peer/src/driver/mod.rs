//! The client as a client under test: commands in, events out, in JSON Lines, as `docs/driver.md` describes them.
//!
//! ```text
//!   input --lines--> words --command--> [client task] --event--> report --> output
//!                      |  kits
//! ```
//!
//! What is no command goes the same way, and is refused when its turn comes.

mod kits;
mod lines;
mod report;
#[cfg(feature = "faults")]
mod talkative;
#[cfg(test)]
mod tests;
mod words;

use std::io;
use std::sync::Arc;

use mpchat_proto::client::{Command, Event};
use mpchat_proto::crypto::default_provider;
use tokio::io::{AsyncBufRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

pub use kits::{Folders, KitSource};

use crate::client::{self, ClientOptions};
use lines::Lines;

/// What the driven client is like.
#[derive(Clone)]
pub struct DriverOptions {
    /// Where identities come from.
    pub kits: Arc<dyn KitSource>,
    /// What any client needs.
    pub client: ClientOptions,
}

impl DriverOptions {
    /// The client as it is meant, with identities from `kits`.
    #[must_use]
    pub fn new(kits: Arc<dyn KitSource>) -> Self {
        Self { kits, client: ClientOptions::default() }
    }
}

impl Default for DriverOptions {
    /// With identities from folders.
    fn default() -> Self {
        Self::new(Arc::new(Folders::new(default_provider())))
    }
}

impl std::fmt::Debug for DriverOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DriverOptions").field("client", &self.client).finish_non_exhaustive()
    }
}

/// Drives a client until `input` ends and the client has left. Must be called within a tokio runtime.
///
/// Each line of `input` leads to frames, to events, or to both; none ends it. Events are flushed one by one.
///
/// # Errors
/// If `output` takes no more, which counts as the end of `input`; or if `input` broke, which counts as its end.
pub async fn drive(
    input: impl AsyncBufRead + Unpin,
    output: impl AsyncWrite + Unpin,
    options: DriverOptions,
) -> io::Result<()> {
    let DriverOptions { kits, client } = options;
    let line: fn(&Event) -> Vec<u8> = report::line;
    #[cfg(feature = "faults")]
    let line = match client.quirk {
        Some(mpchat_proto::client::Quirk::EventsTalkative) => talkative::line,
        _ => line,
    };
    let (commands, mut events, task) = client::start(client).split();
    let hearing = async { Ok(hear(input, &*kits, commands).await) };
    let driven = tokio::try_join!(hearing, tell(output, &mut events, line));
    drop(events);
    // An error is a panic, which was reported where it happened.
    let _ended = task.await;
    driven.and_then(|(heard, ())| heard)
}

/// Commands, until the input ends.
async fn hear(
    input: impl AsyncBufRead + Unpin,
    kits: &dyn KitSource,
    commands: mpsc::Sender<Command>,
) -> io::Result<()> {
    let mut lines = Lines::new(input);
    while let Some(line) = lines.next().await? {
        if commands.send(words::command(&line, kits)).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// Events, until the client has ended.
async fn tell(
    mut output: impl AsyncWrite + Unpin,
    events: &mut mpsc::Receiver<Event>,
    line: fn(&Event) -> Vec<u8>,
) -> io::Result<()> {
    while let Some(event) = events.recv().await {
        output.write_all(&line(&event)).await?;
        output.flush().await?;
    }
    Ok(())
}
