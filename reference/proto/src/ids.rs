//! Users and sessions: two 64-bit numbers that must not be mixed up.

use core::fmt;
use core::str::FromStr;

use thiserror::Error;

/// A user's public number. 0 is the server ([`Uid::SERVER`]).
///
/// Its text form, the *uid text*, is exactly 16 lowercase hexadecimal digits, big endian.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(any(test, feature = "arbitrary"), derive(arbitrary::Arbitrary))]
pub struct Uid(pub u64);

/// A session's number. 0 means "no session" ([`Sid::NONE`]). Written like a [`Uid`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(any(test, feature = "arbitrary"), derive(arbitrary::Arbitrary))]
pub struct Sid(pub u64);

/// Why a text is no uid or sid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum IdError {
    /// It has this many bytes.
    #[error("{0} bytes instead of 16 digits")]
    Length(usize),
    /// This byte is none of `0`–`9`, `a`–`f`.
    #[error("byte {at} is no lowercase hexadecimal digit")]
    Digit {
        /// Offset of the first such byte.
        at: usize,
    },
}

impl Uid {
    /// The server.
    pub const SERVER: Self = Self(0);
}

impl Sid {
    /// No session.
    pub const NONE: Self = Self(0);
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uid({self})")
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sid({self})")
    }
}

impl FromStr for Uid {
    type Err = IdError;

    /// Strict: 16 lowercase digits and nothing else, so that every number has one text.
    fn from_str(text: &str) -> Result<Self, IdError> {
        digits(text.as_bytes()).map(Self)
    }
}

impl FromStr for Sid {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        digits(text.as_bytes()).map(Self)
    }
}

fn digits(text: &[u8]) -> Result<u64, IdError> {
    if text.len() != 16 {
        return Err(IdError::Length(text.len()));
    }
    text.iter().enumerate().try_fold(0, |number, (at, &byte)| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return Err(IdError::Digit { at }),
        };
        Ok(number << 4 | u64::from(digit))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0, "0000000000000000")]
    #[case(0xa11ce, "00000000000a11ce")]
    #[case(u64::MAX, "ffffffffffffffff")]
    fn a_number_has_one_text(#[case] number: u64, #[case] text: &str) {
        assert_eq!(Uid(number).to_string(), text);
        assert_eq!(text.parse(), Ok(Uid(number)));
        assert_eq!(Sid(number).to_string(), text);
        assert_eq!(text.parse(), Ok(Sid(number)));
    }

    #[rstest]
    #[case("", IdError::Length(0))]
    #[case("a11ce", IdError::Length(5))]
    #[case("00000000000a11ce0", IdError::Length(17))]
    #[case("00000000000A11CE", IdError::Digit { at: 11 })]
    #[case("+0000000000a11ce", IdError::Digit { at: 0 })]
    #[case("0x000000000a11ce", IdError::Digit { at: 1 })]
    #[case("00000000000a11c ", IdError::Digit { at: 15 })]
    #[case("00000000000000é", IdError::Digit { at: 14 })]
    fn nothing_else_is_one(#[case] text: &str, #[case] error: IdError) {
        assert_eq!(text.parse::<Uid>(), Err(error));
        assert_eq!(text.parse::<Sid>(), Err(error));
    }
}
