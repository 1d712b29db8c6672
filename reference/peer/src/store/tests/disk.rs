//! A disk that fails when it is told to.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redb::backends::FileBackend;
use redb::{Builder, DatabaseError, StorageBackend};

use crate::store::{DurableStore, OpenError};

/// Operations that still work: writes, changes of length, fsyncs.
#[derive(Clone, Debug)]
pub(super) struct Budget(Arc<AtomicU64>);

#[derive(Debug)]
struct FailingDisk {
    file: FileBackend,
    budget: Budget,
    kind: ErrorKind,
}

impl Budget {
    pub(super) fn unlimited() -> Self {
        Self(Arc::new(AtomicU64::new(u64::MAX)))
    }

    pub(super) fn set(&self, operations: u64) {
        self.0.store(operations, Ordering::SeqCst);
    }

    fn spend(&self, kind: ErrorKind) -> io::Result<()> {
        let left = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.map(drop).map_err(|_| kind.into())
    }
}

/// A store on a disk that fails with `kind` when the budget is used up.
pub(super) fn open(folder: &Path, budget: &Budget, kind: ErrorKind) -> Result<DurableStore, OpenError> {
    let budget = budget.clone();
    let disk = move |builder: Builder, file: File| -> Result<_, DatabaseError> {
        builder.create_with_backend(FailingDisk { file: FileBackend::new(file)?, budget: budget.clone(), kind })
    };
    DurableStore::open_on(folder, Box::new(disk))
}

impl StorageBackend for FailingDisk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.budget.spend(self.kind)?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.budget.spend(self.kind)?;
        self.file.sync_data()
    }

    /// Half of what is too much is written.
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if let Err(error) = self.budget.spend(self.kind) {
            self.file.write(offset, &data[..data.len() / 2])?;
            return Err(error);
        }
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}
