//! How the store's contents lie in the database.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `mpchat` | `program`, `version`, `next` | `mpchat`, the format's version, the next number |
//! | `given out` | a sid | |
//! | `sessions` | a live sid | its roster, 8 bytes a user |
//! | `lines` | sid, number, recipient | the author, 8 bytes, and the line |
//!
//! Numbers are big endian. Values are bytes, not the database's texts: those are taken for UTF-8 without a check that
//! could fail. The next number has a record of its own, since it must outlive the lines (MSG-10).

use std::sync::Arc;

use mpchat_proto::frame::MAX_PAYLOAD;
use mpchat_proto::ids::{Sid, Uid};
use mpchat_proto::server::{Restored, StoredLine, StoredSession};
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, TableError, WriteTransaction};

use super::error::Fault;

/// Sid, number, recipient.
pub(super) type LineKey = (u64, u64, u64);

pub(super) const ABOUT: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("mpchat");
pub(super) const GIVEN_OUT: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("given out");
pub(super) const SESSIONS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("sessions");
pub(super) const LINES: TableDefinition<'_, LineKey, &[u8]> = TableDefinition::new("lines");

/// Of what is described above.
pub(super) const VERSION: u64 = 1;

const PROGRAM: &[u8] = b"mpchat";
const PROGRAM_KEY: &[u8] = b"program";
const VERSION_KEY: &[u8] = b"version";
pub(super) const NEXT_KEY: &[u8] = b"next";

/// The creator and the 121 that an init_req can name (INIT-02).
const MAX_ROSTER: usize = 122;

/// Makes an empty database a store's.
pub(super) fn found(transaction: &WriteTransaction) -> Result<(), Fault> {
    transaction.open_table(GIVEN_OUT)?;
    transaction.open_table(SESSIONS)?;
    transaction.open_table(LINES)?;
    let mut about = transaction.open_table(ABOUT)?;
    about.insert(PROGRAM_KEY, PROGRAM)?;
    about.insert(VERSION_KEY, &VERSION.to_be_bytes()[..])?;
    about.insert(NEXT_KEY, &0_u64.to_be_bytes()[..])?;
    Ok(())
}

/// Refuses a database that is not a store's, or of another version. Looks at nothing else, which may differ by version.
pub(super) fn identify(database: &Database) -> Result<(), Fault> {
    let about = match database.begin_read()?.open_table(ABOUT) {
        Ok(about) => about,
        Err(TableError::Storage(error)) => return Err(error.into()),
        Err(_) => return Err(Fault::Foreign),
    };
    if about.get(PROGRAM_KEY)?.is_none_or(|program| program.value() != PROGRAM) {
        return Err(Fault::Foreign);
    }
    let version = about.get(VERSION_KEY)?.ok_or_else(|| Fault::Record("no version".to_owned()))?;
    match number(version.value(), || "the version".to_owned())? {
        VERSION => Ok(()),
        found => Err(Fault::Version { found, known: VERSION }),
    }
}

/// Everything that a server needs to go on.
pub(super) fn read(database: &Database) -> Result<Restored, Fault> {
    let transaction = database.begin_read()?;
    let restored =
        Restored { sessions: sessions(&transaction)?, lines: lines(&transaction)?, next_number: next(database)? };
    restored.check().map_err(|error| Fault::Record(error.to_string()))?;
    Ok(restored)
}

/// More than the number of any line that was ever accepted.
pub(super) fn next(database: &Database) -> Result<u64, Fault> {
    let about = database.begin_read()?.open_table(ABOUT)?;
    let next = about.get(NEXT_KEY)?.ok_or_else(|| Fault::Record("no next number".to_owned()))?;
    number(next.value(), || "the next number".to_owned())
}

/// Whether a sid was ever given out.
pub(super) fn is_given_out(database: &Database, sid: Sid) -> Result<bool, Fault> {
    Ok(database.begin_read()?.open_table(GIVEN_OUT)?.get(sid.0)?.is_some())
}

/// Whether a line waits for its answer.
pub(super) fn has_line(database: &Database, key: LineKey) -> Result<bool, Fault> {
    Ok(database.begin_read()?.open_table(LINES)?.get(key)?.is_some())
}

/// The keys of a session's lines.
pub(super) fn line_keys(database: &Database, sid: Sid) -> Result<Vec<LineKey>, Fault> {
    let lines = database.begin_read()?.open_table(LINES)?;
    lines.range((sid.0, 0, 0)..=(sid.0, u64::MAX, u64::MAX))?.map(|line| Ok(line?.0.value())).collect()
}

/// A roster as a value.
pub(super) fn roster_bytes(roster: &[Uid]) -> Vec<u8> {
    roster.iter().flat_map(|uid| uid.0.to_be_bytes()).collect()
}

/// A line as key and value.
pub(super) fn line_record(line: &StoredLine) -> (LineKey, Vec<u8>) {
    let value = [&line.author.0.to_be_bytes(), line.text.as_bytes()].concat();
    ((line.sid.0, line.number, line.recipient.0), value)
}

fn sessions(transaction: &ReadTransaction) -> Result<Vec<StoredSession>, Fault> {
    let given_out = transaction.open_table(GIVEN_OUT)?;
    let mut sessions = Vec::new();
    for record in transaction.open_table(SESSIONS)?.iter()? {
        let (key, value) = record?;
        let (sid, value) = (Sid(key.value()), value.value());
        let (uids, rest) = value.as_chunks::<8>();
        if !rest.is_empty() || uids.len() > MAX_ROSTER {
            return Err(Fault::Record(format!("session {sid} with a roster of {} bytes", value.len())));
        }
        // It could be given out again (INIT-03).
        if given_out.get(sid.0)?.is_none() {
            return Err(Fault::Record(format!("session {sid}, whose sid was never given out")));
        }
        let roster = uids.iter().map(|uid| Uid(u64::from_be_bytes(*uid))).collect();
        sessions.push(StoredSession { sid, roster });
    }
    Ok(sessions)
}

fn lines(transaction: &ReadTransaction) -> Result<Vec<StoredLine>, Fault> {
    let mut lines = Vec::new();
    for record in transaction.open_table(LINES)?.iter()? {
        let (key, value) = record?;
        let ((sid, number, recipient), value) = (key.value(), value.value());
        let (sid, recipient) = (Sid(sid), Uid(recipient));
        let unreadable = |why: &str| Fault::Record(format!("line {number} for {recipient} in session {sid}: {why}"));
        let (author, text) = value.split_first_chunk::<8>().ok_or_else(|| unreadable("no author"))?;
        if text.len() > MAX_PAYLOAD {
            return Err(unreadable("longer than any frame"));
        }
        let text: Arc<str> = std::str::from_utf8(text).map_err(|_| unreadable("not UTF-8"))?.into();
        lines.push(StoredLine { number, sid, author: Uid(u64::from_be_bytes(*author)), recipient, text });
    }
    Ok(lines)
}

fn number(bytes: &[u8], what: impl FnOnce() -> String) -> Result<u64, Fault> {
    let bytes = bytes.try_into().map_err(|_| Fault::Record(format!("{} of {} bytes", what(), bytes.len())))?;
    Ok(u64::from_be_bytes(bytes))
}
