//! `mpchat chat`: the reference client for people, a line at a time.
//!
//! ```text
//!   terminal (a thread with a line editor)  --lines-->  talk  <--commands, events-->  client task
//!   or piped input                          <--texts--
//! ```

mod piped;
mod room;
mod terminal;
mod words;

use std::io::IsTerminal;

use mpchat_peer::client::{ClientOptions, connect, start};
use mpchat_peer::kit::ClientKit;
use mpchat_proto::client::{Command, End, Event};
use mpchat_proto::ids::Uid;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use self::room::{Reaction, Room};
use super::{crypto, print, runtime};
use crate::args::ChatArgs;
use crate::embedded;
use crate::failure::Failure;

/// Chats until the user leaves, or the input ends. Exit code 3 if piped input was not carried out because the connection
/// had ended.
pub(crate) fn chat(args: &ChatArgs) -> Result<u8, Failure> {
    let kit = embedded::kit(args.kit.as_deref(), crypto(None)?)?;
    let uid = args.user.parse::<Uid>().ok().or_else(|| kit.uid(&args.user));
    let uid =
        uid.ok_or_else(|| Failure::usage(format!("--as {}: neither a uid text nor a name of the kit", args.user)))?;
    let names = kit.names().iter().map(|(name, uid)| (*uid, name.clone())).collect();
    let client = kit.client(uid).map_err(Failure::usage)?;
    let runtime = runtime()?;
    let chat = runtime.block_on(async { Chat::start(args.server.clone(), client, Room::new(uid, names)).await })?;
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        terminal::talk(&runtime, chat, args.history.as_deref())
    } else {
        runtime.block_on(piped::talk(chat))
    }
}

fn show(lines: &[String]) -> Result<(), Failure> {
    lines.iter().try_for_each(|line| print(&format!("{line}\n")))
}

/// The client, and what the user knows of it.
struct Chat {
    room: Room,
    commands: mpsc::Sender<Command>,
    events: mpsc::Receiver<Event>,
    task: JoinHandle<()>,
    server: String,
    kit: ClientKit,
    connected: bool,
}

impl Chat {
    async fn start(server: String, kit: ClientKit, room: Room) -> Result<Self, Failure> {
        let handle = start(ClientOptions { provider: crypto(None)?, ..ClientOptions::default() });
        let (commands, events, task) = handle.split();
        let mut chat = Self { room, commands, events, task, server, kit, connected: false };
        chat.connect().await;
        Ok(chat)
    }

    async fn connect(&mut self) {
        self.connected = true;
        self.tell(connect(self.server.clone(), self.kit.clone())).await;
    }

    async fn tell(&self, command: Command) {
        // The client is gone only when its events have ended, which whoever waits for them sees.
        let _gone = self.commands.send(command).await;
    }

    /// Does what a line or an event leads to; what the user is to see is returned.
    async fn follow(&mut self, reaction: Reaction) -> Vec<String> {
        if let Some(command) = reaction.command {
            self.tell(command).await;
        }
        if reaction.connects {
            self.connect().await;
        }
        reaction.lines
    }

    async fn hear(&mut self, event: &Event) -> Vec<String> {
        if let Event::Disconnected { anew, .. } = event {
            self.connected = *anew;
        }
        let reaction = self.room.hear(event);
        self.follow(reaction).await
    }

    /// Farewell: what still comes is shown, nothing more is said.
    async fn leave(self, mut show: impl FnMut(Vec<String>) -> Result<(), Failure>) -> Result<(), Failure> {
        let Self { mut room, commands, mut events, task, connected, .. } = self;
        drop(commands);
        while connected && let Some(event) = events.recv().await {
            if matches!(event, Event::Disconnected { end: End::Left, .. }) {
                break;
            }
            show(room.hear(&event).lines)?;
        }
        drop(events);
        // An error is a panic, which was reported where it happened.
        let _ended = task.await;
        Ok(())
    }
}
