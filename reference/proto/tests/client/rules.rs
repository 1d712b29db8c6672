//! What a client does with frames, and what it refuses: PAY-05, PAY-06, PAY-08, MSG-06, MSG-14, MSG-16, MSG-18, STAT-09,
//! INIT-16, CLOSE-10, STAT-02.

use mpchat_proto::client::{Command, Config, Event, Refusal, Untrusted};
use mpchat_proto::envelope;
use mpchat_proto::frame::FrameType::{self, *};
use mpchat_proto::ids::{Sid, Uid};
use mpchat_proto::payload::{Presence, parse_lines, write_lines};
use rstest::rstest;

use crate::support::*;

/// Lines of the one msg_req in `heard`.
fn lines(heard: &[Seen]) -> Vec<String> {
    match heard {
        [(MsgReq, S, payload)] => parse_lines(payload.as_bytes()).unwrap().into_iter().map(str::to_owned).collect(),
        other => panic!("{other:?}"),
    }
}

fn open(line: &str, author: Uid, reader: Uid) -> String {
    envelope::open(provider(), &private(reader), S, author, reader, line).unwrap()
}

#[rstest]
#[case::status_req_payload(StatusReq, NONE, SERVER, "x")]
#[case::status_req_sid(StatusReq, S, SERVER, "")]
#[case::status_res(StatusRes, NONE, SERVER, "online")]
#[case::status_res_lf(StatusRes, NONE, SERVER, "Online\n")]
#[case::invite_req(InviteReq, S, BOB, "x")]
#[case::invite_req_sid(InviteReq, NONE, BOB, "")]
#[case::msg_req_sid(MsgReq, NONE, BOB, "aa\n")]
#[case::msg_res(MsgRes, S, SERVER, "")]
#[case::init_res(InitRes, NONE, SERVER, "")]
#[case::init_res_sid(InitRes, NONE, SERVER, "OK")]
#[case::close_res(CloseRes, S, SERVER, "")]
fn pay_05_closes(#[case] typ: FrameType, #[case] sid: Sid, #[case] uid: Uid, #[case] payload: &str) {
    let mut pair = Pair::online(ALICE);
    // What was due before it is still sent and shown, what comes behind it is not looked at (MTP-13).
    let before = pair.frame(InviteReq, T, BOB, "");
    let wrong = pair.frame(typ, sid, uid, payload);
    let behind = pair.frame(InviteReq, S, BOB, "");
    pair.bytes(&[before, wrong, behind].concat());
    assert_eq!(pair.events(), [Event::Invited { sid: T, from: BOB }]);
    assert_eq!(pair.closes_on_violation(), "PAY-05");
}

#[rstest]
#[case(InitRes)]
#[case(CloseRes)]
#[case(MsgRes)]
fn pay_05_closes_on_what_is_no_text(#[case] typ: FrameType) {
    let mut pair = Pair::online(ALICE);
    pair.say(typ, S, SERVER, [0xff]);
    assert_eq!(pair.closes_on_violation(), "PAY-05");
}

#[rstest]
#[case::init_req(InitReq, NONE, SERVER, "MTP-15")]
#[case::close_req(CloseReq, S, SERVER, "MTP-15")]
#[case::invite_res(InviteRes, S, SERVER, "MTP-15")]
#[case::invite_of_nobody(InviteReq, S, SERVER, "MTP-21")]
#[case::text_of_nobody(MsgReq, S, SERVER, "MTP-21")]
#[case::init_res(InitRes, S, BOB, "MTP-21")]
#[case::msg_res(MsgRes, S, BOB, "MTP-21")]
#[case::status_req(StatusReq, NONE, BOB, "MTP-21")]
fn headers_are_judged_at_once(#[case] typ: FrameType, #[case] sid: Sid, #[case] uid: Uid, #[case] rule: &str) {
    let mut pair = Pair::online(ALICE);
    let frame = pair.frame(typ, sid, uid, "");
    pair.bytes(&frame[..24]);
    assert_eq!(pair.closes_on_violation(), rule);
}

#[test]
fn numbers_and_macs_are_checked() {
    let mut pair = Pair::online(ALICE);
    let frame = pair.frame(StatusReq, NONE, SERVER, "");
    pair.bytes(&frame);
    pair.heard();
    pair.bytes(&frame);
    assert_eq!(pair.closes_on_violation(), "MTP-08");
    let mut pair = Pair::online(ALICE);
    let mut frame = pair.frame(StatusReq, NONE, SERVER, "");
    frame[35] ^= 1;
    pair.bytes(&frame);
    assert_eq!(pair.closes_on_violation(), "MTP-11");
}

