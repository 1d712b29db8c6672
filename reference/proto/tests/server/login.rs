//! Section 4, the server's side: who gets in, and what a login changes.

use core::time::Duration;

use mpchat_proto::crypto::default_provider;
use mpchat_proto::frame::FrameType::{StatusReq, StatusRes};
use mpchat_proto::frame::{ETK_LEN, FrameType, Header, MIN_LEN};
use mpchat_proto::ids::{Sid, Uid};
use mpchat_proto::keys::{FrameCipher, LoginKeys, Secret};
use mpchat_proto::server::{Ending, Event};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rstest::rstest;

use crate::support::*;

/// The rule that the last violation broke.
fn broken(net: &mut Net) -> Option<&'static str> {
    net.events().into_iter().rev().find_map(|event| match event {
        Event::Ended { why: Ending::Violation(violation), .. } => Some(violation.rule()),
        _ => None,
    })
}

/// A login request of alice, with any flaw.
fn request(secret: &[u8], payload: &[u8], change: impl FnOnce(&mut Header)) -> Vec<u8> {
    let provider = default_provider();
    let mut header = Header::for_payload(StatusReq, 1, NONE, ALICE, payload.len(), true);
    change(&mut header);
    let etk: [u8; ETK_LEN] = public(provider, SERVER).oaep_encrypt(&mut StdRng::seed_from_u64(5), secret);
    let tk = Secret::from_slice(secret).unwrap_or(Secret::new([0; 32]));
    FrameCipher::new(provider, &LoginKeys::derive(provider, &tk).c2s).seal(&header, payload, Some(&etk))
}

#[test]
fn a_good_request_is_answered() {
    let mut net = Net::new();
    let c = net.half_login(ALICE);
    assert!(!net.server.is_online(ALICE)); // LOGIN-07
    let step_4 = net.clients[c].step_4.take().unwrap();
    net.raw(c, &step_4);
    assert!(net.server.is_online(ALICE));
    net.hears_nothing(c);
}

#[rstest]
#[case::another_type(&[7; 32], b"", |h: &mut Header| h.typ = FrameType::StatusRes.code(), "LOGIN-01")]
#[case::init(&[7; 32], b"", |h: &mut Header| h.typ = FrameType::InitReq.code(), "LOGIN-01")]
#[case::no_type(&[7; 32], b"", |h: &mut Header| h.typ = 0x0500, "MTP-04")]
#[case::version(&[7; 32], b"", |h: &mut Header| h.ver = 0x0101, "MTP-03")]
#[case::sqn_0(&[7; 32], b"", |h: &mut Header| h.sqn = 0, "MTP-08")]
#[case::sqn_2(&[7; 32], b"", |h: &mut Header| h.sqn = 2, "MTP-08")]
#[case::sid(&[7; 32], b"", |h: &mut Header| h.sid = Sid(1), "LOGIN-06")]
#[case::payload(&[7; 32], b"x", |_: &mut Header| {}, "LOGIN-06")]
#[case::unknown_user(&[7; 32], b"", |h: &mut Header| h.uid = Uid(0xdead), "LOGIN-06")]
#[case::the_server(&[7; 32], b"", |h: &mut Header| h.uid = SERVER, "LOGIN-06")]
#[case::short_key(&[7; 31], b"", |_: &mut Header| {}, "LOGIN-06")]
#[case::long_key(&[7; 33], b"", |_: &mut Header| {}, "LOGIN-06")]
#[case::len_without_etk(&[7; 32], b"", |h: &mut Header| h.len = 36, "MTP-05")]
#[case::len_0(&[7; 32], b"", |h: &mut Header| h.len = 0, "MTP-05")]
fn a_bad_request_is_not(
    #[case] secret: &[u8],
    #[case] payload: &[u8],
    #[case] change: fn(&mut Header),
    #[case] rule: &str,
) {
    let mut net = Net::new();
    let c = net.connect();
    net.raw(c, &request(secret, payload, change));
    net.closed_silently(c);
    assert_eq!(broken(&mut net), Some(rule));
}

