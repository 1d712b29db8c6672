//! init_res, msg_res, close_res: `OK` or an error text.

use super::PayloadError;
use super::error::text;

/// The longest error text that this implementation writes, in bytes (PAY-03).
pub const MAX_ERROR_TEXT: usize = 256;

const OK: &str = "OK";

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Response {
    /// Exactly `OK`.
    Ok,
    /// Anything else: it failed. From [`parse_response`] never empty and never `OK`; otherwise use [`Response::error`].
    Error(String),
}

/// Reads the payload of a response.
///
/// # Errors
/// [`PayloadError::NotUtf8`] or [`PayloadError::Empty`].
pub fn parse_response(payload: &[u8]) -> Result<Response, PayloadError> {
    match text(payload)? {
        "" => Err(PayloadError::Empty),
        OK => Ok(Response::Ok),
        error => Ok(Response::Error(error.to_owned())),
    }
}

impl Response {
    /// A failure with an error text that keeps PAY-03, whatever `text` is: one line of at most 256 bytes, not `OK`, not
    /// empty.
    #[must_use]
    pub fn error(text: &str) -> Self {
        let mut line = text.lines().next().unwrap_or_default().trim();
        while line.len() > MAX_ERROR_TEXT {
            line = line.char_indices().next_back().map_or("", |(last, _)| &line[..last]);
        }
        Self::Error(if line.is_empty() || line == OK { "failed" } else { line }.to_owned())
    }

    /// The payload.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Ok => OK.as_bytes(),
            Self::Error(text) => text.as_bytes(),
        }
    }

    /// Whether it is `OK`.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        *self == Self::Ok
    }
}
