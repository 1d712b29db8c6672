//! Lines of `docs/driver.md`, written out by hand.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

use mpchat_proto::client::{End, Identity, Refusal};
use mpchat_proto::ids::{Sid, Uid};
use mpchat_proto::payload::{Presence, Response};
use rstest::rstest;
use tokio::io::BufReader;

use super::lines::{Line, MAX_LINE};
use super::*;
use crate::kit::{Fault, KitError};

const ALICE: Uid = Uid(0xa11ce);
const BOB: Uid = Uid(0xb0b00);
const S: Sid = Sid(0x5f0c_9a1b_e2d3_4477);

/// Knows nobody.
struct Nothing;

impl KitSource for Nothing {
    fn identity(&self, kit: &Path, _uid: Uid) -> Result<Identity, KitError> {
        Err(KitError { file: kit.to_owned(), fault: Fault::Missing })
    }
}

fn command(line: impl AsRef<[u8]>) -> Command {
    words::command(&Line::Whole(line.as_ref().to_vec()), &Nothing)
}

#[rstest]
#[case(
    r#"{"do": "init", "invite": ["00000000000b0b00", "00000000000a11ce"]}"#,
    Command::Init { invite: vec![BOB, ALICE] }
)]
#[case(r#"{"do":"init","invite":[]}"#, Command::Init { invite: vec![] })]
#[case(r#"{"do":"answer","sid":"5f0c9a1be2d34477","accept":true}"#, Command::Answer { sid: S, accept: true })]
#[case(r#"{"accept":false,"sid":"5f0c9a1be2d34477","do":"answer"}"#, Command::Answer { sid: S, accept: false })]
#[case(
    r#"{"do":"send","sid":"5f0c9a1be2d34477","text":"gr\u00fc\u00df\n\"dich\" ü"}"#,
    Command::Send { sid: S, text: "grüß\n\"dich\" ü".to_owned() }
)]
#[case(r#"{"do":"send","sid":"0000000000000000","text":""}"#, Command::Send { sid: Sid(0), text: String::new() })]
#[case(r#"{"do":"close","sid":"5f0c9a1be2d34477"}"#, Command::Close { sid: S })]
#[case(r#"{"do":"status"}"#, Command::Status { sid: Sid(0) })]
#[case(r#"{"do":"status","sid":"0000000000000000"}"#, Command::Status { sid: Sid(0) })]
#[case(r#"{"do":"status","sid":"5f0c9a1be2d34477","aloud":[{}]}"#, Command::Status { sid: S })]
#[case(" {\"do\":\"leave\"}\r", Command::Leave)]
fn commands(#[case] line: &str, #[case] expected: Command) {
    assert_eq!(format!("{:?}", command(line)), format!("{expected:?}"));
}

#[rstest]
#[case::blank("", "")]
#[case::no_json("leave", "")]
#[case::no_object(r#"["leave"]"#, "")]
#[case::two(r#"{"do":"leave"}{"do":"leave"}"#, "")]
#[case::byte_order_mark("\u{feff}{\"do\":\"leave\"}", "")]
#[case::half_a_character(r#"{"do":"send","sid":"5f0c9a1be2d34477","text":"\ud800"}"#, "")]
#[case::deep(&"[".repeat(100_000), "")]
#[case::without_do(r#"{"sid":"5f0c9a1be2d34477"}"#, "")]
#[case::number(r#"{"do":7}"#, "")]
#[case::unknown(r#"{"do":"dance"}"#, "dance")]
#[case::upper_case(r#"{"do":"Leave"}"#, "Leave")]
#[case::no_list(r#"{"do":"init"}"#, "init")]
#[case::no_uid(r#"{"do":"init","invite":["b0b00"]}"#, "init")]
#[case::uid_in_capitals(r#"{"do":"init","invite":["00000000000B0B00"]}"#, "init")]
#[case::number_for_uid(r#"{"do":"init","invite":[723712]}"#, "init")]
#[case::no_answer(r#"{"do":"answer","sid":"5f0c9a1be2d34477"}"#, "answer")]
#[case::word_for_boolean(r#"{"do":"answer","sid":"5f0c9a1be2d34477","accept":"true"}"#, "answer")]
#[case::no_text(r#"{"do":"send","sid":"5f0c9a1be2d34477"}"#, "send")]
#[case::no_sid(r#"{"do":"close"}"#, "close")]
#[case::number_for_sid(r#"{"do":"status","sid":0}"#, "status")]
#[case::no_kit(r#"{"do":"connect","address":"127.0.0.1:1","uid":"00000000000a11ce"}"#, "connect")]
#[case::bad_kit(r#"{"do":"connect","address":"127.0.0.1:1","uid":"00000000000a11ce","kit":"k"}"#, "connect")]
fn no_commands(#[case] line: &str, #[case] called: &str) {
    let Command::Unfit { name, why } = command(line) else { panic!("{line}") };
    assert_eq!(name, called, "{why}");
    assert!(!why.is_empty());
}

