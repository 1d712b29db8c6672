//! What can be wrong with a payload.

use thiserror::Error;

/// The first offence of a payload against its form. `at` is an offset in bytes.
///
/// What it leads to depends on the frame: an error text (PAY-04, PAY-08) or the end of the connection (PAY-05).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PayloadError {
    /// No UTF-8 from here on (PAY-01).
    #[error("byte {at} is no UTF-8")]
    NotUtf8 {
        /// The first byte that does not fit.
        at: usize,
    },
    /// The last line has no LF (PAY-02).
    #[error("the line at byte {at} has no LF")]
    NoLineEnd {
        /// Where that line begins.
        at: usize,
    },
    /// A line has nothing in it (MSG-05).
    #[error("the line at byte {at} is empty")]
    EmptyLine {
        /// Where that line is.
        at: usize,
    },
    /// A line is no uid text (INIT-02).
    #[error("the line at byte {at} is no uid text")]
    NotUid {
        /// Where that line begins.
        at: usize,
    },
    /// Nothing, where a text must be (PAY-03).
    #[error("the payload is empty")]
    Empty,
    /// Something, where nothing may be.
    #[error("a payload of {0} bytes instead of none")]
    NotEmpty(usize),
    /// Neither of the two words that are possible (PAY-01).
    #[error("differs from both \"{}\" and \"{}\" at byte {at}", words[0], words[1])]
    NotOneOf {
        /// The two words.
        words: [&'static str; 2],
        /// How far it agrees with one of them.
        at: usize,
    },
}

/// The payload as text (PAY-01).
pub(super) fn text(payload: &[u8]) -> Result<&str, PayloadError> {
    str::from_utf8(payload).map_err(|error| PayloadError::NotUtf8 { at: error.valid_up_to() })
}
