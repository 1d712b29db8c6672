//! Section 5: who is invited, who decides, who hears of it.

use mpchat_proto::frame::FrameType::{InitReq, InviteRes, MsgReq, StatusReq};
use mpchat_proto::ids::Sid;
use mpchat_proto::payload::write_init_req;
use mpchat_proto::server::Ending;
use rstest::rstest;

use crate::support::*;

#[test]
fn all_accept() {
    let mut net = Net::new();
    let (a, b, c) = (net.login(ALICE), net.login(BOB), net.login(CAROL));
    net.init(a, &[CAROL, BOB]);
    let sid = net.invited(b);
    net.expect(c, &[invite(sid, ALICE)]);
    net.accept(b, sid);
    net.hears_nothing(a); // INIT-11
    net.accept(c, sid);
    net.expect(a, &[init_res(sid, "OK")]);
    // The roster is in the order of the init_req, not in that of the answers.
    assert_eq!(net.server.sessions().collect::<Vec<_>>(), [(sid, &[ALICE, CAROL, BOB][..])]);
    net.hears_nothing(b);
    net.hears_nothing(c);
}

#[test]
fn a_decliner_is_no_participant() {
    let mut net = Net::new();
    let (a, b, c) = (net.login(ALICE), net.login(BOB), net.login(CAROL));
    net.init(a, &[BOB, CAROL]);
    let sid = net.invited(b);
    net.take(c);
    net.deny(b, sid);
    net.accept(b, sid); // INIT-08: the first answer decides, for good
    net.accept(c, sid);
    net.expect(a, &[init_res(sid, "OK")]);
    net.accept(b, sid); // INIT-12
    assert_eq!(net.server.sessions().collect::<Vec<_>>(), [(sid, &[ALICE, CAROL][..])]);
    net.hears_nothing(b);
}

#[test]
fn nobody_accepts() {
    let mut net = Net::new();
    let (a, b) = (net.login(ALICE), net.login(BOB));
    net.init(a, &[BOB]);
    let sid = net.invited(b);
    net.deny(b, sid);
    net.expect(a, &[init_res(NONE, "error")]);
    net.hears_nothing(b); // INIT-17 is not for those who denied
    net.init(a, &[BOB]);
    assert_ne!(net.invited(b), sid); // INIT-03
}

#[test]
fn who_is_offline_has_denied() {
    let mut net = Net::new();
    let (a, b) = (net.login(ALICE), net.login(BOB));
    net.init(a, &[CAROL]);
    net.expect(a, &[init_res(NONE, "error")]);
    net.init(a, &[CAROL, BOB]);
    let sid = net.invited(b);
    // INIT-06: not later either.
    let c = net.login(CAROL);
    net.hears_nothing(c);
    net.accept(c, sid);
    net.accept(b, sid);
    net.expect(a, &[init_res(sid, "OK")]);
    assert_eq!(net.server.sessions().collect::<Vec<_>>(), [(sid, &[ALICE, BOB][..])]);
}

#[test]
fn going_offline_decides_only_who_is_undecided() {
    let mut net = Net::new();
    let (a, b, c) = (net.login(ALICE), net.login(BOB), net.login(CAROL));
    net.init(a, &[BOB, CAROL]);
    let sid = net.invited(b);
    net.accept(b, sid);
    net.end(b);
    net.hears_nothing(a);
    net.end(c);
    net.expect(a, &[init_res(sid, "OK")]);
    assert_eq!(net.server.sessions().collect::<Vec<_>>(), [(sid, &[ALICE, BOB][..])]);
}