#[rstest]
#[case::init_ok(InitRes, T, SERVER, "OK")]
#[case::init_error(InitRes, NONE, SERVER, "no")]
#[case::msg_ok(MsgRes, S, SERVER, "OK")]
#[case::status_of_the_server(StatusRes, NONE, SERVER, "Online")]
#[case::status_of_a_session(StatusRes, S, SERVER, "Offline")]
#[case::member(StatusRes, S, BOB, "Offline")]
#[case::close_error(CloseRes, S, SERVER, "no")]
#[case::close_error_of_bob(CloseRes, S, BOB, "no")]
fn pay_06_ignores_answers_to_nothing(#[case] typ: FrameType, #[case] sid: Sid, #[case] uid: Uid, #[case] text: &str) {
    let mut pair = Pair::online(ALICE);
    pair.say(typ, sid, uid, text);
    pair.is_served();
}

#[test]
fn pay_06_status_of_a_user_without_session() {
    let mut pair = Pair::online(ALICE);
    pair.command(Command::Status { sid: NONE });
    pair.heard();
    pair.say(StatusRes, NONE, BOB, "Offline");
    pair.say(StatusRes, NONE, SERVER, "Online");
    assert_eq!(pair.events(), [Event::Status { sid: NONE, state: Presence::Online, members: vec![] }]);
}

#[test]
fn pay_06_close_responses() {
    let mut pair = Pair::online(ALICE);
    let (answered, by) = (Event::Close { sid: S, result: ok() }, |by| Event::Closed { sid: S, by });
    // Two requests, bob is faster: his notification, an error for the first, and the second too.
    pair.command(Command::Close { sid: S });
    pair.command(Command::Close { sid: S });
    assert_eq!(pair.heard(), [seen(CloseReq, S, ""), seen(CloseReq, S, "")]);
    pair.say(CloseRes, S, BOB, "OK");
    pair.say(CloseRes, S, SERVER, "no");
    assert_eq!(pair.events(), [by(BOB), Event::Close { sid: S, result: error() }]);
    // An OK after another is an answer while one is outstanding,
    pair.say(CloseRes, S, SERVER, "OK");
    assert_eq!(pair.events(), [answered]);
    // and ignored afterwards, but a user's is news.
    pair.say(CloseRes, S, SERVER, "OK");
    assert_eq!(pair.events(), []);
    pair.say(CloseRes, S, CAROL, "OK");
    assert_eq!(pair.events(), [by(CAROL)]);
    // CLOSE-11: the server closes by itself.
    pair.say(CloseRes, T, SERVER, "OK");
    assert_eq!(pair.events(), [Event::Closed { sid: T, by: SERVER }]);
    pair.is_served();
}

#[test]
fn close_10_nothing_more_is_sent_but_answers_and_questions() {
    let mut pair = Pair::online(BOB);
    pair.accept(ALICE);
    pair.say(InviteReq, T, ALICE, "");
    pair.say(CloseRes, S, ALICE, "OK");
    pair.say(CloseRes, T, ALICE, "OK");
    pair.events();
    assert_eq!(pair.refuses(send(S, "x")), Refusal::Closed(S));
    assert_eq!(pair.refuses(Command::Close { sid: S }), Refusal::Closed(S));
    assert_eq!(pair.refuses(Command::Answer { sid: T, accept: true }), Refusal::Closed(T));
    pair.command(Command::Status { sid: S });
    assert_eq!(pair.heard(), [seen(StatusReq, S, "")]);
    pair.deliver(S, ALICE, BOB, "crossed");
    assert_eq!(pair.heard(), [seen(MsgRes, S, "OK")]);
}

#[test]
fn close_10_counts_while_a_text_waits_for_its_roster() {
    let mut pair = Pair::online(BOB);
    pair.command(send(S, "x"));
    pair.command(Command::Status { sid: NONE });
    assert_eq!(pair.heard(), [seen(StatusReq, S, "")]);
    pair.say(CloseRes, S, ALICE, "OK");
    let refused = Event::Refused { command: "send", error: Refusal::Closed(S) };
    assert_eq!(pair.events(), [Event::Closed { sid: S, by: ALICE }, refused]);
    assert_eq!(pair.heard(), [seen(StatusReq, NONE, "")]);
    // The answer to its question is no answer to the user's.
    pair.say(StatusRes, S, SERVER, "Offline");
    pair.say(StatusRes, NONE, SERVER, "Online");
    assert!(matches!(pair.events()[..], [Event::Status { sid: NONE, .. }]));
}

