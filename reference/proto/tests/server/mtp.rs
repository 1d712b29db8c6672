//! Section 2, and what bounds the server's memory: headers, streams, numbers, violations, slow readers.

use mpchat_proto::frame::FrameType::{InviteRes, MsgReq, StatusReq, StatusRes};
use mpchat_proto::frame::{FrameType, Header};
use mpchat_proto::ids::Sid;
use mpchat_proto::server::{Action, Ending, Event, Server};
use rstest::rstest;

use crate::support::*;

fn ending(net: &mut Net) -> Option<Ending> {
    net.events().into_iter().rev().find_map(|event| match event {
        Event::Ended { why, .. } => Some(why),
        _ => None,
    })
}

type Change = fn(&mut Header);

#[rstest]
#[case::version(|h: &mut Header| h.ver = 0x0001, "MTP-03")]
#[case::no_type(|h: &mut Header| h.typ = 0x0401, "MTP-04")]
#[case::len_35(|h: &mut Header| h.len = 35, "MTP-05")]
#[case::len_0(|h: &mut Header| h.len = 0, "MTP-05")]
#[case::replay(|h: &mut Header| h.sqn -= 1, "MTP-08")]
#[case::zero(|h: &mut Header| h.sqn = 0, "MTP-08")]
#[case::gap(|h: &mut Header| h.sqn += 1, "MTP-08")]
#[case::somebody_else(|h: &mut Header| h.uid = BOB, "MTP-14")]
#[case::the_server(|h: &mut Header| h.uid = SERVER, "MTP-14")]
#[case::init_res(|h: &mut Header| h.typ = FrameType::InitRes.code(), "MTP-15")]
#[case::close_res(|h: &mut Header| h.typ = FrameType::CloseRes.code(), "MTP-15")]
#[case::invite_req(|h: &mut Header| h.typ = FrameType::InviteReq.code(), "MTP-15")]
fn a_bad_header_closes_as_soon_as_it_is_there(#[case] change: Change, #[case] rule: &str) {
    let mut net = Net::new();
    let (a, b) = (net.login(ALICE), net.login(BOB));
    let frame = net.seal_header(a, b"", change);
    net.raw(a, &frame[..23]);
    assert_eq!(net.clients[a].closed, None);
    net.raw(a, &frame[23..24]);
    net.closed_silently(a); // MTP-13, MTP-17
    let Some(Ending::Violation(violation)) = ending(&mut net) else { panic!() };
    assert_eq!(violation.rule(), rule);
    net.hears_nothing(b); // MTP-18
}

#[test]
fn a_changed_byte_closes() {
    for at in [8, 24, 29, 30, 41] {
        let mut net = Net::new();
        let a = net.login(ALICE);
        let mut frame = net.seal(a, StatusRes, NONE, "Online");
        frame[at] ^= 0x10;
        net.raw(a, &frame);
        net.closed_silently(a);
    }
}

#[test]
fn any_cut_will_do() {
    let mut net = Net::new();
    let a = net.login(ALICE);
    let mut stream = Vec::new();
    for _ in 0..3 {
        stream.extend(net.seal(a, StatusReq, NONE, ""));
        stream.extend(net.seal(a, StatusRes, Sid(1), "Online"));
    }
    for byte in &stream {
        net.raw(a, &[*byte]);
    }
    let online = status(NONE, SERVER, "Online");
    net.expect(a, &[online.clone(), online.clone(), online.clone()]); // MTP-16
    let stream: Vec<u8> = (0..5).flat_map(|_| net.seal(a, StatusReq, NONE, "")).collect();
    for chunk in stream.chunks(53) {
        net.raw(a, chunk);
    }
    net.expect(a, &vec![online; 5]);
}

#[test]
fn a_violation_in_the_midst_of_a_chunk() {
    let mut net = Net::new();
    let (a, b) = (net.login(ALICE), net.login(BOB));
    let sid = net.session(&[a, b]);
    let mut chunk = net.seal(a, MsgReq, sid, "before\n");
    chunk.extend(net.seal(a, StatusReq, NONE, ""));
    chunk.extend(net.seal(a, StatusReq, NONE, "x"));
    chunk.extend(net.seal(a, MsgReq, sid, "after\n"));
    chunk.extend(net.seal(a, StatusReq, NONE, ""));
    net.raw(a, &chunk);
    // MTP-13: what came before counts, and its answer was due; what comes after has no effect.
    net.expect(a, &[status(NONE, SERVER, "Online")]);
    assert_eq!(net.clients[a].closed, Some(Closed::After));
    net.expect(b, &[msg_req(sid, ALICE, "before")]);
    net.answer(b, sid, "OK");
    net.hears_nothing(b);
    net.raw(a, &chunk); // and whatever else arrives
}