#[rstest]
#[case::nobody(NONE, &b""[..])]
#[case::another_sid(Sid(7), &b"0000000000000b0b\n"[..])]
#[case::twice(NONE, &b"0000000000000b0b\n0000000000000b0b\n"[..])]
#[case::the_sender(NONE, &b"0000000000000b0b\n00000000000a11ce\n"[..])]
#[case::the_server(NONE, &b"0000000000000b0b\n0000000000000000\n"[..])]
#[case::unknown(NONE, &b"0000000000000b0b\n00000000deadbeef\n"[..])]
#[case::no_uid_text(NONE, &b"0000000000000B0B\n"[..])]
#[case::no_line_end(NONE, &b"0000000000000b0b"[..])]
#[case::no_utf8(NONE, &b"0000000000000b0b\n\xff\n"[..])]
fn a_bad_request_invites_nobody(#[case] sid: Sid, #[case] payload: &[u8]) {
    let mut net = Net::new();
    let (a, b) = (net.login(ALICE), net.login(BOB));
    net.send(a, InitReq, sid, payload);
    net.expect(a, &[init_res(NONE, "error")]);
    net.hears_nothing(b);
    net.session(&[a, b]); // PAY-04
}

#[test]
fn at_most_121() {
    let mut net = Net::new();
    let (a, b) = (net.login(ALICE), net.login(BOB));
    let users = |count| [vec![BOB], crowd(count)].concat();
    net.init(a, &users(121));
    net.expect(a, &[init_res(NONE, "error")]);
    net.hears_nothing(b);
    net.init(a, &users(120));
    let sid = net.invited(b);
    net.accept(b, sid);
    net.expect(a, &[init_res(sid, "OK")]);
}

#[test]
fn the_invitation_lapses() {
    let mut net = Net::new();
    let users = crowd(1);
    let (a, b, c, d) = (net.login(ALICE), net.login(BOB), net.login(CAROL), net.login(users[0]));
    net.init(a, &[BOB, CAROL, users[0]]);
    let sid = net.invited(b);
    net.take(c);
    net.take(d);
    net.accept(b, sid);
    net.deny(d, sid);
    net.pass(seconds(30) - core::time::Duration::from_nanos(1));
    net.hears_nothing(a);
    net.hears_nothing(c);
    net.pass(core::time::Duration::from_nanos(1));
    net.expect(a, &[init_res(sid, "OK")]);
    net.expect(c, &[close_res(sid, ALICE, "OK")]); // INIT-17
    net.hears_nothing(b);
    net.hears_nothing(d);
    net.accept(c, sid);
    assert_eq!(net.server.sessions().collect::<Vec<_>>(), [(sid, &[ALICE, BOB][..])]);
}

#[test]
fn the_creator_leaves() {
    let mut net = Net::new();
    let users = crowd(2);
    let (a, b, c, d) = (net.login(ALICE), net.login(BOB), net.login(CAROL), net.login(users[0]));
    let e = net.login(users[1]);
    net.init(a, &[BOB, CAROL, users[0], users[1]]);
    let sid = net.invited(b);
    for c in [c, d, e] {
        net.expect(c, &[invite(sid, ALICE)]);
    }
    net.accept(b, sid);
    net.deny(c, sid);
    net.accept(e, sid);
    net.end(e);
    let e = net.login(users[1]); // accepted, went, came back
    net.end(a);
    net.expect(b, &[close_res(sid, ALICE, "OK")]);
    net.hears_nothing(c);
    net.expect(d, &[close_res(sid, ALICE, "OK")]);
    net.expect(e, &[close_res(sid, ALICE, "OK")]);
    net.accept(d, sid);
    let a = net.login(ALICE);
    net.pass(seconds(60));
    net.hears_nothing(a);
    net.hears_nothing(b);
    assert_eq!(net.server.sessions().count(), 0);
}

#[test]
fn requests_have_their_turn() {
    let mut net = Net::new();
    let (a, b, c) = (net.login(ALICE), net.login(BOB), net.login(CAROL));
    let mut burst = net.seal(a, InitReq, NONE, write_init_req(&[BOB]));
    burst.extend(net.seal(a, InitReq, NONE, "nonsense\n"));
    burst.extend(net.seal(a, InitReq, NONE, write_init_req(&[CAROL])));
    burst.extend(net.seal(a, StatusReq, NONE, ""));
    net.raw(a, &burst);
    // INIT-14: other frames are processed meanwhile, and the refusal waits.
    net.expect(a, &[status(NONE, SERVER, "Online")]);
    net.hears_nothing(c);
    let first = net.invited(b);
    net.accept(b, first);
    net.expect(a, &[init_res(first, "OK"), init_res(NONE, "error")]);
    let second = net.invited(c);
    net.deny(c, second);
    net.expect(a, &[init_res(NONE, "error")]);
}

