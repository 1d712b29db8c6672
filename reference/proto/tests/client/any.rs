//! Whatever the server says and the user wants, in whatever order: the client neither panics nor sends a wrong frame:
//! all that it says can be read by a server that checks everything.

use mpchat_proto::client::{Command, Event};
use mpchat_proto::frame::FrameType;
use mpchat_proto::ids::{Sid, Uid};
use mpchat_proto::payload::write_lines;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::support::*;

fn pick<T: Clone>(rng: &mut StdRng, from: &[T]) -> T {
    from[rng.next_u32() as usize % from.len()].clone()
}

fn command(rng: &mut StdRng, sid: Sid) -> Command {
    let uid = pick(rng, &[ALICE, BOB]);
    match rng.next_u32() % 40 {
        0 | 1 => Command::Connect { address: ADDRESS.to_owned(), identity: Box::new(identity(uid)) },
        2 | 3 => Command::Init { invite: vec![uid, CAROL] },
        4 | 5 => Command::Answer { sid, accept: rng.next_u32().is_multiple_of(2) },
        6..=25 => send(sid, "text"),
        26..=32 => Command::Status { sid },
        33..=38 => Command::Close { sid },
        _ => Command::Leave,
    }
}

/// Something that passes the header's checks about half of the time, and means something about as often.
fn say(pair: &mut Pair, rng: &mut StdRng, sid: Sid) {
    let typ = pick(rng, &FrameType::ALL.into_iter().filter(|typ| typ.from_server()).collect::<Vec<_>>());
    let me = pair.channel().uid;
    let uid = match typ {
        FrameType::InviteReq | FrameType::MsgReq => pick(rng, &[ALICE, BOB, CAROL]),
        FrameType::StatusRes | FrameType::CloseRes => pick(rng, &[SERVER, SERVER, ALICE, BOB, CAROL]),
        _ => SERVER,
    };
    let sid = if typ == FrameType::StatusReq { NONE } else { sid };
    let payload = match typ {
        FrameType::StatusReq | FrameType::InviteReq => vec![],
        FrameType::StatusRes => pick(rng, &[b"Online".to_vec(), b"Offline".to_vec()]),
        FrameType::MsgReq if me != CAROL => write_lines([pair.line(sid, uid, pick(rng, &[me, CAROL]), "text")]),
        _ => pick(rng, &[b"OK".to_vec(), b"OK".to_vec(), b"no".to_vec()]),
    };
    let payload = if rng.next_u32().is_multiple_of(50) { vec![0xff, 0x0a] } else { payload };
    if pair.channel().next_out().is_some() {
        pair.say(typ, sid, uid, payload);
    }
}

#[test]
fn anything_may_happen() {
    let (mut texts, mut sent, mut refused, mut ends) = (0, 0, 0, 0);
    for seed in 0..60 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut pair = Pair::online(ALICE);
        for _ in 0..300 {
            let sid = Sid(u64::from(rng.next_u32() % 16));
            match rng.next_u32() % 60 {
                0 => pair.client.handle_end(pair.now),
                1 if pair.server.is_some() => pair.bytes(&[rng.next_u32() as u8; 3]),
                2 => {
                    pair.now += secs(u64::from(rng.next_u32() % 12));
                    pair.client.handle_timeout(pair.now);
                }
                3..=25 => pair.command(command(&mut rng, sid)),
                26..=30 if pair.server.is_some() => {
                    pair.tell_roster(sid, &pick(&mut rng, &[[ALICE, BOB], [BOB, ALICE]]))
                }
                _ if pair.server.is_some() => say(&mut pair, &mut rng, sid),
                _ => {}
            }
            // Each frame is checked by the server's side: number, mac, uid, direction.
            if pair.server.is_some() {
                sent += pair.heard().iter().filter(|(typ, ..)| *typ == FrameType::MsgReq).count();
            }
            if pair.client.wants_close() {
                pair.client.handle_closed(pair.now);
                pair.server = None;
                ends += 1;
            }
            if pair.client.wants_connection().is_some() && rng.next_u32().is_multiple_of(2) {
                pair.finish_login();
            }
            for event in pair.events() {
                match event {
                    Event::Message { sid, from, .. } => {
                        assert!(sid != NONE && from != Uid::SERVER);
                        texts += 1;
                    }
                    Event::Refused { .. } => refused += 1,
                    _ => {}
                }
            }
        }
    }
    // All of it was reached.
    assert!(texts > 50 && sent > 10 && refused > 100 && ends > 50, "{texts} {sent} {refused} {ends}");
}