#[test]
fn the_end_of_the_stream() {
    let mut net = Net::new();
    let (a, b) = (net.login(ALICE), net.login(BOB));
    let sid = net.session(&[a, b]);
    let mut chunk = net.seal(a, MsgReq, sid, "whole\n");
    let part = net.seal(a, MsgReq, sid, "part\n");
    chunk.extend(&part[..part.len() - 1]);
    net.raw(a, &chunk);
    net.end(a);
    net.closed_silently(a); // MTP-19
    net.expect(b, &[msg_req(sid, ALICE, "whole")]);
    net.send(b, StatusReq, sid, "");
    net.expect(b, &[status(sid, ALICE, "Offline"), status(sid, BOB, "Online"), status(sid, SERVER, "Online")]);
    net.end(a); // twice is once
}

#[test]
fn the_last_number_of_the_client() {
    let mut net = Net::new();
    let a = net.login(ALICE);
    for sqn in 3..=u16::MAX {
        let frame = net.seal(a, StatusRes, NONE, "Online");
        assert_eq!(Header::decode(frame.first_chunk().unwrap()).sqn, sqn);
        net.server.handle_bytes(net.now, net.clients[a].id, &frame);
    }
    // MTP-09: 65535 is valid. Nothing can come after it, not even 0.
    net.drive();
    assert!(net.server.is_online(ALICE));
    let uid = net.clients[a].uid;
    let header = Header::for_payload(StatusReq, 0, NONE, uid, 0, false);
    let wrapped = net.channel(a).cipher_out().seal(&header, b"", None);
    net.raw(a, &wrapped);
    net.closed_silently(a);
    let Some(Ending::Violation(violation)) = ending(&mut net) else { panic!() };
    assert_eq!(violation.rule(), "MTP-09");
}

#[test]
fn the_last_number_of_the_server() {
    let mut net = Net::new();
    let (a, b, c) = (net.login(ALICE), net.login(BOB), net.login(CAROL));
    let sid = net.session(&[b, a, c]);
    // alice has got steps 2 and 3 and an invite_req: numbers 1 to 3.
    while net.channel(a).last_in() < u16::MAX - 3 {
        net.send(a, StatusReq, NONE, "");
    }
    net.take(a);
    let mut burst = net.seal(a, StatusReq, sid, "");
    burst.extend(net.seal(a, MsgReq, sid, "b\nc\n"));
    net.raw(a, &burst);
    // Three of the four frames of the answer; then it is closed, and what came behind is not looked at.
    net.expect(a, &[status(sid, BOB, "Online"), status(sid, ALICE, "Online"), status(sid, CAROL, "Online")]);
    assert_eq!(net.channel(a).last_in(), u16::MAX);
    net.closed_silently(a);
    assert_eq!(ending(&mut net), Some(Ending::SequenceUsedUp));
    net.hears_nothing(b);
    assert!(!net.server.is_online(ALICE));
}

#[test]
fn a_line_with_the_last_number() {
    let mut net = Net::new();
    let (a, b) = (net.login(ALICE), net.login(BOB));
    let sid = net.session(&[a, b]);
    while net.channel(b).last_in() < u16::MAX - 1 {
        net.send(b, StatusReq, NONE, "");
    }
    net.take(b);
    net.msg(a, sid, &["last"]);
    net.expect(b, &[msg_req(sid, ALICE, "last")]);
    net.closed_silently(b);
    net.expect(a, &[msg_res(sid, "OK")]);
    let b = net.login(BOB);
    net.expect(b, &[msg_req(sid, ALICE, "last")]); // unanswered, so again
}

