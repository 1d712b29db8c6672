//! Section 6: where lines go, when they are stored, and when their author hears of it.

use core::time::Duration;

use mpchat_proto::frame::FrameType::{MsgReq, MsgRes, StatusReq};
use mpchat_proto::frame::MAX_PAYLOAD;
use mpchat_proto::ids::Sid;
use mpchat_proto::server::{Ending, Event};
use rstest::rstest;

use crate::support::*;

/// alice, bob and carol in one session, in this order.
fn three() -> (Net, [C; 3], Sid) {
    let mut net = Net::new();
    let all = [net.login(ALICE), net.login(BOB), net.login(CAROL)];
    let sid = net.session(&all);
    (net, all, sid)
}

/// alice and bob in one session.
fn two() -> (Net, C, C, Sid) {
    let mut net = Net::new();
    let (a, b) = (net.login(ALICE), net.login(BOB));
    let sid = net.session(&[a, b]);
    (net, a, b, sid)
}

#[test]
fn each_gets_its_line() {
    let (mut net, [a, b, c], sid) = three();
    net.msg(b, sid, &["for alice", "für carol"]); // MSG-03, MSG-04: roster order without the author
    net.expect(a, &[msg_req(sid, BOB, "for alice")]);
    net.expect(c, &[msg_req(sid, BOB, "für carol")]);
    net.answer(c, sid, "OK");
    net.hears_nothing(b); // MSG-07
    net.answer(a, sid, "OK");
    net.expect(b, &[msg_res(sid, "OK")]);
    assert_eq!(net.server.stored(), (0, 0));
}

#[test]
fn one_cannot_read_it() {
    let (mut net, [a, b, c], sid) = three();
    net.msg(a, sid, &["x", "y"]);
    net.answer(b, sid, "what is this?");
    net.hears_nothing(a);
    net.answer(c, sid, "OK");
    net.expect(a, &[msg_res(sid, "error")]);
    // It was answered, so it is not sent again (MSG-17).
    net.take(b);
    let b = net.login(BOB);
    net.hears_nothing(b);
}

#[test]
fn stored_for_who_is_offline() {
    let (mut net, [a, b, c], sid) = three();
    net.end(b);
    net.end(c);
    net.msg(a, sid, &["b1", "c1"]);
    net.expect(a, &[msg_res(sid, "OK")]);
    net.msg(a, sid, &["b2", "c2"]);
    net.expect(a, &[msg_res(sid, "OK")]);
    let b = net.login(BOB);
    net.expect(b, &[msg_req(sid, ALICE, "b1"), msg_req(sid, ALICE, "b2")]); // LOGIN-13, MSG-08
    net.answer(b, sid, "OK");
    net.end(b);
    net.hears_nothing(a); // answered long ago
    net.msg(a, sid, &["b3", "c3"]);
    net.expect(a, &[msg_res(sid, "OK")]);
    let b = net.login(BOB);
    net.expect(b, &[msg_req(sid, ALICE, "b2"), msg_req(sid, ALICE, "b3")]); // MSG-17
}

#[test]
fn going_offline_decides() {
    let (mut net, [a, b, c], sid) = three();
    net.msg(a, sid, &["b", "c"]);
    net.answer(b, sid, "OK");
    net.take(b);
    net.take(c);
    net.end(c);
    net.expect(a, &[msg_res(sid, "OK")]);
    let c = net.login(CAROL);
    net.expect(c, &[msg_req(sid, ALICE, "c")]);
    net.answer(c, sid, "unreadable");
    net.hears_nothing(a); // exactly one msg_res
}

#[test]
fn a_late_error_counts_while_others_are_undecided() {
    let (mut net, [a, b, c], sid) = three();
    net.msg(a, sid, &["b", "c"]);
    net.end(b);
    let b = net.login(BOB);
    net.answer(b, sid, "unreadable");
    net.hears_nothing(a);
    net.answer(c, sid, "OK");
    net.expect(a, &[msg_res(sid, "error")]); // "if any has answered with one by then"
}

#[rstest]
#[case::none(&b""[..])]
#[case::fewer(&b"one\n"[..])]
#[case::more(&b"one\ntwo\nthree\n"[..])]
#[case::empty_line(&b"one\n\n"[..])]
#[case::no_line_end(&b"one\ntwo"[..])]
#[case::no_utf8(&b"one\n\xc0\xaf\n"[..])]
fn a_bad_message_goes_nowhere(#[case] payload: &[u8]) {
    let (mut net, [a, b, c], sid) = three();
    net.send(a, MsgReq, sid, payload);
    net.expect(a, &[msg_res(sid, "error")]); // MSG-05, PAY-04
    net.hears_nothing(b);
    net.hears_nothing(c);
    net.msg(a, sid, &["b", "c"]);
    net.expect(b, &[msg_req(sid, ALICE, "b")]);
    assert_eq!(net.server.stored(), (2, 2));
}

