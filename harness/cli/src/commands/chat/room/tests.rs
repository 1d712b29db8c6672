use mpchat_proto::client::{Command, End, Event};
use mpchat_proto::ids::{Sid, Uid};
use mpchat_proto::payload::{Presence, Response};

use super::*;

const ALICE: u64 = 0xa11ce;
const BOB: u64 = 0xb0b00;

fn uid(number: u64) -> Uid {
    format!("{number:016x}").parse().expect("a uid text")
}

fn sid(number: u64) -> Sid {
    format!("{number:016x}").parse().expect("a sid text")
}

fn room() -> Room {
    Room::new(uid(ALICE), [(uid(ALICE), "alice".to_owned()), (uid(BOB), "bob".to_owned())].into())
}

fn ok() -> Response {
    Response::Ok
}

fn lines(reaction: Reaction) -> String {
    reaction.lines.join("\n")
}

#[test]
fn an_invitation_is_answered_and_its_session_talked_in() {
    let mut room = room();
    assert!(!room.is_ready_for(&Said::Accept(None)));
    let invited = lines(room.hear(&Event::Invited { sid: sid(7), from: uid(BOB) }));
    assert_eq!(invited, "* bob invites you to #1: /accept or /decline");
    assert!(room.is_ready_for(&Said::Accept(None)));
    assert_eq!(
        lines(room.speak(Said::Text("hi".to_owned()))),
        "! no session: /invite somebody, or /accept an invitation"
    );
    let accepted = room.speak(Said::Accept(None));
    assert!(matches!(accepted.command, Some(Command::Answer { sid: to, accept: true }) if to == sid(7)));
    assert!(
        matches!(room.speak(Said::Text("hi".to_owned())).command, Some(Command::Send { sid: to, .. }) if to == sid(7))
    );
    assert_eq!(room.prompt(), "#1 bob> ");
    assert_eq!(lines(room.speak(Said::Accept(None))), "! nobody has invited you");
}

#[test]
fn a_session_of_ones_own_says_who_is_there() {
    let mut room = room();
    assert!(matches!(room.speak(Said::of("/invite bob")).command, Some(Command::Init { .. })));
    assert!(!room.is_at_rest());
    let live = room.hear(&Event::Init { sid: sid(9), result: ok() });
    assert!(matches!(live.command, Some(Command::Status { sid: of }) if of == sid(9)));
    let members = vec![(uid(ALICE), Presence::Online), (uid(BOB), Presence::Offline)];
    let status = room.hear(&Event::Status { sid: sid(9), state: Presence::Online, members });
    assert_eq!(lines(status), "* #1 offline: bob");
    assert!(room.is_at_rest());
    assert_eq!(
        lines(room.speak(Said::of("/invite bob mallory"))),
        "! nobody is called mallory; /names lists who is known"
    );
}

#[test]
fn what_others_write_cannot_move_the_cursor_and_says_where_it_belongs() {
    let mut room = room();
    room.hear(&Event::Init { sid: sid(1), result: ok() });
    room.hear(&Event::Init { sid: sid(2), result: ok() });
    let message = |to| Event::Message { sid: sid(to), from: uid(BOB), text: "\u{1b}[2Jhi\u{202e}".to_owned() };
    assert_eq!(lines(room.hear(&message(2))), "bob: \u{fffd}[2Jhi\u{fffd}");
    assert_eq!(lines(room.hear(&message(1))), "#1 bob: \u{fffd}[2Jhi\u{fffd}");
    assert_eq!(lines(room.speak(Said::Use(1))), "* you talk in #1 with alice now");
    assert_eq!(lines(room.hear(&Event::Closed { sid: sid(1), by: uid(BOB) })), "* #1 ended by bob");
    assert_eq!(room.prompt(), "#2 alice> ", "the talk goes on in what is left");
    assert_eq!(lines(room.speak(Said::Use(1))), "! there is no session #1");
}

#[test]
fn a_broken_connection_leaves_nothing_to_wait_for() {
    let mut room = room();
    room.speak(Said::Status);
    assert!(!room.is_at_rest());
    let ended = lines(room.hear(&Event::Disconnected { end: End::ByServer, anew: false }));
    assert_eq!(ended, "! disconnected: the server closed the connection; /connect tries again");
    assert!(room.is_at_rest());
}