#[test]
fn init_16_one_answer_a_session() {
    let mut pair = Pair::online(BOB);
    assert_eq!(pair.refuses(Command::Answer { sid: S, accept: false }), Refusal::NotInvited(S));
    pair.say(InviteReq, S, ALICE, "");
    pair.is_invited(S);
    pair.command(Command::Answer { sid: S, accept: false });
    assert_eq!(pair.heard(), [seen(InviteRes, S, "Deny")]);
    assert_eq!(pair.refuses(Command::Answer { sid: S, accept: true }), Refusal::Answered(S));
    // Asked again, the answer stands.
    pair.say(InviteReq, S, ALICE, "");
    pair.is_invited(S);
    assert_eq!(pair.refuses(Command::Answer { sid: S, accept: true }), Refusal::Answered(S));
}

#[test]
fn inits_are_answered_in_their_order() {
    let mut pair = Pair::online(ALICE);
    pair.command(Command::Init { invite: vec![BOB] });
    pair.command(Command::Init { invite: vec![CAROL] });
    assert_eq!(pair.heard().len(), 2);
    pair.say(InitRes, NONE, SERVER, "no");
    pair.say(InitRes, S, SERVER, "OK");
    assert_eq!(pair.events(), [Event::Init { sid: NONE, result: error() }, Event::Init { sid: S, result: ok() }]);
    // So the session is carol's: bob would be a stranger.
    pair.command(send(S, "x"));
    pair.heard();
    pair.tell_roster(S, &[ALICE, BOB]);
    let error = Refusal::Untrusted { sid: S, error: Untrusted::NotInvited(BOB) };
    assert_eq!(pair.events(), [Event::Refused { command: "send", error }]);
    assert!(matches!(pair.refuses(Command::Init { invite: vec![BOB; 3853] }), Refusal::TooManyInvited(3853)));
}

#[test]
fn texts_are_sealed_for_each_other_participant_in_roster_order() {
    let mut pair = Pair::online(CAROL);
    pair.accept(ALICE);
    pair.command(send(S, "hello"));
    pair.command(send(S, "again"));
    // STAT-04: asked for once, and no event of it.
    assert_eq!(pair.heard(), [seen(StatusReq, S, "")]);
    pair.tell_roster(S, &[ALICE, CAROL, BOB]);
    let heard = pair.heard();
    assert_eq!((heard.len(), pair.events()), (2, vec![]));
    // MSG-01, MSG-02.
    for (at, text) in ["hello", "again"].into_iter().enumerate() {
        let lines = lines(&heard[at..=at]);
        assert_eq!(lines.len(), 2);
        assert_eq!((open(&lines[0], CAROL, ALICE), open(&lines[1], CAROL, BOB)), (text.to_owned(), text.to_owned()));
    }
    pair.say(MsgRes, S, SERVER, "OK");
    pair.say(MsgRes, S, SERVER, "no");
    assert_eq!(pair.events(), [Event::Sent { sid: S, result: ok() }, Event::Sent { sid: S, result: error() }]);
    pair.say(MsgRes, S, SERVER, "OK");
    pair.is_served();
}

#[test]
fn without_a_roster_nothing_is_sent() {
    let mut pair = Pair::online(BOB);
    pair.command(send(S, "x"));
    assert_eq!(pair.heard(), [seen(StatusReq, S, "")]);
    pair.say(StatusRes, S, SERVER, "Offline");
    assert_eq!(pair.events(), [Event::Refused { command: "send", error: Refusal::NoRoster(S) }]);
    assert_eq!(pair.refuses(send(NONE, "x")), Refusal::NoRoster(NONE));
    // No roster was learned, so the next one asks again.
    pair.command(send(S, "y"));
    assert_eq!(pair.heard(), [seen(StatusReq, S, "")]);
    pair.tell_roster(S, &[BOB, Uid(7)]);
    assert_eq!(pair.events(), [Event::Refused { command: "send", error: Refusal::NoKey(Uid(7)) }]);
}