#[test]
fn no_text_is_no_command() {
    assert!(matches!(command(b"{\"do\":\"\xff\"}"), Command::Unfit { name, .. } if name.is_empty()));
    assert!(matches!(words::command(&Line::TooLong, &Nothing), Command::Unfit { name, .. } if name.is_empty()));
}

fn error() -> Response {
    Response::Error("no \"such\" user".to_owned())
}

#[rstest]
#[case(Event::Online, r#"{"event":"online"}"#)]
#[case(
    Event::Invited { sid: S, from: ALICE },
    r#"{"event":"invited","sid":"5f0c9a1be2d34477","from":"00000000000a11ce"}"#
)]
#[case(Event::Init { sid: S, result: Response::Ok }, r#"{"event":"init","sid":"5f0c9a1be2d34477","ok":true}"#)]
#[case(
    Event::Init { sid: Sid(0), result: error() },
    r#"{"event":"init","sid":"0000000000000000","ok":false,"error":"no \"such\" user"}"#
)]
#[case(
    Event::Message { sid: S, from: ALICE, text: "hello\n".to_owned() },
    r#"{"event":"message","sid":"5f0c9a1be2d34477","from":"00000000000a11ce","text":"hello\n"}"#
)]
#[case(Event::Sent { sid: S, result: Response::Ok }, r#"{"event":"sent","sid":"5f0c9a1be2d34477","ok":true}"#)]
#[case(
    Event::Sent { sid: S, result: error() },
    r#"{"event":"sent","sid":"5f0c9a1be2d34477","ok":false,"error":"no \"such\" user"}"#
)]
#[case(Event::Close { sid: S, result: Response::Ok }, r#"{"event":"close","sid":"5f0c9a1be2d34477","ok":true}"#)]
#[case(
    Event::Closed { sid: S, by: Uid(0) },
    r#"{"event":"closed","sid":"5f0c9a1be2d34477","by":"0000000000000000"}"#
)]
#[case(
    Event::Status { sid: Sid(0), state: Presence::Online, members: vec![] },
    r#"{"event":"status","sid":"0000000000000000","state":"Online","members":[]}"#
)]
#[case(
    Event::Status { sid: S, state: Presence::Online, members: vec![(BOB, Presence::Offline), (ALICE, Presence::Online)] },
    concat!(
        r#"{"event":"status","sid":"5f0c9a1be2d34477","state":"Online","members":["#,
        r#"{"uid":"00000000000b0b00","state":"Offline"},{"uid":"00000000000a11ce","state":"Online"}]}"#
    )
)]
#[case(
    Event::Refused { command: "send", error: Refusal::Closed(S) },
    r#"{"event":"refused","do":"send","error":"session 5f0c9a1be2d34477 is closed"}"#
)]
#[case(
    Event::Refused { command: "", error: Refusal::Unfit { name: "dance".to_owned(), why: "no such command".to_owned() } },
    r#"{"event":"refused","do":"dance","error":"no such command"}"#
)]
#[case(Event::Disconnected { end: End::Left, anew: false }, r#"{"event":"disconnected"}"#)]
#[case(
    Event::Disconnected { end: End::ByServer, anew: false },
    r#"{"event":"disconnected","error":"the server closed the connection"}"#
)]
fn events(#[case] event: Event, #[case] expected: &str) {
    assert_eq!(String::from_utf8(report::line(&event)).unwrap(), format!("{expected}\n"));
}

#[tokio::test]
async fn lines_are_bounded() {
    let input = [&b"a\n\n"[..], &vec![b'x'; MAX_LINE], b"\n", &vec![b'x'; MAX_LINE + 1], b"\nb"].concat();
    // Read in pieces that end anywhere.
    let mut lines = Lines::new(BufReader::with_capacity(7, &input[..]));
    let mut seen = Vec::new();
    while let Some(line) = lines.next().await.unwrap() {
        seen.push(line);
    }
    let whole = |line: &[u8]| Line::Whole(line.to_vec());
    assert!(seen == [whole(b"a"), whole(b""), whole(&vec![b'x'; MAX_LINE]), Line::TooLong, whole(b"b")]);
}

/// Refusals of what is no command and of commands, each in its place, and none ends anything.
#[tokio::test]
async fn refusals_come_in_turn() {
    let input = "\n{\"do\":\"close\",\"sid\":\"5f0c9a1be2d34477\"}\nx\n{\"do\":\"dance\"}\n{\"do\":\"leave\"}\n\n";
    let mut output = Vec::new();
    drive(input.as_bytes(), &mut output, DriverOptions::new(Arc::new(Nothing))).await.unwrap();
    let output = String::from_utf8(output).unwrap();
    let called = |line: &str| line.split('"').nth(7).unwrap().to_owned();
    assert_eq!(output.lines().map(called).collect::<Vec<_>>(), ["", "close", "", "dance", "leave", ""], "{output}");
}