#[test]
fn the_next_init_is_caused_at_once() {
    let mut net = Net::new();
    let (a, b, c) = (net.login(ALICE), net.login(BOB), net.login(CAROL));
    net.init(a, &[BOB]);
    net.init(a, &[CAROL]);
    let sid = net.invited(b);
    // MTP-22: what bob's answer caused is out before bob has the answer to a later status_req.
    let mut burst = net.seal(b, InviteRes, sid, "Deny");
    burst.extend(net.seal(b, StatusReq, NONE, ""));
    net.server.handle_bytes(net.now, net.clients[b].id, &burst);
    let order: Vec<_> = core::iter::from_fn(|| net.server.poll_action()).collect();
    let to: Vec<_> = order
        .iter()
        .map(|action| match action {
            mpchat_proto::server::Action::Send { to, .. } => *to,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(to, [net.clients[a].id, net.clients[c].id, net.clients[b].id]);
}

#[test]
fn the_next_init_follows_a_lapse_at_once() {
    let mut net = Net::new();
    let (a, b, c) = (net.login(ALICE), net.login(BOB), net.login(CAROL));
    net.init(a, &[BOB]);
    net.init(a, &[CAROL]);
    let first = net.invited(b);
    net.pass(seconds(30));
    net.expect(a, &[init_res(NONE, "error")]);
    net.expect(b, &[close_res(first, ALICE, "OK")]);
    let second = net.invited(c);
    // Its time runs from its own invite_req.
    net.pass(seconds(30) - core::time::Duration::from_nanos(1));
    net.accept(c, second);
    net.expect(a, &[init_res(second, "OK")]);
}

#[test]
fn the_next_init_follows_an_ending_at_once() {
    let mut net = Net::new();
    let (a, b, c) = (net.login(ALICE), net.login(BOB), net.login(CAROL));
    net.init(a, &[BOB]);
    net.init(a, &[CAROL]);
    net.take(b);
    net.end(b);
    net.expect(a, &[init_res(NONE, "error")]);
    net.invited(c);
}

#[test]
fn many_small_requests_wait_and_are_not_refused() {
    let mut net = Net::with(|config| config.limits.waiting_inits = 2);
    let users = crowd(4);
    let (a, b) = (net.login(ALICE), net.login(BOB));
    for _ in 0..10 {
        net.init(a, &[BOB]);
    }
    net.init(a, &users);
    for _ in 0..9 {
        let sid = net.invited(b);
        net.deny(b, sid);
        net.expect(a, &[init_res(NONE, "error")]);
    }
    let sid = net.invited(b);
    net.deny(b, sid);
    let last = net.take(a);
    assert_eq!(
        last.iter().map(|frame| &*frame.text).collect::<Vec<_>>(),
        ["nobody accepted", "too many init_req are waiting"]
    );
}

#[test]
fn side_by_side() {
    let mut net = Net::new();
    let (a, b) = (net.login(ALICE), net.login(BOB));
    net.init(a, &[BOB]);
    net.init(b, &[ALICE]);
    let (by_alice, by_bob) = (net.invited(b), net.invited(a));
    net.accept(a, by_bob);
    net.expect(b, &[init_res(by_bob, "OK")]);
    net.accept(b, by_alice);
    net.expect(a, &[init_res(by_alice, "OK")]);
    assert_eq!(net.server.sessions().count(), 2);
}

#[test]
fn who_was_not_invited_decides_nothing() {
    let mut net = Net::new();
    let (a, b, c) = (net.login(ALICE), net.login(BOB), net.login(CAROL));
    net.init(a, &[BOB]);
    let sid = net.invited(b);
    net.accept(c, sid); // PAY-06
    net.accept(a, sid);
    net.accept(b, Sid(sid.0 ^ 1));
    net.hears_nothing(a);
    net.hears_nothing(c);
    net.deny(b, sid);
    net.expect(a, &[init_res(NONE, "error")]);
}

#[test]
fn a_second_login_loses_the_invitation_and_the_own_init() {
    let mut net = Net::new();
    let (a, b) = (net.login(ALICE), net.login(BOB));
    net.init(a, &[BOB]);
    let sid = net.invited(b);
    let b2 = net.login(BOB);
    net.closed_silently(b);
    net.expect(a, &[init_res(NONE, "error")]);
    net.accept(b2, sid);
    net.hears_nothing(b2);

    net.init(a, &[BOB]);
    net.init(a, &[BOB]);
    let sid = net.invited(b2);
    let a2 = net.login(ALICE);
    net.expect(b2, &[close_res(sid, ALICE, "OK")]);
    net.hears_nothing(a2);
    net.pass(seconds(31));
    net.hears_nothing(a2);
}

#[test]
fn an_init_that_waited_finds_its_user_on_the_new_connection() {
    let mut net = Net::new();
    let (a, b) = (net.login(ALICE), net.login(BOB));
    net.init(a, &[BOB]);
    net.init(a, &[BOB]);
    net.take(b);
    // The first is denied by the replacement; at no time was bob offline for the second.
    let b2 = net.login(BOB);
    net.expect(a, &[init_res(NONE, "error")]);
    net.invited(b2);
}

#[test]
fn a_pending_session_is_none() {
    let mut net = Net::new();
    let (a, b) = (net.login(ALICE), net.login(BOB));
    net.init(a, &[BOB, CAROL]);
    let sid = net.invited(b);
    net.send(a, StatusReq, sid, "");
    net.expect(a, &[status(sid, SERVER, "Offline")]); // STAT-05
    net.close(a, sid);
    net.expect(a, &[close_res(sid, SERVER, "error")]); // CLOSE-08
    net.send(a, MsgReq, sid, "x\n");
    net.expect(a, &[msg_res(sid, "error")]);
    net.accept(b, sid);
    net.expect(a, &[init_res(sid, "OK")]);
}

#[test]
fn too_many_sessions() {
    let mut net = Net::with(|config| config.limits.sessions = 4);
    let (a, b) = (net.login(ALICE), net.login(BOB));
    let sids: Vec<Sid> = (0..4).map(|_| net.session(&[a, b])).collect();
    net.init(a, &[BOB]);
    net.expect(a, &[init_res(NONE, "error")]); // PAY-07
    net.hears_nothing(b);
    net.close(b, sids[0]);
    net.take(a);
    net.take(b);
    net.session(&[a, b]);
}

#[test]
fn sids_differ_and_are_not_guessed_by_counting() {
    let mut net = Net::new();
    let (a, b) = (net.login(ALICE), net.login(BOB));
    let mut sids: Vec<u64> = (0..50).map(|_| net.session(&[a, b]).0).collect();
    sids.sort_unstable();
    assert!(sids.windows(2).all(|pair| pair[1] - pair[0] > 1));
    assert!(sids[0] < u64::MAX / 4 && sids[49] > u64::MAX / 4 * 3);
}

#[test]
fn an_answer_with_another_word_closes() {
    let mut net = Net::new();
    let (a, b) = (net.login(ALICE), net.login(BOB));
    net.init(a, &[BOB]);
    let sid = net.invited(b);
    net.send(b, InviteRes, sid, "accept");
    net.closed_silently(b); // PAY-05
    net.expect(a, &[init_res(NONE, "error")]);
    let violated = |event: &_| match event {
        mpchat_proto::server::Event::Ended { why: Ending::Violation(violation), .. } => Some(violation.rule()),
        _ => None,
    };
    assert_eq!(net.events().iter().find_map(violated), Some("PAY-05"));
}
