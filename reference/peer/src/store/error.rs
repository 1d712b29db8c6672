//! What can be wrong with a store's folder and file.

use std::io;
use std::path::{Path, PathBuf};

use mpchat_proto::server::StoreError;
use thiserror::Error;

/// A folder or file of a store, and why it cannot be used.
#[derive(Debug, Error)]
#[error("{}: {fault}", .path.display())]
pub struct OpenError {
    /// The folder, or the file in it.
    pub path: PathBuf,
    /// The offence.
    #[source]
    pub fault: Fault,
}

/// What is wrong with a store.
#[derive(Debug, Error)]
pub enum Fault {
    /// There is something else where the folder should be.
    #[error("not a folder")]
    NotAFolder,
    /// There is something else where the file should be.
    #[error("not a file")]
    NotAFile,
    /// Another process has it.
    #[error("in use by another process")]
    Locked,
    /// Reading or writing failed.
    #[error("cannot be read or written: {0}")]
    Io(#[source] io::Error),
    /// It is no database any more, or never was one: truncated, overwritten, altered.
    #[error("damaged: {0}")]
    Damaged(String),
    /// It is a database, of another program.
    #[error("a database of another program")]
    Foreign,
    /// It was written by another version of this program, with another arrangement of the records.
    #[error("of format version {found}; this program knows version {known}")]
    Version {
        /// What the file says.
        found: u64,
        /// What is understood.
        known: u64,
    },
    /// The database is sound, but it holds what no server wrote.
    #[error("unreadable: {0}")]
    Record(String),
    /// The database refuses an operation that is never wrong: a fault of this program or of the database.
    #[error("the database refuses: {0}")]
    Refused(String),
}

impl OpenError {
    pub(super) fn new(path: impl AsRef<Path>, fault: impl Into<Fault>) -> Self {
        Self { path: path.as_ref().to_owned(), fault: fault.into() }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        match fault {
            Fault::Io(error) if matches!(error.kind(), FileTooLarge | QuotaExceeded | StorageFull) => Self::Full,
            Fault::Io(_) | Fault::Locked | Fault::NotAFolder | Fault::NotAFile | Fault::Refused(_) => {
                Self::Io(fault.to_string())
            }
            Fault::Damaged(_) | Fault::Foreign | Fault::Version { .. } | Fault::Record(_) => {
                Self::Corrupt(fault.to_string())
            }
        }
    }
}

impl From<io::Error> for Fault {
    /// A file that ends too early, or holds what cannot be, is damaged.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => Self::Damaged(error.to_string()),
            io::ErrorKind::NotADirectory => Self::NotAFolder,
            _ => Self::Io(error),
        }
    }
}

impl From<redb::Error> for Fault {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) => error.into(),
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => Self::Locked,
            redb::Error::Corrupted(_)
            | redb::Error::UpgradeRequired(_)
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TableIsMultimap(_)
            | redb::Error::TypeDefinitionChanged { .. }
            | redb::Error::TableDoesNotExist(_) => Self::Damaged(error.to_string()),
            other => Self::Refused(other.to_string()),
        }
    }
}

macro_rules! through_redb_error {
    ($($error:ident)*) => {
        $(impl From<redb::$error> for Fault {
            fn from(error: redb::$error) -> Self {
                redb::Error::from(error).into()
            }
        })*
    };
}

through_redb_error!(CommitError DatabaseError SetDurabilityError StorageError TableError TransactionError);
