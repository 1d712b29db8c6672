//! What is legal, and unusual: at the seams that the faults use.

use core::time::Duration;

use super::super::{Client, Event};
use super::Quirk;
use crate::frame::FrameType;
use crate::ids::Sid;

impl Client {
    /// Another error text.
    pub(super) fn habitual_text(habit: Quirk) -> Option<Vec<u8>> {
        Some(match habit {
            Quirk::ErrorsTerse => b"x".to_vec(),
            Quirk::ErrorsLong => vec![b'e'; 256],
            Quirk::ErrorsTooLong => vec![b'e'; 4096],
            Quirk::ErrorsNotAscii => "\u{6b8b}\u{5ff5}, n\u{e3}o \u{1f640}".as_bytes().to_vec(),
            Quirk::ErrorsNearlyOk => b"OK\n".to_vec(),
            Quirk::ErrorsTwoLines => b"no\nand no again\n".to_vec(),
            _ => return None,
        })
    }

    /// Asks for a status whose answer is not shown to the user.
    pub(super) fn ask_by_itself(&mut self, now: Duration, sid: Sid) {
        if let Some(online) = self.online()
            && online.spent.is_none()
        {
            online.open.ask(sid, false);
            self.send(now, FrameType::StatusReq, sid, b"");
        }
    }

    /// After the events from `first` on.
    pub(super) fn habits_afterwards(&mut self, habit: Quirk, now: Duration, first: usize) {
        if habit != Quirk::RosterEarly {
            return;
        }
        let live = |event: &Event| match event {
            Event::Init { sid, result } if result.is_ok() => Some(*sid),
            _ => None,
        };
        let live: Vec<Sid> = self.events.iter().skip(first).filter_map(live).collect();
        for sid in live {
            self.ask_by_itself(now, sid);
        }
    }
}
