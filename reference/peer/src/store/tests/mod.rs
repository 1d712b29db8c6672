//! What is stored is restored; what is not a store is refused; a disk that fails refuses, and harms nothing.

#![allow(clippy::unwrap_used, reason = "tests")]

mod disk;
mod full;
mod model;
mod power;
mod refused;

use std::path::Path;

use mpchat_proto::ids::{Sid, Uid};
use mpchat_proto::server::{Restored, Store, StoredLine};

use super::DurableStore;

const ALICE: Uid = Uid(0xa11ce);
const BOB: Uid = Uid(0xb0b00);
const CAROL: Uid = Uid(0xca401e);

fn line(sid: Sid, number: u64, recipient: Uid, text: &str) -> StoredLine {
    StoredLine { number, sid, author: ALICE, recipient, text: text.into() }
}

/// A store with two sessions, one of them closed, and lines.
fn filled(folder: &Path) -> DurableStore {
    let mut store = DurableStore::open(folder).unwrap();
    for sid in [Sid(1), Sid(2), Sid(3)] {
        assert_eq!(store.reserve(sid), Ok(true));
    }
    store.open(Sid(1), &[ALICE, BOB, CAROL]).unwrap();
    store.open(Sid(2), &[BOB, ALICE]).unwrap();
    for number in 0..20 {
        let lines = [line(Sid(1), number, BOB, "to bob"), line(Sid(1), number, CAROL, "to carol")];
        store.accept(&lines).unwrap();
    }
    store.answered(Sid(1), 3, BOB).unwrap();
    store.close(Sid(2)).unwrap();
    store
}

/// In one order.
fn sorted(mut restored: Restored) -> Restored {
    restored.sessions.sort_by_key(|session| session.sid);
    restored.lines.sort_by_key(|line| (line.sid, line.number, line.recipient));
    restored
}
