//! What is not a store, or not one any more, is refused with words, and never a panic.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use mpchat_proto::ids::Sid;
use mpchat_proto::server::Store;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use redb::{Database, TableDefinition};
use rstest::rstest;

use super::{ALICE, BOB, CAROL, DurableStore, filled, line, sorted};
use crate::store::records::{ABOUT, LINES, SESSIONS};
use crate::store::{FILE, Fault};

/// What `open` says of a store that `change` has changed.
fn refusal(change: impl FnOnce(&Path)) -> Fault {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path()));
    change(&folder.path().join(FILE));
    let error = DurableStore::open(folder.path()).expect_err("refused");
    assert_eq!(error.path, folder.path().join(FILE));
    error.fault
}

#[test]
fn the_folder_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "text").unwrap();
    for path in [path.clone(), path.join("below")] {
        let error = DurableStore::open(&path).unwrap_err();
        assert!(matches!(error.fault, Fault::NotAFolder), "{error}");
        assert_eq!(error.to_string(), format!("{}: not a folder", path.display()));
    }
}

#[test]
fn the_file_is_a_folder() {
    let fault = refusal(|file| {
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
    });
    assert!(matches!(fault, Fault::NotAFile), "{fault}");
}

#[test]
fn another_has_it_until_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let first = filled(folder.path());
    let error = DurableStore::open(folder.path()).unwrap_err();
    assert!(matches!(error.fault, Fault::Locked), "{error}");
    drop(first);
    DurableStore::open(folder.path()).unwrap();
}

#[rstest]
#[case::empty(|_| Vec::new())]
#[case::one_byte(|_| vec![b'r'])]
#[case::text(|_| b"this is no database at all\n".repeat(400))]
#[case::zeros(|bytes: Vec<u8>| vec![0; bytes.len()])]
#[case::header_only(|bytes: Vec<u8>| bytes[..512].to_vec())]
#[case::half(|bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec())]
#[case::one_page_less(|bytes: Vec<u8>| bytes[..bytes.len() - 4096].to_vec())]
#[case::other_magic(|mut bytes: Vec<u8>| { bytes[0] ^= 1; bytes })]
fn damaged(#[case] damage: fn(Vec<u8>) -> Vec<u8>) {
    let fault = refusal(|file| fs::write(file, damage(fs::read(file).unwrap())).unwrap());
    assert!(matches!(fault, Fault::Damaged(_)), "{fault:?}");
}

/// A flipped byte is refused, or it was in none of the pages that count, and then all is there.
#[test]
fn flipped_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let whole = sorted(filled(folder.path()).load().unwrap());
    let file = folder.path().join(FILE);
    let bytes = fs::read(&file).unwrap();
    let mut rng = StdRng::seed_from_u64(5);
    let header = 0..512;
    let anywhere = (0..500).map(|_| rng.random_range(0..bytes.len())).collect::<Vec<_>>();
    let mut refused = 0;
    for at in header.chain(anywhere) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        fs::write(&file, &damaged).unwrap();
        match DurableStore::open(folder.path()) {
            Err(error) => {
                assert!(!matches!(error.fault, Fault::Locked | Fault::Refused(_)), "byte {at}: {error}");
                refused += 1;
            }
            Ok(mut store) => {
                assert_eq!(sorted(store.load().unwrap()), whole, "byte {at}");
                assert_eq!(store.reserve(Sid(9)), Ok(true), "byte {at}");
                store.accept(&[line(Sid(1), 20, BOB, "and it works")]).unwrap();
            }
        }
    }
    assert!(refused > 50, "{refused}");
}

/// Many bytes, whole pages, pages that change places: whatever the outcome, it has an end and is no panic.
#[rstest]
fn wild_damage(#[values(1, 2, 3)] seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path()));
    let file = folder.path().join(FILE);
    let bytes = fs::read(&file).unwrap();
    let mut rng = StdRng::seed_from_u64(seed);
    for _ in 0..150 {
        let mut damaged = bytes.clone();
        for _ in 0..rng.random_range(1..8) {
            let pages = damaged.len() / 4096;
            let page = rng.random_range(0..pages) * 4096;
            match rng.random_range(0..5) {
                0 => damaged[page..page + 4096].fill(rng.random()),
                1 => rng.fill(&mut damaged[page..page + 4096]),
                2 => damaged.copy_within(page..page + 4096, rng.random_range(0..pages) * 4096),
                3 => damaged.truncate(rng.random_range(4096..=damaged.len())),
                _ => damaged.resize(damaged.len() + rng.random_range(1..10_000), rng.random()),
            }
        }
        fs::write(&file, &damaged).unwrap();
        if let Ok(mut store) = DurableStore::open(folder.path()) {
            let _ = (store.load(), store.reserve(Sid(9)), store.close(Sid(1)));
        }
    }
}

#[test]
fn a_database_of_another_program() {
    let fault = refusal(|file| {
        fs::remove_file(file).unwrap();
        let database = Database::create(file).unwrap();
        let transaction = database.begin_write().unwrap();
        let table: TableDefinition<'_, &str, u64> = TableDefinition::new("theirs");
        transaction.open_table(table).unwrap().insert("a", 1).unwrap();
        transaction.commit().unwrap();
    });
    assert!(matches!(fault, Fault::Foreign), "{fault:?}");
}

/// Changes one table of a sound store by the database itself.
fn edit(file: &Path, what: impl FnOnce(&redb::WriteTransaction)) {
    let database = Database::open(file).unwrap();
    let transaction = database.begin_write().unwrap();
    what(&transaction);
    transaction.commit().unwrap();
}

