//! Section 8: presence, rosters, probes, farewells.

use core::time::Duration;

use mpchat_proto::frame::FrameType;
use mpchat_proto::frame::FrameType::{StatusReq, StatusRes};
use mpchat_proto::ids::Sid;
use mpchat_proto::server::{Ending, Event};
use rstest::rstest;

use crate::support::*;

#[test]
fn of_a_session() {
    let mut net = Net::new();
    let (a, b, c) = (net.login(ALICE), net.login(BOB), net.login(CAROL));
    let sid = net.session(&[a, c, b]);
    net.end(c);
    net.send(b, StatusReq, sid, "");
    let answer = |carol| {
        [
            status(sid, ALICE, "Online"),
            status(sid, CAROL, carol),
            status(sid, BOB, "Online"),
            status(sid, SERVER, "Online"),
        ]
    };
    net.expect(b, &answer("Offline")); // STAT-04
    net.login(CAROL);
    let mut burst = net.seal(a, StatusReq, sid, "");
    burst.extend(net.seal(a, StatusReq, sid, ""));
    net.raw(a, &burst);
    net.expect(a, &[answer("Online"), answer("Online")].concat()); // STAT-06, STAT-07
}

#[test]
fn of_no_session() {
    let mut net = Net::new();
    let (a, b, c) = (net.login(ALICE), net.login(BOB), net.login(CAROL));
    let sid = net.session(&[a, b]);
    for sid in [sid, Sid(1)] {
        net.send(c, StatusReq, sid, "");
        net.expect(c, &[status(sid, SERVER, "Offline")]); // STAT-05
    }
    net.hears_nothing(c); // STAT-01
}

#[rstest]
#[case::no_session(NONE)]
#[case::any_session(Sid(77))]
fn farewell(#[case] sid: Sid) {
    let mut net = Net::new();
    let (a, b) = (net.login(ALICE), net.login(BOB));
    let live = net.session(&[a, b]);
    net.send(a, StatusRes, sid, "Offline");
    net.closed_silently(a); // STAT-03
    net.send(b, StatusReq, live, "");
    net.expect(b, &[status(live, ALICE, "Offline"), status(live, BOB, "Online"), status(live, SERVER, "Online")]);
    assert!(net.events().iter().any(|event| matches!(event, Event::Ended { why: Ending::Farewell, .. })));
}

#[rstest]
#[case::status_req(StatusReq, "x")]
#[case::empty(StatusRes, "")]
#[case::case(StatusRes, "online")]
#[case::line_end(StatusRes, "Offline\n")]
fn a_bad_payload_closes(#[case] typ: FrameType, #[case] payload: &str) {
    let mut net = Net::new();
    let a = net.login(ALICE);
    net.send(a, typ, NONE, payload);
    net.closed_silently(a); // PAY-05
}

#[test]
fn an_answer_to_nothing_is_ignored() {
    let mut net = Net::new();
    let a = net.login(ALICE);
    net.send(a, StatusRes, NONE, "Online");
    net.send(a, StatusRes, Sid(3), "Online");
    net.hears_nothing(a); // PAY-06
}

#[test]
fn no_probes_by_default() {
    let mut net = Net::new();
    let a = net.login(ALICE);
    net.pass(seconds(1_000_000));
    net.hears_nothing(a);
}

#[test]
fn a_silent_client_is_probed_and_closed() {
    let mut net = Net::with(|config| config.probe_after = Some(seconds(60)));
    let a = net.login(ALICE);
    net.pass(seconds(59));
    net.hears_nothing(a); // not idle any more
    net.pass(seconds(60) - Duration::from_nanos(1));
    net.expect(a, &[]);
    net.pass(Duration::from_nanos(1));
    net.expect(a, &[frame(StatusReq, NONE, SERVER, "")]); // STAT-08
    net.pass(seconds(9));
    net.hears_nothing(a); // which is no answer to the probe
    net.pass(seconds(1) - Duration::from_nanos(1));
    assert_eq!(net.clients[a].closed, None);
    net.pass(Duration::from_nanos(1));
    net.closed_silently(a);
    assert!(!net.server.is_online(ALICE));
}

#[test]
fn a_probe_is_answered_with_any_sid() {
    let mut net = Net::with(|config| config.probe_after = Some(seconds(60)));
    let a = net.login(ALICE);
    for sid in [NONE, Sid(4)] {
        net.pass(seconds(60));
        net.expect(a, &[frame(StatusReq, NONE, SERVER, "")]);
        net.pass(seconds(9));
        net.send(a, StatusRes, sid, "Online");
    }
    net.pass(seconds(59));
    net.hears_nothing(a);
}

#[test]
fn one_probe_at_a_time() {
    let mut net = Net::with(|config| config.probe_after = Some(seconds(2)));
    let a = net.login(ALICE);
    net.pass(seconds(2));
    net.expect(a, &[frame(StatusReq, NONE, SERVER, "")]);
    net.hears_nothing(a);
    net.pass(seconds(9));
    net.hears_nothing(a);
    net.send(a, StatusRes, NONE, "Online");
    net.pass(seconds(2));
    net.expect(a, &[frame(StatusReq, NONE, SERVER, "")]);
}