#[rstest]
#[case::without_me(&[ALICE, CAROL], Untrusted::WithoutMe(BOB))]
#[case::twice(&[ALICE, BOB, BOB], Untrusted::Twice(BOB))]
#[case::only_me(&[BOB], Untrusted::Alone)]
#[case::nobody(&[], Untrusted::WithoutMe(BOB))]
#[case::inviter_second(&[BOB, ALICE], Untrusted::NotCreator(ALICE))]
#[case::another_inviter(&[CAROL, BOB, ALICE], Untrusted::NotCreator(ALICE))]
fn stat_09_the_first_roster_counts(#[case] roster: &[Uid], #[case] error: Untrusted) {
    // Learned by the client's own question,
    let mut pair = Pair::online(BOB);
    pair.accept(ALICE);
    pair.command(send(S, "hello"));
    pair.heard();
    pair.tell_roster(S, roster);
    let refusal = Refusal::Untrusted { sid: S, error };
    assert_eq!(pair.events(), [Event::Refused { command: "send", error: refusal.clone() }]);
    // it is never replaced, a new login included.
    pair.command(Command::Status { sid: S });
    pair.tell_roster(S, &[ALICE, BOB, CAROL]);
    pair.heard();
    pair.events();
    assert_eq!(pair.refuses(send(S, "hello again")), refusal);
    pair.client.handle_end(pair.now);
    pair.closes();
    pair.log_in(BOB);
    assert_eq!(pair.refuses(send(S, "hello again")), refusal);

    // By its user's question, and before the invitation.
    let mut pair = Pair::online(BOB);
    pair.command(Command::Status { sid: S });
    pair.heard();
    pair.tell_roster(S, roster);
    pair.events();
    pair.accept(ALICE);
    assert_eq!(pair.refuses(send(S, "hello")), refusal);
}

#[test]
fn stat_09_the_creator_knows_whom_it_invited() {
    let mut pair = Pair::online(ALICE);
    pair.create(&[CAROL, BOB]);
    pair.command(Command::Status { sid: S });
    pair.heard();
    pair.tell_roster(S, &[ALICE, BOB]);
    let members = vec![(ALICE, Presence::Online), (BOB, Presence::Online)];
    assert_eq!(pair.events(), [Event::Status { sid: S, state: Presence::Online, members }]);
    pair.command(send(S, "hello"));
    assert_eq!(lines(&pair.heard()).len(), 1, "the roster of its user's question will do");
}

#[test]
fn stat_09_each_user_has_its_own_memory() {
    let mut pair = Pair::online(ALICE);
    pair.create(&[BOB]);
    pair.command(Command::Leave);
    pair.heard();
    pair.closes();
    pair.log_in(BOB);
    pair.accept(ALICE);
    pair.command(send(S, "hi"));
    pair.heard();
    pair.tell_roster(S, &[ALICE, BOB]);
    assert_eq!(lines(&pair.heard()).len(), 1);
}

#[test]
fn stat_07_answers_of_different_sessions_may_be_mixed() {
    let mut pair = Pair::online(ALICE);
    for sid in [S, T, S] {
        pair.command(Command::Status { sid });
    }
    pair.heard();
    pair.say(StatusRes, S, ALICE, "Online");
    pair.say(StatusRes, T, ALICE, "Online");
    pair.say(StatusRes, S, BOB, "Offline");
    pair.say(StatusRes, T, CAROL, "Online");
    pair.say(StatusRes, S, SERVER, "Online");
    pair.say(StatusRes, T, SERVER, "Online");
    pair.say(StatusRes, S, SERVER, "Offline");
    let status = |sid, state, members| Event::Status { sid, state, members };
    let (on, off) = (Presence::Online, Presence::Offline);
    assert_eq!(
        pair.events(),
        [
            status(S, on, vec![(ALICE, on), (BOB, off)]),
            status(T, on, vec![(ALICE, on), (CAROL, on)]),
            status(S, off, vec![]),
        ]
    );
}

#[test]
fn a_roster_without_end_takes_no_memory() {
    let mut pair = Pair::online(ALICE);
    pair.command(Command::Status { sid: S });
    pair.heard();
    for uid in 1..1000 {
        pair.say(StatusRes, S, Uid(uid), "Online");
    }
    pair.say(StatusRes, S, SERVER, "Online");
    assert!(matches!(&pair.events()[..], [Event::Status { members, .. }] if members.len() == 123));
}