#[rstest]
#[case::well_formed("x\ny\n")]
#[case::too_few("x\n")]
#[case::malformed("x")]
fn outsiders_and_unknown_sessions(#[case] payload: &str) {
    let (mut net, a, b, sid) = two();
    let c = net.login(CAROL);
    for sid in [sid, Sid(sid.0 ^ 1), NONE] {
        net.send(c, MsgReq, sid, payload);
    }
    let answers = net.take(c);
    let sids: Vec<Sid> = answers.iter().map(|frame| frame.sid).collect();
    assert_eq!(sids, [sid, Sid(sid.0 ^ 1), NONE]);
    // The text does not tell whether the session exists.
    assert!(answers.iter().all(|frame| frame.text == answers[0].text && frame.text != "OK"));
    net.hears_nothing(a);
    net.hears_nothing(b);
}

#[test]
fn answers_take_the_oldest_of_their_session() {
    let (mut net, a, b, one) = two();
    let two = net.session(&[a, b]);
    net.msg(a, one, &["1"]);
    net.msg(a, one, &["2"]);
    net.msg(a, two, &["3"]);
    net.expect(b, &[msg_req(one, ALICE, "1"), msg_req(one, ALICE, "2"), msg_req(two, ALICE, "3")]);
    net.answer(b, two, "OK"); // MSG-09
    net.expect(a, &[msg_res(two, "OK")]);
    net.answer(b, one, "unreadable");
    net.answer(b, one, "OK");
    net.expect(a, &[msg_res(one, "error"), msg_res(one, "OK")]);
    net.answer(b, one, "OK"); // PAY-06
    net.answer(b, Sid(5), "OK");
    net.hears_nothing(a);
    net.hears_nothing(b);
}

#[test]
fn refusals_wait_for_earlier_answers() {
    let (mut net, [a, b, c], sid) = three();
    let other = net.session(&[a, b]);
    net.msg(a, sid, &["b", "c"]);
    net.msg(a, sid, &["too few"]);
    net.msg(a, other, &["x", "too many"]);
    net.expect(a, &[msg_res(other, "error")]); // MSG-11 is for one session
    net.answer(b, sid, "OK");
    net.hears_nothing(a);
    net.answer(c, sid, "OK");
    net.expect(a, &[msg_res(sid, "OK"), msg_res(sid, "error")]);
}

#[test]
fn answers_come_in_order() {
    let (mut net, [a, b, c], sid) = three();
    net.msg(a, sid, &["b1", "c1"]);
    net.answer(b, sid, "OK");
    net.take(c);
    net.end(b);
    net.msg(a, sid, &["b2", "c2"]);
    net.hears_nothing(a);
    net.answer(c, sid, "unreadable");
    net.expect(a, &[msg_res(sid, "error")]);
    net.answer(c, sid, "OK");
    net.expect(a, &[msg_res(sid, "OK")]);
}

#[test]
fn one_order_for_all() {
    let (mut net, [a, b, c], sid) = three();
    net.msg(a, sid, &["1", "1"]);
    net.msg(b, sid, &["2", "2"]);
    net.end(c);
    net.msg(a, sid, &["3", "3"]);
    let c = net.login(CAROL);
    net.msg(b, sid, &["4", "4"]);
    let all = [(ALICE, "1"), (BOB, "2"), (ALICE, "3"), (BOB, "4")];
    let frames = |but| all.iter().filter(|x| x.0 != but).map(|x| msg_req(sid, x.0, x.1)).collect::<Vec<_>>();
    let lines = |frames: Vec<Frame>| frames.into_iter().filter(|frame| frame.typ == MsgReq).collect::<Vec<_>>();
    assert_eq!(lines(net.take(a)), frames(ALICE));
    assert_eq!(lines(net.take(b)), frames(BOB));
    assert_eq!(lines(net.take(c)), frames(SERVER)); // MSG-10
}

#[test]
fn the_author_leaves() {
    let (mut net, a, b, sid) = two();
    net.msg(a, sid, &["x"]);
    assert_eq!(net.server.awaited(), 1);
    net.end(a);
    assert_eq!(net.server.awaited(), 0);
    net.expect(b, &[msg_req(sid, ALICE, "x")]);
    let a = net.login(ALICE);
    net.answer(b, sid, "OK");
    net.hears_nothing(a); // MSG-13
    net.msg(a, sid, &["y"]);
    net.answer(b, sid, "OK");
    net.expect(a, &[msg_res(sid, "OK")]);
}

