//! What outlives a restart (MSG-19, CLOSE-04, INIT-03), and a store that fails (PAY-07).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mpchat_proto::crypto::default_provider;
use mpchat_proto::frame::FrameType::StatusReq;
use mpchat_proto::frame::MAX_PAYLOAD;
use mpchat_proto::ids::{Sid, Uid};
use mpchat_proto::server::{
    Config, Event, MemoryStore, Restored, Server, Store, StoreError, StoredLine, StoredSession,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rstest::rstest;

use crate::support::*;

#[test]
fn sessions_and_lines_stay() {
    let mut net = Net::new();
    let (a, b, c) = (net.login(ALICE), net.login(BOB), net.login(CAROL));
    let one = net.session(&[a, c, b]);
    let two = net.session(&[a, b]);
    net.msg(a, one, &["c1", "b1"]);
    net.msg(a, two, &["b2"]);
    net.answer(b, two, "OK");
    net.msg(c, one, &["a3", "b3"]);
    net.restart();
    assert_eq!(net.server.stored(), (4, 8));

    let b = net.login(BOB);
    net.expect(b, &[msg_req(one, ALICE, "b1"), msg_req(one, CAROL, "b3")]);
    net.answer(b, one, "OK");
    net.send(b, StatusReq, one, "");
    net.expect(
        b,
        &[
            status(one, ALICE, "Offline"),
            status(one, CAROL, "Offline"),
            status(one, BOB, "Online"),
            status(one, SERVER, "Online"),
        ],
    );
    let c = net.login(CAROL);
    net.expect(c, &[msg_req(one, ALICE, "c1")]);
    net.msg(b, one, &["a4", "c4"]);
    net.restart();
    let a = net.login(ALICE);
    net.expect(a, &[msg_req(one, CAROL, "a3"), msg_req(one, BOB, "a4")]);
    let b = net.login(BOB);
    net.expect(b, &[msg_req(one, CAROL, "b3")]);
}

#[test]
fn closed_and_pending_ones_do_not() {
    let mut net = Net::new();
    let (a, b) = (net.login(ALICE), net.login(BOB));
    let closed = net.session(&[a, b]);
    net.msg(a, closed, &["x"]);
    net.close(b, closed);
    net.take(b);
    net.init(a, &[BOB]);
    let pending = net.invited(b);
    net.restart();
    let (a, b) = (net.login(ALICE), net.login(BOB));
    net.hears_nothing(b);
    net.accept(b, pending);
    for sid in [closed, pending] {
        net.close(a, sid);
        net.expect(a, &[close_res(sid, SERVER, "error")]);
    }
}

#[test]
fn no_sid_twice_even_if_chance_repeats() {
    let mut net = Net::new();
    let store = net.store.clone();
    let (a, b) = (net.login(ALICE), net.login(BOB));
    let mut sids: Vec<Sid> = (0..3).map(|_| net.session(&[a, b])).collect();
    for sid in &sids {
        net.close(a, *sid);
    }
    // Another server with the same store, whose random numbers are the first one's: every draw is taken already.
    let mut net = Net::with_store(Box::new(store));
    let (a, b) = (net.login(ALICE), net.login(BOB));
    sids.push(net.session(&[a, b]));
    sids.sort_unstable();
    sids.dedup();
    assert_eq!(sids.len(), 4); // INIT-03, CLOSE-04
}

/// A store that can be made to fail.
struct Failing {
    inner: MemoryStore,
    full: Arc<AtomicBool>,
}

impl Failing {
    fn check(&self) -> Result<(), StoreError> {
        if self.full.load(Ordering::Relaxed) { Err(StoreError::Full) } else { Ok(()) }
    }
}

impl Store for Failing {
    fn load(&mut self) -> Result<Restored, StoreError> {
        self.inner.load()
    }
    fn reserve(&mut self, sid: Sid) -> Result<bool, StoreError> {
        self.check().and_then(|()| self.inner.reserve(sid))
    }
    fn open(&mut self, sid: Sid, roster: &[Uid]) -> Result<(), StoreError> {
        self.check().and_then(|()| self.inner.open(sid, roster))
    }
    fn close(&mut self, sid: Sid) -> Result<(), StoreError> {
        self.check().and_then(|()| self.inner.close(sid))
    }
    fn accept(&mut self, lines: &[StoredLine]) -> Result<(), StoreError> {
        self.check().and_then(|()| self.inner.accept(lines))
    }
    fn answered(&mut self, sid: Sid, number: u64, recipient: Uid) -> Result<(), StoreError> {
        self.check().and_then(|()| self.inner.answered(sid, number, recipient))
    }
}

#[test]
fn a_full_store_refuses() {
    let full = Arc::new(AtomicBool::new(false));
    let mut net = Net::with_store(Box::new(Failing { inner: MemoryStore::new(), full: full.clone() }));
    let (a, b, c) = (net.login(ALICE), net.login(BOB), net.login(CAROL));
    let sid = net.session(&[a, b]);
    net.msg(a, sid, &["1"]);
    net.init(a, &[BOB, CAROL]);
    net.take(b);
    let pending = net.invited(c);
    net.accept(c, pending);
    full.store(true, Ordering::Relaxed);

    net.answer(b, sid, "OK");
    net.expect(a, &[msg_res(sid, "OK")]);
    net.deny(b, pending);
    net.expect(a, &[init_res(NONE, "error")]);
    net.expect(c, &[close_res(pending, SERVER, "OK")]); // CLOSE-11
    net.init(a, &[BOB]);
    net.expect(a, &[init_res(NONE, "error")]);
    net.msg(a, sid, &["2"]);
    net.expect(a, &[msg_res(sid, "error")]);
    net.close(a, sid);
    net.expect(a, &[close_res(sid, SERVER, "error")]);
    net.hears_nothing(b);
    let failures = net.events().into_iter().filter(|event| *event == Event::StoreFailed(StoreError::Full)).count();
    assert_eq!(failures, 5);

    full.store(false, Ordering::Relaxed);
    net.msg(a, sid, &["3"]);
    net.expect(b, &[msg_req(sid, ALICE, "3")]);
    net.close(a, sid);
    net.expect(b, &[close_res(sid, ALICE, "OK")]);
    net.take(a);
    net.session(&[a, b]);
}

/// A store that was written by somebody else.
struct Written(Restored);

impl Store for Written {
    fn load(&mut self) -> Result<Restored, StoreError> {
        Ok(self.0.clone())
    }
    fn reserve(&mut self, _: Sid) -> Result<bool, StoreError> {
        Ok(false)
    }
    fn open(&mut self, _: Sid, _: &[Uid]) -> Result<(), StoreError> {
        Ok(())
    }
    fn close(&mut self, _: Sid) -> Result<(), StoreError> {
        Ok(())
    }
    fn accept(&mut self, _: &[StoredLine]) -> Result<(), StoreError> {
        Ok(())
    }
    fn answered(&mut self, _: Sid, _: u64, _: Uid) -> Result<(), StoreError> {
        Ok(())
    }
}

fn written(change: impl FnOnce(&mut Restored)) -> Result<Server, StoreError> {
    let text = "x".repeat(MAX_PAYLOAD - 1).into();
    let mut restored = Restored {
        sessions: vec![StoredSession { sid: Sid(1), roster: vec![ALICE, BOB] }],
        lines: vec![StoredLine { number: 4, sid: Sid(1), author: ALICE, recipient: BOB, text }],
        next_number: 5,
    };
    change(&mut restored);
    let provider = default_provider();
    let key = provider.private_key(include_str!("../keys/server.key.pem")).unwrap();
    let rng = Box::new(StdRng::seed_from_u64(0));
    let directory = Arc::new([(BOB, public(provider, BOB))].into());
    Server::new(Config::default(), provider, key, directory, rng, Box::new(Written(restored)))
}

#[rstest]
#[case::no_session(|r: &mut Restored| r.lines[0].sid = Sid(2))]
#[case::author(|r: &mut Restored| r.lines[0].author = CAROL)]
#[case::recipient(|r: &mut Restored| r.lines[0].recipient = CAROL)]
#[case::oneself(|r: &mut Restored| r.lines[0].recipient = ALICE)]
#[case::empty(|r: &mut Restored| r.lines[0].text = "".into())]
#[case::two_lines(|r: &mut Restored| r.lines[0].text = "a\nb".into())]
#[case::too_long(|r: &mut Restored| r.lines[0].text = "x".repeat(MAX_PAYLOAD).into())]
#[case::number(|r: &mut Restored| r.next_number = 4)]
#[case::sid_0(|r: &mut Restored| { r.sessions[0].sid = NONE; r.lines.clear(); })]
#[case::alone(|r: &mut Restored| { r.sessions[0].roster = vec![ALICE]; r.lines.clear(); })]
#[case::twice(|r: &mut Restored| r.sessions[0].roster = vec![ALICE, BOB, BOB])]
fn nonsense_is_not_loaded(#[case] change: fn(&mut Restored)) {
    assert_eq!(written(|_| {}).unwrap().stored(), (1, MAX_PAYLOAD - 1));
    assert!(matches!(written(change), Err(StoreError::Corrupt(_))));
}

#[test]
fn a_random_generator_that_repeats_itself_does_not_hang() {
    // `Written` says of every sid that it was given out.
    let mut net = Net::with_store(Box::new(Written(Restored::default())));
    let (a, _) = (net.login(ALICE), net.login(BOB));
    net.init(a, &[BOB]);
    net.expect(a, &[init_res(NONE, "error")]);
}