#[test]
fn who_does_not_read_is_closed() {
    let mut net = Net::with(|config| config.limits.queue_bytes = 1000);
    let (a, b) = (net.login(ALICE), net.login(BOB));
    let sid = net.session(&[a, b]);
    net.clients[b].reads = false;
    // 22 * 42 bytes, then a line of 38, then 42 more.
    for _ in 0..22 {
        net.send(b, StatusReq, NONE, "");
    }
    assert_eq!(net.clients[b].closed, None);
    net.msg(a, sid, &["x"]);
    net.hears_nothing(a);
    net.send(b, StatusReq, NONE, "");
    assert_eq!(net.clients[b].closed, Some(Closed::Aborted)); // MTP-23
    assert_eq!(ending(&mut net), Some(Ending::QueueFull));
    net.expect(a, &[msg_res(sid, "OK")]); // MTP-18
    // What was reported as sent no longer counts.
    for _ in 0..100 {
        net.send(a, StatusReq, NONE, "");
    }
    assert_eq!(net.clients[a].closed, None);
}

#[test]
fn too_many_connections() {
    let mut net = Net::with(|config| config.limits.connections = 2);
    let a = net.login(ALICE);
    let b = net.connect();
    let c = net.connect();
    net.closed_silently(c);
    assert_eq!(ending(&mut net), Some(Ending::TooManyConnections));
    net.hears_nothing(a);
    net.end(b);
    net.login(BOB);
}

#[test]
fn a_burst_of_logins_and_endings_leaves_no_timer() {
    let mut net = Net::with(|config| config.probe_after = Some(seconds(5)));
    let (a, b) = (net.login(ALICE), net.login(BOB));
    let sid = net.session(&[a, b]);
    net.msg(a, sid, &["x"]);
    net.init(b, &[ALICE]);
    net.connect();
    for c in 0..net.clients.len() {
        net.end(c);
    }
    assert_eq!(net.server.poll_timeout(), None);
}

#[test]
fn nobody_learns_of_the_end_of_a_stranger() {
    let mut net = Net::new();
    let a = net.login(ALICE);
    let c = net.connect();
    net.raw(c, &[0xff; 5000]);
    net.closed_silently(c);
    net.raw(c, &[0xff; 5000]);
    net.hears_nothing(a);
}

/// Random frames, well sealed, from three users: the server keeps its feet, and at the end everything can be closed down.
#[test]
fn weather() {
    use rand::{RngExt, SeedableRng, rngs::StdRng};
    for seed in 0..20 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut net = Net::with(|config| config.probe_after = Some(seconds(7)));
        let users = [ALICE, BOB, CAROL];
        let mut on: Vec<C> = users.iter().map(|uid| net.login(*uid)).collect();
        let mut sids = vec![NONE, Sid(1)];
        for _ in 0..400 {
            let who = rng.random_range(0..3);
            if net.clients[on[who]].closed.is_some() || rng.random_bool(0.02) {
                on[who] = net.login(users[who]);
            }
            let c = on[who];
            for frame in net.take(c) {
                sids.push(frame.sid);
                if frame.typ == FrameType::InviteReq && rng.random_bool(0.7) {
                    net.accept(c, frame.sid);
                }
            }
            let sid = sids[rng.random_range(sids.len().saturating_sub(6)..sids.len())];
            match rng.random_range(0..12) {
                0 => net.init(c, &[users[(who + 1) % 3], users[(who + 2) % 3]]),
                1 => net.close(c, sid),
                2 => net.msg(c, sid, &["x", "y"]),
                3 => net.msg(c, sid, &["x"]),
                4..=6 => net.answer(c, sid, "OK"),
                7 => net.send(c, InviteRes, sid, "Deny"),
                8 => net.send(c, StatusReq, sid, ""),
                9 => net.send(c, StatusRes, sid, "Online"),
                10 => net.pass(seconds(rng.random_range(0..6))),
                _ => net.raw(c, &[0; 3][..rng.random_range(0..2)]),
            }
        }
        net.pass(seconds(1000));
        let sids: Vec<Sid> = net.server.sessions().map(|(sid, _)| sid).collect();
        for sid in sids {
            assert!(net.server.close_session(net.now, sid));
        }
        net.drive();
        for c in 0..net.clients.len() {
            net.end(c);
        }
        assert_eq!((net.server.stored(), net.server.awaited()), ((0, 0), 0), "seed {seed}");
        assert_eq!(net.server.poll_timeout(), None, "seed {seed}");
    }
}

#[test]
fn it_can_be_sent_to_another_thread() {
    fn send<T: Send>() {}
    send::<Server>();
    send::<Action>();
}
