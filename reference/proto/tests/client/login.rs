//! Login, end of connection and login anew: LOGIN-12 to LOGIN-17, MTP-09, MTP-16, MTP-17, MTP-19.

use mpchat_proto::client::{Command, End, Event, Refusal};
use mpchat_proto::frame::{FrameType, Header};
use mpchat_proto::ids::Sid;
use mpchat_proto::login::ServerLogin;
use rstest::rstest;

use crate::support::*;

/// Steps 2 and 3 for a client that waits for them.
fn steps(pair: &mut Pair) -> (Vec<u8>, Vec<u8>) {
    pair.connect(ALICE);
    pair.open();
    let mut step_1 = pair.client.poll_transmit().unwrap();
    let key = provider().private_key(include_str!("../../../../harness/kit/server.key.pem")).unwrap();
    let (step_2, step_3, _) =
        ServerLogin::request(provider(), &mut pair.rng, &key, |uid| Some(public(uid)), &mut step_1).unwrap();
    (step_2, step_3)
}

#[test]
fn any_cut_will_do() {
    let mut pair = Pair::idle();
    let (step_2, step_3) = steps(&mut pair);
    // One byte at a time, then joined (MTP-16).
    for byte in &step_2 {
        pair.bytes(&[*byte]);
    }
    pair.bytes(&step_3);
    assert_eq!(pair.events(), [Event::Online]);
    let mut pair = Pair::idle();
    let (step_2, step_3) = steps(&mut pair);
    pair.bytes(&[step_2, step_3].concat());
    assert_eq!(pair.events(), [Event::Online]);
}

#[rstest]
#[case::ver(0, 0xff, "MTP-03")]
#[case::typ(2, 0x08, "MTP-04")]
#[case::another_type(3, 0x10, "LOGIN-01")]
#[case::sqn(7, 0x02, "MTP-08")]
#[case::sid(15, 0x01, "LOGIN-12")]
#[case::uid(23, 0x01, "LOGIN-12")]
fn a_bad_login_response_is_seen_in_its_header(#[case] at: usize, #[case] flip: u8, #[case] rule: &str) {
    let mut pair = Pair::idle();
    let (mut step_2, _) = steps(&mut pair);
    step_2[at] ^= flip;
    pair.bytes(&step_2[..23]);
    assert!(!pair.client.wants_close());
    // MTP-17: as soon as the header is there.
    pair.bytes(&step_2[23..24]);
    assert_eq!(pair.closes_on_violation(), rule);
    assert_eq!(pair.client.wants_connection(), None, "LOGIN-15");
}

#[rstest]
#[case::epd(24)]
#[case::mac(41)]
#[case::etk(297)]
fn a_changed_login_response_is_refused(#[case] at: usize) {
    let mut pair = Pair::idle();
    let (mut step_2, step_3) = steps(&mut pair);
    step_2[at] ^= 1;
    pair.bytes(&[step_2, step_3].concat());
    assert_eq!(pair.closes_on_violation(), "LOGIN-12");
}

#[test]
fn nothing_may_come_before_step_3() {
    let mut pair = Pair::idle();
    let (step_2, _) = steps(&mut pair);
    pair.bytes(&step_2);
    let header = Header::for_payload(FrameType::InviteReq, 2, S, BOB, 0, false);
    pair.bytes(&header.encode());
    assert_eq!(pair.closes_on_violation(), "LOGIN-14");

    let mut pair = Pair::idle();
    let (step_2, mut step_3) = steps(&mut pair);
    step_3[30] ^= 1;
    pair.bytes(&[step_2, step_3].concat());
    assert_eq!(pair.closes_on_violation(), "MTP-11");
}

#[test]
fn a_login_is_given_up() {
    // LOGIN-16: while connecting,
    let mut pair = Pair::idle();
    pair.connect(ALICE);
    pair.pass(secs(10));
    assert_eq!(pair.closes(), (End::LoginTimeout, false));
    // before step 2, the time for connecting counted,
    pair.connect(ALICE);
    pair.now += secs(4);
    pair.open();
    pair.client.poll_transmit().unwrap();
    pair.pass(secs(6));
    assert_eq!(pair.closes(), (End::LoginTimeout, false));
    // and before step 3.
    let (step_2, _) = steps(&mut pair);
    pair.bytes(&step_2);
    pair.pass(secs(10));
    assert_eq!(pair.closes(), (End::LoginTimeout, false));
    assert!(pair.client.is_idle());
    pair.log_in(ALICE);
    assert_eq!(pair.client.poll_timeout(), None);
}