#[test]
fn a_second_login_of_the_recipient() {
    let (mut net, a, b, sid) = two();
    net.msg(a, sid, &["x"]);
    net.expect(b, &[msg_req(sid, ALICE, "x")]);
    let b2 = net.login(BOB);
    net.closed_silently(b);
    net.expect(a, &[msg_res(sid, "OK")]); // LOGIN-09
    net.expect(b2, &[msg_req(sid, ALICE, "x")]);
    net.answer(b2, sid, "OK");
    net.hears_nothing(b2);
    net.hears_nothing(a);
}

#[test]
fn silence_disconnects() {
    let (mut net, a, b, sid) = two();
    net.pass(seconds(100));
    net.msg(a, sid, &["1"]);
    net.pass(seconds(6));
    net.msg(a, sid, &["2"]); // further lines do not restart it
    net.pass(seconds(4) - Duration::from_nanos(1));
    net.take(b);
    net.hears_nothing(b); // and a status_req is no answer
    net.hears_nothing(a);
    net.pass(Duration::from_nanos(1));
    net.closed_silently(b);
    net.expect(a, &[msg_res(sid, "OK"), msg_res(sid, "OK")]);
    let why = |event: &Event| matches!(event, Event::Ended { why: Ending::AnswerTimeout, .. });
    assert!(net.events().iter().any(why));
    let b = net.login(BOB);
    net.expect(b, &[msg_req(sid, ALICE, "1"), msg_req(sid, ALICE, "2")]);
}

#[test]
fn each_answer_gives_more_time() {
    let (mut net, a, b, sid) = two();
    for text in ["1", "2", "3"] {
        net.msg(a, sid, &[text]);
    }
    net.take(b);
    for _ in 0..2 {
        net.pass(seconds(9));
        net.answer(b, sid, "OK");
    }
    net.pass(seconds(10) - Duration::from_nanos(1));
    net.hears_nothing(b);
    net.pass(Duration::from_nanos(1));
    net.closed_silently(b);
}

#[test]
fn what_answers_nothing_gives_no_time() {
    let (mut net, a, b, sid) = two();
    net.msg(a, sid, &["1"]);
    net.take(b);
    net.pass(seconds(9));
    net.answer(b, Sid(9), "OK");
    net.pass(seconds(1));
    net.closed_silently(b);
}

#[test]
fn no_lines_no_time() {
    let (mut net, a, b, sid) = two();
    net.msg(a, sid, &["1"]);
    net.take(b);
    net.pass(seconds(9));
    net.answer(b, sid, "OK");
    net.pass(seconds(1000));
    net.hears_nothing(b);
    net.msg(a, sid, &["2"]);
    net.take(b);
    net.pass(seconds(9));
    net.hears_nothing(b);
    net.pass(seconds(1));
    net.closed_silently(b);
}

#[test]
fn lines_of_a_closed_session_do_not_count() {
    let (mut net, a, b, one) = two();
    let two = net.session(&[a, b]);
    net.msg(a, one, &["1"]);
    net.pass(seconds(6));
    net.msg(a, two, &["2"]);
    net.pass(seconds(1));
    net.close(a, one);
    net.take(b);
    // The line of the other session was sent 1 s ago.
    net.pass(seconds(9) - Duration::from_nanos(1));
    net.hears_nothing(b);
    net.pass(Duration::from_nanos(1));
    net.closed_silently(b);
}

#[test]
fn an_answer_before_a_line_was_sent_takes_no_time_from_it() {
    let (mut net, a, b, one) = two();
    let two = net.session(&[a, b]);
    net.msg(a, one, &["1"]);
    net.msg(a, one, &["2"]);
    net.pass(seconds(1));
    net.answer(b, one, "OK");
    net.pass(seconds(4));
    net.msg(a, two, &["3"]);
    net.close(a, one);
    net.take(b);
    net.pass(seconds(10) - Duration::from_nanos(1));
    net.hears_nothing(b);
    net.pass(Duration::from_nanos(1));
    net.closed_silently(b);
}

