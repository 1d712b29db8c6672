//! Changes that can be taken back.

use redb::{Database, Key, TableDefinition, WriteTransaction};

use super::error::Fault;
use super::records::{ABOUT, GIVEN_OUT, LINES, LineKey, NEXT_KEY, SESSIONS};

/// One record as it will be; `None`: not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    /// A sid that is given out, with an empty value.
    GivenOut(u64, Option<Vec<u8>>),
    /// A live session's roster.
    Session(u64, Option<Vec<u8>>),
    /// A line without an answer.
    Line(LineKey, Option<Vec<u8>>),
    /// The next number.
    Next(Option<Vec<u8>>),
}

/// Makes all of `edits` last, or none. `undo` gets what takes them back, one each, to be done in the reverse order: they
/// name the state from before, so they do no harm where nothing was changed.
pub(super) fn commit(database: &Database, edits: &[Edit], undo: &mut Vec<Edit>) -> Result<(), Fault> {
    let mut transaction = database.begin_write()?;
    harden(&mut transaction);
    for edit in edits {
        undo.push(edit.apply(&transaction)?);
    }
    Ok(transaction.commit()?)
}

/// What peers send lies in the file. Only with two phases, nothing that is in it can make a half-written commit pass for a
/// whole one; it costs a second fsync.
pub(super) fn harden(transaction: &mut WriteTransaction) {
    transaction.set_two_phase_commit(true);
}

impl Edit {
    /// Gives the record as it was.
    fn apply(&self, transaction: &WriteTransaction) -> Result<Self, Fault> {
        Ok(match self {
            Self::GivenOut(sid, value) => Self::GivenOut(*sid, set(transaction, GIVEN_OUT, *sid, value.as_deref())?),
            Self::Session(sid, value) => Self::Session(*sid, set(transaction, SESSIONS, *sid, value.as_deref())?),
            Self::Line(key, value) => Self::Line(*key, set(transaction, LINES, *key, value.as_deref())?),
            Self::Next(value) => {
                let mut about = transaction.open_table(ABOUT)?;
                let before = match value {
                    Some(value) => about.insert(NEXT_KEY, value.as_slice())?,
                    None => about.remove(NEXT_KEY)?,
                };
                Self::Next(before.map(|before| before.value().to_vec()))
            }
        })
    }
}

fn set<K>(
    transaction: &WriteTransaction,
    table: TableDefinition<'_, K, &[u8]>,
    key: K,
    value: Option<&[u8]>,
) -> Result<Option<Vec<u8>>, Fault>
where
    K: Key + for<'a> redb::Value<SelfType<'a> = K> + 'static,
{
    let mut table = transaction.open_table(table)?;
    let before = match value {
        Some(value) => table.insert(key, value)?,
        None => table.remove(key)?,
    };
    Ok(before.map(|before| before.value().to_vec()))
}
