//! A disk that fails: refusals that change nothing (PAY-07), and a store that goes on when there is room again.

use std::io::ErrorKind;

use mpchat_proto::ids::Sid;
use mpchat_proto::server::{Store, StoreError};
use rstest::rstest;

use super::disk::{Budget, open};
use super::{ALICE, BOB, CAROL, DurableStore, filled, line, sorted};

type Operation = fn(&mut DurableStore) -> Result<(), StoreError>;

/// Every operation, on a disk that fails after any number of steps of it: it is done, or nothing of it is. In the same
/// process, and after a restart.
#[rstest]
#[case::reserve(|store: &mut DurableStore| store.reserve(Sid(9)).map(drop))]
#[case::open(|store: &mut DurableStore| store.open(Sid(3), &[CAROL, BOB]))]
#[case::close(|store: &mut DurableStore| store.close(Sid(1)))]
#[case::accept(|store: &mut DurableStore| store.accept(&[line(Sid(1), 20, BOB, &"x".repeat(60_000))]))]
fn an_operation_is_done_or_refused_wherever_the_disk_fails(#[case] operation: Operation) {
    let done = {
        let folder = tempfile::tempdir().unwrap();
        let mut store = filled(folder.path());
        operation(&mut store).unwrap();
        sorted(store.load().unwrap())
    };
    let mut refusals = 0;
    for steps in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let before = sorted(filled(folder.path()).load().unwrap());
        let budget = Budget::unlimited();
        let mut store = open(folder.path(), &budget, ErrorKind::StorageFull).unwrap();
        budget.set(steps);
        let result = operation(&mut store);
        budget.set(u64::MAX);
        let after = if result.is_ok() { &done } else { &before };
        assert_eq!(sorted(store.load().unwrap()), *after, "{steps} steps, {result:?}");
        let fresh = store.reserve(Sid(9));
        drop(store);
        let mut store = DurableStore::open(folder.path()).unwrap();
        assert_eq!(sorted(store.load().unwrap()), *after, "{steps} steps, restarted, {result:?}");
        assert_eq!(store.reserve(Sid(9)), Ok(false), "reserved by now, if not before: {fresh:?}");
        match result {
            Ok(()) => break,
            Err(error) => assert_eq!(error, StoreError::Full, "{steps} steps"),
        }
        refusals += 1;
    }
    // Some writes, and two fsyncs.
    assert!(refusals >= 4, "{refusals}");
}

/// While it fails everything is refused, without end, and then all is as it was.
#[rstest]
#[case(ErrorKind::StorageFull, StoreError::Full)]
#[case(ErrorKind::QuotaExceeded, StoreError::Full)]
#[case(ErrorKind::FileTooLarge, StoreError::Full)]
#[case(ErrorKind::PermissionDenied, StoreError::Io("cannot be read or written: permission denied".to_owned()))]
fn a_store_without_room_refuses_and_recovers(#[case] kind: ErrorKind, #[case] error: StoreError) {
    let folder = tempfile::tempdir().unwrap();
    let before = sorted(filled(folder.path()).load().unwrap());
    let budget = Budget::unlimited();
    let mut store = open(folder.path(), &budget, kind).unwrap();
    budget.set(0);
    for number in 20..25 {
        assert_eq!(store.accept(&[line(Sid(1), number, BOB, "no room")]), Err(error.clone()));
        assert_eq!(store.reserve(Sid(9)), Err(error.clone()));
        assert_eq!(store.open(Sid(3), &[ALICE, BOB]), Err(error.clone()));
        assert_eq!(store.close(Sid(1)), Err(error.clone()));
    }
    budget.set(u64::MAX);
    assert_eq!(sorted(store.load().unwrap()), before);
    assert_eq!(store.reserve(Sid(9)), Ok(true));
    store.accept(&[line(Sid(1), 20, BOB, "room")]).unwrap();
    assert_eq!(store.load().unwrap().lines.len(), before.lines.len() + 1);
}

/// The machine uses a refused number again, for another line.
#[test]
fn a_refused_line_does_not_come_back_under_the_next_ones_number() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path()));
    let budget = Budget::unlimited();
    for steps in 0..40 {
        let mut store = open(folder.path(), &budget, ErrorKind::StorageFull).unwrap();
        let lines = store.load().unwrap().lines.len();
        budget.set(steps);
        let refused = store.accept(&[line(Sid(1), 20, CAROL, "refused"), line(Sid(1), 20, BOB, "refused")]).is_err();
        budget.set(u64::MAX);
        if !refused {
            return;
        }
        store.accept(&[line(Sid(1), 20, BOB, "accepted")]).unwrap();
        drop(store);
        let mut store = DurableStore::open(folder.path()).unwrap();
        let restored = store.load().unwrap().lines;
        assert_eq!(restored.len(), lines + 1);
        assert!(restored.iter().all(|line| &*line.text != "refused"));
        store.answered(Sid(1), 20, BOB).unwrap();
    }
    panic!("never enough steps");
}

/// The line must not come again, if there is any way to see to that (MSG-17).
#[test]
fn an_answer_that_cannot_be_recorded_is_recorded_with_the_next_change() {
    let budget = Budget::unlimited();
    for steps in 0..40 {
        let folder = tempfile::tempdir().unwrap();
        let lines = filled(folder.path()).load().unwrap().lines;
        let mut store = open(folder.path(), &budget, ErrorKind::StorageFull).unwrap();
        budget.set(steps);
        let refused = store.answered(Sid(1), 5, CAROL).is_err() && store.answered(Sid(1), 6, CAROL).is_err();
        budget.set(u64::MAX);
        if !refused {
            assert!(steps >= 4, "{steps}");
            return;
        }
        assert_eq!(store.load().unwrap().lines.len(), lines.len());
        store.reserve(Sid(9)).unwrap();
        drop(store);
        let restored = DurableStore::open(folder.path()).unwrap().load().unwrap().lines;
        assert_eq!(restored.len(), lines.len() - 2);
        assert!(restored.iter().all(|line| line.recipient != CAROL || !(5..=6).contains(&line.number)));
    }
    panic!("never enough steps");
}

#[test]
fn a_new_store_that_finds_no_room_is_made_later() {
    let folder = tempfile::tempdir().unwrap();
    let budget = Budget::unlimited();
    for steps in 0..1000 {
        budget.set(steps);
        if open(folder.path(), &budget, ErrorKind::StorageFull).is_ok() {
            assert!(steps > 5);
            return;
        }
    }
    panic!("never enough steps");
}