fn set_about(key: &'static [u8], value: Option<&'static [u8]>) -> impl FnOnce(&redb::WriteTransaction) {
    move |transaction| {
        let mut about = transaction.open_table(ABOUT).unwrap();
        match value {
            Some(value) => drop(about.insert(key, value).unwrap()),
            None => drop(about.remove(key).unwrap()),
        }
    }
}

#[rstest]
#[case::no_program(b"program", None, "a database of another program")]
#[case::other_program(b"program", Some(&b"mpchess"[..]), "a database of another program")]
#[case::no_version(b"version", None, "unreadable: no version")]
#[case::other_version(
    b"version",
    Some(&[0, 0, 0, 0, 0, 0, 0, 2][..]),
    "of format version 2; this program knows version 1"
)]
#[case::short_version(b"version", Some(&[1][..]), "unreadable: the version of 1 bytes")]
#[case::no_next(b"next", None, "unreadable: no next number")]
#[case::short_next(b"next", Some(&[][..]), "unreadable: the next number of 0 bytes")]
#[case::next_too_small(
    b"next",
    Some(&[0; 8][..]),
    "unreadable: the store holds nonsense: line 0 for 00000000000b0b00 in session 0000000000000001"
)]
fn about(#[case] key: &'static [u8], #[case] value: Option<&'static [u8]>, #[case] words: &str) {
    let fault = refusal(|file| edit(file, set_about(key, value)));
    assert_eq!(fault.to_string(), words);
}

fn bytes(uids: &[u64]) -> Vec<u8> {
    uids.iter().flat_map(|uid| uid.to_be_bytes()).collect()
}

#[rstest]
#[case::half_a_uid(1, vec![0; 12], "session 0000000000000001 with a roster of 12 bytes")]
#[case::too_long(1, bytes(&(1..=123).collect::<Vec<_>>()), "session 0000000000000001 with a roster of 984 bytes")]
#[case::nobody(1, vec![], "the store holds nonsense: session 0000000000000001 with a roster of 0")]
#[case::alone(1, bytes(&[ALICE.0]), "the store holds nonsense: session 0000000000000001 with a roster of 1")]
#[case::twice(1, bytes(&[BOB.0, BOB.0]), "the store holds nonsense: session 0000000000000001 with a roster of 2")]
#[case::never_given_out(
    8,
    bytes(&[ALICE.0, BOB.0]),
    "session 0000000000000008, whose sid was never given out"
)]
fn rosters(#[case] sid: u64, #[case] value: Vec<u8>, #[case] words: &str) {
    let fault = refusal(|file| {
        edit(file, |transaction| {
            transaction.open_table(SESSIONS).unwrap().insert(sid, value.as_slice()).unwrap();
        });
    });
    assert_eq!(fault.to_string(), format!("unreadable: {words}"));
}

#[rstest]
#[case::no_author(1, vec![1, 2, 3], "no author")]
#[case::not_utf8(1, [&bytes(&[BOB.0])[..], b"\xff"].concat(), "not UTF-8")]
#[case::too_long(1, [&bytes(&[BOB.0])[..], &[b'x'; 70_000]].concat(), "longer than any frame")]
#[case::no_text(1, bytes(&[BOB.0]), "nonsense")]
#[case::two_lines(1, [&bytes(&[BOB.0])[..], b"a\nb"].concat(), "nonsense")]
#[case::a_stranger(1, [&bytes(&[7])[..], b"a"].concat(), "nonsense")]
#[case::to_oneself(1, [&bytes(&[CAROL.0])[..], b"a"].concat(), "nonsense")]
#[case::no_such_session(3, [&bytes(&[BOB.0])[..], b"a"].concat(), "nonsense")]
fn lines(#[case] sid: u64, #[case] value: Vec<u8>, #[case] words: &str) {
    let fault = refusal(|file| {
        edit(file, |transaction| {
            transaction.open_table(LINES).unwrap().insert((sid, 1, CAROL.0), value.as_slice()).unwrap();
        });
    });
    let text = fault.to_string();
    assert!(matches!(fault, Fault::Record(_)) && text.contains(words), "{text}");
    assert!(text.contains(&format!("line 1 for {CAROL} in session {}", Sid(sid))), "{text}");
}

/// A table of the right name with other types is no table of this program.
#[test]
fn a_table_of_other_types() {
    let other: TableDefinition<'_, &str, u64> = TableDefinition::new("sessions");
    let fault = refusal(|file| {
        edit(file, |transaction| {
            transaction.delete_table(SESSIONS).unwrap();
            transaction.open_table(other).unwrap();
        });
    });
    assert!(matches!(fault, Fault::Damaged(_)), "{fault:?}");
}

/// A crash while the store was being made.
#[test]
fn half_a_new_store_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let new: PathBuf = folder.path().join(super::super::NEW_FILE);
    fs::write(&new, [7; 5000]).unwrap();
    DurableStore::open(folder.path()).unwrap();
    assert!(!new.exists());
}

/// What is changed behind the back of a running store is an error, not a panic.
#[test]
fn damaged_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    let file = OpenOptions::new().write(true).open(folder.path().join(FILE)).unwrap();
    file.set_len(4096).unwrap();
    file.write_all_at(&[0xa5; 4096], 0).unwrap();
    // The cache may hide it for a while, but not for ever.
    let _ = (store.load(), store.accept(&[line(Sid(1), 20, BOB, "text")]), store.close(Sid(1)));
    drop(store);
    assert!(matches!(DurableStore::open(folder.path()).unwrap_err().fault, Fault::Damaged(_)));
}
