//! Random operations, with restarts, against the store in memory.

use mpchat_proto::ids::{Sid, Uid};
use mpchat_proto::server::{MemoryStore, Restored, Store, StoredLine};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rstest::rstest;

use super::{ALICE, BOB, CAROL, DurableStore, filled, line, sorted};

#[rstest]
fn random_operations_leave_what_the_memory_store_has(#[values(1, 2, 3, 4)] seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut durable = DurableStore::open(folder.path()).unwrap();
    let mut memory = MemoryStore::new();
    let mut reserved: Vec<Sid> = Vec::new();
    let mut live: Vec<Sid> = Vec::new();
    let mut number = 0;
    for step in 0..250 {
        match rng.random_range(0..100) {
            0..15 => {
                let sid = Sid(rng.random_range(1..60));
                let fresh = durable.reserve(sid);
                assert_eq!(fresh, memory.reserve(sid), "step {step}");
                if fresh == Ok(true) {
                    reserved.push(sid);
                }
            }
            15..30 => {
                if let Some(sid) = reserved.pop() {
                    durable.open(sid, &[ALICE, BOB, CAROL]).unwrap();
                    memory.open(sid, &[ALICE, BOB, CAROL]).unwrap();
                    live.push(sid);
                }
            }
            30..35 => {
                if !live.is_empty() {
                    let sid = live.swap_remove(rng.random_range(0..live.len()));
                    durable.close(sid).unwrap();
                    memory.close(sid).unwrap();
                }
            }
            35..70 => {
                if !live.is_empty() {
                    let sid = live[rng.random_range(0..live.len())];
                    let text = "é".repeat(rng.random_range(1..3000));
                    let lines = [line(sid, number, BOB, &text), line(sid, number, CAROL, "x")];
                    number += 1;
                    durable.accept(&lines).unwrap();
                    memory.accept(&lines).unwrap();
                }
            }
            70..95 => {
                // Lines that are not there, too.
                let (sid, number) = (Sid(rng.random_range(1..60)), rng.random_range(0..=number));
                let recipient = if rng.random() { BOB } else { CAROL };
                durable.answered(sid, number, recipient).unwrap();
                memory.answered(sid, number, recipient).unwrap();
            }
            _ => {
                drop(durable);
                durable = DurableStore::open(folder.path()).unwrap();
            }
        }
    }
    let restored = sorted(memory.load().unwrap());
    assert!(!restored.sessions.is_empty() && !restored.lines.is_empty());
    assert_eq!(sorted(durable.load().unwrap()), restored);
    drop(durable);
    assert_eq!(sorted(DurableStore::open(folder.path()).unwrap().load().unwrap()), restored);
}

#[test]
fn a_new_store_is_empty_and_its_folder_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a/b");
    let restored = DurableStore::open(&deep).unwrap().load().unwrap();
    assert_eq!(restored, Restored::default());
    assert_eq!(DurableStore::open(&deep).unwrap().load().unwrap(), Restored::default());
}

/// INIT-03, CLOSE-04
#[test]
fn a_sid_is_given_out_once_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path()));
    let mut store = DurableStore::open(folder.path()).unwrap();
    for sid in [Sid(1), Sid(2), Sid(3)] {
        assert_eq!(store.reserve(sid), Ok(false));
    }
    assert_eq!(store.reserve(Sid(4)), Ok(true));
}

/// MSG-10: a number that was used by a line that is gone must not come again before one that is not.
#[test]
fn numbers_grow_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    store.close(Sid(1)).unwrap();
    drop(store);
    let restored = DurableStore::open(folder.path()).unwrap().load().unwrap();
    assert_eq!(restored, Restored { next_number: 20, ..Restored::default() });
}

#[test]
fn all_lines_of_the_largest_session_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = DurableStore::open(folder.path()).unwrap();
    let roster: Vec<Uid> = (1..=122).map(Uid).collect();
    store.reserve(Sid(u64::MAX)).unwrap();
    store.open(Sid(u64::MAX), &roster).unwrap();
    let line = |recipient: &Uid| StoredLine {
        number: 7,
        sid: Sid(u64::MAX),
        author: roster[0],
        recipient: *recipient,
        text: "x".repeat(536).into(),
    };
    let lines: Vec<StoredLine> = roster[1..].iter().map(line).collect();
    store.accept(&lines).unwrap();
    drop(store);
    let restored = sorted(DurableStore::open(folder.path()).unwrap().load().unwrap());
    assert_eq!(restored.sessions[0].roster, roster);
    assert_eq!((restored.lines, restored.next_number), (lines, 8));
}
