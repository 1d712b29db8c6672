//! Input and output that are no terminal: each line is carried out when the one before it is answered.

use mpchat_proto::client::Event;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Stdin};

use super::words::Said;
use super::{Chat, show};
use crate::failure::Failure;

/// What is taken for a line at most: no text of more bytes fits a frame.
const LONGEST: u64 = 1 << 20;

/// Chats until the input ends and all of it is answered. An answer to an invitation waits until there is one.
pub(super) async fn talk(mut chat: Chat) -> Result<u8, Failure> {
    let mut input = BufReader::new(tokio::io::stdin());
    let mut waiting: Option<Said> = None;
    let mut line = Vec::new();
    let mut ended = false;
    while !(ended && waiting.is_none() && chat.room.is_at_rest()) {
        if chat.room.is_at_rest()
            && let Some(said) = waiting.take_if(|said| chat.room.is_ready_for(said))
        {
            let reaction = chat.room.speak(said);
            if reaction.quits {
                break;
            }
            let lines = chat.follow(reaction).await;
            show(&lines)?;
            continue;
        }
        tokio::select! {
            event = chat.events.recv() => {
                let Some(event) = event else { break };
                let lines = chat.hear(&event).await;
                show(&lines)?;
                // Nobody is there to connect again.
                if matches!(event, Event::Disconnected { anew: false, .. }) {
                    chat.leave(|lines| show(&lines)).await?;
                    return Ok(3);
                }
            }
            more = read_on(&mut input, &mut line), if waiting.is_none() && !ended => {
                ended = !more;
                if line.ends_with(b"\n") || ended {
                    if !line.is_empty() {
                        waiting = Some(Said::of(&String::from_utf8_lossy(&line)));
                    }
                    line.clear();
                } else if line.len() as u64 >= LONGEST {
                    return Err(Failure::usage(format!("a line of more than {LONGEST} bytes")));
                }
            }
        }
    }
    chat.leave(|lines| show(&lines)).await?;
    Ok(0)
}

/// Reads to the end of the line, or as much as a line may have; false at the end of the input. What was read stays in
/// `line` when something else happens meanwhile.
async fn read_on(input: &mut BufReader<Stdin>, line: &mut Vec<u8>) -> bool {
    matches!(input.take(LONGEST).read_until(b'\n', line).await, Ok(count) if count > 0)
}