#[test]
fn commands_wait_for_the_login_in_their_order() {
    let mut pair = Pair::idle();
    assert_eq!(pair.refuses(Command::Status { sid: NONE }), Refusal::NotConnected);
    assert_eq!(pair.refuses(Command::Leave), Refusal::NotConnected);
    pair.connect(ALICE);
    pair.command(Command::Init { invite: vec![] });
    pair.command(Command::Status { sid: NONE });
    pair.connect(BOB);
    assert_eq!(pair.events(), []);
    pair.finish_login();
    assert_eq!(pair.heard(), [seen(FrameType::InitReq, NONE, ""), seen(FrameType::StatusReq, NONE, "")]);
    let refused = Event::Refused { command: "connect", error: Refusal::AlreadyConnected };
    assert_eq!(pair.events(), [Event::Online, refused]);
}

#[test]
fn commands_that_waited_for_a_login_that_failed_are_refused() {
    let mut pair = Pair::idle();
    pair.connect(ALICE);
    pair.command(Command::Status { sid: NONE });
    pair.connect(BOB);
    pair.client.handle_failure(pair.now, "connection refused");
    assert!(pair.client.wants_close());
    pair.client.handle_closed(pair.now);
    let end = End::Failed("connection refused".to_owned());
    let refused = Event::Refused { command: "status", error: Refusal::NotConnected };
    assert_eq!(pair.events(), [Event::Disconnected { end, anew: false }, refused]);
    // The second connect is another matter.
    pair.finish_login();
    assert_eq!(pair.channel().uid, BOB);
}

#[test]
fn the_servers_end_is_the_end() {
    let mut pair = Pair::online(ALICE);
    pair.command(Command::Init { invite: vec![BOB] });
    pair.heard();
    let status = pair.frame(FrameType::InviteReq, S, BOB, "");
    let half = pair.frame(FrameType::InviteReq, T, BOB, "");
    pair.bytes(&[&status[..], &half[..30]].concat());
    pair.client.handle_end(pair.now);
    // MTP-19: a whole frame counts, a part of one does not.
    assert_eq!(pair.events(), [Event::Invited { sid: S, from: BOB }]);
    assert_eq!(pair.closes(), (End::ByServer, false));
    // LOGIN-15.
    assert!(pair.client.is_idle());
    // What waited is gone with the connection: an answer to nothing (PAY-06), and an invitation that lapsed (LOGIN-09).
    pair.log_in(ALICE);
    pair.say(FrameType::InitRes, S, SERVER, "OK");
    pair.is_served();
    assert_eq!(pair.refuses(Command::Answer { sid: S, accept: true }), Refusal::NotInvited(S));
}

#[test]
fn leaving_is_said_and_done_at_once() {
    let mut pair = Pair::online(ALICE);
    pair.command(send(S, "waits for its roster"));
    pair.command(Command::Status { sid: NONE });
    pair.command(Command::Leave);
    assert_eq!(pair.heard(), [seen(FrameType::StatusReq, S, ""), seen(FrameType::StatusRes, NONE, "Offline")]);
    assert!(pair.client.wants_close());
    // Nothing that the server still says matters.
    pair.say(FrameType::StatusReq, NONE, SERVER, "");
    pair.client.handle_closed(pair.now);
    let refused = |command| Event::Refused { command, error: Refusal::Ended };
    let end = Event::Disconnected { end: End::Left, anew: false };
    assert_eq!(pair.events(), [refused("send"), refused("status"), end]);
    assert!(pair.client.is_idle() && pair.client.poll_transmit().is_none());
    // Before step 4 there is no farewell.
    let (step_2, _) = steps(&mut pair);
    pair.bytes(&step_2);
    pair.command(Command::Leave);
    assert_eq!(pair.closes(), (End::Left, false));
    assert!(pair.client.poll_transmit().is_none());
}

/// A client whose next number is 65535, and so is the server's.
fn nearly_spent() -> Pair {
    spent_to(65535)
}

/// A client whose next number is `next`, and so is the server's.
fn spent_to(next: u16) -> Pair {
    let mut pair = Pair::online(ALICE);
    for sqn in 3..next {
        pair.say(FrameType::StatusReq, NONE, SERVER, "");
        let (_, number, _) = header(&pair.client.poll_transmit().unwrap());
        assert_eq!(number, sqn);
    }
    pair
}

