//! What can be wrong with a kit.

use std::io;
use std::path::{Path, PathBuf};

use mpchat_proto::crypto::KeyError;
use mpchat_proto::ids::{IdError, Uid};
use thiserror::Error;

/// A file of a kit, and what is wrong with it.
#[derive(Debug, Error)]
#[error("{}: {fault}", .file.display())]
pub struct KitError {
    /// The file: with its folder if it was being read, else its name within the kit.
    pub file: PathBuf,
    /// The offence.
    #[source]
    pub fault: Fault,
}

/// What is wrong with a file of a kit.
#[derive(Debug, Error)]
pub enum Fault {
    /// The folder or file cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[source] io::Error),
    /// It has more bytes than a file of a kit can need.
    #[error("longer than {limit} bytes")]
    TooLong {
        /// The most that is taken.
        limit: u64,
    },
    /// The folder has more files than a kit can need.
    #[error("more than {limit} files")]
    TooMany {
        /// The most that are taken.
        limit: usize,
    },
    /// It is no UTF-8 text.
    #[error("not UTF-8")]
    NotText,
    /// The kit lacks it.
    #[error("missing")]
    Missing,
    /// It is a key file by its ending, but named neither by a uid text nor `server`.
    #[error("its name is no uid text: {0}")]
    Name(#[source] IdError),
    /// It is named by uid 0, which is the server.
    #[error("uid 0 is the server, whose files are named \"server\"")]
    ServerUid,
    /// The kit has no user at all.
    #[error("no user's public key is there")]
    NoUsers,
    /// The key inside is not as section 9 of the specification says.
    #[error("{0}")]
    Key(#[source] KeyError),
    /// The private key is of another pair than the public one.
    #[error("does not belong to the public key in {public}")]
    Mismatch {
        /// File name of the public key.
        public: String,
    },
    /// A line of `names.toml` or `cast.txt` is not of the form that it must have.
    #[error("line {line}: {what}")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// `names.toml` or `cast.txt` speaks of a user without a public key.
    #[error("{0} has no public key in this kit")]
    NotInDirectory(Uid),
}

impl KitError {
    pub(super) fn new(file: impl AsRef<Path>, fault: Fault) -> Self {
        Self { file: file.as_ref().to_owned(), fault }
    }
}
