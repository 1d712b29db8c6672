//! The texts inside of frames (section 3): one parser and one writer for each form.
//!
//! | form | frames |
//! | --- | --- |
//! | [`parse_init_req`], [`write_init_req`] | init_req |
//! | [`parse_lines`], [`write_lines`] | msg_req |
//! | [`Response`] | init_res, msg_res, close_res |
//! | [`Choice`] | invite_res |
//! | [`Presence`] | status_res |
//! | [`parse_empty`] | close_req, invite_req, status_req |

mod error;
mod init;
mod message;
mod response;
mod word;

#[cfg(test)]
mod tests;

pub use error::PayloadError;
pub use init::{parse_init_req, write_init_req};
pub use message::{parse_lines, write_lines};
pub use response::{MAX_ERROR_TEXT, Response, parse_response};
pub use word::{Choice, Presence, parse_choice, parse_presence};

/// Reads the payload of a frame that has none.
///
/// # Errors
/// [`PayloadError::NotEmpty`].
pub fn parse_empty(payload: &[u8]) -> Result<(), PayloadError> {
    if payload.is_empty() { Ok(()) } else { Err(PayloadError::NotEmpty(payload.len())) }
}
