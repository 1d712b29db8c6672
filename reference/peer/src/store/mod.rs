//! What outlives a server: [`DurableStore`], a [`Store`] in a folder.
//!
//! A change is on the disk (fsync) when a method returns, and so before any frame that depends on it leaves. The caller
//! is blocked meanwhile, at a server the task of the machine, and with it everybody: no frame may overtake the change that
//! it depends on, and changes are few beside frames. Joining the changes of several frames in one fsync would need a
//! machine that hands out frames later than it decides on them; that is not worth it here.
//!
//! ```text
//!              a method fails: the change is in doubt, the database is closed
//!   +------+ ---------------------------------------------------------------> +--------+
//!   | open |                                                                  | closed | <-+ it does not open, or the
//!   +------+ <--------------------------------------------------------------- +--------+ --+ undoing fails: refused
//!              at once, and at each later call: it opens, the doubt is undone
//! ```
//!
//! When writing fails (a full disk, say), nobody can tell whether the change is in the file: fsync does not say. So the
//! database is opened anew, and the records that the change touched are set to what they were, before anything else is
//! done; the server goes on as soon as that works. Only if the process dies before it works may a change that was refused
//! be there after the restart.

mod edit;
mod error;
mod records;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use mpchat_proto::ids::{Sid, Uid};
use mpchat_proto::server::{Restored, Store, StoreError, StoredLine};
use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError};

pub use error::{Fault, OpenError};

use edit::{Edit, commit, harden};
use records::LineKey;

/// The database in the folder.
const FILE: &str = "store.redb";
/// A database that is being made. It gets its name when it is whole; one that a crash left behind is made anew.
const NEW_FILE: &str = "store.redb.new";
/// Locked as long as the store is open. Not the database itself, which may have to be opened anew meanwhile.
const LOCK_FILE: &str = "lock";

/// Memory for pages of the file. The server holds in memory what it needs again, so it is for writing only.
const CACHE_BYTES: usize = 8 << 20;

/// Makes a database of a file; an empty file becomes an empty one. A place for tests to put a failing disk.
type Disk = Box<dyn Fn(Builder, File) -> Result<Database, DatabaseError> + Send>;

/// A [`Store`] in a folder, on `redb`. See the [module](self).
pub struct DurableStore {
    file: PathBuf,
    disk: Disk,
    /// `None` after a failure, until it opens again.
    database: Option<Database>,
    /// What takes a failed change back. Not empty only while there is no database.
    doubt: Vec<Edit>,
    /// Lines whose answers could not be recorded: each change that works records them too. No more than there are lines.
    late: BTreeSet<LineKey>,
    /// Holds the folder's lock until it is dropped.
    _lock: File,
}

impl DurableStore {
    /// Opens the store in a folder, or makes both. The whole file is read and checked.
    ///
    /// A file of any content is refused, not repaired, if it is not as a store left it; but a store that was killed or lost
    /// its power is as it should be.
    ///
    /// # Errors
    /// Says what is wrong with which file, and leaves it alone.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_on(folder.as_ref(), Box::new(|builder, file| builder.create_with_backend(FileBackend::new(file)?)))
    }

    fn open_on(folder: &Path, disk: Disk) -> Result<Self, OpenError> {
        match fs::create_dir_all(folder) {
            Ok(()) => {}
            Err(_) if folder.exists() && !folder.is_dir() => return Err(OpenError::new(folder, Fault::NotAFolder)),
            Err(error) => return Err(OpenError::new(folder, error)),
        }
        let lock = lock(&folder.join(LOCK_FILE))?;
        let file = folder.join(FILE);
        match fs::symlink_metadata(&file) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                found(folder, &disk).map_err(|fault| OpenError::new(folder.join(NEW_FILE), fault))?;
            }
            Err(error) => return Err(OpenError::new(&file, error)),
        }
        let checked = open(&file, &disk).and_then(|database| {
            records::read(&database)?;
            Ok(database)
        });
        let database = Some(checked.map_err(|fault| OpenError::new(&file, fault))?);
        Ok(Self { file, disk, database, doubt: Vec::new(), late: BTreeSet::new(), _lock: lock })
    }

    /// Carries out what `plan` finds necessary, all or nothing.
    fn change(&mut self, plan: impl FnOnce(&Database) -> Result<Vec<Edit>, Fault>) -> Result<(), StoreError> {
        self.ready()?;
        let (mut undo, late) = (Vec::new(), std::mem::take(&mut self.late));
        let done = self.with_database(|database| {
            let mut edits = plan(database)?;
            edits.extend(late.iter().map(|key| Edit::Line(*key, None)));
            if edits.is_empty() { Ok(()) } else { commit(database, &edits, &mut undo) }
        });
        if done.is_err() {
            self.late = late;
            undo.reverse();
            self.doubt = undo;
            // If it does not work now, the next call tries again.
            let _ = self.ready();
        }
        done
    }

    /// Whatever fails closes the database: after an error of the disk, it refuses to go on.
    fn with_database<T>(&mut self, what: impl FnOnce(&Database) -> Result<T, Fault>) -> Result<T, StoreError> {
        let Some(database) = &self.database else { return Err(StoreError::Io("the database is closed".to_owned())) };
        let result = what(database);
        if result.is_err() {
            self.database = None;
        }
        Ok(result?)
    }

    /// With a database, and without doubt.
    fn ready(&mut self) -> Result<&mut Self, StoreError> {
        if self.database.is_none() {
            let database = open(&self.file, &self.disk)?;
            if !self.doubt.is_empty() {
                commit(&database, &self.doubt, &mut Vec::new())?;
                self.doubt.clear();
            }
            self.database = Some(database);
        }
        Ok(self)
    }
}

