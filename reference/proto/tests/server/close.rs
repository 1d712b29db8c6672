//! Section 7: who may close, who hears of it, and in which order.

use mpchat_proto::frame::FrameType::{CloseReq, MsgReq, StatusReq};
use mpchat_proto::ids::Sid;
use rstest::rstest;

use crate::support::*;

fn three() -> (Net, [C; 3], Sid) {
    let mut net = Net::new();
    let all = [net.login(ALICE), net.login(BOB), net.login(CAROL)];
    let sid = net.session(&all);
    (net, all, sid)
}

#[rstest]
#[case::creator(0)]
#[case::invited(1)]
fn any_participant_closes(#[case] closer: usize) {
    let (mut net, all, sid) = three();
    let outsider = net.login(crowd(1)[0]);
    let uid = net.clients[all[closer]].uid;
    net.close(all[closer], sid);
    for (at, c) in all.into_iter().enumerate() {
        // CLOSE-01, CLOSE-02, CLOSE-05
        net.expect(c, &[close_res(sid, if at == closer { SERVER } else { uid }, "OK")]);
    }
    net.hears_nothing(outsider);
    net.msg(all[0], sid, &["x", "y"]);
    net.expect(all[0], &[msg_res(sid, "error")]); // CLOSE-07
    net.hears_nothing(all[1]);
    net.close(all[1], sid);
    net.expect(all[1], &[close_res(sid, SERVER, "error")]); // CLOSE-08
    net.send(all[2], StatusReq, sid, "");
    net.expect(all[2], &[status(sid, SERVER, "Offline")]); // STAT-05
}

#[test]
fn stored_lines_go() {
    let (mut net, [a, b, c], sid) = three();
    let other = net.session(&[a, b]);
    net.end(b);
    net.msg(a, sid, &["b", "c"]);
    net.msg(a, other, &["kept"]);
    net.take(a);
    net.close(c, sid);
    net.expect(a, &[msg_res(sid, "error"), close_res(sid, CAROL, "OK")]);
    let b = net.login(BOB);
    net.expect(b, &[msg_req(other, ALICE, "kept")]); // CLOSE-03, and no close_res (CLOSE-05)
    assert_eq!(net.server.stored(), (1, 4));
}

#[test]
fn unanswered_messages_fail_first() {
    let (mut net, [a, b, c], sid) = three();
    net.msg(a, sid, &["b1", "c1"]); // waits for both
    net.end(b);
    net.msg(a, sid, &["b2", "c2"]); // waits for carol
    net.msg(a, sid, &["too few"]); // waits for its turn
    net.msg(c, sid, &["a", "b"]); // waits for alice
    net.take(a);
    net.take(c);
    net.close(a, sid);
    // CLOSE-06: three, then the close_res; of another author as well.
    let error = msg_res(sid, "error");
    net.expect(a, &[error.clone(), error.clone(), error.clone(), close_res(sid, SERVER, "OK")]);
    net.expect(c, &[error, close_res(sid, ALICE, "OK")]);
    net.answer(c, sid, "OK");
    net.answer(a, sid, "OK");
    net.hears_nothing(a);
    net.hears_nothing(c);
    assert_eq!(net.server.stored(), (0, 0));
}

#[test]
fn outsiders_learn_nothing() {
    let mut net = Net::new();
    let (a, b, c) = (net.login(ALICE), net.login(BOB), net.login(CAROL));
    let live = net.session(&[a, b]);
    let closed = net.session(&[a, b]);
    net.close(a, closed);
    net.take(a);
    net.take(b);
    net.init(a, &[BOB]);
    let pending = net.invited(b);
    let sids = [live, closed, pending, Sid(live.0 ^ 1), NONE];
    for sid in sids {
        net.close(c, sid);
        net.send(c, CloseReq, sid, "x");
    }
    let answers = net.take(c);
    assert_eq!(answers.iter().map(|frame| frame.sid).collect::<Vec<_>>(), sids.map(|sid| [sid; 2]).concat());
    assert!(answers.iter().all(|frame| frame.uid == SERVER && frame.text == answers[0].text && frame.text != "OK"));
    net.hears_nothing(a);
    net.hears_nothing(b);
    assert_eq!(net.server.sessions().count(), 1); // CLOSE-08
}

#[test]
fn a_payload_is_refused() {
    let (mut net, [a, b, _], sid) = three();
    net.send(a, CloseReq, sid, "please");
    net.expect(a, &[close_res(sid, SERVER, "error")]); // PAY-04
    net.hears_nothing(b);
    net.send(a, MsgReq, sid, "b\nc\n");
    net.expect(b, &[msg_req(sid, ALICE, "b")]);
}

#[test]
fn the_server_closes_by_itself() {
    let (mut net, [a, b, c], sid) = three();
    net.msg(a, sid, &["b", "c"]);
    net.take(b);
    net.end(c);
    assert!(net.server.close_session(net.now, sid));
    net.drive();
    net.expect(a, &[msg_res(sid, "error"), close_res(sid, SERVER, "OK")]); // CLOSE-11
    net.expect(b, &[close_res(sid, SERVER, "OK")]);
    assert!(!net.server.close_session(net.now, sid));
    let c = net.login(CAROL);
    net.hears_nothing(c);
}
