//! A line becomes a command.

use std::path::PathBuf;

use mpchat_proto::client::Command;
use mpchat_proto::ids::{IdError, Sid, Uid};
use serde::Deserialize;
use serde::de::Error;
use serde_json::{Map, Value};

use super::KitSource;
use super::lines::{Line, MAX_LINE};

#[derive(Deserialize)]
struct Connect {
    address: String,
    uid: Id,
    kit: PathBuf,
}

#[derive(Deserialize)]
struct Init {
    invite: Vec<Id>,
}

#[derive(Deserialize)]
struct Answer {
    sid: Id,
    accept: bool,
}

#[derive(Deserialize)]
struct Send {
    sid: Id,
    text: String,
}

#[derive(Deserialize)]
struct Close {
    sid: Id,
}

#[derive(Deserialize)]
struct Status {
    sid: Option<Id>,
}

/// A uid or a sid.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Id(u64);

/// The command that a line is; [`Command::Unfit`] if it is none.
pub(super) fn command(line: &Line, kits: &dyn KitSource) -> Command {
    let unfit = |name: &str, why: String| Command::Unfit { name: name.to_owned(), why };
    let line = match line {
        Line::Whole(line) => line,
        Line::TooLong => return unfit("", format!("a line of more than {MAX_LINE} bytes")),
    };
    let fields: Map<String, Value> = match serde_json::from_slice(line) {
        Ok(fields) => fields,
        Err(error) => return unfit("", format!("no JSON object: {error}")),
    };
    let name = match fields.get("do") {
        Some(Value::String(name)) => name.clone(),
        Some(_) => return unfit("", "`do` is no string".to_owned()),
        None => return unfit("", "without `do`".to_owned()),
    };
    parsed(&name, fields, kits).unwrap_or_else(|why| unfit(&name, why))
}

fn parsed(name: &str, fields: Map<String, Value>, kits: &dyn KitSource) -> Result<Command, String> {
    let fields = Value::Object(fields);
    Ok(match name {
        "connect" => {
            let Connect { address, uid, kit } = typed(fields)?;
            let identity = kits.identity(&kit, uid.into()).map_err(|error| error.to_string())?;
            Command::Connect { address, identity: Box::new(identity) }
        }
        "init" => {
            let Init { invite } = typed(fields)?;
            Command::Init { invite: invite.into_iter().map(Uid::from).collect() }
        }
        "answer" => {
            let Answer { sid, accept } = typed(fields)?;
            Command::Answer { sid: sid.into(), accept }
        }
        "send" => {
            let Send { sid, text } = typed(fields)?;
            Command::Send { sid: sid.into(), text }
        }
        "close" => Command::Close { sid: typed::<Close>(fields)?.sid.into() },
        "status" => Command::Status { sid: typed::<Status>(fields)?.sid.map_or(Sid::NONE, Sid::from) },
        "leave" => Command::Leave,
        _ => return Err("no such command".to_owned()),
    })
}

/// Fields that the command does not have are ignored.
fn typed<T: serde::de::DeserializeOwned>(fields: Value) -> Result<T, String> {
    serde_json::from_value(fields).map_err(|error| error.to_string())
}

impl TryFrom<String> for Id {
    type Error = serde_json::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let id: Result<Uid, IdError> = text.parse();
        id.map(|uid| Self(uid.0)).map_err(Self::Error::custom)
    }
}

impl From<Id> for Uid {
    fn from(Id(number): Id) -> Self {
        Self(number)
    }
}

impl From<Id> for Sid {
    fn from(Id(number): Id) -> Self {
        Self(number)
    }
}