#[rstest]
#[case::another_session(T, ALICE, BOB)]
#[case::another_author(S, CAROL, BOB)]
#[case::another_recipient(S, ALICE, CAROL)]
fn msg_14_an_envelope_for_elsewhere_is_not_shown(#[case] sid: Sid, #[case] author: Uid, #[case] reader: Uid) {
    let mut pair = Pair::online(BOB);
    let line = pair.line(sid, author, reader, "psst");
    pair.say(MsgReq, S, ALICE, write_lines([line]));
    assert!(matches!(&pair.heard()[..], [(MsgRes, S, text)] if text != "OK" && !text.is_empty()));
    pair.is_served();
}

#[rstest]
#[case::empty("")]
#[case::empty_line("\n")]
#[case::no_line_end("aa")]
#[case::two_lines("aa\nbb\n")]
#[case::not_hex("hello\n")]
#[case::short("aabb\n")]
#[case::no_text([0xff, 0x0a])]
fn pay_08_what_is_not_one_envelope_is_answered(#[case] payload: impl AsRef<[u8]>) {
    let mut pair = Pair::online(BOB);
    pair.say(MsgReq, S, ALICE, payload);
    assert!(matches!(&pair.heard()[..], [(MsgRes, S, text)] if text != "OK" && !text.is_empty()));
    pair.is_served();
}

#[test]
fn msg_18_a_line_is_shown_once() {
    let mut pair = Pair::online(BOB);
    let line = write_lines([pair.line(S, ALICE, BOB, "hello")]);
    pair.say(MsgReq, S, ALICE, &line);
    assert_eq!(pair.events(), [Event::Message { sid: S, from: ALICE, text: "hello".to_owned() }]);
    pair.say(MsgReq, S, ALICE, &line);
    assert_eq!(pair.heard(), [seen(MsgRes, S, "OK"), seen(MsgRes, S, "OK")]);
    assert_eq!(pair.events(), []);
    // On a later connection too.
    pair.client.handle_end(pair.now);
    pair.closes();
    pair.log_in(BOB);
    pair.say(MsgReq, S, ALICE, &line);
    assert_eq!(pair.heard(), [seen(MsgRes, S, "OK")]);
    assert_eq!(pair.events(), []);
    // The same text in another envelope is another message.
    pair.deliver(S, ALICE, BOB, "hello");
    assert_eq!(pair.events().len(), 1);
    // Shown is what was opened: the same bytes elsewhere were not.
    pair.heard();
    pair.say(MsgReq, T, ALICE, &line);
    assert!(matches!(&pair.heard()[..], [(MsgRes, T, text)] if text != "OK"));
}

#[test]
fn msg_16_a_text_too_long_is_refused() {
    let mut pair = Pair::online(ALICE);
    pair.create(&[BOB, CAROL]);
    pair.command(send(S, "a"));
    pair.tell_roster(S, &[ALICE, BOB, CAROL]);
    assert_eq!(pair.heard().len(), 2);
    pair.events();
    // 65499 bytes hold 2 lines of 2 * (268 + n) digits and an LF.
    let most = 16106;
    pair.command(send(S, &"x".repeat(most)));
    assert_eq!(lines(&pair.heard()).len(), 2);
    let refusal = pair.refuses(send(S, &"x".repeat(most + 1)));
    assert_eq!(refusal, Refusal::TooLong { bytes: most + 1, recipients: 2 });
    pair.is_served();
}

#[test]
fn limits_are_kept() {
    let mut pair = Pair::with(Config { max_waiting: 2, max_sessions: 2, max_shown: 1, ..Config::default() });
    pair.log_in(BOB);
    // Texts: refused rather than shown twice later.
    pair.deliver(S, ALICE, BOB, "one");
    pair.deliver(S, ALICE, BOB, "two");
    assert!(matches!(&pair.heard()[..], [(_, _, first), (_, _, second)] if first == "OK" && second != "OK"));
    assert_eq!(pair.events().len(), 1);
    // Sessions.
    for sid in 1..=3 {
        pair.say(InviteReq, Sid(sid), ALICE, "");
    }
    assert_eq!(pair.events().len(), 2);
    // Commands.
    for _ in 0..3 {
        pair.command(send(S, "x"));
    }
    assert_eq!(pair.events(), [Event::Refused { command: "send", error: Refusal::TooManyWaiting }]);
}

impl Pair {
    fn is_invited(&mut self, sid: Sid) {
        assert_eq!(self.events(), [Event::Invited { sid, from: ALICE }]);
    }
}
