//! A rule of the specification and its identifier.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The identifier of a rule, such as `MSG-03`: an area of capital letters, a hyphen, two digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RuleId(String);

/// A text that is no rule identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no rule identifier (an area, a hyphen, two digits: MSG-03)")]
pub struct RuleIdError(pub String);

impl RuleId {
    /// The area, such as `MSG`.
    pub fn area(&self) -> &str {
        self.0.split('-').next().unwrap_or_default()
    }

    /// The whole identifier.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RuleId {
    type Err = RuleIdError;

    fn from_str(text: &str) -> Result<Self, RuleIdError> {
        let valid = text.split_once('-').is_some_and(|(area, number)| {
            !area.is_empty()
                && area.bytes().all(|b| b.is_ascii_uppercase())
                && number.len() == 2
                && number.bytes().all(|b| b.is_ascii_digit())
        });
        if valid { Ok(Self(text.to_owned())) } else { Err(RuleIdError(text.to_owned())) }
    }
}

impl TryFrom<String> for RuleId {
    type Error = RuleIdError;

    fn try_from(text: String) -> Result<Self, RuleIdError> {
        text.parse()
    }
}

impl From<RuleId> for String {
    fn from(id: RuleId) -> Self {
        id.0
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How binding a rule is (RFC 2119, RFC 8174).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// Breaking it is a failure.
    Must,
    /// Breaking it is a warning, or a failure at `--level should`.
    Should,
    /// A permission: it cannot be broken.
    May,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
            Self::May => "MAY",
        })
    }
}

/// Whom a rule binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Party {
    /// The server.
    #[serde(rename = "S")]
    Server,
    /// The client.
    #[serde(rename = "C")]
    Client,
    /// Both.
    #[serde(rename = "SC")]
    Both,
}

impl Party {
    /// Whether a server must keep the rule.
    pub fn binds_server(self) -> bool {
        self != Self::Client
    }

    /// Whether a client must keep the rule.
    pub fn binds_client(self) -> bool {
        self != Self::Server
    }
}

/// Where a rule comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The seed specification says it.
    Seed,
    /// SiFT 1.0, from whose text the seed's was made, says it.
    Ancestor,
    /// The specification itself decides it.
    Profile,
}

/// One row of the specification's rule tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// The identifier.
    pub id: RuleId,
    /// How binding it is.
    pub level: Level,
    /// Whom it binds.
    pub role: Party,
    /// Where it comes from.
    pub source: Source,
    /// Its text, as the specification has it (Markdown).
    pub text: String,
}