impl Store for DurableStore {
    fn load(&mut self) -> Result<Restored, StoreError> {
        self.ready()?.with_database(records::read)
    }

    fn reserve(&mut self, sid: Sid) -> Result<bool, StoreError> {
        let mut fresh = true;
        self.change(|database| {
            fresh = !records::is_given_out(database, sid)?;
            Ok(if fresh { vec![Edit::GivenOut(sid.0, Some(Vec::new()))] } else { Vec::new() })
        })?;
        Ok(fresh)
    }

    fn open(&mut self, sid: Sid, roster: &[Uid]) -> Result<(), StoreError> {
        self.change(|_| Ok(vec![Edit::Session(sid.0, Some(records::roster_bytes(roster)))]))
    }

    fn close(&mut self, sid: Sid) -> Result<(), StoreError> {
        self.change(|database| {
            let lines = records::line_keys(database, sid)?.into_iter().map(|key| Edit::Line(key, None));
            Ok(lines.chain([Edit::Session(sid.0, None)]).collect())
        })
    }

    fn accept(&mut self, lines: &[StoredLine]) -> Result<(), StoreError> {
        let Some(last) = lines.iter().map(|line| line.number).max() else { return Ok(()) };
        self.change(|database| {
            let next = records::next(database)?.max(last.saturating_add(1));
            let records = lines.iter().map(|line| {
                let (key, value) = records::line_record(line);
                Edit::Line(key, Some(value))
            });
            Ok(records.chain([Edit::Next(Some(next.to_be_bytes().to_vec()))]).collect())
        })
    }

    /// Lasts at once, as everything else does, though a [`Store`] need not: the author hears `OK` because of the answer,
    /// and then the line must never be sent again (MSG-17). A client that has been started anew meanwhile would show it
    /// twice (MSG-18 binds it only while it runs). An answer that cannot be recorded is recorded with the next change.
    fn answered(&mut self, sid: Sid, number: u64, recipient: Uid) -> Result<(), StoreError> {
        let key = (sid.0, number, recipient.0);
        let done = self.change(|database| {
            Ok(if records::has_line(database, key)? { vec![Edit::Line(key, None)] } else { Vec::new() })
        });
        if done.is_err() {
            self.late.insert(key);
        }
        done
    }
}

impl fmt::Debug for DurableStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurableStore").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Takes the lock of the folder; it ends with the file handle, however the process ends.
fn lock(path: &Path) -> Result<File, OpenError> {
    let open = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    let file = open.map_err(|error| OpenError::new(path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::new(path, Fault::Locked)),
        Err(TryLockError::Error(error)) => Err(OpenError::new(path, error)),
    }
}

/// Makes an empty store: whole, or not at all.
fn found(folder: &Path, disk: &Disk) -> Result<(), Fault> {
    let new = folder.join(NEW_FILE);
    let file = OpenOptions::new().create(true).truncate(true).read(true).write(true).open(&new)?;
    let database = disk(builder(), file)?;
    let mut transaction = database.begin_write()?;
    harden(&mut transaction);
    records::found(&transaction)?;
    transaction.commit()?;
    database.close()?;
    fs::rename(&new, folder.join(FILE))?;
    // The name must last, too.
    Ok(File::open(folder)?.sync_all()?)
}

/// Opens a store that is there, after a look at its every page.
fn open(path: &Path, disk: &Disk) -> Result<Database, Fault> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(Fault::NotAFile);
    }
    // An empty file would become an empty store.
    if metadata.len() == 0 {
        return Err(Fault::Damaged("empty".to_owned()));
    }
    let database = disk(builder(), OpenOptions::new().read(true).write(true).open(path)?)?;
    records::identify(&database)?;
    Ok(database)
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
    builder
}