#[test]
fn the_window_holds_lines_back() {
    let mut net = Net::with(|config| config.limits.unanswered_bytes = 100);
    let (a, b, c) = (net.login(ALICE), net.login(BOB), net.login(CAROL));
    let one = net.session(&[a, b]);
    let two = net.session(&[a, b, c]);
    // 24 + 12 + 1 + 1 bytes each: two of them fit.
    for text in ["1", "2", "3", "4"] {
        net.msg(a, one, &[text]);
    }
    net.msg(a, two, &["5", "5"]);
    net.expect(c, &[msg_req(two, ALICE, "5")]);
    net.expect(b, &[msg_req(one, ALICE, "1"), msg_req(one, ALICE, "2")]);
    net.answer(b, two, "OK"); // not sent yet, so not answered by this
    net.answer(c, two, "OK");
    net.hears_nothing(a);
    net.answer(b, one, "OK");
    net.expect(a, &[msg_res(one, "OK")]);
    net.expect(b, &[msg_req(one, ALICE, "3")]);
    net.close(a, one); // which makes room as well
    net.expect(b, &[close_res(one, ALICE, "OK"), msg_req(two, ALICE, "5")]);
    net.answer(b, two, "OK");
    net.take(a);
    // One is sent however long it is.
    let long = "x".repeat(MAX_PAYLOAD / 2 - 1);
    net.msg(a, two, &[&long, &long]);
    net.msg(a, two, &["y", "y"]);
    net.expect(b, &[msg_req(two, ALICE, &long)]);
    net.answer(b, two, "OK");
    net.expect(b, &[msg_req(two, ALICE, "y")]);
}

#[test]
fn held_lines_are_decided_by_going_offline() {
    let mut net = Net::with(|config| config.limits.unanswered_bytes = 1);
    let (a, b) = (net.login(ALICE), net.login(BOB));
    let sid = net.session(&[a, b]);
    net.msg(a, sid, &["1"]);
    net.msg(a, sid, &["2"]);
    net.expect(b, &[msg_req(sid, ALICE, "1")]);
    net.end(b);
    net.expect(a, &[msg_res(sid, "OK"), msg_res(sid, "OK")]);
}

#[test]
fn too_many_lines() {
    let mut net = Net::with(|config| config.limits.stored_lines = 3);
    let (a, b, c) = (net.login(ALICE), net.login(BOB), net.login(CAROL));
    let sid = net.session(&[a, b, c]);
    net.end(c);
    net.msg(a, sid, &["1", "1"]);
    net.msg(a, sid, &["2", "2"]);
    net.expect(b, &[msg_req(sid, ALICE, "1")]);
    net.hears_nothing(a); // PAY-07: in its turn
    net.answer(b, sid, "OK");
    net.expect(a, &[msg_res(sid, "OK"), msg_res(sid, "error")]);
    let c = net.login(CAROL);
    net.expect(c, &[msg_req(sid, ALICE, "1")]); // as a whole
    net.answer(c, sid, "OK");
    assert_eq!(net.server.stored(), (0, 0));
}

#[test]
fn too_many_bytes() {
    let mut net = Net::with(|config| config.limits.stored_bytes = 10);
    let (a, b) = (net.login(ALICE), net.login(BOB));
    let sid = net.session(&[a, b]);
    net.msg(a, sid, &["0123456789"]);
    net.expect(a, &[msg_res(sid, "error")]);
    net.msg(a, sid, &["012345678"]);
    net.expect(b, &[msg_req(sid, ALICE, "012345678")]);
    assert_eq!(net.server.stored(), (1, 9));
}

#[test]
fn the_longest_line() {
    let (mut net, a, b, sid) = two();
    let line = "x".repeat(MAX_PAYLOAD - 1);
    net.msg(a, sid, &[&line]);
    net.expect(b, &[msg_req(sid, ALICE, &line)]);
}

#[test]
fn an_empty_answer_closes() {
    let (mut net, a, b, sid) = two();
    net.msg(a, sid, &["x"]);
    net.take(b);
    net.send(b, MsgRes, sid, "");
    net.closed_silently(b); // PAY-05
    net.expect(a, &[msg_res(sid, "OK")]);
}

#[test]
fn lines_are_out_before_a_later_status_res() {
    let (mut net, a, b, sid) = two();
    let mut burst = net.seal(a, MsgReq, sid, "x\n");
    burst.extend(net.seal(a, StatusReq, NONE, ""));
    net.server.handle_bytes(net.now, net.clients[a].id, &burst);
    let to: Vec<_> = core::iter::from_fn(|| net.server.poll_action()).collect();
    let ids = [net.clients[b].id, net.clients[a].id];
    assert!(matches!(&*to, [
        mpchat_proto::server::Action::Send { to: first, .. },
        mpchat_proto::server::Action::Send { to: second, .. }
    ] if [*first, *second] == ids)); // MTP-22
}