/// The type, number and sid of a frame that is not opened.
fn header(frame: &[u8]) -> (FrameType, u16, Sid) {
    let header = Header::decode(frame.first_chunk().unwrap());
    (header.kind().unwrap(), header.sqn, header.sid)
}

#[test]
fn after_number_65535_the_client_logs_in_anew() {
    let mut pair = nearly_spent();
    pair.command(Command::Status { sid: NONE });
    pair.command(Command::Status { sid: S });
    let last = pair.client.poll_transmit().unwrap();
    assert_eq!(header(&last), (FrameType::StatusReq, 65535, NONE));
    assert!(pair.client.poll_transmit().is_none(), "no further frame");
    assert!(!pair.client.wants_close(), "it waits for the answer");
    // What it cannot answer it leaves unanswered; the text is shown all the same.
    pair.deliver(S, BOB, ALICE, "late");
    assert!(pair.client.poll_transmit().is_none());
    assert_eq!(pair.events(), [Event::Message { sid: S, from: BOB, text: "late".to_owned() }]);
    assert_eq!(pair.channel().next_out(), None, "the server has used its last number too");
    // The answer cannot come any more: 1 s at the latest.
    pair.pass(secs(1));
    assert_eq!(pair.closes(), (End::Spent, true));
    pair.finish_login();
    assert_eq!(pair.events(), [Event::Online]);
    assert_eq!(pair.heard(), [seen(FrameType::StatusReq, S, "")], "what waited is carried out");
}

#[test]
fn after_number_65535_answers_are_awaited() {
    let mut pair = nearly_spent();
    pair.command(Command::Status { sid: NONE });
    pair.client.poll_transmit().unwrap();
    pair.say(FrameType::StatusRes, NONE, SERVER, "Online");
    assert!(matches!(pair.events()[..], [Event::Status { .. }]));
    assert_eq!(pair.closes(), (End::Spent, true));
    // A new login that fails is not repeated.
    assert_eq!(pair.client.wants_connection(), Some(ADDRESS));
    pair.client.handle_failure(pair.now, "refused");
    assert_eq!(pair.closes(), (End::Failed("refused".to_owned()), false));
    assert!(pair.client.is_idle());
}

#[test]
fn after_number_65535_it_logs_in_anew_whoever_closes() {
    let mut pair = nearly_spent();
    pair.command(send(S, "roster"));
    pair.client.poll_transmit().unwrap();
    pair.client.handle_end(pair.now);
    assert!(pair.client.wants_close());
    pair.client.handle_closed(pair.now);
    let refused = Event::Refused { command: "send", error: Refusal::Ended };
    assert_eq!(pair.events(), [refused, Event::Disconnected { end: End::ByServer, anew: true }]);
    // The user has the last word.
    pair.command(Command::Leave);
    assert_eq!(pair.closes(), (End::Left, false));
    assert!(pair.client.is_idle());
}

#[test]
fn a_farewell_with_number_65535_is_no_reason_to_come_back() {
    let mut pair = nearly_spent();
    pair.command(Command::Leave);
    assert_eq!(header(&pair.client.poll_transmit().unwrap()), (FrameType::StatusRes, 65535, NONE));
    assert_eq!(pair.closes(), (End::Left, false));
}

#[test]
fn a_command_that_waits_for_the_new_login_is_not_taken_for_one_that_waited_for_a_roster() {
    let mut pair = spent_to(65533);
    pair.command(Command::Status { sid: S });
    pair.command(send(S, "x"));
    pair.tell_roster(S, &[ALICE]);
    // Two questions, and the last number: the roster came by the first. Alone it cannot be sent to.
    assert!(matches!(pair.events()[..], [Event::Status { .. }, Event::Refused { command: "send", .. }]));
    pair.command(Command::Close { sid: T });
    pair.command(Command::Status { sid: T });
    let sent: Vec<_> = std::iter::from_fn(|| pair.client.poll_transmit()).map(|frame| header(&frame)).collect();
    let (req, close) = (FrameType::StatusReq, FrameType::CloseReq);
    assert_eq!(sent, [(req, 65533, S), (req, 65534, S), (close, 65535, T)]);
    pair.client.handle_end(pair.now);
    assert_eq!(pair.closes(), (End::ByServer, true));
    pair.finish_login();
    assert_eq!(pair.heard(), [seen(FrameType::StatusReq, T, "")]);
}
