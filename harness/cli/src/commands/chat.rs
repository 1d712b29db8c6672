//! `mpchat chat`: the reference client, a line at a time.

use std::collections::BTreeMap;

use mpchat_peer::client::{ClientOptions, connect, start};
use mpchat_proto::client::{Command, Event};
use mpchat_proto::ids::{Sid, Uid};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc;

use super::{crypto, print, runtime};
use crate::args::ChatArgs;
use crate::embedded;
use crate::failure::Failure;

const HELP: &str =
    "/invite NAME…   /accept   /decline   /status   /close   /leave   anything else goes to the session\n";

/// Chats until the input ends or the connection does.
pub(crate) fn chat(args: &ChatArgs) -> Result<u8, Failure> {
    let kit = embedded::kit(args.kit.as_deref(), crypto(None)?)?;
    let uid = args.user.parse::<Uid>().ok().or_else(|| kit.uid(&args.user));
    let uid =
        uid.ok_or_else(|| Failure::usage(format!("--as {}: neither a uid text nor a name of the kit", args.user)))?;
    let names = kit.names().iter().map(|(name, uid)| (*uid, name.clone())).collect();
    let client = kit.client(uid).map_err(Failure::usage)?;
    runtime()?.block_on(async {
        let handle = start(ClientOptions { provider: crypto(None)?, ..ClientOptions::default() });
        let (commands, mut events, task) = handle.split();
        say(&commands, connect(args.server.clone(), client)).await;
        let mut room = Room { names, current: None, invited: None, commands };
        let mut input = BufReader::new(tokio::io::stdin()).lines();
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) if room.hear(&event)? => {}
                    _ => break,
                },
                line = input.next_line() => match line {
                    Ok(Some(line)) => room.speak(line.trim()).await?,
                    _ => break,
                },
            }
        }
        drop(room);
        // Farewell: what still comes is shown, nothing more is said.
        while let Some(event) = events.recv().await {
            if matches!(event, Event::Disconnected { .. }) {
                break;
            }
        }
        drop(events);
        let _ended = task.await;
        Ok(0)
    })
}

/// What the user sees and speaks of.
struct Room {
    names: BTreeMap<Uid, String>,
    current: Option<Sid>,
    invited: Option<Sid>,
    commands: mpsc::Sender<Command>,
}

async fn say(commands: &mpsc::Sender<Command>, command: Command) {
    // The client is gone only when its events have ended, which ends the loop.
    let _gone = commands.send(command).await;
}

impl Room {
    fn name(&self, uid: Uid) -> String {
        self.names.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
    }

    fn uid(&self, name: &str) -> Option<Uid> {
        let known = self.names.iter().find(|(_, n)| n.as_str() == name).map(|(uid, _)| *uid);
        known.or_else(|| name.parse().ok())
    }

    /// Carries out a line of the user.
    async fn speak(&mut self, line: &str) -> Result<(), Failure> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let command = match (word, self.current, self.invited) {
            ("", ..) => return Ok(()),
            ("/invite", ..) => {
                let users: Vec<Option<Uid>> = rest.split_whitespace().map(|name| self.uid(name)).collect();
                match users.into_iter().collect::<Option<Vec<Uid>>>() {
                    Some(invite) if !invite.is_empty() => Command::Init { invite },
                    _ => return print("! /invite wants names of names.toml, or uid texts\n"),
                }
            }
            ("/accept", _, Some(sid)) => {
                self.current = Some(sid);
                self.invited = None;
                Command::Answer { sid, accept: true }
            }
            ("/decline", _, Some(sid)) => {
                self.invited = None;
                Command::Answer { sid, accept: false }
            }
            ("/accept" | "/decline", _, None) => return print("! nobody has invited you\n"),
            ("/status", sid, _) => Command::Status { sid: sid.unwrap_or(Sid::NONE) },
            ("/leave", ..) => Command::Leave,
            ("/close", Some(sid), _) => Command::Close { sid },
            (word, ..) if word.starts_with('/') && word != "/close" => return print(HELP),
            (_, Some(sid), _) => Command::Send { sid, text: line.to_owned() },
            (_, None, _) => return print("! no session: /invite somebody, or /accept an invitation\n"),
        };
        say(&self.commands, command).await;
        Ok(())
    }

    /// Shows an event; false when the connection has ended.
    fn hear(&mut self, event: &Event) -> Result<bool, Failure> {
        let text = match event {
            Event::Online => "* you are online; /help shows the commands".to_owned(),
            Event::Invited { sid, from } => {
                self.invited = Some(*sid);
                format!("* {} invites you: /accept or /decline", self.name(*from))
            }
            Event::Init { sid, result } if result.is_ok() => {
                self.current = Some(*sid);
                "* the session is live".to_owned()
            }
            Event::Init { result, .. } => format!("! no session: {}", shown(result.as_bytes())),
            Event::Message { from, text, .. } => format!("{}: {}", self.name(*from), shown(text.as_bytes())),
            Event::Sent { result, .. } if result.is_ok() => "* delivered, or stored for who is away".to_owned(),
            Event::Sent { result, .. } => format!("! not delivered: {}", shown(result.as_bytes())),
            Event::Close { sid, result } if result.is_ok() => {
                self.ended(*sid);
                "* the session is closed".to_owned()
            }
            Event::Close { result, .. } => format!("! not closed: {}", shown(result.as_bytes())),
            Event::Closed { sid, by } => {
                self.ended(*sid);
                format!("* {} closed the session", self.name(*by))
            }
            Event::Status { state, members, .. } => {
                let members: Vec<String> =
                    members.iter().map(|(uid, state)| format!("{} {}", self.name(*uid), state.as_str())).collect();
                format!("* {} {}", state.as_str(), members.join(", "))
            }
            Event::Refused { command, error } => format!("! {command}: {error}"),
            Event::Disconnected { end, anew } => {
                print(&format!("* disconnected: {end}\n"))?;
                return Ok(*anew);
            }
        };
        print(&format!("{text}\n"))?;
        Ok(true)
    }

    fn ended(&mut self, sid: Sid) {
        if self.current == Some(sid) {
            self.current = None;
        }
        if self.invited == Some(sid) {
            self.invited = None;
        }
    }
}

/// A peer's text without what could move the cursor.
fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
