//! Loss of power: what was not fsynced may be on the disk or not, in any mixture. A killed process does not show that.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use mpchat_proto::ids::Sid;
use mpchat_proto::server::{MemoryStore, Store};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use redb::backends::FileBackend;
use redb::{Builder, DatabaseError, StorageBackend};
use rstest::rstest;

use super::{ALICE, BOB, CAROL, DurableStore, line, sorted};
use crate::store::FILE;

/// What a disk writes as a whole.
const SECTOR: usize = 512;

/// What is certainly on the disk, and what may be.
#[derive(Debug, Default)]
struct Platter {
    synced: Vec<u8>,
    pending: Vec<Pending>,
    syncs: usize,
}

#[derive(Clone, Debug)]
enum Pending {
    Length(usize),
    /// A part of a sector, or a whole one.
    Write(usize, Vec<u8>),
}

#[derive(Debug)]
struct VolatileDisk {
    file: FileBackend,
    platter: Arc<Mutex<Platter>>,
}

impl Platter {
    fn sync(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        pending.iter().for_each(|change| change.apply(&mut self.synced));
        self.syncs += 1;
    }

    /// The file as it may be found after a loss of power now.
    fn after_a_loss(&self, rng: &mut StdRng) -> Vec<u8> {
        let mut found = self.synced.clone();
        let share = rng.random_range(0.0..=1.0);
        for change in self.pending.iter().filter(|_| rng.random_bool(share)) {
            change.apply(&mut found);
        }
        found
    }
}

impl Pending {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Length(length) => bytes.resize(*length, 0),
            Self::Write(offset, data) => {
                let range = *offset..offset + data.len();
                if bytes.len() < range.end {
                    bytes.resize(range.end, 0);
                }
                bytes[range].copy_from_slice(data);
            }
        }
    }
}

/// A range in pieces that lie in one sector each.
fn sectors(Range { mut start, end }: Range<usize>) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    while start < end {
        let next = end.min((start / SECTOR + 1) * SECTOR);
        pieces.push(start..next);
        start = next;
    }
    pieces
}

impl StorageBackend for VolatileDisk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.platter.lock().unwrap().pending.push(Pending::Length(len.try_into().unwrap()));
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.platter.lock().unwrap().sync();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        let pieces = sectors(start..start + data.len())
            .into_iter()
            .map(|piece| Pending::Write(piece.start, data[piece.start - start..piece.end - start].to_vec()));
        self.platter.lock().unwrap().pending.extend(pieces);
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

#[rstest]
fn what_was_done_outlives_a_loss_of_power(#[values(1, 2)] seed: u64) {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop((DurableStore::open(folder.path()).unwrap(), DurableStore::open(other.path()).unwrap()));
    let synced = fs::read(folder.path().join(FILE)).unwrap();
    let platter = Arc::new(Mutex::new(Platter { synced, ..Platter::default() }));
    let given = Arc::clone(&platter);
    let disk = move |builder: Builder, file: File| -> Result<_, DatabaseError> {
        let disk = VolatileDisk { file: FileBackend::new(file)?, platter: Arc::clone(&given) };
        builder.create_with_backend(disk)
    };
    let mut durable = DurableStore::open_on(folder.path(), Box::new(disk)).unwrap();
    let mut memory = MemoryStore::new();
    let mut rng = StdRng::seed_from_u64(seed);
    for step in 0..60_u64 {
        let sid = Sid(step / 20 + 1);
        let syncs = platter.lock().unwrap().syncs;
        let mut stores: [&mut dyn Store; 2] = [&mut durable, &mut memory];
        for store in &mut stores {
            match step % 20 {
                0 => assert_eq!(store.reserve(sid), Ok(true)),
                1 => store.open(sid, &[ALICE, BOB, CAROL]).unwrap(),
                2..12 => {
                    let text = "x".repeat(usize::try_from(step).unwrap() * 100);
                    store.accept(&[line(sid, step, BOB, &text), line(sid, step, CAROL, "y")]).unwrap();
                }
                12..19 => store.answered(sid, step - 9, BOB).unwrap(),
                _ => store.close(Sid(sid.0.max(2) - 1)).unwrap(),
            }
        }
        assert!(platter.lock().unwrap().syncs > syncs, "step {step}: no fsync");
        for _ in 0..2 {
            let found = platter.lock().unwrap().after_a_loss(&mut rng);
            fs::write(other.path().join(FILE), found).unwrap();
            let mut store = DurableStore::open(other.path()).unwrap();
            assert_eq!(sorted(store.load().unwrap()), sorted(memory.load().unwrap()), "step {step}");
            assert_eq!(store.reserve(sid), Ok(false), "step {step}");
        }
    }
}
