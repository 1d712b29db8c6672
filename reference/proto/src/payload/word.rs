//! invite_res and status_res: one of two words, exact in case, without white space or LF (PAY-01).

use super::PayloadError;

/// What an invited user answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(any(test, feature = "arbitrary"), derive(arbitrary::Arbitrary))]
pub enum Choice {
    /// `Accept`
    Accept,
    /// `Deny`
    Deny,
}

/// Whether somebody is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(any(test, feature = "arbitrary"), derive(arbitrary::Arbitrary))]
pub enum Presence {
    /// `Online`
    Online,
    /// `Offline`
    Offline,
}

/// Reads the payload of an invite_res.
///
/// # Errors
/// [`PayloadError::NotOneOf`].
pub fn parse_choice(payload: &[u8]) -> Result<Choice, PayloadError> {
    one_of(payload, [(Choice::Accept.as_str(), Choice::Accept), (Choice::Deny.as_str(), Choice::Deny)])
}

/// Reads the payload of a status_res.
///
/// # Errors
/// [`PayloadError::NotOneOf`].
pub fn parse_presence(payload: &[u8]) -> Result<Presence, PayloadError> {
    one_of(payload, [(Presence::Online.as_str(), Presence::Online), (Presence::Offline.as_str(), Presence::Offline)])
}

impl Choice {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "Accept",
            Self::Deny => "Deny",
        }
    }

    /// The payload.
    #[must_use]
    pub const fn as_bytes(self) -> &'static [u8] {
        self.as_str().as_bytes()
    }
}

impl Presence {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Online => "Online",
            Self::Offline => "Offline",
        }
    }

    /// The payload.
    #[must_use]
    pub const fn as_bytes(self) -> &'static [u8] {
        self.as_str().as_bytes()
    }
}

fn one_of<T: Copy>(payload: &[u8], words: [(&'static str, T); 2]) -> Result<T, PayloadError> {
    if let Some((_, value)) = words.iter().find(|(word, _)| word.as_bytes() == payload) {
        return Ok(*value);
    }
    let agreement = |word: &str| word.bytes().zip(payload).take_while(|(expected, got)| expected == *got).count();
    let words = words.map(|(word, _)| word);
    Err(PayloadError::NotOneOf { words, at: words.map(agreement)[0].max(agreement(words[1])) })
}