#[test]
fn a_changed_byte_is_noticed() {
    // Header fields that no check knows, mac, etk.
    for at in [6 + 1, 15, 24, 35, 36, 291] {
        let mut net = Net::new();
        let c = net.connect();
        let mut bytes = request(&[7; 32], b"", |_| {});
        bytes[at] ^= 1;
        net.raw(c, &bytes);
        net.closed_silently(c);
    }
    // The same, unchanged, is answered: with what alice's key alone can open.
    let mut net = Net::new();
    let c = net.connect();
    net.server.handle_bytes(net.now, net.clients[c].id, &request(&[7; 32], b"", |_| {}));
    assert!(matches!(net.server.poll_action(), Some(mpchat_proto::server::Action::Send { .. })));
}

#[test]
fn a_bad_header_is_enough() {
    for change in [(|h: &mut Header| h.uid = Uid(0xdead)) as fn(&mut Header), |h| h.ver = 0, |h| h.len += 1] {
        let mut net = Net::new();
        let c = net.connect();
        let bytes = request(&[7; 32], b"", change);
        net.raw(c, &bytes[..23]);
        assert_eq!(net.clients[c].closed, None);
        net.raw(c, &bytes[23..24]);
        net.closed_silently(c); // MTP-17
    }
}

fn step_4(net: &mut Net, c: C, payload: &[u8], change: impl FnOnce(&mut Header)) -> Vec<u8> {
    let uid = net.clients[c].uid;
    let mut header = Header::for_payload(StatusRes, 2, NONE, uid, payload.len(), false);
    change(&mut header);
    net.channel(c).cipher_out().seal(&header, payload, None)
}

#[rstest]
#[case::good(b"Online", |_: &mut Header| {}, None)]
#[case::another_type(b"Online", |h: &mut Header| h.typ = FrameType::MsgRes.code(), Some("LOGIN-08"))]
#[case::status_req(b"", |h: &mut Header| h.typ = FrameType::StatusReq.code(), Some("LOGIN-08"))]
#[case::sid(b"Online", |h: &mut Header| h.sid = Sid(9), Some("LOGIN-08"))]
#[case::offline(b"Offline", |_: &mut Header| {}, Some("LOGIN-08"))]
#[case::word(b"online", |_: &mut Header| {}, Some("PAY-05"))]
#[case::nothing(b"", |_: &mut Header| {}, Some("PAY-05"))]
#[case::somebody_else(b"Online", |h: &mut Header| h.uid = BOB, Some("MTP-14"))]
#[case::sqn_1(b"Online", |h: &mut Header| h.sqn = 1, Some("MTP-08"))]
#[case::sqn_3(b"Online", |h: &mut Header| h.sqn = 3, Some("MTP-08"))]
fn the_last_step(#[case] payload: &[u8], #[case] change: fn(&mut Header), #[case] rule: Option<&str>) {
    let mut net = Net::new();
    let earlier = net.login(ALICE);
    let c = net.half_login(ALICE);
    let bytes = step_4(&mut net, c, payload, change);
    net.raw(c, &bytes);
    assert_eq!(broken(&mut net), rule);
    if rule.is_some() {
        net.closed_silently(c);
        net.hears_nothing(earlier); // LOGIN-07
    } else {
        net.closed_silently(earlier);
        net.hears_nothing(c);
    }
}

#[test]
fn a_wrong_mac_in_the_last_step() {
    let mut net = Net::new();
    let c = net.half_login(ALICE);
    let mut bytes = net.clients[c].step_4.take().unwrap();
    *bytes.last_mut().unwrap() ^= 0x80;
    net.raw(c, &bytes);
    net.closed_silently(c);
    assert!(!net.server.is_online(ALICE));
}

#[test]
fn half_logged_in_is_offline() {
    let mut net = Net::new();
    let (a, b) = (net.login(ALICE), net.login(BOB));
    let sid = net.session(&[a, b]);
    net.end(b);
    let b = net.half_login(BOB);
    net.init(a, &[BOB]);
    net.expect(a, &[init_res(NONE, "error")]);
    net.msg(a, sid, &["x"]);
    net.expect(a, &[msg_res(sid, "OK")]);
    net.send(a, StatusReq, sid, "");
    net.expect(a, &[status(sid, ALICE, "Online"), status(sid, BOB, "Offline"), status(sid, SERVER, "Online")]);
    net.expect(b, &[]);
    let bytes = net.clients[b].step_4.take().unwrap();
    net.raw(b, &bytes);
    net.expect(b, &[msg_req(sid, ALICE, "x")]); // LOGIN-13
}

#[test]
fn a_replayed_request_changes_nothing() {
    let mut net = Net::new();
    let a = net.connect();
    let login = net.login_request(a, ALICE);
    net.raw(a, &login);
    let spy = net.connect();
    net.server.handle_bytes(net.now, net.clients[spy].id, &login);
    // LOGIN-11: steps 2 and 3, for who can open them.
    let answers: Vec<_> = core::iter::from_fn(|| net.server.poll_action()).collect();
    assert_eq!(answers.len(), 2);
    net.hears_nothing(a);
    // Even with the frames that alice sent next.
    let next = net.seal(a, StatusReq, NONE, "");
    net.raw(spy, &next);
    assert_eq!(net.clients[spy].closed, Some(Closed::After));
    net.raw(a, &next);
    net.expect(a, &[status(NONE, SERVER, "Online")]);
}

#[test]
fn too_slow() {
    let mut net = Net::new();
    let a = net.login(ALICE);
    let silent = net.connect();
    let half = net.half_login(ALICE);
    net.pass(seconds(10) - Duration::from_nanos(1));
    assert_eq!((net.clients[silent].closed, net.clients[half].closed), (None, None));
    net.pass(Duration::from_nanos(1));
    net.closed_silently(silent); // LOGIN-10
    net.closed_silently(half);
    net.pass(seconds(100));
    net.hears_nothing(a);
}

#[test]
fn dripping_bytes_gives_no_more_time() {
    let mut net = Net::new();
    let c = net.connect();
    let bytes = net.login_request(c, ALICE);
    for byte in &bytes[..9] {
        net.pass(seconds(1));
        net.raw(c, &[*byte]);
    }
    net.pass(seconds(1));
    net.closed_silently(c);
}

#[test]
fn a_new_login_replaces() {
    let mut net = Net::new();
    let a = net.login(ALICE);
    let b = net.login(BOB);
    let a2 = net.login(ALICE);
    net.closed_silently(a); // LOGIN-09
    net.hears_nothing(a2);
    net.end(a); // the old connection's end is old news
    assert!(net.server.is_online(ALICE));
    net.hears_nothing(a2);
    net.hears_nothing(b);
}

#[test]
fn frames_right_behind_the_last_step() {
    let mut net = Net::new();
    let c = net.half_login(ALICE);
    let mut bytes = net.clients[c].step_4.take().unwrap();
    bytes.extend(net.seal(c, StatusReq, NONE, ""));
    net.raw(c, &bytes);
    net.expect(c, &[status(NONE, SERVER, "Online")]);
}

#[test]
fn keys_are_fresh() {
    let mut net = Net::new();
    let (one, two) = (net.login(ALICE), net.login(BOB));
    let mut frames = Vec::new();
    for c in [one, two] {
        let frame = net.seal(c, StatusRes, NONE, "Online");
        frames.push(frame[MIN_LEN - 12..].to_vec());
    }
    assert_ne!(frames[0], frames[1]); // LOGIN-05, as far as it shows
}
